//! The table of presets as a whole, and servers recognised by what they answer.

use std::collections::BTreeSet;

use bwana_llm::presets::{
    ANSWER_MAX_BYTES, Answer, COMPATIBLE, all, by_id, dialect, for_endpoint, questions, recognise,
};
use bwana_llm::quirks::{IdRule, MaxTokensField, SchemaRule, SystemRule};
use bwana_llm::{Endpoint, Quirks};
use bwana_types::definition::Price;

use crate::fuzz::Random;

#[test]
fn every_provider_people_ask_for_is_there_once() {
    let ids: Vec<&str> = all().iter().map(|preset| preset.id).collect();
    for id in [
        "openai",
        "openai-responses",
        "anthropic",
        "google",
        "groq",
        "openrouter",
        "deepseek",
        "mistral",
        "xai",
        "together",
        "fireworks",
        "ollama",
        "lm-studio",
        "llama-cpp",
        "vllm",
        "anythingllm",
        "compatible",
    ] {
        assert_eq!(ids.iter().filter(|known| **known == id).count(), 1, "{id}");
        assert_eq!(by_id(id).unwrap().id, id);
    }
    assert_eq!(ids.len(), 17);
    assert_eq!(ids.last(), Some(&COMPATIBLE));
    assert_eq!(by_id("nobody"), None);
}

#[test]
fn every_line_is_well_formed() {
    let titles: BTreeSet<&str> = all().iter().map(|preset| preset.title).collect();
    assert_eq!(titles.len(), all().len());
    for preset in all() {
        let id = preset.id;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        assert!(id.bytes().all(plain), "{id}");
        let is_hosted = !preset.domain.is_empty();
        if let Some(url) = preset.key.url {
            let is_page = url.starts_with("https://") || !is_hosted;
            assert!(is_page, "{id}: {url}");
        }
        assert!(!is_hosted || preset.key.needed, "{id}");
        for line in preset.prices {
            let model = line.model;
            let digits = line.as_of.replace('-', "");
            assert_eq!((line.as_of.len(), digits.len()), (10, 8), "{id} {model}");
            assert!(line.source.starts_with("https://"), "{id} {model}");
            assert!(line.input_per_mtok.0 > 0 && line.output_per_mtok.0 > 0);
            assert!(!model.contains('*'), "{id}: a price is for one model");
        }
        for line in preset.contexts {
            assert!(line.tokens >= 1_024, "{id} {}", line.model);
            assert!(line.source.starts_with("https://"), "{id} {}", line.model);
        }
        serde_json::to_value(preset).unwrap();
    }
}

#[test]
fn addresses_are_understood_and_lead_back_to_their_preset() {
    for preset in all().iter().filter(|preset| preset.id != COMPATIBLE) {
        let version = dialect(preset.dialect).map_or("v1", |dialect| dialect.version());
        let endpoint = Endpoint::new(preset.base_url, version).unwrap();
        let joined = endpoint.join("x");
        assert_eq!(joined.as_str(), format!("{}/x", preset.base_url));
        let found = for_endpoint(&endpoint, preset.dialect);
        if preset.domain.is_empty() {
            assert!(endpoint.is_loopback());
            assert_eq!(found, None, "{}", preset.id);
        } else {
            assert_eq!(found.map(|found| found.id), Some(preset.id));
            assert!(!endpoint.is_plain_http());
            let quirks = Quirks::for_dialect(&endpoint, preset.dialect);
            assert_eq!(quirks, preset.quirks);
        }
    }
    let other = Endpoint::new("https://api.openai.com/v1", "v1").unwrap();
    assert_eq!(for_endpoint(&other, "anthropic"), None);
    let alike = Endpoint::new("https://evilopenai.com/v1", "v1").unwrap();
    assert_eq!(for_endpoint(&alike, "openai_chat"), None);
    let behind = Endpoint::new("https://openai.com.evil.example/v1", "v1").unwrap();
    assert_eq!(for_endpoint(&behind, "openai_chat"), None);
}

#[test]
fn dialects_are_named_by_their_ids() {
    for id in ["openai_chat", "openai_responses", "ollama"] {
        assert_eq!(dialect(id).unwrap().id(), id);
    }
    assert!(dialect("nobody").is_none());
    let known = ["anthropic", "gemini"];
    for preset in all() {
        let id = preset.dialect;
        assert!(known.contains(&id) || dialect(id).is_some(), "{id}");
    }
}

#[test]
fn the_quirks_of_known_providers() {
    let quirks = |id: &str| by_id(id).unwrap().quirks.clone();
    assert_eq!(
        quirks("openai").max_tokens_field,
        MaxTokensField::MaxCompletionTokens
    );
    assert_eq!(quirks("openai-responses").schema, SchemaRule::Strict);
    assert_eq!(quirks("mistral").tool_id, IdRule::Nine);
    assert_eq!(quirks("deepseek").schema, SchemaRule::JsonObject);
    assert_eq!(quirks("groq"), Quirks::default());
    let ollama = quirks("ollama");
    assert_eq!(ollama.num_ctx, Some(8_192));
    assert_eq!(ollama.system, SystemRule::FirstOnly);
    assert!(!ollama.idle_pool);
    let endpoint = Endpoint::new("http://127.0.0.1:11434", "api").unwrap();
    assert_eq!(Quirks::for_dialect(&endpoint, "ollama"), ollama);
    for id in ["lm-studio", "llama-cpp", "vllm", "anythingllm", COMPATIBLE] {
        assert_eq!(quirks(id), Quirks::local_server());
    }
}

#[test]
fn a_price_is_for_exactly_one_model_and_unknown_otherwise() {
    let openai = by_id("openai").unwrap();
    let line = openai.list_price("gpt-6-sol").unwrap();
    let cost = |tokens| line.price(tokens).cost(1_000_000, 1_000_000);
    assert_eq!(cost(272_000).unwrap().0, 12_000_000);
    assert_eq!(line.price(272_001), Price::default());
    assert_eq!(openai.context_tokens("gpt-6-sol"), Some(1_050_000));
    for name in ["gpt-6-sol-2026", "GPT-6-sol", "gpt-6", "*", ""] {
        assert_eq!(openai.list_price(name), None, "{name}");
        assert_eq!(openai.context_tokens(name), None, "{name}");
    }
    assert_eq!(
        by_id("ollama").unwrap().list_price("gpt-6-sol"),
        None,
        "a price belongs to its provider"
    );
}

#[track_caller]
fn check(path: &str, body: &str, expected: Option<&str>) {
    let answer = |status| {
        let body = body.as_bytes();
        let answer = Answer { path, status, body };
        recognise(&answer).map(|preset| preset.id)
    };
    assert_eq!(answer(200), expected, "{path} {body}");
    assert_eq!(answer(404), None, "{path} {body}");
}

#[test]
fn servers_are_recognised_by_what_they_answer() {
    check("/api/version", r#"{"version":"0.21.3"}"#, Some("ollama"));
    check(
        "/lmstudio-greeting",
        r#"{"lmstudio":true}"#,
        Some("lm-studio"),
    );
    check(
        "/props",
        r#"{"default_generation_settings":{"n_ctx":65536,"params":{}},"total_slots":4,"model_path":"/m.gguf","chat_template":"...","build_info":"b8681"}"#,
        Some("llama-cpp"),
    );
    check(
        "/v1/models",
        r#"{"models":[],"object":"list","data":[{"id":"m.gguf","object":"model","created":1,"owned_by":"llamacpp","meta":{"n_ctx_train":32768}}]}"#,
        Some("llama-cpp"),
    );
    check(
        "/v1/models",
        r#"{"object":"list","data":[{"id":"Qwen/Qwen2.5-0.5B-Instruct","object":"model","created":1790147847,"owned_by":"vllm","max_model_len":2048}]}"#,
        Some("vllm"),
    );
    check("/api/ping", r#"{"online":true}"#, Some("anythingllm"));
    check(
        "/v1/models",
        r#"{"object":"list","data":[{"id":"llama3.2:latest","object":"model","owned_by":"library"}]}"#,
        Some(COMPATIBLE),
    );
}

#[test]
fn strangers_are_nobody() {
    // LM Studio and others say 200 to everything.
    let unexpected = r#"{"error":"Unexpected endpoint or method. (GET /api/version)"}"#;
    for path in ["/api/version", "/props", "/api/ping", "/v1/models"] {
        check(path, unexpected, None);
        check(path, "<html>It works!</html>", None);
        check(path, "", None);
        check(path, "null", None);
        check(path, "[]", None);
        check(path, "\"Ollama is running\"", None);
    }
    check("/api/version", r#"{"version":7}"#, None);
    check("/api/version", r#"{"version":""}"#, None);
    check("/lmstudio-greeting", r#"{"lmstudio":"true"}"#, None);
    check("/props", r#"{"default_generation_settings":[]}"#, None);
    check("/api/ping", r#"{"online":false}"#, None);
    check("/v1/models", r#"{"object":"list","data":[]}"#, None);
    // The right answer to another question is no answer.
    check("/version", r#"{"version":"0.9.1"}"#, None);
    check("/api/tags", r#"{"version":"0.21.3"}"#, None);
    let long = format!(r#"{{"version":"{}"}}"#, "9".repeat(ANSWER_MAX_BYTES));
    check("/api/version", &long, None);
    let deep = "[".repeat(100_000);
    check("/api/version", &deep, None);
}

#[test]
fn no_answer_makes_recognising_panic() {
    let paths: Vec<&str> = questions().iter().map(|question| question.path).collect();
    let seeds = [
        r#"{"version":"0.21.3"}"#,
        r#"{"data":[{"id":"m","owned_by":"vllm"}]}"#,
        r#"{"default_generation_settings":{}}"#,
    ];
    let mut random = Random::new(3);
    for _ in 0..20_000 {
        let mut body = seeds[random.below(seeds.len())].as_bytes().to_vec();
        for _ in 0..=random.below(3) {
            crate::fuzz::hurt(&mut body, b"{\"data\":null}", &mut random);
        }
        let path = paths[random.below(paths.len())];
        let _ = recognise(&Answer {
            path,
            status: 200,
            body: &body,
        });
    }
}

#[test]
fn only_usual_places_on_this_machine_are_asked() {
    let questions = questions();
    let shown: Vec<String> = questions
        .iter()
        .map(|question| format!("{} {}{}", question.preset, question.origin, question.path))
        .collect();
    assert_eq!(
        shown,
        [
            "ollama http://127.0.0.1:11434/api/version",
            "lm-studio http://127.0.0.1:1234/lmstudio-greeting",
            "llama-cpp http://127.0.0.1:8080/props",
            "llama-cpp http://127.0.0.1:8080/v1/models",
            "vllm http://127.0.0.1:8000/v1/models",
            "anythingllm http://127.0.0.1:3001/api/ping",
        ]
    );
}
