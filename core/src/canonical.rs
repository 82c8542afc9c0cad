//! JSON read strictly and written canonically, so that one meaning has one digest.
//!
//! Reading refuses what two readers could take differently: duplicate member names (I-JSON,
//! RFC 7493 section 2.3), whole numbers that a double cannot tell apart (section 2.2), depth beyond
//! [`MAX_DEPTH`], anything after the value. Writing is the JSON Canonicalization Scheme, RFC 8785.

use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::digest::Digest;

/// The deepest nesting of arrays and objects that is read.
pub const MAX_DEPTH: usize = 64;
/// The deepest nesting of an object that is carried inside other JSON, which must read back too.
pub const MAX_SETTLED_DEPTH: usize = 32;
/// 2^53 - 1: beyond it, two whole numbers have one canonical form.
const MAX_WHOLE: u64 = (1 << 53) - 1;

/// The text is not JSON that we accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at line {line} column {column}")]
pub struct JsonError {
    /// What is wrong.
    pub message: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1; 0 where the fault is the end of a line.
    pub column: usize,
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        let text = error.to_string();
        let message = text.split(" at line ").next().unwrap_or("not JSON").to_owned();
        Self { message, line: error.line(), column: error.column() }
    }
}

/// Reads one JSON value and nothing after it.
///
/// # Errors
/// [`JsonError`] with the place of the first fault.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde::de::DeserializeSeed::deserialize(Strict { depth: 0 }, &mut reader)?;
    reader.end()?;
    Ok(value)
}

/// The canonical bytes of a value: RFC 8785.
///
/// Every [`Value`] has them: its numbers are finite and its strings are Unicode.
pub fn bytes(value: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).unwrap_or_default()
}

/// This object as it reads back from its canonical bytes; `None` where it would not, so that its
/// digest would be that of something else.
pub fn settled(object: &Map<String, Value>) -> Option<Map<String, Value>> {
    let is_whole = |value: &Value| value.is_f64() || is_safe(value);
    let mut open: Vec<(usize, &Value)> = object.values().map(|value| (1, value)).collect();
    while let Some((depth, value)) = open.pop() {
        let inner = depth + 1;
        match value {
            Value::Array(_) | Value::Object(_) if depth > MAX_SETTLED_DEPTH => return None,
            Value::Array(items) => open.extend(items.iter().map(|item| (inner, item))),
            Value::Object(members) => open.extend(members.values().map(|item| (inner, item))),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
            Value::Number(_) => is_whole(value).then_some(())?,
        }
    }
    match parse(&bytes(&Value::Object(object.clone()))) {
        Ok(Value::Object(settled)) => Some(settled),
        Ok(_) | Err(_) => None,
    }
}

fn is_safe(number: &Value) -> bool {
    let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    size.is_some_and(|size| size <= MAX_WHOLE)
}

/// The digest of a value's canonical bytes.
pub fn digest(value: &Value) -> Digest {
    Digest::of(&bytes(value))
}

/// One value being read at this depth.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    /// For what stands in an array or object at this depth.
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> serde::de::DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        let value = Value::from(value);
        if is_safe(&value) { Ok(value) } else { Err(E::custom("whole number beyond 2^53 - 1")) }
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        let value = Value::from(value);
        if is_safe(&value) { Ok(value) } else { Err(E::custom("whole number beyond 2^53 - 1")) }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(A::Error::custom(format!("duplicate member `{name}`")));
            }
            map.insert(name, members.next_value_seed(inner)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn rfc_8785_section_3_2_3_order_is_by_utf_16() {
        let value = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7});
        let text = String::from_utf8(bytes(&value)).unwrap();
        assert_eq!(
            text,
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
        );
    }

    #[test]
    fn rfc_8785_numbers() {
        let value = json!([333_333_333.333_333_3, 1e30, 4.5, 2e-3, 0.000000000000000000000000001]);
        let text = String::from_utf8(bytes(&value)).unwrap();
        assert_eq!(text, "[333333333.3333333,1e+30,4.5,0.002,1e-27]");
    }

    #[test]
    fn duplicates_depth_and_tails_are_refused_with_their_place() {
        let fault = parse(b"{\"a\": 1,\n \"a\": 2}").unwrap_err();
        assert_eq!((fault.message.as_str(), fault.line), ("duplicate member `a`", 2));
        assert!(parse(b"{} {}").is_err());
        assert!(parse(b"{\"a\":").is_err());
        let deeper = format!("{}{}", "[".repeat(65), "]".repeat(65));
        assert_eq!(parse(deeper.as_bytes()).unwrap_err().message, "nested deeper than 64 levels");
        let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
        assert!(parse(deep.as_bytes()).is_ok());
        assert!(parse(b"\"\\ud800\"").is_err(), "a lone surrogate is no Unicode");
    }

    #[test]
    fn rfc_7493_whole_numbers_that_a_double_cannot_tell_apart_are_refused() {
        for (text, fits) in [
            ("9007199254740991", true),
            ("-9007199254740991", true),
            ("9007199254740992", false),
            ("-9007199254740993", false),
            ("18446744073709551615", false),
            ("1e22", true),
        ] {
            assert_eq!(parse(text.as_bytes()).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn what_is_settled_reads_back_as_itself() {
        let object = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
        let settled = settled(&object(r#"{"a": [1.0, -0.0, {"b": 2.5}]}"#)).unwrap();
        assert_eq!(settled, object(r#"{"a": [1, 0, {"b": 2.5}]}"#));
        for bad in [
            r#"{"a": 9007199254740993}"#,
            r#"{"a": [[{"b": 9007199254740992}]]}"#,
            r#"{"a": 1e17}"#,
        ] {
            assert_eq!(super::settled(&object(bad)), None, "{bad}");
        }
        let nested =
            |depth| object(&format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)));
        assert!(super::settled(&nested(32)).is_some());
        assert_eq!(super::settled(&nested(33)), None);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(value in any_value()) {
            prop_assert_eq!(parse(&bytes(&value)).unwrap(), value);
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
