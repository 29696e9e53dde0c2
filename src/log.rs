//! Firmware's own log: a ring in memory that Linux shows at `/sys/firmware/opal/msglog`, and, during boot, the
//! console. After the kernel has started nothing is written to the console from here: it belongs to the OS.

use crate::sync::Lock;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use log::{LevelFilter, Metadata, Record};

const RING: usize = 128 * 1024;

/// Header of the memory console (`reference/linux-opal-contract.md` §3.4, `ibm,opal-memcons`). The OS reads it,
/// so it is big-endian, which is firmware's own byte order.
#[repr(C, align(256))]
#[derive(Debug)]
pub struct MemoryConsole {
    magic: AtomicU64,
    output: AtomicU64,
    input: AtomicU64,
    output_size: AtomicU32,
    input_size: AtomicU32,
    /// Where the next byte goes; bit 31 is set once the ring has wrapped.
    position: AtomicU32,
    input_producer: AtomicU32,
    input_consumer: AtomicU32,
}

const MAGIC: u64 = 0x6630_6965_6772_6173;

static CONSOLE: MemoryConsole = MemoryConsole {
    magic: AtomicU64::new(0),
    output: AtomicU64::new(0),
    input: AtomicU64::new(0),
    output_size: AtomicU32::new(0),
    input_size: AtomicU32::new(0),
    position: AtomicU32::new(0),
    input_producer: AtomicU32::new(0),
    input_consumer: AtomicU32::new(0),
};
static BYTES: [AtomicU8; RING] = [const { AtomicU8::new(0) }; RING];

/// Where log lines go besides the ring, while firmware owns the console.
pub trait Sink: Send + Sync {
    /// Shows `bytes`, waiting for the device if need be.
    fn show(&self, bytes: &[u8]);
}

struct Logger {
    sink: Lock<Option<&'static dyn Sink>>,
}

static LOGGER: Logger = Logger { sink: Lock::new(None) };

/// Starts logging to the ring.
pub fn init() {
    CONSOLE.magic.store(MAGIC.to_be(), Ordering::Relaxed);
    CONSOLE.output.store((BYTES.as_ptr() as u64).to_be(), Ordering::Relaxed);
    CONSOLE.output_size.store((RING as u32).to_be(), Ordering::Relaxed);
    // A second call (in tests) changes nothing.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(LevelFilter::Info);
}

/// Address of the memory console's header, for `ibm,opal-memcons`.
pub fn memory_console() -> u64 {
    &raw const CONSOLE as u64
}

/// Shows the log on `sink` too, or, with `None`, no longer.
pub fn set_sink(sink: Option<&'static dyn Sink>) {
    *LOGGER.sink.lock() = sink;
}

/// The ring only: safe under any lock.
struct Ring;

impl Write for Ring {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            let position = u32::from_be(CONSOLE.position.load(Ordering::Relaxed));
            let at = (position & 0x7fff_ffff) as usize;
            if let Some(slot) = BYTES.get(at) {
                slot.store(byte, Ordering::Relaxed);
            }
            let next = if at + 1 >= RING { 1 << 31 } else { (position & 1 << 31) | (at as u32 + 1) };
            CONSOLE.position.store(next.to_be(), Ordering::Relaxed);
        }
        Ok(())
    }
}

struct Both(Option<&'static dyn Sink>);

impl Write for Both {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Some(sink) = self.0 {
            sink.show(text.as_bytes());
        }
        Ring.write_str(text)
    }
}

impl log::Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &Record<'_>) {
        let sink = self.sink.lock();
        let ticks = crate::arch::timebase();
        let hz = crate::arch::TIMEBASE_HZ;
        // A log line that can't be shown is lost; there is nowhere to say so.
        let _ = writeln!(
            Both(*sink),
            "[{:5}.{:06}] {}{}",
            ticks / hz,
            ticks % hz * 1_000_000 / hz,
            level(record.level()),
            record.args()
        );
    }
    fn flush(&self) {}
}

fn level(level: log::Level) -> &'static str {
    match level {
        log::Level::Error => "ERROR: ",
        log::Level::Warn => "warning: ",
        _ => "",
    }
}

/// Says why the machine can't be booted, and stops it. A panic of the image is an exception, whose place is all that is
/// shown; what a person must know is said here.
#[cold]
#[inline(never)]
pub fn stop(why: fmt::Arguments<'_>) -> ! {
    emergency(format_args!("\nOPALITE PANIC: {why}\n"));
    // `cargo xtask debug` names the file with symbols; addr2line turns these offsets into lines.
    for offset in crate::arch::backtrace() {
        emergency(format_args!("  image+{offset:#x}\n"));
    }
    crate::arch::halt()
}

/// What must be there for the machine to boot.
pub fn needed<T>(thing: Option<T>, why: &'static str) -> T {
    thing.unwrap_or_else(|| stop(format_args!("{why}")))
}

/// Writes to the ring and, whoever holds the lock, to the console: for the last words of a panic.
pub fn emergency(arguments: fmt::Arguments<'_>) {
    let sink = LOGGER.sink.try_lock().and_then(|sink| *sink);
    let _ = Both(sink).write_fmt(arguments);
}
