//! `file.write` and `file.read` as agents use them, and the limits of the folder.

use bwana_tools::artifact::{
    Change, FILE_MAX_BYTES, FOLDER_MAX_BYTES, FOLDER_MAX_ENTRIES, FolderError,
};
use bwana_tools::{Sent, ToolError};
use bwana_types::hash::Hash;
use serde_json::{Value, json};

use crate::support::{Bench, files_in};

async fn written(bench: &Bench, path: &str, content: &str) -> String {
    bench
        .call("file.write", &json!({"path": path, "content": content}))
        .await
        .unwrap()
        .content
}

async fn read(bench: &Bench, args: Value) -> Result<String, ToolError> {
    bench
        .call("file.read", &args)
        .await
        .map(|output| output.content)
}

#[tokio::test]
async fn what_is_written_can_be_read_and_is_an_artifact() {
    let bench = Bench::new();
    let text = "Habari za asubuhi — «ọjà» 😀\n";
    let output = bench
        .call(
            "file.write",
            &json!({"path": "drafts/Ripoti ya leo.md", "content": text}),
        )
        .await
        .unwrap();
    assert_eq!(output.artifacts.len(), 1);
    assert_eq!(output.artifacts[0].file, "drafts/Ripoti ya leo.md");
    assert_eq!(output.artifacts[0].bytes, text.len() as u64);
    assert_eq!(output.artifacts[0].hash, Hash::of(text.as_bytes()));
    assert_eq!(output.source, None);
    assert_eq!(
        std::fs::read_to_string(bench.root().join("drafts/Ripoti ya leo.md")).unwrap(),
        text
    );
    assert_eq!(
        read(&bench, json!({"path": "drafts/Ripoti ya leo.md"}))
            .await
            .unwrap(),
        text
    );
}

#[tokio::test]
async fn writing_the_same_again_changes_nothing_and_says_so() {
    let bench = Bench::new();
    assert_eq!(
        written(&bench, "a.txt", "one").await,
        "Wrote a.txt (3 bytes)."
    );
    let before = std::fs::metadata(bench.root().join("a.txt")).unwrap();
    assert_eq!(
        written(&bench, "a.txt", "one").await,
        "a.txt has exactly this content already (3 bytes)."
    );
    let after = std::fs::metadata(bench.root().join("a.txt")).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    assert_eq!(
        written(&bench, "a.txt", "two!").await,
        "Replaced a.txt (4 bytes, before 3)."
    );
    assert_eq!(files_in(&bench.root()), ["a.txt"]);
}

#[tokio::test]
async fn a_long_file_is_read_whole_in_pieces_that_never_split_a_character() {
    let bench = Bench::new();
    let text = "aé😀ọ".repeat(500);
    written(&bench, "long.txt", &text).await;
    for max in [4, 5, 7, 100, 4_096] {
        let (mut from, mut whole) = (0, String::new());
        loop {
            let piece = read(
                &bench,
                json!({"path": "long.txt", "from": from, "max": max}),
            )
            .await
            .unwrap();
            let Some((body, note)) = piece.rsplit_once("\n[bytes ") else {
                whole.push_str(&piece);
                break;
            };
            whole.push_str(body);
            let Some((_, next)) = note.split_once("from=") else {
                break;
            };
            let next: usize = next.trim_end_matches(']').parse().unwrap();
            assert!(
                next > from,
                "a piece of {max} bytes at {from} makes no progress"
            );
            from = next;
        }
        assert_eq!(whole, text, "in pieces of {max}");
    }
    let inside = read(&bench, json!({"path": "long.txt", "from": 2, "max": 8}))
        .await
        .unwrap();
    assert!(inside.starts_with("😀"), "{inside}");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_answered_with_those_that_are() {
    let bench = Bench::new();
    let error = read(&bench, json!({"path": "report.md"}))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "There is no file 'report.md'; this run's folder is empty."
    );
    written(&bench, "b/Report.md", "x").await;
    written(&bench, "a.txt", "x").await;
    let error = read(&bench, json!({"path": "report.md"}))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "There is no file 'report.md'. There are: a.txt, b/Report.md."
    );
}

#[tokio::test]
async fn odd_requests_are_answered_in_words() {
    let bench = Bench::new();
    written(&bench, "empty.txt", "").await;
    written(&bench, "a/b.txt", "abc").await;
    std::fs::write(bench.root().join("photo.png"), [0x89, b'P', 0, 0xFF]).unwrap();
    std::fs::write(bench.root().join("latin1.txt"), [b'c', 0xE9, b'd']).unwrap();
    for (args, says) in [
        (json!({"path": "empty.txt"}), Ok("[the file is empty]")),
        (json!({"path": "a"}), Err("a folder")),
        (
            json!({"path": "a/b.txt/c"}),
            Err("below something that is no folder"),
        ),
        (json!({"path": "photo.png"}), Err("not a text file")),
        (json!({"path": "latin1.txt"}), Err("not a text file")),
        (json!({"path": "a/b.txt", "from": 3}), Err("has 3 bytes")),
        (json!({"path": "a/b.txt", "from": -1}), Err("whole number")),
        (json!({"path": "a/b.txt", "max": 0}), Ok("abc")),
        (
            json!({"path": "a/b.txt", "max": 9_007_199_254_740_991_u64}),
            Ok("abc"),
        ),
    ] {
        match (read(&bench, args.clone()).await, says) {
            (Ok(text), Ok(expected)) => assert_eq!(text, expected, "{args}"),
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{args}: {error}");
            }
            (got, _) => panic!("{args} gave {got:?}"),
        }
    }
    for (path, says) in [
        ("a", "a folder"),
        ("a/b.txt/c.txt", "below something that is no folder"),
    ] {
        let error = bench
            .call("file.write", &json!({"path": path, "content": "x"}))
            .await
            .unwrap_err();
        assert!(
            matches!(&error, ToolError::Refused(why) if why.contains(says)),
            "{path}: {error}"
        );
    }
}

#[tokio::test]
async fn a_file_over_its_limit_is_refused() {
    let bench = Bench::new();
    let error = bench
        .call(
            "file.write",
            &json!({"path": "a", "content": "x".repeat(262_145)}),
        )
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ToolError::Refused(why) if why.contains("262,145")),
        "{error}"
    );
    // A full-size text of nothing but escapes still fits the limit for arguments.
    let escapes = "\u{1}".repeat(262_144);
    assert!(
        bench
            .call("file.write", &json!({"path": "a", "content": escapes}))
            .await
            .is_ok()
    );
    let huge = vec![0; usize::try_from(FILE_MAX_BYTES).unwrap() + 1];
    assert!(matches!(
        bench.folder.write("b", huge).await,
        Err(FolderError::TooLarge(_))
    ));
}

#[tokio::test]
async fn the_folder_as_a_whole_has_a_limit() {
    let bench = Bench::new();
    let file = vec![b'x'; usize::try_from(FILE_MAX_BYTES).unwrap()];
    for n in 0..FOLDER_MAX_BYTES / FILE_MAX_BYTES {
        bench
            .folder
            .write(&format!("big/{n}"), file.clone())
            .await
            .unwrap();
    }
    assert!(matches!(
        bench.folder.write("one more", b"x".to_vec()).await,
        Err(FolderError::Full(_))
    ));
    assert_eq!(
        bench
            .folder
            .write("big/0", b"x".to_vec())
            .await
            .unwrap()
            .change,
        Change::Replaced {
            bytes: FILE_MAX_BYTES
        }
    );
    assert!(bench.folder.write("one more", b"x".to_vec()).await.is_ok());
}

#[tokio::test]
async fn the_folder_holds_a_limited_number_of_files() {
    let bench = Bench::new();
    bench.folder.write("0", b"x".to_vec()).await.unwrap();
    for n in 1..FOLDER_MAX_ENTRIES {
        std::fs::write(bench.root().join(n.to_string()), "x").unwrap();
    }
    assert!(matches!(
        bench.folder.write("new", b"x".to_vec()).await,
        Err(FolderError::TooMany)
    ));
    assert!(matches!(
        bench.folder.write("d/new", b"x".to_vec()).await,
        Err(FolderError::TooMany)
    ));
    assert!(bench.folder.write("0", b"y".to_vec()).await.is_ok());
}

#[tokio::test]
async fn what_a_killed_process_left_half_written_is_swept_and_never_shown() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.root()).unwrap();
    std::fs::write(bench.root().join(".writing-0-1"), "half").unwrap();
    assert_eq!(bench.folder.list().await.unwrap(), Vec::<String>::new());
    assert_eq!(files_in(&bench.root()), Vec::<String>::new());
}

#[cfg(unix)]
#[tokio::test]
async fn the_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    written(&bench, "a", "x").await;
    assert_eq!(
        std::fs::metadata(bench.root())
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o700
    );
}

#[tokio::test]
async fn a_cancelled_call_does_not_begin() {
    let bench = Bench::new();
    let ctx = bench.ctx("file.write");
    ctx.cancel.cancel();
    let error = bench
        .call_in("file.write", &json!({"path": "a", "content": "x"}), ctx)
        .await
        .unwrap_err();
    assert_eq!(
        error,
        ToolError::Cancelled {
            sent: Sent::Nothing
        }
    );
    assert!(!bench.root().exists());
}
