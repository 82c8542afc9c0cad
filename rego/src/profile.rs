//! What a set of modules must be to be loaded at all.
//!
//! A module that parses may still call what does not exist, end the process by recursion or mean
//! something else than it does in OPA. All of that is found on the syntax tree, before anything is
//! evaluated, and said with file and line. What passes is rewritten: annotations are written out
//! where the policy asks for them, and what is negated is made to mean what it means in OPA.

mod calls;
mod metadata;
mod negation;
mod scope;

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::Module as Tree;

use crate::builtins;
use crate::source::{Fault, Module};
use crate::syntax;

/// What the modules define together.
#[derive(Default)]
pub(crate) struct Definitions {
    /// Functions by full path, with the number of their parameters.
    functions: BTreeMap<String, usize>,
    /// Rules that have a value, by full path.
    rules: BTreeSet<String>,
}

/// Modules that may be given to the engine.
pub(crate) struct Accepted {
    pub(crate) modules: Vec<Module>,
    /// Rules that have a value, by full path: `data.main.deny`.
    pub(crate) rules: BTreeSet<String>,
}

/// One module with what its names mean.
struct Read<'a> {
    module: &'a Module,
    tree: &'a Tree,
    package: String,
    /// What an import is called here, and what it stands for.
    imports: BTreeMap<String, String>,
}

/// Checks the modules and makes them fit for the engine. To be called in a worker only.
///
/// # Errors
/// Every [`Fault`] there is.
pub(crate) fn accept(modules: &[Module]) -> Result<Accepted, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut parsed = Vec::new();
    for module in modules {
        let done = metadata::inlined(module).and_then(|m| syntax::parse(&m).map(|tree| (m, tree)));
        match done {
            Ok(done) => parsed.push(done),
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let read: Vec<Read<'_>> = parsed.iter().map(|(module, tree)| Read::of(module, tree)).collect();
    let definitions = Definitions::of(&read);
    for read in &read {
        calls::check(read, &definitions, &mut faults);
        scope::check(read, &definitions, &mut faults);
    }
    calls::check_cycles(&read, &definitions, &mut faults);
    faults.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    if !faults.is_empty() {
        return Err(faults);
    }
    let rewritten = read.iter().map(|read| {
        let own = definitions.functions_called_in(read);
        negation::lifted(read.module, &scope::globals(read, &definitions), &own)
    });
    let modules = rewritten.collect::<Result<_, _>>().map_err(|fault| vec![fault])?;
    Ok(Accepted { modules, rules: definitions.rules })
}

impl<'a> Read<'a> {
    fn of(module: &'a Module, tree: &'a Tree) -> Self {
        let package = syntax::path(&tree.package.refr).map(|(path, _)| path).unwrap_or_default();
        let package = format!("data.{}", package.join("."));
        let mut imports = BTreeMap::new();
        for import in &tree.imports {
            let Some((path, _)) = syntax::path(&import.refr) else { continue };
            let renamed = import.r#as.as_ref().map(|span| span.text().to_owned());
            if let Some(name) = renamed.or_else(|| path.last().cloned()) {
                imports.insert(name, path.join("."));
            }
        }
        Self { module, tree, package, imports }
    }

    /// The full path of a rule whose head is written like this.
    fn defined(&self, head: &regorus::unstable::Expr) -> String {
        let path = syntax::path(head).map(|(path, _)| path).unwrap_or_default();
        format!("{}.{}", self.package, path.join("."))
    }
}

impl Definitions {
    fn of(read: &[Read<'_>]) -> Self {
        let mut definitions = Self::default();
        for read in read {
            for rule in &read.tree.policy {
                let rule = syntax::rule(rule);
                let path = read.defined(rule.head);
                match rule.parameters {
                    Some(parameters) => {
                        definitions.functions.insert(path, parameters.len());
                    }
                    None => {
                        definitions.rules.insert(path);
                    }
                }
            }
        }
        definitions
    }

    /// Names of functions of the policy that would be taken for the engine's own.
    fn functions_called_in(&self, read: &Read<'_>) -> BTreeSet<String> {
        let is_own = |name: &&&str| {
            let path: Vec<String> = name.split('.').map(str::to_owned).collect();
            self.function(read, &path).is_some()
        };
        builtins::KNOWN.iter().filter(is_own).map(|name| (*name).to_owned()).collect()
    }

    /// The function that a name means in a module, as the engine looks it up.
    fn function(&self, read: &Read<'_>, name: &[String]) -> Option<(&String, usize)> {
        let (first, rest) = name.split_first()?;
        let joined = name.join(".");
        let imported = read.imports.get(first).map(|import| {
            std::iter::once(import.clone())
                .chain(rest.iter().cloned())
                .collect::<Vec<_>>()
                .join(".")
        });
        let local = format!("{}.{joined}", read.package);
        let found = imported.into_iter().chain([local, joined]);
        let mut found = found.filter_map(|path| self.functions.get_key_value(&path));
        found.next().map(|(path, arity)| (path, *arity))
    }
}
