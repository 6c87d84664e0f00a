//! Agents and workflows as imported. The store keeps their JSON and hash and does not look inside.

use bwana_types::hash::Hash;
use bwana_types::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use crate::append::int;
use crate::changes;
use crate::error::Result;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DefinitionKind {
    Agent,
    Workflow,
}

impl DefinitionKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Workflow => "workflow",
        }
    }

    const fn topic(self) -> &'static str {
        match self {
            Self::Agent => "agents",
            Self::Workflow => "workflows",
        }
    }
}

/// What is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDefinition {
    pub kind: DefinitionKind,
    /// The `id` of the file.
    pub slug: String,
    pub name: String,
    /// Of the file's parsed content before defaults.
    pub hash: Hash,
    /// That content as JSON.
    pub body: String,
    /// Where it came from: a file's path, or `builtin`.
    pub source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DefinitionInfo {
    pub kind: DefinitionKind,
    pub slug: String,
    pub name: String,
    pub hash: Hash,
    pub body: String,
    pub source: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Versions of one definition that are kept.
pub const VERSIONS_KEPT: usize = 100;

/// A content of a definition that is or was in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionVersion {
    pub hash: Hash,
    pub body: String,
    pub source: String,
    /// Since when it was in force.
    pub made_at: Timestamp,
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Imported {
    Created,
    Updated,
    /// The same content from the same place was there.
    Unchanged,
}

pub(crate) fn put(db: &Connection, new: &NewDefinition, now: Timestamp) -> Result<Imported> {
    let before = get(db, new.kind, &new.slug)?;
    let same = before.as_ref().is_some_and(|old| {
        (old.hash, &old.body, &old.source, &old.name)
            == (new.hash, &new.body, &new.source, &new.name)
    });
    if same {
        return Ok(Imported::Unchanged);
    }
    db.prepare_cached(
        "INSERT INTO definitions (kind, slug, name, hash, body, source, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) ON CONFLICT (kind, slug) DO UPDATE SET name = excluded.name, \
         hash = excluded.hash, body = excluded.body, source = excluded.source, updated_at = excluded.updated_at",
    )?
    .execute(params![
        new.kind.as_str(),
        new.slug,
        new.name,
        new.hash.0,
        new.body,
        new.source,
        now.0
    ])?;
    keep_version(db, new, now)?;
    changes::record(db, new.kind.topic(), &new.slug, changes::Op::Upsert)?;
    Ok(if before.is_some() {
        Imported::Updated
    } else {
        Imported::Created
    })
}

/// Notes what is in force from now on, unless only its place changed.
fn keep_version(db: &Connection, new: &NewDefinition, now: Timestamp) -> Result<()> {
    let newest = versions(db, new.kind, &new.slug, 1)?;
    if newest.first().is_some_and(|newest| newest.hash == new.hash) {
        return Ok(());
    }
    db.prepare_cached(
        "INSERT INTO definition_versions (kind, slug, hash, body, source, made_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        new.kind.as_str(),
        new.slug,
        new.hash.0,
        new.body,
        new.source,
        now.0
    ])?;
    db.prepare_cached(
        "DELETE FROM definition_versions WHERE kind = ?1 AND slug = ?2 AND version_no <= (SELECT version_no \
         FROM definition_versions WHERE kind = ?1 AND slug = ?2 ORDER BY version_no DESC LIMIT 1 OFFSET ?3)",
    )?
    .execute(params![
        new.kind.as_str(),
        new.slug,
        int(VERSIONS_KEPT as u64)
    ])?;
    Ok(())
}

pub(crate) const VERSIONS: &str = "SELECT hash, body, source, made_at FROM definition_versions \
     WHERE kind = ?1 AND slug = ?2 ORDER BY version_no DESC LIMIT ?3";

/// The newest first.
pub(crate) fn versions(
    db: &Connection,
    kind: DefinitionKind,
    slug: &str,
    limit: usize,
) -> Result<Vec<DefinitionVersion>> {
    let mut statement = db.prepare_cached(VERSIONS)?;
    let rows = statement.query_map(params![kind.as_str(), slug, int(limit as u64)], |row| {
        Ok(DefinitionVersion {
            hash: Hash(row.get(0)?),
            body: row.get(1)?,
            source: row.get(2)?,
            made_at: Timestamp(row.get(3)?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// `false`: there was none.
pub(crate) fn delete(db: &Connection, kind: DefinitionKind, slug: &str) -> Result<bool> {
    let deleted = db
        .prepare_cached("DELETE FROM definitions WHERE kind = ?1 AND slug = ?2")?
        .execute(params![kind.as_str(), slug])?;
    if deleted > 0 {
        changes::record(db, kind.topic(), slug, changes::Op::Delete)?;
    }
    Ok(deleted > 0)
}

pub(crate) const DEFINITION: &str = "SELECT slug, name, hash, body, source, created_at, updated_at FROM definitions \
     WHERE kind = ?1 AND slug = ?2";
pub(crate) const DEFINITIONS: &str = "SELECT slug, name, hash, body, source, created_at, updated_at FROM definitions \
     WHERE kind = ?1 ORDER BY slug";

fn definition(kind: DefinitionKind, row: &Row<'_>) -> rusqlite::Result<DefinitionInfo> {
    Ok(DefinitionInfo {
        kind,
        slug: row.get(0)?,
        name: row.get(1)?,
        hash: Hash(row.get(2)?),
        body: row.get(3)?,
        source: row.get(4)?,
        created_at: Timestamp(row.get(5)?),
        updated_at: Timestamp(row.get(6)?),
    })
}

pub(crate) fn get(
    db: &Connection,
    kind: DefinitionKind,
    slug: &str,
) -> Result<Option<DefinitionInfo>> {
    Ok(db
        .prepare_cached(DEFINITION)?
        .query_row(params![kind.as_str(), slug], |row| definition(kind, row))
        .optional()?)
}

/// By slug.
pub(crate) fn list(db: &Connection, kind: DefinitionKind) -> Result<Vec<DefinitionInfo>> {
    let mut statement = db.prepare_cached(DEFINITIONS)?;
    let rows = statement.query_map([kind.as_str()], |row| definition(kind, row))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
