//! What is asked: an intent is filed, waited for, reviewed, begun and ended.

use std::time::Duration;

use assent_core::wire;
use serde_json::json;

use crate::transport::{Call, path, some};
use crate::{Client, ClientError, IdempotencyKey};

impl Client {
    /// Asks what policy would say; nothing is stored.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn decide(&self, filing: &wire::Filing) -> Result<wire::Decision, ClientError> {
        self.transport.send(Call::ask("/v1/decisions", &filing.intent)).await
    }

    /// Files an intent.
    ///
    /// # Errors
    /// [`ClientError`]. A refusal by policy is no error: it is a request that is denied.
    pub async fn file(
        &self,
        filing: &wire::Filing,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        self.transport.send(Call::change("/v1/requests", filing, key)).await
    }

    /// One request.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn request(&self, id: &str) -> Result<wire::Request, ClientError> {
        self.transport.send(Call::get(&path("/v1/requests/{}", id))).await
    }

    /// Requests, newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn requests(&self, query: &[(&str, &str)]) -> Result<wire::Requests, ClientError> {
        self.transport.send(Call::get("/v1/requests").with_query(query)).await
    }

    /// The caller's newest request with exactly this intent; `None` if there is none.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn newest_of(&self, intent: &str) -> Result<Option<wire::Request>, ClientError> {
        some(self.transport.send(Call::get(&path("/v1/intents/{}", intent))).await)
    }

    /// Waits until the request has a later version than this, or until the timeout, and answers
    /// with it as it is then. One leg of a long poll: at most 60 seconds are useful.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn wait(
        &self,
        id: &str,
        after: u64,
        timeout: Duration,
    ) -> Result<wire::Request, ClientError> {
        let (after, seconds) = (after.to_string(), timeout.as_secs().to_string());
        let call = Call::get(&path("/v1/requests/{}/wait", id))
            .with_query(&[("after", &after), ("timeout", &format!("{seconds}s"))])
            .patient(timeout + Duration::from_secs(10));
        self.transport.send_once(call).await
    }

    /// Sends a sign of life for a pending request that was filed with a `heartbeat`. Only whoever
    /// neither waits nor looks again soon needs it: [`Self::wait`] is one.
    ///
    /// # Errors
    /// [`ClientError`]; code `not_pending` where it is decided or over.
    pub async fn request_heartbeat(&self, id: &str) -> Result<wire::Heartbeat, ClientError> {
        let path = path("/v1/requests/{}/heartbeat", id);
        self.transport.send(Call::change(&path, &json!({}), &IdempotencyKey::fresh())).await
    }

    /// Casts a review.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn review(
        &self,
        id: &str,
        review: &wire::NewReview,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        self.transport.send(Call::change(&path("/v1/requests/{}/reviews", id), review, key)).await
    }

    /// Takes back the caller's own review of a pending request.
    ///
    /// # Errors
    /// [`ClientError`]; code `no_review` where none of theirs stands.
    pub async fn withdraw(
        &self,
        id: &str,
        reason: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        self.end(&path("/v1/requests/{}/reviews/withdraw", id), reason, key).await
    }

    /// What lets a stranger check a request's approval offline.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn evidence(&self, id: &str) -> Result<wire::Evidence, ClientError> {
        self.transport.send(Call::get(&path("/v1/requests/{}/evidence", id))).await
    }

    /// A person's verdict on what was granted without asking anybody: it was right, or not.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn review_afterwards(
        &self,
        id: &str,
        review: &wire::NewReview,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        let path = path("/v1/requests/{}/post-reviews", id);
        self.transport.send(Call::change(&path, review, key)).await
    }

    /// Withdraws a pending request.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn cancel(
        &self,
        id: &str,
        reason: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        self.end(&path("/v1/requests/{}/cancel", id), reason, key).await
    }

    /// Takes a grant and its credentials back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke(
        &self,
        id: &str,
        reason: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        self.end(&path("/v1/requests/{}/revoke", id), reason, key).await
    }

    async fn end(
        &self,
        path: &str,
        reason: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        let body = wire::Reason { reason: reason.to_owned() };
        self.transport.send(Call::change(path, &body, key)).await
    }

    /// Says that the action begins: from then on no filing meets the request.
    ///
    /// # Errors
    /// [`ClientError`]; code `begun_already` where another call was first.
    pub async fn begin(
        &self,
        id: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        self.transport.send(Call::change(&path("/v1/requests/{}/begin", id), &json!({}), key)).await
    }

    /// Says that the action is over.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn complete(
        &self,
        id: &str,
        key: &IdempotencyKey,
    ) -> Result<wire::Request, ClientError> {
        self.transport
            .send(Call::change(&path("/v1/requests/{}/complete", id), &json!({}), key))
            .await
    }
}
