-- Passkeys, removed ones too. Each row moves only from what it was; its entries in the audit log are by
-- their place there.
CREATE TABLE passkey (
    id         BLOB PRIMARY KEY,
    person     BLOB NOT NULL,
    credential BLOB NOT NULL UNIQUE,
    removed    INTEGER NOT NULL,
    body       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX passkey_of ON passkey (person, id);
CREATE TABLE passkey_entry (
    passkey BLOB NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (passkey, seq)
) STRICT, WITHOUT ROWID;
