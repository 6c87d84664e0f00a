//! What is wrong with a file: where, why, and what to do about it. The list people, scripts and editors see.
//! Finding the problems is the business of the other rooms.

use std::fmt;

use bwana_types::error::{ApiError, ErrorCode};
use serde::{Serialize, Serializer};

use super::ISSUES_MAX;

/// One problem of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issue {
    pub severity: Severity,
    pub code: ErrorCode,
    /// Which document of the file, from 1.
    pub document: usize,
    /// The place inside the document, like `steps[2].chat.agents[0]`; empty for the document itself.
    #[serde(skip_serializing_if = "Path::is_empty")]
    pub path: Path,
    /// Line of the file, from 1, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    pub reason: String,
    /// What to write instead, or what to do; empty if the reason says it all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file works, but probably not as meant.
    Warning,
    /// The file cannot be used.
    Error,
}

impl Issue {
    pub fn error(path: Path, reason: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code: ErrorCode::DefinitionInvalid,
            document: 1,
            path,
            line: None,
            reason: reason.into(),
            hint: String::new(),
        }
    }

    pub fn warning(path: Path, reason: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(path, reason)
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    #[must_use]
    pub fn code(mut self, code: ErrorCode) -> Self {
        self.code = code;
        self
    }

    #[must_use]
    pub fn at_line(mut self, line: Option<u32>) -> Self {
        self.line = line;
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    fn is_about_the_whole(&self) -> bool {
        self.document <= 1 && self.line.is_none() && self.path.is_empty()
    }
}

impl fmt::Display for Issue {
    /// `line 12, steps[2].agent: there is no agent 'bob'; did you mean 'bab'?`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.document > 1 {
            write!(f, "document {}, ", self.document)?;
        }
        match (self.line, self.path.is_empty()) {
            (Some(line), true) => write!(f, "line {line}: ")?,
            (Some(line), false) => write!(f, "line {line}, {}: ", self.path)?,
            (None, true) => {}
            (None, false) => write!(f, "{}: ", self.path)?,
        }
        f.write_str(&self.reason)?;
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

/// Why a file, or what was made of it, cannot be used. Carries every problem found, warnings included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionError {
    pub code: ErrorCode,
    pub issues: Vec<Issue>,
}

impl DefinitionError {
    /// From a list with at least one error. The code is that of the first error.
    pub fn new(mut issues: Vec<Issue>) -> Self {
        let code = issues
            .iter()
            .find(|issue| issue.is_error())
            .map_or(ErrorCode::DefinitionInvalid, |issue| issue.code);
        if issues.len() > ISSUES_MAX {
            let more = issues.len() - ISSUES_MAX;
            issues.truncate(ISSUES_MAX);
            issues.push(Issue::error(
                Path::root(),
                format!("and {more} more problems, not listed"),
            ));
        }
        Self { code, issues }
    }

    /// `Err` if the list holds an error, else the list, which then holds warnings only.
    ///
    /// # Errors
    /// If any issue is an error.
    pub fn check(issues: Vec<Issue>) -> Result<Vec<Issue>, Self> {
        if issues.iter().any(Issue::is_error) {
            Err(Self::new(issues))
        } else {
            Ok(issues)
        }
    }

    pub(super) fn one(issue: Issue) -> Self {
        Self::new(vec![issue])
    }

    pub fn errors(&self) -> impl Iterator<Item = &Issue> {
        self.issues.iter().filter(|issue| issue.is_error())
    }
}

impl fmt::Display for DefinitionError {
    /// One problem stands in the sentence; several follow, one a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors().collect::<Vec<_>>().as_slice() {
            [only] => write!(f, "{only}"),
            several => {
                write!(f, "{} problems:", several.len())?;
                several
                    .iter()
                    .try_for_each(|issue| write!(f, "\n- {issue}"))
            }
        }
    }
}

impl std::error::Error for DefinitionError {}

impl From<DefinitionError> for ApiError {
    /// A single problem of no place in particular, like a model nobody has, is two sentences: what, and what next.
    fn from(error: DefinitionError) -> Self {
        let details = serde_json::json!({ "issues": error.issues });
        let api = match error.errors().collect::<Vec<_>>().as_slice() {
            [only] if only.is_about_the_whole() && !only.hint.is_empty() => {
                ApiError::new(error.code, only.reason.clone()).with_hint(sentence(&only.hint))
            }
            _ => ApiError::new(error.code, error.to_string()),
        };
        api.with_details(details)
    }
}

/// A hint, which stands behind a semicolon, as a sentence of its own.
fn sentence(hint: &str) -> String {
    let mut rest = hint.chars();
    let first = rest.next().into_iter().flat_map(char::to_uppercase);
    let end = if hint.ends_with(['.', '?', '!']) {
        ""
    } else {
        "."
    };
    first
        .chain(rest.as_str().chars())
        .chain(end.chars())
        .collect()
}

/// A place inside a document.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

impl Path {
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.with(Segment::Key(key.into()))
    }

    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.0
    }

    fn with(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if plain(key) && position == 0 => f.write_str(key)?,
                Segment::Key(key) if plain(key) => write!(f, ".{key}")?,
                Segment::Key(key) => write!(f, "[{:?}]", quotable(key))?,
            }
        }
        Ok(())
    }
}

impl Serialize for Path {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn plain(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= QUOTE_MAX_CHARS
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

/// Characters of somebody's text that a message repeats.
const QUOTE_MAX_CHARS: usize = 60;

/// Somebody's text, short enough for a message and without line breaks.
pub(super) fn quotable(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= QUOTE_MAX_CHARS {
        line
    } else {
        let cut: String = line.chars().take(QUOTE_MAX_CHARS).collect();
        format!("{cut}…")
    }
}

/// `did you mean 'x'?` if one of the choices is close to what was written.
pub(super) fn did_you_mean<'a>(
    written: &str,
    choices: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    closest(written, choices).map(|choice| format!("did you mean `{choice}`?"))
}

/// The choice nearest to what was written, if it is near enough to be a slip of the hand.
pub(super) fn closest<'a>(
    written: &str,
    choices: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let fold = |text: &str| {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .take(QUOTE_MAX_CHARS)
            .collect::<String>()
    };
    let wanted = fold(written);
    choices
        .into_iter()
        .map(|choice| {
            let folded = fold(choice);
            let distance = strsim::damerau_levenshtein(&wanted, &folded);
            let contains = wanted.len() >= 4
                && folded.len() >= 4
                && (folded.contains(&wanted) || wanted.contains(&folded));
            (
                if contains { distance.min(2) } else { distance },
                folded.len(),
                choice,
            )
        })
        .filter(|(distance, length, _)| *distance <= (*length).max(wanted.len()) / 3)
        .min_by_key(|(distance, _, _)| *distance)
        .map(|(_, _, choice)| choice)
}

/// `a, b and c`, for messages.
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [] => String::from("nothing"),
        [only] => only.clone(),
        [init @ .., last] => format!("{} and {last}", init.join(", ")),
    }
}
