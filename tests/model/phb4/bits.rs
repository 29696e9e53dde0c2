//! IBM bit numbers: bit 0 is the most significant of 64.

/// One bit.
pub const fn bit(number: u32) -> u64 {
    1 << (63 - number)
}

/// Bits `first` to `last`.
pub const fn bits(first: u32, last: u32) -> u64 {
    (u64::MAX >> first) & (u64::MAX << (63 - last))
}

/// The number in bits `first` to `last`.
pub const fn field(value: u64, first: u32, last: u32) -> u64 {
    (value & bits(first, last)) >> (63 - last)
}
