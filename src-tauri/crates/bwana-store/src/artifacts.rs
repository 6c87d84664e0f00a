//! Files in the runs' artifact folders, as the journal describes them. The files themselves are not ours.

use bwana_types::entry::{Artifact, Seq};
use bwana_types::hash::Hash;
use rusqlite::{Connection, params};
use serde::Serialize;

use crate::append::{count, int};
use crate::error::Result;

/// A file and the entry that last wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArtifactInfo {
    #[serde(flatten)]
    pub artifact: Artifact,
    pub seq: Seq,
}

pub(crate) fn put(db: &Connection, run_no: i64, seq: Seq, artifact: &Artifact) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO artifacts (run_no, file, seq, bytes, hash) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (run_no, file) DO UPDATE SET seq = excluded.seq, bytes = excluded.bytes, hash = excluded.hash",
    )?
    .execute(params![
        run_no,
        artifact.file,
        int(seq),
        int(artifact.bytes),
        artifact.hash.0
    ])?;
    Ok(())
}

pub(crate) const ARTIFACTS: &str =
    "SELECT file, bytes, hash, seq FROM artifacts WHERE run_no = ?1 ORDER BY file";

/// By name.
pub(crate) fn of_run(db: &Connection, run_no: i64) -> Result<Vec<ArtifactInfo>> {
    let mut statement = db.prepare_cached(ARTIFACTS)?;
    let rows = statement.query_map([run_no], |row| {
        Ok(ArtifactInfo {
            artifact: Artifact {
                file: row.get(0)?,
                bytes: count(row.get(1)?),
                hash: Hash(row.get(2)?),
            },
            seq: count(row.get(3)?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
