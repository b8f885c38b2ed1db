-- Schema 13: studies, and the runs that each is made of. A study has no tables of results: its report is computed from
-- the rows of its runs' growths.
CREATE TABLE studies (
    id                TEXT PRIMARY KEY NOT NULL,
    name              TEXT NOT NULL UNIQUE,
    state             TEXT NOT NULL,
    parent_run        TEXT NOT NULL,        -- no key, nor has the next: the record outlives both
    parent_name       TEXT NOT NULL,
    parent_checkpoint TEXT NOT NULL,
    start_step        INTEGER NOT NULL,
    horizon           INTEGER NOT NULL,
    delta             REAL NOT NULL,
    parent_flops      REAL NOT NULL,        -- spent by the parent up to start_step
    decay_fraction    REAL NOT NULL,        -- of the parent's schedule
    revision          INTEGER NOT NULL,
    created_ms        INTEGER NOT NULL,
    updated_ms        INTEGER NOT NULL,
    reason            TEXT,
    request           TEXT,
    pool              TEXT,                 -- strategies, a line each
    config            TEXT                  -- of the runs that go on from the parent
) STRICT;
CREATE INDEX studies_alive ON studies (id) WHERE state NOT IN ('completed', 'cancelled', 'failed');

-- What a study is made of, in the order in which it is begun: one growth of all candidates a seed, and baselines.
CREATE TABLE study_runs (
    study_id  TEXT NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
    position  INTEGER NOT NULL,
    role      TEXT NOT NULL,                -- candidates, scratch
    seed      INTEGER NOT NULL,
    max_steps INTEGER NOT NULL,
    stage     TEXT NOT NULL,
    run_id    TEXT,
    growth_id TEXT,
    PRIMARY KEY (study_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX study_runs_by_run ON study_runs (run_id) WHERE run_id IS NOT NULL;
