//! The bytes of a stream cut into items, however its dialect frames them. One place that knows both framings, so that
//! the reader knows none.

use std::ops::ControlFlow;

use crate::dialect::Framing;
use crate::lines::LineParser;
use crate::sse::{Item, SseParser, TooLong};

/// The parser of one stream.
pub(crate) enum Frames {
    Events(SseParser),
    Lines(LineParser),
}

impl Frames {
    /// `max_bytes` caps a line and an event.
    pub(crate) fn new(framing: Framing, max_bytes: usize) -> Self {
        match framing {
            Framing::Events => Self::Events(SseParser::new(max_bytes)),
            Framing::Lines => Self::Lines(LineParser::new(max_bytes)),
        }
    }

    /// Reads `bytes`, or the end for `None`, giving each complete item to `on` until it breaks.
    ///
    /// # Errors
    /// [`TooLong`]
    pub(crate) fn read(
        &mut self,
        bytes: Option<&[u8]>,
        on: &mut dyn FnMut(Item<'_>) -> ControlFlow<()>,
    ) -> Result<(), TooLong> {
        match (self, bytes) {
            (Self::Events(parser), Some(bytes)) => parser.feed(bytes, on).map(|_| ()),
            (Self::Events(parser), None) => parser.finish(on),
            (Self::Lines(parser), Some(bytes)) => parser.feed(bytes, on).map(|_| ()),
            (Self::Lines(parser), None) => parser.finish(on),
        }
    }

    /// Whether a stream that gave no item began like one: it may only have been cut.
    pub(crate) fn begins_like(&self, head: &str) -> bool {
        let head = head.trim_start_matches('\u{FEFF}').trim_start();
        match self {
            Self::Events(_) => ["data:", "event:", "id:", "retry:", "error:", ":"]
                .iter()
                .any(|field| head.starts_with(field) || field.starts_with(head)),
            Self::Lines(_) => head.is_empty() || head.starts_with('{'),
        }
    }
}

/// Whether a reply that begins with `sign` is a stream of this framing.
pub(crate) fn is_stream(framing: Framing, sign: u8) -> bool {
    match framing {
        Framing::Events => !matches!(sign, b'{' | b'[' | b'<'),
        Framing::Lines => !matches!(sign, b'[' | b'<'),
    }
}
