//! The person's wish that something ends: Ctrl-C, or the system's word. Once listened for, a signal is never lost between
//! two looks.

use bwana_types::error::{ApiError, ErrorCode};

/// How a process is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Ctrl-C: a person at the terminal.
    Interrupt,
    /// The system, or whoever started this process.
    Terminate,
}

pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// From here on Ctrl-C no longer ends the process by itself.
    ///
    /// # Errors
    /// If the system does not let this process listen.
    #[cfg(unix)]
    pub(crate) fn listen() -> Result<Self, ApiError> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| {
            signal(kind).map_err(|error| {
                ApiError::new(
                    ErrorCode::Internal,
                    format!("signals cannot be listened for: {error}"),
                )
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// From here on Ctrl-C no longer ends the process by itself.
    #[cfg(not(unix))]
    pub(crate) fn listen() -> Result<Self, ApiError> {
        Ok(Self {})
    }

    /// The next wish.
    pub(crate) async fn next(&mut self) -> End {
        #[cfg(unix)]
        return tokio::select! {
            _ = self.interrupt.recv() => End::Interrupt,
            _ = self.terminate.recv() => End::Terminate,
        };
        #[cfg(not(unix))]
        {
            if tokio::signal::ctrl_c().await.is_err() {
                // Then the process can only be ended from outside.
                std::future::pending::<()>().await;
            }
            End::Interrupt
        }
    }
}

/// The wish for a new link to the interface: SIGUSR1, where there is such a thing.
pub(crate) struct NewLink {
    #[cfg(unix)]
    wish: tokio::signal::unix::Signal,
}

impl NewLink {
    /// # Errors
    /// If the system does not let this process listen.
    #[cfg(unix)]
    pub(crate) fn listen() -> Result<Self, ApiError> {
        use tokio::signal::unix::{SignalKind, signal};
        let wish = signal(SignalKind::user_defined1()).map_err(|error| {
            ApiError::new(
                ErrorCode::Internal,
                format!("signals cannot be listened for: {error}"),
            )
        })?;
        Ok(Self { wish })
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "the same shape everywhere")]
    pub(crate) fn listen() -> Result<Self, ApiError> {
        Ok(Self {})
    }

    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        self.wish.recv().await;
        #[cfg(not(unix))]
        std::future::pending::<()>().await;
    }
}
