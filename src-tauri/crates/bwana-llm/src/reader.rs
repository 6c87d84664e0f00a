//! One reply, from its bytes to its outcome: tells a stream from a whole answer and from a page that is no answer at
//! all, keeps the byte limits, and always has the partial at hand. Pure: any split of the same bytes gives the same
//! deltas and the same outcome. Time and sockets are the transport's.

use std::ops::ControlFlow;

use bwana_types::message::Part;
use bwana_types::model::{Delta, ErrorKind, LlmError, Outcome};

use crate::classify::{kept_body, visible_text};
use crate::dialect::{Decoder, Dialect, Progress, ReplyContext};
use crate::frames::{Frames, is_stream};
use crate::limits::Limits;
use crate::provider::Sink;
use crate::quirks::Quirks;
use crate::sse::{Item, TooLong};

/// How much of a page is kept to show what answered.
const PAGE_MAX_BYTES: usize = 16 * 1024;
/// How much of a page's text goes into the message.
const PAGE_WORDS_MAX_CHARS: usize = 300;
/// How much of the beginning of a stream is kept.
const HEAD_MAX_BYTES: usize = 512;
/// Blank bytes before the first sign of what a reply is.
const BLANK_MAX_BYTES: usize = 64 * 1024;

/// A byte order mark.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads one reply.
pub struct Reader<'a> {
    dialect: &'a dyn Dialect,
    context: &'a ReplyContext,
    quirks: &'a Quirks,
    limits: &'a Limits,
    mode: Mode,
    received: usize,
}

enum Mode {
    /// Nothing but blanks so far.
    Unknown(Vec<u8>),
    Stream {
        frames: Frames,
        decoder: Box<dyn Decoder>,
        /// How it began, for the message if it turns out to be no stream.
        head: Vec<u8>,
        events: usize,
        /// A failure after the answer was whole; it is not the answer's.
        closed: bool,
    },
    Whole(Vec<u8>),
    Page(Vec<u8>),
}

/// What some bytes brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fed {
    /// Events, which prove that the provider works on the answer.
    pub events: usize,
    /// Keep-alive lines, which prove only a connection.
    pub comments: usize,
}

/// How the bytes ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The server closed the reply in order.
    Closed,
    /// The connection broke, or our patience did.
    Broken { kind: ErrorKind, cause: String },
}

impl<'a> Reader<'a> {
    pub fn new(
        dialect: &'a dyn Dialect,
        context: &'a ReplyContext,
        quirks: &'a Quirks,
        limits: &'a Limits,
    ) -> Self {
        Self {
            dialect,
            context,
            quirks,
            limits,
            mode: Mode::Unknown(Vec::new()),
            received: 0,
        }
    }

    /// Takes bytes as they come.
    ///
    /// # Errors
    /// The provider's own error, `Malformed` or `TooLarge`, with the partial.
    pub fn feed(&mut self, bytes: &[u8], sink: Sink<'_>) -> Result<Fed, LlmError> {
        let mut fed = Fed::default();
        if self.progress() == Progress::Ended {
            return Ok(fed);
        }
        let room = self.limits.reply_bytes - self.received;
        let (now, over) = bytes.split_at(room.min(bytes.len()));
        self.received += now.len();
        let result = self.take(now, &mut fed, sink);
        result.map_err(|error| self.with_partial(error))?;
        if !over.is_empty() && self.progress() == Progress::Open {
            let limit = self.limits.reply_bytes;
            return Err(self.with_partial(LlmError::new(
                ErrorKind::TooLarge,
                format!("sent an answer of more than {limit} bytes"),
            )));
        }
        if !over.is_empty() {
            self.close();
        }
        Ok(fed)
    }

    /// How far the provider says the reply is. A page and an unread whole answer are `Open` until they end.
    pub fn progress(&self) -> Progress {
        match &self.mode {
            Mode::Stream { closed: true, .. } => Progress::Ended,
            Mode::Stream { decoder, .. } => decoder.progress(),
            Mode::Page(page) if page.len() >= PAGE_MAX_BYTES => Progress::Ended,
            Mode::Unknown(_) | Mode::Whole(_) | Mode::Page(_) => Progress::Open,
        }
    }

    /// No more bytes will come.
    ///
    /// # Errors
    /// `Interrupted` if the answer had not ended, the kind of `end` if it broke, `Malformed` for a page; each with
    /// the partial.
    pub fn finish(mut self, end: End, sink: Sink<'_>) -> Result<Outcome, LlmError> {
        if matches!(self.mode, Mode::Stream { .. }) {
            self.finish_stream(end, sink)
        } else {
            self.finish_whole(end, sink)
        }
    }

    /// The answer so far.
    pub fn partial(&mut self) -> Outcome {
        match &mut self.mode {
            Mode::Stream { decoder, .. } => Outcome {
                stop: None,
                ..decoder.outcome()
            },
            Mode::Unknown(_) | Mode::Whole(_) | Mode::Page(_) => Outcome::default(),
        }
    }

    fn take(&mut self, bytes: &[u8], fed: &mut Fed, sink: Sink<'_>) -> Result<(), LlmError> {
        match &mut self.mode {
            Mode::Unknown(head) => {
                head.extend_from_slice(bytes);
                // Looked for in the same bytes however they were split.
                let sign = first_sign(&head[..head.len().min(BLANK_MAX_BYTES)]);
                let Some(sign) = sign else {
                    return if head.len() > BLANK_MAX_BYTES {
                        Err(LlmError::new(
                            ErrorKind::Malformed,
                            "sent nothing but blanks",
                        ))
                    } else {
                        Ok(())
                    };
                };
                let head = std::mem::take(head);
                let framing = self.dialect.framing();
                self.mode = match sign {
                    b'<' => Mode::Page(Vec::new()),
                    _ if !is_stream(framing, sign) => Mode::Whole(Vec::new()),
                    _ => Mode::Stream {
                        frames: Frames::new(framing, self.limits.event_bytes),
                        decoder: self.dialect.decoder(self.context, self.quirks, self.limits),
                        head: Vec::new(),
                        events: 0,
                        closed: false,
                    },
                };
                self.take(&head, fed, sink)
            }
            Mode::Stream {
                frames,
                decoder,
                head,
                events,
                closed,
            } => {
                if head.len() < HEAD_MAX_BYTES {
                    let room = HEAD_MAX_BYTES - head.len();
                    head.extend_from_slice(&bytes[..bytes.len().min(room)]);
                }
                let limit = self.limits.event_bytes;
                let taken = through(frames, decoder.as_mut(), fed, sink, limit, Some(bytes));
                *events += fed.events;
                after_stop(taken, decoder.as_ref(), closed)
            }
            Mode::Whole(body) => {
                fed.events += 1; // here every piece of the body is progress
                body.extend_from_slice(bytes);
                Ok(())
            }
            Mode::Page(page) => {
                fed.events += 1;
                let room = PAGE_MAX_BYTES.saturating_sub(page.len());
                page.extend_from_slice(&bytes[..bytes.len().min(room)]);
                Ok(())
            }
        }
    }

    fn finish_stream(&mut self, end: End, sink: Sink<'_>) -> Result<Outcome, LlmError> {
        let limit = self.limits.event_bytes;
        let Mode::Stream {
            frames,
            decoder,
            head,
            events,
            closed,
        } = &mut self.mode
        else {
            return Ok(Outcome::default());
        };
        let mut rest = Ok(());
        if !*closed {
            let mut fed = Fed::default();
            let last = through(frames, decoder.as_mut(), &mut fed, sink, limit, None);
            *events += fed.events;
            rest = after_stop(last, decoder.as_ref(), closed);
        }
        // An event the end cut in two is no mistake of the provider's: the connection's end is what went wrong.
        if let Err(error) = rest
            && error.kind != ErrorKind::Malformed
        {
            return Err(self.with_partial(error));
        }
        let outcome = decoder.outcome();
        if decoder.progress() != Progress::Open && outcome.stop.is_some() {
            return Ok(outcome);
        }
        let ended = decoder.progress() == Progress::Ended;
        let head = kept_body(head);
        let stranger = *events == 0 && !frames.begins_like(&head);
        Err(self.with_partial(match end {
            End::Broken { kind, cause } => LlmError::new(kind, cause),
            End::Closed if stranger => no_stream(&head),
            End::Closed if ended => LlmError::new(
                ErrorKind::Interrupted,
                "ended the answer without saying anything",
            ),
            End::Closed => LlmError::new(
                ErrorKind::Interrupted,
                "closed the connection before the answer was finished",
            ),
        }))
    }

    fn finish_whole(self, end: End, sink: Sink<'_>) -> Result<Outcome, LlmError> {
        match (self.mode, end) {
            (Mode::Page(page), _) => Err(not_a_model_server(&page)),
            (_, End::Broken { kind, cause }) => Err(LlmError::new(kind, cause)),
            (Mode::Whole(body), End::Closed) => {
                let outcome = self
                    .dialect
                    .whole(&body, self.context, self.quirks, self.limits)
                    .map_err(|error| cut_or_malformed(error, &body))?;
                replay(&outcome, sink);
                Ok(outcome)
            }
            (Mode::Unknown(_) | Mode::Stream { .. }, End::Closed) => Err(LlmError::new(
                ErrorKind::Interrupted,
                "closed the connection without an answer",
            )),
        }
    }

    fn close(&mut self) {
        if let Mode::Stream { closed, .. } = &mut self.mode {
            *closed = true;
        }
    }

    fn with_partial(&mut self, mut error: LlmError) -> LlmError {
        let own = std::mem::take(&mut error.partial.parts);
        *error.partial = self.partial();
        if error.partial.parts.is_empty() {
            error.partial.parts = own;
        }
        error
    }
}

/// Runs bytes (or the end, for `None`) through parser and decoder until the provider ends the reply.
fn through(
    frames: &mut Frames,
    decoder: &mut dyn Decoder,
    fed: &mut Fed,
    sink: Sink<'_>,
    limit: usize,
    bytes: Option<&[u8]>,
) -> Result<(), LlmError> {
    let mut failed = None;
    let mut on = |item: Item<'_>| {
        match item {
            Item::Comment => fed.comments += 1,
            Item::Event { name, data } => {
                fed.events += 1;
                if let Err(error) = decoder.event(name, data, &mut *sink) {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
                if decoder.progress() == Progress::Ended {
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    };
    let fits = frames.read(bytes, &mut on);
    if let Some(error) = failed {
        return Err(error);
    }
    fits.map_err(|TooLong| {
        LlmError::new(
            ErrorKind::TooLarge,
            format!("sent an event of more than {limit} bytes"),
        )
    })
}

/// An answer that said why it stopped is whole: rubbish behind it does not take it back. The provider's own error does.
fn after_stop(
    taken: Result<(), LlmError>,
    decoder: &dyn Decoder,
    closed: &mut bool,
) -> Result<(), LlmError> {
    match taken {
        Err(error)
            if decoder.progress() == Progress::Stopped
                && matches!(error.kind, ErrorKind::Malformed | ErrorKind::TooLarge) =>
        {
            *closed = true;
            Ok(())
        }
        other => other,
    }
}

/// The first byte that tells what a reply is, behind a byte order mark and blanks.
fn first_sign(head: &[u8]) -> Option<u8> {
    if head.len() < MARK.len() && MARK.starts_with(head) {
        return None;
    }
    head.strip_prefix(MARK)
        .unwrap_or(head)
        .iter()
        .copied()
        .find(|b| !b.is_ascii_whitespace())
}

/// A whole answer reaches the sink as one delta a part, so that who watches sees it too.
fn replay(outcome: &Outcome, sink: Sink<'_>) {
    let mut slot = 0;
    for part in &outcome.parts {
        match part {
            Part::Text { text } => sink(Delta::Text(text.to_string())),
            Part::Reasoning { text, .. } if !text.is_empty() => {
                sink(Delta::Reasoning(text.to_string()));
            }
            Part::ToolCall(call) => {
                if !call.name.is_empty() {
                    sink(Delta::ToolStart {
                        slot,
                        id: call.id.to_string(),
                        name: call.name.to_string(),
                    });
                    let piece = call.args.to_string();
                    sink(Delta::ToolArgs { slot, piece });
                }
                slot += 1;
            }
            Part::Reasoning { .. } | Part::Image { .. } | Part::ToolResult { .. } => {}
        }
    }
}

/// A body that merely stops in the middle, or never began, was interrupted; one that is wrong in itself is malformed.
pub(crate) fn cut_or_malformed(mut error: LlmError, body: &[u8]) -> LlmError {
    let body = body.strip_prefix(MARK).unwrap_or(body);
    // Not `IgnoredAny`, which takes the end after a minus for a wrong number.
    let cut = serde_json::from_slice::<serde_json::Value>(body)
        .is_err_and(|e| e.classify() == serde_json::error::Category::Eof);
    if error.kind == ErrorKind::Malformed && cut {
        error.kind = ErrorKind::Interrupted;
        error.message = String::from("closed the connection in the middle of the answer");
    }
    error
}

fn no_stream(head: &str) -> LlmError {
    let mut error = LlmError::new(
        ErrorKind::Malformed,
        format!(
            "sent something that is neither a stream nor JSON: {}",
            head.trim()
        ),
    );
    head.clone_into(&mut error.body);
    error
}

fn not_a_model_server(page: &[u8]) -> LlmError {
    let text = visible_text(&String::from_utf8_lossy(page));
    let text: String = text.chars().take(PAGE_WORDS_MAX_CHARS).collect();
    let mut error = LlmError::new(
        ErrorKind::Malformed,
        format!(
            "is not a model server: it answered with a web page ({text}). If this network has a login page, log in \
             with a browser first; else check the address"
        ),
    );
    error.body = kept_body(page);
    error
}
