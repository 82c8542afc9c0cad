//! Deployments that the GitHub App guards.

mod crash;
mod faults;
mod gates;
mod jobs;
mod matrix;
mod passing;
mod webhooks;
mod words;
mod world;
