-- What an intent states without the exact thing that it is bound to, where it is bound to one: only
-- for the link that is known before there is such a thing.
ALTER TABLE filing ADD COLUMN stated BLOB;
CREATE INDEX filing_stated ON filing (stated, request) WHERE stated IS NOT NULL;

-- The call that began what was requested: no later filing meets the request.
ALTER TABLE filing ADD COLUMN begun BLOB;

-- Which plan somebody (a digest of the principal) says to be of a saved plan file.
CREATE TABLE plan_saved (
    saved BLOB NOT NULL,
    who   BLOB NOT NULL,
    plan  BLOB NOT NULL,
    at    INTEGER NOT NULL,
    PRIMARY KEY (saved, who)
) STRICT, WITHOUT ROWID;
