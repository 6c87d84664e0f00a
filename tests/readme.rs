//! The README is true: its five-minute tour is run, line by line, against the program. The two `cargo xtask` commands are
//! `tests/start.rs` and whatever runs this.
//!
//! Models are played by a server that answers from a script; the words in capitals and the server's address are put in.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use bwana_testkit::model_server::Options;
use bwana_testkit::{Bwana, Script};

/// The line with which a reader finds the program; here the harness does.
const PATH_LINE: &str = "export PATH=\"$PWD/target/debug:$PATH\"";
/// The address of the model server in the README.
const SERVER: &str = "http://127.0.0.1:8080/v1";
/// Commands of the tour that must not end with 0, with how they end instead: the run is done, so nothing can be resumed.
const ENDS_OTHERWISE: &[(&str, i32)] = &[("bwana runs resume ID", 2)];

#[test]
fn every_command_of_the_tour_does_what_it_says() {
    let server = Options::scripted(Script::default()).start().unwrap();
    let bwana = Bwana::new(env!("CARGO_BIN_EXE_bwana"));
    bwana.add_provider("tour", &server.url(), "scripted");
    let tour = tour();
    assert!(tour.len() >= 15, "{tour:?}");
    for line in &tour {
        let text = line.replace(SERVER, &server.url());
        let text = if text.contains(" ID") {
            text.replace(" ID", &newest_run(&bwana))
        } else {
            text
        };
        let (text, file) = text
            .split_once(" > ")
            .map_or((&*text, None), |(text, file)| (text, Some(file)));
        let mut words = words(text);
        assert_eq!(words.remove(0), "bwana", "{line}");
        let said = bwana.run(&words);
        let ends = ENDS_OTHERWISE
            .iter()
            .find(|(known, _)| known == line)
            .map_or(0, |(_, code)| *code);
        let said = said.expect_code(ends);
        assert!(
            !said.lines.is_empty() || !said.stderr.is_empty(),
            "{line} says nothing"
        );
        if let Some(file) = file {
            bwana.file(file, said.lines.join("\n"));
        }
    }
    assert!(server.counts().requests > 0, "the tour asked no model");
}

/// The commands of the README's shell blocks, without the one that sets the path.
fn tour() -> Vec<String> {
    let readme = std::fs::read_to_string(xtask::root().join("README.md")).unwrap();
    let blocks = readme
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next());
    let lines: Vec<_> = blocks.flat_map(str::lines).map(String::from).collect();
    assert_eq!(lines.first().map(String::as_str), Some(PATH_LINE));
    lines[1..].to_vec()
}

/// The run the reader would look at, as the end of its id with a space in front.
fn newest_run(bwana: &Bwana) -> String {
    let runs = bwana.run(["runs", "list", "--json"]).expect_code(0);
    let id = runs.json()[0]["id"].as_str().unwrap().to_owned();
    format!(" {}", &id[id.len() - 6..])
}

/// Words as a shell would split them; the tour uses double quotes only.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

#[test]
fn the_two_commands_of_the_readme_are_tasks() {
    let readme = std::fs::read_to_string(xtask::root().join("README.md")).unwrap();
    for task in ["start", "test"] {
        assert!(
            readme.contains(&format!("```\ncargo xtask {task}\n```")),
            "{task}"
        );
    }
    for task in ["start", "test"] {
        let line = format!("cargo xtask {task} ");
        assert!(
            xtask::HELP.lines().any(|said| said.starts_with(&line)),
            "{task}"
        );
    }
}
