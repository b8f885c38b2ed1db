-- Schema 20: the models that a growth fuses with its run's own. A row outlives the checkpoint that it names.
CREATE TABLE growth_parents (
    growth_id     TEXT NOT NULL REFERENCES growths (id) ON DELETE CASCADE,
    checkpoint_id TEXT NOT NULL,             -- no key, nor has the next
    run_id        TEXT NOT NULL,
    run_name      TEXT NOT NULL,             -- of then
    step          INTEGER NOT NULL,
    memory_bytes  INTEGER NOT NULL,          -- of its state
    sha256        TEXT,                      -- of its weights' file
    PRIMARY KEY (growth_id, checkpoint_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX growth_parents_by_checkpoint ON growth_parents (checkpoint_id);

-- Stages that have not begun.
CREATE INDEX stages_planned ON stages (run_id) WHERE state = 'planned';
