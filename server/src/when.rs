//! Times as people read them.

use assent_core::time::{Span, Timestamp};

/// `2026-11-20 21:31 UTC`.
pub(crate) fn clock(at: Timestamp) -> String {
    clock_of(&at.to_string())
}

/// The same of a time as programs read it.
pub(crate) fn clock_of(text: &str) -> String {
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    format!("{date} {} UTC", time.get(..5).unwrap_or(time))
}

/// A length of time of which seconds do not matter: `2 d 4 h`, `7 min`, `less than a minute`.
/// `static/live.js` says it with the same words.
pub(crate) fn span(span: Span) -> String {
    match span < Span::minutes(1) {
        true => "less than a minute".to_owned(),
        false => span.in_words(),
    }
}

/// A moment that is waited for: what is left until then, and when it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deadline {
    /// As programs read it.
    pub(crate) at: String,
    /// As people do.
    pub(crate) clock: String,
    /// How long it is until then.
    pub(crate) left: String,
    /// Whether there is little time left.
    pub(crate) soon: bool,
}

/// With less than this a deadline is near.
const SOON: Span = Span::minutes(15);

impl Deadline {
    pub(crate) fn new(at: Timestamp, now: Timestamp) -> Self {
        let left = match at <= now {
            true => "time is up".to_owned(),
            false => format!("{} left", span(now.until(at))),
        };
        Self { at: at.to_string(), clock: clock(at), left, soon: now.until(at) < SOON }
    }
}

/// How long something took or takes, as policy writes it: `15m` is `15 min`.
pub(crate) fn written(text: &str) -> String {
    text.parse::<Span>().map_or_else(|_| text.to_owned(), Span::in_words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_told_in_two_units() {
        let told = |seconds: u64| span(Span::seconds(seconds));
        assert_eq!(told(59), "less than a minute");
        assert_eq!(told(60), "1 min");
        assert_eq!(told(3 * 3600 + 12 * 60 + 59), "3 h 12 min");
        assert_eq!(told(3 * 3600), "3 h");
        assert_eq!(told(2 * 86_400 + 4 * 3600 + 60), "2 d 4 h");
        let (now, later) = (Timestamp::from_millis(0), Timestamp::from_millis(14 * 60_000));
        let soon = Deadline::new(later, now);
        assert_eq!((soon.left.as_str(), soon.soon), ("14 min left", true));
        assert_eq!(Deadline::new(now, later).left, "time is up");
        assert_eq!((written("15m").as_str(), written("30s").as_str()), ("15 min", "30 s"));
    }
}
