-- Schema 27: how a run's validation losses stand: good, above_best or diverged. Of runs from before, which have no more
-- than a lowest and a last one here, one that ended far above its best is called so.
ALTER TABLE runs ADD COLUMN health TEXT; -- NULL: there is none yet
UPDATE runs SET health = (SELECT iif(last_value IS NULL OR last_value >= min_value + 0.1, 'above_best', 'good')
    FROM series WHERE owner = runs.id AND key = 'val/loss' AND min_value IS NOT NULL);
