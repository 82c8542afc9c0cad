use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn dates(text: &str) -> Vec<Dates> {
    let one = |text: &str| match text.split_once("..") {
        Some((from, to)) => Dates::between(from.parse().unwrap(), to.parse().unwrap()).unwrap(),
        None => Dates::on(text.parse().unwrap()),
    };
    text.split_whitespace().map(one).collect()
}

/// `monday friday 09:00-17:00`; no days are every day, no hours the whole day.
fn window(text: &str) -> Window {
    let (hours, days): (Vec<&str>, Vec<&str>) =
        text.split_whitespace().partition(|word| word.contains('-'));
    let days = days.iter().map(|day| day.parse().unwrap()).collect::<BTreeSet<Weekday>>();
    let hours = hours.first().map(|hours| hours.split_once('-').unwrap());
    let (from, to) = hours.map_or((None, None), |(from, to)| {
        (Some(from.parse().unwrap()), Some(to.parse().unwrap()))
    });
    Window::new((!days.is_empty()).then_some(days), from, to).unwrap()
}

fn calendar(name: &str, windows: &[&str], include: &str, exclude: &str) -> Calendar {
    let windows = windows.iter().map(|text| window(text)).collect();
    Calendar::new(zone(name), windows, dates(include), dates(exclude)).unwrap()
}

/// The calendar holds between these instants, and between no others, from the first to the last.
#[track_caller]
fn check(calendar: &Calendar, from: &str, changes: &[&str], to: &str) {
    let end = at(to);
    let mut seen = Vec::new();
    let mut now = at(from);
    let mut held = calendar.holds(now);
    while let Some(change) = calendar.next_change(now).filter(|change| *change < end) {
        assert_eq!(calendar.holds(Timestamp::from_millis(change.as_millis() - 1)), held);
        assert_ne!(calendar.holds(change), held);
        seen.push(change);
        now = change;
        held = !held;
    }
    let changes: Vec<Timestamp> = changes.iter().map(|text| at(text)).collect();
    assert_eq!(seen, changes);
}

#[test]
fn office_hours_are_half_open_and_by_the_local_clock() {
    let weekdays = "monday tuesday wednesday thursday friday 09:00-17:00";
    let office = calendar("Europe/Berlin", &[weekdays], "", "");
    for (instant, holds) in [
        ("2026-11-20T07:59:59.999Z", false),
        ("2026-11-20T08:00:00Z", true),
        ("2026-11-20T15:59:59.999Z", true),
        ("2026-11-20T16:00:00Z", false),
        ("2026-11-21T10:00:00Z", false),
        ("2026-06-19T07:00:00Z", true),
        ("2026-06-19T15:00:00Z", false),
    ] {
        assert_eq!(office.holds(at(instant)), holds, "{instant}");
    }
    let changes = ["2026-11-20T16:00:00Z", "2026-11-23T08:00:00Z", "2026-11-23T16:00:00Z"];
    check(&office, "2026-11-20T12:00:00Z", &changes, "2026-11-24T00:00:00Z");
}

#[test]
fn a_night_belongs_to_the_day_it_starts() {
    let night = calendar("UTC", &["friday 22:00-06:00"], "", "");
    let changes = ["2026-11-20T22:00:00Z", "2026-11-21T06:00:00Z"];
    check(&night, "2026-11-16T00:00:00Z", &changes, "2026-11-23T00:00:00Z");
    let until_midnight = calendar("UTC", &["friday 18:00-00:00"], "", "");
    let changes = ["2026-11-20T18:00:00Z", "2026-11-21T00:00:00Z"];
    check(&until_midnight, "2026-11-16T00:00:00Z", &changes, "2026-11-23T00:00:00Z");
}

#[test]
fn windows_that_touch_or_overlap_are_one() {
    let windows =
        ["friday", "saturday 00:00-08:00", "saturday 07:00-09:30", "thursday 23:00-01:00"];
    let changes = ["2026-11-19T23:00:00Z", "2026-11-21T09:30:00Z"];
    check(
        &calendar("UTC", &windows, "", ""),
        "2026-11-16T00:00:00Z",
        &changes,
        "2026-11-23T00:00:00Z",
    );
}

#[test]
fn included_dates_are_held_from_midnight_to_midnight() {
    let freeze = calendar("America/New_York", &[], "2026-12-24 2026-12-31..2027-01-01", "");
    let changes = [
        "2026-12-24T05:00:00Z",
        "2026-12-25T05:00:00Z",
        "2026-12-31T05:00:00Z",
        "2027-01-02T05:00:00Z",
    ];
    check(&freeze, "2026-12-01T00:00:00Z", &changes, "2027-11-01T00:00:00Z");
}

#[test]
fn exclusions_win_over_windows_and_inclusions() {
    let both = calendar("UTC", &["09:00-17:00"], "2026-12-24 2026-12-26", "2026-12-24..2026-12-25");
    let changes = [
        "2026-12-23T09:00:00Z",
        "2026-12-23T17:00:00Z",
        "2026-12-26T00:00:00Z",
        "2026-12-27T00:00:00Z",
    ];
    check(&both, "2026-12-23T00:00:00Z", &changes, "2026-12-27T09:00:00Z");
}

#[test]
fn an_exclusion_takes_away_what_starts_on_its_date() {
    let nights = calendar("UTC", &["22:00-06:00"], "", "2026-12-24");
    let changes = [
        "2026-12-23T22:00:00Z",
        "2026-12-24T06:00:00Z",
        "2026-12-25T22:00:00Z",
        "2026-12-26T06:00:00Z",
    ];
    check(&nights, "2026-12-23T12:00:00Z", &changes, "2026-12-26T12:00:00Z");
}

#[test]
fn in_spring_the_skipped_hour_is_not_held() {
    // Berlin goes from 02:00 to 03:00 on 2026-03-29 at 01:00Z.
    let skipped = calendar("Europe/Berlin", &["sunday 02:15-02:45"], "", "");
    let week_before = ["2026-03-22T01:15:00Z", "2026-03-22T01:45:00Z"];
    check(&skipped, "2026-03-22T00:00:00Z", &week_before, "2026-04-01T00:00:00Z");
    let around = calendar("Europe/Berlin", &["sunday 01:30-02:30"], "", "");
    let changes = ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"];
    check(&around, "2026-03-28T00:00:00Z", &changes, "2026-04-01T00:00:00Z");
    let into = calendar("Europe/Berlin", &["sunday 02:30-04:00"], "", "");
    let changes = ["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"];
    check(&into, "2026-03-28T00:00:00Z", &changes, "2026-04-01T00:00:00Z");
    let all_of_it = calendar("Europe/Berlin", &["sunday 02:00-03:00"], "", "");
    check(&all_of_it, "2026-03-28T00:00:00Z", &[], "2026-04-01T00:00:00Z");
    // New York goes from 02:00 to 03:00 on 2026-03-08 at 07:00Z.
    let night = calendar("America/New_York", &["saturday 22:00-06:00"], "", "");
    let changes = ["2026-03-08T03:00:00Z", "2026-03-08T10:00:00Z"];
    check(&night, "2026-03-07T12:00:00Z", &changes, "2026-03-09T00:00:00Z");
}

#[test]
fn in_autumn_the_repeated_hour_is_held_twice() {
    // Berlin goes from 03:00 back to 02:00 on 2026-10-25 at 01:00Z.
    let twice = calendar("Europe/Berlin", &["sunday 02:15-02:45"], "", "");
    let changes = [
        "2026-10-25T00:15:00Z",
        "2026-10-25T00:45:00Z",
        "2026-10-25T01:15:00Z",
        "2026-10-25T01:45:00Z",
    ];
    check(&twice, "2026-10-24T00:00:00Z", &changes, "2026-10-26T00:00:00Z");
    let reentered = calendar("Europe/Berlin", &["sunday 01:00-02:30"], "", "");
    let changes = [
        "2026-10-24T23:00:00Z",
        "2026-10-25T00:30:00Z",
        "2026-10-25T01:00:00Z",
        "2026-10-25T01:30:00Z",
    ];
    check(&reentered, "2026-10-24T00:00:00Z", &changes, "2026-10-26T00:00:00Z");
    // New York goes from 02:00 back to 01:00 on 2026-11-01 at 06:00Z: that day has 25 hours.
    let sunday = calendar("America/New_York", &["sunday"], "", "");
    let changes = ["2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"];
    check(&sunday, "2026-10-30T00:00:00Z", &changes, "2026-11-05T00:00:00Z");
}

#[test]
fn a_change_of_the_clocks_is_seen_from_a_millisecond_before_it() {
    // New York went from 02:00 back to 01:00 on 1969-10-26 at 06:00Z, before instants count up
    // from zero.
    let quarter = calendar("America/New_York", &["sunday 01:15-01:30"], "", "");
    let before = at("1969-10-26T05:59:59.999Z");
    assert_eq!(quarter.next_change(before), Some(at("1969-10-26T06:15:00Z")));
}

#[test]
fn half_an_hour_of_daylight_saving_is_half_an_hour() {
    // Lord Howe goes from 02:00 to 02:30 on 2026-10-04 at 15:30Z the day before, and from 02:00
    // back to 01:30 on 2026-04-05 at 15:00Z the day before.
    let early = calendar("Australia/Lord_Howe", &["sunday 01:45-02:15"], "", "");
    let changes = ["2026-10-03T15:15:00Z", "2026-10-03T15:30:00Z"];
    check(&early, "2026-10-01T00:00:00Z", &changes, "2026-10-05T00:00:00Z");
    // In autumn from 01:45 until the clock goes back at 02:00, then all of it.
    let changes = [
        "2026-04-04T14:45:00Z",
        "2026-04-04T15:00:00Z",
        "2026-04-04T15:15:00Z",
        "2026-04-04T15:45:00Z",
    ];
    check(&early, "2026-04-02T00:00:00Z", &changes, "2026-04-06T00:00:00Z");
}

#[test]
fn a_date_that_a_zone_left_out_is_never_held() {
    // In Apia Thursday 2011-12-29 was followed by Saturday the 31st, at 10:00Z on the 30th.
    let left_out = calendar("Pacific/Apia", &[], "2011-12-30", "");
    assert_eq!(left_out.next_change(at("2011-12-01T00:00:00Z")), None);
    let both = calendar("Pacific/Apia", &[], "2011-12-29..2011-12-31", "");
    let changes = ["2011-12-29T10:00:00Z", "2011-12-31T10:00:00Z"];
    check(&both, "2011-12-01T00:00:00Z", &changes, "2012-01-05T00:00:00Z");
    // The night of Thursday ends with the date; after the jump the wall shows the small hours that
    // follow a Friday.
    let thursday = calendar("Pacific/Apia", &["thursday 22:00-06:00"], "", "");
    let changes = ["2011-12-30T08:00:00Z", "2011-12-30T10:00:00Z"];
    check(&thursday, "2011-12-28T00:00:00Z", &changes, "2012-01-02T00:00:00Z");
    let friday = calendar("Pacific/Apia", &["friday 22:00-06:00"], "", "");
    let changes = ["2011-12-30T10:00:00Z", "2011-12-30T16:00:00Z"];
    check(&friday, "2011-12-28T00:00:00Z", &changes, "2012-01-02T00:00:00Z");
}

#[test]
fn what_never_changes_within_a_year_has_no_next_change() {
    let now = at("2026-01-01T00:00:00Z");
    assert_eq!(calendar("UTC", &[""], "", "").next_change(now), None);
    assert!(calendar("UTC", &[""], "", "").holds(now));
    assert_eq!(calendar("UTC", &["friday"], "", "2025-01-01..2027-12-31").next_change(now), None);
    let in_a_year = calendar("UTC", &[], "2027-01-02", "");
    assert_eq!(in_a_year.next_change(now), Some(at("2027-01-02T00:00:00Z")));
    assert_eq!(in_a_year.next_change(at("2025-12-31T23:59:59.999Z")), None);
    let berlin = calendar("Europe/Berlin", &[], "2027-01-02", "");
    assert_eq!(berlin.next_change(now), Some(at("2027-01-01T23:00:00Z")));
    assert_eq!(berlin.next_change(at("2025-12-31T22:59:59.999Z")), None);
}

#[test]
fn windows_that_say_nothing_or_half_are_refused() {
    let time = |text: &str| Some(text.parse::<TimeOfDay>().unwrap());
    for (days, from, to, message) in [
        (
            Some(BTreeSet::new()),
            None,
            None,
            "a window needs at least one day; leave `days` out for every day",
        ),
        (
            None,
            time("09:00"),
            None,
            "a window from 09:00 needs a `to`; leave out both for the whole day",
        ),
        (
            None,
            None,
            time("17:00"),
            "a window to 17:00 needs a `from`; leave out both for the whole day",
        ),
        (
            None,
            time("00:00"),
            time("00:00"),
            "a window from 00:00 to 00:00 has no length; leave out both for the whole day",
        ),
    ] {
        assert_eq!(Window::new(days, from, to).unwrap_err().to_string(), message);
    }
}

#[test]
fn dates_and_calendars_that_cannot_hold_are_refused() {
    let date = |text: &str| text.parse::<Date>().unwrap();
    assert_eq!(
        Dates::between(date("2026-12-31"), date("2026-12-30")).unwrap_err().to_string(),
        "the range of dates from 2026-12-31 to 2026-12-30 is empty; its first date is after its \
         last"
    );
    let day = date("2026-12-31");
    assert_eq!(Dates::between(day, day).unwrap(), Dates::on(day));
    let build = |windows, include, exclude| {
        let dates = |n| vec![Dates::on(day); n];
        Calendar::new(Zone::utc(), vec![window(""); windows], dates(include), dates(exclude))
            .map(|_| ())
    };
    assert_eq!(build(0, 0, 1), Err(CalendarError::NeverHolds));
    assert_eq!(build(101, 0, 0), Err(CalendarError::TooManyWindows(101)));
    assert_eq!(build(0, 1001, 0), Err(CalendarError::TooManyDates(1001)));
    assert_eq!(build(1, 0, 1001), Err(CalendarError::TooManyDates(1001)));
    assert_eq!(build(100, 1000, 1000), Ok(()));
}

#[test]
fn zones_are_named_as_the_database_names_them() {
    for name in ["UTC", "Etc/UTC", "Europe/Berlin", "US/Eastern", "America/Argentina/Ushuaia"] {
        assert_eq!(zone(name).to_string(), name);
    }
    assert_eq!(zone("UTC"), Zone::utc());
    for name in [
        "",
        "Europe",
        "Berlin",
        "Europe/Berlin ",
        "CEST",
        "+02:00",
        "UTC+2",
        "Etc/Unknown",
        "etc/unknown",
        "Factory",
        "factory",
        "/etc/localtime",
        "../Berlin",
        "posix/UTC",
        "localtime",
        "EST5EDT,M3.2.0,M11.1.0",
    ] {
        assert_eq!(name.parse::<Zone>().unwrap_err(), NotAZone::Unknown(name.to_owned()));
    }
    assert_eq!(
        "europe/berlin".parse::<Zone>().unwrap_err().to_string(),
        "the time zone `europe/berlin` is spelled `Europe/Berlin`"
    );
    assert_eq!(
        "utc".parse::<Zone>().unwrap_err().to_string(),
        "the time zone `utc` is spelled `UTC`"
    );
    assert_eq!(
        "Moon/Tranquility".parse::<Zone>().unwrap_err().to_string(),
        "`Moon/Tranquility` is not a time zone of the IANA database, such as Europe/Berlin or UTC"
    );
}

#[test]
fn dates_times_and_weekdays_read_one_form_only() {
    for text in ["2026-12-24", "2024-02-29", "0001-01-01", "9999-12-31"] {
        assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "2026-2-24",
        "2026-02-29",
        "2026-13-01",
        "2026-00-01",
        "2026-01-00",
        "20261224",
        "26-12-24",
        "2026-12-24T00:00",
        "2026-12-24 ",
        "+2026-12-24",
        "-026-12-24",
        "2026/12/24",
        "2026-12-2\u{664}",
        "2026-W01-1",
    ] {
        let fault = text.parse::<Date>().unwrap_err().to_string();
        assert!(fault.starts_with(&format!("`{text}` is not a date; write ")), "{fault}");
    }
    for text in ["00:00", "09:05", "23:59"] {
        assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), text);
    }
    for text in [
        "", "9:00", "24:00", "12:60", "12:5", "0900", "09:00:00", "09:00Z", " 09:00", "-9:00",
        "+9:00",
    ] {
        let fault = text.parse::<TimeOfDay>().unwrap_err().to_string();
        assert!(fault.starts_with(&format!("`{text}` is not a time of day; write ")), "{fault}");
    }
    for day in Weekday::ALL {
        assert_eq!(day.to_string().parse::<Weekday>().unwrap(), day);
    }
    for text in ["", "mon", "Monday", "MONDAY", "monday ", "weekday", "0"] {
        let fault = text.parse::<Weekday>().unwrap_err().to_string();
        assert!(fault.starts_with(&format!("`{text}` is not a weekday; write ")), "{fault}");
    }
}

#[test]
fn the_wall_shows_weekday_date_and_time() {
    #[track_caller]
    fn check(name: &str, instant: &str, shown: &str) {
        let Local { weekday, date, time } = zone(name).local(at(instant));
        assert_eq!(format!("{weekday} {date} {time}"), shown);
        assert_eq!(date.weekday(), weekday);
    }
    check("UTC", "2026-11-20T23:59:59.999Z", "friday 2026-11-20 23:59");
    check("Europe/Berlin", "2026-11-20T23:00:00Z", "saturday 2026-11-21 00:00");
    check("America/New_York", "2026-11-21T04:59:59.999Z", "friday 2026-11-20 23:59");
    check("Australia/Lord_Howe", "2026-10-03T15:30:00Z", "sunday 2026-10-04 02:30");
    check("Pacific/Apia", "2011-12-30T09:59:59.999Z", "thursday 2011-12-29 23:59");
    check("Pacific/Apia", "2011-12-30T10:00:00Z", "saturday 2011-12-31 00:00");
    check("Asia/Kathmandu", "1969-12-31T23:59:59.999Z", "thursday 1970-01-01 05:29");
}

#[test]
fn calendars_print_as_documents_write_them() {
    let windows = ["friday monday 09:00-17:30", "sunday"];
    let full =
        calendar("Europe/Berlin", &windows, "2026-12-24 2026-12-28..2026-12-31", "2027-01-01");
    assert_eq!(
        full.to_string(),
        "{zone: Europe/Berlin, windows: [{days: [monday, friday], from: \"09:00\", to: \"17:30\"}, \
         {days: [sunday]}], include: [2026-12-24, {from: 2026-12-28, to: 2026-12-31}], \
         exclude: [2027-01-01]}"
    );
    assert_eq!(
        calendar("UTC", &[""], "", "").to_string(),
        "{zone: UTC, windows: [{days: [monday, tuesday, wednesday, thursday, friday, saturday, \
         sunday]}]}"
    );
    assert_eq!(
        calendar("UTC", &[], "2026-12-24", "").to_string(),
        "{zone: UTC, include: [2026-12-24]}"
    );
}

const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "America/St_Johns",
];

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Instants from 1975 to 2099, every other one within two days of a change of the zone's clocks.
fn any_instant() -> impl Strategy<Value = (Zone, Timestamp)> {
    let instants = 157_766_400_000..4_102_444_800_000_i64;
    let near = (any::<bool>(), -2 * DAY..DAY);
    (prop::sample::select(&ZONES), instants, near).prop_map(|(name, millis, (near, by))| {
        let zone = zone(name);
        let (_, change) = zone.steady_from(Timestamp::from_millis(millis));
        let millis = change.filter(|_| near).map_or(millis, |change| change.as_millis() + by);
        (zone, Timestamp::from_millis(millis))
    })
}

/// From and to in quarters of an hour, small hours first.
fn any_window() -> impl Strategy<Value = Window> {
    let quarter = || prop_oneof![0u16..16, 0u16..96].prop_map(|n| n * 15);
    let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60).parse().ok();
    let days = prop::collection::btree_set(prop::sample::select(&Weekday::ALL), 1..7);
    let hours = prop::option::weighted(0.9, (quarter(), quarter()));
    (prop::option::of(days), hours).prop_filter_map("has no length", move |(days, hours)| {
        let (from, to) = hours.map_or((None, None), |(from, to)| (time(from), time(to)));
        Window::new(days, from, to).ok()
    })
}

/// A calendar with exceptions near an instant.
fn any_case() -> impl Strategy<Value = (Calendar, Timestamp)> {
    let windows = prop::collection::vec(any_window(), 0..4);
    let days = || prop::collection::vec((-2i64..6, 0i64..3), 0..3);
    (any_instant(), windows, days(), days()).prop_filter_map(
        "never holds",
        |((zone, now), windows, include, exclude)| {
            let date =
                |days: i64| zone.local(Timestamp::from_millis(now.as_millis() + days * DAY)).date;
            let dates = |list: Vec<(i64, i64)>| {
                list.iter()
                    .map(|(from, length)| Dates::between(date(*from), date(from + length)).unwrap())
                    .collect::<Vec<_>>()
            };
            let (include, exclude) = (dates(include), dates(exclude));
            Calendar::new(zone, windows, include, exclude).ok().map(|calendar| (calendar, now))
        },
    )
}

/// Every minute of the wall that a calendar holds on some days from a date on, marked one by one.
fn marked(calendar: &Calendar, from: Date, days: usize) -> BTreeSet<(Date, TimeOfDay)> {
    let minutes = |date: Date| {
        (0..24 * 60).map(move |minute| {
            (date, format!("{:02}:{:02}", minute / 60, minute % 60).parse::<TimeOfDay>().unwrap())
        })
    };
    let wall: Vec<_> = std::iter::successors(Some(from), |date| date.next())
        .take(days)
        .flat_map(minutes)
        .collect();
    let mut held = BTreeSet::new();
    for (start, (date, time)) in wall.iter().enumerate() {
        if calendar.exclude.iter().any(|dates| dates.contains(*date)) {
            continue;
        }
        if calendar.include.iter().any(|dates| dates.contains(*date)) {
            held.insert((*date, *time));
        }
        for window in calendar.windows.iter().filter(|window| window.days.contains(&date.weekday()))
        {
            match window.hours {
                None => {
                    held.insert((*date, *time));
                }
                Some((opens, closes)) if opens == *time => {
                    held.extend(wall[start..].iter().take_while(|minute| minute.1 != closes));
                }
                Some(_) => {}
            }
        }
    }
    held
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn agrees_with_a_walk_minute_by_minute((calendar, now) in any_case()) {
        let first = calendar.zone.local(now).date;
        let start = std::iter::successors(Some(first), |date| date.previous()).nth(3).unwrap();
        let marked = marked(&calendar, start, 9);
        let naive = |now: Timestamp| {
            let local = calendar.zone.local(now);
            marked.contains(&(local.date, local.time))
        };
        let held = naive(now);
        prop_assert_eq!(calendar.holds(now), held);
        let next_minute = (now.as_millis().div_euclid(MINUTE) + 1) * MINUTE;
        let change = (0..4 * 24 * 60)
            .map(|n| Timestamp::from_millis(next_minute + n * MINUTE))
            .find(|minute| naive(*minute) != held);
        let next = calendar.next_change(now);
        match change {
            Some(change) => prop_assert_eq!(next, Some(change)),
            None => prop_assert!(
                next.is_none_or(|next| next.as_millis() >= next_minute + 4 * DAY),
                "{:?}", next
            ),
        }
    }
}

proptest! {
    #[test]
    fn within_a_minute_nothing_changes((calendar, now) in any_case(), into in 0..MINUTE) {
        let minute = now.as_millis().div_euclid(MINUTE) * MINUTE;
        let holds = |millis: i64| calendar.holds(Timestamp::from_millis(minute + millis));
        prop_assert_eq!(holds(into), holds(0));
        prop_assert_eq!(holds(MINUTE - 1), holds(0));
        if let Some(change) = calendar.next_change(now) {
            prop_assert_eq!(change.as_millis().rem_euclid(MINUTE), 0);
        }
    }

    #[test]
    fn the_next_change_is_a_change((calendar, now) in any_case()) {
        if let Some(change) = calendar.next_change(now) {
            prop_assert!(change > now);
            prop_assert_ne!(calendar.holds(change), calendar.holds(now));
            let before = Timestamp::from_millis(change.as_millis() - 1);
            prop_assert_eq!(calendar.holds(before), calendar.holds(now));
        }
    }

    #[test]
    fn no_instant_makes_it_panic(
        (calendar, _) in any_case(), millis in any::<i64>(), by in 0..3 * DAY,
    ) {
        for millis in [millis, millis >> 16, i64::MIN + by, i64::MAX - by, by, -by] {
            let now = Timestamp::from_millis(millis);
            calendar.holds(now);
            calendar.next_change(now);
        }
        for end in [Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX)] {
            for now in [end.as_millis() + by, end.as_millis() - by] {
                calendar.next_change(Timestamp::from_millis(now));
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[0-9:-]{0,11}|.{0,80}") {
        if let Ok(date) = text.parse::<Date>() {
            prop_assert_eq!(date.to_string(), text.as_str());
        }
        if let Ok(time) = text.parse::<TimeOfDay>() {
            prop_assert_eq!(time.to_string(), text.as_str());
        }
        if let Ok(zone) = text.parse::<Zone>() {
            prop_assert_eq!(zone.to_string(), text.as_str());
        }
        prop_assert!(text.parse::<Weekday>().is_err());
    }
}
