-- Tokens of foreign issuers that are good once and were exchanged, as long as anybody would believe
-- them: a digest of issuer and `jti`.
CREATE TABLE subject_token (
    mark  BLOB PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX subject_token_until ON subject_token (until);
