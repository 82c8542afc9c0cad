//! A plan's summary and facts as JSON: what `assent plan show` prints and what is stored.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan;
use crate::plan::{Action, Mode};

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
    /// What rules test, but for the changes.
    pub facts: Facts,
    /// `sha256:` and 64 hex digits: of the bytes that were given.
    pub digest: String,
}

/// What rules can test of a plan. What is left out is 0, empty or unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Facts {
    /// Resources created.
    pub creates: u64,
    /// Resources altered in place.
    pub updates: u64,
    /// Resources destroyed.
    pub deletes: u64,
    /// Resources destroyed, or forgotten, and created anew.
    pub replaces: u64,
    /// Data sources read while applying.
    pub reads: u64,
    /// Resources imported.
    pub imports: u64,
    /// Resources that get another address.
    pub moves: u64,
    /// Resources no longer looked after.
    pub forgets: u64,
    /// Resources that were changed outside of Terraform.
    pub drifts: u64,
    /// Changes that are put off.
    pub deferred: u64,
    /// Outputs that change.
    pub outputs: u64,
    /// Creates, updates, deletes, replaces and forgets together.
    pub change_count: u64,
    /// The types of what changes.
    pub types: BTreeSet<String>,
    /// The providers of what changes and of the configuration.
    pub providers: BTreeSet<String>,
    /// What is done.
    pub actions: BTreeSet<String>,
    /// Whether something is altered, and tags only; null is unknown, as below.
    pub tags_only: Option<bool>,
    /// Whether it touches who may do what.
    pub touches_iam: Option<bool>,
    /// Whether it opens something to everybody.
    pub public_exposure: Option<bool>,
    /// Whether a provisioner or an action of a provider can run.
    pub provisioners: Option<bool>,
    /// Whether applying leaves nothing of the configuration undone.
    pub complete: Option<bool>,
    /// Whether there is something to apply and it can be applied.
    pub applyable: Option<bool>,
    /// Whether planning failed halfway.
    pub errored: Option<bool>,
    /// The Terraform that made the plan.
    pub terraform_version: Option<String>,
    /// The version of the plan's JSON.
    pub format_version: String,
    /// Each change, where facts stand alone; in a plan it has them itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
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
    #[serde(default)]
    pub provider: String,
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
        let mut facts = Facts::from(&plan.facts);
        Self {
            format_version: facts.format_version.clone(),
            terraform_version: facts.terraform_version.clone(),
            complete: facts.complete,
            changes: std::mem::take(&mut facts.changes),
            drift: plan.drift.iter().map(Change::from).collect(),
            outputs: plan.outputs.iter().map(OutputChange::from).collect(),
            facts,
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
            ("changes", facts.changes.is_empty()),
        ] {
            is_same.then_some(()).ok_or(ReadPlanError::Differ(name))?;
        }
        let outputs = plan.outputs.into_iter().map(plan::OutputChange::try_from);
        Ok(Self {
            digest: plan.digest.parse()?,
            facts: plan::Facts {
                changes: read_all(plan.changes)?,
                ..plan::Facts::try_from(plan.facts)?
            },
            drift: read_all(plan.drift)?,
            outputs: outputs.collect::<Result<_, _>>()?,
        })
    }
}

impl From<&plan::Facts> for Facts {
    fn from(facts: &plan::Facts) -> Self {
        Self {
            creates: facts.creates,
            updates: facts.updates,
            deletes: facts.deletes,
            replaces: facts.replaces,
            reads: facts.reads,
            imports: facts.imports,
            moves: facts.moves,
            forgets: facts.forgets,
            drifts: facts.drifts,
            deferred: facts.deferred,
            outputs: facts.outputs,
            change_count: facts.change_count,
            types: facts.types.clone(),
            providers: facts.providers.clone(),
            actions: facts.actions.clone(),
            tags_only: facts.tags_only,
            touches_iam: facts.touches_iam,
            public_exposure: facts.public_exposure,
            provisioners: facts.provisioners,
            complete: facts.complete,
            applyable: facts.applyable,
            errored: facts.errored,
            terraform_version: facts.terraform_version.clone(),
            format_version: facts.format_version.clone(),
            changes: facts.changes.iter().map(Change::from).collect(),
        }
    }
}

impl TryFrom<Facts> for plan::Facts {
    type Error = ReadPlanError;

    fn try_from(facts: Facts) -> Result<Self, ReadPlanError> {
        Ok(Self {
            changes: read_all(facts.changes)?,
            creates: facts.creates,
            updates: facts.updates,
            deletes: facts.deletes,
            replaces: facts.replaces,
            reads: facts.reads,
            imports: facts.imports,
            moves: facts.moves,
            forgets: facts.forgets,
            drifts: facts.drifts,
            deferred: facts.deferred,
            outputs: facts.outputs,
            change_count: facts.change_count,
            types: facts.types,
            providers: facts.providers,
            actions: facts.actions,
            tags_only: facts.tags_only,
            touches_iam: facts.touches_iam,
            public_exposure: facts.public_exposure,
            provisioners: facts.provisioners,
            complete: facts.complete,
            applyable: facts.applyable,
            errored: facts.errored,
            terraform_version: facts.terraform_version,
            format_version: facts.format_version,
        })
    }
}

impl From<&plan::Change> for Change {
    fn from(change: &plan::Change) -> Self {
        Self {
            address: change.address.clone(),
            module: change.module.clone(),
            mode: change.mode.word().to_owned(),
            type_: change.kind.clone(),
            name: change.name.clone(),
            provider: change.provider.clone(),
            deposed: change.deposed.clone(),
            actions: words(&change.actions),
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
        let mode = Mode::from_word(&change.mode);
        Ok(Self {
            mode: mode.ok_or(ReadPlanError::Mode(change.mode))?,
            actions: actions(change.actions)?,
            address: change.address,
            module: change.module,
            kind: change.type_,
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
        Self { name: output.name.clone(), actions: words(&output.actions) }
    }
}

impl TryFrom<OutputChange> for plan::OutputChange {
    type Error = ReadPlanError;

    fn try_from(output: OutputChange) -> Result<Self, ReadPlanError> {
        Ok(Self { name: output.name, actions: actions(output.actions)? })
    }
}

fn read_all(changes: Vec<Change>) -> Result<Vec<plan::Change>, ReadPlanError> {
    changes.into_iter().map(plan::Change::try_from).collect()
}

fn words(actions: &[Action]) -> Vec<String> {
    actions.iter().map(|action| action.word().to_owned()).collect()
}

fn actions(words: Vec<String>) -> Result<Vec<Action>, ReadPlanError> {
    let read = |word: String| Action::from_word(&word).ok_or(ReadPlanError::Action(word));
    words.into_iter().map(read).collect()
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
        let facts = serde_json::to_string(&Facts::from(&plan.facts)).unwrap();
        let read: Facts = serde_json::from_str(&facts).unwrap();
        assert_eq!(plan::Facts::try_from(read), Ok(plan.facts));
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
            "provisioners": false,
        });
        assert_eq!(value["changes"][0], first);
    }

    #[test]
    fn facts_that_are_not_stated_are_nothing_or_unknown() {
        let read: Facts = serde_json::from_value(json!({
            "deletes": 1,
            "changes": [{"address": "a.b", "actions": ["delete"]}],
        }))
        .unwrap();
        let facts = plan::Facts::try_from(read).unwrap();
        assert_eq!((facts.deletes, facts.creates, facts.complete), (1, 0, None));
        assert_eq!(facts.changes[0].actions, [Action::Delete]);
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
