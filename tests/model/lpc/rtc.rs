//! MC146818 clock: index and data port, BCD or binary, 12 or 24 hours, updates that a reader must mind.

const REGISTER_A: u8 = 0x0A;
const REGISTER_B: u8 = 0x0B;
const CENTURY: u8 = 0x32;
const UPDATING: u8 = 0x80;
const SET: u8 = 0x80;
const BINARY: u8 = 0x04;
const HOURS_24: u8 = 0x02;

/// A date and time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    pub year: u16,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
}

pub struct Rtc {
    pub time: Time,
    pub updating: u32,
    pub tick_after: Option<u32>,
    index: u8,
    ram: [u8; 128],
}

impl Default for Rtc {
    fn default() -> Self {
        let mut ram = [0; 128];
        ram[usize::from(REGISTER_A)] = 0x26;
        ram[usize::from(REGISTER_B)] = HOURS_24;
        ram[0x0D] = 0x80;
        let time = Time { year: 2024, month: 2, day: 28, hour: 23, minute: 59, second: 58 };
        Self { time, updating: 0, tick_after: None, index: 0, ram }
    }
}

impl Time {
    fn days_in_month(self) -> u8 {
        let leap =
            self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => 31,
        }
    }

    /// One second later.
    fn tick(&mut self) {
        self.second += 1;
        if self.second == 60 {
            (self.second, self.minute) = (0, self.minute + 1);
        }
        if self.minute == 60 {
            (self.minute, self.hour) = (0, self.hour + 1);
        }
        if self.hour == 24 {
            (self.hour, self.day) = (0, self.day + 1);
        }
        if self.day > self.days_in_month() {
            (self.day, self.month) = (1, self.month + 1);
        }
        if self.month == 13 {
            (self.month, self.year) = (1, self.year + 1);
        }
    }

    fn check(self) {
        assert!(
            (1..=12).contains(&self.month)
                && (1..=self.days_in_month()).contains(&self.day)
                && self.hour < 24
                && self.minute < 60
                && self.second < 60,
            "RTC: set to {self:?}"
        );
    }

    /// 1 = Sunday.
    fn weekday(self) -> u8 {
        let years = u32::from(self.year) - 1;
        let mut days = years * 365 + years / 4 - years / 100 + years / 400;
        for month in 1..self.month {
            days += u32::from(Self { month, ..self }.days_in_month());
        }
        // The first of January of the year 1 was a Monday.
        ((days + u32::from(self.day)) % 7) as u8 + 1
    }
}

fn is_time(register: u8) -> bool {
    matches!(register, 0 | 2 | 4 | 6..=9 | CENTURY)
}

impl Rtc {
    fn mode(&self, bit: u8) -> bool {
        self.ram[usize::from(REGISTER_B)] & bit != 0
    }

    fn encode(&self, value: u8) -> u8 {
        if self.mode(BINARY) { value } else { (value / 10) << 4 | (value % 10) }
    }

    fn decode(&self, value: u8) -> u8 {
        if self.mode(BINARY) {
            return value;
        }
        assert!(value >> 4 < 10 && value & 0xF < 10, "RTC: {value:#x} is not BCD");
        (value >> 4) * 10 + (value & 0xF)
    }

    pub fn load(&mut self, port: u64) -> u8 {
        if port == 0 {
            return 0xFF;
        }
        match self.index {
            REGISTER_A => {
                let busy = self.updating > 0;
                if busy {
                    self.updating -= 1;
                    if self.updating == 0 {
                        self.time.tick();
                    }
                }
                self.ram[usize::from(REGISTER_A)] & !UPDATING | if busy { UPDATING } else { 0 }
            }
            register if is_time(register) => self.time_register(register),
            register => self.ram[usize::from(register)],
        }
    }

    fn time_register(&mut self, register: u8) -> u8 {
        if self.updating > 0 {
            return 0xFF;
        }
        let time = self.time;
        let value = match register {
            0 => self.encode(time.second),
            2 => self.encode(time.minute),
            4 if self.mode(HOURS_24) => self.encode(time.hour),
            4 => self.encode((time.hour + 11) % 12 + 1) | if time.hour >= 12 { 0x80 } else { 0 },
            6 => self.encode(time.weekday()),
            7 => self.encode(time.day),
            8 => self.encode(time.month),
            9 => self.encode((time.year % 100) as u8),
            _ => self.encode((time.year / 100) as u8),
        };
        if let Some(left) = &mut self.tick_after {
            *left -= 1;
            if *left == 0 {
                self.tick_after = None;
                self.time.tick();
            }
        }
        value
    }

    pub fn store(&mut self, port: u64, value: u8) {
        if port == 0 {
            // The top bit is the PC's NMI mask.
            self.index = value & 0x7F;
            return;
        }
        if is_time(self.index) {
            assert!(self.mode(SET), "RTC: time register {:#x} written while the clock runs", self.index);
            return self.set_time_register(value);
        }
        let was_setting = self.mode(SET);
        assert!(!matches!(self.index, 0x0C | 0x0D), "RTC: store to read-only register {:#x}", self.index);
        self.ram[usize::from(self.index)] = value;
        if was_setting && !self.mode(SET) {
            self.time.check();
        }
    }

    fn set_time_register(&mut self, value: u8) {
        let century = self.time.year / 100;
        match self.index {
            0 => self.time.second = self.decode(value),
            2 => self.time.minute = self.decode(value),
            4 if self.mode(HOURS_24) => self.time.hour = self.decode(value),
            4 => self.time.hour = self.decode(value & 0x7F) % 12 + if value & 0x80 != 0 { 12 } else { 0 },
            6 => {}
            7 => self.time.day = self.decode(value),
            8 => self.time.month = self.decode(value),
            9 => self.time.year = century * 100 + u16::from(self.decode(value)),
            _ => self.time.year = u16::from(self.decode(value)) * 100 + self.time.year % 100,
        }
    }
}
