//! Cases out of documents.

use std::collections::BTreeSet;

use crate::policy::Policy;
use crate::policy::cases::expect::Expect;
use crate::policy::cases::given::Given;
use crate::policy::cases::{Case, Plans, merge};
use crate::policy::document::keys::Keys;
use crate::policy::document::{Fault, PolicyDocument, Reader, Vocabulary};
use crate::policy::yaml::{self, Node, Yaml};

pub(super) const DOCUMENT: Keys = Keys {
    of: "PolicyTest document",
    known: &["apiVersion", "kind", "metadata", "base", "tests"],
    required: &["apiVersion", "kind", "tests"],
};

pub(super) const CASE: Keys =
    Keys { of: "test", known: &["name", "given", "expect"], required: &["name", "expect"] };

pub(super) fn cases(
    files: &[PolicyDocument],
    policy: &Policy,
    plans: &Plans<'_>,
) -> Result<Vec<Case>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut cases = Vec::new();
    for file in files.iter().filter(|file| !file.is_attachment()) {
        let vocabulary = Vocabulary::default();
        match yaml::parse(&file.file, &file.text) {
            Ok(Some(root)) => {
                let reader = Reader::new(&mut faults, &vocabulary);
                let mut desk = Desk { reader, policy, plans, file: &file.file };
                cases.extend(desk.document(&root, file.is_test()));
            }
            Ok(None) if file.is_test() => {
                let place = crate::policy::document::Place::at(&file.file, 1, 0);
                faults.push(Fault { place, message: "the file holds no document".to_owned() });
            }
            Ok(None) => {} // Compiling has told of it.
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        // What is wrong in `base` was met once for every case.
        faults.sort();
        faults.dedup();
        return Err(faults);
    }
    cases.sort_by(|one: &Case, other| one.place.cmp(&other.place));
    Ok(cases)
}

/// Where cases are read: the reader and what it looks things up in.
pub(super) struct Desk<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) policy: &'a Policy,
    pub(super) plans: &'a Plans<'a>,
    pub(super) file: &'a str,
}

impl Desk<'_> {
    fn document(&mut self, root: &Node, is_test: bool) -> Vec<Case> {
        if is_test {
            let fields = self.reader.members(root, &DOCUMENT);
            self.reader.constant(fields.get("apiVersion"), "assent/v1");
            self.reader.constant(fields.get("kind"), "PolicyTest");
        }
        let base = merge::member(root, "base");
        let Some(tests) = merge::member(root, "tests") else {
            if let Some(base) = base {
                self.reader.fault(&base.place, "`base` stands without `tests`");
            }
            return Vec::new();
        };
        if let Some(base) = base {
            self.reader.map(base);
        }
        let mut names = BTreeSet::new();
        let mut cases = Vec::new();
        for item in self.reader.items(tests, "tests") {
            let Some(case) = self.case(base, item) else { continue };
            if !names.insert(case.name.clone()) {
                let message = format!("two tests are named `{}`", case.name);
                self.reader.fault(&item.place, message);
            }
            cases.push(case);
        }
        cases
    }

    fn case(&mut self, base: Option<&Node>, node: &Node) -> Option<Case> {
        let fields = self.reader.members(node, &CASE);
        let name = fields.get("name").and_then(|node| self.reader.text(node));
        if let (Some(node), Some("")) = (fields.get("name"), name.as_deref().map(str::trim)) {
            self.reader.fault(&node.place, "say what the test shows");
        }
        let nothing = Node { place: node.place.clone(), value: Yaml::Map(Vec::new()) };
        let given = fields.get("given").copied().unwrap_or(&nothing);
        let given = merge::over(base, given, &mut self.reader);
        let given = self.given(&given);
        let expect = fields.get("expect").and_then(|node| Expect::read(&mut self.reader, node));
        let Given { intent, requester, known, now, plan } = given?;
        let (name, place, expect) = (name?, node.place.clone(), expect?);
        Some(Case { name, place, intent, requester, known, now, plan, expect })
    }
}
