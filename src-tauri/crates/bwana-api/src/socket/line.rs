//! One line at a time, and never more of one than is allowed.

use std::io;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};

/// Reads lines of a bounded length.
pub(super) struct Lines<R> {
    from: BufReader<R>,
    max_bytes: usize,
    line: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    Line(Vec<u8>),
    /// The other side is done.
    End,
    /// A line is longer than allowed; nothing sensible can be read after it.
    TooLong,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(from: R, max_bytes: usize) -> Self {
        Self {
            from: BufReader::new(from),
            max_bytes,
            line: Vec::new(),
        }
    }

    /// The next line without its end. Safe to drop in the middle: what was read is kept.
    pub(super) async fn next(&mut self) -> io::Result<Read> {
        loop {
            let piece = self.from.fill_buf().await?;
            if piece.is_empty() {
                let rest = std::mem::take(&mut self.line);
                return Ok(if rest.is_empty() {
                    Read::End
                } else {
                    Read::Line(rest)
                });
            }
            let end = piece.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(piece.len());
            if self.line.len() + taken > self.max_bytes {
                return Ok(Read::TooLong);
            }
            self.line.extend_from_slice(&piece[..taken]);
            self.from.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(Read::Line(std::mem::take(&mut self.line)));
            }
        }
    }
}

/// Writes a value as one line.
pub(super) async fn write<W: AsyncWrite + Unpin, T: Serialize>(
    to: &mut W,
    value: &T,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(value).map_err(io::Error::other)?;
    line.push(b'\n');
    to.write_all(&line).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_whole_and_a_long_one_ends_the_reading() {
        let mut lines = Lines::new(&b"one\n\ntwo\nfour4\nrest"[..], 4);
        assert_eq!(lines.next().await.unwrap(), Read::Line(b"one".to_vec()));
        assert_eq!(lines.next().await.unwrap(), Read::Line(Vec::new()));
        assert_eq!(lines.next().await.unwrap(), Read::Line(b"two".to_vec()));
        assert_eq!(lines.next().await.unwrap(), Read::TooLong);
        let mut lines = Lines::new(&b"rest"[..], 4);
        assert_eq!(lines.next().await.unwrap(), Read::Line(b"rest".to_vec()));
        assert_eq!(lines.next().await.unwrap(), Read::End);
    }
}
