//! `bwana serve --no-gateway`: owns the data folder until it is told to end, works on every unfinished run, and answers
//! other commands over its socket.

use std::time::Duration;

use bwana_api::socket::Server;
use bwana_api::{App, HostOptions, Mode, socket};
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};
use serde_json::json;

use crate::args::Serve;
use crate::door;
use crate::out::Out;
use crate::signals::Signals;

/// How long an owner that was started for one run stays when there is nothing to do.
const IDLE_STAY: Duration = Duration::from_secs(60);
/// How often it looks.
const IDLE_LOOK: Duration = Duration::from_secs(5);

pub(crate) async fn serve(host: HostOptions, out: &Out, options: &Serve) -> Result<Ends, ApiError> {
    if !options.no_gateway {
        return Err(ApiError::new(ErrorCode::UsageInvalid, "this version has no HTTP gateway")
            .with_hint("Use `bwana serve --no-gateway`: it owns the data folder and serves the other commands."));
    }
    let mut signals = Signals::listen()?;
    let home = host.home.clone();
    let app = door::open_owned(&host, Mode::Own).await?;
    let server = socket::serve(&app)?;
    let resumed: Vec<String> = app
        .take_over()
        .await?
        .iter()
        .map(ToString::to_string)
        .collect();
    out.json(&json!({
        "type": "serving", "home": home.display().to_string(), "pid": std::process::id(),
        "socket": server.path().display().to_string(), "resumed": resumed,
    }));
    out.line(&format!(
        "Serving {} ({} runs resumed). End it with Ctrl-C.",
        home.display(),
        resumed.len()
    ));
    tokio::select! {
        _ = signals.next() => {}
        () = nothing_to_do(&app, &server), if options.exit_when_idle => {}
    }
    out.line("Ending: what is in flight gets two seconds.");
    let close = async {
        server.stop().await;
        app.close().await
    };
    tokio::select! {
        closed = close => closed.map(|()| Ends::Done),
        // The journal is the truth: whoever does not want to wait loses nothing.
        _ = signals.next() => Ok(Ends::Cancelled),
    }
}

/// Resolves when for a while no run could move and nobody was connected.
async fn nothing_to_do(app: &App, server: &Server) {
    let mut idle = Duration::ZERO;
    while idle < IDLE_STAY {
        tokio::time::sleep(IDLE_LOOK).await;
        let unfinished = app.unfinished_runs().unwrap_or(1);
        if unfinished == 0 && server.connections() == 0 {
            idle += IDLE_LOOK;
        } else {
            idle = Duration::ZERO;
        }
    }
}
