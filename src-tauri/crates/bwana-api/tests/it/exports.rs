//! A run as a document, and back; documents that are not what they seem.

use bwana_api::command::{
    Backup, RunExport, RunFork, RunImport, RunList, RunReplay, RunResume, UsageToday, Verify,
};
use bwana_api::data::{BackupRequest, restore};
use bwana_api::definitions::Nothing;
use bwana_api::export::ImportRequest;
use bwana_api::runs::{Approve, ForkRequest, ListRequest, ResumeRequest};
use bwana_api::{App, Mode, RunShown};
use bwana_testkit::Script;
use bwana_testkit::script::{Say, When};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::status::RunStatus;
use serde_json::{Value, json};

use crate::common::{Home, PLAIN, by, call, settle, start};

async fn exported(app: &App, run: impl ToString) -> Value {
    let document = call::<RunExport>(app, by(run)).await.unwrap();
    serde_json::to_value(document).unwrap()
}

async fn import(home: &Home, app: &App, document: &Value) -> Result<RunShown, ApiError> {
    let file = home.file("in.json", &document.to_string());
    call::<RunImport>(app, ImportRequest { file }).await
}

async fn resumed(app: &App, run: impl ToString) -> RunShown {
    let request = ResumeRequest {
        run: run.to_string(),
        approve: Approve::Ask,
    };
    let id = call::<RunResume>(app, request).await.unwrap().run;
    settle(app, id).await
}

#[tokio::test]
async fn a_finished_run_comes_back_as_it_was_under_a_name_of_its_own() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let started = start(&app, PLAIN).await;
    let before = settle(&app, started.run).await;
    let document = exported(&app, started.run).await;
    let copy = import(&home, &app, &document).await.unwrap();
    assert_ne!(copy.id, before.id);
    assert_eq!(
        (copy.status, copy.head_seq),
        (before.status, before.head_seq)
    );
    assert_eq!((&copy.result, &copy.steps), (&before.result, &before.steps));
    assert!(call::<RunReplay>(&app, by(copy.id)).await.unwrap().same);
    assert!(call::<Verify>(&app, Nothing {}).await.unwrap().sound);
    app.close().await.unwrap();
}

#[tokio::test]
async fn an_old_run_that_is_taken_in_today_is_not_of_today_and_hides_none_that_is() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let old = start(&app, PLAIN).await;
    settle(&app, old.run).await;
    let document = exported(&app, old.run).await;
    home.pass_hours(72);
    for _ in 0..2 {
        let today = start(&app, PLAIN).await;
        settle(&app, today.run).await;
    }
    import(&home, &app, &document).await.unwrap();
    let today = call::<UsageToday>(&app, Nothing {}).await.unwrap();
    assert_eq!((today.runs, today.runs_done), (2, 2));
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_run_under_way_arrives_paused_and_goes_on_elsewhere() {
    let script =
        Script::default().calls_once("file.write", json!({"path": "a.txt", "content": "x"}));
    let here = Home::answering(script);
    let app = here.open(Mode::Drive);
    let started = start(&app, PLAIN).await;
    let waiting = settle(&app, started.run).await;
    assert_eq!(waiting.status, RunStatus::Waiting);
    let document = exported(&app, started.run).await;
    assert!(
        !document.to_string().contains(&here.model.url()),
        "no addresses either"
    );
    app.close().await.unwrap();

    let there = Home::answering(Script::default().rule(When::default(), Say::text("fine")));
    let app = there.open(Mode::Drive);
    let copy = import(&there, &app, &document).await.unwrap();
    assert_eq!(copy.status, RunStatus::Paused);
    assert!(app.live_runs().is_empty());
    let shown = resumed(&app, copy.id).await;
    // What was asked there is asked here, under a name of its own.
    assert_eq!(shown.status, RunStatus::Waiting, "{shown:?}");
    assert_ne!(shown.tasks[0].id, waiting.tasks[0].id);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_fork_behind_an_end_is_taken_in_with_what_it_shares() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let started = start(&app, PLAIN).await;
    let before = settle(&app, started.run).await;
    let request = ForkRequest {
        run: started.run.to_string(),
        at: before.head_seq,
        edit: None,
    };
    let fork = call::<RunFork>(&app, request).await.unwrap();
    let document = exported(&app, fork.id).await;
    let copy = import(&home, &app, &document).await.unwrap();
    assert_eq!(copy.status, RunStatus::Paused);
    assert_ne!(
        copy.forked_from.unwrap().run,
        started.run,
        "a copy of its own"
    );
    assert!(call::<Verify>(&app, Nothing {}).await.unwrap().sound);
    app.close().await.unwrap();
}

#[tokio::test]
async fn a_hostile_document_is_refused_and_leaves_nothing() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let started = start(&app, PLAIN).await;
    settle(&app, started.run).await;
    let good = exported(&app, started.run).await;
    let cases: Vec<(&str, &dyn Fn(&mut Value))> = vec![
        ("another schema", &|doc| {
            doc["schema"] = json!("bwana.run/v9")
        }),
        ("an unknown field", &|doc| doc["surprise"] = json!(1)),
        ("no entries", &|doc| doc["entries"] = json!([])),
        ("no beginning", &|doc| {
            drop(doc["entries"].as_array_mut().unwrap().remove(0))
        }),
        ("a gap", &|doc| {
            drop(doc["entries"].as_array_mut().unwrap().remove(3))
        }),
        ("two beginnings", &|doc| {
            let first = doc["entries"][0].clone();
            doc["entries"][1]["kind"] = first["kind"].clone();
            doc["entries"][1]["body"] = first["body"].clone();
        }),
        ("time going back", &|doc| {
            doc["entries"][2]["at_ms"] = json!(-5)
        }),
        ("a body of another shape", &|doc| {
            let entries = doc["entries"].as_array_mut().unwrap();
            let kind = |entry: &&mut Value| entry["kind"] == "step_finished";
            entries.iter_mut().find(kind).unwrap()["body"] = json!({"outcome": 3});
        }),
        ("another definition", &|doc| {
            doc["definition"]["locale"] = json!("xx")
        }),
        ("a definition of another shape", &|doc| {
            doc["definition"] = json!({"steps": 1})
        }),
        ("entries behind the end", &|doc| {
            let entries = doc["entries"].as_array_mut().unwrap();
            let mut more = entries[1].clone();
            more["seq"] = json!(entries.len() + 1);
            more["at_ms"] = entries[entries.len() - 1]["at_ms"].clone();
            entries.push(more);
        }),
    ];
    for (what, spoil) in cases {
        let mut document = good.clone();
        spoil(&mut document);
        let refused = import(&home, &app, &document).await;
        let code = refused.map(|run| run.id).map_err(|error| error.code);
        // A journal that begins twice is none; where exactly it is caught is not the point.
        assert_eq!(code, Err(ErrorCode::UsageInvalid), "{what}");
    }
    let list = call::<RunList>(&app, ListRequest::default()).await.unwrap();
    assert_eq!(list.runs.len(), 1);
    app.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_lets_nothing_go_on_by_itself() {
    let home = Home::new();
    let app = home.open(Mode::Drive);
    home.model.hold();
    let started = start(&app, PLAIN).await;
    assert!(
        home.model
            .wait_for(bwana_testkit::bwana::PATIENCE, |counts| counts.waiting == 1)
    );
    let to = home.path().with_file_name("backup");
    let report = call::<Backup>(
        &app,
        BackupRequest {
            to: Some(to.clone()),
        },
    )
    .await
    .unwrap();
    assert_eq!(report.runs, 1);
    let in_use = restore(&home.host(), &to).unwrap_err();
    assert_eq!(in_use.code, ErrorCode::HomeInUse);
    home.model.open();
    assert_eq!(settle(&app, started.run).await.status, RunStatus::Done);
    app.close().await.unwrap();

    restore(&home.host(), &to).unwrap();
    let owner = home.open(Mode::Own);
    assert!(owner.take_over().await.unwrap().is_empty());
    let shown = settle(&owner, started.run).await;
    assert_eq!(shown.status, RunStatus::Paused);
    assert_eq!(resumed(&owner, started.run).await.status, RunStatus::Done);
    owner.close().await.unwrap();
}

/// Numbers that look thrown, the same for the same seed (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

/// Where there is something in a document.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), into);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(field, &format!("{at}/{name}"), into);
            }
        }
        _ => {}
    }
}

/// Puts something else in one place of a document, or something of it in another.
fn change(document: &mut Value, dice: &mut Dice) {
    let mut all = Vec::new();
    places(document, "", &mut all);
    let elsewhere = document.pointer(&all[dice.below(all.len())]).cloned();
    let at = all[dice.below(all.len())].clone();
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let others = [
        json!(null),
        json!(-1),
        json!(0),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("\u{0}\u{202e}x".repeat(500)),
        json!([]),
        json!({}),
        json!(true),
        deep,
        elsewhere.unwrap_or_default(),
    ];
    let other = others[dice.below(others.len())].clone();
    if let Some(place) = document.pointer_mut(&at) {
        *place = other;
    }
}

#[tokio::test]
async fn a_changed_document_is_refused_or_a_run_that_can_be_lived_again() {
    const MUTANTS: u64 = 300;
    let home = Home::new();
    let app = home.open(Mode::Drive);
    let started = start(&app, PLAIN).await;
    settle(&app, started.run).await;
    let good = exported(&app, started.run).await;
    let mut taken = Vec::new();
    for seed in 1..=MUTANTS {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut document = good.clone();
        for _ in 0..=dice.below(2) {
            change(&mut document, &mut dice);
        }
        match import(&home, &app, &document).await {
            Ok(run) => taken.push((seed, run.id)),
            Err(error) => assert_ne!(error.code, ErrorCode::Internal, "seed {seed}: {error:?}"),
        }
    }
    // Cut off anywhere it is no document.
    let text = good.to_string();
    for cut in (0..text.len()).step_by(text.len() / 40) {
        let file = home.file("in.json", &text[..text.floor_char_boundary(cut)]);
        let cut_off = call::<RunImport>(&app, ImportRequest { file }).await;
        assert_eq!(cut_off.unwrap_err().code, ErrorCode::UsageInvalid, "{cut}");
    }
    for (seed, run) in &taken {
        let replay = call::<RunReplay>(&app, by(run)).await.unwrap();
        assert!(replay.same, "seed {seed}");
    }
    assert!(call::<Verify>(&app, Nothing {}).await.unwrap().sound);
    let refused = MUTANTS - taken.len() as u64;
    assert!(refused > MUTANTS / 2, "only {refused} of {MUTANTS} refused");
    app.close().await.unwrap();
}
