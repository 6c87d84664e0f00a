//! The generated files in the repository are those of the command table.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(3).unwrap().to_owned()
}

#[test]
fn the_bindings_are_what_the_table_says() {
    let stale = bwana_bindings::stale(&root()).unwrap();
    assert!(stale.is_empty(), "run `cargo xtask bindings`: {stale:?}");
}

#[test]
fn the_same_table_gives_the_same_files() {
    assert_eq!(
        bwana_bindings::render().unwrap(),
        bwana_bindings::render().unwrap()
    );
}

#[test]
fn every_command_and_every_kind_of_entry_is_there() {
    let files = bwana_bindings::render().unwrap();
    let text = |name: &str| &files.iter().find(|file| file.name == name).unwrap().text;
    for command in bwana_api::COMMANDS {
        assert!(text("commands.ts").contains(&format!("\n  '{}': {{", command.name)));
    }
    for kind in bwana_types::entry::Body::KINDS {
        assert!(
            text("types.ts").contains(&format!("\n  {kind}: ")),
            "{kind}"
        );
    }
}

#[test]
fn a_changed_file_is_stale_and_writing_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    bwana_bindings::write(folder.path()).unwrap();
    assert!(bwana_bindings::stale(folder.path()).unwrap().is_empty());
    let types = folder.path().join(bwana_bindings::FOLDER).join("types.ts");
    std::fs::write(&types, "// by hand\n").unwrap();
    assert_eq!(bwana_bindings::stale(folder.path()).unwrap(), [types]);
    bwana_bindings::write(folder.path()).unwrap();
    assert!(bwana_bindings::stale(folder.path()).unwrap().is_empty());
}
