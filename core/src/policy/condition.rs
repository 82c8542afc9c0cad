//! Conditions: structured, total, three-valued. They cannot loop and cannot fail.
//!
//! An attribute that is absent, null, or of another type than the test needs, makes the test
//! [`Truth::Unknown`]; strong Kleene logic carries that outward, so the order of conditions never
//! matters and nothing is ever permitted by absence.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::policy::attribute::{Attribute, Element, List, Reading};
use crate::policy::calendar::Calendar;
use crate::policy::cidr::{self, Cidr};
use crate::policy::glob::Glob;
use crate::policy::situation::Facts;
use crate::time::{Span, Timestamp};

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

    /// Strong Kleene disjunction: true settles it, else unknown spreads.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.negated().and(other.negated()).negated()
    }

    /// Unknown stays unknown.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }

    fn all(truths: impl Iterator<Item = Self>) -> Self {
        truths.fold(Self::True, Self::and)
    }

    fn any(truths: impl Iterator<Item = Self>) -> Self {
        truths.fold(Self::False, Self::or)
    }
}

/// One line of a rule's `when`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// An attribute is tested.
    Test { attribute: Attribute, test: Test },
    /// Not all of these hold.
    Not(Vec<Condition>),
    /// In one of these lists all hold.
    Any(Vec<Vec<Condition>>),
    /// In each of these lists all hold.
    All(Vec<Vec<Condition>>),
}

/// What is demanded of one attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    /// Equals one of these, in type and value.
    In(Vec<Constant>),
    /// The list holds one of these, or all.
    Contains {
        items: Vec<Constant>,
        all: bool,
    },
    /// Compared with its own kind.
    Compare {
        order: Order,
        bound: Constant,
    },
    /// The text begins so.
    Prefix(String),
    /// The text ends so.
    Suffix(String),
    /// The text has one of these forms.
    Glob(Vec<Glob>),
    /// The address is in one of these ranges.
    Cidr(Vec<Cidr>),
    /// Something is there, or nothing.
    Exists(bool),
    /// Now is inside this calendar.
    Within(Arc<Named>),
    /// One element meets all of these.
    Some(Vec<Condition>),
    /// There are elements, and each meets all of these.
    Every(Vec<Condition>),
    /// Equals another attribute, in type and value.
    SameAs(Attribute),
    Not(Box<Test>),
    Any(Vec<Test>),
    All(Vec<Test>),
}

/// A calendar and what the documents call it.
#[derive(Debug, PartialEq)]
pub(crate) struct Named {
    pub(crate) name: Option<String>,
    pub(crate) calendar: Arc<Calendar>,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Gt,
    Gte,
    Lt,
    Lte,
}

impl Order {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Gt => ordering.is_gt(),
            Self::Gte => ordering.is_ge(),
            Self::Lt => ordering.is_lt(),
            Self::Lte => ordering.is_le(),
        }
    }

    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Gt => ">",
            Self::Gte => "≥",
            Self::Lt => "<",
            Self::Lte => "≤",
        }
    }
}

/// A value that stands in the documents.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Constant {
    Text(String),
    Boolean(bool),
    Number(f64),
    Span(Span),
    Instant(Timestamp),
}

impl Constant {
    /// Whether the reading is this, in type and value; unknown where the types differ.
    pub(crate) fn equals(&self, reading: &Reading<'_>) -> Truth {
        match (self, reading) {
            (Self::Text(text), Reading::Text(found)) => Truth::of(text == found),
            (Self::Text(text), Reading::Written(found)) => Truth::of(text == found),
            (Self::Boolean(value), Reading::Boolean(found)) => Truth::of(value == found),
            (Self::Number(number), Reading::Number(found)) => Truth::of(number == found),
            (Self::Number(_), Reading::Score(score)) => {
                let (least, most) = (f64::from(score.least), f64::from(score.most));
                self.score(least, most, |ordering| ordering.is_eq())
            }
            (Self::Span(span), Reading::Span(found)) => Truth::of(span == found),
            (Self::Instant(at), Reading::Instant(found)) => Truth::of(at == found),
            // A reading that is there and of another type is not this: but what it should have been
            // cannot be told, so neither can whether it would.
            (
                Self::Text(_)
                | Self::Boolean(_)
                | Self::Number(_)
                | Self::Span(_)
                | Self::Instant(_),
                _,
            ) => Truth::Unknown,
        }
    }

    /// A range of numbers is smaller, equal or greater only if all of it is.
    fn score(&self, least: f64, most: f64, holds: impl Fn(Ordering) -> bool) -> Truth {
        let Self::Number(bound) = self else { return Truth::Unknown };
        let outcome = |value: f64| value.partial_cmp(bound).is_some_and(&holds);
        let inside = least < *bound && *bound < most && holds(Ordering::Equal);
        match (outcome(least), outcome(most)) {
            (true, true) => Truth::True,
            (false, false) if !inside => Truth::False,
            _ => Truth::Unknown,
        }
    }

    pub(crate) fn compare(&self, order: Order, reading: &Reading<'_>) -> Truth {
        let of = |ordering: Option<Ordering>| {
            ordering.map_or(Truth::Unknown, |ordering| Truth::of(order.holds(ordering)))
        };
        match (reading, self) {
            (Reading::Number(found), Self::Number(bound)) => of(found.partial_cmp(bound)),
            (Reading::Score(score), Self::Number(_)) => {
                let (least, most) = (f64::from(score.least), f64::from(score.most));
                self.score(least, most, |ordering| order.holds(ordering))
            }
            (Reading::Span(found), Self::Span(bound)) => of(Some(found.cmp(bound))),
            (Reading::Instant(found), Self::Instant(bound)) => of(Some(found.cmp(bound))),
            // Local dates and times compare as they are written: the reader let nothing else here.
            (Reading::Written(found), Self::Text(bound)) => of(Some(found.cmp(bound))),
            // Free JSON spells durations and instants as texts.
            (Reading::Text(found), Self::Span(bound)) => {
                of(found.parse::<Span>().ok().map(|found| found.cmp(bound)))
            }
            (Reading::Text(found), Self::Instant(bound)) => {
                of(found.parse::<Timestamp>().ok().map(|found| found.cmp(bound)))
            }
            _ => Truth::Unknown,
        }
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Boolean(value) => value.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Span(span) => span.fmt(f),
            Self::Instant(at) => at.fmt(f),
        }
    }
}

/// Whether all of these hold.
pub(crate) fn all(conditions: &[Condition], facts: &Facts<'_>) -> Truth {
    all_of(conditions, facts, None)
}

/// The attributes that keep these conditions from being settled, because nothing is there.
pub(crate) fn missing(conditions: &[Condition], facts: &Facts<'_>) -> BTreeSet<String> {
    let mut missing = BTreeSet::new();
    let open = conditions.iter().filter(|c| c.truth(facts, None) == Truth::Unknown);
    for condition in open {
        condition.each_test(&mut |attribute, _| {
            let is_inner = matches!(attribute, Attribute::Member(_));
            if !is_inner && matches!(attribute.read(facts, None), Reading::Absent) {
                missing.insert(attribute.to_string());
            }
        });
    }
    missing
}

fn all_of(conditions: &[Condition], facts: &Facts<'_>, element: Option<Element<'_>>) -> Truth {
    let mut truth = Truth::True;
    for condition in conditions {
        truth = truth.and(condition.truth(facts, element));
        if truth == Truth::False {
            return truth;
        }
    }
    truth
}

impl Condition {
    /// Whether it holds, of this element where it stands within `some` or `every`.
    pub(crate) fn truth(&self, facts: &Facts<'_>, element: Option<Element<'_>>) -> Truth {
        let all = |conditions: &Vec<Self>| all_of(conditions, facts, element);
        match self {
            Self::Test { attribute, test } => {
                test.truth(&attribute.read(facts, element), facts, element)
            }
            Self::Not(conditions) => all(conditions).negated(),
            Self::Any(branches) => Truth::any(branches.iter().map(all)),
            Self::All(branches) => Truth::all(branches.iter().map(all)),
        }
    }
}

impl Test {
    /// The tests of the same attribute that it is made of.
    pub(crate) fn parts(&self) -> &[Self] {
        match self {
            Self::Not(test) => std::slice::from_ref(test),
            Self::Any(tests) | Self::All(tests) => tests,
            Self::In(_)
            | Self::Contains { .. }
            | Self::Compare { .. }
            | Self::Prefix(_)
            | Self::Suffix(_)
            | Self::Glob(_)
            | Self::Cidr(_)
            | Self::Exists(_)
            | Self::Within(_)
            | Self::Some(_)
            | Self::Every(_)
            | Self::SameAs(_) => &[],
        }
    }

    /// What it demands of the elements of a list, where it looks at them.
    pub(crate) fn of_elements(&self) -> Option<&[Condition]> {
        let (Self::Some(inner) | Self::Every(inner)) = self else { return None };
        Some(inner)
    }

    /// Whether what was found meets it.
    pub(crate) fn truth(
        &self,
        found: &Reading<'_>,
        facts: &Facts<'_>,
        element: Option<Element<'_>>,
    ) -> Truth {
        let text = |holds: &dyn Fn(&str) -> bool| {
            found.as_text().map_or(Truth::Unknown, |text| Truth::of(holds(text)))
        };
        match self {
            Self::In(constants) => Truth::any(constants.iter().map(|c| c.equals(found))),
            Self::Contains { items, all } => contains(items, *all, found),
            Self::Compare { order, bound } => bound.compare(*order, found),
            Self::Prefix(prefix) => text(&|text| text.starts_with(prefix.as_str())),
            Self::Suffix(suffix) => text(&|text| text.ends_with(suffix.as_str())),
            Self::Glob(globs) => text(&|text| globs.iter().any(|glob| glob.matches(text))),
            Self::Cidr(ranges) => {
                let address = found.as_text().and_then(|text| cidr::address(text).ok());
                address
                    .map_or(Truth::Unknown, |ip| Truth::of(ranges.iter().any(|r| r.contains(ip))))
            }
            Self::Exists(wanted) => Truth::of(matches!(found, Reading::Absent) != *wanted),
            Self::Within(named) => {
                let Reading::Instant(at) = found else { return Truth::Unknown };
                Truth::of(named.calendar.holds(*at))
            }
            Self::Some(inner) => {
                elements(found, |e| Truth::any(e.map(|e| all_of(inner, facts, Some(e)))))
            }
            Self::Every(inner) => elements(found, |mut e| match e.next() {
                Some(first) => Truth::all(
                    std::iter::once(first).chain(e).map(|e| all_of(inner, facts, Some(e))),
                ),
                None => Truth::False,
            }),
            Self::SameAs(other) => same(found, &other.read(facts, element)),
            Self::Not(test) => test.truth(found, facts, element).negated(),
            Self::Any(tests) => Truth::any(tests.iter().map(|t| t.truth(found, facts, element))),
            Self::All(tests) => Truth::all(tests.iter().map(|t| t.truth(found, facts, element))),
        }
    }
}

fn elements<'a>(
    found: &Reading<'a>,
    ask: impl FnOnce(Box<dyn Iterator<Item = Element<'a>> + 'a>) -> Truth,
) -> Truth {
    if let Reading::List(list) = found { ask(list.elements()) } else { Truth::Unknown }
}

/// An element of another type is simply not the item that is looked for.
fn contains(items: &[Constant], all: bool, found: &Reading<'_>) -> Truth {
    let Reading::List(list) = found else { return Truth::Unknown };
    let holds = |item: &Constant| match (list, item) {
        (List::Borrowed(texts), Constant::Text(text)) => texts.contains(text.as_str()),
        (List::Owned(texts), Constant::Text(text)) => texts.contains(text),
        _ => list.elements().any(|element| item.equals(&element.reading()) == Truth::True),
    };
    Truth::of(if all { items.iter().all(holds) } else { items.iter().any(holds) })
}

/// Whether no other number is read as this one (RFC 7493 section 2.2).
pub(crate) fn is_exact(number: f64) -> bool {
    number.abs() < MOST_EXACT
}

/// 2^53.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

fn same(one: &Reading<'_>, other: &Reading<'_>) -> Truth {
    if let (Some(one), Some(other)) = (one.as_text(), other.as_text()) {
        return Truth::of(one == other);
    }
    match (one, other) {
        (Reading::Boolean(one), Reading::Boolean(other)) => Truth::of(one == other),
        // Beyond 2^53 two numbers can be read as one.
        (Reading::Number(one), Reading::Number(other)) => {
            match is_exact(*one) && is_exact(*other) {
                true => Truth::of(one == other),
                false => Truth::Unknown,
            }
        }
        (Reading::Span(one), Reading::Span(other)) => Truth::of(one == other),
        (Reading::Instant(one), Reading::Instant(other)) => Truth::of(one == other),
        _ => Truth::Unknown,
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>().join(", ");
        match self {
            Self::In(items) => match items.as_slice() {
                [one] => write!(f, "= {one}"),
                many => write!(f, "one of [{}]", list(&mut many.iter().map(ToString::to_string))),
            },
            Self::Contains { items, all } => match (items.as_slice(), all) {
                ([one], _) => write!(f, "contains {one}"),
                (many, all) => {
                    let word = if *all { "contains all of" } else { "contains one of" };
                    write!(f, "{word} [{}]", list(&mut many.iter().map(ToString::to_string)))
                }
            },
            Self::Compare { order, bound } => write!(f, "{} {bound}", order.sign()),
            Self::Prefix(text) => write!(f, "begins with {text}"),
            Self::Suffix(text) => write!(f, "ends with {text}"),
            Self::Glob(globs) => {
                write!(f, "like {}", list(&mut globs.iter().map(ToString::to_string)))
            }
            Self::Cidr(ranges) => {
                write!(f, "in {}", list(&mut ranges.iter().map(ToString::to_string)))
            }
            Self::Exists(true) => f.write_str("is there"),
            Self::Exists(false) => f.write_str("is not there"),
            Self::Within(named) => match &named.name {
                Some(name) => write!(f, "within {name}"),
                None => write!(f, "within {}", named.calendar),
            },
            Self::Some(inner) => write!(f, "has one with {}", Joined(inner)),
            Self::Every(inner) => write!(f, "has only those with {}", Joined(inner)),
            Self::SameAs(other) => write!(f, "same as {other}"),
            Self::Not(test) => write!(f, "not ({test})"),
            Self::Any(tests) => {
                let tests: Vec<_> = tests.iter().map(|test| format!("({test})")).collect();
                f.write_str(&tests.join(" or "))
            }
            Self::All(tests) => {
                let tests: Vec<_> = tests.iter().map(|test| format!("({test})")).collect();
                f.write_str(&tests.join(" and "))
            }
        }
    }
}

/// Conditions of which all must hold, in one line.
struct Joined<'a>(&'a [Condition]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&parts.join(" and "))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let branches = |branches: &[Vec<Self>], word: &str| {
            let each: Vec<_> = branches.iter().map(|one| format!("({})", Joined(one))).collect();
            each.join(word)
        };
        match self {
            Self::Test { attribute, test } => write!(f, "{attribute} {test}"),
            Self::Not(inner) => write!(f, "not ({})", Joined(inner)),
            Self::Any(inner) => f.write_str(&branches(inner, " or ")),
            Self::All(inner) => f.write_str(&branches(inner, " and ")),
        }
    }
}
