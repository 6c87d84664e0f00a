//! The desktop program as a person starts it where no window can be had.

use std::process::Command;

#[cfg(feature = "desktop")]
#[test]
fn without_a_screen_it_says_so_and_names_the_way_out() {
    let output = Command::new(env!("CARGO_BIN_EXE_bwana-desktop"))
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words}");
    let said = words.lines().find(|line| line.contains("Bwana Desktop"));
    let said = said.unwrap_or_else(|| panic!("it says nothing: {words}"));
    assert!(
        said.contains("screen") && said.contains("`bwana`"),
        "{said}"
    );
    assert!(output.stdout.is_empty());
}

#[cfg(not(feature = "desktop"))]
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
