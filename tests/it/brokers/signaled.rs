//! A login that a signal ends: about whoever holds it, about whom it is held for, about where it is,
//! and about who approved it.

use assent_client::wire;
use assent_server::policy::Source;
use serde_json::{Value, json};

use super::database::{Database, Session};
use super::{World, brokers, brokers_yaml, file, open};
use crate::http::life::verify_log;
use crate::support::{Answer, Caller, Server, Setup, approve, documents};

/// What somebody let others do ends with them, too.
const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: signaled}
defaults: {on_signal: {suspended: {approved: revoke}}}
groups:
  owners: [person:bob]
rules:
  - id: asked
    when: {intent.environment: production}
    require:
      stages: [{name: owner, approvals: 1, from: [group:owners]}]
      credential: {max_ttl: 10m, broker: orders-db, role: orders_reader}
  - id: free
    when: {intent.environment: free}
    allow: {credential: {max_ttl: 10m, uses: 3, broker: orders-db}}
";

/// An authority in front of this database.
async fn serve(database: Database) -> World {
    let setup = Setup {
        source: Source::Given(documents(POLICY)),
        brokers: brokers(&brokers_yaml(database.port, "")),
        ..Setup::default()
    };
    let server = Server::set_up(setup).await;
    let alice = server.person("alice").await;
    World { database, server, alice }
}

/// A login that somebody has open.
struct Held {
    request: wire::Request,
    credential: wire::Credential,
    session: Session,
}

async fn held(world: &World, who: &Caller, environment: &str) -> Held {
    let request = file(who, environment).await;
    if request.state == "pending" {
        approve(&world.server.person("bob").await, &request).await.unwrap();
    }
    let credential = open(who, &request).await.unwrap();
    let session = world.database.session(&credential.fields).await.unwrap();
    session.ask("SELECT count(*) FROM orders").await.unwrap();
    Held { request, credential, session }
}

fn local(kind: &str, name: &str) -> Value {
    json!({kind: {"iss": "assent:local", "sub": name}})
}

async fn told(root: &Caller, about: &Value, state: &str) -> Answer {
    let signal = json!({"about": about, "state": state, "reason": "an alert"});
    root.post("/v1/signals", &signal).await.is(201)
}

async fn ends(world: &World, root: &Caller, held: Held, signal: &str) {
    let Held { request, credential, session } = held;
    assert!(session.ended().await, "the open session lives");
    let refused = world.database.psql(&credential.fields, "SELECT 1").await.unwrap_err();
    assert!(refused.contains("password authentication failed"), "{refused}");
    let shown = root.client.request(&request.id).await.unwrap();
    assert_eq!(shown.credentials[0].brokered.as_ref().unwrap().status, "closed");
    let events = root.client.entries(0).await.unwrap().entries.into_iter().map(|e| e.event);
    let of_this = events.filter(|event| event["request"] == request.id.as_str());
    let names: Vec<_> = of_this
        .filter(|event| ["stopped", "broker_closed"].iter().any(|kind| event["type"] == *kind))
        .map(|event| (event["type"].clone(), event["signal"].clone()))
        .collect();
    let wanted = [(json!("stopped"), json!(signal)), (json!("broker_closed"), Value::Null)];
    assert_eq!(names, wanted);
}

#[tokio::test]
async fn a_signal_about_a_person_ends_their_open_session_and_what_is_done_for_them() {
    let world = serve(Database::start().await).await;
    let root = world.server.administrator().await;
    let (ci, zoe) =
        (world.server.workload("ci", &["alice"]).await, world.server.person("zoe").await);
    let own = held(&world, &world.alice, "free").await;
    let for_them = held(&world, &ci, "free").await;
    let kept = held(&world, &zoe, "free").await;
    let waits = file(&world.alice, "production").await;
    let signal = told(&root, &local("person", "alice"), "suspended").await.str("id");
    world.server.authority.sweep().await.unwrap();
    assert_eq!(world.server.close().await, 2);
    ends(&world, &root, own, &signal).await;
    ends(&world, &root, for_them, &signal).await;
    assert_eq!(kept.session.ask("SELECT count(*) FROM orders").await.unwrap(), "3");
    assert_eq!(world.database.roles(), [kept.credential.fields["username"].clone()]);
    assert_eq!(root.client.request(&waits.id).await.unwrap().state, "canceled");
    // Nothing more is opened for them, whoever asks.
    for who in [&world.alice, &ci] {
        let refused = open(who, &kept.request).await.unwrap_err();
        assert_eq!(refused.code(), Some("suspended"), "{refused}");
    }
    verify_log(&root).await;
}

#[tokio::test]
async fn a_signal_about_a_workload_an_environment_or_an_approver_ends_what_is_open_by_it() {
    let mut database = Database::start().await;
    for (about, state, environment) in [
        (local("workload", "ci"), "flagged", "free"),
        (json!({"environment": "free"}), "incident", "free"),
        (local("person", "bob"), "suspended", "production"),
    ] {
        let world = serve(database).await;
        let root = world.server.administrator().await;
        let ci = world.server.workload("ci", &[]).await;
        let held = held(&world, &ci, environment).await;
        let signal = told(&root, &about, state).await.str("id");
        world.server.authority.sweep().await.unwrap();
        assert_eq!(world.server.close().await, 1, "{about}");
        ends(&world, &root, held, &signal).await;
        assert!(world.database.roles().is_empty(), "{about}");
        verify_log(&root).await;
        database = world.database;
    }
}
