//! The nest side of a PHB3, by XSCOM: windows that an earlier stage of firmware has placed, and interrupt numbers.
//! `reference/phb-dma-windows.md` §3.5 and §9.1.

use crate::error::{Result, why};
use crate::phb::stack::{Area, Layout, Stack, Windows};
use crate::units::Isn;
use core::ops::Range;

pub static LAYOUT: Layout = Layout {
    status: 0xf,
    status_needs: &[0x1c, 0x1d, 0x1e],
    inject: 0xa,
    fence: 0x0000_00f0_0000_0000,
    has_pfir: false,
    // Erratum HW275117.
    pci_status: Some(SPCI_STATUS),
    door_data: 2,
    door_valid: 0,
    door_four: 0,
    door_last: 0xfff,
};

const SPCI_STATUS: u32 = 1;
const CAPP_ENABLE: u32 = 3;
/// On the PCI side: a copy of the register BAR.
const REGISTERS_COPY: u32 = 0xb;

/// Nest side.
mod nest {
    pub const CONFIG0: u32 = 0x18;
    pub const IRSN_COMPARE: u32 = 0x1a;
    pub const IRSN_MASK: u32 = 0x1b;
    pub const LSI_ID: u32 = 0x1f;
    pub const MMIO: [u32; 2] = [0x40, 0x41];
    pub const REGISTERS: u32 = 0x42;
    /// From a BAR to its mask.
    pub const TO_MASK: u32 = 3;
    pub const ENABLE: u32 = 0x45;
}

const BAR_SHIFT: u32 = 14;
/// Bits of a mask that count: windows are of 64 KiB and more.
const MASK: u64 = 0xffff_ffff_c000_0000;
const ENABLE_ALL: u64 = 0xf8 << 56;
const IRSN_SHIFT: u32 = 45;
/// All but 11 bits of an interrupt number.
const IRSN_ALL: u64 = 0xff << 56;
/// The LSIs are the last eight sources.
const LAST_SOURCES: u64 = 0xff << 56;
const M32_SIZE: u64 = 2 << 30;

/// Where the bridge's windows are.
///
/// # Errors
/// `Hardware` when nobody placed them, when the bridge is a coherent accelerator's, or when it doesn't answer.
pub fn windows(stack: &Stack) -> Result<Windows> {
    if stack.read(Area::Etu, CAPP_ENABLE)? >> 63 != 0 {
        return super::broken(why("PHB is in CAPI mode"));
    }
    let registers = stack.read(Area::Nest, nest::REGISTERS)? >> BAR_SHIFT;
    let [first, second] = nest::MMIO.map(|bar| window(stack, bar));
    let (first, second) = (first?, second?);
    if registers == 0 || first.start == 0 {
        return super::broken(why("PHB has no windows"));
    }
    let (m64, m32) = split(first, second);
    Ok(Windows { m64, m32, registers, interrupts: 0 })
}

fn window(stack: &Stack, bar: u32) -> Result<Range<u64>> {
    let start = stack.read(Area::Nest, bar)? >> BAR_SHIFT;
    let mask = stack.read(Area::Nest, bar + nest::TO_MASK)? & MASK;
    let size = if start == 0 { 0 } else { (!mask >> BAR_SHIFT) + 1 };
    Ok(start..start.saturating_add(size))
}

/// The larger window is M64; the smaller one is M32, or where that is too small, the upper half of the larger one.
fn split(first: Range<u64>, second: Range<u64>) -> (Range<u64>, Range<u64>) {
    let size = |range: &Range<u64>| range.end - range.start;
    let (large, small) = if size(&second) > size(&first) { (second, first) } else { (first, second) };
    let (m64, m32) = if size(&small) >= M32_SIZE {
        (large, small.start)
    } else {
        let middle = large.start + size(&large) / 2;
        (large.start..middle, middle)
    };
    (m64, m32..m32.saturating_add(M32_SIZE))
}

/// Opens the windows and gives the sources their numbers.
///
/// # Errors
/// `Hardware` when the bridge doesn't answer.
pub fn open(stack: &Stack, first: Isn) -> Result {
    stack.write(Area::Nest, nest::ENABLE, 0)?;
    let registers = stack.read(Area::Nest, nest::REGISTERS)?;
    // Erratum HW275117: before anything on the PCI side.
    stack.read(Area::Etu, SPCI_STATUS)?;
    stack.write(Area::Pci, REGISTERS_COPY, registers)?;
    stack.write(Area::Nest, nest::IRSN_COMPARE, u64::from(first.0) << IRSN_SHIFT)?;
    stack.write(Area::Nest, nest::IRSN_MASK, IRSN_ALL)?;
    stack.write(Area::Nest, nest::LSI_ID, LAST_SOURCES)?;
    stack.write(Area::Nest, nest::ENABLE, ENABLE_ALL)
}

/// Time-outs for slow adapters (SW283991), at each set-up.
///
/// # Errors
/// `Hardware` when the bridge doesn't answer.
pub fn set_timeouts(stack: &Stack) -> Result {
    let config = stack.read(Area::Nest, nest::CONFIG0)?;
    stack.write(Area::Nest, nest::CONFIG0, config & 0x0f0f_ffff_ffff_ffff | 0x1010_0000_0000_0000)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn the_larger_window_is_m64() {
        const GIB: u64 = 1 << 30;
        let (large, small) = (0x40 * GIB..0x80 * GIB, 0x100 * GIB..0x102 * GIB);
        assert_eq!(split(large.clone(), small.clone()), (large.clone(), small.clone()));
        assert_eq!(split(small.clone(), large.clone()), (large.clone(), small));
        assert_eq!(split(large, 0..0), (0x40 * GIB..0x60 * GIB, 0x60 * GIB..0x62 * GIB));
    }
}
