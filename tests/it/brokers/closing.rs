//! The end is certain: whatever ends a credential closes what was opened for it.

use assent_core::time::Span;
use assent_server::policy::Source;

use super::{POLICY, World, brokers, brokers_yaml, open};
use crate::support::{Server, Setup, documents, fresh_key};

#[tokio::test]
async fn t20_a_login_is_gone_when_its_time_is_up() {
    let world = World::start().await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    let session = world.database.session(&credential.fields).await.unwrap();
    world.server.time().pass(Span::seconds(10 * 60 - 1));
    assert_eq!(world.close().await, 0);
    session.ask("SELECT 1").await.unwrap();
    world.server.time().pass(Span::seconds(1));
    assert_eq!(world.close().await, 1);
    assert!(session.ended().await, "the open session lives");
    assert!(world.database.psql(&credential.fields, "SELECT 1").await.is_err());
    assert!(world.database.roles().is_empty());
}

#[tokio::test]
async fn a_login_is_gone_when_it_is_taken_back_and_others_stay() {
    let world = World::start().await;
    let request = world.file("free").await;
    let first = open(&world.alice, &request).await.unwrap();
    let second = open(&world.alice, &request).await.unwrap();
    let session = world.database.session(&first.fields).await.unwrap();
    let other = world.database.session(&second.fields).await.unwrap();
    world.alice.client.revoke_credential(&first.id, &fresh_key()).await.unwrap();
    assert_eq!(world.close().await, 1);
    assert!(session.ended().await);
    other.ask("SELECT 1").await.unwrap();
    assert_eq!(world.database.roles(), [second.fields["username"].clone()]);
    world.alice.client.revoke(&request.id, "enough", &fresh_key()).await.unwrap();
    assert_eq!(world.close().await, 1);
    assert!(other.ended().await);
    assert!(world.database.roles().is_empty());
    assert_eq!(world.database.sessions(), 0);
}

#[tokio::test]
async fn a_database_that_is_away_is_tried_again_and_keeps_nobody_waiting() {
    let mut world = World::start().await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    world.database.stop();
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    assert_eq!(world.close().await, 0);
    let brokered = world.brokered(&request).await;
    assert_eq!(brokered.status, "closing");
    assert!(brokered.problem.unwrap().contains("cannot be reached"));
    let size = world.alice.client.checkpoint().await.unwrap().size;
    for _ in 0..3 {
        world.server.time().pass(Span::minutes(1));
        assert_eq!(world.close().await, 0);
    }
    assert_eq!(world.alice.client.checkpoint().await.unwrap().size, size, "told more than once");
    // Others are served meanwhile, and what time does is put on record.
    world.file("production").await;
    assert_eq!(world.server.authority.sweep().await.unwrap(), 0);

    world.database.run().await;
    assert_eq!(world.database.roles(), [credential.fields["username"].clone()]);
    assert_eq!(world.close().await, 0, "it was tried a moment ago");
    world.server.time().pass(Span::minutes(5));
    assert_eq!(world.close().await, 1);
    assert_eq!(world.brokered(&request).await.status, "closed");
    assert!(world.database.roles().is_empty());
}

#[tokio::test]
async fn a_database_that_lost_the_role_has_nothing_to_close() {
    let world = World::start().await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    world.database.administer(&format!("DROP ROLE {}", credential.fields["username"]));
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    assert_eq!(world.close().await, 1);
    assert_eq!(world.brokered(&request).await.status, "closed");
}

#[tokio::test]
async fn what_a_session_left_behind_stays_by_default_wherever_it_is() {
    let world = World::start().await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    let left = "CREATE TABLE left_behind (id int); GRANT SELECT ON left_behind TO orders_reader";
    world.database.psql(&credential.fields, left).await.unwrap();
    let mut elsewhere = credential.fields.clone();
    let url = elsewhere["url"].replace("/orders?", "/billing?");
    elsewhere.insert("url".to_owned(), url);
    world.database.psql(&elsewhere, "CREATE TABLE left_behind (id int)").await.unwrap();
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    assert_eq!(world.close().await, 1, "{:?}", world.brokered(&request).await);
    assert!(world.database.roles().is_empty());
    for database in ["orders", "billing"] {
        let sql = format!(
            "\\connect {database}\nSELECT tableowner FROM pg_tables WHERE tablename = 'left_behind'"
        );
        assert_eq!(world.database.administer(&sql).trim(), "assent_broker", "{database}");
    }
}

#[tokio::test]
async fn what_a_session_left_behind_goes_where_that_is_set_up() {
    let mut world = World::start().await;
    let text = brokers_yaml(world.database.port, "    owned: drop\n");
    let setup = Setup {
        source: Source::Given(documents(POLICY)),
        brokers: brokers(&text),
        ..Setup::default()
    };
    world.server = Server::set_up(setup).await;
    world.alice = world.server.person("alice").await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    world.database.psql(&credential.fields, "CREATE TABLE left_behind (id int)").await.unwrap();
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    assert_eq!(world.close().await, 1);
    let sql = "\\connect orders\nSELECT count(*) FROM pg_tables WHERE tablename = 'left_behind'";
    assert_eq!(world.database.administer(sql).trim(), "0");
}

#[tokio::test]
async fn a_broker_that_is_set_up_no_more_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.sqlite");
    let mut world = World::on_file(&file).await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    let token = world.alice.token().to_owned();
    let remains = world.server.stop().await;
    world.server = Server::on_file_again(&file, remains, POLICY).await;
    world.alice = world.server.holder_of(&token);
    assert_eq!(world.close().await, 0);
    let brokered = world.brokered(&request).await;
    let problem = brokered.problem.unwrap();
    assert!(problem.contains(&credential.fields["username"]), "{problem}");
    assert_eq!(brokered.status, "closing");
}
