//! The text about DMA windows that the OS reads in firmware's memory: `doc/dma-windows/look-inside.md`.

mod machine;
mod model;

use machine::random::Random;
use machine::windows::{BYPASS, GIB};
use machine::{FIRMWARE, Machine, OUT, SUCCESS};
use model::ram::ModelRam;
use opalite::arch::{TIMEBASE_HZ, advance_timebase};
use opalite::hw::ram::Ram;
use opalite::phb;
use opalite::services::{Parts, Services};
use std::ops::Range;
use std::sync::Mutex;

const HALF_A_SECOND: u64 = TIMEBASE_HZ / 2;

/// Some bytes of the file, as the OS gets them.
fn file(ram: &dyn Ram, memory: &Range<u64>) -> Vec<u8> {
    let mut bytes = vec![0; (memory.end - memory.start) as usize];
    ram.read_bytes(memory.start, &mut bytes);
    bytes
}

/// The text of a file; after it there is nothing.
#[track_caller]
fn text(bytes: &[u8]) -> String {
    let length = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    assert!(bytes[length..].iter().all(|&byte| byte == 0), "something is behind the text");
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

/// The kernel's heartbeat, late enough for a new text.
fn heartbeat(machine: &Machine) {
    advance_timebase(HALF_A_SECOND);
    assert_eq!(machine.call(10, [0]), SUCCESS);
}

fn read(machine: &Machine) -> String {
    text(&file(machine.ram, &machine.fw.services.view.memory()))
}

/// What the OS reads after a heartbeat.
fn look(machine: &Machine) -> String {
    heartbeat(machine);
    read(machine)
}

/// The lines about windows.
fn windows(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("window ")).collect()
}

fn number(text: &str) -> u64 {
    text.lines().next().unwrap().strip_prefix("opalite-dma-windows 1 update ").unwrap().parse().unwrap()
}

/// The token that the device tree would name.
fn token(name: &str) -> u64 {
    let (_, token) = opalite::opal::extension::tokens().find(|&(other, _)| other == name).unwrap();
    token.into()
}

/// A call with a structure: size and flags, then words. Gives the words as the call left them.
fn ask<const N: usize>(machine: &Machine, name: &str, flags: u32, words: [u64; N]) -> [u64; N] {
    machine.ram.write64(OUT, (8 * (N as u64 + 1)) << 32 | u64::from(flags));
    for (at, word) in (OUT + 8..).step_by(8).zip(words) {
        machine.ram.write64(at, word);
    }
    assert_eq!(machine.call(token(name), [OUT]), SUCCESS, "{name}");
    std::array::from_fn(|index| machine.ram.read64(OUT + 8 + 8 * index as u64))
}

/// Bytes of the pool: all, free.
fn pool(machine: &Machine) -> (u64, u64) {
    let [total, free, ..] = ask(machine, "pool-query", 0, [0; 4]);
    (total, free)
}

#[test]
fn tables_of_firmware_are_told_from_the_os_s() {
    let machine = Machine::new();
    look(&machine);
    let (total, _) = pool(&machine);
    // 16 TiB in pages of 64 KiB; and a table that is for less than its shape reaches.
    let [_, _, large, ..] = ask(&machine, "table-create", 0, [16 << 32, 1 << 44, 0, 0, 0]);
    let [_, _, small, ..] = ask(&machine, "table-create", 0, [12 << 32 | 1, 0x1234_5000, 0, 0, 0]);
    let (_, free) = pool(&machine);
    let made = look(&machine);
    assert!(free < total);
    assert_eq!(made.lines().nth(1), Some(&*format!("pool total {total} free {free} donated 0 extents 1")));
    for (phb, pe, window) in [(1_u64, 3_u64, 1_u64), (4, 7, 0)] {
        ask(&machine, "window-set", 0, [phb, pe << 32 | window, large, 0, 0, 0]);
    }
    ask(&machine, "window-set", 0, [4, 8 << 32, small, 0, 0, 0]);
    ask(&machine, "bypass-set", 0, [4, 8 << 32 | 1, 0, 0, 0, 0]);
    assert_eq!(machine.call(44, [4, 9, 18, 1, 0x3c00_0000, 0x1000, 0x1000]), SUCCESS);
    let shown = look(&machine);
    let address = |phb: usize, index: u64| machine.tve(phb, index) >> 16 << 12;
    let table = |phb: usize, index: u64| format!("table {:#x} owner", address(phb, index));
    let common = "page 0x10000 levels 3 level-bytes 0x2000";
    let shape = windows(&shown)[2].split(" page ").nth(1).unwrap().split(" table ").next().unwrap();
    assert!(shape.starts_with("0x1000 levels "), "{shape}");
    let last = BYPASS | (FIRMWARE.start - 1);
    let wanted = [
        format!(
            "window phb 1 pe 3 index 1 range 0x800000000000000-0x8000fffffffffff {common} {} firmware handle {large:#x} shared 2",
            table(1, 7)
        ),
        format!(
            "window phb 4 pe 7 index 0 range 0x0-0xfffffffffff {common} {} firmware handle {large:#x} shared 2",
            table(4, 14)
        ),
        format!(
            "window phb 4 pe 8 index 0 range 0x0-0x12344fff page {shape} {} firmware handle {small:#x} shared 1",
            table(4, 16)
        ),
        format!("window phb 4 pe 8 index 1 range {BYPASS:#x}-{last:#x} bypass owner firmware"),
        "window phb 4 pe 9 index 0 range 0x0-0x1fffff page 0x1000 levels 1 level-bytes 0x1000 table 0x3c000000 owner os".into(),
    ];
    assert_eq!(windows(&shown), wanted);
    // The OS puts a window of its own over ours; the other one stays.
    assert_eq!(machine.call(44, [1, 3, 7, 1, 0x3c00_0000, 0x1000, 0x1000]), SUCCESS);
    let over = look(&machine);
    assert!(windows(&over)[0].ends_with(" table 0x3c000000 owner os"), "{over}");
    assert_eq!(machine.call(token("window-unset"), [4, 7, 0]), SUCCESS);
    assert_eq!(machine.call(45, [4, 8, 17, BYPASS, GIB]), SUCCESS);
    let over = look(&machine);
    assert_eq!(windows(&over).len(), 4);
    assert!(windows(&over)[2].ends_with(" bypass owner os"), "{over}");
    // PAPR's windows have LIOBNs, not handles.
    assert_eq!(machine.call(31, [4, 7, 0x100, 7, 1, 1, 1]), SUCCESS);
    assert_eq!(machine.call(token("put-tce"), [0x8000_0000 | 4 << 16 | 14, 0, 0x40_0000 | 3]), SUCCESS);
    let papr = look(&machine);
    assert!(windows(&papr)[1].ends_with(" owner firmware handle 0x0 shared 1"), "{papr}");
}

#[test]
fn tables_that_somebody_is_at_are_not_waited_for() {
    let machine = Machine::new();
    let first = look(&machine);
    assert_eq!(machine.real(3, BYPASS, GIB), SUCCESS);
    {
        let _held = machine.fw.tables();
        assert_eq!(look(&machine), first);
    }
    assert_eq!(windows(&look(&machine)).len(), 1);
}

#[test]
fn a_machine_without_windows_has_a_line_for_each_bridge() {
    let machine = Machine::new();
    let shown = look(&machine);
    let (total, _) = pool(&machine);
    assert!(total > 7 << 20, "{total}");
    let mut wanted =
        format!("opalite-dma-windows 1 update 1\npool total {total} free {total} donated 0 extents 1\n");
    for (phb, pes) in [512, 256, 256, 512, 256, 256].iter().enumerate() {
        wanted += &format!("phb {phb} chip 0 mode bit59 pes {pes} faults 0 lost 0 state working\n");
    }
    wanted += "end 1\n";
    assert_eq!(shown, wanted);
}

#[test]
fn windows_are_shown_with_all_that_was_asked_and_gone_when_closed() {
    let machine = Machine::new();
    assert_eq!(machine.map(2, 1, 0x3c00_0000, 0x4_0000, 0x1_0000), SUCCESS);
    assert_eq!(machine.real(3, BYPASS, 1 << 49), SUCCESS);
    // PE 2 of bridge 3; three levels of 8 KiB.
    assert_eq!(machine.call(44, [3, 2, 5, 3, 0x3f20_0000, 0x2000, 0x1_0000]), SUCCESS);
    let shown = look(&machine);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(
        lines[3..5],
        [
            "window phb 0 pe 1 index 0 range 0x0-0x7fffffff page 0x10000 levels 1 level-bytes 0x40000 table 0x3c000000 owner os",
            "window phb 0 pe 1 index 1 range 0x800000000000000-0x801ffffffffffff bypass owner os",
        ]
    );
    assert!(lines[2].starts_with("phb 0 ") && lines[5].starts_with("phb 1 "), "{shown}");
    assert_eq!(
        windows(&shown)[2],
        "window phb 3 pe 2 index 1 range 0x800000000000000-0x8003fffffffffff page 0x10000 levels 3 level-bytes 0x2000 \
         table 0x3f200000 owner os"
    );
    assert_eq!(machine.unmap(2), SUCCESS);
    assert_eq!(machine.real(3, BYPASS, 0), SUCCESS);
    let fewer = look(&machine);
    assert_eq!(windows(&fewer).len(), 1);
    assert_eq!(number(&fewer), number(&shown) + 1);
    assert!(fewer.ends_with(&format!("\nend {}\n", number(&fewer))), "{fewer}");
}

#[test]
fn a_bypass_ends_where_firmware_begins() {
    let machine = Machine::new();
    assert_eq!(machine.real(3, BYPASS, (1 << 50) - (16 << 20)), SUCCESS);
    let last = BYPASS | (FIRMWARE.start - 1);
    let wanted = format!("window phb 0 pe 1 index 1 range {BYPASS:#x}-{last:#x} bypass owner os");
    assert_eq!(windows(&look(&machine)), [wanted]);
}

#[test]
fn in_the_4_gib_mode_windows_are_where_the_mode_puts_them() {
    let machine = Machine::new();
    assert_eq!(machine.four_gib(1), SUCCESS);
    // Window 0: one level up to 2 GiB, two levels that could reach 4 TiB. Window 1: a table and a bypass.
    assert_eq!(machine.map(2, 1, 0x3c00_0000, 0x4_0000, 0x1_0000), SUCCESS);
    assert_eq!(machine.map(4, 2, 0x4000_0000, 0x1_0000, 0x1_0000), SUCCESS);
    assert_eq!(machine.map(3, 1, 0x5000_0000, 0x1000, 0x4000_0000), SUCCESS);
    assert_eq!(machine.real(5, 4 * GIB, 4 * GIB), SUCCESS);
    let shown = look(&machine);
    let ranges: Vec<_> =
        windows(&shown).iter().map(|line| line.split(' ').nth(8).unwrap().to_string()).collect();
    assert_eq!(
        ranges,
        ["0x0-0x7fffffff", "0x100000000-0x7fffffffff", "0x0-0xffffffff", "0x100000000-0x1ffffffff"]
    );
    assert!(shown.contains("\nphb 0 chip 0 mode 4gib pes "), "{shown}");
    assert!(shown.contains("\nphb 1 chip 0 mode bit59 pes "), "{shown}");
}

#[test]
fn nothing_is_written_while_nothing_changes_and_at_most_every_half_second() {
    let machine = Machine::new();
    let first = look(&machine);
    assert_eq!(look(&machine), first);
    assert_eq!(machine.real(3, BYPASS, GIB), SUCCESS);
    let second = look(&machine);
    assert_eq!(number(&second), number(&first) + 1);
    assert_eq!(machine.real(3, BYPASS, 0), SUCCESS);
    for _ in 0..3 {
        advance_timebase(HALF_A_SECOND / 8);
        assert_eq!(machine.call(10, [0]), SUCCESS);
        assert_eq!(read(&machine), second);
    }
    assert!(windows(&look(&machine)).is_empty());
}

#[test]
fn a_reset_is_shown_and_keeps_the_windows() {
    let machine = Machine::new();
    assert_eq!(machine.real(3, BYPASS, GIB), SUCCESS);
    let before = look(&machine);
    let wait = machine.call(49, [0, 1, 1]);
    assert!(wait > 0, "{wait}");
    let meanwhile = look(&machine);
    assert!(
        meanwhile.contains("\nphb 0 chip 0 mode bit59 pes 512 faults 0 lost 0 state reset\n"),
        "{meanwhile}"
    );
    assert_eq!(machine.finish(0, wait).0, 0);
    let after = look(&machine);
    assert_eq!(windows(&after), windows(&before));
    let rest = |text: &str| text.lines().skip(1).take(8).map(str::to_string).collect::<Vec<_>>();
    assert_eq!(rest(&after), rest(&before));
    // A reset of the tables closes all.
    assert_eq!(machine.call(49, [0, 6, 1]), SUCCESS);
    assert!(windows(&look(&machine)).is_empty());
}

#[test]
fn a_bridge_that_somebody_is_at_is_not_waited_for() {
    let machine = Machine::new();
    let first = look(&machine);
    assert_eq!(machine.real(3, BYPASS, GIB), SUCCESS);
    {
        let _held = phb::find(machine.fw.phbs, 4).unwrap().lock();
        assert_eq!(look(&machine), first);
    }
    let second = look(&machine);
    assert_eq!((number(&second), windows(&second).len()), (number(&first) + 1, 1));
    {
        // The one that changes is the one that is held.
        let mut held = phb::find(machine.fw.phbs, 0).unwrap().lock();
        let window = opalite::iommu::Slot::new(held.info().limits, 1, 3).unwrap();
        held.unset_window(window).unwrap();
        assert_eq!(look(&machine), second);
    }
    assert!(windows(&look(&machine)).is_empty());
}

#[test]
fn a_text_that_does_not_fit_ends_with_a_whole_line_and_says_so() {
    let mut machine = Machine::new();
    for pe in 0..20 {
        assert_eq!(machine.real(2 * pe + 1, BYPASS, GIB), SUCCESS);
    }
    let whole = look(&machine);
    let start = machine.fw.services.view.memory().start;
    for size in [40, 72, 120, 500, 501, 777, 1000, 2000, 4096] {
        machine.ram.zero(start, 32 << 10);
        // Behind the text's memory is somebody else's.
        machine.ram.write_bytes(start + size, &[0xa5; 64]);
        machine.fw.services = Services::new(Parts { view: start..start + size, ..Parts::default() });
        let shown = look(&machine);
        assert!(
            file(machine.ram, &(start + size..start + size + 64)).iter().all(|&byte| byte == 0xa5),
            "{size}"
        );
        if size == 4096 {
            assert_eq!(
                shown.lines().skip(1).collect::<Vec<_>>()[..20],
                whole.lines().skip(1).collect::<Vec<_>>()[..20]
            );
            assert!(!shown.contains("truncated"));
            continue;
        }
        let Some(lines) = shown.strip_suffix("truncated\nend 1\n") else { panic!("{size}: {shown}") };
        let wanted: Vec<_> = whole.lines().skip(1).collect();
        let found: Vec<_> = lines.lines().skip(1).collect();
        assert_eq!(found, wanted[..found.len()], "{size}");
        // As many as fit: the next line wouldn't have, with the 40 bytes that are kept for the end.
        let next = if lines.is_empty() { 31 } else { wanted[found.len()].len() + 1 };
        assert!(lines.len() + next + 40 > size as usize, "{size}: {}", lines.len());
    }
}

/// Memory that keeps what the file looked like after each byte that was written to it.
struct Recorded {
    ram: &'static ModelRam,
    memory: Range<u64>,
    states: Mutex<Vec<Vec<u8>>>,
}

impl Recorded {
    fn note(&self) {
        self.states.lock().unwrap().push(file(self.ram, &self.memory));
    }
}

impl Ram for Recorded {
    fn read8(&self, address: u64) -> u8 {
        self.ram.read8(address)
    }
    fn read16(&self, address: u64) -> u16 {
        self.ram.read16(address)
    }
    fn read32(&self, address: u64) -> u32 {
        self.ram.read32(address)
    }
    fn read64(&self, address: u64) -> u64 {
        self.ram.read64(address)
    }
    fn write8(&self, address: u64, value: u8) {
        self.ram.write8(address, value);
    }
    fn write16(&self, address: u64, value: u16) {
        self.ram.write16(address, value);
    }
    fn write32(&self, address: u64, value: u32) {
        self.ram.write32(address, value);
    }
    fn write64(&self, address: u64, value: u64) {
        self.ram.write64(address, value);
    }
    fn zero(&self, address: u64, length: u64) {
        self.ram.zero(address, length);
    }
    fn read_bytes(&self, address: u64, into: &mut [u8]) {
        self.ram.read_bytes(address, into);
    }
    fn write_bytes(&self, address: u64, from: &[u8]) {
        for (at, &byte) in (address..).zip(from) {
            self.ram.write8(at, byte);
            self.note();
        }
    }
    fn sync(&self) {
        self.ram.sync();
    }
}

/// What a reader may take for a text: the numbers in the first and the last line are one.
fn believed(bytes: &[u8]) -> Option<String> {
    let length = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let text = String::from_utf8(bytes[..length].to_vec()).ok()?;
    let number = text.lines().next()?.strip_prefix("opalite-dma-windows 1 update ")?.to_string();
    text.ends_with(&format!("\nend {number}\n")).then_some(text)
}

#[test]
fn whoever_reads_while_it_is_written_sees_that_by_the_numbers() {
    let mut machine = Machine::new();
    let memory = {
        let start = machine.fw.services.view.memory().start;
        start..start + 1536
    };
    machine.ram.zero(memory.start, 32 << 10);
    let recorded: &'static Recorded =
        Box::leak(Box::new(Recorded { ram: machine.ram, memory: memory.clone(), states: Mutex::default() }));
    machine.fw.ram = recorded;
    machine.fw.services = Services::new(Parts { view: memory.clone(), ..Parts::default() });
    let mut random = Random::new(4);
    let mut texts = vec![look(&machine)];
    // Past 10, where the number gets one digit more; texts of the same length, longer and shorter ones.
    for round in 0..14 {
        let window = 2 * random.below(3) + 1;
        let size = [0, GIB, 2 * GIB][random.below(3) as usize];
        assert_eq!(machine.real(window, BYPASS, size), SUCCESS);
        recorded.states.lock().unwrap().clear();
        recorded.note();
        let text = look(&machine);
        assert_eq!(number(&text), round + 2);
        texts.push(text);
        let states = recorded.states.lock().unwrap();
        let mut seen = [0, 0, 0];
        for _ in 0..400 {
            // A reader that goes from start to end, each byte no earlier than the one before, a few long pauses.
            let mut times: Vec<_> = (0..3).map(|_| random.below(states.len() as u64) as usize).collect();
            let mut places: Vec<_> =
                (0..2).map(|_| random.below(memory.end - memory.start) as usize).collect();
            times.sort_unstable();
            places.sort_unstable();
            if random.once_in(2) {
                // Pauses are where it hurts: inside the texts.
                places = places.iter().map(|place| place % texts[texts.len() - 1].len()).collect();
                places.sort_unstable();
            }
            let time = |at: usize| times[places.iter().filter(|&&place| place <= at).count()];
            let bytes: Vec<_> = (0..states[0].len()).map(|at| states[time(at)][at]).collect();
            match believed(&bytes) {
                None => seen[0] += 1,
                Some(text) if text == texts[texts.len() - 2] => seen[1] += 1,
                Some(text) => {
                    assert_eq!(text, texts[texts.len() - 1]);
                    seen[2] += 1;
                }
            }
        }
        assert!(seen[0] > 0, "{seen:?}");
    }
}
