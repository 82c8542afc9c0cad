//! Which attributes a change touches: their paths, never their values.

use std::collections::BTreeSet;

use crate::plan::CUT;
use crate::plan::marks::{any, hides_whole, open_steps};
use crate::plan::secrets::{MARKER, Secrets};
use crate::plan::tape::{Kind, Members, Node};

/// Longer paths end at their last part that fits.
const MAX_PATH: usize = 256;
/// A change with more paths names its top-level attributes only.
const MAX_PATHS: usize = 64;
/// A change of more attributes than any resource has is told as `*`.
const MAX_ATTRIBUTES: usize = 1024;
/// So many bytes of paths are kept of one plan; then, too, only top-level attributes are named.
pub(super) const MAX_PATH_BYTES: usize = 8 << 20;

/// A value on both sides of a change, what is unknown of it until it is applied, and its marks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sides<'t> {
    pub(super) before: Option<Node<'t>>,
    pub(super) after: Option<Node<'t>>,
    pub(super) unknown: Option<Node<'t>>,
    pub(super) before_mark: Option<Node<'t>>,
    pub(super) after_mark: Option<Node<'t>>,
}

/// One path that changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path {
    text: String,
    /// Where its first part ends.
    top: usize,
    /// Whether only applying tells if and how it changes.
    pub(super) unknown: bool,
    /// Whether it leads further than is told.
    cut: bool,
}

impl Path {
    /// The attribute of the resource that it begins with.
    pub(super) fn attribute(&self) -> &str {
        self.text.get(..self.top).unwrap_or_default()
    }
}

/// The paths at which both sides differ, sorted; [`CUT`] stands last where not all are told. The
/// budget is what may still be kept of this plan.
pub(super) fn changed(
    sides: Sides<'_>,
    secrets: &Secrets<'_>,
    budget: &mut usize,
) -> (Vec<Path>, Vec<String>) {
    let mut walk = Walk {
        secrets,
        at: Path { text: String::new(), top: 0, unknown: false, cut: false },
        found: Vec::new(),
    };
    walk.value(sides);
    let found = walk.found;
    let size: usize = found.iter().map(|path| path.text.len()).sum();
    let in_full = found.len() <= MAX_PATHS && size <= *budget;
    *budget = budget.saturating_sub(size);
    let shown = |path: &Path| match in_full {
        true => path.text.clone(),
        false => path.attribute().to_owned(),
    };
    let mut texts: BTreeSet<_> = found.iter().map(shown).collect();
    let is_cut = !in_full || found.iter().any(|path| path.cut);
    if texts.len() > MAX_ATTRIBUTES {
        texts = BTreeSet::from(["*".to_owned()]);
    }
    let cut = is_cut.then(|| CUT.to_owned());
    (found, texts.into_iter().chain(cut).collect())
}

/// One path as Terraform writes references, from the steps of `replace_paths`; whether it leads
/// further than is told. It ends where something is marked: below, even a name says too much.
pub(super) fn path_text(
    steps: Node<'_>,
    sides: Sides<'_>,
    secrets: &Secrets<'_>,
) -> (String, bool) {
    let mut text = String::new();
    let open = open_steps(steps, sides.before, sides.before_mark).min(open_steps(
        steps,
        sides.after,
        sides.after_mark,
    ));
    let mut is_cut = false;
    for step in steps.items().take(open) {
        let part = match step.text() {
            Some(name) => member(&name, text.is_empty(), secrets),
            None if step.kind() == Kind::Number => format!("[{}]", step.raw()),
            None => "[*]".to_owned(),
        };
        is_cut = text.len() + part.len() > MAX_PATH;
        if is_cut {
            break;
        }
        text.push_str(&part);
    }
    (if text.is_empty() { "*".to_owned() } else { text }, is_cut)
}

struct Walk<'s, 't> {
    secrets: &'s Secrets<'t>,
    at: Path,
    found: Vec<Path>,
}

impl Walk<'_, '_> {
    fn value(&mut self, sides: Sides<'_>) {
        let is_marked = |value: Option<Node<'_>>, mark: Option<Node<'_>>| {
            mark.is_some_and(|mark| hides_whole(value, mark))
        };
        if sides.unknown.is_some_and(Node::is_true) {
            return self.push(true);
        }
        let marked =
            (is_marked(sides.before, sides.before_mark), is_marked(sides.after, sides.after_mark));
        if marked.0 || marked.1 {
            // Below a mark even a name says too much.
            return self.whole(
                sides,
                marked.0 != marked.1 && sides.before.is_some() && sides.after.is_some(),
            );
        }
        match (sides.before, sides.after) {
            (Some(before), Some(after)) => match (before.kind(), after.kind()) {
                (Kind::Map, Kind::Map) => self.maps(sides),
                (Kind::List, Kind::List) if before.len() == after.len() => self.lists(sides),
                _ => self.whole(sides, false),
            },
            _ => self.whole(sides, false),
        }
    }

    /// As one thing.
    fn whole(&mut self, sides: Sides<'_>, other_marks: bool) {
        let differs = match (sides.before, sides.after) {
            (Some(before), Some(after)) => !before.same(after),
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => true,
        };
        let unknown = sides.unknown.is_some_and(any);
        // What is unknown stands in `after` as nothing.
        if differs && !(unknown && sides.after.is_none()) || other_marks {
            self.push(false);
        } else if unknown {
            self.push(true);
        }
    }

    fn maps(&mut self, sides: Sides<'_>) {
        let [before, after] = [sides.before, sides.after].map(Members::of);
        let [unknown, before_mark, after_mark] =
            [sides.unknown, sides.before_mark, sides.after_mark].map(Members::of);
        let names: BTreeSet<_> =
            before.names().chain(after.names()).chain(unknown.names()).collect();
        let is_something = |node: &Node<'_>| !node.is_null();
        for name in names {
            let inner = Sides {
                before: before.get(name).filter(is_something),
                after: after.get(name).filter(is_something),
                unknown: unknown.get(name),
                before_mark: before_mark.get(name),
                after_mark: after_mark.get(name),
            };
            self.within(&member(name, self.at.text.is_empty(), self.secrets), inner);
        }
    }

    fn lists(&mut self, sides: Sides<'_>) {
        fn items<'t>(node: Option<Node<'t>>) -> impl Iterator<Item = Option<Node<'t>>> {
            let items = node.into_iter().flat_map(Node::items).map(Some);
            items.chain(std::iter::repeat(None))
        }
        let count = sides.before.map_or(0, Node::len);
        let both = items(sides.before).zip(items(sides.after)).zip(items(sides.unknown));
        let marks = items(sides.before_mark).zip(items(sides.after_mark));
        let is_something = |node: &Node<'_>| !node.is_null();
        for (index, (((before, after), unknown), (before_mark, after_mark))) in
            both.zip(marks).take(count).enumerate()
        {
            let before = before.filter(is_something);
            let after = after.filter(is_something);
            let inner = Sides { before, after, unknown, before_mark, after_mark };
            self.within(&format!("[{index}]"), inner);
        }
    }

    fn within(&mut self, part: &str, sides: Sides<'_>) {
        let (length, top) = (self.at.text.len(), self.at.top);
        if length + part.len() > MAX_PATH {
            let part = if length == 0 { "*" } else { "" };
            self.at.text.push_str(part);
            self.at.top = if length == 0 { 1 } else { top };
            self.at.cut = true;
            self.whole(sides, false);
            self.at.cut = false;
        } else {
            self.at.text.push_str(part);
            self.at.top = if length == 0 { part.len() } else { top };
            self.value(sides);
        }
        self.at.text.truncate(length);
        self.at.top = top;
    }

    fn push(&mut self, unknown: bool) {
        let path = Path { unknown, ..self.at.clone() };
        if !path.text.is_empty() && self.found.last() != Some(&path) {
            self.found.push(path);
        }
    }
}

/// One step of a path to a member.
fn member(name: &str, is_first: bool, secrets: &Secrets<'_>) -> String {
    if secrets.are_in(name) {
        return format!("[\"{MARKER}\"]");
    }
    name_step(name, is_first)
}

/// The same of a name that holds no secret.
pub(super) fn name_step(name: &str, is_first: bool) -> String {
    let plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let is_plain =
        name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(plain);
    match (is_plain, is_first) {
        (true, true) => name.to_owned(),
        (true, false) => format!(".{name}"),
        (false, _) => format!("[{}]", serde_json::to_string(name).unwrap_or_default()),
    }
}
