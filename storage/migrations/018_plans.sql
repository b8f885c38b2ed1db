-- Schema 18: the growth plan of a run, and its stages. A stage's row says that it was begun, and why, before anything is
-- done for it.
CREATE TABLE plans (
    run_id     TEXT PRIMARY KEY NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    start_step INTEGER NOT NULL,   -- of the run when the plan was set first
    alpha      REAL NOT NULL,      -- of its lengths
    steps      INTEGER NOT NULL,   -- of its lengths; 0: each stage has a trigger of its own
    revision   INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE stages (
    id           TEXT PRIMARY KEY NOT NULL,
    run_id       TEXT NOT NULL REFERENCES plans (run_id) ON DELETE CASCADE,
    position     INTEGER NOT NULL, -- 1, 2, ...
    state        TEXT NOT NULL,    -- planned, begun, skipped
    fired_step   INTEGER NOT NULL, -- -1 while it is planned
    fired_ms     INTEGER NOT NULL,
    growth_id    TEXT,             -- of one that has begun
    memory_bytes INTEGER NOT NULL, -- predicted peak of the run with its growth
    reason       TEXT,             -- why it was begun or skipped
    begins       TEXT NOT NULL,    -- its trigger
    request      TEXT NOT NULL,    -- of its growth
    pool         TEXT NOT NULL,
    UNIQUE (run_id, position)
) STRICT;
