//! Terraform's values as this provider holds them, and the two ways they cross the wire.
//!
//! Decoding is led by a [`Type`]: what does not fit the schema is an error with
//! the path to the fault, and never a panic, whatever the bytes are. Marks such
//! as "sensitive" never cross the wire, so nothing here knows of them.

mod bounds;
mod json;
mod msgpack;

use std::collections::BTreeMap;
use std::fmt;

use crate::diagnostic::{Path, Step};

pub(crate) use json::decode as decode_json;
pub(crate) use msgpack::{decode as decode_msgpack, encode as encode_msgpack};

/// What kind of value a schema attribute holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    /// True or false.
    Bool,
    /// A number of any size.
    Number,
    /// Text.
    String,
    /// A list of one type.
    List(Box<Type>),
    /// The same in no order and nothing twice. Terraform keeps the order; here it is a list.
    Set(Box<Type>),
    /// As many elements as types.
    Tuple(Vec<Type>),
    /// A map from text to one type.
    Map(Box<Type>),
    /// Named attributes, all of them always present.
    Object(BTreeMap<String, Type>),
    /// Anything; the value says of what type it is.
    Dynamic,
}

impl Type {
    /// A list of text.
    pub(crate) fn texts() -> Self {
        Self::List(Box::new(Self::String))
    }

    /// Text in no order, nothing twice.
    pub(crate) fn text_set() -> Self {
        Self::Set(Box::new(Self::String))
    }

    /// A map from text to text.
    pub(crate) fn text_map() -> Self {
        Self::Map(Box::new(Self::String))
    }

    /// An object with these attributes.
    pub(crate) fn object<'a>(attributes: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        Self::Object(attributes.into_iter().map(|(name, of)| (name.to_owned(), of)).collect())
    }

    /// An object of this type in which nothing is set.
    pub(crate) fn unset(&self) -> Value {
        match self {
            Self::Object(attributes) => {
                Value::Map(attributes.keys().map(|name| (name.clone(), Value::Null)).collect())
            }
            Self::Bool
            | Self::Number
            | Self::String
            | Self::List(_)
            | Self::Set(_)
            | Self::Tuple(_)
            | Self::Map(_)
            | Self::Dynamic => Value::Null,
        }
    }

    /// The type as JSON, the form in which a schema names it.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Bool => "bool".into(),
            Self::Number => "number".into(),
            Self::String => "string".into(),
            Self::List(of) => serde_json::json!(["list", of.to_json()]),
            Self::Set(of) => serde_json::json!(["set", of.to_json()]),
            Self::Tuple(of) => {
                let of: Vec<_> = of.iter().map(Self::to_json).collect();
                serde_json::json!(["tuple", of])
            }
            Self::Dynamic => "dynamic".into(),
            Self::Map(of) => serde_json::json!(["map", of.to_json()]),
            Self::Object(attributes) => {
                let attributes: serde_json::Map<_, _> =
                    attributes.iter().map(|(name, of)| (name.clone(), of.to_json())).collect();
                serde_json::json!(["object", attributes])
            }
        }
    }

    /// What a person calls this type.
    fn noun(&self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Number => "number",
            Self::String => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Tuple(_) => "tuple",
            Self::Map(_) => "map",
            Self::Object(_) => "object",
            Self::Dynamic => "value of any type",
        }
    }

    /// The type that this JSON names: the way back from [`Type::to_json`]. Objects may name
    /// optional attributes in a third element, which values never have.
    fn from_json(json: &serde_json::Value) -> Option<Self> {
        use serde_json::Value as Json;
        if let Some(word) = json.as_str() {
            let simple = [
                ("bool", Self::Bool),
                ("number", Self::Number),
                ("string", Self::String),
                ("dynamic", Self::Dynamic),
            ];
            return simple.into_iter().find(|(name, _)| *name == word).map(|(_, of)| of);
        }
        let parts = json.as_array()?;
        let of = parts.get(1)?;
        let one = || Self::from_json(of).map(Box::new);
        match parts.first()?.as_str()? {
            "list" => one().map(Self::List),
            "set" => one().map(Self::Set),
            "map" => one().map(Self::Map),
            "tuple" => {
                of.as_array()?.iter().map(Self::from_json).collect::<Option<_>>().map(Self::Tuple)
            }
            "object" => {
                let named =
                    |(name, of): (&String, &Json)| Some((name.clone(), Self::from_json(of)?));
                of.as_object()?.iter().map(named).collect::<Option<_>>().map(Self::Object)
            }
            _ => None,
        }
    }
}

/// A number as it came: Terraform's are of any size, so those that fit no
/// machine number stay decimal text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Number {
    /// A whole number that fits 64 bits with a sign.
    Signed(i64),
    /// A whole number that fits 64 bits without one.
    Unsigned(u64),
    /// A binary floating-point number.
    Float(f64),
    /// Anything else, in decimal.
    Decimal(String),
}

/// One Terraform value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Not set.
    Null,
    /// Not known before apply.
    Unknown,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Value>),
    /// A map or an object: the wire does not tell them apart.
    Map(BTreeMap<String, Value>),
}

/// What an argument says: Terraform's "null" and "unknown" told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Argument<T> {
    /// Not set.
    Absent,
    /// Set to something that is known only at apply.
    Unknown,
    /// Set to this.
    Given(T),
}

impl<T> Argument<T> {
    /// Whether the argument is known only at apply.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// The argument if it is set and known.
    pub(crate) fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Unknown => None,
        }
    }
}

/// The null value, for attributes that an object does not have.
static NULL: Value = Value::Null;

impl Value {
    /// An object with these attributes.
    pub(crate) fn object<'a>(attributes: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        Self::Map(attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// A list of text.
    pub(crate) fn texts(texts: impl IntoIterator<Item = String>) -> Self {
        Self::List(texts.into_iter().map(Self::String).collect())
    }

    /// Whether the value is not set.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether the value is not known before apply.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// One attribute of an object; null if this is no object or has no such attribute.
    pub(crate) fn attribute(&self, name: &str) -> &Self {
        match self {
            Self::Map(attributes) => attributes.get(name).unwrap_or(&NULL),
            Self::Unknown => self,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) | Self::List(_) => &NULL,
        }
    }

    /// This object with one attribute set to another value.
    pub(crate) fn with(mut self, name: &str, value: Self) -> Self {
        if let Self::Map(attributes) = &mut self {
            attributes.insert(name.to_owned(), value);
        }
        self
    }

    /// The value as an argument that holds text.
    pub(crate) fn as_text(&self) -> Argument<String> {
        match self {
            Self::String(text) => Argument::Given(text.clone()),
            Self::Unknown => Argument::Unknown,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Map(_) => {
                Argument::Absent
            }
        }
    }

    /// The value as an argument that is true or false.
    pub(crate) fn as_bool(&self) -> Argument<bool> {
        match self {
            Self::Bool(value) => Argument::Given(*value),
            Self::Unknown => Argument::Unknown,
            Self::Null | Self::String(_) | Self::Number(_) | Self::List(_) | Self::Map(_) => {
                Argument::Absent
            }
        }
    }

    /// The value as an argument that maps text to text.
    ///
    /// One unknown element makes the whole argument unknown. Null elements are
    /// left out here; validation reports them before it comes to this.
    pub(crate) fn as_text_map(&self) -> Argument<BTreeMap<String, String>> {
        match self {
            Self::Map(elements) if elements.values().any(Self::is_unknown) => Argument::Unknown,
            Self::Map(elements) => Argument::Given(
                elements
                    .iter()
                    .filter_map(|(key, value)| Some((key.clone(), value.as_text().given()?)))
                    .collect(),
            ),
            Self::Unknown => Argument::Unknown,
            Self::Null | Self::Bool(_) | Self::String(_) | Self::Number(_) | Self::List(_) => {
                Argument::Absent
            }
        }
    }
}

/// Why some bytes are no value of the asked type, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DecodeError {
    /// The steps from the root to the fault.
    pub(crate) path: Path,
    /// What is wrong there.
    pub(crate) fault: String,
}

impl DecodeError {
    /// A fault at the root of what is being decoded.
    fn new(fault: impl Into<String>) -> Self {
        Self { path: Path::default(), fault: fault.into() }
    }

    /// A value of the wrong type.
    fn mismatch(wanted: &Type, found: &str) -> Self {
        Self::new(format!("a {} is required, but this is {found}", wanted.noun()))
    }

    /// The same fault, seen from one step further out.
    fn within(mut self, step: Step) -> Self {
        self.path.prepend(step);
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_root() {
            f.write_str(&self.fault)
        } else {
            write!(f, "`{}`: {}", self.path, self.fault)
        }
    }
}

impl std::error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_written_as_terraform_names_them() {
        let of = Type::List(Box::new(Type::object([
            ("name", Type::String),
            ("approvals", Type::Number),
            ("from", Type::texts()),
        ])));
        let expected = r#"["list",["object",{"approvals":"number","from":["list","string"],"name":"string"}]]"#;
        assert_eq!(of.to_json().to_string(), expected);
    }

    #[test]
    fn types_come_back_from_their_names() {
        let of = Type::object([
            ("names", Type::text_set()),
            ("pair", Type::Tuple(vec![Type::Bool, Type::Dynamic])),
            ("sizes", Type::Map(Box::new(Type::List(Box::new(Type::Number))))),
        ]);
        assert_eq!(Type::from_json(&of.to_json()), Some(of));
        for wrong in [r#""text""#, r#"["list"]"#, r#"["bag","string"]"#, "{}", "[[]]"] {
            assert_eq!(Type::from_json(&serde_json::from_str(wrong).unwrap()), None, "{wrong}");
        }
    }

    #[test]
    fn one_unknown_element_makes_a_map_unknown() {
        let map = Value::object([("a", Value::text("x")), ("b", Value::Unknown)]);
        assert_eq!(map.as_text_map(), Argument::Unknown);
    }

    #[test]
    fn attributes_of_an_unknown_object_are_unknown() {
        assert_eq!(Value::Unknown.attribute("create"), &Value::Unknown);
        assert_eq!(Value::Null.attribute("create"), &Value::Null);
    }
}
