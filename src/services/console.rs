//! OPAL console 0: a UART with a ring in each direction.
//!
//! Output goes straight to the UART while the ring is empty and there is room; what doesn't fit waits in the ring
//! for POLL_EVENTS, FLUSH or the UART's interrupt. Input waits for CONSOLE_READ, with the event bit set.
//!
//! A machine check inside a call may write again, on a thread that holds the lock already. After a bounded wait
//! such output passes the ring by: out of order, but not lost.

use super::events::{CONSOLE_INPUT, Events};
use super::patient;
use crate::error::{Error, Result, why};
use crate::hw::ram::Ram;
use crate::hw::uart::{Interrupts, Uart};
use crate::mem::OsBuffer;
use crate::sync::{Lock, wait_until};
use alloc::collections::VecDeque;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of output that can wait, and the most that one call takes.
pub const OUTPUT: usize = 16 * 1024;
/// Bytes of input that can wait.
pub const INPUT: usize = 1024;

/// Copied at a time; Linux writes 16 bytes at most.
const CHUNK: usize = 16;
/// How long a live holder of the lock may take, in microseconds: a call's worth of output.
const PATIENCE: u64 = 20_000;

/// How long waiting output may hold up a power-off, in microseconds: the ring at 115200 baud.
const FAREWELL: u64 = 1_500_000;

/// How far a flush got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Nothing waits.
    Empty,
    /// Some went out.
    Some,
    /// The UART takes nothing now.
    Stuck,
}

/// The console.
pub struct Console {
    uart: Option<&'static Uart>,
    state: Lock<State>,
    /// How much output waits, for those who must not wait for the lock.
    waiting: AtomicUsize,
}

struct State {
    output: VecDeque<u8>,
    input: VecDeque<u8>,
    /// Characters that the UART takes without being asked again.
    room: u8,
    interrupts: Interrupts,
    handed_over: bool,
}

impl Console {
    /// A console on that UART; without one, each call says that it is closed.
    pub fn new(uart: Option<&'static Uart>) -> Self {
        Self {
            uart,
            state: Lock::new(State {
                output: VecDeque::with_capacity(OUTPUT),
                input: VecDeque::with_capacity(INPUT),
                room: 0,
                interrupts: Interrupts::default(),
                handed_over: false,
            }),
            waiting: AtomicUsize::new(0),
        }
    }

    /// The OS is about to start: input may interrupt.
    pub fn hand_over(&self) {
        let mut state = self.state.lock();
        state.handed_over = true;
        if let Some(uart) = self.uart {
            state.choose_interrupts(uart);
        }
    }

    /// Takes output of the OS: as much as goes out and fits, at most [`OUTPUT`]. Returns how much.
    ///
    /// # Errors
    /// `Closed` without a UART, `BusyEvent` when nothing could be taken.
    #[inline]
    pub fn write(&self, ram: &dyn Ram, from: OsBuffer) -> Result<u64> {
        let uart = self.uart()?;
        let Some(mut state) = self.state.try_lock() else { return self.write_contended(uart, ram, from) };
        let mut chunk = [0; CHUNK];
        // The common case: a short line, a UART that takes it.
        let Some(bytes) = chunk.get_mut(..from.length as usize).filter(|_| state.output.is_empty()) else {
            return self.write_much(&mut state, uart, ram, from);
        };
        ram.read_bytes(from.address, bytes);
        let rest = state.send_now(uart, bytes);
        if !rest.is_empty() {
            self.keep(&mut state, uart, rest);
        }
        Ok(from.length)
    }

    /// More than a chunk, or something waits already.
    #[inline(never)]
    fn write_much(&self, state: &mut State, uart: &Uart, ram: &dyn Ram, from: OsBuffer) -> Result<u64> {
        state.drain(uart);
        let most = from.length.min(OUTPUT as u64);
        let mut taken = 0;
        while taken < most {
            let mut chunk = [0; CHUNK];
            let free = OUTPUT.saturating_sub(state.output.len()).min(CHUNK);
            let length = usize::try_from(most - taken).unwrap_or(CHUNK).min(free);
            let Some(bytes) = chunk.get_mut(..length).filter(|bytes| !bytes.is_empty()) else { break };
            ram.read_bytes(from.address + taken, bytes);
            let rest = if state.output.is_empty() { state.send_now(uart, bytes) } else { bytes };
            state.output.extend(rest);
            taken += length as u64;
        }
        self.settle(state, uart);
        if taken == 0 { Err(Error::BusyEvent) } else { Ok(taken) }
    }

    /// Somebody else holds the lock: another thread for a moment, or a call that was interrupted on this one.
    #[cold]
    fn write_contended(&self, uart: &Uart, ram: &dyn Ram, from: OsBuffer) -> Result<u64> {
        if let Some(mut state) = patient(&self.state, PATIENCE) {
            return self.write_much(&mut state, uart, ram, from);
        }
        let most = from.length.min(OUTPUT as u64);
        let mut taken = 0;
        while taken < most {
            let byte = ram.read8(from.address + taken);
            if uart.send_waiting(&[byte]) == 0 {
                break;
            }
            taken += 1;
        }
        if taken == 0 { Err(Error::BusyEvent) } else { Ok(taken) }
    }

    #[cold]
    fn keep(&self, state: &mut State, uart: &Uart, rest: &[u8]) {
        state.output.extend(rest);
        self.settle(state, uart);
    }

    /// Bytes that [`Self::write`] would take at least.
    ///
    /// # Errors
    /// `Closed` without a UART.
    pub fn space(&self) -> Result<u64> {
        self.uart()?;
        Ok(OUTPUT.saturating_sub(self.waiting.load(Ordering::Relaxed)) as u64)
    }

    /// Moves waiting output to the UART.
    ///
    /// # Errors
    /// `Closed` without a UART; `Internal` when the lock's holder was interrupted on this thread: asking again
    /// wouldn't help.
    #[inline]
    pub fn flush(&self) -> Result<Flush> {
        let uart = self.uart()?;
        if self.waiting.load(Ordering::Relaxed) == 0 { Ok(Flush::Empty) } else { self.flush_waiting(uart) }
    }

    #[cold]
    fn flush_waiting(&self, uart: &Uart) -> Result<Flush> {
        let mut state = patient(&self.state, PATIENCE).ok_or(Error::Internal(why("console held")))?;
        let before = state.output.len();
        state.drain(uart);
        self.settle(&mut state, uart);
        Ok(match state.output.len() {
            0 => Flush::Empty,
            left if left < before => Flush::Some,
            _ => Flush::Stuck,
        })
    }

    /// The machine is about to go: gives waiting output a moment.
    pub fn finish(&self) {
        wait_until(FAREWELL, || !matches!(self.flush(), Ok(Flush::Some | Flush::Stuck)));
    }

    /// Hands input to the OS: as much as waits and fits. Returns how much.
    ///
    /// # Errors
    /// `Closed` without a UART, `Busy` when the lock isn't to be had.
    pub fn read(&self, ram: &dyn Ram, into: OsBuffer, events: &Events) -> Result<u64> {
        let uart = self.uart()?;
        let mut state = patient(&self.state, PATIENCE).ok_or(Error::Busy)?;
        state.receive(uart);
        let mut given = 0;
        while given < into.length {
            let Some(byte) = state.input.pop_front() else { break };
            ram.write8(into.address + given, byte);
            given += 1;
        }
        state.receive(uart);
        state.choose_interrupts(uart);
        events.set_level(CONSOLE_INPUT, !state.input.is_empty());
        Ok(given)
    }

    /// Moves what can move in both directions and sets the event bit. Does nothing while somebody else does.
    #[inline]
    pub fn poll(&self, events: &Events) {
        let Some(uart) = self.uart else { return };
        // The common case, without the lock: whoever last held it left the event bit right.
        if (self.waiting.load(Ordering::Relaxed) > 0 || uart.status().1)
            && let Some(mut state) = self.state.try_lock()
        {
            self.move_both(&mut state, uart, events);
        }
    }

    /// The UART interrupts: its level must drop, or the interrupt comes back at once. So this waits for the lock.
    pub fn interrupt(&self, events: &Events) {
        if let Some(uart) = self.uart
            && let Some(mut state) = patient(&self.state, PATIENCE)
        {
            self.move_both(&mut state, uart, events);
        }
    }

    fn move_both(&self, state: &mut State, uart: &Uart, events: &Events) {
        state.receive(uart);
        state.drain(uart);
        events.set_level(CONSOLE_INPUT, !state.input.is_empty());
        self.settle(state, uart);
    }

    #[inline(always)]
    fn uart(&self) -> Result<&'static Uart> {
        self.uart.ok_or(Error::Closed)
    }

    #[inline(always)]
    fn settle(&self, state: &mut State, uart: &Uart) {
        state.choose_interrupts(uart);
        self.waiting.store(state.output.len(), Ordering::Relaxed);
    }
}

impl State {
    /// Sends what the UART takes now; returns what it doesn't. Nothing waits in the ring.
    #[inline(always)]
    fn send_now<'a>(&mut self, uart: &Uart, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        while !rest.is_empty() && self.has_room(uart) {
            let (now, later) = rest.split_at(rest.len().min(usize::from(self.room)));
            for &byte in now {
                uart.send(byte);
            }
            self.room = self.room.saturating_sub(now.len() as u8);
            rest = later;
        }
        rest
    }

    fn drain(&mut self, uart: &Uart) {
        while !self.output.is_empty() && self.has_room(uart) {
            if let Some(byte) = self.output.pop_front() {
                self.room = self.room.saturating_sub(1);
                uart.send(byte);
            }
        }
    }

    #[inline(always)]
    fn has_room(&mut self, uart: &Uart) -> bool {
        if self.room == 0 {
            self.room = uart.status().0;
        }
        self.room > 0
    }

    fn receive(&mut self, uart: &Uart) {
        while self.input.len() < INPUT && uart.status().1 {
            self.input.push_back(uart.receive());
        }
    }

    /// A full input ring must not keep the interrupt's level up, nor an empty output ring.
    #[inline(always)]
    fn choose_interrupts(&mut self, uart: &Uart) {
        let wanted = Interrupts {
            input: self.handed_over && self.input.len() < INPUT,
            output: self.handed_over && !self.output.is_empty(),
        };
        if wanted != self.interrupts {
            self.interrupts = wanted;
            uart.set_interrupts(wanted);
        }
    }
}
