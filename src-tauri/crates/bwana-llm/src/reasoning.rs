//! Reasoning that goes back to its model unchanged: the pieces of `reasoning_details` put together again.
//! A piece is merged into the one with the same place and type; text grows, everything else keeps its last value.

use serde_json::{Map, Value};

/// Pieces one answer may consist of; a hostile stream gets no further ones.
const DETAILS_MAX: usize = 1_024;

/// The details of one answer.
#[derive(Debug, Default)]
pub(crate) struct Details {
    pieces: Vec<Map<String, Value>>,
}

impl Details {
    /// Takes the pieces of one event and gives the readable text they add.
    pub(crate) fn push(&mut self, pieces: &[Value]) -> String {
        let mut readable = String::new();
        for piece in pieces.iter().filter_map(Value::as_object) {
            for key in ["text", "summary"] {
                if let Some(text) = piece.get(key).and_then(Value::as_str) {
                    readable.push_str(text);
                }
            }
            if let Some(at) = self.last_like(piece) {
                merge(&mut self.pieces[at], piece);
            } else if self.pieces.len() < DETAILS_MAX {
                self.pieces.push(piece.clone());
            }
        }
        readable
    }

    /// What goes back, if there is anything.
    pub(crate) fn value(&self) -> Option<Value> {
        (!self.pieces.is_empty())
            .then(|| Value::Array(self.pieces.iter().cloned().map(Value::Object).collect()))
    }

    /// The piece that `piece` continues: the last one, if it has the same place, type and (where given) id.
    fn last_like(&self, piece: &Map<String, Value>) -> Option<usize> {
        let same = |known: &Map<String, Value>, key: &str| match (known.get(key), piece.get(key)) {
            (Some(a), Some(b)) => a == b || a.is_null() || b.is_null(),
            (None, None) => true,
            _ => key == "id",
        };
        let at = self
            .pieces
            .iter()
            .rposition(|known| same(known, "index"))
            .filter(|_| piece.contains_key("index"))?;
        let known = &self.pieces[at];
        (same(known, "type") && same(known, "id")).then_some(at)
    }
}

fn merge(known: &mut Map<String, Value>, piece: &Map<String, Value>) {
    for (key, value) in piece {
        match (known.get_mut(key), value) {
            (_, Value::Null) => {}
            (Some(Value::String(text)), Value::String(more))
                if ["text", "summary", "data"].contains(&key.as_str()) =>
            {
                text.push_str(more);
            }
            (Some(old), new) => *old = new.clone(),
            (None, new) => {
                known.insert(key.clone(), new.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pieces_become_what_they_were_cut_from() {
        let mut details = Details::default();
        let first = json!([{"type":"reasoning.text","text":"Let me ","index":0,"signature":null}]);
        let second = json!([{"type":"reasoning.text","text":"think","index":0},
            {"type":"reasoning.encrypted","data":"QUJD","index":1}]);
        let third = json!([{"type":"reasoning.text","text":"","signature":"sig","index":0}]);
        assert_eq!(details.push(first.as_array().unwrap()), "Let me ");
        assert_eq!(details.push(second.as_array().unwrap()), "think");
        assert_eq!(details.push(third.as_array().unwrap()), "");
        assert_eq!(
            details.value().unwrap(),
            json!([
                {"type":"reasoning.text","text":"Let me think","index":0,"signature":"sig"},
                {"type":"reasoning.encrypted","data":"QUJD","index":1}
            ])
        );
    }

    #[test]
    fn pieces_without_a_place_stay_apart() {
        let mut details = Details::default();
        details.push(&[json!({"type":"reasoning.encrypted","data":"A"})]);
        details.push(&[json!({"type":"reasoning.encrypted","data":"B"})]);
        assert_eq!(details.value().unwrap().as_array().unwrap().len(), 2);
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(Details::default().value(), None);
    }
}
