//! Events folded into a request. Checks their order; the rules were checked when they were made.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::RequestId;
use crate::intent::Intent;
use crate::policy::ruling::{Outcome, Ruling, Stage, Terms};
use crate::policy::situation::Known;
use crate::principal::{Principal, PrincipalId};
use crate::request::event::{Event, Fact, Recall, Review, Verdict};
use crate::request::{
    AbroadFact, Approved, Brokered, Canceled, Consumed, Denied, Ended, EndedHow, Expired, Issued,
    Pending, Request, Revoked, State, UNRECALLABLE_FOR, Version, elsewhere, ending, signals,
    stages,
};
use crate::time::Timestamp;

/// A history that no lifecycle wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The first event is not a filing, or there is none.
    #[error("the history does not begin with a filing")]
    NotFiled,
    /// An event that cannot follow the state it met.
    #[error("event {version}: a request that is {state} cannot be {fact}")]
    OutOfOrder {
        /// Which event, from 1.
        version: u64,
        /// The state it met.
        state: &'static str,
        /// What it says.
        fact: &'static str,
    },
    /// A rule that the event must have passed was not kept.
    #[error("event {version}: {rule}")]
    RuleBroken {
        /// Which event, from 1.
        version: u64,
        /// What does not hold.
        rule: &'static str,
    },
    /// An event of another request, or about a credential that was never issued.
    #[error("event {version}: it is about something else")]
    Foreign {
        /// Which event, from 1.
        version: u64,
    },
}

impl Request {
    /// The request that these events tell of.
    ///
    /// # Errors
    /// [`ReplayError`] when they are not a history that the lifecycle can have written.
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<Self, ReplayError> {
        let mut events = events.into_iter();
        let mut request = Self::begin(events.next().ok_or(ReplayError::NotFiled)?)?;
        for event in events {
            request.apply(event)?;
        }
        Ok(request)
    }

    fn begin(event: &Event) -> Result<Self, ReplayError> {
        let Fact::Filed { intent, requester, ruling, known, expires_at, heartbeat } = &event.fact
        else {
            return Err(ReplayError::NotFiled);
        };
        if event.by.as_ref() != Some(&requester.id) {
            return Err(ReplayError::Foreign { version: 1 });
        }
        let (id, at) = (event.request, event.at);
        let filed = Self::filed(id, at, intent, requester, ruling, known, *expires_at);
        Ok(Self { heartbeat: *heartbeat, ..filed })
    }

    pub(super) fn filed(
        id: RequestId,
        at: Timestamp,
        intent: &Intent,
        requester: &Principal,
        ruling: &Ruling,
        known: &Known,
        expires_at: Timestamp,
    ) -> Self {
        let stages = match &ruling.outcome {
            Outcome::Require(asked) => asked.stages.as_slice(),
            Outcome::Permit(_) | Outcome::Refuse(_) => &[],
        };
        Self {
            id,
            version: Version(1),
            filed_at: at,
            intent: intent.clone(),
            digest: intent.digest(),
            requester: requester.clone(),
            ruling: ruling.clone(),
            known: known.clone(),
            reviews: Vec::new(),
            withdrawn: Vec::new(),
            nonces: BTreeSet::new(),
            stage_lives: stages::begin(stages, at),
            abroad: BTreeMap::new(),
            afterwards: Vec::new(),
            state: State::Pending(Pending { expires_at }),
            credentials: Vec::new(),
            plan: None,
            heartbeat: None,
            decided_at: None,
            last_at: at,
        }
    }

    pub(super) fn apply(&mut self, event: &Event) -> Result<(), ReplayError> {
        let version = self.version.0 + 1;
        if event.request != self.id {
            return Err(ReplayError::Foreign { version });
        }
        let next = self.next_state(event, version)?;
        self.check_stages(&event.fact, event.at, version)?;
        self.check_afterwards_fact(&event.fact, event.at, version)?;
        if !self.move_afterwards(&event.fact, event.at) {
            return Err(ReplayError::Foreign { version });
        }
        self.check_plan(event, version)?;
        self.move_credentials(event, version)?;
        // Nothing below can fail: an event is taken whole or not at all.
        if let Some(next) = next {
            self.state = next;
        }
        self.move_stages(&event.fact, event.at);
        self.move_abroad(&event.fact);
        self.move_plan(&event.fact, event.at);
        if let Fact::Reviewed(review) = &event.fact {
            self.nonces.extend(review.signature.as_ref().map(|signed| signed.statement().nonce));
            self.reviews.push(review.clone());
        }
        self.move_withdrawn(&event.fact, event.at);
        if let Fact::Approved { .. } = &event.fact {
            self.begin_afterwards(event.at);
        }
        if let Fact::Approved { .. } | Fact::Denied(_) = &event.fact {
            self.decided_at = Some(event.at);
        }
        self.version = Version(version);
        self.last_at = self.last_at.max(event.at);
        Ok(())
    }

    /// What of a review's rules can be seen in the history: not who was in which group then.
    fn check_review(&self, review: &Review, version: u64) -> Result<(), ReplayError> {
        let broken = |rule| Err(ReplayError::RuleBroken { version, rule });
        if review.digest != self.digest {
            return broken("a review of another digest");
        }
        if self.requester.behind().contains(&review.reviewer) {
            return broken("a review by somebody behind the request");
        }
        let twice = self.reviews.iter().any(|before| before.reviewer == review.reviewer);
        if twice || self.has_endorsed(&review.reviewer) {
            return broken("a second review of one person");
        }
        if review.stands_in_for.iter().any(|absent| self.has_spoken(absent)) {
            return broken("a stand-in for somebody who has spoken");
        }
        if self.misstated(review, review.at).is_some() {
            return broken("a review that says otherwise than what was signed");
        }
        Ok(())
    }

    /// What of a later review's rules can be seen in the history.
    fn check_post_review(&self, review: &Review, version: u64) -> Result<(), ReplayError> {
        let broken = |rule| Err(ReplayError::RuleBroken { version, rule });
        if review.digest != self.digest {
            return broken("a later review of another digest");
        }
        if self.requester.behind().contains(&review.reviewer) {
            return broken("a later review by somebody behind the request");
        }
        if self.afterwards.iter().flat_map(|a| &a.reviews).any(|r| r.reviewer == review.reviewer) {
            return broken("a second later review of one person");
        }
        Ok(())
    }

    /// Facts of stages are about stages that were asked for, each in its time, and widen them only
    /// as the ruling says.
    fn check_stages(&self, fact: &Fact, at: Timestamp, version: u64) -> Result<(), ReplayError> {
        let broken = |rule| Err(ReplayError::RuleBroken { version, rule });
        let known = |name: &String| self.stage_lives.contains_key(name);
        if let Fact::Advanced { filled, opened } = fact {
            if !filled.iter().chain(opened).all(known) {
                return broken("a stage that was not asked for");
            }
            if filled.iter().any(|name| self.stage_life(name).filled.is_some()) {
                return broken("a stage that was filled before");
            }
            if opened.iter().any(|name| self.stage_life(name).opened.is_some()) {
                return broken("a stage that was open before");
            }
        }
        if let Fact::Reminded { stages } = fact {
            if !stages.iter().all(known) {
                return broken("a stage that was not asked for");
            }
            if !stages.iter().all(|name| self.reminds(name, at)) {
                return broken("a reminder that was not due");
            }
        }
        if let Fact::Escalated { stage, to } = fact {
            let stages = self.requirement().map(|asked| asked.stages.iter());
            let asked = stages.into_iter().flatten().find(|asked| asked.name == *stage);
            let ruled = asked.and_then(|asked| asked.escalate.as_ref());
            if ruled.is_none_or(|escalation| escalation.to != *to) {
                return broken("an escalation that the ruling does not name");
            }
            if !self.escalates(stage, at) {
                return broken("an escalation that was not due");
            }
        }
        Ok(())
    }

    /// A later review is done when enough approve, and missed when its time has passed.
    fn check_afterwards_fact(
        &self,
        fact: &Fact,
        at: Timestamp,
        version: u64,
    ) -> Result<(), ReplayError> {
        let broken = |rule| Err(ReplayError::RuleBroken { version, rule });
        let of = |rule: &String| self.afterwards.iter().find(|a| a.review.rule == *rule);
        if let Fact::PostReviewDone { rule } = fact
            && of(rule).is_some_and(|after| !after.could_be_filled())
        {
            return broken("a later review that too few approve");
        }
        if let Fact::PostReviewMissed { rule, suspended } = fact {
            if of(rule).is_some_and(|after| at < after.due) {
                return broken("a later review that was not due");
            }
            if of(rule).is_some_and(|after| after.review.suspend != *suspended) {
                return broken("a suspension that the ruling does not name");
            }
        }
        Ok(())
    }

    /// What of a quorum's rules can be seen in the history: each stage has its people, each of them
    /// approved, and nobody counts twice.
    fn check_counted(
        &self,
        counted: &[(String, BTreeSet<PrincipalId>)],
        version: u64,
    ) -> Result<(), ReplayError> {
        let broken = |rule| Err(ReplayError::RuleBroken { version, rule });
        let stages = match &self.ruling.outcome {
            Outcome::Require(asked) => asked.stages.as_slice(),
            Outcome::Permit(_) => &[],
            Outcome::Refuse(_) => return broken("an approval of what policy refused"),
        };
        let names = stages.iter().map(|stage| &stage.name);
        if !names.eq(counted.iter().map(|(name, _)| name)) {
            return broken("an approval by other stages than were asked");
        }
        let endorsed = self.endorsed();
        let filled = |(stage, (_, people)): (&Stage, &(String, BTreeSet<PrincipalId>))| match stage
            .elsewhere
        {
            Some(_) => elsewhere::is_counted(&endorsed, stage, people),
            None => people.len() == stage.approvals as usize,
        };
        if !stages.iter().zip(counted).all(filled) {
            return broken("a stage that was not filled");
        }
        let signs = |stage: &Stage, person: &PrincipalId| {
            let mut reviews = self.reviews.iter().filter(|review| review.reviewer == *person);
            reviews.any(|review| review.approval().is_signed_for(stage))
        };
        let mut asked = stages.iter().zip(counted).filter(|(stage, _)| stage.signature.is_some());
        if !asked.all(|(stage, (_, people))| people.iter().all(|person| signs(stage, person))) {
            return broken("a stage that wants signatures, filled without");
        }
        let mut seen = BTreeSet::new();
        for person in counted.iter().flat_map(|(_, people)| people) {
            let approves =
                |review: &Review| review.reviewer == *person && review.verdict == Verdict::Approve;
            if !self.reviews.iter().any(approves) && !self.has_endorsed(person) {
                return broken("somebody counted who did not approve");
            }
            if !seen.insert(person) {
                return broken("somebody counted twice");
            }
        }
        Ok(())
    }

    /// The state this event leads to; `None` where it stays.
    fn next_state(&self, event: &Event, version: u64) -> Result<Option<State>, ReplayError> {
        let at = event.at;
        let state = &self.state;
        let stray = |fact| Err(ReplayError::OutOfOrder { version, state: state.word(), fact });
        let broken = |rule| Err(ReplayError::RuleBroken { version, rule });
        let who = || event.by.clone().ok_or(ReplayError::Foreign { version });
        let next = match (&self.state, &event.fact) {
            (_, Fact::Filed { .. }) => return stray("filed"),
            (State::Pending(_), Fact::Reviewed(review)) => {
                let says = event.by.as_ref() == Some(&review.reviewer) && review.at == at;
                if !says {
                    return Err(ReplayError::Foreign { version });
                }
                self.check_review(review, version)?;
                return Ok(None);
            }
            (_, Fact::Reviewed(_)) => return stray("reviewed"),
            (State::Pending(_), Fact::Withdrawn { .. }) => {
                self.check_withdrawn(event, version)?;
                return Ok(None);
            }
            (_, Fact::Withdrawn { .. }) => return stray("withdrawn"),
            (State::Pending(_), Fact::Approved { counted, consume_by, uses }) => {
                self.check_counted(counted, version)?;
                let granted = |terms: &Terms| {
                    *uses == terms.uses && *consume_by == at.plus(terms.grant_window)
                };
                if !self.terms().is_some_and(granted) {
                    return broken("an approval on other terms than were ruled");
                }
                let counted = counted.iter().flat_map(|(_, people)| people.clone()).collect();
                let (consume_by, uses_left) = (*consume_by, *uses);
                State::Approved(Approved { at, counted, consume_by, uses_left })
            }
            (_, Fact::Approved { .. }) => return stray("approved"),
            (State::Pending(_), Fact::Denied(denial)) => {
                State::Denied(Denied { at, denial: denial.clone() })
            }
            (_, Fact::Denied(_)) => return stray("denied"),
            (State::Pending(_) | State::Approved(_), Fact::Expired { deadline }) => {
                if at < *deadline || self.deadline() != Some(*deadline) {
                    return broken("an expiry at another time than the deadline");
                }
                State::Expired(Expired { at, deadline: *deadline })
            }
            (_, Fact::Expired { .. }) => return stray("expired"),
            (State::Pending(_), Fact::Canceled { reason }) => {
                State::Canceled(Canceled { at, by: Some(who()?), reason: reason.clone() })
            }
            (_, Fact::Canceled { .. }) => return stray("canceled"),
            (State::Pending(_), Fact::RequesterLost { last, due }) => {
                let open = self.deadline().is_some_and(|deadline| at < deadline);
                match self.silent_for(*last, *due, at).filter(|_| open && event.by.is_none()) {
                    Some(every) => {
                        State::Canceled(Canceled { at, by: None, reason: ending::unheard(every) })
                    }
                    None => return broken("a requester who was not silent for too long"),
                }
            }
            (_, Fact::RequesterLost { .. }) => return stray("requester_lost"),
            (State::Approved(approved), Fact::Consumed { .. }) => match spent(approved, at) {
                Some(next) => next,
                None => return stray("consumed"),
            },
            (_, Fact::Consumed { .. }) => return stray("consumed"),
            (State::Approved(approved), Fact::Completed) => {
                let counted = approved.counted.clone();
                State::Consumed(Consumed { at, counted, passes_until: at })
            }
            (State::Consumed(consumed), Fact::Completed | Fact::Revoked { .. }) => {
                let passes_until = consumed.passes_until.min(at);
                State::Consumed(Consumed { passes_until, ..consumed.clone() })
            }
            (State::Approved(_), Fact::Revoked { reason }) => {
                State::Revoked(Revoked { at, by: Some(who()?), reason: reason.clone() })
            }
            (_, Fact::Stopped { signal, about, concern, accounts }) => {
                self.check_stopped(event, (about, accounts), *concern, version)?;
                let reason = signals::reason(*signal, about, *concern);
                match &self.state {
                    State::Pending(_) => State::Canceled(Canceled { at, by: None, reason }),
                    State::Approved(_) => State::Revoked(Revoked { at, by: None, reason }),
                    State::Consumed(_) | State::Expired(_) if self.was_granted() => {
                        return Ok(None);
                    }
                    State::Consumed(_)
                    | State::Expired(_)
                    | State::Denied(_)
                    | State::Canceled(_)
                    | State::Revoked(_) => return stray("stopped"),
                }
            }
            // A request that has reached its end stays there; these end its credentials.
            (_, Fact::Completed | Fact::Revoked { .. }) if self.was_granted() => return Ok(None),
            (_, Fact::Completed) => return stray("completed"),
            (_, Fact::Revoked { .. }) => return stray("revoked"),
            (
                State::Pending(_),
                Fact::Advanced { .. } | Fact::Escalated { .. } | Fact::Reminded { .. },
            ) => return Ok(None),
            (state, Fact::Abroad { stage, what }) => {
                let asks = matches!(what, AbroadFact::Asked { .. } | AbroadFact::Endorsed { .. });
                if asks && !matches!(state, State::Pending(_)) {
                    return stray(what.word());
                }
                let broken = |rule| ReplayError::RuleBroken { version, rule };
                self.check_abroad(stage, what, at).map_err(broken)?;
                return Ok(None);
            }
            (_, Fact::Advanced { .. }) => return stray("advanced"),
            (_, Fact::Escalated { .. }) => return stray("escalated"),
            (_, Fact::Reminded { .. }) => return stray("reminded"),
            (_, Fact::PostReviewed(review)) => {
                if event.by.as_ref() != Some(&review.reviewer) || review.at != at {
                    return Err(ReplayError::Foreign { version });
                }
                self.check_post_review(review, version)?;
                return Ok(None);
            }
            (
                _,
                Fact::PostReviewDone { .. }
                | Fact::PostReviewMissed { .. }
                | Fact::Minted { .. }
                | Fact::Redeemed { .. }
                | Fact::Abandoned { .. }
                | Fact::CredentialRevoked { .. }
                | Fact::HeartbeatLost { .. }
                | Fact::BrokerClosed { .. }
                | Fact::BrokerOutlives { .. }
                | Fact::BrokerStuck { .. }
                | Fact::PlanKept { .. }
                | Fact::PlanFetched { .. }
                | Fact::PlanRemoved { .. },
            ) => return Ok(None),
        };
        Ok(Some(next))
    }

    fn move_credentials(&mut self, event: &Event, version: u64) -> Result<(), ReplayError> {
        let at = event.at;
        let state = self.state.word();
        let stray = |fact| Err(ReplayError::OutOfOrder { version, state, fact });
        let broken = |rule| Err(ReplayError::RuleBroken { version, rule });
        match &event.fact {
            Fact::Consumed {
                credential,
                audience,
                expires_at,
                broker,
                recall,
                heartbeat,
                confirmation,
            } => {
                if self.credential(*credential).is_some() {
                    return stray("consumed");
                }
                if self.check_broker(broker.as_deref()).is_err() {
                    return broken("a broker that the ruling does not name");
                }
                if *recall == Recall::OnlyExpires
                    && (broker.is_none() || *expires_at > at.plus(UNRECALLABLE_FOR))
                {
                    return broken("what cannot be taken back, for too long");
                }
                let ruled = self.terms().and_then(|terms| terms.heartbeat);
                if ruled.is_some_and(|ruled| heartbeat.is_none_or(|heartbeat| heartbeat > ruled)) {
                    return broken("a holder that may be silent for longer than was ruled");
                }
                if self.check_confirmation(*confirmation).is_err() {
                    return broken("a credential that the ruling wants bound to a key");
                }
                self.credentials.push(Issued {
                    id: *credential,
                    audience: audience.clone(),
                    at,
                    expires_at: *expires_at,
                    fingerprint: None,
                    key: None,
                    redeemed_at: None,
                    redeemed_by: None,
                    ended: None,
                    brokered: broker.clone().map(|broker| Brokered::new(broker, *recall)),
                    heartbeat: *heartbeat,
                    confirmation: *confirmation,
                });
            }
            Fact::Minted { credential, fingerprint, key } => {
                let issued = self.issued(*credential, version)?;
                if issued.ended.is_some() || issued.redeemed_at.is_some() {
                    return stray("minted");
                }
                issued.fingerprint = Some(*fingerprint);
                issued.key.clone_from(key);
            }
            Fact::Redeemed { credential } => {
                let issued = self.issued(*credential, version)?;
                if !issued.is_live(at) || issued.redeemed_at.is_some() {
                    return stray("redeemed");
                }
                issued.redeemed_at = Some(at);
                issued.redeemed_by.clone_from(&event.by);
            }
            Fact::Abandoned { credential } => {
                let issued = self.issued(*credential, version)?;
                if issued.ended.is_some() || issued.fingerprint.is_some() {
                    return stray("abandoned");
                }
                issued.end(at, EndedHow::Abandoned);
            }
            Fact::CredentialRevoked { credential } => {
                let issued = self.issued(*credential, version)?;
                if issued.ended.is_some() {
                    return stray("credential_revoked");
                }
                issued.end(at, EndedHow::Revoked);
            }
            Fact::HeartbeatLost { credential, last, due } => {
                let issued = self.issued(*credential, version)?;
                if !issued.is_live(at) {
                    return stray("heartbeat_lost");
                }
                if !issued.is_silent(*last, *due, at) {
                    return broken("a heartbeat that was not lost");
                }
                issued.end(at, EndedHow::Silent);
            }
            Fact::BrokerOutlives { credential, until } => {
                let brokered = self.closing(*credential, at, version)?;
                if brokered.outlives.is_some() {
                    return stray("broker_outlives");
                }
                if *until <= at {
                    return broken("a broker's work that outlives its credential, and is over");
                }
                brokered.outlives = Some(*until);
            }
            Fact::BrokerClosed { credential } => {
                self.closing(*credential, at, version)?.closed_at = Some(at);
            }
            Fact::BrokerStuck { credential, problem } => {
                let brokered = self.closing(*credential, at, version)?;
                if brokered.problem.is_some() {
                    return stray("broker_stuck");
                }
                brokered.problem = Some(problem.clone());
            }
            Fact::Completed => self.end_all(at, EndedHow::Completed),
            Fact::Revoked { .. } | Fact::Stopped { .. } => self.end_all(at, EndedHow::Revoked),
            Fact::Filed { .. }
            | Fact::Reviewed(_)
            | Fact::Withdrawn { .. }
            | Fact::Approved { .. }
            | Fact::Denied(_)
            | Fact::Expired { .. }
            | Fact::Canceled { .. }
            | Fact::RequesterLost { .. }
            | Fact::Advanced { .. }
            | Fact::Escalated { .. }
            | Fact::Reminded { .. }
            | Fact::Abroad { .. }
            | Fact::PostReviewed(_)
            | Fact::PostReviewDone { .. }
            | Fact::PostReviewMissed { .. }
            | Fact::PlanKept { .. }
            | Fact::PlanFetched { .. }
            | Fact::PlanRemoved { .. } => {}
        }
        Ok(())
    }

    fn issued(
        &mut self,
        id: crate::id::CredentialId,
        version: u64,
    ) -> Result<&mut Issued, ReplayError> {
        let found = self.credentials.iter_mut().find(|issued| issued.id == id);
        found.ok_or(ReplayError::Foreign { version })
    }

    /// What a broker opened and is to be closed by this time.
    fn closing(
        &mut self,
        id: crate::id::CredentialId,
        at: Timestamp,
        version: u64,
    ) -> Result<&mut Brokered, ReplayError> {
        let broken = |rule| ReplayError::RuleBroken { version, rule };
        let issued = self.issued(id, version)?;
        if issued.closes_at().is_none_or(|due| at < due) {
            return Err(broken("the closing of what is not to be closed"));
        }
        issued.brokered.as_mut().ok_or(broken("the closing of what no broker opened"))
    }

    fn end_all(&mut self, at: Timestamp, how: EndedHow) {
        for issued in &mut self.credentials {
            issued.end(at, how);
        }
    }
}

impl Brokered {
    /// By this broker, and open from now on.
    pub(super) fn new(broker: String, recall: Recall) -> Self {
        Self { broker, recall, outlives: None, closed_at: None, problem: None }
    }
}

impl Issued {
    /// The first end holds.
    fn end(&mut self, at: Timestamp, how: EndedHow) {
        self.ended.get_or_insert(Ended { at, how });
    }
}

/// `None` where no use was left.
fn spent(approved: &Approved, at: Timestamp) -> Option<State> {
    let uses_left = approved.uses_left.checked_sub(1)?;
    if uses_left == 0 {
        let counted: BTreeSet<_> = approved.counted.clone();
        let passes_until = approved.consume_by;
        return Some(State::Consumed(Consumed { at, counted, passes_until }));
    }
    Some(State::Approved(Approved { uses_left, ..approved.clone() }))
}
