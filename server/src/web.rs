//! The pages: server-rendered, readable without JavaScript, the same use cases as the API.
//!
//! Every page is under a policy that lets it load nothing from elsewhere and run no script but ours; every
//! form carries a token that only its own session knows.

mod absence;
mod again;
mod assets;
mod audit;
mod csrf;
mod device;
mod file;
mod github;
mod history;
mod inbox;
mod insights;
mod live;
mod next;
mod notifications;
mod pages;
mod passkeys;
mod people;
mod plan;
mod policy;
mod request;
mod risk;
mod session;
mod settings;
mod sign_in;
mod story;
mod view;
mod withdrawing;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tower_http::set_header::SetResponseHeaderLayer;

pub(crate) use live::session_of;

use crate::app::Authority;
use crate::{text, when};

const CSP: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(crate) fn router(_: &Arc<Authority>) -> Router<Arc<Authority>> {
    let header = |name: &'static str, value: &'static str| {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
        SetResponseHeaderLayer::overriding(name, value)
    };
    Router::new()
        .route("/", get(inbox::page))
        .route("/history", get(history::page))
        .route("/history/{file}", get(history::export))
        .route("/policy", get(policy::page))
        .route("/policy/try", get(policy::form).post(policy::attempt))
        .route("/insights", get(insights::page))
        .route("/audit", get(audit::page))
        .route("/audit/log.jsonl", get(audit::export))
        .route("/audit/entries/{index}", get(audit::entry))
        .route("/settings/absence", get(absence::page).post(absence::begin))
        .route("/settings/absence/{id}/end", post(absence::end))
        .route("/requests/{id}", get(request::page))
        .route("/requests/{id}/plan", get(request::whole::plan))
        .route("/requests/{id}/intent", get(request::whole::intent))
        .route("/requests/{id}/review", post(request::deciding::review))
        .route("/requests/{id}/withdraw", post(withdrawing::withdraw))
        .route("/requests/{id}/post-review", post(request::deciding::review_afterwards))
        .route("/intents/{digest}", get(pages::intent))
        .route("/device", get(device::page).post(device::look))
        .route("/device/answer", post(device::answer))
        .route("/admin/github", get(github::page).post(github::begin))
        .route("/admin/github/callback", get(github::callback))
        .route("/admin/notifications", get(notifications::all))
        .route("/admin/notifications/replay", post(notifications::replay))
        .route("/settings/notifications", get(notifications::mine).post(notifications::wish))
        .route("/login", get(session::login_page).post(session::login))
        .route("/login/again", get(again::page))
        .route("/login/{provider}/begin", get(sign_in::begin))
        .route("/login/{provider}/again", get(again::go_again))
        .route("/login/{provider}/callback", get(sign_in::callback))
        .route("/login/{provider}/logout", post(sign_in::back_channel))
        .route("/settings", get(settings::page))
        .route("/settings/sessions", get(settings::sessions))
        .route("/settings/sessions/end", post(settings::end_session))
        .route("/settings/accounts", get(settings::accounts))
        .route("/settings/accounts/link", post(sign_in::link))
        .route("/settings/tokens", get(settings::tokens).post(settings::make_token))
        .route("/settings/tokens/end", post(settings::end_token))
        .route("/admin/people", get(settings::people))
        .route("/admin/people/unlink", post(settings::unlink))
        .route("/login/{code}", get(session::door_page).post(session::enter))
        .route("/bootstrap/{code}", get(session::bootstrap_page).post(session::bootstrap))
        .route("/logout", post(session::logout))
        .route("/login/passkey/challenge", post(passkeys::begin_sign_in))
        .route("/login/passkey", post(passkeys::sign_in))
        .route("/login/passkey/again/challenge", post(passkeys::begin_again))
        .route("/login/passkey/again", post(passkeys::sign_in_again))
        .route("/settings/passkeys", get(passkeys::page).post(passkeys::enrol))
        .route("/settings/passkeys/challenge", post(passkeys::begin_enrolment))
        .route("/settings/passkeys/{id}/rename", post(passkeys::rename))
        .route("/settings/passkeys/{id}/remove", post(passkeys::remove))
        .route("/settings/passkeys/{id}/vouch", post(sign_in::vouch))
        .route("/requests/{id}/statement", get(passkeys::statement))
        .route("/requests/{id}/review/signed", post(request::deciding::review_signed))
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
        .route("/static/live.js", get(live::script))
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
