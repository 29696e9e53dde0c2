//! The TIMA: operations that exist only at one size and offset.

use super::rings::{OS, PHYS, POOL, Thread, WORD2, widened};
use super::tables::Cache;
use super::{State, ibm32, set_ibm32};
use opalite::hw::ram::Ram;

const HV_PAGE: u64 = 1;
const OS_PAGE: u64 = 2;
const USER_PAGE: u64 = 3;

impl<R: Ram + Clone + 'static> State<R> {
    fn enabled_thread(&mut self, pir: u32) -> &mut Thread {
        assert!(self.ic.thread_enabled(pir), "XIVE: TIMA of thread {pir:#x}, which is not enabled");
        self.threads.get_mut(&pir).unwrap_or_else(|| panic!("XIVE: TIMA of absent thread {pir:#x}"))
    }

    pub(super) fn tima_load(&mut self, pir: u32, place: u64, size: u32) -> u64 {
        let (page, offset) = (place >> 16, place & 0xFFFF);
        assert!(page < USER_PAGE, "XIVE: load from {offset:#x} of the TIMA's user page");
        let thread = self.enabled_thread(pir);
        match (offset, size) {
            (0x38, 1) if page <= HV_PAGE => u64::from(thread.rings[PHYS + WORD2]),
            (0x830, 2) if page <= HV_PAGE => thread.acknowledge(PHYS),
            (0x818, 4 | 8) if page <= HV_PAGE => widened(thread.pull(OS), size),
            (0x828, 4 | 8) if page <= HV_PAGE => widened(thread.pull(POOL), size),
            (0x838, 1) if page <= HV_PAGE => u64::from(thread.pull(PHYS) >> 24),
            (0x810, 2) if page <= OS_PAGE => thread.acknowledge(OS),
            (0x10..=0x3F, 4 | 8) => {
                let (offset, last) = (offset as usize, if page <= HV_PAGE { 0x40 } else { POOL });
                assert!(offset + size as usize <= last, "XIVE: TIMA page {page} does not show {offset:#x}");
                let word = u64::from(thread.word(offset));
                if size == 8 { word << 32 | u64::from(thread.word(offset + 4)) } else { word }
            }
            _ => panic!("XIVE: {size}-byte load from {offset:#x} of TIMA page {page}"),
        }
    }

    pub(super) fn tima_store(&mut self, pir: u32, place: u64, size: u32, value: u64) {
        let (page, offset) = (place >> 16, place & 0xFFFF);
        assert!(page < USER_PAGE, "XIVE: store to {offset:#x} of the TIMA's user page");
        let thread = self.enabled_thread(pir);
        match (offset, size) {
            (0x31, 1) if page <= HV_PAGE => thread.set_cppr(PHYS, value as u8),
            (0x38, 1) if page <= HV_PAGE => {
                assert_eq!(value & 0x7F, 0, "XIVE: store of {value:#x} to VT");
                thread.rings[PHYS + WORD2] = value as u8;
            }
            (0x18, 4) if page <= HV_PAGE => {
                thread.set_word(OS + WORD2, value as u32);
                if value >> 31 != 0 {
                    self.resend(pir);
                }
            }
            (0x28, 4) if page <= HV_PAGE => thread.set_word(POOL + WORD2, value as u32),
            (0x11, 1) if page <= OS_PAGE => thread.set_cppr(OS, value as u8),
            (0x812, 1) if page <= OS_PAGE => {
                assert!(value < 8, "XIVE: pending priority {value:#x}");
                thread.pend(OS, 0x80 >> value);
            }
            _ => panic!("XIVE: {size}-byte store of {value:#x} to {offset:#x} of TIMA page {page}"),
        }
    }

    /// A pushed OS context takes the pending priorities that its NVT kept meanwhile.
    fn resend(&mut self, pir: u32) {
        let cam = self.thread(pir).cam(OS);
        let (block, index) = ((cam >> 19) as u8, cam & 0x7_FFFF);
        let Some(mut nvt) = self.fetch(Cache::Nvt, block, index).filter(|nvt| ibm32(nvt[0], 0, 0) != 0)
        else {
            panic!("XIVE: OS context {block}/{index:#x} pushed, its NVT is not valid");
        };
        let ipb = ibm32(nvt[4], 16, 23) as u8;
        if ipb != 0 {
            set_ibm32(&mut nvt[4], 16, 23, 0);
            self.update(Cache::Nvt, block, index, &nvt);
            self.enabled_thread(pir).pend(OS, ipb);
        }
    }
}
