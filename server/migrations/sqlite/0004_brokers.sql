-- When the next thing that a broker opened for a request is to be closed.
ALTER TABLE request ADD COLUMN closing INTEGER;
CREATE INDEX request_closing ON request (closing) WHERE closing IS NOT NULL;
