//! Signals about a person, a workload or an environment, and what follows from each.

use assent_client::wire::{self, History};
use assent_core::access::Purpose;
use assent_core::time::Span;
use serde_json::{Value, json};

use crate::support::{Answer, Caller, Server, approve, filing, fresh_key, mint};

/// `more` is what stands in `defaults.on_signal` and beside the rules.
fn rules(on_signal: &str, more: &str) -> String {
    format!(
        "
apiVersion: assent/v1
kind: Policy
defaults: {{on_signal: {{{on_signal}}}}}
groups:
  release-managers: [person:bob, person:carol, person:dave]
rules:
  - id: two
    when: {{intent.environment: production}}
    require: {{stages: [{{name: release, approvals: 2, from: [group:release-managers]}}]}}
  - id: one
    when: {{intent.environment: one}}
    require: {{stages: [{{name: release, approvals: 1, from: [group:release-managers]}}]}}
  - id: staging
    when: {{intent.environment: staging}}
    allow: {{credential: {{max_ttl: 15m, uses: 3}}}}
  - id: nobody-risky-in-production
    when: {{intent.environment: production, requester.states: {{contains: risky}}}}
    deny: {{message: sign in again}}
  - id: stands-still
    when: {{environment.states: {{contains: incident}}, not: {{intent.reason: {{prefix: repair}}}}}}
    deny: {{message: an incident is being worked on}}
{more}"
    )
}

fn person(name: &str) -> Value {
    json!({"person": {"iss": "assent:local", "sub": name}})
}

async fn told(by: &Caller, about: Value, state: &str) -> Answer {
    by.post("/v1/signals", &json!({"about": about, "state": state, "reason": "r"})).await
}

async fn is_active(server: &Server, token: &str) -> bool {
    let bob = server.person("dave").await;
    let answer = bob.form("/oauth/introspect", &[("token", token)]).await.is(200);
    answer.json()["active"] == json!(true)
}

async fn state(who: &Caller, id: &str) -> String {
    who.client.request(id).await.unwrap().state
}

async fn filed(who: &Caller, environment: &str, reason: &str) -> wire::Request {
    who.client.file(&filing(environment, reason), &fresh_key()).await.unwrap()
}

/// The whole log, verified by somebody who does not trust who wrote it.
async fn verified(root: &Caller) -> Vec<Value> {
    let checkpoint = root.client.checkpoint().await.unwrap();
    let entries = root.client.entries(0).await.unwrap().entries;
    let mut history = History::default();
    entries.iter().for_each(|entry| history.read(entry).unwrap());
    history.finish(&checkpoint).unwrap();
    entries.into_iter().map(|entry| entry.event).collect()
}

fn of_type<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}

#[tokio::test]
async fn t11_a_suspended_person_does_not_act_and_their_review_does_not_count() {
    let server = Server::ruled_by(&rules("", "")).await;
    let root = server.administrator().await;
    let (alice, bob, carol) = server.people().await;
    let dave = server.person("dave").await;
    let asked = filed(&alice, "production", "r").await;
    approve(&bob, &asked).await.unwrap();
    let granted = filed(&alice, "one", "r").await;
    approve(&bob, &granted).await.unwrap();
    told(&root, person("bob"), "suspended").await.is(201);
    // At review: who is gone makes no quorum with whoever is left.
    assert_eq!(approve(&carol, &asked).await.unwrap().state, "pending");
    assert_eq!(approve(&dave, &asked).await.unwrap().state, "approved");
    // At mint: the grant that leaned on them is worth nothing.
    let path = format!("/v1/requests/{}/credentials", granted.id);
    alice.post(&path, &json!({"audience": "aws"})).await.refuses(409, "no_longer_approved");
    // Nor do they act at all, by token or in a browser.
    for path in ["/v1/whoami", "/v1/requests"] {
        bob.get(path).await.refuses(403, "suspended");
    }
    assert!(server.authority.sign_in_by_token(bob.token()).await.is_err());
    let ci = server.workload("ci", &["bob"]).await;
    ci.get("/v1/whoami").await.refuses(403, "suspended");
    told(&root, person("bob"), "clear").await.is(201);
    bob.get("/v1/whoami").await.is(200);
    verified(&root).await;
}

#[tokio::test]
async fn what_a_suspended_person_asked_for_ends_and_so_does_what_is_done_for_them() {
    let server = Server::ruled_by(&rules("", "")).await;
    let root = server.administrator().await;
    let alice = server.person("alice").await;
    let ci = server.workload("ci", &["alice"]).await;
    let (waits, open) = (filed(&alice, "one", "r").await, filed(&alice, "staging", "r").await);
    let of_ci = filed(&ci, "staging", "r").await;
    let credential = mint(&ci, &of_ci).await.unwrap();
    let other = server.person("zoe").await;
    let kept = filed(&other, "staging", "r").await;
    let theirs = mint(&other, &kept).await.unwrap();
    let signal = told(&root, person("alice"), "suspended").await.is(201).str("id");
    assert!(!is_active(&server, &credential.token).await);
    assert!(is_active(&server, &theirs.token).await);
    server.authority.sweep().await.unwrap();
    let states = [&waits.id, &open.id, &of_ci.id, &kept.id];
    let mut found = Vec::new();
    for id in states {
        found.push(state(&root, id).await);
    }
    assert_eq!(found, ["canceled", "revoked", "revoked", "approved"]);
    let events = verified(&root).await;
    let stopped = of_type(&events, "stopped");
    assert_eq!(stopped.len(), 3);
    assert!(stopped.iter().all(|event| event["signal"] == json!(signal)), "{stopped:?}");
    let ending = root.client.request(&waits.id).await.unwrap().ending.unwrap();
    assert_eq!((ending.by, ending.reason), (None, format!("person:alice is suspended ({signal})")));
}

#[tokio::test]
async fn introspection_is_inactive_from_the_moment_a_signal_is_acknowledged() {
    let server = Server::ruled_by(&rules("", "")).await;
    let root = server.administrator().await;
    let alice = server.person("alice").await;
    let request = filed(&alice, "staging", "before").await;
    let before = mint(&alice, &request).await.unwrap();
    assert!(is_active(&server, &before.token).await);
    told(&root, person("alice"), "flagged").await.is(201);
    // Nothing was swept; nobody has looked at the request.
    assert!(!is_active(&server, &before.token).await);
    let body = json!({"token": before.token, "audience": "aws"});
    let db = server.workload("db", &[]).await;
    db.post("/v1/credentials/redeem", &body).await.refuses(403, "credential_inactive");
    // What is granted from then on was ruled on with it known, and stays.
    let after = filed(&alice, "staging", "after").await;
    let later = mint(&alice, &after).await.unwrap();
    server.authority.sweep().await.unwrap();
    assert!(is_active(&server, &later.token).await);
    assert!(!is_active(&server, &before.token).await);
    let events = verified(&root).await;
    assert_eq!(of_type(&events, "stopped").len(), 1);
    // Taking it back brings nothing back.
    told(&root, person("alice"), "clear").await.is(201);
    assert!(!is_active(&server, &before.token).await);
}

#[tokio::test]
async fn what_waits_ends_where_rules_see_it_differently_now_and_is_kept_or_stopped_where_policy_says_so()
 {
    for (on_signal, wanted) in [
        ("", ["canceled", "pending"]),
        ("risky: {pending: keep}", ["pending", "pending"]),
        ("risky: {pending: stop}", ["canceled", "canceled"]),
    ] {
        let server = Server::ruled_by(&rules(on_signal, "")).await;
        let root = server.administrator().await;
        let alice = server.person("alice").await;
        let ids = [filed(&alice, "production", "r").await.id, filed(&alice, "one", "r").await.id];
        told(&root, person("alice"), "risky").await.is(201);
        for (id, wanted) in ids.iter().zip(wanted) {
            assert_eq!(state(&root, id).await, wanted, "{on_signal}");
        }
        // Filed anew, it is ruled on with that known.
        assert_eq!(filed(&alice, "production", "again").await.state, "denied", "{on_signal}");
        verified(&root).await;
    }
}

#[tokio::test]
async fn policy_chooses_what_becomes_of_what_was_granted_and_approved() {
    let on_signal = "risky: {granted: keep, approved: revoke}";
    let server = Server::ruled_by(&rules(on_signal, "")).await;
    let root = server.administrator().await;
    let (alice, bob, _) = server.people().await;
    let own = filed(&bob, "staging", "r").await;
    let kept = mint(&bob, &own).await.unwrap();
    let approved = filed(&alice, "one", "r").await;
    approve(&bob, &approved).await.unwrap();
    let leaning = mint(&alice, &approved).await.unwrap();
    told(&root, person("bob"), "risky").await.is(201);
    assert!(is_active(&server, &kept.token).await);
    assert!(!is_active(&server, &leaning.token).await);
    server.authority.sweep().await.unwrap();
    assert!(is_active(&server, &kept.token).await);
    verified(&root).await;
}

#[tokio::test]
async fn an_incident_ends_what_is_live_there_and_rules_from_then_on() {
    let server = Server::ruled_by(&rules("", "")).await;
    let root = server.administrator().await;
    let alice = server.person("alice").await;
    let request = filed(&alice, "staging", "r").await;
    let credential = mint(&alice, &request).await.unwrap();
    let elsewhere = filed(&alice, "one", "r").await;
    told(&root, json!({"environment": "staging"}), "incident").await.is(201);
    assert!(!is_active(&server, &credential.token).await);
    assert_eq!(filed(&alice, "staging", "business as usual").await.state, "denied");
    let repair = filed(&alice, "staging", "repair it").await;
    let repairing = mint(&alice, &repair).await.unwrap();
    server.authority.sweep().await.unwrap();
    assert!(is_active(&server, &repairing.token).await);
    assert_eq!(state(&alice, &elsewhere.id).await, "pending");
    let all = root.get("/v1/signals").await.is(200).json();
    assert_eq!(all["about"][0]["about"], json!({"environment": "staging"}));
    told(&root, json!({"environment": "staging"}), "clear").await.is(201);
    assert_eq!(filed(&alice, "staging", "usual again").await.state, "approved");
}

const SOURCES: &str = "
sources:
  detector: {workload: siem, states: [risky, incident], issuers: [local], environments: [staging]}
";

#[tokio::test]
async fn a_source_tells_what_policy_lets_it_and_nobody_else_tells_anything() {
    let server = Server::ruled_by(&rules("", SOURCES)).await;
    let root = server.administrator().await;
    let siem = server.workload("siem", &[]).await;
    let staging = || json!({"environment": "staging"});
    let heard = told(&siem, person("alice"), "risky").await.is(201);
    assert_eq!(heard.str("teller"), "source:detector");
    told(&siem, staging(), "incident").await.is(201);
    let foreign = json!({"person": {"iss": "https://id.example.com", "sub": "x"}});
    for (about, state) in [
        (person("alice"), "suspended"),
        (json!({"workload": {"iss": "assent:local", "sub": "ci"}}), "flagged"),
        (json!({"environment": "production"}), "incident"),
        (foreign.clone(), "risky"),
        (foreign, "clear"),
    ] {
        told(&siem, about, state).await.refuses(403, "not_a_source");
    }
    // A person of the source's name is none, should there be one.
    for other in [server.person("siem").await, server.workload("ci", &[]).await] {
        told(&other, person("alice"), "risky").await.refuses(403, "not_a_source");
        other.get("/v1/signals").await.refuses(403, "not_administrator");
    }
    server.stranger().post("/v1/signals", &json!({})).await.refuses(401, "no_token");
    // A source takes back its own word, and no administrator's.
    told(&root, person("alice"), "flagged").await.is(201);
    told(&siem, person("alice"), "clear").await.is(201);
    let all = root.get("/v1/signals").await.is(200).json();
    let states: Vec<_> =
        all["about"].as_array().unwrap().iter().map(|signal| &signal["state"]).collect();
    assert_eq!(states, ["flagged", "incident"]);
}

#[tokio::test]
async fn whoever_is_known_elsewhere_under_this_server_s_url_is_one_of_its_own() {
    let server = Server::ruled_by(&rules("", SOURCES)).await;
    let (root, alice, bob) =
        (server.administrator().await, server.person("alice").await, server.person("bob").await);
    let ours = server.authority.base();
    let known_as = |name: &str| json!({"person": {"iss": ours, "sub": name}});
    let heard = told(&root, known_as("bob"), "suspended").await.is(201);
    assert_eq!(heard.json()["about"], person("bob"));
    bob.get("/v1/whoami").await.refuses(403, "suspended");
    // A source that speaks of this server's own people speaks of them by either name.
    let siem = server.workload("siem", &[]).await;
    told(&siem, known_as("alice"), "risky").await.is(201);
    told(&siem, known_as("alice"), "suspended").await.refuses(403, "not_a_source");
    let like_ours = json!({"person": {"iss": format!("{ours}/"), "sub": "alice"}});
    told(&siem, like_ours, "risky").await.refuses(403, "not_a_source");
    alice.get("/v1/whoami").await.is(200);
    told(&root, known_as("bob"), "clear").await.is(201);
    bob.get("/v1/whoami").await.is(200);
}

#[tokio::test]
async fn what_is_told_is_read_strictly_and_once() {
    let server = Server::ruled_by(&rules("", "")).await;
    let root = server.administrator().await;
    let good = json!({"about": person("alice"), "state": "risky", "reason": "r"});
    let with = |name: &str, value: Value| {
        let mut signal = good.clone();
        signal[name] = value;
        signal
    };
    for (name, value) in [
        ("state", json!("fishy")),
        ("state", json!("incident")),
        ("about", json!({"environment": "staging"})),
        ("about", json!({"person": {"iss": "assent:local", "sub": ""}})),
        ("about", json!({"person": {"iss": "x", "sub": "y"}, "environment": "z"})),
        ("reason", json!(" ")),
        ("reason", json!("a\u{202e}b")),
        ("reason", json!("x".repeat(501))),
        ("until", json!("yesterday")),
        ("until", json!("2001-01-01T00:00:00Z")),
        ("more", json!(1)),
    ] {
        root.post("/v1/signals", &with(name, value.clone())).await.refuses(422, "invalid");
    }
    let key = fresh_key();
    let first = root.post_again(key.as_str(), "/v1/signals", &good).await.is(201).json();
    let again = root.post_again(key.as_str(), "/v1/signals", &good).await.is(201).json();
    assert_eq!(first, again);
    let other = with("reason", json!("another"));
    root.post_again(key.as_str(), "/v1/signals", &other).await.refuses(422, "key_reused");
    assert_eq!(of_type(&verified(&root).await, "signal_heard").len(), 1);
}

#[tokio::test]
async fn what_holds_until_a_moment_holds_no_longer() {
    let server = Server::ruled_by(&rules("", "")).await;
    let root = server.administrator().await;
    let alice = server.person("alice").await;
    let mut signal = json!({"about": person("alice"), "state": "suspended", "reason": "r"});
    signal["until"] = json!("1h");
    root.post("/v1/signals", &signal).await.is(201);
    alice.get("/v1/whoami").await.refuses(403, "suspended");
    server.time().pass(Span::hours(1));
    alice.get("/v1/whoami").await.is(200);
}

#[tokio::test]
async fn whoever_is_risky_signs_in_again() {
    let server = Server::ruled_by(&rules("", "")).await;
    let root = server.administrator().await;
    let alice = server.person("alice").await;
    let authority = &server.authority;
    let session = authority.sign_in_by_token(alice.token()).await.unwrap();
    let is_in = async |session: &assent_client::Secret| {
        authority.admit(session.expose(), Purpose::Session).await.is_ok()
    };
    assert!(is_in(&session).await);
    told(&root, person("alice"), "risky").await.is(201);
    assert!(!is_in(&session).await);
    let fresh = authority.sign_in_by_token(alice.token()).await.unwrap();
    assert!(is_in(&fresh).await);
}

#[tokio::test]
async fn a_suspended_administrator_leaves_the_door_of_the_first_one() {
    let server = Server::ruled_by(&rules("", "")).await;
    let root = server.administrator().await;
    assert!(server.authority.open_bootstrap().await.unwrap().is_none());
    told(&root, person("root"), "suspended").await.is(201);
    root.get("/v1/whoami").await.refuses(403, "suspended");
    assert!(server.authority.open_bootstrap().await.unwrap().is_some());
}

#[tokio::test]
async fn nothing_that_was_told_is_lost_between_its_record_and_its_effects() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.sqlite");
    let text = rules("", "");
    let server = Server::on_file_ruled_by(&file, &text).await;
    let root = server.administrator().await;
    let alice = server.person("alice").await;
    let request = filed(&alice, "staging", "r").await;
    let credential = mint(&alice, &request).await.unwrap();
    let waits = filed(&alice, "one", "r").await;
    told(&root, person("alice"), "suspended").await.is(201);
    // It dies before anybody has followed that through.
    let remains = server.stop().await;
    let server = Server::on_file_again(&file, remains, &text).await;
    let root = server.administrator().await;
    assert!(!is_active(&server, &credential.token).await);
    server.holder_of(alice.token()).get("/v1/whoami").await.refuses(403, "suspended");
    assert_eq!(of_type(&verified(&root).await, "stopped").len(), 0);
    server.authority.sweep().await.unwrap();
    assert_eq!(state(&root, &waits.id).await, "canceled");
    assert_eq!(of_type(&verified(&root).await, "stopped").len(), 2);
    // And once is enough.
    let remains = server.stop().await;
    let server = Server::on_file_again(&file, remains, &text).await;
    server.authority.sweep().await.unwrap();
    let root = server.administrator().await;
    assert_eq!(of_type(&verified(&root).await, "stopped").len(), 2);
}

#[tokio::test]
async fn t53_a_stop_without_its_signal_is_no_history() {
    let server = Server::ruled_by(&rules("", "")).await;
    let root = server.administrator().await;
    let alice = server.person("alice").await;
    filed(&alice, "one", "r").await;
    told(&root, person("alice"), "suspended").await.is(201);
    server.authority.sweep().await.unwrap();
    let events = verified(&root).await;
    let read = |events: &[Value]| {
        let mut frontier = assent_core::audit::Frontier::default();
        let mut history = History::default();
        for (index, event) in events.iter().enumerate() {
            let bytes = wire::entry_bytes(event);
            frontier.push(assent_core::audit::leaf_hash(&bytes));
            let entry = wire::Entry { index: index as u64, event: event.clone() };
            history.read(&entry).map_err(|error| error.to_string())?;
        }
        let (size, root) = (frontier.size(), frontier.root().hex());
        history.finish(&wire::Checkpoint { size, root }).map_err(|error| error.to_string())
    };
    read(&events).unwrap();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut events = events.clone();
        let signal = events.iter_mut().find(|event| event["type"] == "signal_heard").unwrap();
        change(signal);
        read(&events).unwrap_err()
    };
    let told_of = |name: &'static str| {
        changed(&move |signal| signal["signal"]["about"]["person"]["sub"] = json!(name))
    };
    assert!(told_of("bob").contains("which says something else"));
    let kept = changed(&|signal| signal["signal"]["pending"] = json!("keep"));
    assert!(kept.contains("which does not stop it"), "{kept}");
    let later = changed(&|signal| signal["signal"]["at"] = json!("2001-01-01T00:00:00.000Z"));
    assert!(later.contains("which does not stop it"), "{later}");
    let none: Vec<_> = events.iter().filter(|e| e["type"] != "signal_heard").cloned().collect();
    assert!(read(&none).unwrap_err().contains("not on record before"));
}
