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

mod endings;
mod reviews;
mod stages;
mod uses;

use endings::*;
use reviews::*;
use stages::*;
use uses::*;

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
