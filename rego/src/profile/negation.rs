//! Makes `not` mean what it means in OPA.
//!
//! OPA's compiler takes the operands out of what is negated, so that an operand without a value
//! leaves the whole body without one. The engine evaluates them inside the `not`, which then is
//! true: `not startswith(input.user, "ext-")` would hold for a request that has no user. Here the
//! operands are taken out of the text, as OPA's `rewriteDynamics` does with its tree:
//!
//! ```text
//! not is_external(input.user)   →   __n0 := input.user; not is_external(__n0)
//! ```
//!
//! No line is added or removed, so whatever is reported later still names the right one.

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, BoolOp, Expr, Literal, LiteralStmt, Query, Span};

use crate::builtins;
use crate::source::{Fault, Kind, Module, Token, scan};
use crate::syntax;

/// More rounds than a module that nests brackets twelve deep can need.
const MAX_ROUNDS: usize = 16;

/// The module with the operands of everything negated taken out.
pub(super) fn lifted(
    module: &Module,
    globals: &BTreeSet<String>,
    own: &BTreeSet<String>,
) -> Result<Module, Fault> {
    let mut module = module.clone();
    let prefix = fresh(&module.text);
    let mut made = 0;
    for _ in 0..MAX_ROUNDS {
        let tokens = scan(&module.text).map_err(|(at, message)| {
            module.fault(crate::source::line_of(&module.text, at), message)
        })?;
        let tree = syntax::parse(&module)?;
        let mut round = Round {
            text: &module.text,
            tokens: &tokens,
            negated: Negated { globals, own },
            prefix: &prefix,
            made,
            edits: Vec::new(),
        };
        for rule in &tree.policy {
            let rule = syntax::rule(rule);
            for clause in rule.clauses {
                for value in clause.values {
                    round.inner(value);
                }
                if let Some(body) = clause.body {
                    round.query(body, is_bare(body, &module.text));
                }
            }
        }
        if round.edits.is_empty() {
            return Ok(module);
        }
        made = round.made;
        module.text = applied(&module.text, round.edits);
    }
    Err(module.fault(1, "what is negated nests too deeply; give parts a rule of their own"))
}

/// The beginning of names that the text does not hold.
fn fresh(text: &str) -> String {
    let mut prefix = "__n".to_owned();
    while text.contains(&prefix) {
        prefix.push('_');
    }
    prefix
}

/// Whether a body is one statement without braces.
fn is_bare(body: &Query, text: &str) -> bool {
    let starts_with_not = at(body.span.start, text).is_some_and(|rest| !rest.starts_with('{'));
    starts_with_not && body.stmts.len() == 1
}

fn at(offset: u32, text: &str) -> Option<&str> {
    text.get(usize::try_from(offset).ok()?..)
}

/// Text to be put in place of a range.
struct Edit {
    start: usize,
    end: usize,
    text: String,
}

struct Round<'a> {
    text: &'a str,
    tokens: &'a [Token],
    negated: Negated<'a>,
    prefix: &'a str,
    made: usize,
    edits: Vec<Edit>,
}

impl Round<'_> {
    fn query(&mut self, query: &Query, bare: bool) {
        for statement in &query.stmts {
            if let Literal::NotExpr { expr, .. } = &statement.literal {
                let operands = self.negated.operands(expr);
                if !operands.is_empty() {
                    // What these hold is seen in the next round, where it stands then.
                    self.lift(statement, &operands, bare);
                    continue;
                }
            }
            for expr in syntax::expressions(&statement.literal) {
                self.inner(expr);
            }
            for modifier in &statement.with_mods {
                self.inner(&modifier.r#as);
            }
            if let Literal::Every { query, .. } = &statement.literal {
                self.query(query, false);
            }
        }
    }

    /// The comprehensions at or below an expression.
    fn inner(&mut self, expr: &Expr) {
        let parts = syntax::parts(expr);
        for part in parts.same_scope {
            self.inner(part);
        }
        for (query, terms) in parts.inner {
            for term in terms {
                self.inner(term);
            }
            self.query(query, false);
        }
    }

    fn lift(&mut self, statement: &LiteralStmt, operands: &[&Expr], bare: bool) {
        let (start, end) = self.range(&statement.span);
        let modifiers = match (statement.with_mods.first(), statement.with_mods.last()) {
            (Some(first), Some(last)) => {
                let (from, _) = self.range(&first.span);
                let (_, to) = self.range(&last.span);
                format!(" {}", self.text.get(from..to).unwrap_or_default())
            }
            _ => String::new(),
        };
        let mut before = if bare { "{ ".to_owned() } else { String::new() };
        for operand in operands {
            let (from, to) = self.whole(operand);
            let name = format!("{}{}", self.prefix, self.made);
            self.made += 1;
            let text = self.text.get(from..to).unwrap_or_default();
            before.push_str(&format!("{name} := {text}{modifiers}; "));
            self.edits.push(Edit { start: from, end: to, text: name });
        }
        self.edits.push(Edit { start, end: start, text: before });
        if bare {
            self.edits.push(Edit { start: end, end, text: " }".to_owned() });
        }
    }

    /// Where an expression stands. The engine's span of an object of several members begins at
    /// the last one, so the bracket that ends it says where it begins.
    fn whole(&self, expr: &Expr) -> (usize, usize) {
        let (start, end) = self.range(expr.span());
        let opening = self.tokens.iter().find_map(|token| match token.kind {
            Kind::Close(open) if token.end == end => Some(open),
            Kind::Open | Kind::Close(_) | Kind::Text | Kind::Comment => None,
        });
        match (expr, opening) {
            (Expr::Object { .. }, Some(open)) => (open, end),
            _ => (start, end),
        }
    }

    /// A span, widened to the quotes of the strings it begins or ends in: the engine's own stops
    /// inside them.
    fn range(&self, span: &Span) -> (usize, usize) {
        let offset = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        let (mut start, mut end) = (offset(span.start), offset(span.end));
        for token in self.tokens.iter().filter(|token| token.kind == Kind::Text) {
            if token.start < start && start < token.end {
                start = token.start;
            }
            if token.start < end && end < token.end {
                end = token.end;
            }
        }
        (start, end)
    }
}

/// Says which parts of what is negated must have a value first.
#[derive(Clone, Copy)]
struct Negated<'a> {
    /// Names of rules and imports: they look like variables and may have no value.
    globals: &'a BTreeSet<String>,
    /// Names of functions of the policy, as the module writes them.
    own: &'a BTreeSet<String>,
}

impl Negated<'_> {
    fn operands<'e>(&self, negated: &'e Expr) -> Vec<&'e Expr> {
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
        match side {
            Expr::Var { .. } => Vec::new(),
            Expr::RefDot { .. } | Expr::RefBrack { .. } => self.of_reference(side),
            _ => self.dynamic([side]),
        }
    }

    /// The parts of a reference that need a value of their own.
    fn of_reference<'e>(&self, reference: &'e Expr) -> Vec<&'e Expr> {
        let begins = match syntax::root(reference) {
            Expr::Var { .. }
            | Expr::ArrayCompr { .. }
            | Expr::SetCompr { .. }
            | Expr::ObjectCompr { .. } => None,
            other => Some(other),
        };
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
            _ => false,
        }
    }
}

/// Applies edits from the end of the text backwards.
fn applied(text: &str, mut edits: Vec<Edit>) -> String {
    // Of two at one place the later one in the list is inserted first in the text.
    edits.sort_by_key(|edit| (edit.start, edit.end));
    let mut text = text.to_owned();
    for edit in edits.into_iter().rev() {
        if text.get(edit.start..edit.end).is_some() {
            text.replace_range(edit.start..edit.end, &edit.text);
        }
    }
    text
}
