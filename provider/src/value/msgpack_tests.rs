//! What the MessagePack codec must read, write and refuse.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rmpv::Value as Packed;

use super::*;

/// The bytes of a packed value.
fn bytes(packed: &Packed) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, packed).unwrap();
    bytes
}

/// What is read from a packed value.
fn read(packed: &Packed, of: &Type) -> Result<Value, DecodeError> {
    decode(&bytes(packed), of)
}

#[test]
fn any_extension_is_unknown_also_a_refined_one() {
    let refined = bytes(&Packed::Map(vec![(1.into(), false.into())]));
    for ext in [Packed::Ext(0, vec![0]), Packed::Ext(12, refined)] {
        assert_eq!(read(&ext, &Type::String).unwrap(), Value::Unknown);
    }
    assert_eq!(decode(&[0xd4, 0, 0], &Type::texts()).unwrap(), Value::Unknown);
}

#[test]
fn unknown_is_written_as_a_plain_extension() {
    assert_eq!(encode(&Value::Unknown).unwrap(), [0xd4, 0, 0]);
}

#[test]
fn huge_numbers_stay_decimal() {
    let huge = "123456789012345678901234567890.5";
    let value = read(&huge.into(), &Type::Number).unwrap();
    assert_eq!(value, Value::Number(Number::Decimal(huge.into())));
    assert_eq!(encode(&value).unwrap(), bytes(&huge.into()));
    let largest = read(&u64::MAX.into(), &Type::Number).unwrap();
    assert_eq!(largest, Value::Number(Number::Unsigned(u64::MAX)));
    for wrong in ["", "-", "1.", ".5", "1e", "ten", "0x10", "1e5e5", "NaN"] {
        assert!(read(&wrong.into(), &Type::Number).is_err(), "{wrong}");
    }
}

#[test]
fn cut_bytes_are_an_error() {
    let of = Type::object([("a", Type::text_map()), ("b", Type::texts())]);
    let whole = bytes(&Packed::Map(vec![
        ("a".into(), Packed::Map(vec![("k".into(), "value".into())])),
        ("b".into(), Packed::Array(vec!["x".into(), "y".into()])),
    ]));
    assert!(decode(&whole, &of).is_ok());
    for length in 0..whole.len() {
        assert!(decode(&whole[..length], &of).is_err(), "{length}");
    }
}

#[test]
fn bytes_after_the_end_are_an_error() {
    assert!(decode(&[0xc0, 0xc0], &Type::String).is_err());
}

#[test]
fn a_length_that_lies_is_an_error() {
    for lie in [[0xdd, 0xff, 0xff, 0xff, 0xff], [0xdf, 0xff, 0xff, 0xff, 0xff]] {
        assert!(decode(&lie, &Type::texts()).is_err());
    }
}

#[test]
fn deep_nesting_is_an_error() {
    let mut nested = vec![0x91; 100_000];
    nested.push(0xc0);
    assert!(decode(&nested, &Type::texts()).is_err());
}

#[test]
fn a_wrong_type_is_named_with_its_path() {
    let of = Type::object([("stages", Type::List(Box::new(Type::String)))]);
    let wrong = Packed::Map(vec![("stages".into(), Packed::Array(vec!["a".into(), 2.into()]))]);
    let error = read(&wrong, &of).unwrap_err();
    assert_eq!(error.to_string(), "`stages[1]`: a string is required, but this is a number");
}

#[test]
fn an_object_has_its_attributes_and_no_other() {
    let of = Type::object([("a", Type::String)]);
    let missing = read(&Packed::Map(vec![]), &of).unwrap_err();
    assert_eq!(missing.to_string(), "`a`: the attribute is missing");
    let pairs = vec![("a".into(), "x".into()), ("z".into(), "y".into())];
    let surplus = read(&Packed::Map(pairs), &of).unwrap_err();
    assert_eq!(surplus.to_string(), "`z`: there is no such attribute");
    let pairs = vec![("a".into(), "x".into()), ("a".into(), "y".into())];
    assert!(read(&Packed::Map(pairs), &of).is_err());
}

/// Any type but "anything".
fn any_type() -> impl Strategy<Value = Type> {
    let simple = prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::String)];
    simple.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|of| Type::List(Box::new(of))),
            inner.clone().prop_map(|of| Type::Set(Box::new(of))),
            inner.clone().prop_map(|of| Type::Map(Box::new(of))),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Type::Tuple),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..4).prop_map(Type::Object),
        ]
    })
}

/// Any value of a type.
fn any_value(of: &Type) -> BoxedStrategy<Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Number::Signed),
        (i64::MAX as u64 + 1..).prop_map(Number::Unsigned),
        (-1e300..1e300).prop_map(Number::Float),
        "[1-9][0-9]{20,60}".prop_map(Number::Decimal),
    ];
    let given: BoxedStrategy<Value> = match of {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => number.prop_map(Value::Number).boxed(),
        Type::String | Type::Dynamic => any::<String>().prop_map(Value::String).boxed(),
        Type::List(of) | Type::Set(of) => {
            prop::collection::vec(any_value(of), 0..4).prop_map(Value::List).boxed()
        }
        Type::Tuple(of) => {
            of.iter().map(any_value).collect::<Vec<_>>().prop_map(Value::List).boxed()
        }
        Type::Map(of) => prop::collection::btree_map(any::<String>(), any_value(of), 0..4)
            .prop_map(Value::Map)
            .boxed(),
        Type::Object(attributes) => {
            let names: Vec<_> = attributes.keys().cloned().collect();
            let values: Vec<_> = attributes.values().map(any_value).collect();
            let named = move |values: Vec<Value>| names.iter().cloned().zip(values).collect();
            values.prop_map(move |values| Value::Map(named(values))).boxed()
        }
    };
    prop_oneof![8 => given, 1 => Just(Value::Null), 1 => Just(Value::Unknown)].boxed()
}

/// A type and a value of it.
fn any_pair() -> impl Strategy<Value = (Type, Value)> {
    any_type().prop_flat_map(|of| any_value(&of).prop_map(move |value| (of.clone(), value)))
}

proptest! {
    #[test]
    fn what_is_written_is_read_back((of, value) in any_pair()) {
        prop_assert_eq!(decode(&encode(&value).unwrap(), &of).unwrap(), value);
    }

    #[test]
    fn a_value_of_any_type_is_read_by_the_type_it_names((of, value) in any_pair()) {
        let named = Packed::Binary(of.to_json().to_string().into_bytes());
        let whole = bytes(&Packed::Array(vec![named, pack(&value)]));
        prop_assert_eq!(decode(&whole, &Type::Dynamic).unwrap(), value);
    }

    #[test]
    fn a_type_comes_back_from_its_name(of in any_type()) {
        prop_assert_eq!(Type::from_json(&of.to_json()), Some(of));
    }

    #[test]
    fn no_bytes_make_it_panic(
        of in any_type(),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = decode(&bytes, &of);
        let _ = decode(&bytes, &Type::Dynamic);
    }
}

#[test]
fn null_and_unknown_objects_are_values() {
    let of = Type::Object(BTreeMap::new());
    assert_eq!(decode(&[0xc0], &of).unwrap(), Value::Null);
    assert_eq!(decode(&[0xd4, 0, 0], &of).unwrap(), Value::Unknown);
}
