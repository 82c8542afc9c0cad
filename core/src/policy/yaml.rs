//! YAML read strictly into a tree that knows where everything stands.
//!
//! Refused: duplicate keys, anchors and aliases, merge keys, tags, several documents in one file,
//! keys that are no text, depth beyond [`MAX_DEPTH`], characters that cannot be seen and change what
//! is. Scalars stay text unless they are plain and
//! spell a YAML 1.2 core boolean or decimal number, so `no` and `on` are texts.

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Number, Value};

use crate::policy::document::{Fault, Place};

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 32;

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Yaml,
}

impl Node {
    /// The same value as JSON.
    pub(crate) fn json(&self) -> Value {
        match &self.value {
            Yaml::Null => Value::Null,
            Yaml::Bool(value) => Value::Bool(*value),
            Yaml::Int(number) => Value::Number((*number).into()),
            Yaml::Float(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
            Yaml::Text(text) => Value::String(text.clone()),
            Yaml::List(items) => items.iter().map(Self::json).collect(),
            Yaml::Map(members) => {
                members.iter().map(|(key, node)| (key.name.clone(), node.json())).collect()
            }
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Yaml {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) place: Place,
    pub(crate) name: String,
}

impl Yaml {
    /// What it is, for "expected X, found Y".
    pub(crate) fn what(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// Reads one document; `None` where the text holds none.
pub(crate) fn parse(file: &str, text: &str) -> Result<Option<Node>, Fault> {
    seen(file, text)?;
    let mut reader = Reader { file, events: Parser::new_from_str(text) };
    let mut document = None;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            Event::StreamEnd => return Ok(document),
            Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::SequenceEnd
            | Event::MappingStart(..)
            | Event::MappingEnd => {
                if document.is_some() {
                    return Err(reader.fault(span, "one document to a file"));
                }
                document = Some(reader.node(event, span, 0)?);
            }
        }
    }
}

/// Refuses characters that hide from an eye what a reader of YAML sees: controls, line ends that an
/// editor may not show as such, and what turns the direction of text (Unicode TR 36 section 3.3,
/// CVE-2021-42574). A byte order mark may stand at the very beginning.
fn seen(file: &str, text: &str) -> Result<(), Fault> {
    let (mut line, mut column) = (1, 0);
    let mut characters = text.chars().peekable();
    let mut is_first = true;
    while let Some(c) = characters.next() {
        let is_fine = match c {
            '\n' | '\t' => true,
            '\r' => characters.peek() == Some(&'\n'),
            '\u{feff}' => is_first,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' => false,
            '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => false,
            c => !c.is_control(),
        };
        if !is_fine {
            let message = format!("U+{:04X} does not belong in a policy", u32::from(c));
            return Err(Fault { place: Place::at(file, line, column), message });
        }
        is_first = false;
        (line, column) = if c == '\n' { (line + 1, 0) } else { (line, column + 1) };
    }
    Ok(())
}

struct Reader<'a> {
    file: &'a str,
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Fault> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let place = Place::at(self.file, error.marker().line(), error.marker().col());
                Err(Fault { place, message: format!("not YAML: {}", error.info()) })
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn place(&self, span: Span) -> Place {
        Place::at(self.file, span.start.line(), span.start.col())
    }

    fn fault(&self, span: Span, message: &str) -> Fault {
        Fault { place: self.place(span), message: message.to_owned() }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Fault> {
        if depth > MAX_DEPTH {
            return Err(self.fault(span, "nested too deep"));
        }
        let (anchor, tagged) = match &event {
            Event::Scalar(_, _, anchor, tag)
            | Event::SequenceStart(anchor, tag)
            | Event::MappingStart(anchor, tag) => (*anchor, tag.is_some()),
            Event::Alias(anchor) => (*anchor, false),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => (0, false),
        };
        if anchor != 0 {
            return Err(self.fault(span, "anchors and aliases are not used in policies"));
        }
        if tagged {
            return Err(self.fault(span, "tags are not used in policies"));
        }
        let place = self.place(span);
        let value = match event {
            Event::Scalar(text, style, ..) => scalar(&text, style),
            Event::SequenceStart(..) => Yaml::List(self.list(depth)?),
            Event::MappingStart(..) => Yaml::Map(self.map(depth)?),
            Event::Alias(_)
            | Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return Err(self.fault(span, "expected a value")),
        };
        Ok(Node { place, value })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Fault> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(items);
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(Key, Node)>, Fault> {
        let mut members: Vec<(Key, Node)> = Vec::new();
        let mut names = HashSet::new();
        loop {
            let (event, span) = self.next()?;
            let place = self.place(span);
            let name = match event {
                Event::MappingEnd => return Ok(members),
                Event::Scalar(text, _, 0, None) => text.into_owned(),
                Event::Scalar(..) => {
                    return Err(self.fault(span, "a key has neither anchor nor tag in policies"));
                }
                Event::Alias(_)
                | Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::SequenceStart(..)
                | Event::SequenceEnd
                | Event::MappingStart(..) => return Err(self.fault(span, "a key must be text")),
            };
            if name == "<<" {
                return Err(self.fault(span, "merge keys are not used in policies"));
            }
            if !names.insert(name.clone()) {
                return Err(self.fault(span, &format!("`{name}` stands here twice")));
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            members.push((Key { place, name }, value));
        }
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Yaml {
    if style != ScalarStyle::Plain {
        return Yaml::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" => Yaml::Null,
        "true" => Yaml::Bool(true),
        "false" => Yaml::Bool(false),
        _ => number(text).unwrap_or_else(|| Yaml::Text(text.to_owned())),
    }
}

/// A whole number, or digits with a point and digits after it. Nothing else is a number here: no
/// exponents, no octal or hexadecimal, no infinity.
fn number(text: &str) -> Option<Yaml> {
    if let Ok(whole) = text.parse() {
        return Some(Yaml::Int(whole));
    }
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let fits = match unsigned.split_once('.') {
        Some((whole, rest)) => digits(whole) && digits(rest),
        // Too large to be whole; but a number it is, and no text.
        None => digits(unsigned),
    };
    fits.then(|| text.parse().ok().map(Yaml::Float)).flatten()
}
