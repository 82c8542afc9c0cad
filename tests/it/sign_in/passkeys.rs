//! Where passkeys and sign-in meet: when one may be enrolled, what a session is that one opened, proving
//! again who one is with one, and the provider's word on one.

use assent_core::passkey::Passkey;
use assent_core::principal::PrincipalId;
use assent_core::time::Span;
use assent_core::webauthn::PublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::hostile::Liar;
use super::world::{Browser, World};
use crate::support::passkey::{DEVICE_BOUND, Enrolled, SYNCED, Soft};
use crate::support::{Answer, sent};

const PAGE: &str = "/settings/passkeys";

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn challenge(begun: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(begun["challenge"].as_str().unwrap()).unwrap()
}

impl Browser {
    pub(super) async fn begin_enrolment(&mut self) -> Answer {
        self.form(PAGE, "/settings/passkeys/challenge", &[]).await
    }

    /// Makes a passkey as the script does.
    pub(super) async fn enrol(&mut self, soft: &Soft) -> Answer {
        let begun = self.begin_enrolment().await.is(200).json();
        let (made, client_data) = soft.register("localhost", &self.base, &challenge(&begun));
        let (made, client_data) = (text(&made), text(&client_data));
        let fields = [
            ("name", "key"),
            ("sealed", begun["sealed"].as_str().unwrap()),
            ("attestation", &made),
            ("client_data", &client_data),
        ];
        self.form(PAGE, PAGE, &fields).await
    }

    pub(super) async fn begin_passkey(&mut self, path: &str) -> Value {
        self.post(path, &[]).await.is(200).json()
    }

    /// Answers this challenge, by which somebody comes in or proves again who they are.
    async fn answer(&mut self, soft: &Soft, begun: &Value, path: &str) -> Answer {
        let (data, client_data, signature) = soft.sign("localhost", &self.base, &challenge(begun));
        let (credential, data) = (text(&soft.credential), text(&data));
        let (client_data, signature) = (text(&client_data), text(&signature));
        let fields = [
            ("sealed", begun["sealed"].as_str().unwrap()),
            ("credential_id", &credential),
            ("authenticator_data", &data),
            ("client_data", &client_data),
            ("signature", &signature),
            ("next", PAGE),
        ];
        self.form(PAGE, path, &fields).await
    }

    pub(super) async fn enter_by(&mut self, soft: &Soft) -> Answer {
        let begun = self.begin_passkey("/login/passkey/challenge").await;
        self.answer(soft, &begun, "/login/passkey").await
    }

    pub(super) async fn prove_by(&mut self, soft: &Soft) -> Answer {
        let begun = self.begin_passkey("/login/passkey/again/challenge").await;
        self.answer(soft, &begun, "/login/passkey/again").await
    }

    async fn is_in(&mut self) -> bool {
        self.get("/settings").await.status == 200
    }

    /// The id of the one passkey on the page.
    async fn only_passkey(&mut self) -> String {
        let page = self.get(PAGE).await.is(200).text;
        let all: Vec<_> = page.split("action=\"/settings/passkeys/").skip(1).collect();
        all.first().unwrap_or_else(|| panic!("{page}")).split('/').next().unwrap().to_owned()
    }

    /// Wants this one vouched for, and gives where that leads.
    async fn wants_word(&mut self, id: &str) -> String {
        let page = self.form(PAGE, &format!("/settings/passkeys/{id}/vouch"), &[]).await.is(200);
        let to = page.text.split("class=\"button approve\" href=\"").nth(1).unwrap();
        to.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
    }
}

impl World {
    /// A passkey that this person has enrolled.
    async fn enrolled(&self, who: &str) -> Soft {
        let soft = Soft::new(-7);
        self.signed_in(who).await.enrol(&soft).await.is(303);
        soft
    }
}

#[tokio::test]
async fn t70_a_passkey_is_enrolled_only_after_a_sign_in_of_just_now_at_the_provider() {
    let mut world = World::for_browsers().await;
    let mut bob = world.signed_in("bob").await;
    world.pass(Span::minutes(5)).await;
    let page = bob.get(PAGE).await.is(200).text;
    assert!(page.contains("href=\"/login/again?return=/settings/passkeys\""), "{page}");
    assert!(!page.contains("Add a passkey"), "{page}");
    bob.begin_enrolment().await.refuses(403, "sign_in_again");
    // A session of just now, of a sign-in that is older: the provider asked nobody.
    bob.sign_in("corp", "nobody").await.is(303);
    bob.begin_enrolment().await.refuses(403, "sign_in_again");
    let answer = bob.sign_in_again("corp", "bob", PAGE).await.is(303);
    assert_eq!(answer.headers["location"], PAGE);
    bob.enrol(&Soft::new(-7)).await.is(303);
}

#[tokio::test]
async fn t70_a_session_that_a_token_opened_enrols_nothing() {
    let world = World::for_browsers().await;
    let root = world.server.administrator().await;
    let call = root.call("POST", "/login").header("origin", world.server.base());
    let answer = sent(call.form(&[("token", root.token())])).await.is(303);
    let line = answer.headers["set-cookie"].to_str().unwrap();
    let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
    let mut browser = world.browser();
    browser.cookies.insert((browser.base.clone(), name.to_owned()), value.to_owned());
    assert!(!browser.get(PAGE).await.is(200).text.contains("Add a passkey"));
    browser.begin_enrolment().await.refuses(403, "sign_in_again");
    let again = browser.get("/login/again?return=/settings/passkeys").await.is(200).text;
    assert!(again.contains("proves nothing about the moment"), "{again}");
}

#[tokio::test]
async fn t63_a_passkey_opens_a_session_like_any_other_and_no_administrators() {
    let mut world = World::for_browsers().await;
    let (bobs, roots) = (world.enrolled("bob").await, world.enrolled("root").await);
    let mut bob = world.browser();
    let answer = bob.enter_by(&bobs).await.is(303);
    assert_eq!(answer.headers["location"], PAGE);
    let page = bob.get("/settings/sessions").await.is(200).text;
    assert!(page.contains("by passkey"), "{page}");
    let log = world.server.ledger().entries(0, 100).await.unwrap();
    let opened = log.iter().find(|entry| entry["login"]["provider"] == "passkey").unwrap();
    assert_eq!(opened["access"]["sub"], "bob");
    assert_eq!(opened["login"]["amr"], json!(["hwk", "user"]));
    assert!(opened["login"]["at"].is_string());
    // The session that the browser had before is over.
    let mut before = bob.clone();
    bob.enter_by(&bobs).await.is(303);
    assert!(bob.is_in().await && !before.is_in().await);
    let mut root = world.browser();
    root.enter_by(&roots).await.is(303);
    assert_eq!(root.get("/admin/people").await.status, 403);
    root.sign_in("corp", "root").await.is(303);
    root.get("/admin/people").await.is(200);
    world.pass(Span::minutes(30)).await;
    assert!(!bob.is_in().await, "idle for too long");
}

#[tokio::test]
async fn a_synced_passkey_says_so_of_the_sign_in() {
    let world = World::for_browsers().await;
    let mut soft = Soft { flags: SYNCED, ..Soft::new(-7) };
    let mut bob = world.signed_in("bob").await;
    bob.enrol(&soft).await.is(303);
    bob.enter_by(&soft).await.is(303);
    // What it says now counts.
    soft.flags = DEVICE_BOUND;
    bob.enter_by(&soft).await.is(303);
    let log = world.server.ledger().entries(0, 100).await.unwrap();
    let opened = log.iter().filter(|entry| entry["type"] == "access_issued");
    let by_passkey = opened.filter(|entry| entry["login"]["provider"] == "passkey");
    let amr: Vec<_> = by_passkey.map(|entry| entry["login"]["amr"].clone()).collect();
    assert_eq!(amr, [json!(["swk", "user"]), json!(["hwk", "user"])]);
}

#[tokio::test]
async fn t63_whoever_has_not_come_by_their_provider_for_a_month_is_not_let_in_by_a_passkey() {
    let mut world = World::for_browsers().await;
    let soft = world.enrolled("bob").await;
    world.pass(Span::hours(30 * 24 - 1)).await;
    world.browser().enter_by(&soft).await.is(303);
    world.pass(Span::hours(1)).await;
    let mut bob = world.browser();
    let answer = bob.enter_by(&soft).await;
    assert!(answer.text.contains("has to sign in again in a browser first"), "{answer:?}");
    assert!(bob.cookie("assent").is_none());
    world.signed_in("bob").await;
    bob.enter_by(&soft).await.is(303);
}

#[tokio::test]
async fn a_passkey_of_somebody_suspended_lets_nobody_in() {
    let world = World::for_browsers().await;
    let soft = world.enrolled("bob").await;
    let root = world.server.administrator().await;
    let about = json!({"person": {"iss": world.provider.url, "sub": "bob"}});
    let signal = json!({"about": about, "state": "suspended", "reason": "r"});
    root.post("/v1/signals", &signal).await.is(201);
    let mut bob = world.browser();
    let answer = bob.enter_by(&soft).await.is(403);
    assert!(answer.text.contains("is suspended"), "{}", answer.text);
    assert!(bob.cookie("assent").is_none());
}

#[tokio::test]
async fn t63_a_passkey_proves_again_who_is_here_in_a_new_session() {
    let mut world = World::for_browsers().await;
    let (_, id) = world.filed("fresh").await;
    let (bobs, carols) = (world.enrolled("bob").await, world.enrolled("carol").await);
    let mut bob = world.signed_in("bob").await;
    world.pass(Span::minutes(11)).await;
    let answer = bob.decide(&id, "approve").await.is(303);
    let to = answer.headers["location"].to_str().unwrap().to_owned();
    let page = bob.get(&to).await.is(200).text;
    assert!(page.contains("action=\"/login/passkey/again\""), "{page}");
    assert!(page.contains("Sign in again with corp"), "{page}");
    // Of which class a sign-in is, no passkey says.
    let strong = bob.get("/login/again?acr=urn:corp:strong").await.is(200).text;
    assert!(!strong.contains("/login/passkey/again"), "{strong}");
    // Neither another's passkey, nor what was begun to come in, or in another session.
    let before = bob.clone();
    bob.prove_by(&carols).await.is(403);
    let begun = bob.begin_passkey("/login/passkey/challenge").await;
    bob.answer(&bobs, &begun, "/login/passkey/again").await.is(409);
    let mut other = world.signed_in("bob").await;
    let begun = other.begin_passkey("/login/passkey/again/challenge").await;
    bob.answer(&bobs, &begun, "/login/passkey/again").await.is(409);
    assert_eq!(bob.cookie("assent"), before.cookie("assent"));
    let begun = bob.begin_passkey("/login/passkey/again/challenge").await;
    bob.answer(&bobs, &begun, "/login/passkey/again").await.is(303);
    assert_ne!(bob.cookie("assent"), before.cookie("assent"), "a new id at step-up");
    assert!(bob.is_in().await && !before.clone().is_in().await && other.is_in().await);
    bob.answer(&bobs, &begun, "/login/passkey/again").await.is(409);
    bob.decide(&id, "approve").await.is(303);
    let root = world.server.administrator().await;
    let request = root.client.request(&id).await.unwrap();
    assert_eq!(request.state, "approved");
    // Whoever has no passkey is offered none.
    let mut alice = world.signed_in("alice").await;
    assert!(!alice.get(&to).await.is(200).text.contains("/login/passkey/again"));
}

#[tokio::test]
async fn t70_the_persons_provider_vouches_for_their_passkey() {
    let world = World::for_browsers().await;
    let soft = Soft::new(-7);
    let mut bob = world.signed_in("bob").await;
    bob.enrol(&soft).await.is(303);
    let page = bob.get(PAGE).await.text;
    assert!(page.contains("Let corp vouch for it") && !page.contains("vouched for by"), "{page}");
    let id = bob.only_passkey().await;
    let session = bob.cookie("assent").unwrap().clone();
    let to = bob.wants_word(&id).await;
    let key = PublicKey::read(&soft.cose()).unwrap();
    let nonce = Passkey::voucher_nonce(&key, "localhost");
    assert!(to.contains(&format!("nonce={nonce}")), "{to}");
    let back = bob.at_provider(&to, "bob").await;
    let answer = bob.follow(&back).await.is(303);
    assert_eq!(answer.headers["location"], PAGE);
    let page = bob.get(PAGE).await.is(200).text;
    assert!(page.contains(&format!("vouched for by {}", world.provider.url)), "{page}");
    assert!(!page.contains("Let corp vouch for it"), "{page}");
    assert_eq!(bob.cookie("assent"), Some(&session), "no session is made of it");
    let log = world.server.ledger().entries(0, 100).await.unwrap();
    let vouched = log.iter().find(|entry| entry["type"] == "passkey_vouched").unwrap();
    assert_eq!(vouched["passkey"], id);
    assert_eq!(vouched["claims"]["nonce"], nonce);
    assert_eq!(vouched["claims"]["sub"], "bob");
}

#[tokio::test]
async fn t70_nobody_else_and_no_other_session_has_a_passkey_vouched_for() {
    let world = World::for_browsers().await;
    let mut bob = world.signed_in("bob").await;
    bob.enrol(&Soft::new(-7)).await.is(303);
    let id = bob.only_passkey().await;
    let vouch = format!("/settings/passkeys/{id}/vouch");
    let mut carol = world.signed_in("carol").await;
    carol.form(PAGE, &vouch, &[]).await.is(404);
    // A link does nothing: whoever has put a passkey into bob's account could send him one.
    bob.get(&vouch).await.is(405);
    bob.post(&vouch, &[("csrf", "00")]).await.is(403);
    // Somebody else signs in there.
    let to = bob.wants_word(&id).await;
    bob.leave_providers();
    let back = bob.at_provider(&to, "carol").await;
    let answer = bob.follow(&back).await.is(403);
    assert!(answer.text.contains("another account"), "{}", answer.text);
    // Another session, with all that this browser kept of the ceremony; and none.
    bob.leave_providers();
    let to = bob.wants_word(&id).await;
    let back = bob.at_provider(&to, "bob").await;
    let name = (bob.base.clone(), "assent-ceremony".to_owned());
    let mut other = world.signed_in("bob").await;
    other.cookies.insert(name.clone(), bob.cookies[&name].clone());
    other.follow(&back).await.is(400);
    let mut nobody = world.browser();
    nobody.cookies.insert(name.clone(), bob.cookies[&name].clone());
    nobody.follow(&back).await.is(400);
    assert!(nobody.cookie("assent").is_none(), "it signs nobody in");
    assert!(!bob.get(PAGE).await.text.contains("vouched for by"));
    // One that is removed meanwhile.
    bob.form(PAGE, &format!("/settings/passkeys/{id}/remove"), &[]).await.is(303);
    bob.follow(&back).await.is(303);
    bob.form(PAGE, &vouch, &[]).await.is(404);
    let log = world.server.ledger().entries(0, 100).await.unwrap();
    assert!(log.iter().all(|entry| entry["type"] != "passkey_vouched"));
}

#[tokio::test]
async fn t63_a_provider_ends_sessions_of_its_people_that_a_passkey_opened() {
    let liar = Liar::start().await;
    let who = PrincipalId::new(&liar.url, "bob").unwrap();
    let key = Enrolled::of_person(&liar.server, who, Soft::new(-7)).await.soft;
    let mut proven = liar.in_session("bob", "s1").await;
    proven.prove_by(&key).await.is(303);
    let mut entered = Browser::new(&liar.server);
    entered.enter_by(&key).await.is(303);
    let mut carol = liar.in_session("carol", "s3").await;
    let token = liar.logout_token(json!({}), json!({"sub": null, "sid": "s1"}));
    liar.told(&token).await.is(200);
    assert!(!proven.is_in().await && entered.is_in().await && carol.is_in().await);
    liar.told(&liar.logout_token(json!({}), json!({}))).await.is(200);
    assert!(!entered.is_in().await && carol.is_in().await);
}

#[tokio::test]
async fn a_passkey_that_lets_nobody_in_leads_back_to_the_page_of_all_ways() {
    let world = World::for_browsers().await;
    let mut bob = world.browser();
    let answer = bob.enter_by(&Soft::new(-7)).await.is(403);
    for shown in ["role=\"alert\"", "passkey", "Sign in with corp", "/login/passkey"] {
        assert!(answer.text.contains(shown), "{shown}: {}", answer.text);
    }
    // Where they wanted to go they still come to.
    assert!(answer.text.contains(&format!("name=\"next\" value=\"{PAGE}\"")), "{}", answer.text);
    assert!(bob.cookie("assent").is_none());
}

#[tokio::test]
async fn t68_strangers_try_passkeys_only_so_often_and_keep_nobody_else_out() {
    use assent_server::rates::{Rate, Rates};
    let passkeys = Rate { burst: 3, each: Span::seconds(4) };
    let rates = Rates { passkeys, ..Rates::default() };
    let remains = crate::support::Remains::fresh();
    let public = format!("http://localhost:{}", remains.address.port());
    let setup =
        crate::support::Setup { rates, public: Some(public), ..crate::support::Setup::default() };
    let world = World::at(remains, setup).await;
    let soft = world.enrolled("bob").await;
    let mut bob = world.browser();
    bob.enter_by(&soft).await.is(303);
    // The third is begun; to end it is the fourth.
    let mut stranger = world.browser();
    let begun = stranger.begin_passkey("/login/passkey/challenge").await;
    let answer = stranger.answer(&soft, &begun, "/login/passkey").await.is(429);
    assert_eq!(answer.headers["retry-after"], "4");
    assert!(answer.text.contains("Sign in with corp") && stranger.cookie("assent").is_none());
    let answer = stranger.post("/login/passkey/challenge", &[]).await;
    assert_eq!(answer.headers["retry-after"], "4");
    answer.refuses(429, "too_many_sign_ins");
    // Whoever is in proves again who they are, and others sign in at the provider.
    bob.prove_by(&soft).await.is(303);
    world.signed_in("carol").await;
    world.server.time().pass(Span::seconds(4));
    stranger.answer(&soft, &begun, "/login/passkey").await.is(303);
}
