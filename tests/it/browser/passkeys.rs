//! Passkeys in a real browser, with an authenticator of software: made, used to sign in and to sign.

use assent_core::credential::KeySet;
use assent_core::evidence;
use serde_json::json;

use super::sign_in;
use crate::http::signed::{filed, server};
use crate::support::{Chromium, Reply, Screen, Server, StandIn, Window};

const ADD: &str = "form[data-passkey='enrol'] button";

/// Makes a passkey of this name for whoever is signed in.
async fn enrol(window: &Window, server: &Server, name: &str) {
    window.go(&format!("{}/settings/passkeys", server.base())).await;
    window.write("#name", name).await;
    window.click(ADD).await;
    window.until_it_says("The passkey was added.").await;
}

async fn decide(window: &Window, server: &Server, id: &str, verdict: &str) {
    window.go(&format!("{}/requests/{id}", server.base())).await;
    window.write("#comment", " looked at ").await;
    window.click(&format!("button[value='{verdict}']")).await;
}

async fn state(server: &Server, id: &str) -> (String, usize) {
    let request = server.person("alice").await.client.request(id).await.unwrap();
    (request.state, request.reviews.len())
}

#[tokio::test]
async fn a_person_enrols_names_signs_and_removes() {
    let server = server("passkey").await;
    let (one, two) = (filed(&server, "Resize").await, filed(&server, "Drop").await);
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::PHONE).await;
    let authenticator = window.authenticator(true).await;
    sign_in(&window, &server, "bob").await;
    decide(&window, &server, &one.id, "approve").await;
    window.until_it_says("add one under Settings").await;
    enrol(&window, &server, "phone").await;
    assert_eq!(authenticator.passkeys().await, 1);
    window.pictures("passkeys", &Screen::ALL).await;
    assert_eq!(window.barriers().await, Vec::<String>::new());

    window.go(&format!("{}/requests/{}", server.base(), one.id)).await;
    window.until_it_says("Signed with your passkey").await;
    window.pictures("signing", &Screen::ALL).await;
    assert_eq!(window.barriers().await, Vec::<String>::new());
    decide(&window, &server, &one.id, "approve").await;
    window.until_it_says("approved: bob").await;
    assert_eq!(window.violations().await, Vec::<String>::new());
    decide(&window, &server, &two.id, "deny").await;
    window.until_it_says("denied").await;
    assert_eq!(state(&server, &one.id).await, ("approved".to_owned(), 1));
    assert_eq!(state(&server, &two.id).await, ("denied".to_owned(), 1));

    // What Chromium really signed is proven to a stranger.
    let keys = server.stranger().get("/.well-known/jwks.json").await.is(200).json();
    for id in [&one.id, &two.id] {
        let given = server.person("bob").await.client.evidence(id).await.unwrap();
        let proven = evidence::verify(&given, &KeySet::read(&keys)).unwrap();
        assert!(proven.reviews[0].strength.is_some());
        assert_eq!(proven.reviews[0].review.comment, "looked at");
    }

    window.go(&format!("{}/settings/passkeys", server.base())).await;
    window.run("document.querySelector('.passkeys input[name=name]').value = 'blue key'").await;
    window.click("form[action$='/rename'] button").await;
    window.until_it_says("The passkey was renamed.").await;
    window.until_it_says("blue key").await;
    window.click("form[action$='/remove'] button").await;
    window.until_it_says("The passkey was removed.").await;
    window.until_it_says("You have none yet.").await;
}

#[tokio::test]
async fn a_bogus_signature_and_a_missing_verification_are_refused() {
    let server = server("passkey").await;
    let request = filed(&server, "Resize").await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    let authenticator = window.authenticator(true).await;
    sign_in(&window, &server, "bob").await;
    enrol(&window, &server, "laptop").await;
    authenticator.answers_wrongly(true, false).await;
    decide(&window, &server, &request.id, "approve").await;
    window.until_it_says("the passkey's signature is wrong").await;
    authenticator.answers_wrongly(false, true).await;
    decide(&window, &server, &request.id, "approve").await;
    window.until_it_says("did not verify who uses it").await;
    authenticator.answers_wrongly(false, false).await;
    // The browser itself gives up where nobody is verified.
    authenticator.verifies(false).await;
    decide(&window, &server, &request.id, "approve").await;
    window.until_it_says("The passkey was not used. Nothing was sent.").await;
    assert_eq!(state(&server, &request.id).await, ("pending".to_owned(), 0));
    authenticator.verifies(true).await;
    window.click("button[value='approve']").await;
    window.until_it_says("approved: bob").await;
}

#[tokio::test]
async fn whoever_has_a_passkey_signs_in_with_it() {
    let server = server("passkey").await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    let authenticator = window.authenticator(true).await;
    sign_in(&window, &server, "bob").await;
    enrol(&window, &server, "laptop").await;
    window.click("form.who button").await;
    window.until_it_says("Sign in with a passkey").await;
    assert_eq!(window.barriers().await, Vec::<String>::new());
    let button = "form[data-passkey='sign-in'] button";
    authenticator.answers_wrongly(true, false).await;
    window.click(button).await;
    window.until_it_says("the passkey's signature is wrong").await;
    authenticator.answers_wrongly(false, false).await;
    window.go(&format!("{}/login", server.base())).await;
    window.click(button).await;
    window.until_it_says("Sign out").await;
    window.until_it_says("bob").await;
    // Removed, it lets nobody in.
    window.go(&format!("{}/settings/passkeys", server.base())).await;
    window.click("form[action$='/remove'] button").await;
    window.until_it_says("The passkey was removed.").await;
    window.click("form.who button").await;
    window.click(button).await;
    window.until_it_says("this passkey was removed").await;
}

#[tokio::test]
async fn a_second_persons_passkey_signs_nothing_for_the_first() {
    let server = server("passkey").await;
    let request = filed(&server, "Resize").await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    let _authenticator = window.authenticator(true).await;
    sign_in(&window, &server, "carol").await;
    enrol(&window, &server, "carol's").await;
    let carols = server.person("carol").await.get("/v1/passkeys").await.is(200).json();
    let carols = carols["passkeys"][0]["id"].as_str().unwrap().to_owned();
    window.click("form.who button").await;
    window.until_it_says("Sign in with a passkey").await;
    sign_in(&window, &server, "bob").await;
    enrol(&window, &server, "bob's").await;
    window.go(&format!("{}/requests/{}", server.base(), request.id)).await;
    // As a page that has been tampered with would ask.
    window.run(&format!("document.querySelector('[name=passkey]').value = '{carols}'")).await;
    window.click("button[value='approve']").await;
    window.until_it_says("not one of yours here").await;
    assert_eq!(state(&server, &request.id).await, ("pending".to_owned(), 0));
}

#[tokio::test]
async fn without_scripts_all_works_but_signing_and_the_page_says_so() {
    let server = server("passkey").await;
    let request = filed(&server, "Resize").await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::PHONE).await;
    window.without_scripts().await;
    sign_in(&window, &server, "bob").await;
    window.go(&format!("{}/requests/{}", server.base(), request.id)).await;
    window.until_it_says("Signing needs JavaScript").await;
    window.click("button[value='approve']").await;
    window.until_it_says("sign this with a passkey").await;
    window.go(&format!("{}/settings/passkeys", server.base())).await;
    window.until_it_says("Making a passkey needs JavaScript").await;
    window.write("#name", "x").await;
    window.click(ADD).await;
    window.until_it_says("making a passkey needs JavaScript").await;
    assert_eq!(state(&server, &request.id).await, ("pending".to_owned(), 0));
}

/// A page of another origin that may use passkeys in a frame gets what no server of ours takes.
#[tokio::test]
async fn t64_a_framed_page_signs_nothing() {
    let server = server("passkey").await;
    let request = filed(&server, "Resize").await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    let _authenticator = window.authenticator(true).await;
    sign_in(&window, &server, "bob").await;
    enrol(&window, &server, "laptop").await;
    let page = format!("{}/requests/{}", server.base(), request.id);
    let elsewhere = StandIn::start(move |_| {
        let html = format!("<iframe src='{page}' allow='publickey-credentials-get *'></iframe>");
        Box::pin(async move { Reply::html(&html) })
    })
    .await;
    // Of the same site, so that the frame would have the cookie, and all else that it needs.
    window.go(&elsewhere.url.replace("127.0.0.1", "localhost")).await;
    window.enter_frame("iframe").await;
    assert!(!window.has("[data-passkey-sign]").await, "{}", window.source().await);
    assert_eq!(state(&server, &request.id).await, ("pending".to_owned(), 0));
}

#[tokio::test]
async fn t70_an_old_session_enrols_nothing() {
    let server = server("passkey").await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    let authenticator = window.authenticator(true).await;
    sign_in(&window, &server, "bob").await;
    window.go(&format!("{}/settings/passkeys", server.base())).await;
    window.write("#name", "laptop").await;
    server.time().pass(assent_core::time::Span::minutes(5));
    window.click(ADD).await;
    window.until_it_says("sign in again: a passkey is enrolled within 5 min of a sign-in").await;
    assert_eq!(authenticator.passkeys().await, 0);
    window.go(&format!("{}/settings/passkeys", server.base())).await;
    window.until_it_says("A passkey is added within 5 min of a sign-in: sign in again").await;
    assert!(!window.has(ADD).await);
    let theirs = server.person("bob").await.get("/v1/passkeys").await.is(200).json();
    assert_eq!(theirs, json!({"passkeys": []}));
}
