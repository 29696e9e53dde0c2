//! Finds floating-point and vector instructions in the image. Those registers are the OS's: firmware that touches one
//! corrupts a user's process. Power ISA 3.1B, appendix "opcode maps".

use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolKind, elf::SHF_EXECINSTR};

/// Extended opcodes under primary opcode 31 that name a floating-point, vector or VSX register.
const UNDER_31: &[(u32, &str)] = &[
    (6, "lvsl"),
    (7, "lvebx"),
    (12, "lxsiwzx"),
    (13, "lxvrbx"),
    (38, "lvsr"),
    (39, "lvehx"),
    (45, "lxvrhx"),
    (51, "mfvsrd"),
    (71, "lvewx"),
    (76, "lxsiwax"),
    (77, "lxvrwx"),
    (103, "lvx"),
    (109, "lxvrdx"),
    (115, "mfvsrwz"),
    (135, "stvebx"),
    (140, "stxsiwx"),
    (141, "stxvrbx"),
    (167, "stvehx"),
    (173, "stxvrhx"),
    (177, "xxmfacc"),
    (179, "mtvsrd"),
    (199, "stvewx"),
    (205, "stxvrwx"),
    (211, "mtvsrwa"),
    (231, "stvx"),
    (237, "stxvrdx"),
    (243, "mtvsrwz"),
    (268, "lxvx"),
    (269, "lxvl"),
    (300, "lxvx"),
    (301, "lxvll"),
    (307, "mfvsrld"),
    (332, "lxvdsx"),
    (333, "lxvpx"),
    (359, "lvxl"),
    (364, "lxvwsx"),
    (396, "stxvx"),
    (397, "stxvl"),
    (403, "mtvsrws"),
    (429, "stxvll"),
    (435, "mtvsrdd"),
    (461, "stxvpx"),
    (487, "stvxl"),
    (524, "lxsspx"),
    (535, "lfsx"),
    (567, "lfsux"),
    (588, "lxsdx"),
    (599, "lfdx"),
    (631, "lfdux"),
    (652, "stxsspx"),
    (663, "stfsx"),
    (695, "stfsux"),
    (716, "stxsdx"),
    (727, "stfdx"),
    (759, "stfdux"),
    (780, "lxvw4x"),
    (781, "lxsibzx"),
    (791, "lfdpx"),
    (812, "lxvh8x"),
    (813, "lxsihzx"),
    (844, "lxvd2x"),
    (855, "lfiwax"),
    (876, "lxvb16x"),
    (887, "lfiwzx"),
    (908, "stxvw4x"),
    (909, "stxsibx"),
    (919, "stfdpx"),
    (940, "stxvh8x"),
    (941, "stxsihx"),
    (972, "stxvd2x"),
    (983, "stfiwx"),
    (1004, "stxvb16x"),
];

/// What a word would do to floating-point or vector state; `None` for everything else.
pub fn offence(word: u32) -> Option<&'static str> {
    match word >> 26 {
        // A prefix of POWER10: nothing that also runs on POWER8 has one.
        1 => Some("a prefixed instruction"),
        // maddhd, maddhdu and maddld are the three integer instructions here.
        4 => (!matches!(word & 0x3f, 48 | 49 | 51)).then_some("an AltiVec instruction"),
        6 => Some("lxvp/stxvp"),
        31 => {
            let extended = (word >> 1) & 0x3ff;
            UNDER_31.iter().find(|(opcode, _)| *opcode == extended).map(|(_, name)| *name)
        }
        48..=55 => Some("a floating-point load or store"),
        // 56 is lq, 58 is ld/ldu/lwa, 62 is std/stdu/stq: integers. 57 and 61 have no integer form.
        57 | 61 => Some("lfdp/lxsd/lxssp/stfdp/lxv/stxv"),
        59 | 63 => Some("a floating-point instruction"),
        60 => Some("a VSX instruction"),
        _ => None,
    }
}

/// What was looked at and what was found.
pub struct Findings {
    /// Words of code.
    pub words: usize,
    /// One line per offending word: address, function, word, what it is.
    pub offences: Vec<String>,
}

/// Looks through every executable section of a big-endian ELF file. What a symbol calls an object is data, not code.
pub fn scan(elf: &[u8]) -> Result<Findings> {
    let file = object::File::parse(elf).context("not an ELF file")?;
    let mut symbols: Vec<_> =
        file.symbols().filter(|symbol| !symbol.name().unwrap_or("").is_empty()).collect();
    symbols.sort_by_key(|symbol| symbol.address());
    let is_data = |address: u64| {
        symbols.iter().any(|symbol| {
            symbol.kind() == SymbolKind::Data
                && (symbol.address()..symbol.address() + symbol.size()).contains(&address)
        })
    };
    let mut findings = Findings { words: 0, offences: Vec::new() };
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
        if !sh_flags.contains(SHF_EXECINSTR) {
            continue;
        }
        for (word, address) in section.data()?.chunks_exact(4).zip((section.address()..).step_by(4)) {
            let word = u32::from_be_bytes(word.try_into().expect("four bytes"));
            findings.words += 1;
            if let Some(what) = offence(word)
                && !is_data(address)
            {
                let before = symbols.partition_point(|symbol| symbol.address() <= address);
                let name = before.checked_sub(1).and_then(|index| symbols[index].name().ok()).unwrap_or("?");
                let name = rustc_demangle::demangle(name);
                findings.offences.push(format!("{address:#x} in {name:#}: {word:08x} is {what}"));
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_instructions_pass() {
        let integer: &[(u32, &str)] = &[
            (0x6000_0000, "nop"),
            (0x7c08_02a6, "mflr r0"),
            (0xf801_0010, "std r0,16(r1)"),
            (0xf821_ff91, "stdu r1,-112(r1)"),
            (0xf8c5_0002, "stq r6,0(r5)"),
            (0xe861_0020, "ld r3,32(r1)"),
            (0xe863_0022, "lwa r3,32(r3)"),
            (0xe0c5_0000, "lq r6,0(r5)"),
            (0x7c63_202a, "ldx r3,r3,r4"),
            (0x7c60_2eea, "ldcix r3,0,r5"),
            (0x7c60_2fea, "stdcix r3,0,r5"),
            (0x7c60_2eaa, "lbzcix r3,0,r5"),
            (0x7c60_2faa, "stbcix r3,0,r5"),
            (0x7c00_04ac, "sync"),
            (0x7c00_27ac, "icbi"),
            (0x4e80_0020, "blr"),
            (0x4c00_0224, "hrfid"),
            (0x7c64_2378, "mr r4,r3"),
            (0x1064_29b3, "maddld"),
            (0x7c63_29d2, "mulld"),
            (0x7c60_00a6, "mfmsr"),
            (0x7c60_0164, "mtmsrd"),
        ];
        for (word, name) in integer {
            assert_eq!(offence(*word), None, "{name}");
        }
    }

    #[test]
    fn floating_point_and_vector_instructions_are_found() {
        let others: &[(u32, &str)] = &[
            (0xc821_0010, "lfd f1,16(r1)"),
            (0xd821_0010, "stfd f1,16(r1)"),
            (0xc023_0000, "lfs f1,0(r3)"),
            (0xd023_0000, "stfs f1,0(r3)"),
            (0xfc21_102a, "fadd f1,f1,f2"),
            (0xec21_102a, "fadds f1,f1,f2"),
            (0xfc20_048e, "mffs f1"),
            (0x7c23_24ae, "lfdx f1,r3,r4"),
            (0x7c23_25ae, "stfdx f1,r3,r4"),
            (0x7c23_242e, "lfsx f1,r3,r4"),
            (0x7c23_27ae, "stfiwx f1,r3,r4"),
            (0x7c43_20ce, "lvx v2,r3,r4"),
            (0x7c43_21ce, "stvx v2,r3,r4"),
            (0x1042_1080, "vadduwm v2,v2,v2"),
            (0x1042_14c4, "vxor v2,v2,v2"),
            (0x7c23_2698, "lxvd2x vs1,r3,r4"),
            (0x7c23_2799, "stxvd2x vs33,r3,r4"),
            (0xf021_0cd0, "xxlxor"),
            (0x7c20_0166, "mtvsrd f1,r0"),
            (0x7c23_0066, "mfvsrd r3,f1"),
            (0x7c23_0266, "mfvsrld r3,f1"),
            (0xf423_0001, "lxv vs1,0(r3)"),
            (0xe423_0002, "lxsd v1,0(r3)"),
            (0x0600_0000, "a prefix"),
        ];
        for (word, name) in others {
            assert!(offence(*word).is_some(), "{name}");
        }
    }

    #[test]
    fn the_list_of_extended_opcodes_is_sorted_and_in_range() {
        assert!(UNDER_31.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(UNDER_31.iter().all(|(opcode, _)| *opcode < 1024));
    }

    /// A big-endian object file with these words as code, under a symbol, and one more word that is called data.
    fn file(words: &[u32]) -> Vec<u8> {
        use object::write::{Object, StandardSection, Symbol, SymbolSection};
        use object::{Architecture, BinaryFormat, Endianness, SymbolFlags, SymbolScope};
        let mut file = Object::new(BinaryFormat::Elf, Architecture::PowerPc64, Endianness::Big);
        let text = file.section_id(StandardSection::Text);
        let mut add = |name: &str, kind: SymbolKind, words: &[u32]| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            let value = file.append_section_data(text, &bytes, 4);
            file.add_symbol(Symbol {
                name: name.into(),
                value,
                size: bytes.len() as u64,
                kind,
                scope: SymbolScope::Linkage,
                weak: false,
                section: SymbolSection::Section(text),
                flags: SymbolFlags::None,
            });
        };
        add("work", SymbolKind::Text, words);
        add("table", SymbolKind::Data, &[0xc821_0010]);
        file.write().unwrap()
    }

    #[test]
    fn an_offence_is_reported_with_its_address_and_function_and_data_is_not() {
        let clean = scan(&file(&[0x6000_0000, 0x4e80_0020])).unwrap();
        assert_eq!((clean.words, clean.offences.len()), (3, 0));
        let found = scan(&file(&[0x6000_0000, 0xc821_0010, 0x4e80_0020])).unwrap();
        assert_eq!(found.offences, ["0x4 in work: c8210010 is a floating-point load or store"]);
    }
}
