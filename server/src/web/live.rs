//! Pages that stay true while somebody looks at them: the one script of ours that needs nothing but the
//! pages themselves, and the session by which it may follow the log.

use assent_core::credential::Secret;
use assent_core::time::Timestamp;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::IntoResponse;

use crate::app::Authority;
use crate::web::csrf;
use crate::web::session::{cookie, cookie_name};

/// By what our script says that nobody did anything: a page looks by itself whether it is still true.
pub(super) const LOOKS_BY_ITSELF: &str = "x-assent-live";

/// What the script is told: up to where of the log the page is true, and what time it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    /// The index of the last entry.
    pub(super) after: u64,
    /// In milliseconds since 1970.
    pub(super) now: i64,
}

impl Live {
    /// A page that was made at this time, from a log that had so many entries before that.
    pub(super) fn new(log_size: u64, now: Timestamp) -> Self {
        Self { after: log_size.saturating_sub(1), now: now.as_millis() }
    }
}

/// The session of a browser in which one of our own pages asks for something that is no page.
pub(crate) fn session_of(authority: &Authority, headers: &HeaderMap) -> Option<Secret> {
    let ours = csrf::is_own(headers, authority.base());
    cookie(headers, cookie_name(authority)).filter(|_| ours)
}

const SCRIPT: &str = include_str!("../../static/live.js");

pub(super) async fn script() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, SCRIPT)
}
