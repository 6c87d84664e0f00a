//! The scripted model through the provider trait, on paused time.

use std::sync::Arc;
use std::time::Duration;

use bwana_llm::Provider;
use bwana_testkit::script::mark_in;
use bwana_testkit::{Fault, Faults, Script, ScriptedModel};
use bwana_types::message::{Message, Part, Role, Stop, text_of};
use bwana_types::model::{Delta, ErrorKind, LlmError, Outcome, Phase, Request, ToolDecl};
use serde_json::json;

fn request(text: &str) -> Request {
    let mut request = Request::new("m", vec![Message::text(Role::User, text)]);
    request.tools.push(ToolDecl {
        name: String::from("webhook.send"),
        description: String::new(),
        parameters: json!({}),
    });
    request
}

async fn ask(model: &ScriptedModel, request: &Request) -> (Result<Outcome, LlmError>, String) {
    let mut said = String::new();
    let mut sink = |delta| {
        if let Delta::Text(text) = delta {
            said.push_str(&text);
        }
    };
    let outcome = model.complete(request, &mut sink).await;
    (outcome, said)
}

fn failing(kinds: Vec<Fault>) -> ScriptedModel {
    ScriptedModel::new(Script::default()).with_faults(Faults {
        seed: 1,
        per_mille: 1_000,
        attempts_max: 1,
        kinds,
    })
}

#[tokio::test(start_paused = true)]
async fn deltas_add_up_to_the_answer_and_time_passes_as_asked() {
    let pace = Duration::from_millis(100);
    let model = ScriptedModel::new(Script::default()).with_pace(pace, pace, 3);
    let started = tokio::time::Instant::now();
    let (outcome, said) = ask(&model, &request("hi")).await;
    let outcome = outcome.unwrap();
    assert_eq!(*text_of(&outcome.parts), *said);
    assert!(mark_in(&said).is_some());
    assert_eq!(outcome.stop, Some(Stop::Done));
    assert_eq!(started.elapsed(), 4 * pace);
}

#[tokio::test(start_paused = true)]
async fn a_tool_is_called_once_and_the_next_answer_speaks() {
    let script = Script::default().calls_once("webhook.send", json!({"n": 1}));
    let model = ScriptedModel::new(script);
    let mut request = request("hi");
    let outcome = ask(&model, &request).await.0.unwrap();
    let [Part::ToolCall(call)] = outcome.parts.as_slice() else {
        panic!("{:?}", outcome.parts);
    };
    assert_eq!((&*call.name, &*call.args), ("webhook.send", r#"{"n":1}"#));
    let result = Part::ToolResult {
        id: Arc::clone(&call.id),
        name: Arc::clone(&call.name),
        content: "sent".into(),
        is_error: false,
    };
    request
        .messages
        .push(Message::new(Role::Assistant, outcome.parts.clone()));
    let dangling = ask(&model, &request).await.0.unwrap_err();
    assert_eq!(dangling.kind, ErrorKind::BadRequest);
    request
        .messages
        .push(Message::new(Role::Tool, vec![result]));
    assert_eq!(
        ask(&model, &request).await.0.unwrap().stop,
        Some(Stop::Done)
    );
}

#[tokio::test(start_paused = true)]
async fn every_fault_is_the_error_it_stands_for_and_happens_once() {
    for (fault, kind) in [
        (Fault::rate_limited(7), ErrorKind::RateLimited),
        (Fault::out_of_quota(), ErrorKind::Quota),
        (Fault::unauthorised(), ErrorKind::Auth),
        (Fault::server_error(), ErrorKind::Server),
        (Fault::overloaded(), ErrorKind::Overloaded),
        (Fault::context_too_long(), ErrorKind::ContextTooLong),
        (Fault::Close, ErrorKind::Unreachable),
        (Fault::EarlyEnd, ErrorKind::Interrupted),
        (Fault::Malformed, ErrorKind::Malformed),
        (Fault::Silence, ErrorKind::Timeout(Phase::FirstEvent)),
    ] {
        let model = failing(vec![fault.clone()]);
        let error = ask(&model, &request("hi")).await.0.unwrap_err();
        assert_eq!(error.kind, kind, "{fault:?}");
        assert!(ask(&model, &request("hi")).await.0.is_ok(), "{fault:?}");
    }
    let error = ask(&failing(vec![Fault::rate_limited(7)]), &request("hi"))
        .await
        .0;
    assert_eq!(error.unwrap_err().retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test(start_paused = true)]
async fn a_broken_stream_keeps_what_was_said_at_every_byte() {
    let whole = ask(&ScriptedModel::new(Script::default()), &request("hi"))
        .await
        .1;
    for at in 0..whole.len() {
        let model = failing(vec![Fault::Cut {
            after_bytes: Some(at),
        }]);
        let (outcome, said) = ask(&model, &request("hi")).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Interrupted);
        assert_eq!(*text_of(&error.partial.parts), whole[..at]);
        assert_eq!(said, whole[..at]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_is_counted_so() {
    let model =
        ScriptedModel::new(Script::default()).with_pace(Duration::from_mins(1), Duration::ZERO, 0);
    let request = request("hi");
    let mut sink = |_| {};
    let call = model.complete(&request, &mut sink);
    assert!(
        tokio::time::timeout(Duration::from_secs(1), call)
            .await
            .is_err()
    );
    let counts = model.counts();
    assert_eq!(
        (counts.requests, counts.dropped, counts.in_flight),
        (1, 1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn faults_of_the_answer_change_its_calls() {
    let model = |fault| {
        ScriptedModel::new(Script::default().calls_once("webhook.send", json!({}))).with_faults(
            Faults {
                seed: 1,
                per_mille: 1_000,
                attempts_max: 1,
                kinds: vec![fault],
            },
        )
    };
    let calls = |outcome: Outcome| -> Vec<(String, String, String)> {
        let calls = outcome.parts.into_iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some((
                call.id.to_string(),
                call.name.to_string(),
                call.args.to_string(),
            )),
            _ => None,
        });
        calls.collect()
    };
    let ids = calls(
        ask(&model(Fault::WrongIds), &request("hi"))
            .await
            .0
            .unwrap(),
    );
    assert!(["", "call_same"].contains(&ids[0].0.as_str()));
    let garbage = calls(
        ask(&model(Fault::GarbageArguments), &request("hi"))
            .await
            .0
            .unwrap(),
    );
    assert!(serde_json::from_str::<serde_json::Value>(&garbage[0].2).is_err());
    let unknown = calls(
        ask(&model(Fault::UnknownTool), &request("hi"))
            .await
            .0
            .unwrap(),
    );
    assert_eq!(unknown[1].1, "no_such_tool");
    let silent = ask(&model(Fault::NoUsage), &request("hi")).await.0.unwrap();
    assert_eq!(silent.usage, None);
}
