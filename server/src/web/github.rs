//! Making the GitHub App: what it may do and why, and the form that takes its manifest to GitHub.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::{AppError, AppSetupError, Authority};
use crate::github::{Github, PERMISSIONS, Permission, Place, manifest};
use crate::web::csrf::Ours;
use crate::web::session::{SignedIn, foreign_form};
use crate::web::view::{self, Page};

#[derive(Template)]
#[template(path = "github.html")]
struct GithubPage {
    page: Page,
    permissions: &'static [Permission],
    fault: Option<String>,
    organization: String,
    app: Option<AppView>,
    form: Option<FormView>,
}

struct AppView {
    slug: String,
    id: u64,
    place: String,
}

impl AppView {
    fn of(github: &Github) -> Self {
        let (slug, place) = (github.slug().to_owned(), github.people_issuer().to_owned());
        Self { slug, id: github.app_id(), place }
    }
}

struct FormView {
    action: String,
    place: String,
    manifest: String,
}

fn empty(authority: &Authority, me: &SignedIn) -> GithubPage {
    GithubPage {
        page: me.page("GitHub App").at("/admin/github"),
        permissions: PERMISSIONS,
        fault: None,
        organization: String::new(),
        app: authority.github().as_ref().map(AppView::of),
        form: None,
    }
}

#[derive(Deserialize)]
pub(super) struct GithubQuery {
    #[serde(default)]
    organization: String,
}

pub(super) async fn page(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Query(wanted): Query<GithubQuery>,
) -> Response {
    if !me.caller.is_administrator() {
        return view::fault(AppError::NotAdministrator);
    }
    // It is shown in a field, and goes nowhere unless the administrator sends that.
    view::html(&GithubPage { organization: wanted.organization, ..empty(&authority, &me) })
}

#[derive(Deserialize)]
pub(super) struct Beginning {
    #[serde(default)]
    organization: String,
    github: String,
}

pub(super) async fn begin(
    State(authority): State<Arc<Authority>>,
    Ours { me, form }: Ours<Beginning>,
) -> Response {
    let organization = form.organization.trim();
    let place = match Place::at(form.github.trim()) {
        Ok(place) => place,
        Err(problem) => return refused(&authority, &me, StatusCode::UNPROCESSABLE_ENTITY, problem),
    };
    let named = Some(organization).filter(|name| !name.is_empty());
    let action = match authority.begin_github(&me.caller, place.clone(), named) {
        Ok(action) => action,
        Err(error) => return fault(&authority, &me, error),
    };
    let shown = GithubPage {
        form: Some(FormView {
            action,
            place: place.url.clone(),
            manifest: manifest(authority.base()).to_string(),
        }),
        ..empty(&authority, &me)
    };
    let mut response = view::html(&shown).into_response();
    // On this answer alone, a form may leave: to this GitHub.
    let policy = super::CSP.replace("form-action 'self'", &format!("form-action {}", place.url));
    match HeaderValue::from_str(&policy) {
        Ok(policy) => response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy),
        Err(_) => return foreign_form(),
    };
    response
}

#[derive(Deserialize)]
pub(super) struct Callback {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

pub(super) async fn callback(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Query(Callback { code, state }): Query<Callback>,
) -> Response {
    match authority.end_github(&me.caller, &state, &code).await {
        Ok(_) => view::html(&empty(&authority, &me)),
        Err(error) => fault(&authority, &me, error),
    }
}

fn fault(authority: &Authority, me: &SignedIn, error: AppSetupError) -> Response {
    let status = match error {
        AppSetupError::App(error) => return view::fault(error),
        AppSetupError::Exists | AppSetupError::Nowhere => StatusCode::CONFLICT,
        AppSetupError::Organization(_) => StatusCode::UNPROCESSABLE_ENTITY,
        AppSetupError::NotBegun => StatusCode::FORBIDDEN,
        AppSetupError::Setup(_) => StatusCode::BAD_GATEWAY,
    };
    refused(authority, me, status, error.to_string())
}

fn refused(authority: &Authority, me: &SignedIn, status: StatusCode, problem: String) -> Response {
    let shown = GithubPage { fault: Some(problem), ..empty(authority, me) };
    (status, view::html(&shown)).into_response()
}
