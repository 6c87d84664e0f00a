//! Tool calls that arrive in pieces, from servers that number them well, badly or not at all.
//!
//! A piece belongs to the call with its index (a missing index counts as its position in the list). It begins a new
//! call when it brings a name together with another id, or a name after arguments that are already whole: servers that
//! number every call 0 tell their calls apart only so. Calls are found by searching, so an index of three million
//! costs what an index of three costs.

use std::borrow::Cow;
use std::fmt::Write as _;

use bwana_types::model::{Delta, ErrorKind, LlmError};

use crate::names::NameMap;
use crate::provider::Sink;

/// One piece of a tool call, as an event holds it.
pub(crate) struct Piece<'a> {
    pub(crate) index: Option<i64>,
    pub(crate) id: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
    pub(crate) args: Cow<'a, str>,
}

/// A call as it is known so far. The id is unique within the answer, the name is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) args: String,
    index: i64,
    wire_id: String,
    wire_name: String,
    /// Whether the sink knows of this call. It does once the name is known.
    announced: bool,
}

/// The calls of one answer.
#[derive(Debug)]
pub(crate) struct ToolSlots {
    calls: Vec<Call>,
    max: usize,
}

impl ToolSlots {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            calls: Vec::new(),
            max,
        }
    }

    pub(crate) fn calls(&self) -> &[Call] {
        &self.calls
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Adds a piece that stood at `position` in its event's list.
    ///
    /// # Errors
    /// `TooLarge` for more calls than one answer may hold.
    pub(crate) fn push(
        &mut self,
        piece: &Piece<'_>,
        position: usize,
        names: &NameMap,
        sink: Sink<'_>,
    ) -> Result<(), LlmError> {
        let index = piece
            .index
            .unwrap_or_else(|| i64::try_from(position).unwrap_or(i64::MAX));
        let slot = match self.find(piece, index) {
            Some(slot) => slot,
            None if piece.id.is_none() && piece.name.is_none() && piece.args.is_empty() => {
                return Ok(());
            }
            None => self.open(piece, index)?,
        };
        let call = &mut self.calls[slot];
        if call.wire_id.is_empty()
            && let Some(id) = piece.id
        {
            id.clone_into(&mut call.wire_id);
        }
        if call.wire_name.is_empty()
            && let Some(name) = piece.name
        {
            name.clone_into(&mut call.wire_name);
            names.ours(name).clone_into(&mut call.name);
        }
        call.args.push_str(&piece.args);
        if call.announced {
            if !piece.args.is_empty() {
                let piece = piece.args.clone().into_owned();
                sink(Delta::ToolArgs { slot, piece });
            }
        } else if !call.name.is_empty() {
            self.announce(slot, sink);
        }
        Ok(())
    }

    fn announce(&mut self, slot: usize, sink: Sink<'_>) {
        let call = &mut self.calls[slot];
        call.announced = true;
        sink(Delta::ToolStart {
            slot,
            id: call.id.clone(),
            name: call.name.clone(),
        });
        if !call.args.is_empty() {
            let piece = call.args.clone();
            sink(Delta::ToolArgs { slot, piece });
        }
    }

    /// The call that `piece` continues; `None` if it begins one.
    fn find(&self, piece: &Piece<'_>, index: i64) -> Option<usize> {
        let of_index = |call: &&Call| call.index == index;
        if let Some(id) = piece.id {
            let known = self
                .calls
                .iter()
                .position(|c| c.wire_id == id && (piece.index.is_none() || c.index == index));
            if known.is_some() {
                return known;
            }
        }
        let slot = self.calls.iter().rposition(|call| of_index(&call))?;
        let call = &self.calls[slot];
        let other_id = piece
            .id
            .is_some_and(|id| !call.wire_id.is_empty() && call.wire_id != id);
        let named_again = piece.name.is_some() && !call.wire_name.is_empty();
        let begins = named_again && (other_id || (piece.id.is_none() && is_whole(&call.args)));
        (!begins).then_some(slot)
    }

    fn open(&mut self, piece: &Piece<'_>, index: i64) -> Result<usize, LlmError> {
        let slot = self.calls.len();
        if slot >= self.max {
            return Err(LlmError::new(
                ErrorKind::TooLarge,
                format!("wants more than {} tool calls in one answer", self.max),
            ));
        }
        let mut id = piece
            .id
            .map_or_else(|| format!("call_{slot}"), str::to_owned);
        if self.calls.iter().any(|call| call.id == id) {
            let _ = write!(id, "_{slot}");
        }
        self.calls.push(Call {
            id,
            name: String::new(),
            args: String::new(),
            index,
            wire_id: String::new(),
            wire_name: String::new(),
            announced: false,
        });
        Ok(slot)
    }
}

/// Whether `args` are a complete JSON value. Checked only when a server names a call again, which is rare.
fn is_whole(args: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(args).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row<'a> = (Option<i64>, Option<&'a str>, Option<&'a str>, &'a str);

    /// Each row is one piece in an event of its own; the result is `id:name:args` a call.
    #[track_caller]
    fn check(rows: &[Row<'_>], calls: &[&str]) {
        let mut slots = ToolSlots::new(8);
        for (index, id, name, args) in rows {
            let piece = Piece {
                index: *index,
                id: *id,
                name: *name,
                args: Cow::Borrowed(args),
            };
            slots
                .push(&piece, 0, &NameMap::default(), &mut |_| {})
                .unwrap();
        }
        let got: Vec<String> = slots
            .calls()
            .iter()
            .map(|c| format!("{}:{}:{}", c.id, c.name, c.args))
            .collect();
        assert_eq!(got, calls);
    }

    #[test]
    fn interleaved_pieces_find_their_call() {
        check(
            &[
                (Some(0), Some("a"), Some("f"), ""),
                (Some(1), Some("b"), Some("g"), ""),
                (Some(0), None, None, "{\"x\":"),
                (Some(1), None, None, "{}"),
                (Some(0), None, None, "1}"),
            ],
            &["a:f:{\"x\":1}", "b:g:{}"],
        );
    }

    #[test]
    fn another_id_on_a_known_index_is_another_call() {
        check(
            &[
                (Some(0), Some("a"), Some("f"), "{\"sku\":\"kit\"}"),
                (Some(0), Some("b"), Some("f"), "{\"sku\":\"lamp\"}"),
            ],
            &["a:f:{\"sku\":\"kit\"}", "b:f:{\"sku\":\"lamp\"}"],
        );
        // and its later pieces, told apart by nothing but the id
        check(
            &[
                (Some(0), Some("a"), Some("f"), "{"),
                (Some(0), Some("b"), Some("f"), "["),
                (Some(0), Some("a"), None, "}"),
                (Some(0), None, None, "]"),
            ],
            &["a:f:{}", "b:f:[]"],
        );
    }

    #[test]
    fn a_missing_index_is_told_by_id_or_place() {
        check(
            &[
                (None, Some("a"), Some("f"), "{}"),
                (None, Some("b"), Some("g"), "{"),
                (None, None, None, "}"),
            ],
            &["a:f:{}", "b:g:{}"],
        );
        check(
            &[(None, None, Some("f"), "{}"), (None, None, Some("f"), "{}")],
            &["call_0:f:{}", "call_1:f:{}"],
        );
    }

    #[test]
    fn a_repeated_name_or_id_does_not_split_a_call() {
        check(
            &[
                (Some(0), Some("a"), Some("f"), "{\"x\""),
                (Some(0), Some("a"), Some("f"), ":1}"),
            ],
            &["a:f:{\"x\":1}"],
        );
        check(
            &[
                (Some(0), None, Some("f"), "{\"x\""),
                (Some(0), None, Some("f"), ":1}"),
            ],
            &["call_0:f:{\"x\":1}"],
        );
        // a fresh id in every piece, but the name only once
        check(
            &[
                (Some(0), Some("a"), Some("f"), "{"),
                (Some(0), Some("z"), None, "}"),
            ],
            &["a:f:{}"],
        );
    }

    #[test]
    fn the_same_id_on_two_indexes_is_two_calls_with_two_ids() {
        check(
            &[
                (Some(0), Some("x"), Some("f"), "{}"),
                (Some(1), Some("x"), Some("g"), "{}"),
            ],
            &["x:f:{}", "x_1:g:{}"],
        );
    }

    #[test]
    fn empty_pieces_are_no_calls_and_a_huge_index_is_cheap() {
        check(&[(Some(0), None, None, "")], &[]);
        check(
            &[(Some(3_000_000), Some("a"), Some("f"), "{}")],
            &["a:f:{}"],
        );
    }

    #[test]
    fn too_many_calls_are_refused() {
        let mut slots = ToolSlots::new(2);
        let mut push = |index| {
            let piece = Piece {
                index: Some(index),
                id: None,
                name: Some("f"),
                args: Cow::Borrowed(""),
            };
            slots.push(&piece, 0, &NameMap::default(), &mut |_| {})
        };
        push(0).unwrap();
        push(1).unwrap();
        assert_eq!(push(2).unwrap_err().kind, ErrorKind::TooLarge);
    }

    #[test]
    fn the_sink_learns_the_name_before_the_arguments() {
        let mut slots = ToolSlots::new(2);
        let mut deltas = Vec::new();
        let names = NameMap::new(["file.write"]);
        for (name, args) in [(None, "{"), (Some("file_write"), "\"a\""), (None, "}")] {
            let piece = Piece {
                index: Some(0),
                id: Some("a"),
                name,
                args: Cow::Borrowed(args),
            };
            slots
                .push(&piece, 0, &names, &mut |d| deltas.push(d))
                .unwrap();
        }
        let (slot, piece) = (0, String::from("{\"a\""));
        assert_eq!(
            deltas,
            [
                Delta::ToolStart {
                    slot,
                    id: String::from("a"),
                    name: String::from("file.write")
                },
                Delta::ToolArgs { slot, piece },
                Delta::ToolArgs {
                    slot,
                    piece: String::from("}")
                },
            ]
        );
    }
}
