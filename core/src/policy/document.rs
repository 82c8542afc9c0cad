//! Policy documents: YAML in, rules or every fault with its place out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::intent::MAX_DURATION;
use crate::membership::{Approver, is_name_character};
use crate::policy::condition::{Attribute, Condition, Test};
use crate::policy::yaml::{self, Key, Node, Yaml};
use crate::principal::PrincipalId;
use crate::time::Span;

/// The name under which a ruling refuses when no rule speaks.
pub(crate) const DEFAULT_DENY: &str = "default-deny";

/// The text of one policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDocument {
    /// Its name, as faults shall print it.
    pub file: String,
    /// The whole text.
    pub text: String,
}

/// A place in a policy file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

impl Place {
    /// From the reader's line, from 1, and column, from 0.
    pub(crate) fn at(file: &str, line: usize, column: usize) -> Self {
        Self { file: file.to_owned(), line: line.max(1), column: column + 1 }
    }
}

/// One thing that is wrong in a policy file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{}:{}:{}: {message}", place.file, place.line, place.column)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What is wrong and what was expected.
    pub message: String,
}

/// A rule as written, checked by itself.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) place: Place,
    pub(crate) when: Vec<Condition>,
    pub(crate) effect: Effect,
}

#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Deny { message: String, waivable: bool },
    Require { stages: Vec<StageText>, expires_after: Option<Span>, limits: Limits },
    Allow { waives: Vec<(Place, String)>, limits: Limits },
}

#[derive(Clone, Debug)]
pub(crate) struct StageText {
    pub(crate) place: Place,
    pub(crate) name: String,
    pub(crate) approvals: u32,
    pub(crate) from: BTreeSet<Approver>,
    pub(crate) exclude: BTreeSet<Approver>,
}

/// What a rule says of credentials; what it leaves out, it does not limit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) max_ttl: Option<Span>,
    pub(crate) uses: Option<u32>,
    pub(crate) audiences: Option<BTreeSet<String>>,
    pub(crate) grant_window: Option<Span>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Defaults {
    pub(crate) request_expires: Option<Span>,
    pub(crate) limits: Limits,
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) place: Place,
    pub(crate) people: BTreeSet<PrincipalId>,
}

/// One document, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) defaults: Defaults,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) rules: Vec<Rule>,
}

/// Reads a document; every fault that can be seen in it alone is added to `faults`.
pub(crate) fn read(document: &PolicyDocument, faults: &mut Vec<Fault>) -> Parsed {
    let root = match yaml::parse(&document.file, &document.text) {
        Ok(Some(root)) => root,
        Ok(None) => {
            let place = Place::at(&document.file, 1, 0);
            faults.push(Fault { place, message: "the file holds no document".to_owned() });
            return Parsed::default();
        }
        Err(fault) => {
            faults.push(fault);
            return Parsed::default();
        }
    };
    let mut reader = Reader { faults };
    reader.document(&root)
}

struct Reader<'a> {
    faults: &'a mut Vec<Fault>,
}

impl Reader<'_> {
    fn fault(&mut self, place: &Place, message: impl fmt::Display) {
        self.faults.push(Fault { place: place.clone(), message: message.to_string() });
    }

    fn expected<T>(&mut self, node: &Node, what: &str) -> Option<T> {
        let found = node.value.what();
        self.fault(&node.place, format_args!("expected {what}, found {found}"));
        None
    }

    fn document(&mut self, root: &Node) -> Parsed {
        let known = ["apiVersion", "kind", "metadata", "defaults", "groups", "rules"];
        let fields = self.fields(root, "document", &known, &["apiVersion", "kind"]);
        self.constant(fields.get("apiVersion"), "assent/v1");
        self.constant(fields.get("kind"), "Policy");
        if let Some(metadata) = fields.get("metadata") {
            let fields = self.fields(metadata, "metadata", &["name", "owner"], &[]);
            for node in fields.values() {
                self.text(node);
            }
        }
        Parsed {
            defaults: fields.get("defaults").map(|node| self.defaults(node)).unwrap_or_default(),
            groups: fields.get("groups").map(|node| self.groups(node)).unwrap_or_default(),
            rules: fields.get("rules").map(|node| self.rules(node)).unwrap_or_default(),
        }
    }

    fn defaults(&mut self, node: &Node) -> Defaults {
        let known = ["request_expires", "max_ttl", "uses", "grant_window"];
        let fields = self.fields(node, "defaults", &known, &[]);
        Defaults {
            request_expires: self.span(fields.get("request_expires")),
            limits: self.limit_fields(&fields),
        }
    }

    fn groups(&mut self, node: &Node) -> BTreeMap<String, Group> {
        let mut groups = BTreeMap::new();
        for (key, node) in self.map(node).unwrap_or_default() {
            self.name(&key.place, &key.name);
            let mut people = BTreeSet::new();
            for (place, approver) in self.approvers(Some(node)) {
                match approver {
                    Approver::Person(person) => drop(people.insert(person)),
                    Approver::Group(_) => self.fault(&place, "a group holds people, not groups"),
                }
            }
            groups.insert(key.name.clone(), Group { place: key.place.clone(), people });
        }
        groups
    }

    fn rules(&mut self, node: &Node) -> Vec<Rule> {
        let items = self.list(node).unwrap_or_default();
        items.iter().filter_map(|item| self.rule(item)).collect()
    }

    fn rule(&mut self, node: &Node) -> Option<Rule> {
        let known = ["id", "description", "when", "deny", "require", "allow"];
        let fields = self.fields(node, "rule", &known, &["id"]);
        let id = self.text(fields.get("id")?)?;
        self.name(&node.place, &id);
        if id == DEFAULT_DENY {
            self.fault(&node.place, format_args!("`{id}` is what a ruling by no rule is called"));
        }
        if let Some(description) = fields.get("description") {
            self.text(description);
        }
        let when = fields.get("when").map(|node| self.conditions(node)).unwrap_or_default();
        let effects = ["deny", "require", "allow"];
        let written: Vec<_> =
            effects.iter().filter_map(|e| fields.get(e).map(|n| (*e, n))).collect();
        let [(effect, body)] = written.as_slice() else {
            let message = "a rule has exactly one of deny, require and allow";
            self.fault(&node.place, format_args!("rule `{id}`: {message}"));
            return None;
        };
        let effect = match *effect {
            "deny" => self.deny(body)?,
            "require" => self.require(&id, body)?,
            _ => self.allow(body),
        };
        Some(Rule { id, place: node.place.clone(), when, effect })
    }

    fn deny(&mut self, node: &Node) -> Option<Effect> {
        let fields = self.fields(node, "deny", &["message", "waivable"], &["message"]);
        let waivable = fields.get("waivable").and_then(|node| self.boolean(node)).unwrap_or(false);
        Some(Effect::Deny { message: self.text(fields.get("message")?)?, waivable })
    }

    fn require(&mut self, rule: &str, node: &Node) -> Option<Effect> {
        let known = ["stages", "request_expires", "credential"];
        let fields = self.fields(node, "require", &known, &["stages"]);
        let expires_after = self.span(fields.get("request_expires"));
        let limits = self.limits(fields.get("credential"));
        let list = fields.get("stages")?;
        let items = self.list(list)?;
        if items.is_empty() {
            self.fault(&list.place, "`stages` is empty: name at least one");
        }
        let mut stages: Vec<StageText> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let Some(stage) = self.stage(rule, index, item) else { continue };
            if stages.iter().any(|other| other.name == stage.name) {
                self.fault(&stage.place, format_args!("two stages are named `{}`", stage.name));
            }
            stages.push(stage);
        }
        Some(Effect::Require { stages, expires_after, limits })
    }

    fn stage(&mut self, rule: &str, index: usize, node: &Node) -> Option<StageText> {
        let known = ["name", "approvals", "from", "exclude"];
        let fields = self.fields(node, "stage", &known, &["approvals", "from"]);
        let name = match fields.get("name") {
            Some(node) => self.text(node)?,
            None => format!("{}", index + 1),
        };
        self.name(&node.place, &name);
        let from = self.approvers(fields.get("from").copied());
        let exclude = self.approvers(fields.get("exclude").copied());
        let approvals = self.count(fields.get("approvals")?, 1, 100)?;
        Some(StageText {
            place: node.place.clone(),
            name: format!("{rule}/{name}"),
            approvals,
            from: from.into_iter().map(|(_, approver)| approver).collect(),
            exclude: exclude.into_iter().map(|(_, approver)| approver).collect(),
        })
    }

    fn allow(&mut self, node: &Node) -> Effect {
        let fields = self.fields(node, "allow", &["waives", "credential"], &[]);
        let limits = self.limits(fields.get("credential"));
        let waives = match fields.get("waives") {
            Some(node) => self.texts(node, "waives"),
            None => Vec::new(),
        };
        Effect::Allow { waives, limits }
    }

    fn limits(&mut self, node: Option<&&Node>) -> Limits {
        let Some(node) = node else { return Limits::default() };
        let known = ["max_ttl", "uses", "audiences", "grant_window"];
        let fields = self.fields(node, "credential", &known, &[]);
        self.limit_fields(&fields)
    }

    fn limit_fields(&mut self, fields: &BTreeMap<&str, &Node>) -> Limits {
        let audiences = fields.get("audiences").map(|node| {
            self.texts(node, "audiences").into_iter().map(|(_, audience)| audience).collect()
        });
        let max_ttl = self.span(fields.get("max_ttl"));
        if let (Some(node), true) = (fields.get("max_ttl"), max_ttl > Some(MAX_DURATION)) {
            self.fault(&node.place, format_args!("a credential lives at most {MAX_DURATION}"));
        }
        Limits {
            max_ttl,
            uses: fields.get("uses").and_then(|node| self.count(node, 1, 1000)),
            audiences,
            grant_window: self.span(fields.get("grant_window")),
        }
    }

    fn conditions(&mut self, node: &Node) -> Vec<Condition> {
        let mut conditions = Vec::new();
        for (key, node) in self.map(node).unwrap_or_default() {
            let Some(attribute) = Attribute::named(&key.name) else {
                let known = Attribute::KNOWN;
                let message = format!("unknown attribute `{}`; known are {known}", key.name);
                self.fault(&key.place, message);
                continue;
            };
            for test in self.tests(&attribute, node) {
                conditions.push(Condition { attribute: attribute.clone(), test });
            }
        }
        conditions
    }

    /// A value, a list, or a map of operators, of which all must hold.
    fn tests(&mut self, attribute: &Attribute, node: &Node) -> Vec<Test> {
        let Yaml::Map(operators) = &node.value else {
            return self.test(attribute, "in", &node.place, node).into_iter().collect();
        };
        if operators.is_empty() {
            self.fault(&node.place, "expected an operator");
        }
        let read = |(key, node): &(Key, Node)| self.test(attribute, &key.name, &key.place, node);
        operators.iter().filter_map(read).collect()
    }

    fn test(&mut self, attribute: &Attribute, word: &str, at: &Place, node: &Node) -> Option<Test> {
        let wants_list = match word {
            "eq" | "in" => false,
            "contains" | "contains_any" | "contains_all" => true,
            other => {
                let known = "eq, in, contains, contains_any, contains_all";
                self.fault(at, format_args!("unknown operator `{other}`; known are {known}"));
                return None;
            }
        };
        if wants_list != attribute.is_list() {
            let fits = if attribute.is_list() { "contains" } else { "eq or in" };
            self.fault(at, format_args!("`{attribute}` is not tested so; use {fits}"));
            return None;
        }
        let items = match (&node.value, word) {
            (Yaml::List(_), "eq" | "contains") => return self.expected(node, "one text"),
            (Yaml::List(_), _) => self.texts(node, word),
            _ => vec![(node.place.clone(), self.text(node)?)],
        };
        let items = items.into_iter().map(|(_, text)| text).collect();
        Some(match word {
            "eq" | "in" => Test::In(items),
            "contains_all" => Test::ContainsAll(items),
            _ => Test::ContainsAny(items),
        })
    }

    fn approvers(&mut self, node: Option<&Node>) -> Vec<(Place, Approver)> {
        let Some(node) = node else { return Vec::new() };
        let texts = self.texts(node, "approvers");
        let mut approvers = Vec::new();
        for (place, text) in texts {
            match Approver::from_str(&text) {
                Ok(approver) => approvers.push((place, approver)),
                Err(error) => self.fault(&place, error),
            }
        }
        approvers
    }

    /// The members of a map, each known key once; unknown and missing ones are faults.
    fn fields<'n>(
        &mut self,
        node: &'n Node,
        of: &str,
        known: &[&str],
        required: &[&str],
    ) -> BTreeMap<&'n str, &'n Node> {
        let mut fields = BTreeMap::new();
        let Some(members) = self.map(node) else { return fields };
        for (key, value) in members {
            if known.contains(&key.name.as_str()) {
                fields.insert(key.name.as_str(), value);
            } else {
                let known = known.join(", ");
                let message = format!("unknown key `{}` in {of}; known are {known}", key.name);
                self.fault(&key.place, message);
            }
        }
        for name in required {
            if !fields.contains_key(name) {
                self.fault(&node.place, format_args!("{of} lacks `{name}`"));
            }
        }
        fields
    }

    fn map<'n>(&mut self, node: &'n Node) -> Option<&'n [(Key, Node)]> {
        match &node.value {
            Yaml::Map(members) => Some(members),
            Yaml::Null | Yaml::Bool(_) | Yaml::Int(_) | Yaml::Text(_) | Yaml::List(_) => {
                self.expected(node, "a map")
            }
        }
    }

    fn list<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        match &node.value {
            Yaml::List(items) => Some(items),
            Yaml::Null | Yaml::Bool(_) | Yaml::Int(_) | Yaml::Text(_) | Yaml::Map(_) => {
                self.expected(node, "a list")
            }
        }
    }

    fn texts(&mut self, node: &Node, of: &str) -> Vec<(Place, String)> {
        let items = self.list(node).unwrap_or_default();
        if items.is_empty() && matches!(node.value, Yaml::List(_)) {
            self.fault(&node.place, format_args!("`{of}` is empty"));
        }
        let read = |item: &Node| self.text(item).map(|text| (item.place.clone(), text));
        items.iter().filter_map(read).collect()
    }

    fn text(&mut self, node: &Node) -> Option<String> {
        match &node.value {
            Yaml::Text(text) => Some(text.clone()),
            Yaml::Null | Yaml::Bool(_) | Yaml::Int(_) | Yaml::List(_) | Yaml::Map(_) => {
                self.expected(node, "text")
            }
        }
    }

    fn boolean(&mut self, node: &Node) -> Option<bool> {
        match &node.value {
            Yaml::Bool(value) => Some(*value),
            Yaml::Null | Yaml::Int(_) | Yaml::Text(_) | Yaml::List(_) | Yaml::Map(_) => {
                self.expected(node, "true or false")
            }
        }
    }

    fn count(&mut self, node: &Node, least: u32, most: u32) -> Option<u32> {
        let what = format!("a whole number from {least} to {most}");
        match &node.value {
            Yaml::Int(number) => match u32::try_from(*number) {
                Ok(count) if (least..=most).contains(&count) => Some(count),
                _ => {
                    self.fault(&node.place, format_args!("expected {what}, found {number}"));
                    None
                }
            },
            Yaml::Null | Yaml::Bool(_) | Yaml::Text(_) | Yaml::List(_) | Yaml::Map(_) => {
                self.expected(node, &what)
            }
        }
    }

    fn span(&mut self, node: Option<&&Node>) -> Option<Span> {
        let node = node?;
        let text = self.text(node)?;
        match text.parse() {
            Ok(Span::ZERO) => self.fault(&node.place, "a duration of nothing"),
            Ok(span) => return Some(span),
            Err(error) => self.fault(&node.place, error),
        }
        None
    }

    fn constant(&mut self, node: Option<&&Node>, wanted: &str) {
        let Some(node) = node else { return };
        if !matches!(&node.value, Yaml::Text(text) if text == wanted) {
            self.fault(&node.place, format_args!("expected `{wanted}`"));
        }
    }

    fn name(&mut self, place: &Place, name: &str) {
        if name.is_empty() || name.len() > 63 || !name.chars().all(is_name_character) {
            let message = "expected a name of 1 to 63 letters, digits, `-`, `_`, `.` or `/`";
            self.fault(place, message);
        }
    }
}
