//! What an OS does with faults, and the devices that make them: each PE has one requester and one window of 64 KiB
//! pages, whose table is the OS's.

use crate::machine::{Machine, OUT, SUCCESS, interrupt_base};
use crate::model::phb4::{DmaFault, FaultKind};
use opalite::hw::ram::Ram;
use opalite::opal::extension;

pub const READ: u64 = 1;
pub const WRITE: u64 = 2;
pub const PAGE: u64 = 1 << 16;
/// Pages of a window.
pub const PAGES: u64 = 512;
pub const PCI_ERROR: u64 = 0x200;
pub const DMA_FAULT: u64 = 0x1_0000_0000;
pub const MENDED: u64 = 0;
pub const INVALID: u64 = 1;
pub const FAILURE: u64 = 2;
/// Where records are read to.
pub const AT: u64 = 0x2_0000;
const SIZE: u64 = 80;

/// A record, field by field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub cookie: u64,
    pub time: u64,
    pub pe: u32,
    pub requester: u32,
    pub pasid: u32,
    pub group: u32,
    pub permission: u32,
    pub cause: u32,
    pub address: u64,
    pub length: u64,
    pub overflow: u64,
    pub more: u32,
}

/// The token of a call, from the table that the device tree is made of.
pub fn token(name: &str) -> u64 {
    extension::tokens().find(|(other, _)| *other == name).expect("a call of that name").1.into()
}

/// A PE's requester.
pub fn rid(pe: u64) -> u16 {
    0x0100 + pe as u16
}

/// A PE's table of TCEs.
pub fn table(phb: u64, pe: u64) -> u64 {
    0x1_0000_0000 + (phb << 10 | pe) * 0x1000
}

/// Memory of a PE's page.
pub fn frame(phb: u64, pe: u64, page: u64) -> u64 {
    0x100_0000_0000 + ((phb << 10 | pe) * PAGES + page) * PAGE
}

/// PEs with a window, whose faults aren't records yet.
pub fn machine(phbs: u64, pes: u64) -> Machine {
    let machine = Machine::new();
    for phb in 0..phbs {
        for pe in 1..=pes {
            machine.give(phb, pe);
        }
    }
    machine
}

/// The same with records.
pub fn asking(phbs: u64, pes: u64) -> Machine {
    let machine = machine(phbs, pes);
    for phb in 0..phbs {
        for pe in 1..=pes {
            assert_eq!(machine.control(phb, pe, 1), SUCCESS);
        }
    }
    machine
}

impl Machine {
    /// A requester and an empty window for a PE.
    pub fn give(&self, phb: u64, pe: u64) {
        assert_eq!(self.call(31, [phb, pe, rid(pe).into(), 7, 1, 1, 1]), SUCCESS);
        assert_eq!(self.call(44, [phb, pe, 2 * pe, 1, table(phb, pe), 8 * PAGES, PAGE]), SUCCESS);
    }

    pub fn control(&self, phb: u64, pe: u64, on: u64) -> i64 {
        self.call(token("fault-control"), [phb, pe, on])
    }

    pub fn respond(&self, phb: u64, cookie: u64, response: u64) -> i64 {
        self.call(token("fault-respond"), [phb, cookie, response])
    }

    /// fault-read; the record is as it was before when it fails.
    pub fn try_read(&self, phb: u64) -> Result<Record, i64> {
        self.ram.write64(AT, SIZE << 32);
        for offset in (8..SIZE).step_by(8) {
            self.ram.write64(AT + offset, 0x5a5a_5a5a_5a5a_5a5a);
        }
        let status = self.call(token("fault-read"), [phb, AT]);
        let (word, double) = (|at| self.ram.read32(AT + at), |at| self.ram.read64(AT + at));
        assert_eq!(double(0), SIZE << 32, "the header is the OS's");
        if status != SUCCESS {
            assert!((8..SIZE).step_by(8).all(|at| double(at) == 0x5a5a_5a5a_5a5a_5a5a));
            return Err(status);
        }
        assert_eq!(word(76), 0);
        Ok(Record {
            cookie: double(8),
            time: double(16),
            pe: word(24),
            requester: word(28),
            pasid: word(32),
            group: word(36),
            permission: word(40),
            cause: word(44),
            address: double(48),
            length: double(56),
            overflow: double(64),
            more: word(72),
        })
    }

    #[track_caller]
    pub fn read(&self, phb: u64) -> Record {
        self.try_read(phb).expect("a record")
    }

    /// Takes every error interrupt to firmware, as long as there are any; gives how many there were.
    pub fn take_interrupts(&self) -> usize {
        let mut taken = 0;
        for (index, model) in self.models.iter().enumerate() {
            while let Some(source) = model.error_interrupt() {
                let isn = u64::from(interrupt_base(index)) + source;
                assert_eq!(self.call(9, [isn, OUT]), SUCCESS);
                assert_eq!(self.ram.read64(OUT), self.events(), "what the call says is what there is");
                taken += 1;
                assert!(taken < 1000, "bridge {index}: a storm of interrupts");
            }
        }
        taken
    }

    /// The event word.
    pub fn events(&self) -> u64 {
        let at = OUT + 0x100;
        self.ram.write64(at, u64::MAX);
        assert_eq!(self.call(10, [at]), SUCCESS);
        self.ram.read64(at)
    }

    /// NEXT_ERROR: PE, type and severity.
    pub fn error_of(&self, phb: u64) -> (u64, u16, u16) {
        assert_eq!(self.call(60, [phb, OUT, OUT + 8, OUT + 10]), SUCCESS);
        (self.ram.read64(OUT), self.ram.read16(OUT + 8), self.ram.read16(OUT + 10))
    }

    /// FREEZE_STATUS: 0 none, 1 MMIO, 2 DMA, 3 both.
    pub fn freeze_of(&self, phb: u64, pe: u64) -> u8 {
        assert_eq!(self.call(23, [phb, pe, OUT, OUT + 2, 0]), SUCCESS);
        self.ram.read8(OUT)
    }

    /// Sets the TCE of a page and drops what the bridge remembers of it.
    pub fn set_tce(&self, phb: u64, pe: u64, page: u64, permission: u64) {
        let tce = if permission == 0 { 0 } else { frame(phb, pe, page) | permission };
        self.ram.write64(table(phb, pe) + 8 * page, tce);
        assert_eq!(self.call(126, [phb, 0, pe, PAGE, page * PAGE, 1]), SUCCESS);
    }

    /// A device's store; the byte that arrives is checked.
    #[track_caller]
    pub fn store(&self, phb: u64, pe: u64, address: u64, byte: u8) -> Result<(), FaultKind> {
        self.models[phb as usize].dma_write(rid(pe), address, &[byte]).map_err(|fault| kind(fault, pe))?;
        let at = frame(phb, pe, address / PAGE) + address % PAGE;
        assert_eq!(self.ram.read8(at), byte);
        Ok(())
    }

    /// A device's load of a byte that memory was given before.
    #[track_caller]
    pub fn load(&self, phb: u64, pe: u64, address: u64, byte: u8) -> Result<(), FaultKind> {
        let at = frame(phb, pe, address / PAGE) + address % PAGE;
        self.ram.write8(at, byte);
        let got = self.models[phb as usize].dma_read(rid(pe), address, 1).map_err(|fault| kind(fault, pe))?;
        assert_eq!(got, [byte]);
        Ok(())
    }

    /// A store to a page that has no TCE, and the interrupt that follows.
    #[track_caller]
    pub fn fault(&self, phb: u64, pe: u64, address: u64) {
        assert_eq!(self.store(phb, pe, address, 1), Err(FaultKind::PageFault));
        assert!(self.take_interrupts() > 0, "the bridge interrupts");
    }

    /// A PE's faults are records still, or again.
    #[track_caller]
    pub fn fault_is_told(&self, phb: u64, pe: u64) {
        self.fault(phb, pe, 2 * PAGE);
        let record = self.read(phb);
        assert_eq!((u64::from(record.pe), record.address), (pe, 2 * PAGE));
    }
}

fn kind(fault: DmaFault, pe: u64) -> FaultKind {
    assert_eq!(fault.pe, Some(pe as u16));
    fault.kind
}
