//! A full-text index over what people look for. It is computed from the journal and from files, stands in a file of its
//! own, is part of no backup, and is made anew whenever it is missing, damaged, or of another database.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bwana_types::entry::Seq;
use bwana_types::id::RunId;
use bwana_types::time::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::append::{count, int};
use crate::db::{create_private, remove_if_there};
use crate::error::{Result, StoreError};
use crate::home::beside;

/// The file in the data folder.
pub const SEARCH_FILE: &str = "search.db";
/// Changed whenever what is indexed, or how, changes: an older index is then made anew.
const LAYOUT: &str = "4";
/// Words of what a person looks for.
const WORDS_MAX: usize = 16;
/// Bytes of it.
const QUERY_MAX_BYTES: usize = 512;
/// Words around a hit that are shown.
const SNIPPET: &str = "SELECT run, seq, at_ms, who, file, snippet(found, 0, ?3, ?4, '…', 18) FROM found \
     WHERE found MATCH ?1 ORDER BY rowid DESC LIMIT ?2";
/// Stand around a hit in a snippet. No text in the index has them.
const OPENS: char = '\u{1}';
const CLOSES: char = '\u{2}';

/// A begun word of a length that `prefix` names is one list, read from its newest end. Any other is put together of the
/// lists of all words that begin so, which only long words have few of.
const TABLES: &str = "
CREATE TABLE fact (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE file (run TEXT NOT NULL, file TEXT NOT NULL, text_no INTEGER NOT NULL, PRIMARY KEY (run, file)) WITHOUT ROWID;
CREATE VIRTUAL TABLE found USING fts5(
    text, kind, run UNINDEXED, seq UNINDEXED, at_ms UNINDEXED, who UNINDEXED, file UNINDEXED,
    tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3 4 5 6 7 8');
";
/// A shorter word must stand as it is: too much begins with it.
const BEGUN_MIN_CHARS: usize = 2;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextKind {
    /// What a run is asked to do.
    Run,
    Message,
    /// The content of a file a run wrote.
    File,
}

impl TextKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Message => "message",
            Self::File => "file",
        }
    }
}

/// A text to be found, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedText {
    pub kind: TextKind,
    pub run: RunId,
    pub seq: Seq,
    pub at: Timestamp,
    /// An agent, or the person; empty: nobody in particular.
    pub who: String,
    /// Only of files. A file has one text a run: the newest.
    pub file: String,
    pub text: String,
}

/// A place where what was looked for stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub run: RunId,
    pub seq: Seq,
    pub at: Timestamp,
    pub who: String,
    pub file: String,
    /// A piece of the text; `true`: this is what was looked for.
    pub snippet: Vec<(String, bool)>,
}

/// The index of one data folder.
#[derive(Debug)]
pub struct SearchIndex {
    /// `None`: in memory.
    path: Option<PathBuf>,
    db: Mutex<Connection>,
}

impl SearchIndex {
    /// Opens or makes the index of a data folder. Only for its owner.
    ///
    /// # Errors
    /// If it can neither be used nor made anew.
    pub fn open(home: &Path) -> Result<Self> {
        let path = home.join(SEARCH_FILE);
        let db = match usable(&path) {
            Ok(db) => db,
            Err(error) => {
                tracing::debug!(%error, "the index for searching is made anew");
                made(&path)?
            }
        };
        Ok(Self {
            path: Some(path),
            db: Mutex::new(db),
        })
    }

    /// An index that is gone with its last owner, for whoever only reads the data folder.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn in_memory() -> Result<Self> {
        let db = Connection::open_in_memory()?;
        fill(&db)?;
        Ok(Self {
            path: None,
            db: Mutex::new(db),
        })
    }

    /// Up to which place of the journal of the database `epoch` everything is in the index; 0: nothing. An index of
    /// another database is emptied.
    ///
    /// # Errors
    /// If the file fails.
    pub fn reached(&self, epoch: &str) -> Result<i64> {
        let db = self.lock();
        if fact(&db, "epoch")?.as_deref() != Some(epoch) {
            let all = db.unchecked_transaction()?;
            all.execute("DELETE FROM found", [])?;
            all.execute("DELETE FROM file", [])?;
            set_fact(&all, "reached", "0")?;
            set_fact(&all, "epoch", epoch)?;
            all.commit()?;
            return Ok(0);
        }
        let reached = fact(&db, "reached")?;
        Ok(reached
            .and_then(|number| number.parse().ok())
            .unwrap_or_default())
    }

    /// Takes texts in, and notes that everything up to `reached` is in.
    ///
    /// # Errors
    /// If the file fails; then nothing of it is in.
    pub fn put(&self, texts: &[IndexedText], reached: i64) -> Result<()> {
        let db = self.lock();
        let all = db.unchecked_transaction()?;
        for text in texts {
            let run = text.run.to_string();
            if text.kind == TextKind::File {
                all.prepare_cached(
                    "DELETE FROM found WHERE rowid = (SELECT text_no FROM file WHERE run = ?1 AND file = ?2)",
                )?
                .execute([&run, &text.file])?;
            }
            all.prepare_cached(
                "INSERT INTO found (text, kind, run, seq, at_ms, who, file) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                plain(&text.text),
                text.kind.as_str(),
                run,
                int(text.seq),
                text.at.0,
                text.who,
                text.file
            ])?;
            if text.kind == TextKind::File {
                all.prepare_cached(
                    "INSERT INTO file (run, file, text_no) VALUES (?1, ?2, last_insert_rowid()) \
                     ON CONFLICT (run, file) DO UPDATE SET text_no = excluded.text_no",
                )?
                .execute([&run, &text.file])?;
            }
        }
        set_fact(&all, "reached", &reached.to_string())?;
        all.commit()?;
        Ok(())
    }

    /// Texts of a kind with all the words, the newest first: to rank them, all would have to be looked at. Words may be
    /// begun only, from two letters on; what stands in double quotes must stand so. Nothing but signs finds nothing.
    ///
    /// # Errors
    /// If the file fails.
    pub fn find(&self, text: &str, kind: TextKind, limit: usize) -> Result<Vec<Found>> {
        let Some(query) = query(text, kind) else {
            return Ok(Vec::new());
        };
        let db = self.lock();
        let mut statement = db.prepare_cached(SNIPPET)?;
        let mut rows = statement.query(params![
            query,
            int(limit as u64),
            OPENS.to_string(),
            CLOSES.to_string()
        ])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let run: String = row.get(0)?;
            // The index is ours, but a damaged one may say anything.
            let Ok(run) = run.parse() else { continue };
            found.push(Found {
                run,
                seq: count(row.get(1)?),
                at: Timestamp(row.get(2)?),
                who: row.get(3)?,
                file: row.get(4)?,
                snippet: marked(&row.get::<_, String>(5)?),
            });
        }
        Ok(found)
    }

    /// Throws everything away and begins anew, for whoever found it damaged.
    ///
    /// # Errors
    /// If a new one cannot be made.
    pub fn renew(&self) -> Result<()> {
        let mut db = self.lock();
        *db = Connection::open_in_memory()?;
        match &self.path {
            Some(path) => *db = made(path)?,
            None => fill(&db)?,
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn usable(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    settings(&db)?;
    if fact(&db, "layout")?.as_deref() != Some(LAYOUT) {
        return Err(StoreError::damaged("it has another layout"));
    }
    Ok(db)
}

fn made(path: &Path) -> Result<Connection> {
    let failed =
        |error: &std::io::Error| StoreError::io("making the index for searching", path, error);
    for old in [path.to_owned(), beside(path, "-journal")] {
        remove_if_there(&old).map_err(|error| failed(&error))?;
    }
    create_private(path).map_err(|error| failed(&error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    fill(&db)?;
    Ok(db)
}

fn fill(db: &Connection) -> Result<()> {
    settings(db)?;
    db.execute_batch(TABLES)?;
    set_fact(db, "layout", LAYOUT)
}

fn settings(db: &Connection) -> Result<()> {
    db.pragma_update(None, "journal_mode", "TRUNCATE")?;
    // What a power cut breaks here is made anew from the journal.
    db.pragma_update(None, "synchronous", "OFF")?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}

fn fact(db: &Connection, key: &str) -> Result<Option<String>> {
    Ok(db
        .prepare_cached("SELECT value FROM fact WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?)
}

fn set_fact(db: &Connection, key: &str, value: &str) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO fact (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute([key, value])?;
    Ok(())
}

/// Without the signs that mark hits, and other signs nobody sees.
fn plain(text: &str) -> String {
    let seen = |c: &char| !c.is_control() || c.is_whitespace();
    text.chars().filter(seen).collect()
}

/// What a person typed, as a query that can only mean words in texts of this kind. `None`: there are none.
fn query(text: &str, kind: TextKind) -> Option<String> {
    let mut end = text.len().min(QUERY_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut words = Vec::new();
    for (at, piece) in text[..end].split('"').enumerate() {
        // Between two quotes: one word of several, whole. A quote that is not closed yet counts like none.
        let closed = at % 2 == 1 && text[..end].matches('"').count() > at;
        if closed {
            words.push((piece.to_owned(), ""));
        } else {
            words.extend(piece.split_whitespace().map(|word| {
                let is_begun = word.chars().nth(BEGUN_MIN_CHARS - 1).is_some();
                (word.to_owned(), if is_begun { "*" } else { "" })
            }));
        }
    }
    let said = words
        .into_iter()
        .filter(|(word, _)| word.chars().any(char::is_alphanumeric));
    let quoted: Vec<_> = said
        .take(WORDS_MAX)
        .map(|(word, begun)| format!("\"{}\"{begun}", plain(&word)))
        .collect();
    let words = quoted.join(" AND ");
    (!words.is_empty()).then(|| format!("{{kind}} : {} AND {{text}} : ({words})", kind.as_str()))
}

/// A snippet in pieces.
fn marked(text: &str) -> Vec<(String, bool)> {
    let mut pieces = Vec::new();
    for (at, part) in text.split(OPENS).enumerate() {
        let (hit, rest) = match part.split_once(CLOSES) {
            Some((hit, rest)) if at > 0 => (hit, rest),
            _ => ("", part),
        };
        for (piece, is_hit) in [(hit, true), (rest, false)] {
            if !piece.is_empty() {
                pieces.push((piece.to_owned(), is_hit));
            }
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_means_words_and_nothing_else() {
        let cases = [
            ("solar lamps", Some(r#""solar"* AND "lamps"*"#)),
            (r#""solar lamps" kit"#, Some(r#""solar lamps" AND "kit"*"#)),
            (r#""solar la"#, Some(r#""solar"* AND "la"*"#)),
            ("a OR b) NOT", Some(r#""a" AND "OR"* AND "b)"* AND "NOT"*"#)),
            ("text: x* ^y", Some(r#""text:"* AND "x*"* AND "^y"*"#)),
            (r#" -- ( " " "#, None),
            ("", None),
        ];
        for (typed, words) in cases {
            let expected = words.map(|words| format!("{{kind}} : run AND {{text}} : ({words})"));
            assert_eq!(query(typed, TextKind::Run), expected, "{typed}");
        }
        let long = query(&"é ".repeat(QUERY_MAX_BYTES), TextKind::File).unwrap();
        assert_eq!(long.matches('é').count(), WORDS_MAX);
    }

    #[test]
    fn a_snippet_is_cut_at_its_marks() {
        let text = format!("…a {OPENS}b{CLOSES} c {OPENS}d{CLOSES}");
        let pieces = marked(&text);
        let expected = [("…a ", false), ("b", true), (" c ", false), ("d", true)];
        let expected = expected.map(|(piece, hit)| (piece.to_owned(), hit));
        assert_eq!(pieces, expected);
        assert_eq!(marked(""), []);
    }
}
