//! One mistake to a test, and what is right beside it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;

const HEAD: &str = "apiVersion: assent/v1\nkind: Policy\n";

fn file(text: &str) -> PolicyDocument {
    PolicyDocument { file: "p.yaml".to_owned(), text: format!("{HEAD}{text}") }
}

fn linted(text: &str) -> Vec<Finding> {
    let now = "2026-11-20T10:00:00Z".parse().unwrap();
    match Policy::lint(&[file(text)], Some(now)) {
        Ok(findings) => findings,
        Err(faults) => panic!("{faults:#?}"),
    }
}

/// The findings, as `fault never-matches` or `warning over`.
fn told(text: &str) -> Vec<String> {
    linted(text).iter().map(|f| format!("{} {}", f.severity.word(), f.code)).collect()
}

/// Of one allow with these conditions.
fn of_when(when: &str) -> Vec<String> {
    told(&format!("rules:\n  - {{id: r, when: {{{when}}}, allow: {{}}}}\n"))
}

/// A trust of this issuer, with these claims, that may ask for this.
fn of_trust(shape: &str, claims: &str, may_ask: &str) -> Vec<String> {
    let named = if shape.is_empty() { String::new() } else { format!("shape: {shape}") };
    let issuer = match shape {
        "github-actions" => "https://token.actions.githubusercontent.com",
        _ => "https://oidc.example.com",
    };
    told(&format!(
        "trusts:\n  t:\n    issuer: {issuer}\n    audience: https://assent.example.com\n    \
         {named}\n    claims: {{{claims}}}\n    may_ask: {{{may_ask}}}\n"
    ))
}

#[test]
fn t26_t46_a_trust_that_lets_in_more_than_was_thought_of() {
    let (one, all) = (
        "kinds: [terraform.apply], environments: [prod]",
        "kinds: [\"*\"], environments: [\"**\"]",
    );
    let named = "repository_owner_id: \"1\", repository_id: \"2\", ref: refs/heads/main";
    let uid = "/kubernetes.io/serviceaccount/uid: u-1";
    let wide = ["warning wide-trust"];
    assert_eq!(of_trust("github-actions", named, one), [""; 0]);
    assert_eq!(of_trust("github-actions", named, all), wide);
    assert_eq!(of_trust("github-actions", named, "kinds: [\"**\"], environments: [prod]"), [""; 0]);
    for event in ["pull_request_target", "issue_comment", "workflow_run"] {
        let named = format!("{named}, event_name: {{in: [push, {event}]}}");
        assert_eq!(of_trust("github-actions", &named, one), wide, "{event}");
    }
    assert_eq!(of_trust("kubernetes", "sub: \"system:serviceaccount:ci:deploy\"", one), wide);
    assert_eq!(of_trust("kubernetes", uid, one), [""; 0]);
    assert_eq!(of_trust("", "sub: ci-runner-7", one), [""; 0]);
    assert_eq!(of_trust("", "project_uuid: \"7f\", ref: main", one), wide);
}

#[test]
fn a_rule_that_can_never_match() {
    let never = ["fault never-matches"];
    for when in [
        "intent.kind: {eq: a.b, in: [c.d, e.f]}",
        "intent.environment: prod, all: [{intent.environment: [dev, test]}]",
        "intent.environment: prod, not: {intent.environment: {glob: \"p*\"}}",
        "intent.environment: {prefix: prod, in: [dev, test]}",
        "intent.environment: {all: [{prefix: a}, {prefix: b}]}",
        "intent.environment: {all: [{suffix: a}, {suffix: b}]}",
        "intent.reason: {all: [{glob: \"a*\"}, {not: {glob: \"a*\"}}]}",
        "plan.deletes: {gt: 3, lt: 4}",
        "plan.deletes: {lt: 0}",
        "plan.deletes: {gte: 5, not: {gt: 2}}",
        "plan.deletes: 1.5",
        "plan.deletes: -1",
        "plan.tags_only: true, not: {plan.tags_only: true}",
        "plan.tags_only: {not: {in: [true, false]}}",
        "intent.duration: {gt: 1h, lte: 30m}",
        "now: {after: 2027-01-01T00:00:00Z, before: 2026-12-01T00:00:00Z}",
        "now.time: {gte: \"17:00\", lt: \"09:00\"}",
        "now.weekday: sundy",
        "now.weekday: {not: {in: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]}}",
        "now.weekday: [saturday, sunday], now: {within: {days: [monday, tuesday]}}",
        "intent.kind: Terraform.Apply",
        "intent.category: destroy",
        "intent.kind: terraform.apply, intent.category: access",
        "requester.kind: robot",
        "requester.kind: {not: {in: [person, workload]}}",
        "requester.groups: {contains: eng, not: {contains: eng}}",
        "requester.groups: {contains_all: [eng, ops], not: {contains_any: [ops, x]}}",
        "requester.network.ip: {in: [192.0.2.1], cidr: 10.0.0.0/8}",
        "requester.network.country: germany",
        "intent.target.repo: \"\"",
        "risk.score: {gte: 1}",
        "any: [{intent.environment: prod}, {intent.environment: test}], intent.environment: dev",
        "not: {any: [{intent.environment: prod}, {not: {intent.environment: prod}}]}",
    ] {
        let groups = "groups: {eng: [person:e], ops: [person:o], x: [person:p]}\n";
        let text = format!("{groups}rules:\n  - {{id: r, when: {{{when}}}, allow: {{}}}}\n");
        let found = linted(&text);
        let told: Vec<_> = found
            .iter()
            .filter(|f| f.code != "unused-group")
            .map(|f| format!("{} {}", f.severity.word(), f.code))
            .collect();
        assert_eq!(told, never, "{when}: {found:#?}");
        let never = found.iter().find(|f| f.code == "never-matches").unwrap();
        assert_eq!(never.fault.place.line, 5);
    }
}

#[test]
fn a_rule_that_can_match_is_left_alone() {
    for when in [
        "",
        "intent.kind: {in: [a.b, c.d], not: {eq: a.b}}",
        "intent.environment: {prefix: prod, suffix: eu, glob: \"*\"}",
        "intent.environment: {all: [{prefix: p}, {prefix: prod}]}",
        "plan.deletes: {gte: 3, lte: 3}",
        "plan.deletes: {gt: 3, lt: 5}",
        "now.time: {gte: \"09:00\", lt: \"17:00\"}",
        "now.weekday: monday, now: {within: {days: [sunday], from: \"22:00\", to: \"02:00\"}}",
        "now.weekday: sunday, now: {within: {zone: Asia/Tokyo, days: [monday]}}",
        "intent.kind: terraform.apply, intent.category: change",
        "intent.kind: [terraform.apply, database.session], intent.category: access",
        "any: [{intent.environment: prod}, {intent.environment: dev}], intent.environment: dev",
        "context.n: {gt: 1, lt: 2}",
        "context.list: {contains: a, not: {contains: b}}",
        "requester.network.ip: {in: [10.0.0.7], cidr: 10.0.0.0/8}",
        "plan.changes: {some: {type: a}, every: {type: {not: {eq: b}}}}",
        "plan.tags_only: {not: {eq: true}}",
    ] {
        assert_eq!(of_when(when), [""; 0], "{when}");
    }
}

#[test]
fn free_json_contradicts_itself_only_probably() {
    assert_eq!(of_when("context.n: {eq: a, in: [b]}"), ["warning never-matches"]);
    assert_eq!(of_when("signals.n: {gt: 2, lt: 1}"), ["warning never-matches"]);
}

#[test]
fn a_score_that_no_factors_reach() {
    let text = |least: u32| {
        format!(
            "risk: [{{id: a, weight: 40, when: {{plan.deletes: {{gt: 0}}}}}}, \
             {{id: b, weight: 20, when: {{plan.errored: true}}}}]\n\
             rules: [{{id: r, when: {{risk.score: {{gte: {least}}}}}, allow: {{}}}}]\n"
        )
    };
    assert_eq!(told(&text(60)), [""; 0]);
    assert_eq!(told(&text(61)), ["fault never-matches"]);
    let unasked = "risk: [{id: a, weight: 40, when: {plan.deletes: {gt: 0}}}]\n";
    assert_eq!(told(unasked), ["warning unused-risk"]);
    let never = "risk: [{id: a, weight: 40, when: {plan.deletes: {lt: 0}}}]\n\
                 rules: [{id: r, when: {risk.score: {gte: 1}}, allow: {}}]\n";
    assert_eq!(told(never), ["fault never-matches"]);
}

#[test]
fn what_is_on_file_of_an_environment_decides() {
    let text = |when: &str| {
        format!(
            "environments: {{prod: {{tier: critical, labels: {{region: eu}}}}, test: {{tier: low}}}}\n\
             kinds: {{vm.delete: read}}\n\
             rules: [{{id: r, when: {{{when}}}, allow: {{}}}}]\n"
        )
    };
    for (when, wanted) in [
        ("intent.environment: prod, environment.tier: critical", None),
        ("intent.environment: [prod, test], environment.tier: critical", None),
        ("intent.environment: test, environment.tier: critical", Some("fault never-matches")),
        ("intent.environment: dev, environment.tier: critical", Some("warning never-matches")),
        ("environment.tier: critcal", Some("warning never-matches")),
        ("environment.tier: [critical, hgih]", Some("warning impossible-value")),
        (
            "intent.environment: prod, environment.labels.region: {not: {eq: eu}}",
            Some("fault never-matches"),
        ),
        ("environment.labels.region: us", Some("warning never-matches")),
        ("intent.kind: vm.delete, intent.category: change", Some("fault never-matches")),
    ] {
        assert_eq!(told(&text(when)), Vec::from_iter(wanted), "{when}");
    }
}

#[test]
fn one_of_several_values_that_is_impossible() {
    assert_eq!(of_when("now.weekday: [saturday, sundy]"), ["warning impossible-value"]);
    assert_eq!(
        of_when("plan.actions: {contains_any: [delete, destroy]}"),
        ["warning impossible-value"]
    );
    let found = linted("rules: [{id: r, when: {now.weekday: [saturday, sundy]}, allow: {}}]\n");
    assert!(found[0].fault.message.contains("did you mean `sunday`?"), "{}", found[0].fault);
}

const STAGE: &str = "{name: s, approvals: 1, from: [person:p, person:q]}";

#[test]
fn a_waiver_that_waives_nothing() {
    let text = |waiving: &str, waived: &str| {
        format!(
            "rules:\n  - {{id: a, when: {{{waiving}}}, allow: {{waives: [b]}}}}\n  \
             - {{id: b, when: {{{waived}}}, require: {{stages: [{STAGE}]}}}}\n"
        )
    };
    let dead = ["fault waives-nothing"];
    assert_eq!(told(&text("intent.environment: dev", "intent.environment: prod")), dead);
    assert_eq!(told(&text("intent.kind: x.read", "intent.category: change")), dead);
    assert_eq!(told(&text("plan.deletes: 0", "plan.deletes: {gt: 0}")), dead);
    assert_eq!(told(&text("plan.deletes: 0", "plan.creates: {gt: 0}")), [""; 0]);
    assert_eq!(told(&text("plan.deletes: {exists: true}", "plan.deletes: {exists: false}")), dead);
    // What a kind does that nobody knows is unknown, and an unknown require is waived as well.
    let unknown = told(&text("intent.kind: x.y", "intent.category: change"));
    assert_eq!(unknown, ["warning waives-nothing"]);
}

#[test]
fn what_two_must_approve_and_nobody_does() {
    let text = |allow: &str, more: &str| {
        format!(
            "rules:\n  - {{id: a, when: {{intent.environment: prod, plan.tags_only: true}}, allow: {{waives: [two]{allow}}}}}\n  \
             - {{id: two, when: {{intent.environment: prod}}, require: {{stages: [{{name: s, approvals: 2, from: [person:p, person:q, person:r]}}]}}}}\n{more}"
        )
    };
    assert_eq!(told(&text("", "")), ["warning waives-two"]);
    let reviewed =
        ", post_review: {by: [person:p, person:q], within: 24h, if_missed: {suspend: a}}";
    assert_eq!(told(&text(reviewed, "")), [""; 0]);
    let others = "  - {id: b, when: {plan.tags_only: true}, require: {stages: [{name: s, approvals: 2, from: [person:p, person:q, person:r]}]}}\n";
    assert_eq!(told(&text("", others)), [""; 0]);
    let one = others.replace("approvals: 2", "approvals: 1");
    assert_eq!(told(&text("", &one)), ["warning waives-two"]);
    let said = |text: &str| linted(text).remove(0).fault.message;
    assert!(said(&text("", "")).contains("waives that, nobody is asked instead"));
    assert!(said(&text("", &one)).contains("only 1 person is still asked, by `b`"));
}

#[test]
fn a_timer_that_something_else_ends() {
    let text = |stage: &str, require: &str, more: &str| {
        format!(
            "rules:\n  - {{id: a, when: {{intent.environment: prod}}, require: {{{require}stages: [{{name: s, approvals: 1, from: [person:p, person:q]{stage}}}]}}}}\n{more}"
        )
    };
    let escalate = |after: &str| format!("escalate: {{after: {after}, to: [person:r]}}, ");
    let late = ["warning timer-too-long"];
    assert_eq!(told(&text("", &escalate("23h"), "")), [""; 0]);
    assert_eq!(told(&text("", &escalate("24h"), "")), late);
    assert_eq!(told(&text("", "request_expires: 1h, remind: 1h, ", "")), late);
    assert_eq!(told(&text("", "request_expires: 1h, remind: 59m, ", "")), [""; 0]);
    assert_eq!(told(&text(", expires_after: 1d", "", "")), late);
    assert_eq!(told(&text(", expires_after: 1h", &escalate("1h"), "")), late);
    assert_eq!(told(&text("", &escalate("1h"), "defaults: {request_expires: 1h}\n")), late);
    // Where another rule gives people longer, so long may it last.
    let longer = "  - {id: b, when: {intent.kind: x.y}, require: {request_expires: 2d, stages: [{name: s, approvals: 1, from: [person:p, person:q]}]}}\n";
    assert_eq!(told(&text("", &escalate("24h"), longer)), [""; 0]);
    let said = linted(&text("", &escalate("24h"), "")).remove(0).fault.message;
    assert!(said.starts_with("`escalate.after` of stage `a/s` never comes"), "{said}");
}

#[test]
fn a_bound_that_is_given_is_not_taken_for_a_test() {
    let risk = "risk: [{id: f, weight: 20, when: {plan.tags_only: true}}]\n";
    let text = format!(
        "{risk}rules:\n  - {{id: r, when: {{risk.score: {{gt: 30}}}}, require: {{stages: [{STAGE}]}}}}\n"
    );
    let said = linted(&text).remove(0).fault.message;
    assert!(said.contains("cannot hold: all factors together weigh 20"), "{said}");
}

#[test]
fn a_later_review_without_a_consequence_and_a_glass_broken_for_long() {
    let text = |allow: &str| {
        format!("rules:\n  - {{id: a, allow: {{{allow}}}}}\n  - {{id: b, allow: {{waives: []}}}}\n")
            .replace(", allow: {waives: []}", ", when: {intent.kind: x.y}, allow: {}")
    };
    let review = |missed: &str| format!("post_review: {{by: [person:p], within: 24h{missed}}}");
    let suspends = |id: &str| format!(", if_missed: {{suspend: {id}}}");
    assert_eq!(told(&text(&review(""))), ["warning review-without-consequence"]);
    assert_eq!(told(&text(&review(&suspends("b")))), ["warning review-without-consequence"]);
    assert_eq!(told(&text(&review(&suspends("a")))), [""; 0]);
    let long =
        |ttl: &str| text(&format!("credential: {{max_ttl: {ttl}}}, {}", review(&suspends("a"))));
    assert_eq!(told(&long("1h")), [""; 0]);
    assert_eq!(told(&long("2h")), ["warning long-break-glass"]);
}

#[test]
fn twice_the_same_and_never_heard() {
    let same = format!(
        "rules:\n  - {{id: a, when: {{intent.kind: x.y, intent.environment: p}}, require: {{stages: [{STAGE}]}}}}\n  \
         - {{id: b, when: {{intent.environment: p, intent.kind: x.y}}, require: {{stages: [{STAGE}]}}}}\n"
    );
    assert_eq!(told(&same), ["warning duplicate"]);
    assert_eq!(
        told(&same.replacen("approvals: 1", "approvals: 2", 1).replace("q]", "q, person:r]")),
        [""; 0]
    );
    let shadowed = "rules:\n  - {id: a, when: {intent.kind: x.y, intent.environment: p}, allow: {}}\n  \
                    - {id: no, when: {intent.environment: p}, deny: {message: no, waivable: true}}\n";
    assert_eq!(told(shadowed), ["warning shadowed"]);
    let lifted =
        format!("{shadowed}  - {{id: w, when: {{context.w: true}}, allow: {{waives: [no]}}}}\n");
    assert_eq!(told(&lifted), [""; 0]);
}

#[test]
fn names_that_nobody_says() {
    assert_eq!(told("groups: {eng: [person:a]}\n"), ["warning unused-group"]);
    assert_eq!(told("metadata: {owner: group:eng}\ngroups: {eng: [person:a]}\n"), [""; 0]);
    for used in [
        "when: {requester.groups: {contains: eng}}, allow: {}",
        "allow: {notify: [group:eng]}",
        "require: {stages: [{name: s, approvals: 1, from: [person:p, person:q], exclude: [group:eng]}]}",
        "require: {stages: [{name: s, approvals: 1, from: [person:p, person:q]}], escalate: {after: 1h, to: [group:eng]}}",
        "allow: {post_review: {by: [group:eng], within: 1h, if_missed: {suspend: r}}}",
    ] {
        let text = format!("groups: {{eng: [person:a, person:b]}}\nrules: [{{id: r, {used}}}]\n");
        assert_eq!(told(&text), [""; 0], "{used}");
    }
    assert_eq!(told("calendars: {office: {days: [monday]}}\n"), ["warning unused-calendar"]);
    let owners = "owners: [{target: {repo: a}, owners: [person:a, person:b]}]\n";
    assert_eq!(told(owners), ["warning unused-owners"]);
}

#[test]
fn what_is_over() {
    let delegation = |ends: &str| {
        format!(
            "delegations: [{{from: person:a, to: person:b, starts: 2026-11-01T00:00:00Z, ends: {ends}}}]\n"
        )
    };
    assert_eq!(told(&delegation("2026-11-20T10:00:00Z")), ["warning over"]);
    assert_eq!(told(&delegation("2026-11-20T10:00:01Z")), [""; 0]);
    assert_eq!(of_when("now: {before: 2026-11-20T10:00:00Z}"), ["warning over"]);
    assert_eq!(of_when("now: {before: 2026-11-20T10:00:01Z}"), [""; 0]);
    let calendar = |date: &str| {
        format!(
            "calendars: {{c: {{include: [{date}]}}}}\nrules: [{{id: r, when: {{now: {{within: c}}}}, allow: {{}}}}]\n"
        )
    };
    assert_eq!(told(&calendar("2026-01-01")), ["warning over"]);
    assert_eq!(told(&calendar("2027-01-01")), [""; 0]);
    let timeless = Policy::lint(&[file(&calendar("2026-01-01"))], None).unwrap();
    assert_eq!(timeless, []);
}

#[test]
fn those_who_ask_and_would_have_to_approve() {
    let text = |when: &str, from: &str, more: &str| {
        format!(
            "groups: {{ops: [person:a, person:b]}}\nrules: [{{id: r, when: {{{when}}}, require: \
             {{stages: [{{name: s, approvals: 1, from: [{from}]}}]{more}}}}}]\n"
        )
    };
    let alone = ["warning approver-asks"];
    let sub = "requester.sub: bob, requester.groups: {contains: ops}";
    assert_eq!(told(&text(sub, "person:bob", "")), alone);
    assert_eq!(told(&text(sub, "person:bob, person:eve", "")), [""; 0]);
    let group = "requester.groups: {contains: ops}";
    assert_eq!(told(&text(group, "group:ops", "")), [""; 0]);
    assert_eq!(told(&text(group, "person:a", "")), alone);
    assert_eq!(told(&text(group, "person:c", "")), [""; 0]);
    assert_eq!(told(&text(&format!("requester.kind: workload, {group}"), "person:a", "")), [""; 0]);
    assert_eq!(told(&text(group, "person:a", ", escalate: {after: 1h, to: [person:b]}")), [""; 0]);
}

#[test]
fn faults_come_before_findings() {
    for (text, wanted) in [
        (
            "rules: [{id: r, when: {intent.knd: x}, allow: {}}]",
            "unknown attribute `intent.knd` (did you mean `intent.kind`?)",
        ),
        (
            "rules: [{id: r, require: {stages: [{approvals: 1, from: [group:ghosts]}]}}]",
            "there is no group `ghosts`",
        ),
        (
            "rules: [{id: r, require: {stages: [{approvals: 2, from: [person:a]}]}}]",
            "asks for 2 approvals, but only 1 person",
        ),
        ("rules: [{id: r, allow: {}}, {id: r, allow: {}}]", "rule `r` stands already"),
        ("rules: [{id: r, allow: {waives: [no]}}]", "cannot waive `no`: there is no such rule"),
    ] {
        let faults = Policy::lint(&[file(text)], None).unwrap_err();
        assert!(faults[0].message.contains(wanted), "{text}: {faults:#?}");
    }
    let twice = [
        file("rules: [{id: r, allow: {}}]"),
        PolicyDocument {
            file: "q.yaml".to_owned(),
            ..file("rules: [{id: r, deny: {message: no}}]")
        },
    ];
    let faults = Policy::lint(&twice, None).unwrap_err();
    assert_eq!(faults[0].to_string(), "q.yaml:3:9: rule `r` stands already at p.yaml:3");
}

/// Every directory of the corpus and of the examples that holds documents, with all its files.
fn corpus() -> BTreeMap<String, Vec<PolicyDocument>> {
    fn read(at: &Path, all: &mut BTreeMap<String, Vec<PolicyDocument>>, top: &str) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                let top = if top.is_empty() { path.display().to_string() } else { top.to_owned() };
                read(&path, all, &top);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let document = PolicyDocument { file: path.display().to_string(), text };
                all.entry(top.to_owned()).or_default().push(document);
            }
        }
    }
    let mut all = BTreeMap::new();
    read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/policies")), &mut all, "");
    all.remove("");
    all
}

#[test]
fn nothing_in_the_corpus_is_called_impossible() {
    let corpus = corpus();
    assert!(corpus.len() > 15);
    for (directory, mut files) in corpus {
        let ruling = |file: &PolicyDocument| {
            [".yaml", ".rego", ".json"].iter().any(|ending| file.file.ends_with(ending))
        };
        files.retain(ruling);
        let findings = Policy::lint(&files, None).unwrap_or_else(|f| panic!("{directory}: {f:#?}"));
        let faults: Vec<_> = findings.iter().filter(|f| f.severity == Severity::Fault).collect();
        assert!(faults.is_empty(), "{directory}: {faults:#?}");
    }
}

/// Conditions over two attributes with few values, so that contradictions are common.
fn conditions() -> impl Strategy<Value = String> {
    let value = || prop_oneof!["a", "b", "c"].prop_map(|v| v.to_string());
    let leaf = prop_oneof![
        value().prop_map(|v| format!("{{intent.environment: {v}}}")),
        (value(), value()).prop_map(|(v, w)| format!("{{intent.environment: [{v}, {w}]}}")),
        value().prop_map(|v| format!("{{intent.environment: {{not: {{eq: {v}}}}}}}")),
        value().prop_map(|v| format!("{{intent.environment: {{glob: \"{v}*\"}}}}")),
        (0..4_u8).prop_map(|n| format!("{{intent.duration: {{gt: {}s}}}}", n + 1)),
        (0..4_u8).prop_map(|n| format!("{{intent.duration: {{lte: {}s}}}}", n + 1)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3)
                .prop_map(|all| format!("{{all: [{}]}}", all.join(", "))),
            prop::collection::vec(inner.clone(), 1..3)
                .prop_map(|any| format!("{{any: [{}]}}", any.join(", "))),
            inner.prop_map(|one| format!("{{not: {one}}}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// What is called impossible matches nothing there is.
    #[test]
    fn what_is_called_impossible_never_matches(when in conditions()) {
        use crate::policy::ruling::Outcome;
        use crate::policy::situation::{Known, Situation};
        use crate::principal::{Principal, PrincipalId, PrincipalKind};

        let files = [file(&format!("rules: [{{id: r, when: {when}, allow: {{}}}}]\n"))];
        let findings = Policy::lint(&files, None).unwrap();
        let never = findings.iter().any(|finding| finding.code == "never-matches");
        let policy = Policy::compile(&files).unwrap();
        let requester = Principal {
            id: PrincipalId::local("alice").unwrap(),
            kind: PrincipalKind::Person,
            groups: Default::default(),
            acts_for: Default::default(),
            claims: Default::default(),
        };
        let mut matched = false;
        for environment in ["a", "b", "c", "d", "ax", "bx"] {
            for seconds in 1..7 {
                let mut stated = crate::intent::tests::stated("x.y", environment);
                stated.duration = Some(crate::time::Span::seconds(seconds));
                let intent = stated.verify().unwrap();
                let known = Known::default();
                let now = Timestamp::from_millis(0);
                let situation = Situation { intent: &intent, requester: &requester, known: &known, now };
                matched |= matches!(policy.rule(&situation).outcome, Outcome::Permit(_));
            }
        }
        prop_assert!(!(never && matched), "{when} is called impossible and matches");
        // These attributes have no more cases than were tried; of globs it is not told whether
        // two can meet.
        let told = never || matched || when.contains("glob");
        prop_assert!(told, "{when} is impossible, and nobody says so");
    }
}

#[test]
fn a_policy_whose_changes_nobody_could_approve() {
    let with = |rules: &str| {
        told(&format!("defaults: {{policy_changes: approved}}\nrules: [{{id: r, {rules}}}]\n"))
    };
    let ask = "require: {stages: [{approvals: 1, from: [person:bob, person:carol]}]}";
    for fixed in [
        format!("when: {{intent.kind: terraform.apply}}, {ask}"),
        format!("when: {{intent.environment: production}}, {ask}"),
        format!("when: {{not: {{intent.kind: assent.policy}}}}, {ask}"),
        "when: {intent.kind: assent.policy}, deny: {message: never}".to_owned(),
    ] {
        assert_eq!(with(&fixed), ["warning policy-is-fixed"], "{fixed}");
    }
    for open in [
        format!("when: {{intent.kind: assent.policy}}, {ask}"),
        format!("when: {{intent.kind: {{glob: \"assent.*\"}}, intent.environment: assent}}, {ask}"),
        format!("when: {{intent.target.document: {{glob: \"groups/*\"}}}}, {ask}"),
        "when: {intent.kind: assent.policy}, allow: {}".to_owned(),
    ] {
        assert_eq!(with(&open), Vec::<String>::new(), "{open}");
    }
    let alone = "defaults: {policy_changes: administrator}\n";
    assert_eq!(told(alone), Vec::<String>::new());
}

/// An authority with this control, and a rule with these conditions that asks it.
fn of_authority(controls: &str, when: &str) -> Vec<String> {
    told(&format!(
        "authorities:\n  pay: {{issuer: https://pay.example, controls: [{{{controls}}}]}}\nrules:\n  \
         - {{id: r, when: {{{when}}}, require: {{stages: [{{approvals: 1, from: [{{authority: \
         pay}}]}}]}}}}\n"
    ))
}

#[test]
fn an_authority_that_is_asked_about_what_is_not_its_own_or_controls_everything() {
    let theirs = "kinds: [terraform.*], environments: [prod], target: {workspace: pay*}";
    assert_eq!(of_authority(theirs, "intent.environment: prod"), [""; 0]);
    assert_eq!(of_authority(theirs, "intent.target.workspace: pay-1"), [""; 0]);
    let asks = ["warning asks-no-owner"];
    assert_eq!(of_authority(theirs, "intent.environment: staging"), asks);
    assert_eq!(of_authority(theirs, "intent.kind: [database.session, k8s.exec]"), asks);
    assert_eq!(of_authority(theirs, "intent.target.workspace: orders"), asks);
    let all = "kinds: [\"**\"], environments: [\"*\"]";
    assert_eq!(of_authority(all, "intent.environment: prod"), ["warning wide-authority"]);
    let unused = "authorities:\n  pay: {issuer: https://pay.example, controls: \
        [{kinds: [a.b], environments: [c]}]}\nrules:\n  - {id: r, allow: {}}\n";
    assert_eq!(told(unused), ["warning unused-authority"]);
}

/// A rule that names a broker, and one that lets these audiences have a token.
fn of_audiences(audiences: &str, when: &str) -> Vec<String> {
    told(&format!(
        "rules:\n  - {{id: b, when: {{intent.kind: aws.deploy}}, allow: {{credential: {{broker: aws, \
         role: deployer}}}}}}\n  - {{id: t, when: {{{when}}}, allow: {{credential: {{audiences: \
         [{audiences}]}}}}}}\n"
    ))
}

#[test]
fn a_token_that_opens_what_a_broker_opens_without_its_session_policy() {
    let around = ["warning around-broker"];
    assert_eq!(of_audiences("sts.amazonaws.com", "intent.kind: aws.deploy"), around);
    assert_eq!(of_audiences("vault, sts.amazonaws.com", "intent.environment: prod"), around);
    assert_eq!(of_audiences("vault", "intent.kind: aws.deploy"), [""; 0]);
    // What no broker is for, is had directly or not at all.
    assert_eq!(of_audiences("sts.amazonaws.com", "intent.kind: terraform.apply"), [""; 0]);
    let alone = "rules: [{id: r, allow: {credential: {audiences: [sts.amazonaws.com]}}}]\n";
    assert_eq!(told(alone), [""; 0]);
    // One rule that says both.
    let both =
        "rules: [{id: r, allow: {credential: {broker: aws, audiences: [sts.amazonaws.com]}}}]\n";
    assert_eq!(told(both), around);
    let Finding { fault, .. } = linted(both).remove(0);
    assert!(fault.message.contains("take the audience out of the rule"), "{}", fault.message);
}

#[test]
fn reviewers_whose_accounts_are_not_known_are_told() {
    let rule = |group: &str| {
        format!(
            "rules: [{{id: r, require: {{stages: [{{approvals: 1, from: [group:{group}]}}]}}}}]\n"
        )
    };
    let team = format!("groups: {{rm: {{github_team: acme/rm}}}}\n{}", rule("rm"));
    assert_eq!(told(&team), ["warning unlinked-team"]);
    let linked = format!("people: {{alice: {{github: '1'}}}}\n{team}");
    assert_eq!(told(&linked), [""; 0]);
    let listed = format!(
        "people: {{alice: {{github: '1'}}}}\ngroups: {{a: [person:alice, person:bob]}}\n{}",
        rule("a")
    );
    assert_eq!(told(&listed), ["warning unlinked-person"]);
    let allowed = format!("defaults: {{unlinked_reviewers: allow}}\n{listed}");
    assert_eq!(told(&allowed), [""; 0]);
}
