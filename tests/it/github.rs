//! What the GitHub App decides and knows: deployments that it guards, and who is behind a change.

mod behind;
mod crash;
mod described;
mod doctor;
mod emulated;
mod examples;
mod faults;
mod gates;
mod jobs;
mod matrix;
mod passing;
mod signing_in;
mod teams;
mod webhooks;
mod words;
mod world;
