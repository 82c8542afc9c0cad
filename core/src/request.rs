//! A request: an intent on its way through approval.
//!
//! A request *is* the replay of its events. The verbs decide what may happen and say it as events, in
//! a [`Step`]: [`transition`], [`review`], [`consume`], [`ending`], [`brokered`] and, for matters of
//! their own, the modules beside them. [`replay`] folds events into the state. The lifecycle calls
//! both, so what is stored and what is in memory cannot differ.

mod afterwards;
mod approval;
mod asked;
mod brokered;
mod consume;
mod elsewhere;
mod ending;
pub mod event;
mod exact;
#[cfg(test)]
mod lifecycle;
mod readers;
mod replay;
mod review;
mod signals;
mod stages;
#[cfg(test)]
mod tests;
mod transition;
#[cfg(test)]
mod walk;
#[cfg(test)]
mod weeks;
mod withdraw;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use afterwards::{Afterwards, PostReviewError};
pub use asked::Asked;
pub use consume::{ConsumeError, RedeemError, Spend};
pub use elsewhere::{Abroad, AbroadFact, EndorseError, Errand};
pub use ending::{
    CancelError, CompleteError, LONGEST_SILENCE, RevokeError, SHORTEST_SILENCE, Standing,
};
pub use event::{Denial, Event, Fact, Recall, Review, Verdict, Word};
pub use exact::{FetchPlanError, KeptPlan, SendPlanError, Sent};
pub use readers::Reads;
pub use replay::ReplayError;
pub use review::{ReviewError, Said, SignInWanted};
pub use signals::{Effect, KnownAs};
pub use stages::StageLife;
pub use transition::{Filing, POLICY_CHANGED};
pub use withdraw::{WithdrawError, Withdrawn};

use crate::binding::{Binding, OtherRun, Reuse};
use crate::credential::KeyId;
use crate::credential::dpop::Thumbprint;
use crate::digest::Digest;
use crate::id::{CredentialId, PasskeyId, RequestId};
use crate::intent::Intent;
use crate::membership::Membership;
use crate::policy::quorum::Progress;
use crate::policy::ruling::{Outcome, Requirement, Ruling, Terms};
use crate::policy::situation::Known;
use crate::principal::{Principal, PrincipalId};
use crate::time::{Span, Timestamp};

/// How many events a request has; it only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An intent on its way through approval.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    id: RequestId,
    version: Version,
    filed_at: Timestamp,
    intent: Intent,
    digest: Digest,
    requester: Principal,
    ruling: Ruling,
    known: Known,
    reviews: Vec<Review>,
    withdrawn: Vec<Withdrawn>,
    /// Of every signed review that was ever taken, whatever became of it.
    nonces: BTreeSet<[u8; 16]>,
    stage_lives: BTreeMap<String, StageLife>,
    abroad: elsewhere::AllAbroad,
    afterwards: Vec<Afterwards>,
    state: State,
    credentials: Vec<Issued>,
    plan: Option<KeptPlan>,
    heartbeat: Option<Span>,
    decided_at: Option<Timestamp>,
    last_at: Timestamp,
}

/// Where a request stands. Each state owns exactly its own data.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// People are asked.
    Pending(Pending),
    /// A grant may be spent.
    Approved(Approved),
    /// Refused by policy or denied by a person.
    Denied(Denied),
    /// Nobody decided, or nobody used the grant, in time.
    Expired(Expired),
    /// The requester withdrew it or was lost, or a signal stopped it.
    Canceled(Canceled),
    /// Every use of the grant is spent, or the requester says the action is over.
    Consumed(Consumed),
    /// The grant was taken back.
    Revoked(Revoked),
}

/// People are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// When it expires.
    pub expires_at: Timestamp,
}

/// A grant may be spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// Since when.
    pub at: Timestamp,
    /// Those who counted; nobody where policy permitted it.
    pub counted: BTreeSet<PrincipalId>,
    /// Until when a credential may be minted.
    pub consume_by: Timestamp,
    /// How many more.
    pub uses_left: u32,
}

/// Refused by policy or denied by a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// When.
    pub at: Timestamp,
    /// By whom and why.
    pub denial: Denial,
}

/// Nobody decided, or nobody used the grant, in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// When that was put on record.
    pub at: Timestamp,
    /// The deadline that passed.
    pub deadline: Timestamp,
}

/// The requester withdrew it, or the authority stopped it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canceled {
    /// When.
    pub at: Timestamp,
    /// Who; nobody where a signal did.
    pub by: Option<PrincipalId>,
    /// Why.
    pub reason: String,
}

/// Every use is spent, or the action is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumed {
    /// When.
    pub at: Timestamp,
    /// Those who had counted.
    pub counted: BTreeSet<PrincipalId>,
    /// Until when what it lets pass and gives nothing may still pass: the end of its window, or when
    /// it was said to be over.
    pub passes_until: Timestamp,
}

/// The grant was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// When.
    pub at: Timestamp,
    /// Who; nobody where a signal did.
    pub by: Option<PrincipalId>,
    /// Why.
    pub reason: String,
}

impl State {
    /// The word for it, everywhere the same.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending(_) => "pending",
            Self::Approved(_) => "approved",
            Self::Denied(_) => "denied",
            Self::Expired(_) => "expired",
            Self::Canceled(_) => "canceled",
            Self::Consumed(_) => "consumed",
            Self::Revoked(_) => "revoked",
        }
    }

    /// Whether it can still change.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Pending(_) | Self::Approved(_))
    }
}

/// A credential that a use was spent on. Its life goes on after the request's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Its id, the token's `jti`.
    pub id: CredentialId,
    /// For whom it is good.
    pub audience: String,
    /// When the use was spent.
    pub at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// SHA-256 of the token, once minted.
    pub fingerprint: Option<Digest>,
    /// The key that signed it, once minted; older records do not say.
    pub key: Option<KeyId>,
    /// When somebody redeemed it, if anybody has.
    pub redeemed_at: Option<Timestamp>,
    /// Who did.
    pub redeemed_by: Option<PrincipalId>,
    /// When it ended before its expiry, and how.
    pub ended: Option<Ended>,
    /// What a broker opened for it, or may have.
    pub brokered: Option<Brokered>,
    /// How long its holder may stay silent before it ends.
    pub heartbeat: Option<Span>,
    /// The key that it is bound to.
    pub confirmation: Option<Thumbprint>,
}

/// What a broker opened for a credential, or may have: it is told before, not after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brokered {
    /// The broker's name.
    pub broker: String,
    /// Whether it can be taken back.
    pub recall: Recall,
    /// Until when it works although the credential has ended, because nobody can take it back.
    pub outlives: Option<Timestamp>,
    /// Since when nothing of it exists any more.
    pub closed_at: Option<Timestamp>,
    /// What stood in the way of closing it at the first try.
    pub problem: Option<String>,
}

/// A credential's early end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// How.
    pub how: EndedHow,
}

/// How a credential ended before its expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedHow {
    /// The action was over.
    Completed,
    /// It was taken back.
    Revoked,
    /// The use was spent, but no token was ever handed out.
    Abandoned,
    /// Its holder was not heard of for too long.
    Silent,
}

impl Issued {
    /// Whether the token is good at this moment.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.fingerprint.is_some() && self.ended.is_none() && now < self.expires_at
    }

    /// Whether this is its token, and good at this moment.
    pub fn is_live_token(&self, fingerprint: Digest, now: Timestamp) -> bool {
        self.is_live(now) && self.fingerprint == Some(fingerprint)
    }

    /// From when on nothing that a broker opened for it may exist; `None` where nothing does.
    pub fn closes_at(&self) -> Option<Timestamp> {
        let open = self.brokered.as_ref().filter(|brokered| brokered.closed_at.is_none())?;
        let over = self.ended.as_ref().map_or(self.expires_at, |e| e.at.min(self.expires_at));
        Some(open.outlives.unwrap_or(over))
    }

    /// Whether its holder, last heard of then, has been silent for longer than it may: until `due`,
    /// which is never earlier than what is asked.
    fn is_silent(&self, last: Timestamp, due: Timestamp, now: Timestamp) -> bool {
        let asked = self.heartbeat.is_some_and(|heartbeat| due >= last.plus(heartbeat));
        asked && last >= self.at && now >= due
    }

    /// Whether a token may be handed out for it at this moment, for the first time or again.
    fn awaits_token(&self, now: Timestamp) -> bool {
        let abandoned = self.fingerprint.is_none() && now >= self.at.plus(ABANDON_AFTER);
        let over = self.ended.is_some() || self.redeemed_at.is_some() || now >= self.expires_at;
        !abandoned && !over
    }
}

impl Request {
    /// Its id.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// How many events it has.
    pub fn version(&self) -> Version {
        self.version
    }

    /// When it was filed.
    pub fn filed_at(&self) -> Timestamp {
        self.filed_at
    }

    /// When it was approved or denied, by people or by policy.
    pub fn decided_at(&self) -> Option<Timestamp> {
        self.decided_at
    }

    /// What is about to be done.
    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    /// The intent's digest: what a review must name.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Who asks.
    pub fn requester(&self) -> &Principal {
        &self.requester
    }

    /// What policy said when it was filed.
    pub fn ruling(&self) -> &Ruling {
        &self.ruling
    }

    /// What else was known when policy ruled.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Every review that stands, in order.
    pub fn reviews(&self) -> &[Review] {
        &self.reviews
    }

    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The credentials its uses were spent on.
    pub fn credentials(&self) -> &[Issued] {
        &self.credentials
    }

    /// The exact plan's bytes, where they were sent.
    pub fn kept_plan(&self) -> Option<&KeptPlan> {
        self.plan.as_ref()
    }

    /// How long its requester may stay silent before it ends, as long as it is pending; `None` where
    /// nobody listens.
    pub fn heartbeat(&self) -> Option<Span> {
        self.heartbeat
    }

    /// The run it belongs to, by what its requester's issuer said when it was filed.
    pub fn binding(&self) -> Binding {
        Binding::of(&self.requester)
    }

    /// By what that run is known again, as far as the rules tell runs apart.
    pub fn run(&self) -> Option<Digest> {
        self.binding().mark(self.reuse())
    }

    /// By what a request that the App filed for that run is known, which this one meets too.
    pub fn established_run(&self) -> Option<Digest> {
        self.binding().established(self.reuse())
    }

    /// That this caller belongs to the run it was filed from.
    ///
    /// # Errors
    /// [`OtherRun`].
    pub fn check_run(&self, by: &Principal) -> Result<(), OtherRun> {
        self.binding().check(&Binding::of(by), self.reuse())
    }

    fn reuse(&self) -> Reuse {
        match self.terms() {
            Some(terms) if terms.reuse_within_run => Reuse::WithinRun,
            Some(_) | None => Reuse::WithinAttempt,
        }
    }

    /// The credential of this id.
    pub fn credential(&self, id: CredentialId) -> Option<&Issued> {
        self.credentials.iter().find(|issued| issued.id == id)
    }

    /// What people were asked, where they were.
    pub fn requirement(&self) -> Option<&Requirement> {
        match &self.ruling.outcome {
            Outcome::Require(requirement) => Some(requirement),
            Outcome::Permit(_) | Outcome::Refuse(_) => None,
        }
    }

    /// What a grant of it allows; `None` where policy refused.
    pub fn terms(&self) -> Option<&Terms> {
        match &self.ruling.outcome {
            Outcome::Require(requirement) => Some(&requirement.terms),
            Outcome::Permit(terms) => Some(terms),
            Outcome::Refuse(_) => None,
        }
    }

    /// How far the stages are, by the membership of this moment.
    pub fn progress(&self, membership: &Membership) -> Progress {
        let approvals = self.reviews.iter().filter(|review| review.verdict == Verdict::Approve);
        self.progress_of(approvals, membership)
    }

    fn progress_of<'r>(
        &self,
        approvals: impl Iterator<Item = &'r Review>,
        membership: &Membership,
    ) -> Progress {
        let approvals = approvals.map(|review| {
            let mut approval = review.approval();
            // As with who is in which group: what counts must hold now too.
            let stands_in_for = membership.stands_in_for(&review.reviewer);
            approval.stands_in_for.retain(|absent| stands_in_for.contains(absent));
            (review.reviewer.clone(), approval)
        });
        let behind = self.requester.behind();
        let (stages, endorsed) = (self.asked_stages(), self.endorsed());
        Progress::of(&stages, &approvals.collect(), &endorsed, &behind, membership)
    }

    /// Whether there is a grant, or credentials of one: a grant whose window passed after some of
    /// its uses were spent has credentials that can be ended still.
    pub(crate) fn was_granted(&self) -> bool {
        match &self.state {
            State::Approved(_) | State::Consumed(_) => true,
            State::Expired(_) => !self.credentials.is_empty(),
            State::Pending(_) | State::Denied(_) | State::Canceled(_) | State::Revoked(_) => false,
        }
    }

    /// When it expires if nothing happens: the end of the time for reviews while pending, of the
    /// grant's window while approved.
    pub fn deadline(&self) -> Option<Timestamp> {
        match &self.state {
            State::Pending(pending) => {
                self.stage_deadline().into_iter().chain([pending.expires_at]).min()
            }
            State::Approved(approved) => Some(approved.consume_by),
            State::Denied(_)
            | State::Expired(_)
            | State::Canceled(_)
            | State::Consumed(_)
            | State::Revoked(_) => None,
        }
    }

    /// When the next thing that a broker opened is to be closed; in the past where that is late.
    /// Apart from [`Self::due_at`], because closing needs somebody outside, who may be away.
    pub fn closing_due(&self) -> Option<Timestamp> {
        self.credentials.iter().filter_map(Issued::closes_at).min()
    }

    /// The credentials of which something is to be closed at this moment.
    pub fn to_close(&self, now: Timestamp) -> impl Iterator<Item = &Issued> {
        self.credentials.iter().filter(move |issued| issued.closes_at().is_some_and(|at| now >= at))
    }

    /// Until when something of it may be good: the grant, a credential, or what a broker opened for
    /// one. `None` where nothing is.
    pub fn live_until(&self) -> Option<Timestamp> {
        let grant = match &self.state {
            State::Approved(approved) => Some(approved.consume_by),
            State::Pending(_)
            | State::Denied(_)
            | State::Expired(_)
            | State::Canceled(_)
            | State::Consumed(_)
            | State::Revoked(_) => None,
        };
        let live = self.credentials.iter().filter(|issued| issued.ended.is_none());
        let live = live.map(|issued| issued.expires_at);
        let open = self.credentials.iter().filter_map(Issued::closes_at);
        grant.into_iter().chain(live).chain(open).max()
    }

    /// When something will have to be done without anybody asking: a deadline passes, others are to
    /// be asked, or a later review is missed.
    pub fn due_at(&self) -> Option<Timestamp> {
        let unminted = self.credentials.iter().filter(|c| c.fingerprint.is_none());
        let abandoned = unminted.filter(|c| c.ended.is_none()).map(|c| c.at.plus(ABANDON_AFTER));
        let stages = self.stage_due();
        let dues = self.deadline().into_iter().chain(stages).chain(self.afterwards_due());
        dues.chain(abandoned).chain(self.plan_due()).min()
    }
}

/// How long after a use was spent a token must be on record; later it counts as never handed out.
pub const ABANDON_AFTER: Span = Span::minutes(1);

/// How long a credential lasts at most if what a broker opens for it cannot be taken back.
pub const UNRECALLABLE_FOR: Span = Span::minutes(60);

/// One move of a request, ready to be committed. Only the lifecycle makes one.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a step changes nothing until a ledger has committed it"]
pub struct Step {
    expected: Option<Version>,
    next: Request,
    events: Vec<Event>,
}

impl Step {
    /// The version this step was decided on; `None` where the request is new.
    pub fn expected(&self) -> Option<Version> {
        self.expected
    }

    /// The request after it.
    pub fn next(&self) -> &Request {
        &self.next
    }

    /// What happened.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The passkey that signed a review of it, where one did. It must be live when this is written.
    pub fn signed_with(&self) -> Option<PasskeyId> {
        self.events.iter().find_map(|event| {
            let Fact::Reviewed(review) = &event.fact else { return None };
            review.signature.as_ref().map(|signed| signed.passkey())
        })
    }

    fn spending(&self) -> Option<&Event> {
        self.events.iter().find(|event| matches!(event.fact, Fact::Consumed { .. }))
    }
}

/// Proof that one step is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    request: RequestId,
    version: Version,
    spent: Option<Box<Event>>,
}

impl Receipt {
    /// For ledgers only, after the commit of exactly this step is durable: the door is marked by a
    /// lint, because a ledger lives in another crate.
    pub fn for_committed(step: &Step) -> Self {
        let spent = step.spending().cloned().map(Box::new);
        Self { request: step.next.id, version: step.next.version, spent }
    }

    /// Two steps decided on one version reach the same version, so that alone proves nothing: the
    /// use itself must be on record.
    pub(crate) fn is_for(&self, step: &Step) -> bool {
        let same = (self.request, self.version) == (step.next.id, step.next.version);
        same && self.spent.is_some() && self.spent.as_deref() == step.spending()
    }
}
