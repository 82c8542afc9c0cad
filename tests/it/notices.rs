//! Being told: whom policy names is told once of what happened, by every way there is, whatever fails
//! in between.

mod command;
mod crash;
pub(crate) mod email;
mod hooks;
mod pages;
mod readers;
mod slack;
mod telling;
mod watch;
mod wishes;
pub(crate) mod world;
