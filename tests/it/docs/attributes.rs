//! What a schema says of attributes, as the Registry's pages list it.

use std::fmt::Write as _;

use serde_json::Value;

/// One attribute or block.
struct Member<'a> {
    name: &'a str,
    said: &'a Value,
    /// Its type in words.
    words: String,
    /// What it is made of, if it is listed below.
    below: Vec<Member<'a>>,
}

/// Who sets an attribute.
const KINDS: [&str; 3] = ["Required", "Optional", "Read-Only"];

/// The section about a schema's block.
pub(super) fn section(block: &Value) -> String {
    let members = of_block(block);
    let mut text = "## Schema\n".to_owned();
    for kind in KINDS {
        list(&mut text, &members, "", kind, &format!("### {kind}"));
    }
    nested(&mut text, &members, "");
    text
}

/// A type in words: `List of String`.
pub(super) fn type_in_words(of: &Value) -> String {
    match of {
        Value::String(word) if word == "bool" => "Boolean".to_owned(),
        Value::String(word) => capital(word),
        Value::Array(parts) => match (parts[0].as_str().unwrap(), &parts[1]) {
            ("object", _) => "Object".to_owned(),
            ("tuple", _) => "Tuple".to_owned(),
            (many, of) => format!("{} of {}", capital(many), type_in_words(of)),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            panic!("no type is written like {of}")
        }
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

fn of_block(block: &Value) -> Vec<Member<'_>> {
    let mut members = of_attributes(&block["attributes"]);
    for (name, said) in each(&block["block_types"]) {
        let nesting = said["nesting_mode"].as_str().unwrap();
        let words = if nesting == "single" { "Block".to_owned() } else { many("Block", nesting) };
        members.push(Member { name, said, words, below: of_block(&said["block"]) });
    }
    members
}

fn of_attributes(attributes: &Value) -> Vec<Member<'_>> {
    each(attributes).map(|(name, said)| of_attribute(name, said)).collect()
}

fn of_attribute<'a>(name: &'a str, said: &'a Value) -> Member<'a> {
    let nested = &said["nested_type"];
    if nested.is_null() {
        let below = of_type(&said["type"]);
        return Member { name, said, words: type_in_words(&said["type"]), below };
    }
    let words = many("Attributes", nested["nesting_mode"].as_str().unwrap());
    Member { name, said, words, below: of_attributes(&nested["attributes"]) }
}

fn many(what: &str, nesting: &str) -> String {
    if nesting == "single" { what.to_owned() } else { format!("{what} {}", capital(nesting)) }
}

/// What the object in a type is made of, if there is one. Its members have no descriptions.
fn of_type(of: &Value) -> Vec<Member<'_>> {
    match of.as_array().map(Vec::as_slice) {
        Some([kind, members]) if kind == "object" => each(members)
            .map(|(name, said)| {
                let (words, below) = (type_in_words(said), of_type(said));
                Member { name, said: &Value::Null, words, below }
            })
            .collect(),
        Some([kind, _]) if kind == "tuple" => Vec::new(),
        Some([_, of]) => of_type(of),
        _ => Vec::new(),
    }
}

fn each(members: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let members = members.as_object().into_iter().flatten();
    members.map(|(name, said)| (name.as_str(), said))
}

impl Member<'_> {
    fn is(&self, flag: &str) -> bool {
        self.said[flag] == true
    }

    /// Who sets it. The members of a type say nothing about that: they go with what holds them.
    fn kind(&self, around: &'static str) -> &'static str {
        match self {
            _ if self.said.is_null() => around,
            _ if self.is("required") || self.said["min_items"].as_u64() > Some(0) => "Required",
            _ if self.is("optional") || self.said["block"].is_object() => "Optional",
            _ => "Read-Only",
        }
    }

    /// `` - `name` (String, Sensitive) What it is. ``
    fn line(&self, path: &str) -> String {
        let notes = [
            ("sensitive", "Sensitive"),
            (
                "write_only",
                "[Write-only](https://developer.hashicorp.com/terraform/language/resources/ephemeral#write-only-arguments)",
            ),
            ("deprecated", "Deprecated"),
        ];
        let notes = notes.iter().filter(|(flag, _)| self.is(flag)).map(|(_, word)| *word);
        let words: Vec<&str> = [self.words.as_str()].into_iter().chain(notes).collect();
        let mut line = format!("- `{}` ({})", self.name, words.join(", "));
        let said = [&self.said["description"], &self.said["block"]["description"]];
        if let Some(said) = said.iter().find_map(|said| said.as_str()) {
            let _ = write!(line, " {}", said.trim());
        }
        if !self.below.is_empty() {
            let anchor = anchor(&format!("{path}{}", self.name));
            let _ = write!(line, " (see [below for nested schema](#{anchor}))");
        }
        line
    }
}

fn anchor(path: &str) -> String {
    format!("nestedatt--{}", path.replace('.', "--"))
}

/// Those of one kind under a heading, if there are any.
fn list(text: &mut String, members: &[Member<'_>], path: &str, kind: &str, heading: &str) {
    list_within(text, members, path, kind, heading, "Read-Only");
}

fn list_within(
    text: &mut String,
    members: &[Member<'_>],
    path: &str,
    kind: &str,
    heading: &str,
    around: &'static str,
) {
    let lines = members.iter().filter(|member| member.kind(around) == kind);
    let lines: Vec<String> = lines.map(|member| member.line(path)).collect();
    if !lines.is_empty() {
        let _ = write!(text, "\n{heading}\n\n{}\n", lines.join("\n"));
    }
}

/// A section for each that is made of others, and for those in it.
fn nested(text: &mut String, members: &[Member<'_>], path: &str) {
    for member in members.iter().filter(|member| !member.below.is_empty()) {
        let full = format!("{path}{}", member.name);
        let _ =
            write!(text, "\n<a id=\"{}\"></a>\n\n### Nested Schema for `{full}`\n", anchor(&full));
        let around = member.kind("Read-Only");
        for kind in KINDS {
            let heading = format!("{kind}:");
            list_within(text, &member.below, &format!("{full}."), kind, &heading, around);
        }
        nested(text, &member.below, &format!("{full}."));
    }
}

#[test]
fn types_have_words() {
    let words = |json| type_in_words(&serde_json::from_str(json).unwrap());
    assert_eq!(words(r#""bool""#), "Boolean");
    assert_eq!(words(r#"["map",["list","string"]]"#), "Map of List of String");
    assert_eq!(words(r#"["list",["object",{"name":"string"}]]"#), "List of Object");
}

#[test]
fn a_schema_is_listed_by_who_sets_what() {
    let block = serde_json::json!({
        "attributes": {
            "id": {"type": "string", "computed": true, "description": "The id."},
            "token": {"type": "string", "optional": true, "sensitive": true, "write_only": true,
                "deprecated": true, "description": "A secret."},
            "stages": {"computed": true, "description": "Who.",
                "type": ["list", ["object", {"name": "string"}]]},
            "limits": {"required": true, "description": "Limits.", "nested_type": {
                "nesting_mode": "list",
                "attributes": {"most": {"type": "number", "optional": true, "description": "Most."}},
            }},
        },
        "block_types": {"door": {"nesting_mode": "single", "block": {
            "description": "A way in.",
            "attributes": {"open": {"type": "bool", "required": true, "description": "Whether."}},
        }}},
    });
    assert_eq!(section(&block), include_str!("attributes.md"));
}
