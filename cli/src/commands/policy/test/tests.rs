//! The reports of a few cases.

use assent_core::policy::Policy;
use assent_core::policy::cases::Case;
use assent_core::policy::document::PolicyDocument;

use crate::commands::policy::test::cases::Results;
use crate::commands::policy::test::{json, report};
use crate::output::Paint;

const POLICY: &str = "\
apiVersion: assent/v1
kind: Policy
rules:
  - {id: plans, when: {intent.kind: terraform.plan}, allow: {}}
  - id: changes
    when: {intent.kind: terraform.apply, any: [{plan.deletes: 0}, {context.careful: true}]}
    allow: {}
  - {id: asked, when: {intent.kind: helm.upgrade}, ask: {engine: opa, dialect: conftest, url: 'https://opa.example.com'}}
";

fn run(cases: &str) -> Results {
    let document =
        |file: &str, text: &str| PolicyDocument { file: file.to_owned(), text: text.to_owned() };
    let head = "apiVersion: assent/v1\nkind: PolicyTest\n";
    let text =
        format!("{head}base: {{intent: {{kind: terraform.plan, environment: test}}}}\n{cases}");
    let files = [document("p.yaml", POLICY), document("p_test.yaml", &text)];
    let policy = Policy::compile(&files).unwrap();
    let cases = Case::read(&files, &policy, &|_| Err("no plan".to_owned())).unwrap();
    // Nobody is there to ask.
    Results::of(cases.into_iter(), &policy, &|_| None)
}

/// Cases of a plan, which is permitted, by these names and with these rulings expected.
pub(super) fn results(cases: &[(&str, &str)]) -> Results {
    // What a document may hold only as an escape is written as one.
    let escaped = |text: String| text.replace('\u{fffe}', "\\ufffe").replace('\u{202e}', "\\u202e");
    let quoted = |name: &str| escaped(serde_json::to_string(name).unwrap());
    let case = |(name, ruling): &(&str, &str)| {
        format!("  - {{name: {}, expect: {{ruling: {ruling}}}}}\n", quoted(name))
    };
    run(&format!("tests:\n{}", cases.iter().map(case).collect::<String>()))
}

#[test]
fn people_see_what_differs_and_why() {
    let results = run("tests:
  - {name: a plan, expect: {ruling: permit}}
  - name: a delete
    given: {intent: {kind: terraform.apply}, plan: {deletes: 1}}
    expect: {ruling: permit, rules: [changes]}
  - name: an engine
    given: {intent: {kind: helm.upgrade}}
    expect: {ruling: refuse, rules: ['error:asked']}
");
    let wanted = "\
FAIL  p_test.yaml (2 of 3 cases failed)

p_test.yaml:6:5: a delete
  ruling  expected permit
          found    refuse
  rules   expected [changes]
          found    [default-deny]
  changes (allow): cannot be settled
  ├─ intent.kind = terraform.apply: yes, found `terraform.apply`
  └─ any of: unknown
     ├─ either: no
     │  └─ plan.deletes = 0: no, found 1
     └─ either: unknown
        └─ context.careful = true: unknown, found absent

p_test.yaml:9:5: an engine
  needs the engine of asked; say under `answers` what it answers
  asked (ask): matched
  └─ intent.kind = helm.upgrade: yes, found `helm.upgrade`

failed: 2 of 3 cases in 1 file failed";
    assert_eq!(report::text(&results, false, Paint::new(false)), wanted);
}

#[test]
fn people_see_what_was_not_covered() {
    let results = results(&[("a plan", "permit")]);
    let wanted = "\
ok    p_test.yaml (1 case)

RULE     EFFECT  MATCHED  NOT  UNKNOWN  CONDITIONS
asked    ask     0        1    0        0 of 1
changes  allow   0        1    0        0 of 4
plans    allow   1        0    0        0 of 1
asked: never matched
asked: `intent.kind = helm.upgrade` never true
changes: never matched
changes: `intent.kind = terraform.apply` never true
changes: `(plan.deletes = 0) or (context.careful = true)` never true
changes: `(plan.deletes = 0) or (context.careful = true)` never false
changes: `plan.deletes = 0` never true
changes: `plan.deletes = 0` never false
changes: `context.careful = true` never true
changes: `context.careful = true` never false
plans: `intent.kind = terraform.plan` never false
coverage 26 % (4 of 15)

ok: 1 case in 1 file passed";
    assert_eq!(report::text(&results, true, Paint::new(false)), wanted);
}

#[test]
fn programs_see_the_same() {
    let results = results(&[("a plan", "refuse")]);
    let report = json::Report::of(&results, Some(&results.coverage));
    let report = serde_json::to_value(&report).unwrap();
    assert_eq!(report["failed"], 1);
    let case = &report["cases"][0];
    assert_eq!((&case["name"], &case["passed"]), (&"a plan".into(), &false.into()));
    assert_eq!((&case["file"], &case["line"]), (&"p_test.yaml".into(), &5.into()));
    let difference = serde_json::json!({"what": "ruling", "expected": "refuse", "found": "permit"});
    assert_eq!(case["differences"], serde_json::json!([difference]));
    assert_eq!(case["ruling"]["rules"], serde_json::json!(["plans"]));
    assert_eq!(report["coverage"]["percent"], 26);
    assert_eq!(report["coverage"]["rules"][2]["conditions"][0]["true"], 1);
}

#[test]
fn what_would_steer_the_terminal_is_shown_as_an_escape() {
    let results = results(&[("\u{1b}[2J\u{202e}", "refuse")]);
    let text = report::text(&results, false, Paint::new(false));
    assert!(text.contains("\\u{1b}[2J\\u{202e}"), "{text}");
    assert!(!text.contains('\u{1b}'));
}
