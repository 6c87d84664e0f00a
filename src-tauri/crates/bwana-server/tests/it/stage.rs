//! A data folder with a scripted model, an owner of it, and a host in front.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bwana_api::{App, Caller, HostOptions, Mode, Redactor, Secrets};
use bwana_server::{Options, Ui, WebHost};
use bwana_testkit::model_server::{self, ModelServer};
use bwana_testkit::{ManualClock, Script, SeededIds};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, Ask};

/// Generous, for a machine that builds at the same time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Stage {
    _folder: TempDir,
    pub(crate) model: ModelServer,
    pub(crate) app: App,
    pub(crate) host: WebHost,
    pub(crate) token: String,
}

pub(crate) struct Setting {
    pub(crate) caller: Caller,
    pub(crate) script: Script,
    pub(crate) code_lives: Duration,
    pub(crate) with_ui: bool,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            caller: Caller::LocalBrowser,
            script: Script::default(),
            code_lives: bwana_server::CODE_LIVES,
            with_ui: true,
        }
    }
}

/// The agent may write a file, which a person must allow.
const WORK: &str = r"
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
steps: [Collect]
";

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Setting::default()).await
    }

    pub(crate) async fn with(setting: Setting) -> Self {
        let folder = TempDir::new().unwrap();
        let model = model_server::Options::scripted(setting.script)
            .start()
            .unwrap();
        let home = folder.path().join("home");
        std::fs::create_dir_all(&home).unwrap();
        let provider = format!(
            "[[providers]]\nname = \"near\"\nkind = \"openai\"\nbase_url = \"{}\"\nmodel = \"scripted\"\n",
            model.url()
        );
        std::fs::write(home.join("settings.toml"), provider).unwrap();
        let options = HostOptions {
            secrets: Secrets::new(&home, None, Redactor::new()),
            home,
            clock: Arc::new(ManualClock::default()),
            ids: Arc::new(SeededIds::new(7)),
            unattended: false,
        };
        let app = App::open(options, Mode::Own).unwrap();
        let options = Options {
            port: 0,
            ui: if setting.with_ui {
                Ui::Folder(ui(&folder))
            } else {
                Ui::Missing
            },
            code_lives: setting.code_lives,
        };
        let host = WebHost::start(app.clone(), setting.caller, options)
            .await
            .unwrap();
        // A host whose codes end at once gives no token; its test wants none.
        let token = host.issue_token().map(|token| token.expose().clone());
        Self {
            _folder: folder,
            model,
            app,
            host,
            token: token.unwrap_or_default(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.host.address().port()
    }

    /// The code of a new link.
    pub(crate) fn code(&self) -> String {
        let link = self.host.new_link().unwrap();
        let (place, code) = link.split_once("/#c=").unwrap();
        assert_eq!(place, format!("http://127.0.0.1:{}", self.port()));
        code.to_owned()
    }

    pub(crate) fn get(&self, path: &str) -> Ask {
        Ask::new(self.port(), "GET", path)
    }

    /// As a page of this host would, with the token.
    pub(crate) fn rpc(&self, name: &str, params: &Value) -> Ask {
        self.bare_rpc(name, params)
            .header("authorization", &format!("Bearer {}", self.token))
    }

    pub(crate) fn bare_rpc(&self, name: &str, params: &Value) -> Ask {
        Ask::new(self.port(), "POST", &format!("/api/rpc/{name}")).json(params)
    }

    pub(crate) fn session(&self, code: &str) -> Ask {
        Ask::new(self.port(), "POST", "/api/session").json(&json!({"code": code}))
    }

    /// Starts the work and gives its run's id.
    pub(crate) async fn start_run(&self) -> String {
        let request = json!({
            "what": {"file": {"name": "work.yaml", "text": WORK}}, "input": "A bakery", "options": {},
        });
        let started = self
            .rpc("run.start", &request)
            .send()
            .await
            .expect_status(200);
        let value = &started.json()["value"];
        value["run"]
            .as_str()
            .or(value["id"].as_str())
            .unwrap_or_else(|| panic!("{value}"))
            .to_owned()
    }

    pub(crate) async fn shown(&self, run: &str) -> Value {
        let answer = self.rpc("run.show", &json!({"run": run})).send().await;
        answer.expect_status(200).json()["value"].clone()
    }

    pub(crate) async fn settled(&self, run: &str) -> Value {
        let answer = self.rpc("run.settle", &json!({"run": run})).send();
        let answer: Answer = tokio::time::timeout(PATIENCE, answer).await.unwrap();
        answer.expect_status(200).json()["value"].clone()
    }

    pub(crate) async fn end(self) {
        self.host.stop().await;
        self.app.close().await.unwrap();
    }
}

fn ui(folder: &TempDir) -> PathBuf {
    let ui = folder.path().join("ui");
    std::fs::create_dir_all(ui.join("assets")).unwrap();
    let files = [
        ("index.html", "<!doctype html><title>Bwana</title>"),
        ("assets/index-B1c_D-3f.js", "export {};"),
        ("assets/index-B1cAD23f.css", "body {}"),
        ("theme.js", "// early"),
        ("font.woff2", "wOF2"),
        ("mark.svg", "<svg/>"),
        (".env", "hidden"),
    ];
    for (name, text) in files {
        std::fs::write(ui.join(name), text).unwrap();
    }
    std::fs::write(folder.path().join("outside.txt"), "outside").unwrap();
    std::os::unix::fs::symlink("../outside.txt", ui.join("link.txt")).unwrap();
    ui
}
