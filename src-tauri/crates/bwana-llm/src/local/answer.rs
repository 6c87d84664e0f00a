//! The text of a local model into an outcome, while it arrives: plain words, JSON, or the tool protocol of `prompt`.
//!
//! The grammar promises the form, so reading it is a small state machine over characters. Pure; a half answer gives
//! the half that is there.

use bwana_types::message::{Part, Stop, ToolCall};
use bwana_types::model::Delta;

use super::prompt::{ARGS, SAY, TOOL};

/// What an answer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Words as they are.
    Free,
    /// JSON of a schema, handed on as text.
    Json,
    /// `{"say":...}` or `{"tool":...,"args":...}`.
    Tools,
}

/// Reads one answer.
#[derive(Debug)]
pub(super) struct Answer {
    call_id: String,
    state: State,
    /// What was said so far.
    text: String,
    call: Option<(String, String)>,
}

#[derive(Debug)]
enum State {
    /// Everything is text.
    Plain,
    /// Before the value that matters; holds what was read of the beginning.
    Opening(String),
    /// Inside the text that is said.
    Said(Unescape),
    /// Inside a value handed on as it is: what is said as JSON, or arguments.
    Raw(Depth),
    /// Behind it.
    Closed,
}

impl Answer {
    /// `call_id` is the id a tool call of this answer gets.
    pub(super) fn new(form: Form, call_id: String) -> Self {
        Self {
            call_id,
            state: match form {
                Form::Free | Form::Json => State::Plain,
                Form::Tools => State::Opening(String::new()),
            },
            text: String::new(),
            call: None,
        }
    }

    /// Takes the next piece and tells `sink` what it means.
    pub(super) fn push(&mut self, piece: &str, sink: &mut (dyn FnMut(Delta) + Send)) {
        if piece.is_empty() {
            return;
        }
        if matches!(self.state, State::Plain) {
            self.text.push_str(piece);
            return sink(Delta::Text(piece.to_owned()));
        }
        // Characters of one piece leave as one delta.
        let mut shown = String::new();
        for c in piece.chars() {
            self.character(c, &mut shown, sink);
        }
        self.flush(&mut shown, sink);
    }

    fn character(&mut self, c: char, shown: &mut String, sink: &mut (dyn FnMut(Delta) + Send)) {
        match &mut self.state {
            State::Plain => shown.push(c),
            State::Closed => {}
            State::Opening(read) => {
                read.push(c);
                let read = std::mem::take(read);
                self.open(read, sink);
            }
            State::Said(unescape) => match unescape.push(c) {
                Step::More => {}
                Step::Character(c) => shown.push(c),
                Step::End => {
                    self.flush(shown, sink);
                    self.state = State::Closed;
                }
            },
            State::Raw(depth) => {
                if depth.push(c) {
                    shown.push(c);
                } else {
                    self.flush(shown, sink);
                    self.state = State::Closed;
                }
            }
        }
    }

    /// Whether the beginning read so far already tells what follows.
    fn open(&mut self, read: String, sink: &mut (dyn FnMut(Delta) + Send)) {
        let say = format!("{{\"{SAY}\":");
        if let Some(rest) = read.strip_prefix(&say) {
            self.state = match rest.chars().next() {
                None => State::Opening(read),
                Some('"') => State::Said(Unescape::default()),
                Some(c) => {
                    let mut depth = Depth::default();
                    depth.push(c);
                    self.text.push(c);
                    sink(Delta::Text(c.to_string()));
                    State::Raw(depth)
                }
            };
            return;
        }
        let tool = format!("{{\"{TOOL}\":");
        let args = format!(",\"{ARGS}\":");
        let name = read
            .strip_prefix(&tool)
            .and_then(|rest| rest.strip_suffix(&args))
            .and_then(|name| serde_json::from_str::<String>(name).ok());
        if let Some(name) = name {
            sink(Delta::ToolStart {
                slot: 0,
                id: self.call_id.clone(),
                name: name.clone(),
            });
            self.call = Some((name, String::new()));
            self.state = State::Raw(Depth::default());
        } else {
            self.state = State::Opening(read);
        }
    }

    fn flush(&mut self, shown: &mut String, sink: &mut (dyn FnMut(Delta) + Send)) {
        if shown.is_empty() {
            return;
        }
        let piece = std::mem::take(shown);
        if let Some((_, args)) = &mut self.call {
            args.push_str(&piece);
            sink(Delta::ToolArgs { slot: 0, piece });
        } else {
            self.text.push_str(&piece);
            sink(Delta::Text(piece));
        }
    }

    /// What has arrived, as the parts of a message.
    pub(super) fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        if !self.text.is_empty() {
            parts.push(Part::text(self.text.as_str()));
        }
        if let Some((name, args)) = &self.call {
            parts.push(Part::ToolCall(ToolCall {
                id: self.call_id.as_str().into(),
                name: name.as_str().into(),
                args: args.as_str().into(),
                opaque: None,
            }));
        }
        parts
    }

    /// Why the answer stopped: a whole tool call is its own reason.
    pub(super) fn stop(&self, stop: Option<Stop>) -> Option<Stop> {
        match stop {
            Some(Stop::Done) if self.call.is_some() => Some(Stop::ToolCalls),
            other => other,
        }
    }
}

/// The inside of a JSON string, character by character.
#[derive(Debug, Default)]
struct Unescape {
    escaped: bool,
    /// Digits of a `\u` escape that is being read.
    hex: Option<String>,
    /// The first half of a character outside the basic plane.
    high: Option<u16>,
}

enum Step {
    More,
    Character(char),
    End,
}

impl Unescape {
    fn push(&mut self, c: char) -> Step {
        if let Some(hex) = &mut self.hex {
            hex.push(c);
            if hex.len() < 4 {
                return Step::More;
            }
            let unit = u16::from_str_radix(hex, 16).unwrap_or(0xfffd);
            self.hex = None;
            return self.unit(unit);
        }
        if self.escaped {
            self.escaped = false;
            return match c {
                'n' => Step::Character('\n'),
                't' => Step::Character('\t'),
                'r' => Step::Character('\r'),
                'b' => Step::Character('\u{8}'),
                'f' => Step::Character('\u{c}'),
                'u' => {
                    self.hex = Some(String::new());
                    Step::More
                }
                other => Step::Character(other),
            };
        }
        match c {
            '\\' => {
                self.escaped = true;
                Step::More
            }
            '"' => Step::End,
            c => Step::Character(c),
        }
    }

    fn unit(&mut self, unit: u16) -> Step {
        let units: Vec<u16> = self.high.take().into_iter().chain([unit]).collect();
        if units.len() == 1 && (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
            return Step::More;
        }
        let c = char::decode_utf16(units)
            .next()
            .and_then(Result::ok)
            .unwrap_or(char::REPLACEMENT_CHARACTER);
        Step::Character(c)
    }
}

/// How deep inside a JSON value we are.
#[derive(Debug, Default)]
struct Depth {
    open: usize,
    in_string: bool,
    escaped: bool,
}

impl Depth {
    /// Takes a character; false if it stands behind the value.
    fn push(&mut self, c: char) -> bool {
        if self.in_string {
            match c {
                _ if self.escaped => self.escaped = false,
                '\\' => self.escaped = true,
                '"' => self.in_string = false,
                _ => {}
            }
            return true;
        }
        match c {
            '"' => self.in_string = true,
            '{' | '[' => self.open += 1,
            '}' | ']' if self.open == 0 => return false,
            '}' | ']' => self.open -= 1,
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` whole and in pieces of one character: both must mean the same. Answers the deltas of the whole.
    fn check(form: Form, text: &str, parts: &[Part]) -> Vec<Delta> {
        let read = |pieces: &mut dyn Iterator<Item = String>| {
            let mut deltas = Vec::new();
            let mut answer = Answer::new(form, "call_1".into());
            for piece in pieces {
                answer.push(&piece, &mut |delta| deltas.push(delta));
            }
            (answer.parts(), deltas)
        };
        let (whole, deltas) = read(&mut std::iter::once(text.to_owned()));
        let (split, small) = read(&mut text.chars().map(String::from));
        assert_eq!(whole, parts);
        assert_eq!(split, parts);
        assert_eq!(joined(&small), joined(&deltas));
        deltas
    }

    fn joined(deltas: &[Delta]) -> String {
        deltas
            .iter()
            .map(|delta| match delta {
                Delta::Text(text) => format!("t{text}"),
                Delta::ToolStart { id, name, .. } => format!("<{id} {name}>"),
                Delta::ToolArgs { piece, .. } => format!("a{piece}"),
                other => format!("{other:?}"),
            })
            .fold((String::new(), ' '), |(mut all, last), next| {
                // Pieces of one kind are one text, however they were cut.
                let kind = next.chars().next().unwrap();
                let skip = usize::from(kind == last && kind != '<');
                all.push_str(&next[skip..]);
                (all, kind)
            })
            .0
    }

    fn call(name: &str, args: &str) -> Part {
        Part::ToolCall(ToolCall {
            id: "call_1".into(),
            name: name.into(),
            args: args.into(),
            opaque: None,
        })
    }

    #[test]
    fn plain_words_and_json_are_handed_on() {
        let deltas = check(Form::Free, "Habari ☀", &[Part::text("Habari ☀")]);
        assert_eq!(deltas, [Delta::Text("Habari ☀".into())]);
        check(Form::Json, r#"{"a":"\n"}"#, &[Part::text(r#"{"a":"\n"}"#)]);
        check(Form::Free, "", &[]);
    }

    #[test]
    fn what_is_said_is_shown_without_its_wrapping() {
        let text = r#"{"say":"Price \"12\"\n\\ caf\u00e9 \ud83d\ude00 {\"tool\""}"#;
        let said = "Price \"12\"\n\\ café 😀 {\"tool\"";
        let deltas = check(Form::Tools, text, &[Part::text(said)]);
        assert_eq!(deltas, [Delta::Text(said.into())]);
    }

    #[test]
    fn a_tool_call_is_announced_and_its_arguments_follow() {
        let text = r#"{"tool":"file.write","args":{"path":"a}\".md","n":[1,{"x":2}]}}"#;
        let args = r#"{"path":"a}\".md","n":[1,{"x":2}]}"#;
        let deltas = check(Form::Tools, text, &[call("file.write", args)]);
        assert_eq!(joined(&deltas), format!("<call_1 file.write>a{args}"));
    }

    #[test]
    fn json_that_is_said_stays_json() {
        check(
            Form::Tools,
            r#"{"say":{"speaker":"ada"}}"#,
            &[Part::text(r#"{"speaker":"ada"}"#)],
        );
        check(Form::Tools, r#"{"say":12}"#, &[Part::text("12")]);
        check(Form::Tools, r#"{"say":[1,2]}"#, &[Part::text("[1,2]")]);
    }

    #[test]
    fn a_cut_answer_gives_what_had_arrived() {
        check(
            Form::Tools,
            r#"{"say":"Half a sen"#,
            &[Part::text("Half a sen")],
        );
        check(Form::Tools, r#"{"say":"tail \"#, &[Part::text("tail ")]);
        check(
            Form::Tools,
            r#"{"tool":"x","args":{"a":"b"#,
            &[call("x", r#"{"a":"b"#)],
        );
        check(Form::Tools, r#"{"too"#, &[]);
    }

    #[test]
    fn a_whole_tool_call_is_its_own_reason_to_stop() {
        let mut answer = Answer::new(Form::Tools, "call_1".into());
        answer.push(r#"{"tool":"x","args":{}}"#, &mut |_| {});
        assert_eq!(answer.stop(Some(Stop::Done)), Some(Stop::ToolCalls));
        assert_eq!(answer.stop(Some(Stop::Length)), Some(Stop::Length));
        assert_eq!(
            Answer::new(Form::Free, String::new()).stop(Some(Stop::Done)),
            Some(Stop::Done)
        );
    }
}
