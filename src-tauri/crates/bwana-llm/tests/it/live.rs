//! The real providers, for who has a key and means it: `BWANA_LIVE=anthropic,groq` (presets, or `all`) with each one's
//! usual key variable. Text, a tool call, an answer held to a schema and, where a model is named for them, vectors.
//! `BWANA_LIVE_MODEL_<PRESET>` names the model (else the preset's cheapest known, else the first it lists),
//! `BWANA_LIVE_EMBED_<PRESET>` the one for vectors. With `BWANA_LIVE_RECORD=FOLDER` what was sent is kept there as wire
//! cases, without keys. The same code runs against the local server here, so that it is known to work without a key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bwana_llm::presets::{self, Preset};
use bwana_llm::{Dialect, Endpoint, HttpProvider, OpenAiChat, Provider, Transport};
use bwana_types::message::{Message, Part, Role, Stop, text_of};
use bwana_types::model::{OutputSchema, Request, ToolChoice, ToolDecl};
use bwana_types::secret::Secret;
use serde_json::{Value, json};

use crate::llama_server;
use crate::record::{Recorder, replay};
use crate::server::{Reply, Server};
use crate::show::{self, complete};

/// Where each hosted preset's key usually is.
const KEYS: &[(&str, &str)] = &[
    ("openai", "OPENAI_API_KEY"),
    ("openai-responses", "OPENAI_API_KEY"),
    ("anthropic", "ANTHROPIC_API_KEY"),
    ("google", "GEMINI_API_KEY"),
    ("groq", "GROQ_API_KEY"),
    ("openrouter", "OPENROUTER_API_KEY"),
    ("deepseek", "DEEPSEEK_API_KEY"),
    ("mistral", "MISTRAL_API_KEY"),
    ("xai", "XAI_API_KEY"),
    ("together", "TOGETHER_API_KEY"),
    ("fireworks", "FIREWORKS_API_KEY"),
];
/// Enough for a model that thinks a little first; the most one live call may cost is this times its price.
const OUTPUT_MAX_TOKENS: u32 = 1_024;

/// One provider to be tried.
struct Live {
    name: String,
    provider: HttpProvider,
    dialect: Arc<dyn Dialect>,
    model: String,
    embed_model: Option<String>,
    key: Option<String>,
    recorder: Recorder,
    /// Whether its models are good enough to be held to what they should say.
    is_able: bool,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .filter(|text| !text.trim().is_empty())
}

impl Live {
    async fn of(preset: &Preset) -> Result<Self, String> {
        let id = preset.id;
        let (_, key) = KEYS
            .iter()
            .find(|(known, _)| *known == id)
            .ok_or_else(|| format!("{id} is no hosted preset with a known key variable"))?;
        let key = variable(key).ok_or_else(|| format!("{id}: set {key}"))?;
        let dialect = presets::dialect(preset.dialect).ok_or("a dialect nobody speaks")?;
        let endpoint =
            Endpoint::new(preset.base_url, dialect.version()).map_err(|e| e.to_string())?;
        let recorder = Recorder::default();
        let transport = Transport::new().with_tap(recorder.tap());
        let provider = HttpProvider::new(endpoint, Arc::clone(&dialect), transport)
            .with_quirks(preset.quirks.clone())
            .with_secret(Some(Secret::new(key.clone())));
        let suffix = id.to_uppercase().replace('-', "_");
        let cheapest = preset.prices.iter().min_by_key(|line| line.output_per_mtok);
        let model = match variable(&format!("BWANA_LIVE_MODEL_{suffix}"))
            .or_else(|| cheapest.map(|line| line.model.to_owned()))
        {
            Some(model) => model,
            None => {
                let models = provider.models().await.map_err(|error| error.to_string())?;
                models.into_iter().next().ok_or("lists no models")?.id
            }
        };
        Ok(Self {
            name: id.to_owned(),
            provider,
            dialect,
            model,
            embed_model: variable(&format!("BWANA_LIVE_EMBED_{suffix}")),
            key: Some(key),
            recorder,
            is_able: true,
        })
    }

    fn ask(&self, text: &str) -> Request {
        let mut request = Request::new(&*self.model, vec![Message::text(Role::User, text)]);
        request.max_output_tokens = OUTPUT_MAX_TOKENS;
        request
    }

    async fn run(&self, record: Option<&Path>) {
        eprintln!("LIVE {} with {}", self.name, self.model);
        self.text().await;
        self.tool().await;
        self.schema().await;
        match &self.embed_model {
            Some(model) => self.vectors(model).await,
            None => eprintln!(
                "SKIPPED: vectors of {}; no model is named for them",
                self.name
            ),
        }
        if let Some(folder) = record {
            let file = self
                .recorder
                .write(folder, &self.name, self.dialect.as_ref());
            eprintln!("recorded {}", file.display());
        }
    }

    /// Runs one request and keeps what came.
    async fn call(&self, name: &str, request: &Request) -> show::Answer {
        let answer = complete(&self.provider, request).await;
        self.recorder.keep(
            &format!("{}: {name}", self.name),
            self.dialect.as_ref(),
            self.key.as_deref(),
        );
        eprintln!("{name}: {}", show::result(&answer.0));
        show::assert_deltas_add_up(&answer);
        answer
    }

    async fn text(&self) {
        let request = self.ask("Reply with the one word: ready");
        let outcome = self.call("text", &request).await.0.unwrap();
        assert!(!text_of(&outcome.parts).is_empty());
        let usage = outcome.usage.expect("it counts its tokens");
        assert!(usage.input_tokens > 0 && usage.output_tokens > 0);
    }

    async fn tool(&self) {
        let mut request = self.ask("Write the word hello to the file greeting.txt.");
        request.tools = vec![ToolDecl {
            name: String::from("file.write"),
            description: String::from("Writes a text to a file."),
            parameters: json!({"type": "object", "properties": {"path": {"type": "string"},
                "text": {"type": "string"}}, "required": ["path", "text"], "additionalProperties": false}),
        }];
        request.tool_choice = ToolChoice::Auto;
        let mut outcome = self.call("tool call", &request).await.0.unwrap();
        let calls = outcome.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.clone()),
            _ => None,
        });
        let calls: Vec<_> = calls.collect();
        if calls.is_empty() && !self.is_able {
            return;
        }
        assert_eq!(outcome.stop, Some(Stop::ToolCalls), "{:?}", outcome.parts);
        for call in &calls {
            assert_eq!(&*call.name, "file.write");
            serde_json::from_str::<Value>(&call.args).expect("arguments are JSON");
        }
        let results = calls.into_iter().map(|call| Part::ToolResult {
            id: call.id,
            name: call.name,
            content: "written".into(),
            is_error: false,
        });
        let results = Message::new(Role::Tool, results.collect());
        let said = Message::new(Role::Assistant, std::mem::take(&mut outcome.parts));
        request.messages.extend([said, results]);
        self.call("after the tool's result", &request)
            .await
            .0
            .unwrap();
    }

    async fn schema(&self) {
        let mut request = self.ask("Is Nairobi the capital of Kenya?");
        request.schema = Some(OutputSchema {
            name: String::from("answer"),
            schema: json!({"type": "object", "properties": {"answer": {"enum": ["yes", "no"]}},
                "required": ["answer"], "additionalProperties": false}),
        });
        let outcome = self.call("schema", &request).await.0.unwrap();
        let value: Value = serde_json::from_str(&text_of(&outcome.parts)).expect("JSON");
        let said = value["answer"].as_str().unwrap_or_default();
        assert!(said == "yes" || !self.is_able && said == "no", "{value}");
    }

    async fn vectors(&self, model: &str) {
        let texts = ["the cat sat", "profit and loss"].map(String::from);
        let embedded = self.provider.embed(model, &texts).await.unwrap();
        assert_eq!(embedded.vectors.len(), 2);
        assert!(embedded.vectors[0] != embedded.vectors[1]);
    }
}

#[tokio::test]
async fn each_provider_a_person_has_a_key_for_does_what_its_preset_says() {
    let Some(wanted) = variable("BWANA_LIVE") else {
        eprintln!(
            "SKIPPED: no live provider. Set BWANA_LIVE to presets, and their keys, to run this."
        );
        return;
    };
    let record = variable("BWANA_LIVE_RECORD").map(PathBuf::from);
    let mut tried = 0;
    for (id, key) in KEYS {
        let named = wanted.split(',').any(|name| name.trim() == *id);
        if !(named || wanted == "all" && variable(key).is_some()) {
            continue;
        }
        let preset = presets::by_id(id).expect("a preset of this name");
        let live = Live::of(preset).await.unwrap_or_else(|why| panic!("{why}"));
        live.run(record.as_deref()).await;
        tried += 1;
    }
    assert!(
        tried > 0,
        "BWANA_LIVE={wanted} names no hosted preset with a key"
    );
}

#[test]
fn every_hosted_preset_has_a_key_variable() {
    let hosted = presets::all()
        .iter()
        .filter(|preset| preset.key.needed && !preset.domain.is_empty());
    for preset in hosted {
        assert!(
            KEYS.iter().any(|(id, _)| *id == preset.id),
            "{} cannot be run live",
            preset.id
        );
    }
}

/// The same run, recorder included, against the server that is here.
#[tokio::test]
async fn a_live_run_records_what_can_be_run_again() {
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tools.jinja");
    let options = ["--jinja", "--chat-template-file", template];
    let Some(llama) = llama_server::start(&options).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let transport = Transport::new().with_tap(recorder.tap());
    let endpoint = Endpoint::new(&llama.url, "v1").unwrap();
    let live = Live {
        name: String::from("llama-server"),
        provider: HttpProvider::new(endpoint, Arc::new(OpenAiChat), transport)
            .with_secret(Some(Secret::new(String::from(CANARY)))),
        dialect: Arc::new(OpenAiChat),
        model: String::from("any"),
        embed_model: None,
        key: Some(String::from(CANARY)),
        recorder,
        is_able: false,
    };
    live.run(Some(folder.path())).await;
    let text = std::fs::read_to_string(folder.path().join("llama-server.txt")).unwrap();
    assert!(text.starts_with("=== llama-server: text\n") && text.contains("\ndata: {"));
    assert!(!text.contains(CANARY));
    llama.stop().await;
}

/// A key that may be nowhere but in a request's header.
const CANARY: &str = "canary-4f1d9c77b0a2";

/// Some servers repeat what they were given, in headers, in errors and in streams.
#[tokio::test]
async fn a_key_a_server_repeats_is_in_no_recorded_case() {
    let body = format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"You are {CANARY}, sk-proj-0123456789abcdef\"}},\
         \"finish_reason\":\"stop\"}}]}}\n\ndata: [DONE]\n\n"
    );
    let refused = format!("{{\"error\":{{\"message\":\"Incorrect API key provided: {CANARY}\"}}}}");
    let headers =
        format!("content-type: text/event-stream\nx-echo: {CANARY}\nretry-after: 1; {CANARY}");
    for (status, body) in [(200, body), (401, refused)] {
        let server = Server::one(Reply::status(status, &headers, body)).await;
        let recorder = Recorder::default();
        let endpoint = Endpoint::new(&server.url, "v1").unwrap();
        let transport = Transport::new().with_tap(recorder.tap());
        let provider = HttpProvider::new(endpoint, Arc::new(OpenAiChat), transport)
            .with_secret(Some(Secret::new(String::from(CANARY))));
        let _ = complete(&provider, &show::hello()).await;
        let sent = server.seen()[0].header("authorization").map(str::to_owned);
        assert_eq!(sent.as_deref(), Some(format!("Bearer {CANARY}").as_str()));
        recorder.keep("an echo", &OpenAiChat, Some(CANARY));
        let folder = tempfile::tempdir().unwrap();
        let file = recorder.write(folder.path(), "echo", &OpenAiChat);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            !text.contains("canary") && !text.contains("sk-proj"),
            "{text}"
        );
        assert!(text.contains("[key]"), "{text}");
        replay(&file, &OpenAiChat, 1);
    }
}
