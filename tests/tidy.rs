//! The house rules hold in the whole tree. What they are stands in `xtask/src/tidy.rs`; `cargo xtask tidy` prints the same.

#[test]
fn the_house_rules_hold() {
    let report = xtask::tidy::check(&xtask::root()).unwrap();
    let listed: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert!(
        listed.is_empty(),
        "{} findings\n{}",
        listed.len(),
        listed.join("\n")
    );
    assert!(
        report.files > 100,
        "only {} files were looked at",
        report.files
    );
}
