//! What callers are told when there is no answer: RFC 9457, two messages, one place.

use std::num::NonZeroU32;

use assent_core::absence::AbsenceError;
use assent_core::access::AccessError;
use assent_core::credential::dpop::ProofError;
use assent_core::credential::ring::{AddError, RetireError};
use assent_core::passkey::EnrolError;
use assent_core::policy::uses::Use;
use assent_core::request::{
    CancelError, CompleteError, ConsumeError, FetchPlanError, PostReviewError, RedeemError,
    ReviewError, RevokeError, SendPlanError, WithdrawError,
};
use assent_core::sign_in::LinkError;
use assent_core::statement::SignatureError;
use assent_core::time::Span;
use assent_core::wire::{Intent, PolicyFault, Problem, ProblemField};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::{AppError, ApprovalError, BeginError, BehindError, proof_code};
use crate::keys::ChangeError;
use crate::ledger::LedgerError;
use crate::rates::seconds;

/// An error answer. The private cause goes to the log, once, when the answer is made.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
    detail: Box<str>,
    errors: Vec<ProblemField>,
    intent: Option<Box<Intent>>,
    private: Option<Box<str>>,
    nonce: Option<Box<str>>,
    /// How many seconds to wait before trying again.
    wait: Option<NonZeroU32>,
}

/// In whole seconds, rounded up.
fn whole(wait: Span) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(seconds(wait)).unwrap_or(u32::MAX))
}

impl ApiError {
    /// An answer of this status and code that says this.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<Box<str>>) -> Self {
        let (kind, detail) = ("about:blank", detail.into());
        Self {
            status,
            kind,
            code,
            detail,
            errors: Vec::new(),
            intent: None,
            private: None,
            nonce: None,
            wait: None,
        }
    }

    /// The same, of a problem type that a specification names (RFC 9457 section 3.1.1).
    #[must_use]
    pub fn of_kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    fn field(field: &str, problem: String) -> Self {
        let mut error = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            "something in what was sent is not right",
        );
        error.errors.push(ProblemField { field: field.to_owned(), problem });
        error
    }

    fn internal(code: &'static str, detail: &str, private: String) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { private: Some(private.into()), ..Self::new(status, code, detail) }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable word for what is wrong.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// How long to wait before trying again, where that is known.
    pub fn wait(&self) -> Option<Span> {
        self.wait.map(|wait| Span::seconds(wait.get().into()))
    }

    /// What the caller is told.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Each fault with its field.
    pub fn errors(&self) -> &[ProblemField] {
        &self.errors
    }

    /// The same in words: `FIELD: PROBLEM`.
    pub(crate) fn faults(&self) -> impl Iterator<Item = String> + '_ {
        self.errors.iter().map(|fault| format!("{}: {}", fault.field, fault.problem))
    }

    /// All that is wrong, in one line.
    pub(crate) fn told(&self) -> String {
        match self.errors.is_empty() {
            true => self.detail.clone().into(),
            false => self.faults().collect::<Vec<_>>().join("; "),
        }
    }

    /// Writes the private cause to the log.
    pub fn log(&self) {
        if let Some(private) = &self.private {
            tracing::error!(code = self.code, cause = &**private, "a call could not be answered");
        }
    }
}

impl From<AppError> for ApiError {
    fn from(error: AppError) -> Self {
        use StatusCode as S;
        let text = error.to_string();
        match error {
            AppError::Intent(faults) => {
                let field = |fault: assent_core::intent::IntentFault| ProblemField {
                    field: format!("intent.{}", fault.field),
                    problem: fault.problem,
                };
                let errors = faults.into_iter().map(field).collect();
                let detail = "the intent is not one that can be filed";
                Self { errors, ..Self::new(S::UNPROCESSABLE_ENTITY, "invalid_intent", detail) }
            }
            AppError::Field { field, problem } => Self::field(field, problem),
            AppError::Id(_) => Self::new(S::NOT_FOUND, "not_found", text),
            AppError::Access(AccessError::Suspended(_)) => {
                Self::new(S::FORBIDDEN, "suspended", text)
            }
            AppError::Access(_) => Self::new(S::UNAUTHORIZED, "invalid_token", text),
            AppError::Anonymous => {
                let detail = "send an access token: `Authorization: Bearer assent_…`";
                Self::new(S::UNAUTHORIZED, "no_token", detail)
            }
            AppError::NotAdministrator => Self::new(S::FORBIDDEN, "not_administrator", text),
            AppError::NotASource(_) => Self::new(S::FORBIDDEN, "not_a_source", text),
            AppError::OutsideTrust { .. } => Self::new(S::FORBIDDEN, "outside_trust", text),
            AppError::NotAuditor => Self::new(S::FORBIDDEN, "not_auditor", text),
            AppError::NotForWorkloads => Self::new(S::FORBIDDEN, "not_for_workloads", text),
            AppError::NotForPrograms(_) => Self::new(S::FORBIDDEN, "not_for_programs", text),
            AppError::SignInFirst(_) | AppError::Link(LinkError::SignInAgain(_)) => {
                Self::new(S::FORBIDDEN, "sign_in_again", text)
            }
            AppError::Link(_) => Self::new(S::CONFLICT, "not_linked", text),
            AppError::Scope { .. } => Self::new(S::FORBIDDEN, "outside_scope", text),
            AppError::NotForBrowsers => Self::new(S::FORBIDDEN, "not_for_browsers", text),
            AppError::Plan(_) => Self::new(S::UNPROCESSABLE_ENTITY, "invalid_plan", text),
            AppError::Policy(faults) => {
                let errors = faults.into_iter().map(of_policy).collect();
                Self { errors, ..Self::new(S::UNPROCESSABLE_ENTITY, "invalid_policy", text) }
            }
            AppError::InUse(uses) => {
                let field = |used: &Use| {
                    let problem = format!("{} is used by {}", used.named, used.by);
                    ProblemField { field: used.place.to_string(), problem }
                };
                let errors = uses.iter().map(field).collect();
                Self { errors, ..Self::new(S::CONFLICT, "in_use", text) }
            }
            AppError::ApprovalRequired(intent) => {
                let intent = Some(intent);
                Self { intent, ..Self::new(S::CONFLICT, "approval_required", text) }
            }
            AppError::Approval(error) => approval(&error, text),
            AppError::ForeignSubject(_) => Self::new(S::FORBIDDEN, "foreign_subject", text),
            AppError::NotFound { .. } => Self::new(S::NOT_FOUND, "not_found", text),
            AppError::Review(error) => review(&error, text),
            AppError::Signature(error) => signature(&error, text),
            AppError::Enrol(error) => enrol(&error, text),
            AppError::Vouch(_) => Self::new(S::FORBIDDEN, "not_vouched", text),
            AppError::Webauthn(_) => Self::new(S::FORBIDDEN, "passkey_refused", text),
            AppError::CeremonyOver => Self::new(S::CONFLICT, "ceremony_over", text),
            AppError::NoPasskeys(_) => Self::new(S::CONFLICT, "no_passkeys", text),
            AppError::PostReview(error) => post_review(&error, text),
            AppError::Withdraw(error) => withdraw(&error, text),
            AppError::Absence(error) => absence(&error, text),
            AppError::Consume(error) => consume(&error, text),
            AppError::Cancel(error) => match error {
                CancelError::NotPending { .. } => Self::new(S::CONFLICT, "not_pending", text),
                CancelError::NotRequester => Self::new(S::FORBIDDEN, "not_requester", text),
                CancelError::OtherRun(_) => Self::new(S::FORBIDDEN, "other_run", text),
            },
            AppError::Begin(error) => match error {
                BeginError::Already => Self::new(S::CONFLICT, "begun_already", text),
            },
            AppError::Complete(error) => match error {
                CompleteError::NotGranted { .. } => Self::new(S::CONFLICT, "not_granted", text),
                CompleteError::NotRequester => Self::new(S::FORBIDDEN, "not_requester", text),
                CompleteError::OtherRun(_) => Self::new(S::FORBIDDEN, "other_run", text),
            },
            AppError::Revoke(error) => match error {
                RevokeError::NotGranted { .. } => Self::new(S::CONFLICT, "not_granted", text),
                RevokeError::NotYours => Self::new(S::FORBIDDEN, "not_yours", text),
                RevokeError::OtherRun(_) => Self::new(S::FORBIDDEN, "other_run", text),
                RevokeError::NoCredential(_) => Self::new(S::NOT_FOUND, "not_found", text),
            },
            AppError::Redeem(error) => match error {
                RedeemError::Inactive => Self::new(S::FORBIDDEN, "credential_inactive", text),
                RedeemError::Spent { .. } => Self::new(S::CONFLICT, "credential_spent", text),
                RedeemError::NoProof | RedeemError::Proof(_) => {
                    Self::new(S::FORBIDDEN, "invalid_dpop_proof", text)
                }
            },
            AppError::SendPlan(error) => send_plan(&error, text),
            AppError::FetchPlan(error) => fetch_plan(&error, text),
            AppError::TooLarge { .. } => Self::new(S::PAYLOAD_TOO_LARGE, "too_large", text),
            AppError::BodyLost => Self::new(S::BAD_REQUEST, "body_lost", text),
            AppError::TooSlow => Self::new(S::REQUEST_TIMEOUT, "too_slow", text),
            AppError::TooMuchKept => Self::new(S::CONFLICT, "too_much_kept", text),
            AppError::Sealed(_) => Self::internal(
                "sealed",
                "what is kept cannot be sealed or opened now; the server's operator must look at it",
                text,
            ),
            AppError::KeyReused => Self::new(S::UNPROCESSABLE_ENTITY, "key_reused", text),
            AppError::TokenMade(_) => Self::new(S::CONFLICT, "token_made", text),
            AppError::NotWaiting { .. } => Self::new(S::CONFLICT, "not_pending", text),
            AppError::CredentialOver => Self::new(S::CONFLICT, "credential_over", text),
            AppError::PartnerAway { .. } => Self::new(S::SERVICE_UNAVAILABLE, "partner_away", text),
            AppError::Behind(error) => behind(&error, text),
            AppError::NotOpened { .. } => Self {
                private: Some(text.clone().into()),
                ..Self::new(S::BAD_GATEWAY, "not_opened", text)
            },
            AppError::Proof { error, nonce } => {
                let is_full = error == ProofError::Full;
                let status = if is_full { S::SERVICE_UNAVAILABLE } else { S::BAD_REQUEST };
                let nonce = nonce.map(Into::into);
                Self { nonce, ..Self::new(status, proof_code(&error), text) }
            }
            AppError::TooManyStreams => Self::new(S::TOO_MANY_REQUESTS, "too_many_streams", text),
            AppError::LocalReviewer(_) => Self::new(S::FORBIDDEN, "local_reviewer", text),
            AppError::TooManyFiles => Self::new(S::TOO_MANY_REQUESTS, "too_many_files", text),
            AppError::TooManyPending(_) => Self::new(S::CONFLICT, "too_many_pending", text),
            AppError::TooManySignIns(wait) => Self {
                wait: whole(wait),
                ..Self::new(S::TOO_MANY_REQUESTS, "too_many_sign_ins", text)
            },
            AppError::Gathering => Self {
                wait: NonZeroU32::new(2),
                ..Self::new(S::TOO_MANY_REQUESTS, "gathering", text)
            },
            AppError::WrongCode => Self::new(S::FORBIDDEN, "wrong_code", text),
            AppError::Busy => Self::new(S::SERVICE_UNAVAILABLE, "busy", text),
            AppError::Closing => Self::new(S::SERVICE_UNAVAILABLE, "closing", text),
            AppError::Ledger(error) => ledger(&error),
            AppError::NoKey(_) => Self::new(S::SERVICE_UNAVAILABLE, "no_key", text),
            AppError::Keys(ChangeError::Ledger(error)) => ledger(&error),
            AppError::AddKey(error) => match error {
                AddError::Known(_) => Self::new(S::CONFLICT, "key_known", text),
                AddError::TooMany(_) => Self::new(S::CONFLICT, "too_many_keys", text),
            },
            AppError::RetireKey(error) => match error {
                RetireError::NoSuchKey(_) => Self::new(S::NOT_FOUND, "not_found", text),
                RetireError::Needed(_) => Self::new(S::CONFLICT, "key_needed", text),
            },
            AppError::NoChance(_) | AppError::Key(_) | AppError::Keys(ChangeError::Seal(_)) => {
                Self::internal("no_signature", "the server cannot sign now; try again", text)
            }
        }
    }
}

/// The answer where there is nothing.
pub(crate) async fn no_such_path() -> ApiError {
    let detail = "there is nothing at this path; /v1/openapi.json says what there is";
    ApiError::new(StatusCode::NOT_FOUND, "no_such_path", detail)
}

/// The answer to a verb that a path does not take.
pub(crate) async fn no_such_verb() -> ApiError {
    let detail = "this path does not take this method; /v1/openapi.json says which it takes";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "no_such_method", detail)
}

fn behind(error: &BehindError, text: String) -> ApiError {
    use StatusCode as S;
    let (status, code) = match error {
        BehindError::Fork => (S::FORBIDDEN, "fork"),
        BehindError::OtherRun(_) | BehindError::NoClaim(_) => (S::FORBIDDEN, "other_run"),
        BehindError::NotInstalled { .. } => (S::FORBIDDEN, "app_not_installed"),
        BehindError::Away(_) => (S::SERVICE_UNAVAILABLE, "github_away"),
    };
    ApiError::new(status, code, text)
}

fn review(error: &ReviewError, text: String) -> ApiError {
    use StatusCode as S;
    let (status, code) = match error {
        ReviewError::NotPending { .. } => (S::CONFLICT, "not_pending"),
        ReviewError::TooLate { .. } => (S::CONFLICT, "too_late"),
        ReviewError::OtherDigest { .. } => (S::CONFLICT, "other_digest"),
        ReviewError::NotAPerson(_) => (S::FORBIDDEN, "not_a_person"),
        ReviewError::OwnRequest(_) => (S::FORBIDDEN, "self_approval"),
        ReviewError::Unlinked { .. } => (S::FORBIDDEN, "unlinked_account"),
        ReviewError::Twice(_) => (S::CONFLICT, "reviewed_already"),
        ReviewError::SignInAgain { .. } => (S::FORBIDDEN, "sign_in_again"),
        ReviewError::Unsigned(_) => (S::FORBIDDEN, "signature_needed"),
        ReviewError::OtherStatement(_) => (S::CONFLICT, "other_statement"),
        ReviewError::NotAsked { .. } => (S::FORBIDDEN, "not_asked"),
    };
    ApiError::new(status, code, text)
}

fn withdraw(error: &WithdrawError, text: String) -> ApiError {
    use StatusCode as S;
    let (status, code) = match error {
        WithdrawError::NotPending { .. } => (S::CONFLICT, "not_pending"),
        WithdrawError::TooLate { .. } => (S::CONFLICT, "too_late"),
        WithdrawError::NoReview(_) => (S::CONFLICT, "no_review"),
        WithdrawError::TooOften(_) => (S::CONFLICT, "withdrawn_too_often"),
    };
    ApiError::new(status, code, text)
}

fn absence(error: &AbsenceError, text: String) -> ApiError {
    use StatusCode as S;
    let (status, code) = match error {
        AbsenceError::Forbidden => (S::FORBIDDEN, "absences_forbidden"),
        AbsenceError::NotAPerson(_) => (S::FORBIDDEN, "not_a_person"),
        AbsenceError::Overlaps(_) => (S::CONFLICT, "absence_overlaps"),
        AbsenceError::Empty
        | AbsenceError::TooLong
        | AbsenceError::TooFarAhead
        | AbsenceError::Oneself(_)
        | AbsenceError::Unknown(_) => (S::UNPROCESSABLE_ENTITY, "invalid_absence"),
    };
    ApiError::new(status, code, text)
}

fn signature(error: &SignatureError, text: String) -> ApiError {
    use StatusCode as S;
    let (status, code) = match error {
        SignatureError::Statement(_) => (S::BAD_REQUEST, "no_statement"),
        SignatureError::Webauthn(_) => (S::FORBIDDEN, "passkey_refused"),
        SignatureError::UnknownPasskey => (S::FORBIDDEN, "unknown_passkey"),
        SignatureError::Removed => (S::FORBIDDEN, "passkey_removed"),
        SignatureError::Stale(_) => (S::CONFLICT, "stale_statement"),
    };
    ApiError::new(status, code, text)
}

fn enrol(error: &EnrolError, text: String) -> ApiError {
    use StatusCode as S;
    let (status, code) = match error {
        EnrolError::SignInAgain => (S::FORBIDDEN, "sign_in_again"),
        EnrolError::TooMany => (S::CONFLICT, "too_many_passkeys"),
        EnrolError::Known => (S::CONFLICT, "passkey_known"),
        EnrolError::Name => (S::BAD_REQUEST, "passkey_name"),
    };
    ApiError::new(status, code, text)
}

fn post_review(error: &PostReviewError, text: String) -> ApiError {
    use StatusCode as S;
    let (status, code) = match error {
        PostReviewError::NoneOpen => (S::CONFLICT, "no_later_review"),
        PostReviewError::OtherDigest { .. } => (S::CONFLICT, "other_digest"),
        PostReviewError::NotAPerson(_) => (S::FORBIDDEN, "not_a_person"),
        PostReviewError::OwnRequest(_) => (S::FORBIDDEN, "self_approval"),
        PostReviewError::Unlinked { .. } => (S::FORBIDDEN, "unlinked_account"),
        PostReviewError::Twice(_) => (S::CONFLICT, "reviewed_already"),
        PostReviewError::NotAsked { .. } => (S::FORBIDDEN, "not_asked"),
    };
    ApiError::new(status, code, text)
}

/// A fault with its place; in an entry that nobody has seen as lines, with its field.
fn of_policy(fault: PolicyFault) -> ProblemField {
    let PolicyFault { file, line, column, field, message: problem, .. } = fault;
    let field = match field.as_deref() {
        None => format!("{file}:{line}:{column}"),
        Some("") => file,
        Some(field) => format!("{file}: {field}"),
    };
    ProblemField { field, problem }
}

fn approval(error: &ApprovalError, text: String) -> ApiError {
    match error {
        ApprovalError::Differs { .. } => {
            ApiError::new(StatusCode::CONFLICT, "approval_differs", text)
        }
        ApprovalError::Outdated(_) => {
            ApiError::new(StatusCode::CONFLICT, "approval_outdated", text)
        }
        ApprovalError::Unspent { cause, .. } => consume(cause, text),
    }
}

fn consume(error: &ConsumeError, text: String) -> ApiError {
    use StatusCode as S;
    let (status, code) = match error {
        ConsumeError::NotApproved { .. } => (S::CONFLICT, "not_approved"),
        ConsumeError::TooLate { .. } => (S::CONFLICT, "too_late"),
        ConsumeError::NotRequester(_) => (S::FORBIDDEN, "not_requester"),
        ConsumeError::OtherRun(_) => (S::FORBIDDEN, "other_run"),
        ConsumeError::NotApplying(_) => (S::FORBIDDEN, "not_applying"),
        ConsumeError::Audience { .. } => (S::FORBIDDEN, "audience_not_allowed"),
        ConsumeError::Unbound => (S::FORBIDDEN, "dpop_required"),
        ConsumeError::Broker { .. } => (S::FORBIDDEN, "broker_not_allowed"),
        ConsumeError::Suspended(_) => (S::FORBIDDEN, "suspended"),
        ConsumeError::NoLongerApproved { .. } => (S::CONFLICT, "no_longer_approved"),
    };
    ApiError::new(status, code, text)
}

fn send_plan(error: &SendPlanError, text: String) -> ApiError {
    use StatusCode as S;
    let (status, code) = match error {
        SendPlanError::NotRequester => (S::FORBIDDEN, "not_requester"),
        SendPlanError::OtherRun(_) => (S::FORBIDDEN, "other_run"),
        SendPlanError::NotOpen { .. } => (S::CONFLICT, "not_open"),
        SendPlanError::NoDigest => (S::CONFLICT, "no_digest"),
        SendPlanError::OtherDigest { .. } => (S::CONFLICT, "digest_mismatch"),
        SendPlanError::Fetched { .. } => (S::CONFLICT, "plan_fetched"),
    };
    ApiError::new(status, code, text)
}

fn fetch_plan(error: &FetchPlanError, text: String) -> ApiError {
    use StatusCode as S;
    match error {
        FetchPlanError::Grant(error) => consume(error, text),
        FetchPlanError::NotSent => ApiError::new(S::CONFLICT, "no_plan", text),
        FetchPlanError::Fetched { .. } => ApiError::new(S::CONFLICT, "plan_fetched", text),
        FetchPlanError::Gone { .. } => ApiError::new(S::CONFLICT, "plan_gone", text),
    }
}

fn ledger(error: &LedgerError) -> ApiError {
    let cause = std::error::Error::source(error).map_or_else(String::new, |e| format!(": {e}"));
    let private = format!("{error}{cause}");
    match error {
        LedgerError::Unavailable(_) => {
            let detail = "whether it was written is not known; try again with the same key";
            ApiError::internal("unavailable", detail, private)
        }
        LedgerError::Corrupt(_) => {
            let detail = "what is stored is damaged; the server's operator must look at it";
            ApiError {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                ..ApiError::internal("corrupt", detail, private)
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let problem = Problem {
            type_: self.kind.to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail.into(),
            errors: self.errors,
            intent: self.intent,
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(nonce) = self.nonce.and_then(|nonce| HeaderValue::from_str(&nonce).ok()) {
            headers.insert("dpop-nonce", nonce);
        }
        if let Some(wait) = self.wait {
            headers.insert(header::RETRY_AFTER, wait.get().into());
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
