//! What the GitHub App decides and knows: deployments that it guards, and who is behind a change.

mod behind;
mod described;
mod doctor;
mod emulated;
mod examples;
mod gates;
mod signing_in;
mod teams;
