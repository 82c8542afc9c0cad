//! An authority that trusts the jobs of `acme/orders`, people who approve, and the action as it is shipped.

use std::path::Path;
use std::sync::Arc;

use assent_client::wire;
use assent_server::broker::Brokers;
use assent_server::issuers::Reach;
use assent_server::ledger::{Ledger, MemoryLedger};
use assent_server::policy::Source;
use tempfile::TempDir;

use super::relay::Relay;
use crate::runner::{Action, Ended, Job, Oidc, Running};
use crate::support::{
    Caller, Issuer, Remains, Server, Setup, documents, eventually, program, until,
};

/// What `release` may do is asked of bob or carol; `free` of nobody; `never` is refused.
pub(super) const RULES: &str = "
  - id: production
    when: {intent.environment: production, requester.groups: {contains: deployments}}
    require:
      stages: [{name: release, approvals: 1, from: [group:release-managers]}]
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h, audiences: [orders], uses: 3}
  - id: many
    when: {intent.environment: many}
    require:
      stages: [{name: release, approvals: 4, from: [group:release-managers]}]
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h, audiences: [orders]}
  - id: again
    when: {intent.environment: again}
    require:
      stages: [{name: release, approvals: 1, from: [group:release-managers]}]
      credential: {max_ttl: 15m, grant_window: 1h, audiences: [orders], reuse_within_run: true}
  - id: free
    when: {intent.environment: free}
    allow: {credential: {max_ttl: 15m, audiences: [orders]}}
  - id: never
    when: {intent.environment: never}
    deny: {message: not on a Friday}
";

/// All that a test of the action needs.
pub(super) struct World {
    pub(super) server: Server,
    /// By which everybody gets to it.
    pub(super) relay: Relay,
    pub(super) oidc: Oidc,
    pub(super) job: Job,
    pub(super) action: Action,
    policy: String,
    _folder: TempDir,
}

impl World {
    /// Where these rules hold.
    pub(super) async fn new() -> Self {
        Self::with(RULES, Brokers::default()).await
    }

    /// Where those hold, with these brokers.
    pub(super) async fn with(rules: &str, brokers: Brokers) -> Self {
        let issuer = Issuer::start_rs256().await;
        let remains = Remains::fresh();
        let relay = Relay::start(remains.base()).await;
        let policy = policy(&issuer.url, &relay.url.clone(), rules);
        let clock = remains.time.clock();
        let oidc = Oidc::start(&issuer, move || clock.now().as_millis() / 1_000).await;
        let (ledger, public) = (Arc::new(MemoryLedger::default()), relay.url.clone());
        let server = serving(&policy, ledger, remains, brokers, public).await;
        let folder = tempfile::tempdir().unwrap();
        let binary = program().with_file_name("assent-action");
        assert!(
            binary.is_file(),
            "run `cargo build -p assent-action`: it is not at {}",
            binary.display()
        );
        let action = Action::packaged(&binary, &folder.path().join("action"));
        let job = Job::new().with_oidc(&oidc);
        Self { server, relay, oidc, job, action, policy, _folder: folder }
    }

    /// Another job of the same run.
    pub(super) fn another_job(&self) -> Job {
        Job::new().with_oidc(&self.oidc)
    }

    pub(super) fn base(&self) -> String {
        self.relay.url.clone()
    }

    /// The server goes away; what is left of it.
    pub(super) async fn goes_away(self) -> (Away, Oidc, Job, Action) {
        let ledger = self.server.ledger();
        let remains = self.server.stop().await;
        let away =
            Away { ledger, remains, relay: self.relay, policy: self.policy, _folder: self._folder };
        (away, self.oidc, self.job, self.action)
    }

    pub(super) async fn bob(&self) -> Caller {
        self.server.person("bob").await
    }

    /// The only request, as soon as it is there.
    pub(super) async fn asked(&self) -> wire::Request {
        let bob = self.bob().await;
        eventually("a request", async || bob.client.requests(&[]).await.unwrap().requests.pop())
            .await
    }

    /// Every request.
    pub(super) async fn requests(&self) -> Vec<wire::Request> {
        self.bob().await.client.requests(&[]).await.unwrap().requests
    }

    /// The request as it is now.
    pub(super) async fn now(&self, request: &wire::Request) -> wire::Request {
        self.bob().await.client.request(&request.id).await.unwrap()
    }

    /// Whether a credential is good.
    pub(super) async fn is_live(&self, token: &str) -> bool {
        let asked = self.bob().await.form("/oauth/introspect", &[("token", token)]).await;
        asked.is(200).json()["active"].as_bool().unwrap()
    }

    /// What a job printed gives no secret away: no token of the job stands in it but where it is masked.
    #[track_caller]
    pub(super) fn is_discreet(&self, ended: &Ended, more: &[&str]) {
        let issued = self.oidc.issued();
        let secrets = issued.iter().map(String::as_str).chain(more.iter().copied());
        for secret in secrets {
            let lines = ended.log.raw.iter().filter(|line| line.contains(secret));
            for line in lines {
                assert!(line.starts_with("::add-mask::"), "a secret is printed: {line}");
            }
            assert!(!ended.summary.contains(secret), "a secret is in the summary");
            assert!(
                ended.outputs.values().all(|value| !value.contains(secret)),
                "{:?}",
                ended.outputs
            );
        }
    }
}

/// A step whose command runs and keeps what it was given: that token.
pub(super) async fn held(world: &World) -> (Running, String) {
    let base = world.base();
    let command = "printf '%s' \"$ASSENT_CREDENTIAL\" >held.part; mv held.part held; exec sleep 60";
    let with = [
        ("url", &*base),
        ("environment", "free"),
        ("mode", "run"),
        ("audience", "orders"),
        ("command", command),
    ];
    let running = world.job.step(&world.action, &with).start();
    let held = world.job.at("workspace/held");
    until("the command", || held.exists()).await;
    (running, std::fs::read_to_string(held).unwrap())
}

/// What is left of a server that went away.
pub(super) struct Away {
    ledger: Arc<dyn Ledger>,
    remains: Remains,
    relay: Relay,
    policy: String,
    _folder: TempDir,
}

impl Away {
    /// It is there again.
    pub(super) async fn comes_back(self) -> (Server, (Relay, TempDir)) {
        let Self { ledger, remains, relay, policy, _folder } = self;
        let server = serving(&policy, ledger, remains, Brokers::default(), relay.url.clone()).await;
        (server, (relay, _folder))
    }
}

async fn serving(
    policy: &str,
    ledger: Arc<dyn Ledger>,
    remains: Remains,
    brokers: Brokers,
    public: String,
) -> Server {
    let reach = Reach { loopback: true, ..Reach::default() };
    let (source, public) = (Source::Given(documents(policy)), Some(public));
    let setup = Setup { source, reach, brokers, public, ..Setup::default() };
    Server::placed_on(ledger, remains, setup).await
}

fn policy(issuer: &str, audience: &str, rules: &str) -> String {
    format!(
        "apiVersion: assent/v1
kind: Policy
groups:
  release-managers: [person:alice, person:bob, person:carol, person:dave, person:erin]
  deployments: {{identity: true}}
trusts:
  orders:
    issuer: {issuer}
    audience: {audience}
    shape: github-actions
    claims: {{repository_owner_id: \"17\", repository_id: \"4711\", environment: production}}
    people: {{\"583231\": person:alice, \"2\": person:bob, \"3\": person:carol, \"4\": person:dave, \"5\": person:erin}}
    groups: [deployments]
    may_ask: {{kinds: [github.deploy, terraform.apply, database.migrate], environments: [production, many, again, free, never]}}
rules:{rules}"
    )
}

/// The token in the credential's file, which nobody else can read.
#[track_caller]
pub(super) fn credential(ended: &Ended, temp: &Path) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let file = Path::new(ended.output("credential-file"));
    assert!(file.starts_with(temp), "{} is not in {}", file.display(), temp.display());
    let mode = std::fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let held: wire::Credential = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    held.token
}
