//! JSON: the form in which Terraform keeps state, and may send values.
//!
//! State may have been written by another version of this provider: attributes
//! that are missing are null, attributes that no longer exist are left out.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{DecodeError, Number, Type, Value};
use crate::diagnostic::Step;

/// Reads one value of the given type.
///
/// Nesting is limited by the JSON reader.
pub(crate) fn decode(bytes: &[u8], of: &Type) -> Result<Value, DecodeError> {
    super::bounds::check_json(bytes)?;
    let json: Json = serde_json::from_slice(bytes)
        .map_err(|error| DecodeError::new(format!("the JSON value cannot be read: {error}")))?;
    fit(json, of)
}

/// Fits a JSON value to the type that the schema asks for.
fn fit(json: Json, of: &Type) -> Result<Value, DecodeError> {
    match (json, of) {
        (Json::Null, _) => Ok(Value::Null),
        (Json::Bool(value), Type::Bool) => Ok(Value::Bool(value)),
        (Json::String(text), Type::String) => Ok(Value::String(text)),
        (Json::Number(number), Type::Number) => Ok(Value::Number(fit_number(&number))),
        (Json::Array(elements), Type::List(of) | Type::Set(of)) => {
            fit_list(elements.into_iter().map(|element| (element, of.as_ref())))
        }
        (Json::Array(elements), Type::Tuple(of)) if elements.len() == of.len() => {
            fit_list(elements.into_iter().zip(of))
        }
        (Json::Object(elements), Type::Dynamic) => fit_dynamic(elements),
        (Json::Object(elements), Type::Map(of)) => {
            fit_pairs(elements.into_iter().map(|(key, json)| (key, json, of.as_ref())))
        }
        (Json::Object(elements), Type::Object(attributes)) => fit_object(elements, attributes),
        (json, of) => Err(DecodeError::mismatch(of, noun(&json))),
    }
}

/// A number, exact if it is whole and fits 64 bits.
fn fit_number(number: &serde_json::Number) -> Number {
    let signed = number.as_i64().map(Number::Signed);
    let whole = signed.or_else(|| number.as_u64().map(Number::Unsigned));
    whole.unwrap_or_else(|| Number::Decimal(number.to_string()))
}

/// A value that says of what type it is.
fn fit_dynamic(mut elements: serde_json::Map<String, Json>) -> Result<Value, DecodeError> {
    let of = elements.get("type").and_then(Type::from_json);
    let of = of.ok_or_else(|| DecodeError::new("the type of the value is not known"))?;
    fit(elements.remove("value").unwrap_or(Json::Null), &of)
}

/// A list, each element with its type.
fn fit_list<'a>(elements: impl Iterator<Item = (Json, &'a Type)>) -> Result<Value, DecodeError> {
    let fitted = elements.enumerate().map(|(index, (element, of))| {
        fit(element, of).map_err(|error| error.within(Step::Index(index)))
    });
    Ok(Value::List(fitted.collect::<Result<_, _>>()?))
}

/// An object with exactly the attributes of its type.
fn fit_object(
    mut elements: serde_json::Map<String, Json>,
    attributes: &BTreeMap<String, Type>,
) -> Result<Value, DecodeError> {
    fit_pairs(attributes.iter().map(|(name, of)| {
        let json = elements.remove(name).unwrap_or(Json::Null);
        (name.clone(), json, of)
    }))
}

/// Keys with their values, each of its own type.
fn fit_pairs<'a>(
    pairs: impl Iterator<Item = (String, Json, &'a Type)>,
) -> Result<Value, DecodeError> {
    let mut map = BTreeMap::new();
    for (key, json, of) in pairs {
        let value = fit(json, of).map_err(|error| error.within(Step::Key(key.clone())))?;
        map.insert(key, value);
    }
    Ok(Value::Map(map))
}

/// What a person calls a JSON value.
fn noun(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of() -> Type {
        Type::object([("id", Type::String), ("approved_by", Type::texts())])
    }

    #[test]
    fn state_of_another_version_is_fitted_to_this_one() {
        let state = br#"{"id":"req_1","gone":[1,2]}"#;
        let expected = Value::object([("id", Value::text("req_1")), ("approved_by", Value::Null)]);
        assert_eq!(decode(state, &of()).unwrap(), expected);
    }

    #[test]
    fn a_wrong_type_is_named_with_its_path() {
        let error = decode(br#"{"id":"x","approved_by":["a",{}]}"#, &of()).unwrap_err();
        assert_eq!(error.to_string(), "`approved_by[1]`: a string is required, but this is a map");
    }

    #[test]
    fn deep_nesting_is_an_error() {
        let nested = "[".repeat(100_000);
        assert!(decode(nested.as_bytes(), &of()).is_err());
    }
}
