-- Schema 9: a paused run may lack what comes back by itself, as memory; it is tried again.

ALTER TABLE runs ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_waiting ON runs (id) WHERE waits = 1;
