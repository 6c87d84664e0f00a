//! The interface with a person in front of it, for tests in a real browser: serves a data folder as
//! [`Caller::LocalPerson`], with a scripted model behind it. Never shipped: it is an example, and no program depends on
//! it.
//!
//! ```text
//! bwana-ui-host --home FOLDER --ui FOLDER [--port N] [--script FILE.json] [--latency-ms N] [--between-ms N]
//!               [--deltas N] [--at TIME] [--until-stdin-closes]
//! ```
//!
//! - `--home`: the data folder; made if it is not there, and opened for repair if its database is damaged. One without `settings.toml` gets the scripted model as its only
//!   provider, called `scripted`; one that has settings keeps them, and `BASE_URL` in them stands for the model's address.
//! - `--ui`: the built interface.
//! - `--port`: 0, which is the default, for any that is free.
//! - `--script`: answers of the model, as `bwana-model-server` takes them; without it every prompt gets a fixed text.
//! - `--latency-ms`, `--between-ms`, `--deltas`: the model's rate: before an answer, between its pieces, how many pieces.
//! - `--at`: an RFC 3339 time at which the clock stands still, so that a screen looks the same on any day.
//! - `--until-stdin-closes`: ends with whoever started it. SIGINT ends it too.
//!
//! Prints one line, `{"url", "token", "link", "model_url", "pid"}`: `link` has a one-time code in it, as `bwana serve`
//! prints it; `token` is what that code would be exchanged for, so that a test may skip the exchange (put it into
//! sessionStorage before the page loads).

#![expect(clippy::print_stdout, reason = "its one line is the point")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bwana_api::{App, Caller, HostOptions, Mode, Redactor, Secrets};
use bwana_server::{Options, Ui, WebHost};
use bwana_testkit::ManualClock;
use bwana_testkit::model_server::{self, ModelServer};
use bwana_testkit::script::Script;
use bwana_types::id::IdSource;
use bwana_types::time::{Clock, Timestamp};
use uuid::Uuid;

type Failure = Box<dyn std::error::Error>;

/// What stands for the model's address in settings that a test wrote.
const PLACEHOLDER: &str = "BASE_URL";

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "a host reads the real clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = since.unwrap_or_default().as_millis();
        Timestamp(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

struct SystemIds;

impl IdSource for SystemIds {
    fn uuid(&self, _: Timestamp) -> Uuid {
        Uuid::now_v7()
    }

    fn random_u64(&self) -> u64 {
        Uuid::now_v7().as_u64_pair().1
    }
}

struct Wanted {
    home: PathBuf,
    ui: PathBuf,
    port: u16,
    model: model_server::Options,
    clock: Arc<dyn Clock>,
    until_stdin_closes: bool,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let wanted = wanted(std::env::args().skip(1))?;
    let model = wanted.model.start()?;
    settle_settings(&wanted.home, &model)?;
    let app = App::open_or_repair(
        HostOptions {
            secrets: Secrets::new(&wanted.home, None, Redactor::new()),
            home: wanted.home,
            clock: wanted.clock,
            ids: Arc::new(SystemIds),
            unattended: false,
        },
        Mode::Own,
    )?;
    if app.mode() == Mode::Own {
        app.take_over().await?;
    }
    let options = Options {
        port: wanted.port,
        ui: Ui::Folder(wanted.ui),
        ..Options::default()
    };
    let web = WebHost::start(app.clone(), Caller::LocalPerson, options).await?;
    let token = web.issue_token()?;
    let line = serde_json::json!({
        "url": format!("http://{}", web.address()), "token": token.expose(), "link": web.new_link()?,
        "model_url": model.url(), "pid": std::process::id(),
    });
    println!("{line}");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = stdin_closed(), if wanted.until_stdin_closes => {}
    }
    web.stop().await;
    app.close().await?;
    Ok(())
}

fn wanted(mut args: impl Iterator<Item = String>) -> Result<Wanted, Failure> {
    let (mut home, mut ui, mut port, mut until_stdin_closes) = (None, None, 0, false);
    let mut model = model_server::Options::default();
    let mut clock: Arc<dyn Clock> = Arc::new(SystemClock);
    while let Some(arg) = args.next() {
        if arg == "--until-stdin-closes" {
            until_stdin_closes = true;
            continue;
        }
        let value = args.next().ok_or(format!("{arg} wants a value"))?;
        match arg.as_str() {
            "--home" => home = Some(PathBuf::from(value)),
            "--ui" => ui = Some(PathBuf::from(value)),
            "--port" => port = value.parse()?,
            "--latency-ms" => model.latency = Duration::from_millis(value.parse()?),
            "--between-ms" => model.between = Duration::from_millis(value.parse()?),
            "--deltas" => model.deltas = value.parse()?,
            "--at" => {
                let at: jiff::Timestamp = value.parse()?;
                clock = Arc::new(ManualClock::new(Timestamp(at.as_millisecond())));
            }
            "--script" => {
                let text = std::fs::read_to_string(&value)?;
                model.answers = Arc::new(serde_json::from_str::<Script>(&text)?);
            }
            _ => return Err(format!("unknown option {arg}").into()),
        }
    }
    Ok(Wanted {
        home: home.ok_or("--home is needed")?,
        ui: ui.ok_or("--ui is needed")?,
        port,
        model,
        clock,
        until_stdin_closes,
    })
}

fn settle_settings(home: &Path, model: &ModelServer) -> Result<(), Failure> {
    std::fs::create_dir_all(home)?;
    let file = home.join("settings.toml");
    let text = if file.exists() {
        std::fs::read_to_string(&file)?
    } else {
        format!(
            "[[providers]]\nname = \"scripted\"\nkind = \"openai\"\nbase_url = \"{PLACEHOLDER}\"\nmodel = \"scripted\"\n"
        )
    };
    std::fs::write(&file, text.replace(PLACEHOLDER, &model.url()))?;
    Ok(())
}

async fn stdin_closed() {
    let (closed, told) = tokio::sync::oneshot::channel();
    // A thread of its own: a read that never ends must not keep the runtime from ending.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = closed.send(());
    });
    // Without the thread there is nothing to wait for either.
    let _ = told.await;
}
