//! What is given: the intent, who asks, and what else is known.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::canonical;
use crate::digest::Digest;
use crate::intent::{Intent, UnverifiedIntent};
use crate::membership::Approver;
use crate::policy::cases::merge;
use crate::policy::cases::read::Desk;
use crate::policy::document::keys::Keys;
use crate::policy::document::{Reader, nearest};
use crate::policy::opinion::Opinion;
use crate::policy::situation::{Concerns, Known, Network};
use crate::policy::yaml::{Node, Yaml};
use crate::principal::{Principal, PrincipalId, PrincipalKind};
use crate::signal::Concern;
use crate::time::Timestamp;

pub(super) const GIVEN: Keys = Keys {
    of: "given",
    known: &["intent", "requester", "plan", "signals", "states", "suspended", "now", "answers"],
    required: &["intent"],
};

pub(super) const INTENT: Keys = Keys {
    of: "intent",
    known: &["kind", "environment", "target", "reason", "duration", "digest", "context"],
    required: &["kind", "environment"],
};

pub(super) const REQUESTER: Keys = Keys {
    of: "requester",
    known: &["person", "workload", "groups", "states", "claims", "network", "acts_for"],
    required: &[],
};

pub(super) const NETWORK: Keys = Keys { of: "network", known: &["ip", "country"], required: &[] };

pub(super) const ANSWER: Keys =
    Keys { of: "answer", known: &["deny", "warn", "allow", "failed"], required: &[] };

/// When a case is, that does not say it: Monday, 2026-01-05 at noon, UTC.
const NOON: i64 = 1_767_614_400_000;

/// Why, in a case that does not say it.
const REASON: &str = "test";

/// Who asks, in a case that does not say it.
const REQUESTER_NAME: &str = "nobody";

/// What a case gives, complete.
pub(super) struct Given {
    pub(super) intent: Intent,
    pub(super) requester: Principal,
    pub(super) known: Known,
    pub(super) now: Timestamp,
    /// The bytes of the plan, where it stands in a file.
    pub(super) plan: Option<Vec<u8>>,
}

/// Where a requester calls from, and what is the matter with it.
type OfRequester = (Network, BTreeSet<Concern>);

impl Desk<'_> {
    /// Everything that is wrong is told before anything is given up.
    pub(super) fn given(&mut self, node: &Node) -> Option<Given> {
        let fields = self.reader.members(node, &GIVEN);
        let (plan, bytes) = match fields.get("plan") {
            Some(node) => match self.plan(node) {
                Some((plan, bytes)) => (Some(Some(plan)), bytes),
                None => (None, None),
            },
            None => (Some(None), None),
        };
        let (asks, of_requester) = match fields.get("requester") {
            Some(node) => self.requester(node).unzip(),
            None => (nobody(), Some(Default::default())),
        };
        let (network, states) = of_requester.unzip();
        let here = fields.get("states").map(|node| self.states(node, Concern::of_environments()));
        let signals = match fields.get("signals") {
            Some(node) => self.object(node),
            None => Some(Map::new()),
        };
        let suspended = fields.get("suspended").map(|node| self.suspended(node));
        let opinions = fields.get("answers").map(|node| self.answers(node));
        let now = match fields.get("now") {
            Some(node) => self.reader.instant(node),
            None => Some(Timestamp::from_millis(NOON)),
        };
        let digest = plan.as_ref().and_then(|plan| plan.as_ref()).map(|plan| plan.digest);
        let intent = fields.get("intent").and_then(|node| self.intent(node, digest));
        let known = Known {
            network: network?,
            concerns: Concerns { requester: states?, environment: here.unwrap_or_default() },
            plan: plan?,
            signals: signals?,
            suspended: suspended.unwrap_or_default(),
            opinions: opinions.unwrap_or_default(),
        };
        Some(Given { intent: intent?, requester: asks?, known, now: now?, plan: bytes })
    }

    fn intent(&mut self, node: &Node, plan: Option<Digest>) -> Option<Intent> {
        let fields = self.reader.members(node, &INTENT);
        let mut text = |name| fields.get(name).and_then(|node| self.reader.text(node));
        let (kind, environment) = (text("kind"), text("environment"));
        let reason = match fields.contains_key("reason") {
            true => text("reason"),
            false => Some(REASON.to_owned()),
        };
        let mut target = BTreeMap::new();
        if let Some(node) = fields.get("target") {
            for (key, node) in self.reader.map(node).unwrap_or_default() {
                target.insert(key.name.clone(), self.reader.text(node)?);
            }
        }
        let context = match fields.get("context") {
            Some(node) => self.object(node),
            None => Some(Map::new()),
        };
        let subject = match fields.get("digest") {
            Some(node) => Some(self.reader.parsed::<Digest>(node)?),
            None => None,
        };
        let duration = match fields.get("duration") {
            Some(_) => Some(self.reader.span(fields.get("duration"))?),
            None => None,
        };
        let stated = UnverifiedIntent {
            kind: kind?,
            environment: environment?,
            target,
            subject,
            plan,
            context: context?,
            reason: reason?,
            duration,
        };
        match stated.verify() {
            Ok(intent) => Some(intent),
            Err(faults) => {
                for fault in faults {
                    let mut at = node;
                    for part in fault.field.splitn(2, '.') {
                        at = merge::member(at, part).unwrap_or(at);
                    }
                    self.reader.fault(&at.place, fault);
                }
                None
            }
        }
    }

    fn requester(&mut self, node: &Node) -> Option<(Principal, OfRequester)> {
        let fields = self.reader.members(node, &REQUESTER);
        let who = match (fields.get("person"), fields.get("workload")) {
            (Some(_), Some(node)) => {
                self.reader.fault(&node.place, "`person` or `workload`: not both");
                None
            }
            (Some(node), None) => self.id(node).map(|id| (id, PrincipalKind::Person)),
            (None, Some(node)) => self.id(node).map(|id| (id, PrincipalKind::Workload)),
            (None, None) => {
                self.reader.fault(&node.place, "requester lacks `person` or `workload`");
                None
            }
        };
        let groups = fields.get("groups").map(|node| texts(&mut self.reader, node));
        let acts_for: BTreeSet<_> = match fields.get("acts_for") {
            Some(node) => {
                let items = self.reader.list(node).unwrap_or_default();
                items.iter().filter_map(|item| self.id(item)).collect()
            }
            None => BTreeSet::new(),
        };
        let claims = match fields.get("claims") {
            Some(node) => self.object(node),
            None => Some(Map::new()),
        };
        let network = match fields.get("network") {
            Some(node) => self.network(node),
            None => Some(Network::default()),
        };
        let (id, kind) = who?;
        if kind == PrincipalKind::Person && !acts_for.is_empty() {
            self.reader.fault(&node.place, "only a workload acts for people");
        }
        let groups = groups.unwrap_or_default().into_iter().collect();
        let states = fields.get("states");
        let states = states.map(|node| self.states(node, Concern::of_principals()));
        let asks = Principal { id, kind, groups, acts_for, claims: claims? };
        Some((asks, (network?, states.unwrap_or_default())))
    }

    /// `bob`, or `ISSUER#SUBJECT`.
    fn id(&mut self, node: &Node) -> Option<PrincipalId> {
        let text = self.reader.text(node)?;
        match format!("person:{text}").parse() {
            Ok(Approver::Person(id)) => Some(id),
            Ok(Approver::Group(_)) | Err(_) => {
                let message = format!("`{text}` names nobody; write NAME or ISSUER#SUBJECT");
                self.reader.fault(&node.place, message);
                None
            }
        }
    }

    fn network(&mut self, node: &Node) -> Option<Network> {
        let fields = self.reader.members(node, &NETWORK);
        let ip = match fields.get("ip") {
            Some(node) => Some(self.reader.parsed::<IpAddr>(node)?),
            None => None,
        };
        let country = match fields.get("country") {
            Some(node) => Some(self.country(node)?),
            None => None,
        };
        Some(Network { ip, country })
    }

    fn country(&mut self, node: &Node) -> Option<String> {
        let text = self.reader.text(node)?;
        if text.len() != 2 || !text.bytes().all(|b| b.is_ascii_uppercase()) {
            return self.reader.expected(node, "a country as two capital letters, such as DE");
        }
        Some(text)
    }

    /// What is the matter, of what can be the matter with that.
    fn states(
        &mut self,
        node: &Node,
        known: impl Iterator<Item = (&'static str, Concern)>,
    ) -> BTreeSet<Concern> {
        let words: Vec<_> = known.collect();
        let items = self.reader.list(node).unwrap_or_default();
        items.iter().filter_map(|item| self.reader.word(item, &words)).collect()
    }

    fn suspended(&mut self, node: &Node) -> BTreeSet<String> {
        let items = self.reader.list(node).unwrap_or_default();
        let rule = |item: &Node| {
            let id = self.reader.text(item)?;
            self.is_rule(item, &id, "allow").then_some(id)
        };
        items.iter().filter_map(rule).collect()
    }

    fn answers(&mut self, node: &Node) -> BTreeMap<String, Opinion> {
        let mut opinions = BTreeMap::new();
        for (key, node) in self.reader.map(node).unwrap_or_default() {
            let at = Node { place: key.place.clone(), value: Yaml::Null };
            let is_rule = self.is_rule(&at, &key.name, "ask");
            if let (true, Some(opinion)) = (is_rule, self.answer(node)) {
                opinions.insert(key.name.clone(), opinion);
            }
        }
        opinions
    }

    fn answer(&mut self, node: &Node) -> Option<Opinion> {
        let fields = self.reader.members(node, &ANSWER);
        if let Some(node) = fields.get("failed") {
            if fields.len() > 1 {
                self.reader.fault(&node.place, "an engine that failed says nothing else");
            }
            return self.reader.text(node).map(|reason| Opinion::Failed { reason });
        }
        let mut said = |name| match fields.get(name) {
            Some(node) => texts(&mut self.reader, node),
            None => Vec::new(),
        };
        let (denies, warns) = (said("deny"), said("warn"));
        let allows = match fields.get("allow") {
            Some(node) => self.reader.boolean(node)?,
            None => false,
        };
        Some(Opinion::Answered { denies, warns, allows })
    }

    /// Whether the policy has this rule, with this effect; else that is a fault.
    fn is_rule(&mut self, node: &Node, id: &str, effect: &str) -> bool {
        let mut rules = self.policy.rules();
        let message = match rules.find(|(rule, ..)| *rule == id) {
            Some((_, word, _)) if word == effect => return true,
            Some((_, word, _)) => format!("rule `{id}` is no {effect} but a rule to {word}"),
            None => {
                let rules = self.policy.rules().filter(|(_, word, _)| *word == effect);
                let nearest = nearest(id, rules.map(|(rule, ..)| rule));
                format!("there is no rule `{id}`{nearest}")
            }
        };
        self.reader.fault(&node.place, message);
        false
    }

    fn object(&mut self, node: &Node) -> Option<Map<String, Value>> {
        self.reader.map(node)?;
        let Value::Object(object) = node.json() else { return None };
        let settled = canonical::settled(&object);
        if settled.is_none() {
            let message = "at most 32 levels, and whole numbers to 2^53 - 1 (RFC 7493)";
            self.reader.fault(&node.place, message);
        }
        settled
    }
}

fn nobody() -> Option<Principal> {
    Some(Principal {
        id: PrincipalId::local(REQUESTER_NAME).ok()?,
        kind: PrincipalKind::Person,
        groups: BTreeSet::new(),
        acts_for: BTreeSet::new(),
        claims: Map::new(),
    })
}

/// A list of texts, which may be empty.
pub(super) fn texts(reader: &mut Reader<'_>, node: &Node) -> Vec<String> {
    let items = reader.list(node).unwrap_or_default();
    items.iter().filter_map(|item| reader.text(item)).collect()
}
