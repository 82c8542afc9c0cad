//! Being told: what became of notices, and how the caller wishes it.

use assent_core::wire;
use serde_json::json;

use crate::transport::{Call, path};
use crate::{Client, ClientError, IdempotencyKey};

impl Client {
    /// What became of notices, newest first, and how the ways out are; only those in this state,
    /// where it is said. For administrators.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn notices(&self, state: Option<&str>) -> Result<wire::Notices, ClientError> {
        let query: Vec<_> = state.map(|state| ("state", state)).into_iter().collect();
        self.transport.send(Call::get("/v1/notices").with_query(&query)).await
    }

    /// Has notices tried again that were given up: the one of this id, or all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn replay_notices(
        &self,
        id: Option<&str>,
        key: &IdempotencyKey,
    ) -> Result<wire::NoticesReplayed, ClientError> {
        let path = match id {
            Some(id) => path("/v1/notices/{}/replay", id),
            None => "/v1/notices/replay".to_owned(),
        };
        self.transport.send(Call::change(&path, &json!({}), key)).await
    }

    /// How the caller wishes to be told, and by what that is possible.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn my_notices(&self) -> Result<wire::MyNotices, ClientError> {
        self.transport.send(Call::get("/v1/notices/mine")).await
    }

    /// Says how the caller wishes to be told from now on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn wish_notices(
        &self,
        wishes: &wire::NoticeWishes,
    ) -> Result<wire::MyNotices, ClientError> {
        self.transport.send(Call::put("/v1/notices/mine", wishes)).await
    }
}
