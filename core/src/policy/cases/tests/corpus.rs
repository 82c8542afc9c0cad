//! The corpus under `tests/policies`: every case of every theme, and whether it could fail.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::policy::Policy;
use crate::policy::attribute::Attribute;
use crate::policy::cases::Case;
use crate::policy::condition::Condition;
use crate::policy::coverage::Coverage;
use crate::policy::document::PolicyDocument;
use crate::policy::index::Index;

/// Its cases are ruled with real engines, which core never asks.
const NEEDS_ENGINES: &str = "asks-for-real";

/// A folder of the corpus, read.
struct Theme {
    name: String,
    policy: Policy,
    cases: Vec<Case>,
    case_files: usize,
}

impl Theme {
    fn read(place: &Path) -> Self {
        let name = place.file_name().unwrap().to_str().unwrap().to_owned();
        let files: Vec<PolicyDocument> = below(place)
            .into_iter()
            .map(|path| PolicyDocument {
                file: path.strip_prefix(place).unwrap().to_str().unwrap().to_owned(),
                text: fs::read_to_string(&path).unwrap(),
            })
            .collect();
        let told = |faults: Vec<crate::policy::document::Fault>| -> String {
            faults.iter().map(|fault| format!("{name}/{fault}\n")).collect()
        };
        let policy = Policy::compile(&files).map_err(told).unwrap();
        let plan = |file: &str| fs::read(place.join(file)).map_err(|error| error.to_string());
        let cases = Case::read(&files, &policy, &plan).map_err(told).unwrap();
        let case_files = files.iter().filter(|file| file.is_test()).count();
        Self { name, policy, cases, case_files }
    }

    /// Gives a rule other conditions, and gives back those it had.
    fn replace(&mut self, at: usize, when: Vec<Condition>) -> Vec<Condition> {
        let before = std::mem::replace(&mut self.policy.rules[at].when, when);
        let whens = self.policy.rules.iter().map(|rule| rule.when.as_slice());
        self.policy.index = Index::new(whens);
        before
    }

    /// Every case that fails, with how.
    fn failures(&self) -> Vec<String> {
        let failure = |case: &Case| {
            let outcome = case.run(&self.policy, &|_| None);
            let what = || format!("{}: {:?}{:?}", case.name, outcome.unasked, outcome.differences);
            (!outcome.passed()).then(what)
        };
        self.cases.iter().filter_map(failure).collect()
    }
}

fn below(place: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn themes() -> Vec<Theme> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/policies");
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut places: Vec<_> =
        entries.filter(|path| path.is_dir() && !path.ends_with(NEEDS_ENGINES)).collect();
    places.sort();
    places.iter().map(|place| Theme::read(place)).collect()
}

#[test]
fn every_case_is_ruled_as_it_says() {
    let themes = themes();
    for theme in &themes {
        let failures = theme.failures();
        assert!(failures.is_empty(), "{}: {failures:#?}", theme.name);
        assert_eq!(theme.cases.len(), theme.case_files, "{}: one case to a file", theme.name);
    }
    let names: Vec<&str> =
        themes.iter().flat_map(|theme| &theme.cases).map(|case| case.name.as_str()).collect();
    assert!(names.len() >= 150, "{}", names.len());
    let different: BTreeSet<_> = names.iter().collect();
    assert_eq!(different.len(), names.len(), "each case has a name of its own");
}

#[test]
fn every_rule_of_every_theme_matches_in_a_case() {
    for theme in themes() {
        let mut coverage = Coverage::of(&theme.policy);
        for case in &theme.cases {
            let known = case.run(&theme.policy, &|_| None).known;
            coverage.see(&theme.policy, &case.situation(&known));
        }
        let unmatched: Vec<_> = coverage
            .rules
            .iter()
            .filter(|rule| rule.seen.held == 0)
            .map(|rule| &rule.rule)
            .collect();
        assert!(unmatched.is_empty(), "{}: {unmatched:?}", theme.name);
    }
}

/// A corpus that no broken policy could fail would show nothing.
#[test]
fn without_any_one_rule_a_case_of_its_theme_fails() {
    for mut theme in themes() {
        for at in 0..theme.policy.rules.len() {
            let never = vec![Condition::Any(Vec::new())];
            let when = theme.replace(at, never);
            let rule = &theme.policy.rules[at].id;
            assert!(!theme.failures().is_empty(), "{}: nobody misses `{rule}`", theme.name);
            theme.replace(at, when);
        }
    }
}

/// Without a condition a rule says more than it should. Kinds and environments are left out: many a
/// theme is about one of them only, so that its cases cannot miss it.
#[test]
fn without_any_one_condition_a_case_of_its_theme_fails() {
    let mut unmissed = Vec::new();
    for mut theme in themes() {
        for at in 0..theme.policy.rules.len() {
            for line in 0..theme.policy.rules[at].when.len() {
                if is_of_the_theme(&theme.policy.rules[at].when[line]) {
                    continue;
                }
                let mut fewer = theme.policy.rules[at].when.clone();
                let condition = fewer.remove(line);
                let when = theme.replace(at, fewer);
                if theme.failures().is_empty() {
                    let rule = &theme.policy.rules[at].id;
                    unmissed.push(format!("{}: {rule}: {condition}", theme.name));
                }
                theme.replace(at, when);
            }
        }
    }
    assert!(unmissed.is_empty(), "{unmissed:#?}");
}

fn is_of_the_theme(condition: &Condition) -> bool {
    let Condition::Test { attribute, .. } = condition else { return false };
    matches!(attribute, Attribute::Kind | Attribute::Environment)
}
