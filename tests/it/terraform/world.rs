//! A server, three people and a directory with a Terraform configuration.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use assent_client::wire;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::POLICY;
use super::process::{LONG, Ran, Running, assent, eventually, provider, signal};
use crate::support::{Caller, fresh_key};

/// Everything that one test needs, and nobody else sees.
pub(super) struct World {
    directory: TempDir,
    server: Child,
    pub(super) base: String,
    pub(super) alice: Caller,
    bob: Caller,
    carol: Caller,
    /// Who runs terraform, where that is not alice.
    administrator: Option<Caller>,
    runs: AtomicUsize,
}

/// What a starting server says: where it listens, and the tokens by name.
struct Said {
    base: String,
    tokens: Vec<(String, String)>,
    /// The code for the first administrator, where there is none yet.
    code: Option<String>,
}

/// The file that says which brokers a world has, where it has some.
const BROKERS: &str = "brokers.yaml";

/// How a server is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// With three people to try things with, and no administrator.
    Dev,
    /// With a code for the first administrator, and nobody else.
    Bare,
}

impl World {
    /// With this configuration.
    pub(super) async fn new(config: &str) -> Self {
        Self::under(POLICY, config).await
    }

    /// With this policy and configuration, and an administrator, `root`, who runs terraform.
    pub(super) async fn governed(policy: &str, config: &str) -> Self {
        let directory = prepared(policy);
        let (mut server, said) = serve(directory.path(), "127.0.0.1:0", Mode::Bare).await;
        let code = said.code.expect("there is an administrator already");
        let nobody = Caller::new(&said.base, None);
        let root = nobody.client.bootstrap(&code, "root", &fresh_key()).await.unwrap();
        server.kill().await.unwrap();
        // A server keeps the people of `--dev` out of a ledger that is meant; this one is not.
        fs::write(directory.path().join("data/made-for-dev"), "for tests\n").unwrap();
        let world = Self::begun(directory, said.base.trim_start_matches("http://"), config).await;
        let administrator = Some(Caller::new(&world.base, Some(&root.token)));
        Self { administrator, ..world }
    }

    /// With this policy and configuration.
    pub(super) async fn under(policy: &str, config: &str) -> Self {
        Self::begun(prepared(policy), "127.0.0.1:0", config).await
    }

    /// With this policy and configuration, and these brokers, whose password is this.
    pub(super) async fn with_brokers(
        policy: &str,
        config: &str,
        brokers: &str,
        password: &str,
    ) -> Self {
        let directory = prepared(policy);
        let at = |name: &str| directory.path().join(name);
        fs::write(at("password"), password).unwrap();
        let place = format!("password_file: {}", at("password").display());
        fs::write(at(BROKERS), brokers.replace("password_env: BROKER_PASSWORD", &place)).unwrap();
        Self::begun(directory, "127.0.0.1:0", config).await
    }

    async fn begun(directory: TempDir, listen: &str, config: &str) -> Self {
        let (server, said) = serve(directory.path(), listen, Mode::Dev).await;
        let caller = |name: &str| {
            let token = said.tokens.iter().find(|(holder, _)| holder == name);
            Caller::new(&said.base, token.map(|(_, token)| token.as_str()))
        };
        let world = Self {
            server,
            alice: caller("alice"),
            bob: caller("bob"),
            carol: caller("carol"),
            administrator: None,
            base: said.base.clone(),
            runs: AtomicUsize::new(0),
            directory,
        };
        world.configure(config);
        world
    }

    /// Changes the configuration.
    pub(super) fn configure(&self, config: &str) {
        fs::write(self.work("main.tf"), config).unwrap();
    }

    /// A file beside the configuration.
    pub(super) fn work(&self, name: &str) -> PathBuf {
        self.at("work").join(name)
    }

    /// A file of this world.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Ends the server at once, as a crash does.
    pub(super) async fn kill_server(&mut self) {
        self.server.kill().await.unwrap();
    }

    /// Starts it again, on the same address and data.
    pub(super) async fn restart_server(&mut self) {
        let address = self.base.trim_start_matches("http://").to_owned();
        let (server, said) = serve(self.directory.path(), &address, Mode::Dev).await;
        assert_eq!(said.base, self.base);
        self.server = server;
    }

    /// The administrator.
    pub(super) fn root(&self) -> &Caller {
        self.administrator.as_ref().expect("this world has no administrator")
    }

    /// terraform with these arguments, as alice or as the administrator.
    pub(super) fn terraform(&self, arguments: &[&str]) -> Command {
        self.command(Path::new("terraform"), arguments)
    }

    /// `assent` with these arguments, where terraform runs and as it runs.
    pub(super) fn assent(&self, arguments: &[&str]) -> Command {
        self.command(&assent(), arguments)
    }

    pub(super) fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.at("work"))
            .env_clear()
            .env("PATH", self.path())
            .env("HOME", self.directory.path())
            .env("TMPDIR", self.at("tmp"))
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_CLI_CONFIG_FILE", self.at("terraform.rc"))
            .env("TF_CLI_ARGS", "-no-color")
            .env("ASSENT_URL", &self.base)
            .env("ASSENT_TOKEN", self.administrator.as_ref().unwrap_or(&self.alice).token())
            .env("ASSENT_PROVIDER_TRACE", self.at("trace"));
        command
    }

    /// The programs' path, with `assent` first.
    fn path(&self) -> std::ffi::OsString {
        let usual = std::env::var_os("PATH").unwrap_or_default();
        let ours = assent().parent().map(Path::to_owned);
        std::env::join_paths(ours.into_iter().chain(std::env::split_paths(&usual))).unwrap()
    }

    /// Starts a run.
    pub(super) fn start(&self, arguments: &[&str]) -> Running {
        self.start_command(self.terraform(arguments))
    }

    /// Starts this command.
    pub(super) fn start_command(&self, command: Command) -> Running {
        let number = self.runs.fetch_add(1, Ordering::SeqCst);
        Running::start(command, self.at("logs").join(format!("{number}.log")))
    }

    /// Starts `terraform apply`.
    pub(super) fn start_apply(&self) -> Running {
        self.start(&["apply", "-auto-approve", "-input=false"])
    }

    /// Runs to the end.
    pub(super) async fn run(&self, arguments: &[&str]) -> Ran {
        self.start(arguments).end().await
    }

    /// Runs `terraform plan`; its code is 0 if there is nothing to do and 2 if there is.
    pub(super) async fn plan(&self) -> Ran {
        self.run(&["plan", "-detailed-exitcode", "-input=false"]).await
    }

    /// Runs `terraform apply` to the end.
    pub(super) async fn apply(&self) -> Ran {
        self.start_apply().end().await
    }

    /// Runs `terraform plan -out` into this file.
    pub(super) async fn plan_into(&self, file: &str) -> Ran {
        self.run(&["plan", "-input=false", "-out", file]).await.exits(0)
    }

    /// Replaces the policy, and waits until the server rules by it.
    pub(super) async fn rule_by(&self, policy: &str) {
        let revision = async || self.alice.client.policy_status().await.unwrap().revision;
        let before = revision().await;
        fs::write(self.at("policy/policy.yaml"), policy).unwrap();
        let replaced = async || (revision().await != before).then_some(());
        eventually("the new policy", replaced).await;
    }

    /// The one request that is pending, as soon as there is one.
    pub(super) async fn asked(&self) -> wire::Request {
        eventually("a request", async || {
            let found = self.requests(&[("state", "pending")]).await;
            assert!(found.len() < 2, "{found:?}");
            found.into_iter().next()
        })
        .await
    }

    /// The one request of the administrator that is pending, as soon as there is one.
    pub(super) async fn asked_of_root(&self) -> wire::Request {
        eventually("a request", async || {
            let found = self.root().client.requests(&[("state", "pending")]).await.unwrap();
            found.requests.into_iter().next()
        })
        .await
    }

    /// Requests, newest first.
    pub(super) async fn requests(&self, query: &[(&str, &str)]) -> Vec<wire::Request> {
        self.alice.client.requests(query).await.unwrap().requests
    }

    /// A request as it is now.
    pub(super) async fn request(&self, id: &str) -> wire::Request {
        self.alice.client.request(id).await.unwrap()
    }

    /// Waits until a request is in this state.
    pub(super) async fn becomes(&self, id: &str, state: &str) {
        eventually(&format!("{state} of {id}"), async || {
            (self.request(id).await.state == state).then_some(())
        })
        .await;
    }

    /// bob approves.
    pub(super) async fn bob_approves(&self, request: &wire::Request) -> wire::Request {
        review(&self.bob, request, wire::Verdict::Approve, "").await
    }

    /// bob and carol approve.
    pub(super) async fn both_approve(&self, request: &wire::Request) {
        assert_eq!(self.bob_approves(request).await.state, "pending");
        self.carol_approves(request).await;
    }

    /// carol approves, and hers is the last approval that is needed.
    pub(super) async fn carol_approves(&self, request: &wire::Request) {
        let approved = review(&self.carol, request, wire::Verdict::Approve, "").await;
        assert_eq!(approved.state, "approved");
    }

    /// carol denies.
    pub(super) async fn carol_denies(&self, request: &wire::Request, why: &str) {
        let denied = review(&self.carol, request, wire::Verdict::Deny, why).await;
        assert_eq!(denied.state, "denied");
    }

    /// alice takes back what she was granted.
    pub(super) async fn alice_revokes(&self, request: &wire::Request) {
        let revoked = self.alice.client.revoke(&request.id, "an incident", &fresh_key()).await;
        assert_eq!(revoked.unwrap().state, "revoked");
    }

    /// Whether a token is good now.
    pub(super) async fn is_active(&self, token: &str) -> bool {
        let token = assent_client::Secret::new(token.to_owned());
        self.alice.client.introspect(&token).await.unwrap().active
    }

    /// The attributes of a resource in the state, if it is there and not tainted.
    pub(super) fn in_state(&self, kind: &str) -> Option<Value> {
        // While terraform works, the file may be there and empty.
        let text = fs::read_to_string(self.work("terraform.tfstate")).ok();
        let text = text.filter(|text| !text.is_empty())?;
        let state: Value = serde_json::from_str(&text).unwrap();
        let resources = state["resources"].as_array().unwrap().clone();
        let found = resources.iter().find(|resource| resource["type"] == kind)?;
        let instance = &found["instances"][0];
        assert_eq!(instance["status"], Value::Null, "{instance} is tainted");
        Some(instance["attributes"].clone())
    }

    /// Every call that terraform made to the provider so far, and the processes.
    pub(super) fn calls(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.at("trace")).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .map(|line| (line["rpc"].as_str().unwrap().to_owned(), line["pid"].to_string()))
            .collect()
    }

    /// How often a call was made so far.
    pub(super) fn count(&self, call: &str) -> usize {
        self.calls().iter().filter(|(made, _)| made == call).count()
    }

    /// Waits until no provider process is left, nor anything that one made.
    pub(super) async fn providers_are_gone(&self) {
        for (_, pid) in self.calls() {
            eventually("the end of a provider", async || (!signal("0", &pid).await).then_some(()))
                .await;
        }
        let left: Vec<_> = fs::read_dir(self.at("tmp")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// A directory with this policy, in which terraform finds the provider.
fn prepared(policy: &str) -> TempDir {
    let directory = tempfile::Builder::new().prefix("assent-tf").tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for name in ["policy", "plugin", "work", "tmp", "logs"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("policy/policy.yaml"), policy).unwrap();
    symlink(provider(), at("plugin/terraform-provider-assent")).unwrap();
    let overrides = format!(
        "provider_installation {{\n  dev_overrides {{ \"assent-dev/assent\" = {:?} }}\n  direct {{}}\n}}\n",
        at("plugin")
    );
    fs::write(at("terraform.rc"), overrides).unwrap();
    directory
}

/// Starts a server on what is in this directory.
async fn serve(directory: &Path, listen: &str, mode: Mode) -> (Child, Said) {
    let log = fs::OpenOptions::new().create(true).append(true).open(directory.join("server.log"));
    let brokers = directory.join(BROKERS);
    let mut command = Command::new(assent());
    command
        .args(["serve", "--output", "json", "--listen", listen])
        .args((mode == Mode::Dev).then_some("--dev"))
        .arg("--data")
        .arg(directory.join("data"))
        .arg("--policy")
        .arg(directory.join("policy"))
        .args(brokers.is_file().then_some("--brokers"))
        .args(brokers.is_file().then_some(&brokers))
        .env("ASSENT_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log.unwrap())
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let begun = async {
        let (mut tokens, mut code) = (Vec::new(), None);
        loop {
            let line = lines.next_line().await.unwrap().expect("the server ended");
            let said: Value = serde_json::from_str(&line).unwrap();
            let text = |name: &str| said[name].as_str().unwrap().to_owned();
            match said["type"].as_str() {
                Some("dev_token") => tokens.push((text("name"), text("token"))),
                Some("bootstrap") => code = Some(text("code")),
                Some("listening") => return Said { base: text("url"), tokens, code },
                _ => {}
            }
        }
    };
    let said = tokio::time::timeout(LONG, begun).await.expect("the server does not begin");
    (child, said)
}

async fn review(
    who: &Caller,
    request: &wire::Request,
    verdict: wire::Verdict,
    comment: &str,
) -> wire::Request {
    let comment = comment.to_owned();
    let review =
        wire::NewReview { verdict, comment, digest: request.digest.clone(), signature: None };
    who.client.review(&request.id, &review, &fresh_key()).await.unwrap()
}
