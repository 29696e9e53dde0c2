//! Windows, what they map and what a device then moves: one list, run on QEMU's bridge by this program and on our
//! register model by `tests/shared_cases.rs`. Both must agree.
//!
//! It holds what both implement. QEMU's bridge masks the index above a window, ignores the limits of a bypass and the
//! 4 GiB mode, and freezes nothing: those are the model's alone.

/// Permissions of a TCE.
pub const READ: u64 = 1;
pub const WRITE: u64 = 2;
const BOTH: u64 = READ | WRITE;

/// A translated window of a PE.
pub struct Window {
    /// 0, or 1 at bit 59.
    pub number: u64,
    pub levels: u64,
    /// Bytes of one level's table.
    pub level_bytes: u64,
    pub page_shift: u64,
    /// Pages, by bus address in the window, and their permissions.
    pub pages: &'static [(u64, u64)],
}

/// Eight bytes that a device moves, or doesn't, through the page at bus address `at` of window `window`.
pub struct Access {
    pub window: u64,
    pub at: u64,
    /// From the device to memory.
    pub write: bool,
    pub moves: bool,
}

/// Windows of one PE and accesses. The first window's first page can be read and written: by it the device is given
/// what it writes, and shows what it has read.
pub struct Case {
    pub name: &'static str,
    pub windows: &'static [Window],
    pub accesses: &'static [Access],
}

const fn writes(window: u64, at: u64, moves: bool) -> Access {
    Access { window, at, write: true, moves }
}

const fn reads(window: u64, at: u64, moves: bool) -> Access {
    Access { window, at, write: false, moves }
}

pub const CASES: &[Case] = &[
    Case {
        name: "one level of 4 KiB pages: permissions and holes",
        windows: &[Window {
            number: 0,
            levels: 1,
            level_bytes: 0x1000,
            page_shift: 12,
            pages: &[(0, BOTH), (0x1000, READ), (0x5000, WRITE), (0x1f_f000, BOTH)],
        }],
        accesses: &[
            writes(0, 0x1000, false),
            reads(0, 0x1000, true),
            writes(0, 0x5000, true),
            reads(0, 0x5000, false),
            writes(0, 0x2000, false),
            reads(0, 0x4000, false),
            writes(0, 0x1f_f000, true),
            writes(0, 0x1f_e000, false),
            writes(1, 0x5000, false),
        ],
    },
    Case {
        name: "one level of 64 KiB pages, Linux's default window",
        windows: &[Window {
            number: 0,
            levels: 1,
            level_bytes: 0x4_0000,
            page_shift: 16,
            pages: &[(0x7fff_0000, BOTH), (0x1234_0000, WRITE)],
        }],
        accesses: &[writes(0, 0x1234_0000, true), writes(0, 0x1235_0000, false), writes(0, 0, false)],
    },
    Case {
        name: "two levels of 64 KiB pages in window 1",
        windows: &[Window {
            number: 1,
            levels: 2,
            level_bytes: 0x1_0000,
            page_shift: 16,
            pages: &[(0, BOTH), (0x3ff_ffff_0000, WRITE), (0x12_3456_0000, READ)],
        }],
        accesses: &[
            writes(1, 0x3ff_ffff_0000, true),
            writes(0, 0x3ff_ffff_0000, false),
            reads(1, 0x12_3456_0000, true),
            writes(1, 0x12_3456_0000, false),
            writes(1, 0x200_0000_0000, false),
        ],
    },
    Case {
        name: "three levels of 2 MiB pages",
        windows: &[Window {
            number: 0,
            levels: 3,
            level_bytes: 0x1000,
            page_shift: 21,
            pages: &[(0x20_0000, BOTH), (0x1234_5660_0000, WRITE)],
        }],
        accesses: &[
            writes(0, 0x1234_5660_0000, true),
            writes(0, 0x1234_5680_0000, false),
            writes(0, 0, false),
        ],
    },
    Case {
        name: "1 GiB pages in window 1, as a bypass by table has them",
        windows: &[Window {
            number: 1,
            levels: 1,
            level_bytes: 0x1000,
            page_shift: 30,
            pages: &[(4 << 30, BOTH), (511 << 30, WRITE)],
        }],
        accesses: &[writes(1, 511 << 30, true), writes(1, 5 << 30, false), writes(0, 4 << 30, false)],
    },
    Case {
        name: "five levels of 4 KiB pages",
        windows: &[Window {
            number: 0,
            levels: 5,
            level_bytes: 0x1000,
            page_shift: 12,
            pages: &[(0x1ff_ffff_ffff_f000, BOTH), (0x0ed_cba9_8765_4000, WRITE)],
        }],
        accesses: &[
            writes(0, 0x0ed_cba9_8765_4000, true),
            writes(0, 0x0ed_cba9_8765_5000, false),
            writes(0, 0x0ed_cba8_8765_4000, false),
        ],
    },
    Case {
        name: "two windows of one PE don't mix",
        windows: &[
            Window {
                number: 0,
                levels: 1,
                level_bytes: 0x1000,
                page_shift: 12,
                pages: &[(0x3000, BOTH), (0x4000, READ)],
            },
            Window {
                number: 1,
                levels: 2,
                level_bytes: 0x2000,
                page_shift: 16,
                pages: &[(0x0, WRITE), (0x4_0000, BOTH)],
            },
        ],
        accesses: &[
            writes(1, 0, true),
            writes(0, 0, false),
            writes(0, 0x4000, false),
            reads(0, 0x4000, true),
            reads(1, 0x4_0000, true),
            reads(1, 0, false),
        ],
    },
];
