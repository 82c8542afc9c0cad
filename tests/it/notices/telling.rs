//! Who is told what, and what becomes of it when a way is away.

use assent_core::time::Span;
use serde_json::{Value, json};

use super::world::{
    Slack, at_hook, at_slack, channels, filed, notices, receiver, telling, telling_on,
};
use crate::support::{Remains, Reply, StandIn, Ways, approve, deny, fresh_key};

const ALL_TO_SIEM: &str = "notices: [{to: ['channel:siem', approvers, requester]}]\n";

fn types(hook: &StandIn) -> Vec<String> {
    let told = hook.asked();
    let body =
        |asked: &crate::support::Asked| -> Value { serde_json::from_slice(&asked.body).unwrap() };
    told.iter().map(|asked| body(asked)["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn each_step_is_told_once_and_in_its_order() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), receiver().await);
    let server = telling(channels(folder.path(), &at_hook(&hook)), ALL_TO_SIEM).await;
    let request = filed(&server, "one", "deploy").await;
    assert_eq!(server.authority.tell_due().await.unwrap(), 1);
    approve(&server.person("bob").await, &request).await.unwrap();
    assert_eq!(server.authority.tell_due().await.unwrap(), 1);
    assert_eq!(server.authority.tell_due().await.unwrap(), 0, "nothing is told twice");
    assert_eq!(types(&hook), ["request.stage_opened", "request.granted"]);
    let body: Value = serde_json::from_slice(&hook.asked()[1].body).unwrap();
    let data = &body["data"];
    assert_eq!(data["request"], json!(request.id));
    assert_eq!((&data["state"], &data["environment"]), (&json!("approved"), &json!("one")));
    assert_eq!(data["url"], json!(format!("{}/requests/{}", server.base(), request.id)));
}

#[tokio::test]
async fn what_nobody_is_named_for_is_told_to_nobody() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), receiver().await);
    let server = telling(channels(folder.path(), &at_hook(&hook)), "").await;
    filed(&server, "one", "deploy").await;
    filed(&server, "staging", "deploy").await;
    assert_eq!(server.authority.tell_due().await.unwrap(), 0);
    assert_eq!(notices(&server).await, Vec::<String>::new());
    assert!(hook.asked().is_empty());
}

#[tokio::test]
async fn a_server_without_channels_keeps_nothing_to_be_told() {
    let server = telling(Default::default(), ALL_TO_SIEM).await;
    filed(&server, "one", "deploy").await;
    server.authority.tell_due().await.unwrap();
    assert!(server.ledger().outbox().posted(9).await.unwrap().posted.is_empty());
    assert_eq!(notices(&server).await, ["stage_opened channel:siem dead"]);
}

/// Asks that nobody has seen yet are not told any more once the request is decided.
#[tokio::test]
async fn who_was_never_asked_is_not_asked_after_the_decision() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Slack::start().await);
    let server = telling(channels(folder.path(), &at_slack(&slack)), "").await;
    let request = filed(&server, "one", "deploy").await;
    deny(&server.person("carol").await, &request).await.unwrap();
    server.authority.tell_due().await.unwrap();
    assert_eq!(slack.told(), ["D0000000003 Denied"], "only whoever asked");
    let wanted = ["denied person:alice by slack sent", "stage_opened person:bob by slack moot"];
    assert_eq!(notices(&server).await, wanted);
}

#[tokio::test]
async fn a_way_that_is_away_keeps_nobody_waiting_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let (hook, slack) = (receiver().await, Slack::start().await);
    let text = at_slack(&slack).replace("channels:\n", &at_hook(&hook));
    let server = telling(channels(folder.path(), &text), ALL_TO_SIEM).await;
    hook.behave(Ways::Saying(Reply::new(503, "")));
    let request = filed(&server, "one", "deploy").await;
    server.authority.tell_due().await.unwrap();
    assert_eq!(slack.told().len(), 2, "bob and alice are told: the other way is not held up");
    let tries = hook.asked().len();
    server.authority.tell_due().await.unwrap();
    assert_eq!(hook.asked().len(), tries, "it rests");
    let root = server.administrator().await;
    let ways = root.client.notices(None).await.unwrap().ways;
    let siem = ways.iter().find(|way| way.name == "channel:siem").unwrap();
    assert_eq!((siem.waiting, siem.dead), (1, 0));
    assert!(siem.problem.as_deref().unwrap().contains("503"), "{siem:?}");
    approve(&server.person("bob").await, &request).await.unwrap();
    hook.behave(Ways::Honest);
    server.time().pass(Span::seconds(61));
    server.authority.tell_due().await.unwrap();
    server.authority.tell_due().await.unwrap();
    let ids: Vec<_> = hook.asked().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), 3, "once in vain, then each once");
    assert!(notices(&server).await.contains(&"granted channel:siem sent".to_owned()));
    let ways = root.client.notices(None).await.unwrap().ways;
    let siem = ways.iter().find(|way| way.name == "channel:siem").unwrap();
    assert_eq!((siem.waiting, &siem.problem), (0, &None));
}

#[tokio::test]
async fn t60_what_others_want_to_wait_is_waited() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), receiver().await);
    let server = telling(channels(folder.path(), &at_hook(&hook)), ALL_TO_SIEM).await;
    let mut later = Reply::new(429, "");
    later.headers.push(("retry-after", "1800".to_owned()));
    hook.behave(Ways::Saying(later));
    filed(&server, "one", "deploy").await;
    server.authority.tell_due().await.unwrap();
    server.time().pass(Span::seconds(1799));
    server.authority.tell_due().await.unwrap();
    assert_eq!(hook.asked().len(), 1);
    server.time().pass(Span::seconds(1));
    server.authority.tell_due().await.unwrap();
    assert_eq!(hook.asked().len(), 2);
}

#[tokio::test]
async fn what_is_never_taken_is_given_up_and_told_again_when_an_administrator_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let hook = receiver().await;
    let server = telling(channels(folder.path(), &at_hook(&hook)), ALL_TO_SIEM).await;
    hook.behave(Ways::Saying(Reply::new(410, "gone")));
    filed(&server, "one", "deploy").await;
    server.authority.tell_due().await.unwrap();
    let root = server.administrator().await;
    let dead = root.client.notices(Some("dead")).await.unwrap().notices;
    assert_eq!((dead.len(), dead[0].attempts, &dead[0].due), (1, 1, &None));
    assert!(dead[0].problem.as_deref().unwrap().contains("410"), "{dead:?}");
    server.time().pass(Span::hours(12));
    server.authority.tell_due().await.unwrap();
    assert_eq!(hook.asked().len(), 1, "given up is given up");

    let bob = server.person("bob").await;
    let refused = bob.client.replay_notices(Some(&dead[0].id), &fresh_key()).await.unwrap_err();
    assert_eq!(refused.code(), Some("not_administrator"));
    hook.behave(Ways::Honest);
    let again = root.client.replay_notices(Some(&dead[0].id), &fresh_key()).await.unwrap();
    assert_eq!(again.count, 1);
    server.authority.tell_due().await.unwrap();
    let ids: Vec<_> = hook.asked().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!(ids, [dead[0].id.clone(), dead[0].id.clone()], "known again by its id");
    let entries = root.client.entries(0).await.unwrap().entries;
    let replayed = entries.iter().filter(|entry| entry.event["type"] == "notices_replayed");
    assert_eq!(replayed.count(), 1, "on record");
    let again = root.client.replay_notices(None, &fresh_key()).await.unwrap();
    assert_eq!(again.count, 0, "what was told is not told again");
}

#[tokio::test]
async fn after_enough_tries_it_is_given_up() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), receiver().await);
    let server = telling(channels(folder.path(), &at_hook(&hook)), ALL_TO_SIEM).await;
    hook.behave(Ways::HangingUp);
    filed(&server, "staging", "deploy").await;
    for _ in 0..20 {
        server.authority.tell_due().await.unwrap();
        server.time().pass(Span::hours(3));
    }
    let root = server.administrator().await;
    let dead = root.client.notices(Some("dead")).await.unwrap().notices;
    assert_eq!((dead.len(), dead[0].attempts), (1, 12));
}

/// The ledger posts with the step; what is told is found by whoever starts next.
#[tokio::test]
async fn what_was_posted_before_a_restart_is_told_after_it() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), receiver().await);
    let file = folder.path().join("ledger.sqlite");
    let read = || channels(folder.path(), &at_hook(&hook));
    let server = telling_on(&file, Remains::fresh(), read(), ALL_TO_SIEM).await;
    let request = filed(&server, "one", "deploy").await;
    let remains = server.stop().await;
    let server = telling_on(&file, remains, read(), ALL_TO_SIEM).await;
    approve(&server.person("bob").await, &request).await.unwrap();
    server.authority.tell_due().await.unwrap();
    assert_eq!(types(&hook), ["request.stage_opened", "request.granted"]);
}

#[tokio::test]
async fn t66_no_notice_and_no_page_of_notices_holds_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let (hook, slack) = (receiver().await, Slack::start().await);
    let text = at_slack(&slack).replace("channels:\n", &at_hook(&hook));
    let server = telling(channels(folder.path(), &text), ALL_TO_SIEM).await;
    slack.instead(Reply::new(500, super::world::TOKEN));
    hook.behave(Ways::Saying(Reply::new(400, super::world::SECRET)));
    filed(&server, "one", "deploy").await;
    server.authority.tell_due().await.unwrap();
    let root = server.administrator().await;
    let told = root.get("/v1/notices").await.text;
    assert!(told.contains("400") && told.contains("500"), "{told}");
    assert!(
        !told.contains("canary") && !told.contains("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        "{told}"
    );
}
