//! Deliveries as GitHub really sends them (npm `@octokit/webhooks-examples`), signed with the App's
//! secret. The App listens for one event, of which nobody has published an example; everything else
//! is taken and means nothing, whatever it says of runs, deployments and environments.

use std::collections::BTreeSet;

use assent_client::Secret;
use assent_server::github::{Place, Settings};
use serde_json::Value;

use crate::support::github::{APP, Github, WEBHOOK_SECRET, fresh_delivery, private_key};
use crate::support::{Server, Setup, tools};

/// What github.com sends.
const HOSTED: [&str; 1] = ["api.github.com"];
/// What servers of one's own send.
const SERVERS: [&str; 5] = ["ghes-31", "ghes-32", "ghes-33", "ghes-34", "ghes-35"];

/// Every example of these: its event and what was sent.
fn examples(places: &[&str]) -> Vec<(String, Value)> {
    let folder = tools::node_modules().join("@octokit/webhooks-examples");
    let mut all = Vec::new();
    for place in places {
        let text = std::fs::read(folder.join(place).join("index.json")).unwrap();
        let events: Vec<Value> = serde_json::from_slice(&text).unwrap();
        for event in events {
            let name = event["name"].as_str().unwrap().to_owned();
            let sent = event["examples"].as_array().unwrap().iter();
            all.extend(sent.map(|example| (name.clone(), example.clone())));
        }
    }
    all
}

async fn world() -> (Github, Server) {
    let github = Github::start().await;
    let app = settings(&github);
    let server = Server::set_up(Setup { github: Some(app), ..Setup::default() }).await;
    // What is swept once a minute is swept now.
    server.authority.guard_deployments().await.unwrap();
    github.forget_calls();
    (github, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn t32_every_real_delivery_is_taken_and_none_files_or_asks_anything() {
    let (github, server) = world().await;
    let all = examples(&[HOSTED.as_slice(), &SERVERS].concat());
    for event in ["deployment_review", "workflow_job", "workflow_run", "deployment", "ping"] {
        assert!(all.iter().any(|(name, _)| name == event), "no example of {event}");
    }
    assert!(all.len() > 300, "{}", all.len());
    let mut again = BTreeSet::new();
    for (event, body) in &all {
        let delivery = fresh_delivery();
        let times = if again.insert(event) { 2 } else { 1 };
        for _ in 0..times {
            let status = Github::deliver(server.base(), &delivery, event, body).await;
            assert!((200..300).contains(&status), "{event}: {status}");
        }
    }
    assert_eq!(server.authority.guard_deployments().await.unwrap(), 0, "none is a hint");
    assert!(github.calls().is_empty(), "{:#?}", github.calls());
    let root = server.administrator().await;
    assert!(root.client.requests(&[]).await.unwrap().requests.is_empty());
}

/// The same under the name of the event that is heard: whatever is taken for a hint leads to a look
/// at GitHub, which knows nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn t34_a_real_delivery_under_a_wrong_name_is_a_look_at_github_at_most() {
    let (github, server) = world().await;
    let mut hints = 0;
    for (event, mut body) in examples(&HOSTED) {
        // As they are, and with the environment that a hint needs.
        for environment in [None, Some("production")] {
            if let (Some(name), Some(fields)) = (environment, body.as_object_mut()) {
                fields.insert("environment".to_owned(), Value::from(name));
            }
            let (base, delivery) = (server.base(), fresh_delivery());
            let wrong = "deployment_protection_rule";
            let status = Github::deliver(base, &delivery, wrong, &body).await;
            assert!((200..300).contains(&status), "{event}: {status}");
        }
        hints += server.authority.guard_deployments().await.unwrap();
    }
    assert!(hints > 0, "workflow_run names a run");
    let calls = github.calls();
    assert!(!calls.is_empty());
    assert!(calls.iter().all(|call| call.method == "GET" && call.status == 404), "{calls:#?}");
    let root = server.administrator().await;
    assert!(root.client.requests(&[]).await.unwrap().requests.is_empty());
}
