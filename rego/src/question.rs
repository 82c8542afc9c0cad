//! What a policy is asked about: one request at one time, in plain JSON.

use serde_json::Value;

/// The longest input, as JSON.
pub const MAX_INPUT_BYTES: usize = 16 * 1024 * 1024;

/// How deep an input may nest.
pub const MAX_INPUT_DEPTH: usize = 100;

/// Everything a dialect's input is made from. What is not known is left out of the input, so that
/// a policy sees it as undefined and not as a guess.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// The request's id, where it has one.
    pub request: Option<String>,
    /// The intent as it is sent: `kind`, `environment`, `target`, `reason`, `context` …
    pub intent: Value,
    /// Who asks, verified.
    pub requester: Party,
    /// What is on file about the environment: `tier`, `labels`.
    pub environment: Value,
    /// The plan as `terraform show -json` prints it, redacted.
    pub plan: Option<Value>,
    /// What was derived from the plan.
    pub facts: Option<Value>,
    /// Reviews so far, oldest first.
    pub reviews: Vec<Review>,
    /// What is known of incidents and the like.
    pub signals: Value,
    /// What the binding passes to a Gatekeeper policy.
    pub parameters: Value,
    /// Milliseconds since 1970: the time of the question, the only one the policy can learn.
    pub now_ms: i64,
}

/// Somebody, as verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// Who vouches for the subject.
    pub issuer: String,
    /// The subject, as the issuer names it.
    pub subject: String,
    /// `person` or `workload`.
    pub kind: String,
    /// For eyes only.
    pub name: Option<String>,
    /// As the issuer gives it.
    pub email: Option<String>,
    /// Groups that count.
    pub groups: Vec<String>,
    /// Where the call came from, if a trusted proxy said so.
    pub address: Option<String>,
}

/// One verdict so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Whose.
    pub reviewer: Party,
    /// Whether it approves; otherwise it denies.
    pub approves: bool,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// Whether a document nests at most so deep.
pub(crate) fn is_shallow(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_shallow(item, levels - 1)),
        Value::Object(fields) => {
            levels > 0 && fields.values().all(|field| is_shallow(field, levels - 1))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
