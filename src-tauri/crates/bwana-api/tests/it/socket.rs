//! The owner's socket: the same table from another process, and everything that may arrive there.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use bwana_api::command::{RunCancel, RunEvents, RunShow, RunStart, TasksApprove, TasksList};
use bwana_api::events::EventsRequest;
use bwana_api::socket::{Client, PROTOCOL, REQUEST_MAX_BYTES, Server, serve};
use bwana_api::tasks::{ListRequest, TaskRef};
use bwana_api::{App, Event, Events, Mode};
use bwana_testkit::Script;
use bwana_types::error::ErrorCode;
use bwana_types::status::RunStatus;
use serde_json::{Value, json};

use crate::common::{Home, PLAIN, by, settle, start_request};

struct Owner {
    home: Home,
    app: App,
    server: Server,
}

impl Owner {
    fn start(home: Home, mode: Mode) -> Self {
        let app = home.open(mode);
        let server = serve(&app).unwrap();
        Self { home, app, server }
    }

    async fn client(&self) -> Client {
        Client::connect(&self.home.path()).await.unwrap().unwrap()
    }

    async fn end(self) {
        self.server.stop().await;
        self.app.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_started_followed_and_approved_from_outside() {
    let script =
        Script::default().calls_once("file.write", json!({"path": "a.txt", "content": "x"}));
    let owner = Owner::start(Home::answering(script), Mode::Own);
    let client = owner.client().await;
    assert!(client.hello().takes_runs);
    let text = PLAIN.replace("steps: [Collect, Write up]", "steps: [Collect]");
    let started = client
        .call::<RunStart>(&start_request(&text), &Events::none())
        .await
        .unwrap();
    let (events, mut heard) = Events::channel();
    let request = EventsRequest {
        run: started.run.to_string(),
        from: 0,
        follow: true,
        text: true,
    };
    let other = owner.client().await;
    let telling = tokio::spawn(async move { other.call::<RunEvents>(&request, &events).await });
    let mut seqs = Vec::new();
    while let Some(event) = heard.recv().await {
        let Event::Entry { entry, .. } = event else {
            continue;
        };
        seqs.push(entry.seq);
        if entry.body.kind() == "task_opened" {
            let list = client
                .call::<TasksList>(&ListRequest::default(), &Events::none())
                .await
                .unwrap();
            let by = TaskRef {
                task: list.tasks[0].id.to_string(),
            };
            client
                .call::<TasksApprove>(&by.clone().into(), &Events::none())
                .await
                .unwrap();
        }
    }
    let end = telling.await.unwrap().unwrap();
    assert!(end.ended);
    assert_eq!(seqs, (1..=end.head_seq).collect::<Vec<_>>());
    let shown = client
        .call::<RunShow>(&by(started.run), &Events::none())
        .await
        .unwrap();
    assert_eq!(shown.status, RunStatus::Done);
    assert_eq!(
        shown,
        settle(&owner.app, started.run).await,
        "the same from both sides"
    );
    owner.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_drives_a_single_run_takes_decisions_but_no_new_runs() {
    let owner = Owner::start(Home::new(), Mode::Drive);
    owner.home.model.hold();
    let started = crate::common::start(&owner.app, PLAIN).await;
    let client = owner.client().await;
    assert!(!client.hello().takes_runs);
    let refused = client
        .call::<RunStart>(&start_request(PLAIN), &Events::none())
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::HomeInUse);
    let shown = client
        .call::<RunCancel>(&by(started.run), &Events::none())
        .await
        .unwrap();
    assert_eq!(shown.status, RunStatus::Cancelled);
    owner.end().await;
}

/// What the owner answers to raw lines, its greeting left out.
fn answers(path: &Path, sent: &[u8], expected: usize) -> Vec<Value> {
    let stream = UnixStream::connect(path).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let hello: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(hello["bwana"], PROTOCOL);
    (&stream).write_all(sent).unwrap();
    lines
        .take(expected)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_answered_and_harms_nobody() {
    let owner = Owner::start(Home::new(), Mode::Own);
    let path = owner.server.path().to_owned();
    let (path, seen) = tokio::task::spawn_blocking(move || {
        let sent = b"garbage\n{\"id\":1}\n\xff\xfe\n[]\n{\"id\":2,\"command\":\"run.show\",\"params\":{\"run\":7}}\n\
                     {\"id\":3,\"command\":\"tasks.list\"}\n";
        let seen = answers(&path, sent, 6);
        (path, seen)
    })
    .await
    .unwrap();
    let code = |id: Value| {
        let found = seen.iter().find(|line| line["id"] == id);
        found.map(|line| line["error"]["code"].clone())
    };
    assert_eq!(code(Value::Null), Some(json!("usage.invalid")));
    assert_eq!(
        code(json!(1)),
        Some(json!("usage.invalid")),
        "no such command"
    );
    assert_eq!(
        code(json!(2)),
        Some(json!("usage.invalid")),
        "params of another shape"
    );
    let list = seen.iter().find(|line| line["id"] == 3).unwrap();
    assert_eq!(list["ok"], json!({"tasks": []}));

    // A line without an end is not collected for ever.
    let ended = tokio::task::spawn_blocking(move || {
        let stream = UnixStream::connect(path).unwrap();
        let piece = vec![b'x'; 64 * 1024];
        let mut sent = 0;
        while sent <= REQUEST_MAX_BYTES + piece.len() {
            if (&stream).write_all(&piece).is_err() {
                break;
            }
            sent += piece.len();
        }
        let mut rest = String::new();
        // The owner may close before it has read everything we sent.
        let _ = (&stream).read_to_string(&mut rest);
        rest
    })
    .await
    .unwrap();
    assert!(
        ended.contains("usage.invalid") || ended.is_empty(),
        "{ended}"
    );
    assert!(owner.client().await.hello().takes_runs, "it still answers");
    owner.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_dropped_is_given_up() {
    let owner = Owner::start(Home::new(), Mode::Own);
    owner.home.model.hold();
    let client = owner.client().await;
    let started = client
        .call::<RunStart>(&start_request(PLAIN), &Events::none())
        .await
        .unwrap();
    let request = EventsRequest {
        run: started.run.to_string(),
        from: 0,
        follow: true,
        text: false,
    };
    let (events, mut heard) = Events::channel();
    {
        let telling = client.call::<RunEvents>(&request, &events);
        tokio::pin!(telling);
        tokio::select! {
            event = heard.recv() => assert!(event.is_some()),
            end = &mut telling => panic!("{end:?}"),
        }
    }
    // The connection is as good as before.
    let shown = client
        .call::<RunShow>(&by(started.run), &Events::none())
        .await
        .unwrap();
    assert_eq!(shown.status, RunStatus::Running);
    owner.home.model.open();
    assert_eq!(
        settle(&owner.app, started.run).await.status,
        RunStatus::Done
    );
    owner.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_goes_leaves_an_error_and_no_socket() {
    let owner = Owner::start(Home::new(), Mode::Own);
    let client = owner.client().await;
    let path = owner.server.path().to_owned();
    let home = owner.home.path();
    owner.server.stop().await;
    let gone = client
        .call::<TasksList>(&ListRequest::default(), &Events::none())
        .await
        .unwrap_err();
    assert_eq!(gone.code, ErrorCode::OwnerUnreachable);
    assert!(!path.exists());
    assert!(Client::connect(&home).await.unwrap().is_none());
    owner.app.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_of_a_killed_owner_is_replaced_by_the_next() {
    let home = Home::new();
    let path = {
        let owner = Owner::start(home, Mode::Own);
        let path = owner.server.path().to_owned();
        let home = owner.home;
        // What a kill leaves behind: a file nobody listens on.
        owner.server.stop().await;
        owner.app.close().await.unwrap();
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(Client::connect(&home.path()).await.unwrap().is_none());
        let owner = Owner::start(home, Mode::Own);
        let meta = std::fs::metadata(owner.server.path()).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        let folder = std::fs::metadata(owner.server.path().parent().unwrap()).unwrap();
        assert_eq!(folder.permissions().mode() & 0o777, 0o700);
        owner.client().await;
        owner.end().await;
        path
    };
    assert!(!path.exists());
}

#[tokio::test]
async fn only_the_holder_of_the_lock_listens() {
    let home = Home::new();
    let reader = home.open(Mode::Read);
    assert!(serve(&reader).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_version_is_told_which_is_which() {
    let home = Home::new();
    let path = home.path().join("owner.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let hello = json!({"bwana": PROTOCOL, "version": "0.0.1", "pid": 1, "takes_runs": true});
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        writeln!(stream, "{hello}").unwrap();
    });
    let refused = Client::connect(&home.path()).await.err().unwrap();
    assert_eq!(refused.code, ErrorCode::OwnerVersion);
    assert!(refused.message.contains("0.0.1"), "{}", refused.message);
    server.join().unwrap();
}

/// Set for a second process of this test, which then only tries to talk.
const INTRUDER: &str = "BWANA_TEST_INTRUDER";

#[test]
fn intruder() {
    let Some(path) = std::env::var_os(INTRUDER) else {
        return;
    };
    let mut said = String::new();
    if let Ok(mut stream) = UnixStream::connect(path) {
        let _ = writeln!(stream, r#"{{"id":1,"command":"tasks.list"}}"#);
        let _ = stream.read_to_string(&mut said);
    }
    assert_eq!(said, "", "nothing is said to somebody else");
}

/// Needs to become somebody else for a moment, so it runs where that is possible.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_else_is_not_talked_to_even_if_the_folder_lets_them_in() {
    use std::os::unix::process::CommandExt as _;
    const NOBODY: u32 = 65_534;
    let owner = Owner::start(Home::new(), Mode::Own);
    let path = owner.server.path().to_owned();
    if std::fs::metadata(&path).unwrap().uid() != 0 {
        eprintln!("skipped: only root can become somebody else");
        owner.end().await;
        return;
    }
    // Doors that the program itself keeps shut.
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(&path, 0o666);
    for folder in path
        .ancestors()
        .skip(1)
        .filter(|folder| folder.starts_with(std::env::temp_dir()))
    {
        if folder != std::env::temp_dir() {
            open(folder, 0o755);
        }
    }
    // A copy where nobody may read it: the build folder may be closed to others.
    let program = path.with_file_name("intruder");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    open(&program, 0o755);
    let status = tokio::task::spawn_blocking(move || {
        std::process::Command::new(program)
            .args(["--exact", "socket::intruder"])
            .env(INTRUDER, path)
            .uid(NOBODY)
            .gid(NOBODY)
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap()
    })
    .await
    .unwrap();
    assert!(status.success());
    assert!(owner.client().await.hello().takes_runs);
    owner.end().await;
}
