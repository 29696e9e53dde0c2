//! The TIMA, generation 2: operations that exist only at one size and offset.

use super::rings::{CPPR, IPB, OS, PHYS, POOL, Ring, Thread, WORD2, widened};
use super::tables::Cache;
use super::{State, ibm32, set_ibm32};
use opalite::hw::ram::Ram;

const LGS: usize = 5;
const TARGET: usize = 6;
const WORD3: usize = 12;

const HV_PAGE: u64 = 1;
const OS_PAGE: u64 = 2;
const USER_PAGE: u64 = 3;

/// b1 of word 2: the NVP keeps CPPR and IPB while the context is off the thread.
const SAVE_RESTORE: u32 = 1 << 30;

/// Block and index of the NVP in a ring.
pub fn cam(thread: &Thread, ring: Ring) -> (u8, u32) {
    let word = thread.word(ring + WORD2);
    (ibm32(word, 4, 7) as u8, ibm32(word, 8, 31))
}

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
            (0x810, 2) if page <= OS_PAGE => thread.acknowledge(OS),
            (0x818, 4 | 8) | (0x810, 4) if page <= HV_PAGE => widened(self.pull(pir, OS), size),
            (0x828, 4 | 8) | (0x820, 4) if page <= HV_PAGE => widened(self.pull(pir, POOL), size),
            (0x830, 4) if page <= HV_PAGE => u64::from(self.pull(pir, PHYS)),
            (0x838, 1) if page <= HV_PAGE => u64::from(self.pull(pir, PHYS) >> 24),
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
            (0x36, 1) if page <= HV_PAGE => thread.rings[PHYS + TARGET] = value as u8,
            (0x38, 1) if page <= HV_PAGE => {
                assert_eq!(value & 0x7F, 0, "XIVE: store of {value:#x} to VT");
                thread.rings[PHYS + WORD2] = value as u8;
            }
            (0x18, 4) if page <= HV_PAGE => self.push(pir, value as u32),
            (0x18, 8) if page <= HV_PAGE => {
                thread.set_word(OS + WORD3, value as u32);
                self.push(pir, (value >> 32) as u32);
            }
            (0x28, 4) if page <= HV_PAGE => thread.set_word(POOL + WORD2, value as u32),
            (0x11, 1) if page <= OS_PAGE => thread.set_cppr(OS, value as u8),
            (0x15, 1) if page <= OS_PAGE => thread.rings[OS + LGS] = value as u8,
            (0x812, 1) if page <= OS_PAGE => {
                assert!(value < 8, "XIVE: pending priority {value:#x}");
                thread.pend(OS, 0x80 >> value);
            }
            (0xC18, 1) if page <= HV_PAGE => self.pull_to_line(pir, OS),
            (0xC38, 1) if page <= HV_PAGE => self.pull_to_line(pir, PHYS),
            _ => panic!("XIVE: {size}-byte store of {value:#x} to {offset:#x} of TIMA page {page}"),
        }
    }

    /// The NVP of a ring's context.
    fn context(&mut self, pir: u32, ring: Ring) -> (u8, u32, Vec<u32>) {
        let (block, index) = if ring == PHYS {
            (self.block(), self.ic.physical_nvp(pir))
        } else {
            cam(self.thread(pir), ring)
        };
        match self.fetch(Cache::Nvp, block, index).filter(|nvp| ibm32(nvp[0], 0, 0) != 0) {
            Some(nvp) => (block, index, nvp),
            None => panic!("XIVE: context {block}/{index:#x} on thread {pir:#x}, its NVP is not valid"),
        }
    }

    /// Whether the context's CPPR and IPB go to the NVP and come from it.
    fn keeps(&self, word: u32, nvp: &[u32]) -> bool {
        let wanted = self.ic.save_restore() && word & SAVE_RESTORE != 0;
        assert!(!wanted || ibm32(nvp[0], 7, 7) != 0, "XIVE: context {word:#x} saved, its NVP forbids it");
        wanted
    }

    /// A pushed OS context takes what its NVP kept meanwhile.
    fn push(&mut self, pir: u32, word: u32) {
        self.enabled_thread(pir).set_word(OS + WORD2, word);
        if word >> 31 == 0 {
            return;
        }
        let (block, index, mut nvp) = self.context(pir, OS);
        if self.keeps(word, &nvp) {
            self.enabled_thread(pir).set_cppr(OS, ibm32(nvp[2], 0, 7) as u8);
        }
        let ipb = ibm32(nvp[2], 8, 15) as u8;
        if ipb != 0 {
            set_ibm32(&mut nvp[2], 8, 15, 0);
            self.update(Cache::Nvp, block, index, &nvp);
            self.enabled_thread(pir).pend(OS, ipb);
        }
    }

    /// Takes the context out of a ring; the old word 2.
    fn pull(&mut self, pir: u32, ring: Ring) -> u32 {
        let word = self.enabled_thread(pir).pull(ring);
        if ring == OS && word >> 31 != 0 {
            let (block, index, mut nvp) = self.context(pir, OS);
            if self.keeps(word, &nvp) {
                let rings = &mut self.enabled_thread(pir).rings;
                let (cppr, ipb) = (rings[OS + CPPR], std::mem::take(&mut rings[OS + IPB]));
                self.enabled_thread(pir).set_cppr(OS, 0);
                set_ibm32(&mut nvp[2], 0, 7, u32::from(cppr));
                set_ibm32(&mut nvp[2], 8, 15, u32::from(ipb));
                self.update(Cache::Nvp, block, index, &nvp);
            }
        }
        word
    }

    /// A pull that reports to the odd cache line of the NVP, if it names one in words 6 and 7.
    fn pull_to_line(&mut self, pir: u32, ring: Ring) {
        if self.thread(pir).valid(ring) {
            let (block, index, nvp) = self.context(pir, ring);
            assert!(
                nvp[6] | nvp[7] == 0,
                "XIVE model: report line of NVP {block}/{index:#x} is not modelled"
            );
        }
        self.pull(pir, ring);
    }
}
