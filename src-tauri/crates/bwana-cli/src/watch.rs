//! A run followed from here to where it stands still: its events shown, its questions asked, Ctrl-C heard, and at the end
//! what came of it.

use std::time::Duration;

use bwana_api::command::{RunCancel, RunEvents, RunSettle};
use bwana_api::events::{EventsEnd, EventsRequest};
use bwana_api::runs::{RunRef, Started};
use bwana_api::{Event, Events, RunShown, socket};
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};
use bwana_types::status::RunStatus;
use tokio::sync::mpsc;

use crate::ask_person::{self, Answered};
use crate::door::Door;
use crate::follow::Follower;
use crate::lists;
use crate::out::{Out, typed};
use crate::sentence;
use crate::signals::{End, Signals};

/// How often the line that shows that work goes on is drawn.
const TICK: Duration = Duration::from_millis(120);

/// Follows a run that works until it has ended or stands still, asks the person where that is possible, and sums up.
pub(crate) async fn to_the_end(
    door: Door,
    out: &Out,
    started: Result<Started, ApiError>,
) -> Result<Ends, ApiError> {
    let started = match started {
        Ok(started) => started,
        Err(error) => {
            door.close().await?;
            return Err(error);
        }
    };
    introduce(out, &started);
    // Others may answer this run's questions or stop it while it works here.
    let server = match &door {
        Door::Here(app) => socket::serve(app)
            .inspect_err(|error| tracing::info!("{}", error.message))
            .ok(),
        Door::Owner(_) => None,
    };
    let outcome = watch(&door, out, &started).await;
    if let Ok(Watched::BrokenOff) = outcome {
        // The journal is the truth: nothing is waited for.
        return Ok(Ends::Cancelled);
    }
    if let Some(server) = server {
        server.stop().await;
    }
    let closed = door.close().await;
    let Watched::Still(shown) = outcome? else {
        closed?;
        let id = sentence::short(&started.run.to_string());
        out.aside(&format!(
            "Interrupted; nothing is lost. Go on with `bwana runs resume {id}`."
        ));
        return Ok(Ends::Cancelled);
    };
    closed?;
    out.json(&summary(&shown));
    if !out.is_json() {
        lists::summary(out, &shown);
    }
    Ok(sentence::exit_code(&shown))
}

/// The last line of `run`: the run with the kind of the line in front.
fn summary(shown: &RunShown) -> serde_json::Value {
    let mut line = typed("summary", shown);
    line["run"] = shown.id.to_string().into();
    line
}

fn introduce(out: &Out, started: &Started) {
    let id = started.run.to_string();
    out.line(&format!(
        "{}  {}",
        out.bold(&started.workflow_name),
        out.dim(&id)
    ));
    let team: Vec<&str> = started
        .agents
        .iter()
        .map(|agent| agent.name.as_str())
        .collect();
    let mut models: Vec<&str> = started
        .agents
        .iter()
        .map(|agent| agent.model.as_str())
        .collect();
    models.sort_unstable();
    models.dedup();
    out.line(&out.dim(&format!("{} · {}", team.join(", "), models.join(", "))));
    if started.starter_model {
        out.aside(&out.warn(
            "The built-in starter model is very small: it shows how everything works, but its answers are poor.\n\
             For real work fetch a better one (`bwana models list`) or add a provider (`bwana providers add`).",
        ));
    }
    for note in started.notes.iter().filter(|_| out.is_verbose()) {
        out.aside(&out.dim(&format!("note: {}", note.text)));
    }
}

enum Watched {
    /// The run has ended or stands still.
    Still(Box<RunShown>),
    /// The person did not want to wait for that.
    BrokenOff,
    /// The system wants this process to end; the run goes on another time.
    Interrupted,
}

async fn watch(door: &Door, out: &Out, started: &Started) -> Result<Watched, ApiError> {
    let mut watch = Watch {
        door,
        out,
        run: started.run.to_string(),
        follower: Follower::new(out, started),
        signals: Signals::listen()?,
        cancelled: false,
    };
    loop {
        let shown = match watch.settle().await? {
            Watched::Still(shown) => shown,
            other => return Ok(other),
        };
        if shown.status != RunStatus::Waiting || !out.can_ask() || watch.cancelled {
            return Ok(Watched::Still(shown));
        }
        for task in &shown.tasks {
            match ask_person::ask(door, out, task, &mut watch.signals).await {
                Ok(Answered::Yes) => {}
                Ok(Answered::Later) => return Ok(Watched::Still(shown)),
                Ok(Answered::Asked(End::Interrupt)) => {
                    watch.cancel().await?;
                    break;
                }
                Ok(Answered::Asked(End::Terminate)) => return Ok(Watched::Interrupted),
                // Somebody else was faster: the run goes on all the same.
                Err(error) if error.code == ErrorCode::TaskAlreadyDecided => {}
                Err(error) => return Err(error),
            }
        }
    }
}

struct Watch<'a> {
    door: &'a Door,
    out: &'a Out,
    run: String,
    follower: Follower<'a>,
    signals: Signals,
    cancelled: bool,
}

impl Watch<'_> {
    fn by(&self) -> RunRef {
        RunRef {
            run: self.run.clone(),
        }
    }

    async fn cancel(&mut self) -> Result<(), ApiError> {
        self.cancelled = true;
        self.out.aside("Cancelling.");
        match self.door.call::<RunCancel>(self.by()).await {
            Ok(_) => Ok(()),
            // It ended by itself a moment before.
            Err(error) if error.code == ErrorCode::RunNotResumable => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Shows what happens until the run stands still. Ctrl-C cancels it; a second one does not wait for that.
    async fn settle(&mut self) -> Result<Watched, ApiError> {
        let (events, mut heard) = Events::channel();
        let mut telling = Box::pin(
            self.door
                .call_telling::<RunEvents>(self.wanted(true), events),
        );
        let mut settling = Box::pin(self.door.call::<RunSettle>(self.by()));
        let mut cancelling = None;
        let mut told = false;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let shown = loop {
            tokio::select! {
                biased;
                asked = self.signals.next() => {
                    if self.cancelled {
                        return Ok(Watched::BrokenOff);
                    }
                    if asked == End::Terminate {
                        return Ok(Watched::Interrupted);
                    }
                    self.cancelled = true;
                    self.out.aside("\nCancelling: calls in flight get two seconds. Ctrl-C once more ends at once.");
                    cancelling = Some(Box::pin(self.door.call::<RunCancel>(self.by())));
                }
                Some(event) = heard.recv() => self.follower.event(&event),
                ended = &mut telling, if !told => {
                    told = true;
                    ended?;
                }
                cancelled = async { cancelling.as_mut().expect("guarded").await }, if cancelling.is_some() => {
                    cancelling = None;
                    match cancelled {
                        // It ended by itself a moment before.
                        Err(error) if error.code != ErrorCode::RunNotResumable => return Err(error),
                        _ => {}
                    }
                }
                shown = &mut settling => break shown?,
                _ = tick.tick(), if self.out.draws() => self.follower.tick(),
            }
        };
        drop(telling);
        while let Ok(event) = heard.try_recv() {
            self.follower.event(&event);
        }
        self.catch_up().await?;
        self.follower.rest();
        Ok(Watched::Still(Box::new(shown)))
    }

    /// What was written between the last event heard and the end.
    async fn catch_up(&mut self) -> Result<(), ApiError> {
        let (events, heard) = Events::channel();
        let telling = self
            .door
            .call_telling::<RunEvents>(self.wanted(false), events);
        let follower = &mut self.follower;
        drain(telling, heard, |event| follower.event(event)).await?;
        Ok(())
    }

    fn wanted(&self, follow: bool) -> EventsRequest {
        EventsRequest {
            run: self.run.clone(),
            from: self.follower.seen() + 1,
            follow,
            text: follow && !self.out.is_json(),
        }
    }
}

/// Hears everything a command tells, to its end.
pub(crate) async fn drain(
    telling: impl Future<Output = Result<EventsEnd, ApiError>>,
    mut heard: mpsc::Receiver<Event>,
    mut show: impl FnMut(&Event),
) -> Result<EventsEnd, ApiError> {
    let mut telling = Box::pin(telling);
    let ended = loop {
        tokio::select! {
            biased;
            Some(event) = heard.recv() => show(&event),
            ended = &mut telling => break ended,
        }
    };
    drop(telling);
    while let Ok(event) = heard.try_recv() {
        show(&event);
    }
    ended
}
