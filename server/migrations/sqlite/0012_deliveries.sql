-- Deliveries of GitHub's webhook that were taken, so that one that comes again does nothing.
CREATE TABLE delivery (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_at ON delivery (at);
