//! Makes `not`, and `key, value in`, mean what they mean in OPA.
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

use regorus::unstable::{
    AssignOp, BoolOp, Expr, Literal, LiteralStmt, Module as Tree, Query, Span,
};

use crate::builtins;
use crate::source::{Fault, Kind, Module, Token, scan};
use crate::syntax;

const MISPLACED: &str = "`in` is used as a value here, which would be false where OPA has none; \
    give it a name in the body first: `x := … in …`";

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
                    round.query(body, is_bare(body));
                }
            }
        }
        if round.edits.is_empty() {
            return match round.negated.misplaced(&tree) {
                None => Ok(module),
                Some(line) => Err(module.fault(line, MISPLACED)),
            };
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
fn is_bare(body: &Query) -> bool {
    body.stmts.first().is_some_and(|first| first.span.start == body.span.start)
}

/// Text to be put in place of a range.
struct Edit {
    start: usize,
    end: usize,
    text: String,
}

/// What becomes of a statement's `with` where a part of it is taken out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Modifiers {
    /// It holds for the part too.
    Repeated,
    /// The part is of the `with` itself, and is evaluated before it holds.
    LeftOut,
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
            let replacements: Vec<&Expr> =
                statement.with_mods.iter().map(|m| m.r#as.as_ref()).collect();
            let replacements = self.negated.operands_replacing(&replacements);
            if !replacements.is_empty() {
                self.lift(statement, &replacements, bare, Modifiers::LeftOut);
                continue;
            }
            let operands = match &statement.literal {
                Literal::NotExpr { expr, .. } => self.negated.operands(expr),
                Literal::Expr { expr, .. } => self.negated.operands_stated(expr),
                Literal::SomeVars { .. } | Literal::SomeIn { .. } | Literal::Every { .. } => {
                    let all = syntax::expressions(&statement.literal).into_iter();
                    all.flat_map(|expr| self.negated.operands_within(expr)).collect()
                }
            };
            if !operands.is_empty() {
                // What these hold is seen in the next round, where it stands then.
                self.lift(statement, &operands, bare, Modifiers::Repeated);
                continue;
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

    fn lift(
        &mut self,
        statement: &LiteralStmt,
        operands: &[&Expr],
        bare: bool,
        modifiers: Modifiers,
    ) {
        let (start, end) = self.range(&statement.span);
        let modifiers = match (statement.with_mods.first(), statement.with_mods.last()) {
            (Some(first), Some(last)) if modifiers == Modifiers::Repeated => {
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
            // At the end of a statement the engine would read a bracket on the next line as a
            // call of the name.
            let name = if to == end { format!("({name})") } else { name };
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

    /// What must have a value before this is stated. For the engine `"k", v in m` holds when there
    /// is neither such a member nor such a value, and `v in m` inside something else is false when
    /// there is no value.
    fn operands_stated<'e>(&self, stated: &'e Expr) -> Vec<&'e Expr> {
        if let Expr::Membership { key: Some(_), value, .. } = stated
            && !self.is_static(value)
        {
            return vec![value];
        }
        let parts = syntax::parts(stated).same_scope.into_iter();
        parts.flat_map(|part| self.operands_within(part)).collect()
    }

    /// The same for every `in` at or below an expression that is used as a value.
    fn operands_within<'e>(&self, used: &'e Expr) -> Vec<&'e Expr> {
        let parts = syntax::parts(used).same_scope;
        if matches!(used, Expr::Membership { .. }) {
            return self.dynamic(parts);
        }
        parts.into_iter().flat_map(|part| self.operands_within(part)).collect()
    }

    /// What must be evaluated before it replaces something: the engine evaluates a rule that is
    /// named after `as` while the replacement already holds.
    fn operands_replacing<'e>(&self, values: &[&'e Expr]) -> Vec<&'e Expr> {
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
    fn misplaced(&self, tree: &Tree) -> Option<u32> {
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
        let here = self.operands_within(value).first().map(|operand| operand.span().line);
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
