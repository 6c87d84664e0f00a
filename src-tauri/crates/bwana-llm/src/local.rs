//! The built-in local model, seen from the host: a child process per model file, spoken to in frames.
//!
//! [`LocalProvider`] is the [`Provider`] the engine calls. It starts a worker at the first call, keeps it for the next
//! ones, gives it one call at a time in the order they came, replaces it after a crash, and lets it go when it was
//! idle for a while. llama.cpp itself lives in the program `bwana-model-worker`; nothing here links it.
//!
//! A call goes `prompt` (messages, protocol of tools, grammar) -> `worker` (process, frames) -> `answer` (deltas and
//! outcome). The models and how they are fetched: [`catalogue`], [`fetch`], [`files`].

mod answer;
pub mod catalogue;
pub mod fetch;
pub mod files;
pub mod frame;
pub mod gguf;
pub mod grammar;
pub mod machine;
mod prompt;
pub mod speed;
mod worker;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bwana_types::message::{Message, Role, Usage, text_of};
use bwana_types::model::{
    Delta, Embedded, ErrorKind, LlmError, ModelInfo, Outcome, Probe, Request,
};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use self::answer::{Answer, Form};
use self::catalogue::Catalogue;
use self::fetch::Use;
use self::frame::{FromWorker, Generate, Load, Purpose, Timings, ToWorker};
use self::prompt::Prompt;
pub use self::prompt::check_tool;
pub use self::worker::leave_secrets_behind;
use self::worker::{Heard, Trouble, Worker};
use crate::provider::{Fut, Provider, Sink};

/// How long a worker without work keeps its memory.
pub const IDLE_UNLOAD: Duration = Duration::from_secs(10 * 60);
/// Models held in memory at once; one more sends the longest idle one away.
pub const WORKERS_MAX: usize = 2;
/// Context of a model the catalogue does not know, in tokens.
pub const CONTEXT_DEFAULT_TOKENS: u32 = 8_192;
/// How freely a model writes when the request does not say.
pub const TEMPERATURE_DEFAULT: f32 = 0.7;
/// The same for answers held to a grammar, where there is less to be free about.
pub const TEMPERATURE_CONSTRAINED: f32 = 0.3;
/// Texts sent to the worker in one frame.
const EMBED_BATCH_TEXTS: usize = 64;
/// Output of the connection test, in tokens.
const PROBE_MAX_OUTPUT_TOKENS: u32 = 16;
/// What the measurement reads, so many times over: about 350 tokens.
const MEASURE_PROMPT: &str =
    "The market opens at six. Traders carry maize, beans and tomatoes to the stalls. ";
const MEASURE_REPEATS: usize = 20;
/// What it writes at most, in tokens.
const MEASURE_MAX_OUTPUT_TOKENS: u32 = 64;
/// How often idle workers are looked at: this many times in the time they may be idle.
const IDLE_LOOKS: u32 = 4;
/// The program with llama.cpp in it.
const WORKER_PROGRAM: &str = "bwana-model-worker";

/// Where things are and how long they may stay.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// The folder of model files.
    pub models: PathBuf,
    /// If set, the one model there is, whatever name is asked for (`BWANA_MODEL_PATH`).
    pub only_file: Option<PathBuf>,
    /// The worker program (`BWANA_WORKER`); none = beside the current executable.
    pub worker: Option<PathBuf>,
    /// Threads to compute with; none = one less than there are cores.
    pub threads: Option<u32>,
    /// Context to allocate; none = what the catalogue says.
    pub context_tokens: Option<u32>,
    pub idle_unload: Duration,
    pub catalogue: Catalogue,
    /// Memory that can be had now.
    pub free_memory: FreeMemory,
}

impl LocalOptions {
    pub fn new(models: impl Into<PathBuf>) -> Self {
        Self {
            models: models.into(),
            only_file: None,
            worker: None,
            threads: None,
            context_tokens: None,
            idle_unload: IDLE_UNLOAD,
            catalogue: Catalogue::built_in().clone(),
            free_memory: machine::available_memory_bytes,
        }
    }

    /// As [`LocalOptions::new`], with what the environment overrides.
    pub fn from_env(models: impl Into<PathBuf>) -> Self {
        let path = |name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        Self {
            only_file: path("BWANA_MODEL_PATH"),
            worker: path("BWANA_WORKER"),
            ..Self::new(models)
        }
    }
}

/// What a measurement showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    pub speed: speed::Speed,
    pub usage: Usage,
    /// With loading the model, if it was not in memory.
    pub elapsed: Duration,
}

/// Serves the model files of this machine. Cheap to clone; the last clone takes the workers with it.
#[derive(Debug, Clone)]
pub struct LocalProvider {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: LocalOptions,
    /// Makes the seeds of equal requests differ, so that trying again can help.
    calls: AtomicU64,
    places: Mutex<HashMap<Key, Arc<Place>>>,
    reaper: Mutex<Option<JoinHandle<()>>>,
    /// Held while the file of speeds is written.
    speeds: Mutex<()>,
}

type Key = (PathBuf, Purpose);

/// One model file for one purpose. Its lock is the queue: calls get it in the order they asked.
#[derive(Debug, Default)]
struct Place {
    worker: tokio::sync::Mutex<Option<Worker>>,
}

/// One worker more than fits in memory sends an idle one away first. Reads what is free, in bytes.
pub type FreeMemory = fn() -> Option<u64>;

impl LocalProvider {
    /// Nothing is started before the first call.
    pub fn new(options: LocalOptions) -> Self {
        Self {
            inner: Arc::new(Inner {
                options,
                calls: AtomicU64::new(0),
                places: Mutex::default(),
                reaper: Mutex::default(),
                speeds: Mutex::default(),
            }),
        }
    }

    /// The model files that can be asked for, by name.
    pub fn installed(&self) -> Vec<files::Installed> {
        let options = &self.inner.options;
        match &options.only_file {
            Some(file) => files::describe(file, &options.catalogue)
                .into_iter()
                .collect(),
            None => files::installed(&options.models, &options.catalogue),
        }
    }

    /// Whether both share their workers.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Ends every worker, after the call it is busy with, and waits for it.
    pub async fn unload(&self) {
        let places: Vec<Arc<Place>> = {
            let mut places = lock(&self.inner.places);
            places.drain().map(|(_, place)| place).collect()
        };
        for place in places {
            if let Some(worker) = place.worker.lock().await.take() {
                worker.stop().await;
            }
        }
    }

    async fn complete(&self, request: &Request, sink: Sink<'_>) -> Result<Outcome, LlmError> {
        let (outcome, _) = self.complete_timed(request, sink).await?;
        Ok(outcome)
    }

    /// Measures how fast a model reads and writes here, with a fixed prompt. The figure also counts in [`speed::read`].
    ///
    /// # Errors
    /// As a call's.
    pub async fn measure(&self, model: &str) -> Result<Measured, LlmError> {
        let begun = Instant::now();
        let mut request = Request::new(
            model.to_owned(),
            vec![Message::text(
                Role::User,
                MEASURE_PROMPT.repeat(MEASURE_REPEATS),
            )],
        );
        request.max_output_tokens = MEASURE_MAX_OUTPUT_TOKENS;
        let (outcome, sample) = self.complete_timed(&request, &mut |_| {}).await?;
        Ok(Measured {
            speed: sample.speed(),
            usage: outcome.usage.unwrap_or_default(),
            elapsed: begun.elapsed(),
        })
    }

    async fn complete_timed(
        &self,
        request: &Request,
        sink: Sink<'_>,
    ) -> Result<(Outcome, speed::Sample), LlmError> {
        let (file, load) = self.inner.find(&request.model, Purpose::Generate)?;
        let prompt = prompt::prepare(request)?;
        let salt = self.inner.calls.fetch_add(1, Ordering::Relaxed);
        let place = self.inner.place(&file, Purpose::Generate);
        let mut slot = place.worker.lock().await;
        self.inner.ensure(&mut slot, &load).await?;
        let Some(worker) = slot.as_mut() else {
            return Err(LlmError::new(ErrorKind::Server, "the model worker is gone"));
        };
        let result = run(worker, request, prompt, salt, sink).await;
        match result {
            Ok((outcome, sample)) => {
                self.inner.measured(&file, sample);
                Ok((outcome, sample))
            }
            Err(trouble) => {
                if trouble.worker_lost {
                    *slot = None;
                }
                Err(trouble.error)
            }
        }
    }

    async fn embed(&self, model: &str, texts: &[String]) -> Result<Embedded, LlmError> {
        let (file, load) = self.inner.find(model, Purpose::Embed)?;
        let place = self.inner.place(&file, Purpose::Embed);
        let mut slot = place.worker.lock().await;
        self.inner.ensure(&mut slot, &load).await?;
        let mut vectors = Vec::with_capacity(texts.len());
        let mut usage = Usage::default();
        for batch in texts.chunks(EMBED_BATCH_TEXTS) {
            let Some(worker) = slot.as_mut() else { break };
            match embed_batch(worker, batch).await {
                Ok((more, input_tokens)) => {
                    vectors.extend(more);
                    usage.input_tokens += input_tokens;
                }
                Err(trouble) => {
                    if trouble.worker_lost {
                        *slot = None;
                    }
                    return Err(trouble.error);
                }
            }
        }
        if vectors.len() != texts.len() {
            return Err(LlmError::new(
                ErrorKind::Malformed,
                format!("{} vectors came for {} texts", vectors.len(), texts.len()),
            ));
        }
        Ok(Embedded {
            vectors,
            usage: Some(usage),
        })
    }

    async fn probe(&self, model: Option<&str>) -> Probe {
        let first = self.installed().into_iter().next().map(|file| file.name);
        let Some(model) = model.map(str::to_owned).or(first) else {
            return Probe::Rejected {
                kind: ErrorKind::NotFound,
                words: not_installed("any model"),
                asked: self.inner.options.models.display().to_string(),
            };
        };
        let mut request =
            Request::new(model.clone(), vec![Message::text(Role::User, "Say hello.")]);
        request.max_output_tokens = PROBE_MAX_OUTPUT_TOKENS;
        let asked = self
            .inner
            .find(&model, Purpose::Generate)
            .map_or_else(|_| model.clone(), |(file, _)| file.display().to_string());
        let started = Instant::now();
        match self.complete(&request, &mut |_| {}).await {
            Ok(outcome) => Probe::Works {
                model,
                said: text_of(&outcome.parts).to_string(),
                latency_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                asked,
            },
            Err(error) if error.kind == ErrorKind::Unreachable => Probe::Unreachable {
                cause: error.message,
                asked,
            },
            Err(error) => Probe::Rejected {
                kind: error.kind,
                words: error.message,
                asked,
            },
        }
    }
}

impl Provider for LocalProvider {
    fn complete<'a>(
        &'a self,
        request: &'a Request,
        sink: Sink<'a>,
    ) -> Fut<'a, Result<Outcome, LlmError>> {
        Box::pin(LocalProvider::complete(self, request, sink))
    }

    fn embed<'a>(
        &'a self,
        model: &'a str,
        texts: &'a [String],
    ) -> Fut<'a, Result<Embedded, LlmError>> {
        Box::pin(LocalProvider::embed(self, model, texts))
    }

    fn models(&self) -> Fut<'_, Result<Vec<ModelInfo>, LlmError>> {
        let models = self
            .installed()
            .into_iter()
            .map(|file| ModelInfo {
                context_tokens: Some(self.inner.context_of(&file.name)),
                id: file.name,
            })
            .collect();
        Box::pin(std::future::ready(Ok(models)))
    }

    fn probe<'a>(&'a self, model: Option<&'a str>) -> Fut<'a, Probe> {
        Box::pin(LocalProvider::probe(self, model))
    }
}

impl Inner {
    /// The file a model name means, and how to load it.
    fn find(&self, model: &str, purpose: Purpose) -> Result<(PathBuf, Load), LlmError> {
        let missing = || LlmError::new(ErrorKind::NotFound, not_installed(model));
        let options = &self.options;
        let file = match &options.only_file {
            Some(file) => file.clone(),
            None => {
                files::path_of(&options.models, model, &options.catalogue).ok_or_else(missing)?
            }
        };
        if !file.is_file() {
            return Err(missing());
        }
        let load = Load {
            path: file.to_string_lossy().into_owned(),
            context_tokens: self.context_of(model),
            threads: options.threads,
            purpose,
        };
        Ok((file, load))
    }

    fn context_of(&self, model: &str) -> u32 {
        let known = self.options.catalogue.get(model);
        self.options
            .context_tokens
            .or(known.map(|entry| entry.context_tokens))
            .unwrap_or(CONTEXT_DEFAULT_TOKENS)
    }

    /// Keeps how fast a call was.
    fn measured(&self, file: &Path, sample: speed::Sample) {
        if let Some(model) = files::describe(file, &self.options.catalogue) {
            let _one_writer = lock(&self.speeds);
            speed::record(&self.options.models, &model.name, sample);
        }
    }

    fn place(&self, file: &Path, purpose: Purpose) -> Arc<Place> {
        let mut places = lock(&self.places);
        Arc::clone(places.entry((file.to_owned(), purpose)).or_default())
    }

    /// Starts a worker in `slot` if there is none.
    async fn ensure(
        self: &Arc<Self>,
        slot: &mut Option<Worker>,
        load: &Load,
    ) -> Result<(), LlmError> {
        if slot.is_some() {
            return Ok(());
        }
        self.make_room(load).await;
        let program = match &self.options.worker {
            Some(program) => program.clone(),
            None => beside_this_program()?,
        };
        let mut worker = Worker::start(&program, load).await?;
        if self.options.only_file.is_none() {
            worker.hold(Use::hold(Path::new(&load.path)));
        }
        tracing::debug!(model = %load.path, loaded = ?worker.loaded(), "local model ready");
        *slot = Some(worker);
        self.watch_idle();
        Ok(())
    }

    /// Sends idle workers away, longest idle first, if there are too many or memory is too short for one more.
    async fn make_room(&self, load: &Load) {
        let places: Vec<Arc<Place>> = lock(&self.places).values().cloned().collect();
        let mut idle = Vec::new();
        let mut busy = 0;
        for place in &places {
            match place.worker.try_lock() {
                Ok(slot) if slot.is_some() => idle.push(slot),
                Ok(_) => {}
                // Busy ones stay; the place we are about to fill is one of them.
                Err(_) => busy += 1,
            }
        }
        idle.sort_by_key(|slot| slot.as_ref().map(|worker| worker.last_used));
        let excess = (busy + idle.len()).saturating_sub(WORKERS_MAX);
        let bytes = std::fs::metadata(&load.path).map_or(0, |file| file.len());
        let needed = machine::memory_for_file(bytes);
        for (at, slot) in idle.iter_mut().enumerate() {
            // Read anew each time: the one before gave its memory back.
            let is_short = (self.options.free_memory)().is_some_and(|free| free < needed);
            if at >= excess && !is_short {
                break;
            }
            if let Some(worker) = slot.take() {
                worker.stop().await;
            }
        }
    }

    /// Sees to it that somebody watches for idle workers.
    fn watch_idle(self: &Arc<Self>) {
        let mut reaper = lock(&self.reaper);
        if reaper.as_ref().is_none_or(JoinHandle::is_finished) {
            let limit = self.options.idle_unload;
            *reaper = Some(tokio::spawn(reap(Arc::downgrade(self), limit)));
        }
    }

    /// Sends workers away that were idle for `limit`; answers whether any is left.
    async fn unload_idle(&self, limit: Duration) -> bool {
        let places: Vec<Arc<Place>> = lock(&self.places).values().cloned().collect();
        let mut left = false;
        for place in places {
            let Ok(mut slot) = place.worker.try_lock() else {
                left = true;
                continue;
            };
            let is_idle = |worker: &Worker| worker.last_used.elapsed() >= limit;
            if slot.as_ref().is_some_and(is_idle) {
                if let Some(worker) = slot.take() {
                    worker.stop().await;
                }
            } else {
                left |= slot.is_some();
            }
        }
        left
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(reaper) = lock(&self.reaper).take() {
            reaper.abort();
        }
    }
}

/// Watches for idle workers until there is none or the provider is gone.
async fn reap(provider: Weak<Inner>, limit: Duration) {
    loop {
        tokio::time::sleep(limit / IDLE_LOOKS).await;
        let Some(provider) = provider.upgrade() else {
            return;
        };
        if !provider.unload_idle(limit).await {
            return;
        }
    }
}

/// One call, from its first frame to its outcome.
async fn run(
    worker: &mut Worker,
    request: &Request,
    prompt: Prompt,
    salt: u64,
    sink: Sink<'_>,
) -> Result<(Outcome, speed::Sample), Trouble> {
    let print = fingerprint(&request.model, &prompt, salt);
    let (form, model) = (prompt.form, request.model.clone());
    let started = Instant::now();
    let mut answer = Answer::new(form, format!("call_{}", &print.to_hex()[..24]));
    let mut outcome = Outcome {
        model,
        ..Outcome::default()
    };
    let begun = worker.call(|id| ToWorker::Generate(generate(id, request, prompt, &print)));
    let mut call = begun.map_err(|error| Trouble {
        error,
        worker_lost: false,
    })?;
    loop {
        match call.next().await {
            Ok(Heard::Progress) => sink(Delta::Alive),
            Ok(Heard::Text(text)) => {
                let first = outcome.meta.first_token_after;
                outcome.meta.first_token_after = first.or(Some(started.elapsed()));
                outcome.meta.bytes_in += text.len() as u64;
                answer.push(&text, sink);
            }
            Ok(Heard::End(FromWorker::Done {
                finish,
                usage,
                timings,
                ..
            })) => {
                outcome.parts = answer.parts();
                outcome.stop = answer.stop(finish.as_stop());
                outcome.usage = Some(usage);
                return Ok((outcome, sample(usage, timings)));
            }
            Ok(Heard::End(_)) => {}
            Err(mut trouble) => {
                outcome.parts = answer.parts();
                *trouble.error.partial = outcome;
                return Err(trouble);
            }
        }
    }
}

/// How fast a call was, by the worker's own clock.
fn sample(usage: Usage, timings: Timings) -> speed::Sample {
    speed::Sample {
        prompt_tokens: usage.input_tokens.saturating_sub(usage.cached_tokens),
        prompt: Duration::from_millis(timings.prompt_ms),
        generated_tokens: usage.output_tokens,
        generation: Duration::from_millis(timings.generate_ms),
    }
}

fn generate(id: u64, request: &Request, prompt: Prompt, print: &blake3::Hash) -> Generate {
    let constrained = prompt.form != Form::Free;
    let default = if constrained {
        TEMPERATURE_CONSTRAINED
    } else {
        TEMPERATURE_DEFAULT
    };
    let [a, b, c, d, ..] = *print.as_bytes();
    let derived = u32::from_le_bytes([a, b, c, d]);
    Generate {
        id,
        messages: prompt.messages,
        max_output_tokens: request.max_output_tokens,
        temperature: request.temperature.unwrap_or(default),
        // The worker's seeds are narrower; folding keeps equal seeds equal.
        seed: request.seed.map_or(derived, |seed| {
            u32::try_from((seed ^ (seed >> 32)) & u64::from(u32::MAX)).unwrap_or(derived)
        }),
        // A stop text inside JSON would only break it.
        stop: if constrained {
            Vec::new()
        } else {
            request.stop.clone()
        },
        constraint: prompt.constraint,
    }
}

/// A value that differs between calls: the source of tool call ids and of seeds nobody asked for.
fn fingerprint(model: &str, prompt: &Prompt, salt: u64) -> blake3::Hash {
    let mut hash = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(model.as_bytes());
    part(&salt.to_le_bytes());
    for message in &prompt.messages {
        part(message.role.as_str().as_bytes());
        part(message.content.as_bytes());
    }
    hash.finalize()
}

async fn embed_batch(
    worker: &mut Worker,
    texts: &[String],
) -> Result<(Vec<Vec<f32>>, u64), Trouble> {
    let texts = texts.to_vec();
    let mut call = worker
        .call(|id| ToWorker::Embed { id, texts })
        .map_err(|error| Trouble {
            error,
            worker_lost: false,
        })?;
    loop {
        if let Heard::End(FromWorker::Embedded {
            vectors,
            input_tokens,
            ..
        }) = call.next().await?
        {
            return Ok((vectors, input_tokens));
        }
    }
}

fn beside_this_program() -> Result<PathBuf, LlmError> {
    let name = format!("{WORKER_PROGRAM}{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.join(&name)))
        .filter(|path| path.is_file());
    beside.ok_or_else(|| {
        LlmError::new(
            ErrorKind::Unreachable,
            format!(
                "the model worker {name} is not beside this program; reinstall it, or set BWANA_WORKER to where it is"
            ),
        )
    })
}

fn not_installed(model: &str) -> String {
    format!(
        "{model} is not installed on this machine; fetch the starter model with `bwana models pull`, or add a file with `bwana models add FILE`"
    )
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
