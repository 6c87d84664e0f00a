//! Every limit of the host, in one place.

use std::time::Duration;

/// Request line and headers together. Also the least that hyper takes.
pub const HEADER_MAX_BYTES: usize = 8 * 1024;
/// Headers of one request.
pub const HEADERS_MAX: usize = 64;
/// One WebSocket frame from a page. What is sent to a page may be larger.
pub const FRAME_MAX_BYTES: usize = 256 * 1024;
/// One message from a page: the frames of a WebSocket message, or the body of a POST.
pub const MESSAGE_MAX_BYTES: usize = 1024 * 1024;
/// Connections at the same time: a person has a few windows open.
pub const CONNECTIONS_MAX: usize = 32;
/// From the first byte, or the last answer, to the end of the headers; and from there to the end of a body.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// Wrong tokens and codes within [`TRIES_WINDOW`]; more are not even compared.
pub const TRIES_MAX: usize = 20;
pub const TRIES_WINDOW: Duration = Duration::from_secs(60);
/// How long a one-time code may be used.
pub const CODE_LIVES: Duration = Duration::from_secs(60);
/// Calls one WebSocket may have under way.
pub const CALLS_MAX: usize = 32;
/// Replies that wait to be written to one WebSocket before its calls wait.
pub const REPLIES_QUEUED_MAX: usize = 64;
/// How long a page may take to read one reply before it counts as gone.
pub const READ_PATIENCE: Duration = Duration::from_secs(30);
/// How long open connections get to end when the host stops.
pub const STOP_PATIENCE: Duration = Duration::from_secs(2);
/// The largest file of the interface.
pub const FILE_MAX_BYTES: u64 = 16 * 1024 * 1024;
