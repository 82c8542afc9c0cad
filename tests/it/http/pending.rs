//! How many requests one requester has people look at.

use assent_client::wire;
use serde_json::json;

use crate::support::{Server, Setup, approve, filing, fresh_key};

#[tokio::test]
async fn t50_one_requester_has_people_look_at_so_many_requests_and_is_told_what_to_do() {
    let server = Server::set_up(Setup { most_pending: 2, ..Setup::default() }).await;
    let (alice, bob) = (server.person("alice").await, server.person("bob").await);
    let key = fresh_key();
    let first = alice.client.file(&filing("one", "first"), &key).await.unwrap();
    alice.client.file(&filing("one", "second"), &fresh_key()).await.unwrap();
    let third = alice.post("/v1/requests", &json!(filing("one", "third"))).await;
    assert!(third.text.contains("assent cancel"), "{}", third.text);
    third.refuses(409, "too_many_pending");
    // An answer that was lost is given again, and an open request is met.
    assert_eq!(alice.client.file(&filing("one", "first"), &key).await.unwrap().id, first.id);
    let meeting = wire::Filing { reattach: true, ..filing("one", "first") };
    assert_eq!(alice.client.file(&meeting, &fresh_key()).await.unwrap().id, first.id);
    // Neither what asks nobody nor anybody else is in the way.
    alice.client.file(&filing("staging", "permitted"), &fresh_key()).await.unwrap();
    bob.client.file(&filing("one", "bob's"), &fresh_key()).await.unwrap();
    approve(&bob, &first).await.unwrap();
    alice.client.file(&filing("one", "third"), &fresh_key()).await.unwrap();
    alice
        .post("/v1/requests", &json!(filing("one", "fourth")))
        .await
        .refuses(409, "too_many_pending");
}
