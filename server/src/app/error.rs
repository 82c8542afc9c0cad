//! Why a use case gave no answer of its kind: a rule of the domain, or nothing to be had now.

use assent_core::absence::AbsenceError;
use assent_core::access::{AccessError, MakeError};
use assent_core::credential::dpop::ProofError;
use assent_core::credential::ring::{AddError, RetireError};
use assent_core::credential::{Algorithm, KeyError};
use assent_core::id::{AccessId, NotAnId};
use assent_core::intent::IntentFault;
use assent_core::plan::PlanError;
use assent_core::policy::uses::Use;
use assent_core::principal::PrincipalId;
use assent_core::request::{
    CancelError, CompleteError, ConsumeError, FetchPlanError, PostReviewError, RedeemError,
    ReviewError, RevokeError, SendPlanError, WithdrawError,
};

use assent_core::passkey::{EnrolError, VouchError};
use assent_core::sign_in::LinkError;
use assent_core::statement::SignatureError;
use assent_core::time::Span;
use assent_core::webauthn::WebauthnError;
use assent_core::wire;

use crate::app::behind::BehindError;
use crate::app::policies::ApprovalError;
use crate::chance::NoChance;
use crate::keys::ChangeError;
use crate::ledger::LedgerError;
use crate::sealing::SealError;

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
    #[error("this tells of everybody's requests: only auditors and administrators read it here")]
    NotAuditor,
    #[error(
        "a token of `assent login` signs no browser in; use the one that an administrator made for you"
    )]
    NotForBrowsers,
    #[error("sign in first: this needs a sign-in at a provider at most {} ago", .0.in_words())]
    SignInFirst(Span),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("the token is good for `{has}` only, and this needs `{needs}`")]
    Scope { has: &'static str, needs: &'static str },
    #[error(transparent)]
    NotForPrograms(MakeError),
    #[error(transparent)]
    Plan(Box<PlanError>),
    #[error("the policy would have {}, so nothing was changed", faults(.0.len()))]
    Policy(Vec<wire::PolicyFault>),
    #[error("{}; so nothing was removed", in_use(.0))]
    InUse(Vec<Use>),
    #[error(
        "policy wants its changes approved: file the intent of this problem with your reason, and \
         send the same call again with `Assent-Approval: REQUEST` once the request is approved"
    )]
    ApprovalRequired(Box<wire::Intent>),
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    #[error(
        "`{0}` is not you: only an administrator, or a workload that acts for them, asks about others"
    )]
    ForeignSubject(String),
    #[error("policy does not let you tell that of {0}: `sources` says who may")]
    NotASource(String),
    #[error("the trust `{trust}` does not let its workloads ask for `{kind}` in `{environment}`")]
    OutsideTrust { trust: String, kind: String, environment: String },
    #[error("there is no {what} `{id}`, or it is not yours to see")]
    NotFound { what: &'static str, id: String },
    #[error(transparent)]
    Review(#[from] ReviewError),
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    #[error(transparent)]
    Vouch(#[from] VouchError),
    #[error(transparent)]
    Webauthn(#[from] WebauthnError),
    #[error("this took too long, or was done before: begin again")]
    CeremonyOver,
    #[error("passkeys need this server to have a name and https: its URL is {0}")]
    NoPasskeys(String),
    #[error(transparent)]
    PostReview(#[from] PostReviewError),
    #[error(transparent)]
    Withdraw(#[from] WithdrawError),
    #[error(transparent)]
    Absence(#[from] AbsenceError),
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    #[error(transparent)]
    Cancel(#[from] CancelError),
    #[error(transparent)]
    Begin(#[from] BeginError),
    #[error(transparent)]
    Complete(#[from] CompleteError),
    #[error(transparent)]
    Revoke(#[from] RevokeError),
    #[error(transparent)]
    Redeem(#[from] RedeemError),
    #[error(transparent)]
    SendPlan(#[from] SendPlanError),
    #[error(transparent)]
    FetchPlan(#[from] FetchPlanError),
    #[error("a plan has at most {most} bytes")]
    TooLarge { most: u64 },
    #[error("the body ended before it was whole")]
    BodyLost,
    #[error(
        "the plan comes in too slowly: it has ten seconds, and one more for each 128 KiB that has come; \
         send it again"
    )]
    TooSlow,
    #[error("you have too many plans kept here; fetch them, or end their requests")]
    TooMuchKept,
    #[error(transparent)]
    Sealed(#[from] SealError),
    #[error("this idempotency key was used for another call")]
    KeyReused,
    #[error(
        "this call made the access token `{0}`, which was shown once: revoke it and ask again with a \
         fresh idempotency key"
    )]
    TokenMade(AccessId),
    #[error("the credential of this call has ended; file a new request")]
    CredentialOver,
    /// Nobody waits for what is decided.
    #[error("the request is {state}: there is nothing left to wait for")]
    NotWaiting {
        /// The state it is in.
        state: &'static str,
    },
    #[error(
        "the broker `{broker}` did not open: {problem}; the use is spent and kept for a minute, so ask \
         again with the same idempotency key"
    )]
    NotOpened { broker: String, problem: String },
    #[error("{error}")]
    Proof { error: ProofError, nonce: Option<String> },
    #[error(
        "the authority `{authority}`, whose people approved this, cannot be asked whether that still \
         holds: {problem}; try again"
    )]
    PartnerAway { authority: String, problem: String },
    #[error(transparent)]
    Behind(#[from] BehindError),
    #[error("the one-time code is wrong, or was used")]
    WrongCode,
    #[error(
        "{0} requests of yours wait for people already, and no more may: wait until some are decided, or \
         cancel some (`assent list --mine --state pending`, `assent cancel ID`)"
    )]
    TooManyPending(u64),
    #[error("too many tries to sign in come from where you are; try again in {}", .0.in_words())]
    TooManySignIns(Span),
    #[error(
        "people sign in here, and which of them `{0}` is, is not known: review with the account by which \
         you sign in, or have the policy say under `people` whose this one is"
    )]
    LocalReviewer(PrincipalId),
    #[error("evidence is being gathered for you already; take that first")]
    Gathering,
    #[error("you take in too many files at once; let one end first")]
    TooManyFiles,
    #[error("you follow the log in too many places at once; close some")]
    TooManyStreams,
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
    #[error("there is no key for {0} yet; it is being made, so try again")]
    NoKey(Algorithm),
    #[error(transparent)]
    Keys(#[from] ChangeError),
    #[error(transparent)]
    AddKey(#[from] AddError),
    #[error(transparent)]
    RetireKey(#[from] RetireError),
}

/// Why an action was not begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// Somebody was first.
    #[error("what was requested is begun already; file it again to do it again")]
    Already,
}

fn faults(count: usize) -> String {
    format!("{count} {}", if count == 1 { "fault" } else { "faults" })
}

fn in_use(uses: &[Use]) -> String {
    uses.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
