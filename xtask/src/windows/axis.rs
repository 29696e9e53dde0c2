//! Bus addresses on a line of a few hundred points: linear to 4 GiB, by powers of two above, the 32-bit MSIs widened to be
//! seen.

/// Points from the first address to the last.
pub const WIDTH: f64 = 640.0;
/// Where M32 begins.
pub const M32: u64 = 1 << 31;
/// Where the 32-bit MSIs begin.
pub const MSIS: u64 = (1 << 32) - (1 << 16);
/// Where they end.
pub const FOUR_GIB: u64 = 1 << 32;
/// The bit that chooses window 1.
pub const BIT59: u64 = 1 << 59;

/// Points at which these begin.
const M32_AT: f64 = 150.0;
const MSIS_AT: f64 = 235.0;
const FOUR_GIB_AT: f64 = 250.0;
const BIT59_AT: f64 = 390.0;
/// The first 16 MiB behind bit 59.
const SMALL: f64 = 20.0;

/// The line of a bridge.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// Bit 59 has no meaning, so more room is left for what is below it.
    pub four_gib: bool,
}

impl Axis {
    /// Where an address is.
    pub fn at(self, address: u64) -> f64 {
        let between = |from: f64, to: f64, part: f64| from + (to - from) * part;
        let part = |first: u64, last: u64| (address - first) as f64 / (last - first) as f64;
        // Which part of the powers from `first` to 59 lie below a number.
        let power = |number: u64, first: f64| ((number as f64).log2() - first) / (59.0 - first);
        let high = if self.four_gib { WIDTH } else { BIT59_AT };
        match address {
            0..M32 => between(0.0, M32_AT, part(0, M32)),
            M32..MSIS => between(M32_AT, MSIS_AT, part(M32, MSIS)),
            MSIS..FOUR_GIB => between(MSIS_AT, FOUR_GIB_AT, part(MSIS, FOUR_GIB)),
            FOUR_GIB..BIT59 => between(FOUR_GIB_AT, high, power(address, 32.0)),
            _ if self.four_gib => WIDTH,
            _ => match (address - BIT59).min(BIT59) {
                small @ 0..0x100_0000 => between(BIT59_AT, BIT59_AT + SMALL, small as f64 / 16_777_216.0),
                large => between(BIT59_AT + SMALL, WIDTH, power(large, 24.0)),
            },
        }
    }

    /// Addresses that a reader looks for, with their names.
    pub fn marks(self) -> Vec<(u64, &'static str)> {
        let mut marks = vec![(0, "0"), (M32, "2 GiB"), (FOUR_GIB, "4 GiB"), (1 << 44, "16 TiB")];
        if self.four_gib {
            marks.extend([(1 << 36, "64 GiB"), (1 << 40, "1 TiB"), (1 << 50, "1 PiB"), (BIT59, "bit 59")]);
        } else {
            let beyond = [(0, "bit 59"), (1 << 30, "+1 GiB"), (1 << 40, "+1 TiB"), (1 << 50, "+1 PiB")];
            marks.extend(beyond.map(|(offset, name)| (BIT59 | offset, name)));
        }
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_where_the_picture_says() {
        let usual = Axis { four_gib: false };
        let other = Axis { four_gib: true };
        for (address, place) in
            [(0, 0.0), (1 << 30, 75.0), (M32, 150.0), (MSIS, 235.0), (FOUR_GIB, 250.0), (BIT59, 390.0)]
        {
            assert!((usual.at(address) - place).abs() < 1e-9, "{address:#x}: {}", usual.at(address));
        }
        assert!((usual.at(BIT59 | 1 << 24) - 410.0).abs() < 1e-9);
        // Six of 35 powers: 410 + 230 * 6 / 35.
        assert!((usual.at(BIT59 | 1 << 30) - 449.428_571).abs() < 1e-6);
        assert!((usual.at((1 << 60) - 1) - WIDTH).abs() < 1e-6);
        assert!((other.at(FOUR_GIB) - 250.0).abs() < 1e-9);
        // Nine of 27 powers: 250 + 390 / 3.
        assert!((other.at(1 << 41) - 380.0).abs() < 1e-9);
        assert!((other.at(BIT59) - WIDTH).abs() < 1e-9);
        assert!((usual.at(u64::MAX) - WIDTH).abs() < 1e-9);
    }

    #[test]
    fn a_higher_address_is_further_right() {
        for four_gib in [false, true] {
            let axis = Axis { four_gib };
            let steps = (0..=2400).map(|step| 2_f64.powf(f64::from(step) / 40.0) as u64);
            let places: Vec<_> = steps.map(|address| axis.at(address)).collect();
            assert!(places.windows(2).all(|pair| pair[0] <= pair[1]));
            assert!(places.iter().all(|place| (0.0..=WIDTH).contains(place)));
        }
    }
}
