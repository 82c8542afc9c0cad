//! Two organisations, each with an authority of its own: what is done in one is reviewed in the other.

mod between;
mod guide;
mod killed;
mod large;
mod lying;
mod refused;
mod silent;
mod subjects;

use assent_client::wire;
use assent_core::request::{AbroadFact, Fact, Request};
use assent_core::time::Span;
use assent_core::wire::event_from_json;
use assent_server::issuers::Reach;
use assent_server::policy::Source;

use crate::support::{
    Caller, Remains, Server, Setup, approve, deny, documents, filing, fresh_key, mint, sent,
};

/// The policy of the organisation that acts.
fn ours(theirs: &str, more: &str) -> String {
    format!(
        "
apiVersion: assent/v1
kind: Policy
groups:
  release-managers: [person:bob, person:carol]
authorities:
  payments:
    issuer: {theirs}
    controls:
      - {{kinds: [terraform.*], environments: [production], target: {{workspace: pay*}}}}
    people: {{rob: person:bob}}
    {more}
rules:
  - id: ours
    when: {{intent.environment: production}}
    require:
      stages:
        - {{name: release, approvals: 1, from: [group:release-managers]}}
        - {{name: payments, approvals: 1, from: [{{authority: payments}}]}}
      request_expires: 4h
      credential: {{max_ttl: 15m, grant_window: 1h}}
"
    )
}

/// The policy of the organisation whose things are acted on.
fn theirs(ours: &str, theirs: &str) -> String {
    format!(
        "
apiVersion: assent/v1
kind: Policy
groups:
  owners: [person:olga, person:oscar, person:rob, person:alicia]
trusts:
  platform:
    issuer: {ours}
    audience: {theirs}
    shape: assent-authority
    claims: {{sub: 'assent:authority'}}
    people: {{alice: person:alicia}}
    may_ask: {{kinds: [assent.endorsement], environments: [production]}}
rules:
  - id: owners
    when: {{intent.kind: assent.endorsement, intent.target.kind: terraform.apply, intent.target.workspace: payments}}
    require:
      stages: [{{name: owners, approvals: 1, from: [group:owners]}}]
      request_expires: 2h
      credential: {{max_ttl: 15m, grant_window: 1h, audiences: [{ours}]}}
"
    )
}

/// Two authorities that know each other, and one clock.
struct World {
    us: Server,
    them: Option<Server>,
    theirs: Remains,
    alice: Caller,
    bob: Caller,
}

fn reach() -> Reach {
    Reach { loopback: true, ..Reach::default() }
}

fn setup(text: &str) -> Setup {
    Setup { source: Source::Given(documents(text)), reach: reach(), ..Setup::default() }
}

impl World {
    async fn new() -> Self {
        Self::with("").await
    }

    /// With more in our entry for them.
    async fn with(more: &str) -> Self {
        let (us, mut them) = (Remains::fresh(), Remains::fresh());
        them.time = us.time.clone();
        let (our_base, their_base) = (us.base(), them.base());
        let them = Server::placed(them, setup(&theirs(&our_base, &their_base))).await;
        let us = Server::placed(us, setup(&ours(&their_base, more))).await;
        let (alice, bob) = (us.person("alice").await, us.person("bob").await);
        Self { theirs: them.remains.clone(), us, them: Some(them), alice, bob }
    }

    fn them(&self) -> &Server {
        self.them.as_ref().unwrap()
    }

    async fn errands(&self) -> usize {
        self.us.authority.run_errands().await.unwrap()
    }

    async fn now(&self, id: &str) -> wire::Request {
        self.alice.client.request(id).await.unwrap()
    }

    /// A request whose stage over there is asked.
    async fn asked(&self, reason: &str) -> (wire::Request, wire::Request) {
        let filed = self.alice.client.file(&filing("production", reason), &fresh_key()).await;
        let filed = filed.unwrap();
        approve(&self.bob, &filed).await.unwrap();
        self.errands().await;
        let shown = self.now(&filed.id).await;
        let to = shown.stages[1].elsewhere.clone().unwrap();
        assert_eq!(to.status, "asked");
        let olga = self.them().person("olga").await;
        let there = olga.client.request(to.request.as_deref().unwrap()).await.unwrap();
        (shown, there)
    }

    /// One that was approved on both sides.
    async fn approved(&self, reason: &str) -> (wire::Request, wire::Request) {
        let (shown, there) = self.asked(reason).await;
        let there = approve(&self.them().person("olga").await, &there).await.unwrap();
        self.errands().await;
        (self.now(&shown.id).await, there)
    }

    async fn there(&self, id: &str) -> wire::Request {
        self.them().person("olga").await.client.request(id).await.unwrap()
    }

    /// The request as its entries in our audit log tell it, checked as anybody would.
    async fn replayed(&self, id: &str) -> (Request, Vec<assent_core::request::Event>) {
        let entries = self.us.authority.ledger().entries(0, 1000).await.unwrap();
        let events = entries.iter().filter_map(|entry| event_from_json(entry).ok());
        let events: Vec<_> = events.filter(|event| event.request.to_string() == id).collect();
        (Request::replay(&events).unwrap(), events)
    }
}

/// The audit log of a server proves itself, to whoever reads it.
async fn holds_together(server: &Server) {
    let root = server.administrator().await;
    let (mut history, mut next) = (wire::History::default(), 0);
    let checkpoint = root.client.checkpoint().await.unwrap();
    while next < checkpoint.size {
        for entry in root.client.entries(next).await.unwrap().entries {
            history.read(&entry).unwrap();
            next += 1;
        }
    }
    history.finish(&checkpoint).unwrap();
}

#[tokio::test]
async fn a_stage_is_reviewed_in_the_other_organisation() {
    let world = World::new().await;
    let (shown, there) = world.asked("ship it").await;

    // Over there they see the whole intent, who asks, and for whom.
    assert_eq!(there.intent.kind, "assent.endorsement");
    assert_eq!(there.intent.target["authority"], world.us.base());
    assert_eq!(there.intent.target["workspace"], "payments");
    assert_eq!(there.intent.digest.as_deref(), Some(shown.digest.as_str()));
    let whole = serde_json::to_value(&shown.intent).unwrap();
    assert_eq!(there.intent.context["intent"], whole);
    assert_eq!(there.intent.context["url"], shown.url);
    let behind: Vec<_> = there.requester.acts_for.iter().map(|who| who.sub.as_str()).collect();
    assert!(behind.contains(&"alice") && behind.contains(&"alicia"), "{behind:?}");

    approve(&world.them().person("olga").await, &there).await.unwrap();
    world.errands().await;
    let shown = world.now(&shown.id).await;
    assert_eq!(shown.state, "approved");
    let olga = format!("{}#olga", world.them().base());
    assert!(shown.approved_by.contains(&olga), "{:?}", shown.approved_by);
    let credential = mint(&world.alice, &shown).await.unwrap();
    assert!(credential.claims["approved_by"].as_array().unwrap().iter().any(|who| *who == olga));

    // When all is over here, they know.
    world.alice.client.complete(&shown.id, &fresh_key()).await.unwrap();
    world.errands().await;
    assert_eq!(world.there(&there.id).await.credentials[0].status, "completed");
    assert_eq!(world.errands().await, 0, "nothing is left to be done");
}

#[tokio::test]
async fn t53_the_record_proves_the_endorsement_and_any_other_word_in_it_is_found() {
    let world = World::new().await;
    let (shown, _) = world.approved("prove it").await;
    let (replayed, events) = world.replayed(&shown.id).await;
    assert_eq!(replayed.state().word(), "approved");
    let at = events.iter().position(|event| {
        matches!(&event.fact, Fact::Abroad { what: AbroadFact::Endorsed { .. }, .. })
    });
    let at = at.unwrap();
    let changed = |change: fn(&mut assent_core::endorsement::Endorsement, &mut String)| {
        let mut events = events.clone();
        if let Fact::Abroad { what: AbroadFact::Endorsed { endorsement, evidence }, .. } =
            &mut events[at].fact
        {
            change(endorsement, &mut evidence.token);
        }
        Request::replay(&events).map(drop)
    };
    assert!(changed(|_, _| {}).is_ok());
    assert!(changed(|e, _| drop(e.approved_by.pop_first())).is_err());
    assert!(changed(|e, _| e.request = assent_core::id::RequestId::from_bytes([9; 16])).is_err());
    assert!(changed(|_, token| token.replace_range(token.len() - 4.., "AAAA")).is_err());
    // And without it, the approval does not hold.
    let mut without = events.clone();
    without.remove(at);
    assert!(Request::replay(&without).is_err());
}

#[tokio::test]
async fn a_denial_there_is_one_here() {
    let world = World::new().await;
    let (shown, there) = world.asked("no").await;
    deny(&world.them().person("olga").await, &there).await.unwrap();
    world.errands().await;
    let shown = world.now(&shown.id).await;
    assert_eq!(shown.state, "denied");
    let ending = shown.ending.unwrap();
    assert_eq!(ending.by.as_deref(), Some("authority:payments"));
    assert!(ending.reason.contains("olga") && ending.reason.contains("as discussed"), "{ending:?}");
    world.replayed(&shown.id).await;
    world.errands().await;
    assert_eq!(world.errands().await, 0);
}

#[tokio::test]
async fn what_is_canceled_here_is_canceled_there() {
    let world = World::new().await;
    let (shown, there) = world.asked("never mind").await;
    world.alice.client.cancel(&shown.id, "never mind", &fresh_key()).await.unwrap();
    world.errands().await;
    let there = world.there(&there.id).await;
    assert_eq!(there.state, "canceled");
    assert!(there.ending.unwrap().reason.contains(world.us.base()));
    assert_eq!(world.errands().await, 0);
}

#[tokio::test]
async fn what_is_revoked_here_is_revoked_there_and_what_expires_too() {
    let world = World::new().await;
    let (shown, there) = world.approved("taken back").await;
    world.alice.client.revoke(&shown.id, "wrong window", &fresh_key()).await.unwrap();
    world.errands().await;
    assert_eq!(world.there(&there.id).await.credentials[0].status, "revoked");

    let (shown, there) = world.asked("too late").await;
    world.us.time().pass(Span::hours(2));
    world.us.authority.sweep().await.unwrap();
    world.errands().await;
    let (shown, there) = (world.now(&shown.id).await, world.there(&there.id).await);
    assert_eq!((shown.state.as_str(), there.state.as_str()), ("denied", "expired"));
}

#[tokio::test]
async fn what_is_taken_back_there_ends_the_grant_before_its_use_and_its_credentials_after() {
    let world = World::new().await;
    let olga = world.them().person("olga").await;
    let (shown, there) = world.approved("before").await;
    olga.client.revoke(&there.id, "we were wrong", &fresh_key()).await.unwrap();
    let error = mint(&world.alice, &shown).await.unwrap_err();
    assert_eq!(error.code(), Some("no_longer_approved"), "{error}");
    assert_eq!(world.now(&shown.id).await.state, "revoked");

    let (shown, there) = world.approved("after").await;
    let credential = mint(&world.alice, &shown).await.unwrap();
    let token = assent_client::Secret::new(credential.token.clone());
    assert!(world.alice.client.introspect(&token).await.unwrap().active);
    world.errands().await;
    assert!(world.alice.client.introspect(&token).await.unwrap().active);
    olga.client.revoke(&there.id, "we were wrong", &fresh_key()).await.unwrap();
    world.errands().await;
    assert!(!world.alice.client.introspect(&token).await.unwrap().active);
    world.replayed(&shown.id).await;
}

#[tokio::test]
async fn whoever_is_away_is_asked_again_and_nothing_is_minted_meanwhile() {
    let mut world = World::new().await;
    let filed = filing("production", "while they are away");
    let filed = world.alice.client.file(&filed, &fresh_key()).await.unwrap();
    let them = world.them.take().unwrap();
    let (ledger, their_setup) = (them.ledger(), setup(&theirs(world.us.base(), them.base())));
    them.stop().await;
    approve(&world.bob, &filed).await.unwrap();
    assert_eq!(world.errands().await, 1);
    let shown = world.now(&filed.id).await;
    assert_eq!((shown.state.as_str(), shown.stages[1].counted.len()), ("pending", 0));
    let problems = world.us.authority.problems_abroad(filed.id.parse().unwrap());
    assert_eq!(problems.len(), 1, "people are told why it takes long");
    assert_eq!(world.errands().await, 0, "it is left alone for a while");

    world.them = Some(Server::placed_on(ledger, world.theirs.clone(), their_setup).await);
    world.us.time().pass(Span::seconds(2));
    assert_eq!(world.errands().await, 1);
    let shown = world.now(&filed.id).await;
    let there = shown.stages[1].elsewhere.clone().unwrap().request.unwrap();
    let there = world.there(&there).await;
    approve(&world.them().person("olga").await, &there).await.unwrap();
    world.errands().await;
    let shown = world.now(&filed.id).await;
    assert_eq!(shown.state, "approved");
    world.them.take().unwrap().stop().await;
    let error = mint(&world.alice, &shown).await.unwrap_err();
    assert_eq!(error.code(), Some("partner_away"), "{error}");
    assert_eq!(world.now(&shown.id).await.state, "approved", "nothing was spent");
}

#[tokio::test]
async fn t29_a_key_that_was_replaced_there_is_found() {
    let world = World::new().await;
    let (first, _) = world.approved("with the first key").await;
    let (shown, there) = world.asked("with the second").await;
    let wanted = wire::NewKey { at_once: true, ..wire::NewKey::default() };
    let root = world.them().administrator().await;
    root.client.make_key(&wanted, &fresh_key()).await.unwrap();
    approve(&world.them().person("olga").await, &there).await.unwrap();
    world.errands().await;
    assert_eq!(world.now(&shown.id).await.state, "pending", "its keys were looked at just now");
    world.us.time().pass(Span::minutes(2));
    world.errands().await;
    assert_eq!(world.now(&shown.id).await.state, "approved");
    // What the first key signed is proven by what is on record.
    world.replayed(&first.id).await;
    world.replayed(&shown.id).await;
}

#[tokio::test]
async fn the_policies_of_the_guide_work_together() {
    let read = |name: &str| {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let path = root.join("examples/two-organisations").join(name);
        std::fs::read_to_string(path).unwrap()
    };
    let (us, them) = (Remains::fresh(), Remains::fresh());
    let placed = |text: &str| {
        text.replace("https://assent.platform.example", &us.base())
            .replace("https://assent.payments.example", &them.base())
    };
    let (our_rules, their_rules) = (placed(&read("platform.yaml")), placed(&read("payments.yaml")));
    for text in [&our_rules, &their_rules] {
        let findings = assent_core::policy::Policy::lint(&documents(text), None).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
    }
    let them = Server::placed(them, setup(&their_rules)).await;
    let us = Server::placed(us, setup(&our_rules)).await;
    let (alice, bob, olga) =
        (us.person("alice").await, us.person("bob").await, them.person("olga").await);
    let filed = alice.client.file(&filing("production", "as shown"), &fresh_key()).await.unwrap();
    us.authority.run_errands().await.unwrap();
    approve(&bob, &filed).await.unwrap();
    let shown = alice.client.request(&filed.id).await.unwrap();
    let to = shown.stages.iter().find_map(|stage| stage.elsewhere.clone()).unwrap();
    let there = olga.client.request(to.request.as_deref().unwrap()).await.unwrap();
    let error = approve(&them.person("alicia").await, &there).await.unwrap_err();
    assert_eq!(error.code(), Some("self_approval"));
    approve(&olga, &there).await.unwrap();
    us.authority.run_errands().await.unwrap();
    let shown = alice.client.request(&filed.id).await.unwrap();
    assert_eq!(shown.state, "approved");
    mint(&alice, &shown).await.unwrap();
}

/// The page of a request, as this person's browser gets it.
async fn page(server: &Server, person: &str, id: &str) -> String {
    let (_, code) = server.authority.seed_person(person).await.unwrap();
    let door = format!("/login/{}", code.expose());
    let stranger = server.stranger();
    let answer = sent(stranger.call("POST", &door).header("origin", server.base())).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap().to_owned();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    sent(stranger.call("GET", &format!("/requests/{id}")).header("cookie", cookie)).await.text
}

#[tokio::test]
async fn both_pages_say_who_asks_whom() {
    let world = World::new().await;
    let (shown, there) = world.asked("for the page").await;
    let here = page(&world.us, "dora", &shown.id).await;
    assert!(here.contains("is asked; its people decide there"), "{here}");
    assert!(here.contains(&format!("{}/requests/{}", world.them().base(), there.id)), "{here}");
    let there = page(world.them(), "olga", &there.id).await;
    assert!(there.contains("Another organisation asks"), "{there}");
    assert!(there.contains("Apply Terraform to production: workspace payments"), "{there}");
    assert!(there.contains(world.us.base()) && there.contains("behind it: alice"), "{there}");
}
