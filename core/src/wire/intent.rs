//! What is about to be done, and the filing of it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::intent::{self, IntentFault, UnverifiedIntent};
use crate::time::Span;

/// What is about to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Dotted name: `terraform.apply`, `github.deploy`, `database.session`.
    pub kind: String,
    /// Where it is done: `production`.
    pub environment: String,
    /// What it is done to: repository, workspace, database …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub target: BTreeMap<String, String>,
    /// `sha256:` and 64 hex digits of the exact thing, such as a saved plan's bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// `sha256:` and 64 hex digits of the JSON of a plan that was handed in under `/v1/plans`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Free JSON: the requester's claims.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub context: Map<String, Value>,
    /// Why, in the requester's words.
    pub reason: String,
    /// How long the credential is wanted for: `15m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
}

impl Intent {
    /// The domain's intent, or every fault with its field.
    ///
    /// # Errors
    /// All [`IntentFault`]s at once.
    pub fn verify(self) -> Result<intent::Intent, Vec<IntentFault>> {
        let mut faults = Vec::new();
        let mut bad = |field: &str, problem: String| {
            faults.push(IntentFault { field: field.to_owned(), problem });
        };
        let subject = self.digest.map(|text| text.parse());
        let subject = subject.transpose().map_err(|e| bad("digest", format!("{e}"))).ok();
        let plan = self.plan.map(|text| text.parse());
        let plan = plan.transpose().map_err(|e| bad("plan", format!("{e}"))).ok();
        let duration = self.duration.map(|text| text.parse::<Span>());
        let duration = duration.transpose().map_err(|e| bad("duration", e.to_string())).ok();
        let Self { kind, environment, target, context, reason, .. } =
            Self { digest: None, plan: None, duration: None, ..self };
        let stated = UnverifiedIntent {
            kind,
            environment,
            target,
            subject: subject.flatten(),
            plan: plan.flatten(),
            context,
            reason,
            duration: duration.flatten(),
        };
        match stated.verify() {
            Ok(intent) if faults.is_empty() => Ok(intent),
            Ok(_) => Err(faults),
            Err(more) => Err(faults.into_iter().chain(more).collect()),
        }
    }
}

impl From<&intent::Intent> for Intent {
    fn from(intent: &intent::Intent) -> Self {
        Self {
            kind: intent.kind().to_owned(),
            environment: intent.environment().to_owned(),
            target: intent.target().clone(),
            digest: intent.subject().map(|digest| digest.to_string()),
            plan: intent.plan().map(|digest| digest.to_string()),
            context: intent.context().clone(),
            reason: intent.reason().to_owned(),
            duration: intent.duration().map(|span| span.to_string()),
        }
    }
}

/// Files an intent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filing {
    /// What is about to be done.
    pub intent: Intent,
    /// Meet the open request for the same intent by the same requester, if there is one, instead
    /// of asking people again.
    #[serde(default)]
    pub reattach: bool,
    /// How long the requester may be silent before the request is canceled, as long as it is pending:
    /// `2m`, from `15s` to `1h`. Waiting for it is a sign of life. An open request that is met goes
    /// on as it was filed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
}
