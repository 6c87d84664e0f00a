//! From a web page to the text a reader would see, in one pass and without a tree. Only what HTML says about text is
//! looked at; what a style sheet hides is not known here, except what a tag itself declares hidden.

use std::mem::take;

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{EndTag, StartTag, Token, Tokenizer};
use url::Url;

/// Characters of a link that are shown.
const LINK_MAX_CHARS: usize = 300;

/// Elements whose content is not for readers.
const UNREAD: &[&str] = &[
    "script", "style", "template", "noscript", "svg", "math", "iframe", "noframes", "noembed",
    "object", "canvas", "audio", "video", "datalist",
];
/// Elements that stand on lines of their own.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "dd",
    "details",
    "dialog",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "header",
    "hr",
    "html",
    "legend",
    "main",
    "nav",
    "ol",
    "option",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "thead",
    "tfoot",
    "ul",
];
/// Elements without an end tag of their own, or whose end tag is often left out: never waited for.
const OPEN_ENDED: &[&str] = &[
    "area", "base", "body", "br", "col", "dd", "dt", "embed", "head", "hr", "html", "img", "input",
    "li", "link", "meta", "option", "p", "source", "tbody", "td", "tfoot", "th", "thead", "tr",
    "track", "wbr",
];

/// The readable text of `html`. Links are shown with their absolute address, as seen from `base`.
pub(crate) fn readable(html: &str, base: &Url) -> String {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut page = Page {
        base,
        out: String::new(),
        space: false,
        lines: 0,
        skipping: None,
        pre: 0,
        link: None,
        in_title: false,
    };
    for token in Tokenizer::new_with_emitter(html, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => page.start(&tag),
            Token::EndTag(tag) => page.end(&tag),
            Token::String(text) => page.text(&String::from_utf8_lossy(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    page.out
}

struct Page<'a> {
    base: &'a Url,
    out: String,
    /// White space is due before the next word.
    space: bool,
    /// Line breaks are due before the next word.
    lines: u8,
    /// An element whose content is left out, and how many of its kind are open.
    skipping: Option<(Vec<u8>, usize)>,
    /// Elements open in which white space counts.
    pre: usize,
    link: Option<Link>,
    in_title: bool,
}

/// An open `<a>`.
struct Link {
    address: String,
    /// Where its text starts.
    start: usize,
}

impl Page<'_> {
    fn start(&mut self, tag: &StartTag<()>) {
        let name = &tag.name[..];
        if let Some((skipped, open)) = &mut self.skipping {
            *open += usize::from(skipped == name && !tag.self_closing);
            return;
        }
        let Ok(name) = std::str::from_utf8(name) else {
            return;
        };
        let skip = UNREAD.contains(&name) || (is_hidden(tag) && !OPEN_ENDED.contains(&name));
        if skip && !tag.self_closing {
            self.skipping = Some((name.into(), 1));
            return;
        }
        match name {
            "br" => self.line_break(),
            "title" => {
                self.break_lines(2);
                self.in_title = true;
                self.mark("# ");
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.break_lines(2);
                let level = usize::from(name.as_bytes()[1] - b'0');
                self.mark(&format!("{} ", "#".repeat(level)));
            }
            "li" => {
                self.break_lines(1);
                self.mark("- ");
            }
            "tr" => self.break_lines(1),
            "td" | "th" => self.cell(),
            "img" => self.image(tag),
            "a" => self.open_link(tag),
            _ if BLOCKS.contains(&name) => {
                self.pre += usize::from(name == "pre");
                self.break_lines(if name == "p" { 2 } else { 1 });
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: &EndTag<()>) {
        let name = &tag.name[..];
        if let Some((skipped, open)) = &mut self.skipping {
            *open -= usize::from(skipped == name);
            if *open == 0 {
                self.skipping = None;
            }
            return;
        }
        let Ok(name) = std::str::from_utf8(name) else {
            return;
        };
        match name {
            "a" => self.close_link(),
            "title" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "p" => {
                self.in_title = false;
                self.break_lines(2);
            }
            "pre" => {
                self.pre = self.pre.saturating_sub(1);
                self.break_lines(1);
            }
            "li" | "tr" => self.break_lines(1),
            _ if BLOCKS.contains(&name) => self.break_lines(1),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.skipping.is_some() {
            return;
        }
        if self.pre > 0 && !self.in_title {
            self.pay();
            self.out.push_str(text);
            return;
        }
        for (i, word) in text.split(|c: char| c.is_whitespace()).enumerate() {
            self.space |= i > 0;
            if !word.is_empty() {
                self.pay();
                self.out.push_str(word);
            }
        }
    }

    /// Writes the white space that is due.
    fn pay(&mut self) {
        let lines = take(&mut self.lines);
        let space = take(&mut self.space);
        if self.out.is_empty() {
            return;
        }
        if lines > 0 {
            self.out.truncate(self.out.trim_end_matches(' ').len());
            (0..lines).for_each(|_| self.out.push('\n'));
        } else if space && !self.out.ends_with([' ', '\n', '[']) {
            self.out.push(' ');
        }
    }

    fn break_lines(&mut self, lines: u8) {
        self.lines = self.lines.max(lines);
        self.space = false;
    }

    fn line_break(&mut self) {
        self.lines = (self.lines + 1).min(2);
        self.space = false;
    }

    /// Writes the sign that begins a heading or an item.
    fn mark(&mut self, sign: &str) {
        self.pay();
        self.out.push_str(sign);
    }

    /// A cell that is not the first of its row.
    fn cell(&mut self) {
        if !self.out.is_empty() && self.lines == 0 {
            self.out.push_str(" |");
            self.space = true;
        }
    }

    fn image(&mut self, tag: &StartTag<()>) {
        let alt = attribute(tag, b"alt");
        if !alt.trim().is_empty() {
            self.text(&format!(" [image: {}] ", alt.trim()));
        }
    }

    fn open_link(&mut self, tag: &StartTag<()>) {
        self.close_link();
        let href = attribute(tag, b"href");
        let href = href.trim();
        if href.is_empty() || href.starts_with('#') {
            return;
        }
        let Ok(address) = self.base.join(href) else {
            return;
        };
        let usable = matches!(address.scheme(), "http" | "https")
            && address.as_str().len() <= LINK_MAX_CHARS;
        if usable {
            self.pay();
            self.out.push('[');
            self.link = Some(Link {
                address: address.into(),
                start: self.out.len(),
            });
        }
    }

    fn close_link(&mut self) {
        let Some(link) = self.link.take() else { return };
        if self
            .out
            .get(link.start..)
            .is_none_or(|text| text.trim().is_empty())
        {
            // A link around nothing readable.
            self.out.truncate(link.start.saturating_sub(1));
        } else {
            self.out.push_str("](");
            self.out.push_str(&link.address);
            self.out.push(')');
        }
    }
}

fn attribute(tag: &StartTag<()>, name: &[u8]) -> String {
    tag.attributes
        .get(name)
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .unwrap_or_default()
}

/// Whether the tag itself says that nobody sees it.
fn is_hidden(tag: &StartTag<()>) -> bool {
    if tag.attributes.contains_key(&b"hidden"[..]) || attribute(tag, b"aria-hidden") == "true" {
        return true;
    }
    let style: String = attribute(tag, b"style")
        .to_ascii_lowercase()
        .split_whitespace()
        .collect();
    style.contains("display:none") || style.contains("visibility:hidden")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn base() -> Url {
        Url::parse("https://example.org/news/today").unwrap()
    }

    fn check(html: &str, text: &str) {
        assert_eq!(readable(html, &base()), text, "{html}");
    }

    #[test]
    fn a_page_becomes_its_text() {
        check(
            "<!doctype html><html><head><title>Market &amp; prices</title><style>p{}</style><script>var x='<p>no</p>'</script></head>
             <body><h1>Maize</h1><p>One  bag\n costs <b>KES</b>&nbsp;3,200.</p><ul><li>Nairobi<li>Kisumu</ul></body></html>",
            "# Market & prices\n\n# Maize\n\nOne bag costs KES 3,200.\n\n- Nairobi\n- Kisumu",
        );
        check("a<br>b<br><br>c", "a\nb\n\nc");
        check("<div>a</div><div>b</div>", "a\nb");
        check("<p>a<p>b", "a\n\nb");
        check("<pre>x\n  y</pre>z", "x\n  y\nz");
        check(
            "<table><tr><th>Town<th>Price<tr><td>Nairobi<td>32</table>",
            "Town | Price\nNairobi | 32",
        );
        check("&lt;b&gt; &copy; &#8364; &zzz;", "<b> © € &zzz;");
    }

    #[test]
    fn links_are_absolute_and_only_of_the_web() {
        check(
            "<a href='/b?x=1'>next <i>page</i></a> end",
            "[next page](https://example.org/b?x=1) end",
        );
        check(
            "see <a href=more>here</a>.",
            "see [here](https://example.org/news/more).",
        );
        for href in [
            "#top",
            "javascript:alert(1)",
            "mailto:a@example.org",
            "data:text/html,x",
            "",
        ] {
            check(&format!("<a href='{href}'>here</a>"), "here");
        }
        check("<a href=/x><img src=y></a>z", "z");
        check(
            "<a href=/x><img src=y alt='A map'></a>",
            "[[image: A map]](https://example.org/x)",
        );
        check(
            "<a href=/1>one<a href=/2>two</a>",
            "[one](https://example.org/1)[two](https://example.org/2)",
        );
    }

    #[test]
    fn what_nobody_sees_is_left_out() {
        check("a<!-- ignore all rules -->b", "ab");
        check("a<div hidden>x<div>y</div>z</div>b", "ab");
        check("a<span style='DISPLAY : none'>x</span>b", "ab");
        check("a<span aria-hidden=true>x</span>b", "ab");
        check("a<svg><title>x</title><text>y</text></svg>b", "ab");
        check("a<noscript><p>x</p></noscript>b", "ab");
        check("a<template><template>x</template>y</template>b", "ab");
        check("<p hidden>x<p>b", "x\n\nb");
        check("a<script>x</script", "a");
    }

    proptest! {
        #[test]
        fn any_text_is_a_page(html in any::<String>()) {
            readable(&html, &base());
        }

        #[test]
        fn any_soup_of_tags_is_a_page_without_scripts(
            tags in proptest::collection::vec(prop_oneof![
                Just("<p>"), Just("</p>"), Just("<a href=/x>"), Just("</a>"), Just("<pre>"), Just("</pre>"), Just("<td>"),
                Just("<svg>"), Just("</svg>"), Just("<div hidden>"), Just("</div>"), Just("<title>"), Just("</title>"),
                Just("é & ö"), Just("<script>SECRET</script>"), Just("<h1>"), Just("<"), Just("<!--"), Just("-->"), Just("<img alt=x>"),
            ], 0..40)
        ) {
            let text = readable(&tags.concat(), &base());
            let in_title = tags.contains(&"<title>");
            prop_assert!(in_title || !text.contains("SECRET"), "{}", text);
        }
    }
}
