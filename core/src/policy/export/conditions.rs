//! Conditions as rules: one that holds where the condition is true, and one where it is false.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::policy::attribute::{Attribute, Type};
use crate::policy::calendar::Calendar;
use crate::policy::cidr::Cidr;
use crate::policy::condition::{Condition, Constant, Order, Test};
use crate::policy::export::{input, literal};
use crate::policy::glob::{Glob, Piece};

/// The conditions written so far, and the calendars they look at.
#[derive(Default)]
pub(super) struct Conditions {
    text: String,
    count: usize,
    calendars: Vec<Arc<Calendar>>,
}

/// A condition by the number of its rules.
type Written = usize;

/// Where a condition is: of the situation, or of an element, which is its rules' argument.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Situation,
    Element,
}

impl Scope {
    fn argument(self) -> &'static str {
        match self {
            Self::Situation => "",
            Self::Element => "(element)",
        }
    }
}

impl Conditions {
    /// Puts an id into the first set where all of these hold, and into the second where one fails.
    pub(super) fn settle(&mut self, id: &str, all: &[Condition], sets: (&str, &str)) {
        let all = self.all(all, Scope::Situation);
        let (id, (holds, fails)) = (literal::plain(&json!(id)), sets);
        self.line(&format!("{holds} contains {id} if t{all}\n"));
        self.line(&format!("{fails} contains {id} if f{all}\n"));
    }

    /// The rules, and the calendars by the numbers that the rules know them by.
    pub(super) fn written(self) -> (String, Vec<Arc<Calendar>>) {
        (self.text, self.calendars)
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Writes the two rules of a condition: it is true if one of the first bodies holds, and false
    /// if one of the second does.
    fn rules(&mut self, scope: Scope, holds: &[String], fails: &[String]) -> Written {
        self.count += 1;
        let (number, argument) = (self.count, scope.argument());
        for (letter, bodies) in [("t", holds), ("f", fails)] {
            let head = format!("{letter}{number}{argument}");
            if bodies.is_empty() {
                // What is named somewhere must be there.
                self.line(&format!("{head} if false\n"));
            }
            for body in bodies {
                self.line(&format!("{head} if {{\n\t{}\n}}\n", body.replace('\n', "\n\t")));
            }
        }
        number
    }

    fn never(&mut self, scope: Scope) -> Written {
        self.rules(scope, &[], &[])
    }

    fn condition(&mut self, condition: &Condition, scope: Scope) -> Written {
        match condition {
            Condition::Test { attribute, test } => self.test(attribute, test, scope),
            Condition::Not(inner) => {
                let inner = self.all(inner, scope);
                self.negated(inner, scope)
            }
            Condition::Any(branches) => {
                let each: Vec<_> = branches.iter().map(|b| self.all(b, scope)).collect();
                self.either(&each, scope)
            }
            Condition::All(branches) => {
                let each: Vec<_> = branches.iter().map(|b| self.all(b, scope)).collect();
                self.every(&each, scope)
            }
        }
    }

    fn all(&mut self, conditions: &[Condition], scope: Scope) -> Written {
        let each: Vec<_> = conditions.iter().map(|c| self.condition(c, scope)).collect();
        self.every(&each, scope)
    }

    fn negated(&mut self, inner: Written, scope: Scope) -> Written {
        let argument = scope.argument();
        self.rules(scope, &[format!("f{inner}{argument}")], &[format!("t{inner}{argument}")])
    }

    fn either(&mut self, each: &[Written], scope: Scope) -> Written {
        let (holds, fails) = named(each, scope);
        self.rules(scope, &holds, &[joined(&fails)])
    }

    fn every(&mut self, each: &[Written], scope: Scope) -> Written {
        if let [one] = each {
            return *one;
        }
        let (holds, fails) = named(each, scope);
        self.rules(scope, &[joined(&holds)], &fails)
    }

    fn test(&mut self, attribute: &Attribute, test: &Test, scope: Scope) -> Written {
        let is_score = *attribute == Attribute::Risk;
        // What is found is `v`; what it is tested for is true or false, and unknown without either.
        let found = format!("v := {}", reading(attribute));
        let yes_or_no = |this: &mut Self, typed: &str, test: &str| {
            let body = |is: bool| format!("{found}\n{typed}(v)\nholds := {test}\nholds == {is}");
            this.rules(scope, &[body(true)], &[body(false)])
        };
        match test {
            Test::In(constants) if is_score => self.score_is_in(constants, scope),
            Test::In(constants) => {
                let set = listed('{', constants.iter().map(constant), '}');
                let holds = format!("{found}\nv in {set}");
                let mut types: Vec<_> = constants.iter().map(type_of).collect();
                types.dedup();
                // Of another type than one of them, it might have been that one.
                let [only] = types.as_slice() else { return self.rules(scope, &[holds], &[]) };
                let fails = format!("{found}\n{only}(v)\ncount({{v}} & {set}) == 0");
                self.rules(scope, &[holds], &[fails])
            }
            Test::Contains { items, all } => {
                let set = listed('{', items.iter().map(constant), '}');
                let held = format!("{{x | some x in v}} & {set}");
                let holds = match all {
                    true => format!("({held}) == {set}"),
                    false => format!("count({held}) > 0"),
                };
                yes_or_no(self, "is_array", &holds)
            }
            Test::Compare { order, bound } if is_score => self.score_is(*order, bound, scope),
            Test::Compare { order, bound } => {
                let sign = sign(*order);
                let bound_text = constant(bound);
                let free = attribute.type_of() == Type::Json;
                let (found, typed) = match bound {
                    Constant::Span(_) if free => (reread("seconds", attribute), "is_number"),
                    Constant::Instant(_) if free => (reread("instant", attribute), "is_number"),
                    Constant::Text(_)
                    | Constant::Boolean(_)
                    | Constant::Number(_)
                    | Constant::Span(_)
                    | Constant::Instant(_) => (found, type_of(bound)),
                };
                let body = |is: bool| {
                    format!("{found}\n{typed}(v)\nholds := v {sign} {bound_text}\nholds == {is}")
                };
                self.rules(scope, &[body(true)], &[body(false)])
            }
            Test::Prefix(text) => {
                yes_or_no(self, "is_string", &format!("startswith(v, {})", plain(text)))
            }
            Test::Suffix(text) => {
                yes_or_no(self, "is_string", &format!("endswith(v, {})", plain(text)))
            }
            Test::Glob(globs) => {
                let forms = listed('[', globs.iter().map(|glob| plain(&regex(glob))), ']');
                yes_or_no(self, "is_string", &format!("fits_one(v, {forms})"))
            }
            Test::Cidr(ranges) => {
                let (v4, v6) = by_family(ranges);
                yes_or_no(self, "is_address", &format!("is_within(v, {v4}, {v6})"))
            }
            Test::Exists(wanted) => {
                let there = self.rules(scope, &[format!("{found}\nv != null")], &[]);
                let argument = scope.argument();
                let yes = format!("t{there}{argument}");
                let no = format!("not t{there}{argument}");
                let (holds, fails) = if *wanted { (yes, no) } else { (no, yes) };
                self.rules(scope, &[holds], &[fails])
            }
            // No text is ever within a calendar, not even one that spells an instant.
            Test::Within(_) if *attribute != Attribute::Now => self.never(scope),
            Test::Within(named) => {
                let number = self.calendars.len();
                self.calendars.push(Arc::clone(&named.calendar));
                let calendar = format!("policy.calendars[{number}]");
                let open = format!("is_open({calendar})");
                // Where an engine cannot tell the date, it cannot tell that it is closed.
                let closed = format!("local_date({calendar}.zone)\nnot {open}");
                self.rules(scope, &[open], &[closed])
            }
            Test::Some(inner) => {
                let inner = self.all(inner, Scope::Element);
                let holds = format!("{found}\nis_array(v)\nsome x in v\nt{inner}(x)");
                let fails = format!(
                    "{found}\nis_array(v)\ncount([1 | some x in v; f{inner}(x)]) == count(v)"
                );
                self.rules(scope, &[holds], &[fails])
            }
            Test::Every(inner) => {
                let inner = self.all(inner, Scope::Element);
                let holds = format!(
                    "{found}\nis_array(v)\ncount(v) > 0\n\
                     count([1 | some x in v; t{inner}(x)]) == count(v)"
                );
                let empty = format!("{found}\nis_array(v)\ncount(v) == 0");
                let fails = format!("{found}\nis_array(v)\nsome x in v\nf{inner}(x)");
                self.rules(scope, &[holds], &[empty, fails])
            }
            Test::SameAs(other) if are_comparable(attribute, other) => {
                let both = format!(
                    "{found}\nw := {}\nis_comparable(v)\nis_comparable(w)\n\
                     type_name(v) == type_name(w)",
                    reading(other)
                );
                self.rules(scope, &[format!("{both}\nv == w")], &[format!("{both}\nv != w")])
            }
            Test::SameAs(_) => self.never(scope),
            Test::Not(test) => {
                let inner = self.test(attribute, test, scope);
                self.negated(inner, scope)
            }
            Test::Any(tests) => {
                let each: Vec<_> = tests.iter().map(|t| self.test(attribute, t, scope)).collect();
                self.either(&each, scope)
            }
            Test::All(tests) => {
                let each: Vec<_> = tests.iter().map(|t| self.test(attribute, t, scope)).collect();
                self.every(&each, scope)
            }
        }
    }

    /// The score is a range: all of it must be on one side.
    fn score_is(&mut self, order: Order, bound: &Constant, scope: Scope) -> Written {
        let (sign, bound) = (sign(order), constant(bound));
        let body = |is: bool| {
            format!("(score[0] {sign} {bound}) == {is}\n(score[1] {sign} {bound}) == {is}")
        };
        self.rules(scope, &[body(true)], &[body(false)])
    }

    fn score_is_in(&mut self, constants: &[Constant], scope: Scope) -> Written {
        let mut each = Vec::new();
        for one in constants.iter().map(constant) {
            let is = format!("score[0] == {one}\nscore[1] == {one}");
            let is_not = [format!("score[1] < {one}"), format!("score[0] > {one}")];
            each.push(self.rules(scope, &[is], &is_not));
        }
        self.either(&each, scope)
    }
}

/// The names of conditions' rules: those that hold, and those that fail.
fn named(each: &[Written], scope: Scope) -> (Vec<String>, Vec<String>) {
    let argument = scope.argument();
    each.iter().map(|n| (format!("t{n}{argument}"), format!("f{n}{argument}"))).unzip()
}

/// One body that holds if all of these do.
fn joined(bodies: &[String]) -> String {
    if bodies.is_empty() { "true".to_owned() } else { bodies.join("\n") }
}

/// Where the module finds an attribute: durations in seconds, instants in milliseconds.
fn reading(attribute: &Attribute) -> String {
    let within = |root: &str, path: &[String]| {
        path.iter().fold(root.to_owned(), |mut text, step| {
            // Writing to a String cannot fail.
            let _ = write!(text, "[{}]", plain(step));
            text
        })
    };
    let on_file = "policy.environments[input.intent.environment]";
    match attribute {
        Attribute::Category => "category".to_owned(),
        Attribute::Target(key) => within("input.intent.target", std::slice::from_ref(key)),
        Attribute::Tier => format!("{on_file}.tier"),
        Attribute::Label(key) => within(&format!("{on_file}.labels"), std::slice::from_ref(key)),
        Attribute::RequesterGroups => "groups".to_owned(),
        Attribute::Claim(path) => within("input.requester.claims", path),
        Attribute::Now => "now".to_owned(),
        Attribute::Weekday => "weekday(local_date(policy.zone))".to_owned(),
        Attribute::Date => "local_date(policy.zone)".to_owned(),
        Attribute::Time => "local_time(policy.zone)".to_owned(),
        Attribute::Signal(path) => within("input.signals", path),
        Attribute::Context(path) => within("input.context", path),
        Attribute::Risk => "score".to_owned(),
        Attribute::Member(path) => within("element", path),
        Attribute::Kind
        | Attribute::Environment
        | Attribute::Reason
        | Attribute::Digest
        | Attribute::Duration
        | Attribute::RequesterIss
        | Attribute::RequesterSub
        | Attribute::RequesterKind
        | Attribute::RequesterStates
        | Attribute::EnvironmentStates
        | Attribute::NetworkIp
        | Attribute::NetworkCountry
        | Attribute::Plan(_) => format!("input.{attribute}"),
    }
}

/// A text in free JSON, read as what it spells.
fn reread(function: &str, attribute: &Attribute) -> String {
    format!("w := {}\nv := {function}(w)", reading(attribute))
}

/// Whether two attributes can be the same at all: numbers that are durations or instants are so
/// only to their own kind.
fn are_comparable(one: &Attribute, other: &Attribute) -> bool {
    let kind = |attribute: &Attribute| match attribute.type_of() {
        kind @ (Type::Span | Type::Instant) => Some(kind),
        Type::Text
        | Type::Clock
        | Type::Number
        | Type::Boolean
        | Type::Texts
        | Type::Maps
        | Type::Json => None,
    };
    kind(one) == kind(other)
}

fn sign(order: Order) -> &'static str {
    match order {
        Order::Gt => ">",
        Order::Gte => ">=",
        Order::Lt => "<",
        Order::Lte => "<=",
    }
}

fn constant(constant: &Constant) -> String {
    literal::plain(&match constant {
        Constant::Text(text) => json!(text),
        Constant::Boolean(value) => json!(value),
        Constant::Number(number) => input::number(*number),
        Constant::Span(span) => json!(span.as_seconds()),
        Constant::Instant(at) => json!(at.as_millis()),
    })
}

/// The function that tells whether a value is of a constant's type.
fn type_of(constant: &Constant) -> &'static str {
    match constant {
        Constant::Text(_) => "is_string",
        Constant::Boolean(_) => "is_boolean",
        Constant::Number(_) | Constant::Span(_) | Constant::Instant(_) => "is_number",
    }
}

fn plain(text: &str) -> String {
    literal::plain(&Value::from(text))
}

/// A glob as a regular expression: those of Rego engines agree, their globs do not.
pub(super) fn regex(glob: &Glob) -> String {
    let mut form = String::from("^(?s:");
    for piece in glob.pieces() {
        match piece {
            Piece::Literal(c) => {
                if r"\.+*?()|[]{}^$".contains(*c) {
                    form.push('\\');
                }
                form.push(*c);
            }
            Piece::One => form.push_str("[^/]"),
            Piece::Within => form.push_str("[^/]*"),
            Piece::Across => form.push_str(".*"),
        }
    }
    form.push_str(")$");
    form
}

/// The ranges of IPv4, each as itself and as the range of IPv6 that maps it, and those of IPv6.
fn by_family(ranges: &[Cidr]) -> (String, String) {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for range in ranges.iter().map(ToString::to_string) {
        match range.split_once('/').map(|(network, prefix)| (network, prefix.parse::<u8>())) {
            Some((network, Ok(prefix))) if !network.contains(':') => {
                let mapped = format!("::ffff:{network}/{}", prefix + 96);
                v4.extend([plain(&range), plain(&mapped)]);
            }
            _ => v6.push(plain(&range)),
        }
    }
    (listed('[', v4.into_iter(), ']'), listed('[', v6.into_iter(), ']'))
}

/// Some values in brackets, each on its own line where one line would be long: some engines refuse
/// those of more than a thousand columns.
fn listed(open: char, each: impl Iterator<Item = String>, close: char) -> String {
    let each: Vec<String> = each.collect();
    let line = each.join(", ");
    if line.len() < 80 {
        return format!("{open}{line}{close}");
    }
    format!("{open}\n\t{},\n{close}", each.join(",\n\t"))
}
