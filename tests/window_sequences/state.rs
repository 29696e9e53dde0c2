//! A bridge as the OS may think of it: what it asked for and got.

use super::machine::tables::{READ, Shape, WRITE};
use super::machine::{HARDWARE, PARAMETER, SUCCESS, WRONG_STATE};
use super::model::phb4::FaultKind;
use super::model::ram::ModelRam;
use super::{BYPASS, GIB, MAPPED, frame, permission};
use std::collections::{BTreeMap, BTreeSet};

/// Whether calls about windows can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Working,
    Fenced,
    /// From the start of a complete reset until its tables are written again.
    Resetting,
}

/// What a window is.
#[derive(Clone, Copy, Debug)]
pub enum Window {
    Closed,
    Table {
        shape: Shape,
        table: usize,
    },
    /// `asked` is its end before firmware's memory was cut off, `side` bit 59 of the start.
    Bypass {
        start: u64,
        end: u64,
        asked: u64,
        side: u64,
    },
}

#[derive(Clone)]
pub struct Bridge {
    pub pes: u16,
    pub tvt: Vec<u64>,
    windows: Vec<Window>,
    pub rtt: Vec<u16>,
    dependents: BTreeSet<(u16, u16)>,
    pub frozen: BTreeMap<u16, (bool, bool)>,
    pub four_gib: bool,
    mmio_eeh_disable: bool,
    pub phase: Phase,
    /// It may fence at any access.
    pub doomed: bool,
    rtt_at: u64,
    peltv_at: u64,
}

impl Bridge {
    pub fn new(pes: u16, rtt_at: u64, peltv_at: u64) -> Self {
        let count = usize::from(pes) * 2;
        Self {
            pes,
            tvt: vec![0; count],
            windows: vec![Window::Closed; count],
            rtt: vec![pes - 1; 0x1_0000],
            dependents: BTreeSet::new(),
            frozen: BTreeMap::new(),
            four_gib: false,
            mmio_eeh_disable: false,
            phase: Phase::Working,
            doomed: false,
            rtt_at,
            peltv_at,
        }
    }

    /// How everything starts, but for the phase.
    pub fn reset_tables(&mut self) {
        let (phase, doomed) = (self.phase, self.doomed);
        *self = Self { phase, doomed, ..Self::new(self.pes, self.rtt_at, self.peltv_at) };
    }

    pub fn answers(&self) -> bool {
        self.phase == Phase::Working
    }

    /// CTRLR: 64 KiB interrupt pages, no CLB, and the two options.
    pub fn control(&self) -> u64 {
        0x0010_0400_0000_0000
            | if self.four_gib { 0x0000_0080_0000_0000 } else { 0 }
            | if self.mmio_eeh_disable { 0x0002_0000_0000_0000 } else { 0 }
    }

    /// Whether a window can be in this mode where it shall be.
    fn on_its_side(&self, index: usize, what: Window) -> bool {
        match (what, index % 2, self.four_gib) {
            (Window::Closed, ..) | (Window::Table { .. }, _, false) => true,
            (Window::Table { shape, .. }, 0, true) => shape.levels > 1 || shape.width() <= 32,
            (Window::Table { shape, .. }, _, true) => shape.width() > 32,
            (Window::Bypass { side, .. }, number, false) => side == number as u64,
            (Window::Bypass { side, asked, .. }, 0, true) => side == 0 && asked <= 4 * GIB,
            (Window::Bypass { side, start, .. }, _, true) => side == 0 && start >= 4 * GIB,
        }
    }

    /// The status of a call that opens, replaces or closes a window, and its effect.
    pub fn set(&mut self, index: usize, right: bool, what: Window, tve: u64) -> i64 {
        if !right {
            return PARAMETER;
        }
        if self.phase == Phase::Resetting {
            return HARDWARE;
        }
        if !self.on_its_side(index, what) {
            return PARAMETER;
        }
        if self.phase == Phase::Fenced {
            return HARDWARE;
        }
        self.windows[index] = what;
        self.tvt[index] = tve;
        SUCCESS
    }

    pub fn set_pe(&mut self, right: bool, pe: u16, rid: u16, mask: u16, map: bool) -> i64 {
        if !right {
            return PARAMETER;
        }
        if !self.answers() {
            return HARDWARE;
        }
        for other in (0..=0xffff_u16).filter(|other| other & mask == rid & mask) {
            let entry = &mut self.rtt[usize::from(other)];
            if map {
                *entry = pe;
            } else if *entry == pe {
                *entry = self.pes - 1;
            }
        }
        SUCCESS
    }

    pub fn set_option(&mut self, tve_select: bool, on: bool) -> i64 {
        let now = if tve_select { self.four_gib } else { self.mmio_eeh_disable };
        if now == on {
            return SUCCESS;
        }
        if self.phase == Phase::Resetting {
            return HARDWARE;
        }
        if tve_select && self.windows.iter().enumerate().any(|(index, what)| moves(index, *what, on)) {
            return WRONG_STATE;
        }
        if self.phase == Phase::Fenced {
            return HARDWARE;
        }
        *(if tve_select { &mut self.four_gib } else { &mut self.mmio_eeh_disable }) = on;
        SUCCESS
    }

    pub fn freeze_by_call(&mut self, pe: u16, directions: u64, on: bool) -> i64 {
        if !self.answers() {
            return HARDWARE;
        }
        let (mut mmio, mut dma) = self.frozen.get(&pe).copied().unwrap_or_default();
        if directions & 1 != 0 {
            mmio = on;
        }
        if directions & 2 != 0 {
            dma = on;
        }
        self.put_frozen(pe, (mmio, dma));
        SUCCESS
    }

    fn put_frozen(&mut self, pe: u16, halves: (bool, bool)) {
        self.frozen.insert(pe, halves);
        self.frozen.retain(|_, halves| *halves != (false, false));
    }

    pub fn thaw_all(&mut self) {
        self.frozen.clear();
    }

    /// FREEZE_STATUS: state and type.
    pub fn freeze_status(&self, pe: u16) -> (u8, u16) {
        if !self.answers() {
            return (3, 2);
        }
        let (mmio, dma) = self.frozen.get(&pe).copied().unwrap_or_default();
        (u8::from(mmio) | u8::from(dma) << 1, 0)
    }

    pub fn depend(&mut self, parent: u16, child: u16, on: bool) {
        if on {
            self.dependents.insert((parent, child));
        } else {
            self.dependents.remove(&(parent, child));
        }
    }

    /// Where a device's access leads. What isn't let through freezes the PE and those that depend on it.
    pub fn dma(&mut self, rid: u16, bus: u64, write: bool) -> Result<u64, FaultKind> {
        let pe = self.rtt[usize::from(rid)];
        if self.frozen.get(&pe).is_some_and(|halves| halves.1) {
            return Err(FaultKind::Frozen);
        }
        let result = self.translate(pe, bus, if write { WRITE } else { READ });
        if result.is_err_and(|kind| kind != FaultKind::MsiRange) {
            let children =
                self.dependents.iter().filter(|(parent, _)| *parent == pe).map(|(_, child)| *child);
            for frozen in children.chain([pe]).collect::<Vec<_>>() {
                self.put_frozen(frozen, (true, true));
            }
        }
        result
    }

    fn translate(&self, pe: u16, bus: u64, access: u64) -> Result<u64, FaultKind> {
        if (0xffff_0000..=0xffff_ffff).contains(&bus) {
            return Err(FaultKind::MsiRange);
        }
        let (number, offset) = match self.four_gib {
            true => (usize::from(bus >= 4 * GIB), bus),
            false => ((bus / BYPASS) as usize, bus % BYPASS),
        };
        match self.windows[2 * usize::from(pe) + number] {
            Window::Closed => Err(FaultKind::Closed),
            Window::Bypass { start, end, .. } => {
                let real = offset % (1 << 50);
                if (start..end).contains(&real) { Ok(real) } else { Err(FaultKind::OutsideLimits) }
            }
            Window::Table { shape, .. } if offset >> shape.width() != 0 => Err(FaultKind::BeyondTable),
            Window::Table { shape, table } => {
                let at = |page: usize| MAPPED[page] >> shape.page == offset >> shape.page;
                let page = (0..MAPPED.len()).find(|page| at(*page)).ok_or(FaultKind::PageFault)?;
                if permission(page) & access == 0 {
                    return Err(FaultKind::AccessFault);
                }
                Ok(frame(table, page) + offset % (1 << shape.page))
            }
        }
    }

    /// RTT and PELT-V in memory.
    pub fn check_tables(&self, ram: &ModelRam, phb: usize) {
        let bytes = ram.bytes(self.rtt_at, 0x2_0000);
        let rtt = bytes.chunks_exact(2).map(|entry| u16::from_be_bytes([entry[0], entry[1]]));
        for (rid, (pe, wanted)) in rtt.zip(&self.rtt).enumerate() {
            assert_eq!(pe, *wanted, "RTT entry {rid:#x} of bridge {phb}");
        }
        let row = usize::from(self.pes) / 8;
        let mut wanted = vec![0; row * usize::from(self.pes)];
        for (parent, child) in &self.dependents {
            wanted[usize::from(*parent) * row + usize::from(*child) / 8] |= 0x80 >> (child % 8);
        }
        assert!(ram.bytes(self.peltv_at, wanted.len()) == wanted, "PELT-V of bridge {phb}");
    }
}

/// Whether a window keeps the mode from changing: window 1 begins elsewhere, and a window 0 could lose a part.
fn moves(index: usize, what: Window, to_four_gib: bool) -> bool {
    match (what, index % 2) {
        (Window::Closed, _) => false,
        (_, 1) => true,
        (Window::Table { shape, .. }, _) => to_four_gib && shape.width() > 32,
        (Window::Bypass { end, .. }, _) => to_four_gib && end > 4 * GIB,
    }
}
