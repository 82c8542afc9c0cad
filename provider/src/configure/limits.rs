//! How long calls may take, and when they are sent again.

use std::ops::RangeInclusive;
use std::time::Duration;

use assent_client::Retry;

use super::said::{Place, Said, anywhere, path, value};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::duration;
use crate::environment::Defaults;
use crate::intent::sentence;
use crate::value::{Number, Value};

/// How long one call may take.
const TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

/// How long a pause may be.
const MAX_WAIT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(300);

/// How often a call may be sent.
const ATTEMPTS: RangeInclusive<u32> = 1..=20;

/// What the settings of a connection are changed to.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// How long one call may take, if that is set.
    pub(super) timeout: Option<Duration>,
    /// When a call is sent again.
    pub(super) retry: Retry,
}

/// The limits that are set.
///
/// # Errors
/// Every one that cannot be kept.
pub(super) fn read(config: &Value, defaults: &Defaults) -> Result<Limits, Diagnostics> {
    let mut faults = Diagnostics::default();
    let usual = Retry::default();
    let timeout =
        anywhere(config, &["timeouts", "request"], "ASSENT_TIMEOUT", defaults.timeout.as_ref())
            .and_then(|said| within(said, &TIMEOUT, &mut faults));
    let longest = defaults.retry_max_wait.as_ref();
    let max_wait = anywhere(config, &["retry", "max_wait"], "ASSENT_RETRY_MAX_WAIT", longest)
        .and_then(|said| within(said, &MAX_WAIT, &mut faults));
    let attempts = attempts(config, defaults).map_err(|fault| faults.push(fault)).ok().flatten();
    let retry = Retry {
        attempts: attempts.unwrap_or(usual.attempts),
        max_wait: max_wait.unwrap_or(usual.max_wait),
    };
    faults.ok_or_all(Limits { timeout, retry })
}

/// A duration within these bounds; nothing if it is at fault.
fn within(
    said: Said<String>,
    bounds: &RangeInclusive<Duration>,
    faults: &mut Diagnostics,
) -> Option<Duration> {
    let fault = match duration::parse(&said.what) {
        Ok(duration) if bounds.contains(&duration) => return Some(duration),
        Ok(_) => {
            let (least, most) = (bounds.start(), bounds.end());
            format!("`{}` is not between {least:?} and {most:?}.", said.what)
        }
        Err(error) => sentence(&error.to_string()),
    };
    faults.push(said.place.fault(fault));
    None
}

/// How often a call is sent at most, if that is set.
fn attempts(config: &Value, defaults: &Defaults) -> Result<Option<u32>, Diagnostic> {
    let names = ["retry", "attempts"];
    let (count, place) = match value(config, &names) {
        Value::Number(Number::Signed(count)) => {
            (u32::try_from(*count).ok(), Place::Attribute(path(&names)))
        }
        Value::Number(Number::Unsigned(_) | Number::Float(_) | Number::Decimal(_)) => {
            (None, Place::Attribute(path(&names)))
        }
        Value::Null
        | Value::Unknown
        | Value::Bool(_)
        | Value::String(_)
        | Value::List(_)
        | Value::Map(_) => match &defaults.retry_attempts {
            Some(text) => (text.parse().ok(), Place::Variable("ASSENT_RETRY_ATTEMPTS")),
            None => return Ok(None),
        },
    };
    match count.filter(|count| ATTEMPTS.contains(count)) {
        Some(count) => Ok(Some(count)),
        None => Err(place.fault("It must be a whole number from 1 to 20.")),
    }
}
