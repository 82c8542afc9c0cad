//! The whole plan without what it marks as sensitive: what may be stored and shown.

use std::fmt::Write as _;

use crate::plan::address::without_secrets;
use crate::plan::error::PlanError;
use crate::plan::marks::{Marks, Treatment, any};
use crate::plan::secrets::{MARKER, Secrets};
use crate::plan::tape::{Kind, Members, Node};
use crate::plan::{Limits, Source};

/// The plan as compact JSON in which [`MARKER`] stands for every value that the plan marks as
/// sensitive (a null stays null), wherever else that value recurs, and for every member that the plan format is not
/// known to have.
///
/// # Errors
/// [`PlanError`], as [`Plan::parse`](crate::plan::Plan::parse): what is no plan is not shown at all.
pub fn redacted(bytes: &[u8], limits: &Limits) -> Result<String, PlanError> {
    let source = Source::decode(bytes, limits)?;
    source.read(limits, |document| {
        // What cannot be summarised is not to be shown either.
        document.plan(limits)?;
        let view = View { marks: &document.marks, secrets: &document.secrets };
        let mut out = String::with_capacity(document.root.raw().len());
        view.write(document.root, &mut out);
        Ok(out)
    })
}

/// How a plan is shown.
struct View<'v, 't> {
    marks: &'v Marks<'t>,
    secrets: &'v Secrets<'t>,
}

impl<'t> View<'_, 't> {
    fn write(&self, node: Node<'t>, out: &mut String) {
        match self.marks.get(node) {
            _ if node.is_null() => out.push_str("null"),
            Some(Treatment::Hidden | Treatment::Unread) => text(MARKER, out),
            Some(Treatment::Within(mark)) => self.write_marked(node, Some(mark), out),
            Some(Treatment::Verbatim) => verbatim(node, out),
            Some(Treatment::Address) => match node.text() {
                Some(address) => text(&without_secrets(&address, self.secrets), out),
                None => text(MARKER, out),
            },
            Some(Treatment::Key) => match node.text() {
                Some(key) if self.secrets.hold_key(&key) => text(MARKER, out),
                Some(_) | None => self.write_open(node, out, |_, _, out| text(MARKER, out)),
            },
            None => self.write_open(node, out, |member, _, out| self.write(member, out)),
        }
    }

    fn write_marked(&self, node: Node<'t>, mark: Option<Node<'t>>, out: &mut String) {
        // The mark of the other side.
        if !node.is_null() && matches!(self.marks.get(node), Some(Treatment::Hidden)) {
            return text(MARKER, out);
        }
        let Some(mark) = mark.filter(|mark| any(*mark)) else {
            return self
                .write_open(node, out, |member, _, out| self.write_marked(member, None, out));
        };
        match (node.kind(), mark.kind()) {
            (Kind::Map, Kind::Map) => {
                let marks = Members::of(Some(mark));
                self.write_open(node, out, |member, step, out| {
                    let mark = match step {
                        Step::Member(name) => marks.get(name),
                        Step::Item(_) => None,
                    };
                    self.write_marked(member, mark, out);
                });
            }
            (Kind::List, Kind::List) => {
                let marks: Vec<_> = mark.items().collect();
                self.write_open(node, out, |member, step, out| {
                    let mark = match step {
                        Step::Member(_) => None,
                        Step::Item(index) => marks.get(index).copied(),
                    };
                    self.write_marked(member, mark, out);
                });
            }
            _ if node.is_null() => out.push_str("null"),
            _ => text(MARKER, out),
        }
    }

    /// Writes one value of which nothing is marked itself.
    fn write_open(
        &self,
        node: Node<'t>,
        out: &mut String,
        each: impl Fn(Node<'t>, Step<'_>, &mut String),
    ) {
        match node.kind() {
            Kind::Null | Kind::Bool => out.push_str(node.raw()),
            Kind::Number if self.secrets.are_in(node.raw()) => text(MARKER, out),
            Kind::Number => out.push_str(node.raw()),
            Kind::Text => {
                let plain = node.text().unwrap_or_default();
                if self.secrets.are_in(&plain) { text(MARKER, out) } else { text(&plain, out) }
            }
            Kind::List => {
                out.push('[');
                for (index, item) in node.items().enumerate() {
                    separate(index, out);
                    each(item, Step::Item(index), out);
                }
                out.push(']');
            }
            Kind::Map => {
                out.push('{');
                let mut hidden = 0;
                for (index, (name, member)) in node.members().enumerate() {
                    separate(index, out);
                    if self.secrets.are_in(&name) {
                        hidden += 1;
                        // Names stay distinct.
                        text(&format!("{MARKER} {hidden}"), out);
                    } else {
                        text(&name, out);
                    }
                    out.push(':');
                    each(member, Step::Member(&name), out);
                }
                out.push('}');
            }
        }
    }
}

/// Where in its list or object a value stands.
enum Step<'n> {
    Item(usize),
    Member(&'n str),
}

/// The format's own words. What is none, because it is no word, is not shown.
fn verbatim(node: Node<'_>, out: &mut String) {
    match node.kind() {
        Kind::Null | Kind::Bool | Kind::Number => out.push_str(node.raw()),
        Kind::Text => text(&node.text().unwrap_or_default(), out),
        Kind::List => {
            out.push('[');
            for (index, item) in node.items().enumerate() {
                separate(index, out);
                verbatim(item, out);
            }
            out.push(']');
        }
        Kind::Map => text(MARKER, out),
    }
}

fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push(',');
    }
}

fn text(text: &str, out: &mut String) {
    let quoted = serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned());
    // Writing to a text cannot fail.
    let _ = out.write_str(&quoted);
}
