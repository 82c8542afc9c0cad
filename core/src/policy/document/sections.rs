//! The sections of a document that give things names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::membership::Approver;
use crate::notice::{Occasion, Route};
use crate::policy::calendar::{Calendar, Date, Dates, TimeOfDay, Weekday, Window, Zone};
use crate::policy::document::keys;
use crate::policy::document::reader::{Fields, Reader};
use crate::policy::document::{
    Absences, CalendarText, Defaults, Half, OnChange, Place, Placed, PolicyChanges, Sections,
    Unlinked,
};
use crate::policy::glob::Glob;
use crate::policy::record::{Category, Delegation, Environment, Ownership};
use crate::policy::yaml::{Key, Node, Yaml};
use crate::principal::PrincipalId;

impl Reader<'_> {
    pub(super) fn document(&mut self, root: Node) -> Half {
        let fields = self.members(&root, &keys::DOCUMENT);
        self.constant(fields.get("apiVersion"), "assent/v1");
        self.constant(fields.get("kind"), "Policy");
        let metadata = fields.get("metadata").map(|node| self.members(node, &keys::METADATA));
        let metadata = metadata.unwrap_or_default();
        self.optional_text(metadata.get("name"));
        let sections = Sections {
            owner: self.optional_text(metadata.get("owner")),
            defaults: fields.get("defaults").map(|node| self.defaults(node)).unwrap_or_default(),
            kinds: self.each(&fields, "kinds", |reader, node| reader.word(node, &Category::ALL)),
            environments: self.each(&fields, "environments", Self::environment),
            groups: fields.get("groups").map(|node| self.groups(node)).unwrap_or_default(),
            people: fields.get("people").map(|node| self.all_accounts(node)).unwrap_or_default(),
            delegations: self.listed(&fields, "delegations", Self::delegation),
            notices: self.listed(&fields, "notices", Self::route),
            owners: self.listed(&fields, "owners", Self::ownership),
            calendars: self.each(&fields, "calendars", Self::calendar),
            trusts: fields.get("trusts").map(|node| self.trusts(node)).unwrap_or_default(),
            authorities: fields
                .get("authorities")
                .map(|node| self.authorities(node))
                .unwrap_or_default(),
            sources: fields.get("sources").map(|node| self.sources(node)).unwrap_or_default(),
            transmitters: fields
                .get("transmitters")
                .map(|node| self.transmitters(node))
                .unwrap_or_default(),
        };
        let (rules, risk) = (fields.get("rules"), fields.get("risk"));
        Half { rules: rules.map(|n| (*n).clone()), risk: risk.map(|n| (*n).clone()), sections }
    }

    /// A map of names, each with a value of one form.
    fn each<T>(
        &mut self,
        fields: &Fields<'_>,
        section: &str,
        read: impl Fn(&mut Self, &Node) -> Option<T>,
    ) -> BTreeMap<String, Placed<T>> {
        let mut named = BTreeMap::new();
        let Some(node) = fields.get(section) else { return named };
        for (Key { place, name }, node) in self.map(node).unwrap_or_default() {
            self.name(place, name);
            if let Some(value) = read(self, node) {
                named.insert(name.clone(), Placed { place: place.clone(), value });
            }
        }
        named
    }

    fn listed<T>(
        &mut self,
        fields: &Fields<'_>,
        section: &str,
        read: impl Fn(&mut Self, &Node) -> Option<T>,
    ) -> Vec<Placed<T>> {
        let Some(node) = fields.get(section) else { return Vec::new() };
        let items = self.list(node).unwrap_or_default();
        let read =
            |item: &Node| read(self, item).map(|value| Placed { place: item.place.clone(), value });
        items.iter().filter_map(read).collect()
    }

    fn defaults(&mut self, node: &Node) -> Defaults {
        let fields = self.members(node, &keys::DEFAULTS);
        self.constant(fields.get("ruling"), "refuse");
        self.constant(fields.get("on_error"), "refuse");
        self.constant(fields.get("self_approval"), "forbid");
        if let Some(distinct) = fields.get("distinct_approvers")
            && self.boolean(distinct) == Some(false)
        {
            self.fault(&distinct.place, "one person is one approval, always: expected true");
        }
        let on_change = [
            ("end_changed", OnChange::EndChanged),
            ("keep", OnChange::Keep),
            ("end_all", OnChange::EndAll),
        ];
        let policy_changes = [
            ("administrator", PolicyChanges::Administrator),
            ("approved", PolicyChanges::Approved),
        ];
        let unlinked = [("forbid", Unlinked::Forbid), ("allow", Unlinked::Allow)];
        let absences = [("allow", Absences::Allow), ("forbid", Absences::Forbid)];
        Defaults {
            place: Some(node.place.clone()),
            request_expires: self.span(fields.get("request_expires")),
            limits: self.limit_fields(&fields),
            zone: fields.get("timezone").and_then(|node| self.parsed::<Zone>(node)),
            on_change: fields.get("on_change").and_then(|node| self.word(node, &on_change)),
            policy_changes: fields
                .get("policy_changes")
                .and_then(|node| self.word(node, &policy_changes)),
            on_signal: fields.get("on_signal").map(|node| self.on_signal(node)),
            unlinked_reviewers: fields
                .get("unlinked_reviewers")
                .and_then(|node| self.word(node, &unlinked)),
            absences: fields.get("absences").and_then(|node| self.word(node, &absences)),
        }
    }

    fn environment(&mut self, node: &Node) -> Option<Environment> {
        let fields = self.members(node, &keys::ENVIRONMENT);
        let tier = self.optional_text(fields.get("tier"));
        let mut labels = BTreeMap::new();
        if let Some(node) = fields.get("labels") {
            for (key, node) in self.map(node)? {
                labels.insert(key.name.clone(), self.text(node)?);
            }
        }
        Some(Environment { tier, labels })
    }

    fn delegation(&mut self, node: &Node) -> Option<Delegation> {
        let fields = self.members(node, &keys::DELEGATION);
        let from = fields.get("from").and_then(|node| self.person(node));
        let to = fields.get("to").and_then(|node| self.person(node));
        let starts = fields.get("starts").and_then(|node| self.instant(node));
        let ends = fields.get("ends").and_then(|node| self.instant(node));
        let delegation = Delegation { from: from?, to: to?, starts: starts?, ends: ends? };
        if delegation.from == delegation.to {
            self.fault(&node.place, "nobody stands in for themselves");
            return None;
        }
        if delegation.starts >= delegation.ends {
            self.fault(&node.place, "`ends` is not after `starts`");
            return None;
        }
        Some(delegation)
    }

    /// Who is told on which occasions; what is left out holds for all.
    fn route(&mut self, node: &Node) -> Option<Route> {
        let fields = self.members(node, &keys::NOTICES);
        let mut on = BTreeSet::new();
        if let Some(node) = fields.get("occasions") {
            for item in self.items(node, "occasions") {
                on.extend(self.word(item, &Occasion::ALL));
            }
        }
        let mut globs = |name: &str| match fields.get(name) {
            Some(node) => {
                let texts = self.one_or_more(node, name);
                texts.iter().filter_map(|(place, text)| self.parse::<Glob>(place, text)).collect()
            }
            None => Vec::new(),
        };
        let (environments, kinds) = (globs("environments"), globs("kinds"));
        let to = self.set_of(Some(fields.get("to")?), "to");
        Some(Route { on, environments, kinds, to })
    }

    pub(super) fn person(&mut self, node: &Node) -> Option<PrincipalId> {
        match self.parsed::<Approver>(node)? {
            Approver::Person(person) => Some(person),
            Approver::Group(_) => self.expected(node, "person:NAME"),
        }
    }

    fn ownership(&mut self, node: &Node) -> Option<Ownership> {
        let fields = self.members(node, &keys::OWNERS);
        let owners = self.approvers(fields.get("owners").copied());
        let target = self.targets(fields.get("target")?, "name what is owned")?;
        Some(Ownership { target, owners: owners.into_iter().map(|(_, owner)| owner).collect() })
    }

    /// Which targets: at least one entry, each with a pattern.
    pub(super) fn targets(&mut self, node: &Node, advice: &str) -> Option<BTreeMap<String, Glob>> {
        let members = self.map(node).unwrap_or_default();
        if members.is_empty() {
            self.fault(&node.place, format_args!("`target` is empty: {advice}"));
            return None;
        }
        let mut target = BTreeMap::new();
        for (key, node) in members {
            target.insert(key.name.clone(), self.parsed::<Glob>(node)?);
        }
        Some(target)
    }

    fn calendar(&mut self, node: &Node) -> Option<CalendarText> {
        let fields = self.members(node, &keys::CALENDAR);
        self.calendar_fields(node, &fields)
    }

    /// A calendar, by a name or inline.
    pub(super) fn calendar_fields(
        &mut self,
        node: &Node,
        fields: &Fields<'_>,
    ) -> Option<CalendarText> {
        let zone = match fields.get("zone") {
            Some(node) => Some(self.parsed::<Zone>(node)?),
            None => None,
        };
        let at_top = ["days", "from", "to"].iter().any(|key| fields.contains_key(key));
        let mut windows = Vec::new();
        match fields.get("windows") {
            Some(list) if at_top => {
                self.fault(&list.place, "`windows` or `days`, `from`, `to`: not both");
                return None;
            }
            Some(list) => {
                for item in self.items(list, "windows") {
                    let fields = self.members(item, &keys::WINDOW);
                    windows.push(self.window(&item.place, &fields)?);
                }
            }
            None if at_top => windows.push(self.window(&node.place, fields)?),
            None => {}
        }
        let include = self.dates(fields.get("include"))?;
        let exclude = self.dates(fields.get("exclude"))?;
        Some(CalendarText { zone, windows, include, exclude })
    }

    fn window(&mut self, place: &Place, fields: &Fields<'_>) -> Option<Window> {
        let days = match fields.get("days") {
            Some(node) => {
                let words = self.one_or_more(node, "days");
                let days = words.iter().map(|(at, word)| self.parse::<Weekday>(at, word));
                Some(days.collect::<Option<BTreeSet<_>>>()?)
            }
            None => None,
        };
        let from = self.time_of_day(fields.get("from"))?;
        let to = self.time_of_day(fields.get("to"))?;
        let window = Window::new(days, from, to);
        self.taken(place, window)
    }

    /// `Some(None)` where nothing is said.
    fn time_of_day(&mut self, node: Option<&&Node>) -> Option<Option<TimeOfDay>> {
        match node {
            Some(node) => self.parsed(node).map(Some),
            None => Some(None),
        }
    }

    pub(super) fn made(
        &mut self,
        place: &Place,
        text: &CalendarText,
        zone: &Zone,
    ) -> Option<Arc<Calendar>> {
        self.taken(place, text.calendar(zone)).map(Arc::new)
    }

    fn taken<T, E: std::fmt::Display>(&mut self, place: &Place, made: Result<T, E>) -> Option<T> {
        made.map_err(|error| self.fault(place, error)).ok()
    }

    fn dates(&mut self, node: Option<&&Node>) -> Option<Vec<Dates>> {
        let Some(node) = node else { return Some(Vec::new()) };
        let mut all = Vec::new();
        for item in self.items(node, "dates") {
            let is_range = matches!(item.value, Yaml::Map(_));
            all.push(if is_range { self.range(item)? } else { Dates::on(self.parsed(item)?) });
        }
        Some(all)
    }

    fn range(&mut self, node: &Node) -> Option<Dates> {
        let fields = self.members(node, &keys::DATES);
        let first = self.parsed::<Date>(fields.get("from")?)?;
        let last = self.parsed::<Date>(fields.get("to")?)?;
        self.taken(&node.place, Dates::between(first, last))
    }
}
