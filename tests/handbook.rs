//! The handbook is true: its commands are run, in order, page by page, each page in a home of its own; how they end and the
//! lines it shows of their output are held. Every command of the program stands on the page of commands.
//!
//! Models are played by a server that answers from a script; words in capitals and the server's address are put in. What the
//! handbook says besides commands is held by `ui/build/book.test.ts` and `tests/documents.rs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use bwana_testkit::bwana::PATIENCE;
use bwana_testkit::model_server::Options;
use bwana_testkit::script::{Say, When};
use bwana_testkit::{Bwana, Output, Running, Script};
use serde_json::{Value, json};

/// The address of the model server in the handbook.
const SERVER: &str = "http://127.0.0.1:8080/v1";
/// Any words, in a line of output that the handbook shows.
const ANYTHING: &str = "…";
/// How a block says that a command must not end with 0.
const ENDS: &str = " # exit code ";
/// Commands that cannot be run here, each with the reason.
const NOT_RUN: &[(&str, &str)] = &[
    ("bwana models pull --yes", "it downloads"),
    ("bwana models add model.gguf", "it wants a model"),
    (
        "bwana models measure smollm2-135m-instruct",
        "it wants a model",
    ),
    (
        "bwana models embed smollm2-135m-instruct \"bread\" \"milk bread\"",
        "it wants a model",
    ),
    (
        "bwana models remove smollm2-135m-instruct",
        "it wants a model",
    ),
    (
        "bwana tasks resolve TASK happened",
        "it wants a power cut in the moment of sending: tests/webhook_crash.rs",
    ),
];
/// Letters of an id that name it.
const ID_END_CHARS: usize = 6;

struct Block {
    language: String,
    /// The name under which the text is put into the folder before the commands that follow.
    file: Option<String>,
    text: String,
}

/// A command as it stands in the handbook, and the lines of its output that stand under it.
struct Shown {
    line: String,
    output: Vec<String>,
}

#[test]
fn every_command_of_the_handbook_does_what_it_says() {
    let server = Options::scripted(script()).start().unwrap();
    let mut run = 0;
    let mut left_out = 0;
    for (name, text) in pages() {
        let page = Page {
            name,
            server: server.url(),
            bwana: Bwana::new(env!("CARGO_BIN_EXE_bwana")),
        };
        page.bwana.add_provider("house", &page.server, "scripted");
        for block in blocks(&text) {
            if let Some(file) = &block.file {
                page.bwana.file(file, &block.text);
            }
            for shown in commands(&block) {
                if NOT_RUN.iter().any(|(line, _)| *line == shown.line) {
                    left_out += 1;
                } else {
                    page.hold(&shown);
                    run += 1;
                }
            }
        }
    }
    assert!(run > 90, "{run} commands");
    assert_eq!(left_out, NOT_RUN.len(), "a command that is not run is gone");
    assert!(server.counts().requests > 10, "the handbook asked no model");
}

/// One page with its home.
struct Page {
    name: String,
    server: String,
    bwana: Bwana,
}

impl Page {
    fn hold(&self, shown: &Shown) {
        let place = format!("{}: {}", self.name, shown.line);
        let (line, ends) = match shown.line.split_once(ENDS) {
            Some((line, code)) => (line, code.parse().unwrap()),
            None => (&*shown.line, 0),
        };
        let said = self.run(&self.filled(line), &place);
        assert_eq!(said.code(), Some(ends), "{place}\n{said}");
        let lines: Vec<&str> = said
            .lines
            .iter()
            .map(String::as_str)
            .chain(said.stderr.lines())
            .collect();
        assert!(!lines.is_empty(), "{place} says nothing");
        let mut rest = lines.iter();
        for wanted in &shown.output {
            assert!(
                rest.any(|line| fits(line, wanted)),
                "{place} does not say: {wanted}\n{said}"
            );
        }
    }

    /// The command with what the reader would put in.
    fn filled(&self, line: &str) -> String {
        let mut line = line.replace(SERVER, &self.server);
        for (word, list, key) in [
            (" ID", &["runs", "list"][..], "id"),
            (" TASK", &["tasks", "list"][..], "id"),
            (" GRANT", &["grants", "list"][..], "id"),
            (
                " VERSION",
                &["workflows", "versions", "price_list"][..],
                "version",
            ),
        ] {
            let at = line.find(word).filter(|at| {
                let behind = line[at + word.len()..].chars().next();
                behind.is_none_or(|c| c == ' ')
            });
            if let Some(at) = at {
                let name = self.newest(list, key);
                line.replace_range(at + 1..at + word.len(), &name);
            }
        }
        line
    }

    /// What stands first in a list, by the end of its name.
    fn newest(&self, list: &[&str], key: &str) -> String {
        let args = list.iter().copied().chain(["--json"]);
        let listed = self.bwana.run(args).expect_code(0);
        let first = listed.json().into_iter().next();
        let first = first.unwrap_or_else(|| panic!("{}: {list:?} is empty", self.name));
        let name = first[key].as_str().unwrap().to_owned();
        if key == "id" {
            name[name.len() - ID_END_CHARS..].to_owned()
        } else {
            name
        }
    }

    fn run(&self, line: &str, place: &str) -> Output {
        let folder = self.bwana.folder();
        let (line, into) = cut(line, " > ");
        let (line, from) = cut(line, " < ");
        let mut words = words(line);
        let mut variables = Vec::new();
        while words[0] != "bwana" {
            let word = words.remove(0);
            let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("{place}"));
            variables.push((name.to_owned(), value.to_owned()));
        }
        words.remove(0);
        if words[0] == "serve" {
            return self.serve(&words, place);
        }
        let input = from.map_or_else(String::new, |file| {
            std::fs::read_to_string(folder.join(file)).unwrap()
        });
        let mut command = self.bwana.command(&words);
        command.envs(variables);
        let said = Running::start(command, &input).finish(PATIENCE);
        if let Some(file) = into {
            self.bwana.file(file, said.lines.join("\n"));
        }
        said
    }

    /// An owner works until it is told to end.
    fn serve(&self, words: &[String], place: &str) -> Output {
        let words = words.iter().map(String::as_str);
        // The port of the handbook may be taken here.
        let closed = words.clone().any(|word| word == "--no-gateway");
        let port: &[&str] = if closed { &[] } else { &["--port", "0"] };
        let words = words.chain(["--json"]).chain(port.iter().copied());
        let mut running = self.bwana.spawn(words);
        let serving = running.wait_for(PATIENCE, |line| line["type"] == "serving");
        assert!(serving.is_some(), "{place} serves nothing");
        running.signal("INT");
        running.finish(PATIENCE)
    }
}

#[test]
fn every_command_of_the_program_stands_on_the_page_of_commands() {
    let bwana = Bwana::new(env!("CARGO_BIN_EXE_bwana"));
    let text = std::fs::read_to_string(folder().join("commands.md")).unwrap();
    let shown: Vec<String> = blocks(&text)
        .iter()
        .flat_map(commands)
        .map(|shown| shown.line)
        .collect();
    let mut known = 0;
    for command in subcommands(&bwana, &[]) {
        assert!(
            text.contains(&format!("\n## bwana {command}\n")),
            "{command}"
        );
        let inner = subcommands(&bwana, &[&command]);
        for one in &inner {
            let call = format!("bwana {command} {one}");
            assert!(is_called(&shown, &call), "no example of {call}");
        }
        let call = format!("bwana {command}");
        assert!(is_called(&shown, &call), "no example of {call}");
        known += 1 + inner.len();
    }
    assert!(known > 60, "{known} commands");
}

fn is_called(shown: &[String], call: &str) -> bool {
    shown.iter().any(|line| {
        line.split("bwana ").nth(1).is_some_and(|rest| {
            let rest = format!("bwana {rest} ");
            rest.starts_with(&format!("{call} "))
        })
    })
}

/// The names under "Commands:" in a help.
fn subcommands(bwana: &Bwana, of: &[&str]) -> Vec<String> {
    let args = of.iter().copied().chain(["--help"]);
    let said = bwana.run(args).expect_code(0);
    let lines = said.lines.iter().skip_while(|line| *line != "Commands:");
    lines
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        // What is indented further goes on with the line before.
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(String::from)
        .collect()
}

/// A model that saves a file or asks when its task says so, once, and speaks otherwise.
fn script() -> Script {
    let wants = |words: &str, tool: &str, args: Value| {
        let when = When {
            contains: Some(words.to_owned()),
            offered: Some(tool.to_owned()),
            results: Some(0),
            ..When::default()
        };
        (when, Say::call(tool, args))
    };
    let (save, saves) = wants(
        "save it as a file",
        "file.write",
        json!({"path": "price-list.md", "content": "Bread 65"}),
    );
    let (ask, asks) = wants(
        "ask me which",
        "person.ask",
        json!({"question": "Which town?", "choices": ["Kisumu", "Nakuru"]}),
    );
    Script::default().rule(save, saves).rule(ask, asks)
}

fn folder() -> std::path::PathBuf {
    xtask::root().join("docs/handbook")
}

/// Every page with its name, in a fixed order.
fn pages() -> Vec<(String, String)> {
    let mut pages: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    pages.sort();
    assert!(pages.len() > 15, "{} pages", pages.len());
    pages
}

/// The fenced blocks of a page. What stands behind the language is `file=NAME` or nothing.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
        let text: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(Block {
            language: language.to_owned(),
            file: rest.strip_prefix("file=").map(String::from),
            text: text.join("\n") + "\n",
        });
    }
    blocks
}

/// Of `sh`: every line is a command. Of `console`: those behind `$`, the others are output.
fn commands(block: &Block) -> Vec<Shown> {
    let mut commands: Vec<Shown> = Vec::new();
    let command = |line: &str| Shown {
        line: line.to_owned(),
        output: Vec::new(),
    };
    for line in block.text.lines() {
        match (&*block.language, line.strip_prefix("$ ")) {
            ("sh", None) => commands.push(command(line)),
            ("console", Some(line)) => commands.push(command(line)),
            ("console", None) => {
                let last = commands.last_mut().expect("output of a command");
                last.output.push(line.to_owned());
            }
            _ => {}
        }
    }
    commands
}

/// Whether a line is the one shown, with [`ANYTHING`] for any words.
fn fits(line: &str, shown: &str) -> bool {
    let parts: Vec<&str> = shown.split(ANYTHING).collect();
    let [first, middle @ .., last] = &parts[..] else {
        return line == shown;
    };
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    for part in middle {
        let Some((_, behind)) = rest.split_once(part) else {
            return false;
        };
        rest = behind;
    }
    rest.ends_with(last)
}

#[test]
fn a_shown_line_fits_what_it_leaves_open_and_nothing_else() {
    for (line, shown) in [
        ("sound: 3 runs", "sound: …"),
        ("run_1 is done. All steps.", "… is done. …"),
        ("none", "none"),
    ] {
        assert!(fits(line, shown), "{line}");
    }
    for (line, shown) in [
        ("unsound: 3 runs", "sound: …"),
        ("run_1 is paused.", "… is done. …"),
        ("none at all", "none"),
        ("", "none"),
    ] {
        assert!(!fits(line, shown), "{line}");
    }
}

/// A line and the word behind its last `sign`.
fn cut<'a>(line: &'a str, sign: &str) -> (&'a str, Option<&'a str>) {
    match line.rsplit_once(sign) {
        Some((line, word)) if !word.contains(['"', '\'', ' ']) => (line, Some(word)),
        _ => (line, None),
    }
}

/// Words as a shell would split them, with both kinds of quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            (' ', None) => words.push(String::new()),
            (c, _) => words.last_mut().unwrap().push(c),
        }
    }
    words
}
