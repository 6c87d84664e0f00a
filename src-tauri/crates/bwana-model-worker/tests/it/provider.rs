//! The provider the engine uses, on a real worker with a real model.

use std::sync::Arc;
use std::time::Duration;

use bwana_llm::Provider;
use bwana_llm::local::LocalProvider;
use bwana_types::message::{Message, Part, Role, Stop, ToolCall, text_of};
use bwana_types::model::{
    Delta, ErrorKind, LlmError, Outcome, OutputSchema, Probe, Request, ToolChoice, ToolDecl,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::{options, provider, test_model};

fn request(text: &str, max_output_tokens: u32) -> Request {
    let mut request = Request::new(
        "test",
        vec![
            Message::text(Role::System, "You help a small company in Nairobi."),
            Message::text(Role::User, text),
        ],
    );
    request.max_output_tokens = max_output_tokens;
    request.seed = Some(3);
    request
}

async fn ask(provider: &LocalProvider, request: &Request) -> (Result<Outcome, LlmError>, String) {
    let mut shown = String::new();
    let result = Provider::complete(provider, request, &mut |delta| {
        if let Delta::Text(text) = delta {
            shown.push_str(&text);
        }
    })
    .await;
    (result, shown)
}

fn price_tool() -> ToolDecl {
    ToolDecl {
        name: "get_price".into(),
        description: "The price of an article in shillings.".into(),
        parameters: json!({"type": "object", "properties": {"article": {"type": "string", "maxLength": 20}}, "required": ["article"], "additionalProperties": false}),
    }
}

#[tokio::test]
async fn text_streams_and_the_outcome_holds_it_again() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let provider = provider(model);
    let (outcome, shown) = ask(&provider, &request("What is a market?", 24)).await;
    let outcome = outcome.unwrap();
    assert!(!shown.is_empty());
    assert_eq!(&*text_of(&outcome.parts), shown);
    let usage = outcome.usage.unwrap();
    assert!(usage.input_tokens > 10 && usage.output_tokens > 0 && !usage.estimated);
    assert!(matches!(outcome.stop, Some(Stop::Done | Stop::Length)));
    assert!(outcome.meta.first_token_after.is_some());
}

#[tokio::test]
async fn a_schema_gives_json_of_that_schema() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let provider = provider(model);
    let mut request = request(
        "Who should speak next: Ada, who sells, or Bob, who counts?",
        40,
    );
    request.schema = Some(OutputSchema {
        name: "next".into(),
        schema: json!({"type": "object", "properties": {"speaker": {"enum": ["ada", "bob"]}}, "required": ["speaker"]}),
    });
    let (outcome, shown) = ask(&provider, &request).await;
    let value: Value = serde_json::from_str(&text_of(&outcome.unwrap().parts)).unwrap();
    assert!(["ada", "bob"].contains(&value["speaker"].as_str().unwrap()));
    assert_eq!(value, serde_json::from_str::<Value>(&shown).unwrap());
}

#[tokio::test]
async fn a_tool_that_must_be_used_is_called_with_arguments_of_its_schema() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let provider = provider(model);
    let mut request = request("What does a lamp cost?", 64);
    request.tools = vec![price_tool()];
    request.tool_choice = ToolChoice::Required;
    let mut started = None;
    let mut args = String::new();
    let outcome = Provider::complete(&provider, &request, &mut |delta| match delta {
        Delta::ToolStart { id, name, .. } => started = Some((id, name)),
        Delta::ToolArgs { piece, .. } => args.push_str(&piece),
        Delta::Text(text) => panic!("said {text}"),
        _ => {}
    })
    .await
    .unwrap();
    let [Part::ToolCall(call)] = outcome.parts.as_slice() else {
        panic!("{:?}", outcome.parts);
    };
    let (id, name) = started.unwrap();
    assert_eq!(
        (&*call.id, &*call.name, &*call.args),
        (&*id, &*name, &*args)
    );
    assert_eq!(name, "get_price");
    let value: Value = serde_json::from_str(&args).unwrap();
    assert!(value["article"].is_string(), "{value}");
    assert!(matches!(outcome.stop, Some(Stop::ToolCalls | Stop::Length)));
}

#[tokio::test]
async fn a_free_choice_ends_in_words_or_a_call_and_a_result_is_answered() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let provider = provider(model);
    let mut request = request("What does a lamp cost?", 64);
    request.tools = vec![price_tool()];
    request.messages.extend([
        Message::new(
            Role::Assistant,
            vec![Part::ToolCall(ToolCall {
                id: "call_1".into(),
                name: "get_price".into(),
                args: r#"{"article":"lamp"}"#.into(),
                opaque: None,
            })],
        ),
        Message::new(
            Role::Tool,
            vec![Part::ToolResult {
                id: "call_1".into(),
                name: "get_price".into(),
                content: "350".into(),
                is_error: false,
            }],
        ),
    ]);
    let (outcome, shown) = ask(&provider, &request).await;
    let outcome = outcome.unwrap();
    match outcome.parts.as_slice() {
        [Part::Text { text }] => assert_eq!(&**text, shown),
        [Part::ToolCall(call)] => assert_eq!(&*call.name, "get_price"),
        other => panic!("{other:?}"),
    }
    assert!(!shown.contains("{\"say\""), "{shown}");
}

#[tokio::test]
async fn a_tool_and_a_schema_together_give_one_or_the_other() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let provider = provider(model);
    let mut request = request("Is a lamp cheap?", 48);
    request.tools = vec![price_tool()];
    request.schema = Some(OutputSchema {
        name: "verdict".into(),
        schema: json!({"type": "object", "properties": {"cheap": {"type": "boolean"}}, "required": ["cheap"]}),
    });
    for seed in 1..=3 {
        request.seed = Some(seed);
        let parts = ask(&provider, &request).await.0.unwrap().parts;
        match parts.as_slice() {
            [Part::Text { text }] => {
                let value: Value = serde_json::from_str(text).unwrap();
                assert!(value["cheap"].is_boolean(), "{value}");
            }
            [Part::ToolCall(call)] => assert_eq!(&*call.name, "get_price"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_equal_request_gets_another_id_and_may_get_another_answer() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let provider = provider(model);
    let mut request = request("What does a lamp cost?", 64);
    request.seed = None;
    request.tools = vec![price_tool()];
    request.tool_choice = ToolChoice::Named("get_price".into());
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..3 {
        match ask(&provider, &request).await.0.unwrap().parts.as_slice() {
            [Part::ToolCall(call)] => assert!(ids.insert(call.id.clone())),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn calls_queue_up_and_each_gets_its_own_answer() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let provider = provider(model);
    let answers: Vec<_> = ["Say one.", "Say two.", "Say three."]
        .map(|text| {
            let provider = provider.clone();
            tokio::spawn(async move { ask(&provider, &request(text, 12)).await })
        })
        .into_iter()
        .collect();
    for answer in answers {
        let (outcome, shown) = answer.await.unwrap();
        assert_eq!(&*text_of(&outcome.unwrap().parts), shown);
    }
    #[cfg(target_os = "linux")]
    assert_eq!(crate::support::workers().len(), 1);
}

#[tokio::test]
async fn a_dropped_call_is_cancelled_and_the_next_one_is_not_disturbed() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let provider = provider(model);
    let begun = Arc::new(Notify::new());
    let call = tokio::spawn({
        let (provider, begun) = (provider.clone(), Arc::clone(&begun));
        async move {
            let request = request("Tell me a very long story about the sea.", 1_500);
            Provider::complete(&provider, &request, &mut |delta| {
                if matches!(delta, Delta::Text(_)) {
                    begun.notify_one();
                }
            })
            .await
        }
    });
    begun.notified().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    // Were the story not cancelled, this would wait for all of it; and none of it may be seen here.
    let mut constrained = request("Go.", 16);
    constrained.schema = Some(OutputSchema {
        name: "x".into(),
        schema: json!({"const": "only this"}),
    });
    let (outcome, shown) = ask(&provider, &constrained).await;
    assert_eq!(shown, "\"only this\"");
    assert_eq!(outcome.unwrap().stop, Some(Stop::Done));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_worker_killed_in_mid_answer_gives_a_typed_error_with_the_partial_and_is_replaced() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let provider = provider(model);
    let mut shown = String::new();
    let story = request("Tell me a very long story about the sea.", 1_500);
    let error = Provider::complete(&provider, &story, &mut |delta| {
        if let Delta::Text(text) = delta {
            if shown.is_empty() {
                let pid = crate::support::workers()[0].to_string();
                let killed = std::process::Command::new("kill")
                    .args(["-9", &pid])
                    .status();
                assert!(killed.unwrap().success());
            }
            shown.push_str(&text);
        }
    })
    .await
    .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted);
    assert!(error.message.contains("signal 9"), "{error}");
    assert_eq!(&*text_of(&error.partial.parts), shown);
    assert!(!shown.is_empty() && error.partial.stop.is_none());
    let (outcome, _) = ask(&provider, &request("Say hello.", 8)).await;
    outcome.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_idle_worker_is_let_go_and_comes_back_when_needed() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let mut options = options(model);
    options.idle_unload = Duration::from_millis(200);
    let provider = LocalProvider::new(options);
    for _ in 0..2 {
        ask(&provider, &request("Say hello.", 4)).await.0.unwrap();
        while !crate::support::workers().is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_last_provider_takes_its_worker_with_it() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let provider = provider(model);
    ask(&provider, &request("Say hello.", 4)).await.0.unwrap();
    assert_eq!(crate::support::workers().len(), 1);
    drop(provider.clone());
    assert_eq!(crate::support::workers().len(), 1);
    drop(provider);
    while !crate::support::workers().is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn errors_of_a_request_leave_the_worker_alone() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let provider = provider(model);
    let error = ask(&provider, &request(&"word ".repeat(5_000), 8))
        .await
        .0
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::ContextTooLong);
    let mut bad = request("Go.", 8);
    bad.schema = Some(OutputSchema {
        name: "bad".into(),
        schema: json!({"type": "string", "pattern": "x"}),
    });
    let error = ask(&provider, &bad).await.0.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
    assert!(
        error.message.contains("'bad'") && error.message.contains("#/pattern"),
        "{error}"
    );
    ask(&provider, &request("Say hello.", 4)).await.0.unwrap();
}

#[tokio::test]
async fn the_connection_test_has_three_answers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.gguf");
    std::fs::write(&file, "hello").unwrap();
    let nothing = LocalProvider::new(bwana_llm::local::LocalOptions::new(
        folder.path().join("none"),
    ));
    match Provider::probe(&nothing, None).await {
        Probe::Rejected { kind, words, .. } => {
            assert_eq!(kind, ErrorKind::NotFound);
            assert!(words.contains("models pull"), "{words}");
        }
        other => panic!("{other:?}"),
    }
    match Provider::probe(&provider(file.clone()), None).await {
        Probe::Rejected { words, .. } => {
            assert!(
                words.contains("not a GGUF") || words.contains("no built-in model"),
                "{words}"
            );
        }
        other => panic!("{other:?}"),
    }
    let mut lost = options(file);
    lost.worker = Some(folder.path().join("no-such-program"));
    match Provider::probe(&LocalProvider::new(lost), None).await {
        Probe::Unreachable { cause, .. } => assert!(cause.contains("no-such-program"), "{cause}"),
        other => panic!("{other:?}"),
    }
    let Some((model, _one)) = test_model() else {
        return;
    };
    match Provider::probe(&provider(model), None).await {
        Probe::Works { said, .. } => assert!(!said.is_empty()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn installed_files_are_listed_and_others_are_not_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.gguf"), "GGUF").unwrap();
    let provider = LocalProvider::new(bwana_llm::local::LocalOptions::new(folder.path()));
    let models = Provider::models(&provider).await.unwrap();
    assert_eq!(models.len(), 1);
    assert_eq!(models[0].id, "mine");
    for name in ["other", "../mine", "smollm2-135m-instruct"] {
        let mut request = request("Hi", 4);
        request.model = name.into();
        let error = ask(&provider, &request).await.0.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{name}");
    }
}

#[tokio::test]
async fn a_worker_that_speaks_nonsense_or_dies_at_once_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.gguf");
    std::fs::write(&file, "GGUF").unwrap();
    for (program, kind) in [
        ("/bin/true", ErrorKind::Server),
        ("/bin/cat", ErrorKind::Malformed),
    ] {
        if !std::path::Path::new(program).exists() {
            continue;
        }
        let mut options = options(file.clone());
        options.worker = Some(program.into());
        let provider = LocalProvider::new(options);
        let error = ask(&provider, &request("Hi", 4)).await.0.unwrap_err();
        assert_eq!(error.kind, kind, "{program}: {error}");
    }
}

#[tokio::test]
async fn texts_are_embedded_in_order() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    let provider = provider(model);
    let texts: Vec<String> = (0..70).map(|n| format!("Text number {}", n % 35)).collect();
    let embedded = Provider::embed(&provider, "test", &texts).await.unwrap();
    assert_eq!(embedded.vectors.len(), 70);
    assert_eq!(embedded.vectors[0], embedded.vectors[35]);
    assert_ne!(embedded.vectors[0], embedded.vectors[1]);
    assert!(embedded.usage.unwrap().input_tokens > 70);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn two_models_take_turns_in_memory_and_a_short_memory_holds_only_one() {
    let Some((model, _one)) = test_model() else {
        return;
    };
    for (free_memory, workers) in [
        ((|| Some(u64::MAX)) as bwana_llm::local::FreeMemory, 2),
        (|| Some(0), 1),
        (|| None, 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for name in ["first", "second"] {
            let file = folder.path().join(format!("{name}.gguf"));
            std::os::unix::fs::symlink(&model, file).unwrap();
        }
        let mut options = options(model.clone());
        options.only_file = None;
        options.models = folder.path().to_owned();
        options.free_memory = free_memory;
        let provider = LocalProvider::new(options);
        for name in ["first", "second", "first"] {
            let mut request = request("Say hello.", 4);
            request.model = name.into();
            ask(&provider, &request).await.0.unwrap();
        }
        assert_eq!(crate::support::workers().len(), workers);
        let speeds = bwana_llm::local::speed::read(folder.path());
        let calls: Vec<u64> = speeds.values().map(|speed| speed.calls).collect();
        assert_eq!(calls, [2, 1]);

        // What is in memory is held, so that nobody deletes it.
        let is_free = || {
            let file = std::fs::File::open(folder.path().join("first.gguf.use")).unwrap();
            file.try_lock().is_ok()
        };
        assert!(!is_free());
        provider.unload().await;
        assert!(is_free());
    }
}
