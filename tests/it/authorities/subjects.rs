//! What one authority grants, presented to another: who is let in by it, what for, and until when.

use assent_client::{ClientError, ErrorKind, Secret};
use assent_core::time::Span;

use super::*;

/// What our side says of credentials of theirs; where it lists them as partners, it asks them.
fn ours_of(theirs: &str, ours: &str, partners: bool) -> String {
    let partners = match partners {
        false => String::new(),
        true => format!(
            "
authorities:
  payments:
    issuer: {theirs}
    controls: [{{kinds: [terraform.*], environments: [production]}}]
"
        ),
    };
    format!(
        "
apiVersion: assent/v1
kind: Policy
groups:
  release-managers: [person:bob, person:carol]
{partners}
trusts:
  deployer:
    issuer: {theirs}
    audience: {ours}
    shape: assent
    claims: {{client_id: dora, environment: production, kind: terraform.apply}}
    may_ask: {{kinds: [terraform.apply], environments: [production]}}
rules:
  - id: production
    when: {{intent.environment: production}}
    require:
      stages: [{{name: release, approvals: 1, from: [group:release-managers]}}]
      credential: {{max_ttl: 15m, grant_window: 1h}}
"
    )
}

/// Their side: who may have a credential for us, and that we may ask them about it.
fn theirs_of(ours: &str, theirs: &str) -> String {
    format!(
        "
apiVersion: assent/v1
kind: Policy
trusts:
  platform:
    issuer: {ours}
    audience: {theirs}
    shape: assent-authority
    claims: {{sub: 'assent:authority'}}
    may_ask: {{kinds: [assent.endorsement], environments: [production]}}
rules:
  - id: everywhere
    allow: {{credential: {{max_ttl: 5m, uses: 3, audiences: [{ours}, https://elsewhere.example]}}}}
"
    )
}

/// A credential of five minutes is over, and so is the minute by which clocks may differ.
const OVER: Span = Span::minutes(6);

/// Two servers: what dora is granted at theirs lets her robot in at ours.
struct Two {
    us: Server,
    them: Option<Server>,
    dora: Caller,
}

impl Two {
    async fn start(partners: bool) -> Self {
        let (us, mut them) = (Remains::fresh(), Remains::fresh());
        them.time = us.time.clone();
        let (our_base, their_base) = (us.base(), them.base());
        let them = Server::placed(them, setup(&theirs_of(&our_base, &their_base))).await;
        let us = Server::placed(us, setup(&ours_of(&their_base, &our_base, partners))).await;
        let dora = them.person("dora").await;
        Self { us, them: Some(them), dora }
    }

    fn them(&self) -> &Server {
        self.them.as_ref().unwrap()
    }

    /// What this person is granted at theirs, in this environment and for this audience.
    async fn granted(&self, who: &Caller, environment: &str, audience: &str) -> wire::Credential {
        let filed = who.client.file(&filing(environment, "at theirs"), &fresh_key()).await.unwrap();
        let audience = audience.to_owned();
        let wanted = wire::MintRequest { audience, ..wire::MintRequest::default() };
        who.client.mint(&filed.id, &wanted, &fresh_key()).await.unwrap()
    }

    /// A credential of dora's for us.
    async fn credential(&self) -> wire::Credential {
        self.granted(&self.dora, "production", self.us.base()).await
    }

    async fn let_in(&self, credential: &wire::Credential) -> Result<Caller, ClientError> {
        let subject = Secret::new(credential.token.clone());
        let fresh = self.us.stranger().client.exchange(&subject).await?;
        Ok(self.us.holder_of(fresh.token.expose()))
    }

    #[track_caller]
    fn refused(&self, what: &str, answer: Result<Caller, ClientError>) {
        let error = answer.map(|_| what.to_owned()).unwrap_err();
        let found = (error.kind, error.code());
        assert_eq!(found, (ErrorKind::Unauthorized, Some("invalid_grant")), "{what}: {error}");
    }
}

#[tokio::test]
async fn what_one_authority_grants_lets_its_holder_ask_at_another() {
    for partners in [false, true] {
        let two = Two::start(partners).await;
        let credential = two.credential().await;
        let robot = two.let_in(&credential).await.unwrap();
        let who = robot.client.whoami().await.unwrap().principal;
        assert_eq!((who.iss.as_str(), who.kind), (two.them().base(), wire::Kind::Workload));
        assert_eq!(who.sub, "requester:dora");
        let filed = filing("production", "as granted elsewhere");
        let filed = robot.client.file(&filed, &fresh_key()).await.unwrap();
        assert_eq!(filed.state, "pending", "their grant decides nothing here");
        let behind = &filed.requester.acts_for;
        assert!(behind.iter().any(|who| who.sub == "dora" && who.iss == two.them().base()));
        approve(&two.us.person("bob").await, &filed).await.unwrap();
        let minted = mint(&robot, &filed).await.unwrap();
        let token = Secret::new(minted.token);
        assert!(robot.client.introspect(&token).await.unwrap().active);
        // What was minted here is nothing there, and the other way round.
        assert!(!two.dora.client.introspect(&token).await.unwrap().active);
        assert!(two.us.holder_of(&credential.token).client.whoami().await.is_err());
        holds_together(&two.us).await;
    }
}

#[tokio::test]
async fn t24_t25_what_is_for_another_audience_environment_kind_or_person_lets_nobody_in() {
    let two = Two::start(true).await;
    let us = two.us.base().to_owned();
    for (what, environment, audience) in [
        ("another audience", "production", "https://elsewhere.example"),
        ("another environment", "staging", us.as_str()),
    ] {
        let credential = two.granted(&two.dora, environment, audience).await;
        two.refused(what, two.let_in(&credential).await);
    }
    let mallory = two.them().person("mallory").await;
    let credential = two.granted(&mallory, "production", &us).await;
    two.refused("somebody else's", two.let_in(&credential).await);
    let mut other = filing("production", "another kind");
    "database.session".clone_into(&mut other.intent.kind);
    let filed = two.dora.client.file(&other, &fresh_key()).await.unwrap();
    let wanted = wire::MintRequest { audience: us.clone(), ..wire::MintRequest::default() };
    let credential = two.dora.client.mint(&filed.id, &wanted, &fresh_key()).await.unwrap();
    two.refused("another kind", two.let_in(&credential).await);
    // What dora may ask here ends with the trust, whatever she may do there.
    let robot = two.let_in(&two.credential().await).await.unwrap();
    let error = robot.client.file(&filing("staging", "r"), &fresh_key()).await.unwrap_err();
    assert_eq!(error.code(), Some("outside_trust"));
    let entries = two.us.administrator().await.client.entries(0).await.unwrap().entries;
    let let_in = entries.iter().filter(|entry| entry.event.get("exchanged").is_some());
    assert_eq!(let_in.count(), 1);
}

#[tokio::test]
async fn t25_a_credential_that_has_expired_or_whose_key_was_revoked_lets_nobody_in() {
    for partners in [false, true] {
        let two = Two::start(partners).await;
        let credential = two.credential().await;
        two.let_in(&credential).await.unwrap();
        two.us.time().pass(OVER);
        two.refused("expired", two.let_in(&credential).await);
        // A key that is revoked there takes what it signed with it, once our copy is too old.
        let credential = two.credential().await;
        let root = two.them().administrator().await;
        let key = root.client.signing_keys().await.unwrap().keys;
        let key = key.iter().find(|key| key.stage == "signing").unwrap();
        root.client.revoke_key(&key.id, "leaked", &fresh_key()).await.unwrap();
        two.us.time().pass(Span::minutes(5));
        two.refused("of a revoked key", two.let_in(&credential).await);
    }
}

#[tokio::test]
async fn what_was_taken_back_there_lets_nobody_in_where_they_are_partners() {
    let mut two = Two::start(true).await;
    let credential = two.credential().await;
    two.let_in(&credential).await.unwrap();
    two.dora.client.revoke_credential(&credential.id, &fresh_key()).await.unwrap();
    two.refused("revoked", two.let_in(&credential).await);
    // A trial says the same, and why.
    let root = two.us.administrator().await;
    let fresh = two.credential().await;
    let trial = async |credential: &wire::Credential| {
        let body = serde_json::json!({"token": credential.token});
        root.post("/v1/trusts/check", &body).await.is(200).json()
    };
    let tried = trial(&credential).await;
    assert_eq!(tried["accepted"], false, "{tried}");
    assert!(tried.to_string().contains("taken back there"), "{tried}");
    assert_eq!(trial(&fresh).await["accepted"], true);
    // Who cannot be asked whether it stands is not taken at an old word.
    two.them.take().unwrap().stop().await;
    let error = two.let_in(&fresh).await.err().unwrap();
    assert_eq!(
        (error.kind, error.code()),
        (ErrorKind::Unavailable, Some("temporarily_unavailable"))
    );
    assert!(error.message.contains("still stands"), "{error}");
}

#[tokio::test]
async fn where_they_are_no_partners_what_they_signed_counts_until_it_expires() {
    let two = Two::start(false).await;
    let credential = two.credential().await;
    two.dora.client.revoke_credential(&credential.id, &fresh_key()).await.unwrap();
    two.let_in(&credential).await.unwrap();
    let asked = two.them().administrator().await.client.entries(0).await.unwrap().entries;
    assert!(asked.iter().all(|entry| entry.event.get("exchanged").is_none()), "nobody asked");
    two.us.time().pass(OVER);
    two.refused("expired", two.let_in(&credential).await);
}
