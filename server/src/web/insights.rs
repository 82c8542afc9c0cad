//! How approving goes, as numbers, plots and tables. The plots are drawn here; each has its numbers
//! beside it.

use std::fmt::Write as _;
use std::sync::Arc;

use askama::Template;
use assent_core::time::Span;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use crate::app::{Authority, Day, Insights, Took, begin_of};
use crate::name::Name;
use crate::web::session::SignedIn;
use crate::web::text::plain;
use crate::web::view::{self, Page};

const SPANS: [u32; 3] = [7, 30, 90];
/// How wide plots are drawn; on the page they are as wide as there is room.
const WIDTH: u64 = 720;
const HEIGHT: u64 = 160;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Over {
    days: Option<u32>,
}

#[derive(Template)]
#[template(path = "insights.html")]
struct InsightsPage {
    page: Page,
    spans: [u32; 3],
    days: u32,
    total: Day,
    share: Option<u64>,
    hardly: Option<u64>,
    overdue_now: usize,
    plot: Plot,
    environments: Vec<TimeRow>,
    rules: Vec<TimeRow>,
    approvers: Vec<ApproverLine>,
    outcomes: Vec<(String, Day)>,
}

/// What was decided each day, one bar to a day.
struct Plot {
    width: u64,
    height: u64,
    approved: String,
    permitted: String,
    refused: String,
    highest: u64,
    first: String,
    last: String,
    rows: Vec<PlotRow>,
}

struct PlotRow {
    day: String,
    filed: u64,
    approved: u64,
    permitted: u64,
    refused: u64,
    expired: u64,
}

/// How long approvals took; the bars are as long as the times.
struct TimeRow {
    key: String,
    count: u64,
    median: String,
    p90: String,
    median_width: u64,
    p90_width: u64,
}

struct ApproverLine {
    who: Name,
    approved: u64,
    opened: u64,
    hardly_read: u64,
}

pub(super) async fn page(
    State(authority): State<Arc<Authority>>,
    me: SignedIn,
    Query(over): Query<Over>,
) -> Response {
    let days = over.days.filter(|days| SPANS.contains(days)).unwrap_or(30);
    let insights = match authority.insights(&me.caller, days).await {
        Ok(insights) => insights,
        Err(error) => return view::fault(error),
    };
    let later = match authority.later_reviews().await {
        Ok(later) => later,
        Err(error) => return view::fault(error),
    };
    let now = authority.clock().now();
    let Insights { total, environments, rules, approvers, outcomes, .. } = &insights;
    let hardly = total.hardly_read * 100 + total.opened / 2;
    let approver = |busy: &crate::app::Busy| ApproverLine {
        who: authority.name_read(&busy.who),
        approved: busy.approved,
        opened: busy.opened,
        hardly_read: busy.hardly_read,
    };
    view::html(&InsightsPage {
        page: me.page("Insights").at("/insights"),
        spans: SPANS,
        days,
        share: total.share_permitted(),
        hardly: hardly.checked_div(total.opened),
        overdue_now: later.iter().filter(|review| now >= review.due).count(),
        plot: plot(&insights.days),
        environments: times(environments),
        rules: times(rules),
        approvers: approvers.iter().map(approver).collect(),
        outcomes: outcomes.iter().map(|(name, day)| (plain(name), day.clone())).collect(),
        total: total.clone(),
    })
}

fn plot(days: &[Day]) -> Plot {
    let refused = |day: &Day| day.denied + day.refused;
    let all = |day: &Day| day.approved + day.permitted + refused(day);
    let highest = days.iter().map(all).max().unwrap_or_default().max(1);
    let slot = WIDTH / (days.len() as u64).max(1);
    let bar = slot.saturating_sub(if slot > 4 { 2 } else { 1 }).clamp(1, 40);
    let tall = |count: u64| (count * HEIGHT).div_ceil(highest).min(HEIGHT);
    let (mut approved, mut permitted, mut declined) = (String::new(), String::new(), String::new());
    for (place, day) in (0_u64..).zip(days) {
        let x = place * slot + (slot - bar) / 2;
        let mut top = HEIGHT;
        for (path, count) in [
            (&mut approved, day.approved),
            (&mut permitted, day.permitted),
            (&mut declined, refused(day)),
        ] {
            // What there is little of is seen too.
            let height = tall(count).min(top);
            top -= height;
            if height > 0 {
                // Writing to a text cannot fail.
                let _ = write!(path, "M{x} {top}h{bar}v{height}h-{bar}z");
            }
        }
    }
    let date = |day: Option<&Day>| day.map(|day| date_of(day.day)).unwrap_or_default();
    let rows = days.iter().rev().filter(|day| day.filed + all(day) + day.expired > 0);
    Plot {
        width: slot * days.len() as u64,
        height: HEIGHT,
        approved,
        permitted,
        refused: declined,
        highest,
        first: date(days.first()),
        last: date(days.last()),
        rows: rows
            .map(|day| PlotRow {
                day: date_of(day.day),
                filed: day.filed,
                approved: day.approved,
                permitted: day.permitted,
                refused: refused(day),
                expired: day.expired,
            })
            .collect(),
    }
}

/// `2026-11-20`.
fn date_of(day: i64) -> String {
    let text = begin_of(day).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

fn times(all: &[Took]) -> Vec<TimeRow> {
    let longest = all.iter().map(|took| took.p90.as_seconds()).max().unwrap_or_default().max(1);
    let wide = |span: Span| (span.as_seconds() * WIDTH / longest).clamp(2, WIDTH);
    let row = |took: &Took| TimeRow {
        key: plain(&took.key),
        count: took.count,
        median: took.median.in_words(),
        p90: took.p90.in_words(),
        median_width: wide(took.median),
        p90_width: wide(took.p90),
    };
    all.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_on_each_other_and_keep_within_the_plot() {
        let day = |day, approved, permitted, denied| Day {
            day,
            approved,
            permitted,
            denied,
            ..Day::default()
        };
        let plot = plot(&[day(20_000, 1, 1, 2), day(20_001, 0, 0, 0)]);
        assert_eq!(plot.highest, 4);
        assert_eq!(plot.approved, "M160 120h40v40h-40z");
        assert_eq!(plot.permitted, "M160 80h40v40h-40z");
        assert_eq!(plot.refused, "M160 0h40v80h-40z");
        assert_eq!((plot.rows.len(), plot.first.as_str()), (1, "2024-10-04"));
    }

    #[test]
    fn the_longest_time_is_the_widest_bar() {
        let took = |key: &str, median, p90| Took {
            key: key.to_owned(),
            count: 1,
            median: Span::seconds(median),
            p90: Span::seconds(p90),
        };
        let times = times(&[took("production", 60, 600), took("staging", 1, 1)]);
        let widths: Vec<_> = times.iter().map(|r| (r.median_width, r.p90_width)).collect();
        assert_eq!(widths, [(72, 720), (2, 2)]);
    }
}
