//! The gate in front of each provider: how many calls may be under way at once, when the provider asked to be left
//! alone, and when it has failed so often in a row that asking again would only cost time.
//!
//! A call waits here after its intent is on record and before anything is sent. Waiting is not journaled; a refusal is,
//! as a failed attempt that cost nothing, so that a run with a second model goes on with it. All runs of a process share
//! the gates, and a new process begins with open ones.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bwana_types::model::{ErrorKind, LlmError, Meta, Outcome, Phase};
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Calls of one provider at once before it has said anything about its limits.
const WIDTH_MAX: u32 = 256;
/// Failures in a row after which a provider is left alone for a while.
const FAILURES_MAX: u32 = 5;
/// How long at first; doubled every time the next try fails as well.
const OPEN_FIRST: Duration = Duration::from_secs(5);
const OPEN_MAX: Duration = Duration::from_secs(5 * 60);
/// A provider that says "too many requests" without saying for how long.
const PAUSE_DEFAULT: Duration = Duration::from_secs(1);
/// Longer pauses are not waited out here: they are the run's to know.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// All gates of a process, by the provider's name.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    gates: Mutex<BTreeMap<String, Arc<Gate>>>,
}

/// One provider's gate.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<State>,
    /// Told whenever a call may have become possible.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// Calls at once; halved when the provider says it is too much, and one more for every round that went well.
    width: u32,
    /// Calls that went well since the width last changed.
    went_well: u32,
    under_way: u32,
    /// The provider asked for a pause until then.
    paused_until: Option<Instant>,
    failures: u32,
    circuit: Circuit,
    last_failure: Option<(ErrorKind, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Circuit {
    Closed,
    /// Nothing is sent until then; afterwards one call may try.
    Open {
        until: Instant,
        wait: Duration,
    },
    /// One call is trying.
    Trying {
        wait: Duration,
    },
}

/// How a provider stands, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderStanding {
    pub provider: String,
    pub under_way: u32,
    /// Calls it is given at once.
    pub at_once_max: u32,
    /// Set while nothing is sent: how long still.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_alone_ms: Option<u64>,
    /// It is left alone because it failed too often in a row, not because it asked for a pause.
    pub circuit_open: bool,
    /// Why, in the provider's words. Also of the last call that failed for what only the provider or its account can
    /// mend; gone with the next one that goes well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_kind: Option<ErrorKind>,
}

impl Gates {
    pub(crate) fn of(&self, provider: &str) -> Arc<Gate> {
        let mut gates = self.lock();
        if let Some(gate) = gates.get(provider) {
            return Arc::clone(gate);
        }
        let gate = Arc::new(Gate::new());
        gates.insert(provider.to_owned(), Arc::clone(&gate));
        gate
    }

    pub(crate) fn standings(&self) -> Vec<ProviderStanding> {
        let now = Instant::now();
        let gates = self.lock();
        gates
            .iter()
            .map(|(provider, gate)| gate.standing(provider, now))
            .collect()
    }

    /// Lets the next call of `provider` be sent at once. `false`: nothing was ever sent to it.
    pub(crate) fn retry_now(&self, provider: &str) -> bool {
        let gate = self.lock().get(provider).map(Arc::clone);
        gate.map(|gate| gate.reset()).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Gate>>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have one call under way. Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    told: bool,
}

enum Answer {
    Go,
    Refused(LlmError),
    /// Until then, or until something changes.
    Wait(Option<Instant>),
}

impl Gate {
    fn new() -> Self {
        let state = State {
            width: WIDTH_MAX,
            went_well: 0,
            under_way: 0,
            paused_until: None,
            failures: 0,
            circuit: Circuit::Closed,
            last_failure: None,
        };
        Self {
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    /// Waits for a place. Drop the future to give up waiting.
    ///
    /// # Errors
    /// The provider's last failure, if it failed so often that nothing is sent now; `retry_after` says for how long.
    pub(crate) async fn enter(self: &Arc<Self>) -> Result<Pass, LlmError> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Listening begins before looking, so that nothing is missed between the two.
            changed.as_mut().enable();
            let answer = self.lock().ask(Instant::now());
            match answer {
                Answer::Go => {
                    return Ok(Pass {
                        gate: Arc::clone(self),
                        told: false,
                    });
                }
                Answer::Refused(error) => return Err(error),
                Answer::Wait(Some(until)) => {
                    tokio::select! {
                        () = changed => {}
                        () = tokio::time::sleep_until(until) => {}
                    }
                }
                Answer::Wait(None) => changed.await,
            }
        }
    }

    fn standing(&self, provider: &str, now: Instant) -> ProviderStanding {
        let state = self.lock();
        let open_until = match state.circuit {
            Circuit::Open { until, .. } => Some(until),
            Circuit::Closed | Circuit::Trying { .. } => None,
        };
        let until = open_until
            .max(state.paused_until)
            .filter(|until| *until > now);
        ProviderStanding {
            provider: provider.to_owned(),
            under_way: state.under_way,
            at_once_max: state.width,
            left_alone_ms: until.map(|until| millis(until - now)),
            circuit_open: open_until.is_some_and(|until| until > now),
            last_failure: state.last_failure.as_ref().map(|(_, words)| words.clone()),
            last_kind: state.last_failure.as_ref().map(|(kind, _)| *kind),
        }
    }

    fn reset(&self) {
        let mut state = self.lock();
        state.circuit = Circuit::Closed;
        state.failures = 0;
        state.paused_until = None;
        drop(state);
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ask(&mut self, now: Instant) -> Answer {
        if let Circuit::Open { until, wait } = self.circuit {
            if now < until {
                return Answer::Refused(self.refusal(until - now));
            }
            self.circuit = Circuit::Trying { wait };
        } else if let Circuit::Trying { .. } = self.circuit
            && self.under_way > 0
        {
            return Answer::Wait(None);
        }
        if let Some(until) = self.paused_until {
            if now < until {
                return Answer::Wait(Some(until));
            }
            self.paused_until = None;
        }
        if self.under_way >= self.width {
            return Answer::Wait(None);
        }
        self.under_way += 1;
        Answer::Go
    }

    fn refusal(&self, wait: Duration) -> LlmError {
        let (kind, words) = self
            .last_failure
            .clone()
            .unwrap_or((ErrorKind::Unreachable, String::new()));
        let mut error = LlmError::new(
            kind,
            format!(
                "not asked, because it failed {} times in a row: {words}",
                self.failures
            ),
        );
        error.retry_after = Some(wait);
        error
    }

    fn well(&mut self, meta: &Meta, now: Instant) {
        self.failures = 0;
        self.circuit = Circuit::Closed;
        self.last_failure = None;
        self.went_well += 1;
        if self.went_well >= self.width && self.width < WIDTH_MAX {
            self.width += 1;
            self.went_well = 0;
        }
        if let Some(wait) = spent(&meta.rate) {
            self.pause(now, wait);
        }
    }

    fn failed(&mut self, error: &LlmError, now: Instant) {
        match error.kind {
            ErrorKind::RateLimited => {
                // Those that are under way now were too many; half of them are tried.
                self.width = (self.under_way / 2).clamp(1, self.width);
                self.went_well = 0;
                self.pause(now, error.retry_after.unwrap_or(PAUSE_DEFAULT));
                self.last_failure = Some((error.kind, error.message.clone()));
                self.answered();
            }
            ErrorKind::Server | ErrorKind::Overloaded | ErrorKind::Unreachable => {
                self.down(error.kind, &error.message, now);
            }
            ErrorKind::Timeout(Phase::Connect | Phase::Headers | Phase::FirstEvent) => {
                self.down(ErrorKind::Unreachable, &error.message, now);
            }
            // The provider answers, and the next call will hear the same.
            ErrorKind::Auth | ErrorKind::Quota | ErrorKind::NotFound | ErrorKind::Malformed => {
                self.last_failure = Some((error.kind, error.message.clone()));
                self.answered();
            }
            // The provider is there and answers; what it says is about this call alone.
            ErrorKind::Timeout(Phase::Idle | Phase::Total)
            | ErrorKind::ContextTooLong
            | ErrorKind::Refused
            | ErrorKind::BadRequest
            | ErrorKind::Interrupted
            | ErrorKind::TooLarge => self.answered(),
        }
    }

    fn answered(&mut self) {
        self.failures = 0;
        self.circuit = Circuit::Closed;
    }

    fn down(&mut self, kind: ErrorKind, words: &str, now: Instant) {
        self.failures += 1;
        self.last_failure = Some((kind, words.to_owned()));
        self.circuit = match self.circuit {
            Circuit::Trying { wait } => open(now, (wait * 2).min(OPEN_MAX)),
            Circuit::Closed if self.failures >= FAILURES_MAX => open(now, OPEN_FIRST),
            other => other,
        };
    }

    fn pause(&mut self, now: Instant, wait: Duration) {
        let until = now + wait.min(PAUSE_MAX);
        self.paused_until = Some(self.paused_until.map_or(until, |known| known.max(until)));
    }
}

fn open(now: Instant, wait: Duration) -> Circuit {
    Circuit::Open {
        until: now + wait,
        wait,
    }
}

impl Pass {
    /// What came of the call; the gate learns from it.
    pub(crate) fn tell(mut self, outcome: &Result<Outcome, LlmError>) {
        self.told = true;
        let now = Instant::now();
        let mut state = self.gate.lock();
        match outcome {
            Ok(outcome) => state.well(&outcome.meta, now),
            Err(error) => state.failed(error, now),
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.under_way = state.under_way.saturating_sub(1);
        // A try that was let go has shown nothing: the next call may try.
        if !self.told
            && let Circuit::Trying { wait } = state.circuit
        {
            state.circuit = Circuit::Open {
                until: Instant::now(),
                wait,
            };
        }
        drop(state);
        self.gate.changed.notify_waiters();
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// How long to wait when the headers of a good answer say that nothing is left: `...remaining-requests: 0` with the
/// matching `...reset-requests`, as the providers of the OpenAI and Anthropic dialects send them.
fn spent(rate: &[(String, String)]) -> Option<Duration> {
    let none_left = |name: &str, value: &str| {
        name.contains("remaining") && value.trim().parse::<u64>().is_ok_and(|left| left == 0)
    };
    rate.iter()
        .filter(|(name, value)| none_left(&name.to_ascii_lowercase(), value))
        .map(|(name, _)| {
            let reset = name.to_ascii_lowercase().replace("remaining", "reset");
            rate.iter()
                .find(|(other, _)| other.eq_ignore_ascii_case(&reset))
                .and_then(|(_, value)| span(value.trim()))
                .unwrap_or(PAUSE_DEFAULT)
        })
        .max()
}

/// A span of time as rate headers write it: `7`, `1.5`, `6m0s`, `120ms`, `1h2m3.5s`. Dates are not read here: they need
/// the wall clock.
fn span(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let after = &rest[digits..];
        let letters = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let seconds = match &after[..letters] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = &after[letters..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: ErrorKind) -> Result<Outcome, LlmError> {
        Err(LlmError::new(kind, "the words"))
    }

    async fn fail(gate: &Arc<Gate>, kind: ErrorKind) {
        gate.enter().await.unwrap().tell(&failure(kind));
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_fails_in_a_row_is_left_alone_and_then_tried_once() {
        let gate = Arc::new(Gate::new());
        for _ in 0..FAILURES_MAX {
            fail(&gate, ErrorKind::Server).await;
        }
        let refused = gate.enter().await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Server);
        assert_eq!(refused.retry_after, Some(OPEN_FIRST));
        assert!(refused.message.contains("the words"), "{}", refused.message);

        tokio::time::advance(OPEN_FIRST).await;
        let trying = gate.enter().await.unwrap();
        let second = tokio::time::timeout(Duration::from_secs(1), gate.enter()).await;
        assert!(second.is_err(), "only one call tries");
        trying.tell(&failure(ErrorKind::Unreachable));
        let refused = gate.enter().await.unwrap_err();
        assert_eq!(refused.retry_after, Some(OPEN_FIRST * 2));

        tokio::time::advance(OPEN_FIRST * 2).await;
        gate.enter().await.unwrap().tell(&Ok(Outcome::default()));
        let _both = (gate.enter().await.unwrap(), gate.enter().await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_is_given_up_leaves_the_next_one_free() {
        let gate = Arc::new(Gate::new());
        for _ in 0..FAILURES_MAX {
            fail(&gate, ErrorKind::Overloaded).await;
        }
        tokio::time::advance(OPEN_FIRST).await;
        drop(gate.enter().await.unwrap());
        drop(gate.enter().await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_wrong_with_one_call_says_nothing_about_the_provider() {
        let gate = Arc::new(Gate::new());
        for kind in [ErrorKind::Server, ErrorKind::BadRequest].repeat(10) {
            fail(&gate, kind).await;
        }
        let _pass = gate.enter().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_requests_make_the_gate_narrow_and_wait() {
        let gate = Arc::new(Gate::new());
        let mut passes = Vec::new();
        for _ in 0..8 {
            passes.push(gate.enter().await.unwrap());
        }
        let mut error = LlmError::new(ErrorKind::RateLimited, "slowly");
        error.retry_after = Some(Duration::from_secs(7));
        passes.pop().unwrap().tell(&Err(error));
        drop(passes);
        let began = Instant::now();
        let mut four = Vec::new();
        for _ in 0..4 {
            four.push(gate.enter().await.unwrap());
        }
        assert_eq!(began.elapsed(), Duration::from_secs(7));
        let fifth = tokio::time::timeout(Duration::from_secs(60), gate.enter()).await;
        assert!(fifth.is_err(), "half of eight");
        for pass in four {
            pass.tell(&Ok(Outcome::default()));
        }
        assert_eq!(
            gate.lock().width,
            5,
            "and one more after a round that went well"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn retry_now_opens_at_once() {
        let gates = Gates::default();
        let gate = gates.of("near");
        for _ in 0..FAILURES_MAX {
            fail(&gate, ErrorKind::Unreachable).await;
        }
        let standing = gates.standings();
        assert_eq!(standing[0].left_alone_ms, Some(5_000));
        assert_eq!(standing[0].last_failure.as_deref(), Some("the words"));
        assert!(gates.retry_now("near") && !gates.retry_now("far"));
        let _pass = gate.enter().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_good_answer_that_leaves_nothing_makes_the_next_call_wait() {
        let gate = Arc::new(Gate::new());
        let mut outcome = Outcome::default();
        outcome.meta.rate = [
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "2s"),
            ("x-ratelimit-remaining-tokens", "900"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        gate.enter().await.unwrap().tell(&Ok(outcome));
        let began = Instant::now();
        let _pass = gate.enter().await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn no_pause_is_longer_than_a_minute_whatever_a_provider_says() {
        for reset in ["1000000000000000000", "1e18", "99999d", "1e999"] {
            let gate = Arc::new(Gate::new());
            let mut outcome = Outcome::default();
            outcome.meta.rate = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec();
            gate.enter().await.unwrap().tell(&Ok(outcome));
            let began = Instant::now();
            let _pass = gate.enter().await.unwrap();
            assert!(began.elapsed() <= PAUSE_MAX, "{reset}");
        }
    }

    #[test]
    fn spans_are_read_as_providers_write_them() {
        #[track_caller]
        fn check(text: &str, ms: Option<u64>) {
            assert_eq!(span(text).map(millis), ms, "{text}");
        }
        check("7", Some(7_000));
        check("1.5", Some(1_500));
        check("6m0s", Some(360_000));
        check("120ms", Some(120));
        check("1h2m3.5s", Some(3_723_500));
        check("-1", None);
        check("soon", None);
        check("2026-11-25T20:00:00Z", None);
        check("99999999999999999999999d", None);
    }
}
