//! How much GitHub may still be asked (*Rate limits for the REST API*, *Best practices for using the
//! REST API*).
//!
//! Each installation has its own count for the hour. Its last tenth is for what somebody waits for:
//! what is done in the background stops there.

use assent_core::time::{Span, Timestamp};
use axum::http::{HeaderMap, StatusCode};

use super::GithubError;

/// How long nothing is asked where GitHub says that it was too much, and not for how long.
const AT_LEAST: Span = Span::minutes(1);
/// GitHub's hour is an hour; whoever says more is not believed.
const AT_MOST: Span = Span::minutes(61);

/// For what GitHub is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Somebody waits for it.
    Awaited,
    /// It can be done later.
    Background,
}

/// What is left, as GitHub said last.
#[derive(Debug, Default)]
pub(super) struct Budget {
    left: Option<Left>,
    /// Nothing is asked before.
    closed_until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Left {
    limit: u64,
    remaining: u64,
    resets_at: Timestamp,
}

impl Budget {
    /// Whether it may be asked now.
    pub(super) fn check(&self, urgency: Urgency, now: Timestamp) -> Result<(), GithubError> {
        if let Some(until) = self.closed_until.filter(|until| now < *until) {
            return Err(GithubError::Limited { until });
        }
        let Some(left) = self.left.filter(|left| now < left.resets_at) else { return Ok(()) };
        let is_spent = match urgency {
            Urgency::Awaited => left.remaining == 0,
            Urgency::Background => left.remaining.saturating_mul(10) < left.limit,
        };
        match is_spent {
            true => Err(GithubError::Limited { until: left.resets_at }),
            false => Ok(()),
        }
    }

    /// Takes note of an answer. Until when nothing is to be asked, if it is a refusal for too many.
    pub(super) fn learn(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        message: &str,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let remaining = number("x-ratelimit-remaining");
        let reset = number("x-ratelimit-reset").map(|seconds| at_second(seconds, now));
        if let (Some(limit), Some(remaining), Some(resets_at)) =
            (number("x-ratelimit-limit"), remaining, reset)
        {
            self.left = Some(Left { limit, remaining, resets_at });
        }
        let retry_after = number("retry-after");
        let is_limit = match status {
            StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::FORBIDDEN => {
                retry_after.is_some() || remaining == Some(0) || names_a_limit(message)
            }
            _ => false,
        };
        if !is_limit {
            return None;
        }
        let until = match (retry_after, remaining, reset) {
            (Some(seconds), ..) => now.plus(Span::seconds(seconds).min(AT_MOST)),
            (None, Some(0), Some(reset)) => reset,
            (None, ..) => now.plus(AT_LEAST),
        };
        // Never the past: that would be to ask again at once.
        let until = until.max(now.plus(Span::seconds(1)));
        self.closed_until = self.closed_until.max(Some(until));
        Some(until)
    }
}

/// How GitHub words it where no header says so.
pub(super) fn names_a_limit(message: &str) -> bool {
    message.to_ascii_lowercase().contains("rate limit")
}

fn at_second(seconds: u64, now: Timestamp) -> Timestamp {
    let millis = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    Timestamp::from_millis(millis).min(now.plus(AT_MOST))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn start() -> Timestamp {
        at(0)
    }

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn left(remaining: &str) -> HeaderMap {
        headers(&[
            ("x-ratelimit-limit", "5000"),
            ("x-ratelimit-remaining", remaining),
            ("x-ratelimit-reset", "600"),
        ])
    }

    fn after(status: u16, headers: &HeaderMap, message: &str) -> (Budget, Option<Timestamp>) {
        let mut budget = Budget::default();
        let status = StatusCode::from_u16(status).unwrap();
        let until = budget.learn(status, headers, message, start());
        (budget, until)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn the_last_tenth_is_for_what_somebody_waits_for() {
        for (remaining, background, awaited) in
            [("500", true, true), ("499", false, true), ("1", false, true), ("0", false, false)]
        {
            let (budget, _) = after(200, &left(remaining), "");
            assert_eq!(
                budget.check(Urgency::Background, start()).is_ok(),
                background,
                "{remaining}"
            );
            assert_eq!(budget.check(Urgency::Awaited, start()).is_ok(), awaited, "{remaining}");
            assert!(budget.check(Urgency::Background, at(600)).is_ok(), "a new hour");
        }
    }

    #[test]
    fn where_it_was_too_much_nothing_is_asked_until_github_says() {
        for (status, all, message, until) in [
            (429, headers(&[("retry-after", "90")]), "", at(90)),
            (403, headers(&[("retry-after", "7")]), "", at(7)),
            (403, left("0"), "", at(600)),
            (429, left("12"), "", at(60)),
            (403, headers(&[]), "You have exceeded a secondary rate limit.", at(60)),
            (429, headers(&[("retry-after", "soon")]), "", at(60)),
            (429, headers(&[("retry-after", "0")]), "", at(1)),
            (429, headers(&[("retry-after", "99999999")]), "", at(61 * 60)),
        ] {
            let (budget, told) = after(status, &all, message);
            assert_eq!(told, Some(until), "{status} {all:?}");
            let refused = budget.check(Urgency::Awaited, start());
            assert!(matches!(refused, Err(GithubError::Limited { .. })), "{refused:?}");
            assert!(budget.check(Urgency::Awaited, at(62 * 60)).is_ok());
        }
    }

    #[test]
    fn a_refusal_of_one_thing_stops_nothing_else() {
        for (status, all) in [(403, headers(&[])), (403, left("4000")), (404, left("4000"))] {
            let (budget, told) = after(status, &all, "Resource not accessible by integration");
            assert_eq!(told, None);
            assert!(budget.check(Urgency::Background, start()).is_ok());
        }
    }
}
