//! What is written for people is whole: every error code has a page, every page a code, and no link leads nowhere.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bwana_types::entry::Body;
use bwana_types::error::ErrorCode;

/// Lines of text an error page has, its title not counted: enough to act on, short enough to be read.
const PAGE_LINES_MIN: usize = 5;
const PAGE_LINES_MAX: usize = 25;

fn read(file: impl AsRef<Path>) -> String {
    let path = xtask::root().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_error_code_has_a_page_and_every_page_a_code() {
    let codes: BTreeSet<_> = ErrorCode::ALL
        .iter()
        .map(|code| code.as_str().to_owned())
        .collect();
    let pages: BTreeSet<_> = fs::read_dir(xtask::root().join("docs/errors"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .map(|name| name.trim_end_matches(".md").to_owned())
        .collect();
    assert_eq!(pages, codes);
}

#[test]
fn an_error_page_says_what_happened_why_and_what_to_do() {
    for code in ErrorCode::ALL {
        let name = code.as_str();
        let page = read(format!("docs/errors/{name}.md"));
        let (title, body) = page.split_once('\n').unwrap();
        assert_eq!(title, format!("# {name}"));
        let lines = body.lines().filter(|line| !line.trim().is_empty()).count();
        assert!(
            (PAGE_LINES_MIN..=PAGE_LINES_MAX).contains(&lines),
            "{name}: {lines} lines"
        );
        for part in ["**What happened.**", "**Why.**", "**What to do.**"] {
            assert!(body.contains(part), "{name} has no {part}");
        }
        let exit = format!("Exit code {}", code.exit_code() as i32);
        assert!(body.contains(&exit), "{name} does not say \"{exit}\"");
    }
}

#[test]
fn the_index_of_errors_names_every_code() {
    let index = read("docs/errors/README.md");
    for code in ErrorCode::ALL {
        let line = format!("[`{0}`]({0}.md)", code.as_str());
        assert!(index.contains(&line), "docs/errors/README.md has no {line}");
    }
}

#[test]
fn the_journal_page_names_every_kind_of_entry() {
    let page = read("docs/journal.md");
    let named: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(String::from)
        .collect();
    let kinds: BTreeSet<_> = Body::KINDS.iter().map(|kind| String::from(*kind)).collect();
    assert_eq!(named, kinds);
}

#[test]
fn no_link_between_our_pages_leads_nowhere() {
    let mut links = 0;
    for page in pages() {
        let text = read(&page);
        let folder = page.parent().unwrap().to_owned();
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            let file = target.split('#').next().unwrap_or(target);
            let path = xtask::root().join(&folder).join(file);
            assert!(
                path.exists(),
                "{} links to {target}, which is not there",
                page.display()
            );
            links += 1;
        }
    }
    assert!(links > ErrorCode::ALL.len(), "{links} links");
}

/// Every page, relative to the root.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![
        PathBuf::from("README.md"),
        PathBuf::from("src-tauri/ARCHITECTURE.md"),
    ];
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(xtask::root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                pages.push(path);
            }
        }
    }
    pages
}
