//! The whole documented initialisation and complete reset, from XSCOM to DMA, config and MSI: the model must not
//! object to what is known to work (reference 9.1, 9.3, 10).

use super::*;

const NEST: u64 = 0x201_2400;
const PCI: u64 = 0x901_2400;
const SPCI: u64 = 0x901_3c40;

struct Chip {
    ram: ModelRam,
    xscom: ModelXscom,
    phb: ModelPhb3,
    regs: PhbRegisters,
}

impl Chip {
    /// PHB 1 of a Venice chip.
    fn new() -> Self {
        let (ram, xscom) = (ModelRam::new(0, 8 << 30), ModelXscom::power8());
        let phb = power8_phbs(&ram, &xscom).remove(1);
        let regs = phb.regs();
        Self { ram, xscom, phb, regs }
    }

    fn scom(&self, pcba: u64, value: u64) {
        self.xscom.write64((pcba & !0xf) << 4 | (pcba & 0xf) << 3, value);
    }

    fn get(&self, pcba: u64) -> u64 {
        self.xscom.read64((pcba & !0xf) << 4 | (pcba & 0xf) << 3)
    }

    fn root(&self, register: u64, value: u32) {
        self.regs.write64(CONFIG_ADDRESS, ENABLE | register << 32);
        self.regs.write32(CONFIG_DATA, value.swap_bytes());
    }

    fn fill(&self, table: u64, entries: u64, value: impl Fn(u64) -> u64) {
        self.regs.write64(IODA_ADDR, AUTO | table << 48);
        (0..entries).for_each(|entry| self.regs.write64(IODA_DATA0, value(entry)));
    }

    fn find(&self) {
        self.get(SPCI + 1);
        assert_eq!(self.get(SPCI + 3) >> 63, 0);
        self.scom(PCI + 0xb, self.get(NEST + 0x42));
        self.scom(NEST + 0x1a, 0x1000 << 45);
        self.scom(NEST + 0x1b, 0xff << 56);
        self.scom(NEST + 0x1f, 0xff << 56);
        self.scom(NEST + 0x45, self.get(NEST + 0x45) | 0xf8 << 56);
    }

    fn initialise(&self, tve: u64) {
        let regs = &self.regs;
        self.scom(NEST + 0x18, self.get(NEST + 0x18) & 0x0f0f_ffff_ffff_ffff | 0x1010_0000_0000_0000);
        self.get(SPCI + 1);
        self.scom(PCI + 0xa, 0);
        self.scom(SPCI, 0x800);
        assert_eq!(self.get(SPCI + 2), 0xa3_0000_0005);
        for (offset, value) in [
            (0x840, 0x0211_2300_0000_0000),
            (0x820, 0x0020_0001_0002_0001),
            (0x828, 0x0020_0020_0001_0001),
            (0x818, 0x0f00_0000_0000_0000),
            (0x858, 0xffff_ffff_0000_0000),
            (0x868, 0xffff_ffff_0000_0000),
            (0x600, regs.read64(0x600) & !(1 << 48) & !(0xf << 28) | 3 << 28),
            (RESET, 0xd000_0000_0000_0000),
            (0x100, 0x07f8 << 48),
            (0x168, RTT | ENABLE),
            (0x188, PELTV | ENABLE),
            (0x150, IVT | ENABLE | 0x800),
            (0x158, 0),
            (0x190, 0x0003_ff80_8000_0000),
            (0x198, 0xffff_ffff_8000_0000),
            (0x1a0, 0x8000_0000),
            (0x1a8, PEST | ENABLE),
            (0x1f0, 0),
            (0x1f8, 0x0004_0000_0000_0000),
            (CONFIG, 0x2000_0000_0000_0000),
            (CONFIG, 0x0082_8000_0000_0000),
        ] {
            regs.write64(offset, value);
        }
        self.fill(2, 8, |_| 0x0000_20ff_0000_0000);
        self.fill(6, 8, |_| 0);
        self.fill(9, 512, |entry| if entry == 10 { tve } else { 0 });
        self.fill(16, 16, |_| 0);
        self.fill(17, 256, |_| 0);
        regs.write64(RTC_INVALIDATE, ENABLE);
        regs.write64(0x2a0, ENABLE);
        regs.write64(TCE_KILL, ENABLE);
        self.fill(4, 32, |_| 0);
        self.fill(7, 256, |_| 0);
        self.fill(8, 256, |_| 0);
        self.fill(20, 4, |_| 0);
        for offset in [0x680, 0x688, 0x690, 0x698, 0x6a0, 0x6a8] {
            regs.write64(offset, ONES);
        }
        while regs.read64(TRAIN_CTL) & 0x0000_0200_0000_0000 != 0 {}
        regs.write64(0x548, ONES);
        self.root(0x18, 0x00ff_0100);
        self.root(0x3c, 0x0002_0000);
        self.root(0x50, 0x000f_000f);
        for (offset, value) in [
            (0x410, ONES),
            (0x418, 0x5000_0000_0000_0000),
            (0x420, 0xfcc0_0000_0000_0000),
            (0x540, 0x8588_0070_0000_0000),
            (0x548, 0xffdf_ffff_ffff_ffff),
            (0x550, 0x5039_0000_0000_0000),
            (0x558, 0xad42_8000_0000_0000),
            (0x560, ONES),
            (CONTROL, 0xf3a8_0edb_0000_0000),
        ] {
            regs.write64(offset, value);
        }
        for group in [0xc80, 0xd00, 0xd80, 0xe00] {
            regs.write64(group, ONES);
            for inside in [0x08, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x58] {
                regs.write64(group + inside, 0);
            }
            regs.write64(group + 0x18, ONES);
        }
        for (offset, value) in [(0xc00, 0), (0xc30, ONES), (0xc38, ONES), (0xc40, 0)] {
            regs.write64(offset, value);
        }
        assert_eq!(regs.read64(0x2c8), 0);
        self.root(0x04, 0xf900_0146);
        for (offset, value) in [
            (0xe20, 0x0000_6000_0080_0070),
            (0xc18, 0x4249_8e36_7f50_2eae),
            (0x218, 0xf000_0000_0000_0000),
            (0x878, 0x1715_1520_1620_0000),
            (0x880, 0x2320_d716_0000_0000),
            (RESET, 0xf000_0000_0000_0000),
        ] {
            regs.write64(offset, value);
        }
        while regs.read64(TRAIN_CTL) & 0x0000_0100_0000_0000 == 0 {}
    }
}

#[test]
fn the_documented_initialisation_and_complete_reset_bring_everything_up() {
    let chip = Chip::new();
    let xics = Xics::new(&[8]);
    chip.phb.connect(&xics);
    xics.page(8).write8(4, 0xff);
    let device = PciDevice::endpoint(0x1b36, 0x0010);
    chip.phb.attach(0, device.clone());
    chip.ram.write16(RTT + 2 * u64::from(RID), PE);
    chip.ram.write64(0x2000_0000, 0x7000_0000 | 3);
    chip.ram.write64(IVT, 0x0000_2005_0000_0005);

    chip.find();
    chip.initialise(0x0000_0002_0000_0705);
    chip.regs.write64(CONFIG_ADDRESS, 0x8010_0000_0005_0000);
    assert_eq!(chip.regs.read32(CONFIG_DATA), 0x361b_1000);
    assert_eq!(chip.phb.dma_write(RID, 0x10, &[1]), Ok(()));
    assert_eq!(chip.phb.msi(RID, 0xffff_0000, 0), Some(0));
    assert_eq!(xics.waiting(8), Some((0x1000, 5)));

    // Complete reset: error inject off, fence, ETU reset, drain, NFIR, and everything again.
    chip.scom(NEST + 0xa, 0);
    chip.scom(NEST + 2, 0x0000_00f0_0000_0000);
    assert_eq!(chip.regs.read64(0x120), ONES);
    assert_eq!(chip.phb.dma_write(RID, 0x10, &[1]).unwrap_err().kind, FaultKind::Fenced);
    let saved = chip.get(NEST);
    chip.scom(PCI + 0xa, ENABLE);
    (0x1c..=0x1e).for_each(|register| _ = chip.get(NEST + register));
    while chip.get(NEST + 0xf) != 0 {}
    chip.scom(NEST + 1, !saved);
    chip.initialise(0);
    assert_eq!(device.resets(), 1);
    // The window was not replayed here, so it is closed, and no translation survived.
    assert_eq!(chip.phb.dma_write(RID, 0x10, &[1]).unwrap_err().kind, FaultKind::Closed);
    assert_eq!(chip.phb.scom_read(PbcqArea::Nest, 0x1a), Some(0x1000 << 45));
}
