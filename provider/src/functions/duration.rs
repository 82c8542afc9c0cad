//! `duration`: the seconds of a duration, as arguments write it.

use crate::duration;
use crate::functions::text;
use crate::intent::sentence;
use crate::offer::{Function, Parameter, WrongArgument};
use crate::value::{Number, Type, Value};

/// The function.
pub(super) fn function() -> Function {
    Function {
        name: "duration",
        summary: "Seconds of a duration such as 1h30m",
        description: "Gives a duration in seconds. It is read as `duration`, `ttl` and `timeouts` \
                      read it: numbers with units (`d`, `h`, `m`, `s`, `ms`), such as `30m`, \
                      `1h30m` or `1.5h`; longer than nothing, at most ten years.",
        parameters: vec![Parameter {
            name: "text",
            of: Type::String,
            nullable: false,
            description: "The duration.",
        }],
        gives: Type::Number,
        call,
    }
}

fn call(arguments: &[Value]) -> Result<Value, WrongArgument> {
    let read = duration::parse(text(arguments, 0)?);
    let read =
        read.map_err(|error| WrongArgument { index: 0, text: sentence(&error.to_string()) })?;
    let seconds = match read.subsec_millis() {
        0 => Number::Unsigned(read.as_secs()),
        millis => Number::Decimal(format!("{}.{millis:03}", read.as_secs())),
    };
    Ok(Value::Number(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_are_whole_and_parts_are_exact() {
        let seconds = |text: &str| call(&[Value::text(text)]);
        assert_eq!(seconds("1h30m"), Ok(Value::Number(Number::Unsigned(5400))));
        let exact = Number::Decimal("90.250".to_owned());
        assert_eq!(seconds("1m30s250ms"), Ok(Value::Number(exact)));
        for wrong in ["", "soon", "0s", "90", "-1m", "1 h"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            seconds("soon").unwrap_err().text,
            "`soon` is not a duration; write numbers with units (d, h, m, s, ms), such as 30m, \
             1h30m or 90s."
        );
    }
}
