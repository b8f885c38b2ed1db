-- Schema 21: what applied growths did to their models, measured right after them on one batch. Where there is no row, it
-- was applied by an earlier lagd, or could not be measured.
CREATE TABLE effects (
    growth_id       TEXT PRIMARY KEY NOT NULL REFERENCES growths (id) ON DELETE CASCADE,
    loss_before     REAL,
    loss_after      REAL,
    logit_change    REAL,             -- largest, over the largest logit
    preserved       INTEGER NOT NULL, -- within what numbers of the run's precision can say
    new_share       REAL,             -- of the gradient's squares, on what the parent does not have
    connection_rate REAL,
    rms_ratios      TEXT,             -- a number for each layer of the grown model, a blank between
    measured_ms     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
