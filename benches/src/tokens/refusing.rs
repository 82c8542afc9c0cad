//! How long the example service takes to refuse a call, in its middleware, without the network in
//! front of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use assent_client::IdempotencyKey;
use assent_core::credential::dpop::Holder;
use assent_core::credential::{Algorithm, SigningKey};
use assent_core::time::Timestamp;
use assent_example_service::{Authority, Guard, router};
use aws_lc_rs::rand::SystemRandom;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt as _;

use super::world::{AUDIENCE, World};
use crate::Effort;
use crate::report::{self, Spread};

const BASE: &str = "https://shop.example.com";
const PATH: &str = "/version/api";

/// The service, and how far its clock is ahead.
struct Service {
    router: Router,
    ahead: Arc<AtomicI64>,
}

pub(super) fn run(world: &World, effort: Effort) -> Result<()> {
    report::heading("What the example service's middleware takes: p50 / p99, and the slowest");
    let (service, times) = (Service::start(world)?, effort.approvals);
    let mut rows = Vec::new();
    let mut row = |what: &str, status: u16, calls: Vec<Request<Body>>| -> Result<()> {
        rows.push(service.timed(world, (what, status), calls)?);
        Ok(())
    };
    let again = |headers: &[(&str, &str)]| (0..times).map(|_| call(headers)).collect::<Result<_>>();
    let good = world.minted("service.read")?;
    row("without a credential", 401, again(&[])?)?;
    let changed = good.token.get(..good.token.len() - 6).context("a short token")?;
    row("a wrong signature", 401, again(&[bearer(&format!("{changed}AAAAAA")).pair()])?)?;
    let other = world.minted("service.deploy")?;
    row("granted for something else", 403, again(&[bearer(&other.token).pair()])?)?;
    let request = world.granted("service.read", "api")?;
    let elsewhere = world.minted_of(&request.id, "warehouse")?;
    row("for another audience", 401, again(&[bearer(&elsewhere.token).pair()])?)?;
    let (holder, bound) = world.bound("service.read")?;
    row("bound, without a proof", 401, again(&[bearer(&bound).pair()])?)?;
    let nonce = service.nonce(world, &holder, &bound)?;
    let shown = |holder: &Holder| -> Result<Request<Body>> {
        let proof = prove(world, holder, &bound, Some(&nonce))?;
        call(&[("authorization", &format!("DPoP {bound}")), ("dpop", &proof)])
    };
    let thief = Holder::new(&SigningKey::generate(Algorithm::Es256, &SystemRandom::new())?)?;
    let stolen = (0..times).map(|_| shown(&thief)).collect::<Result<_>>()?;
    row("bound, with another's proof", 401, stolen)?;
    let used = prove(world, &holder, &bound, Some(&nonce))?;
    let used = [("authorization", format!("DPoP {bound}")), ("dpop", used)];
    let used: Vec<_> = used.iter().map(|(name, value)| (*name, value.as_str())).collect();
    row("bound, its proof shown first: let in", 200, vec![call(&used)?])?;
    row("bound, its proof shown again", 401, again(&used)?)?;
    let mut tokens = Vec::new();
    for _ in 0..times.min(100) {
        let request = world.granted("service.read", "api")?;
        tokens.push(world.minted_of(&request.id, AUDIENCE)?);
        let key = IdempotencyKey::fresh();
        world.runtime.block_on(world.alice.revoke(&request.id, "measured", &key))?;
    }
    let of = |tokens: &[assent_client::wire::Credential]| -> Result<Vec<_>> {
        tokens.iter().map(|one| call(&[bearer(&one.token).pair()])).collect()
    };
    row("taken back: the authority is asked", 401, of(&tokens)?)?;
    row("taken back, shown again", 401, of(&tokens)?)?;
    row("good: the authority is asked", 200, again(&[bearer(&good.token).pair()])?)?;
    service.ahead.store(3_600_000, Ordering::SeqCst);
    row("expired", 401, again(&[bearer(&good.token).pair()])?)?;
    report::table(&["call", "status", "p50 / p99", "slowest"], &rows);
    Ok(())
}

struct Bearer(String);

fn bearer(token: &str) -> Bearer {
    Bearer(format!("Bearer {token}"))
}

impl Bearer {
    fn pair(&self) -> (&'static str, &str) {
        ("authorization", &self.0)
    }
}

fn call(headers: &[(&str, &str)]) -> Result<Request<Body>> {
    let call = Request::get(PATH);
    let call = headers.iter().fold(call, |call, (name, value)| call.header(*name, *value));
    Ok(call.body(Body::empty())?)
}

fn prove(world: &World, holder: &Holder, token: &str, nonce: Option<&str>) -> Result<String> {
    let uri = format!("{BASE}{PATH}");
    let random = SystemRandom::new();
    Ok(holder.proof(("GET", &uri), Some(token), nonce, world.now(), &random)?)
}

impl Service {
    fn start(world: &World) -> Result<Self> {
        let ahead = Arc::new(AtomicI64::new(0));
        let (base, token) = (&world.host.url, world.host.bob.clone());
        let reached = world.runtime.block_on(Authority::reach(base, token, world.now()))?;
        let (clock, shift) = (assent_server::clock::Clock::system(), Arc::clone(&ahead));
        let clock = Arc::new(move || {
            Timestamp::from_millis(clock.now().as_millis() + shift.load(Ordering::SeqCst))
        });
        let guard = Guard::new(reached, AUDIENCE, BASE, &[7; 32], clock);
        Ok(Self { router: router(Arc::new(guard)), ahead })
    }

    fn nonce(&self, world: &World, holder: &Holder, token: &str) -> Result<String> {
        let proof = prove(world, holder, token, None)?;
        let call = call(&[("authorization", &format!("DPoP {token}")), ("dpop", &proof)])?;
        let answer = world.runtime.block_on(self.router.clone().oneshot(call))?;
        let nonce = answer.headers().get("dpop-nonce").context("no nonce is asked for")?;
        Ok(nonce.to_str()?.to_owned())
    }

    fn timed(
        &self,
        world: &World,
        (what, status): (&str, u16),
        calls: Vec<Request<Body>>,
    ) -> Result<Vec<String>> {
        let times = world.runtime.block_on(async {
            let mut times: Vec<Duration> = Vec::with_capacity(calls.len());
            for call in calls {
                let router = self.router.clone();
                let begun = Instant::now();
                let answer = router.oneshot(call).await?;
                times.push(begun.elapsed());
                let found = answer.status().as_u16();
                ensure!(found == status, "{what} is answered by {found}");
            }
            anyhow::Ok(times)
        })?;
        let slowest = times.iter().max().context("nothing was measured")?.as_secs_f64() * 1e3;
        let spread = Spread::of_durations(&times)?;
        let spread = format!("{spread:.3}");
        Ok(vec![what.to_owned(), status.to_string(), spread, format!("{slowest:.3} ms")])
    }
}
