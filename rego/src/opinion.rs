//! What a policy written elsewhere says of one request. It objects, warns or consents; it has no
//! way to permit.

pub use assent_core::policy::opinion::Opinion;

/// No answer, for this reason.
pub(crate) fn failed(reason: impl Into<String>) -> Opinion {
    Opinion::Failed { reason: reason.into() }
}
