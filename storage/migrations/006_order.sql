-- Schema 6: lists are in the order of ids, which are given in the order of creation whatever the clock says. Times are
-- for display.
DROP INDEX datasets_by_created;
DROP INDEX runs_by_created;
DROP INDEX growths_by_created;
DROP INDEX growths_by_run;
DROP INDEX checkpoints_by_created;
DROP INDEX checkpoints_by_run;
DROP INDEX checkpoints_of_runs;
CREATE INDEX growths_by_run ON growths (run_id, id);
CREATE INDEX checkpoints_by_run ON checkpoints (run_id, step, id);
CREATE INDEX checkpoints_of_runs ON checkpoints (run_id, step, id) WHERE candidate_id IS NULL;

-- What lagd takes the time for: pruning goes by it, and a clock that jumped does not change it at once.
CREATE TABLE calendar (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    seen_ms  INTEGER NOT NULL, -- when it was stored last
    doubt_ms INTEGER NOT NULL  -- since when the clock says something else that is not plausible; 0: it does not
) STRICT;
