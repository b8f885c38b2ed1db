-- Schema 25: how far each sink of notifications has got. What is told follows from the events behind that; a sink that is
-- not configured has no row.
CREATE TABLE sinks (
    name       TEXT PRIMARY KEY NOT NULL, -- webhook, command, journal
    after_seq  INTEGER NOT NULL,          -- seq of the last event that is done with
    updated_ms INTEGER NOT NULL
) STRICT;
