//! From the bytes of an answer to text a model may read: compression, character set, characters that hide something.

use std::io::Read as _;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use flate2::read::MultiGzDecoder;

/// Bytes at the start of a page in which it may name its character set.
const CHARSET_PRESCAN_BYTES: usize = 1_024;

/// What came out of a compressed body.
pub(crate) struct Unpacked {
    pub(crate) bytes: Vec<u8>,
    /// There was more than `max`.
    pub(crate) cut: bool,
    /// The compressed data end too early or make no sense.
    pub(crate) damaged: bool,
}

/// Unpacks gzip up to `max` bytes, however much it would become.
pub(crate) fn gunzip(packed: &[u8], max: usize) -> Unpacked {
    let mut bytes = Vec::new();
    let mut reader = MultiGzDecoder::new(packed).take(max as u64 + 1);
    let damaged = reader.read_to_end(&mut bytes).is_err();
    let cut = bytes.len() > max;
    bytes.truncate(max);
    Unpacked {
        bytes,
        cut,
        damaged,
    }
}

/// Decodes `bytes` by their byte order mark, the declared character set, the page's own word, or what they look like.
/// `None` if it is no text.
pub(crate) fn decode(bytes: &[u8], declared: Option<&str>, is_html: bool) -> Option<String> {
    let by_mark = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    let encoding = by_mark
        .or_else(|| declared.and_then(|name| Encoding::for_label(name.as_bytes())))
        .or_else(|| if is_html { named_in_page(bytes) } else { None })
        .unwrap_or_else(|| guess(bytes));
    let (text, _, _) = encoding.decode(bytes);
    if text.contains('\0') {
        None
    } else {
        Some(without_tricks(&text))
    }
}

/// Well-formed UTF-8 is UTF-8, also if its last character is cut, provided that an earlier one shows what it is; anything
/// else is most likely Windows-1252.
fn guess(bytes: &[u8]) -> &'static Encoding {
    match std::str::from_utf8(bytes) {
        Ok(_) => UTF_8,
        Err(error) if error.error_len().is_none() && !bytes[..error.valid_up_to()].is_ascii() => {
            UTF_8
        }
        Err(_) => WINDOWS_1252,
    }
}

/// The value of the first `charset=` near the start of a page.
fn named_in_page(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(CHARSET_PRESCAN_BYTES)])
        .to_ascii_lowercase();
    let (_, rest) = start.split_once("charset=")?;
    let name: String = rest
        .trim_start_matches(['"', '\'', ' '])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || "-_:.".contains(*c))
        .collect();
    // A page that can be read this far is not UTF-16, whatever it says.
    Encoding::for_label(name.as_bytes()).map(Encoding::output_encoding)
}

/// Without characters that a person would not see but a model would read, and without control characters. Joiners and
/// variation selectors stay: scripts and emoji need them.
fn without_tricks(text: &str) -> String {
    let unseen = |c: char| {
        matches!(u32::from(c),
            0x00..=0x08 | 0x0B..=0x1F | 0x7F..=0x9F | 0xAD | 0x200B | 0x202A..=0x202E | 0x2060..=0x206F | 0xFEFF
            | 0xFFF9..=0xFFFB | 0xE0000..=0xE0FFF)
    };
    text.replace("\r\n", "\n")
        .replace('\r', "\n")
        .chars()
        .filter(|c| !unseen(*c))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn check(bytes: &[u8], declared: Option<&str>, text: Option<&str>) {
        assert_eq!(decode(bytes, declared, true).as_deref(), text, "{bytes:?}");
    }

    #[test]
    fn text_is_decoded_by_what_is_known_of_it() {
        check("é".as_bytes(), None, Some("é"));
        check(b"caf\xE9", None, Some("café"));
        check(b"caf\xE9", Some("ISO-8859-1"), Some("café"));
        check(b"caf\xE9", Some("no such set"), Some("café"));
        check(b"\xFF\xFEa\x00b\x00", Some("utf-8"), Some("ab"));
        check(b"\xEF\xBB\xBFa", None, Some("a"));
        check(
            b"<meta charset=\"windows-1251\">\xCF\xF0",
            None,
            Some("<meta charset=\"windows-1251\">Пр"),
        );
        check(
            b"<meta charset=utf-16>a",
            None,
            Some("<meta charset=utf-16>a"),
        );
        check(&"éé".as_bytes()[..3], None, Some("é\u{FFFD}"));
    }

    #[test]
    fn what_is_no_text_is_told_apart() {
        check(b"\x89PNG\r\n\x1a\n\x00\x00", None, None);
    }

    #[test]
    fn characters_only_a_model_would_see_are_dropped() {
        check(
            "a\u{E0069}\u{E0067}b\u{202E}c\u{200B}d\u{7}e".as_bytes(),
            None,
            Some("abcde"),
        );
        check(
            "می\u{200C}روم ❤\u{FE0F}\r\nx".as_bytes(),
            None,
            Some("می\u{200C}روم ❤\u{FE0F}\nx"),
        );
    }

    #[test]
    fn a_small_body_that_unpacks_without_end_is_cut() {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        writer.write_all(&vec![b'a'; 30_000_000]).unwrap();
        let packed = writer.finish().unwrap();
        assert!(packed.len() < 100_000);
        let whole = gunzip(&packed, 1_000);
        assert!(whole.cut && !whole.damaged && whole.bytes.len() == 1_000);
        let half = gunzip(&packed[..packed.len() / 2], 40_000_000);
        assert!(half.damaged && !half.cut && !half.bytes.is_empty());
        assert!(gunzip(b"no gzip", 10).damaged);
    }
}
