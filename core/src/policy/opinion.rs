//! What an engine outside the language said: Rego or an external OPA, asked by an `ask` rule.

/// One engine's answer. It can add a deny or a require, or satisfy a waiver that its rule names; it
/// can never permit by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// It answered cleanly.
    Answered {
        /// Why it must not be done; any of these refuses.
        denies: Vec<String>,
        /// Why people should look; any of these asks the rule's stages.
        warns: Vec<String>,
        /// Whether it approves: what the rule names under `waives` is waived then.
        allows: bool,
    },
    /// It did not: an error, a timeout, an undefined result or a foreign shape. That refuses.
    Failed {
        /// What happened, for people.
        reason: String,
    },
}
