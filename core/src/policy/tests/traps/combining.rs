//! How rules combine: what is unknown permits nothing, and nothing lengthens what another shortens.

use serde_json::{Value, json};

use super::*;
use crate::policy::ruling::PostReview;

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
