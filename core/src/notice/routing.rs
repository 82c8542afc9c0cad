//! Who is told: what the policy documents say, or else whoever is asked, asks, or is named by the
//! rule that let something pass.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::membership::{Approver, Membership};
use crate::notice::{Occasion, Told};
use crate::policy::glob::Glob;
use crate::policy::ruling::{Addressee, Stage};
use crate::principal::{PrincipalId, PrincipalKind};
use crate::request::Request;

/// Whom an entry of `notices` names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeTo {
    /// Whoever can review the stages that it is about.
    Approvers,
    /// Whoever asked; nobody, where that is a workload that acts for nobody.
    Requester,
    /// These, whatever happens.
    Named(Addressee),
}

impl fmt::Display for NoticeTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approvers => f.write_str("approvers"),
            Self::Requester => f.write_str("requester"),
            Self::Named(addressee) => addressee.fmt(f),
        }
    }
}

/// The text names nobody who could be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` can be told nothing; write approvers, requester, group:NAME, person:NAME or channel:NAME"
)]
pub struct NotANoticeTo(String);

impl FromStr for NoticeTo {
    type Err = NotANoticeTo;

    fn from_str(text: &str) -> Result<Self, NotANoticeTo> {
        match text {
            "approvers" => Ok(Self::Approvers),
            "requester" => Ok(Self::Requester),
            text => text.parse().map(Self::Named).map_err(|_| NotANoticeTo(text.to_owned())),
        }
    }
}

/// One entry of `notices`: on these occasions, of these requests, these are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// On which occasions; on all, where there is none.
    pub on: BTreeSet<Occasion>,
    /// For which environments; for all, where there is none.
    pub environments: Vec<Glob>,
    /// Of which kinds; of all, where there is none.
    pub kinds: Vec<Glob>,
    /// Who.
    pub to: BTreeSet<NoticeTo>,
}

impl Route {
    fn covers(&self, occasion: Occasion, request: &Request) -> bool {
        let fits = |globs: &[Glob], text: &str| {
            globs.is_empty() || globs.iter().any(|glob| glob.matches(text))
        };
        (self.on.is_empty() || self.on.contains(&occasion))
            && fits(&self.environments, request.intent().environment())
            && fits(&self.kinds, request.intent().kind())
    }
}

/// Somebody or something that is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recipient {
    /// A person, where and when they wish.
    Person(PrincipalId),
    /// A channel, by its name in the settings.
    Channel(String),
}

/// Who is told of this. Where no entry of the policy covers the occasion: the approvers of a stage
/// that opens, whoever asked at the end, and everybody whom a rule names when it lets something pass
/// that must be looked at. Whom a rule names under `notify` is told besides, whatever the entries say.
pub fn recipients(
    told: &Told,
    request: &Request,
    routes: &[Route],
    membership: &Membership,
) -> BTreeSet<Recipient> {
    let mut covering =
        routes.iter().filter(|route| route.covers(told.occasion, request)).peekable();
    let to = match covering.peek() {
        Some(_) => covering.flat_map(|route| route.to.clone()).collect(),
        None => by_default(told.occasion, request),
    };
    let mut all = BTreeSet::new();
    for to in &to {
        match to {
            NoticeTo::Approvers => all.extend(approvers(told, request, membership)),
            NoticeTo::Requester => all.extend(requester(request, membership)),
            NoticeTo::Named(addressee) => all.extend(named(addressee, membership)),
        }
    }
    all.extend(by_rules(told, request).flat_map(|addressee| named(addressee, membership)));
    all
}

fn by_default(occasion: Occasion, request: &Request) -> BTreeSet<NoticeTo> {
    // Whoever asks has the answer that policy gives by itself at once.
    let people_were_asked = request.requirement().is_some();
    match occasion {
        Occasion::StageOpened | Occasion::Reminder | Occasion::Escalation => {
            [NoticeTo::Approvers].into()
        }
        Occasion::Granted | Occasion::Denied if !people_were_asked => BTreeSet::new(),
        Occasion::Granted | Occasion::Denied | Occasion::Expired | Occasion::Ended => {
            [NoticeTo::Requester].into()
        }
        Occasion::BreakGlass | Occasion::ReviewOverdue => [NoticeTo::Approvers].into(),
        Occasion::Filed => BTreeSet::new(),
    }
}

/// Whom the rules that ruled name for this.
fn by_rules<'a>(
    told: &'a Told,
    request: &'a Request,
) -> Box<dyn Iterator<Item = &'a Addressee> + 'a> {
    let ruling = request.ruling();
    match told.occasion {
        Occasion::Filed | Occasion::BreakGlass => Box::new(ruling.notify.iter()),
        Occasion::ReviewOverdue => {
            let missed = move |rule: &str| told.rule.as_deref() == Some(rule);
            let reviews = ruling.post_reviews.iter().filter(move |review| missed(&review.rule));
            Box::new(reviews.flat_map(|review| review.notify.iter()))
        }
        Occasion::StageOpened
        | Occasion::Reminder
        | Occasion::Escalation
        | Occasion::Granted
        | Occasion::Denied
        | Occasion::Expired
        | Occasion::Ended => Box::new(std::iter::empty()),
    }
}

/// Whoever can review what it is about: not those behind it, and nobody who has reviewed it.
fn approvers(told: &Told, request: &Request, membership: &Membership) -> BTreeSet<Recipient> {
    let mut people = BTreeSet::new();
    let is_meant = |stage: &&Stage| told.stages.is_empty() || told.stages.contains(&stage.name);
    for stage in request.asked_stages().iter().filter(is_meant) {
        let asked: Box<dyn Iterator<Item = &Approver>> = match &stage.escalate {
            Some(escalation) if told.occasion == Occasion::Escalation => {
                Box::new(escalation.to.iter())
            }
            Some(_) | None => Box::new(stage.from.iter()),
        };
        let theirs = membership.people(asked);
        let standing_in = theirs.iter().flat_map(|who| membership.stand_ins_of(who));
        let all: BTreeSet<_> = theirs.iter().copied().chain(standing_in).collect();
        let excluded = |who: &PrincipalId| {
            stage.exclude.iter().any(|excluded| membership.includes(excluded, who))
        };
        people.extend(all.into_iter().filter(|who| !excluded(who)).cloned());
    }
    if matches!(told.occasion, Occasion::BreakGlass | Occasion::ReviewOverdue) {
        let is_missed = |rule: &str| told.rule.as_deref().is_none_or(|missed| missed == rule);
        let reviews = request.ruling().post_reviews.iter();
        let by = reviews.filter(|review| is_missed(&review.rule)).flat_map(|review| &review.by);
        people.extend(membership.people(by).into_iter().cloned());
    }
    let behind = request.requester().behind();
    let reviewed =
        |who: &PrincipalId| request.reviews().iter().any(|r| membership.are_same(&r.reviewer, who));
    people
        .into_iter()
        .filter(|who| membership.tie(who, &behind).is_none() && !reviewed(who))
        .filter(|who| !membership.is_suspended(who))
        .map(Recipient::Person)
        .collect()
}

/// The people who asked: of a workload those it acts for.
fn requester(request: &Request, membership: &Membership) -> BTreeSet<Recipient> {
    let requester = request.requester();
    let own = (requester.kind == PrincipalKind::Person).then_some(&requester.id);
    let all = own.into_iter().chain(&requester.acts_for);
    let all = all.filter(|who| !membership.is_suspended(who));
    all.map(|who| Recipient::Person(membership.person(who).clone())).collect()
}

fn named(addressee: &Addressee, membership: &Membership) -> BTreeSet<Recipient> {
    match addressee {
        Addressee::Channel(name) => [Recipient::Channel(name.clone())].into(),
        Addressee::Approver(approver) => {
            membership.people([approver]).into_iter().cloned().map(Recipient::Person).collect()
        }
    }
}
