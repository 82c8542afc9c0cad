//! Which rules an intent can match at all, so that the others cost nothing.
//!
//! A rule is found by the texts to which its conditions pin the kind, the environment and one part
//! of the target. What is looked up is never more than what the conditions say: a rule that is
//! left out would have been false.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::intent::Intent;
use crate::policy::attribute::Attribute;
use crate::policy::condition::{Condition, Constant, Test};

/// Rules by what they are pinned to. A rule is a place in the policy's list.
#[derive(Debug, Default)]
pub(super) struct Index {
    any_kind: ByEnvironment,
    by_kind: HashMap<String, ByEnvironment>,
}

#[derive(Debug, Default)]
struct ByEnvironment {
    any: ByTarget,
    by_name: HashMap<String, ByTarget>,
}

#[derive(Debug, Default)]
struct ByTarget {
    any: Vec<usize>,
    by_key: BTreeMap<String, ByValue>,
}

#[derive(Debug, Default)]
struct ByValue {
    /// All of them: where the target lacks the key, whether they hold is not known.
    all: Vec<usize>,
    by_value: HashMap<String, Vec<usize>>,
}

/// The texts to which conditions pin an attribute.
type Texts = BTreeSet<String>;

impl Index {
    /// An index of rules with these conditions, in their order.
    pub(super) fn new<'a>(rules: impl Iterator<Item = &'a [Condition]>) -> Self {
        let rules: Vec<&[Condition]> = rules.collect();
        // A part of the target that many rules share, such as a region, tells little.
        let mut sharing: HashMap<(String, String), usize> = HashMap::new();
        for (key, values) in rules.iter().flat_map(|when| pinned_target(when)) {
            for value in values {
                *sharing.entry((key.clone(), value)).or_default() += 1;
            }
        }
        let mut index = Self::default();
        for (at, when) in rules.into_iter().enumerate() {
            let shared_by = |(key, values): &(String, Texts)| -> usize {
                values.iter().filter_map(|value| sharing.get(&(key.clone(), value.clone()))).sum()
            };
            index.add(at, when, pinned_target(when).into_iter().min_by_key(shared_by));
        }
        index
    }

    fn add(&mut self, at: usize, when: &[Condition], target: Option<(String, Texts)>) {
        for kind in options(pinned(when, &Attribute::Kind)) {
            let by_environment = match kind {
                None => &mut self.any_kind,
                Some(kind) => self.by_kind.entry(kind).or_default(),
            };
            for environment in options(pinned(when, &Attribute::Environment)) {
                let by_target = match environment {
                    None => &mut by_environment.any,
                    Some(name) => by_environment.by_name.entry(name).or_default(),
                };
                by_target.add(at, target.as_ref());
            }
        }
    }

    /// The kinds that rules name.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &str> {
        self.by_kind.keys().map(String::as_str)
    }

    /// The rules that can match, each once, in no order.
    pub(super) fn candidates(&self, intent: &Intent) -> impl Iterator<Item = usize> {
        let by_kind = [Some(&self.any_kind), self.by_kind.get(intent.kind())];
        by_kind
            .into_iter()
            .flatten()
            .flat_map(|found| [Some(&found.any), found.by_name.get(intent.environment())])
            .flatten()
            .flat_map(|found| found.candidates(intent))
            .flatten()
            .copied()
    }
}

impl ByTarget {
    fn add(&mut self, at: usize, pin: Option<&(String, Texts)>) {
        let Some((key, values)) = pin else { return self.any.push(at) };
        let by_value = self.by_key.entry(key.clone()).or_default();
        by_value.all.push(at);
        for value in values {
            by_value.by_value.entry(value.clone()).or_default().push(at);
        }
    }

    fn candidates<'a>(&'a self, intent: &Intent) -> impl Iterator<Item = &'a Vec<usize>> {
        let pinned = self.by_key.iter().filter_map(|(key, found)| match intent.target().get(key) {
            Some(value) => found.by_value.get(value),
            None => Some(&found.all),
        });
        std::iter::once(&self.any).chain(pinned)
    }
}

/// `None`, which is "any", where nothing is pinned.
fn options(texts: Option<Texts>) -> Vec<Option<String>> {
    texts.map_or_else(|| vec![None], |texts| texts.into_iter().map(Some).collect())
}

/// The fewest texts to which one of these conditions pins an attribute. Each stands once: a rule
/// that is found twice would ask its engine twice.
fn pinned(when: &[Condition], attribute: &Attribute) -> Option<Texts> {
    let pins = when.iter().filter_map(pin).filter(|(tested, _)| *tested == attribute);
    pins.map(|(_, texts)| texts).min_by_key(Texts::len)
}

/// Every part of the target that is pinned, with its texts.
fn pinned_target(when: &[Condition]) -> Vec<(String, Texts)> {
    let part = |(attribute, texts): (&Attribute, Texts)| {
        let Attribute::Target(key) = attribute else { return None };
        Some((key.clone(), texts))
    };
    when.iter().filter_map(pin).filter_map(part).collect()
}

/// The attribute that must be one of some texts for a condition to hold.
fn pin(condition: &Condition) -> Option<(&Attribute, Texts)> {
    let Condition::Test { attribute, test: Test::In(constants) } = condition else { return None };
    let text = |constant: &Constant| match constant {
        Constant::Text(text) => Some(text.clone()),
        Constant::Boolean(_) | Constant::Number(_) | Constant::Span(_) | Constant::Instant(_) => {
            None
        }
    };
    Some((attribute, constants.iter().map(text).collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::intent::UnverifiedIntent;
    use crate::policy::Policy;
    use crate::policy::condition::{self, Truth};
    use crate::policy::document::PolicyDocument;
    use crate::policy::situation::{Known, Situation};
    use crate::principal::{Principal, PrincipalId, PrincipalKind};
    use crate::time::Timestamp;

    /// Rules with every way to pin, and to seem to.
    fn policy() -> Policy {
        let kinds = ["", "intent.kind: a.b", "intent.kind: [a.b, c.d]", "not: {intent.kind: a.b}"];
        let environments = ["", "intent.environment: e", "intent.environment: {eq: f}"];
        let targets = [
            "",
            "intent.target.x: \"1\"",
            "intent.target.x: [\"1\", \"2\"]",
            "intent.target.x: \"1\", intent.target.y: [\"1\", \"2\", \"3\"]",
            "intent.target.y: {not: \"1\"}",
            "any: [{intent.target.x: \"1\"}, {intent.target.y: \"1\"}]",
            "intent.target.x: {in: [\"1\", \"2\"], eq: \"2\"}",
        ];
        let mut text =
            "apiVersion: assent/v1\nkind: Policy\nmetadata: {name: p}\nrules:\n".to_owned();
        let each = kinds.iter().flat_map(|kind| {
            let pairs = environments.iter().flat_map(|e| targets.iter().map(move |t| (e, t)));
            pairs.map(move |(environment, target)| (kind, environment, target))
        });
        for (number, (kind, environment, target)) in each.enumerate() {
            let parts = [*kind, *environment, *target];
            let when: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            let when = if when.is_empty() { vec!["intent.reason: because"] } else { when };
            text += &format!("  - {{id: r{number}, when: {{{}}}, allow: {{}}}}\n", when.join(", "));
        }
        Policy::compile(&[PolicyDocument { file: "p.yaml".to_owned(), text }]).unwrap()
    }

    #[test]
    fn whatever_is_not_found_is_false_and_whatever_is_found_is_found_once() {
        let policy = policy();
        let requester = Principal {
            id: PrincipalId::local("alice").unwrap(),
            kind: PrincipalKind::Person,
            groups: BTreeSet::new(),
            acts_for: BTreeSet::new(),
            claims: serde_json::Map::new(),
        };
        let (known, now) = (Known::default(), Timestamp::from_millis(0));
        let mut left_out = 0;
        for (kind, environment) in [("a.b", "e"), ("c.d", "f"), ("g.h", "e"), ("a.b", "other")] {
            for (x, y) in
                [(None, None), (Some("1"), None), (Some("2"), Some("1")), (Some("9"), Some("9"))]
            {
                let parts = [("x", x), ("y", y)];
                let target =
                    parts.iter().filter_map(|(k, v)| Some(((*k).to_owned(), (*v)?.to_owned())));
                let stated = UnverifiedIntent {
                    kind: kind.to_owned(),
                    environment: environment.to_owned(),
                    target: target.collect(),
                    reason: "because".to_owned(),
                    ..UnverifiedIntent::default()
                };
                let intent = stated.verify().unwrap();
                let found: Vec<usize> = policy.index.candidates(&intent).collect();
                let once: BTreeSet<usize> = found.iter().copied().collect();
                assert_eq!(found.len(), once.len());
                let situation =
                    Situation { intent: &intent, requester: &requester, known: &known, now };
                let facts = policy.facts(&situation);
                for (at, rule) in policy.rules.iter().enumerate() {
                    if !once.contains(&at) {
                        left_out += 1;
                        assert_eq!(condition::all(&rule.when, &facts), Truth::False, "{}", rule.id);
                    }
                }
            }
        }
        assert!(left_out > 600, "an index that leaves out {left_out} is none");
    }
}
