//! An engine in a temporary home, and a way to lose it and open it again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bwana_engine::{Deps, Engine, Models, Options, RunView, StartRun};
use bwana_llm::Provider;
use bwana_store::Store;
use bwana_testkit::{SeededIds, TokioClock, time::TEST_START};
use bwana_tools::builtin::{PERSON_ASK, PersonAsk};
use bwana_tools::{Egress, EgressSettings, Registry, Tool, ToolCtx, ToolError, ToolOutput};
use bwana_types::agent::AgentKind;
use bwana_types::definition::{
    AgentDef, Definition, ModelRef, Price, RunLimits, StepDef, Work, WorkflowRef,
};
use bwana_types::effect::{EffectClass, RiskClass};
use bwana_types::error::ApiError;
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use bwana_types::money::MicroUsd;
use bwana_types::tool::{ToolLimits, ToolSpec};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

pub(crate) struct Fixture {
    home: tempfile::TempDir,
    pub(crate) engine: Engine,
    pub(crate) store: Store,
    pub(crate) mail: Arc<Mail>,
    pub(crate) day_limit: Option<MicroUsd>,
    model: Arc<dyn Provider>,
    unattended: bool,
    ids: u64,
}

struct One(Arc<dyn Provider>);

impl Models for One {
    fn provider(&self, _name: &str) -> Result<Arc<dyn Provider>, ApiError> {
        Ok(Arc::clone(&self.0))
    }
}

impl Fixture {
    pub(crate) fn new(model: impl Provider + 'static) -> Self {
        Self::with_day_limit(model, None)
    }

    pub(crate) fn with_day_limit(
        model: impl Provider + 'static,
        day_limit: Option<MicroUsd>,
    ) -> Self {
        let home = tempfile::tempdir().unwrap();
        let model: Arc<dyn Provider> = Arc::new(model);
        let mail = Arc::new(Mail::default());
        let (engine, store) = open(home.path().into(), &model, &mail, day_limit, false, 0);
        Self {
            home,
            engine,
            store,
            mail,
            day_limit,
            model,
            unattended: false,
            ids: 0,
        }
    }

    /// The process dies: its tasks stop where they are, and another opens the data folder.
    pub(crate) async fn reopen(&mut self) {
        self.engine.abort();
        self.store.close().await.unwrap();
        self.ids += 1;
        let home: PathBuf = self.home.path().into();
        let (engine, store) = open(
            home,
            &self.model,
            &self.mail,
            self.day_limit,
            self.unattended,
            self.ids,
        );
        (self.engine, self.store) = (engine, store);
    }

    /// Another process, in which nobody can be asked.
    pub(crate) async fn leave_alone(&mut self) {
        self.unattended = true;
        self.reopen().await;
    }

    pub(crate) async fn start(&self, definition: Definition) -> RunId {
        self.start_with(definition, "Open a bakery in Nakuru").await
    }

    pub(crate) async fn start_with(&self, definition: Definition, input: &str) -> RunId {
        let start = StartRun {
            definition,
            input: input.to_owned(),
            limits: RunLimits::default(),
            by: String::from("local_cli"),
        };
        self.engine.start(start).await.unwrap()
    }

    pub(crate) async fn run(&self, definition: Definition) -> RunView {
        let run = self.start(definition).await;
        self.engine.settle(run).await.unwrap()
    }

    pub(crate) fn artifact(&self, run: RunId, file: &str) -> String {
        let path = self
            .home
            .path()
            .join("artifacts")
            .join(run.to_string())
            .join(file);
        std::fs::read_to_string(path).unwrap()
    }
}

fn open(
    home: PathBuf,
    model: &Arc<dyn Provider>,
    mail: &Arc<Mail>,
    day_limit: Option<MicroUsd>,
    unattended: bool,
    ids: u64,
) -> (Engine, Store) {
    let clock = Arc::new(TokioClock::starting_at(TEST_START));
    let store = Store::open_owner(&home, clock.clone()).unwrap();
    let deps = Deps {
        store: store.clone(),
        clock,
        ids: Arc::new(SeededIds::new(ids)),
        tools: Registry::new([
            Arc::clone(mail) as Arc<dyn Tool>,
            Arc::new(PersonAsk::default()),
        ])
        .unwrap(),
        egress: Egress::new(EgressSettings::default()).unwrap(),
        models: Arc::new(One(Arc::clone(model))),
        redactor: bwana_types::redact::Redactor::new(),
        day_money: Arc::new(move || day_limit),
        options: Options {
            artifacts: home.join("artifacts"),
            unattended,
            time_zone: String::from("Africa/Nairobi"),
        },
    };
    (Engine::new(deps), store)
}

/// An at-most-once tool that counts.
pub(crate) struct Mail {
    spec: ToolSpec,
    pub(crate) sent: AtomicU32,
    pub(crate) keys: Mutex<BTreeMap<String, u32>>,
}

impl Default for Mail {
    fn default() -> Self {
        let spec = ToolSpec {
            name: "mail.send".into(),
            version: "1".into(),
            description: "Sends a mail.".into(),
            input_schema: json!({"type": "object", "additionalProperties": false, "required": ["to"],
                "properties": {"to": {"type": "string"}}}),
            risk: RiskClass::Contact,
            effect: EffectClass::AtMostOnce,
            limits: ToolLimits::default(),
        };
        Self {
            spec,
            sent: AtomicU32::new(0),
            keys: Mutex::default(),
        }
    }
}

impl Tool for Mail {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn preview(&self, args: &Value) -> String {
        format!("Send a mail to {}", args["to"])
    }

    fn call(&self, ctx: ToolCtx, _args: Value) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        let key = ctx.key.map(|key| key.to_string()).unwrap_or_default();
        *self.keys.lock().unwrap().entry(key).or_default() += 1;
        self.sent.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(ToolOutput::text("sent")) })
    }
}

pub(crate) fn definition(steps: usize) -> Definition {
    let agent = AgentDef {
        id: "a".into(),
        name: "Agent A".into(),
        kind: AgentKind::Custom,
        description: String::new(),
        instructions: "You are A.".into(),
        capabilities: Vec::new(),
        tools: vec!["mail.send".into(), PERSON_ASK.into()],
        models: vec![
            serde_json::from_value::<ModelRef>(json!({"provider": "p", "model": "m",
                "context_tokens": 8192, "price": Price { input_per_mtok: Some(MicroUsd(1_000_000)),
                output_per_mtok: Some(MicroUsd(2_000_000)) }}))
            .unwrap(),
        ],
        max_output_tokens: 512,
        temperature: None,
    };
    let step = |at: usize| StepDef {
        id: format!("s{at}"),
        name: format!("Step {at}"),
        task: None,
        work: Work::Speak {
            agents: vec!["a".into()],
        },
        tools: None,
        reads: None,
        approve_plan: false,
        output: None,
        limits: RunLimits::default(),
    };
    Definition {
        workflow: WorkflowRef {
            slug: "test".into(),
            name: "Test".into(),
            hash: Hash::of(b"file"),
        },
        agents: BTreeMap::from([("a".into(), agent)]),
        tools: BTreeMap::from([
            ("mail.send".into(), Mail::default().spec),
            (PERSON_ASK.into(), PersonAsk::default().spec().clone()),
        ]),
        limits: RunLimits::default(),
        steps: (0..steps).map(step).collect(),
        locale: "en".into(),
        dry_run: false,
    }
}
