//! Groups and calendars as entries of their own, and checking changes before they are made.

use std::collections::BTreeMap;

use assent_client::{ErrorKind, wire};
use serde_json::json;

use crate::support::{Caller, Server, filing, fresh_key};

const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
groups: {admins: [person:root]}
rules:
  - id: production
    when: {intent.environment: production}
    require: {stages: [{name: release, approvals: 1, from: [group:admins, person:bob]}]}
";

fn group(members: &[&str]) -> wire::NewGroup {
    let members = members.iter().map(|name| format!("person:{name}")).collect();
    wire::NewGroup { members, ..Default::default() }
}

fn weekend() -> wire::NewCalendar {
    let days = ["saturday", "sunday"].map(str::to_owned).to_vec();
    wire::NewCalendar {
        zone: Some("Europe/Berlin".to_owned()),
        days,
        include: vec![wire::CalendarDates::On("2026-12-24".to_owned())],
        ..wire::NewCalendar::default()
    }
}

/// A document with this rule.
fn document(rule: &str) -> wire::NewDocument {
    let text = format!("apiVersion: assent/v1\nkind: Policy\nrules:\n  - {rule}\n");
    wire::NewDocument { text }
}

/// A rule that asks this group about everything in `dba`.
fn asks(group: &str) -> wire::NewDocument {
    document(&format!(
        "{{id: dba, when: {{intent.environment: dba}}, require: {{stages: [{{approvals: 1, from: \
         [group:{group}]}}]}}}}"
    ))
}

async fn codes(root: &Caller, changes: &wire::PolicyCheck) -> Vec<String> {
    let checked = root.client.check_policy(changes).await.unwrap();
    checked.findings.into_iter().map(|finding| finding.code).collect()
}

#[tokio::test]
async fn a_group_rules_from_then_on_and_is_listed_read_and_removed() {
    let server = Server::ruled_by(POLICY).await;
    let (root, bob) = (server.administrator().await, server.person("bob").await);
    let written = root.client.write_group("dba", &group(&["bob", "carol"]), None).await.unwrap();
    assert_eq!((written.version, written.by.as_str()), (1, "root"));
    root.client.write_document("dba.yaml", &asks("dba"), None).await.unwrap();
    let alice = server.person("alice").await;
    let request = alice.client.file(&filing("dba", "r"), &fresh_key()).await.unwrap();
    assert_eq!(crate::support::approve(&bob, &request).await.unwrap().state, "approved");
    // The same again is no new version; something else is.
    let again = root.client.write_group("dba", &group(&["carol", "bob"]), None).await.unwrap();
    assert_eq!(again, written);
    let next = root.client.write_group("dba", &group(&["carol"]), None).await.unwrap();
    assert_eq!(next.version, 2);
    assert_eq!(bob.client.policy_group("dba").await.unwrap(), next);
    let listed = bob.client.policy_groups().await.unwrap().groups;
    assert_eq!(listed, BTreeMap::from([("dba".to_owned(), next)]));
    let documents = bob.client.policy_documents().await.unwrap().documents;
    assert_eq!(documents.keys().collect::<Vec<_>>(), ["dba.yaml"], "entries are no documents");
    bob.get("/v1/policy/documents/groups%2Fdba").await.refuses(404, "not_found");
    root.client.remove_document("dba.yaml", None).await.unwrap();
    root.client.remove_group("dba", None).await.unwrap();
    let gone = bob.client.policy_group("dba").await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::NotFound);
    let gone = root.client.remove_group("dba", None).await.unwrap_err();
    assert_eq!(gone.code(), Some("not_found"));
    assert!(bob.client.policy_groups().await.unwrap().groups.is_empty());
}

#[tokio::test]
async fn a_group_can_be_vouched_for_and_have_a_name_with_parts() {
    let server = Server::ruled_by(POLICY).await;
    let root = server.administrator().await;
    let vouched = wire::NewGroup { identity: Some(true), ..wire::NewGroup::default() };
    let written = root.client.write_group("team/on.call", &vouched, None).await.unwrap();
    assert_eq!((written.name.as_str(), written.identity), ("team/on.call", Some(true)));
    root.client.write_document("a.yaml", &asks("team/on.call"), None).await.unwrap();
    let ada = server.member("ada", &["team/on.call"]).await;
    let alice = server.person("alice").await;
    let request = alice.client.file(&filing("dba", "r"), &fresh_key()).await.unwrap();
    assert_eq!(crate::support::approve(&ada, &request).await.unwrap().state, "approved");
}

#[tokio::test]
async fn a_group_can_be_a_team_at_github_and_nothing_besides() {
    let server = Server::ruled_by(POLICY).await;
    let root = server.administrator().await;
    let named = |team: &str| wire::NewGroup {
        github_team: Some(team.to_owned()),
        ..wire::NewGroup::default()
    };
    let written = root.client.write_group("ops", &named("acme/ops"), None).await.unwrap();
    assert_eq!(written.github_team.as_deref(), Some("acme/ops"));
    assert_eq!(root.client.policy_group("ops").await.unwrap(), written);
    let policy = server.authority.policy();
    let teams: Vec<_> = policy.teams().map(|(group, team)| format!("{group}={team}")).collect();
    assert_eq!(teams, ["ops=acme/ops"]);
    for wrong in [
        named("acme"),
        wire::NewGroup { identity: Some(true), ..named("acme/ops") },
        wire::NewGroup { members: ["person:bob".to_owned()].into(), ..named("acme/ops") },
    ] {
        assert!(root.client.write_group("wrong", &wrong, None).await.is_err(), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_calendar_is_told_as_it_was_written_and_conditions_name_it() {
    let server = Server::ruled_by(POLICY).await;
    let root = server.administrator().await;
    let written = root.client.write_calendar("weekend", &weekend(), None).await.unwrap();
    assert_eq!((written.calendar, written.version), (weekend(), 1));
    let rule = "{id: w, when: {now: {within: weekend}}, deny: {message: not at weekends}}";
    root.client.write_document("w.yaml", &document(rule), None).await.unwrap();
    let listed = root.client.policy_calendars().await.unwrap().calendars;
    assert_eq!(listed["weekend"], root.client.policy_calendar("weekend").await.unwrap());
    let used = root.client.remove_calendar("weekend", None).await.unwrap_err();
    assert_eq!(used.code(), Some("in_use"));
    assert!(used.message.contains("calendar `weekend` is used by rule `w`"), "{used}");
    root.client.remove_document("w.yaml", None).await.unwrap();
    root.client.remove_calendar("weekend", None).await.unwrap();
}

#[tokio::test]
async fn what_is_used_is_not_removed_and_whoever_uses_it_is_told() {
    let server = Server::ruled_by(POLICY).await;
    let root = server.administrator().await;
    root.client.write_group("dba", &group(&["bob"]), None).await.unwrap();
    root.client.write_document("dba.yaml", &asks("dba"), None).await.unwrap();
    let told = root.delete("/v1/policy/groups/dba").await.refuses(409, "in_use");
    assert!(told.contains("group `dba` is used by rule `dba` at api:/dba.yaml:4:"), "{told}");
    let answer = root.delete("/v1/policy/groups/dba").await.json();
    let field = answer["errors"][0]["field"].as_str().unwrap();
    assert!(field.starts_with("api:/dba.yaml:4:"), "{answer}");
    let told = root.delete("/v1/policy/documents/dba.yaml").await;
    told.is(204);
    root.delete("/v1/policy/groups/dba").await.is(204);
}

#[tokio::test]
async fn what_is_wrong_with_an_entry_is_told_by_its_field() {
    let server = Server::ruled_by(POLICY).await;
    let root = server.administrator().await;
    let calendar = async |body: serde_json::Value| root.put("/v1/policy/calendars/c", &body).await;
    let told = async |answer: crate::support::Answer, field: &str| {
        let found = answer.json()["errors"][0]["field"].clone();
        answer.refuses(422, "invalid_policy");
        assert_eq!(found, field);
    };
    told(calendar(json!({"days": ["monday", "sunday?"]})).await, "api:/calendars/c: days[1]").await;
    let twice = json!({"windows": [{"days": ["monday"]}, {"from": "9:00", "to": "17:00"}]});
    told(calendar(twice).await, "api:/calendars/c: windows[1].from").await;
    let strange = json!({"members": ["person:bob", "group:x"]});
    let strange = root.put("/v1/policy/groups/g", &strange).await;
    told(strange, "api:/groups/g: members[0]").await;
    for body in [json!({}), json!({"members": ["person:a"], "identity": true})] {
        let answer = root.put("/v1/policy/groups/g", &body).await;
        assert_eq!(answer.json()["errors"][0]["field"], "members");
        answer.refuses(422, "invalid");
    }
    root.put("/v1/policy/groups/g", &json!({"people": []})).await.refuses(422, "invalid");
    assert!(root.client.policy_groups().await.unwrap().groups.is_empty());
}

#[tokio::test]
async fn t47_only_administrators_write_entries_and_workloads_do_not_read_them() {
    let server = Server::ruled_by(POLICY).await;
    let ci = server.workload("ci", &[]).await;
    let body = json!({"members": ["person:bob"]});
    for who in [server.person("bob").await, ci.clone()] {
        who.put("/v1/policy/groups/g", &body).await.refuses(403, "not_administrator");
        who.put("/v1/policy/calendars/g", &json!({})).await.refuses(403, "not_administrator");
        who.delete("/v1/policy/groups/g").await.refuses(403, "not_administrator");
    }
    for path in ["groups", "groups/g", "calendars", "calendars/c"] {
        ci.get(&format!("/v1/policy/{path}")).await.refuses(403, "not_for_workloads");
    }
    let check = json!({"groups": {"g": body}});
    ci.post("/v1/policy/check", &check).await.refuses(403, "not_for_workloads");
    let root = server.administrator().await;
    for name in ["a.yaml", "x_test.YML", "m.rego", "a%20b"] {
        let path = format!("/v1/policy/groups/{name}");
        root.put(&path, &body).await.refuses(422, "invalid");
    }
}

#[tokio::test]
async fn what_is_defined_twice_is_a_fault_wherever_it_comes_from() {
    let server = Server::ruled_by(POLICY).await;
    let root = server.administrator().await;
    let twice = root.client.write_group("admins", &group(&["mallory"]), None).await.unwrap_err();
    assert_eq!(twice.code(), Some("invalid_policy"));
    assert!(twice.message.contains("group `admins` is defined twice"), "{twice}");
    assert!(twice.message.contains("api:/groups/admins"), "{twice}");
    assert!(twice.message.contains("tests.yaml:5:"), "{twice}");
    let rule = document("{id: production, allow: {}}");
    let twice = root.client.write_document("a.yaml", &rule, None).await.unwrap_err();
    assert!(twice.message.contains("rule `production` stands already at"), "{twice}");
}

#[tokio::test]
async fn a_check_takes_changes_together_and_changes_nothing() {
    let server = Server::ruled_by(POLICY).await;
    let (root, bob) = (server.administrator().await, server.person("bob").await);
    let before = root.client.policy_status().await.unwrap();
    let mut changes = wire::PolicyCheck::default();
    changes.documents.insert("dba.yaml".to_owned(), Some(asks("dba")));
    // Alone, the document names a group that is not there.
    let checked = bob.client.check_policy(&changes).await.unwrap();
    assert_eq!(checked.revision, None);
    let fault = &checked.faults[0];
    let place = (fault.file.as_str(), fault.line, fault.document.as_deref());
    assert_eq!(place, ("api:/dba.yaml", 4, Some("dba.yaml")));
    assert!(fault.message.contains("there is no group `dba`"), "{fault:?}");
    // Together they are right, and rule as they were told once they are made.
    changes.groups.insert("dba".to_owned(), Some(group(&["bob", "carol"])));
    let checked = bob.client.check_policy(&changes).await.unwrap();
    assert_eq!((&*checked.faults, &*checked.approvals), (&[][..], &[][..]));
    let after = root.client.policy_status().await.unwrap();
    assert_eq!(before, after);
    root.client.write_group("dba", &group(&["bob", "carol"]), None).await.unwrap();
    root.client.write_document("dba.yaml", &asks("dba"), None).await.unwrap();
    let now = root.client.policy_status().await.unwrap();
    assert_eq!(checked.revision, Some(now.revision));
    // Removing one of the two is a fault of the other.
    let gone = wire::PolicyCheck {
        groups: BTreeMap::from([("dba".to_owned(), None)]),
        ..wire::PolicyCheck::default()
    };
    let checked = bob.client.check_policy(&gone).await.unwrap();
    let told = &checked.faults[0];
    assert_eq!(told.document.as_deref(), Some("dba.yaml"));
    assert!(told.message.contains("group `dba`, which is to be removed, is used by rule `dba`"));
    let mut both = gone;
    both.documents.insert("dba.yaml".to_owned(), None);
    let checked = bob.client.check_policy(&both).await.unwrap();
    assert_eq!((checked.faults.len(), checked.revision), (0, Some(before.revision)));
}

#[tokio::test]
async fn a_check_tells_fields_and_findings() {
    let server = Server::ruled_by(POLICY).await;
    let root = server.administrator().await;
    let mut changes = wire::PolicyCheck::default();
    changes.groups.insert("idle".to_owned(), Some(group(&["bob"])));
    assert_eq!(codes(&root, &changes).await, ["unused-group"]);
    changes.groups.insert("none".to_owned(), Some(wire::NewGroup::default()));
    let checked = root.client.check_policy(&changes).await.unwrap();
    let fault = &checked.faults[0];
    let field = (fault.document.as_deref(), fault.field.as_deref());
    assert_eq!(field, (Some("groups/none"), Some("members")));
    let mut changes = wire::PolicyCheck::default();
    let calendar = wire::NewCalendar { zone: Some("Berlin".to_owned()), ..weekend() };
    changes.calendars.insert("c".to_owned(), Some(calendar));
    changes.documents.insert("no-ending".to_owned(), Some(asks("admins")));
    let faults = root.client.check_policy(&changes).await.unwrap().faults;
    assert_eq!(faults[0].document.as_deref(), Some("no-ending"));
    changes.documents.clear();
    let faults = root.client.check_policy(&changes).await.unwrap().faults;
    assert_eq!(faults[0].field.as_deref(), Some("zone"), "{faults:?}");
}

#[tokio::test]
async fn a_decision_names_where_each_rule_stands() {
    let server = Server::ruled_by(POLICY).await;
    let (root, alice) = (server.administrator().await, server.person("alice").await);
    let freeze = "{id: freeze, when: {intent.environment: production}, deny: {message: no}}";
    root.client.write_document("freeze.yaml", &document(freeze), None).await.unwrap();
    let decision = alice.client.decide(&filing("production", "r")).await.unwrap();
    let places: Vec<_> = decision
        .explanation
        .iter()
        .map(|account| (account.rule.as_str(), account.place.as_deref().unwrap()))
        .collect();
    assert_eq!(places, [("freeze", "api:/freeze.yaml:4:5"), ("production", "tests.yaml:7:5")]);
}
