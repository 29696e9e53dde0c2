//! The whole documented initialisation and complete reset, from XSCOM to a DMA: the model must not object to what
//! is known to work (reference 9.1, 9.2, 10, 11.3).

use super::*;
use model::phb4::StackArea;

const NEST: u64 = 0x401_0c40;
const PCI: u64 = 0xd01_0840;
const ETU: u64 = 0xd01_0900;

struct Chip {
    ram: ModelRam,
    xscom: ModelXscom,
    phb: ModelPhb4,
    regs: PhbRegisters,
}

impl Chip {
    fn new() -> Self {
        let (ram, xscom) = (ModelRam::new(0, 8 << 30), ModelXscom::new());
        let phb = power9_phbs(&ram, &xscom).remove(0);
        let regs = phb.regs();
        Self { ram, xscom, phb, regs }
    }

    fn scom(&self, pcba: u64, value: u64) {
        self.xscom.write64(pcba << 3, value);
    }

    fn root(&self, register: u64, value: u32) {
        self.regs.write32(0x1000 + register, value.swap_bytes());
    }

    fn fill(&self, table: u64, entries: u64, value: impl Fn(u64) -> u64) {
        self.regs.write64(IODA_ADDR, AUTO | table << 48 | if table == 2 { 0xf << 32 } else { 0 });
        (0..entries).for_each(|entry| self.regs.write64(IODA_DATA0, value(entry)));
    }

    fn find(&self) {
        for (register, value) in [
            (0x12, 0x0600_c3c0_0000_0000),
            (0x13, 0x0600_c300_0000_0000),
            (0xe, 0x0600_0000_0000_0000),
            (0xf, 0xffff_c000_0000_0000),
            (0x10, 0x0600_c000_0000_0000),
            (0x11, 0xffff_ff80_0000_0000),
            (0x14, 0xf000_0000_0000_0000),
        ] {
            self.scom(NEST + register, value);
        }
        self.scom(PCI, 0);
        self.scom(NEST, 0);
        self.scom(PCI + 0xa, 0);
    }

    fn initialise(&self, ctrlr: u64, tve: u64) {
        let regs = &self.regs;
        regs.write64(0xc18, ONES);
        regs.write64(0x868, ONES);
        regs.write64(0x1a00, regs.read64(0x1a00) & !(0xf << 28) | 4 << 28);
        regs.write64(CRESET, regs.read64(CRESET) & !(1 << 63));
        (0x1ad0..=0x1ae8).step_by(8).for_each(|offset| regs.write64(offset, 0x5454_5454_5454_5454));
        [0x1af0, 0x1af8].iter().for_each(|offset| regs.write64(*offset, 0x7777_7777_7777_7777));
        self.root(0x78, 0x07fe_0004);
        regs.write64(CRESET, regs.read64(CRESET) & !(3 << 61) | 1 << 59);
        while regs.read64(TRAIN_CTL) & 0x0000_0200_0000_0000 != 0 {}
        for (offset, value) in [
            (CTRLR, ctrlr),
            (0x300, 0x0006_0301_1000_0000),
            (0x308, 0x1000),
            (0x100, 0x0ff8 << 48),
            (0x168, RTT | ENABLE),
            (0x188, PELTV | ENABLE),
            (0x1a0, 0x8000_0000),
            (0x1a8, PEST | ENABLE),
            (0x1c0, 0x0c00_ff00_0000_0001),
            (0x1f0, 0),
            (CONFIG, 0x0082_0000_0000_0000),
        ] {
            regs.write64(offset, value);
        }
        regs.read64(CONFIG);
        self.fill(7, 1, |_| 0);
        self.fill(2, 1024, |_| 0);
        self.fill(6, 16, |_| 0);
        self.fill(9, 1024, |entry| if entry == 10 { tve } else { 0 });
        self.fill(16, 64, |word| {
            [0x5006_00c0_0000_0000, 0x80ff_ffff_8000_0000].get(word as usize).copied().unwrap_or(0)
        });
        self.fill(17, 512, |entry| entry * 0x0001_0001_0001);
        self.fill(7, 512, |_| 0);
        self.fill(8, 512, |_| 0);
        self.fill(20, 8, |_| 0);
        regs.write64(RTC_INVALIDATE, ENABLE);
        assert_eq!(regs.read64(TCE_KILL) >> 61, 0);
        regs.write64(TCE_KILL, ENABLE);
        regs.write64(DMA_SYNC, ENABLE);
        while regs.read64(Q_DMA_R) != 0 {}
        while regs.read64(DMA_SYNC) & 1 << 62 == 0 {}
        for (offset, value) in [(0x1aa0, ONES), (0x1aa8, ONES), (0x1ab0, ONES), (0x1ab8, 0)] {
            regs.write64(offset, value);
        }
        self.root(0x18, 0x00ff_0100);
        self.root(0x50, 0x000f_000f);
        for group in [0x1900, 0x1c00, 0xd00, 0xd80, 0xe00, 0xe80, 0xc80] {
            regs.write64(group, ONES);
            for inside in [0x08, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x58] {
                regs.write64(group + inside, 0);
            }
        }
        for group in [0xc80, 0xd00, 0xd80, 0xe00, 0xe80] {
            regs.write64(group + 0x18, ONES);
        }
        for (offset, value) in [(0xc00, 0), (0xc30, ONES), (0xc38, ONES), (0xc40, 0)] {
            regs.write64(offset, value);
        }
        self.root(0x04, 0xf900_0006);
        for (offset, value) in [
            (0xea0, 0x6051_0050_c000_0000),
            (0xc18, 0),
            (0x218, 0),
            (0x878, 0x0015_1500_0015_0000),
            (0x880, 0x0000_1515_0000_0000),
            (0x1810, 0x2013_0000_0000_0000),
        ] {
            regs.write64(offset, value);
        }
        regs.write64(CRESET, regs.read64(CRESET) | 1 << 60);
        while regs.read64(TRAIN_CTL) & 0x0000_0100_0000_0000 == 0 {}
    }

    fn back_door(&self, offset: u64, value: u64) {
        self.scom(ETU, ENABLE | offset);
        self.scom(ETU + 1, value);
    }
}

#[test]
fn the_documented_initialisation_and_complete_reset_bring_dma_and_config_up() {
    let chip = Chip::new();
    let device = PciDevice::endpoint(0x1b36, 0x0010);
    chip.phb.attach(0, device.clone());
    chip.ram.write16(RTT + 2 * u64::from(RID), PE);
    chip.ram.write64(0x2000_0000, 0x7000_0000 | 3);

    chip.find();
    chip.initialise(0x0010_0400_0000_0000, 0x0000_0002_0000_0705);
    chip.regs.write64(CONFIG_ADDRESS, 0x8010_0000_0005_0000);
    assert_eq!(chip.regs.read32(CONFIG_DATA), 0x361b_1000);
    assert_eq!(chip.phb.dma_write(RID, 0x10, &[1]), Ok(()));
    assert_eq!(chip.regs.read64(0x2c8), 0);

    // Complete reset: fence, back door, ETU reset, drain, FIRs, and everything again.
    chip.scom(NEST + 2, 0x0000_0020_0000_0000);
    assert_eq!(chip.regs.read64(0x120), ONES);
    assert_eq!(chip.phb.dma_write(RID, 0x10, &[1]).unwrap_err().kind, FaultKind::Fenced);
    chip.back_door(CRESET, 0x0800_0000_0000_0000);
    chip.back_door(0xe80, ONES);
    chip.back_door(0xc08, 0);
    chip.scom(PCI + 0xa, ENABLE);
    while chip.xscom.read64((NEST + 0xc) << 3) != 0 {}
    let saved = [PCI, NEST].map(|fir| chip.xscom.read64(fir << 3));
    chip.scom(PCI + 1, !saved[0]);
    chip.scom(NEST + 1, !saved[1]);
    chip.scom(PCI + 0xa, 0);
    chip.initialise(0x0010_0400_0000_0000, 0);
    // PERST through the back door, and once more by the ETU reset.
    assert_eq!(device.resets(), 2);
    // The window was not replayed here, so it is closed, and no translation survived.
    assert_eq!(chip.phb.dma_write(RID, 0x10, &[1]).unwrap_err().kind, FaultKind::Closed);
    assert_eq!(chip.phb.scom_read(StackArea::Nest, 0x12), Some(0x0600_c3c0_0000_0000));
}
