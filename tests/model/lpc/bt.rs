//! IPMI BT interface, strict about the order of the handshake, and a small BMC behind it.

use std::collections::{BTreeMap, VecDeque};

const CLR_WR: u8 = 0x01;
const CLR_RD: u8 = 0x02;
const H2B_ATN: u8 = 0x04;
const B2H_ATN: u8 = 0x08;
const SMS_ATN: u8 = 0x10;
const HBUSY: u8 = 0x40;
const BBUSY: u8 = 0x80;
const MASK_ENABLE: u8 = 0x01;
const MASK_ASSERTED: u8 = 0x02;

/// What the chassis was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chassis {
    PowerOff,
    HardReset,
    SoftShutdown,
}

/// Where the handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    /// CLR_WR done: the host stores its request.
    Request,
    /// The BMC works.
    Busy,
    /// B2H_ATN is up.
    Answered,
    /// The host set HBUSY.
    Taken,
    /// The host cleared B2H_ATN.
    Cleared,
    /// CLR_RD done: the host reads.
    Reading,
}

pub struct Bt {
    pub delay: u32,
    pub bmc: Bmc,
    phase: Phase,
    request: Vec<u8>,
    response: VecDeque<u8>,
    busy_reads: u32,
    sms: bool,
    mask: u8,
}

impl Default for Bt {
    fn default() -> Self {
        Self {
            delay: 0,
            bmc: Bmc::default(),
            phase: Phase::Idle,
            request: Vec::new(),
            response: VecDeque::new(),
            busy_reads: 0,
            sms: false,
            mask: 0,
        }
    }
}

impl Bt {
    /// Level of IRQ 10.
    pub fn interrupt(&self) -> bool {
        self.mask & MASK_ASSERTED != 0
    }

    fn attention(&mut self) {
        if self.mask & MASK_ENABLE != 0 {
            self.mask |= MASK_ASSERTED;
        }
    }

    pub fn post_event(&mut self, event: [u8; 16]) {
        self.bmc.events.push_back(event);
        self.sms = true;
        self.attention();
    }

    pub fn load(&mut self, port: u64) -> u8 {
        match port {
            0 => {
                if self.phase == Phase::Busy {
                    match self.busy_reads.checked_sub(1) {
                        Some(left) => self.busy_reads = left,
                        None => self.answer(),
                    }
                }
                let phase = match self.phase {
                    Phase::Idle | Phase::Request => 0,
                    Phase::Busy => BBUSY,
                    Phase::Answered => B2H_ATN,
                    Phase::Taken => B2H_ATN | HBUSY,
                    Phase::Cleared | Phase::Reading => HBUSY,
                };
                phase | if self.sms { SMS_ATN } else { 0 }
            }
            1 => {
                assert_eq!(self.phase, Phase::Reading, "BT: response read out of order");
                self.response.pop_front().expect("BT: read beyond the response")
            }
            _ => self.mask,
        }
    }

    pub fn store(&mut self, port: u64, value: u8) {
        match port {
            0 => self.control(value),
            1 => {
                assert_eq!(self.phase, Phase::Request, "BT: request byte {value:#x} out of order");
                self.request.push(value);
            }
            _ => {
                let asserted = self.mask & MASK_ASSERTED & !value;
                self.mask = value & MASK_ENABLE | asserted;
            }
        }
    }

    fn control(&mut self, value: u8) {
        self.phase = match (value, self.phase) {
            (CLR_WR, Phase::Idle | Phase::Request) => {
                self.request.clear();
                Phase::Request
            }
            (H2B_ATN, Phase::Request) => {
                self.submit();
                return;
            }
            (HBUSY, Phase::Answered) => Phase::Taken,
            (B2H_ATN, Phase::Taken) => Phase::Cleared,
            (CLR_RD, Phase::Cleared) => Phase::Reading,
            (HBUSY, Phase::Reading) => {
                assert!(self.response.is_empty(), "BT: {} response bytes left unread", self.response.len());
                Phase::Idle
            }
            // Harmless before the first request.
            (CLR_RD | B2H_ATN, Phase::Idle) => Phase::Idle,
            (SMS_ATN, phase) => {
                self.sms = false;
                phase
            }
            (value, phase) => panic!("BT: store of {value:#x} to control in phase {phase:?}"),
        };
    }

    fn submit(&mut self) {
        let stored = self.request.len();
        assert!(stored >= 4, "BT: request of {stored} bytes");
        assert_eq!(
            usize::from(self.request[0]),
            stored - 1,
            "BT: length byte of a request of {stored} bytes"
        );
        self.phase = Phase::Busy;
        self.busy_reads = self.delay;
        if self.delay == 0 {
            self.answer();
        }
    }

    fn answer(&mut self) {
        let (netfn_lun, sequence, command) = (self.request[1], self.request[2], self.request[3]);
        let answer = self.bmc.handle(netfn_lun >> 2, command, &self.request[4..]);
        let length = 3 + answer.len() as u8;
        self.response = [length, netfn_lun | 4, sequence, command].into_iter().chain(answer).collect();
        self.phase = Phase::Answered;
        if self.bmc.events.is_empty() {
            self.sms = false;
        }
        self.attention();
    }
}

/// The management controller: a few commands, everything else is unknown to it.
#[derive(Default)]
pub struct Bmc {
    pub chassis: Vec<Chassis>,
    pub requests: Vec<(u8, u8, Vec<u8>)>,
    pub answers: BTreeMap<(u8, u8), Vec<u8>>,
    events: VecDeque<[u8; 16]>,
}

impl Bmc {
    /// Completion code and data.
    fn handle(&mut self, netfn: u8, command: u8, data: &[u8]) -> Vec<u8> {
        self.requests.push((netfn, command, data.to_vec()));
        if let Some(answer) = self.answers.get(&(netfn, command)) {
            return answer.clone();
        }
        match (netfn, command) {
            (0, 2) => vec![self.chassis_control(data)],
            // Get Device Id: device 0x20, IPMI 2.0.
            (6, 0x01) => vec![0, 0x20, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0],
            // Read Event Message Buffer.
            (6, 0x35) => match self.events.pop_front() {
                Some(event) => [0].into_iter().chain(event).collect(),
                None => vec![0x80],
            },
            // Get BT Capabilities: one request at a time.
            (6, 0x36) => vec![0, 1, 0xFF, 0xFF, 10, 0],
            _ => vec![0xC1],
        }
    }

    fn chassis_control(&mut self, data: &[u8]) -> u8 {
        let [action] = data else { return 0xC7 };
        self.chassis.push(match action & 0xF {
            0 => Chassis::PowerOff,
            3 => Chassis::HardReset,
            5 => Chassis::SoftShutdown,
            _ => return 0xD5,
        });
        0
    }
}
