//! What the fuzz target drives: bytes that Terraform could send, read as everything that is offered.
//!
//! Nothing here is asked of a server, and no answer is checked but that there is one: a value or a
//! fault, and that a value is the same after it was written and read again.

use crate::offers;
use crate::schema::Schema;
use crate::value::{Type, Value, decode_json, decode_msgpack, encode_msgpack};

/// Reads these bytes in both forms of the wire, as a value of every schema and as an argument of
/// every function, and hands what could be read to what checks configurations.
///
/// # Panics
/// If a value is another after it was written and read again. Whatever else panics is a fault too.
pub fn read_everything(bytes: &[u8]) {
    for resource in offers::resources() {
        of_schema(bytes, &resource.schema(), |value| drop(resource.validate(value)));
    }
    for source in offers::data_sources() {
        of_schema(bytes, &source.schema(), |value| drop(source.validate(value)));
    }
    for ephemeral in offers::ephemerals() {
        of_schema(bytes, &ephemeral.schema(), |value| drop(ephemeral.validate(value)));
    }
    for function in offers::functions() {
        let mut arguments = Vec::new();
        for parameter in &function.parameters {
            arguments.extend(read(bytes, &parameter.of).into_iter().next());
        }
        if arguments.len() == function.parameters.len() {
            drop((function.call)(&arguments));
        }
    }
}

fn of_schema(bytes: &[u8], schema: &Schema, check: impl Fn(&Value)) {
    let of = schema.value_type();
    for value in read(bytes, &of) {
        check(&value);
        let written = encode_msgpack(&value);
        let again = written.ok().map(|written| decode_msgpack(&written, &of));
        assert!(again.is_none_or(|again| again.is_ok_and(|again| is_same(&again, &value))));
    }
}

/// What the bytes are in either form.
fn read(bytes: &[u8], of: &Type) -> Vec<Value> {
    [decode_msgpack(bytes, of), decode_json(bytes, of)].into_iter().flatten().collect()
}

/// Whether two values are the same, by what is written of them: a number that is none equals nothing.
fn is_same(one: &Value, other: &Value) -> bool {
    encode_msgpack(one).ok() == encode_msgpack(other).ok()
}
