//! Interrupt calls: 19 and 20 for XICS, 128–144 and 170 for XIVE.

use crate::error::{Error, Result, why};
use crate::firmware::Firmware;
use crate::interrupts::{Dump, Priority, Queue, QueuePosition, Route, Vp, VpSettings};
use crate::mem::{OsNumber, OsPointer};
use crate::opal::args::Args;
use crate::opal::table::SUCCESS;
use crate::units::{ChipId, Isn};

const DONATED_PAGE: u64 = 0x1_0000;
/// XIVE_SYNC: the source, the queue that it goes to. Both are one act here.
const SYNC_TYPES: u64 = 1 | 2;

/// 19 SET_XIVE(irq, server, priority).
pub fn set_xive(fw: &Firmware, args: &Args) -> Result<i64> {
    fw.interrupts.set_server(isn::<0>(args)?, args.u16::<1>()?, args.u8::<2>()?)?;
    Ok(SUCCESS)
}

/// 20 GET_XIVE(irq, server*, priority*).
pub fn get_xive(fw: &Firmware, args: &Args) -> Result<i64> {
    let (into_server, into_priority) = (args.pointer::<u16, 1>(fw)?, args.pointer::<u8, 2>(fw)?);
    let (server, priority) = fw.interrupts.server(isn::<0>(args)?)?;
    into_server.write(&fw.ram, server);
    into_priority.write(&fw.ram, priority);
    Ok(SUCCESS)
}

/// 128 XIVE_RESET(mode).
pub fn reset(fw: &Firmware, args: &Args) -> Result<i64> {
    fw.interrupts.reset(args.u64::<0>().try_into()?)?;
    Ok(SUCCESS)
}

/// 129 XIVE_GET_IRQ_INFO(irq, flags*, EOI page*, trigger page*, ESB shift*, chip*).
pub fn get_irq_info(fw: &Firmware, args: &Args) -> Result<i64> {
    let (flags, eoi, trigger) =
        (args.pointer::<u64, 1>(fw)?, args.pointer::<u64, 2>(fw)?, args.pointer::<u64, 3>(fw)?);
    let (shift, chip) = (args.pointer::<u32, 4>(fw)?, args.pointer::<u32, 5>(fw)?);
    let info = fw.interrupts.source(isn::<0>(args)?)?;
    flags.write(&fw.ram, info.flags);
    eoi.write(&fw.ram, info.eoi_page);
    trigger.write(&fw.ram, info.trigger_page);
    shift.write(&fw.ram, info.page_shift);
    chip.write(&fw.ram, info.chip.0);
    Ok(SUCCESS)
}

/// 130 XIVE_GET_IRQ_CONFIG(irq, VP*, priority*, data*).
pub fn get_irq_config(fw: &Firmware, args: &Args) -> Result<i64> {
    let (vp, priority) = (args.pointer::<u64, 1>(fw)?, args.pointer::<u8, 2>(fw)?);
    let data = args.pointer::<u32, 3>(fw)?;
    let route = fw.interrupts.route(isn::<0>(args)?)?;
    vp.write(&fw.ram, route.vp.0.into());
    priority.write(&fw.ram, route.priority.map_or(Priority::MASKED as u8, Priority::number));
    data.write(&fw.ram, route.data);
    Ok(SUCCESS)
}

/// 131 XIVE_SET_IRQ_CONFIG(irq, VP, priority, data).
pub fn set_irq_config(fw: &Firmware, args: &Args) -> Result<i64> {
    let priority = match args.u64::<2>() {
        Priority::MASKED => None,
        number => Some(number.try_into()?),
    };
    let route = Route { vp: args.u64::<1>().try_into()?, priority, data: args.u32::<3>()? };
    fw.interrupts.set_route(isn::<0>(args)?, route)?;
    Ok(SUCCESS)
}

/// 132 XIVE_GET_QUEUE_INFO(VP, priority, page*, order*, EOI page*, escalation*, flags*); any pointer may be null.
pub fn get_queue_info(fw: &Firmware, args: &Args) -> Result<i64> {
    let (vp, priority) = queue(args)?;
    let (page, order) = (args.optional::<u64, 2>(fw)?, args.optional::<u64, 3>(fw)?);
    let (eoi, escalation) = (args.optional::<u64, 4>(fw)?, args.optional::<u32, 5>(fw)?);
    let flags = args.optional::<u64, 6>(fw)?;
    let info = fw.interrupts.queue(vp, priority)?;
    for (pointer, value) in
        [(page, info.page), (order, info.order), (eoi, info.eoi_page), (flags, info.flags)]
    {
        put(fw, pointer, value);
    }
    put(fw, escalation, info.escalation);
    Ok(SUCCESS)
}

/// 133 XIVE_SET_QUEUE_INFO(VP, priority, page, order, flags).
pub fn set_queue_info(fw: &Firmware, args: &Args) -> Result<i64> {
    let (vp, priority) = queue(args)?;
    let queue = Queue::decode(&fw.memory, args.u64::<2>(), args.u64::<3>(), args.u64::<4>())?;
    fw.interrupts.set_queue(vp, priority, queue)?;
    Ok(SUCCESS)
}

/// 134 XIVE_DONATE_PAGE(chip, address).
pub fn donate_page(fw: &Firmware, args: &Args) -> Result<i64> {
    let page = args.buffer::<1>(fw, DONATED_PAGE)?;
    fw.interrupts.donate_page(chip::<0>(args)?, page)?;
    Ok(SUCCESS)
}

/// 135 XIVE_ALLOCATE_VP_BLOCK(order): the first VP.
pub fn allocate_vp_block(fw: &Firmware, args: &Args) -> Result<i64> {
    Ok(fw.interrupts.allocate_vps(args.u32::<0>()?)?.0.into())
}

/// 136 XIVE_FREE_VP_BLOCK(first VP).
pub fn free_vp_block(fw: &Firmware, args: &Args) -> Result<i64> {
    fw.interrupts.free_vps(args.u64::<0>().try_into()?)?;
    Ok(SUCCESS)
}

/// 137 XIVE_GET_VP_INFO(VP, flags*, CAM*, report address*, chip*); any pointer may be null.
pub fn get_vp_info(fw: &Firmware, args: &Args) -> Result<i64> {
    let (flags, cam) = (args.optional::<u64, 1>(fw)?, args.optional::<u64, 2>(fw)?);
    let (report, chip) = (args.optional::<u64, 3>(fw)?, args.optional::<u32, 4>(fw)?);
    let info = fw.interrupts.vp(args.u64::<0>().try_into()?)?;
    put(fw, flags, info.flags);
    put(fw, cam, info.cam);
    put(fw, report, info.report);
    put(fw, chip, info.chip.0);
    Ok(SUCCESS)
}

/// 138 XIVE_SET_VP_INFO(VP, flags, report address).
pub fn set_vp_info(fw: &Firmware, args: &Args) -> Result<i64> {
    let settings = VpSettings::decode(&fw.memory, args.u64::<1>(), args.u64::<2>())?;
    fw.interrupts.set_vp(args.u64::<0>().try_into()?, settings)?;
    Ok(SUCCESS)
}

/// 139 XIVE_ALLOCATE_IRQ(chip): the interrupt.
pub fn allocate_irq(fw: &Firmware, args: &Args) -> Result<i64> {
    Ok(fw.interrupts.allocate_irq(chip::<0>(args)?)?.0.into())
}

/// 140 XIVE_FREE_IRQ(irq).
pub fn free_irq(fw: &Firmware, args: &Args) -> Result<i64> {
    fw.interrupts.free_irq(isn::<0>(args)?)?;
    Ok(SUCCESS)
}

/// 141 XIVE_SYNC(types, irq).
pub fn sync(fw: &Firmware, args: &Args) -> Result<i64> {
    if args.u64::<0>() & !SYNC_TYPES != 0 {
        return Err(Error::Parameter(why("sync type")));
    }
    fw.interrupts.sync(isn::<1>(args)?)?;
    Ok(SUCCESS)
}

/// 142 XIVE_DUMP(type, id).
pub fn dump(fw: &Firmware, args: &Args) -> Result<i64> {
    let what: Dump = args.u64::<0>().try_into()?;
    fw.interrupts.dump(what, args.u32::<1>()?)?;
    Ok(SUCCESS)
}

/// 143 XIVE_GET_QUEUE_STATE(VP, priority, generation*, index*).
pub fn get_queue_state(fw: &Firmware, args: &Args) -> Result<i64> {
    let (vp, priority) = queue(args)?;
    let (generation, index) = (args.pointer::<u32, 2>(fw)?, args.pointer::<u32, 3>(fw)?);
    let position = fw.interrupts.queue_position(vp, priority)?;
    generation.write(&fw.ram, position.generation.into());
    index.write(&fw.ram, position.index);
    Ok(SUCCESS)
}

/// 144 XIVE_SET_QUEUE_STATE(VP, priority, generation, index).
pub fn set_queue_state(fw: &Firmware, args: &Args) -> Result<i64> {
    let (vp, priority) = queue(args)?;
    let generation = match args.u64::<2>() {
        0 => false,
        1 => true,
        _ => return Err(Error::Parameter(why("queue generation"))),
    };
    fw.interrupts.set_queue_position(vp, priority, QueuePosition { generation, index: args.u32::<3>()? })?;
    Ok(SUCCESS)
}

/// 170 XIVE_GET_VP_STATE(VP, state*).
pub fn get_vp_state(fw: &Firmware, args: &Args) -> Result<i64> {
    let state = args.pointer::<u64, 1>(fw)?;
    state.write(&fw.ram, fw.interrupts.vp_state(args.u64::<0>().try_into()?)?);
    Ok(SUCCESS)
}

fn isn<const N: usize>(args: &Args) -> Result<Isn> {
    args.u32::<N>().map(Isn)
}

fn queue(args: &Args) -> Result<(Vp, Priority)> {
    Ok((args.u64::<0>().try_into()?, args.u64::<1>().try_into()?))
}

/// A chip; 0xffffffff is any, also when it arrives as −1.
fn chip<const N: usize>(args: &Args) -> Result<Option<ChipId>> {
    const ANY: u64 = 0xffff_ffff;
    match args.u64::<N>() {
        ANY | u64::MAX => Ok(None),
        _ => Ok(Some(ChipId(args.u32::<N>()?))),
    }
}

fn put<T: OsNumber>(fw: &Firmware, pointer: Option<OsPointer<T>>, value: T) {
    if let Some(pointer) = pointer {
        pointer.write(&fw.ram, value);
    }
}
