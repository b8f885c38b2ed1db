-- Schema 19: the size of a head, where it is not n_embd / n_head; 0: it is.
ALTER TABLE runs ADD COLUMN head_dim INTEGER NOT NULL DEFAULT 0;
ALTER TABLE growths ADD COLUMN from_head_dim INTEGER NOT NULL DEFAULT 0;
ALTER TABLE growths ADD COLUMN to_head_dim INTEGER NOT NULL DEFAULT 0;
ALTER TABLE checkpoints ADD COLUMN head_dim INTEGER NOT NULL DEFAULT 0;
