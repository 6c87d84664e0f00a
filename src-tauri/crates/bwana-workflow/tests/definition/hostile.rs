//! Files made to break the program: each ends soon, with a sentence.

use bwana_types::error::ErrorCode;
use bwana_workflow::definition::{FILE_MAX_BYTES, check_size, parse};

use super::report;

#[track_caller]
fn check(bytes: &[u8], code: ErrorCode, part: &str) {
    let error = parse(bytes).unwrap_err();
    assert_eq!(error.code, code, "{error}");
    let text = error.to_string();
    assert!(text.contains(part), "{text}");
    assert!(text.len() < 20_000, "{} bytes of message", text.len());
}

#[test]
fn a_file_of_50_mb_is_refused_by_its_size_alone() {
    let error = check_size(50 * 1024 * 1024).unwrap_err();
    assert_eq!(error.code, ErrorCode::DefinitionTooLarge);
    assert_eq!(
        error.to_string(),
        "the file has 50 MiB, a definition may have 1 MiB; split it, or move long texts into input files"
    );
    check(
        &vec![b' '; FILE_MAX_BYTES + 1],
        ErrorCode::DefinitionTooLarge,
        "a definition may have 1 MiB",
    );
    assert!(check_size(FILE_MAX_BYTES as u64).is_ok());
}

#[test]
fn what_is_not_text_is_said_to_be_no_text() {
    check(
        b"\x7fELF\x02\x01\x01\x00\x00",
        ErrorCode::DefinitionInvalid,
        "not a text file",
    );
    check(
        b"\x89PNG\r\n\x1a\n",
        ErrorCode::DefinitionInvalid,
        "not a text file",
    );
    check(
        b"schema: \xff\xfe",
        ErrorCode::DefinitionInvalid,
        "not a text file",
    );
    check(
        b"\xff\xfes\x00c\x00h\x00",
        ErrorCode::DefinitionInvalid,
        "UTF-16",
    );
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
    let file = "\u{feff}schema: bwana.agent/v1\r\nid: a\r\nname: A\r\ninstructions: x\r\n";
    assert_eq!(report(file.as_bytes()), "accepted");
}

#[test]
fn bombs_do_not_go_off() {
    let laughs = (1..9).fold(
        String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"),
        |text, n| {
            let items = vec![format!("*a{}", n - 1); 10].join(",");
            text + &format!("a{n}: &a{n} [{items}]\n")
        },
    );
    check(laughs.as_bytes(), ErrorCode::DefinitionTooLarge, "aliases");
    let copies = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(500_000),
        vec!["*a"; 900].join(",")
    );
    check(
        copies.as_bytes(),
        ErrorCode::DefinitionTooLarge,
        "once its aliases are expanded",
    );
    let deep = "[".repeat(100_000);
    check(
        deep.as_bytes(),
        ErrorCode::DefinitionTooLarge,
        "nested more than",
    );
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
    check(
        deep.as_bytes(),
        ErrorCode::DefinitionTooLarge,
        "nested more than",
    );
    let blocks: String = (0..2_000)
        .map(|n| format!("{}a:\n", " ".repeat(n)))
        .collect();
    check(
        &blocks.as_bytes()[..FILE_MAX_BYTES.min(blocks.len())],
        ErrorCode::DefinitionTooLarge,
        "",
    );
    let wide = format!("[{}]", vec!["1"; 100_000].join(","));
    check(wide.as_bytes(), ErrorCode::DefinitionTooLarge, "values");
    let documents = "---\na: 1\n".repeat(2_000);
    check(
        documents.as_bytes(),
        ErrorCode::DefinitionTooLarge,
        "documents",
    );
}

#[test]
fn a_file_with_ten_thousand_problems_lists_the_first_hundred() {
    let keys: String = (0..10_000).map(|n| format!("k{n}: 1\n")).collect();
    let error = parse(format!("schema: bwana.agent/v1\n{keys}").as_bytes()).unwrap_err();
    assert!(error.issues.len() <= 101, "{}", error.issues.len());
    assert!(
        error
            .issues
            .last()
            .unwrap()
            .reason
            .contains("more problems"),
        "{error}"
    );
}

#[test]
fn tags_and_odd_scalars_stay_harmless() {
    for file in [
        "schema: bwana.agent/v1\nid: a\nname: !!python/object:os.system A\ninstructions: x\n",
        "schema: bwana.agent/v1\nid: a\nname: A\ninstructions: x\ntemperature: .nan\n",
        "schema: bwana.agent/v1\nid: a\nname: A\ninstructions: x\nmax_output_tokens: 340282366920938463463374607431768211455\n",
        "schema: bwana.agent/v1\nid: a\nname: A\ninstructions: x\n? [complex, key]\n: 1\n",
        "schema: bwana.agent/v1\nid: a\nname: A\ninstructions: x\n~: 1\n",
        "schema: bwana.agent/v1\nid: a\nname: A\ninstructions: x\n<<: [1]\n",
    ] {
        let report = report(file.as_bytes());
        assert!(report.contains("error") || report == "accepted", "{report}");
    }
}
