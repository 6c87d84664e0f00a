//! The trait every model stands behind: hosted, on loopback, built in, or scripted by a test.
//! What a provider speaks on the wire does not belong here; retries neither (the engine journals them).

use std::future::Future;
use std::pin::Pin;

use bwana_types::model::{Delta, Embedded, LlmError, ModelInfo, Outcome, Probe, Request};

/// A boxed future, so that the trait stays object safe.
pub type Fut<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where deltas go while an answer arrives. Called on the task that awaits the call; it must not block.
pub type Sink<'a> = &'a mut (dyn FnMut(Delta) + Send);

/// Something that serves models.
///
/// Dropping a returned future cancels the call: the connection is closed (or the worker told to stop) and nothing
/// more reaches the sink. No method retries a call that may have cost money.
pub trait Provider: Send + Sync {
    /// Asks for one answer. Deltas reach `sink` as they arrive; the outcome holds the whole answer again.
    ///
    /// # Errors
    /// [`LlmError`] with the kind that says what to do next, and the part of the answer that had arrived.
    fn complete<'a>(
        &'a self,
        request: &'a Request,
        sink: Sink<'a>,
    ) -> Fut<'a, Result<Outcome, LlmError>>;

    /// One vector for each text, in order, all of the same length.
    ///
    /// # Errors
    /// As [`Provider::complete`]; `Malformed` if the vectors do not match the texts.
    fn embed<'a>(
        &'a self,
        model: &'a str,
        texts: &'a [String],
    ) -> Fut<'a, Result<Embedded, LlmError>>;

    /// What the provider offers, as it lists it.
    ///
    /// # Errors
    /// As [`Provider::complete`]; `NotFound` if it has no list.
    fn models(&self) -> Fut<'_, Result<Vec<ModelInfo>, LlmError>>;

    /// The connection test: one tiny real call to `model`, or to the first model listed.
    /// It never fails: a failure is one of its three answers.
    fn probe<'a>(&'a self, model: Option<&'a str>) -> Fut<'a, Probe>;
}
