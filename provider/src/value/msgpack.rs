//! MessagePack: the form in which Terraform sends values and gets every answer.
//!
//! Null is nil. Unknown is an extension: type 0 says nothing more, type 12 adds
//! what is already known about it (as Terraform sends for `terraform_data.x.id`);
//! both are read as plain unknown, and type 0 is written. Numbers are integers,
//! floats or, when they fit neither, decimal strings.

use std::collections::BTreeMap;

use rmpv::Value as Packed;

use super::{DecodeError, Number, Type, Value};
use crate::diagnostic::Step;

/// How deep values may nest. The deepest schema here has four levels; the limit
/// only keeps hostile bytes from exhausting the stack.
const DEPTH: usize = 64;

/// Reads one value of the given type.
pub(crate) fn decode(bytes: &[u8], of: &Type) -> Result<Value, DecodeError> {
    super::bounds::check_msgpack(bytes)?;
    let mut rest = bytes;
    let packed = rmpv::decode::read_value_with_max_depth(&mut rest, DEPTH)
        .map_err(|error| DecodeError::new(format!("the msgpack value cannot be read: {error}")))?;
    if !rest.is_empty() {
        return Err(DecodeError::new("the msgpack value has bytes after its end"));
    }
    unpack(packed, of)
}

/// Writes one value.
///
/// Writing to memory cannot fail; the error is passed on all the same, because
/// a half-written value must never be taken for a whole one.
pub(crate) fn encode(value: &Value) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &pack(value))
        .map_err(|error| DecodeError::new(format!("the value cannot be written: {error}")))?;
    Ok(bytes)
}

/// Fits one packed value to the type that the schema asks for.
fn unpack(packed: Packed, of: &Type) -> Result<Value, DecodeError> {
    match (packed, of) {
        (Packed::Nil, _) => Ok(Value::Null),
        (Packed::Ext(_, _), _) => Ok(Value::Unknown),
        (Packed::Boolean(value), Type::Bool) => Ok(Value::Bool(value)),
        (Packed::String(text), Type::String) => unpack_text(text).map(Value::String),
        (Packed::String(text), Type::Number) => unpack_decimal(unpack_text(text)?),
        (Packed::Integer(number), Type::Number) => unpack_integer(number),
        (Packed::F32(number), Type::Number) => Ok(Value::Number(Number::Float(number.into()))),
        (Packed::F64(number), Type::Number) => Ok(Value::Number(Number::Float(number))),
        (Packed::Array(elements), Type::List(of) | Type::Set(of)) => {
            unpack_list(elements.into_iter().map(|element| (element, of.as_ref())))
        }
        (Packed::Array(elements), Type::Tuple(of)) if elements.len() == of.len() => {
            unpack_list(elements.into_iter().zip(of))
        }
        (Packed::Array(elements), Type::Dynamic) => unpack_dynamic(elements),
        (Packed::Map(elements), Type::Map(of)) => unpack_map(elements, |_| Some(of.as_ref())),
        (Packed::Map(elements), Type::Object(attributes)) => unpack_object(elements, attributes),
        (packed, of) => Err(DecodeError::mismatch(of, noun(&packed))),
    }
}

/// Text, which must be UTF-8.
fn unpack_text(text: rmpv::Utf8String) -> Result<String, DecodeError> {
    text.into_str().ok_or_else(|| DecodeError::new("the text is not UTF-8"))
}

/// A number that came as decimal text.
fn unpack_decimal(text: String) -> Result<Value, DecodeError> {
    if is_decimal(&text) {
        Ok(Value::Number(Number::Decimal(text)))
    } else {
        Err(DecodeError::new(format!("`{text}` is not a number")))
    }
}

/// Whether text is a decimal number, with or without fraction and exponent.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    [whole, fraction, exponent]
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A whole number.
fn unpack_integer(number: rmpv::Integer) -> Result<Value, DecodeError> {
    let signed = number.as_i64().map(Number::Signed);
    let number = signed.or_else(|| number.as_u64().map(Number::Unsigned));
    number.map(Value::Number).ok_or_else(|| DecodeError::new("the integer is out of range"))
}

/// A value that says of what type it is: the type as JSON, then the value.
fn unpack_dynamic(elements: Vec<Packed>) -> Result<Value, DecodeError> {
    let fault = || DecodeError::new("a value of any type must be its type and itself");
    let [of, value] = <[Packed; 2]>::try_from(elements).map_err(|_| fault())?;
    let of = of.as_slice().ok_or_else(fault)?;
    let of = serde_json::from_slice(of).ok().as_ref().and_then(Type::from_json);
    unpack(value, &of.ok_or_else(|| DecodeError::new("the type of the value is not known"))?)
}

/// A list, each element with its type.
fn unpack_list<'a>(
    elements: impl Iterator<Item = (Packed, &'a Type)>,
) -> Result<Value, DecodeError> {
    let mut list = Vec::new();
    for (index, (element, of)) in elements.enumerate() {
        list.push(unpack(element, of).map_err(|error| error.within(Step::Index(index)))?);
    }
    Ok(Value::List(list))
}

/// An object: every attribute must be there, and no other.
fn unpack_object(
    elements: Vec<(Packed, Packed)>,
    attributes: &BTreeMap<String, Type>,
) -> Result<Value, DecodeError> {
    let object = unpack_map(elements, |name| attributes.get(name))?;
    if let Value::Map(present) = &object
        && let Some(missing) = attributes.keys().find(|name| !present.contains_key(*name))
    {
        let error = DecodeError::new("the attribute is missing");
        return Err(error.within(Step::Attribute(missing.clone())));
    }
    Ok(object)
}

/// The pairs of a map or object; `of` names the type under a key, if the key may be there.
fn unpack_map<'a>(
    elements: Vec<(Packed, Packed)>,
    of: impl Fn(&str) -> Option<&'a Type>,
) -> Result<Value, DecodeError> {
    let mut map = BTreeMap::new();
    for (key, element) in elements {
        let Packed::String(key) = key else {
            return Err(DecodeError::new("a key is not text"));
        };
        let key = unpack_text(key)?;
        let step = || Step::Key(key.clone());
        let of = of(&key).ok_or_else(|| {
            DecodeError::new("there is no such attribute").within(Step::Attribute(key.clone()))
        })?;
        let value = unpack(element, of).map_err(|error| error.within(step()))?;
        if map.insert(key.clone(), value).is_some() {
            return Err(DecodeError::new("the key is there twice").within(step()));
        }
    }
    Ok(Value::Map(map))
}

/// What a person calls a packed value.
fn noun(packed: &Packed) -> &'static str {
    match packed {
        Packed::Nil => "null",
        Packed::Boolean(_) => "a bool",
        Packed::Integer(_) | Packed::F32(_) | Packed::F64(_) => "a number",
        Packed::String(_) => "a string",
        Packed::Binary(_) => "bytes",
        Packed::Array(_) => "a list",
        Packed::Map(_) => "a map",
        Packed::Ext(_, _) => "unknown",
    }
}

/// The packed form of a value.
fn pack(value: &Value) -> Packed {
    match value {
        Value::Null => Packed::Nil,
        Value::Unknown => Packed::Ext(0, vec![0]),
        Value::Bool(value) => Packed::Boolean(*value),
        Value::Number(Number::Signed(number)) => Packed::from(*number),
        Value::Number(Number::Unsigned(number)) => Packed::from(*number),
        Value::Number(Number::Float(number)) => Packed::F64(*number),
        Value::Number(Number::Decimal(text)) => Packed::from(text.as_str()),
        Value::String(text) => Packed::from(text.as_str()),
        Value::List(elements) => Packed::Array(elements.iter().map(pack).collect()),
        Value::Map(elements) => Packed::Map(
            elements.iter().map(|(key, value)| (Packed::from(key.as_str()), pack(value))).collect(),
        ),
    }
}

#[cfg(test)]
#[path = "msgpack_tests.rs"]
mod tests;
