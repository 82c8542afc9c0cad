//! How approving goes: read from what is counted by the day, so that it costs the same however many
//! requests there are.

use std::collections::{BTreeMap, BTreeSet};

use assent_core::time::{Span, Timestamp};

use crate::app::{AppError, Authority, Caller};
use crate::ledger::Tally;
use crate::ledger::listing::{Counted, day_of, longest_of};

/// How many of a list are shown.
const MOST: usize = 15;

/// How approving went over some days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Insights {
    /// Each day with what was decided on it, the oldest first; days without anything too.
    pub days: Vec<Day>,
    /// The whole.
    pub total: Day,
    /// How long approvals took, by environment, the busiest first.
    pub environments: Vec<Took>,
    /// The same, by rule.
    pub rules: Vec<Took>,
    /// Who approved, the busiest first.
    pub approvers: Vec<Busy>,
    /// How many filings there were, by environment, and what became of them.
    pub outcomes: Vec<(String, Day)>,
}

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// The day, counted from 1970 in UTC.
    pub day: i64,
    /// Filings.
    pub filed: u64,
    /// Granted by policy.
    pub permitted: u64,
    /// Approved by people.
    pub approved: u64,
    /// Denied by people.
    pub denied: u64,
    /// Refused by policy.
    pub refused: u64,
    /// Nobody decided in time.
    pub expired: u64,
    /// Withdrawn or stopped before a decision.
    pub canceled: u64,
    /// Granted, and never used.
    pub unused: u64,
    /// Granted, and taken back.
    pub revoked: u64,
    /// Granted first, to be looked at afterwards.
    pub broke_glass: u64,
    /// Not looked at in time.
    pub overdue: u64,
    /// Approved by somebody who had opened the page.
    pub opened: u64,
    /// The same, within five seconds.
    pub hardly_read: u64,
}

impl Day {
    /// How many of those that were granted policy granted by itself, in percent.
    pub fn share_permitted(&self) -> Option<u64> {
        let granted = self.permitted + self.approved;
        (granted > 0).then(|| (self.permitted * 100 + granted / 2) / granted)
    }

    fn add(&mut self, what: Counted, count: u64) {
        let place = match what {
            Counted::Filed => &mut self.filed,
            Counted::Permitted => &mut self.permitted,
            Counted::Approved => &mut self.approved,
            Counted::Denied => &mut self.denied,
            Counted::Refused => &mut self.refused,
            Counted::Expired => &mut self.expired,
            Counted::Canceled => &mut self.canceled,
            Counted::Unused => &mut self.unused,
            Counted::Revoked => &mut self.revoked,
            Counted::BrokeGlass => &mut self.broke_glass,
            Counted::Overdue => &mut self.overdue,
            Counted::Opened => &mut self.opened,
            Counted::HardlyRead => &mut self.hardly_read,
            Counted::TookInEnvironment
            | Counted::TookByRule
            | Counted::Approver
            | Counted::LookedAt => return,
        };
        *place += count;
    }
}

/// How long approvals took: each time is at most a tenth too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Took {
    /// The environment or rule.
    pub key: String,
    /// How many.
    pub count: u64,
    /// Half of them took no longer.
    pub median: Span,
    /// Nine of ten took no longer.
    pub p90: Span,
}

/// How busy an approver was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Busy {
    /// Who.
    pub who: String,
    /// For how many approvals they counted.
    pub approved: u64,
    /// How many they gave after opening the page.
    pub opened: u64,
    /// The same, within five seconds.
    pub hardly_read: u64,
}

impl Authority {
    /// How approving went over so many days until now.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`], [`AppError::NotAuditor`]: it tells of everybody's requests.
    pub async fn insights(&self, caller: &Caller, days: u32) -> Result<Insights, AppError> {
        self.check_reads_everything(caller).await?;
        let last = day_of(self.clock.now());
        let first = last - i64::from(days.max(1)) + 1;
        let tallies = self.ledger.tallies(first..=last).await?;
        Ok(Insights::of(&tallies, first, last))
    }
}

impl Insights {
    fn of(tallies: &[Tally], first: i64, last: i64) -> Self {
        let mut days: BTreeMap<i64, Day> =
            (first..=last).map(|day| (day, Day { day, ..Day::default() })).collect();
        let mut total = Day::default();
        let mut outcomes: BTreeMap<String, Day> = BTreeMap::new();
        let mut busy: BTreeMap<&str, Busy> = BTreeMap::new();
        for Tally { day, what, key, count, .. } in tallies {
            if let Some(day) = days.get_mut(day) {
                day.add(*what, *count);
            }
            total.add(*what, *count);
            match what {
                Counted::Approver => one_of(&mut busy, key).approved += count,
                Counted::Opened => one_of(&mut busy, key).opened += count,
                Counted::HardlyRead => one_of(&mut busy, key).hardly_read += count,
                Counted::TookInEnvironment
                | Counted::TookByRule
                | Counted::LookedAt
                | Counted::Overdue => {}
                Counted::Filed
                | Counted::Permitted
                | Counted::Approved
                | Counted::Refused
                | Counted::Denied
                | Counted::Expired
                | Counted::Unused
                | Counted::Canceled
                | Counted::Revoked
                | Counted::BrokeGlass => {
                    outcomes.entry(key.clone()).or_default().add(*what, *count)
                }
            }
        }
        let mut approvers: Vec<Busy> = busy.into_values().filter(|one| one.approved > 0).collect();
        approvers.sort_by(|one, other| (other.approved, &one.who).cmp(&(one.approved, &other.who)));
        approvers.truncate(MOST);
        let mut outcomes: Vec<_> = outcomes.into_iter().collect();
        outcomes.sort_by_key(|(name, day)| (std::cmp::Reverse(day.filed), name.clone()));
        outcomes.truncate(MOST);
        Self {
            days: days.into_values().collect(),
            total,
            environments: took(tallies, Counted::TookInEnvironment),
            rules: took(tallies, Counted::TookByRule),
            approvers,
            outcomes,
        }
    }
}

fn one_of<'b, 't>(busy: &'b mut BTreeMap<&'t str, Busy>, who: &'t str) -> &'b mut Busy {
    busy.entry(who).or_insert_with(|| Busy { who: who.to_owned(), ..Busy::default() })
}

fn took(tallies: &[Tally], what: Counted) -> Vec<Took> {
    let wanted = || tallies.iter().filter(|tally| tally.what == what);
    let keys: BTreeSet<&str> = wanted().map(|tally| tally.key.as_str()).collect();
    let of = |key: &str| {
        let mut buckets: BTreeMap<u32, u64> = BTreeMap::new();
        for tally in wanted().filter(|tally| tally.key == key) {
            *buckets.entry(tally.bucket).or_default() += tally.count;
        }
        let count: u64 = buckets.values().sum();
        let reached = |share: u64| {
            let mut left = (count * share).div_ceil(100);
            let found = buckets.iter().find(|(_, n)| {
                left = left.saturating_sub(**n);
                left == 0
            });
            found.map_or(Span::ZERO, |(bucket, _)| longest_of(*bucket))
        };
        Took { key: key.to_owned(), count, median: reached(50), p90: reached(90) }
    };
    let mut all: Vec<Took> = keys.into_iter().map(of).collect();
    all.sort_by(|one, other| (other.count, &one.key).cmp(&(one.count, &other.key)));
    all.truncate(MOST);
    all
}

/// The first moment of a day.
pub fn begin_of(day: i64) -> Timestamp {
    Timestamp::from_millis(day.saturating_mul(24 * 3_600_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(day: i64, what: Counted, key: &str, bucket: u32, count: u64) -> Tally {
        Tally { day, what, key: key.to_owned(), bucket, count }
    }

    #[test]
    fn times_are_read_from_their_buckets_over_all_days() {
        let all = [
            tally(1, Counted::TookInEnvironment, "production", 5, 5),
            tally(2, Counted::TookInEnvironment, "production", 20, 4),
            tally(2, Counted::TookInEnvironment, "production", 60, 1),
            tally(2, Counted::TookInEnvironment, "staging", 1, 1),
        ];
        let insights = Insights::of(&all, 1, 2);
        let [production, staging] = insights.environments.as_slice() else { panic!() };
        assert_eq!((production.key.as_str(), production.count), ("production", 10));
        assert_eq!(production.median, longest_of(5));
        assert_eq!(production.p90, longest_of(20));
        assert_eq!((staging.median, staging.p90), (longest_of(1), longest_of(1)));
        assert!(insights.rules.is_empty());
    }

    #[test]
    fn days_without_anything_stand_there_too_and_shares_are_of_what_was_granted() {
        let all = [
            tally(3, Counted::Permitted, "staging", 0, 1),
            tally(3, Counted::Approved, "production", 0, 2),
            tally(3, Counted::Approver, "bob", 0, 2),
            tally(3, Counted::Approver, "carol", 0, 2),
            tally(3, Counted::Opened, "carol", 0, 2),
            tally(3, Counted::HardlyRead, "carol", 0, 1),
        ];
        let insights = Insights::of(&all, 1, 3);
        let counts: Vec<_> = insights.days.iter().map(|d| (d.day, d.approved)).collect();
        assert_eq!(counts, [(1, 0), (2, 0), (3, 2)]);
        assert_eq!(insights.total.share_permitted(), Some(33));
        assert_eq!(Day::default().share_permitted(), None);
        let approvers: Vec<_> =
            insights.approvers.iter().map(|b| (b.who.as_str(), b.opened, b.hardly_read)).collect();
        assert_eq!(approvers, [("bob", 0, 0), ("carol", 2, 1)]);
    }
}
