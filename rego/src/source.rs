//! A module's text, checked before any parser sees it.
//!
//! Parsing Rego can take exponential time and can end the process, so what can be known without
//! parsing is checked here: size, characters that hide something, and how deep brackets nest.

use serde::{Deserialize, Serialize};

/// The longest module: 256 KB.
pub const MAX_MODULE_BYTES: usize = 256 * 1024;

/// How deep brackets may nest. The parser takes twice as long for each level.
pub const MAX_BRACKETS: usize = 12;

/// Which Rego a file is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// `if` and `contains` are keywords: OPA 1.0 and later.
    #[default]
    V1,
    /// As it was before OPA 1.0.
    V0,
}

/// Something in a module that keeps it from being loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct Fault {
    /// The module's name.
    pub file: String,
    /// Counted from 1.
    pub line: u32,
    /// What is wrong and what to do.
    pub message: String,
}

/// One module, short and shallow enough to be shown to a parser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) version: Version,
}

impl Module {
    /// A module of this name.
    ///
    /// # Errors
    /// A [`Fault`] with the line: too long, a character that hides text, a bracket or a string
    /// that does not close, brackets deeper than [`MAX_BRACKETS`].
    pub fn new(name: &str, text: &str, version: Version) -> Result<Self, Fault> {
        let module = Self { name: name.to_owned(), text: text.to_owned(), version };
        match scan(text) {
            Ok(_) => Ok(module),
            Err((at, message)) => Err(module.fault(line_of(text, at), message)),
        }
    }

    /// The name it was given, usually its path.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn fault(&self, line: u32, message: impl Into<String>) -> Fault {
        Fault { file: self.name.clone(), line, message: message.into() }
    }
}

/// What the scan tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Open,
    /// With the offset of the bracket that it closes.
    Close(usize),
    /// Either kind of string, quotes included.
    Text,
    Comment,
}

/// A bracket, string or comment: byte offsets into the text, end exclusive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: Kind,
}

/// Where something is wrong, and what.
type Wrong = (usize, String);

/// Finds brackets, strings and comments.
pub(crate) fn scan(text: &str) -> Result<Vec<Token>, Wrong> {
    if text.len() > MAX_MODULE_BYTES {
        let message =
            format!("the module has {} bytes; the limit is {MAX_MODULE_BYTES}", text.len());
        return Err((0, message));
    }
    for (at, c) in text.char_indices() {
        if hides(c) {
            let message = format!("the character U+{:04X} hides text; remove it", u32::from(c));
            return Err((at, message));
        }
    }
    let mut tokens = Vec::new();
    let mut open: Vec<(usize, u8)> = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let (end, kind) = match byte {
            b'#' => (find(bytes, at, b'\n'), Kind::Comment),
            b'"' => (end_of_string(bytes, at)?, Kind::Text),
            b'`' => {
                let close = find(bytes, at + 1, b'`');
                if close == bytes.len() {
                    return Err((at, "this raw string does not end".to_owned()));
                }
                (close + 1, Kind::Text)
            }
            b'{' | b'[' | b'(' => {
                open.push((at, byte));
                if open.len() > MAX_BRACKETS {
                    let message = format!(
                        "brackets nest deeper than {MAX_BRACKETS}; give parts a rule of their own"
                    );
                    return Err((at, message));
                }
                (at + 1, Kind::Open)
            }
            b'}' | b']' | b')' => {
                let Some((start, opened)) = open.pop().filter(|(_, o)| closes(*o, byte)) else {
                    return Err((at, "this bracket closes nothing".to_owned()));
                };
                debug_assert!(closes(opened, byte), "filtered above");
                (at + 1, Kind::Close(start))
            }
            _ => {
                at += 1;
                continue;
            }
        };
        tokens.push(Token { start: at, end, kind });
        at = end;
    }
    match open.last() {
        Some((at, _)) => Err((*at, "this bracket is never closed".to_owned())),
        None => Ok(tokens),
    }
}

/// NUL ends the text for the parser, and direction marks show a reader another order than the
/// parser's (CVE-2021-42574).
fn hides(c: char) -> bool {
    let control = c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    control
        || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

fn closes(open: u8, close: u8) -> bool {
    matches!((open, close), (b'{', b'}') | (b'[', b']') | (b'(', b')'))
}

/// The next such byte, or the end.
fn find(bytes: &[u8], from: usize, wanted: u8) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter().position(|byte| *byte == wanted).map_or(bytes.len(), |found| from + found)
}

fn end_of_string(bytes: &[u8], start: usize) -> Result<usize, Wrong> {
    let mut at = start + 1;
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at += 2,
            Some(b'\n') | None => return Err((start, "this string does not end".to_owned())),
            Some(_) => at += 1,
        }
    }
}

/// The line of a byte offset, counted from 1.
pub(crate) fn line_of(text: &str, at: usize) -> u32 {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    let breaks = before.iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(breaks).unwrap_or(u32::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let fault = Module::new("m.rego", text, Version::V1).unwrap_err();
        assert!(fault.to_string().contains(expected), "{fault}");
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let text =
            "package t\n# [[[[[[[[[[[[[[\na := \"[[[[[[[[[[[[[[[\\\"[\"\nb := `[[[[[[[[[[[[[[[[`\n";
        assert_eq!(scan(text).unwrap().len(), 3);
    }

    #[test]
    fn thirteen_brackets_are_too_deep_and_twelve_are_not() {
        let nested =
            |depth: usize| format!("package t\n\nx := {}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Module::new("m.rego", &nested(12), Version::V1).is_ok());
        refused(&nested(13), "m.rego:3: brackets nest deeper than 12");
    }

    #[test]
    fn what_does_not_close_is_refused_with_its_line() {
        refused("package t\nx := [1,\n2", "m.rego:2: this bracket is never closed");
        refused("package t\nx := [1)", "m.rego:2: this bracket closes nothing");
        refused("package t\nx := \"a\ny", "m.rego:2: this string does not end");
        refused("package t\nx := `a\ny", "m.rego:2: this raw string does not end");
    }

    #[test]
    fn a_nul_would_hide_the_rest_from_the_parser() {
        refused("package t\nallow := true\n\0\ndeny := true", "m.rego:3: the character U+0000");
        refused("package t\n# \u{202E}eurt =: wolla", "m.rego:2: the character U+202E");
    }

    #[test]
    fn a_module_of_more_than_256_kb_is_refused() {
        refused(&format!("package t\n# {}", "x".repeat(MAX_MODULE_BYTES)), "the limit is 262144");
    }
}
