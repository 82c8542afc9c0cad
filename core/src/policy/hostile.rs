//! Policies and intents made to be misread. Each is answered with a fault or a refusal: beside every
//! hostile line stands a rule that would permit if the line were passed over.

use serde_json::{Map, Value};

use crate::intent::{Intent, UnverifiedIntent};
use crate::policy::Policy;
use crate::policy::document::PolicyDocument;
use crate::policy::ruling::Outcome;
use crate::policy::situation::{Known, Network, Situation};
use crate::principal::{Principal, PrincipalId, PrincipalKind};
use crate::time::{Span, Timestamp};

/// What must come of it.
enum Wanted {
    /// A fault that says this.
    Fault(&'static str),
    /// It compiles, and refuses by this rule.
    Refuse(&'static str),
}

use Wanted::{Fault, Refuse};

const HEAD: &str = "apiVersion: assent/v1\nkind: Policy\n";
const OPEN: &str = "  - {id: open, when: {intent.kind: vm.delete}, allow: {}}\n";
const CLOSED: &str = "  - {id: closed, when: {intent.kind: vm.delete}, deny: {message: no}}\n";

/// A rule that permits, and these lines beside it.
fn beside(lines: &str) -> String {
    format!("{HEAD}rules:\n{OPEN}{lines}\n")
}

/// A rule that permits, and one that denies under this condition.
fn denied_when(when: &str) -> String {
    beside(&format!("  - {{id: closed, when: {when}, deny: {{message: no}}}}"))
}

/// A rule that permits under this condition, and nothing else.
fn allowed_when(when: &str) -> String {
    format!("{HEAD}rules:\n  - {{id: open, when: {when}, allow: {{}}}}\n")
}

/// A rule that permits, and one that asks this stage.
fn asked_of(stage: &str) -> String {
    let groups = "groups: {platform: [person:paula]}\n";
    let rule = format!("  - {{id: asked, require: {{stages: [{stage}]}}}}");
    format!("{HEAD}{groups}rules:\n{OPEN}{rule}\n")
}

fn nested(open: &str, close: &str, times: usize) -> String {
    format!("{}1{}", open.repeat(times), close.repeat(times))
}

fn many(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

fn policies() -> Vec<(&'static str, String, Wanted)> {
    let mebibyte = "x".repeat(1 << 20);
    let bomb = "metadata: {name: &a [x, x], owner: [*a, *a, *a, *a, *a, *a, *a, *a, *a]}\n";
    vec![
        // Depth.
        ("lists without end", beside(&nested("[", "]", 100_000)), Fault("")),
        ("maps without end", denied_when(&nested("{not: ", "}", 100_000)), Fault("")),
        ("nots one too deep", denied_when(&nested("{not: ", "}", 40)), Fault("nested too deep")),
        (
            "blocks without end",
            beside(&many(3_000, |at| format!("{}- \n", " ".repeat(at)))),
            Fault(""),
        ),
        // Size.
        (
            "a message of a MiB",
            beside(&format!("  - {{id: closed, deny: {{message: {mebibyte}}}}}")),
            Refuse("closed"),
        ),
        (
            "an id of a MiB",
            beside(&format!("  - {{id: {mebibyte}, deny: {{message: no}}}}")),
            Fault("expected a name of 1 to 63"),
        ),
        (
            "an environment of a MiB",
            denied_when(&format!("{{not: {{intent.environment: {mebibyte}}}}}")),
            Refuse("closed"),
        ),
        (
            "a glob of a MiB",
            denied_when(&format!("{{intent.reason: {{glob: {mebibyte}}}}}")),
            Fault("at most 512 bytes"),
        ),
        (
            "a glob of stars",
            denied_when(&format!("{{intent.reason: {{glob: '{}'}}}}", "*a".repeat(200))),
            Fault("more than 16 stars"),
        ),
        (
            "a glob that backtracks",
            denied_when("{intent.reason: {glob: '*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a'}}"),
            Refuse("closed"),
        ),
        (
            "ten thousand rules",
            beside(&format!(
                "{}{CLOSED}",
                many(10_000, |at| format!(
                    "  - {{id: r{at}, when: {{intent.kind: k{at}.x}}, allow: {{}}}}\n"
                ))
            )),
            Refuse("closed"),
        ),
        (
            "ten thousand rules that look",
            beside(&format!(
                "{}{CLOSED}",
                many(10_000, |at| format!(
                    "  - {{id: r{at}, when: {{context.a: {at}}}, allow: {{}}}}\n"
                ))
            )),
            Refuse("closed"),
        ),
        (
            "ten thousand rules of one id",
            beside(&many(10_000, |_| CLOSED.to_owned())),
            Fault("rule `closed` stands already"),
        ),
        (
            "twenty thousand keys",
            beside(&format!("  - {{{}}}", many(20_000, |at| format!("k{at}: 1, ")))),
            Fault("unknown key `k19999`"),
        ),
        (
            "ten thousand branches",
            denied_when(&format!(
                "{{any: [{}{{intent.kind: vm.delete}}]}}",
                "{intent.kind: a.b}, ".repeat(10_000)
            )),
            Refuse("closed"),
        ),
        // What YAML can do and policies cannot.
        ("a bomb of aliases", format!("{HEAD}{bomb}rules:\n{OPEN}"), Fault("anchors and aliases")),
        (
            "a rule twice by an alias",
            beside("  - &r {id: closed, deny: {message: no}}\n  - *r"),
            Fault("anchors and aliases"),
        ),
        ("a merge key", beside("  - {id: closed, <<: {deny: {message: no}}}"), Fault("merge keys")),
        (
            "a tag",
            beside("  - !!python/object {id: closed, deny: {message: no}}"),
            Fault("tags are not used"),
        ),
        (
            "a tagged text",
            beside("  - {id: closed, deny: {message: !!binary bm8=}}"),
            Fault("tags are not used"),
        ),
        (
            "two documents",
            format!("{}---\n{HEAD}rules:\n{CLOSED}", beside("")),
            Fault("one document to a file"),
        ),
        ("an end and more", format!("{}...\nrules:\n{CLOSED}", beside("")), Fault("")),
        ("a directive", format!("%YAML 1.1\n---\n{}", beside(CLOSED)), Refuse("closed")),
        (
            "a key that is a list",
            beside("  - ? [id, deny]\n    : closed"),
            Fault("a key must be text"),
        ),
        (
            "two effects of one name",
            beside("  - {id: closed, deny: {message: no}, deny: {message: no, waivable: true}}"),
            Fault("`deny` stands here twice"),
        ),
        (
            "two effects of one name, one of them escaped",
            beside("  - {id: closed, deny: {message: no}, \"\\x64eny\": {message: no}}"),
            Fault("`deny` stands here twice"),
        ),
        (
            "rules twice",
            format!("{HEAD}rules:\n{CLOSED}rules:\n{OPEN}"),
            Fault("`rules` stands here twice"),
        ),
        ("a brace left open", beside("  - {id: closed, deny: {message: no}"), Fault("not YAML")),
        ("tabs for indentation", beside("\t- {id: closed, deny: {message: no}}"), Fault("")),
        (
            "nothing but comments",
            "# rules:\n#  - {id: open, allow: {}}\n".to_owned(),
            Fault("holds no document"),
        ),
        // Line ends and what cannot be seen.
        ("CRLF", beside(CLOSED).replace('\n', "\r\n"), Refuse("closed")),
        ("a byte order mark", format!("\u{feff}{}", beside(CLOSED)), Refuse("closed")),
        ("a byte order mark within", beside(&format!("\u{feff}{CLOSED}")), Fault("U+FEFF")),
        (
            "a rule behind a lone carriage return",
            format!("{HEAD}rules: # none\r{OPEN}"),
            Fault("U+000D"),
        ),
        (
            "a rule behind a line separator",
            format!("{HEAD}rules: # none\u{2028}{OPEN}"),
            Fault("U+2028"),
        ),
        ("a rule behind a next line", format!("{HEAD}rules: # none\u{85}{OPEN}"), Fault("U+0085")),
        ("NUL in a file", beside(&format!("# \0\n{CLOSED}")), Fault("U+0000")),
        (
            "an escape sequence in a comment",
            beside(&format!("# \u{1b}[2K\n{CLOSED}")),
            Fault("U+001B"),
        ),
        (
            "a comment that runs backwards",
            beside(&format!("# \u{202e}\n{CLOSED}")),
            Fault("U+202E"),
        ),
        (
            "an id that runs backwards",
            beside("  - {id: \"clo\\u202esed\", deny: {message: no}}"),
            Fault("expected a name"),
        ),
        (
            "an id of look-alikes",
            beside("  - {id: cl\u{43e}sed, deny: {message: no}}"),
            Fault("expected a name"),
        ),
        (
            "an effect of look-alikes",
            beside("  - {id: closed, d\u{435}ny: {message: no}}"),
            Fault("unknown key"),
        ),
        (
            "an effect with nothing in it",
            beside("  - {id: closed, \"de\\u200bny\": {message: no}}"),
            Fault("unknown key"),
        ),
        (
            "an effect in capitals",
            beside("  - {id: closed, DENY: {message: no}}"),
            Fault("unknown key `DENY`"),
        ),
        (
            "a person with nothing in it",
            format!("{HEAD}groups: {{a: [\"person:bo\\u200bb\"]}}\nrules:\n{OPEN}"),
            Fault("names nobody"),
        ),
        // Numbers and times.
        (
            "a number beyond all",
            allowed_when("{risk.score: {lt: 99999999999999999999}}"),
            Fault("expected a number"),
        ),
        (
            "a number beyond a double",
            allowed_when(&format!("{{risk.score: {{lt: {}.0}}}}", "9".repeat(400))),
            Fault("expected a number"),
        ),
        (
            "a number that two numbers share",
            allowed_when("{context.size: {lt: 9007199254740993}}"),
            Fault("below 2^53"),
        ),
        ("infinity", allowed_when("{risk.score: {lt: .inf}}"), Fault("expected a number")),
        ("not a number", denied_when("{risk.score: {gte: .nan}}"), Fault("expected a number")),
        ("an exponent", denied_when("{plan.deletes: {lt: 1e9}}"), Fault("expected a number")),
        (
            "a hexadecimal number",
            denied_when("{plan.deletes: {lt: 0xff}}"),
            Fault("expected a number"),
        ),
        (
            "nobody's approval",
            asked_of("{approvals: 0, from: [group:platform]}"),
            Fault("a whole number from 1 to 100"),
        ),
        (
            "fewer than nobody",
            asked_of("{approvals: -1, from: [group:platform]}"),
            Fault("a whole number from 1 to 100"),
        ),
        (
            "four billion and nobody",
            asked_of("{approvals: 4294967296, from: [group:platform]}"),
            Fault("a whole number from 1 to 100"),
        ),
        (
            "half a person",
            asked_of("{approvals: 0.5, from: [group:platform]}"),
            Fault("a whole number from 1 to 100"),
        ),
        (
            "more than there are",
            asked_of("{approvals: 2, from: [group:platform]}"),
            Fault("only 1 person"),
        ),
        (
            "a lifetime beyond all",
            beside("  - {id: long, allow: {credential: {max_ttl: 99999999999999999999h}}}"),
            Fault(""),
        ),
        ("no such day", denied_when("{now.date: {lt: 2026-02-30}}"), Fault("")),
        (
            "no such zone",
            format!("{HEAD}defaults: {{timezone: ../../etc/passwd}}\nrules:\n{OPEN}"),
            Fault(""),
        ),
        ("no such network", denied_when("{requester.network.ip: {cidr: 0.0.0.0/33}}"), Fault("")),
        // What says less than it seems to.
        (
            "yes for true",
            beside("  - {id: closed, deny: {message: no, waivable: yes}}"),
            Fault("expected true or false"),
        ),
        ("no for an environment", denied_when("{not: {intent.environment: no}}"), Refuse("closed")),
        ("a condition left blank", allowed_when(""), Fault("expected a map, found nothing")),
        ("any of nothing", denied_when("{any: []}"), Fault("`any` is empty")),
        ("all of nothing", allowed_when("{all: []}"), Fault("`all` is empty")),
        ("any of an empty branch", allowed_when("{any: [{}]}"), Fault("at least one condition")),
        ("not nothing", denied_when("{not: {}}"), Fault("at least one condition")),
        ("not not nothing", allowed_when("{not: {not: {}}}"), Fault("at least one condition")),
        ("in an empty list", denied_when("{intent.kind: []}"), Fault("is empty")),
        (
            "an empty prefix",
            allowed_when("{intent.reason: {prefix: ''}}"),
            Fault("at least one character"),
        ),
        (
            "permitted by absence",
            allowed_when("{context.denied: {exists: false}}"),
            Fault("only `exists: true` may stand"),
        ),
        (
            "permitted by absence within not",
            allowed_when("{not: {context.denied: {exists: true}}}"),
            Fault("only `exists: true` may stand"),
        ),
        (
            "permitted by what is unknown",
            allowed_when("{not: {context.denied: true}}"),
            Refuse("default-deny"),
        ),
        (
            "a deny waived that cannot be",
            beside(&format!("{CLOSED}  - {{id: lifts, allow: {{waives: [closed]}}}}")),
            Fault("cannot waive `closed`"),
        ),
        (
            "an allow that waives itself",
            beside("  - {id: lifts, allow: {waives: [lifts]}}"),
            Fault("an allow is never waived"),
        ),
        (
            "the name of no rule",
            beside("  - {id: default-deny, allow: {}}"),
            Fault("is what a ruling by no rule is called"),
        ),
        (
            "the name of an error",
            beside("  - {id: 'error:x', allow: {}}"),
            Fault("expected a name"),
        ),
        (
            "a group within itself",
            format!("{HEAD}groups: {{a: [group:a]}}\nrules:\n{OPEN}"),
            Fault("people, not groups"),
        ),
        (
            "a file elsewhere",
            beside(
                "  - {id: asks, ask: {engine: rego, dialect: conftest, files: [../../etc/shadow]}}",
            ),
            Fault("no file"),
        ),
        (
            "an engine in the clear",
            beside(
                "  - {id: asks, ask: {engine: opa, dialect: conftest, url: 'http://opa.example.com'}}",
            ),
            Fault("expected an https URL"),
        ),
        (
            "an engine nobody asked",
            beside(
                "  - {id: asks, ask: {engine: opa, dialect: conftest, url: 'https://opa.example.com'}}",
            ),
            Refuse("error:asks"),
        ),
    ]
}

fn intent() -> UnverifiedIntent {
    UnverifiedIntent {
        kind: "vm.delete".to_owned(),
        environment: "prod".to_owned(),
        reason: "a".repeat(2_000),
        ..UnverifiedIntent::default()
    }
}

fn alice() -> Principal {
    Principal {
        id: PrincipalId::local("alice").unwrap(),
        kind: PrincipalKind::Person,
        groups: Default::default(),
        acts_for: Default::default(),
        claims: Map::new(),
    }
}

fn compiled(text: &str) -> Result<Policy, Vec<String>> {
    let document = PolicyDocument { file: "p.yaml".to_owned(), text: text.to_owned() };
    Policy::compile(&[document]).map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn outcome(policy: &Policy, intent: &Intent, requester: &Principal, known: &Known) -> Outcome {
    let now = Timestamp::from_millis(1_767_614_400_000);
    policy.rule(&Situation { intent, requester, known, now }).outcome
}

#[test]
fn a_hostile_policy_is_a_fault_or_refuses() {
    let policies = policies();
    assert!(policies.len() >= 50);
    let intent = intent().verify().unwrap();
    for (name, text, wanted) in policies {
        match (compiled(&text), wanted) {
            (Err(faults), Fault(part)) => {
                let told = faults.iter().any(|fault| fault.contains(part));
                assert!(told, "{name}: {:?}", &faults[..faults.len().min(3)]);
            }
            (Ok(policy), Refuse(rule)) => {
                match outcome(&policy, &intent, &alice(), &Known::default()) {
                    Outcome::Refuse(reasons) => assert_eq!(reasons[0].rule, rule, "{name}"),
                    other @ (Outcome::Permit(_) | Outcome::Require(_)) => {
                        panic!("{name}: {other:?}")
                    }
                }
            }
            (Err(faults), Refuse(_)) => panic!("{name}: {:?}", &faults[..faults.len().min(3)]),
            (Ok(_), Fault(_)) => panic!("{name}: it compiles"),
        }
    }
}

/// Without what is hostile the rules beside it do permit: else the table above would show nothing.
#[test]
fn what_stands_beside_the_hostile_lines_permits() {
    let intent = intent().verify().unwrap();
    for text in
        [beside(""), allowed_when("{intent.kind: vm.delete}"), format!("{HEAD}rules:\n{OPEN}")]
    {
        let policy = compiled(&text).unwrap();
        let told = outcome(&policy, &intent, &alice(), &Known::default());
        assert!(matches!(told, Outcome::Permit(_)), "{text}: {told:?}");
    }
}

/// What one intent says beside the ordinary, and whether it can be an intent at all.
fn intents() -> Vec<(&'static str, UnverifiedIntent, bool)> {
    let with = |change: &dyn Fn(&mut UnverifiedIntent)| {
        let mut stated = intent();
        change(&mut stated);
        stated
    };
    let context = |text: &str| {
        let context: Map<String, Value> = serde_json::from_str(text).unwrap();
        with(&|stated| stated.context = context.clone())
    };
    let environment = |text: &str| with(&|stated| stated.environment = text.to_owned());
    let kind = |text: &str| with(&|stated| stated.kind = text.to_owned());
    let deep = |times: usize| format!("{{\"ok\": {}true{}}}", "[".repeat(times), "]".repeat(times));
    vec![
        ("nothing said", intent(), true),
        ("the text true", context(r#"{"ok": "true"}"#), true),
        ("one for true", context(r#"{"ok": 1}"#), true),
        ("true in a list", context(r#"{"ok": [true]}"#), true),
        ("true in a map", context(r#"{"ok": {"ok": true}}"#), true),
        ("null", context(r#"{"ok": null}"#), true),
        ("OK in capitals", context(r#"{"OK": true}"#), true),
        ("with nothing in it", context("{\"o\u{200b}k\": true}"), true),
        ("of look-alikes", context("{\"\u{43e}k\": true}"), true),
        ("a dot in a name", context(r#"{"deep.ok": true}"#), true),
        ("dots all the way", context(r#"{"deep": {"ok.": true, ".ok": true}}"#), true),
        (
            "a prototype",
            context(r#"{"__proto__": {"ok": true}, "constructor": {"ok": true}}"#),
            true,
        ),
        ("an empty name", context(r#"{"": {"ok": true}, "ok ": true}"#), true),
        ("depth that is read", context(&deep(31)), true),
        ("depth that is not", context(&deep(33)), false),
        (
            "a list of ten thousand",
            context(&format!("{{\"items\": [{}0]}}", "0,".repeat(10_000))),
            true,
        ),
        ("too much", context(&format!("{{\"items\": \"{}\"}}", "x".repeat(65_536))), false),
        ("a number that two numbers share", context(r#"{"size": 9007199254740993}"#), false),
        ("the largest number", context(r#"{"size": 1.7976931348623157e308}"#), true),
        ("the smallest number", context(r#"{"size": -5e-324}"#), true),
        ("a number as text", context(r#"{"size": "1"}"#), true),
        ("a duration for a number", context(r#"{"size": "1h"}"#), true),
        ("an environment in capitals", environment("LAB"), true),
        ("an environment with nothing in it", environment("lab\u{200b}"), false),
        ("an environment that runs backwards", environment("\u{202e}bal"), false),
        ("an environment of look-alikes", environment("l\u{430}b"), false),
        ("an environment and a line", environment("lab\n"), false),
        ("an environment and NUL", environment("lab\0"), false),
        ("no environment", environment(""), false),
        ("a long environment", environment(&"l".repeat(64)), false),
        ("a kind in capitals", kind("VM.Lab"), false),
        ("a kind of dots", kind("vm..lab"), false),
        ("a kind and a line", kind("vm.lab\n"), false),
        ("a kind of look-alikes", kind("vm.l\u{430}b"), false),
        ("no reason but spaces", with(&|stated| stated.reason = " \n\t".to_owned()), false),
        ("a reason too long", with(&|stated| stated.reason = "a".repeat(2_001)), false),
        (
            "a target that runs backwards",
            with(&|stated| drop(stated.target.insert("a\u{202e}".into(), "b".into()))),
            false,
        ),
        (
            "a target of nothing",
            with(&|stated| drop(stated.target.insert("a".into(), String::new()))),
            false,
        ),
        (
            "a target of a MiB",
            with(&|stated| drop(stated.target.insert("a".into(), "b".repeat(1 << 20)))),
            false,
        ),
        (
            "a hundred targets",
            with(&|stated| {
                stated.target = (0..100).map(|at| (format!("t{at}"), "b".to_owned())).collect()
            }),
            false,
        ),
        ("no time at all", with(&|stated| stated.duration = Some(Span::ZERO)), false),
        ("all of time", with(&|stated| stated.duration = Some(Span::from_millis(u64::MAX))), false),
    ]
}

const GATES: &str = "apiVersion: assent/v1
kind: Policy
groups: {operators: [person:bob]}
rules:
  - {id: ok, when: {context.ok: true}, allow: {}}
  - {id: deep, when: {context.deep.ok: true}, allow: {}}
  - {id: listed, when: {context.items: {some: {ok: true}}}, allow: {}}
  - {id: small, when: {context.size: {gt: 0, lt: 10}}, allow: {}}
  - {id: lab, when: {intent.environment: lab}, allow: {}}
  - {id: lab-kind, when: {intent.kind: vm.lab}, allow: {}}
  - {id: operators, when: {requester.groups: {contains: operators}}, allow: {}}
  - {id: ours, when: {requester.network.ip: {cidr: 10.0.0.0/8}}, allow: {}}
  - {id: here, when: {requester.network.country: DE}, allow: {}}
  - {id: employed, when: {requester.claims.employed: true}, allow: {}}
";

#[test]
fn a_hostile_intent_is_a_fault_or_refused() {
    let policy = compiled(GATES).unwrap();
    for (name, stated, is_intent) in intents() {
        let verified = stated.verify();
        assert_eq!(verified.is_ok(), is_intent, "{name}");
        let Ok(intent) = verified else { continue };
        let told = outcome(&policy, &intent, &alice(), &Known::default());
        assert!(matches!(told, Outcome::Refuse(_)), "{name}: {told:?}");
    }
}

#[test]
fn a_hostile_requester_is_nobody_else() {
    let policy = compiled(GATES).unwrap();
    let intent = intent().verify().unwrap();
    let of =
        |iss: &str, sub: &str| Principal { id: PrincipalId::new(iss, sub).unwrap(), ..alice() };
    let claims = |text: &str| Principal { claims: serde_json::from_str(text).unwrap(), ..alice() };
    let groups = |group: &str| Principal { groups: [group.to_owned()].into(), ..alice() };
    let requesters = [
        of("assent:local", "Bob"),
        of("assent:local", "b\u{43e}b"),
        of("assent:local", "bob."),
        of("https://id.example.com", "bob"),
        of("assent:local/", "bob"),
        groups("Operators"),
        groups("operators "),
        groups("operator\u{455}"),
        groups(""),
        claims(r#"{"employed": "true"}"#),
        claims(r#"{"employed": [true]}"#),
        claims(r#"{"claims": {"employed": true}}"#),
    ];
    for requester in requesters {
        let told = outcome(&policy, &intent, &requester, &Known::default());
        assert!(matches!(told, Outcome::Refuse(_)), "{requester:?}: {told:?}");
    }
    let addresses = ["11.0.0.1", "::a00:1", "::ffff:11.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"];
    for ip in addresses {
        let network = Network { ip: Some(ip.parse().unwrap()), country: Some("de".to_owned()) };
        let known = Known { network, ..Known::default() };
        let told = outcome(&policy, &intent, &alice(), &known);
        assert!(matches!(told, Outcome::Refuse(_)), "{ip}: {told:?}");
    }
}

/// The gates do open: else nothing above would show that they were shut.
#[test]
fn each_gate_opens_for_what_it_names() {
    let policy = compiled(GATES).unwrap();
    let permits = |stated: UnverifiedIntent, requester: &Principal, network: Network| {
        let known = Known { network, ..Known::default() };
        let told = outcome(&policy, &stated.verify().unwrap(), requester, &known);
        assert!(matches!(told, Outcome::Permit(_)), "{told:?}");
    };
    for context in [
        r#"{"ok": true}"#,
        r#"{"deep": {"ok": true}}"#,
        r#"{"items": [0, {"ok": true}]}"#,
        r#"{"size": 1}"#,
    ] {
        let context = serde_json::from_str(context).unwrap();
        permits(UnverifiedIntent { context, ..intent() }, &alice(), Network::default());
    }
    let lab = || UnverifiedIntent { environment: "lab".to_owned(), ..intent() };
    permits(lab(), &alice(), Network::default());
    let kind = UnverifiedIntent { kind: "vm.lab".to_owned(), ..intent() };
    permits(kind, &alice(), Network::default());
    let bob = Principal { id: PrincipalId::local("bob").unwrap(), ..alice() };
    permits(intent(), &bob, Network::default());
    let employed = serde_json::from_str(r#"{"employed": true}"#).unwrap();
    permits(intent(), &Principal { claims: employed, ..alice() }, Network::default());
    let ip = |text: &str| Network { ip: Some(text.parse().unwrap()), country: None };
    permits(intent(), &alice(), ip("10.1.2.3"));
    permits(intent(), &alice(), ip("::ffff:10.1.2.3"));
    permits(intent(), &alice(), Network { ip: None, country: Some("DE".to_owned()) });
}
