//! The picture: for each bridge a line of bus addresses, for each of its PEs the windows on it.

use super::axis::{Axis, BIT59, FOUR_GIB, M32, MSIS, WIDTH};
use super::svg::Svg;
use super::text::{Bridge, Table, View, Window};

const LEFT: f64 = 120.0;
const MARGIN: f64 = 20.0;
const PAGE: f64 = LEFT + WIDTH + 5.0 * MARGIN;
/// Where what is said of windows begins: lines may be long.
const WORDS: f64 = 2.0 * MARGIN;
const BAR: f64 = 18.0;
const LINE: f64 = 16.0;
/// The narrowest box that can be seen.
const THIN: f64 = 2.0;

/// Draws a text.
pub fn draw(view: &View) -> String {
    let mut svg = Svg::default();
    let mut y = MARGIN + 14.0;
    svg.text("title", (MARGIN, y), "start", "DMA windows on the bus");
    y += LINE;
    svg.text("small", (MARGIN, y), "start", &subtitle(view));
    y += LINE;
    legend(&mut svg, y);
    y += 2.0 * LINE;
    for bridge in view.bridges.iter().filter(|bridge| !bridge.windows.is_empty()) {
        y = draw_bridge(&mut svg, bridge, y);
    }
    let closed: Vec<_> = view
        .bridges
        .iter()
        .filter(|bridge| bridge.windows.is_empty())
        .map(|bridge| format!("{} ({})", bridge.id, bridge.state))
        .collect();
    if !closed.is_empty() {
        svg.text("", (MARGIN, y), "start", &format!("No window is open on bridge {}", closed.join(", ")));
        y += LINE;
    }
    if view.truncated {
        svg.text(
            "head",
            (MARGIN, y),
            "start",
            "There are more windows than the firmware's text had room for",
        );
        y += LINE;
    }
    svg.finish("DMA windows on the bus", PAGE, y + MARGIN - LINE / 2.0)
}

fn subtitle(view: &View) -> String {
    let mut words = format!("update {} of the firmware's text", view.update);
    if let Some(pool) = view.pool.filter(|pool| pool.total != 0) {
        words += &format!(
            "; of {} for tables {} are in use",
            size(pool.total.into()),
            size(pool.total.saturating_sub(pool.free).into())
        );
    }
    words
}

fn legend(svg: &mut Svg, y: f64) {
    let keys = [
        ("w0", "window 0"),
        ("w1", "window 1"),
        ("m32", "M32: BARs, devices answer first"),
        ("msi", "32-bit MSIs: a hole in window 0"),
    ];
    let mut x = MARGIN;
    for (class, name) in keys {
        svg.rect(class, (x, y - 9.0), (14.0, 10.0), "");
        svg.text("small", (x + 19.0, y), "start", name);
        x += 45.0 + 5.3 * name.len() as f64;
    }
}

fn draw_bridge(svg: &mut Svg, bridge: &Bridge, mut y: f64) -> f64 {
    let axis = Axis { four_gib: bridge.four_gib };
    let mode = if bridge.four_gib { "4 GiB mode" } else { "bit-59 mode" };
    let mut words = format!("Bridge {} on chip {}: {mode}, {}", bridge.id, bridge.chip, bridge.state);
    if bridge.faults != 0 {
        words += &format!(", {} DMA faults", bridge.faults);
    }
    svg.text("head", (MARGIN, y), "start", &words);
    y += LINE;
    for (address, name) in axis.marks() {
        svg.text("small", (LEFT + axis.at(address), y), "middle", name);
    }
    y += 5.0;
    let mut pes: Vec<_> = bridge.windows.iter().map(|window| window.pe).collect();
    pes.sort_unstable();
    pes.dedup();
    for pe in pes {
        let windows: Vec<_> = bridge.windows.iter().filter(|window| window.pe == pe).collect();
        y = draw_pe(svg, axis, pe, &windows, y);
    }
    y + LINE
}

fn draw_pe(svg: &mut Svg, axis: Axis, pe: u64, windows: &[&Window], y: f64) -> f64 {
    // Linux names PEs in hexadecimal.
    svg.text("", (MARGIN, y + 13.0), "start", &format!("PE {pe} ({pe:#x})"));
    svg.rect("track", (LEFT, y), (WIDTH, BAR), "");
    for window in windows {
        let (first, last) = (axis.at(window.range.0), axis.at(window.range.1));
        let class = if window.index == 0 { "w0" } else { "w1" };
        let height = BAR - 4.0;
        svg.rect(class, (LEFT + first, y + 2.0), ((last - first).max(THIN), height), &describe(window));
    }
    let hole = (axis.at(MSIS), axis.at(FOUR_GIB));
    svg.rect("m32", (LEFT + axis.at(M32), y + 1.0), (hole.1 - axis.at(M32), BAR - 2.0), "M32");
    svg.rect("msi", (LEFT + hole.0, y), (hole.1 - hole.0, BAR), "32-bit MSIs");
    if !axis.four_gib {
        svg.down("mark", (LEFT + axis.at(BIT59), y - 3.0), BAR + 6.0);
    }
    let mut y = y + BAR + 13.0;
    for window in windows {
        svg.text("mono", (WORDS, y), "start", &describe(window));
        y += LINE;
    }
    y
}

/// A window in one line.
fn describe(window: &Window) -> String {
    let (first, last) = window.range;
    let bytes = size(u128::from(last) - u128::from(first) + 1);
    let what = match window.table {
        None => format!("{bytes} bypass"),
        Some(Table { page, levels, level_bytes, address }) => format!(
            "{bytes}, pages of {}, {levels} level{} of {} at {address:#x}",
            size(page.into()),
            if levels == 1 { "" } else { "s" },
            size(level_bytes.into())
        ),
    };
    let owner = match window.firmware {
        None => "OS".into(),
        Some((None, _)) => "firmware".into(),
        Some((Some(handle), 1)) => format!("firmware {handle:#x}"),
        Some((Some(handle), slots)) => format!("firmware {handle:#x} in {slots} slots"),
    };
    format!("{}: {first:#x}-{last:#x} {what}; {owner}", window.index)
}

/// Bytes in the largest unit that leaves a whole number.
fn size(bytes: u128) -> String {
    const UNITS: [&str; 7] = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = if bytes == 0 { 0 } else { (bytes.trailing_zeros() / 10).min(6) };
    format!("{} {}", bytes >> (10 * unit), UNITS[unit as usize])
}

#[cfg(test)]
mod tests {
    use super::super::text;
    use super::*;

    const TEXT: &str = "opalite-dma-windows 1 update 17\n\
        pool total 8388608 free 7340032 donated 0 extents 1\n\
        phb 0 chip 0 mode bit59 pes 512 faults 2 lost 0 state working\n\
        window phb 0 pe 509 index 0 range 0x0-0x7fffffff page 0x10000 levels 1 level-bytes 0x40000 table 0x3c000000 owner os\n\
        window phb 0 pe 509 index 1 range 0x800000000000000-0x80000003effffff bypass owner os\n\
        phb 1 chip 0 mode bit59 pes 256 faults 0 lost 0 state blocked\n\
        phb 3 chip 1 mode 4gib pes 256 faults 0 lost 0 state working\n\
        window phb 3 pe 2 index 1 range 0x100000000-0x1ffffffffff page 0x10000 levels 3 level-bytes 0x2000 \
        table 0x3f200000 owner firmware handle 0x100000001 shared 2\n\
        end 17";

    /// Boxes of a class: left, top, width, height.
    fn boxes(picture: &str, class: &str) -> Vec<[f64; 4]> {
        let of = |line: &str, name: &str| -> f64 {
            let (_, rest) = line.split_once(&format!(" {name}=\"")).unwrap();
            rest.split_once('"').unwrap().0.parse().unwrap()
        };
        picture
            .lines()
            .filter(|line| line.starts_with(&format!("<rect class=\"{class}\" x=")))
            .map(|line| ["x", "y", "width", "height"].map(|name| of(line, name)))
            .collect()
    }

    fn words(picture: &str) -> Vec<&str> {
        let texts = picture.lines().filter(|line| line.starts_with("<text "));
        texts.map(|line| line.split_once('>').unwrap().1.trim_end_matches("</text>")).collect()
    }

    #[test]
    fn windows_lie_where_their_addresses_are() {
        let picture = draw(&text::parse(TEXT).unwrap());
        // The first box of each is the legend's.
        let (zeros, ones, msis) = (boxes(&picture, "w0"), boxes(&picture, "w1"), boxes(&picture, "msi"));
        assert_eq!((zeros.len(), ones.len(), msis.len()), (2, 3, 3));
        assert_eq!([zeros[1][0], zeros[1][2]], [120.0, 150.0]);
        // 1 GiB less 16 MiB: just short of 390 + 59.4.
        assert_eq!([ones[1][0], ones[1][2]], [510.0, 59.3]);
        assert_eq!(ones[1][1], zeros[1][1], "both in one row");
        // The 4 GiB mode: from 250, nine of 27 powers.
        assert_eq!([ones[2][0], ones[2][2]], [370.0, 130.0]);
        assert!(ones[2][1] > ones[1][1]);
        assert_eq!([msis[1][0], msis[1][2]], [355.0, 15.0]);
        let height: f64 =
            picture.split_once("viewBox=\"0 0 860 ").unwrap().1.split_once('"').unwrap().0.parse().unwrap();
        assert!(height > ones[2][1] + BAR && height < 400.0, "{height}");
    }

    #[test]
    fn words_say_what_the_boxes_are() {
        let picture = draw(&text::parse(TEXT).unwrap());
        let words = words(&picture);
        for wanted in [
            "update 17 of the firmware's text; of 8 MiB for tables 1 MiB are in use",
            "Bridge 0 on chip 0: bit-59 mode, working, 2 DMA faults",
            "PE 509 (0x1fd)",
            "0: 0x0-0x7fffffff 2 GiB, pages of 64 KiB, 1 level of 256 KiB at 0x3c000000; OS",
            "1: 0x800000000000000-0x80000003effffff 1008 MiB bypass; OS",
            "Bridge 3 on chip 1: 4 GiB mode, working",
            "1: 0x100000000-0x1ffffffffff 2044 GiB, pages of 64 KiB, 3 levels of 8 KiB at 0x3f200000; firmware 0x100000001 \
             in 2 slots",
            "No window is open on bridge 1 (blocked)",
        ] {
            assert_eq!(words.iter().filter(|text| **text == wanted).count(), 1, "{wanted}: {words:#?}");
        }
        assert!(!picture.contains("more windows"));
        let cut = draw(&text::parse(&TEXT.replace("end 17", "truncated\nend 17")).unwrap());
        assert!(cut.contains("There are more windows than the firmware's text had room for"));
    }

    #[test]
    fn sizes_are_whole_numbers_of_a_unit() {
        let cases =
            [(0, "0 bytes"), (4096, "4 KiB"), (1 << 30, "1 GiB"), ((1 << 31) - (1 << 24), "2032 MiB")];
        for (bytes, wanted) in cases {
            assert_eq!(size(bytes), wanted);
        }
        assert_eq!(size(1 << 64), "16 EiB");
        assert_eq!(size(1 << 59), "512 PiB");
        assert_eq!(size(1025), "1025 bytes");
    }
}
