//! Calendars in Rego: the wall clock of a zone, by the engine's own time zone database.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::policy::calendar::{Calendar, Window};

/// The clock, and one rule for each calendar.
pub(super) fn module(calendars: &[Arc<Calendar>]) -> String {
    let each = calendars.iter().map(|calendar| definition(calendar));
    let list: Vec<Value> = each.collect();
    format!("calendars := {}\n\n{CLOCK}", Value::Array(list))
}

fn definition(calendar: &Calendar) -> Value {
    let dates = |dates: &[crate::policy::calendar::Dates]| -> Vec<Value> {
        dates.iter().map(|d| json!([d.first().to_string(), d.last().to_string()])).collect()
    };
    json!({
        "zone": calendar.zone().name(),
        "windows": calendar.windows().iter().map(window).collect::<Vec<_>>(),
        "include": dates(calendar.include()),
        "exclude": dates(calendar.exclude()),
    })
}

fn window(window: &Window) -> Value {
    let (from, to) = match window.hours() {
        Some((from, to)) => (from.minute_of_day(), to.minute_of_day()),
        None => (0, 24 * 60),
    };
    let days: Vec<&str> = window.days().iter().map(|day| day.name()).collect();
    json!({"days": days, "from": from, "to": to})
}

const CLOCK: &str = r##"instant := time.parse_rfc3339_ns(input.now)

date_text(parts) := sprintf("%04d-%02d-%02d", parts)

local_date(zone) := date_text(time.date([instant, zone]))

local_minute(zone) := (parts[0] * 60) + parts[1] if parts := time.clock([instant, zone])

day_of(date) := lower(time.weekday(time.parse_rfc3339_ns(sprintf("%sT12:00:00Z", [date]))))

day_before(date) := date_text(time.date(time.add_date(time.parse_rfc3339_ns(sprintf("%sT12:00:00Z", [date])), 0, 0, -1)))

listed_on(ranges, date) if {
	some range in ranges
	range[0] <= date
	date <= range[1]
}

starts_on(calendar, window, date) if {
	some day in window.days
	day == day_of(date)
	not listed_on(calendar.exclude, date)
}

open_at(calendar) if {
	date := local_date(calendar.zone)
	listed_on(calendar.include, date)
	not listed_on(calendar.exclude, date)
}

open_at(calendar) if {
	some window in calendar.windows
	window.from < window.to
	date := local_date(calendar.zone)
	starts_on(calendar, window, date)
	minute := local_minute(calendar.zone)
	window.from <= minute
	minute < window.to
}

open_at(calendar) if {
	some window in calendar.windows
	window.from > window.to
	date := local_date(calendar.zone)
	starts_on(calendar, window, date)
	window.from <= local_minute(calendar.zone)
}

open_at(calendar) if {
	some window in calendar.windows
	window.from > window.to
	date := local_date(calendar.zone)
	starts_on(calendar, window, day_before(date))
	local_minute(calendar.zone) < window.to
}

within_calendar(index) if open_at(calendars[index])
"##;
