//! A data folder with a past: invented small businesses whose runs went through the real engine, on a clock moved by hand,
//! with ids from a seed and a scripted model. Pictures, the gallery and benches look at it. Never shipped: it is an example.
//!
//! ```text
//! bwana-fixture-home FOLDER [--variant plain|empty|busy|long] [--runs N] [--entries N]
//! ```
//!
//! - `plain`: nine runs between 2026-11-20 and 2026-11-24 (UTC): done, failed, cancelled, paused, and three that wait for a
//!   person (a file, a question, a message to others); an agent and workflows of the person's own; a budget.
//! - `empty`: settings and nothing else.
//! - `busy`: `plain`, after N ([`BUSY_RUNS`]) runs of one question each.
//! - `long`: one run of N ([`LONG_ENTRIES`]) entries or some more: talks of three agents, one after the other.
//!
//! Prints one line, `{"runs", "entries", "journal"}`: `journal` is a hash over the exports of all runs (definition, entries,
//! times, ids, costs, hashes of files). Equal from one making to the next are these exports, byte for byte, and the files
//! that runs wrote. The SQLite file is not: its pages depend on when the writer's batches and checkpoints fell, and the
//! counted bytes of traffic on nothing that is promised.
//!
//! The provider's address in the settings is [`UNREACHABLE`] afterwards, so that a host that opens the folder goes on with
//! nothing.

#![expect(clippy::print_stdout, reason = "its one line is the point")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bwana_api::{App, Caller, Ctx, HostOptions, Mode, Redactor, Secrets};
use bwana_testkit::model_server::{self, ModelServer};
use bwana_testkit::script::{Answer, Answers, Prompt, Script};
use bwana_testkit::{ManualClock, SeededIds};
use bwana_types::hash::Hash;
use bwana_types::time::Timestamp;
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

/// The discard port of this machine: nobody listens there.
const UNREACHABLE: &str = "http://127.0.0.1:9/v1";
/// 2026-11-20T08:00:00Z, a Friday.
const START: Timestamp = Timestamp(1_795_161_600_000);
const MINUTE_MS: i64 = 60_000;
const DAY_MIN: i64 = 24 * 60;
const SEED: u64 = 20_261_120;
/// Runs of one question each in `busy`.
const BUSY_RUNS: usize = 2_000;
/// Entries of the one run in `long`.
const LONG_ENTRIES: usize = 100_000;
/// How often somebody speaks in one of its talks.
const TALK_ROUNDS: usize = 200;
/// What a round writes down: the call that chooses who speaks, its answer, who speaks, the call, its answer, and what was said.
const ROUND_ENTRIES: usize = 6;
/// What a day may cost, in USD; a run of a hundred thousand entries costs more.
const DAY_USD: f64 = 2.5;
const LONG_DAY_USD: f64 = 10_000.0;
/// Runs a page of a list may have at most.
const PAGE: usize = 200;
/// How long the model may stay unasked before the making is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an answer takes on the clock: so many milliseconds, and up to as many again.
const ANSWER_MS: i64 = 6_000;

const TEAM: &str = include_str!("fixture/team.yaml");
const ANSWERS: &str = include_str!("fixture/answers.json");

const BAKERY: &str = "Prices of our bakery in Kisumu from Monday on: white bread 400 g 65 shillings, brown bread 600 g 95, \
    mandazi four for 40, queen cakes 30 each on Tuesday and Friday, birthday cake 1 kg 1,400 (or was it 1,450?).";
const POWER: &str = "There is a power cut in Milimani until five. What must the bakery do today so that no order is lost?";
const LAMPS: &str = "Three offers for 200 solar lamps for the shop on Mombasa Road in Nairobi: Jua Kali Lights 1,150 \
    shillings, one year, five days. Rift Solar 1,090, two years, twelve days. Harbour Imports 980, six months, a month.";
const CLINICS: &str = "We supply 14 clinics in Accra with gloves, syringes and gauze. Orders come by phone to three people. \
    We want to know every evening what to pack.";
const WEEK: &str = "Week 47, bakery in Kisumu: sales KSh 184,200 (last week 171,900). Hotel Lakeview owes KSh 22,400 since \
    3 November. Oven out on Wednesday for five hours. Two complaints about late bread.";
const SETUP: &str = "We sell solar lamps and small panels in Nairobi, four people, orders by phone and WhatsApp, payment by \
    M-Pesa or cash. We lose orders when the power is gone.";
const SUPPLIES: &str = "Clinic supplies in Accra, prices for week 48: nitrile gloves M 85 a box, syringes 5 ml 60 for 50, \
    gauze rolls 48 a dozen, hand rub 32.";
const BATTERIES: &str = "Batteries for lamps, 120 pieces for the stall in Kibera: Rift Solar 420 shillings each, paid on \
    delivery. Nuru Parts 395, half before.";
const ARRIVED: &str = "120 lamps have arrived at the shop in Westlands: the small one 1,350, the large one 2,900. Tell the \
    84 people who asked.";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let Wanted {
        home,
        variant,
        runs,
        entries,
    } = wanted(std::env::args().skip(1))?;
    if home.join("settings.toml").exists() {
        return Err(format!("{} holds data already; give another folder", home.display()).into());
    }
    // In a long run no two answers are the same, or it would be stopped as one that gets nowhere.
    let (day_usd, script) = if variant == "long" {
        (LONG_DAY_USD, Script::default())
    } else {
        (DAY_USD, serde_json::from_str(ANSWERS)?)
    };
    let maker = Maker::start(&home, day_usd, script)?;
    match variant.as_str() {
        "empty" => {}
        "plain" => maker.fill().await?,
        "busy" => {
            maker.crowd(runs).await?;
            maker.fill().await?;
        }
        "long" => maker.talk(entries).await?,
        _ => return Err(format!("there is no variant {variant}").into()),
    }
    println!("{}", maker.finish(&home, day_usd).await?);
    Ok(())
}

struct Wanted {
    home: PathBuf,
    variant: String,
    runs: usize,
    entries: usize,
}

fn wanted(mut args: impl Iterator<Item = String>) -> Result<Wanted, Failure> {
    let (mut home, mut variant) = (None, String::from("plain"));
    let (mut runs, mut entries) = (BUSY_RUNS, LONG_ENTRIES);
    while let Some(arg) = args.next() {
        if arg == "--variant" {
            variant = args.next().ok_or("--variant wants a name")?;
        } else if arg == "--runs" {
            runs = args.next().ok_or("--runs wants a number")?.parse()?;
        } else if arg == "--entries" {
            entries = args.next().ok_or("--entries wants a number")?.parse()?;
        } else {
            home = Some(PathBuf::from(arg));
        }
    }
    Ok(Wanted {
        home: home.ok_or("a folder is needed")?,
        variant,
        runs,
        entries,
    })
}

/// Answers from the script; every answer takes its time on the clock, as much as its request says.
struct Paced {
    script: Script,
    clock: Arc<ManualClock>,
}

impl Answers for Paced {
    fn answer(&self, prompt: &Prompt<'_>) -> Answer {
        let more = i64::from(u32::try_from(prompt.number() >> 40).unwrap_or(0)) % ANSWER_MS;
        self.clock.advance_ms(ANSWER_MS + more);
        self.script.answer(prompt)
    }
}

struct Maker {
    app: App,
    clock: Arc<ManualClock>,
    model: Arc<ModelServer>,
}

impl Maker {
    fn start(home: &Path, day_usd: f64, script: Script) -> Result<Self, Failure> {
        let clock = Arc::new(ManualClock::new(START));
        let paced = Paced {
            script,
            clock: Arc::clone(&clock),
        };
        let model = model_server::Options::answering(Arc::new(paced)).start()?;
        std::fs::create_dir_all(home)?;
        std::fs::write(home.join("settings.toml"), settings(&model.url(), day_usd))?;
        let host = HostOptions {
            secrets: Secrets::new(home, None, Redactor::new()),
            home: home.to_owned(),
            clock: Arc::clone(&clock) as _,
            ids: Arc::new(SeededIds::new(SEED)),
            unattended: false,
        };
        let app = App::open(host, Mode::Own)?;
        let model = Arc::new(model);
        Ok(Self { app, clock, model })
    }

    async fn call(&self, name: &str, params: Value) -> Result<Value, Failure> {
        let ctx = Ctx::quiet(Caller::LocalPerson);
        let answer = self.app.dispatch(ctx, name, params).await;
        answer.map_err(|error| format!("{name}: {}", error.message).into())
    }

    /// So many days and minutes after the start.
    fn at(&self, days: i64, minutes: i64) {
        let minutes = days * DAY_MIN + minutes;
        self.clock.set(Timestamp(START.0 + minutes * MINUTE_MS));
    }

    async fn begin(&self, workflow: &str, input: &str) -> Result<Value, Failure> {
        let what = json!({"what": {"workflow": workflow}, "input": input});
        let started = self.call("run.start", what).await?;
        Ok(json!({"run": started["run"]}))
    }

    /// Waits until a run stands still, which must be in this way.
    async fn settle(&self, run: &Value, status: &str) -> Result<(), Failure> {
        let shown = self.call("run.settle", run.clone()).await?;
        if shown["status"] != status {
            return Err(format!("a run is {}, not {status}: {shown}", shown["status"]).into());
        }
        Ok(())
    }

    /// Says yes to what is asked, a minute after it was asked, until the run is done.
    async fn approve_all(&self, run: &Value) -> Result<(), Failure> {
        loop {
            let shown = self.call("run.settle", run.clone()).await?;
            if shown["status"] != "waiting" {
                return self.settle(run, "done").await;
            }
            let open = self.call("tasks.list", run.clone()).await?;
            // None is open between a yes and the moment the engine has read it.
            if let Some(task) = open["tasks"].get(0) {
                self.clock.advance_ms(MINUTE_MS);
                let yes = json!({"task": task["id"], "scope": "once"});
                self.call("tasks.approve", yes).await?;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Waits until the model, with its gate closed, was asked again after so many answers.
    async fn asked_after(&self, answered: u64) -> Result<(), Failure> {
        let model = Arc::clone(&self.model);
        let asked = tokio::task::spawn_blocking(move || {
            model.wait_for(PATIENCE, |counts| {
                counts.answered == answered && counts.waiting == 1
            })
        });
        if asked.await? {
            return Ok(());
        }
        Err("the model was not asked in time".into())
    }

    /// Starts a run and lets the model answer `steps` of its questions; the next one is held back.
    async fn begin_held(&self, workflow: &str, input: &str, steps: u64) -> Result<Value, Failure> {
        self.model.hold();
        let before = self.model.counts().answered;
        let run = self.begin(workflow, input).await?;
        for step in 0..steps {
            self.asked_after(before + step).await?;
            self.model.release(1);
        }
        self.asked_after(before + steps).await?;
        Ok(run)
    }

    async fn fill(&self) -> Result<(), Failure> {
        self.at(0, 0);
        let file = json!({"file": {"name": "team.yaml", "text": TEAM}});
        self.call("definitions.import", file).await?;
        self.ended().await?;
        self.standing().await
    }

    /// What is over.
    async fn ended(&self) -> Result<(), Failure> {
        self.at(0, 5);
        let run = self.begin("shop_prices", BAKERY).await?;
        self.approve_all(&run).await?;

        self.at(0, 135);
        let question = json!({"text": POWER, "agent": "operations"});
        let asked = self.call("ask", question).await?;
        self.settle(&json!({"run": asked["run"]}), "done").await?;

        self.at(1, -30);
        let run = self.begin("supplier_check", LAMPS).await?;
        self.settle(&run, "done").await?;

        self.at(1, 245);
        // Both readings want a model of a provider that is taken away meanwhile.
        let run = self.begin_held("second_opinion", CLINICS, 0).await?;
        let gone = json!({"name": "elsewhere"});
        self.call("providers.remove", gone).await?;
        self.model.open();
        self.settle(&run, "failed").await?;

        self.at(3, -70);
        let week = self.begin_held("weekly_operations_review", WEEK, 0).await?;
        self.clock.advance_ms(MINUTE_MS);
        self.call("run.cancel", week.clone()).await?;
        self.model.open();
        self.settle(&week, "cancelled").await
    }

    /// What stands still and may go on.
    async fn standing(&self) -> Result<(), Failure> {
        self.at(3, 380);
        let run = self.begin_held("business_setup", SETUP, 1).await?;
        self.call("run.pause", run.clone()).await?;
        self.model.open();
        self.settle(&run, "paused").await?;
        for (minutes, workflow, input) in [
            (10, "shop_prices", SUPPLIES),
            (25, "supplier_check", BATTERIES),
            (40, "stock_letter", ARRIVED),
        ] {
            self.at(4, minutes);
            let run = self.begin(workflow, input).await?;
            self.settle(&run, "waiting").await?;
        }
        Ok(())
    }

    /// Many small runs, one a minute, before everything else.
    async fn crowd(&self, runs: usize) -> Result<(), Failure> {
        for at in 0..runs {
            let ago = i64::try_from(runs - at)?;
            self.at(0, -ago);
            let text = format!("How many loaves for order {}, Kisumu?", at + 1);
            let question = json!({"text": text, "agent": "operations"});
            let asked = self.call("ask", question).await?;
            self.settle(&json!({"run": asked["run"]}), "done").await?;
        }
        Ok(())
    }

    /// One long run: talks of three agents, none of which reads what the others said.
    async fn talk(&self, entries: usize) -> Result<(), Failure> {
        let talks = entries.div_ceil(TALK_ROUNDS * ROUND_ENTRIES);
        let agents = "[operations, customer_service, sales_marketing]";
        let chat = format!("{{agents: {agents}, select: selector, max_round: {TALK_ROUNDS}}}");
        let steps: String = (1..=talks)
            .map(|n| format!("  - {{name: Talk {n}, reads: [], tools: [], chat: {chat}}}\n"))
            .collect();
        let text = format!(
            "schema: bwana.workflow/v1\nid: long_talks\nname: Long Talks\nagents: {agents}\n\
             limits: {{calls: 1000000, turns: 1000000, tokens: 1000000000, budget_usd: {LONG_DAY_USD}, elapsed: 1000h}}\n\
             steps:\n{steps}"
        );
        let what = json!({"what": {"file": {"name": "long.yaml", "text": text}}, "input": WEEK});
        let started = self.call("run.start", what).await?;
        self.settle(&json!({"run": started["run"]}), "done").await
    }

    /// Closes the folder and says what is in it.
    async fn finish(self, home: &Path, day_usd: f64) -> Result<Value, Failure> {
        let mut hashes = Vec::new();
        let mut entries = 0;
        let mut page = json!({"limit": PAGE});
        loop {
            let list = self.call("run.list", page.clone()).await?;
            let runs = list["runs"].as_array().cloned().unwrap_or_default();
            for run in &runs {
                let whole = self.call("run.export", json!({"run": run["id"]})).await?;
                entries += whole["entries"].as_array().map_or(0, Vec::len);
                hashes.push(Hash::of_json(&whole));
            }
            match runs.last() {
                Some(last) => page["before"] = last["id"].clone(),
                None => break,
            }
        }
        self.app.close().await?;
        std::fs::write(home.join("settings.toml"), settings(UNREACHABLE, day_usd))?;
        let journal = Hash::of_parts(hashes.iter().map(|hash| hash.0.as_slice()));
        Ok(json!({"runs": hashes.len(), "entries": entries, "journal": journal.to_string()}))
    }
}

fn settings(base_url: &str, day_usd: f64) -> String {
    format!(
        "time_zone = \"Africa/Nairobi\"\n\n[budget]\nday_usd = {day_usd}\n\n[[providers]]\nname = \"scripted\"\n\
         kind = \"openai\"\nbase_url = \"{base_url}\"\nmodel = \"scripted\"\nprice_in = 0.4\nprice_out = 1.6\n\n\
         [[providers]]\nname = \"elsewhere\"\nkind = \"openai\"\nbase_url = \"https://models.example.org/v1\"\n\
         model = \"large\"\n"
    )
}
