//! What is searched for and counted of requests: narrow rows that follow from a request alone, and
//! tallies that follow from its events. Both are written in the transaction of the step; neither is
//! ever asked whether something may be done.

use std::collections::BTreeSet;

use assent_core::id::RequestId;
use assent_core::membership::Approver;
use assent_core::principal::PrincipalId;
use assent_core::request::{Denial, Event, Fact, Request, State, Verdict};
use assent_core::time::{Span, Timestamp};

/// How many letters a word must have to be searched for.
pub const SHORTEST_WORD: usize = 3;
/// How much of a text can be searched.
const SEARCHED: usize = 400;
/// A request that is approved this soon after its page was opened was hardly read.
pub const HARDLY_READ: Span = Span::seconds(5);

/// Which requests are wanted. What is `None` or empty does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// All of these words stand in what is searched, as parts of words too.
    pub words: Vec<String>,
    /// One of these states, by their words.
    pub states: Vec<&'static str>,
    /// Of this environment.
    pub environment: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Asked for by them.
    pub requester: Option<PrincipalId>,
    /// Reviewed by them, whatever they said.
    pub reviewer: Option<PrincipalId>,
    /// Decided by this rule.
    pub rule: Option<String>,
    /// Naming one of these, where not none: see [`Request::names_all`].
    pub naming: Option<BTreeSet<Approver>>,
    /// Filed at that time or later.
    pub since: Option<Timestamp>,
    /// Filed before that.
    pub until: Option<Timestamp>,
    /// Older than this one.
    pub before: Option<RequestId>,
    /// How many at most.
    pub limit: usize,
}

/// What is shown of a request where many are listed. It follows from the request alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The request.
    pub id: RequestId,
    /// Its state, by its word.
    pub state: String,
    /// The kind of its intent.
    pub kind: String,
    /// Its environment.
    pub environment: String,
    /// Its target, `key value` each, in order.
    pub target: String,
    /// The requester's words.
    pub reason: String,
    /// Who asks.
    pub requester: String,
    /// When it was filed.
    pub filed_at: Timestamp,
    /// When people or policy had decided.
    pub decided_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The rules that decided, in order.
    pub rules: Vec<String>,
    /// Those whose word made the decision: who counted, or who denied it; nobody where policy decided.
    pub by: Vec<String>,
    /// Whether it was granted first and is looked at afterwards.
    pub breaks_glass: bool,
}

impl Listed {
    /// What is listed of a request.
    pub fn of(request: &Request) -> Self {
        let intent = request.intent();
        let target: Vec<_> = intent.target().iter().map(|(k, v)| format!("{k} {v}")).collect();
        Self {
            id: request.id(),
            state: request.state().word().to_owned(),
            kind: intent.kind().to_owned(),
            environment: intent.environment().to_owned(),
            target: target.join(", "),
            reason: short(intent.reason()),
            requester: request.requester().id.to_string(),
            filed_at: request.filed_at(),
            decided_at: request.decided_at(),
            ended_at: ended_at(request),
            rules: request.ruling().rules.iter().cloned().collect(),
            by: deciders(request),
            breaks_glass: !request.ruling().post_reviews.is_empty(),
        }
    }

    /// What of it is searched for words: what was filed, which does not change.
    pub(super) fn searched(&self) -> String {
        let Self { kind, environment, target, reason, requester, rules, .. } = self;
        let rules = rules.join(" ");
        [kind, environment, target, requester, reason, &rules].map(String::as_str).join("\n")
    }
}

/// Everybody who reviewed it, those too who took that back.
pub(super) fn reviewers(request: &Request) -> BTreeSet<&PrincipalId> {
    let withdrawn = request.withdrawn().iter().map(|withdrawn| &withdrawn.review);
    request.reviews().iter().chain(withdrawn).map(|review| &review.reviewer).collect()
}

/// At the bound, never within a letter.
fn short(text: &str) -> String {
    match text.char_indices().nth(SEARCHED) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn ended_at(request: &Request) -> Option<Timestamp> {
    match request.state() {
        State::Pending(_) | State::Approved(_) => None,
        State::Denied(denied) => Some(denied.at),
        State::Expired(expired) => Some(expired.at),
        State::Canceled(canceled) => Some(canceled.at),
        State::Consumed(consumed) => Some(consumed.at),
        State::Revoked(revoked) => Some(revoked.at),
    }
}

fn deciders(request: &Request) -> Vec<String> {
    let counted = |all: &BTreeSet<PrincipalId>| all.iter().map(ToString::to_string).collect();
    match request.state() {
        State::Approved(approved) => counted(&approved.counted),
        State::Consumed(consumed) => counted(&consumed.counted),
        State::Denied(denied) => match &denied.denial {
            Denial::Reviewed { by, .. } => vec![by.to_string()],
            Denial::Elsewhere { authority, .. } => vec![format!("authority:{authority}")],
            Denial::Refused(_) => Vec::new(),
        },
        State::Pending(_) | State::Expired(_) | State::Canceled(_) | State::Revoked(_) => {
            let approving = request.reviews().iter().filter(|r| r.verdict == Verdict::Approve);
            approving.map(|review| review.reviewer.to_string()).collect()
        }
    }
}

/// How often something happened on one day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tally {
    /// The day, counted from 1970 in UTC.
    pub day: i64,
    /// What.
    pub what: Counted,
    /// Of which environment or rule, or by whom.
    pub key: String,
    /// Of what lasts, how long: see [`longest_of`]; 0 otherwise.
    pub bucket: u32,
    /// How often.
    pub count: u64,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counted {
    /// A filing, by environment.
    Filed,
    /// Policy granted it and asked nobody, by environment.
    Permitted,
    /// People approved it, by environment.
    Approved,
    /// How long that took, by environment.
    TookInEnvironment,
    /// How long that took, by rule.
    TookByRule,
    /// Somebody counted for an approval, by person.
    Approver,
    /// Policy refused it, by environment.
    Refused,
    /// Somebody denied it, by environment.
    Denied,
    /// Nobody decided in time, by environment.
    Expired,
    /// A grant was not used in time, by environment.
    Unused,
    /// It was withdrawn, or stopped, before it was decided, by environment.
    Canceled,
    /// A grant was taken back, by environment.
    Revoked,
    /// It was granted first, to be looked at afterwards, by environment.
    BrokeGlass,
    /// It was looked at afterwards, by rule.
    LookedAt,
    /// It was not looked at in time, by rule.
    Overdue,
    /// Somebody approved it after its page was opened, by person.
    Opened,
    /// The same, within [`HARDLY_READ`] of that.
    HardlyRead,
}

impl Counted {
    /// Everything that is counted.
    pub const ALL: [Self; 17] = [
        Self::Filed,
        Self::Permitted,
        Self::Approved,
        Self::TookInEnvironment,
        Self::TookByRule,
        Self::Approver,
        Self::Refused,
        Self::Denied,
        Self::Expired,
        Self::Unused,
        Self::Canceled,
        Self::Revoked,
        Self::BrokeGlass,
        Self::LookedAt,
        Self::Overdue,
        Self::Opened,
        Self::HardlyRead,
    ];

    /// The word under which it is kept.
    pub fn word(self) -> &'static str {
        match self {
            Self::Filed => "filed",
            Self::Permitted => "permitted",
            Self::Approved => "approved",
            Self::TookInEnvironment => "took_in_environment",
            Self::TookByRule => "took_by_rule",
            Self::Approver => "approver",
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Unused => "unused",
            Self::Canceled => "canceled",
            Self::Revoked => "revoked",
            Self::BrokeGlass => "broke_glass",
            Self::LookedAt => "looked_at",
            Self::Overdue => "overdue",
            Self::Opened => "opened",
            Self::HardlyRead => "hardly_read",
        }
    }

    /// What is kept under this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|counted| counted.word() == word)
    }
}

/// The day of a moment, counted from 1970 in UTC.
pub fn day_of(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(24 * 3_600_000)
}

/// The bucket of a time: each is a tenth longer than the one before, so that what is read from
/// counts is at most a tenth too long.
fn bucket_of(took: Span) -> u32 {
    let seconds = took.as_millis().unsigned_abs().div_ceil(1000);
    let mut bucket = 0;
    while longest_of(bucket).as_seconds() < seconds && bucket < LAST_BUCKET {
        bucket += 1;
    }
    bucket
}

/// Somewhat more than a year: no request waits longer.
const LAST_BUCKET: u32 = 172;

/// The longest time in a bucket.
pub fn longest_of(bucket: u32) -> Span {
    let mut seconds = 1_u64;
    for _ in 0..bucket.min(LAST_BUCKET) {
        seconds += (seconds / 10).max(1);
    }
    Span::seconds(seconds)
}

/// What these events of a request add to what is counted. `granted` says whether it was granted
/// before them.
pub(super) fn counted<'e>(
    events: impl IntoIterator<Item = &'e Event>,
    request: &Request,
    mut granted: bool,
) -> Vec<Tally> {
    let mut all = Vec::new();
    let environment = request.intent().environment();
    for event in events {
        let day = day_of(event.at);
        let mut count = |what, key: &str, bucket| {
            all.push(Tally { day, what, key: key.to_owned(), bucket, count: 1 });
        };
        match &event.fact {
            Fact::Filed { .. } => count(Counted::Filed, environment, 0),
            Fact::Approved { counted, .. } => {
                granted = true;
                if !request.ruling().post_reviews.is_empty() {
                    count(Counted::BrokeGlass, environment, 0);
                }
                if counted.is_empty() {
                    count(Counted::Permitted, environment, 0);
                    continue;
                }
                let took = bucket_of(request.filed_at().until(event.at));
                count(Counted::Approved, environment, 0);
                count(Counted::TookInEnvironment, environment, took);
                for rule in &request.ruling().rules {
                    count(Counted::TookByRule, rule, took);
                }
                for who in counted.iter().flat_map(|(_, people)| people) {
                    count(Counted::Approver, &who.to_string(), 0);
                }
            }
            Fact::Denied(Denial::Refused(_)) => count(Counted::Refused, environment, 0),
            Fact::Denied(Denial::Reviewed { .. } | Denial::Elsewhere { .. }) => {
                count(Counted::Denied, environment, 0);
            }
            Fact::Expired { .. } if granted => count(Counted::Unused, environment, 0),
            Fact::Expired { .. } => count(Counted::Expired, environment, 0),
            Fact::Canceled { .. } | Fact::RequesterLost { .. } => {
                count(Counted::Canceled, environment, 0);
            }
            Fact::Stopped { .. } if !granted => count(Counted::Canceled, environment, 0),
            Fact::Stopped { .. } | Fact::Revoked { .. } => count(Counted::Revoked, environment, 0),
            Fact::PostReviewDone { rule } => count(Counted::LookedAt, rule, 0),
            Fact::PostReviewMissed { rule, .. } => count(Counted::Overdue, rule, 0),
            Fact::Reviewed(_)
            | Fact::Withdrawn { .. }
            | Fact::Advanced { .. }
            | Fact::Escalated { .. }
            | Fact::Reminded { .. }
            | Fact::Abroad { .. }
            | Fact::Consumed { .. }
            | Fact::Minted { .. }
            | Fact::Redeemed { .. }
            | Fact::Abandoned { .. }
            | Fact::CredentialRevoked { .. }
            | Fact::HeartbeatLost { .. }
            | Fact::BrokerClosed { .. }
            | Fact::BrokerOutlives { .. }
            | Fact::BrokerStuck { .. }
            | Fact::PlanKept { .. }
            | Fact::PlanFetched { .. }
            | Fact::PlanRemoved { .. }
            | Fact::Completed
            | Fact::PostReviewed(_) => {}
        }
    }
    all
}

/// What an approving review adds, by somebody who had opened the page then.
pub(super) fn counted_opened(event: &Event, opened_at: Option<Timestamp>) -> Vec<Tally> {
    let Fact::Reviewed(review) = &event.fact else { return Vec::new() };
    let opened_at = opened_at.filter(|opened| *opened <= event.at);
    let (Some(opened_at), Verdict::Approve) = (opened_at, review.verdict) else {
        return Vec::new();
    };
    let tally = |what| {
        let (day, key) = (day_of(event.at), review.reviewer.to_string());
        Tally { day, what, key, bucket: 0, count: 1 }
    };
    let hardly = opened_at.until(event.at) <= HARDLY_READ;
    let hardly = hardly.then(|| tally(Counted::HardlyRead));
    [tally(Counted::Opened)].into_iter().chain(hardly).collect()
}

/// Somebody opened the page of a request, for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The request.
    pub request: RequestId,
    /// Who.
    pub who: PrincipalId,
    /// When.
    pub at: Timestamp,
}

/// Which entries of the audit log are wanted, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSearch {
    /// Of this type.
    pub kind: Option<String>,
    /// By this person or workload.
    pub by: Option<PrincipalId>,
    /// Of this request.
    pub request: Option<RequestId>,
    /// With a smaller index.
    pub before: Option<u64>,
    /// How many at most.
    pub limit: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_read_from_its_bucket_is_at_most_a_tenth_too_long_and_never_too_short() {
        for seconds in [0, 1, 2, 9, 10, 11, 12, 59, 60, 3_599, 3_600, 86_400, 90 * 86_400] {
            let read = longest_of(bucket_of(Span::seconds(seconds))).as_seconds();
            assert!(read >= seconds, "{read} for {seconds}");
            assert!(read <= seconds.max(1) + seconds / 10 + 1, "{read} for {seconds}");
        }
        assert!(longest_of(LAST_BUCKET) > Span::hours(366 * 24));
    }

    #[test]
    fn what_is_counted_reads_back() {
        for counted in Counted::ALL {
            assert_eq!(Counted::of_word(counted.word()), Some(counted));
        }
        assert_eq!(Counted::of_word("else"), None);
    }

    #[test]
    fn a_day_begins_at_midnight_before_1970_too() {
        let day = |millis| day_of(Timestamp::from_millis(millis));
        assert_eq!([day(-1), day(0), day(86_399_999), day(86_400_000)], [-1, 0, 0, 1]);
    }

    #[test]
    fn a_long_reason_is_cut_between_letters() {
        let text = "é".repeat(SEARCHED + 1);
        assert_eq!(short(&text).chars().count(), SEARCHED + 1);
        assert_eq!(short("é"), "é");
    }
}
