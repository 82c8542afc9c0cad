//! Who is in which group, at one moment. Core never fetches it: it is an argument, like time.

mod people;
mod team;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::principal::PrincipalId;

pub use people::{People, Tie};
pub use team::{NotATeam, Team};

/// Groups and their people, as known now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    groups: Arc<BTreeMap<String, BTreeSet<PrincipalId>>>,
    /// The same the other way round: every rule that looks at groups asks it.
    groups_of: Arc<BTreeMap<PrincipalId, BTreeSet<String>>>,
    /// Groups that the identity provider vouches for; who is in them, only it knows.
    vouched: Arc<BTreeSet<String>>,
    /// Groups that are teams at GitHub; who is in them, only that knows.
    teams: Arc<BTreeSet<String>>,
    /// Who has which accounts.
    accounts: Arc<People>,
    /// Who stands in for whom, at that moment.
    stand_ins: BTreeMap<PrincipalId, BTreeSet<PrincipalId>>,
    /// Who counts nowhere, whatever group they are in.
    suspended: BTreeSet<PrincipalId>,
}

impl Membership {
    /// These groups and nobody else.
    pub fn new(groups: BTreeMap<String, BTreeSet<PrincipalId>>) -> Self {
        let mut groups_of: BTreeMap<PrincipalId, BTreeSet<String>> = BTreeMap::new();
        for (group, people) in &groups {
            for person in people {
                groups_of.entry(person.clone()).or_default().insert(group.clone());
            }
        }
        Self { groups: Arc::new(groups), groups_of: Arc::new(groups_of), ..Self::default() }
    }

    /// The same, where these people have these accounts: whoever is told of by any of them is the one
    /// person. To be said first: what is added later is added by it.
    #[must_use]
    pub fn with_accounts(mut self, accounts: People) -> Self {
        if !accounts.is_empty() {
            let person = |who: &PrincipalId| accounts.person(who).clone();
            let named = |(group, all): (&String, &BTreeSet<_>)| {
                (group.clone(), all.iter().map(person).collect())
            };
            let Self { groups, groups_of, .. } = Self::new(self.groups.iter().map(named).collect());
            (self.groups, self.groups_of) = (groups, groups_of);
        }
        Self { accounts: Arc::new(accounts), ..self }
    }

    /// The same, where each of these pairs are accounts of one person, who signed in to both, and those
    /// of `former` once were: they share nothing any more, and still count as one.
    #[must_use]
    pub fn with_links(
        mut self,
        current: &[(PrincipalId, PrincipalId)],
        former: &[(PrincipalId, PrincipalId)],
    ) -> Self {
        if current.is_empty() && former.is_empty() {
            return self;
        }
        let accounts = Arc::unwrap_or_clone(std::mem::take(&mut self.accounts));
        let accounts = accounts.with_links(current, former);
        let stand_ins = std::mem::take(&mut self.stand_ins);
        let linked = self.with_accounts(accounts);
        let pairs = stand_ins.into_iter().flat_map(|(to, all)| {
            all.into_iter().map(move |from| (to.clone(), from)).collect::<Vec<_>>()
        });
        linked.with_stand_ins(pairs)
    }

    /// The same, where nobody reviews what an account of this issuer is behind unless their own account
    /// there is linked.
    #[must_use]
    pub fn also_linked_at(self, issuer: &str) -> Self {
        if self.accounts.linked_at().contains(issuer) {
            return self;
        }
        let accounts = Arc::unwrap_or_clone(self.accounts).also_linked_at(issuer);
        Self { accounts: Arc::new(accounts), ..self }
    }

    /// The same, with groups that are teams at GitHub.
    #[must_use]
    pub fn with_teams(self, teams: BTreeSet<String>) -> Self {
        Self { teams: Arc::new(teams), ..self }
    }

    /// The same, with groups that the identity provider vouches for.
    #[must_use]
    pub fn with_vouched(self, vouched: BTreeSet<String>) -> Self {
        Self { vouched: Arc::new(vouched), ..self }
    }

    /// The same, with people of groups that the identity provider vouches for. Nobody comes into any
    /// other group by this: those that the documents list hold whom the documents say.
    #[must_use]
    pub fn with_members(
        mut self,
        members: impl IntoIterator<Item = (String, PrincipalId)>,
    ) -> Self {
        for (group, person) in members {
            if self.vouched.contains(&group) {
                self.put(group, &person);
            }
        }
        self
    }

    /// The same, with the accounts that are in teams at GitHub now. As with those that the identity
    /// provider vouches for, nobody comes into any other group by this.
    #[must_use]
    pub fn with_team_members(
        mut self,
        members: impl IntoIterator<Item = (String, PrincipalId)>,
    ) -> Self {
        for (group, account) in members {
            if self.teams.contains(&group) {
                self.put(group, &account);
            }
        }
        self
    }

    fn put(&mut self, group: String, who: &PrincipalId) {
        let person = self.accounts.person(who).clone();
        let theirs = Arc::make_mut(&mut self.groups_of).entry(person.clone()).or_default();
        theirs.insert(group.clone());
        Arc::make_mut(&mut self.groups).entry(group).or_default().insert(person);
    }

    /// Whether the identity provider vouches for any group at all.
    pub fn has_vouched(&self) -> bool {
        !self.vouched.is_empty()
    }

    /// The same, where the first of each pair stands in for the second.
    #[must_use]
    pub fn with_stand_ins(
        mut self,
        stand_ins: impl IntoIterator<Item = (PrincipalId, PrincipalId)>,
    ) -> Self {
        for (to, from) in stand_ins {
            let to = self.accounts.person(&to).clone();
            self.stand_ins.entry(to).or_default().insert(from);
        }
        self
    }

    /// The same, where these are suspended: nobody is asked for them, they are asked nothing, and
    /// what they have approved does not count.
    #[must_use]
    pub fn with_suspended(self, suspended: BTreeSet<PrincipalId>) -> Self {
        Self { suspended, ..self }
    }

    /// Whether somebody is suspended, by whichever of their accounts.
    pub fn is_suspended(&self, who: &PrincipalId) -> bool {
        self.suspended.iter().any(|suspended| self.are_same(suspended, who))
    }

    /// Who has which accounts.
    pub fn accounts(&self) -> &People {
        &self.accounts
    }

    /// The person whose account this is, where it is known to be somebody's.
    pub fn person<'a>(&'a self, who: &'a PrincipalId) -> &'a PrincipalId {
        self.accounts.person(who)
    }

    /// Whether these are one person.
    pub fn are_same(&self, one: &PrincipalId, other: &PrincipalId) -> bool {
        self.person(one) == self.person(other)
    }

    /// By whom somebody is counted: one for all accounts that are or ever were one person's.
    pub fn counted_as<'a>(&'a self, who: &'a PrincipalId) -> &'a PrincipalId {
        self.accounts.counted_as(who)
    }

    /// Whether these count as one: they are one person, or once were.
    pub fn count_as_one(&self, one: &PrincipalId, other: &PrincipalId) -> bool {
        self.counted_as(one) == self.counted_as(other)
    }

    /// These, and everybody they are known as besides.
    pub fn known_as(&self, these: &BTreeSet<&PrincipalId>) -> BTreeSet<PrincipalId> {
        let all = these.iter().flat_map(|who| self.accounts.known_as(who));
        all.chain(these.iter().copied()).cloned().collect()
    }

    /// Why this person must not review what these are behind, as is known now: they are one of
    /// them, or it cannot be told that they are not. Whatever asks whether somebody is behind a
    /// request at a moment asks this.
    pub fn tie(&self, who: &PrincipalId, behind: &BTreeSet<&PrincipalId>) -> Option<Tie> {
        self.accounts.tie(who, behind)
    }

    /// Those for whom somebody stands in.
    pub fn stands_in_for(&self, who: &PrincipalId) -> BTreeSet<PrincipalId> {
        self.stand_ins.get(self.person(who)).cloned().unwrap_or_default()
    }

    /// Whether somebody stands in for this person.
    pub fn has_stand_in(&self, who: &PrincipalId) -> bool {
        self.stand_ins_of(who).next().is_some()
    }

    /// Those who stand in for somebody.
    pub fn stand_ins_of<'a>(
        &'a self,
        who: &'a PrincipalId,
    ) -> impl Iterator<Item = &'a PrincipalId> {
        let stands_in = move |absent: &BTreeSet<PrincipalId>| {
            absent.iter().any(|absent| self.are_same(absent, who))
        };
        self.stand_ins.iter().filter(move |(_, absent)| stands_in(absent)).map(|(to, _)| to)
    }

    /// Whether there is such a group, wherever its people are listed.
    pub fn is_known(&self, group: &str) -> bool {
        self.groups.contains_key(group) || self.is_kept_elsewhere(group)
    }

    /// Whether its people are not listed by the documents: the identity provider or GitHub knows.
    pub fn is_kept_elsewhere(&self, group: &str) -> bool {
        self.vouched.contains(group) || self.teams.contains(group)
    }

    /// Whether the identity provider vouches for the group.
    pub fn is_vouched(&self, group: &str) -> bool {
        self.vouched.contains(group)
    }

    /// The names of all groups.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let elsewhere = self.vouched.iter().chain(self.teams.iter());
        let elsewhere = elsewhere.filter(|name| !self.groups.contains_key(*name));
        self.groups.keys().chain(elsewhere).map(String::as_str)
    }

    /// The people of a group; `None` when there is no such group.
    pub fn members(&self, group: &str) -> Option<&BTreeSet<PrincipalId>> {
        self.groups.get(group)
    }

    /// The groups a principal is in.
    pub fn groups_of<'a>(&'a self, who: &PrincipalId) -> impl Iterator<Item = &'a str> + use<'a> {
        self.groups_of.get(self.person(who)).into_iter().flatten().map(String::as_str)
    }

    /// As what somebody may be named where approvers are: each of their accounts and groups, and those
    /// of whom they stand in for.
    pub fn named_as(&self, who: &PrincipalId) -> BTreeSet<Approver> {
        let absent = self.stands_in_for(who);
        let accounts = self.known_as(&absent.iter().chain([who]).collect());
        let groups = accounts.iter().flat_map(|account| self.groups_of(account));
        let groups: Vec<_> = groups.map(|group| Approver::Group(group.to_owned())).collect();
        accounts.into_iter().map(Approver::Person).chain(groups).collect()
    }

    /// Whether this approver stands for this person.
    pub fn includes(&self, approver: &Approver, who: &PrincipalId) -> bool {
        if self.is_suspended(who) {
            return false;
        }
        match approver {
            Approver::Person(person) => self.are_same(person, who),
            Approver::Group(group) => {
                self.members(group).is_some_and(|all| all.contains(self.person(who)))
            }
        }
    }

    /// Everybody these approvers stand for.
    pub fn people<'a>(
        &'a self,
        approvers: impl IntoIterator<Item = &'a Approver>,
    ) -> BTreeSet<&'a PrincipalId> {
        let mut all = BTreeSet::new();
        for approver in approvers {
            match approver {
                Approver::Person(person) => all.extend([self.person(person)]),
                Approver::Group(group) => all.extend(self.members(group).into_iter().flatten()),
            }
        }
        all.retain(|who| !self.is_suspended(who));
        all
    }
}

/// Who may review: a group or one person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Approver {
    /// Everybody in this group.
    Group(String),
    /// This person.
    Person(PrincipalId),
}

impl fmt::Display for Approver {
    /// The form of the policy documents: `group:release-managers`, `person:bob`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => write!(f, "group:{group}"),
            Self::Person(person) => write!(f, "person:{person}"),
        }
    }
}

/// The text names neither a group nor a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names nobody; write group:NAME, person:NAME or person:ISSUER#SUBJECT")]
pub struct NotAnApprover(String);

impl std::str::FromStr for Approver {
    type Err = NotAnApprover;

    fn from_str(text: &str) -> Result<Self, NotAnApprover> {
        let fault = || NotAnApprover(text.to_owned());
        if let Some(group) = text.strip_prefix("group:") {
            let named = !group.is_empty() && group.chars().all(is_name_character);
            return if named { Ok(Self::Group(group.to_owned())) } else { Err(fault()) };
        }
        let person = text.strip_prefix("person:").ok_or_else(fault)?;
        let id = match person.rsplit_once('#') {
            Some((iss, sub)) => PrincipalId::new(iss, sub),
            None => PrincipalId::local(person),
        };
        id.map(Self::Person).map_err(|_| fault())
    }
}

/// The characters of which names of groups, rules and stages are made.
pub fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/')
}
