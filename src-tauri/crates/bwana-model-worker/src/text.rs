//! Bytes of tokens into text that can be shown: whole characters only, and never past a stop text.
//! And where in a JSON text one stands. Pure; tokens and models are unknown here.

/// The longest run of bytes that can be the start of one UTF-8 character.
const CHARACTER_MAX_BYTES: usize = 4;

/// Collects the bytes of tokens and gives them back as text as soon as that is safe.
#[derive(Debug)]
pub(crate) struct TextOut {
    stops: Vec<String>,
    /// Bytes of a character that is not complete yet.
    bytes: Vec<u8>,
    /// Text that could be the beginning of a stop text.
    held: String,
    stopped: bool,
}

impl TextOut {
    pub(crate) fn new(stops: &[String]) -> Self {
        Self {
            stops: stops
                .iter()
                .filter(|stop| !stop.is_empty())
                .cloned()
                .collect(),
            bytes: Vec::new(),
            held: String::new(),
            stopped: false,
        }
    }

    /// Adds the bytes of one token; answers the text that can be shown now.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        if self.stopped {
            return String::new();
        }
        self.bytes.extend_from_slice(bytes);
        let whole = take_whole_characters(&mut self.bytes);
        self.held.push_str(&whole);
        self.release(false)
    }

    /// The rest, when no token follows. Half a character is shown as a replacement character.
    pub(crate) fn finish(&mut self) -> String {
        if self.stopped {
            return String::new();
        }
        if !self.bytes.is_empty() {
            self.bytes.clear();
            self.held.push(char::REPLACEMENT_CHARACTER);
        }
        self.release(true)
    }

    /// Whether a stop text was met; what came after it is gone.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    fn release(&mut self, all: bool) -> String {
        let found = self
            .stops
            .iter()
            .filter_map(|stop| self.held.find(stop.as_str()))
            .min();
        if let Some(at) = found {
            self.stopped = true;
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        let keep = if all { 0 } else { self.possible_stop_bytes() };
        let rest = self.held.split_off(self.held.len() - keep);
        std::mem::replace(&mut self.held, rest)
    }

    /// Bytes at the end of `held` that are the beginning of a stop text.
    fn possible_stop_bytes(&self) -> usize {
        let longest = |stop: &String| {
            (1..stop.len())
                .rev()
                .filter(|n| stop.is_char_boundary(*n))
                .find(|n| self.held.ends_with(&stop[..*n]))
        };
        self.stops.iter().filter_map(longest).max().unwrap_or(0)
    }
}

/// Whether the end of a JSON text that is being written is inside a string.
#[derive(Debug, Default)]
pub(crate) struct JsonPlace {
    in_string: bool,
    escaped: bool,
}

impl JsonPlace {
    /// All marks of JSON are single bytes, and no byte of a longer character looks like one.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ => {}
            }
        }
    }

    pub(crate) fn in_string(&self) -> bool {
        self.in_string
    }
}

/// Takes every complete character off the front of `bytes`. A sequence that can never become a character gives one
/// replacement character, not one for each byte, so that the length a grammar promised still holds.
fn take_whole_characters(bytes: &mut Vec<u8>) -> String {
    let mut text = String::new();
    let mut from = 0;
    while from < bytes.len() {
        match std::str::from_utf8(&bytes[from..]) {
            Ok(rest) => {
                text.push_str(rest);
                from = bytes.len();
            }
            Err(error) => {
                let good = from + error.valid_up_to();
                text.push_str(&String::from_utf8_lossy(&bytes[from..good]));
                from = good;
                if error.error_len().is_none() {
                    break;
                }
                text.push(char::REPLACEMENT_CHARACTER);
                from += bad_sequence_bytes(&bytes[from..]);
            }
        }
    }
    bytes.drain(..from);
    text
}

/// The lead byte and the continuation bytes behind it.
fn bad_sequence_bytes(bytes: &[u8]) -> usize {
    let continuation = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
    1 + bytes[1..]
        .iter()
        .take(CHARACTER_MAX_BYTES - 1)
        .take_while(continuation)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes `pieces` one by one and compares what was shown after each.
    fn check(stops: &[&str], pieces: &[&[u8]], shown: &[&str], end: &str, stopped: bool) {
        let stops: Vec<String> = stops.iter().map(|s| (*s).to_owned()).collect();
        let mut out = TextOut::new(&stops);
        let got: Vec<String> = pieces.iter().map(|piece| out.push(piece)).collect();
        assert_eq!(got, shown);
        assert_eq!(out.finish(), end);
        assert_eq!(out.stopped(), stopped);
    }

    #[test]
    fn a_character_is_shown_once_it_is_whole() {
        check(
            &[],
            &[b"caf", b"\xc3", b"\xa9 \xe2", b"\x98", b"\x80!"],
            &["caf", "", "é ", "", "☀!"],
            "",
            false,
        );
    }

    #[test]
    fn bytes_that_are_no_character_become_one_replacement_each_sequence() {
        check(
            &[],
            &[b"a\xffb", b"\xed\xa0\x80c"],
            &["a\u{fffd}b", "\u{fffd}c"],
            "",
            false,
        );
        check(&[], &[b"x\xe2\x98"], &["x"], "\u{fffd}", false);
    }

    #[test]
    fn nothing_of_a_stop_text_is_ever_shown() {
        check(
            &["\nUser:", "END"],
            &[b"Hi\nUs", b"e", b"r: no"],
            &["Hi", "", ""],
            "",
            true,
        );
        check(
            &["\nUser:"],
            &[b"Hi\nUs", b"ers unite"],
            &["Hi", "\nUsers unite"],
            "",
            false,
        );
        check(&["END"], &[b"the E"], &["the "], "E", false);
        check(&["END"], &[b"END"], &[""], "", true);
        check(&["b", "ab"], &[b"xaby"], &["x"], "", true);
        check(&[""], &[b"abc"], &["abc"], "", false);
    }

    #[test]
    fn a_quote_ends_a_string_unless_it_is_escaped() {
        let check = |text: &str, expected: bool| {
            let mut place = JsonPlace::default();
            place.push(text.as_bytes());
            assert_eq!(place.in_string(), expected, "{text}");
        };
        check("", false);
        check("{\"a\":", false);
        check("{\"a\":\"x}", true);
        check(r#"{"a":"x\""#, true);
        check(r#"{"a":"x\\""#, false);
        check(r#""é☀\"#, true);
    }

    #[test]
    fn a_stop_text_may_itself_hold_split_characters() {
        check(
            &["☀x"],
            &[b"a\xe2\x98", b"\x80", b"y"],
            &["a", "", "☀y"],
            "",
            false,
        );
    }
}
