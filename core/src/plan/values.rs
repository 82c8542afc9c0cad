//! What the changes of a plan do to values: before and after, for people to read.
//!
//! It reads the plan as it is kept, of which everything sensitive is taken out, so nothing that is
//! shown of it can be a secret. What the plan's own summary says to change and what cannot be shown is
//! told without its value: a change is never left out because its value is.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::plan::diff::name_step;
use crate::plan::error::PlanError;
use crate::plan::marks::any;
use crate::plan::secrets::MARKER;
use crate::plan::tape::{Kind, Members, Node, Tape};
use crate::plan::{CUT, Change, Limits};

/// Objects and lists within one another, further down than which a value is shown as it is written.
const DEEPEST: usize = 12;

/// One value that a change gives, takes or alters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueChange {
    /// Where it stands, as Terraform writes references: `ingress[0].cidr_blocks`.
    pub path: String,
    /// What it was.
    pub before: Side,
    /// What it will be.
    pub after: Side,
}

/// A value on one side of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Side {
    /// There is none.
    Absent,
    /// There is one, or may be, and the plan marks it as sensitive.
    Hidden,
    /// Only applying tells.
    Unknown,
    /// The text itself where it is one, the JSON of everything else.
    Shown {
        /// The value.
        text: String,
        /// Whether it is a text and not some other value that reads the same.
        is_text: bool,
    },
}

/// The values of each of these changes, in the order of the changes. `redacted` is what
/// [`redacted`](crate::plan::redacted) made of the plan that they are of.
///
/// # Errors
/// [`PlanError`] where it is no JSON.
pub fn values(redacted: &str, changes: &[Change]) -> Result<Vec<Vec<ValueChange>>, PlanError> {
    // What was read once within the limits is a little longer now: the marker may be longer than what
    // it stands for.
    let limits = Limits { values: usize::MAX, text: usize::MAX, ..Limits::default() };
    let tape = Tape::read(redacted, &limits)?;
    let resources = Resources::of(tape.root());
    Ok(changes.iter().map(|change| of_change(change, resources.find(change))).collect())
}

/// The resources of a plan, each with the change that is made to it.
struct Resources<'t>(BTreeMap<(String, Option<String>), Vec<Node<'t>>>);

impl<'t> Resources<'t> {
    fn of(root: Node<'t>) -> Self {
        let plain = root.get("resource_changes").into_iter().flat_map(Node::items);
        let deferred = root.get("deferred_changes").into_iter().flat_map(Node::items);
        let deferred = deferred.filter_map(|one| one.get("resource_change"));
        let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for resource in plain.chain(deferred) {
            let text = |name| resource.get(name).and_then(Node::text).map(|text| text.into_owned());
            if let Some(address) = text("address") {
                found.entry((address, text("deposed"))).or_default().push(resource);
            }
        }
        Self(found)
    }

    /// The resource, unless it cannot be told from another: instances whose keys are hidden have one
    /// address.
    fn find(&self, change: &Change) -> Option<Node<'t>> {
        let key = (change.address.clone(), change.deposed.clone());
        match self.0.get(&key)?.as_slice() {
            [only] => only.get("change"),
            _ => None,
        }
    }
}

fn of_change(change: &Change, node: Option<Node<'_>>) -> Vec<ValueChange> {
    if !change.does_something() || change.actions == ["no-op"] {
        return Vec::new();
    }
    let side =
        |name: &str| node.and_then(|node| node.get(name)).filter(|side| side.kind() == Kind::Map);
    let (before, after) = (side("before"), side("after"));
    let ends = change.does("delete") || change.does("forget");
    let mut walk = Walk { path: String::new(), depth: 0, found: Vec::new() };
    if before.is_some() || after.is_some() {
        let unknown = node.and_then(|node| node.get("after_unknown"));
        walk.value(before, after, unknown.filter(|_| !ends || change.replaces()));
    }
    let mut found = walk.found;
    found.extend(unshown(change, before, after, &found));
    found
}

/// What the summary says to change and no value shows.
fn unshown(
    change: &Change,
    before: Option<Node<'_>>,
    after: Option<Node<'_>>,
    found: &[ValueChange],
) -> Vec<ValueChange> {
    let is_cut = change.paths.last().is_some_and(|last| last == CUT);
    let hides = |path: &str| {
        let sides = [before, after].into_iter().flatten();
        sides.filter_map(|side| side.get(path)).any(|node| node.raw().contains(MARKER))
    };
    let is_shown = |path: &str| {
        found.iter().any(|value| {
            let rest = value.path.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
                || path.strip_prefix(value.path.as_str()).is_some_and(|r| r.starts_with(['.', '[']))
        })
    };
    // Where only top-level attributes are named, one of them may hide more than it shows.
    let is_told = |path: &&String| is_shown(path) && !(is_cut && hides(path));
    let named: BTreeSet<_> = change.paths.iter().filter(|path| *path != CUT).collect();
    let hidden = |path: &String| ValueChange {
        path: path.clone(),
        before: Side::Hidden,
        after: Side::Hidden,
    };
    named.into_iter().filter(|path| !is_told(path)).map(hidden).collect()
}

struct Walk {
    path: String,
    depth: usize,
    found: Vec<ValueChange>,
}

impl Walk {
    fn value(
        &mut self,
        before: Option<Node<'_>>,
        after: Option<Node<'_>>,
        unknown: Option<Node<'_>>,
    ) {
        let before = before.filter(|node| !node.is_null());
        let after = after.filter(|node| !node.is_null());
        if unknown.is_some_and(Node::is_true) {
            return self.push(side(before), Side::Unknown);
        }
        let unknown = unknown.filter(|node| any(*node));
        if unknown.is_none() && !differ(before, after) {
            return;
        }
        let is = |node: Option<Node<'_>>, kind| node.is_none_or(|node| node.kind() == kind);
        let is_map = is(before, Kind::Map) && is(after, Kind::Map);
        let is_list = is(before, Kind::List) && is(after, Kind::List);
        if self.depth >= DEEPEST || (before.is_none() && after.is_none() && unknown.is_none()) {
            self.push(side(before), side(after));
        } else if is_map && is(unknown, Kind::Map) {
            self.maps(before, after, unknown);
        } else if is_list && is(unknown, Kind::List) {
            self.lists(before, after, unknown);
        } else if !self.within_texts(before, after) {
            self.push(side(before), side(after));
        }
    }

    fn maps(
        &mut self,
        before: Option<Node<'_>>,
        after: Option<Node<'_>>,
        unknown: Option<Node<'_>>,
    ) {
        let count = self.found.len();
        let (old, new, open) = (Members::of(before), Members::of(after), Members::of(unknown));
        let names: BTreeSet<_> = old.names().chain(new.names()).chain(open.names()).collect();
        for name in names {
            let step = name_step(name, self.path.is_empty());
            self.within(&step, |walk| walk.value(old.get(name), new.get(name), open.get(name)));
        }
        // An object without anything in it is something all the same.
        if self.found.len() == count && !self.path.is_empty() && before.is_some() != after.is_some()
        {
            self.push(side(before), side(after));
        }
    }

    fn lists(
        &mut self,
        before: Option<Node<'_>>,
        after: Option<Node<'_>>,
        unknown: Option<Node<'_>>,
    ) {
        let items = |node: Option<Node<'_>>| node.map_or(0, Node::len);
        let is_plain = |node: Option<Node<'_>>| {
            node.is_none_or(|list| {
                list.items().all(|item| !matches!(item.kind(), Kind::Map | Kind::List))
            })
        };
        let hides = |node: Option<Node<'_>>| node.is_some_and(|node| node.raw().contains(MARKER));
        let same_length = items(before) == items(after);
        if unknown.is_none() && (is_plain(before) && is_plain(after)) {
            return self.push(side(before), side(after));
        }
        let one_sided = before.is_none() || after.is_none();
        if same_length || one_sided {
            let (old, new, open) = (listed(before), listed(after), listed(unknown));
            for index in 0..old.len().max(new.len()).max(open.len()) {
                let at = |list: &[_]| list.get(index).copied();
                self.within(&format!("[{index}]"), |walk| {
                    walk.value(at(&old), at(&new), at(&open));
                });
            }
            return;
        }
        if unknown.is_some() || hides(before) || hides(after) {
            return self.push(side(before), side(after));
        }
        self.put_in_and_taken_out(before, after);
    }

    /// Of a list that gets longer or shorter what it loses and gains, each where it stands on its side.
    fn put_in_and_taken_out(&mut self, before: Option<Node<'_>>, after: Option<Node<'_>>) {
        let (old, new) = (listed(before), listed(after));
        let mut left: Vec<_> = new.iter().copied().enumerate().collect();
        let mut lost = Vec::new();
        for (index, item) in old.iter().enumerate() {
            match left.iter().position(|(_, other)| item.same(*other)) {
                Some(place) => _ = left.remove(place),
                None => lost.push((index, *item)),
            }
        }
        for (index, item) in lost {
            self.within(&format!("[{index}]"), |walk| walk.push(side(Some(item)), Side::Absent));
        }
        for (index, item) in left {
            self.within(&format!("[{index}]"), |walk| walk.push(Side::Absent, side(Some(item))));
        }
    }

    /// Texts that are JSON themselves, as policies of clouds are: what differs in them. `false` where
    /// they are none, or differ in their form alone.
    fn within_texts(&mut self, before: Option<Node<'_>>, after: Option<Node<'_>>) -> bool {
        let (Some(old), Some(new)) = (json_text(before), json_text(after)) else { return false };
        let limits = Limits::default();
        if old.is_none() && new.is_none() {
            return false;
        }
        let Ok(old) = old.as_deref().map(|text| Tape::read(text, &limits)).transpose() else {
            return false;
        };
        let Ok(new) = new.as_deref().map(|text| Tape::read(text, &limits)).transpose() else {
            return false;
        };
        let count = self.found.len();
        self.depth += 1;
        self.value(old.as_ref().map(Tape::root), new.as_ref().map(Tape::root), None);
        self.depth -= 1;
        self.found.len() > count
    }

    fn within(&mut self, step: &str, look: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(step);
        self.depth += 1;
        look(self);
        self.depth -= 1;
        self.path.truncate(length);
    }

    fn push(&mut self, before: Side, after: Side) {
        self.found.push(ValueChange { path: self.path.clone(), before, after });
    }
}

/// A text that may be JSON; `None` where there is something else.
fn json_text(node: Option<Node<'_>>) -> Option<Option<Cow<'_, str>>> {
    let Some(node) = node else { return Some(None) };
    node.text().filter(|text| text.starts_with(['{', '['])).map(Some)
}

fn listed(node: Option<Node<'_>>) -> Vec<Node<'_>> {
    node.into_iter().flat_map(Node::items).collect()
}

fn differ(before: Option<Node<'_>>, after: Option<Node<'_>>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => !before.same(after),
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => true,
    }
}

fn side(node: Option<Node<'_>>) -> Side {
    let Some(node) = node.filter(|node| !node.is_null()) else { return Side::Absent };
    match node.text() {
        Some(text) if text == MARKER => Side::Hidden,
        Some(text) => Side::Shown { text: text.into_owned(), is_text: true },
        None => Side::Shown { text: node.raw().to_owned(), is_text: false },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::{Plan, redacted};

    /// The values of the only change of this plan, as `PATH: BEFORE -> AFTER`.
    fn told(change: Value) -> Vec<String> {
        let plan = json!({
            "format_version": "1.2", "terraform_version": "1.11.4",
            "resource_changes": [{
                "address": "aws_thing.one", "mode": "managed", "type": "aws_thing", "name": "one",
                "provider_name": "registry.terraform.io/hashicorp/aws", "change": change,
            }],
        });
        let bytes = plan.to_string().into_bytes();
        let limits = Limits::default();
        let plan = Plan::parse(&bytes, &limits).unwrap();
        let kept = redacted(&bytes, &limits).unwrap();
        let all = values(&kept, &plan.changes).unwrap();
        let [only] = all.as_slice() else { panic!("{all:?}") };
        only.iter().map(line).collect()
    }

    fn line(value: &ValueChange) -> String {
        let side = |side: &Side| match side {
            Side::Absent => "none".to_owned(),
            Side::Hidden => "hidden".to_owned(),
            Side::Unknown => "unknown".to_owned(),
            Side::Shown { text, is_text: true } => format!("'{text}'"),
            Side::Shown { text, is_text: false } => text.clone(),
        };
        format!("{}: {} -> {}", value.path, side(&value.before), side(&value.after))
    }

    fn update(before: Value, after: Value) -> Value {
        json!({"actions": ["update"], "before": before, "after": after, "after_unknown": {},
               "before_sensitive": {}, "after_sensitive": {}})
    }

    #[test]
    fn what_differs_is_told_where_it_stands() {
        let before =
            json!({"class": "small", "size": 1, "same": "x", "tags": {"a": "1", "b c": "2"}});
        let after =
            json!({"class": "large", "size": 2, "same": "x", "tags": {"a": "1", "b c": "3"}});
        let wanted = ["class: 'small' -> 'large'", "size: 1 -> 2", "tags[\"b c\"]: '2' -> '3'"];
        assert_eq!(told(update(before, after)), wanted);
    }

    #[test]
    fn a_text_and_a_number_that_read_the_same_are_told_apart() {
        let told = told(update(json!({"port": "80"}), json!({"port": 80})));
        assert_eq!(told, ["port: '80' -> 80"]);
    }

    #[test]
    fn a_list_that_grows_tells_what_it_gains_and_loses() {
        let rule = |port: u16| json!({"port": port, "from": ["10.0.0.0/8"]});
        let before = json!({"rules": [rule(22), rule(80)]});
        let after = json!({"rules": [rule(80), rule(443), rule(8080)]});
        let wanted = [
            "rules[0]: {\"from\":[\"10.0.0.0/8\"],\"port\":22} -> none",
            "rules[1]: none -> {\"from\":[\"10.0.0.0/8\"],\"port\":443}",
            "rules[2]: none -> {\"from\":[\"10.0.0.0/8\"],\"port\":8080}",
        ];
        assert_eq!(told(update(before, after)), wanted);
        let short =
            told(update(json!({"cidr": ["10.0.0.0/8"]}), json!({"cidr": ["0.0.0.0/0", "x"]})));
        assert_eq!(short, ["cidr: [\"10.0.0.0/8\"] -> [\"0.0.0.0/0\",\"x\"]"]);
    }

    #[test]
    fn a_text_that_is_json_is_looked_into() {
        let policy = |action: &str| {
            let text = json!({"Statement": [{"Effect": "Allow", "Action": action}]}).to_string();
            json!({ "policy": text })
        };
        let told_of = told(update(policy("s3:Get*"), policy("*")));
        assert_eq!(told_of, ["policy.Statement[0].Action: 's3:Get*' -> '*'"]);
        // Two members of one name: what one reader sees another may not, so the text itself is shown.
        let twice = "{\"a\":1,\"a\":2}";
        let told_of = told(update(json!({"policy": "{\"a\":2}"}), json!({"policy": twice})));
        assert_eq!(told_of, ["policy: '{\"a\":2}' -> '{\"a\":1,\"a\":2}'"]);
        let told_of = told(update(json!({"policy": "{\"a\":2}"}), json!({"policy": "{ \"a\":2}"})));
        assert_eq!(
            told_of,
            ["policy: '{\"a\":2}' -> '{ \"a\":2}'"],
            "their form is all that differs"
        );
    }

    #[test]
    fn what_is_sensitive_is_told_to_change_and_not_shown() {
        let marks = json!({"password": true, "list": [true]});
        let change = json!({
            "actions": ["update"],
            "before": {"password": "one-two-three", "name": "a", "list": ["four-five-six", "b"]},
            "after": {"password": "three-two-one", "name": "b", "list": ["six-five-four", "b", "c"]},
            "after_unknown": {}, "before_sensitive": marks, "after_sensitive": marks,
        });
        let told = told(change);
        let all = told.join("\n");
        assert!(
            all.contains("name: 'a' -> 'b'") && all.contains("password: hidden -> hidden"),
            "{all}"
        );
        assert!(told.iter().any(|line| line.starts_with("list")), "{all}");
        for secret in ["one-two", "three-two", "four-five", "six-five"] {
            assert!(!all.contains(secret), "{all}");
        }
    }

    #[test]
    fn what_only_applying_tells_is_told_so() {
        let change = json!({
            "actions": ["delete", "create"], "before": {"id": "i-1", "name": "a", "net": {"ip": "x"}},
            "after": {"name": "b", "net": {}}, "after_unknown": {"id": true, "net": {"ip": true}},
            "before_sensitive": {}, "after_sensitive": {},
        });
        let wanted = ["id: 'i-1' -> unknown", "name: 'a' -> 'b'", "net.ip: 'x' -> unknown"];
        assert_eq!(told(change), wanted);
    }

    #[test]
    fn what_is_made_or_ends_is_told_whole() {
        let all = json!({"name": "a", "none": null, "rules": [{"port": 1}], "tags": {}});
        let end = json!({"actions": ["delete"], "before": all, "after": null, "after_unknown": {},
                         "before_sensitive": {}, "after_sensitive": false});
        assert_eq!(
            told(end),
            ["name: 'a' -> none", "rules[0].port: 1 -> none", "tags: {} -> none"]
        );
        let made = json!({"actions": ["create"], "before": null, "after": all,
                          "after_unknown": {"id": true}, "before_sensitive": false, "after_sensitive": {}});
        let wanted = [
            "id: none -> unknown",
            "name: none -> 'a'",
            "rules[0].port: none -> 1",
            "tags: none -> {}",
        ];
        assert_eq!(told(made), wanted);
    }

    #[test]
    fn every_path_that_real_plans_name_is_told() {
        let plans: [&[u8]; 5] = [
            include_bytes!("../../../tests/plans/own/made-many.json"),
            include_bytes!("../../../tests/plans/own/made-cbd.json"),
            include_bytes!("../../../tests/plans/own/made-replace-asked.json"),
            include_bytes!("../../../tests/plans/given/tf-action_reason.json"),
            include_bytes!("../../../tests/plans/given/plan_tags_variety.json"),
        ];
        let mut count = 0;
        for bytes in plans {
            let Ok(plan) = Plan::parse(bytes, &Limits::default()) else { continue };
            let kept = redacted(bytes, &Limits::default()).unwrap();
            let all = values(&kept, &plan.changes).unwrap();
            assert_eq!(all.len(), plan.changes.len());
            for (change, values) in plan.changes.iter().zip(&all) {
                for path in change.paths.iter().filter(|path| *path != CUT) {
                    let is_told = values.iter().any(|value| {
                        value.path.starts_with(path.as_str()) || path.starts_with(&value.path)
                    });
                    assert!(is_told, "{}: {path}: {values:?}", change.address);
                    count += 1;
                }
                let canary = |side: &Side| matches!(side, Side::Shown { text, .. } if text.contains("CANARY-var"));
                assert!(!values.iter().any(|v| canary(&v.before) || canary(&v.after)));
            }
        }
        assert!(count > 2, "{count}");
    }
}
