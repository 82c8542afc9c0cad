//! Decisions that want a better sign-in: led to one, met by one, and told where none can be.

use assent_core::time::Span;
use serde_json::json;

use super::hostile::Liar;
use super::world::{Browser, World};
use crate::support::passkey::Soft;
use crate::support::{Answer, Remains, Setup};

/// Rules that want classes and methods, beside those of all.
const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
groups:
  release-managers: {identity: true}
rules:
  - id: strong
    when: {intent.environment: strong}
    require:
      stages:
        - {name: release, approvals: 1, from: [group:release-managers],
           acr: ['urn:corp:strong', 'urn:corp:stronger'], login_within: 10m}
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h}
  - id: key
    when: {intent.environment: key}
    require:
      stages: [{name: release, approvals: 1, from: [group:release-managers], amr: [hwk, otp]}]
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h}
";

async fn world() -> World {
    let remains = Remains::fresh();
    let public = format!("http://localhost:{}", remains.address.port());
    let setup = Setup { public: Some(public), ..Setup::default() };
    World::governed(remains, setup, POLICY, "").await
}

fn leads(answer: &Answer) -> String {
    answer.headers["location"].to_str().unwrap().to_owned()
}

impl Browser {
    /// The page to which a decision leads that wants a better sign-in.
    async fn told_to_step_up(&mut self, id: &str) -> String {
        let to = leads(&self.decide(id, "approve").await.is(303));
        assert!(to.starts_with("/login/again?"), "{to}");
        self.get(&to).await.is(200).text
    }

    /// Follows the button of this page to the provider, and comes back.
    async fn steps_up(&mut self, page: &str, who: &str) {
        let way =
            page.split("href=\"/login/corp/again?").nth(1).unwrap_or_else(|| panic!("{page}"));
        let way = way.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
        self.leave_providers();
        let to = self.led(&format!("/login/corp/again?{way}")).await;
        let back = self.at_provider(&to, who).await;
        self.follow(&back).await.is(303);
    }
}

async fn state(world: &World, id: &str) -> String {
    world.server.administrator().await.client.request(id).await.unwrap().state
}

#[tokio::test]
async fn a_sign_in_of_the_class_that_is_wanted_counts_and_what_is_wanted_is_said() {
    let mut world = world().await;
    let (_, id) = world.filed("strong").await;
    let mut bob = world.signed_in("bob").await;
    let page = bob.told_to_step_up(&id).await;
    let wanted = "at most 10 min ago of class urn:corp:strong or urn:corp:stronger";
    assert!(page.contains(wanted), "{page}");
    assert!(page.contains("Sign in again with corp") && !page.contains("/login/passkey/again"));
    // The provider is asked for just these classes.
    let way = page.split("href=\"/login/corp/again?").nth(1).unwrap();
    let way = way.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let to = bob.led(&format!("/login/corp/again?{way}")).await;
    assert!(to.contains("acr_values=urn%3Acorp%3Astrong+urn%3Acorp%3Astronger"), "{to}");
    let person = json!({
        "sub": "bob", "groups": ["release-managers"], "acr": "urn:corp:strong", "amr": ["pwd"],
    });
    world.provider.person(&person).await;
    bob.steps_up(&page, "bob").await;
    assert_eq!(leads(&bob.decide(&id, "approve").await.is(303)), format!("/requests/{id}"));
    assert_eq!(state(&world, &id).await, "approved");
    let log = world.server.ledger().entries(0, 200).await.unwrap();
    let reviewed = log.iter().find(|entry| entry["type"] == "reviewed").unwrap();
    assert_eq!(reviewed["acr"], "urn:corp:strong", "{reviewed}");
}

#[tokio::test]
async fn t65_whoever_was_not_helped_by_a_better_sign_in_is_not_sent_round_again() {
    let mut world = world().await;
    let (_, id) = world.filed("strong").await;
    let mut bob = world.signed_in("bob").await;
    let weak = json!({
        "sub": "bob", "groups": ["release-managers"], "acr": "urn:corp:weak", "amr": ["pwd"],
    });
    world.provider.person(&weak).await;
    let page = bob.told_to_step_up(&id).await;
    bob.steps_up(&page, "bob").await;
    let page = bob.told_to_step_up(&id).await;
    assert!(page.contains("class urn:corp:weak; methods pwd"), "{page}");
    assert!(page.contains("would change nothing") && page.contains("What to do"), "{page}");
    assert!(!page.contains("/login/corp/again"), "the same circle: {page}");
    // Something else that is wanted was not asked for by that sign-in.
    let other = bob.get("/login/again?acr=urn:corp:stronger").await.is(200).text;
    assert!(other.contains("Sign in again with corp"), "{other}");
    // What changed at the provider may be tried a little later.
    world.pass(Span::minutes(2)).await;
    let strong = json!({"sub": "bob", "groups": ["release-managers"], "acr": "urn:corp:strong"});
    world.provider.person(&strong).await;
    let page = bob.told_to_step_up(&id).await;
    bob.steps_up(&page, "bob").await;
    bob.decide(&id, "approve").await.is(303);
    assert_eq!(state(&world, &id).await, "approved");
}

#[tokio::test]
async fn a_sign_in_by_a_method_that_is_wanted_counts_also_a_passkeys() {
    let mut world = world().await;
    let (_, id) = world.filed("key").await;
    let (_, other) = world.filed("key").await;
    let mut bob = world.signed_in("bob").await;
    let page = bob.told_to_step_up(&id).await;
    assert!(page.contains("by hwk or otp") && page.contains("Sign in again with corp"), "{page}");
    bob.steps_up(&page, "bob").await;
    let page = bob.told_to_step_up(&id).await;
    assert!(page.contains("no class; methods pwd") && page.contains("Add a passkey"), "{page}");
    let soft = Soft::new(-7);
    bob.enrol(&soft).await.is(303);
    let page = bob.told_to_step_up(&id).await;
    assert!(page.contains("Use your passkey") && page.contains("/login/passkey/again"), "{page}");
    bob.prove_by(&soft).await.is(303);
    bob.decide(&id, "approve").await.is(303);
    assert_eq!(state(&world, &id).await, "approved");
    // By the provider's word, too.
    let person = json!({"sub": "carol", "groups": ["release-managers"], "amr": ["pwd", "otp"]});
    world.provider.person(&person).await;
    let mut carol = world.signed_in("carol").await;
    carol.decide(&other, "approve").await.is(303);
    assert_eq!(state(&world, &other).await, "approved");
}

#[tokio::test]
async fn t65_classes_and_methods_are_believed_only_as_they_are_to_be_written() {
    let liar = Liar::governed(POLICY).await;
    for (environment, claims, counts) in [
        ("strong", json!({"acr": "urn:corp:strong"}), true),
        ("strong", json!({"acr": "urn:corp:Strong"}), false),
        ("strong", json!({"acr": ["urn:corp:strong"]}), false),
        ("strong", json!({"acr": "urn:corp:strong urn:corp:weak"}), false),
        ("strong", json!({"amr": ["urn:corp:strong"]}), false),
        ("strong", json!({"acr": "urn:corp:strong", "auth_time": null}), false),
        ("key", json!({"amr": ["otp"]}), true),
        ("key", json!({"amr": ["OTP"]}), false),
        ("key", json!({"acr": "otp"}), false),
        ("key", json!({}), false),
    ] {
        let ci = liar.server.workload("ci", &[]).await;
        let reason = claims.to_string();
        let intent = json!({"kind": "k", "environment": environment, "reason": reason});
        let id = ci.post("/v1/requests", &json!({"intent": intent})).await.is(201).str("id");
        let (mut bob, answer) = liar.sign_in(json!({}), claims.clone()).await;
        assert_eq!(answer.status, 303, "{claims}: {}", answer.text);
        let answer = bob.decide(&id, "approve").await.is(303);
        assert_eq!(leads(&answer).starts_with("/requests/"), counts, "{claims}");
        let wanted = if counts { "approved" } else { "pending" };
        assert_eq!(ci.client.request(&id).await.unwrap().state, wanted, "{claims}");
    }
}
