//! The end of what was asked or granted: withdrawn, completed or taken back.

use assent_client::wire::Request;
use assent_client::{Client, ClientError, ErrorKind, IdempotencyKey};

/// How an end came about.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It was withdrawn while people were asked.
    Canceled,
    /// The action is over as it should be.
    Completed(Box<Request>),
    /// The grant and its credentials are taken back.
    Revoked,
    /// It was over already, as the authority says.
    Over(String),
}

/// Withdraws a request that nobody needs any more. If it was approved in the meantime, the grant
/// is taken back instead.
///
/// # Errors
/// [`ClientError`]: it is not ended, and ends at its own time.
pub async fn cancel(id: &str, reason: &str, client: &Client) -> Result<Ended, ClientError> {
    match client.cancel(id, reason, &IdempotencyKey::fresh()).await {
        Ok(_) => Ok(Ended::Canceled),
        Err(error) if error.kind == ErrorKind::Conflict => revoke(id, reason, client).await,
        Err(error) => Err(error),
    }
}

/// Says that the action is over. Nothing that was granted is good afterwards.
///
/// # Errors
/// [`ClientError`]: it is not ended, and ends at its own time.
pub async fn complete(id: &str, client: &Client) -> Result<Ended, ClientError> {
    match client.complete(id, &IdempotencyKey::fresh()).await {
        Ok(request) => Ok(Ended::Completed(Box::new(request))),
        // It has ended already: revoked while the action went on, say.
        Err(error) if error.kind == ErrorKind::Conflict => Ok(Ended::Over(error.message)),
        Err(error) => Err(error),
    }
}

/// Takes the grant and its credentials back.
///
/// # Errors
/// [`ClientError`]: it is not ended, and ends at its own time.
pub async fn revoke(id: &str, reason: &str, client: &Client) -> Result<Ended, ClientError> {
    match client.revoke(id, reason, &IdempotencyKey::fresh()).await {
        Ok(_) => Ok(Ended::Revoked),
        Err(error) if error.kind == ErrorKind::Conflict => Ok(Ended::Over(error.message)),
        Err(error) => Err(error),
    }
}
