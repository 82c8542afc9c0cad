//! The sections that give things names, over all documents: each name once, nothing overridden.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::membership::{Approver, Membership, People, Team};
use crate::notice::{NoticeTo, Route};
use crate::policy::Signals;
use crate::policy::calendar::Zone;
use crate::policy::document::{
    self, Absences, Fault, GITHUB, GroupPeople, Half, OnChange, Place, Placed, PolicyChanges,
    PolicyDocument, Unlinked,
};
use crate::policy::record::{Delegation, Records};
use crate::policy::ruling::{Addressee, Terms};
use crate::principal::PrincipalId;
use crate::signal::OnSignal;
use crate::signal::source::{Speaker, Transmitter};
use crate::time::Span;
use crate::trust::Trust;

/// What holds where no rule says otherwise.
pub(super) struct Settled {
    pub(super) defaults: crate::policy::Defaults,
    pub(super) zone: Option<Zone>,
    pub(super) on_change: OnChange,
    pub(super) policy_changes: PolicyChanges,
    pub(super) on_signal: OnSignal,
    pub(super) unlinked: Unlinked,
    pub(super) absences: Absences,
}

/// Defaults of several documents must not differ silently: at most one document states them.
pub(super) fn defaults(halves: &[(&PolicyDocument, Half)], faults: &mut Vec<Fault>) -> Settled {
    let mut stated =
        halves.iter().map(|(_, half)| &half.sections.defaults).filter(|d| d.place.is_some());
    let chosen = stated.next().cloned().unwrap_or_default();
    for other in stated {
        let message = "`defaults` are stated in another document already".to_owned();
        faults.extend(other.place.clone().map(|place| Fault { place, message }));
    }
    let limits = chosen.limits;
    let defaults = crate::policy::Defaults {
        request_expires: chosen.request_expires.unwrap_or(Span::hours(24)),
        terms: Terms {
            max_ttl: limits.max_ttl.unwrap_or(Terms::DEFAULT.max_ttl),
            uses: limits.uses.unwrap_or(Terms::DEFAULT.uses),
            grant_window: limits.grant_window.unwrap_or(Terms::DEFAULT.grant_window),
            ..Terms::DEFAULT
        },
    };
    Settled {
        defaults,
        zone: chosen.zone,
        on_change: chosen.on_change.unwrap_or_default(),
        policy_changes: chosen.policy_changes.unwrap_or_default(),
        on_signal: chosen.on_signal.unwrap_or_default(),
        unlinked: chosen.unlinked_reviewers.unwrap_or_default(),
        absences: chosen.absences.unwrap_or_default(),
    }
}

/// Who is in which group, and the teams at GitHub whose people come from there.
pub(super) fn membership(
    halves: &[(&PolicyDocument, Half)],
    unlinked: Unlinked,
    faults: &mut Vec<Fault>,
) -> (Membership, BTreeMap<String, Team>) {
    let mut groups = BTreeMap::new();
    let mut vouched = BTreeSet::new();
    let mut teams = BTreeMap::new();
    let mut seen = Seen::default();
    for (name, group) in halves.iter().flat_map(|(_, half)| &half.sections.groups) {
        seen.see("group", name, &group.place, faults);
        match &group.people {
            GroupPeople::Listed(people) => drop(groups.insert(name.clone(), people.clone())),
            GroupPeople::Vouched => drop(vouched.insert(name.clone())),
            GroupPeople::Team(team) => drop(teams.insert(name.clone(), team.clone())),
        }
    }
    let mut people = people(halves, faults);
    if unlinked == Unlinked::Forbid {
        let github = (!teams.is_empty()).then(|| GITHUB.to_owned());
        let jobs = trusted(halves).filter_map(|placed| placed.value.accounts_at());
        let issuers = people.issuers().into_iter().chain(github).chain(jobs);
        people = people.with_linked_at(issuers);
    }
    let membership = Membership::new(groups)
        .with_accounts(people)
        .with_vouched(vouched)
        .with_teams(teams.keys().cloned().collect());
    (membership, teams)
}

/// Who has which accounts: each account is one person's, and no person is another's account. The
/// people whom a trust knows by a number have those accounts too.
fn people(halves: &[(&PolicyDocument, Half)], faults: &mut Vec<Fault>) -> People {
    let mut seen = Seen::default();
    let all = || halves.iter().flat_map(|(_, half)| &half.sections.people);
    let persons: BTreeSet<&PrincipalId> = all().map(|(_, placed)| &placed.value.person).collect();
    let mut owners: BTreeMap<PrincipalId, &PrincipalId> = BTreeMap::new();
    let mut is_of = |account: &PrincipalId, person, place: &Place| {
        let other = owners.insert(account.clone(), person).filter(|other| *other != person);
        let problem = match other {
            Some(other) => format!("account `{account}` is `{other}`'s already"),
            None if persons.contains(account) => {
                format!("`{account}` is an account of `{person}`, and has an entry of its own")
            }
            None => return,
        };
        faults.push(Fault { place: place.clone(), message: problem });
    };
    for (_, Placed { place, value }) in all() {
        value.accounts.iter().for_each(|account| is_of(account, &value.person, place));
    }
    for Placed { place, value } in trusted(halves) {
        value.accounts().for_each(|(account, person)| is_of(&account, person, place));
    }
    let people = People::new(owners.into_iter().map(|(account, who)| (account, who.clone())));
    for (name, Placed { place, .. }) in all() {
        seen.see("person", name, place, faults);
    }
    people
}

/// Whom trusts let in.
fn trusted<'a>(halves: &'a [(&PolicyDocument, Half)]) -> impl Iterator<Item = &'a Placed<Trust>> {
    halves.iter().flat_map(|(_, half)| &half.sections.trusts).map(|(_, placed)| placed)
}

/// Everything that has a name, each name once over all documents.
pub(super) fn records(
    halves: &[(&PolicyDocument, Half)],
    zone: Zone,
    faults: &mut Vec<Fault>,
) -> Records {
    let mut records = Records { zone, ..Records::default() };
    let mut seen = Seen::default();
    for (_, half) in halves {
        let sections = &half.sections;
        for (name, placed) in &sections.kinds {
            seen.see("kind", name, &placed.place, faults);
            records.kinds.insert(name.clone(), placed.value);
        }
        for (name, placed) in &sections.environments {
            seen.see("environment", name, &placed.place, faults);
            records.environments.insert(name.clone(), placed.value.clone());
        }
        for (name, placed) in &sections.calendars {
            seen.see("calendar", name, &placed.place, faults);
            match placed.value.calendar(&records.zone) {
                Ok(calendar) => drop(records.calendars.insert(name.clone(), Arc::new(calendar))),
                Err(error) => {
                    let (place, message) = (placed.place.clone(), error.to_string());
                    faults.push(Fault { place, message });
                }
            }
        }
        records.owners.extend(sections.owners.iter().map(|placed| placed.value.clone()));
        for (name, placed) in &sections.authorities {
            seen.see("authority", name, &placed.place, faults);
            records.authorities.insert(name.clone(), placed.value.clone());
        }
        for placed in &sections.delegations {
            if let Some(problem) = clash(&placed.value, &records.delegations) {
                faults.push(Fault { place: placed.place.clone(), message: problem });
            }
            records.delegations.push(placed.value.clone());
        }
    }
    records
}

/// Who is told on which occasions. A group that nobody knows would be told nothing, silently.
pub(super) fn notices(
    halves: &[(&PolicyDocument, Half)],
    membership: &Membership,
    faults: &mut Vec<Fault>,
) -> Vec<Route> {
    let all = halves.iter().flat_map(|(_, half)| &half.sections.notices);
    for Placed { place, value } in all.clone() {
        for to in &value.to {
            let NoticeTo::Named(Addressee::Approver(Approver::Group(group))) = to else { continue };
            if !membership.is_known(group) {
                let nearest = document::nearest(group, membership.names());
                let message = format!(
                    "there is no group `{group}`{nearest}; define it under `groups`, or nobody is told"
                );
                faults.push(Fault { place: place.clone(), message });
            }
        }
    }
    all.map(|placed| placed.value.clone()).collect()
}

/// Somebody with two stand-ins at once would count twice.
fn clash(new: &Delegation, others: &[Delegation]) -> Option<String> {
    let meets = |other: &&Delegation| {
        other.from == new.from && other.starts < new.ends && new.starts < other.ends
    };
    let other = others.iter().find(meets)?;
    Some(format!("`{}` has `{}` standing in at that time already", new.from, other.to))
}

/// Every trust once, and each with groups that a workload can be put into.
pub(super) fn trusts(
    halves: &[(&PolicyDocument, Half)],
    membership: &Membership,
    faults: &mut Vec<Fault>,
) -> BTreeMap<String, document::Placed<Trust>> {
    let (mut seen, mut trusts) = (Seen::default(), BTreeMap::new());
    for (name, placed) in halves.iter().flat_map(|(_, half)| &half.sections.trusts) {
        for group in placed.value.groups().iter().filter(|group| !membership.is_vouched(group)) {
            let message = format!(
                "trust `{name}` puts workloads into the group `{group}`, whose members somebody else \
                 must vouch for: write `{group}: {{identity: true}}` under `groups`"
            );
            faults.push(Fault { place: placed.place.clone(), message });
        }
        seen.see("trust", name, &placed.place, faults);
        trusts.insert(name.clone(), placed.clone());
    }
    trusts
}

/// Every source and transmitter once. A source that comes by a trust needs that trust.
pub(super) fn signals(
    halves: &[(&PolicyDocument, Half)],
    trusts: &BTreeMap<String, document::Placed<Trust>>,
    on_signal: OnSignal,
    faults: &mut Vec<Fault>,
) -> Signals {
    let mut seen = Seen::default();
    let mut signals = Signals { on_signal, ..Signals::default() };
    for (name, placed) in halves.iter().flat_map(|(_, half)| &half.sections.sources) {
        seen.see("source", name, &placed.place, faults);
        if let Speaker::Trust(trust) = &placed.value.speaker
            && !trusts.contains_key(trust)
        {
            let nearest = document::nearest(trust, trusts.keys().map(String::as_str));
            let message = format!("source `{name}`: there is no trust `{trust}`{nearest}");
            faults.push(Fault { place: placed.place.clone(), message });
        }
        signals.sources.insert(name.clone(), placed.value.clone());
    }
    for (name, placed) in halves.iter().flat_map(|(_, half)| &half.sections.transmitters) {
        seen.see("transmitter", name, &placed.place, faults);
        // One issuer's token for one audience is heard once: two entries would be two minds.
        let same = signals.transmitters.values().find(|other: &&Transmitter| {
            (&other.issuer, &other.audience) == (&placed.value.issuer, &placed.value.audience)
        });
        if let Some(other) = same {
            let message = format!(
                "transmitter `{name}` has issuer and audience of `{}`: say it in one entry",
                other.name
            );
            faults.push(Fault { place: placed.place.clone(), message });
        }
        signals.transmitters.insert(name.clone(), placed.value.clone());
    }
    signals
}

/// Where what has a name was defined first. Nothing is ever silently overridden: whichever document
/// it comes from, the second definition is a fault.
#[derive(Default)]
pub(super) struct Seen<'a> {
    first: BTreeMap<(&'static str, &'a str), &'a Place>,
}

impl<'a> Seen<'a> {
    pub(super) fn see(
        &mut self,
        what: &'static str,
        name: &'a str,
        place: &'a Place,
        faults: &mut Vec<Fault>,
    ) {
        let Some(first) = self.first.get(&(what, name)) else {
            self.first.insert((what, name), place);
            return;
        };
        let message = format!("{what} `{name}` is defined twice: at {first} already");
        faults.push(Fault { place: place.clone(), message });
    }
}
