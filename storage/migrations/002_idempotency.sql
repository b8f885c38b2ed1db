-- Schema 2: requests that may be sent again. A row is written in the transaction of the request's effect (status 0), and
-- filled in with the answer before that is sent; rows older than a day count for nothing and are removed.
CREATE TABLE idempotency (
    key         TEXT PRIMARY KEY NOT NULL,
    fingerprint TEXT NOT NULL,          -- SHA-256 of method, target and body
    resource    TEXT,                   -- id of what was made or changed
    created_ms  INTEGER NOT NULL,
    status      INTEGER NOT NULL,       -- of the answer, 0 = not known yet
    headers     TEXT,                   -- "Name: value", one a line
    body        TEXT
) STRICT;
CREATE INDEX idempotency_by_created ON idempotency (created_ms);
