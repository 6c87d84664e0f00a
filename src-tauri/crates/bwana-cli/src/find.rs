//! Finding things again: what was said and written, what was spent, what a workflow was before.

use std::collections::BTreeMap;

use bwana_api::HostOptions;
use bwana_api::command::{
    DefinitionsRestore, DefinitionsVersion, DefinitionsVersions, RunExportAs, SearchFind,
    UsageReport,
};
use bwana_api::pages::{Format, PagesRequest};
use bwana_api::search::{Hit, SearchRequest};
use bwana_api::spending::{Spending, SpendingBy as By, SpendingRequest};
use bwana_api::versions::{Kind, VersionRef, VersionsOf};
use bwana_types::error::{ApiError, ExitCode as Ends};
use bwana_types::money::MicroUsd;

use crate::args::{ExportAs, UsageBy};
use crate::door::once;
use crate::lists::table;
use crate::out::Out;
use crate::sentence::short;

/// Prints what stands where.
pub(crate) async fn search(
    host: &HostOptions,
    out: &Out,
    text: &str,
    limit: usize,
) -> Result<Ends, ApiError> {
    let request = SearchRequest {
        text: text.to_owned(),
        limit,
    };
    let found = once::<SearchFind>(host, request).await?;
    out.json(&found);
    if out.is_json() {
        return Ok(Ends::Done);
    }
    let groups = [
        ("Runs", &found.runs),
        ("Messages", &found.messages),
        ("Files", &found.files),
    ];
    for (name, hits) in groups {
        if !hits.is_empty() {
            out.line(&out.bold(name));
        }
        for hit in hits {
            out.line(&line_of(out, hit));
        }
    }
    if groups.iter().all(|(_, hits)| hits.is_empty()) {
        out.line("Nothing was found.");
    }
    if !found.ready {
        out.aside("The index is still being made; ask again in a moment to see everything.");
    }
    Ok(Ends::Done)
}

fn line_of(out: &Out, hit: &Hit) -> String {
    let pieces = hit.snippet.iter().map(|piece| {
        let text = piece.text.replace(['\n', '\r', '\t'], " ");
        if piece.hit { out.bold(&text) } else { text }
    });
    let what = hit
        .file
        .as_deref()
        .or(hit.who.as_deref())
        .unwrap_or_default();
    let place = format!("{} #{}", short(&hit.run.to_string()), hit.seq);
    format!(
        "  {}  {}  {}",
        out.dim(&place),
        out.name(what),
        pieces.collect::<String>()
    )
}

/// Prints a run as people read it.
pub(crate) async fn export_as(
    host: &HostOptions,
    out: &Out,
    id: &str,
    format: ExportAs,
) -> Result<Ends, ApiError> {
    let format = match format {
        ExportAs::Markdown => Format::Markdown,
        ExportAs::Html => Format::Html,
    };
    let request = PagesRequest {
        run: id.to_owned(),
        format,
    };
    let pages = once::<RunExportAs>(host, request).await?;
    out.json(&pages);
    if !out.is_json() {
        out.text(&pages.text);
    }
    Ok(Ends::Done)
}

/// Prints what days cost, and who or what spent it.
pub(crate) async fn usage(
    host: &HostOptions,
    out: &Out,
    from: Option<String>,
    to: Option<String>,
    by: UsageBy,
) -> Result<Ends, ApiError> {
    let request = SpendingRequest {
        from,
        to,
        by: match by {
            UsageBy::Agent => By::Agent,
            UsageBy::Model => By::Model,
            UsageBy::Workflow => By::Workflow,
        },
    };
    let spending = once::<UsageReport>(host, request).await?;
    out.json(&spending);
    if !out.is_json() {
        told(out, &spending);
    }
    Ok(Ends::Done)
}

fn told(out: &Out, spending: &Spending) {
    let mut sums: BTreeMap<&str, (MicroUsd, u64, u64)> = BTreeMap::new();
    for row in &spending.rows {
        let sum = sums.entry(&row.key).or_insert((MicroUsd::ZERO, 0, 0));
        sum.0 = sum.0.saturating_add(row.sums.cost.0);
        sum.1 += row.sums.calls;
        sum.2 += row.sums.input_tokens + row.sums.output_tokens;
    }
    let mut rows: Vec<_> = sums.into_iter().collect();
    rows.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(b.0)));
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(key, (cost, calls, tokens))| {
            vec![
                key.to_owned(),
                format!("${cost}"),
                calls.to_string(),
                tokens.to_string(),
            ]
        })
        .collect();
    table(out, &["what", "cost", "calls", "tokens"], &rows);
    out.line(&format!(
        "{} to {}: ${}, {} calls",
        spending.from, spending.to, spending.total.cost.0, spending.total.calls
    ));
    if spending.total.unpriced_calls > 0 {
        out.line(&format!(
            "{} calls had no known price and are not in this sum",
            spending.total.unpriced_calls
        ));
    }
}

/// Prints what a workflow is and was; with a version, that one as a file.
pub(crate) async fn versions(
    host: &HostOptions,
    out: &Out,
    id: &str,
    show: Option<&String>,
) -> Result<Ends, ApiError> {
    if let Some(hash) = show {
        let text = once::<DefinitionsVersion>(host, workflow(id, hash)).await?;
        out.json(&text);
        if !out.is_json() {
            out.text(&text.text);
        }
        return Ok(Ends::Done);
    }
    let of = VersionsOf {
        kind: Kind::Workflow,
        id: id.to_owned(),
    };
    let list = once::<DefinitionsVersions>(host, of).await?;
    for version in &list.items {
        out.json(version);
    }
    let rows: Vec<Vec<String>> = list
        .items
        .iter()
        .map(|version| {
            vec![
                version.version.clone(),
                version.at.0.to_rfc3339(),
                if version.current { "in force" } else { "" }.to_owned(),
                version.source.clone(),
            ]
        })
        .collect();
    table(out, &["version", "since", "", "from"], &rows);
    Ok(Ends::Done)
}

/// Puts a version of a workflow in force again.
pub(crate) async fn put_back(
    host: &HostOptions,
    out: &Out,
    id: &str,
    hash: &str,
) -> Result<Ends, ApiError> {
    let report = once::<DefinitionsRestore>(host, workflow(id, hash)).await?;
    out.json(&report);
    out.line(&format!("{id} is as it was in {hash}; nothing was lost."));
    Ok(Ends::Done)
}

fn workflow(id: &str, hash: &str) -> VersionRef {
    VersionRef {
        kind: Kind::Workflow,
        id: id.to_owned(),
        hash: hash.to_owned(),
    }
}
