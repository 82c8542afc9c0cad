//! A login that a grant opens, used by a step of an apply: real Terraform, real PostgreSQL.

use std::fs;

use super::HEAD;
use super::process::eventually;
use super::world::World;
use crate::brokers::brokers_yaml;
use crate::brokers::database::{BROKER_PASSWORD, Database};

/// Nobody is asked; the rule names the broker and the role.
const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: terraform-broker}
rules:
  - id: migrations
    when: {intent.environment: staging}
    allow: {credential: {max_ttl: 15m, broker: orders-db, role: orders_reader}}
";

/// A step that reads the table with the login, and then ends so.
fn step(end: &str) -> String {
    format!(
        r#"{HEAD}
resource "assent_approval" "read" {{
  environment = "staging"
  reason      = "Count the orders"
}}
ephemeral "assent_credential" "db" {{
  approval_id = assent_approval.read.id
  audience    = "orders"
  broker      = "orders-db"
}}
resource "terraform_data" "count" {{
  provisioner "local-exec" {{
    command     = "psql -qAtXc 'SELECT count(*), current_user FROM orders' \"$URL\" > ../count{end}"
    environment = {{ URL = ephemeral.assent_credential.db.fields["url"] }}
  }}
}}
"#
    )
}

/// What a world with this step did: what it read, once its login is gone.
async fn read(end: &str, code: i32) -> String {
    let database = Database::start().await;
    let brokers = brokers_yaml(database.port, "");
    let world = World::with_brokers(POLICY, &step(end), &brokers, BROKER_PASSWORD).await;
    world.run(&["plan", "-input=false", "-out=plan.out"]).await.exits(0);
    assert!(database.roles().is_empty(), "a plan opened a login");
    world.apply().await.exits(code);
    eventually("the end of the login", async || database.roles().is_empty().then_some(())).await;
    let plan = world.run(&["show", "-json", "plan.out"]).await.exits(0);
    let state = fs::read_to_string(world.work("terraform.tfstate")).unwrap();
    for text in [&plan.said, &state] {
        assert!(text.contains("assent_approval") && !text.contains("postgresql://"), "{text}");
    }
    fs::read_to_string(world.at("count")).unwrap()
}

#[tokio::test]
async fn a_step_reads_with_a_login_that_is_gone_after_the_apply() {
    assert!(read("", 0).await.starts_with("3|assent_0"));
}

#[tokio::test]
async fn a_step_that_fails_does_not_leave_its_login_behind() {
    assert!(read(" && exit 7", 1).await.starts_with("3|assent_0"));
}
