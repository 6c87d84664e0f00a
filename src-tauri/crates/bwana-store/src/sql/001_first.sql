-- Format 1. Never edited after release: a change is a new file with the next number.
-- Times are Unix milliseconds UTC, money is micro-USD, hashes are the 32 bytes of a BLAKE3.

-- One row a run: what lists show. A projection of the journal, written in the transaction of the entries it follows
-- from, except `hidden`, which only a person sets. The last entry's seq and time are not repeated here: they stand at the
-- end of the run's index in `journal`, and most commits then leave this page alone. AUTOINCREMENT, because the ledger
-- keeps the numbers of deleted runs.
CREATE TABLE runs (
    run_no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    -- A fork shares its parent's entries 1..fork_seq and has its own from fork_seq + 1.
    parent_no INTEGER REFERENCES runs (run_no),
    fork_seq INTEGER NOT NULL DEFAULT 0,
    definition_no INTEGER NOT NULL REFERENCES blobs (blob_no),
    workflow TEXT NOT NULL,
    title TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- 0 open, 1 after run_stopping, 2 after run_ended: which entries may still follow.
    phase INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL,
    stop_reason TEXT,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens INTEGER NOT NULL DEFAULT 0,
    usage_estimated INTEGER NOT NULL DEFAULT 0,
    cost INTEGER NOT NULL DEFAULT 0,
    cost_unknown INTEGER NOT NULL DEFAULT 0,
    step TEXT,
    steps_done INTEGER NOT NULL DEFAULT 0,
    steps_total INTEGER NOT NULL DEFAULT 0,
    hidden INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX runs_by_status ON runs (status, run_no);
CREATE INDEX runs_by_workflow ON runs (workflow, run_no);
CREATE INDEX runs_by_parent ON runs (parent_no) WHERE parent_no IS NOT NULL;
-- People type the end of an id.
CREATE INDEX runs_by_tail ON runs (substr(id, -4));

-- The record. `pos` is one order over all runs and never used twice, so it is the cursor of the change feed. It is given
-- out by the writer (see kv 'pos_floor'): AUTOINCREMENT would promise the same and dirty one more page a commit. A
-- foreign key to `runs` would cost a search an entry; the writer has the run at hand, and `verify` looks for orphans.
CREATE TABLE journal (
    pos INTEGER PRIMARY KEY,
    run_no INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    v INTEGER NOT NULL,
    -- Exactly one of the two: bodies over 4 KiB are blobs.
    body TEXT,
    blob_no INTEGER,
    UNIQUE (run_no, seq)
) STRICT;
-- For the sweep of blobs and for foreign-key-like checks; only the few large bodies are in it.
CREATE INDEX journal_by_blob ON journal (blob_no) WHERE blob_no IS NOT NULL;

-- Large bodies and definitions, once each. `zstd` = 1: data is a zstd frame of `bytes` bytes. `pinned` = 1: stored for
-- its own sake; the others go with the last row that refers to them.
CREATE TABLE blobs (
    blob_no INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    bytes INTEGER NOT NULL,
    zstd INTEGER NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0,
    data BLOB NOT NULL
) STRICT;

-- One row a question. What was asked and answered stands in the journal at `seq` and `decided_seq`.
CREATE TABLE human_tasks (
    task_no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    run_no INTEGER NOT NULL REFERENCES runs (run_no),
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    decided_seq INTEGER,
    UNIQUE (run_no, seq)
) STRICT;
CREATE INDEX human_tasks_by_status ON human_tasks (status, task_no);
CREATE INDEX human_tasks_by_tail ON human_tasks (substr(id, -4));

-- One row a call and day that holds back or cost money; `day` is 20261125. By day first: the day's sum is one stretch,
-- and a day's rows share their pages. Kept when a run is deleted: the money stays spent.
CREATE TABLE budget_ledger (
    day INTEGER NOT NULL,
    run_no INTEGER NOT NULL,
    call INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    -- Attempts whose price nobody knows: their money is in neither sum.
    unpriced INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (day, run_no, call)
) STRICT, WITHOUT ROWID;

-- Files in a run's artifact folder, as its journal last described them.
CREATE TABLE artifacts (
    run_no INTEGER NOT NULL REFERENCES runs (run_no),
    file TEXT NOT NULL,
    seq INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (run_no, file)
) STRICT, WITHOUT ROWID;

-- Agents and workflows as imported: the truth, of which the files are a picture.
CREATE TABLE definitions (
    kind TEXT NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
    body TEXT NOT NULL,
    source TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (kind, slug)
) STRICT, WITHOUT ROWID;

-- The change feed of everything that is not journaled. Pruned to the newest rows; older cursors start afresh.
CREATE TABLE changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    op TEXT NOT NULL
) STRICT;

-- The store's own facts ('epoch', 'pos_floor', 'clean', 'checked_at') and settings of others under 'app.'.
CREATE TABLE kv (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
