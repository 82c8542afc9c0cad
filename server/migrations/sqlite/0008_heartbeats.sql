-- Until when something of a request may be good: its grant, a credential, or what a broker opened for
-- one. What was there before is looked at each time, until it changes.
ALTER TABLE request ADD COLUMN live INTEGER;
UPDATE request SET live = 9223372036854775807
    WHERE state IN ('approved', 'consumed', 'expired', 'revoked');
CREATE INDEX request_live ON request (live) WHERE live IS NOT NULL;

-- When the holders of credentials were last heard of, and when they must be again.
CREATE TABLE heartbeat (
    credential BLOB PRIMARY KEY,
    request    BLOB NOT NULL,
    every      INTEGER NOT NULL,
    last       INTEGER NOT NULL,
    due        INTEGER NOT NULL,
    until      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX heartbeat_due ON heartbeat (due);
CREATE INDEX heartbeat_request ON heartbeat (request);
