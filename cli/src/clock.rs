//! The one clock of the command line: for time left and for checking tokens offline.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use assent_core::time::{Span, Timestamp};

/// The present moment.
#[expect(clippy::disallowed_methods, reason = "the command line's one reading of the clock")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The moment this far from now, on the clock that never jumps.
pub(crate) fn deadline(after: Span) -> Instant {
    Instant::now() + Duration::from(after)
}

/// A span as people read it: the two largest units.
pub(crate) fn in_words(span: Span) -> String {
    let seconds = span.as_seconds();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {:02}s", seconds % 60),
        (0, ..) => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{days}d {:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_their_two_largest_units() {
        let told = [42, 845, 10_980, 97_200].map(|s| in_words(Span::seconds(s)));
        assert_eq!(told, ["42s", "14m 05s", "3h 03m", "1d 03h"]);
    }
}
