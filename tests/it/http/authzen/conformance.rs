//! The certification scenario of Authorization API 1.0, by its section numbers: Basic, Batch and
//! Discovery, and of Search what is offered. The enforcement point is an administrator, because it
//! asks about others.

use assent_server::app::authzen::Authzen;
use serde_json::{Value, json};

use super::{EVALUATION, EVALUATIONS, SEARCH, ask, ruled_by};
use crate::support::{Caller, Server, sent};

/// The eight decisions of section 3.4, each permitted by name: a deny of what is archived could not
/// let pass what says nothing of its status.
const FIXTURE: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: fixture}
rules:
  - id: everybody-reads
    when: {intent.kind: read, intent.target.record: [record-1, record-2]}
    allow: {}
  - id: alice-writes
    when: {intent.kind: write, requester.sub: alice, intent.target.record: record-1}
    allow: {}
  - id: alice-writes-what-is-active
    when: {intent.kind: write, requester.sub: alice, intent.target.status: active}
    allow: {}
  - id: admins-write-what-is-archived
    when:
      intent.kind: write
      intent.target.status: archived
      context.authzen.subject.properties.role: admin
    allow: {}
  - id: alice-deletes-softly
    when: {intent.kind: delete, requester.sub: alice, context.authzen.action.properties.soft: true}
    allow: {}
";

async fn fixture() -> (Server, Caller) {
    let environment = Some("fixture".to_owned());
    let server = Server::deciding(Authzen { environment, access_request: false }).await;
    ruled_by(&server, FIXTURE);
    server.person("alice").await;
    server.person("bob").await;
    let point = server.administrator().await;
    (server, point)
}

fn user(id: &str) -> Value {
    json!({"type": "user", "id": id})
}

fn record(id: &str) -> Value {
    json!({"type": "record", "id": id})
}

fn question(who: &str, does: &str, what: &str) -> Value {
    json!({"subject": user(who), "action": {"name": does}, "resource": record(what)})
}

fn archived(mut question: Value) -> Value {
    question["resource"]["properties"] = json!({"status": "archived"});
    question
}

fn by_an_admin(what: &str) -> Value {
    let mut body = archived(question("bob", "write", what));
    body["subject"]["properties"] = json!({"role": "admin"});
    body
}

fn softly(soft: Value) -> Value {
    let mut body = question("alice", "delete", "record-1");
    body["action"]["properties"] = json!({"soft": soft});
    body
}

#[tokio::test]
async fn basic_2_2_fixture_requests() {
    let (_server, point) = fixture().await;
    let mut context = question("alice", "read", "record-1");
    context["context"] = json!({"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"});
    let mut more = question("alice", "read", "record-1");
    more["subject"]["properties"] = json!({"department": "Sales", "role": "manager"});
    more["action"]["properties"] = json!({"method": "GET"});
    more["resource"]["properties"] = json!({"status": "active", "owner": "bob"});
    let mut unknown = question("alice", "read", "record-1");
    unknown["foo"] = json!("bar");
    unknown["futureField"] = json!({"nested": true});
    unknown["subject"]["future"] = json!([1]);
    for (section, body, decision) in [
        ("2.2.1", question("alice", "read", "record-1"), true),
        ("2.2.1 rule 2", question("alice", "write", "record-1"), true),
        ("2.2.1 rule 3", question("bob", "read", "record-1"), true),
        ("2.2.2", question("bob", "write", "record-1"), false),
        ("2.2.3", context, true),
        ("2.2.4", archived(question("alice", "write", "record-2")), false),
        ("2.2.5", by_an_admin("record-2"), true),
        ("2.2.6", softly(json!(true)), true),
        ("2.2.7", softly(json!(false)), false),
        ("rule 8, absent", question("alice", "delete", "record-1"), false),
        ("rule 8, as text", softly(json!("true")), false),
        ("2.2.8", more, true),
        ("2.2.9", unknown, true),
    ] {
        for _ in 0..2 {
            let answer = ask(&point, EVALUATION, &body).await.is(200);
            assert_eq!(answer.headers["content-type"], "application/json", "{section}");
            let said = answer.json();
            assert_eq!(said["decision"], decision, "{section}: {said}");
            assert!(said["context"].is_object(), "{section}: {said}");
        }
    }
}

#[tokio::test]
async fn basic_2_4_what_is_missing_or_of_another_type_is_400() {
    let (_server, point) = fixture().await;
    let without = |path: &[&str]| {
        let mut body = question("alice", "read", "record-1");
        let (last, way) = path.split_last().unwrap();
        let holder = way.iter().fold(&mut body, |at, name| &mut at[*name]);
        holder.as_object_mut().unwrap().remove(*last);
        body
    };
    let with = |name: &str, value: Value| {
        let mut body = question("alice", "read", "record-1");
        body[name] = value;
        body
    };
    for (body, said) in [
        (without(&["subject"]), "subject"),
        (without(&["action"]), "action"),
        (without(&["resource"]), "resource"),
        (without(&["subject", "type"]), "type"),
        (without(&["subject", "id"]), "id"),
        (without(&["action", "name"]), "name"),
        (without(&["resource", "type"]), "type"),
        (without(&["resource", "id"]), "id"),
        (with("subject", json!("alice")), "subject"),
        (with("action", json!({"name": 123})), "action"),
        (with("context", json!([])), "context"),
        (json!([question("alice", "read", "record-1")]), "object"),
    ] {
        let told = ask(&point, EVALUATION, &body).await.refuses(400, "invalid");
        assert!(told.contains(said), "`{told}` does not say `{said}`");
    }
    let send = |kind: &str, body: &str| {
        let call = point.call("POST", EVALUATION).header("content-type", kind);
        sent(call.body(body.to_owned()))
    };
    let whole = question("alice", "read", "record-1").to_string();
    send("text/plain", &whole).await.refuses(400, "wrong_content_type");
    send("application/json", &whole[..20]).await.refuses(400, "not_json");
    send("application/json", "").await.refuses(400, "not_json");
    send("application/json; charset=utf-8", &whole).await.is(200);
}

#[tokio::test]
async fn basic_2_5_the_request_id_comes_back() {
    let (server, point) = fixture().await;
    let body = question("alice", "read", "record-1");
    let id = "bfe9eb29 ab87/\u{e9}";
    for (who, path, body, status) in [
        (&point, EVALUATION, &body, 200),
        (&point, EVALUATIONS, &body, 200),
        (&point, SEARCH, &body, 200),
        (&point, EVALUATION, &json!({}), 400),
        (&server.stranger(), EVALUATION, &body, 401),
        (&server.person("alice").await, EVALUATION, &question("bob", "read", "record-1"), 403),
    ] {
        let call = who.call("POST", path).header("x-request-id", id.as_bytes()).json(body);
        let answer = sent(call).await.is(status);
        assert_eq!(answer.headers["x-request-id"].as_bytes(), id.as_bytes(), "{path} {status}");
    }
    let absent = ask(&point, EVALUATION, &body).await.is(200);
    assert!(!absent.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn errors_are_for_what_could_not_be_evaluated_at_all() {
    let (server, _point) = fixture().await;
    let stranger = ask(&server.stranger(), EVALUATION, &question("bob", "read", "record-1")).await;
    assert_eq!(stranger.headers["www-authenticate"], "Bearer");
    stranger.refuses(401, "no_token");
    let wrong = server.holder_of("assent_nonsense");
    ask(&wrong, EVALUATION, &json!({})).await.refuses(401, "invalid_token");
}

#[tokio::test]
async fn batch_3_2_and_3_3() {
    let (_server, point) = fixture().await;
    let alice_reads = json!({"subject": user("alice"), "action": {"name": "read"}});
    let with = |mut body: Value, name: &str, value: Value| {
        body[name] = value;
        body
    };
    let two = json!([{"resource": record("record-1")}, {"resource": record("record-2")}]);
    let bob = json!({"subject": user("bob"), "resource": record("record-1"), "evaluations": [
        {"action": {"name": "read"}}, {"action": {"name": "write"}},
    ]});
    let writes = json!({"subject": user("alice"), "action": {"name": "write"}, "evaluations": [
        {"resource": {"type": "record", "id": "record-1", "properties": {"status": "active"}}},
        {"resource": {"type": "record", "id": "record-2", "properties": {"status": "archived"}}},
    ]});
    let admins = json!({
        "action": {"name": "write"},
        "resource": {"type": "record", "id": "record-2", "properties": {"status": "archived"}},
        "evaluations": [
            {"subject": user("alice")},
            {"subject": {"type": "user", "id": "bob", "properties": {"role": "admin"}}},
        ],
    });
    let whole = json!({"evaluations": [
        question("alice", "read", "record-1"), question("bob", "write", "record-1"),
    ]});
    let circumstances = with(alice_reads.clone(), "context", json!({"time": "2025"}));
    let circumstances = with(
        circumstances,
        "evaluations",
        json!([
            {"resource": record("record-1")},
            {"resource": record("record-2"), "context": {"time": "2026", "source": "override"}},
        ]),
    );
    let faulty = with(
        alice_reads.clone(),
        "evaluations",
        json!([
            {"resource": record("record-1")}, {}, 7, {"resource": {"type": "record"}},
            {"resource": record("record-2")},
        ]),
    );
    for (section, body, decisions) in [
        ("3.2.1", with(alice_reads.clone(), "evaluations", two), vec![true, true]),
        ("3.2.2", bob, vec![true, false]),
        ("3.2.3", writes, vec![true, false]),
        ("3.2.4", admins, vec![false, true]),
        ("3.2.5", whole, vec![true, false]),
        ("3.2.6", circumstances, vec![true, true]),
        ("3.4.1", faulty, vec![true, false, false, false, true]),
    ] {
        let said = ask(&point, EVALUATIONS, &body).await.is(200).json();
        let each = said["evaluations"].as_array().unwrap().iter();
        let each: Vec<_> = each.map(|one| one["decision"].as_bool().unwrap()).collect();
        assert_eq!(each, decisions, "{section}: {said}");
        assert!(said.get("decision").is_none(), "{section}");
    }
    for evaluations in [None, Some(json!([]))] {
        let mut body = question("alice", "read", "record-1");
        if let Some(evaluations) = evaluations {
            body["evaluations"] = evaluations;
        }
        let said = ask(&point, EVALUATIONS, &body).await.is(200).json();
        assert_eq!((&said["decision"], said.get("evaluations")), (&json!(true), None), "3.4.2");
    }
    ask(&point, EVALUATIONS, &json!({"evaluations": []})).await.refuses(400, "invalid");
}

#[tokio::test]
async fn batch_a_fault_is_told_in_its_own_answer() {
    let (server, point) = fixture().await;
    let body = json!({"action": {"name": "read"}, "resource": record("record-1"), "evaluations": [
        {}, {"subject": user("alice")}, {"subject": {"type": "user"}}, {"subject": null},
    ]});
    let said = ask(&point, EVALUATIONS, &body).await.is(200).json();
    for at in [0, 2, 3] {
        let error = &said["evaluations"][at]["context"]["error"];
        assert_eq!(error["status"], 400, "{said}");
        assert!(error["message"].as_str().unwrap().contains("`subject`"), "{error}");
    }
    // One may not ask about another: that is a fault of that one, not of the others.
    let alice = server.person("alice").await;
    let body = json!({"action": {"name": "read"}, "resource": record("record-1"), "evaluations": [
        {"subject": user("bob")}, {"subject": user("alice")},
    ]});
    let said = ask(&alice, EVALUATIONS, &body).await.is(200).json();
    assert_eq!(said["evaluations"][0]["decision"], false);
    assert_eq!(said["evaluations"][0]["context"]["error"]["status"], 403);
    assert_eq!(said["evaluations"][1]["decision"], true);
}

#[tokio::test]
async fn batch_the_three_semantics() {
    let (_server, point) = fixture().await;
    let asks = |semantic: Value| {
        json!({
            "subject": user("bob"), "resource": record("record-1"),
            "options": {"evaluations_semantic": semantic, "another_option": "value"},
            "evaluations": [
                {"action": {"name": "read"}}, {"action": {"name": "write"}},
                {"action": {"name": "read"}}, {"action": {"name": "write"}},
            ],
        })
    };
    for (semantic, decisions) in [
        ("execute_all", json!([true, false, true, false])),
        ("deny_on_first_deny", json!([true, false])),
        ("permit_on_first_permit", json!([true])),
    ] {
        let said = ask(&point, EVALUATIONS, &asks(json!(semantic))).await.is(200).json();
        let each = said["evaluations"].as_array().unwrap().iter();
        let each: Value = each.map(|one| one["decision"].clone()).collect();
        assert_eq!(each, decisions, "{semantic}");
    }
    for wrong in [json!("at_random"), json!(null), json!(7), json!(["execute_all"])] {
        let told = ask(&point, EVALUATIONS, &asks(wrong)).await.refuses(400, "invalid");
        assert!(told.contains("execute_all"), "{told}");
    }
    for (name, wrong) in [("options", json!([])), ("evaluations", json!({}))] {
        let mut body = asks(json!("execute_all"));
        body[name] = wrong;
        ask(&point, EVALUATIONS, &body).await.refuses(400, "invalid");
    }
    // A fault counts as a denial, so it stops what a denial stops.
    let mut body = asks(json!("deny_on_first_deny"));
    body["evaluations"][0] = json!({});
    let said = ask(&point, EVALUATIONS, &body).await.is(200).json();
    assert_eq!(said["evaluations"].as_array().unwrap().len(), 1, "{said}");
}

#[tokio::test]
async fn search_4_4_actions_are_those_that_evaluate_to_true() {
    let (_server, point) = fixture().await;
    let search = |who: &str| json!({"subject": user(who), "resource": record("record-1")});
    let mut administered = by_an_admin("record-2");
    administered.as_object_mut().unwrap().remove("action");
    let mut paged = search("alice");
    paged["context"] = json!({"time": "2025"});
    paged["page"] = json!({"limit": 1});
    for (section, body, found) in [
        ("4.4.1", search("alice"), json!([{"name": "read"}, {"name": "write"}])),
        ("4.4.1", search("bob"), json!([{"name": "read"}])),
        ("4.4.3", administered, json!([{"name": "read"}, {"name": "write"}])),
        ("4.5.4", paged, json!([{"name": "read"}, {"name": "write"}])),
        ("4.6.1", search("nonexistent-user"), json!([])),
        (
            "4.6.2",
            json!({"subject": {"type": "spaceship", "id": "a"}, "resource": record("record-1")}),
            json!([]),
        ),
        (
            "4.6.2",
            json!({"subject": user("bob"), "resource": {"type": "no such", "id": "a"}}),
            json!([]),
        ),
    ] {
        let said = ask(&point, SEARCH, &body).await.is(200).json();
        assert_eq!(said, json!({"results": found}), "{section}: {body}");
        for action in said["results"].as_array().unwrap() {
            let mut question = body.clone();
            question["action"] = action.clone();
            let said = ask(&point, EVALUATION, &question).await.is(200).json();
            assert_eq!(said["decision"], true, "{section}: {question}");
        }
    }
    let missing = json!({"subject": user("alice")});
    ask(&point, SEARCH, &missing).await.refuses(400, "invalid");
}

#[tokio::test]
async fn search_for_subjects_and_resources_has_no_end_and_is_not_offered() {
    let (_server, point) = fixture().await;
    for kind in ["subject", "resource"] {
        let path = format!("/access/v1/search/{kind}");
        ask(&point, &path, &question("alice", "read", "record-1"))
            .await
            .refuses(404, "no_such_path");
    }
}

#[tokio::test]
async fn discovery_6() {
    let (server, _point) = fixture().await;
    let answer = server.stranger().get("/.well-known/authzen-configuration").await.is(200);
    assert_eq!(answer.headers["content-type"], "application/json");
    let base = server.base();
    let at = |path: &str| format!("{base}{path}");
    assert_eq!(
        answer.json(),
        json!({
            "policy_decision_point": base,
            "access_evaluation_endpoint": at(EVALUATION),
            "access_evaluations_endpoint": at(EVALUATIONS),
            "search_action_endpoint": at(SEARCH),
        }),
        "what is not supported is left out"
    );
}
