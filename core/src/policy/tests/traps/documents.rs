//! What is no policy: documents that mislead, that could never settle, or that nobody could keep.

use serde_json::json;

use super::*;

#[test]
fn yaml_1_2_no_on_and_yes_are_words() {
    let told =
        case(json!({"environment": "no", "target": {"a": "on", "b": "yes", "c": "off", "d": "y"}}));
    let when = "intent.environment: no, intent.target.a: on, intent.target.b: yes, intent.target.c: off, intent.target.d: y";
    assert_eq!(truth(when, &told), "true");
    // And 1.2 has sexagesimal numbers and octal ones no more.
    let told = case(json!({"context": {"t": "12:30", "o": 10}}));
    assert_eq!(truth("context.t: 12:30", &told), "true");
    assert_eq!(truth("context.o: 010", &told), "true");
}

#[test]
fn a_key_that_stands_twice_is_a_fault_at_any_depth() {
    check_rule(
        "{id: r, when: {intent.kind: a.b, intent.kind: c.d}, allow: {}}",
        &["p.yaml:6:38: `intent.kind` stands here twice"],
    );
    check_rule(
        "{id: r, when: {context.n: {gt: 1, gt: 2}}, allow: {}}",
        &["p.yaml:6:39: `gt` stands here twice"],
    );
    check_rule("{id: r, allow: {}, 'allow': {}}", &["p.yaml:6:24: `allow` stands here twice"]);
}

#[test]
fn what_could_never_settle_is_not_read() {
    for (when, wanted) in [
        (
            "intent.reason: {gt: a}",
            "`intent.reason` is not tested with `gt`: it has no order; use eq or in",
        ),
        ("intent.kind: {cidr: 10.0.0.0/8}", ""),
        ("plan.deletes: {prefix: a}", "`plan.deletes` is not tested with `prefix`: it is no text"),
        (
            "plan.types: {some: {a: 1}}",
            "`plan.types` is not tested with `some`: it is no list of maps",
        ),
        (
            "plan.tags_only: {gt: 0}",
            "`plan.tags_only` is not tested with `gt`: it has no order; use eq or in",
        ),
        ("intent.kind: {within: x}", "there is no calendar `x`"),
        ("intent.duration: {gt: 5}", "expected a duration such as 10m"),
        ("now: {before: yesterday}", "`yesterday` is not an RFC 3339 time"),
        ("now.time: {lt: '25:00'}", "`25:00` is not a time of day"),
        ("now.date: {lt: '2026-02-30'}", "`2026-02-30` is not a date"),
        ("intent.target.t: {cidr: 10.0.0.1/8}", "has bits set beyond its prefix"),
        ("intent.target.t: {glob: '***'}", "more than two stars in a row"),
        ("intent.target.t: {prefix: ''}", "expected at least one character"),
        ("plan.changes: {some: {typ: a}}", "unknown attribute `typ` (did you mean `type`?)"),
        ("plan.changes: {some: {}}", "expected at least one condition"),
        ("context: {a: 1}", "unknown attribute `context`"),
        ("context.: 1", "unknown attribute `context.`"),
        ("context.a..b: 1", "unknown attribute `context.a..b`"),
        ("any: []", "`any` is empty"),
        ("all: []", "`all` is empty"),
        ("intent.kind: {in: []}", "`in` is empty"),
        ("intent.kind: {any: []}", "`any` is empty"),
        ("intent.kind: {in: a.b}", "expected a list, found text"),
        ("requester.groups: {contains: nobody}", "there is no group `nobody`"),
    ] {
        let text = rules(&format!("  - {{id: r, when: {{{when}}}, deny: {{message: no}}}}"));
        let faults = Policy::compile(&[document("p.yaml", &text)]).err().unwrap_or_default();
        let told: Vec<_> = faults.iter().map(|fault| fault.message.clone()).collect();
        let fits = match wanted {
            "" => told.is_empty(),
            wanted => told.len() == 1 && told[0].contains(wanted),
        };
        assert!(fits, "{when}: {told:?}");
    }
}

#[test]
fn exists_stands_only_where_a_missing_attribute_permits_less() {
    let deny = "deny: {message: no}";
    let require = "require: {stages: [{approvals: 1, from: [group:g]}]}";
    let allow = "allow: {}";
    let ask = "ask: {engine: opa, dialect: assent, url: 'https://opa.example.com'}";
    for (effect, when, may) in [
        (deny, "context.a: {exists: false}", true),
        (deny, "context.a: {exists: true}", false),
        (deny, "context.a: {not: {exists: true}}", true),
        (deny, "not: {context.a: {exists: true}}", true),
        (deny, "not: {context.a: {exists: false}}", false),
        (deny, "not: {not: {context.a: {exists: true}}}", false),
        (
            deny,
            "not: {any: [{context.a: {exists: true}}, {context.b: {not: {exists: false}}}]}",
            true,
        ),
        (deny, "any: [{intent.kind: a.b}, {context.a: {any: [1, {exists: true}]}}]", false),
        (deny, "signals.l: {some: {a: {exists: false}}}", true),
        (deny, "signals.l: {every: {a: {exists: true}}}", false),
        (deny, "signals.l: {not: {some: {a: {exists: true}}}}", true),
        (require, "context.a: {exists: false}", true),
        (require, "all: [{context.a: {exists: true}}]", false),
        (allow, "context.a: {exists: true}", true),
        (allow, "context.a: {exists: false}", false),
        (allow, "not: {context.a: {exists: false}}", true),
        (allow, "not: {signals.l: {some: {a: {exists: true}}}}", false),
        (ask, "context.a: {exists: true}", false),
        (ask, "context.a: {exists: false}", false),
    ] {
        let text = rules(&format!("  - {{id: r, when: {{{when}}}, {effect}}}"));
        let faults = Policy::compile(&[document("p.yaml", &text)]).err().unwrap_or_default();
        assert_eq!(faults.is_empty(), may, "{effect} when {when}: {faults:?}");
        assert!(
            may || faults[0].message.contains("leaving something out would permit more"),
            "{faults:?}"
        );
    }
    let factor =
        format!("{HEAD}risk: [{{id: f, weight: 1, when: {{context.a: {{exists: true}}}}}}]\n");
    check_faults(
        &factor,
        &[
            "p.yaml:3:8: in a risk factor `exists` may not stand: else leaving something out would permit more",
        ],
    );
}

#[test]
fn leaving_out_one_more_attribute_makes_no_deny_waivable() {
    let told = |when: &str| {
        let text = rules(&format!(
            "  - {{id: d, when: {{{when}}}, deny: {{message: no, waivable: true}}}}"
        ));
        Policy::compile(&[document("p.yaml", &text)]).err().unwrap_or_default()
    };
    for fits in [
        "context.ticket: {exists: false}",
        "context.ticket: {exists: false}, intent.environment: x, now.weekday: friday",
        "not: {context.ticket: {exists: true}}, requester.groups: {contains: g}",
        "context.ticket: 1, signals.x: 2",
    ] {
        assert_eq!(told(fits), [], "{fits}");
    }
    // Without the duration it cannot be settled; without the digest as well, it would hold.
    for misfit in [
        "not: {intent.duration: {gt: 10m}, intent.digest: {exists: true}}",
        "context.ticket: {exists: false, not: 1}",
        "any: [{context.ticket: {exists: false}}, {plan.touches_iam: true}]",
        "context.ticket: {exists: false}, intent.kind: {same_as: context.kind}",
        "signals.l: {some: {a: {exists: false}}}",
    ] {
        let faults = told(misfit);
        assert_eq!(faults.len(), 1, "{misfit}");
        assert!(
            faults[0].message.starts_with("a waivable deny that looks at `exists`"),
            "{faults:?}"
        );
    }
}

#[test]
fn no_other_default_is_accepted_than_the_safe_one() {
    for (line, wanted) in [
        ("ruling: permit", "expected `refuse`"),
        ("on_error: permit", "expected `refuse`"),
        ("self_approval: allow", "expected `forbid`"),
        ("distinct_approvers: false", "one person is one approval, always: expected true"),
        ("timezone: Berlin", "`Berlin` is not a time zone"),
        ("on_change: rule_again", "unknown `rule_again`"),
        ("policy_changes: nobody", "unknown `nobody`"),
        ("max_ttl: 0s", "a duration of nothing"),
        ("ruling: [refuse]", "expected `refuse`"),
    ] {
        let text = format!("{HEAD}defaults: {{{line}}}\n");
        let faults = Policy::compile(&[document("p.yaml", &text)]).err().unwrap_or_default();
        assert!(faults.len() == 1 && faults[0].message.contains(wanted), "{line}: {faults:?}");
    }
}

#[test]
fn nobody_has_two_stand_ins_at_once() {
    let delegations = |one: &str, other: &str| {
        format!(
            "{HEAD}delegations:\n  - {{from: person:bob, to: person:zoe, {one}}}\n  - {{from: person:bob, to: person:yan, {other}}}\n"
        )
    };
    let first = "starts: 2026-12-01T00:00:00Z, ends: 2026-12-08T00:00:00Z";
    check_faults(
        &delegations(first, "starts: 2026-12-08T00:00:00Z, ends: 2026-12-09T00:00:00Z"),
        &[],
    );
    check_faults(
        &delegations("starts: 2026-12-08T00:00:00Z, ends: 2026-12-09T00:00:00Z", first),
        &[],
    );
    let clash = "p.yaml:5:5: `bob` has `zoe` standing in at that time already";
    check_faults(
        &delegations(first, "starts: 2026-12-07T23:59:59Z, ends: 2026-12-09T00:00:00Z"),
        &[clash],
    );
    check_faults(
        &delegations(first, "starts: 2026-11-01T00:00:00Z, ends: 2026-12-01T00:00:01Z"),
        &[clash],
    );
    check_faults(
        &delegations(first, "starts: 2026-12-02T00:00:00Z, ends: 2026-12-03T00:00:00Z"),
        &[clash],
    );
    let empty = "starts: 2026-12-09T00:00:00Z, ends: 2026-12-09T00:00:00Z";
    check_faults(&delegations(first, empty), &["p.yaml:5:5: `ends` is not after `starts`"]);
    let themselves = delegations(first, empty).replace("person:yan", "person:bob");
    check_faults(&themselves, &["p.yaml:5:5: nobody stands in for themselves"]);
}

#[test]
fn a_later_review_that_nobody_can_give_is_no_policy() {
    let text = |approvals: u32| {
        rules(&format!(
            "  - {{id: glass, allow: {{post_review: {{by: [group:g], approvals: {approvals}, within: 1h}}}}}}"
        ))
    };
    check_faults(&text(2), &[]);
    let faults = Policy::compile(&[document("p.yaml", &text(3))]).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].message, "the later review asks for 3 people, but only 2 can give one");
}

#[test]
fn a_file_named_like_test_cases_never_hides_a_rule() {
    let allow = "apiVersion: assent/v1\nkind: Policy\nrules: [{id: all, allow: {}}]\n";
    let deny = "apiVersion: assent/v1\nkind: Policy\nrules: [{id: freeze, deny: {message: m}}]\n";
    let files = [document("allow.yaml", allow), document("freeze_test.yaml", deny)];
    let faults = Policy::compile(&files).unwrap_err();
    assert!(faults.iter().all(|fault| fault.place.file == "freeze_test.yaml"), "{faults:?}");
    assert!(faults[0].message.contains("rename it"), "{faults:?}");
}
