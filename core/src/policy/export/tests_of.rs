//! Conditions in Rego: for each, a rule that holds if it is true and one that holds if it is false.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::policy::attribute::{Attribute, Type};
use crate::policy::calendar::Calendar;
use crate::policy::condition::{Condition, Constant, Order, Test};
use crate::policy::export::together;
use crate::policy::glob::{Glob, Piece};

/// The conditions written so far.
#[derive(Default)]
pub(super) struct Conditions {
    text: String,
    count: usize,
    calendars: Vec<Arc<Calendar>>,
}

/// Where a condition is: at the root, or of an element, which is then its argument.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Root,
    Element,
}

impl Scope {
    /// What stands after the name of a rule: `(e)` for those of an element.
    fn argument(self) -> &'static str {
        match self {
            Self::Root => "",
            Self::Element => "(e)",
        }
    }
}

impl Conditions {
    /// The rules, and those that they need.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn calendars(&self) -> &[Arc<Calendar>] {
        &self.calendars
    }

    /// The number of the rules for all of these together.
    pub(super) fn all(&mut self, conditions: &[Condition]) -> usize {
        self.condition(&together(conditions), Scope::Root)
    }

    fn condition(&mut self, condition: &Condition, scope: Scope) -> usize {
        match condition {
            Condition::Test { attribute, test } => {
                let found = reading(attribute);
                self.test(attribute, &found, test, scope)
            }
            Condition::Not(inner) => {
                let inner = self.joined(inner, scope);
                self.negated(inner, scope)
            }
            Condition::Any(branches) => {
                let each: Vec<_> = branches.iter().map(|b| self.joined(b, scope)).collect();
                self.any(&each, scope)
            }
            Condition::All(branches) => {
                let each: Vec<_> = branches.iter().map(|b| self.joined(b, scope)).collect();
                self.every(&each, scope)
            }
        }
    }

    fn joined(&mut self, conditions: &[Condition], scope: Scope) -> usize {
        let each: Vec<_> = conditions.iter().map(|c| self.condition(c, scope)).collect();
        self.every(&each, scope)
    }

    fn negated(&mut self, inner: usize, scope: Scope) -> usize {
        let argument = scope.argument();
        self.rules(
            scope,
            &[format!("f{inner}{argument}")],
            &[format!("t{inner}{argument}")],
        )
    }

    fn any(&mut self, each: &[usize], scope: Scope) -> usize {
        let argument = scope.argument();
        let holds: Vec<_> = each.iter().map(|n| format!("t{n}{argument}")).collect();
        let fails: Vec<_> = each.iter().map(|n| format!("f{n}{argument}")).collect();
        self.rules(scope, &holds, &[fails.join("\n\t")])
    }

    fn every(&mut self, each: &[usize], scope: Scope) -> usize {
        let argument = scope.argument();
        let mut holds: Vec<_> = each.iter().map(|n| format!("t{n}{argument}")).collect();
        let fails: Vec<_> = each.iter().map(|n| format!("f{n}{argument}")).collect();
        if holds.is_empty() {
            holds.push("true".to_owned());
        }
        self.rules(scope, &[holds.join("\n\t")], &fails)
    }

    /// Writes the two rules of a condition: it holds if one of the first bodies does, and fails if
    /// one of the second does.
    fn rules(&mut self, scope: Scope, holds: &[String], fails: &[String]) -> usize {
        self.count += 1;
        let (number, argument) = (self.count, scope.argument());
        for (letter, bodies) in [("t", holds), ("f", fails)] {
            if bodies.is_empty() {
                // A rule that is named somewhere must be there.
                let _ = writeln!(self.text, "{letter}{number}{argument} if false\n");
            }
            for body in bodies {
                let _ = writeln!(self.text, "{letter}{number}{argument} if {{\n\t{body}\n}}\n");
            }
        }
        number
    }

    fn test(&mut self, attribute: &Attribute, found: &str, test: &Test, scope: Scope) -> usize {
        let pair = |this: &mut Self, typed: &str, holds: &str, fails: &str| {
            let body = |what: &str| {
                let given = format!("v := {found}\n\t{typed}");
                format!("{}\n\t{what}", given.trim_end())
            };
            this.rules(scope, &[body(holds)], &[body(fails)])
        };
        match test {
            Test::In(constants) => self.one_of(attribute, found, constants, scope),
            Test::Contains { items, all } => {
                let items: Vec<Value> = items.iter().map(value).collect();
                let wanted = items.len();
                let items = Value::Array(items);
                // An item may stand in the list more than once, so what is counted is a set.
                let count =
                    format!("n := count({{c | some c in {items}; some x in v; same(x, c)}})");
                let (holds, fails) = match all {
                    true => (format!("n == {wanted}"), format!("n < {wanted}")),
                    false => ("n > 0".to_owned(), "n == 0".to_owned()),
                };
                let typed = format!("is_list(v)\n\t{count}");
                pair(self, &typed, &holds, &fails)
            }
            Test::Compare { order, bound } => self.compared(attribute, found, *order, bound, scope),
            Test::Prefix(text) => {
                let held = format!("n := startswith(v, {})", json!(text));
                pair(self, &format!("is_string(v)\n\t{held}"), "n == true", "n == false")
            }
            Test::Suffix(text) => {
                let held = format!("n := endswith(v, {})", json!(text));
                pair(self, &format!("is_string(v)\n\t{held}"), "n == true", "n == false")
            }
            Test::Glob(globs) => {
                let forms: Vec<_> = globs.iter().map(regex).collect();
                let held =
                    format!("n := count([1 | some form in {}; regex.match(form, v)])", json!(forms));
                pair(self, &format!("is_string(v)\n\t{held}"), "n > 0", "n == 0")
            }
            Test::Cidr(ranges) => {
                let ranges: Vec<_> = ranges.iter().map(ToString::to_string).collect();
                let held = format!(
                    "is_address(v)\n\tn := count([1 | some range in {}; \
                     same_family(range, v); net.cidr_contains(range, v)])",
                    json!(ranges)
                );
                pair(self, &held, "n > 0", "n == 0")
            }
            Test::Exists(wanted) => {
                let there = self.rules(scope, &[format!("v := {found}\n\tv != null")], &[]);
                let argument = scope.argument();
                let (yes, no) =
                    (format!("t{there}{argument}"), format!("not t{there}{argument}"));
                match wanted {
                    true => self.rules(scope, &[yes], &[no]),
                    false => self.rules(scope, &[no], &[yes]),
                }
            }
            Test::Within(named) => {
                self.calendars.push(Arc::clone(&named.calendar));
                let index = self.calendars.len() - 1;
                let (yes, no) =
                    (format!("within_calendar({index})"), format!("not within_calendar({index})"));
                self.rules(scope, &[yes], &[no])
            }
            Test::Some(inner) => {
                let inner = self.joined(inner, Scope::Element);
                let holds = format!("some e in v\n\tt{inner}(e)");
                let fails = format!("count([1 | some e in v; f{inner}(e)]) == count(v)");
                pair(self, "is_array(v)", &holds, &fails)
            }
            Test::Every(inner) => {
                let inner = self.joined(inner, Scope::Element);
                let listed = format!("v := {found}\n\tis_array(v)");
                let holds = format!(
                    "{listed}\n\tcount(v) > 0\n\tcount([1 | some e in v; t{inner}(e)]) == count(v)"
                );
                let empty = format!("{listed}\n\tcount(v) == 0");
                let fails = format!("{listed}\n\tsome e in v\n\tf{inner}(e)");
                self.rules(scope, &[holds], &[empty, fails])
            }
            Test::SameAs(other) => {
                let other = reading(other);
                let both = format!(
                    "w := {other}\n\tis_scalar(v)\n\ttype_name(v) == type_name(w)"
                );
                pair(self, &both, "v == w", "v != w")
            }
            Test::Not(test) => {
                let inner = self.test(attribute, found, test, scope);
                self.negated(inner, scope)
            }
            Test::Any(tests) => {
                let each: Vec<_> =
                    tests.iter().map(|t| self.test(attribute, found, t, scope)).collect();
                self.any(&each, scope)
            }
            Test::All(tests) => {
                let each: Vec<_> =
                    tests.iter().map(|t| self.test(attribute, found, t, scope)).collect();
                self.every(&each, scope)
            }
        }
    }

    fn one_of(
        &mut self,
        attribute: &Attribute,
        found: &str,
        constants: &[Constant],
        scope: Scope,
    ) -> usize {
        if *attribute == Attribute::Risk {
            let each: Vec<_> = constants
                .iter()
                .map(|constant| {
                    let n = value(constant);
                    let holds = format!("score[0] == {n}\n\tscore[1] == {n}");
                    let below = format!("score[1] < {n}");
                    let above = format!("score[0] > {n}");
                    self.rules(scope, &[holds], &[below, above])
                })
                .collect();
            return self.any(&each, scope);
        }
        let each: Vec<_> = constants
            .iter()
            .map(|constant| {
                let wanted = value(constant);
                let given = format!("v := {found}\n\ttype_name(v) == {}", json!(type_name(constant)));
                let holds = format!("{given}\n\tv == {wanted}");
                let fails = format!("{given}\n\tv != {wanted}");
                self.rules(scope, &[holds], &[fails])
            })
            .collect();
        self.any(&each, scope)
    }

    fn compared(
        &mut self,
        attribute: &Attribute,
        found: &str,
        order: Order,
        bound: &Constant,
        scope: Scope,
    ) -> usize {
        let (sign, against) = match order {
            Order::Gt => (">", "<="),
            Order::Gte => (">=", "<"),
            Order::Lt => ("<", ">="),
            Order::Lte => ("<=", ">"),
        };
        let bound_text = value(bound);
        if *attribute == Attribute::Risk {
            // The whole range must be on one side.
            let body = |sign: &str| format!("score[0] {sign} {bound_text}\n\tscore[1] {sign} {bound_text}");
            return self.rules(scope, &[body(sign)], &[body(against)]);
        }
        let given = match (attribute.type_of(), bound) {
            (Type::Json, Constant::Span(_)) => {
                format!("w := {found}\n\tis_string(w)\n\tv := seconds(w)")
            }
            (_, Constant::Span(_)) => format!("v := {found}\n\tis_number(v)"),
            (_, Constant::Instant(_)) => {
                format!("w := {found}\n\tis_instant(w)\n\tv := time.parse_rfc3339_ns(w)")
            }
            (_, Constant::Number(_)) => format!("v := {found}\n\tis_number(v)"),
            (_, Constant::Text(_) | Constant::Boolean(_)) => {
                format!("v := {found}\n\tis_string(v)")
            }
        };
        let bound_text = match bound {
            Constant::Instant(at) => {
                format!("time.parse_rfc3339_ns({})", json!(at.to_string()))
            }
            Constant::Text(_) | Constant::Boolean(_) | Constant::Number(_) | Constant::Span(_) => {
                bound_text.to_string()
            }
        };
        let body = |sign: &str| format!("{given}\n\tv {sign} {bound_text}");
        self.rules(scope, &[body(sign)], &[body(against)])
    }
}

/// Where the module finds an attribute.
fn reading(attribute: &Attribute) -> String {
    let within = |root: &str, path: &[String]| {
        let steps: Vec<_> = path.iter().map(|step| format!("[{}]", json!(step))).collect();
        format!("{root}{}", steps.concat())
    };
    let one = std::slice::from_ref;
    match attribute {
        Attribute::Category => "category".to_owned(),
        Attribute::Target(key) => within("input.intent.target", one(key)),
        Attribute::Tier => "environments[input.intent.environment].tier".to_owned(),
        Attribute::Label(key) => {
            within("environments[input.intent.environment].labels", one(key))
        }
        Attribute::RequesterGroups => "groups".to_owned(),
        Attribute::Claim(path) => within("input.requester.claims", path),
        Attribute::Weekday => "lower(time.weekday([instant, zone]))".to_owned(),
        Attribute::Date => "local_date(zone)".to_owned(),
        Attribute::Time => "local_time".to_owned(),
        Attribute::Signal(path) => within("input.signals", path),
        Attribute::Context(path) => within("input.context", path),
        Attribute::Risk => "score".to_owned(),
        Attribute::Member(path) => within("e", path),
        Attribute::Kind
        | Attribute::Environment
        | Attribute::Reason
        | Attribute::Digest
        | Attribute::Duration
        | Attribute::RequesterIss
        | Attribute::RequesterSub
        | Attribute::RequesterKind
        | Attribute::NetworkIp
        | Attribute::NetworkCountry
        | Attribute::Plan(_)
        | Attribute::Now => format!("input.{attribute}"),
    }
}

fn value(constant: &Constant) -> Value {
    match constant {
        Constant::Text(text) => json!(text),
        Constant::Boolean(value) => json!(value),
        // Whole numbers are written as such.
        Constant::Number(number) if number.fract() == 0.0 => json!(*number as i64),
        Constant::Number(number) => json!(number),
        Constant::Span(span) => json!(span.as_seconds()),
        Constant::Instant(at) => json!(at.to_string()),
    }
}

fn type_name(constant: &Constant) -> &'static str {
    match constant {
        Constant::Text(_) | Constant::Instant(_) => "string",
        Constant::Boolean(_) => "boolean",
        Constant::Number(_) | Constant::Span(_) => "number",
    }
}

/// A glob as a regular expression: those of Rego engines agree, their globs do not.
pub(super) fn regex(glob: &Glob) -> String {
    let mut form = String::from("^(?s:");
    for piece in glob.pieces() {
        match piece {
            Piece::Literal(c) => form.extend(quoted(*c)),
            Piece::One => form.push_str("[^/]"),
            Piece::Within => form.push_str("[^/]*"),
            Piece::Across => form.push_str(".*"),
        }
    }
    form.push_str(")$");
    form
}

fn quoted(c: char) -> impl Iterator<Item = char> {
    let special = r"\.+*?()|[]{}^$".contains(c);
    special.then_some('\\').into_iter().chain([c])
}

/// What the conditions need beside the language.
pub(super) const NEEDED: &str = r##"category := word if word := kinds[input.intent.kind]

category := word if {
	not kinds[input.intent.kind]
	parts := split(input.intent.kind, ".")
	word := verbs[parts[count(parts) - 1]]
}

groups contains group if some group in input.requester.groups

groups contains group if {
	some group, people in members
	sprintf("%s#%s", [input.requester.iss, input.requester.sub]) in people
}

local_time := sprintf("%02d:%02d", [parts[0], parts[1]]) if parts := time.clock([instant, zone])

score := [least_risk, least_risk + open_risk]

least_risk := sum([weight | some id, weight in weights; factor[id] == "true"])

open_risk := sum([weight | some id, weight in weights; not settled_factor[id]])

settled_factor contains id if some id, _ in factor

is_list(v) if is_array(v)

is_list(v) if is_set(v)

is_scalar(v) if is_string(v)

is_scalar(v) if is_number(v)

is_scalar(v) if is_boolean(v)

same(x, c) if {
	type_name(x) == type_name(c)
	x == c
}

is_address(v) if {
	is_string(v)
	regex.match(`^([0-9]{1,3}\.){3}[0-9]{1,3}$|^[0-9a-f:]+$`, v)
}

same_family(range, v) if {
	contains(range, ":")
	contains(v, ":")
}

same_family(range, v) if {
	indexof(range, ":") == -1
	indexof(v, ":") == -1
}

units := {"s": 1, "m": 60, "h": 3600, "d": 86400}

seconds(text) := number if {
	regex.match(`^[0-9]{1,9}[smhd]$`, text)
	size := count(text)
	number := to_number(substring(text, 0, size - 1)) * units[substring(text, size - 1, 1)]
	number <= 316224000
}

is_instant(text) if {
	is_string(text)
	regex.match(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$`, text)
}
"##;
