//! `bwana serve --no-gateway`: owns the data folder until it is told to end.

use bwana_api::{App, HostOptions, Mode, socket};
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};
use serde_json::json;

use crate::args::Serve;
use crate::out::Out;

pub(crate) async fn serve(host: HostOptions, out: &Out, options: &Serve) -> Result<Ends, ApiError> {
    if !options.no_gateway {
        return Err(ApiError::new(ErrorCode::UsageInvalid, "this version has no HTTP gateway")
            .with_hint("Use `bwana serve --no-gateway`: it owns the data folder and serves the other commands."));
    }
    let home = host.home.clone();
    let app = App::open(host, Mode::Own)?;
    let server = socket::serve(&app)?;
    let resumed: Vec<String> = app
        .take_over()
        .await?
        .iter()
        .map(ToString::to_string)
        .collect();
    out.json(
        &json!({"type": "serving", "home": home.display().to_string(), "pid": std::process::id(),
        "socket": server.path().display().to_string(), "resumed": resumed}),
    );
    out.line(&format!(
        "Serving {} ({} runs resumed). End it with Ctrl-C.",
        home.display(),
        resumed.len()
    ));
    end_is_asked_for().await;
    out.line("Ending: what is in flight gets two seconds.");
    let close = async {
        server.stop().await;
        app.close().await
    };
    tokio::select! {
        closed = close => closed.map(|()| Ends::Done),
        () = end_is_asked_for() => Ok(Ends::Cancelled),
    }
}

/// Ctrl-C, or the system's wish that the process ends.
pub(crate) async fn end_is_asked_for() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without signals the process can only be ended from outside.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
