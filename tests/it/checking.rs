//! The example service beside a real `assent serve`: everybody it lets in, and everybody it does not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use assent_client::{Secret, wire};
use assent_core::credential::dpop::Holder;
use assent_core::credential::{Algorithm, SigningKey};
use assent_core::time::Timestamp;
use assent_example_service::{Authority, Guard, router};
use aws_lc_rs::rand::SystemRandom;
use base64::Engine as _;
use tokio::net::TcpListener;

use crate::support::{Answer, Binary, Caller, fresh_key, now, policy_in, sent, shell};

const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: services}
rules:
  - id: services
    when: {intent.environment: staging}
    allow: {credential: {max_ttl: 15m, uses: 9}}
";

/// The service, the authority it asks, and whoever calls both.
struct World {
    authority: Binary,
    alice: Caller,
    service: Caller,
    base: String,
    /// How far the service's clock is ahead, in milliseconds.
    ahead: Arc<AtomicI64>,
    random: SystemRandom,
    data: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let policy = data.path().join("policy");
        policy_in(&policy, POLICY);
        let authority = Binary::start(&data.path().join("data"), &policy).await;
        let alice = authority.person("alice");
        let bob = Secret::new(authority.tokens["bob"].clone());
        let known = Authority::reach(&authority.base, bob, now()).await;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let ahead = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&ahead);
        let clock = Arc::new(move || {
            Timestamp::from_millis(now().as_millis() + clock.load(Ordering::SeqCst))
        });
        let guard = Guard::new(known.unwrap(), "shop", &base, &[7; 32], clock);
        let app = router(Arc::new(guard));
        // The example serves with axum's own loop; so does this, under test.
        tokio::spawn(assent_example_service::serve(listener, app));
        let service = Caller::new(&base, None);
        let random = SystemRandom::new();
        Self { authority, alice, service, base, ahead, random, data }
    }

    async fn granted(&self, kind: &str, service: &str) -> wire::Request {
        let intent = wire::Intent {
            kind: kind.to_owned(),
            environment: "staging".to_owned(),
            target: [("service".to_owned(), service.to_owned())].into(),
            reason: "the release of today".to_owned(),
            ..wire::Intent::default()
        };
        let filing = wire::Filing { intent, reattach: false, heartbeat: None };
        self.alice.client.file(&filing, &fresh_key()).await.unwrap()
    }

    async fn minted_for(&self, audience: &str, request: &wire::Request) -> wire::Credential {
        let wanted = wire::MintRequest { audience: audience.to_owned(), ..Default::default() };
        self.alice.client.mint(&request.id, &wanted, &fresh_key()).await.unwrap()
    }

    /// A credential that lets its holder in.
    async fn good(&self, kind: &str) -> wire::Credential {
        self.minted_for("shop", &self.granted(kind, "api").await).await
    }

    /// A credential that is bound to this key.
    async fn bound(&self, kind: &str, holder: &Holder) -> wire::Credential {
        let request = self.granted(kind, "api").await;
        let wanted = wire::MintRequest { audience: "shop".to_owned(), ..Default::default() };
        let prove = |url: &str, nonce: Option<&str>| {
            holder.proof(("POST", url), None, nonce, now(), &self.random)
        };
        self.alice.client.mint_bound(&request.id, &wanted, &fresh_key(), prove).await.unwrap()
    }

    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let call = self.service.call(method, path);
        sent(headers.iter().fold(call, |call, (name, value)| call.header(*name, *value))).await
    }

    async fn read(&self, token: &str) -> Answer {
        self.call("GET", "/version/api", &[("authorization", &format!("Bearer {token}"))]).await
    }

    async fn deploy(&self, token: &str) -> Answer {
        self.call("POST", "/deploy/api", &[("authorization", &format!("Bearer {token}"))]).await
    }

    fn proof(
        &self,
        holder: &Holder,
        call: (&str, &str),
        token: &str,
        nonce: Option<&str>,
    ) -> String {
        let uri = format!("{}{}", self.base, call.1);
        holder.proof((call.0, &uri), Some(token), nonce, now(), &self.random).unwrap()
    }

    async fn show(&self, call: (&str, &str), token: &str, proof: &str) -> Answer {
        let said = format!("DPoP {token}");
        self.call(call.0, call.1, &[("authorization", &said), ("dpop", proof)]).await
    }

    /// The nonce that the service asks for.
    async fn nonce(&self, holder: &Holder, call: (&str, &str), token: &str) -> String {
        let proof = self.proof(holder, call, token, None);
        let answer = self.show(call, token, &proof).await;
        refused(&answer, 401, "use_dpop_nonce");
        answer.headers["dpop-nonce"].to_str().unwrap().to_owned()
    }
}

#[track_caller]
fn refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    if status == 401 {
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        let says = challenge.contains("DPoP algs=") && challenge.contains("Bearer");
        assert!(says && challenge.contains(error), "{challenge}");
    }
}

fn holder() -> Holder {
    Holder::new(&SigningKey::generate(Algorithm::Es256, &SystemRandom::new()).unwrap()).unwrap()
}

#[tokio::test]
async fn t24_t26_the_example_service_lets_in_exactly_what_was_granted() {
    let world = World::new().await;
    let good = world.good("service.read").await;
    for _ in 0..2 {
        let answer = world.read(&good.token).await.is(200);
        assert_eq!(answer.text, "api 1.4.2\n");
    }
    refused(&world.call("GET", "/version/api", &[]).await, 401, "DPoP");
    refused(&world.call("GET", "/version/api", &[("authorization", "Basic x")]).await, 401, "DPoP");
    for wrong in ["x", "", &good.token[1..], &format!("{}x", good.token), world.alice.token()] {
        let answer = world.read(wrong).await;
        assert!(answer.status == 401 || answer.status == 400, "{wrong}: {answer:?}");
    }
    let request = world.granted("service.read", "api").await;
    let elsewhere = world.minted_for("warehouse", &request).await;
    refused(&world.read(&elsewhere.token).await, 401, "invalid_token");
    let other = world.minted_for("shop", &world.granted("service.read", "db").await).await;
    refused(&world.read(&other.token).await, 403, "");
    refused(&world.deploy(&good.token).await, 403, "");
    let twice = [("authorization", "Bearer x"), ("authorization", "Bearer y")];
    refused(&world.call("GET", "/version/api", &twice).await, 400, "");
    // Of another authority, whose keys are not this one's.
    let foreign = World::new().await.good("service.read").await;
    refused(&world.read(&foreign.token).await, 401, "invalid_token");
}

#[tokio::test]
async fn t20_the_example_service_refuses_what_is_over() {
    let world = World::new().await;
    let revoked = world.good("service.read").await;
    world.read(&revoked.token).await.is(200);
    world.alice.client.revoke_credential(&revoked.id, &fresh_key()).await.unwrap();
    refused(&world.read(&revoked.token).await, 401, "invalid_token");
    let good = world.good("service.read").await;
    world.ahead.store(16 * 60_000, Ordering::SeqCst);
    let answer = world.read(&good.token).await;
    refused(&answer, 401, "invalid_token");
    assert!(answer.text.contains("expired"), "{answer:?}");
    world.ahead.store(0, Ordering::SeqCst);
    world.read(&good.token).await.is(200);
}

#[tokio::test]
async fn t31_the_example_service_takes_a_spent_credential_once() {
    let world = World::new().await;
    let good = world.good("service.deploy").await;
    assert!(world.deploy(&good.token).await.is(200).text.starts_with("api is deployed for req_"));
    for _ in 0..2 {
        refused(&world.deploy(&good.token).await, 401, "invalid_token");
    }
    // What was not granted for this is not spent by trying.
    let other = world.good("service.read").await;
    refused(&world.deploy(&other.token).await, 403, "");
    world.read(&other.token).await.is(200);
}

#[tokio::test]
async fn t31_the_example_service_takes_a_bound_credential_from_its_holder_only() {
    let world = World::new().await;
    let (holder, thief) = (holder(), holder());
    let bound = world.bound("service.read", &holder).await;
    let (token, call) = (bound.token.as_str(), ("GET", "/version/api"));
    let nonce = world.nonce(&holder, call, token).await;
    let good = world.proof(&holder, call, token, Some(&nonce));
    world.show(call, token, &good).await.is(200);
    let again = world.show(call, token, &good).await;
    refused(&again, 401, "invalid_dpop_proof");
    assert!(again.text.contains("before"), "{again:?}");
    refused(&world.read(token).await, 401, "invalid_token");
    let stolen = world.proof(&thief, call, token, Some(&nonce));
    refused(&world.show(call, token, &stolen).await, 401, "invalid_dpop_proof");
    let elsewhere = world.proof(&holder, ("GET", "/version/db"), token, Some(&nonce));
    refused(&world.show(call, token, &elsewhere).await, 401, "invalid_dpop_proof");
    let free = world.good("service.read").await;
    let proof = world.proof(&holder, call, &free.token, Some(&nonce));
    refused(&world.show(call, &free.token, &proof).await, 401, "invalid_token");
    // Where it is spent, the proof goes on to the authority.
    let once = world.bound("service.deploy", &holder).await;
    let call = ("POST", "/deploy/api");
    let proof = world.proof(&holder, call, &once.token, Some(&nonce));
    world.show(call, &once.token, &proof).await.is(200);
    let proof = world.proof(&holder, call, &once.token, Some(&nonce));
    refused(&world.show(call, &once.token, &proof).await, 401, "invalid_token");
}

#[tokio::test]
async fn the_example_service_lets_nobody_in_while_the_authority_is_away() {
    let mut world = World::new().await;
    let good = world.good("service.read").await;
    world.read(&good.token).await.is(200);
    world.authority.kill().await;
    refused(&world.read(&good.token).await, 503, "");
}

/// The Python of the guide, run as it stands there.
#[tokio::test]
async fn the_python_of_the_guide_checks_credentials() {
    let world = World::new().await;
    let program = world.data.path().join("check.py");
    std::fs::write(&program, python()).unwrap();
    let run = |token: &str, more: &[&str]| {
        let output = std::process::Command::new(crate::support::tools::python("python"))
            .arg(&program)
            .args([&world.authority.base, "shop", "service.read", "staging", "api", token])
            .args(more)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    };
    let good = world.good("service.read").await;
    let (is_in, said) = run(&good.token, &[]);
    assert!(is_in, "{said}");
    let other = world.good("service.deploy").await;
    let elsewhere = world.minted_for("gcp", &world.granted("service.read", "api").await).await;
    let changed = format!("{}AAAA", &good.token[..good.token.len() - 4]);
    for (what, token) in
        [("other", &other.token), ("elsewhere", &elsewhere.token), ("changed", &changed)]
    {
        let (is_in, said) = run(token, &[]);
        assert!(!is_in && said.contains("refused"), "{what}: {said}");
    }
    let holder = holder();
    let bound = world.bound("service.read", &holder).await;
    let (token, call) = (bound.token.as_str(), ("GET", "/version/api"));
    let uri = format!("{}/version/api", world.base);
    let proof = world.proof(&holder, call, token, None);
    let (is_in, said) = run(token, &[&proof, "GET", &uri]);
    assert!(is_in, "{said}");
    let thief = world.proof(&self::holder(), call, token, None);
    let elsewhere = format!("{uri}/x");
    let post = [proof.as_str(), "POST", &uri];
    for more in [&[][..], &[&thief, "GET", &uri], &post, &[&proof, "GET", &elsewhere]] {
        let (is_in, said) = run(token, more);
        assert!(!is_in && said.contains("refused"), "{more:?}: {said}");
    }
}

/// The first block of Python in the guide.
fn python() -> String {
    block("```python\n")
}

/// What stands in the guide between this and the end of the block.
fn block(beginning: &str) -> String {
    let guide: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guides/verify.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let (_, rest) = guide.split_once(beginning).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// The shell of the guide, run as it stands there but for the address and the request's id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_guide_call_a_service_with_a_bound_credential() {
    let world = World::new().await;
    let commands = block("```sh\nURL=https://shop.example.com").replacen(
        "/deploy/api",
        &format!("URL={}/deploy/api", world.base),
        1,
    );
    let request = world.granted("service.deploy", "api").await.id;
    let commands = commands.replace("--request ID ", &format!("--request {request} "));
    let folder = world.data.path().join("shell");
    std::fs::create_dir(&folder).unwrap();
    let mut shell = shell(&["sh", "-e", "-c", &commands], &folder);
    shell.env("ASSENT_URL", &world.authority.base).env("ASSENT_TOKEN", world.alice.token());
    let output = shell.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (said, told) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && said.contains("api"), "{commands}\n{said}\n{told}");
    // The first call was refused, and not for nothing.
    let first = std::fs::read_to_string(folder.join("answer.txt")).unwrap();
    assert!(first.contains("must have the nonce"), "{first}");
    let shown = world.alice.client.request(&request).await.unwrap();
    assert!(shown.credentials[0].confirmation.is_some(), "{shown:?}");
}

/// The command line mints bound, and makes the proofs that a service wants.
#[tokio::test]
async fn the_command_line_holds_a_key() {
    let world = World::new().await;
    let key = world.data.path().join("holder.pem");
    let pkcs8 = SigningKey::generate(Algorithm::Es256, &world.random).unwrap();
    let body = base64::engine::general_purpose::STANDARD.encode(&*pkcs8);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    std::fs::write(&key, pem).unwrap();
    let key = key.to_str().unwrap();
    let run = |words: &[&str]| {
        let output = std::process::Command::new(crate::support::program())
            .args(["--server", &world.authority.base, "--token", world.alice.token()])
            .args(words)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let request = world.granted("service.read", "api").await.id;
    let mint = ["credential", "mint", "--request", &request, "--audience", "shop"];
    let token = run(&[&mint[..], &["--dpop-key", key]].concat());
    let url = format!("{}/version/api", world.base);
    let prove = ["credential", "proof", "--dpop-key", key, "--url", &url];
    let call = ("GET", "/version/api");
    let refusal = world.show(call, &token, &run(&[&prove[..], &[&token]].concat())).await;
    refused(&refusal, 401, "use_dpop_nonce");
    let nonce = refusal.headers["dpop-nonce"].to_str().unwrap();
    let proof = run(&[&prove[..], &["--nonce", nonce, &token]].concat());
    world.show(call, &token, &proof).await.is(200);
    assert!(run(&["credential", "verify", &token]).contains("jkt"));
}
