//! As much of SVG as the picture needs. Looks are classes, so that one style sheet knows light and dark.

use std::fmt::Write;

const STYLE: &str = "\
text{font:12px sans-serif;fill:#1c1c1c}
.title{font-size:15px;font-weight:bold}.head{font-weight:bold}
.small{font-size:10px;fill:#555}.mono{font:10px monospace}
.page{fill:#fff}.track{fill:#f0f0f0;stroke:#999}
.w0{fill:#7fb3e6;stroke:#28588a}.w1{fill:#8fcf86;stroke:#2f6f2a}
.m32{fill:none;stroke:#b0722c;stroke-dasharray:3 2}.msi{fill:#f0b050;stroke:#8a5a10}
.mark{stroke:#999;stroke-width:1}
@media (prefers-color-scheme:dark){text{fill:#e4e4e4}.small{fill:#aaa}
.page{fill:#15181c}.track{fill:#252a30;stroke:#666}
.w0{fill:#28588a;stroke:#7fb3e6}.w1{fill:#2f6f2a;stroke:#8fcf86}
.m32{stroke:#e0a060}.msi{fill:#8a5a10;stroke:#f0b050}.mark{stroke:#666}}
";

/// A picture that grows.
#[derive(Default)]
pub struct Svg(String);

impl Svg {
    /// A box; `title` is what a pointer that rests on it is told.
    pub fn rect(&mut self, class: &str, place: (f64, f64), size: (f64, f64), title: &str) {
        let ((x, y), (width, height)) = (place, size);
        let title =
            if title.is_empty() { String::new() } else { format!("<title>{}</title>", escape(title)) };
        // Writing to a string doesn't fail.
        let _ = writeln!(
            self.0,
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}">{title}</rect>"#
        );
    }

    /// A line downwards.
    pub fn down(&mut self, class: &str, (x, y): (f64, f64), height: f64) {
        let end = y + height;
        let _ =
            writeln!(self.0, r#"<line class="{class}" x1="{x:.1}" y1="{y:.1}" x2="{x:.1}" y2="{end:.1}"/>"#);
    }

    /// Words. `anchor` is start, middle or end.
    pub fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: &str, words: &str) {
        let words = escape(words);
        let _ = writeln!(
            self.0,
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#
        );
    }

    /// The file.
    pub fn finish(self, title: &str, width: f64, height: f64) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\">\n<title>{}</title>\n\
             <style>\n{STYLE}</style>\n<rect class=\"page\" width=\"{width:.0}\" height=\"{height:.0}\"/>\n{}</svg>\n",
            escape(title),
            self.0
        )
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_xml_is_escaped() {
        let mut svg = Svg::default();
        svg.text("a", (1.0, 2.5), "start", "<\"&\">");
        svg.rect("b", (1.0, 2.0), (3.0, 4.0), "x & y");
        assert_eq!(
            svg.0,
            "<text class=\"a\" x=\"1.0\" y=\"2.5\" text-anchor=\"start\">&lt;&quot;&amp;&quot;&gt;</text>\n\
             <rect class=\"b\" x=\"1.0\" y=\"2.0\" width=\"3.0\" height=\"4.0\"><title>x &amp; y</title></rect>\n"
        );
    }
}
