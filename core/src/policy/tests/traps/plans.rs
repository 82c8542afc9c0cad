//! What is read from a plan: what it does not hold, and what it hides.

use serde_json::json;

use super::*;

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
