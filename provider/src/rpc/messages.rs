//! Values and diagnostics in the protocol's messages.

use assent_core::time::Timestamp;
use tonic::Status;

use super::pb;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::value::{self, DecodeError, Type, Value};

/// Reads a value of the given type; an absent one is null.
///
/// # Errors
/// What does not fit, and where.
pub(super) fn read(wire: Option<&pb::DynamicValue>, of: &Type) -> Result<Value, Diagnostics> {
    let Some(wire) = wire else { return Ok(Value::Null) };
    decode(wire, of).map_err(misfit)
}

/// The same, for a value that is there.
///
/// # Errors
/// What does not fit, and where.
pub(super) fn decode(wire: &pb::DynamicValue, of: &Type) -> Result<Value, DecodeError> {
    if !wire.msgpack.is_empty() {
        value::decode_msgpack(&wire.msgpack, of)
    } else if !wire.json.is_empty() {
        value::decode_json(&wire.json, of)
    } else {
        Ok(Value::Null)
    }
}

/// That a resource of another type cannot become one of this type.
pub(super) fn cannot_move(from: &str, to: &str) -> Diagnostics {
    let detail = format!("`{from}` cannot be moved to `{to}`: it is not the same thing.");
    Diagnostic::error("The resource cannot be moved", detail).into()
}

/// What does not fit the schema, told at its path.
pub(super) fn misfit(error: DecodeError) -> Diagnostics {
    let told = Diagnostic::error("The value does not fit the schema", format!("{error}."));
    if error.path.is_root() { told.into() } else { told.at(error.path).into() }
}

/// The state and the diagnostics of an answer. After an error the state is null.
pub(super) fn state(
    outcome: Result<(Value, Option<Diagnostics>), Diagnostics>,
) -> Result<(Option<pb::DynamicValue>, Vec<pb::Diagnostic>), Status> {
    let (value, diagnostics) = match outcome {
        Ok((value, diagnostics)) => (value, diagnostics.unwrap_or_default()),
        Err(diagnostics) => (Value::Null, diagnostics),
    };
    let msgpack =
        value::encode_msgpack(&value).map_err(|error| Status::internal(error.to_string()))?;
    let state = pb::DynamicValue { msgpack, json: Vec::new() };
    Ok((Some(state), diagnostics.into_wire()))
}

/// A state with its diagnostics, as [`state`] takes it.
pub(super) fn with((value, diagnostics): (Value, Diagnostics)) -> (Value, Option<Diagnostics>) {
    (value, Some(diagnostics))
}

/// The diagnostics of an answer that has nothing else.
pub(super) fn told(outcome: Result<Diagnostics, Diagnostics>) -> Vec<pb::Diagnostic> {
    outcome.unwrap_or_else(|faults| faults).into_wire()
}

/// An instant in the protocol's form.
pub(super) fn instant(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_seconds(), nanos: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn msgpack_goes_before_json_and_nothing_is_null() {
        let wire = |msgpack: &[u8], json: &[u8]| {
            let wire = pb::DynamicValue { msgpack: msgpack.to_vec(), json: json.to_vec() };
            read(Some(&wire), &Type::Bool)
        };
        assert_eq!(wire(&[0xc3], b"false"), Ok(Value::Bool(true)));
        assert_eq!(wire(&[], b"false"), Ok(Value::Bool(false)));
        assert_eq!(wire(&[], &[]), Ok(Value::Null));
        assert_eq!(read(None, &Type::Bool), Ok(Value::Null));
    }

    #[test]
    fn a_misfit_is_told_at_its_attribute() {
        let of = Type::object([("wait", Type::Bool)]);
        let wire = pb::DynamicValue { msgpack: Vec::new(), json: br#"{"wait":"soon"}"#.to_vec() };
        let faults = read(Some(&wire), &of).unwrap_err();
        assert_eq!(faults.list()[0].path.as_ref().unwrap().to_string(), "wait");
    }

    #[test]
    fn an_error_leaves_a_null_state() {
        let error = Diagnostics::from(Diagnostic::error("denied", ""));
        let (state, told) = state(Err(error)).unwrap();
        assert_eq!(state.unwrap().msgpack, [0xc0]);
        assert_eq!(told.len(), 1);
    }
}
