//! What is given, over what stands in `base`.

use crate::policy::document::Reader;
use crate::policy::yaml::{Key, Node, Yaml};

/// `given` over `base`, maps member by member; null takes away what `base` has. A plan that is a
/// file and one that is facts do not mix: the one that is given replaces the other.
pub(super) fn over(base: Option<&Node>, given: &Node, reader: &mut Reader<'_>) -> Node {
    let empty = Node { place: given.place.clone(), value: Yaml::Map(Vec::new()) };
    let mut base = base.unwrap_or(&empty).clone();
    let plan = member(given, "plan");
    let is_other = |plan| is_file(plan) != member(&base, "plan").is_some_and(is_file);
    let replaces = plan.is_some_and(|plan| is_map(plan) && is_other(plan));
    if let (Yaml::Map(members), true) = (&mut base.value, replaces) {
        members.retain(|(key, _)| key.name != "plan");
    }
    merged(&base, given, reader)
}

fn is_map(node: &Node) -> bool {
    matches!(node.value, Yaml::Map(_))
}

fn is_file(plan: &Node) -> bool {
    member(plan, "file").is_some()
}

pub(super) fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Yaml::Map(members) = &node.value else { return None };
    members.iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
}

fn merged(base: &Node, given: &Node, reader: &mut Reader<'_>) -> Node {
    let Yaml::Map(changes) = &given.value else { return given.clone() };
    let mut members: Vec<(Key, Node)> = match &base.value {
        Yaml::Map(members) => members.clone(),
        Yaml::Null
        | Yaml::Bool(_)
        | Yaml::Int(_)
        | Yaml::Float(_)
        | Yaml::Text(_)
        | Yaml::List(_) => Vec::new(),
    };
    let nothing = |change: &Node| Node { place: change.place.clone(), value: Yaml::Null };
    for (key, change) in changes {
        let at = members.iter().position(|(known, _)| known.name == key.name);
        if matches!(change.value, Yaml::Null) {
            match at {
                Some(at) => drop(members.remove(at)),
                None => reader.fault(
                    &key.place,
                    format_args!("there is no `{}` that null could take away", key.name),
                ),
            }
            continue;
        }
        match at.and_then(|at| members.get_mut(at)) {
            Some((known, value)) => {
                *value = merged(value, change, reader);
                known.place = key.place.clone();
            }
            None => members.push((key.clone(), merged(&nothing(change), change, reader))),
        }
    }
    Node { place: given.place.clone(), value: Yaml::Map(members) }
}
