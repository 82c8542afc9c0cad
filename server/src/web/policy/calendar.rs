//! A calendar as people see it: whether it holds now, when it next changes, and five weeks of days.

use std::collections::BTreeMap;

use assent_core::policy::calendar::Calendar;
use assent_core::time::{Span, Timestamp};

/// How many changes are told.
const CHANGES: usize = 6;
/// How many days are shown.
const DAYS: usize = 35;

/// What is shown of a calendar.
pub(super) struct CalendarView {
    pub(super) name: String,
    pub(super) zone: String,
    pub(super) holds: bool,
    pub(super) changes: Vec<String>,
    pub(super) weeks: Vec<Vec<DayView>>,
}

/// One day, by the wall clock of the calendar's zone.
pub(super) struct DayView {
    pub(super) day: String,
    #[cfg(test)]
    date: String,
    pub(super) class: &'static str,
    pub(super) says: &'static str,
}

impl CalendarView {
    pub(super) fn of(name: &str, calendar: &Calendar, now: Timestamp, has_month: bool) -> Self {
        let mut changes = Vec::new();
        let (mut at, mut holds) = (now, calendar.holds(now));
        while let Some(next) = calendar.next_change(at).filter(|_| changes.len() < CHANGES) {
            holds = !holds;
            let word = if holds { "begins" } else { "ends" };
            let local = calendar.zone().local(next);
            changes.push(format!("{word} {} {}", local.date, local.time));
            at = next;
        }
        Self {
            name: name.to_owned(),
            zone: calendar.zone().name().to_owned(),
            holds: calendar.holds(now),
            changes,
            weeks: if has_month { weeks(calendar, now) } else { Vec::new() },
        }
    }
}

/// Five weeks from the Monday before now. Every half hour is looked at, so that a day is what its own
/// clock makes it, also where the clocks are changed.
fn weeks(calendar: &Calendar, now: Timestamp) -> Vec<Vec<DayView>> {
    let half_hour = Span::minutes(30);
    let back = Span::hours(24 * 8);
    let mut days: BTreeMap<String, (bool, u32, u32)> = BTreeMap::new();
    let mut at = Timestamp::from_millis(now.as_millis() / 1_800_000 * 1_800_000).before(back);
    for _ in 0..(DAYS + 10) * 48 {
        let local = calendar.zone().local(at);
        let is_monday = local.weekday == assent_core::policy::calendar::Weekday::Monday;
        let day = days.entry(local.date.to_string()).or_insert((is_monday, 0, 0));
        day.1 += u32::from(calendar.holds(at));
        day.2 += 1;
        at = at.plus(half_hour);
    }
    let today = calendar.zone().local(now).date.to_string();
    let mondays = days.iter().filter(|(date, (is_monday, ..))| *is_monday && **date <= today);
    let first = mondays.map(|(date, _)| date.clone()).next_back().unwrap_or_default();
    let shown = days.into_iter().filter(|(date, _)| *date >= first).take(DAYS);
    let view = |(date, (_, held, all)): (String, (bool, u32, u32))| {
        let (class, says) = match (held, all) {
            (0, _) => ("never", "not"),
            (held, all) if held == all => ("whole", "all day"),
            _ => ("part", "part of the day"),
        };
        let class = match (date == today, class) {
            (true, "whole") => "whole today",
            (true, "part") => "part today",
            (true, _) => "never today",
            (false, class) => class,
        };
        let day = date.rsplit('-').next().unwrap_or_default();
        DayView {
            day: day.trim_start_matches('0').to_owned(),
            #[cfg(test)]
            date: date.clone(),
            class,
            says,
        }
    };
    let shown: Vec<DayView> = shown.map(view).collect();
    let mut weeks = Vec::new();
    let mut shown = shown.into_iter().peekable();
    while shown.peek().is_some() {
        weeks.push(shown.by_ref().take(7).collect());
    }
    weeks
}

#[cfg(test)]
mod tests {
    use assent_core::policy::calendar::{TimeOfDay, Weekday, Window};

    use super::*;

    #[test]
    fn a_month_begins_on_a_monday_and_shows_what_each_day_is() {
        let time = |text: &str| text.parse::<TimeOfDay>().unwrap();
        let window =
            Window::new(Some([Weekday::Friday].into()), Some(time("09:00")), Some(time("17:00")));
        let weekend = Window::new(Some([Weekday::Saturday].into()), None, None);
        let zone = "Europe/Berlin".parse().unwrap();
        let windows = vec![window.unwrap(), weekend.unwrap()];
        let calendar = Calendar::new(zone, windows, Vec::new(), Vec::new()).unwrap();
        // A Wednesday.
        let now = "2026-11-18T10:00:00Z".parse().unwrap();
        let view = CalendarView::of("changes", &calendar, now, true);
        assert!(!view.holds);
        assert_eq!(view.changes[..2], ["begins 2026-11-20 09:00", "ends 2026-11-20 17:00"]);
        assert_eq!(view.weeks.len(), 5);
        let week: Vec<_> = view.weeks[0].iter().map(|day| (day.date.as_str(), day.class)).collect();
        assert_eq!(week[0], ("2026-11-16", "never"));
        assert_eq!(week[2], ("2026-11-18", "never today"));
        assert_eq!(week[4], ("2026-11-20", "part"));
        assert_eq!(week[5], ("2026-11-21", "whole"));
        assert!(view.weeks.iter().all(|week| week.len() == 7));
    }
}
