-- Schema 22: what runs are found by. tags and words come from the configuration's text form, in which a text has no
-- line's end; words is what a search looks in. runs_found has all that a search, a filter or an order of runs asks for.

ALTER TABLE runs ADD COLUMN tags TEXT;
ALTER TABLE runs ADD COLUMN words TEXT;
UPDATE runs SET (tags, words) = (SELECT tags, lower(id || ' ' || name || ' ' || tags || ' ' || note) FROM (SELECT
    iif(instr(config, char(10) || 'tags='), substr(config, instr(config, char(10) || 'tags=') + 6,
        instr(substr(config, instr(config, char(10) || 'tags=') + 6) || char(10), char(10)) - 1), '') AS tags,
    iif(instr(config, char(10) || 'note='), substr(config, instr(config, char(10) || 'note=') + 6,
        instr(substr(config, instr(config, char(10) || 'note=') + 6) || char(10), char(10)) - 1), '') AS note));
CREATE INDEX runs_found ON runs (id, state, waits, growth_id, tags, words, name, step, tokens, flops, n_params);

-- Of a validation's series: its lowest value, and the first step that has it.
ALTER TABLE series ADD COLUMN min_value REAL;
ALTER TABLE series ADD COLUMN min_step INTEGER NOT NULL DEFAULT -1;
UPDATE series SET min_value = (SELECT min(value) FROM points WHERE series = id) WHERE key GLOB 'val/*';
UPDATE series SET min_step = (SELECT min(step) FROM points WHERE series = id AND value = min_value)
    WHERE min_value IS NOT NULL;
CREATE INDEX series_validation ON series (owner, key, min_value, last_value, min_step) WHERE key = 'val/loss';
