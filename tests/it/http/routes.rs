//! Every route, from the table that the router is made of.

use assent_server::api::{Method, ROUTES, Route};
use serde_json::json;

use crate::support::{POLICY, Server, policy, sent};

/// How each route is called, in turn.
fn verbs(route: &Route) -> &'static [&'static str] {
    match route.method {
        Method::Get | Method::Public => &["GET"],
        Method::Post | Method::Change | Method::Form | Method::Door | Method::Grant => &["POST"],
        Method::GetAndPost => &["GET", "POST"],
        Method::Bytes => &["GET", "PUT"],
        Method::Entry => &["GET", "PUT", "DELETE"],
    }
}

/// Its path, about something that could be there.
fn filled(route: &Route) -> String {
    route.path.replace("{id}", "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z").replace("{name}", "some.yaml")
}

fn is_open(route: &Route) -> bool {
    matches!(route.method, Method::Public | Method::Door | Method::Grant)
}

#[tokio::test]
async fn every_route_but_the_public_ones_wants_a_token() {
    let server = Server::start().await;
    let stranger = server.stranger();
    let mut seen = 0;
    for route in ROUTES {
        let path = filled(route);
        for verb in verbs(route) {
            let call = stranger.call(verb, &path).header("idempotency-key", "a-key-of-ours");
            let call = match (*verb, route.method) {
                ("POST", Method::Form | Method::Grant) => call.form(&[("token", "x")]),
                ("POST" | "PUT", _) => call.json(&json!({})),
                _ => call,
            };
            let answer = sent(call).await;
            seen += 1;
            if is_open(route) {
                assert_ne!(answer.status, 401, "{route:?}: {answer:?}");
                assert_ne!(answer.status, 404, "{route:?}: {answer:?}");
                continue;
            }
            assert_eq!(answer.headers["www-authenticate"], "Bearer", "{route:?}");
            let told = match route.method == Method::Form {
                true => answer.refuses_in_oauth(401, "invalid_client"),
                false => answer.refuses(401, "no_token"),
            };
            assert!(told.contains("Authorization: Bearer assent_"), "{told}");
        }
    }
    assert_eq!(seen, ROUTES.len() + 6 + 6 * 2, "six paths have two verbs, six have three");
}

/// Who is let in without a token is a decision, so it is written down twice.
#[test]
fn the_open_routes_are_these() {
    let open: Vec<_> = ROUTES.iter().filter(|route| is_open(route)).map(|r| r.path).collect();
    let known = [
        "/v1/bootstrap",
        "/oauth/token",
        "/oauth/device_authorization",
        "/.well-known/authzen-configuration",
        "/.well-known/jwks.json",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
        "/webhooks/github",
        "/v1/openapi.json",
        "/healthz",
        "/readyz",
    ];
    assert_eq!(open, known);
}

#[tokio::test]
async fn every_changing_route_wants_an_idempotency_key() {
    let server = Server::start().await;
    let root = server.administrator().await;
    for route in ROUTES {
        if !matches!(route.method, Method::Change | Method::GetAndPost) {
            continue;
        }
        let path = filled(route);
        let bare = sent(root.call("POST", &path).json(&json!({}))).await;
        bare.refuses(400, "no_idempotency_key");
        let short = root.call("POST", &path).header("idempotency-key", "short").json(&json!({}));
        sent(short).await.refuses(400, "no_idempotency_key");
    }
}

#[tokio::test]
async fn paths_that_are_none_and_verbs_that_do_not_fit_are_told_apart() {
    let server = Server::start().await;
    let root = server.administrator().await;
    assert_eq!(root.get("/v1/nothing").await.status, 404);
    assert_eq!(root.get("/v2/requests").await.status, 404);
    for route in ROUTES {
        let path = filled(route);
        let answer = sent(root.call("PATCH", &path)).await;
        assert_eq!(answer.status, 405, "{route:?}: {answer:?}");
    }
}

#[tokio::test]
async fn health_keys_and_metadata_are_for_everybody() {
    let server = Server::start().await;
    let stranger = server.stranger();
    let health = stranger.get("/healthz").await.is(200).json();
    let revision = policy(POLICY).revision().to_string();
    assert_eq!(
        (&health["status"], &health["policy"]["revision"]),
        (&json!("ok"), &json!(revision))
    );
    assert_eq!(health["policy"].get("problem"), None);
    assert_eq!(stranger.get("/readyz").await.is(200).text, "ok\n");
    let metadata = stranger.get("/.well-known/openid-configuration").await.is(200).json();
    assert_eq!(metadata["issuer"], server.base());
    assert_eq!(metadata["jwks_uri"], format!("{}/.well-known/jwks.json", server.base()));
    let keys = stranger.get("/.well-known/jwks.json").await.is(200).json();
    let key = &keys["keys"][0];
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"]),
        (&json!("EC"), &json!("P-256"), &json!("ES256"))
    );
    assert!(key.get("d").is_none(), "a private key is public");
}
