//! Conditions: structured, total, three-valued. They cannot loop and cannot fail.
//!
//! An attribute that is absent, or of another type than the test needs, makes the test
//! [`Truth::Unknown`]; strong Kleene logic carries that outward, so the order of conditions never
//! matters and nothing is ever permitted by absence.

use std::collections::BTreeSet;
use std::fmt;

use crate::intent::Intent;
use crate::membership::Membership;
use crate::principal::Principal;

/// True, false, or not to be known from what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// An attribute it needs is absent or of another type.
    Unknown,
}

impl Truth {
    fn of(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }

    /// Strong Kleene conjunction: false settles it, else unknown spreads.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
        }
    }
}

/// What a condition can look at. A new root of attributes is a new variant here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attribute {
    /// `intent.kind`
    Kind,
    /// `intent.environment`
    Environment,
    /// `intent.target.NAME`
    Target(String),
    /// `requester.iss`
    RequesterIss,
    /// `requester.sub`
    RequesterSub,
    /// `requester.groups`
    RequesterGroups,
}

impl Attribute {
    /// The names that are known, for error messages.
    pub const KNOWN: &'static str = "intent.kind, intent.environment, intent.target.NAME, \
        requester.iss, requester.sub, requester.groups";

    /// The attribute of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "intent.kind" => Some(Self::Kind),
            "intent.environment" => Some(Self::Environment),
            "requester.iss" => Some(Self::RequesterIss),
            "requester.sub" => Some(Self::RequesterSub),
            "requester.groups" => Some(Self::RequesterGroups),
            other => {
                let key = other.strip_prefix("intent.target.")?;
                (!key.is_empty()).then(|| Self::Target(key.to_owned()))
            }
        }
    }

    /// Whether it holds a list, not a single text.
    pub fn is_list(&self) -> bool {
        matches!(self, Self::RequesterGroups)
    }

    fn read<'a>(&self, facts: &'a Facts<'_>) -> Option<Reading<'a>> {
        let intent = facts.intent;
        match self {
            Self::Kind => Some(Reading::Text(intent.kind())),
            Self::Environment => Some(Reading::Text(intent.environment())),
            Self::Target(key) => intent.target().get(key).map(|value| Reading::Text(value)),
            Self::RequesterIss => Some(Reading::Text(facts.requester.id.iss())),
            Self::RequesterSub => Some(Reading::Text(facts.requester.id.sub())),
            Self::RequesterGroups => Some(Reading::List(&facts.groups)),
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind => f.write_str("intent.kind"),
            Self::Environment => f.write_str("intent.environment"),
            Self::Target(key) => write!(f, "intent.target.{key}"),
            Self::RequesterIss => f.write_str("requester.iss"),
            Self::RequesterSub => f.write_str("requester.sub"),
            Self::RequesterGroups => f.write_str("requester.groups"),
        }
    }
}

enum Reading<'a> {
    Text(&'a str),
    List(&'a BTreeSet<&'a str>),
}

/// What is known of one intent when policy is asked.
#[derive(Debug)]
pub struct Facts<'a> {
    intent: &'a Intent,
    requester: &'a Principal,
    groups: BTreeSet<&'a str>,
}

impl<'a> Facts<'a> {
    /// The requester's groups are those the issuer vouches for and those of the policy documents.
    pub fn new(intent: &'a Intent, requester: &'a Principal, membership: &'a Membership) -> Self {
        let vouched = requester.groups.iter().map(String::as_str);
        let groups = vouched.chain(membership.groups_of(&requester.id)).collect();
        Self { intent, requester, groups }
    }
}

/// What is demanded of one attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Equals one of these texts.
    In(BTreeSet<String>),
    /// The list holds at least one of these.
    ContainsAny(BTreeSet<String>),
    /// The list holds all of these.
    ContainsAll(BTreeSet<String>),
}

impl Test {
    fn holds(&self, reading: Option<Reading<'_>>) -> Truth {
        match (self, reading) {
            (Self::In(texts), Some(Reading::Text(text))) => Truth::of(texts.contains(text)),
            (Self::ContainsAny(items), Some(Reading::List(list))) => {
                Truth::of(items.iter().any(|item| list.contains(item.as_str())))
            }
            (Self::ContainsAll(items), Some(Reading::List(list))) => {
                Truth::of(items.iter().all(|item| list.contains(item.as_str())))
            }
            (Self::In(_), Some(Reading::List(_)) | None)
            | (Self::ContainsAny(_) | Self::ContainsAll(_), Some(Reading::Text(_)) | None) => {
                Truth::Unknown
            }
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, items) = match self {
            Self::In(items) => ("one of", items),
            Self::ContainsAny(items) => ("contains one of", items),
            Self::ContainsAll(items) => ("contains all of", items),
        };
        write!(f, "{word} [{}]", items.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    }
}

/// One line of a rule's `when`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What it looks at.
    pub attribute: Attribute,
    /// What it demands.
    pub test: Test,
}

impl Condition {
    /// Whether it holds.
    pub fn truth(&self, facts: &Facts<'_>) -> Truth {
        self.test.holds(self.attribute.read(facts))
    }

    /// What was found, for people.
    pub fn found(&self, facts: &Facts<'_>) -> String {
        match self.attribute.read(facts) {
            Some(Reading::Text(text)) => format!("`{text}`"),
            Some(Reading::List(list)) => {
                format!("[{}]", list.iter().copied().collect::<Vec<_>>().join(", "))
            }
            None => "absent".to_owned(),
        }
    }
}

/// Whether all of these hold.
pub fn all(conditions: &[Condition], facts: &Facts<'_>) -> Truth {
    conditions.iter().fold(Truth::True, |truth, condition| truth.and(condition.truth(facts)))
}
