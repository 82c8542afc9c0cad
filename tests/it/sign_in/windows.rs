//! Signing in, in a real browser.

use assent_client::wire;
use assent_core::credential::KeySet;
use assent_core::evidence;

use assent_server::issuers::Reach;
use assent_server::policy::Source;
use serde_json::json;

use super::links::Two;
use super::world::{POLICY, World, oidc, settings};
use crate::browser::injected::{harmless, hostile, missing, short};
use crate::support::{Chromium, Provider, Remains, Screen, Server, Setup, Window, documents};

/// Says at the provider who one is.
async fn say(window: &Window, who: &str) {
    window.write("input[name=who]", who).await;
    window.click("button").await;
}

#[tokio::test]
async fn a_person_signs_in_steps_up_and_ends_another_session_in_a_browser() {
    let world = World::for_browsers().await;
    let base = world.server.base().to_owned();
    let chromium = Chromium::start().await;
    let (here, there) =
        (chromium.window(Screen::DESKTOP).await, chromium.window(Screen::PHONE).await);
    for window in [&here, &there] {
        window.go(&format!("{base}/settings")).await;
        window.until_it_says("Sign in with corp").await;
        window.click("a.button").await;
        say(window, "bob").await;
        window.until_at("/settings").await;
        window.until_it_says("bob of Corp").await;
    }
    assert_eq!(here.violations().await, Vec::<String>::new());
    assert_eq!(here.barriers().await, Vec::<String>::new());
    here.pictures("settings", &Screen::ALL).await;
    here.look(Screen::DESKTOP).await;
    for (page, name) in
        [("sessions", "Sessions"), ("accounts", "Linked accounts"), ("tokens", "Make one")]
    {
        here.go(&format!("{base}/settings/{page}")).await;
        here.until_it_says(name).await;
        assert_eq!(here.barriers().await, Vec::<String>::new(), "{page}");
        assert_eq!(here.violations().await, Vec::<String>::new(), "{page}");
        here.pictures(&format!("settings-{page}"), &[Screen::PHONE, Screen::DARK_DESKTOP]).await;
        here.look(Screen::DESKTOP).await;
    }
    here.write("#name", "laptop").await;
    here.click("form[action='/settings/tokens'] button.approve").await;
    here.until_it_says("It is shown this once").await;
    assert_eq!(here.barriers().await, Vec::<String>::new());
    // Again, because something wants it.
    here.go(&format!("{base}/login/again?return=/settings/sessions&within=10m")).await;
    here.until_it_says("at most 10 min ago").await;
    assert_eq!(here.barriers().await, Vec::<String>::new());
    here.click("a.button").await;
    say(&here, "bob").await;
    here.until_at("/settings/sessions").await;
    here.click("form[action='/settings/sessions/end'] button.deny").await;
    here.until_it_says("this one").await;
    there.go(&format!("{base}/settings")).await;
    there.until_it_says("Sign in with corp").await;
    assert_eq!(there.barriers().await, Vec::<String>::new());
    there.pictures("login", &Screen::ALL).await;
    there.close().await;
    here.close().await;
}

#[tokio::test]
async fn a_person_links_their_other_account_in_a_browser() {
    let two = Two::found_at(Some("localhost")).await;
    let base = two.world.server.base().to_owned();
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::PHONE).await;
    window.go(&format!("{base}/login/corp/begin?next=/settings/accounts")).await;
    say(&window, "bob").await;
    window.until_it_says("Link your account at lab").await;
    assert_eq!(window.barriers().await, Vec::<String>::new());
    window.click("form[action='/settings/accounts/link'] button").await;
    window.until_it_says("You cannot undo this yourself").await;
    assert_eq!(window.barriers().await, Vec::<String>::new());
    window.pictures("link", &Screen::ALL).await;
    window.click("a.button").await;
    say(&window, "robert").await;
    window.until_it_says(&format!("{}#robert", two.other.url)).await;
    assert!(window.url().await.ends_with("/settings/accounts"));
    assert!(!window.text().await.contains("Link your account"), "one account at each");
    assert_eq!(window.violations().await, Vec::<String>::new());
    window.close().await;
}

#[tokio::test]
async fn t70_what_a_vouched_passkey_signed_is_proven_with_the_providers_word() {
    let world = World::for_browsers().await;
    let base = world.server.base().to_owned();
    let (_, id) = world.filed("signed").await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::PHONE).await;
    let authenticator = window.authenticator(true).await;
    window.go(&format!("{base}/login/corp/begin?next=/settings/passkeys")).await;
    say(&window, "bob").await;
    window.until_it_says("You have none yet.").await;
    window.write("#name", "phone").await;
    window.click("form[data-passkey='enrol'] button").await;
    window.until_it_says("The passkey was added.").await;
    assert_eq!(authenticator.passkeys().await, 1);
    // Not without the provider's word.
    window.go(&format!("{base}/requests/{id}")).await;
    window.until_it_says("You have no passkey that fits.").await;
    window.go(&format!("{base}/settings/passkeys")).await;
    window.until_it_says("Let corp vouch for it").await;
    assert_eq!(window.barriers().await, Vec::<String>::new());
    window.pictures("passkeys-unvouched", &Screen::ALL).await;
    window.click("form[action$='/vouch'] button").await;
    window.until_it_says("Go on only if you added").await;
    assert_eq!(window.barriers().await, Vec::<String>::new());
    window.pictures("vouch", &[Screen::PHONE, Screen::DARK_DESKTOP]).await;
    window.look(Screen::PHONE).await;
    // The provider knows them still, and asks nothing.
    window.click("a.button").await;
    window.until_it_says(&format!("vouched for by {}", world.provider.url)).await;
    assert_eq!(window.violations().await, Vec::<String>::new());
    window.go(&format!("{base}/requests/{id}")).await;
    window.until_it_says("With phone.").await;
    window.write("#comment", "looked at").await;
    window.click("button[value='approve']").await;
    window.until_it_says("approved: bob").await;

    let script = format!("return fetch('/requests/{id}/evidence').then(told => told.json())");
    let given: wire::Evidence = serde_json::from_value(window.run(&script).await).unwrap();
    let keys = world.server.stranger().get("/.well-known/jwks.json").await.is(200).json();
    let proven = evidence::verify(&given, &KeySet::read(&keys)).unwrap();
    let review = proven.reviews.first().unwrap();
    assert_eq!(review.review.reviewer.to_string(), format!("{}#bob", world.provider.url));
    assert!(review.strength.is_some());
    assert_eq!(review.voucher.as_ref().unwrap().iss(), world.provider.url);

    // By the same passkey they prove who they are again.
    window.go(&format!("{base}/login/again?return=/settings/sessions")).await;
    window.until_it_says("Use a passkey").await;
    assert_eq!(window.barriers().await, Vec::<String>::new());
    window.pictures("again", &Screen::ALL).await;
    window.click("form[data-passkey='sign-in'] button").await;
    window.until_at("/settings/sessions").await;
    window.until_it_says("by passkey").await;
    assert_eq!(window.violations().await, Vec::<String>::new());
    window.close().await;
}

#[tokio::test]
async fn t36_what_people_and_providers_call_things_stays_text_in_a_browser() {
    let remains = Remains::fresh();
    let base = format!("http://localhost:{}", remains.address.port());
    let mut provider = Provider::start(0, &remains.time).await;
    provider.client(&format!("{base}/login/corp/callback")).await;
    let groups = ["release-managers", "admins"];
    provider.person(&json!({"sub": "bob", "name": hostile(1), "groups": groups})).await;
    let corp = oidc("corp", &provider.url);
    let corp = corp.replace("{type: oidc,", &format!("{{type: oidc, title: {},", json!(short(2))));
    let administrators = "administrators: ['group:admins']\n";
    let setup = Setup {
        sign_in: settings(&format!("providers:\n{corp}{administrators}")),
        reach: Reach { loopback: true, ..Reach::default() },
        source: Source::Given(documents(POLICY)),
        public: Some(base.clone()),
        ..Setup::default()
    };
    let world = World { server: Server::placed(remains, setup).await, provider };

    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    let agent = json!({"userAgent": format!("Firefox/1 {}", hostile(3))});
    window.protocol("Network.setUserAgentOverride", agent).await;
    let _authenticator = window.authenticator(true).await;
    let mut seen = Vec::new();
    window.go(&format!("{base}/login?next=/settings/passkeys")).await;
    seen.push(harmless(&window).await);
    window.click("a.button").await;
    say(&window, "bob").await;
    window.until_it_says("You have none yet.").await;
    window.write("#name", &short(4)).await;
    window.click("form[data-passkey='enrol'] button").await;
    window.until_it_says("The passkey was added.").await;
    seen.push(harmless(&window).await);
    window.click("form[action$='/vouch'] button").await;
    window.until_it_says("Go on only if you added").await;
    seen.push(harmless(&window).await);
    window.go(&format!("{base}/settings/tokens")).await;
    window.write("#name", &short(5)).await;
    window.click("form[action='/settings/tokens'] button.approve").await;
    window.until_it_says("It is shown this once").await;
    seen.push(harmless(&window).await);
    let (_, id) = world.filed("one").await;
    window.go(&format!("{base}/requests/{id}")).await;
    window.write("#comment", &hostile(6)).await;
    window.click("button[value='approve']").await;
    window.until_it_says("approved: <i1>").await;
    seen.push(harmless(&window).await);
    for path in [
        "/",
        "/history",
        "/audit",
        "/insights",
        "/policy",
        "/settings",
        "/settings/accounts",
        "/settings/absence",
        "/settings/notifications",
        "/login/again?return=/settings",
        "/admin/people",
        "/admin/notifications",
        "/admin/github",
        "/device",
    ] {
        window.go(&format!("{base}{path}")).await;
        let said = harmless(&window).await;
        assert!(missing([1], std::slice::from_ref(&said)).is_empty(), "{path}: {said}");
        seen.push(said);
    }
    // Of what a browser says of itself only its maker and system are read.
    window.go(&format!("{base}/settings/sessions")).await;
    let said = harmless(&window).await;
    assert!(said.contains("Firefox") && !said.contains("<i3>"), "{said}");
    seen.push(said);
    let nowhere = missing([1, 2, 4, 5, 6], &seen);
    assert!(nowhere.is_empty(), "{nowhere:?}: {}", seen.join("\n\n"));
    window.close().await;
}
