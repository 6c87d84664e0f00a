//! Two thousand processes that die between sending and writing down that they have sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bwana_engine::{RunView, StartRun};
use bwana_testkit::random::tool_specs;
use bwana_testkit::time::TEST_START;
use bwana_testkit::{Rng, Script, ScriptedModel, SeededIds, TokioClock};
use bwana_types::agent::AgentKind;
use bwana_types::definition::{
    AgentDef, Definition, ModelRef, ParallelDef, Price, RunLimits, StepDef, Work, WorkflowRef,
};
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use bwana_types::status::RunStatus;
use bwana_types::task::{DecidedBy, TaskKind, Verdict};
use bwana_types::time::Timestamp;
use bwana_types::workflow::Join;
use serde_json::json;

use crate::engine::{folder, open};
use crate::seeds::for_each;
use crate::world::{Dies, Weather, World};

/// So many branches, each of which sends one message.
fn definition(branches: u64) -> Definition {
    let agent = AgentDef {
        id: String::from("agent"),
        name: String::from("Agent"),
        kind: AgentKind::Custom,
        description: String::new(),
        instructions: String::from("You send."),
        capabilities: Vec::new(),
        tools: vec![String::from("test.send")],
        models: vec![ModelRef {
            provider: String::from("provider"),
            model: String::from("model"),
            context_tokens: 100_000,
            price: Price::FREE,
            constrained_tools: false,
            small: false,
        }],
        max_output_tokens: 512,
        temperature: None,
    };
    let step = |id: String, work| StepDef {
        name: id.clone(),
        id,
        task: None,
        work,
        tools: None,
        reads: None,
        approve_plan: false,
        output: None,
        limits: RunLimits::default(),
    };
    let speak = || Work::Speak {
        agents: vec![agent.id.clone()],
    };
    let parallel = ParallelDef {
        join: Join::All,
        width: 4,
        steps: (0..branches)
            .map(|n| step(format!("b{n}"), speak()))
            .collect(),
    };
    Definition {
        workflow: WorkflowRef {
            slug: String::from("sends"),
            name: String::from("Sends"),
            hash: Hash::of(b"sends"),
        },
        tools: tool_specs()
            .into_iter()
            .filter(|spec| spec.name == "test.send")
            .map(|spec| (spec.name.clone(), spec))
            .collect(),
        steps: vec![step(String::from("all"), Work::Parallel(parallel))],
        agents: BTreeMap::from([(agent.id.clone(), agent)]),
        limits: RunLimits::default(),
        locale: String::from("en"),
        dry_run: false,
    }
}

/// What one process does until it dies or everything stands still.
struct Process<'a> {
    home: &'a Path,
    world: &'a Arc<World>,
    ids: &'a Arc<SeededIds>,
    now: Timestamp,
}

impl Process<'_> {
    /// The view when everything stands still, or `None` if the process died. Answers approvals with yes.
    fn live(&self, start: Option<Definition>, doubt: Option<&Verdict>) -> Option<RunView> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let view = runtime.block_on(async {
            let clock = Arc::new(TokioClock::starting_at(self.now));
            let ids = Arc::clone(self.ids);
            let (engine, _store) = open(self.home, self.world, clock, ids, (false, None));
            let run = match start {
                Some(definition) => {
                    let start = StartRun {
                        definition,
                        input: String::from("Tell them"),
                        limits: RunLimits::default(),
                        by: String::from("test"),
                    };
                    let run = engine.start(start).await.unwrap();
                    self.world.add_run(run);
                    run
                }
                None => {
                    engine.recover().unwrap();
                    self.world.runs()[0]
                }
            };
            tokio::select! {
                biased;
                () = self.world.crash.notified() => None,
                view = answer_all(&engine, run, doubt) => Some(view),
            }
        });
        drop(runtime);
        self.world.give_store(None);
        view
    }
}

async fn answer_all(engine: &bwana_engine::Engine, run: RunId, doubt: Option<&Verdict>) -> RunView {
    loop {
        let view = engine.settle(run).await.unwrap();
        let next = view.tasks.iter().find_map(|task| match task.ask.kind() {
            TaskKind::Approve => Some((task.id, Verdict::Approve)),
            TaskKind::Uncertain => doubt.map(|verdict| (task.id, verdict.clone())),
            other => panic!("nobody should ask about {other:?}"),
        });
        match next {
            Some((task, verdict)) => engine
                .decide(task, verdict, DecidedBy::LocalCli)
                .await
                .unwrap(),
            None => return view,
        }
    }
}

#[test]
fn a_send_that_death_interrupts_happens_at_most_once_and_becomes_a_question() {
    for_each("a_send_that_death", 2_000, |seed| {
        let mut rng = Rng::new(seed).fork("sends");
        let dies = *rng.pick(&[Dies::BeforeIt, Dies::AfterIt, Dies::AfterIt]);
        let branches = rng.between(1, 3);
        let weather = Weather {
            crash_per_mille: 0,
            crashes_max: 1,
            fault_per_mille: 0,
            dies_with_send: Some(dies),
            alone: true,
        };
        let script = Script::default().calls_once("test.send", json!({"n": 1, "tag": "{digest}"}));
        let models = BTreeMap::from([(String::from("provider"), ScriptedModel::new(script))]);
        let world = World::with_models(seed, weather, models);
        let folder = tempfile::tempdir_in(folder()).unwrap();
        let process = Process {
            home: &folder.path().join("home"),
            world: &world,
            ids: &Arc::new(SeededIds::new(seed)),
            now: TEST_START,
        };
        assert!(
            process.live(Some(definition(branches)), None).is_none(),
            "it dies while it sends"
        );
        let doubtful = process.live(None, None).expect("the second process lives");
        assert_eq!(doubtful.status, RunStatus::Waiting);
        let asked = doubtful
            .tasks
            .iter()
            .filter(|task| task.ask.kind() == TaskKind::Uncertain)
            .count();
        assert!(asked >= 1, "nobody is asked: {doubtful:#?}");
        assert!(
            world.effects().values().all(|times| *times == 1),
            "{:?}",
            world.effects()
        );
        let again = rng.chance(300);
        let verdict = if again {
            Verdict::SendAgain
        } else {
            Verdict::HappenedAlready {
                note: String::new(),
            }
        };
        let done = process
            .live(None, Some(&verdict))
            .expect("the third process lives");
        assert_eq!(done.status, RunStatus::Done);
        let most = 1 + u32::from(again);
        assert!(
            world.effects().values().all(|times| *times <= most),
            "{:?}",
            world.effects()
        );
        assert_eq!(world.complaints(), Vec::<String>::new());
    });
}
