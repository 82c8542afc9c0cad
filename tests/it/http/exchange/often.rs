//! Who presents tokens too often: asked to wait in OAuth's words, and nobody else with them.

use assent_server::network::Proxies;
use assent_server::rates::{Rate, Rates};

use super::*;
use crate::support::sent;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A server behind a proxy, that lets everybody present three tokens, and one more each four seconds.
async fn patient(trusts: &str) -> Server {
    let tokens = Rate { burst: 3, each: Span::seconds(4) };
    let setup = Setup {
        source: Source::Given(documents(&rules(trusts))),
        reach: lenient(),
        rates: Rates { tokens, ..Rates::default() },
        proxies: Proxies::new(vec!["127.0.0.0/8".parse().unwrap()], None),
        ..Setup::default()
    };
    Server::set_up(setup).await
}

/// What whoever is at this address is answered.
async fn from(server: &Server, ip: &str, fields: &[(&str, &str)]) -> Answer {
    let call = server.stranger().call("POST", "/oauth/token");
    sent(call.header("x-forwarded-for", ip).form(fields)).await
}

async fn exchanged(server: &Server, ip: &str, token: &str) -> Answer {
    let kind = "urn:ietf:params:oauth:token-type:jwt";
    let fields = [("grant_type", EXCHANGE), ("subject_token", token), ("subject_token_type", kind)];
    from(server, ip, &fields).await
}

async fn polled(server: &Server, ip: &str, code: &str) -> Answer {
    let fields = [("grant_type", DEVICE), ("device_code", code), ("client_id", "assent-cli")];
    from(server, ip, &fields).await
}

/// RFC 6749 section 5.2 in form, RFC 6585 section 4 in status.
#[track_caller]
fn waits(answer: &Answer, seconds: &str) {
    refused(answer, 429, "temporarily_unavailable");
    assert_eq!(answer.headers["retry-after"], seconds, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/json", "{answer:?}");
    assert!(!answer.str("error_description").is_empty(), "{answer:?}");
    assert!(answer.json().get("code").is_none(), "no problem of ours: {answer:?}");
}

#[tokio::test]
async fn t68_who_exchanges_too_often_is_asked_to_wait_and_nobody_else() {
    let (issuer, other) = (Issuer::start().await, Issuer::start().await);
    let trusts = github(&issuer.url, "acme", "") + &github(&other.url, "other", "");
    let server = patient(&trusts).await;
    let (here, elsewhere) = ("203.0.113.9", "203.0.113.10");
    let good = || job(&issuer, json!({}));
    for _ in 0..3 {
        exchanged(&server, here, &good()).await.is(200);
    }
    let kept = good();
    waits(&exchanged(&server, here, &kept).await, "4");
    // Others, and what the same caller has of another issuer, are not kept waiting.
    exchanged(&server, elsewhere, &good()).await.is(200);
    exchanged(&server, here, &job(&other, json!({}))).await.is(200);
    // Names that are made up share one bucket; they make no room.
    for made_up in 0..3 {
        let claims = json!({"iss": format!("https://made-up-{made_up}.example.com")});
        refused(&exchanged(&server, here, &job(&issuer, claims)).await, 400, "invalid_grant");
    }
    let another = json!({"iss": "https://made-up-9.example.com"});
    waits(&exchanged(&server, here, &job(&issuer, another)).await, "4");
    server.time().pass(Span::from_millis(1_500));
    waits(&exchanged(&server, here, &kept).await, "3");
    server.time().pass(Span::from_millis(2_500));
    // What was turned away was not spent.
    exchanged(&server, here, &kept).await.is(200);
    waits(&exchanged(&server, here, &good()).await, "4");
}

#[tokio::test]
async fn t68_who_polls_too_often_is_asked_to_wait_and_nobody_else() {
    let server = patient("  {}").await;
    let client = [("client_id", "assent-cli")];
    let begun = server.stranger().form("/oauth/device_authorization", &client).await.is(200);
    let code = begun.str("device_code");
    let (here, elsewhere) = ("203.0.113.9", "2001:db8::9");
    refused(&polled(&server, elsewhere, &code).await, 400, "authorization_pending");
    for _ in 0..3 {
        refused(&polled(&server, here, "nobody's").await, 400, "invalid_grant");
    }
    waits(&polled(&server, here, "nobody's").await, "4");
    server.time().pass(Span::seconds(3));
    refused(&polled(&server, elsewhere, &code).await, 400, "authorization_pending");
    waits(&polled(&server, here, &code).await, "1");
    server.time().pass(Span::seconds(1));
    refused(&polled(&server, here, &code).await, 400, "slow_down");
}

#[tokio::test]
async fn t68_the_client_learns_how_long_to_wait() {
    let issuer = Issuer::start().await;
    let server = patient(&github(&issuer.url, "acme", "")).await;
    let present = async || {
        let subject = Secret::new(job(&issuer, json!({})));
        server.stranger().client.exchange(&subject).await
    };
    for _ in 0..3 {
        present().await.unwrap();
    }
    let error = present().await.unwrap_err();
    assert_eq!(
        (error.kind, error.code()),
        (ErrorKind::Unavailable, Some("temporarily_unavailable"))
    );
    assert_eq!((error.retryable, error.wait.map(|wait| wait.as_secs())), (true, Some(4)));
    server.time().pass(Span::seconds(4));
    present().await.unwrap();
}
