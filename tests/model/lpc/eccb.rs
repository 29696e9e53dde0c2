//! P8's ECCB: the LPC bus through four XSCOM registers.

use super::Lpc;
use std::sync::{Arc, Mutex, PoisonError};

/// XSCOM address of the first register.
pub const SCOM_BASE: u64 = 0xB_0020;

const DONE: u64 = 0x800;

/// The ECCB of one bus; clones share one state.
#[derive(Clone)]
pub struct Eccb {
    lpc: Lpc,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    status: u64,
    data: Option<u32>,
    polls: u32,
    left: u32,
}

impl Eccb {
    pub(super) fn new(lpc: Lpc) -> Self {
        Self { lpc, state: Arc::default() }
    }

    /// Number of status reads for which an access is not done yet (0 at first).
    pub fn set_polls(&self, polls: u32) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).polls = polls;
    }

    /// Loads an XSCOM register.
    pub fn scom_read(&self, pcba: u64) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(pcba, SCOM_BASE + 2, "ECCB: load from {pcba:#x}");
        if state.left > 0 {
            state.left -= 1;
            return 0;
        }
        std::mem::take(&mut state.status)
    }

    /// Stores to an XSCOM register.
    pub fn scom_write(&self, pcba: u64, value: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match pcba.wrapping_sub(SCOM_BASE) {
            0 => {
                assert!(state.status == 0, "ECCB: command before the last one's status was read");
                state.left = state.polls;
                let data = state.data.take();
                state.status = self.command((value >> 32) as u32, value & 0xFFFF_FFFF, data);
            }
            1 => {}
            3 => state.data = Some((value >> 32) as u32),
            _ => panic!("ECCB: store of {value:#x} to {pcba:#x}"),
        }
    }

    /// Runs a command; the status that shows its end, with a load's data left-aligned in b6:37.
    fn command(&self, command: u32, address: u64, data: Option<u32>) -> u64 {
        let (size, load) = match command {
            0xD101_0100 => (1, true),
            0xD100_0100 => (1, false),
            0xD401_0100 => (4, true),
            0xD400_0100 => (4, false),
            _ => panic!("ECCB: command {command:#x} is not one of the four that work"),
        };
        let shift = 32 - 8 * size;
        let result = if load {
            self.lpc.run(|state| state.load(address, size)).map(|value| value << shift)
        } else {
            let data = data.expect("ECCB: store command without data") >> shift;
            self.lpc.run(|state| state.store(address, size, data)).then_some(0)
        };
        DONE | u64::from(result.unwrap_or(u32::MAX)) << 26
    }
}
