//! The gate behind what it guards: nothing of that is touched before people have approved.

use assent_client::wire;
use assent_core::digest::Digest;
use serde_json::json;

use super::HEAD;
use super::process::Ran;
use super::world::World;

const GATE: &str = "assent_gate";
const GUARDED: &str = "terraform_data";

/// Something with this input, guarded by a gate in this environment with these arguments.
fn guarded(input: &str, environment: &str, more: &str) -> String {
    let thing = thing(input, "");
    format!("{HEAD}{thing}{}", gate(environment, more))
}

/// Something with this input that leaves a trace when it is destroyed.
fn thing(input: &str, more: &str) -> String {
    format!(
        r#"
resource "terraform_data" "guarded" {{
  input = "{input}"
  {more}
  provisioner "local-exec" {{
    when    = destroy
    command = "echo gone >> ../destroyed"
  }}
}}
"#
    )
}

/// A gate behind it.
fn gate(environment: &str, more: &str) -> String {
    format!(
        r#"
resource "assent_gate" "orders" {{
  environment = "{environment}"
  reason      = "The orders database"
  {more}
  depends_on  = [terraform_data.guarded]
  lifecycle {{
    replace_triggered_by = [terraform_data.guarded]
  }}
}}
"#
    )
}

/// A world in which this is applied; that asks nobody.
async fn applied(config: &str) -> World {
    let world = World::new(config).await;
    world.apply().await.exits(0).never_says(&["Approval required"]);
    assert!(world.requests(&[]).await.is_empty(), "creating a gate filed something");
    world
}

/// What is guarded now.
fn input(world: &World) -> Option<String> {
    world.in_state(GUARDED).map(|state| state["input"]["value"].as_str().unwrap().to_owned())
}

/// Whether what is guarded was destroyed.
fn is_destroyed(world: &World) -> bool {
    world.at("destroyed").exists()
}

/// What an intent says about the gate.
fn operation(request: &wire::Request) -> &str {
    request.intent.context["gate"]["operation"].as_str().unwrap()
}

/// Runs what waits for two people, who approve; until then nothing guarded is touched.
async fn approved(world: &World, arguments: &[&str]) -> (wire::Request, Ran) {
    let before = input(world);
    let run = world.start(arguments);
    let asked = world.asked().await;
    assert_eq!(input(world), before);
    assert!(!is_destroyed(world));
    world.both_approve(&asked).await;
    let ran = run.end().await;
    (world.request(&asked.id).await, ran)
}

const APPLY: [&str; 3] = ["apply", "-auto-approve", "-input=false"];
const DESTROY: [&str; 2] = ["destroy", "-auto-approve"];

#[tokio::test]
async fn a_change_in_place_waits_and_its_approval_is_used_up() {
    let world = applied(&guarded("small", "production", "")).await;
    let first = world.in_state(GATE).unwrap();
    let managers = "2 of release-managers (rule production)";
    assert_eq!(first["asks"], json!({"destroy": managers, "update": managers}));
    world.plan().await.exits(0);
    world.configure(&guarded("large", "production", ""));
    // Terraform shows no warning of a replacement that it decides on by itself, but who is asked.
    world
        .plan()
        .await
        .exits(2)
        .says(&["will be replaced due to changes in replace_triggered_by", managers]);
    let (request, ran) = approved(&world, &APPLY).await;
    ran.exits(0);
    assert_eq!(input(&world).as_deref(), Some("large"));
    assert_eq!((operation(&request), request.state.as_str()), ("update", "consumed"));
    assert_eq!(request.intent.context["gate"]["id"], first["id"]);
    assert_ne!(world.in_state(GATE).unwrap()["id"], first["id"]);
    world.plan().await.exits(0);
    // The next change is another question.
    world.configure(&guarded("huge", "production", ""));
    let (again, ran) = approved(&world, &APPLY).await;
    ran.exits(0);
    assert_ne!((&again.id, &again.digest), (&request.id, &request.digest));
    world.providers_are_gone().await;
}

#[tokio::test]
async fn a_replacement_waits() {
    let triggered = |size: &str| {
        let thing = thing("same", &format!("triggers_replace = \"{size}\""));
        format!("{HEAD}{thing}{}", gate("production", ""))
    };
    let world = applied(&triggered("small")).await;
    world.configure(&triggered("large"));
    let (request, ran) = approved(&world, &APPLY).await;
    ran.exits(0);
    assert!(is_destroyed(&world));
    assert_eq!(operation(&request), "update");
}

#[tokio::test]
async fn a_destroy_says_beforehand_who_is_asked_and_waits() {
    let world = applied(&guarded("small", "production", "")).await;
    let plan = world.run(&["plan", "-destroy"]).await.exits(0);
    plan.says(&["Approval required", "2 of release-managers (rule production)", "/intents/"])
        .says_once("Approval required");
    let (request, ran) = approved(&world, &DESTROY).await;
    ran.exits(0);
    assert!(is_destroyed(&world) && world.in_state(GATE).is_none());
    assert_eq!((operation(&request), request.state.as_str()), ("destroy", "consumed"));
}

#[tokio::test]
async fn a_saved_destroy_plan_waits_when_it_is_applied() {
    let world = applied(&guarded("small", "production", "")).await;
    world.run(&["plan", "-destroy", "-out=plan.out"]).await.exits(0);
    assert!(world.requests(&[]).await.is_empty(), "a plan filed something");
    let (request, ran) = approved(&world, &["apply", "-input=false", "plan.out"]).await;
    ran.exits(0);
    assert_eq!(operation(&request), "destroy");
    assert!(is_destroyed(&world));
}

#[tokio::test]
async fn the_digest_of_a_saved_plan_stands_in_what_is_asked() {
    let world = applied(&guarded("small", "production", "")).await;
    world.configure(&guarded("large", "production", ""));
    world.run(&["plan", "-out=plan.out"]).await.exits(0);
    let digest = Digest::of(&std::fs::read(world.work("plan.out")).unwrap()).to_string();
    let mut command = world.terraform(&["apply", "-input=false", "plan.out"]);
    command.env("ASSENT_PLAN_DIGEST", &digest);
    let apply = world.start_command(command);
    let asked = world.asked().await;
    assert_eq!(asked.intent.digest.as_deref(), Some(digest.as_str()));
    assert_eq!(operation(&asked), "update");
    world.both_approve(&asked).await;
    apply.end().await.exits(0);
    assert_eq!(input(&world).as_deref(), Some("large"));
    assert_eq!(world.request(&asked.id).await.state, "consumed");
}

#[tokio::test]
async fn a_denial_leaves_both_as_they_were_and_names_the_gate() {
    let world = applied(&guarded("small", "production", "")).await;
    let gate = world.in_state(GATE).unwrap();
    let id = gate["id"].as_str().unwrap();
    world.configure(&guarded("large", "production", ""));
    for arguments in [&APPLY[..], &DESTROY] {
        let run = world.start(arguments);
        let asked = world.asked().await;
        world.carol_denies(&asked, "not before the audit").await;
        let said =
            ["Error: Approval denied", "not before the audit", "assent_gate", id, &asked.url];
        run.end().await.exits(1).says(&said).says(&["what it guards is not touched"]);
        assert_eq!(input(&world).as_deref(), Some("small"));
        assert_eq!(world.in_state(GATE).unwrap()["id"], id);
    }
    assert!(!is_destroyed(&world));
    world.providers_are_gone().await;
}

#[tokio::test]
async fn nobody_deciding_in_time_leaves_both_and_the_next_apply_continues() {
    let world =
        applied(&guarded("small", "production", r#"timeouts = { delete = "500ms" }"#)).await;
    world.configure(&guarded("large", "production", r#"timeouts = { delete = "500ms" }"#));
    let said = ["Error: Approval timed out", "`timeouts.delete`", "assent_gate"];
    world.apply().await.exits(1).says(&said);
    assert_eq!(input(&world).as_deref(), Some("small"));
    let asked = world.asked().await;
    world.both_approve(&asked).await;
    world.apply().await.exits(0);
    assert_eq!(input(&world).as_deref(), Some("large"));
    assert_eq!(world.request(&asked.id).await.state, "consumed");
    assert_eq!(world.requests(&[]).await.len(), 1);
}

#[tokio::test]
async fn an_interrupt_withdraws_the_request_and_leaves_both() {
    let world = applied(&guarded("small", "production", "")).await;
    world.configure(&guarded("large", "production", ""));
    let apply = world.start_apply();
    let asked = world.asked().await;
    apply.signal("INT").await;
    apply.end().await.exits(1).says(&["Error: Approval wait cancelled", "was withdrawn"]);
    assert_eq!(world.request(&asked.id).await.state, "canceled");
    assert_eq!(input(&world).as_deref(), Some("small"));
    assert!(world.in_state(GATE).is_some());
    world.providers_are_gone().await;
}

#[tokio::test]
async fn without_waiting_it_fails_at_once_and_goes_on_later() {
    let world = applied(&guarded("small", "production", "wait = false")).await;
    world.configure(&guarded("large", "production", "wait = false"));
    world.apply().await.exits(1).says(&["Error: Approval is pending", "assent_gate"]);
    let asked = world.asked().await;
    world.both_approve(&asked).await;
    world.apply().await.exits(0);
    assert_eq!(input(&world).as_deref(), Some("large"));
}

#[tokio::test]
async fn taking_the_gate_out_together_with_a_change_waits() {
    let world = applied(&guarded("small", "production", "")).await;
    world.configure(&format!("{HEAD}{}", thing("large", "")));
    world.plan().await.exits(2).says(&["Approval required"]);
    let (request, ran) = approved(&world, &APPLY).await;
    ran.exits(0);
    assert_eq!(operation(&request), "destroy");
    assert_eq!(input(&world).as_deref(), Some("large"));
    assert!(world.in_state(GATE).is_none());
}

#[tokio::test]
async fn a_targeted_destroy_waits_too() {
    let world = applied(&guarded("small", "production", "")).await;
    let target = ["destroy", "-auto-approve", "-target=terraform_data.guarded"];
    let (request, ran) = approved(&world, &target).await;
    ran.exits(0);
    assert_eq!(operation(&request), "destroy");
    assert!(is_destroyed(&world));
}

#[tokio::test]
async fn after_a_change_that_failed_the_gate_is_gone_until_the_next_as_documented() {
    let world = applied(&guarded("small", "production", "")).await;
    let fails = "provisioner \"local-exec\" { command = \"exit 7\" }";
    let failing = format!("{HEAD}{}{}", thing("large", fails), gate("production", ""));
    world.configure(&failing.replace("input = \"large\"", "triggers_replace = [\"large\"]"));
    let (_, ran) = approved(&world, &APPLY).await;
    ran.exits(1).says(&["exit status 7"]);
    assert!(world.in_state(GATE).is_none());
    world.configure(&guarded("never approved", "production", ""));
    world.plan().await.exits(2).says(&["Warning: A gate is not there yet", "nobody is asked"]);
    world.apply().await.exits(0);
    assert_eq!(world.requests(&[]).await.len(), 1);
}

#[tokio::test]
async fn a_targeted_apply_goes_past_it_as_documented() {
    let world = applied(&guarded("small", "production", "")).await;
    world.configure(&guarded("large", "production", ""));
    let target = ["apply", "-auto-approve", "-target=terraform_data.guarded"];
    world.run(&target).await.exits(0);
    assert_eq!(input(&world).as_deref(), Some("large"));
    assert!(world.requests(&[]).await.is_empty());
}

#[tokio::test]
async fn gate_on_destroy_lets_changes_through() {
    let config = |input: &str| guarded(input, "production", r#"gate_on = ["destroy"]"#);
    let world = applied(&config("small")).await;
    world.configure(&config("large"));
    world.apply().await.exits(0);
    assert_eq!(input(&world).as_deref(), Some("large"));
    assert!(world.requests(&[]).await.is_empty());
    let (request, ran) = approved(&world, &DESTROY).await;
    ran.exits(0);
    assert_eq!(operation(&request), "destroy");
}

#[tokio::test]
async fn gate_on_update_lets_the_end_through_and_says_so() {
    let config = |input: &str| guarded(input, "production", r#"gate_on = ["update"]"#);
    let world = applied(&config("small")).await;
    world.configure(&config("large"));
    let (request, ran) = approved(&world, &APPLY).await;
    ran.exits(0);
    assert_eq!(operation(&request), "update");
    world.run(&["plan", "-destroy"]).await.exits(0).says(&["A gate goes without asking"]);
    world.run(&DESTROY).await.exits(0);
    assert!(is_destroyed(&world));
    assert_eq!(world.requests(&[]).await.len(), 1);
}

#[tokio::test]
async fn a_gate_is_not_weakened_without_asking_whom_it_asks() {
    let world = applied(&guarded("small", "production", r#"gate_on = ["destroy"]"#)).await;
    world.configure(&guarded("small", "staging", r#"gate_on = ["destroy"]"#));
    let said = ["must be replaced", "Approval required", "2 of release-managers"];
    world.plan().await.exits(2).says(&said).says_once("Approval required");
    let (request, ran) = approved(&world, &APPLY).await;
    ran.exits(0);
    assert_eq!(
        (operation(&request), request.intent.environment.as_str()),
        ("change_gate", "production")
    );
    assert_eq!(request.intent.context["gate"]["next"], json!({"environment": "staging"}));
    // From now on policy permits it.
    world.run(&DESTROY).await.exits(0).never_says(&["Approval required"]);
    assert!(is_destroyed(&world));
}

#[tokio::test]
async fn a_change_of_triggers_shows_both_to_those_who_approve() {
    let config = |size: &str| {
        let triggers = format!("triggers = {{ size = \"{size}\" }}");
        guarded(size, "production", &triggers)
    };
    let world = applied(&config("small")).await;
    world.configure(&config("large"));
    world.plan().await.exits(2).says(&["Approval required"]).says_once("Approval required");
    let (request, ran) = approved(&world, &APPLY).await;
    ran.exits(0);
    let context = &request.intent.context;
    assert_eq!(context["triggers"], json!({"size": "small"}));
    assert_eq!(context["gate"]["next_triggers"], json!({"size": "large"}));
}

#[tokio::test]
async fn another_reason_is_a_change_in_place_that_asks_nobody() {
    let config = guarded("small", "production", "");
    let world = applied(&config).await;
    let before = world.in_state(GATE).unwrap();
    world.configure(&config.replace("The orders database", "Orders, and invoices"));
    world.apply().await.exits(0).says(&["0 added, 1 changed, 0 destroyed"]);
    let after = world.in_state(GATE).unwrap();
    assert_eq!((&after["id"], &after["reason"]), (&before["id"], &json!("Orders, and invoices")));
    assert!(world.requests(&[]).await.is_empty());
}

#[tokio::test]
async fn a_tainted_gate_asks_before_it_is_replaced() {
    let world = applied(&guarded("small", "production", "")).await;
    world.run(&["taint", "assent_gate.orders"]).await.exits(0);
    let run = world.start_apply();
    let asked = world.asked().await;
    assert_eq!(operation(&asked), "update");
    world.both_approve(&asked).await;
    run.end().await.exits(0);
    assert_eq!(input(&world).as_deref(), Some("small"));
}

#[tokio::test]
async fn under_create_before_destroy_it_asks_too_late_and_says_so() {
    let late = |input: &str| {
        guarded(input, "production", "")
            .replace("lifecycle {", "lifecycle {\n create_before_destroy = true\n")
    };
    let world = applied(&late("small")).await;
    world.configure(&late("large"));
    let run = world.start_apply();
    let asked = world.asked().await;
    assert_eq!(operation(&asked), "unknown");
    assert_eq!(input(&world).as_deref(), Some("large"));
    world.carol_denies(&asked, "too late").await;
    run.end().await.exits(1).says(&["is under `create_before_destroy`", "Approval denied"]);
}

#[tokio::test]
async fn what_it_guards_may_be_under_create_before_destroy() {
    let triggered = |size: &str| {
        let more = format!(
            "triggers_replace = \"{size}\"\n lifecycle {{\n create_before_destroy = true\n }}"
        );
        format!("{HEAD}{}{}", thing(size, &more), gate("production", ""))
    };
    let world = applied(&triggered("small")).await;
    world.configure(&triggered("large"));
    let (request, ran) = approved(&world, &APPLY).await;
    ran.exits(0);
    assert_eq!(operation(&request), "update");
    assert_eq!(input(&world).as_deref(), Some("large"));
}

#[tokio::test]
async fn removing_it_from_the_state_goes_past_it_as_documented() {
    let world = applied(&guarded("small", "production", "")).await;
    world.run(&["state", "rm", "assent_gate.orders"]).await.exits(0);
    world.configure(&format!("{HEAD}{}", thing("large", "")));
    world.apply().await.exits(0);
    assert_eq!(input(&world).as_deref(), Some("large"));
    assert!(world.requests(&[]).await.is_empty());
}

#[tokio::test]
async fn a_removed_block_without_destroy_goes_past_it_as_documented() {
    let world = applied(&guarded("small", "production", "")).await;
    let removed = r#"
removed {
  from = assent_gate.orders
  lifecycle {
    destroy = false
  }
}
"#;
    world.configure(&format!("{HEAD}{}{removed}", thing("large", "")));
    world.apply().await.exits(0);
    assert_eq!(input(&world).as_deref(), Some("large"));
    assert!(world.requests(&[]).await.is_empty());
}

#[tokio::test]
async fn refreshing_alone_asks_nobody_and_keeps_true_who_would_be_asked() {
    let world = applied(&guarded("small", "production", "")).await;
    let policy = std::fs::read_to_string(world.at("policy/policy.yaml")).unwrap();
    let other = policy.replacen("approvals: 2", "approvals: 1", 1);
    std::fs::write(world.at("policy/policy.yaml"), other).unwrap();
    super::process::eventually("the other policy", async || {
        world.run(&["apply", "-refresh-only", "-auto-approve"]).await.exits(0);
        let asks = world.in_state(GATE).unwrap()["asks"]["update"].clone();
        (asks == "1 of release-managers (rule production)").then_some(())
    })
    .await;
    assert!(world.requests(&[]).await.is_empty());
}
