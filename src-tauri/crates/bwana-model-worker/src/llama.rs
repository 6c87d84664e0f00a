//! llama.cpp behind the frames: one model at a time, loaded and then served until the next load or the end of input.
//! The only place that names `llama_cpp_2`, with its parts below.

mod embed;
mod generate;
mod sampling;
mod template;

use std::io::Read;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Instant;

use bwana_llm::local::frame::{Cpu, FromWorker, Load, Loaded, Purpose, Stats, ToWorker};
use bwana_types::model::ErrorKind;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{LlamaContextParams, LlamaPoolingType};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;

use crate::control::{Control, Requests};
use crate::kept::KEPT_PROMPTS_MAX;
use crate::{cpu, llama};
use generate::Writer;

/// Prompt tokens read between two looks at whether the call was cancelled. Larger is hardly quicker on a processor.
const PROMPT_CHUNK_TOKENS: u32 = 64;
/// The least context worth loading a model with, in tokens.
const CONTEXT_MIN_TOKENS: u32 = 256;
/// The first bytes of every model file.
const GGUF_MAGIC: &[u8; 4] = b"GGUF";

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// What comes after a model was served.
enum Next {
    Load(Load),
    /// No model is loaded; wait for a request.
    Idle,
    Ended,
}

pub(crate) fn run(control: &Control, requests: &Requests, cpu: &Cpu, debug: bool) {
    if let Some(words) = cpu::refusal(cpu) {
        for request in requests {
            control.fail(id_of(&request), ErrorKind::Refused, words.clone());
        }
        return;
    }
    let mut backend = match LlamaBackend::init() {
        Ok(backend) => backend,
        Err(error) => {
            return control.fail(
                None,
                ErrorKind::Server,
                format!("llama.cpp did not start: {error}"),
            );
        }
    };
    if !debug {
        backend.void_logs();
    }
    let mut next = Next::Idle;
    loop {
        next = match next {
            Next::Ended => return,
            Next::Idle => wait_for_load(control, requests),
            Next::Load(load) => {
                let threads = load.threads.unwrap_or_else(|| cpu::default_threads(cpu));
                load_and_serve(control, requests, &backend, &load, threads)
            }
        };
    }
}

fn wait_for_load(control: &Control, requests: &Requests) -> Next {
    match requests.recv() {
        Err(_) => Next::Ended,
        Ok(ToWorker::Load(load)) => Next::Load(load),
        Ok(other) => {
            control.fail(
                id_of(&other),
                ErrorKind::BadRequest,
                "no model is loaded yet",
            );
            Next::Idle
        }
    }
}

fn load_and_serve(
    control: &Control,
    requests: &Requests,
    backend: &LlamaBackend,
    load: &Load,
    threads: u32,
) -> Next {
    let started = Instant::now();
    let model = match open(backend, Path::new(&load.path)) {
        Ok(model) => model,
        Err(failure) => {
            control.fail(None, failure.kind, failure.message);
            return Next::Idle;
        }
    };
    let context_tokens = load.context_tokens.clamp(
        CONTEXT_MIN_TOKENS,
        model.n_ctx_train().max(CONTEXT_MIN_TOKENS),
    );
    let Ok(context) = model.new_context(
        backend,
        context_params(&model, load.purpose, context_tokens, threads),
    ) else {
        control.fail(
            None,
            ErrorKind::Server,
            format!(
                "a context of {context_tokens} tokens could not be made for {}; most likely there is not enough memory",
                load.path
            ),
        );
        return Next::Idle;
    };
    let mut session = Session::new(&model, context, load.purpose);
    control.send(&FromWorker::Loaded(Loaded {
        context_tokens: session.context_tokens(),
        trained_context_tokens: model.n_ctx_train(),
        parameters: model.n_params(),
        threads,
        load_ms: millis(started),
        own_template: session.writer.has_own_template(),
        dimensions: match load.purpose {
            Purpose::Embed => u32::try_from(model.n_embd_out()).unwrap_or(0),
            Purpose::Generate => 0,
        },
    }));
    session.serve(control, requests)
}

/// Opens a model file, with words for what people get wrong.
fn open(backend: &LlamaBackend, path: &Path) -> Result<LlamaModel, Failure> {
    let mut magic = [0; GGUF_MAGIC.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
        Err(error) => {
            return Err(Failure::new(
                ErrorKind::NotFound,
                format!("the model file {} cannot be read: {error}", path.display()),
            ));
        }
        Ok(()) => {}
    }
    if magic != *GGUF_MAGIC {
        return Err(Failure::new(
            ErrorKind::BadRequest,
            format!("{} is not a GGUF model file", path.display()),
        ));
    }
    LlamaModel::load_from_file(backend, path, &LlamaModelParams::default()).map_err(|_| {
        Failure::new(
            ErrorKind::BadRequest,
            format!(
                "{} is damaged or of a kind this version does not know; fetch it again or choose another model",
                path.display()
            ),
        )
    })
}

fn context_params(
    model: &LlamaModel,
    purpose: Purpose,
    context_tokens: u32,
    threads: u32,
) -> LlamaContextParams {
    let threads = i32::try_from(threads).unwrap_or(1).max(1);
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(context_tokens))
        .with_n_threads(threads)
        .with_n_threads_batch(threads);
    match purpose {
        Purpose::Generate => params
            .with_n_batch(PROMPT_CHUNK_TOKENS)
            .with_n_ubatch(PROMPT_CHUNK_TOKENS)
            // One pool of tokens for all kept prompts, instead of an equal share for each.
            .with_n_seq_max(u32::try_from(KEPT_PROMPTS_MAX).unwrap_or(1))
            .with_kv_unified(true),
        Purpose::Embed => params
            // Models that look both ways need a whole text in one go.
            .with_n_batch(context_tokens)
            .with_n_ubatch(context_tokens)
            .with_embeddings(true)
            .with_pooling_type(if embed::has_own_pooling(model) {
                LlamaPoolingType::Unspecified
            } else {
                LlamaPoolingType::Mean
            }),
    }
}

/// A loaded model and what it has done so far.
pub(crate) struct Session<'m> {
    model: &'m LlamaModel,
    context: LlamaContext<'m>,
    purpose: Purpose,
    writer: Writer<'m>,
    stats: Stats,
}

impl<'m> Session<'m> {
    fn new(model: &'m LlamaModel, context: LlamaContext<'m>, purpose: Purpose) -> Self {
        Self {
            model,
            context,
            purpose,
            writer: Writer::new(model, PROMPT_CHUNK_TOKENS as usize),
            stats: Stats::default(),
        }
    }

    fn context_tokens(&self) -> u32 {
        self.context.n_ctx()
    }

    fn serve(&mut self, control: &Control, requests: &Requests) -> Next {
        loop {
            let Ok(request) = requests.recv() else {
                return Next::Ended;
            };
            if control.ended() {
                return Next::Ended;
            }
            let id = id_of(&request);
            let done = match request {
                ToWorker::Load(load) => return Next::Load(load),
                ToWorker::Generate(call) => self.generate(control, &call),
                ToWorker::Embed { id, texts } => self.embed(control, id, &texts),
                ToWorker::Stats { id } => {
                    let mut stats = self.stats;
                    stats.kept_prompts = self.writer.kept_prompts();
                    control.send(&FromWorker::Stats { id, stats });
                    Ok(())
                }
                // Answered by the reading thread.
                ToWorker::Hello { .. } | ToWorker::Cancel { .. } | ToWorker::Unknown => Ok(()),
            };
            if let Err(failure) = done {
                control.fail(id, failure.kind, failure.message);
            }
            if let Some(id) = id {
                control.finished(id);
            }
        }
    }

    fn generate(
        &mut self,
        control: &Control,
        call: &bwana_llm::local::frame::Generate,
    ) -> Result<(), Failure> {
        if self.purpose != Purpose::Generate {
            return Err(wrong_purpose("write text"));
        }
        let report = self.writer.write(&mut self.context, control, call)?;
        self.stats.calls += 1;
        self.stats.input_tokens += report.usage.input_tokens;
        self.stats.reused_tokens += report.usage.cached_tokens;
        self.stats.output_tokens += report.usage.output_tokens;
        control.send(&FromWorker::Done {
            id: call.id,
            finish: report.finish,
            usage: report.usage,
            timings: report.timings,
        });
        Ok(())
    }

    fn embed(&mut self, control: &Control, id: u64, texts: &[String]) -> Result<(), Failure> {
        if self.purpose != Purpose::Embed {
            return Err(wrong_purpose("embed"));
        }
        let (vectors, input_tokens) =
            llama::embed::embed(self.model, &mut self.context, texts, || {
                control.should_stop(id)
            })?;
        self.stats.calls += 1;
        self.stats.input_tokens += input_tokens;
        control.send(&FromWorker::Embedded {
            id,
            vectors,
            input_tokens,
        });
        Ok(())
    }
}

fn wrong_purpose(what: &str) -> Failure {
    Failure::new(
        ErrorKind::BadRequest,
        format!("the model was not loaded to {what}"),
    )
}

fn id_of(request: &ToWorker) -> Option<u64> {
    match request {
        ToWorker::Generate(call) => Some(call.id),
        ToWorker::Embed { id, .. } | ToWorker::Stats { id } | ToWorker::Cancel { id } => Some(*id),
        ToWorker::Hello { .. } | ToWorker::Load(_) | ToWorker::Unknown => None,
    }
}

/// Milliseconds since `started`.
fn millis(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
