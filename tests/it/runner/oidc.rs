//! The endpoint at which a job asks for a token that says who it is. Each token lives five minutes and
//! is another (GitHub, "OpenID Connect reference").

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::SHA;
use crate::support::{Issuer, Reply, StandIn, Ways, fresh_key};

/// The endpoint of one job.
#[derive(Clone)]
pub(crate) struct Oidc {
    stand_in: StandIn,
    issued: Arc<Mutex<Vec<String>>>,
    claims: Arc<Mutex<Value>>,
    /// How many of the next tokens are over when they are given.
    stale: Arc<AtomicU32>,
}

impl Oidc {
    /// What a job presents there.
    pub(crate) const BEARER: &str = "request-token-of-the-job";

    /// Of this issuer, by this clock in seconds.
    pub(crate) async fn start(
        issuer: &Issuer,
        now: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Self {
        let issued: Arc<Mutex<Vec<String>>> = Arc::default();
        let claims = Arc::new(Mutex::new(job()));
        let (ours, theirs, issuer) = (Arc::clone(&issued), Arc::clone(&claims), issuer.clone());
        let stale: Arc<AtomicU32> = Arc::default();
        let late = Arc::clone(&stale);
        let stand_in = StandIn::start(move |asked| {
            let audience = asked.path.split_once("&audience=").map(|(_, audience)| audience);
            if asked.method != "GET" || asked.bearer() != Self::BEARER || audience.is_none() {
                return Box::pin(async { Reply::new(400, "{}") });
            }
            let mut whole = theirs.lock().unwrap().clone();
            let audience = percent_decoded(audience.unwrap_or_default());
            let was_stale = late.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
            let now = if was_stale { now() - 3_600 } else { now() };
            whole["iss"] = json!(issuer.url);
            whole["aud"] = json!(audience);
            whole["jti"] = json!(fresh_key().as_str());
            (whole["iat"], whole["nbf"], whole["exp"]) = (json!(now), json!(now), json!(now + 300));
            let token = issuer.sign(json!({}), &whole);
            ours.lock().unwrap().push(token.clone());
            let reply = Reply::new(200, json!({"count": 1, "value": token}).to_string());
            Box::pin(async move { reply })
        })
        .await;
        Self { stand_in, issued, claims, stale }
    }

    pub(super) fn url(&self) -> String {
        format!("{}/token?api-version=2.0", self.stand_in.url)
    }

    /// From now on its tokens say this too.
    pub(crate) fn claim(&self, name: &str, value: Value) {
        self.claims.lock().unwrap()[name] = value;
    }

    /// What its tokens say there now.
    pub(crate) fn says(&self, name: &str) -> Value {
        self.claims.lock().unwrap()[name].clone()
    }

    /// So many of its next tokens are over already.
    pub(crate) fn stale(&self, many: u32) {
        self.stale.store(many, SeqCst);
    }

    /// From now on it answers so.
    pub(crate) fn behave(&self, ways: Ways) {
        self.stand_in.behave(ways);
    }

    /// Until it has stopped in the middle of a call.
    pub(crate) async fn stopped(&self) {
        self.stand_in.stopped().await;
    }

    /// Every token it gave out.
    pub(crate) fn issued(&self) -> Vec<String> {
        self.issued.lock().unwrap().clone()
    }
}

/// What every token of the job says.
fn job() -> Value {
    let workflow = "acme/orders/.github/workflows/deploy.yml@refs/heads/main";
    json!({
        "sub": "repo:acme@17/orders@4711:environment:production",
        "actor": "octocat", "actor_id": "583231",
        "base_ref": "", "head_ref": "", "ref": "refs/heads/main", "ref_type": "branch",
        "environment": "production", "event_name": "push",
        "job_workflow_ref": workflow, "job_workflow_sha": SHA,
        "repository": "acme/orders", "repository_id": "4711",
        "repository_owner": "acme", "repository_owner_id": "17", "repository_visibility": "private",
        "run_id": "99", "run_number": "7", "run_attempt": "1", "runner_environment": "github-hosted",
        "check_run_id": "1234", "sha": SHA,
        "workflow": "Deploy", "workflow_ref": workflow, "workflow_sha": SHA,
    })
}

fn percent_decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("a={text}").as_bytes()).next().unwrap().1.into_owned()
}
