//! A server to test against, and the people who use it. Nothing here knows what is tested.

mod answer;
mod binary;
mod browser;
mod caller;
mod command;
pub(crate) mod emulate;
pub(crate) mod github;
mod issuer;
pub(crate) mod passkey;
mod place;
pub(crate) mod prism;
mod provider;
mod stand_in;
mod story;
mod time;
pub(crate) mod tools;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assent_client::wire;
use assent_core::access::{Access, NewAccess, Purpose};
use assent_core::credential::{Algorithm, Secret, SigningKey};
use assent_core::policy::Policy;
use assent_core::policy::document::PolicyDocument;
use assent_core::principal::{Principal, PrincipalId, PrincipalKind};
use assent_core::time::Span;
use assent_server::app::authzen::Authzen;
use assent_server::app::{Authority, Parts};
use assent_server::broker::Brokers;
use assent_server::chance::Chance;
use assent_server::engines::{Engines, NoEngines};
use assent_server::github::{Github, Kept, Settings};
use assent_server::issuers::{Issuers, Reach};
use assent_server::keys::{KeySettings, Keys, Opening};
use assent_server::ledger::{Ledger, MemoryLedger, SqliteLedger};
use assent_server::network::Proxies;
use assent_server::notify::Channels;
use assent_server::policy::{Loaded, Reading, Source};
use assent_server::rates::Rates;
use assent_server::sealing::Sealer;
use assent_server::sign_in::SignIn;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use answer::Answer;
pub(crate) use binary::{Binary, cycles, policy_in, program};
pub(crate) use browser::{Chromium, Screen, Window};
pub(crate) use caller::{Caller, fresh_key, sent};
pub(crate) use command::{Did, assent, shell, signal};
pub(crate) use issuer::{Issuer, Manner};
pub(crate) use place::free_place;
pub(crate) use provider::Provider;
pub(crate) use stand_in::{Asked, Reply, StandIn, Ways};
pub(crate) use story::{approve, deny, eventually, filing, intent, mint, until};
pub(crate) use time::{Time, now};

/// Like the policy of `--dev`, and a rule for whatever else a test needs.
pub(crate) const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
people:
  bob: {github: \"2\"}
  carol: {github: \"3\"}
  dave: {github: \"4\"}
groups:
  release-managers: [person:bob, person:carol, person:dave]
rules:
  - id: production
    when: {intent.environment: production}
    require:
      stages:
        - {name: release, approvals: 2, from: [group:release-managers]}
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h}
  - id: one
    when: {intent.environment: one}
    require:
      stages:
        - {name: release, approvals: 1, from: [group:release-managers]}
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h, audiences: [aws]}
  - id: staging
    when: {intent.environment: staging}
    allow: {credential: {max_ttl: 15m}}
  - id: no-sessions-in-production
    when: {intent.environment: production, intent.kind: database.session}
    deny: {message: use the read replica}
";

/// The policy of this text.
#[track_caller]
pub(crate) fn policy(text: &str) -> Policy {
    Policy::compile(&documents(text)).unwrap()
}

/// A policy whose only document is this text.
pub(crate) fn documents(text: &str) -> Vec<PolicyDocument> {
    vec![PolicyDocument { file: "tests.yaml".to_owned(), text: text.to_owned() }]
}

/// What seals the signing keys in all ledgers of tests.
pub(crate) const SEALING_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// How a server is set up, where that matters to a test.
pub(crate) struct Setup {
    pub(crate) source: Source,
    pub(crate) engines: Arc<dyn Engines>,
    pub(crate) proxies: Proxies,
    pub(crate) reach: Reach,
    pub(crate) authzen: Authzen,
    pub(crate) brokers: Brokers,
    /// The GitHub App it is.
    pub(crate) github: Option<Settings>,
    /// Where it keeps the one that setup makes.
    pub(crate) github_kept_in: Option<PathBuf>,
    pub(crate) keys: KeySettings,
    pub(crate) plan_retention: Option<Span>,
    /// How many requests of one requester are pending at most.
    pub(crate) most_pending: u64,
    pub(crate) rates: Rates,
    /// Where people sign in.
    pub(crate) sign_in: SignIn,
    /// Where others find it, if not where it listens.
    pub(crate) public: Option<String>,
    /// By what it tells.
    pub(crate) channels: Channels,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            source: Source::Given(documents(POLICY)),
            engines: Arc::new(NoEngines),
            proxies: Proxies::default(),
            reach: Reach::default(),
            authzen: Authzen::default(),
            brokers: Brokers::default(),
            github: None,
            github_kept_in: None,
            keys: KeySettings::default(),
            plan_retention: None,
            // Tests file as many as they like.
            most_pending: u64::MAX,
            rates: Rates::default(),
            sign_in: SignIn::default(),
            public: None,
            channels: Channels::default(),
        }
    }
}

/// What outlives a server: start it again from the same.
#[derive(Clone)]
pub(crate) struct Remains {
    pub(crate) address: SocketAddr,
    pub(crate) time: Time,
    sealer: Sealer,
    key: Arc<[u8]>,
}

impl Remains {
    pub(crate) fn fresh() -> Self {
        let key = SigningKey::generate(Algorithm::Es256, Chance::default().source()).unwrap();
        let (address, sealer) = (free_place(), Sealer::default());
        Self { address, time: Time::default(), sealer, key: key.as_slice().into() }
    }

    /// The same, with another sealing key.
    pub(crate) fn sealing_anew(self) -> Self {
        Self { sealer: Sealer::default(), ..self }
    }

    /// Where a server of it answers.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// A server that answers on loopback.
pub(crate) struct Server {
    pub(crate) authority: Arc<Authority>,
    pub(crate) remains: Remains,
    closing: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
    ledger: Arc<dyn Ledger>,
}

impl Server {
    /// With a ledger in memory.
    pub(crate) async fn start() -> Self {
        Self::with(Arc::new(MemoryLedger::default())).await
    }

    /// With its ledger in this file.
    pub(crate) async fn on_file(file: &Path) -> Self {
        Self::with(Arc::new(SqliteLedger::open(file).unwrap())).await
    }

    /// With this ledger.
    pub(crate) async fn with(ledger: Arc<dyn Ledger>) -> Self {
        Self::again(ledger, Remains::fresh()).await
    }

    /// With a ledger in memory, as an AuthZEN decision point of these settings.
    pub(crate) async fn deciding(authzen: Authzen) -> Self {
        Self::set_up(Setup { authzen, ..Setup::default() }).await
    }

    /// With a ledger in memory and this policy.
    pub(crate) async fn ruled_by(text: &str) -> Self {
        Self::set_up(Setup { source: Source::Given(documents(text)), ..Setup::default() }).await
    }

    /// With its ledger in this file, and this policy.
    pub(crate) async fn on_file_ruled_by(file: &Path, text: &str) -> Self {
        Self::on_file_again(file, Remains::fresh(), text).await
    }

    /// The same, after a server before it.
    pub(crate) async fn on_file_again(file: &Path, remains: Remains, text: &str) -> Self {
        let setup = Setup { source: Source::Given(documents(text)), ..Setup::default() };
        Self::on_file_again_set_up(file, remains, setup).await
    }

    /// With its ledger in this file, set up like this.
    pub(crate) async fn on_file_set_up(file: &Path, setup: Setup) -> Self {
        Self::on_file_again_set_up(file, Remains::fresh(), setup).await
    }

    /// The same, after a server before it.
    pub(crate) async fn on_file_again_set_up(file: &Path, remains: Remains, setup: Setup) -> Self {
        Self::on(Arc::new(SqliteLedger::open(file).unwrap()), remains, setup).await
    }

    /// With a ledger in memory, set up like this.
    pub(crate) async fn set_up(setup: Setup) -> Self {
        let remains = Remains::fresh();
        Self::on(Arc::new(MemoryLedger::default()), remains, setup).await
    }

    /// With this ledger and what is left of a server before it.
    pub(crate) async fn again(ledger: Arc<dyn Ledger>, remains: Remains) -> Self {
        Self::on(ledger, remains, Setup::default()).await
    }

    /// With a ledger in memory, and under the one name by which browsers let a page without https have
    /// what others have with it.
    pub(crate) async fn for_browsers(setup: Setup) -> Self {
        let remains = Remains::fresh();
        let public = Some(format!("http://localhost:{}", remains.address.port()));
        Self::placed(remains, Setup { public, ..setup }).await
    }

    /// With a ledger in memory, at its place and set up like this.
    pub(crate) async fn placed(remains: Remains, setup: Setup) -> Self {
        Self::placed_on(Arc::new(MemoryLedger::default()), remains, setup).await
    }

    /// The same with this ledger.
    pub(crate) async fn placed_on(ledger: Arc<dyn Ledger>, remains: Remains, setup: Setup) -> Self {
        Self::on(ledger, remains, setup).await
    }

    /// Its ledger, for a server after it.
    pub(crate) fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::clone(&self.ledger)
    }

    async fn on(ledger: Arc<dyn Ledger>, remains: Remains, setup: Setup) -> Self {
        let Setup {
            source,
            engines,
            proxies,
            reach,
            authzen,
            brokers,
            github,
            github_kept_in,
            keys,
            plan_retention,
            most_pending,
            rates,
            sign_in,
            public,
            channels,
        } = setup;
        let reading = source.read(&Reading::default()).await.unwrap();
        let listener = TcpListener::bind(remains.address).await.unwrap();
        let base = public.unwrap_or_else(|| remains.base());
        let closing = CancellationToken::new();
        let kept = Arc::clone(&ledger);
        // A ledger outlives what is left of a server; its keys must open all the same.
        let sealer = Sealer::new(&SEALING_KEY.parse().unwrap(), &[]).unwrap();
        let is_new = ledger.signing_keys().await.unwrap().is_empty();
        let before = is_new.then(|| remains.key.to_vec().into());
        let opening = Opening {
            ledger: Arc::clone(&ledger),
            sealer,
            issuer: base.clone(),
            settings: keys,
            before,
        };
        let keys = Keys::open(opening, remains.time.clock().now()).await.unwrap();
        let parts = Parts {
            ledger,
            rules: Loaded::compile(reading, &[]).unwrap(),
            source,
            engines,
            proxies,
            issuers: Issuers::new(reach),
            keys,
            clock: remains.time.clock(),
            base,
            closing: closing.clone(),
        };
        let authority = Authority::new(parts).with_authzen(authzen).with_brokers(brokers);
        let authority = authority.with_sealer(remains.sealer.clone());
        let app = github.map(|app| Github::new(app, remains.time.clock()).unwrap());
        let authority = authority.with_github(app);
        let authority = match github_kept_in {
            Some(data) => {
                let kept = Kept::in_directory(&data, remains.sealer.clone());
                authority.keeping_github(kept)
            }
            None => authority,
        };
        let authority = authority.with_most_pending(most_pending);
        let authority = authority.with_channels(channels).with_sign_in(sign_in);
        let authority = Arc::new(authority.with_plan_retention(plan_retention).with_rates(rates));
        authority.learn_signals().await.unwrap();
        authority.learn_people().await.unwrap();
        authority.learn_absences().await.unwrap();
        let serving = tokio::spawn(assent_server::serve(listener, Arc::clone(&authority)));
        Self { authority, remains, closing, serving, ledger: kept }
    }

    /// Ends it as SIGTERM would, and waits until it has.
    pub(crate) async fn stop(self) -> Remains {
        self.closing.cancel();
        self.serving.await.unwrap().unwrap();
        self.remains
    }

    /// Where it answers.
    pub(crate) fn base(&self) -> &str {
        self.authority.base()
    }

    /// What its time is moved by.
    pub(crate) fn time(&self) -> &Time {
        &self.remains.time
    }

    /// Somebody who presents nothing.
    pub(crate) fn stranger(&self) -> Caller {
        Caller::new(self.base(), None)
    }

    /// Somebody who presents this.
    pub(crate) fn holder_of(&self, token: &str) -> Caller {
        Caller::new(self.base(), Some(token))
    }

    /// A person with a token.
    pub(crate) async fn person(&self, sub: &str) -> Caller {
        let (token, _) = self.authority.seed_person(sub).await.unwrap();
        self.holder_of(token.expose())
    }

    /// The requester and two release managers.
    pub(crate) async fn people(&self) -> (Caller, Caller, Caller) {
        (self.person("alice").await, self.person("bob").await, self.person("carol").await)
    }

    /// A person who may administer.
    pub(crate) async fn administrator(&self) -> Caller {
        let token = self.issue(principal("root", PrincipalKind::Person, &[]), true).await;
        self.holder_of(token.expose())
    }

    /// A workload with a token, acting for these people.
    pub(crate) async fn workload(&self, sub: &str, acts_for: &[&str]) -> Caller {
        let token = self.issue(principal(sub, PrincipalKind::Workload, acts_for), false).await;
        self.holder_of(token.expose())
    }

    /// A person whose token says that they are in these groups.
    pub(crate) async fn member(&self, sub: &str, groups: &[&str]) -> Caller {
        let wanted = wire::NewAccess {
            kind: wire::Kind::Person,
            sub: sub.to_owned(),
            acts_for: BTreeSet::new(),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            administrator: false,
            expires_after: Some("1h".to_owned()),
        };
        let root = self.administrator().await;
        let fresh = root.client.create_access(&wanted, &fresh_key()).await.unwrap();
        self.holder_of(&fresh.token)
    }

    pub(crate) async fn issue(&self, principal: Principal, administrator: bool) -> Secret {
        let now = self.authority.clock().now();
        let by = principal.id.clone();
        let new = NewAccess {
            id: Chance::default().access_id(now).unwrap(),
            principal,
            administrator,
            purpose: Purpose::Token,
            parent: None,
            life: Span::hours(24),
        };
        let (step, token) = Access::issue(new, &self.authority.secret().unwrap(), &by, now);
        self.authority.ledger().commit_access(step).await.unwrap();
        token
    }
}

/// A principal that the authority itself knows.
pub(crate) fn principal(sub: &str, kind: PrincipalKind, acts_for: &[&str]) -> Principal {
    let local = |sub: &str| PrincipalId::local(sub).unwrap();
    Principal {
        id: local(sub),
        kind,
        groups: BTreeSet::new(),
        acts_for: acts_for.iter().map(|sub| local(sub)).collect(),
        claims: serde_json::Map::new(),
    }
}
