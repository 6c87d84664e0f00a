//! May this call be made? One pure function over a request and the facts, so that every door gives the same answer.
//! Nothing here opens tasks, keeps grants or reads settings; the engine loads the facts and writes the decision down.
//!
//! Reading is allowed, everything else asks a person, unless a person has said before what holds for it.

use std::collections::BTreeSet;

use bwana_types::effect::RiskClass;
use bwana_types::grant::{GrantScope, Pattern};
use bwana_types::id::GrantId;
use bwana_types::tool::ToolSpec;

use crate::builtin::{FILE_WRITE, PERSON_ASK};
use crate::tool::Reach;

/// A query longer than this could carry away what an untrusted text asked for.
pub const QUERY_PLAIN_MAX_CHARS: usize = 64;
/// The same for a path. Longer than the paths people publish under.
pub const PATH_PLAIN_MAX_CHARS: usize = 160;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub spec: &'a ToolSpec,
    /// From [`crate::pattern::patterns`]: which grants cover it.
    pub patterns: &'a [Pattern],
    /// From [`crate::Tool::reach`].
    pub reach: Option<&'a Reach>,
}

/// What is known when it is asked for.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Where untrusted text in this run came from since a person last spoke. Empty: none.
    pub taint: BTreeSet<String>,
    /// Hosts this run has reached already, as [`Reach::host`] writes them.
    pub hosts_seen: BTreeSet<String>,
    /// What people have allowed and forbidden and that holds in this run.
    pub grants: Vec<Grant>,
    /// Nobody can be asked: `--approve deny`.
    pub unattended: bool,
    /// A rehearsal: nothing outside the run's own folder may be changed, and nobody is asked.
    pub dry_run: bool,
    /// The freeze switch: nothing may be changed anywhere.
    pub frozen: bool,
}

/// A person's word on all calls of one tool that give one pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub id: GrantId,
    pub tool: String,
    pub version: String,
    pub pattern: Pattern,
    pub scope: GrantScope,
}

/// The answer; the sentence is for people and is journaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allow {
        why: String,
        /// The grant without which a person would have been asked.
        grant: Option<GrantId>,
    },
    Ask {
        why: String,
    },
    /// The call is a question to the person: their words are its result, and the tool itself never runs.
    Question,
    Deny {
        why: String,
        /// The grant of denial that says so.
        grant: Option<GrantId>,
    },
}

/// Decides one call.
pub fn decide(request: &Request<'_>, facts: &Facts) -> Decision {
    // Before any grant is looked at: no word of yesterday answers a question of today.
    if is_question(&request.spec.name) {
        return question(facts);
    }
    if facts.frozen && changes_something(request.spec.risk) {
        return Decision::Deny {
            why: format!(
                "The freeze switch is on, so {} is not available. Only a person can switch it off.",
                request.spec.name
            ),
            grant: None,
        };
    }
    if let Some(grant) = denied(request, facts) {
        return Decision::Deny {
            why: "A person said never to this. Go on without it.".into(),
            grant: Some(grant.id),
        };
    }
    if facts.dry_run && changes_something(request.spec.risk) {
        return rehearse(&request.spec.name);
    }
    let Some(why) = doubt(request, facts) else {
        return Decision::Allow {
            why: "Reading is allowed.".into(),
            grant: None,
        };
    };
    if let Some(grant) = granted(request, facts) {
        let why = match grant.scope {
            GrantScope::Run => "A person allowed this in this run.",
            GrantScope::Workflow | GrantScope::Never => "A person allowed this in this workflow.",
        };
        return Decision::Allow {
            why: why.into(),
            grant: Some(grant.id),
        };
    }
    if facts.unattended {
        return Decision::Deny {
            why: format!("{why} Nobody is there to answer, so it is denied."),
            grant: None,
        };
    }
    Decision::Ask { why }
}

/// Whether calls of this tool are answered by the person.
pub fn is_question(tool: &str) -> bool {
    tool == PERSON_ASK
}

/// A run's own folder is part of its rehearsal; everything else is only said to have been meant.
fn rehearse(tool: &str) -> Decision {
    if tool == FILE_WRITE {
        return Decision::Allow {
            why: "A dry run may write into its own folder.".into(),
            grant: None,
        };
    }
    Decision::Deny {
        why: format!(
            "This is a dry run, so {tool} was not used. Go on as if it had worked, and say that you did."
        ),
        grant: None,
    }
}

fn question(facts: &Facts) -> Decision {
    if facts.dry_run {
        return Decision::Deny {
            why: "This is a dry run, so nobody is asked. Assume a likely answer, and say what you assumed.".into(),
            grant: None,
        };
    }
    if facts.unattended {
        return Decision::Deny {
            why: "Nobody can be asked in this run. Go on with what you know, and say what you assumed.".into(),
            grant: None,
        };
    }
    Decision::Question
}

fn changes_something(risk: RiskClass) -> bool {
    match risk {
        RiskClass::ReadLocal | RiskClass::ReadNet => false,
        RiskClass::WriteReversible
        | RiskClass::Execute
        | RiskClass::Destructive
        | RiskClass::Contact
        | RiskClass::Money => true,
    }
}

/// Why a person should look at this, if at all.
fn doubt(request: &Request<'_>, facts: &Facts) -> Option<String> {
    let name = &request.spec.name;
    let what = match request.spec.risk {
        RiskClass::ReadLocal => return None,
        RiskClass::ReadNet => return doubt_about_reading(request, facts),
        RiskClass::WriteReversible => "writes something",
        RiskClass::Execute => "runs a program",
        RiskClass::Destructive => "destroys something for good",
        RiskClass::Contact => "sends something to others in your name",
        RiskClass::Money => "spends money",
    };
    Some(match taint_of(facts) {
        None => format!("{name} {what}."),
        Some(sources) => format!("{name} {what}, and the idea may come from {sources}."),
    })
}

/// Reading can carry data out in the address: of interest once untrusted text may have asked for it.
fn doubt_about_reading(request: &Request<'_>, facts: &Facts) -> Option<String> {
    let sources = taint_of(facts)?;
    let Some(reach) = request.reach else {
        return Some(format!(
            "{} does not say where it goes, and the idea may come from {sources}.",
            request.spec.name
        ));
    };
    if !facts.hosts_seen.contains(&reach.host) {
        return Some(format!(
            "{} is new in this run, and the idea to go there may come from {sources}.",
            reach.host
        ));
    }
    let long = [
        ("query", reach.query_chars, QUERY_PLAIN_MAX_CHARS),
        ("path", reach.path_chars, PATH_PLAIN_MAX_CHARS),
    ];
    let (part, chars, _) = long.into_iter().find(|(_, chars, max)| chars > max)?;
    Some(format!(
        "The {part} of the address has {chars} characters and could carry data to {}; the idea may come from {sources}.",
        reach.host
    ))
}

/// Whether a grant may decide at all for a class of risk, whatever it says. What is never offered is never honoured.
pub fn may_be_granted(risk: RiskClass) -> bool {
    match risk {
        RiskClass::Destructive => false,
        RiskClass::ReadLocal
        | RiskClass::ReadNet
        | RiskClass::WriteReversible
        | RiskClass::Execute
        | RiskClass::Contact
        | RiskClass::Money => true,
    }
}

/// The grant that allows this call. A grant never covers what cannot be undone; and once untrusted text is in the run, not
/// what reaches others either, and nothing wider than the very arguments a person saw: whoever wrote that text may want
/// exactly this again and again.
fn granted<'a>(request: &Request<'_>, facts: &'a Facts) -> Option<&'a Grant> {
    let tainted = !facts.taint.is_empty();
    let risk = request.spec.risk;
    let honoured = |grant: &&Grant| {
        let exact = matches!(grant.pattern, Pattern::Exact { .. });
        match risk {
            RiskClass::Destructive => false,
            RiskClass::Contact | RiskClass::Money | RiskClass::Execute => !tainted,
            RiskClass::WriteReversible => !tainted || exact,
            RiskClass::ReadLocal => true,
            RiskClass::ReadNet => exact || !could_carry(request),
        }
    };
    let allows = |grant: &&Grant| {
        grant.scope != GrantScope::Never
            && grant.tool == request.spec.name
            && grant.version == request.spec.version
            && request.patterns.contains(&grant.pattern)
    };
    let mut covering = facts.grants.iter().filter(allows).filter(honoured);
    may_be_granted(risk).then(|| covering.next()).flatten()
}

/// The grant that forbids this call: of any version of the tool.
fn denied<'a>(request: &Request<'_>, facts: &'a Facts) -> Option<&'a Grant> {
    facts.grants.iter().find(|grant| {
        grant.scope == GrantScope::Never
            && grant.tool == request.spec.name
            && request.patterns.contains(&grant.pattern)
    })
}

fn could_carry(request: &Request<'_>) -> bool {
    request.reach.is_none_or(|reach| {
        reach.query_chars > QUERY_PLAIN_MAX_CHARS || reach.path_chars > PATH_PLAIN_MAX_CHARS
    })
}

/// Sources named in one sentence.
const SOURCES_SHOWN_MAX: usize = 3;
const SOURCE_SHOWN_MAX_CHARS: usize = 80;

fn taint_of(facts: &Facts) -> Option<String> {
    if facts.taint.is_empty() {
        return None;
    }
    let shown: Vec<String> = facts
        .taint
        .iter()
        .take(SOURCES_SHOWN_MAX)
        .map(|source| crate::visible::visible(source, SOURCE_SHOWN_MAX_CHARS))
        .collect();
    let more = facts.taint.len() - shown.len();
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    Some(format!("{}{more}", shown.join(", ")))
}
