//! From a place in a document to the field that stands there, for whoever never saw its lines.

use crate::policy::document::{Place, PolicyDocument};
use crate::policy::yaml::{self, Node, Yaml};

/// The field at this place of a document: `groups.dba[1]`. Where the place is between two fields, the
/// smallest one around it; `None` where the document cannot be read.
pub fn path_of(document: &PolicyDocument, place: &Place) -> Option<String> {
    let root = yaml::parse(&document.file, &document.text).ok()??;
    let mut found = String::new();
    nearest(&root, String::new(), place, &mut found);
    Some(found)
}

/// Goes through all in order: the last that begins no later is the one.
fn nearest(node: &Node, path: String, place: &Place, found: &mut String) {
    let begins = |at: &Place| (at.line, at.column) <= (place.line, place.column);
    if begins(&node.place) {
        found.clone_from(&path);
    }
    match &node.value {
        Yaml::Map(members) => {
            for (key, value) in members {
                let name = match path.is_empty() {
                    true => key.name.clone(),
                    false => format!("{path}.{}", key.name),
                };
                if begins(&key.place) {
                    found.clone_from(&name);
                }
                nearest(value, name, place, found);
            }
        }
        Yaml::List(items) => {
            for (at, item) in items.iter().enumerate() {
                nearest(item, format!("{path}[{at}]"), place, found);
            }
        }
        Yaml::Null | Yaml::Bool(_) | Yaml::Int(_) | Yaml::Float(_) | Yaml::Text(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_field() {
        let text = "{\n  \"groups\": {\n    \"dba\": [\n      \"person:bob\",\n      \"x\"\n    ]\n  },\n  \
                    \"rules\": []\n}\n";
        let file = "a.yaml".to_owned();
        let document = PolicyDocument { file: file.clone(), text: text.to_owned() };
        let at = |line, column| path_of(&document, &Place { file: file.clone(), line, column });
        for (line, column, path) in [
            (1, 1, ""),
            (2, 3, "groups"),
            (3, 5, "groups.dba"),
            (3, 12, "groups.dba"),
            (4, 7, "groups.dba[0]"),
            (5, 7, "groups.dba[1]"),
            (8, 3, "rules"),
        ] {
            assert_eq!(at(line, column).as_deref(), Some(path), "{line}:{column}");
        }
    }
}
