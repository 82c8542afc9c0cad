//! What a signal does to a request. It is read off the two of them, so it can be done at any later
//! time with the same outcome, and told to have happened before it is.

use std::collections::BTreeSet;

use crate::id::SignalId;
use crate::membership::Membership;
use crate::principal::PrincipalId;
use crate::request::event::{Event, Fact, Verdict};
use crate::request::replay::ReplayError;
use crate::request::{Issued, Request, State, Step};
use crate::signal::{Concern, OnGranted, OnPending, Signal, Subject};
use crate::time::Timestamp;

/// What a signal means for a request at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// It ends if policy would rule otherwise on it now.
    Reconsider,
    /// It ends.
    Stop,
}

/// How a request has to do with what a signal is about.
#[derive(Clone, Debug, Default)]
struct Touch {
    /// It is theirs, or done for them, or done in it.
    own: bool,
    /// They approved it.
    approved: bool,
    /// The accounts of theirs by which it is so, beside the name that the signal has for them.
    accounts: BTreeSet<PrincipalId>,
}

/// What else whomever a signal is about is known as: nothing, where it is about no person.
pub type KnownAs = BTreeSet<PrincipalId>;

impl Request {
    /// What this signal means for the request, at a moment after it was heard, where whomever it is
    /// about is known as these besides. What was filed, granted or spent later was ruled on with the
    /// signal known, and is none of its business.
    pub fn stopped_by(&self, signal: &Signal, known_as: &KnownAs, now: Timestamp) -> Effect {
        let now = self.no_earlier(now);
        if signal.concern().is_none() {
            return Effect::None;
        }
        let (touch, reactions) = (self.touched_by(&signal.about, known_as), signal.reactions);
        let revokes = (touch.own && reactions.granted == OnGranted::Revoke)
            || (touch.approved && reactions.approved == OnGranted::Revoke);
        let is_live = |issued: &Issued| {
            issued.ended.is_none() && issued.at <= signal.at && now < issued.expires_at
        };
        let has_live = || self.credentials.iter().any(is_live);
        match &self.state {
            State::Pending(_) if !touch.own || self.filed_at > signal.at => Effect::None,
            State::Pending(_) => match reactions.pending {
                OnPending::Keep => Effect::None,
                OnPending::Reconsider => Effect::Reconsider,
                OnPending::Stop => Effect::Stop,
            },
            State::Approved(approved) if revokes && (approved.at <= signal.at || has_live()) => {
                Effect::Stop
            }
            State::Consumed(_) | State::Expired(_) if revokes && has_live() => Effect::Stop,
            State::Approved(_)
            | State::Consumed(_)
            | State::Expired(_)
            | State::Denied(_)
            | State::Canceled(_)
            | State::Revoked(_) => Effect::None,
        }
    }

    /// Ends it because of this signal. `None` where that is not for this request, or does nothing to
    /// it any more. What has to be reconsidered, whoever calls this has.
    pub fn stop(&self, signal: &Signal, known_as: &KnownAs, now: Timestamp) -> Option<Step> {
        let now = self.no_earlier(now);
        let over = self.deadline().is_some_and(|deadline| now >= deadline);
        if self.stopped_by(signal, known_as, now) == Effect::None || over {
            return None;
        }
        let accounts = self.touched_by(&signal.about, known_as).accounts;
        let (signal, about, concern) = (signal.id, signal.about.clone(), signal.concern()?);
        Some(self.step(now, None, Fact::Stopped { signal, about, concern, accounts }))
    }

    /// Somebody behind it who is suspended.
    pub(super) fn suspended_behind(&self, membership: &Membership) -> Option<&PrincipalId> {
        self.requester.behind().into_iter().find(|who| membership.is_suspended(who))
    }

    fn touched_by(&self, about: &Subject, known_as: &KnownAs) -> Touch {
        let Some(who) = about.principal() else {
            let own = *about == Subject::Environment(self.intent.environment().to_owned());
            return Touch { own, ..Touch::default() };
        };
        let (own, approved) = self.touched_as(who);
        let mut touch = Touch { own, approved, ..Touch::default() };
        // A workload has no accounts.
        let accounts = known_as.iter().filter(|_| matches!(about, Subject::Person(_)));
        for account in accounts.filter(|account| *account != who) {
            let (own, approved) = self.touched_as(account);
            if own || approved {
                touch.accounts.insert(account.clone());
            }
            (touch.own, touch.approved) = (touch.own || own, touch.approved || approved);
        }
        touch
    }

    /// Whether it is theirs or done for them, and whether they approved it, under this name.
    fn touched_as(&self, who: &PrincipalId) -> (bool, bool) {
        let theirs = |review: &crate::request::Review| {
            review.reviewer == *who && review.verdict == Verdict::Approve
        };
        let approved = self.reviews.iter().any(theirs) || self.has_endorsed(who);
        (self.requester.behind().contains(who), approved)
    }

    /// What of a stop's rules can be seen in the history: it is of nobody, and by a signal about
    /// somebody or something that the request has to do with.
    pub(super) fn check_stopped(
        &self,
        event: &Event,
        (about, accounts): (&Subject, &KnownAs),
        concern: Concern,
        version: u64,
    ) -> Result<(), ReplayError> {
        let broken = |rule| Err(ReplayError::RuleBroken { version, rule });
        if event.by.is_some() {
            return Err(ReplayError::Foreign { version });
        }
        if !concern.fits(about) {
            return broken("a signal that cannot be about that");
        }
        let touch = self.touched_by(about, accounts);
        if touch.accounts != *accounts {
            return broken("a stop by an account that has nothing to do with it");
        }
        let waits = matches!(self.state, State::Pending(_));
        if !(touch.own || (touch.approved && !waits)) {
            return broken("a stop by a signal about somebody else");
        }
        Ok(())
    }
}

/// What is told of a request that a signal ended.
pub(super) fn reason(signal: SignalId, about: &Subject, concern: Concern) -> String {
    match about {
        Subject::Environment(name) => format!("there is an incident in {name} ({signal})"),
        Subject::Person(_) | Subject::Workload(_) => {
            format!("{about} is {} ({signal})", concern.word())
        }
    }
}
