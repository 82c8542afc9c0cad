//! As people wish it: in a digest, not at night, and by what.

use assent_core::time::Span;
use serde_json::json;

use super::world::{Slack, at_slack, channels, filed, notices, telling};
use crate::support::{Server, approve};

async fn at_slack_only(slack: &Slack) -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let server = telling(channels(folder.path(), &at_slack(slack)), "").await;
    (folder, server)
}

/// Tests begin at 08:00:00 UTC on a Friday.
#[tokio::test]
async fn a_digest_tells_everything_of_its_time_in_one_message() {
    let slack = Slack::start().await;
    let (_folder, server) = at_slack_only(&slack).await;
    let bob = server.person("bob").await;
    let wishes = json!({"digest": {"every": "2h"}});
    bob.put("/v1/notices/mine", &wishes).await.is(200);
    let first = filed(&server, "one", "first").await;
    filed(&server, "one", "second").await;
    let third = filed(&server, "one", "third").await;
    server.authority.tell_due().await.unwrap();
    assert_eq!(slack.told(), Vec::<String>::new());
    approve(&server.person("carol").await, &first).await.unwrap();
    server.time().pass(Span::minutes(119));
    server.authority.tell_due().await.unwrap();
    let to_bob = |slack: &Slack| {
        let all = slack.messages();
        all.into_iter().filter(|one| one["channel"] == "D0000000002").collect::<Vec<_>>()
    };
    assert!(to_bob(&slack).is_empty());
    server.time().pass(Span::minutes(1));
    server.authority.tell_due().await.unwrap();
    let told = to_bob(&slack);
    assert_eq!(told.len(), 1, "one message");
    let text = told[0].to_string();
    assert!(text.contains("second") && text.contains(&third.id), "{text}");
    assert!(!text.contains("first"), "what is decided is asked of nobody: {text}");
    let all = notices(&server).await;
    assert!(all.contains(&"stage_opened person:bob by slack moot".to_owned()), "{all:?}");
}

#[tokio::test]
async fn in_quiet_hours_nothing_comes_but_what_cannot_wait() {
    let slack = Slack::start().await;
    let (_folder, server) = at_slack_only(&slack).await;
    let bob = server.person("bob").await;
    let now = server.authority.clock().now().to_string();
    let hour: u32 = now[11..13].parse().unwrap();
    let time = |hours: u32| format!("{:02}:00", (hour + hours) % 24);
    let wishes = json!({"quiet": {"from": time(0), "to": time(3)}});
    bob.put("/v1/notices/mine", &wishes).await.is(200);
    // Those of the policy expire after four hours.
    filed(&server, "one", "waits").await;
    server.authority.tell_due().await.unwrap();
    assert_eq!(slack.told(), Vec::<String>::new());
    let longer = json!({"quiet": {"from": time(0), "to": time(6)}});
    bob.put("/v1/notices/mine", &longer).await.is(200);
    filed(&server, "one", "expires before the morning").await;
    server.authority.tell_due().await.unwrap();
    assert_eq!(slack.told().len(), 1, "it would be over");
    let never = json!({"quiet": {"from": time(0), "to": time(6)}, "urgent_waits": true});
    bob.put("/v1/notices/mine", &never).await.is(200);
    filed(&server, "one", "expires too").await;
    server.authority.tell_due().await.unwrap();
    assert_eq!(slack.told().len(), 1);
    server.time().pass(Span::hours(3));
    server.authority.tell_due().await.unwrap();
    assert_eq!(slack.told().len(), 2, "the first, when its quiet hours were over");
}

#[tokio::test]
async fn wishes_are_ones_own_and_are_checked() {
    let slack = Slack::start().await;
    let (_folder, server) = at_slack_only(&slack).await;
    let bob = server.person("bob").await;
    let mine = bob.client.my_notices().await.unwrap();
    assert_eq!((mine.wishes, mine.means), (Default::default(), vec!["slack".to_owned()]));
    let told = bob.put("/v1/notices/mine", &json!({"digest": {"every": "5h"}})).await;
    assert_eq!(told.status, 422, "{}", told.text);
    assert!(told.text.contains("digest.every"), "{}", told.text);
    let told = bob.put("/v1/notices/mine", &json!({"email": "eve@example.com"})).await;
    assert_eq!(told.status, 422, "an address is not one's own to say: {}", told.text);
    let wishes = json!({"by": ["slack"], "zone": "Europe/Berlin"});
    bob.put("/v1/notices/mine", &wishes).await.is(200);
    assert_eq!(bob.get("/v1/notices/mine").await.json()["wishes"], wishes);
    let alice = server.person("alice").await;
    assert_eq!(alice.get("/v1/notices/mine").await.json()["wishes"], json!({}));
    assert_eq!(bob.delete("/v1/notices/mine").await.status, 204);
    assert_eq!(bob.get("/v1/notices/mine").await.json()["wishes"], json!({}));
    let ci = server.workload("ci", &[]).await;
    assert_eq!(ci.get("/v1/notices/mine").await.status, 403);
}
