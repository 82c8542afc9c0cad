//! The authority as its callers meet it: over HTTP, one server per test.

mod afterwards;
mod authzen;
mod body;
mod closing;
mod credentials;
mod doors;
mod engines;
mod exchange;
mod expiry;
mod faults;
mod groups;
mod life;
mod listing;
mod network;
mod plans;
mod policies;
mod repeats;
mod reviews;
mod routes;
mod signals;
mod sources;
mod stages;
mod starting;
mod tokens;
mod waiting;
