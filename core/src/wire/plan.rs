//! A plan's summary and facts as JSON: what `assent plan show` prints and what is stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan;
use crate::plan::Facts;
use crate::plan::words::{Action, Mode};

/// What is kept of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of the plan's JSON.
    pub format_version: String,
    /// The Terraform that made the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terraform_version: Option<String>,
    /// Whether applying leaves nothing of the configuration undone; null where it is not told.
    pub complete: Option<bool>,
    /// Each change, riskiest first.
    pub changes: Vec<Change>,
    /// What had changed outside of Terraform.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Change>,
    /// The outputs that change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputChange>,
    /// What the changes add up to, for rules to test.
    pub facts: Facts,
    /// `sha256:` and 64 hex digits: of the bytes that were given.
    pub digest: String,
}

/// Which plan its holder says to be of a saved plan file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// `sha256:` and 64 hex digits: of the bytes of the file.
    pub saved: String,
    /// The same of the plan's JSON, by which intents name it.
    pub plan: String,
}

/// What is done to one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Where it stands.
    pub address: String,
    /// The address of its module, unless it is the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// `managed`, `data` or `ephemeral`.
    #[serde(default = "managed")]
    pub mode: String,
    /// The type of resource.
    #[serde(rename = "type", default)]
    pub type_: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Where its provider comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The key of a left-over object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deposed: Option<String>,
    /// What is done, in order, in Terraform's words.
    pub actions: Vec<String>,
    /// Why, in Terraform's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The attributes that change.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Why it cannot be altered in place.
    #[serde(default)]
    pub replace_reasons: Vec<String>,
    /// The address it had before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_address: Option<String>,
    /// Whether it is imported.
    #[serde(default)]
    pub importing: bool,
    /// Why Terraform puts it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred: Option<String>,
    /// Whether it is altered, and in its tags only; null is unknown, as below.
    #[serde(default)]
    pub tags_only: Option<bool>,
    /// Whether it touches who may do what.
    #[serde(default)]
    pub touches_iam: Option<bool>,
    /// Whether it opens something to everybody.
    #[serde(default)]
    pub public_exposure: Option<bool>,
    /// Whether a provisioner can run.
    #[serde(default)]
    pub provisioners: Option<bool>,
}

fn managed() -> String {
    Mode::Managed.word().to_owned()
}

/// An output that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputChange {
    /// Its name.
    pub name: String,
    /// What is done, in Terraform's words.
    pub actions: Vec<String>,
}

/// Why a stored plan is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadPlanError {
    /// The digest is not one.
    #[error(transparent)]
    Digest(#[from] crate::digest::NotADigest),
    /// Not an action of Terraform's.
    #[error("`{0}` is not an action; write no-op, create, read, update, delete or forget")]
    Action(String),
    /// Not a mode.
    #[error("`{0}` is not a mode; write managed, data or ephemeral")]
    Mode(String),
    /// The plan says one thing and its facts another.
    #[error("`{0}` of the plan and of its facts differ")]
    Differ(&'static str),
}

impl From<&plan::Plan> for Plan {
    fn from(plan: &plan::Plan) -> Self {
        let facts = &plan.facts;
        Self {
            format_version: facts.format_version.clone(),
            terraform_version: facts.terraform_version.clone(),
            complete: facts.complete,
            changes: plan.changes.iter().map(Change::from).collect(),
            drift: plan.drift.iter().map(Change::from).collect(),
            outputs: plan.outputs.iter().map(OutputChange::from).collect(),
            facts: facts.clone(),
            digest: plan.digest.to_string(),
        }
    }
}

impl TryFrom<Plan> for plan::Plan {
    type Error = ReadPlanError;

    fn try_from(plan: Plan) -> Result<Self, ReadPlanError> {
        let facts = &plan.facts;
        for (name, is_same) in [
            ("format_version", plan.format_version == facts.format_version),
            ("terraform_version", plan.terraform_version == facts.terraform_version),
            ("complete", plan.complete == facts.complete),
        ] {
            is_same.then_some(()).ok_or(ReadPlanError::Differ(name))?;
        }
        let outputs = plan.outputs.into_iter().map(plan::OutputChange::try_from);
        Ok(Self {
            digest: plan.digest.parse()?,
            facts: plan.facts,
            changes: read_all(plan.changes)?,
            drift: read_all(plan.drift)?,
            outputs: outputs.collect::<Result<_, _>>()?,
        })
    }
}

impl From<&plan::Change> for Change {
    fn from(change: &plan::Change) -> Self {
        Self {
            address: change.address.clone(),
            module: change.module.clone(),
            mode: change.mode.clone(),
            type_: change.type_name.clone(),
            name: change.name.clone(),
            provider: change.provider.clone(),
            deposed: change.deposed.clone(),
            actions: change.actions.clone(),
            reason: change.reason.clone(),
            paths: change.paths.clone(),
            replace_reasons: change.replace_reasons.clone(),
            previous_address: change.previous_address.clone(),
            importing: change.importing,
            deferred: change.deferred.clone(),
            tags_only: change.tags_only,
            touches_iam: change.touches_iam,
            public_exposure: change.public_exposure,
            provisioners: change.provisioners,
        }
    }
}

impl TryFrom<Change> for plan::Change {
    type Error = ReadPlanError;

    fn try_from(change: Change) -> Result<Self, ReadPlanError> {
        if Mode::from_word(&change.mode).is_none() {
            return Err(ReadPlanError::Mode(change.mode));
        }
        Ok(Self {
            mode: change.mode,
            actions: known(change.actions)?,
            address: change.address,
            module: change.module,
            type_name: change.type_,
            name: change.name,
            provider: change.provider,
            deposed: change.deposed,
            reason: change.reason,
            paths: change.paths,
            replace_reasons: change.replace_reasons,
            previous_address: change.previous_address,
            importing: change.importing,
            deferred: change.deferred,
            tags_only: change.tags_only,
            touches_iam: change.touches_iam,
            public_exposure: change.public_exposure,
            provisioners: change.provisioners,
        })
    }
}

impl From<&plan::OutputChange> for OutputChange {
    fn from(output: &plan::OutputChange) -> Self {
        Self { name: output.name.clone(), actions: output.actions.clone() }
    }
}

impl TryFrom<OutputChange> for plan::OutputChange {
    type Error = ReadPlanError;

    fn try_from(output: OutputChange) -> Result<Self, ReadPlanError> {
        Ok(Self { name: output.name, actions: known(output.actions)? })
    }
}

fn read_all(changes: Vec<Change>) -> Result<Vec<plan::Change>, ReadPlanError> {
    changes.into_iter().map(plan::Change::try_from).collect()
}

/// The actions, if each is one.
fn known(words: Vec<String>) -> Result<Vec<String>, ReadPlanError> {
    match words.iter().find(|word| Action::from_word(word).is_none()) {
        None => Ok(words),
        Some(word) => Err(ReadPlanError::Action(word.clone())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::Limits;

    fn given() -> plan::Plan {
        let bytes = include_bytes!("../../../tests/plans/own/made-many.json");
        plan::Plan::parse(bytes, &Limits::default()).unwrap()
    }

    #[test]
    fn a_plan_reads_back_as_it_was_written() {
        let plan = given();
        let text = serde_json::to_string(&Plan::from(&plan)).unwrap();
        let read: Plan = serde_json::from_str(&text).unwrap();
        assert_eq!(plan::Plan::try_from(read), Ok(plan.clone()));
    }

    #[test]
    fn a_plan_has_the_promised_members() {
        let value = serde_json::to_value(Plan::from(&given())).unwrap();
        let names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let wanted = [
            "changes",
            "complete",
            "digest",
            "facts",
            "format_version",
            "outputs",
            "terraform_version",
        ];
        assert_eq!(names, wanted);
        let first = json!({
            "address": "terraform_data.gone",
            "mode": "managed",
            "type": "terraform_data",
            "name": "gone",
            "provider": "terraform.io/builtin/terraform",
            "actions": ["delete"],
            "reason": "delete_because_no_resource_config",
            "paths": [],
            "replace_reasons": [],
            "importing": false,
            "tags_only": false,
            "touches_iam": false,
            "public_exposure": false,
            "provisioners": null,
        });
        assert_eq!(value["changes"][0], first);
    }

    #[test]
    fn facts_that_are_not_stated_are_nothing_or_unknown() {
        let facts: Facts = serde_json::from_value(json!({"deletes": 1})).unwrap();
        assert_eq!((facts.deletes, facts.creates, facts.complete), (1, 0, None));
        assert!(serde_json::from_value::<Facts>(json!({"deletions": 1})).is_err());
    }

    #[test]
    fn a_plan_that_contradicts_its_facts_is_refused() {
        let mut plan = Plan::from(&given());
        plan.complete = Some(false);
        assert_eq!(plan::Plan::try_from(plan), Err(ReadPlanError::Differ("complete")));
        let mut plan = Plan::from(&given());
        plan.changes[0].actions = vec!["destroy".to_owned()];
        let wanted = ReadPlanError::Action("destroy".to_owned());
        assert_eq!(plan::Plan::try_from(plan), Err(wanted));
    }
}
