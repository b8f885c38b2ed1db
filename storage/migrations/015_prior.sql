-- Schema 15: what a growth was told of its candidates before they were probed: the prior, from the growths that had been
-- decided here when it was asked for. Stored with it, so that its decision can be made again.
ALTER TABLE growths ADD COLUMN prior_cases INTEGER NOT NULL DEFAULT 0; -- growths that it is made of; 0: there is none
ALTER TABLE growths ADD COLUMN prior_of TEXT;                          -- finals, lags
ALTER TABLE growths ADD COLUMN prior_like TEXT;                        -- which growths count: both, factor, any
ALTER TABLE candidates ADD COLUMN prior REAL;                          -- its place, 0 first to 1 last; NULL: not known
