-- Requests of which a later review is open; few, and asked for at every filing.
ALTER TABLE request ADD COLUMN later INTEGER;
CREATE INDEX request_later ON request (id) WHERE later IS NOT NULL;

-- Plans by the digest of the bytes that were handed in, which are not kept: the summary, and the
-- whole with everything sensitive taken out.
CREATE TABLE plan (
    digest   BLOB PRIMARY KEY,
    summary  TEXT NOT NULL,
    redacted TEXT NOT NULL
) STRICT;

-- Who handed a plan in (a digest of the principal), and so may name it.
CREATE TABLE plan_by (
    plan BLOB NOT NULL,
    who  BLOB NOT NULL,
    at   INTEGER NOT NULL,
    PRIMARY KEY (plan, who)
) STRICT, WITHOUT ROWID;

-- What other systems have told.
CREATE TABLE signal (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    who   TEXT NOT NULL,
    at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Policy documents that came over the API, every version; one without a text was removed then.
CREATE TABLE policy_document (
    name    TEXT NOT NULL,
    version INTEGER NOT NULL,
    text    TEXT,
    who     TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;
