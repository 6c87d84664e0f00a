//! Commands about providers: set one up, try it, see what it cost.

use bwana_api::HostOptions;
use bwana_api::command::{
    ProvidersAdd, ProvidersList, ProvidersPresets, ProvidersRemove, ProvidersRetry, ProvidersTest,
    ProvidersUsage,
};
use bwana_api::definitions::Nothing;
use bwana_api::providers::{
    AddRequest, NameRef, PresetShown, ProviderShown, ProviderStatus, StandingState, TestRequest,
};
use bwana_api::secrets::SecretText;
use bwana_api::usage::{UsageLine, UsageRequest};
use bwana_types::error::{ApiError, ErrorCode, ExitCode as Ends};
use bwana_types::model::Probe;

use crate::args::{self, Providers};
use crate::door::{once, once_where_work_is};
use crate::lists::table;
use crate::out::Out;
use crate::secrets;

pub(crate) async fn command(
    host: &HostOptions,
    out: &Out,
    providers: &Providers,
) -> Result<Ends, ApiError> {
    match providers {
        Providers::List => {
            let list = once_where_work_is::<ProvidersList>(host, Nothing {}).await?;
            print_list(out, &list.providers);
        }
        Providers::Presets => {
            let list = once::<ProvidersPresets>(host, Nothing {}).await?;
            list.presets.iter().for_each(|preset| out.json(preset));
            let rows: Vec<Vec<String>> = list.presets.iter().map(preset_row).collect();
            table(out, &["id", "name", "kind", "address", "key"], &rows);
        }
        Providers::Add(add) => {
            if add.key_stdin {
                secrets::make_ready(host).await?;
            }
            let shown = once::<ProvidersAdd>(host, add_request(add)?).await?;
            out.json(&shown);
            let word = if shown.replaced { "changed" } else { "added" };
            out.line(&format!(
                "{} {word}. Try it with `bwana providers test {}`.",
                shown.id, shown.id
            ));
        }
        Providers::Test { name, model } => {
            let request = TestRequest {
                name: name.clone(),
                model: model.clone(),
            };
            let report = once::<ProvidersTest>(host, request).await?;
            out.json(&report);
            out.line(&probe_text(out, &report.probe));
            if let Some(code) = report.code {
                return Ok(code.exit_code());
            }
        }
        Providers::Remove { name } => {
            let shown = once::<ProvidersRemove>(host, NameRef { name: name.clone() }).await?;
            out.json(&shown);
            out.line(&format!("{} removed", shown.id));
            if shown.key_left_behind {
                out.line(&out.warn(
                    "its key may still be where secrets were kept, which cannot be reached now",
                ));
            }
        }
        Providers::Usage { name, days } => usage(host, out, name.clone(), *days).await?,
        Providers::Retry { name } => {
            let request = NameRef { name: name.clone() };
            let shown = once::<ProvidersRetry>(host, request).await?;
            out.json(&shown);
            out.line(&match shown.was_left_alone {
                true => format!("{name} is asked again at once"),
                false => format!("{name} was not being left alone"),
            });
        }
    }
    Ok(Ends::Done)
}

async fn usage(
    host: &HostOptions,
    out: &Out,
    name: Option<String>,
    days: Option<u32>,
) -> Result<(), ApiError> {
    let report = once::<ProvidersUsage>(host, UsageRequest { name, days }).await?;
    report.lines.iter().for_each(|line| out.json(line));
    let rows: Vec<Vec<String>> = report.lines.iter().map(usage_row).collect();
    let columns = [
        "provider",
        "model",
        "answered",
        "broken",
        "tokens in",
        "cached",
        "tokens out",
        "USD",
    ];
    table(out, &columns, &rows);
    let mut notes = Vec::new();
    if report.lines.iter().any(|line| line.estimated) {
        notes
            .push("≈ holds estimates: an answer broke off, or the provider said nothing of tokens");
    }
    if report.lines.iter().any(|line| line.unpriced > 0) {
        notes.push("+ ? leaves calls out whose price nobody knows");
    }
    for note in notes {
        out.line(&out.dim(note));
    }
    Ok(())
}

fn usage_row(line: &UsageLine) -> Vec<String> {
    let about = if line.estimated { "≈ " } else { "" };
    let more = if line.unpriced > 0 { " + ?" } else { "" };
    vec![
        line.provider.clone(),
        line.model.clone(),
        line.answered.to_string(),
        line.broken.to_string(),
        format!("{about}{}", line.input_tokens),
        line.cached_tokens.to_string(),
        format!("{about}{}", line.output_tokens),
        format!("{}{more}", line.cost.0),
    ]
}

fn add_request(add: &args::ProviderAdd) -> Result<AddRequest, ApiError> {
    let key = if add.key_stdin {
        Some(SecretText(secrets::ask("The key (it is not shown): ")?))
    } else {
        None
    };
    Ok(AddRequest {
        name: add.name.clone(),
        preset: add.preset.clone(),
        kind: add.kind.clone(),
        base_url: add.base_url.clone(),
        key_env: add.key_env.clone(),
        key,
        model: add.model.clone(),
        price_in: add.price_in.clone(),
        price_out: add.price_out.clone(),
        context: add.context,
        small: add.small,
        constrained_tools: add.constrained_tools,
    })
}

fn preset_row(preset: &PresetShown) -> Vec<String> {
    let address = match preset.base_url.as_str() {
        "" => "yours, with --base-url",
        url => url,
    };
    let key = match &preset.key_url {
        Some(url) => url.clone(),
        None if preset.needs_key => String::from("needed"),
        None => String::from("none"),
    };
    vec![
        preset.id.clone(),
        preset.title.clone(),
        preset.kind.clone(),
        address.to_owned(),
        key,
    ]
}

/// Two lines each, so that nothing is cut in a narrow terminal; a third where something is wrong.
fn print_list(out: &Out, providers: &[ProviderShown]) {
    providers.iter().for_each(|provider| out.json(provider));
    if out.is_json() {
        return;
    }
    if providers.is_empty() {
        out.line(&out.dim("none; `bwana providers presets` shows those this program knows"));
    }
    let widest = providers.iter().map(|one| one.id.chars().count()).max();
    let width = widest.unwrap_or(0).max(8);
    let indent = " ".repeat(width + 2);
    for one in providers {
        let model = one.model.as_deref().unwrap_or("no model named");
        let default = if one.is_default { ", the default" } else { "" };
        out.line(&format!(
            "{:<width$}  {}, {model}{default}",
            one.id,
            standing(out, one)
        ));
        let key = match (&one.key, one.status) {
            (None, _) => String::from("needs no key"),
            (Some(key), ProviderStatus::Ready) => format!("key in {key}"),
            (Some(key), ProviderStatus::NoKey) => format!("no key in {key}"),
        };
        let line = format!("{}, {key}, {}", one.base_url, price_words(one));
        out.line(&out.dim(&format!("{indent}{}", crate::stage::visible(&line))));
        if let Some((code, words)) = last_error(one) {
            let words = crate::stage::visible(words);
            out.line(&out.warn(&format!("{indent}last error {code}: {words}")));
        }
    }
}

fn standing(out: &Out, provider: &ProviderShown) -> String {
    if provider.status == ProviderStatus::NoKey {
        return out.warn("no key");
    }
    let until = |until: Option<bwana_api::Time>| {
        until.map_or_else(String::new, |time| {
            format!(" until {}", time.0.to_rfc3339())
        })
    };
    match &provider.standing {
        None => String::from("not asked yet"),
        Some(standing) => match standing.state {
            StandingState::Works => out.good("works"),
            StandingState::Refuses => out.warn("answers, and refuses"),
            StandingState::Paused => out.warn(&format!("paused{}", until(standing.until))),
            StandingState::CircuitOpen => out.warn(&format!("left alone{}", until(standing.until))),
        },
    }
}

fn last_error(provider: &ProviderShown) -> Option<(ErrorCode, &str)> {
    let standing = provider.standing.as_ref()?;
    let words = standing.last_failure.as_deref().unwrap_or_default();
    Some((standing.last_error?, words))
}

fn price_words(provider: &ProviderShown) -> String {
    match (provider.price_in, provider.price_out) {
        (Some(price_in), Some(price_out)) => {
            let date = provider.price_as_of.as_deref();
            let date = date.map_or_else(String::new, |day| format!(" ({day})"));
            format!("USD {} in, {} out per Mtok{date}", price_in.0, price_out.0)
        }
        _ => String::from("price unknown"),
    }
}

/// The three answers of a connection test.
fn probe_text(out: &Out, probe: &Probe) -> String {
    match probe {
        Probe::Works {
            model,
            said,
            latency_ms,
            asked,
        } => {
            format!(
                "{} {model} answered in {latency_ms} ms: {}\n  asked: {asked}",
                out.good("works"),
                crate::stage::visible(said)
            )
        }
        Probe::Rejected { words, asked, .. } => {
            format!(
                "{} in its own words: {}\n  asked: {asked}",
                out.warn("rejected"),
                crate::stage::visible(words)
            )
        }
        Probe::Unreachable { cause, asked } => format!(
            "{}: {cause}\n  asked: {asked}",
            out.warn("could not be reached")
        ),
    }
}
