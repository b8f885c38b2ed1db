-- Schema 17: audits. An audit is a study of an old decision, made of the growth's own parent and candidates, and of low
-- priority: it trains only while nothing else wants to.
ALTER TABLE studies ADD COLUMN growth_id TEXT;                       -- whose decision it audits; no key
ALTER TABLE studies ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;  -- below 0: it gives way to all others
CREATE INDEX studies_by_growth ON studies (growth_id, id) WHERE growth_id IS NOT NULL;

ALTER TABLE growths ADD COLUMN audit TEXT;                           -- NULL, wanted, made, refused
ALTER TABLE growths ADD COLUMN audit_reason TEXT;                    -- why it was refused
CREATE INDEX growths_to_audit ON growths (state, id) WHERE audit = 'wanted';

-- Runs that want to compute.
CREATE INDEX runs_live ON runs (id) WHERE state IN ('queued', 'running', 'growing');
