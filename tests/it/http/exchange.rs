//! A foreign token for one of ours: who is let in, as whom, and what for.

mod command_line;
mod issuers;
mod often;
mod provider;
mod source;
mod trial;

use std::collections::BTreeSet;

use assent_client::{ErrorKind, Secret, wire};
use assent_core::time::Span;
use assent_server::issuers::Reach;
use assent_server::policy::Source;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{
    Answer, Caller, Issuer, Server, Setup, approve, documents, filing, fresh_key, mint, policy,
};

const NOW: i64 = 1_800_000_000;
const AUDIENCE: &str = "https://assent.example.com";

/// Rules, and the trusts that this text adds.
fn rules(trusts: &str) -> String {
    format!(
        "
apiVersion: assent/v1
kind: Policy
groups:
  release-managers: [person:bob, person:carol]
  deployers: {{identity: true}}
rules:
  - id: production
    when: {{intent.environment: production, requester.groups: {{contains: deployers}}}}
    require:
      stages: [{{name: release, approvals: 1, from: [group:release-managers]}}]
      credential: {{max_ttl: 15m, grant_window: 1h}}
  - id: staging
    when: {{intent.environment: staging}}
    allow: {{credential: {{max_ttl: 15m}}}}
trusts:
{trusts}
"
    )
}

/// A trust of one repository's environment, with what is written besides.
fn github(issuer: &str, name: &str, more: &str) -> String {
    format!(
        "  {name}:
    issuer: {issuer}
    audience: {AUDIENCE}
    shape: github-actions
    claims: {{repository_owner_id: \"17\", repository_id: \"4711\", environment: production}}
    people: {{\"1001\": person:bob, \"1002\": person:carol}}
    groups: [deployers]
    may_ask: {{kinds: [terraform.*], environments: [production]}}
    {more}
"
    )
}

/// What a job says, with these claims besides.
fn job(issuer: &Issuer, more: Value) -> String {
    let mut claims = json!({
        "iss": issuer.url,
        "aud": AUDIENCE,
        "sub": "repo:acme/orders:environment:production",
        "jti": fresh_key().as_str(),
        "iat": NOW,
        "exp": NOW + 300,
        "repository": "acme/orders",
        "repository_id": "4711",
        "repository_owner_id": "17",
        "environment": "production",
        "event_name": "push",
        "actor_id": "1001",
        "run_id": "99",
    });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    issuer.sign(json!({}), &claims)
}

fn lenient() -> Reach {
    Reach { loopback: true, ..Reach::default() }
}

async fn ruled_by(text: &str) -> Server {
    let source = Source::Given(documents(text));
    Server::set_up(Setup { source, reach: lenient(), ..Setup::default() }).await
}

/// A server that trusts the jobs of this issuer.
async fn trusting(issuer: &Issuer, more: &str) -> Server {
    ruled_by(&rules(&github(&issuer.url, "acme", more))).await
}

async fn presented(server: &Server, token: &str) -> Answer {
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", token),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
    ];
    server.stranger().form("/oauth/token", &fields).await
}

#[track_caller]
fn refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status, answer.str("error")), (status, error.to_owned()), "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "no-store", "{answer:?}");
}

/// The workload of this token.
async fn workload(server: &Server, token: &str) -> Caller {
    let subject = Secret::new(token.to_owned());
    let fresh = server.stranger().client.exchange(&subject).await.unwrap();
    server.holder_of(fresh.token.expose())
}

fn of_kind(environment: &str, kind: &str) -> wire::Filing {
    let mut filing = filing(environment, "r");
    kind.clone_into(&mut filing.intent.kind);
    filing
}

#[tokio::test]
async fn a_job_is_let_in_as_the_workload_that_the_trust_says() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "lifetime: 10m").await;
    let answer = presented(&server, &job(&issuer, json!({}))).await.is(200);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let given = answer.json();
    assert_eq!((&given["token_type"], &given["expires_in"]), (&json!("Bearer"), &json!(600)));
    let of_type = "urn:ietf:params:oauth:token-type:access_token";
    assert_eq!(given["issued_token_type"], of_type);
    let caller = server.holder_of(given["access_token"].as_str().unwrap());
    let who = caller.client.whoami().await.unwrap();
    assert_eq!((who.principal.iss, who.principal.kind), (issuer.url.clone(), wire::Kind::Workload));
    assert_eq!(who.principal.sub, "repository:4711:environment:production");
    assert_eq!(who.principal.claims["run_id"], "99");
    assert_eq!(who.groups, BTreeSet::from(["deployers".to_owned()]));
    assert!(!who.administrator);
    // What the log says of it, and what it does not.
    let root = server.administrator().await;
    let entries = root.client.entries(0).await.unwrap();
    let told = |entry: &&wire::Entry| entry.event.get("exchanged").is_some();
    let entry = &entries.entries.iter().rev().find(told).unwrap().event;
    assert_eq!(entry["type"], "access_issued");
    let exchanged = &entry["exchanged"];
    assert_eq!((&exchanged["trust"], &exchanged["issuer"]), (&json!("acme"), &json!(issuer.url)));
    assert_eq!(exchanged["subject"], "repo:acme/orders:environment:production");
    assert!(exchanged["token"].as_str().unwrap().starts_with("sha256:"));
    let listed = root.client.access_list().await.unwrap();
    assert!(listed.tokens.iter().any(|token| token.trust.as_deref() == Some("acme")));
    // It ends when the trust says.
    server.time().pass(Span::minutes(10));
    let over = caller.client.whoami().await.unwrap_err();
    assert_eq!((over.kind, over.code()), (ErrorKind::Unauthorized, Some("invalid_token")));
}

#[tokio::test]
async fn a_job_has_its_request_approved_and_mints() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "").await;
    let carol = server.person("carol").await;
    let caller = workload(&server, &job(&issuer, json!({}))).await;
    let request = caller.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    assert_eq!((request.state.as_str(), request.stages.len()), ("pending", 1));
    approve(&carol, &request).await.unwrap();
    // The next token of the same job is the same workload.
    let again = workload(&server, &job(&issuer, json!({}))).await;
    assert!(!mint(&again, &request).await.unwrap().token.is_empty());
}

#[tokio::test]
async fn t10_who_started_a_job_may_not_approve_what_it_asks() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "").await;
    let (bob, carol) = (server.person("bob").await, server.person("carol").await);
    let caller = workload(&server, &job(&issuer, json!({}))).await;
    let request = caller.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    let behind: Vec<_> = request.requester.acts_for.iter().map(|who| who.sub.as_str()).collect();
    assert_eq!(behind, ["bob", "1001"]);
    assert_eq!(approve(&bob, &request).await.unwrap_err().code(), Some("self_approval"));
    approve(&carol, &request).await.unwrap();
    // Whoever starts another, approves that of neither.
    let other = workload(&server, &job(&issuer, json!({"actor_id": "1002"}))).await;
    let filed = other.client.file(&filing("production", "other"), &fresh_key()).await.unwrap();
    approve(&bob, &filed).await.unwrap();
}

#[tokio::test]
async fn outside_its_trust_a_workload_asks_for_nothing() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "").await;
    let caller = workload(&server, &job(&issuer, json!({}))).await;
    for outside in
        [of_kind("staging", "terraform.apply"), of_kind("production", "database.session")]
    {
        let error = caller.client.file(&outside, &fresh_key()).await.unwrap_err();
        assert_eq!((error.kind, error.code()), (ErrorKind::Unauthorized, Some("outside_trust")));
        assert!(error.message.contains("`acme`"), "{}", error.message);
        let error = caller.client.decide(&outside).await.unwrap_err();
        assert_eq!(error.code(), Some("outside_trust"));
    }
    let item = |environment: &str| {
        json!({
            "subject": {"type": "workload", "id": format!("{}#repository:4711:environment:production", issuer.url)},
            "action": {"name": "terraform.apply"},
            "resource": {
                "type": "workspace", "id": "payments",
                "properties": {"environment": environment},
            },
            "context": {"reason": "r"},
        })
    };
    caller.post("/access/v1/evaluation", &item("staging")).await.is(403);
    let asked = json!({"evaluations": [item("staging"), item("production")]});
    let both = caller.post("/access/v1/evaluations", &asked).await.is(200).json();
    assert_eq!(both["evaluations"][0]["decision"], false);
    assert!(both["evaluations"][0].to_string().contains("outside_trust"), "{both}");
    assert!(!both["evaluations"][1].to_string().contains("outside_trust"), "{both}");
    let listed = caller.client.requests(&[]).await.unwrap();
    assert!(listed.requests.is_empty());
}

/// Two trusts can name one workload; what one of them lets it ask for, the other does not get.
#[tokio::test]
async fn what_another_trust_was_granted_is_not_minted_by_this_one() {
    let issuer = Issuer::start().await;
    let narrow = |name: &str, event: &str, environment: &str| {
        format!(
            "  {name}:
    issuer: {}
    audience: {AUDIENCE}
    shape: github-actions
    claims: {{repository_owner_id: \"17\", repository_id: \"4711\", ref: refs/heads/main, event_name: {event}}}
    people: {{\"1002\": person:carol}}
    groups: [deployers]
    may_ask: {{kinds: [terraform.apply], environments: [{environment}]}}
",
            issuer.url
        )
    };
    let trusts = narrow("deploy", "deployment", "production") + &narrow("check", "push", "staging");
    let server = ruled_by(&rules(&trusts)).await;
    let as_event =
        |event: &str| job(&issuer, json!({"ref": "refs/heads/main", "event_name": event}));
    let deploy = workload(&server, &as_event("deployment")).await;
    let check = workload(&server, &as_event("push")).await;
    let ids = [&deploy, &check].map(|caller| caller.client.clone());
    let ids = (ids[0].whoami().await.unwrap().principal, ids[1].whoami().await.unwrap().principal);
    assert_eq!((&ids.0.iss, &ids.0.sub), (&ids.1.iss, &ids.1.sub));
    let request = deploy.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    approve(&server.person("carol").await, &request).await.unwrap();
    assert_eq!(mint(&check, &request).await.unwrap_err().code(), Some("outside_trust"));
    let ended = check.client.complete(&request.id, &fresh_key()).await.unwrap_err();
    assert_eq!(ended.code(), Some("outside_trust"));
    mint(&deploy, &request).await.unwrap();
}

#[tokio::test]
async fn a_trust_that_is_gone_or_changed_ends_its_tokens_at_once() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "").await;
    let caller = workload(&server, &job(&issuer, json!({}))).await;
    caller.client.whoami().await.unwrap();
    let code = async |caller: &Caller| {
        let error = caller.client.whoami().await.unwrap_err();
        (error.code().map(str::to_owned), error.message)
    };
    let changed = rules(&github(&issuer.url, "acme", "lifetime: 5m"));
    server.authority.replace_policy(policy(&changed));
    let (told, message) = code(&caller).await;
    assert_eq!(told.as_deref(), Some("invalid_token"));
    assert!(message.contains("`acme`, which has changed"), "{message}");
    // As it was, it counts again; under another name it is another trust.
    server.authority.replace_policy(policy(&rules(&github(&issuer.url, "acme", ""))));
    caller.client.whoami().await.unwrap();
    server.authority.replace_policy(policy(&rules(&github(&issuer.url, "other", ""))));
    code(&caller).await;
    server.authority.replace_policy(policy(&rules("  {}")));
    code(&caller).await;
    refused(&presented(&server, &job(&issuer, json!({}))).await, 400, "invalid_grant");
}

/// The groups of a record whose trust is gone are nobody's, whatever other token is presented.
#[tokio::test]
async fn t12_what_a_changed_trust_said_of_groups_counts_no_longer() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "").await;
    workload(&server, &job(&issuer, json!({}))).await;
    let without = github(&issuer.url, "acme", "").replace("    groups: [deployers]\n", "");
    server.authority.replace_policy(policy(&rules(&without)));
    let caller = workload(&server, &job(&issuer, json!({}))).await;
    assert!(caller.client.whoami().await.unwrap().groups.is_empty());
}

#[tokio::test]
async fn t31_a_jobs_token_is_good_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.sqlite");
    let issuer = Issuer::start().await;
    let keys = issuer.jwks().to_string();
    let text = rules(&github(&issuer.url, "acme", &format!("jwks: {keys}")));
    let server = Server::on_file_ruled_by(&file, &text).await;
    let token = job(&issuer, json!({}));
    let all: JoinSet<u16> = (0..16)
        .map(|_| {
            let (stranger, token) = (server.stranger(), Secret::new(token.clone()));
            async move { stranger.client.exchange(&token).await.map_or(400, |_| 200) }
        })
        .collect();
    let good = all.join_all().await.into_iter().filter(|status| *status == 200).count();
    assert_eq!(good, 1);
    // The same `jti` in another token is the same token.
    let claims = json!({"jti": "the-same"});
    presented(&server, &job(&issuer, claims.clone())).await.is(200);
    let other = job(&issuer, json!({"jti": "the-same", "run_id": "100"}));
    refused(&presented(&server, &other).await, 400, "invalid_grant");
    // It is remembered over a restart, and as long as anybody would believe the token.
    let remains = server.stop().await;
    let server = Server::on_file_again(&file, remains, &text).await;
    refused(&presented(&server, &token).await, 400, "invalid_grant");
    server.time().pass(Span::seconds(359));
    let now = server.authority.clock().now();
    server.authority.ledger().forget_exchanges(now).await.unwrap();
    refused(&presented(&server, &token).await, 400, "invalid_grant");
    assert_eq!(issuer.asked(), 0, "pinned keys are not fetched");
}

#[tokio::test]
async fn where_the_trust_says_so_a_token_is_good_again() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "single_use: false").await;
    let token = job(&issuer, json!({}));
    for _ in 0..3 {
        presented(&server, &token).await.is(200);
    }
    // What is over is forgotten, but for the log.
    let listed = async || server.authority.ledger().accesses().await.unwrap().len();
    let before = listed().await;
    let now = server.time().pass(Span::minutes(15));
    server.authority.ledger().forget_exchanges(now).await.unwrap();
    assert_eq!(listed().await, before);
    let now = server.time().pass(Span::seconds(1));
    server.authority.ledger().forget_exchanges(now).await.unwrap();
    assert_eq!(listed().await, before - 3);
}

#[tokio::test]
async fn t24_t25_t26_every_refusal_reads_alike() {
    let issuer = Issuer::start().await;
    let (stranger, server) = (Issuer::start().await, trusting(&issuer, "").await);
    let mut told = BTreeSet::new();
    let mut tokens = vec![
        ("nothing", String::new()),
        ("no token", "x".to_owned()),
        ("another issuer", job(&stranger, json!({}))),
        ("another's signature", job(&stranger, json!({"iss": issuer.url}))),
        ("unsigned", format!("{}.", job(&issuer, json!({})).rsplit_once('.').unwrap().0)),
        ("as an access token", issuer.sign(json!({"typ": "at+jwt"}), &json!({}))),
    ];
    for (what, claims) in [
        ("other audience", json!({"aud": "https://evil.example"})),
        ("more audiences", json!({"aud": [AUDIENCE, "https://evil.example"]})),
        ("other repository", json!({"repository_id": "4712"})),
        ("other owner", json!({"repository_owner_id": "18"})),
        ("other environment", json!({"environment": "staging"})),
        ("from a fork", json!({"event_name": "pull_request_target"})),
        ("nobody", json!({"actor_id": null})),
        ("over", json!({"iat": NOW - 600, "exp": NOW - 60})),
        ("not yet", json!({"nbf": NOW + 61})),
        ("no end", json!({"exp": null})),
        ("too long", json!({"exp": NOW + 86_401})),
    ] {
        tokens.push((what, job(&issuer, claims)));
    }
    for (what, token) in tokens.iter().skip(1) {
        let answer = presented(&server, token).await;
        refused(&answer, 400, "invalid_grant");
        told.insert(answer.text);
        assert!(!what.is_empty());
    }
    assert_eq!(told.len(), 1, "{told:?}");
    refused(&presented(&server, &tokens[0].1).await, 400, "invalid_request");
    assert_eq!(stranger.asked(), 0, "an issuer that is not listed was asked");
    let entries = server.administrator().await.client.entries(0).await.unwrap();
    assert!(entries.entries.iter().all(|entry| entry.event.get("exchanged").is_none()));
}

#[tokio::test]
async fn t24_a_token_of_this_server_itself_is_not_exchanged_here() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let request = alice.client.file(&filing("staging", "r"), &fresh_key()).await.unwrap();
    let wanted = wire::MintRequest { audience: AUDIENCE.to_owned(), ..Default::default() };
    let credential = alice.client.mint(&request.id, &wanted, &fresh_key()).await.unwrap();
    let keys = server.authority.jwks();
    let own = format!(
        "  own:
    issuer: {}
    audience: {AUDIENCE}
    shape: assent
    claims: {{client_id: alice}}
    may_ask: {{kinds: ['**'], environments: ['**']}}
    jwks: {keys}
",
        server.base()
    );
    server.authority.replace_policy(policy(&rules(&own)));
    refused(&presented(&server, &credential.token).await, 400, "invalid_grant");
    // Another server takes it: that is what the trust is for.
    let other = Server::ruled_by(&rules(&own)).await;
    let caller = workload(&other, &credential.token).await;
    let who = caller.client.whoami().await.unwrap().principal;
    assert_eq!((who.iss.as_str(), who.sub.as_str()), (server.base(), "requester:alice"));
    let behind: Vec<_> =
        who.acts_for.iter().map(|who| (who.iss.as_str(), who.sub.as_str())).collect();
    assert_eq!(behind, [(server.base(), "alice")]);
    // It is good once, and opens nothing for longer than it lives itself.
    let given = caller.client.whoami().await.unwrap().expires_at.unwrap();
    assert_eq!(given, credential.expires_at);
    refused(&presented(&other, &credential.token).await, 400, "invalid_grant");
}

#[tokio::test]
async fn t11_what_a_trust_let_in_opens_nothing_once_the_trust_is_gone() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "").await;
    let ci = workload(&server, &job(&issuer, json!({}))).await;
    let filed = ci.client.file(&of_kind("production", "terraform.apply"), &fresh_key()).await;
    let filed = filed.unwrap();
    approve(&server.person("carol").await, &filed).await.unwrap();
    let credential = mint(&ci, &filed).await.unwrap();
    let alice = server.person("alice").await;
    let active = async || {
        let answer = alice.form("/oauth/introspect", &[("token", &credential.token)]).await.is(200);
        answer.json()["active"].clone()
    };
    assert_eq!(active().await, json!(true));
    server.authority.replace_policy(policy(&rules(&github(&issuer.url, "other", ""))));
    assert_eq!(active().await, json!(false));
}

#[tokio::test]
async fn of_two_trusts_that_take_a_token_neither_does() {
    let issuer = Issuer::start().await;
    let two = github(&issuer.url, "one", "") + &github(&issuer.url, "two", "lifetime: 5m");
    let server = ruled_by(&rules(&two)).await;
    let token = job(&issuer, json!({}));
    refused(&presented(&server, &token).await, 400, "invalid_grant");
    // It was not spent by that.
    server.authority.replace_policy(policy(&rules(&github(&issuer.url, "one", ""))));
    presented(&server, &token).await.is(200);
}

#[tokio::test]
async fn what_is_asked_otherwise_than_rfc_8693_has_it_is_told_in_its_words() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "").await;
    let token = job(&issuer, json!({}));
    let good = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", token.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
    ];
    let stranger = server.stranger();
    for (change, error) in [
        (("grant_type", "client_credentials"), "unsupported_grant_type"),
        (("grant_type", ""), "unsupported_grant_type"),
        (("subject_token", ""), "invalid_request"),
        (("subject_token_type", "urn:ietf:params:oauth:token-type:saml2"), "invalid_request"),
        (("requested_token_type", "urn:ietf:params:oauth:token-type:jwt"), "invalid_request"),
        (("actor_token", "x"), "invalid_request"),
        (("audience", "https://elsewhere.example"), "invalid_target"),
        (("resource", server.base()), "invalid_target"),
        (("scope", "admin"), "invalid_scope"),
    ] {
        let kept = good.iter().filter(|(name, _)| *name != change.0).copied();
        let fields: Vec<_> = kept.chain([change]).collect();
        refused(&stranger.form("/oauth/token", &fields).await, 400, error);
    }
    for missing in ["grant_type", "subject_token", "subject_token_type"] {
        let fields: Vec<_> = good.iter().filter(|(name, _)| *name != missing).copied().collect();
        refused(&stranger.form("/oauth/token", &fields).await, 400, "invalid_request");
    }
    // RFC 6749 section 3.2: nothing twice.
    let twice: Vec<_> = good.iter().chain([&good[1]]).copied().collect();
    let answer = stranger.form("/oauth/token", &twice).await;
    assert_eq!(answer.str("error"), "invalid_request", "{answer:?}");
    let json = stranger.post("/oauth/token", &json!({"grant_type": good[0].1})).await;
    refused(&json, 415, "invalid_request");
    let known = [("audience", server.base()), ("scope", ""), ("unknown", "x")];
    let fields: Vec<_> = good.iter().copied().chain(known).collect();
    stranger.form("/oauth/token", &fields).await.is(200);
}

#[tokio::test]
async fn the_client_is_told_what_sort_of_failure_it_is() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "").await;
    // Whatever token the client has is not sent along: it could be a wrong one.
    let caller = server.holder_of("assent_nonsense");
    let subject = Secret::new(job(&issuer, json!({})));
    let fresh = caller.client.exchange(&subject).await.unwrap();
    assert_eq!(fresh.expires_in.as_secs(), 900);
    caller.client.with_token(fresh.token).whoami().await.unwrap();
    let again = caller.client.exchange(&subject).await.unwrap_err();
    assert_eq!((again.kind, again.code()), (ErrorKind::Unauthorized, Some("invalid_grant")));
    assert!(!again.retryable && again.message.contains("log"), "{again:?}");
}

#[tokio::test]
async fn t63_an_exchanged_token_signs_nobody_in() {
    let issuer = Issuer::start().await;
    let server = trusting(&issuer, "").await;
    let caller = workload(&server, &job(&issuer, json!({}))).await;
    assert!(server.authority.sign_in_by_token(caller.token()).await.is_err());
}

#[tokio::test]
async fn the_metadata_says_where_tokens_are_exchanged() {
    let server = Server::start().await;
    let grants = json!([
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:ietf:params:oauth:grant-type:device_code"
    ]);
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let metadata = server.stranger().get(path).await.is(200).json();
        let at = |path: &str| json!(format!("{}{path}", server.base()));
        assert_eq!(metadata["issuer"], at(""), "{path}");
        assert_eq!(metadata["token_endpoint"], at("/oauth/token"), "{path}");
        let device = at("/oauth/device_authorization");
        assert_eq!(metadata["device_authorization_endpoint"], device, "{path}");
        assert_eq!(metadata["grant_types_supported"], grants, "{path}");
        assert_eq!(metadata["token_endpoint_auth_methods_supported"], json!(["none"]), "{path}");
    }
    // RFC 8414 section 2: required, and there is no authorization endpoint.
    let path = "/.well-known/oauth-authorization-server";
    let metadata = server.stranger().get(path).await.json();
    assert_eq!(metadata["response_types_supported"], json!([]));
}
