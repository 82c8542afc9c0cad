//! The authority as its callers meet it: over HTTP, one server per test.

mod authzen;
mod body;
mod closing;
mod credentials;
mod doors;
mod expiry;
mod faults;
mod life;
mod listing;
mod repeats;
mod reviews;
mod routes;
mod starting;
mod tokens;
mod waiting;
