//! Strict JSON (RFC 8259) on a tape: one small entry for each value, no tree and no copy.
//!
//! The whole text is checked once: grammar, duplicate names, depth, length, count. What is read from
//! the tape afterwards cannot be malformed any more, only be something else than is expected.

mod escape;
mod names;
mod reader;

use std::borrow::Cow;

use crate::plan::Limits;
use crate::plan::error::{Place, PlanError};
use crate::plan::tape::escape::unescaped;
use crate::plan::tape::names::step;
use crate::plan::tape::reader::Reader;

/// The checked text and where each value of it stands.
#[derive(Debug)]
pub(super) struct Tape<'a> {
    text: &'a str,
    entries: Vec<Entry>,
}

/// One value, or one member's name.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Its first byte.
    at: u32,
    /// The byte after its last.
    end: u32,
    /// The entry after it and all that stands within it.
    next: u32,
}

/// What kind of JSON value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    List,
    Map,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::List => "a list",
            Self::Map => "an object",
        }
    }
}

/// One value on the tape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'t> {
    tape: &'t Tape<'t>,
    index: u32,
}

impl<'a> Tape<'a> {
    /// Reads one JSON value and nothing after it.
    pub(super) fn read(text: &'a str, limits: &Limits) -> Result<Self, PlanError> {
        let mut reader = Reader::new(text, limits);
        reader.value()?;
        reader.space();
        match reader.peek() {
            None => Ok(Self { text, entries: reader.entries }),
            Some(_) => Err(reader.syntax("nothing more after the value")),
        }
    }

    /// Reads the first JSON value, whatever follows it.
    pub(super) fn read_first(text: &'a str, limits: &Limits) -> Result<Self, PlanError> {
        let mut reader = Reader::new(text, limits);
        reader.value()?;
        Ok(Self { text, entries: reader.entries })
    }

    /// The value itself.
    pub(super) fn root(&self) -> Node<'_> {
        Node { tape: self, index: 0 }
    }

    fn entry(&self, index: u32) -> Entry {
        self.entries.get(index as usize).copied().unwrap_or_default()
    }

    fn raw(&self, index: u32) -> &str {
        let entry = self.entry(index);
        self.text.get(entry.at as usize..entry.end as usize).unwrap_or_default()
    }
}

impl<'t> Node<'t> {
    pub(super) fn kind(self) -> Kind {
        match self.raw().as_bytes().first() {
            Some(b'{') => Kind::Map,
            Some(b'[') => Kind::List,
            Some(b'"') => Kind::Text,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// Its number on the tape.
    pub(super) fn index(self) -> u32 {
        self.index
    }

    /// The value as it was written.
    pub(super) fn raw(self) -> &'t str {
        self.tape.raw(self.index)
    }

    pub(super) fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    pub(super) fn is_true(self) -> bool {
        self.raw() == "true"
    }

    pub(super) fn boolean(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.is_true())
    }

    pub(super) fn text(self) -> Option<Cow<'t, str>> {
        (self.kind() == Kind::Text).then(|| unescaped(self.raw()))
    }

    /// The elements, where it is a list.
    pub(super) fn items(self) -> impl Iterator<Item = Node<'t>> + use<'t> {
        let is_list = self.kind() == Kind::List;
        let end = if is_list { self.tape.entry(self.index).next } else { 0 };
        let first = Some(self.index + 1).filter(|index| *index < end);
        let tape = self.tape;
        let after = move |index: &u32| Some(tape.entry(*index).next).filter(|next| *next < end);
        std::iter::successors(first, after).map(move |index| Node { tape, index })
    }

    /// The members, where it is an object, in the order of the text.
    pub(super) fn members(self) -> impl Iterator<Item = (Cow<'t, str>, Node<'t>)> + use<'t> {
        let is_map = self.kind() == Kind::Map;
        let end = if is_map { self.tape.entry(self.index).next } else { 0 };
        let first = Some(self.index + 1).filter(|index| *index < end);
        let tape = self.tape;
        let after = move |name: &u32| Some(tape.entry(name + 1).next).filter(|next| *next < end);
        std::iter::successors(first, after)
            .map(move |name| (unescaped(tape.raw(name)), Node { tape, index: name + 1 }))
    }

    /// The member of that name, unless it is not there or null.
    pub(super) fn get(self, name: &str) -> Option<Node<'t>> {
        self.members()
            .find(|(member, _)| member == name)
            .map(|(_, node)| node)
            .filter(|node| !node.is_null())
    }

    /// Whether nothing stands in it.
    pub(super) fn is_empty(self) -> bool {
        self.tape.entry(self.index).next == self.index + 1
    }

    /// How many elements it has, where it is a list.
    pub(super) fn len(self) -> usize {
        self.items().count()
    }

    /// Whether two values are the same: members in any order, numbers as they are written.
    pub(super) fn same(self, other: Node<'_>) -> bool {
        if self.raw() == other.raw() {
            return true;
        }
        match (self.kind(), other.kind()) {
            (Kind::Text, Kind::Text) => self.text() == other.text(),
            (Kind::List, Kind::List) => {
                self.len() == other.len() && self.items().zip(other.items()).all(|(a, b)| a.same(b))
            }
            (Kind::Map, Kind::Map) => {
                let others = Members::of(Some(other));
                self.members().count() == others.len()
                    && self
                        .members()
                        .all(|(name, node)| others.get(&name).is_some_and(|it| node.same(it)))
            }
            _ => false,
        }
    }

    /// Where it stands.
    pub(super) fn place(self) -> Place {
        let mut path = "$".to_owned();
        let mut at = self.tape.root();
        while at.index < self.index {
            let holds = |node: &Node<'_>| {
                node.index <= self.index && self.index < node.tape.entry(node.index).next
            };
            let list = at.items().enumerate().find(|(_, node)| holds(node));
            let map = at.members().find(|(_, node)| holds(node));
            at = match (list, map) {
                (Some((index, node)), _) => {
                    path.push_str(&format!("[{index}]"));
                    node
                }
                (None, Some((name, node))) => {
                    path.push_str(step(&name));
                    node
                }
                (None, None) => break,
            };
        }
        Place { path, byte: self.tape.entry(self.index).at as usize }
    }

    /// The fault that something else is expected here.
    pub(super) fn unexpected(self, expected: &'static str) -> PlanError {
        PlanError::Unexpected { place: self.place(), expected, found: self.kind().word() }
    }
}

/// The members of an object, to be looked up by name.
#[derive(Debug, Default)]
pub(super) struct Members<'t> {
    sorted: Vec<(Cow<'t, str>, Node<'t>)>,
}

impl<'t> Members<'t> {
    pub(super) fn of(node: Option<Node<'t>>) -> Self {
        let mut sorted: Vec<_> = node.into_iter().flat_map(Node::members).collect();
        sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self { sorted }
    }

    pub(super) fn get(&self, name: &str) -> Option<Node<'t>> {
        let at = self.sorted.binary_search_by(|(member, _)| member.as_ref().cmp(name)).ok()?;
        self.sorted.get(at).map(|(_, node)| *node)
    }

    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Cow<'t, str>> {
        self.sorted.iter().map(|(name, _)| name)
    }
}
