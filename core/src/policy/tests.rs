//! The language, told as a person would tell it: who asks for what, and what policy then says.

mod generated;
mod total;
mod traps;

use proptest::prelude::*;

use super::*;
use crate::intent::UnverifiedIntent;
use crate::membership::Tie;
use crate::policy::explanation::Account;
use crate::policy::ruling::Outcome;
use crate::policy::situation::Known;
use crate::principal::{Principal, PrincipalId, PrincipalKind};

const PRODUCTION: &str = r#"
apiVersion: assent/v1
kind: Policy
metadata: {name: production, owner: platform}
groups:
  release-managers: [person:bob, person:carol, person:dave]
  security: [person:erin, person:frank]
  oncall: [person:oscar]
rules:
  - id: freeze
    when: {intent.environment: production, intent.target.calendar: frozen}
    deny: {message: "change freeze", waivable: true}
  - id: no-vm-deletes
    when: {intent.kind: vm.delete}
    deny: {message: "machines are not deleted by hand"}
  - id: release
    when: {intent.environment: production, intent.kind: [terraform.apply, helm.upgrade]}
    require:
      stages: [{name: release, approvals: 2, from: [group:release-managers]}]
      credential: {max_ttl: 30m, uses: 2, audiences: [aws, gcp]}
  - id: secrets
    when: {intent.environment: production, intent.target.workspace: secrets}
    require:
      stages:
        - {name: security, approvals: 1, from: [group:security], exclude: [person:frank]}
        - {name: owner, approvals: 1, from: [person:dave]}
      request_expires: 2h
      credential: {max_ttl: 10m, audiences: [aws], grant_window: 20m}
  - id: staging
    when: {intent.environment: {in: [staging, test]}}
    allow: {credential: {max_ttl: 1h}}
  - id: break-glass
    when: {intent.environment: production, intent.target.incident: sev1, requester.groups: {contains: oncall}}
    allow: {waives: [freeze, release], credential: {max_ttl: 20m}}
"#;

fn document(file: &str, text: &str) -> PolicyDocument {
    PolicyDocument { file: file.to_owned(), text: text.to_owned() }
}

fn compiled(text: &str) -> Policy {
    Policy::compile(&[document("p.yaml", text)]).unwrap()
}

/// `alice asks terraform.apply in production with calendar=frozen`.
fn asked(told: &str) -> (Intent, Principal) {
    let mut words = told.split(' ').filter(|word| !matches!(*word, "asks" | "in" | "with"));
    let (who, kind, environment) =
        (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    let target = words.map(|pair| pair.split_once('=').unwrap());
    let stated = UnverifiedIntent {
        kind: kind.to_owned(),
        environment: environment.to_owned(),
        target: target.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        reason: "because".to_owned(),
        ..UnverifiedIntent::default()
    };
    let (who, groups) = who.split_once('/').unwrap_or((who, ""));
    let requester = Principal {
        id: PrincipalId::local(who).unwrap(),
        kind: PrincipalKind::Person,
        groups: groups.split_terminator('+').map(str::to_owned).collect(),
        acts_for: BTreeSet::new(),
        claims: serde_json::Map::new(),
    };
    (stated.verify().unwrap(), requester)
}

fn ruled(policy: &Policy, told: &str) -> Ruling {
    in_situation(told, |situation| policy.rule(situation))
}

/// A Friday morning, with nothing known beside the intent and its requester.
fn in_situation<T>(told: &str, answer: impl FnOnce(&Situation<'_>) -> T) -> T {
    let (intent, requester) = asked(told);
    let known = Known::default();
    let now = "2026-11-20T10:00:00Z".parse().unwrap();
    answer(&Situation { intent: &intent, requester: &requester, known: &known, now })
}

/// The ruling in one line.
fn said(ruling: &Ruling) -> String {
    let terms = |terms: &Terms| {
        let audiences = terms.audiences.as_ref().map_or("anybody".to_owned(), |all| {
            all.iter().map(String::as_str).collect::<Vec<_>>().join("+")
        });
        format!("{}x {} for {audiences} within {}", terms.uses, terms.max_ttl, terms.grant_window)
    };
    let rules = ruling.rules.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    let outcome = match &ruling.outcome {
        Outcome::Permit(granted) => format!("permit, {}", terms(granted)),
        Outcome::Refuse(reasons) => {
            let reasons = reasons.iter().map(|reason| reason.message.as_str());
            format!("refuse, {}", reasons.collect::<Vec<_>>().join("; "))
        }
        Outcome::Require(asked) => {
            let stage = |stage: &Stage| {
                let from = stage.from.iter().map(ToString::to_string).collect::<Vec<_>>().join("|");
                let but = stage.exclude.iter().map(|approver| format!(" but {approver}"));
                let after = stage.after.iter().map(|name| format!(" after {name}"));
                let tail: String = but.chain(after).collect();
                format!("{}: {} of {from}{tail}", stage.name, stage.approvals)
            };
            let stages = asked.stages.iter().map(stage).collect::<Vec<_>>().join("; ");
            format!("require {stages}, in {}, {}", asked.expires_after, terms(&asked.terms))
        }
    };
    format!("[{rules}] {outcome}")
}

#[track_caller]
fn check(text: &str, told: &str, wanted: &str) {
    assert_eq!(said(&ruled(&compiled(text), told)), wanted, "{told}");
}

#[test]
fn production_as_a_person_would_tell_it() {
    let two = "release/release: 2 of group:release-managers";
    let secrets = "secrets/security: 1 of group:security but person:frank; \
        secrets/owner: 1 of person:dave after secrets/security";
    // Nothing is said of the calendar or the workspace, so neither can be ruled out.
    check(
        PRODUCTION,
        "alice asks terraform.apply in production",
        "[indeterminate:freeze] refuse, `freeze` cannot be settled: `intent.target.calendar` is missing",
    );
    check(
        PRODUCTION,
        "alice asks terraform.apply in production with calendar=open workspace=orders",
        &format!("[release] require {two}, in 1d, 2x 30m for aws+gcp within 1h"),
    );
    check(
        PRODUCTION,
        "alice asks helm.upgrade in production with calendar=open workspace=secrets",
        &format!("[release,secrets] require {secrets}; {two}, in 2h, 2x 10m for aws within 20m"),
    );
    check(
        PRODUCTION,
        "alice asks terraform.apply in production with calendar=frozen",
        "[freeze] refuse, change freeze",
    );
    check(
        PRODUCTION,
        "alice asks vm.delete in production with calendar=frozen",
        "[freeze,no-vm-deletes] refuse, change freeze; machines are not deleted by hand",
    );
    check(
        PRODUCTION,
        "alice asks terraform.apply in staging",
        "[staging] permit, 1x 1h for anybody within 1h",
    );
    check(
        PRODUCTION,
        "alice asks terraform.apply in nowhere",
        "[default-deny] refuse, no rule allows this",
    );
}

#[test]
fn break_glass_waives_what_it_names_and_no_more() {
    let told = "terraform.apply in production with calendar=frozen incident=sev1";
    check(
        PRODUCTION,
        &format!("oscar asks {told} workspace=orders"),
        "[break-glass] permit, 1x 20m for anybody within 1h",
    );
    check(
        PRODUCTION,
        &format!("alice asks {told} workspace=orders"),
        "[freeze] refuse, change freeze",
    );
    check(
        PRODUCTION,
        &format!("alice/oncall asks {told} workspace=orders"),
        "[break-glass] permit, 1x 20m for anybody within 1h",
    );
    check(
        PRODUCTION,
        &format!("oscar asks {told} workspace=secrets"),
        "[break-glass,secrets] require secrets/security: 1 of group:security but person:frank; \
         secrets/owner: 1 of person:dave after secrets/security, in 2h, 1x 10m for aws within 20m",
    );
    check(
        PRODUCTION,
        "oscar asks vm.delete in production with calendar=frozen incident=sev1 workspace=orders",
        "[no-vm-deletes] refuse, machines are not deleted by hand",
    );
    // What cannot be settled cannot be waived.
    check(
        PRODUCTION,
        "oscar asks terraform.apply in production with incident=sev1 workspace=orders",
        "[indeterminate:freeze] refuse, `freeze` cannot be settled: `intent.target.calendar` is missing",
    );
}

fn rules(rules: &str) -> String {
    format!(
        "apiVersion: assent/v1\nkind: Policy\ngroups:\n  g: [person:bob, person:carol]\n  h: [person:bob, person:dave]\nrules:\n{rules}"
    )
}

#[test]
fn a_require_that_cannot_be_settled_requires() {
    let text = rules("
  - {id: all, allow: {}}
  - {id: iam, when: {intent.target.iam: touched}, require: {stages: [{approvals: 1, from: [group:g]}], credential: {max_ttl: 5h, uses: 9}}}");
    check(
        &text,
        "alice asks a.b in x with iam=touched",
        "[all,iam] require iam/1: 1 of group:g, in 1d, 9x 5h for anybody within 1h",
    );
    check(
        &text,
        "alice asks a.b in x with iam=untouched",
        "[all] permit, 1x 15m for anybody within 1h",
    );
    // It asks, but lengthens nothing.
    check(
        &text,
        "alice asks a.b in x",
        "[all,iam] require iam/1: 1 of group:g, in 1d, 1x 15m for anybody within 1h",
    );
}

#[test]
fn an_allow_that_cannot_be_settled_does_not_allow_but_its_limits_hold() {
    let text = rules("
  - {id: all, when: {intent.kind: a.b}, allow: {}}
  - {id: tagged, when: {intent.target.tags: only}, allow: {credential: {max_ttl: 5m, audiences: [db]}}}");
    check(&text, "alice asks a.b in x", "[all] permit, 1x 5m for db within 1h");
    check(
        &text,
        "alice asks a.b in x with tags=none",
        "[all] permit, 1x 15m for anybody within 1h",
    );
    check(&text, "alice asks c.d in x", "[default-deny] refuse, no rule allows this");
}

#[test]
fn a_false_condition_settles_a_rule_whatever_is_missing() {
    let text = rules(
        "
  - {id: all, allow: {}}
  - {id: no, when: {intent.target.x: y, intent.kind: never.this}, deny: {message: no}}",
    );
    check(&text, "alice asks a.b in x", "[all] permit, 1x 15m for anybody within 1h");
}

#[test]
fn operators() {
    let cases = [
        ("intent.kind: a.b", true),
        ("intent.kind: {eq: a.b}", true),
        ("intent.kind: [c.d, a.b]", true),
        ("intent.kind: {in: [c.d]}", false),
        ("intent.kind: {in: [a.b], eq: c.d}", false),
        ("intent.kind: a", false),
        ("intent.environment: Test", false),
        ("intent.target.w: orders", true),
        ("requester.sub: alice", true),
        ("requester.iss: \"assent:local\"", true),
        ("requester.iss: https://elsewhere.example.com", false),
        ("requester.groups: {contains: g}", true),
        ("requester.groups: {contains: h}", false),
        ("requester.groups: {contains_any: [g, h]}", true),
        ("requester.groups: {contains_all: [g, h]}", false),
        ("requester.groups: {contains_all: [g]}", true),
        ("requester.groups: {contains: g, contains_all: [h]}", false),
    ];
    for (when, holds) in cases {
        let text = rules(&format!("  - {{id: r, when: {{{when}}}, allow: {{}}}}"));
        let (rule, word) = if holds { ("r", "permit") } else { ("default-deny", "refuse") };
        let ruling = said(&ruled(&compiled(&text), "alice/g asks a.b in test with w=orders"));
        assert!(ruling.starts_with(&format!("[{rule}] {word}")), "{when}: {ruling}");
    }
}

#[test]
fn no_and_on_are_texts() {
    let text =
        rules("  - {id: r, when: {intent.environment: no, intent.target.lights: on}, allow: {}}");
    check(&text, "alice asks a.b in no with lights=on", "[r] permit, 1x 15m for anybody within 1h");
}

#[test]
fn the_shortest_times_the_fewest_uses_and_the_common_audiences_hold() {
    let text = rules(
        "
  - {id: a, allow: {credential: {max_ttl: 2h, uses: 5, audiences: [x, y], grant_window: 10m}}}
  - {id: b, allow: {credential: {max_ttl: 1h, uses: 7, audiences: [y, z]}}}
  - {id: c, allow: {credential: {grant_window: 30m}}}",
    );
    check(&text, "alice asks a.b in x", "[a,b,c] permit, 5x 1h for y within 10m");
    let text = rules(
        "
  - {id: a, allow: {credential: {audiences: [x]}}}
  - {id: b, allow: {credential: {audiences: [y]}}}",
    );
    check(&text, "alice asks a.b in x", "[a,b] permit, 1x 15m for  within 1h");
}

#[test]
fn defaults_hold_where_no_rule_that_matches_says_otherwise() {
    let text = rules("
  - {id: a, when: {intent.environment: x}, allow: {}}
  - {id: b, when: {intent.environment: y}, require: {stages: [{approvals: 1, from: [group:g]}], request_expires: 2d}}
  - {id: c, when: {intent.environment: [y, z]}, require: {stages: [{approvals: 1, from: [group:h]}]}}
defaults: {request_expires: 8h, max_ttl: 5m, uses: 3, grant_window: 2h}");
    check(&text, "alice asks a.b in x", "[a] permit, 3x 5m for anybody within 2h");
    check(
        &text,
        "alice asks a.b in z",
        "[c] require c/1: 1 of group:h, in 8h, 3x 5m for anybody within 2h",
    );
    check(
        &text,
        "alice asks a.b in y",
        "[b,c] require b/1: 1 of group:g; c/1: 1 of group:h, in 2d, 3x 5m for anybody within 2h",
    );
}

#[test]
fn equal_stages_of_two_rules_count_once_and_carry_both_ids() {
    let one = "require: {stages: [{approvals: 1, from: [group:g]}]}";
    let more =
        "require: {stages: [{approvals: 1, from: [group:g]}, {approvals: 1, from: [group:h]}]}";
    let both = |first: &str, second: &str| {
        let text = rules(&format!("  - {{id: a, {first}}}\n  - {{id: b, {second}}}"));
        let ruling = ruled(&compiled(&text), "alice asks a.b in x");
        let Outcome::Require(asked) = ruling.outcome else { panic!("{ruling:?}") };
        let stages = asked.stages.iter().map(|stage| {
            format!(
                "{} by {}",
                stage.name,
                stage.rules.iter().cloned().collect::<Vec<_>>().join("+")
            )
        });
        stages.collect::<Vec<_>>().join("; ")
    };
    assert_eq!(both(one, one), "a/1 by a+b");
    // Whatever the rules are called.
    assert_eq!(both(one, more), "b/1 by a+b; b/2 by b");
    assert_eq!(both(more, one), "a/1 by a+b; a/2 by a");
    assert_eq!(both(more, more), "a/1 by a; a/2 by a; b/1 by b; b/2 by b");
    let two = "require: {stages: [{approvals: 2, from: [group:g]}]}";
    assert_eq!(both(one, two), "a/1 by a; b/1 by b");
    let but = "require: {stages: [{approvals: 1, from: [group:g], exclude: [person:bob]}]}";
    assert_eq!(both(one, but), "a/1 by a; b/1 by b");
}

#[test]
fn explain_names_the_condition_that_decided() {
    let policy = compiled(PRODUCTION);
    let told = |told: &str| {
        let line = |account: Account| {
            let conditions = account.conditions.iter().filter(|c| c.truth != Truth::True);
            let conditions =
                conditions.map(|c| format!("{:?}: {}, found {}", c.truth, c.demand, c.found));
            let waived = if account.waived { " waived" } else { "" };
            let why = conditions.collect::<Vec<_>>().join(" & ");
            format!("{} {} {:?}{waived} {why}", account.effect, account.rule, account.truth)
        };
        let explanation = in_situation(told, |situation| policy.explain(situation));
        explanation.rules.into_iter().map(line).collect::<Vec<_>>()
    };
    let lines =
        told("oscar asks terraform.apply in production with incident=sev1 workspace=orders");
    assert_eq!(
        lines,
        [
            "allow break-glass True ",
            "deny freeze Unknown Unknown: intent.target.calendar = frozen, found absent",
            "deny no-vm-deletes False False: intent.kind = vm.delete, found `terraform.apply`",
            "require release True waived ",
            "require secrets False False: intent.target.workspace = secrets, found `orders`",
            "allow staging False False: intent.environment one of [staging, test], found `production`",
        ]
    );
    let lines =
        told("alice/dev asks terraform.apply in production with incident=sev1 calendar=frozen");
    assert_eq!(
        lines[0],
        "allow break-glass False False: requester.groups contains oncall, found [`dev`]"
    );
    assert_eq!(lines[1], "deny freeze True ");
}

#[test]
fn the_empty_policy_refuses_everything() {
    for policy in [Policy::refuse_all(), Policy::compile(&[]).unwrap()] {
        let ruling = ruled(&policy, "alice asks a.b in x");
        assert_eq!(said(&ruling), "[default-deny] refuse, no rule allows this");
        assert_eq!(policy.revision(), Policy::refuse_all().revision());
    }
}

#[test]
fn t48_the_revision_follows_the_texts_and_nothing_else() {
    let (one, two) = (
        rules("  - {id: a, allow: {}}"),
        "apiVersion: assent/v1\nkind: Policy\nrules:\n  - {id: b, allow: {}}\n",
    );
    let revision = |documents: &[(&str, &str)]| {
        let documents: Vec<_> = documents.iter().map(|(file, text)| document(file, text)).collect();
        Policy::compile(&documents).unwrap().revision()
    };
    let both = revision(&[("a", &one), ("b", two)]);
    assert_eq!(revision(&[("b", two), ("a", &one)]), both);
    assert_eq!(revision(&[("z", two), ("y", &one)]), both);
    assert_ne!(revision(&[("a", &one)]), both);
    assert_ne!(revision(&[("a", &format!("{one}\n")), ("b", two)]), both);
}

// What does not load.

#[track_caller]
fn check_faults(text: &str, wanted: &[&str]) {
    check_faults_of(&[("p.yaml", text)], wanted);
}

#[track_caller]
fn check_faults_of(documents: &[(&str, &str)], wanted: &[&str]) {
    let documents: Vec<_> = documents.iter().map(|(file, text)| document(file, text)).collect();
    let faults = Policy::compile(&documents).err().unwrap_or_default();
    let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
    // Where it ends in `…`, the words that are known follow, which are no business of this test.
    let is_told = |(fault, wanted): (&String, &&str)| match wanted.strip_suffix('…') {
        Some(beginning) => fault.starts_with(beginning),
        None => fault == wanted,
    };
    let all_told = faults.iter().zip(wanted).all(is_told);
    assert!(all_told && faults.len() == wanted.len(), "{faults:#?}\nare not\n{wanted:#?}");
}

/// One rule in a whole document; it stands on line 6.
#[track_caller]
fn check_rule(rule: &str, wanted: &[&str]) {
    let head =
        "apiVersion: assent/v1\nkind: Policy\ngroups:\n  g: [person:bob, person:carol]\nrules:\n";
    let text = format!("{head}  - {rule}\n");
    check_faults(&text, wanted);
}

#[test]
fn unknown_words_are_named_with_their_place_and_what_is_known() {
    check_rule(
        "{id: r, whne: {intent.kind: a.b}, allow: {}}",
        &[
            "p.yaml:6:13: unknown key `whne` in rule (did you mean `when`?); known are id, description, when, deny, require, allow, ask",
        ],
    );
    check_rule(
        "{id: r, when: {intent.knid: a.b}, allow: {}}",
        &[
            "p.yaml:6:20: unknown attribute `intent.knid` (did you mean `intent.kind`?); known are …",
        ],
    );
    check_rule(
        "{id: r, when: {intent.target.: a}, allow: {}}",
        &["p.yaml:6:20: unknown attribute `intent.target.`…"],
    );
    check_rule(
        "{id: r, when: {intent.kind: {matches: a}}, allow: {}}",
        &["p.yaml:6:34: unknown operator `matches`; known are …"],
    );
    check_rule(
        "{id: r, when: {requester.groups: {contains: x}}, allow: {}}",
        &["p.yaml:6:5: there is no group `x`…"],
    );
    check_rule(
        "{id: r, require: {stages: [{approvals: 1, from: [group:g], exclude: [group:x]}]}}",
        &["p.yaml:6:32: there is no group `x`…"],
    );
    check_rule(
        "{id: r, require: {stages: [{approvals: 1, from: [g]}]}}",
        &[
            "p.yaml:6:54: `g` names nobody; write group:NAME, person:NAME or person:ISSUER#SUBJECT, or owners_of(target)",
        ],
    );
    check_rule(
        "{id: r, require: {stages: [{approvals: 1, from: [group:x]}]}}",
        &["p.yaml:6:32: there is no group `x`…"],
    );
}

#[test]
fn a_test_must_fit_its_attribute() {
    check_rule(
        "{id: r, when: {requester.groups: g}, allow: {}}",
        &[
            "p.yaml:6:38: `requester.groups` is not tested with `eq`: use contains, contains_any or contains_all",
        ],
    );
    check_rule(
        "{id: r, when: {intent.kind: {contains: a}}, allow: {}}",
        &[
            "p.yaml:6:34: `intent.kind` is not tested with `contains`: it is no list of texts; use eq or in",
        ],
    );
    check_rule(
        "{id: r, when: {intent.kind: {eq: [a]}}, allow: {}}",
        &["p.yaml:6:38: expected text, found a list"],
    );
    check_rule(
        "{id: r, when: {intent.target.port: 5432}, allow: {}}",
        &["p.yaml:6:40: expected text (put it in quotes), found a number"],
    );
    check_rule(
        "{id: r, when: {intent.target.x: null}, allow: {}}",
        &["p.yaml:6:37: expected text, found nothing"],
    );
    check_rule(
        "{id: r, when: {intent.target.x: true}, allow: {}}",
        &["p.yaml:6:37: expected text (put it in quotes), found true or false"],
    );
}

#[test]
fn a_quorum_that_nobody_can_meet_is_no_policy() {
    check_rule(
        "{id: r, require: {stages: [{approvals: 3, from: [group:g]}]}}",
        &[
            "p.yaml:6:32: stage `r/1` asks for 3 approvals, but only 2 different people can give one",
        ],
    );
    check_rule(
        "{id: r, require: {stages: [{approvals: 2, from: [group:g], exclude: [person:bob]}]}}",
        &["p.yaml:6:32: stage `r/1` asks for 2 approvals, but only 1 person can give one"],
    );
    check_rule(
        "{id: r, require: {stages: [{approvals: 1, from: [group:g]}, {approvals: 2, from: [group:g]}]}}",
        &["p.yaml:6:65: stage `r/2` asks for 2 approvals, but only 1 person can give one: \
             other stages of the rule need the rest, and nobody counts twice"],
    );
    check_rule(
        "{id: r, require: {stages: [{approvals: 1, from: [group:g]}, {approvals: 1, from: [person:bob]}]}}",
        &[],
    );
    check_rule(
        "{id: r, require: {stages: [{approvals: 0, from: [group:g]}]}}",
        &["p.yaml:6:44: expected a whole number from 1 to 100, found 0"],
    );
    check_rule(
        "{id: r, require: {stages: [{approvals: two, from: [group:g]}]}}",
        &["p.yaml:6:44: expected a whole number from 1 to 100, found text"],
    );
}

#[test]
fn what_cannot_be_waived() {
    let text = |waived: &str| {
        format!(
            "apiVersion: assent/v1\nkind: Policy\nrules:\n  - {{id: d, deny: {{message: no}}}}\n  - {{id: w, deny: {{message: no, waivable: true}}}}\n  - {{id: a, allow: {{waives: [{waived}]}}}}\n"
        )
    };
    check_faults(&text("d"), &["p.yaml:6:30: cannot waive `d`: it does not say `waivable: true`"]);
    check_faults(&text("a"), &["p.yaml:6:30: cannot waive `a`: an allow is never waived"]);
    check_faults(&text("x"), &["p.yaml:6:30: cannot waive `x`: there is no such rule"]);
    check_faults(&text("w"), &[]);
}

#[test]
fn nothing_stands_twice() {
    let head = "apiVersion: assent/v1\nkind: Policy\n";
    check_faults(
        &format!(
            "{head}rules:\n  - {{id: r, allow: {{}}}}\n  - {{id: r, deny: {{message: no}}}}\n"
        ),
        &["p.yaml:5:5: rule `r` stands already at p.yaml:4"],
    );
    check_faults(&format!("{head}kind: Policy\n"), &["p.yaml:3:1: `kind` stands here twice"]);
    check_rule(
        "{id: r, require: {stages: [{name: s, approvals: 1, from: [person:x]}, {name: s, approvals: 1, from: [group:g]}]}}",
        &["p.yaml:6:75: two stages are named `r/s`"],
    );
    let group = format!("{head}groups:\n  g: [person:bob]\n");
    let rule = format!("{head}rules:\n  - {{id: r, allow: {{}}}}\n");
    check_faults_of(
        &[("b.yaml", &group), ("a.yaml", &group)],
        &["b.yaml:4:3: group `g` is defined twice: at a.yaml:4:3 already"],
    );
    check_faults_of(
        &[("b.yaml", &rule), ("a.yaml", &rule)],
        &["b.yaml:4:5: rule `r` stands already at a.yaml:4"],
    );
    let defaults = format!("{head}defaults: {{uses: 2}}\n");
    check_faults_of(
        &[("b.yaml", &defaults), ("a.yaml", &defaults)],
        &["b.yaml:3:11: `defaults` are stated in another document already"],
    );
    // A `/` in a rule's id and one in a stage's name spell the same.
    let stages = "approvals: 1, from: [person:bob]";
    check_faults(
        &format!(
            "{head}rules:\n  - {{id: a, require: {{stages: [{{name: b/c, {stages}}}]}}}}\n  - {{id: a/b, require: {{stages: [{{name: c, {stages}}}]}}}}\n"
        ),
        &["p.yaml:5:34: stage `a/b/c` stands already at p.yaml:4"],
    );
}

#[test]
fn lists_are_not_empty() {
    check_rule("{id: r, when: {intent.kind: []}, allow: {}}", &["p.yaml:6:33: `in` is empty"]);
    check_rule(
        "{id: r, when: {intent.kind: {}}, allow: {}}",
        &["p.yaml:6:33: expected an operator"],
    );
    check_rule(
        "{id: r, when: {requester.groups: {contains_any: []}}, allow: {}}",
        &["p.yaml:6:53: `contains_any` is empty"],
    );
    check_rule(
        "{id: r, require: {stages: []}}",
        &["p.yaml:6:31: `stages` is empty: name at least one"],
    );
    check_rule("{id: r, allow: {waives: []}}", &["p.yaml:6:29: `waives` is empty"]);
    check_rule(
        "{id: r, allow: {credential: {audiences: []}}}",
        &["p.yaml:6:45: `audiences` is empty"],
    );
    check_faults(
        "apiVersion: assent/v1\nkind: Policy\ngroups: {g: []}\n",
        &["p.yaml:3:13: `approvers` is empty"],
    );
}

#[test]
fn durations_are_a_whole_number_and_a_unit() {
    for text in ["15", "1h30m", "1.5h", "-1m", "PT15M", "15 m", "15M"] {
        let found = if text == "15" {
            "expected a duration such as 10m, found a number".to_owned()
        } else {
            format!(
                "`{text}` is not a duration; write a whole number and s, m, h or d, such as 15m"
            )
        };
        check_rule(
            &format!("{{id: r, allow: {{credential: {{max_ttl: {text}}}}}}}"),
            &[&format!("p.yaml:6:43: {found}")],
        );
    }
    check_rule(
        "{id: r, allow: {credential: {max_ttl: 0m}}}",
        &["p.yaml:6:43: a duration of nothing"],
    );
    check_rule(
        "{id: r, allow: {credential: {max_ttl: 8d}}}",
        &["p.yaml:6:43: a credential lives at most 7d"],
    );
    check_rule("{id: r, allow: {credential: {max_ttl: 7d}}}", &[]);
}

#[test]
fn yaml_that_two_readers_could_take_differently_is_refused() {
    let head = "apiVersion: assent/v1\nkind: Policy\n";
    let cases = [
        ("rules: &all []\n", "p.yaml:3:8: anchors and aliases are not used in policies"),
        ("&key rules: []\n", "p.yaml:3:1: a key has neither anchor nor tag in policies"),
        ("rules: *all\n", "p.yaml:3:8: not YAML: while parsing node, found unknown anchor"),
        ("<<: {rules: []}\n", "p.yaml:3:1: merge keys are not used in policies"),
        ("rules: !!seq []\n", "p.yaml:3:8: tags are not used in policies"),
        ("!!str rules: []\n", "p.yaml:3:1: a key has neither anchor nor tag in policies"),
        ("? [a]\n: b\n", "p.yaml:3:3: a key must be text"),
        ("---\nrules: []\n", "p.yaml:4:1: one document to a file"),
        (
            "rules: [\n",
            "p.yaml:4:1: not YAML: while parsing a node, did not find expected node content",
        ),
        ("\trules: []\n", "p.yaml:2:7: not YAML: while scanning a plain scalar, found a tab"),
        ("rules: \"\n", "p.yaml:3:8: not YAML"),
    ];
    for (text, wanted) in cases {
        let faults = Policy::compile(&[document("p.yaml", &format!("{head}{text}"))]).unwrap_err();
        let fault = faults[0].to_string();
        assert!(faults.len() == 1 && fault.starts_with(wanted), "{text:?}: {faults:?}");
    }
    check_faults("", &["p.yaml:1:1: the file holds no document"]);
    check_faults("# nothing\n", &["p.yaml:1:1: the file holds no document"]);
    check_faults("text", &["p.yaml:1:1: expected a map, found text"]);
}

#[test]
fn every_fault_of_a_document_is_reported_at_once() {
    check_faults(
        "apiVersion: assent/v2
kind: Rules
metadata: {name: [x]}
extra: 1
groups:
  'a b': [person:bob]
  g: [group:h, bob]
rules:
  - id: default-deny
    allow: {}
  - {allow: {}}
  - id: two
    allow: {}
    deny: {message: no, waivable: 1}
  - id: r
    when: {nope: 1, intent.kind: {regex: a}}
    require: {stages: [{approvals: 200, from: []}], request_expires: soon, credential: {uses: 0}}
  - not a rule
",
        &[
            "p.yaml:1:13: expected `assent/v1`",
            "p.yaml:2:7: expected `Policy`",
            "p.yaml:3:18: expected text, found a list",
            "p.yaml:4:1: unknown key `extra` in document; known are …",
            "p.yaml:6:3: expected a name of 1 to 63 letters, digits, `-`, `_`, `.` or `/`",
            "p.yaml:7:7: a group holds people, not groups",
            "p.yaml:7:16: `bob` names nobody; write group:NAME, person:NAME or person:ISSUER#SUBJECT",
            "p.yaml:9:5: `default-deny` is what a ruling by no rule is called",
            "p.yaml:11:5: rule lacks `id`",
            "p.yaml:12:5: rule `two`: a rule has exactly one of deny, require, allow and ask",
            "p.yaml:16:12: unknown attribute `nope`; known are …",
            "p.yaml:16:35: unknown operator `regex`; known are …",
            "p.yaml:17:36: expected a whole number from 1 to 100, found 200",
            "p.yaml:17:47: `from` is empty",
            "p.yaml:17:70: `soon` is not a duration; write a whole number and s, m, h or d, such as 15m",
            "p.yaml:17:95: expected a whole number from 1 to 1000, found 0",
            "p.yaml:18:5: expected a map, found text",
        ],
    );
}

#[test]
fn nested_too_deep_is_a_fault_and_not_a_fall() {
    for deep in [40, 400, 4_000] {
        let text = format!("rules: {}{}", "[".repeat(deep), "]".repeat(deep));
        let faults = Policy::compile(&[document("p.yaml", &text)]).unwrap_err();
        assert_eq!(faults.len(), 1, "{deep}");
    }
}

// What holds for every policy.

const ATTRIBUTES: [&str; 6] = [
    "intent.kind: a.b",
    "intent.environment: [x, y]",
    "intent.target.t: u",
    "intent.target.v: {in: [u, w]}",
    "requester.sub: alice",
    "requester.groups: {contains: g}",
];

/// A rule that may stand beside any others of the same list: `r0` is waivable by all.
fn any_rule() -> impl Strategy<Value = (Vec<usize>, String)> {
    let stage = prop_oneof![Just("group:g"), Just("group:h"), Just("person:dave")]
        .prop_map(|from| format!("{{approvals: 1, from: [{from}]}}"));
    let credential = (
        1u32..100,
        1u32..9,
        prop_oneof![Just(""), Just(", audiences: [x, y]"), Just(", audiences: [y]")],
    )
        .prop_map(|(minutes, uses, audiences)| {
            format!("credential: {{max_ttl: {minutes}m, uses: {uses}{audiences}}}")
        });
    let credential = prop_oneof![Just(String::new()), credential];
    let effect = prop_oneof![
        Just("deny: {message: no}".to_owned()),
        (prop::collection::vec(stage, 1..2), credential.clone()).prop_map(
            |(stages, credential)| {
                format!("require: {{stages: [{}], {credential}}}", stages.join(", "))
            }
        ),
        credential.clone().prop_map(|credential| format!("allow: {{{credential}}}")),
        credential.prop_map(|credential| format!("allow: {{waives: [wr, wd], {credential}}}")),
    ];
    (prop::collection::vec(0usize..ATTRIBUTES.len(), 0..3), effect)
}

const WAIVABLE: [&str; 2] = [
    "{id: wd, when: {intent.target.z: 'on'}, deny: {message: no, waivable: true}}",
    "{id: wr, when: {intent.environment: x}, require: {stages: [{approvals: 1, from: [group:g]}]}}",
];

fn written(rules: &[(Vec<usize>, String)]) -> Vec<String> {
    let rule = |(id, (when, effect)): (usize, &(Vec<usize>, String))| {
        let when: BTreeSet<_> = when.iter().map(|at| ATTRIBUTES[*at]).collect();
        let when = when.into_iter().collect::<Vec<_>>().join(", ");
        format!("{{id: r{id}, when: {{{when}}}, {effect}}}")
    };
    let own = rules.iter().enumerate().map(rule);
    own.chain(WAIVABLE.map(str::to_owned)).collect()
}

const GROUPS: &str = "apiVersion: assent/v1\nkind: Policy\ngroups: {g: [person:bob, person:carol], h: [person:bob, person:alice]}\n";
#[test]
fn people_and_teams_are_read_and_every_account_is_one_persons() {
    let text = "people:
  alice: {github: '1', accounts: ['https://id.example.com#00u1']}
  bob: {github: ['2', '3']}
groups:
  listed: [person:alice]
  rm: {github_team: Acme/Release-Managers}
";
    let compiled = |text: &str| Policy::compile(&[document("p.yaml", &format!("{HEAD}{text}"))]);
    let policy = compiled(text).unwrap();
    let teams: Vec<_> = policy.teams().map(|(group, team)| format!("{group}={team}")).collect();
    assert_eq!(teams, ["rm=acme/release-managers"]);
    let account = |text: &str| {
        let (iss, sub) = text.split_once('#').unwrap();
        PrincipalId::new(iss, sub).unwrap()
    };
    let (two, ten) = (account("https://github.com#2"), account("https://github.com#10"));
    let here = [("rm", &two), ("rm", &ten), ("listed", &ten), ("identity", &ten)];
    let all = policy
        .membership(Timestamp::from_millis(0))
        .with_team_members(here.map(|(group, who)| (group.to_owned(), who.clone())));
    let bob = PrincipalId::local("bob").unwrap();
    assert_eq!(all.members("rm").unwrap(), &BTreeSet::from([bob, ten.clone()]));
    assert_eq!(all.members("listed").unwrap().len(), 1, "nobody comes into a listed group");
    let okta = account("https://id.example.com#00u1");
    assert!(all.includes(&"group:listed".parse().unwrap(), &okta));
    assert_eq!(all.groups_of(&okta).collect::<Vec<_>>(), ["listed"]);

    for (text, wanted) in [
        (
            "people: {a: {github: '1'}, b: {accounts: ['https://github.com#1']}}",
            "account `https://github.com#1` is `a`'s already",
        ),
        (
            "people: {a: {accounts: ['https://i.example#1']}, 'https://i.example#1': {github: '2'}}",
            "has an entry of its own",
        ),
        ("people: {a: {github: octocat}}", "expected the number of an account"),
        ("people: {a: {github: '01'}}", "expected the number of an account"),
        ("people: {a: {accounts: [bob]}}", "expected https://ISSUER#SUBJECT"),
        ("people: {a: {}}", "expected accounts"),
        ("groups: {g: {github_team: acme}}", "names no team of GitHub"),
        ("groups: {g: {github_team: acme/../x}}", "names no team of GitHub"),
        ("groups: {g: {identity: true, github_team: a/b}}", "one of them"),
        ("defaults: {unlinked_reviewers: warn}", "unknown `warn`; known are forbid, allow"),
    ] {
        let faults = compiled(text).err().unwrap_or_default();
        let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|fault| fault.contains(wanted)), "{text}: {told:#?}");
    }
}

#[test]
fn t08_where_jobs_are_let_in_their_people_are_known_by_the_trust_or_do_not_review() {
    let trust = |shape: &str, issuer: &str, people: &str| {
        format!(
            "trusts: {{t: {{issuer: '{issuer}', audience: 'https://a.example.com', shape: {shape}, claims: \
             {{repository_id: '4711', repository_owner_id: '17', environment: production}}, \
             may_ask: {{kinds: [github.deploy], environments: [production]}}, people: {people}}}}}\n"
        )
    };
    let compiled = |text: &str| Policy::compile(&[document("p.yaml", &format!("{HEAD}{text}"))]);
    let now = Timestamp::from_millis(0);
    let actions = "https://token.actions.githubusercontent.com";
    let jobs = |people: &str| trust("github-actions", actions, people);
    let policy = compiled(&jobs("{'1': person:bob}")).unwrap();
    let [bob, carol] = ["bob", "carol"].map(|name| PrincipalId::local(name).unwrap());
    let behind = [PrincipalId::new("https://github.com", "1").unwrap()];
    let tie = |policy: &Policy, who: &PrincipalId| {
        policy.membership(now).tie(who, &behind.iter().collect())
    };
    assert_eq!(tie(&policy, &bob), Some(Tie::Behind));
    let unlinked = Some(Tie::Unlinked("https://github.com".to_owned()));
    assert_eq!(tie(&policy, &carol), unlinked);
    assert_eq!(tie(&compiled(&jobs("{}")).unwrap(), &carol), unlinked);
    let allowed = format!("defaults: {{unlinked_reviewers: allow}}\n{}", jobs("{'1': person:bob}"));
    let allowed = compiled(&allowed).unwrap();
    assert_eq!((tie(&allowed, &bob), tie(&allowed, &carol)), (Some(Tie::Behind), None));
    assert!(!allowed.asks_for_links() && policy.asks_for_links());

    let two = format!("people: {{carol: {{github: '1'}}}}\n{}", jobs("{'1': person:bob}"));
    let told = compiled(&two).unwrap_err();
    assert!(
        told.iter().any(|fault| fault.to_string().contains("is `carol`'s already")),
        "{told:?}"
    );
}

const HEAD: &str = "apiVersion: assent/v1\nkind: Policy\n";

fn in_documents(rules: &[String], split: usize) -> Vec<PolicyDocument> {
    let text = |rules: &[String]| {
        let rules: String = rules.iter().map(|rule| format!("  - {rule}\n")).collect();
        if rules.is_empty() { HEAD.to_owned() } else { format!("{HEAD}rules:\n{rules}") }
    };
    let (one, two) = rules.split_at(split.min(rules.len()));
    vec![document("a", GROUPS), document("b", &text(one)), document("c", &text(two))]
}

fn any_question() -> impl Strategy<Value = (String, Vec<&'static str>)> {
    let who = prop_oneof![Just("alice"), Just("bob"), Just("alice/g"), Just("mallory")];
    let kind = prop_oneof![Just("a.b"), Just("c.d")];
    let environment = prop_oneof![Just("x"), Just("y"), Just("z")];
    let pairs = ["t=u", "t=no", "v=u", "v=no", "z=on", "z=off"];
    let target = prop::sample::subsequence(pairs.to_vec(), 0..=6);
    (who, kind, environment, target).prop_map(|(who, kind, environment, target)| {
        (format!("{who} asks {kind} in {environment}"), target)
    })
}

fn tell(question: &str, target: &[&str]) -> String {
    let with = if target.is_empty() { "" } else { " with " };
    format!("{question}{with}{}", target.join(" "))
}

/// How much is permitted: nothing, something to those who are asked, something to all. Where no
/// rule spoke, a require that cannot be settled asks: people decide then, and never absence.
fn permits_at_most(less: &Ruling, more: &Ruling) -> bool {
    let narrower = |less: &Terms, more: &Terms| {
        let audiences = match (&less.audiences, &more.audiences) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(few), Some(many)) => few.is_subset(many),
        };
        less.max_ttl <= more.max_ttl && less.uses <= more.uses && audiences
    };
    match (&less.outcome, &more.outcome) {
        (Outcome::Refuse(_), _) => true,
        (Outcome::Permit(less), Outcome::Permit(more)) => narrower(less, more),
        (Outcome::Require(_), Outcome::Permit(_)) => true,
        (Outcome::Require(less), Outcome::Require(more)) => more.stages.iter().all(|stage| {
            less.stages
                .iter()
                .any(|other| (&other.from, other.approvals) == (&stage.from, stage.approvals))
        }),
        (Outcome::Require(_), Outcome::Refuse(_)) => more.rules.contains("default-deny"),
        (Outcome::Permit(_), _) => false,
    }
}

proptest! {
    #[test]
    fn the_order_of_rules_and_documents_never_matters(
        rules in prop::collection::vec(any_rule(), 0..6),
        questions in prop::collection::vec(any_question(), 4),
        split in 0usize..8,
        seed in any::<u64>(),
    ) {
        let mut rules = written(&rules);
        let one = Policy::compile(&in_documents(&rules, rules.len())).unwrap();
        let mut seed = seed;
        for at in (1..rules.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            rules.swap(at, (seed >> 33) as usize % (at + 1));
        }
        let mut documents = in_documents(&rules, split);
        documents.reverse();
        let other = Policy::compile(&documents).unwrap();
        for (question, target) in questions {
            let told = tell(&question, &target);
            let (mut ruling, mut again) = (ruled(&one, &told), ruled(&other, &told));
            (ruling.policy, again.policy) = (one.revision(), one.revision());
            prop_assert_eq!(ruling, again);
            let explain = |policy: &Policy| in_situation(&told, |situation| policy.explain(situation));
            prop_assert_eq!(explain(&one), explain(&other));
        }
    }

    #[test]
    fn one_more_deny_never_permits_more(
        rules in prop::collection::vec(any_rule(), 0..6),
        (when, _) in any_rule(),
        (question, target) in any_question(),
    ) {
        let fewer = Policy::compile(&in_documents(&written(&rules), 3)).unwrap();
        let mut rules = rules;
        rules.push((when, "deny: {message: no}".to_owned()));
        let more = Policy::compile(&in_documents(&written(&rules), 3)).unwrap();
        let told = tell(&question, &target);
        let (before, after) = (ruled(&fewer, &told), ruled(&more, &told));
        let refused = matches!(after.outcome, Outcome::Refuse(_));
        prop_assert!(refused || before.outcome == after.outcome, "{told}");
        let was_refused = matches!(before.outcome, Outcome::Refuse(_));
        prop_assert!(!was_refused || refused, "{told}");
    }

    #[test]
    fn a_missing_attribute_never_permits_more_than_asking(
        rules in prop::collection::vec(any_rule(), 0..6),
        (question, target) in any_question(),
        without in prop_oneof![Just("t="), Just("v="), Just("z=")],
    ) {
        let policy = Policy::compile(&in_documents(&written(&rules), 3)).unwrap();
        let fewer: Vec<_> = target.iter().copied().filter(|pair| !pair.starts_with(without)).collect();
        let (all, less) = (ruled(&policy, &tell(&question, &target)), ruled(&policy, &tell(&question, &fewer)));
        prop_assert!(permits_at_most(&less, &all), "{question} {target:?} without {without}\n{}\n{}", said(&all), said(&less));
    }

    #[test]
    fn any_text_is_answered(text in "(?s).{0,200}") {
        let _ = Policy::compile(&[document("p.yaml", &text)]);
    }

    #[test]
    fn any_text_made_of_the_language_is_answered(
        words in prop::collection::vec(prop::sample::select(vec![
            "apiVersion: assent/v1\n", "kind: Policy\n", "rules:\n", "  - id: a\n", "    when: {", "}", "[", "]", ", ",
            "    allow: {}\n", "    require: {stages: [", "{approvals: 1, from: [person:bob]}", "groups: {", "g: [person:b]",
            "intent.kind: ", "a.b", "\n", "---\n", "&a ", "*a ", "!!str ", "<<: ", "'", "\"", "|\n", "  ", "\t", "? ", ": ", "- ", "#", "\u{feff}", "\u{0}", "%YAML 1.2\n", "...",
        ]), 0..30),
    ) {
        let _ = Policy::compile(&[document("p.yaml", &words.concat())]);
    }
}
