//! Hardware threads: 41, 42, 69, 70, 98, 158, 166.

use crate::arch;
use crate::error::{Error, Result, why};
use crate::firmware::Firmware;
use crate::opal::args::Args;
use crate::opal::table::SUCCESS;
use crate::services::quiesce::Mode;
use crate::sync::wait_until;
use crate::units::Pir;

/// Flags of REINIT_CPUS.
const HILE_BE: u64 = 0x01;
const HILE_LE: u64 = 0x02;
const MMU_HASH: u64 = 0x04;
const MMU_RADIX: u64 = 0x08;

const fn ibm(bit: u32) -> u64 {
    1 << (63 - bit)
}

/// Causes in HMER that are ours to clear. Those of XSCOM (8, 9, 21 to 23) belong to whoever started an access.
const HMER_RECOVERED: u64 = ibm(2) | ibm(3) | ibm(11) | ibm(16) | ibm(17) | ibm(18) | ibm(19);
/// Causes that mean damage which nothing here repairs: another chip's checkstop, the timebase, the hypervisor's
/// registers.
const HMER_FATAL: u64 = ibm(0) | ibm(4) | ibm(5) | ibm(20);

/// How long the calls of others may take to end, in microseconds.
const QUIESCED: u64 = 1_000_000;

/// 41 START_CPU(pir, address): PARAMETER for a thread that isn't there or an address that isn't an instruction in
/// RAM of the OS, WRONG_STATE when the thread doesn't wait in firmware.
pub fn start(fw: &Firmware, args: &Args) -> Result<i64> {
    let pir = Pir(args.u32::<0>()?);
    fw.services.cpus.status(pir)?;
    let entry = args.pointer::<u32, 1>(fw)?;
    fw.services.cpus.start(pir, entry.address())?;
    Ok(SUCCESS)
}

/// 42 QUERY_CPU_STATUS(pir, status*): 0 inactive, 1 started, 2 unavailable.
pub fn query_status(fw: &Firmware, args: &Args) -> Result<i64> {
    let pir = Pir(args.u32::<0>()?);
    let into = args.pointer::<u8, 1>(fw)?;
    into.write(&fw.ram, fw.services.cpus.status(pir)? as u8);
    Ok(SUCCESS)
}

/// 69 RETURN_CPU: the calling thread waits in firmware. It doesn't return.
pub fn return_cpu(fw: &Firmware, _: &Args) -> Result<i64> {
    fw.services.cpus.returned(arch::pir());
    arch::park();
    Ok(SUCCESS)
}

/// 70 REINIT_CPUS(flags): UNSUPPORTED for flags that aren't served (suspended transactions among them) and for radix
/// where there is none, PARAMETER for both byte orders at once, WRONG_STATE while another thread runs the OS. Hash
/// and radix together mean either, which is radix.
pub fn reinit(fw: &Firmware, args: &Args) -> Result<i64> {
    let flags = args.u64::<0>();
    if flags & !(HILE_BE | HILE_LE | MMU_HASH | MMU_RADIX) != 0 {
        return Err(Error::Unsupported(why("flags")));
    }
    if flags & HILE_BE != 0 && flags & HILE_LE != 0 {
        return Err(Error::Parameter(why("flags")));
    }
    if fw.services.cpus.others_started(arch::pir()) {
        return Err(Error::WrongState(why("other threads run the OS")));
    }
    if flags & (MMU_HASH | MMU_RADIX) != 0 && !arch::set_radix(flags & MMU_RADIX != 0) {
        return Err(Error::Unsupported(why("radix")));
    }
    if flags & (HILE_BE | HILE_LE) != 0 {
        arch::set_little_endian_interrupts(flags & HILE_LE != 0);
    }
    Ok(SUCCESS)
}

/// 98 HANDLE_HMI: clears its causes; HARDWARE when one of them means damage.
pub fn handle_hmi(_: &Firmware, _: &Args) -> Result<i64> {
    if arch::take_hmer(HMER_RECOVERED | HMER_FATAL) & HMER_FATAL != 0 {
        return Err(Error::Hardware(why("HMI")));
    }
    Ok(SUCCESS)
}

/// 166 HANDLE_HMI2(flags*): the same; the flags say that neither timebase nor decrementers were touched.
pub fn handle_hmi2(fw: &Firmware, args: &Args) -> Result<i64> {
    let flags = args.pointer::<u64, 0>(fw)?;
    let result = handle_hmi(fw, args)?;
    flags.write(&fw.ram, 0);
    Ok(result)
}

/// 158 QUIESCE(operation, cpu or -1): 1 holds and 2 rejects new calls of that thread, or of all others, and waits
/// for those inside; 4 and 5 let everyone call again. UNSUPPORTED for 3 (locks are never broken), PARAMETER for other
/// operations and for a thread that isn't there or is the caller, PARTIAL when somebody stays inside.
pub fn quiesce(fw: &Firmware, args: &Args) -> Result<i64> {
    let (cpus, quiesce) = (&fw.services.cpus, &fw.services.quiesce);
    let mode = match args.u64::<0>() {
        1 => Mode::Hold,
        2 => Mode::Reject,
        3 => return Err(Error::Unsupported(why("breaking locks"))),
        4 | 5 => {
            quiesce.end();
            return Ok(SUCCESS);
        }
        _ => return Err(Error::Parameter(why("operation"))),
    };
    let caller = arch::pir();
    let target = match args.u64::<1>() {
        u64::MAX => None,
        _ => Some(Pir(args.u32::<1>()?)),
    };
    if let Some(pir) = target {
        cpus.status(pir)?;
        if pir == caller {
            return Err(Error::Parameter(why("CPU")));
        }
    }
    quiesce.start(mode, caller, target);
    if wait_until(QUIESCED, || cpus.in_call(caller, target) <= quiesce.held()) {
        Ok(SUCCESS)
    } else {
        Err(Error::Partial(why("calls in progress")))
    }
}
