//! Whether conditions can hold together at all.
//!
//! Conditions are spread into alternatives: lists of single tests that must all be true, or all be
//! false. One alternative is impossible where two of its tests contradict each other. Whatever is
//! not understood here counts as possible, so that nothing is called impossible that is not.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::policy::attribute::{Attribute, PlanFact, Reading, Type};
use crate::policy::calendar::Weekday;
use crate::policy::cidr;
use crate::policy::condition::{Condition, Constant, Order, Test, Truth};
use crate::policy::document::Effect;
use crate::policy::lint::{Context, Findings, Severity, values};
use crate::policy::record::{Category, Environment};

/// More alternatives than this are not looked at.
const MOST_ALTERNATIVES: usize = 256;

/// Rules and factors that can never match, and waivers of what never matches with them.
pub(super) fn look(context: &Context<'_>, findings: &mut Findings) {
    for rule in context.rules {
        if let Some(conflict) = conflict(context, &[&rule.when]) {
            let message = format!("rule `{}` can never match: {}", rule.id, conflict.text);
            findings.add(conflict.severity(), "never-matches", &rule.place, message);
        }
    }
    for factor in &context.written.factors {
        if let Some(conflict) = conflict(context, &[&factor.value.when]) {
            let id = &factor.value.id;
            let message = format!("risk factor `{id}` never counts: {}", conflict.text);
            findings.add(conflict.severity(), "never-matches", &factor.place, message);
        }
    }
    for rule in context.rules {
        let waives = match &rule.effect {
            Effect::Allow(allow) => &allow.waives,
            Effect::Ask(ask) => &ask.waives,
            Effect::Deny { .. } | Effect::Require(_) => continue,
        };
        for (place, id) in waives {
            let Some(waived) = context.rule(id) else { continue };
            let alone = [&rule.when, &waived.when].map(|when| conflict(context, &[when]).is_some());
            if alone.contains(&true) {
                continue; // That was said already.
            }
            if let Some(conflict) = conflict(context, &[&rule.when, &waived.when]) {
                let message = format!(
                    "`{}` waives nothing here: it never matches together with `{id}`: {}",
                    rule.id, conflict.text
                );
                findings.add(conflict.severity(), "waives-nothing", place, message);
            }
        }
    }
}

/// Why conditions cannot hold together.
pub(super) struct Conflict {
    pub(super) text: String,
    /// Whether the documents prove it.
    certain: bool,
}

impl Conflict {
    fn severity(&self) -> Severity {
        if self.certain { Severity::Fault } else { Severity::Warning }
    }

    fn certain(text: String) -> Self {
        Self { text, certain: true }
    }
}

/// One test of one attribute, and whether it must be true or false.
#[derive(Clone, Copy)]
struct Atom<'p> {
    attribute: &'p Attribute,
    test: &'p Test,
    wanted: Truth,
}

impl Atom<'_> {
    fn is_positive(&self) -> bool {
        self.wanted == Truth::True
    }

    fn demands_absence(&self) -> bool {
        matches!(self.test, Test::Exists(exists) if *exists != self.is_positive())
    }
}

impl std::fmt::Display for Atom<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.is_positive() {
            true => write!(f, "`{} {}`", self.attribute, self.test),
            false => write!(f, "`{} not ({})`", self.attribute, self.test),
        }
    }
}

/// Why all of these lists can never hold together, if they cannot.
pub(super) fn conflict(context: &Context<'_>, lists: &[&[Condition]]) -> Option<Conflict> {
    let mut alternatives = vec![Vec::new()];
    for list in lists {
        alternatives = both(alternatives, spread_all(list, true));
    }
    let mut first: Option<Conflict> = None;
    for alternative in &alternatives {
        let conflict = of_alternative(context, alternative)?;
        match &mut first {
            Some(first) => first.certain &= conflict.certain,
            None => first = Some(conflict),
        }
    }
    first.or_else(|| {
        // `not: {}`: nothing can keep a list without conditions from holding.
        alternatives
            .is_empty()
            .then(|| Conflict::certain("what it negates always holds".to_owned()))
    })
}

type Alternatives<'p> = Vec<Vec<Atom<'p>>>;

fn both<'p>(one: Alternatives<'p>, other: Alternatives<'p>) -> Alternatives<'p> {
    if one.len().saturating_mul(other.len()) > MOST_ALTERNATIVES {
        return one; // Fewer demands are never less possible.
    }
    let joined = |a: &Vec<Atom<'p>>, b: &Vec<Atom<'p>>| a.iter().chain(b).copied().collect();
    one.iter().flat_map(|a| other.iter().map(move |b| joined(a, b))).collect()
}

/// All of a list hold; or not all of them do.
fn spread_all(list: &[Condition], holds: bool) -> Alternatives<'_> {
    joined(list.iter().map(|condition| spread(condition, holds)), holds)
}

fn spread(condition: &Condition, holds: bool) -> Alternatives<'_> {
    match condition {
        Condition::Test { attribute, test } => spread_test(attribute, test, holds),
        Condition::Not(inner) => spread_all(inner, !holds),
        Condition::Any(inner) => joined(inner.iter().map(|one| spread_all(one, holds)), !holds),
        Condition::All(inner) => joined(inner.iter().map(|one| spread_all(one, holds)), holds),
    }
}

/// All of these, or one of them.
fn joined<'p>(each: impl Iterator<Item = Alternatives<'p>>, all: bool) -> Alternatives<'p> {
    match all {
        true => each.fold(vec![Vec::new()], both),
        false => each.flatten().collect(),
    }
}

fn spread_test<'p>(attribute: &'p Attribute, test: &'p Test, holds: bool) -> Alternatives<'p> {
    let each = |tests: &'p [Test]| tests.iter().map(move |t| spread_test(attribute, t, holds));
    match test {
        Test::Not(inner) => spread_test(attribute, inner, !holds),
        Test::Any(tests) => joined(each(tests), !holds),
        Test::All(tests) => joined(each(tests), holds),
        Test::In(_)
        | Test::Contains { .. }
        | Test::Compare { .. }
        | Test::Prefix(_)
        | Test::Suffix(_)
        | Test::Glob(_)
        | Test::Cidr(_)
        | Test::Exists(_)
        | Test::Within(_)
        | Test::Some(_)
        | Test::Every(_)
        | Test::SameAs(_) => {
            let wanted = if holds { Truth::True } else { Truth::False };
            vec![vec![Atom { attribute, test, wanted }]]
        }
    }
}

fn of_alternative(context: &Context<'_>, atoms: &[Atom<'_>]) -> Option<Conflict> {
    let mut by_attribute: BTreeMap<&Attribute, Vec<Atom<'_>>> = BTreeMap::new();
    for atom in atoms {
        by_attribute.entry(atom.attribute).or_default().push(*atom);
    }
    by_attribute
        .iter()
        .find_map(|(attribute, atoms)| of_attribute(context, attribute, atoms))
        .or_else(|| of_category(context, &by_attribute))
        .or_else(|| of_environment(context, &by_attribute))
        .or_else(|| of_weekday(context, &by_attribute))
}

fn contradict(one: &Atom<'_>, other: &Atom<'_>) -> Conflict {
    // Free JSON can be of any type, so what one test finds may be unknown to the other.
    let certain = one.attribute.type_of() != Type::Json;
    Conflict { text: format!("{one} and {other} contradict each other"), certain }
}

/// Tests of one attribute, which has one value.
fn of_attribute(
    context: &Context<'_>,
    attribute: &Attribute,
    atoms: &[Atom<'_>],
) -> Option<Conflict> {
    pairs(atoms)
        .find(|(one, other)| opposed(one, other))
        .map(|(one, other)| contradict(one, other))
        .or_else(|| of_values(context, attribute, atoms))
        .or_else(|| of_range(context, attribute, atoms))
}

fn pairs<'a, 'p>(
    atoms: &'a [Atom<'p>],
) -> impl Iterator<Item = (&'a Atom<'p>, &'a Atom<'p>)> + use<'a, 'p> {
    let rest = move |at: usize| atoms.iter().skip(at + 1);
    atoms.iter().enumerate().flat_map(move |(at, one)| rest(at).map(move |other| (one, other)))
}

/// Whether one of two tests of an attribute is false wherever the other is true.
fn opposed(one: &Atom<'_>, other: &Atom<'_>) -> bool {
    // Every test but that of absence needs something to be there.
    if one.demands_absence() != other.demands_absence() {
        return true;
    }
    if one.wanted != other.wanted {
        return one.test == other.test || never_among(one, other) || never_among(other, one);
    }
    match (one.test, other.test) {
        (Test::Prefix(a), Test::Prefix(b)) if one.is_positive() => {
            !a.starts_with(b.as_str()) && !b.starts_with(a.as_str())
        }
        (Test::Suffix(a), Test::Suffix(b)) if one.is_positive() => {
            !a.ends_with(b.as_str()) && !b.ends_with(a.as_str())
        }
        _ => false,
    }
}

/// Whether a list must hold something that it must not hold.
fn never_among(one: &Atom<'_>, other: &Atom<'_>) -> bool {
    let (Test::Contains { items, all }, Test::Contains { items: no, all: not_all }) =
        (one.test, other.test)
    else {
        return false;
    };
    let must: Vec<_> =
        if *all || items.len() == 1 { items.iter().collect() } else { return false };
    let held = |item: &Constant| must.contains(&item);
    one.is_positive()
        && !other.is_positive()
        && if *not_all { no.iter().all(held) } else { no.iter().any(held) }
}

/// Where the value must be one of some: whether none of them passes every other test.
fn of_values(context: &Context<'_>, attribute: &Attribute, atoms: &[Atom<'_>]) -> Option<Conflict> {
    let (values, whose) = candidates(attribute, atoms)?;
    let mut certain = attribute.type_of() != Type::Json;
    let mut why = None;
    for value in &values {
        let impossible = values::impossible(context, attribute, value);
        let refused = atoms.iter().find(|atom| settles(atom, value) == Some(false));
        match (refused, impossible) {
            (Some(atom), _) => {
                let text = match whose {
                    Some(whose) => format!("{whose} and {atom} contradict each other"),
                    None => format!("nothing is left by {atom}"),
                };
                why.get_or_insert(text);
            }
            (None, Some(impossible)) => {
                certain &= impossible.certain;
                why.get_or_insert(impossible.text);
            }
            (None, None) => return None,
        }
    }
    why.map(|text| Conflict { text, certain })
}

/// The values that an attribute can only have here, and the test that says so.
fn candidates<'a, 'p>(
    attribute: &Attribute,
    atoms: &'a [Atom<'p>],
) -> Option<(Vec<Constant>, Option<&'a Atom<'p>>)> {
    let mut listed = atoms.iter().filter(|atom| atom.is_positive());
    let listed = listed.find_map(|atom| {
        let Test::In(constants) = atom.test else { return None };
        Some((constants.clone(), Some(atom)))
    });
    listed.or_else(|| {
        if atoms.iter().any(Atom::demands_absence) {
            return None;
        }
        closed(attribute).map(|values| (values, None))
    })
}

/// Every value an attribute can have, where they are few.
fn closed(attribute: &Attribute) -> Option<Vec<Constant>> {
    let texts = |texts: &[&str]| {
        Some(texts.iter().map(|text| Constant::Text((*text).to_owned())).collect())
    };
    if *attribute == Attribute::Category {
        return texts(&Category::ALL.map(|(word, _)| word));
    }
    if *attribute == Attribute::RequesterKind {
        return texts(&["person", "workload"]);
    }
    if *attribute == Attribute::Weekday {
        return texts(&Weekday::ALL.map(Weekday::name));
    }
    let both = [true, false].map(Constant::Boolean);
    (attribute.type_of() == Type::Boolean).then(|| both.into())
}

/// Whether this value passes the test; `None` where the value alone does not say.
fn settles(atom: &Atom<'_>, value: &Constant) -> Option<bool> {
    let reading = match value {
        Constant::Text(text) => Reading::Text(text),
        Constant::Boolean(value) => Reading::Boolean(*value),
        Constant::Number(number) => Reading::Number(*number),
        Constant::Span(span) => Reading::Span(*span),
        Constant::Instant(at) => Reading::Instant(*at),
    };
    let text = |holds: &dyn Fn(&str) -> bool| {
        reading.as_text().map_or(Truth::Unknown, |text| truth(holds(text)))
    };
    let found = match atom.test {
        Test::In(constants) => {
            let each = constants.iter().map(|constant| constant.equals(&reading));
            each.fold(Truth::False, Truth::or)
        }
        // What is written is compared as such: dates and times.
        Test::Compare { order, bound: Constant::Text(bound) } => {
            text(&|text| holds(*order, text.cmp(bound)))
        }
        Test::Compare { order, bound } => bound.compare(*order, &reading),
        Test::Prefix(prefix) => text(&|text| text.starts_with(prefix.as_str())),
        Test::Suffix(suffix) => text(&|text| text.ends_with(suffix.as_str())),
        Test::Glob(globs) => text(&|text| globs.iter().any(|glob| glob.matches(text))),
        Test::Cidr(ranges) => reading
            .as_text()
            .and_then(|text| cidr::address(text).ok())
            .map_or(Truth::Unknown, |ip| truth(ranges.iter().any(|range| range.contains(ip)))),
        Test::Exists(exists) => truth(*exists),
        Test::Contains { .. }
        | Test::Within(_)
        | Test::Some(_)
        | Test::Every(_)
        | Test::SameAs(_)
        | Test::Not(_)
        | Test::Any(_)
        | Test::All(_) => return None,
    };
    Some(found == atom.wanted)
}

fn truth(holds: bool) -> Truth {
    if holds { Truth::True } else { Truth::False }
}

fn holds(order: Order, ordering: Ordering) -> bool {
    match order {
        Order::Gt => ordering.is_gt(),
        Order::Gte => ordering.is_ge(),
        Order::Lt => ordering.is_lt(),
        Order::Lte => ordering.is_le(),
    }
}

/// One end of a range, and what says so.
struct Bound {
    at: Constant,
    inclusive: bool,
    said: String,
    /// Whether it holds by itself, and no test says it.
    is_given: bool,
}

/// Whether the ends that tests set leave nothing between them.
fn of_range(context: &Context<'_>, attribute: &Attribute, atoms: &[Atom<'_>]) -> Option<Conflict> {
    let is_whole = *attribute == Attribute::Risk || is_count(attribute);
    let (mut lower, mut upper) = (Vec::new(), Vec::new());
    for atom in atoms {
        let Test::Compare { order, bound } = atom.test else { continue };
        let order = if atom.is_positive() { *order } else { inverse(*order) };
        let (at, inclusive) = end(order, bound, is_whole);
        let bound = Bound { at, inclusive, said: atom.to_string(), is_given: false };
        match order {
            Order::Gt | Order::Gte => lower.push(bound),
            Order::Lt | Order::Lte => upper.push(bound),
        }
    }
    if lower.is_empty() && upper.is_empty() {
        return None;
    }
    let whole = |at: f64, said: String| {
        let at = Constant::Number(at);
        Bound { at, inclusive: true, said, is_given: true }
    };
    if is_whole {
        lower.push(whole(0.0, format!("`{attribute}` is never below 0")));
    }
    if *attribute == Attribute::Risk {
        let most = context.most_risk;
        upper.push(whole(f64::from(most), format!("all factors together weigh {most}")));
    }
    let meet = |(low, high): &(&Bound, &Bound)| match compared(&low.at, &high.at) {
        Some(Ordering::Greater) => true,
        Some(Ordering::Equal) => !(low.inclusive && high.inclusive),
        Some(Ordering::Less) | None => false,
    };
    let mut pairs = lower.iter().flat_map(|low| upper.iter().map(move |high| (low, high)));
    let (low, high) = pairs.find(meet)?;
    let certain = attribute.type_of() != Type::Json;
    let text = match (low.is_given, high.is_given) {
        (true, _) => format!("{} cannot hold: {}", high.said, low.said),
        (false, true) => format!("{} cannot hold: {}", low.said, high.said),
        (false, false) => format!("{} and {} leave nothing between", low.said, high.said),
    };
    Some(Conflict { text, certain })
}

fn inverse(order: Order) -> Order {
    match order {
        Order::Gt => Order::Lte,
        Order::Gte => Order::Lt,
        Order::Lt => Order::Gte,
        Order::Lte => Order::Gt,
    }
}

/// Where an order begins or ends, and whether that is part of it; whole numbers leave no gap.
fn end(order: Order, bound: &Constant, is_whole: bool) -> (Constant, bool) {
    let (Constant::Number(number), true) = (bound, is_whole) else {
        return (bound.clone(), matches!(order, Order::Gte | Order::Lte));
    };
    let at = match order {
        Order::Gt => number.floor() + 1.0,
        Order::Gte => number.ceil(),
        Order::Lt => number.ceil() - 1.0,
        Order::Lte => number.floor(),
    };
    (Constant::Number(at), true)
}

fn compared(one: &Constant, other: &Constant) -> Option<Ordering> {
    match (one, other) {
        (Constant::Number(one), Constant::Number(other)) => one.partial_cmp(other),
        (Constant::Span(one), Constant::Span(other)) => Some(one.cmp(other)),
        (Constant::Instant(one), Constant::Instant(other)) => Some(one.cmp(other)),
        (Constant::Text(one), Constant::Text(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

type ByAttribute<'p> = BTreeMap<&'p Attribute, Vec<Atom<'p>>>;

/// The texts that an attribute can only have here.
fn pinned(found: &ByAttribute<'_>, attribute: &Attribute) -> Option<Vec<String>> {
    let atoms = found.get(attribute)?;
    let (values, Some(_)) = candidates(attribute, atoms)? else { return None };
    let passing =
        values.iter().filter(|value| atoms.iter().all(|a| settles(a, value) != Some(false)));
    let text = |value: &Constant| {
        let Constant::Text(text) = value else { return None };
        Some(text.clone())
    };
    passing.map(text).collect()
}

/// What each kind does is known: whether none of the kinds does what is demanded.
fn of_category(context: &Context<'_>, found: &ByAttribute<'_>) -> Option<Conflict> {
    let kinds = pinned(found, &Attribute::Kind)?;
    let atoms = found.get(&Attribute::Category)?;
    one_of(&kinds, atoms, |kind| {
        let category = context.records.category(kind).map(Category::word);
        let said = match category {
            Some(word) => format!("`{kind}` is a matter of {word}"),
            None => format!("it is not on file what `{kind}` does"),
        };
        (category.map(str::to_owned), said)
    })
}

/// What is on file for each environment: whether none of them is what is demanded.
fn of_environment(context: &Context<'_>, found: &ByAttribute<'_>) -> Option<Conflict> {
    let environments = pinned(found, &Attribute::Environment)?;
    found.iter().find_map(|(attribute, atoms)| {
        let read = |environment: &Environment| {
            if let Attribute::Label(key) = attribute {
                return environment.labels.get(key).cloned();
            }
            environment.tier.clone()
        };
        if !matches!(attribute, Attribute::Tier | Attribute::Label(_)) {
            return None;
        }
        one_of(&environments, atoms, |name| {
            let value = context.records.environments.get(name).and_then(read);
            let said = match &value {
                Some(value) => format!("`{attribute}` of `{name}` is `{value}`"),
                None => format!("`{name}` has no `{attribute}` on file"),
            };
            (value, said)
        })
    })
}

/// Whether none of these has a value that passes all tests.
fn one_of(
    names: &[String],
    atoms: &[Atom<'_>],
    read: impl Fn(&str) -> (Option<String>, String),
) -> Option<Conflict> {
    let mut first: Option<Conflict> = None;
    for name in names {
        let (value, said) = read(name);
        let passes = |value: String| {
            let value = Constant::Text(value);
            atoms.iter().all(|atom| settles(atom, &value) != Some(false))
        };
        // What is not on file is unknown: never a match, but not the opposite of one either.
        let certain = value.is_some();
        let fits = match value {
            Some(value) => passes(value),
            None => atoms.iter().all(Atom::demands_absence),
        };
        match (fits, &mut first) {
            (true, _) => return None,
            (false, Some(first)) => first.certain &= certain,
            (false, None) => {
                let test = atoms.first().map(ToString::to_string).unwrap_or_default();
                first = Some(Conflict { text: format!("{said}, which {test} excludes"), certain });
            }
        }
    }
    first
}

/// Whether a calendar is open on none of the weekdays that are demanded.
fn of_weekday(context: &Context<'_>, found: &ByAttribute<'_>) -> Option<Conflict> {
    let weekdays = found.get(&Attribute::Weekday)?;
    found.get(&Attribute::Now)?.iter().filter(|atom| atom.is_positive()).find_map(|atom| {
        let Test::Within(named) = atom.test else { return None };
        if named.calendar.zone() != &context.records.zone {
            return None; // Another zone's days begin at other times.
        }
        let open: BTreeSet<Weekday> = named.calendar.weekdays()?;
        let fits = |day: &Weekday| {
            let name = Constant::Text(day.name().to_owned());
            weekdays.iter().all(|atom| settles(atom, &name) != Some(false))
        };
        if open.iter().any(fits) {
            return None;
        }
        weekdays.first().map(|weekday| contradict(atom, weekday))
    })
}

/// Whether a fact of a plan is a count.
pub(super) fn is_count(attribute: &Attribute) -> bool {
    matches!(attribute, Attribute::Plan(fact) if *fact != PlanFact::Changes)
        && attribute.type_of() == Type::Number
}
