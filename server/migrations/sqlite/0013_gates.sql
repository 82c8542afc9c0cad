-- Runs at GitHub that wait before an environment, as this authority's App guards it: which request
-- stands for one, what was said there, and what was answered.
CREATE TABLE gate (
    repository  INTEGER NOT NULL,
    run         INTEGER NOT NULL,
    environment TEXT NOT NULL,
    attempt     INTEGER NOT NULL,
    owner       TEXT NOT NULL,
    name        TEXT NOT NULL,
    sha         TEXT NOT NULL,
    request     BLOB,
    reports     INTEGER NOT NULL,
    told        TEXT NOT NULL,
    check_run   INTEGER,
    shown       TEXT NOT NULL,
    answer      TEXT,
    deployment  INTEGER,
    stated      TEXT NOT NULL,
    said_before TEXT NOT NULL,
    open        INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (repository, run, environment)
) STRICT, WITHOUT ROWID;
CREATE INDEX gate_open ON gate (at) WHERE open = 1;
CREATE INDEX gate_request ON gate (request) WHERE request IS NOT NULL;
