//! Stages of several rules: which become one, and who can fill them.

use serde_json::json;

use super::*;

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
    // What meets the demands of both on a passkey.
    let bound = ", signature: {passkey: device-bound, enrolled_for: 1h}}]";
    let vouched = ", signature: {passkey: any, enrolled_for: 2h, vouched: true}}]";
    for (one, other, wanted) in [
        (
            bound,
            vouched,
            "a passkey that never leaves its device and was enrolled at least 2 h ago and your identity provider vouched for",
        ),
        (
            bound,
            ", signature: passkey}]",
            "a passkey that never leaves its device and was enrolled at least 1 h ago",
        ),
        (", signature: passkey}]", "}]", "a passkey"),
    ] {
        for stage in [joined(one, other), joined(other, one)] {
            assert_eq!(stage.signature.unwrap().to_string(), wanted);
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
