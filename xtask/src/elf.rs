//! From the linked ELF file to the raw image, and what must be true of that file.

use anyhow::{Context, Result, bail};
use object::{
    Endian, Endianness, Object, ObjectSection,
    elf::{FileHeader64, PT_LOAD},
    read::elf::{ElfFile64, FileHeader, ProgramHeader},
};

/// The only relocation that the image applies to itself: store base + addend.
const R_PPC64_RELATIVE: u32 = 22;

/// The loadable bytes, each at its physical address less `load_address`. What has no bytes in the file (bss) at the end
/// isn't stored.
pub fn to_raw(elf: &[u8], load_address: u64) -> Result<Vec<u8>> {
    let header = FileHeader64::<Endianness>::parse(elf).context("not a 64-bit ELF file")?;
    let endian = header.endian()?;
    if endian.is_little_endian() {
        bail!("the ELF file is little-endian; the image must be big-endian");
    }
    let mut image = Vec::new();
    for segment in header.program_headers(endian, elf)? {
        if segment.p_type(endian) != PT_LOAD {
            continue;
        }
        let bytes = segment.data(endian, elf).ok().context("a segment lies outside of the file")?;
        let start = usize::try_from(
            segment.p_paddr(endian).checked_sub(load_address).context("below load address")?,
        )?;
        let end = start + bytes.len();
        if image.len() < end {
            image.resize(end, 0);
        }
        image[start..end].copy_from_slice(bytes);
    }
    if image.is_empty() {
        bail!("the ELF file has nothing to load");
    }
    Ok(image)
}

/// Counts the relocations that the image applies to itself: packed ones (`.relr.dyn`), which are RELATIVE by their
/// nature, and entries of `.rela.dyn`, where another type is an error. None at all is one too: an image with vtables has
/// some, so they would be in a section that this doesn't know.
pub fn relative_relocations(elf: &[u8]) -> Result<usize> {
    let file = ElfFile64::<Endianness>::parse(elf).context("not a 64-bit ELF file")?;
    let data = |name| file.section_by_name(name).map_or(Ok(&[][..]), |section| section.data());
    let (full, packed) = (data(".rela.dyn")?, data(".relr.dyn")?);
    let word = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
    for (index, entry) in full.chunks_exact(24).enumerate() {
        let (offset, kind) = (word(&entry[..8]), (word(&entry[8..16]) & 0xffff_ffff) as u32);
        if kind != R_PPC64_RELATIVE {
            bail!("entry {index} of .rela.dyn, for {offset:#x}, is of type {kind} and not R_PPC64_RELATIVE");
        }
    }
    let count =
        full.len() / 24 + packed.chunks_exact(8).map(|entry| packed_count(word(entry))).sum::<usize>();
    if count == 0 {
        bail!("neither .rela.dyn nor .relr.dyn has an entry");
    }
    Ok(count)
}

/// An even entry of `.relr.dyn` is one address; an odd one is a bitmap of the 63 words that follow.
fn packed_count(entry: u64) -> usize {
    if entry & 1 == 0 { 1 } else { (entry >> 1).count_ones() as usize }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A big-endian ELF file with one PT_LOAD per (physical address, bytes, memory size).
    fn file(segments: &[(u64, &[u8], u64)]) -> Vec<u8> {
        let mut elf = vec![0; 64 + 56 * segments.len()];
        elf[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 2, 1]);
        elf[18..20].copy_from_slice(&21u16.to_be_bytes());
        elf[32..40].copy_from_slice(&64u64.to_be_bytes());
        elf[52..54].copy_from_slice(&64u16.to_be_bytes());
        elf[54..56].copy_from_slice(&56u16.to_be_bytes());
        elf[56..58].copy_from_slice(&(segments.len() as u16).to_be_bytes());
        for (index, (address, bytes, memory)) in segments.iter().enumerate() {
            let (at, offset) = (64 + 56 * index, elf.len() as u64);
            elf[at..at + 4].copy_from_slice(&1u32.to_be_bytes());
            for (field, value) in
                [(8, offset), (16, address + 0x1000), (24, *address), (32, bytes.len() as u64), (40, *memory)]
            {
                elf[at + field..at + field + 8].copy_from_slice(&value.to_be_bytes());
            }
            elf.extend_from_slice(bytes);
        }
        elf
    }

    #[test]
    fn segments_land_at_their_physical_addresses_and_bss_is_left_out() {
        let elf = file(&[(0x10, b"late", 0x1000), (0, b"first", 5)]);
        let mut wanted = b"first".to_vec();
        wanted.resize(0x10, 0);
        wanted.extend_from_slice(b"late");
        assert_eq!(to_raw(&elf, 0).unwrap(), wanted);
    }

    #[test]
    fn an_address_below_the_load_address_or_a_wrong_byte_order_is_refused() {
        assert!(to_raw(&file(&[(0, b"x", 1)]), 0x100).is_err());
        let mut little = file(&[(0, b"x", 1)]);
        little[5] = 1;
        assert!(to_raw(&little, 0).is_err());
    }

    /// An object file with one section of this name.
    fn with_section(name: &str, words: &[u64]) -> Vec<u8> {
        use object::write::Object;
        let mut file =
            Object::new(object::BinaryFormat::Elf, object::Architecture::PowerPc64, object::Endianness::Big);
        let section = file.add_section(Vec::new(), name.into(), object::SectionKind::ReadOnlyData);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        file.append_section_data(section, &bytes, 8);
        file.write().unwrap()
    }

    #[test]
    fn relocations_are_counted_in_both_forms_and_another_type_is_refused() {
        assert_eq!(relative_relocations(&with_section(".rela.dyn", &[8, 22, 0, 16, 22, 0])).unwrap(), 2);
        assert_eq!(relative_relocations(&with_section(".relr.dyn", &[0x36448, 0b1011])).unwrap(), 3);
        let error = relative_relocations(&with_section(".rela.dyn", &[8, 22, 0, 16, 38, 0])).unwrap_err();
        assert!(error.to_string().contains("type 38"), "{error}");
        assert!(relative_relocations(&with_section(".text", &[0])).is_err());
    }
}
