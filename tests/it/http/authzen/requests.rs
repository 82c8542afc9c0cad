//! The access request profile: a denial says how to ask, asking is filing, and what was approved is
//! what is permitted: exactly that, for its requester, while it stands.

use assent_core::time::Span;
use assent_server::app::authzen::Authzen;
use serde_json::{Value, json};

use super::{EVALUATION, REQUESTS, ask, decided, own, ruled_by};
use crate::support::{Answer, Caller, Server, fresh_key, mint, sent};

const KIND: &str = "urn:openid:authzen:access-request:error:";

async fn start() -> Server {
    Server::deciding(Authzen { access_request: true, ..Authzen::default() }).await
}

/// The evaluation, denied, and the submission that asks for it.
async fn denied(who: &Caller, evaluation: &Value) -> Value {
    let said = decided(who, evaluation).await;
    assert_eq!(said["decision"], false, "{said}");
    let how = &said["context"]["access_request"];
    let mut body = evaluation.clone();
    body["denial"] = json!({
        "binding_token": how["binding_token"], "expires_at": how["expires_at"],
        "evaluation_id": said["context"]["evaluation_id"], "reason": said["context"]["reason"],
    });
    body
}

async fn submit(who: &Caller, body: &Value) -> Answer {
    who.post(REQUESTS, body).await
}

/// Checks that it is a problem of the profile, and gives what it says.
#[track_caller]
fn refuses(answer: Answer, status: u16, code: &str) -> String {
    assert_eq!(answer.json()["type"], format!("{KIND}{code}"), "{answer:?}");
    answer.refuses(status, code)
}

async fn approve(who: &Caller, id: &str) {
    let request = who.get(&format!("/v1/requests/{id}")).await.is(200).json();
    let review = json!({"verdict": "approve", "digest": request["digest"], "comment": ""});
    who.post(&format!("/v1/requests/{id}/reviews"), &review).await.is(200);
}

/// Denied, asked for and approved by bob: the task's id and the approval.
async fn approved(server: &Server, who: &Caller, evaluation: &Value) -> (String, Value) {
    let body = denied(who, evaluation).await;
    let task = submit(who, &body).await.is(202).json();
    let id = task["task"]["id"].as_str().unwrap().to_owned();
    approve(&server.person("bob").await, &id).await;
    let done = who.get(&format!("{REQUESTS}/{id}")).await.is(200).json();
    assert_eq!(
        (&done["task"]["status"], &done["result"]["mode"]),
        (&json!("approved"), &json!("reevaluate"))
    );
    (id, done["result"]["approval"].clone())
}

fn with_approval(evaluation: &Value, approval: &Value) -> Value {
    let mut body = evaluation.clone();
    body["context"]["approval"] = approval.clone();
    body
}

#[tokio::test]
async fn it_is_off_unless_switched_on() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let said = decided(&alice, &own("alice", "one")).await;
    assert!(said["context"].get("access_request").is_none(), "{said}");
    submit(&alice, &own("alice", "one")).await.refuses(404, "not_supported");
    let path = format!("{REQUESTS}/req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z");
    alice.get(&path).await.refuses(404, "not_supported");
    alice.post(&format!("{path}/cancel"), &json!({})).await.refuses(404, "not_supported");
}

#[tokio::test]
async fn the_metadata_says_where_to_ask_and_which_keys_sign() {
    let server = start().await;
    let said = server.stranger().get("/.well-known/authzen-configuration").await.is(200).json();
    assert_eq!(said["access_request_endpoint"], format!("{}{REQUESTS}", server.base()));
    assert_eq!(said["jwks_uri"], format!("{}/.well-known/jwks.json", server.base()));
    assert_eq!(said["capabilities"], json!(["urn:openid:authzen:capability:access-request"]));
}

#[tokio::test]
async fn denied_asked_approved_and_permitted_until_it_is_over() {
    let server = start().await;
    let (alice, bob, carol) = server.people().await;
    let mut evaluation = own("alice", "production");
    evaluation["context"] = json!({"ticket": "OPS-1", "time": "2026-11-21T00:00:00Z"});
    let mut body = denied(&alice, &evaluation).await;
    body["context"]["business_justification"] = json!("the release of today");
    body["client"] = json!({"id": "gateway", "actor": {"id": "agent-7"}});
    body["requested_access"] = json!({"emergency": true});
    let filed = submit(&alice, &body).await.is(202);
    let task = filed.json()["task"].clone();
    assert_eq!(filed.headers["location"].to_str().unwrap(), task["status_endpoint"]);
    assert_eq!((&task["status"], &task["progress"]["total_steps"]), (&json!("pending"), &json!(1)));
    assert_eq!(task["progress"]["awaiting"], json!(["group:release-managers"]));
    let id = task["id"].as_str().unwrap();
    let path = format!("{REQUESTS}/{id}");

    // It is a request like any other: people see all of it and decide.
    let request = bob.get(&format!("/v1/requests/{id}")).await.is(200).json();
    let intent = &request["intent"];
    assert_eq!(
        (&intent["kind"], &intent["environment"]),
        (&json!("terraform.apply"), &json!("production"))
    );
    assert_eq!(intent["target"], json!({"workspace": "payments"}));
    assert_eq!(intent["reason"], "the release of today");
    assert_eq!(intent["context"]["ticket"], "OPS-1");
    assert_eq!(intent["context"]["authzen"]["request"]["client"]["actor"]["id"], "agent-7");
    assert_eq!(request["requester"]["sub"], "alice");
    approve(&bob, id).await;
    let half = alice.get(&path).await.is(200);
    assert_eq!(
        (&half.json()["task"]["status"], half.headers["retry-after"].as_bytes()),
        (&json!("pending"), &b"5"[..])
    );
    approve(&carol, id).await;

    let done = alice.get(&path).await.is(200).json();
    assert_eq!(done["task"]["status"], "approved");
    let approval = &done["result"]["approval"];
    let mut again = with_approval(&evaluation, approval);
    again["context"]["time"] = json!("2026-11-21T00:30:00Z");
    let said = decided(&alice, &again).await;
    assert_eq!(said["decision"], true, "{said}");
    assert_eq!(said["context"]["approval"]["approved_until"], approval["approved_until"]);
    // Without it, and when its window has passed, it is asked for again.
    assert_eq!(decided(&alice, &evaluation).await["decision"], false);
    server.time().pass(Span::minutes(60));
    let late = decided(&alice, &again).await;
    assert_eq!(
        (&late["decision"], &late["context"]["reason"]),
        (&json!(false), &json!("approval_expired"))
    );
    assert_eq!(late["context"]["next_action"], "request");
    assert!(late["context"]["access_request"]["binding_token"].is_string());
    let after = alice.get(&path).await.is(200).json();
    assert_eq!(after["task"]["status"], "approved", "what was approved stays so");
    assert_eq!(after["result"]["approval"]["approved_until"], approval["approved_until"]);
}

#[tokio::test]
async fn an_approval_is_for_exactly_what_was_denied() {
    let server = start().await;
    let alice = server.person("alice").await;
    let mut evaluation = own("alice", "one");
    evaluation["context"] = json!({"ticket": "OPS-1"});
    let (_, approval) = approved(&server, &alice, &evaluation).await;
    let again = with_approval(&evaluation, &approval);
    assert_eq!(decided(&alice, &again).await["decision"], true);
    let mut why = again.clone();
    why["context"]["reason"] = json!("another");
    assert_eq!(decided(&alice, &why).await["decision"], true, "why is not what");
    for (place, value) in [
        ("/action/name", json!("helm.upgrade")),
        ("/resource/id", json!("payroll")),
        ("/resource/type", json!("repository")),
        ("/resource/properties", json!({"environment": "one", "engine": "postgres"})),
        ("/resource/properties", json!({"environment": "one", "size": 7})),
        ("/resource/properties", json!({"environment": "production"})),
        ("/subject", json!({"type": "user", "id": "alice"})),
        ("/subject", json!({"type": "person", "id": "alice", "properties": {"role": "admin"}})),
        ("/action", json!({"name": "terraform.apply", "properties": {}})),
        ("/context", json!({"ticket": "OPS-2", "approval": approval})),
        ("/context", json!({"approval": approval})),
        ("/context", json!({"ticket": "OPS-1", "force": true, "approval": approval})),
    ] {
        let mut other = again.clone();
        *other.pointer_mut(place).unwrap() = value.clone();
        let said = decided(&alice, &other).await;
        let context = &said["context"];
        assert_eq!(
            (&said["decision"], &context["reason"]),
            (&json!(false), &json!("out_of_scope")),
            "{place} {value}"
        );
        assert_eq!(context["next_action"], "request", "{said}");
    }
}

#[tokio::test]
async fn an_approval_is_for_its_requester() {
    let server = start().await;
    let (alice, eve) = (server.person("alice").await, server.person("eve").await);
    let evaluation = own("alice", "one");
    let (id, approval) = approved(&server, &alice, &evaluation).await;
    let stolen = decided(&eve, &with_approval(&own("eve", "one"), &approval)).await;
    assert_eq!(
        (&stolen["decision"], &stolen["context"]["reason"]),
        (&json!(false), &json!("approval_unverifiable"))
    );
    assert_eq!(stolen["context"]["next_action"], "none");
    assert!(stolen["context"].get("access_request").is_none());
    refuses(eve.get(&format!("{REQUESTS}/{id}")).await, 404, "unknown_task");
    refuses(eve.post(&format!("{REQUESTS}/{id}/cancel"), &json!({})).await, 404, "unknown_task");
    // Who may ask about alice may present what is hers; how to ask is for alice alone.
    let root = server.administrator().await;
    assert_eq!(decided(&root, &with_approval(&evaluation, &approval)).await["decision"], true);
    let said = decided(&root, &evaluation).await;
    assert_eq!((&said["decision"], said["context"].get("access_request")), (&json!(false), None));
}

#[tokio::test]
async fn an_approval_that_was_taken_back_or_used_up_stands_no_more() {
    let server = start().await;
    let alice = server.person("alice").await;
    let reason = |said: &Value| (said["decision"].clone(), said["context"]["reason"].clone());
    let over = (json!(false), json!("approval_expired"));

    let evaluation = own("alice", "one");
    let (id, approval) = approved(&server, &alice, &evaluation).await;
    alice.post(&format!("/v1/requests/{id}/revoke"), &json!({"reason": "no"})).await.is(200);
    assert_eq!(reason(&decided(&alice, &with_approval(&evaluation, &approval)).await), over);
    let task = alice.get(&format!("{REQUESTS}/{id}")).await.is(200).json();
    assert_eq!(task["task"]["status"], "approved");

    let mut evaluation = own("alice", "one");
    evaluation["resource"]["id"] = json!("billing");
    let (id, approval) = approved(&server, &alice, &evaluation).await;
    let again = with_approval(&evaluation, &approval);
    let request = alice.client.request(&id).await.unwrap();
    mint(&alice, &request).await.unwrap();
    assert_eq!(decided(&alice, &again).await["decision"], true, "its credential lives");
    alice.post(&format!("/v1/requests/{id}/complete"), &json!({})).await.is(200);
    assert_eq!(reason(&decided(&alice, &again).await), over);
}

#[tokio::test]
async fn policy_is_asked_anew_and_has_the_last_word() {
    let server = start().await;
    let alice = server.person("alice").await;
    let evaluation = own("alice", "one");
    let (_, approval) = approved(&server, &alice, &evaluation).await;
    let again = with_approval(&evaluation, &approval);
    let rules = |rule: &str, people: &str| {
        format!(
            "{{apiVersion: assent/v1, kind: Policy, metadata: {{name: n}}, groups: {{g: [{people}]}},
              rules: [{{id: r, when: {{intent.environment: one}}, {rule}}}]}}"
        )
    };
    let one = "require: {stages: [{name: s, approvals: 1, from: [group:g]}]}";
    let two = "require: {stages: [{name: s, approvals: 2, from: [group:g]}]}";
    for (rule, people, decision, reason) in [
        ("deny: {message: frozen}", "person:bob", false, Some("policy_denied")),
        ("allow: {}", "person:bob", true, None),
        // Those who approved must fill what is asked now, by who is in which group now.
        (two, "person:bob, person:carol", false, Some("approval_expired")),
        (one, "person:carol", false, Some("approval_expired")),
    ] {
        ruled_by(&server, &rules(rule, people));
        let said = decided(&alice, &again).await;
        let found = (&said["decision"], &said["context"]["reason"]);
        assert_eq!(found, (&json!(decision), &json!(reason)), "{rule}: {said}");
    }
    let elsewhere = rules(one, "person:bob");
    ruled_by(&server, &elsewhere.replace("{intent.environment: one}", "{intent.environment: two}"));
    let said = decided(&alice, &again).await;
    assert_eq!(
        (&said["decision"], &said["context"]["next_action"]),
        (&json!(false), &json!("none"))
    );
}

#[tokio::test]
async fn whom_an_escalation_added_fills_what_was_asked_and_nothing_else() {
    let server = start().await;
    let (alice, carol) = (server.person("alice").await, server.person("carol").await);
    let rules = |stage: &str| {
        format!(
            "{{apiVersion: assent/v1, kind: Policy, metadata: {{name: n}},
              groups: {{g: [person:bob], leads: [person:carol]}},
              rules: [{{id: r, when: {{intent.environment: one}}, require: {{
                stages: [{{name: {stage}, approvals: 1, from: [group:g]}}],
                escalate: {{after: 30m, to: [group:leads], then_expire_after: 1h}}}}}}]}}"
        )
    };
    ruled_by(&server, &rules("s"));
    let evaluation = own("alice", "one");
    let body = denied(&alice, &evaluation).await;
    let task = submit(&alice, &body).await.is(202).json();
    let id = task["task"]["id"].as_str().unwrap();
    server.time().pass(Span::minutes(30));
    approve(&carol, id).await;
    let done = alice.get(&format!("{REQUESTS}/{id}")).await.is(200).json();
    let again = with_approval(&evaluation, &done["result"]["approval"]);
    assert_eq!(decided(&alice, &again).await["decision"], true);
    ruled_by(&server, &rules("another"));
    let said = decided(&alice, &again).await;
    assert_eq!(said["context"]["reason"], "approval_expired", "{said}");
}

#[tokio::test]
async fn a_submission_must_be_bound_to_its_denial() {
    let server = start().await;
    let (alice, eve) = (server.person("alice").await, server.person("eve").await);
    let mut evaluation = own("alice", "one");
    evaluation["context"] = json!({"ticket": "OPS-1"});
    let good = denied(&alice, &evaluation).await;
    let token = good["denial"]["binding_token"].as_str().unwrap().to_owned();
    let hers = denied(&eve, &own("eve", "one")).await["denial"]["binding_token"].clone();
    let (head, tail) = token.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", tail.chars().rev().collect::<String>());
    let (_, payload) = head.split_once('.').unwrap();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}.");
    for (place, value) in [
        ("/denial", json!({})),
        ("/denial/binding_token", json!("")),
        ("/denial/binding_token", json!(forged)),
        ("/denial/binding_token", json!(unsigned)),
        ("/denial/binding_token", hers),
        ("/denial/expires_at", json!("2999-01-01T00:00:00Z")),
        ("/denial/expires_at", json!("soon")),
        ("/action/name", json!("database.session")),
        ("/resource/id", json!("payroll")),
        ("/resource/properties/environment", json!("production")),
        ("/context/ticket", json!("OPS-2")),
        ("/context", json!({})),
    ] {
        let mut body = good.clone();
        *body.pointer_mut(place).unwrap() = value.clone();
        let told = refuses(submit(&alice, &body).await, 400, "invalid_denial_binding");
        assert!(!told.is_empty(), "{place} {value}");
    }
    let mut foreign = good.clone();
    foreign["subject"]["id"] = json!("eve");
    submit(&alice, &foreign).await.refuses(403, "foreign_subject");
    submit(&eve, &good).await.refuses(403, "foreign_subject");
    for (name, value) in [
        ("items", json!([])),
        ("callback", json!({"endpoint": "https://169.254.169.254/"})),
        ("denial", json!(null)),
        ("requested_access", json!({"requested_until": "soon"})),
        ("requested_access", json!({"requested_until": "2001-01-01T00:00:00Z"})),
        ("requested_access", json!({"requested_until": "2999-01-01T00:00:00Z"})),
    ] {
        let mut body = good.clone();
        body[name] = value;
        submit(&alice, &body).await.refuses(400, "invalid");
    }
    assert_eq!(alice.get("/v1/requests").await.json()["requests"], json!([]), "nothing was filed");
    server.time().pass(Span::minutes(10));
    refuses(submit(&alice, &good).await, 410, "expired_denial");
}

#[tokio::test]
async fn a_denial_is_asked_for_once_and_its_key_gives_the_task_again() {
    let server = start().await;
    let alice = server.person("alice").await;
    let body = denied(&alice, &own("alice", "one")).await;
    let key = fresh_key();
    let first = alice.post_again(key.as_str(), REQUESTS, &body).await.is(202).json();
    let again = alice.post_again(key.as_str(), REQUESTS, &body).await.is(202).json();
    assert_eq!(first, again);
    // The same in another spelling is the same.
    let spelt = serde_json::to_vec_pretty(&body).unwrap();
    let spelt = alice.post_bytes(key.as_str(), REQUESTS, "application/json", spelt).await;
    assert_eq!(spelt.is(202).json(), first);
    let mut other = body.clone();
    other["client"] = json!({"id": "another"});
    refuses(alice.post_again(key.as_str(), REQUESTS, &other).await, 409, "duplicate_request");
    let told = refuses(submit(&alice, &body).await, 400, "invalid_denial_binding");
    assert!(told.contains(first["task"]["id"].as_str().unwrap()), "{told}");
    // Another denial of the same meets the request that is open: people are asked once.
    let fresh = denied(&alice, &own("alice", "one")).await;
    let met = submit(&alice, &fresh).await.is(202).json();
    assert_eq!(met["task"]["id"], first["task"]["id"]);
}

#[tokio::test]
async fn states_in_the_words_of_the_profile() {
    let server = start().await;
    let (alice, bob, _) = server.people().await;
    let asked = async |id: &str| {
        let mut evaluation = own("alice", "one");
        evaluation["resource"]["id"] = json!(id);
        let body = denied(&alice, &evaluation).await;
        let task = submit(&alice, &body).await.is(202).json();
        (task["task"]["id"].as_str().unwrap().to_owned(), evaluation)
    };
    let status = async |id: &str| {
        let said = alice.get(&format!("{REQUESTS}/{id}")).await.is(200).json();
        assert!(said["task"]["status"] == "approved" || said.get("result").is_none(), "{said}");
        said["task"]["status"].as_str().unwrap().to_owned()
    };
    let (cancelled, evaluation) = asked("a").await;
    let path = format!("{REQUESTS}/{cancelled}/cancel");
    let said = sent(alice.call("POST", &path)).await.is(200).json();
    assert_eq!(said["task"]["status"], "cancelled");
    let body = json!({"reason": "no_longer_needed", "comment": "not today"});
    refuses(alice.post(&path, &body).await, 409, "invalid_task_state");
    let approval = json!({"id": cancelled, "approved_until": "2999-01-01T00:00:00Z"});
    let said = decided(&alice, &with_approval(&evaluation, &approval)).await;
    assert_eq!(
        (&said["decision"], &said["context"]["reason"]),
        (&json!(false), &json!("approval_unverifiable"))
    );

    let (denied_one, _) = asked("b").await;
    let request = bob.get(&format!("/v1/requests/{denied_one}")).await.json();
    let review = json!({"verdict": "deny", "digest": request["digest"], "comment": "no"});
    bob.post(&format!("/v1/requests/{denied_one}/reviews"), &review).await.is(200);
    let (pending, evaluation) = asked("c").await;
    let approval = json!({"id": pending, "approved_until": "2999-01-01T00:00:00Z"});
    let said = decided(&alice, &with_approval(&evaluation, &approval)).await;
    assert_eq!(said["context"]["reason"], "approval_unverifiable", "pending is not approved");
    assert_eq!(
        (status(&denied_one).await, status(&pending).await),
        ("denied".into(), "pending".into())
    );
    assert_eq!(status(&cancelled).await, "cancelled");
    server.time().pass(Span::hours(4));
    assert_eq!(status(&pending).await, "expired");
    for id in ["req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z", "nonsense", "%ff"] {
        let answer = alice.get(&format!("{REQUESTS}/{id}")).await;
        assert_eq!(answer.status, 404, "{answer:?}");
    }
}

#[tokio::test]
async fn what_policy_refuses_cannot_be_asked_for() {
    let server = start().await;
    let alice = server.person("alice").await;
    let said = decided(&alice, &own("alice", "mars")).await;
    assert!(said["context"].get("access_request").is_none(), "{said}");
    // Nor what it has come to refuse since.
    let body = denied(&alice, &own("alice", "one")).await;
    ruled_by(
        &server,
        "{apiVersion: assent/v1, kind: Policy, metadata: {name: n}, rules: [{id: r, deny: {message: frozen}, when: {intent.environment: one}}]}",
    );
    let told = refuses(submit(&alice, &body).await, 400, "not_requestable");
    assert!(told.contains("frozen"), "{told}");
    // And what it has come to permit is approved at once.
    ruled_by(
        &server,
        "{apiVersion: assent/v1, kind: Policy, metadata: {name: n}, rules: [{id: r, allow: {}, when: {intent.environment: one}}]}",
    );
    let done = submit(&alice, &body).await.is(201).json();
    assert_eq!(
        (&done["task"]["status"], &done["result"]["mode"]),
        (&json!("approved"), &json!("reevaluate"))
    );
}

#[tokio::test]
async fn an_end_that_was_wished_for_ends_the_approval() {
    let server = start().await;
    let (alice, bob) = (server.person("alice").await, server.person("bob").await);
    let evaluation = own("alice", "one");
    let mut body = denied(&alice, &evaluation).await;
    let until = server.authority.clock().now().plus(Span::minutes(20)).to_string();
    body["requested_access"] = json!({"requested_until": until});
    let task = submit(&alice, &body).await.is(202).json();
    let id = task["task"]["id"].as_str().unwrap();
    approve(&bob, id).await;
    let done = alice.get(&format!("{REQUESTS}/{id}")).await.json();
    let approval = &done["result"]["approval"];
    assert_eq!(approval["approved_until"], until);
    let again = with_approval(&evaluation, approval);
    assert_eq!(decided(&alice, &again).await["decision"], true);
    server.time().pass(Span::minutes(20));
    assert_eq!(decided(&alice, &again).await["context"]["reason"], "approval_expired");
}

#[tokio::test]
async fn a_request_filed_otherwise_covers_only_what_it_says_itself() {
    let server = start().await;
    let (alice, bob, carol) = server.people().await;
    let evaluation = own("alice", "one");
    // What each carries claims to be this evaluation; what people approve is what else it says.
    let itself = json!({
        "subject": evaluation["subject"],
        "action": evaluation["action"],
        "resource": evaluation["resource"],
    });
    let claims = json!({"authzen": itself});
    let mut more = claims.clone();
    more["more"] = json!(1);
    let digest = json!(format!("sha256:{}", "0".repeat(64)));
    for (member, value, is_same) in [
        ("kind", json!("terraform.plan"), false),
        ("environment", json!("production"), false),
        ("environment", json!("staging"), false),
        ("target", json!({"workspace": "sandbox"}), false),
        ("digest", digest, false),
        ("context", json!({}), false),
        ("context", more, false),
        ("reason", json!("another"), true),
    ] {
        let mut intent = json!({
            "kind": "terraform.apply", "environment": "one", "reason": "r",
            "target": {"workspace": "payments"}, "context": claims,
        });
        intent[member] = value;
        let request = alice.post("/v1/requests", &json!({"intent": intent})).await.is(201).json();
        let id = request["id"].as_str().unwrap();
        let asked = request["stages"][0]["approvals"].as_u64().unwrap_or_default();
        for reviewer in [&bob, &carol].into_iter().take(asked as usize) {
            approve(reviewer, id).await;
        }
        let task = alice.get(&format!("{REQUESTS}/{id}")).await.is(200).json();
        assert_eq!(task["task"]["status"], "approved", "{intent}");
        let approval = &task["result"]["approval"];
        let said = decided(&alice, &with_approval(&evaluation, approval)).await;
        let reason = if is_same { json!(null) } else { json!("out_of_scope") };
        let found = (&said["decision"], &said["context"]["reason"]);
        assert_eq!(found, (&json!(is_same), &reason), "{intent}: {said}");
    }
}

#[tokio::test]
async fn what_binds_a_denial_is_no_credential() {
    let server = start().await;
    let alice = server.person("alice").await;
    let body = denied(&alice, &own("alice", "one")).await;
    let token = body["denial"]["binding_token"].as_str().unwrap();
    let said = alice.form("/oauth/introspect", &[("token", token)]).await.is(200).json();
    assert_eq!(said, json!({"active": false}));
    ask(&server.holder_of(token), EVALUATION, &own("alice", "one"))
        .await
        .refuses(401, "invalid_token");
    let redeem = json!({"token": token, "audience": format!("{}{REQUESTS}", server.base())});
    alice.post("/v1/credentials/redeem", &redeem).await.refuses(403, "credential_inactive");
    let (id, _) = approved(&server, &alice, &{
        let mut other = own("alice", "one");
        other["resource"]["id"] = json!("billing");
        other
    })
    .await;
    let request = alice.client.request(&id).await.unwrap();
    let credential = mint(&alice, &request).await.unwrap();
    let mut body = denied(&alice, &own("alice", "one")).await;
    body["denial"]["binding_token"] = json!(credential.token);
    refuses(submit(&alice, &body).await, 400, "invalid_denial_binding");
}
