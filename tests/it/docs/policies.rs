//! Every policy that a guide shows is one: whoever copies it has no fault in it.

use assent_core::policy::Policy;
use assent_core::policy::document::PolicyDocument;

use super::{files, text};

/// With what a block begins that is a policy, whole or in part.
const BEGINNINGS: [&str; 15] = [
    "authorities:",
    "calendars:",
    "defaults:",
    "delegations:",
    "environments:",
    "groups:",
    "kinds:",
    "notices:",
    "owners:",
    "people:",
    "risk:",
    "rules:",
    "sources:",
    "transmitters:",
    "trusts:",
];

const HEAD: &str = "apiVersion: assent/v1\nkind: Policy\n";

/// The rule that a part of a policy waives and does not show.
const WAIVED: &str = "apiVersion: assent/v1
kind: Policy
rules:
  - id: production
    when: {intent.environment: production}
    require: {stages: [{name: one, approvals: 1, from: [person:bob]}]}
";

/// What stands in the guide's YAML blocks.
fn blocks(guide: &str) -> impl Iterator<Item = &str> {
    let parts = guide.split("\n```yaml\n").skip(1);
    parts.map(|part| part.split_once("\n```").expect("the block ends").0)
}

/// The block as a policy document, if it is one: a part of one gets its head.
fn document(block: &str) -> Option<String> {
    let lines = || block.lines().filter(|line| !line.trim_start().starts_with('#'));
    if block.contains("apiVersion: assent/v1") {
        return lines().any(|line| line == "kind: Policy").then(|| block.to_owned());
    }
    let first = lines().next()?;
    let begins = BEGINNINGS.iter().any(|beginning| first.starts_with(beginning));
    begins.then(|| format!("{HEAD}{block}"))
}

/// The groups that a part of a policy names and leaves to another part to say who is in them.
fn groups_besides(block: &str) -> Option<String> {
    let is_name = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    let named = block.split("group:").skip(1).map(|rest| rest.split(|c| !is_name(c)).next());
    let mut named: Vec<_> = named.flatten().collect();
    named.extend(vouched_for(block));
    named.sort_unstable();
    named.dedup();
    let is_here = |name: &str| {
        ["[", "{identity", "{github_team"]
            .iter()
            .any(|begins| block.contains(&format!("{name}: {begins}")))
    };
    named.retain(|name| !name.is_empty() && !is_here(name));
    let groups: String = named.iter().map(|n| format!("  {n}: {{identity: true}}\n")).collect();
    (!named.is_empty()).then(|| format!("{HEAD}groups:\n{groups}"))
}

/// The groups that trusts put workloads into, and those that rules ask about.
fn vouched_for(block: &str) -> Vec<&str> {
    let lists = block.split("\n    groups: [").skip(1).filter_map(|rest| rest.split(']').next());
    let mut names: Vec<_> = lists.flat_map(|list| list.split(", ")).collect();
    let asked = block.split("requester.groups: {contains: ").skip(1);
    names.extend(asked.filter_map(|rest| rest.split('}').next()));
    names
}

#[test]
fn every_policy_that_a_guide_shows_compiles() {
    let (mut seen, mut faults) = (0, Vec::new());
    for path in files(["docs/guides".to_owned()]) {
        for block in blocks(&text(&path)) {
            let Some(shown) = document(block) else { continue };
            seen += 1;
            let besides = groups_besides(block);
            let has = |file: &str, text: &str| block.contains(file).then(|| text.to_owned());
            let named = [
                ("shown.yaml", Some(shown)),
                ("besides.yaml", besides),
                ("waived.yaml", has("waives: [production]", WAIVED)),
                ("policies/plan.rego", has("policies/plan.rego", "package main\n")),
                ("policies/allowed.json", has("policies/allowed.json", "{}")),
            ];
            let named = named.into_iter().filter_map(|(file, text)| Some((file, text?)));
            let files: Vec<_> =
                named.map(|(file, text)| PolicyDocument { file: file.to_owned(), text }).collect();
            if let Err(wrong) = Policy::compile(&files) {
                faults.extend(wrong.iter().map(|fault| format!("{path}: {fault}\n{block}")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    assert!(seen > 25, "only {seen} were found");
}

#[test]
fn a_block_with_a_fault_is_found() {
    let guide = "```\n\n```yaml\nrules:\n  - id: a\n    deny: {message: sign in, and tell}\n```\n";
    let found: Vec<_> = blocks(guide).filter_map(document).collect();
    let file = PolicyDocument { file: "p.yaml".to_owned(), text: found[0].clone() };
    let faults = Policy::compile(&[file]).unwrap_err();
    assert!(faults[0].to_string().contains("and tell"), "{faults:?}");
}
