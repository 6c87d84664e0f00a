//! The change feed against a client over a bad line: whatever is lost, repeated or turned round, it ends with what a fresh
//! look shows; one that is slow gets less, and one that is far behind starts afresh.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bwana_api::feed::{At, Changed, Place};
use bwana_api::{App, Caller, Ctx, Event, Events, Mode};
use bwana_testkit::Script;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::common::{Home, PLAIN, settle, start};

/// Longer than any batch takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);
const TOPICS: [&str; 3] = ["runs", "tasks", "usage"];

async fn ask(app: &App, name: &str, params: Value) -> Value {
    let ctx = Ctx::quiet(Caller::LocalUi);
    app.dispatch(ctx, name, params).await.unwrap()
}

/// A feed with its own end of the line.
struct Line {
    app: App,
    heard: mpsc::Receiver<Event>,
    watch: u64,
    at: At,
}

#[derive(Debug, Clone)]
struct Batch {
    from: Place,
    to: Place,
    changes: Vec<Changed>,
}

impl Line {
    async fn open(app: &App) -> Self {
        let (events, mut heard) = Events::channel();
        let ctx = Ctx {
            caller: Caller::LocalUi,
            events,
        };
        let of = app.clone();
        tokio::spawn(async move {
            let params = json!({"topics": TOPICS, "visible": true});
            of.dispatch(ctx, "changes.watch", params).await
        });
        let Some(Event::Open { watch, at }) = heard.recv().await else {
            panic!("a feed begins with its number")
        };
        Self {
            app: app.clone(),
            heard,
            watch,
            at,
        }
    }

    async fn event(&mut self) -> Event {
        tokio::time::timeout(PATIENCE, self.heard.recv())
            .await
            .unwrap()
            .unwrap()
    }

    async fn ack(&self, to: Place) {
        ask(
            &self.app,
            "changes.ack",
            json!({"watch": self.watch, "to": to}),
        )
        .await;
    }

    /// Every batch up to the end of the feed as it is now, each taken at once.
    async fn until_now(&mut self) -> Vec<Batch> {
        let answer = self
            .app
            .dispatch_at(Ctx::quiet(Caller::LocalUi), "usage.today", json!({}))
            .await;
        let end: At = serde_json::from_value(answer.unwrap()["at"].clone()).unwrap();
        let mut batches = Vec::new();
        while self.at.place.pos < end.place.pos || self.at.place.change < end.place.change {
            match self.event().await {
                Event::Batch {
                    from, to, changes, ..
                } => {
                    assert_eq!(from, self.at.place, "one batch begins where the last ended");
                    self.at.place = to;
                    self.ack(to).await;
                    batches.push(Batch { from, to, changes });
                }
                other => panic!("{other:?}"),
            }
        }
        batches
    }
}

type Rows = BTreeMap<(String, String), Value>;

/// What a window does with what it hears.
struct Client {
    at: Place,
    rows: Rows,
    /// How often it read everything anew.
    looks: usize,
}

/// Everything, as lists show it, and from where the feed goes on.
async fn look(app: &App) -> (Place, Rows) {
    let mut rows = Rows::new();
    let answer = app
        .dispatch_at(Ctx::quiet(Caller::LocalUi), "run.list", json!({}))
        .await
        .unwrap();
    let at: At = serde_json::from_value(answer["at"].clone()).unwrap();
    for run in answer["value"]["runs"].as_array().unwrap() {
        let id = run["id"].as_str().unwrap().to_owned();
        rows.insert((String::from("runs"), id), run.clone());
    }
    let tasks = ask(app, "tasks.list", json!({"all": true})).await;
    for task in tasks["tasks"].as_array().unwrap() {
        let id = task["id"].as_str().unwrap().to_owned();
        rows.insert((String::from("tasks"), id), task.clone());
    }
    let today = ask(app, "usage.today", json!({})).await;
    rows.insert((String::from("usage"), String::from("today")), today);
    (at.place, rows)
}

impl Client {
    async fn hear(&mut self, app: &App, batch: &Batch) {
        let is_known = batch.to.pos <= self.at.pos && batch.to.change <= self.at.change;
        if is_known {
            return;
        }
        if batch.from != self.at {
            (self.at, self.rows) = look(app).await;
            self.looks += 1;
            return;
        }
        for changed in &batch.changes {
            let key = (changed.topic.clone(), changed.id.clone());
            match &changed.row {
                Some(row) => drop(self.rows.insert(key, row.clone())),
                None => drop(self.rows.remove(&key)),
            }
        }
        self.at = batch.to;
    }
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Start,
    Approve,
    Deny,
    Cancel,
    Draft,
    Fork,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    Drop,
    Repeat,
    /// Comes behind the next one.
    Late,
}

async fn act(app: &App, act: Act) {
    let open = ask(app, "tasks.list", json!({})).await;
    let task = open["tasks"][0].clone();
    match act {
        Act::Start => {
            let started = start(app, PLAIN).await;
            settle(app, started.run).await;
        }
        Act::Draft => drop(ask(app, "drafts.set", json!({"place": "home", "text": "Ẹ ku"})).await),
        _ if task.is_null() => {}
        Act::Approve => {
            ask(app, "tasks.approve", json!({"task": task["id"]})).await;
            settle(app, task["run"].as_str().unwrap()).await;
        }
        Act::Deny => {
            ask(app, "tasks.deny", json!({"task": task["id"]})).await;
            settle(app, task["run"].as_str().unwrap()).await;
        }
        Act::Cancel => drop(ask(app, "run.cancel", json!({"run": task["run"]})).await),
        Act::Fork => drop(ask(app, "run.fork", json!({"run": task["run"], "at": 1})).await),
    }
}

fn home() -> Home {
    Home::answering(Script::default().calls_once(
        "file.write",
        json!({"path": "a.txt", "content": "{digest}"}),
    ))
}

async fn over_a_bad_line(acts: &[(Act, Fault)]) {
    let home = home();
    let app = home.open(Mode::Own);
    let mut line = Line::open(&app).await;
    let (at, rows) = look(&app).await;
    let mut client = Client { at, rows, looks: 0 };
    let mut late: Vec<Batch> = Vec::new();
    for (one, fault) in acts {
        act(&app, *one).await;
        for batch in line.until_now().await {
            let waiting = std::mem::take(&mut late);
            match fault {
                Fault::None => client.hear(&app, &batch).await,
                Fault::Drop => {}
                Fault::Repeat => {
                    client.hear(&app, &batch).await;
                    client.hear(&app, &batch).await;
                }
                Fault::Late => late.push(batch),
            }
            for batch in &waiting {
                client.hear(&app, batch).await;
            }
        }
    }
    // The line is good again: one more batch shows what was missed.
    ask(
        &app,
        "drafts.set",
        json!({"place": "home", "text": "the last"}),
    )
    .await;
    for batch in line.until_now().await {
        client.hear(&app, &batch).await;
    }
    let (_, expected) = look(&app).await;
    assert_eq!(client.rows, expected);
    assert!(expected.len() > 1 || acts.iter().all(|(one, _)| !matches!(one, Act::Start)));
    let is_good = acts
        .iter()
        .all(|(_, fault)| matches!(fault, Fault::None | Fault::Repeat));
    assert!(
        !is_good || client.looks == 0,
        "a good line needs no second look"
    );
    app.close().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_client_over_a_bad_line_ends_with_what_a_fresh_look_shows(
        acts in proptest::collection::vec((
            prop_oneof![
                3 => Just(Act::Start), 2 => Just(Act::Approve), 1 => Just(Act::Deny),
                1 => Just(Act::Cancel), 1 => Just(Act::Draft), 1 => Just(Act::Fork),
            ],
            prop_oneof![
                3 => Just(Fault::None), 1 => Just(Fault::Drop), 1 => Just(Fault::Repeat), 1 => Just(Fault::Late),
            ],
        ), 1..10)
    ) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(over_a_bad_line(&acts));
    }
}

#[tokio::test]
async fn a_good_line_carries_everything_without_a_second_look() {
    let acts = [
        Act::Start,
        Act::Approve,
        Act::Start,
        Act::Deny,
        Act::Fork,
        Act::Cancel,
    ];
    over_a_bad_line(&acts.map(|one| (one, Fault::None))).await;
}

#[tokio::test]
async fn a_slow_client_hears_of_each_thing_once() {
    let home = home();
    let app = home.open(Mode::Own);
    let mut line = Line::open(&app).await;
    act(&app, Act::Start).await;
    let Event::Batch { to, .. } = line.event().await else {
        panic!("the run begins")
    };
    // Meanwhile a lot happens, and nobody takes the first batch.
    for one in [Act::Approve, Act::Approve, Act::Start, Act::Deny] {
        act(&app, one).await;
    }
    assert!(line.heard.try_recv().is_err(), "one batch at a time");
    line.ack(to).await;
    line.at.place = to;
    let batches = line.until_now().await;
    assert_eq!(batches.len(), 1, "what waits comes together");
    let mut seen = BTreeSet::new();
    for changed in &batches[0].changes {
        assert!(
            seen.insert((&changed.topic, &changed.id)),
            "{} {} twice",
            changed.topic,
            changed.id
        );
    }
    assert!(batches[0].changes.len() >= 4, "{batches:?}");
    app.close().await.unwrap();
}

#[tokio::test]
async fn whoever_is_far_behind_starts_afresh() {
    let home = home();
    let app = home.open(Mode::Own);
    let mut line = Line::open(&app).await;
    let draft = async |text: usize| {
        ask(
            &app,
            "drafts.set",
            json!({"place": "home", "text": text.to_string()}),
        )
        .await;
    };
    draft(0).await;
    let Event::Batch { to, .. } = line.event().await else {
        panic!("the first draft")
    };
    for text in 1..=5_600 {
        draft(text).await;
    }
    line.ack(to).await;
    let at = loop {
        match line.event().await {
            Event::Batch { to, .. } => line.ack(to).await,
            Event::Reset { at } => break at,
            other => panic!("{other:?}"),
        }
    };
    line.at = at;
    act(&app, Act::Start).await;
    let batches = line.until_now().await;
    let runs = batches
        .iter()
        .flat_map(|batch| &batch.changes)
        .filter(|one| one.topic == "runs");
    assert!(runs.count() > 0, "it goes on from there");
    app.close().await.unwrap();
}
