//! An incident as it is worked through on the command line, with the real binary on both ends: what is
//! live is listed, what of it would end is counted, and it ends, logins and all.

use assent_client::wire;
use serde_json::Value;

use super::crash::Place;
use super::database::Database;
use super::{file, open};
use crate::support::{Binary, Caller, Did, approve, assent, eventually};

/// The binary in front of a database, and an administrator.
struct World {
    database: Database,
    place: Place,
    binary: Binary,
    root: String,
}

impl World {
    async fn start() -> Self {
        let (database, place) = (Database::start().await, Place::new());
        let (binary, root) = place.start_governed(database.port).await;
        Self { database, place, binary, root }
    }

    async fn root(&self, words: &[&str]) -> Did {
        assent(&self.binary.base, &self.root, words).await
    }

    /// A login that alice holds.
    async fn login(&self, environment: &str) -> (wire::Request, wire::Credential) {
        let alice = self.binary.person("alice");
        let request = file(&alice, environment).await;
        if request.state == "pending" {
            approve(&self.binary.person("bob"), &request).await.unwrap();
        }
        let credential = open(&alice, &request).await.unwrap();
        (request, credential)
    }

    async fn is_active(&self, credential: &wire::Credential) -> bool {
        let token = assent_client::Secret::new(credential.token.clone());
        self.binary.person("bob").client.introspect(&token).await.unwrap().active
    }
}

/// The ids in a list, as JSON tells them.
fn ids(list: &Value) -> Vec<&str> {
    let all = list["credentials"].as_array().unwrap().iter();
    all.map(|entry| entry["credential"]["id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_in_one_environment_is_ended_on_the_command_line() {
    let mut world = World::start().await;
    let (asked, hit) = world.login("production").await;
    let (free, spared) = world.login("free").await;
    let session = world.database.session(&hit.fields).await.unwrap();
    let other = world.database.session(&spared.fields).await.unwrap();

    let listed = world.root(&["credential", "list", "--live"]).await.exits(0);
    let row = |credential: &wire::Credential, request: &wire::Request, environment: &str| {
        format!(
            "{} live database.session {environment} alice orders {} {} orders-db: open",
            credential.id, credential.expires_at, request.id
        )
    };
    assert_eq!(
        listed.lines(),
        [
            "ID STATUS KIND ENVIRONMENT REQUESTER AUDIENCE UNTIL REQUEST OPEN".to_owned(),
            row(&spared, &free, "free"),
            row(&hit, &asked, "production"),
        ]
    );
    let production = ["--environment", "production"];
    let words = [&["credential", "list", "--live", "-o", "json"], &production[..]].concat();
    assert_eq!(ids(&world.root(&words).await.exits(0).json()), [hit.id.as_str()]);

    // Without the last word it counts, in either form.
    let words =
        [&["revoke", "--all"][..], &production, &["--reason", "INC-1: a key leaked"]].concat();
    let counted = world.root(&words).await.exits(0);
    let would = format!(
        "would end: 0 grants and 1 credential of 1 request\nopen outside: {}: orders-db: open\n",
        hit.id
    );
    assert_eq!(
        (counted.data, counted.talk),
        (would, "nothing was done; say --yes to do it\n".into())
    );
    let counted = world.root(&[&words[..], &["--output", "json"]].concat()).await.exits(0).json();
    assert_eq!((&counted["dry_run"], &counted["credentials"]), (&true.into(), &1.into()));
    session.ask("SELECT 1").await.unwrap();
    assert!(world.is_active(&hit).await, "counting ended it");

    let ended = world.root(&[&words[..], &["--yes"]].concat()).await.exits(0);
    assert_eq!(ended.data, "ended: 0 grants and 1 credential of 1 request\n");
    assert!(!world.is_active(&hit).await);
    assert!(session.ended().await, "the open session lives");
    assert!(world.database.psql(&hit.fields, "SELECT 1").await.is_err());
    other.ask("SELECT 1").await.unwrap();
    assert!(world.is_active(&spared).await, "of another environment");
    assert_eq!(world.database.roles(), [spared.fields["username"].clone()]);
    let left = world.root(&["credential", "list", "--live", "--output", "json"]).await.json();
    assert_eq!(ids(&left), [spared.id.as_str()]);
    let all = world.root(&["credential", "list", "--output", "json"]).await.json();
    assert_eq!(ids(&all).len(), 2, "what has ended is listed without --live");

    // It is safe to repeat, and the form for programs does it too.
    let words = ["revoke", "--all", "--reason", "INC-1: all of it", "--yes", "-o", "json"];
    let done = world.root(&words).await.exits(0).json();
    assert_eq!((&done["dry_run"], &done["credentials"]), (&false.into(), &1.into()));
    assert!(other.ended().await);
    let again = world.root(&words[..5]).await.exits(0);
    assert_eq!(again.data, "ended: nothing\n");
    let none = world.root(&["credential", "list", "--live"]).await.exits(0);
    assert_eq!((none.data.as_str(), none.talk.as_str()), ("", "no credentials\n"));
    world.binary.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_broker_cannot_close_yet_is_told_and_listed_until_it_is() {
    let mut world = World::start().await;
    let (_, credential) = world.login("free").await;
    world.database.stop();
    let words = ["revoke", "--all", "--reason", "INC-1", "--yes"];
    let ended = world.root(&words).await.exits(0);
    let open = format!("open outside: {}: orders-db: closing: ", credential.id);
    let told = ended.data.lines().nth(1).unwrap();
    assert!(told.starts_with(&open) && told.contains("cannot be reached"), "{}", ended.data);
    assert!(!world.is_active(&credential).await);
    let listed = world.root(&["credential", "list", "--live"]).await.exits(0);
    assert!(listed.data.contains("revoked") && listed.data.contains("closing"), "{}", listed.data);

    world.database.run().await;
    // Whoever starts anew tries at once.
    world.binary.kill().await;
    world.binary = world.place.start(world.database.port).await;
    eventually("the end of the login", async || world.database.roles().is_empty().then_some(()))
        .await;
    eventually("an empty list", async || {
        world.root(&["credential", "list", "--live"]).await.data.is_empty().then_some(())
    })
    .await;
    world.binary.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_administrator_ends_everything_and_a_workload_lists_its_own() {
    let mut world = World::start().await;
    let (_, credential) = world.login("free").await;
    let alice = world.binary.person("alice");
    let base = &world.binary.base;
    for more in [&[][..], &["--yes"]] {
        let words = [&["revoke", "--all", "--reason", "mine"][..], more].concat();
        let refused = assent(base, alice.token(), &words).await.exits(1);
        assert!(refused.talk.contains("administrator"), "{}", refused.talk);
    }
    assert!(world.is_active(&credential).await);
    for words in [
        &["revoke", "--all", "--yes"][..],
        &["revoke", "--environment", "free", "--reason", "r", "--yes"],
        &["revoke", "--all", "--environment", "free", "--reason", ""],
    ] {
        world.root(words).await.exits(2);
    }
    assert!(world.is_active(&credential).await);
    let ci = wire::NewAccess {
        kind: wire::Kind::Workload,
        sub: "ci".to_owned(),
        acts_for: Default::default(),
        groups: Default::default(),
        administrator: false,
        expires_after: Some("1h".to_owned()),
    };
    let root = Caller::new(base, Some(&world.root));
    let ci = root.client.create_access(&ci, &crate::support::fresh_key()).await.unwrap();
    let own = assent(base, &ci.token, &["credential", "list", "--live", "-o", "json"]).await;
    assert_eq!(ids(&own.exits(0).json()), [""; 0]);
    world.binary.kill().await;
}
