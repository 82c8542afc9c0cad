-- Requests of which something is to be done at the authority of another organisation, now or later.
CREATE TABLE errand (
    request BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
