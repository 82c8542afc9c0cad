//! `/access/v1`: AuthZEN 1.0 over HTTP (section 10.1). A denial is an answer, with status 200; only
//! what could not be evaluated at all is an error.

mod access_request;
mod exchange;

use std::sync::Arc;

use assent_core::wire::authzen::{
    ActionSearch, Decision, Decisions, Evaluation, FoundActions, Metadata, Questions, Unfit,
};
use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use serde::Serialize;
use serde_json::Map;

pub(super) use access_request::{ask, cancel, task};
pub(super) use exchange::exchange;

use crate::api::authzen::exchange::{Asked, Fault};
use crate::api::error::ApiError;
use crate::app::{AppError, Authority};

/// The most evaluations of one call.
const MOST_EVALUATIONS: usize = 256;

pub(super) async fn evaluation(
    State(authority): State<Arc<Authority>>,
    asked: Asked,
) -> Result<Answer<Decision>, Fault> {
    let evaluation = Evaluation::read(&asked.body, &Map::new())?;
    Ok(Answer(authority.evaluate(&asked.caller, &evaluation).await?))
}

/// One answer to one question, or many to many.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Answered {
    One(Box<Decision>),
    Many(Decisions),
}

pub(super) async fn evaluations(
    State(authority): State<Arc<Authority>>,
    asked: Asked,
) -> Result<Answer<Answered>, Fault> {
    let many = match Questions::read(asked.body)? {
        Questions::One(body) => {
            let evaluation = Evaluation::read(&body, &Map::new())?;
            let decision = authority.evaluate(&asked.caller, &evaluation).await?;
            return Ok(Answer(Answered::One(Box::new(decision))));
        }
        Questions::Many(many) => many,
    };
    if many.evaluations.len() > MOST_EVALUATIONS {
        let problem = format!("at most {MOST_EVALUATIONS} at once");
        return Err(Unfit { member: "evaluations", problem }.into());
    }
    let evaluations = authority.evaluate_all(&asked.caller, &many).await?;
    Ok(Answer(Answered::Many(Decisions { evaluations })))
}

pub(super) async fn search_action(
    State(authority): State<Arc<Authority>>,
    asked: Asked,
) -> Result<Answer<FoundActions>, Fault> {
    let search = ActionSearch::read(&asked.body)?;
    Ok(Answer(authority.search_actions(&asked.caller, search).await?))
}

pub(super) async fn metadata(
    State(authority): State<Arc<Authority>>,
) -> ([(HeaderName, &'static str); 1], Answer<Metadata>) {
    let fresh_for = [(header::CACHE_CONTROL, "max-age=300")];
    (fresh_for, Answer(authority.authzen_metadata()))
}

impl From<Unfit> for Fault {
    fn from(fault: Unfit) -> Self {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid", fault.to_string()).into()
    }
}

impl From<AppError> for Fault {
    fn from(error: AppError) -> Self {
        ApiError::from(error).into()
    }
}
