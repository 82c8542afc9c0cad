//! What a broker opens beside the credential: a PostgreSQL login, for the job and no longer.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use assent_client::{Secret, wire};
use assent_server::broker::Brokers;

use super::example::Example;
use super::world::World;
use crate::brokers::brokers_yaml;
use crate::brokers::database::{BROKER_PASSWORD, Database};
use crate::runner::{Ended, Step};
use crate::support::approve;

const RULES: &str = "
  - id: migrations
    when: {intent.environment: production, intent.kind: database.migrate}
    require:
      stages: [{name: release, approvals: 1, from: [group:release-managers]}]
      credential: {max_ttl: 10m, audiences: [orders-db], broker: orders-db, role: orders_writer}
  - id: free
    when: {intent.environment: free, intent.kind: database.migrate}
    allow: {credential: {max_ttl: 10m, audiences: [orders-db], broker: orders-db, role: orders_reader}}
";

async fn world() -> (World, Database) {
    let database = Database::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("brokers.yaml");
    fs::write(&file, brokers_yaml(database.port, "")).unwrap();
    let password = |_: &str| Some(Secret::new(BROKER_PASSWORD.to_owned()));
    let brokers = Brokers::read(&file, &password).unwrap();
    (World::with(RULES, brokers).await, database)
}

/// What is to be seen of the login in the log is masked, and it stands nowhere else.
#[track_caller]
fn hides(step: &Step<'_>, ended: &Ended, secrets: &[&str]) {
    for secret in secrets {
        assert!(step.masked().iter().any(|mask| mask == secret), "{secret} is not masked");
        assert!(!ended.summary.contains(secret), "{}", ended.summary);
        assert!(ended.outputs.values().all(|value| !value.contains(secret)), "{:?}", ended.outputs);
        assert!(ended.variables.is_empty() && !ended.state.values().any(|v| v.contains(secret)));
    }
}

#[tokio::test]
async fn a_login_is_in_the_file_of_the_credential_and_ends_with_the_job() {
    let (world, database) = world().await;
    let base = world.base();
    let with = [
        ("url", &*base),
        ("environment", "free"),
        ("kind", "database.migrate"),
        ("broker", "orders-db"),
    ];
    let mut step = world.job.step(&world.action, &with);
    let ended = step.main().await.exits(0);
    let file = std::path::Path::new(ended.output("credential-file"));
    assert!(file.starts_with(world.job.at("temp")));
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let held: wire::Credential = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let fields = &held.fields;
    assert_eq!(database.psql(fields, "SELECT count(*) FROM orders").await.unwrap(), "3");
    hides(&step, &ended, &[&held.token, &fields["password"], &fields["username"], &fields["url"]]);
    world.is_discreet(&ended, &[&held.token, &fields["password"], &fields["url"]]);
    let file = file.to_owned();
    step.post().await.exits(0);
    world.server.authority.close_due().await.unwrap();
    assert!(!file.exists() && database.roles().is_empty());
    assert!(database.session(fields).await.is_err());
}

#[tokio::test]
async fn the_example_migrates_with_a_login_that_is_gone_afterwards() {
    let (world, database) = world().await;
    let job = world.another_job();
    fs::create_dir(job.at("workspace/migrations")).unwrap();
    for (file, sql) in [
        ("1_more.sql", "INSERT INTO orders VALUES (4);"),
        ("2_told.sql", "SELECT 'there are ' || count(*) AS told FROM orders;"),
    ] {
        fs::write(job.at("workspace/migrations").join(file), sql).unwrap();
    }
    let mut example = Example::read("database-migration.yml");
    let deciding = async { approve(&world.bob().await, &world.asked().await).await.unwrap() };
    let (ended, request) = tokio::join!(example.run("migrate", &job, &world), deciding);
    let ended = ended.succeeds();
    let log = &ended.used[0].log;
    assert!(log.text().contains("there are 4"), "{:#?}", log.raw);
    assert!(log.leaks.is_empty(), "{:#?}", log.raw);
    assert_eq!(world.now(&request).await.state, "consumed");
    world.server.authority.close_due().await.unwrap();
    assert!(database.roles().is_empty());
}

#[tokio::test]
async fn what_a_command_prints_of_its_login_is_masked() {
    let (world, _database) = world().await;
    let base = world.base();
    let command = "printf 'held by %s: %s\\n' \"$PGUSER\" \"$PGPASSWORD\"; echo \"$ASSENT_CREDENTIAL\"; \
                   printf '%s\\n' \"$PGUSER\" \"$PGPASSWORD\" \"$ASSENT_FIELD_URL\" >held";
    let with = [
        ("url", &*base),
        ("environment", "free"),
        ("kind", "database.migrate"),
        ("broker", "orders-db"),
        ("mode", "run"),
        ("command", command),
    ];
    let mut step = world.job.step(&world.action, &with);
    let ended = step.main().await;
    assert_eq!(ended.code, Some(0), "{:#?}", ended.log.raw);
    let held = fs::read_to_string(world.job.at("workspace/held")).unwrap();
    hides(&step, &ended, &held.lines().collect::<Vec<_>>());
    // Both lines of the command, which the runner shows as `***`.
    assert_eq!(ended.log.leaks.len(), 2, "{:?}", ended.log.leaks);
}
