//! What must be so after every move, told by the events alone and by a slow reckoning of its own.

use super::*;

type Kept = Result<(), String>;
type Invariant = fn(&History<'_>) -> Kept;

macro_rules! keep {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}

const INVARIANTS: [(&str, Invariant); 27] = [
    ("ends never change", invariant_ends_never_change),
    ("nobody is counted twice", invariant_nobody_is_counted_twice),
    ("nobody behind the change counts", invariant_nobody_behind_the_change_counts),
    ("reviews are in time", invariant_reviews_are_in_time_on_the_right_digest),
    ("reviewers were asked", invariant_reviewers_were_asked),
    ("withdrawals are one's own", invariant_a_withdrawal_is_of_ones_own_standing_review),
    ("a denial has its review", invariant_a_denial_has_its_review),
    ("an approval has its quorum", invariant_an_approval_has_its_quorum),
    ("a quorum is an approval", invariant_a_quorum_is_an_approval_at_once),
    ("uses are the requester's", invariant_uses_are_the_requesters_inside_the_window),
    ("no more uses than granted", invariant_no_more_uses_than_granted),
    ("who counted still counts", invariant_who_counted_still_counts_at_each_use),
    ("a credential has its record", invariant_a_credential_has_its_record),
    (
        "what a broker opened is closed after its end",
        invariant_what_a_broker_opened_is_closed_after_its_end,
    ),
    ("uses are of one run", invariant_uses_are_of_the_run_that_asked),
    ("the plan is given once", invariant_the_plan_is_given_once_while_it_is_kept),
    ("who ends it may", invariant_who_ends_it_may),
    ("who waits is lost by silence", invariant_a_requester_is_lost_by_silence_while_it_waits),
    ("stopped by a signal about it", invariant_what_is_stopped_a_signal_about_it_stopped),
    ("nobody suspended acts or counts", invariant_nobody_suspended_acts_or_counts),
    ("deadlines", invariant_nothing_expires_before_its_deadline),
    ("time", invariant_time_never_goes_back),
    ("replay", invariant_replay_is_the_state),
    ("stages open and fill once", invariant_stages_open_and_fill_once_in_their_order),
    ("escalations and reminders", invariant_escalations_and_reminders_come_in_their_time),
    ("later reviews", invariant_later_reviews_are_of_those_asked_and_in_time),
    ("what is due", invariant_what_is_due_is_done_then_and_not_before),
];

/// Every invariant of one request's history.
pub(in crate::request) fn check(history: &History<'_>, whose: &str) {
    for (name, invariant) in INVARIANTS {
        if let Err(problem) = invariant(history) {
            panic!("{name}: {whose}: {problem}\n{:#?}", history.events);
        }
    }
    #[cfg(feature = "wire")]
    if let Err(problem) = invariant_json_reads_back(history) {
        panic!("json: {whose}: {problem}");
    }
}

/// The events, and what an auditor can look up beside them.
pub(in crate::request) struct History<'a> {
    pub(in crate::request) events: &'a [Event],
    /// The membership that each event was decided by.
    members: Vec<&'a Membership>,
    people: &'a [Principal],
    request: &'a Request,
    requester: &'a Principal,
    intent: &'a Intent,
    ruling: &'a Ruling,
    review_by: Timestamp,
    signals: &'a [Signal],
}

type Approval<'a> = (usize, Timestamp, u32, &'a [(String, BTreeSet<PrincipalId>)]);
type Use<'a> = (usize, &'a Event, CredentialId, &'a str, Timestamp);

/// What the events before one say of a stage.
#[derive(Clone, Copy, Debug, Default)]
struct Lived {
    opened: Option<Timestamp>,
    filled: Option<Timestamp>,
    escalated: Option<Timestamp>,
    reminded: Option<Timestamp>,
}

impl<'a> History<'a> {
    pub(in crate::request) fn new(
        log: &'a Log,
        memberships: &'a [Membership],
        people: &'a [Principal],
    ) -> Self {
        let Fact::Filed { intent, requester, ruling, expires_at, .. } = &log.events[0].fact else {
            panic!("the first event is a filing");
        };
        Self {
            events: &log.events,
            members: log.by.iter().map(|at| &memberships[*at]).collect(),
            people,
            request: &log.request,
            requester,
            intent,
            ruling,
            review_by: *expires_at,
            signals: &[],
        }
    }

    /// The same, with the signals that were told.
    pub(in crate::request) fn told(self, signals: &'a [Signal]) -> Self {
        Self { signals, ..self }
    }

    fn stages(&self) -> &'a [Stage] {
        match &self.ruling.outcome {
            Outcome::Require(requirement) => &requirement.stages,
            Outcome::Permit(_) | Outcome::Refuse(_) => &[],
        }
    }

    fn terms(&self) -> Option<&'a Terms> {
        match &self.ruling.outcome {
            Outcome::Require(requirement) => Some(&requirement.terms),
            Outcome::Permit(terms) => Some(terms),
            Outcome::Refuse(_) => None,
        }
    }

    fn reviews(&self) -> impl Iterator<Item = (usize, &'a Event, &'a Review)> {
        self.events.iter().enumerate().filter_map(|(at, event)| match &event.fact {
            Fact::Reviewed(review) => Some((at, event, review)),
            _ => None,
        })
    }

    fn approvals_before(&self, at: usize) -> Vec<&'a Review> {
        let before = self
            .reviews()
            .filter(|(other, _, review)| *other < at && review.verdict == Verdict::Approve);
        let stands = |review: &&Review| !self.is_withdrawn_before(at, review);
        before.map(|(_, _, review)| review).filter(stands).collect()
    }

    fn is_withdrawn_before(&self, at: usize, review: &Review) -> bool {
        self.events[..at].iter().any(|event| {
            matches!(&event.fact, Fact::Withdrawn { review: id, .. } if *id == review.id)
                && event.by.as_ref() == Some(&review.reviewer)
        })
    }

    /// What had become of every stage before this event.
    fn lived_before(&self, at: usize) -> BTreeMap<&'a str, Lived> {
        let filed = self.events[0].at;
        let begun = |stage: &'a Stage| {
            let opened = stage.after.is_none().then_some(filed);
            (stage.name.as_str(), Lived { opened, ..Lived::default() })
        };
        let mut lived: BTreeMap<&str, Lived> = self.stages().iter().map(begun).collect();
        for event in &self.events[..at] {
            match &event.fact {
                Fact::Advanced { filled, opened } => {
                    for name in filled {
                        lived.get_mut(name.as_str()).unwrap().filled = Some(event.at);
                    }
                    for name in opened {
                        lived.get_mut(name.as_str()).unwrap().opened = Some(event.at);
                    }
                }
                Fact::Withdrawn { reopened, closed, .. } => {
                    for name in reopened {
                        let life = lived.get_mut(name.as_str()).unwrap();
                        (life.opened, life.filled) = (Some(event.at), None);
                    }
                    for name in closed {
                        let life = lived.get_mut(name.as_str()).unwrap();
                        (life.opened, life.filled) = (None, None);
                    }
                }
                Fact::Escalated { stage, .. } => {
                    lived.get_mut(stage.as_str()).unwrap().escalated = Some(event.at);
                }
                Fact::Reminded { stages } => {
                    for name in stages {
                        lived.get_mut(name.as_str()).unwrap().reminded = Some(event.at);
                    }
                }
                _ => {}
            }
        }
        lived
    }

    /// When the request expires, as the events before this one have it.
    fn deadline_before(&self, at: usize) -> Timestamp {
        let lived = self.lived_before(at);
        let of_stages = self.stages().iter().flat_map(|stage| {
            let life = lived[stage.name.as_str()];
            let since = life.opened.filter(|_| life.filled.is_none());
            let own = since.zip(stage.expires_after).map(|(since, after)| since.plus(after));
            let escalated = stage.escalate.as_ref().and_then(|escalation| {
                Some(since?.plus(escalation.after).plus(escalation.then_expire_after?))
            });
            own.into_iter().chain(escalated)
        });
        of_stages.chain([self.review_by]).min().unwrap()
    }

    /// For whom this review may fill a place of this stage: its giver, or somebody they stand in
    /// for, then and still, who has not approved by themselves.
    fn speaks_for(
        &self,
        at: usize,
        stage: &Stage,
        review: &'a Review,
        approvals: &[&Review],
    ) -> Vec<&'a PrincipalId> {
        let members = self.members[at];
        let fresh = stage
            .login_within
            .is_none_or(|within| review.login_age.is_some_and(|age| age <= within))
            && stage.means.amr.iter().all(|any| !any.is_disjoint(&review.means.amr));
        let strength = review.signature.as_ref().map(|signed| signed.strength());
        let signed =
            stage.signature.is_none_or(|demand| strength.is_some_and(|s| s.meets(&demand)));
        if !fresh || !signed || self.is_barred(at, stage, &review.reviewer) {
            return Vec::new();
        }
        let still = members.stands_in_for(&review.reviewer);
        let absent = review.stands_in_for.iter().filter(|absent| {
            still.contains(*absent) && !approvals.iter().any(|other| other.reviewer == **absent)
        });
        let mut all: Vec<_> = std::iter::once(&review.reviewer).chain(absent).collect();
        all.retain(|who| self.is_asked(at, stage, who) && !self.is_barred(at, stage, who));
        all
    }

    fn is_barred(&self, at: usize, stage: &Stage, who: &PrincipalId) -> bool {
        *who == self.requester.id
            || self.requester.acts_for.contains(who)
            || is_tied(self.requester, who, self.members[at])
            || self.members[at].is_suspended(who)
            || is_among(&stage.exclude, who, self.members[at])
    }

    /// Whether the stage asks this person by themselves; once it was escalated it asks more.
    fn is_asked(&self, at: usize, stage: &Stage, who: &PrincipalId) -> bool {
        let escalated = self.events[..at].iter().any(|event| {
            matches!(&event.fact, Fact::Escalated { stage: name, .. } if *name == stage.name)
        });
        let more = stage.escalate.as_ref().filter(|_| escalated);
        is_among(&stage.from, who, self.members[at])
            || more.is_some_and(|more| is_among(&more.to, who, self.members[at]))
    }

    /// Whether these reviews can fill these stages, each person and each of those stood in for once:
    /// by trying everything.
    fn can_fill(&self, at: usize, stages: &[&Stage], reviews: &[&'a Review]) -> bool {
        let needs = stages.iter().map(|stage| stage.approvals).collect();
        self.try_all(at, stages, needs, reviews, reviews, &BTreeSet::new())
    }

    fn try_all(
        &self,
        at: usize,
        stages: &[&Stage],
        needs: Vec<u32>,
        left: &[&'a Review],
        all: &[&'a Review],
        spoken: &BTreeSet<&'a PrincipalId>,
    ) -> bool {
        let Some((first, rest)) = left.split_first() else {
            return needs.iter().all(|need| *need == 0);
        };
        for (place, stage) in stages.iter().enumerate().filter(|(place, _)| needs[*place] > 0) {
            for who in self.speaks_for(at, stage, first, all) {
                let (mut needs, mut spoken) = (needs.clone(), spoken.clone());
                needs[place] -= 1;
                if spoken.insert(who) && self.try_all(at, stages, needs, rest, all, &spoken) {
                    return true;
                }
            }
        }
        self.try_all(at, stages, needs, rest, all, spoken)
    }

    /// The stages before this one, by name.
    fn chain(&self, stage: &'a Stage) -> Vec<&'a Stage> {
        let mut chain = Vec::new();
        let mut after = stage.after.as_ref();
        while let Some(name) = after {
            let before = self.stages().iter().find(|stage| stage.name == *name).unwrap();
            chain.push(before);
            after = before.after.as_ref();
        }
        chain
    }

    /// Where it stands, until when, how many uses, who counted for what.
    fn approval(&self) -> Option<Approval<'a>> {
        self.events.iter().enumerate().find_map(|(at, event)| match &event.fact {
            Fact::Approved { counted, consume_by, uses } => {
                Some((at, *consume_by, *uses, counted.as_slice()))
            }
            _ => None,
        })
    }

    /// Where it stands, what it is, for whom, until when.
    fn uses(&self) -> impl Iterator<Item = Use<'a>> {
        self.events.iter().enumerate().filter_map(|(at, event)| match &event.fact {
            Fact::Consumed { credential, audience, expires_at, .. } => {
                Some((at, event, *credential, audience.as_str(), *expires_at))
            }
            _ => None,
        })
    }
}

/// Whether an account that the requester acts for is this person's then, or could be.
fn is_tied(requester: &Principal, who: &PrincipalId, members: &Membership) -> bool {
    requester.acts_for.iter().any(|account| {
        let strict = members.accounts().linked_at().contains(account.iss());
        members.person(account) == who
            || (strict && !members.accounts().is_linked_at(account.iss(), who))
    })
}

fn is_among(approvers: &BTreeSet<Approver>, who: &PrincipalId, members: &Membership) -> bool {
    !members.is_suspended(who)
        && approvers.iter().any(|approver| match approver {
            Approver::Person(person) => person == who,
            Approver::Group(group) => members.members(group).is_some_and(|all| all.contains(who)),
        })
}

fn invariant_ends_never_change(history: &History<'_>) -> Kept {
    let granted = history.approval().map_or(u32::MAX, |(_, _, uses, _)| uses) as usize;
    let mut over: Option<&'static str> = None;
    let mut used = 0;
    for event in history.events {
        let word = fact_word(&event.fact);
        let (moves, ends) = match &event.fact {
            Fact::Filed { .. }
            | Fact::Reviewed(_)
            | Fact::Withdrawn { .. }
            | Fact::Approved { .. }
            | Fact::Advanced { .. }
            | Fact::Escalated { .. }
            | Fact::Reminded { .. }
            | Fact::PlanKept { .. }
            | Fact::PlanFetched { .. } => (true, false),
            Fact::Abroad { what, .. } => {
                let asks = matches!(what, AbroadFact::Asked { .. } | AbroadFact::Endorsed { .. });
                (asks, false)
            }
            Fact::Denied(_)
            | Fact::Expired { .. }
            | Fact::Canceled { .. }
            | Fact::RequesterLost { .. } => (true, true),
            Fact::Consumed { .. } => {
                used += 1;
                (true, used == granted)
            }
            Fact::Completed | Fact::Revoked { .. } => (false, true),
            // It ends what waits, and what was granted.
            Fact::Stopped { .. } => (history.approval().is_none(), true),
            Fact::Minted { .. }
            | Fact::Redeemed { .. }
            | Fact::Abandoned { .. }
            | Fact::CredentialRevoked { .. }
            | Fact::HeartbeatLost { .. }
            | Fact::BrokerClosed { .. }
            | Fact::BrokerOutlives { .. }
            | Fact::BrokerStuck { .. }
            | Fact::PostReviewed(_)
            | Fact::PostReviewDone { .. }
            | Fact::PostReviewMissed { .. }
            | Fact::PlanRemoved { .. } => (false, false),
        };
        keep!(!moves || over.is_none(), "{word} after {over:?}");
        let of_none = matches!(over, Some("denied" | "canceled")) || history.approval().is_none();
        keep!(!(ends && !moves && of_none), "{word} without a grant");
        over = over.or(ends.then_some(word));
    }
    keep!(
        over.is_none() == history.request.state().is_open(),
        "{over:?} is {}",
        history.request.state().word()
    );
    Ok(())
}

fn invariant_nobody_is_counted_twice(history: &History<'_>) -> Kept {
    let mut seen = BTreeSet::new();
    let mut stood_in_for = BTreeSet::new();
    for event in history.events {
        match &event.fact {
            Fact::Reviewed(review) => {
                keep!(seen.insert(&review.reviewer), "{} reviewed twice", review.reviewer);
                for absent in &review.stands_in_for {
                    keep!(stood_in_for.insert(absent), "two stand in for {absent}");
                }
            }
            Fact::Withdrawn { review: id, .. } => {
                let mut all = history.reviews().filter(|(_, _, review)| review.id == *id);
                let mut own = all.by_ref().filter(|(.., r)| event.by.as_ref() == Some(&r.reviewer));
                let (_, _, review) = own.next().ok_or("withdrawn, but never given")?;
                seen.remove(&review.reviewer);
                stood_in_for.retain(|absent| !review.stands_in_for.contains(*absent));
            }
            _ => {}
        }
    }
    let mut counted = BTreeSet::new();
    let stages = history.approval().map_or(&[][..], |(_, _, _, stages)| stages);
    for person in stages.iter().flat_map(|(_, people)| people) {
        keep!(counted.insert(person), "{person} counts in two stages");
        keep!(seen.contains(person), "{person} counts without a review");
    }
    Ok(())
}

fn invariant_nobody_behind_the_change_counts(history: &History<'_>) -> Kept {
    for (event, members) in history.events.iter().zip(&history.members) {
        let (Fact::Reviewed(review) | Fact::PostReviewed(review)) = &event.fact else { continue };
        let who = history.people.iter().find(|p| p.id == review.reviewer).unwrap();
        keep!(who.kind == PrincipalKind::Person, "{} is no person", who.id);
        keep!(who.id != history.requester.id, "{} asks", who.id);
        keep!(!history.requester.acts_for.contains(&who.id), "{} is behind it", who.id);
        let is_tied = is_tied(history.requester, &who.id, members);
        keep!(!is_tied, "{} is behind it by an account, or may be", who.id);
    }
    Ok(())
}

fn invariant_reviews_are_in_time_on_the_right_digest(history: &History<'_>) -> Kept {
    for (at, event, review) in history.reviews() {
        let due = history.deadline_before(at);
        keep!(event.at < due, "reviewed at {}, due {due}", event.at);
        keep!(review.digest == history.intent.digest(), "on {}", review.digest);
        keep!(event.by.as_ref() == Some(&review.reviewer) && event.at == review.at, "not theirs");
    }
    Ok(())
}

fn invariant_reviewers_were_asked(history: &History<'_>) -> Kept {
    for (at, _, review) in history.reviews() {
        let before = history.approvals_before(at);
        let stood = history.members[at].stands_in_for(&review.reviewer);
        keep!(review.stands_in_for.is_subset(&stood), "stands in for {:?}", review.stands_in_for);
        let asked = history.stages().iter().any(|stage| {
            !history.speaks_for(at, stage, review, &before).is_empty()
                && history.can_fill(at, &history.chain(stage), &before)
        });
        keep!(asked, "{} was not asked", review.reviewer);
    }
    Ok(())
}

/// Whoever withdraws has a review that stands, before anything is decided and in time; what waits
/// again was filled, and what closes was open and lacks one before it.
fn invariant_a_withdrawal_is_of_ones_own_standing_review(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        let Fact::Withdrawn { review: id, reopened, closed, .. } = &event.fact else { continue };
        let theirs = history
            .approvals_before(at)
            .into_iter()
            .find(|review| review.id == *id && event.by.as_ref() == Some(&review.reviewer));
        keep!(theirs.is_some(), "{:?} has no review {id}", event.by);
        keep!(history.approval().is_none_or(|(since, ..)| since > at), "after the approval");
        let due = history.deadline_before(at);
        keep!(event.at < due, "withdrawn at {}, due {due}", event.at);
        let lived = history.lived_before(at);
        let approvals = history.approvals_before(at + 1);
        for name in reopened {
            keep!(lived[name.as_str()].filled.is_some(), "{name} was not filled");
        }
        for name in closed {
            keep!(lived[name.as_str()].opened.is_some(), "{name} was not open");
            let stage = history.stages().iter().find(|stage| stage.name == *name).unwrap();
            keep!(stage.after.is_some(), "{name} waits for nobody");
        }
        // What the others filled together without it stays so.
        let all: Vec<&Stage> = history.stages().iter().collect();
        let met = history.can_fill(at, &all, &approvals);
        keep!(!met || reopened.is_empty(), "{reopened:?} are filled");
    }
    Ok(())
}

fn invariant_a_denial_has_its_review(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        match &event.fact {
            Fact::Denied(Denial::Refused(reasons)) => {
                let changed = reasons.iter().all(|reason| reason.rule == POLICY_CHANGED);
                keep!(
                    changed || history.ruling.outcome == Outcome::Refuse(reasons.clone()),
                    "policy did not refuse"
                );
                keep!(!changed || event.at < history.deadline_before(at), "ended when over");
            }
            Fact::Denied(Denial::Elsewhere { stage, .. }) => {
                let asked = history.events[..at].iter().any(
                    |event| matches!(&event.fact, Fact::Abroad { stage: one, .. } if one == stage),
                );
                keep!(asked, "denied by whom nobody asked");
            }
            Fact::Denied(Denial::Reviewed { review, by, .. }) => {
                let Fact::Reviewed(before) = &history.events[at - 1].fact else {
                    return Err("no review stands before it".to_owned());
                };
                keep!((before.id, &before.reviewer) == (*review, by), "by another review");
                keep!(before.verdict == Verdict::Deny, "the review approves");
            }
            Fact::Reviewed(review) if review.verdict == Verdict::Deny => {
                let next = history.events.get(at + 1).map(|event| &event.fact);
                keep!(matches!(next, Some(Fact::Denied(_))), "a deny was passed over");
            }
            _ => {}
        }
    }
    let refused = matches!(history.ruling.outcome, Outcome::Refuse(_));
    keep!(!refused || history.events.len() == 2, "a refusal went on");
    Ok(())
}

fn invariant_an_approval_has_its_quorum(history: &History<'_>) -> Kept {
    let Some((at, consume_by, uses, counted)) = history.approval() else { return Ok(()) };
    let event = &history.events[at];
    let terms = history.terms().ok_or("policy refused")?;
    keep!(event.by.is_none(), "the authority approves, nobody else");
    keep!(consume_by == event.at.plus(terms.grant_window), "until {consume_by}");
    keep!(uses == terms.uses, "{uses} uses");
    let all: Vec<&Stage> = history.stages().iter().collect();
    keep!(counted.len() == all.len(), "stages are missing");
    let approvals = history.approvals_before(at);
    keep!(history.can_fill(at, &all, &approvals), "there was no quorum");
    for (stage, (name, people)) in all.iter().zip(counted) {
        keep!(stage.name == *name, "{name} out of order");
        keep!(people.len() == stage.approvals as usize, "{name} counts {people:?}");
        for person in people {
            let review = approvals.iter().find(|review| review.reviewer == *person);
            let speaks = review.is_some_and(|review| {
                !history.speaks_for(at, stage, review, &approvals).is_empty()
            });
            keep!(speaks, "{person} counts for {name}");
        }
    }
    Ok(())
}

fn invariant_a_quorum_is_an_approval_at_once(history: &History<'_>) -> Kept {
    let all: Vec<&Stage> = history.stages().iter().collect();
    for (at, _, review) in history.reviews() {
        let met = history.can_fill(at, &all, &history.approvals_before(at + 1));
        let mut next = history.events[at + 1..].iter().map(|event| &event.fact).peekable();
        next.next_if(|fact| matches!(fact, Fact::Advanced { .. }));
        let next = next.next();
        let approved = matches!(next, Some(Fact::Approved { .. }));
        keep!(approved == (met && review.verdict == Verdict::Approve), "met: {met}, then {next:?}");
    }
    Ok(())
}

fn invariant_uses_are_the_requesters_inside_the_window(history: &History<'_>) -> Kept {
    let approved = history.approval();
    for (at, event, _, audience, expires_at) in history.uses() {
        let (since, consume_by, ..) = approved.ok_or("used without approval")?;
        keep!(at > since, "used before approval");
        keep!(event.at < consume_by, "used at {}, due {consume_by}", event.at);
        keep!(event.by.as_ref() == Some(&history.requester.id), "used by {:?}", event.by);
        let terms = history.terms().ok_or("policy refused")?;
        keep!(terms.audiences.as_ref().is_none_or(|all| all.contains(audience)), "for {audience}");
        keep!(expires_at <= event.at.plus(terms.max_ttl), "lives beyond the rule");
        let asked = history.intent.duration().unwrap_or(terms.max_ttl);
        keep!(expires_at <= event.at.plus(asked), "lives beyond the intent");
        let Fact::Consumed { confirmation, .. } = &event.fact else { return Err("no use".into()) };
        keep!(terms.dpop.is_none() || confirmation.is_some(), "bound to no key");
    }
    Ok(())
}

fn invariant_no_more_uses_than_granted(history: &History<'_>) -> Kept {
    let granted = history.approval().map_or(0, |(_, _, uses, _)| uses as usize);
    let used: Vec<_> = history.uses().map(|(_, _, credential, ..)| credential).collect();
    keep!(used.len() <= granted, "{} of {granted}", used.len());
    keep!(used.iter().collect::<BTreeSet<_>>().len() == used.len(), "one credential twice");
    Ok(())
}

fn invariant_who_counted_still_counts_at_each_use(history: &History<'_>) -> Kept {
    let all: Vec<&Stage> = history.stages().iter().collect();
    for (at, ..) in history.uses() {
        let (_, _, _, counted) = history.approval().ok_or("used without approval")?;
        let counted: BTreeSet<_> = counted.iter().flat_map(|(_, people)| people).collect();
        let mut reviews = history.approvals_before(at);
        reviews.retain(|review| counted.contains(&review.reviewer));
        keep!(history.can_fill(at, &all, &reviews), "the quorum was gone");
    }
    Ok(())
}

#[derive(Default)]
struct Life {
    minted: bool,
    redeemed: bool,
    ended: bool,
    heartbeat: Option<Span>,
}

type Lives = BTreeMap<CredentialId, (Timestamp, Timestamp, Life)>;

fn life<'a>(
    lives: &'a mut Lives,
    of: &CredentialId,
) -> Result<&'a mut (Timestamp, Timestamp, Life), String> {
    lives.get_mut(of).ok_or_else(|| format!("{of} was never issued"))
}

fn invariant_a_credential_has_its_record(history: &History<'_>) -> Kept {
    let mut lives = Lives::new();
    for event in history.events {
        let at = event.at;
        match &event.fact {
            Fact::Consumed { credential, expires_at, heartbeat, .. } => {
                let ruled = history.terms().and_then(|terms| terms.heartbeat);
                let kept = ruled.is_none_or(|ruled| heartbeat.is_some_and(|own| own <= ruled));
                keep!(kept, "may be silent for {heartbeat:?}, but ruled is {ruled:?}");
                let life = Life { heartbeat: *heartbeat, ..Life::default() };
                lives.insert(*credential, (at, *expires_at, life));
            }
            Fact::Minted { credential, .. } => {
                let (since, until, life) = life(&mut lives, credential)?;
                let first = !life.minted;
                keep!(!first || at < since.plus(ABANDON_AFTER), "minted too late");
                keep!(at < *until && !life.ended && !life.redeemed, "minted when over");
                life.minted = true;
            }
            Fact::Redeemed { credential } => {
                let (_, until, life) = life(&mut lives, credential)?;
                keep!(life.minted && !life.ended && at < *until, "redeemed when not live");
                keep!(!std::mem::replace(&mut life.redeemed, true), "redeemed twice");
            }
            Fact::Abandoned { credential } => {
                let (since, _, life) = life(&mut lives, credential)?;
                keep!(!life.minted && at >= since.plus(ABANDON_AFTER), "abandoned too early");
                keep!(event.by.is_none() && !life.ended, "abandoned by somebody");
                life.ended = true;
            }
            Fact::CredentialRevoked { credential } => {
                let (_, until, life) = life(&mut lives, credential)?;
                keep!(!life.ended && at < *until, "ended twice");
                life.ended = true;
            }
            Fact::HeartbeatLost { credential, last, due } => {
                let (since, until, life) = life(&mut lives, credential)?;
                keep!(life.minted && !life.ended && at < *until, "silent when not live");
                let asked = life.heartbeat.ok_or("silent, but nobody asks for signs of life")?;
                keep!(last >= since && *due >= last.plus(asked), "{due} is too early after {last}");
                keep!(at >= *due, "silent at {at}, but due {due}");
                life.ended = true;
            }
            Fact::Completed | Fact::Revoked { .. } | Fact::Stopped { .. } => {
                lives.values_mut().for_each(|(_, _, life)| life.ended = true);
            }
            _ => {}
        }
    }
    let over = |state: &State| matches!(state, State::Revoked(_));
    let live = lives.values().any(|(_, _, life)| !life.ended);
    keep!(!(over(history.request.state()) && live), "a revoked grant has a live credential");
    Ok(())
}

/// Something may exist outside from the moment it is on record, and only where the ruling names who
/// opens it; it is closed once, never while the credential is good or while it works all the same,
/// which is short where nobody can take it back; and until it is closed, the request knows when it
/// is due.
fn invariant_what_a_broker_opened_is_closed_after_its_end(history: &History<'_>) -> Kept {
    let named = history.request.terms().and_then(|terms| terms.broker.as_deref());
    let mut open: BTreeMap<CredentialId, Timestamp> = BTreeMap::new();
    let (mut stuck, mut outlives) = (BTreeSet::new(), BTreeSet::new());
    for event in history.events {
        let at = event.at;
        match &event.fact {
            Fact::Consumed { credential, expires_at, broker: Some(broker), recall, .. } => {
                keep!(named == Some(broker), "{broker} opens, but {named:?} is named");
                let short = *expires_at <= at.plus(UNRECALLABLE_FOR);
                keep!(*recall == Recall::Ends || short, "until {expires_at}, and beyond recall");
                open.insert(*credential, *expires_at);
            }
            Fact::Consumed { recall, .. } => {
                keep!(*recall == Recall::Ends, "nothing is opened, and beyond recall");
            }
            Fact::Abandoned { credential }
            | Fact::CredentialRevoked { credential }
            | Fact::HeartbeatLost { credential, .. } => {
                let ended = open.get_mut(credential).filter(|_| !outlives.contains(credential));
                ended.into_iter().for_each(|due| *due = at.min(*due));
            }
            Fact::Completed | Fact::Revoked { .. } | Fact::Stopped { .. } => {
                let ended = open.iter_mut().filter(|(id, _)| !outlives.contains(*id));
                ended.for_each(|(_, due)| *due = at.min(*due));
            }
            Fact::BrokerOutlives { credential, until } => {
                let due = open.get_mut(credential).ok_or("what is not open outlives")?;
                keep!(at >= *due, "outlives at {at}, but it ends at {due}");
                keep!(*until > at && outlives.insert(credential), "outlives twice, or is over");
                *due = *until;
            }
            Fact::BrokerClosed { credential } => {
                let due = open.remove(credential).ok_or("closed what was not open")?;
                keep!(at >= due, "closed at {at}, but it ends at {due}");
            }
            Fact::BrokerStuck { credential, problem } => {
                let due = open.get(credential).ok_or("stuck with what is not open")?;
                keep!(at >= *due, "stuck at {at}, but it ends at {due}");
                keep!(stuck.insert(credential) && !problem.is_empty(), "stuck twice");
            }
            _ => {}
        }
    }
    let due = history.request.closing_due();
    keep!(due == open.values().min().copied(), "due {due:?}, but open are {open:?}");
    Ok(())
}

/// What the ledger keeps of a use does not say from which run it was; the requester as filed does,
/// and nobody else gets a step from it.
fn invariant_uses_are_of_the_run_that_asked(history: &History<'_>) -> Kept {
    let mut other = history.requester.clone();
    other.claims.insert("run_id".to_owned(), "of tomorrow".into());
    let now = history.events.last().unwrap().at;
    let members = history.members.last().unwrap();
    if other.kind == PrincipalKind::Workload {
        let spend = Spend::on(CredentialId::from_bytes([7; 16]), "db");
        let used = history.request.consume(&other, spend, members, now);
        keep!(used.is_err(), "used by another run");
        keep!(history.request.complete(&other, now).is_err(), "completed by another run");
        keep!(history.request.fetch_plan(&other, members, now).is_err(), "fetched by another run");
    }
    Ok(())
}

/// The bytes are those that people were asked about; they are given at most once, under a grant and
/// while they are kept; and they are gone with the request.
fn invariant_the_plan_is_given_once_while_it_is_kept(history: &History<'_>) -> Kept {
    let granted = history.approval();
    let mut kept: Option<(UploadId, Timestamp)> = None;
    let mut fetched = false;
    let mut over = false;
    for (index, event) in history.events.iter().enumerate() {
        match &event.fact {
            Fact::PlanKept { upload, digest, until, .. } => {
                keep!(history.intent.subject() == Some(*digest), "{digest} is kept");
                keep!(kept.is_none() && !fetched && !over, "kept twice, or too late");
                let terms = history.terms().ok_or("policy refused")?;
                let latest = granted.filter(|(at, ..)| *at < index);
                let latest = latest.map_or(history.review_by.plus(terms.grant_window), |g| g.1);
                keep!(*until <= latest, "kept until {until}, but it ends at {latest}");
                kept = Some((*upload, *until));
            }
            Fact::PlanFetched { upload, .. } => {
                let (which, until) = kept.ok_or("fetched what was not there")?;
                let (_, consume_by, ..) = granted.ok_or("fetched without a grant")?;
                keep!(which == *upload, "fetched another plan");
                keep!(!std::mem::replace(&mut fetched, true), "fetched twice");
                keep!(event.at < until && event.at < consume_by && !over, "fetched too late");
            }
            Fact::PlanRemoved { upload } => {
                let (which, until) = kept.take().ok_or("removed what was not there")?;
                keep!(which == *upload && (over || event.at >= until), "removed too early");
            }
            Fact::Denied(_)
            | Fact::Expired { .. }
            | Fact::Canceled { .. }
            | Fact::RequesterLost { .. } => over = true,
            Fact::Completed | Fact::Revoked { .. } | Fact::Stopped { .. } => over = true,
            Fact::Consumed { .. } => {
                let used = history.uses().filter(|(at, ..)| *at <= index);
                over |= used.count() >= granted.map_or(0, |(_, _, uses, _)| uses as usize);
            }
            _ => {}
        }
    }
    let left = history.request.kept_plan().filter(|plan| plan.removed_at.is_none());
    keep!(left.map(|plan| plan.upload) == kept.map(|(upload, _)| upload), "{left:?}, not {kept:?}");
    Ok(())
}

fn invariant_who_ends_it_may(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        let by = event.by.as_ref();
        let requester = by == Some(&history.requester.id);
        match &event.fact {
            Fact::Filed { .. }
            | Fact::Completed
            | Fact::Minted { .. }
            | Fact::PlanKept { .. }
            | Fact::PlanFetched { .. } => {
                keep!(requester, "{} by {by:?}", fact_word(&event.fact));
            }
            Fact::Withdrawn { .. } => keep!(by.is_some(), "withdrawn by nobody"),
            Fact::Canceled { .. } => {
                let due = history.deadline_before(at);
                keep!(requester && event.at < due, "canceled by {by:?}, due {due}");
            }
            Fact::Revoked { .. } | Fact::CredentialRevoked { .. } => {
                let who = by.ok_or("revoked by nobody")?;
                let mut stages = history.stages().iter();
                let asked = stages.any(|stage| {
                    history.is_asked(at, stage, who) && !history.is_barred(at, stage, who)
                });
                let root = is_root(who) && matches!(event.fact, Fact::Revoked { .. });
                keep!(requester || asked || root, "revoked by {who}");
            }
            Fact::Redeemed { .. } => keep!(by.is_some(), "redeemed by nobody"),
            Fact::RequesterLost { .. }
            | Fact::Expired { .. }
            | Fact::Abandoned { .. }
            | Fact::HeartbeatLost { .. }
            | Fact::BrokerClosed { .. }
            | Fact::BrokerOutlives { .. }
            | Fact::BrokerStuck { .. }
            | Fact::Advanced { .. }
            | Fact::Escalated { .. }
            | Fact::Reminded { .. }
            | Fact::PostReviewDone { .. }
            | Fact::PostReviewMissed { .. }
            | Fact::PlanRemoved { .. }
            | Fact::Approved { .. }
            | Fact::Stopped { .. }
            | Fact::Denied(_) => {
                keep!(by.is_none(), "{} by {by:?}", fact_word(&event.fact));
            }
            Fact::Abroad { what: AbroadFact::Withdrawn { .. }, .. } => {
                keep!(by.is_some(), "withdrawn by nobody");
            }
            Fact::Abroad { .. } => keep!(by.is_none(), "{} by {by:?}", fact_word(&event.fact)),
            Fact::Reviewed(_) | Fact::PostReviewed(_) | Fact::Consumed { .. } => {}
        }
    }
    Ok(())
}

/// Only where the filing asks for signs of life, after the whole time that it names, and before
/// anybody or time has decided.
fn invariant_a_requester_is_lost_by_silence_while_it_waits(history: &History<'_>) -> Kept {
    let filed = history.events.first().ok_or("no event")?;
    let Fact::Filed { heartbeat, .. } = &filed.fact else { return Err("not filed".to_owned()) };
    for event in history.events {
        let Fact::RequesterLost { last, due } = &event.fact else { continue };
        let every = heartbeat.ok_or("lost, but nobody listens")?;
        keep!(*last >= filed.at && *due >= last.plus(every), "{due} is too early after {last}");
        keep!(event.at >= *due, "lost at {}, but due {due}", event.at);
        keep!(event.at < history.deadline_before(history.events.len()), "lost when it had expired");
        let said = format!("its requester was not heard of for {every}");
        let State::Canceled(canceled) = history.request.state() else {
            return Err(format!("lost, and {}", history.request.state().word()));
        };
        keep!(canceled.by.is_none() && canceled.reason == said, "{canceled:?}");
    }
    Ok(())
}

/// What a signal stopped has to do with what the signal is about: it is theirs, or done in it, and
/// nobody wanted it kept; or they approved it, and what they approve is to end.
fn invariant_what_is_stopped_a_signal_about_it_stopped(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        let Fact::Stopped { signal, about, concern, .. } = &event.fact else { continue };
        let told = history.signals.iter().find(|told| told.id == *signal).ok_or("never told")?;
        keep!((&told.about, told.says) == (about, Says::Is(*concern)), "another was told");
        let own = match about {
            Subject::Environment(name) => name == history.intent.environment(),
            Subject::Person(who) | Subject::Workload(who) => {
                history.requester.id == *who || history.requester.acts_for.contains(who)
            }
        };
        let approved = history
            .approvals_before(at)
            .iter()
            .any(|review| about.principal() == Some(&review.reviewer));
        let Reactions { pending, granted, approved: of_theirs } = told.reactions;
        let is_granted = history.approval().is_some_and(|(since, ..)| since < at);
        if is_granted {
            let revokes = (own && granted == OnGranted::Revoke)
                || (approved && of_theirs == OnGranted::Revoke);
            keep!(revokes, "nobody wanted it ended: {told:?}");
            let since = history.approval().map(|(since, ..)| history.events[since].at);
            let before = |(used_at, used, ..): &Use<'_>| *used_at < at && used.at <= told.at;
            let spent = history.uses().any(|used| before(&used));
            keep!(spent || since.is_some_and(|since| since <= told.at), "granted after it");
        } else {
            keep!(own && pending != OnPending::Keep, "it waits for people still: {told:?}");
            keep!(history.events[0].at <= told.at, "filed after it");
            keep!(event.at < history.deadline_before(at), "stopped when over");
        }
    }
    Ok(())
}

/// Whoever is suspended reviews nothing, and nothing is spent that somebody suspended is behind.
fn invariant_nobody_suspended_acts_or_counts(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        let members = history.members[at];
        match &event.fact {
            Fact::Reviewed(review) | Fact::PostReviewed(review) => {
                keep!(!members.is_suspended(&review.reviewer), "{} is suspended", review.reviewer);
            }
            Fact::Consumed { .. } => {
                let behind = history.requester.behind();
                let suspended = behind.into_iter().find(|who| members.is_suspended(who));
                keep!(suspended.is_none(), "spent for {suspended:?}, who is suspended");
            }
            _ => {}
        }
    }
    Ok(())
}

fn invariant_nothing_expires_before_its_deadline(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        let Fact::Expired { deadline } = &event.fact else { continue };
        let of_stages = history.deadline_before(at);
        let due = history.approval().map_or(of_stages, |(_, consume_by, ..)| consume_by);
        keep!(*deadline == due && event.at >= due, "expired at {}, due {due}", event.at);
        keep!(*deadline <= history.review_by.max(due), "expired beyond all deadlines");
    }
    if let State::Pending(_) = history.request.state() {
        let due = history.deadline_before(history.events.len());
        keep!(
            history.request.deadline() == Some(due),
            "{:?}, not {due}",
            history.request.deadline()
        );
        keep!(due <= history.review_by, "a stage made the request live longer");
    }
    Ok(())
}

fn invariant_time_never_goes_back(history: &History<'_>) -> Kept {
    let back = history.events.windows(2).find(|pair| pair[1].at < pair[0].at);
    keep!(back.is_none(), "{back:?}");
    Ok(())
}

fn invariant_replay_is_the_state(history: &History<'_>) -> Kept {
    let replayed = Request::replay(history.events).map_err(|error| error.to_string())?;
    keep!(replayed == *history.request, "replay: {replayed:?}\nstate: {:?}", history.request);
    let version = history.request.version().0;
    keep!(version == history.events.len() as u64, "version {version}");
    Ok(())
}

fn invariant_stages_open_and_fill_once_in_their_order(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        let Fact::Advanced { filled, opened } = &event.fact else { continue };
        let (before, after) = (history.lived_before(at), history.lived_before(at + 1));
        keep!(!filled.is_empty() || !opened.is_empty(), "advanced by nothing");
        for name in filled {
            keep!(before[name.as_str()].filled.is_none(), "{name} filled twice");
            keep!(after[name.as_str()].opened.is_some(), "{name} filled before it opened");
        }
        for name in opened {
            let stage = history.stages().iter().find(|stage| stage.name == *name).unwrap();
            keep!(before[name.as_str()].opened.is_none(), "{name} opened twice");
            let chain = history.chain(stage);
            let full = chain.iter().all(|before| after[before.name.as_str()].filled.is_some());
            keep!(full, "{name} opened before the one before was filled");
        }
        let approvals = history.approvals_before(at);
        for name in filled.iter().chain(opened) {
            let stage = history.stages().iter().find(|stage| stage.name == *name).unwrap();
            let mut needed = history.chain(stage);
            needed.extend(filled.contains(name).then_some(stage));
            keep!(history.can_fill(at, &needed, &approvals), "{name} moved without its people");
        }
    }
    Ok(())
}

fn invariant_escalations_and_reminders_come_in_their_time(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        let lived = history.lived_before(at);
        let waiting = |name: &str| -> Result<(&Stage, Lived, Timestamp), String> {
            let stage = history.stages().iter().find(|stage| stage.name == name).ok_or(name)?;
            let life = lived[name];
            let since = life.opened.filter(|_| life.filled.is_none());
            Ok((stage, life, since.ok_or_else(|| format!("{name} does not wait"))?))
        };
        match &event.fact {
            Fact::Escalated { stage, to } => {
                let (stage, life, since) = waiting(stage)?;
                let ruled = stage.escalate.as_ref().ok_or("escalated without a word of it")?;
                keep!(ruled.to == *to, "escalated to {to:?}");
                keep!(event.at >= since.plus(ruled.after), "escalated too early");
                keep!(life.escalated.is_none(), "escalated twice");
                // More people are asked for the same number of approvals.
                let asked = history.request.asked_stages();
                let now = asked.iter().find(|other| other.name == stage.name).unwrap();
                keep!(now.approvals == stage.approvals, "{} approvals", now.approvals);
                keep!(now.from.is_superset(&stage.from), "fewer people");
                keep!(now.exclude == stage.exclude, "others are excluded");
            }
            Fact::Reminded { stages } => {
                keep!(!stages.is_empty(), "nobody is reminded");
                for name in stages {
                    let (stage, life, since) = waiting(name)?;
                    let every = stage.remind.ok_or("reminded without a word of it")?;
                    let last = life.reminded.unwrap_or(since);
                    keep!(event.at >= last.plus(every), "reminded {} after {last}", event.at);
                }
            }
            _ => {}
        }
        if matches!(event.fact, Fact::Escalated { .. } | Fact::Reminded { .. }) {
            let due = history.deadline_before(at);
            keep!(event.at < due, "{} at {}, due {due}", fact_word(&event.fact), event.at);
        }
    }
    Ok(())
}

fn invariant_later_reviews_are_of_those_asked_and_in_time(history: &History<'_>) -> Kept {
    let granted = history.approval().map(|(at, ..)| history.events[at].at);
    let mut done = BTreeMap::new();
    let mut missed = BTreeSet::new();
    let mut reviews: Vec<&Review> = Vec::new();
    let later = &history.ruling.post_reviews;
    for (at, event) in history.events.iter().enumerate() {
        let members = history.members[at];
        let find = |rule: &str| later.iter().find(|later| later.rule == rule).ok_or("of no rule");
        match &event.fact {
            Fact::PostReviewed(review) => {
                keep!(granted.is_some(), "looked at later without a grant");
                keep!(review.digest == history.intent.digest(), "on {}", review.digest);
                keep!(review.stands_in_for.is_empty(), "somebody else's later review");
                let twice = reviews.iter().any(|before| before.reviewer == review.reviewer);
                keep!(!twice, "{} looked twice", review.reviewer);
                let mut open = later.iter().filter(|later| !done.contains_key(&later.rule));
                let asked = open.any(|later| is_among(&later.by, &review.reviewer, members));
                keep!(asked, "{} was not asked to look", review.reviewer);
                reviews.push(review);
            }
            Fact::PostReviewDone { rule } => {
                let later = find(rule)?;
                let counts = reviews.iter().filter(|review| {
                    review.verdict == Verdict::Approve
                        && is_among(&later.by, &review.reviewer, members)
                });
                keep!(counts.count() >= later.approvals as usize, "{rule} done by too few");
                keep!(done.insert(rule.clone(), event.at).is_none(), "{rule} done twice");
            }
            Fact::PostReviewMissed { rule, suspended } => {
                let later = find(rule)?;
                let due = granted.ok_or("missed without a grant")?.plus(later.within);
                keep!(event.at >= due, "missed at {}, due {due}", event.at);
                keep!(*suspended == later.suspend, "suspends {suspended:?}");
                keep!(!done.contains_key(rule), "{rule} missed when done");
                keep!(missed.insert(rule.clone()), "{rule} missed twice");
            }
            _ => {}
        }
    }
    // What is suspended is what is overdue, by the clock and not by what was put on record.
    let last = history.events.last().unwrap().at;
    for now in [last, last.plus(Span::hours(1)), last.plus(Span::hours(24 * 30))] {
        let overdue = later.iter().filter(|later| {
            let due = granted.map(|granted| granted.plus(later.within));
            due.is_some_and(|due| now >= due) && !done.contains_key(&later.rule)
        });
        let wanted: BTreeSet<&str> = overdue.filter_map(|later| later.suspend.as_deref()).collect();
        let told = history.request.suspends(now);
        keep!(told == wanted, "suspends {told:?}, not {wanted:?}");
    }
    Ok(())
}

/// `due_at` is the next moment at which something is to be done without anybody asking: a moment
/// before it there is nothing to do, and at it there is.
fn invariant_what_is_due_is_done_then_and_not_before(history: &History<'_>) -> Kept {
    let last = history.events.last().unwrap().at;
    let Some(due) = history.request.due_at() else {
        let step = history.request.lapse(last.plus(Span::hours(24 * 365)));
        keep!(step.is_none(), "nothing is due, but {step:?}");
        return Ok(());
    };
    let before = Timestamp::from_millis(due.as_millis() - 1);
    if before >= last {
        let step = history.request.lapse(before);
        keep!(step.is_none(), "due {due}, but before it {step:?}");
    }
    let Some(step) = history.request.lapse(due) else {
        return Err(format!("due {due}, but nothing to do"));
    };
    let next = step.next();
    keep!(next.due_at().is_none_or(|next| next > due), "due again {:?}", next.due_at());
    keep!(next.lapse(due.max(last)).is_none(), "lapses twice at {due}");
    Ok(())
}

#[cfg(feature = "wire")]
fn invariant_json_reads_back(history: &History<'_>) -> Kept {
    use crate::wire::{entry_bytes, event_from_json, event_to_json};
    // Each event once is enough: only the newest were not looked at before.
    let new = history.events.iter().rev().take(3);
    for event in new {
        let bytes = entry_bytes(&event_to_json(event));
        let json = crate::canonical::parse(&bytes).map_err(|error| error.to_string())?;
        let read = event_from_json(&json).map_err(|error| error.to_string())?;
        keep!(read == *event, "{read:?} is not {event:?}");
        keep!(entry_bytes(&event_to_json(&read)) == bytes, "other bytes");
    }
    Ok(())
}
