//! What every page begins with, and the link that a plan shows.

use std::sync::Arc;

use askama::Template;
use assent_core::digest::Digest;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};

use crate::app::{AppError, Authority};
use crate::web::csrf;
use crate::web::session::SignedIn;
use crate::web::view::{self, Page};

impl SignedIn {
    pub(super) fn page(&self, title: &str) -> Page {
        Page {
            title: title.to_owned(),
            person: Some(self.name.clone()),
            csrf: csrf::token(&self.cookie),
            bars: self.bars.clone(),
            administers: self.caller.is_administrator(),
            reads_everything: self.reads_everything,
            here: "",
            live: None,
        }
    }
}

#[derive(Template)]
#[template(path = "intent.html")]
struct IntentPage {
    page: Page,
    digest: String,
}

/// The link that is known before anything is filed: it leads to the newest request for the intent.
pub(super) async fn intent(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Path(hex): Path<String>,
) -> Response {
    let missing = || AppError::NotFound { what: "intent", id: hex.chars().take(80).collect() };
    let Ok(digest) = Digest::from_hex(&hex) else { return view::fault(missing()) };
    match authority.newest_with(&me.caller, digest).await {
        Ok(request) => Redirect::to(&format!("/requests/{}", request.id())).into_response(),
        Err(AppError::NotFound { .. }) => {
            view::html(&IntentPage { page: me.page("Not filed yet"), digest: digest.to_string() })
        }
        Err(error) => view::fault(error),
    }
}
