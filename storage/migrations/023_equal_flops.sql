-- Schema 23: not growing against what was picked at equal FLOPs, since steps of a larger model cost more. NULL: not
-- known, as in decisions of before.
ALTER TABLE decisions ADD COLUMN gain_flops REAL;
ALTER TABLE decisions ADD COLUMN gain_flops_low REAL;
ALTER TABLE decisions ADD COLUMN gain_flops_high REAL;
ALTER TABLE decisions ADD COLUMN gain_flops_t REAL; -- steps of what was picked that cost as much as the lag of not growing
