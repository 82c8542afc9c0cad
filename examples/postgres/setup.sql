-- The authority's own login makes roles, and is no superuser.
CREATE ROLE assent_broker LOGIN CREATEROLE PASSWORD :'password';
CREATE ROLE orders_reader;
GRANT orders_reader TO assent_broker WITH ADMIN OPTION;
CREATE DATABASE orders;
\connect orders
CREATE TABLE orders (id int, item text);
INSERT INTO orders VALUES (1, 'a lamp'), (2, 'a chair'), (3, 'a table');
GRANT SELECT ON orders TO orders_reader;
