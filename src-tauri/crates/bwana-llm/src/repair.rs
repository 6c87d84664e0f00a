//! The conversation in an order every provider accepts: each tool call answered right behind it, no result without its
//! call, nothing empty, ids and system messages as the provider wants them. Texts are borrowed, never copied: a
//! conversation of a thousand turns passes here at every call.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use bwana_types::hash::Hash;
use bwana_types::message::{Message, Opaque, Part, Role};

use crate::quirks::{IdRule, Quirks, SystemRule};

/// What a model is told about a call nobody knows the result of.
pub const NO_RESULT: &str = "No result: the call was not run, or was interrupted.";
/// What a model is told when a tool succeeded and returned nothing.
pub const EMPTY_RESULT: &str = "(no output)";
/// What the user is made to say first, where a provider insists that the user speaks first.
pub(crate) const OPENING: &str = "Begin.";
/// What the user is made to say last, where a provider insists that nothing is left half said.
pub(crate) const CLOSING: &str = "Go on.";
/// The longest id every chat provider accepts, in characters.
const ID_MAX_CHARS: usize = 40;

/// One message as it goes out.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn<'a> {
    pub role: Role,
    pub pieces: Vec<Piece<'a>>,
}

/// One part of a message as it goes out.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece<'a> {
    Text(&'a str),
    Image {
        mime: &'a str,
        data: &'a str,
    },
    Reasoning {
        text: &'a str,
        opaque: Option<&'a Opaque>,
    },
    Call {
        id: Cow<'a, str>,
        name: &'a str,
        args: &'a str,
        opaque: Option<&'a Opaque>,
    },
    Result {
        id: Cow<'a, str>,
        name: &'a str,
        content: &'a str,
        is_error: bool,
    },
}

/// `messages` in order. `instruction` is put behind the leading system messages.
pub fn repair<'a>(
    messages: &'a [Message],
    quirks: &Quirks,
    instruction: Option<&'a str>,
) -> Vec<Turn<'a>> {
    let mut calls = pair(messages, quirks.tool_id).into_iter();
    let mut turns = Vec::with_capacity(messages.len() + 1);
    let mut leading = true;
    for message in messages {
        if leading && message.role != Role::System {
            leading = false;
            push_instruction(&mut turns, instruction);
        }
        match message.role {
            Role::Assistant => push_assistant(&mut turns, message, &mut calls),
            Role::System | Role::User => {
                let pieces = said(message);
                if !pieces.is_empty() {
                    let role = message.role;
                    turns.push(Turn { role, pieces });
                }
            }
            Role::Tool => {} // every result went behind its call
        }
    }
    if leading {
        push_instruction(&mut turns, instruction);
    }
    place_system(&mut turns, quirks.system);
    if quirks.merge_same_role {
        start_with_user(&mut turns);
        merge_neighbours(&mut turns, |_| true);
    }
    if quirks.user_speaks_last {
        end_with_user(&mut turns);
    }
    turns
}

/// A call with the id it goes out under and the result that belongs to it.
struct Paired<'a> {
    wire_id: Cow<'a, str>,
    result: Option<(&'a str, bool)>,
}

/// Every call of the conversation, in order. A result belongs to the latest call with its id that has none yet.
fn pair(messages: &[Message], rule: IdRule) -> Vec<Paired<'_>> {
    let mut paired: Vec<Paired<'_>> = Vec::new();
    let mut by_id: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut used: HashSet<Cow<'_, str>> = HashSet::new();
    for message in messages {
        for part in &message.parts {
            match part {
                Part::ToolCall(call) if message.role == Role::Assistant => {
                    let same = by_id.entry(&call.id).or_default();
                    let mut wire_id = wire_id(&call.id, same.len(), rule);
                    let mut tries = same.len();
                    while used.contains(&wire_id) {
                        tries += 1;
                        wire_id = self::wire_id(&call.id, tries, rule);
                    }
                    used.insert(wire_id.clone());
                    same.push(paired.len());
                    paired.push(Paired {
                        wire_id,
                        result: None,
                    });
                }
                Part::ToolResult {
                    id,
                    content,
                    is_error,
                    ..
                } => {
                    let open = by_id.get(&**id).and_then(|calls| {
                        calls.iter().rev().find(|n| paired[**n].result.is_none())
                    });
                    if let Some(n) = open {
                        paired[*n].result = Some((content, *is_error));
                    }
                }
                _ => {}
            }
        }
    }
    paired
}

/// The id under which the call goes out that is number `repeat` (from 0) with this id.
fn wire_id(id: &str, repeat: usize, rule: IdRule) -> Cow<'_, str> {
    let fits = match rule {
        IdRule::Any => !id.is_empty(),
        IdRule::Clean => {
            !id.is_empty()
                && id.len() <= ID_MAX_CHARS
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        }
        IdRule::Nine => id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric()),
    };
    if fits && repeat == 0 {
        return Cow::Borrowed(id);
    }
    let repeat_text = repeat.to_string();
    let hash = Hash::of_parts([id.as_bytes(), repeat_text.as_bytes()]).to_string();
    Cow::Owned(match rule {
        IdRule::Nine => hash[..9].to_owned(),
        IdRule::Any | IdRule::Clean => {
            let head: String = id
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '-')
                .take(ID_MAX_CHARS - 9)
                .collect();
            format!("{head}_{}", &hash[..8])
        }
    })
}

fn push_instruction<'a>(turns: &mut Vec<Turn<'a>>, instruction: Option<&'a str>) {
    if let Some(text) = instruction {
        turns.push(Turn {
            role: Role::System,
            pieces: vec![Piece::Text(text)],
        });
    }
}

fn push_assistant<'a>(
    turns: &mut Vec<Turn<'a>>,
    message: &'a Message,
    calls: &mut impl Iterator<Item = Paired<'a>>,
) {
    let mut pieces = Vec::with_capacity(message.parts.len());
    let mut results = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text { text } if !text.is_empty() => pieces.push(Piece::Text(text)),
            Part::Reasoning { text, opaque } if !text.is_empty() || opaque.is_some() => {
                pieces.push(Piece::Reasoning {
                    text,
                    opaque: opaque.as_ref(),
                });
            }
            Part::ToolCall(call) => {
                let Some(paired) = calls.next() else { continue };
                let (content, is_error) = paired.result.unwrap_or((NO_RESULT, true));
                pieces.push(Piece::Call {
                    id: paired.wire_id.clone(),
                    name: &call.name,
                    args: &call.args,
                    opaque: call.opaque.as_ref(),
                });
                results.push(Piece::Result {
                    id: paired.wire_id,
                    name: &call.name,
                    content: if content.is_empty() {
                        EMPTY_RESULT
                    } else {
                        content
                    },
                    is_error,
                });
            }
            // Results went behind their calls; no provider takes an image from an assistant.
            _ => {}
        }
    }
    if !pieces.is_empty() {
        turns.push(Turn {
            role: Role::Assistant,
            pieces,
        });
    }
    if !results.is_empty() {
        turns.push(Turn {
            role: Role::Tool,
            pieces: results,
        });
    }
}

fn said(message: &Message) -> Vec<Piece<'_>> {
    message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Text { text } if !text.is_empty() => Some(Piece::Text(text)),
            Part::Image { mime, data } if !data.is_empty() => Some(Piece::Image { mime, data }),
            _ => None,
        })
        .collect()
}

fn place_system(turns: &mut Vec<Turn<'_>>, rule: SystemRule) {
    if rule == SystemRule::AsGiven {
        return;
    }
    let leading = turns
        .iter()
        .take_while(|turn| turn.role == Role::System)
        .count();
    let kept = match rule {
        SystemRule::FirstOnly => leading,
        SystemRule::AsGiven | SystemRule::AsUser => 0,
    };
    for turn in &mut turns[kept..] {
        if turn.role == Role::System {
            turn.role = Role::User;
        }
    }
    // One system message, or the user's first words with the system's in front of them.
    let mut at = 0;
    merge_neighbours(turns, |_| {
        at += 1;
        at <= leading
    });
}

/// Merges a turn into the one before it where both have one role and `wanted` says so. Tool results stay as they are.
fn merge_neighbours<'a>(turns: &mut Vec<Turn<'a>>, mut wanted: impl FnMut(&Turn<'a>) -> bool) {
    let mut merged: Vec<Turn<'a>> = Vec::with_capacity(turns.len());
    for turn in turns.drain(..) {
        match merged.last_mut() {
            Some(last) if wanted(&turn) && last.role == turn.role && turn.role != Role::Tool => {
                last.pieces.extend(turn.pieces);
            }
            _ => merged.push(turn),
        }
    }
    *turns = merged;
}

fn start_with_user(turns: &mut Vec<Turn<'_>>) {
    let first = turns.iter().position(|turn| turn.role != Role::System);
    if let Some(at) = first
        && turns[at].role != Role::User
    {
        turns.insert(
            at,
            Turn {
                role: Role::User,
                pieces: vec![Piece::Text(OPENING)],
            },
        );
    }
}

fn end_with_user(turns: &mut Vec<Turn<'_>>) {
    let said = match turns.last().map(|turn| turn.role) {
        Some(Role::Assistant) => CLOSING,
        Some(Role::System) | None => OPENING,
        Some(Role::User | Role::Tool) => return,
    };
    turns.push(Turn {
        role: Role::User,
        pieces: vec![Piece::Text(said)],
    });
}

#[cfg(test)]
mod tests {
    use bwana_types::message::ToolCall;

    use super::*;

    fn call(id: &str) -> Part {
        Part::ToolCall(ToolCall {
            id: id.into(),
            name: "f".into(),
            args: "{}".into(),
            opaque: None,
        })
    }

    fn result(id: &str, content: &str) -> Part {
        Part::ToolResult {
            id: id.into(),
            name: "f".into(),
            content: content.into(),
            is_error: false,
        }
    }

    fn says(role: Role, text: &str) -> Message {
        Message::text(role, text)
    }

    fn does(parts: Vec<Part>) -> Message {
        Message::new(Role::Assistant, parts)
    }

    fn tool(parts: Vec<Part>) -> Message {
        Message::new(Role::Tool, parts)
    }

    fn show(turns: &[Turn<'_>]) -> String {
        let piece = |piece: &Piece<'_>| match piece {
            Piece::Text(text) => (*text).to_owned(),
            Piece::Image { mime, .. } => format!("[{mime}]"),
            Piece::Reasoning { text, .. } => format!("({text})"),
            Piece::Call { id, .. } => format!("call {id}"),
            Piece::Result {
                id,
                content,
                is_error,
                ..
            } => {
                format!("{id}={content}{}", if *is_error { "!" } else { "" })
            }
        };
        let turn = |turn: &Turn<'_>| {
            let letter = match turn.role {
                Role::System => "S",
                Role::User => "U",
                Role::Assistant => "A",
                Role::Tool => "T",
            };
            let pieces: Vec<String> = turn.pieces.iter().map(piece).collect();
            format!("{letter}: {}", pieces.join(" + "))
        };
        turns.iter().map(turn).collect::<Vec<_>>().join(" | ")
    }

    #[track_caller]
    fn check(quirks: &Quirks, messages: &[Message], expected: &str) {
        assert_eq!(show(&repair(messages, quirks, None)), expected);
    }

    fn plain() -> Quirks {
        Quirks {
            tool_id: IdRule::Any,
            ..Quirks::default()
        }
    }

    #[test]
    fn a_sound_conversation_passes_unchanged() {
        check(
            &plain(),
            &[
                says(Role::System, "s"),
                says(Role::User, "u"),
                does(vec![Part::text("hm"), call("a"), call("b")]),
                tool(vec![result("a", "1"), result("b", "2")]),
                says(Role::Assistant, "done"),
            ],
            "S: s | U: u | A: hm + call a + call b | T: a=1 + b=2 | A: done",
        );
    }

    #[test]
    fn somebody_else_speaks_last_where_they_must() {
        let quirks = Quirks {
            user_speaks_last: true,
            ..plain()
        };
        let (ask, said) = (says(Role::User, "u"), says(Role::Assistant, "a"));
        check(
            &quirks,
            &[ask.clone(), said.clone()],
            "U: u | A: a | U: Go on.",
        );
        check(&quirks, &[said, ask], "A: a | U: u");
        check(&quirks, &[says(Role::System, "s")], "S: s | U: Begin.");
        check(
            &quirks,
            &[does(vec![call("a")]), tool(vec![result("a", "1")])],
            "A: call a | T: a=1",
        );
    }

    #[test]
    fn a_dangling_call_gets_an_answer() {
        check(
            &plain(),
            &[
                does(vec![call("a"), call("b")]),
                tool(vec![result("b", "2")]),
                says(Role::User, "u"),
            ],
            &format!("A: call a + call b | T: a={NO_RESULT}! + b=2 | U: u"),
        );
    }

    #[test]
    fn a_result_moves_behind_its_call_and_one_without_call_goes() {
        check(
            &plain(),
            &[
                tool(vec![result("a", "too early")]),
                does(vec![call("a")]),
                says(Role::User, "meanwhile"),
                tool(vec![
                    result("a", "1"),
                    result("a", "again"),
                    result("x", "?"),
                ]),
            ],
            "A: call a | T: a=1 | U: meanwhile",
        );
    }

    #[test]
    fn an_id_used_twice_becomes_two_ids() {
        let messages = [
            does(vec![call("a")]),
            tool(vec![result("a", "1")]),
            does(vec![call("a")]),
            tool(vec![result("a", "2")]),
        ];
        let turns = repair(&messages, &plain(), None);
        let shown = show(&turns);
        assert!(
            shown.starts_with("A: call a | T: a=1 | A: call a_"),
            "{shown}"
        );
        assert!(shown.ends_with("=2"), "{shown}");
    }

    #[test]
    fn empty_parts_and_messages_go() {
        check(
            &plain(),
            &[
                says(Role::System, ""),
                says(Role::User, "u"),
                does(vec![Part::text("")]),
                does(vec![call("a")]),
                tool(vec![result("a", "")]),
            ],
            "U: u | A: call a | T: a=(no output)",
        );
    }

    #[test]
    fn ids_are_mapped_the_same_way_on_both_sides() {
        for (rule, length) in [(IdRule::Nine, 9), (IdRule::Clean, 40)] {
            let quirks = Quirks {
                tool_id: rule,
                ..Quirks::default()
            };
            let long = "functions.get_weather:0/".repeat(4);
            let messages = [does(vec![call(&long)]), tool(vec![result(&long, "1")])];
            let turns = repair(&messages, &quirks, None);
            let (Piece::Call { id: a, .. }, Piece::Result { id: b, content, .. }) =
                (&turns[0].pieces[0], &turns[1].pieces[0])
            else {
                panic!("{turns:?}");
            };
            assert_eq!((a, *content), (b, "1"));
            assert!(a.len() <= length, "{a}");
            assert!(
                a.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
            );
        }
    }

    #[test]
    fn an_id_that_fits_is_left_alone() {
        for (rule, id) in [
            (IdRule::Nine, "abcDEF123"),
            (IdRule::Clean, "call_abc-1"),
            (IdRule::Any, "ü/1"),
        ] {
            assert_eq!(wire_id(id, 0, rule), id);
        }
    }

    #[test]
    fn system_messages_stand_where_they_may() {
        let messages = [
            says(Role::System, "s1"),
            says(Role::System, "s2"),
            says(Role::User, "u"),
            says(Role::System, "s3"),
            says(Role::Assistant, "a"),
        ];
        let with = |system, merge_same_role| Quirks {
            system,
            merge_same_role,
            ..plain()
        };
        check(
            &with(SystemRule::AsGiven, false),
            &messages,
            "S: s1 | S: s2 | U: u | S: s3 | A: a",
        );
        check(
            &with(SystemRule::FirstOnly, false),
            &messages,
            "S: s1 + s2 | U: u | U: s3 | A: a",
        );
        check(
            &with(SystemRule::FirstOnly, true),
            &messages,
            "S: s1 + s2 | U: u + s3 | A: a",
        );
        check(
            &with(SystemRule::AsUser, false),
            &messages,
            "U: s1 + s2 + u | U: s3 | A: a",
        );
        check(
            &with(SystemRule::AsUser, true),
            &messages,
            "U: s1 + s2 + u + s3 | A: a",
        );
    }

    #[test]
    fn roles_alternate_where_they_must() {
        let quirks = Quirks {
            merge_same_role: true,
            ..plain()
        };
        check(
            &quirks,
            &[
                says(Role::Assistant, "a1"),
                says(Role::Assistant, "a2"),
                says(Role::User, "u1"),
                says(Role::User, "u2"),
            ],
            "U: Begin. | A: a1 + a2 | U: u1 + u2",
        );
    }

    #[test]
    fn an_instruction_follows_the_system_messages() {
        let messages = [says(Role::System, "s"), says(Role::User, "u")];
        let turns = repair(&messages, &plain(), Some("json"));
        assert_eq!(show(&turns), "S: s | S: json | U: u");
        assert_eq!(show(&repair(&[], &plain(), Some("json"))), "S: json");
    }
}
