//! House rules that no compiler holds: lengths, headers, words that do not belong here. The rules are here once;
//! `cargo xtask tidy` prints what they find and `tests/tidy.rs` fails on it.
//!
//! A rule has a reason, and the finding says it: whoever trips over a rule should learn why it is there.
//! Dependency rules are not here: `tests/architecture.rs` reads them from the package graph.

mod functions;
mod source;
mod text;

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use source::{Source, is_test_file};

/// Lines from which on a file is listed as long.
pub const FILE_LINES_SOFT: usize = 400;
/// Lines a file may have.
pub const FILE_LINES_MAX: usize = 800;
/// Lines of a function's body, braces included. Tests are exempt: a table of cases is as long as it is.
pub const FUNCTION_LINES_MAX: usize = 70;

/// Folders that hold nothing a person wrote.
const SKIPPED_FOLDERS: &[&str] = &["target", ".git", "node_modules", "gen", "dist"];
/// Files written by tools, which name what they like.
const SKIPPED_FILES: &[&str] = &["Cargo.lock", "package-lock.json"];
/// What is read as text. Everything else (pictures, models) is skipped.
const TEXT_ENDINGS: &[&str] = &[
    "rs", "md", "toml", "json", "jsonl", "yaml", "yml", "sql", "ts", "svelte", "css", "html",
    "svg", "sh", "snap", "run",
];

/// A broken rule at a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Relative to the root, with `/`.
    pub file: String,
    /// From 1.
    pub line: usize,
    pub rule: &'static str,
    pub what: String,
    pub reason: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            rule,
            what,
            reason,
        } = self;
        write!(f, "{file}:{line}: {rule}: {what}\n    why: {reason}")
    }
}

/// What a look at the whole tree gave.
#[derive(Debug, Default)]
pub struct Report {
    /// Broken rules, by place.
    pub findings: Vec<Finding>,
    /// Files over [`FILE_LINES_SOFT`] with their lines, longest first: no failure, but a hint.
    pub long_files: Vec<(String, usize)>,
    pub files: usize,
}

/// Looks at every text file below `root`.
///
/// # Errors
/// If a folder or file cannot be read.
pub fn check(root: &Path) -> io::Result<Report> {
    let mut report = Report::default();
    visit(root, root, &mut report)?;
    report.findings.sort();
    report
        .long_files
        .sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
    Ok(report)
}

fn visit(root: &Path, folder: &Path, report: &mut Report) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !SKIPPED_FOLDERS.contains(&&*name) {
                visit(root, &path, report)?;
            }
        } else if kind.is_file() && is_text(&name) {
            // What is not UTF-8 is no text, whatever its name says.
            if let Ok(text) = String::from_utf8(fs::read(&path)?) {
                let relative = path.strip_prefix(root).unwrap_or(&path);
                check_file(
                    &relative.to_string_lossy().replace('\\', "/"),
                    &text,
                    report,
                );
            }
        }
    }
    Ok(())
}

fn is_text(name: &str) -> bool {
    let ending = name.rsplit('.').next().unwrap_or(name);
    TEXT_ENDINGS.contains(&ending) && !SKIPPED_FILES.contains(&name)
}

/// The code of a Rust file: comments and the insides of strings are spaces, lines stay where they are.
pub fn code_of(text: &str) -> String {
    Source::new("", text).bare
}

/// Looks at one file and adds what it finds.
pub fn check_file(file: &str, text: &str, report: &mut Report) {
    report.files += 1;
    if file.rsplit('.').next() != Some("rs") {
        text::check(file, text, |_| is_test_file(file), &mut report.findings);
        return;
    }
    let source = Source::new(file, text);
    let is_test = |line| source.is_test_line(line);
    text::check(file, text, is_test, &mut report.findings);
    let lines = text.lines().count();
    if lines > FILE_LINES_SOFT {
        report.long_files.push((file.to_owned(), lines));
    }
    if lines > FILE_LINES_MAX {
        report.findings.push(Finding {
            file: file.to_owned(),
            line: lines,
            rule: "file length",
            what: format!("{lines} lines; at most {FILE_LINES_MAX}"),
            reason: "a file is read in one sitting; split it by what its parts are for",
        });
    }
    functions::check(&source, &mut report.findings);
    text::check_rust(&source, &mut report.findings);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules a text breaks as a file of that name, with lines.
    #[track_caller]
    fn check(file: &str, text: &str, expected: &[(&str, usize)]) {
        let mut report = Report::default();
        check_file(file, text, &mut report);
        let found: Vec<_> = report.findings.iter().map(|f| (f.rule, f.line)).collect();
        assert_eq!(found, expected, "{:#?}", report.findings);
    }

    const CRATE: &str = "src-tauri/crates/bwana-types/src/x.rs";

    #[test]
    fn a_clean_file_is_clean() {
        check(CRATE, "//! A room.\n\nfn f() {}\n", &[]);
    }

    #[test]
    fn a_file_says_first_what_it_is_for() {
        check(CRATE, "fn f() {}\n", &[("header", 1)]);
    }

    #[test]
    fn a_file_of_more_than_the_limit_is_too_long() {
        let text = format!("//! A room.\n{}", "// x\n".repeat(FILE_LINES_MAX));
        check(CRATE, &text, &[("file length", FILE_LINES_MAX + 1)]);
        let text = format!("//! A room.\n{}", "// x\n".repeat(FILE_LINES_MAX - 1));
        check(CRATE, &text, &[]);
    }

    fn function(lines: usize, attribute: &str) -> String {
        format!(
            "//! A room.\n{attribute}fn long() {{\n{}}}\n",
            "    step();\n".repeat(lines - 2)
        )
    }

    #[test]
    fn a_function_of_more_than_the_limit_is_too_long() {
        let long = FUNCTION_LINES_MAX + 1;
        check(CRATE, &function(FUNCTION_LINES_MAX, ""), &[]);
        check(CRATE, &function(long, ""), &[("function length", 2)]);
        check(CRATE, &function(long, "#[test]\n"), &[]);
        check("tests/crash.rs", &function(long, ""), &[]);
        let inside = format!(
            "//! A room.\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            function(long, "").replace("//! A room.\n", "")
        );
        check(CRATE, &inside, &[]);
    }

    #[test]
    fn braces_in_strings_chars_and_comments_do_not_count() {
        let line = r##"    a("{", '{', '\'', r#"" {"#, b"\"{"); // { "##;
        let body = format!("{line}\n").repeat(60);
        let text = "//! A room.\nfn f<'a>() {\nBODY}\n\nfn g() {\n/* { /* { */ } */\n}\n";
        check(CRATE, &text.replace("BODY", &body), &[]);
        let text = text.replace("BODY", &body.repeat(2));
        check(CRATE, &text, &[("function length", 2)]);
    }

    #[test]
    fn an_allow_is_an_expect_with_a_reason() {
        check(
            CRATE,
            "//! A room.\n#[allow(dead_code)]\nfn f() {}\n",
            &[("allow", 2)],
        );
        check(CRATE, "//! A room.\n// #[allow(x)] is not used here\n", &[]);
    }

    #[test]
    fn markers_are_found_as_words() {
        check(
            CRATE,
            concat!("//! A room.\n// TO", "DO later\n"),
            &[("marker", 2)],
        );
        check("README.md", concat!("FIX", "ME\n"), &[("marker", 1)]);
        check("README.md", concat!("TO", "DOLIST\n"), &[]);
        check(
            CRATE,
            concat!("//! A room.\nfn f() { to", "do!() }\n"),
            &[("marker", 2)],
        );
    }

    #[test]
    fn ignored_tests_are_found() {
        check(
            "tests/a.rs",
            concat!("//! A.\n#[igno", "re]\nfn f() {}\n"),
            &[("ignored", 2)],
        );
    }

    #[test]
    fn machine_paths_and_registries_are_found() {
        check(
            "README.md",
            concat!("see /ho", "me/ann/x\n"),
            &[("machine path", 1)],
        );
        check(
            "README.md",
            concat!("see https://x.org/ho", "me/ann\n"),
            &[],
        );
        check(
            "README.md",
            concat!("https://py", "pi.org/simple\n"),
            &[("registry", 1)],
        );
    }

    #[test]
    fn a_shell_is_found_in_code_and_not_in_prose() {
        let call = concat!("//! A.\nfn f() { Command::new(\"s", "h\") }\n");
        check(CRATE, call, &[("shell", 2)]);
        check(CRATE, "//! Never sh -c.\n", &[]);
    }

    #[test]
    fn sql_stands_in_the_store_and_is_static() {
        check(CRATE, "//! A.\nuse rusqlite::Row;\n", &[("sql", 2)]);
        let built = "//! A.\nfn f() { format!(\"SELECT {x}\") }\n";
        check(
            "src-tauri/crates/bwana-store/src/x.rs",
            built,
            &[("sql", 2)],
        );
        let fixed = "//! A.\nuse rusqlite::Row;\nconst Q: &str = \"SELECT 1\";\n";
        check("src-tauri/crates/bwana-store/src/x.rs", fixed, &[]);
    }

    #[test]
    fn only_a_host_reads_the_clock() {
        let text = "//! A.\nfn f() { SystemTime::now(); }\n";
        check(CRATE, text, &[("clock", 2)]);
        check("src-tauri/crates/bwana-cli/src/x.rs", text, &[]);
        check("tests/a.rs", text, &[]);
    }
}
