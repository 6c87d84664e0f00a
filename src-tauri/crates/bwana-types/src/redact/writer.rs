//! Redaction of what is written in pieces. What could still become part of a secret is held back until it is decided.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::scan::Class;
use super::{Before, Looked, Redactor, find};

/// How much of what has been passed on is kept, so that rules see what stands before.
const CONTEXT_BYTES: usize = 96;
/// Of these, what only serves to tell whether a word begins behind it.
const BEFORE_BYTES: usize = 16;
/// Held back at the end of what is no whole line: more than the longest beginning of a secret that is not yet one.
const HOLD_BYTES: usize = 320;
/// A look is taken at a line end, or when so much has come without one.
const LOOK_EVERY_BYTES: usize = 4 * 1024;
/// The longest piece that is held back because it is not decided. Longer ones go on under their mark.
const HOLD_MAX_BYTES: usize = 16 * 1024;

/// Passes on what it is given, without secrets. Whole lines pass at once; what has no line end yet, when it is decided,
/// and the rest with [`Self::finish`] or when the writer goes.
pub struct RedactWriter<W: Write> {
    redactor: Redactor,
    /// `None` once it is finished.
    inner: Option<W>,
    /// What has come and is not passed on, after up to [`CONTEXT_BYTES`] that are.
    buffer: Zeroizing<Vec<u8>>,
    /// How much of the buffer is passed on already.
    passed: usize,
    /// What the buffer begins with is not what everything began with.
    is_cut: bool,
    /// What was passed on last was the mark of a secret.
    is_after_secret: bool,
    /// How long the buffer was at the last look.
    looked: usize,
    /// A secret whose mark is written goes on for as long as bytes of this class come.
    inside: Option<Class>,
}

impl<W: Write> RedactWriter<W> {
    pub(super) fn new(redactor: Redactor, inner: W) -> Self {
        Self {
            redactor,
            inner: Some(inner),
            buffer: Zeroizing::default(),
            passed: 0,
            is_cut: false,
            is_after_secret: false,
            looked: 0,
            inside: None,
        }
    }

    /// Passes on what was held back and gives the inner writer.
    ///
    /// # Errors
    /// Those of the inner writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.pass(true)?;
        let inner = self.inner.take();
        let mut inner = inner.ok_or_else(|| io::Error::other("the writer is finished"))?;
        inner.flush()?;
        Ok(inner)
    }

    /// Passes on what is decided; `is_end`: everything is.
    fn pass(&mut self, is_end: bool) -> io::Result<()> {
        let Some(inner) = &mut self.inner else {
            return Ok(());
        };
        let known = self.redactor.known();
        let before = Before {
            from: if self.is_cut { BEFORE_BYTES } else { 0 },
            secret: self.is_after_secret.then_some(self.passed),
        };
        let looked = find(&known, &self.buffer, before);
        let cut = if is_end {
            self.buffer.len()
        } else {
            let line = self.buffer.iter().rposition(|b| *b == b'\n');
            let line = line
                .map(|at| at + 1)
                .filter(|end| !known.goes_on_after(&self.buffer[..*end]));
            let hold = HOLD_BYTES.max(known.longest);
            let far = self.buffer.len().saturating_sub(hold);
            cut(&looked, &self.buffer, line.unwrap_or(0).max(far))
        };
        let cut = cut.max(self.passed);
        let mut out = Zeroizing::new(Vec::with_capacity(cut - self.passed));
        let mut at = self.passed;
        for span in looked.spans.iter().filter(|span| span.start < cut) {
            if span.end <= at {
                continue;
            }
            out.extend_from_slice(&self.buffer[at..span.start.max(at)]);
            // Also if its beginning was passed on: it may have become known only now.
            span.write_mark(&self.buffer, &mut out);
            at = span.end;
            if span.end == self.buffer.len() && !is_end {
                self.inside = span.class;
            }
        }
        out.extend_from_slice(&self.buffer[at.min(cut)..cut]);
        let cut = cut.max(at);
        if cut > self.passed {
            self.is_after_secret = looked.spans.iter().any(|span| span.end == cut);
        }
        inner.write_all(&out)?;
        self.forget(cut);
        Ok(())
    }

    /// Everything up to `cut` is passed on; only its end is kept, to be seen by the rules.
    fn forget(&mut self, cut: usize) {
        let from = cut.saturating_sub(CONTEXT_BYTES);
        self.buffer.drain(..from);
        self.is_cut |= from > 0;
        self.passed = cut - from;
        self.looked = self.buffer.len();
    }

    /// What of `bytes` belongs to a secret whose mark is written already.
    fn swallow(&mut self, bytes: &[u8]) -> usize {
        let Some(class) = self.inside else { return 0 };
        let inside = bytes.iter().take_while(|b| class.holds(**b)).count();
        if inside < bytes.len() {
            self.inside = None;
        }
        inside
    }
}

/// Up to where everything is decided: `wanted`, but inside no secret and no piece that may become one.
fn cut(looked: &Looked, buffer: &[u8], wanted: usize) -> usize {
    let mut cut = wanted;
    if let Some(from) = looked.undecided
        && buffer.len() - from <= HOLD_MAX_BYTES
    {
        cut = cut.min(from);
    }
    for span in looked.spans.iter().rev() {
        let goes_on = span.end == buffer.len() && span.class.is_some();
        let is_long = span.end - span.start > HOLD_MAX_BYTES;
        if goes_on && is_long && span.start <= cut {
            return buffer.len();
        }
        let is_open = goes_on || span.end > cut;
        if span.start < cut && is_open {
            cut = span.start;
        }
    }
    cut
}

impl<W: Write> Write for RedactWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let at = self.swallow(bytes);
        let rest = &bytes[at..];
        self.buffer.extend_from_slice(rest);
        let is_due = self.buffer.len() - self.looked >= LOOK_EVERY_BYTES;
        if rest.contains(&b'\n') || is_due {
            self.pass(false)?;
        }
        Ok(bytes.len())
    }

    /// Flushes what is passed on. What is held back stays: half a secret must not leave because of an impatient caller.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl<W: Write> Drop for RedactWriter<W> {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.pass(true);
    }
}
