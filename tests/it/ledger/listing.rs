//! Requests that are searched for, what is counted of them, and the log by type and person: the same
//! from every ledger, and the same after a ledger of an older schema was opened.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use assent_core::absence::{Absence, Ended};
use assent_core::id::AbsenceId;
use assent_core::request::{Request, Step};
use assent_server::ledger::listing::{Counted, day_of};
use assent_server::ledger::{
    Kept, Ledger, Listed, LogSearch, MemoryLedger, Opening, Search, SqliteLedger, Tally,
};
use rusqlite::Connection;
use tokio::task::JoinSet;

use super::kit::{approval, at, done, file, granted_to_be_looked_at, keeping, person, rules};
use crate::support::until;

type Ledgers = Arc<dyn Ledger>;

fn withdrawal(request: &Request, who: &str, millis: i64) -> Step {
    let members = rules().membership(at(millis));
    request.withdraw(&person(who), "unsure".to_owned(), &members, at(millis)).unwrap()
}

/// Some requests of every kind; each a day after the one before.
async fn told(ledger: &Ledgers) -> Vec<Request> {
    let day = 24 * 3_600_000;
    let (permitted, _) = done(ledger, file("staging", "Try the Überraschung", at(0))).await;
    let (asked, _) = done(ledger, file("production", "Resize the orders database", at(day))).await;
    let opening = |request: &Request, who: &str, millis| Opening {
        request: request.id(),
        who: person(who).id,
        at: at(millis),
    };
    ledger.note_opening(opening(&asked, "bob", day + 1_000)).await.unwrap();
    ledger.note_opening(opening(&asked, "bob", day + 59_000)).await.unwrap();
    ledger.note_opening(opening(&asked, "carol", day + 119_000)).await.unwrap();
    let (bobs, _) = done(ledger, approval(&asked, "bob", at(day + 60_000))).await;
    let (approved, _) = done(ledger, approval(&bobs, "carol", at(day + 120_000))).await;
    let (pending, _) = done(ledger, file("production", "Drop the old index", at(2 * day))).await;
    let (daves, _) = done(ledger, approval(&pending, "dave", at(2 * day + 1))).await;
    let (withdrawn, _) = done(ledger, withdrawal(&daves, "dave", 2 * day + 2)).await;
    let glass = granted_to_be_looked_at(at(3 * day));
    let (glass, _) = done(ledger, glass).await;
    let (lapsed, _) = done(ledger, file("production", "Too late", at(4 * day))).await;
    let expiry = lapsed.lapse(at(5 * day)).unwrap();
    let (expired, _) = done(ledger, expiry).await;
    vec![permitted, approved, withdrawn, glass, expired]
}

async fn found(ledger: &Ledgers, search: Search) -> Vec<String> {
    let search = Search { limit: if search.limit == 0 { 50 } else { search.limit }, ..search };
    let found = ledger.search(search).await.unwrap();
    found.into_iter().map(|listed| listed.reason).collect()
}

fn words(text: &str) -> Search {
    Search { words: text.split(' ').map(str::to_owned).collect(), ..Search::default() }
}

/// Those that name the group of `production`'s approvers, or of who looks afterwards.
const NAMING: [&str; 3] = ["Too late", "Drop the old index", "Resize the orders database"];

pub(super) async fn what_is_listed_is_what_the_request_is(ledger: Ledgers) {
    let requests = told(&ledger).await;
    let listed = ledger.search(Search { limit: 50, ..Search::default() }).await.unwrap();
    let wanted: Vec<Listed> = requests.iter().rev().map(Listed::of).collect();
    assert_eq!(listed, wanted);
    let approved = &listed[3];
    assert_eq!(
        (approved.state.as_str(), approved.by.join(" ")),
        ("approved", "bob carol".to_owned())
    );
    assert_eq!(approved.decided_at, Some(at(24 * 3_600_000 + 120_000)));
    assert!(listed[1].breaks_glass && !approved.breaks_glass);
    assert!(listed[2].by.is_empty(), "who withdrew decides nothing: {:?}", listed[2]);
}

pub(super) async fn requests_are_found_by_words_and_by_whatever_is_narrow(ledger: Ledgers) {
    let requests = told(&ledger).await;
    let (orders, index) = ("Resize the orders database", "Drop the old index");
    for (text, wanted) in [
        ("orders", vec![orders]),
        ("ORDERS resize", vec![orders]),
        ("rder", vec![orders]),
        ("überr", vec!["Try the Überraschung"]),
        ("production", vec!["Too late", index, orders]),
        ("production index", vec![index]),
        ("alice orders", vec![orders]),
        ("nothing-of-it", vec![]),
        ("orders\" OR \"index", vec![]),
        ("NOT orders", vec![]),
        ("order*", vec![]),
    ] {
        assert_eq!(found(&ledger, words(text)).await, wanted, "{text}");
    }
    let who = |name: &str| Some(person(name).id);
    let named = |text: &str| Some(text.to_owned());
    let named_as = |text: &str| Some(text.split(' ').map(|one| one.parse().unwrap()).collect());
    let any = Search::default;
    let day = 24 * 3_600_000;
    for (search, wanted) in [
        (
            Search { states: vec!["approved"], environment: named("production"), ..any() },
            vec![orders],
        ),
        (Search { states: vec!["pending", "expired"], ..any() }, vec!["Too late", index]),
        (Search { environment: named("mars"), ..any() }, vec![]),
        (Search { reviewer: who("carol"), ..any() }, vec![orders]),
        (Search { reviewer: who("dave"), ..any() }, vec![index]),
        (Search { reviewer: who("bob"), rule: named("staging"), ..any() }, vec![]),
        (Search { rule: named("production"), reviewer: who("bob"), ..any() }, vec![orders]),
        (Search { requester: who("bob"), ..any() }, vec![]),
        (Search { naming: named_as("group:release-managers"), ..any() }, NAMING.to_vec()),
        (Search { naming: named_as("person:carol"), ..any() }, vec![orders]),
        (Search { naming: named_as("person:dave"), ..any() }, vec![index]),
        (Search { naming: named_as("person:carol person:dave"), ..any() }, vec![index, orders]),
        (Search { naming: named_as("person:carol person:dave"), limit: 1, ..any() }, vec![index]),
        (Search { naming: named_as("person:bob person:carol"), ..words("orders") }, vec![orders]),
        (Search { naming: named_as("person:carol"), reviewer: who("dave"), ..any() }, vec![]),
        (Search { naming: named_as("group:nobody person:erin"), ..any() }, vec![]),
        (Search { naming: Some(BTreeSet::new()), ..any() }, vec![]),
        (
            Search { naming: named_as("person:alice"), before: Some(requests[1].id()), ..any() },
            vec!["Try the Überraschung"],
        ),
        (Search { since: Some(at(day)), until: Some(at(2 * day)), ..any() }, vec![orders]),
        (Search { limit: 1, ..words("production") }, vec!["Too late"]),
        (Search { before: Some(requests[2].id()), ..words("production") }, vec![orders]),
        (Search { before: Some(requests[1].id()), ..any() }, vec!["Try the Überraschung"]),
        (
            Search { kind: named("terraform.apply"), reviewer: who("bob"), ..words("orders") },
            vec![orders],
        ),
    ] {
        assert_eq!(found(&ledger, search.clone()).await, wanted, "{search:?}");
    }
}

pub(super) async fn what_happens_is_counted_by_the_day(ledger: Ledgers) {
    told(&ledger).await;
    let first = day_of(at(0));
    let all = ledger.tallies(first..=first + 10).await.unwrap();
    let count = |what, key: &str, day| {
        let is = |tally: &&Tally| (tally.what, tally.key.as_str(), tally.day) == (what, key, day);
        all.iter().filter(is).map(|tally| tally.count).sum::<u64>()
    };
    assert_eq!(count(Counted::Permitted, "staging", first), 1);
    assert_eq!(count(Counted::Approved, "production", first + 1), 1);
    assert_eq!(count(Counted::TookInEnvironment, "production", first + 1), 1);
    assert_eq!(count(Counted::TookByRule, "production", first + 1), 1);
    assert_eq!(count(Counted::Approver, "bob", first + 1), 1);
    assert_eq!(count(Counted::Filed, "production", first + 2), 1);
    assert_eq!(count(Counted::BrokeGlass, "staging", first + 3), 1);
    assert_eq!(count(Counted::Expired, "production", first + 5), 1);
    // Bob read it for a minute: the first time he opened it counts. Carol for a second.
    assert_eq!(count(Counted::Opened, "bob", first + 1), 1);
    assert_eq!(count(Counted::HardlyRead, "bob", first + 1), 0);
    assert_eq!(count(Counted::HardlyRead, "carol", first + 1), 1);
    let some = ledger.tallies(first + 1..=first + 1).await.unwrap();
    assert!(some.iter().all(|tally| tally.day == first + 1) && !some.is_empty());
}

pub(super) async fn the_log_is_searched_newest_first(ledger: Ledgers) {
    let requests = told(&ledger).await;
    let kinds = async |search: LogSearch| {
        let search =
            LogSearch { limit: if search.limit == 0 { 50 } else { search.limit }, ..search };
        let found = ledger.search_log(search).await.unwrap();
        let entries = ledger.entries(0, 100).await.unwrap();
        for (index, entry) in &found {
            assert_eq!(entries[*index as usize], *entry);
        }
        assert!(found.is_sorted_by(|one, other| one.0 > other.0));
        found.into_iter().map(|(_, e)| e["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let kind = |kind: &str| Some(kind.to_owned());
    let by = |name: &str| Some(person(name).id);
    let any = LogSearch::default;
    assert_eq!(kinds(LogSearch { limit: 2, ..any() }).await, ["expired", "filed"]);
    assert_eq!(kinds(LogSearch { kind: kind("withdrawn"), ..any() }).await, ["withdrawn"]);
    assert_eq!(kinds(LogSearch { by: by("dave"), ..any() }).await, ["withdrawn", "reviewed"]);
    let both = LogSearch { by: by("dave"), kind: kind("reviewed"), ..any() };
    assert_eq!(kinds(both).await, ["reviewed"]);
    let of = LogSearch { request: Some(requests[1].id()), ..any() };
    assert_eq!(kinds(of.clone()).await, ["approved", "advanced", "reviewed", "reviewed", "filed"]);
    assert_eq!(kinds(LogSearch { limit: 1, ..of.clone() }).await, ["approved"]);
    assert_eq!(kinds(LogSearch { by: by("bob"), ..of }).await, ["reviewed"]);
    let first = LogSearch { before: Some(1), ..any() };
    assert_eq!(kinds(first).await, ["filed"]);
    assert!(kinds(LogSearch { kind: kind("else"), ..any() }).await.is_empty());
}

pub(super) async fn an_absence_is_kept_as_it_was_written_last(ledger: Ledgers) {
    let absence = |number: u8| Absence {
        id: AbsenceId::new(at(i64::from(number)), [number; 10]),
        who: person("bob").id,
        to: person("carol").id,
        from: at(0),
        until: at(1000),
        made_at: at(0),
        ended: None,
    };
    let (first, second) = (absence(1), absence(2));
    for absence in [&first, &second] {
        let kept = keeping(Kept::Absence(absence.clone()), "absence_begun", at(0));
        ledger.keep(kept).await.unwrap();
    }
    let ended = Absence { ended: Some(Ended { at: at(5), by: person("root").id }), ..first };
    let kept = keeping(Kept::Absence(ended.clone()), "absence_ended", at(5));
    ledger.keep(kept).await.unwrap();
    assert_eq!(ledger.absences().await.unwrap(), [second, ended]);
    assert_eq!(ledger.head().await.unwrap().size, 3);
}

/// Of very many that name a group, those that fit are looked for first, and then asked whom they name.
#[tokio::test]
async fn what_very_many_requests_name_is_found_by_what_else_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let ledger: Ledgers =
        Arc::new(SqliteLedger::open(&folder.path().join("ledger.sqlite")).unwrap());
    let mut filings = JoinSet::new();
    for number in 0..1_001 {
        let ledger = Arc::clone(&ledger);
        filings.spawn(async move {
            let reason = if number == 7 { "the needle" } else { "hay" };
            done(&ledger, file("production", reason, at(number))).await;
        });
    }
    filings.join_all().await;
    done(&ledger, file("staging", "another needle", at(5_000))).await;
    let naming = Some(["group:release-managers".parse().unwrap()].into());
    let group = Search { naming, ..Search::default() };
    let needle = Search { words: vec!["needle".to_owned()], ..group.clone() };
    assert_eq!(found(&ledger, needle).await, ["the needle"]);
    let staging = Search { environment: Some("staging".to_owned()), ..group.clone() };
    assert_eq!(found(&ledger, staging).await, Vec::<String>::new());
    assert_eq!(found(&ledger, Search { limit: 3, ..group }).await, ["hay"; 3]);
}

/// Makes the file one of this older version, by what takes away what is newer.
async fn make_older(path: &Path, version: usize, sql: &str) {
    let lock = std::fs::File::open(path.with_extension("lock")).unwrap();
    until("the end of the writer", || lock.try_lock().is_ok()).await;
    drop(lock);
    let tool = Connection::open(path).unwrap();
    tool.execute_batch(sql).unwrap();
    tool.pragma_update(None, "user_version", version).unwrap();
    tool.close().unwrap();
}

/// What a migration makes of events is what was written with each step.
#[tokio::test]
async fn an_older_ledger_is_listed_counted_and_marked_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let ledger: Ledgers = Arc::new(SqliteLedger::open(&path).unwrap());
    told(&ledger).await;
    let everything = async |ledger: &Ledgers| {
        let listed = ledger.search(Search { limit: 50, ..Search::default() }).await.unwrap();
        let by_bob = Search { reviewer: Some(person("bob").id), limit: 50, ..Search::default() };
        let by_words = Search { limit: 50, ..words("orders production") };
        let naming = Some(["group:release-managers".parse().unwrap()].into());
        let by_name = Search { naming, limit: 50, ..Search::default() };
        let days = day_of(at(0));
        let log = LogSearch { by: Some(person("bob").id), limit: 50, ..LogSearch::default() };
        let mut counted = ledger.tallies(days..=days + 10).await.unwrap();
        // Nobody knew then when a page was opened.
        let opened = [Counted::Opened, Counted::HardlyRead];
        counted.retain(|tally| !opened.contains(&tally.what));
        (
            listed,
            ledger.search(by_bob).await.unwrap(),
            ledger.search(by_words).await.unwrap(),
            ledger.search(by_name).await.unwrap(),
            counted,
            ledger.search_log(log).await.unwrap(),
        )
    };
    let before = everything(&ledger).await;
    let found = [before.0.len(), before.1.len(), before.2.len(), before.3.len(), before.5.len()];
    assert_eq!(found, [5, 1, 1, NAMING.len(), 1]);
    drop(ledger);
    let tables =
        ["listing", "listed_by", "listing_text", "tally", "opened", "event_mark", "absence"];
    // What came after it, too.
    let later = ["posted", "notice", "notice_wishes", "pending"];
    let gone: String =
        tables.iter().chain(&later).map(|table| format!("DROP TABLE {table};")).collect();
    make_older(&path, 17, &format!("{gone} DROP INDEX filing_requester")).await;
    let ledger: Ledgers = Arc::new(SqliteLedger::open(&path).unwrap());
    assert_eq!(everything(&ledger).await, before);
    drop(ledger);
    let names = "DELETE FROM listed_by WHERE substr(CAST(what AS TEXT), 1, 2) IN ('n:', 'g:')";
    make_older(&path, 21, names).await;
    let ledger: Ledgers = Arc::new(SqliteLedger::open(&path).unwrap());
    assert_eq!(everything(&ledger).await, before);
    let memory: Ledgers = Arc::new(MemoryLedger::default());
    told(&memory).await;
    let counted = everything(&memory).await.4;
    assert_eq!(
        counted, before.4,
        "what is counted with each step is what is counted of all events"
    );
}
