//! Passkeys over HTTP: enrolling in one's own session, signing in once, and what forms of others do.

use assent_core::time::Span;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::signed::{filed, server};
use crate::pages::Browser;
use crate::support::passkey::{Enrolled, Soft};
use crate::support::{Answer, Server, sent};

/// A form of this page of ours, or of another origin's.
async fn form(
    browser: Option<&Browser>,
    server: &Server,
    origin: &str,
    path: &str,
    fields: &[(&str, &str)],
) -> Answer {
    let mut call = server.stranger().call("POST", path).header("origin", origin);
    if let Some(browser) = browser {
        call = call.header("cookie", &browser.cookie);
    }
    sent(call.form(fields)).await
}

async fn csrf(browser: &Browser) -> String {
    crate::pages::field(&browser.get("/settings/passkeys").await.text, "csrf")
}

/// Makes a passkey as the script does; in another session than it began in, where one is given.
async fn enrol(
    server: &Server,
    soft: &Soft,
    (begins, ends): (&Browser, &Browser),
    passes: Span,
) -> Answer {
    let own = server.base().to_owned();
    let fields = [("csrf", csrf(begins).await)];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let begun = form(Some(begins), server, &own, "/settings/passkeys/challenge", &fields).await;
    let begun = begun.is(200).json();
    let challenge = URL_SAFE_NO_PAD.decode(begun["challenge"].as_str().unwrap()).unwrap();
    let (attestation, client_data) = soft.register("localhost", &own, &challenge);
    let text = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
    let (attestation, client_data) = (text(attestation), text(client_data));
    let csrf = csrf(ends).await;
    server.time().pass(passes);
    let fields = [
        ("csrf", csrf.as_str()),
        ("name", "key"),
        ("sealed", begun["sealed"].as_str().unwrap()),
        ("attestation", &attestation),
        ("client_data", &client_data),
    ];
    form(Some(ends), server, &own, "/settings/passkeys", &fields).await
}

#[tokio::test]
async fn a_passkey_is_enrolled_in_the_session_that_began_it_in_time_and_once() {
    let server = server("passkey").await;
    let (bob, other) = (Browser::of(&server, "bob").await, Browser::of(&server, "bob").await);
    let carol = Browser::of(&server, "carol").await;
    let soft = Soft::new(-7);
    let none = Span::ZERO;
    enrol(&server, &soft, (&bob, &other), none).await.is(409);
    enrol(&server, &soft, (&bob, &carol), none).await.is(409);
    enrol(&server, &soft, (&bob, &bob), none).await.is(303);
    enrol(&server, &soft, (&bob, &bob), none).await.is(409);
    // The same key, by somebody else.
    enrol(&server, &soft, (&carol, &carol), none).await.is(409);
    enrol(&server, &Soft::new(-8), (&bob, &bob), Span::minutes(5)).await.is(409);
    let page = bob.get("/settings/passkeys").await.text;
    assert_eq!(page.matches("/remove\"").count(), 1, "{page}");
}

async fn begin_sign_in(server: &Server) -> Value {
    let origin = server.base().to_owned();
    form(None, server, &origin, "/login/passkey/challenge", &[]).await.is(200).json()
}

async fn sign_in(server: &Server, soft: &Soft, begun: &Value, next: &str) -> Answer {
    let origin = server.base().to_owned();
    let challenge = URL_SAFE_NO_PAD.decode(begun["challenge"].as_str().unwrap()).unwrap();
    let (data, client_data, signature) = soft.sign("localhost", &origin, &challenge);
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let fields = [
        ("sealed", begun["sealed"].as_str().unwrap().to_owned()),
        ("credential_id", text(&soft.credential)),
        ("authenticator_data", text(&data)),
        ("client_data", text(&client_data)),
        ("signature", text(&signature)),
        ("next", next.to_owned()),
    ];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    form(None, server, &origin, "/login/passkey", &fields).await
}

#[tokio::test]
async fn t63_a_passkey_lets_in_once_for_each_challenge_and_only_in_time() {
    let server = server("passkey").await;
    let _bob = server.person("bob").await;
    let key = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    let begun = begin_sign_in(&server).await;
    let came = sign_in(&server, &key.soft, &begun, "device").await.is(303);
    assert_eq!(came.headers["location"], "/device");
    let cookie = came.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let again = sign_in(&server, &key.soft, &begun, "").await.is(409);
    assert!(again.text.contains("begin again"), "{}", again.text);
    let late = begin_sign_in(&server).await;
    server.time().pass(Span::minutes(5));
    sign_in(&server, &key.soft, &late, "").await.is(409);
    // What was sealed for something else, or by nobody.
    let mut forged = begin_sign_in(&server).await;
    forged["sealed"] = json!("AAAA");
    sign_in(&server, &key.soft, &forged, "").await.is(409);
    let unknown = sign_in(&server, &Soft::new(-7), &begin_sign_in(&server).await, "").await;
    assert!(unknown.is(403).text.contains("not one of yours here"));
}

#[tokio::test]
async fn t65_a_sign_in_leads_nowhere_else() {
    let server = server("passkey").await;
    let _bob = server.person("bob").await;
    let key = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    for next in ["https://evil.example.com", "//evil.example.com", "/\\evil.example.com", ""] {
        let came = sign_in(&server, &key.soft, &begin_sign_in(&server).await, next).await.is(303);
        assert_eq!(came.headers["location"], "/", "{next}");
    }
}

#[tokio::test]
async fn whose_tokens_were_all_taken_back_is_let_in_no_more() {
    let server = server("passkey").await;
    let bob = server.person("bob").await;
    let key = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    sign_in(&server, &key.soft, &begin_sign_in(&server).await, "").await.is(303);
    let root = server.administrator().await;
    for access in root.client.access_list().await.unwrap().tokens {
        if access.principal.sub == "bob" {
            let key = crate::support::fresh_key();
            root.client.revoke_access(&access.id, &key).await.unwrap();
        }
    }
    assert!(bob.client.whoami().await.is_err());
    sign_in(&server, &key.soft, &begin_sign_in(&server).await, "").await.is(403);
}

#[tokio::test]
async fn an_administrator_is_none_where_a_passkey_let_them_in() {
    let server = server("passkey").await;
    let _root = server.administrator().await;
    let key = Enrolled::of(&server, "root", Soft::new(-7)).await;
    let came = sign_in(&server, &key.soft, &begin_sign_in(&server).await, "").await.is(303);
    let cookie = came.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let page = sent(server.stranger().call("GET", "/admin/github").header("cookie", cookie)).await;
    assert_eq!(page.status, 403, "{}", page.text);
}

#[tokio::test]
async fn t62_foreign_forms_enrol_name_remove_sign_and_begin_nothing() {
    let server = server("passkey").await;
    let bob = Browser::of(&server, "bob").await;
    let key = Enrolled::of(&server, "bob", Soft::new(-7)).await;
    let request = filed(&server, "one").await;
    let csrf = csrf(&bob).await;
    let (id, request_id) = (key.id, &request.id);
    let paths = [
        "/settings/passkeys/challenge".to_owned(),
        "/settings/passkeys".to_owned(),
        format!("/settings/passkeys/{id}/rename"),
        format!("/settings/passkeys/{id}/remove"),
        format!("/settings/passkeys/{id}/vouch"),
        format!("/requests/{request_id}/review/signed"),
        "/login/passkey/challenge".to_owned(),
        "/login/passkey".to_owned(),
        "/login/passkey/again/challenge".to_owned(),
        "/login/passkey/again".to_owned(),
    ];
    let rest = [
        "name",
        "sealed",
        "attestation",
        "client_data",
        "digest",
        "verdict",
        "credential_id",
        "statement",
        "authenticator_data",
        "signature",
    ];
    for path in &paths {
        let mut fields: Vec<_> = rest.iter().map(|name| (*name, "x")).collect();
        fields.push(("csrf", &csrf));
        form(Some(&bob), &server, "https://evil.example.com", path, &fields).await.is(403);
        if !path.starts_with("/login") {
            // A page of ours, but of another session.
            fields.retain(|(name, _)| *name != "csrf");
            fields.push(("csrf", "00"));
            let own = server.base().to_owned();
            form(Some(&bob), &server, &own, path, &fields).await.is(403);
        }
    }
    let page = bob.get("/settings/passkeys").await.text;
    assert!(page.contains("<strong>test</strong>"), "{page}");
    assert!(bob.get(&format!("/requests/{request_id}")).await.text.contains("pending"));
}

#[tokio::test]
async fn a_server_without_a_name_says_why_it_has_no_passkeys() {
    let server = Server::start().await;
    let bob = Browser::of(&server, "bob").await;
    let page = bob.get("/settings/passkeys").await.is(200).text;
    assert!(page.contains("passkeys need this server to have a name and https"), "{page}");
    let begun = form(None, &server, server.base(), "/login/passkey/challenge", &[]).await;
    begun.refuses(409, "no_passkeys");
}
