//! The presets themselves. Addresses, key pages, prices and contexts are facts of the providers' own pages; a line
//! without a source does not belong here.

use std::sync::LazyLock;

use bwana_types::money::MicroUsd;

use super::local::{Must, Sign};
use super::{COMPATIBLE, ContextSize, Key, ListPrice, Preset};
use crate::anthropic::ANTHROPIC;
use crate::gemini::GEMINI;
use crate::ollama::OLLAMA;
use crate::openai_chat::OPENAI_CHAT;
use crate::openai_responses::OPENAI_RESPONSES;
use crate::quirks::{IdRule, MaxTokensField, Quirks, SchemaRule};

pub(super) static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    let mut presets = hosted();
    presets.extend(local());
    presets
});

/// What most presets have in common.
fn hosted_at(
    (id, title): (&'static str, &'static str),
    (base_url, domain): (&'static str, &'static str),
    key_url: &'static str,
) -> Preset {
    Preset {
        id,
        title,
        base_url,
        dialect: OPENAI_CHAT,
        domain,
        quirks: Quirks::default(),
        key: Key {
            needed: true,
            url: Some(key_url),
        },
        prices: &[],
        contexts: &[],
        signs: &[],
    }
}

fn hosted() -> Vec<Preset> {
    let mut presets = Vec::from(openai());
    presets.extend(first_party());
    presets.extend(gateways());
    presets
}

/// Both of OpenAI's interfaces. Its newest models call tools over responses only.
fn openai() -> [Preset; 2] {
    const KEYS: &str = "https://platform.openai.com/api-keys";
    let named = |id, title| {
        let at = ("https://api.openai.com/v1", "openai.com");
        Preset {
            quirks: Quirks {
                max_tokens_field: MaxTokensField::MaxCompletionTokens,
                schema: SchemaRule::Strict,
                ..Quirks::default()
            },
            prices: OPENAI_PRICES,
            contexts: OPENAI_CONTEXTS,
            ..hosted_at((id, title), at, KEYS)
        }
    };
    [
        named("openai", "OpenAI"),
        Preset {
            dialect: OPENAI_RESPONSES,
            ..named("openai-responses", "OpenAI (responses)")
        },
    ]
}

/// Other providers of their own models.
fn first_party() -> Vec<Preset> {
    vec![
        Preset {
            dialect: ANTHROPIC,
            quirks: Quirks {
                schema: SchemaRule::Strict,
                ..Quirks::default().ordered()
            },
            prices: ANTHROPIC_PRICES,
            contexts: ANTHROPIC_CONTEXTS,
            ..hosted_at(
                ("anthropic", "Anthropic"),
                ("https://api.anthropic.com/v1", "anthropic.com"),
                "https://platform.claude.com/settings/keys",
            )
        },
        Preset {
            dialect: GEMINI,
            quirks: Quirks::default().ordered(),
            ..hosted_at(
                ("google", "Google"),
                (
                    "https://generativelanguage.googleapis.com/v1beta",
                    "generativelanguage.googleapis.com",
                ),
                "https://aistudio.google.com/apikey",
            )
        },
        Preset {
            quirks: Quirks {
                echo_reasoning: Some(String::from("reasoning_content")),
                schema: SchemaRule::JsonObject,
                ..Quirks::default()
            },
            contexts: DEEPSEEK_CONTEXTS,
            ..hosted_at(
                ("deepseek", "DeepSeek"),
                ("https://api.deepseek.com/v1", "deepseek.com"),
                "https://platform.deepseek.com/api_keys",
            )
        },
        Preset {
            quirks: Quirks {
                tool_id: IdRule::Nine,
                // It knows the seed under another name and refuses fields it does not know.
                omit: [String::from("seed")].into(),
                usage_option: false,
                ..Quirks::default()
            },
            ..hosted_at(
                ("mistral", "Mistral"),
                ("https://api.mistral.ai/v1", "mistral.ai"),
                "https://console.mistral.ai/api-keys",
            )
        },
        Preset {
            prices: XAI_PRICES,
            contexts: XAI_CONTEXTS,
            ..hosted_at(
                ("xai", "xAI"),
                ("https://api.x.ai/v1", "x.ai"),
                "https://console.x.ai",
            )
        },
    ]
}

/// Providers of other people's models.
fn gateways() -> Vec<Preset> {
    vec![
        Preset {
            prices: GROQ_PRICES,
            contexts: GROQ_CONTEXTS,
            ..hosted_at(
                ("groq", "Groq"),
                ("https://api.groq.com/openai/v1", "groq.com"),
                "https://console.groq.com/keys",
            )
        },
        hosted_at(
            ("openrouter", "OpenRouter"),
            ("https://openrouter.ai/api/v1", "openrouter.ai"),
            "https://openrouter.ai/settings/keys",
        ),
        Preset {
            prices: TOGETHER_PRICES,
            ..hosted_at(
                ("together", "Together"),
                ("https://api.together.ai/v1", "together.ai"),
                "https://api.together.ai/settings/api-keys",
            )
        },
        hosted_at(
            ("fireworks", "Fireworks"),
            ("https://api.fireworks.ai/inference/v1", "fireworks.ai"),
            "https://app.fireworks.ai/settings/users/api-keys",
        ),
    ]
}

/// What servers on this machine have in common.
fn served_at(
    id: &'static str,
    title: &'static str,
    base_url: &'static str,
    signs: &'static [Sign],
) -> Preset {
    Preset {
        id,
        title,
        base_url,
        dialect: OPENAI_CHAT,
        domain: "",
        quirks: Quirks::local_server(),
        key: Key {
            needed: false,
            url: None,
        },
        prices: &[],
        contexts: &[],
        signs,
    }
}

/// Room for an agent's instructions, tools and a few turns, at about 1 GiB beside a model of eight billion parameters
/// (32 layers of 8 heads of 128 numbers of 2 bytes, twice, a token).
const OLLAMA_NUM_CTX: u32 = 8_192;

fn local() -> Vec<Preset> {
    vec![
        Preset {
            dialect: OLLAMA,
            quirks: Quirks {
                num_ctx: Some(OLLAMA_NUM_CTX),
                echo_reasoning: Some(String::from("thinking")),
                ..Quirks::local_server()
            },
            ..served_at(
                "ollama",
                "Ollama",
                "http://127.0.0.1:11434/api",
                OLLAMA_SIGNS,
            )
        },
        served_at(
            "lm-studio",
            "LM Studio",
            "http://127.0.0.1:1234/v1",
            LM_STUDIO_SIGNS,
        ),
        served_at(
            "llama-cpp",
            "llama.cpp server",
            "http://127.0.0.1:8080/v1",
            LLAMA_CPP_SIGNS,
        ),
        served_at("vllm", "vLLM", "http://127.0.0.1:8000/v1", VLLM_SIGNS),
        Preset {
            key: Key {
                needed: true,
                // Its own settings page, on whatever port it runs.
                url: Some("http://127.0.0.1:3001/settings/api-keys"),
            },
            ..served_at(
                "anythingllm",
                "AnythingLLM",
                "http://127.0.0.1:3001/api/v1/openai",
                ANYTHING_LLM_SIGNS,
            )
        },
        served_at(
            COMPATIBLE,
            "Any OpenAI-compatible server",
            "",
            COMPATIBLE_SIGNS,
        ),
    ]
}

/// llama.cpp's server answers `/api/tags` as well, so only the version tells.
const OLLAMA_SIGNS: &[Sign] = &[Sign {
    path: "/api/version",
    must: &[Must::Text("/version")],
}];
/// An unknown path is a 200 with an error here, so the content tells and never the status.
const LM_STUDIO_SIGNS: &[Sign] = &[Sign {
    path: "/lmstudio-greeting",
    must: &[Must::True("/lmstudio")],
}];
const LLAMA_CPP_SIGNS: &[Sign] = &[
    Sign {
        path: "/props",
        must: &[Must::Object("/default_generation_settings")],
    },
    Sign {
        path: "/v1/models",
        must: &[Must::Word("/data/0/owned_by", "llamacpp")],
    },
];
const VLLM_SIGNS: &[Sign] = &[Sign {
    path: "/v1/models",
    must: &[Must::Word("/data/0/owned_by", "vllm")],
}];
/// Its lists want a key; its ping does not.
const ANYTHING_LLM_SIGNS: &[Sign] = &[Sign {
    path: "/api/ping",
    must: &[Must::True("/online")],
}];
const COMPATIBLE_SIGNS: &[Sign] = &[Sign {
    path: "/v1/models",
    must: &[Must::Text("/data/0/id")],
}];

/// Micro-dollars for so many cents.
const fn cents(cents: i64) -> MicroUsd {
    MicroUsd(cents * 10_000)
}

const fn list_price(
    model: &'static str,
    (input_per_mtok, output_per_mtok): (MicroUsd, MicroUsd),
    as_of: &'static str,
    source: &'static str,
) -> ListPrice {
    ListPrice {
        model,
        input_per_mtok,
        output_per_mtok,
        up_to_input_tokens: None,
        as_of,
        source,
    }
}

const fn context(model: &'static str, tokens: u32, source: &'static str) -> ContextSize {
    ContextSize {
        model,
        tokens,
        source,
    }
}

const GPT_6_SOL: &str = "https://developers.openai.com/api/docs/models/gpt-6-sol";
const OPENAI_PRICES: &[ListPrice] = &[ListPrice {
    up_to_input_tokens: Some(272_000),
    ..list_price(
        "gpt-6-sol",
        (cents(200), cents(1_000)),
        "2026-10-13",
        GPT_6_SOL,
    )
}];
const OPENAI_CONTEXTS: &[ContextSize] = &[context("gpt-6-sol", 1_050_000, GPT_6_SOL)];

const OPUS_5: &str = "https://platform.claude.com/docs/en/models/opus-5/overview";
const SONNET_5: &str = "https://platform.claude.com/docs/en/models/sonnet-5/overview";
const ANTHROPIC_PRICES: &[ListPrice] = &[
    list_price(
        "claude-opus-5",
        (cents(500), cents(2_500)),
        "2026-07-24",
        OPUS_5,
    ),
    list_price(
        "claude-sonnet-5",
        (cents(200), cents(1_000)),
        "2026-07-24",
        SONNET_5,
    ),
];
const ANTHROPIC_CONTEXTS: &[ContextSize] = &[
    context("claude-opus-5", 1_000_000, OPUS_5),
    context("claude-sonnet-5", 1_000_000, SONNET_5),
];

/// Its prices depend on the hour since August 2026, which a price a token cannot say; so they are unknown.
const DEEPSEEK: &str = "https://api-docs.deepseek.com/quick_start/pricing";
const DEEPSEEK_CONTEXTS: &[ContextSize] = &[
    context("deepseek-v4-flash", 1_000_000, DEEPSEEK),
    context("deepseek-v4-pro", 1_000_000, DEEPSEEK),
];

const XAI: &str = "https://docs.x.ai/developers/models";
const XAI_PRICES: &[ListPrice] = &[
    list_price("grok-4.5", (cents(200), cents(600)), "2026-07-13", XAI),
    list_price("grok-4.3", (cents(125), cents(250)), "2026-07-13", XAI),
];
const XAI_CONTEXTS: &[ContextSize] = &[
    context("grok-4.5", 500_000, XAI),
    context("grok-4.3", 1_000_000, XAI),
];

const GROQ: &str = "https://console.groq.com/docs/models";
const GROQ_PRICES: &[ListPrice] = &[list_price(
    "openai/gpt-oss-120b",
    (cents(15), cents(60)),
    "2026-05-19",
    GROQ,
)];
const GROQ_CONTEXTS: &[ContextSize] = &[context("openai/gpt-oss-120b", 131_072, GROQ)];

const TOGETHER_PRICES: &[ListPrice] = &[list_price(
    "openai/gpt-oss-120b",
    (cents(15), cents(60)),
    "2026-05-19",
    "https://docs.together.ai/docs/serverless-models",
)];
