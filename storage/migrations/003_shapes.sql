-- Schema 3: a growth goes from one shape to another, and a checkpoint has a whole shape, not only a depth. Growths of
-- before changed the depth alone: the rest of both shapes is the run's. Rebuilt, so that the long text stays last.

CREATE TABLE growths_of_shapes (
    id                TEXT PRIMARY KEY NOT NULL,
    run_id            TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    state             TEXT NOT NULL,
    mode              TEXT NOT NULL,
    at_step           INTEGER NOT NULL,
    start_step        INTEGER NOT NULL,
    parent_checkpoint TEXT,             -- no key: the record outlives the checkpoint
    from_n_layer      INTEGER NOT NULL,
    from_n_head       INTEGER NOT NULL,
    from_n_embd       INTEGER NOT NULL,
    from_n_inner      INTEGER NOT NULL,
    from_n_positions  INTEGER NOT NULL,
    from_vocab_size   INTEGER NOT NULL,
    to_n_layer        INTEGER NOT NULL,
    to_n_head         INTEGER NOT NULL,
    to_n_embd         INTEGER NOT NULL,
    to_n_inner        INTEGER NOT NULL,
    to_n_positions    INTEGER NOT NULL,
    to_vocab_size     INTEGER NOT NULL,
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
INSERT INTO growths_of_shapes
SELECT g.id, g.run_id, g.state, g.mode, g.at_step, g.start_step, g.parent_checkpoint,
       g.n_layer_from, r.n_head, r.n_embd, r.n_inner, r.n_positions, r.vocab_size,
       g.n_layer_to, r.n_head, r.n_embd, r.n_inner, r.n_positions, r.vocab_size,
       g.probe_steps, g.n_batches, g.eval_sequences, g.parent_loss, g.revision, g.created_ms, g.updated_ms, g.reason,
       g.request
FROM growths AS g JOIN runs AS r ON r.id = g.run_id;
DROP TABLE growths;
ALTER TABLE growths_of_shapes RENAME TO growths;
CREATE INDEX growths_by_run ON growths (run_id, created_ms, id);
CREATE INDEX growths_by_created ON growths (created_ms, id);

ALTER TABLE checkpoints ADD COLUMN n_head INTEGER NOT NULL DEFAULT 0;
ALTER TABLE checkpoints ADD COLUMN n_embd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE checkpoints ADD COLUMN n_inner INTEGER NOT NULL DEFAULT 0;
ALTER TABLE checkpoints ADD COLUMN n_positions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE checkpoints ADD COLUMN vocab_size INTEGER NOT NULL DEFAULT 0;
UPDATE checkpoints SET (n_head, n_embd, n_inner, n_positions, vocab_size) =
    (SELECT n_head, n_embd, n_inner, n_positions, vocab_size FROM runs WHERE id = checkpoints.run_id);
