//! The end is certain: whatever ends a credential closes what was opened for it.

use std::collections::BTreeMap;

use assent_core::digest::Digest;
use assent_core::time::Span;
use assent_server::policy::Source;

use super::database::{Database, Session};
use super::proxy::{Proxy, Stop};
use super::{POLICY, World, brokers, brokers_yaml, file, open, wanted};
use crate::support::{Server, Setup, documents, fresh_key};

#[tokio::test]
async fn t20_a_login_is_gone_when_its_time_is_up() {
    let world = World::start().await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    let session = world.database.session(&credential.fields).await.unwrap();
    world.server.time().pass(Span::seconds(10 * 60 - 1));
    assert_eq!(world.server.close().await, 0);
    session.ask("SELECT 1").await.unwrap();
    world.server.time().pass(Span::seconds(1));
    assert_eq!(world.server.close().await, 1);
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
    assert_eq!(world.server.close().await, 1);
    assert!(session.ended().await);
    other.ask("SELECT 1").await.unwrap();
    assert_eq!(world.database.roles(), [second.fields["username"].clone()]);
    world.alice.client.revoke(&request.id, "enough", &fresh_key()).await.unwrap();
    assert_eq!(world.server.close().await, 1);
    assert!(other.ended().await);
    assert!(world.database.roles().is_empty());
    assert_eq!(world.database.sessions(), 0);
}

/// RFC 7009: revoking the token ends what a broker opened with it.
#[tokio::test]
async fn a_login_is_gone_when_its_token_is_revoked() {
    let world = World::start().await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    let session = world.database.session(&credential.fields).await.unwrap();
    world.alice.form("/oauth/revoke", &[("token", &credential.token)]).await.is(200);
    assert_eq!(world.server.close().await, 1);
    assert!(session.ended().await, "the open session lives");
    assert!(world.database.roles().is_empty());
}

#[tokio::test]
async fn a_database_that_is_away_is_tried_again_and_keeps_nobody_waiting() {
    let mut world = World::start().await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    world.database.stop();
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    assert_eq!(world.server.close().await, 0);
    let brokered = world.alice.brokered(&request).await;
    assert_eq!(brokered.status, "closing");
    assert!(brokered.problem.unwrap().contains("cannot be reached"));
    let size = world.alice.client.checkpoint().await.unwrap().size;
    for _ in 0..3 {
        world.server.time().pass(Span::minutes(1));
        assert_eq!(world.server.close().await, 0);
    }
    assert_eq!(world.alice.client.checkpoint().await.unwrap().size, size, "told more than once");
    // Others are served meanwhile, and what time does is put on record.
    world.file("production").await;
    assert_eq!(world.server.authority.sweep().await.unwrap(), 0);

    world.database.run().await;
    assert_eq!(world.database.roles(), [credential.fields["username"].clone()]);
    assert_eq!(world.server.close().await, 0, "it was tried a moment ago");
    world.server.time().pass(Span::minutes(5));
    assert_eq!(world.server.close().await, 1);
    assert_eq!(world.alice.brokered(&request).await.status, "closed");
    assert!(world.database.roles().is_empty());
}

#[tokio::test]
async fn a_broker_that_takes_its_time_keeps_nothing_open_at_another() {
    let database = Database::start().await;
    // It opens, and stops in the middle of every closing.
    let slow = Proxy::start(database.port, Stop::Before("'-infinity'")).await;
    let more = format!(
        "  billing-db: {{type: postgres, host: 127.0.0.1, port: {}, database: orders, \
         username: assent_broker, password_env: BROKER_PASSWORD, roles: [orders_reader]}}",
        slow.port
    );
    let server = Server::set_up(Setup {
        source: Source::Given(documents(POLICY)),
        brokers: brokers(&brokers_yaml(database.port, &more)),
        ..Setup::default()
    })
    .await;
    let alice = server.person("alice").await;
    let (held, quick) = (file(&alice, "other").await, file(&alice, "free").await);
    alice.client.mint(&held.id, &wanted("billing-db"), &fresh_key()).await.unwrap();
    let credential = open(&alice, &quick).await.unwrap();
    let session = database.session(&credential.fields).await.unwrap();
    let closer = tokio::spawn(server.authority.clone().close_until_closing());
    alice.client.complete(&held.id, &fresh_key()).await.unwrap();
    slow.stopped().await;
    alice.client.complete(&quick.id, &fresh_key()).await.unwrap();
    session.end().await;
    let shown = alice.client.request(&held.id).await.unwrap();
    let brokered = shown.credentials[0].brokered.clone().unwrap();
    assert_eq!(brokered.status, "closing");
    assert_eq!(brokered.problem, None, "the slow one was waited for until it failed");
    server.stop().await;
    closer.await.unwrap();
}

#[tokio::test]
async fn a_database_that_lost_the_role_has_nothing_to_close() {
    let world = World::start().await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    world.database.administer(&format!("DROP ROLE {}", credential.fields["username"]));
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    assert_eq!(world.server.close().await, 1);
    assert_eq!(world.alice.brokered(&request).await.status, "closed");
}

/// The same fields for another database.
fn in_database(fields: &BTreeMap<String, String>, database: &str) -> BTreeMap<String, String> {
    let mut fields = fields.clone();
    let url = fields["url"].replace("/orders?", &format!("/{database}?"));
    fields.insert("url".to_owned(), url);
    fields
}

/// Everything named `left_…` in both databases, with its owner.
fn left(database: &Database) -> Vec<String> {
    let sql = "SELECT relname, relowner::regrole FROM pg_class WHERE relname ~ '^left_' \
        UNION ALL SELECT proname, proowner::regrole FROM pg_proc WHERE proname ~ '^left_' ORDER BY 1";
    let all = ["orders", "billing"].map(|name| format!("\\connect {name}\n{sql};\n"));
    database.administer(&all.concat()).lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn what_a_session_left_behind_goes_with_its_login_wherever_it_is() {
    let world = World::start().await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    let left_here =
        "CREATE TABLE left_behind (id int); GRANT SELECT ON left_behind TO orders_reader";
    world.database.psql(&credential.fields, left_here).await.unwrap();
    let elsewhere = in_database(&credential.fields, "billing");
    world.database.psql(&elsewhere, "CREATE TABLE left_behind (id int)").await.unwrap();
    assert_eq!(left(&world.database).len(), 2);
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    assert_eq!(world.server.close().await, 1, "{:?}", world.alice.brokered(&request).await);
    assert!(world.database.roles().is_empty());
    assert!(left(&world.database).is_empty(), "{:?}", left(&world.database));
}

/// Runs whatever it is told with its owner's rights.
const DEFINER: &str = "CREATE FUNCTION left_run(s text) RETURNS void LANGUAGE plpgsql \
    SECURITY DEFINER AS $$ BEGIN EXECUTE s; END $$";

#[tokio::test]
async fn what_runs_with_its_owners_rights_never_becomes_the_authoritys() {
    let world = World::start().await;
    let request = world.file("free").await;
    let first = open(&world.alice, &request).await.unwrap();
    let second = open(&world.alice, &request).await.unwrap();
    world.database.psql(&first.fields, DEFINER).await.unwrap();
    let elsewhere = in_database(&first.fields, "billing");
    world.database.psql(&elsewhere, DEFINER).await.unwrap();
    world.alice.client.revoke_credential(&first.id, &fresh_key()).await.unwrap();
    assert_eq!(world.server.close().await, 1);
    assert!(left(&world.database).is_empty(), "{:?}", left(&world.database));
    let escalate = "SELECT left_run('CREATE ROLE backdoor LOGIN')";
    let refused = world.database.psql(&second.fields, escalate).await.unwrap_err();
    assert!(refused.contains("does not exist"), "{refused}");
}

/// A world whose broker does this with what a session owned.
async fn owning(owned: &str) -> World {
    let mut world = World::start().await;
    world.database.administer(
        "CREATE ROLE heir ROLE assent_broker;
         \\connect orders
         GRANT CREATE ON SCHEMA public TO heir;",
    );
    let text = brokers_yaml(world.database.port, &format!("    owned: {owned}\n"));
    let setup = Setup {
        source: Source::Given(documents(POLICY)),
        brokers: brokers(&text),
        ..Setup::default()
    };
    world.server = Server::set_up(setup).await;
    world.alice = world.server.person("alice").await;
    world
}

#[tokio::test]
async fn only_what_holds_no_code_is_given_to_another_role() {
    let world = owning("{give_to: heir}").await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    for made in [
        "CREATE TABLE left_plain (id serial PRIMARY KEY, what text DEFAULT 'x' CHECK (what <> ''))",
        "CREATE SEQUENCE left_sequence",
        DEFINER,
        "CREATE VIEW left_view AS SELECT * FROM orders",
        "CREATE MATERIALIZED VIEW left_kept AS SELECT * FROM orders",
        "CREATE TABLE left_rule (id int)",
        "CREATE RULE deleting AS ON INSERT TO left_rule DO ALSO DELETE FROM orders",
        "CREATE TABLE left_trigger (id int)",
        "CREATE TRIGGER noting BEFORE UPDATE ON left_trigger FOR EACH ROW \
            EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE FUNCTION left_one(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
        "CREATE TABLE left_index (id int)",
        "CREATE INDEX left_index_by ON left_index (left_one(id))",
        "CREATE TABLE left_default (id int DEFAULT left_one(1))",
        "CREATE TABLE left_check (id int CHECK (left_one(id) = 1))",
        "CREATE TABLE left_policy (id int)",
        "CREATE POLICY looking ON left_policy USING (true)",
        "CREATE TYPE left_mood AS ENUM ('well')",
        "CREATE TABLE left_typed (mood left_mood)",
        "CREATE TABLE left_parent (id int)",
        "CREATE TABLE left_child () INHERITS (left_parent)",
        "CREATE TABLE left_measured (id int)",
        "CREATE STATISTICS measuring ON (id + 1) FROM left_measured",
    ] {
        world.database.psql(&credential.fields, made).await.unwrap();
    }
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    assert_eq!(world.server.close().await, 1, "{:?}", world.alice.brokered(&request).await);
    assert!(world.database.roles().is_empty());
    let given = ["id_seq", "pkey"].map(|part| format!("left_plain_{part}|heir"));
    let mut wanted = vec!["left_plain|heir".to_owned(), "left_sequence|heir".to_owned()];
    wanted.extend(given);
    wanted.sort();
    let mut left = left(&world.database);
    left.sort();
    assert_eq!(left, wanted);
}

#[tokio::test]
async fn a_table_that_runs_sql_which_a_session_wrote_is_not_given() {
    let world = owning("{give_to: heir}").await;
    world
        .database
        .administer("\\connect orders\nCREATE SEQUENCE numbers; GRANT ALL ON numbers TO PUBLIC");
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    let runs = "query_to_xml('DELETE FROM orders', true, false, '')";
    let hostile = [
        format!("CREATE TABLE left_default (id int, note text DEFAULT ({runs})::text)"),
        format!("CREATE TABLE left_xml (id int, note xml DEFAULT {runs})"),
        format!("CREATE TABLE left_deep (id int, n bool DEFAULT (({runs}) IS NOT NULL OR random() > 2))"),
        format!("CREATE TABLE left_check (id int CHECK (id > 0 AND {runs} IS NOT NULL))"),
        "CREATE TABLE left_tree (q tsquery DEFAULT ts_rewrite('a', 'SELECT ''a''::tsquery, ''b''::tsquery'))"
            .to_owned(),
        "CREATE TABLE left_view (x xml DEFAULT table_to_xml('orders', true, false, ''))".to_owned(),
        "CREATE TABLE left_setting (t text DEFAULT set_config('role', 'heir', false))".to_owned(),
        "CREATE TABLE left_number (id bigint DEFAULT nextval('numbers'))".to_owned(),
        "CREATE TYPE left_row AS (id int)".to_owned(),
        "CREATE TABLE left_typed OF left_row".to_owned(),
    ];
    let number = world.database.psql(&credential.fields, "SELECT 'numbers'::regclass::oid").await;
    let unnamed = format!(
        "CREATE TABLE left_unnamed (id bigint DEFAULT nextval({}::oid::regclass))",
        number.unwrap()
    );
    let plain = [
        "CREATE TABLE left_a (id int GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT now(), \
            day date DEFAULT CURRENT_DATE, key uuid DEFAULT gen_random_uuid(), \
            name varchar(9) DEFAULT 'x' CHECK (length(name) > 0), price numeric(6,2) DEFAULT 0)",
        "CREATE TABLE left_b (n int CHECK (n > 0 AND n IN (1, 2, 3)), m int GENERATED ALWAYS AS (n * 2) \
            STORED, state varchar CHECK (state IN ('open', 'done') OR state IS NULL))",
        "CREATE SEQUENCE left_c_seq",
        "CREATE TABLE left_c (id bigint DEFAULT nextval('left_c_seq'), other serial)",
    ];
    for made in hostile.iter().map(String::as_str).chain([unnamed.as_str()]).chain(plain) {
        world.database.psql(&credential.fields, made).await.unwrap();
    }
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    assert_eq!(world.server.close().await, 1, "{:?}", world.alice.brokered(&request).await);
    let mut left = left(&world.database);
    left.sort();
    let given = ["a_id_seq", "a", "b", "c_other_seq", "c_seq", "c"];
    assert_eq!(left, given.map(|name| format!("left_{name}|heir")));
}

#[tokio::test]
async fn nobody_keeps_a_right_to_what_is_given() {
    let world = owning("{give_to: heir}").await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    for made in [
        "CREATE TABLE left_granted (id serial, what text, mine int GENERATED ALWAYS AS IDENTITY)",
        "GRANT ALL ON left_granted TO PUBLIC, orders_reader",
        "GRANT TRIGGER, SELECT ON left_granted TO orders_writer WITH GRANT OPTION",
        "GRANT UPDATE (what) ON left_granted TO PUBLIC",
        "GRANT ALL ON left_granted_id_seq, left_granted_mine_seq TO PUBLIC",
        "CREATE SEQUENCE left_sequence",
        "GRANT ALL ON left_sequence TO orders_reader",
    ] {
        world.database.psql(&credential.fields, made).await.unwrap();
    }
    world.database.administer(
        "CREATE ROLE somebody;
         \\connect orders
         SET ROLE orders_writer;
         GRANT TRIGGER ON left_granted TO somebody;",
    );
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    assert_eq!(world.server.close().await, 1, "{:?}", world.alice.brokered(&request).await);
    let rights = "\\connect orders
        SELECT relname, acl.grantee::regrole FROM pg_class, aclexplode(relacl) acl
            WHERE relname ~ '^left_' AND acl.grantee <> relowner
        UNION ALL SELECT attname, acl.grantee::regrole FROM pg_attribute, aclexplode(attacl) acl
            WHERE attrelid = 'left_granted'::regclass;";
    assert_eq!(world.database.administer(rights), "");
    let given = left(&world.database);
    assert!(given.len() == 4 && given.iter().all(|one| one.ends_with("|heir")), "{given:?}");
}

#[tokio::test]
async fn nothing_is_given_to_a_role_with_rights_of_its_own() {
    let world = owning("{give_to: heir}").await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    world.database.psql(&credential.fields, "CREATE TABLE left_behind (id int)").await.unwrap();
    let unfit = ["LOGIN", "SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"];
    for right in unfit {
        world.database.administer(&format!("ALTER ROLE heir {right}"));
        let refused = open(&world.alice, &world.file("free").await).await.unwrap_err();
        assert!(refused.message.contains("give_to"), "{right}: {refused}");
        world.database.administer(&format!("ALTER ROLE heir NO{right}"));
    }
    world.database.administer("CREATE ROLE above CREATEROLE; GRANT above TO heir");
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    assert_eq!(world.server.close().await, 0);
    let problem = world.alice.brokered(&request).await.problem.unwrap();
    assert!(problem.contains("`heir`") && problem.contains("`above`"), "{problem}");
    let behind = format!("left_behind|{}", credential.fields["username"]);
    assert_eq!(left(&world.database), [behind]);
    assert!(world.database.session(&credential.fields).await.is_err());

    world.database.administer("REVOKE above FROM heir");
    world.server.time().pass(Span::minutes(5));
    assert_eq!(world.server.close().await, 1);
    assert_eq!(left(&world.database), ["left_behind|heir"]);
}

/// Takes its time: the row of the role is locked until somebody ends the session.
async fn hold(session: &Session, role: &str) {
    session.ask("BEGIN").await.unwrap();
    session.ask(&format!("ALTER ROLE {role} PASSWORD 'mine'")).await.unwrap();
}

/// The lock that an opening and a closing could agree on by the name alone.
fn key_of(name: &str) -> i64 {
    let digest = Digest::of_parts(&[b"assent broker\0", name.as_bytes()]);
    i64::from_be_bytes(digest.as_bytes()[..8].try_into().unwrap())
}

#[tokio::test]
async fn t20_what_the_holder_locks_does_not_stop_the_end_of_the_login() {
    let world = World::start().await;
    for by_time in [false, true] {
        let request = world.file("free").await;
        let credential = open(&world.alice, &request).await.unwrap();
        let (fields, name) = (&credential.fields, &credential.fields["username"]);
        let altering = world.database.session(fields).await.unwrap();
        hold(&altering, name).await;
        let locking = world.database.session(fields).await.unwrap();
        locking.ask(&format!("SELECT pg_advisory_lock({})", key_of(name))).await.unwrap();
        if by_time {
            world.server.time().pass(Span::minutes(10));
        } else {
            world.alice.client.revoke(&request.id, "incident", &fresh_key()).await.unwrap();
        }
        assert_eq!(world.server.close().await, 1, "{:?}", world.alice.brokered(&request).await);
        assert!(altering.ended().await && locking.ended().await);
        assert!(world.database.session(fields).await.is_err(), "a new login works");
        assert!(world.database.roles().is_empty());
    }
    assert_eq!(world.database.sessions(), 0);
}

#[tokio::test]
async fn t20_holders_who_help_each_other_do_not_stop_the_end_of_a_login() {
    let world = World::start().await;
    let request = world.file("free").await;
    let first = open(&world.alice, &request).await.unwrap();
    let second = open(&world.alice, &request).await.unwrap();
    let name = &first.fields["username"];
    // Before PostgreSQL 16 a role may grant itself to others.
    world.database.administer(&format!("GRANT {name} TO {}", second.fields["username"]));
    let helping = world.database.session(&second.fields).await.unwrap();
    helping.ask(&format!("SET ROLE {name}")).await.unwrap();
    hold(&helping, name).await;
    world.alice.client.revoke_credential(&first.id, &fresh_key()).await.unwrap();
    assert_eq!(world.server.close().await, 1);
    assert!(helping.ended().await);
    assert_eq!(world.database.roles(), [second.fields["username"].clone()]);
    world.database.psql(&second.fields, "SELECT 1").await.unwrap();
}

#[tokio::test]
async fn t20_a_login_that_cannot_be_dropped_yet_is_shut_and_keeps_no_other_open() {
    let world = World::start().await;
    let request = world.file("free").await;
    let stuck = open(&world.alice, &request).await.unwrap();
    let reader = open(&world.alice, &request).await.unwrap();
    let other = open(&world.alice, &request).await.unwrap();
    let made = "CREATE TABLE left_behind (id int); GRANT SELECT ON left_behind TO orders_reader";
    world.database.psql(&stuck.fields, made).await.unwrap();
    world.database.psql(&stuck.fields, DEFINER).await.unwrap();
    let reading = world.database.session(&reader.fields).await.unwrap();
    reading.ask("BEGIN").await.unwrap();
    reading.ask("SELECT count(*) FROM left_behind").await.unwrap();
    for ended in [&stuck, &other] {
        world.alice.client.revoke_credential(&ended.id, &fresh_key()).await.unwrap();
    }
    assert_eq!(world.server.close().await, 1, "the one that is stuck keeps the other open");
    let mut names = [&stuck, &reader].map(|one| one.fields["username"].clone());
    names.sort();
    assert_eq!(world.database.roles(), names);
    assert!(world.database.session(&stuck.fields).await.is_err());
    assert!(world.alice.brokered(&request).await.problem.unwrap().contains("lock timeout"));
    // What it made still runs with its rights, which are none.
    let refused = reading.ask("SELECT left_run('SELECT count(*) FROM orders')").await;
    assert!(refused.is_err(), "the rights of a login that was closed are used");

    // It waits for its next try; another of the same request does not wait with it.
    drop(reading);
    world.alice.client.revoke_credential(&reader.id, &fresh_key()).await.unwrap();
    assert_eq!(world.server.close().await, 1);
    world.server.time().pass(Span::seconds(1));
    assert_eq!(world.server.close().await, 1);
    assert!(world.database.roles().is_empty());
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
    assert_eq!(world.server.close().await, 0);
    let brokered = world.alice.brokered(&request).await;
    let problem = brokered.problem.unwrap();
    assert!(problem.contains(&credential.fields["username"]), "{problem}");
    assert_eq!(brokered.status, "closing");
}
