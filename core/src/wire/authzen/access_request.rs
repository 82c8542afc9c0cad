//! Asking for what was denied: AuthZEN Access Request and Approval Profile, draft 1.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::wire::authzen::{Evaluation, Members, Unfit};

/// How to ask for what was denied; it stands only on denials that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requestable {
    /// Where.
    pub endpoint: String,
    /// Until when.
    pub expires_at: String,
    /// What binds the request to the denial, to be sent back as it is.
    pub binding_token: String,
}

/// Asks for what was denied.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AccessRequest {
    /// What was denied. The context may say more than it did then.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// Which denial it was.
    pub denial: DenialEcho,
    /// What is wished for beyond the thing itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_access: Option<RequestedAccess>,
    /// Who asks on whose behalf, for the record. It decides nothing.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub client: Map<String, Value>,
}

/// What the denial said, sent back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DenialEcho {
    /// `context.access_request.binding_token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding_token: Option<String>,
    /// `context.access_request.expires_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// What is wished for beyond the thing itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestedAccess {
    /// Until when it is needed, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_until: Option<String>,
    /// Whether it is urgent. People see it; it changes no rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<bool>,
}

impl AccessRequest {
    /// Reads a submission. One request asks for one thing, and nobody is called back.
    ///
    /// # Errors
    /// [`Unfit`] for a member that is missing, not of its type or not supported.
    pub fn read(body: &Map<String, Value>) -> Result<Self, Unfit> {
        let unfit = |member, problem: &str| Err(Unfit { member, problem: problem.to_owned() });
        if body.contains_key("items") {
            return unfit("items", "several at once are not supported: ask for each");
        }
        if body.contains_key("callback") {
            return unfit("callback", "no callback is registered here: ask the status endpoint");
        }
        let defaults = Map::new();
        let all = Members { item: body, defaults: &defaults };
        Ok(Self {
            evaluation: Evaluation::read(body, &defaults)?,
            denial: all.optional("denial")?.unwrap_or_default(),
            requested_access: all.optional("requested_access")?,
            client: all.optional("client")?.unwrap_or_default(),
        })
    }
}

/// The task of a request, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tasked {
    /// The task.
    pub task: Task,
    /// What to do with the approval, once approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Resolution>,
}

/// A request on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// Its id, the request's.
    pub id: String,
    /// Where it stands.
    pub status: TaskStatus,
    /// Where to look again.
    pub status_endpoint: String,
    /// When it expires if nobody decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Related places.
    pub links: Links,
}

/// Where a task stands. It leaves `pending` once and for all: what becomes of an approval later
/// shows when it is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// People are asked.
    Pending,
    /// Approved, whatever became of it since.
    Approved,
    /// Denied, by policy or by a person.
    Denied,
    /// Nobody decided in time.
    Expired,
    /// Withdrawn.
    Cancelled,
}

/// How far a pending request is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// The first stage that is not filled, from 1.
    pub current_step: usize,
    /// How many stages.
    pub total_steps: usize,
    /// That stage's name.
    pub step_name: String,
    /// From whom approvals are taken for it: groups or people, as policy names them.
    pub awaiting: Vec<String>,
}

/// Related places.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Links {
    /// The page that shows the request.
    pub ticket: String,
    /// Where it is withdrawn, while it is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<String>,
}

/// What came of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resolution {
    /// Always `reevaluate`: ask again with the approval at `context.approval`.
    pub mode: String,
    /// The approval.
    pub approval: Approval,
}

/// A reference to an approval. It grants nothing by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// Its id, the request's.
    pub id: String,
    /// When it was approved, where that is still known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<String>,
    /// Until when it may be presented.
    pub approved_until: String,
}

/// What to do after a denial that an approval was presented for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NextAction {
    /// Ask anew.
    Request,
    /// Nothing: asking again changes nothing.
    None,
}
