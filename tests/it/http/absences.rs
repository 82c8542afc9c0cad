//! Being out of office: who stands in, who may say so, and what it does to requests.

use std::sync::Arc;

use assent_client::wire::{Absence, NewAbsence};
use assent_client::{ClientError, IdempotencyKey};
use assent_core::time::Span;

use crate::support::{Caller, Remains, Server, Setup, approve, documents, filing, fresh_key, mint};
use assent_server::policy::Source;

const RULES: &str = "
apiVersion: assent/v1
kind: Policy
groups:
  managers: [person:bob, person:carol]
  others: [person:dave, person:erin]
rules:
  - id: production
    when: {intent.environment: production}
    require:
      stages: [{name: release, approvals: 2, from: [group:managers]}]
      request_expires: 4h
";

fn until(server: &Server, hours: u64) -> String {
    server.authority.clock().now().plus(Span::hours(hours)).to_string()
}

async fn away(who: &Caller, to: &str, until: &str) -> Result<Absence, ClientError> {
    away_with(who, to, until, &fresh_key()).await
}

async fn away_with(
    who: &Caller,
    to: &str,
    until: &str,
    key: &IdempotencyKey,
) -> Result<Absence, ClientError> {
    let absence = NewAbsence { to: to.to_owned(), from: None, until: until.to_owned() };
    who.client.begin_absence(&absence, key).await
}

#[tokio::test]
async fn a_stand_in_counts_for_whoever_is_away_and_only_while_they_are() {
    let server = Server::ruled_by(RULES).await;
    let (alice, bob, carol) = server.people().await;
    let dave = server.person("dave").await;
    let file = async |reason: &str| {
        alice.client.file(&filing("production", reason), &fresh_key()).await.unwrap()
    };
    let request = file("r").await;
    assert_eq!(approve(&dave, &request).await.unwrap_err().code(), Some("not_asked"));
    let key = fresh_key();
    let absence = away_with(&bob, "dave", &until(&server, 2), &key).await.unwrap();
    let again = away_with(&bob, "dave", &absence.until, &key).await.unwrap();
    assert_eq!(again, absence);
    approve(&dave, &request).await.unwrap();
    assert_eq!(approve(&carol, &request).await.unwrap().state, "approved");
    mint(&alice, &request).await.unwrap();
    // Both together are one approval.
    let both = file("both").await;
    approve(&dave, &both).await.unwrap();
    assert_eq!(approve(&bob, &both).await.unwrap().state, "pending");
    // It ends by itself, and from then on nobody stands in.
    server.time().pass(Span::hours(2));
    let late = file("late").await;
    assert_eq!(approve(&dave, &late).await.unwrap_err().code(), Some("not_asked"));
}

#[tokio::test]
async fn what_a_stand_in_approved_does_not_count_once_the_absence_is_taken_back() {
    let server = Server::ruled_by(RULES).await;
    let (alice, bob, carol) = server.people().await;
    let (dave, root) = (server.person("dave").await, server.administrator().await);
    let request = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    let absence = away(&bob, "dave", &until(&server, 2)).await.unwrap();
    approve(&dave, &request).await.unwrap();
    assert_eq!(approve(&carol, &request).await.unwrap().state, "approved");
    let refused = carol.client.end_absence(&absence.id, &fresh_key()).await.unwrap_err();
    assert_eq!(refused.code(), Some("not_found"), "it is neither hers nor does she administer");
    let ended = root.client.end_absence(&absence.id, &fresh_key()).await.unwrap();
    assert_eq!(ended.ended_by.unwrap().sub, "root");
    assert_eq!(mint(&alice, &request).await.unwrap_err().code(), Some("no_longer_approved"));
    let log = alice.client.entries(0).await.unwrap().entries;
    let kinds: Vec<_> = log.iter().filter_map(|entry| entry.event["type"].as_str()).collect();
    assert!(kinds.contains(&"absence_begun") && kinds.contains(&"absence_ended"), "{kinds:?}");
}

#[tokio::test]
async fn a_stand_in_of_the_requester_does_not_count_nor_one_who_asks() {
    let server = Server::ruled_by(RULES).await;
    let (bob, carol) = (server.person("bob").await, server.person("carol").await);
    let dave = server.person("dave").await;
    away(&bob, "dave", &until(&server, 2)).await.unwrap();
    let bobs = bob.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    assert_eq!(approve(&dave, &bobs).await.unwrap_err().code(), Some("not_asked"));
    let daves = dave.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    assert_eq!(approve(&dave, &daves).await.unwrap_err().code(), Some("self_approval"));
    assert_eq!(approve(&carol, &daves).await.unwrap().state, "pending");
}

#[tokio::test]
async fn absences_that_cannot_be_are_refused() {
    let server = Server::ruled_by(RULES).await;
    let bob = server.person("bob").await;
    let code = async |to: &str, until: &str| {
        away(&bob, to, until).await.unwrap_err().code().map(str::to_owned)
    };
    let soon = until(&server, 2);
    assert_eq!(code("bob", &soon).await.as_deref(), Some("invalid_absence"));
    assert_eq!(code("mallory", &soon).await.as_deref(), Some("invalid_absence"));
    assert_eq!(code("dave", &until(&server, 0)).await.as_deref(), Some("invalid_absence"));
    assert_eq!(code("dave", &until(&server, 91 * 24)).await.as_deref(), Some("invalid_absence"));
    assert_eq!(code("dave", "tomorrow").await.as_deref(), Some("invalid"));
    assert_eq!(code("group:others", &soon).await.as_deref(), Some("invalid_absence"));
    away(&bob, "dave", &soon).await.unwrap();
    assert_eq!(code("erin", &soon).await.as_deref(), Some("absence_overlaps"));
    let ci = server.workload("ci", &["bob"]).await;
    let refused = away(&ci, "dave", &soon).await.unwrap_err();
    assert_eq!(refused.code(), Some("not_a_person"));
    assert!(ci.client.absences().await.is_err(), "it tells of people");
}

#[tokio::test]
async fn policy_may_leave_stand_ins_to_its_documents() {
    let server = Server::ruled_by(&format!("{RULES}defaults: {{absences: forbid}}\n")).await;
    let bob = server.person("bob").await;
    let refused = away(&bob, "dave", &until(&server, 2)).await.unwrap_err();
    assert_eq!(refused.code(), Some("absences_forbidden"));
}

#[tokio::test]
async fn an_absence_outlives_a_restart_and_a_policy_that_forbids_it_takes_it_out_of_force() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let server = Server::on_file_ruled_by(&path, RULES).await;
    let bob = server.person("bob").await;
    let absence = away(&bob, "dave", &until(&server, 48)).await.unwrap();
    let remains: Remains = server.remains.clone();
    let ledger = server.ledger();
    server.stop().await;
    for (rules, asked) in
        [(RULES.to_owned(), true), (format!("{RULES}defaults: {{absences: forbid}}\n"), false)]
    {
        let setup = Setup { source: Source::Given(documents(&rules)), ..Setup::default() };
        let server = Server::placed_on(Arc::clone(&ledger), remains.clone(), setup).await;
        let (alice, dave) = (server.person("alice").await, server.person("dave").await);
        assert_eq!(dave.client.absences().await.unwrap().absences, std::slice::from_ref(&absence));
        let filing = filing("production", if asked { "one" } else { "two" });
        let request = alice.client.file(&filing, &fresh_key()).await.unwrap();
        assert_eq!(approve(&dave, &request).await.is_ok(), asked);
        server.stop().await;
    }
}
