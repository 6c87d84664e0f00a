//! JSON lines, read incrementally: any split of the same bytes gives the same lines, and no line grows beyond its cap.
//! What a line means belongs to a dialect.
//!
//! Follows the ndjson description (one JSON value a line, ended by LF or CRLF). A line that the end of the stream cuts
//! off before its line end is still given; a blank line says nothing and counts as a keep-alive.

use std::ops::ControlFlow;

use crate::sse::{Item, TooLong};

/// The parser. Memory: at most the cap, for the line being collected.
#[derive(Debug)]
pub struct LineParser {
    max_bytes: usize,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    first_line: bool,
}

impl LineParser {
    /// `max_bytes` caps a line.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            line: Vec::new(),
            first_line: true,
        }
    }

    /// Reads `bytes`, giving each complete line to `on` until it breaks.
    ///
    /// # Errors
    /// [`TooLong`]; the parser is of no use afterwards.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        on: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, TooLong> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
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
        self.keep(bytes)?;
        Ok(ControlFlow::Continue(()))
    }

    /// The stream is over: gives what the last line was when it ended.
    ///
    /// # Errors
    /// [`TooLong`]
    pub fn finish(
        &mut self,
        on: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>,
    ) -> Result<(), TooLong> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            let _ = self.end_line(&line, on)?;
        }
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
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
        if line.len() > self.max_bytes {
            return Err(TooLong);
        }
        if std::mem::take(&mut self.first_line) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        let line = line.trim_ascii();
        Ok(if line.is_empty() {
            on(Item::Comment)
        } else {
            on(Item::Event {
                name: "",
                data: &crate::sse::text(line),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &[u8], expected: &str) {
        for size in [1, 2, 3, 1_000] {
            let mut parser = LineParser::new(16);
            let mut got = Vec::new();
            let mut on = |item: Item<'_>| {
                got.push(match item {
                    Item::Event { data, .. } => data.to_owned(),
                    Item::Comment => String::from("-"),
                });
                ControlFlow::Continue(())
            };
            let fed = text
                .chunks(size)
                .try_for_each(|piece| parser.feed(piece, &mut on).map(|_| ()))
                .and_then(|()| parser.finish(&mut on));
            if fed == Err(TooLong) {
                got.push(String::from("too long"));
            }
            assert_eq!(got.join("|"), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn lines_are_the_same_in_any_pieces() {
        check(b"{}\n[1]\r\n\n  \n\"x\"", "{}|[1]|-|-|\"x\"");
        check("\u{FEFF}{}\né\n".as_bytes(), "{}|é");
        check(b"", "");
        check(b"a\xFF\n", "a\u{FFFD}");
    }

    #[test]
    fn a_line_beyond_the_cap_is_refused_with_or_without_its_end() {
        check(b"{}\n12345678901234567\n{}\n", "{}|too long");
        check(b"{}\n12345678901234567", "{}|too long");
        check(b"1234567890123456\n{}", "1234567890123456|{}");
    }
}
