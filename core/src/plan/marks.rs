//! What of a plan must not be shown, by the plan's own marks.
//!
//! The walk knows every object of the plan format. What it does not know, members of a later
//! format, is hidden: nobody can say whether a mark for it stands elsewhere.

use std::collections::{HashMap, HashSet};

use crate::plan::address::{within_module, without_keys};
use crate::plan::tape::{Kind, Members, Node};

/// So many paths that force a replacement are looked at of one change.
pub(super) const MAX_REASONS: usize = 64;

/// How one value is treated, and all that stands within it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Treatment<'t> {
    /// Marked: hidden, and looked for elsewhere.
    Hidden,
    /// Hidden where this tree of marks says so.
    Within(Node<'t>),
    /// Not known what it is: hidden.
    Unread,
    /// The format's own words, shown as they are.
    Verbatim,
    /// An address; its keys can be somebody's data.
    Address,
    /// An instance key.
    Key,
}

/// The treatment of every value that has one of its own. Everything else is shown unless a secret
/// is found in it.
#[derive(Debug, Default)]
pub(super) struct Marks<'t> {
    by_node: HashMap<u32, (Node<'t>, Treatment<'t>)>,
    /// Attributes with a mark, by resource of the configuration.
    attributes: HashMap<String, HashSet<String>>,
    /// Variables that are secret, by the place of their module in the configuration.
    inputs: HashMap<u32, HashSet<String>>,
    /// Whether changes without marks are those of a Terraform that wrote none.
    may_lack_marks: bool,
}

impl<'t> Marks<'t> {
    /// Walks the plan.
    pub(super) fn of(plan: Node<'t>) -> Self {
        let version = plan.get("format_version").and_then(Node::text).unwrap_or_default();
        let mut marks = Self { may_lack_marks: version == "0.1", ..Self::default() };
        marks.plan(plan);
        marks
    }

    pub(super) fn get(&self, node: Node<'t>) -> Option<Treatment<'t>> {
        self.by_node.get(&node.index()).map(|(_, treatment)| *treatment)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (Node<'t>, Treatment<'t>)> {
        self.by_node.values().copied()
    }

    fn put(&mut self, node: Node<'t>, treatment: Treatment<'t>) {
        self.by_node.insert(node.index(), (node, treatment));
    }

    /// Each member of an object; anything else is hidden.
    fn members(&mut self, node: Node<'t>, mut each: impl FnMut(&mut Self, &str, Node<'t>)) {
        match node.kind() {
            Kind::Map => node.members().for_each(|(name, member)| each(self, &name, member)),
            Kind::Null => {}
            Kind::Bool | Kind::Number | Kind::Text | Kind::List => {
                self.put(node, Treatment::Unread)
            }
        }
    }

    /// Each element of a list; anything else is hidden.
    fn items(&mut self, node: Node<'t>, mut each: impl FnMut(&mut Self, Node<'t>)) {
        match node.kind() {
            Kind::List => node.items().for_each(|item| each(self, item)),
            Kind::Null => {}
            Kind::Bool | Kind::Number | Kind::Text | Kind::Map => self.put(node, Treatment::Unread),
        }
    }

    fn plan(&mut self, plan: Node<'t>) {
        // Values and the configuration are walked last: which attributes are marked, the changes say.
        let configuration = plan.get("configuration");
        if let Some(root) = configuration.and_then(|it| it.get("root_module")) {
            secret_inputs(root, &mut self.inputs);
        }
        self.members(plan, |marks, name, node| match name {
            "format_version" | "terraform_version" | "timestamp" | "applyable" | "complete"
            | "errored" => marks.put(node, Treatment::Verbatim),
            "variables" => marks.variables(node, configuration),
            "resource_changes" | "resource_drift" => marks.items(node, Self::resource_change),
            "deferred_changes" => marks.items(node, Self::deferred_change),
            "output_changes" => marks.members(node, |marks, _, output| marks.change(output)),
            "action_invocations" => marks.items(node, Self::invocation),
            "relevant_attributes" => marks.items(node, |marks, attribute| {
                if let Some(address) = attribute.get("resource") {
                    marks.put(address, Treatment::Address);
                }
            }),
            "planned_values" | "prior_state" | "configuration" | "checks" => {}
            _ => marks.put(node, Treatment::Unread),
        });
        if let Some(values) = plan.get("planned_values") {
            self.values(values);
        }
        if let Some(state) = plan.get("prior_state") {
            self.prior_state(state);
        }
        if let Some(configuration) = configuration {
            self.configuration(configuration);
        }
    }

    /// A variable is shown only if the configuration declares it, and not as sensitive.
    fn variables(&mut self, node: Node<'t>, configuration: Option<Node<'t>>) {
        let root = configuration.and_then(|it| it.get("root_module"));
        let declared = Members::of(root.and_then(|it| it.get("variables")));
        self.members(node, |marks, name, variable| {
            let treatment = match declared.get(name) {
                None => Some(Treatment::Unread),
                Some(declared) => {
                    let is_secret = is_secret(declared) || marks.is_secret_input(root, name);
                    is_secret.then_some(Treatment::Hidden)
                }
            };
            if let Some(treatment) = treatment {
                marks.members(variable, |marks, _, member| marks.put(member, treatment));
            }
        });
    }

    /// Whether a module's variable is passed on to one that is sensitive, or is so itself.
    fn is_secret_input(&self, module: Option<Node<'t>>, name: &str) -> bool {
        module
            .and_then(|module| self.inputs.get(&module.index()))
            .is_some_and(|it| it.contains(name))
    }

    fn prior_state(&mut self, node: Node<'t>) {
        self.members(node, |marks, name, node| match name {
            "format_version" | "terraform_version" => marks.put(node, Treatment::Verbatim),
            "values" => marks.values(node),
            "checks" => {}
            _ => marks.put(node, Treatment::Unread),
        });
    }

    /// `planned_values`, and the values of `prior_state`.
    fn values(&mut self, node: Node<'t>) {
        self.members(node, |marks, name, node| match name {
            "outputs" => marks.members(node, |marks, _, output| {
                if output.get("sensitive").and_then(Node::boolean) != Some(false) {
                    marks.hide_output(output);
                }
            }),
            "root_module" => marks.module_values(node),
            _ => marks.put(node, Treatment::Unread),
        });
    }

    /// The type of an object has the names of its members, which are not to be shown either.
    fn hide_output(&mut self, output: Node<'t>) {
        self.members(output, |marks, name, node| match name {
            "sensitive" => marks.put(node, Treatment::Verbatim),
            "value" => marks.put(node, Treatment::Hidden),
            _ => marks.put(node, Treatment::Unread),
        });
    }

    /// The constants of an expression, or of those of a block.
    fn hide_constants(&mut self, expression: Node<'t>) {
        for (name, member) in expression.members() {
            match name.as_ref() {
                "constant_value" => self.put(member, Treatment::Hidden),
                "references" => {}
                _ => self.hide_constants(member),
            }
        }
        expression.items().for_each(|item| self.hide_constants(item));
    }

    fn module_values(&mut self, node: Node<'t>) {
        self.members(node, |marks, name, node| match name {
            "address" => marks.put(node, Treatment::Address),
            "resources" => marks.items(node, Self::resource_values),
            "child_modules" => marks.items(node, Self::module_values),
            _ => marks.put(node, Treatment::Unread),
        });
    }

    fn resource_values(&mut self, resource: Node<'t>) {
        let mark = resource.get("sensitive_values");
        self.note_attributes(resource, mark);
        let marked = if mark.is_none() { self.attributes_of(resource) } else { None };
        self.members(resource, |marks, name, node| match (name, &marked) {
            // Terraform 0.15 marks changes, but not yet values.
            ("values", Some(marked)) if marks.may_lack_marks => {
                marks.members(node, |marks, name, value| {
                    if marked.contains(name) {
                        marks.put(value, Treatment::Hidden);
                    }
                });
            }
            ("values", _) => marks.value(node, mark),
            _ => marks.resource_member(name, node),
        });
    }

    /// The attributes of a resource that its changes mark.
    fn attributes_of(&self, resource: Node<'t>) -> Option<HashSet<String>> {
        let address = resource.get("address").and_then(Node::text)?;
        self.attributes.get(&without_keys(&address)).cloned()
    }

    /// What a resource has wherever it stands.
    fn resource_member(&mut self, name: &str, node: Node<'t>) {
        match name {
            "mode"
            | "type"
            | "name"
            | "provider_name"
            | "schema_version"
            | "action_reason"
            | "provider_config_key"
            | "tainted" => self.put(node, Treatment::Verbatim),
            "address" | "module_address" | "previous_address" => {
                self.put(node, Treatment::Address);
            }
            "index" => self.put(node, Treatment::Key),
            "deposed"
            | "deposed_key"
            | "depends_on"
            | "sensitive_values"
            | "identity"
            | "identity_schema_version" => {}
            _ => self.put(node, Treatment::Unread),
        }
    }

    fn resource_change(&mut self, resource: Node<'t>) {
        if let Some(change) = resource.get("change") {
            self.note_attributes(resource, change.get("before_sensitive"));
            self.note_attributes(resource, change.get("after_sensitive"));
        }
        self.members(resource, |marks, name, node| match name {
            "change" => marks.change(node),
            _ => marks.resource_member(name, node),
        });
    }

    fn deferred_change(&mut self, deferred: Node<'t>) {
        self.members(deferred, |marks, name, node| match name {
            "reason" => marks.put(node, Treatment::Verbatim),
            "resource_change" => marks.resource_change(node),
            _ => marks.put(node, Treatment::Unread),
        });
    }

    /// Of a resource or an output.
    fn change(&mut self, change: Node<'t>) {
        let (before, after) = (change.get("before_sensitive"), change.get("after_sensitive"));
        let mut paths_seen = 0;
        let marks_of = |side| if side == "before" { before } else { after };
        self.members(change, |marks, name, node| match name {
            "actions" => marks.put(node, Treatment::Verbatim),
            "before" => marks.value(node, before),
            "after" => marks.value(node, after),
            "generated_config" if before.is_some_and(any) || after.is_some_and(any) => {
                marks.put(node, Treatment::Unread);
            }
            // A path of it may lead into what is marked.
            "replace_paths" => marks.items(node, |marks, path| {
                paths_seen += 1;
                let open = |side| open_steps(path, change.get(side), marks_of(side));
                // Of a great many paths only the first are looked at; the others are hidden.
                let is_one_of_many = paths_seen > MAX_REASONS;
                let open = if is_one_of_many { 0 } else { open("before").min(open("after")) };
                path.items().skip(open).for_each(|step| marks.put(step, Treatment::Unread));
            }),
            "before_sensitive" | "after_sensitive" | "after_unknown" | "importing"
            | "generated_config" | "before_identity" | "after_identity" => {}
            _ => marks.put(node, Treatment::Unread),
        });
        // What is marked on one side only is hidden on both, and so are the names in what is unknown.
        for (side, mark) in [("before", after), ("after", before)] {
            self.hide(change.get(side), mark, |_| true);
        }
        for mark in [before, after] {
            let has_names =
                |it: Node<'_>| matches!(it.kind(), Kind::List | Kind::Map) && !it.is_empty();
            self.hide(change.get("after_unknown"), mark, has_names);
        }
    }

    fn hide(
        &mut self,
        value: Option<Node<'t>>,
        mark: Option<Node<'t>>,
        which: impl Fn(Node<'t>) -> bool,
    ) {
        if let Some((value, mark)) = value.zip(mark) {
            each_hidden(value, mark, &mut |hidden| {
                if which(hidden) {
                    self.put(hidden, Treatment::Hidden);
                }
            });
        }
    }

    /// A value beside its tree of marks.
    fn value(&mut self, value: Node<'t>, mark: Option<Node<'t>>) {
        match mark {
            _ if value.is_null() => {}
            Some(mark) => self.put(value, Treatment::Within(mark)),
            None if self.may_lack_marks => {}
            None => self.put(value, Treatment::Unread),
        }
    }

    /// An action that is invoked while the plan is applied, Terraform 1.14.
    fn invocation(&mut self, node: Node<'t>) {
        let mark = node.get("config_sensitive");
        self.members(node, |marks, name, node| match name {
            "address" => marks.put(node, Treatment::Address),
            "type" | "name" | "provider_name" => marks.put(node, Treatment::Verbatim),
            "config_values" => marks.value(node, mark),
            "config_sensitive"
            | "config_unknown"
            | "lifecycle_action_trigger"
            | "invoke_action_trigger" => {}
            _ => marks.put(node, Treatment::Unread),
        });
    }

    /// Remembers the attributes that have a mark: their constants in the configuration are hidden.
    fn note_attributes(&mut self, resource: Node<'t>, mark: Option<Node<'t>>) {
        let marked = mark.into_iter().flat_map(Node::members).filter(|(_, mark)| any(*mark));
        let names: Vec<_> = marked.map(|(name, _)| name.into_owned()).collect();
        if !names.is_empty() {
            let address = resource.get("address").and_then(Node::text).unwrap_or_default();
            let block = without_keys(&address);
            self.attributes.entry(block).or_default().extend(names);
        }
    }

    fn configuration(&mut self, configuration: Node<'t>) {
        self.members(configuration, |marks, name, node| match name {
            "provider_config" => marks.members(node, |marks, _, provider| {
                marks.secretly_named(provider.get("expressions"));
            }),
            "root_module" => marks.module(node, Some("")),
            _ => marks.put(node, Treatment::Unread),
        });
    }

    /// Of a provider or provisioner nothing is marked in a plan: what is called a secret is hidden.
    fn secretly_named(&mut self, expressions: Option<Node<'t>>) {
        let Some(expressions) = expressions else { return };
        self.members(expressions, |marks, name, expression| {
            if names_a_secret(name) {
                marks.hide_constants(expression);
            }
        });
    }

    fn module(&mut self, module: Node<'t>, path: Option<&str>) {
        self.members(module, |marks, name, node| match name {
            "outputs" => marks.members(node, |marks, _, output| {
                if let Some(expression) = output.get("expression").filter(|_| is_secret(output)) {
                    marks.hide_constants(expression);
                }
            }),
            "variables" => marks.members(node, |marks, name, variable| {
                let is_secret = is_secret(variable) || marks.is_secret_input(Some(module), name);
                if let Some(default) = variable.get("default").filter(|_| is_secret) {
                    marks.put(default, Treatment::Hidden);
                }
            }),
            "resources" => marks.items(node, |marks, node| marks.resource(node, path)),
            "module_calls" => marks.members(node, |marks, name, call| {
                let path = path.and_then(|path| within_module(path, name));
                marks.module_call(call, path.as_deref());
            }),
            _ => marks.put(node, Treatment::Unread),
        });
    }

    /// Without a path no change can be of the resource.
    fn resource(&mut self, resource: Node<'t>, path: Option<&str>) {
        for name in ["mode", "type", "name"] {
            if let Some(node) = resource.get(name) {
                self.put(node, Treatment::Verbatim);
            }
        }
        let address = resource.get("address").and_then(Node::text);
        let block = path.zip(address).map(|(path, address)| format!("{path}{address}"));
        let marked = block.and_then(|block| self.attributes.get(&block).cloned());
        if let Some((expressions, marked)) = resource.get("expressions").zip(marked) {
            self.members(expressions, |marks, name, expression| {
                if marked.contains(name) {
                    marks.hide_constants(expression);
                }
            });
        }
        if let Some(provisioners) = resource.get("provisioners") {
            self.items(provisioners, |marks, provisioner| {
                marks.secretly_named(provisioner.get("expressions"));
            });
        }
    }

    fn module_call(&mut self, call: Node<'t>, path: Option<&str>) {
        let module = call.get("module");
        let declared = Members::of(module.and_then(|module| module.get("variables")));
        if let Some(expressions) = call.get("expressions") {
            self.members(expressions, |marks, name, expression| {
                if declared.get(name).is_none_or(is_secret) || marks.is_secret_input(module, name) {
                    marks.hide_constants(expression);
                }
            });
        }
        if let Some(module) = module {
            self.module(module, path);
        }
    }
}

/// How many steps of a path of `replace_paths` may be told: below a mark even a name says too much.
pub(super) fn open_steps(path: Node<'_>, value: Option<Node<'_>>, mark: Option<Node<'_>>) -> usize {
    let Some(mut mark) = mark else { return path.len() };
    let mut value = value;
    for (count, step) in path.items().enumerate() {
        if hides_whole(value, mark) {
            return count;
        }
        value = value.and_then(|value| below(value, step));
        mark = match below(mark, step) {
            Some(inner) => inner,
            // A step that does not fit the marks: one of them may be of what it leads to.
            None if !fits(mark, step) && any(mark) => return count,
            None => return path.len(),
        };
    }
    path.len()
}

fn fits(node: Node<'_>, step: Node<'_>) -> bool {
    matches!((node.kind(), step.kind()), (Kind::Map, Kind::Text) | (Kind::List, Kind::Number))
}

/// What a step of a path leads to.
fn below<'t>(node: Node<'t>, step: Node<'_>) -> Option<Node<'t>> {
    if !fits(node, step) {
        return None;
    }
    match step.text() {
        Some(name) => node.get(&name),
        None => node.items().nth(step.raw().parse().ok()?),
    }
}

/// Calls for each value that a tree of marks hides.
pub(super) fn each_hidden<'t>(value: Node<'t>, mark: Node<'_>, visit: &mut dyn FnMut(Node<'t>)) {
    match (value.kind(), mark.kind()) {
        (_, Kind::Bool) if mark.is_true() => visit(value),
        (_, Kind::Bool | Kind::Null) => {}
        (Kind::Map, Kind::Map) => {
            let marks = Members::of(Some(mark));
            for (name, member) in value.members() {
                if let Some(mark) = marks.get(&name) {
                    each_hidden(member, mark, visit);
                }
            }
        }
        (Kind::List, Kind::List) => {
            value.items().zip(mark.items()).for_each(|(item, mark)| each_hidden(item, mark, visit));
        }
        // Marks that do not fit the value: better too much hidden than too little.
        _ if any(mark) => visit(value),
        _ => {}
    }
}

/// Whether a mark hides all of a value, names of members included; one that does not fit it does.
pub(super) fn hides_whole(value: Option<Node<'_>>, mark: Node<'_>) -> bool {
    match (value.map(Node::kind), mark.kind()) {
        (_, Kind::Bool) => mark.is_true(),
        (_, Kind::Null) | (Some(Kind::Map) | None, Kind::Map) => false,
        (Some(Kind::List) | None, Kind::List) => false,
        _ => any(mark),
    }
}

/// Whether a tree of marks marks anything.
pub(super) fn any(mark: Node<'_>) -> bool {
    match mark.kind() {
        Kind::Null => false,
        Kind::Bool => mark.is_true(),
        Kind::List => mark.items().any(any),
        Kind::Map => mark.members().any(|(_, mark)| any(mark)),
        Kind::Number | Kind::Text => true,
    }
}

/// Whether a variable or an output is declared as one whose value is not to be shown.
fn is_secret(declared: Node<'_>) -> bool {
    let said = |name| declared.get(name).is_some_and(|node| node.boolean() != Some(false));
    said("sensitive") || said("ephemeral")
}

fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let parts = [
        "secret",
        "token",
        "password",
        "passwd",
        "passphrase",
        "credential",
        "private",
        "key",
        "connection_string",
    ];
    let is_word = |word: &str| matches!(word, "pat" | "pwd" | "dsn");
    parts.iter().any(|part| name.contains(part)) || name.split(['_', '-']).any(is_word)
}

/// The variables of a module that are sensitive or ephemeral, or are passed on to one that is.
fn secret_inputs<'t>(module: Node<'t>, found: &mut HashMap<u32, HashSet<String>>) {
    let declared = module.get("variables").into_iter().flat_map(Node::members);
    let mut inputs: HashSet<String> = declared
        .filter(|(_, variable)| is_secret(*variable))
        .map(|(name, _)| name.into_owned())
        .collect();
    for (_, call) in module.get("module_calls").into_iter().flat_map(Node::members) {
        let Some(child) = call.get("module") else { continue };
        secret_inputs(child, found);
        let expressions = call.get("expressions").into_iter().flat_map(Node::members);
        let secret = found.get(&child.index());
        for (_, expression) in expressions
            .filter(|(name, _)| secret.is_some_and(|secret| secret.contains(name.as_ref())))
        {
            variables_of(expression, &mut inputs);
        }
    }
    found.insert(module.index(), inputs);
}

/// The variables that an expression refers to, those of nested blocks included.
fn variables_of(expression: Node<'_>, found: &mut HashSet<String>) {
    for (name, member) in expression.members() {
        if name == "references" {
            let texts = member.items().filter_map(Node::text);
            found.extend(texts.filter_map(|text| {
                let name = text.strip_prefix("var.")?;
                name.split(['.', '[']).next().map(str::to_owned)
            }));
        } else {
            variables_of(member, found);
        }
    }
    expression.items().for_each(|item| variables_of(item, found));
}
