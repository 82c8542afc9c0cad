//! Deployments that the GitHub App guards.

mod doctor;
mod gates;
