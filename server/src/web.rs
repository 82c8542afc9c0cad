//! The pages: server-rendered, readable without JavaScript, the same use cases as the API.
//!
//! Every page is under a policy that lets it load nothing from elsewhere and run no script but our own
//! files; every
//! form carries a token that only its own session knows.

mod csrf;
mod device;
mod github;
mod pages;
mod passkeys;
mod plan;
mod session;
mod text;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::app::Authority;

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(crate) fn router(_: &Arc<Authority>) -> Router<Arc<Authority>> {
    let header = |name: &'static str, value: &'static str| {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
        SetResponseHeaderLayer::overriding(name, value)
    };
    Router::new()
        .route("/", get(pages::inbox))
        .route("/history", get(pages::history))
        .route("/policy", get(pages::policy))
        .route("/requests/{id}", get(pages::request))
        .route("/requests/{id}/review", post(pages::review))
        .route("/requests/{id}/post-review", post(pages::review_afterwards))
        .route("/intents/{digest}", get(pages::intent))
        .route("/device", get(device::page).post(device::look))
        .route("/device/answer", post(device::answer))
        .route("/admin/github", get(github::page).post(github::begin))
        .route("/admin/github/callback", get(github::callback))
        .route("/login", get(session::login_page).post(session::login))
        .route("/login/{code}", get(session::door_page).post(session::enter))
        .route("/bootstrap/{code}", get(session::bootstrap_page).post(session::bootstrap))
        .route("/logout", post(session::logout))
        .route("/login/passkey/challenge", post(passkeys::begin_sign_in))
        .route("/login/passkey", post(passkeys::sign_in))
        .route("/settings/passkeys", get(passkeys::page).post(passkeys::enrol))
        .route("/settings/passkeys/challenge", post(passkeys::begin_enrolment))
        .route("/settings/passkeys/{id}/rename", post(passkeys::rename))
        .route("/settings/passkeys/{id}/remove", post(passkeys::remove))
        .route("/requests/{id}/statement", get(passkeys::statement))
        .route("/requests/{id}/review/signed", post(passkeys::review))
        .route("/requests/{id}/evidence", get(passkeys::evidence))
        // Not over what a page says itself: one lets its form go to GitHub.
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(CSP),
        ))
        .layer(header("x-frame-options", "DENY"))
        .layer(header("x-content-type-options", "nosniff"))
        // Not `no-referrer`: with that a browser sends `Origin: null` with our own forms.
        .layer(header("referrer-policy", "same-origin"))
        .layer(header("cross-origin-opener-policy", "same-origin"))
        .layer(header("cache-control", "no-store"))
        .route("/static/assent.css", get(style))
        .route("/static/passkey.js", get(passkeys::script))
}

async fn style() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, include_str!("../static/assent.css"))
}
