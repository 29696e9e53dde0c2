//! From a bridge that just left reset to one that works: `reference/phb-dma-windows.md` §9.2, step by step. Used at
//! boot and at the end of a complete reset; what the OS configured comes from the shadow.
//!
//! Every value is written, whatever the machine may have preset.

use super::ioda::{self, TableId};
use super::phb4::{Interrupts, Phb4};
use super::regs4::{self, *};
use super::windows::M32_PCI_START;
use crate::error::{Error, Result};
use crate::hw::fault::Outcome;
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::iommu::{Bridge, Kill};
use crate::sync::wait_until;

/// The core leaves reset in this time.
const CORE_RESET_US: u64 = 200_000;

/// Offsets of the root port's config space.
mod root {
    pub const COMMAND: u16 = 0x04;
    pub const BUSES: u16 = 0x18;
    pub const DEVICE_CONTROL: u16 = 0x50;
    pub const DEVICE_CONTROL_2: u16 = 0x70;
    pub const LINK_CONTROL_2: u16 = 0x78;
    pub const AER_UNCORRECTABLE: u16 = 0x104;
    pub const AER_UNCORRECTABLE_MASK: u16 = 0x108;
    pub const AER_CORRECTABLE: u16 = 0x110;
    pub const AER_CAPABILITIES: u16 = 0x118;
    pub const AER_ROOT_STATUS: u16 = 0x130;
}

/// Errors of the PCIe core that are reported while the link is up: INF, ERC, FAT enables.
pub(super) const REGB_ENABLES: [u64; 3] =
    [0x2130_006e_fca8_bc00, 0x0080_0000_0000_0000, 0xde0f_ff91_0357_43ff];
pub(super) const PBL_ENABLES: [u64; 3] = [0x0000_0000_4d17_80f8, 0, 0xffff_ffff_b2f8_7f07];
const REGB_FIRST_MASK: u64 = 0x0040_0000_0000_0000;
/// Until the link has come up once, one more REGB error fences.
const REGB_INIT_FAT: u64 = 0xde1f_ff91_0357_43ff;

impl<I: Mmio, R: Ram> Phb4<I, R> {
    /// Sets up the whole bridge but its link; PERST stays asserted.
    pub(super) fn initialise(&mut self) -> Result {
        let window = &self.regs;
        LEM_ERROR_MASK.write(window, u64::MAX);
        TCE_TAG_ENABLE.write(window, u64::MAX);
        self.start_core()?;
        self.set_up_decoding();
        self.write_tables()?;
        let window = &self.regs;
        for register in [DLP_ERRLOG1, DLP_ERRLOG2, DLP_ERR_STATUS] {
            register.write(window, u64::MAX);
        }
        DLP_ERR_COUNTERS.write(window, 0);
        self.set_up_root_port();
        self.set_up_errors();
        TCE_SPEC_CTL.write(&self.regs, 0);
        TIMEOUT_CTRL1.write(&self.regs, 0x0015_1500_0015_0000);
        TIMEOUT_CTRL2.write(&self.regs, 0x0000_1515_0000_0000);
        PBL_TIMEOUT_CTRL.write(&self.regs, 0x2013_0000_0000_0000);
        Ok(ioda::alive(&self.regs)?)
    }

    /// Steps 4 to 16: the PCIe core leaves reset.
    fn start_core(&self) -> Result {
        let window = &self.regs;
        let speed = u64::from(self.max_link_speed);
        let scr = PCIE_SCR.read(window) & !(0xf << SCR_SPEED.start);
        PCIE_SCR.write(window, scr | speed << SCR_SPEED.start);
        let mut reset = CRESET.read(window);
        reset.set_config_core(false);
        CRESET.write(window, reset);
        for &(offset, value) in self.generation.lane_equalisation {
            window.write64(offset, value);
        }
        if self.generation.dlp_control != 0 {
            DLP_CTL.write(window, DLP_CTL.read(window) | self.generation.dlp_control);
        }
        if let Some(value) = self.generation.phy_equalisation {
            PHY_EQ_CNTL.write(window, value);
        }
        self.root_set(root::LINK_CONTROL_2, 0x07fe_0000 | u32::from(self.max_link_speed));
        let mut reset = CRESET.read(window);
        reset.set_link_layers(false);
        reset.set_pbl(false);
        reset.set_pipe_n(true);
        reset.set_perst_n(false);
        CRESET.write(window, reset);
        if wait_until(CORE_RESET_US, || !DLP_TRAIN_CTL.read(window).in_reset()) {
            Ok(())
        } else {
            Err(Error::Hardware(&"PHB core stays in reset"))
        }
    }

    /// Steps 17 to 29: where interrupts, tables and windows are.
    fn set_up_decoding(&self) {
        let window = &self.regs;
        let Interrupts { base, notify } = self.interrupts;
        CTRLR.write(window, self.options.control(self.generation));
        INT_NOTIFY_ADDR.write(window, notify);
        INT_NOTIFY_INDEX.write(window, base.0.into());
        let mut lsi = LsiSourceId::default();
        lsi.set_source((self.sources - 1) >> 3);
        LSI_SOURCE_ID.write(window, lsi);
        RTT_BAR.write(window, table_bar(self.tables.rtt));
        PELTV_BAR.write(window, table_bar(self.tables.peltv));
        M32_START_ADDR.write(window, M32_PCI_START);
        PEST_BAR.write(window, table_bar(self.tables.pest));
        if let Some(value) = self.generation.asn_compare {
            ASN_CMPM.write(window, value);
        }
        M64_UPPER_BITS.write(window, 0);
        let mut config = Config::default();
        config.set_msi32(true);
        config.set_msi64(true);
        CONFIG.write(window, config);
        // At least 256 ns must pass before the next access.
        CONFIG.read(window);
        wait_until(2, || false);
    }

    /// Steps 30 to 41: on-chip tables, from the shadow.
    fn write_tables(&mut self) -> Outcome {
        let window = &self.regs;
        // Erratum: the first PESTA entry must be written before any other table.
        ioda::write(window, TableId::PestA, 0, 0);
        self.mist.replay(window);
        ioda::fill(window, TableId::Mrt, (0..self.sizes.mrt).map(|_| 0));
        self.tvt.replay(window);
        self.mbt.replay(window);
        self.mdt.replay(window);
        let pes = usize::from(self.limits.count());
        ioda::fill(window, TableId::PestA, (0..pes).map(|_| 0));
        ioda::fill(window, TableId::PestB, (0..pes).map(|_| 0));
        ioda::fill(window, TableId::Peev, (0..pes / 64).map(|_| 0));
        self.frozen = super::eeh::SoftwareFreezes::default();
        self.masked = false;
        self.forget_requesters();
        self.invalidate(Kill::All)
    }

    /// Steps 46 to 54 and 125.
    pub(super) fn set_up_root_port(&self) {
        // Primary bus 0, secondary 1, all others below.
        self.root_set(root::BUSES, 0x00ff_0100);
        // Report all errors, payloads of 128 bytes; the high half clears the status.
        let control = self.root_get(root::DEVICE_CONTROL) & 0xff1f;
        self.root_set(root::DEVICE_CONTROL, 0x000f_0000 | control | 0xf);
        // Completion timeout 16 to 55 ms, ARI forwarding.
        self.root_change(root::DEVICE_CONTROL_2, 0xf, 0x25);
        // Poisoned, timeout and abort are handled by the bridge and its PEs.
        self.root_set(root::AER_UNCORRECTABLE_MASK, 1 << 12 | 1 << 14 | 1 << 15);
        // ECRC: generate and check.
        self.root_change(root::AER_CAPABILITIES, 0, 1 << 6 | 1 << 8);
        for status in [root::AER_UNCORRECTABLE, root::AER_CORRECTABLE, root::AER_ROOT_STATUS] {
            self.root_set(status, u32::MAX);
        }
        // Memory and bus master; the high half clears the status.
        self.root_set(root::COMMAND, 0xf900_0006);
    }

    /// Steps 55 to 121 and 126 to 131.
    fn set_up_errors(&self) {
        let window = &self.regs;
        let fat = [REGB_ENABLES[0], REGB_ENABLES[1], REGB_INIT_FAT];
        for (base, [inf, erc, fat], first_mask) in
            [(PBL_ERRORS, PBL_ENABLES, 0), (REGB_ERRORS, fat, REGB_FIRST_MASK)]
        {
            for (at, value) in [
                (group::STATUS, u64::MAX),
                (group::FIRST, 0),
                (group::INTERRUPT, inf),
                (group::FREEZE, erc),
                (group::FENCE, fat),
                (group::LOG0, 0),
                (group::LOG1, 0),
                (group::STATUS_MASK, 0),
                (group::FIRST_MASK, first_mask),
            ] {
                window.write64(base + at, value);
            }
        }
        for errors in &self.generation.errors {
            for (at, value) in [
                (group::FIRST, 0),
                (group::FREEZE, errors.freeze),
                (group::STATUS, u64::MAX),
                (group::LEM, errors.lem),
                (group::FENCE, errors.fence),
                (group::LOG0, 0),
                (group::LOG1, 0),
                (group::STATUS_MASK, 0),
                (group::FIRST_MASK, errors.first_mask),
            ] {
                window.write64(errors.base + at, value);
            }
        }
        LEM_FIR.write(window, 0);
        LEM_ACTION0.write(window, u64::MAX);
        LEM_ACTION1.write(window, u64::MAX);
        LEM_WOF.write(window, 0);
        for errors in &self.generation.errors {
            window.write64(errors.base + group::INTERRUPT, errors.interrupt);
        }
        LEM_ERROR_MASK.write(window, 0);
    }
}

fn table_bar(address: u64) -> regs4::TableBar {
    let mut bar = TableBar::default();
    bar.set_enable(true);
    bar.set_page(address >> 12);
    bar
}
