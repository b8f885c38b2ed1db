-- Schema 12: what a run was forked from. No keys: the origin may be deleted. origin_name is what it was called then.

ALTER TABLE runs ADD COLUMN origin_run TEXT;
ALTER TABLE runs ADD COLUMN origin_name TEXT;
ALTER TABLE runs ADD COLUMN origin_checkpoint TEXT;
ALTER TABLE runs ADD COLUMN origin_step INTEGER NOT NULL DEFAULT 0;
-- Schedules that were in force before the run was extended, and that of now: one line each. NULL: never extended.
ALTER TABLE runs ADD COLUMN schedules TEXT;
