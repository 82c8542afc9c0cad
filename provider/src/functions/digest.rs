//! `digest`: the SHA-256 of a value's canonical JSON.

use assent_core::canonical::{self, MAX_DEPTH};
use serde_json::Value as Json;

use crate::offer::{Function, Parameter, WrongArgument};
use crate::value::{Number, Type, Value};

/// 2^53 - 1: beyond it, two whole numbers have one canonical form.
const MAX_WHOLE: u64 = (1 << 53) - 1;

/// The function.
pub(super) fn function() -> Function {
    Function {
        name: "digest",
        summary: "SHA-256 of a value, the same wherever it is computed",
        description: "Gives the SHA-256 of a value's canonical JSON (RFC 8785) as `sha256:` and 64 \
                      hex digits: the bytes that the server and `assent digest` take. Sets and \
                      tuples are lists, maps and objects are objects. Whole numbers beyond 2^53 - 1 \
                      have no canonical form and are refused; write them as text.",
        parameters: vec![Parameter {
            name: "value",
            of: Type::Dynamic,
            nullable: true,
            description: "Any value.",
        }],
        gives: Type::String,
        call,
    }
}

fn call(arguments: &[Value]) -> Result<Value, WrongArgument> {
    let value = arguments.first().unwrap_or(&Value::Null);
    match json(value, 0) {
        Ok(json) => Ok(Value::text(canonical::digest(&json).to_string())),
        Err(text) => Err(WrongArgument { index: 0, text }),
    }
}

/// A value as JSON; or why it has no canonical form, as a sentence.
fn json(value: &Value, depth: usize) -> Result<Json, String> {
    if depth > MAX_DEPTH {
        return Err(format!("The value is nested deeper than {MAX_DEPTH} levels."));
    }
    match value {
        Value::Null => Ok(Json::Null),
        Value::Unknown => Err("A part of the value is not known yet.".to_owned()),
        Value::Bool(value) => Ok(Json::Bool(*value)),
        Value::Number(value) => number(value),
        Value::String(text) => Ok(Json::String(text.clone())),
        Value::List(items) => items
            .iter()
            .map(|item| json(item, depth + 1))
            .collect::<Result<_, _>>()
            .map(Json::Array),
        Value::Map(members) => {
            let members =
                members.iter().map(|(name, item)| Ok((name.clone(), json(item, depth + 1)?)));
            members.collect::<Result<_, _>>().map(Json::Object)
        }
    }
}

/// A number as JSON has it. Terraform's have hundreds of digits; where digits behind the point are
/// more than a double has, they are rounded as every reader of JSON rounds them.
fn number(number: &Number) -> Result<Json, String> {
    match number {
        Number::Signed(whole) if whole.unsigned_abs() <= MAX_WHOLE => Ok(Json::from(*whole)),
        Number::Unsigned(whole) if *whole <= MAX_WHOLE => Ok(Json::from(*whole)),
        Number::Signed(whole) => Err(too_large(&whole.to_string())),
        Number::Unsigned(whole) => Err(too_large(&whole.to_string())),
        Number::Float(double) => fraction(*double, &double.to_string()),
        Number::Decimal(text) => {
            let double: f64 = text.parse().map_err(|_| format!("`{text}` is not a number."))?;
            let is_zero = !text
                .split(['e', 'E'])
                .next()
                .is_some_and(|digits| digits.bytes().any(|byte| (b'1'..=b'9').contains(&byte)));
            if double == 0.0 && !is_zero {
                let shown: String = text.chars().take(80).collect();
                return Err(format!("{shown} is too small for JSON; write it as text."));
            }
            fraction(double, text)
        }
    }
}

/// A double that is not a whole number beyond what is exact.
fn fraction(double: f64, text: &str) -> Result<Json, String> {
    // Both bounds are exact as doubles.
    let is_exact = double.is_finite() && (double.fract() != 0.0 || double.abs() <= LARGEST_DOUBLE);
    let json = serde_json::Number::from_f64(double).filter(|_| is_exact);
    json.map(Json::Number).ok_or_else(|| too_large(text))
}

/// [`MAX_WHOLE`].
const LARGEST_DOUBLE: f64 = 9_007_199_254_740_991.0;

fn too_large(text: &str) -> String {
    let shown: String = text.chars().take(80).collect();
    format!(
        "{shown} is beyond 2^53 - 1, where JSON no longer tells whole numbers apart (RFC 7493, \
         section 2.2); write it as text."
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(value: &Value, json: &str) {
        let expected = canonical::digest(&canonical::parse(json.as_bytes()).unwrap());
        assert_eq!(call(std::slice::from_ref(value)), Ok(Value::text(expected.to_string())));
    }

    fn decimal(text: &str) -> Value {
        Value::Number(Number::Decimal(text.to_owned()))
    }

    #[test]
    fn it_is_what_the_rest_of_assent_computes_of_the_same_json() {
        check(&Value::Null, "null");
        check(&Value::Bool(true), "true");
        check(&Value::text("€ \u{1f600}\n"), r#""€ 😀\n""#);
        let nested = Value::object([
            ("z", Value::List(vec![Value::Null, decimal("0.1"), decimal("-2.50")])),
            ("a", Value::object([("n", Value::Number(Number::Signed(-7)))])),
        ]);
        check(&nested, r#"{"a": {"n": -7}, "z": [null, 0.1, -2.5]}"#);
        check(&Value::Number(Number::Float(1.0)), "1");
        check(&Value::Number(Number::Float(-0.0)), "0");
        check(&Value::Number(Number::Unsigned(9_007_199_254_740_991)), "9007199254740991");
        check(&decimal("0.333333333333333333333333333333333333"), "0.3333333333333333");
    }

    #[test]
    fn whole_numbers_that_json_cannot_tell_apart_are_refused_not_rounded() {
        for number in [
            Number::Signed(9_007_199_254_740_992),
            Number::Signed(i64::MIN),
            Number::Unsigned(u64::MAX),
            Number::Float(1e22),
            Number::Float(f64::INFINITY),
            Number::Decimal("123456789012345678901234567890".to_owned()),
            Number::Decimal("9007199254740993.5".to_owned()),
            Number::Decimal("1e400".to_owned()),
        ] {
            let error = call(&[Value::List(vec![Value::Number(number.clone())])]).unwrap_err();
            assert!(error.text.contains("beyond 2^53 - 1"), "{number:?}: {}", error.text);
        }
        assert!(call(&[decimal("1e-400")]).unwrap_err().text.contains("too small"));
        assert!(call(&[decimal("0.000e-9")]).is_ok());
    }

    #[test]
    fn what_is_not_known_or_too_deep_has_no_digest() {
        let unknown = Value::object([("a", Value::Unknown)]);
        assert!(call(&[unknown]).unwrap_err().text.contains("not known"));
        let deep = |levels| (0..levels).fold(Value::Null, |value, _| Value::List(vec![value]));
        assert!(call(&[deep(MAX_DEPTH)]).is_ok());
        assert!(call(&[deep(MAX_DEPTH + 1)]).unwrap_err().text.contains("64 levels"));
    }

    proptest! {
        #[test]
        fn every_double_has_the_digest_of_its_json_or_none(double in any::<f64>()) {
            let ours = call(&[Value::Number(Number::Float(double))]);
            if let Ok(ours) = ours {
                let json = serde_json::Number::from_f64(double).unwrap();
                let parsed = canonical::parse(json.to_string().as_bytes()).unwrap();
                prop_assert_eq!(ours, Value::text(canonical::digest(&parsed).to_string()));
            }
        }
    }
}
