//! What a request's state means to whoever asked.

use assent_client::wire::Request;

use crate::Obstacle;

/// Granted, open or over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// People are asked.
    Pending,
    /// There is a grant, or it was used.
    Granted,
    /// It ended without a grant, or the grant was taken back.
    Ended,
}

impl Standing {
    /// What the state of this request means.
    ///
    /// # Errors
    /// [`Obstacle`] for a state that is not known: that is no grant.
    pub fn of(request: &Request) -> Result<Self, Obstacle> {
        match request.state.as_str() {
            "pending" => Ok(Self::Pending),
            "approved" | "consumed" => Ok(Self::Granted),
            "denied" | "expired" | "canceled" | "revoked" => Ok(Self::Ended),
            other => {
                Err(Obstacle::unknown(format!("the server answered with the state `{other}`"))
                    .hint("this program may be older than the server"))
            }
        }
    }
}
