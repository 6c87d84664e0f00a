//! Forks: the shared prefix, fresh keys, reopened questions and edited words.

use bwana_types::entry::{Body, Draft, Edit, Edited, Entry, RunForked};
use bwana_types::id::RunId;
use bwana_types::status::RunStatus;
use bwana_types::task::Verdict;
use bwana_types::time::Timestamp;
use bwana_workflow::machine::{Control, apply};

use crate::driver::{Answer, Driver, definition, echo, speak};

/// A driver on a fork of `parent` after entry `at`.
fn fork(parent: &Driver, at: usize, edit: Option<Edited>, script: crate::driver::Script) -> Driver {
    let mut driver = Driver::new(parent.state.definition.as_ref().clone(), script);
    driver.journal = parent.journal[..at].to_vec();
    driver.state = parent.fold(at);
    driver.now = parent.now;
    driver.asks.clone_from(&parent.asks);
    let run = RunId::derived(Timestamp(9), &[b"fork"]);
    let forked = RunForked {
        parent: parent.state.run,
        at: at as u64,
        run,
        by: "test".into(),
    };
    for body in std::iter::once(Body::from(forked)).chain(edit.map(Body::from)) {
        let entry: Entry = Draft::new("", body).at(driver.state.head + 1, driver.now);
        apply(&mut driver.state, &entry);
        driver.journal.push(entry);
    }
    driver.control(Control::Resume { by: "test".into() });
    driver
}

#[test]
fn a_fork_at_any_entry_ends_like_its_parent() {
    let mut parent = Driver::new(
        definition(vec![speak("one", &["a", "b"]), speak("two", &["c"])]),
        echo(),
    );
    parent.run();
    for at in 1..=parent.journal.len() {
        let mut driver = fork(&parent, at, None, echo());
        driver.run().check();
        assert_eq!(
            driver.state.result_text(),
            parent.state.result_text(),
            "fork at {at}"
        );
        assert_eq!(driver.state.status(), RunStatus::Done, "fork at {at}");
    }
}

#[test]
fn edited_words_are_what_the_next_agent_reads() {
    let mut parent = Driver::new(
        definition(vec![speak("one", &["a"]), speak("two", &["b"])]),
        echo(),
    );
    parent.run();
    let posted = parent
        .journal
        .iter()
        .position(|entry| entry.body.kind() == "message_posted")
        .unwrap()
        + 1;
    let edit = Edited {
        replace: posted as u64,
        edit: Edit::Text("rye bread only".into()),
    };
    let script =
        |request: &bwana_types::model::Request, _| Answer::Say(crate::driver::last_text(request));
    let mut driver = fork(&parent, posted, Some(edit), Box::new(script));
    driver.run().check();
    assert!(
        driver
            .state
            .result_text()
            .unwrap()
            .contains("rye bread only")
    );
    let edit = Edited {
        replace: 1,
        edit: Edit::Input("Open a café".into()),
    };
    let script =
        |request: &bwana_types::model::Request, _| Answer::Say(crate::driver::last_text(request));
    let mut driver = fork(&parent, 1, Some(edit), Box::new(script));
    driver.run().check();
    assert!(driver.state.result_text().unwrap().contains("Open a café"));
}

#[test]
fn open_questions_are_asked_anew_and_an_approval_does_not_carry_over() {
    let mail = || -> crate::driver::Script {
        Box::new(|request, _| {
            let answered = request
                .messages
                .iter()
                .any(|message| message.role == bwana_types::message::Role::Tool);
            if answered {
                Answer::Say("ok".into())
            } else {
                Answer::Tools(vec![("mail", String::from("{}"))])
            }
        })
    };
    let mut parent = Driver::new(definition(vec![speak("one", &["a"])]), mail());
    parent.asks.insert("mail");
    parent.run();
    let asked = parent.journal.len();
    parent.answer(Verdict::Approve);
    let decided = parent.journal.len();
    parent.run();
    for at in [asked, decided] {
        let mut driver = fork(&parent, at, None, mail());
        driver.run().check();
        assert_eq!(driver.state.status(), RunStatus::Waiting, "fork at {at}");
        driver.answer(Verdict::Approve);
        driver.run().check();
        let keys: Vec<_> = driver.effects.keys().chain(parent.effects.keys()).collect();
        assert_eq!(keys.len(), 2);
        assert_ne!(keys[0], keys[1], "a fork has fresh keys");
    }
    let intended = parent
        .journal
        .iter()
        .rposition(|entry| entry.body.kind() == "call_intended")
        .unwrap();
    let cut = parent.journal[..intended]
        .iter()
        .rposition(|entry| entry.body.kind() == "call_intended")
        .unwrap()
        + 1;
    let mut driver = fork(&parent, cut, None, mail());
    driver.run().check();
    assert_eq!(
        driver.state.status(),
        RunStatus::Waiting,
        "an effect open at the cut is uncertain in the fork"
    );
    assert_eq!(driver.effects.len(), 0);
}
