//! Fields by IBM bit numbers, of both XIVE generations.

/// Field `first..=last` of a 64-bit register, IBM bit numbers.
pub fn ibm(value: u64, first: u32, last: u32) -> u64 {
    let width = last - first + 1;
    (value >> (63 - last)) & (u64::MAX >> (64 - width))
}

/// Field of a 32-bit word, IBM bit numbers.
pub fn ibm32(value: u32, first: u32, last: u32) -> u32 {
    ibm(u64::from(value), first + 32, last + 32) as u32
}

/// Replaces a field of a 32-bit word.
pub fn set_ibm32(word: &mut u32, first: u32, last: u32, value: u32) {
    let mask = (u64::MAX >> (64 - (last - first + 1))) as u32;
    let shift = 31 - last;
    *word = (*word & !(mask << shift)) | ((value & mask) << shift);
}
