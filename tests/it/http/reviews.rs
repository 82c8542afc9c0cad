//! Who may not decide, and what may not be decided any more.

use assent_client::wire;
use serde_json::json;

use crate::support::{Caller, POLICY, Server, approve, filing, fresh_key, mint, policy};

async fn filed(server: &Server, requester: &Caller) -> wire::Request {
    let _ = server;
    requester.client.file(&filing("production", "r"), &fresh_key()).await.unwrap()
}

/// The review is refused so, and nothing of it is on record.
async fn check(who: &Caller, request: &wire::Request, status: u16, code: &str, said: &str) {
    let before = who.client.checkpoint().await.unwrap();
    let path = format!("/v1/requests/{}/reviews", request.id);
    let body = json!({"verdict": "approve", "comment": "", "digest": request.digest});
    let told = who.post(&path, &body).await.refuses(status, code);
    assert!(told.contains(said), "`{told}` does not say `{said}`");
    assert_eq!(who.client.checkpoint().await.unwrap(), before);
}

#[tokio::test]
async fn t07_the_requester_may_not_approve() {
    let server = Server::start().await;
    let bob = server.person("bob").await;
    let request = filed(&server, &bob).await;
    check(&bob, &request, 403, "self_approval", "behind this request").await;
}

#[tokio::test]
async fn t10_whom_a_workload_acts_for_may_not_approve() {
    let server = Server::start().await;
    let (_, bob, carol) = server.people().await;
    let pipeline = server.workload("pipeline", &["bob"]).await;
    let request = filed(&server, &pipeline).await;
    check(&bob, &request, 403, "self_approval", "behind this request").await;
    approve(&carol, &request).await.unwrap();
}

#[tokio::test]
async fn t13_nobody_counts_twice() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let request = filed(&server, &alice).await;
    approve(&bob, &request).await.unwrap();
    check(&bob, &request, 409, "reviewed_already", "nobody counts twice").await;
    assert_eq!(bob.client.request(&request.id).await.unwrap().state, "pending");
}

#[tokio::test]
async fn a_person_outside_the_group_may_not_approve() {
    let server = Server::start().await;
    let (alice, eve) = (server.person("alice").await, server.person("eve").await);
    let request = filed(&server, &alice).await;
    check(&eve, &request, 403, "not_asked", "group:release-managers").await;
}

#[tokio::test]
async fn a_workload_may_not_approve() {
    let server = Server::start().await;
    let robot = server.workload("bob-the-robot", &[]).await;
    let request = filed(&server, &robot).await;
    check(&robot, &request, 403, "not_a_person", "only people review").await;
}

#[tokio::test]
async fn an_administrator_may_not_approve_by_being_one() {
    let server = Server::start().await;
    let (alice, root) = (server.person("alice").await, server.administrator().await);
    let request = filed(&server, &alice).await;
    check(&root, &request, 403, "not_asked", "release-managers").await;
}

#[tokio::test]
async fn t01_a_review_of_another_digest_is_refused() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let request = filed(&server, &alice).await;
    let digest = format!("sha256:{}", "6".repeat(64));
    let other = wire::Request { digest, ..request.clone() };
    check(&bob, &other, 409, "other_digest", "look at it again").await;
    let path = format!("/v1/requests/{}/reviews", request.id);
    let nonsense = json!({"verdict": "approve", "comment": "", "digest": "sha256:0"});
    let answer = bob.post(&path, &nonsense).await;
    assert_eq!(answer.json()["errors"][0]["field"], "digest");
    answer.refuses(422, "invalid");
}

#[tokio::test]
async fn a_denial_needs_a_reason() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let request = filed(&server, &alice).await;
    let path = format!("/v1/requests/{}/reviews", request.id);
    for comment in ["", "  \n"] {
        let body = json!({"verdict": "deny", "comment": comment, "digest": request.digest});
        let answer = bob.post(&path, &body).await;
        assert_eq!(answer.json()["errors"][0]["field"], "comment");
        answer.refuses(422, "invalid");
    }
}

#[tokio::test]
async fn t16_a_review_after_the_end_is_refused() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let dave = server.person("dave").await;
    let approved = filed(&server, &alice).await;
    approve(&bob, &approved).await.unwrap();
    approve(&carol, &approved).await.unwrap();
    check(&dave, &approved, 409, "not_pending", "approved already").await;
    mint(&alice, &approved).await.unwrap();
    check(&dave, &approved, 409, "not_pending", "consumed already").await;
}

#[tokio::test]
async fn what_reviewers_and_requesters_write_hides_nothing() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let request = filed(&server, &alice).await;
    let (reviews, cancel) = (
        format!("/v1/requests/{}/reviews", request.id),
        format!("/v1/requests/{}/cancel", request.id),
    );
    for hidden in ["no\u{1b}[2J", "no\u{202e}", "no\u{200b}"] {
        let review = json!({"verdict": "deny", "comment": hidden, "digest": request.digest});
        let answer = bob.post(&reviews, &review).await;
        assert_eq!(answer.json()["errors"][0]["field"], "comment");
        answer.refuses(422, "invalid");
        let answer = alice.post(&cancel, &json!({"reason": hidden})).await;
        assert_eq!(answer.json()["errors"][0]["field"], "reason");
        answer.refuses(422, "invalid");
    }
    let review = json!({"verdict": "deny", "comment": "two\r\nlines", "digest": request.digest});
    assert_eq!(bob.post(&reviews, &review).await.json()["state"], "denied");
}

#[tokio::test]
async fn t11_who_left_the_group_before_the_mint_does_not_count() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let request = filed(&server, &alice).await;
    approve(&bob, &request).await.unwrap();
    approve(&carol, &request).await.unwrap();
    server.authority.replace_policy(policy(&POLICY.replace("person:bob, ", "")));
    let refused = mint(&alice, &request).await.unwrap_err();
    assert_eq!(refused.code(), Some("no_longer_approved"));
    server.authority.replace_policy(policy(POLICY));
    mint(&alice, &request).await.unwrap();
}

#[tokio::test]
async fn t11_who_left_the_group_before_the_approval_does_not_count() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let dave = server.person("dave").await;
    let request = filed(&server, &alice).await;
    approve(&bob, &request).await.unwrap();
    server.authority.replace_policy(policy(&POLICY.replace("person:bob, ", "")));
    assert_eq!(approve(&carol, &request).await.unwrap().state, "pending");
    let approved = approve(&dave, &request).await.unwrap();
    assert_eq!(approved.state, "approved");
    assert!(!approved.approved_by.iter().any(|who| who.contains("bob")), "{approved:?}");
    mint(&alice, &request).await.unwrap();
}

#[tokio::test]
async fn t48_a_policy_that_has_changed_does_not_change_what_was_ruled() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let request = filed(&server, &alice).await;
    server.authority.replace_policy(policy(&POLICY.replace("approvals: 2", "approvals: 1")));
    let once = approve(&bob, &request).await.unwrap();
    assert_eq!((once.state.as_str(), once.stages[0].approvals), ("pending", 2));
    assert_eq!(once.ruling.policy, request.ruling.policy);
}
