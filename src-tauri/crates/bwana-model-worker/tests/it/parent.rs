//! What becomes of a worker whose host is killed: it must go too, wherever it is.

#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::support::{Process, call, chat, test_model, wait_until, workers};
use bwana_llm::local::frame::Purpose;

/// Set in the process that plays the host.
const PLAY_HOST: &str = "BWANA_TEST_PLAY_HOST";
const PID_LINE: &str = "worker pid ";

/// Not a test of its own: started by the one below, in a process that is then killed.
#[test]
fn plays_the_host_until_it_is_killed() {
    if std::env::var_os(PLAY_HOST).is_none() {
        return;
    }
    let Some((model, _one)) = test_model() else {
        return;
    };
    let (mut process, _) = Process::with(&model, Purpose::Generate);
    process.begin(call(chat("You tell long stories.", &["Begin."]), 1_500));
    process.next_word();
    println!("{PID_LINE}{}", workers()[0]);
    // In the middle of an answer nobody reads any more.
    loop {
        std::thread::park();
    }
}

#[test]
fn a_worker_whose_host_is_killed_in_mid_answer_ends() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "parent::plays_the_host_until_it_is_killed"])
        .args(["--nocapture", "--test-threads", "1"])
        .env(PLAY_HOST, "1")
        .env("BWANA_TEST_MODEL", model)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let worker = BufReader::new(host.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once(PID_LINE)?.1.trim().to_owned()))
        .expect("the host started a worker");
    let proc = std::path::PathBuf::from(format!("/proc/{worker}"));
    assert!(proc.exists());
    host.kill().unwrap();
    host.wait().unwrap();
    // Once adopted it is waited for by its new parent, or shown as a zombie.
    wait_until("the worker is gone", || {
        std::fs::read_to_string(proc.join("stat")).map_or(true, |stat| {
            stat.rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.starts_with('Z'))
        })
    });
}
