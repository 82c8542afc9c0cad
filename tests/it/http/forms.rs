//! That nothing changes by a form that none of our pages sent in this session, whatever it is for.

use super::signed::server;
use crate::pages::{Browser, field};
use crate::support::{Answer, sent};

/// Forms of whoever is not signed in: there is no session whose token they could carry.
const STRANGERS: [&str; 6] = [
    "/bootstrap/{code}",
    "/login",
    "/login/passkey",
    "/login/passkey/challenge",
    "/login/{code}",
    "/login/{provider}/logout",
];
/// What a script asks for without a form, from our own pages alone.
const BY_SCRIPT: &str = "/login/passkey/again/challenge";
/// What forms say, so that none is refused for what it lacks.
const SAID: [&str; 38] = [
    "account",
    "at",
    "attestation",
    "authenticator_data",
    "client_data",
    "code",
    "comment",
    "context",
    "credential_id",
    "digest",
    "environment",
    "expires_after",
    "from",
    "github",
    "id",
    "json",
    "kind",
    "name",
    "next",
    "organization",
    "person",
    "plan",
    "provider",
    "quiet_from",
    "quiet_to",
    "read_all",
    "reason",
    "reason_digest",
    "scope",
    "sealed",
    "signature",
    "statement",
    "target",
    "to",
    "until",
    "urgent_waits",
    "verdict",
    "zone",
];

/// The addresses of pages that take forms, as the router has them.
fn takers() -> Vec<&'static str> {
    let router = include_str!("../../../server/src/web.rs");
    let lines = router.lines().filter(|line| line.contains(".route(") && line.contains("post("));
    let paths = lines.map(|line| line.split('"').nth(1).unwrap());
    paths.filter(|path| !STRANGERS.contains(path)).collect()
}

/// Whether it was refused for where it comes from, and not for what it asks.
fn is_refused(answer: &Answer) -> bool {
    answer.status == 403 && answer.text.contains("did not come from a page of yours")
}

#[tokio::test]
async fn t62_no_page_takes_a_form_of_another_session_or_origin() {
    let server = server("passkey").await;
    let (bob, carol) = (Browser::of(&server, "bob").await, Browser::of(&server, "carol").await);
    let csrf = field(&bob.get("/settings/passkeys").await.text, "csrf");
    let carols = field(&carol.get("/settings/passkeys").await.text, "csrf");
    let takers = takers();
    assert!(takers.len() > 20, "{takers:?}");
    let own = [("csrf", csrf.as_str()), ("name", "x")];
    let call = server.stranger().call("POST", "/settings/passkeys/x/rename").form(&own);
    let call = call.header("origin", server.base()).header("cookie", &bob.cookie);
    let own = sent(call).await;
    assert!(!is_refused(&own), "a form of ours is taken for what it says: {}", own.text);
    for taker in takers {
        let path = taker.replace("{id}", "x");
        let send = async |origin: &str, csrf: Option<&str>| {
            let said = SAID.iter().map(|name| match *name {
                "verdict" => (*name, "approve"),
                _ => (*name, "x"),
            });
            let fields: Vec<_> = said.chain(csrf.map(|csrf| ("csrf", csrf))).collect();
            let call = server.stranger().call("POST", &path).header("origin", origin);
            sent(call.header("cookie", &bob.cookie).form(&fields)).await
        };
        let foreign = send("https://evil.example.com", Some(&csrf)).await;
        assert!(is_refused(&foreign), "{taker}: {}", foreign.text);
        if taker == BY_SCRIPT {
            continue;
        }
        for other in [None, Some(""), Some("00"), Some(carols.as_str())] {
            let answer = send(server.base(), other).await;
            assert!(is_refused(&answer), "{taker} with {other:?}: {}", answer.text);
        }
    }
}
