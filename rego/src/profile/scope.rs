//! What stands under a `not` must have a value before it is negated.
//!
//! `not f(input.xs[_])` reads as "no element is f"; the engine answers "some element is not f", and
//! OPA refuses it as unsafe. So does this: a wildcard, or a variable that nothing outside the
//! negation binds, is a fault.

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Query};

use super::{Definitions, Read};
use crate::builtins;
use crate::source::Fault;
use crate::syntax;

/// Refuses what is negated before it has a value.
pub(super) fn check(read: &Read<'_>, definitions: &Definitions, faults: &mut Vec<Fault>) {
    let mut scopes = Scopes { read, definitions, faults, globals: globals(read, definitions) };
    for rule in &read.tree.policy {
        let rule = syntax::rule(rule);
        let mut parameters = BTreeSet::new();
        for parameter in rule.parameters.iter().flatten() {
            bind_pattern(parameter, &mut parameters);
        }
        for clause in rule.clauses {
            let mut bound = parameters.clone();
            if let Some(body) = clause.body {
                bound = scopes.within(body, &bound);
                scopes.query(body, &parameters);
            }
            for value in clause.values {
                scopes.inner(value, &bound);
            }
        }
    }
}

/// Names that stand for something everywhere in the module.
pub(super) fn globals(read: &Read<'_>, definitions: &Definitions) -> BTreeSet<String> {
    let mut globals: BTreeSet<String> = ["input", "data"].map(str::to_owned).into();
    globals.extend(read.imports.keys().cloned());
    let prefix = format!("{}.", read.package);
    let mine = definitions.rules.iter().filter_map(|path| path.strip_prefix(&prefix));
    globals.extend(mine.filter_map(|rest| rest.split('.').next()).map(str::to_owned));
    globals
}

struct Scopes<'a> {
    read: &'a Read<'a>,
    definitions: &'a Definitions,
    faults: &'a mut Vec<Fault>,
    globals: BTreeSet<String>,
}

impl Scopes<'_> {
    /// What has a value inside this query, given what has one around it.
    fn within(&self, query: &Query, around: &BTreeSet<String>) -> BTreeSet<String> {
        let mut bound = around.clone();
        for name in declared(query) {
            bound.remove(&name);
        }
        for statement in &query.stmts {
            self.bind(statement, &mut bound);
        }
        bound
    }

    fn query(&mut self, query: &Query, around: &BTreeSet<String>) {
        let bound = self.within(query, around);
        let declared: BTreeSet<String> = declared(query).collect();
        for statement in &query.stmts {
            if let Literal::NotExpr { expr, .. } = &statement.literal {
                self.negated(expr, &bound, &declared);
            }
            for expr in syntax::expressions(&statement.literal) {
                self.inner(expr, &bound);
            }
            for modifier in &statement.with_mods {
                self.inner(&modifier.r#as, &bound);
            }
            if let Literal::Every { key, value, query, .. } = &statement.literal {
                let mut bound = bound.clone();
                bound.extend(key.iter().chain([value]).map(|name| name.text().to_owned()));
                self.query(query, &bound);
            }
        }
    }

    /// The comprehensions at or below an expression.
    fn inner(&mut self, expr: &Expr, around: &BTreeSet<String>) {
        let parts = syntax::parts(expr);
        for part in parts.same_scope {
            self.inner(part, around);
        }
        for (query, terms) in parts.inner {
            let bound = self.within(query, around);
            for term in terms {
                self.inner(term, &bound);
            }
            self.query(query, around);
        }
    }

    fn negated(&mut self, expr: &Expr, bound: &BTreeSet<String>, declared: &BTreeSet<String>) {
        if let Expr::AssignExpr { op: AssignOp::ColEq, span, .. } = expr {
            let fault =
                self.read.module.fault(span.line, "`:=` cannot be negated; compare with `==`");
            self.faults.push(fault);
        }
        self.names(expr, &mut |name, line| {
            if name == "_" {
                return Some((line, "a wildcard under `not` has no value yet; iterate in a comprehension or a rule of its own, and negate that".to_owned()));
            }
            let is_global = self.globals.contains(name) && !declared.contains(name);
            let known = is_global || bound.contains(name);
            (!known).then(|| (line, format!("nothing outside the `not` gives `{name}` a value")))
        })
        .into_iter()
        .for_each(|(line, message)| self.faults.push(self.read.module.fault(line, message)));
    }

    /// What is wrong with the variables of an expression, those of comprehensions aside.
    fn names(
        &self,
        expr: &Expr,
        judge: &mut dyn FnMut(&str, u32) -> Option<(u32, String)>,
    ) -> Vec<(u32, String)> {
        if let Expr::Var { span, .. } = expr {
            return judge(span.text(), span.line).into_iter().collect();
        }
        if let Expr::Call { params, .. } = expr {
            return params.iter().flat_map(|param| self.names(param, judge)).collect();
        }
        let parts = syntax::parts(expr).same_scope.into_iter();
        parts.flat_map(|part| self.names(part, judge)).collect()
    }

    /// What a statement gives a value to.
    fn bind(&self, statement: &LiteralStmt, bound: &mut BTreeSet<String>) {
        match &statement.literal {
            Literal::NotExpr { .. } | Literal::SomeVars { .. } => return,
            Literal::SomeIn { key, value, .. } => {
                for pattern in key.iter().chain([value]) {
                    bind_pattern(pattern, bound);
                }
            }
            Literal::Expr { expr, .. } => match expr.as_ref() {
                Expr::AssignExpr { lhs, rhs, op, .. } => {
                    bind_pattern(lhs, bound);
                    if *op == AssignOp::Eq {
                        bind_pattern(rhs, bound);
                    }
                }
                Expr::Call { fcn, params, .. } => {
                    if let Some(result) =
                        params.last().filter(|_| self.has_result(fcn, params.len()))
                    {
                        bind_pattern(result, bound);
                    }
                }
                _ => {}
            },
            Literal::Every { .. } => {}
        }
        for expr in syntax::expressions(&statement.literal) {
            bind_indices(expr, bound);
        }
    }

    /// Whether a call with this many arguments has one more than the function takes, which then
    /// is its result.
    fn has_result(&self, function: &Expr, given: usize) -> bool {
        let Some((name, true)) = syntax::path(function) else { return false };
        let own = self.definitions.function(self.read, &name).map(|(_, arity)| arity);
        own.or_else(|| builtins::arity(&name.join("."))).is_some_and(|arity| arity + 1 == given)
    }
}

/// Names that a query declares with `some`, without giving them a value by that.
fn declared(query: &Query) -> impl Iterator<Item = String> {
    query.stmts.iter().flat_map(|statement| match &statement.literal {
        Literal::SomeVars { vars, .. } => vars.iter().map(|var| var.text().to_owned()).collect(),
        Literal::SomeIn { .. }
        | Literal::Expr { .. }
        | Literal::NotExpr { .. }
        | Literal::Every { .. } => Vec::new(),
    })
}

/// Variables on their own, or inside an array or object that is taken apart.
fn bind_pattern(expr: &Expr, bound: &mut BTreeSet<String>) {
    match expr {
        Expr::Var { span, .. } => {
            bound.insert(span.text().to_owned());
        }
        Expr::Array { items, .. } => items.iter().for_each(|item| bind_pattern(item, bound)),
        Expr::Object { fields, .. } => {
            fields.iter().for_each(|(_, _, value)| bind_pattern(value, bound));
        }
        _ => {}
    }
}

/// Variables in brackets, which run over a collection.
fn bind_indices(expr: &Expr, bound: &mut BTreeSet<String>) {
    if let Expr::RefBrack { index, .. } = expr {
        bind_pattern(index, bound);
    }
    for part in syntax::parts(expr).same_scope {
        bind_indices(part, bound);
    }
}
