//! The PHB4 model itself: checked against the reference's tables and worked examples, so that a driver which
//! passes on it has met the documented bridge. Expected numbers are worked out by hand or copied from there.

mod model;

use model::pci_device::{PciDevice, PortType};
use model::pec::{ModelXscom, power9_phbs, power10_phbs};
use model::phb4::Generation::{Phb4, Phb5};
use model::phb4::Size::{Big, Small};
use model::phb4::{DmaFault, FaultKind, ModelPhb4, PhbRegisters};
use model::ram::{ModelRam, RamWrite};
use opalite::hw::mmio::Mmio;
use opalite::hw::ram::Ram;

const RTT: u64 = 0x0100_0000;
const PELTV: u64 = 0x0110_0000;
const PEST: u64 = 0x0120_0000;
/// The requester of most tests, bus 1 device 0 function 0, and its PE.
const RID: u16 = 0x0100;
const PE: u16 = 5;

const CONFIG_ADDRESS: u64 = 0x140;
const CONFIG_DATA: u64 = 0x130;
const CONFIG: u64 = 0x160;
const DMA_SYNC: u64 = 0x200;
const RTC_INVALIDATE: u64 = 0x208;
const TCE_KILL: u64 = 0x210;
const IODA_ADDR: u64 = 0x220;
const IODA_DATA0: u64 = 0x228;
const CTRLR: u64 = 0x810;
const Q_DMA_R: u64 = 0x888;
const CRESET: u64 = 0x1a10;
const TRAIN_CTL: u64 = 0x1a40;
const FOUR_GIB_MODE: u64 = 0x0000_0080_0000_0000;
const AUTO: u64 = 0x8000_0000_0000_0000;
const ENABLE: u64 = 0x8000_0000_0000_0000;
const ONES: u64 = u64::MAX;

struct Bench {
    ram: ModelRam,
    phb: ModelPhb4,
    regs: PhbRegisters,
}

/// 80 GiB of memory and a big PHB4 whose RTT gives `RID` to `PE`, everyone else to PE 0.
fn bench() -> Bench {
    let ram = ModelRam::new(0, 80 << 30);
    let phb = ModelPhb4::running(&ram, Phb4, Big);
    let regs = phb.regs();
    ram.write16(RTT + 2 * u64::from(RID), PE);
    regs.write64(0x168, RTT | ENABLE);
    regs.write64(0x188, PELTV | ENABLE);
    regs.write64(0x1a8, PEST | ENABLE);
    Bench { ram, phb, regs }
}

impl Bench {
    fn select(&self, table: u64, index: u64) {
        self.regs.write64(IODA_ADDR, table << 48 | index);
    }

    fn table(&self, table: u64, index: u64) -> u64 {
        self.select(table, index);
        self.regs.read64(IODA_DATA0)
    }

    fn put(&self, table: u64, index: u64, value: u64) {
        self.select(table, index);
        self.regs.write64(IODA_DATA0, value);
    }

    fn tve(&self, window: u64, value: u64) {
        self.put(9, u64::from(PE) * 2 + window, value);
    }

    /// One level of 64 KiB pages at 0x2000_0000: worked example 1.
    fn open_64k(&self) {
        self.tve(0, 0x0000_0002_0000_0705);
    }

    fn tce(&self, index: u64, value: u64) {
        self.ram.write64(0x2000_0000 + 8 * index, value);
    }

    fn kill(&self, value: u64) {
        self.regs.write64(TCE_KILL, value);
        while self.regs.read64(Q_DMA_R) != 0 {}
    }

    fn thaw(&self) {
        self.put(7, PE.into(), 0);
        self.put(8, PE.into(), 0);
    }

    fn fault(&self, address: u64) -> FaultKind {
        let kind = self.phb.dma_write(RID, address, &[0xee]).expect_err("the DMA must fail").kind;
        self.thaw();
        kind
    }
}

fn fault(kind: FaultKind, address: u64) -> DmaFault {
    DmaFault { kind, pe: Some(PE), address }
}

mod memory {
    use super::*;

    #[test]
    fn keeps_numbers_big_endian_and_reads_zero_when_fresh() {
        let ram = ModelRam::new(0x1000, 0x2000);
        ram.write32(0x1ffc, 0x0102_0304);
        ram.write16(0x2000, 0x0506);
        assert_eq!(ram.bytes(0x1ffb, 8), [0, 1, 2, 3, 4, 5, 6, 0]);
        assert_eq!(ram.read64(0x1ff8), 0x0102_0304);
        ram.zero(0x1ff8, 16);
        assert_eq!(ram.read16(0x2000), 0);
    }

    #[test]
    fn counts_touching_ranges_as_one() {
        let ram = ModelRam::new(0, 0x1000);
        ram.add_range(0x1000, 0x1000);
        assert!(ram.contains(0xff8, 16));
        assert!(!ram.contains(0x1ff8, 16));
        assert!(!ram.contains(u64::MAX - 4, 16));
    }

    #[test]
    fn records_stores_to_watched_ranges_only() {
        let ram = ModelRam::new(0, 0x1000);
        ram.watch(0x100, 8);
        ram.write64(0xf8, 1);
        ram.write8(0x107, 2);
        assert_eq!(ram.writes(), [RamWrite { address: 0x107, bytes: vec![2] }]);
    }

    #[test]
    #[should_panic(expected = "store of 8 bytes at 0x1000, outside the declared ranges")]
    fn a_store_outside_fails_the_test() {
        ModelRam::new(0, 0x1000).write64(0x1000, 0);
    }

    #[test]
    #[should_panic(expected = "misaligned 8-byte load at 0x4")]
    fn a_misaligned_load_fails_the_test() {
        ModelRam::new(0, 0x1000).read64(4);
    }
}

mod registers {
    use super::*;

    #[test]
    fn capabilities_follow_size_and_generation() {
        let ram = ModelRam::new(0, 0x1000);
        let big = ModelPhb4::running(&ram, Phb4, Big).regs();
        let caps = [0x250, 0x258, 0x260, 0x268, 0x800].map(|offset| big.read64(offset));
        assert_eq!(
            caps,
            [0xe4b8000000000000, 0x4008440000000400, 0x0800000000001000, 0x2000000000000000, 0xa400000002]
        );
        let small = ModelPhb4::running(&ram, Phb5, Small).regs();
        let caps = [0x250, 0x258, 0x260, 0x268, 0x800].map(|offset| small.read64(offset));
        assert_eq!(
            caps,
            [0xe4b8000000000000, 0x2008440000000200, 0x0800000000000800, 0x1000000000000000, 0xa500000002]
        );
    }

    #[test]
    fn lem_fir_has_and_and_or_forms_and_wof_clears_on_any_store() {
        let Bench { phb, regs, .. } = bench();
        regs.write64(0xc00, 0xf0f0);
        regs.write64(0xc10, 0x0f00);
        assert_eq!(regs.read64(0xc00), 0xfff0);
        regs.write64(0xc08, !0xff00);
        assert_eq!(regs.read64(0xc00), 0x00f0);
        regs.write64(0xc18, ONES);
        regs.write64(0xc20, 0xff);
        regs.write64(0xc28, 0xf000);
        assert_eq!(regs.read64(0xc18), 0xf0ff);
        phb.poke(0xc40, 7);
        regs.write64(0xc40, ONES);
        assert_eq!(regs.read64(0xc40), 0);
    }

    #[test]
    fn error_status_clears_by_ones_and_sums_up() {
        let Bench { phb, regs, .. } = bench();
        for group in [0xc80, 0xd00, 0xd80, 0xe00, 0xe80, 0x1900, 0x1c00] {
            assert_eq!(regs.read64(0x2c8), 0);
            phb.poke(group, 0x6000_0000_0000_0001);
            assert_ne!(regs.read64(0x2c8), 0);
            regs.write64(group, 0x4000_0000_0000_0000);
            assert_eq!(regs.read64(group), 0x2000_0000_0000_0001);
            regs.write64(group, ONES);
        }
    }

    #[test]
    fn records_stores_in_order_with_their_width() {
        let Bench { phb, regs, .. } = bench();
        phb.clear_writes();
        regs.write64(0x1a0, 0x8000_0000);
        regs.write32(0x1018, 0x0001_ff00);
        regs.write64(0x208, ENABLE);
        assert_eq!(phb.writes(), [(0x1a0, 8, 0x8000_0000), (0x1018, 4, 0x0001_ff00), (0x208, 8, ENABLE)]);
    }

    #[test]
    #[should_panic(expected = "8-byte load at 0x170: no such register")]
    fn an_unknown_register_fails_the_test() {
        bench().regs.read64(0x170);
    }

    #[test]
    #[should_panic(expected = "0x1b00: no such register")]
    fn gen5_equalisation_exists_on_phb5_only() {
        let ram = ModelRam::new(0, 0x1000);
        ModelPhb4::running(&ram, Phb5, Big).regs().write64(0x1b00, 0);
        ModelPhb4::running(&ram, Phb4, Big).regs().write64(0x1b00, 0);
    }

    #[test]
    #[should_panic(expected = "VERSION (0x800), which is read-only")]
    fn a_store_to_a_read_only_register_fails_the_test() {
        bench().regs.write64(0x800, 0);
    }

    #[test]
    #[should_panic(expected = "4-byte load at 0x810, which takes 8 bytes")]
    fn a_narrow_load_fails_the_test() {
        bench().regs.read32(0x810);
    }

    #[test]
    #[should_panic(expected = "2-byte store at 0x103e, which takes 4 bytes")]
    fn a_narrow_root_config_store_fails_the_test() {
        bench().regs.write16(0x103e, 0);
    }

    #[test]
    #[should_panic(expected = "outside its fields")]
    fn a_misaligned_rtt_fails_the_test() {
        bench().regs.write64(0x168, (RTT + 0x1000) | ENABLE);
    }

    #[test]
    #[should_panic(expected = "INT_NOTIFY_INDEX 0x800 is not aligned")]
    fn a_misaligned_first_source_fails_the_test() {
        bench().regs.write64(0x308, 0x800);
    }

    #[test]
    fn a_fenced_bridge_reads_all_ones_and_loses_stores() {
        let Bench { phb, regs, .. } = bench();
        regs.write64(0x1a0, 0x8000_0000);
        phb.fence();
        regs.write64(0x1a0, 0);
        assert_eq!(
            (regs.read64(0x120), regs.read32(0x1000), regs.read8(CONFIG_DATA)),
            (ONES, u32::MAX, 0xff)
        );
        assert_eq!(phb.peek(0x1a0), 0x8000_0000);
    }

    #[test]
    fn fences_after_so_many_accesses() {
        let Bench { phb, regs, .. } = bench();
        phb.fence_after(2);
        regs.write64(0x1a0, 1);
        assert_eq!(regs.read64(0x1a0), 1);
        assert_eq!(regs.read64(0x1a0), ONES);
    }

    #[test]
    fn fails_the_chosen_store_and_fences() {
        let Bench { phb, regs, .. } = bench();
        phb.fail_next_write_at(0x1a0);
        regs.write64(0x1f0, 0);
        assert!(!phb.is_fenced());
        regs.write64(0x1a0, 1);
        assert_eq!((phb.is_fenced(), phb.peek(0x1a0)), (true, 0));
    }
}

mod tables {
    use super::*;

    #[test]
    fn address_words_of_the_reference_select_the_entries_they_name() {
        let bench = bench();
        bench.regs.write64(IODA_ADDR, 0x0009_0000_0000_000a);
        bench.regs.write64(IODA_DATA0, 0x0000_0002_0000_0705);
        assert_eq!(bench.table(9, 10), 0x0000_0002_0000_0705);
        assert_eq!((bench.table(9, 9), bench.table(9, 11)), (0, 0));
    }

    #[test]
    fn auto_increment_moves_on_loads_and_stores_and_wraps_at_the_tables_size() {
        let bench = bench();
        bench.regs.write64(IODA_ADDR, AUTO | 17 << 48 | 510);
        for value in [1, 2, 3] {
            bench.regs.write64(IODA_DATA0, value);
        }
        assert_eq!(bench.regs.read64(IODA_ADDR), AUTO | 17 << 48 | 1);
        bench.regs.write64(IODA_ADDR, AUTO | 17 << 48 | 511);
        assert_eq!((bench.regs.read64(IODA_DATA0), bench.regs.read64(IODA_DATA0)), (2, 3));
    }

    #[test]
    fn stays_in_place_without_auto_increment() {
        let bench = bench();
        bench.put(9, 7, 1);
        bench.regs.write64(IODA_DATA0, 2);
        assert_eq!((bench.table(9, 7), bench.table(9, 8)), (2, 0));
    }

    #[test]
    fn tables_have_the_sizes_of_the_reference() {
        let ram = ModelRam::new(0, 0x1000);
        for (size, sizes) in [
            (
                Big,
                [
                    (1, 8),
                    (2, 1024),
                    (5, 128),
                    (6, 16),
                    (7, 512),
                    (8, 512),
                    (9, 1024),
                    (16, 64),
                    (17, 512),
                    (20, 8),
                ],
            ),
            (
                Small,
                [
                    (1, 8),
                    (2, 512),
                    (5, 64),
                    (6, 8),
                    (7, 256),
                    (8, 256),
                    (9, 512),
                    (16, 32),
                    (17, 256),
                    (20, 4),
                ],
            ),
        ] {
            let regs = ModelPhb4::running(&ram, Phb4, size).regs();
            for (table, entries) in sizes {
                regs.write64(IODA_ADDR, AUTO | table << 48 | (entries - 1));
                regs.read64(IODA_DATA0);
                assert_eq!(regs.read64(IODA_ADDR) & 0x3ff, 0, "{size:?} table {table}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "selects entry 256 of table 7 with 256")]
    fn an_index_past_the_table_fails_the_test() {
        let ram = ModelRam::new(0, 0x1000);
        ModelPhb4::running(&ram, Phb4, Small).regs().write64(IODA_ADDR, 7 << 48 | 256);
    }

    #[test]
    #[should_panic(expected = "selects table 4")]
    fn a_table_of_another_generation_fails_the_test() {
        bench().select(4, 0);
    }

    #[test]
    #[should_panic(expected = "TVT entry 3 used before it was written")]
    fn an_entry_is_undefined_until_written() {
        let ram = ModelRam::new(0, 0x1000);
        let phb = ModelPhb4::running(&ram, Phb4, Big);
        let (nest, pci) = (model::phb4::StackArea::Nest, model::phb4::StackArea::Pci);
        assert!(phb.scom_write(pci, 0xa, ENABLE) && phb.scom_write(pci, 0xa, 0));
        assert_eq!(phb.scom_read(nest, 0), Some(0));
        phb.regs().write64(IODA_ADDR, 9 << 48 | 3);
        phb.regs().read64(IODA_DATA0);
    }

    #[test]
    fn mist_stores_touch_the_lanes_of_the_mask_and_drop_two_bits() {
        let bench = bench();
        bench.put(2, 3, ONES);
        assert_eq!(bench.table(2, 3), 0xcfff_cfff_cfff_cfff);
        // Source 14 is lane 2 of word 3; its address word is a golden vector.
        bench.regs.write64(IODA_ADDR, 0x0002_0002_0000_0003);
        bench.regs.write64(IODA_DATA0, 0x1111_2222_4005_3333);
        assert_eq!(bench.table(2, 3), 0xcfff_cfff_4005_cfff);
    }

    #[test]
    fn the_second_mbt_word_written_decides_whether_both_are_enabled() {
        let bench = bench();
        bench.put(16, 0, 0x5006_00c0_0000_0000);
        bench.put(16, 1, 0x80ff_ffff_8000_0000);
        assert_eq!((bench.table(16, 0), bench.table(16, 1)), (0xd006_00c0_0000_0000, 0x80ff_ffff_8000_0000));
        bench.put(16, 0, 0x5006_00c0_0000_0000);
        assert_eq!(bench.table(16, 1), 0x00ff_ffff_8000_0000);
    }

    #[test]
    fn pest_keeps_one_bit_and_peev_sums_both_up() {
        let bench = bench();
        bench.put(7, 448, ONES);
        bench.put(8, 449, ONES);
        assert_eq!((bench.table(7, 448), bench.table(8, 449)), (ENABLE, ENABLE));
        assert_eq!((bench.table(20, 7), bench.table(20, 0)), (0xc000_0000_0000_0000, 0));
        // Any freeze is bit 29 of the two status words.
        let status = 0x0000_0004_0000_0000;
        assert_eq!((bench.regs.read64(0x110), bench.regs.read64(0x120)), (status, status));
        bench.put(7, 448, 0);
        bench.put(8, 449, 0);
        assert_eq!(bench.table(20, 7), 0);
    }
}
