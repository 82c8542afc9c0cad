//! A certified OpenID provider (npm `oidc-provider`), in a process of its own.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{Time, tools};

/// The provider, as long as it runs.
pub(crate) struct Provider {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    pub(crate) url: String,
}

impl Provider {
    /// Starts it at this port, or at a free one; it tells this time.
    pub(crate) async fn start(port: u16, time: &Time) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/it/support/provider.mjs");
        let now = time.clock().now().as_millis().to_string();
        let mut child = Command::new(tools::node())
            .arg(script)
            .arg(tools::node_modules())
            .args([port.to_string(), now])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It warns of keeping things in memory, which is what is wanted here.
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = answers.next_line().await.unwrap().expect("oidc-provider did not start");
        Self { child, orders, answers, url }
    }

    async fn order(&mut self, line: &str) -> String {
        self.orders.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        self.answers.next_line().await.unwrap().unwrap()
    }

    /// Makes a key to sign with, and publishes the newest so many.
    pub(crate) async fn rotate(&mut self, published: usize) {
        assert_eq!(self.order(&format!("keys {published}")).await, "published");
    }

    /// From now on people sign in to whoever is sent back to this address.
    pub(crate) async fn client(&mut self, redirect: &str) {
        assert_eq!(self.order(&format!("client {redirect}")).await, "known");
    }

    /// Somebody who can sign in: `{sub, name, email, email_verified, groups, acr, amr}`.
    pub(crate) async fn person(&mut self, person: &Value) {
        assert_eq!(self.order(&format!("person {person}")).await, "known");
    }

    /// It knows them no more.
    pub(crate) async fn forget(&mut self, sub: &str) {
        assert_eq!(self.order(&format!("forget {sub}")).await, "forgotten");
    }

    /// It is as late there as here.
    pub(crate) async fn keep_time(&mut self, time: &Time) {
        let now = time.clock().now().as_millis();
        assert_eq!(self.order(&format!("time {now}")).await, "later");
    }

    /// An access token of its client `robot`, for this audience.
    pub(crate) async fn token(&mut self, audience: &str) -> String {
        let told: Value =
            serde_json::from_str(&self.order(&format!("token {audience}")).await).unwrap();
        told["access_token"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
    }

    /// Its port, to start another there.
    pub(crate) fn port(&self) -> u16 {
        self.url.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// Ends it at once, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}
