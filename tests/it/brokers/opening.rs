//! What opens, what does not, and what a repeated call gives.

use assent_client::wire::MintRequest;
use serde_json::json;

use super::{World, open, wanted};
use crate::support::fresh_key;

#[tokio::test]
async fn only_the_broker_and_the_role_that_the_rules_name_are_opened() {
    let world = World::start().await;
    for (environment, broker, code, told) in [
        ("free", "billing-db", "broker_not_allowed", "the rules name `orders-db`"),
        ("tokens", "orders-db", "broker_not_allowed", "no rule that matched names a broker"),
        ("other", "billing-db", "invalid", "not set up with a broker `billing-db`"),
        ("superusers", "orders-db", "invalid", "the role `postgres`"),
        ("free", "", "broker_not_allowed", "the rules name `orders-db`"),
    ] {
        let request = world.file(environment).await;
        let refused = world.alice.client.mint(&request.id, &wanted(broker), &fresh_key()).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), Some(code), "{environment} {refused}");
        assert!(refused.message.contains(told), "{refused}");
        let shown = world.alice.client.request(&request.id).await.unwrap();
        assert!(shown.credentials.is_empty(), "a use was spent: {environment}");
    }
    assert!(world.database.roles().is_empty());
    // A token alone is still to be had, and has no fields.
    let request = world.file("free").await;
    let plain = MintRequest { audience: "orders".to_owned(), ..MintRequest::default() };
    let plain = world.alice.client.mint(&request.id, &plain, &fresh_key()).await.unwrap();
    assert!(plain.fields.is_empty());
}

#[tokio::test]
async fn without_a_role_in_the_rules_all_roles_of_the_broker_are_granted() {
    let world = World::start().await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    let (database, fields) = (&world.database, &credential.fields);
    database.psql(fields, "INSERT INTO orders VALUES (4)").await.unwrap();
    // As many sessions at once as are set up, and no longer than the credential lives.
    let sessions =
        [database.session(fields).await.unwrap(), database.session(fields).await.unwrap()];
    assert!(database.session(fields).await.is_err(), "a third session");
    let until = sessions[0]
        .ask(
            "SELECT rolvaliduntil AT TIME ZONE 'UTC' FROM pg_roles \
        WHERE rolname = current_user",
        )
        .await
        .unwrap();
    let wanted = credential.expires_at.replace('T', " ");
    assert!(wanted.starts_with(&until), "{until}, not {wanted}");
    // A role may change its own password; its end it may not move.
    let longer = format!("ALTER ROLE {} VALID UNTIL 'infinity'", fields["username"]);
    assert!(sessions[0].ask(&longer).await.is_err());
}

#[tokio::test]
async fn t56_a_mint_with_a_broker_sent_again_is_one_role_with_a_new_password() {
    let world = World::start().await;
    let request = world.file("free").await;
    let (key, wanted) = (fresh_key(), wanted("orders-db"));
    let mint = || world.alice.client.mint(&request.id, &wanted, &key);
    let (first, second) = (mint().await.unwrap(), mint().await.unwrap());
    assert_eq!(first.id, second.id);
    assert_eq!(first.fields["username"], second.fields["username"]);
    assert_ne!(first.fields["password"], second.fields["password"]);
    assert_eq!(world.database.roles(), [second.fields["username"].clone()]);
    assert!(world.database.session(&first.fields).await.is_err(), "the lost password is good");
    world.database.session(&second.fields).await.unwrap();
    // After the end it opens nothing again.
    world.alice.client.revoke_credential(&first.id, &fresh_key()).await.unwrap();
    assert_eq!(mint().await.unwrap_err().code(), Some("credential_over"));
    assert_eq!(world.server.close().await, 1);
    assert_eq!(mint().await.unwrap_err().code(), Some("credential_over"));
    assert!(world.database.roles().is_empty());
}

#[tokio::test]
async fn of_many_calls_with_one_key_at_once_the_last_password_is_good() {
    let world = World::start().await;
    let request = world.file("free").await;
    let (key, wanted) = (fresh_key(), wanted("orders-db"));
    let mint = || world.alice.client.mint(&request.id, &wanted, &key);
    let all = tokio::join!(mint(), mint(), mint(), mint());
    let all = [all.0.unwrap(), all.1.unwrap(), all.2.unwrap(), all.3.unwrap()];
    assert_eq!(world.database.roles().len(), 1);
    let mut good = 0;
    for credential in &all {
        assert_eq!(credential.id, all[0].id);
        good += usize::from(world.database.session(&credential.fields).await.is_ok());
    }
    assert_eq!(good, 1);
}

#[tokio::test]
async fn a_database_that_is_away_costs_nobody_a_second_approval() {
    let mut world = World::start().await;
    let request = world.file("free").await;
    world.database.stop();
    let path = format!("/v1/requests/{}/credentials", request.id);
    let body = json!({"audience": "orders", "broker": "orders-db"});
    let answer = world.alice.post_again("the-key-of-both-calls", &path, &body).await;
    let told = answer.refuses(502, "not_opened");
    assert!(told.contains("orders-db") && told.contains("same idempotency key"), "{told}");
    let shown = world.alice.client.request(&request.id).await.unwrap();
    assert_eq!((shown.credentials.len(), shown.credentials[0].status.as_str()), (1, "unminted"));
    world.database.run().await;
    let answer = world.alice.post_again("the-key-of-both-calls", &path, &body).await.is(201);
    assert_eq!(answer.str("id"), shown.credentials[0].id);
    assert_eq!(world.database.roles().len(), 1);
    let shown = world.alice.client.request(&request.id).await.unwrap();
    assert_eq!(shown.credentials.len(), 1, "a second use was spent");
}

#[tokio::test]
async fn t66_no_password_of_a_broker_is_kept_or_logged() {
    let folder = tempfile::tempdir().unwrap();
    let log = crate::canary::Tape::listening();
    let world = World::on_file(&folder.path().join("ledger.sqlite")).await;
    let request = world.file("free").await;
    let (key, wanted) = (fresh_key(), wanted("orders-db"));
    let mut secrets = vec![super::database::BROKER_PASSWORD.to_owned()];
    for _ in 0..2 {
        let minted = world.alice.client.mint(&request.id, &wanted, &key).await.unwrap();
        world.database.psql(&minted.fields, "SELECT 1").await.unwrap();
        assert!(!format!("{minted:?}").contains(&minted.fields["password"]));
        secrets.push(minted.fields["password"].clone());
    }
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    assert_eq!(world.server.close().await, 1);
    let entries = world.alice.get("/v1/audit/entries").await.is(200).text;
    let shown = world.alice.get(&format!("/v1/requests/{}", request.id)).await.is(200).text;
    assert!(entries.contains("broker_closed") && shown.contains("orders-db"));
    let mut places = vec![
        ("the audit log", entries),
        ("the request", shown),
        ("the log", log.text()),
        ("the authority's Debug", format!("{:?}", world.server.authority)),
    ];
    // The test's own set-up named the broker's password once, in the superuser's words.
    let told = world.database.log();
    let own = told.split("orders_reader").nth(1).unwrap_or_default();
    assert!(told.contains("SCRAM-SHA-256$4096:") && told.contains("CREATE ROLE \"assent_0"));
    places.push(("the database's log", own.to_owned()));
    for secret in &secrets {
        for (place, text) in &places {
            assert!(!text.contains(secret.as_str()), "a password is in {place}");
        }
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let file = entry.unwrap().path();
            let bytes = std::fs::read(&file).unwrap();
            let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "a password is in {}", file.display());
        }
    }
}
