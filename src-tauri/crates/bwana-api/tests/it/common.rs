//! A data folder with a model to work with, opened the way hosts open it.

use std::path::PathBuf;
use std::sync::Arc;

use bwana_api::command::{RunSettle, RunStart};
use bwana_api::definitions::FileText;
use bwana_api::runs::{RunRef, StartOptions, StartRequest, Started, What};
use bwana_api::{App, Caller, Command, Ctx, HostOptions, Mode, Redactor, RunShown, Secrets};
use bwana_testkit::model_server::{ModelServer, Options};
use bwana_testkit::{ManualClock, Script, SeededIds};
use bwana_types::error::ApiError;
use tempfile::TempDir;

pub(crate) struct Home {
    folder: TempDir,
    pub(crate) model: ModelServer,
    host: HostOptions,
    clock: Arc<ManualClock>,
}

/// Two steps, one agent of the file's own.
pub(crate) const PLAIN: &str = r"
schema: bwana.agent/v1
id: writer
name: Writer
instructions: You write.
tools: [file.write]
---
schema: bwana.workflow/v1
id: notes
name: Notes
agents: [writer]
steps: [Collect, Write up]
";

impl Home {
    pub(crate) fn new() -> Self {
        Self::answering(Script::default())
    }

    pub(crate) fn answering(script: Script) -> Self {
        let folder = TempDir::new().unwrap();
        let model = Options::scripted(script).start().unwrap();
        let home = folder.path().join("home");
        let clock = Arc::new(ManualClock::default());
        let host = HostOptions {
            secrets: Secrets::new(&home, None, Redactor::new()),
            home,
            clock: clock.clone(),
            ids: Arc::new(SeededIds::new(7)),
            unattended: false,
        };
        let home = Self {
            folder,
            model,
            host,
            clock,
        };
        std::fs::create_dir_all(home.path()).unwrap();
        let settings = format!(
            "[[providers]]\nname = \"near\"\nkind = \"openai\"\nbase_url = \"{}\"\nmodel = \"scripted\"\n",
            home.model.url()
        );
        home.file("settings.toml", &settings);
        home
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Writes a file into the data folder.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Lets so many hours go by.
    pub(crate) fn pass_hours(&self, hours: i64) {
        self.clock.advance_ms(hours * 3_600_000);
    }

    pub(crate) fn host(&self) -> HostOptions {
        self.host.clone()
    }

    pub(crate) fn open(&self, mode: Mode) -> App {
        App::open(self.host(), mode).unwrap()
    }
}

pub(crate) async fn call<C: Command>(
    app: &App,
    request: C::Request,
) -> Result<C::Response, ApiError> {
    app.call::<C>(Ctx::quiet(Caller::LocalCli), request).await
}

pub(crate) fn file(text: &str) -> FileText {
    FileText {
        name: String::from("test.yaml"),
        text: text.to_owned(),
    }
}

pub(crate) fn start_request(text: &str) -> StartRequest {
    StartRequest {
        what: What::File(file(text)),
        input: String::from("A bakery in Kisumu"),
        options: StartOptions::default(),
    }
}

pub(crate) async fn start(app: &App, text: &str) -> Started {
    call::<RunStart>(app, start_request(text)).await.unwrap()
}

pub(crate) async fn settle(app: &App, run: impl ToString) -> RunShown {
    call::<RunSettle>(app, by(run)).await.unwrap()
}

pub(crate) fn by(run: impl ToString) -> RunRef {
    RunRef {
        run: run.to_string(),
    }
}
