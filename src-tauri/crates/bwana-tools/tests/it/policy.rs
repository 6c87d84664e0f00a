//! The whole matrix of the first policy, written down by hand.

use std::collections::BTreeSet;

use bwana_tools::Reach;
use bwana_tools::builtin::PERSON_ASK;
use bwana_tools::policy::{
    Decision, Facts, Grant, PATH_PLAIN_MAX_CHARS, QUERY_PLAIN_MAX_CHARS, Request, decide,
};
use bwana_types::effect::{EffectClass, RiskClass};
use bwana_types::grant::{GrantScope, Pattern};
use bwana_types::id::GrantId;
use bwana_types::time::Timestamp;
use bwana_types::tool::{ToolLimits, ToolSpec};
use serde_json::json;

/// Columns: who is there and the freeze switch, each without a grant, with a grant for other arguments, with the very one.
///   A = allow, ? = ask, D = deny.
/// Rows: risk, and what is known of untrusted text: none; some, and the host was seen; some, and the host is new; some, and
/// the query is long; some, and the path is long; some, and the tool does not say where it goes.
const MATRIX: &str = "
                             here         unattended   here+frozen  unattended+frozen
ReadLocal       none         A A A        A A A        A A A        A A A
ReadLocal       seen         A A A        A A A        A A A        A A A
ReadLocal       new          A A A        A A A        A A A        A A A
ReadLocal       query        A A A        A A A        A A A        A A A
ReadLocal       path         A A A        A A A        A A A        A A A
ReadLocal       nowhere      A A A        A A A        A A A        A A A
ReadNet         none         A A A        A A A        A A A        A A A
ReadNet         seen         A A A        A A A        A A A        A A A
ReadNet         new          ? ? A        D D A        ? ? A        D D A
ReadNet         query        ? ? A        D D A        ? ? A        D D A
ReadNet         path         ? ? A        D D A        ? ? A        D D A
ReadNet         nowhere      ? ? A        D D A        ? ? A        D D A
WriteReversible none         ? ? A        D D A        D D D        D D D
WriteReversible seen         ? ? A        D D A        D D D        D D D
WriteReversible new          ? ? A        D D A        D D D        D D D
WriteReversible query        ? ? A        D D A        D D D        D D D
WriteReversible path         ? ? A        D D A        D D D        D D D
WriteReversible nowhere      ? ? A        D D A        D D D        D D D
Execute         none         ? ? A        D D A        D D D        D D D
Execute         seen         ? ? ?        D D D        D D D        D D D
Execute         new          ? ? ?        D D D        D D D        D D D
Execute         query        ? ? ?        D D D        D D D        D D D
Execute         path         ? ? ?        D D D        D D D        D D D
Execute         nowhere      ? ? ?        D D D        D D D        D D D
Destructive     none         ? ? ?        D D D        D D D        D D D
Destructive     seen         ? ? ?        D D D        D D D        D D D
Destructive     new          ? ? ?        D D D        D D D        D D D
Destructive     query        ? ? ?        D D D        D D D        D D D
Destructive     path         ? ? ?        D D D        D D D        D D D
Destructive     nowhere      ? ? ?        D D D        D D D        D D D
Contact         none         ? ? A        D D A        D D D        D D D
Contact         seen         ? ? ?        D D D        D D D        D D D
Contact         new          ? ? ?        D D D        D D D        D D D
Contact         query        ? ? ?        D D D        D D D        D D D
Contact         path         ? ? ?        D D D        D D D        D D D
Contact         nowhere      ? ? ?        D D D        D D D        D D D
Money           none         ? ? A        D D A        D D D        D D D
Money           seen         ? ? ?        D D D        D D D        D D D
Money           new          ? ? ?        D D D        D D D        D D D
Money           query        ? ? ?        D D D        D D D        D D D
Money           path         ? ? ?        D D D        D D D        D D D
Money           nowhere      ? ? ?        D D D        D D D        D D D
";

const RISKS: [RiskClass; 7] = [
    RiskClass::ReadLocal,
    RiskClass::ReadNet,
    RiskClass::WriteReversible,
    RiskClass::Execute,
    RiskClass::Destructive,
    RiskClass::Contact,
    RiskClass::Money,
];

fn spec(risk: RiskClass) -> ToolSpec {
    ToolSpec {
        name: "some.tool".into(),
        version: "1".into(),
        description: String::new(),
        input_schema: json!({}),
        risk,
        effect: EffectClass::AtMostOnce,
        limits: ToolLimits::default(),
    }
}

fn reach(host: &str, path_chars: usize, query_chars: usize) -> Reach {
    Reach {
        host: host.into(),
        query_chars,
        path_chars,
    }
}

fn facts(tainted: bool) -> Facts {
    let taint = if tainted {
        BTreeSet::from(["evil.example".to_owned()])
    } else {
        BTreeSet::new()
    };
    Facts {
        taint,
        hosts_seen: BTreeSet::from(["seen.example".to_owned()]),
        ..Facts::default()
    }
}

fn exactly(hash: &str) -> Pattern {
    Pattern::Exact {
        args_hash: hash.into(),
    }
}

fn grant_of(tool: &str, pattern: Pattern) -> Grant {
    Grant {
        id: GrantId::derived(Timestamp(0), &[tool.as_bytes()]),
        tool: tool.into(),
        version: "1".into(),
        pattern,
        scope: GrantScope::Run,
    }
}

fn letter(decision: &Decision) -> &'static str {
    let (letter, why) = match decision {
        Decision::Allow { why, .. } => ("A", why),
        Decision::Ask { why } => ("?", why),
        Decision::Deny { why, .. } => ("D", why),
        Decision::Question => return "Q",
    };
    assert!(why.ends_with('.') && why.len() > 10, "no sentence: {why:?}");
    letter
}

#[test]
fn every_cell_of_the_matrix_is_as_decided() {
    let mut cells = 0;
    let mut rows = 0;
    for line in MATRIX
        .lines()
        .filter(|line| line.split_whitespace().count() == 14)
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let risk = RISKS
            .into_iter()
            .find(|risk| format!("{risk:?}") == words[0])
            .unwrap();
        let (tainted, to) = match words[1] {
            "none" => (false, Some(reach("new.example", 999, 999))),
            "seen" => (
                true,
                Some(reach(
                    "seen.example",
                    PATH_PLAIN_MAX_CHARS,
                    QUERY_PLAIN_MAX_CHARS,
                )),
            ),
            "new" => (true, Some(reach("new.example", 1, 0))),
            "query" => (
                true,
                Some(reach("seen.example", 1, QUERY_PLAIN_MAX_CHARS + 1)),
            ),
            "path" => (
                true,
                Some(reach("seen.example", PATH_PLAIN_MAX_CHARS + 1, 0)),
            ),
            "nowhere" => (true, None),
            other => panic!("{other}"),
        };
        let spec = spec(risk);
        rows += 1;
        for (column, expected) in words[2..].iter().enumerate() {
            let grant = [None, Some("other arguments"), Some("these arguments")][column % 3];
            let grants = grant.map(|hash| grant_of("some.tool", exactly(hash)));
            let facts = Facts {
                grants: grants.into_iter().collect(),
                unattended: column / 3 % 2 == 1,
                frozen: column / 6 == 1,
                ..facts(tainted)
            };
            let request = Request {
                spec: &spec,
                patterns: &[exactly("these arguments")],
                reach: to.as_ref(),
            };
            let decision = decide(&request, &facts);
            assert_eq!(
                letter(&decision),
                *expected,
                "{} {} column {column}: {decision:?}",
                words[0],
                words[1]
            );
            cells += 1;
        }
    }
    assert_eq!((rows, cells), (7 * 6, 7 * 6 * 12));
}

#[test]
fn a_grant_of_another_tool_covers_nothing() {
    let spec = spec(RiskClass::WriteReversible);
    let grants = vec![grant_of("other.tool", exactly("these arguments"))];
    let request = Request {
        spec: &spec,
        patterns: &[exactly("these arguments")],
        reach: None,
    };
    assert_eq!(
        letter(&decide(
            &request,
            &Facts {
                grants,
                ..facts(false)
            }
        )),
        "?"
    );
}

/// Whoever is asked answers for this once: no grant and no denial of before, no freeze and no taint says it for them.
#[test]
fn a_question_goes_to_the_person_whatever_was_said_before() {
    let spec = ToolSpec {
        name: PERSON_ASK.into(),
        ..spec(RiskClass::ReadLocal)
    };
    let request = Request {
        spec: &spec,
        patterns: &[exactly("h")],
        reach: None,
    };
    for scope in [GrantScope::Run, GrantScope::Workflow, GrantScope::Never] {
        for (tainted, frozen) in [(false, false), (true, false), (false, true)] {
            let facts = Facts {
                grants: vec![Grant {
                    scope,
                    ..grant_of(PERSON_ASK, exactly("h"))
                }],
                frozen,
                ..facts(tainted)
            };
            assert_eq!(decide(&request, &facts), Decision::Question);
            let facts = Facts {
                unattended: true,
                ..facts
            };
            assert_eq!(letter(&decide(&request, &facts)), "D");
        }
    }
}

#[test]
fn the_same_request_and_facts_give_the_same_decision() {
    for risk in RISKS {
        let spec = spec(risk);
        let request = Request {
            spec: &spec,
            patterns: &[exactly("h")],
            reach: None,
        };
        assert_eq!(
            decide(&request, &facts(true)),
            decide(&request, &facts(true))
        );
    }
}

#[test]
fn sentences_say_who_may_be_behind_it_and_hide_nothing() {
    let spec = spec(RiskClass::Contact);
    let request = Request {
        spec: &spec,
        patterns: &[exactly("h")],
        reach: None,
    };
    let check = |facts: &Facts, expected: Decision| assert_eq!(decide(&request, facts), expected);
    check(
        &facts(false),
        Decision::Ask {
            why: "some.tool sends something to others in your name.".into(),
        },
    );
    let taint: BTreeSet<String> = [
        "a.example",
        "b.example",
        "c.example\u{202E}",
        "d.example",
        "e.example",
    ]
    .map(str::to_owned)
    .into();
    let said = "some.tool sends something to others in your name, and the idea may come from \
                a.example, b.example, c.example<U+202E> and 2 more.";
    check(
        &Facts {
            taint: taint.clone(),
            ..facts(false)
        },
        Decision::Ask { why: said.into() },
    );
    check(
        &Facts {
            taint,
            unattended: true,
            ..facts(false)
        },
        Decision::Deny {
            why: format!("{said} Nobody is there to answer, so it is denied."),
            grant: None,
        },
    );
    check(
        &Facts { frozen: true, ..facts(false) },
        Decision::Deny { why: "The freeze switch is on, so some.tool is not available. Only a person can switch it off.".into(), grant: None },
    );
}

#[test]
fn a_person_is_told_how_an_address_could_carry_data_out() {
    let spec = spec(RiskClass::ReadNet);
    let to = reach("seen.example", 1, 65);
    let request = Request {
        spec: &spec,
        patterns: &[exactly("h")],
        reach: Some(&to),
    };
    assert_eq!(
        decide(&request, &facts(true)),
        Decision::Ask {
            why: "The query of the address has 65 characters and could carry data to seen.example; the idea may come from evil.example."
                .into()
        }
    );
}

/// Rows: risk and what is known of untrusted text, as above. Columns: a grant in this workflow for exactly these arguments,
/// for the host, for another version of the tool, and one of denial of any version.
const GRANTED: &str = "
ReadNet         new    A A ? D
ReadNet         query  A ? ? D
WriteReversible none   A A ? D
WriteReversible seen   A ? ? D
Execute         none   A A ? D
Execute         seen   ? ? ? D
Contact         none   A A ? D
Contact         seen   ? ? ? D
Money           none   A A ? D
Money           seen   ? ? ? D
Destructive     none   ? ? ? D
Destructive     seen   ? ? ? D
";

#[test]
fn a_wider_grant_covers_less_and_a_denial_everything() {
    let host = || Pattern::Host {
        host: "https://new.example".into(),
    };
    for line in GRANTED.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let risk = RISKS
            .into_iter()
            .find(|risk| format!("{risk:?}") == words[0])
            .unwrap();
        let query = if words[1] == "query" { 65 } else { 0 };
        let spec = spec(risk);
        let to = reach("new.example", 1, query);
        let columns = [
            (exactly("these"), "1", GrantScope::Workflow),
            (host(), "1", GrantScope::Workflow),
            (host(), "2", GrantScope::Workflow),
            (host(), "0", GrantScope::Never),
        ];
        for ((pattern, version, scope), expected) in columns.into_iter().zip(&words[2..]) {
            let grant = Grant {
                version: version.into(),
                scope,
                ..grant_of("some.tool", pattern)
            };
            let id = grant.id;
            let request = Request {
                spec: &spec,
                patterns: &[exactly("these"), host()],
                reach: Some(&to),
            };
            let facts = Facts {
                grants: vec![grant],
                ..facts(words[1] != "none")
            };
            let decision = decide(&request, &facts);
            assert_eq!(letter(&decision), *expected, "{line}: {decision:?}");
            if let Decision::Allow { grant, .. } | Decision::Deny { grant, .. } = decision {
                assert_eq!(grant, Some(id), "{line}");
            }
        }
    }
}
