-- What is to be told of a step, written with the step, until it is known to whom.
CREATE TABLE posted (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    request BLOB NOT NULL,
    version INTEGER NOT NULL,
    told    TEXT NOT NULL
) STRICT;

-- One notice to one recipient. `way` is the way out that it takes; `due` is there while it waits.
CREATE TABLE notice (
    id       BLOB PRIMARY KEY,
    request  BLOB NOT NULL,
    way      TEXT NOT NULL,
    standing TEXT NOT NULL,
    due      INTEGER,
    at       INTEGER NOT NULL,
    body     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_due ON notice (way, due) WHERE due IS NOT NULL;
CREATE INDEX notice_request ON notice (request);
CREATE INDEX notice_standing ON notice (standing, id);
CREATE INDEX notice_at ON notice (at);

-- How a person (a digest) wishes to be told.
CREATE TABLE notice_wishes (
    who  BLOB PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
