//! The HTTP API: decode, call the use case, encode. What is asked and answered is in `wire`.

mod absence;
mod access;
mod audit;
mod authzen;
mod credentials;
pub mod error;
mod events;
mod extract;
mod github;
mod keys;
mod notices;
mod oauth;
mod openapi;
mod passkeys;
mod plans;
mod policy;
mod requests;
mod routes;
mod scopes;
mod signals;
mod trusts;
mod webhooks;
mod wellknown;

use std::sync::Arc;

use axum::Router;

use crate::app::Authority;

/// Every route of the API, beside the pages.
pub fn router() -> Router<Arc<Authority>> {
    let mut router = Router::new();
    for route in routes::ROUTES {
        router = router.route(route.path, (route.handler)());
    }
    router
}

pub use routes::{Method, ROUTES, Route};
