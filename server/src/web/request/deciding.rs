//! What people decide on the page of a request: yes or no, signed or not, now or afterwards.

use std::sync::Arc;

use assent_core::request::Request;
use assent_core::wire;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{NotTaken, is_whole, made, read, said};
use crate::api::error::ApiError;
use crate::app::{AppError, Authority, Wish};
use crate::web::again;
use crate::web::csrf::Ours;
use crate::web::plan::PlanView;
use crate::web::session::{SignedIn, foreign_form};
use crate::web::text::plain;
use crate::web::view;

#[derive(Deserialize)]
pub(in crate::web) struct ReviewForm {
    digest: String,
    verdict: String,
    #[serde(default)]
    comment: String,
    /// Said where the page does not show everything: that the rest was read too.
    #[serde(default)]
    read_all: String,
}

/// The same, with what a passkey said to it.
#[derive(Deserialize)]
pub(in crate::web) struct SignedForm {
    #[serde(flatten)]
    review: ReviewForm,
    credential_id: String,
    statement: String,
    authenticator_data: String,
    client_data: String,
    signature: String,
}

impl ReviewForm {
    fn verdict(&self, no: &str) -> Option<wire::Verdict> {
        match self.verdict.as_str() {
            "approve" => Some(wire::Verdict::Approve),
            other if other == no => Some(wire::Verdict::Deny),
            _ => None,
        }
    }

    /// The words, with lines as the script reads and signs them: forms send them as their own standard
    /// ends them (HTML section 4.10.21.4).
    fn comment(&self) -> String {
        self.comment.replace("\r\n", "\n")
    }

    fn has_read_all(&self) -> bool {
        self.read_all == "yes"
    }

    /// What makes two of them one wish.
    fn body(&self, id: &str) -> String {
        format!("{id}\n{}\n{}\n{}", self.verdict, self.digest, self.comment)
    }
}

/// A review.
pub(in crate::web) async fn review(
    State(authority): State<Arc<Authority>>,
    Path(id): Path<String>,
    Ours { me, form }: Ours<ReviewForm>,
) -> Response {
    let request = match authority.request(&me.caller, &id).await {
        Ok(request) => request,
        Err(error) => return view::fault(error),
    };
    // A word given again after it was withdrawn is another wish, though it be the same word.
    let who = &me.caller.principal().id;
    let withdrawn = request.withdrawn().iter().filter(|one| one.review.reviewer == *who).count();
    let wish = Wish::of_form(&me.caller, &format!("page review {withdrawn}"), &form.body(&id));
    decide(&authority, &me, &id, (form, None), wish).await
}

/// A review that a passkey signed.
pub(in crate::web) async fn review_signed(
    State(authority): State<Arc<Authority>>,
    Path(id): Path<String>,
    Ours { me, form }: Ours<SignedForm>,
) -> Response {
    // Each statement has a nonce: the same form sent twice is one wish.
    let body = format!("{id}\n{}\n{}", form.statement, form.signature);
    let wish = Wish::of_form(&me.caller, "page signed review", &body);
    let signature = wire::ReviewSignature {
        credential_id: form.credential_id,
        statement: form.statement,
        authenticator_data: form.authenticator_data,
        client_data: form.client_data,
        signature: form.signature,
    };
    decide(&authority, &me, &id, (form.review, Some(signature)), wish).await
}

async fn decide(
    authority: &Arc<Authority>,
    me: &SignedIn,
    id: &str,
    (form, signature): (ReviewForm, Option<wire::ReviewSignature>),
    wish: Wish,
) -> Response {
    let Some(verdict) = form.verdict("deny") else { return foreign_form() };
    if let Err(refusal) = check_read(authority, me, id, verdict, &form).await {
        return refusal;
    }
    let comment = form.comment();
    let review = wire::NewReview { verdict, comment, digest: form.digest, signature };
    let decided = authority.review(&me.caller, id, review, wish).await;
    answer(authority, me, id, decided, form.comment).await
}

/// A later review, from the page of its request.
pub(in crate::web) async fn review_afterwards(
    State(authority): State<Arc<Authority>>,
    Path(id): Path<String>,
    Ours { me, form }: Ours<ReviewForm>,
) -> Response {
    let Some(verdict) = form.verdict("object") else { return foreign_form() };
    let wish = Wish::of_form(&me.caller, "page later review", &form.body(&id));
    let comment = form.comment();
    let review = wire::NewReview { verdict, comment, digest: form.digest, signature: None };
    let decided = authority.review_afterwards(&me.caller, &id, review, wish).await;
    answer(&authority, &me, &id, decided, form.comment).await
}

/// The request again; to a sign-in, where that is what is missing.
async fn answer(
    authority: &Arc<Authority>,
    me: &SignedIn,
    id: &str,
    decided: Result<Request, AppError>,
    typed: String,
) -> Response {
    let error = match decided {
        Ok(request) => return Redirect::to(&format!("/requests/{}", request.id())).into_response(),
        Err(error) => error,
    };
    match again::step_up(me, id, &error) {
        Some(to_sign_in) => to_sign_in,
        None => not_taken(authority, me, id, error.into(), &typed).await,
    }
}

/// Nobody approves what they have not said to have read, where the page does not show all of it.
async fn check_read(
    authority: &Arc<Authority>,
    me: &SignedIn,
    id: &str,
    verdict: wire::Verdict,
    form: &ReviewForm,
) -> Result<(), Response> {
    if verdict != wire::Verdict::Approve || form.has_read_all() {
        return Ok(());
    }
    match unread(authority, me, id).await {
        Ok(None) => Ok(()),
        Ok(Some(problem)) => {
            let refused = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "not_all_read", problem);
            Err(not_taken(authority, me, id, refused, &form.comment).await)
        }
        Err(error) => Err(view::fault(error)),
    }
}

/// Why nobody may approve yet who has not said that they read more than the page: it does not show all.
async fn unread(
    authority: &Authority,
    me: &SignedIn,
    id: &str,
) -> Result<Option<&'static str>, AppError> {
    let (request, reading) = read(authority, me, id).await?;
    let (diff, context) = said(&authority.show(&request));
    let plan = reading.as_deref().map(|reading| PlanView::of(reading, id));
    let problem = "this page does not show everything: read the rest, and say that you did";
    Ok((!is_whole(plan.as_ref(), &diff, &context)).then_some(problem))
}

/// The same page again, with what was typed and why it was not taken.
async fn not_taken(
    authority: &Arc<Authority>,
    me: &SignedIn,
    id: &str,
    error: ApiError,
    typed: &str,
) -> Response {
    let not_taken = NotTaken { fault: Some(plain(&error.told())), typed: plain(typed) };
    match made(authority, me, id, not_taken).await {
        Ok(page) => {
            error.log();
            (error.status(), view::html(&page)).into_response()
        }
        Err(_) => view::refused(&error),
    }
}
