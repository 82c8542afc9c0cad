//! Deployments that the GitHub App guards.

mod gates;
