//! Taking one's own review back.

use assent_core::time::Span;

use crate::support::{Server, approve, filing, fresh_key, mint};

const IN_TURN: &str = "
apiVersion: assent/v1
kind: Policy
groups:
  a: [person:bob, person:carol]
  b: [person:dave, person:erin]
rules:
  - id: turns
    when: {intent.environment: production}
    require:
      stages:
        - {name: first, approvals: 1, from: [group:a]}
        - {name: second, approvals: 2, from: [group:b], expires_after: 1h}
      request_expires: 4h
";

#[tokio::test]
async fn t17_a_review_is_withdrawn_before_approval_and_counts_no_more() {
    let server = Server::start().await;
    let (alice, bob, carol) = server.people().await;
    let request = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    approve(&bob, &request).await.unwrap();
    let key = fresh_key();
    let withdrawn = bob.client.withdraw(&request.id, "unsure", &key).await.unwrap();
    assert_eq!((withdrawn.reviews.len(), withdrawn.stages[0].counted.len()), (0, 0));
    assert_eq!(withdrawn.withdrawn[0].review.reviewer, "bob");
    assert_eq!(withdrawn.withdrawn[0].reason, "unsure");
    // The same call again is the same withdrawal; another finds nothing.
    let again = bob.client.withdraw(&request.id, "unsure", &key).await.unwrap();
    assert_eq!(again.version, withdrawn.version);
    let code = async |who: &crate::support::Caller| {
        who.client
            .withdraw(&request.id, "", &fresh_key())
            .await
            .unwrap_err()
            .code()
            .map(str::to_owned)
    };
    assert_eq!(code(&bob).await.as_deref(), Some("no_review"));
    assert_eq!(code(&carol).await.as_deref(), Some("no_review"));
    // Carol alone is not enough; bob may give another word.
    assert_eq!(approve(&carol, &request).await.unwrap().state, "pending");
    assert_eq!(approve(&bob, &request).await.unwrap().state, "approved");
    // From then on it is revoked, not withdrawn.
    assert_eq!(code(&bob).await.as_deref(), Some("not_pending"));
    bob.client.revoke(&request.id, "after all not", &fresh_key()).await.unwrap();
    let refused = mint(&alice, &request).await.unwrap_err();
    assert_eq!(refused.code(), Some("not_approved"));
}

#[tokio::test]
async fn t17_nobody_withdraws_for_others_or_late() {
    let server = Server::start().await;
    let (alice, bob, _) = server.people().await;
    let root = server.administrator().await;
    let request = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    approve(&bob, &request).await.unwrap();
    for other in [&alice, &root] {
        let refused = other.client.withdraw(&request.id, "", &fresh_key()).await.unwrap_err();
        assert_eq!(refused.code(), Some("no_review"));
    }
    let workload = server.workload("ci", &[]).await;
    let refused = workload.client.withdraw(&request.id, "", &fresh_key()).await.unwrap_err();
    assert_eq!(refused.code(), Some("not_found"), "it may not see it");
    server.time().pass(Span::hours(4));
    let late = bob.client.withdraw(&request.id, "", &fresh_key()).await.unwrap_err();
    assert_eq!(late.code(), Some("not_pending"));
    assert_eq!(alice.client.request(&request.id).await.unwrap().state, "expired");
}

#[tokio::test]
async fn a_stage_that_was_filled_waits_again_and_the_next_one_closes() {
    let server = Server::ruled_by(IN_TURN).await;
    let (alice, bob, carol) = server.people().await;
    let (dave, erin) = (server.person("dave").await, server.person("erin").await);
    let request = alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap();
    approve(&bob, &request).await.unwrap();
    approve(&dave, &request).await.unwrap();
    let back = bob.client.withdraw(&request.id, "", &fresh_key()).await.unwrap();
    let open: Vec<_> = back.stages.iter().map(|stage| stage.open).collect();
    assert_eq!(open, [true, false]);
    assert_eq!(approve(&erin, &request).await.unwrap_err().code(), Some("not_asked"));
    // The second stage's hour runs only while it is open: dave's word waits for it.
    server.time().pass(Span::minutes(90));
    let filled = approve(&carol, &request).await.unwrap();
    assert_eq!(filled.stages[1].counted, ["dave"]);
    server.time().pass(Span::minutes(50));
    assert_eq!(approve(&erin, &request).await.unwrap().state, "approved");
}
