//! `assent_calendar`: times at which something may begin.

use std::collections::BTreeMap;

use assent_client::{Client, ClientError, wire};

use crate::policy::kind::{Kind, Written};
use crate::schema::Attribute;
use crate::value::{Argument, Type, Value};

/// A calendar.
#[derive(Debug)]
pub(crate) struct Calendar;

#[tonic::async_trait]
impl Kind for Calendar {
    type New = wire::NewCalendar;
    type Kept = wire::Calendar;

    const TYPE: &'static str = "assent_calendar";
    const NOUN: &'static str = "calendar";
    const ABOUT: &'static str = "A calendar that conditions call `{within: NAME}`: windows of days \
        and times in one time zone. Refer to it as `${assent_calendar.hours.name}`, so that \
        Terraform makes it before what uses it and removes it after. A calendar that is used cannot \
        be removed; to rename one, set `create_before_destroy`.";

    fn arguments() -> Vec<Attribute> {
        let days = "Days of the week: `monday`. Every day if it is not set.";
        let window = vec![
            Attribute::optional("days", Type::texts(), days),
            Attribute::optional(
                "from",
                Type::String,
                "When it begins: `09:00`. Midnight if not set.",
            ),
            Attribute::optional(
                "to",
                Type::String,
                "When it no longer holds. Midnight if not set.",
            ),
        ];
        let dates = || {
            vec![
                Attribute::optional("from", Type::String, "The first day: `2026-12-24`.")
                    .must_be_set(),
                Attribute::optional(
                    "to",
                    Type::String,
                    "The last day. The first, if it is not set.",
                ),
            ]
        };
        vec![
            Attribute::optional(
                "zone",
                Type::String,
                "The IANA time zone, such as `Europe/Berlin`. That of the policy if it is not set.",
            ),
            Attribute::optional("days", Type::texts(), "Days of the only window: `monday`."),
            Attribute::optional("from", Type::String, "When the only window begins: `09:00`."),
            Attribute::optional("to", Type::String, "When the only window no longer holds."),
            Attribute::nested_list("windows", window, "Several windows, instead of the only one."),
            Attribute::nested_list(
                "include",
                dates(),
                "Dates that belong to it whatever the windows say.",
            ),
            Attribute::nested_list("exclude", dates(), "Dates on which nothing begins."),
        ]
    }

    fn kept_name(name: &str) -> String {
        format!("calendars/{name}")
    }

    fn stated(state: &Value) -> Option<wire::NewCalendar> {
        Some(wire::NewCalendar {
            zone: text(state, "zone")?,
            days: texts(state, "days")?,
            from: text(state, "from")?,
            to: text(state, "to")?,
            windows: each(state, "windows", window)?,
            include: each(state, "include", dates)?,
            exclude: each(state, "exclude", dates)?,
        })
    }

    fn told(new: &wire::NewCalendar) -> Vec<(&'static str, Value)> {
        let windows = new.windows.iter().map(|window| {
            Value::object([
                ("days", told_days(&window.days)),
                ("from", told_text(window.from.as_deref())),
                ("to", told_text(window.to.as_deref())),
            ])
        });
        vec![
            ("zone", told_text(new.zone.as_deref())),
            ("days", told_days(&new.days)),
            ("from", told_text(new.from.as_deref())),
            ("to", told_text(new.to.as_deref())),
            ("windows", told_list(windows)),
            ("include", told_list(new.include.iter().map(told_dates))),
            ("exclude", told_list(new.exclude.iter().map(told_dates))),
        ]
    }

    fn said(kept: &wire::Calendar) -> wire::NewCalendar {
        kept.calendar.clone()
    }

    fn written(kept: &wire::Calendar) -> Written {
        Written { version: kept.version, by: kept.by.clone(), at: kept.at.clone() }
    }

    fn among(check: &mut wire::PolicyCheck) -> &mut BTreeMap<String, Option<wire::NewCalendar>> {
        &mut check.calendars
    }

    async fn get(server: &Client, name: &str) -> Result<wire::Calendar, ClientError> {
        server.policy_calendar(name).await
    }

    async fn put(
        server: &Client,
        name: &str,
        new: &wire::NewCalendar,
        approval: Option<&str>,
    ) -> Result<wire::Calendar, ClientError> {
        server.write_calendar(name, new, approval).await
    }

    async fn remove(
        server: &Client,
        name: &str,
        approval: Option<&str>,
    ) -> Result<(), ClientError> {
        server.remove_calendar(name, approval).await
    }
}

/// A text that may be absent; `None` while it is unknown.
#[expect(clippy::option_option, reason = "unknown and absent are two things")]
fn text(state: &Value, name: &str) -> Option<Option<String>> {
    match state.attribute(name).as_text() {
        Argument::Given(text) => Some(Some(text)),
        Argument::Absent => Some(None),
        Argument::Unknown => None,
    }
}

/// Texts; `None` while one is unknown.
fn texts(state: &Value, name: &str) -> Option<Vec<String>> {
    each(state, name, |text| text.as_text().given())
}

/// The elements of a list; `None` while one is unknown.
fn each<T>(state: &Value, name: &str, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    match state.attribute(name) {
        Value::List(elements) => elements.iter().map(read).collect(),
        Value::Unknown => None,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Map(_) => {
            Some(Vec::new())
        }
    }
}

/// One window.
fn window(value: &Value) -> Option<wire::CalendarWindow> {
    Some(wire::CalendarWindow {
        days: texts(value, "days")?,
        from: text(value, "from")?,
        to: text(value, "to")?,
    })
}

/// One date, or several on end.
fn dates(value: &Value) -> Option<wire::CalendarDates> {
    let from = value.attribute("from").as_text().given()?;
    Some(match text(value, "to")? {
        None => wire::CalendarDates::On(from),
        Some(to) => wire::CalendarDates::Between(wire::CalendarSpan { from, to }),
    })
}

fn told_text(text: Option<&str>) -> Value {
    text.map_or(Value::Null, Value::text)
}

/// What is empty is as if it were not set.
fn told_list(elements: impl Iterator<Item = Value>) -> Value {
    let elements: Vec<_> = elements.collect();
    if elements.is_empty() { Value::Null } else { Value::List(elements) }
}

fn told_days(days: &[String]) -> Value {
    told_list(days.iter().map(Value::text))
}

fn told_dates(dates: &wire::CalendarDates) -> Value {
    let (from, to) = match dates {
        wire::CalendarDates::On(day) => (day, None),
        wire::CalendarDates::Between(span) => (&span.from, Some(span.to.as_str())),
    };
    Value::object([("from", Value::text(from)), ("to", told_text(to))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar() -> wire::NewCalendar {
        serde_json::from_value(serde_json::json!({
            "zone": "Europe/Berlin",
            "windows": [{"days": ["monday", "friday"], "from": "09:00", "to": "17:00"}, {}],
            "include": ["2026-12-24"],
            "exclude": [{"from": "2026-12-25", "to": "2026-12-26"}],
        }))
        .unwrap()
    }

    #[test]
    fn what_is_told_says_the_same() {
        let state = Value::object(Calendar::told(&calendar()));
        assert_eq!(Calendar::stated(&state), Some(calendar()));
        let none = wire::NewCalendar::default();
        let empty = Value::object(Calendar::told(&none));
        assert!(empty.attribute("windows").is_null());
        assert_eq!(Calendar::stated(&empty), Some(none));
    }

    #[test]
    fn what_is_not_known_is_not_stated() {
        let state = || Value::object(Calendar::told(&calendar()));
        for name in ["zone", "days", "from", "windows", "include"] {
            assert_eq!(Calendar::stated(&state().with(name, Value::Unknown)), None, "{name}");
        }
        let window = Value::object([("from", Value::Unknown)]);
        let windows = state().with("windows", Value::List(vec![window]));
        assert_eq!(Calendar::stated(&windows), None);
    }

    #[test]
    fn a_fault_is_told_at_its_argument() {
        assert_eq!(Calendar::at(Some("windows[1].from")).to_string(), "windows");
        assert_eq!(Calendar::at(Some("")).to_string(), "name");
        assert_eq!(Calendar::at(None).to_string(), "name");
    }
}
