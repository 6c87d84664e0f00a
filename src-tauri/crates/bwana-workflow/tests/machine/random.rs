//! Random workflows, random answers, random crashes: replay equals live, every prefix goes on to the same end, budgets
//! hold, and nothing that was finished happens twice.

use std::collections::BTreeMap;

use bwana_types::definition::{Definition, RunLimits, StepDef};
use bwana_types::entry::{Body, When};
use bwana_types::grant::{EditedArgs, GrantMade, GrantScope, Pattern, Terms};
use bwana_types::hash::{Hash, approval_hash, args_hash};
use bwana_types::id::GrantId;
use bwana_types::message::{Role, text_of};
use bwana_types::model::{ErrorKind, LlmError, Request};
use bwana_types::money::MicroUsd;
use bwana_types::status::RunStatus;
use bwana_types::task::{DecidedBy, TaskKind, Verdict};
use bwana_types::workflow::{Join, Select, StopCondition, Summary};
use bwana_workflow::machine::{Control, Input};
use proptest::prelude::*;

use crate::driver::{Answer, Driver, Script, chat, definition, parallel, speak, step};

const TOOLS: [&str; 5] = ["look", "note", "mail", "fly", "person"];

/// Answers as a function of what is asked: words, tool calls, or a failure that passes.
fn script(seed: u64) -> Script {
    Box::new(move |request: &Request, attempt| {
        let mut all = seed.to_le_bytes().to_vec();
        for message in &request.messages {
            all.extend_from_slice(text_of(&message.parts).as_bytes());
        }
        all.push(u8::try_from(request.messages.len() % 250).unwrap());
        let hash = Hash::of(&all).0;
        if attempt == 1 && hash[0] < 40 {
            return Answer::Fail(LlmError::new(ErrorKind::Overloaded, "busy"));
        }
        if let Some(schema) = &request.schema {
            let allowed = schema.schema["properties"]["next"]["enum"]
                .as_array()
                .map_or(0, Vec::len);
            let picked = (hash[1] as usize)
                .checked_rem(allowed)
                .map(|at| &schema.schema["properties"]["next"]["enum"][at]);
            return Answer::Say(match picked {
                Some(name) if hash[2] < 200 => format!("{{\"next\":{name}}}"),
                _ => "whoever likes".into(),
            });
        }
        let used_tools = request
            .messages
            .iter()
            .filter(|message| message.role == Role::Tool)
            .count();
        if used_tools < 2 && hash[3] < 90 {
            let calls = (0..=hash[4] % 3).map(|at| {
                let tool = TOOLS[hash[5 + at as usize] as usize % TOOLS.len()];
                (tool, format!("{{\"n\":{}}}", hash[8 + at as usize]))
            });
            return Answer::Tools(calls.collect());
        }
        Answer::Say(format!("words {}", Hash(hash).short()))
    })
}

fn steps() -> impl Strategy<Value = Vec<StepDef>> {
    let agents = prop::sample::subsequence(vec!["a", "b", "c"], 1..=3);
    let plain = agents.clone().prop_map(|agents| speak("s", &agents));
    let select = prop_oneof![Just(Select::RoundRobin), Just(Select::Selector)];
    let stop = prop_oneof![
        Just(None),
        (1u32..5).prop_map(|n| Some(StopCondition::Rounds(n)))
    ];
    let summary = prop_oneof![Just(Summary::LastMessage), Just(Summary::Model)];
    let talk = (agents, select, 1u32..5, stop, summary).prop_map(
        |(agents, select, rounds, stop, summary)| {
            step("s", chat(&agents, select, rounds, stop, summary))
        },
    );
    let leaf = prop_oneof![plain, talk].boxed();
    let join = prop_oneof![Just(Join::All), Just(Join::Any)];
    let branches = (prop::collection::vec(leaf.clone(), 1..4), join, 1u32..4)
        .prop_map(|(branches, join, width)| step("s", parallel(join, width, named(branches))));
    let approved = (
        prop_oneof![4 => leaf, 1 => branches],
        prop::bool::weighted(0.15),
    )
        .prop_map(|(step, approve)| StepDef {
            approve_plan: approve,
            ..step
        });
    prop::collection::vec(approved, 1..4).prop_map(named)
}

fn named(steps: Vec<StepDef>) -> Vec<StepDef> {
    steps
        .into_iter()
        .enumerate()
        .map(|(at, step)| StepDef {
            id: format!("s{at}"),
            name: format!("S{at}"),
            ..step
        })
        .collect()
}

/// Runs to the end, answering every question the same way.
fn to_the_end(driver: &mut Driver) {
    for _ in 0..200 {
        driver.run();
        match driver.state.status() {
            RunStatus::Waiting => {
                let kind = driver.state.tasks.values().next().unwrap().ask.kind();
                driver.answer(match kind {
                    TaskKind::Uncertain => Verdict::HappenedAlready {
                        note: String::new(),
                    },
                    TaskKind::Answer => Verdict::Answer {
                        text: String::from("Nakuru"),
                    },
                    TaskKind::Approve | TaskKind::Plan | TaskKind::Price => Verdict::Approve,
                });
            }
            RunStatus::Paused => {
                let more = RunLimits {
                    micro_usd: driver
                        .state
                        .limits
                        .micro_usd
                        .map(|limit| MicroUsd(limit.0 * 4)),
                    ..RunLimits::default()
                };
                driver.control(Control::Raise {
                    path: "".into(),
                    limits: more,
                    by: "test".into(),
                });
                driver.control(Control::Resume { by: "test".into() });
            }
            _ => return,
        }
    }
    panic!("the run never ends");
}

/// Finished calls by path and how often each finished there.
fn finished(driver: &Driver) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for entry in driver
        .journal
        .iter()
        .filter(|entry| matches!(entry.body, Body::CallFinished(_)))
    {
        *counts.entry(entry.path.to_string()).or_default() += 1;
    }
    counts
}

fn driver(definition: &Definition, seed: u64, limit: Option<i64>) -> Driver {
    let limits = RunLimits {
        micro_usd: limit.map(MicroUsd),
        ..RunLimits::default()
    };
    let mut driver = Driver::with_limits(definition.clone(), limits, script(seed));
    driver.asks.insert("mail");
    driver
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_that_is_interrupted_ends_like_one_that_is_not(
        steps in steps(),
        seed in any::<u64>(),
        cuts in prop::collection::vec(0.0f64..1.0, 1..6),
        limit in prop_oneof![2 => Just(None), 1 => (600i64..5_000).prop_map(Some)],
    ) {
        let definition = definition(steps);
        let mut whole = driver(&definition, seed, limit);
        to_the_end(&mut whole);
        whole.check();
        prop_assert!(whole.state.is_ended(), "{:?} {:#?}", whole.state.status(), whole.kinds());
        prop_assert_eq!(whole.state.ledger.reserved, MicroUsd::ZERO);
        prop_assert_eq!(whole.state.ledger.tokens_reserved, 0);
        let mut broken = driver(&definition, seed, limit);
        broken.crash_at = cuts.iter().map(|cut| 2 + (cut * (whole.journal.len() - 1) as f64) as u64).collect();
        to_the_end(&mut broken);
        broken.check();
        prop_assert!(broken.effects.iter().all(|(_, times)| *times <= 1 + broken.crashes));
        for (attempt, times) in &broken.performed {
            prop_assert_eq!(*times, 1, "attempt {:?}", attempt);
        }
        // A lost attempt costs, so under a budget the interrupted run may have to stop elsewhere.
        // A person's word on an uncertain effect is not the word of the tool, so what follows may differ too.
        let comparable = limit.is_none() && broken.count("call_uncertain") == 0 && !races(&definition);
        if comparable && whole.state.status() == RunStatus::Done {
            prop_assert_eq!(finished(&broken), finished(&whole));
            prop_assert_eq!(broken.state.result_text(), whole.state.result_text());
        }
    }

    #[test]
    fn every_prefix_folds_and_budgets_hold_at_every_entry(
        steps in steps(),
        seed in any::<u64>(),
        limit in 600i64..5_000,
    ) {
        let definition = definition(steps);
        let mut driver = driver(&definition, seed, Some(limit));
        driver.run();
        for entries in 1..=driver.journal.len() {
            let state = driver.fold(entries);
            let ledger = state.ledger;
            // Every call of the script costs less than it holds back, so nothing may ever go over.
            prop_assert!(ledger.settled.0 + ledger.reserved.0 <= limit, "{} + {}", ledger.settled, ledger.reserved);
        }
    }
}

/// Which branch wins a race depends on which call was lost.
fn races(definition: &Definition) -> bool {
    definition.steps.iter().any(|step| match &step.work {
        bwana_types::definition::Work::Parallel(parallel) => parallel.join == Join::Any,
        _ => false,
    })
}

fn cases() -> u32 {
    if std::env::var_os("BWANA_FULL").is_some() {
        5_000
    } else {
        300
    }
}

/// Everything a run can go through, in one journal. Written to the golden files when `BWANA_WRITE_GOLDEN` is set, which is
/// only ever done to add a newer one.
#[test]
fn one_run_can_have_every_kind_of_entry() {
    let mut driver = everything();
    let missing: Vec<_> = Body::KINDS
        .iter()
        .filter(|kind| driver.count(kind) == 0)
        .collect();
    assert!(missing.is_empty(), "{missing:?} in {:#?}", driver.kinds());
    driver.run();
    if std::env::var_os("BWANA_WRITE_GOLDEN").is_some() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/machine/golden");
        std::fs::create_dir_all(folder).unwrap();
        let lines = driver.journal.iter().map(|entry| {
            let body: serde_json::Value =
                serde_json::from_str(&entry.body.to_json().unwrap()).unwrap();
            let line = serde_json::json!({"seq": entry.seq, "at": entry.at.0, "path": &*entry.path,
                "kind": entry.body.kind(), "v": entry.body.version(), "body": body});
            format!("{line}\n")
        });
        std::fs::write(
            format!("{folder}/journal-2.jsonl"),
            lines.collect::<String>(),
        )
        .unwrap();
        std::fs::write(
            format!("{folder}/definition-2.json"),
            driver.state.definition.to_bytes(),
        )
        .unwrap();
    }
}

/// A person changes what is to be sent, and allows it in this workflow.
fn change_and_allow(driver: &mut Driver) {
    let (task, open) = driver.state.tasks.first_key_value().unwrap();
    let args = serde_json::json!({"to": "y"});
    let run = driver.state.run;
    let edit = EditedArgs {
        args: args.to_string(),
        args_hash: approval_hash("mail", "1", &args, &run.to_string(), &open.path),
        patterns: vec![Pattern::Exact {
            args_hash: args_hash("mail", "1", &args),
        }],
    };
    let grant = GrantMade {
        id: GrantId::of_task(run, *task, open.opened_at),
        scope: GrantScope::Workflow,
        tool: "mail".into(),
        version: "1".into(),
        pattern: edit.patterns[0].clone(),
        workflow: driver.state.definition.workflow.slug.clone(),
        workflow_hash: driver.state.definition.workflow.hash,
    };
    let decided = Input::DecidedOn {
        task: *task,
        verdict: Verdict::Approve,
        by: DecidedBy::LocalUi,
        terms: Box::new(Terms {
            grant: Some(grant),
            edit: Some(edit),
        }),
    };
    assert_eq!(driver.take(decided), 1);
}

fn everything() -> Driver {
    use bwana_types::entry::{Draft, Edit, Edited, Entry, RunForked};
    use bwana_types::id::RunId;
    use bwana_workflow::machine::apply;
    let steps = vec![
        StepDef {
            approve_plan: true,
            ..speak("plan", &["a", "b"])
        },
        step(
            "talk",
            chat(&["a", "b", "c"], Select::Selector, 3, None, Summary::Model),
        ),
        step(
            "race",
            parallel(
                Join::Any,
                2,
                vec![speak("x", &["a"]), speak("y", &["b", "c"])],
            ),
        ),
    ];
    let mut mails = 0;
    let script: Script = Box::new(move |request, attempt| {
        let text = crate::driver::last_text(request);
        if request.schema.is_some() {
            return Answer::Say("{\"next\":\"b\"}".into());
        }
        if text.contains("# Your task: PLAN") && attempt == 2 {
            return Answer::Fail(LlmError::new(ErrorKind::RateLimited, "slow down"));
        }
        let looks = request
            .messages
            .iter()
            .filter(|message| message.role == Role::Tool)
            .count();
        if text.contains("# Your task: PLAN") && mails == 0 {
            mails += 1;
            return Answer::Tools(vec![
                ("mail", "{\"to\":\"x\"}".into()),
                ("fly", "{}".into()),
            ]);
        }
        if request.messages.len() < 12 && looks > 0 && looks < 4 {
            return Answer::Tools(vec![("look", "{}".into())]);
        }
        Answer::Say(format!("words {}", request.messages.len()))
    });
    let mut driver = Driver::with_limits(
        definition(steps),
        RunLimits {
            micro_usd: Some(MicroUsd(4_000)),
            ..RunLimits::default()
        },
        script,
    );
    driver.asks.insert("mail");
    driver.crash_after_effect = true;
    driver.crash_at.insert(6);
    driver.run();
    driver.answer(Verdict::Approve);
    driver.run();
    for when in [When::Now, When::AfterStep, When::AtEnd] {
        let (text, by) = ("mind the budget".into(), "test".into());
        driver.control(Control::Say { text, when, by });
    }
    change_and_allow(&mut driver);
    to_the_end(&mut driver);
    driver.crash_after_effect = false;
    let at = driver
        .journal
        .iter()
        .rposition(|entry| entry.body.kind() == "step_started")
        .unwrap();
    let posted = driver.journal[..at]
        .iter()
        .rposition(|entry| entry.body.kind() == "message_posted")
        .unwrap() as u64
        + 1;
    let ended = driver.journal.len() as u64;
    let forked = RunForked {
        parent: driver.state.run,
        at: ended,
        run: RunId::derived(driver.now, &[b"fork"]),
        by: "test".into(),
    };
    let edited = Edited {
        replace: posted,
        edit: Edit::Text("other words".into()),
    };
    for body in [Body::from(forked), Body::from(edited)] {
        let entry: Entry = Draft::new("", body).at(driver.state.head + 1, driver.now);
        apply(&mut driver.state, &entry);
        driver.journal.push(entry);
    }
    driver.control(Control::Resume { by: "test".into() });
    driver.control(Control::Cancel { by: "test".into() });
    driver
}
