//! An engine in a temporary home against a model server in another process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bwana_engine::{Deps, Engine, Models, Options, RunView, StartRun};
use bwana_llm::{Endpoint, HttpProvider, OpenAiChat, Provider, Transport};
use bwana_store::Store;
use bwana_testkit::SeededIds;
use bwana_tools::{Egress, EgressSettings, Registry, Tool, ToolCtx, ToolError, ToolOutput};
use bwana_types::agent::AgentKind;
use bwana_types::definition::{
    AgentDef, ChatDef, Definition, ModelRef, Price, RunLimits, StepDef, Work, WorkflowRef,
};
use bwana_types::effect::{EffectClass, RiskClass};
use bwana_types::error::ApiError;
use bwana_types::hash::Hash;
use bwana_types::id::RunId;
use bwana_types::time::{Clock, Timestamp};
use bwana_types::tool::{ToolLimits, ToolSpec};
use bwana_types::workflow::{Select, Summary};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

/// The model server, ended with its parent.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    /// Starts the server beside this program.
    pub(crate) fn start(args: &[&str]) -> anyhow::Result<Self> {
        let program = beside("bwana-model-server")?;
        let mut child = Command::new(program)
            .args(args)
            .arg("--until-stdin-closes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start bwana-model-server")?;
        let mut port = String::new();
        let stdout = child.stdout.take().context("the server has no output")?;
        BufReader::new(stdout).read_line(&mut port)?;
        Ok(Self {
            url: format!("http://127.0.0.1:{}", port.trim()),
            child,
        })
    }

    /// Requests the server has answered or is answering.
    pub(crate) fn requests(&self) -> anyhow::Result<u64> {
        self.count("requests")
    }

    /// One of the server's counts.
    pub(crate) fn count(&self, of: &str) -> anyhow::Result<u64> {
        let counts: Value = serde_json::from_str(&get(&self.url, "/__count")?)?;
        counts[of]
            .as_u64()
            .with_context(|| format!("the server says no count of {of}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A GET as small as they come.
fn get(url: &str, path: &str) -> anyhow::Result<String> {
    use std::io::{Read, Write};
    let address = url.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())
        .context("no body")
}

pub(crate) fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let me = std::env::current_exe()?;
    let program = me.with_file_name(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    anyhow::ensure!(
        program.exists(),
        "{} is not there; build it first",
        program.display()
    );
    Ok(program)
}

struct One(Arc<dyn Provider>);

impl Models for One {
    fn provider(&self, _name: &str) -> Result<Arc<dyn Provider>, ApiError> {
        Ok(Arc::clone(&self.0))
    }
}

struct RealClock;

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "a bench is a host")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) store: Store,
}

impl World {
    pub(crate) fn open(home: &Path, url: &str) -> anyhow::Result<Self> {
        let store = Store::open_owner(home, Arc::new(RealClock))?;
        let endpoint = Endpoint::new(url, "v1").map_err(|error| anyhow::anyhow!("{error}"))?;
        let provider = HttpProvider::new(endpoint, Arc::new(OpenAiChat), Transport::new());
        let seed = u64::from(std::process::id());
        let engine = Engine::new(Deps {
            store: store.clone(),
            clock: Arc::new(RealClock),
            ids: Arc::new(SeededIds::new(seed)),
            tools: Registry::new([Arc::new(Look::default()) as Arc<dyn Tool>])?,
            egress: Egress::new(EgressSettings::default())?,
            models: Arc::new(One(Arc::new(provider))),
            redactor: bwana_types::redact::Redactor::new(),
            day_money: Arc::new(|| None),
            options: Options {
                artifacts: home.join("artifacts"),
                unattended: true,
                time_zone: String::from("UTC"),
            },
        });
        Ok(Self { engine, store })
    }

    pub(crate) async fn start(&self, definition: &Definition) -> anyhow::Result<RunId> {
        let start = StartRun {
            definition: definition.clone(),
            input: String::from("Open a bakery in Nakuru"),
            limits: RunLimits::default(),
            by: String::from("bench"),
        };
        Ok(self.engine.start(start).await?)
    }

    pub(crate) async fn run(&self, definition: &Definition) -> anyhow::Result<RunView> {
        let run = self.start(definition).await?;
        Ok(self.engine.settle(run).await?)
    }
}

/// A tool that does nothing, so that only its surroundings are measured.
struct Look {
    spec: ToolSpec,
}

impl Default for Look {
    fn default() -> Self {
        let spec = ToolSpec {
            name: "bench.look".into(),
            version: "1".into(),
            description: "Looks.".into(),
            input_schema: json!({"type": "object", "additionalProperties": false, "properties": {"n": {"type": "string"}}}),
            risk: RiskClass::ReadLocal,
            effect: EffectClass::Idempotent,
            limits: ToolLimits::default(),
        };
        Self { spec }
    }
}

impl Tool for Look {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn preview(&self, _args: &Value) -> String {
        String::from("Look")
    }

    fn call(&self, _ctx: ToolCtx, args: Value) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        Box::pin(async move { Ok(ToolOutput::text(format!("seen {args}"))) })
    }
}

pub(crate) fn chat(rounds: u32, tools: bool) -> Definition {
    let work = Work::Chat(ChatDef {
        agents: vec!["a".into(), "b".into(), "c".into()],
        select: Select::RoundRobin,
        allow_repeat: false,
        max_round: rounds,
        stop: None,
        summary: Summary::LastMessage,
    });
    definition(vec![step(0, work)], tools)
}

pub(crate) fn steps(count: usize, agents: &[&str]) -> Definition {
    let agents: Vec<String> = agents.iter().map(|agent| (*agent).to_owned()).collect();
    let work = |at| {
        step(
            at,
            Work::Speak {
                agents: agents.clone(),
            },
        )
    };
    definition((0..count).map(work).collect(), false)
}

fn step(at: usize, work: Work) -> StepDef {
    StepDef {
        id: format!("s{at}"),
        name: format!("Step {at}"),
        task: None,
        work,
        tools: None,
        reads: None,
        approve_plan: false,
        output: None,
        limits: RunLimits::default(),
    }
}

fn definition(steps: Vec<StepDef>, tools: bool) -> Definition {
    let agent = |id: &str| AgentDef {
        id: id.into(),
        name: format!("Agent {id}"),
        kind: AgentKind::Custom,
        description: String::new(),
        instructions: format!("You are agent {id} of a small company. Be brief."),
        capabilities: Vec::new(),
        tools: if tools {
            vec!["bench.look".into()]
        } else {
            Vec::new()
        },
        models: vec![model()],
        max_output_tokens: 512,
        temperature: None,
    };
    Definition {
        workflow: WorkflowRef {
            slug: "bench".into(),
            name: "Bench".into(),
            hash: Hash::of(b"bench"),
        },
        agents: ["a", "b", "c"].map(|id| (id.to_owned(), agent(id))).into(),
        tools: [("bench.look".to_owned(), Look::default().spec)].into(),
        limits: RunLimits::default(),
        steps,
        locale: "en".into(),
        dry_run: false,
    }
}

fn model() -> ModelRef {
    ModelRef {
        provider: "bench".into(),
        model: "bench-model".into(),
        context_tokens: 8_000_000,
        price: Price::FREE,
        constrained_tools: false,
        small: false,
    }
}
