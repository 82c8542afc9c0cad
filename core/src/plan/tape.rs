//! Strict JSON (RFC 8259) on a tape: one small entry for each value, no tree and no copy.
//!
//! The whole text is checked once: grammar, duplicate names, depth, length, count. What is read from
//! the tape afterwards cannot be malformed any more, only be something else than is expected.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::plan::Limits;
use crate::plan::error::{Place, PlanError};

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

/// The names that the plan format itself has, which a place may quote.
const NAMES: [&str; 62] = [
    ".action_invocation",
    ".action_invocations",
    ".action_reason",
    ".actions",
    ".address",
    ".after",
    ".after_sensitive",
    ".after_unknown",
    ".applyable",
    ".before",
    ".before_sensitive",
    ".change",
    ".checks",
    ".child_modules",
    ".complete",
    ".config_sensitive",
    ".config_values",
    ".configuration",
    ".constant_value",
    ".default",
    ".deferred_changes",
    ".deposed",
    ".errored",
    ".expression",
    ".expressions",
    ".format_version",
    ".full_name",
    ".generated_config",
    ".id",
    ".importing",
    ".index",
    ".mode",
    ".module",
    ".module_address",
    ".module_calls",
    ".name",
    ".output_changes",
    ".outputs",
    ".planned_values",
    ".previous_address",
    ".prior_state",
    ".provider_config",
    ".provider_name",
    ".provisioners",
    ".reason",
    ".relevant_attributes",
    ".replace_paths",
    ".resource_change",
    ".resource_changes",
    ".resource_drift",
    ".resources",
    ".root_module",
    ".schema_version",
    ".sensitive",
    ".sensitive_values",
    ".source",
    ".terraform_version",
    ".timestamp",
    ".type",
    ".value",
    ".values",
    ".variables",
];

fn step(name: &str) -> &'static str {
    let known = NAMES.iter().find(|known| known.strip_prefix('.') == Some(name));
    known.copied().unwrap_or(".*")
}

/// What has begun and not yet ended.
#[derive(Debug)]
enum Open<'a> {
    List(usize),
    /// With the raw name of the member that is being read.
    Map(Option<&'a str>),
}

#[derive(Debug)]
struct Reader<'a, 'l> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    entries: Vec<Entry>,
    open: Vec<Open<'a>>,
    limits: &'l Limits,
}

impl<'a, 'l> Reader<'a, 'l> {
    fn new(text: &'a str, limits: &'l Limits) -> Self {
        let bytes = text.as_bytes();
        Self { text, bytes, at: 0, entries: Vec::new(), open: Vec::new(), limits }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<(), PlanError> {
        self.space();
        match self.peek() {
            Some(b'{') => self.map(),
            Some(b'[') => self.list(),
            Some(b'"') => self.string("a value"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(_) | None => Err(self.syntax("a value")),
        }
    }

    fn map(&mut self) -> Result<(), PlanError> {
        let entry = self.begin(Open::Map(None))?;
        self.space();
        if self.peek() != Some(b'}') {
            loop {
                self.member()?;
                self.space();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => break,
                    Some(_) | None => return Err(self.syntax("`,` or `}`")),
                }
            }
        }
        if let Some(Open::Map(name)) = self.open.last_mut() {
            *name = None;
        }
        self.distinct(entry)?;
        self.finish(entry);
        Ok(())
    }

    fn member(&mut self) -> Result<(), PlanError> {
        if let Some(Open::Map(name)) = self.open.last_mut() {
            *name = None;
        }
        self.space();
        let begin = self.at;
        self.string("a member's name")?;
        let raw = self.text.get(begin..self.at);
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.syntax("`:`"));
        }
        self.at += 1;
        if let Some(Open::Map(name)) = self.open.last_mut() {
            *name = raw;
        }
        self.value()
    }

    /// Refuses an object, whose entries are all there, with two members of one name.
    fn distinct(&self, entry: u32) -> Result<(), PlanError> {
        let mut seen: HashSet<Cow<'_, str>> = HashSet::new();
        let mut few: Vec<&str> = Vec::new();
        let mut name = entry + 1;
        let end = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        while name < end {
            let place = self.entries.get(name as usize).copied().unwrap_or_default();
            let raw = self.text.get(place.at as usize..place.end as usize).unwrap_or_default();
            let plain = few.len() < 16 && seen.is_empty() && !raw.contains('\\');
            let is_new = match plain {
                true => !few.contains(&raw),
                false => {
                    seen.extend(few.drain(..).map(unescaped));
                    seen.insert(unescaped(raw))
                }
            };
            if !is_new {
                let place = Place { path: self.path(), byte: place.at as usize };
                return Err(PlanError::Duplicate { place });
            }
            if plain {
                few.push(raw);
            }
            name = self.entries.get(name as usize + 1).map_or(end, |value| value.next);
        }
        Ok(())
    }

    fn list(&mut self) -> Result<(), PlanError> {
        let entry = self.begin(Open::List(0))?;
        self.space();
        if self.peek() != Some(b']') {
            loop {
                self.value()?;
                self.space();
                match self.peek() {
                    Some(b',') => self.at += 1,
                    Some(b']') => break,
                    Some(_) | None => return Err(self.syntax("`,` or `]`")),
                }
                if let Some(Open::List(index)) = self.open.last_mut() {
                    *index += 1;
                }
            }
        }
        self.finish(entry);
        Ok(())
    }

    fn string(&mut self, expected: &'static str) -> Result<(), PlanError> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax(expected));
        }
        let entry = self.push()?;
        let begin = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(0..=0x1f) | None => return Err(self.syntax("the rest of a text")),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        if self.at - begin > self.limits.text {
            let place = Place { path: self.path(), byte: begin };
            return Err(PlanError::TooLong { place, limit: self.limits.text });
        }
        self.end(entry);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), PlanError> {
        let expected = "an escape of RFC 8259, of whole characters";
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let (_, length) = unicode_escape(rest).ok_or_else(|| self.syntax(expected))?;
                self.at += length;
                Ok(())
            }
            Some(_) | None => Err(self.syntax(expected)),
        }
    }

    fn number(&mut self) -> Result<(), PlanError> {
        let entry = self.push()?;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(_) | None => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        if let Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'_') = self.peek() {
            return Err(self.syntax("the end of a number"));
        }
        self.end(entry);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), PlanError> {
        let begin = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == begin { Err(self.syntax("a digit")) } else { Ok(()) }
    }

    fn word(&mut self, word: &'static str) -> Result<(), PlanError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            if word.as_bytes().starts_with(rest) {
                self.at = self.bytes.len();
            }
            return Err(self.syntax("true, false or null"));
        }
        let entry = self.push()?;
        self.at += word.len();
        self.end(entry);
        Ok(())
    }

    /// A new entry for the value that begins here.
    fn push(&mut self) -> Result<u32, PlanError> {
        if self.entries.len() >= self.limits.values {
            let place = self.place();
            return Err(PlanError::TooManyValues { place, limit: self.limits.values });
        }
        let index = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let at = u32::try_from(self.at).unwrap_or(u32::MAX);
        self.entries.push(Entry { at, end: at, next: index + 1 });
        Ok(index)
    }

    fn begin(&mut self, open: Open<'a>) -> Result<u32, PlanError> {
        if self.open.len() >= self.limits.depth {
            let place = self.place();
            return Err(PlanError::TooDeep { place, limit: self.limits.depth });
        }
        let entry = self.push()?;
        self.open.push(open);
        self.at += 1;
        Ok(entry)
    }

    fn finish(&mut self, entry: u32) {
        self.open.pop();
        self.at += 1;
        self.end(entry);
    }

    fn end(&mut self, index: u32) {
        let next = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        if let Some(entry) = self.entries.get_mut(index as usize) {
            entry.end = u32::try_from(self.at).unwrap_or(u32::MAX);
            entry.next = next;
        }
    }

    fn place(&self) -> Place {
        Place { path: self.path(), byte: self.at }
    }

    fn path(&self) -> String {
        let mut path = "$".to_owned();
        for open in &self.open {
            match open {
                Open::List(index) => path.push_str(&format!("[{index}]")),
                Open::Map(Some(raw)) => path.push_str(step(&unescaped(raw))),
                Open::Map(None) => {}
            }
        }
        path
    }

    fn syntax(&self, expected: &'static str) -> PlanError {
        let place = self.place();
        let found = match self.peek() {
            None => return PlanError::Truncated { place, expected },
            Some(b'{' | b'}' | b'[' | b']') => "a bracket",
            Some(b',') => "a comma",
            Some(b':') => "a colon",
            Some(b'"') => "a quote",
            Some(b'\\') => "a backslash",
            Some(b'0'..=b'9' | b'-') => "a digit or minus",
            Some(0..=0x1f) => "a control character",
            Some(_) => "something else",
        };
        PlanError::Syntax { place, expected, found }
    }
}

/// The character that a `\u` escape at the beginning of the text stands for, and its length.
fn unicode_escape(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(())?;
        u16::from_str_radix(digits, 16).ok()
    };
    let first = unit(text)?;
    if let Some(c) = char::from_u32(first.into()) {
        return Some((c, 6));
    }
    let second = unit(text.get(6..)?)?;
    Some((char::decode_utf16([first, second]).next()?.ok()?, 12))
}

/// What a text with its quotes says. It has been checked.
fn unescaped(raw: &str) -> Cow<'_, str> {
    let inner = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let (c, length) = match escape.bytes().next() {
            Some(b'n') => ('\n', 1),
            Some(b't') => ('\t', 1),
            Some(b'r') => ('\r', 1),
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'u') => match unicode_escape(rest.get(plain.len()..).unwrap_or_default()) {
                Some((c, length)) => (c, length - 1),
                None => ('\u{fffd}', 1),
            },
            Some(other) => (char::from(other), 1),
            None => ('\u{fffd}', 0),
        };
        text.push(c);
        rest = escape.get(length..).unwrap_or_default();
    }
    text.push_str(rest);
    Cow::Owned(text)
}
