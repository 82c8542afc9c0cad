//! Passkeys in the browser: the page on which they are made and removed, signing in, signing reviews,
//! and the evidence to download. The ceremonies need the one script; nothing else does.

use std::sync::Arc;

use askama::Template;
use assent_core::digest::Digest;
use assent_core::passkey::{ENROL_WITHIN, EnrolError, Passkey};
use assent_core::principal::PrincipalId;
use assent_core::request::{Request, Verdict};
use assent_core::statement::words;
use assent_core::time::Span;
use assent_core::webauthn::{Algorithm, UnverifiedAssertion, UnverifiedRegistration};
use assent_core::wire;
use axum::Json;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;

use crate::api::error::ApiError;
use crate::app::{AppError, Authority, Ceremony, Finished, ToSign};
use crate::web::csrf::{self, Button, NotOurs, OurScript, Ours, told_foreign};
use crate::web::session::{self, Next, SignedIn, foreign_form};
use crate::web::sign_in::{Comer, label};
use crate::web::text::plain;
use crate::web::view::{self, Page};
use crate::web::when;

#[derive(Template)]
#[template(path = "passkeys.html")]
struct PasskeysPage {
    page: Page,
    done: Option<&'static str>,
    /// Why none can be added now.
    problem: Option<String>,
    /// Whether the sign-in is too long ago for that.
    is_old: bool,
    within: String,
    /// The provider that can vouch for them.
    voucher: Option<String>,
    live: Vec<PasskeyLine>,
    removed: Vec<PasskeyLine>,
}

pub(super) struct PasskeyLine {
    pub(super) id: String,
    pub(super) name: String,
    algorithm: &'static str,
    device_bound: bool,
    vouched_by: Option<String>,
    since: String,
    until: String,
}

impl From<&Passkey> for PasskeyLine {
    fn from(passkey: &Passkey) -> Self {
        Self {
            id: passkey.id.to_string(),
            name: plain(&passkey.name),
            algorithm: passkey.key.algorithm().name(),
            device_bound: passkey.device_bound,
            vouched_by: passkey.voucher.as_ref().map(|voucher| plain(&voucher.issuer)),
            since: when::clock(passkey.enrolled_at),
            until: passkey.removed_at.map(when::clock).unwrap_or_default(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct PasskeysQuery {
    done: Option<String>,
}

pub(super) async fn page(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Query(query): Query<PasskeysQuery>,
) -> Response {
    let passkeys = match authority.passkeys(&me.caller).await {
        Ok(passkeys) => passkeys,
        Err(error) => return view::fault(error),
    };
    let (live, removed): (Vec<_>, Vec<_>) = passkeys.iter().partition(|p| p.is_live());
    let problem = authority.relying_party().err().map(|error| format!("{error}."));
    view::html(&PasskeysPage {
        page: me.page("Passkeys").at("/settings"),
        done: match query.done.as_deref() {
            Some("added") => Some("The passkey was added."),
            Some("renamed") => Some("The passkey was renamed."),
            Some("removed") => Some("The passkey was removed."),
            Some(_) | None => None,
        },
        problem,
        is_old: !authority.may_enrol(&me.caller),
        within: ENROL_WITHIN.in_words(),
        voucher: authority.voucher_of(&me.caller).map(|(_, title)| title),
        live: live.into_iter().map(PasskeyLine::from).collect(),
        removed: removed.into_iter().map(PasskeyLine::from).collect(),
    })
}

/// Begins to make one. Its script asks for this, and is told in JSON.
pub(super) async fn begin_enrolment(
    State(authority): State<Arc<Authority>>,
    ours: Result<Ours<Button>, NotOurs>,
) -> Response {
    let me = match ours {
        Ok(Ours { me, .. }) => me,
        Err(foreign) => return foreign.told(),
    };
    let begun = match authority.begin_enrolment(&me.caller) {
        Ok(begun) => begun,
        Err(error) => return told(error),
    };
    let (party, theirs) = match (authority.relying_party(), authority.passkeys(&me.caller).await) {
        (Ok(party), Ok(theirs)) => (party, theirs),
        (Err(error), _) | (_, Err(error)) => return told(error),
    };
    let who = &me.caller.principal().id;
    let known = theirs.iter().filter(|passkey| passkey.is_live());
    Json(json!({
        "sealed": begun.sealed,
        "challenge": begun.challenge,
        "rp_id": party.id(),
        "user_id": user_handle(who),
        "user_name": who.sub(),
        "algorithms": Algorithm::ALL.map(Algorithm::number),
        "known": known.map(|p| URL_SAFE_NO_PAD.encode(&p.credential)).collect::<Vec<_>>(),
    }))
    .into_response()
}

/// By what authenticators know a person: it says nothing of who they are (WebAuthn section 14.6.1).
fn user_handle(who: &PrincipalId) -> String {
    let parts: [&[u8]; 4] =
        [b"assent/user/v1\0", who.iss().as_bytes(), b"\0", who.sub().as_bytes()];
    URL_SAFE_NO_PAD.encode(Digest::of_parts(&parts).as_bytes())
}

#[derive(Deserialize)]
pub(super) struct EnrolForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    sealed: String,
    #[serde(default)]
    attestation: String,
    #[serde(default)]
    client_data: String,
}

pub(super) async fn enrol(
    State(authority): State<Arc<Authority>>,
    Ours { me, form }: Ours<EnrolForm>,
) -> Response {
    if form.sealed.is_empty() {
        return no_script();
    }
    let decoded =
        (decode("attestation", &form.attestation), decode("client_data", &form.client_data));
    let (attestation, client_data) = match decoded {
        (Ok(attestation), Ok(client_data)) => (attestation, client_data),
        (Err(error), _) | (_, Err(error)) => return view::fault(error),
    };
    let answer = UnverifiedRegistration { attestation, client_data };
    let finished = Finished { sealed: form.sealed, answer };
    match authority.enrol(&me.caller, finished, &form.name).await {
        Ok(_) => Redirect::to("/settings/passkeys?done=added").into_response(),
        Err(AppError::Enrol(EnrolError::SignInAgain)) => {
            Redirect::to("/login/again?return=/settings/passkeys").into_response()
        }
        Err(error) => view::fault(error),
    }
}

#[derive(Deserialize)]
pub(super) struct RenameForm {
    name: String,
}

pub(super) async fn rename(
    State(authority): State<Arc<Authority>>,
    Path(id): Path<String>,
    Ours { me, form }: Ours<RenameForm>,
) -> Response {
    match authority.rename_passkey(&me.caller, &id, &form.name).await {
        Ok(_) => Redirect::to("/settings/passkeys?done=renamed").into_response(),
        Err(error) => view::fault(error),
    }
}

pub(super) async fn remove(
    State(authority): State<Arc<Authority>>,
    Path(id): Path<String>,
    Ours { me, .. }: Ours<Button>,
) -> Response {
    match authority.remove_passkey(&me.caller, &id).await {
        Ok(_) => Redirect::to("/settings/passkeys?done=removed").into_response(),
        Err(error) => view::fault(error),
    }
}

/// Begins to sign somebody in, whoever they are.
pub(super) async fn begin_sign_in(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    comer: Comer,
) -> Response {
    if !csrf::is_own(&headers, authority.base()) {
        return told_foreign();
    }
    begun(&authority, authority.begin_passkey_sign_in(comer.label.from))
}

/// Begins to prove again who is signed in here.
pub(super) async fn begin_again(
    State(authority): State<Arc<Authority>>,
    OurScript(me): OurScript,
) -> Response {
    begun(&authority, authority.begin_passkey_again(&me.caller))
}

fn begun(authority: &Authority, ceremony: Result<Ceremony, AppError>) -> Response {
    match (authority.relying_party(), ceremony) {
        (Ok(party), Ok(begun)) => Json(json!({
            "sealed": begun.sealed, "challenge": begun.challenge, "rp_id": party.id(),
        }))
        .into_response(),
        (Err(error), _) | (_, Err(error)) => told(error),
    }
}

#[derive(Deserialize)]
pub(super) struct SignInForm {
    next: Option<String>,
    sealed: String,
    credential_id: String,
    authenticator_data: String,
    client_data: String,
    signature: String,
}

impl SignInForm {
    /// What the passkey answered, and which it was.
    fn read(&self) -> Result<(Finished<UnverifiedAssertion>, Vec<u8>), AppError> {
        let answer = UnverifiedAssertion {
            authenticator_data: decode("authenticator_data", &self.authenticator_data)?,
            client_data: decode("client_data", &self.client_data)?,
            signature: decode("signature", &self.signature)?,
        };
        let credential = decode("credential_id", &self.credential_id)?;
        Ok((Finished { sealed: self.sealed.clone(), answer }, credential))
    }
}

pub(super) async fn sign_in(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    comer: Comer,
    Form(form): Form<SignInForm>,
) -> Response {
    if !csrf::is_own(&headers, authority.base()) {
        return foreign_form();
    }
    let next = Next::read(form.next.as_deref());
    let (finished, credential) = match form.read() {
        Ok(read) => read,
        Err(error) => return session::not_signed_in(&authority, error, &next),
    };
    let Comer { caller, label } = comer;
    match authority.sign_in_by_passkey(finished, &credential, caller.as_ref(), label).await {
        Ok(session) => session::signed_in(&authority, &session, &next),
        Err(error) => session::not_signed_in(&authority, error, &next),
    }
}

/// Proves again who is signed in here.
pub(super) async fn sign_in_again(
    State(authority): State<Arc<Authority>>,
    headers: HeaderMap,
    Ours { me, form }: Ours<SignInForm>,
) -> Response {
    let (finished, credential) = match form.read() {
        Ok(read) => read,
        Err(error) => return view::fault(error),
    };
    let label = label(&headers, me.caller.network().ip);
    match authority.sign_in_again_by_passkey(&me.caller, finished, &credential, label).await {
        Ok(session) => session::signed_in(&authority, &session, &Next::read(form.next.as_deref())),
        Err(error) => view::fault(error),
    }
}

#[derive(Deserialize)]
pub(super) struct StatementQuery {
    verdict: String,
    reason_digest: String,
    passkey: String,
}

/// What the passkey of whoever looks is to sign.
pub(super) async fn statement(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Path(id): Path<String>,
    Query(query): Query<StatementQuery>,
) -> Response {
    match try_statement(&authority, &me, &id, &query).await {
        Ok(statement) => Json(statement).into_response(),
        Err(error) => told(error),
    }
}

async fn try_statement(
    authority: &Authority,
    me: &SignedIn,
    id: &str,
    query: &StatementQuery,
) -> Result<wire::Statement, AppError> {
    let field = |field, problem: String| AppError::Field { field, problem };
    let verdict = match query.verdict.as_str() {
        "approve" => Verdict::Approve,
        "deny" => Verdict::Deny,
        _ => return Err(field("verdict", "expected approve or deny".to_owned())),
    };
    let comment = query.reason_digest.parse();
    let comment = comment.map_err(|fault| field("reason_digest", format!("{fault}")))?;
    if query.passkey.is_empty() {
        let problem = "you have no passkey that fits; add one under Settings".to_owned();
        return Err(field("passkey", problem));
    }
    let wanted = ToSign { verdict, comment, passkey: query.passkey.parse()? };
    Ok((&authority.statement(&me.caller, id, wanted).await?).into())
}

/// What the decide form shows where a review must be signed.
pub(super) struct Signing {
    pub(super) demand: String,
    /// How long after it is added a new passkey signs.
    pub(super) wait: Option<String>,
    pub(super) passkeys: Vec<PasskeyLine>,
    pub(super) words: String,
}

/// What whoever looks must sign this request with; `None` where they need not.
pub(super) async fn signing(
    authority: &Authority,
    me: &SignedIn,
    request: &Request,
) -> Result<Option<Signing>, AppError> {
    let now = authority.clock().now();
    let membership = authority.membership();
    let who = me.caller.principal();
    let Some(demand) = request.demands_signature(who, &membership, now) else { return Ok(None) };
    let fits = |passkey: &&Passkey| {
        let age = passkey.enrolled_at.until(now);
        passkey.is_live()
            && (passkey.device_bound || !demand.device_bound)
            && (passkey.voucher.is_some() || !demand.vouched)
            && demand.enrolled_for.is_none_or(|least| age >= least)
    };
    let all = authority.passkeys(&me.caller).await?;
    Ok(Some(Signing {
        demand: demand.to_string(),
        wait: demand.enrolled_for.map(Span::in_words),
        passkeys: all.iter().filter(fits).map(PasskeyLine::from).collect(),
        words: words(&request.digest()),
    }))
}

/// The evidence of a request, to keep.
pub(super) async fn evidence(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Path(id): Path<String>,
) -> Response {
    let evidence = match authority.evidence_of(&me.caller, &id).await {
        Ok(evidence) => evidence,
        Err(error) => return view::fault(error),
    };
    // The request is there, so its id is one, and safe in a header.
    let name = format!("attachment; filename=\"evidence-{}.json\"", evidence.request);
    let mut response = Json(evidence).into_response();
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

pub(super) async fn script() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, include_str!("../../static/passkey.js"))
}

fn decode(field: &'static str, text: &str) -> Result<Vec<u8>, AppError> {
    let problem = "not base64url without padding".to_owned();
    URL_SAFE_NO_PAD.decode(text).map_err(|_| AppError::Field { field, problem })
}

/// What the script shows.
fn told(error: AppError) -> Response {
    ApiError::from(error).into_response()
}

fn no_script() -> Response {
    let detail = "making a passkey needs JavaScript: switch it on for this site";
    view::refused(&ApiError::new(StatusCode::BAD_REQUEST, "no_script", detail))
}
