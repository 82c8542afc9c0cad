//! Where it is shown what keeps an engine from being asked.

use assent_core::policy::Policy;
use assent_core::policy::document::PolicyDocument;
use assent_rego::{Engines, Launch, Limits, Pool};

use crate::support::{limits, pool};

/// The policy of one rule that asks like this, and files beside it.
fn asking(ask: &str, files: &[(&str, &str)]) -> Policy {
    let text = format!(
        "apiVersion: assent/v1\nkind: Policy\nmetadata: {{name: tests}}\nrules:\n  \
         - id: asked\n    when: {{intent.environment: production}}\n    ask:\n      {ask}\n"
    );
    let document = |file: &str, text: &str| PolicyDocument {
        file: format!("policy/{file}"),
        text: text.to_owned(),
    };
    let mut documents = vec![document("a.yaml", &text)];
    documents.extend(files.iter().map(|(file, text)| document(file, text)));
    Policy::compile(&documents).unwrap()
}

async fn told(pool: Pool, policy: &Policy) -> Vec<String> {
    let faults = Engines::new(pool).faults(policy).await;
    faults.iter().map(ToString::to_string).collect()
}

const REGO: &str = "{engine: rego, dialect: assent, files: [a.rego, b.rego]}";

#[tokio::test]
async fn what_the_scan_finds_stands_in_its_module_at_its_line() {
    let deep = format!("package assent\n\nx := {}{}", "[".repeat(13), "]".repeat(13));
    for (text, line, message) in [
        ("package assent\nx := [1,\n2\n", 2, "this bracket is never closed"),
        (&deep, 3, "brackets nest deeper than 12"),
        ("package assent\n# \u{202E}eurt\n", 2, "the character U+202E hides text"),
        ("package assent\n\n\ny := \"abc\n", 4, "this string does not end"),
    ] {
        let policy = asking(REGO, &[("a.rego", "package assent\n"), ("b.rego", text)]);
        let faults = told(pool(limits()), &policy).await;
        let [fault] = faults.as_slice() else { panic!("{faults:?}") };
        assert!(fault.starts_with(&format!("policy/b.rego:{line}:1: {message}")), "{fault}");
    }
}

#[tokio::test]
async fn every_module_with_a_fault_is_named() {
    let policy = asking(REGO, &[("a.rego", "package assent\nx := ]"), ("b.rego", "x := \"")]);
    let faults = told(pool(limits()), &policy).await;
    let wanted = [
        "policy/a.rego:2:1: this bracket closes nothing",
        "policy/b.rego:1:1: this string does not end",
    ];
    assert_eq!(faults, wanted);
}

#[tokio::test]
async fn what_the_load_profile_finds_stands_in_its_module_too() {
    let files = [("a.rego", "package assent\n"), ("b.rego", "package assent\n\nx if no_such(1)\n")];
    let faults = told(pool(limits()), &asking(REGO, &files)).await;
    let [fault] = faults.as_slice() else { panic!("{faults:?}") };
    assert!(fault.starts_with("policy/b.rego:3:1: "), "{fault}");
}

#[tokio::test]
async fn data_that_cannot_be_read_is_at_fault_itself() {
    let ask = "{engine: rego, dialect: assent, files: [a.rego], data: [d.json]}";
    let files = [("a.rego", "package assent\nopinion := {}\n"), ("d.json", "{")];
    let faults = told(pool(limits()), &asking(ask, &files)).await;
    let [fault] = faults.as_slice() else { panic!("{faults:?}") };
    assert!(fault.starts_with("policy/d.json:1:1: `policy/d.json` cannot be read"), "{fault}");
}

#[tokio::test]
async fn an_opa_that_cannot_be_asked_stands_where_the_document_asks() {
    for (ask, message) in [
        ("url: 'https://opa.internal/main'", "a URL whose path begins with /v1/data"),
        ("url: 'http://localhost.example.com/v1/data/x'", "is not https"),
        (
            "url: 'https://opa.internal/v1/data/x', ca_file: /no/such/file",
            "the CA file `/no/such/file` cannot be used",
        ),
    ] {
        let policy = asking(&format!("{{engine: opa, dialect: assent, {ask}}}"), &[]);
        let faults = told(pool(limits()), &policy).await;
        let [fault] = faults.as_slice() else { panic!("{faults:?}") };
        assert!(fault.starts_with("policy/a.yaml:8:7: "), "{fault}");
        assert!(fault.contains(message), "{fault}");
    }
}

#[tokio::test]
async fn a_module_that_could_not_be_checked_stands_where_the_document_asks() {
    let nobody = Pool::new(Launch::program("/no/such/program"), Limits::default());
    let policy = asking(REGO, &[("a.rego", "package assent\n"), ("b.rego", "package b\n")]);
    let faults = told(nobody, &policy).await;
    let [fault] = faults.as_slice() else { panic!("{faults:?}") };
    let wanted = "policy/a.yaml:8:7: the policy could not be checked: no worker could be started";
    assert!(fault.starts_with(wanted), "{fault}");
}
