-- What somebody asked for, newest first, however much others asked for.
CREATE INDEX filing_requester ON filing (requester, request);
