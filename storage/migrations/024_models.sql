-- Schema 24: models that were brought: folders that Hugging Face's libraries have written, copied into models/<id>. A run
-- may begin from one.
CREATE TABLE models (
    id             TEXT PRIMARY KEY NOT NULL,
    name           TEXT NOT NULL UNIQUE,
    path           TEXT NOT NULL,    -- of the folder that it is copied from
    state          TEXT NOT NULL,    -- importing, ready, failed
    reason         TEXT,
    n_bytes        INTEGER NOT NULL, -- of all files; 0 before they are known
    n_bytes_done   INTEGER NOT NULL, -- copied and checked, of twice n_bytes
    n_layer        INTEGER NOT NULL, -- the shape, and what follows, are there once it is ready
    n_head         INTEGER NOT NULL,
    n_embd         INTEGER NOT NULL,
    n_inner        INTEGER NOT NULL,
    n_positions    INTEGER NOT NULL,
    vocab_size     INTEGER NOT NULL,
    head_dim       INTEGER NOT NULL, -- 0: n_embd / n_head
    norm_eps       REAL NOT NULL,
    n_params       INTEGER NOT NULL,
    dtype          TEXT,             -- f32, bf16, f16, mixed
    tokenizer      TEXT,             -- none, bytes, or what tokenizer.json calls its model
    tokenizer_size INTEGER NOT NULL, -- 0: not known
    created_ms     INTEGER NOT NULL
) STRICT;

CREATE TABLE model_files (
    model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    name     TEXT NOT NULL,
    n_bytes  INTEGER NOT NULL,
    sha256   TEXT NOT NULL,
    PRIMARY KEY (model_id, name)
) STRICT, WITHOUT ROWID;

-- Tensors of its files that lagd does not read.
CREATE TABLE model_ignored (
    model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    name     TEXT NOT NULL,
    file     TEXT NOT NULL,
    dtype    TEXT NOT NULL,
    shape    TEXT NOT NULL,
    PRIMARY KEY (model_id, name, file)
) STRICT, WITHOUT ROWID;

ALTER TABLE runs ADD COLUMN model_id TEXT;   -- the model that it began from; NULL: none. Forks have that of their origin
ALTER TABLE runs ADD COLUMN model_name TEXT; -- its name
CREATE INDEX runs_by_model ON runs (model_id) WHERE model_id IS NOT NULL;
