//! The real terraform with the real provider against the real server, each test in a directory of
//! its own. What terraform prints, what it keeps and what the server knows are held together.

mod approval;
mod broker;
mod credential;
mod crowd;
mod data;
mod exact;
mod examples;
mod faults;
mod functions;
mod gate;
mod held;
mod install;
mod interruption;
mod oidc;
mod policy;
mod process;
mod provider_block;
mod relay;
mod schema;
mod socket;
mod world;

/// What every configuration here begins with.
const HEAD: &str = r#"
terraform {
  required_providers {
    assent = { source = "assent-dev/assent" }
  }
}
provider "assent" {
  applying = terraform.applying
}
"#;

/// Who decides what.
const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: terraform-tests}
groups:
  release-managers: [person:bob, person:carol]
rules:
  - id: production
    when: {intent.environment: production}
    require:
      stages:
        - {name: release, approvals: 2, from: [group:release-managers]}
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h}
  - id: one
    when: {intent.environment: one}
    require:
      stages:
        - {name: release, approvals: 1, from: [group:release-managers]}
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h}
  - id: brief
    when: {intent.environment: brief}
    require:
      stages:
        - {name: release, approvals: 1, from: [group:release-managers]}
      request_expires: 1s
  - id: staging
    when: {intent.environment: staging}
    allow: {credential: {max_ttl: 15m}}
  - id: frozen
    when: {intent.environment: frozen}
    deny: {message: no changes before the audit}
";

/// An approval in this environment, with more arguments, and something that waits for it.
fn guarded(environment: &str, more: &str) -> String {
    format!(
        r#"{HEAD}
resource "assent_approval" "release" {{
  environment = "{environment}"
  reason      = "Resize the orders database"
  {more}
}}
resource "terraform_data" "guarded" {{
  input      = "resized"
  depends_on = [assent_approval.release]
}}
"#
    )
}

/// An approval in this environment, and a credential from it for a step that runs this command with
/// the token in its environment.
fn with_credential(environment: &str, command: &str) -> String {
    format!(
        r#"{HEAD}
resource "assent_approval" "release" {{
  environment = "{environment}"
  reason      = "Resize the orders database"
}}
ephemeral "assent_credential" "db" {{
  approval_id = assent_approval.release.id
  audience    = "orders-db"
}}
resource "terraform_data" "guarded" {{
  provisioner "local-exec" {{
    command = <<-EOT
      {command}
    EOT
    environment = {{ ASSENT_CREDENTIAL = ephemeral.assent_credential.db.token }}
  }}
}}
"#
    )
}
