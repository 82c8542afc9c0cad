//! Cases about cases: what is read, what is refused, what differs.

mod corpus;

use crate::policy::Policy;
use crate::policy::cases::{Case, Outcome};
use crate::policy::coverage::{Coverage, Seen};
use crate::policy::document::PolicyDocument;
use crate::policy::opinion::Opinion;

const POLICY: &str = "\
apiVersion: assent/v1
kind: Policy
groups: {platform: [person:paula, person:piet]}
risk: [{id: deletes, weight: 40, when: {plan.deletes: {gt: 0}}}]
rules:
  - id: applies
    when: {intent.kind: terraform.apply, plan.complete: true}
    require:
      stages: [{name: platform, approvals: 2, from: [group:platform]}]
      request_expires: 2h
      notify: [channel:releases]
      credential: {max_ttl: 30m, uses: 2, audiences: [aws], role: deployer, broker: sts, grant_window: 10m}
  - {id: reads, when: {intent.category: read}, allow: {post_review: {by: [group:platform], within: 24h}}}
  - {id: frozen, when: {signals.freeze: true}, deny: {message: the freeze is on}}
  - {id: charts, when: {intent.kind: helm.upgrade}, allow: {}}
  - {id: review, when: {intent.kind: helm.upgrade}, ask: {engine: opa, dialect: conftest, url: 'https://opa.example.com'}}
";

const HEAD: &str = "apiVersion: assent/v1\nkind: PolicyTest\n";

const BASE: &str = "base:
  intent: {kind: terraform.apply, environment: prod}
  plan: {updates: 1, complete: true}
  signals: {freeze: false}
";

fn file(file: &str, text: &str) -> PolicyDocument {
    PolicyDocument { file: file.to_owned(), text: text.to_owned() }
}

fn no_plans(file: &str) -> Result<Vec<u8>, String> {
    Err(format!("no {file}"))
}

/// The cases of a test document, or every fault in one line each.
fn read(policy: &str, text: &str) -> (Policy, Result<Vec<Case>, String>) {
    let files = [file("p.yaml", policy), file("p_test.yaml", text)];
    let policy = Policy::compile(&files).unwrap();
    let cases = Case::read(&files, &policy, &no_plans);
    let told = cases
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    (policy, told)
}

/// What becomes of one case with this `given` and `expect`, over the base.
fn outcome(given: &str, expect: &str) -> Outcome {
    let test = format!("tests: [{{name: a case, given: {given}, expect: {expect}}}]");
    let (policy, cases) = read(POLICY, &format!("{HEAD}{BASE}{test}"));
    cases.unwrap()[0].run(&policy, &|_| None)
}

fn differences(given: &str, expect: &str) -> Vec<String> {
    let told = outcome(given, expect).differences.into_iter();
    told.map(|it| format!("{}: expected {}, found {}", it.what, it.expected, it.actual)).collect()
}

/// The faults of one test over the base, without their places.
fn faults(test: &str) -> Vec<String> {
    let (_, cases) = read(POLICY, &format!("{HEAD}{BASE}tests: [{test}]"));
    let told = cases.map(|_| ()).expect_err(test);
    told.lines().map(|line| line.splitn(4, ':').nth(3).unwrap().trim().to_owned()).collect()
}

fn faults_given(given: &str) -> Vec<String> {
    faults(&format!("{{name: a case, given: {given}, expect: {{ruling: refuse}}}}"))
}

#[test]
fn everything_that_is_expected_is_compared() {
    let told = "{ruling: require, rules: [applies], stages: {applies/platform: 2}, \
                from: {applies/platform: ['group:platform']}, max_ttl: 30m, uses: 2, \
                audiences: [aws], grant_window: 10m, role: deployer, broker: sts, \
                expires_after: 2h, notify: ['channel:releases'], post_review: [], risk: 0}";
    assert_eq!(differences("{}", told), Vec::<String>::new());
    let otherwise = "{ruling: permit, rules: [reads], stages: {applies/platform: 1, b: 1}, \
                from: {applies/platform: ['person:paula'], b: ['person:paula']}, max_ttl: 15m, \
                uses: 1, audiences: [gcp], grant_window: 1h, role: reader, broker: vault, \
                expires_after: 4h, notify: [], post_review: [reads], reasons: [freeze], \
                risk: [0, 40]}";
    let wanted = [
        "ruling: expected permit, found require",
        "rules: expected [reads], found [applies]",
        "stages: expected [applies/platform: 1, b: 1], found [applies/platform: 2]",
        "from applies/platform: expected [person:paula], found [group:platform]",
        "from b: expected [person:paula], found none",
        "reasons: expected one with `freeze`, found []",
        "max_ttl: expected 15m, found 30m",
        "uses: expected 1, found 2",
        "grant_window: expected 1h, found 10m",
        "role: expected reader, found deployer",
        "broker: expected vault, found sts",
        "audiences: expected [gcp], found [aws]",
        "expires_after: expected 4h, found 2h",
        "notify: expected [], found [channel:releases]",
        "post_review: expected [reads], found []",
        "risk: expected 0 to 40, found 0",
    ];
    assert_eq!(differences("{}", otherwise), wanted);
}

#[test]
fn limits_of_what_is_refused_are_none() {
    let given = "{signals: {freeze: true}}";
    assert!(outcome(given, "{ruling: refuse, reasons: [the freeze]}").passed());
    let told = differences(given, "{ruling: refuse, uses: 2}");
    assert_eq!(told, ["uses: expected 2, found none"]);
}

#[test]
fn null_takes_away_and_only_what_is_there() {
    let told = outcome("{signals: {freeze: null}}", "{ruling: refuse}");
    assert!(told.ruling.rules.contains("indeterminate:frozen"));
    let told = outcome("{signals: null}", "{ruling: refuse}");
    assert!(told.ruling.rules.contains("indeterminate:frozen"));
    let told = faults_given("{signals: {freze: null}}");
    assert_eq!(told, ["there is no `freze` that null could take away"]);
    let told = faults_given("{intent: {context: {a: {b: null}}}}");
    assert_eq!(told, ["there is no `b` that null could take away"]);
}

#[test]
fn an_unknown_key_is_a_fault_wherever_it_stands() {
    for (given, key) in [
        ("{signal: {}}", "signal"),
        ("{intent: {knd: x}}", "knd"),
        ("{requester: {person: alice, group: []}}", "group"),
        ("{requester: {person: alice, network: {adress: x}}}", "adress"),
        ("{plan: {delete: 1}}", "delete"),
        ("{plan: {changes: [{address: a, type: t, action: []}]}}", "action"),
        ("{answers: {review: {denies: []}}}", "denies"),
    ] {
        let told = faults_given(given);
        assert!(told[0].starts_with(&format!("unknown key `{key}`")), "{given}: {told:?}");
        assert_eq!(told.len(), 1, "{given}: {told:?}");
    }
    let told = faults("{name: a, expect: {ruling: refuse, ruless: []}}");
    assert!(told[0].starts_with("unknown key `ruless` in expect (did you mean `rules`?)"));
    let told = faults("{name: a, expcet: {ruling: refuse}}");
    assert!(told.iter().any(|fault| fault.starts_with("unknown key `expcet`")), "{told:?}");
}

#[test]
fn a_fact_that_cannot_be_is_a_fault_and_no_case() {
    for given in [
        r#"{plan: {change_count: "12"}}"#,
        "{plan: {change_count: 2}}",
        "{plan: {deletes: -1}}",
        "{plan: {deletes: 1.5}}",
        "{plan: {tags_only: maybe}}",
        "{plan: {types: aws_vpc}}",
        "{plan: {changes: [{type: aws_vpc}]}}",
        "{plan: {changes: [{address: a, type: t, mode: manged}]}}",
        "{plan: {changes: [{address: a, type: t, actions: [destroy]}]}}",
        "{plan: {changes: {address: a}}}",
        "{plan: {file: ../plan.json}}",
        "{plan: {file: /plan.json}}",
        "{plan: {file: gone.json}}",
        "{plan: {file: a.json, deletes: 1}}",
        "{intent: {kind: Terraform Apply}}",
        "{intent: {kind: null}}",
        "{intent: {environment: 1}}",
        "{intent: {reason: ''}}",
        "{intent: {duration: soon}}",
        "{intent: {duration: 8d}}",
        "{intent: {digest: abc}}",
        "{intent: {target: {workspace: 1}}}",
        "{intent: {target: {workspace: ''}}}",
        "{intent: {context: [1]}}",
        "{intent: {context: {size: 9007199254740993}}}",
        "{intent: terraform.apply}",
        "{requester: alice}",
        "{requester: {}}",
        "{requester: {person: alice, workload: ci}}",
        "{requester: {person: 'al ice'}}",
        "{requester: {person: \"al\u{202e}ice\"}}",
        "{requester: {person: alice, acts_for: [bob]}}",
        "{requester: {person: alice, network: {ip: 10.0.0.300}}}",
        "{requester: {person: alice, network: {country: Germany}}}",
        "{requester: {person: alice, groups: platform}}",
        "{signals: []}",
        "{suspended: [applies]}",
        "{suspended: [nothing]}",
        "{suspended: reads}",
        "{answers: {applies: {}}}",
        "{answers: {reviw: {}}}",
        "{answers: {review: {failed: x, deny: []}}}",
        "{answers: {review: {allow: 'yes'}}}",
        "{now: yesterday}",
        "{now: 2026-13-01T00:00:00Z}",
        "[]",
    ] {
        assert!(!faults_given(given).is_empty(), "{given}");
    }
    for expect in [
        "{}",
        "{ruling: allow}",
        "{ruling: refuse, rules: frozen}",
        "{ruling: require, stages: [a]}",
        "{ruling: require, stages: {a: two}}",
        "{ruling: require, from: {a: [paula]}}",
        "{ruling: permit, max_ttl: 0s}",
        "{ruling: permit, uses: 0}",
        "{ruling: permit, notify: [releases]}",
        "{ruling: permit, risk: [40, 0]}",
        "{ruling: permit, risk: [0]}",
        "{ruling: permit, risk: high}",
        "refuse",
    ] {
        assert!(!faults(&format!("{{name: a, expect: {expect}}}")).is_empty(), "{expect}");
    }
}

#[test]
fn documents_of_cases_are_read_strictly() {
    let one = "tests: [{name: a, expect: {ruling: refuse}}]";
    let two = "tests: [{name: a, expect: {ruling: refuse}}, {name: a, expect: {ruling: refuse}}]";
    for (text, wanted) in [
        (format!("kind: PolicyTest\n{BASE}{one}"), "lacks `apiVersion`"),
        (format!("apiVersion: assent/v1\nkind: Policy\n{BASE}{one}"), "expected `PolicyTest`"),
        (format!("{HEAD}{BASE}tests: []"), "`tests` is empty"),
        (format!("{HEAD}{BASE}"), "lacks `tests`"),
        (format!("{HEAD}{BASE}{two}"), "two tests are named `a`"),
        (format!("{HEAD}{BASE}calendars: {{}}\n{one}"), "unknown key `calendars`"),
        (format!("{HEAD}base: []\n{one}"), "expected a map, found a list"),
        (format!("{HEAD}{BASE}tests: [{{name: ' ', expect: {{ruling: refuse}}}}]"), "say what"),
        (String::new(), "the file holds no document"),
        (format!("{HEAD}{BASE}{one}\n---\n{one}"), "one document to a file"),
    ] {
        let (_, cases) = read(POLICY, &text);
        let told = cases.map(|_| ()).expect_err(&text);
        assert!(told.contains(wanted), "{text}\n{told}");
    }
}

#[test]
fn a_fault_in_the_base_is_told_once_and_has_its_place() {
    let tests =
        "tests:\n  - {name: a, expect: {ruling: refuse}}\n  - {name: b, expect: {ruling: refuse}}";
    let base = "base:\n  intent: {kind: terraform.apply, environment: prod}\n  now: noon\n";
    let (_, cases) = read(POLICY, &format!("{HEAD}{base}{tests}"));
    let told = cases.map(|_| ()).unwrap_err();
    assert!(told.starts_with("p_test.yaml:5:8: "), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn cases_stand_in_policy_documents_too() {
    let tests =
        "tests: [{name: a read, given: {intent: {kind: vm.read}}, expect: {ruling: permit}}]";
    let files = [file("p.yaml", &format!("{POLICY}{BASE}{tests}"))];
    let policy = Policy::compile(&files).unwrap();
    let cases = Case::read(&files, &policy, &no_plans).unwrap();
    assert_eq!((cases.len(), cases[0].name.as_str()), (1, "a read"));
    assert!(cases[0].run(&policy, &|_| None).passed());
    let files = [file("p.yaml", &format!("{POLICY}{BASE}"))];
    assert!(Case::read(&files, &policy, &no_plans).is_err(), "a base without tests");
}

#[test]
fn an_engine_that_is_not_asked_fails_the_case_whatever_was_expected() {
    let given = "{intent: {kind: helm.upgrade}}";
    let told = outcome(given, "{ruling: refuse, rules: ['error:review']}");
    assert_eq!((told.unasked.as_slice(), told.passed()), (&["review".to_owned()][..], false));
    let answered = "{intent: {kind: helm.upgrade}, answers: {review: {}}}";
    assert!(outcome(answered, "{ruling: permit, rules: [charts]}").passed());
    let denied = "{intent: {kind: helm.upgrade}, answers: {review: {deny: [no]}}}";
    assert!(outcome(denied, "{ruling: refuse, rules: [review], reasons: [no]}").passed());
    let failed = "{intent: {kind: helm.upgrade}, answers: {review: {failed: too slow}}}";
    assert!(outcome(failed, "{ruling: refuse, rules: ['error:review']}").passed());
}

#[test]
fn an_engine_is_asked_where_the_case_does_not_answer() {
    let test = "{name: a, given: {intent: {kind: helm.upgrade}}, expect: {ruling: refuse, reasons: [from it]}}";
    let (policy, cases) = read(POLICY, &format!("{HEAD}{BASE}tests: [{test}]"));
    let denies = |question: &crate::policy::cases::Question<'_>| {
        assert_eq!(question.ask.rule, "review");
        assert_eq!(question.situation.intent.kind(), "helm.upgrade");
        let denies = vec!["from it".to_owned()];
        Some(Opinion::Answered { denies, warns: Vec::new(), allows: false })
    };
    let told = cases.unwrap()[0].run(&policy, &denies);
    assert!(told.passed(), "{told:?}");
    assert!(told.known.opinions.contains_key("review"));
}

#[test]
fn what_is_said_of_a_plan_replaces_a_plan_in_a_file_and_the_other_way_round() {
    let of_file = "{name: a, given: {plan: {file: plans/x.json}}, expect: {ruling: refuse}}";
    assert_eq!(faults(of_file), ["`plans/x.json`: no plans/x.json"]);
    let base =
        "base:\n  intent: {kind: terraform.apply, environment: prod}\n  plan: {file: x.json}\n";
    let of_facts = "{name: a, given: {plan: {deletes: 1}}, expect: {ruling: refuse, risk: 40}}";
    let (_, cases) = read(POLICY, &format!("{HEAD}{base}tests: [{of_facts}]"));
    assert!(cases.is_ok());
}

#[test]
fn coverage_counts_each_condition_by_itself() {
    let policy = "\
apiVersion: assent/v1
kind: Policy
rules:
  - id: a
    when:
      intent.kind: vm.delete
      any: [{context.size: {gt: 1, lt: 5}}, {not: {context.parts: {some: {color: red}}}}]
    allow: {}
";
    let tests = "base: {intent: {kind: vm.read, environment: test}}
tests:
  - {name: a, given: {intent: {context: {size: 3, parts: [{color: red}, {color: blue}]}}}, expect: {ruling: refuse}}
";
    let (policy, cases) = read(policy, &format!("{HEAD}{tests}"));
    let cases = cases.unwrap();
    let mut coverage = Coverage::of(&policy);
    assert_eq!((coverage.percent(), coverage.gaps().len()), (0, 15));
    let known = &cases[0].run(&policy, &|_| None).known;
    coverage.see(&policy, &cases[0].situation(known));
    let seen = |held, failed| Seen { held, failed, unknown: 0 };
    let rule = &coverage.rules[0];
    assert_eq!((rule.seen, rule.conditions[0].seen), (seen(0, 1), seen(0, 1)));
    let any = &rule.conditions[1];
    assert_eq!(any.seen, seen(1, 0));
    let within: Vec<_> = any.within.iter().map(|it| (it.demand.as_str(), it.seen)).collect();
    let wanted = [
        ("context.size > 1", seen(1, 0)),
        ("context.size < 5", seen(1, 0)),
        ("not (context.parts has one with color = red)", seen(0, 1)),
    ];
    assert_eq!(within, wanted);
    let parts = &any.within[2].within[0];
    assert_eq!((parts.seen, parts.within[0].seen), (seen(1, 0), seen(1, 1)));
    assert_eq!(coverage.reached(), (8, 15));
    assert_eq!(coverage.percent(), 53);
    assert_eq!(rule.conditions_covered(), (1, 7));
}
