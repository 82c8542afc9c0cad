//! Engines outside the language that an `ask` rule asks: what to ask, never the asking itself.

use std::sync::Arc;

use crate::policy::document::Place;
use crate::time::Span;

/// What one `ask` rule asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The rule's id.
    pub rule: String,
    /// Where its document says so: what keeps the engine from being asked is shown there.
    pub place: Place,
    /// Which engine, with what.
    pub engine: Engine,
    /// Whose input and result shapes it uses.
    pub dialect: Dialect,
    /// The query, where it is not the dialect's own.
    pub query: Option<String>,
    /// The package, where the dialect lets one choose it.
    pub namespace: Option<String>,
    /// What it means that the plan hides values from it.
    pub hidden: Hidden,
}

/// What it means that a plan hides values, which it marks as sensitive, from an engine. Whoever
/// writes the configuration chooses what is hidden, so an engine that finds nothing to object to in
/// the rest has not seen all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// The engine's answer counts as a warning, and approves nothing.
    Warn,
    /// The rule says that what the engine looks at is not among it.
    Ignore,
}

impl Hidden {
    /// Both by their names in the documents.
    pub const ALL: [(&'static str, Self); 2] = [("warn", Self::Warn), ("ignore", Self::Ignore)];
}

/// Which engine is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Engine {
    /// Rego modules, evaluated in a worker process.
    Rego {
        /// The modules.
        modules: Vec<Attachment>,
        /// Their `data`: JSON texts, merged at the root.
        data: Vec<Attachment>,
        /// Whether the modules are in the language's version 0.
        v0: bool,
    },
    /// An external OPA, over HTTP.
    Opa {
        /// The data API's address of the decision.
        url: String,
        /// The file that holds the bearer token.
        token_file: Option<String>,
        /// The file that holds the certificates to trust instead of the system's.
        ca_file: Option<String>,
        /// How long it has.
        timeout: Span,
    },
}

/// A file that belongs to a policy and is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its name, as faults shall print it.
    pub file: String,
    /// The whole text.
    pub text: Arc<str>,
}

/// Whose forms a policy is written for: what it is given and what its result means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Our own: one object with the fields of a ruling.
    Assent,
    /// conftest and Atlantis: sets `deny`, `violation`, `warn` over the plan's JSON.
    Conftest,
    /// HCP Terraform: a query that gives an array.
    HcpTerraform,
    /// Spacelift's plan policies: `deny`, `warn`.
    SpaceliftPlan,
    /// Spacelift's approval policies: `approve`, `reject`.
    SpaceliftApproval,
    /// env0: `allow`, `deny`, `pending`, `warn`.
    Env0,
    /// Gatekeeper: `violation` over a review.
    Gatekeeper,
}

impl Dialect {
    /// Every dialect by its name in the documents.
    pub const ALL: [(&'static str, Self); 7] = [
        ("assent", Self::Assent),
        ("conftest", Self::Conftest),
        ("hcp-terraform", Self::HcpTerraform),
        ("spacelift-plan", Self::SpaceliftPlan),
        ("spacelift-approval", Self::SpaceliftApproval),
        ("env0", Self::Env0),
        ("gatekeeper", Self::Gatekeeper),
    ];

    /// Its name in the documents.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, dialect)| *dialect == self).map_or("", |(word, _)| word)
    }

    /// Whether its package can be chosen.
    pub fn takes_namespace(self) -> bool {
        matches!(self, Self::Conftest | Self::Env0 | Self::Gatekeeper)
    }

    /// Whether a policy of it can approve, so that a waiver can hang on it.
    pub fn can_allow(self) -> bool {
        matches!(self, Self::Assent | Self::SpaceliftApproval | Self::Env0)
    }
}
