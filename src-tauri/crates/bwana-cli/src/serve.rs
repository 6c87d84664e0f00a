//! `bwana serve`: owns the data folder until it is told to end, works on every unfinished run, answers other commands
//! over its socket, and serves the interface to a browser of this machine unless it was told not to.

#[cfg(not(feature = "embed-ui"))]
use std::path::PathBuf;
use std::time::Duration;

use bwana_api::socket::Server;
use bwana_api::{App, Caller, HostOptions, Mode, care, socket};
use bwana_server::{Ui, WebHost};
use bwana_types::error::{ApiError, ExitCode as Ends};
use serde_json::json;

use crate::args::Serve;
use crate::door;
use crate::out::Out;
use crate::signals::{NewLink, Signals};

/// How long an owner that was started for one run stays when there is nothing to do.
const IDLE_STAY: Duration = Duration::from_secs(60);
/// How often it looks.
const IDLE_LOOK: Duration = Duration::from_secs(5);

pub(crate) async fn serve(host: HostOptions, out: &Out, options: &Serve) -> Result<Ends, ApiError> {
    let mut signals = Signals::listen()?;
    let home = host.home.clone();
    let app = door::open_owned(&host, Mode::Own).await?;
    let server = socket::serve(&app)?;
    let web = gateway(&app, options).await?;
    let resumed: Vec<String> = app
        .take_over()
        .await?
        .iter()
        .map(ToString::to_string)
        .collect();
    app.keep_house(care::FIRST_AFTER)?;
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
        error = links(web.as_ref(), out) => return Err(error),
    }
    out.line("Ending: what is in flight gets two seconds.");
    let close = async {
        if let Some(web) = web {
            web.stop().await;
        }
        server.stop().await;
        app.close().await
    };
    tokio::select! {
        closed = close => closed.map(|()| Ends::Done),
        // The journal is the truth: whoever does not want to wait loses nothing.
        _ = signals.next() => Ok(Ends::Cancelled),
    }
}

async fn gateway(app: &App, options: &Serve) -> Result<Option<WebHost>, ApiError> {
    if options.no_gateway {
        return Ok(None);
    }
    let setup = bwana_server::Options {
        port: options.port,
        ui: options.ui.clone().map_or_else(own_ui, Ui::Folder),
        ..bwana_server::Options::default()
    };
    let web = WebHost::start(app.clone(), Caller::LocalBrowser, setup).await?;
    Ok(Some(web))
}

/// The interface that belongs to this program: inside it, or for one built from source, in its source folder.
fn own_ui() -> Ui {
    #[cfg(feature = "embed-ui")]
    return Ui::Embedded;
    #[cfg(not(feature = "embed-ui"))]
    built_beside().map_or(Ui::Missing, Ui::Folder)
}

/// `ui/dist` of the workspace whose target folder this program stands in. Not in a release: there, a folder above the
/// program may be anybody's.
#[cfg(not(feature = "embed-ui"))]
fn built_beside() -> Option<PathBuf> {
    if !cfg!(debug_assertions) {
        return None;
    }
    let program = std::env::current_exe().ok()?;
    let mut above = program.ancestors().map(|folder| folder.join("ui/dist"));
    above.find(|folder| folder.join("index.html").is_file())
}

/// Prints a link to the interface, and a new one whenever it is asked to: a link works once and for a minute. Ends only
/// with an error.
async fn links(web: Option<&WebHost>, out: &Out) -> ApiError {
    let Some(web) = web else {
        return std::future::pending().await;
    };
    let mut wishes = match NewLink::listen() {
        Ok(wishes) => wishes,
        Err(error) => return error,
    };
    loop {
        match web.new_link() {
            Ok(link) => {
                out.json(&json!({"type": "link", "url": link}));
                out.line(&format!("Open {link} (works once, for a minute)"));
            }
            Err(error) => return error,
        }
        wishes.next().await;
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
