//! An authority on loopback, inside this process but on threads of its own.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use assent_client::{Client, IdempotencyKey, Secret, Settings, Url, wire};
use assent_core::policy::Policy;
use assent_core::policy::document::PolicyDocument;
use assent_core::time::Span;
use assent_server::app::{Authority, Parts};
use assent_server::clock::Clock;
use assent_server::engines::NoEngines;
use assent_server::issuers::{Issuers, Reach};
use assent_server::keys::{KeySettings, Keys, Opening};
use assent_server::ledger::Ledger;
use assent_server::network::Proxies;
use assent_server::policy::{Loaded, Reading, Source};
use assent_server::rates::{Rate, Rates};
use assent_server::sealing::Sealer;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// One review by bob grants.
const POLICY: &str = r"
apiVersion: assent/v1
kind: Policy
metadata: {name: benchmark}
groups:
  release-managers: [person:bob, person:carol]
rules:
  - id: production
    when: {intent.environment: production}
    require:
      stages:
        - {name: release, approvals: 1, from: [group:release-managers]}
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h}
";

/// The policy that everything but `bench policy` runs under.
pub(crate) fn policy() -> Result<Policy> {
    compile(POLICY.to_owned())
}

/// A policy of this text.
pub(crate) fn compile(text: String) -> Result<Policy> {
    let document = PolicyDocument { file: "benchmark.yaml".to_owned(), text };
    Policy::compile(&[document]).map_err(|faults| anyhow!("{faults:?}"))
}

/// What alice wants to do; each number is another intent.
pub(crate) fn intent(number: u64) -> wire::Intent {
    let target = [("repository", "example/orders"), ("workspace", "orders-production")];
    wire::Intent {
        kind: "terraform.apply".to_owned(),
        environment: "production".to_owned(),
        target: target.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        reason: format!("roll out release {number} of the order service"),
        ..wire::Intent::default()
    }
}

/// A runtime with a thread for each core.
pub(crate) fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread().enable_all().build().context("no runtime")
}

/// A running authority.
pub(crate) struct Host {
    /// Where it answers.
    pub(crate) url: String,
    /// The token of the one who asks.
    pub(crate) alice: Secret,
    /// The token of the one who approves.
    pub(crate) bob: Secret,
    authority: Arc<Authority>,
    closing: CancellationToken,
    runtime: Option<Runtime>,
}

impl Host {
    /// Starts one on this ledger.
    pub(crate) fn start(ledger: Arc<dyn Ledger>) -> Result<Self> {
        Self::start_under(policy()?, ledger)
    }

    /// Starts one under this policy.
    pub(crate) fn start_under(policy: Policy, ledger: Arc<dyn Ledger>) -> Result<Self> {
        Self::start_reaching(policy, ledger, Reach::default())
    }

    /// Starts one that fetches the keys of issuers from there, too.
    pub(crate) fn start_reaching(
        policy: Policy,
        ledger: Arc<dyn Ledger>,
        reach: Reach,
    ) -> Result<Self> {
        Self::start_as(policy, ledger, reach, |authority| authority)
    }

    /// Starts one with what it has beside: an App at GitHub, say, or other readers.
    pub(crate) fn start_as(
        policy: Policy,
        ledger: Arc<dyn Ledger>,
        reach: Reach,
        with: impl FnOnce(Authority) -> Authority,
    ) -> Result<Self> {
        let runtime = runtime()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let url = format!("http://{}", listener.local_addr()?);
        let clock = Clock::system();
        let opening = Opening {
            ledger: Arc::clone(&ledger),
            sealer: Sealer::default(),
            issuer: url.clone(),
            settings: KeySettings::default(),
            before: None,
        };
        let closing = CancellationToken::new();
        let parts = Parts {
            ledger,
            rules: Loaded { policy, reading: Reading::default() },
            source: Source::Nowhere,
            engines: Arc::new(NoEngines),
            proxies: Proxies::default(),
            issuers: Issuers::new(reach),
            keys: runtime.block_on(Keys::open(opening, clock.now()))?,
            clock,
            base: url.clone(),
            closing: closing.clone(),
        };
        // One machine is all callers here, so how often one of them may call is not what is measured.
        let tokens = Rate { burst: 1_000_000, each: Span::from_millis(1) };
        let rates = Rates { tokens, ..Rates::default() };
        let authority = Authority::new(parts).with_most_pending(u64::MAX).with_rates(rates);
        let authority = Arc::new(with(authority));
        let (alice, _) = runtime.block_on(authority.seed_person("alice"))?;
        let (bob, _) = runtime.block_on(authority.seed_person("bob"))?;
        let sweeper = Arc::clone(&authority);
        runtime.spawn(async move { sweeper.sweep_until_closing().await });
        runtime.spawn(Arc::clone(&authority).guard_deployments_until_closing());
        runtime.spawn(assent_server::serve(listener, Arc::clone(&authority)));
        Ok(Self { url, alice, bob, authority, closing, runtime: Some(runtime) })
    }

    /// The token of one more person.
    pub(crate) fn person(&self, runtime: &Runtime, name: &str) -> Result<Secret> {
        Ok(runtime.block_on(self.authority.seed_person(name))?.0)
    }

    /// A client of the first administrator.
    pub(crate) fn administrator(&self, runtime: &Runtime) -> Result<Client> {
        let code = runtime.block_on(self.authority.open_bootstrap())?;
        let code = code.context("there is an administrator already")?;
        let nobody = Client::new(Settings::new(Url::parse(&self.url)?, "assent-bench"))?;
        let key = IdempotencyKey::fresh();
        let fresh = runtime.block_on(nobody.bootstrap(code.expose(), "root", &key))?;
        self.client(&Secret::new(fresh.token))
    }

    /// A client with this token.
    pub(crate) fn client(&self, token: &Secret) -> Result<Client> {
        client(&self.url, token)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.closing.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A client of the authority at this address.
pub(crate) fn client(url: &str, token: &Secret) -> Result<Client> {
    let url = Url::parse(url)?;
    Ok(Client::new(Settings::new(url, "assent-bench").with_token(Some(token.clone())))?)
}
