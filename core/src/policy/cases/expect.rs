//! What must follow, and how a ruling differs from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use crate::membership::Approver;
use crate::policy::cases::Difference;
use crate::policy::cases::given::texts;
use crate::policy::document::Reader;
use crate::policy::document::keys::{self, Keys};
use crate::policy::risk::Score;
use crate::policy::ruling::{Addressee, Dpop, Outcome, Requirement, Ruling, Terms};
use crate::policy::yaml::{Node, Yaml};
use crate::time::Span;

pub(super) const EXPECT: Keys = Keys {
    of: "expect",
    known: &[
        "ruling",
        "rules",
        "stages",
        "from",
        "reasons",
        "max_ttl",
        "uses",
        "audiences",
        "grant_window",
        "role",
        "broker",
        "heartbeat",
        "reuse_within_run",
        "dpop",
        "expires_after",
        "notify",
        "post_review",
        "risk",
    ],
    required: &["ruling"],
};

const RULINGS: [(&str, &str); 3] =
    [("permit", "permit"), ("require", "require"), ("refuse", "refuse")];

/// What a case expects. What is `None` is not looked at.
#[derive(Clone, Debug)]
pub(super) struct Expect {
    ruling: &'static str,
    rules: Option<BTreeSet<String>>,
    stages: Option<BTreeMap<String, u32>>,
    from: BTreeMap<String, BTreeSet<Approver>>,
    reasons: Vec<String>,
    max_ttl: Option<Span>,
    uses: Option<u32>,
    audiences: Option<BTreeSet<String>>,
    grant_window: Option<Span>,
    role: Option<String>,
    broker: Option<String>,
    heartbeat: Option<Span>,
    reuse_within_run: Option<bool>,
    dpop: Option<Dpop>,
    expires_after: Option<Span>,
    notify: Option<BTreeSet<Addressee>>,
    post_review: Option<BTreeSet<String>>,
    risk: Option<Score>,
}

impl Expect {
    /// Reads what stands under `expect`; `None` where the ruling cannot be told from it.
    pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Self> {
        let fields = reader.members(node, &EXPECT);
        let mut set = |name: &str| -> Option<BTreeSet<String>> {
            fields.get(name).map(|node| texts(reader, node).into_iter().collect())
        };
        let (rules, audiences, post_review) = (set("rules"), set("audiences"), set("post_review"));
        let notify = fields.get("notify").map(|node| parsed(reader, node));
        let stages = fields.get("stages").map(|node| stages(reader, node));
        let mut text = |name: &str| fields.get(name).and_then(|node| reader.text(node));
        let (role, broker) = (text("role"), text("broker"));
        let mut from = BTreeMap::new();
        if let Some(node) = fields.get("from") {
            for (key, node) in reader.map(node).unwrap_or_default() {
                from.insert(key.name.clone(), parsed(reader, node));
            }
        }
        let ruling = fields.get("ruling").and_then(|node| reader.word(node, &RULINGS));
        Some(Self {
            rules,
            stages,
            from,
            reasons: fields.get("reasons").map(|n| texts(reader, n)).unwrap_or_default(),
            max_ttl: reader.span(fields.get("max_ttl")),
            uses: fields.get("uses").and_then(|node| reader.count(node, 1, 1000)),
            audiences,
            grant_window: reader.span(fields.get("grant_window")),
            role,
            broker,
            heartbeat: reader.span(fields.get("heartbeat")),
            reuse_within_run: fields.get("reuse_within_run").and_then(|node| reader.boolean(node)),
            dpop: fields.get("dpop").and_then(|node| reader.word(node, &keys::DPOP)),
            expires_after: reader.span(fields.get("expires_after")),
            notify,
            post_review,
            risk: fields.get("risk").and_then(|node| score(reader, node)),
            ruling: ruling?,
        })
    }

    pub(super) fn rules(&self) -> Option<&BTreeSet<String>> {
        self.rules.as_ref()
    }

    pub(super) fn expects_risk(&self) -> bool {
        self.risk.is_some()
    }

    pub(super) fn differences(&self, ruling: &Ruling) -> Vec<Difference> {
        let mut compared = Compared(Vec::new());
        compared.one("ruling", Some(&self.ruling), Some(&word(&ruling.outcome)));
        compared.set("rules", self.rules.as_ref(), &ruling.rules);
        self.compare_stages(ruling, &mut compared);
        self.compare_reasons(ruling, &mut compared);
        let terms = terms(&ruling.outcome);
        compared.one("max_ttl", self.max_ttl.as_ref(), terms.map(|t| &t.max_ttl));
        compared.one("uses", self.uses.as_ref(), terms.map(|t| &t.uses));
        compared.one("grant_window", self.grant_window.as_ref(), terms.map(|t| &t.grant_window));
        compared.one("role", self.role.as_ref(), terms.and_then(|t| t.role.as_ref()));
        compared.one("broker", self.broker.as_ref(), terms.and_then(|t| t.broker.as_ref()));
        let heartbeat = terms.and_then(|terms| terms.heartbeat);
        compared.one("heartbeat", self.heartbeat.as_ref(), heartbeat.as_ref());
        let reuse = terms.map(|terms| &terms.reuse_within_run);
        compared.one("reuse_within_run", self.reuse_within_run.as_ref(), reuse);
        compared.one("dpop", self.dpop.as_ref(), terms.and_then(|t| t.dpop.as_ref()));
        let audiences = terms.and_then(|terms| terms.audiences.as_ref());
        let audiences = audiences.map(Listed);
        compared.one("audiences", self.audiences.as_ref().map(Listed).as_ref(), audiences.as_ref());
        let expires_after = requirement(&ruling.outcome).map(|asked| &asked.expires_after);
        compared.one("expires_after", self.expires_after.as_ref(), expires_after);
        compared.set("notify", self.notify.as_ref(), &ruling.notify);
        let reviews = ruling.post_reviews.iter().map(|review| review.rule.clone()).collect();
        compared.set("post_review", self.post_review.as_ref(), &reviews);
        compared.one("risk", self.risk.as_ref(), ruling.risk.as_ref());
        compared.0
    }

    fn compare_stages(&self, ruling: &Ruling, compared: &mut Compared) {
        let asked = requirement(&ruling.outcome).map(|asked| asked.stages.as_slice());
        let asked = asked.unwrap_or_default();
        if let Some(expected) = &self.stages {
            let told = |name: &str, approvals: u32| format!("{name}: {approvals}");
            let expected = expected.iter().map(|(name, count)| told(name, *count)).collect();
            let actual = asked.iter().map(|stage| told(&stage.name, stage.approvals)).collect();
            compared.set("stages", Some(&expected), &actual);
        }
        for (name, expected) in &self.from {
            let stage = asked.iter().find(|stage| stage.name == *name);
            let actual = stage.map(|stage| Listed(&stage.from));
            compared.one(&format!("from {name}"), Some(&Listed(expected)), actual.as_ref());
        }
    }

    /// Each is part of the message of a reason.
    fn compare_reasons(&self, ruling: &Ruling, compared: &mut Compared) {
        let reasons = match &ruling.outcome {
            Outcome::Refuse(reasons) => reasons.as_slice(),
            Outcome::Permit(_) | Outcome::Require(_) => &[],
        };
        for part in &self.reasons {
            if reasons.iter().any(|reason| reason.message.contains(part.as_str())) {
                continue;
            }
            let told: BTreeSet<_> = reasons.iter().map(|reason| reason.message.clone()).collect();
            compared.0.push(Difference {
                what: "reasons".to_owned(),
                expected: format!("one with `{part}`"),
                actual: Listed(&told).to_string(),
            });
        }
    }
}

/// What has been found to differ so far.
struct Compared(Vec<Difference>);

impl Compared {
    /// A value that is expected, if any, and the one that is there, if any.
    fn one<T: PartialEq + Display>(&mut self, what: &str, wanted: Option<&T>, found: Option<&T>) {
        let Some(wanted) = wanted else { return };
        if found != Some(wanted) {
            self.0.push(Difference {
                what: what.to_owned(),
                expected: wanted.to_string(),
                actual: found.map_or("none".to_owned(), ToString::to_string),
            });
        }
    }

    fn set<T: Ord + Display>(
        &mut self,
        what: &str,
        wanted: Option<&BTreeSet<T>>,
        found: &BTreeSet<T>,
    ) {
        self.one(what, wanted.map(Listed).as_ref(), Some(&Listed(found)));
    }
}

/// A set as people read it.
#[derive(PartialEq)]
struct Listed<'a, T: Ord>(&'a BTreeSet<T>);

impl<T: Ord + Display> Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        write!(f, "[{}]", items.join(", "))
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Permit(_) => "permit",
        Outcome::Require(_) => "require",
        Outcome::Refuse(_) => "refuse",
    }
}

fn terms(outcome: &Outcome) -> Option<&Terms> {
    match outcome {
        Outcome::Permit(terms) => Some(terms),
        Outcome::Require(requirement) => Some(&requirement.terms),
        Outcome::Refuse(_) => None,
    }
}

fn requirement(outcome: &Outcome) -> Option<&Requirement> {
    match outcome {
        Outcome::Require(requirement) => Some(requirement),
        Outcome::Permit(_) | Outcome::Refuse(_) => None,
    }
}

fn stages(reader: &mut Reader<'_>, node: &Node) -> BTreeMap<String, u32> {
    let mut stages = BTreeMap::new();
    for (key, node) in reader.map(node).unwrap_or_default() {
        stages.extend(reader.count(node, 1, 100).map(|count| (key.name.clone(), count)));
    }
    stages
}

/// A list, which may be empty, of things with a form of their own.
fn parsed<T>(reader: &mut Reader<'_>, node: &Node) -> BTreeSet<T>
where
    T: std::str::FromStr + Ord,
    T::Err: Display,
{
    let items = reader.list(node).unwrap_or_default();
    items.iter().filter_map(|item| reader.parsed(item)).collect()
}

/// One number, or the least and the most where it is not settled.
fn score(reader: &mut Reader<'_>, node: &Node) -> Option<Score> {
    let Yaml::List(items) = &node.value else {
        let score = reader.count(node, 0, u32::MAX)?;
        return Some(Score { least: score, most: score });
    };
    let [least, most] = items.as_slice() else {
        return reader.expected(node, "the least and the most, such as [0, 40]");
    };
    let (least, most) = (reader.count(least, 0, u32::MAX)?, reader.count(most, 0, u32::MAX)?);
    if least > most {
        return reader.expected(node, "the least first");
    }
    Some(Score { least, most })
}
