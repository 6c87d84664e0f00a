//! The desktop program as a person starts it. Built and run without a window system.

use std::process::Command;

#[test]
fn a_build_without_a_window_says_so_and_names_the_way_out() {
    let output = Command::new(env!("CARGO_BIN_EXE_bwana-desktop"))
        .output()
        .unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert_eq!(words.trim().lines().count(), 1, "one sentence: {words}");
    assert!(
        words.contains("no window") && words.contains("`bwana`"),
        "{words}"
    );
    assert!(output.stdout.is_empty());
}
