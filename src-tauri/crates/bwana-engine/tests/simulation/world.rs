//! The world of a simulated engine: models and tools that answer, fail, hang and die as a seed says, and that look over
//! the engine's shoulder: nothing may reach them before it is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bwana_engine::Models;
use bwana_llm::{Fut, Provider, Sink};
use bwana_store::Store;
use bwana_testkit::random::{Improviser, Mood, PERSON_ASK, tool_specs};
use bwana_testkit::{Fault, Faults, Rng, ScriptedModel};
use bwana_tools::{Registry, Sent, Tool, ToolCtx, ToolError, ToolOutput};
use bwana_types::effect::EffectClass;
use bwana_types::entry::{Body, Call, Entry, Seq};
use bwana_types::error::ApiError;
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use bwana_types::model::{Embedded, LlmError, ModelInfo, Outcome, Probe, Request};
use bwana_types::tool::ToolSpec;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::Notify;

/// How hard a world is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    /// Crashes at a thousand chances for one.
    pub(crate) crash_per_mille: u32,
    pub(crate) crashes_max: u32,
    /// Tools and models that misbehave, among a thousand.
    pub(crate) fault_per_mille: u32,
    /// The process dies with an effect that must not happen twice.
    pub(crate) dies_with_send: Option<Dies>,
    /// Only one run, so that a position in the journal is its `seq`.
    pub(crate) alone: bool,
}

/// When a process dies with a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dies {
    BeforeIt,
    AfterIt,
}

pub(crate) struct World {
    pub(crate) weather: Weather,
    /// The process dies.
    pub(crate) crash: Notify,
    inner: Mutex<Inner>,
    pub(crate) models: BTreeMap<String, ScriptedModel>,
}

struct Inner {
    rng: Rng,
    crashes: u32,
    store: Option<Store>,
    seen: Vec<Seen>,
    /// How often each at-most-once effect happened, by the key of its call.
    effects: BTreeMap<Hash, u32>,
    /// What somebody saw that must never be.
    complaints: Vec<String>,
}

/// What is known to be committed of a run.
struct Seen {
    run: RunId,
    journal: Vec<Entry>,
    model_calls: BTreeSet<Seq>,
    attempts: u64,
}

impl Seen {
    fn new(run: RunId) -> Self {
        Self {
            run,
            journal: Vec::new(),
            model_calls: BTreeSet::new(),
            attempts: 0,
        }
    }

    fn extend(&mut self, store: &Store) {
        let from = self.journal.len() as u64 + 1;
        for entry in store
            .entries(self.run, from, usize::MAX)
            .unwrap_or_default()
        {
            match &entry.body {
                Body::CallIntended(one) if matches!(one.call, Call::Model(_)) => {
                    self.model_calls.insert(entry.seq);
                    self.attempts += 1;
                }
                Body::CallRetried(one) if self.model_calls.contains(&one.call) => {
                    self.attempts += 1
                }
                _ => {}
            }
            self.journal.push(entry);
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64, weather: Weather) -> Arc<Self> {
        let model = |name: u64| {
            let answers = Improviser {
                seed: seed ^ name,
                mood: Mood::Wild,
            };
            let faults = Faults {
                seed: seed ^ name,
                per_mille: weather.fault_per_mille,
                attempts_max: 4,
                kinds: Fault::all(),
            };
            let mut rng = Rng::new(seed).fork("pace");
            let pace = |rng: &mut Rng, most| Duration::from_millis(rng.below(most));
            ScriptedModel::answering(answers)
                .with_faults(faults)
                .with_pace(pace(&mut rng, 2_000), pace(&mut rng, 100), 3)
        };
        let models = (0..2).map(|n| (format!("provider_{n}"), model(n)));
        Self::with_models(seed, weather, models.collect())
    }

    pub(crate) fn with_models(
        seed: u64,
        weather: Weather,
        models: BTreeMap<String, ScriptedModel>,
    ) -> Arc<Self> {
        Arc::new(Self {
            weather,
            crash: Notify::new(),
            inner: Mutex::new(Inner {
                rng: Rng::new(seed).fork("world"),
                crashes: 0,
                store: None,
                seen: Vec::new(),
                effects: BTreeMap::new(),
                complaints: Vec::new(),
            }),
            models,
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws from the world's numbers.
    pub(crate) fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.inner().rng)
    }

    pub(crate) fn chance(&self, per_mille: u32) -> bool {
        self.draw(|rng| rng.chance(per_mille))
    }

    /// The store of the process that lives now; `None` between two.
    pub(crate) fn give_store(&self, store: Option<Store>) {
        self.inner().store = store;
    }

    pub(crate) fn add_run(&self, run: RunId) {
        self.inner().seen.push(Seen::new(run));
    }

    pub(crate) fn runs(&self) -> Vec<RunId> {
        self.inner().seen.iter().map(|seen| seen.run).collect()
    }

    pub(crate) fn effects(&self) -> BTreeMap<Hash, u32> {
        self.inner().effects.clone()
    }

    pub(crate) fn complain(&self, what: String) {
        self.inner().complaints.push(what);
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        self.inner().complaints.clone()
    }

    /// Whether the process dies now, if it may still.
    pub(crate) fn dies(&self, per_mille: u32) -> bool {
        let mut inner = self.inner();
        let dies = inner.crashes < self.weather.crashes_max && inner.rng.chance(per_mille);
        inner.crashes += u32::from(dies);
        dies
    }

    /// A place where the process may die: then nothing after it ever happens.
    async fn point(&self) {
        if self.dies(self.weather.crash_per_mille) {
            self.crash.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Reads what has been committed since the last look.
    fn look(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner();
        if let Some(store) = inner.store.clone() {
            for seen in &mut inner.seen {
                seen.extend(&store);
            }
        }
        inner
    }

    /// An effect is about to happen: its intent must be committed, and durable where that matters.
    fn look_for_intent(&self, spec: &ToolSpec, key: Option<Hash>) {
        let inner = self.look();
        let found = inner.seen.iter().find_map(|seen| {
            let intents = seen.journal.iter().rev().filter_map(|entry| match &entry.body {
                Body::CallIntended(intended) if intended.key == key => Some((entry.seq, intended)),
                _ => None,
            });
            let mut mine = intents.filter(|(_, intended)| matches!(&intended.call, Call::Tool(tool) if tool.tool == spec.name));
            mine.next().map(|(seq, _)| seq)
        });
        let durable = inner.store.as_ref().map_or(0, Store::durable_pos);
        drop(inner);
        let Some(seq) = found else {
            self.complain(format!("{} ran without a committed intent", spec.name));
            return;
        };
        let late = durable < i64::try_from(seq).unwrap();
        if spec.effect.needs_barrier() && self.weather.alone && late {
            self.complain(format!("{} ran before its intent was durable", spec.name));
        }
    }

    /// Dies at this side of a send, once.
    async fn die_with_send(&self, effect: EffectClass, side: Dies) {
        let mine = effect == EffectClass::AtMostOnce && self.weather.dies_with_send == Some(side);
        if mine && self.dies(1_000) {
            self.crash.notify_one();
            std::future::pending::<()>().await;
        }
    }

    fn happened(&self, effect: EffectClass, key: Option<Hash>) {
        if effect == EffectClass::AtMostOnce {
            let key = key.expect("an at-most-once call has a key");
            *self.inner().effects.entry(key).or_default() += 1;
        }
    }

    /// Model calls the journals know of, every attempt counted.
    fn attempts(&self) -> u64 {
        self.look().seen.iter().map(|seen| seen.attempts).sum()
    }

    fn requests(&self) -> u64 {
        self.models
            .values()
            .map(|model| model.counts().requests)
            .sum()
    }

    pub(crate) fn registry(self: &Arc<Self>) -> Registry {
        let tools = tool_specs().into_iter().map(|spec| {
            let world = Arc::clone(self);
            Arc::new(SimTool { spec, world }) as Arc<dyn Tool>
        });
        Registry::new(tools).unwrap()
    }
}

/// A tool with one effect of each class.
struct SimTool {
    spec: ToolSpec,
    world: Arc<World>,
}

impl SimTool {
    async fn use_it(&self, ctx: ToolCtx, args: Value) -> Result<ToolOutput, ToolError> {
        let world = &self.world;
        assert_ne!(self.spec.name, PERSON_ASK, "only a person answers");
        world.look_for_intent(&self.spec, ctx.key);
        world.point().await;
        let (bad, fate, pause) = world.draw(|rng| {
            let bad = rng.chance(world.weather.fault_per_mille);
            (bad, rng.below(5), rng.below(3_000))
        });
        tokio::time::sleep(Duration::from_millis(pause)).await;
        match fate {
            0 if bad => return Err(ToolError::failed("it did not work")),
            // Hangs, before or after it has done its work.
            1 if bad => std::future::pending().await,
            2 if bad => {
                world.happened(self.spec.effect, ctx.key);
                std::future::pending().await
            }
            3 if bad => {
                world.happened(self.spec.effect, ctx.key);
                return Err(ToolError::Uncertain(String::from("the connection broke")));
            }
            4 if bad => {
                // A well-behaved one that gives up in time, sure that nothing was sent.
                tokio::time::sleep_until(ctx.deadline).await;
                return Err(ToolError::Timeout {
                    message: String::from("it took too long"),
                    sent: Sent::Nothing,
                });
            }
            _ => {}
        }
        world.die_with_send(self.spec.effect, Dies::BeforeIt).await;
        world.happened(self.spec.effect, ctx.key);
        world.die_with_send(self.spec.effect, Dies::AfterIt).await;
        world.point().await;
        Ok(ToolOutput::text(format!("{} saw {args}", self.spec.name)))
    }
}

impl Tool for SimTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn preview(&self, args: &Value) -> String {
        format!("{} {args}", self.spec.name)
    }

    fn call(&self, ctx: ToolCtx, args: Value) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        Box::pin(self.use_it(ctx, args))
    }
}

/// Providers by name, watched by the world.
pub(crate) struct SimModels(pub(crate) Arc<World>);

impl Models for SimModels {
    fn provider(&self, name: &str) -> Result<Arc<dyn Provider>, ApiError> {
        Ok(Arc::new(SimProvider {
            world: Arc::clone(&self.0),
            name: name.to_owned(),
        }))
    }
}

struct SimProvider {
    world: Arc<World>,
    name: String,
}

impl Provider for SimProvider {
    fn complete<'a>(
        &'a self,
        request: &'a Request,
        sink: Sink<'a>,
    ) -> Fut<'a, Result<Outcome, LlmError>> {
        Box::pin(async move {
            let world = &self.world;
            world.point().await;
            if world.requests() >= world.attempts() {
                world.complain(String::from("a model was asked without a committed intent"));
            }
            let outcome = world.models[&self.name].complete(request, sink).await;
            world.point().await;
            outcome
        })
    }

    fn embed<'a>(
        &'a self,
        model: &'a str,
        texts: &'a [String],
    ) -> Fut<'a, Result<Embedded, LlmError>> {
        self.world.models[&self.name].embed(model, texts)
    }

    fn models(&self) -> Fut<'_, Result<Vec<ModelInfo>, LlmError>> {
        self.world.models[&self.name].models()
    }

    fn probe<'a>(&'a self, model: Option<&'a str>) -> Fut<'a, Probe> {
        self.world.models[&self.name].probe(model)
    }
}
