//! XSCOM space of a chip, and the PCI controllers (PECs, on POWER8 PBCQs) in it: which PHB has which registers
//! where (§1.4, §3.5).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opalite::hw::mmio::Mmio;

use super::lpc::Eccb;
use super::phb3::{ModelPhb3, Part, PbcqArea};
use super::phb4::{Generation, ModelPhb4, Size, StackArea};
use super::ram::ModelRam;

/// A unit with XSCOM registers, by PCB address.
pub trait ModelScomUnit: Send {
    /// The register's value; `None` when it isn't this unit's.
    fn scom_read(&mut self, pcba: u64) -> Option<u64>;
    /// Stores; `false` when it isn't this unit's.
    fn scom_write(&mut self, pcba: u64, value: u64) -> bool;
}

#[derive(Default)]
struct Space {
    power8: bool,
    units: Vec<Box<dyn ModelScomUnit>>,
    constants: BTreeMap<u64, u64>,
    ignored: BTreeSet<u64>,
    writes: Vec<(u64, u64)>,
}

/// A chip's XSCOM space, 8-byte accesses. An address that no unit knows fails the test. Clones are handles to the
/// same space.
#[derive(Clone, Default)]
pub struct ModelXscom(Arc<Mutex<Space>>);

impl ModelXscom {
    /// An empty space as POWER9 and POWER10 map it: byte offset = PCB address * 8.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty space as POWER8 maps it: the PCB address's low four bits times 8, the others times 16.
    pub fn power8() -> Self {
        let space = Self::default();
        space.space().power8 = true;
        space
    }

    /// Adds a unit; the first one that knows an address answers.
    pub fn attach(&self, unit: impl ModelScomUnit + 'static) {
        self.space().units.push(Box::new(unit));
    }

    /// A register that reads as one value and ignores stores.
    pub fn constant(&self, pcba: u64, value: u64) {
        self.space().constants.insert(pcba, value);
    }

    /// An address that reads zero and ignores stores.
    pub fn ignore(&self, pcba: u64) {
        self.space().ignored.insert(pcba);
    }

    /// All stores so far, in order: PCB address and value.
    pub fn writes(&self) -> Vec<(u64, u64)> {
        self.space().writes.clone()
    }

    /// Forgets the stores so far.
    pub fn clear_writes(&self) {
        self.space().writes.clear();
    }

    fn space(&self) -> MutexGuard<'_, Space> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mmio for ModelXscom {
    fn read8(&self, offset: u64) -> u8 {
        panic!("XSCOM: 1-byte load at {offset:#x}")
    }
    fn read16(&self, offset: u64) -> u16 {
        panic!("XSCOM: 2-byte load at {offset:#x}")
    }
    fn read32(&self, offset: u64) -> u32 {
        panic!("XSCOM: 4-byte load at {offset:#x}")
    }
    fn read64(&self, offset: u64) -> u64 {
        let mut space = self.space();
        let pcba = space.pcba(offset);
        if let Some(value) = space.constants.get(&pcba) {
            return *value;
        }
        if space.ignored.contains(&pcba) {
            return 0;
        }
        let found = space.units.iter_mut().find_map(|unit| unit.scom_read(pcba));
        found.unwrap_or_else(|| panic!("XSCOM: load from PCB address {pcba:#x}, which no unit has"))
    }
    fn write8(&self, offset: u64, _: u8) {
        panic!("XSCOM: 1-byte store at {offset:#x}")
    }
    fn write16(&self, offset: u64, _: u16) {
        panic!("XSCOM: 2-byte store at {offset:#x}")
    }
    fn write32(&self, offset: u64, _: u32) {
        panic!("XSCOM: 4-byte store at {offset:#x}")
    }
    fn write64(&self, offset: u64, value: u64) {
        let mut space = self.space();
        let pcba = space.pcba(offset);
        space.writes.push((pcba, value));
        if space.constants.contains_key(&pcba) || space.ignored.contains(&pcba) {
            return;
        }
        let known = space.units.iter_mut().any(|unit| unit.scom_write(pcba, value));
        assert!(known, "XSCOM: store of {value:#x} to PCB address {pcba:#x}, which no unit has");
    }
}

impl Space {
    fn pcba(&self, offset: u64) -> u64 {
        assert!(offset.is_multiple_of(8), "XSCOM: misaligned access at {offset:#x}");
        if !self.power8 {
            return offset >> 3;
        }
        assert!(offset & 0x80 == 0, "XSCOM: POWER8 has no register at offset {offset:#x}");
        offset >> 4 & !0xf | offset >> 3 & 0xf
    }
}

/// POWER8's way to LPC: four registers (platform reference 3.1).
const ECCB_BASE: u64 = 0xb_0020;

/// POWER8's way to LPC is a unit like any other.
impl ModelScomUnit for Eccb {
    fn scom_read(&mut self, pcba: u64) -> Option<u64> {
        is_eccb(pcba).then(|| Eccb::scom_read(self, pcba))
    }

    fn scom_write(&mut self, pcba: u64, value: u64) -> bool {
        if is_eccb(pcba) {
            Eccb::scom_write(self, pcba, value);
        }
        is_eccb(pcba)
    }
}

fn is_eccb(pcba: u64) -> bool {
    (ECCB_BASE..ECCB_BASE + 4).contains(&pcba)
}

/// Where one chip's PECs are and what they drive.
struct Layout {
    generation: Generation,
    /// Number of PHBs of each PEC.
    stacks: &'static [usize],
    nest: fn(u64) -> u64,
    pci: fn(u64) -> u64,
    /// CPLT_CONF1 of each PEC's chiplet, with the lane split.
    chiplet: fn(u64) -> u64,
    split: &'static [u64],
}

const POWER9: Layout = Layout {
    generation: Generation::Phb4,
    stacks: &[1, 2, 3],
    nest: |pec| 0x401_0c00 + 0x400 * pec,
    pci: |pec| 0xd01_0800 + 0x100_0000 * pec,
    chiplet: |pec| 0xd00_0009 + 0x100_0000 * pec,
    // PEC2 is split into x8, x4, x4: bits 10 and 11 are 0b10.
    split: &[0, 0, 0x0020_0000_0000_0000],
};

const POWER10: Layout = Layout {
    generation: Generation::Phb5,
    stacks: &[3, 3],
    nest: |pec| 0x301_1800 - 0x100_0000 * pec,
    pci: |pec| 0x801_0800 + 0x100_0000 * pec,
    chiplet: |pec| 0x800_0009 + 0x100_0000 * pec,
    split: &[0x8000_0000_0000_0000, 0x8000_0000_0000_0000],
};

/// Puts the PECs of a POWER9 chip into its XSCOM space. Gives PHB 0 to 5, as the earlier stage leaves them.
pub fn power9_phbs(ram: &ModelRam, xscom: &ModelXscom) -> Vec<ModelPhb4> {
    build(&POWER9, ram, xscom)
}

/// The same for a POWER10 chip.
pub fn power10_phbs(ram: &ModelRam, xscom: &ModelXscom) -> Vec<ModelPhb4> {
    build(&POWER10, ram, xscom)
}

/// Puts the three PBCQs of a Venice (POWER8) chip 0 into its XSCOM space. Gives PHB 0 to 2, as the earlier stage
/// leaves them.
pub fn power8_phbs(ram: &ModelRam, xscom: &ModelXscom) -> Vec<ModelPhb3> {
    build_power8(Part::Venice, 3, ram, xscom)
}

/// The same for the four of a Naples chip.
pub fn naples_phbs(ram: &ModelRam, xscom: &ModelXscom) -> Vec<ModelPhb3> {
    build_power8(Part::Naples, 4, ram, xscom)
}

fn build_power8(part: Part, count: u64, ram: &ModelRam, xscom: &ModelXscom) -> Vec<ModelPhb3> {
    assert!(xscom.space().power8, "XSCOM: a POWER8 chip wants ModelXscom::power8()");
    let phbs: Vec<_> = (0..count).map(|index| ModelPhb3::new(ram, part, index)).collect();
    for (index, phb) in (0..).zip(&phbs) {
        xscom.attach(Pbcq { index, phb: phb.clone() });
    }
    phbs
}

/// A PHB3's three groups of XSCOM registers.
struct Pbcq {
    index: u64,
    phb: ModelPhb3,
}

impl Pbcq {
    fn register(&self, pcba: u64) -> Option<(PbcqArea, u64)> {
        let areas = [
            (PbcqArea::Nest, 0x201_2000 + 0x400 * self.index, 0x46),
            (PbcqArea::Pci, 0x901_2000 + 0x400 * self.index, 0x15),
            (PbcqArea::Spci, 0x901_3c00 + 0x40 * self.index, 5),
        ];
        let inside = |base, length| (base..base + length).contains(&pcba);
        let (area, base, _) = areas.into_iter().find(|(_, base, length)| inside(*base, *length))?;
        Some((area, pcba - base))
    }
}

impl ModelScomUnit for Pbcq {
    fn scom_read(&mut self, pcba: u64) -> Option<u64> {
        let (area, register) = self.register(pcba)?;
        self.phb.scom_read(area, register)
    }

    fn scom_write(&mut self, pcba: u64, value: u64) -> bool {
        self.register(pcba).is_some_and(|(area, register)| self.phb.scom_write(area, register, value))
    }
}

/// The size of PHB `index` on its chip.
pub fn phb_size(index: usize) -> Size {
    if index == 0 || index == 3 { Size::Big } else { Size::Small }
}

fn build(layout: &Layout, ram: &ModelRam, xscom: &ModelXscom) -> Vec<ModelPhb4> {
    let mut phbs = Vec::new();
    for (pec, stacks) in (0..).zip(layout.stacks) {
        let first = phbs.len();
        phbs.extend(
            (first..first + stacks).map(|index| ModelPhb4::new(ram, layout.generation, phb_size(index))),
        );
        xscom.constant((layout.chiplet)(pec), layout.split[pec as usize]);
        xscom.attach(Pec {
            nest: (layout.nest)(pec),
            pci: (layout.pci)(pec),
            nest_storage: [0; 0xc],
            pci_storage: [0; 3],
            stacks: phbs[first..].to_vec(),
        });
    }
    phbs
}

/// One PEC: its own registers, which are storage here, and its stacks'.
struct Pec {
    nest: u64,
    pci: u64,
    nest_storage: [u64; 0xc],
    pci_storage: [u64; 3],
    stacks: Vec<ModelPhb4>,
}

impl Pec {
    fn own(&mut self, pcba: u64) -> Option<&mut u64> {
        let nest = pcba.checked_sub(self.nest).map(|register| register as usize);
        let pci = pcba.checked_sub(self.pci).map(|register| register as usize);
        match (nest, pci) {
            (Some(register), _) if register < self.nest_storage.len() => {
                Some(&mut self.nest_storage[register])
            }
            (_, Some(register)) if register < self.pci_storage.len() => Some(&mut self.pci_storage[register]),
            _ => None,
        }
    }

    fn stack(&self, pcba: u64) -> Option<(&ModelPhb4, StackArea, u64)> {
        (0..).zip(&self.stacks).find_map(|(index, phb)| {
            let areas = [
                (StackArea::Nest, self.nest + 0x40 * (index + 1)),
                (StackArea::Pci, self.pci + 0x40 * (index + 1)),
                (StackArea::Etu, self.pci + 0x100 + 0x40 * index),
            ];
            let (area, base) = areas.into_iter().find(|(_, base)| (*base..base + 0x40).contains(&pcba))?;
            Some((phb, area, pcba - base))
        })
    }
}

impl ModelScomUnit for Pec {
    fn scom_read(&mut self, pcba: u64) -> Option<u64> {
        if let Some(register) = self.own(pcba) {
            return Some(*register);
        }
        let (phb, area, register) = self.stack(pcba)?;
        phb.scom_read(area, register)
    }

    fn scom_write(&mut self, pcba: u64, value: u64) -> bool {
        if let Some(register) = self.own(pcba) {
            *register = value;
            return true;
        }
        match self.stack(pcba) {
            Some((phb, area, register)) => phb.scom_write(area, register, value),
            None => false,
        }
    }
}
