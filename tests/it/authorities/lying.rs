//! A partner that lies, or is not there, over HTTP: nothing that it says fills a stage unless it proves
//! itself, and an honest answer after it does.

use std::sync::Arc;
use std::sync::Mutex;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde_json::{Value, json};

use super::between::{Between, Then, Twist};
use super::*;
use crate::support::{Asked, Reply, StandIn, Ways};

/// Two authorities, and whoever stands before theirs.
struct Doubted {
    us: Server,
    them: Server,
    between: Between,
    alice: Caller,
    bob: Caller,
    olga: Caller,
}

/// Our policy, with another stage that they review too.
fn two_stages(theirs: &str) -> String {
    let one = "        - {name: payments, approvals: 1, from: [{authority: payments}]}\n";
    let other = "        - {name: ledger, approvals: 1, from: [{authority: payments}]}\n";
    let policy = ours(theirs, "").replace(one, &format!("{one}{other}"));
    policy.replace("request_expires: 4h", "parallel: true\n      request_expires: 4h")
}

impl Doubted {
    async fn start() -> Self {
        Self::ruled_by(|theirs| ours(theirs, "")).await
    }

    async fn ruled_by(policy: impl Fn(&str) -> String) -> Self {
        let (us, mut them) = (Remains::fresh(), Remains::fresh());
        them.time = us.time.clone();
        let (our_base, direct) = (us.base(), them.base());
        let between = Between::start(direct.clone()).await;
        let public = Some(between.url().to_owned());
        let rules = setup(&theirs(&our_base, between.url()));
        let them = Server::placed(them, Setup { public, ..rules }).await;
        let us = Server::placed(us, setup(&policy(between.url()))).await;
        let (alice, bob) = (us.person("alice").await, us.person("bob").await);
        // Their own people reach their server without whoever stands before it.
        let olga = them.person("olga").await;
        let olga = Caller::new(&direct, Some(olga.token()));
        Self { us, them, between, alice, bob, olga }
    }

    async fn errands(&self) {
        self.us.time().pass(Span::seconds(2));
        self.us.authority.run_errands().await.unwrap();
    }

    async fn now(&self, id: &str) -> wire::Request {
        self.alice.client.request(id).await.unwrap()
    }

    /// A request that waits for them alone.
    async fn waiting(&self, reason: &str) -> wire::Request {
        let filing = filing("production", reason);
        let filed = self.alice.client.file(&filing, &fresh_key()).await.unwrap();
        approve(&self.bob, &filed).await.unwrap();
        self.now(&filed.id).await
    }

    /// The question of a stage, approved there.
    async fn approved_there(&self, id: &str, stage: usize) {
        let shown = self.now(id).await;
        let to = shown.stages[stage].elsewhere.clone().unwrap();
        let there = self.olga.client.request(to.request.as_deref().unwrap()).await.unwrap();
        approve(&self.olga, &there).await.unwrap();
    }

    /// What is on record of answers about this request that were not believed.
    async fn disbelieved(&self, id: &str) -> Vec<Value> {
        let entries = self.us.authority.ledger().entries(0, 10_000).await.unwrap();
        entries.into_iter().filter(|entry| entry["refused"] == id).collect()
    }

    /// Nothing that they said filled the stage, and it is told why, in this word where it is a lie.
    async fn believed_nothing(&self, what: &str, id: &str, code: Option<&str>) {
        let shown = self.now(id).await;
        assert_eq!(shown.state, "pending", "{what}: {shown:?}");
        assert!(shown.stages[1].counted.is_empty(), "{what}");
        let error = mint(&self.alice, &shown).await.unwrap_err();
        assert_eq!(error.code(), Some("not_approved"), "{what}: {error}");
        let problems = self.us.authority.problems_abroad(id.parse().unwrap());
        assert!(!problems.is_empty(), "{what}: people are not told why it takes long");
        let told = self.disbelieved(id).await;
        let told: Vec<_> = told.iter().filter(|entry| entry["attempt"] == "endorse").collect();
        let codes: Vec<_> = told.iter().map(|entry| entry["code"].as_str().unwrap()).collect();
        assert_eq!(codes, Vec::from_iter(code), "{what}: {told:?}");
        for entry in told {
            assert_eq!(entry["by"]["iss"], self.between.url(), "{what}");
            assert_eq!(entry["stage"], shown.stages[1].name, "{what}");
            assert!(!entry["reason"].as_str().unwrap().is_empty(), "{what}");
        }
    }
}

fn twist(with: impl Fn(&Asked, Reply) -> Reply + Send + Sync + 'static) -> Then {
    Then::Twist(Arc::new(with) as Twist)
}

/// An answer of JSON, with something in it changed.
fn changed(reply: &Reply, change: impl Fn(&mut Value)) -> Reply {
    let mut said: Value = serde_json::from_str(&reply.body).unwrap();
    change(&mut said);
    Reply { body: said.to_string(), ..reply.clone() }
}

/// The token of an answer in place of its own.
fn with_token(change: impl Fn(&str) -> String + Send + Sync + 'static) -> Then {
    twist(move |_, reply| {
        changed(&reply, |said| said["token"] = change(said["token"].as_str().unwrap()).into())
    })
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&B64.decode(part).unwrap()).unwrap()
}

fn encoded(part: &Value) -> String {
    B64.encode(part.to_string())
}

/// The same claims with some changed, under this key id, signed by a key that is nobody's.
fn forged(token: &str, kid: Option<&str>, change: impl Fn(&mut Value)) -> String {
    let (mut header, mut claims) = (part(token, 0), part(token, 1));
    if let Some(kid) = kid {
        header["kid"] = kid.into();
    }
    change(&mut claims);
    let input = format!("{}.{}", encoded(&header), encoded(&claims));
    let (algorithm, chance) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
    let key = EcdsaKeyPair::generate_pkcs8(algorithm, &chance).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref()).unwrap();
    let signature = key.sign(&chance, input.as_bytes()).unwrap();
    format!("{input}.{}", B64.encode(signature.as_ref()))
}

/// Everything that can come in place of a credential, with the word for it on record.
fn in_place_of_a_credential(
    old: &str,
    elsewhere: &str,
) -> Vec<(&'static str, Then, Option<&'static str>)> {
    let said = |status: u16, body: &str| Then::Keep(Reply::new(status, body));
    let (replayed, digest) = (old.to_owned(), part(old, 1)["digest"].clone());
    let moved = Reply { headers: vec![("location", elsewhere.to_owned())], ..Reply::new(307, "") };
    let tampered = |token: &str| {
        let mut claims = part(token, 1);
        claims["approved_by"] = json!(["olga", "oscar"]);
        let mut parts = token.split('.');
        let (header, signature) = (parts.next().unwrap(), parts.nth(1).unwrap());
        format!("{header}.{}.{signature}", encoded(&claims))
    };
    vec![
        ("an old one", with_token(move |_| replayed.clone()), Some("other_digest")),
        (
            "of another digest, by another key",
            with_token(move |token| {
                forged(token, None, |claims| claims["digest"] = digest.clone())
            }),
            Some("credential_rejected"),
        ),
        (
            "by another key",
            with_token(|token| forged(token, None, |_| {})),
            Some("credential_rejected"),
        ),
        (
            "by a key that is not published",
            with_token(|token| forged(token, Some("nobodys"), |_| {})),
            Some("unknown_key"),
        ),
        ("with other claims", with_token(tampered), Some("credential_rejected")),
        (
            "unsigned",
            with_token(|token| {
                let header = json!({"alg": "none", "typ": "at+jwt", "kid": part(token, 0)["kid"]});
                format!("{}.{}.", encoded(&header), token.split('.').nth(1).unwrap())
            }),
            Some("credential_rejected"),
        ),
        ("no token", with_token(|_| "none".to_owned()), Some("credential_rejected")),
        ("no member of it", said(201, "{}"), Some("not_understood")),
        ("garbage", said(201, "{\"token\": \"ey"), Some("not_understood")),
        ("a list that is deep", said(201, &"[".repeat(100_000)), Some("not_understood")),
        ("nothing", said(204, ""), Some("not_understood")),
        ("a page", said(200, "<html>Welcome</html>"), Some("not_understood")),
        ("a redirect", Then::Keep(moved), Some("not_understood")),
        ("its own fault", said(500, "it broke"), Some("not_understood")),
        ("that it is away", said(503, ""), None),
        ("that a gateway is alone", said(502, ""), None),
    ]
}

#[tokio::test]
async fn t24_a_partner_that_lies_fills_no_stage_and_its_honest_answer_does() {
    let doubted = Doubted::start().await;
    let elsewhere = StandIn::start(|_| Box::pin(async { Reply::new(200, "{}") })).await;
    // An endorsement of before, honestly given.
    let first = doubted.waiting("the first").await;
    doubted.errands().await;
    doubted.approved_there(&first.id, 1).await;
    let kept: Arc<Mutex<Option<String>>> = Arc::default();
    let keeping = Arc::clone(&kept);
    let keep = twist(move |_, reply| {
        let said: Value = serde_json::from_str(&reply.body).unwrap();
        *keeping.lock().unwrap() = said["token"].as_str().map(str::to_owned);
        reply
    });
    doubted.between.trap("POST", "/credentials", keep);
    doubted.errands().await;
    assert_eq!(doubted.now(&first.id).await.state, "approved");
    let old = kept.lock().unwrap().clone().unwrap();
    for (what, then, code) in in_place_of_a_credential(&old, &elsewhere.url) {
        doubted.between.pass_all();
        let request = doubted.waiting(what).await;
        doubted.errands().await;
        doubted.approved_there(&request.id, 1).await;
        doubted.between.trap("POST", "/credentials", then);
        doubted.errands().await;
        doubted.believed_nothing(what, &request.id, code).await;
        // Said again it is on record once.
        doubted.errands().await;
        doubted.believed_nothing(what, &request.id, code).await;
        doubted.between.pass_all();
        doubted.us.time().pass(Span::minutes(2));
        doubted.errands().await;
        let shown = doubted.now(&request.id).await;
        assert_eq!(shown.state, "approved", "{what}: {shown:?}");
        assert!(doubted.us.authority.problems_abroad(request.id.parse().unwrap()).is_empty());
        mint(&doubted.alice, &shown).await.unwrap();
    }
    assert!(elsewhere.asked().is_empty(), "a redirect was followed");
    holds_together(&doubted.us).await;
    holds_together_there(&doubted).await;
}

/// Their log, read where whoever stands before it is not asked.
async fn holds_together_there(doubted: &Doubted) {
    let root = doubted.them.administrator().await;
    let root = Caller::new(&doubted.them.remains.base(), Some(root.token()));
    let checkpoint = root.client.checkpoint().await.unwrap();
    let mut history = wire::History::default();
    let mut next = 0;
    while next < checkpoint.size {
        for entry in root.client.entries(next).await.unwrap().entries {
            history.read(&entry).unwrap();
            next += 1;
        }
    }
    history.finish(&checkpoint).unwrap();
}

#[tokio::test]
async fn t24_an_endorsement_of_another_stage_fills_only_its_own() {
    let doubted = Doubted::ruled_by(two_stages).await;
    let request = doubted.waiting("two stages of theirs").await;
    doubted.errands().await;
    doubted.approved_there(&request.id, 2).await;
    let kept: Arc<Mutex<Option<String>>> = Arc::default();
    let keeping = Arc::clone(&kept);
    doubted.between.trap(
        "POST",
        "/credentials",
        twist(move |_, reply| {
            let said: Value = serde_json::from_str(&reply.body).unwrap();
            *keeping.lock().unwrap() = said["token"].as_str().map(str::to_owned);
            reply
        }),
    );
    doubted.errands().await;
    let shown = doubted.now(&request.id).await;
    assert_eq!((shown.stages[2].counted.len(), shown.stages[1].counted.len()), (1, 0));
    let other = kept.lock().unwrap().clone().unwrap();
    doubted.approved_there(&request.id, 1).await;
    doubted.between.trap("POST", "/credentials", with_token(move |_| other.clone()));
    doubted.errands().await;
    doubted.believed_nothing("of another stage", &request.id, Some("other_digest")).await;
}

#[tokio::test]
async fn a_partner_that_shows_or_takes_another_request_is_not_believed() {
    let doubted = Doubted::start().await;
    // It says that it took another question than was asked.
    let request = doubted.waiting("another question").await;
    let other = format!("sha256:{}", "0".repeat(64));
    doubted.between.trap(
        "POST",
        "/v1/requests",
        twist(move |_, reply| changed(&reply, |said| said["digest"] = other.clone().into())),
    );
    doubted.errands().await;
    doubted.believed_nothing("another question", &request.id, Some("other_answer")).await;
    assert!(doubted.now(&request.id).await.stages[1].elsewhere.as_ref().unwrap().request.is_none());
    doubted.between.pass_all();
    doubted.us.time().pass(Span::minutes(2));
    doubted.errands().await;
    // It shows one that is approved, and it is another.
    doubted.approved_there(&request.id, 1).await;
    doubted.errands().await;
    let approved = doubted.now(&request.id).await;
    assert_eq!(approved.state, "approved");
    let there = approved.stages[1].elsewhere.clone().unwrap().request.unwrap();
    let shown = doubted.olga.client.request(&there).await.unwrap();
    let shown = serde_json::to_string(&shown).unwrap();
    let second = doubted.waiting("shown another").await;
    doubted.errands().await;
    let asked = doubted.now(&second.id).await.stages[1].elsewhere.clone().unwrap().request.unwrap();
    let show = Then::Keep(Reply::new(200, shown));
    doubted.between.trap("GET", format!("/v1/requests/{asked}"), show);
    doubted.errands().await;
    doubted.believed_nothing("another request", &second.id, Some("other_answer")).await;
    // It says that its own is approved, which nobody did: then it has nothing to give.
    let says = twist(|_, reply| changed(&reply, |said| said["state"] = "approved".into()));
    doubted.between.trap("GET", format!("/v1/requests/{asked}"), says);
    doubted.us.time().pass(Span::minutes(2));
    doubted.errands().await;
    assert_eq!(doubted.now(&second.id).await.state, "pending");
    doubted.between.pass_all();
    doubted.approved_there(&second.id, 1).await;
    doubted.us.time().pass(Span::minutes(2));
    doubted.errands().await;
    assert_eq!(doubted.now(&second.id).await.state, "approved");
}

#[tokio::test]
async fn a_partner_that_floods_or_hangs_up_keeps_nobody_else_waiting() {
    let doubted = Doubted::start().await;
    for (what, ways, code) in [
        ("flooding", Ways::Flooding, Some("not_understood")),
        ("a body without an end", Ways::Endless, Some("not_understood")),
        ("hanging up", Ways::HangingUp, None),
    ] {
        let request = doubted.waiting(what).await;
        doubted.errands().await;
        doubted.approved_there(&request.id, 1).await;
        doubted.between.front.behave(ways);
        doubted.errands().await;
        doubted.believed_nothing(what, &request.id, code).await;
        // Whoever needs nobody over there goes on.
        let mut own = filing("production", what);
        own.intent.target.insert("workspace".to_owned(), "orders".to_owned());
        let denied = doubted.alice.client.file(&own, &fresh_key()).await.unwrap();
        assert_eq!(denied.state, "denied", "ruled on at once: {denied:?}");
        doubted.between.front.behave(Ways::Honest);
        doubted.us.time().pass(Span::minutes(2));
        doubted.errands().await;
        assert_eq!(doubted.now(&request.id).await.state, "approved", "{what}");
    }
    holds_together(&doubted.us).await;
}
