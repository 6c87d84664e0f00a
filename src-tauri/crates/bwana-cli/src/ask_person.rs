//! A question to the person, answered at the terminal.

use bwana_api::command::{TasksAnswer, TasksApprove, TasksDeny, TasksResolve};
use bwana_api::tasks::{AnswerRequest, DenyRequest, Outcome, ResolveRequest, TaskRef, TaskShown};
use bwana_types::error::{ApiError, ErrorCode};
use bwana_types::task::Ask;

use crate::door::Door;
use crate::follow::visible;
use crate::out::Out;

/// Asks, and hands the answer on. `false`: the person wants to answer later.
pub(crate) async fn ask(door: &Door, out: &Out, task: &TaskShown) -> Result<bool, ApiError> {
    show(out, task);
    let id = || task.id.to_string();
    loop {
        let answer = read_line(prompt(&task.ask)).await?;
        let answer = answer.trim();
        let word = answer.to_lowercase();
        if word == "later" || word == "l" {
            return Ok(false);
        }
        match &task.ask {
            Ask::Answer { .. } if !answer.is_empty() => {
                door.call::<TasksAnswer>(AnswerRequest {
                    task: id(),
                    text: answer.to_owned(),
                })
                .await?;
                return Ok(true);
            }
            Ask::Uncertain { .. } => {
                let outcome = match word.as_str() {
                    "d" | "done" => Outcome::Happened,
                    "a" | "again" => Outcome::SendAgain,
                    "g" | "give up" => Outcome::GiveUp,
                    _ => continue,
                };
                let request = ResolveRequest {
                    task: id(),
                    outcome,
                    note: String::new(),
                };
                door.call::<TasksResolve>(request).await?;
                return Ok(true);
            }
            Ask::Answer { .. } => {}
            Ask::Approve { .. } | Ask::Plan { .. } | Ask::Price { .. } => match word.as_str() {
                "y" | "yes" => {
                    door.call::<TasksApprove>(TaskRef { task: id() }).await?;
                    return Ok(true);
                }
                "n" | "no" => {
                    door.call::<TasksDeny>(DenyRequest {
                        task: id(),
                        reason: String::new(),
                    })
                    .await?;
                    return Ok(true);
                }
                _ => {}
            },
        }
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
        Ask::Answer { agent, question } => format!("{agent} asks: {}", visible(question)),
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
        Ask::Price { .. } | Ask::Answer { .. } => {}
    }
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

async fn read_line(prompt: &'static str) -> Result<String, ApiError> {
    let read = tokio::task::spawn_blocking(move || {
        use std::io::Write;
        let mut stderr = std::io::stderr();
        stderr.write_all(prompt.as_bytes())?;
        stderr.flush()?;
        let mut line = String::new();
        let bytes = std::io::stdin().read_line(&mut line)?;
        // The end of the input is no answer.
        std::io::Result::Ok(if bytes == 0 {
            String::from("later")
        } else {
            line
        })
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
