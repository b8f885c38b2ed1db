-- Schema 16: what a growth was asked to choose from, a line a strategy, so that one that waits behind others can be
-- planned anew when these come to something else. NULL: not kept, as before.
ALTER TABLE growths ADD COLUMN pool TEXT;
-- Those that have not begun, in the order of their turn.
CREATE INDEX growths_queued ON growths (run_id, at_step, id) WHERE state = 'queued';
