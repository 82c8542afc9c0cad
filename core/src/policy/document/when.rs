//! Conditions, as they are written under `when`.

use std::sync::Arc;

use crate::policy::attribute::{Attribute, CHANGE_MEMBERS, PlanFact, Type, misfit};
use crate::policy::calendar::{Date, TimeOfDay, Zone};
use crate::policy::condition::{Condition, Constant, Named, Order, Test, is_exact};
use crate::policy::document::reader::{Reader, nearest};
use crate::policy::document::{Place, keys};
use crate::policy::yaml::{Key, Node, Yaml};
use crate::time::{Span, Timestamp};

/// The operators of a test.
pub(crate) const OPERATORS: [&str; 23] = [
    "eq",
    "in",
    "contains",
    "contains_any",
    "contains_all",
    "gt",
    "gte",
    "lt",
    "lte",
    "prefix",
    "suffix",
    "glob",
    "cidr",
    "exists",
    "within",
    "before",
    "after",
    "some",
    "every",
    "same_as",
    "not",
    "any",
    "all",
];

/// What names stand for where a condition is: attributes, or members of a list's element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Intent,
    Change,
    Element,
}

impl Reader<'_> {
    /// A `when` map: all of it must hold.
    pub(super) fn conditions(&mut self, node: &Node) -> Vec<Condition> {
        self.conditions_in(node, Scope::Intent)
    }

    fn conditions_in(&mut self, node: &Node, scope: Scope) -> Vec<Condition> {
        let mut conditions = Vec::new();
        for (key, node) in self.map(node).unwrap_or_default() {
            match key.name.as_str() {
                "not" => conditions.push(Condition::Not(self.inside(node, scope))),
                "any" => conditions.push(Condition::Any(self.branches(node, "any", scope))),
                "all" => conditions.push(Condition::All(self.branches(node, "all", scope))),
                _ => conditions.extend(self.tested(key, node, scope)),
            }
        }
        conditions
    }

    fn branches(&mut self, node: &Node, word: &str, scope: Scope) -> Vec<Vec<Condition>> {
        let items = self.items(node, word);
        items.iter().map(|item| self.inside(item, scope)).collect()
    }

    /// Conditions that stand within another: at least one, because none would always hold.
    fn inside(&mut self, node: &Node, scope: Scope) -> Vec<Condition> {
        if matches!(&node.value, Yaml::Map(members) if members.is_empty()) {
            self.fault(&node.place, "expected at least one condition");
        }
        self.conditions_in(node, scope)
    }

    fn tested(&mut self, key: &Key, node: &Node, scope: Scope) -> Vec<Condition> {
        let Some(attribute) = self.attribute(&key.place, &key.name, scope) else {
            return Vec::new();
        };
        let tests = self.tests(&attribute, node, scope);
        let condition = |test| Condition::Test { attribute: attribute.clone(), test };
        tests.into_iter().map(condition).collect()
    }

    fn attribute(&mut self, place: &Place, name: &str, scope: Scope) -> Option<Attribute> {
        let attribute = match scope {
            Scope::Intent => Attribute::named(name),
            Scope::Change => Attribute::member(name).filter(|_| CHANGE_MEMBERS.contains(&name)),
            Scope::Element => Attribute::member(name),
        };
        if attribute.is_none() {
            let known: Vec<String> = match scope {
                Scope::Intent => Attribute::names(),
                Scope::Change => CHANGE_MEMBERS.iter().map(|name| (*name).to_owned()).collect(),
                Scope::Element => Vec::new(),
            };
            let nearest = nearest(name, known.iter().map(String::as_str));
            let known = known.join(", ");
            let message = format!("unknown attribute `{name}`{nearest}; known are {known}");
            self.fault(place, message);
        }
        attribute
    }

    /// A value, a list, or a map of operators, of which all must hold.
    fn tests(&mut self, attribute: &Attribute, node: &Node, scope: Scope) -> Vec<Test> {
        let Yaml::Map(operators) = &node.value else {
            let word = if matches!(node.value, Yaml::List(_)) { "in" } else { "eq" };
            return self.test(attribute, word, &node.place, node, scope).into_iter().collect();
        };
        if operators.is_empty() {
            self.fault(&node.place, "expected an operator");
        }
        let read =
            |(key, node): &(Key, Node)| self.test(attribute, &key.name, &key.place, node, scope);
        operators.iter().filter_map(read).collect()
    }

    fn test(
        &mut self,
        attribute: &Attribute,
        word: &str,
        at: &Place,
        node: &Node,
        scope: Scope,
    ) -> Option<Test> {
        let test = match word {
            "eq" => Test::In(vec![self.value(attribute, node)?]),
            "in" => Test::In(self.values(attribute, node, word)?),
            "contains" => Test::Contains { items: vec![self.scalar(node)?], all: true },
            "contains_any" => Test::Contains { items: self.scalars(node, word)?, all: false },
            "contains_all" => Test::Contains { items: self.scalars(node, word)?, all: true },
            "gt" => self.compared(attribute, Order::Gt, node)?,
            "gte" => self.compared(attribute, Order::Gte, node)?,
            "lt" => self.compared(attribute, Order::Lt, node)?,
            "lte" => self.compared(attribute, Order::Lte, node)?,
            "before" | "after" => self.dated(attribute, word, at, node)?,
            "prefix" => Test::Prefix(self.some_text(node)?),
            "suffix" => Test::Suffix(self.some_text(node)?),
            "glob" => {
                let texts = self.one_or_more(node, word);
                Test::Glob(texts.iter().map(|(at, t)| self.parse(at, t)).collect::<Option<_>>()?)
            }
            "cidr" => {
                let texts = self.one_or_more(node, word);
                Test::Cidr(texts.iter().map(|(at, t)| self.parse(at, t)).collect::<Option<_>>()?)
            }
            "exists" => Test::Exists(self.boolean(node)?),
            "within" => Test::Within(self.within(node)?),
            "some" => Test::Some(self.inner(attribute, node)?),
            "every" => Test::Every(self.inner(attribute, node)?),
            "same_as" => {
                let name = self.text(node)?;
                Test::SameAs(self.attribute(&node.place, &name, scope)?)
            }
            "not" => Test::Not(Box::new(Test::All(self.tests(attribute, node, scope)))),
            "any" | "all" => {
                let items = self.items(node, word);
                let each = |item: &Node| Test::All(self.tests(attribute, item, scope));
                let tests = items.iter().map(each).collect();
                if word == "any" { Test::Any(tests) } else { Test::All(tests) }
            }
            other => {
                let nearest = nearest(other, OPERATORS.into_iter());
                let known = OPERATORS.join(", ");
                let message = format!("unknown operator `{other}`{nearest}; known are {known}");
                self.fault(at, message);
                return None;
            }
        };
        if let Some(what) = misfit(attribute, &test) {
            self.fault(at, format_args!("`{attribute}` is not tested with `{word}`: {what}"));
            return None;
        }
        Some(test)
    }

    fn inner(&mut self, attribute: &Attribute, node: &Node) -> Option<Vec<Condition>> {
        let is_plan = *attribute == Attribute::Plan(PlanFact::Changes);
        let scope = if is_plan { Scope::Change } else { Scope::Element };
        Some(self.inside(node, scope))
    }

    fn values(&mut self, attribute: &Attribute, node: &Node, word: &str) -> Option<Vec<Constant>> {
        if !matches!(node.value, Yaml::List(_)) {
            return self.expected(node, "a list");
        }
        let items = self.items(node, word);
        items.iter().map(|item| self.value(attribute, item)).collect()
    }

    fn scalars(&mut self, node: &Node, word: &str) -> Option<Vec<Constant>> {
        if !matches!(node.value, Yaml::List(_)) {
            return self.expected(node, "a list");
        }
        let items = self.items(node, word);
        items.iter().map(|item| self.scalar(item)).collect()
    }

    /// A value as YAML has it.
    fn scalar(&mut self, node: &Node) -> Option<Constant> {
        match &node.value {
            Yaml::Text(text) => Some(Constant::Text(text.clone())),
            Yaml::Bool(value) => Some(Constant::Boolean(*value)),
            Yaml::Int(number) => self.whole(node, *number),
            Yaml::Float(number) => match is_exact(*number) {
                true => Some(Constant::Number(*number)),
                false => self.expected(node, "a number whose size is below 2^53"),
            },
            Yaml::Null => self.expected(node, "a value; use `exists: false` for what is not there"),
            Yaml::List(_) | Yaml::Map(_) => self.expected(node, "one value"),
        }
    }

    /// JSON numbers are exact to 2^53 (RFC 7493 section 2.2); beyond, two would be one.
    fn whole(&mut self, node: &Node, number: i64) -> Option<Constant> {
        if number.unsigned_abs() > (1 << 53) - 1 {
            return self.expected(node, "a number whose size is below 2^53");
        }
        Some(Constant::Number(number as f64))
    }

    /// A value of the attribute's type.
    fn value(&mut self, attribute: &Attribute, node: &Node) -> Option<Constant> {
        let kind = attribute.type_of();
        match (kind, &node.value) {
            (Type::Text, Yaml::Text(text)) => Some(Constant::Text(text.clone())),
            (Type::Text, _) => self.text(node).map(Constant::Text),
            (Type::Clock, _) => self.clock(attribute, node),
            (Type::Number, Yaml::Int(_) | Yaml::Float(_)) => self.scalar(node),
            (Type::Number, _) => self.expected(node, "a number"),
            (Type::Boolean, _) => self.boolean(node).map(Constant::Boolean),
            (Type::Span, _) => self.span(Some(&node)).map(Constant::Span),
            (Type::Instant, _) => self.instant(node).map(Constant::Instant),
            (Type::Json | Type::Texts | Type::Maps, _) => self.scalar(node),
        }
    }

    fn clock(&mut self, attribute: &Attribute, node: &Node) -> Option<Constant> {
        let text = match *attribute == Attribute::Date {
            true => self.parsed::<Date>(node)?.to_string(),
            false => self.parsed::<TimeOfDay>(node)?.to_string(),
        };
        Some(Constant::Text(text))
    }

    fn compared(&mut self, attribute: &Attribute, order: Order, node: &Node) -> Option<Test> {
        let bound = match attribute.type_of() {
            Type::Json => match self.scalar(node)? {
                Constant::Text(text) => {
                    let span = text.parse::<Span>().map(Constant::Span);
                    let instant = || text.parse::<Timestamp>().map(Constant::Instant);
                    match span.or_else(|_| instant()) {
                        Ok(bound) => bound,
                        Err(_) => return self.expected(node, "a number, a duration or an instant"),
                    }
                }
                bound @ Constant::Number(_) => bound,
                Constant::Boolean(_) | Constant::Span(_) | Constant::Instant(_) => {
                    return self.expected(node, "a number, a duration or an instant");
                }
            },
            Type::Text | Type::Boolean | Type::Texts | Type::Maps => self.scalar(node)?,
            Type::Clock | Type::Number | Type::Span | Type::Instant => {
                self.value(attribute, node)?
            }
        };
        Some(Test::Compare { order, bound })
    }

    /// `before` is exclusive and `after` inclusive, so that two freezes can meet without a gap.
    fn dated(
        &mut self,
        attribute: &Attribute,
        word: &str,
        at: &Place,
        node: &Node,
    ) -> Option<Test> {
        if !matches!(attribute.type_of(), Type::Instant | Type::Json) {
            let message = format!("`{attribute}` is not tested with `{word}`: it is no instant");
            self.fault(at, message);
            return None;
        }
        let order = if word == "before" { Order::Lt } else { Order::Gte };
        Some(Test::Compare { order, bound: Constant::Instant(self.instant(node)?) })
    }

    fn some_text(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        if text.is_empty() {
            return self.expected(node, "at least one character");
        }
        Some(text)
    }

    /// A calendar by its name, or a window right here.
    fn within(&mut self, node: &Node) -> Option<Arc<Named>> {
        if matches!(node.value, Yaml::Map(_)) {
            let fields = self.members(node, &keys::INLINE_WINDOW);
            let text = self.calendar_fields(node, &fields)?;
            let zone = self.vocabulary.zone.clone().unwrap_or_else(Zone::utc);
            let calendar = self.made(&node.place, &text, &zone)?;
            return Some(Arc::new(Named { name: None, calendar }));
        }
        let name = self.text(node)?;
        let vocabulary = self.vocabulary;
        let Some(calendar) = vocabulary.calendars.get(&name) else {
            let known = vocabulary.calendars.keys().map(String::as_str);
            let nearest = nearest(&name, known);
            let message =
                format!("there is no calendar `{name}`{nearest}; `calendars` defines them");
            self.fault(&node.place, message);
            return None;
        };
        Some(Arc::new(Named { name: Some(name), calendar: Arc::clone(calendar) }))
    }
}
