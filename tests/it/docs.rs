//! The pages that the Registry shows, held against what they are made from: the schema on record,
//! the examples, and the templates beside them. `ASSENT_UPDATE_DOCS=1` writes them anew.
//!
//! Which resources there are is nowhere listed here: it is in the schema.
//!
//! The layout is the Registry's: <https://developer.hashicorp.com/terraform/registry/providers/docs>.

mod attributes;
mod functions;
mod guides;
mod policies;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The text of a file of the workspace.
#[track_caller]
fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// One kind of thing that a provider offers.
struct Kind {
    /// Where the schema lists them.
    listed: &'static str,
    /// The folder of their pages, and of their examples.
    folder: &'static str,
    /// The file of an example.
    example: &'static str,
    /// What one is called.
    called: &'static str,
}

const KINDS: [Kind; 4] = [
    Kind {
        listed: "resource_schemas",
        folder: "resources",
        example: "resource.tf",
        called: "Resource",
    },
    Kind {
        listed: "data_source_schemas",
        folder: "data-sources",
        example: "data-source.tf",
        called: "Data Source",
    },
    Kind {
        listed: "ephemeral_resource_schemas",
        folder: "ephemeral-resources",
        example: "ephemeral-resource.tf",
        called: "Ephemeral Resource",
    },
    Kind { listed: "functions", folder: "functions", example: "function.tf", called: "Function" },
];

impl Kind {
    /// The page of one, by its path.
    fn page(&self, name: &str, said: &Value) -> (String, String) {
        let short = name.strip_prefix("assent_").unwrap_or(name);
        let folder = format!("examples/{}/{name}", self.folder);
        let is_function = self.listed == "functions";
        let (description, reference) = if is_function {
            (said["description"].as_str().unwrap(), functions::sections(name, said))
        } else {
            let block = &said["block"];
            let reference = attributes::section(block) + &import(&folder);
            (block["description"].as_str().unwrap(), reference)
        };
        let summary = said["summary"].as_str().unwrap_or(description);
        let notes = notes(&format!("docs/templates/{}/{short}.md", self.folder));
        let page = filled(
            &text("docs/templates/page.md"),
            &[
                ("title", &format!("{name} {} - assent", self.called)),
                ("summary", first_sentence(summary)),
                ("heading", &format!("{name} ({})", self.called)),
                ("description", &format!("{}{notes}", description.trim())),
                ("example", text(&format!("{folder}/{}", self.example)).trim_end()),
                ("reference", reference.trim_end()),
            ],
        );
        (format!("docs/{}/{short}.md", self.folder), page)
    }
}

/// What a page says beyond the schema, if there is anything.
fn notes(path: &str) -> String {
    let notes = fs::read_to_string(root().join(path)).unwrap_or_default();
    if notes.is_empty() { notes } else { format!("\n\n{}", notes.trim_end()) }
}

/// How one is imported, if there is an example of it.
fn import(folder: &str) -> String {
    let Ok(command) = fs::read_to_string(root().join(folder).join("import.sh")) else {
        return String::new();
    };
    format!("\n## Import\n\n```shell\n{}\n```\n", command.trim_end())
}

fn first_sentence(text: &str) -> &str {
    let text = text.trim();
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.')
}

/// A template with everything filled in.
fn filled(template: &str, parts: &[(&str, &str)]) -> String {
    let page = parts.iter().fold(template.to_owned(), |page, (name, text)| {
        let place = format!("{{{{{name}}}}}");
        assert!(page.contains(&place), "the template has no {place}");
        page.replace(&place, text)
    });
    format!("{}\n", page.trim_end())
}

fn schema() -> Value {
    serde_json::from_str(&text("tests/golden/provider-schema.json")).unwrap()
}

/// Every page as it should be, by its path.
fn pages() -> BTreeMap<String, String> {
    let schema = schema();
    let example = text("examples/provider/provider.tf");
    let provider = attributes::section(&schema["provider"]["block"]);
    let parts = [("example", example.trim_end()), ("schema", provider.trim_end())];
    let index = filled(&text("docs/templates/index.md"), &parts);
    let mut pages = BTreeMap::from([("docs/index.md".to_owned(), index)]);
    for kind in &KINDS {
        let listed = schema[kind.listed].as_object().into_iter().flatten();
        pages.extend(listed.map(|(name, said)| kind.page(name, said)));
    }
    pages.extend(guides::pages());
    pages
}

/// Every file in these folders below the workspace, which need not be there.
fn files(folders: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut found = Vec::new();
    for folder in folders {
        let Ok(entries) = fs::read_dir(root().join(&folder)) else { continue };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        found.extend(names.map(|name| format!("{folder}/{name}")));
    }
    found.sort();
    found
}

#[test]
fn the_pages_are_those_of_the_schema_the_examples_and_the_templates() {
    let pages = pages();
    let there = files(KINDS.iter().map(|kind| format!("docs/{}", kind.folder)));
    let stale: Vec<_> = there.into_iter().filter(|path| !pages.contains_key(path)).collect();
    let drifted = pages.iter().filter(|(path, page)| {
        !fs::read_to_string(root().join(path)).is_ok_and(|found| found == **page)
    });
    let drifted: Vec<_> = drifted.collect();
    if std::env::var_os("ASSENT_UPDATE_DOCS").is_some() {
        for (path, page) in drifted {
            fs::create_dir_all(root().join(path).parent().unwrap()).unwrap();
            fs::write(root().join(path), page).unwrap();
        }
        stale.iter().for_each(|path| fs::remove_file(root().join(path)).unwrap());
        return;
    }
    let drifted: Vec<_> = drifted.iter().map(|(path, _)| path).collect();
    assert!(
        drifted.is_empty() && stale.is_empty(),
        "these pages are not what they are made from: {drifted:?}; these are of nothing: \
         {stale:?}; run this test with ASSENT_UPDATE_DOCS=1"
    );
}

/// <https://developer.hashicorp.com/terraform/registry/providers/docs#storage-limits>
#[test]
fn the_registry_takes_the_pages() {
    for (path, page) in pages() {
        assert!(page.len() < 500_000, "{path} is larger than the Registry shows");
        assert!(page.starts_with("---\npage_title: \""), "{path} has no front matter");
        // Guides are made from no template, and one of them shows places of session policies.
        let is_filled = path.starts_with("docs/guides/") || !page.contains("{{");
        assert!(is_filled, "{path} has a place that was not filled");
    }
}

#[test]
fn every_example_and_every_note_is_of_something() {
    let schema = schema();
    for kind in &KINDS {
        let is_there = |name: &str| !schema[kind.listed][name].is_null();
        for path in files([format!("examples/{}", kind.folder)]) {
            let name = path.rsplit('/').next().unwrap();
            assert!(is_there(name), "{path} is an example of nothing in the schema");
        }
        for path in files([format!("docs/templates/{}", kind.folder)]) {
            let short = path.rsplit('/').next().unwrap().trim_end_matches(".md");
            let whole = format!("assent_{short}");
            assert!(is_there(&whole) || is_there(short), "{path} is about nothing in the schema");
        }
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut broken = Vec::new();
    for (path, page) in pages() {
        let folder = Path::new(&path).parent().unwrap().to_owned();
        let links = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap();
            if !root().join(&folder).join(file).exists() {
                broken.push(format!("{path}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
