//! What may happen to a request, and who may do it. Each verb answers with a [`Step`] or with why
//! not; a late move is refused by its own clock argument, whether or not a timer ran.

use std::collections::BTreeSet;

use crate::binding::{NotApplying, OtherRun, check_applying};
use crate::credential::KeyId;
use crate::credential::dpop::{ProofError, Thumbprint};
use crate::digest::Digest;
use crate::grant::{Grant, SealedGrant};
use crate::id::{CredentialId, RequestId, ReviewId};
use crate::intent::Intent;
use crate::membership::Membership;
use crate::policy::quorum::{Approval, Progress, is_asked};
use crate::policy::ruling::{Dpop, Outcome, Reason, Ruling, Stage};
use crate::policy::situation::Known;
use crate::principal::{Principal, PrincipalId, PrincipalKind, is_visible};
use crate::request::event::{Denial, Event, Fact, Recall, Review, Verdict};
use crate::request::{
    ABANDON_AFTER, Approved, Brokered, Issued, Request, State, Step, UNRECALLABLE_FOR,
};
use crate::time::{Span, Timestamp};

/// The name under which a pending request is refused because policy has changed.
pub const POLICY_CHANGED: &str = "policy-changed";

/// What is needed to file an intent.
#[derive(Clone, Debug)]
pub struct Filing {
    /// The new request's id.
    pub id: RequestId,
    /// What is about to be done.
    pub intent: Intent,
    /// Who asks.
    pub requester: Principal,
    /// What policy said of it.
    pub ruling: Ruling,
    /// What else was known then.
    pub known: Known,
}

/// Why a review was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// It is decided, or over.
    #[error("the request is {state} already; reviews are taken only while it is pending")]
    NotPending {
        /// The state it is in.
        state: &'static str,
    },
    /// Its deadline has passed.
    #[error("the request expired at {deadline}")]
    TooLate {
        /// The deadline.
        deadline: Timestamp,
    },
    /// The reviewer saw something else.
    #[error("the review names {named}, but the request's digest is {digest}: look at it again")]
    OtherDigest {
        /// What the review names.
        named: Digest,
        /// What the request is.
        digest: Digest,
    },
    /// Workloads do not review.
    #[error("only people review; `{0}` is a workload")]
    NotAPerson(PrincipalId),
    /// The requester, or somebody it acts for.
    #[error("`{0}` is behind this request, so their review cannot count")]
    OwnRequest(PrincipalId),
    /// The person has reviewed it.
    #[error("`{0}` has reviewed this request already; nobody counts twice")]
    Twice(PrincipalId),
    /// The stages that ask this person want somebody who signed in lately.
    #[error("sign in again: this needs a sign-in at most {within} ago")]
    SignInAgain {
        /// How long ago at most.
        within: Span,
    },
    /// In no stage that is open.
    #[error("`{who}` is not among those asked now: {asked}")]
    NotAsked {
        /// The reviewer.
        who: PrincipalId,
        /// Who is asked now.
        asked: String,
    },
}

/// Why nothing could be minted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsumeError {
    /// It is not approved.
    #[error("the request is {state}; its grant is spent only while it is approved")]
    NotApproved {
        /// The state it is in.
        state: &'static str,
    },
    /// The grant's window has passed.
    #[error("the grant had to be used by {deadline}; file a new request")]
    TooLate {
        /// The end of the window.
        deadline: Timestamp,
    },
    /// Only the requester spends its grant.
    #[error("the grant belongs to `{0}`")]
    NotRequester(PrincipalId),
    /// The caller is the requester, but in another run.
    #[error(transparent)]
    OtherRun(#[from] OtherRun),
    /// The caller's run plans still.
    #[error(transparent)]
    NotApplying(#[from] NotApplying),
    /// The rule names other audiences.
    #[error("`{audience}` is not an audience this grant allows; allowed are {allowed}")]
    Audience {
        /// What was asked.
        audience: String,
        /// What the rules allow.
        allowed: String,
    },
    /// No rule names the broker, or one that matched names another.
    #[error("`{broker}` is not a broker this grant opens; {allowed}")]
    Broker {
        /// What was asked.
        broker: String,
        /// What the rules allow.
        allowed: String,
    },
    /// The requester, or somebody it acts for, is suspended.
    #[error("`{0}` is suspended")]
    Suspended(PrincipalId),
    /// The rules want it bound to a key, and none was shown.
    #[error(
        "the rules want this credential bound to a key: mint it with a `DPoP` proof (RFC 9449), \
         or with `--dpop-key`"
    )]
    Unbound,
    /// Somebody who counted may no longer count.
    #[error("those who approved no longer fill stage `{stage}`; file a new request")]
    NoLongerApproved {
        /// The stage.
        stage: String,
    },
}

/// Why it could not be canceled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CancelError {
    /// It is decided, or over.
    #[error("the request is {state} already; only a pending one can be canceled")]
    NotPending {
        /// The state it is in.
        state: &'static str,
    },
    /// Only the requester cancels.
    #[error("only the requester cancels a request")]
    NotRequester,
}

/// Why it could not be completed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompleteError {
    /// There is no grant to end.
    #[error("the request is {state}; only an approved or consumed one is completed")]
    NotGranted {
        /// The state it is in.
        state: &'static str,
    },
    /// Only the requester completes.
    #[error("only the requester completes a request")]
    NotRequester,
    /// The caller is the requester, but in another run.
    #[error(transparent)]
    OtherRun(#[from] OtherRun),
}

/// Why it could not be revoked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevokeError {
    /// There is no grant to take back.
    #[error("the request is {state}; only an approved or consumed one is revoked")]
    NotGranted {
        /// The state it is in.
        state: &'static str,
    },
    /// Neither requester, nor among those asked, nor administrator.
    #[error("only the requester, those who were asked and administrators revoke a request")]
    NotYours,
    /// There is no such credential.
    #[error("the request has no credential `{0}`")]
    NoCredential(CredentialId),
}

/// Why a credential was not redeemed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedeemError {
    /// Not of this request, not minted, expired or ended.
    #[error("the credential is not valid now")]
    Inactive,
    /// It is bound to a key, and whoever was shown it passes no proof of it on.
    #[error(
        "the credential is bound to a key: pass on the proof that came with it, the call's method and \
         its URL"
    )]
    NoProof,
    /// It is bound to a key, and the proof that was passed on is not good.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// It was redeemed before.
    #[error("the credential was redeemed at {at} by {}; it is good once", name(by.as_ref()))]
    Spent {
        /// When.
        at: Timestamp,
        /// By whom.
        by: Option<PrincipalId>,
    },
}

fn name(who: Option<&PrincipalId>) -> String {
    who.map_or_else(|| "nobody".to_owned(), ToString::to_string)
}

/// What a use of a grant is spent on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    /// The new credential's id.
    pub credential: CredentialId,
    /// For whom it shall be good.
    pub audience: String,
    /// How long it is wanted for; the ruling's limit and the intent's duration cap it.
    pub ttl: Option<Span>,
    /// The broker that shall open something for it.
    pub broker: Option<String>,
    /// Whether what that broker opens can be taken back.
    pub recall: Recall,
    /// How long its holder wants to be silent at most; the ruling's limit caps it.
    pub heartbeat: Option<Span>,
    /// The key that it shall be bound to, which whoever asks has shown to hold.
    pub confirmation: Option<Thumbprint>,
}

impl Spend {
    /// On a token, and nothing beside it, for as long as the rules allow.
    pub fn on(credential: CredentialId, audience: impl Into<String>) -> Self {
        Self {
            credential,
            audience: audience.into(),
            ttl: None,
            broker: None,
            recall: Recall::Ends,
            heartbeat: None,
            confirmation: None,
        }
    }
}

/// In what standing somebody revokes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As whoever they are to this request.
    Own,
    /// As administrator of the authority.
    Administrator,
}

impl Request {
    /// Files an intent. A refusal is filed too, and a permit is approved at once.
    pub fn file(filing: Filing, now: Timestamp) -> Step {
        let Filing { id, intent, requester, ruling, known } = filing;
        let known = known.recorded();
        let by = Some(requester.id.clone());
        let (expires_at, outcome) = match &ruling.outcome {
            Outcome::Require(asked) => (now.plus(asked.expires_after), None),
            Outcome::Permit(terms) => {
                let consume_by = now.plus(terms.grant_window);
                let uses = terms.uses;
                (now, Some(Fact::Approved { counted: Vec::new(), consume_by, uses }))
            }
            Outcome::Refuse(reasons) => (now, Some(Fact::Denied(Denial::Refused(reasons.clone())))),
        };
        let next = Self::filed(id, now, &intent, &requester, &ruling, &known, expires_at);
        let fact = Fact::Filed { intent, requester, ruling, known, expires_at };
        let filed = Event { request: id, at: now, by, fact };
        let mut step = Step { expected: None, next, events: vec![filed] };
        if let Some(fact) = outcome {
            step.push(now, fact);
        }
        step
    }

    /// Takes a person's review.
    ///
    /// # Errors
    /// [`ReviewError`] says why it was not taken; nothing is on record then.
    pub fn review(
        &self,
        id: ReviewId,
        reviewer: &Principal,
        said: Said,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<Step, ReviewError> {
        let now = self.no_earlier(now);
        let (who, verdict) = (reviewer.id.clone(), said.verdict);
        let review = said.review(id, &who, self.absent_for(&who, membership), now);
        self.check_reviewer(reviewer, &review, membership, now)?;
        let by = Some(who.clone());
        let denial = Denial::Reviewed { review: id, by: who, comment: review.comment.clone() };
        let mut step = self.step(now, by, Fact::Reviewed(review));
        match verdict {
            Verdict::Deny => step.push(now, Fact::Denied(denial)),
            Verdict::Approve => step.settle(membership, now),
        }
        Ok(step)
    }

    fn check_reviewer(
        &self,
        reviewer: &Principal,
        review: &Review,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<(), ReviewError> {
        let named = review.digest;
        let who = &reviewer.id;
        let State::Pending(pending) = &self.state else {
            return Err(ReviewError::NotPending { state: self.state.word() });
        };
        let deadline = self.deadline().unwrap_or(pending.expires_at);
        if now >= deadline {
            return Err(ReviewError::TooLate { deadline });
        }
        if named != self.digest {
            return Err(ReviewError::OtherDigest { named, digest: self.digest });
        }
        if reviewer.kind != PrincipalKind::Person {
            return Err(ReviewError::NotAPerson(who.clone()));
        }
        if self.requester.behind().contains(who) {
            return Err(ReviewError::OwnRequest(who.clone()));
        }
        let twice = self.reviews.iter().any(|review| review.reviewer == *who);
        if twice || self.has_endorsed(who) {
            return Err(ReviewError::Twice(who.clone()));
        }
        let stages = self.asked_stages();
        let open = open_among(&stages, &self.progress(membership));
        let (behind, approval) = (self.requester.behind(), review.approval());
        let asks = |stage: &&&Stage| is_asked(stage, who, &approval, &behind, membership);
        let asking: Vec<_> = open.iter().filter(asks).collect();
        if asking.is_empty() {
            let asked = open.iter().flat_map(|stage| stage.asks());
            let asked: BTreeSet<String> = asked.collect();
            let asked = asked.into_iter().collect::<Vec<_>>().join(", ");
            return Err(ReviewError::NotAsked { who: who.clone(), asked });
        }
        let fresh = |stage: &&&&Stage| approval.is_fresh_for(stage);
        let within = asking.iter().filter_map(|stage| stage.login_within).max();
        match (asking.iter().any(|stage| fresh(&stage)), within) {
            (false, Some(within)) => Err(ReviewError::SignInAgain { within }),
            _ => Ok(()),
        }
    }

    /// Why this person's review would not be taken now; `None` where it would.
    pub fn may_review(
        &self,
        reviewer: &Principal,
        membership: &Membership,
        now: Timestamp,
    ) -> Option<ReviewError> {
        let now = self.no_earlier(now);
        // Whether they must sign in again, they are told when they decide.
        let (verdict, digest, comment) = (Verdict::Approve, self.digest, String::new());
        let said = Said { verdict, digest, comment, signed_in_at: Some(now) };
        let absent = self.absent_for(&reviewer.id, membership);
        let review = said.review(ReviewId::from_bytes([0; 16]), &reviewer.id, absent, now);
        self.check_reviewer(reviewer, &review, membership, now).err()
    }

    /// Those for whom somebody stands in now, and for whom nobody has spoken in this request yet:
    /// neither they themselves nor an earlier stand-in. Two stand-ins of one person would be two.
    fn absent_for(&self, who: &PrincipalId, membership: &Membership) -> BTreeSet<PrincipalId> {
        let mut absent = membership.stands_in_for(who);
        absent.retain(|absent| !self.has_spoken(absent));
        absent
    }

    /// Whether somebody reviewed it, or somebody else did in their place.
    pub(super) fn has_spoken(&self, who: &PrincipalId) -> bool {
        self.has_endorsed(who)
            || self.reviews.iter().any(|r| r.reviewer == *who || r.stands_in_for.contains(who))
    }

    /// Spends one use of the grant. What comes back is sealed: it opens with the receipt of its
    /// own step, so a credential cannot arise before its record.
    ///
    /// # Errors
    /// [`ConsumeError`]; nothing is spent then.
    pub fn consume(
        &self,
        by: &Principal,
        spend: Spend,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<SealedGrant, ConsumeError> {
        let now = self.no_earlier(now);
        let approved = self.check_consume(by, &spend, membership, now)?;
        let Spend { credential, audience, ttl, broker, recall, heartbeat, confirmation } = spend;
        let recall = broker.as_ref().map_or(Recall::Ends, |_| recall);
        let ruled = self.terms().map_or(Span::ZERO, |terms| terms.max_ttl);
        let limit = match recall {
            Recall::Ends => ruled,
            Recall::OnlyExpires => ruled.min(UNRECALLABLE_FOR),
        };
        let asked = self.terms().and_then(|terms| terms.heartbeat);
        let heartbeat = asked.into_iter().chain(heartbeat).min();
        let wanted = ttl.into_iter().chain(self.intent.duration()).min().unwrap_or(limit);
        let expires_at = now.plus(wanted.min(limit));
        let issued = Issued {
            id: credential,
            audience: audience.clone(),
            at: now,
            expires_at,
            fingerprint: None,
            key: None,
            redeemed_at: None,
            redeemed_by: None,
            ended: None,
            brokered: broker.clone().map(|broker| Brokered::new(broker, recall)),
            heartbeat,
            confirmation,
        };
        let grant = Grant::new(self, &approved.counted, &issued);
        let fact = Fact::Consumed {
            credential,
            audience,
            expires_at,
            broker,
            recall,
            heartbeat,
            confirmation,
        };
        Ok(SealedGrant::new(self.step(now, Some(by.id.clone()), fact), grant))
    }

    fn check_consume(
        &self,
        by: &Principal,
        spend: &Spend,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<&Approved, ConsumeError> {
        let audience = &spend.audience;
        let approved = self.check_grant(by, now)?;
        if !is_audience(audience) {
            let (audience, allowed) = (audience.to_owned(), "1 to 512 visible bytes".to_owned());
            return Err(ConsumeError::Audience { audience, allowed });
        }
        let allowed = self.terms().and_then(|terms| terms.audiences.as_ref());
        if let Some(allowed) = allowed.filter(|allowed| !allowed.contains(audience)) {
            let allowed = allowed.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(ConsumeError::Audience { audience: audience.to_owned(), allowed });
        }
        self.check_broker(spend.broker.as_deref())?;
        self.check_confirmation(spend.confirmation)?;
        self.check_still_filled(approved, membership)?;
        Ok(approved)
    }

    /// The grant, if it is this caller's and still to be used.
    fn check_grant(&self, by: &Principal, now: Timestamp) -> Result<&Approved, ConsumeError> {
        if by.id != self.requester.id {
            return Err(ConsumeError::NotRequester(self.requester.id.clone()));
        }
        self.check_run(by)?;
        check_applying(by)?;
        let State::Approved(approved) = &self.state else {
            return Err(ConsumeError::NotApproved { state: self.state.word() });
        };
        if now >= approved.consume_by {
            return Err(ConsumeError::TooLate { deadline: approved.consume_by });
        }
        Ok(approved)
    }

    /// What the rules want bound to a key is bound to one.
    pub(super) fn check_confirmation(&self, key: Option<Thumbprint>) -> Result<(), ConsumeError> {
        match (self.terms().and_then(|terms| terms.dpop), key) {
            (Some(Dpop::Required), None) => Err(ConsumeError::Unbound),
            (Some(Dpop::Required), Some(_)) | (None, _) => Ok(()),
        }
    }

    fn check_still_filled(
        &self,
        approved: &Approved,
        membership: &Membership,
    ) -> Result<(), ConsumeError> {
        if let Some(who) = self.suspended_behind(membership) {
            return Err(ConsumeError::Suspended(who.clone()));
        }
        match self.no_longer_filled(&approved.counted, membership) {
            Some(stage) => Err(ConsumeError::NoLongerApproved { stage }),
            None => Ok(()),
        }
    }

    /// That what was asked may be begun now: a grant of this caller, in time, whose approvals still
    /// count.
    ///
    /// # Errors
    /// [`ConsumeError`].
    pub fn check_begin(
        &self,
        by: &Principal,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<(), ConsumeError> {
        let approved = self.check_grant(by, self.no_earlier(now))?;
        self.check_still_filled(approved, membership)
    }

    /// Spends the whole grant on what the authority does itself, such as a change of its policy:
    /// there is no credential to mint, and nothing is left of the grant for a second time.
    ///
    /// # Errors
    /// [`ConsumeError`]; nothing is spent then.
    pub fn carry_out(
        &self,
        by: &Principal,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<Step, ConsumeError> {
        let now = self.no_earlier(now);
        let approved = self.check_grant(by, now)?;
        self.check_still_filled(approved, membership)?;
        Ok(self.step(now, Some(by.id.clone()), Fact::Completed))
    }

    /// What opens real things must be named by a rule: silence allows a token, and nothing more.
    pub(super) fn check_broker(&self, wanted: Option<&str>) -> Result<(), ConsumeError> {
        let Some(wanted) = wanted else { return Ok(()) };
        let named = self.terms().and_then(|terms| terms.broker.as_deref());
        if named == Some(wanted) {
            return Ok(());
        }
        let allowed = named.map_or_else(
            || "no rule that matched names a broker".to_owned(),
            |named| format!("the rules name `{named}`"),
        );
        Err(ConsumeError::Broker { broker: wanted.to_owned(), allowed })
    }

    /// A stage that those who counted no longer fill. They are those the credential names, so they
    /// and nobody else must still do.
    pub(super) fn no_longer_filled(
        &self,
        counted: &BTreeSet<PrincipalId>,
        membership: &Membership,
    ) -> Option<String> {
        let counted = self.reviews.iter().filter(|review| counted.contains(&review.reviewer));
        let progress = self.progress_of(counted, membership);
        let open = progress.stages().iter().find(|stage| !stage.is_filled());
        open.map(|stage| stage.name.clone())
    }

    /// Records that the token was made, and what signed it. `None` where the use was never spent, where the credential
    /// has ended, expired or been redeemed, and where the time for it has passed.
    pub fn minted(
        &self,
        credential: CredentialId,
        fingerprint: Digest,
        key: KeyId,
        now: Timestamp,
    ) -> Option<Step> {
        let now = self.no_earlier(now);
        let issued = self.credential(credential)?;
        if !issued.awaits_token(now) {
            return None;
        }
        let by = Some(self.requester.id.clone());
        Some(self.step(now, by, Fact::Minted { credential, fingerprint, key: Some(key) }))
    }

    /// The grant of a use that was spent before, for a caller whose answer was lost: the same
    /// credential with the same end. `None` once it has ended, expired or been redeemed, and for
    /// anybody but the requester in the same run, where that is given anything.
    pub fn grant_again(
        &self,
        by: &Principal,
        credential: CredentialId,
        membership: &Membership,
        now: Timestamp,
    ) -> Option<Grant> {
        let now = self.no_earlier(now);
        let issued = self.credential(credential)?;
        let theirs =
            by.id == self.requester.id && self.check_run(by).is_ok() && check_applying(by).is_ok();
        if !issued.awaits_token(now) || !theirs {
            return None;
        }
        let counted = self.counted()?;
        self.still_holds(membership).then(|| Grant::new(self, counted, issued))
    }

    /// Whether what was granted would be granted to this requester by these approvals still: those
    /// who counted count, and nobody behind it is suspended. Nothing that was not granted holds.
    pub fn still_holds(&self, membership: &Membership) -> bool {
        self.counted().is_some_and(|counted| {
            self.suspended_behind(membership).is_none()
                && self.no_longer_filled(counted, membership).is_none()
        })
    }

    /// Who counted for the grant, where there is one.
    fn counted(&self) -> Option<&BTreeSet<PrincipalId>> {
        match &self.state {
            State::Approved(approved) => Some(&approved.counted),
            State::Consumed(consumed) => Some(&consumed.counted),
            State::Pending(_)
            | State::Denied(_)
            | State::Expired(_)
            | State::Canceled(_)
            | State::Revoked(_) => None,
        }
    }

    /// Spends a single-use credential on behalf of the service that was shown it.
    ///
    /// # Errors
    /// [`RedeemError`]; it was not spent by this call then.
    pub fn redeem(
        &self,
        by: &PrincipalId,
        credential: CredentialId,
        fingerprint: Digest,
        now: Timestamp,
    ) -> Result<Step, RedeemError> {
        let now = self.no_earlier(now);
        let issued = self.credential(credential).ok_or(RedeemError::Inactive)?;
        if !issued.is_live_token(fingerprint, now) {
            return Err(RedeemError::Inactive);
        }
        if let Some(at) = issued.redeemed_at {
            return Err(RedeemError::Spent { at, by: issued.redeemed_by.clone() });
        }
        Ok(self.step(now, Some(by.clone()), Fact::Redeemed { credential }))
    }

    /// Withdraws a pending request.
    ///
    /// # Errors
    /// [`CancelError`].
    pub fn cancel(
        &self,
        by: &Principal,
        reason: String,
        now: Timestamp,
    ) -> Result<Step, CancelError> {
        let now = self.no_earlier(now);
        if by.id != self.requester.id {
            return Err(CancelError::NotRequester);
        }
        match &self.state {
            State::Pending(_) if self.deadline().is_some_and(|deadline| now < deadline) => {
                Ok(self.step(now, Some(by.id.clone()), Fact::Canceled { reason }))
            }
            State::Pending(_) => Err(CancelError::NotPending { state: "expired" }),
            other @ (State::Approved(_)
            | State::Denied(_)
            | State::Expired(_)
            | State::Canceled(_)
            | State::Consumed(_)
            | State::Revoked(_)) => Err(CancelError::NotPending { state: other.word() }),
        }
    }

    /// Says that the action is over: what is left of the grant and every credential end.
    ///
    /// # Errors
    /// [`CompleteError`].
    pub fn complete(&self, by: &Principal, now: Timestamp) -> Result<Step, CompleteError> {
        let now = self.no_earlier(now);
        if by.id != self.requester.id {
            return Err(CompleteError::NotRequester);
        }
        self.check_run(by)?;
        if !self.was_granted() {
            return Err(CompleteError::NotGranted { state: self.state.word() });
        }
        Ok(self.step(now, Some(by.id.clone()), Fact::Completed))
    }

    /// Takes the grant and every credential back.
    ///
    /// # Errors
    /// [`RevokeError`].
    pub fn revoke(
        &self,
        by: &Principal,
        standing: Standing,
        reason: String,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<Step, RevokeError> {
        let now = self.no_earlier(now);
        self.check_revoke(by, standing, membership)?;
        if !self.was_granted() {
            return Err(RevokeError::NotGranted { state: self.state.word() });
        }
        Ok(self.step(now, Some(by.id.clone()), Fact::Revoked { reason }))
    }

    /// Takes one credential back. `Ok(None)` where it has ended already.
    ///
    /// # Errors
    /// [`RevokeError`].
    pub fn revoke_credential(
        &self,
        by: &Principal,
        standing: Standing,
        credential: CredentialId,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<Option<Step>, RevokeError> {
        let now = self.no_earlier(now);
        self.check_revoke(by, standing, membership)?;
        let issued = self.credential(credential).ok_or(RevokeError::NoCredential(credential))?;
        if issued.ended.is_some() || now >= issued.expires_at {
            return Ok(None);
        }
        Ok(Some(self.step(now, Some(by.id.clone()), Fact::CredentialRevoked { credential })))
    }

    fn check_revoke(
        &self,
        by: &Principal,
        standing: Standing,
        membership: &Membership,
    ) -> Result<(), RevokeError> {
        let stages = self.asked_stages();
        let (behind, alone) = (self.requester.behind(), Approval::default());
        let asked = || stages.iter().any(|s| is_asked(s, &by.id, &alone, &behind, membership));
        let may = standing == Standing::Administrator || by.id == self.requester.id || asked();
        if may { Ok(()) } else { Err(RevokeError::NotYours) }
    }

    /// Records that nothing of what a broker may have opened for a credential exists any more.
    /// `None` where there is nothing to close, or not yet.
    pub fn broker_closed(&self, credential: CredentialId, now: Timestamp) -> Option<Step> {
        let now = self.no_earlier(now);
        self.to_close(now).find(|issued| issued.id == credential)?;
        Some(self.step(now, None, Fact::BrokerClosed { credential }))
    }

    /// Records that nobody can take back what a broker opened, and until when it works. `None` where
    /// that is on record, where there is nothing to close, and for a time that has come.
    pub fn broker_outlives(
        &self,
        credential: CredentialId,
        until: Timestamp,
        now: Timestamp,
    ) -> Option<Step> {
        let now = self.no_earlier(now);
        let issued = self.to_close(now).find(|issued| issued.id == credential)?;
        issued.brokered.as_ref().filter(|brokered| brokered.outlives.is_none())?;
        (until > now).then(|| self.step(now, None, Fact::BrokerOutlives { credential, until }))
    }

    /// Ends a credential whose holder was last heard of then, and had to be heard of by `due`.
    /// `None` where none is asked of the holder, where it is not late, and where it has ended.
    pub fn heartbeat_lost(
        &self,
        credential: CredentialId,
        last: Timestamp,
        due: Timestamp,
        now: Timestamp,
    ) -> Option<Step> {
        let now = self.no_earlier(now);
        let issued = self.credential(credential)?;
        let late = issued.is_live(now) && issued.is_silent(last, due, now);
        late.then(|| self.step(now, None, Fact::HeartbeatLost { credential, last, due }))
    }

    /// Records why it could not be closed; once, however often it is tried. `None` where it is on
    /// record, and where there is nothing to close.
    pub fn broker_stuck(
        &self,
        credential: CredentialId,
        problem: String,
        now: Timestamp,
    ) -> Option<Step> {
        let now = self.no_earlier(now);
        let issued = self.to_close(now).find(|issued| issued.id == credential)?;
        issued.brokered.as_ref().filter(|brokered| brokered.problem.is_none())?;
        Some(self.step(now, None, Fact::BrokerStuck { credential, problem }))
    }

    /// Ends a pending request because policy has changed: it was ruled under other rules, and what
    /// people would approve now is not what the rules of today ask for. `None` where it is not
    /// pending any more.
    pub fn supersede(&self, now: Timestamp) -> Option<Step> {
        let now = self.no_earlier(now);
        let open = matches!(self.state, State::Pending(_));
        if !open || self.deadline().is_some_and(|deadline| now >= deadline) {
            return None;
        }
        let reason = Reason {
            rule: POLICY_CHANGED.to_owned(),
            message: "policy changed while this was pending, and asks for something else now; \
                file it again"
                .to_owned(),
        };
        Some(self.step(now, None, Fact::Denied(Denial::Refused(vec![reason]))))
    }

    /// What the passing of time alone has done: a deadline has passed, or a spent use never became
    /// a token. `None` where nothing is due.
    pub fn lapse(&self, now: Timestamp) -> Option<Step> {
        let now = self.no_earlier(now);
        let passed = self.deadline().filter(|at| now >= *at);
        let expired = passed.map(|deadline| Fact::Expired { deadline });
        let unminted = self.credentials.iter().filter(|issued| {
            let open = issued.fingerprint.is_none() && issued.ended.is_none();
            open && now >= issued.at.plus(ABANDON_AFTER)
        });
        let abandoned = unminted.map(|issued| Fact::Abandoned { credential: issued.id });
        // A request that expires asks nobody else any more.
        let stages = if expired.is_some() { Vec::new() } else { self.stage_facts(now) };
        let removed = self.plan_facts(now, expired.is_some());
        let facts = expired.into_iter().chain(stages).chain(abandoned);
        let mut facts = facts.chain(self.afterwards_facts(now)).chain(removed);
        let mut step = self.step(now, None, facts.next()?);
        for fact in facts {
            step.push(now, fact);
        }
        Some(step)
    }

    /// A clock that went back makes nothing valid again: time does not run before the last event.
    pub(super) fn no_earlier(&self, now: Timestamp) -> Timestamp {
        now.max(self.last_at)
    }

    pub(super) fn step(&self, at: Timestamp, by: Option<PrincipalId>, fact: Fact) -> Step {
        let expected = Some(self.version);
        let mut step = Step { expected, next: self.clone(), events: Vec::new() };
        step.record(Event { request: self.id, at, by, fact });
        step
    }
}

/// Nobody can check a token for an audience that is empty, and nobody can read a hidden one.
fn is_audience(text: &str) -> bool {
    (1..=512).contains(&text.len()) && text.chars().all(is_visible)
}

impl Step {
    /// One more fact, that follows from the others by the authority's own rules.
    pub(super) fn push(&mut self, at: Timestamp, fact: Fact) {
        self.record(Event { request: self.next.id, at, by: None, fact });
    }

    /// What follows from one more word for it: stages are filled and open, and once all are filled
    /// it is approved.
    pub(super) fn settle(&mut self, membership: &Membership, now: Timestamp) {
        if let Some(advanced) = self.next.advance(membership) {
            self.push(now, advanced);
        }
        let progress = self.next.progress(membership);
        if let (true, Some(terms)) = (progress.is_met(), self.next.terms()) {
            let consume_by = now.plus(terms.grant_window);
            let uses = terms.uses;
            let counted = progress.stages().iter();
            let counted = counted.map(|s| (s.name.clone(), s.counted.clone())).collect();
            self.push(now, Fact::Approved { counted, consume_by, uses });
        }
    }

    /// One more fact, by the same caller.
    pub(super) fn push_by(&mut self, at: Timestamp, by: PrincipalId, fact: Fact) {
        self.record(Event { request: self.next.id, at, by: Some(by), fact });
    }

    fn record(&mut self, event: Event) {
        // INVARIANT: each verb checked the state it moves from, so replay cannot object. If one
        // ever did, the event is dropped with its effect and the step stays as it was.
        let legal = self.next.apply(&event);
        debug_assert!(legal.is_ok(), "{legal:?}");
        if legal.is_ok() {
            self.events.push(event);
        }
    }
}

/// What a reviewer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Approve or deny.
    pub verdict: Verdict,
    /// The digest of what was shown.
    pub digest: Digest,
    /// In the reviewer's words.
    pub comment: String,
    /// When the reviewer signed in, where that is known.
    pub signed_in_at: Option<Timestamp>,
}

impl Said {
    /// The review of this person at this moment, with those for whom they stand in then.
    pub(super) fn review(
        self,
        id: ReviewId,
        reviewer: &PrincipalId,
        stands_in_for: BTreeSet<PrincipalId>,
        at: Timestamp,
    ) -> Review {
        let Self { verdict, digest, comment, signed_in_at } = self;
        let login_age = signed_in_at.map(|since| whole_seconds(since.until(at)));
        let reviewer = reviewer.clone();
        Review { id, reviewer, verdict, digest, comment, stands_in_for, login_age, at }
    }
}

impl Review {
    /// What of it decides for which stages it counts.
    pub(super) fn approval(&self) -> Approval {
        Approval { stands_in_for: self.stands_in_for.clone(), login_age: self.login_age }
    }
}

/// In whole seconds, as it is written; a part of one makes it longer, never shorter.
fn whole_seconds(age: Span) -> Span {
    let rounded = Span::seconds(age.as_seconds());
    if rounded == age { age } else { Span::seconds(age.as_seconds() + 1) }
}

fn open_among<'s>(stages: &'s [Stage], progress: &Progress) -> Vec<&'s Stage> {
    let asked = stages.iter().zip(progress.asked()).filter(|(_, asked)| **asked);
    asked.map(|(stage, _)| stage).collect()
}
