//! What hardware and firmware share in memory: EAS, END and NVT (`reference/platform-qemu-powernv.md` §6.2,
//! "Structures"). An END and an NVT are rows of 64-bit numbers here, as the cache watch has them; 32-bit word 2n is
//! bits 0–31 of row n, word 2n + 1 is bits 32–63. The rows are POWER9's; `p10/structures.rs` has POWER10's.

use super::unit::{as_u64, ibm};
use bitfield::bitfield;

bitfield! {
    /// Event assignment structure: from a source to an END.
    #[doc(alias = "IVE")]
    #[derive(Clone, Copy, Default, PartialEq, Eq)]
    pub struct Eas(pub u64);
    impl Debug;
    pub valid, set_valid: ibm(0);
    pub u8, _, set_end_block: ibm(4), ibm(7);
    pub u32, end_index, set_end_index: ibm(8), ibm(31);
    pub masked, set_masked: ibm(32);
    pub u32, data, set_data: ibm(33), ibm(63);
}

/// Bytes of an EAS.
pub const EAS_SIZE: u64 = 8;
/// Largest [`Eas::data`].
pub const DATA_LIMIT: u32 = 0x7fff_ffff;

/// Event notification descriptor: an event queue, and whom it notifies.
#[doc(alias = "EQ")]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct End {
    pub control: EndControl,
    /// Words 2 and 3: real address of the queue, in place.
    pub queue: EndQueue,
    /// Words 4 and 5: where the escalation goes; as an EAS, without its valid and masked bits.
    pub escalation: Eas,
    pub target: EndTarget,
}

bitfield! {
    /// Words 0 and 1.
    #[derive(Clone, Copy, Default, PartialEq, Eq)]
    pub struct EndControl(pub u64);
    impl Debug;
    pub valid, set_valid: ibm(0);
    pub enqueue, set_enqueue: ibm(1);
    /// Always notify, whatever ESn says.
    pub always_notify, set_always_notify: ibm(2);
    pub backlog, set_backlog: ibm(3);
    pub escalate, set_escalate: ibm(5);
    pub unconditional, set_unconditional: ibm(6);
    /// No notification: events go straight to the escalation.
    pub silent, set_silent: ibm(7);
    /// log2 of the queue's size, less 12.
    pub u8, queue_size, set_queue_size: ibm(12), ibm(15);
    /// PQ of the notification.
    pub u8, notification_pq, set_notification_pq: ibm(32), ibm(33);
    /// PQ of the escalation.
    pub u8, escalation_pq, set_escalation_pq: ibm(34), ibm(35);
    pub generation, set_generation: ibm(41);
    pub u32, index, set_index: ibm(42), ibm(63);
}

bitfield! {
    #[derive(Clone, Copy, Default, PartialEq, Eq)]
    pub struct EndQueue(pub u64);
    impl Debug;
    pub u64, address, set_address: ibm(4), ibm(63);
}

bitfield! {
    /// Words 6 and 7.
    #[derive(Clone, Copy, Default, PartialEq, Eq)]
    pub struct EndTarget(pub u64);
    impl Debug;
    /// Name of the NVT.
    pub u32, _, set_nvt: ibm(4), ibm(31);
    pub u8, _, set_priority: ibm(40), ibm(47);
}

/// PQ 01: off.
pub const PQ_OFF: u8 = 1;

impl End {
    /// A queue that isn't in use: its notification and its escalation are off.
    pub fn disabled() -> Self {
        let mut end = Self::default();
        end.control.set_notification_pq(PQ_OFF);
        end.control.set_escalation_pq(PQ_OFF);
        end
    }
}

/// A structure as the cache watch has it; short ones leave the last rows alone.
pub type Rows = [u64; 8];
/// 64-bit rows of an END.
pub const END_ROWS: usize = 4;
/// Bytes of an END.
pub const END_SIZE: u64 = 32;

impl End {
    pub fn from_rows(&[control, queue, escalation, target, ..]: &Rows) -> Self {
        Self {
            control: control.into(),
            queue: queue.into(),
            escalation: escalation.into(),
            target: target.into(),
        }
    }

    pub fn put_rows(&self, rows: &mut Rows) {
        let Self { control, queue, escalation, target } = *self;
        *rows = [control.into(), queue.into(), escalation.into(), target.into(), 0, 0, 0, 0];
    }
}

/// Notification virtual target: a VP, and the part of its thread context that waits in memory.
#[doc(alias = "VP")]
#[doc(alias = "VPD")]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Nvt {
    pub control: NvtControl,
    /// Words 4 and 5: the saved context.
    pub state: u64,
    /// Words 6 and 7: where the context is reported to, in place.
    pub report: NvtReport,
}

bitfield! {
    /// Words 0 and 1.
    #[derive(Clone, Copy, Default, PartialEq, Eq)]
    pub struct NvtControl(pub u64);
    impl Debug;
    pub valid, set_valid: ibm(0);
}

bitfield! {
    #[derive(Clone, Copy, Default, PartialEq, Eq)]
    pub struct NvtReport(pub u64);
    impl Debug;
    pub u64, address, set_address: ibm(4), ibm(63);
}

impl Nvt {
    pub fn from_rows(&[control, _, state, report, ..]: &Rows) -> Self {
        Self { control: control.into(), state, report: report.into() }
    }

    pub fn put_rows(&self, rows: &mut Rows, _name: u32, _thread: bool) {
        *rows = [self.control.into(), 0, self.state, self.report.into(), 0, 0, 0, 0];
    }
}

as_u64!(Eas, EndControl, EndQueue, EndTarget, NvtControl, NvtReport);
