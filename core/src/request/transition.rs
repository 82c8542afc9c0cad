//! What begins a request and what becomes of it when policy changes or time passes, and the [`Step`]
//! that every verb, here and beside this, answers with or says why not. A late move is refused by
//! its own clock argument, whether or not a timer ran.

use crate::id::RequestId;
use crate::intent::Intent;
use crate::membership::Membership;
use crate::policy::ruling::{Outcome, Reason, Ruling};
use crate::policy::situation::Known;
use crate::principal::{Principal, PrincipalId};
use crate::request::event::{Denial, Event, Fact};
use crate::request::{ABANDON_AFTER, Request, State, Step};
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
    /// How long the requester may stay silent before it ends, as long as it is pending.
    pub heartbeat: Option<Span>,
}

impl Request {
    /// Files an intent. A refusal is filed too, and a permit is approved at once.
    pub fn file(filing: Filing, now: Timestamp) -> Step {
        let Filing { id, intent, requester, ruling, known, heartbeat } = filing;
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
        let next = Self { heartbeat, ..next };
        let fact = Fact::Filed { intent, requester, ruling, known, expires_at, heartbeat };
        let filed = Event { request: id, at: now, by, fact };
        let mut step = Step { expected: None, next, events: vec![filed] };
        if let Some(fact) = outcome {
            step.push(now, fact);
        }
        step
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
