//! The path of a model call, step by step: which model is meant, whose it is, where its key is, whether anybody is there,
//! what it costs, and through which proxy it goes. Facts as codes and values; the words are the host's.

use std::time::Duration;

use bwana_config::{LOCAL_PROVIDER, ProviderSettings, Settings};
use bwana_types::definition::Price;
use bwana_types::secret::SecretError;
use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::{Finding, FindingStatus};
use crate::app::App;
use crate::hub;

/// A provider that takes longer than this to take a connection is not one to work with now.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// Providers that are looked at; far more than anybody has.
const PROVIDERS_MAX: usize = 64;
/// Variables by which people send the traffic of programs through a proxy, the first that is set counts.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// How the model for everything that names none is found: every step in its order, and which of them was taken.
pub(super) fn default_steps(app: &App) -> Vec<Finding> {
    let settings = app.settings();
    let chosen = settings
        .default_model
        .clone()
        .filter(|chosen| chosen != "default");
    let first = settings.providers.first().map(|one| one.name.clone());
    let built_in = app.hub().local().chosen().map(|file| file.name);
    let steps = [
        ("chosen", chosen),
        ("first_provider", first),
        (
            "built_in",
            built_in.map(|file| format!("{LOCAL_PROVIDER}/{file}")),
        ),
    ];
    let mut is_taken = false;
    let mut found = Vec::new();
    for (at, (step, value)) in steps.into_iter().enumerate() {
        let outcome = match (&value, is_taken) {
            (None, _) => "empty",
            (Some(_), true) => "not_needed",
            (Some(_), false) => "taken",
        };
        is_taken |= value.is_some();
        let finding = Finding::coded("default", FindingStatus::Ok, "model.step");
        found.push(
            finding
                .with("number", at + 1)
                .with("step", step)
                .with("outcome", outcome)
                .with("value", value.unwrap_or_default()),
        );
    }
    found
}

/// Every provider: its key, whether somebody takes a connection, and what it costs. Nothing is sent, so nothing costs.
pub(super) async fn providers(app: &App) -> Vec<Finding> {
    let settings = app.settings();
    let proxy = proxy_variable();
    let looks = settings.providers.iter().take(PROVIDERS_MAX);
    join_all(looks.map(|one| provider(app, &settings, one, proxy))).await
}

async fn provider(
    app: &App,
    settings: &Settings,
    one: &ProviderSettings,
    proxy: Option<&'static str>,
) -> Finding {
    let (key, why) = key(app, one).await;
    let reach = if proxy.is_some() && !one.is_loopback() {
        String::from("proxy")
    } else {
        reach(one).await
    };
    let known = hub::known_price(one);
    let price = match known.price {
        price if !price.is_known() => "unknown",
        Price::FREE => "free",
        _ if known.as_of.is_some() => "published",
        _ => "given",
    };
    let status = match (key, reach.as_str()) {
        ("none" | "found", "answers" | "proxy") => FindingStatus::Ok,
        _ => FindingStatus::Warning,
    };
    let is_first = settings
        .providers
        .first()
        .is_some_and(|first| first.name == one.name);
    Finding::coded("provider", status, "provider.state")
        .with("provider", &one.name)
        .with("address", &one.base_url)
        .with("model", one.model.as_deref().unwrap_or_default())
        .with("key", key)
        .with(
            "key_at",
            one.key
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        )
        .with("why", why)
        .with("reach", reach)
        .with("price", price)
        .with("price_as_of", known.as_of.unwrap_or_default())
        .with("first", is_first)
}

/// `none`, `found`, `missing`, `locked` or `unavailable`, and why if it cannot be had.
async fn key(app: &App, one: &ProviderSettings) -> (&'static str, String) {
    let Some(key) = one.key.clone() else {
        return ("none", String::new());
    };
    let secrets = app.secrets().clone();
    // A keyring may wait for a person.
    let got = tokio::task::spawn_blocking(move || secrets.get(&key).map(drop)).await;
    match got {
        Ok(Ok(())) => ("found", String::new()),
        Ok(Err(error)) => {
            let state = match &error {
                SecretError::NotFound { .. } => "missing",
                SecretError::Locked { .. } => "locked",
                SecretError::Unavailable { .. } | SecretError::Failed { .. } => "unavailable",
            };
            (state, error.to_string())
        }
        Err(error) => ("unavailable", error.to_string()),
    }
}

/// `answers`, `refused`, `silent`, `no_name` (the host is unknown) or `bad_address`.
async fn reach(one: &ProviderSettings) -> String {
    let Ok(endpoint) = hub::endpoint(one) else {
        return String::from("bad_address");
    };
    let url = endpoint.join("");
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return String::from("bad_address");
    };
    let host = host.trim_matches(['[', ']']).to_owned();
    let until = Instant::now() + CONNECT_MAX;
    let looked = timeout(CONNECT_MAX, tokio::net::lookup_host((host, port))).await;
    let Ok(Ok(addresses)) = looked else {
        return String::from("no_name");
    };
    let mut answer = "no_name";
    for address in addresses {
        match tokio::time::timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return String::from("answers"),
            Ok(Err(_)) => answer = "refused",
            Err(_) => return String::from("silent"),
        }
    }
    answer.to_owned()
}

/// Through which proxy providers elsewhere are reached. Servers on this machine never are.
pub(super) fn proxy() -> Finding {
    match proxy_variable() {
        None => Finding::coded("proxy", FindingStatus::Ok, "proxy.none"),
        // Its address may hold a password, so it is not repeated.
        Some(variable) => {
            Finding::coded("proxy", FindingStatus::Note, "proxy.used").with("variable", variable)
        }
    }
}

fn proxy_variable() -> Option<&'static str> {
    PROXY_VARIABLES
        .into_iter()
        .find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}
