//! The schema held against the reader: what one accepts, so does the other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;

use super::*;
use crate::policy::Policy;
use crate::policy::attribute::Attribute;
use crate::policy::document::{OPERATORS, PolicyDocument};
use crate::policy::yaml::{self, Node, Yaml};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

fn json_of(node: &Node) -> Value {
    match &node.value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => json!(value),
        Yaml::Int(number) => json!(number),
        Yaml::Float(number) => json!(number),
        Yaml::Text(text) => json!(text),
        Yaml::List(items) => items.iter().map(json_of).collect(),
        Yaml::Map(members) => Value::Object(
            members.iter().map(|(key, node)| (key.name.clone(), json_of(node))).collect(),
        ),
    }
}

fn parsed(text: &str) -> Value {
    json_of(&yaml::parse("p.yaml", text).unwrap().unwrap())
}

fn errors(validator: &Validator, text: &str) -> Vec<String> {
    let told = |e: jsonschema::ValidationError<'_>| format!("{}: {e}", e.instance_path());
    validator.iter_errors(&parsed(text)).map(told).collect()
}

fn documents_under(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            documents_under(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            found.push(path);
        }
    }
}

fn members(schema: &Value) -> BTreeSet<&str> {
    schema["properties"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_key_of_the_reader_stands_in_the_schema_and_no_other() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().unwrap();
    for keys in keys::ALL {
        let known: BTreeSet<&str> = keys.known.iter().copied().collect();
        let required = json!(keys.required);
        let fits = |definition: &&Value| {
            definition["properties"].is_object()
                && members(definition) == known
                && definition["required"] == required
                && definition["additionalProperties"] == json!(false)
        };
        assert!(definitions.values().any(|d| fits(&d)), "{} {:?}", keys.of, keys.known);
    }
}

#[test]
fn every_key_of_a_case_stands_in_the_schema_and_no_other() {
    let schema = schema();
    for (name, keys) in crate::policy::cases::tables() {
        let definition = &schema["$defs"][name];
        let known: BTreeSet<&str> = keys.known.iter().copied().collect();
        assert_eq!(members(definition), known, "{name}");
        // What is given is merged over what `base` gives, so a part of it need not be whole.
        if !["given", "given-intent"].contains(&name) && definition.get("required").is_some() {
            assert_eq!(definition["required"], json!(keys.required), "{name}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn each(value: &Value, see: &mut impl FnMut(&str)) {
        if let Some(to) = value.get("$ref").and_then(Value::as_str) {
            see(to);
        }
        let members = value.as_object().into_iter().flat_map(|members| members.values());
        let items = value.as_array().into_iter().flatten();
        members.chain(items).for_each(|value| each(value, see));
    }
    let schema = schema();
    let mut named = BTreeSet::new();
    each(&schema, &mut |to| named.extend([to.strip_prefix("#/$defs/").unwrap().to_owned()]));
    let defined: BTreeSet<String> = schema["$defs"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(named, defined, "each definition is used, and each that is used is there");
}

#[test]
fn every_operator_and_attribute_is_offered_and_told_of() {
    let schema = schema();
    let known: BTreeSet<&str> = OPERATORS.into_iter().collect();
    assert_eq!(members(&schema["$defs"]["operators-json"]), known);
    for operator in OPERATORS {
        assert_ne!(conditions::meaning(operator), "", "{operator}");
    }
    let when = &schema["$defs"]["when"];
    let open = when["patternProperties"].as_object().unwrap();
    for name in Attribute::names() {
        let offered = when["properties"].get(&name).is_some()
            || open.keys().any(|pattern| {
                name.starts_with(
                    &pattern.trim_start_matches('^').replace("\\.", ".").replace(".+$", ""),
                )
            });
        assert!(offered, "{name}");
        assert_ne!(conditions::about(&Attribute::named(&name).unwrap()), "", "{name}");
    }
}

#[test]
fn every_document_of_the_corpus_validates() {
    let validator = validator();
    let mut found = Vec::new();
    for directory in ["tests/policies", "examples"] {
        documents_under(&Path::new(ROOT).join(directory), &mut found);
    }
    assert!(found.len() > 150, "{}", found.len());
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        // A file of brokers is not policy, and has a reader of its own.
        if text.contains("\nkind: Brokers\n") {
            continue;
        }
        let faults = errors(&validator, &text);
        assert!(faults.is_empty(), "{}: {faults:#?}", path.display());
    }
}

/// A rule with this condition, in an `allow`, where `exists: true` may stand.
fn with_condition(condition: &str) -> String {
    format!(
        "apiVersion: assent/v1\nkind: Policy\ncalendars: {{office: {{days: [monday]}}}}\n\
         groups: {{eng: [person:bob]}}\nrules: [{{id: r, when: {{{condition}}}, allow: {{}}}}]\n"
    )
}

fn compiles(text: &str) -> bool {
    let document = PolicyDocument { file: "p.yaml".to_owned(), text: text.to_owned() };
    Policy::compile(&[document]).is_ok()
}

#[test]
fn schema_and_reader_agree_on_which_operator_fits_which_attribute() {
    let validator = validator();
    let samples = [
        "eng",
        "1",
        "1.5",
        "true",
        "15m",
        "2026-11-20T10:00:00Z",
        "2026-11-20",
        "\"09:00\"",
        "10.0.0.0/8",
        "[eng]",
        "[1]",
        "[]",
        "office",
        "{type: {eq: a}}",
        "{any: [{type: a}]}",
        "[eng, eng]",
        "{days: [monday]}",
        "intent.kind",
        "{eq: eng}",
        "[{eq: eng}]",
        "null",
    ];
    let mut accepted = 0;
    let mut seen = Vec::new();
    for name in Attribute::names() {
        let kind = Attribute::named(&name).unwrap().type_of();
        if seen.contains(&kind) {
            continue; // The schema knows only the type.
        }
        seen.push(kind);
        for sample in samples {
            let mut conditions = vec![format!("{name}: {sample}")];
            conditions
                .extend(OPERATORS.map(|operator| format!("{name}: {{{operator}: {sample}}}")));
            for condition in conditions {
                let text = with_condition(&condition);
                // Dates and times have no type of their own in the schema, and calendars are known
                // by name only to the reader.
                let known_to_differ = ["now.date", "now.time"].contains(&name.as_str())
                    || ["within", "cidr", "same_as", "exists"]
                        .iter()
                        .any(|operator| condition.contains(operator));
                let (reader, schema) = (compiles(&text), errors(&validator, &text).is_empty());
                accepted += u32::from(reader);
                if reader {
                    assert!(schema, "the schema refuses {condition}");
                } else if !known_to_differ && name != "requester.groups" {
                    assert!(!schema, "the schema accepts {condition}");
                }
            }
        }
    }
    assert!(seen.len() == 9 && accepted > 250, "{accepted}");
}

#[test]
fn what_is_wrong_fails_both() {
    let validator = validator();
    let head = "apiVersion: assent/v1\nkind: Policy\n";
    let stage = "{name: a, approvals: 1, from: [person:bob]}";
    for wrong in [
        "rule: []",
        "rules: [{id: a}]",
        "rules: [{id: a, allow: {}, deny: {message: no}}]",
        "rules: [{allow: {}}]",
        "rules: [{id: a, deny: {}}]",
        "rules: [{id: a, deny: {message: 1}}]",
        "rules: [{id: \"a b\", allow: {}}]",
        "rules: [{id: a, allow: {waive: [b]}}]",
        "rules: [{id: a, allow: {credential: {max_ttl: 15}}}]",
        "rules: [{id: a, allow: {credential: {max_ttl: 0m}}}]",
        "rules: [{id: a, allow: {credential: {uses: 0}}}]",
        "rules: [{id: a, allow: {post_review: {by: [person:bob]}}}]",
        "rules: [{id: a, require: {stages: []}}]",
        "rules: [{id: a, require: {stages: [{name: a, approvals: 0, from: [person:bob]}]}}]",
        "rules: [{id: a, require: {stages: [{name: a, from: [person:bob]}]}}]",
        "rules: [{id: a, require: {stages: [{name: a, approvals: 1, from: [bob]}]}}]",
        "rules: [{id: a, when: {intent.kinds: x}, allow: {}}]",
        "rules: [{id: a, when: {intent.kind: 1}, allow: {}}]",
        "rules: [{id: a, when: {intent.kind: {regex: x}}, allow: {}}]",
        "rules: [{id: a, when: {intent.kind: []}, allow: {}}]",
        "rules: [{id: a, when: {plan.deletes: {contains: x}}, allow: {}}]",
        "rules: [{id: a, when: {any: []}, allow: {}}]",
        "rules: [{id: a, when: {plan.changes: {some: {}}}, allow: {}}]",
        "rules: [{id: a, when: {plan.changes: {some: {adress: x}}}, allow: {}}]",
        "rules: [{id: a, ask: {engine: rego, dialect: conftest}}]",
        "rules: [{id: a, ask: {engine: opa, dialect: conftest, url: \"https://a\", files: [a.rego]}}]",
        "rules: [{id: a, ask: {engine: cel, dialect: conftest, files: [a.rego]}}]",
        "risk: [{id: a, weight: 0, when: {intent.kind: x}}]",
        "defaults: {ruling: permit}",
        "defaults: {distinct_approvers: false}",
        "defaults: {self_approval: allow}",
        "groups: {a: [group:b]}",
        "groups: {a: {identity: false}}",
        "groups: {a: []}",
        "calendars: {a: {days: [mon]}}",
        "calendars: {a: {days: [monday], windows: [{days: [monday]}]}}",
        "calendars: {a: {include: [2026-1-1]}}",
        "delegations: [{from: person:a, to: person:b, starts: 2026-12-01, ends: 2026-12-08}]",
        "owners: [{target: {}, owners: [person:bob]}]",
        "notices: [{occasions: [filed]}]",
        "notices: [{to: [everybody]}]",
        "notices: [{occasions: [approved], to: [requester]}]",
        "notices: [{occasions: [], to: [requester]}]",
        "environments: {prod: {labels: {a: 1}}}",
        "kinds: {vm.delete: destroy}",
        "metadata: {title: x}",
        "trusts: {t: {}}",
        "trusts: {t: {issuer: \"https://a\", audience: b, claims: {sub: 1}, may_ask: {kinds: [a], environments: [b]}}}",
        "trusts: {t: {issuer: a, audience: b, claims: {sub: c}, may_ask: {kinds: [a], environments: [b]}}}",
        "trusts: {t: {issuer: \"https://a\", audience: b, claims: {sub: \"c*\"}, may_ask: {kinds: [a], environments: [b]}}}",
        "trusts: {t: {issuer: \"https://a\", audience: b, claims: {sub: c}, may_ask: {kinds: [a]}}}",
        "trusts: {t: {issuer: \"https://a\", audience: b, claims: {sub: c}, shape: aws, may_ask: {kinds: [a], environments: [b]}}}",
    ] {
        let text = format!("{head}{wrong}\n");
        assert!(!compiles(&text), "the reader accepts {wrong}");
        assert!(!errors(&validator, &text).is_empty(), "the schema accepts {wrong}");
    }
    let good = format!("{head}rules: [{{id: a, require: {{stages: [{stage}]}}}}]\n");
    assert!(compiles(&good) && errors(&validator, &good).is_empty());
}

#[test]
fn the_published_schema_is_this_one() {
    let path = Path::new(ROOT).join("docs/schema/policy.schema.json");
    let published = fs::read_to_string(path).unwrap();
    let current = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    assert_eq!(
        published, current,
        "write it anew: assent policy schema > docs/schema/policy.schema.json"
    );
}

/// The YAML blocks of the guide; those that show one section, as a whole document.
fn blocks() -> Vec<String> {
    let guide = fs::read_to_string(Path::new(ROOT).join("docs/guides/policy.md")).unwrap();
    let blocks = guide.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("\n```"));
    let whole = |block: &str| match block.starts_with("apiVersion") {
        true => format!("{block}\n"),
        false => format!("apiVersion: assent/v1\nkind: Policy\n{block}\n"),
    };
    blocks.map(|(block, _)| whole(block)).collect()
}

#[test]
fn every_block_of_the_guide_is_a_policy_or_its_cases() {
    use crate::policy::cases::Case;

    let validator = validator();
    let file =
        |name: &str, text: &str| PolicyDocument { file: name.to_owned(), text: text.to_owned() };
    let blocks = blocks();
    let (cases, policies): (Vec<_>, Vec<_>) =
        blocks.iter().partition(|block| block.contains("kind: PolicyTest"));
    assert!(policies.len() > 10 && cases.len() == 1);
    for block in &blocks {
        assert_eq!(errors(&validator, block), [""; 0], "{block}");
    }
    for policy in &policies {
        Policy::compile(&[file("p.yaml", policy)]).unwrap_or_else(|f| panic!("{f:#?}\n{policy}"));
    }
    // The cases are of the first policy.
    let files = [file("p.yaml", policies[0]), file("p_test.yaml", cases[0])];
    let policy = Policy::compile(&files).unwrap();
    let read = Case::read(&files, &policy, &|_| Err("there is none".to_owned())).unwrap();
    assert_eq!(read.len(), 2);
    for case in read {
        let outcome = case.run(&policy, &|_| None);
        assert!(outcome.passed(), "{:#?}", outcome.differences);
    }
}

#[test]
fn the_guide_tells_of_every_attribute_operator_and_key() {
    let guide = fs::read_to_string(Path::new(ROOT).join("docs/guides/policy.md")).unwrap();
    let words: BTreeSet<&str> =
        guide.split(|c: char| !(c.is_ascii_alphanumeric() || "._".contains(c))).collect();
    let told = |word: &str| words.iter().any(|known| known.trim_matches('.') == word);
    for name in Attribute::names() {
        assert!(told(&name), "{name}");
    }
    for operator in OPERATORS {
        assert!(told(operator), "{operator}");
    }
    for key in keys::ALL.iter().flat_map(|keys| keys.known) {
        assert!(told(key), "{key}");
    }
}

#[test]
fn the_example_is_without_a_finding_and_formed() {
    use crate::policy::cases::Case;

    let mut paths = Vec::new();
    documents_under(&Path::new(ROOT).join("examples/policies/production"), &mut paths);
    let read = |path: &PathBuf| PolicyDocument {
        file: path.display().to_string(),
        text: fs::read_to_string(path).unwrap(),
    };
    let files: Vec<_> = paths.iter().map(read).collect();
    assert_eq!(files.len(), 3);
    assert_eq!(Policy::lint(&files, None).unwrap(), []);
    for file in &files {
        assert_eq!(crate::policy::format::format(&file.file, &file.text).unwrap(), file.text);
    }
    let policy = Policy::compile(&files).unwrap();
    let guide = fs::read_to_string(Path::new(ROOT).join("docs/guides/policy.md")).unwrap();
    assert!(guide.contains(&policy.revision().to_string()), "the guide shows another revision");
    let cases = Case::read(&files, &policy, &|_| Err("there is none".to_owned())).unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let outcome = case.run(&policy, &|_| None);
        assert!(outcome.passed(), "{:#?}", outcome.differences);
    }
}
