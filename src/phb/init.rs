//! From a bridge that just left reset to one that works: `reference/phb-dma-windows.md` §9.2, step by step. Used at
//! boot and at the end of a complete reset; what the OS configured comes from the shadow.
//!
//! Every value is written, whatever the machine may have preset.

use super::bridge::{HostBridge, Interrupts};
use super::generation::Ioda;
use super::ioda::{self, TableId};
use super::regs4::{self, *};
use super::windows::M32_PCI_START;
use crate::error::{Error, Result, why};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::iommu::{Bridge, Kill};
use crate::sync::wait_until;

/// The core leaves reset in this time.
const CORE_RESET_US: u64 = 200_000;

/// Of the root port's config space.
const LINK_CONTROL_2: u16 = 0x78;
const COMMAND: u16 = 0x04;

/// The root port's config space: offset, bits to clear, bits to set. Steps 46 to 54.
pub const ROOT: &[(u16, u32, u32)] = &[
    // Primary bus 0, secondary 1, all others below.
    (0x18, u32::MAX, 0x00ff_0100),
    // Report all errors, payloads of 128 bytes; the high half clears the status.
    (0x50, 0xffff_00e0, 0x000f_000f),
    // Completion timeout 16 to 55 ms, ARI forwarding.
    (0x70, 0xf, 0x25),
    // Poisoned, timeout and abort are handled by the bridge and its PEs.
    (0x108, u32::MAX, 1 << 12 | 1 << 14 | 1 << 15),
    // ECRC: generate and check.
    (0x118, 0, 1 << 6 | 1 << 8),
    // AER's status: uncorrectable, correctable, root.
    (0x104, u32::MAX, u32::MAX),
    (0x110, u32::MAX, u32::MAX),
    (0x130, u32::MAX, u32::MAX),
];

/// Until the link has come up once, one more REGB error fences than afterwards.
pub(super) const REGB_INIT: [u64; 3] = [0x2130_006e_fca8_bc00, 0x0080_0000_0000_0000, 0xde1f_ff91_0357_43ff];
pub(super) const PBL_ENABLES: [u64; 3] = [0x0000_0000_4d17_80f8, 0, 0xffff_ffff_b2f8_7f07];
const REGB_FIRST_MASK: u64 = 0x0040_0000_0000_0000;

impl<I: Mmio, R: Ram> HostBridge<I, R> {
    /// Sets up the whole bridge but its link; PERST stays asserted.
    pub(super) fn initialise(&mut self) -> Result {
        match self.ioda {
            Ioda::Two => self.initialise_phb3(),
            Ioda::Three => self.initialise_phb4(),
        }
    }

    fn initialise_phb4(&mut self) -> Result {
        let window = &self.regs;
        LEM_ERROR_MASK.write(window, u64::MAX);
        TCE_TAG_ENABLE.write(window, u64::MAX);
        self.start_core()?;
        self.set_up_decoding();
        self.write_tables();
        self.invalidate(Kill::All)?;
        let window = &self.regs;
        for register in [DLP_ERRLOG1, DLP_ERRLOG2, DLP_ERR_STATUS] {
            register.write(window, u64::MAX);
        }
        DLP_ERR_COUNTERS.write(window, 0);
        self.set_up_root_port();
        self.command_root_port();
        self.set_up_core_errors();
        self.set_up_errors();
        self.enable_errors();
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
        self.root_set(LINK_CONTROL_2, 0x07fe_0000 | u32::from(self.max_link_speed));
        let mut reset = CRESET.read(window);
        reset.set_link_layers(false);
        reset.set_pbl(false);
        reset.set_pipe_n(true);
        reset.set_perst_n(false);
        CRESET.write(window, reset);
        if wait_until(CORE_RESET_US, || !DLP_TRAIN_CTL.read(window).in_reset()) {
            Ok(())
        } else {
            Err(Error::Hardware(why("PHB core stays in reset")))
        }
    }

    /// Steps 17 to 29: where interrupts, tables and windows are.
    fn set_up_decoding(&self) {
        let window = &self.regs;
        let Interrupts { base, notify } = self.interrupts;
        CTRLR.write(window, self.options.control(self.control));
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
    pub(super) fn write_tables(&mut self) {
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
        self.ivt.restart(window, &self.ram);
        self.frozen = super::eeh::SoftwareFreezes::default();
        self.masked = false;
        self.forget_requesters();
    }

    /// The root port's config space.
    pub(super) fn set_up_root_port(&self) {
        for &(offset, clear, set) in self.generation.root {
            self.root_change(offset, clear, set);
        }
    }

    /// Memory and bus master; the high half clears the status.
    pub(super) fn command_root_port(&self) {
        self.root_set(COMMAND, self.generation.root_command);
    }

    /// Steps 55 to 76: errors of the core.
    fn set_up_core_errors(&self) {
        let window = &self.regs;
        for (base, [inf, erc, fat], first_mask) in
            [(PBL_ERRORS, PBL_ENABLES, 0), (REGB_ERRORS, REGB_INIT, REGB_FIRST_MASK)]
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
    }

    /// Steps 77 to 121: the bridge's own errors, none of which is reported yet.
    pub(super) fn set_up_errors(&self) {
        let window = &self.regs;
        for errors in self.generation.errors {
            for (at, value) in [
                (group::FIRST, 0),
                (group::FREEZE, errors.freeze),
                (group::STATUS, u64::MAX),
                (group::LEM, errors.lem),
                (group::FENCE, errors.fence),
                (group::LOG0, 0),
                (group::LOG1, 0),
                (group::STATUS_MASK, errors.status_mask),
                (group::FIRST_MASK, errors.first_mask),
            ] {
                window.write64(errors.base + at, value);
            }
        }
        LEM_FIR.write(window, 0);
        LEM_ACTION0.write(window, u64::MAX);
        LEM_ACTION1.write(window, u64::MAX);
        LEM_WOF.write(window, 0);
    }

    /// Steps 126 to 131.
    pub(super) fn enable_errors(&self) {
        let window = &self.regs;
        for errors in self.generation.errors {
            window.write64(errors.base + group::INTERRUPT, errors.interrupt);
        }
        LEM_ERROR_MASK.write(window, self.generation.lem_mask);
    }
}

fn table_bar(address: u64) -> regs4::TableBar {
    let mut bar = TableBar::default();
    bar.set_enable(true);
    bar.set_page(address >> 12);
    bar
}
