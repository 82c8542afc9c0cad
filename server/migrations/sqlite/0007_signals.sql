-- Signals about a subject, in the order in which they were heard, as the audit log has them; whether
-- every request has been looked at since; and the digest of the call that told it.
CREATE TABLE told (
    id      BLOB PRIMARY KEY,
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    asked   BLOB,
    body    TEXT NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Security event tokens that were heard, as long as anybody would believe them.
CREATE TABLE event_token (
    mark  BLOB PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX event_token_until ON event_token (until);
