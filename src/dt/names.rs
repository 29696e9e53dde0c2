//! Names of properties, each kept once: the strings block of the flattened form as it grows.

use alloc::vec::Vec;

/// A property's name: its offset in the strings block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name(u32);

impl Name {
    /// Offset in the strings block.
    pub const fn offset(self) -> u32 {
        self.0
    }
}

/// About twice the number of different names on powernv, so that most chains have one link.
const BUCKETS: usize = 512;

struct Link {
    name: Name,
    length: u32,
    next: Option<u16>,
}

/// The strings block and an index into it.
pub struct Names {
    text: Vec<u8>,
    links: Vec<Link>,
    buckets: Vec<Option<u16>>,
}

impl Names {
    /// An empty block.
    pub fn new() -> Self {
        Self {
            text: Vec::with_capacity(8 << 10),
            links: Vec::with_capacity(BUCKETS),
            buckets: alloc::vec![None; BUCKETS],
        }
    }

    /// Names share their beginnings ("ibm,opal-…") and differ at their ends.
    fn bucket(name: &[u8]) -> usize {
        let tail = &name[name.len().saturating_sub(8)..];
        let hash =
            tail.iter().fold(name.len(), |hash, &byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte)));
        hash % BUCKETS
    }

    /// The name, if it occurs.
    pub fn find(&self, name: &[u8]) -> Option<Name> {
        let mut next = self.buckets[Self::bucket(name)];
        while let Some(index) = next {
            let link = &self.links[usize::from(index)];
            if self.bytes(link) == name {
                return Some(link.name);
            }
            next = link.next;
        }
        None
    }

    /// The name, added if it is new.
    pub fn intern(&mut self, name: &[u8]) -> Name {
        if let Some(found) = self.find(name) {
            return found;
        }
        let bucket = Self::bucket(name);
        let new = Name(self.text.len() as u32);
        let link = Link { name: new, length: name.len() as u32, next: self.buckets[bucket] };
        self.buckets[bucket] = Some(u16::try_from(self.links.len()).expect("64 K names in the device tree"));
        self.links.push(link);
        self.text.extend_from_slice(name);
        self.text.push(0);
        new
    }

    fn bytes(&self, link: &Link) -> &[u8] {
        let start = link.name.0 as usize;
        &self.text[start..start + link.length as usize]
    }

    /// The block, as the flattened form wants it.
    pub fn block(&self) -> &[u8] {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_stored_once_and_found_again() {
        let mut names = Names::new();
        let reg = names.intern(b"reg");
        let long = names.intern(b"ibm,associativity-reference-points");
        assert_eq!(names.intern(b"reg"), reg);
        assert_eq!(names.find(b"ibm,associativity-reference-points"), Some(long));
        assert_eq!(names.find(b"re"), None);
        assert_eq!(names.block(), b"reg\0ibm,associativity-reference-points\0");
        assert_eq!(long.offset(), 4);
    }

    #[test]
    fn names_with_equal_ends_stay_apart() {
        let mut names = Names::new();
        let (long, short) = (names.intern(b"x,opal-available"), names.intern(b"y,opal-available"));
        assert_ne!(long, short);
        assert_eq!(names.find(b"x,opal-available"), Some(long));
        assert_eq!(names.find(b"y,opal-available"), Some(short));
    }
}
