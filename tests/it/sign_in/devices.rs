//! Programs that somebody lets in who signs in at a provider.

use assent_core::time::Span;
use serde_json::json;

use super::hostile::Liar;
use super::world::Browser;
use crate::support::{Answer, Server};

async fn begun(server: &Server) -> (String, String) {
    let client = [("client_id", "assent-cli")];
    let begun = server.stranger().form("/oauth/device_authorization", &client).await.is(200);
    (begun.str("device_code"), begun.str("user_code"))
}

async fn polled(server: &Server, device: &str) -> Answer {
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let form = [("grant_type", grant), ("device_code", device), ("client_id", "assent-cli")];
    server.stranger().form("/oauth/token", &form).await
}

impl Browser {
    async fn answers_device(&mut self, code: &str, verdict: &str) -> Answer {
        self.form("/device", "/device/answer", &[("code", code), ("verdict", verdict)]).await
    }
}

#[tokio::test]
async fn t63_letting_a_program_in_needs_a_sign_in_of_just_now() {
    let liar = Liar::start().await;
    let mut bob = liar.in_session("bob", "s1").await;
    liar.server.time().pass(Span::minutes(16));
    let (device, code) = begun(&liar.server).await;
    let page = bob.form("/device", "/device", &[("code", &code)]).await.is(200).text;
    assert!(page.contains("/login/again?return=device") && !page.contains("let it in"), "{page}");
    let answer = bob.answers_device(&code, "approve").await.is(403);
    assert!(answer.text.contains("at most 15 min ago"), "{}", answer.text);
    assert_eq!(polled(&liar.server, &device).await.json()["error"], "authorization_pending");
    // No harm is done by a no.
    let (_, other) = begun(&liar.server).await;
    bob.answers_device(&other, "deny").await.is(200);
    let mut bob = liar.in_session("bob", "s2").await;
    let page = bob.form("/device", "/device", &[("code", &code)]).await.is(200).text;
    assert!(page.contains("let it in") && !page.contains("/login/again"), "{page}");
    bob.answers_device(&code, "approve").await.is(200);
    liar.server.time().pass(Span::seconds(5));
    polled(&liar.server, &device).await.is(200);
}

#[tokio::test]
async fn t63_a_program_ends_with_the_session_of_the_provider_that_let_it_in() {
    let liar = Liar::start().await;
    let mut first = liar.in_session("bob", "s1").await;
    let mut second = liar.in_session("bob", "s2").await;
    let mut programs = Vec::new();
    for browser in [&mut first, &mut second] {
        let (device, code) = begun(&liar.server).await;
        browser.answers_device(&code, "approve").await.is(200);
        let token = polled(&liar.server, &device).await.is(200).str("access_token");
        programs.push(liar.server.holder_of(&token));
    }
    let logout = liar.logout_token(json!({}), json!({"sub": null, "sid": "s1"}));
    liar.told(&logout).await.is(200);
    programs[0].get("/v1/whoami").await.refuses(401, "invalid_token");
    programs[1].get("/v1/whoami").await.is(200);
    liar.told(&liar.logout_token(json!({}), json!({}))).await.is(200);
    programs[1].get("/v1/whoami").await.refuses(401, "invalid_token");
}
