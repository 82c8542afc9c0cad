//! Providers that lie, and answers that were changed on the way.

use std::sync::{Arc, Mutex};

use assent_core::time::Span;
use assent_server::issuers::Reach;
use assent_server::policy::Source;
use serde_json::{Value, json};

use super::world::{Browser, oidc, settings};
use crate::support::{Answer, Issuer, Reply, Server, Setup, StandIn, documents};

/// A provider that answers what a test wants, with signatures that are right.
pub(super) struct Liar {
    pub(super) server: Server,
    pub(super) issuer: Issuer,
    pub(super) url: String,
    says: Arc<Mutex<Says>>,
    _service: StandIn,
}

#[derive(Clone, Default)]
struct Says {
    /// In the place of the whole answer of the token endpoint.
    answer: Option<(u16, String)>,
    /// What is other in its metadata.
    metadata: Value,
    id_token: String,
}

impl Liar {
    pub(super) async fn start() -> Self {
        Self::governed(crate::support::POLICY).await
    }

    /// The same, under this policy.
    pub(super) async fn governed(policy: &str) -> Self {
        let issuer = Issuer::start().await;
        let says: Arc<Mutex<Says>> = Arc::default();
        let (telling, keys) = (Arc::clone(&says), issuer.clone());
        let service = StandIn::start(move |asked| {
            let (says, keys) = (telling.lock().unwrap().clone(), keys.jwks());
            Box::pin(async move {
                let here = format!("http://{}", asked.header("host"));
                let path = asked.path.clone();
                match path.as_str() {
                    "/.well-known/openid-configuration" => {
                        let mut metadata = json!({
                            "issuer": here,
                            "authorization_endpoint": format!("{here}/authorize"),
                            "token_endpoint": format!("{here}/token"),
                            "jwks_uri": format!("{here}/keys"),
                        });
                        for (name, value) in says.metadata.as_object().into_iter().flatten() {
                            metadata[name] = value.clone();
                        }
                        Reply::new(200, metadata.to_string())
                    }
                    "/keys" => Reply::new(200, keys.to_string()),
                    "/token" => match says.answer {
                        Some((status, body)) => Reply::new(status, body),
                        None => Reply::new(
                            200,
                            json!({
                                "access_token": "an-access-token", "token_type": "Bearer",
                                "id_token": says.id_token,
                            })
                            .to_string(),
                        ),
                    },
                    _ => Reply::new(404, "{}"),
                }
            })
        })
        .await;
        let url = service.url.clone();
        let sign_in = settings(&format!("providers:\n{}", oidc("corp", &url)));
        let reach = Reach { loopback: true, ..Reach::default() };
        let source = Source::Given(documents(policy));
        let setup = Setup { sign_in, reach, source, ..Setup::default() };
        let server = Server::for_browsers(setup).await;
        Self { server, issuer, url, says, _service: service }
    }

    /// Its metadata are other in this.
    fn publishes(&self, metadata: Value) {
        self.says.lock().unwrap().metadata = metadata;
    }

    /// Its token endpoint answers this.
    fn answers(&self, status: u16, body: &str) {
        self.says.lock().unwrap().answer = Some((status, body.to_owned()));
    }

    /// The claims of a good token, with these in their place.
    pub(super) fn claims(&self, nonce: &str, change: &Value) -> Value {
        let now = self.server.authority.clock().now().as_seconds();
        let mut claims = json!({
            "iss": self.url, "sub": "bob", "aud": "assent", "iat": now, "exp": now + 600,
            "nonce": nonce, "auth_time": now, "groups": ["release-managers"], "sid": "s1",
        });
        for (name, value) in change.as_object().unwrap() {
            match value.is_null() {
                true => drop(claims.as_object_mut().unwrap().remove(name)),
                false => claims[name] = value.clone(),
            }
        }
        claims
    }

    /// Signs in with a token of which these claims and this of the header are other.
    pub(super) async fn sign_in(&self, header: Value, change: Value) -> (Browser, Answer) {
        let mut browser = Browser::new(&self.server);
        let to = browser.led("/login/corp/begin").await;
        let sent = |name: &str| {
            let url = url::Url::parse(&to).unwrap();
            url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
        };
        let claims = self.claims(&sent("nonce"), &change);
        self.says.lock().unwrap().id_token = self.issuer.sign(header, &claims);
        let state = sent("state");
        let answer = browser.get(&format!("/login/corp/callback?code=c&state={state}")).await;
        (browser, answer)
    }

    async fn refuses(&self, header: Value, change: Value, why: &str) {
        let (browser, answer) = self.sign_in(header.clone(), change.clone()).await;
        assert!([403, 502].contains(&answer.status), "{header} {change}: {answer:?}");
        assert!(answer.text.contains(why), "{header} {change}: {}", answer.text);
        assert!(browser.cookie("assent").is_none(), "{header} {change}");
    }
}

#[tokio::test]
async fn t24_t65_an_identity_token_that_is_another_in_anything_signs_nobody_in() {
    let liar = Liar::start().await;
    let (browser, answer) = liar.sign_in(json!({}), json!({})).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert!(browser.cookie("assent").is_some(), "the good one is good");
    let now = liar.server.authority.clock().now().as_seconds();
    for (change, why) in [
        (json!({"iss": "https://evil.example"}), "of the issuer"),
        (json!({"aud": "somebody-else"}), "not for this client alone"),
        (json!({"aud": ["assent", "somebody-else"]}), "not for this client alone"),
        (json!({"azp": "somebody-else"}), "issued to another client"),
        (json!({"nonce": "another"}), "nonce differs"),
        (json!({"nonce": null}), "nonce differs"),
        (json!({"at_hash": "AAAA"}), "another access token"),
        (json!({"exp": now - 61}), "expired"),
        (json!({"exp": null}), "`exp` is missing"),
        (json!({"iat": null}), "`iat` is missing"),
        (json!({"iat": now + 120, "exp": now + 600}), "not valid before"),
        (json!({"iat": now - 700}), "issued too long ago"),
        (json!({"auth_time": now + 120}), "not valid before"),
        (json!({"auth_time": "now"}), "`auth_time` is missing"),
        (json!({"sub": null}), "`sub` is missing"),
        (json!({"sub": "b\u{202e}ob"}), "name nobody"),
        (json!({"events": {}}), "no identity token"),
    ] {
        liar.refuses(json!({}), change, why).await;
    }
    for (header, why) in [
        (json!({"alg": "none"}), "alg is none"),
        (json!({"alg": "HS256"}), "alg is none"),
        (json!({"alg": "RS256"}), "its key is for"),
        (json!({"kid": "another"}), "does not publish"),
        (json!({"typ": "at+jwt"}), "no identity token"),
        (json!({"typ": "logout+jwt"}), "typ is none"),
        (json!({"jku": "https://evil.example"}), "only alg"),
    ] {
        liar.refuses(header, json!({}), why).await;
    }
}

#[tokio::test]
async fn t65_an_answer_of_another_provider_is_none() {
    let liar = Liar::start().await;
    let to = |browser: Browser| async move {
        let mut browser = browser;
        let to = browser.led("/login/corp/begin").await;
        let url = url::Url::parse(&to).unwrap();
        let state = url.query_pairs().find(|(key, _)| key == "state").unwrap().1.into_owned();
        (browser, state)
    };
    let (mut browser, state) = to(Browser::new(&liar.server)).await;
    let path = format!("/login/corp/callback?code=c&state={state}&iss=https://evil.example");
    let answer = browser.get(&path).await.is(403);
    assert!(answer.text.contains("another provider"), "{}", answer.text);
    // Whoever says that they always name themselves must (RFC 9207).
    liar.publishes(json!({"authorization_response_iss_parameter_supported": true}));
    liar.server.time().pass(Span::minutes(6));
    let (mut browser, state) = to(Browser::new(&liar.server)).await;
    let answer = browser.get(&format!("/login/corp/callback?code=c&state={state}")).await.is(403);
    assert!(answer.text.contains("another provider"), "{}", answer.text);
}

#[tokio::test]
async fn t27_a_providers_metadata_leads_nowhere_that_is_not_allowed() {
    for metadata in [
        json!({"issuer": "https://evil.example"}),
        json!({"token_endpoint": "http://169.254.169.254/token"}),
        json!({"token_endpoint": "file:///etc/passwd"}),
        json!({"jwks_uri": "http://10.0.0.1/keys"}),
        json!({"authorization_endpoint": "javascript:alert(1)"}),
        json!({"authorization_endpoint": "http://evil.example/"}),
        json!({"authorization_endpoint": null}),
    ] {
        let liar = Liar::start().await;
        liar.publishes(metadata.clone());
        let mut browser = Browser::new(&liar.server);
        let begun = browser.get("/login/corp/begin").await;
        if begun.status == 303 {
            let (browser, answer) = liar.sign_in(json!({}), json!({})).await;
            assert_eq!(answer.status, 502, "{metadata}: {}", answer.text);
            assert!(browser.cookie("assent").is_none());
        } else {
            assert_eq!(begun.status, 502, "{metadata}: {}", begun.text);
        }
    }
}

#[tokio::test]
async fn what_a_token_endpoint_says_is_read_strictly() {
    let liar = Liar::start().await;
    for (status, body) in [
        (200, "{}"),
        (200, "[]"),
        (200, "not json"),
        (200, r#"{"access_token":"a","token_type":"Bearer"}"#),
        (200, r#"{"access_token":"a","token_type":"mac","id_token":"x.y.z"}"#),
        (200, r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#),
        (302, "{}"),
        (500, "{}"),
        (400, r#"{"error":"invalid_grant"}"#),
        (200, r#"{"error":"<script>alert(1)</script>"}"#),
    ] {
        liar.answers(status, body);
        let (browser, answer) = liar.sign_in(json!({}), json!({})).await;
        assert!([403, 502].contains(&answer.status), "{body}: {answer:?}");
        assert!(browser.cookie("assent").is_none() && !answer.text.contains("<script>"), "{body}");
    }
}

#[tokio::test]
async fn without_a_moment_a_sign_in_is_one_and_never_a_recent_one() {
    let liar = Liar::start().await;
    let (mut browser, answer) = liar.sign_in(json!({}), json!({"auth_time": null})).await;
    assert_eq!(answer.status, 303);
    assert!(browser.get("/settings").await.text.contains("not lately"));
}
