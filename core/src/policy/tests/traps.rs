//! Each trap that a policy language can fall into, by its name: what is easily got wrong, and what
//! a person who writes policies would be surprised by.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::*;
use crate::plan;
use crate::policy::opinion::Opinion;
use crate::policy::ruling::PostReview;
use crate::policy::situation::{Concerns, KnownPlan, Network};
use crate::time::{Span, Timestamp};

/// What is known, as JSON: `{"now", "kind", "target", "context", "signals", "claims", "ip"}`.
#[derive(Clone, Debug)]
struct Case {
    told: Map<String, Value>,
    plan: Option<(plan::Facts, Option<Vec<plan::Change>>)>,
    opinions: BTreeMap<String, Opinion>,
    suspended: BTreeSet<String>,
}

fn case(told: Value) -> Case {
    let told = told.as_object().unwrap().clone();
    Case { told, plan: None, opinions: BTreeMap::new(), suspended: BTreeSet::new() }
}

impl Case {
    fn with_plan(mut self, facts: plan::Facts, changes: Option<Vec<plan::Change>>) -> Self {
        self.plan = Some((facts, changes));
        self
    }

    fn answered(mut self, rule: &str, opinion: Opinion) -> Self {
        self.opinions.insert(rule.to_owned(), opinion);
        self
    }

    fn text(&self, key: &str, otherwise: &str) -> String {
        self.told.get(key).and_then(Value::as_str).unwrap_or(otherwise).to_owned()
    }

    fn map(&self, key: &str) -> Map<String, Value> {
        self.told.get(key).and_then(Value::as_object).cloned().unwrap_or_default()
    }

    fn ruled(&self, policy: &Policy) -> Ruling {
        let target = self.map("target");
        let stated = UnverifiedIntent {
            kind: self.text("kind", "a.b"),
            environment: self.text("environment", "x"),
            target: target
                .iter()
                .map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned()))
                .collect(),
            context: self.map("context"),
            reason: self.text("reason", "because"),
            duration: self.told.get("minutes").and_then(Value::as_u64).map(Span::minutes),
            ..UnverifiedIntent::default()
        };
        let requester = Principal {
            id: PrincipalId::local(&self.text("who", "alice")).unwrap(),
            kind: PrincipalKind::Person,
            groups: BTreeSet::new(),
            acts_for: BTreeSet::new(),
            claims: self.map("claims"),
        };
        let ip = self.told.get("ip").map(|ip| ip.as_str().unwrap().parse().unwrap());
        let plan = self.plan.clone().map(|(facts, changes)| KnownPlan {
            digest: Digest::of(b"plan"),
            facts,
            changes: changes.map(Arc::from),
        });
        let known = Known {
            network: Network { ip, country: None },
            plan,
            signals: self.map("signals"),
            concerns: Concerns::default(),
            suspended: self.suspended.clone(),
            opinions: self.opinions.clone(),
        };
        let now: Timestamp = self.text("now", "2026-11-20T10:00:00Z").parse().unwrap();
        let intent = stated.verify().unwrap();
        policy.rule(&Situation { intent: &intent, requester: &requester, known: &known, now })
    }
}

/// What one test of one attribute comes to: `true` where an allow of it permits, `unknown` where a
/// deny of it cannot be settled.
#[track_caller]
fn truth(when: &str, case: &Case) -> &'static str {
    truth_with("", when, case)
}

#[track_caller]
fn truth_with(sections: &str, when: &str, case: &Case) -> &'static str {
    let text = format!(
        "{HEAD}{sections}rules:\n  - {{id: all, allow: {{}}}}\n  - {{id: d, when: {{{when}}}, deny: {{message: no}}}}\n"
    );
    let ruling = case.ruled(&compiled(&text));
    match ruling.rules.iter().next().unwrap().as_str() {
        "d" => "true",
        "indeterminate:d" => "unknown",
        "all" => "false",
        other => panic!("{other}"),
    }
}

#[track_caller]
fn permits(text: &str, case: &Case) -> bool {
    matches!(case.ruled(&compiled(text)).outcome, Outcome::Permit(_))
}

#[track_caller]
fn ruling(text: &str, case: &Case) -> String {
    said(&case.ruled(&compiled(text)))
}

// 6.3: what each operator means.

#[test]
fn all_operators_of_a_map_must_hold_and_not_only_the_first() {
    let five = case(json!({"context": {"n": 5}}));
    for (when, wanted) in [
        ("context.n: {gt: 1, lt: 3}", "false"),
        ("context.n: {lt: 3, gt: 1}", "false"),
        ("context.n: {gt: 1, lt: 9}", "true"),
        ("context.n: {gte: 5, lte: 5, not: 6}", "true"),
        ("context.n: {gt: 1, not: 5}", "false"),
        ("context.n: {any: [{gt: 8}, {lt: 9}], gt: 5}", "false"),
    ] {
        assert_eq!(truth(when, &five), wanted, "{when}");
    }
}

#[test]
fn an_absent_condition_does_not_stop_the_others_from_being_looked_at() {
    // Wherever the false one stands, it settles the rule.
    for when in
        ["context.gone: 1, intent.kind: other.kind", "intent.kind: other.kind, context.gone: 1"]
    {
        assert_eq!(truth(when, &case(json!({}))), "false", "{when}");
    }
    // And where nothing is false, the absent one keeps it open, wherever it stands.
    for when in ["context.gone: 1, intent.kind: a.b", "intent.kind: a.b, context.gone: 1"] {
        assert_eq!(truth(when, &case(json!({}))), "unknown", "{when}");
    }
}

#[test]
fn three_values_of_not_any_and_all() {
    let nothing = case(json!({}));
    for (when, wanted) in [
        ("not: {context.gone: 1}", "unknown"),
        ("not: {context.gone: 1, intent.kind: other.kind}", "true"),
        ("any: [{context.gone: 1}, {intent.kind: a.b}]", "true"),
        ("any: [{context.gone: 1}, {intent.kind: other.kind}]", "unknown"),
        ("any: [{intent.kind: other.kind}, {intent.environment: y}]", "false"),
        ("all: [{context.gone: 1}, {intent.kind: other.kind}]", "false"),
        ("all: [{context.gone: 1}, {intent.kind: a.b}]", "unknown"),
        ("context.gone: {not: 1}", "unknown"),
        ("context.gone: {any: [{not: 1}, 2]}", "unknown"),
        ("context.gone: {same_as: intent.kind}", "unknown"),
        ("intent.kind: {same_as: context.gone}", "unknown"),
        ("context.gone: {same_as: context.gone}", "unknown"),
    ] {
        assert_eq!(truth(when, &nothing), wanted, "{when}");
    }
}

#[test]
fn a_value_of_another_type_is_unknown_and_never_converted() {
    let told = case(json!({"context": {
        "text": "5", "number": 5, "float": 5.5, "yes": true, "word": "true", "list": ["a"], "map": {"a": 1}, "null": null,
    }}));
    for (when, wanted) in [
        ("context.text: 5", "unknown"),
        ("context.number: '5'", "unknown"),
        ("context.number: 5.0", "true"),
        ("context.float: 5.5", "true"),
        ("context.yes: 'true'", "unknown"),
        ("context.word: true", "unknown"),
        ("context.text: {gt: 1}", "unknown"),
        ("context.yes: {gt: 0}", "unknown"),
        ("context.number: {prefix: '5'}", "unknown"),
        ("context.number: {glob: '*'}", "unknown"),
        ("context.list: a", "unknown"),
        ("context.text: {contains: '5'}", "unknown"),
        ("context.map: {contains: a}", "unknown"),
        ("context.list: {some: {a: 1}}", "unknown"),
        ("context.map: {some: {a: 1}}", "unknown"),
        ("context.text: {cidr: 10.0.0.0/8}", "unknown"),
        ("context.map.a: 1", "true"),
        ("context.text.a: 1", "unknown"),
        ("context.null: 1", "unknown"),
        ("context.number: {same_as: context.text}", "unknown"),
        ("context.yes: {same_as: context.word}", "unknown"),
    ] {
        assert_eq!(truth(when, &told), wanted, "{when}");
    }
}

#[test]
fn lists_hold_one_or_all_and_another_type_is_not_held() {
    let told = case(json!({"context": {"l": ["a", 1, true, ["b"]], "e": []}}));
    for (when, wanted) in [
        ("context.l: {contains: a}", "true"),
        ("context.l: {contains: 1}", "true"),
        ("context.l: {contains: '1'}", "false"),
        ("context.l: {contains: b}", "false"),
        ("context.l: {contains_any: [z, true]}", "true"),
        ("context.l: {contains_all: [a, z]}", "false"),
        ("context.l: {contains_all: [a, 1, true]}", "true"),
        ("context.e: {contains: a}", "false"),
        ("context.e: {contains_any: [a]}", "false"),
        ("context.gone: {contains: a}", "unknown"),
    ] {
        assert_eq!(truth(when, &told), wanted, "{when}");
    }
}

#[test]
fn every_element_of_no_elements_is_nothing() {
    let told = case(json!({"signals": {"none": [], "two": [{"n": 1}, {}]}}));
    for (when, wanted) in [
        ("signals.none: {every: {n: 1}}", "false"),
        ("signals.none: {some: {n: 1}}", "false"),
        ("signals.two: {some: {n: 1}}", "true"),
        ("signals.two: {some: {n: 2}}", "unknown"),
        ("signals.two: {every: {n: 1}}", "unknown"),
        ("signals.two: {every: {n: 2}}", "false"),
        ("signals.two: {some: {n: {exists: false}}}", "true"),
        ("signals.two: {not: {some: {n: 2}}}", "unknown"),
    ] {
        assert_eq!(truth(when, &told), wanted, "{when}");
    }
}

#[test]
fn an_empty_plan_is_not_one_that_only_changes_tags() {
    let text = rules(
        "
  - {id: apply, require: {stages: [{approvals: 1, from: [group:g]}]}}
  - {id: tags, when: {plan.changes: {every: {tags_only: true}}}, allow: {waives: [apply]}}",
    );
    let tags = |tags_only| plan::Change { tags_only, ..plan::Change::default() };
    let with = |changes: Option<Vec<plan::Change>>| {
        case(json!({})).with_plan(plan::Facts::default(), changes)
    };
    assert!(permits(&text, &with(Some(vec![tags(Some(true)), tags(Some(true))]))));
    for changes in [
        None,
        Some(vec![]),
        Some(vec![tags(Some(true)), tags(None)]),
        Some(vec![tags(Some(false))]),
    ] {
        assert!(!permits(&text, &with(changes.clone())), "{changes:?}");
    }
    assert!(!permits(&text, &case(json!({}))), "no plan at all");
}

#[test]
fn within_is_half_open_and_a_night_belongs_to_the_evening_it_began() {
    let sections = "calendars: {hours: {zone: Europe/Berlin, days: [friday], from: '09:00', to: '17:00'}, night: {zone: Europe/Berlin, days: [friday], from: '22:00', to: '06:00'}}\n";
    let at = |now: &str| case(json!({"now": now}));
    for (when, now, wanted) in [
        ("now: {within: hours}", "2026-11-20T07:59:59.999Z", "false"),
        ("now: {within: hours}", "2026-11-20T08:00:00Z", "true"),
        ("now: {within: hours}", "2026-11-20T15:59:59.999Z", "true"),
        ("now: {within: hours}", "2026-11-20T16:00:00Z", "false"),
        ("now: {within: night}", "2026-11-20T21:00:00Z", "true"),
        ("now: {within: night}", "2026-11-21T04:59:59Z", "true"),
        ("now: {within: night}", "2026-11-21T05:00:00Z", "false"),
        ("now: {within: night}", "2026-11-20T04:00:00Z", "false"),
        ("now: {not: {within: night}}", "2026-11-20T21:00:00Z", "false"),
        (
            "now: {within: {days: [friday], from: '09:00', to: '10:00'}}",
            "2026-11-20T09:30:00Z",
            "true",
        ),
        (
            "now: {within: {days: [friday], from: '09:00', to: '10:00', zone: Europe/Berlin}}",
            "2026-11-20T09:30:00Z",
            "false",
        ),
        ("now: {before: 2026-11-20T10:00:00Z}", "2026-11-20T10:00:00Z", "false"),
        ("now: {after: 2026-11-20T10:00:00Z}", "2026-11-20T10:00:00Z", "true"),
        ("now: {before: 2026-11-20T11:00:00+01:00}", "2026-11-20T09:59:59.999Z", "true"),
        (
            "now: {after: 2026-11-20T09:00:00Z, before: 2026-11-20T11:00:00Z}",
            "2026-11-20T10:00:00Z",
            "true",
        ),
    ] {
        assert_eq!(truth_with(sections, when, &at(now)), wanted, "{when} at {now}");
    }
}

#[test]
fn weekday_date_and_time_are_those_of_the_policys_zone() {
    let zone = "defaults: {timezone: Pacific/Auckland}\n";
    // A Friday evening in UTC is a Saturday morning there.
    let told = case(json!({"now": "2026-11-20T20:15:00Z"}));
    for (when, wanted) in [
        ("now.weekday: saturday", "true"),
        ("now.weekday: [friday]", "false"),
        ("now.date: 2026-11-21", "true"),
        ("now.date: {lt: 2026-11-21}", "false"),
        ("now.time: {gte: '09:15', lt: '09:16'}", "true"),
    ] {
        assert_eq!(truth_with(zone, when, &told), wanted, "{when}");
    }
    assert_eq!(truth("now.weekday: friday", &told), "true", "UTC, where nothing is said");
}

#[test]
fn an_ipv4_mapped_address_is_the_ipv4_address() {
    let from = |ip: &str| case(json!({"ip": ip, "context": {"ip": ip}}));
    for (ip, when, wanted) in [
        ("::ffff:10.1.2.3", "requester.network.ip: {cidr: 10.0.0.0/8}", "true"),
        ("10.1.2.3", "requester.network.ip: {cidr: '::ffff:10.0.0.0/104'}", "true"),
        ("10.1.2.3", "requester.network.ip: {cidr: '::/0'}", "false"),
        ("::ffff:10.1.2.3", "requester.network.ip: 10.1.2.3", "true"),
        ("::ffff:10.1.2.3", "context.ip: {cidr: [192.0.2.0/24, 10.0.0.0/8]}", "true"),
        ("2001:db8::1", "requester.network.ip: {cidr: [10.0.0.0/8]}", "false"),
    ] {
        assert_eq!(truth(when, &from(ip)), wanted, "{when} of {ip}");
    }
    assert_eq!(truth("requester.network.ip: {cidr: 10.0.0.0/8}", &case(json!({}))), "unknown");
    let odd = case(json!({"context": {"ip": "010.1.2.3"}}));
    assert_eq!(truth("context.ip: {cidr: 10.0.0.0/8}", &odd), "unknown", "no octal guess");
}

#[test]
fn numbers_are_exact_or_are_not_compared() {
    let big = case(json!({
        "claims": {"one": 9_007_199_254_740_993_i64, "other": 9_007_199_254_740_992_i64, "n": 3},
        "signals": {"most": 9_007_199_254_740_991_i64, "zero": 0, "minus": -0.0},
    }));
    for (when, wanted) in [
        // Two numbers that one double stands for are not the same.
        ("requester.claims.one: {same_as: requester.claims.other}", "unknown"),
        ("requester.claims.n: {same_as: requester.claims.n}", "true"),
        ("requester.claims.one: {gt: 9007199254740991}", "true"),
        ("signals.most: 9007199254740991", "true"),
        ("signals.most: {lt: 9007199254740990}", "false"),
        ("signals.zero: {same_as: signals.minus}", "true"),
    ] {
        assert_eq!(truth(when, &big), wanted, "{when}");
    }
    for number in [
        "9007199254740992",
        "-9007199254740992",
        "9007199254740993.5",
        "99999999999999999999",
        "1111111111111111111111111111111111111111.0",
    ] {
        check_rule(
            &format!("{{id: r, when: {{context.n: {{gt: {number}}}}}, allow: {{}}}}"),
            &["p.yaml:6:36: expected a number whose size is below 2^53, found a number"],
        );
    }
}

#[test]
fn nothing_is_a_number_that_json_has_not() {
    // NaN and infinities are texts to YAML as it is read here, and a text has no order.
    for word in [".nan", ".inf", "-.inf", "nan", "1e3", "0x10", "0o7"] {
        check_rule(
            &format!("{{id: r, when: {{plan.deletes: {{gt: {word}}}}}, allow: {{}}}}"),
            &["p.yaml:6:39: expected a number, found text"],
        );
    }
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

// 6.1: YAML.

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

// 6.4: where `exists` may stand.

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
fn exists_is_never_unknown_and_null_is_not_there() {
    let told = case(json!({"context": {"a": 1, "n": null, "f": false, "e": "", "l": []}}));
    for (when, wanted) in [
        ("context.a: {exists: false}", "false"),
        ("context.gone: {exists: false}", "true"),
        ("context.n: {exists: false}", "true"),
        ("context.f: {exists: false}", "false"),
        ("context.e: {exists: false}", "false"),
        ("context.l: {exists: false}", "false"),
        ("context.a.b: {exists: false}", "true"),
    ] {
        assert_eq!(truth(when, &told), wanted, "{when}");
    }
}

// 6.5: how rules combine.

#[test]
fn unknown_is_not_waivable() {
    let text = rules(
        "
  - {id: freeze, when: {signals.freeze: true}, deny: {message: frozen, waivable: true}}
  - {id: glass, allow: {waives: [freeze]}}",
    );
    assert!(permits(&text, &case(json!({"signals": {"freeze": true}}))), "it holds, and is waived");
    assert!(permits(&text, &case(json!({"signals": {"freeze": false}}))));
    assert_eq!(
        ruling(&text, &case(json!({}))),
        "[indeterminate:freeze] refuse, `freeze` cannot be settled: `signals.freeze` is missing"
    );
}

#[test]
fn a_waiver_that_cannot_be_settled_waives_nothing() {
    let text = rules(
        "
  - {id: all, allow: {}}
  - {id: two, require: {stages: [{approvals: 1, from: [group:g]}]}}
  - {id: glass, when: {context.glass: true}, allow: {waives: [two]}}",
    );
    assert!(permits(&text, &case(json!({"context": {"glass": true}}))));
    for context in [
        json!({}),
        json!({"glass": null}),
        json!({"glass": "true"}),
        json!({"glass": 1}),
        json!({"glass": false}),
    ] {
        assert!(!permits(&text, &case(json!({"context": context}))), "{context}");
    }
}

#[test]
fn an_unsettled_allow_permits_nothing_and_its_max_ttl_counts() {
    let text = rules("
  - {id: all, allow: {credential: {max_ttl: 1h, uses: 5, audiences: [p, q]}}}
  - {id: tags, when: {context.tags: true}, allow: {credential: {max_ttl: 5m, uses: 2, audiences: [q]}}}");
    assert_eq!(ruling(&text, &case(json!({}))), "[all] permit, 2x 5m for q within 1h");
    assert_eq!(
        ruling(&text, &case(json!({"context": {"tags": true}}))),
        "[all,tags] permit, 2x 5m for q within 1h"
    );
    assert_eq!(
        ruling(&text, &case(json!({"context": {"tags": false}}))),
        "[all] permit, 5x 1h for p+q within 1h"
    );
    // What it would lengthen, it does not.
    let text = rules("
  - {id: all, allow: {}}
  - {id: long, when: {context.long: true}, allow: {credential: {max_ttl: 4h, uses: 9, grant_window: 9h}}}");
    assert_eq!(ruling(&text, &case(json!({}))), "[all] permit, 1x 15m for anybody within 1h");
    assert_eq!(
        ruling(&text, &case(json!({"context": {"long": true}}))),
        "[all,long] permit, 9x 4h for anybody within 9h"
    );
}

#[test]
fn an_unsettled_require_shortens_and_never_lengthens_what_people_have() {
    let text = rules("
  - {id: one, require: {stages: [{approvals: 1, from: [group:g]}]}}
  - {id: long, when: {context.a: true}, require: {stages: [{approvals: 1, from: [group:h]}], request_expires: 7d}}
  - {id: short, when: {context.b: true}, require: {stages: [{approvals: 1, from: [person:dave]}], request_expires: 2h}}");
    let expires = |context: Value| {
        let ruling = case(json!({"context": context})).ruled(&compiled(&text));
        let Outcome::Require(asked) = ruling.outcome else { panic!("{ruling:?}") };
        asked.expires_after
    };
    let (yes, no) = (json!(true), json!(false));
    assert_eq!(expires(json!({"a": yes, "b": no})), Span::hours(7 * 24));
    assert_eq!(expires(json!({"b": no})), Span::hours(24), "unsettled, it does not lengthen");
    assert_eq!(expires(json!({"a": yes})), Span::hours(2), "unsettled, it shortens");
    assert_eq!(expires(json!({"a": no, "b": yes})), Span::hours(2));
}

#[test]
fn contradictory_roles_and_brokers_refuse() {
    for what in ["role", "broker"] {
        let text = rules(&format!(
            "
  - {{id: a, allow: {{credential: {{{what}: one}}}}}}
  - {{id: b, when: {{context.b: true}}, allow: {{credential: {{{what}: two}}}}}}
  - {{id: c, when: {{context.c: true}}, allow: {{credential: {{{what}: one}}}}}}"
        ));
        let with = |b: bool| case(json!({"context": {"b": b, "c": true}})).ruled(&compiled(&text));
        assert_eq!(
            said(&with(true)),
            format!(
                "[contradiction:{what}] refuse, the rules that match disagree on the {what}: `one` and `two`"
            )
        );
        let Outcome::Permit(terms) = with(false).outcome else { panic!("{:?}", with(false)) };
        assert_eq!(terms.role.or(terms.broker).as_deref(), Some("one"));
        // Nor does leaving out what settles it help.
        assert!(!permits(&text, &case(json!({"context": {"c": true}}))));
    }
}

#[test]
fn a_later_review_and_those_told_stay_when_another_rule_requires() {
    let text = rules("
  - {id: apply, require: {stages: [{approvals: 1, from: [group:g]}], notify: [channel:changes]}}
  - {id: iam, when: {plan.touches_iam: true}, require: {stages: [{approvals: 1, from: [group:h]}]}}
  - {id: freeze, when: {signals.freeze: true}, deny: {message: frozen, notify: [channel:freezes]}}
  - id: glass
    when: {context.glass: true}
    allow: {waives: [apply], notify: [group:g, channel:incidents], post_review: {by: [group:h], within: 24h, if_missed: {suspend: glass}}}");
    let touches = plan::Facts { touches_iam: Some(true), ..plan::Facts::default() };
    let glass = |freeze: bool| {
        case(json!({"context": {"glass": true}, "signals": {"freeze": freeze}}))
            .with_plan(touches.clone(), None)
    };
    let ruled = glass(false).ruled(&compiled(&text));
    assert_eq!(
        said(&ruled),
        "[glass,iam] require iam/1: 1 of group:h, in 1d, 1x 15m for anybody within 1h"
    );
    let [PostReview { rule, approvals, suspend, within, .. }] = ruled.post_reviews.as_slice()
    else {
        panic!("{ruled:?}")
    };
    assert_eq!(
        (rule.as_str(), *approvals, suspend.as_deref(), *within),
        ("glass", 1, Some("glass"), Span::hours(24))
    );
    let told = |ruling: &Ruling| {
        ruling.notify.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        told(&ruled),
        "group:g channel:incidents",
        "and not those of the rule that is waived"
    );
    let refused = glass(true).ruled(&compiled(&text));
    assert!(refused.post_reviews.is_empty());
    assert_eq!(told(&refused), "channel:freezes");
}

#[test]
fn t51_a_suspended_allow_neither_permits_nor_waives() {
    let text = rules("
  - {id: two, require: {stages: [{approvals: 2, from: [group:g]}]}}
  - {id: glass, when: {context.glass: true}, allow: {waives: [two], post_review: {by: [group:h], within: 1h, if_missed: {suspend: glass}}}}");
    let mut asked = case(json!({"context": {"glass": true}}));
    assert!(permits(&text, &asked));
    asked.suspended.insert("glass".to_owned());
    assert_eq!(
        ruling(&text, &asked),
        "[two] require two/1: 2 of group:g, in 1d, 1x 15m for anybody within 1h"
    );
    assert!(asked.ruled(&compiled(&text)).post_reviews.is_empty());
    // Only an allow can be suspended: without a deny or a require more would pass.
    for (id, wanted) in
        [("two", "only an allow can be suspended"), ("nothing", "there is no such rule")]
    {
        let other = text.replace("suspend: glass", &format!("suspend: {id}"));
        let faults = Policy::compile(&[document("p.yaml", &other)]).unwrap_err();
        assert!(faults[0].message.contains(wanted), "{faults:?}");
    }
}

#[test]
fn t51_the_wish_alone_breaks_no_glass() {
    let text = rules("
  - {id: two, require: {stages: [{approvals: 2, from: [group:g]}]}}
  - {id: glass, when: {context.break_glass: true, signals.incident.severity: [sev1, sev2], requester.groups: {contains: h}}, allow: {waives: [two]}}");
    let asked = |who: &str, severity: Value, wish: Value| {
        permits(
            &text,
            &case(
                json!({"who": who, "context": {"break_glass": wish}, "signals": {"incident": severity}}),
            ),
        )
    };
    assert!(asked("bob", json!({"severity": "sev1"}), json!(true)));
    assert!(!asked("alice", json!({"severity": "sev1"}), json!(true)), "not on call");
    assert!(!asked("bob", json!({"severity": "sev3"}), json!(true)));
    assert!(!asked("bob", json!({}), json!(true)));
    assert!(!asked("bob", json!({"severity": "sev1"}), json!("true")));
    // Nor is what the requester says a signal, a claim or a group.
    let lies = json!({"break_glass": true, "signals": {"incident": {"severity": "sev1"}}, "incident": {"severity": "sev1"}});
    assert!(!permits(&text, &case(json!({"who": "bob", "context": lies}))));
}

#[test]
fn an_engine_that_was_not_asked_or_failed_refuses() {
    let text = rules("
  - {id: all, allow: {}}
  - {id: two, when: {intent.kind: a.b}, require: {stages: [{approvals: 1, from: [group:g]}]}}
  - {id: e, ask: {engine: opa, dialect: assent, url: 'https://opa.example.com', stages: [{name: people, approvals: 1, from: [group:h]}], waives: [two]}}
  - {id: unsettled, when: {context.gone: 1}, ask: {engine: opa, dialect: assent, url: 'https://opa.example.com', waives: [two]}}");
    let said = |denies: &[&str], warns: &[&str], allows: bool| Opinion::Answered {
        denies: denies.iter().map(|text| (*text).to_owned()).collect(),
        warns: warns.iter().map(|text| (*text).to_owned()).collect(),
        allows,
    };
    let clean = || said(&[], &[], false);
    let told = |e: Option<Opinion>, unsettled: Option<Opinion>| {
        let mut asked = case(json!({}));
        asked.opinions.extend(e.map(|opinion| ("e".to_owned(), opinion)));
        asked.opinions.extend(unsettled.map(|opinion| ("unsettled".to_owned(), opinion)));
        ruling(&text, &asked)
    };
    let two = "two/1: 1 of group:g";
    let rest = "in 1d, 1x 15m for anybody within 1h";
    assert_eq!(told(None, Some(clean())), "[error:e] refuse, its engine was not asked");
    let failed = Opinion::Failed { reason: "it took longer than 50ms".to_owned() };
    assert_eq!(told(Some(failed), Some(clean())), "[error:e] refuse, it took longer than 50ms");
    assert_eq!(
        told(Some(clean()), None),
        "[error:unsettled] refuse, its engine was not asked",
        "it cannot be told whether to ask"
    );
    assert_eq!(told(Some(clean()), Some(clean())), format!("[all,two] require {two}, {rest}"));
    assert_eq!(told(Some(said(&["no"], &["hm"], true)), Some(clean())), "[e] refuse, no");
    assert_eq!(
        told(Some(said(&[], &["hm"], false)), Some(clean())),
        format!("[all,e,two] require e/people: 1 of group:h; {two}, {rest}")
    );
    assert_eq!(
        told(Some(said(&[], &[], true)), Some(clean())),
        "[all] permit, 1x 15m for anybody within 1h"
    );
    // An approval of one that cannot be settled waives nothing; its deny stands.
    assert_eq!(
        told(Some(clean()), Some(said(&[], &[], true))),
        format!("[all,two] require {two}, {rest}")
    );
    assert_eq!(told(Some(clean()), Some(said(&["no"], &[], true))), "[unsettled] refuse, no");
    assert_eq!(
        told(Some(clean()), Some(said(&[], &["hm"], false))),
        "[unsettled] refuse, it warns, and names nobody to ask: hm"
    );
}

#[test]
fn an_engine_that_approves_where_no_rule_allows_is_refused() {
    let text = rules(
        "
  - {id: two, require: {stages: [{approvals: 1, from: [group:g]}]}}
  - {id: e, ask: {engine: opa, dialect: assent, url: 'https://opa.example.com', waives: [two]}}",
    );
    let approves = Opinion::Answered { denies: Vec::new(), warns: Vec::new(), allows: true };
    assert_eq!(
        ruling(&text, &case(json!({})).answered("e", approves)),
        "[default-deny] refuse, no rule allows this"
    );
}

#[test]
fn an_engine_is_asked_once_however_often_its_rule_names_the_kind() {
    let text = rules(
        "  - {id: e, when: {intent.kind: [a.b, c.d, a.b], intent.environment: {in: [x, x]}}, ask: {engine: opa, dialect: assent, url: 'https://opa.example.com'}}",
    );
    let policy = compiled(&text);
    let asked = |told: &str| in_situation(told, |situation| policy.asks(situation).len());
    assert_eq!(asked("alice asks a.b in x"), 1);
    assert_eq!(asked("alice asks a.b in y"), 0);
}

#[test]
fn the_index_skips_only_what_must_be_false() {
    // Kinds within `any`, `not`, or a second test do not pin the rule.
    for when in [
        "any: [{intent.kind: other.kind}, {intent.environment: x}]",
        "not: {intent.kind: other.kind}",
        "intent.kind: {not: other.kind}",
        "intent.kind: {any: [other.kind, a.b]}",
        "intent.kind: {glob: 'a.*'}",
        "intent.kind: {in: [a.b, other.kind], prefix: a}",
        "intent.kind: {prefix: a, in: [a.b, other.kind]}",
        "all: [{intent.kind: a.b}]",
        "intent.kind: [a.b, other.kind], all: [{intent.kind: [a.b, third.kind]}]",
        "intent.environment: {not: y}",
        "intent.environment: {same_as: intent.environment}",
        "intent.kind: {same_as: intent.target.kind}",
    ] {
        let told = case(json!({"target": {"kind": "a.b"}}));
        assert_eq!(truth(when, &told), "true", "{when}");
    }
    // An unsettled rule of another kind is silent; of this kind it is not.
    assert_eq!(truth("intent.kind: other.kind, context.gone: 1", &case(json!({}))), "false");
    assert_eq!(
        truth("intent.kind: [a.b, other.kind], context.gone: 1", &case(json!({}))),
        "unknown"
    );
}

#[test]
fn joined_stages_keep_what_is_stricter_or_sooner_of_each() {
    let text = |one: &str, other: &str| {
        rules(&format!(
            "
  - {{id: a, require: {{stages: [{{approvals: 1, from: [group:g]{one}}}}}
  - {{id: b, require: {{stages: [{{approvals: 1, from: [group:g]{other}}}}}"
        ))
    };
    let joined = |one: &str, other: &str| {
        let ruling = case(json!({})).ruled(&compiled(&text(one, other)));
        let Outcome::Require(asked) = ruling.outcome else { panic!("{ruling:?}") };
        let [stage] = asked.stages.as_slice() else { panic!("{asked:?}") };
        assert_eq!(stage.rules.len(), 2);
        stage.clone()
    };
    for (one, other) in [
        (
            ", login_within: 1h, expires_after: 5h}], remind: 3h",
            ", login_within: 2h, expires_after: 4h}], remind: 1h",
        ),
        (", login_within: 2h, expires_after: 4h}], remind: 1h", ", login_within: 1h}]"),
        (", expires_after: 4h}], remind: 1h", ", login_within: 1h}]"),
    ] {
        for (one, other) in [(one, other), (other, one)] {
            let stage = joined(one, other);
            let wanted = (Some(Span::hours(1)), Some(Span::hours(4)), Some(Span::hours(1)));
            assert_eq!(
                (stage.login_within, stage.expires_after, stage.remind),
                wanted,
                "{one} and {other}"
            );
        }
    }
    // Only who may step in by both rules may step in for both; the deadline of either holds.
    let one = "}], escalate: {after: 2h, to: [group:h, person:zoe], then_expire_after: 4h}";
    let other = "}], escalate: {after: 1h, to: [group:h, person:yan]}";
    for stage in [joined(one, other), joined(other, one)] {
        let escalation = stage.escalate.unwrap();
        assert_eq!(
            (escalation.after, escalation.then_expire_after),
            (Span::hours(1), Some(Span::hours(4)))
        );
        assert_eq!(escalation.to, BTreeSet::from(["group:h".parse().unwrap()]));
    }
    for stage in [joined(one, "}]"), joined("}]", one)] {
        let escalation = stage.escalate.unwrap();
        assert!(escalation.to.is_empty(), "by one of the rules nobody may step in");
        assert_eq!(
            (escalation.after, escalation.then_expire_after),
            (Span::hours(2), Some(Span::hours(4)))
        );
    }
}

#[test]
fn leaving_out_an_owner_makes_no_one_approval_of_two() {
    let sections = "owners: [{target: {repo: r}, owners: [group:g]}, {target: {team: t}, owners: [group:h]}]\n";
    let text = rules(
        "
  - {id: a, require: {stages: [{approvals: 1, from: ['owners_of(target)']}]}}
  - {id: b, require: {stages: [{approvals: 1, from: [group:g]}]}}",
    )
    .replace("rules:\n", &format!("{sections}rules:\n"));
    for target in [json!({"repo": "r", "team": "t"}), json!({"repo": "r"})] {
        let ruling = case(json!({"target": target})).ruled(&compiled(&text));
        let Outcome::Require(asked) = ruling.outcome else { panic!("{ruling:?}") };
        assert_eq!(asked.stages.len(), 2, "{target}");
    }
    assert_eq!(
        ruling(&text, &case(json!({}))),
        "[a] refuse, nobody owns the target, so nobody can fill `a/1`"
    );
    // Where both rules say so, they say the same.
    let both = text
        .replace("{approvals: 1, from: [group:g]}", "{approvals: 1, from: ['owners_of(target)']}");
    let ruling = case(json!({"target": {"repo": "r"}})).ruled(&compiled(&both));
    let Outcome::Require(asked) = ruling.outcome else { panic!("{ruling:?}") };
    assert_eq!(asked.stages.len(), 1);
}

#[test]
fn a_risk_that_cannot_be_settled_is_a_range() {
    let risk = "risk:
  - {id: deletes, weight: 40, when: {plan.deletes: {gt: 0}}}
  - {id: night, weight: 20, when: {now.time: {lt: '06:00'}}}
  - {id: odd, weight: 10, when: {context.odd: true}}
";
    let facts = |deletes| plan::Facts { deletes, ..plan::Facts::default() };
    let score = |when: &str, case: &Case| truth_with(risk, &format!("risk.score: {when}"), case);
    let deletes = case(json!({"context": {"odd": false}})).with_plan(facts(1), None);
    for (when, wanted) in [
        ("40", "true"),
        ("{gte: 40}", "true"),
        ("{gt: 40}", "false"),
        ("{lte: 40, gt: 39.5}", "true"),
        ("{in: [1, 41]}", "false"),
    ] {
        assert_eq!(score(when, &deletes), wanted, "{when}");
    }
    // Neither plan nor context: anything from 0 to 50.
    let nothing = case(json!({}));
    for (when, wanted) in [
        ("{gte: 0}", "true"),
        ("{gte: 1}", "unknown"),
        ("{gte: 50}", "unknown"),
        ("{gt: 50}", "false"),
        ("{lte: 50}", "true"),
        ("{lt: 50}", "unknown"),
        ("{lt: 0}", "false"),
        ("0", "unknown"),
        ("25", "unknown"),
        ("50", "unknown"),
        ("51", "false"),
        ("{not: 25}", "unknown"),
        ("{not: {gt: 50}}", "true"),
        ("{same_as: risk.score}", "unknown"),
    ] {
        assert_eq!(score(when, &nothing), wanted, "{when}");
    }
}

#[test]
fn a_risk_factor_cannot_look_at_the_score_it_makes() {
    for when in [
        "risk.score: {gt: 1}",
        "any: [{not: {risk.score: 1}}]",
        "context.n: {any: [1, {same_as: risk.score}]}",
    ] {
        let text = format!("{HEAD}risk: [{{id: f, weight: 1, when: {{{when}}}}}]\n");
        check_faults(
            &text,
            &["p.yaml:3:8: a risk factor cannot look at `risk.score`, which it makes"],
        );
    }
}

#[test]
fn a_stage_that_wants_a_late_sign_in_can_be_filled() {
    check_rule(
        "{id: r, require: {stages: [{approvals: 2, from: [group:g], login_within: 1h}]}}",
        &[],
    );
    check_rule(
        "{id: r, require: {stages: [{approvals: 3, from: [group:g], login_within: 1h}]}}",
        &[
            "p.yaml:6:32: stage `r/1` asks for 3 approvals, but only 2 different people can give one",
        ],
    );
}

#[test]
fn categories_are_the_documents_word_or_else_the_last_of_the_kind() {
    let kinds = "kinds: {vm.thing: change, db.delete: read}\n";
    for (kind, when, wanted) in [
        ("vm.thing", "intent.category: change", "true"),
        ("db.delete", "intent.category: read", "true"),
        ("vm.delete", "intent.category: change", "true"),
        ("db.session", "intent.category: access", "true"),
        ("db.read", "intent.category: change", "false"),
        ("vm.whatever", "intent.category: change", "unknown"),
    ] {
        assert_eq!(truth_with(kinds, when, &case(json!({"kind": kind}))), wanted, "{kind}");
    }
}

#[test]
fn free_json_spells_durations_and_instants_as_texts() {
    let told = case(
        json!({"minutes": 30, "context": {"d": "2h", "i": "2026-11-20T09:00:00+01:00", "x": "soon", "n": 7200}}),
    );
    for (when, wanted) in [
        ("intent.duration: 30m", "true"),
        ("intent.duration: {gt: 29m, lt: 1h}", "true"),
        ("context.d: {gt: 119m, lte: 2h}", "true"),
        ("context.d: {lt: 1h}", "false"),
        ("context.x: {gt: 1h}", "unknown"),
        ("context.n: {gt: 1h}", "unknown"),
        ("context.i: {before: 2026-11-20T08:00:01Z}", "true"),
        ("context.i: {after: 2026-11-20T08:00:00Z}", "true"),
        ("context.x: {after: 2026-11-20T08:00:00Z}", "unknown"),
    ] {
        assert_eq!(truth(when, &told), wanted, "{when}");
    }
    assert_eq!(truth("intent.duration: {gt: 1m}", &case(json!({}))), "unknown");
}

#[test]
fn a_stage_joins_only_one_that_stands_at_the_beginning() {
    let text = rules(
        "
  - {id: a, require: {stages: [{approvals: 1, from: [group:g]}]}}
  - {id: b, require: {stages: [{approvals: 1, from: [group:h]}, {approvals: 1, from: [group:g]}]}}",
    );
    assert_eq!(
        ruling(&text, &case(json!({}))),
        "[a,b] require b/1: 1 of group:h; b/2: 1 of group:g after b/1; a/1: 1 of group:g, \
         in 1d, 1x 15m for anybody within 1h"
    );
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
fn t41_what_a_plan_hides_is_unknown_and_never_a_no() {
    let header = "apiVersion: assent/v1\nkind: Policy\nrules:\n  - {id: all, allow: {}}\n  - id: guarded\n    \
        deny: {message: m}\n    when: ";
    let with = |change: plan::Change| {
        case(json!({})).with_plan(plan::Facts::default(), Some(vec![change]))
    };
    let base = || plan::Change {
        address: "module.db[\"prod\"].aws_db_instance.main".to_owned(),
        paths: vec!["deletion_protection".to_owned()],
        replace_reasons: vec!["engine_version".to_owned()],
        ..plan::Change::default()
    };
    let hidden = || format!("[\"{}\"]", plan::MARKER);
    type Hide = fn(&mut plan::Change, String);
    let each: [(&str, Hide); 3] = [
        ("paths: {contains: deletion_protection}", |change, hidden| change.paths = vec![hidden]),
        ("address: {glob: 'module.db[\"prod\"].**'}", |change, hidden| {
            change.address = format!("module.db{hidden}.aws_db_instance.main");
        }),
        ("replace_reasons: {contains: engine_version}", |change, hidden| {
            change.replace_reasons = vec![hidden];
        }),
    ];
    for (when, hide) in each {
        let policy = compiled(&format!("{header}{{plan.changes: {{some: {{{when}}}}}}}\n"));
        assert!(said(&with(base()).ruled(&policy)).starts_with("[guarded] refuse"), "{when}");
        for hidden in [hidden(), plan::CUT.to_owned()] {
            let mut change = base();
            hide(&mut change, hidden.clone());
            let ruled = said(&with(change).ruled(&policy));
            let is_cut_address = when.starts_with("address") && hidden == plan::CUT;
            assert!(is_cut_address || ruled.contains("refuse"), "{when}, {hidden}: {ruled}");
        }
    }
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

#[test]
fn what_cannot_be_settled_says_what_is_missing() {
    let text = "apiVersion: assent/v1\nkind: Policy\nrules:\n  - {id: all, allow: {}}\n  - id: careful\n    \
        when: {plan.deletes: {gt: 0}, any: [{context.x: 1}, {signals.y: true}]}\n    deny: {message: m}\n";
    let policy = compiled(text);
    let message = |case: Case| match case.ruled(&policy).outcome {
        Outcome::Refuse(reasons) => reasons[0].message.clone(),
        other @ (Outcome::Permit(_) | Outcome::Require(_)) => panic!("{other:?}"),
    };
    let told = message(case(json!({})));
    assert!(told.ends_with("`context.x`, `plan.deletes`, `signals.y` are missing"), "{told}");
    let deletes = plan::Facts { deletes: 1, ..plan::Facts::default() };
    let text = case(json!({"context": {"x": "1"}, "signals": {"y": "yes"}}));
    let told = message(text.with_plan(deletes, None));
    assert!(told.ends_with("is of another type than it needs"), "{told}");
}
