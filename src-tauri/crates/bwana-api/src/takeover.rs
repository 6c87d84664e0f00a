//! Providers that a person already has: keys in the environment and model servers on this machine. What there is, is
//! listed by name; a value is read by nobody before the person has chosen it.

use bwana_llm::{Preset, presets};
use bwana_types::error::{ApiError, ErrorCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::command::Ctx;
use crate::definitions::Nothing;
use crate::doctor::servers::{Listening, listening};
use crate::providers::{AddRequest, add};
use crate::shape::shown;

/// Variables in which people keep keys, by the presets they are for; the first one that is set counts.
const VARIABLES: &[(&str, &[&str])] = &[
    ("openai", &["OPENAI_API_KEY"]),
    ("anthropic", &["ANTHROPIC_API_KEY"]),
    ("google", &["GEMINI_API_KEY", "GOOGLE_API_KEY"]),
    ("groq", &["GROQ_API_KEY"]),
    ("openrouter", &["OPENROUTER_API_KEY"]),
    ("deepseek", &["DEEPSEEK_API_KEY"]),
    ("mistral", &["MISTRAL_API_KEY"]),
    ("together", &["TOGETHER_API_KEY"]),
    ("xai", &["XAI_API_KEY"]),
    ("fireworks", &["FIREWORKS_API_KEY"]),
];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundProviders {
    /// Variables of this program's environment that are set. Their values were not read.
    pub variables: Vec<FoundVariable>,
    /// Servers that answered on this machine.
    pub servers: Vec<FoundServer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundVariable {
    pub variable: String,
    /// One of `providers.presets`.
    pub preset: String,
    pub title: String,
    /// Where its key would be sent.
    pub base_url: String,
    /// A provider that is set up for it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundServer {
    pub base_url: String,
    pub preset: String,
    pub title: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TakeOverRequest {
    /// Of `providers.found`.
    pub variables: Vec<String>,
    /// Addresses of servers of `providers.found`.
    pub servers: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TakenOver {
    pub added: Vec<Added>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Added {
    /// The provider's name.
    pub id: String,
    /// The model it was set up with; `null`: the person must choose one.
    pub model: Option<String>,
}

pub(crate) async fn found(app: &App, _ctx: Ctx, _: Nothing) -> Result<FoundProviders, ApiError> {
    let settings = app.settings();
    let variables = set_variables().map(|(variable, preset)| FoundVariable {
        variable: variable.to_owned(),
        preset: preset.id.to_owned(),
        title: preset.title.to_owned(),
        base_url: preset.base_url.to_owned(),
        provider: settings
            .providers
            .iter()
            .find(|one| one.base_url == preset.base_url)
            .map(|one| one.name.clone()),
    });
    let servers = listening(app).await.into_iter();
    Ok(FoundProviders {
        variables: variables.collect(),
        servers: servers
            .filter_map(|one| match one {
                Listening::Known { preset, base_url } => Some(FoundServer {
                    base_url,
                    preset: preset.id.to_owned(),
                    title: preset.title.to_owned(),
                }),
                Listening::Unknown { .. } => None,
            })
            .collect(),
    })
}

pub(crate) async fn take_over(
    app: &App,
    ctx: Ctx,
    request: TakeOverRequest,
) -> Result<TakenOver, ApiError> {
    let mut wanted = Vec::new();
    for variable in &request.variables {
        let preset = set_variables().find(|(name, _)| name == variable);
        let Some((name, preset)) = preset else {
            return Err(not_found("variable with a key", variable));
        };
        wanted.push((preset, preset.base_url.to_owned(), Some(name.to_owned())));
    }
    let servers = if request.servers.is_empty() {
        Vec::new()
    } else {
        listening(app).await
    };
    for server in &request.servers {
        let listens = servers.iter().find_map(|one| match one {
            Listening::Known { preset, base_url } if base_url == server => Some(*preset),
            _ => None,
        });
        let preset = listens.ok_or_else(|| not_found("server on this machine", server))?;
        wanted.push((preset, server.clone(), None));
    }
    let mut added = Vec::new();
    for (preset, base_url, key_env) in wanted {
        added.push(take(app, &ctx, preset, base_url, key_env).await?);
    }
    Ok(TakenOver { added })
}

fn not_found(what: &str, name: &str) -> ApiError {
    let message = format!("there is no {what} '{}' here now", shown(name));
    ApiError::new(ErrorCode::UsageNotFound, message).with_hint("Look again at what there is.")
}

async fn take(
    app: &App,
    ctx: &Ctx,
    preset: &'static Preset,
    base_url: String,
    key_env: Option<String>,
) -> Result<Added, ApiError> {
    let name = free_name(app, preset, &base_url);
    let request = |model: Option<String>| AddRequest {
        name: name.clone(),
        preset: Some(preset.id.to_owned()),
        base_url: (base_url != preset.base_url).then(|| base_url.clone()),
        key_env: key_env.clone(),
        model,
        ..AddRequest::default()
    };
    add(app, ctx.clone(), request(None)).await?;
    let model = model_of(app, preset, &name).await;
    if model.is_some() {
        add(app, ctx.clone(), request(model.clone())).await?;
    }
    Ok(Added { id: name, model })
}

/// A model whose price is known, if it offers one; else the first it offers. Of a hosted one that cannot be asked now,
/// the first whose price is known.
async fn model_of(app: &App, preset: &Preset, name: &str) -> Option<String> {
    let priced = preset.prices.iter().map(|line| line.model);
    let offered = match app.hub().provider(name) {
        Ok(provider) => provider.models().await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let is_offered = |model: &&str| offered.iter().any(|one| one.id == *model);
    if offered.is_empty() {
        return priced.map(str::to_owned).next();
    }
    let known = priced.clone().find(is_offered).map(str::to_owned);
    known.or_else(|| offered.first().map(|one| one.id.clone()))
}

/// The preset's own name, unless another provider has it.
fn free_name(app: &App, preset: &Preset, base_url: &str) -> String {
    let settings = app.settings();
    let is_free = |name: &str| {
        settings
            .provider(name)
            .is_none_or(|one| one.base_url == base_url)
    };
    let mut name = preset.id.to_owned();
    let mut number = 2;
    while !is_free(&name) {
        name = format!("{}-{number}", preset.id);
        number += 1;
    }
    name
}

/// Variables with keys for presets we know. Only whether they are set is looked at.
fn set_variables() -> impl Iterator<Item = (&'static str, &'static Preset)> {
    VARIABLES.iter().filter_map(|(id, names)| {
        let preset = presets::by_id(id)?;
        let is_set = |name: &&&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        Some((*names.iter().find(is_set)?, preset))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_belongs_to_a_preset() {
        for (id, names) in VARIABLES {
            assert!(presets::by_id(id).is_some(), "{id}");
            assert!(!names.is_empty(), "{id}");
        }
    }
}
