//! At Slack: one message for a request in each place, changed when it is decided; nothing to press.

use assent_core::time::Span;

use super::world::{Slack, at_slack, channels, filed, notices, refusing, telling};
use crate::support::{Reply, approve, deny};

const TO_PROD: &str =
    "notices: [{occasions: [stage_opened, granted, denied], to: ['channel:prod', approvers]}]\n";

#[tokio::test]
async fn a_decision_changes_the_messages_that_ask_for_it() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Slack::start().await);
    let server = telling(channels(folder.path(), &at_slack(&slack)), TO_PROD).await;
    let request = filed(&server, "one", "deploy").await;
    server.authority.tell_due().await.unwrap();
    assert_eq!(slack.told(), ["C0000000001 Approval wanted", "D0000000002 Approval wanted"]);
    approve(&server.person("carol").await, &request).await.unwrap();
    server.authority.tell_due().await.unwrap();
    assert_eq!(slack.told(), ["C0000000001 Approved", "D0000000002 Approved"]);
    assert_eq!(slack.updates(), 2);
    let shown = slack.messages()[0].to_string();
    assert!(shown.contains("Approved by: carol"), "{shown}");
    assert!(shown.contains(&format!("/requests/{}", request.id)), "{shown}");
}

#[tokio::test]
async fn a_message_that_somebody_removed_is_said_anew() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Slack::start().await);
    let server = telling(channels(folder.path(), &at_slack(&slack)), TO_PROD).await;
    let request = filed(&server, "one", "deploy").await;
    server.authority.tell_due().await.unwrap();
    deny(&server.person("carol").await, &request).await.unwrap();
    slack.instead(refusing("message_not_found"));
    server.authority.tell_due().await.unwrap();
    let denied = slack.told().iter().filter(|line| line.ends_with("Denied")).count();
    assert_eq!(denied, 2, "{:?}", slack.told());
}

/// The errors of the documentation of `chat.postMessage` and of rate limits.
#[tokio::test]
async fn the_words_of_slack_say_whether_it_is_tried_again() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Slack::start().await);
    let only = "notices: [{occasions: [stage_opened], to: ['channel:prod']}]\n";
    let server = telling(channels(folder.path(), &at_slack(&slack)), only).await;
    for (word, wanted) in [
        ("channel_not_found", "dead"),
        ("invalid_auth", "dead"),
        ("not_in_channel", "dead"),
        ("is_archived", "dead"),
        ("internal_error", "waiting"),
        ("ratelimited", "waiting"),
    ] {
        slack.instead(refusing(word));
        filed(&server, "one", word).await;
        server.time().pass(Span::minutes(2));
        server.authority.tell_due().await.unwrap();
        let all = notices(&server).await;
        let standing = all.iter().filter(|line| line.ends_with(wanted)).count();
        assert!(standing > 0, "{word}: {all:?}");
        server.time().pass(Span::hours(3));
        server.authority.tell_due().await.unwrap();
    }
    let mut limited = Reply::new(429, r#"{"ok":false,"error":"ratelimited"}"#);
    limited.headers.push(("retry-after", "30".to_owned()));
    slack.instead(limited);
    filed(&server, "one", "limited").await;
    server.authority.tell_due().await.unwrap();
    let before = slack.messages().len();
    server.time().pass(Span::seconds(29));
    server.authority.tell_due().await.unwrap();
    assert_eq!(slack.messages().len(), before, "it wants 30 seconds");
    server.time().pass(Span::seconds(1));
    server.authority.tell_due().await.unwrap();
    assert_eq!(slack.messages().len(), before + 1);
}

/// An answer that is lost is asked again under the same id: one message stands.
#[tokio::test]
async fn a_lost_answer_doubles_nothing_visible() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Slack::start().await);
    let only = "notices: [{occasions: [stage_opened], to: ['channel:prod']}]\n";
    let server = telling(channels(folder.path(), &at_slack(&slack)), only).await;
    filed(&server, "one", "deploy").await;
    slack.stand_in.behave(crate::support::Ways::Lying(Reply::new(500, "lost")));
    server.authority.tell_due().await.unwrap();
    assert_eq!(slack.messages().len(), 1, "it was taken");
    slack.stand_in.behave(crate::support::Ways::Honest);
    server.time().pass(Span::minutes(2));
    server.authority.tell_due().await.unwrap();
    assert_eq!((slack.messages().len(), slack.stand_in.asked().len()), (1, 2));
    assert_eq!(notices(&server).await, ["stage_opened channel:prod sent"]);
}

#[tokio::test]
async fn t36_what_strangers_write_mentions_nobody_and_links_nowhere() {
    let (folder, slack) = (tempfile::tempdir().unwrap(), Slack::start().await);
    let server = telling(channels(folder.path(), &at_slack(&slack)), TO_PROD).await;
    filed(&server, "one", "<!channel> <@U1> <https://evil.example|approve here> & now").await;
    server.authority.tell_due().await.unwrap();
    for message in slack.messages() {
        assert!(!message["text"].as_str().unwrap().contains('<'), "{message}");
        for block in message["blocks"].as_array().unwrap() {
            let is_text = block["text"]["type"] == "plain_text";
            let is_link = block["elements"][0]["text"]
                .as_str()
                .is_some_and(|text| text.starts_with(&format!("<{}/requests/req_", server.base())));
            assert!(is_text || is_link, "{block}");
        }
        assert!(!message.to_string().contains("action"), "nothing to press: {message}");
    }
}
