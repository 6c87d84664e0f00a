//! A run written down for people: what was asked, who said what in which step, what was decided, and the result. As
//! Markdown, or as one HTML file that fetches and runs nothing, whatever a model wrote into it.

use std::collections::HashMap;
use std::fmt::Write as _;

use bwana_types::definition::{Definition, StepDef, Work};
use bwana_types::entry::{Body, CallResult, Entry, Seq, Speaker};
use bwana_types::error::ApiError;
use bwana_types::task::Verdict;
use bwana_types::time::Timestamp;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::command::Ctx;
use crate::moment::said;
use crate::view::RunShown;

/// Characters of a title that become part of a file's name.
const NAME_MAX_CHARS: usize = 48;
/// What an HTML file of ours may do: show itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";
const STYLE: &str = "body{font:16px/1.55 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1d1c1a;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.5rem;border-top:1px solid #ddd;padding-top:1rem}\
.who{font-weight:600;margin:1.4rem 0 .2rem}.when,.facts{color:#66625c;font-size:.85rem}\
blockquote{margin:0;padding:.1rem 1rem;border-inline-start:3px solid #c8c2b8}\
pre{background:#f5f3ef;padding:.8rem;overflow:auto}code{font-family:ui-monospace,monospace;font-size:.9em}\
table{border-collapse:collapse}td,th{border:1px solid #ddd;padding:.25rem .6rem;text-align:start}\
@media (prefers-color-scheme:dark){body{color:#e8e5df;background:#1a1917}pre{background:#242320}.when,.facts{color:#a39d93}h2,td,th{border-color:#3a3833}}\
@media print{body{margin:0;max-width:none}h2{break-after:avoid}}";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Markdown,
    Html,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagesRequest {
    /// An id, or its last characters.
    pub run: String,
    pub format: Format,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pages {
    /// A name for a file of it.
    pub name: String,
    pub text: String,
}

pub(crate) async fn pages(app: &App, _ctx: Ctx, request: PagesRequest) -> Result<Pages, ApiError> {
    let run = app.find_run(&request.run)?;
    let store = app.store()?;
    let state = bwana_engine::fold_run(store, run)?;
    let view = bwana_engine::view_of(&state);
    let shown = RunShown::of(app, view)?;
    let head = app.told(run).unwrap_or(Seq::MAX);
    let mut entries = store.load(run)?;
    entries.retain(|entry| entry.seq <= head);
    let story = Story::of(&shown, &state.definition, &entries);
    let name = file_name(&shown.input, &shown.workflow);
    Ok(match request.format {
        Format::Markdown => Pages {
            name: format!("{name}.md"),
            text: story.markdown(),
        },
        Format::Html => Pages {
            name: format!("{name}.html"),
            text: story.html(),
        },
    })
}

/// What there is to tell of a run.
struct Story<'a> {
    run: &'a RunShown,
    /// In the order in which they were first heard of.
    steps: Vec<(String, Vec<Said>)>,
}

struct Said {
    at: Timestamp,
    who: String,
    text: String,
}

impl<'a> Story<'a> {
    fn of(run: &'a RunShown, definition: &Definition, entries: &[Entry]) -> Self {
        let mut story = Self {
            run,
            steps: Vec::new(),
        };
        let mut answers: HashMap<Seq, String> = HashMap::new();
        let mut words: HashMap<Seq, String> = HashMap::new();
        for entry in entries {
            match &entry.body {
                Body::CallFinished(finished) => {
                    if let CallResult::Model(result) = &finished.result {
                        answers.insert(finished.call, said(&result.parts));
                    }
                }
                Body::PersonSaid(heard) => {
                    words.insert(entry.seq, heard.text.to_string());
                }
                Body::MessagePosted(posted) => {
                    let who = match &posted.from {
                        Speaker::Agent(agent) => agent_name(definition, agent),
                        Speaker::Person => String::from("You"),
                        Speaker::Engine => continue,
                    };
                    let text = match (&posted.text, posted.call, posted.said) {
                        (Some(text), ..) => Some(text.to_string()),
                        (None, Some(call), _) => answers.remove(&call),
                        (None, None, Some(heard)) => words.remove(&heard),
                        (None, None, None) => None,
                    };
                    if let Some(text) = text {
                        story.add(definition, entry, who, text);
                    }
                }
                Body::TaskDecided(decided) => {
                    let text = verdict(&decided.verdict);
                    story.add(definition, entry, String::from("Decision"), text);
                }
                _ => {}
            }
        }
        story
    }

    fn add(&mut self, definition: &Definition, entry: &Entry, who: String, text: String) {
        let step = step_name(&definition.steps, &entry.path);
        let said = Said {
            at: entry.at,
            who,
            text,
        };
        match self.steps.iter_mut().find(|(name, _)| *name == step) {
            Some((_, all)) => all.push(said),
            None => self.steps.push((step, vec![said])),
        }
    }

    /// One line each, beneath the title.
    fn facts(&self) -> Vec<String> {
        let run = self.run;
        let cost = match run.cost {
            Some(cost) => format!("{} USD", cost.0),
            None => format!("at least {} USD", run.cost_known.0),
        };
        let mut facts = vec![
            format!(
                "{} · {} · {}",
                run.workflow_name,
                run.status.as_str(),
                run.id
            ),
            format!(
                "{} to {}",
                run.started_at.0.to_rfc3339(),
                run.updated_at.0.to_rfc3339()
            ),
            format!(
                "{} model calls · {} tool calls · {} tokens · {cost}",
                run.model_calls,
                run.tool_calls,
                run.usage.input_tokens + run.usage.output_tokens
            ),
            run.models.join(", "),
        ];
        if run.dry_run {
            facts.push(String::from(
                "A dry run: nothing outside its own folder was changed.",
            ));
        }
        facts
    }

    fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n", one_line(&self.run.workflow_name));
        for fact in self.facts() {
            let _ = writeln!(text, "{fact}  ");
        }
        text.push_str("\n## Input\n\n");
        text.push_str(&quoted(&self.run.input));
        for (step, all) in &self.steps {
            let _ = write!(text, "\n## {}\n", one_line(step));
            for said in all {
                let _ = write!(
                    text,
                    "\n**{}** · {}\n\n{}\n",
                    one_line(&said.who),
                    said.at.to_rfc3339(),
                    said.text.trim()
                );
            }
        }
        if !self.run.artifacts.is_empty() {
            text.push_str("\n## Files\n\n");
            for file in &self.run.artifacts {
                let _ = writeln!(
                    text,
                    "- `{}` ({} bytes, BLAKE3 {})",
                    file.file, file.bytes, file.hash
                );
            }
        }
        text
    }

    fn html(&self) -> String {
        let title = escaped(&self.run.workflow_name);
        let mut text = format!(
            "<!doctype html>\n<html lang=\"und\"><head><meta charset=\"utf-8\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\
             <meta name=\"referrer\" content=\"no-referrer\">\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <title>{title}</title><style>{STYLE}</style></head><body>\n<h1 dir=\"auto\">{title}</h1>\n"
        );
        for fact in self.facts() {
            let _ = writeln!(
                text,
                "<div class=\"facts\" dir=\"auto\">{}</div>",
                escaped(&fact)
            );
        }
        let _ = writeln!(
            text,
            "<blockquote dir=\"auto\">{}</blockquote>",
            rendered(&self.run.input)
        );
        for (step, all) in &self.steps {
            let _ = writeln!(text, "<h2 dir=\"auto\">{}</h2>", escaped(step));
            for said in all {
                let _ = writeln!(
                    text,
                    "<div class=\"who\" dir=\"auto\">{} <span class=\"when\">{}</span></div>\n<div dir=\"auto\">{}</div>",
                    escaped(&said.who),
                    said.at.to_rfc3339(),
                    rendered(&said.text)
                );
            }
        }
        if !self.run.artifacts.is_empty() {
            text.push_str("<h2>Files</h2>\n<ul>\n");
            for file in &self.run.artifacts {
                let _ = writeln!(
                    text,
                    "<li><code>{}</code> ({} bytes)</li>",
                    escaped(&file.file),
                    file.bytes
                );
            }
            text.push_str("</ul>\n");
        }
        text.push_str("</body></html>\n");
        text
    }
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Approve => String::from("Allowed."),
        Verdict::Deny { reason } if reason.is_empty() => String::from("Denied."),
        Verdict::Deny { reason } => format!("Denied: {reason}"),
        Verdict::Answer { text } => text.clone(),
        Verdict::HappenedAlready { .. } => String::from("It had happened already."),
        Verdict::SendAgain => String::from("To be done again."),
        Verdict::GiveUp => String::from("Given up."),
    }
}

fn agent_name(definition: &Definition, id: &str) -> String {
    let agent = definition.agents.get(id);
    agent.map_or_else(|| id.to_owned(), |agent| agent.name.clone())
}

/// The names of the steps a path goes through.
fn step_name(steps: &[StepDef], path: &str) -> String {
    let (mut here, mut names) = (steps, Vec::new());
    for segment in path.split('/') {
        let Some(step) = here.iter().find(|step| step.id == segment) else {
            break;
        };
        names.push(step.name.as_str());
        here = match &step.work {
            Work::Parallel(parallel) => &parallel.steps,
            Work::Speak { .. } | Work::Chat(_) | Work::Pinned { .. } => &[],
        };
    }
    names.join(" · ")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn quoted(text: &str) -> String {
    let lines = text.lines().map(|line| format!("> {line}\n"));
    lines.collect()
}

/// A name any file system takes, from what was asked.
fn file_name(input: &str, workflow: &str) -> String {
    let mut name = String::new();
    for c in input.chars().take(NAME_MAX_CHARS) {
        if c.is_alphanumeric() {
            name.extend(c.to_lowercase());
        } else if !name.ends_with('-') && !name.is_empty() {
            name.push('-');
        }
    }
    let name = name.trim_end_matches('-');
    if name.is_empty() {
        workflow.to_owned()
    } else {
        name.to_owned()
    }
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() && !c.is_whitespace() => {}
            c => safe.push(c),
        }
    }
    safe
}

/// A model's Markdown as HTML: its own HTML is text, its pictures are their descriptions, its links lead only where one
/// can see that they lead.
fn rendered(text: &str) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut kept = Vec::new();
    let events = Parser::new_ext(text, options).filter_map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Some(Event::Text(raw)),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            id,
            ..
        }) => {
            let leads = leads_outside(&dest_url);
            kept.push(leads);
            leads.then_some(Event::Start(Tag::Link {
                link_type,
                dest_url,
                title: CowStr::Borrowed(""),
                id,
            }))
        }
        Event::End(TagEnd::Link) => kept
            .pop()
            .unwrap_or(false)
            .then_some(Event::End(TagEnd::Link)),
        event => Some(event),
    });
    let mut safe = String::with_capacity(text.len() * 2);
    html::push_html(&mut safe, events);
    safe
}

fn leads_outside(link: &str) -> bool {
    let link = link.to_ascii_lowercase();
    link.starts_with("https://") || link.starts_with("mailto:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_wrote_is_shown_and_never_done() {
        let cases = [
            ("<script>alert(1)</script>", "<script"),
            ("a <img src=x onerror=alert(1)> b", "<img"),
            ("![x](https://canary.example/p.png)", "canary.example"),
            ("[x](javascript:alert(1))", "href"),
            ("[x](data:text/html,a)", "href"),
            ("<https://a.example> <style>*{}</style>", "<style"),
            ("[a](https://a.example \"on\" onclick=x)", "onclick=x)\""),
        ];
        for (text, never) in cases {
            let html = rendered(text);
            assert!(!html.contains(never), "{text}: {html}");
        }
        let good = rendered("**b** [x](https://a.example/?q=1) `c`\n\n|a|\n|-|\n|1|");
        for part in [
            "<strong>b",
            "href=\"https://a.example/?q=1\"",
            "<code>c",
            "<table>",
        ] {
            assert!(good.contains(part), "{part}: {good}");
        }
    }

    #[test]
    fn a_file_is_called_after_what_was_asked() {
        let cases = [
            ("A bakery in Kisumu!", "a-bakery-in-kisumu"),
            ("../../etc/passwd", "etc-passwd"),
            ("دكان في القاهرة", "دكان-في-القاهرة"),
            ("?!", "flow"),
        ];
        for (input, expected) in cases {
            assert_eq!(file_name(input, "flow"), expected);
        }
    }
}
