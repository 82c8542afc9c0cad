//! The canonical form of a policy file: two spaces to a level, `id` before `description` before
//! `when` before what the rule says, one blank line between rules, none at the end of lines.
//!
//! Lines are moved and never rewritten: comments, quotes, and whatever stands in braces or over
//! several lines stay as they are. What comes out is read again, and if it does not say exactly
//! what went in, nothing is changed.

mod indent;
mod order;
#[cfg(test)]
mod tests;

use crate::policy::document::Fault;
use crate::policy::yaml::{self, Node, Yaml};

/// Why a file is left as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It is no YAML of ours.
    #[error("{0}")]
    Unreadable(Fault),
    /// It is laid out in a way that cannot be changed without changing what it says.
    #[error("{0} is laid out in a way that is not understood, and is left as it is")]
    NotUnderstood(String),
}

/// Whether this text says of itself that it is a document of ours: `apiVersion: assent/v1`.
///
/// # Errors
/// [`FormatError::Unreadable`] when it cannot be read.
pub fn is_document(file: &str, text: &str) -> Result<bool, FormatError> {
    let root = read(file, text)?;
    let Some(Node { value: Yaml::Map(members), .. }) = &root else { return Ok(false) };
    let is_version = |value: &Yaml| matches!(value, Yaml::Text(text) if text == "assent/v1");
    Ok(members.iter().any(|(key, node)| key.name == "apiVersion" && is_version(&node.value)))
}

/// The canonical form of this text, which says the same.
///
/// # Errors
/// [`FormatError`] when the text cannot be read, or when it would say something else.
pub fn format(file: &str, text: &str) -> Result<String, FormatError> {
    let before = read(file, text)?;
    let mut lines = Lines::of(text);
    if let Some(root) = &before {
        indent::settle(root, &mut lines);
    }
    let mut formed = lines.text();
    // What is moved is looked for where it now stands.
    for settle in [order::keys, order::blank_lines] {
        let root = read(file, &formed).map_err(|_| not_understood(file))?;
        let mut lines = Lines::of(&formed);
        if let Some(root) = &root {
            settle(root, &mut lines);
        }
        formed = lines.text();
    }
    let after = read(file, &formed).map_err(|_| not_understood(file))?;
    match (&before, &after) {
        (None, None) => Ok(formed),
        (Some(before), Some(after)) if says_the_same(before, after) => Ok(formed),
        _ => Err(not_understood(file)),
    }
}

fn read(file: &str, text: &str) -> Result<Option<Node>, FormatError> {
    yaml::parse(file, text).map_err(FormatError::Unreadable)
}

fn not_understood(file: &str) -> FormatError {
    FormatError::NotUnderstood(file.to_owned())
}

/// Whether two documents say the same, whatever the order of keys.
fn says_the_same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Yaml::Null, Yaml::Null) => true,
        (Yaml::Bool(one), Yaml::Bool(other)) => one == other,
        (Yaml::Int(one), Yaml::Int(other)) => one == other,
        (Yaml::Float(one), Yaml::Float(other)) => one.to_bits() == other.to_bits(),
        (Yaml::Text(one), Yaml::Text(other)) => one == other,
        (Yaml::List(one), Yaml::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| says_the_same(a, b))
        }
        (Yaml::Map(one), Yaml::Map(other)) => {
            let member = |name: &str| other.iter().find(|(key, _)| key.name == name);
            one.len() == other.len()
                && one.iter().all(|(key, value)| {
                    member(&key.name).is_some_and(|(_, other)| says_the_same(value, other))
                })
        }
        _ => false,
    }
}

/// A text by its lines.
struct Lines {
    all: Vec<Line>,
}

/// One line, and whether it continues a value that began above.
#[derive(Clone, Debug)]
struct Line {
    text: String,
    continues: bool,
    /// Whether spaces at its end are part of that value.
    verbatim: bool,
}

impl Line {
    fn indent(&self) -> usize {
        self.text.chars().take_while(|c| *c == ' ').count()
    }

    fn is_blank(&self) -> bool {
        !self.continues && self.text.trim().is_empty()
    }

    fn is_comment(&self) -> bool {
        !self.continues && self.text.trim_start().starts_with('#')
    }

    fn is_content(&self) -> bool {
        !self.is_blank() && !self.is_comment()
    }

    /// The same line with another indentation.
    fn moved_to(&mut self, indent: usize) {
        let rest = self.text.trim_start_matches(' ');
        self.text = format!("{}{rest}", " ".repeat(indent));
    }
}

impl Lines {
    fn of(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut all: Vec<Line> = text
            .lines()
            .map(|line| Line { text: line.to_owned(), continues: false, verbatim: false })
            .collect();
        for value in indent::continuations(text) {
            for line in all.iter_mut().take(value.last).skip(value.first) {
                line.continues = true;
                line.verbatim |= value.verbatim;
            }
        }
        for line in all.iter_mut().filter(|line| !line.verbatim) {
            line.text.truncate(line.text.trim_end().len());
        }
        Self { all }
    }

    /// By its number, from 1.
    fn line(&self, number: usize) -> Option<&Line> {
        self.all.get(number.checked_sub(1)?)
    }

    /// Without blank lines at either end or beside each other, and with one line end.
    fn text(self) -> String {
        let mut text = String::new();
        let mut blanks = 0;
        for line in self.all {
            if line.is_blank() {
                blanks += 1;
                continue;
            }
            if blanks > 0 && !text.is_empty() {
                text.push('\n');
            }
            blanks = 0;
            text.push_str(&line.text);
            text.push('\n');
        }
        text
    }
}
