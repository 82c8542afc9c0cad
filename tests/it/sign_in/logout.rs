//! Sessions that a provider ends (OpenID Connect Back-Channel Logout 1.0).

use serde_json::{Value, json};

use super::hostile::Liar;
use super::world::Browser;
use crate::support::Answer;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

impl Liar {
    /// The browser of somebody in this session of the provider's.
    pub(super) async fn in_session(&self, sub: &str, sid: &str) -> Browser {
        let (browser, answer) = self.sign_in(json!({}), json!({"sub": sub, "sid": sid})).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        browser
    }

    /// A logout token of which these claims are other.
    pub(super) fn logout_token(&self, header: Value, change: Value) -> String {
        let now = self.server.authority.clock().now().as_seconds();
        let mut claims = json!({
            "iss": self.url, "aud": "assent", "iat": now, "exp": now + 120,
            "jti": format!("j{}", change), "events": {EVENT: {}}, "sub": "bob",
        });
        for (name, value) in change.as_object().unwrap() {
            match value.is_null() {
                true => drop(claims.as_object_mut().unwrap().remove(name)),
                false => claims[name] = value.clone(),
            }
        }
        let mut whole = json!({"typ": "logout+jwt"});
        whole.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        self.issuer.sign(whole, &claims)
    }

    pub(super) async fn told(&self, token: &str) -> Answer {
        self.server.stranger().form("/login/corp/logout", &[("logout_token", token)]).await
    }
}

async fn is_in(browser: &mut Browser) -> bool {
    browser.get("/settings").await.status == 200
}

#[tokio::test]
async fn t63_a_provider_ends_the_sessions_of_somebody_or_one_of_them() {
    let liar = Liar::start().await;
    let mut first = liar.in_session("bob", "s1").await;
    let mut second = liar.in_session("bob", "s2").await;
    let mut carol = liar.in_session("carol", "s3").await;
    let token = liar.logout_token(json!({}), json!({"sub": null, "sid": "s1"}));
    liar.told(&token).await.is(200);
    assert!(!is_in(&mut first).await && is_in(&mut second).await && is_in(&mut carol).await);
    // The same again is no fault, and ends nothing that was begun since.
    let mut later = liar.in_session("bob", "s4").await;
    liar.told(&token).await.is(200);
    assert!(is_in(&mut later).await);
    liar.told(&liar.logout_token(json!({}), json!({}))).await.is(200);
    assert!(!is_in(&mut second).await && !is_in(&mut later).await && is_in(&mut carol).await);
    // A session of somebody else's is not ended by naming both.
    let both = liar.logout_token(json!({}), json!({"sub": "bob", "sid": "s3"}));
    liar.told(&both).await.is(200);
    assert!(is_in(&mut carol).await);
    // Older providers say only that it is a JWT.
    let plain = liar.logout_token(json!({"typ": "JWT"}), json!({"sub": "carol"}));
    liar.told(&plain).await.is(200);
    assert!(!is_in(&mut carol).await);
}

#[tokio::test]
async fn t63_what_is_no_logout_token_ends_nothing() {
    let liar = Liar::start().await;
    let mut bob = liar.in_session("bob", "s1").await;
    let now = liar.server.authority.clock().now().as_seconds();
    for (header, change) in [
        (json!({}), json!({"iss": "https://evil.example"})),
        (json!({}), json!({"aud": "somebody-else"})),
        (json!({}), json!({"aud": ["assent", "somebody-else"]})),
        (json!({}), json!({"events": null})),
        (json!({}), json!({"events": {}})),
        (json!({}), json!({"events": {EVENT: true}})),
        (json!({}), json!({"nonce": "n"})),
        (json!({}), json!({"jti": null})),
        (json!({}), json!({"iat": null})),
        (json!({}), json!({"exp": null})),
        (json!({}), json!({"exp": now - 61})),
        (json!({}), json!({"iat": now + 120, "exp": now + 240})),
        (json!({}), json!({"sub": null})),
        (json!({"typ": "at+jwt"}), json!({})),
        (json!({"typ": "secevent+jwt"}), json!({})),
        (json!({"alg": "none"}), json!({})),
        (json!({"kid": "another"}), json!({})),
    ] {
        let token = liar.logout_token(header.clone(), change.clone());
        let answer = liar.told(&token).await;
        assert_eq!(answer.status, 400, "{header} {change}: {answer:?}");
        assert!(is_in(&mut bob).await, "{header} {change}");
    }
    // An identity token is none, and the other way round.
    let identity = liar.issuer.sign(json!({}), &liar.claims("n", &json!({})));
    liar.told(&identity).await.is(400);
    assert!(is_in(&mut bob).await);
    let stranger = liar.server.stranger();
    stranger.form("/login/nowhere/logout", &[("logout_token", "x")]).await.is(404);
}
