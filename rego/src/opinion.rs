//! What a policy written elsewhere says of one request. It objects, warns or consents; it has no
//! way to permit.

/// What an engine answered, or why it did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// A clean answer. All empty and false means "no objection", which permits nothing.
    Answered {
        /// Reasons to refuse.
        denies: Vec<String>,
        /// Reasons to ask people.
        warns: Vec<String>,
        /// Whether it consents, which satisfies at most what the binding names.
        allows: bool,
    },
    /// No clean answer: undefined, a foreign shape, an error, a time-out. Never a grant.
    Failed {
        /// What happened, where, and what to do.
        reason: String,
    },
}

impl Opinion {
    /// No answer, for this reason.
    pub(crate) fn failed(reason: impl Into<String>) -> Self {
        Self::Failed { reason: reason.into() }
    }
}
