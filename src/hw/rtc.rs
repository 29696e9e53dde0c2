//! The MC146818 clock at ISA ports 0x70 and 0x71.
//!
//! Two digits of year: 70 to 99 are the twentieth century's. There is no agreed century register on this platform
//! (QEMU counts the one of the PC from a base year), so none is touched.

use super::lpc::Lpc;
use crate::error::{Error, Result, why};
use crate::sync::wait_until;

const INDEX: u16 = 0x70;
const DATA: u16 = 0x71;

const SECOND: u8 = 0;
const MINUTE: u8 = 2;
const HOUR: u8 = 4;
const DAY: u8 = 7;
const MONTH: u8 = 8;
const YEAR: u8 = 9;
const A: u8 = 10;
const B: u8 = 11;

const A_UPDATING: u8 = 0x80;
const B_SET: u8 = 0x80;
const B_BINARY: u8 = 0x04;
const B_24_HOURS: u8 = 0x02;
const PM: u8 = 0x80;

/// An update takes 2.2 ms at most.
const UPDATE: u64 = 5_000;
/// Two equal readings come within this many.
const READINGS: usize = 4;

/// A moment, as a calendar has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// All four digits.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

impl Moment {
    /// Whether the calendar has it.
    pub const fn is_valid(&self) -> bool {
        self.month >= 1
            && self.month <= 12
            && self.day >= 1
            && self.day <= days(self.year, self.month)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
    }
}

const fn days(year: u16, month: u8) -> u8 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Two decimal digits as they are written in hexadecimal.
pub const fn to_bcd(value: u8) -> u8 {
    ((value / 10 % 10) << 4) | (value % 10)
}

/// The reverse; `None` when a digit isn't one.
pub const fn from_bcd(value: u8) -> Option<u8> {
    if value & 0x0f > 9 || value >> 4 > 9 { None } else { Some((value >> 4) * 10 + (value & 0x0f)) }
}

/// The clock. Index and data are two accesses: whoever uses it holds a lock.
#[derive(Debug)]
pub struct Rtc {
    lpc: Lpc,
}

impl Rtc {
    /// The clock on that bus.
    pub const fn new(lpc: Lpc) -> Self {
        Self { lpc }
    }

    /// Reads the time.
    ///
    /// # Errors
    /// `Hardware` when the clock stays in an update, never shows the same time twice, or shows no date.
    pub fn read(&mut self) -> Result<Moment> {
        let mut last = None;
        for _ in 0..READINGS {
            if !wait_until(UPDATE, || self.get(A) & A_UPDATING == 0) {
                return Err(Error::Hardware(why("RTC: endless update")));
            }
            let now = [SECOND, MINUTE, HOUR, DAY, MONTH, YEAR].map(|register| self.get(register));
            if last == Some(now) {
                return decode(now, self.get(B)).ok_or(Error::Hardware(why("RTC: no date")));
            }
            last = Some(now);
        }
        Err(Error::Hardware(why("RTC: unstable")))
    }

    /// Sets the time, in the format that the clock has.
    ///
    /// # Errors
    /// `Parameter` when the calendar or two digits of year don't have it; nothing is changed then.
    pub fn write(&mut self, moment: &Moment) -> Result {
        if !moment.is_valid() {
            return Err(Error::Parameter(why("date or time")));
        }
        let year = match moment.year {
            1970..2000 => moment.year - 1900,
            2000..2070 => moment.year - 2000,
            _ => return Err(Error::Parameter(why("year"))),
        };
        let year = u8::try_from(year).map_err(|_| Error::Parameter(why("year")))?;
        let format = self.get(B) & !B_SET;
        let number = |value| if format & B_BINARY == 0 { to_bcd(value) } else { value };
        let hour = match (format & B_24_HOURS != 0, moment.hour) {
            (true, hour) => number(hour),
            (false, 0) => number(12),
            (false, hour @ 1..12) => number(hour),
            (false, 12) => number(12) | PM,
            (false, hour) => number(hour - 12) | PM,
        };
        self.set(B, format | B_SET);
        self.set(SECOND, number(moment.second));
        self.set(MINUTE, number(moment.minute));
        self.set(HOUR, hour);
        self.set(DAY, number(moment.day));
        self.set(MONTH, number(moment.month));
        self.set(YEAR, number(year));
        self.set(B, format);
        Ok(())
    }

    fn get(&self, register: u8) -> u8 {
        self.lpc.outb(INDEX, register);
        self.lpc.inb(DATA)
    }

    fn set(&self, register: u8, value: u8) {
        self.lpc.outb(INDEX, register);
        self.lpc.outb(DATA, value);
    }
}

fn decode([second, minute, hour, day, month, year]: [u8; 6], format: u8) -> Option<Moment> {
    let number = |value| if format & B_BINARY == 0 { from_bcd(value) } else { Some(value) };
    let hour = if format & B_24_HOURS != 0 {
        number(hour)?
    } else {
        let half = number(hour & !PM)?;
        if !(1..=12).contains(&half) {
            return None;
        }
        half % 12 + if hour & PM != 0 { 12 } else { 0 }
    };
    let year = u16::from(number(year).filter(|&year| year < 100)?);
    let moment = Moment {
        year: year + if year < 70 { 2000 } else { 1900 },
        month: number(month)?,
        day: number(day)?,
        hour,
        minute: number(minute)?,
        second: number(second)?,
    };
    moment.is_valid().then_some(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_each_format_of_register_b() {
        let want = Some(Moment { year: 2026, month: 7, day: 31, hour: 12, minute: 34, second: 56 });
        assert_eq!(decode([0x56, 0x34, 0x12, 0x31, 0x07, 0x26], 0x02), want);
        assert_eq!(decode([0x56, 0x34, 0x92, 0x31, 0x07, 0x26], 0x00), want);
        assert_eq!(decode([56, 34, 12, 31, 7, 26], 0x06), want);
        assert_eq!(decode([56, 34, 12 | 0x80, 31, 7, 26], 0x04), want);
        assert_eq!(decode([0, 0, 0x12, 1, 1, 0x99], 0).map(|m| (m.year, m.hour)), Some((1999, 0)));
    }

    #[test]
    fn rejects_what_is_no_date() {
        for bad in [
            [0x60, 0, 0, 1, 1, 0],
            [0, 0x60, 0, 1, 1, 0],
            [0, 0, 0x24, 1, 1, 0],
            [0, 0, 0, 0, 1, 0],
            [0, 0, 0, 0x31, 4, 0],
            [0, 0, 0, 0x29, 2, 0x25],
            [0, 0, 0, 1, 0, 0],
            [0, 0, 0, 1, 0x13, 0],
            [0x0a, 0, 0, 1, 1, 0],
            [0, 0, 0, 1, 1, 0xa0],
            [0xff; 6],
            [0; 6],
        ] {
            assert_eq!(decode(bad, 0x02), None, "{bad:x?}");
        }
        assert!(decode([0, 0, 0, 0x29, 2, 0x24], 0x02).is_some());
    }

    #[test]
    fn bcd_there_and_back() {
        for value in 0..100 {
            assert_eq!(from_bcd(to_bcd(value)), Some(value));
        }
        assert_eq!(from_bcd(0x1a), None);
        assert_eq!(from_bcd(0xa1), None);
    }
}
