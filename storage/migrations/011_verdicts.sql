-- Schema 11: what kind of decision each is, the candidates that could not be told apart, and whether growing had paid
-- off. Decisions of before compared the first two alone: none of them is called verified.

ALTER TABLE decisions ADD COLUMN basis TEXT;
ALTER TABLE decisions ADD COLUMN tied_set TEXT;   -- ids of candidates, a comma between
ALTER TABLE decisions ADD COLUMN tied_at_0 TEXT;  -- the same, where several share the lowest loss right after growth
ALTER TABLE decisions ADD COLUMN delta REAL;
ALTER TABLE decisions ADD COLUMN p_now REAL;
ALTER TABLE decisions ADD COLUMN p_end REAL;
ALTER TABLE decisions ADD COLUMN gain REAL;
ALTER TABLE decisions ADD COLUMN gain_low REAL;
ALTER TABLE decisions ADD COLUMN gain_high REAL;
ALTER TABLE decisions ADD COLUMN short_by INTEGER NOT NULL DEFAULT 0;
UPDATE decisions SET
    basis = CASE WHEN decided_by = 'user' AND candidate IS NOT pick_at_lag THEN 'person'
                 WHEN tied THEN 'tied' ELSE 'provisional' END,
    tied_set = CASE WHEN tied AND runner_up IS NOT NULL THEN pick_at_lag || ',' || runner_up ELSE pick_at_lag END;

-- Growths of before evaluated every time on all batches.
ALTER TABLE growths ADD COLUMN eval_stride INTEGER NOT NULL DEFAULT 1;

-- What the validation of a growth's parent took, and what its run had spent on training when it was decided.
ALTER TABLE growths ADD COLUMN parent_flops REAL NOT NULL DEFAULT 0;
ALTER TABLE decisions ADD COLUMN run_flops REAL;
