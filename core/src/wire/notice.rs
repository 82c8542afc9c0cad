//! Being told: how a person wishes it, and what became of each notice.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::notice;

/// How a person wishes to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeWishes {
    /// By what: `slack`, `email`. By the first for which there is an address, where it is empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub by: BTreeSet<String>,
    /// All of a time in one message, instead of each at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<NoticeDigest>,
    /// When nothing shall come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<NoticeQuiet>,
    /// The IANA time zone of these times; UTC where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Whether break-glass, and requests that would expire before it is time, wait too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub urgent_waits: bool,
}

/// When a digest comes: one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum NoticeDigest {
    /// Every 1h, 2h, 3h, 4h, 6h, 8h, 12h or 24h of the day in UTC.
    Every(String),
    /// At this time of day: `08:30`.
    At(String),
}

/// When somebody is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeQuiet {
    /// From this time of day: `22:00`.
    pub from: String,
    /// Until just before this one; earlier than `from`, it is after midnight.
    pub to: String,
}

/// What of somebody's wishes cannot be met, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {problem}")]
pub struct NoticeWishesError {
    /// Where.
    pub field: &'static str,
    /// Why.
    pub problem: String,
}

impl TryFrom<&NoticeWishes> for notice::Wishes {
    type Error = NoticeWishesError;

    fn try_from(wire: &NoticeWishes) -> Result<Self, NoticeWishesError> {
        let told = |field, problem: &dyn std::fmt::Display| NoticeWishesError {
            field,
            problem: problem.to_string(),
        };
        let means = |word: &String| {
            let known = notice::Means::named(word);
            known.ok_or_else(|| {
                told("by", &format_args!("`{}` is none; slack or email", short(word)))
            })
        };
        let digest = match &wire.digest {
            None => None,
            Some(NoticeDigest::Every(span)) => Some(notice::DigestTimes::Every(
                span.parse().map_err(|error| told("digest.every", &error))?,
            )),
            Some(NoticeDigest::At(time)) => Some(notice::DigestTimes::At(
                time.parse().map_err(|error| told("digest.at", &error))?,
            )),
        };
        let quiet = match &wire.quiet {
            None => None,
            Some(NoticeQuiet { from, to }) => Some(notice::QuietHours {
                from: from.parse().map_err(|error| told("quiet.from", &error))?,
                to: to.parse().map_err(|error| told("quiet.to", &error))?,
            }),
        };
        let zone = wire.zone.as_deref().unwrap_or("UTC");
        let wishes = Self {
            by: wire.by.iter().map(means).collect::<Result<_, _>>()?,
            digest,
            quiet,
            zone: zone.parse().map_err(|error| told("zone", &error))?,
            urgent_at_once: !wire.urgent_waits,
        };
        match wishes.check() {
            Ok(()) => Ok(wishes),
            Err(fault @ notice::WishesFault::Every) => Err(told("digest.every", &fault)),
            Err(fault @ notice::WishesFault::Quiet) => Err(told("quiet", &fault)),
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(32).collect()
}

/// How the caller wishes to be told, and by what that is possible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MyNotices {
    /// How.
    pub wishes: NoticeWishes,
    /// By what there is an address: `slack`, `email`.
    pub means: Vec<String>,
}

/// How many notices are tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticesReplayed {
    /// So many.
    pub count: u64,
}

/// One notice to one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Its id; whoever is told twice knows it again by this.
    pub id: String,
    /// The request that it is of.
    pub request: String,
    /// What happened: `filed`, `stage_opened`, `granted` …
    pub occasion: String,
    /// To whom it goes: `channel:NAME`, or a person and by what.
    pub to: String,
    /// `waiting`, `sent`, `dead`, or `moot` where it was not told because nobody needed to know any
    /// more.
    pub state: String,
    /// When it happened.
    pub at: String,
    /// When it is tried next; none, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// Why the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What became of notices, and how the channels are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notices {
    /// Newest first.
    pub notices: Vec<Notice>,
    /// Every way out that is set up, in order of names.
    pub ways: Vec<NoticeWay>,
}

/// A way by which notices go out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeWay {
    /// `channel:NAME`, `people:slack` or `people:email`.
    pub name: String,
    /// What it is: `slack`, `teams`, `email`, `webhook`.
    pub kind: String,
    /// How many notices wait for it.
    pub waiting: u64,
    /// How many could not be told.
    pub dead: u64,
    /// What stands in its way, since the last try that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: serde_json::Value) -> Result<notice::Wishes, String> {
        let wire: NoticeWishes = serde_json::from_value(value).map_err(|e| e.to_string())?;
        notice::Wishes::try_from(&wire).map_err(|error| error.to_string())
    }

    #[test]
    fn wishes_are_read_whole() {
        let wishes = read(json!({
            "by": ["email"], "digest": {"every": "4h"}, "zone": "Europe/Berlin",
            "quiet": {"from": "22:00", "to": "07:00"}, "urgent_waits": true,
        }));
        let wishes = wishes.unwrap();
        assert_eq!(wishes.by, [notice::Means::Email].into());
        assert!(!wishes.urgent_at_once && wishes.digest.is_some() && wishes.quiet.is_some());
        assert_eq!(read(json!({})).unwrap(), notice::Wishes::default());
    }

    #[test]
    fn what_cannot_be_met_is_told_with_its_place() {
        for (value, wanted) in [
            (json!({"by": ["pigeon"]}), "by"),
            (json!({"digest": {"every": "5h"}}), "digest.every"),
            (json!({"digest": {"at": "25:00"}}), "digest.at"),
            (json!({"quiet": {"from": "7:00", "to": "08:00"}}), "quiet.from"),
            (json!({"quiet": {"from": "07:00", "to": "07:00"}}), "quiet"),
            (json!({"zone": "Mars/Base"}), "zone"),
            (json!({"email": "bob@example.com"}), "email"),
        ] {
            let told = read(value).unwrap_err();
            assert!(told.contains(wanted), "{told}");
        }
    }
}
