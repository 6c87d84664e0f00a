//! What the tests share: a clock to set, entries to write, and a store in a folder of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bwana_store::{Append, NewRun, RunRow, Store};
use bwana_types::effect::EffectClass;
use bwana_types::entry::{
    Body, Call, CallFinished, CallIntended, CallResult, Draft, Entry, MessagePosted, ModelCall,
    ModelResult, Purpose, Reserve, RunCreated, Seq, Speaker, TaskDecided, TaskOpened, Window,
};
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use bwana_types::message::{Part, Stop, Usage};
use bwana_types::money::MicroUsd;
use bwana_types::task::{Ask, DecidedBy, Verdict};
use bwana_types::time::{Clock, Timestamp};

/// The present, when nobody sets it.
pub(crate) const NOW: Timestamp = Timestamp(1_764_072_000_000);

#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(NOW.0)))
    }

    pub(crate) fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap()
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

/// Waits for something another thread does.
#[track_caller]
pub(crate) fn wait_until(mut holds: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < std::time::Duration::from_secs(120),
            "it never happens"
        );
        std::thread::yield_now();
    }
}

pub(crate) fn run_id(n: u64) -> RunId {
    RunId::derived(NOW, &[b"test", &n.to_le_bytes()])
}

pub(crate) fn created(input: &str) -> Body {
    RunCreated {
        workflow: "business_setup".into(),
        workflow_hash: Hash::of(b"workflow"),
        definition: Hash::of(DEFINITION),
        input: input.into(),
        limits: bwana_types::definition::RunLimits::default(),
        by: "local_cli".into(),
    }
    .into()
}

pub(crate) const DEFINITION: &[u8] = br#"{"workflow":"business_setup"}"#;

pub(crate) fn new_run(id: RunId, input: &str) -> NewRun {
    NewRun {
        id,
        definition: DEFINITION.to_vec(),
        workflow: "business_setup".into(),
        entries: vec![Draft::new("", created(input)).at(1, NOW)],
        row: RunRow::started(5),
    }
}

pub(crate) fn message(text: &str) -> Body {
    MessagePosted {
        from: Speaker::Agent("business_intelligence".into()),
        call: None,
        text: Some(text.into()),
        said: None,
    }
    .into()
}

pub(crate) fn intended(micro_usd: i64) -> Body {
    CallIntended {
        call: Call::Model(ModelCall {
            agent: "business_intelligence".into(),
            purpose: Purpose::Turn,
            provider: "openai".into(),
            model: "gpt-test".into(),
            max_output_tokens: 2_048,
            window: Window::default(),
        }),
        effect: EffectClass::Paid,
        reserve: Reserve {
            micro_usd: MicroUsd(micro_usd),
            tokens: 2_500,
            price_unknown: false,
        },
        input: Hash::of(b"prompt"),
        key: None,
    }
    .into()
}

pub(crate) fn finished(call: Seq, micro_usd: Option<i64>) -> Body {
    CallFinished {
        call,
        result: CallResult::Model(ModelResult {
            parts: vec![Part::text("An answer.")],
            stop: Stop::Done,
            usage: Usage {
                input_tokens: 412,
                output_tokens: 96,
                ..Usage::default()
            },
            cost: micro_usd.map(MicroUsd),
            response_id: None,
        }),
    }
    .into()
}

pub(crate) fn opened(question: &str) -> Body {
    TaskOpened {
        ask: Ask::Answer {
            agent: "business_intelligence".into(),
            question: question.into(),
            choices: Vec::new(),
        },
        call: None,
        tool_call: None,
    }
    .into()
}

pub(crate) fn answer(task: Seq, text: &str) -> Body {
    TaskDecided {
        task,
        verdict: Verdict::Answer { text: text.into() },
        by: DecidedBy::LocalCli,
        grant: None,
        edit: None,
    }
    .into()
}

pub(crate) fn decided(task: Seq) -> Body {
    answer(task, "yes")
}

/// Entries numbered behind `seq`, all at [`NOW`].
pub(crate) fn behind(seq: Seq, bodies: impl IntoIterator<Item = Body>) -> Vec<Entry> {
    (seq + 1..)
        .zip(bodies)
        .map(|(seq, body)| Draft::new("plan/r1", body).at(seq, NOW))
        .collect()
}

pub(crate) fn append(run: RunId, seq: Seq, bodies: impl IntoIterator<Item = Body>) -> Append {
    Append {
        run,
        expected_seq: seq,
        entries: behind(seq, bodies),
        row: None,
        day: None,
    }
}

/// Numbers that look random and are a function of the seed: splitmix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound as u64)).unwrap()
    }
}

/// A folder for a store that goes with it.
pub(crate) struct Home {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<TestClock>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: TestClock::new(),
        }
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn owner(&self) -> Store {
        Store::open_owner(self.path(), self.clock.clone()).unwrap()
    }

    pub(crate) fn inline(&self) -> Store {
        Store::open_inline(self.path(), self.clock.clone()).unwrap()
    }

    pub(crate) fn reader(&self) -> Store {
        Store::open_reader(self.path(), self.clock.clone()).unwrap()
    }
}
