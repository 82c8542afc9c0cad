//! Signing in at providers: the ceremony and everything around it that is none, sessions and their
//! ends, groups and how fresh they are, accounts that are linked, tokens of one's own.

mod ceremony;
mod devices;
mod github;
mod groups;
mod hostile;
mod links;
mod logout;
mod mail;
mod names;
mod passkeys;
mod roles;
mod sessions;
mod stepping_up;
mod tokens;
mod windows;
mod world;
