-- Schema 8: which log belongs to which file. The first transaction after each copy of the log into the file writes a new
-- token and keeps the one before: a log whose first "previous" is not the token in the file, nor any token of its own,
-- was written for another file. Read from the raw page (storage/log.c), so the columns and their lengths never change.
CREATE TABLE log_mark (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    token    TEXT NOT NULL,             -- 32 hexadecimal digits
    previous TEXT NOT NULL
) STRICT;
INSERT INTO log_mark VALUES (1, lower(hex(randomblob(16))), '00000000000000000000000000000000'); -- none was before
