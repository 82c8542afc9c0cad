//! Notices, on every ledger.

use std::sync::Arc;

use assent_core::notice::{Means, Occasion, Told};
use assent_core::time::Span;
use assent_core::wire::NoticeWishes;
use assent_server::ledger::Ledger;
use assent_server::ledger::outbox::{Counts, Notice, Posted, Standing, To};

use super::kit::{approval, at, done, file, person};

fn to_ops() -> To {
    To::Channel("ops".to_owned())
}

fn to_bob() -> To {
    To::Person(person("bob").id, Means::Email)
}

/// The first thing that this tells, to these.
fn notice(posted: &Posted, to: To, due: i64) -> Notice {
    Notice::new(posted, posted.told[0].clone(), to, at(due))
}

pub(super) async fn what_a_step_is_worth_is_posted_with_it_until_it_is_addressed(
    ledger: Arc<dyn Ledger>,
) {
    let (request, _) = done(&ledger, file("one", "r", at(0))).await;
    done(&ledger, approval(&request, "bob", at(1))).await;
    let posted = ledger.outbox().posted(9).await.unwrap().posted;
    let told = |posted: &Posted| {
        let all = posted.told.iter().map(|told| told.occasion.word());
        (posted.request, posted.version.0, all.collect::<Vec<_>>())
    };
    let wanted =
        [(request.id(), 1, vec!["filed", "stage_opened"]), (request.id(), 4, vec!["granted"])];
    assert_eq!(posted.iter().map(told).collect::<Vec<_>>(), wanted);
    assert_eq!(posted[1].told[0].number, 4);
    assert_eq!(ledger.outbox().posted(1).await.unwrap().posted.len(), 1);

    let mut first = notice(&posted[0], to_ops(), 0);
    ledger.outbox().address(vec![posted[0].seq], vec![first.clone()]).await.unwrap();
    assert_eq!(ledger.outbox().posted(9).await.unwrap().posted, posted[1..]);
    first.standing = Standing::Sent;
    first.message = Some("C1 1.2".to_owned());
    ledger.outbox().keep_notices(vec![first.clone()]).await.unwrap();
    // Found out again, as after a crash: what was sent stays sent.
    let again = notice(&posted[0], to_ops(), 0);
    ledger.outbox().address(vec![posted[0].seq], vec![again]).await.unwrap();
    assert_eq!(ledger.outbox().notice(first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(ledger.outbox().notices_of(request.id()).await.unwrap(), [first]);
}

pub(super) async fn a_step_that_is_not_written_is_not_posted(ledger: Arc<dyn Ledger>) {
    let step = file("one", "r", at(0));
    done(&ledger, step.clone()).await;
    ledger.commit(super::kit::alone(step)).await.unwrap();
    assert_eq!(ledger.outbox().posted(9).await.unwrap().posted.len(), 1);
}

pub(super) async fn notices_come_by_their_way_longest_due_first(ledger: Arc<dyn Ledger>) {
    let (_, _) = done(&ledger, file("one", "r", at(0))).await;
    let posted = ledger.outbox().posted(9).await.unwrap().posted.remove(0);
    let opened = Told { number: 2, ..posted.told[1].clone() };
    let later = notice(&posted, to_ops(), 9);
    let sooner = Notice::new(&posted, opened, to_ops(), at(5));
    let other = Notice { held: true, begun: true, attempts: 3, ..notice(&posted, to_bob(), 1) };
    let all = vec![later.clone(), sooner.clone(), other.clone()];
    ledger.outbox().address(vec![], all).await.unwrap();
    let due = async |way: &str, millis: i64| {
        ledger.outbox().due_notices(way, at(millis), 9).await.unwrap()
    };
    assert_eq!(due("channel:ops", 9).await, [sooner.clone(), later.clone()]);
    assert_eq!(due("channel:ops", 8).await, std::slice::from_ref(&sooner));
    assert_eq!(due("people:email", 9).await, std::slice::from_ref(&other));
    assert!(due("channel:nothing", 9).await.is_empty());
    let dead = Notice { standing: Standing::Dead, problem: Some("no".to_owned()), ..later.clone() };
    let sent = Notice { standing: Standing::Sent, ..sooner };
    ledger.outbox().keep_notices(vec![dead.clone(), sent.clone()]).await.unwrap();
    assert!(due("channel:ops", 99).await.is_empty());
    let counts = ledger.outbox().notice_counts().await.unwrap();
    assert_eq!(counts["channel:ops"], Counts { waiting: 0, dead: 1 });
    assert_eq!(counts["people:email"], Counts { waiting: 1, dead: 0 });
    let found = ledger.outbox().notices(Some(Standing::Dead), 9).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].problem, found[0].id), (&dead.problem, dead.id));
    assert_eq!(ledger.outbox().notices(None, 2).await.unwrap().len(), 2);

    ledger.outbox().forget_notices(at(0).plus(Span::hours(1))).await.unwrap();
    let left = ledger.outbox().notices(None, 9).await.unwrap();
    assert_eq!(left, [other], "what waits is not forgotten");
    assert_eq!(ledger.outbox().notice(sent.id).await.unwrap(), None);
    assert_eq!(Occasion::named("filed"), Some(Occasion::Filed));
}

pub(super) async fn wishes_are_kept_for_each_person(ledger: Arc<dyn Ledger>) {
    let (bob, carol) = (person("bob").id, person("carol").id);
    let wishes = NoticeWishes { zone: Some("Europe/Berlin".to_owned()), ..Default::default() };
    let outbox = ledger.outbox();
    assert_eq!(outbox.wishes(&bob).await.unwrap(), None);
    outbox.keep_wishes(&bob, Some(wishes.clone())).await.unwrap();
    assert_eq!(outbox.wishes(&bob).await.unwrap(), Some(wishes));
    assert_eq!(outbox.wishes(&carol).await.unwrap(), None);
    outbox.keep_wishes(&bob, None).await.unwrap();
    assert_eq!(outbox.wishes(&bob).await.unwrap(), None);
}

#[tokio::test]
async fn what_does_not_read_keeps_nobody_else_from_being_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let ledger: Arc<dyn Ledger> =
        Arc::new(assent_server::ledger::SqliteLedger::open(&path).unwrap());
    done(&ledger, file("one", "damaged", at(0))).await;
    done(&ledger, file("one", "damaged, too", at(1))).await;
    let (whole, _) = done(&ledger, file("one", "whole", at(2))).await;
    let tool = rusqlite::Connection::open(&path).unwrap();
    tool.execute("UPDATE posted SET told = '[{]' WHERE seq = 1", []).unwrap();
    tool.execute("UPDATE posted SET request = x'00' WHERE seq = 2", []).unwrap();
    drop(tool);
    // Not even of the places on one page.
    let found = ledger.outbox().posted(1).await.unwrap();
    assert_eq!(found.posted.iter().map(|one| one.request).collect::<Vec<_>>(), [whole.id()]);
    assert_eq!(found.damaged.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1, 2]);
}
