//! Bad files and what is said about them. Each case is a file somebody might really write; they stand in `bad_files/`.

use super::report;

/// Reports on the files of a topic against its snapshot. A case begins with `=== ` and its name; what stands before the
/// first case stands at the top of every file of the topic.
#[track_caller]
fn check(topic: &str, cases: &str) {
    let (top, cases) = cases.split_once("=== ").unwrap();
    let each = cases.split("\n=== ").map(|case| {
        let (name, file) = case.split_once('\n').unwrap_or((case, ""));
        let told = report(format!("{top}{file}").as_bytes());
        format!("{name}\n  {}\n", told.replace('\n', "\n  "))
    });
    let told = each.collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(topic, told);
}

#[test]
fn files_that_are_no_definition() {
    check("no_definition", include_str!("bad_files/no_definition.txt"));
}

#[test]
fn keys_and_kinds_of_values() {
    check("form", include_str!("bad_files/form.txt"));
}

#[test]
fn agents_that_cannot_work() {
    check("agents", include_str!("bad_files/agents.txt"));
}

#[test]
fn workflows_whose_people_or_parts_are_missing() {
    check("workflows", include_str!("bad_files/workflows.txt"));
}

#[test]
fn steps_that_cannot_work() {
    check("steps", include_str!("bad_files/steps.txt"));
}

#[test]
fn joins_that_can_never_be_met() {
    check("joins", include_str!("bad_files/joins.txt"));
}

#[test]
fn steps_that_can_never_be_reached() {
    check("reach", include_str!("bad_files/reach.txt"));
}

#[test]
fn chats_that_cannot_go_on_or_never_stop() {
    check("chats", include_str!("bad_files/chats.txt"));
}
