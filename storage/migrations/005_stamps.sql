-- Schema 5: which file a dataset was when it was last hashed, and when it had been written to; all 0: not known.
ALTER TABLE datasets ADD COLUMN device INTEGER NOT NULL DEFAULT 0;
ALTER TABLE datasets ADD COLUMN inode INTEGER NOT NULL DEFAULT 0;
ALTER TABLE datasets ADD COLUMN mtime_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE datasets ADD COLUMN ctime_ns INTEGER NOT NULL DEFAULT 0;
