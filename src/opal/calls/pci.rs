//! PCI calls: 13–18, 23, 26–29, 31, 32, 37, 39, 40, 44, 45, 49, 53, 60, 62–64, 96, 97, 119, 120, 126, 157, 179, 180.
//!
//! Checks run in the order of `reference/phb-dma-windows.md` §12; arguments are checked whole. Outputs are written on
//! success, and where a comment says so.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::error::{Error, Result, why};
use crate::firmware::Firmware;
use crate::hw::fault::Fault;
use crate::iommu::bypass::Bypass;
use crate::iommu::geometry::{Geometry, Table};
use crate::iommu::tve::Tve;
use crate::iommu::{Kill, Slot};
use crate::mem::{OsNumber, OsPointer};
use crate::opal::args::Args;
use crate::opal::calls::faults::{act, announce};
use crate::opal::table::SUCCESS;
use crate::phb::config::{Register, Width};
use crate::phb::dma::PhbOption;
use crate::phb::eeh::{Directions, Freeze, NextError, Trouble};
use crate::phb::inject::{Access, Place, Target};
use crate::phb::msi::Source;
use crate::phb::pe::RidMatch;
use crate::phb::reset::{Progress, Scope};
use crate::phb::windows::{Enable, M64};
use crate::phb::{self, Locked};
use crate::units::Bdfn;

/// The bridge that argument 0 names.
#[inline(always)]
fn find<'a>(fw: &'a Firmware, args: &Args) -> Result<&'a Locked> {
    phb::find(fw.phbs, args.u64::<0>())
}

/// Whether a number is a function's; a wide one isn't cut. Apart from making one: a `Result` of a small thing is packed
/// into a word and unpacked again, which costs each access ten instructions.
#[inline(always)]
const fn is_function(number: u64) -> bool {
    number <= 0xffff
}

#[inline(always)]
fn read<T: OsNumber + From<u8>>(fw: &Firmware, args: &Args, width: Width, cut: fn(u32) -> T) -> Result<i64> {
    let output = args.pointer::<T, 3>(fw)?;
    let bridge = find(fw, args)?;
    let (rid, offset) = (args.u64::<1>(), args.u64::<2>());
    if !is_function(rid) || !Register::is_at(offset, width) {
        return refuse(fw, output, cut, Error::Parameter(why("BDFN or config register")));
    }
    let result = bridge.lock().config_read(Bdfn::from_u16(rid as u16), Register::cut(offset, width));
    match result {
        Ok(value) => output.write(&fw.ram, cut(value)),
        Err(fault) => return refuse(fw, output, cut, fault.into()),
    }
    Ok(SUCCESS)
}

/// What can't be read is all ones, as on the bus.
#[cold]
fn refuse<T: OsNumber>(fw: &Firmware, output: OsPointer<T>, cut: fn(u32) -> T, error: Error) -> Result<i64> {
    output.write(&fw.ram, cut(u32::MAX));
    Err(error)
}

#[inline(always)]
fn write(fw: &Firmware, args: &Args, width: Width) -> Result<i64> {
    let bridge = find(fw, args)?;
    let (rid, offset) = (args.u64::<1>(), args.u64::<2>());
    if !Register::is_at(offset, width) {
        return Err(Error::Parameter(why("config register")));
    }
    if !is_function(rid) {
        return Err(Error::Parameter(why("BDFN")));
    }
    let register = Register::cut(offset, width);
    bridge.lock().config_write(Bdfn::from_u16(rid as u16), register, args.u64::<3>() as u32)?;
    Ok(SUCCESS)
}

/// 13 PCI_CONFIG_READ_BYTE(phb, bdfn, offset, data*).
pub fn config_read_byte(fw: &Firmware, args: &Args) -> Result<i64> {
    read::<u8>(fw, args, Width::One, |value| value as u8)
}

/// 14 PCI_CONFIG_READ_HALF_WORD(phb, bdfn, offset, data*).
pub fn config_read_half(fw: &Firmware, args: &Args) -> Result<i64> {
    read::<u16>(fw, args, Width::Two, |value| value as u16)
}

/// 15 PCI_CONFIG_READ_WORD(phb, bdfn, offset, data*).
pub fn config_read_word(fw: &Firmware, args: &Args) -> Result<i64> {
    read::<u32>(fw, args, Width::Four, |value| value)
}

/// 16 PCI_CONFIG_WRITE_BYTE(phb, bdfn, offset, data).
pub fn config_write_byte(fw: &Firmware, args: &Args) -> Result<i64> {
    write(fw, args, Width::One)
}

/// 17 PCI_CONFIG_WRITE_HALF_WORD(phb, bdfn, offset, data).
pub fn config_write_half(fw: &Firmware, args: &Args) -> Result<i64> {
    write(fw, args, Width::Two)
}

/// 18 PCI_CONFIG_WRITE_WORD(phb, bdfn, offset, data).
pub fn config_write_word(fw: &Firmware, args: &Args) -> Result<i64> {
    write(fw, args, Width::Four)
}

/// OPAL's number for an error of a whole bridge.
const PHB_ERROR: u16 = 2;
const PE_ERROR: u16 = 3;
const SEVERITY_PHB_DEAD: u16 = 2;
const SEVERITY_PHB_FENCED: u16 = 3;
const SEVERITY_PE: u16 = 4;

/// 23 PCI_EEH_FREEZE_STATUS(phb, pe, state*, type*, phb_status*). The last one is not written; it may be null.
///
/// A dead bridge is HARDWARE, with the outputs written.
pub fn eeh_freeze_status(fw: &Firmware, args: &Args) -> Result<i64> {
    let state = args.pointer::<u8, 2>(fw)?;
    let kind = args.pointer::<u16, 3>(fw)?;
    args.optional::<u64, 4>(fw)?;
    let bridge = find(fw, args)?;
    let pe = bridge.limits.pe(args.u64::<1>())?;
    let (code, error, result) = match bridge.lock().freeze_status(pe) {
        Freeze::None => (0, 0, Ok(SUCCESS)),
        Freeze::Mmio => (1, 0, Ok(SUCCESS)),
        Freeze::Dma => (2, 0, Ok(SUCCESS)),
        Freeze::Both => (3, 0, Ok(SUCCESS)),
        Freeze::Fenced => (3, PHB_ERROR, Ok(SUCCESS)),
        Freeze::Dead => (3, PHB_ERROR, Err(Fault::Broken.into())),
    };
    state.write(&fw.ram, code);
    kind.write(&fw.ram, error);
    result
}

/// 26 PCI_EEH_FREEZE_CLEAR(phb, pe, action).
pub fn eeh_freeze_clear(fw: &Firmware, args: &Args) -> Result<i64> {
    let bridge = find(fw, args)?;
    let pe = bridge.limits.pe(args.u64::<1>())?;
    let directions = Directions::new(args.u64::<2>())?;
    act(fw, args.u64::<0>())?.freeze_clear(pe, directions)?;
    Ok(SUCCESS)
}

/// 97 PCI_EEH_FREEZE_SET(phb, pe, action).
pub fn eeh_freeze_set(fw: &Firmware, args: &Args) -> Result<i64> {
    let bridge = find(fw, args)?;
    let pe = bridge.limits.pe(args.u64::<1>())?;
    let directions = Directions::new(args.u64::<2>())?;
    act(fw, args.u64::<0>())?.freeze_set(pe, directions)?;
    Ok(SUCCESS)
}

/// 60 PCI_NEXT_ERROR(phb, first_pe*, type*, severity*). Without a PE the first output is all ones.
pub fn next_error(fw: &Firmware, args: &Args) -> Result<i64> {
    let first_pe = args.pointer::<u64, 1>(fw)?;
    let kind = args.pointer::<u16, 2>(fw)?;
    let severity = args.pointer::<u16, 3>(fw)?;
    let (pe, error, how_bad) = match act(fw, args.u64::<0>())?.next_error() {
        NextError::Nothing => (u64::MAX, 0, 0),
        NextError::Pe(pe) => (pe.as_u16().into(), PE_ERROR, SEVERITY_PE),
        NextError::Phb(Trouble::Fenced) => (u64::MAX, PHB_ERROR, SEVERITY_PHB_FENCED),
        NextError::Phb(Trouble::Dead) => (u64::MAX, PHB_ERROR, SEVERITY_PHB_DEAD),
    };
    first_pe.write(&fw.ram, pe);
    kind.write(&fw.ram, error);
    severity.write(&fw.ram, how_bad);
    Ok(SUCCESS)
}

/// Which kind of MMIO window an argument names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WindowType {
    M32,
    M64,
}

fn window_type(code: u64) -> Result<WindowType> {
    match code {
        1 => Ok(WindowType::M32),
        2 => Ok(WindowType::M64),
        3 => Err(Error::Unsupported(why("I/O windows"))),
        _ => Err(Error::Parameter(why("window type"))),
    }
}

fn m64(bridge: &Locked, code: u64, number: u64) -> Result<M64> {
    if window_type(code)? == WindowType::M32 {
        return Err(Error::Unsupported(why("M32 is fixed")));
    }
    M64::new(number, &bridge.m64_windows)
}

/// 27 PCI_PHB_MMIO_ENABLE(phb, type, window, enable).
pub fn phb_mmio_enable(fw: &Firmware, args: &Args) -> Result<i64> {
    let bridge = find(fw, args)?;
    let window = m64(bridge, args.u64::<1>(), args.u64::<2>())?;
    bridge.lock().enable_m64(window, Enable::new(args.u64::<3>())?)?;
    Ok(SUCCESS)
}

/// 28 PCI_SET_PHB_MEM_WINDOW(phb, type, window, address, pci_address, size). Bus addresses are the processor's.
pub fn set_phb_mem_window(fw: &Firmware, args: &Args) -> Result<i64> {
    let bridge = find(fw, args)?;
    let window = m64(bridge, args.u64::<1>(), args.u64::<2>())?;
    bridge.lock().place_m64(window, args.u64::<3>(), args.u64::<5>())?;
    Ok(SUCCESS)
}

/// 29 PCI_MAP_PE_MMIO_WINDOW(phb, pe, type, window, segment).
pub fn map_pe_mmio_window(fw: &Firmware, args: &Args) -> Result<i64> {
    let bridge = find(fw, args)?;
    let pe = bridge.limits.pe(args.u64::<1>())?;
    match window_type(args.u64::<2>())? {
        WindowType::M32 if args.u64::<3>() != 0 => return Err(Error::Parameter(why("M32 window"))),
        WindowType::M32 => bridge.lock().map_m32_segment(args.u64::<4>(), pe)?,
        WindowType::M64 => {
            let window = M64::new(args.u64::<3>(), &bridge.m64_windows)?;
            bridge.lock().map_m64_single(window, pe)?;
        }
    }
    Ok(SUCCESS)
}

/// 31 PCI_SET_PE(phb, pe, bdfn, bus_compare, device_compare, function_compare, action).
///
/// Unmapping takes out what is in this PE; a requester that was since put into another one stays there.
pub fn set_pe(fw: &Firmware, args: &Args) -> Result<i64> {
    let bridge = find(fw, args)?;
    let map = match args.u64::<6>() {
        0 => false,
        1 => true,
        _ => return Err(Error::Parameter(why("PE action"))),
    };
    let pe = bridge.limits.pe(args.u64::<1>())?;
    let rids = RidMatch::new(args.u64::<2>(), args.u64::<3>(), args.u64::<4>(), args.u64::<5>())?;
    bridge.lock().set_pe(pe, rids, map)?;
    Ok(SUCCESS)
}

/// 32 PCI_SET_PELTV(phb, parent, child, state).
pub fn set_peltv(fw: &Firmware, args: &Args) -> Result<i64> {
    let bridge = find(fw, args)?;
    let (parent, child) = (bridge.limits.pe(args.u64::<1>())?, bridge.limits.pe(args.u64::<2>())?);
    let depends = args.u8::<3>()? != 0;
    bridge.lock().set_dependent(parent, child, depends);
    Ok(SUCCESS)
}

/// 37 PCI_SET_XIVE_PE(phb, pe, source).
pub fn set_xive_pe(fw: &Firmware, args: &Args) -> Result<i64> {
    let bridge = find(fw, args)?;
    let pe = bridge.limits.pe(args.u64::<1>())?;
    let source = Source::new(args.u64::<2>(), bridge.sources)?;
    bridge.lock().set_source_pe(source, pe)?;
    Ok(SUCCESS)
}

/// 63 PCI_MSI_EOI(phb, source): after each message interrupt of a PHB3. Linux numbers sources from 0; a global number is
/// taken as well.
pub fn msi_eoi(fw: &Firmware, args: &Args) -> Result<i64> {
    let bridge = find(fw, args)?;
    let source = Source::new(bridge.local_source(args.u64::<1>()), bridge.sources)?;
    bridge.lock().end_of_interrupt(source)?;
    Ok(SUCCESS)
}

/// What both MSI calls check: (phb, mve, source, range, …). MVEs don't exist here; Linux passes 0.
fn msi(fw: &Firmware, args: &Args) -> Result<Source> {
    let bridge = find(fw, args)?;
    bridge.limits.pe(args.u64::<1>())?;
    let source = Source::new(args.u64::<2>(), bridge.sources)?;
    if args.u64::<3>() == 1 { Ok(source) } else { Err(Error::Parameter(why("MSI range"))) }
}

/// 39 GET_MSI_32(phb, mve, source, range, address*, data*).
pub fn get_msi_32(fw: &Firmware, args: &Args) -> Result<i64> {
    let address = args.pointer::<u32, 4>(fw)?;
    let data = args.pointer::<u32, 5>(fw)?;
    let source = msi(fw, args)?;
    address.write(&fw.ram, source.address32());
    data.write(&fw.ram, source.data());
    Ok(SUCCESS)
}

/// 40 GET_MSI_64(phb, mve, source, range, address*, data*).
pub fn get_msi_64(fw: &Firmware, args: &Args) -> Result<i64> {
    let address = args.pointer::<u64, 4>(fw)?;
    let data = args.pointer::<u32, 5>(fw)?;
    let source = msi(fw, args)?;
    address.write(&fw.ram, source.address64());
    data.write(&fw.ram, source.data());
    Ok(SUCCESS)
}

/// 44 PCI_MAP_PE_DMA_WINDOW(phb, pe, window, levels, table, level_bytes, page_bytes). Size 0 closes the window.
pub fn map_pe_dma_window(fw: &Firmware, args: &Args) -> Result<i64> {
    let bridge = find(fw, args)?;
    let slot = Slot::new(bridge.limits, args.u64::<1>(), args.u64::<2>())?;
    if args.u64::<5>() == 0 {
        bridge.lock().unset_window(slot)?;
        return Ok(SUCCESS);
    }
    let geometry = Geometry::new(bridge.translation, args.u64::<6>(), args.u64::<3>(), args.u64::<5>())?;
    let table = Table::new(geometry, args.u64::<4>(), &fw.memory)?;
    bridge.lock().set_table(slot, Tve::translated(&table))?;
    Ok(SUCCESS)
}

/// 45 PCI_MAP_PE_DMA_WINDOW_REAL(phb, pe, window, start, size). Size 0 closes the window.
///
/// What the window would let pass of firmware's memory is cut off.
pub fn map_pe_dma_window_real(fw: &Firmware, args: &Args) -> Result<i64> {
    let bridge = find(fw, args)?;
    let slot = Slot::new(bridge.limits, args.u64::<1>(), args.u64::<2>())?;
    if args.u64::<4>() == 0 {
        bridge.lock().unset_window(slot)?;
        return Ok(SUCCESS);
    }
    let bypass = Bypass::new(args.u64::<3>(), args.u64::<4>(), &fw.memory)?;
    bridge.lock().set_bypass(slot, Tve::no_translate(bridge.translation, &bypass), bypass.bit59())?;
    Ok(SUCCESS)
}

/// 126 PCI_TCE_KILL(phb, type, pe, page_size, address, pages). A kill of pages is one of the PE, because page kills
/// can be lost (erratum HW560152); its other arguments don't matter then.
pub fn tce_kill(fw: &Firmware, args: &Args) -> Result<i64> {
    let bridge = find(fw, args)?;
    let kill = match args.u64::<1>() {
        0 | 1 => Kill::Pe(bridge.limits.pe(args.u64::<2>())?),
        2 => Kill::All,
        _ => return Err(Error::Parameter(why("kill type"))),
    };
    bridge.lock().kill(kill)?;
    Ok(SUCCESS)
}

fn option(code: u64) -> Result<PhbOption> {
    match code {
        1 => Ok(PhbOption::Tve1At4GiB),
        2 => Ok(PhbOption::MmioEehDisable),
        _ => Err(Error::Unsupported(why("PHB option"))),
    }
}

/// 179 PHB_SET_OPTION(phb, option, setting).
///
/// WRONG_STATE when a window that is open would move or lose a part: nothing changes then.
pub fn set_option(fw: &Firmware, args: &Args) -> Result<i64> {
    let bridge = find(fw, args)?;
    let on = match args.u64::<2>() {
        0 => false,
        1 => true,
        _ => return Err(Error::Parameter(why("PHB option's setting"))),
    };
    let option = option(args.u64::<1>())?;
    bridge.lock().set_option(option, on)?;
    Ok(SUCCESS)
}

/// 180 PHB_GET_OPTION(phb, option, setting*).
pub fn get_option(fw: &Firmware, args: &Args) -> Result<i64> {
    let setting = args.pointer::<u64, 2>(fw)?;
    let bridge = find(fw, args)?;
    let option = option(args.u64::<1>())?;
    let on = bridge.lock().option(option)?;
    setting.write(&fw.ram, on.into());
    Ok(SUCCESS)
}

/// 157 PCI_SET_P2P(initiator, target, flags, pe): DMA from one bridge's devices to another one's.
///
/// It would need a window without limits at the initiator, from which nothing of firmware's is cut out, so it is
/// refused.
pub fn set_p2p(fw: &Firmware, args: &Args) -> Result<i64> {
    phb::find(fw.phbs, args.u64::<0>())?;
    phb::find(fw.phbs, args.u64::<1>())?;
    Err(Error::Unsupported(why("peer-to-peer DMA")))
}

/// 64 PCI_GET_PHB_DIAG_DATA2(phb, buffer, length).
pub fn get_phb_diag_data2(fw: &Firmware, args: &Args) -> Result<i64> {
    let buffer = args.buffer::<1>(fw, args.u64::<2>())?;
    let mut bridge = find(fw, args)?.lock();
    if !buffer.address.is_multiple_of(8) || buffer.length < bridge.diag_size() {
        return Err(Error::Parameter(why("diagnostic data's buffer")));
    }
    bridge.diagnose(buffer.address)?;
    Ok(SUCCESS)
}

/// 96 PCI_ERR_INJECT(phb, pe, type, function, address, mask). Type 0 is about M32 or window 0, type 1 about M64
/// or window 1. What isn't the PE's address stands for all of its first range.
pub fn err_inject(fw: &Firmware, args: &Args) -> Result<i64> {
    let bridge = find(fw, args)?;
    let wide = match args.u64::<2>() {
        0 => false,
        1 => true,
        _ => return Err(Error::Parameter(why("error type"))),
    };
    let place = Place { wide, address: args.u64::<4>(), mask: args.u64::<5>() };
    let pe = bridge.limits.pe(args.u64::<1>())?;
    if pe == bridge.limits.reserved() {
        return Err(Error::Parameter(why("the reserved PE")));
    }
    // Each kind has functions for its address and its data; DMA also for its master and its target.
    let (target, access) = match args.u64::<3>() {
        0 | 1 => (Target::Memory(place), Access::Load),
        4 | 5 => (Target::Config, Access::Load),
        6 | 7 => (Target::Memory(place), Access::Store),
        10 | 11 => (Target::Config, Access::Store),
        12..=15 => (Target::Dma(place), Access::Load),
        16..=19 => (Target::Dma(place), Access::Store),
        // 2, 3, 8, 9: I/O space, which doesn't exist.
        _ => return Err(Error::Parameter(why("error function"))),
    };
    bridge.lock().inject(pe, target, access)?;
    Ok(SUCCESS)
}

/// A slot: a bridge's own, which is the root port's too, or that of a port below it.
struct PciSlot<'a> {
    bridge: &'a Locked,
    /// Bit 63: the id names a function.
    names_function: bool,
    port: Option<Bdfn>,
}

fn slot<'a>(fw: &'a Firmware, id: u64) -> Result<PciSlot<'a>> {
    let names_function = id >> 63 != 0;
    if !names_function {
        return Ok(PciSlot { bridge: phb::find(fw.phbs, id)?, names_function, port: None });
    }
    if id << 1 >> 33 != 0 {
        return Err(Error::Parameter(why("slot id")));
    }
    let bridge = phb::find(fw.phbs, id & 0xffff)?;
    let function = Bdfn::from_u16((id >> 16) as u16);
    if !bridge.lock().known(function).is_some_and(|known| known.is_bridge) {
        return Err(Error::Parameter(why("slot")));
    }
    Ok(PciSlot { bridge, names_function, port: Some(function).filter(|function| function.as_u16() != 0) })
}

/// Whole milliseconds to wait, at least one, or 0.
fn progress(progress: Progress) -> i64 {
    match progress {
        Progress::Done => SUCCESS,
        Progress::Wait(ms) => i64::from(ms).max(1),
    }
}

/// 49 PCI_RESET(slot, scope, assert). A positive result is milliseconds until PCI_POLL.
///
/// Scope 6 puts all tables of the bridge back to how they start, and its options.
pub fn reset(fw: &Firmware, args: &Args) -> Result<i64> {
    let slot = slot(fw, args.u64::<0>())?;
    let assert = match args.u64::<2>() {
        0 => false,
        1 => true,
        _ => return Err(Error::Parameter(why("assert"))),
    };
    let mut bridge = slot.bridge.lock();
    let result = match (args.u64::<1>(), slot.port) {
        (1 | 3 | 6, _) if slot.names_function => Err(Error::Unsupported(why("scope is the bridge's"))),
        (1 | 3..=6, _) if !assert => Ok(SUCCESS),
        (1, _) => bridge.start_reset(Scope::Complete).map(progress),
        (3, _) => bridge.clear_injection().map(|()| SUCCESS),
        (4 | 5, Some(port)) => bridge.start_port_reset(port).map(progress),
        (4, None) => bridge.start_reset(Scope::Hot).map(progress),
        (5, None) => bridge.start_reset(Scope::Fundamental).map(progress),
        (6, _) => bridge.reset_tables().map(|()| SUCCESS).map_err(Into::into),
        _ => Err(Error::Unsupported(why("reset scope"))),
    };
    announce(fw, slot.bridge, &**bridge);
    result
}

/// 62 PCI_POLL(slot): milliseconds to wait, or 0.
pub fn poll(fw: &Firmware, args: &Args) -> Result<i64> {
    let slot = slot(fw, args.u64::<0>())?;
    let mut bridge = slot.bridge.lock();
    match slot.port {
        Some(port) => bridge.poll_port_reset(port).map(progress),
        None => bridge.poll_reset().map(progress),
    }
}

/// PCI_REINIT's only scope: one device.
const REINIT_DEVICE: u64 = 1000;

/// 53 PCI_REINIT(phb, scope, bdfn): sets a device up again after a reset.
pub fn reinit(fw: &Firmware, args: &Args) -> Result<i64> {
    let mut bridge = find(fw, args)?.lock();
    if args.u64::<1>() != REINIT_DEVICE {
        return Err(Error::Parameter(why("reinit scope")));
    }
    let function = args.u16::<2>().map_err(|_| Error::Parameter(why("BDFN")))?;
    let known = bridge.known(Bdfn::from_u16(function)).ok_or(Error::Parameter(why("BDFN")))?;
    bridge.prepare(known)?;
    Ok(SUCCESS)
}

/// 119 PCI_GET_PRESENCE_STATE(slot, presence*): 0 empty, 1 occupied.
pub fn get_presence_state(fw: &Firmware, args: &Args) -> Result<i64> {
    let output = args.pointer::<u8, 1>(fw)?;
    let slot = slot(fw, args.u64::<0>())?;
    let mut bridge = slot.bridge.lock();
    let occupied = match slot.port {
        Some(port) => bridge.is_port_occupied(port)?,
        None => bridge.is_present()?,
    };
    output.write(&fw.ram, occupied.into());
    Ok(SUCCESS)
}

/// 120 PCI_GET_POWER_STATE(slot, power*): slots here can't be switched off, so it is always 1.
pub fn get_power_state(fw: &Firmware, args: &Args) -> Result<i64> {
    let output = args.pointer::<u8, 1>(fw)?;
    slot(fw, args.u64::<0>())?;
    output.write(&fw.ram, 1);
    Ok(SUCCESS)
}

/// 121 PCI_SET_POWER_STATE(message token, slot, power*): 0 off, 1 on, 2 offline, 3 online. No slot here can be switched
/// off or lose its device, and none says `ibm,slot-pluggable`: what is asked right is UNSUPPORTED.
pub fn set_power_state(fw: &Firmware, args: &Args) -> Result<i64> {
    slot(fw, args.u64::<1>())?;
    let power = args.pointer::<u8, 2>(fw)?;
    match power.read(&fw.ram) {
        0..=3 => Err(Error::Unsupported(why("slot's power can't be switched"))),
        _ => Err(Error::Parameter(why("power state"))),
    }
}
