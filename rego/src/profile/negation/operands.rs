//! Which parts of a statement OPA's compiler evaluates before it: what must have a value first.

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, BoolOp, Expr, Literal, Module as Tree, Query};

use crate::builtins;
use crate::syntax;

/// Says which parts of a statement must have a value before it is stated or negated.
#[derive(Clone, Copy)]
pub(super) struct Operands<'a> {
    /// Names of rules and imports: they look like variables and may have no value.
    pub(super) globals: &'a BTreeSet<String>,
    /// Names of functions of the policy, as the module writes them.
    pub(super) own: &'a BTreeSet<String>,
}

impl Operands<'_> {
    pub(super) fn of_negated<'e>(&self, negated: &'e Expr) -> Vec<&'e Expr> {
        match negated {
            // A function of the engine that has no value for its arguments must not hold negated.
            Expr::Call { fcn, params, .. } if self.is_test(fcn, params.len()) => vec![negated],
            Expr::Call { params, .. } => self.dynamic(params.iter().map(AsRef::as_ref)),
            Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. }
            | Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } => {
                [lhs, rhs].into_iter().flat_map(|side| self.of_equal(side)).collect()
            }
            Expr::BoolExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::BinExpr { lhs, rhs, .. } => self.dynamic([lhs.as_ref(), rhs]),
            Expr::Membership { key, value, collection, .. } => {
                self.dynamic(key.iter().chain([value, collection]).map(AsRef::as_ref))
            }
            Expr::UnaryExpr { expr, .. } => self.dynamic([expr.as_ref()]),
            Expr::RefDot { .. } | Expr::RefBrack { .. } => self.of_reference(negated),
            Expr::Array { .. } | Expr::Set { .. } | Expr::Object { .. } => self.dynamic([negated]),
            Expr::ArrayCompr { .. }
            | Expr::SetCompr { .. }
            | Expr::ObjectCompr { .. }
            | Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::Var { .. } => Vec::new(),
        }
    }

    /// What must have a value before this is stated. For the engine `"k", v in m` holds when there
    /// is neither such a member nor such a value, and `v in m` inside something else is false when
    /// there is no value.
    pub(super) fn of_stated<'e>(&self, stated: &'e Expr) -> Vec<&'e Expr> {
        if let Expr::Membership { key: Some(_), value, .. } = stated
            && !self.is_static(value)
        {
            return vec![value];
        }
        let parts = syntax::parts(stated).same_scope.into_iter();
        parts.flat_map(|part| self.of_value(part)).collect()
    }

    /// The same for every `in` at or below an expression that is used as a value.
    pub(super) fn of_value<'e>(&self, used: &'e Expr) -> Vec<&'e Expr> {
        let parts = syntax::parts(used).same_scope;
        if matches!(used, Expr::Membership { .. }) {
            return self.dynamic(parts);
        }
        parts.into_iter().flat_map(|part| self.of_value(part)).collect()
    }

    /// What must be evaluated before it replaces something: the engine evaluates a rule that is
    /// named after `as` while the replacement already holds.
    pub(super) fn of_replacements<'e>(&self, values: &[&'e Expr]) -> Vec<&'e Expr> {
        let mut found = Vec::new();
        for value in values {
            let mut names_rule = false;
            syntax::each(value, &mut |part| {
                if let Expr::Var { span, .. } = part {
                    let name = span.text();
                    names_rule |= self.globals.contains(name) && name != "data";
                }
            });
            if names_rule {
                found.push(*value);
            }
        }
        found
    }

    /// The line of an `in` that is used as a value where no statement could come before it.
    pub(super) fn misplaced(&self, tree: &Tree) -> Option<u32> {
        tree.policy.iter().find_map(|rule| {
            syntax::rule(rule).clauses.into_iter().find_map(|clause| {
                let in_body = clause.body.and_then(|body| self.misplaced_in(body));
                let values = clause.values.into_iter();
                in_body.or_else(|| values.filter_map(|value| self.misplaced_value(value)).next())
            })
        })
    }

    fn misplaced_in(&self, query: &Query) -> Option<u32> {
        query.stmts.iter().find_map(|statement| {
            let stated = syntax::expressions(&statement.literal).into_iter();
            let mut stated = stated.filter_map(|expr| self.misplaced_within(expr));
            let mut replaced = statement.with_mods.iter();
            let nested = match &statement.literal {
                Literal::Every { query, .. } => self.misplaced_in(query),
                Literal::SomeVars { .. }
                | Literal::SomeIn { .. }
                | Literal::Expr { .. }
                | Literal::NotExpr { .. } => None,
            };
            nested
                .or_else(|| stated.next())
                .or_else(|| replaced.find_map(|with| self.misplaced_value(&with.r#as)))
        })
    }

    fn misplaced_value(&self, value: &Expr) -> Option<u32> {
        let here = self.of_value(value).first().map(|operand| operand.span().line);
        here.or_else(|| self.misplaced_within(value))
    }

    /// In the comprehensions at or below an expression.
    fn misplaced_within(&self, expr: &Expr) -> Option<u32> {
        let parts = syntax::parts(expr);
        let beside = parts.same_scope.into_iter().find_map(|part| self.misplaced_within(part));
        beside.or_else(|| {
            parts.inner.into_iter().find_map(|(query, terms)| {
                let terms = terms.into_iter().find_map(|term| self.misplaced_value(term));
                terms.or_else(|| self.misplaced_in(query))
            })
        })
    }

    /// Whether it is one of the engine's functions that has one value for its arguments.
    fn is_test(&self, function: &Expr, given: usize) -> bool {
        let Some((name, true)) = syntax::path(function) else { return false };
        let name = name.join(".");
        let has_one = name != "walk" && builtins::arity(&name) == Some(given);
        has_one && !self.own.contains(&name)
    }

    /// One side of an equality: a plain reference stays where it is, so that `not input.a == 1`
    /// holds when there is no `a`, as it does in OPA. What stands in its brackets is taken out.
    fn of_equal<'e>(&self, side: &'e Expr) -> Vec<&'e Expr> {
        if matches!(side, Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. }) {
            self.of_reference(side)
        } else {
            self.dynamic([side])
        }
    }

    /// The parts of a reference that need a value of their own.
    fn of_reference<'e>(&self, reference: &'e Expr) -> Vec<&'e Expr> {
        let begins = Some(syntax::root(reference)).filter(|root| {
            let is_comprehension = syntax::parts(root).inner.len() == 1;
            !is_comprehension && !matches!(root, Expr::Var { .. })
        });
        let indices = syntax::indices(reference).into_iter().rev();
        self.dynamic(begins.into_iter().chain(indices))
    }

    /// Those whose having a value can depend on anything.
    fn dynamic<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> Vec<&'e Expr> {
        exprs.into_iter().filter(|expr| !self.is_static(expr)).collect()
    }

    fn is_static(&self, expr: &Expr) -> bool {
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => true,
            Expr::Var { span, .. } => !self.globals.contains(span.text()),
            Expr::Array { .. }
            | Expr::Set { .. }
            | Expr::Object { .. }
            | Expr::UnaryExpr { .. } => {
                syntax::parts(expr).same_scope.into_iter().all(|part| self.is_static(part))
            }
            Expr::ArrayCompr { .. }
            | Expr::SetCompr { .. }
            | Expr::ObjectCompr { .. }
            | Expr::Call { .. }
            | Expr::RefDot { .. }
            | Expr::RefBrack { .. }
            | Expr::BinExpr { .. }
            | Expr::BoolExpr { .. }
            | Expr::ArithExpr { .. }
            | Expr::AssignExpr { .. }
            | Expr::Membership { .. } => false,
        }
    }
}
