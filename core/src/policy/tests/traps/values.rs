//! What a test of a value means: true, false or unknown, and never by a conversion.

use serde_json::json;

use super::*;

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
