//! What is told of requests in every state.

use super::*;
use crate::ruling::tests::ruling;

/// A request in this state.
pub(crate) fn request(state: &str) -> wire::Request {
    wire::Request {
        id: "req_1".into(),
        state: state.into(),
        version: 2,
        url: "https://a/requests/req_1".into(),
        digest: "sha256:00".into(),
        intent: wire::Intent::default(),
        requester: wire::Principal {
            iss: "assent:local".into(),
            sub: "alice".into(),
            kind: wire::Kind::Person,
            groups: Default::default(),
            acts_for: Default::default(),
            claims: Default::default(),
        },
        ruling: ruling(wire::Said::Require),
        filed_at: String::new(),
        expires_at: None,
        heartbeat: None,
        stages: Vec::new(),
        reviews: Vec::new(),
        withdrawn: Vec::new(),
        approved_by: ["bob".to_owned()].into(),
        afterwards: Vec::new(),
        ending: None,
        credentials: Vec::new(),
        run: Default::default(),
        plan_bytes: None,
        source: None,
    }
}

/// A request that ended so.
fn ended(state: &str, by: Option<&str>, reason: &str) -> wire::Request {
    let by = by.map(str::to_owned);
    let ending = wire::Ending { at: String::new(), by, reason: reason.to_owned() };
    wire::Request { ending: Some(ending), ..request(state) }
}

#[track_caller]
fn check(request: &wire::Request, summary: &str, what: &str) {
    let told = Standing::of(request).unwrap().tell_no_grant();
    assert_eq!(told.summary, summary);
    assert!(told.detail.starts_with(what), "{}", told.detail);
    assert!(told.detail.ends_with("https://a/requests/req_1"));
}

#[test]
fn every_end_says_who_and_why() {
    let denied = ended("denied", Some("bob"), "too risky on a Friday");
    check(&denied, "Approval denied", "Request req_1 was denied by bob: too risky on a Friday. ");
    let mut refused = ended("denied", None, "no changes on Friday (freeze)");
    refused.ruling.outcome = wire::Said::Refuse;
    let what = "Policy refuses request req_1: no changes on Friday (freeze). ";
    check(&refused, "Refused by policy", what);
    let expired = ended("expired", None, "its time was up at noon");
    check(&expired, "Approval expired", "Request req_1 expired: its time was up at noon. ");
    let canceled = ended("canceled", Some("alice"), "");
    check(&canceled, "Approval canceled", "Request req_1 was withdrawn by alice. ");
    let revoked = ended("revoked", Some("carol"), "incident");
    check(&revoked, "Approval revoked", "The grant of request req_1 was taken back by carol: ");
}

#[test]
fn a_pending_request_says_who_is_awaited() {
    let mut pending = request("pending");
    pending.stages = vec![wire::StageStatus {
        name: "prod-apply/managers".into(),
        approvals: 2,
        from: vec!["group:release-managers".into()],
        counted: vec!["bob".into()],
        awaited: vec!["carol".into(), "dave".into()],
        open: true,
        escalated_at: None,
        elsewhere: None,
    }];
    let what = "Request req_1 is not approved yet (awaited: 1 of carol, dave), and `wait`";
    check(&pending, "Approval is pending", what);
}

#[test]
fn only_approved_is_granted() {
    for word in ["pending", "denied", "expired", "canceled", "consumed", "revoked"] {
        assert!(!Standing::of(&request(word)).unwrap().is_granted(), "{word}");
    }
    assert!(Standing::of(&request("approved")).unwrap().is_granted());
    assert!(Standing::of(&request("APPROVED")).is_err());
}

#[test]
fn what_was_planned_as_known_stays() {
    let planned = Value::object([
        ("url", Value::text("https://a/intents/00")),
        ("id", Value::Unknown),
        ("state", Value::Unknown),
        ("approved_by", Value::Unknown),
        ("ruling", Value::Unknown),
    ]);
    let state = Standing::of(&request("approved")).unwrap().found_out(planned);
    assert_eq!(state.attribute("url"), &Value::text("https://a/intents/00"));
    assert_eq!(state.attribute("id"), &Value::text("req_1"));
    assert_eq!(state.attribute("approved_by"), &Value::texts(["bob".to_owned()]));
    assert_eq!(state.attribute("ruling"), &Value::text("require"));
}
