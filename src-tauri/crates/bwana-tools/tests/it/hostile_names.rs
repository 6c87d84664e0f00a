//! Names that try to leave the folder, or to be something else than a file in it.

use std::collections::BTreeSet;

use bwana_tools::artifact::ArtifactPath;
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Bench, CANARY, files_in};

/// Ways out of a folder.
const ESCAPES: &[&str] = &[
    "..",
    "../canary.txt",
    "../../canary.txt",
    "../../../canary.txt",
    "a/../../canary.txt",
    "a/../..",
    "./..",
    "../",
    "..//canary.txt",
    "../../../../../../../../etc/passwd",
    ".",
    "./",
    "./a",
    "a/.",
    "a/..",
    "a/./b",
    "...",
    "....//",
    "..;/canary.txt",
    "..\\canary.txt",
    "..\\..\\canary.txt",
    "a\\..\\..\\canary.txt",
    "%2e%2e/canary.txt",
    "%2e%2e%2fcanary.txt",
    "..%2fcanary.txt",
    "..%252fcanary.txt",
    "..%c0%afcanary.txt",
    "..%00/canary.txt",
    "..\0/canary.txt",
    "a\0.txt",
    "\0",
    "canary.txt\0.md",
    "․․/canary.txt",
    "．．/canary.txt",
    "‥/canary.txt",
    "..∕canary.txt",
    "..／canary.txt",
    "..⁄canary.txt",
    "..＼canary.txt",
    "..\u{2215}canary.txt",
    "..\u{29F8}canary.txt",
    "\u{202E}txt.yranac/..",
    ".\u{200B}./canary.txt",
    "..\u{200D}/canary.txt",
    "..\u{FEFF}/canary.txt",
    "\u{FEFF}../canary.txt",
    "..\n/canary.txt",
    "..\r\n/canary.txt",
    "..\t/canary.txt",
    ".. /canary.txt",
    " ../canary.txt",
    "../canary.txt ",
];

/// Places that are not below a folder, and what shells and systems read as one.
const ABSOLUTE: &[&str] = &[
    "/",
    "//",
    "/etc/passwd",
    "//etc/passwd",
    "///etc/passwd",
    "/canary.txt",
    "~",
    "~/canary.txt",
    "~root/.ssh/id_rsa",
    "$HOME/x",
    "${HOME}/x",
    "%USERPROFILE%\\x",
    "`id`",
    "$(id)",
    "|id",
    ";id",
    "&&id>",
    "a>b",
    "a<b",
    "a*b",
    "a?b",
    "a\"b",
    "a|b",
    "C:",
    "C:\\",
    "C:/x",
    "C:x",
    "c:canary.txt",
    "\\",
    "\\\\server\\share\\x",
    "//server/share/x",
    "\\\\?\\C:\\x",
    "\\\\.\\C:\\x",
    "\\\\?\\UNC\\server\\share",
    "\\??\\C:\\x",
    "//?/C:/x",
    "//./pipe/x",
    "\\Device\\Harddisk0",
    "file:///etc/passwd",
    "file:canary.txt",
    "http://127.0.0.1/x",
    "a:stream",
    "a.txt:stream",
    "a.txt::$DATA",
    "a:$I30:$INDEX_ALLOCATION",
    "::$DATA",
    "/proc/self/environ",
    "/proc/self/fd/0",
    "/dev/stdin",
    "/dev/null",
    "/dev/tty",
];

/// What deceives the eye or some system.
const ODD: &[&str] = &[
    "",
    " ",
    "  ",
    "a/",
    "/a",
    "a//b",
    "a/ /b",
    " a",
    "a ",
    "a/ b",
    "a /b",
    "a.",
    "a./b",
    "a..",
    ".a",
    ".ssh/x",
    ".git/config",
    "a/.hidden",
    ".writing-1-1",
    "-",
    "-rf",
    "--help",
    "a/-rf",
    "\u{1}",
    "a\u{7}b",
    "a\u{1B}[2Jb",
    "a\u{7F}",
    "a\u{80}b",
    "a\u{9B}b",
    "a\u{AD}b",
    "a\u{34F}b",
    "a\u{61C}b",
    "a\u{115F}b",
    "a\u{1160}b",
    "a\u{17B4}b",
    "a\u{180E}b",
    "a\u{200E}b",
    "a\u{200F}b",
    "a\u{202A}b",
    "a\u{202E}b",
    "a\u{2028}b",
    "a\u{2029}b",
    "a\u{2060}b",
    "a\u{2066}b",
    "a\u{2069}b",
    "a\u{3000}b",
    "a\u{3164}b",
    "a\u{FE0F}b",
    "a\u{FFA0}b",
    "a\u{FFFD}b",
    "a\u{FFFE}b",
    "a\u{E0041}b",
    "a\u{F0000}b",
    "a\u{A0}b",
    "e\u{301}.txt",
    "A\u{30A}.txt",
    "\u{1100}\u{1161}\u{11A8}\u{200B}",
    "a\nb",
    "a\rb",
    "a\tb",
    "a%b",
    "a:b",
    "a;b",
    "a$b",
    "a^b",
    "a`b",
    "a{b}",
    "a~1.txt",
    "PROGRA~1",
];

/// What acts when it is looked at.
const ACTIVE: &[&str] = &[
    "desktop.ini",
    "Desktop.INI",
    "a/desktop.ini",
    "autorun.inf",
    "AUTORUN.INF",
    "Thumbs.db",
    "x.lnk",
    "X.LNK",
    "invoice.pdf.lnk",
    "x.url",
    "x.scf",
    "x.pif",
    "x.desktop",
    "x.library-ms",
    "x.search-ms",
    "x.searchconnector-ms",
    "x.theme",
    "x.themepack",
    "x.website",
    "x.webloc",
    "x.inetloc",
    "x.fileloc",
    "x.appref-ms",
    "x.SettingContent-ms",
];

/// Ways to say "somewhere else".
fn seeds() -> Vec<String> {
    let mut all: BTreeSet<String> = BTreeSet::new();
    for list in [ESCAPES, ABSOLUTE, ODD, ACTIVE] {
        all.extend(list.iter().map(|name| (*name).to_owned()));
    }
    for device in [
        "con", "prn", "aux", "nul", "com1", "com9", "com0", "lpt1", "lpt9", "com¹", "lpt³",
        "conin$", "clock$",
    ] {
        for name in [
            device.to_owned(),
            device.to_uppercase(),
            format!("{device}.txt"),
            format!("{device} .txt"),
            format!("a/{device}"),
            format!("{device}.tar.gz"),
            format!("{device}/a"),
        ] {
            all.insert(name);
        }
    }
    for escape in ESCAPES {
        all.insert(format!("a/{escape}"));
        all.insert(format!("a/inside.txt/{escape}"));
    }
    all.insert("a".repeat(101));
    all.insert("é".repeat(51));
    all.insert("a/".repeat(8) + "a");
    all.insert("a".repeat(241));
    all.insert(format!(
        "{}/{}/{}",
        "a".repeat(90),
        "b".repeat(90),
        "c".repeat(90)
    ));
    all.insert("../".repeat(1_000) + "canary.txt");
    all.insert("x".repeat(1_000));
    all.into_iter().collect()
}

#[tokio::test]
async fn more_than_300_hostile_names_are_refused_and_nothing_outside_is_touched() {
    let bench = Bench::new();
    bench
        .folder
        .write("a/inside.txt", b"inside".to_vec())
        .await
        .unwrap();
    let (guarded, inside) = (bench.guarded(), files_in(&bench.root()));
    let names = seeds();
    assert!(names.len() >= 300, "{} names", names.len());
    for name in &names {
        for (tool, args) in [
            ("file.write", json!({"path": name, "content": "owned"})),
            ("file.read", json!({"path": name})),
        ] {
            let error = bench
                .call(tool, &args)
                .await
                .err()
                .unwrap_or_else(|| panic!("{tool} took {name:?}"));
            assert!(
                !error.may_have_happened() && !error.to_string().contains("CANARY"),
                "{tool} {name:?}: {error}"
            );
            let args = bench.registry.validate_args(tool, &args.to_string());
            if let Ok(args) = args {
                let preview = bench.registry.get(tool).unwrap().preview(&args);
                assert!(
                    !preview.chars().any(bwana_tools::visible::is_hidden),
                    "{preview:?}"
                );
            }
        }
    }
    assert_eq!(bench.guarded(), guarded);
    assert_eq!(files_in(&bench.root()), inside);
}

#[cfg(unix)]
#[tokio::test]
async fn links_in_the_folder_lead_nowhere() {
    use std::os::unix::fs::symlink;
    let bench = Bench::new();
    bench
        .folder
        .write("inside/real.txt", b"inside".to_vec())
        .await
        .unwrap();
    let (root, canary) = (bench.root(), bench.outside().join("canary.txt"));
    symlink(&canary, root.join("absolute")).unwrap();
    symlink("../../canary.txt", root.join("relative")).unwrap();
    symlink("relative", root.join("chain")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink(bench.outside().join("not there"), root.join("dangling")).unwrap();
    symlink(bench.outside(), root.join("folder")).unwrap();
    symlink("../..", root.join("inside/up")).unwrap();
    symlink("inside", root.join("within")).unwrap();
    symlink("/proc/self", root.join("proc")).unwrap();
    std::fs::hard_link(&canary, root.join("hard")).unwrap();
    let guarded = bench.guarded();
    for name in [
        "absolute",
        "relative",
        "chain",
        "loop",
        "dangling",
        "folder",
        "folder/canary.txt",
        "folder/new.txt",
        "inside/up",
        "inside/up/canary.txt",
        "inside/up/x/new.txt",
        "within/real.txt",
        "within/new.txt",
        "proc/environ",
        "proc/cwd/x",
    ] {
        for (tool, args) in [
            ("file.write", json!({"path": name, "content": "owned"})),
            ("file.read", json!({"path": name})),
        ] {
            let error = bench
                .call(tool, &args)
                .await
                .err()
                .unwrap_or_else(|| panic!("{tool} followed {name}"));
            assert!(!error.to_string().contains("CANARY"), "{error}");
        }
    }
    // A hard link is a file of the folder to every system; writing replaces the name and leaves the other one alone.
    bench
        .call("file.write", &json!({"path": "hard", "content": "own"}))
        .await
        .unwrap();
    assert_eq!(std::fs::read_to_string(canary).unwrap(), CANARY);
    assert_eq!(bench.guarded(), guarded);
    assert_eq!(
        bench.folder.list().await.unwrap(),
        ["hard", "inside/real.txt"]
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_or_device_is_not_opened_and_does_not_hang_the_call() {
    let bench = Bench::new();
    bench.folder.write("a", b"x".to_vec()).await.unwrap();
    let status = std::process::Command::new("mkfifo")
        .arg(bench.root().join("pipe"))
        .status()
        .unwrap();
    assert!(status.success());
    for tool in ["file.read", "file.write"] {
        let args = if tool == "file.read" {
            json!({"path": "pipe"})
        } else {
            json!({"path": "pipe", "content": "x"})
        };
        let error = bench.call(tool, &args).await.unwrap_err();
        assert!(error.to_string().contains("something special"), "{error}");
    }
}

#[tokio::test]
async fn ordinary_names_of_many_languages_are_taken() {
    let bench = Bench::new();
    for name in [
        "report.md",
        "Ripoti 2026.txt",
        "a/b/c/d/e/f/g/h.csv",
        "naïve-café.md",
        "ọjà.txt",
        "ሪፖርት.md",
        "تقرير.txt",
        "日本.txt",
        "v1.2_final (copy) [3],x+y=z@home&#'!.md",
        "console.txt",
        "common.rs",
        "com10.txt",
        "nullable.md",
        "LICENSE",
    ] {
        bench
            .call("file.write", &json!({"path": name, "content": name}))
            .await
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(
            bench
                .call("file.read", &json!({"path": name}))
                .await
                .unwrap()
                .content,
            name
        );
        assert_eq!(
            std::fs::read_to_string(bench.root().join(name)).unwrap(),
            name
        );
    }
}

/// Paths made of the pieces attacks are made of, and of anything else.
fn any_path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("..".to_owned()),
        Just(".".to_owned()),
        Just("/".to_owned()),
        Just("\\".to_owned()),
        Just("a".to_owned()),
        Just(":".to_owned()),
        Just("\0".to_owned()),
        Just(" ".to_owned()),
        Just("con".to_owned()),
        Just("canary.txt".to_owned()),
        "[a-zé-ẞ0-9]{1,8}",
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..7).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_path_is_refused_or_names_exactly_one_file_inside(path in any_path()) {
        if let Ok(taken) = ArtifactPath::parse(&path) {
            prop_assert_eq!(taken.as_str(), &path);
            let parts: Vec<_> = std::path::Path::new(&path).components().collect();
            prop_assert!(parts.iter().all(|part| matches!(part, std::path::Component::Normal(_))));
            prop_assert_eq!(parts.len(), path.split('/').count());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_path_is_written_only_that_file_appears(path in any_path()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let bench = Bench::new();
        let guarded = bench.guarded();
        let outcome = runtime.block_on(bench.call("file.write", &json!({"path": path, "content": "x"})));
        prop_assert_eq!(bench.guarded(), guarded);
        let expected = if outcome.is_ok() { vec![path] } else { vec![] };
        prop_assert_eq!(files_in(&bench.root()), expected);
    }
}
