//! The protocol on a real process, as far as no model is needed.

use bwana_llm::local::frame::{FromWorker, Load, Purpose, ToWorker};
use bwana_types::model::ErrorKind;

use crate::support::{Process, call, chat};

fn load(path: &str) -> ToWorker {
    ToWorker::Load(Load {
        path: path.to_owned(),
        context_tokens: 512,
        threads: None,
        purpose: Purpose::Generate,
    })
}

fn failed(frame: Option<FromWorker>) -> (ErrorKind, String) {
    match frame {
        Some(FromWorker::Error { kind, message, .. }) => (kind, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_greets_and_says_what_the_machine_can_do() {
    let mut process = Process::start();
    let cpu = process.hello();
    assert_eq!(cpu.arch, std::env::consts::ARCH);
    assert!(cpu.physical_cores >= 1);
    assert_eq!(cpu.can_run, cfg!(feature = "local-llm"));
    assert!(process.end().success());
}

#[test]
fn it_ends_when_its_input_ends() {
    assert!(Process::start().end().success());
}

#[cfg(not(feature = "local-llm"))]
#[test]
fn a_build_without_models_refuses_plainly() {
    let mut process = Process::start();
    process.send(&load("any.gguf"));
    let (kind, message) = failed(process.next());
    assert_eq!(kind, ErrorKind::Refused);
    assert!(message.contains("has no built-in model"), "{message}");
}

#[cfg(feature = "local-llm")]
#[test]
fn what_cannot_be_loaded_is_said_and_the_worker_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let mut process = Process::start();
    let mut check = |path: &str, kind, words: &str| {
        process.send(&load(path));
        let (got, message) = failed(process.next());
        assert_eq!(got, kind, "{message}");
        assert!(message.contains(words), "{message}");
    };
    let missing = folder.path().join("missing.gguf");
    check(
        missing.to_str().unwrap(),
        ErrorKind::NotFound,
        "cannot be read",
    );
    check(
        &file("text.gguf", b"hello world"),
        ErrorKind::BadRequest,
        "is not a GGUF",
    );
    check(
        &file("empty.gguf", b""),
        ErrorKind::BadRequest,
        "is not a GGUF",
    );
    let mut broken = b"GGUF\x03\0\0\0".to_vec();
    broken.extend([0xff; 100]);
    check(
        &file("broken.gguf", &broken),
        ErrorKind::BadRequest,
        "is damaged",
    );
    process.hello();
}

#[cfg(feature = "local-llm")]
#[test]
fn a_request_before_a_model_is_refused_with_its_id() {
    let mut process = Process::start();
    let id = process.begin(call(chat("Hi.", &["Hi."]), 8));
    match process.next() {
        Some(FromWorker::Error { id: of, kind, .. }) => {
            assert_eq!((of, kind), (Some(id), ErrorKind::BadRequest));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn nonsense_in_a_frame_is_refused_and_the_next_frame_is_read() {
    let mut process = Process::start();
    for body in [
        &b"nonsense"[..],
        b"{\"type\":12}",
        b"{\"type\":\"dance\"}",
        b"[]",
        b"\xff\xfe",
    ] {
        let mut frame = u32::try_from(body.len()).unwrap().to_le_bytes().to_vec();
        frame.extend_from_slice(body);
        process.send_bytes(&frame);
        let (kind, message) = failed(process.next());
        assert_eq!(kind, ErrorKind::Malformed, "{message}");
    }
    process.hello();
    assert!(process.end().success());
}

#[test]
fn a_stream_that_is_no_frames_ends_the_worker() {
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\xff\xff\xff\xff\0\0",
    ] {
        let mut process = Process::start();
        process.send_bytes(bytes);
        let (kind, message) = failed(process.next());
        assert_eq!(kind, ErrorKind::Malformed);
        assert!(message.contains("bytes was announced"), "{message}");
        assert_eq!(process.exit().code(), Some(2));
    }
    let mut process = Process::start();
    process.send_bytes(b"\x10\0\0\0{\"type\"");
    assert_eq!(process.end().code(), Some(2), "cut inside a frame");
}
