//! Reading the kernel's ELF headers (crate `elf`).

use crate::error::{Error, Result, why};
use elf::abi::{EI_NIDENT, EM_PPC64, PT_LOAD};
use elf::endian::AnyEndian;
use elf::file::{Class, ELF64_EHDR_TAILSIZE, FileHeader, parse_ident};
use elf::parse::ParseAt;
use elf::segment::{ProgramHeader, SegmentTable};

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
    let header = header(file).ok_or(Error::Parameter(why("no 64-bit ELF file")))?;
    if header.e_machine != EM_PPC64 {
        return Err(Error::Parameter(why("not an ELF file for 64-bit POWER")));
    }
    if header.e_flags & 3 != ELFV2 {
        return Err(Error::Parameter(why("not an ELFv2 executable")));
    }
    let segments = segments(file, &header).ok_or(Error::Parameter(why("ELF file without segments")))?;
    let mut loadable = segments.iter().filter(|segment| segment.p_type == PT_LOAD && segment.p_memsz != 0);
    let segment = loadable.next().ok_or(Error::Parameter(why("ELF file without a loadable segment")))?;
    if loadable.next().is_some() {
        return Err(Error::Parameter(why("ELF file with several loadable segments")));
    }
    let entry = header.e_entry.wrapping_sub(segment.p_vaddr);
    let inside = segment
        .p_offset
        .checked_add(segment.p_filesz)
        .is_some_and(|end| end <= file.len() as u64 && segment.p_filesz <= segment.p_memsz);
    if !inside || entry >= segment.p_filesz {
        return Err(Error::Parameter(why("ELF file that is cut off")));
    }
    Ok(Image { offset: segment.p_offset, file_size: segment.p_filesz, memory_size: segment.p_memsz, entry })
}

/// The file's header. Only what a kernel needs is read: code for sections would be larger than all of this.
fn header(file: &[u8]) -> Option<FileHeader<AnyEndian>> {
    let ident = parse_ident::<AnyEndian>(file.get(..EI_NIDENT)?).ok()?;
    if ident.1 != Class::ELF64 {
        return None;
    }
    FileHeader::parse_tail(ident, file.get(EI_NIDENT..EI_NIDENT + ELF64_EHDR_TAILSIZE)?).ok()
}

fn segments<'a>(file: &'a [u8], header: &FileHeader<AnyEndian>) -> Option<SegmentTable<'a, AnyEndian>> {
    let start = usize::try_from(header.e_phoff).ok()?;
    let length = usize::from(header.e_phnum) * ProgramHeader::size_for(Class::ELF64);
    if usize::from(header.e_phentsize) != ProgramHeader::size_for(Class::ELF64) || length == 0 {
        return None;
    }
    Some(SegmentTable::new(header.endianness, Class::ELF64, file.get(start..start.checked_add(length)?)?))
}
