//! Deployments that the GitHub App guards.

mod described;
mod doctor;
mod emulated;
mod examples;
mod gates;
mod signing_in;
