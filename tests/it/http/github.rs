//! The GitHub App at the authority: whose webhooks are taken, and how the App is made.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use assent_core::credential::Secret;
use assent_server::github::{Place, Settings};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::net::TcpListener;

use crate::pages::{Browser, field};
use crate::support::{Answer, Server, Setup, sent};

const SECRET: &str = "0123456789abcdef";
const BODY: &str = r#"{"action":"requested","environment":"prod"}"#;

fn pem() -> String {
    let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = key.as_der().unwrap();
    let text = STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

async fn an_app() -> Server {
    let settings = Settings {
        app_id: 7,
        slug: "assent".to_owned(),
        private_key: Secret::new(pem()),
        webhook_secret: Secret::new(SECRET.to_owned()),
        place: Place::at("https://github.com").unwrap(),
        require_app: true,
        between_writes: Duration::ZERO,
        patience: Duration::from_secs(10),
        deployment_statuses: false,
        ca_file: None,
    };
    Server::set_up(Setup { github: Some(settings), ..Setup::default() }).await
}

fn signature(secret: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, body.as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

async fn deliver(server: &Server, id: &str, signature: Option<&str>, body: &str) -> Answer {
    let mut call = server
        .stranger()
        .call("POST", "/webhooks/github")
        .header("x-github-delivery", id)
        .header("x-github-event", "deployment_protection_rule")
        .header("content-type", "application/json")
        .body(body.to_owned());
    if let Some(signature) = signature {
        call = call.header("x-hub-signature-256", signature);
    }
    sent(call).await
}

#[tokio::test]
async fn t32_a_webhook_that_is_not_signed_is_not_taken() {
    let server = an_app().await;
    let good = signature(SECRET, BODY);
    let wrong = signature("another secret of 16", BODY);
    deliver(&server, "one", None, BODY).await.refuses(401, "not_signed");
    deliver(&server, "one", Some(&wrong), BODY).await.refuses(401, "not_signed");
    let changed = BODY.replace("prod", "test");
    deliver(&server, "one", Some(&good), &changed).await.refuses(401, "not_signed");
    let text = "payload=x";
    deliver(&server, "one", Some(&signature(SECRET, text)), text).await.refuses(400, "no_delivery");
    // None of those was remembered: the first that is proven is the first.
    let ledger = server.authority.ledger();
    let now = server.authority.clock().now();
    assert!(ledger.remember_delivery("one", now).await.unwrap());
}

#[tokio::test]
async fn t33_a_delivery_that_comes_again_is_taken_once() {
    let server = an_app().await;
    let good = signature(SECRET, BODY);
    for _ in 0..3 {
        assert_eq!(deliver(&server, "one", Some(&good), BODY).await.status, 200);
    }
    let now = server.authority.clock().now();
    let is_new = server.authority.ledger().remember_delivery("one", now).await.unwrap();
    assert!(!is_new, "it was remembered");
}

#[tokio::test]
async fn t68_a_delivery_that_is_too_large_is_not_read() {
    let server = an_app().await;
    let large = format!("{{\"x\":\"{}\"}}", "a".repeat(1024 * 1024));
    let answer = deliver(&server, "one", Some(&signature(SECRET, &large)), &large).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn without_an_app_nothing_is_heard() {
    let server = Server::start().await;
    let good = signature(SECRET, BODY);
    deliver(&server, "one", Some(&good), BODY).await.refuses(503, "no_github_app");
}

/// A GitHub that makes Apps for one code, and counts.
async fn making(pem: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let convert = move |Path(code): Path<String>| {
        seen.lock().unwrap().push(code);
        let made = json!({
            "id": 99, "slug": "assent-acme", "pem": pem, "webhook_secret": SECRET,
            "client_secret": "canary", "owner": {"login": "acme"},
        });
        async move { (StatusCode::CREATED, axum::Json(made)) }
    };
    let router = Router::new().route("/api/v3/app-manifests/{code}/conversions", post(convert));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, asked)
}

/// A browser in which an administrator is signed in.
async fn administrator(server: &Server) -> Browser {
    let code = server.authority.open_bootstrap().await.unwrap().unwrap();
    let caller = server.stranger();
    let form = [("sub", "root")];
    let door = format!("/bootstrap/{}", code.expose());
    let page = sent(caller.call("POST", &door).header("origin", server.base()).form(&form)).await;
    let token = page.text.split("<pre class=\"token\">").nth(1).unwrap();
    let token = token.split('<').next().unwrap();
    let form = [("token", token)];
    let login = caller.call("POST", "/login").header("origin", server.base()).form(&form);
    let answer = sent(login).await;
    let cookie =
        answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    Browser { caller, base: server.base().to_owned(), cookie }
}

async fn begin(browser: &Browser, csrf: &str, github: &str) -> Answer {
    let form = [("csrf", csrf), ("organization", "acme"), ("github", github)];
    let call = browser.caller.call("POST", "/admin/github").form(&form);
    sent(call.header("cookie", &browser.cookie).header("origin", &browser.base)).await
}

#[tokio::test]
async fn an_administrator_makes_the_app_once_by_the_code_of_the_github_they_went_to() {
    let data = tempfile::tempdir().unwrap();
    let (github, asked) = making(pem()).await;
    let kept = Some(data.path().to_owned());
    let server = Server::set_up(Setup { github_kept_in: kept, ..Setup::default() }).await;
    let browser = administrator(&server).await;
    let page = browser.get("/admin/github?organization=acme").await;
    assert!(page.text.contains("to approve or reject what waits"), "{}", page.text);
    let policy =
        |answer: &Answer| answer.headers["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy(&page).contains("form-action 'self'"));
    let csrf = field(&page.text, "csrf");

    assert_eq!(begin(&browser, "wrong", &github).await.status, 403);
    let begun = begin(&browser, &csrf, &github).await;
    assert!(policy(&begun).contains(&format!("form-action {github};")), "{}", policy(&begun));
    assert!(!policy(&begun).contains("form-action 'self'"));
    let form = format!("{github}/organizations/acme/settings/apps/new?state=");
    let state = begun.text.split(&form).nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(begun.text.contains("deployment_protection_rule"));

    // Another state, another person: nothing is asked, and what was begun still stands.
    let back = |state: &str| format!("/admin/github/callback?code=c0de&state={state}");
    assert_eq!(browser.get(&back("guessed")).await.status, 403);
    let other = Browser::of(&server, "mallory").await;
    assert_eq!(other.get(&back(&state)).await.status, 403);
    assert!(asked.lock().unwrap().is_empty());

    let done = browser.get(&back(&state)).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert!(done.text.contains("assent-acme") && !done.text.contains("PRIVATE"), "{}", done.text);
    assert_eq!(*asked.lock().unwrap(), ["c0de"]);
    let app = server.authority.github().unwrap();
    assert_eq!((app.app_id(), app.slug()), (99, "assent-acme"));
    // It hears at once, and is kept where nobody reads it.
    let good = signature(SECRET, BODY);
    assert_eq!(deliver(&server, "one", Some(&good), BODY).await.status, 200);
    let kept = std::fs::read(data.path().join("github-app")).unwrap();
    let kept = String::from_utf8_lossy(&kept);
    assert!(!kept.contains("PRIVATE") && !kept.contains(SECRET));
    let entries = server.authority.ledger().entries(0, 1000).await.unwrap();
    let made: Vec<_> = entries.iter().filter(|e| e["type"] == "github_app_made").collect();
    assert_eq!(made.len(), 1, "{entries:#?}");
    assert_eq!((&made[0]["app"], &made[0]["by"]["sub"]), (&json!("99"), &json!("root")));
    // Once.
    assert_eq!(browser.get(&back(&state)).await.status, 409);
    assert_eq!(begin(&browser, &csrf, &github).await.status, 409);
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn only_an_administrator_sees_how_the_app_is_made() {
    let server = Server::start().await;
    let person = Browser::of(&server, "alice").await;
    assert_eq!(person.get("/admin/github").await.status, 403);
    let root = administrator(&server).await;
    let csrf = field(&root.get("/admin/github").await.text, "csrf");
    // A GitHub over http elsewhere, with a path, or none: no secret goes there.
    for github in ["http://github.example.com", "https://github.com/acme", "github.com", ""] {
        assert_eq!(begin(&root, &csrf, github).await.status, 422, "{github}");
    }
    assert_eq!(begin(&root, &csrf, "https://github.com").await.status, 409, "nothing is kept");
}
