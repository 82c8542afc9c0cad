//! The one strict pass over the text.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::plan::Limits;
use crate::plan::error::{Place, PlanError};
use crate::plan::tape::Entry;
use crate::plan::tape::escape::{unescaped, unicode_escape};
use crate::plan::tape::names::step;

/// What has begun and not yet ended.
#[derive(Debug)]
enum Open<'a> {
    List(usize),
    /// With the raw name of the member that is being read.
    Map(Option<&'a str>),
}

#[derive(Debug)]
pub(super) struct Reader<'a, 'l> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    pub(super) entries: Vec<Entry>,
    open: Vec<Open<'a>>,
    limits: &'l Limits,
}

impl<'a, 'l> Reader<'a, 'l> {
    pub(super) fn new(text: &'a str, limits: &'l Limits) -> Self {
        let bytes = text.as_bytes();
        Self { text, bytes, at: 0, entries: Vec::new(), open: Vec::new(), limits }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    pub(super) fn value(&mut self) -> Result<(), PlanError> {
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

    pub(super) fn syntax(&self, expected: &'static str) -> PlanError {
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
