//! What a broker cannot take back is said, kept short, and asked for again when it ends by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use assent_client::wire::{MintRequest, Revocation};
use assent_core::time::{Span, Timestamp};
use assent_server::broker::{
    Broker, BrokerError, Brokers, Closed, Closing, Fields, Opening, Recall, Sought,
};
use assent_server::policy::Source;
use async_trait::async_trait;

use crate::support::{Server, Setup, documents, filing, fresh_key};

const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
rules:
  - id: cloud
    when: {intent.environment: cloud}
    allow: {credential: {max_ttl: 8h, broker: cloud}}
";

/// As a cloud that hands out sessions which nobody can end.
#[derive(Debug)]
struct Cloud;

#[async_trait]
impl Broker for Cloud {
    fn check(&self, _: &Sought<'_>) -> Result<(), String> {
        Ok(())
    }

    fn recall(&self) -> Recall {
        Recall::OnlyExpires
    }

    async fn open(&self, opening: &Opening<'_>) -> Result<Fields, BrokerError> {
        Ok([("session", assent_client::Secret::new(opening.until().to_string()))].into())
    }

    async fn close(&self, closing: &Closing<'_>) -> Result<Closed, BrokerError> {
        let until = closing.expires_at();
        Ok(if closing.now() < until { Closed::Outlives(until) } else { Closed::Gone })
    }
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_told_and_kept_short() {
    let all: BTreeMap<_, Arc<dyn Broker>> = [("cloud".to_owned(), Arc::new(Cloud) as _)].into();
    let source = Source::Given(documents(POLICY));
    let server =
        Server::set_up(Setup { source, brokers: Brokers::new(all), ..Setup::default() }).await;
    let alice = server.person("alice").await;
    let root = server.administrator().await;
    let request = alice.client.file(&filing("cloud", "r"), &fresh_key()).await.unwrap();
    let (audience, broker) = ("aws".to_owned(), Some("cloud".to_owned()));
    let wanted = MintRequest { audience, broker, ..MintRequest::default() };
    let credential = alice.client.mint(&request.id, &wanted, &fresh_key()).await.unwrap();
    let begun = server.authority.clock().now();
    let until: Timestamp = credential.expires_at.parse().unwrap();
    assert_eq!(
        begun.until(until),
        Span::hours(1),
        "the rule allows eight, and nobody could end it"
    );
    let known = alice.client.credential(&credential.id).await.unwrap().brokered.unwrap();
    assert!(known.only_expires && known.status == "open");

    server.time().pass(Span::minutes(10));
    let reason = "an incident".to_owned();
    let everything = Revocation { all: true, reason, ..Revocation::default() };
    let told = root.client.revoke_all(&everything, &fresh_key()).await.unwrap();
    assert_eq!((told.credentials, told.open_outside.len()), (1, 1));
    let open = &told.open_outside[0].brokered;
    assert_eq!(
        (open.status.as_str(), open.outlives.as_deref()),
        ("outlives", Some(&*credential.expires_at))
    );
    assert_eq!(
        server.authority.close_due().await.unwrap(),
        0,
        "asked for again only when it is over"
    );

    let again = root.client.revoke_all(&everything, &fresh_key()).await.unwrap();
    assert_eq!(
        (again.credentials, again.open_outside.len()),
        (0, 1),
        "it is told as long as it is so"
    );
    server.time().pass(Span::minutes(50));
    assert_eq!(server.authority.close_due().await.unwrap(), 1);
    let known = alice.client.credential(&credential.id).await.unwrap().brokered.unwrap();
    assert_eq!(known.status, "closed");
    let entries = alice.client.entries(0).await.unwrap().entries;
    let of = |kind: &str| entries.iter().find(|e| e.event["type"] == kind).unwrap().event.clone();
    assert_eq!(of("consumed")["recall"], "only_expires");
    assert_eq!(of("broker_outlives")["until"], credential.expires_at.as_str());
    assert!(of("broker_closed")["at"].as_str() > of("broker_outlives")["at"].as_str());
}
