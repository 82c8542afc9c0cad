-- The bytes of exact plans, in pieces of which each is sealed. They are nobody's until a step says that
-- they are kept.
CREATE TABLE plan_piece (
    upload BLOB NOT NULL,
    number INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    at     INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX plan_piece_upload ON plan_piece (upload, number);

-- The uploads that a request keeps, and of whom (a digest of the requester).
CREATE TABLE plan_kept (
    upload    BLOB PRIMARY KEY,
    requester BLOB NOT NULL,
    size      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX plan_kept_requester ON plan_kept (requester);

-- By what the run is known that a request belongs to: another run does not meet it.
ALTER TABLE filing ADD COLUMN run BLOB;

-- What was refused, so that the same is on record once: of a request, to whom (a digest), what.
CREATE TABLE refusal (
    request BLOB NOT NULL,
    who     BLOB NOT NULL,
    mark    BLOB NOT NULL,
    PRIMARY KEY (request, who, mark)
) STRICT, WITHOUT ROWID;
