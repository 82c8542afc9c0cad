//! What an engine says: without its word nothing passes, and its word alone permits nothing.

use serde_json::json;

use super::*;

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
