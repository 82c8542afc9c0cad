//! What is ended while its broker is at work on it: nobody is handed anything, and what was opened is
//! closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use assent_client::wire::{MintRequest, Revocation};
use assent_core::time::Span;
use assent_server::broker::{
    Broker, BrokerError, Brokers, Closed, Closing, Fields, Opening, Recall, Sought,
};
use assent_server::policy::Source;
use async_trait::async_trait;
use serde_json::json;
use tokio::sync::Notify;

use crate::http::life::verify_log;
use crate::support::{Caller, Server, Setup, documents, eventually, filing, fresh_key};

const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: amid}
rules:
  - id: slow
    when: {intent.environment: slow}
    allow: {credential: {max_ttl: 10m, broker: slow, heartbeat: 2m}}
";

/// Opens, and takes its time before it says so.
#[derive(Debug, Default)]
struct Slow {
    is_open: AtomicBool,
    opened: Notify,
    goes_on: Notify,
}

#[async_trait]
impl Broker for Slow {
    fn check(&self, _: &Sought<'_>) -> Result<(), String> {
        Ok(())
    }

    fn recall(&self) -> Recall {
        Recall::Ends
    }

    async fn open(&self, _: &Opening<'_>) -> Result<Fields, BrokerError> {
        self.is_open.store(true, Ordering::SeqCst);
        self.opened.notify_one();
        self.goes_on.notified().await;
        Ok(Fields::new())
    }

    async fn close(&self, _: &Closing<'_>) -> Result<Closed, BrokerError> {
        self.is_open.store(false, Ordering::SeqCst);
        Ok(Closed::Gone)
    }
}

/// What ends it.
#[derive(Clone, Copy, Debug)]
enum End {
    Signal,
    Order,
    Revoked,
    Time,
    Silence,
}

/// Ends it, and comes back once that is so.
async fn end(end: End, server: &Server, root: &Caller, request: &str) {
    match end {
        End::Signal => {
            let about = json!({"person": {"iss": "assent:local", "sub": "alice"}});
            let signal = json!({"about": about, "state": "suspended", "reason": "an alert"});
            root.post("/v1/signals", &signal).await.is(201);
        }
        End::Order => {
            let reason = "an incident".to_owned();
            let everything = Revocation { all: true, reason, ..Revocation::default() };
            let root = root.client.clone();
            // It waits for what brokers have to close.
            tokio::spawn(async move { root.revoke_all(&everything, &fresh_key()).await });
        }
        End::Revoked => {
            root.client.revoke(request, "an incident", &fresh_key()).await.unwrap();
        }
        End::Time => {
            server.time().pass(Span::minutes(10));
        }
        End::Silence => {
            server.time().pass(Span::minutes(2));
        }
    }
    eventually("its end", async || {
        let shown = root.client.request(request).await.unwrap();
        (shown.credentials[0].status != "unminted").then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_ends_while_it_is_opened_is_closed_and_never_handed_out() {
    for ending in [End::Signal, End::Order, End::Revoked, End::Time, End::Silence] {
        let slow = Arc::new(Slow::default());
        let brokers = Brokers::new([("slow".to_owned(), Arc::clone(&slow) as _)].into());
        let source = Source::Given(documents(POLICY));
        let server = Server::set_up(Setup { source, brokers, ..Setup::default() }).await;
        server.authority.sweep().await.unwrap();
        let (root, alice) = (server.administrator().await, server.person("alice").await);
        let request = alice.client.file(&filing("slow", "r"), &fresh_key()).await.unwrap().id;
        let (audience, broker) = ("aws".to_owned(), Some("slow".to_owned()));
        let wanted = MintRequest { audience, broker, ..MintRequest::default() };
        let minting = {
            let (alice, request) = (alice.client.clone(), request.clone());
            tokio::spawn(async move { alice.mint(&request, &wanted, &fresh_key()).await })
        };
        slow.opened.notified().await;
        end(ending, &server, &root, &request).await;
        slow.goes_on.notify_one();
        let refused = minting.await.unwrap().unwrap_err();
        assert_eq!(refused.code(), Some("credential_over"), "{ending:?}: {refused}");

        server.authority.sweep().await.unwrap();
        server.authority.close_due().await.unwrap();
        assert!(!slow.is_open.load(Ordering::SeqCst), "{ending:?}");
        let shown = root.client.request(&request).await.unwrap();
        assert_eq!(shown.credentials.len(), 1, "{ending:?}");
        let credential = &shown.credentials[0];
        assert_eq!(credential.fingerprint, None, "{ending:?}: there is a token");
        assert_eq!(credential.brokered.as_ref().unwrap().status, "closed", "{ending:?}");
        verify_log(&root).await;
    }
}
