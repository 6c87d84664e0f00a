//! Templates of instructions and tasks: which variables they may use, and rendering under a fuel limit. What somebody
//! typed or a model wrote is only ever a value here, never a template.

use std::sync::LazyLock;

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::Value;

use super::issue::{Issue, Path, did_you_mean, listed, quotable};

/// Bytes a template may have.
pub const TEMPLATE_MAX_BYTES: usize = 64 * 1024;
/// What one rendering may use up: one unit an instruction and for every 64 bytes it makes. Bounds its time, and its
/// output to about 640 kB.
pub const RENDER_FUEL: u64 = 10_000;

/// What a template may name. `agent` and `step` have the attributes listed; `results` one text per step id it sees;
/// `input` is what the person asked for; `today` is the run's start date.
const VARIABLES: [&str; 8] = [
    "agent", "team", "workflow", "step", "input", "results", "locale", "today",
];
const ATTRIBUTES: [(&str, &[&str]); 3] = [
    ("agent", &["id", "name", "description", "capabilities"]),
    ("workflow", &["id", "name"]),
    ("step", &["id", "name"]),
];

/// Why a template did not render. The text names the cause and, if known, the line of the template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the template cannot be filled in: {reason}")]
pub struct RenderError {
    reason: String,
}

/// Fills a template in. `vars` is an object with the variables documented at [`check_template`].
///
/// # Errors
/// A mistake in the template, a variable that does not exist, or a template that does too much. Never panics, always
/// ends.
pub fn render(template: &str, vars: &Value) -> Result<String, RenderError> {
    if template.len() > TEMPLATE_MAX_BYTES {
        return Err(RenderError {
            reason: format!("it has more than {TEMPLATE_MAX_BYTES} bytes"),
        });
    }
    // The common case: nothing to fill in.
    if !template.contains('{') {
        return Ok(template.to_owned());
    }
    ENVIRONMENT
        .template_from_str(template)
        .and_then(|template| template.render(Serde(vars)))
        .map_err(|error| RenderError {
            reason: in_words(&error),
        })
}

/// What is wrong with a template: syntax, and names that will not exist. It may use `agent` (`id`, `name`,
/// `description`, `capabilities`), `team` (a list of such), `workflow` (`id`, `name`), `step` (`id`, `name`), `input`,
/// `results` (one text per step id in `results`), `locale` and `today`. `None` for `results`: which of them there will be is not known.
pub fn check_template(template: &str, path: &Path, results: Option<&[&str]>) -> Vec<Issue> {
    if template.len() > TEMPLATE_MAX_BYTES {
        let reason = format!(
            "this text has {} bytes, at most {TEMPLATE_MAX_BYTES} are allowed",
            template.len()
        );
        return vec![Issue::error(path.clone(), reason)];
    }
    let compiled = match ENVIRONMENT.template_from_str(template) {
        Ok(compiled) => compiled,
        Err(error) => {
            let reason = format!("mistake in the template: {}", in_words(&error));
            return vec![Issue::error(path.clone(), reason).hint(syntax_hint(template))];
        }
    };
    let mut names: Vec<String> = compiled.undeclared_variables(true).into_iter().collect();
    names.sort();
    let problems = names.iter().filter_map(|name| unknown_name(name, results));
    problems
        .chain(unknown_words(template))
        .map(|(reason, hint)| Issue::error(path.clone(), reason).hint(hint))
        .collect()
}

/// Filters, tests and calls that do not exist: the engine itself would notice only when a run comes by.
fn unknown_words(template: &str) -> Vec<(String, String)> {
    let tokens = tokens(template);
    let mut problems = Vec::new();
    for start in 0..tokens.len() {
        match &tokens[start..] {
            [Token::Pipe, Token::Ident(name), ..] if !FILTERS.contains(name) => {
                let hint = did_you_mean(name, FILTERS)
                    .unwrap_or_else(|| format!("the filters are {}", listed(FILTERS)));
                problems.push((format!("there is no filter `{}`", quotable(name)), hint));
            }
            [
                Token::Ident("is"),
                Token::Ident("not"),
                Token::Ident(name),
                ..,
            ]
            | [Token::Ident("is"), Token::Ident(name), ..]
                if !matches!(*name, "defined" | "not") =>
            {
                let hint = String::from("the only test is `is defined`");
                problems.push((format!("there is no test `{}`", quotable(name)), hint));
            }
            [Token::Dot, Token::Ident(name), Token::ParenOpen, ..] => {
                let hint = String::from("templates have no functions");
                problems.push((format!("`{}` cannot be called", quotable(name)), hint));
            }
            _ => {}
        }
    }
    problems
}

fn tokens(template: &str) -> Vec<Token<'_>> {
    tokenize(template, false, syntax())
        .map_while(Result::ok)
        .map(|(token, _)| token)
        .collect()
}

fn syntax() -> SyntaxConfig {
    let built = SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    built.unwrap_or_default()
}

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    // No loader, no macros, no includes (left out at build time), and only filters that prompts need.
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(RENDER_FUEL));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_syntax(syntax());
    environment.add_filter("join", minijinja::filters::join);
    environment.add_filter("lower", minijinja::filters::lower);
    environment.add_filter("upper", minijinja::filters::upper);
    environment.add_filter("title", minijinja::filters::title);
    environment.add_filter("capitalize", minijinja::filters::capitalize);
    environment.add_filter("trim", minijinja::filters::trim);
    environment.add_filter("length", minijinja::filters::length);
    environment.add_filter("first", minijinja::filters::first);
    environment.add_filter("last", minijinja::filters::last);
    environment.add_filter("default", minijinja::filters::default);
    environment.add_filter("replace", minijinja::filters::replace);
    environment.add_test("defined", minijinja::tests::is_defined);
    environment
});
/// The filters above.
const FILTERS: [&str; 11] = [
    "join",
    "lower",
    "upper",
    "title",
    "capitalize",
    "trim",
    "length",
    "first",
    "last",
    "default",
    "replace",
];

fn unknown_name(name: &str, results: Option<&[&str]>) -> Option<(String, String)> {
    let (root, rest) = name.split_once('.').unwrap_or((name, ""));
    let attribute = rest
        .split('.')
        .next()
        .filter(|attribute| !attribute.is_empty());
    if !VARIABLES.contains(&root) {
        let reason = format!(
            "the template uses `{}`, which does not exist",
            quotable(root)
        );
        let hint = did_you_mean(root, VARIABLES)
            .unwrap_or_else(|| format!("it may use {}", listed(VARIABLES)));
        return Some((reason, hint));
    }
    let attribute = attribute?;
    if root == "results" {
        let results = results?;
        if results.contains(&attribute) {
            return None;
        }
        let reason = format!(
            "the template uses the result of `{}`, which is not there yet or is no step",
            quotable(attribute)
        );
        let hint = did_you_mean(attribute, results.iter().copied()).unwrap_or_else(|| {
            format!(
                "it may use the results of {}",
                listed(results.iter().copied())
            )
        });
        return Some((reason, hint));
    }
    let (_, known) = ATTRIBUTES.iter().find(|(variable, _)| *variable == root)?;
    if known.contains(&attribute) {
        return None;
    }
    let reason = format!("`{root}` has no `{}`", quotable(attribute));
    let hint = did_you_mean(attribute, known.iter().copied())
        .unwrap_or_else(|| format!("it has {}", listed(known.iter().copied())));
    Some((reason, hint))
}

fn in_words(error: &minijinja::Error) -> String {
    let reason = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => {
            String::from("it does more than a template may (too many steps or too much text)")
        }
        (ErrorKind::UndefinedError, Some(detail)) => {
            format!("something it names does not exist: {detail}")
        }
        (ErrorKind::UndefinedError, None) => String::from("something it names does not exist"),
        (_, Some(detail)) => detail.to_owned(),
        (kind, None) => kind.to_string(),
    };
    match error.line() {
        Some(line) => format!("{} (line {line} of the text)", quotable_detail(&reason)),
        None => quotable_detail(&reason),
    }
}

/// What to do about a template that does not compile.
fn syntax_hint(template: &str) -> &'static str {
    let tokens = tokens(template);
    let takes_in = tokens.windows(2).any(
        |pair| matches!(pair, [Token::BlockStart, Token::Ident(word)] if ELSEWHERE.contains(word)),
    );
    if takes_in {
        "a template stands alone: it takes in no other files and defines no macros"
    } else {
        "write `{% raw %}…{% endraw %}` around braces that are meant as they are"
    }
}

/// Statements by which a template would reach beyond itself; they are left out at build time.
const ELSEWHERE: [&str; 7] = [
    "include", "import", "from", "extends", "macro", "block", "call",
];

/// Characters of a library's message that we repeat.
const DETAIL_MAX_CHARS: usize = 160;

fn quotable_detail(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(DETAIL_MAX_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn vars() -> Value {
        json!({
            "agent": {"id": "ops", "name": "Operations", "description": "", "capabilities": ["a", "b"]},
            "team": [{"id": "ops", "name": "Operations"}, {"id": "sales", "name": "Sales"}],
            "workflow": {"id": "w", "name": "Weekly"},
            "step": {"id": "s", "name": "Step"},
            "input": "Price is {{ agent.name }} <b>",
            "results": {"research": "100 {% if %}"},
            "locale": "en",
            "today": "2026-11-25",
        })
    }

    #[track_caller]
    fn check(template: &str, expected: &str) {
        assert_eq!(render(template, &vars()).unwrap(), expected);
        assert_eq!(
            check_template(template, &Path::root(), Some(&["research"])),
            []
        );
    }

    #[test]
    fn variables_are_filled_in_as_text() {
        check(
            "You are {{ agent.name }} on {{ today }}.\n",
            "You are Operations on 2026-11-25.\n",
        );
        check("{{ agent.capabilities | join(', ') }}", "a, b");
        check(
            "{% for member in team %}\n- {{ member.name }}\n{% endfor %}",
            "- Operations\n- Sales\n",
        );
        check(
            "{% if locale == 'sw' %}Karibu{% else %}Welcome{% endif %}",
            "Welcome",
        );
        check("no braces at all", "no braces at all");
        check("{% raw %}{{ kept }}{% endraw %}", "{{ kept }}");
    }

    #[test]
    fn what_people_and_models_wrote_is_never_rendered_again() {
        check(
            "{{ input }}|{{ results.research }}",
            "Price is {{ agent.name }} <b>|100 {% if %}",
        );
    }

    #[test]
    fn a_hostile_template_ends_with_an_error_in_bounded_time_and_memory() {
        let doubling = format!("{{% set x = input %}}{}", "{% set x = x ~ x %}".repeat(64));
        for template in [
            "{% for a in input %}{% for b in input %}{% for c in input %}{% for d in input %}x{% endfor %}{% endfor %}{% endfor %}{% endfor %}",
            "{{ 'x' * 100000000 }}",
            "{{ ([1] * 100000000) | join(',') }}",
            &doubling,
            "{{ input | replace('', input) | replace('', input) | replace('', input) | replace('', input) }}",
            &format!(
                "{}{}",
                "{% if true %}".repeat(2_000),
                "{% endif %}".repeat(2_000)
            ),
            &format!("{{{{ {}1{} }}}}", "(".repeat(5_000), ")".repeat(5_000)),
            &"{".repeat(TEMPLATE_MAX_BYTES + 1),
        ] {
            let error = render(template, &vars()).unwrap_err();
            assert!(error.to_string().len() < 400, "{error}");
        }
    }

    #[test]
    fn includes_macros_and_unknown_things_are_refused() {
        for template in [
            "{% include 'x' %}",
            "{% import 'x' as y %}",
            "{% extends 'x' %}",
            "{% macro m() %}{% endmacro %}",
            "{% block b %}{% endblock %}",
            "{{ range(10) }}",
            "{{ x }}",
            "{{ input | pprint }}",
            "{{ agent.secret }}",
            "{{ results.missing }}",
            "{{ unclosed",
            "{% if %}",
        ] {
            assert!(
                !check_template(template, &Path::root(), Some(&["research"])).is_empty(),
                "{template}"
            );
            assert!(render(template, &vars()).is_err(), "{template}");
        }
    }
}
