-- When those who wait for a pending request were last heard of, and when they must be again. A row goes
-- when the request is decided or over.
CREATE TABLE waiting (
    request BLOB PRIMARY KEY,
    every   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    due     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_due ON waiting (due);
