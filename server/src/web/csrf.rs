//! Forms that only our own pages can send.

use assent_core::credential::Secret;
use assent_core::digest::Digest;
use axum::http::{HeaderMap, header};

/// The token that this session's forms carry: known to whoever holds the cookie, and telling
/// nothing of it.
pub(super) fn token(session: &Secret) -> String {
    Digest::of_parts(&[b"assent/csrf/v1\0", session.expose().as_bytes()]).hex()
}

/// Whether a form came from a page of this session.
pub(super) fn holds(session: &Secret, sent: &str, headers: &HeaderMap, base: &str) -> bool {
    let ours = token(session);
    let equal = aws_lc_rs::constant_time::verify_slices_are_equal(ours.as_bytes(), sent.as_bytes());
    equal.is_ok() && is_own(headers, base)
}

/// Whether the browser says that one of our own pages sent it. A browser that says nothing is
/// believed: it is an old one, and there is the token besides.
pub(super) fn is_own(headers: &HeaderMap, base: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    text(header::ORIGIN.as_str()).is_none_or(|origin| origin == base)
        && text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"))
}
