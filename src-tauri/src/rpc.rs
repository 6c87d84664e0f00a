//! The one command a page may call. What it may do is judged here by the window it comes from, and by the command table
//! for the person at the window; a page cannot say who it is.

use bwana_api::{Caller, Ctx, Events};
use bwana_types::error::{ApiError, ErrorCode};
use serde_json::{Value, json};
use tauri::ipc::Channel;
use tauri::{AppHandle, State, WebviewWindow};

use crate::own;
use crate::shell::Shell;
use crate::windows::Kind;

/// Bytes of a request; the largest is an answer or a definition file.
const PARAMS_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Of one that carries a file of a person's; as base64 it is longer than the file.
const FILE_PARAMS_MAX_BYTES: usize = 96 * 1024 * 1024;
const WITH_FILE: &[&str] = &["run.import_text", "shell.save"];

/// What the quick window may call: ask, watch and answer. Everything else is done where there is room to look.
const QUICK: &[&str] = &[
    "agents.list",
    "ask",
    "call.partial",
    "changes.ack",
    "changes.tune",
    "changes.watch",
    "drafts.get",
    "drafts.set",
    "grants.list",
    "grants.undo",
    "home.show",
    "plan.preview",
    "run.cancel",
    "run.list",
    "run.show",
    "run.start",
    "run.start_plan",
    "run.window",
    "settings.show",
    "shell.cancel",
    "shell.copy",
    "shell.hide",
    "shell.links",
    "shell.open",
    "shell.ready",
    "shell.watch",
    "usage.today",
];

fn may(kind: Kind, name: &str) -> bool {
    kind != Kind::Quick || name.starts_with("tasks.") || QUICK.contains(&name)
}

/// Calls a command of the table, or one of the shell's own (`shell.…`). `call` is the page's number for it, with which
/// it can be cancelled; `events` hears what a command tells while it works.
#[tauri::command]
pub(crate) async fn rpc(
    handle: AppHandle,
    window: WebviewWindow,
    shell: State<'_, Shell>,
    name: String,
    params: Value,
    call: u64,
    events: Channel<Value>,
) -> Result<Value, ApiError> {
    let label = window.label();
    if !may(Kind::of(label), &name) {
        let message = "this window only asks, watches and answers";
        return Err(ApiError::new(ErrorCode::PolicyNotYours, message));
    }
    let with_file = WITH_FILE.contains(&name.as_str());
    let most = [PARAMS_MAX_BYTES, FILE_PARAMS_MAX_BYTES][usize::from(with_file)];
    if params.to_string().len() > most {
        let message = format!("a request may have {most} bytes");
        return Err(ApiError::new(ErrorCode::UsageInvalid, message));
    }
    if name == "shell.cancel" {
        let call = params["call"].as_u64().unwrap_or_default();
        shell.calls.cancel(label, call);
        return Ok(Value::Null);
    }
    let Some(dropped) = shell.calls.begin(label, call) else {
        let message = "this window has too many requests under way";
        return Err(ApiError::new(ErrorCode::UsageInvalid, message));
    };
    let work = async {
        match name.strip_prefix("shell.") {
            // In the same dress as an answer of the table; the shell's own have no place in the feed.
            Some(own) => own::command(&handle, &window, &shell, own, params, &events)
                .await
                .map(|value| json!({ "value": value })),
            None => table(&shell, &name, params, &events).await,
        }
    };
    tokio::select! {
        answer = work => {
            shell.calls.end(label, call);
            answer
        }
        // Nobody hears this any more.
        () = dropped.wait() => Err(ApiError::new(ErrorCode::UsageInvalid, "the request was withdrawn")),
    }
}

async fn table(
    shell: &Shell,
    name: &str,
    params: Value,
    events: &Channel<Value>,
) -> Result<Value, ApiError> {
    let (told, mut heard) = Events::channel();
    let ctx = Ctx {
        caller: Caller::LocalUi,
        events: told,
    };
    let pass_on = async {
        while let Some(event) = heard.recv().await {
            let event = serde_json::to_value(event).unwrap_or_default();
            if events.send(event).is_err() {
                return;
            }
        }
    };
    let (answer, ()) = tokio::join!(shell.app.dispatch_at(ctx, name, params), pass_on);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_window_asks_watches_and_answers_and_nothing_else() {
        for name in [
            "run.start_plan",
            "tasks.approve",
            "changes.watch",
            "shell.hide",
        ] {
            assert!(may(Kind::Quick, name), "{name}");
        }
        for name in [
            "providers.add",
            "settings.set",
            "agents.edit",
            "secrets.show",
            "shell.quit",
            "run.fork",
        ] {
            assert!(!may(Kind::Quick, name), "{name}");
            assert!(may(Kind::Main, name) && may(Kind::Run, name), "{name}");
        }
    }
}
