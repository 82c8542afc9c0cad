//! An authority that lets one holder have credentials, and an issuer whose tokens it exchanges.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use assent_client::{Client, IdempotencyKey, wire};
use assent_core::credential::dpop::Holder;
use assent_core::credential::{Algorithm, SigningKey};
use assent_core::time::Timestamp;
use assent_server::clock::Clock;
use assent_server::issuers::Reach;
use assent_server::ledger::SqliteLedger;
use aws_lc_rs::rand::SystemRandom;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::Signer as Issuer;
use crate::host::{self, Host};

/// For whom the credentials are.
pub(super) const AUDIENCE: &str = "shop";
/// For whom the issuer's tokens are.
const TRUSTED: &str = "https://assent.example.com";

/// Everything that the measurements of tokens need.
pub(super) struct World {
    pub(super) host: Host,
    pub(super) runtime: Runtime,
    pub(super) alice: Client,
    issuer: Issuer,
    issued_by: String,
    clock: Clock,
    _directory: tempfile::TempDir,
}

fn rules(issuer: &str) -> String {
    format!(
        "
apiVersion: assent/v1
kind: Policy
metadata: {{name: tokens}}
rules:
  - id: staging
    when: {{intent.environment: staging}}
    allow: {{credential: {{max_ttl: 15m, uses: 200}}}}
trusts:
  jobs:
    issuer: {issuer}
    audience: {TRUSTED}
    shape: github-actions
    claims: {{repository_owner_id: \"17\", repository_id: \"4711\", environment: staging}}
    single_use: true
    may_ask: {{kinds: [service.*], environments: [staging]}}
"
    )
}

impl World {
    /// On a SQLite file of its own.
    pub(super) fn start() -> Result<Self> {
        let (runtime, issuer) = (host::runtime()?, Issuer::generate()?);
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let issued_by = format!("http://{}", listener.local_addr()?);
        let metadata = json!({"issuer": issued_by, "jwks_uri": format!("{issued_by}/keys")});
        let jwks = issuer.jwks()?;
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(async move || Json(metadata)))
            .route("/keys", get(async move || Json(jwks)));
        runtime.spawn(async move { axum::serve(listener, routes).await });
        let directory = tempfile::tempdir()?;
        let ledger = Arc::new(SqliteLedger::open(&directory.path().join("ledger.sqlite"))?);
        let reach = Reach { loopback: true, ..Reach::default() };
        let policy = host::compile(rules(&issued_by))?;
        let host = Host::start_reaching(policy, ledger, reach)?;
        let alice = host.client(&host.alice)?;
        let clock = Clock::system();
        Ok(Self { host, runtime, alice, issuer, issued_by, clock, _directory: directory })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn jwks(&self) -> Result<Value> {
        Ok(self.runtime.block_on(self.alice.jwks())?)
    }

    /// A token of the issuer's, of which there is no other.
    pub(super) fn foreign(&self, number: u64) -> Result<String> {
        let now = self.now().as_seconds();
        let claims = json!({
            "iss": self.issued_by, "aud": TRUSTED, "iat": now, "exp": now + 300,
            "jti": number.to_string(), "sub": "repo:acme/shop:environment:staging",
            "repository": "acme/shop", "repository_id": "4711", "repository_owner_id": "17",
            "environment": "staging", "event_name": "push", "actor_id": "1001",
            "run_id": "99", "run_attempt": "1",
        });
        self.issuer.token("ES256", &json!({}), &claims)
    }

    /// A request that is granted at once.
    pub(super) fn granted(&self, kind: &str, service: &str) -> Result<wire::Request> {
        let intent = wire::Intent {
            kind: kind.to_owned(),
            environment: "staging".to_owned(),
            target: [("service".to_owned(), service.to_owned())].into(),
            reason: "measured".to_owned(),
            ..wire::Intent::default()
        };
        let filing = wire::Filing { intent, reattach: false, heartbeat: None };
        Ok(self.runtime.block_on(self.alice.file(&filing, &IdempotencyKey::fresh()))?)
    }

    pub(super) fn minted_of(&self, request: &str, audience: &str) -> Result<wire::Credential> {
        let wanted = wire::MintRequest { audience: audience.to_owned(), ..Default::default() };
        let key = IdempotencyKey::fresh();
        Ok(self.runtime.block_on(self.alice.mint(request, &wanted, &key))?)
    }

    /// A credential of this kind.
    pub(super) fn minted(&self, kind: &str) -> Result<wire::Credential> {
        self.minted_of(&self.granted(kind, "api")?.id, AUDIENCE)
    }

    /// A token that is bound to this key.
    pub(super) fn bound(&self, kind: &str) -> Result<(Holder, String)> {
        let random = SystemRandom::new();
        let holder =
            Holder::new(&SigningKey::generate(Algorithm::Es256, &random).map_err(|e| anyhow!(e))?)?;
        let request = self.granted(kind, "api")?;
        let wanted = wire::MintRequest { audience: AUDIENCE.to_owned(), ..Default::default() };
        let prove = |url: &str, nonce: Option<&str>| {
            holder.proof(("POST", url), None, nonce, self.now(), &random)
        };
        let key = IdempotencyKey::fresh();
        let minting = self.alice.mint_bound(&request.id, &wanted, &key, prove);
        let token = self.runtime.block_on(minting)?.token;
        Ok((holder, token))
    }
}
