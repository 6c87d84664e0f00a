//! A desktop of its own for one test: a message bus, a screen, a window manager, a tray, notifications, a data folder and
//! a driver of the real window. Everything it starts ends with it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A loaded machine needs long to draw a window.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What the tests of the window need and a machine may not have.
pub(crate) const PROGRAMS: &[&str] = &["Xvfb", "openbox", "dbus-daemon", "WebKitWebDriver", "xdotool"];

pub(crate) struct Desk {
    folder: TempDir,
    env: Vec<(String, String)>,
    bridge: Bridge,
    // Ended in this order.
    children: Vec<Ended>,
}

/// A process that ends when the test does.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The tray and the notifications.
struct Bridge {
    _process: Ended,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Bridge {
    fn ask(&mut self, command: &Value) -> Value {
        writeln!(self.words, "{command}").unwrap();
        self.answer()
    }

    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        match said.get("ok") {
            Some(value) => value.clone(),
            None => json!({"error": said["error"]}),
        }
    }
}

/// One entry of the tray's menu.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    id: i64,
    pub(crate) label: String,
    pub(crate) enabled: bool,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["run", "home", "data"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let inside = |name: &str| folder.path().join(name).display().to_string();
        let mut env: Vec<(String, String)> = [
            ("HOME", inside("home")),
            ("XDG_RUNTIME_DIR", inside("run")),
            ("XDG_DATA_HOME", inside("home/.local/share")),
            ("XDG_CONFIG_HOME", inside("home/.config")),
            ("XDG_CACHE_HOME", inside("home/.cache")),
            ("BWANA_HOME", inside("data")),
            ("GDK_BACKEND", "x11".into()),
            ("LIBGL_ALWAYS_SOFTWARE", "1".into()),
            ("LANG", "en_US.UTF-8".into()),
            ("TZ", "Africa/Nairobi".into()),
            ("TAURI_AUTOMATION", "true".into()),
            ("TAURI_WEBVIEW_AUTOMATION", "true".into()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        let (bus, address) = told(
            Command::new("dbus-daemon").args(["--session", "--nofork", "--nopidfile", "--print-address=1"]),
            &env,
        );
        env.push(("DBUS_SESSION_BUS_ADDRESS".into(), address));
        let (screen, number) = told(
            Command::new("Xvfb").args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"]),
            &env,
        );
        env.push(("DISPLAY".into(), format!(":{number}")));
        let manager = quiet(&mut Command::new("openbox"), &env);
        let bridge = bridge(&env);
        Self {
            folder,
            env,
            bridge,
            children: vec![manager, screen, bus],
        }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn file(&self, name: &str, text: &str) {
        let path = self.home().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A command with this desktop around it.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The program, driven: a session with its first window.
    pub(crate) async fn drive(&self, args: &[&str]) -> Driven {
        let port = free_port();
        let driver = quiet(
            Command::new("WebKitWebDriver").args([format!("--port={port}"), "--host=127.0.0.1".into()]),
            &self.env,
        );
        until("the driver listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        let mut capabilities = Capabilities::new();
        capabilities.insert(
            "webkitgtk:browserOptions".into(),
            json!({"binary": env!("CARGO_BIN_EXE_bwana-desktop"), "args": args}),
        );
        let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("the window opens and can be driven");
        Driven { client, _driver: driver }
    }

    pub(crate) fn tray_menu(&mut self) -> Vec<Entry> {
        let said = self.bridge.ask(&json!({"do": "menu"}));
        let entries = said.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .filter(|entry| entry["separator"] == false)
            .map(|entry| Entry {
                id: entry["id"].as_i64().unwrap(),
                label: entry["label"].as_str().unwrap().to_owned(),
                enabled: entry["enabled"].as_bool().unwrap(),
            })
            .collect()
    }

    /// Waits for an enabled entry whose label begins so, and chooses it.
    pub(crate) fn choose(&mut self, label: &str) {
        let start = Instant::now();
        loop {
            let menu = self.tray_menu();
            let found = menu.iter().find(|entry| entry.enabled && entry.label.starts_with(label));
            if let Some(entry) = found {
                self.bridge.ask(&json!({"do": "choose", "id": entry.id}));
                return;
            }
            assert!(start.elapsed() < PATIENCE, "no entry '{label}' in {menu:?}");
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    pub(crate) fn notices(&mut self) -> Vec<(i64, String)> {
        let said = self.bridge.ask(&json!({"do": "notices"}));
        let notices = said.as_array().cloned().unwrap_or_default();
        notices
            .iter()
            .map(|one| (one["id"].as_i64().unwrap(), one["body"].as_str().unwrap().to_owned()))
            .collect()
    }

    pub(crate) fn click_notice(&mut self, id: i64) {
        self.bridge.ask(&json!({"do": "click", "id": id}));
    }

    /// A picture of the screen, for people to look at, where `BWANA_PICTURES` names a folder.
    pub(crate) fn picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("BWANA_PICTURES") {
            let path = PathBuf::from(folder).join(format!("{name}.png"));
            let taken = self.command("import").args(["-window", "root"]).arg(path).status();
            assert!(taken.is_ok_and(|status| status.success()), "no picture of {name}");
        }
    }
}

/// The real window under a driver.
pub(crate) struct Driven {
    pub(crate) client: Client,
    _driver: Ended,
}

fn bridge(env: &[(String, String)]) -> Bridge {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/desktop/desk.py");
    // The system's own, which has the bus and the main loop.
    let mut process = Command::new("/usr/bin/python3")
        .arg(script)
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 with dbus and gi");
    let words = process.stdin.take().unwrap();
    let answers = BufReader::new(process.stdout.take().unwrap());
    let mut bridge = Bridge {
        _process: Ended(process),
        words,
        answers,
    };
    assert_eq!(bridge.answer(), json!("ready"));
    bridge
}

/// Starts a program that says in its first line where it can be found.
fn told(command: &mut Command, env: &[(String, String)]) -> (Ended, String) {
    let mut child = command
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Ended(child), line.trim().to_owned())
}

fn quiet(command: &mut Command, env: &[(String, String)]) -> Ended {
    let child = command
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    Ended(child)
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(LOOK_AGAIN);
    }
}
