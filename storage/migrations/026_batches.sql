-- Schema 26: training sequences that a growth has made longer. runs.batches has a line for each change, "from tokens";
-- growths.tokens_per_sequence is what the growth asks for, 0: as before.
ALTER TABLE runs ADD COLUMN batches TEXT;
ALTER TABLE growths ADD COLUMN tokens_per_sequence INTEGER NOT NULL DEFAULT 0;
