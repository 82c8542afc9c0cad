-- What people approved and nobody took back, of each requester (a digest), environment and kind: what
-- comes next is compared with the last of it.
CREATE TABLE approved (
    requester   BLOB NOT NULL,
    environment TEXT NOT NULL,
    kind        TEXT NOT NULL,
    at          INTEGER NOT NULL,
    request     BLOB NOT NULL,
    PRIMARY KEY (requester, environment, kind, at, request)
) STRICT, WITHOUT ROWID;
