//! `bwana plan` and `bwana grants`: what would happen, and what was allowed.

use std::path::Path;

use bwana_api::command::{GrantsList, GrantsRevoke, PlanPreview};
use bwana_api::grants::{GrantRef, GrantShown, GrantsRequest, Scope};
use bwana_api::plan::{Estimate, Plan as Planned, PlanRequest, TargetKind, Why};
use bwana_api::{Dollars, HostOptions};
use bwana_types::error::{ApiError, ExitCode as Ends};
use bwana_types::grant::Pattern;

use crate::args::{Grants, Plan};
use crate::door::once;
use crate::out::Out;
use crate::stage::visible;
use crate::work::text;

pub(crate) async fn plan(host: &HostOptions, out: &Out, plan: &Plan) -> Result<Ends, ApiError> {
    let request = PlanRequest {
        text: wish(&plan.text)?,
        model: plan.model.clone(),
        ..PlanRequest::default()
    };
    let planned = once::<PlanPreview>(host, request).await?;
    out.json(&planned);
    show(out, &planned);
    Ok(if planned.problems.is_empty() {
        Ends::Done
    } else {
        Ends::Usage
    })
}

/// A wish as elsewhere; but here `@` may name an agent, too. A file of such a name goes first.
fn wish(argument: &str) -> Result<String, ApiError> {
    let named = argument.strip_prefix('@');
    let is_wish = named.is_some_and(|rest| {
        rest.split_once(char::is_whitespace).is_some() && !Path::new(rest).exists()
    });
    if is_wish {
        Ok(argument.to_owned())
    } else {
        text(argument)
    }
}

fn show(out: &Out, plan: &Planned) {
    let target = &plan.target;
    let kind = match target.kind {
        TargetKind::Workflow => "workflow",
        TargetKind::Agent => "agent",
        TargetKind::Team => "team",
    };
    let words = plan.words.join(", ");
    let why = match plan.why {
        Why::Slash | Why::At => String::from("named in the wish"),
        Why::Match => format!("because of: {words}"),
        Why::Ask if words.is_empty() => String::from("a question that names no work"),
        Why::Ask => format!("a question about: {words}"),
    };
    out.line(&format!("{kind} {} ({}), {why}", target.name, target.id));
    for step in &plan.steps {
        let asks = if step.asks { ", asks first" } else { "" };
        out.line(&format!(
            "  {}: {}{asks}",
            visible(&step.name),
            step.agents.join(", ")
        ));
    }
    for agent in &plan.agents {
        out.line(&format!("  {} uses {}", agent.id, agent.model));
    }
    if plan.starter_model {
        out.line("  This is the small starter model; its answers are poor.");
    }
    for ask in &plan.asks {
        out.line(&format!("  {} will ask you", ask.tool));
    }
    out.line(&format!("  {}", cost(&plan.estimate)));
    for problem in &plan.problems {
        let params: Vec<String> = problem
            .params
            .iter()
            .map(|(name, value)| format!("{name}: {}", visible(value)))
            .collect();
        out.line(&format!(
            "{} {} {}",
            out.warn("!"),
            problem.code,
            params.join(", ")
        ));
    }
}

fn cost(estimate: &Estimate) -> String {
    let usd = |amount: Dollars| format!("${}", amount.0);
    match estimate {
        Estimate::Median {
            runs,
            usd: middle,
            usd_low,
            usd_high,
            elapsed_ms,
            ..
        } => format!(
            "about {} ({} to {}) and {} s, as in {runs} runs before",
            usd(*middle),
            usd(*usd_low),
            usd(*usd_high),
            elapsed_ms / 1_000
        ),
        Estimate::Prices { usd_high, .. } => {
            format!("at most {}, by prices and limits", usd(*usd_high))
        }
        Estimate::Unknown { missing } if missing.is_empty() => {
            String::from("nobody can say what it costs")
        }
        Estimate::Unknown { missing } => format!(
            "nobody can say what it costs: no price of {}",
            missing.join(", ")
        ),
    }
}

pub(crate) async fn grants(
    host: &HostOptions,
    out: &Out,
    grants: &Grants,
) -> Result<Ends, ApiError> {
    match grants {
        Grants::List { all } => {
            let list = once::<GrantsList>(host, GrantsRequest { all: *all }).await?;
            for grant in &list.grants {
                out.json(grant);
                out.line(&line(grant));
            }
            if list.grants.is_empty() {
                out.line("Nothing is allowed or forbidden beyond one call.");
            }
        }
        Grants::Revoke { id } => {
            let by = GrantRef { grant: id.clone() };
            let grant = once::<GrantsRevoke>(host, by).await?;
            out.json(&grant);
            out.line(&line(&grant));
        }
    }
    Ok(Ends::Done)
}

fn line(grant: &GrantShown) -> String {
    let (verb, place) = match grant.scope {
        Scope::Once | Scope::Run => ("may", format!("in {}", grant.run)),
        Scope::Workflow => ("may", format!("in {}", grant.workflow)),
        Scope::Never => ("never", format!("in {}", grant.workflow)),
    };
    let what = match &grant.pattern {
        Pattern::Exact { .. } => String::from("with the very same arguments"),
        Pattern::Address { url } => format!("to {}", visible(url)),
        Pattern::Host { host } => format!("to any address of {}", visible(host)),
        Pattern::Domain { domain } => format!("to anybody at {}", visible(domain)),
        Pattern::Folder { folder } if folder.is_empty() => String::from("on files at the top"),
        Pattern::Folder { folder } => format!("on files in {}", visible(folder)),
    };
    let stands = match (grant.stands, grant.revoked_at) {
        (true, _) => "",
        (false, Some(_)) => " (taken back)",
        (false, None) => " (expired)",
    };
    format!(
        "{} {} {verb} {what} {place}, used {} times{stands}",
        grant.id, grant.tool, grant.used
    )
}
