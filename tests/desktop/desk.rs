//! A desktop of its own for one test: a message bus, a screen, a window manager, a tray, notifications, a data folder and
//! a driver of the real window. Everything it starts ends with it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ended::{Ended, quiet, told};

/// A loaded machine needs long to draw a window.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// For pictures only.
const DRAWN_AFTER: Duration = Duration::from_millis(600);

/// What the tests of the window need and a machine may not have.
pub(crate) const PROGRAMS: &[&str] = &[
    "Xvfb",
    "openbox",
    "dbus-daemon",
    "WebKitWebDriver",
    "xdotool",
];

pub(crate) struct Desk {
    folder: TempDir,
    env: Vec<(String, String)>,
    bridge: Bridge,
    // Ended in this order.
    _children: Vec<Ended>,
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
    /// `None` where the machine lacks what a desktop is made of; then the test says that it is skipped.
    pub(crate) fn new() -> Option<Self> {
        let missing: Vec<&str> = PROGRAMS
            .iter()
            .copied()
            .filter(|name| !is_there(name))
            .collect();
        if !missing.is_empty() {
            eprintln!(
                "SKIPPED: the real window\n  because: {} is not installed",
                missing.join(", ")
            );
            return None;
        }
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
            Command::new("dbus-daemon").args([
                "--session",
                "--nofork",
                "--nopidfile",
                "--print-address=1",
            ]),
            &env,
        );
        env.push(("DBUS_SESSION_BUS_ADDRESS".into(), address));
        let (screen, number) = told(
            Command::new("Xvfb").args([
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1280x800x24",
                "-nolisten",
                "tcp",
            ]),
            &env,
        );
        env.push(("DISPLAY".into(), format!(":{number}")));
        let manager = quiet(&mut Command::new("openbox"), &env);
        let bridge = bridge(&env);
        Some(Self {
            folder,
            env,
            bridge,
            _children: vec![manager, screen, bus],
        })
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("data")
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
            Command::new("WebKitWebDriver")
                .args([format!("--port={port}"), "--host=127.0.0.1".into()]),
            &self.env,
        );
        until("the driver listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
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
        let driven = Driven {
            client,
            _driver: driver,
        };
        let start = Instant::now();
        // The first page may still be on its way.
        while driven.js(NO_WELCOME, Vec::new()).await != json!("1") {
            assert!(start.elapsed() < PATIENCE, "the page keeps no mark");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        driven
    }

    /// The program itself, as another start of it.
    pub(crate) fn program(&self) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_bwana-desktop"));
        // Only the window under test belongs to the driver.
        command
            .env_remove("TAURI_AUTOMATION")
            .env_remove("TAURI_WEBVIEW_AUTOMATION");
        command
    }

    /// `bwana serve`, which has the data folder until the test ends.
    pub(crate) fn serve(&self) -> Ended {
        let bwana = Path::new(env!("CARGO_BIN_EXE_bwana-desktop")).with_file_name("bwana");
        let mut serve = self.command(bwana);
        told(serve.args(["serve", "--no-gateway", "--json"]), &self.env).0
    }

    /// The program under test, and what it started: process ids with the names of their programs.
    pub(crate) fn processes(&self) -> (Option<u32>, Vec<(u32, String)>) {
        let mut all: Vec<(u32, u32, String)> = Vec::new();
        let mut own = None;
        let home = format!("BWANA_HOME={}", self.home().display());
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let Some((parent, name)) = parent_and_name(&entry.path()) else {
                continue;
            };
            let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
            let is_ours = environ
                .split(|byte| *byte == 0)
                .any(|one| one == home.as_bytes());
            // The kernel keeps the first 15 characters of a name.
            if is_ours && name == "bwana-desktop" {
                own = Some(pid);
            }
            all.push((pid, parent, name));
        }
        let children = all
            .iter()
            .filter(|(_, parent, _)| Some(*parent) == own)
            .map(|(pid, _, name)| (*pid, name.clone()))
            .collect();
        (own, children)
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

    /// Waits for an enabled entry of the tray's menu whose label begins so, and chooses it.
    pub(crate) fn choose(&mut self, label: &str) {
        let entry = self.entry(label);
        self.choose_seen(&entry);
    }

    /// Waits for such an entry.
    pub(crate) fn entry(&mut self, label: &str) -> Entry {
        self.wait(label, |desk| {
            let menu = desk.tray_menu();
            let fits = |entry: &&Entry| entry.enabled && entry.label.starts_with(label);
            menu.iter().find(fits).cloned().ok_or(format!("{menu:?}"))
        })
    }

    /// Chooses an entry as it was when the menu was opened.
    pub(crate) fn choose_seen(&mut self, entry: &Entry) {
        self.bridge.ask(&json!({"do": "choose", "id": entry.id}));
    }

    pub(crate) fn notices(&mut self) -> Vec<(i64, String)> {
        let said = self.bridge.ask(&json!({"do": "notices"}));
        let notices = said.as_array().cloned().unwrap_or_default();
        notices
            .iter()
            .map(|one| {
                (
                    one["id"].as_i64().unwrap(),
                    one["body"].as_str().unwrap().to_owned(),
                )
            })
            .collect()
    }

    /// Waits until the tray's menu has an entry of that label.
    pub(crate) fn until_menu(&mut self, label: &str) {
        self.wait(label, |desk| {
            let menu = desk.tray_menu();
            menu.iter()
                .any(|entry| entry.label == label)
                .then_some(())
                .ok_or(format!("{menu:?}"))
        });
    }

    /// Waits for a notification: its number and its text.
    pub(crate) fn until_notice(&mut self) -> (i64, String) {
        self.wait("a notification", |desk| {
            desk.notices()
                .into_iter()
                .next()
                .ok_or(String::from("none"))
        })
    }

    pub(crate) fn until_no_notice(&mut self) {
        self.wait("the notification is taken back", |desk| {
            let notices = desk.notices();
            notices
                .is_empty()
                .then_some(())
                .ok_or(format!("{notices:?}"))
        });
    }

    /// Waits until a screen reader finds controls, and says their roles and names.
    pub(crate) fn until_controls(&mut self, roles: &[&str]) -> Vec<(String, String)> {
        self.wait("controls", |desk| {
            let mut spoken = desk.spoken();
            spoken.retain(|(role, _)| roles.contains(&role.as_str()));
            if spoken.is_empty() {
                Err(format!("{:?}", desk.spoken()))
            } else {
                Ok(spoken)
            }
        })
    }

    /// Waits until a screen reader finds that name.
    pub(crate) fn hear(&mut self, name: &str) {
        self.wait(name, |desk| {
            let spoken = desk.spoken();
            let is_there = spoken.iter().any(|(_, said)| said.contains(name));
            is_there.then_some(()).ok_or_else(|| format!("{spoken:?}"))
        });
    }

    /// Waits until the window that is so wide is the one that is typed into.
    pub(crate) fn until_front(&self, width: u32) {
        let wanted = format!("WIDTH={width}");
        until(&format!("a window {width} wide has the keyboard"), || {
            let asked = self
                .command("xdotool")
                .args(["getactivewindow", "getwindowgeometry", "--shell"])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&asked.stdout).into_owned();
            said.lines().any(|line| line == wanted)
        });
    }

    /// Waits until what has that name has the keyboard: what is typed before goes nowhere.
    pub(crate) fn until_focused(&mut self, name: &str) {
        self.wait(name, |desk| {
            let said = desk.bridge.ask(&json!({"do": "spoken"}));
            let focused: Vec<_> = said
                .as_array()
                .into_iter()
                .flatten()
                .filter(|one| one["showing"] == true && one["focused"] == true)
                .map(|one| one["name"].clone())
                .collect();
            let is_there = focused.iter().any(|one| one == name);
            is_there.then_some(()).ok_or_else(|| format!("{focused:?}"))
        });
    }

    fn wait<T>(&mut self, what: &str, look: impl Fn(&mut Self) -> Result<T, String>) -> T {
        let start = Instant::now();
        loop {
            match look(self) {
                Ok(found) => return found,
                Err(seen) => assert!(
                    start.elapsed() < PATIENCE,
                    "waited in vain for {what}: {seen}"
                ),
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    pub(crate) fn click_notice(&mut self, id: i64) {
        self.bridge.ask(&json!({"do": "click", "id": id}));
    }

    /// What a second start of the program with these words says to the first one.
    pub(crate) fn forward(&mut self, words: &[&str]) {
        let said = self.bridge.ask(&json!({"do": "forward", "words": words}));
        assert_eq!(said, json!(true), "the first start does not listen");
    }

    /// What a screen reader finds on the screen: roles and names.
    pub(crate) fn spoken(&mut self) -> Vec<(String, String)> {
        let said = self.bridge.ask(&json!({"do": "spoken"}));
        let all = said
            .as_array()
            .unwrap_or_else(|| panic!("no accessibility tree: {said}"));
        let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
        all.iter()
            .filter(|one| one["showing"] == true)
            .map(|one| (text(one, "role"), text(one, "name")))
            .collect()
    }

    /// Settings with one provider: a model server of the test.
    pub(crate) fn provider(&self, url: &str) {
        self.settings(url, "");
    }

    /// The same, with more behind it.
    pub(crate) fn settings(&self, url: &str, more: &str) {
        let text = format!(
            "[[providers]]\nname = \"scripted\"\nkind = \"openai\"\nbase_url = \"{url}\"\nmodel = \"scripted\"\n{more}"
        );
        fs::write(self.home().join("settings.toml"), text).unwrap();
    }

    /// For everything that is started from now on.
    pub(crate) fn env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Types into whatever window has the keyboard.
    pub(crate) fn type_words(&self, words: &str) {
        self.xdotool(&["type", "--delay", "20", words]);
    }

    pub(crate) fn press_key(&self, key: &str) {
        self.xdotool(&["key", key]);
    }

    fn xdotool(&self, args: &[&str]) {
        let done = self.command("xdotool").args(args).status();
        assert!(
            done.is_ok_and(|status| status.success()),
            "xdotool {args:?}"
        );
    }

    /// A picture of the screen, for people to look at, where `BWANA_PICTURES` names a folder.
    pub(crate) fn picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("BWANA_PICTURES") {
            // What has just been said is drawn a moment later.
            std::thread::sleep(DRAWN_AFTER);
            let path = PathBuf::from(folder).join(format!("{name}.png"));
            let taken = self
                .command("import")
                .args(["-window", "root"])
                .arg(path)
                .status();
            assert!(
                taken.is_ok_and(|status| status.success()),
                "no picture of {name}"
            );
        }
    }
}

/// The real window under a driver.
pub(crate) struct Driven {
    client: Client,
    _driver: Ended,
}

/// The first steps of a new person stand over what is tested here; they have their own tests.
const NO_WELCOME: &str = "localStorage.setItem('bwana.welcomed', '1');
    document.querySelector('#welcome-close')?.click();
    return localStorage.getItem('bwana.welcomed')";

/// What a script of the tests calls in the page: whatever a person can use, with the name a screen reader says.
const PAGE: &str = r"
const shown = (one) => one.checkVisibility?.({ visibilityProperty: true }) ?? true;
const named = (one) => {
  const by = one.getAttribute('aria-labelledby');
  const said = by ? by.split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join(' ') : '';
  return (one.getAttribute('aria-label') || said || [...(one.labels ?? [])].map((l) => l.textContent).join(' ')
    || one.textContent || one.getAttribute('title') || one.getAttribute('placeholder') || '').replace(/\s+/g, ' ').trim();
};
const usable = 'button, a[href], input, textarea, select, [role=button], [role=menuitem], [role=option], [role=tab], [role=switch], [role=radio]';
const find = (name) => {
  const all = [...document.querySelectorAll(usable)]
    .filter((one) => shown(one) && !one.disabled && one.getAttribute('aria-disabled') !== 'true');
  return all.find((one) => named(one) === name) ?? all.find((one) => named(one).startsWith(name) && !/\w/.test(named(one)[name.length]));
};
";

impl Driven {
    /// Runs a script with [`PAGE`] in front of it.
    pub(crate) async fn js(&self, script: &str, args: Vec<Value>) -> Value {
        let script = format!("{PAGE}\n{script}");
        match self.client.execute(&script, args).await {
            Ok(value) => value,
            // The page is on its way to another: what is asked for is not there yet.
            Err(error) => json!({ "error": error.to_string() }),
        }
    }

    /// A command of the table, asked by the page itself.
    pub(crate) async fn rpc(&self, name: &str, params: Value) -> Value {
        let script = "const [name, params, done] = arguments; const id = Math.floor(Math.random() * 1e9);
            window.__TAURI_INTERNALS__.invoke('rpc', { name, params, call: id, events: '__CHANNEL__:' + id })
              .then((answer) => done(answer.value ?? answer), (error) => done({ error }));";
        self.client
            .execute_async(script, vec![json!(name), params])
            .await
            .unwrap()
    }

    /// What stands in the page for a person to read.
    pub(crate) async fn text(&self) -> String {
        let text = self.js("return document.body.innerText", Vec::new()).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a text stands in the page.
    pub(crate) async fn see(&self, text: &str) {
        let wanted = text.to_lowercase();
        let start = Instant::now();
        loop {
            let seen = self.text().await;
            if seen.to_lowercase().contains(&wanted) {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "'{text}' never came; there is:\n{seen}"
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until a text is gone from the page.
    pub(crate) async fn see_no(&self, text: &str) {
        let unwanted = text.to_lowercase();
        let start = Instant::now();
        loop {
            let seen = self.text().await;
            if !seen.is_empty() && !seen.to_lowercase().contains(&unwanted) {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "'{text}' stays; there is:\n{seen}"
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits for a control of that name and presses it.
    pub(crate) async fn press(&self, name: &str) {
        self.use_control(name, "one.focus(); one.click(); return true", &json!(null))
            .await;
    }

    /// Waits for a field of that name and writes into it as a person does.
    pub(crate) async fn write(&self, name: &str, text: &str) {
        let script = "one.focus(); one.select?.(); document.execCommand('insertText', false, value); return true";
        self.use_control(name, script, &json!(text)).await;
    }

    async fn use_control(&self, name: &str, script: &str, value: &Value) {
        let script = format!(
            "const [name, value] = arguments; const one = find(name); if (!one) return false; {script}"
        );
        let start = Instant::now();
        loop {
            let done = self.js(&script, vec![json!(name), value.clone()]).await;
            if done == json!(true) {
                return;
            }
            if start.elapsed() > PATIENCE {
                let names = self
                    .js(
                        "return [...document.querySelectorAll(usable)].filter(shown).map(named)",
                        Vec::new(),
                    )
                    .await;
                panic!(
                    "no control '{name}' among {names}: {done}; there is:\n{}",
                    self.text().await
                );
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until a run stands so.
    pub(crate) async fn until_status(&self, run: &str, status: &str) {
        let start = Instant::now();
        loop {
            let shown = self.rpc("run.show", json!({"run": run})).await;
            if shown["status"] == status {
                return;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "never {status}: {shown}; there is:\n{}",
                self.text().await
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Goes to another place as if its address had been followed, with an eye on the page's policy from its beginning.
    pub(crate) async fn visit(&self, place: &str) {
        let address = format!("tauri://localhost{place}");
        self.client.goto(&address).await.unwrap();
        let watch = "if (document.readyState === 'loading' || location.pathname !== arguments[0].split('?')[0]) return false;
            if (!window.breaches) { window.breaches = [];
              addEventListener('securitypolicyviolation', (event) => window.breaches.push(event.violatedDirective + ' ' + event.blockedURI)); }
            return true;";
        let start = Instant::now();
        while self.js(watch, vec![json!(place)]).await != json!(true) {
            assert!(
                start.elapsed() < PATIENCE,
                "{place} never came: {}",
                self.place().await
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Where the window is, without the host: `/run/run_…?lens=events`.
    pub(crate) async fn place(&self) -> String {
        let place = self
            .js("return location.pathname + location.search", Vec::new())
            .await;
        place.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until something holds of the page.
    pub(crate) async fn until<'a>(
        &'a self,
        what: &str,
        holds: impl Fn(&'a Self) -> Pin<Box<dyn Future<Output = bool> + 'a>>,
    ) {
        let start = Instant::now();
        while !holds(self).await {
            assert!(
                start.elapsed() < PATIENCE,
                "waited in vain: {what}; there is:\n{}",
                self.text().await
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    pub(crate) async fn until_place(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let place = self.place().await;
            if holds(&place) {
                return place;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "waited in vain: {what}; the window is at {place}"
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// From `/proc/PID/stat`: `1234 (name) S 1 …`.
fn parent_and_name(process: &Path) -> Option<(u32, String)> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let (head, tail) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once('(')?;
    let parent = tail.split(' ').nth(1)?.parse().ok()?;
    Some((parent, name.to_owned()))
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

/// The processes that draw the program's pages, the oldest first.
pub(crate) fn pages(desk: &Desk) -> Vec<u32> {
    let (_, children) = desk.processes();
    let pages = children
        .into_iter()
        .filter(|(_, name)| name.starts_with("WebKitWebProces"));
    pages.map(|(pid, _)| pid).collect()
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(LOOK_AGAIN);
    }
}
