//! A question to the person, answered at the terminal.

use bwana_api::command::{TasksAnswer, TasksApprove, TasksDeny, TasksResolve};
use bwana_api::tasks::{AnswerRequest, DenyRequest, Outcome, ResolveRequest, TaskRef, TaskShown};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::task::Ask;

use crate::door::Door;
use crate::out::Out;
use crate::signals::{End, Signals};
use crate::stage::visible;

/// What came of asking.
pub(crate) enum Answered {
    Yes,
    /// The person wants to answer another time.
    Later,
    /// Instead of an answer came the wish that this ends.
    Asked(End),
}

/// Asks, and hands the answer on.
pub(crate) async fn ask(
    door: &Door,
    out: &Out,
    task: &TaskShown,
    signals: &mut Signals,
) -> Result<Answered, ApiError> {
    show(out, task);
    loop {
        let line = tokio::select! {
            line = read_line(out, prompt(&task.ask)) => line?,
            end = signals.next() => return Ok(Answered::Asked(end)),
        };
        // The end of the input is no answer.
        let Some(line) = line else {
            return Ok(Answered::Later);
        };
        let answer = line.trim();
        if matches!(answer.to_lowercase().as_str(), "later" | "l") {
            return Ok(Answered::Later);
        }
        if hand_on(door, task, answer).await? {
            return Ok(Answered::Yes);
        }
    }
}

/// `false`: that is no answer to this question.
async fn hand_on(door: &Door, task: &TaskShown, answer: &str) -> Result<bool, ApiError> {
    let id = task.id.to_string();
    let word = answer.to_lowercase();
    match &task.ask {
        Ask::Answer { .. } if answer.is_empty() => return Ok(false),
        Ask::Answer { .. } => {
            let request = AnswerRequest {
                task: id,
                text: answer.to_owned(),
            };
            door.call::<TasksAnswer>(request).await?;
        }
        Ask::Uncertain { .. } => {
            let Some(outcome) = outcome(&word) else {
                return Ok(false);
            };
            let request = ResolveRequest {
                task: id,
                outcome,
                note: String::new(),
            };
            door.call::<TasksResolve>(request).await?;
        }
        Ask::Approve { .. } | Ask::Plan { .. } | Ask::Price { .. } => match word.as_str() {
            "y" | "yes" => {
                door.call::<TasksApprove>(TaskRef { task: id }.into())
                    .await?;
            }
            "n" | "no" => {
                let request = DenyRequest {
                    task: id,
                    reason: String::new(),
                    ..DenyRequest::default()
                };
                door.call::<TasksDeny>(request).await?;
            }
            _ => return Ok(false),
        },
    }
    Ok(true)
}

/// What became of an effect that may have happened, as people say it.
pub(crate) fn outcome(word: &str) -> Option<Outcome> {
    match word {
        "d" | "done" | "happened" => Some(Outcome::Happened),
        "a" | "again" | "send again" | "send-again" => Some(Outcome::SendAgain),
        "g" | "give up" | "give-up" | "giveup" => Some(Outcome::GiveUp),
        _ => None,
    }
}

/// What is asked, in full: a person decides on exactly this.
pub(crate) fn show(out: &Out, task: &TaskShown) {
    let head = match &task.ask {
        Ask::Approve {
            tool, agent, why, ..
        } => format!("{agent} wants to use {tool}. {}", visible(why)),
        Ask::Plan { step, .. } => format!("Step '{step}' is about to start."),
        Ask::Uncertain { tool, why, .. } => format!("{tool} may have happened: {}", visible(why)),
        Ask::Price { provider, model } => {
            format!("Nobody knows what {provider}/{model} costs, and money is limited.")
        }
        Ask::Answer {
            agent, question, ..
        } => format!("{agent} asks: {}", indented(question)),
    };
    out.line(&format!("\n{} {head}", out.warn("?")));
    match &task.ask {
        Ask::Approve { preview, args, .. } => {
            out.line(&format!("    {}", visible(preview)));
            out.line(&format!("    {}", out.dim(&visible(args))));
        }
        Ask::Uncertain { args, .. } => out.line(&format!("    {}", out.dim(&visible(args)))),
        Ask::Plan { agents, tools, .. } => {
            out.line(&format!(
                "    at work: {}; tools: {}",
                agents.join(", "),
                none_or(tools)
            ));
        }
        Ask::Answer { choices, .. } => {
            for choice in choices {
                out.line(&format!("    - {}", visible(choice)));
            }
        }
        Ask::Price { .. } => {}
    }
}

/// An agent's words over several lines, none of which can pass for one of ours.
fn indented(text: &str) -> String {
    visible(text).replace('\n', "\n    ")
}

fn none_or(names: &[String]) -> String {
    if names.is_empty() {
        String::from("none")
    } else {
        names.join(", ")
    }
}

fn prompt(ask: &Ask) -> &'static str {
    match ask {
        Ask::Approve { .. } | Ask::Plan { .. } => "  yes, no or later? ",
        Ask::Price { .. } => "  go on under token limits alone? yes, no or later? ",
        Ask::Uncertain { .. } => {
            "  it is done, send it again, or give up? done, again, give up or later? "
        }
        Ask::Answer { .. } => "  your answer (or later): ",
    }
}

/// A line from the terminal; `None` at its end. Read on a thread of its own, so that Ctrl-C is heard meanwhile: one that
/// is never answered ends with the process.
async fn read_line(out: &Out, prompt: &'static str) -> Result<Option<String>, ApiError> {
    out.prompt(prompt);
    let (done, read) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let bytes = std::io::stdin().read_line(&mut line);
        // Nobody waits any more: the answer came too late.
        let _ = done.send(bytes.map(|bytes| (bytes > 0).then_some(line)));
    });
    let failed = |why: String| {
        ApiError::new(
            ErrorCode::UsageInvalid,
            format!("the answer cannot be read: {why}"),
        )
    };
    read.await
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(error.to_string()))
}
