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

-- Until when a credential of the request lives at the latest. Of what was minted before this was
-- kept, no more is said than that nothing lives longer than the longest of all.
ALTER TABLE request ADD COLUMN live_until INTEGER;
CREATE INDEX request_live_until ON request (live_until) WHERE live_until IS NOT NULL;
UPDATE request SET live_until = (
    SELECT max(CAST(strftime('%s', CAST(body AS TEXT) ->> 'expires_at') AS INTEGER)) * 1000 + 1000
    FROM event WHERE CAST(body AS TEXT) ->> 'type' = 'consumed'
) WHERE id IN (SELECT request FROM credential);
