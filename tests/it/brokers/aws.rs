//! Sessions of AWS roles: against a service as strict as AWS documents it, and against moto.

use assent_client::wire::{self, MintRequest};
use assent_client::{ClientError, ErrorKind};
use assent_core::time::Span;
use assent_server::broker::Brokers;
use assent_server::policy::Source;
use serde_json::{Value, json};

use super::sts::{ROLE, Session, Sts, Told, brokers_yaml, refused};
use crate::support::{
    Answer, Caller, Reply, Server, Setup, StandIn, Ways, approve, documents, fresh_key,
};

pub(super) const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
groups:
  owners: [person:bob]
rules:
  - id: deploys
    when: {intent.kind: aws.deploy, intent.environment: production}
    require:
      stages: [{name: owner, approvals: 1, from: [group:owners]}]
      credential: {max_ttl: 10m, broker: aws-orders, role: deploy}
  - id: free
    when: {intent.kind: aws.deploy, intent.environment: free}
    allow: {credential: {max_ttl: 10m, uses: 9, broker: aws-orders, role: deploy}}
  - id: bucket
    when: {intent.kind: aws.deploy, intent.environment: bucket}
    allow: {credential: {max_ttl: 20m, broker: aws-orders, role: bucket}}
  - id: managed
    when: {intent.kind: aws.deploy, intent.environment: managed}
    allow: {credential: {max_ttl: 3h, broker: aws-orders, role: managed}}
  - id: elsewhere
    when: {intent.kind: aws.deploy, intent.environment: elsewhere}
    allow: {credential: {max_ttl: 10m, broker: aws-orders, role: elsewhere}}
  - id: unknown
    when: {intent.kind: aws.deploy, intent.environment: unknown}
    allow: {credential: {max_ttl: 10m, broker: aws-orders, role: administrator}}
  - id: unnamed
    when: {intent.kind: aws.deploy, intent.environment: unnamed}
    allow: {credential: {max_ttl: 10m, broker: aws-orders}}
";

/// The brokers of this text.
fn brokers(text: &str) -> Brokers {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("brokers.yaml");
    std::fs::write(&file, text).unwrap();
    Brokers::read(&file, &|_| None).unwrap()
}

struct World {
    sts: Sts,
    server: Server,
    alice: Caller,
}

/// Where the test's time stands.
const BEGINNING: i64 = 1_800_000_000_000;

impl World {
    async fn start() -> Self {
        let sts = Sts::start(|| BEGINNING, None).await;
        let setup = setup(&sts);
        let server = Server::set_up(setup).await;
        sts.trusts(server.base());
        let alice = server.person("alice").await;
        Self { sts, server, alice }
    }

    async fn file(&self, environment: &str) -> wire::Request {
        file(&self.alice, environment, "orders-eu").await
    }

    /// What is on record of this kind, over the whole log.
    async fn on_record(&self, kind: &str) -> Vec<Value> {
        let all: Value = self.alice.get("/v1/audit/entries").await.is(200).json();
        let entries = all["entries"].as_array().unwrap().iter();
        let said = format!("\"{kind}\"");
        entries.filter(|entry| entry.to_string().contains(&said)).cloned().collect()
    }
}

fn setup(sts: &Sts) -> Setup {
    Setup {
        source: Source::Given(documents(POLICY)),
        brokers: brokers(&brokers_yaml(&sts.stand_in.url)),
        ..Setup::default()
    }
}

async fn file(who: &Caller, environment: &str, bucket: &str) -> wire::Request {
    let intent = wire::Intent {
        kind: "aws.deploy".to_owned(),
        environment: environment.to_owned(),
        target: [("bucket".to_owned(), bucket.to_owned())].into(),
        reason: "ship it".to_owned(),
        ..wire::Intent::default()
    };
    let filing = wire::Filing { intent, reattach: false, heartbeat: None };
    who.client.file(&filing, &fresh_key()).await.unwrap()
}

fn wanted() -> MintRequest {
    MintRequest {
        audience: "orders".to_owned(),
        broker: Some("aws-orders".to_owned()),
        ..MintRequest::default()
    }
}

async fn open(who: &Caller, request: &wire::Request) -> Result<wire::Credential, ClientError> {
    who.client.mint(&request.id, &wanted(), &fresh_key()).await
}

fn only(sts: &Sts) -> Session {
    let mut sessions = sts.sessions();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    sessions.pop().unwrap()
}

#[tokio::test]
async fn a_role_is_asked_for_approved_used_and_worth_nothing_after_its_end() {
    let world = World::start().await;
    let bob = world.server.person("bob").await;
    let request = world.file("production").await;
    assert_eq!(open(&world.alice, &request).await.unwrap_err().code(), Some("not_approved"));
    assert!(world.sts.stand_in.asked().is_empty());
    approve(&bob, &request).await.unwrap();
    let credential = open(&world.alice, &request).await.unwrap();
    let (session, fields) = (only(&world.sts), &credential.fields);

    // What AWS and its log see: who asked is not among it, what was approved is.
    let id = credential.id.trim_start_matches("crd_").to_lowercase();
    assert_eq!(session.name, format!("assent_{id}"));
    assert_eq!(session.claims["sub"], "assent:v1:production:aws.deploy");
    assert_eq!(session.claims["https://aws.amazon.com/source_identity"], request.id);
    let tags = &session.claims["https://aws.amazon.com/tags"]["principal_tags"];
    assert_eq!(tags["AssentRequest"], json!([request.id]));
    assert_eq!(tags["AssentCredential"], json!([credential.id]));
    assert_eq!(tags["AssentDigest"], json!([request.digest]));
    assert_eq!(tags["AssentEnvironment"], json!(["production"]));
    // AWS gives 15 minutes at least; the credential has 10, and that is what counts.
    assert_eq!(session.duration, 900);
    assert_eq!(fields["expires_at"], credential.expires_at);
    let second = |at: &str| format!("{}Z", &at[..19]);
    let (end, before) = (second(&credential.expires_at), "2027-01-15T08:09:59Z");
    assert!(session.may("ec2:StopInstances", "arn:aws:ec2:::i-1", before));
    assert!(!session.may("ec2:StopInstances", "arn:aws:ec2:::i-1", &end), "it works after its end");
    for other in ["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot"] {
        let other = format!("sts:{other}");
        assert!(!session.may(&other, "arn:aws:iam::1:role/x", before), "{other}");
    }
    assert_eq!(fields["access_key_id"], "ASIA0000000000000001");
    assert!(fields["secret_access_key"].starts_with("canary/"));
    assert_eq!(fields["region"], "eu-central-1");
    // The token that AWS was shown opens nothing here.
    let token = assent_client::Secret::new(session.token.clone());
    assert!(!bob.client.introspect(&token).await.unwrap().active);
    assert!(bob.client.redeem(&token, "sts.amazonaws.com", &fresh_key()).await.is_err());

    // Nobody can take it back, and that was on record before it was opened.
    let consumed = world.on_record("consumed").await;
    assert!(consumed[0].to_string().contains("only_expires"), "{consumed:?}");
    world.alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    world.server.close().await;
    let outlives = world.on_record("broker_outlives").await;
    assert_eq!(outlives.len(), 1);
    assert!(outlives[0].to_string().contains(&credential.expires_at), "{outlives:?}");
    assert!(world.on_record("broker_closed").await.is_empty());
    assert_eq!(world.alice.brokered(&request).await.status, "outlives");
    world.server.time().pass(Span::minutes(10));
    assert_eq!(world.server.close().await, 1);
    assert_eq!(world.alice.brokered(&request).await.status, "closed");
    assert_eq!(world.on_record("broker_outlives").await.len(), 1);
    assert_eq!(world.server.close().await, 0);
}

#[tokio::test]
async fn a_session_policy_has_what_was_approved_and_nothing_that_means_more() {
    let world = World::start().await;
    for bad in ["*", "orders-eu/*", "orders?", "${aws:username}", "a:b"] {
        let request = file(&world.alice, "bucket", bad).await;
        let refused = open(&world.alice, &request).await.unwrap_err();
        assert_eq!(refused.code(), Some("invalid"), "{bad}: {refused}");
        assert!(refused.message.contains("target.bucket"), "{bad}: {refused}");
        let shown = world.alice.client.request(&request.id).await.unwrap();
        assert!(shown.credentials.is_empty(), "a use was spent: {bad}");
    }
    assert!(world.sts.stand_in.asked().is_empty());
    let request = world.file("bucket").await;
    open(&world.alice, &request).await.unwrap();
    let session = only(&world.sts);
    assert_eq!(session.duration, 1200);
    let at = "2027-01-15T08:00:00Z";
    assert!(session.may("s3:GetObject", "arn:aws:s3:::orders-eu/a", at));
    assert!(!session.may("s3:GetObject", "arn:aws:s3:::payroll/a", at));
    assert!(!session.may("s3:DeleteObject", "arn:aws:s3:::orders-eu/a", at));
    assert!(!session.may("s3:GetObject", "arn:aws:s3:::orders-eu/a", "2027-01-15T08:20:00Z"));
}

#[tokio::test]
async fn what_nobody_can_take_back_is_kept_short_and_never_widened() {
    let world = World::start().await;
    let request = world.file("managed").await;
    let credential = open(&world.alice, &request).await.unwrap();
    let session = only(&world.sts);
    // Three hours are allowed; of what only expires there is one.
    assert_eq!(session.duration, 3600);
    assert!(credential.expires_at.starts_with("2027-01-15T09:00:00"), "{}", credential.expires_at);
    // The managed policy says what is allowed: what is allowed inline too would be added to it.
    assert_eq!(session.managed, ["arn:aws:iam::aws:policy/ReadOnlyAccess"]);
    let statements = session.policy["Statement"].as_array().unwrap();
    assert!(statements.iter().all(|one| one["Effect"] == "Deny"), "{statements:?}");
}

#[tokio::test]
async fn only_the_role_that_the_rules_name_is_assumed() {
    let world = World::start().await;
    for (environment, told) in
        [("unknown", "the rules name the role `administrator`"), ("unnamed", "the rules name none")]
    {
        let request = world.file(environment).await;
        let refused = open(&world.alice, &request).await.unwrap_err();
        assert_eq!(refused.code(), Some("invalid"), "{environment}: {refused}");
        assert!(refused.message.contains(told), "{refused}");
        let shown = world.alice.client.request(&request.id).await.unwrap();
        assert!(shown.credentials.is_empty(), "a use was spent: {environment}");
    }
    assert!(world.sts.stand_in.asked().is_empty());
    // AWS knows whom its roles trust.
    let request = world.file("elsewhere").await;
    let refused = open(&world.alice, &request).await.unwrap_err();
    assert_eq!(refused.code(), Some("not_opened"));
    assert!(refused.message.contains("(AccessDenied)"), "{refused}");
}

#[tokio::test]
async fn a_mint_that_failed_behind_the_authority_is_left_to_whoever_wants_it() {
    let world = World::start().await;
    let request = world.file("free").await;
    // The session is there, and its answer is nothing: each further try would open one more.
    world.sts.behave(Ways::Lying(Reply::new(200, "<a/>")));
    let error = open(&world.alice, &request).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (ErrorKind::Unavailable, Some("not_opened")));
    assert!(!error.retryable, "{error:?}");
    assert_eq!(world.sts.sessions().len(), 1, "tried again by itself");
}

/// A gateway that answers instead of the authority does not know what was done behind it.
#[tokio::test]
async fn a_mint_with_a_broker_is_not_repeated_on_the_word_of_a_gateway() {
    let gateway = StandIn::start(|_| Box::pin(async { Reply::new(502, "bad gateway") })).await;
    let caller = Caller::new(&gateway.url, Some("assent_somebody"));
    let mint = async |broker: Option<&str>, status: u16| {
        gateway.behave(Ways::Saying(Reply::new(status, "")));
        let before = gateway.asked().len();
        let broker = broker.map(str::to_owned);
        let wanted =
            wire::MintRequest { audience: "x".to_owned(), broker, ..wire::MintRequest::default() };
        let error = caller.client.mint("req_1", &wanted, &fresh_key()).await.unwrap_err();
        (gateway.asked().len() - before, error.retryable)
    };
    for status in [502, 504] {
        assert_eq!(mint(Some("aws"), status).await, (1, false), "{status}");
        // A token alone is the same token under the same key.
        let (calls, retryable) = mint(None, status).await;
        assert!(calls > 1 && retryable, "{status}: {calls}");
    }
    let (calls, _) = mint(Some("aws"), 503).await;
    assert!(calls > 1, "it was passed on to nobody");
}

#[tokio::test]
async fn t56_a_mint_that_is_sent_again_is_a_session_of_the_same_name_and_end() {
    let world = World::start().await;
    let request = world.file("free").await;
    let mint = || once(&world.alice, &request);
    // The first answer is lost on its way to the authority: nobody has what it held.
    let lost = "<a/>";
    world.sts.behave(Ways::Lying(Reply::new(200, lost)));
    once(&world.alice, &request).await.refuses(502, "not_opened");
    world.sts.behave(Ways::Honest);
    world.server.time().pass(Span::seconds(30));
    let (first, second) = (mint().await.is(201), mint().await.is(201));
    assert_eq!(first.str("id"), second.str("id"));
    assert_eq!(first.str("expires_at"), second.str("expires_at"));
    let sessions = world.sts.sessions();
    assert_eq!(sessions.len(), 3);
    let end = |session: &Session| session.policy["Statement"][1]["Condition"].clone();
    for session in &sessions {
        assert_eq!(session.name, sessions[0].name);
        assert_eq!(end(session), end(&sessions[0]));
    }
    let shown = world.alice.client.request(&request.id).await.unwrap();
    assert_eq!(shown.credentials.len(), 1, "a second use was spent");
    let id = first.str("id");
    world.alice.client.revoke_credential(&id, &fresh_key()).await.unwrap();
    mint().await.refuses(409, "credential_over");
}

/// The idempotency key of a wish that is asked for again and again.
const KEY: &str = "the-same-wish-again";

/// Asks once: the client would ask again by itself.
async fn once(who: &Caller, request: &wire::Request) -> Answer {
    let path = format!("/v1/requests/{}/credentials", request.id);
    let body = json!({"audience": "orders", "broker": "aws-orders"});
    who.post_again(KEY, &path, &body).await
}

/// The name of the session that the last call was for, as the service took it from the form.
fn asked_for(sts: &Sts) -> String {
    let asked = sts.stand_in.asked().pop().unwrap();
    let form = url::form_urlencoded::parse(&asked.body).into_owned();
    form.into_iter().find(|(name, _)| name == "RoleSessionName").unwrap().1
}

#[tokio::test]
async fn what_sts_answers_is_taken_only_if_it_was_asked_for() {
    let world = World::start().await;
    let request = world.file("free").await;
    world.sts.behave(Ways::Saying(refused("Throttling", "Rate exceeded")));
    once(&world.alice, &request).await.refuses(502, "not_opened");
    // The same wish, so the same name.
    let name = asked_for(&world.sts);
    let until = BEGINNING / 1000 + 900;
    let told = |change: &dyn Fn(&mut Told)| {
        let mut told = Told::honest(&name, 7, until);
        change(&mut told);
        told.reply()
    };
    let arn = |account: &str, role: &str, session: &str| {
        format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")
    };
    let bodies = [
        told(&|t| t.arn = arn("210987654321", "orders-deploy", &name)),
        told(&|t| t.arn = arn("123456789012", "administrator", &name)),
        told(&|t| t.arn = arn("123456789012", "orders-deploy", "assent_other")),
        told(&|t| t.arn = ROLE.to_owned()),
        told(&|t| t.arn.clear()),
        told(&|t| t.expiration = "2027-01-15T07:59:59Z".to_owned()),
        told(&|t| t.expiration = "2027-01-15T08:21:00Z".to_owned()),
        told(&|t| t.expiration = "9999-12-31T23:59:59Z".to_owned()),
        told(&|t| t.expiration = "tomorrow".to_owned()),
        told(&|t| t.key = "ASIA\nLD_PRELOAD=/tmp/x".to_owned()),
        told(&|t| t.key = "A".repeat(200)),
        told(&|t| t.key.clear()),
        told(&|t| t.secret = "with space".to_owned()),
        told(&|t| t.token = "x".repeat(20_000)),
        told(&|t| t.more = "<SourceIdentity>mallory</SourceIdentity>".to_owned()),
        Reply::new(200, ""),
        Reply::new(200, "{}"),
        Reply::new(200, "<AssumeRoleWithWebIdentityResponse>"),
        Reply::new(200, "<a>".repeat(100_000)),
        Reply::new(200, "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"),
        Reply::new(500, "oops"),
        Reply::new(204, ""),
        refused("\u{1b}[2J", &"A".repeat(100)),
    ];
    for reply in bodies {
        world.sts.behave(Ways::Saying(reply.clone()));
        let told = once(&world.alice, &request).await.refuses(502, "not_opened");
        assert!(told.chars().all(|c| !c.is_control()), "{reply:?} {told}");
        assert!(!told.contains("canary"), "{told}");
        assert!(!told.contains(&"A".repeat(40)), "{told}");
    }
    let redirect =
        |to: &str| Reply { headers: vec![("location", to.to_owned())], ..Reply::new(307, "") };
    let (elsewhere, asked) =
        (Sts::start(|| BEGINNING, None).await, world.sts.stand_in.asked().len());
    for ways in [
        Ways::Saying(redirect(&elsewhere.stand_in.url)),
        Ways::Saying(redirect("/")),
        Ways::Flooding,
        Ways::HangingUp,
    ] {
        world.sts.behave(ways.clone());
        once(&world.alice, &request).await.refuses(502, "not_opened");
    }
    assert!(elsewhere.stand_in.asked().is_empty(), "a redirect was followed");
    assert_eq!(world.sts.stand_in.asked().len(), asked + 3, "it was asked more than once");
    // After all of that the use is still there for whoever asks again in time.
    world.sts.behave(Ways::Honest);
    let credential = once(&world.alice, &request).await.is(201);
    let shown = world.alice.client.request(&request.id).await.unwrap();
    assert_eq!((shown.credentials.len(), &shown.credentials[0].id), (1, &credential.str("id")));
}

#[tokio::test]
async fn t66_a_token_that_sts_repeats_is_not_told() {
    let world = World::start().await;
    let request = world.file("free").await;
    let (key, wanted) = (fresh_key(), wanted());
    let mint = || world.alice.client.mint(&request.id, &wanted, &key);
    world.sts.behave(Ways::HangingUp);
    mint().await.unwrap_err();
    world.sts.behave(Ways::Honest);
    mint().await.unwrap();
    let token = world.sts.sessions()[0].token.clone();
    let message = format!("InvalidIdentityToken {token} for you");
    world.sts.behave(Ways::Saying(refused("InvalidIdentityToken", &message)));
    let refused = mint().await.unwrap_err();
    for part in token.split('.') {
        assert!(!refused.message.contains(&part[..36]), "{refused}");
    }
    assert!(refused.message.contains("InvalidIdentityToken"), "{refused}");
}

#[tokio::test]
async fn t66_no_secret_of_a_session_is_kept_or_logged() {
    let folder = tempfile::tempdir().unwrap();
    let log = crate::canary::Tape::listening();
    let sts = Sts::start(|| BEGINNING, None).await;
    let server = Server::on_file_set_up(&folder.path().join("ledger.sqlite"), setup(&sts)).await;
    sts.trusts(server.base());
    let alice = server.person("alice").await;
    let request = file(&alice, "free", "orders-eu").await;
    let minted = open(&alice, &request).await.unwrap();
    assert!(!format!("{minted:?}").contains("canary"));
    alice.client.complete(&request.id, &fresh_key()).await.unwrap();
    server.authority.close_due().await.unwrap();
    let token = only(&sts).token;
    let secrets = [
        minted.fields["secret_access_key"].clone(),
        minted.fields["session_token"].clone(),
        token.rsplit('.').next().unwrap().to_owned(),
    ];
    let entries = alice.get("/v1/audit/entries").await.is(200).text;
    let shown = alice.get(&format!("/v1/requests/{}", request.id)).await.is(200).text;
    assert!(entries.contains("broker_outlives") && shown.contains("aws-orders"));
    assert!(log.text().contains("TRACE"), "the log does not hold everything");
    let places = [
        ("the audit log", entries),
        ("the request", shown),
        ("the log", log.text()),
        ("the authority's Debug", format!("{:?}", server.authority)),
    ];
    for secret in &secrets {
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for (place, text) in &places {
            let found = text.contains(secret.as_str()) || text.contains(&encoded);
            assert!(!found, "a secret is in {place}");
        }
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let file = entry.unwrap().path();
            let bytes = std::fs::read(&file).unwrap();
            let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "a secret is in {}", file.display());
        }
    }
}
