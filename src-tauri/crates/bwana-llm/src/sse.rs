//! Server-sent events, read incrementally: any split of the same bytes gives the same events, and no line or event
//! grows beyond its cap. What an event means belongs to a dialect.
//!
//! Follows the event-stream format of the HTML standard, section 9.2.6, with two liberties real servers need: an event
//! that the end of the stream cuts off before its blank line is still given, and a field named `error` (older
//! llama.cpp servers) is an event named `error`.

use std::borrow::Cow;
use std::ops::ControlFlow;

/// What a stream consists of.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    Event {
        name: &'a str,
        data: &'a str,
    },
    /// A keep-alive line. It proves a connection, not progress.
    Comment,
}

/// A line or event is longer than the cap; reading on would need unbounded memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// The parser. Memory: at most the cap for the line being collected and again for the event being collected.
#[derive(Debug)]
pub struct SseParser {
    max_bytes: usize,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    name: String,
    data: String,
    has_data: bool,
    after_cr: bool,
    first_line: bool,
}

impl SseParser {
    /// `max_bytes` caps a line and an event.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            line: Vec::new(),
            name: String::new(),
            data: String::new(),
            has_data: false,
            after_cr: false,
            first_line: true,
        }
    }

    /// Reads `bytes`, giving each complete item to `on` until it breaks.
    ///
    /// # Errors
    /// [`TooLong`]; the parser is of no use afterwards.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        on: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TooLong> {
        loop {
            if self.after_cr && !bytes.is_empty() {
                self.after_cr = false;
                if bytes[0] == b'\n' {
                    bytes = &bytes[1..];
                }
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) else {
                self.keep(bytes)?;
                return Ok(ControlFlow::Continue(()));
            };
            self.after_cr = bytes[end] == b'\r';
            let flow = if self.line.is_empty() {
                self.end_line(&bytes[..end], on)?
            } else {
                self.keep(&bytes[..end])?;
                let line = std::mem::take(&mut self.line);
                let flow = self.end_line(&line, on)?;
                self.line = line;
                self.line.clear();
                flow
            };
            if flow.is_break() {
                return Ok(flow);
            }
            bytes = &bytes[end + 1..];
        }
    }

    /// The stream is over: gives what the last line and event were when it ended.
    ///
    /// # Errors
    /// [`TooLong`]
    pub fn finish(
        &mut self,
        on: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>,
    ) -> Result<(), TooLong> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() && self.end_line(&line, on)?.is_break() {
            return Ok(());
        }
        let _ = self.dispatch(on);
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.first() == Some(&b':') {
            return Ok(()); // a comment says nothing, so nothing of it is kept
        }
        if self.line.is_empty() && bytes.first() == Some(&b':') {
            self.line.push(b':');
            return Ok(());
        }
        if self.line.len() + bytes.len() > self.max_bytes {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(
        &mut self,
        mut line: &[u8],
        on: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TooLong> {
        if std::mem::take(&mut self.first_line) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        match line.first() {
            None => return Ok(self.dispatch(on)),
            Some(b':') => return Ok(on(Item::Comment)),
            Some(_) => {}
        }
        if line.len() > self.max_bytes {
            return Err(TooLong);
        }
        let (field, value) = match line.iter().position(|b| *b == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => self.push_data(value)?,
            b"event" => self.name = text(value).into_owned(),
            b"error" => {
                self.name = String::from("error");
                self.push_data(value)?;
            }
            _ => {} // `id` and `retry` are for reconnecting, which a paid call must not do by itself
        }
        Ok(ControlFlow::Continue(()))
    }

    fn push_data(&mut self, value: &[u8]) -> Result<(), TooLong> {
        if self.data.len() + value.len() > self.max_bytes {
            return Err(TooLong);
        }
        if self.has_data {
            self.data.push('\n');
        }
        self.has_data = true;
        self.data.push_str(&text(value));
        Ok(())
    }

    fn dispatch(&mut self, on: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>) -> ControlFlow<()> {
        let flow = if self.has_data {
            on(Item::Event {
                name: &self.name,
                data: &self.data,
            })
        } else {
            ControlFlow::Continue(())
        };
        self.has_data = false;
        self.data.clear();
        self.name.clear();
        flow
    }
}

/// Lines are complete here, so a character is never cut; what is no UTF-8 becomes U+FFFD rather than an error.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    // The check of the standard library knows plain ASCII quickly, which its lossy reading does not.
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]], max_bytes: usize) -> Result<Vec<String>, TooLong> {
        let mut parser = SseParser::new(max_bytes);
        let mut items = Vec::new();
        let mut on = |item: Item<'_>| {
            items.push(match item {
                Item::Event { name, data } => format!("{name}|{data}"),
                Item::Comment => String::from(":"),
            });
            ControlFlow::Continue(())
        };
        for piece in pieces {
            let _ = parser.feed(piece, &mut on)?;
        }
        parser.finish(&mut on)?;
        Ok(items)
    }

    /// The same items must come out whole, byte by byte, and for every split in two.
    #[track_caller]
    fn check(stream: &str, items: &[&str]) {
        let bytes = stream.as_bytes();
        assert_eq!(read(&[bytes], 1_000).unwrap(), items, "whole");
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single, 1_000).unwrap(), items, "byte by byte");
        for at in 0..bytes.len() {
            let (a, b) = bytes.split_at(at);
            assert_eq!(read(&[a, b], 1_000).unwrap(), items, "split at {at}");
        }
    }

    #[test]
    fn all_three_line_ends_are_line_ends() {
        check("data: a\n\ndata: b\n\n", &["|a", "|b"]);
        check("data: a\r\n\r\ndata: b\r\n\r\n", &["|a", "|b"]);
        check("data: a\r\rdata: b\r\r", &["|a", "|b"]);
        check("data: a\r\n\ndata: b\n\r\n", &["|a", "|b"]);
    }

    #[test]
    fn fields_follow_the_standard() {
        check("event: x\ndata: 1\ndata: 2\n\n", &["x|1\n2"]);
        check("data:a\n\ndata:  b\n\n", &["|a", "| b"]);
        check("data\n\n", &["|"]);
        check("data:\n\n", &["|"]);
        check("event: x\n\ndata: 1\n\n", &["|1"]);
        check("id: 7\nretry: 5\nfoo: bar\ndata: 1\n\n", &["|1"]);
    }

    #[test]
    fn comments_are_seen_and_mean_nothing() {
        check(": ping\n\n:\ndata: a\n\n", &[":", ":", "|a"]);
    }

    #[test]
    fn a_byte_order_mark_counts_at_the_start_only() {
        check("\u{FEFF}data: a\n\n", &["|a"]);
        check("data: a\n\n\u{FEFF}data: b\n\n", &["|a"]);
    }

    #[test]
    fn characters_survive_any_split() {
        check("data: Habari 🌍 ñ\n\n", &["|Habari 🌍 ñ"]);
    }

    #[test]
    fn an_event_without_its_blank_line_is_given_at_the_end() {
        check("data: a", &["|a"]);
        check("data: a\n", &["|a"]);
    }

    #[test]
    fn an_error_field_is_an_error_event() {
        check("error: {\"code\":500}\n\n", &["error|{\"code\":500}"]);
    }

    #[test]
    fn what_is_no_utf8_is_replaced() {
        assert_eq!(read(&[b"data: a\xFFb\n\n"], 100).unwrap(), ["|a\u{FFFD}b"]);
    }

    #[test]
    fn lines_and_events_end_at_the_cap() {
        let line = format!("data: {}\n\n", "x".repeat(200));
        assert_eq!(read(&[line.as_bytes()], 100), Err(TooLong));
        let pieces: Vec<&[u8]> = line.as_bytes().chunks(7).collect();
        assert_eq!(read(&pieces, 100), Err(TooLong));
        let many = "data: xxxxxxxxxx\n".repeat(20);
        assert_eq!(read(&[many.as_bytes()], 100), Err(TooLong));
    }

    #[test]
    fn a_comment_of_any_length_needs_no_memory() {
        let comment = format!(":{}\ndata: a\n\n", "x".repeat(5_000));
        let pieces: Vec<&[u8]> = comment.as_bytes().chunks(64).collect();
        assert_eq!(read(&pieces, 100).unwrap(), [":", "|a"]);
    }
}
