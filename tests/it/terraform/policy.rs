//! Policy as code: a plan knows what is wrong, an apply writes it, drift is seen, and people approve
//! where policy wants it.

use assent_client::wire;
use serde_json::json;

use super::HEAD;
use super::world::World;

/// What the directory says: nothing of what is written here.
const BASE: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: base}
groups:
  release-managers: [person:bob, person:carol]
rules:
  - id: staging
    when: {intent.environment: staging}
    allow: {credential: {max_ttl: 15m}}
";

/// The same, where changes of policy are approved by one of the release managers.
const APPROVED: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: base}
defaults: {policy_changes: approved}
groups:
  release-managers: [person:bob, person:carol]
rules:
  - id: policy
    when: {intent.kind: assent.policy}
    require:
      stages:
        - {name: review, approvals: 1, from: [group:release-managers]}
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h}
";

/// A document with one rule, for this environment, that asks this group.
fn document(name: &str, id: &str, group: &str) -> String {
    format!(
        r#"
resource "assent_policy" "{name}" {{
  name    = "{name}.yaml"
  content = <<-EOT
    apiVersion: assent/v1
    kind: Policy
    metadata: {{name: {name}}}
    rules:
      - id: {id}
        when: {{intent.environment: {id}}}
        require:
          stages:
            - {{name: review, approvals: 1, from: ["group:{group}"]}}
  EOT
}}
"#
    )
}

/// A group of these people.
fn group(name: &str, members: &str) -> String {
    format!(
        "resource \"assent_group\" \"{name}\" {{\n  name    = \"{name}\"\n  members = [{members}]\n}}\n"
    )
}

/// What policy says of a Terraform apply in this environment.
async fn ruling(world: &World, environment: &str) -> wire::Ruling {
    let intent = wire::Intent {
        kind: "terraform.apply".to_owned(),
        environment: environment.to_owned(),
        reason: "because".to_owned(),
        ..wire::Intent::default()
    };
    let filing = wire::Filing { intent, reattach: false, heartbeat: None };
    world.alice.client.decide(&filing).await.unwrap().ruling
}

/// A group and a document that uses it.
fn both(members: &str) -> String {
    let group = group("dba", members);
    format!("{HEAD}{group}{}", document("prod", "production", "${assent_group.dba.name}"))
}

#[tokio::test]
async fn a_group_and_a_document_that_names_it_come_in_one_apply() {
    let world = World::governed(BASE, &both("\"person:bob\", \"person:carol\"")).await;
    let plan = world.plan().await.exits(2);
    plan.never_says(&["Warning: Probably", "Warning: The policy"])
        .says(&["Plan: 2 to add", "digest = \"sha256:"]);
    assert!(world.root().client.policy_documents().await.unwrap().documents.is_empty());
    world.apply().await.exits(0).says(&["2 added"]);
    assert_eq!(ruling(&world, "production").await.stages[0].from, ["group:dba"]);
    let state = world.in_state("assent_policy").unwrap();
    assert_eq!((&state["version"], &state["written_by"]), (&json!(1), &json!("root")));
    assert_eq!(state["approval_id"], json!(null));
    world.plan().await.exits(0).says(&["No changes."]);
    // An update is another version, and says who wrote it.
    world.configure(&both("\"person:bob\", \"person:alice\", \"person:carol\""));
    world.apply().await.exits(0).says(&["0 added, 1 changed, 0 destroyed"]);
    assert_eq!(world.in_state("assent_group").unwrap()["version"], json!(2));
    let kept = world.root().client.policy_group("dba").await.unwrap();
    assert_eq!(kept.members.len(), 3);
    // Destroyed in the order of use; nothing is left.
    let destroyed = world.run(&["destroy", "-auto-approve", "-input=false"]).await.exits(0);
    destroyed.never_says(&["Warning: Probably", "Warning: The policy"]).says(&["2 destroyed"]);
    assert!(world.root().client.policy_groups().await.unwrap().groups.is_empty());
    world.providers_are_gone().await;
}

#[tokio::test]
async fn a_broken_rule_fails_the_plan_with_its_place() {
    let config = both("\"person:bob\"").replace("stages:", "stagez:");
    let world = World::governed(BASE, &config).await;
    let refused = world.plan().await.exits(1);
    refused.says(&[
        "Error: Invalid policy document with assent_policy.prod, on main.tf line",
        "in resource \"assent_policy\" \"prod\"",
        "content = <<-EOT",
        "prod.yaml:8:7: Unknown key `stagez`",
        "8 | stagez: | ^",
    ]);
    assert!(world.root().client.policy_groups().await.unwrap().groups.is_empty());
    // A group that nobody defines is a fault of the rule that asks it.
    world.configure(&format!("{HEAD}{}", document("prod", "production", "dbas")));
    world.plan().await.exits(1).says(&["prod.yaml:9:11: There is no group `dbas`"]);
    // What is right and yet probably not meant is a warning.
    world.configure(&both("\"person:bob\""));
    let warned = world.plan().await.exits(2);
    warned.says(&["Warning: Probably a mistake in the policy", "When `bob` asks, nobody can fill"]);
    // What is wrong with a group is told at its argument.
    world.configure(&both("\"person:bob\", \"bob\""));
    let refused = world.plan().await.exits(1);
    refused.says(&["Error: Invalid group with assent_group.dba", "members = ["]);
    assert!(world.root().client.policy_groups().await.unwrap().groups.is_empty());
}

#[tokio::test]
async fn a_mistake_across_two_documents_fails_the_plan() {
    let config = format!(
        "{HEAD}{}{}",
        document("a", "twice", "release-managers"),
        document("b", "twice", "release-managers")
    );
    let world = World::governed(BASE, &config).await;
    let refused = world.plan().await.exits(1);
    refused.says(&["`twice`", ".yaml:5:"]);
    assert!(world.root().client.policy_documents().await.unwrap().documents.is_empty());
    // What the directory defines is not defined again.
    world.configure(&format!("{HEAD}{}", document("a", "staging", "release-managers")));
    world.plan().await.exits(1).says(&["`staging`", "policy.yaml:8"]);
}

#[tokio::test]
async fn drift_is_seen_and_nothing_is_written_over_unseen() {
    let world = World::governed(BASE, &both("\"person:bob\"")).await;
    world.apply().await.exits(0);
    let root = &world.root().client;
    // Somebody edits the group: the plan shows it and puts it right.
    let carol =
        wire::NewGroup { members: ["person:carol".to_owned()].into(), ..Default::default() };
    root.write_group("dba", &carol, None).await.unwrap();
    let drift = world.plan().await.exits(2);
    drift.says(&["- \"person:carol\"", "+ \"person:bob\"", "0 to add, 1 to change"]);
    world.apply().await.exits(0);
    assert!(root.policy_group("dba").await.unwrap().members.contains("person:bob"));
    // A saved plan that somebody else overtook is refused.
    world.configure(&both("\"person:bob\", \"person:alice\""));
    world.run(&["plan", "-out", "plan.bin", "-input=false"]).await.exits(0);
    root.write_group("dba", &carol, None).await.unwrap();
    let refused = world.run(&["apply", "-input=false", "plan.bin"]).await.exits(1);
    refused.says(&["Error: It was changed meanwhile", "Nothing was written; plan again"]);
    assert_eq!(root.policy_group("dba").await.unwrap().members, carol.members);
    world.apply().await.exits(0);
    // Neither is what somebody else wrote since removed unseen.
    world.run(&["plan", "-destroy", "-out", "gone.bin", "-input=false"]).await.exits(0);
    root.write_group("dba", &carol, None).await.unwrap();
    let refused = world.run(&["apply", "-input=false", "gone.bin"]).await.exits(1);
    refused.says(&["Error: It was changed meanwhile", "the group `dba`"]);
    assert_eq!(root.policy_group("dba").await.unwrap().members, carol.members);
    world.apply().await.exits(0);
    // What is removed elsewhere is made anew.
    root.remove_document("prod.yaml", None).await.unwrap();
    world.plan().await.exits(2).says(&["1 to add, 0 to change, 0 to destroy"]);
    world.apply().await.exits(0);
    assert_eq!(ruling(&world, "production").await.stages.len(), 1);
}

#[tokio::test]
async fn what_is_used_is_not_removed_and_goes_once_it_is_not() {
    let literal = document("prod", "production", "dba");
    let world = World::governed(BASE, &both("\"person:bob\"")).await;
    world.apply().await.exits(0);
    // The document stays and names the group, which is gone from the configuration.
    world.configure(&format!("{HEAD}{literal}"));
    let refused = world.apply().await.exits(1);
    refused.says(&[
        "Error: assent_group `dba` cannot be removed",
        "Group `dba` is used by rule `production` at api:/prod.yaml:9:11",
        "Change or remove what uses it, in the same run or before.",
    ]);
    assert!(world.in_state("assent_group").is_some());
    // Once nothing names it any more, it goes in the same apply.
    let other = document("prod", "production", "release-managers");
    world.configure(&format!("{HEAD}{other}"));
    world.apply().await.exits(0).says(&["0 added, 1 changed, 1 destroyed"]);
    assert!(world.root().client.policy_groups().await.unwrap().groups.is_empty());
}

#[tokio::test]
async fn what_is_there_already_is_imported_and_never_taken_over_silently() {
    let world = World::governed(BASE, &both("\"person:bob\"")).await;
    let root = &world.root().client;
    let bob = wire::NewGroup { members: ["person:bob".to_owned()].into(), ..Default::default() };
    root.write_group("dba", &bob, None).await.unwrap();
    let refused = world.apply().await.exits(1);
    refused.says(&["Error: It exists already", "terraform import assent_group.NAME dba"]);
    world.run(&["import", "-input=false", "assent_group.dba", "dba"]).await.exits(0);
    world.apply().await.exits(0).says(&["1 added, 0 changed, 0 destroyed"]);
    world.run(&["state", "rm", "assent_policy.prod"]).await.exits(0);
    world.run(&["import", "-input=false", "assent_policy.prod", "prod.yaml"]).await.exits(0);
    world.plan().await.exits(0).says(&["No changes."]);
    let unknown = world.run(&["import", "-input=false", "assent_calendar.x", "hours"]).await;
    unknown.exits(1);
    // By another name it is another thing: made anew before the old one goes.
    let renamed = both("\"person:bob\"").replace(
        "  name    = \"dba\"",
        "  name    = \"admins\"\n  lifecycle {\n    create_before_destroy = true\n  }",
    );
    world.configure(&renamed);
    world.plan().await.exits(2).says(&["name = \"dba\" -> \"admins\" # forces replacement"]);
    world.apply().await.exits(0);
    assert_eq!(ruling(&world, "production").await.stages[0].from, ["group:admins"]);
}

#[tokio::test]
async fn a_calendar_is_written_and_read_back_whole() {
    let config = format!(
        "{HEAD}{}",
        r#"
resource "assent_calendar" "hours" {
  name    = "hours"
  zone    = "Europe/Berlin"
  windows = [{ days = ["monday", "friday"], from = "09:00", to = "17:00" }]
  include = [{ from = "2026-12-24" }]
  exclude = [{ from = "2026-12-25", to = "2026-12-26" }]
}
resource "assent_policy" "late" {
  name    = "late.yaml"
  content = <<-EOT
    apiVersion: assent/v1
    kind: Policy
    metadata: {name: late}
    rules:
      - id: late
        when: {not: {now: {within: "${assent_calendar.hours.name}"}}}
        deny: {message: come back during the day}
  EOT
}
"#
    );
    let world = World::governed(BASE, &config).await;
    world.apply().await.exits(0);
    world.plan().await.exits(0);
    let kept = world.root().client.policy_calendar("hours").await.unwrap();
    assert_eq!(kept.calendar.zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(kept.calendar.include, [wire::CalendarDates::On("2026-12-24".to_owned())]);
    world.run(&["state", "rm", "assent_calendar.hours"]).await.exits(0);
    world.run(&["import", "-input=false", "assent_calendar.hours", "hours"]).await.exits(0);
    world.plan().await.exits(0).says(&["No changes."]);
    world.configure(&config.replace("\"09:00\"", "\"25:00\""));
    let refused = world.plan().await.exits(1);
    refused.says(&[
        "Error: Invalid calendar",
        "windows = [",
        "In `windows[0].from`: `25:00` is not a time of day",
    ]);
}

#[tokio::test]
async fn a_trust_is_written_and_one_that_is_too_wide_is_refused_at_plan() {
    let config = format!(
        "{HEAD}{}",
        r#"
resource "assent_trust" "ci" {
  name     = "ci"
  issuer   = "https://token.actions.githubusercontent.com"
  audience = "https://assent.example.com"
  shape    = "github-actions"
  claims = {
    repository_id       = ["123"]
    repository_owner_id = ["456"]
    ref                 = ["refs/heads/main"]
  }
  may_ask    = { kinds = ["terraform.apply"], environments = ["production"] }
  lifetime   = "10m"
  single_use = true
}
"#
    );
    let world = World::governed(BASE, &config).await;
    world.apply().await.exits(0);
    world.plan().await.exits(0);
    let kept = world.root().client.policy_trust("ci").await.unwrap();
    assert_eq!(kept.trust.claims["repository_id"], wire::ClaimIs::Exactly("123".to_owned()));
    world.run(&["state", "rm", "assent_trust.ci"]).await.exits(0);
    world.run(&["import", "-input=false", "assent_trust.ci", "ci"]).await.exits(0);
    world.plan().await.exits(0).says(&["No changes."]);
    let wide = config.replace("repository_id       = [\"123\"]", "repository = [\"acme/x\"]");
    world.configure(&wide);
    let refused = world.plan().await.exits(1);
    refused.says(&["Error: Invalid trust with assent_trust.ci", "repository_id"]);
}

#[tokio::test]
async fn only_an_administrator_changes_policy_and_is_told_so() {
    let world = World::under(BASE, &both("\"person:bob\"")).await;
    world.plan().await.exits(2);
    let refused = world.apply().await.exits(1);
    refused.says(&[
        "Error: The group `dba` cannot be written",
        "run terraform with the access token of one",
    ]);
    assert!(world.in_state("assent_group").is_none());
}

#[tokio::test]
async fn a_server_that_is_away_is_a_warning_at_plan_and_an_error_at_apply() {
    let mut world = World::governed(BASE, &both("\"person:bob\"")).await;
    world.kill_server().await;
    let plan = world.run(&["plan", "-detailed-exitcode", "-input=false"]).await.exits(2);
    plan.says(&["Warning: The policy cannot be checked now", "could not be reached"]);
    world.apply().await.exits(1);
}

#[tokio::test]
async fn what_is_known_only_at_apply_is_checked_then() {
    let later = "resource \"terraform_data\" \"who\" {\n  input = \"person:bob\"\n}\n";
    let config = both("terraform_data.who.output");
    let world = World::governed(BASE, &format!("{config}{later}")).await;
    let plan = world.plan().await.exits(2);
    plan.says(&["Warning: The policy cannot be checked now", "known only after apply"]);
    world.apply().await.exits(0);
    assert_eq!(ruling(&world, "production").await.stages[0].from, ["group:dba"]);
}

#[tokio::test]
async fn a_change_of_policy_waits_for_the_people_that_policy_names() {
    let config = format!("{HEAD}{}", group("dba", "\"person:bob\""))
        .replace("members =", "reason  = \"bob joins the team\"\n  members =");
    let world = World::governed(APPROVED, &config).await;
    let plan = world.plan().await.exits(2);
    plan.says(&["Warning: Approval required", "1 of release-managers (rule policy)", "/intents/"]);
    assert!(world.root().client.requests(&[]).await.unwrap().requests.is_empty());
    let apply = world.start_apply();
    let asked = world.asked_of_root().await;
    assert_eq!(asked.intent.kind, "assent.policy");
    assert_eq!(asked.intent.reason, "bob joins the team");
    assert!(asked.intent.context["diff"].as_str().unwrap().contains("+"), "{:?}", asked.intent);
    world.bob_approves(&asked).await;
    apply.end().await.exits(0);
    let state = world.in_state("assent_group").unwrap();
    assert_eq!(state["approval_id"], asked.id);
    let spent = world.root().client.request(&asked.id).await.unwrap();
    assert_eq!(spent.state, "consumed", "one approval, one change");
    world.plan().await.exits(0);
    // Denied: nothing is removed, and the next plan wants it again.
    world.configure(HEAD);
    let apply = world.start_apply();
    let asked = world.asked_of_root().await;
    assert_eq!(asked.intent.target["operation"], "remove");
    world.carol_denies(&asked, "still needed").await;
    apply.end().await.exits(1).says(&["Error: Approval denied", "carol: still needed"]);
    assert!(world.root().client.policy_group("dba").await.is_ok());
    assert!(world.in_state("assent_group").is_some());
    world.providers_are_gone().await;
}

#[tokio::test]
async fn a_group_that_the_server_keeps_can_be_looked_up() {
    let look = r#"
data "assent_group" "it" {
  name       = assent_group.dba.name
  depends_on = [assent_group.dba]
}
data "assent_policy" "it" {
  name       = "prod.yaml"
  depends_on = [assent_policy.prod]
}
output "it" {
  value = [data.assent_group.it, data.assent_policy.it]
}
"#;
    let world = World::governed(BASE, &format!("{}{look}", both("\"person:bob\""))).await;
    world.apply().await.exits(0);
    let output = world.terraform(&["output", "-json", "it"]).output().await.unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said[0]["members"], json!(["person:bob"]));
    assert_eq!((&said[0]["version"], &said[0]["identity"]), (&json!(1), &json!(false)));
    assert!(said[1]["content"].as_str().unwrap().contains("id: production"));
    assert_eq!(said[1]["digest"], world.in_state("assent_policy").unwrap()["digest"]);
}
