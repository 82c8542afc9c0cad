//! Many approvals, and many runs, at once.

use std::collections::BTreeSet;
use std::fs;

use assent_client::wire;
use serde_json::Value;

use super::HEAD;
use super::process::eventually;
use super::world::World;

/// How many approvals.
const MANY: usize = 30;
/// How many resources Terraform works on at once, unless it is told otherwise.
const AT_ONCE: usize = 10;

/// As many approvals, each of another database, with more arguments.
fn crowd(more: &str) -> String {
    format!(
        r#"{HEAD}
resource "assent_approval" "each" {{
  for_each    = toset([for number in range({MANY}) : tostring(number)])
  environment = "one"
  reason      = "Resize it"
  target      = {{ database = each.key }}
  {more}
}}
"#
    )
}

/// One approval of this workspace.
const OF_WORKSPACE: &str = r#"
resource "assent_approval" "release" {
  environment = "one"
  reason      = "Resize the orders database"
  target      = { workspace = terraform.workspace }
}
"#;

/// Those that are pending.
async fn pending(world: &World) -> Vec<wire::Request> {
    world.requests(&[("state", "pending"), ("limit", "200")]).await
}

/// Those that are pending as soon as there are so many.
async fn when_pending(world: &World, count: usize) -> Vec<wire::Request> {
    eventually(&format!("{count} requests"), async || {
        Some(pending(world).await).filter(|found| found.len() == count)
    })
    .await
}

/// How many approvals are in the state.
fn kept(world: &World) -> usize {
    let text = fs::read_to_string(world.work("terraform.tfstate")).unwrap();
    let state: Value = serde_json::from_str(&text).unwrap();
    let instances = |resource: &Value| resource["instances"].as_array().unwrap().len();
    state["resources"].as_array().unwrap().iter().map(instances).sum()
}

#[tokio::test]
async fn thirty_wait_ten_at_a_time_and_all_get_through() {
    let world = World::new(&crowd("")).await;
    let apply = world.start_apply();
    let mut seen = BTreeSet::new();
    let mut waiting = when_pending(&world, AT_ONCE).await;
    while seen.len() < MANY {
        assert!(waiting.len() <= AT_ONCE, "{} wait at once", waiting.len());
        for asked in &waiting {
            assert!(seen.insert(asked.id.clone()), "{} was approved before", asked.id);
            world.bob_approves(asked).await;
        }
        if seen.len() < MANY {
            let next = async || Some(pending(&world).await).filter(|found| !found.is_empty());
            waiting = eventually("the next requests", next).await;
        }
    }
    apply.end().await.exits(0).says(&["Apply complete! Resources: 30 added"]);
    assert_eq!(kept(&world), MANY);
    world.plan().await.exits(0).says(&["No changes."]);
    assert_eq!(world.requests(&[("limit", "200")]).await.len(), MANY);
    world.providers_are_gone().await;
}

#[tokio::test]
async fn thirty_that_nobody_waits_for_are_asked_at_once_and_go_on_together() {
    let world = World::new(&crowd("wait = false")).await;
    world.apply().await.exits(1).says(&["Error: Approval is pending"]);
    let asked = pending(&world).await;
    assert_eq!(asked.len(), MANY);
    for request in &asked {
        world.bob_approves(request).await;
    }
    world.apply().await.exits(0).says(&["Apply complete! Resources: 30 added"]);
    assert_eq!(kept(&world), MANY);
    assert_eq!(world.requests(&[("limit", "200")]).await.len(), MANY);
}

#[tokio::test]
async fn thirty_that_are_asked_at_plan_are_asked_once() {
    let world = World::new(&crowd(r#"request_at = "plan""#)).await;
    world.plan().await.exits(2).says(&["Approval required"]);
    let asked = pending(&world).await;
    assert_eq!(asked.len(), MANY);
    world.plan().await.exits(2);
    for request in &asked {
        world.bob_approves(request).await;
    }
    world.apply().await.exits(0).says(&["Apply complete! Resources: 30 added"]);
    assert_eq!(world.requests(&[("limit", "200")]).await.len(), MANY);
}

#[tokio::test]
async fn two_workspaces_wait_at_once_and_each_for_its_own() {
    let world = World::new(&format!("{HEAD}{OF_WORKSPACE}")).await;
    world.run(&["workspace", "new", "blue"]).await.exits(0);
    world.run(&["workspace", "new", "green"]).await.exits(0);
    let apply = |workspace: &str| {
        let mut command = world.terraform(&["apply", "-auto-approve", "-input=false"]);
        command.env("TF_WORKSPACE", workspace);
        world.start_command(command)
    };
    let (blue, green) = (apply("blue"), apply("green"));
    let asked = when_pending(&world, 2).await;
    let of = |workspace: &str| {
        let mut found = asked.iter().filter(|asked| asked.intent.target["workspace"] == workspace);
        found.next().unwrap()
    };
    world.bob_approves(of("blue")).await;
    blue.end().await.exits(0);
    assert_eq!(world.request(&of("green").id).await.state, "pending");
    world.carol_denies(of("green"), "not this one").await;
    green.end().await.exits(1).says(&["Error: Approval denied", "not this one"]);
}

#[tokio::test]
async fn a_second_run_meets_the_lock_and_the_first_goes_on() {
    let world = World::new(&format!("{HEAD}{OF_WORKSPACE}")).await;
    let first = world.start_apply();
    let asked = world.asked().await;
    world.apply().await.exits(1).says(&["Error acquiring the state lock"]);
    assert_eq!(world.request(&asked.id).await.state, "pending");
    world.bob_approves(&asked).await;
    first.end().await.exits(0);
    assert_eq!(world.requests(&[]).await.len(), 1);
}
