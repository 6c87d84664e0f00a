//! What the host and the model worker say to each other: JSON frames on the worker's stdin and stdout, each behind
//! its length as a little-endian `u32`. Both sides use this file; nothing here starts a process or knows llama.cpp.
//!
//! The protocol is tolerant: unknown fields are ignored and an unknown kind of frame arrives as `Unknown`, so that a
//! host and a worker of neighbouring versions still talk. A frame over [`FRAME_MAX_BYTES`] or a cut one is an error,
//! because nothing after it can be trusted.

use std::io::{self, Read, Write};

use bwana_types::message::{Stop, Usage};
use bwana_types::model::ErrorKind;
use bytes::{Buf, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Raised when an old worker would misunderstand a new host.
pub const PROTOCOL_VERSION: u32 = 1;
/// The longest frame either side accepts, in bytes: a full context of text, or vectors for a thousand texts.
pub const FRAME_MAX_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of the length in front of every frame.
const HEADER_BYTES: usize = 4;
/// How much is asked of a pipe at once, in bytes.
const READ_CHUNK_BYTES: usize = 64 * 1024;

/// Host to worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToWorker {
    /// The first frame; the worker answers with [`FromWorker::Hello`].
    Hello {
        version: u32,
    },
    /// Loads a model file; a second load replaces the first. Answered by `Loaded` or `Error`.
    Load(Load),
    /// Asks for text. Answered by any number of `Progress` and `Token`, then one `Done` or `Error`.
    Generate(Generate),
    /// Stops the call `id` before its next token; it then ends with `Done` and [`Finish::Cancelled`].
    Cancel {
        id: u64,
    },
    /// Asks for one vector a text. Answered by `Embedded` or `Error`.
    Embed {
        id: u64,
        texts: Vec<String>,
    },
    Stats {
        id: u64,
    },
    #[serde(other)]
    Unknown,
}

/// What to load and how much of it to use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    pub path: String,
    /// Tokens of context to allocate; capped at what the model was trained on.
    pub context_tokens: u32,
    /// Threads to compute with; none = physical cores minus one, at least one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    #[serde(default)]
    pub purpose: Purpose,
}

/// A loaded model either writes or embeds: the two need differently made contexts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    #[default]
    Generate,
    Embed,
}

/// One message as a chat template takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    pub role: ChatRole,
    pub content: String,
}

/// Tool results have no role of their own here: few small models were trained on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatRole {
    System,
    User,
    Assistant,
}

impl ChatRole {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One request for text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generate {
    pub id: u64,
    pub messages: Vec<ChatMessage>,
    pub max_output_tokens: u32,
    /// 0 = always the likeliest token.
    pub temperature: f32,
    pub seed: u32,
    /// Texts that end the answer; they are not part of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<Constraint>,
}

/// A grammar the answer must match, in llama.cpp's GBNF with the start rule `root`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    pub gbnf: String,
    /// Tokens before the limit at which the answer is steered to its shortest end, so that even an answer cut by
    /// `max_output_tokens` is whole. 0 = cut wherever it stands.
    #[serde(default)]
    pub closing_tokens: u32,
}

/// Worker to host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromWorker {
    Hello {
        version: u32,
        cpu: Cpu,
    },
    Loaded(Loaded),
    /// Prompt tokens read so far; a sign of life during long prompts.
    Progress {
        id: u64,
        read: u32,
        of: u32,
    },
    /// The next piece of the answer, whole characters only.
    Token {
        id: u64,
        text: String,
    },
    Done {
        id: u64,
        finish: Finish,
        usage: Usage,
        timings: Timings,
    },
    Embedded {
        id: u64,
        vectors: Vec<Vec<f32>>,
        input_tokens: u64,
    },
    Stats {
        id: u64,
        stats: Stats,
    },
    /// The request failed. Without an id it was the load, the greeting or a frame that could not be read.
    Error {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        kind: ErrorKind,
        message: String,
    },
    #[serde(other)]
    Unknown,
}

/// Why the worker stopped writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model ended its turn, or the grammar was complete.
    End,
    StopText,
    /// `max_output_tokens` or the context was used up.
    Length,
    Cancelled,
    #[serde(other)]
    Other,
}

impl Finish {
    /// The provider-neutral reason; `None` for a cancelled call, which has nobody to tell.
    pub fn as_stop(self) -> Option<Stop> {
        match self {
            Self::End => Some(Stop::Done),
            Self::StopText => Some(Stop::StopSequence),
            Self::Length => Some(Stop::Length),
            Self::Cancelled => None,
            Self::Other => Some(Stop::Other(String::from("unknown"))),
        }
    }
}

/// The machine as the worker sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    pub arch: String,
    pub physical_cores: u32,
    /// Instruction sets the build needs and this processor lacks; empty = the model can run.
    #[serde(default)]
    pub missing: Vec<String>,
    /// Whether this worker was built with the runtime of local models.
    #[serde(default)]
    pub can_run: bool,
}

/// A model that is ready.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    pub context_tokens: u32,
    /// The context the model was trained for.
    pub trained_context_tokens: u32,
    pub parameters: u64,
    pub threads: u32,
    pub load_ms: u64,
    /// Whether the file's own chat template is used; if not, ChatML.
    pub own_template: bool,
    /// Length of the vectors, for [`Purpose::Embed`].
    #[serde(default)]
    pub dimensions: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    pub prompt_ms: u64,
    pub generate_ms: u64,
    /// Prompt tokens taken over from an earlier call instead of being read again.
    pub reused_tokens: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    pub calls: u64,
    pub input_tokens: u64,
    pub reused_tokens: u64,
    pub output_tokens: u64,
    /// Prompts kept ready for reuse.
    pub kept_prompts: u32,
}

/// A stream of frames that cannot be followed any further, or one frame that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of {bytes} bytes was announced; at most {FRAME_MAX_BYTES} are accepted")]
    TooLong { bytes: usize },
    #[error("the stream ended inside a frame")]
    Cut,
    /// The frame was whole and its content was not; the next frame can still be read.
    #[error("a frame is not what the protocol expects: {0}")]
    Content(#[from] serde_json::Error),
    #[error("reading or writing frames failed: {0}")]
    Io(#[from] io::Error),
}

/// The bytes of `message` behind their length.
///
/// # Errors
/// `TooLong`, and `Content` if it cannot be written as JSON (a number that is not finite).
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; HEADER_BYTES];
    serde_json::to_writer(&mut bytes, message)?;
    let length = bytes.len() - HEADER_BYTES;
    let header = u32::try_from(length)
        .ok()
        .filter(|_| length <= FRAME_MAX_BYTES)
        .ok_or(FrameError::TooLong { bytes: length })?;
    bytes[..HEADER_BYTES].copy_from_slice(&header.to_le_bytes());
    Ok(bytes)
}

/// Writes one frame and flushes it.
pub fn write_frame(to: &mut impl Write, message: &impl Serialize) -> Result<(), FrameError> {
    to.write_all(&encode(message)?)?;
    Ok(to.flush()?)
}

/// The next frame, or `None` at a clean end.
pub fn read_frame<T: DeserializeOwned>(from: &mut impl Read) -> Result<Option<T>, FrameError> {
    let mut header = [0; HEADER_BYTES];
    let mut filled = 0;
    while filled < HEADER_BYTES {
        match from.read(&mut header[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(FrameError::Cut),
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let length = checked_length(header)?;
    let mut body = Vec::new();
    if from.take(length as u64).read_to_end(&mut body)? < length {
        return Err(FrameError::Cut);
    }
    Ok(Some(serde_json::from_slice(&body)?))
}

fn checked_length(header: [u8; HEADER_BYTES]) -> Result<usize, FrameError> {
    let bytes = u32::from_le_bytes(header) as usize;
    if bytes > FRAME_MAX_BYTES {
        Err(FrameError::TooLong { bytes })
    } else {
        Ok(bytes)
    }
}

/// Reads frames from an async pipe. Dropping a pending [`FrameReader::next`] loses nothing: what had arrived stays here.
#[derive(Debug)]
pub struct FrameReader<R> {
    from: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub fn new(from: R) -> Self {
        Self {
            from,
            buffer: BytesMut::new(),
        }
    }

    /// The next frame, or `None` at a clean end.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        loop {
            if let Some(message) = take_frame(&mut self.buffer)? {
                return Ok(Some(message));
            }
            self.buffer.reserve(READ_CHUNK_BYTES);
            if self.from.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(FrameError::Cut)
                };
            }
        }
    }
}

/// Takes one whole frame off the front of `buffer`, if there is one.
fn take_frame<T: DeserializeOwned>(buffer: &mut BytesMut) -> Result<Option<T>, FrameError> {
    let Some(header) = buffer.first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let length = checked_length(*header)?;
    if buffer.len() < HEADER_BYTES + length {
        return Ok(None);
    }
    buffer.advance(HEADER_BYTES);
    let body = buffer.split_to(length);
    Ok(Some(serde_json::from_slice(&body)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> FromWorker {
        FromWorker::Token {
            id: 7,
            text: text.to_owned(),
        }
    }

    fn framed(body: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(body.len()).unwrap().to_le_bytes().to_vec();
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn frames_come_back_as_they_were_written() {
        let mut bytes = Vec::new();
        for text in ["a", "", "Habari ☀"] {
            write_frame(&mut bytes, &token(text)).unwrap();
        }
        let mut from = bytes.as_slice();
        for text in ["a", "", "Habari ☀"] {
            assert_eq!(read_frame(&mut from).unwrap(), Some(token(text)));
        }
        assert!(read_frame::<FromWorker>(&mut from).unwrap().is_none());
    }

    #[tokio::test]
    async fn a_pipe_that_gives_one_byte_at_a_time_gives_the_same_frames() {
        let mut bytes = encode(&token("one")).unwrap();
        bytes.extend(encode(&token("two")).unwrap());
        let (mut near, far) = tokio::io::duplex(1);
        let writer = tokio::spawn(async move {
            tokio::io::AsyncWriteExt::write_all(&mut near, &bytes)
                .await
                .unwrap();
        });
        let mut reader = FrameReader::new(far);
        assert_eq!(reader.next().await.unwrap(), Some(token("one")));
        assert_eq!(reader.next().await.unwrap(), Some(token("two")));
        assert!(reader.next::<FromWorker>().await.unwrap().is_none());
        writer.await.unwrap();
    }

    #[test]
    fn a_newer_side_is_understood_as_far_as_possible() {
        let unknown: FromWorker = serde_json::from_str(r#"{"type":"dream","id":3}"#).unwrap();
        assert_eq!(unknown, FromWorker::Unknown);
        let more: ToWorker =
            serde_json::from_str(r#"{"type":"cancel","id":3,"politely":true}"#).unwrap();
        assert_eq!(more, ToWorker::Cancel { id: 3 });
    }

    #[test]
    fn garbage_is_refused_and_never_allocated_for() {
        let check = |bytes: &[u8], expected: &str| {
            let mut from = bytes;
            let error = read_frame::<ToWorker>(&mut from).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(b"\xff\xff\xff\xff", "4294967295 bytes was announced");
        check(b"GET / HTTP/1.1\r\n", "bytes was announced");
        check(b"\x05\x00", "ended inside a frame");
        check(b"\x05\x00\x00\x00{}", "ended inside a frame");
        check(&framed(b"not json"), "not what the protocol expects");
        check(&framed(b"{}"), "not what the protocol expects");
        check(&framed(b""), "not what the protocol expects");
    }

    #[test]
    fn a_frame_with_bad_content_does_not_spoil_the_next() {
        let mut bytes = framed(b"nonsense");
        bytes.extend(encode(&ToWorker::Cancel { id: 1 }).unwrap());
        let mut from = bytes.as_slice();
        assert!(matches!(
            read_frame::<ToWorker>(&mut from),
            Err(FrameError::Content(_))
        ));
        assert_eq!(
            read_frame(&mut from).unwrap(),
            Some(ToWorker::Cancel { id: 1 })
        );
    }
}
