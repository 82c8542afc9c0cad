//! One person, accounts at two providers.

use assent_core::time::Span;
use assent_server::issuers::Reach;
use assent_server::policy::Source;
use serde_json::json;

use super::world::{Browser, POLICY, World, oidc, settings};
use crate::support::{Provider, Remains, Server, Setup, documents};

/// A server of which the people of two companies are.
pub(super) struct Two {
    pub(super) world: World,
    pub(super) other: Provider,
}

impl Two {
    pub(super) async fn start() -> Self {
        Self::found_at(None).await
    }

    /// The same, found by this name of the machine's.
    pub(super) async fn found_at(host: Option<&str>) -> Self {
        let remains = Remains::fresh();
        let public = host.map(|host| format!("http://{host}:{}", remains.address.port()));
        let base = public.clone().unwrap_or_else(|| remains.base());
        let mut provider = Provider::start(0, &remains.time).await;
        let mut other = Provider::start(0, &remains.time).await;
        provider.client(&format!("{base}/login/corp/callback")).await;
        other.client(&format!("{base}/login/lab/callback")).await;
        for name in ["bob", "carol", "root"] {
            let groups = if name == "root" { "admins" } else { "release-managers" };
            provider.person(&json!({"sub": name, "groups": [groups]})).await;
        }
        for name in ["bob", "robert", "carola"] {
            other.person(&json!({"sub": name})).await;
        }
        let lab = format!(
            "  lab: {{type: oidc, issuer: '{}', client_id: assent, client_secret_env: SECRET}}\n",
            other.url
        );
        let sign_in = settings(&format!(
            "providers:\n{}{lab}administrators: ['group:admins']\n",
            oidc("corp", &provider.url)
        ));
        let reach = Reach { loopback: true, ..Reach::default() };
        let source = Source::Given(documents(POLICY));
        let setup = Setup { sign_in, reach, source, public, ..Setup::default() };
        let server = Server::placed(remains, setup).await;
        Self { world: World { server, provider }, other }
    }

    /// Links the account of this name at the other provider.
    pub(super) async fn link(&self, browser: &mut Browser, who: &str) -> crate::support::Answer {
        let fields = [("provider", "lab")];
        let page = browser.form("/settings/accounts", "/settings/accounts/link", &fields).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let to = page.text.split("class=\"button approve\" href=\"").nth(1).unwrap();
        let to = to.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
        browser.leave_providers();
        let back = browser.at_provider(&to, who).await;
        browser.follow(&back).await
    }

    /// Files as this person of the other provider.
    async fn filed_by(&self, who: &str, environment: &str) -> String {
        let mut theirs = self.world.browser();
        theirs.sign_in("lab", who).await.is(303);
        let form = [("name", "cli"), ("scope", "request"), ("expires_after", "24h")];
        let page = theirs.form("/settings/tokens", "/settings/tokens", &form).await.is(200).text;
        let token = page.split("<pre>").nth(1).unwrap().split('<').next().unwrap().to_owned();
        let intent = json!({
            "kind": "terraform.apply", "environment": environment, "reason": "mine",
        });
        let holder = self.world.server.holder_of(&token);
        holder.post("/v1/requests", &json!({"intent": intent})).await.is(201).str("id")
    }
}

#[tokio::test]
async fn t08_whoever_signs_in_by_two_accounts_does_not_approve_their_own() {
    let two = Two::start().await;
    let id = two.filed_by("robert", "one").await;
    // Who bob is at the other provider is not known: he may be robert.
    let mut bob = two.world.signed_in("bob").await;
    let answer = bob.decide(&id, "approve").await.is(403);
    assert!(answer.text.contains("not known"), "{}", answer.text);
    two.link(&mut bob, "robert").await.is(303);
    let answer = bob.decide(&id, "approve").await.is(403);
    assert!(answer.text.contains("behind this request"), "{}", answer.text);
    // Another person, who is known there as somebody else, may.
    let mut carol = two.world.signed_in("carol").await;
    two.link(&mut carol, "carola").await.is(303);
    carol.decide(&id, "approve").await.is(303);
    let page = bob.get("/settings/accounts").await.text;
    assert!(page.contains(&format!("{}#robert", two.other.url)), "{page}");
}

#[tokio::test]
async fn t08_whoever_has_linked_cannot_change_that_and_an_undone_link_ties_for_ever() {
    let two = Two::start().await;
    let mut bob = two.world.signed_in("bob").await;
    two.link(&mut bob, "robert").await.is(303);
    // Neither another account of the same provider, nor the same account for somebody else.
    let again = two.link(&mut bob, "bob").await;
    assert_eq!(again.status, 409, "{}", again.text);
    let mut carol = two.world.signed_in("carol").await;
    let taken = two.link(&mut carol, "robert").await;
    assert_eq!(taken.status, 409, "{}", taken.text);
    // Only an administrator undoes it.
    let (person, account) =
        (format!("{}#bob", two.world.provider.url), format!("{}#robert", two.other.url));
    let fields = [("person", person.as_str()), ("account", account.as_str())];
    bob.form("/settings/accounts", "/admin/people/unlink", &fields).await.is(403);
    let mut root = two.world.signed_in("root").await;
    root.form("/admin/people", "/admin/people/unlink", &fields).await.is(303);
    assert!(root.get("/admin/people").await.text.contains("the two stay tied"));
    // He links another account now, and still is behind what the first one asks.
    two.link(&mut bob, "bob").await.is(303);
    let id = two.filed_by("robert", "one").await;
    let answer = bob.decide(&id, "approve").await.is(403);
    assert!(answer.text.contains("behind this request"), "{}", answer.text);
}

#[tokio::test]
async fn t08_linking_needs_a_sign_in_of_just_now_at_the_first() {
    let mut two = Two::start().await;
    let mut bob = two.world.signed_in("bob").await;
    two.world.server.time().pass(Span::minutes(6));
    two.world.provider.keep_time(two.world.server.time()).await;
    two.other.keep_time(two.world.server.time()).await;
    let page = bob.get("/settings/accounts").await.is(200).text;
    assert!(page.contains("sign in again") && !page.contains("Link your account"), "{page}");
    let fields = [("provider", "lab")];
    bob.form("/settings/accounts", "/settings/accounts/link", &fields).await.is(403);
    bob.sign_in_again("corp", "bob", "/settings/accounts").await.is(303);
    two.link(&mut bob, "bob").await.is(303);
}

#[tokio::test]
async fn t08_t13_two_reviews_of_two_accounts_that_prove_to_be_one_persons_are_one() {
    let mut two = Two::start().await;
    two.other.person(&json!({"sub": "robert", "groups": ["release-managers"]})).await;
    let (ci, id) = two.world.filed("two").await;
    let mut bob = two.world.signed_in("bob").await;
    bob.decide(&id, "approve").await.is(303);
    let mut carol = two.world.signed_in("carol").await;
    two.link(&mut carol, "carola").await.is(303);
    two.link(&mut bob, "robert").await.is(303);
    // The other account has no word left.
    let mut robert = two.world.browser();
    robert.sign_in("lab", "robert").await.is(303);
    let answer = robert.decide(&id, "approve").await;
    assert_eq!(answer.status, 409, "{}", answer.text);
    assert_eq!(ci.client.request(&id).await.unwrap().state, "pending");
    carol.decide(&id, "approve").await.is(303);
    assert_eq!(ci.client.request(&id).await.unwrap().state, "approved");
}

#[tokio::test]
async fn t08_where_people_sign_in_whoever_is_known_here_alone_reviews_nothing() {
    let rule = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
defaults: {unlinked_reviewers: CHOICE}
groups:
  release-managers: {identity: true}
rules:
  - id: one
    when: {intent.environment: one}
    require:
      stages: [{name: release, approvals: 2, from: ['person:root', group:release-managers]}]
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h}
";
    for (choice, people, status) in [
        ("forbid", "", 403),
        // Known somewhere, and not where people sign in.
        ("forbid", "people: {root: {github: '1001'}}\n", 403),
        ("allow", "", 200),
    ] {
        let (remains, setup) = (Remains::fresh(), Setup::default());
        let rule =
            rule.replace("CHOICE", choice).replace("groups:\n", &format!("{people}groups:\n"));
        let world = World::governed(remains, setup, &rule, "").await;
        let (ci, id) = world.filed("one").await;
        // Who root of the first start is where people sign in, nobody knows: bob, perhaps.
        let root = world.server.administrator().await;
        let digest = ci.client.request(&id).await.unwrap().digest;
        let review = json!({"verdict": "approve", "comment": "", "digest": digest});
        let answer = root.post(&format!("/v1/requests/{id}/reviews"), &review).await;
        assert_eq!(answer.status, status, "{choice} {people}: {}", answer.text);
        if status == 403 {
            answer.refuses(403, "local_reviewer");
        }
        world.signed_in("bob").await.decide(&id, "approve").await.is(303);
    }
}
