-- An address is kept only where its provider says that it is verified: what was kept before says nothing
-- of that, and is heard again at the next sign-in.
UPDATE account SET body = json_remove(body, '$.email');
