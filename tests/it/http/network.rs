//! Where a caller calls from, as policy sees it.

use assent_client::wire;
use assent_server::network::Proxies;
use assent_server::policy::Source;
use serde_json::{Value, json};

use crate::support::{Caller, Server, Setup, documents, intent, sent};

const AT_HOME: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
rules:
  - id: at-home
    when: {requester.network.ip: {cidr: [192.0.2.0/24]}}
    allow: {}
  - id: in-germany
    when: {requester.network.country: DE}
    allow: {}
";

async fn behind(trusted: &[&str]) -> Server {
    let trusted = trusted.iter().map(|range| range.parse().unwrap()).collect();
    let country = Some("cf-ipcountry".parse().unwrap());
    let proxies = Proxies::new(trusted, country);
    let source = Source::Given(documents(AT_HOME));
    Server::set_up(Setup { source, proxies, ..Setup::default() }).await
}

async fn filed(who: &Caller, headers: &[(&str, &str)]) -> Value {
    let filing =
        wire::Filing { intent: intent("production", "r"), reattach: false, heartbeat: None };
    let key = crate::support::fresh_key();
    let call = who.call("POST", "/v1/requests").header("idempotency-key", key.as_str());
    let call =
        headers.iter().fold(call.json(&filing), |call, (name, value)| call.header(*name, *value));
    sent(call).await.is(201).json()
}

async fn seen(server: &Server, id: &Value) -> Value {
    let root = server.administrator().await;
    let entries = root.client.entries(0).await.unwrap().entries;
    entries.iter().find(|e| e.event["request"] == *id).unwrap().event["known"]["network"].clone()
}

#[tokio::test]
async fn a_header_of_a_stranger_moves_nobody() {
    let server = behind(&[]).await;
    let alice = server.person("alice").await;
    let forged =
        [("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.7"), ("cf-ipcountry", "DE")];
    let request = filed(&alice, &forged).await;
    assert_eq!(request["state"], "denied");
    assert_eq!(seen(&server, &request["id"]).await, json!({"ip": "127.0.0.1"}));
}

#[tokio::test]
async fn the_word_of_a_trusted_proxy_counts_and_is_recorded() {
    let server = behind(&["127.0.0.0/8"]).await;
    let alice = server.person("alice").await;
    let request = filed(&alice, &[("x-forwarded-for", "203.0.113.1, 192.0.2.7")]).await;
    assert_eq!(request["state"], "approved");
    assert_eq!(seen(&server, &request["id"]).await, json!({"ip": "192.0.2.7"}));
    let forged = filed(&alice, &[("x-forwarded-for", "192.0.2.7, 203.0.113.1")]).await;
    assert_eq!(forged["state"], "denied", "what stands further left, anybody may have written");
    let abroad = filed(&alice, &[("x-forwarded-for", "203.0.113.1"), ("cf-ipcountry", "DE")]).await;
    assert_eq!(abroad["state"], "approved");
    assert_eq!(seen(&server, &abroad["id"]).await, json!({"ip": "203.0.113.1", "country": "DE"}));
    let doubtful = filed(&alice, &[("x-forwarded-for", "192.0.2.7, what")]).await;
    assert_eq!(
        (&doubtful["state"], seen(&server, &doubtful["id"]).await),
        (&json!("denied"), Value::Null)
    );
}

#[tokio::test]
async fn a_dry_run_sees_the_same() {
    let server = behind(&["127.0.0.1"]).await;
    let alice = server.person("alice").await;
    let call = alice.call("POST", "/v1/decisions").json(&intent("production", "r"));
    let answer = sent(call.header("x-forwarded-for", "192.0.2.7")).await.is(200).json();
    assert_eq!(answer["ruling"]["outcome"], "permit");
    let none = alice.call("POST", "/v1/decisions").json(&intent("production", "r"));
    assert_eq!(sent(none).await.is(200).json()["ruling"]["outcome"], "refuse");
}
