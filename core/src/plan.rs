//! A Terraform plan, digested once: what changes, and facts that rules can test.
//!
//! The input is what `terraform show -json` prints, of every format version that is known. It is
//! somebody's data and may be hostile. It is checked once on a tape of places; no value of it is
//! kept: a [`Plan`] has addresses, names and paths, and of these none that the plan marks as
//! sensitive. [`redacted`] is the whole plan with everything sensitive taken out.
//!
//! The format: <https://developer.hashicorp.com/terraform/internals/json-format>.

mod address;
mod coverage;
mod diff;
mod error;
mod exposure;
mod family;
mod marks;
mod read;
mod redact;
mod resource;
mod rights;
mod secrets;
mod tape;
mod text;
mod values;
pub(crate) mod words;

use std::collections::BTreeSet;

pub use coverage::{Coverage, Gap, Scanned, scan};
pub use error::{LooksLike, Place, PlanError};
pub use redact::redacted;
pub use secrets::MARKER;
pub use values::{Side, ValueChange, values};

use crate::digest::Digest;
use crate::plan::read::Document;
use crate::plan::tape::{Kind, Node, Tape};
use crate::plan::text::Text;

/// Stands last in a list that was cut: what is listed is not all there is.
pub const CUT: &str = "(more)";

/// How much is read. Beyond, a plan is refused as a whole, never cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in all; never more than 4 GiB.
    pub bytes: usize,
    /// Objects and lists within one another.
    pub depth: usize,
    /// Values in all, names of members included.
    pub values: usize,
    /// Bytes of one text, as it is written.
    pub text: usize,
    /// Changes, deferred ones included; as many of drift and of outputs.
    pub changes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 32 << 20, depth: 64, values: 4_000_000, text: 4 << 20, changes: 20_000 }
    }
}

/// What is kept of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// SHA-256 of the bytes that were given.
    pub digest: Digest,
    /// What they add up to.
    pub facts: Facts,
    /// Each change, deferred ones included, riskiest first.
    pub changes: Vec<Change>,
    /// What had changed outside of Terraform.
    pub drift: Vec<Change>,
    /// The outputs that change.
    pub outputs: Vec<OutputChange>,
}

/// What a plan's changes add up to. `None` is not known, and never taken for a good answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema))]
#[cfg_attr(feature = "wire", serde(default, deny_unknown_fields))]
pub struct Facts {
    /// Resources created.
    pub creates: u64,
    /// Resources altered in place.
    pub updates: u64,
    /// Resources destroyed.
    pub deletes: u64,
    /// Resources destroyed and created anew, in either order, or forgotten and created anew.
    pub replaces: u64,
    /// Data sources read while applying.
    pub reads: u64,
    /// Resources imported.
    pub imports: u64,
    /// Resources that get another address.
    pub moves: u64,
    /// Resources no longer looked after, not destroyed.
    pub forgets: u64,
    /// Resources that were changed outside of Terraform.
    pub drifts: u64,
    /// Changes that Terraform puts off until after this plan is applied.
    pub deferred: u64,
    /// Outputs that change.
    pub outputs: u64,
    /// Creates, updates, deletes, replaces and forgets together.
    pub change_count: u64,
    /// The types of what changes.
    pub types: BTreeSet<String>,
    /// The providers of what changes, and those that the configuration names in full.
    pub providers: BTreeSet<String>,
    /// What is done: `create`, `read`, `update`, `delete`, `forget`; `replace`, `import`, `move` and
    /// `defer` beside them.
    pub actions: BTreeSet<String>,
    /// Whether something is altered, and tags only.
    pub tags_only: Option<bool>,
    /// Whether it touches who may do what.
    pub touches_iam: Option<bool>,
    /// Whether it opens something to everybody.
    pub public_exposure: Option<bool>,
    /// Whether a provisioner or an action of a provider can run.
    pub provisioners: Option<bool>,
    /// Whether applying leaves nothing of the configuration undone; told since Terraform 1.8.
    pub complete: Option<bool>,
    /// Whether there is something to apply and it can be applied; told since Terraform 1.8.
    pub applyable: Option<bool>,
    /// Whether planning failed halfway, where it is told.
    pub errored: Option<bool>,
    /// The Terraform that made the plan.
    pub terraform_version: Option<String>,
    /// The version of the plan's JSON.
    pub format_version: String,
}

/// What is done to one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Where it stands: `module.a.aws_vpc.main["x"]`.
    pub address: String,
    /// The address of its module, unless it is the root.
    pub module: Option<String>,
    /// `managed`, `data` or `ephemeral`.
    pub mode: String,
    /// The type of resource.
    pub type_name: String,
    /// Its name.
    pub name: String,
    /// Where its provider comes from.
    pub provider: Option<String>,
    /// The key of a left-over object that an earlier apply could not destroy.
    pub deposed: Option<String>,
    /// What is done, in order: `no-op`, `create`, `read`, `update`, `delete`, `forget`.
    pub actions: Vec<String>,
    /// Why, in Terraform's own word.
    pub reason: Option<String>,
    /// The attributes that change where it is altered or replaced; a list that gets longer or
    /// shorter is one path. Many paths are told by their top-level attributes only, absurdly many
    /// as `*`; [`CUT`] stands last then.
    pub paths: Vec<String>,
    /// Why it cannot be altered in place: Terraform's word, and the paths that force it; [`CUT`]
    /// stands last if there are more.
    pub replace_reasons: Vec<String>,
    /// The address it had before.
    pub previous_address: Option<String>,
    /// Whether it is imported.
    pub importing: bool,
    /// Why Terraform puts the change off, where it does.
    pub deferred: Option<String>,
    /// Whether it is altered, and in its tags only.
    pub tags_only: Option<bool>,
    /// Whether it touches who may do what.
    pub touches_iam: Option<bool>,
    /// Whether it opens something to everybody.
    pub public_exposure: Option<bool>,
    /// Whether a provisioner can run.
    pub provisioners: Option<bool>,
}

/// An output that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputChange {
    /// Its name.
    pub name: String,
    /// What is done.
    pub actions: Vec<String>,
}

/// How closely a change should be looked at, closest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// It destroys something.
    Destroys,
    /// It destroys something and makes it anew.
    Replaces,
    /// It touches, or may touch, who may do what.
    Rights,
    /// It opens, or may open, something to everybody.
    Exposes,
    /// It can run a provisioner.
    Provisions,
    /// It is no longer looked after.
    Forgets,
    /// Terraform puts it off.
    Deferred,
    /// It is altered.
    Updates,
    /// It is made.
    Creates,
    /// It gets another address, or is imported.
    Moves,
    /// It is read.
    Reads,
    /// Nothing is done.
    Nothing,
}

impl Change {
    /// How closely it should be looked at.
    pub fn risk(&self) -> Risk {
        if self.replaces() {
            return Risk::Replaces;
        }
        if self.does("delete") {
            return Risk::Destroys;
        }
        if self.touches_iam == Some(true) {
            return Risk::Rights;
        }
        if self.public_exposure == Some(true) {
            return Risk::Exposes;
        }
        if self.provisioners == Some(true) {
            return Risk::Provisions;
        }
        match self.actions.first().map(String::as_str) {
            Some("forget") => Risk::Forgets,
            _ if self.deferred.is_some() => Risk::Deferred,
            Some("update") => Risk::Updates,
            Some("create") => Risk::Creates,
            Some("read") => Risk::Reads,
            _ if self.does_something() => Risk::Moves,
            _ => Risk::Nothing,
        }
    }

    /// Whether this is what is done, alone or beside something else.
    pub fn does(&self, action: &str) -> bool {
        self.actions.iter().any(|it| it == action)
    }

    /// Whether it ends, or is given up, and is made anew.
    pub fn replaces(&self) -> bool {
        self.actions.len() == 2
    }

    /// Whether anything is done at all, if only to Terraform's state.
    pub fn does_something(&self) -> bool {
        !self.does("no-op") || self.previous_address.is_some() || self.importing
    }
}

impl Plan {
    /// Reads what `terraform show -json` prints of a plan.
    ///
    /// # Errors
    /// [`PlanError`] with what is wrong and where; the bytes are then no plan as a whole.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, PlanError> {
        let source = Source::decode(bytes, limits)?;
        source.read(limits, |document| document.plan(limits))
    }

    /// The facts of one change: those of a plan that holds nothing else. What is said of the plan
    /// as such, whether it is complete or which Terraform made it, is said of it too.
    pub fn facts_of(&self, change: &Change) -> Facts {
        let Facts { complete, applyable, errored, .. } = self.facts;
        let mut facts = Facts {
            complete,
            applyable,
            errored,
            terraform_version: self.facts.terraform_version.clone(),
            format_version: self.facts.format_version.clone(),
            ..Facts::default()
        };
        facts.count(std::slice::from_ref(change), &[], &[]);
        facts.forget_good_answers_if_errored();
        facts
    }
}

impl Facts {
    fn count(&mut self, changes: &[Change], drift: &[Change], outputs: &[OutputChange]) {
        let size = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.drifts = size(drift.len());
        self.outputs = size(outputs.len());
        changes.iter().for_each(|change| self.count_one(change));
        self.change_count =
            self.creates + self.updates + self.deletes + self.replaces + self.forgets;
        let all: Vec<_> = changes.iter().filter(|change| change.does_something()).collect();
        let any = |fact: fn(&Change) -> Option<bool>| any_of(all.iter().map(|change| fact(change)));
        self.touches_iam = any(|change| change.touches_iam);
        self.public_exposure = any(|change| change.public_exposure);
        self.provisioners = any(|change| change.provisioners);
        self.tags_only = tags_only(&all);
    }

    /// Of a plan that failed halfway nobody knows what it would have had. That only tags change is
    /// the good answer, that a resource touches rights the bad one.
    fn forget_good_answers_if_errored(&mut self) {
        if self.errored != Some(true) {
            return;
        }
        self.tags_only = None;
        for fact in [&mut self.touches_iam, &mut self.public_exposure, &mut self.provisioners] {
            *fact = fact.filter(|answer| *answer);
        }
    }

    fn count_one(&mut self, change: &Change) {
        if !change.does_something() {
            return;
        }
        self.types.insert(change.type_name.clone());
        self.providers.extend(change.provider.clone());
        let mut note = |word: &str| _ = self.actions.insert(word.to_owned());
        change.actions.iter().filter(|it| *it != "no-op").for_each(|it| note(it));
        if change.deferred.is_some() {
            note("defer");
            self.deferred += 1;
            return;
        }
        if change.replaces() {
            note("replace");
            self.replaces += 1;
        } else {
            match change.actions.first().map(String::as_str) {
                Some("create") => self.creates += 1,
                Some("read") => self.reads += 1,
                Some("update") => self.updates += 1,
                Some("delete") => self.deletes += 1,
                Some("forget") => self.forgets += 1,
                _ => {}
            }
        }
        let mut note = |word: &str| _ = self.actions.insert(word.to_owned());
        if change.importing {
            note("import");
            self.imports += 1;
        }
        if change.previous_address.is_some() {
            note("move");
            self.moves += 1;
        }
    }
}

/// Whether one of them is so; unknown as long as one that is unknown could be.
fn any_of(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(false);
    for answer in answers {
        match answer {
            Some(true) => return Some(true),
            Some(false) => {}
            None => all = None,
        }
    }
    all
}

/// Whether something is altered and nothing but tags. What is only read does not count.
fn tags_only(changes: &[&Change]) -> Option<bool> {
    let mut answer = None;
    let mut unknown = false;
    for change in changes.iter().filter(|change| change.actions != ["read"]) {
        match change.tags_only {
            Some(false) => return Some(false),
            _ if change.importing => return Some(false),
            Some(true) => answer = Some(true),
            None => unknown = true,
        }
        unknown |= change.deferred.is_some();
    }
    if unknown { None } else { answer.or(Some(false)) }
}

/// The bytes that were given, as text.
#[derive(Debug)]
struct Source<'a> {
    text: Text<'a>,
    digest: Digest,
}

impl<'a> Source<'a> {
    fn decode(bytes: &'a [u8], limits: &Limits) -> Result<Self, PlanError> {
        let limit = limits.bytes.min(u32::MAX as usize);
        if bytes.len() > limit {
            return Err(PlanError::TooLarge { bytes: bytes.len(), limit });
        }
        Ok(Self { text: text::decode(bytes)?, digest: Digest::of(bytes) })
    }

    fn read<T>(
        &self,
        limits: &Limits,
        read: impl FnOnce(&Document<'_>) -> Result<T, PlanError>,
    ) -> Result<T, PlanError> {
        let text = self.text.text.as_ref();
        let done = Tape::read(text, limits).map_err(|error| instead(text, limits, error));
        let done = done.and_then(|tape| {
            let root = tape.root();
            looks_like(root).map_or(Ok(()), |it| Err(PlanError::NotAPlan(it)))?;
            read(&Document::new(root, self.digest))
        });
        done.map_err(|error| error.map_byte(|at| self.text.byte(at)))
    }
}

/// What text that is not one JSON value may be, if it is something well known.
fn instead(text: &str, limits: &Limits, error: PlanError) -> PlanError {
    let looks = match text.trim_start().chars().next() {
        None => Some(LooksLike::Nothing),
        Some('{') => {
            let first = Tape::read_first(text, limits).ok();
            first.and_then(|tape| tape.root().get("@level").map(|_| LooksLike::Log))
        }
        Some('[') => None,
        Some(_) => Some(LooksLike::Text),
    };
    looks.map_or(error, PlanError::NotAPlan)
}

/// What a JSON value is that is not a plan.
fn looks_like(root: Node<'_>) -> Option<LooksLike> {
    if root.kind() != Kind::Map {
        return Some(LooksLike::Json);
    }
    let has = |names: &[&str]| names.iter().any(|name| root.get(name).is_some());
    let is_plan = has(&["planned_values", "resource_changes", "output_changes"]);
    if is_plan || has(&["format_version"]) && has(&["configuration"]) {
        return None;
    }
    Some(match () {
        () if has(&["@level"]) => LooksLike::Log,
        () if has(&["lineage", "serial"]) => LooksLike::State,
        () if has(&["provider_schemas"]) => LooksLike::ProviderSchemas,
        () if has(&["valid", "diagnostics"]) => LooksLike::Validation,
        () if has(&["remote_plan_format"]) => LooksLike::CloudPlan,
        () if has(&["values", "format_version"]) => LooksLike::StateView,
        () if has(&["resource", "terraform", "provider", "module", "variable"]) => {
            LooksLike::Configuration
        }
        () => LooksLike::Json,
    })
}
