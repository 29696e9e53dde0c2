//! Time of day for RTC_READ and RTC_WRITE: dates in BCD on OPAL's side, a calendar's moment on the clock's.

use super::patient;
use crate::error::{Error, Result, why};
use crate::hw::lpc::Lpc;
use crate::hw::rtc::{Moment, Rtc, from_bcd, to_bcd};
use crate::sync::Lock;

/// How long another thread may use the clock, in microseconds.
const PATIENCE: u64 = 50_000;

/// The clock.
#[derive(Debug)]
pub struct Clock {
    rtc: Option<Lock<Rtc>>,
}

/// OPAL's form of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpalTime {
    /// BCD year, month and day: 0xYYYYMMDD.
    pub date: u32,
    /// BCD hour, minute and second in the top three bytes; the OS's microseconds below are not kept.
    pub time: u64,
}

impl Clock {
    /// The clock on that bus.
    pub fn new(lpc: Option<Lpc>) -> Self {
        Self { rtc: lpc.map(|lpc| Lock::new(Rtc::new(lpc))) }
    }

    /// Reads it.
    ///
    /// # Errors
    /// `Unsupported` without a clock, `Busy` while another thread uses it, `Hardware` when it shows no time.
    pub fn read(&self) -> Result<OpalTime> {
        let mut rtc = patient(self.rtc()?, PATIENCE).ok_or(Error::Busy)?;
        rtc.read().map(OpalTime::from)
    }

    /// Sets it.
    ///
    /// # Errors
    /// `Unsupported` without a clock, `Parameter` when that is no BCD, no date, no time of day or outside of 1970
    /// to 2069, `Busy` while another thread uses the clock.
    pub fn write(&self, time: OpalTime) -> Result {
        let rtc = self.rtc()?;
        let moment = Moment::try_from(time)?;
        patient(rtc, PATIENCE).ok_or(Error::Busy)?.write(&moment)
    }

    fn rtc(&self) -> Result<&Lock<Rtc>> {
        self.rtc.as_ref().ok_or(Error::Unsupported(why("no clock")))
    }
}

impl From<Moment> for OpalTime {
    fn from(moment: Moment) -> Self {
        let century = u8::try_from(moment.year / 100 % 100).unwrap_or(0);
        let year = u8::try_from(moment.year % 100).unwrap_or(0);
        let bcd = |value| to_bcd(value);
        Self {
            date: u32::from_be_bytes([bcd(century), bcd(year), bcd(moment.month), bcd(moment.day)]),
            time: u64::from_be_bytes([
                bcd(moment.hour),
                bcd(moment.minute),
                bcd(moment.second),
                0,
                0,
                0,
                0,
                0,
            ]),
        }
    }
}

impl TryFrom<OpalTime> for Moment {
    type Error = Error;
    fn try_from(time: OpalTime) -> Result<Self> {
        let number = |value| from_bcd(value).ok_or(Error::Parameter(why("BCD")));
        let [century, year, month, day] = time.date.to_be_bytes();
        let [hour, minute, second, ..] = time.time.to_be_bytes();
        let moment = Self {
            year: u16::from(number(century)?) * 100 + u16::from(number(year)?),
            month: number(month)?,
            day: number(day)?,
            hour: number(hour)?,
            minute: number(minute)?,
            second: number(second)?,
        };
        if moment.is_valid() { Ok(moment) } else { Err(Error::Parameter(why("date or time"))) }
    }
}
