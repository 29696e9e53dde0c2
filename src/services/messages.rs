//! Messages from firmware to the OS: a queue of fixed size that GET_MSG empties.

use super::events::{Events, MESSAGE};
use crate::error::{Error, Result, why};
use crate::sync::Lock;
use alloc::collections::VecDeque;

/// Bytes of a message, as `opal-msg-size` says.
pub const SIZE: usize = 72;
/// Messages that can wait.
pub const QUEUE: usize = 32;

/// The OS shall shut down in order.
const SHUTDOWN: u32 = 3;

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    kind: u32,
    parameters: [u64; 8],
}

impl Message {
    /// The OS shall power off or reboot, in order.
    pub const fn shutdown(reboot: bool) -> Self {
        Self { kind: SHUTDOWN, parameters: [reboot as u64, 0, 0, 0, 0, 0, 0, 0] }
    }

    /// As it lies in memory.
    pub fn bytes(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let (kind, rest) = bytes.split_at_mut(8);
        let (kind, _reserved) = kind.split_at_mut(4);
        kind.copy_from_slice(&self.kind.to_be_bytes());
        for (slot, parameter) in rest.chunks_exact_mut(8).zip(self.parameters) {
            slot.copy_from_slice(&parameter.to_be_bytes());
        }
        bytes
    }
}

/// The queue.
#[derive(Debug)]
pub struct Messages {
    queue: Lock<VecDeque<Message>>,
}

impl Messages {
    /// An empty queue.
    pub fn new() -> Self {
        Self { queue: Lock::new(VecDeque::with_capacity(QUEUE)) }
    }

    /// Queues one and raises the event.
    ///
    /// # Errors
    /// `Resource` when the queue is full; those that wait are kept.
    pub fn send(&self, message: &Message, events: &Events) -> Result {
        let mut queue = self.queue.lock();
        if queue.len() >= QUEUE {
            return Err(Error::Resource(why("message queue")));
        }
        queue.push_back(*message);
        events.raise(MESSAGE);
        Ok(())
    }

    /// Takes the oldest; the event goes with the last.
    pub fn take(&self, events: &Events) -> Option<Message> {
        let mut queue = self.queue.lock();
        let message = queue.pop_front();
        events.set_level(MESSAGE, !queue.is_empty());
        message
    }
}

impl Default for Messages {
    fn default() -> Self {
        Self::new()
    }
}
