//! A run says who it is by its platform's token. The platform is a double here, and mostly the
//! exchange too, so that it can misbehave; the server behind them is the real one.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio::process::Command;

use super::guarded;
use super::process::eventually;
use super::relay::{Heard, Relay, Then};
use super::world::World;
use crate::support::{Issuer, fresh_key, now};

/// What GitHub's endpoint wants to see.
const REQUEST_TOKEN: &str = "request-token-canary-0123456789abcdefghijklmnop";

/// A token that says this, with a signature that nobody may see.
fn identity(issuer: &str, audience: &str, number: usize) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = json!({"iss": issuer, "aud": audience, "jti": number});
    let signature = part(&format!("signature-canary-{number}-0123456789abcdefghijkl"));
    format!("{}.{}.{signature}", part("{\"alg\":\"RS256\"}"), part(&claims.to_string()))
}

/// What a form says of this field.
fn field(call: &Heard, name: &str) -> String {
    let found = url::form_urlencoded::parse(call.body.as_bytes()).find(|(field, _)| field == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// A server that exchanges tokens, and GitHub's endpoint beside it.
struct Platform {
    relay: Relay,
    /// The access token that is accepted now.
    accepted: Arc<Mutex<String>>,
}

impl Platform {
    /// In front of this world's server. Each identity token is exchanged once.
    async fn start(world: &World, expires_in: u64) -> Self {
        let alice = world.alice.token().to_owned();
        let accepted = Arc::new(Mutex::new(String::new()));
        let good = Arc::clone(&accepted);
        let (numbers, spent) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
        let rule = move |call: &Heard| {
            if let Some(query) = call.path.strip_prefix("/github?api=2&audience=") {
                if call.bearer() != REQUEST_TOKEN {
                    return Then::Answer(403, "content-type: text/plain", String::new());
                }
                let audience = query.replace("%3A", ":").replace("%2F", "/");
                let number = numbers.fetch_add(1, Ordering::SeqCst);
                let issuer = "https://token.actions.githubusercontent.com";
                return Then::json(&json!({"value": identity(issuer, &audience, number)}));
            }
            if call.path == "/oauth/token" {
                assert_eq!(call.bearer(), "", "an exchange presents nothing else");
                let subject = field(call, "subject_token");
                let count = {
                    let mut spent = spent.lock().unwrap();
                    let is_new = spent.insert(subject.clone());
                    if !is_new || subject.is_empty() {
                        let error = json!({"error": "invalid_grant"}).to_string();
                        return Then::Answer(400, "content-type: application/json", error);
                    }
                    spent.len()
                };
                let token = format!("access-token-canary-{count}-0123456789abcdefghijklmno");
                *good.lock().unwrap() = token.clone();
                return Then::json(&json!({
                    "access_token": token, "token_type": "Bearer", "expires_in": expires_in,
                    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                }));
            }
            match !call.bearer().is_empty() && call.bearer() == *good.lock().unwrap() {
                true => Then::Pass(alice.clone()),
                false => Then::problem(401, "invalid_token", json!([])),
            }
        };
        Self { relay: Relay::start(&world.base, rule).await, accepted }
    }

    /// terraform as a job of GitHub Actions runs it.
    fn github(&self, world: &World, arguments: &[&str]) -> Command {
        let mut command = self.bare(world, arguments);
        command
            .env("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/github?api=2", self.relay.base))
            .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN);
        command
    }

    /// terraform with nothing that says who asks.
    fn bare(&self, world: &World, arguments: &[&str]) -> Command {
        let mut command = world.terraform(arguments);
        command.env_remove("ASSENT_TOKEN").env("ASSENT_URL", &self.relay.base);
        command
    }

    fn exchanges(&self) -> Vec<Heard> {
        self.relay.calls("/oauth/token")
    }
}

const APPLY: [&str; 3] = ["apply", "-auto-approve", "-input=false"];

#[tokio::test]
async fn t66_a_job_of_github_actions_is_let_in_by_itself_and_again_and_leaves_no_secret() {
    let world = World::new(&guarded("production", "")).await;
    let platform = Platform::start(&world, 900).await;
    let mut command = platform.github(&world, &APPLY);
    command.env("TF_LOG", "trace");
    let running = world.start_command(command);
    let asked = world.asked().await;
    let waits = format!("/v1/requests/{}/wait", asked.id);
    eventually("a wait", async || (!platform.relay.calls(&waits).is_empty()).then_some(())).await;
    let before = platform.exchanges().len();
    // The access token is taken back: the next leg of the wait, after the first approval, is refused
    // and gets another one.
    *platform.accepted.lock().unwrap() = "none".to_owned();
    world.bob_approves(&asked).await;
    let again = || platform.exchanges().len() == before + 1;
    eventually("another token", async || again().then_some(())).await;
    world.carol_approves(&asked).await;
    let ran = running.end().await.exits(0).says(&["Apply complete"]);

    let audience = url::form_urlencoded::byte_serialize(platform.relay.base.as_bytes());
    let asked_for = format!("/github?api=2&audience={}", audience.collect::<String>());
    let requests = platform.relay.calls("/github");
    assert!(requests.iter().all(|call| call.path == asked_for), "{requests:?}");
    assert_eq!(requests.len(), platform.exchanges().len(), "each exchange has a token of its own");

    let mut save = platform.github(&world, &["plan", "-replace=assent_approval.release"]);
    save.arg("-out=saved.tfplan").env("TF_LOG", "trace");
    let saved = world.start_command(save).end().await.exits(0);
    let read = |name: &str| fs::read(world.work(name)).unwrap();
    let places = [
        ("what was printed", ran.said.into_bytes()),
        ("what the plan printed", saved.said.into_bytes()),
        ("the state", read("terraform.tfstate")),
        ("the saved plan", read("saved.tfplan")),
        ("the trace", fs::read(world.at("trace")).unwrap()),
    ];
    for (place, bytes) in places {
        for canary in ["request-token-canary", "access-token-canary", "c2lnbmF0dXJlLWNhbmFyeS"] {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{canary} is in {place}");
        }
    }
    let sent: Vec<_> = platform.exchanges().iter().map(|c| field(c, "subject_token")).collect();
    assert!(sent.iter().all(|token| token.contains("c2lnbmF0dXJlLWNhbmFyeS")), "it was looked for");
}

#[tokio::test]
async fn an_access_token_is_renewed_before_it_ends() {
    let world = World::new(&guarded("staging", "")).await;
    // It ends at once: each call needs another one.
    let platform = Platform::start(&world, 0).await;
    world.start_command(platform.github(&world, &APPLY)).end().await.exits(0);
    let called = platform.relay.calls("/v1/").len();
    assert!(called > 1);
    assert_eq!(platform.exchanges().len(), called);

    let world = World::new(&guarded("staging", "")).await;
    let platform = Platform::start(&world, 900).await;
    let plan = ["plan", "-out=saved.tfplan"];
    world.start_command(platform.github(&world, &plan)).end().await.exits(0);
    assert_eq!(platform.exchanges().len(), 1, "one lasts for all calls of a process");
}

#[tokio::test]
async fn hcp_terraform_and_other_platforms_hand_a_token_over() {
    let issuer = "https://app.terraform.io";
    let world = World::new("").await;
    let file = world.at("identity");
    let file_name = file.to_str().unwrap();
    for (number, variable) in [
        "TFC_WORKLOAD_IDENTITY_TOKEN_ASSENT",
        "TFC_WORKLOAD_IDENTITY_TOKEN",
        "ASSENT_OIDC_TOKEN",
        "ASSENT_OIDC_TOKEN_FILE",
    ]
    .into_iter()
    .enumerate()
    {
        let platform = Platform::start(&world, 900).await;
        world.configure(&guarded("staging", &format!("triggers = {{ n = \"{number}\" }}")));
        let token = identity(issuer, "assent", number);
        fs::write(&file, &token).unwrap();
        // A process each for plan and apply would exchange it twice.
        let mut command = platform.bare(&world, &["plan"]);
        command.env("ASSENT_OIDC_AUDIENCE", "assent");
        let value = if variable.ends_with("FILE") { file_name } else { &token };
        command.env(variable, value);
        world.start_command(command).end().await.exits(0).never_says(&["may be required"]);
        let [exchange] = &platform.exchanges()[..] else { panic!("{variable}") };
        assert_eq!(field(exchange, "subject_token"), token, "{variable}");
    }
}

#[tokio::test]
async fn an_identity_that_is_not_accepted_is_told_with_what_it_says() {
    let world = World::new(&guarded("staging", "")).await;
    let platform = Platform::start(&world, 900).await;
    let token = identity("https://gitlab.example.com", "vault", 1);
    let with = |more: &[(&str, &str)]| {
        let mut command = platform.bare(&world, &APPLY);
        command.env("ASSENT_OIDC_TOKEN", &token);
        more.iter().for_each(|(name, value)| {
            command.env(name, value);
        });
        world.start_command(command).end()
    };
    // For somebody else: that can be told before anybody sees it.
    let ran = with(&[("ASSENT_OIDC_AUDIENCE", "assent")]).await.exits(1);
    let said = ["for audience `vault`", "must be `assent`", "`oidc` in the provider block"];
    ran.says(&said).never_says(&["c2lnbmF0dXJlLWNhbmFyeS"]);
    // Also where nobody said for whom it is made: then for this server.
    with(&[]).await.exits(1).says(&["for audience `vault`", "unless another one is named"]);
    assert!(platform.exchanges().is_empty());
    // The plan spends it; at apply it is good for nothing.
    let ran = with(&[("ASSENT_OIDC_AUDIENCE", "vault")]).await.exits(1);
    let said = [
        "identity token in ASSENT_OIDC_TOKEN",
        "issuer `https://gitlab.example.com`",
        "was not accepted",
        "has a trust for this issuer and audience",
    ];
    ran.says(&said).never_says(&["c2lnbmF0dXJlLWNhbmFyeS"]);

    // A job that may not have one, an endpoint that gives none, and a server that knows no exchange.
    let mut command = platform.github(&world, &APPLY);
    command.env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "wrong");
    let said = ["identity token of GitHub Actions cannot be had", "id-token: write"];
    world.start_command(command).end().await.exits(1).says(&said);
    let mut command = platform.bare(&world, &["plan"]);
    command.env("GITHUB_ACTIONS", "true");
    let said = ["No access token", "id-token: write", "provider block"];
    world.start_command(command).end().await.exits(1).says(&said);
    let old = Relay::start(&world.base, |_| Then::problem(404, "no_such_path", json!([]))).await;
    let ran = with(&[("ASSENT_URL", &old.base), ("ASSENT_OIDC_AUDIENCE", "vault")]).await.exits(1);
    ran.says(&["knows no `POST /oauth/token`", "Update the server"]);
    assert!(world.requests(&[]).await.is_empty());
}

/// Rules for staging and production, and a trust in one repository's jobs for staging alone.
fn trusting(issuer: &Issuer) -> String {
    format!(
        "
apiVersion: assent/v1
kind: Policy
metadata: {{name: trusting}}
rules:
  - id: apply
    when: {{intent.environment: {{in: [staging, production]}}}}
    allow: {{credential: {{max_ttl: 15m}}}}
trusts:
  orders:
    issuer: {}
    audience: https://assent.example.com
    shape: github-actions
    claims: {{repository_owner_id: \"17\", repository_id: \"4711\", environment: staging}}
    single_use: true
    may_ask: {{kinds: [terraform.*], environments: [staging]}}
",
        issuer.url
    )
}

/// What GitHub says of a job of this repository.
fn job(issuer: &Issuer, audience: &str, repository: &str) -> String {
    let now = now().as_seconds();
    let claims = json!({
        "iss": issuer.url, "aud": audience, "jti": fresh_key().as_str(),
        "iat": now, "nbf": now, "exp": now + 300,
        "sub": "repo:acme/orders:environment:staging", "repository": "acme/orders",
        "repository_id": repository, "repository_owner_id": "17", "environment": "staging",
        "event_name": "push", "actor_id": "1001", "run_id": "99",
    });
    issuer.sign(json!({}), &claims)
}

#[tokio::test]
async fn a_trust_of_the_server_lets_a_job_in_and_no_further() {
    let issuer = Issuer::start().await;
    let world = World::under(&trusting(&issuer), &guarded("staging", "")).await;
    let repository = Arc::new(Mutex::new("4711"));
    let (signing, of) = (issuer.clone(), Arc::clone(&repository));
    let platform = Relay::start(&world.base, move |call| {
        let query = call.path.rsplit('?').next().unwrap_or_default();
        let audience = url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "audience")
            .map(|(_, audience)| audience.into_owned());
        let value = job(&signing, &audience.unwrap_or_default(), *of.lock().unwrap());
        Then::json(&json!({ "value": value }))
    })
    .await;
    let run = |audience: &str| {
        let mut command = world.terraform(&APPLY);
        command
            .env_remove("ASSENT_TOKEN")
            .env("ASSENT_OIDC_AUDIENCE", audience)
            .env("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{}/github?api=2", platform.base))
            .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN);
        world.start_command(command).end()
    };
    let audience = "https://assent.example.com";
    run(audience).await.exits(0);
    let [filed] = &world.requests(&[]).await[..] else { panic!("there is one request") };
    assert_eq!(filed.requester.sub, "repository:4711:environment:staging");

    world.configure(&guarded("production", ""));
    let said = ["The request cannot be filed", "`may_ask` of the trust"];
    run(audience).await.exits(1).says(&said);
    world.configure(&guarded("staging", "triggers = { again = \"yes\" }"));
    let said = ["was not accepted", "has a trust for this issuer and audience"];
    run("https://elsewhere.example.com").await.exits(1).says(&said);
    *repository.lock().unwrap() = "4712";
    run(audience).await.exits(1).says(&said);
}
