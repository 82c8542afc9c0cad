//! Durations as people write them in a configuration.
//!
//! Terraform's own timeouts take Go's form: numbers with units, one after the
//! other, such as `30m`, `1h30m` or `1.5h`. The rest of Assent also writes days;
//! both are read here. Fractions of a millisecond are dropped.

use std::time::Duration;

use assent_core::time::Span;

/// The text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a duration; write numbers with units (d, h, m, s, ms), such as 30m, 1h30m or 90s"
)]
pub(crate) struct NotADuration(String);

impl NotADuration {
    /// The error about this text, of which not more is repeated than fits a line.
    fn shown(text: &str) -> Self {
        Self(text.chars().take(80).collect())
    }
}

/// The longest duration that is read: ten years. What is longer is a slip.
const LONGEST: u128 = 3_660 * 86_400_000;

/// Reads one duration; it is longer than nothing.
pub(crate) fn parse(text: &str) -> Result<Duration, NotADuration> {
    let millis = millis(text).filter(|millis| (1..=LONGEST).contains(millis));
    millis
        .and_then(|millis| u64::try_from(millis).ok())
        .map(Duration::from_millis)
        .ok_or_else(|| NotADuration::shown(text))
}

/// Reads one duration in whole seconds, as the rest of Assent counts; at least one.
pub(crate) fn span(text: &str) -> Result<Span, NotADuration> {
    let seconds = parse(text)?.as_secs();
    if seconds == 0 { Err(NotADuration::shown(text)) } else { Ok(Span::seconds(seconds)) }
}

/// The milliseconds that the terms add up to.
fn millis(text: &str) -> Option<u128> {
    let mut rest = text;
    let mut sum: u128 = 0;
    while !rest.is_empty() {
        let (number, after) = split(rest, |byte| byte.is_ascii_digit() || byte == b'.');
        let (unit, after) = split(after, |byte| byte.is_ascii_lowercase());
        sum = sum.checked_add(term(number, size(unit)?)?)?;
        rest = after;
    }
    Some(sum)
}

/// One number of units, in milliseconds.
fn term(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    // More digits than these cannot matter, and would overflow.
    if whole.len() > 12 || fraction.len() > 9 {
        return None;
    }
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let whole: u128 = whole.parse().ok()?;
    let fraction: u128 = fraction.parse().ok()?;
    whole.checked_mul(unit)?.checked_add(fraction.checked_mul(unit)? / scale)
}

/// A unit in milliseconds.
fn size(unit: &str) -> Option<u128> {
    match unit {
        "d" => Some(86_400_000),
        "h" => Some(3_600_000),
        "m" => Some(60_000),
        "s" => Some(1_000),
        "ms" => Some(1),
        _ => None,
    }
}

/// The part at the start that holds only such bytes, and the rest.
fn split(text: &str, holds: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !holds(byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terraform_and_assent_forms_are_read() {
        let cases = [
            ("30m", 1_800_000),
            ("1h30m", 5_400_000),
            ("90s", 90_000),
            ("1.5h", 5_400_000),
            ("250ms", 250),
            ("7d", 604_800_000),
            ("1h0m0s", 3_600_000),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn spans_are_whole_seconds() {
        assert_eq!(span("1h30m").map(|span| span.to_string()), Ok("90m".to_owned()));
        assert!(span("999ms").is_err());
    }

    #[test]
    fn everything_else_is_refused() {
        let cases = [
            "",
            "0s",
            "m",
            "10",
            "-1m",
            "+1m",
            "1.h",
            ".5h",
            "1..5h",
            "1 h",
            "1H",
            "1w",
            "٣m",
            "1h30",
            "9999999999999h",
            "99999999999d",
            "1h٣m",
        ];
        for text in cases {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
