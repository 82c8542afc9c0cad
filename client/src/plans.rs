//! Plans: what they say, and the bytes of the exact one that is applied.

use std::time::Duration;

use assent_core::wire;

use crate::transport::{Call, path, some};
use crate::{Client, ClientError, IdempotencyKey};

/// How long a large body may take, either way: a little less than the authority gives a call.
const LARGE: Duration = Duration::from_secs(85);
/// The largest plan that an authority keeps.
const LARGEST_PLAN: usize = 32 * 1024 * 1024;

impl Client {
    /// Hands a plan in, as `terraform show -json` prints it, and says of which saved plan file it
    /// is. Safe to repeat: a plan is named by its digest.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn hand_in_plan(
        &self,
        json: Vec<u8>,
        saved: Option<&str>,
    ) -> Result<wire::plan::Plan, ClientError> {
        let saved: Vec<_> = saved.into_iter().map(|saved| ("saved", saved)).collect();
        let call = Call::raw("/v1/plans", json).with_query(&saved);
        self.transport.send(call.patient(LARGE)).await
    }

    /// The digest of the plan that was handed in for this saved plan file; `None` if none was.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn plan_of_saved(&self, saved: &str) -> Result<Option<String>, ClientError> {
        let call = Call::get(&path("/v1/plans/saved/{}", saved));
        let found: Option<wire::plan::Saved> = some(self.transport.send(call).await)?;
        Ok(found.map(|found| found.plan))
    }

    /// What is kept of a plan that was handed in.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn plan(&self, digest: &str) -> Result<wire::plan::Plan, ClientError> {
        self.transport.send(Call::get(&path("/v1/plans/{}", digest))).await
    }

    /// Hands over the bytes of the exact plan that a request names. Safe to repeat: they are kept once.
    ///
    /// # Errors
    /// [`ClientError`]; code `digest_mismatch` where they are not those that the request names.
    pub async fn send_plan(&self, id: &str, bytes: Vec<u8>) -> Result<wire::Request, ClientError> {
        let call = Call::put_bytes(&path("/v1/requests/{}/plan", id), bytes);
        self.transport.send(call.patient(LARGE)).await
    }

    /// The bytes of the exact plan that a request names, which are given once; repeated with its key,
    /// the call gives them again. Whoever uses them holds them against the digest of the intent.
    ///
    /// # Errors
    /// [`ClientError`]; code `plan_fetched` the second time, `other_run` from another run.
    pub async fn fetch_plan(&self, id: &str, key: &IdempotencyKey) -> Result<Vec<u8>, ClientError> {
        let call = Call::once(&path("/v1/requests/{}/plan", id), key, LARGEST_PLAN);
        self.transport.send_for_bytes(call.patient(LARGE)).await
    }
}
