//! People: who is in which group, and who has which accounts elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::membership::Approver;
use crate::policy::document::keys;
use crate::policy::document::reader::Reader;
use crate::policy::document::{Accounts, Group, GroupPeople, Placed};
use crate::policy::yaml::{Key, Node, Yaml};
use crate::principal::PrincipalId;

/// Where the people of github.com have their accounts.
pub(crate) const GITHUB: &str = "https://github.com";

impl Reader<'_> {
    pub(super) fn groups(&mut self, node: &Node) -> BTreeMap<String, Group> {
        let mut groups = BTreeMap::new();
        for (key, node) in self.map(node).unwrap_or_default() {
            self.name(&key.place, &key.name);
            let is_map = matches!(node.value, Yaml::Map(_));
            let people = match is_map {
                true => self.kept_elsewhere(node),
                false => Some(GroupPeople::Listed(self.listed_people(node))),
            };
            let place = key.place.clone();
            groups.extend(people.map(|people| (key.name.clone(), Group { place, people })));
        }
        groups
    }

    /// A group whose people are known elsewhere lists nobody.
    fn kept_elsewhere(&mut self, node: &Node) -> Option<GroupPeople> {
        let fields = self.members(node, &keys::GROUP);
        let identity = fields.get("identity").map(|node| self.boolean(node));
        let team = fields.get("github_team").map(|node| self.parsed(node));
        match (identity, team) {
            (Some(Some(true)), None) => Some(GroupPeople::Vouched),
            (None, Some(team)) => team.map(GroupPeople::Team),
            (Some(None), None) => None, // What could not be read was told.
            _ => {
                let message = "a group lists its people, or has `identity: true`, or \
                    `github_team: ORGANIZATION/TEAM`: one of them";
                self.fault(&node.place, message);
                None
            }
        }
    }

    fn listed_people(&mut self, node: &Node) -> BTreeSet<PrincipalId> {
        let mut people = BTreeSet::new();
        for (place, approver) in self.approvers(Some(node)) {
            match approver {
                Approver::Person(person) => drop(people.insert(person)),
                Approver::Group(_) => self.fault(&place, "a group holds people, not groups"),
            }
        }
        people
    }

    /// Each person's accounts. A key is what stands behind `person:` everywhere else.
    pub(super) fn all_accounts(&mut self, node: &Node) -> BTreeMap<String, Placed<Accounts>> {
        let mut all = BTreeMap::new();
        for (Key { place, name }, node) in self.map(node).unwrap_or_default() {
            let person = self.parse::<Approver>(place, &format!("person:{name}"));
            let accounts = self.accounts(node);
            if let Some(Approver::Person(person)) = person {
                let value = Accounts { person, accounts };
                all.insert(name.clone(), Placed { place: place.clone(), value });
            }
        }
        all
    }

    fn accounts(&mut self, node: &Node) -> BTreeSet<PrincipalId> {
        let told = self.fault_count();
        let fields = self.members(node, &keys::PERSON);
        let mut accounts = BTreeSet::new();
        for (place, number) in
            fields.get("github").map(|node| self.one_or_more(node, "github")).unwrap_or_default()
        {
            let is_number = !number.starts_with('0') && number.chars().all(|c| c.is_ascii_digit());
            match PrincipalId::new(GITHUB, &number).ok().filter(|_| is_number) {
                Some(account) => drop(accounts.insert(account)),
                None => {
                    let message = "expected the number of an account, as \
                        https://api.github.com/users/LOGIN says under `id`: a login can become \
                        somebody else's";
                    self.fault(&place, message);
                }
            }
        }
        let named = fields.get("accounts").map(|node| self.one_or_more(node, "accounts"));
        for (place, text) in named.unwrap_or_default() {
            let parts = text.rsplit_once('#').filter(|(iss, _)| iss.starts_with("https://"));
            match parts.and_then(|(iss, sub)| PrincipalId::new(iss, sub).ok()) {
                Some(account) => drop(accounts.insert(account)),
                None => self.fault(&place, "expected https://ISSUER#SUBJECT"),
            }
        }
        if accounts.is_empty() && self.fault_count() == told {
            self.fault(&node.place, "expected accounts: `github` or `accounts`");
        }
        accounts
    }
}
