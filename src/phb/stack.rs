//! What the PEC knows of one bridge, by XSCOM: where its windows lie, its FIRs, its reset, and a way to its registers
//! that works when the bridge is fenced. `reference/phb-dma-windows.md` §1.4, §3.5 and §9.1.

use crate::error::{Error, Result, why};
use crate::hw::mmio::Mmio;
use crate::hw::xscom::Xscom;
use alloc::sync::Arc;
use core::ops::Range;

/// What differs between the nest sides of bridges.
#[derive(Debug)]
pub struct Layout {
    /// Register that shows transactions under way.
    pub status: u32,
    /// Registers to read before that says that there are none.
    pub status_needs: &'static [u32],
    /// Register of the PEC that injects errors.
    pub inject: u32,
    /// FIR bits that cut the bridge off.
    pub fence: u64,
    /// Whether there is a FIR on the PCI side.
    pub has_pfir: bool,
    /// Register of the PCI side's status, to be read before anything of that side.
    pub pci_status: Option<u32>,
    /// Data register of the back door.
    pub door_data: u32,
    /// Bit that makes the back door's address valid.
    pub door_valid: u64,
    /// Bit that makes an access one of four bytes; 0 where there are none.
    pub door_four: u64,
    /// Last offset that the back door reaches.
    pub door_last: u64,
}

/// POWER9 and POWER10.
pub static IODA3: Layout = Layout {
    status: 0xc,
    status_needs: &[],
    inject: 2,
    fence: 0x0000_0020_0000_0000,
    has_pfir: true,
    pci_status: None,
    door_data: 1,
    door_valid: 1 << 63,
    door_four: 1 << 62,
    door_last: 0x1fff,
};

/// Which of a stack's register groups.
#[derive(Clone, Copy, Debug)]
pub(super) enum Area {
    Nest,
    Pci,
    Etu,
}

/// Registers of one stack on the nest side.
mod nest {
    pub const NFIR: u32 = 0;
    pub const NFIR_CLEAR: u32 = 1;
    pub const NFIR_SET: u32 = 2;
    pub const MMIO0: u32 = 0xe;
    pub const MMIO0_MASK: u32 = 0xf;
    pub const MMIO1: u32 = 0x10;
    pub const MMIO1_MASK: u32 = 0x11;
    pub const REGISTERS: u32 = 0x12;
    pub const INTERRUPTS: u32 = 0x13;
    pub const ENABLE: u32 = 0x14;
}
/// And on the PCI side.
mod pci {
    pub const PFIR: u32 = 0;
    pub const PFIR_CLEAR: u32 = 1;
    pub const ETU_RESET: u32 = 0xa;
}

const ENABLE_ALL: u64 = 0xf << 60;
const ETU_IN_RESET: u64 = 1 << 63;
const TRANSACTIONS: u64 = 3 << 62;

/// Where the windows of a bridge lie in the processor's address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// 64-bit MMIO.
    pub m64: Range<u64>,
    /// 32-bit MMIO.
    pub m32: Range<u64>,
    /// The bridge's registers.
    pub registers: u64,
    /// One page for each interrupt source.
    pub interrupts: u64,
}

/// One stack's registers.
#[derive(Clone)]
pub struct Stack {
    xscom: Arc<dyn Xscom>,
    /// First register of the PEC on the nest side.
    pec: u32,
    nest: u32,
    pci: u32,
    etu: u32,
    layout: &'static Layout,
}

impl Stack {
    /// Stack `number` of the PEC whose registers begin at these two addresses.
    pub fn new(xscom: Arc<dyn Xscom>, pec_nest: u32, pec_pci: u32, number: u32) -> Self {
        Self {
            xscom,
            pec: pec_nest,
            nest: pec_nest + 0x40 * (number + 1),
            pci: pec_pci + 0x40 * (number + 1),
            etu: pec_pci + 0x100 + 0x40 * number,
            layout: &IODA3,
        }
    }

    /// A bridge whose three groups of registers begin at these addresses.
    pub fn alone(xscom: Arc<dyn Xscom>, [nest, pci, etu]: [u32; 3], layout: &'static Layout) -> Self {
        Self { xscom, pec: nest, nest, pci, etu, layout }
    }

    /// Addresses of the PEC's nest side, the stack's nest and PCI sides, and its back door.
    pub const fn bases(&self) -> [u32; 4] {
        [self.pec, self.nest, self.pci, self.etu]
    }

    const fn address(&self, area: Area, register: u32) -> u32 {
        register
            + match area {
                Area::Nest => self.nest,
                Area::Pci => self.pci,
                Area::Etu => self.etu,
            }
    }

    pub(super) fn read(&self, area: Area, register: u32) -> Result<u64> {
        self.xscom.read(self.address(area, register))
    }

    pub(super) fn write(&self, area: Area, register: u32, value: u64) -> Result {
        self.xscom.write(self.address(area, register), value)
    }

    /// Opens the bridge's windows. They are closed first: a base doesn't change while its window is open.
    ///
    /// # Errors
    /// `Hardware` when the stack doesn't answer, as one that is guarded out.
    pub fn open(&self, windows: &Windows) -> Result {
        self.write(Area::Nest, nest::ENABLE, 0)?;
        self.write(Area::Nest, nest::REGISTERS, windows.registers << 8)?;
        self.write(Area::Nest, nest::INTERRUPTS, windows.interrupts << 8)?;
        self.write(Area::Nest, nest::MMIO0, windows.m64.start << 8)?;
        self.write(Area::Nest, nest::MMIO0_MASK, mask(&windows.m64))?;
        self.write(Area::Nest, nest::MMIO1, windows.m32.start << 8)?;
        self.write(Area::Nest, nest::MMIO1_MASK, mask(&windows.m32))?;
        self.write(Area::Nest, nest::ENABLE, ENABLE_ALL)
    }

    /// Forgets what the FIRs collected before and lets the bridge run. Tells whether it was in reset.
    ///
    /// # Errors
    /// `Hardware` when the stack doesn't answer.
    pub fn start(&self) -> Result<bool> {
        if let Some(status) = self.layout.pci_status {
            self.read(Area::Etu, status)?;
        }
        if self.layout.has_pfir {
            self.write(Area::Pci, pci::PFIR, 0)?;
        }
        self.write(Area::Nest, nest::NFIR, 0)?;
        let was_in_reset = self.read(Area::Pci, pci::ETU_RESET)? & ETU_IN_RESET != 0;
        self.release_reset()?;
        Ok(was_in_reset)
    }

    /// Lets the bridge run.
    ///
    /// # Errors
    /// `Hardware` when the stack doesn't answer.
    pub fn release_reset(&self) -> Result {
        self.write(Area::Pci, pci::ETU_RESET, 0)
    }

    /// Puts the bridge into reset.
    ///
    /// # Errors
    /// `Hardware` when the stack doesn't answer.
    pub fn assert_reset(&self) -> Result {
        self.write(Area::Pci, pci::ETU_RESET, ETU_IN_RESET)
    }

    /// Cuts the bridge off from the processor.
    ///
    /// # Errors
    /// `Hardware` when the stack doesn't answer.
    pub fn fence(&self) -> Result {
        self.xscom.write(self.pec + self.layout.inject, 0)?;
        self.write(Area::Nest, nest::NFIR_SET, self.layout.fence)
    }

    /// PFIR, where there is one, and NFIR.
    ///
    /// # Errors
    /// `Hardware` when the stack doesn't answer.
    pub fn firs(&self) -> Result<(u64, u64)> {
        let pfir = if self.layout.has_pfir { self.read(Area::Pci, pci::PFIR)? } else { 0 };
        Ok((pfir, self.read(Area::Nest, nest::NFIR)?))
    }

    /// Clears bits of both.
    ///
    /// # Errors
    /// `Hardware` when the stack doesn't answer.
    pub fn clear_firs(&self, (pfir, nfir): (u64, u64)) -> Result {
        if self.layout.has_pfir {
            self.write(Area::Pci, pci::PFIR_CLEAR, !pfir)?;
        }
        self.write(Area::Nest, nest::NFIR_CLEAR, !nfir)
    }

    /// Whether the processor's transactions to the bridge have ended.
    ///
    /// # Errors
    /// `Hardware` when the stack doesn't answer.
    pub fn is_drained(&self) -> Result<bool> {
        for register in self.layout.status_needs {
            self.read(Area::Nest, *register)?;
        }
        Ok(self.read(Area::Nest, self.layout.status)? & TRANSACTIONS == 0)
    }

    /// A nest register, for diagnosis; all ones when it doesn't answer.
    pub fn nest_register(&self, register: u32) -> u64 {
        self.read(Area::Nest, register).unwrap_or(u64::MAX)
    }

    /// The bridge's registers through XSCOM.
    pub fn back_door(&self) -> BackDoor<'_> {
        BackDoor(self)
    }
}

impl core::fmt::Debug for Stack {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stack").field("nest", &self.nest).field("pci", &self.pci).finish_non_exhaustive()
    }
}

fn mask(range: &Range<u64>) -> u64 {
    (!(range.end - range.start - 1) & 0x00ff_ffff_ffff_ffff) << 8
}

/// The bridge's registers through XSCOM: slower, but it works when the bridge is fenced. Eight bytes, a PHB4's four too;
/// a failure reads as all ones, as it does through the window.
#[derive(Debug)]
pub struct BackDoor<'a>(&'a Stack);

impl BackDoor<'_> {
    /// Chooses a register; gives the one that then has its value.
    fn at(&self, four: bool, offset: u64) -> Result<u32> {
        let layout = self.0.layout;
        if offset > layout.door_last || four && layout.door_four == 0 {
            return Err(Error::Internal(why("back door")));
        }
        let flags = if four { layout.door_four } else { 0 };
        self.0.write(Area::Etu, 0, layout.door_valid | flags | offset)?;
        Ok(layout.door_data)
    }
    fn get(&self, four: bool, offset: u64) -> u64 {
        self.at(four, offset).and_then(|data| self.0.read(Area::Etu, data)).unwrap_or(u64::MAX)
    }
    fn put(&self, four: bool, offset: u64, value: u64) {
        // Who writes through the back door looks at the result anyway.
        let _ = self.at(four, offset).and_then(|data| self.0.write(Area::Etu, data, value));
    }
}

impl Mmio for BackDoor<'_> {
    fn read8(&self, _: u64) -> u8 {
        u8::MAX
    }
    fn read16(&self, _: u64) -> u16 {
        u16::MAX
    }
    fn read32(&self, offset: u64) -> u32 {
        self.get(true, offset) as u32
    }
    fn read64(&self, offset: u64) -> u64 {
        self.get(false, offset)
    }
    fn write8(&self, _: u64, _: u8) {}
    fn write16(&self, _: u64, _: u16) {}
    fn write32(&self, offset: u64, value: u32) {
        self.put(true, offset, value.into());
    }
    fn write64(&self, offset: u64, value: u64) {
        self.put(false, offset, value);
    }
}
