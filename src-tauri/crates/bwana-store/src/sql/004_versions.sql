-- Format 4: what agents and workflows were before.

-- One row a content that was once in force, the newest last. Written in the transaction that puts it in force; the oldest
-- of a definition go when there are too many. Nothing computes this table anew.
CREATE TABLE definition_versions (
    version_no INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    slug TEXT NOT NULL,
    hash BLOB NOT NULL,
    body TEXT NOT NULL,
    source TEXT NOT NULL,
    made_at INTEGER NOT NULL
) STRICT;
CREATE INDEX definition_versions_of ON definition_versions (kind, slug, version_no);

INSERT INTO definition_versions (kind, slug, hash, body, source, made_at)
    SELECT kind, slug, hash, body, source, updated_at FROM definitions ORDER BY updated_at, slug;
