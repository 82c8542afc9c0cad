-- People who signed in at a provider: when last, in which of its groups they are, and, sealed, with
-- what it is asked again.
CREATE TABLE account (
    iss     TEXT NOT NULL,
    sub     TEXT NOT NULL,
    body    TEXT NOT NULL,
    refresh BLOB,
    PRIMARY KEY (iss, sub)
) STRICT, WITHOUT ROWID;

-- Which accounts are one person's, because that person signed in to both; also those that were.
CREATE TABLE account_link (
    person  TEXT NOT NULL,
    account TEXT NOT NULL,
    since   INTEGER NOT NULL,
    until   INTEGER,
    PRIMARY KEY (person, account, since)
) STRICT, WITHOUT ROWID;

-- When a session or token was used last, to the minute.
CREATE TABLE seen (
    access BLOB PRIMARY KEY,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX access_person ON access (body ->> '$.principal.iss', body ->> '$.principal.sub');
CREATE INDEX access_sid ON access (body ->> '$.login.sid') WHERE body ->> '$.login.sid' IS NOT NULL;
