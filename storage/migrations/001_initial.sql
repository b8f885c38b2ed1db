-- Schema 1. Never edited after a release: changes are new files. "" is stored as NULL, NaN and infinities as NULL.

CREATE TABLE schema_history (
    version    INTEGER PRIMARY KEY,
    program    TEXT NOT NULL,           -- version of the lagd that applied it
    sha256     TEXT NOT NULL,           -- of the migration's text
    applied_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE datasets (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT NOT NULL UNIQUE,
    origin     TEXT NOT NULL,
    path       TEXT NOT NULL,
    format     TEXT NOT NULL,
    n_bytes    INTEGER NOT NULL,
    n_tokens   INTEGER NOT NULL,
    max_id     INTEGER NOT NULL,
    vocab_size INTEGER NOT NULL,
    sha256     TEXT,
    created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX datasets_by_created ON datasets (created_ms, id);

-- The long text (config) comes last, so that the rest of a row is read without its overflow pages.
CREATE TABLE runs (
    id            TEXT PRIMARY KEY NOT NULL,
    name          TEXT NOT NULL UNIQUE,
    dataset_id    TEXT NOT NULL REFERENCES datasets (id),
    state         TEXT NOT NULL,
    n_layer       INTEGER NOT NULL,
    n_head        INTEGER NOT NULL,
    n_embd        INTEGER NOT NULL,
    n_inner       INTEGER NOT NULL,
    n_positions   INTEGER NOT NULL,
    vocab_size    INTEGER NOT NULL,
    n_params      INTEGER NOT NULL,
    step          INTEGER NOT NULL,
    max_steps     INTEGER NOT NULL,
    tokens        INTEGER NOT NULL,
    flops         REAL NOT NULL,
    lr_scale      REAL NOT NULL,
    n_rollbacks   INTEGER NOT NULL,
    rollback_step INTEGER NOT NULL,
    growth_id     TEXT,
    revision      INTEGER NOT NULL,
    created_ms    INTEGER NOT NULL,
    updated_ms    INTEGER NOT NULL,
    reason        TEXT,
    config        TEXT
) STRICT;
-- state at the end: a list filtered by state reads the index only, until a row matches.
CREATE INDEX runs_by_created ON runs (created_ms, id, state);
CREATE INDEX runs_by_dataset ON runs (dataset_id);

CREATE TABLE growths (
    id                TEXT PRIMARY KEY NOT NULL,
    run_id            TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    state             TEXT NOT NULL,
    mode              TEXT NOT NULL,
    at_step           INTEGER NOT NULL,
    start_step        INTEGER NOT NULL,
    parent_checkpoint TEXT,             -- no key: the record outlives the checkpoint
    n_layer_from      INTEGER NOT NULL,
    n_layer_to        INTEGER NOT NULL,
    probe_steps       INTEGER NOT NULL,
    n_batches         INTEGER NOT NULL,
    eval_sequences    INTEGER NOT NULL,
    parent_loss       REAL,
    revision          INTEGER NOT NULL,
    created_ms        INTEGER NOT NULL,
    updated_ms        INTEGER NOT NULL,
    reason            TEXT,
    request           TEXT
) STRICT;
CREATE INDEX growths_by_run ON growths (run_id, created_ms, id);
CREATE INDEX growths_by_created ON growths (created_ms, id);

-- AUTOINCREMENT here and in series: a number is never given twice, so a late row cannot land under a stranger.
CREATE TABLE candidates (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    growth_id    TEXT NOT NULL REFERENCES growths (id) ON DELETE CASCADE,
    position     INTEGER NOT NULL,
    op           TEXT NOT NULL,
    strategy     TEXT,
    names        TEXT,
    recipe       TEXT,
    eligible     INTEGER NOT NULL,
    state        TEXT NOT NULL,
    reason       TEXT,
    t            INTEGER NOT NULL,
    n_params     INTEGER NOT NULL,
    rewarm_steps INTEGER NOT NULL,
    loss_at_0    REAL,
    loss_at_lag  REAL,
    flops        REAL NOT NULL,
    checkpoint   TEXT,
    UNIQUE (growth_id, position)
) STRICT;

CREATE TABLE probe_losses (
    candidate INTEGER NOT NULL REFERENCES candidates (number) ON DELETE CASCADE,
    t         INTEGER NOT NULL,
    batch     INTEGER NOT NULL,
    loss      REAL,
    PRIMARY KEY (candidate, t, batch)
) STRICT, WITHOUT ROWID;

CREATE TABLE decisions (
    growth_id   TEXT PRIMARY KEY NOT NULL REFERENCES growths (id) ON DELETE CASCADE,
    candidate   TEXT,
    pick_at_0   TEXT,
    pick_at_lag TEXT,
    runner_up   TEXT,
    margin      REAL,
    margin_low  REAL,
    margin_high REAL,
    tau         REAL,
    tau_0       REAL,
    flops       REAL,
    tied        INTEGER NOT NULL,
    lag_short   INTEGER NOT NULL,
    decided_by  TEXT NOT NULL,
    verdict     TEXT,
    reason      TEXT,
    decided_ms  INTEGER NOT NULL
) STRICT;

CREATE TABLE checkpoints (
    id           TEXT PRIMARY KEY NOT NULL,
    run_id       TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    candidate_id TEXT REFERENCES candidates (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL,
    path         TEXT NOT NULL,
    step         INTEGER NOT NULL,
    n_layer      INTEGER NOT NULL,
    n_bytes      INTEGER NOT NULL,
    fingerprint  TEXT,
    keep         INTEGER NOT NULL,
    created_ms   INTEGER NOT NULL
) STRICT;
CREATE INDEX checkpoints_by_run ON checkpoints (run_id, step, created_ms, id);
CREATE INDEX checkpoints_of_runs ON checkpoints (run_id, step, created_ms, id) WHERE candidate_id IS NULL;
CREATE INDEX checkpoints_by_candidate ON checkpoints (candidate_id) WHERE candidate_id IS NOT NULL;
CREATE INDEX checkpoints_by_created ON checkpoints (created_ms, id);

CREATE TABLE checkpoint_files (
    checkpoint_id TEXT NOT NULL REFERENCES checkpoints (id) ON DELETE CASCADE,
    name          TEXT NOT NULL,
    n_bytes       INTEGER NOT NULL,
    sha256        TEXT NOT NULL,
    PRIMARY KEY (checkpoint_id, name)
) STRICT, WITHOUT ROWID;

-- owner is a run or a candidate, so it cannot be a foreign key; deleting a run deletes the series of both.
CREATE TABLE series (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    owner      TEXT NOT NULL,
    key        TEXT NOT NULL,
    exact      INTEGER NOT NULL,
    n_points   INTEGER NOT NULL,
    first_step INTEGER NOT NULL,
    last_step  INTEGER NOT NULL,
    last_value REAL,
    UNIQUE (owner, key)
) STRICT;

CREATE TABLE points (
    series INTEGER NOT NULL REFERENCES series (id) ON DELETE CASCADE,
    step   INTEGER NOT NULL,
    value  REAL,
    PRIMARY KEY (series, step)
) STRICT, WITHOUT ROWID;

-- No foreign keys: events of what was deleted stay readable. AUTOINCREMENT: no gaps, and no number twice after pruning.
CREATE TABLE events (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    ts_ms        INTEGER NOT NULL,
    type         TEXT NOT NULL,
    run_id       TEXT,
    growth_id    TEXT,
    candidate_id TEXT,
    state        TEXT,
    step         INTEGER NOT NULL,
    value        REAL,
    message      TEXT
) STRICT;
CREATE INDEX events_by_run ON events (run_id, seq) WHERE run_id IS NOT NULL;
