//! R19: over a whole life, no secret is anywhere but where it was handed out.

use std::io::Write;
use std::sync::{Arc, Mutex};

use assent_client::Secret;
use assent_core::credential::{Algorithm, SigningKey};
use assent_server::chance::Chance;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::{Answer, Caller, Server, filing, fresh_key, sent};

/// Whatever is written to it, kept.
#[derive(Clone, Default)]
pub(crate) struct Tape(Arc<Mutex<Vec<u8>>>);

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Tape {
    /// One that takes everything that this process logs.
    pub(crate) fn listening() -> Self {
        let tape = Self::default();
        let writer = tape.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .init();
        tape
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    fn add(&self, answer: &Answer) {
        let mut kept = self.0.lock().unwrap();
        kept.extend_from_slice(format!("{:?}\n{}\n", answer.headers, answer.text).as_bytes());
    }
}

/// What must be nowhere: the secret and every long piece of it.
struct Canary {
    what: &'static str,
    text: String,
}

impl Canary {
    fn new(what: &'static str, text: &str) -> Self {
        assert!(text.len() >= 40, "{what} is too short to look for");
        Self { what, text: text.to_owned() }
    }

    /// An access token's id may be seen; what follows it may not.
    fn access(what: &'static str, token: &str) -> Self {
        Self::new(what, token.splitn(3, '_').nth(2).unwrap())
    }

    /// A credential's header and claims may be seen apart; its signature may not, nor the whole.
    fn credential(what: &'static str, token: &str) -> Self {
        Self::new(what, token.rsplit('.').next().unwrap())
    }

    fn is_not_in(&self, place: &str, bytes: &[u8]) {
        let needles = [self.text.as_bytes().to_vec(), percent(&self.text)];
        for needle in needles {
            let found = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "{} is in {place}", self.what);
        }
    }
}

/// As it would look inside a form.
fn percent(text: &str) -> Vec<u8> {
    let code = |b: u8| match b {
        b'-' | b'_' | b'.' => vec![b],
        b if b.is_ascii_alphanumeric() => vec![b],
        b => format!("%{b:02X}").into_bytes(),
    };
    text.bytes().flat_map(code).collect()
}

struct Story {
    tape: Tape,
    canaries: Vec<Canary>,
}

impl Story {
    async fn get(&self, who: &Caller, path: &str) -> Answer {
        let answer = who.get(path).await;
        self.tape.add(&answer);
        answer
    }

    async fn post(&self, who: &Caller, path: &str, body: serde_json::Value) -> Answer {
        let answer = who.post(path, &body).await;
        self.tape.add(&answer);
        answer
    }

    /// Signs in on the pages, looks around, and gives the cookie.
    async fn pages(&mut self, server: &Server, code: &str, request: &str) {
        let stranger = server.stranger();
        let door = format!("/login/{code}");
        self.get(&stranger, &door).await.is(200);
        let enter = stranger.call("POST", &door).header("origin", server.base());
        let entered = sent(enter.form(&[("x", "y")])).await;
        let cookie = entered.headers["set-cookie"].to_str().unwrap().to_owned();
        let session = cookie.split(['=', ';']).nth(1).unwrap().to_owned();
        self.canaries.push(Canary::access("a session", &session));
        for page in ["/", "/history", &format!("/requests/{request}"), "/requests/nonsense"] {
            let call = stranger.call("GET", page).header("cookie", format!("assent={session}"));
            self.tape.add(&sent(call).await);
        }
        let wrong = stranger.call("GET", "/").header("cookie", format!("assent={session}x"));
        self.tape.add(&sent(wrong).await);
    }

    /// Everything that goes wrong with a secret in hand.
    async fn faults(&self, server: &Server, alice: &Caller, token: &str) {
        let holder = server.holder_of(&format!("{}x", alice.token()));
        self.get(&holder, "/v1/whoami").await.is(401);
        let holder = server.holder_of(token);
        self.get(&holder, "/v1/whoami").await.is(401);
        self.get(alice, "/v1/nothing").await.is(404);
        for body in [
            json!({"token": token, "audience": "gcp"}),
            json!({"token": token, "audience": 7}),
            json!({"token": token, "audience": "aws", "colour": "red"}),
            json!([token]),
        ] {
            self.post(alice, "/v1/credentials/redeem", body).await;
        }
        let broken = format!("{{\"token\": \"{token}\", ");
        let path = "/v1/credentials/redeem";
        let kind = "application/json";
        let answer = alice.post_bytes(fresh_key().as_str(), path, kind, broken.into()).await;
        self.tape.add(&answer);
        for fields in [[("token", token), ("token", token)], [("colour", token), ("x", "y")]] {
            self.tape.add(&alice.form("/oauth/introspect", &fields).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t66_no_secret_is_in_any_log_answer_page_or_file() {
    let log = Tape::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    tracing::debug!("the tape runs");

    let folder = tempfile::tempdir().unwrap();
    let server = Server::on_file(&folder.path().join("ledger.sqlite")).await;
    let mut story = Story { tape: Tape::default(), canaries: Vec::new() };
    let code = server.authority.open_bootstrap().await.unwrap().unwrap();
    let wrong = json!({"code": format!("{}x", code.expose()), "sub": "eve"});
    story.post(&server.stranger(), "/v1/bootstrap", wrong).await.is(403);
    let body = json!({"code": code.expose(), "sub": "root"});
    let root = server.stranger().post("/v1/bootstrap", &body).await.is(201).str("token");
    let root = server.holder_of(&root);
    let wanted = json!({"kind": "person", "sub": "dave"});
    let dave = root.post("/v1/access", &wanted).await.is(201).str("token");
    let pkcs8 = SigningKey::generate(Algorithm::Es256, Chance::default().source()).unwrap();
    let pem = STANDARD.encode(&*pkcs8);
    let armoured = format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n");
    let body = json!({"private_key": armoured, "at_once": true});
    story.post(&root, "/v1/keys", body.clone()).await.is(201);
    story.post(&root, "/v1/keys", body).await.is(409);
    let body = json!({"private_key": armoured, "algorithm": "EdDSA"});
    story.post(&root, "/v1/keys", body).await.is(422);
    story.canaries.push(Canary::new("a signing key", &pem));
    let hex: String = pkcs8.iter().map(|byte| format!("{byte:02x}")).collect();
    story.canaries.push(Canary::new("a signing key in hex", &hex));
    let (alice, bob, carol) = server.people().await;
    let (fourth, door) = server.authority.seed_person("bob").await.unwrap();
    story.canaries.push(Canary::new("the bootstrap code", code.expose()));
    story.canaries.push(Canary::new("a login code", door.expose()));
    for (what, token) in [
        ("root's token", root.token()),
        ("dave's token", &dave),
        ("alice's token", alice.token()),
        ("bob's token", bob.token()),
        ("carol's token", carol.token()),
        ("bob's other token", fourth.expose()),
    ] {
        story.canaries.push(Canary::access(what, token));
    }

    let filing = serde_json::to_value(filing("production", "a whole life")).unwrap();
    let filed = story.post(&alice, "/v1/requests", filing).await.is(201);
    let (id, digest) = (filed.str("id"), filed.str("digest"));
    story.pages(&server, door.expose(), &id).await;
    for who in [&bob, &carol] {
        let review = json!({"verdict": "approve", "comment": "ok", "digest": digest});
        story.post(who, &format!("/v1/requests/{id}/reviews"), review).await.is(200);
    }
    let path = format!("/v1/requests/{id}/credentials");
    let credential = alice.post(&path, &json!({"audience": "aws"})).await.is(201);
    let token = credential.str("token");
    story.canaries.push(Canary::credential("the credential", &token));
    story.faults(&server, &alice, &token).await;
    let seen = bob.client.introspect(&Secret::new(token.clone())).await.unwrap();
    assert!(seen.active);
    let body = json!({"token": token, "audience": "aws"});
    story.post(&bob, "/v1/credentials/redeem", body.clone()).await.is(200);
    story.post(&bob, "/v1/credentials/redeem", body).await.is(409);
    let revoke = format!("/v1/requests/{id}/revoke");
    story.post(&carol, &revoke, json!({"reason": "over"})).await.is(200);
    for path in [
        "/v1/requests".to_owned(),
        format!("/v1/requests/{id}"),
        format!("/v1/credentials/{}", credential.str("id")),
        "/v1/audit/entries".to_owned(),
        "/v1/access".to_owned(),
        "/v1/keys".to_owned(),
        "/v1/whoami".to_owned(),
        "/.well-known/jwks.json".to_owned(),
    ] {
        story.get(&root, &path).await.is(200);
    }

    let kept = std::fs::read_dir(folder.path()).unwrap();
    let files: Vec<_> = kept.map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().any(|file| file.ends_with("ledger.sqlite-wal")), "{files:?}");
    let (logged, answered) = (log.text(), story.tape.text());
    assert!(logged.contains("the tape runs") && answered.contains("a whole life"));
    for file in &files {
        let bytes = std::fs::read(file).unwrap();
        let scalar = &pkcs8[36..68];
        assert!(!bytes.windows(32).any(|window| window == scalar), "{}", file.display());
    }
    for canary in &story.canaries {
        canary.is_not_in("the log", logged.as_bytes());
        canary.is_not_in("an answer or a page", answered.as_bytes());
        for file in &files {
            canary.is_not_in(&file.display().to_string(), &std::fs::read(file).unwrap());
        }
        let shown = format!("{:?} {:?}", server.authority, server.authority.ledger());
        canary.is_not_in("the authority's Debug", shown.as_bytes());
    }
}

#[test]
fn a_canary_that_is_there_is_found() {
    let canary = Canary::new("it", &"a+/".repeat(20));
    canary.is_not_in("nothing", b"");
    for place in [format!("x{}y", "a+/".repeat(20)), format!("x{}y", "a%2B%2F".repeat(20))] {
        let looked = std::panic::catch_unwind(|| canary.is_not_in("here", place.as_bytes()));
        assert!(looked.is_err(), "{place}");
    }
}
