//! A certified OpenID provider of somebody else's as issuer: real metadata, keys and tokens, rotation
//! and outage.

use super::*;
use crate::support::{Provider, Remains};

/// Trusts the provider's client `robot`, with what is written besides.
fn robot(issuer: &str, more: &str) -> String {
    format!(
        "  robot:
    issuer: {issuer}
    audience: {AUDIENCE}
    claims: {{sub: robot}}
    groups: [deployers]
    may_ask: {{kinds: [\"**\"], environments: [production]}}
    {more}
"
    )
}

async fn provided(more: &str) -> (Provider, Server) {
    let time = Remains::fresh().time;
    let provider = Provider::start(0, &time).await;
    let server = ruled_by(&rules(&robot(&provider.url, more))).await;
    (provider, server)
}

#[tokio::test]
async fn a_certified_provider_is_an_issuer_like_any_other() {
    let (mut provider, server) = provided("single_use: true").await;
    let token = provider.token(AUDIENCE).await;
    let caller = workload(&server, &token).await;
    let who = caller.client.whoami().await.unwrap();
    assert_eq!((who.principal.iss, who.principal.sub.as_str()), (provider.url.clone(), "robot"));
    refused(&presented(&server, &token).await, 400, "invalid_grant");
    for other in ["https://elsewhere.example.com", "https://assent.example.com/"] {
        let token = provider.token(other).await;
        refused(&presented(&server, &token).await, 400, "invalid_grant");
    }
}

#[tokio::test]
async fn t29_the_rotation_of_a_certified_provider_is_followed() {
    let (mut provider, server) = provided("").await;
    let old = provider.token(AUDIENCE).await;
    presented(&server, &old).await.is(200);
    // With overlap: both keys are published, the new one signs.
    provider.rotate(2).await;
    let new = provider.token(AUDIENCE).await;
    server.time().pass(Span::seconds(60));
    presented(&server, &new).await.is(200);
    presented(&server, &old).await.is(200);
    // Without: the old ones are gone, and what they signed with them.
    provider.rotate(1).await;
    let newest = provider.token(AUDIENCE).await;
    server.time().pass(Span::seconds(60));
    presented(&server, &newest).await.is(200);
    for gone in [&old, &new] {
        refused(&presented(&server, gone).await, 400, "invalid_grant");
    }
}

#[tokio::test]
async fn t30_the_outage_of_a_certified_provider_is_bridged_for_an_hour() {
    let (mut provider, server) = provided("").await;
    let token = provider.token(AUDIENCE).await;
    presented(&server, &token).await.is(200);
    let port = provider.port();
    provider.kill().await;
    server.time().pass(Span::minutes(59));
    presented(&server, &token).await.is(200);
    server.time().pass(Span::minutes(1));
    refused(&presented(&server, &token).await, 503, "temporarily_unavailable");
    // It comes back with other keys: what the lost ones signed is not believed any more.
    let mut provider = Provider::start(port, server.time()).await;
    provider.rotate(1).await;
    let fresh = provider.token(AUDIENCE).await;
    server.time().pass(Span::seconds(10));
    presented(&server, &fresh).await.is(200);
    refused(&presented(&server, &token).await, 400, "invalid_grant");
}
