//! What a grant is spent on: a use that becomes a credential, the whole of it, and a single-use
//! credential at a service. Whoever spends is checked anew, and so are the approvals.

use std::collections::BTreeSet;

use crate::binding::{NotApplying, OtherRun, check_applying};
use crate::credential::KeyId;
use crate::credential::dpop::{ProofError, Thumbprint};
use crate::digest::Digest;
use crate::grant::{Grant, SealedGrant};
use crate::id::CredentialId;
use crate::membership::Membership;
use crate::policy::ruling::Dpop;
use crate::principal::{Principal, PrincipalId, is_visible};
use crate::request::event::{Fact, Recall};
use crate::request::{Approved, Brokered, Issued, Request, State, Step, UNRECALLABLE_FOR};
use crate::time::{Span, Timestamp};

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

impl Request {
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
        self.check_still_filled(&approved.counted, membership)?;
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

    /// What the rules want bound to a key is bound to one.
    pub(super) fn check_confirmation(&self, key: Option<Thumbprint>) -> Result<(), ConsumeError> {
        match (self.terms().and_then(|terms| terms.dpop), key) {
            (Some(Dpop::Required), None) => Err(ConsumeError::Unbound),
            (Some(Dpop::Required), Some(_)) | (None, _) => Ok(()),
        }
    }

    fn check_still_filled(
        &self,
        counted: &BTreeSet<PrincipalId>,
        membership: &Membership,
    ) -> Result<(), ConsumeError> {
        if let Some(who) = self.suspended_behind(membership) {
            return Err(ConsumeError::Suspended(who.clone()));
        }
        match self.no_longer_filled(counted, membership) {
            Some(stage) => Err(ConsumeError::NoLongerApproved { stage }),
            None => Ok(()),
        }
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
        self.check_still_filled(&approved.counted, membership)
    }

    /// That the grant still lets pass what takes nothing of it, such as a job that waits before an
    /// environment: in its window, not over, and by people who still count.
    ///
    /// # Errors
    /// [`ConsumeError`].
    pub fn check_passage(
        &self,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<(), ConsumeError> {
        let now = self.no_earlier(now);
        let (counted, deadline) = match &self.state {
            State::Approved(approved) => (&approved.counted, approved.consume_by),
            State::Consumed(consumed) => (&consumed.counted, consumed.passes_until),
            State::Pending(_)
            | State::Denied(_)
            | State::Expired(_)
            | State::Canceled(_)
            | State::Revoked(_) => {
                return Err(ConsumeError::NotApproved { state: self.state.word() });
            }
        };
        if now >= deadline {
            return Err(ConsumeError::TooLate { deadline });
        }
        self.check_still_filled(counted, membership)
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
        self.check_still_filled(&approved.counted, membership)?;
        Ok(self.step(now, Some(by.id.clone()), Fact::Completed))
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
}

/// Nobody can check a token for an audience that is empty, and nobody can read a hidden one.
fn is_audience(text: &str) -> bool {
    (1..=512).contains(&text.len()) && text.chars().all(is_visible)
}
