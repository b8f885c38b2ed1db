-- Schema 14: the rungs of a growth, at which an allocator looks at its candidates and says who is probed on. A row is
-- stored before it is acted on.
CREATE TABLE rungs (
    growth_id  TEXT NOT NULL REFERENCES growths (id) ON DELETE CASCADE,
    r          INTEGER NOT NULL,             -- 1, 2, ...
    t          INTEGER NOT NULL,             -- steps since the growth
    action     TEXT NOT NULL,                -- go_on, end, extend
    kept       TEXT,                         -- ids of candidates, a comma between, as the next two
    stopped    TEXT,
    taken_up   TEXT,
    leader     TEXT,
    basis      TEXT,
    p_now      REAL,
    p_end      REAL,
    reason     TEXT,
    decided_ms INTEGER NOT NULL,
    PRIMARY KEY (growth_id, r)
) STRICT, WITHOUT ROWID;

-- Where the first of them lies at the earliest; 0: the growth has none.
ALTER TABLE growths ADD COLUMN first_rung INTEGER NOT NULL DEFAULT 0;
