//! From the tape to a plan: what changes, and the facts about it.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::digest::Digest;
use crate::plan::address::{MAX_NAME, within_module, without_keys, without_secrets};
use crate::plan::diff::{self, MAX_PATH_BYTES, Sides};
use crate::plan::error::PlanError;
use crate::plan::family::Family;
use crate::plan::marks::{MAX_REASONS, Marks};
use crate::plan::resource::{Effect, Resource};
use crate::plan::secrets::Secrets;
use crate::plan::tape::{Kind, Node};
use crate::plan::words::{Action, Mode, words};
use crate::plan::{CUT, Change, Facts, Limits, OutputChange, Plan};
use crate::plan::{exposure, rights};

/// A plan on its tape, with what must not be shown of it.
#[derive(Debug)]
pub(super) struct Document<'t> {
    pub(super) root: Node<'t>,
    pub(super) marks: Marks<'t>,
    pub(super) secrets: Secrets<'t>,
    /// The resources of the configuration by address without keys, where it can be known.
    blocks: Option<HashMap<String, Node<'t>>>,
    digest: Digest,
}

impl<'t> Document<'t> {
    pub(super) fn new(root: Node<'t>, digest: Digest) -> Self {
        let marks = Marks::of(root);
        let secrets = Secrets::gather(&marks);
        let blocks = root.get("configuration").and_then(blocks);
        Self { root, marks, secrets, blocks, digest }
    }

    /// Everything that is kept of the plan.
    pub(super) fn plan(&self, limits: &Limits) -> Result<Plan, PlanError> {
        let mut budget = MAX_PATH_BYTES;
        let mut changes = self.changes("resource_changes", limits, &mut budget)?;
        let deferred = self.deferred(limits, &mut budget)?;
        let count = changes.len() + deferred.len();
        if count > limits.changes {
            let place = self.root.place();
            return Err(PlanError::TooManyChanges { place, limit: limits.changes });
        }
        changes.extend(deferred);
        let outputs = self.outputs(limits)?;
        let mut drift = self.changes("resource_drift", limits, &mut budget)?;
        drift.retain(|change| !change.does("no-op"));
        // INVARIANT: what ends or opens something stands before what does not, however many.
        changes.sort_by_key(Change::risk);
        drift.sort_by_key(Change::risk);
        let mut facts = Facts {
            format_version: self.format_version()?.into_owned(),
            terraform_version: self.terraform_version()?,
            complete: self.flag("complete")?,
            applyable: self.flag("applyable")?,
            errored: self.flag("errored")?,
            ..Facts::default()
        };
        facts.count(&changes, &drift, &outputs);
        facts.providers.extend(self.configured_providers());
        if self.invokes_actions()? {
            facts.provisioners = Some(true);
            facts.tags_only = Some(false);
        }
        facts.forget_good_answers_if_errored();
        Ok(Plan { digest: self.digest, facts, changes, drift, outputs })
    }

    fn format_version(&self) -> Result<Cow<'t, str>, PlanError> {
        let node = member(self.root, "format_version")?;
        let version = name(node, "a format version")?;
        let is_known = match version.split_once('.') {
            Some(("0", minor)) => matches!(minor, "1" | "2"),
            Some(("1", minor)) => minor.len() < 6 && minor.bytes().all(|b| b.is_ascii_digit()),
            Some(_) | None => false,
        };
        if is_known && !version.ends_with('.') {
            return Ok(version);
        }
        let is_version =
            version.len() < 12 && version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let found = if is_version { format!("`{version}`") } else { "in this form".to_owned() };
        Err(PlanError::Version { place: node.place(), found })
    }

    fn terraform_version(&self) -> Result<Option<String>, PlanError> {
        let Some(node) = self.root.get("terraform_version") else { return Ok(None) };
        let expected = "a version of Terraform";
        let version = name(node, expected)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+');
        match version.len() <= 64 && version.bytes().all(plain) {
            true => Ok(Some(version.into_owned())),
            false => Err(node.unexpected(expected)),
        }
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, PlanError> {
        let Some(node) = self.root.get(name) else { return Ok(None) };
        node.boolean().map(Some).ok_or_else(|| node.unexpected("a boolean"))
    }

    fn changes(
        &self,
        list: &'static str,
        limits: &Limits,
        budget: &mut usize,
    ) -> Result<Vec<Change>, PlanError> {
        let items = self.items(list, limits)?;
        items.map(|node| self.change(node, None, budget)).collect()
    }

    fn deferred(&self, limits: &Limits, budget: &mut usize) -> Result<Vec<Change>, PlanError> {
        let items = self.items("deferred_changes", limits)?;
        let each = items.map(|node| {
            let reason = member(node, "reason")?;
            let word = word(reason)?;
            self.change(member(node, "resource_change")?, Some(word), budget)
        });
        each.collect()
    }

    /// The elements of a list of changes, which may be left out.
    fn items(
        &self,
        list: &'static str,
        limits: &Limits,
    ) -> Result<impl Iterator<Item = Node<'t>> + use<'t>, PlanError> {
        let node = self.root.get(list);
        if let Some(node) = node.filter(|node| node.kind() != Kind::List) {
            return Err(node.unexpected("a list of changes"));
        }
        if let Some(node) = node.filter(|node| node.len() > limits.changes) {
            let place = node.place();
            return Err(PlanError::TooManyChanges { place, limit: limits.changes });
        }
        Ok(node.into_iter().flat_map(Node::items))
    }

    fn change(
        &self,
        node: Node<'t>,
        deferred: Option<String>,
        budget: &mut usize,
    ) -> Result<Change, PlanError> {
        let identity = Identity::of(node)?;
        let change = object(member(node, "change")?)?;
        let actions = actions(member(change, "actions")?)?;
        let sides = sides(change);
        let provider = name(member(node, "provider_name")?, "a provider's name")?;
        let block = self.blocks.as_ref().and_then(|it| it.get(&without_keys(&identity.address)));
        let family = Family::of(&provider);
        let is_altered = actions == [Action::Update] || is_replace(&actions);
        let (changed, paths) = match is_altered {
            true => diff::changed(sides, &self.secrets, budget),
            false => Default::default(),
        };
        let resource = Resource {
            family,
            kind: &identity.kind,
            effect: effect(&actions),
            sides,
            tags_only: tags_only(&actions, family, &changed),
            block: block.copied(),
        };
        // Of what is put off, not everything is told yet.
        let is_open = deferred.is_some() && resource.family != Family::Inert;
        let settled = |fact: Option<bool>| fact.filter(|answer| *answer || !is_open);
        let reason = change_reason(node)?;
        let shown = |address: &str| without_secrets(address, &self.secrets).into_owned();
        Ok(Change {
            tags_only: resource.tags_only,
            touches_iam: settled(rights::touches_iam(&resource)),
            public_exposure: settled(exposure::exposes(&resource)),
            provisioners: self.provisioners(&actions, &identity, block.copied()),
            replace_reasons: self.replace_reasons(change, sides, &actions, reason.as_deref())?,
            previous_address: text_of(node, "previous_address", "an address")?.map(|it| shown(&it)),
            deposed: text_of(node, "deposed", "the key of a deposed object")?.map(Cow::into_owned),
            importing: change.get("importing").is_some(),
            address: shown(&identity.address),
            module: identity.module.map(|module| shown(&module)),
            mode: identity.mode.word().to_owned(),
            type_name: identity.kind.to_string(),
            name: identity.name.into_owned(),
            provider: Some(provider.into_owned()),
            actions: words(&actions),
            reason,
            paths,
            deferred,
        })
    }

    /// Whether a provisioner of the resource can run: one runs when it is created or destroyed.
    fn provisioners(
        &self,
        actions: &[Action],
        identity: &Identity<'_>,
        block: Option<Node<'t>>,
    ) -> Option<bool> {
        let does = |action| actions.contains(&action);
        // This data source runs a program while applying.
        if does(Action::Read) && identity.kind == "external" {
            return None;
        }
        if !does(Action::Create) && !does(Action::Delete) {
            return Some(false);
        }
        self.blocks.as_ref()?;
        match block {
            Some(block) => Some(block.get("provisioners").is_some_and(|it| !it.is_empty())),
            // What is made stands in the configuration: that this does not is odd.
            None if does(Action::Create) => None,
            None => (!self.may_have_removed_blocks()).then_some(false),
        }
    }

    /// Whether a `removed` block, which a plan does not show, may have provisioners: since
    /// Terraform 1.9 (<https://developer.hashicorp.com/terraform/language/block/removed>).
    fn may_have_removed_blocks(&self) -> bool {
        let version = self.root.get("terraform_version").and_then(Node::text).unwrap_or_default();
        let mut parts = version.split('.').map(str::parse::<u32>);
        match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (1, 9),
            _ => true,
        }
    }

    fn replace_reasons(
        &self,
        change: Node<'t>,
        sides: Sides<'t>,
        actions: &[Action],
        reason: Option<&str>,
    ) -> Result<Vec<String>, PlanError> {
        let paths = change.get("replace_paths");
        if let Some(node) = paths.filter(|node| node.kind() != Kind::List) {
            return Err(node.unexpected("a list of paths"));
        }
        let mut reasons = Vec::new();
        if is_replace(actions) {
            reasons.extend(reason.map(str::to_owned));
            let mut is_cut = paths.is_some_and(|it| it.len() > MAX_REASONS);
            for path in paths.into_iter().flat_map(Node::items).take(MAX_REASONS) {
                if path.kind() != Kind::List {
                    return Err(path.unexpected("a path: a list of names and indexes"));
                }
                let (text, cut) = diff::path_text(path, sides, &self.secrets);
                reasons.push(text);
                is_cut |= cut;
            }
            reasons.extend(is_cut.then(|| CUT.to_owned()));
        }
        Ok(reasons)
    }

    fn outputs(&self, limits: &Limits) -> Result<Vec<OutputChange>, PlanError> {
        let Some(node) = self.root.get("output_changes") else { return Ok(Vec::new()) };
        let mut outputs = Vec::new();
        for (output, change) in object(node)?.members() {
            if outputs.len() == limits.changes {
                let place = node.place();
                return Err(PlanError::TooManyChanges { place, limit: limits.changes });
            }
            if output.len() > MAX_NAME {
                return Err(PlanError::TooLong { place: change.place(), limit: MAX_NAME });
            }
            let actions = actions(member(object(change)?, "actions")?)?;
            if actions != [Action::NoOp] {
                outputs.push(OutputChange { name: output.into_owned(), actions: words(&actions) });
            }
        }
        Ok(outputs)
    }

    /// The providers that the configuration names in full: they run, changes or not.
    fn configured_providers(&self) -> impl Iterator<Item = String> + use<'t> {
        let configuration = self.root.get("configuration");
        let providers = configuration.and_then(|it| it.get("provider_config"));
        providers.into_iter().flat_map(Node::members).filter_map(|(_, provider)| {
            let name = provider.get("full_name").and_then(Node::text)?;
            (name.len() <= MAX_NAME).then(|| name.into_owned())
        })
    }

    /// Whether actions of providers run while the plan is applied, Terraform 1.14.
    fn invokes_actions(&self) -> Result<bool, PlanError> {
        for name in ["action_invocations", "deferred_action_invocations"] {
            match self.root.get(name) {
                Some(node) if node.kind() != Kind::List => {
                    return Err(node.unexpected("a list of invocations"));
                }
                Some(node) if !node.is_empty() => return Ok(true),
                Some(_) | None => {}
            }
        }
        Ok(false)
    }
}

/// What a change is of. Its address must be that of its type and name: what a person reads and
/// what a rule tests must not be two things.
#[derive(Debug)]
struct Identity<'t> {
    address: Cow<'t, str>,
    module: Option<Cow<'t, str>>,
    mode: Mode,
    kind: Cow<'t, str>,
    name: Cow<'t, str>,
}

impl<'t> Identity<'t> {
    fn of(node: Node<'t>) -> Result<Self, PlanError> {
        let node = object(node)?;
        let written = member(node, "address")?;
        let identity = Self {
            address: name(written, "an address")?,
            module: text_of(node, "module_address", "the address of a module")?,
            mode: mode(member(node, "mode")?)?,
            kind: name(member(node, "type")?, "a resource type")?,
            name: name(member(node, "name")?, "a resource's name")?,
        };
        match identity.is_addressed() {
            true => Ok(identity),
            false => Err(written.unexpected("the address of the module, type and name beside it")),
        }
    }

    fn is_addressed(&self) -> bool {
        let prefix = match self.mode {
            Mode::Managed => "",
            Mode::Data => "data.",
            Mode::Ephemeral => "ephemeral.",
        };
        let module = self.module.as_ref().map(|module| format!("{module}.")).unwrap_or_default();
        let wanted = format!("{module}{prefix}{}.{}", self.kind, self.name);
        let key = self.address.strip_prefix(wanted.as_str());
        key.is_some_and(|key| {
            key.is_empty() || key.starts_with('[') && without_keys(key).is_empty()
        })
    }
}

/// So many bytes of addresses are kept of a configuration. A larger one counts as not there.
const MAX_BLOCK_BYTES: usize = 64 << 20;

/// The resources of a configuration by their addresses.
fn blocks(configuration: Node<'_>) -> Option<HashMap<String, Node<'_>>> {
    let (mut blocks, mut size) = (HashMap::new(), 0);
    let root = configuration.get("root_module").map(|module| (String::new(), module));
    let mut open: Vec<_> = root.into_iter().collect();
    while let Some((path, module)) = open.pop() {
        for resource in module.get("resources").into_iter().flat_map(Node::items) {
            let Some(address) = resource.get("address").and_then(Node::text) else { continue };
            size += path.len() + address.len();
            (size <= MAX_BLOCK_BYTES).then_some(())?;
            blocks.insert(format!("{path}{address}"), resource);
        }
        for (name, call) in module.get("module_calls").into_iter().flat_map(Node::members) {
            // No change has a longer address.
            let within = within_module(&path, &name).zip(call.get("module"));
            size += within.as_ref().map_or(0, |(path, _)| path.len());
            (size <= MAX_BLOCK_BYTES).then_some(())?;
            open.extend(within);
        }
    }
    Some(blocks)
}

fn sides(change: Node<'_>) -> Sides<'_> {
    Sides {
        before: change.get("before"),
        after: change.get("after"),
        unknown: change.get("after_unknown"),
        before_mark: change.get("before_sensitive"),
        after_mark: change.get("after_sensitive"),
    }
}

fn effect(actions: &[Action]) -> Effect {
    match actions {
        [Action::Update] => Effect::Altered,
        [Action::Delete | Action::Forget] => Effect::Ended,
        [Action::NoOp | Action::Read] => Effect::Nothing,
        _ => Effect::Made,
    }
}

fn is_replace(actions: &[Action]) -> bool {
    actions.len() == 2
}

/// Whether nothing but tags is altered; `None` where only applying tells.
fn tags_only(actions: &[Action], family: Family, changed: &[diff::Path]) -> Option<bool> {
    if actions != [Action::Update] {
        return Some(false);
    }
    let mut answer = if changed.is_empty() { None } else { Some(true) };
    for path in changed {
        match (family.is_tags(path.attribute()), path.unknown) {
            (Some(false), false) => return Some(false),
            (Some(true), _) => {}
            (Some(false), true) | (None, _) => answer = None,
        }
    }
    answer
}

fn change_reason(node: Node<'_>) -> Result<Option<String>, PlanError> {
    node.get("action_reason").map(word).transpose()
}

/// One of Terraform's own words, `replace_because_tainted`.
fn word(node: Node<'_>) -> Result<String, PlanError> {
    let text = node.text().filter(|text| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        (1..=64).contains(&text.len()) && text.bytes().all(plain)
    });
    text.map(Cow::into_owned).ok_or_else(|| node.unexpected("a reason in lower-case letters"))
}

fn mode(node: Node<'_>) -> Result<Mode, PlanError> {
    let mode = node.text().and_then(|text| Mode::from_word(&text));
    mode.ok_or_else(|| node.unexpected("managed, data or ephemeral"))
}

fn actions(node: Node<'_>) -> Result<Vec<Action>, PlanError> {
    use Action::{Create, Delete, Forget};
    if node.kind() != Kind::List {
        return Err(node.unexpected("a list of actions"));
    }
    let mut actions = Vec::new();
    for item in node.items().take(3) {
        let action = item.text().and_then(|text| Action::from_word(&text));
        actions.push(
            action
                .ok_or_else(|| item.unexpected("no-op, create, read, update, delete or forget"))?,
        );
    }
    match actions.as_slice() {
        [_] | [Create, Delete] | [Delete, Create] | [Create, Forget] | [Forget, Create] => {
            Ok(actions)
        }
        _ => Err(node.unexpected("one action, or two that replace")),
    }
}

fn object(node: Node<'_>) -> Result<Node<'_>, PlanError> {
    match node.kind() {
        Kind::Map => Ok(node),
        Kind::Null | Kind::Bool | Kind::Number | Kind::Text | Kind::List => {
            Err(node.unexpected("an object"))
        }
    }
}

fn member<'t>(node: Node<'t>, name: &'static str) -> Result<Node<'t>, PlanError> {
    let node = object(node)?;
    node.get(name).ok_or_else(|| PlanError::Missing { place: node.place(), member: name })
}

fn text_of<'t>(
    node: Node<'t>,
    member: &str,
    expected: &'static str,
) -> Result<Option<Cow<'t, str>>, PlanError> {
    node.get(member).map(|node| name(node, expected)).transpose()
}

fn name<'t>(node: Node<'t>, expected: &'static str) -> Result<Cow<'t, str>, PlanError> {
    let text = node.text().filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| node.unexpected(expected))?;
    match text.len() <= MAX_NAME {
        true => Ok(text),
        false => Err(PlanError::TooLong { place: node.place(), limit: MAX_NAME }),
    }
}
