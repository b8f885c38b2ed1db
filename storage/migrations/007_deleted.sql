-- Schema 7: a run is deleted in one short transaction, which hides what may be millions of rows; they follow in many
-- small ones. Losses of probes lose their key, which would take them all with their candidate at once.
CREATE TABLE deleted (
    kind TEXT NOT NULL,    -- 'series': its points, then the row itself; 'candidate': its losses
    id   INTEGER NOT NULL, -- series.id, candidates.number
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE losses_of_probes (
    candidate INTEGER NOT NULL, -- candidates.number; no key, see above
    t         INTEGER NOT NULL,
    batch     INTEGER NOT NULL,
    loss      REAL,
    PRIMARY KEY (candidate, t, batch)
) STRICT, WITHOUT ROWID;
INSERT INTO losses_of_probes SELECT candidate, t, batch, loss FROM probe_losses ORDER BY candidate, t, batch;
DROP TABLE probe_losses;
ALTER TABLE losses_of_probes RENAME TO probe_losses;
