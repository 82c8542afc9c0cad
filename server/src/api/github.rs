//! What weakens the gates of a repository at GitHub.

use std::sync::Arc;

use assent_core::wire;
use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;

use crate::api::error::ApiError;
use crate::api::extract::{Known, Query};
use crate::app::Authority;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DoctorQuery {
    repository: String,
    environment: Option<String>,
}

pub(super) async fn doctor(
    State(authority): State<Arc<Authority>>,
    Known(caller): Known,
    Query(query): Query<DoctorQuery>,
) -> Result<Answer<wire::GithubCheckup>, ApiError> {
    let DoctorQuery { repository, environment } = query;
    let found = authority.examine_github(&caller, &repository, environment.as_deref()).await?;
    found.map(Answer).ok_or_else(no_app)
}

/// What is said where this server is no App.
pub(super) fn no_app() -> ApiError {
    let told =
        "no GitHub App is set up here: see `assent admin github setup` and `assent serve --github`";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no_github_app", told)
}
