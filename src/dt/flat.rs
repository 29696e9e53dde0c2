//! The flattened form, read as a sequence of events (Devicetree Specification 0.4, chapter 5).
//!
//! Not by a crate: building the editable tree from the machine's and writing it out again took 4.5 million
//! instructions with `dtoolkit` for a tree of powernv9's size, more than the whole boot may cost; this takes a
//! tenth of that.

use crate::error::{Error, Result, why};

/// First word of a blob.
pub const MAGIC: u32 = 0xd00d_feed;
/// A node begins; its name follows.
pub const BEGIN_NODE: u32 = 1;
/// A node ends.
pub const END_NODE: u32 = 2;
/// A property: length, offset of its name, value.
pub const PROPERTY: u32 = 3;
/// Nothing.
pub const NOP: u32 = 4;
/// End of the structure block.
pub const END: u32 = 9;

/// What the structure block holds, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A node begins. The root has an empty name.
    Begin(&'a [u8]),
    /// A property of the node that began last.
    Property(&'a [u8], &'a [u8]),
    /// The node ends.
    End,
}

/// Reads events from a blob.
pub struct Events<'a> {
    structure: &'a [u8],
    strings: &'a [u8],
    at: usize,
}

const BROKEN: Error = Error::Parameter(why("device tree blob"));

fn word(bytes: &[u8], at: usize) -> Result<u32> {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).ok_or(BROKEN)?;
    Ok(u32::from_be_bytes(*bytes))
}

fn text(bytes: &[u8], at: usize) -> Result<&[u8]> {
    let rest = bytes.get(at..).ok_or(BROKEN)?;
    let length = rest.iter().position(|&byte| byte == 0).ok_or(BROKEN)?;
    Ok(&rest[..length])
}

impl<'a> Events<'a> {
    /// Starts at the root of a blob.
    ///
    /// # Errors
    /// `Parameter` when that isn't a blob that a reader of version 17 understands.
    pub fn new(blob: &'a [u8]) -> Result<Self> {
        let header = |index: usize| word(blob, 4 * index);
        let block = |offset: usize, size: usize| -> Result<&'a [u8]> {
            let start = header(offset)? as usize;
            blob.get(start..start.checked_add(header(size)? as usize).ok_or(BROKEN)?).ok_or(BROKEN)
        };
        if header(0)? != MAGIC || header(6)? > 17 || header(5)? < 17 {
            return Err(BROKEN);
        }
        Ok(Self { structure: block(2, 9)?, strings: block(3, 8)?, at: 0 })
    }

    /// The next event; `None` at the end.
    ///
    /// # Errors
    /// `Parameter` when the blob is broken.
    pub fn next(&mut self) -> Result<Option<Event<'a>>> {
        loop {
            let token = word(self.structure, self.at)?;
            self.at += 4;
            match token {
                NOP => {}
                BEGIN_NODE => {
                    let name = text(self.structure, self.at)?;
                    self.at = (self.at + name.len() + 1).next_multiple_of(4);
                    return Ok(Some(Event::Begin(name)));
                }
                END_NODE => return Ok(Some(Event::End)),
                PROPERTY => {
                    let length = word(self.structure, self.at)? as usize;
                    let name = text(self.strings, word(self.structure, self.at + 4)? as usize)?;
                    let start = self.at + 8;
                    let value = self.structure.get(start..start + length).ok_or(BROKEN)?;
                    self.at = (start + length).next_multiple_of(4);
                    return Ok(Some(Event::Property(name, value)));
                }
                END => return Ok(None),
                _ => return Err(BROKEN),
            }
        }
    }
}
