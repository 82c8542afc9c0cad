//! What a condition can look at, what type it has, and how it is read.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::plan::{self, Change};
use crate::policy::condition::Test;
use crate::policy::risk::Score;
use crate::policy::situation::{Facts, Situation};
use crate::principal::PrincipalKind;
use crate::signal::Concern;
use crate::time::{Span, Timestamp};

/// An attribute, by its name in the documents.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Attribute {
    Kind,
    Category,
    Environment,
    Target(String),
    Reason,
    Digest,
    Duration,
    Tier,
    Label(String),
    EnvironmentStates,
    RequesterIss,
    RequesterSub,
    RequesterKind,
    RequesterGroups,
    RequesterStates,
    Claim(Vec<String>),
    NetworkIp,
    NetworkCountry,
    Plan(PlanFact),
    Now,
    Weekday,
    Date,
    Time,
    Signal(Vec<String>),
    Context(Vec<String>),
    Risk,
    /// A member of the element that `some` or `every` looks at.
    Member(Vec<String>),
}

/// What values an attribute has, so that a test that could never settle is found when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    /// A local date or time, which compares as it is written.
    Clock,
    Number,
    Boolean,
    Span,
    Instant,
    Texts,
    Maps,
    /// Whatever somebody put there.
    Json,
}

/// A fact of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PlanFact {
    Creates,
    Updates,
    Deletes,
    Replaces,
    Reads,
    Imports,
    Moves,
    Forgets,
    Drifts,
    Deferred,
    Outputs,
    ChangeCount,
    Types,
    Providers,
    Actions,
    TagsOnly,
    TouchesIam,
    PublicExposure,
    Provisioners,
    Complete,
    Applyable,
    Errored,
    TerraformVersion,
    FormatVersion,
    Changes,
}

impl PlanFact {
    const ALL: [(&'static str, Self); 25] = [
        ("creates", Self::Creates),
        ("updates", Self::Updates),
        ("deletes", Self::Deletes),
        ("replaces", Self::Replaces),
        ("reads", Self::Reads),
        ("imports", Self::Imports),
        ("moves", Self::Moves),
        ("forgets", Self::Forgets),
        ("drifts", Self::Drifts),
        ("deferred", Self::Deferred),
        ("outputs", Self::Outputs),
        ("change_count", Self::ChangeCount),
        ("types", Self::Types),
        ("providers", Self::Providers),
        ("actions", Self::Actions),
        ("tags_only", Self::TagsOnly),
        ("touches_iam", Self::TouchesIam),
        ("public_exposure", Self::PublicExposure),
        ("provisioners", Self::Provisioners),
        ("complete", Self::Complete),
        ("applyable", Self::Applyable),
        ("errored", Self::Errored),
        ("terraform_version", Self::TerraformVersion),
        ("format_version", Self::FormatVersion),
        ("changes", Self::Changes),
    ];

    fn type_of(self) -> Type {
        match self {
            Self::Creates
            | Self::Updates
            | Self::Deletes
            | Self::Replaces
            | Self::Reads
            | Self::Imports
            | Self::Moves
            | Self::Forgets
            | Self::Drifts
            | Self::Deferred
            | Self::Outputs
            | Self::ChangeCount => Type::Number,
            Self::Types | Self::Providers | Self::Actions => Type::Texts,
            Self::TagsOnly
            | Self::TouchesIam
            | Self::PublicExposure
            | Self::Provisioners
            | Self::Complete
            | Self::Applyable
            | Self::Errored => Type::Boolean,
            Self::TerraformVersion | Self::FormatVersion => Type::Text,
            Self::Changes => Type::Maps,
        }
    }

    fn read<'a>(self, facts: &'a Facts<'_>) -> Reading<'a> {
        let Some(plan) = &facts.situation.known.plan else { return Reading::Absent };
        let told = &plan.facts;
        let number = |count: u64| Reading::Number(count as f64);
        match self {
            Self::Creates => number(told.creates),
            Self::Updates => number(told.updates),
            Self::Deletes => number(told.deletes),
            Self::Replaces => number(told.replaces),
            Self::Reads => number(told.reads),
            Self::Imports => number(told.imports),
            Self::Moves => number(told.moves),
            Self::Forgets => number(told.forgets),
            Self::Drifts => number(told.drifts),
            Self::Deferred => number(told.deferred),
            Self::Outputs => number(told.outputs),
            Self::ChangeCount => number(told.change_count),
            Self::Types => all_whole(&told.types, List::Owned(&told.types)),
            Self::Providers => all_whole(&told.providers, List::Owned(&told.providers)),
            Self::Actions => all_whole(&told.actions, List::Owned(&told.actions)),
            Self::TagsOnly => Reading::boolean(told.tags_only),
            Self::TouchesIam => Reading::boolean(told.touches_iam),
            Self::PublicExposure => Reading::boolean(told.public_exposure),
            Self::Provisioners => Reading::boolean(told.provisioners),
            Self::Complete => Reading::boolean(told.complete),
            Self::Applyable => Reading::boolean(told.applyable),
            Self::Errored => Reading::boolean(told.errored),
            Self::TerraformVersion => Reading::text(told.terraform_version.as_deref()),
            Self::FormatVersion => Reading::Text(&told.format_version),
            Self::Changes => plan
                .changes
                .as_deref()
                .map_or(Reading::Absent, |changes| Reading::List(List::Changes(changes))),
        }
    }
}

/// Names without a part that the documents choose.
const FIXED: [(&str, Attribute); 21] = [
    ("intent.kind", Attribute::Kind),
    ("intent.category", Attribute::Category),
    ("intent.environment", Attribute::Environment),
    ("intent.reason", Attribute::Reason),
    ("intent.digest", Attribute::Digest),
    ("intent.duration", Attribute::Duration),
    ("environment.tier", Attribute::Tier),
    ("requester.iss", Attribute::RequesterIss),
    ("requester.sub", Attribute::RequesterSub),
    ("requester.kind", Attribute::RequesterKind),
    ("requester.groups", Attribute::RequesterGroups),
    ("requester.states", Attribute::RequesterStates),
    ("environment.states", Attribute::EnvironmentStates),
    ("requester.network.ip", Attribute::NetworkIp),
    ("requester.network.country", Attribute::NetworkCountry),
    ("now", Attribute::Now),
    ("now.weekday", Attribute::Weekday),
    ("now.date", Attribute::Date),
    ("now.time", Attribute::Time),
    ("risk.score", Attribute::Risk),
    ("plan.changes", Attribute::Plan(PlanFact::Changes)),
];

/// Names whose last part the documents choose: one key, or a dotted path into JSON.
const OPEN: [&str; 5] =
    ["intent.target.", "environment.labels.", "requester.claims.", "signals.", "context."];

impl Attribute {
    /// The attribute of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if let Some((_, attribute)) = FIXED.iter().find(|(known, _)| *known == name) {
            return Some(attribute.clone());
        }
        if let Some(fact) = name.strip_prefix("plan.") {
            let known = PlanFact::ALL.iter().find(|(known, _)| *known == fact);
            return known.map(|(_, fact)| Self::Plan(*fact));
        }
        let prefix = OPEN.iter().find(|prefix| name.starts_with(**prefix))?;
        let rest = name.strip_prefix(prefix)?;
        match *prefix {
            "intent.target." if !rest.is_empty() => Some(Self::Target(rest.to_owned())),
            "environment.labels." if !rest.is_empty() => Some(Self::Label(rest.to_owned())),
            "requester.claims." => path(rest).map(Self::Claim),
            "signals." => path(rest).map(Self::Signal),
            "context." => path(rest).map(Self::Context),
            _ => None,
        }
    }

    /// The member of an element that this name stands for.
    pub(crate) fn member(name: &str) -> Option<Self> {
        path(name).map(Self::Member)
    }

    /// Every name there is, to tell of the nearest to one that is unknown.
    pub(crate) fn names() -> Vec<String> {
        let fixed = FIXED.iter().map(|(name, _)| (*name).to_owned());
        let plan = PlanFact::ALL.iter().map(|(name, _)| format!("plan.{name}"));
        let open = OPEN.iter().map(|prefix| format!("{prefix}NAME"));
        fixed.chain(plan).chain(open).collect::<BTreeSet<_>>().into_iter().collect()
    }

    pub(crate) fn type_of(&self) -> Type {
        match self {
            Self::Kind
            | Self::Category
            | Self::Environment
            | Self::Target(_)
            | Self::Reason
            | Self::Digest
            | Self::Tier
            | Self::Label(_)
            | Self::RequesterIss
            | Self::RequesterSub
            | Self::RequesterKind
            | Self::NetworkIp
            | Self::NetworkCountry
            | Self::Weekday => Type::Text,
            Self::Date | Self::Time => Type::Clock,
            Self::Duration => Type::Span,
            Self::Now => Type::Instant,
            Self::RequesterGroups | Self::RequesterStates | Self::EnvironmentStates => Type::Texts,
            Self::Risk => Type::Number,
            Self::Plan(fact) => fact.type_of(),
            Self::Claim(_) | Self::Signal(_) | Self::Context(_) | Self::Member(_) => Type::Json,
        }
    }

    /// Whether there are situations without it.
    pub(crate) fn may_be_missing(&self) -> bool {
        match self {
            Self::Kind
            | Self::Environment
            | Self::Reason
            | Self::RequesterIss
            | Self::RequesterSub
            | Self::RequesterKind
            | Self::RequesterGroups
            | Self::RequesterStates
            | Self::EnvironmentStates
            | Self::Now
            | Self::Weekday
            | Self::Date
            | Self::Time => false,
            Self::Category
            | Self::Target(_)
            | Self::Digest
            | Self::Duration
            | Self::Tier
            | Self::Label(_)
            | Self::Claim(_)
            | Self::NetworkIp
            | Self::NetworkCountry
            | Self::Plan(_)
            | Self::Signal(_)
            | Self::Context(_)
            | Self::Risk
            | Self::Member(_) => true,
        }
    }

    pub(crate) fn read<'a>(
        &self,
        facts: &'a Facts<'_>,
        element: Option<Element<'a>>,
    ) -> Reading<'a> {
        let Situation { intent, requester, known, now } = facts.situation;
        let environment = || facts.records.environments.get(intent.environment());
        match self {
            Self::Kind => Reading::Text(intent.kind()),
            Self::Category => {
                Reading::text(facts.records.category(intent.kind()).map(|category| category.word()))
            }
            Self::Environment => Reading::Text(intent.environment()),
            Self::Target(key) => Reading::text(intent.target().get(key).map(String::as_str)),
            Self::Reason => Reading::Text(intent.reason()),
            Self::Digest => intent
                .subject()
                .map_or(Reading::Absent, |digest| Reading::Written(digest.to_string())),
            Self::Duration => intent.duration().map_or(Reading::Absent, Reading::Span),
            Self::Tier => Reading::text(environment().and_then(|e| e.tier.as_deref())),
            Self::Label(key) => {
                Reading::text(environment().and_then(|e| e.labels.get(key)).map(String::as_str))
            }
            Self::RequesterIss => Reading::Text(requester.id.iss()),
            Self::RequesterSub => Reading::Text(requester.id.sub()),
            Self::RequesterKind => Reading::Text(match requester.kind {
                PrincipalKind::Person => "person",
                PrincipalKind::Workload => "workload",
            }),
            Self::RequesterGroups => Reading::List(List::Borrowed(facts.groups())),
            Self::RequesterStates => Reading::List(List::Concerns(&known.concerns.requester)),
            Self::EnvironmentStates => Reading::List(List::Concerns(&known.concerns.environment)),
            Self::Claim(path) => Reading::json(within(&requester.claims, path)),
            Self::NetworkIp => known
                .network
                .ip
                .map_or(Reading::Absent, |ip| Reading::Written(ip.to_canonical().to_string())),
            Self::NetworkCountry => Reading::text(known.network.country.as_deref()),
            Self::Plan(fact) => fact.read(facts),
            Self::Now => Reading::Instant(now),
            Self::Weekday => Reading::Text(facts.local().weekday.name()),
            Self::Date => Reading::Written(facts.local().date.to_string()),
            Self::Time => Reading::Written(facts.local().time.to_string()),
            Self::Signal(path) => Reading::json(within(&known.signals, path)),
            Self::Context(path) => Reading::json(within(intent.context(), path)),
            Self::Risk => Reading::Score(facts.score()),
            Self::Member(path) => element.map_or(Reading::Absent, |e| e.member(path)),
        }
    }
}

fn path(text: &str) -> Option<Vec<String>> {
    let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    parts.iter().all(|part| !part.is_empty()).then_some(parts)
}

fn within<'a>(root: &'a serde_json::Map<String, Value>, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(root.get(first)?, |value, key| value.as_object()?.get(key))
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(key) => write!(f, "intent.target.{key}"),
            Self::Label(key) => write!(f, "environment.labels.{key}"),
            Self::Claim(path) => write!(f, "requester.claims.{}", path.join(".")),
            Self::Signal(path) => write!(f, "signals.{}", path.join(".")),
            Self::Context(path) => write!(f, "context.{}", path.join(".")),
            Self::Member(path) => f.write_str(&path.join(".")),
            Self::Plan(fact) => {
                let name = PlanFact::ALL.iter().find(|(_, known)| known == fact);
                write!(f, "plan.{}", name.map_or("", |(name, _)| name))
            }
            other @ (Self::Kind
            | Self::Category
            | Self::Environment
            | Self::Reason
            | Self::Digest
            | Self::Duration
            | Self::Tier
            | Self::RequesterIss
            | Self::RequesterSub
            | Self::RequesterKind
            | Self::RequesterGroups
            | Self::RequesterStates
            | Self::EnvironmentStates
            | Self::NetworkIp
            | Self::NetworkCountry
            | Self::Now
            | Self::Weekday
            | Self::Date
            | Self::Time
            | Self::Risk) => {
                let name = FIXED.iter().find(|(_, known)| known == other);
                f.write_str(name.map_or("", |(name, _)| name))
            }
        }
    }
}

/// What was found at an attribute.
#[derive(Clone, Debug)]
pub(crate) enum Reading<'a> {
    /// Nothing, or null.
    Absent,
    Text(&'a str),
    /// A text that stands nowhere as such.
    Written(String),
    Boolean(bool),
    Number(f64),
    Score(Score),
    Span(Span),
    Instant(Timestamp),
    List(List<'a>),
    /// A JSON object.
    Map,
}

impl<'a> Reading<'a> {
    fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Absent, Self::Text)
    }

    fn boolean(value: Option<bool>) -> Self {
        value.map_or(Self::Absent, Self::Boolean)
    }

    fn json(value: Option<&'a Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Absent,
            Some(Value::Bool(value)) => Self::Boolean(*value),
            Some(Value::Number(number)) => number.as_f64().map_or(Self::Absent, Self::Number),
            Some(Value::String(text)) => Self::Text(text),
            Some(Value::Array(items)) => Self::List(List::Json(items)),
            Some(Value::Object(_)) => Self::Map,
        }
    }

    /// The text, where it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Written(text) => Some(text),
            Self::Absent
            | Self::Boolean(_)
            | Self::Number(_)
            | Self::Score(_)
            | Self::Span(_)
            | Self::Instant(_)
            | Self::List(_)
            | Self::Map => None,
        }
    }
}

impl fmt::Display for Reading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("absent"),
            Self::Text(text) => write!(f, "`{text}`"),
            Self::Written(text) => write!(f, "`{text}`"),
            Self::Boolean(value) => value.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Score(score) => score.fmt(f),
            Self::Span(span) => span.fmt(f),
            Self::Instant(at) => at.fmt(f),
            Self::Map => f.write_str("a map"),
            Self::List(List::Changes(changes)) => write!(f, "{} changes", changes.len()),
            Self::List(list) => {
                let items: Vec<_> = list.elements().map(|e| e.reading().to_string()).collect();
                write!(f, "[{}]", items.join(", "))
            }
        }
    }
}

/// A list, wherever it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum List<'a> {
    Borrowed(&'a BTreeSet<&'a str>),
    Owned(&'a BTreeSet<String>),
    Strings(&'a [String]),
    Concerns(&'a BTreeSet<Concern>),
    Json(&'a [Value]),
    Changes(&'a [Change]),
}

impl<'a> List<'a> {
    pub(crate) fn elements(self) -> Box<dyn Iterator<Item = Element<'a>> + 'a> {
        match self {
            Self::Borrowed(texts) => Box::new(texts.iter().map(|text| Element::Text(text))),
            Self::Owned(texts) => Box::new(texts.iter().map(|text| Element::Text(text))),
            Self::Strings(texts) => Box::new(texts.iter().map(|text| Element::Text(text))),
            Self::Concerns(all) => Box::new(all.iter().map(|one| Element::Text(one.word()))),
            Self::Json(values) => Box::new(values.iter().map(Element::Json)),
            Self::Changes(changes) => Box::new(changes.iter().map(Element::Change)),
        }
    }
}

/// One element of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Element<'a> {
    Text(&'a str),
    Json(&'a Value),
    Change(&'a Change),
}

impl<'a> Element<'a> {
    pub(crate) fn reading(self) -> Reading<'a> {
        match self {
            Self::Text(text) => Reading::Text(text),
            Self::Json(value) => Reading::json(Some(value)),
            Self::Change(_) => Reading::Map,
        }
    }

    fn member(self, path: &[String]) -> Reading<'a> {
        match (self, path) {
            (Self::Text(_), _) | (_, []) => Reading::Absent,
            (Self::Json(value), _) => {
                Reading::json(value.as_object().and_then(|object| within(object, path)))
            }
            (Self::Change(change), [name]) => change_member(change, name),
            (Self::Change(_), _) => Reading::Absent,
        }
    }
}

/// The members of a plan's change that conditions can look at.
pub(crate) const CHANGE_MEMBERS: [&str; 15] = [
    "address",
    "module",
    "mode",
    "type",
    "name",
    "provider",
    "actions",
    "paths",
    "replace_reasons",
    "previous_address",
    "importing",
    "deferred",
    "tags_only",
    "touches_iam",
    "public_exposure",
];

fn change_member<'a>(change: &'a Change, name: &str) -> Reading<'a> {
    match name {
        "address" => whole(&change.address),
        // The root is known, and has no name.
        "module" => whole(change.module.as_deref().unwrap_or_default()),
        "mode" => whole(&change.mode),
        "type" => whole(&change.type_name),
        "name" => whole(&change.name),
        "provider" => change.provider.as_deref().map_or(Reading::Absent, whole),
        "actions" => all_whole(&change.actions, List::Strings(&change.actions)),
        "paths" => all_whole(&change.paths, List::Strings(&change.paths)),
        "replace_reasons" => {
            all_whole(&change.replace_reasons, List::Strings(&change.replace_reasons))
        }
        "previous_address" => change.previous_address.as_deref().map_or(Reading::Absent, whole),
        "importing" => Reading::Boolean(change.importing),
        "deferred" => change.deferred.as_deref().map_or(Reading::Absent, whole),
        "tags_only" => Reading::boolean(change.tags_only),
        "touches_iam" => Reading::boolean(change.touches_iam),
        "public_exposure" => Reading::boolean(change.public_exposure),
        _ => Reading::Absent,
    }
}

/// A text of a plan. One in which something is hidden is not known: whoever wrote the plan chooses
/// what it marks as sensitive, and must not choose by that what a rule sees.
fn whole(text: &str) -> Reading<'_> {
    if is_whole(text) { Reading::Text(text) } else { Reading::Absent }
}

/// A list of a plan's texts; one with something hidden in it, or that was cut, is not known.
fn all_whole<'a>(texts: impl IntoIterator<Item = &'a String>, list: List<'a>) -> Reading<'a> {
    if texts.into_iter().all(|text| is_whole(text)) { Reading::List(list) } else { Reading::Absent }
}

/// Whether nothing of it is hidden, and nothing is left out in its place.
pub(crate) fn is_whole(text: &str) -> bool {
    !text.contains(plan::MARKER) && text != plan::CUT
}

/// Whether a test of this attribute could ever settle, by its type alone; else what would fit.
pub(crate) fn misfit(attribute: &Attribute, test: &Test) -> Option<&'static str> {
    let kind = attribute.type_of();
    let fits = |types: &[Type]| types.contains(&kind) || kind == Type::Json;
    match test {
        Test::In(_) => (!fits(&[
            Type::Text,
            Type::Clock,
            Type::Number,
            Type::Boolean,
            Type::Span,
            Type::Instant,
        ]))
        .then_some("use contains, contains_any or contains_all"),
        Test::Contains { .. } => {
            (!fits(&[Type::Texts])).then_some("it is no list of texts; use eq or in")
        }
        Test::Compare { .. } => (!fits(&[Type::Clock, Type::Number, Type::Span, Type::Instant]))
            .then_some("it has no order; use eq or in"),
        Test::Prefix(_) | Test::Suffix(_) | Test::Glob(_) => {
            (!fits(&[Type::Text, Type::Clock])).then_some("it is no text")
        }
        Test::Cidr(_) => {
            let is_ip = *attribute == Attribute::NetworkIp;
            (!is_ip && !fits(&[Type::Text])).then_some("it is no address")
        }
        Test::Within(_) => (!fits(&[Type::Instant])).then_some("only an instant can be within"),
        Test::Some(_) | Test::Every(_) => (!fits(&[Type::Maps])).then_some("it is no list of maps"),
        Test::Exists(_) | Test::SameAs(_) | Test::Not(_) | Test::Any(_) | Test::All(_) => None,
    }
}
