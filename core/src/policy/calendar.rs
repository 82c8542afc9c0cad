//! Calendars: when a window for changes is open, or a freeze holds.
//!
//! What a clock on the wall of the calendar's zone shows decides, and nothing else: its date and
//! its hour and minute. So a window whose time the clocks skip in spring does not hold that day,
//! one whose time comes twice in autumn holds twice, and a date that a zone left out is never held.
//!
//! A window that crosses midnight belongs to the date it starts on. `exclude` wins over windows
//! and over `include`, and takes away what *starts* on its dates: a night shift that began the
//! evening before runs to its end, one that would begin on the date does not, not even its part
//! after midnight. `include` adds its dates from midnight to midnight.

mod local;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use jiff::tz::Offset;

pub use crate::policy::calendar::local::{
    Date, Local, NotADate, NotATimeOfDay, NotAWeekday, NotAZone, TimeOfDay, Weekday, Zone,
};
use crate::time::{Span, Timestamp};

/// How many windows a calendar may have.
pub const MAX_WINDOWS: usize = 100;
/// How many dates and ranges of dates a calendar may include, and how many exclude.
pub const MAX_DATES: usize = 1000;
/// How far [`Calendar::next_change`] looks ahead: a year, and a day for the leap years.
const LOOK_AHEAD: Span = Span::hours(366 * 24);
const MINUTES_OF_DAY: u16 = 24 * 60;

/// Weekly windows and dated exceptions, by the local wall clock of one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    zone: Zone,
    windows: Vec<Window>,
    include: Vec<Dates>,
    exclude: Vec<Dates>,
}

/// One weekly window: on these days, from a time until just before another, or the whole day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    days: BTreeSet<Weekday>,
    hours: Option<(TimeOfDay, TimeOfDay)>,
}

/// One date, or all dates from a first to a last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    first: Date,
    last: Date,
}

/// These do not make a range of dates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the range of dates from {from} to {to} is empty; its first date is after its last")]
pub struct DatesError {
    /// What was to be the first date.
    from: Date,
    /// What was to be the last.
    to: Date,
}

/// These do not make a window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// A list of days with nothing in it.
    #[error("a window needs at least one day; leave `days` out for every day")]
    NoDays,
    /// `to` without `from`.
    #[error("a window to {0} needs a `from`; leave out both for the whole day")]
    NoFrom(TimeOfDay),
    /// `from` without `to`.
    #[error("a window from {0} needs a `to`; leave out both for the whole day")]
    NoTo(TimeOfDay),
    /// `from` and `to` are the same, which could mean nothing or a whole day.
    #[error("a window from {0} to {0} has no length; leave out both for the whole day")]
    NoLength(TimeOfDay),
}

/// These do not make a calendar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// No window, and no date included.
    #[error("a calendar without windows and without included dates never holds; give it either")]
    NeverHolds,
    /// More than [`MAX_WINDOWS`].
    #[error("a calendar has at most {MAX_WINDOWS} windows, and this one has {0}")]
    TooManyWindows(usize),
    /// More than [`MAX_DATES`] in one of the lists.
    #[error("a calendar has at most {MAX_DATES} dates in a list, and this one has {0}")]
    TooManyDates(usize),
}

impl Dates {
    /// This date alone.
    pub fn on(date: Date) -> Self {
        Self { first: date, last: date }
    }

    /// All dates from the first to the last, both included.
    ///
    /// # Errors
    /// [`DatesError`] when the first is after the last.
    pub fn between(from: Date, to: Date) -> Result<Self, DatesError> {
        if from > to { Err(DatesError { from, to }) } else { Ok(Self { first: from, last: to }) }
    }

    /// The first of them.
    pub fn first(&self) -> Date {
        self.first
    }

    /// The last of them.
    pub fn last(&self) -> Date {
        self.last
    }

    /// Whether the date is among them.
    pub fn contains(&self, date: Date) -> bool {
        self.first <= date && date <= self.last
    }
}

impl Window {
    /// A window on these days, or on every day; between these times, or the whole day.
    ///
    /// It is half open: at `to` it no longer holds. When `from` is later than `to` it crosses
    /// midnight; a window until midnight is written `to` 00:00.
    ///
    /// # Errors
    /// [`WindowError`] when the days are empty, one of the times is missing, or both are the same.
    pub fn new(
        days: Option<BTreeSet<Weekday>>,
        from: Option<TimeOfDay>,
        to: Option<TimeOfDay>,
    ) -> Result<Self, WindowError> {
        let days = days.unwrap_or_else(|| Weekday::ALL.into());
        if days.is_empty() {
            return Err(WindowError::NoDays);
        }
        let hours = match (from, to) {
            (None, None) => None,
            (Some(from), None) => return Err(WindowError::NoTo(from)),
            (None, Some(to)) => return Err(WindowError::NoFrom(to)),
            (Some(from), Some(to)) if from == to => return Err(WindowError::NoLength(from)),
            (Some(from), Some(to)) => Some((from, to)),
        };
        Ok(Self { days, hours })
    }

    /// The days it starts on.
    pub fn days(&self) -> &BTreeSet<Weekday> {
        &self.days
    }

    /// From when until just before when; `None` is the whole day.
    pub fn hours(&self) -> Option<(TimeOfDay, TimeOfDay)> {
        self.hours
    }

    /// The minutes that it holds of a date that it starts on.
    fn on_its_day(&self) -> Range<u16> {
        match self.hours {
            None => 0..MINUTES_OF_DAY,
            Some((from, to)) if from < to => from.minute_of_day()..to.minute_of_day(),
            Some((from, _)) => from.minute_of_day()..MINUTES_OF_DAY,
        }
    }

    /// The minutes that it holds of the date after one that it starts on.
    fn on_the_day_after(&self) -> Range<u16> {
        match self.hours {
            Some((from, to)) if from > to => 0..to.minute_of_day(),
            Some(_) | None => 0..0,
        }
    }
}

impl Calendar {
    /// A calendar of these windows, and of the included dates from midnight to midnight, without
    /// what starts on an excluded date.
    ///
    /// # Errors
    /// [`CalendarError`] when it could never hold, or has more than is sensible.
    pub fn new(
        zone: Zone,
        windows: Vec<Window>,
        include: Vec<Dates>,
        exclude: Vec<Dates>,
    ) -> Result<Self, CalendarError> {
        if windows.is_empty() && include.is_empty() {
            return Err(CalendarError::NeverHolds);
        }
        if windows.len() > MAX_WINDOWS {
            return Err(CalendarError::TooManyWindows(windows.len()));
        }
        let most = include.len().max(exclude.len());
        if most > MAX_DATES {
            return Err(CalendarError::TooManyDates(most));
        }
        Ok(Self { zone, windows, include, exclude })
    }

    /// The zone whose wall clock decides.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Its weekly windows.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The dates on which it holds all day.
    pub fn include(&self) -> &[Dates] {
        &self.include
    }

    /// The dates on which nothing of it starts.
    pub fn exclude(&self) -> &[Dates] {
        &self.exclude
    }

    /// The days of the week on which it can hold; `None` where a date is included, which can be
    /// any.
    pub(crate) fn weekdays(&self) -> Option<BTreeSet<Weekday>> {
        if !self.include.is_empty() {
            return None;
        }
        let mut days = BTreeSet::new();
        for window in &self.windows {
            days.extend(window.days.iter().copied());
            if !window.on_the_day_after().is_empty() {
                let next = Weekday::ALL.into_iter().cycle().skip(1);
                let begun = Weekday::ALL.into_iter().zip(next);
                days.extend(
                    begun.filter(|(day, _)| window.days.contains(day)).map(|(_, next)| next),
                );
            }
        }
        Some(days)
    }

    /// Whether it holds at this instant.
    pub fn holds(&self, now: Timestamp) -> bool {
        let Local { date, time, .. } = self.zone.local(now);
        is_held(&self.held_of(date), time.minute_of_day())
    }

    /// When it next begins or ends to hold, after this instant and at most 366 days later.
    ///
    /// That is the first later instant at which [`Calendar::holds`] says otherwise than now, be it
    /// that a window begins or ends, or that the clocks are changed into or out of one.
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        let held = self.holds(after);
        let end = after.plus(LOOK_AHEAD).plus(Span::from_millis(1));
        let mut from = after;
        loop {
            if self.holds(from) != held {
                return Some(from);
            }
            // Until the clocks are next changed, the wall is one offset from UTC.
            let (offset, until) = self.zone.steady_from(from);
            let until = until.filter(|until| *until < end);
            let change = self.change_within(from, until.unwrap_or(end), offset, held);
            if change.is_some() {
                return change;
            }
            from = until?;
        }
    }

    /// The first minute at which it holds otherwise, after one instant and before another.
    fn change_within(
        &self,
        from: Timestamp,
        until: Timestamp,
        offset: Offset,
        held: bool,
    ) -> Option<Timestamp> {
        let mut date = self.zone.local(from).date;
        while date.at(0, offset).is_some_and(|midnight| midnight < until) {
            let runs = self.held_of(date);
            let edges: BTreeSet<u16> = runs.iter().flat_map(|run| [run.start, run.end]).collect();
            let change = std::iter::once(0)
                .chain(edges.into_iter().filter(|minute| *minute < MINUTES_OF_DAY))
                .filter(|minute| is_held(&runs, *minute) != held)
                .filter_map(|minute| date.at(minute, offset))
                .find(|instant| from < *instant && *instant < until);
            if change.is_some() {
                return change;
            }
            date = date.next()?;
        }
        None
    }

    /// The minutes that are held of a date.
    fn held_of(&self, date: Date) -> Vec<Range<u16>> {
        let mut held = Vec::new();
        if !any_contains(&self.exclude, date) {
            if any_contains(&self.include, date) {
                held.push(0..MINUTES_OF_DAY);
            }
            held.extend(self.windows_of(date).map(Window::on_its_day));
        }
        if let Some(eve) = date.previous().filter(|eve| !any_contains(&self.exclude, *eve)) {
            held.extend(self.windows_of(eve).map(Window::on_the_day_after));
        }
        held
    }

    fn windows_of(&self, date: Date) -> impl Iterator<Item = &Window> {
        let weekday = date.weekday();
        self.windows.iter().filter(move |window| window.days.contains(&weekday))
    }
}

fn is_held(runs: &[Range<u16>], minute: u16) -> bool {
    runs.iter().any(|run| run.contains(&minute))
}

fn any_contains(list: &[Dates], date: Date) -> bool {
    list.iter().any(|dates| dates.contains(date))
}

impl fmt::Display for Dates {
    /// As a policy document writes it: `2026-12-24`, or `{from: 2026-12-28, to: 2026-12-31}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{{from: {}, to: {}}}", self.first, self.last)
        }
    }
}

impl fmt::Display for Window {
    /// As a policy document writes it: `{days: [friday], from: "09:00", to: "17:00"}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{days: {}", List(&self.days))?;
        if let Some((from, to)) = self.hours {
            write!(f, ", from: \"{from}\", to: \"{to}\"")?;
        }
        f.write_str("}")
    }
}

impl fmt::Display for Calendar {
    /// As a policy document writes it: `{zone: Europe/Berlin, windows: [{days: [friday]}]}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{zone: {}", self.zone)?;
        if !self.windows.is_empty() {
            write!(f, ", windows: {}", List(&self.windows))?;
        }
        if !self.include.is_empty() {
            write!(f, ", include: {}", List(&self.include))?;
        }
        if !self.exclude.is_empty() {
            write!(f, ", exclude: {}", List(&self.exclude))?;
        }
        f.write_str("}")
    }
}

/// A sequence, as a policy document writes it.
struct List<'a, T>(&'a T);

impl<'a, T, I> fmt::Display for List<'a, T>
where
    &'a T: IntoIterator<Item = I>,
    I: fmt::Display,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (at, item) in self.0.into_iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{item}")?;
        }
        f.write_str("]")
    }
}
