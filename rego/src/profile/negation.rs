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

mod operands;

use std::collections::BTreeSet;

use operands::Operands;
use regorus::unstable::{Expr, Literal, LiteralStmt, Query, Span};

use crate::source::{Fault, Kind, Module, Token, scan};
use crate::syntax;

/// What is said of an `in` before which nothing can be put.
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
            meaning: Operands { globals, own },
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
            return match round.meaning.misplaced(&tree) {
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
    meaning: Operands<'a>,
    prefix: &'a str,
    made: usize,
    edits: Vec<Edit>,
}

impl Round<'_> {
    fn query(&mut self, query: &Query, bare: bool) {
        for statement in &query.stmts {
            let replacements: Vec<&Expr> =
                statement.with_mods.iter().map(|m| m.r#as.as_ref()).collect();
            let replacements = self.meaning.of_replacements(&replacements);
            if !replacements.is_empty() {
                self.lift(statement, &replacements, bare, Modifiers::LeftOut);
                continue;
            }
            let operands = match &statement.literal {
                Literal::NotExpr { expr, .. } => self.meaning.of_negated(expr),
                Literal::Expr { expr, .. } => self.meaning.of_stated(expr),
                Literal::SomeVars { .. } | Literal::SomeIn { .. } | Literal::Every { .. } => {
                    let all = syntax::expressions(&statement.literal).into_iter();
                    all.flat_map(|expr| self.meaning.of_value(expr)).collect()
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
