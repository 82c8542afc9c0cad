//! How a person wishes to be told: by what, in a digest, and not at night.

use std::collections::BTreeSet;

use crate::notice::Occasion;
use crate::policy::calendar::{Calendar, TimeOfDay, Window, Zone};
use crate::time::{Span, Timestamp};

/// By what a person is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Means {
    /// A direct message at Slack.
    Slack,
    /// An e-mail.
    Email,
}

impl Means {
    /// Every one with its word.
    pub const ALL: [(&'static str, Self); 2] = [("slack", Self::Slack), ("email", Self::Email)];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Email => "email",
        }
    }

    /// The means of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == word).map(|(_, means)| means)
    }
}

/// When a digest goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestTimes {
    /// Each so many hours of the day in UTC, from midnight on.
    Every(Span),
    /// At this time of day.
    At(TimeOfDay),
}

/// When somebody is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// From when.
    pub from: TimeOfDay,
    /// Until just before; earlier than `from`, it is after midnight.
    pub to: TimeOfDay,
}

/// How a person wishes to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wishes {
    /// By what; by the first for which there is an address, where nothing is chosen.
    pub by: BTreeSet<Means>,
    /// All of a time in one message, instead of each at once.
    pub digest: Option<DigestTimes>,
    /// When nothing shall come.
    pub quiet: Option<QuietHours>,
    /// Where they are.
    pub zone: Zone,
    /// Whether what cannot wait comes all the same: break-glass, and requests that would expire
    /// before it is time.
    pub urgent_at_once: bool,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            by: BTreeSet::new(),
            digest: None,
            quiet: None,
            zone: Zone::utc(),
            urgent_at_once: true,
        }
    }
}

/// Wishes that cannot be met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WishesFault {
    /// Digests at odd times.
    #[error("a digest comes every 1h, 2h, 3h, 4h, 6h, 8h, 12h or 24h")]
    Every,
    /// Quiet hours without length.
    #[error("quiet hours from a time to the same time would be none, or never end")]
    Quiet,
}

impl Wishes {
    /// That they can be met.
    ///
    /// # Errors
    /// [`WishesFault`].
    pub fn check(&self) -> Result<(), WishesFault> {
        if let Some(DigestTimes::Every(every)) = self.digest {
            let hours = every.as_seconds() / 3600;
            let whole = every == Span::hours(hours) && [1, 2, 3, 4, 6, 8, 12, 24].contains(&hours);
            if !whole {
                return Err(WishesFault::Every);
            }
        }
        match self.quiet {
            Some(QuietHours { from, to }) if from == to => Err(WishesFault::Quiet),
            Some(_) | None => Ok(()),
        }
    }

    /// When something that happened now is told: at once, with the next digest, or when the quiet
    /// hours are over. `deadline` is until when it can still be decided.
    pub fn due(
        &self,
        occasion: Occasion,
        deadline: Option<Timestamp>,
        now: Timestamp,
    ) -> Timestamp {
        let digest = self.digest.and_then(|times| self.next_digest(times, now)).unwrap_or(now);
        let due = self.after_quiet(digest);
        let too_late = occasion.asks() && deadline.is_some_and(|deadline| deadline <= due);
        let urgent = occasion == Occasion::BreakGlass || too_late;
        if urgent && self.urgent_at_once { now } else { due }
    }

    fn next_digest(&self, times: DigestTimes, now: Timestamp) -> Option<Timestamp> {
        match times {
            DigestTimes::Every(every) => {
                let every = every.as_millis().max(1);
                let passed = now.as_millis().div_euclid(every);
                Some(Timestamp::from_millis((passed + 1).saturating_mul(every)))
            }
            DigestTimes::At(time) => {
                let minute = time.minute_of_day();
                let next = (minute + 1) % (24 * 60);
                let end: TimeOfDay = format!("{:02}:{:02}", next / 60, next % 60).parse().ok()?;
                let begins = self.window(time, end)?;
                // Within the minute itself the next digest is tomorrow's.
                let first = begins.next_change(now)?;
                if begins.holds(first) { Some(first) } else { begins.next_change(first) }
            }
        }
    }

    fn after_quiet(&self, at: Timestamp) -> Timestamp {
        let Some(QuietHours { from, to }) = self.quiet else { return at };
        let quiet = self.window(from, to).filter(|quiet| quiet.holds(at));
        quiet.and_then(|quiet| quiet.next_change(at)).unwrap_or(at)
    }

    fn window(&self, from: TimeOfDay, to: TimeOfDay) -> Option<Calendar> {
        let window = Window::new(None, Some(from), Some(to)).ok()?;
        Calendar::new(self.zone.clone(), vec![window], Vec::new(), Vec::new()).ok()
    }
}
