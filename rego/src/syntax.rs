//! The syntax tree of a module: parsing it and walking it.
//!
//! The tree is the engine's own. Its types are not a stable interface, so the engine's version is
//! pinned; in return every match here is exhaustive, and a new kind of expression cannot be
//! overlooked. Parsing can hang or end the process: only a worker may call [`parse`].

use std::num::{NonZeroU32, NonZeroUsize};

use regorus::unstable::{Expr, Literal, Module as Tree, Parser, Query, Rule, RuleHead};
use regorus::{PolicyLengthConfig, Source};

use crate::source::{Fault, Module, Version};

/// The longest line: 16 KiB.
const MAX_COLUMNS: NonZeroU32 = NonZeroU32::MIN.saturating_add(16 * 1024 - 1);
/// Twice the longest module, because rewriting adds to it.
const MAX_BYTES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(512 * 1024 - 1);
const MAX_LINES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(20_000 - 1);

/// What the engine may be given.
pub(crate) fn lengths() -> PolicyLengthConfig {
    PolicyLengthConfig { max_col: MAX_COLUMNS, max_file_bytes: MAX_BYTES, max_lines: MAX_LINES }
}

/// The module as a tree.
pub(crate) fn parse(module: &Module) -> Result<Tree, Fault> {
    let source = Source::from_contents_with_limits(
        module.name.clone(),
        module.text.clone(),
        MAX_BYTES,
        MAX_LINES,
    )
    .map_err(|e| module.fault(1, e.to_string()))?;
    let parsed = Parser::new(&source).and_then(|mut parser| {
        parser.set_max_col(MAX_COLUMNS);
        match module.version {
            Version::V1 => parser.enable_rego_v1()?,
            Version::V0 => {}
        }
        parser.parse()
    });
    let tree = parsed.map_err(|e| told(&e.to_string(), &module.name))?;
    match &tree.target {
        Some(_) => Err(module.fault(1, "`__target__` is not Rego; remove it")),
        None => Ok(tree),
    }
}

/// The engine's message, which shows the line with a caret, as a fault.
pub(crate) fn told(message: &str, file: &str) -> Fault {
    let place = message.lines().find_map(|line| line.trim_start().strip_prefix("--> "));
    let mut parts = place.unwrap_or_default().rsplitn(3, ':');
    let _column = parts.next();
    let line = parts.next().and_then(|line| line.parse().ok()).unwrap_or(1);
    let file = parts.next().filter(|file| !file.is_empty()).unwrap_or(file);
    let errors = message.lines().filter_map(|line| line.trim_start().strip_prefix("error: "));
    let said = errors.last().unwrap_or_else(|| message.lines().next().unwrap_or_default());
    let message = said.trim().chars().take(400).collect();
    Fault { file: file.to_owned(), line, message }
}

/// What an expression is made of: the expressions evaluated with it, and the queries that have a
/// scope of their own, each with the expressions that are evaluated inside it.
#[derive(Default)]
pub(crate) struct Parts<'a> {
    pub(crate) same_scope: Vec<&'a Expr>,
    pub(crate) inner: Vec<(&'a Query, Vec<&'a Expr>)>,
}

/// The parts of an expression, one level down.
pub(crate) fn parts(expr: &Expr) -> Parts<'_> {
    let mut parts = Parts::default();
    match expr {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. } => {}
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            parts.same_scope.extend(items.iter().map(AsRef::as_ref));
        }
        Expr::Object { fields, .. } => {
            let fields = fields.iter().flat_map(|(_, key, value)| [key.as_ref(), value.as_ref()]);
            parts.same_scope.extend(fields);
        }
        Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
            parts.inner.push((query, vec![term]));
        }
        Expr::ObjectCompr { key, value, query, .. } => parts.inner.push((query, vec![key, value])),
        Expr::Call { fcn, params, .. } => {
            parts.same_scope.push(fcn);
            parts.same_scope.extend(params.iter().map(AsRef::as_ref));
        }
        Expr::UnaryExpr { expr, .. } => parts.same_scope.push(expr),
        Expr::RefDot { refr, .. } => parts.same_scope.push(refr),
        Expr::RefBrack { refr, index, .. } => parts.same_scope.extend([refr.as_ref(), index]),
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => parts.same_scope.extend([lhs.as_ref(), rhs]),
        Expr::Membership { key, value, collection, .. } => {
            parts.same_scope.extend(key.as_ref().map(AsRef::as_ref));
            parts.same_scope.extend([value.as_ref(), collection]);
        }
    }
    parts
}

/// The expressions of a statement itself; the query of an `every` is not among them.
pub(crate) fn expressions(literal: &Literal) -> Vec<&Expr> {
    match literal {
        Literal::SomeVars { .. } => Vec::new(),
        Literal::SomeIn { key, value, collection, .. } => {
            let mut all: Vec<&Expr> = key.iter().map(AsRef::as_ref).collect();
            all.extend([value.as_ref(), collection.as_ref()]);
            all
        }
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => vec![expr],
        Literal::Every { domain, .. } => vec![domain],
    }
}

/// One clause of a rule: what its head evaluates, and its body where it has one.
pub(crate) struct Clause<'a> {
    pub(crate) values: Vec<&'a Expr>,
    pub(crate) body: Option<&'a Query>,
}

/// A rule, taken apart.
pub(crate) struct Parsed<'a> {
    pub(crate) head: &'a Expr,
    /// The parameters, where it is a function.
    pub(crate) parameters: Option<Vec<&'a Expr>>,
    pub(crate) clauses: Vec<Clause<'a>>,
}

/// Takes a rule apart.
pub(crate) fn rule(rule: &Rule) -> Parsed<'_> {
    match rule {
        Rule::Default { refr, args, value, .. } => {
            let parameters = (!args.is_empty()).then(|| args.iter().map(AsRef::as_ref).collect());
            let clauses = vec![Clause { values: vec![value.as_ref()], body: None }];
            Parsed { head: refr, parameters, clauses }
        }
        Rule::Spec { head, bodies, .. } => {
            let (refr, parameters, value) = match head {
                RuleHead::Compr { refr, assign, .. } => {
                    (refr, None, assign.as_ref().map(|assign| &assign.value))
                }
                RuleHead::Set { refr, key, .. } => (refr, None, key.as_ref()),
                RuleHead::Func { refr, args, assign, .. } => {
                    let parameters = args.iter().map(AsRef::as_ref).collect();
                    (refr, Some(parameters), assign.as_ref().map(|assign| &assign.value))
                }
            };
            let mut first: Vec<&Expr> = value.into_iter().map(AsRef::as_ref).collect();
            first.extend(indices(refr));
            let mut clauses = Vec::new();
            for body in bodies {
                let mut values: Vec<&Expr> =
                    body.assign.iter().map(|assign| assign.value.as_ref()).collect();
                if !body.is_else {
                    values.extend(&first);
                }
                clauses.push(Clause { values, body: Some(&body.query) });
            }
            if clauses.is_empty() {
                clauses.push(Clause { values: first, body: None });
            }
            Parsed { head: refr, parameters, clauses }
        }
    }
}

/// What stands in brackets along a reference.
pub(crate) fn indices(mut expr: &Expr) -> Vec<&Expr> {
    let mut found = Vec::new();
    loop {
        match expr {
            Expr::RefDot { refr, .. } => expr = refr,
            Expr::RefBrack { refr, index, .. } => {
                found.push(index.as_ref());
                expr = refr;
            }
            _ => return found,
        }
    }
}

/// What a reference begins with.
pub(crate) fn root(mut expr: &Expr) -> &Expr {
    loop {
        match expr {
            Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } => expr = refr,
            _ => return expr,
        }
    }
}

/// The part of a reference that does not depend on anything, and whether that is all of it.
/// Nothing if it does not begin with a variable.
pub(crate) fn path(expr: &Expr) -> Option<(Vec<String>, bool)> {
    match expr {
        Expr::Var { span, .. } => Some((vec![span.text().to_owned()], true)),
        Expr::RefDot { refr, field, .. } => {
            let (mut path, whole) = path(refr)?;
            if whole {
                path.push(field.0.text().to_owned());
            }
            Some((path, whole))
        }
        Expr::RefBrack { refr, index, .. } => {
            let (mut path, whole) = path(refr)?;
            match (whole, index.as_ref()) {
                (true, Expr::String { value, .. } | Expr::RawString { value, .. }) => {
                    path.push(value.as_string().map(|s| s.to_string()).unwrap_or_default());
                    Some((path, true))
                }
                _ => Some((path, false)),
            }
        }
        _ => None,
    }
}

/// Every expression at or below this one, inner queries included.
pub(crate) fn each<'a>(expr: &'a Expr, seen: &mut dyn FnMut(&'a Expr)) {
    seen(expr);
    let parts = parts(expr);
    for part in parts.same_scope {
        each(part, seen);
    }
    for (query, terms) in parts.inner {
        for term in terms {
            each(term, seen);
        }
        each_in(query, seen);
    }
}

/// Every expression of a query.
pub(crate) fn each_in<'a>(query: &'a Query, seen: &mut dyn FnMut(&'a Expr)) {
    each_query(query, &mut |query| {
        for statement in &query.stmts {
            for expr in expressions(&statement.literal) {
                each(expr, seen);
            }
            for modifier in &statement.with_mods {
                each(&modifier.refr, seen);
                each(&modifier.r#as, seen);
            }
        }
    });
}

/// This query and those of its `every` statements; not those of comprehensions, which
/// [`each`] enters.
fn each_query<'a>(query: &'a Query, seen: &mut dyn FnMut(&'a Query)) {
    seen(query);
    for statement in &query.stmts {
        if let Literal::Every { query, .. } = &statement.literal {
            each_query(query, seen);
        }
    }
}
