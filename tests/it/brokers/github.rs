//! Installation tokens of a GitHub App: against a service as strict as GitHub documents it.

use std::path::{Path, PathBuf};

use assent_client::wire::{self, MintRequest};
use assent_client::{ClientError, Secret};
use assent_core::time::Span;
use assent_server::broker::{Brokers, Kept};
use assent_server::policy::Source;
use assent_server::sealing::Sealer;
use serde_json::{Value, json};

use super::installations::{Github, answer, brokers_yaml, message, private_key, secret};
use super::settled;
use crate::support::{
    Binary, Caller, Remains, Reply, Server, Setup, Ways, documents, fresh_key, policy_in,
};

pub(super) const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
rules:
  - id: triage
    when: {intent.kind: github.triage, intent.environment: free}
    allow: {credential: {max_ttl: 10m, uses: 9, broker: github-orders, role: triage}}
  - id: reader
    when: {intent.kind: github.triage, intent.environment: reader}
    allow: {credential: {max_ttl: 10m, broker: github-orders, role: reader}}
  - id: everything
    when: {intent.kind: github.triage, intent.environment: everything}
    allow: {credential: {max_ttl: 10m, broker: github-orders, role: everything}}
  - id: administrator
    when: {intent.kind: github.triage, intent.environment: administrator}
    allow: {credential: {max_ttl: 10m, broker: github-orders, role: administrator}}
  - id: unknown
    when: {intent.kind: github.triage, intent.environment: unknown}
    allow: {credential: {max_ttl: 10m, broker: github-orders, role: owner}}
";

/// Where the test's time stands.
const BEGINNING: i64 = 1_800_000_000_000;

fn setup(github: &Github, kept: Kept) -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("brokers.yaml");
    let text = brokers_yaml(&github.stand_in.url, "private_key_env: APP_KEY");
    std::fs::write(&file, text).unwrap();
    let brokers = Brokers::read(&file, &|_| Some(Secret::new(private_key()))).unwrap();
    Setup {
        source: Source::Given(documents(POLICY)),
        brokers: brokers.keeping(kept),
        ..Setup::default()
    }
}

struct World {
    github: Github,
    server: Server,
    alice: Caller,
}

impl World {
    async fn start() -> Self {
        let remains = Remains::fresh();
        let clock = remains.time.clock();
        let github = Github::start(move || clock.now().as_millis(), None).await;
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.keep().join("ledger.sqlite");
        let setup = setup(&github, Kept::default());
        let server = Server::on_file_again_set_up(&ledger, remains, setup).await;
        let alice = server.person("alice").await;
        Self { github, server, alice }
    }

    async fn file(&self, environment: &str) -> wire::Request {
        file(&self.alice, environment).await
    }
}

async fn file(who: &Caller, environment: &str) -> wire::Request {
    let intent = wire::Intent {
        kind: "github.triage".to_owned(),
        environment: environment.to_owned(),
        reason: "sort the issues".to_owned(),
        ..wire::Intent::default()
    };
    who.client
        .file(&wire::Filing { intent, reattach: false, heartbeat: None }, &fresh_key())
        .await
        .unwrap()
}

fn wanted() -> MintRequest {
    let broker = Some("github-orders".to_owned());
    MintRequest { audience: "orders".to_owned(), broker, ..MintRequest::default() }
}

async fn open(who: &Caller, request: &wire::Request) -> Result<wire::Credential, ClientError> {
    who.client.mint(&request.id, &wanted(), &fresh_key()).await
}

#[tokio::test]
async fn a_token_is_narrowed_to_its_role_and_revoked_at_its_end() {
    let world = World::start().await;
    for (environment, asked) in [
        ("free", json!({"repository_ids": [1], "permissions": {"issues": "write"}})),
        ("reader", json!({"repository_ids": [1, 2], "permissions": {"contents": "read"}})),
        ("everything", json!({"permissions": {"issues": "read"}})),
    ] {
        let request = world.file(environment).await;
        let credential = open(&world.alice, &request).await.unwrap();
        let made = world.github.made().pop().unwrap();
        assert_eq!(made.asked, asked, "{environment}");
        let fields = &credential.fields;
        assert_eq!(fields["token"], made.text);
        assert_eq!(fields["api_url"], world.github.stand_in.url);
        assert_eq!(fields["installation"], "7");
        // GitHub's tokens live for an hour; this one goes with its credential.
        assert_eq!(fields["expires_at"], credential.expires_at);
        assert_eq!(world.github.good(), std::slice::from_ref(&made.text));
        assert_eq!(world.server.close().await, 0, "nothing is over yet");
        world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
        assert_eq!(world.server.close().await, 1);
        assert!(world.github.good().is_empty(), "{environment}");
        assert_eq!(world.alice.brokered(&request).await.status, "closed");
    }
    for (environment, code, told) in [
        ("unknown", "invalid", "the rules name the role `owner`"),
        ("administrator", "not_opened", "not granted to this installation"),
    ] {
        let request = world.file(environment).await;
        let refused = open(&world.alice, &request).await.unwrap_err();
        assert_eq!(refused.code(), Some(code), "{refused}");
        assert!(refused.message.contains(told), "{refused}");
    }
    assert!(world.github.good().is_empty());
}

#[tokio::test]
async fn t20_a_token_is_gone_when_its_time_is_up_or_it_is_taken_back() {
    let world = World::start().await;
    let request = world.file("free").await;
    let first = open(&world.alice, &request).await.unwrap();
    let second = open(&world.alice, &request).await.unwrap();
    world.alice.client.revoke_credential(&first.id, &fresh_key()).await.unwrap();
    assert_eq!(world.server.close().await, 1);
    assert_eq!(world.github.good(), [second.fields["token"].clone()]);
    world.server.time().pass(Span::minutes(10));
    assert_eq!(world.server.close().await, 1);
    assert!(world.github.good().is_empty());
}

#[tokio::test]
async fn t56_a_mint_that_is_sent_again_is_one_token_and_the_one_before_is_gone() {
    let world = World::start().await;
    let request = world.file("free").await;
    let (key, wanted) = (fresh_key(), wanted());
    let mint = || world.alice.client.mint(&request.id, &wanted, &key);
    let (first, second) = (mint().await.unwrap(), mint().await.unwrap());
    assert_eq!(first.id, second.id);
    assert_ne!(first.fields["token"], second.fields["token"]);
    assert_eq!(world.github.good(), [second.fields["token"].clone()]);
    world.alice.client.revoke_credential(&first.id, &fresh_key()).await.unwrap();
    assert_eq!(world.server.close().await, 1);
    assert!(world.github.good().is_empty());
    assert_eq!(mint().await.unwrap_err().code(), Some("credential_over"));
}

#[tokio::test]
async fn a_token_that_is_gone_already_is_closed_only_by_who_knows_us() {
    let world = World::start().await;
    let request = world.file("free").await;
    let credential = open(&world.alice, &request).await.unwrap();
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    let unauthorized = Ways::Saying(message(401, "Bad credentials"));
    world.github.stand_in.behave(unauthorized);
    assert_eq!(world.server.close().await, 0, "whoever stands in between says anything");
    world.github.stand_in.behave(Ways::HangingUp);
    world.server.time().pass(Span::minutes(1));
    assert_eq!(world.server.close().await, 0);
    assert!(world.alice.brokered(&request).await.problem.unwrap().contains("Bad credentials"));
    world.github.stand_in.behave(Ways::Honest);
    world.github.end(&credential.fields["token"]);
    world.server.time().pass(Span::minutes(5));
    assert_eq!(world.server.close().await, 1);
    assert_eq!(world.alice.brokered(&request).await.status, "closed");
    // A token outlives nothing: after its own end there is nobody to ask.
    let request = world.file("free").await;
    open(&world.alice, &request).await.unwrap();
    world.github.forget();
    world.server.time().pass(Span::minutes(59));
    assert_eq!(world.server.close().await, 0);
    world.server.time().pass(Span::minutes(6));
    assert_eq!(world.server.close().await, 1);
}

#[tokio::test]
async fn what_github_answers_is_taken_only_if_it_was_asked_for() {
    let world = World::start().await;
    let asked = json!({"repository_ids": [1], "permissions": {"issues": "write"}});
    let good = |count: usize| answer(&asked, &secret(count), BEGINNING);
    let changed = |pointer: &str, value: Value| {
        let mut whole = good(90);
        *whole.pointer_mut(pointer).unwrap() = value;
        Reply::new(201, whole.to_string())
    };
    let request = world.file("free").await;
    let path = format!("/v1/requests/{}/credentials", request.id);
    let body = json!({"audience": "orders", "broker": "github-orders"});
    let mint = || world.alice.post_again(KEY, &path, &body);
    let redirect =
        Reply { headers: vec![("location", "/app".to_owned())], ..Reply::new(307, "{}") };
    for reply in [
        changed("/repositories/0/id", json!(2)),
        changed("/repositories", json!([{"id": 1}, {"id": 2}])),
        changed("/repository_selection", json!("all")),
        changed("/permissions/issues", json!("read")),
        changed("/permissions", json!({"issues": "write", "administration": "write"})),
        changed("/expires_at", json!("2027-01-15T07:59:59Z")),
        changed("/expires_at", json!("2027-01-15T10:00:00Z")),
        changed("/expires_at", json!(null)),
        changed("/token", json!("two words")),
        changed("/token", json!("ghs_\nX-Header: y")),
        changed("/token", json!("x".repeat(2000))),
        changed("/token", json!(7)),
        Reply::new(201, good(91).to_string().replacen('{', "{\"token\":\"ghs_other\",", 1)),
        Reply::new(201, ""),
        Reply::new(201, "[]"),
        Reply::new(201, "[".repeat(100_000)),
        Reply::new(200, good(92).to_string()),
        message(401, &"A".repeat(100)),
        message(403, "This installation has been suspended"),
        message(404, "Not Found"),
        message(503, "\u{1b}[2J"),
        redirect,
    ] {
        world.github.stand_in.behave(Ways::Saying(reply.clone()));
        let told = mint().await.refuses(502, "not_opened");
        assert!(told.chars().all(|c| !c.is_control()), "{reply:?} {told}");
        assert!(!told.contains("canary"), "{told}");
        assert!(!told.contains(&"A".repeat(40)), "{told}");
    }
    for ways in [Ways::Flooding, Ways::HangingUp] {
        world.github.stand_in.behave(ways);
        mint().await.refuses(502, "not_opened");
    }
    world.github.stand_in.behave(Ways::Honest);
    let credential = mint().await.is(201).json();
    assert_eq!(json!(world.github.good()), json!([credential["fields"]["token"]]));
    // What was asked for and never came may exist: nobody has it, and it is told until when.
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    world.server.close().await;
    assert!(world.github.good().is_empty());
    assert_eq!(world.alice.brokered(&request).await.status, "outlives");
    world.server.time().pass(Span::minutes(66));
    assert_eq!(world.server.close().await, 1);
    assert_eq!(world.alice.brokered(&request).await.status, "closed");
}

/// GitHub may fail after it has made a token, and nobody else can tell.
#[tokio::test]
async fn t56_what_github_fails_at_may_exist_and_what_it_refuses_does_not() {
    for (status, made, wanted) in [
        (500, true, "outlives"),
        (502, true, "outlives"),
        (504, true, "outlives"),
        (200, true, "outlives"),
        (403, false, "closed"),
        (422, false, "closed"),
    ] {
        let world = World::start().await;
        let reply = message(status, "Something is wrong");
        let ways = if made { Ways::Lying(reply) } else { Ways::Saying(reply) };
        world.github.stand_in.behave(ways);
        let request = world.file("free").await;
        assert!(open(&world.alice, &request).await.is_err());
        assert_eq!(!world.github.good().is_empty(), made, "{status}");
        world.github.stand_in.behave(Ways::Honest);
        world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
        world.server.close().await;
        assert_eq!(world.alice.brokered(&request).await.status, wanted, "{status}");
        world.server.time().pass(Span::minutes(66));
        world.server.close().await;
        assert_eq!(world.alice.brokered(&request).await.status, "closed", "{status}");
    }
}

#[tokio::test]
async fn t66_no_token_of_github_is_kept_in_the_clear_or_logged() {
    let folder = tempfile::tempdir().unwrap();
    let log = crate::canary::Tape::listening();
    let remains = Remains::fresh();
    let clock = remains.time.clock();
    let github = Github::start(move || clock.now().as_millis(), None).await;
    let opened = folder.path().join("opened");
    let kept = Kept::in_directory(&opened, Sealer::default()).unwrap();
    let ledger = folder.path().join("ledger.sqlite");
    let server = Server::on_file_again_set_up(&ledger, remains, setup(&github, kept)).await;
    let alice = server.person("alice").await;
    let request = file(&alice, "free").await;
    let minted = open(&alice, &request).await.unwrap();
    assert!(!format!("{minted:?}").contains("canary"));
    let files = |place: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    assert_eq!(files(&opened).len(), 1);
    let token = minted.fields["token"].clone();
    for file in files(folder.path()).into_iter().filter(|file| file.is_file()).chain(files(&opened))
    {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(token.len()).any(|part| part == token.as_bytes());
        assert!(!found, "a token is in {}", file.display());
    }
    alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    assert_eq!(server.authority.close_due().await.unwrap(), 1);
    assert!(files(&opened).is_empty(), "what was kept for the closing is there still");
    let entries = alice.get("/v1/audit/entries").await.is(200).text;
    let key = private_key();
    let key = key.lines().nth(5).unwrap();
    let proofs = github.stand_in.asked();
    let proof = proofs.iter().find(|asked| asked.bearer().starts_with("ey")).unwrap();
    let proof = proof.bearer().rsplit('.').next().unwrap();
    for (place, text) in [
        ("the audit log", entries),
        ("the log", log.text()),
        ("the authority's Debug", format!("{:?}", server.authority)),
    ] {
        for secret in [token.as_str(), key, proof] {
            assert!(!text.contains(secret), "a secret is in {place}");
        }
    }
}

/// Where the real binary keeps its things.
struct Place(tempfile::TempDir);

impl Place {
    fn new(github: &Github) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        policy_in(&at("policy"), POLICY);
        std::fs::write(at("app.pem"), private_key()).unwrap();
        std::fs::set_permissions(
            at("app.pem"),
            std::os::unix::fs::PermissionsExt::from_mode(0o600),
        )
        .unwrap();
        let key = format!("private_key_file: {}", at("app.pem").display());
        let text = brokers_yaml(&github.stand_in.url, &key);
        std::fs::write(at("brokers.yaml"), text).unwrap();
        Self(folder)
    }

    async fn start(&self) -> Binary {
        let brokers = self.0.path().join("brokers.yaml");
        let more: [&Path; 2] = [Path::new("--brokers"), &brokers];
        let (data, policy) = (self.0.path().join("data"), self.0.path().join("policy"));
        Binary::start_with(&data, &policy, &more).await
    }
}

const KEY: &str = "the-call-whose-answer-is-lost";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t56_kill_9_around_a_token_leaves_none_that_somebody_has() {
    let clock = assent_server::clock::Clock::system();
    let github = Github::start(move || clock.now().as_millis(), None).await;
    for ways in [Ways::StoppingBefore, Ways::StoppingAfter] {
        let place = Place::new(&github);
        let mut binary = place.start().await;
        let tokens = binary.tokens.clone();
        let alice = binary.holder_of(&tokens["alice"]);
        let request = file(&alice, "free").await;
        let path = format!("/v1/requests/{}/credentials", request.id);
        let body = json!({"audience": "orders", "broker": "github-orders"});
        github.stand_in.behave(ways.clone());
        let lost = alice.call("POST", &path).header("idempotency-key", KEY).json(&body);
        let lost = tokio::spawn(lost.send());
        github.stand_in.stopped().await;
        binary.kill().await;
        assert!(lost.await.unwrap().is_err(), "{ways:?}: it was answered");

        // Asked again it is the same use, and a token that somebody has.
        github.stand_in.behave(Ways::Honest);
        let mut binary = place.start().await;
        let alice = binary.holder_of(&tokens["alice"]);
        let minted = alice.post_again(KEY, &path, &body).await.is(201).json();
        let token = minted["fields"]["token"].as_str().unwrap().to_owned();
        assert!(github.good().contains(&token));
        // It outlives the next crash, and its end is seen to by whoever comes after.
        binary.kill().await;
        let mut binary = place.start().await;
        let alice = binary.holder_of(&tokens["alice"]);
        alice.client.complete(&request.id, &fresh_key()).await.unwrap();
        let shown = settled(&alice, &request.id, "outlives").await;
        assert_eq!(shown.credentials.len(), 1, "a second use was spent");
        // The one whose answer was lost may exist, which is told; the one that was had does not.
        assert_eq!(alice.brokered(&request).await.status, "outlives", "{ways:?}");
        assert!(!github.good().contains(&token), "{ways:?}");
        binary.kill().await;
    }
    assert_eq!(github.good().len(), 1, "of both crashes one comes after a token was made");
}
