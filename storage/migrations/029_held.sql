-- Schema 29: what of a model is held back: whether its residual branches have gates, and the step at which its last mask
-- is at 1 (0: it has none). Before, there were neither.
ALTER TABLE runs ADD COLUMN gated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN masked_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE checkpoints ADD COLUMN gated INTEGER NOT NULL DEFAULT 0;
ALTER TABLE checkpoints ADD COLUMN masked_until INTEGER NOT NULL DEFAULT 0;
