//! Brokers against the real thing they open: a PostgreSQL server of the test's own.

mod amid;
mod aws;
mod closing;
mod command_line;
mod crash;
pub(crate) mod database;
mod emulators;
mod example;
mod github;
mod held;
mod incident;
mod installations;
mod opening;
mod proxy;
mod recall;
mod signaled;
mod sts;

use std::path::Path;

use assent_client::wire::{self, MintRequest};
use assent_client::{ClientError, Secret};
use assent_server::broker::Brokers;
use assent_server::policy::Source;

use crate::support::{Caller, Server, Setup, approve, documents, eventually, fresh_key};
use database::Database;

/// People are asked for sessions, and what is done in `free` nobody is asked about.
const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
groups:
  owners: [person:bob]
rules:
  - id: sessions
    when: {intent.kind: database.session, intent.environment: production}
    require:
      stages: [{name: owner, approvals: 1, from: [group:owners]}]
      credential: {max_ttl: 10m, broker: orders-db, role: orders_reader}
  - id: free
    when: {intent.kind: database.session, intent.environment: free}
    allow: {credential: {max_ttl: 10m, uses: 3, broker: orders-db}}
  - id: other-broker
    when: {intent.kind: database.session, intent.environment: other}
    allow: {credential: {max_ttl: 10m, broker: billing-db}}
  - id: other-role
    when: {intent.kind: database.session, intent.environment: superusers}
    allow: {credential: {max_ttl: 10m, broker: orders-db, role: postgres}}
  - id: no-broker
    when: {intent.kind: database.session, intent.environment: tokens}
    allow: {credential: {max_ttl: 10m}}
";

/// What `brokers.yaml` says of a database on this port.
pub(crate) fn brokers_yaml(port: u16, more: &str) -> String {
    format!(
        "
apiVersion: assent/v1
kind: Brokers
brokers:
  orders-db:
    type: postgres
    host: 127.0.0.1
    port: {port}
    database: orders
    username: assent_broker
    password_env: BROKER_PASSWORD
    roles: [orders_reader, orders_writer]
{more}"
    )
}

/// The brokers of this file, whose password is the test database's.
fn brokers(text: &str) -> Brokers {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("brokers.yaml");
    std::fs::write(&file, text).unwrap();
    Brokers::read(&file, &|_| Some(Secret::new(database::BROKER_PASSWORD.to_owned()))).unwrap()
}

fn setup(port: u16) -> Setup {
    Setup {
        source: Source::Given(documents(POLICY)),
        brokers: brokers(&brokers_yaml(port, "")),
        ..Setup::default()
    }
}

/// A database, and an authority in front of it.
struct World {
    database: Database,
    server: Server,
    alice: Caller,
}

impl World {
    async fn start() -> Self {
        let database = Database::start().await;
        let server = Server::set_up(setup(database.port)).await;
        let alice = server.person("alice").await;
        Self { database, server, alice }
    }

    /// The same with the ledger in a file.
    async fn on_file(file: &Path) -> Self {
        let database = Database::start().await;
        let server = Server::on_file_set_up(file, setup(database.port)).await;
        let alice = server.person("alice").await;
        Self { database, server, alice }
    }

    async fn file(&self, environment: &str) -> wire::Request {
        file(&self.alice, environment).await
    }
}

impl Server {
    /// Closes what is over; how much that was.
    async fn close(&self) -> usize {
        self.authority.close_due().await.unwrap()
    }
}

impl Caller {
    /// What is known of the one thing that a broker opened for a request.
    async fn brokered(&self, request: &wire::Request) -> wire::Brokered {
        let shown = self.client.request(&request.id).await.unwrap();
        shown.credentials[0].brokered.clone().unwrap()
    }
}

/// The first request that waits for people, once there is one.
async fn first_pending(who: &Caller) -> wire::Request {
    let look = async || {
        let pending = who.client.requests(&[("state", "pending")]).await.unwrap();
        pending.requests.into_iter().next()
    };
    eventually("a request that waits", look).await
}

/// The request, once what a broker opened for it is in this state.
async fn settled(who: &Caller, id: &str, wanted: &str) -> wire::Request {
    let look = async || {
        let request = who.client.request(id).await.unwrap();
        let brokered = request.credentials[0].brokered.as_ref().unwrap();
        (brokered.status == wanted).then_some(request)
    };
    eventually(&format!("that what was opened is {wanted}"), look).await
}

async fn file(who: &Caller, environment: &str) -> wire::Request {
    let intent = wire::Intent {
        kind: "database.session".to_owned(),
        environment: environment.to_owned(),
        target: [("database".to_owned(), "orders".to_owned())].into(),
        reason: "look at an order".to_owned(),
        duration: Some("10m".to_owned()),
        ..wire::Intent::default()
    };
    let filing = wire::Filing { intent, reattach: false, heartbeat: None };
    who.client.file(&filing, &fresh_key()).await.unwrap()
}

fn wanted(broker: &str) -> MintRequest {
    MintRequest {
        audience: "orders".to_owned(),
        broker: Some(broker.to_owned()),
        ..Default::default()
    }
}

/// Mints with the test's broker.
async fn open(who: &Caller, request: &wire::Request) -> Result<wire::Credential, ClientError> {
    who.client.mint(&request.id, &wanted("orders-db"), &fresh_key()).await
}

#[tokio::test]
async fn a_session_is_asked_for_approved_used_and_gone_when_it_ended() {
    let world = World::start().await;
    let bob = world.server.person("bob").await;
    let request = world.file("production").await;
    let early = open(&world.alice, &request).await.unwrap_err();
    assert_eq!(early.code(), Some("not_approved"));
    approve(&bob, &request).await.unwrap();
    let credential = open(&world.alice, &request).await.unwrap();
    let (database, fields) = (&world.database, &credential.fields);
    let id = credential.id.trim_start_matches("crd_").to_lowercase();
    assert_eq!(fields["username"], format!("assent_{id}"));
    assert_eq!(database.psql(fields, "SELECT count(*) FROM orders").await.unwrap(), "3");
    // The rule names the role that reads; the broker could grant the one that writes too.
    let refused = database.psql(fields, "INSERT INTO orders VALUES (4)").await.unwrap_err();
    assert!(refused.contains("permission denied"), "{refused}");
    let refused = database.psql(fields, "CREATE ROLE mine").await.unwrap_err();
    assert!(refused.contains("permission denied"), "{refused}");
    let session = database.session(fields).await.unwrap();
    assert_eq!(session.ask("SELECT current_user").await.unwrap(), fields["username"]);
    assert_eq!(world.alice.brokered(&request).await.status, "open");
    assert_eq!(world.server.close().await, 0, "nothing is over yet");

    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    assert_eq!(world.alice.brokered(&request).await.status, "closing");
    assert_eq!(world.server.close().await, 1);
    assert!(session.ended().await, "the open session lives");
    assert!(database.session(fields).await.is_err());
    assert!(database.roles().is_empty());
    let brokered = world.alice.brokered(&request).await;
    assert_eq!((brokered.status.as_str(), brokered.problem), ("closed", None));
    assert_eq!(world.server.close().await, 0);
}
