//! A model in this process: answers from a script through the provider trait, on tokio's time, with every way to fail.
//! No sockets, so that a simulation can run thousands of them on paused time.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bwana_llm::{Fut, Provider, Sink};
use bwana_types::message::{Message, Part, Role, Stop, ToolCall, text_of};
use bwana_types::model::{
    Delta, Embedded, ErrorKind, LlmError, ModelInfo, Outcome, Probe, Request,
};

use crate::fault::{Fault, Faults};
use crate::script::{Answer, Answers, Line, Prompt, Script};
use crate::tally::{Counts, End, Open, Tally};
use crate::wire::split;

/// How long a silent provider is waited for before the transport would give up.
pub const SILENCE: Duration = Duration::from_secs(120);

/// A provider that answers from a script.
pub struct ScriptedModel {
    answers: Arc<dyn Answers>,
    faults: Option<Faults>,
    /// From the request to the first piece.
    latency: Duration,
    /// Between pieces.
    between: Duration,
    /// Pieces a text comes in; 0 sends no deltas at all.
    deltas: usize,
    tally: Tally,
}

impl ScriptedModel {
    pub fn new(script: Script) -> Self {
        Self::answering(script)
    }

    /// A model that answers with a function of the prompt.
    pub fn answering(answers: impl Answers + 'static) -> Self {
        Self {
            answers: Arc::new(answers),
            faults: None,
            latency: Duration::ZERO,
            between: Duration::ZERO,
            deltas: 2,
            tally: Tally::default(),
        }
    }

    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = Some(faults);
        self
    }

    #[must_use]
    pub fn with_pace(mut self, latency: Duration, between: Duration, deltas: usize) -> Self {
        (self.latency, self.between, self.deltas) = (latency, between, deltas);
        self
    }

    pub fn counts(&self) -> Counts {
        self.tally.counts()
    }

    /// The answer without a sink and without time: what a caller that has neither asks for.
    ///
    /// # Errors
    /// The planned fault, or what a strict provider would refuse.
    pub fn answer_now(&self, request: &Request) -> Result<Outcome, LlmError> {
        let prompt = Prompt::of(request);
        let call = Open::new(&self.tally, prompt.digest);
        let answered = self
            .prepare(&prompt, call.attempt)
            .map_err(|broken| broken.error);
        call.end(if answered.is_ok() {
            End::Answered
        } else {
            End::Failed
        });
        answered.map(|answer| outcome(&answer, &prompt))
    }

    async fn talk(&self, request: &Request, sink: Sink<'_>) -> Result<Outcome, LlmError> {
        let prompt = Prompt::of(request);
        let call = Open::new(&self.tally, prompt.digest);
        pause(self.latency).await;
        let answer = match self.prepare(&prompt, call.attempt) {
            Ok(answer) => answer,
            Err(broken) => {
                self.stream(&text_of(&broken.error.partial.parts), sink)
                    .await;
                pause(broken.silence).await;
                call.end(End::Failed);
                return Err(broken.error);
            }
        };
        self.stream(&answer.text, sink).await;
        for (slot, call) in answer.calls.iter().enumerate() {
            let (id, name) = (call.id.clone(), call.tool.clone());
            sink(Delta::ToolStart { slot, id, name });
            sink(Delta::ToolArgs {
                slot,
                piece: call.args.clone(),
            });
        }
        call.end(End::Answered);
        Ok(outcome(&answer, &prompt))
    }

    /// What this attempt (from 1) will say, or how it fails.
    fn prepare(&self, prompt: &Prompt<'_>, attempt: u64) -> Result<Answer, Broken> {
        if let Some(complaint) = prompt.complaint() {
            return Err(Broken {
                error: LlmError::new(ErrorKind::BadRequest, complaint),
                silence: Duration::ZERO,
            });
        }
        let plan = self.faults.as_ref();
        let fault = plan.and_then(|plan| plan.at(prompt.digest, attempt));
        let mut answer = self.answers.answer(prompt);
        let Some(fault) = fault else {
            return Ok(answer);
        };
        fault.spoil(&mut answer, prompt);
        match fault.error_kind() {
            Some(kind) => Err(broken(&fault, kind, &answer, prompt)),
            None => Ok(answer),
        }
    }

    async fn stream(&self, text: &str, sink: Sink<'_>) {
        if self.deltas == 0 {
            return;
        }
        for piece in split(text, self.deltas) {
            sink(Delta::Text(piece.to_owned()));
            pause(self.between).await;
        }
    }
}

/// A failure, and how long nothing comes before it is noticed.
struct Broken {
    error: LlmError,
    silence: Duration,
}

fn broken(fault: &Fault, kind: ErrorKind, answer: &Answer, prompt: &Prompt<'_>) -> Broken {
    let said = match fault {
        Fault::Cut { after_bytes } => {
            let mut at = Fault::cut_at(*after_bytes, answer.text.len(), prompt);
            while !answer.text.is_char_boundary(at) {
                at -= 1;
            }
            &answer.text[..at]
        }
        Fault::EarlyEnd | Fault::Malformed => answer.text.as_str(),
        _ => "",
    };
    let message = format!("the scripted model failed on purpose: {kind:?}");
    let mut error = LlmError::new(kind, message);
    if !said.is_empty() {
        error.partial.parts.push(Part::text(said));
        error.partial.model = prompt.model.to_string();
    }
    if let Fault::Status {
        code,
        retry_after_s,
        body,
    } = fault
    {
        error.status = Some(*code);
        error.retry_after = retry_after_s.map(|s| Duration::from_secs(s.into()));
        error.body.clone_from(body);
    }
    let silent = *fault == Fault::Silence;
    Broken {
        error,
        silence: if silent { SILENCE } else { Duration::ZERO },
    }
}

/// Sleeps on tokio's time; not even a tick for zero.
async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

fn outcome(answer: &Answer, prompt: &Prompt<'_>) -> Outcome {
    let mut parts = Vec::new();
    if !answer.text.is_empty() {
        parts.push(Part::text(answer.text.as_str()));
    }
    parts.extend(answer.calls.iter().map(|call| {
        Part::ToolCall(ToolCall {
            id: call.id.as_str().into(),
            name: call.tool.as_str().into(),
            args: call.args.as_str().into(),
            opaque: None,
        })
    }));
    let stop = match (answer.cut, answer.calls.is_empty()) {
        (true, _) => Stop::Length,
        (false, true) => Stop::Done,
        (false, false) => Stop::ToolCalls,
    };
    Outcome {
        parts,
        stop: Some(stop),
        usage: answer.tokens(prompt),
        model: prompt.model.to_string(),
        response_id: Some(format!("scripted-{}", prompt.mark())),
        ..Outcome::default()
    }
}

impl<'a> Prompt<'a> {
    /// A request as a script sees it.
    pub fn of(request: &'a Request) -> Self {
        let tools = request.tools.iter();
        let form = request.schema.as_ref();
        Self::new(
            request.model.as_str().into(),
            request.messages.iter().map(line_of).collect(),
            tools.map(|tool| tool.name.as_str().into()).collect(),
            form.map(|form| Cow::Borrowed(&form.schema)),
        )
    }
}

fn line_of(message: &Message) -> Line<'_> {
    let mut line = Line {
        role: message.role,
        text: match message.role {
            Role::Tool => String::new().into(),
            _ => text_of(&message.parts).to_string().into(),
        },
        calls: Vec::new(),
        answers: Vec::new(),
    };
    for part in &message.parts {
        match part {
            Part::ToolCall(call) => line.calls.push((*call.id).into()),
            Part::ToolResult { id, content, .. } => {
                line.answers.push((**id).into());
                line.text.to_mut().push_str(content);
            }
            Part::Text { .. } | Part::Image { .. } | Part::Reasoning { .. } => {}
        }
    }
    line
}

impl Provider for ScriptedModel {
    fn complete<'a>(
        &'a self,
        request: &'a Request,
        sink: Sink<'a>,
    ) -> Fut<'a, Result<Outcome, LlmError>> {
        Box::pin(self.talk(request, sink))
    }

    fn embed<'a>(
        &'a self,
        _model: &'a str,
        _texts: &'a [String],
    ) -> Fut<'a, Result<Embedded, LlmError>> {
        let message = "the scripted model has no embeddings";
        Box::pin(std::future::ready(Err(LlmError::new(
            ErrorKind::NotFound,
            message,
        ))))
    }

    fn models(&self) -> Fut<'_, Result<Vec<ModelInfo>, LlmError>> {
        let model = ModelInfo {
            id: String::from("scripted"),
            context_tokens: None,
        };
        Box::pin(std::future::ready(Ok(vec![model])))
    }

    fn probe<'a>(&'a self, model: Option<&'a str>) -> Fut<'a, Probe> {
        let works = Probe::Works {
            model: model.unwrap_or("scripted").to_owned(),
            asked: String::from("Say ok."),
            said: String::from("ok"),
            latency_ms: 0,
        };
        Box::pin(std::future::ready(works))
    }
}
