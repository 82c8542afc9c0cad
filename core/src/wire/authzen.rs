//! What enforcement points and this decision point say to each other: OpenID AuthZEN Authorization
//! API 1.0, sections 5 to 9.
//!
//! Unknown members are ignored, as section 4 asks; members that are known must be of their type.

mod access_request;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use access_request::{
    AccessRequest, Approval, DenialEcho, Links, NextAction, Progress, Requestable, RequestedAccess,
    Resolution, Task, TaskStatus, Tasked,
};

use crate::canonical;
use crate::digest::Digest;
use crate::policy::ruling;
use crate::wire::{RefusalReason, Ruling, Said, Stage};

/// A subject or a resource: an id within a type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entity {
    /// What it is: `person`, `database`.
    #[serde(rename = "type")]
    pub type_: String,
    /// Which of them.
    pub id: String,
    /// What else the enforcement point says of it. A claim, never a proof.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub properties: Option<Map<String, Value>>,
}

/// What the subject would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Action {
    /// Its name: `terraform.apply`.
    pub name: String,
    /// What else the enforcement point says of it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub properties: Option<Map<String, Value>>,
}

/// A member that is there is of its type: `null` is not the same as absent.
fn present<'de, D: serde::Deserializer<'de>>(
    reader: D,
) -> Result<Option<Map<String, Value>>, D::Error> {
    Map::deserialize(reader).map(Some)
}

/// May this subject do this action to this resource?
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Evaluation {
    /// Who.
    pub subject: Entity,
    /// Does what.
    pub action: Action,
    /// To what.
    pub resource: Entity,
    /// In which circumstances.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub context: Map<String, Value>,
}

/// Many evaluations at once; what stands beside `evaluations` is the default for each.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Evaluations {
    /// `subject`, `action`, `resource`, `context`: each is taken whole where an item has none.
    #[serde(flatten)]
    pub defaults: Map<String, Value>,
    /// What is asked, in order.
    #[serde(default)]
    pub evaluations: Vec<Value>,
    /// How they are evaluated.
    #[serde(default)]
    pub options: Options,
}

/// How many evaluations are evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Options {
    /// When to stop.
    #[serde(default)]
    pub evaluations_semantic: Semantic,
}

/// When to stop, section 7.1.2.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Semantic {
    /// Not before the last.
    #[default]
    ExecuteAll,
    /// After the first that is denied.
    DenyOnFirstDeny,
    /// After the first that is permitted.
    PermitOnFirstPermit,
}

impl Semantic {
    /// Whether this decision is the last.
    pub fn stops_after(self, decision: bool) -> bool {
        match self {
            Self::ExecuteAll => false,
            Self::DenyOnFirstDeny => !decision,
            Self::PermitOnFirstPermit => decision,
        }
    }
}

/// Which actions may this subject do to this resource?
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ActionSearch {
    /// Who.
    pub subject: Entity,
    /// To what.
    pub resource: Entity,
    /// In which circumstances.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub context: Map<String, Value>,
}

/// The actions that would be permitted, all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FoundActions {
    /// By name.
    pub results: Vec<Action>,
}

/// Why what was sent is no question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{member}`: {problem}")]
pub struct Unfit {
    /// The member.
    pub member: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl Evaluation {
    /// Reads an evaluation from `item`; a member it lacks is taken whole from `defaults`.
    ///
    /// # Errors
    /// [`Unfit`] for a member that is missing or not of its type.
    pub fn read(item: &Map<String, Value>, defaults: &Map<String, Value>) -> Result<Self, Unfit> {
        let all = Members { item, defaults };
        Ok(Self {
            subject: all.required("subject")?,
            action: all.required("action")?,
            resource: all.required("resource")?,
            context: all.optional("context")?.unwrap_or_default(),
        })
    }

    /// The digest that binds a denial: SHA-256 over the canonical form (RFC 8785) of subject,
    /// resource, action and these members of the context. `subject.properties.act` is not bound,
    /// because an enforcement point may move it (access request profile, "Denial Binding Claims").
    pub fn binding_hash(&self, members: &BTreeSet<String>) -> Digest {
        let bound = self.context.iter().filter(|(name, _)| members.contains(*name));
        let context: Map<_, _> = bound.map(|(name, value)| (name.clone(), value.clone())).collect();
        canonical::digest(&json!({
            "subject": self.subject.without_actor(),
            "resource": self.resource,
            "action": self.action,
            "context": context,
        }))
    }
}

impl Entity {
    /// The same without `properties.act`, and without properties where that was the only one.
    #[must_use]
    pub fn without_actor(&self) -> Self {
        let mut properties = self.properties.clone();
        let held = properties.as_mut().and_then(|properties| properties.remove("act")).is_some();
        let emptied = held && properties.as_ref().is_some_and(Map::is_empty);
        Self { properties: properties.filter(|_| !emptied), ..self.clone() }
    }
}

/// What a call to the endpoint for many evaluations asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Questions {
    /// One question, as at the other endpoint: `evaluations` is absent or empty.
    One(Map<String, Value>),
    /// Many.
    Many(Evaluations),
}

impl Questions {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Unfit`] where `evaluations` or `options` is not of its type.
    pub fn read(mut body: Map<String, Value>) -> Result<Self, Unfit> {
        let unfit = |member, problem: &str| Unfit { member, problem: problem.to_owned() };
        let evaluations = match body.remove("evaluations") {
            None => return Ok(Self::One(body)),
            Some(Value::Array(items)) if items.is_empty() => return Ok(Self::One(body)),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(unfit("evaluations", "expected an array")),
        };
        let semantic = match body.remove("options") {
            None => None,
            Some(Value::Object(mut options)) => options.remove("evaluations_semantic"),
            Some(_) => return Err(unfit("options", "expected an object")),
        };
        let known = "expected execute_all, deny_on_first_deny or permit_on_first_permit";
        let read = |word| Semantic::deserialize(&word);
        let evaluations_semantic = semantic.map_or(Ok(Semantic::default()), read);
        let evaluations_semantic =
            evaluations_semantic.map_err(|_| unfit("options.evaluations_semantic", known))?;
        let options = Options { evaluations_semantic };
        Ok(Self::Many(Evaluations { defaults: body, evaluations, options }))
    }
}

impl ActionSearch {
    /// Reads a search. A page is not read: the answer is always whole.
    ///
    /// # Errors
    /// [`Unfit`] for a member that is missing or not of its type.
    pub fn read(body: &Map<String, Value>) -> Result<Self, Unfit> {
        let all = Members { item: body, defaults: &Map::new() };
        Ok(Self {
            subject: all.required("subject")?,
            resource: all.required("resource")?,
            context: all.optional("context")?.unwrap_or_default(),
        })
    }
}

/// The members of an object, and those that stand in for them.
struct Members<'a> {
    item: &'a Map<String, Value>,
    defaults: &'a Map<String, Value>,
}

impl Members<'_> {
    fn required<T: DeserializeOwned>(&self, member: &'static str) -> Result<T, Unfit> {
        let missing = || Unfit { member, problem: "is missing".to_owned() };
        self.optional(member)?.ok_or_else(missing)
    }

    /// An object of this type. A list is none, though serde would read a struct from it.
    fn optional<T: DeserializeOwned>(&self, member: &'static str) -> Result<Option<T>, Unfit> {
        let unfit = |problem| Unfit { member, problem };
        let Some(value) = self.item.get(member).or_else(|| self.defaults.get(member)) else {
            return Ok(None);
        };
        if !value.is_object() {
            return Err(unfit("expected an object".to_owned()));
        }
        T::deserialize(value).map(Some).map_err(|fault| unfit(fault.to_string()))
    }
}

/// The answer to one evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// Whether it may be done, now, by whoever enforces this. `true` only where nobody needs to be
    /// asked, or where those who were asked have approved exactly this.
    pub decision: bool,
    /// Why.
    pub context: DecisionContext,
}

/// The answers to many evaluations, in the order they were asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decisions {
    /// As many as were evaluated.
    pub evaluations: Vec<Decision>,
}

/// Why it may or may not be done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DecisionContext {
    /// Why not, for programs: `approval_required`, `policy_denied`, `unknown_subject`, `unfit`, or
    /// what became of a presented approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What policy said: permit, require or refuse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<Said>,
    /// The rules that decided.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rules: BTreeSet<String>,
    /// The revision of the policy that spoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Who must approve, where the ruling is require.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// What the rules say, where the ruling is refuse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<RefusalReason>,
    /// Why it could not be evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<EvaluationError>,
    /// Which denied evaluation this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation_id: Option<String>,
    /// When it was denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluated_at: Option<String>,
    /// How to ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_request: Option<Requestable>,
    /// The approval that it was permitted by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// What to do after a denial that an approval was presented for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_action: Option<NextAction>,
}

/// Why one evaluation could not be evaluated, in the terms of HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvaluationError {
    /// An HTTP status.
    pub status: u16,
    /// What happened and what to do.
    pub message: String,
}

impl Decision {
    /// A denial with its reason, for programs, and what happened.
    pub fn fault(reason: &str, status: u16, message: String) -> Self {
        let error = Some(EvaluationError { status, message });
        let reason = Some(reason.to_owned());
        Self { decision: false, context: DecisionContext { reason, error, ..Default::default() } }
    }
}

impl From<&ruling::Ruling> for Decision {
    fn from(ruling: &ruling::Ruling) -> Self {
        let said = Ruling::from(ruling);
        let reason = match said.outcome {
            Said::Permit => None,
            Said::Require => Some("approval_required".to_owned()),
            Said::Refuse => Some("policy_denied".to_owned()),
        };
        let context = DecisionContext {
            reason,
            ruling: Some(said.outcome),
            rules: said.rules,
            policy: Some(said.policy),
            stages: said.stages,
            reasons: said.reasons,
            ..DecisionContext::default()
        };
        Self { decision: said.outcome == Said::Permit, context }
    }
}

/// What this decision point can do and where, section 9.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// The decision point: the base URL this was fetched from.
    pub policy_decision_point: String,
    /// Where to ask one question.
    pub access_evaluation_endpoint: String,
    /// Where to ask many.
    pub access_evaluations_endpoint: String,
    /// Where to ask which actions are permitted.
    pub search_action_endpoint: String,
    /// Where to ask for what was denied, if that can be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_request_endpoint: Option<String>,
    /// The public keys, if anything is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// What it can do beyond the basics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn whole() -> Value {
        json!({
            "subject": {"type": "user", "id": "alice"},
            "action": {"name": "read"},
            "resource": {"type": "record", "id": "1"},
        })
    }

    #[test]
    fn defaults_are_replaced_whole() {
        let defaults = object(json!({
            "subject": {"type": "user", "id": "alice", "properties": {"role": "admin"}},
            "action": {"name": "read"},
            "context": {"ticket": 1},
        }));
        let item = object(json!({
            "subject": {"type": "user", "id": "bob"},
            "resource": {"type": "record", "id": "1"},
            "context": {},
        }));
        let read = Evaluation::read(&item, &defaults).unwrap();
        assert_eq!((read.subject.id.as_str(), &read.subject.properties), ("bob", &None));
        assert_eq!((read.action.name.as_str(), read.context.is_empty()), ("read", true));
        let half = object(json!({"subject": {"id": "bob"}, "resource": {"type": "r", "id": "1"}}));
        let fault = Evaluation::read(&half, &defaults).unwrap_err();
        assert_eq!(fault.to_string(), "`subject`: missing field `type`");
    }

    #[test]
    fn null_and_lists_are_no_objects() {
        for (member, wrong) in [
            ("subject", json!(["user", "alice"])),
            ("subject", json!(null)),
            ("subject", json!({"type": "user", "id": "alice", "properties": null})),
            ("action", json!({"name": 7})),
            ("resource", json!("record")),
            ("context", json!(null)),
        ] {
            let mut body = object(whole());
            body.insert(member.to_owned(), wrong.clone());
            let fault = Evaluation::read(&body, &Map::new()).unwrap_err();
            assert_eq!(fault.member, member, "{wrong}");
        }
    }

    #[test]
    fn the_binding_covers_everything_but_the_actor_and_other_members() {
        let read = |body: Value| Evaluation::read(&object(body), &Map::new()).unwrap();
        let mut first = whole();
        first["context"] = json!({"ticket": 1.0, "time": "now"});
        let members = BTreeSet::from(["ticket".to_owned()]);
        let hash = read(first.clone()).binding_hash(&members);
        let changed = |change: &dyn Fn(&mut Value)| {
            let mut other = first.clone();
            change(&mut other);
            read(other).binding_hash(&members)
        };
        assert_eq!(hash, changed(&|body| body["context"]["time"] = json!("later")));
        assert_eq!(hash, changed(&|body| body["context"]["ticket"] = json!(1)));
        assert_eq!(hash, changed(&|body| body["subject"]["properties"] = json!({"act": {}})));
        let others: [&dyn Fn(&mut Value); 6] = [
            &|body| body["subject"]["id"] = json!("bob"),
            &|body| body["subject"]["properties"] = json!({}),
            &|body| body["action"]["properties"] = json!({"soft": true}),
            &|body| body["resource"]["type"] = json!("other"),
            &|body| body["context"]["ticket"] = json!("1"),
            &|body| body["context"] = json!({}),
        ];
        for (at, other) in others.into_iter().enumerate() {
            assert_ne!(hash, changed(other), "{at}");
        }
    }
}
