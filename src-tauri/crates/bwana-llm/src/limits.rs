//! What one model call may take: time for each phase, and bytes. Plain values; the transport and the reader keep them.

use std::time::Duration;

/// Time to resolve, connect and agree on TLS. Generous, because 3G needs seconds for it.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Time from sending until the status line.
pub const HEADERS_TIMEOUT: Duration = Duration::from_secs(120);
/// Time from the status line to the first event: a hosted model may think this long before it speaks.
pub const FIRST_EVENT_TIMEOUT: Duration = Duration::from_secs(180);
/// Silence between two events. Comments (keep-alive lines) are not events.
pub const IDLE_EVENT_TIMEOUT: Duration = Duration::from_secs(90);
/// The whole call.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// A model on this machine reads a long prompt for minutes before its first token, on two busy cores.
pub const LOCAL_FIRST_EVENT_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// Silence between two events of a model on this machine.
pub const LOCAL_IDLE_EVENT_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// The whole call of a model on this machine.
pub const LOCAL_TOTAL_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// How long to wait for usage after the answer said why it stopped. Usage is worth a moment, not the idle time.
pub const AFTER_STOP_WAIT: Duration = Duration::from_secs(5);
/// How long the end of a body is waited for, once the answer in it is whole, to keep the connection for the next call.
pub const REST_WAIT: Duration = Duration::from_millis(5);
/// Bytes read while that is waited for.
pub const REST_MAX_BYTES: usize = 16 * 1024;
/// One line, and one event, of a stream.
pub const EVENT_MAX_BYTES: usize = 4 * 1024 * 1024;
/// One answer in all, headers not counted.
pub const REPLY_MAX_BYTES: usize = 32 * 1024 * 1024;
/// Tool calls in one answer.
pub const TOOL_CALLS_MAX: usize = 128;

/// The limits of one call. The defaults are the constants of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub connect: Duration,
    pub headers: Duration,
    pub first_event: Duration,
    pub idle_event: Duration,
    pub total: Duration,
    pub event_bytes: usize,
    pub reply_bytes: usize,
    pub tool_calls: usize,
}

impl Limits {
    /// For a provider somewhere on the network.
    pub const REMOTE: Self = Self {
        connect: CONNECT_TIMEOUT,
        headers: HEADERS_TIMEOUT,
        first_event: FIRST_EVENT_TIMEOUT,
        idle_event: IDLE_EVENT_TIMEOUT,
        total: TOTAL_TIMEOUT,
        event_bytes: EVENT_MAX_BYTES,
        reply_bytes: REPLY_MAX_BYTES,
        tool_calls: TOOL_CALLS_MAX,
    };

    /// For a model server on this machine: slow to start, and nobody else pays for the wait.
    /// Such servers send even the status line only when the first token is there.
    pub const LOCAL: Self = Self {
        headers: LOCAL_FIRST_EVENT_TIMEOUT,
        first_event: LOCAL_FIRST_EVENT_TIMEOUT,
        idle_event: LOCAL_IDLE_EVENT_TIMEOUT,
        total: LOCAL_TOTAL_TIMEOUT,
        ..Self::REMOTE
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::REMOTE
    }
}
