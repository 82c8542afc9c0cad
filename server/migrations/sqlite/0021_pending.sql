-- How many requests of each requester are pending. A row goes with the last of them.
CREATE TABLE pending (
    requester BLOB PRIMARY KEY,
    requests  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO pending (requester, requests)
    SELECT requester, count(*) FROM filing JOIN request ON request.id = filing.request
    WHERE state = 'pending' GROUP BY requester;
