//! A provider over HTTP: a dialect, an address, quirks and perhaps a key, over the shared transport.
//! What it adds itself: it learns from refusals that name a field, and it can be tested. It never retries a call that
//! may have cost money.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bwana_types::message::{Message, Role, Usage, text_of};
use bwana_types::model::{Embedded, ErrorKind, LlmError, ModelInfo, Outcome, Probe, Request};
use bwana_types::secret::Secret;
use tokio::time::Instant;

use crate::dialect::Dialect;
use crate::endpoint::Endpoint;
use crate::limits::Limits;
use crate::provider::{Fut, Provider, Sink};
use crate::quirks::Quirks;
use crate::reader::{Reader, cut_or_malformed};
use crate::transport::{Ask, Transport, redact, with_meta};

/// Refusals learned from within one call. Each costs a request and no tokens.
const ADAPTATIONS_MAX: usize = 5;
/// Models whose quirks are remembered; a gateway may serve hundreds.
const LEARNED_MAX: usize = 256;
/// Texts in one request for vectors. Servers on small machines refuse long lists.
const EMBED_BATCH: usize = 64;
/// What the connection test asks.
const PROBE_QUESTION: &str = "Reply with the one word: ready";
/// Output tokens of the connection test. Enough for a model that thinks a little before its one word.
const PROBE_MAX_OUTPUT_TOKENS: u32 = 64;
/// A person waits for the connection test; a model that needs longer is told as such.
const PROBE_TIMEOUT: Duration = Duration::from_secs(90);
/// How much of what the model said the test repeats.
const PROBE_SAID_MAX_CHARS: usize = 200;

/// A provider over HTTP.
pub struct HttpProvider {
    endpoint: Endpoint,
    dialect: Arc<dyn Dialect>,
    transport: Transport,
    quirks: Quirks,
    limits: Limits,
    secret: Option<Secret>,
    /// Quirks as refusals taught them, by model. Forgotten when the program ends: providers change.
    learned: Mutex<HashMap<String, Quirks>>,
}

impl HttpProvider {
    /// A provider without a key, with the quirks and limits that fit its address.
    pub fn new(endpoint: Endpoint, dialect: Arc<dyn Dialect>, transport: Transport) -> Self {
        Self {
            quirks: Quirks::for_dialect(&endpoint, dialect.id()),
            limits: if endpoint.is_loopback() || endpoint.is_plain_http() {
                Limits::LOCAL
            } else {
                Limits::REMOTE
            },
            endpoint,
            dialect,
            transport,
            secret: None,
            learned: Mutex::default(),
        }
    }

    #[must_use]
    pub fn with_secret(mut self, secret: Option<Secret>) -> Self {
        // An empty key would be sent as an empty header, which some servers refuse.
        self.secret = secret.filter(|secret| !secret.expose().trim().is_empty());
        self
    }

    #[must_use]
    pub fn with_quirks(mut self, quirks: Quirks) -> Self {
        self.quirks = quirks;
        self
    }

    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The quirks a call of `model` would use now.
    pub fn quirks_for(&self, model: &str) -> Quirks {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.get(model).unwrap_or(&self.quirks).clone()
    }

    async fn ask(
        &self,
        request: &Request,
        limits: &Limits,
        sink: Sink<'_>,
    ) -> Result<Outcome, LlmError> {
        let mut quirks = self.quirks_for(&request.model);
        let mut tried = vec![quirks.clone()];
        loop {
            let error = match self.once(request, &quirks, limits, &mut *sink).await {
                Ok(outcome) => {
                    self.learn(&request.model, &quirks, tried.len() > 1);
                    return Ok(outcome);
                }
                Err(error) => error,
            };
            // Only a refusal by status is free; an error inside an answer may have cost money.
            let refused = error.status.is_some_and(|status| status >= 400);
            let next = self
                .dialect
                .adapt(&error, &quirks)
                .filter(|next| refused && tried.len() <= ADAPTATIONS_MAX && !tried.contains(next));
            let Some(next) = next else {
                return Err(error);
            };
            tracing::debug!(model = %request.model, "the provider refused a field; asking without it");
            tried.push(next.clone());
            quirks = next;
        }
    }

    async fn once(
        &self,
        request: &Request,
        quirks: &Quirks,
        limits: &Limits,
        sink: Sink<'_>,
    ) -> Result<Outcome, LlmError> {
        let encoded = self.dialect.encode(request, quirks)?;
        let mut ask = Ask {
            body: Some(encoded.body),
            idle_pool: quirks.idle_pool,
            ..self.get(&encoded.path, limits)
        };
        ask.headers.extend(encoded.headers);
        let answer = self.transport.send(ask).await?;
        let reader = Reader::new(self.dialect.as_ref(), &encoded.context, quirks, limits);
        answer.stream(reader, limits, sink).await
    }

    fn get<'a>(&'a self, path: &'a str, limits: &'a Limits) -> Ask<'a> {
        Ask {
            endpoint: &self.endpoint,
            dialect: self.dialect.as_ref(),
            limits,
            secret: self.secret.as_ref(),
            idle_pool: self.quirks.idle_pool,
            path,
            headers: self.dialect.headers(),
            body: None,
        }
    }

    fn learn(&self, model: &str, quirks: &Quirks, changed: bool) {
        if !changed {
            return;
        }
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if learned.len() < LEARNED_MAX || learned.contains_key(model) {
            learned.insert(model.to_owned(), quirks.clone());
        }
    }

    async fn list(&self, limits: &Limits) -> Result<Vec<ModelInfo>, LlmError> {
        let path = self.dialect.models_path();
        let answer = self.transport.send(self.get(path, limits)).await?;
        let (body, meta) = answer.body(limits).await?;
        self.dialect
            .decode_models(&body)
            .map_err(|error| with_meta(cut_or_malformed(error, &body), meta))
    }

    async fn vectors(&self, model: &str, texts: &[String]) -> Result<Embedded, LlmError> {
        let mut vectors = Vec::with_capacity(texts.len());
        let mut usage: Option<Usage> = None;
        for batch in texts.chunks(EMBED_BATCH) {
            let encoded = self.dialect.encode_embed(model, batch)?;
            let mut ask = Ask {
                body: Some(encoded.body),
                ..self.get(&encoded.path, &self.limits)
            };
            ask.headers.extend(encoded.headers);
            let answer = self.transport.send(ask).await?;
            let (body, meta) = answer.body(&self.limits).await?;
            let read = self
                .dialect
                .decode_embed(&body, batch.len())
                .map_err(|error| with_meta(cut_or_malformed(error, &body), meta))?;
            vectors.extend(read.vectors);
            usage = match (usage, read.usage) {
                (Some(a), Some(b)) => Some(a.plus(b)),
                (a, b) => a.or(b),
            };
        }
        Ok(Embedded { vectors, usage })
    }

    async fn test(&self, model: Option<&str>) -> Probe {
        let limits = Limits {
            headers: self.limits.headers.min(PROBE_TIMEOUT),
            first_event: self.limits.first_event.min(PROBE_TIMEOUT),
            total: self.limits.total.min(PROBE_TIMEOUT),
            ..self.limits
        };
        let model = match model {
            Some(model) => model.to_owned(),
            None => match self.first_listed(&limits).await {
                Ok(model) => model,
                Err(probe) => return probe,
            },
        };
        let mut request = Request::new(
            model.as_str(),
            vec![Message::text(Role::User, PROBE_QUESTION)],
        );
        request.max_output_tokens = PROBE_MAX_OUTPUT_TOKENS;
        let path = match self.dialect.encode(&request, &self.quirks) {
            Ok(encoded) => encoded.path,
            Err(error) => return failed_probe(self.dress(error), String::new()),
        };
        let asked = format!(
            "POST {}, model {model}: {PROBE_QUESTION}",
            self.endpoint.show(&path)
        );
        let started = Instant::now();
        match self.ask(&request, &limits, &mut |_| {}).await {
            Ok(outcome) => Probe::Works {
                model,
                said: text_of(&outcome.parts)
                    .chars()
                    .take(PROBE_SAID_MAX_CHARS)
                    .collect(),
                latency_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                asked,
            },
            Err(error) => failed_probe(self.dress(error), asked),
        }
    }

    async fn first_listed(&self, limits: &Limits) -> Result<String, Probe> {
        let asked = format!("GET {}", self.endpoint.show(self.dialect.models_path()));
        match self.list(limits).await {
            Ok(models) => models
                .into_iter()
                .next()
                .map(|model| model.id)
                .ok_or_else(|| Probe::Rejected {
                    kind: ErrorKind::NotFound,
                    words: format!("{} lists no models; name one", self.endpoint.host()),
                    asked,
                }),
            Err(error) => Err(failed_probe(self.dress(error), asked)),
        }
    }

    /// An error as it leaves: it says who failed, and holds no key.
    fn dress(&self, mut error: LlmError) -> LlmError {
        error.message = format!("{} {}", self.endpoint.host(), error.message);
        redact(error, self.secret.as_ref())
    }
}

/// What never brought a status line could not be reached; everything else was an answer.
fn failed_probe(error: LlmError, asked: String) -> Probe {
    let silent = matches!(
        error.kind,
        ErrorKind::Unreachable | ErrorKind::Timeout(_) | ErrorKind::Interrupted
    ) && error.partial.meta.status.is_none();
    if silent {
        Probe::Unreachable {
            cause: error.message,
            asked,
        }
    } else {
        Probe::Rejected {
            kind: error.kind,
            words: error.message,
            asked,
        }
    }
}

impl Provider for HttpProvider {
    fn complete<'a>(
        &'a self,
        request: &'a Request,
        sink: Sink<'a>,
    ) -> Fut<'a, Result<Outcome, LlmError>> {
        Box::pin(async move {
            let result = self.ask(request, &self.limits, sink).await;
            result.map_err(|error| self.dress(error))
        })
    }

    fn embed<'a>(
        &'a self,
        model: &'a str,
        texts: &'a [String],
    ) -> Fut<'a, Result<Embedded, LlmError>> {
        Box::pin(async move {
            let result = self.vectors(model, texts).await;
            result.map_err(|error| self.dress(error))
        })
    }

    fn models(&self) -> Fut<'_, Result<Vec<ModelInfo>, LlmError>> {
        Box::pin(async move {
            let result = self.list(&self.limits).await;
            result.map_err(|error| self.dress(error))
        })
    }

    fn probe<'a>(&'a self, model: Option<&'a str>) -> Fut<'a, Probe> {
        Box::pin(self.test(model))
    }
}

impl std::fmt::Debug for HttpProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpProvider")
            .field("endpoint", &self.endpoint)
            .field("dialect", &self.dialect.id())
            .finish_non_exhaustive()
    }
}
