//! What every ledger promises, and what the one in a file promises beyond that.

mod conformance;
mod file;
mod gates;
mod heartbeats;
mod kit;
mod listing;
mod notices;
mod passkeys;
mod pending;
mod people;
