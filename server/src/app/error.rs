//! Why a use case gave no answer of its kind: a rule of the domain, or nothing to be had now.

use assent_core::access::AccessError;
use assent_core::credential::KeyError;
use assent_core::id::{AccessId, NotAnId};
use assent_core::intent::IntentFault;
use assent_core::plan::PlanError;
use assent_core::policy::document::Fault;
use assent_core::request::{
    CancelError, CompleteError, ConsumeError, PostReviewError, RedeemError, ReviewError,
    RevokeError,
};

use crate::chance::NoChance;
use crate::ledger::LedgerError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant is the error it holds")]
pub enum AppError {
    #[error("{} in the intent", faults(.0.len()))]
    Intent(Vec<IntentFault>),
    #[error("{field}: {problem}")]
    Field { field: &'static str, problem: String },
    #[error(transparent)]
    Id(#[from] NotAnId),
    #[error(transparent)]
    Access(#[from] AccessError),
    #[error("no access token was presented")]
    Anonymous,
    #[error("this needs an administrator's token")]
    NotAdministrator,
    #[error("this is for people and administrators")]
    NotForWorkloads,
    #[error(transparent)]
    Plan(Box<PlanError>),
    #[error("the policy would have {}, so nothing was changed", faults(.0.len()))]
    Policy(Vec<Fault>),
    #[error(
        "`{0}` is not you: only an administrator, or a workload that acts for them, asks about others"
    )]
    ForeignSubject(String),
    #[error("the trust `{trust}` does not let its workloads ask for `{kind}` in `{environment}`")]
    OutsideTrust { trust: String, kind: String, environment: String },
    #[error("there is no {what} `{id}`, or it is not yours to see")]
    NotFound { what: &'static str, id: String },
    #[error(transparent)]
    Review(#[from] ReviewError),
    #[error(transparent)]
    PostReview(#[from] PostReviewError),
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    #[error(transparent)]
    Cancel(#[from] CancelError),
    #[error(transparent)]
    Complete(#[from] CompleteError),
    #[error(transparent)]
    Revoke(#[from] RevokeError),
    #[error(transparent)]
    Redeem(#[from] RedeemError),
    #[error("this idempotency key was used for another call")]
    KeyReused,
    #[error(
        "this call made the access token `{0}`, which was shown once: revoke it and ask again with a \
         fresh idempotency key"
    )]
    TokenMade(AccessId),
    #[error("the credential of this call has ended; file a new request")]
    CredentialOver,
    #[error("the one-time code is wrong, or was used")]
    WrongCode,
    #[error("the request is being changed by others; try again")]
    Busy,
    #[error("the server is stopping; try again")]
    Closing,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    NoChance(#[from] NoChance),
    #[error(transparent)]
    Key(#[from] KeyError),
}

fn faults(count: usize) -> String {
    format!("{count} {}", if count == 1 { "fault" } else { "faults" })
}
