//! What the inbox tells: why something waits for somebody, and until when; what it lets them look for.

use assent_core::time::Span;

use super::Browser;
use crate::support::{Server, approve, filing, fresh_key};

const STOOD_IN: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
groups: {dba: [person:bob, person:carol]}
delegations:
  - {from: person:carol, to: person:dave, starts: 2020-01-01T00:00:00Z, ends: 2099-01-01T00:00:00Z}
rules:
  - id: production
    when: {intent.environment: production}
    require: {stages: [{name: release, approvals: 1, from: [group:dba]}], request_expires: 4h}
  - id: named
    when: {intent.environment: named}
    require: {stages: [{name: one, approvals: 1, from: [person:bob]}], request_expires: 10m}
";

#[tokio::test]
async fn it_says_why_something_waits_and_how_long() {
    let server = Server::ruled_by(STOOD_IN).await;
    let alice = server.person("alice").await;
    let later = alice.client.file(&filing("production", "later"), &fresh_key()).await.unwrap();
    let soon = alice.client.file(&filing("named", "soon"), &fresh_key()).await.unwrap();
    let page = Browser::of(&server, "bob").await.get("/").await.text;
    assert!(page.contains("Rule production, stage release: you are in dba"), "{page}");
    assert!(page.contains("Rule named, stage one: you are named"), "{page}");
    let place = |id: &str| page.find(&format!("row-{id}")).unwrap();
    assert!(place(&soon.id) < place(&later.id), "what is over soonest stands first");
    assert!(page.contains("<title>(2) Inbox"), "{page}");
    let page = Browser::of(&server, "dave").await.get("/").await.text;
    assert!(page.contains("you stand in for carol"), "{page}");
    assert!(!page.contains("(2) Inbox") && page.contains("<title>(1) Inbox"), "{page}");
    server.time().pass(Span::minutes(10));
    let page = Browser::of(&server, "bob").await.get("/").await.text;
    assert!(!page.contains(&format!("row-{}", soon.id)), "what is over by the clock does not wait");
}

#[tokio::test]
async fn what_somebody_asked_for_is_theirs_and_stays_for_a_while() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let open = alice.client.file(&filing("production", "open"), &fresh_key()).await.unwrap();
    let over = alice.client.file(&filing("production", "over"), &fresh_key()).await.unwrap();
    crate::support::deny(&bob, &over).await.unwrap();
    let of_carol =
        carol.client.file(&filing("production", "of carol"), &fresh_key()).await.unwrap();
    let page = Browser::of(&server, "alice").await.get("/").await.text;
    let part = |name: &str| {
        let after = page.split(&format!("id=\"part-{name}\"")).nth(1).unwrap_or_default();
        after.split("</section>").next().unwrap().to_owned()
    };
    assert!(part("asked").contains(&open.id) && part("asked").contains(&over.id), "{page}");
    assert!(
        !part("asked").contains(&of_carol.id) && part("others").contains(&of_carol.id),
        "{page}"
    );
    assert!(part("waiting").contains("Nothing waits for you"), "{page}");
}

#[tokio::test]
async fn it_is_filtered_searched_and_paged() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    for number in 0..30 {
        let reason = format!("number {number:02}");
        alice.client.file(&filing("production", &reason), &fresh_key()).await.unwrap();
    }
    let one = alice.client.file(&filing("one", "<odd> & \"quoted\""), &fresh_key()).await.unwrap();
    let bob = Browser::of(&server, "bob").await;
    let rows = |page: &str| page.matches("id=\"row-").count();
    let page = bob.get("/").await.is(200).text;
    assert_eq!(rows(&page), 25, "{page}");
    let next = page.split("href=\"/?").nth(1).unwrap().split('"').next().unwrap();
    let next = next.replace("&#38;", "&").replace("&amp;", "&");
    let second = bob.get(&format!("/?{next}")).await.is(200).text;
    assert_eq!(rows(&second), 6, "{second}");
    let ids = |page: &str| -> Vec<String> {
        page.split("id=\"row-").skip(1).map(|rest| rest[..30].to_owned()).collect()
    };
    assert!(ids(&page).iter().all(|id| !ids(&second).contains(id)), "nothing stands on both");
    for (query, count) in [
        ("environment=one", 1),
        ("environment=none", 0),
        ("q=NUMBER%2007", 1),
        ("q=quoted", 1),
        (&format!("q={}", one.id), 1),
        ("requester=alice&environment=production&q=29", 1),
        ("requester=eve", 0),
        ("kind=terraform.apply&environment=one", 1),
    ] {
        let page = bob.get(&format!("/?{query}")).await.is(200).text;
        assert_eq!(rows(&page), count, "{query}: {page}");
    }
    let page = bob.get("/?q=%3Cscript%3E").await.text;
    assert!(!page.contains("<script>"), "what is looked for stays text: {page}");
    approve(&server.person("bob").await, &one).await.unwrap();
    let page = bob.get("/?environment=one").await.text;
    assert!(page.contains("Nothing of what you look for waits for you"), "{page}");
    // Nobody else's cursor, and none at all, leads anywhere odd.
    bob.get("/?part=waiting&after=req_none").await.is(200);
}
