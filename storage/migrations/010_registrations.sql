-- Schema 10: the registration of a dataset as a job. Until it is ready, format and vocab_size are what was asked for.
ALTER TABLE datasets ADD COLUMN state TEXT NOT NULL DEFAULT 'ready';
ALTER TABLE datasets ADD COLUMN reason TEXT;
ALTER TABLE datasets ADD COLUMN n_bytes_done INTEGER NOT NULL DEFAULT 0;
UPDATE datasets SET n_bytes_done = n_bytes;
