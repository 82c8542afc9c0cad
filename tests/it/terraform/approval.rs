//! How an apply that waits for people goes on, or fails.

use std::fs;

use serde_json::{Value, json};

use super::world::World;
use super::{HEAD, POLICY, guarded};
use crate::support::fresh_key;

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

/// The policy with the production rule replaced by this one.
fn ruling_otherwise(rule: &str) -> String {
    let (head, rest) = POLICY.split_once("  - id: production\n").unwrap();
    let (_, tail) = rest.split_once("  - id: one\n").unwrap();
    format!("{head}{rule}  - id: one\n{tail}")
}

/// What lets everything in production through.
const PERMIT: &str = "
  - id: relaxed
    when: {intent.environment: production}
    allow: {}
";

/// What lets nothing in production through.
const REFUSE: &str = "
  - id: closed
    when: {intent.environment: production}
    deny: {message: closed for the holidays}
";

/// An approval whose plan shows what is foreseen.
fn foreseen() -> String {
    let preview = r#"
data "assent_decision" "preview" {
  environment = "production"
  reason      = "Resize the orders database"
}
"#;
    guarded("production", "foreseen = data.assent_decision.preview.summary") + preview
}

#[tokio::test]
async fn what_is_foreseen_is_in_the_plan_and_nothing_is_told_where_it_comes_true() {
    let world = World::new(&foreseen()).await;
    let words = "terraform.apply needs approval by 2 of release-managers (rule production)";
    world.plan_into("plan.out").await.says(&["foreseen", words]);
    let apply = world.start(&["apply", "-input=false", "plan.out"]);
    let asked = world.asked().await;
    world.both_approve(&asked).await;
    apply.end().await.exits(0).never_says(&["Policy said something else", "inconsistent"]);
    let approval = world.in_state(APPROVAL).unwrap();
    assert_eq!((&approval["foreseen"], &approval["ruling"]), (&json!(words), &json!("require")));
    let from = json!(["group:release-managers"]);
    let stage = json!({"name": "production/release", "approvals": 2, "from": from});
    assert_eq!(approval["stages"], json!([stage]));
    // What would be foreseen now is about another request.
    world.rule_by(&ruling_otherwise(PERMIT)).await;
    world.plan().await.exits(0).says(&["No changes."]);
}

#[tokio::test]
async fn a_policy_that_is_relaxed_after_the_plan_is_told_and_never_inconsistent() {
    let world = World::new(&foreseen()).await;
    world.plan_into("plan.out").await.says(&["Approval required"]);
    world.rule_by(&ruling_otherwise(PERMIT)).await;
    let apply = world.run(&["apply", "-input=false", "plan.out"]).await.exits(0);
    let told = ["Warning: Policy said something else than foreseen", "needs approval by 2 of"];
    apply.says(&told).says(&["is permitted"]).never_says(&["inconsistent"]);
    let approval = world.in_state(APPROVAL).unwrap();
    assert_eq!((&approval["ruling"], &approval["stages"]), (&json!("permit"), &json!([])));
}

#[tokio::test]
async fn a_policy_that_is_tightened_after_the_plan_counts_and_is_never_inconsistent() {
    let world = World::under(&ruling_otherwise(PERMIT), &foreseen()).await;
    world.plan_into("plan.out").await.never_says(&["Approval required"]);
    world.rule_by(POLICY).await;
    let apply = world.start(&["apply", "-input=false", "plan.out"]);
    let asked = world.asked().await;
    assert!(world.in_state(GUARDED).is_none());
    world.both_approve(&asked).await;
    let told = ["Policy said something else than foreseen", "needs approval by 2 of"];
    apply.end().await.exits(0).says(&told).never_says(&["inconsistent"]);
    assert_eq!(world.in_state(APPROVAL).unwrap()["ruling"], "require");
    // And a plan that foresaw people, under a policy that refuses.
    let again = ["plan", "-input=false", "-replace=assent_approval.release", "-out=again.out"];
    world.run(&again).await.exits(0);
    world.rule_by(&ruling_otherwise(REFUSE)).await;
    let refused = world.run(&["apply", "-input=false", "again.out"]).await.exits(1);
    refused.says(&["Refused by policy", "closed for the holidays"]).never_says(&["inconsistent"]);
}

const AT_PLAN: &str = r#"request_at = "plan""#;

#[tokio::test]
async fn what_is_asked_at_plan_serves_plan_apply_and_retry() {
    let asked_at_plan = format!("{AT_PLAN}\n  timeouts = {{ create = \"500ms\" }}");
    let world = World::new(&guarded("production", &asked_at_plan)).await;
    let plan = world.plan_into("plan.out").await;
    let asked = world.asked().await;
    plan.says(&["Approval required", &format!("Request {} is pending", asked.id)]);
    world.plan().await.exits(2).says(&[&asked.id]);
    world.apply().await.exits(1).says(&["Error: Approval timed out", &asked.id]);
    world.bob_approves(&asked).await;
    world.apply().await.exits(1).says(&["Error: Approval timed out", &asked.id]);
    world.carol_approves(&asked).await;
    world.apply().await.exits(0).says(&[&format!("Request {} is approved", asked.id)]);
    assert_eq!(world.in_state(APPROVAL).unwrap()["id"], asked.id);
    world.plan().await.exits(0);
    assert_eq!(world.requests(&[]).await.len(), 1);
}

#[tokio::test]
async fn what_was_asked_at_plan_and_denied_fails_its_apply_and_is_asked_by_another_plan() {
    let world = World::new(&guarded("production", AT_PLAN)).await;
    world.plan_into("plan.out").await;
    let asked = world.asked().await;
    world.carol_denies(&asked, "not before the audit").await;
    let said = ["Error: Approval denied", "by carol: not before the audit", "It was asked at plan"];
    let refused = world.run(&["apply", "-input=false", "plan.out"]).await.exits(1);
    refused.says(&said).says(&[&asked.url]).never_says(&["inconsistent"]);
    assert_eq!(world.requests(&[]).await.len(), 1, "it was asked again");
    assert!(world.in_state(GUARDED).is_none());
    world.plan_into("again.out").await;
    let again = world.asked().await;
    assert_ne!(again.id, asked.id);
    world.both_approve(&again).await;
    world.run(&["apply", "-input=false", "again.out"]).await.exits(0);
    assert_eq!(world.in_state(APPROVAL).unwrap()["id"], again.id);
}

#[tokio::test]
async fn nobody_is_asked_at_plan_where_that_cannot_be_told_from_apply_or_is_not_needed() {
    let config = guarded("production", AT_PLAN);
    let world = World::new(&config.replace("applying = terraform.applying", "")).await;
    let said = ["Plan cannot be told from apply", "applying = terraform.applying"];
    world.plan().await.exits(1).says(&said);
    for environment in ["staging", "frozen"] {
        world.configure(&guarded(environment, AT_PLAN));
        world.plan().await.exits(2);
    }
    assert!(world.requests(&[]).await.is_empty());
    world.configure(&config);
    world.run(&["plan", "-destroy"]).await.exits(0);
    world.run(&["plan", "-refresh-only"]).await.exits(0);
    world.run(&["validate"]).await.exits(0);
    assert!(world.requests(&[]).await.is_empty());
}

#[tokio::test]
async fn a_change_that_is_asked_at_plan_is_asked_once() {
    let with = |class: &str| format!("{AT_PLAN}\n  triggers = {{ class = \"{class}\" }}");
    let world = World::new(&guarded("one", &with("large"))).await;
    world.plan().await.exits(2);
    world.bob_approves(&world.asked().await).await;
    world.apply().await.exits(0);
    world.configure(&guarded("one", &with("huge")));
    let plan = world.plan().await.exits(2);
    let asked = world.asked().await;
    plan.says(&["must be replaced", &format!("Request {} is pending", asked.id)]);
    world.bob_approves(&asked).await;
    world.apply().await.exits(0);
    assert_eq!(world.in_state(APPROVAL).unwrap()["id"], asked.id);
    assert_eq!(world.requests(&[]).await.len(), 2);
}

/// What is granted here ends a second later.
const SHORT: &str = "
  - id: short
    when: {intent.environment: production}
    require:
      stages:
        - {name: release, approvals: 1, from: [group:release-managers]}
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1s}
";

#[tokio::test]
async fn an_approval_that_expired_is_told_once_or_asked_anew_as_the_configuration_says() {
    let world = World::under(&ruling_otherwise(SHORT), &guarded("production", "")).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    world.bob_approves(&asked).await;
    apply.end().await.exits(0);
    world.becomes(&asked.id, "expired").await;
    let plan = world.plan().await.exits(0);
    plan.says_once("Warning: Approval is expired")
        .says(&[&asked.id, "`renew_when_expired = true`"]);
    world.configure(&guarded("production", "renew_when_expired = true"));
    world.plan().await.exits(2).says(&["must be replaced", "Approval required"]);
    let apply = world.start_apply();
    let again = world.asked().await;
    assert_eq!((again.id == asked.id, again.digest == asked.digest), (false, true));
    world.bob_approves(&again).await;
    apply.end().await.exits(0);
    world.becomes(&again.id, "expired").await;
    // From now on the state says that it is renewed, and the plan that it is.
    let plan = world.plan().await.exits(2);
    plan.says(&["must be replaced"]).never_says(&["Warning: Approval is expired"]);
}

#[tokio::test]
async fn an_approval_that_was_revoked_is_true_in_the_state_and_nothing_is_applied_for_it() {
    let world = World::new(&guarded("one", "")).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    world.bob_approves(&asked).await;
    apply.end().await.exits(0);
    world.alice_revokes(&asked).await;
    world.plan().await.exits(0).says(&["Warning: Approval is revoked", &asked.id]);
    let applied = world.count("ApplyResourceChange");
    let refreshed = world.run(&["apply", "-refresh-only", "-auto-approve"]).await.exits(0);
    refreshed.says(&["Warning: Approval is revoked"]);
    assert_eq!(world.in_state(APPROVAL).unwrap()["state"], "revoked");
    assert_eq!(world.count("ApplyResourceChange"), applied);
    assert_eq!(world.requests(&[]).await.len(), 1);
}

#[tokio::test]
async fn an_approval_that_was_used_up_is_nothing_to_tell() {
    let world = World::new(&guarded("one", "renew_when_expired = true")).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    world.bob_approves(&asked).await;
    apply.end().await.exits(0);
    world.alice.client.complete(&asked.id, &fresh_key()).await.unwrap();
    world.plan().await.exits(0).says(&["No changes."]).never_says(&["Warning: Approval is"]);
    world.configure(&guarded("one", ""));
    world.plan().await.exits(2).says(&["0 to add, 1 to change, 0 to destroy"]);
    world.apply().await.exits(0).never_says(&["Warning: Approval is"]);
}

#[tokio::test]
async fn what_is_imported_needs_no_change() {
    let more = r#"
  target   = { database = "orders" }
  triggers = { class = "large" }
  context  = jsonencode({ ticket = "OPS-1" })
  duration = "15m"
"#;
    let world = World::new(&guarded("one", more)).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    world.bob_approves(&asked).await;
    apply.end().await.exits(0);
    let before = world.in_state(APPROVAL).unwrap();
    world.run(&["state", "rm", "assent_approval.release"]).await.exits(0);
    world.run(&["import", "assent_approval.release", &asked.id]).await.exits(0);
    world.plan().await.exits(0).says(&["No changes."]);
    assert_eq!(world.in_state(APPROVAL).unwrap(), before);
    let unknown = "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z";
    world.run(&["state", "rm", "assent_approval.release"]).await.exits(0);
    let missing = world.run(&["import", "assent_approval.release", unknown]).await.exits(1);
    missing.says(&["cannot be imported", unknown]);
}

/// What the first version of the provider did not keep.
const NEW_ATTRIBUTES: [&str; 6] =
    ["approved_digest", "stages", "plan_digest", "request_at", "renew_when_expired", "foreseen"];

#[tokio::test]
async fn the_state_of_an_earlier_version_is_taken_as_it_is() {
    let world = World::new(&guarded("one", "")).await;
    let apply = world.start_apply();
    let asked = world.asked().await;
    world.bob_approves(&asked).await;
    apply.end().await.exits(0);
    let before = world.in_state(APPROVAL).unwrap();
    let file = world.work("terraform.tfstate");
    let mut state: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for resource in state["resources"].as_array_mut().unwrap() {
        let attributes = resource["instances"][0]["attributes"].as_object_mut().unwrap();
        attributes.retain(|name, _| !NEW_ATTRIBUTES.contains(&name.as_str()));
    }
    fs::write(&file, state.to_string()).unwrap();
    assert!(world.in_state(APPROVAL).unwrap().get("stages").is_none());
    world.run(&["plan", "-detailed-exitcode", "-refresh=false"]).await.exits(0);
    world.plan().await.exits(0).says(&["No changes."]);
    world.run(&["apply", "-refresh-only", "-auto-approve"]).await.exits(0);
    assert_eq!(world.in_state(APPROVAL).unwrap(), before);
    world.run(&["destroy", "-auto-approve"]).await.exits(0);
    assert_eq!(world.request(&asked.id).await.state, "consumed");
}

#[tokio::test]
async fn t43_targeting_what_it_guards_asks_too() {
    let world = World::new(&guarded("production", "")).await;
    let target = "-target=terraform_data.guarded";
    let apply = world.start(&["apply", "-auto-approve", "-input=false", target]);
    let asked = world.asked().await;
    assert!(world.in_state(GUARDED).is_none());
    world.both_approve(&asked).await;
    apply.end().await.exits(0);
    assert_eq!(world.in_state(GUARDED).unwrap()["output"]["value"], "resized");
}
