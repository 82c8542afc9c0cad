//! Whose word counts for what, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::document::Placed;
use crate::policy::document::keys;
use crate::policy::document::reader::{Reader, place_of};
use crate::policy::glob::Glob;
use crate::policy::yaml::{Node, Yaml};
use crate::principal::{LOCAL_ISSUER, PrincipalId};
use crate::signal::event_token::Event;
use crate::signal::source::{Meaning, Source, Speaker, Transmitter};
use crate::signal::{Concern, OnGranted, OnPending, OnSignal, Reactions};
use crate::trust::{self, KeySource};

/// How people's issuers are written: our own has no URL.
const LOCAL: &str = "local";

impl Reader<'_> {
    pub(super) fn sources(&mut self, node: &Node) -> BTreeMap<String, Placed<Source>> {
        self.named(node, Self::source)
    }

    pub(super) fn transmitters(&mut self, node: &Node) -> BTreeMap<String, Placed<Transmitter>> {
        self.named(node, Self::transmitter)
    }

    fn source(&mut self, name: &str, node: &Node) -> Option<Source> {
        let told = self.fault_count();
        let fields = self.members(node, &keys::SOURCE);
        let speaker = match (fields.get("trust"), fields.get("workload")) {
            (Some(node), None) => self.text(node).map(Speaker::Trust),
            (None, Some(node)) => self.workload(node).map(Speaker::Workload),
            (Some(_), Some(_)) | (None, None) => {
                self.fault(&node.place, "a source is a `trust` or a `workload`: one of the two");
                None
            }
        };
        let states = self.concerns(fields.get("states"));
        let environments: BTreeSet<Glob> = self.set_of(fields.get("environments"), "environments");
        let issuers = self.issuers(fields.get("issuers"));
        let of_environments = states.contains(&Concern::Incident);
        if of_environments == environments.is_empty() {
            let message = "`incident` among the `states` and `environments` in which it is told \
                belong together";
            self.fault(&node.place, message);
        }
        let of_people = states.iter().any(|concern| *concern != Concern::Incident);
        if of_people == issuers.is_empty() {
            let message = "name under `issuers` of whose people and workloads it speaks, and what \
                it says of them under `states`: `local` is this server's own";
            self.fault(&node.place, message);
        }
        let speaker = speaker?;
        let name = name.to_owned();
        (self.fault_count() == told).then_some(Source {
            name,
            speaker,
            states,
            environments,
            issuers,
        })
    }

    fn transmitter(&mut self, name: &str, node: &Node) -> Option<Transmitter> {
        let told = self.fault_count();
        let fields = self.members(node, &keys::TRANSMITTER);
        let issuer = self.optional_text(fields.get("issuer")).unwrap_or_default();
        let audience = self.optional_text(fields.get("audience")).unwrap_or_default();
        if let (Some(node), Some(problem)) = (fields.get("issuer"), trust::url_fault(&issuer)) {
            self.fault(&node.place, problem);
        }
        if let Some(node) = fields.get("audience").filter(|_| !is_audience(&audience)) {
            self.fault(&node.place, "expected 1 to 255 visible characters without spaces");
        }
        let (jwks, at) = (fields.get("jwks"), self.optional_text(fields.get("jwks_uri")));
        let mut problems = Vec::new();
        let keys =
            KeySource::read(jwks.map(|node| node.json()).as_ref(), at.as_ref(), &mut problems);
        for problem in problems {
            let place = place_of(&fields, problem.field, node);
            self.fault(place, format_args!("transmitter `{name}`: {problem}"));
        }
        let issuers = self.issuers(fields.get("issuers"));
        let people = fields.get("people").map(|node| self.numbered(node)).unwrap_or_default();
        if issuers.is_empty() && people.is_empty() {
            let message =
                "it speaks of nobody: name `issuers` of whose people it does, or `people`";
            self.fault(&node.place, message);
        }
        let events = fields.get("events").map(|node| self.meanings(node)).unwrap_or_default();
        let name = name.to_owned();
        let transmitter = Transmitter { name, issuer, audience, keys, issuers, people, events };
        (self.fault_count() == told).then_some(transmitter)
    }

    /// What each event counts as: a state, or a state and how long it holds.
    fn meanings(&mut self, node: &Node) -> BTreeMap<Event, Meaning> {
        let mut meanings = BTreeMap::new();
        for (key, node) in self.map(node).unwrap_or_default() {
            let name = Node { place: key.place.clone(), value: Yaml::Text(key.name.clone()) };
            let event = self.word(&name, &Event::ALL);
            let (concern, lasts) = match &node.value {
                Yaml::Map(_) => {
                    let fields = self.members(node, &keys::MEANING);
                    let concern = fields.get("state").and_then(|node| self.of_person(node));
                    (concern, self.span(fields.get("for")))
                }
                Yaml::Null
                | Yaml::Bool(_)
                | Yaml::Int(_)
                | Yaml::Float(_)
                | Yaml::Text(_)
                | Yaml::List(_) => (self.of_person(node), None),
            };
            meanings.extend(event.zip(concern.map(|concern| Meaning { concern, lasts })));
        }
        if meanings.is_empty() && matches!(&node.value, Yaml::Map(members) if members.is_empty()) {
            self.fault(&node.place, "no event counts as anything");
        }
        meanings
    }

    /// A transmitter speaks of people.
    fn of_person(&mut self, node: &Node) -> Option<Concern> {
        self.word(node, &Meaning::CONCERNS)
    }

    fn concerns(&mut self, node: Option<&&Node>) -> BTreeSet<Concern> {
        let Some(node) = node else { return BTreeSet::new() };
        let items = self.items(node, "states");
        items.iter().filter_map(|item| self.word(item, &Concern::ALL)).collect()
    }

    fn issuers(&mut self, node: Option<&&Node>) -> BTreeSet<String> {
        let Some(node) = node else { return BTreeSet::new() };
        let mut issuers = BTreeSet::new();
        for (place, text) in self.texts(node, "issuers") {
            match trust::url_fault(&text) {
                None => drop(issuers.insert(text)),
                Some(_) if text == LOCAL => drop(issuers.insert(LOCAL_ISSUER.to_owned())),
                Some(problem) => {
                    self.fault(&place, format_args!("{problem}; this server's own is `{LOCAL}`"));
                }
            }
        }
        issuers
    }

    /// `ci`, or `ISSUER#SUBJECT`.
    fn workload(&mut self, node: &Node) -> Option<PrincipalId> {
        let text = self.text(node)?;
        let id = match text.rsplit_once('#') {
            Some((iss, sub)) => PrincipalId::new(iss, sub),
            None => PrincipalId::local(&text),
        };
        id.map_err(|problem| self.fault(&node.place, problem)).ok()
    }

    /// What follows from each concern. That of a suspended person nothing lives on, is not for policy
    /// to choose.
    pub(super) fn on_signal(&mut self, node: &Node) -> OnSignal {
        let mut stated = BTreeMap::new();
        for (key, node) in self.map(node).unwrap_or_default() {
            let name = Node { place: key.place.clone(), value: Yaml::Text(key.name.clone()) };
            let Some(concern) = self.word(&name, &Concern::ALL) else { continue };
            let fields = self.members(node, &keys::REACTIONS);
            let otherwise = Reactions::to(concern);
            let mut granted = |name| fields.get(name).and_then(|n| self.word(n, &OnGranted::ALL));
            let (granted, approved) = (granted("granted"), granted("approved"));
            let pending = fields.get("pending").and_then(|node| self.word(node, &OnPending::ALL));
            let reactions = Reactions {
                pending: pending.unwrap_or(otherwise.pending),
                granted: granted.unwrap_or(otherwise.granted),
                approved: approved.unwrap_or(otherwise.approved),
            };
            let weaker =
                reactions.pending != OnPending::Stop || reactions.granted == OnGranted::Keep;
            if concern == Concern::Suspended && weaker {
                let message = "what a suspended person asked for ends, always: only `approved` is \
                    for policy to choose";
                self.fault(&node.place, message);
            }
            if concern == Concern::Incident && approved.is_some() {
                self.fault(&node.place, "an environment approves nothing");
            }
            stated.insert(concern, reactions);
        }
        OnSignal::new(stated)
    }
}

fn is_audience(text: &str) -> bool {
    let hidden = |c: char| c.is_whitespace() || !crate::principal::is_visible(c);
    (1..=255).contains(&text.len()) && !text.chars().any(hidden)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use crate::policy::document::PolicyDocument;
    use crate::signal::Says;

    fn compiled(text: &str) -> Result<Policy, Vec<String>> {
        let text = format!("apiVersion: assent/v1\nkind: Policy\n{text}");
        let file = PolicyDocument { file: "p.yaml".to_owned(), text };
        let told = |faults: Vec<crate::policy::document::Fault>| {
            faults.iter().map(ToString::to_string).collect()
        };
        Policy::compile(&[file]).map_err(told)
    }

    /// That this is refused with a fault that says so.
    #[track_caller]
    fn check(text: &str, wanted: &str) {
        let faults = compiled(text).unwrap_err();
        assert!(faults.iter().any(|fault| fault.contains(wanted)), "{wanted}: {faults:#?}");
    }

    const TRANSMITTER: &str = "issuer: https://id.example.com, audience: https://a.example.com";

    #[test]
    fn what_is_written_of_sources_and_transmitters_is_what_rules() {
        let policy = compiled(&format!(
            "
defaults: {{on_signal: {{risky: {{pending: stop}}, suspended: {{approved: revoke}}}}}}
sources:
  siem: {{workload: siem, states: [risky, incident], issuers: [local], environments: [prod*]}}
transmitters:
  idp: {{{TRANSMITTER}, people: {{u: person:bob}}, events: {{session-revoked: {{state: risky, for: 1h}}, account-disabled: suspended}}}}
"
        ))
        .unwrap();
        let (source, ours) = (policy.sources().next().unwrap(), "https://assent.example.com");
        let bob = crate::signal::Subject::Person(PrincipalId::local("bob").unwrap());
        assert!(
            source.may_tell(&bob, Concern::Risky, ours)
                && !source.may_tell(&bob, Concern::Flagged, ours)
        );
        let environment = |name: &str| crate::signal::Subject::Environment(name.to_owned());
        assert!(source.may_tell(&environment("production"), Concern::Incident, ours));
        assert!(!source.speaks_of(&environment("staging"), ours));
        assert_eq!(policy.transmitters().next().unwrap().events.len(), 2);
        let reactions = policy.on_signal().to(Says::Is(Concern::Risky));
        assert_eq!((reactions.pending, reactions.granted), (OnPending::Stop, OnGranted::Revoke));
        let otherwise = policy.on_signal().to(Says::Is(Concern::Flagged));
        assert_eq!(otherwise, Reactions::to(Concern::Flagged));
        assert_eq!(policy.on_signal().to(Says::Clear), Reactions::NONE);
    }

    #[test]
    fn what_would_be_too_wide_or_mean_nothing_is_refused() {
        let source = |fields: &str| format!("sources: {{s: {{{fields}}}}}");
        for (fields, wanted) in [
            ("states: [risky], issuers: [local]", "a `trust` or a `workload`"),
            ("trust: t, workload: w, states: [risky], issuers: [local]", "one of the two"),
            ("trust: t, states: [risky], issuers: [local]", "there is no trust `t`"),
            ("workload: w, states: [risky]", "name under `issuers`"),
            ("workload: w, states: [incident], issuers: [local]", "belong together"),
            ("workload: w, states: [risky], issuers: [id.example.com]", "https://"),
            ("workload: w, states: [fishy], issuers: [local]", "unknown `fishy`"),
            ("workload: w, states: [], issuers: [local]", "`states` is empty"),
        ] {
            check(&source(fields), wanted);
        }
        let transmitter =
            |fields: &str| format!("transmitters: {{t: {{{TRANSMITTER}, {fields}}}}}");
        let events = "events: {account-disabled: suspended}";
        for (fields, wanted) in [
            (events.to_owned(), "it speaks of nobody"),
            ("people: {u: person:bob}, events: {}".to_owned(), "no event counts as anything"),
            ("people: {u: person:bob}, events: {made-up: risky}".to_owned(), "unknown `made-up`"),
            (
                "people: {u: person:bob}, events: {account-disabled: incident}".to_owned(),
                "unknown `incident`",
            ),
            (format!("people: {{u: group:g}}, {events}"), "person"),
            (format!("people: {{u: person:bob}}, jwks: {{keys: []}}, {events}"), "no key"),
        ] {
            check(&transmitter(&fields), wanted);
        }
        let twice = format!(
            "transmitters: {{a: {{{TRANSMITTER}, people: {{u: person:b}}, {events}}}, \
             b: {{{TRANSMITTER}, people: {{u: person:b}}, {events}}}}}"
        );
        check(&twice, "say it in one entry");
        let on_signal = |text: &str| format!("defaults: {{on_signal: {{{text}}}}}");
        check(&on_signal("suspended: {granted: keep}"), "ends, always");
        check(&on_signal("suspended: {pending: reconsider}"), "ends, always");
        check(&on_signal("incident: {approved: revoke}"), "an environment approves nothing");
        check(&on_signal("risky: {pending: revoke}"), "unknown `revoke`");
    }
}
