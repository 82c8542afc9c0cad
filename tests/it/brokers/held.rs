//! A login that ends with whoever holds it: `assent run` sends signs of life by itself, and a SIGKILL
//! is heard as silence.

use std::process::Stdio;

use assent_client::wire;
use assent_core::time::Span;
use assent_server::policy::Source;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::database::Database;
use super::{World, brokers, brokers_yaml};
use crate::http::life::verify_log;
use crate::support::{Server, Setup, documents, eventually, fresh_key, program};

/// Whose holder is silent for three seconds has lost it; in `forgiving` only who says so.
const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: held}
rules:
  - id: held
    when: {intent.environment: held}
    allow: {credential: {max_ttl: 10m, broker: orders-db, heartbeat: 3s}}
  - id: forgiving
    when: {intent.environment: forgiving}
    allow: {credential: {max_ttl: 10m, uses: 2, broker: orders-db}}
";

async fn start() -> World {
    let database = Database::start().await;
    let setup = Setup {
        source: Source::Given(documents(POLICY)),
        brokers: brokers(&brokers_yaml(database.port, "")),
        ..Setup::default()
    };
    let server = Server::set_up(setup).await;
    server.authority.sweep().await.unwrap();
    let alice = server.person("alice").await;
    World { database, server, alice }
}

/// psql under `assent run`: it reads what it is to ask from here.
struct Run {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    talk: BufReader<ChildStderr>,
}

impl Run {
    fn start(world: &World, environment: &str, more: &[&str]) -> Self {
        let mut command = Command::new(program());
        command
            .args(["run", "--kind", "database.session", "--environment", environment])
            .args(["--duration", "10m", "--audience", "orders", "--broker", "orders-db"])
            .args(more)
            .args(["--", "psql", "-qAtX"])
            .env("ASSENT_URL", world.server.base())
            .env("ASSENT_TOKEN", world.alice.token())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let asks = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let talk = BufReader::new(child.stderr.take().unwrap());
        Self { child, asks, answers, talk }
    }

    /// One line that the database answers.
    async fn ask(&mut self, sql: &str) -> String {
        self.asks.write_all(format!("{sql};\n").as_bytes()).await.unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).await.unwrap();
        line.trim().to_owned()
    }

    /// Reads on until the run says this.
    async fn says(&mut self, part: &str) {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            assert!(self.talk.read_line(&mut line).await.unwrap() > 0, "it never says `{part}`");
        }
    }

    /// Ends psql, and with it the run; what the run said last.
    async fn end(mut self) -> String {
        drop(self.asks);
        let mut talk = String::new();
        self.talk.read_to_string(&mut talk).await.unwrap();
        assert!(self.child.wait().await.unwrap().success(), "{talk}");
        talk
    }

    /// What psql still says when it is asked in vain: it ends with its connection.
    async fn asks_in_vain(mut self) -> String {
        // It may have noticed already.
        let _ = self.asks.write_all(b"SELECT 'still here';\n").await;
        let mut rest = String::new();
        self.answers.read_to_string(&mut rest).await.unwrap();
        rest
    }
}

/// The one credential that is live.
async fn live(world: &World) -> wire::CredentialEntry {
    let found = world.alice.client.credentials(&[("state", "live")]).await.unwrap();
    assert_eq!(found.credentials.len(), 1, "{found:?}");
    found.credentials.into_iter().next().unwrap()
}

/// Lets two seconds pass, and waits until a sign of life has come in since.
async fn beats(world: &World, credential: &str) {
    let now = world.server.time().pass(Span::seconds(2));
    let due = now.plus(Span::seconds(3)).to_string();
    eventually("a sign of life", async || {
        let shown = world.alice.client.credential(credential).await.unwrap();
        (shown.heartbeat_due.as_ref() == Some(&due)).then_some(())
    })
    .await;
}

/// How many facts of this type there are of a credential.
async fn on_record(world: &World, credential: &wire::CredentialStatus, kind: &str) -> usize {
    let entries = world.alice.client.entries(0).await.unwrap().entries;
    let of_it = entries.iter().filter(|entry| entry.event["credential"] == credential.id.as_str());
    of_it.filter(|entry| entry.event["type"] == kind).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn assent_run_keeps_its_credential_alive_until_sigkill_and_then_its_login_is_gone() {
    let world = start().await;
    for (environment, more) in [("held", &[][..]), ("forgiving", &["--heartbeat", "3s"])] {
        let mut run = Run::start(&world, environment, more);
        assert_eq!(run.ask("SELECT count(*) FROM orders").await, "3");
        let held = live(&world).await.credential;
        assert_eq!(held.heartbeat.as_deref(), Some("3s"));
        for _ in 0..3 {
            beats(&world, &held.id).await;
        }
        assert_eq!(world.server.authority.sweep().await.unwrap(), 0, "it is silent");
        assert_eq!(run.ask("SELECT count(*) FROM orders").await, "3");

        // The command outlives it; its login must not.
        run.child.kill().await.unwrap();
        assert_eq!(run.ask("SELECT current_user").await, world.database.roles()[0]);
        world.server.time().pass(Span::seconds(3));
        assert_eq!(world.server.authority.sweep().await.unwrap(), 1);
        assert_eq!(world.alice.client.credential(&held.id).await.unwrap().status, "silent");
        assert_eq!(on_record(&world, &held, "heartbeat_lost").await, 1);
        assert_eq!(world.server.close().await, 1);
        assert!(world.database.roles().is_empty());
        assert_eq!(world.database.sessions(), 0);
        assert_eq!(run.asks_in_vain().await, "", "the open session lives");
        assert_eq!(on_record(&world, &held, "broker_closed").await, 1);
    }
    verify_log(&world.alice).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_itself_is_no_silence() {
    let world = start().await;
    let mut run = Run::start(&world, "held", &[]);
    assert_eq!(run.ask("SELECT count(*) FROM orders").await, "3");
    let entry = live(&world).await;
    let held = &entry.credential;
    beats(&world, &held.id).await;
    assert!(run.end().await.ends_with(&format!("completed {}\n", entry.request)));
    assert_eq!(world.server.close().await, 1);
    world.server.time().pass(Span::seconds(3));
    assert_eq!(world.server.authority.sweep().await.unwrap(), 0);
    assert_eq!(on_record(&world, held, "heartbeat_lost").await, 0);
    assert!(world.database.roles().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_tells_what_ended_its_credential_before_the_command_did() {
    let world = start().await;
    let mut run = Run::start(&world, "held", &[]);
    run.ask("SELECT 1").await;
    let entry = live(&world).await;
    // As if the machine had slept: no sign of life comes in time.
    world.server.time().pass(Span::seconds(3));
    assert_eq!(world.server.authority.sweep().await.unwrap(), 1);
    run.says(&format!("{} has ended; the command still runs", entry.credential.id)).await;
    let talk = run.end().await;
    let wanted = format!("{} was silent before the command ended\n", entry.credential.id);
    assert!(talk.ends_with(&wanted), "{talk}");
    assert_eq!(world.server.close().await, 1);

    let mut run = Run::start(&world, "forgiving", &[]);
    run.ask("SELECT 1").await;
    let entry = live(&world).await;
    let root = world.server.administrator().await;
    root.client.revoke(&entry.request, "INC-1", &fresh_key()).await.unwrap();
    let talk = run.end().await;
    let wanted = format!("{} revoked by root: INC-1; {}", entry.request, entry.credential.id);
    assert!(talk.contains(&wanted), "{talk}");
}
