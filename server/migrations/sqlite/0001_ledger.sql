-- The narrow, hot row of a request: where it stands and where its newest event is.
CREATE TABLE request (
    id      BLOB PRIMARY KEY,
    version INTEGER NOT NULL,
    state   TEXT NOT NULL,
    head    INTEGER NOT NULL REFERENCES event (seq),
    due     INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX request_due ON request (due) WHERE due IS NOT NULL;
CREATE INDEX request_open ON request (id) WHERE state IN ('pending', 'approved');

-- The audit log. `seq` is the leaf's index in the Merkle tree; `prev` links back to the event of
-- the same request before it, which needs no second index.
CREATE TABLE event (
    seq  INTEGER PRIMARY KEY,
    prev INTEGER,
    body BLOB NOT NULL
) STRICT;

-- Which requests were filed for an intent, and by whom (a digest of the requester).
CREATE TABLE filing (
    intent    BLOB NOT NULL,
    request   BLOB NOT NULL,
    requester BLOB NOT NULL,
    PRIMARY KEY (intent, request)
) STRICT, WITHOUT ROWID;

-- Calls that changed something, so that the same call again changes nothing more.
CREATE TABLE call (
    key        BLOB PRIMARY KEY,
    asked      BLOB NOT NULL,
    request    BLOB NOT NULL,
    version    INTEGER NOT NULL,
    credential BLOB,
    at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
    id      BLOB PRIMARY KEY,
    request BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE access (
    id   BLOB PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The right edge of the Merkle tree, written once per group commit.
CREATE TABLE log_head (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    size  INTEGER NOT NULL,
    peaks BLOB NOT NULL,
    at    INTEGER NOT NULL
) STRICT;
INSERT INTO log_head (one, size, peaks, at) VALUES (1, 0, x'', 0);
