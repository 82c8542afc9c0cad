//! Which functions a module calls: all of them must exist, and none may come back to itself.
//!
//! The engine notices a missing function only when it comes by, and a function that calls itself
//! ends the whole process. OPA refuses both when it compiles.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Expr, Literal, Rule};

use super::{Definitions, Read};
use crate::builtins;
use crate::source::Fault;
use crate::syntax;

/// Refuses calls of what is not known, and whatever names a banned function.
pub(super) fn check(read: &Read<'_>, definitions: &Definitions, faults: &mut Vec<Fault>) {
    for rule in &read.tree.policy {
        each_of(rule, &mut |expr| {
            let line = expr.span().line;
            if let Some(problem) = problem(expr, read, definitions) {
                faults.push(read.module.fault(line, problem));
            }
        });
    }
}

fn problem(expr: &Expr, read: &Read<'_>, definitions: &Definitions) -> Option<String> {
    if let Some((name, true)) = syntax::path(expr) {
        let name = name.join(".");
        let why = builtins::banned(&name).filter(|_| name.contains('.'))?;
        return Some(format!("`{name}` is refused: it {why}"));
    }
    match expr {
        Expr::Call { fcn, .. } => {
            let Some((name, true)) = syntax::path(fcn) else {
                return Some("a function must be called by its name".to_owned());
            };
            if definitions.function(read, &name).is_some() {
                return None;
            }
            let name = name.join(".");
            match builtins::banned(&name) {
                // With a dot it has been told already, as a reference.
                Some(_) if name.contains('.') => None,
                Some(why) => Some(format!("`{name}` is refused: it {why}")),
                None if builtins::is_known(&name) => None,
                None => Some(format!(
                    "`{name}` is neither a function of this policy nor one that is known here"
                )),
            }
        }
        // The engine reads `-a + b` as `-(a + b)`.
        Expr::UnaryExpr { expr, .. } if is_infix(expr) => Some(
            "a minus before anything but one operand is read differently by OPA; write `0 - x`"
                .to_owned(),
        ),
        _ => None,
    }
}

fn is_infix(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::BinExpr { .. }
            | Expr::BoolExpr { .. }
            | Expr::ArithExpr { .. }
            | Expr::AssignExpr { .. }
            | Expr::Membership { .. }
            | Expr::UnaryExpr { .. }
    )
}

/// Every expression of a rule.
fn each_of<'a>(rule: &'a Rule, seen: &mut dyn FnMut(&'a Expr)) {
    let rule = syntax::rule(rule);
    for parameter in rule.parameters.iter().flatten() {
        syntax::each(parameter, seen);
    }
    for clause in rule.clauses {
        for value in clause.values {
            syntax::each(value, seen);
        }
        if let Some(body) = clause.body {
            syntax::each_in(body, seen);
        }
    }
}

/// Refuses functions that can come back to themselves, through whatever rules.
///
/// Rules that only need each other are left to the engine, which answers with an error.
pub(super) fn check_cycles(read: &[Read<'_>], definitions: &Definitions, faults: &mut Vec<Fault>) {
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for read in read {
        for rule in &read.tree.policy {
            let path = read.defined(syntax::rule(rule).head);
            needs.entry(path).or_default().extend(needed(rule, read, definitions));
        }
    }
    let mut told = BTreeSet::new();
    for read in read {
        for rule in &read.tree.policy {
            let path = read.defined(syntax::rule(rule).head);
            let is_function = definitions.functions.contains_key(&path);
            if is_function && reaches(&needs, &path) && told.insert(path.clone()) {
                let message = format!("the function `{path}` comes back to itself");
                faults.push(read.module.fault(rule.span().line, message));
            }
        }
    }
}

fn reaches(needs: &BTreeMap<String, BTreeSet<String>>, start: &str) -> bool {
    let mut open = vec![start];
    let mut seen = BTreeSet::new();
    while let Some(path) = open.pop() {
        for next in needs.get(path).into_iter().flatten() {
            if next == start {
                return true;
            }
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    false
}

/// What a rule may evaluate: the functions it names and the rules it refers to.
fn needed(rule: &Rule, read: &Read<'_>, definitions: &Definitions) -> BTreeSet<String> {
    let locals = locals(rule);
    let mut needed = BTreeSet::new();
    each_of(rule, &mut |expr| {
        let Some((path, _)) = syntax::path(expr) else { return };
        if let Some((function, _)) = definitions.function(read, &path) {
            needed.insert(function.clone());
        }
        let Some((first, rest)) = path.split_first() else { return };
        let full = match (first.as_str(), read.imports.get(first)) {
            ("data", _) => path.join("."),
            _ if locals.contains(first) => return,
            (_, Some(import)) => {
                std::iter::once(import).chain(rest).cloned().collect::<Vec<_>>().join(".")
            }
            (_, None) => format!("{}.{}", read.package, path.join(".")),
        };
        let related = |rule: &&String| is_within(rule, &full) || is_within(&full, rule);
        needed.extend(definitions.rules.iter().filter(related).cloned());
    });
    needed
}

fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Names that mean something of the rule's own.
fn locals(rule: &Rule) -> BTreeSet<String> {
    let mut locals = BTreeSet::new();
    let mut named = |expr: &Expr| {
        syntax::each(expr, &mut |part| {
            if let Expr::Var { span, .. } = part {
                locals.insert(span.text().to_owned());
            }
        });
    };
    let rule = syntax::rule(rule);
    for parameter in rule.parameters.iter().flatten() {
        named(parameter);
    }
    let mut queries: Vec<_> = rule.clauses.iter().filter_map(|clause| clause.body).collect();
    for clause in &rule.clauses {
        for value in &clause.values {
            queries.extend(inner_queries(value));
        }
    }
    while let Some(query) = queries.pop() {
        for statement in &query.stmts {
            match &statement.literal {
                Literal::SomeVars { vars, .. } => {
                    locals.extend(vars.iter().map(|var| var.text().to_owned()));
                }
                Literal::SomeIn { key, value, .. } => {
                    for pattern in key.iter().chain([value]) {
                        if let Expr::Var { span, .. } = pattern.as_ref() {
                            locals.insert(span.text().to_owned());
                        }
                    }
                }
                Literal::Every { key, value, query, .. } => {
                    let names = key.iter().chain([value]);
                    locals.extend(names.map(|name| name.text().to_owned()));
                    queries.push(query);
                }
                Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => {
                    if let Expr::AssignExpr { op: regorus::unstable::AssignOp::ColEq, lhs, .. } =
                        expr.as_ref()
                        && let Expr::Var { span, .. } = lhs.as_ref()
                    {
                        locals.insert(span.text().to_owned());
                    }
                }
            }
            for expr in syntax::expressions(&statement.literal) {
                queries.extend(inner_queries(expr));
            }
        }
    }
    locals
}

/// The queries of the comprehensions at or below an expression, outermost ones.
fn inner_queries(expr: &Expr) -> Vec<&regorus::unstable::Query> {
    let parts = syntax::parts(expr);
    let mut found: Vec<_> = parts.same_scope.into_iter().flat_map(inner_queries).collect();
    for (query, terms) in parts.inner {
        found.push(query);
        found.extend(terms.into_iter().flat_map(inner_queries));
    }
    found
}
