//! `bwana doctor`: the words for what the application found, one finding a paragraph, aligned, and no wider than the
//! terminal. What is looked at and how it is judged is not decided here.

use std::collections::BTreeMap;

use bwana_api::HostOptions;
use bwana_api::command::Doctor;
use bwana_api::definitions::Nothing;
use bwana_api::doctor::{Finding, FindingStatus};
use bwana_types::error::{ApiError, ExitCode as Ends};

use crate::door::once;
use crate::out::Out;
use crate::stage::visible;

/// Columns of the mark (`warning`) and of what was looked at, each with the space behind it.
const MARK_COLUMNS: usize = 9;
const ID_COLUMNS: usize = 14;
/// Narrower terminals get lines that they break themselves.
const TEXT_COLUMNS_MIN: usize = 30;
/// Longer lines are hard to read, however wide the terminal is.
const TEXT_COLUMNS_MAX: usize = 97;

pub(crate) async fn doctor(host: &HostOptions, out: &Out) -> Result<Ends, ApiError> {
    let report = once::<Doctor>(host, Nothing {}).await?;
    let columns = text_columns();
    let mut last = "";
    for finding in &report.findings {
        out.json(finding);
        // A name that stands right above is not repeated.
        let id = if finding.id == last { "" } else { &finding.id };
        print(out, finding, id, columns);
        last = &finding.id;
    }
    Ok(if report.ok { Ends::Done } else { Ends::Failed })
}

fn print(out: &Out, finding: &Finding, id: &str, columns: Option<usize>) {
    // Padded before it is coloured: what colours is no width.
    let mark = |word: &str| format!("{word:<MARK_COLUMNS$}");
    let mark = match finding.status {
        FindingStatus::Ok => out.good(&mark("ok")),
        FindingStatus::Note => out.dim(&mark("note")),
        FindingStatus::Warning => out.warn(&mark("warning")),
        FindingStatus::Broken => out.warn(&mark("broken")),
    };
    let (message, hint) = words(finding);
    let indent = " ".repeat(MARK_COLUMNS + ID_COLUMNS);
    let mut lines = wrapped(&visible(&message), columns).into_iter();
    let first = lines.next().unwrap_or_default();
    out.line(&format!("{mark}{id:<ID_COLUMNS$}{first}"));
    for line in lines {
        out.line(&format!("{indent}{line}"));
    }
    for line in hint
        .lines()
        .flat_map(|line| wrapped(&visible(line), columns))
    {
        out.line(&out.dim(&format!("{indent}{line}")));
    }
}

/// How wide the text may be; `None`: nobody reads it at a terminal, so a finding is one line.
fn text_columns() -> Option<usize> {
    let set = std::env::var("COLUMNS")
        .ok()
        .and_then(|text| text.parse().ok());
    let columns: usize = set.or_else(|| Some(usize::from(terminal_size::terminal_size()?.0.0)))?;
    let left = columns.checked_sub(MARK_COLUMNS + ID_COLUMNS)?;
    (left >= TEXT_COLUMNS_MIN).then_some(left.min(TEXT_COLUMNS_MAX))
}

/// Broken between words; a word that is too long for a line has one of its own, so that it can be copied.
fn wrapped(text: &str, columns: Option<usize>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let fits = |line: &String| {
            columns.is_none_or(|most| line.chars().count() + 1 + word.chars().count() <= most)
        };
        match lines.last_mut().filter(|line| fits(line)) {
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// What a finding says and what to do about it.
fn words(finding: &Finding) -> (String, String) {
    let get = |name: &str| of(&finding.params, name);
    match finding.code.as_str() {
        "model.step" => (step(&finding.params), String::new()),
        "provider.state" => provider(&finding.params),
        "proxy.none" => (
            String::from("none; providers are reached directly"),
            String::new(),
        ),
        "proxy.used" => (
            format!(
                "providers elsewhere are reached through the one in {}",
                get("variable")
            ),
            String::new(),
        ),
        "server.found" => (
            format!("{} answers at {}", get("title"), get("base_url")),
            format!(
                "Use it with: bwana providers add {0} --preset {0} --base-url {1} --model MODEL",
                get("preset"),
                get("base_url")
            ),
        ),
        "server.unknown" => (
            format!(
                "something listens on {}, and it is no model server this program knows",
                get("address")
            ),
            String::new(),
        ),
        // What a newer owner says to an older program, and what has words of its own.
        _ => (finding.message.clone(), finding.hint.clone()),
    }
}

fn of<'a>(params: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    params.get(name).map_or("", String::as_str)
}

fn step(params: &BTreeMap<String, String>) -> String {
    let get = |name: &str| of(params, name);
    let (what, none) = match get("step") {
        "chosen" => ("the model you chose", "none chosen"),
        "first_provider" => ("the first provider you added", "none added"),
        _ => ("a model on this machine", "none fetched"),
    };
    let outcome = match get("outcome") {
        "taken" => format!("{}, and it is used", get("value")),
        "not_needed" => format!("{}, not needed", get("value")),
        _ => none.to_owned(),
    };
    format!("{}. {what}: {outcome}", get("number"))
}

fn provider(params: &BTreeMap<String, String>) -> (String, String) {
    let get = |name: &str| of(params, name);
    let name = get("provider");
    let mut hints = Vec::new();
    let key_at = get("key_at");
    let key = match get("key") {
        "none" => String::from("needs no key"),
        "found" => format!("its key is in {key_at}"),
        "missing" => {
            hints.push(match key_at.strip_prefix("env:") {
                Some(variable) => format!("Set the variable {variable}, or give the key itself: bwana providers add {name} --key-stdin"),
                None => format!("Give it again: bwana providers add {name} --key-stdin"),
            });
            // Why says more than where: that the data folder was moved away from its keys.
            match (get("why"), key_at.starts_with("env:")) {
                (why, false) if !why.is_empty() => format!("its key is missing: {why}"),
                _ => format!("its key is missing: {key_at}"),
            }
        }
        "locked" => {
            hints.push(String::from("Open the place: bwana secrets unlock"));
            format!("its key is locked away in {key_at}")
        }
        _ => {
            hints.push(String::from(
                "See where keys can be kept: bwana secrets show",
            ));
            format!("its key cannot be had from {key_at} ({})", get("why"))
        }
    };
    let reach = match get("reach") {
        "answers" => String::from("takes connections"),
        "proxy" => String::from("reached through the proxy"),
        "bad_address" => String::from("its address cannot be used"),
        other => {
            hints.push(match other {
                "no_name" => {
                    String::from("Nobody knows this host: check the address and the network.")
                }
                "refused" => {
                    String::from("Nothing listens there: start the server, or check the port.")
                }
                _ => {
                    String::from("Nothing answers there: check the network, a firewall or a proxy.")
                }
            });
            String::from("cannot be reached")
        }
    };
    let price = match get("price") {
        "published" => format!("price known, published by {}", get("price_as_of")),
        "free" => String::from("costs nothing"),
        "given" => String::from("price known, as you gave it"),
        _ => String::from("price unknown"),
    };
    let model = match get("model") {
        "" => "no model named",
        model => model,
    };
    let address = get("address");
    (
        format!("{name}: {model} at {address}; {key}; {reach}; {price}"),
        hints.join("\n"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_long_words_stay_whole() {
        let cases = [
            ("", Some(10), vec![]),
            ("one two three", Some(9), vec!["one two", "three"]),
            (
                "one https://long.example.org x",
                Some(9),
                vec!["one", "https://long.example.org", "x"],
            ),
            ("one two three", None, vec!["one two three"]),
        ];
        for (text, columns, expected) in cases {
            assert_eq!(wrapped(text, columns), expected);
        }
    }

    fn finding(code: &str, params: &[(&str, &str)]) -> Finding {
        let params: BTreeMap<&str, &str> = params.iter().copied().collect();
        let value = serde_json::json!({"id": "x", "status": "ok", "code": code, "params": params});
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_key_that_belongs_to_another_path_is_said_to_and_how_to_give_it_again() {
        let why = "there is no secret called 'providers/near' here; it belongs to /before";
        let params = |key_at| {
            [
                ("provider", "near"),
                ("key", "missing"),
                ("key_at", key_at),
                ("why", why),
            ]
        };
        let (message, hint) = words(&finding("provider.state", &params("secret:providers/near")));
        assert!(message.contains("belongs to /before"), "{message}");
        assert!(
            hint.contains("bwana providers add near --key-stdin"),
            "{hint}"
        );
        let (message, _) = words(&finding("provider.state", &params("env:NEAR_KEY")));
        assert!(message.contains("its key is missing: env:NEAR_KEY"));
    }

    #[test]
    fn every_code_has_words_and_whatever_is_wrong_a_next_step() {
        let base = [
            ("provider", "near"),
            ("address", "http://h/v1"),
            ("key_at", "env:NEAR_KEY"),
        ];
        for key in ["none", "found", "missing", "locked", "unavailable"] {
            for reach in ["answers", "proxy", "refused", "silent", "no_name"] {
                let mut params = base.to_vec();
                params.extend([("key", key), ("reach", reach), ("price", "unknown")]);
                let (message, hint) = words(&finding("provider.state", &params));
                let is_well =
                    matches!(key, "none" | "found") && matches!(reach, "answers" | "proxy");
                assert_eq!(hint.is_empty(), is_well, "{message}: {hint}");
                assert!(
                    message.contains("near") && message.contains("price unknown"),
                    "{message}"
                );
            }
        }
        let codes = [
            "model.step",
            "proxy.none",
            "proxy.used",
            "server.found",
            "server.unknown",
        ];
        for code in codes {
            assert!(!words(&finding(code, &[])).0.is_empty(), "{code}");
        }
    }
}
