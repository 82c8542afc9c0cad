//! Reading one value of one type, or saying what was expected and where.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::str::FromStr;

use crate::membership::{Approver, is_name_character};
use crate::policy::document::keys::Keys;
use crate::policy::document::{Fault, Place, Placed, Vocabulary};
use crate::policy::yaml::{Key, Node, Yaml};
use crate::principal::PrincipalId;
use crate::time::{Span, Timestamp};

/// Reads a document and keeps every fault it meets.
pub(crate) struct Reader<'a> {
    faults: &'a mut Vec<Fault>,
    pub(super) vocabulary: &'a Vocabulary,
}

pub(super) type Fields<'n> = BTreeMap<&'n str, &'n Node>;

impl<'a> Reader<'a> {
    pub(crate) fn new(faults: &'a mut Vec<Fault>, vocabulary: &'a Vocabulary) -> Self {
        Self { faults, vocabulary }
    }

    pub(crate) fn fault(&mut self, place: &Place, message: impl fmt::Display) {
        self.faults.push(Fault { place: place.clone(), message: message.to_string() });
    }

    /// How many faults there are so far.
    pub(super) fn fault_count(&self) -> usize {
        self.faults.len()
    }

    pub(crate) fn expected<T>(&mut self, node: &Node, what: &str) -> Option<T> {
        let found = node.value.what();
        self.fault(&node.place, format_args!("expected {what}, found {found}"));
        None
    }

    /// The members of a map of this kind; unknown and missing ones are faults.
    pub(crate) fn members<'n>(&mut self, node: &'n Node, keys: &Keys) -> Fields<'n> {
        self.fields(node, keys.of, keys.known, keys.required)
    }

    /// The members of a map, each known key once; unknown and missing ones are faults.
    pub(crate) fn fields<'n>(
        &mut self,
        node: &'n Node,
        of: &str,
        known: &[&str],
        required: &[&str],
    ) -> Fields<'n> {
        let mut fields = BTreeMap::new();
        let Some(members) = self.map(node) else { return fields };
        for (key, value) in members {
            if known.contains(&key.name.as_str()) {
                fields.insert(key.name.as_str(), value);
            } else {
                let nearest = nearest(&key.name, known.iter().copied());
                let known = known.join(", ");
                let message =
                    format!("unknown key `{}` in {of}{nearest}; known are {known}", key.name);
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

    pub(crate) fn map<'n>(&mut self, node: &'n Node) -> Option<&'n [(Key, Node)]> {
        match &node.value {
            Yaml::Map(members) => Some(members),
            Yaml::Null
            | Yaml::Bool(_)
            | Yaml::Int(_)
            | Yaml::Float(_)
            | Yaml::Text(_)
            | Yaml::List(_) => self.expected(node, "a map"),
        }
    }

    pub(crate) fn list<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        match &node.value {
            Yaml::List(items) => Some(items),
            Yaml::Null
            | Yaml::Bool(_)
            | Yaml::Int(_)
            | Yaml::Float(_)
            | Yaml::Text(_)
            | Yaml::Map(_) => self.expected(node, "a list"),
        }
    }

    /// The items of a list that must not be empty.
    pub(crate) fn items<'n>(&mut self, node: &'n Node, of: &str) -> &'n [Node] {
        let items = self.list(node).unwrap_or_default();
        if items.is_empty() && matches!(node.value, Yaml::List(_)) {
            self.fault(&node.place, format_args!("`{of}` is empty"));
        }
        items
    }

    pub(crate) fn texts(&mut self, node: &Node, of: &str) -> Vec<(Place, String)> {
        let items = self.items(node, of);
        let read = |item: &Node| self.text(item).map(|text| (item.place.clone(), text));
        items.iter().filter_map(read).collect()
    }

    /// One text, or a list of them.
    pub(super) fn one_or_more(&mut self, node: &Node, of: &str) -> Vec<(Place, String)> {
        match &node.value {
            Yaml::List(_) => self.texts(node, of),
            Yaml::Null
            | Yaml::Bool(_)
            | Yaml::Int(_)
            | Yaml::Float(_)
            | Yaml::Text(_)
            | Yaml::Map(_) => {
                self.text(node).map(|text| (node.place.clone(), text)).into_iter().collect()
            }
        }
    }

    pub(crate) fn text(&mut self, node: &Node) -> Option<String> {
        match &node.value {
            Yaml::Text(text) => Some(text.clone()),
            Yaml::Null | Yaml::List(_) | Yaml::Map(_) => self.expected(node, "text"),
            Yaml::Bool(_) | Yaml::Int(_) | Yaml::Float(_) => {
                self.expected(node, "text (put it in quotes)")
            }
        }
    }

    pub(super) fn optional_text(&mut self, node: Option<&&Node>) -> Option<String> {
        node.and_then(|node| self.text(node))
    }

    pub(crate) fn boolean(&mut self, node: &Node) -> Option<bool> {
        match &node.value {
            Yaml::Bool(value) => Some(*value),
            Yaml::Null
            | Yaml::Int(_)
            | Yaml::Float(_)
            | Yaml::Text(_)
            | Yaml::List(_)
            | Yaml::Map(_) => self.expected(node, "true or false"),
        }
    }

    pub(crate) fn count(&mut self, node: &Node, least: u32, most: u32) -> Option<u32> {
        let what = format!("a whole number from {least} to {most}");
        match &node.value {
            Yaml::Int(number) => match u32::try_from(*number) {
                Ok(count) if (least..=most).contains(&count) => Some(count),
                _ => {
                    self.fault(&node.place, format_args!("expected {what}, found {number}"));
                    None
                }
            },
            Yaml::Null
            | Yaml::Bool(_)
            | Yaml::Float(_)
            | Yaml::Text(_)
            | Yaml::List(_)
            | Yaml::Map(_) => self.expected(node, &what),
        }
    }

    pub(crate) fn span(&mut self, node: Option<&&Node>) -> Option<Span> {
        let node = node?;
        let Yaml::Text(text) = &node.value else {
            return self.expected(node, "a duration such as 10m");
        };
        match text.parse() {
            Ok(Span::ZERO) => self.fault(&node.place, "a duration of nothing"),
            Ok(span) => return Some(span),
            Err(error) => self.fault(&node.place, error),
        }
        None
    }

    pub(crate) fn instant(&mut self, node: &Node) -> Option<Timestamp> {
        self.parsed(node)
    }

    /// A text that says something of a type with a form of its own.
    pub(crate) fn parsed<T>(&mut self, node: &Node) -> Option<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let text = self.text(node)?;
        self.parse(&node.place, &text)
    }

    pub(super) fn parse<T>(&mut self, place: &Place, text: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(place, error);
                None
            }
        }
    }

    /// One of these words.
    pub(crate) fn word<T: Copy>(&mut self, node: &Node, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let nearest = nearest(&text, known.iter().copied());
            let message = format!("unknown `{text}`{nearest}; known are {}", known.join(", "));
            self.fault(&node.place, message);
        }
        found.map(|(_, value)| *value)
    }

    pub(crate) fn constant(&mut self, node: Option<&&Node>, wanted: &str) {
        let Some(node) = node else { return };
        if !matches!(&node.value, Yaml::Text(text) if text == wanted) {
            self.fault(&node.place, format_args!("expected `{wanted}`"));
        }
    }

    pub(crate) fn approvers(&mut self, node: Option<&Node>) -> Vec<(Place, Approver)> {
        let Some(node) = node else { return Vec::new() };
        let texts = self.texts(node, "approvers");
        let mut approvers = Vec::new();
        for (place, text) in texts {
            approvers.extend(self.parse(&place, &text).map(|approver| (place, approver)));
        }
        approvers
    }

    pub(super) fn set_of<T>(&mut self, node: Option<&&Node>, of: &str) -> BTreeSet<T>
    where
        T: FromStr + Ord,
        T::Err: fmt::Display,
    {
        let Some(node) = node else { return BTreeSet::new() };
        let texts = self.texts(node, of);
        texts.into_iter().filter_map(|(place, text)| self.parse(&place, &text)).collect()
    }

    /// The entries of a section that gives them names; those that do not read are left out.
    pub(super) fn named<T>(
        &mut self,
        node: &Node,
        read: impl Fn(&mut Self, &str, &Node) -> Option<T>,
    ) -> BTreeMap<String, Placed<T>> {
        let mut named = BTreeMap::new();
        for (Key { place, name }, node) in self.map(node).unwrap_or_default() {
            self.name(place, name);
            if let Some(value) = read(self, name, node) {
                named.insert(name.clone(), Placed { place: place.clone(), value });
            }
        }
        named
    }

    /// Who somebody is whom another issuer names in its own way.
    pub(super) fn numbered(&mut self, node: &Node) -> BTreeMap<String, PrincipalId> {
        let mut people = BTreeMap::new();
        for (key, node) in self.map(node).unwrap_or_default() {
            people.extend(self.person(node).map(|person| (key.name.clone(), person)));
        }
        people
    }

    pub(super) fn name(&mut self, place: &Place, name: &str) {
        if name.is_empty() || name.len() > 63 || !name.chars().all(is_name_character) {
            let message = "expected a name of 1 to 63 letters, digits, `-`, `_`, `.` or `/`";
            self.fault(place, message);
        }
    }
}

/// Where the field stands; the whole entry where it is missing.
pub(super) fn place_of<'n>(fields: &Fields<'n>, field: &str, entry: &'n Node) -> &'n Place {
    fields.get(field).map_or(&entry.place, |node| &node.place)
}

/// `, did you mean …`, where one of the known words is near.
pub(crate) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> String {
    let mut hint = String::new();
    let near = known.map(|known| (strsim::osa_distance(word, known), known)).min();
    let most = (word.chars().count() / 3).max(1);
    if let Some((distance, known)) = near.filter(|(distance, _)| *distance <= most) {
        debug_assert!(distance > 0 || known == word);
        // Writing to a String cannot fail.
        let _ = write!(hint, " (did you mean `{known}`?)");
    }
    hint
}
