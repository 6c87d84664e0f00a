//! The items of one answer, in the order in which they began, found again by servers' good and bad ways of naming them.
//!
//! An event belongs to the item with its id; where a server names another id in every event, to the last open item of
//! its kind at its place; where it names neither well, to the last open item of its kind. Items are found by searching,
//! so a place of three million costs what a place of three costs.

use bwana_types::model::{ErrorKind, LlmError};

/// Items one answer may consist of. Calls have a limit of their own.
const ITEMS_MAX: usize = 1_024;

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    Reasoning,
    Call,
}

/// One item as it is known so far.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    id: String,
    place: Option<i64>,
    /// A closed item is found by its id only.
    pub(super) closed: bool,
    /// What a message says, or a thought.
    pub(super) text: String,
    /// The next text of a thought begins a paragraph.
    pub(super) gap: bool,
    /// A thought as the provider wants it back: its bytes.
    pub(super) sealed: Option<String>,
    /// The provider's id of a call.
    pub(super) call_id: String,
    /// The number of a call among the calls, once it has begun.
    pub(super) slot: Option<usize>,
}

impl Item {
    /// Whether anything of it has come yet.
    pub(super) fn has_content(&self) -> bool {
        !self.text.is_empty() || self.slot.is_some()
    }
}

/// How an event names its item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) kind: Kind,
    pub(super) id: Option<&'a str>,
    pub(super) place: Option<i64>,
}

#[derive(Debug, Default)]
pub(super) struct Items {
    items: Vec<Item>,
}

impl Items {
    pub(super) fn list(&self) -> &[Item] {
        &self.items
    }

    pub(super) fn at(&mut self, number: usize) -> &mut Item {
        &mut self.items[number]
    }

    /// The item of exactly this id.
    pub(super) fn of_id(&self, name: Name<'_>) -> Option<usize> {
        let id = name.id?;
        self.items
            .iter()
            .rposition(|item| item.kind == name.kind && item.id == id)
    }

    /// The open item an event means that does not begin one.
    pub(super) fn find(&self, name: Name<'_>) -> Option<usize> {
        let open = |item: &Item| item.kind == name.kind && !item.closed;
        self.of_id(name)
            .or_else(|| {
                let place = name.place?;
                self.items
                    .iter()
                    .rposition(|item| open(item) && item.place == Some(place))
            })
            .or_else(|| self.items.iter().rposition(open))
    }

    /// The open item an event means that ends one. Here a wrong place is another item.
    pub(super) fn find_to_close(&self, name: Name<'_>) -> Option<usize> {
        if name.place.is_none() {
            return self.find(name);
        }
        self.of_id(name).or_else(|| {
            self.items.iter().rposition(|item| {
                item.kind == name.kind && !item.closed && item.place == name.place
            })
        })
    }

    /// Begins an item.
    ///
    /// # Errors
    /// `TooLarge` for more items than one answer may hold.
    pub(super) fn open(&mut self, name: Name<'_>) -> Result<usize, LlmError> {
        if self.items.len() >= ITEMS_MAX {
            return Err(LlmError::new(
                ErrorKind::TooLarge,
                format!("sent more than {ITEMS_MAX} items in one answer"),
            ));
        }
        self.items.push(Item {
            kind: name.kind,
            id: name.id.unwrap_or_default().to_owned(),
            place: name.place,
            closed: false,
            text: String::new(),
            gap: false,
            sealed: None,
            call_id: String::new(),
            slot: None,
        });
        Ok(self.items.len() - 1)
    }

    /// Where text of item `number` goes: itself, or a continuation if another item of its kind has spoken since, so
    /// that the parts of an answer are in the order in which they were heard.
    ///
    /// # Errors
    /// `TooLarge`
    pub(super) fn to_speak(&mut self, number: usize) -> Result<usize, LlmError> {
        let item = &self.items[number];
        let (kind, place) = (item.kind, item.place);
        let later = self.items[number + 1..]
            .iter()
            .any(|other| other.kind == kind && !other.text.is_empty());
        if !later {
            return Ok(number);
        }
        let id = item.id.clone();
        self.open(Name {
            kind,
            id: (!id.is_empty()).then_some(id.as_str()),
            place,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(id: Option<&str>, place: Option<i64>) -> Name<'_> {
        let kind = Kind::Message;
        Name { kind, id, place }
    }

    #[test]
    fn an_id_counts_more_than_a_place() {
        let mut items = Items::default();
        items.open(name(Some("a"), Some(0))).unwrap();
        items.open(name(Some("b"), Some(0))).unwrap();
        assert_eq!(items.find(name(Some("a"), Some(3_000_000))), Some(0));
        assert_eq!(items.find(name(Some("z"), Some(0))), Some(1));
        assert_eq!(items.find(name(None, Some(9))), Some(1));
        assert_eq!(items.find_to_close(name(Some("z"), Some(9))), None);
    }

    #[test]
    fn a_closed_item_is_found_by_its_id_only() {
        let mut items = Items::default();
        items.open(name(Some("a"), Some(0))).unwrap();
        items.at(0).closed = true;
        assert_eq!(items.find(name(Some("a"), None)), Some(0));
        assert_eq!(items.find(name(None, Some(0))), None);
    }

    #[test]
    fn items_have_a_limit() {
        let mut items = Items::default();
        for _ in 0..ITEMS_MAX {
            items.open(name(None, None)).unwrap();
        }
        let error = items.open(name(None, None)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooLarge);
    }
}
