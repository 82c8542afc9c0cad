//! What waits for what in the configuration that a plan shows.
//!
//! A plan shows the references of expressions, `depends_on`, module calls, outputs and providers. It
//! shows neither local values nor ephemeral resources nor `lifecycle` (observed with Terraform
//! 1.11.4): what leads through those is not seen here, and is said to be hidden.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

use crate::plan::address::{within_module, without_keys};
use crate::plan::tape::{Kind, Members, Node};

/// So many bytes of addresses are kept. A larger configuration is not searched.
const MAX_BYTES: usize = 64 << 20;

/// The blocks and modules of a configuration.
#[derive(Debug)]
pub(super) struct Configuration<'t> {
    /// By address without keys; `None` where two blocks have the same.
    blocks: HashMap<String, Option<Block<'t>>>,
    /// By path, `module.a.module.b.`; the root's is empty.
    modules: HashMap<String, Module<'t>>,
    providers: Members<'t>,
}

/// A resource, data source or ephemeral resource.
#[derive(Debug)]
pub(super) struct Block<'t> {
    node: Node<'t>,
    module: String,
    is_managed: bool,
    kind: Cow<'t, str>,
}

#[derive(Debug, Default)]
struct Module<'t> {
    /// The path of the module that calls it, and the call; the root has none.
    call: Option<(String, Node<'t>)>,
    arguments: Members<'t>,
    outputs: Members<'t>,
    /// What stands in it, by address.
    blocks: Vec<String>,
    /// The paths of the modules it calls.
    children: Vec<String>,
}

/// Something that can wait, or be waited for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Vertex {
    /// A block, by address.
    Block(String),
    /// A module's `count`, `for_each` and `depends_on`, for which all that stands in it waits.
    Call(String),
    /// A module's variable.
    Variable(String, String),
    /// A module's output.
    Output(String, String),
    /// All of a module's outputs.
    Outputs(String),
    /// All that stands in a module.
    Whole(String),
    /// A provider's configuration, by its key.
    Provider(String),
}

/// What a block waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reached {
    /// The managed blocks of the type that was looked for.
    pub(super) found: BTreeSet<String>,
    /// Whether it also waits for something that a plan does not show.
    pub(super) is_hidden: bool,
}

impl<'t> Configuration<'t> {
    /// What the configuration of a plan holds; `None` where it has none, or too large a one.
    pub(super) fn of(plan: Node<'t>) -> Option<Self> {
        let configuration = plan.get("configuration")?;
        let providers = Members::of(configuration.get("provider_config"));
        let root = configuration.get("root_module")?;
        let mut this = Self { blocks: HashMap::new(), modules: HashMap::new(), providers };
        let mut size = 0;
        let mut open = vec![(String::new(), root, None)];
        while let Some((path, node, call)) = open.pop() {
            let mut module =
                Module { outputs: Members::of(node.get("outputs")), ..Module::of(call) };
            for resource in node.get("resources").into_iter().flat_map(Node::items) {
                let Some((address, block)) = Block::of(resource, &path) else { continue };
                size += 2 * address.len() + path.len();
                (size <= MAX_BYTES).then_some(())?;
                module.blocks.push(address.clone());
                match this.blocks.entry(address) {
                    Entry::Vacant(entry) => _ = entry.insert(Some(block)),
                    // INVARIANT: what is said twice is not known.
                    Entry::Occupied(mut entry) => *entry.get_mut() = None,
                }
            }
            for (name, call) in node.get("module_calls").into_iter().flat_map(Node::members) {
                let within = within_module(&path, &name).filter(|_| is_name(&name));
                let Some((within, node)) = within.zip(call.get("module")) else { continue };
                size += 2 * within.len() + path.len();
                (size <= MAX_BYTES).then_some(())?;
                module.children.push(within.clone());
                open.push((within, node, Some((path.clone(), call))));
            }
            this.modules.insert(path, module);
        }
        Some(this)
    }

    /// The block of this address without keys, if there is exactly one.
    pub(super) fn block(&self, address: &str) -> Option<&Block<'t>> {
        self.blocks.get(address)?.as_ref()
    }

    /// The managed blocks of a type, by address.
    pub(super) fn of_type(&self, kind: &str) -> impl Iterator<Item = (&String, &Block<'t>)> {
        let blocks = self.blocks.iter().filter_map(|(at, block)| Some((at, block.as_ref()?)));
        blocks.filter(move |(_, block)| block.is(kind))
    }

    /// The blocks that a block names itself, without what lies behind them.
    pub(super) fn named_by(&self, block: &Block<'t>, steps: &mut usize) -> Option<Vec<String>> {
        let mut names = Vec::new();
        for vertex in self.next_of(block, steps)?.0 {
            if let Vertex::Block(address) = vertex {
                names.push(address);
            }
        }
        Some(names)
    }

    /// The blocks of a type that the block of this address waits for, through whatever the plan
    /// shows. `None` where that takes more steps than there are.
    pub(super) fn waits_for(
        &self,
        address: &str,
        kind: &str,
        steps: &mut usize,
    ) -> Option<Reached> {
        let start = Vertex::Block(address.to_owned());
        let (mut seen, mut open) = (HashSet::from([start.clone()]), vec![start.clone()]);
        let mut reached = Reached::default();
        while let Some(vertex) = open.pop() {
            if let Vertex::Block(address) = &vertex
                && vertex != start
                && self.block(address).is_some_and(|block| block.is(kind))
            {
                reached.found.insert(address.clone());
            }
            let (next, hides) = self.next(&vertex, steps)?;
            reached.is_hidden |= hides;
            open.extend(next.into_iter().filter(|vertex| seen.insert(vertex.clone())));
        }
        Some(reached)
    }

    /// What a vertex waits for, and whether some of that is hidden.
    fn next(&self, vertex: &Vertex, steps: &mut usize) -> Option<(Vec<Vertex>, bool)> {
        let mut found = Found { steps, next: Vec::new(), hides: false };
        match vertex {
            Vertex::Block(address) => {
                if let Some(block) = self.block(address) {
                    return self.next_of(block, found.steps);
                }
            }
            Vertex::Call(path) => {
                if let Some((parent, call)) = self.module(path).and_then(|it| it.call.as_ref()) {
                    found.look_into(*call)?;
                    found.expression(call.get("count_expression"), parent)?;
                    found.expression(call.get("for_each_expression"), parent)?;
                    found.depends_on(*call, parent)?;
                    found.next.push(Vertex::Call(parent.clone()));
                }
            }
            Vertex::Variable(path, name) => {
                if let Some(module) = self.module(path)
                    && let Some((parent, _)) = &module.call
                {
                    found.expression(module.arguments.get(name), parent)?;
                }
            }
            Vertex::Output(path, name) => {
                if let Some(output) = self.module(path).and_then(|it| it.outputs.get(name)) {
                    found.look_into(output)?;
                    found.expression(output.get("expression"), path)?;
                    found.depends_on(output, path)?;
                    found.next.push(Vertex::Call(path.clone()));
                }
            }
            Vertex::Outputs(path) => {
                for name in self.module(path).into_iter().flat_map(|it| it.outputs.names()) {
                    found.step()?;
                    found.next.push(Vertex::Output(path.clone(), name.to_string()));
                }
            }
            Vertex::Whole(path) => {
                if let Some(module) = self.module(path) {
                    for address in &module.blocks {
                        found.step()?;
                        found.next.push(Vertex::Block(address.clone()));
                    }
                    for child in &module.children {
                        found.step()?;
                        found.next.push(Vertex::Whole(child.clone()));
                    }
                    found.next.push(Vertex::Call(path.clone()));
                }
            }
            Vertex::Provider(key) => {
                if let Some(provider) = self.providers.get(key) {
                    found.look_into(provider)?;
                    found.expressions(provider.get("expressions"), &home(provider))?;
                }
            }
        }
        Some((found.next, found.hides))
    }

    fn next_of(&self, block: &Block<'t>, steps: &mut usize) -> Option<(Vec<Vertex>, bool)> {
        let mut found = Found { steps, next: Vec::new(), hides: false };
        let (node, module) = (block.node, &block.module);
        found.look_into(node)?;
        found.expressions(node.get("expressions"), module)?;
        found.expression(node.get("count_expression"), module)?;
        found.expression(node.get("for_each_expression"), module)?;
        for provisioner in node.get("provisioners").into_iter().flat_map(Node::items) {
            found.expressions(provisioner.get("expressions"), module)?;
        }
        found.depends_on(node, module)?;
        let provider = node.get("provider_config_key").and_then(Node::text);
        found.next.extend(provider.map(|key| Vertex::Provider(key.into_owned())));
        found.next.push(Vertex::Call(module.clone()));
        Some((found.next, found.hides))
    }

    fn module(&self, path: &str) -> Option<&Module<'t>> {
        self.modules.get(path)
    }
}

impl<'t> Module<'t> {
    fn of(call: Option<(String, Node<'t>)>) -> Self {
        let arguments = call.as_ref().and_then(|(_, call)| call.get("expressions"));
        Self { arguments: Members::of(arguments), call, ..Self::default() }
    }
}

impl<'t> Block<'t> {
    /// The block and its address, if that is the one of its mode, type and name.
    fn of(node: Node<'t>, path: &str) -> Option<(String, Self)> {
        let text = |member| node.get(member).and_then(Node::text);
        let (mode, kind, name) = (text("mode")?, text("type")?, text("name")?);
        let prefix = match mode.as_ref() {
            "managed" => "",
            "data" => "data.",
            "ephemeral" => "ephemeral.",
            _ => return None,
        };
        let address = format!("{prefix}{kind}.{name}");
        let is_whole = is_name(&kind) && is_name(&name) && text("address")? == address;
        let is_managed = mode == "managed";
        let block = Self { node, module: path.to_owned(), is_managed, kind };
        is_whole.then(|| (format!("{path}{address}"), block))
    }

    fn is(&self, kind: &str) -> bool {
        self.is_managed && self.kind == kind
    }
}

/// A name that cannot be read as more than one part of an address.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// The path of the module that a provider is configured in.
fn home(provider: Node<'_>) -> String {
    let module = provider.get("module_address").and_then(Node::text).unwrap_or_default();
    if module.is_empty() { String::new() } else { format!("{}.", without_keys(&module)) }
}

/// What is found to be waited for.
struct Found<'s> {
    /// How many more things may be looked at.
    steps: &'s mut usize,
    next: Vec<Vertex>,
    hides: bool,
}

impl Found<'_> {
    fn step(&mut self) -> Option<()> {
        *self.steps = self.steps.checked_sub(1)?;
        Some(())
    }

    /// Looking for a member costs as much as there are members.
    fn look_into(&mut self, node: Node<'_>) -> Option<()> {
        *self.steps = self.steps.checked_sub(node.members().count())?;
        Some(())
    }

    /// The arguments of a block: an expression, or blocks, under each name.
    fn expressions(&mut self, node: Option<Node<'_>>, module: &str) -> Option<()> {
        for (_, argument) in node.into_iter().flat_map(Node::members) {
            self.expression(Some(argument), module)?;
        }
        Some(())
    }

    /// An expression, or blocks of them.
    fn expression(&mut self, node: Option<Node<'_>>, module: &str) -> Option<()> {
        let mut open: Vec<_> = node.into_iter().collect();
        while let Some(node) = open.pop() {
            self.step()?;
            match node.get("references").filter(|it| is_texts(*it)) {
                Some(references) => self.references(references, module)?,
                None => {
                    open.extend(node.items());
                    // INVARIANT: a constant is somebody's data, whatever it looks like.
                    let members = node.members().filter(|(name, _)| name != "constant_value");
                    open.extend(members.map(|(_, node)| node));
                }
            }
        }
        Some(())
    }

    /// The references of one expression. Terraform lists each with what it is part of:
    /// `module.a.id`, then `module.a`; only the whole reference counts then.
    fn references(&mut self, list: Node<'_>, module: &str) -> Option<()> {
        let texts: Vec<_> =
            list.items().filter_map(Node::text).map(|it| without_keys(&it)).collect();
        let modules = |text: &String| text.strip_prefix("module.").map(str::to_owned);
        let in_part: HashSet<String> = texts
            .iter()
            .filter_map(modules)
            .filter_map(|rest| rest.split_once('.').map(|(name, _)| name.to_owned()))
            .collect();
        for text in &texts {
            self.step()?;
            let is_part = modules(text).is_some_and(|name| in_part.contains(&name));
            if !is_part {
                self.reference(text, module, Vertex::Outputs);
            }
        }
        Some(())
    }

    fn depends_on(&mut self, node: Node<'_>, module: &str) -> Option<()> {
        for text in node.get("depends_on").into_iter().flat_map(Node::items).filter_map(Node::text)
        {
            self.step()?;
            self.reference(&without_keys(&text), module, Vertex::Whole);
        }
        Some(())
    }

    /// What a reference without keys leads to; what a module alone means, the caller says.
    fn reference(&mut self, text: &str, module: &str, alone: impl FnOnce(String) -> Vertex) {
        let mut parts = text.split('.');
        let mut part = || parts.next().unwrap_or_default();
        let (first, second, third) = (part(), part(), part());
        match first {
            "local" => self.hides = true,
            "each" | "count" | "path" | "self" | "terraform" => {}
            "var" => self.next.push(Vertex::Variable(module.to_owned(), second.to_owned())),
            "module" => {
                let Some(path) = within_module(module, second) else { return };
                self.next.push(match third {
                    "" => alone(path),
                    output => Vertex::Output(path, output.to_owned()),
                });
            }
            "data" | "ephemeral" => {
                self.hides |= first == "ephemeral";
                self.next.push(Vertex::Block(format!("{module}{first}.{second}.{third}")));
            }
            _ => self.next.push(Vertex::Block(format!("{module}{first}.{second}"))),
        }
    }
}

fn is_texts(node: Node<'_>) -> bool {
    node.kind() == Kind::List && node.items().all(|item| item.kind() == Kind::Text)
}
