//! What the GitHub App decides and knows: deployments that it guards, and who is behind a change.

mod behind;
mod gates;
mod teams;
