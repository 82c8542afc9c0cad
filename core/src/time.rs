//! Instants and spans. Nothing here reads a clock: time is always an argument.

use std::fmt;
use std::str::FromStr;

/// An instant in UTC, to the millisecond.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant this many milliseconds after 1970-01-01T00:00:00Z.
    ///
    /// Values outside the years that RFC 3339 can write are pulled to its ends.
    pub fn from_millis(millis: i64) -> Self {
        let last = jiff::Timestamp::MAX.as_millisecond();
        let first = jiff::Timestamp::MIN.as_millisecond();
        Self(millis.clamp(first, last))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down: the `NumericDate` of RFC 7519.
    pub fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This instant and `span` more.
    #[must_use]
    pub fn plus(self, span: Span) -> Self {
        Self::from_millis(self.0.saturating_add(span.as_millis()))
    }

    /// This instant and `span` less.
    #[must_use]
    pub fn before(self, span: Span) -> Self {
        Self::from_millis(self.0.saturating_sub(span.as_millis()))
    }

    /// How long until `later`; zero when it is not later.
    pub fn until(self, later: Self) -> Span {
        Span::from_millis(later.0.saturating_sub(self.0).max(0).unsigned_abs())
    }

    /// Whether it was less than so long ago.
    pub fn is_within(self, span: Span, now: Self) -> bool {
        self.until(now) < span
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds: `2026-11-20T21:31:26.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{instant:.3}")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an RFC 3339 instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 time such as 2026-11-20T21:31:26Z")]
pub struct NotATimestamp(String);

impl FromStr for Timestamp {
    type Err = NotATimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || NotATimestamp(text.chars().take(64).collect());
        if !is_rfc_3339(text) {
            return Err(fault());
        }
        let instant: jiff::Timestamp = text.parse().map_err(|_| fault())?;
        Ok(Self(instant.as_millisecond()))
    }
}

/// The form of RFC 3339 section 5.6, with capital `T` and `Z`; jiff reads more than that.
fn is_rfc_3339(text: &str) -> bool {
    let fits = |text: &str, form: &str| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                b'+' => matches!(byte, b'+' | b'-'),
                other => byte == other,
            })
    };
    let Some((instant, rest)) = text.split_at_checked(19) else { return false };
    let fraction = rest.strip_prefix('.').map(|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        (digits, rest.split_at_checked(digits).map_or("", |(_, zone)| zone))
    });
    let (digits, zone) = fraction.unwrap_or((1, rest));
    let fraction_fits = (1..=9).contains(&digits);
    fits(instant, "0000-00-00T00:00:00") && fraction_fits && (zone == "Z" || fits(zone, "+00:00"))
}

/// A length of time, zero or more, to the millisecond.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// So many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// So many minutes.
    pub const fn minutes(minutes: u64) -> Self {
        Self::seconds(minutes.saturating_mul(60))
    }

    /// So many hours.
    pub const fn hours(hours: u64) -> Self {
        Self::minutes(hours.saturating_mul(60))
    }

    /// Whole seconds, rounded down.
    pub const fn as_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// In milliseconds.
    pub fn as_millis(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// As people say it, in its two largest units: `2 d 4 h`, `3 h 12 min`, `7 min`, `30 s`.
    pub fn in_words(self) -> String {
        let (seconds, minutes) = (self.as_seconds(), self.as_seconds() / 60);
        let (days, hours, rest) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
        let with = |large: String, small: u64, unit: &str| match small {
            0 => large,
            _ => format!("{large} {small} {unit}"),
        };
        match (days, hours, rest) {
            (0, 0, 0) => format!("{seconds} s"),
            (0, 0, rest @ 1..=2) => with(format!("{rest} min"), seconds % 60, "s"),
            (0, 0, rest) => format!("{rest} min"),
            (0, hours, rest) => with(format!("{hours} h"), rest, "min"),
            (days, hours, _) => with(format!("{days} d"), hours, "h"),
        }
    }
}

impl From<Span> for std::time::Duration {
    fn from(span: Span) -> Self {
        Self::from_millis(span.0)
    }
}

impl fmt::Display for Span {
    /// The form that is read back: `90s`, `15m`, `4h`, `7d`; the largest unit that is exact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.as_seconds();
        for (unit, size) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
            if seconds >= size && seconds.is_multiple_of(size) {
                return write!(f, "{}{unit}", seconds / size);
            }
        }
        write!(f, "{seconds}s")
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration; write a whole number and s, m, h or d, such as 15m")]
pub struct NotASpan(String);

impl FromStr for Span {
    type Err = NotASpan;

    /// `30s`, `10m`, `4h`, `7d` and nothing else: one unit, no sign, no fraction, at most ten years.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || NotASpan(text.to_owned());
        let unit = text.chars().next_back().ok_or_else(fault)?;
        let size = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(fault()),
        };
        let digits = text.strip_suffix(unit).ok_or_else(fault)?;
        if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(fault());
        }
        let seconds = digits.parse::<u64>().map_err(|_| fault())?.saturating_mul(size);
        if seconds > 3_660 * 86_400 {
            return Err(fault());
        }
        Ok(Self::seconds(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_told_in_two_units() {
        let said = [0, 59, 60, 3_599, 3_600, 7_800, 86_399, 86_400, 187_260].map(Span::seconds);
        let wanted = [
            "0 s",
            "59 s",
            "1 min",
            "59 min",
            "1 h",
            "2 h 10 min",
            "23 h 59 min",
            "1 d",
            "2 d 4 h",
        ];
        assert_eq!(said.map(Span::in_words), wanted);
    }

    #[test]
    fn spans_read_back_what_they_print() {
        for text in ["30s", "10m", "4h", "7d", "90s", "0s"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn spans_take_nothing_else() {
        for text in ["", "m", "10", "-1m", "1.5h", "1h30m", "10 m", "10M", "9999999999s", "٣m"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn instants_are_rfc_3339_with_milliseconds() {
        let instant = Timestamp::from_millis(1_795_210_286_007);
        assert_eq!(instant.to_string(), "2026-11-20T21:31:26.007Z");
        assert_eq!(instant.to_string().parse::<Timestamp>().unwrap(), instant);
        for same in ["2026-11-20T21:31:26.007Z", "2026-11-20T23:31:26.0070+02:00"] {
            assert_eq!(same.parse::<Timestamp>().unwrap(), instant);
        }
        for text in [
            "",
            "yesterday",
            "2026-11-20",
            "2026-11-20T21:31:26",
            "2026-11-20 21:31:26Z",
            "2026-11-20t21:31:26z",
            "2026-11-20T21:31Z",
            "20261120T213126Z",
            "2026-11-20T21:31:26.Z",
            "2026-11-20T21:31:26,007Z",
            "2026-11-20T21:31:26+0200",
            "2026-11-20T21:31:26Z ",
            "2026-11-20T21:31:26+02:00[Europe/Berlin]",
            "+002026-11-20T21:31:26Z",
            "2026-13-20T21:31:26Z",
            "2026-02-29T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "2026-11-20T21:31:26.0000000000Z",
            "2026-11-20T21:31:2\u{665}Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn arithmetic_saturates() {
        let end = Timestamp::from_millis(i64::MAX);
        assert_eq!(end.plus(Span::hours(u64::MAX)), end);
        assert_eq!(end.until(Timestamp::from_millis(0)), Span::ZERO);
        let start = Timestamp::from_millis(i64::MIN);
        assert_eq!(start.before(Span::seconds(1)), start);
    }
}
