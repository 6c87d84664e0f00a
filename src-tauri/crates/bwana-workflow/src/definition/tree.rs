//! A file as a tree with lines: YAML or JSON text in, nodes out, under limits that a hostile file cannot pass.
//! What the nodes mean is not decided here.

use std::fmt;

use bwana_types::error::ErrorCode;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DuplicateKeyPolicy, Spanned};

use super::issue::{Issue, Path, Segment, quotable};
use super::{DOCUMENTS_MAX, FILE_DEPTH_MAX, FILE_MAX_BYTES};

/// Nodes a file may hold, copies made by aliases included.
const NODES_MAX: usize = 50_000;
/// Aliases (`*name`) a file may hold.
const ALIASES_MAX: usize = 1_000;
/// Nodes that all aliases together may copy.
const ALIAS_COPIES_MAX: usize = 20_000;
/// Bytes of text after aliases are expanded.
const TEXT_MAX_BYTES: usize = 2 * FILE_MAX_BYTES;

/// A value of the file and the line it starts on (0: unknown).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) line: u32,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    /// In the order of the file, keys repeated as written.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The value of a key, if this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Map(entries) => entries
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, node)| node),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn line(&self) -> Option<u32> {
        (self.line > 0).then_some(self.line)
    }

    /// The same as JSON, without lines.
    pub(super) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(flag) => Value::Bool(*flag),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => items.iter().map(Self::to_value).collect(),
            Kind::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, node)| (key.clone(), node.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// The line of a place, or of the nearest enclosing place that exists.
    pub(super) fn line_of(&self, path: &Path) -> Option<u32> {
        let mut node = self;
        for segment in path.segments() {
            let next = match (segment, &node.kind) {
                (Segment::Key(key), _) => node.get(key),
                (Segment::Index(index), Kind::List(items)) => items.get(*index),
                (Segment::Index(_), _) => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node.line()
    }

    /// What this is, in words: `a list`, `the text 'abc'`.
    pub(super) fn description(&self) -> String {
        match &self.kind {
            Kind::Null => String::from("nothing"),
            Kind::Bool(flag) => format!("{flag}"),
            Kind::Number(number) => format!("the number {number}"),
            Kind::Text(text) if text.is_empty() => String::from("an empty text"),
            Kind::Text(text) => format!("the text '{}'", quotable(text)),
            Kind::List(_) => String::from("a list"),
            Kind::Map(_) => String::from("a group of keys"),
        }
    }
}

/// Reads all documents of a file. JSON is read as the YAML it is, so that its lines are known too.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Node>, Issue> {
    let text = text_of(bytes)?;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: DOCUMENTS_MAX,
            max_depth: FILE_DEPTH_MAX,
            flow_nesting_limit: FILE_DEPTH_MAX + 1,
            max_nodes: NODES_MAX,
            max_events: 4 * NODES_MAX,
            max_aliases: ALIASES_MAX,
            max_total_scalar_bytes: TEXT_MAX_BYTES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: ALIAS_COPIES_MAX,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options::<Node>(text, options)
        .map_err(|error| unreadable(&error))
}

fn text_of(bytes: &[u8]) -> Result<&str, Issue> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Issue::error(Path::root(), "the file is saved as UTF-16")
            .hint("save it again as UTF-8"));
    }
    let not_text = |at: usize| {
        Issue::error(
            Path::root(),
            format!("this is not a text file (byte {} is no UTF-8 text)", at + 1),
        )
        .hint("a definition is YAML or JSON, saved as UTF-8")
    };
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(not_text(at));
    }
    std::str::from_utf8(bytes).map_err(|error| not_text(error.valid_up_to()))
}

fn unreadable(error: &serde_saphyr::Error) -> Issue {
    use serde_saphyr::Error as E;
    let mut error = error.without_snippet();
    while let E::AliasError { error: inner, .. } = error {
        error = inner.without_snippet();
    }
    let line = error
        .location()
        .and_then(|location| u32::try_from(location.line()).ok())
        .filter(|line| *line > 0);
    let too_large =
        |reason: String| Issue::error(Path::root(), reason).code(ErrorCode::DefinitionTooLarge);
    let too_deep = || {
        too_large(format!(
            "lists and groups are nested more than {FILE_DEPTH_MAX} deep"
        ))
    };
    let issue = match error {
        E::Budget { breach, .. } => match breach {
            BudgetBreach::Depth { .. } => too_deep(),
            BudgetBreach::Documents { .. } => too_large(format!(
                "the file holds more than {DOCUMENTS_MAX} documents"
            )),
            BudgetBreach::Aliases { .. } | BudgetBreach::AliasAnchorRatio { .. } => too_large(
                format!("the file uses more than {ALIASES_MAX} aliases (`*name`)"),
            ),
            _ => too_large(format!(
                "the file holds more than {NODES_MAX} values or {TEXT_MAX_BYTES} bytes of text once its aliases are expanded"
            )),
        },
        E::AliasReplayLimitExceeded { .. }
        | E::AliasExpansionLimitExceeded { .. }
        | E::AliasReplayStackDepthExceeded { .. } => too_large(format!(
            "its aliases (`*name`) expand to more than {ALIAS_COPIES_MAX} values"
        )),
        // The scanner's own bound on brackets, met before the parser counts levels.
        other if other.to_string().contains("recursion limit") => too_deep(),
        other => Issue::error(
            Path::root(),
            format!("not readable as YAML or JSON: {}", plain_words(other)),
        )
        .hint("check indentation, quotes and brackets around this line"),
    };
    issue.at_line(line)
}

/// The library's words without its own note of the position.
fn plain_words(error: &serde_saphyr::Error) -> String {
    let text = quotable_long(&error.to_string());
    match text
        .rfind(" at line ")
        .or_else(|| text.find("line ").filter(|at| *at == 0))
    {
        Some(at) if at > 0 => text[..at].trim_end_matches([',', ':', ';', ' ']).to_owned(),
        _ => text,
    }
}

/// Characters of a library's message that we repeat.
const MESSAGE_MAX_CHARS: usize = 200;

fn quotable_long(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(MESSAGE_MAX_CHARS).collect()
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self {
            line: u32::try_from(spanned.referenced.line()).unwrap_or(0),
            kind: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        Kind::deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Kind, E> {
        Ok(Kind::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Kind, E> {
        Ok(Kind::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Kind, E> {
        Number::from_f64(number)
            .map(Kind::Number)
            .ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_i128<E: serde::de::Error>(self, _: i128) -> Result<Kind, E> {
        Err(E::custom("a number is too large"))
    }

    fn visit_u128<E: serde::de::Error>(self, _: u128) -> Result<Kind, E> {
        Err(E::custom("a number is too large"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Kind, E> {
        Ok(Kind::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Kind::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e9..1e9_f64).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[-a-z0-9:#&*!|>%@`'\",\\[\\]{}? \t]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[a-zA-Z0-9 :\"\\\\é-]{0,10}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_read_as_yaml_is_the_same_json(value in any_json()) {
            for text in [value.to_string(), format!("{value:#}")] {
                let nodes = read(text.as_bytes()).map_err(|issue| TestCaseError::fail(format!("{issue}: {text}")))?;
                if value.is_null() {
                    continue;
                }
                prop_assert_eq!(nodes.len(), 1);
                let back = nodes[0].to_value();
                prop_assert_eq!(&back, &value, "{}", text);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), text in "[-a-z0-9:#&*!|>%@`'\",\\[\\]{}? \n\t]{0,200}") {
            let _ = read(&bytes);
            let _ = read(text.as_bytes());
        }
    }

    #[test]
    fn nodes_know_their_lines() {
        let nodes = read(b"a: 1\nb:\n  - x\n  - c: y\n---\nd: z\n").unwrap();
        let line = |path: Path| nodes[0].line_of(&path);
        let b = Path::root().key("b");
        assert_eq!(line(b.index(0)), Some(3));
        assert_eq!(line(b.index(1).key("c")), Some(4));
        assert_eq!(
            line(b.index(9).key("c")),
            line(b.clone()),
            "the nearest place that exists"
        );
        assert_eq!(nodes[1].line_of(&Path::root().key("d")), Some(6));
    }

    #[test]
    fn words_that_older_yaml_took_for_something_else_stay_words() {
        let nodes = read(b"[no, yes, on, 0755, 1_000, 2026-11-25, '1', ~, true, 1.50]").unwrap();
        let expected = json!([
            "no",
            "yes",
            "on",
            "0755",
            "1_000",
            "2026-11-25",
            "1",
            null,
            true,
            1.5
        ]);
        assert_eq!(nodes[0].to_value(), expected);
    }
}
