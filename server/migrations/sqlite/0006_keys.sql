-- The authority's signing keys: each one's record, and its private half, sealed, as long as it signs
-- or will.
CREATE TABLE signing_key (
    id     TEXT PRIMARY KEY,
    body   TEXT NOT NULL,
    sealed BLOB
) STRICT, WITHOUT ROWID;
