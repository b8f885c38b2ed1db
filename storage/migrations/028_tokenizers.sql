-- Schema 28: tokenizers, each a file tokenizers/<id>/tokenizer.json, and datasets whose tokens one of them made of a text.
CREATE TABLE tokenizers (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT NOT NULL UNIQUE,
    origin     TEXT NOT NULL,    -- file, upload, trained, extended
    path       TEXT,             -- of the file or folder it is read from; NULL of one that is trained
    request    TEXT,             -- how it is trained, in the text form of base/fields.h; NULL of one that is read
    dataset_id TEXT,             -- whose text it learns from
    base_id    TEXT,             -- the tokenizer that it goes on from
    state      TEXT NOT NULL,    -- making, ready, failed
    reason     TEXT,
    n_done     INTEGER NOT NULL, -- bytes read and merges learnt, of n_all
    n_all      INTEGER NOT NULL,
    kind       TEXT,             -- bytes, BPE, WordPiece; this and what follows is there once it is ready
    pattern    TEXT,
    vocab_size INTEGER NOT NULL, -- the largest id and one
    n_merges   INTEGER NOT NULL,
    n_added    INTEGER NOT NULL,
    eos        INTEGER NOT NULL, -- ids, -1: none
    bos        INTEGER NOT NULL,
    eos_token  TEXT,
    bos_token  TEXT,
    byte_level INTEGER NOT NULL,
    n_bytes    INTEGER NOT NULL, -- of its file
    sha256     TEXT,
    created_ms INTEGER NOT NULL
) STRICT;

ALTER TABLE datasets ADD COLUMN tokenizer_id TEXT;    -- of a tokenizer or a model; NULL: the file holds what was registered
ALTER TABLE datasets ADD COLUMN tokenizer_name TEXT;  -- its name then
ALTER TABLE datasets ADD COLUMN tokenizer_sha256 TEXT;
ALTER TABLE datasets ADD COLUMN text_path TEXT;       -- of the text that is tokenised
ALTER TABLE datasets ADD COLUMN text_sha256 TEXT;
ALTER TABLE datasets ADD COLUMN text_bytes INTEGER NOT NULL DEFAULT 0; -- that the tokens stand for; 0: not known
ALTER TABLE datasets ADD COLUMN documents TEXT;       -- none, line, blank_line, separator, jsonl
ALTER TABLE datasets ADD COLUMN document_field TEXT;
CREATE INDEX datasets_by_tokenizer ON datasets (tokenizer_id) WHERE tokenizer_id IS NOT NULL;
