//! xtask in the linker's place: trims what the compiler put behind functions, then calls `ld.lld`.
//!
//! For debuggers of other systems LLVM ends every 64-bit PowerPC function with an empty traceback table: 12 bytes of
//! zeros. No option leaves it out. The objects have a section for each function, so it can be cut off before linking:
//! 3 % of the image.

use anyhow::{Context, Result};
use object::{
    Endianness, Object, ObjectSection, SectionFlags, SectionKind,
    read::elf::{ElfFile64, FileHeader},
};
use std::{
    env, fs,
    path::Path,
    process::{Command, ExitCode},
};

/// Names the real linker, and by that says that xtask is called as one.
pub const LINKER: &str = "OPALITE_LINKER";

const TRACEBACK: usize = 12;
/// Place of `sh_size` in a section's header, and the header's size.
const SIZE_FIELD: u64 = 32;
const SECTION_HEADER: u64 = 64;

/// Links, if that is what xtask was called for.
pub fn run() -> Option<ExitCode> {
    let linker = env::var_os(LINKER)?;
    let mut arguments: Vec<_> = env::args_os().skip(1).collect();
    // For a linker that has several faces; ours has one.
    if arguments.first().is_some_and(|first| first == "-flavor") {
        arguments.drain(..2);
    }
    let link = || -> Result<i32> {
        for object in
            arguments.iter().map(Path::new).filter(|path| path.extension().is_some_and(|e| e == "o"))
        {
            let mut bytes = fs::read(object).with_context(|| format!("reading {}", object.display()))?;
            if trim(&mut bytes)? != 0 {
                fs::write(object, bytes).with_context(|| format!("writing {}", object.display()))?;
            }
        }
        let status = Command::new(&linker).args(&arguments).status().context("starting the linker")?;
        Ok(status.code().unwrap_or(1))
    };
    Some(match link() {
        Ok(code) => ExitCode::from(code as u8),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    })
}

/// Cuts the traceback tables off; tells how many there were.
fn trim(object: &mut [u8]) -> Result<usize> {
    let mut sizes = Vec::new();
    {
        let file = ElfFile64::<Endianness>::parse(&*object).context("not a 64-bit ELF object")?;
        let endian = file.endian();
        let headers = file.elf_header().e_shoff(endian);
        for section in file.sections().filter(|section| section.kind() == SectionKind::Text) {
            let data = section.data()?;
            let rest = data.len().saturating_sub(TRACEBACK);
            let own =
                section.name()?.starts_with(".text.") && matches!(section.flags(), SectionFlags::Elf { .. });
            if own
                && rest != 0
                && data[rest..].iter().all(|&byte| byte == 0)
                && section.relocations().all(|(offset, _)| offset < rest as u64)
            {
                sizes.push((headers + section.index().0 as u64 * SECTION_HEADER + SIZE_FIELD, rest as u64));
            }
        }
    }
    for &(place, size) in &sizes {
        let place = usize::try_from(place)?;
        object[place..place + 8].copy_from_slice(&size.to_be_bytes());
    }
    Ok(sizes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::write::{Object as Writer, StandardSection};
    use object::{Architecture, BinaryFormat, Endianness};

    #[test]
    fn only_an_empty_table_behind_a_function_goes() {
        let mut writer = Writer::new(BinaryFormat::Elf, Architecture::PowerPc64, Endianness::Big);
        let blr = [0x4e, 0x80, 0, 0x20];
        for (name, body) in [
            ("traced", [&blr[..], &[0; 12]].concat()),
            ("bare", blr.to_vec()),
            ("words", [&blr[..], &[0; 11], &[1]].concat()),
            ("nothing", vec![0; 12]),
        ] {
            let section = writer.add_subsection(StandardSection::Text, name.as_bytes());
            writer.append_section_data(section, &body, 4);
        }
        let mut bytes = writer.write().unwrap();
        assert_eq!(trim(&mut bytes).unwrap(), 1);
        let file = ElfFile64::<Endianness>::parse(&*bytes).unwrap();
        let size = |name: &str| file.section_by_name(name).map(|section| section.size());
        assert_eq!(size(".text.traced"), Some(4));
        assert_eq!(
            (size(".text.bare"), size(".text.words"), size(".text.nothing")),
            (Some(4), Some(16), Some(12))
        );
        assert_eq!(trim(&mut bytes).unwrap(), 0, "once is enough");
    }
}
