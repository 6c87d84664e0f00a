-- Format 2: what people allow or forbid beyond one call.

-- Made in the transaction of the decision that says so; used in that of the assessment that honours it. The journal records
-- both, but whether a grant still stands is known only here, so nothing computes this table anew. An imported journal
-- makes no grants. `run` and `task` are ids, not numbers: a grant outlives the run it was made in.
CREATE TABLE grants (
    grant_no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    tool TEXT NOT NULL,
    version TEXT NOT NULL,
    -- JSON, see `Pattern`.
    pattern TEXT NOT NULL,
    run TEXT NOT NULL,
    workflow TEXT NOT NULL,
    workflow_hash TEXT NOT NULL,
    task TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    expires_at INTEGER,
    used INTEGER NOT NULL DEFAULT 0,
    revoked_at INTEGER
) STRICT;
CREATE INDEX grants_by_tool ON grants (tool) WHERE revoked_at IS NULL;
CREATE INDEX grants_by_task ON grants (task);
CREATE INDEX grants_by_tail ON grants (substr(id, -4));
