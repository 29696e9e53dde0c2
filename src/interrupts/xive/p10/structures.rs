//! END and NVP as POWER10 has them, turned into POWER9's and back.

use super::super::structures::{End, EndControl, EndTarget, Nvt, NvtControl, Rows};
use super::super::tables::QUEUES;
use super::super::unit::{as_u64, ibm};
use bitfield::bitfield;

bitfield! {
    /// Words 0 and 1 of an END. Valid (b0), silent (b7) and word 1 are where POWER9 has them.
    struct Control(u64);
    enqueue, set_enqueue: ibm(5);
    always_notify, set_always_notify: ibm(6);
    backlog, set_backlog: ibm(8);
    unconditional, set_unconditional: ibm(10);
    escalate, set_escalate: ibm(11);
    /// Escalations go to an END, as they always do on POWER9, and not to a source.
    _, set_escalate_to_end: ibm(13);
}

/// What a control has in common with POWER9's.
const ALIKE: u64 = 1 << ibm(0) | 1 << ibm(7) | 0xffff_ffff;

bitfield! {
    /// Words 2 and 3 of an END.
    struct Queue(u64);
    u64, address, set_address: ibm(8), ibm(56);
    /// log2 of the queue's size, less 12.
    u8, size, set_size: ibm(60), ibm(63);
}

/// Bits of [`Queue::address`] that the field leaves out.
const QUEUE_ALIGN: u32 = 7;

bitfield! {
    /// Words 0 and 1 of an NVP.
    struct NvpControl(u64);
    valid, set_valid: ibm(0);
    /// The unit saves and restores the context.
    _, set_hardware: ibm(7);
}

bitfield! {
    /// Words 2 and 3 of an NVP: the context that is saved.
    struct Context(u64);
    u32, rings, _: ibm(0), ibm(23);
    u8, _, set_cppr: ibm(0), ibm(7);
}

bitfield! {
    /// Words 4 and 5 of an NVP.
    struct Ends(u64);
    /// Name of the VP's first END.
    u32, _, set_first: ibm(36), ibm(63);
}

as_u64!(Control, Queue, NvpControl, Context, Ends);

pub fn end_from(&[control, queue, escalation, target, ..]: &Rows) -> End {
    let (new, queue) = (Control(control), Queue(queue));
    let mut control = EndControl(control & ALIKE);
    control.set_enqueue(new.enqueue());
    control.set_always_notify(new.always_notify());
    control.set_backlog(new.backlog());
    control.set_unconditional(new.unconditional());
    control.set_escalate(new.escalate());
    control.set_queue_size(queue.size());
    let memory = queue.address() << QUEUE_ALIGN;
    End { control, queue: memory.into(), escalation: escalation.into(), target: EndTarget(target) }
}

pub fn end_into(end: &End, rows: &mut Rows) {
    let old = end.control;
    let mut control = Control(old.0 & ALIKE);
    control.set_enqueue(old.enqueue());
    control.set_always_notify(old.always_notify());
    control.set_backlog(old.backlog());
    control.set_unconditional(old.unconditional());
    control.set_escalate(old.escalate());
    control.set_escalate_to_end(old.valid());
    let mut queue = Queue(0);
    queue.set_address(end.queue.address() >> QUEUE_ALIGN);
    queue.set_size(old.queue_size());
    *rows = [control.0, queue.0, end.escalation.into(), end.target.0, 0, 0, 0, 0];
}

pub fn nvp_from(&[control, context, _, report, ..]: &Rows) -> Nvt {
    let mut valid = NvtControl::default();
    valid.set_valid(NvpControl(control).valid());
    // As in words 0 and 1 of a TIMA ring: NSR (none), CPPR, IPB, LSMFB.
    let state = u64::from(Context(context).rings()) << 32;
    Nvt { control: valid, state, report: report.into() }
}

/// An NVP's context is the unit's: it stays while the NVP is valid, and begins with all priorities allowed.
pub fn nvp_into(nvt: &Nvt, rows: &mut Rows, name: u32, thread: bool) {
    let &mut [old, context, ..] = rows;
    *rows = Rows::default();
    if !nvt.control.valid() {
        return;
    }
    let (mut control, mut context, mut ends) = (NvpControl(0), Context(context), Ends(0));
    control.set_valid(true);
    control.set_hardware(!thread);
    if !NvpControl(old).valid() {
        context = Context(0);
        context.set_cppr(if thread { 0 } else { u8::MAX });
    }
    // The block is in the highest bits, the index times eight is below it.
    let block = name & 0x0f00_0000;
    ends.set_first(block | ((name ^ block) * QUEUES));
    let [first, second, third, fourth, ..] = rows;
    (*first, *second, *third, *fourth) = (control.0, context.0, ends.0, nvt.report.into());
}
