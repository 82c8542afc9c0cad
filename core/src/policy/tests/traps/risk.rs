//! The risk of an intent: a sum of what is known, and a range where something is not.

use serde_json::json;

use super::*;

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
