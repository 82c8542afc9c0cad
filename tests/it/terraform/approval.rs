//! How an apply that waits for people goes on, or fails.

use serde_json::json;

use super::world::World;
use super::{HEAD, guarded};

const APPROVAL: &str = "assent_approval";
const GUARDED: &str = "terraform_data";

#[tokio::test]
async fn two_approvals_let_it_go_on_and_the_next_plan_is_empty() {
    let world = World::new(&guarded("production", "")).await;
    let plan = world.plan().await.exits(2);
    plan.says(&["Approval required", "2 of release-managers (rule production)"]);
    assert!(world.requests(&[]).await.is_empty(), "a plan filed something");
    let apply = world.start_apply();
    let asked = world.asked().await;
    assert!(world.in_state(GUARDED).is_none());
    world.both_approve(&asked).await;
    apply.end().await.exits(0).says(&["Apply complete! Resources: 2 added"]);
    let approval = world.in_state(APPROVAL).unwrap();
    assert_eq!(approval["id"], asked.id);
    assert_eq!(approval["state"], "approved");
    assert_eq!(approval["approved_by"], json!(["bob", "carol"]));
    assert_eq!(approval["intent_digest"], asked.digest);
    assert_eq!(world.in_state(GUARDED).unwrap()["output"]["value"], "resized");
    world.plan().await.exits(0).says(&["No changes."]);
    assert_eq!(world.requests(&[]).await.len(), 1);
    world.providers_are_gone().await;
}

#[tokio::test]
async fn a_denial_says_who_and_why_and_nothing_is_touched() {
    let world = World::new(&guarded("production", "")).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    world.carol_denies(&asked, "not before the audit").await;
    let said = ["Error: Approval denied", "denied by carol: not before the audit", &asked.url];
    apply.end().await.exits(1).says(&said);
    assert!(world.in_state(APPROVAL).is_none() && world.in_state(GUARDED).is_none());
    world.plan().await.exits(2).says(&["Plan: 2 to add, 0 to change, 0 to destroy"]);
    world.providers_are_gone().await;
}

#[tokio::test]
async fn nobody_deciding_in_time_is_told_apart() {
    let world = World::new(&guarded("brief", "")).await;
    world.apply().await.exits(1).says(&["Error: Approval expired", "files a new request"]);
    assert!(world.in_state(APPROVAL).is_none() && world.in_state(GUARDED).is_none());
    assert_eq!(world.requests(&[("state", "expired")]).await.len(), 1);
}

#[tokio::test]
async fn after_its_own_timeout_the_next_apply_takes_the_same_request_up() {
    let world = World::new(&guarded("production", r#"timeouts = { create = "500ms" }"#)).await;
    world.apply().await.exits(1).says(&["Error: Approval timed out", "It is left open"]);
    assert!(world.in_state(APPROVAL).is_none());
    let asked = world.asked().await;
    world.both_approve(&asked).await;
    world.apply().await.exits(0);
    assert_eq!(world.in_state(APPROVAL).unwrap()["id"], asked.id);
    assert_eq!(world.requests(&[]).await.len(), 1);
}

#[tokio::test]
async fn without_waiting_it_fails_at_once_and_goes_on_later() {
    let world = World::new(&guarded("production", "wait = false")).await;
    let refused = world.apply().await.exits(1);
    let asked = world.asked().await;
    refused.says(&["Error: Approval is pending", "awaited: 2 of bob, carol", &asked.id]);
    world.both_approve(&asked).await;
    world.apply().await.exits(0);
    assert_eq!(world.in_state(APPROVAL).unwrap()["id"], asked.id);
}

#[tokio::test]
async fn policy_refuses_in_its_own_words() {
    let world = World::new(&guarded("frozen", "")).await;
    let reason = "no changes before the audit";
    world.plan().await.exits(2).says(&["Warning: Apply will be refused", reason]);
    world.apply().await.exits(1).says(&["Error: Refused by policy", reason]);
    assert!(world.in_state(APPROVAL).is_none() && world.in_state(GUARDED).is_none());
    world.configure(&guarded("elsewhere", ""));
    world.apply().await.exits(1).says(&["Error: Refused by policy"]);
}

#[tokio::test]
async fn what_policy_permits_asks_nobody() {
    let world = World::new(&guarded("staging", "")).await;
    world.plan().await.exits(2).never_says(&["Approval required"]);
    world.apply().await.exits(0);
    let approval = world.in_state(APPROVAL).unwrap();
    assert_eq!((&approval["ruling"], &approval["state"]), (&json!("permit"), &json!("approved")));
}

#[tokio::test]
async fn a_change_of_triggers_asks_anew() {
    let world = World::new(&guarded("one", r#"triggers = { class = "large" }"#)).await;
    let apply = world.start_apply();
    let first = world.asked().await;
    world.bob_approves(&first).await;
    apply.end().await.exits(0);
    world.configure(&guarded("one", r#"triggers = { class = "huge" }"#));
    let plan = world.plan().await.exits(2);
    plan.says(&["must be replaced", "# forces replacement", "Approval required"]);
    let apply = world.start_apply();
    let second = world.asked().await;
    assert_ne!(second.digest, first.digest);
    assert_eq!(second.intent.context["triggers"]["class"], "huge");
    world.bob_approves(&second).await;
    apply.end().await.exits(0);
    assert_eq!(world.in_state(APPROVAL).unwrap()["id"], second.id);
    // Terraform is done with the first one, so nothing can be minted from it any more.
    assert_eq!(world.request(&first.id).await.state, "consumed");
}

#[tokio::test]
async fn replacing_asks_anew_for_the_same_thing() {
    let world = World::new(&guarded("one", "")).await;
    let apply = world.start_apply();
    let first = world.asked().await;
    world.bob_approves(&first).await;
    apply.end().await.exits(0);
    let again = ["apply", "-auto-approve", "-replace=assent_approval.release"];
    let apply = world.start(&again);
    let second = world.asked().await;
    assert_eq!(second.digest, first.digest);
    assert_ne!(second.id, first.id);
    world.bob_approves(&second).await;
    apply.end().await.exits(0);
    assert_eq!(world.in_state(APPROVAL).unwrap()["id"], second.id);
}

#[tokio::test]
async fn destroying_waits_for_nobody_and_ends_the_grant() {
    let world = World::new(&guarded("one", "")).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    world.bob_approves(&asked).await;
    apply.end().await.exits(0);
    world.run(&["destroy", "-auto-approve"]).await.exits(0);
    assert!(world.in_state(APPROVAL).is_none());
    assert_eq!(world.request(&asked.id).await.state, "consumed");
}

#[tokio::test]
async fn a_decision_is_read_at_plan_and_files_nothing() {
    let config = format!(
        r#"{HEAD}
data "assent_decision" "preview" {{ environment = "production" }}
data "assent_decision" "frozen" {{ environment = "frozen" }}
output "preview" {{ value = data.assent_decision.preview }}
output "frozen" {{ value = data.assent_decision.frozen }}
"#
    );
    let world = World::new(&config).await;
    world.apply().await.exits(0);
    let shown = world.terraform(&["output", "-json"]).output().await.unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let preview = &shown["preview"]["value"];
    assert_eq!(preview["ruling"], "require");
    assert_eq!(preview["rule_ids"], json!(["production"]));
    assert_eq!(preview["stages"][0]["approvals"], 2);
    assert_eq!(preview["stages"][0]["from"], json!(["group:release-managers"]));
    let frozen = &shown["frozen"]["value"];
    assert_eq!(frozen["ruling"], "refuse");
    assert!(frozen["summary"].as_str().unwrap().contains("no changes before the audit"));
    assert!(world.requests(&[]).await.is_empty());
}
