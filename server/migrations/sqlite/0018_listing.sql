-- What is searched for of a request, in the order of filing; it follows from the request alone. Requests
-- that are on record already are added from their events when this migration is made.
CREATE TABLE listing (
    seq         INTEGER PRIMARY KEY,
    request     BLOB NOT NULL,
    state       TEXT NOT NULL,
    environment TEXT NOT NULL,
    kind        TEXT NOT NULL,
    requester   BLOB NOT NULL,
    filed       INTEGER NOT NULL,
    decided     INTEGER,
    ended       INTEGER,
    glass       INTEGER NOT NULL,
    target      TEXT NOT NULL,
    reason      TEXT NOT NULL,
    asked_by    TEXT NOT NULL,
    rules       TEXT NOT NULL,
    decided_by  TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX listing_request ON listing (request);
-- Each holds all that is narrow, so that any of it together is looked through without the rest.
CREATE INDEX listing_state ON listing (state, seq, environment, kind, requester, filed);
CREATE INDEX listing_requester ON listing (requester, seq, state, environment, kind, filed);
CREATE INDEX listing_narrow ON listing (seq, state, environment, kind, requester, filed);

-- The rules that decided a request (`r:` and the id), and who reviewed it (`p:` and a digest).
CREATE TABLE listed_by (
    what BLOB NOT NULL,
    seq  INTEGER NOT NULL,
    PRIMARY KEY (what, seq)
) STRICT, WITHOUT ROWID;

-- What was filed, by three letters each. The text itself is in `listing`.
CREATE VIRTUAL TABLE listing_text USING fts5 (text, content = '', tokenize = 'trigram');

-- How often something happened on a day: what insights are read from, however many requests there are.
CREATE TABLE tally (
    day    INTEGER NOT NULL,
    what   TEXT NOT NULL,
    key    TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (day, what, key, bucket)
) STRICT, WITHOUT ROWID;

-- When somebody (a digest) first opened the page of a request.
CREATE TABLE opened (
    request BLOB NOT NULL,
    who     BLOB NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (request, who)
) STRICT, WITHOUT ROWID;

-- By what entries of the audit log are found: their type (`t:` and the word), who did it (`p:` and a
-- digest).
CREATE TABLE event_mark (
    what BLOB NOT NULL,
    seq  INTEGER NOT NULL,
    PRIMARY KEY (what, seq)
) STRICT, WITHOUT ROWID;

-- Who said that they are out of office.
CREATE TABLE absence (
    id   BLOB PRIMARY KEY,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
