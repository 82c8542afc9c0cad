//! The pages.

use std::sync::Arc;

use axum::Router;

use crate::app::Authority;

pub(crate) fn router(_: &Arc<Authority>) -> Router<Arc<Authority>> {
    Router::new()
}
