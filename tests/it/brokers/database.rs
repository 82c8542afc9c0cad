//! A PostgreSQL server of the test's own, in a directory of its own, as its own user: it refuses to
//! run as root.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::support::{free_place, until};

/// What the authority's own login has.
pub(crate) const BROKER_PASSWORD: &str = "the-brokers-own-password";

const SETUP: &str = "
CREATE ROLE assent_broker LOGIN CREATEROLE PASSWORD 'the-brokers-own-password';
CREATE ROLE orders_reader;
CREATE ROLE orders_writer;
CREATE DATABASE orders;
CREATE DATABASE billing;
\\connect billing
GRANT CREATE ON SCHEMA public TO orders_writer;
\\connect orders
CREATE TABLE orders (id int);
INSERT INTO orders VALUES (1), (2), (3);
GRANT SELECT ON orders TO orders_reader, orders_writer;
GRANT INSERT ON orders TO orders_writer;
GRANT CREATE ON SCHEMA public TO orders_writer;
";

/// The running server.
pub(crate) struct Database {
    folder: TempDir,
    server: Option<Child>,
    pub(crate) port: u16,
}

/// Where its programs are.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let places = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    let mut places: Vec<_> = places.filter(|bin| bin.join("initdb").is_file()).collect();
    places.sort();
    places.pop().expect("no PostgreSQL server in /usr/lib/postgresql: run scripts/setup-tests.sh")
}

impl Database {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("pg").tempdir().unwrap();
        let port = free_place().port();
        let mut database = Self { folder, server: None, port };
        database.give_away();
        let data = database.data();
        let mut init = database.command("initdb");
        init.args([
            "--no-sync",
            "--no-instructions",
            "--username",
            "postgres",
            "--encoding",
            "UTF8",
        ]);
        init.args(["--auth-local", "trust", "--auth-host", "scram-sha-256", "--pgdata"]).arg(data);
        done(&init.output().unwrap());
        database.run().await;
        database.administer(SETUP);
        database
    }

    /// Where the data is.
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What it logs: every statement it is sent.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// The folder is its user's, where that is not us.
    fn give_away(&self) {
        if is_root() {
            done(&Command::new("chown").arg("postgres").arg(self.folder.path()).output().unwrap());
        }
    }

    /// A program of it, as its user.
    fn command(&self, program: &str) -> Command {
        let program = programs().join(program);
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(program);
                command
            }
            false => Command::new(program),
        };
        command.current_dir(self.folder.path()).env("LC_ALL", "C").env_remove("PGPASSWORD");
        command
    }

    /// Starts it, and waits until it answers.
    pub(crate) async fn run(&mut self) {
        let log = self.folder.path().join("log");
        let log = std::fs::File::options().create(true).append(true).open(log).unwrap();
        let (data, port) = (self.data(), self.port.to_string());
        let socket = self.folder.path().display().to_string();
        let mut command = self.command("postgres");
        command.arg("-D").arg(data).args(["-p", &port, "-k", &socket]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "shared_buffers=8MB",
            "max_connections=30",
            "log_statement=all",
            "log_connections=on",
            "log_min_duration_statement=0",
        ] {
            command.args(["-c", setting]);
        }
        command.stdout(Stdio::null()).stderr(log);
        self.server = Some(command.spawn().unwrap());
        let ready = || {
            let mut ask = self.command("pg_isready");
            ask.args(["-q", "-h", &socket, "-p", &port]).status().is_ok_and(|said| said.success())
        };
        until("a database that answers", ready).await;
    }

    /// Ends it at once, as an outage would.
    pub(crate) fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let pid = file.lines().next().unwrap_or_default();
        // SIGQUIT is its immediate shutdown: it leaves no child behind.
        let _ = Command::new("kill").args(["-QUIT", pid]).status();
        let _ = server.wait();
    }

    /// Runs SQL as its superuser.
    pub(crate) fn administer(&self, sql: &str) -> String {
        let file = self.folder.path().join("administer.sql");
        std::fs::write(&file, sql).unwrap();
        let mut psql = self.command("psql");
        psql.args(["-v", "ON_ERROR_STOP=1", "-qAtX", "-U", "postgres", "-h"]);
        psql.arg(self.folder.path()).args(["-p", &self.port.to_string(), "-f"]).arg(&file);
        done(&psql.output().unwrap())
    }

    /// The roles that brokers have made and nobody has dropped.
    pub(crate) fn roles(&self) -> Vec<String> {
        let sql = "SELECT rolname FROM pg_roles WHERE rolname ~ '^assent_0' ORDER BY 1";
        self.administer(sql).lines().map(str::to_owned).collect()
    }

    /// How many sessions such roles have, a broker's own not counted.
    pub(crate) fn sessions(&self) -> usize {
        let sql = "SELECT pid FROM pg_stat_activity WHERE usename ~ '^assent_0' \
            OR usesysid IS NOT NULL AND usename IS NULL";
        self.administer(sql).lines().count()
    }

    /// Asks as `psql` with these fields in its environment; what it printed, or what it complained.
    pub(crate) async fn psql(
        &self,
        fields: &BTreeMap<String, String>,
        sql: &str,
    ) -> Result<String, String> {
        let mut psql = tokio::process::Command::new(programs().join("psql"));
        psql.args(["-v", "ON_ERROR_STOP=1", "-qAtX", &fields["url"], "-c", sql]);
        psql.current_dir(self.folder.path()).env("LC_ALL", "C");
        let output = psql.output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stderr)),
        }
    }

    /// A session with these fields that stays open.
    pub(crate) async fn session(
        &self,
        fields: &BTreeMap<String, String>,
    ) -> Result<Session, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::connect(&fields["url"], NoTls).await?;
        let driving = tokio::spawn(async move { drop(connection.await) });
        Ok(Session { client, driving })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.stop();
        if is_root() {
            let _ = Command::new("chown").args(["-R", "root"]).arg(self.folder.path()).status();
        }
    }
}

/// An open session.
pub(crate) struct Session {
    client: Client,
    driving: JoinHandle<()>,
}

impl Session {
    /// The first field of the answer.
    pub(crate) async fn ask(&self, sql: &str) -> Result<String, tokio_postgres::Error> {
        let messages = self.client.simple_query(sql).await?;
        let first = messages.iter().find_map(|message| {
            let SimpleQueryMessage::Row(row) = message else { return None };
            row.get(0).map(str::to_owned)
        });
        Ok(first.unwrap_or_default())
    }

    /// Until the server ends it.
    pub(crate) async fn end(self) {
        self.driving.await.unwrap();
    }

    /// Whether the server has ended it.
    pub(crate) async fn ended(self) -> bool {
        self.client.simple_query("SELECT 1").await.is_err() && self.driving.await.is_ok()
    }
}

#[track_caller]
fn done(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn is_root() -> bool {
    std::fs::metadata(Path::new("/proc/self")).is_ok_and(|own| own.uid() == 0)
}
