//! Content by hash: bodies over 4 KiB and definitions, stored once, compressed where that helps. Nothing is counted;
//! what nobody refers to is found by a sweep.

use bwana_types::hash::Hash;
use rusqlite::{Connection, OptionalExtension, params};

use crate::append::int;
use crate::error::{Result, StoreError};

/// Bodies up to this stay in their entry.
pub const INLINE_MAX_BYTES: usize = 4 * 1024;
/// The largest body or definition.
pub const BLOB_MAX_BYTES: usize = 64 * 1024 * 1024;
/// A compressed form must save at least a fifth, or it is not worth unpacking.
const WORTH_NUMERATOR: usize = 4;
const WORTH_DENOMINATOR: usize = 5;
/// zstd's own default: a few hundred MB a second.
const ZSTD_LEVEL: i32 = 3;

/// The body of an entry as it goes to the tables.
pub(crate) enum Stored {
    Inline(String),
    Blob(Blob),
}

/// Content ready to be inserted.
pub(crate) struct Blob {
    hash: Hash,
    bytes: usize,
    zstd: bool,
    data: Vec<u8>,
}

/// # Errors
/// If the body is larger than any blob may be.
pub(crate) fn stored(body: String) -> Result<Stored> {
    if body.len() <= INLINE_MAX_BYTES {
        Ok(Stored::Inline(body))
    } else {
        Blob::new(body.into_bytes()).map(Stored::Blob)
    }
}

impl Blob {
    /// Hashes and, if it pays, compresses: work for the caller's thread.
    ///
    /// # Errors
    /// If the content is too large.
    pub(crate) fn new(content: Vec<u8>) -> Result<Self> {
        let bytes = content.len();
        if bytes > BLOB_MAX_BYTES {
            return Err(StoreError::invalid(format!(
                "{bytes} bytes are more than one piece of content may have ({BLOB_MAX_BYTES})"
            )));
        }
        let hash = Hash::of(&content);
        let packed = if bytes > INLINE_MAX_BYTES {
            zstd::bulk::compress(&content, ZSTD_LEVEL).ok()
        } else {
            None
        };
        Ok(match packed {
            Some(packed) if packed.len() * WORTH_DENOMINATOR <= bytes * WORTH_NUMERATOR => Self {
                hash,
                bytes,
                zstd: true,
                data: packed,
            },
            _ => Self {
                hash,
                bytes,
                zstd: false,
                data: content,
            },
        })
    }

    pub(crate) fn hash(&self) -> Hash {
        self.hash
    }
}

/// The number of a blob, stored now unless it is there.
pub(crate) fn insert(db: &Connection, blob: &Blob) -> Result<i64> {
    if let Some(number) = number(db, blob.hash)? {
        return Ok(number);
    }
    db.prepare_cached("INSERT INTO blobs (hash, bytes, zstd, data) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            blob.hash.0,
            int(blob.bytes as u64),
            blob.zstd,
            blob.data
        ])?;
    Ok(db.last_insert_rowid())
}

/// Stores content for its own sake: no deletion of a run takes it along.
pub(crate) fn pin(db: &Connection, blob: &Blob) -> Result<()> {
    db.prepare_cached("UPDATE blobs SET pinned = 1 WHERE blob_no = ?1")?
        .execute([insert(db, blob)?])?;
    Ok(())
}

/// Removes a blob that nothing refers to any more.
pub(crate) fn delete_unused(db: &Connection, blob_no: i64) -> Result<()> {
    db.prepare_cached(
        "DELETE FROM blobs WHERE blob_no = ?1 AND pinned = 0 \
         AND NOT EXISTS (SELECT 1 FROM journal WHERE blob_no = ?1) \
         AND NOT EXISTS (SELECT 1 FROM runs WHERE definition_no = ?1)",
    )?
    .execute([blob_no])?;
    Ok(())
}

pub(crate) const BLOB_BY_HASH: &str = "SELECT blob_no FROM blobs WHERE hash = ?1";

pub(crate) fn number(db: &Connection, hash: Hash) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached(BLOB_BY_HASH)?
        .query_row([hash.0], |row| row.get(0))
        .optional()?)
}

/// The content under `hash`, checked against it.
pub(crate) fn get(db: &Connection, hash: Hash) -> Result<Option<Vec<u8>>> {
    number(db, hash)?
        .map(|number| content(db, number))
        .transpose()
}

/// The content of a blob that something refers to.
///
/// # Errors
/// [`StoreError::Damaged`] if it is missing, cannot be unpacked or is not what its hash says.
pub(crate) fn content(db: &Connection, number: i64) -> Result<Vec<u8>> {
    let row = db
        .prepare_cached("SELECT hash, bytes, zstd, data FROM blobs WHERE blob_no = ?1")?
        .query_row([number], |row| {
            Ok((
                row.get::<_, [u8; 32]>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, bool>(2)?,
                row.get::<_, Vec<u8>>(3)?,
            ))
        })
        .optional()?;
    let damaged = |why: &str| StoreError::damaged(format!("blob {number} {why}"));
    let (hash, bytes, zstd, data) = row.ok_or_else(|| damaged("is missing"))?;
    let bytes = usize::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes <= BLOB_MAX_BYTES)
        .ok_or_else(|| damaged("has an impossible size"))?;
    let content = if zstd {
        zstd::bulk::decompress(&data, bytes).map_err(|_| damaged("cannot be unpacked"))?
    } else {
        data
    };
    if content.len() != bytes || Hash::of(&content).0 != hash {
        return Err(damaged("is not what its hash says"));
    }
    Ok(content)
}

/// The body of an entry that is stored as a blob.
pub(crate) fn body(db: &Connection, number: i64) -> Result<String> {
    String::from_utf8(content(db, number)?)
        .map_err(|_| StoreError::damaged(format!("blob {number} is not text")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bwana_types::time::Timestamp;

    fn check(content: Vec<u8>, compressed: bool) {
        let db = crate::db::open_memory(Timestamp(0)).unwrap();
        let blob = Blob::new(content.clone()).unwrap();
        assert_eq!(blob.zstd, compressed);
        let hash = blob.hash();
        let first = insert(&db, &blob).unwrap();
        assert_eq!(insert(&db, &blob).unwrap(), first, "stored once");
        assert_eq!(get(&db, hash).unwrap(), Some(content));
    }

    /// Bytes that no compressor makes smaller.
    fn noise(length: usize) -> Vec<u8> {
        let mut content = vec![0; length];
        blake3::Hasher::new().finalize_xof().fill(&mut content);
        content
    }

    #[test]
    fn content_comes_back_compressed_only_where_that_saves_a_fifth() {
        check(Vec::new(), false);
        check(b"small and regular, small and regular".repeat(10), false);
        check(b"large and regular, large and regular".repeat(1_000), true);
        check(noise(100_000), false);
    }

    #[test]
    fn content_that_is_too_large_is_refused() {
        assert!(Blob::new(vec![0; BLOB_MAX_BYTES + 1]).is_err());
    }

    #[test]
    fn a_changed_blob_is_noticed() {
        let db = crate::db::open_memory(Timestamp(0)).unwrap();
        for content in [noise(5_000), b"regular ".repeat(1_000)] {
            let blob = Blob::new(content).unwrap();
            let number = insert(&db, &blob).unwrap();
            let mut data = blob.data.clone();
            let middle = data.len() / 2;
            data[middle] ^= 1;
            db.execute(
                "UPDATE blobs SET data = ?1 WHERE blob_no = ?2",
                params![data, number],
            )
            .unwrap();
            assert!(matches!(
                get(&db, blob.hash()),
                Err(StoreError::Damaged { .. })
            ));
        }
    }
}
