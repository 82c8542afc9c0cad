//! Letting a program in (RFC 8628): type the code, see what asks, say yes or no.
//!
//! What the page shows of a program is what is known of it, its address; it has no words of its own.
//! The code stands in no address, so that no link can bring a person to the button.

use std::net::IpAddr;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::api::error::ApiError;
use crate::app::{AppError, Asking, Authority, CodeError};
use crate::name::Name;
use crate::web::csrf::Ours;
use crate::web::session::SignedIn;
use crate::web::view::{self, Page};
use crate::web::when;

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    page: Page,
    name: Name,
    administrator: bool,
    fault: Option<String>,
    asking: Option<AskingView>,
    told: Option<&'static str>,
    let_in: bool,
    /// Whether they have to sign in again before they let anything in.
    again: bool,
}

/// What is known of the program.
struct AskingView {
    code: String,
    from: String,
    here: String,
    elsewhere: bool,
    at: String,
    life: String,
}

impl AskingView {
    fn of(asking: &Asking, here: Option<IpAddr>) -> Self {
        let shown = |ip: Option<IpAddr>| {
            ip.map_or_else(|| "an unknown address".to_owned(), |ip| ip.to_string())
        };
        Self {
            code: asking.code.to_string(),
            from: shown(asking.from),
            here: shown(here),
            elsewhere: asking.from.is_none() || asking.from != here,
            at: when::clock(asking.at),
            life: asking.life.in_words(),
        }
    }
}

fn empty(authority: &Authority, me: &SignedIn) -> DevicePage {
    DevicePage {
        page: me.page("Let a program in"),
        name: me.name.clone(),
        administrator: me.caller.is_administrator(),
        fault: None,
        asking: None,
        told: None,
        let_in: false,
        again: !authority.may_let_in(&me.caller),
    }
}

/// The page with why the code leads nowhere.
fn fruitless(authority: &Authority, me: &SignedIn, error: CodeError) -> Response {
    let status = match error {
        CodeError::App(error) => return view::fault(error),
        CodeError::NotAPerson => return view::fault(AppError::NotForWorkloads),
        CodeError::Form(_) => StatusCode::UNPROCESSABLE_ENTITY,
        CodeError::Unknown => StatusCode::NOT_FOUND,
        CodeError::Decided(_) => StatusCode::CONFLICT,
        CodeError::SignInAgain => StatusCode::FORBIDDEN,
        CodeError::TooMany => StatusCode::TOO_MANY_REQUESTS,
    };
    let fault = Some(error.to_string());
    (status, view::html(&DevicePage { fault, ..empty(authority, me) })).into_response()
}

pub(super) async fn page(State(authority): State<Arc<Authority>>, me: SignedIn) -> Response {
    view::html(&empty(&authority, &me))
}

#[derive(Deserialize)]
pub(super) struct CodeForm {
    code: String,
}

/// The program that shows the code.
pub(super) async fn look(
    State(authority): State<Arc<Authority>>,
    Ours { me, form }: Ours<CodeForm>,
) -> Response {
    match authority.asking_device(&me.caller, &form.code).await {
        Ok(asking) => {
            let asking = Some(AskingView::of(&asking, me.caller.network().ip));
            view::html(&DevicePage { asking, ..empty(&authority, &me) })
        }
        Err(error) => fruitless(&authority, &me, error),
    }
}

#[derive(Deserialize)]
pub(super) struct AnswerForm {
    code: String,
    verdict: String,
}

/// Yes, or no.
pub(super) async fn answer(
    State(authority): State<Arc<Authority>>,
    Ours { me, form }: Ours<AnswerForm>,
) -> Response {
    let let_in = match form.verdict.as_str() {
        "approve" => true,
        "deny" => false,
        _ => {
            let detail = "the answer is neither yes nor no; open the page again";
            let error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail);
            return view::refused(&error);
        }
    };
    let told = Some(if let_in { "The program is let in" } else { "Denied" });
    match authority.decide_device(&me.caller, &form.code, let_in).await {
        Ok(_) => view::html(&DevicePage { told, let_in, ..empty(&authority, &me) }),
        Err(error) => fruitless(&authority, &me, error),
    }
}
