//! What a case says of a plan: its facts, or the file that it stands in.

use std::sync::Arc;

use crate::canonical;
use crate::digest::Digest;
use crate::plan::{Change, Facts, Limits, Plan};
use crate::policy::cases::given::texts;
use crate::policy::cases::read::Desk;
use crate::policy::document::keys::Keys;
use crate::policy::situation::KnownPlan;
use crate::policy::yaml::Node;

const FILE: Keys = Keys { of: "plan of a file", known: &["file"], required: &["file"] };

pub(super) const FACTS: Keys = Keys {
    of: "plan",
    known: &[
        "creates",
        "updates",
        "deletes",
        "replaces",
        "reads",
        "imports",
        "moves",
        "forgets",
        "drifts",
        "deferred",
        "outputs",
        "change_count",
        "types",
        "providers",
        "actions",
        "tags_only",
        "touches_iam",
        "public_exposure",
        "provisioners",
        "complete",
        "applyable",
        "errored",
        "terraform_version",
        "format_version",
        "changes",
        "file",
    ],
    required: &[],
};

pub(super) const CHANGE: Keys = Keys {
    of: "change",
    known: &crate::policy::attribute::CHANGE_MEMBERS,
    required: &["address", "type"],
};

const MODES: [(&str, &str); 3] =
    [("managed", "managed"), ("data", "data"), ("ephemeral", "ephemeral")];

const ACTIONS: [(&str, &str); 6] = [
    ("no-op", "no-op"),
    ("create", "create"),
    ("read", "read"),
    ("update", "update"),
    ("delete", "delete"),
    ("forget", "forget"),
];

/// The newest form of `terraform show -json`, where a case does not say which.
const FORMAT_VERSION: &str = "1.2";

impl Desk<'_> {
    /// What is known of it, and its bytes where it stands in a file.
    pub(super) fn plan(&mut self, node: &Node) -> Option<(KnownPlan, Option<Vec<u8>>)> {
        if super::merge::member(node, "file").is_some() {
            return self.file(node).map(|(plan, bytes)| (plan, Some(bytes)));
        }
        let digest = Digest::of(&canonical::bytes(&node.json()));
        let (facts, changes) = self.facts(node)?;
        Some((KnownPlan { digest, facts, changes: Some(changes) }, None))
    }

    /// A plan beside or below the document, as `terraform show -json` prints it.
    fn file(&mut self, node: &Node) -> Option<(KnownPlan, Vec<u8>)> {
        let fields = self.reader.members(node, &FILE);
        let node = fields.get("file")?;
        let name = self.reader.text(node)?;
        let is_below = |part: &str| !part.is_empty() && part != "." && part != "..";
        if !name.split('/').all(is_below) || name.contains('\\') {
            let message = format!("`{name}` is no file beside this document or below it");
            self.reader.fault(&node.place, message);
            return None;
        }
        let path = match self.file.rsplit_once('/') {
            Some((directory, _)) => format!("{directory}/{name}"),
            None => name,
        };
        let read = (self.plans)(&path).and_then(|bytes| Ok((parse(&bytes)?, bytes)));
        read.map_err(|problem| {
            self.reader.fault(&node.place, format_args!("`{path}`: {problem}"));
        })
        .ok()
    }

    fn facts(&mut self, node: &Node) -> Option<(Facts, Arc<[Change]>)> {
        let fields = self.reader.members(node, &FACTS);
        let mut faulty = false;
        let mut count = |name: &str| -> u64 {
            let Some(node) = fields.get(name) else { return 0 };
            let count = self.reader.count(node, 0, u32::MAX);
            faulty |= count.is_none();
            count.unwrap_or(0).into()
        };
        let mut facts = Facts {
            creates: count("creates"),
            updates: count("updates"),
            deletes: count("deletes"),
            replaces: count("replaces"),
            reads: count("reads"),
            imports: count("imports"),
            moves: count("moves"),
            forgets: count("forgets"),
            drifts: count("drifts"),
            deferred: count("deferred"),
            outputs: count("outputs"),
            change_count: count("change_count"),
            ..Facts::default()
        };
        let changed =
            facts.creates + facts.updates + facts.deletes + facts.replaces + facts.forgets;
        if let (Some(node), true) = (fields.get("change_count"), facts.change_count != changed) {
            let message = format!(
                "`change_count` is what is created, updated, deleted, replaced and forgotten: \
                 {changed}, not {} (it need not be said)",
                facts.change_count
            );
            self.reader.fault(&node.place, message);
        }
        facts.change_count = changed;
        let mut set = |name: &str| match fields.get(name) {
            Some(node) => texts(&mut self.reader, node).into_iter().collect(),
            None => std::collections::BTreeSet::new(),
        };
        (facts.types, facts.providers) = (set("types"), set("providers"));
        facts.actions = set("actions");
        let mut told = |name: &str| match fields.get(name) {
            Some(node) => {
                let told = self.reader.boolean(node);
                faulty |= told.is_none();
                told
            }
            None => None,
        };
        facts.tags_only = told("tags_only");
        facts.touches_iam = told("touches_iam");
        facts.public_exposure = told("public_exposure");
        facts.provisioners = told("provisioners");
        facts.complete = told("complete");
        facts.applyable = told("applyable");
        facts.errored = told("errored");
        facts.terraform_version =
            fields.get("terraform_version").and_then(|node| self.reader.text(node));
        facts.format_version = match fields.get("format_version") {
            Some(node) => self.reader.text(node)?,
            None => FORMAT_VERSION.to_owned(),
        };
        let changes = match fields.get("changes") {
            Some(node) => {
                let items = self.reader.list(node).unwrap_or_default();
                items.iter().filter_map(|item| self.change(item)).collect()
            }
            None => Vec::new(),
        };
        (!faulty).then(|| (facts, changes.into()))
    }

    fn change(&mut self, node: &Node) -> Option<Change> {
        let fields = self.reader.members(node, &CHANGE);
        let mut text = |name: &str| fields.get(name).and_then(|node| self.reader.text(node));
        let (address, type_name) = (text("address"), text("type"));
        let name = text("name").unwrap_or_default();
        // The root is no module.
        let module = text("module").filter(|module| !module.is_empty());
        let (provider, deferred) = (text("provider"), text("deferred"));
        let previous_address = text("previous_address");
        let mode = match fields.get("mode") {
            Some(node) => self.reader.word(node, &MODES)?,
            None => "managed",
        };
        let mut actions = Vec::new();
        if let Some(node) = fields.get("actions") {
            for item in self.reader.list(node).unwrap_or_default() {
                actions.extend(self.reader.word(item, &ACTIONS).map(str::to_owned));
            }
        }
        let mut list = |name: &str| match fields.get(name) {
            Some(node) => texts(&mut self.reader, node),
            None => Vec::new(),
        };
        let (paths, replace_reasons) = (list("paths"), list("replace_reasons"));
        let mut told = |name: &str| fields.get(name).and_then(|node| self.reader.boolean(node));
        Some(Change {
            importing: told("importing").unwrap_or(false),
            tags_only: told("tags_only"),
            touches_iam: told("touches_iam"),
            public_exposure: told("public_exposure"),
            address: address?,
            module,
            mode: mode.to_owned(),
            type_name: type_name?,
            name,
            provider,
            actions,
            paths,
            replace_reasons,
            previous_address,
            deferred,
            ..Change::default()
        })
    }
}

fn parse(bytes: &[u8]) -> Result<KnownPlan, String> {
    let plan = Plan::parse(bytes, &Limits::default()).map_err(|error| error.to_string())?;
    let Plan { digest, facts, changes, .. } = plan;
    Ok(KnownPlan { digest, facts, changes: Some(changes.into()) })
}
