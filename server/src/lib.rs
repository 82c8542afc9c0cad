//! The authority: HTTP API, pages, ledger, identity, minting.
//!
//! Only this crate knows SQL, HTTP status codes and the clock. It decides nothing about approval:
//! every rule is core's, and every write is a step that core made. It never stores a token, a code
//! or a cookie, only their digests; it never answers before what it says is durable.

pub mod api;
pub mod app;
pub mod broker;
pub mod chance;
pub mod clock;
mod dev;
pub mod engines;
pub mod github;
pub mod issuers;
pub mod keys;
pub mod ledger;
mod listener;
mod name;
pub mod network;
pub mod notify;
pub mod policy;
mod private;
pub mod rates;
pub mod sealing;
pub mod settings;
pub mod sign_in;
mod start;
mod text;
mod turns;
mod unreached;
mod web;
mod when;

use std::sync::Arc;

use axum::Router;

pub use start::{Announcement, Config, StartError, run};

/// The whole server as a router: the API and the pages.
pub fn router(authority: Arc<app::Authority>) -> Router {
    let pages = web::router(&authority);
    let all = api::router().merge(pages).fallback(api::error::no_such_path);
    listener::limited(
        all.method_not_allowed_fallback(api::error::no_such_verb).with_state(authority),
    )
}

/// Answers on this listener until the authority closes, then lets answers under way finish.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: tokio::net::TcpListener,
    authority: Arc<app::Authority>,
) -> std::io::Result<()> {
    let closing = authority.closing().clone();
    listener::serve(listener, router(authority), closing).await
}
