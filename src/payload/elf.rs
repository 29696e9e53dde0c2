//! Reading the kernel's ELF headers (crate `elf`).

use crate::error::{Error, Result, why};
use elf::ElfBytes;
use elf::abi::{EM_PPC64, PT_LOAD};
use elf::endian::AnyEndian;

/// ABI version 2 in `e_flags`: the entry point is code, not a descriptor.
const ELFV2: u32 = 2;
/// A kernel may start at any multiple of this (`reference/linux-opal-contract.md` §1.1).
pub const KERNEL_ALIGN: u64 = 64 << 10;

/// A kernel that can start where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// Offset of the loadable segment in the file.
    pub offset: u64,
    /// Bytes of it in the file.
    pub file_size: u64,
    /// Bytes of it in memory, with bss.
    pub memory_size: u64,
    /// Entry point, from the segment's start.
    pub entry: u64,
}

/// Reads the headers of the ELF file in `file`.
///
/// # Errors
/// `Parameter` when it is no ELFv2 executable for 64-bit POWER with one loadable segment.
pub fn parse(file: &[u8]) -> Result<Image> {
    let elf = ElfBytes::<AnyEndian>::minimal_parse(file).map_err(|_| Error::Parameter(why("no ELF file")))?;
    if elf.ehdr.e_machine != EM_PPC64 {
        return Err(Error::Parameter(why("not an ELF file for 64-bit POWER")));
    }
    if elf.ehdr.e_flags & 3 != ELFV2 {
        return Err(Error::Parameter(why("not an ELFv2 executable")));
    }
    let segments = elf.segments().ok_or(Error::Parameter(why("ELF file without segments")))?;
    let mut loadable = segments.iter().filter(|segment| segment.p_type == PT_LOAD && segment.p_memsz != 0);
    let segment = loadable.next().ok_or(Error::Parameter(why("ELF file without a loadable segment")))?;
    if loadable.next().is_some() {
        return Err(Error::Parameter(why("ELF file with several loadable segments")));
    }
    let entry = elf.ehdr.e_entry.wrapping_sub(segment.p_vaddr);
    let inside = segment
        .p_offset
        .checked_add(segment.p_filesz)
        .is_some_and(|end| end <= file.len() as u64 && segment.p_filesz <= segment.p_memsz);
    if !inside || entry >= segment.p_filesz {
        return Err(Error::Parameter(why("ELF file that is cut off")));
    }
    Ok(Image { offset: segment.p_offset, file_size: segment.p_filesz, memory_size: segment.p_memsz, entry })
}
