//! A credential that ends with the Terraform that holds it: the provider sends signs of life by itself,
//! and where nobody is left to take the credential back, silence does.

use std::fs;

use assent_client::wire;
use assent_core::time::Span;
use assent_server::broker::Brokers;
use assent_server::policy::Source;
use serde_json::Value;

use super::HEAD;
use super::process::{Running, eventually, signal};
use super::world::World;
use crate::brokers::brokers_yaml;
use crate::brokers::database::{BROKER_PASSWORD, Database};
use crate::http::life::verify_log;
use crate::support::{Caller, Server, Setup, documents};

const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: terraform-held}
rules:
  - id: held
    when: {intent.environment: held}
    allow: {credential: {max_ttl: 15m, heartbeat: 3s, broker: orders-db, role: orders_reader}}
";

/// A step that uses a login, says so, and goes on until it is told to end.
fn step() -> String {
    format!(
        r#"{HEAD}
resource "assent_approval" "read" {{
  environment = "held"
  reason      = "Count the orders"
}}
ephemeral "assent_credential" "db" {{
  approval_id = assent_approval.read.id
  audience    = "orders"
  broker      = "orders-db"
}}
resource "terraform_data" "count" {{
  provisioner "local-exec" {{
    command     = <<-EOT
      psql -qAtXc 'SELECT count(*) FROM orders' "$URL" > ../count && touch ../used
      while [ -e ../goes_on ]; do sleep 0.05; done
    EOT
    environment = {{ URL = ephemeral.assent_credential.db.fields["url"] }}
  }}
}}
"#
    )
}

/// An apply amid a step that uses a credential, against an authority whose clock the test moves.
struct Held {
    database: Database,
    server: Server,
    alice: Caller,
    world: World,
    apply: Running,
    credential: String,
}

impl Held {
    async fn start() -> Self {
        let database = Database::start().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("brokers.yaml");
        fs::write(&file, brokers_yaml(database.port, "")).unwrap();
        let password = |_: &str| Some(assent_client::Secret::new(BROKER_PASSWORD.to_owned()));
        let setup = Setup {
            source: Source::Given(documents(POLICY)),
            brokers: Brokers::read(&file, &password).unwrap(),
            ..Setup::default()
        };
        let server = Server::set_up(setup).await;
        server.authority.sweep().await.unwrap();
        let alice = server.person("alice").await;
        let world = World::new(&step()).await;
        fs::write(world.at("goes_on"), "").unwrap();
        let mut apply = world.terraform(&["apply", "-auto-approve", "-input=false"]);
        apply.env("ASSENT_URL", server.base()).env("ASSENT_TOKEN", alice.token());
        let apply = world.start_command(apply);
        eventually("the use", async || world.at("used").exists().then_some(())).await;
        let live = alice.client.credentials(&[("state", "live")]).await.unwrap().credentials;
        assert_eq!(live.len(), 1, "{live:?}");
        let credential = live[0].credential.id.clone();
        Self { database, server, alice, world, apply, credential }
    }

    async fn shown(&self) -> wire::CredentialStatus {
        self.alice.client.credential(&self.credential).await.unwrap()
    }

    /// Lets two seconds pass, and waits until a sign of life has come in since.
    async fn beats(&self) {
        let now = self.server.time().pass(Span::seconds(2));
        let due = Some(now.plus(Span::seconds(3)).to_string());
        eventually("a sign of life", async || {
            (self.shown().await.heartbeat_due == due).then_some(())
        })
        .await;
    }

    /// What is on record of a loss.
    async fn lost(&self) -> Vec<Value> {
        let entries = self.alice.client.entries(0).await.unwrap().entries;
        let events = entries.into_iter().map(|entry| entry.event);
        events.filter(|event| event["type"] == "heartbeat_lost").collect()
    }

    async fn closes(&self) {
        assert_eq!(self.database.roles().len(), 1);
        assert_eq!(self.server.authority.close_due().await.unwrap(), 1);
        assert!(self.database.roles().is_empty());
        assert_eq!(self.shown().await.brokered.unwrap().status, "closed");
        verify_log(&self.alice).await;
    }

    fn let_the_step_end(&self) {
        fs::remove_file(self.world.at("goes_on")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_provider_keeps_its_credential_alive_as_long_as_a_step_uses_it() {
    let held = Held::start().await;
    for _ in 0..3 {
        held.beats().await;
    }
    assert_eq!(held.server.authority.sweep().await.unwrap(), 0, "it is silent");
    assert_eq!(held.shown().await.status, "live");
    held.let_the_step_end();
    let Held { world, server, database, alice, credential, apply } = held;
    apply.end().await.exits(0);
    assert_eq!(fs::read_to_string(world.at("count")).unwrap(), "3\n");
    assert_eq!(alice.client.credential(&credential).await.unwrap().status, "revoked");
    server.authority.close_due().await.unwrap();
    assert!(database.roles().is_empty());
    world.providers_are_gone().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_terraform_is_killed_the_provider_takes_its_credential_back() {
    let held = Held::start().await;
    held.apply.signal("KILL").await;
    eventually("the end of the credential", async || {
        (held.shown().await.status == "revoked").then_some(())
    })
    .await;
    held.closes().await;
    assert!(held.lost().await.is_empty());
    held.let_the_step_end();
    held.world.providers_are_gone().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_provider_is_killed_too_its_silence_ends_the_credential() {
    let held = Held::start().await;
    held.beats().await;
    held.apply.signal_group("KILL").await;
    for (_, pid) in held.world.calls() {
        eventually("the end of a provider", async || (!signal("0", &pid).await).then_some(()))
            .await;
    }
    assert_eq!(held.shown().await.status, "live", "somebody was left to take it back");
    held.server.time().pass(Span::seconds(3));
    assert_eq!(held.server.authority.sweep().await.unwrap(), 1);
    assert_eq!(held.shown().await.status, "silent");
    let lost = held.lost().await;
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(lost[0]["credential"], held.credential.as_str());
    held.closes().await;
    held.let_the_step_end();
}
