//! Secrets let loose everywhere at once: a provider that repeats every key it can think of in texts, tool calls and
//! errors, and a look into everything the program leaves behind. What is known is nowhere; what only looks like a key
//! stands in the person's own journal at most, never in logs, errors or crash reports.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bwana_testkit::bwana::PATIENCE;
use bwana_testkit::fault::Fault;
use bwana_testkit::model_server::{ModelServer, Options};
use bwana_testkit::script::{Answer, AnswerCall, Prompt};
use bwana_testkit::{Bwana, Output};

use crate::common::{bwana, words};

/// A secret as it is and as it appears somewhere.
struct Canary {
    /// What must not be seen.
    secret: String,
    /// What the provider says.
    said: String,
    /// It is a key of this program; otherwise only its shape gives it away.
    is_known: bool,
}

/// Keys of this program, none of which has the shape of one.
const KNOWN: &[&str] = &[
    "canary-7Hq2xV9tLm4Kw8Rz",
    "plain words of an old friend",
    "p@ss/w0rd+with=signs&more",
    "quote\"back\\slash{brace}",
    "schlüssel-zum-glück-42",
];

/// Shapes of keys, in two halves so that nobody takes this file for a leak.
const SHAPES: &[(&str, &str)] = &[
    ("sk-", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1h"),
    ("sk-proj-", "aB3dE5fG7hJ9kL1mN3pQ_5rS7tU9vW1x-Y3zA5bC7dE9"),
    ("sk-svcacct-", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"),
    ("sk-ant-", "api03-aB3dE5fG7hJ9_kL1mN3pQ5rS7t-U9vW1xY3zAA"),
    (
        "sk-or-v1-",
        "0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
    ("AIza", "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q"),
    (
        "gsk_",
        "aB3dE5fG7hJ9kL1mN3pQWGdyb3FY5rS7tU9vW1xY3zA5bC7dE9fG",
    ),
    (
        "xai-",
        "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1hJ3kL5m",
    ),
    ("fw_", "3ZaB3dE5fG7hJ9kL1mN3pQ5r"),
    ("tgp_v1_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7d"),
    ("hf_", "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH"),
    (
        "nvapi-",
        "aB3dE5fG7hJ9kL1mN3pQ-5rS7tU9vW1xY3zA5bC7d_E9fG1hJ3",
    ),
    ("pplx-", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9fG1hJ3"),
    ("r8_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5b"),
    ("ghp_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"),
    (
        "github_pat_",
        "11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ0123456789aBcDeFg",
    ),
    ("glpat-", "aB3dE5fG7hJ9kL1mN3pQ"),
    ("npm_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"),
    ("AKIA", "Q3EGRT5XN7PLW2ZK"),
    ("ya29.", "a0AfB_byC-aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1x"),
    (
        "xoxb-",
        "123456789012-1234567890123-aB3dE5fG7hJ9kL1mN3pQ5rS7",
    ),
    ("sk_live_", "aB3dE5fG7hJ9kL1mN3pQ5rS7"),
    ("whsec_", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY"),
    ("hvs.", "CAESIaB3dE5fG7hJ9kL1mN3pQ5rS7tU9"),
    ("GOCSPX-", "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9v"),
    (
        "eyJ",
        "hbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjYW5hcnkifQ.aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5bC7dE9f",
    ),
];

/// Secrets that only what stands around them gives away.
const DRESSED: &[(&str, &str, &str)] = &[
    (
        "Authorization: Bearer ",
        "Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZg",
        "",
    ),
    ("Authorization: Basic ", "dXNlcjpodW50ZXIyLWh1bnRlcjI=", ""),
    ("x-api-key: ", "0a1b2c3d4e5f60718293a4b5c6d7e8f9", ""),
    ("api-key: ", "f9e8d7c6b5a4938271605f4e3d2c1b0a", ""),
    ("https://someone:", "hunter2-and-hunter3", "@example.org/v1"),
    (
        "https://example.org/v1?key=",
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "&alt=sse",
    ),
    (
        "https://example.org/cb?access_token=",
        "9a8b7c6d5e4f30211203f4e5d6c7b8a9",
        "",
    ),
    ("Cookie: session=", "s1a2n3d4w5i6c7h8e9s0abcdef", "; Path=/"),
    (
        "Set-Cookie: sid=",
        "b1a2k3e4r5y6b7r8e9a0dabcd",
        "; HttpOnly",
    ),
    (
        "{\"api_key\": \"",
        "c0ffee00c0ffee11c0ffee22c0ffee33",
        "\"}",
    ),
    (
        "{\\\"api_key\\\": \\\"",
        "decaf000decaf111decaf222decaf333",
        "\\\"}",
    ),
    ("{\"password\": \"", "correct horse battery", "\"}"),
    ("client_secret=", "5up3r5ecr3tcl13nt5ecr3tva1ue", "&grant=x"),
    (
        "-----BEGIN PRIVATE KEY-----\n",
        "MIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSj",
        "\n-----END PRIVATE KEY-----",
    ),
    (
        "-----BEGIN RSA PRIVATE KEY-----\\n",
        "MIIEpAIBAAKCAQEA7canary\\nBBBBCCCCDDDD",
        "\\n-----END RSA PRIVATE KEY-----",
    ),
    (
        "postgres://app:",
        "n0tAnyb0dysP4ssword",
        "@db.example.org/x",
    ),
];

fn canaries() -> Vec<Canary> {
    let mut all = Vec::new();
    for secret in KNOWN {
        let json = serde_json::to_string(secret).unwrap();
        let escaped = json.trim_matches('"').to_owned();
        let mut known = |said: String| {
            all.push(Canary {
                secret: (*secret).to_owned(),
                said,
                is_known: true,
            });
        };
        known((*secret).to_owned());
        known(format!("{{\"echo\": \"{escaped}\"}}"));
        known(form_encoded(secret));
        known(STANDARD.encode(format!("user:{secret}")));
    }
    for (begin, rest) in SHAPES {
        let secret = format!("{begin}{rest}");
        all.push(Canary {
            said: secret.clone(),
            secret: (*rest).to_owned(),
            is_known: false,
        });
    }
    for (before, secret, after) in DRESSED {
        all.push(Canary {
            said: format!("{before}{secret}{after}"),
            secret: (*secret).to_owned(),
            is_known: false,
        });
    }
    all
}

fn form_encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// Everything the canaries say, each in a line of its own.
fn song() -> String {
    let lines: Vec<String> = canaries().into_iter().map(|canary| canary.said).collect();
    format!("\n{}\n", lines.join("\n"))
}

/// What of a canary can be recognised: the secret itself, and what was said in its place.
fn traces(canary: &Canary) -> Vec<String> {
    let mut traces = vec![canary.secret.clone()];
    let quoted = |text: &str| {
        let json = serde_json::to_string(text).unwrap();
        json[1..json.len() - 1].to_owned()
    };
    traces.push(quoted(&canary.secret));
    if canary.is_known {
        traces.push(
            STANDARD
                .encode(&canary.secret)
                .trim_end_matches('=')
                .to_owned(),
        );
        traces.push(URL_SAFE_NO_PAD.encode(&canary.secret));
        traces.push(form_encoded(&canary.secret));
        // The last characters of base64 also hold what follows.
        let encoded = STANDARD.encode(format!("user:{}", canary.secret));
        traces.push(encoded[8..encoded.len() - 4].to_owned());
    }
    traces
}

#[derive(Clone, Copy, PartialEq)]
enum Look {
    /// For keys of this program.
    Known,
    /// Also for whatever has the shape of a key.
    Shapes,
}

/// 0 hits in `bytes`; all that are found are told at once.
#[track_caller]
fn check(channel: &str, bytes: &[u8], look: Look) {
    let mut hits = Vec::new();
    for canary in canaries() {
        if !canary.is_known && look == Look::Known {
            continue;
        }
        for trace in traces(&canary) {
            let at = bytes
                .windows(trace.len())
                .position(|part| part == trace.as_bytes());
            if let Some(at) = at {
                let from = at.saturating_sub(40);
                let around = &bytes[from..(at + trace.len() + 20).min(bytes.len())];
                hits.push(format!(
                    "{trace}\n    in {:?}",
                    String::from_utf8_lossy(around)
                ));
            }
        }
    }
    assert!(
        hits.is_empty(),
        "{channel}: {} hits\n  {}",
        hits.len(),
        hits.join("\n  ")
    );
}

fn check_output(channel: &str, output: &Output, stdout: Look) {
    check(
        &format!("{channel}, stdout"),
        output.lines.join("\n").as_bytes(),
        stdout,
    );
    check(
        &format!("{channel}, stderr"),
        output.stderr.as_bytes(),
        Look::Shapes,
    );
}

fn check_files(channel: &str, folder: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += check_files(channel, &path);
        } else if let Ok(bytes) = std::fs::read(&path) {
            files += 1;
            let look = match path.extension() {
                Some(ending) if ending == "log" => Look::Shapes,
                _ => Look::Known,
            };
            check(&format!("{channel}, {}", path.display()), &bytes, look);
        }
    }
    files
}

/// Whether some file below `folder` holds these words as they are.
fn holds(folder: &Path, words: &str) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, words);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes
            .windows(words.len())
            .any(|part| part == words.as_bytes())
    })
}

/// Says everything, as text in pieces and as the arguments of a tool.
fn echo(prompt: &Prompt<'_>) -> Answer {
    let mut answer = Answer::text(song());
    if let Some(tool) = prompt.offers("file.write")
        && prompt.results() == 0
    {
        answer.calls.push(AnswerCall {
            id: String::from("call_1"),
            tool: tool.to_owned(),
            args: serde_json::json!({"path": "song.txt", "content": song()}).to_string(),
        });
    }
    answer
}

/// Where the known canaries are kept.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Env,
    Vault,
}

/// How a request's id begins: where this is kept, the rest was to be taken out.
const REQUEST: &str = "id-of-the-song";
/// What headers can hold: the known canaries where headers are kept, and everything in one that nobody reads.
fn headers() -> Vec<(String, String)> {
    let fits = |said: &String| !said.contains('\n');
    let all = canaries();
    let known = all.iter().filter(|canary| canary.is_known);
    let known = known.map(|canary| canary.said.clone()).filter(fits);
    let id = format!("{REQUEST} {}", KNOWN.join(" "));
    let mut headers = vec![(String::from("x-request-id"), id)];
    headers.extend(
        known
            .enumerate()
            .map(|(at, said)| (format!("x-ratelimit-note-{at}"), said)),
    );
    let others = all.into_iter().filter(|canary| !canary.is_known);
    let others: Vec<String> = others.map(|canary| canary.said).filter(fits).collect();
    headers.push((String::from("x-echo"), others.join(" ")));
    headers
}

/// A home whose providers have the known canaries as keys; the first one is asked.
fn nest(kept: Kept) -> (Bwana, ModelServer) {
    let mut options = Options::answering(Arc::new(echo));
    options.key = Some(KNOWN[0].to_owned());
    options.deltas = 97;
    options.headers = headers();
    let server = options.start().unwrap();
    let mut bwana = bwana();
    match kept {
        Kept::Env => {
            for (at, secret) in KNOWN.iter().enumerate() {
                bwana = bwana.env(&format!("CANARY_{at}"), secret);
            }
        }
        Kept::Vault => {
            let file = bwana.file("passphrase", "seven loaves of bread");
            bwana = bwana.env("BWANA_VAULT_PASSPHRASE_FILE", file.to_str().unwrap());
            bwana.run(words("secrets use vault")).expect_code(0);
        }
    }
    for (at, secret) in KNOWN.iter().enumerate() {
        let url = server.url();
        let add = format!("providers add bird{at} --kind openai --base-url {url} --model scripted");
        match kept {
            Kept::Env => bwana.run(words(&format!("{add} --key-env CANARY_{at}"))),
            Kept::Vault => bwana.run_with_input(words(&format!("{add} --key-stdin")), secret),
        }
        .expect_code(0);
    }
    (bwana, server)
}

const FLOW: &str = r"
schema: bwana.agent/v1
id: writer
name: Writer
instructions: You write.
tools: [file.write]
---
schema: bwana.workflow/v1
id: song
name: Song
agents: [writer]
steps: [Sing]
";

#[test]
fn there_are_sixty_and_the_test_would_see_them() {
    assert!(canaries().len() >= 60, "{}", canaries().len());
    for canary in canaries() {
        let found =
            std::panic::catch_unwind(|| check("itself", canary.said.as_bytes(), Look::Shapes));
        assert!(found.is_err(), "{}", canary.said);
    }
}

#[test]
fn what_a_provider_repeats_is_in_no_journal_output_or_file() {
    run_and_look(Kept::Env);
}

#[test]
fn what_a_provider_repeats_of_a_vault_is_in_no_journal_output_or_file() {
    run_and_look(Kept::Vault);
}

fn run_and_look(kept: Kept) {
    let (bwana, server) = nest(kept);
    let file = bwana.file("song.yaml", FLOW);
    let args = [
        "run",
        file.to_str().unwrap(),
        "--input",
        KNOWN[1],
        "--json",
        "-vvv",
    ];
    let asked = bwana.run(args).expect_code(3);
    check_output("a run that waits", &asked, Look::Known);
    check_files("a run that waits", &bwana.home());
    let tasks = bwana.run(words("tasks list --json")).expect_code(0);
    check_output("a question", &tasks, Look::Known);
    let (task, run) = (tasks.last()["id"].clone(), tasks.last()["run"].clone());
    let (task, run) = (task.as_str().unwrap(), run.as_str().unwrap());
    bwana.run(["tasks", "approve", task]).expect_code(0);

    // Ended in the middle, so that the database's log is there to be read.
    server.hold();
    let before = server.counts().requests;
    let running = bwana.spawn(["runs", "resume", run, "--json", "-vvv"]);
    assert!(server.wait_for(PATIENCE, |counts| counts.requests > before));
    #[cfg(target_os = "linux")]
    {
        let line = std::fs::read(format!("/proc/{}/cmdline", running.pid())).unwrap();
        check("the command line", &line, Look::Shapes);
    }
    let killed = running.kill();
    check_output("a run that was ended", &killed, Look::Known);
    assert!(check_files("a run that was ended", &bwana.home()) > 2);
    let files = std::fs::read_dir(bwana.home()).unwrap().flatten();
    let mut names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    assert!(
        names.any(|name| name.ends_with("-wal")),
        "the database's log was to be read"
    );

    server.open();
    let resumed = bwana
        .run(["runs", "resume", run, "--json", "-vvv"])
        .expect_code(0);
    check_output("resumed", &resumed, Look::Known);
    assert!(
        resumed.to_string().contains("[redacted]"),
        "taken out where it can be seen"
    );
    for line in ["runs show", "runs events", "runs export"] {
        let mut args = words(line);
        args.push(run);
        let output = bwana.run(args).expect_code(0);
        assert!(!output.lines.is_empty());
        check_output(line, &output, Look::Known);
    }
    check_files("a run that is done", &bwana.home());
}

#[test]
fn an_error_that_repeats_keys_in_headers_and_body_is_told_without_them() {
    fail_and_look(Kept::Env);
}

#[test]
fn an_error_that_repeats_keys_of_a_vault_is_told_without_them() {
    fail_and_look(Kept::Vault);
}

fn fail_and_look(kept: Kept) {
    let (bwana, server) = nest(kept);
    for (at, code) in [401, 400, 500].into_iter().enumerate() {
        let body = format!(
            "{{\"error\": {{\"message\": {}}}}}",
            serde_json::json!(song())
        );
        let fault = Fault::Status {
            code,
            retry_after_s: None,
            body,
        };
        for line in [
            "providers test bird0 --json -vvv",
            "providers test bird0",
            "ask hello --model bird0 --json -vvv",
        ] {
            server.reset();
            server.fail_next(vec![fault.clone(); 8]);
            if code == 500 && line.starts_with("ask") {
                // It would be tried again for a long time; that its failures are clean the first two codes show.
                continue;
            }
            let output = bwana.run(words(line));
            check_output(&format!("{line} ({code}, {at})"), &output, Look::Known);
            check("its log and errors", output.stderr.as_bytes(), Look::Shapes);
        }
    }
    check_files("after errors", &bwana.home());
    assert!(
        holds(&bwana.home(), REQUEST),
        "a header was kept, so there was something to look into"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn the_model_worker_gets_no_key_in_its_environment_or_arguments() {
    use std::os::unix::fs::PermissionsExt as _;

    let (bwana, _server) = nest(Kept::Env);
    let model = bwana.file("some.gguf", b"GGUF");
    let seen = bwana.folder().join("seen");
    let script = format!(
        "#!/bin/sh\ncat /proc/$$/environ /proc/$$/cmdline > {0}.part && mv {0}.part {0}\nexit 1\n",
        seen.display()
    );
    let worker = bwana.file("worker.sh", script);
    std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o700)).unwrap();
    let bwana = bwana
        .env("BWANA_WORKER", worker.to_str().unwrap())
        .env("BWANA_MODEL_PATH", model.to_str().unwrap())
        .env("GROQ_API_KEY", "canary-of-nobody")
        .env("LD_SOME_TOKEN", "canary-of-nobody");
    // A worker that fails is started again and again; once is enough.
    let running = bwana.spawn(words("ask hello --model local --json -vvv"));
    let began = std::time::Instant::now();
    while !seen.exists() && began.elapsed() < PATIENCE {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let output = running.kill();
    check_output("a worker that fails", &output, Look::Known);
    let seen = std::fs::read(&seen).unwrap_or_else(|error| panic!("{error}: {output}"));
    assert!(String::from_utf8_lossy(&seen).contains("PATH="));
    assert!(!String::from_utf8_lossy(&seen).contains("canary-of-nobody"));
    check("the worker's environment", &seen, Look::Shapes);
}

/// Only where points may be made to panic: `cargo xtask test` builds with them.
#[test]
#[cfg(feature = "fault-points")]
fn a_crash_report_is_short_says_where_more_is_and_holds_no_key() {
    for kept in [Kept::Env, Kept::Vault] {
        crash_and_look(kept);
    }
}

#[cfg(feature = "fault-points")]
fn crash_and_look(kept: Kept) {
    let (bwana, _server) = nest(kept);
    let bwana = bwana
        .env("BWANA_PANIC_AT", "before_append")
        .env("BWANA_PANIC_TEXT", &song())
        .env("RUST_BACKTRACE", "1");
    let file = bwana.file("song.yaml", FLOW);
    let output = bwana.run([
        "run",
        file.to_str().unwrap(),
        "--input",
        "x",
        "--json",
        "-vvv",
    ]);
    assert_ne!(output.code(), Some(0), "{output}");
    check_output("a crash", &output, Look::Shapes);
    let log = bwana.home().join("logs/crash.log");
    assert!(output.stderr.contains("logs/crash.log"), "{output}");
    let kept = std::fs::read(&log).unwrap();
    check("the crash log", &kept, Look::Shapes);
    let kept = String::from_utf8_lossy(&kept);
    assert!(kept.contains("fault_point"), "a backtrace: {kept}");
}
