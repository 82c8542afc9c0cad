//! Being told: which notices a step is worth, to whom they go, and when.
//!
//! Nothing here sends anything. What happened follows from the events of a step; who is told follows
//! from policy and membership, when from what a person wishes. Time is an argument.

mod routing;
#[cfg(test)]
mod tests;
mod wishes;

use crate::policy::ruling::Outcome;
use crate::request::{Event, Fact, Request, Step};
use crate::time::Timestamp;

pub use routing::{NotANoticeTo, NoticeTo, Recipient, Route, recipients};
pub use wishes::{DigestTimes, Means, QuietHours, Wishes, WishesFault};

/// What happened that somebody may want to be told of. Of several in one step the last of this order
/// is told to whom more than one would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Occasion {
    /// An intent was filed.
    Filed,
    /// The people of stages are asked from now on.
    StageOpened,
    /// The people of stages that stay open are told again.
    Reminder,
    /// Others are asked too, because a stage stayed open.
    Escalation,
    /// There is a grant.
    Granted,
    /// Policy refused it, or somebody denied it.
    Denied,
    /// Its time was up.
    Expired,
    /// It was withdrawn, stopped or taken back.
    Ended,
    /// A later review was missed.
    ReviewOverdue,
    /// Something was granted without asking anybody, and has to be looked at afterwards.
    BreakGlass,
}

impl Occasion {
    /// Every one with its word, as policy documents and channels spell it.
    pub const ALL: [(&'static str, Self); 10] = [
        ("filed", Self::Filed),
        ("stage_opened", Self::StageOpened),
        ("reminder", Self::Reminder),
        ("escalation", Self::Escalation),
        ("granted", Self::Granted),
        ("denied", Self::Denied),
        ("expired", Self::Expired),
        ("ended", Self::Ended),
        ("review_overdue", Self::ReviewOverdue),
        ("break_glass", Self::BreakGlass),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Filed => "filed",
            Self::StageOpened => "stage_opened",
            Self::Reminder => "reminder",
            Self::Escalation => "escalation",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Ended => "ended",
            Self::ReviewOverdue => "review_overdue",
            Self::BreakGlass => "break_glass",
        }
    }

    /// The occasion of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == word).map(|(_, occasion)| occasion)
    }

    /// Whether it asks people to decide: once a request is decided, nobody needs to be told that any
    /// more.
    pub fn asks(self) -> bool {
        match self {
            Self::StageOpened | Self::Reminder | Self::Escalation => true,
            Self::Filed
            | Self::Granted
            | Self::Denied
            | Self::Expired
            | Self::Ended
            | Self::ReviewOverdue
            | Self::BreakGlass => false,
        }
    }

    /// Whether the request is decided by it.
    pub fn decides(self) -> bool {
        match self {
            Self::Granted | Self::Denied | Self::Expired | Self::Ended => true,
            Self::Filed
            | Self::StageOpened
            | Self::Reminder
            | Self::Escalation
            | Self::ReviewOverdue
            | Self::BreakGlass => false,
        }
    }
}

/// One thing to be told of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What happened.
    pub occasion: Occasion,
    /// By which of the request's events, counted from 1.
    pub number: u64,
    /// When, by the authority's clock.
    pub at: Timestamp,
    /// The stages that it is about, by name.
    pub stages: Vec<String>,
    /// The rule whose later review it is about.
    pub rule: Option<String>,
}

/// What a step is worth to be told, in the order in which it happened. Nothing, for most steps.
pub fn told_by(step: &Step) -> Vec<Told> {
    let count = step.events().len() as u64;
    let before = step.next().version().0.saturating_sub(count);
    let numbered = step.events().iter().zip(before + 1..);
    numbered.flat_map(|(event, number)| of_event(event, number, step.next())).collect()
}

fn of_event(event: &Event, number: u64, request: &Request) -> Vec<Told> {
    let told = |occasion, stages: &[String]| Told {
        occasion,
        number,
        at: event.at,
        stages: stages.to_vec(),
        rule: None,
    };
    match &event.fact {
        Fact::Filed { ruling, .. } => match &ruling.outcome {
            Outcome::Permit(_) if !ruling.post_reviews.is_empty() => {
                vec![told(Occasion::BreakGlass, &[])]
            }
            Outcome::Permit(_) | Outcome::Refuse(_) => vec![told(Occasion::Filed, &[])],
            Outcome::Require(asked) => {
                let first = asked.stages.iter().filter(|stage| stage.after.is_none());
                let first: Vec<_> = first.map(|stage| stage.name.clone()).collect();
                vec![told(Occasion::Filed, &[]), told(Occasion::StageOpened, &first)]
            }
        },
        Fact::Advanced { opened, .. } if !opened.is_empty() => {
            vec![told(Occasion::StageOpened, opened)]
        }
        Fact::Withdrawn { reopened, .. } if !reopened.is_empty() => {
            vec![told(Occasion::StageOpened, reopened)]
        }
        Fact::Reminded { stages } => vec![told(Occasion::Reminder, stages)],
        Fact::Escalated { stage, .. } => {
            vec![told(Occasion::Escalation, std::slice::from_ref(stage))]
        }
        // Of a grant after break-glass everybody is told by the filing, in the same step.
        Fact::Approved { .. } if request.ruling().post_reviews.is_empty() => {
            vec![told(Occasion::Granted, &[])]
        }
        Fact::Denied(_) => vec![told(Occasion::Denied, &[])],
        // A grant whose window passes is nobody's disappointment: it was given.
        Fact::Expired { .. } if request.requirement().is_some() => {
            vec![told(Occasion::Expired, &[])]
        }
        Fact::Canceled { .. }
        | Fact::RequesterLost { .. }
        | Fact::Revoked { .. }
        | Fact::Stopped { .. } => vec![told(Occasion::Ended, &[])],
        Fact::PostReviewMissed { rule, .. } => {
            vec![Told { rule: Some(rule.clone()), ..told(Occasion::ReviewOverdue, &[]) }]
        }
        Fact::Approved { .. }
        | Fact::Withdrawn { .. }
        | Fact::Expired { .. }
        | Fact::Advanced { .. }
        | Fact::Reviewed(_)
        | Fact::Abroad { .. }
        | Fact::Consumed { .. }
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
        | Fact::PlanRemoved { .. }
        | Fact::Completed
        | Fact::PostReviewed(_)
        | Fact::PostReviewDone { .. } => Vec::new(),
    }
}
