//! What a pool answers, and what it does with its workers.

use std::path::PathBuf;
use std::time::Duration;

use assent_rego::{
    Breaker, CheckError, Dialect, FAULTS_TO_OPEN, Limits, Module, Opinion, Party, Policy, Question,
    Review, Version,
};
use serde_json::{Value, json};

use crate::support::{limits, module, permits, policy, pool, reason};

fn answered(denies: &[&str], warns: &[&str], allows: bool) -> Opinion {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Opinion::Answered { denies: texts(denies), warns: texts(warns), allows }
}

fn v0(dialect: Dialect, text: &str) -> Policy {
    let module = Module::new("policy.rego", text, Version::V0).unwrap();
    Policy::new(dialect, vec![module]).unwrap()
}

/// Alice applies a plan that creates a bucket and deletes a table; Bob has approved.
fn question() -> Question {
    let person = |name: &str| Party {
        issuer: "https://id.example.com".to_owned(),
        subject: name.to_owned(),
        kind: "person".to_owned(),
        email: Some(format!("{name}@example.com")),
        groups: vec!["engineering".to_owned()],
        ..Party::default()
    };
    Question {
        request: Some("req-1".to_owned()),
        intent: json!({
            "kind": "terraform.apply",
            "environment": "prod",
            "target": {"workspace": "orders", "repository": "acme/orders", "branch": "main", "organization": "acme"},
            "reason": "new bucket",
            "context": {"object": {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", "labels": {}}}},
        }),
        requester: person("alice"),
        environment: json!({"tier": "critical", "labels": {"region": "eu"}}),
        plan: Some(json!({
            "terraform_version": "1.14.0",
            "resource_changes": [
                {"address": "aws_s3_bucket.logs", "type": "aws_s3_bucket", "name": "logs", "change": {"actions": ["create"], "before": null, "after": {"acl": "public-read"}}},
                {"address": "aws_dynamodb_table.t", "type": "aws_dynamodb_table", "name": "t", "change": {"actions": ["delete"], "before": {}, "after": null}},
            ],
        })),
        facts: Some(json!({"creates": 1, "deletes": 1})),
        reviews: vec![Review { reviewer: person("bob"), approves: true, at_ms: 1_000 }],
        signals: json!({"cost": {"totalMonthlyCost": 120}}),
        parameters: json!({"labels": ["owner"]}),
        now_ms: 1_800_000_000_000,
    }
}

async fn asked(policy: &Policy) -> Opinion {
    pool(limits()).ask(policy, &question()).await.opinion
}

#[tokio::test]
async fn conftest_reads_deny_violation_warn_and_exception() {
    let text = r#"package main
deny contains msg if {
	some change in input.resource_changes
	change.change.after.acl == "public-read"
	msg := sprintf("%s is public", [change.address])
}
deny_tables contains {"msg": "no tables"} if input.resource_changes[_].type == "aws_dynamodb_table"
violation_name contains {"msg": "named badly", "details": {}} if input.resource_changes[_].name == "t"
warn_size contains "large" if count(input.resource_changes) > 1
exception contains ["tables"] if true
"#;
    let denies = ["aws_s3_bucket.logs is public", "named badly"];
    assert_eq!(asked(&policy(Dialect::Conftest, text)).await, answered(&denies, &["large"], false));
    let elsewhere = text.replace("package main", "package terraform.s3");
    let named = policy(Dialect::Conftest, &elsewhere).with_namespace("terraform.s3").unwrap();
    assert_eq!(asked(&named).await, answered(&denies, &["large"], false));
    let missing = asked(&policy(Dialect::Conftest, &elsewhere)).await;
    assert!(reason(&missing).contains("package `main` has no rule deny, violation or warn"));
}

#[tokio::test]
async fn no_objection_is_no_consent() {
    for (dialect, text) in [
        (Dialect::Conftest, "package main\ndeny contains 1 if false"),
        (Dialect::SpaceliftPlan, "package spacelift\ndeny contains 1 if false"),
        (Dialect::Env0, "package env0\ndeny contains 1 if false"),
        (Dialect::Gatekeeper, "package any\nviolation contains 1 if false"),
    ] {
        assert_eq!(asked(&policy(dialect, text)).await, answered(&[], &[], false), "{dialect}");
    }
}

#[tokio::test]
async fn whatever_is_no_set_of_messages_is_no_answer() {
    for text in [
        "package main\ndeny := true",
        "package main\ndeny := false",
        "package main\ndeny := \"no\"",
        "package main\ndeny := msg if { msg := input.nope }",
        "package main\ndeny contains 7",
        "package main\ndeny contains {\"message\": \"x\"}",
        "package main\ndeny contains to_number(\"x\")",
        "package main\ndeny contains 1 if false\nwarn := input.nope",
        "package main\ndeny contains 1 if false\nexception contains \"deny\"",
        "package main\ndeny.network contains \"x\"",
    ] {
        reason(&asked(&policy(Dialect::Conftest, text)).await);
    }
}

#[tokio::test]
async fn hcp_terraform_gives_the_query_an_array() {
    let text = r#"package terraform.policies
# METADATA
# description: no public buckets
deny contains rego.metadata.rule().description if {
	input.plan.resource_changes[_].change.after.acl == "public-read"
	input.run.workspace.name == "orders"
	input.run.organization.name == "acme"
	input.run.is_destroy == false
	input.run.created_by == "alice"
}
flag if true
"#;
    let base = policy(Dialect::HcpTerraform, text);
    let query = base.clone().with_query("data.terraform.policies.deny").unwrap();
    assert_eq!(asked(&query).await, answered(&["no public buckets"], &[], false));
    let flag = base.clone().with_query("data.terraform.policies.flag").unwrap();
    assert_eq!(reason(&asked(&flag).await), "`query` is not a set");
    let nothing = base.clone().with_query("data.terraform.policies.nothing").unwrap();
    assert!(reason(&asked(&nothing).await).contains("there is no rule"));
    assert!(reason(&asked(&base).await).contains("names no query"));
    assert!(base.with_query("1 == 1").is_err());
}

#[tokio::test]
async fn spacelift_plan_policies_deny_and_warn_in_old_rego() {
    let text = r#"package spacelift
deny[sprintf("must not delete %s", [resource.address])] {
	resource := input.terraform.resource_changes[_]
	resource.change.actions[_] == "delete"
}
warn["asked at night"] {
	[hour, _, _] := time.clock(input.spacelift.request.timestamp_ns)
	hour < 9
}
sample { true }
"#;
    let denies = ["must not delete aws_dynamodb_table.t"];
    let opinion = asked(&v0(Dialect::SpaceliftPlan, text)).await;
    assert_eq!(opinion, answered(&denies, &["asked at night"], false));
}

#[tokio::test]
async fn spacelift_approval_policies_approve_reject_or_wait() {
    let approve = |needed: usize| {
        format!(
            "package spacelift\napprove {{ count(input.reviews.current.approvals) >= {needed} }}\nreject {{ count(input.reviews.current.rejections) > 0 }}"
        )
    };
    assert_eq!(asked(&v0(Dialect::SpaceliftApproval, &approve(1))).await, answered(&[], &[], true));
    let Opinion::Answered { denies, warns, allows: false } =
        asked(&v0(Dialect::SpaceliftApproval, &approve(2))).await
    else {
        panic!("one approval is not two")
    };
    assert!(denies.is_empty() && warns.len() == 1);
    let mut rejected = question();
    let mut denial = rejected.reviews[0].clone();
    (denial.approves, denial.at_ms) = (false, 2_000);
    rejected.reviews.push(denial);
    let policy = v0(Dialect::SpaceliftApproval, &approve(1));
    let opinion = pool(limits()).ask(&policy, &rejected).await.opinion;
    assert_eq!(
        opinion,
        answered(&["the policy rejects it"], &[], false),
        "the newest review counts"
    );
    let text = "package spacelift\napprove = \"yes\" { true }";
    assert_eq!(
        reason(&asked(&v0(Dialect::SpaceliftApproval, text)).await),
        "`approve` is neither true nor false"
    );
}

#[tokio::test]
async fn env0_policies_allow_deny_and_wait() {
    let text = r#"package env0
allow contains "cheap" if input.costEstimation.totalMonthlyCost < limit
pending contains "needs a second" if count(input.approvers) < 1
deny contains "not by robots" if input.deployerUser.email == "robot@example.com"
limit := 200
"#;
    assert_eq!(asked(&policy(Dialect::Env0, text)).await, answered(&[], &[], true));
    let dear = text.replace("200", "100");
    assert_eq!(asked(&policy(Dialect::Env0, &dear)).await, answered(&[], &[], false));
    let elsewhere = text.replace("package env0", "package env0.policies.cost");
    let named = policy(Dialect::Env0, &elsewhere).with_namespace("env0.policies.cost").unwrap();
    assert_eq!(asked(&named).await, answered(&[], &[], true));
    let waiting = text.replace("< 1", "< 2");
    let opinion = asked(&policy(Dialect::Env0, &waiting)).await;
    assert_eq!(
        opinion,
        answered(&[], &["needs a second"], false),
        "consent does not outdo a question"
    );
}

#[tokio::test]
async fn gatekeeper_policies_see_the_object_and_the_parameters() {
    let text = r#"package k8srequiredlabels
violation[{"msg": msg, "details": {"missing": missing}}] {
	provided := {label | input.review.object.metadata.labels[label]}
	required := {label | label := input.parameters.labels[_]}
	missing := required - provided
	count(missing) > 0
	msg := sprintf("%v %v lacks %v", [input.review.kind.kind, input.review.name, missing])
}
"#;
    let opinion = asked(&v0(Dialect::Gatekeeper, text)).await;
    assert_eq!(opinion, answered(&["Deployment web lacks {\"owner\"}"], &[], false));
    let mut without = question();
    without.intent["context"] = json!({});
    let opinion = pool(limits()).ask(&v0(Dialect::Gatekeeper, text), &without).await.opinion;
    assert!(reason(&opinion).contains("no `context.object`"));
}

#[tokio::test]
async fn our_own_dialect_rules_with_reasons() {
    let text = r#"package assent
default opinion := {"ruling": "permit"}
opinion := {"ruling": "refuse", "reasons": ["a critical environment"], "rules": ["tier"]} if {
	input.environment.tier == data.forbidden.tier
	input.plan.deletes > 0
	input.now.ms == 1800000000000
}
"#;
    let base = policy(Dialect::Assent, text);
    assert_eq!(asked(&base).await, answered(&[], &[], true));
    for (name, data) in [
        ("a.json", "{\"forbidden\": {\"tier\": \"critical\"}}"),
        ("a.yaml", "forbidden: {tier: critical}"),
    ] {
        let with = base.clone().with_data(name, data).unwrap();
        assert_eq!(asked(&with).await, answered(&["a critical environment"], &[], false), "{name}");
    }
    let broken = base.clone().with_data("a.json", "{").unwrap();
    assert!(reason(&asked(&broken).await).contains("`a.json` cannot be read"));
    let list = base.with_data("a.yaml", "- 1").unwrap();
    assert!(reason(&asked(&list).await).contains("`a.yaml` is not an object"));
    let base = policy(Dialect::Assent, text);
    for data in ["forbidden: {tier: no}", "forbidden: {tier: [ON]}"] {
        let with = base.clone().with_data("a.yaml", data).unwrap();
        assert!(reason(&asked(&with).await).contains("holds yes, no, on or off"), "{data}");
    }
    for data in ["{\"assent\": {\"opinion\": {\"ruling\": \"permit\"}}}", "{\"assent\": 1}"] {
        let with = base.clone().with_data("a.json", data).unwrap();
        assert!(reason(&asked(&with).await).contains("which a rule defines"), "{data}");
    }
    let bound = "package assent\nopinion := {\"ruling\": \"require\", \"max_ttl\": \"1h\"}";
    assert!(
        reason(&asked(&policy(Dialect::Assent, bound)).await)
            .contains("the rule that asks says that")
    );
}

#[tokio::test]
async fn a_policy_about_plans_is_not_answered_without_one() {
    let without = Question { plan: None, ..question() };
    for (dialect, text) in [
        (Dialect::Conftest, "package main\ndeny contains 1 if false"),
        (Dialect::SpaceliftPlan, "package spacelift\ndeny contains 1 if false"),
        (Dialect::Env0, "package env0\nallow contains \"x\""),
    ] {
        let opinion = pool(limits()).ask(&policy(dialect, text), &without).await.opinion;
        assert!(reason(&opinion).contains("the request has none"), "{dialect}");
    }
}

#[tokio::test]
async fn explaining_tells_what_was_reached_and_printed() {
    let text = "package main\ndeny contains \"a\" if {\n\tprint(\"seen\", input.terraform_version)\n\tcount(input.resource_changes) > 9\n\tinput.never\n}\n";
    let answer = pool(limits()).explain(&policy(Dialect::Conftest, text), &question()).await;
    assert_eq!(answer.account.prints, ["policy.rego:3: seen 1.14.0"]);
    assert_eq!(answer.account.outcomes, ["deny = []"]);
    let [file] = answer.account.coverage.as_slice() else { panic!("{:?}", answer.account) };
    assert_eq!(file.file, "policy.rego");
    assert!(file.covered.contains(&3) && file.covered.contains(&4), "{file:?}");
    assert!(file.not_covered.contains(&5), "{file:?}");
}

#[tokio::test]
async fn checking_a_policy_tells_every_fault_with_its_place() {
    let text = "package main\ndeny contains \"a\" if not startswith(input.xs[_], \"a\")\nwarn contains \"b\" if no_such(1)\n";
    let Err(CheckError::Faults(faults)) =
        pool(limits()).check(&policy(Dialect::Conftest, text)).await
    else {
        panic!("it must be refused")
    };
    let lines: Vec<(&str, u32)> =
        faults.iter().map(|fault| (fault.file.as_str(), fault.line)).collect();
    assert_eq!(lines, [("policy.rego", 2), ("policy.rego", 3)], "{faults:?}");
    let fine = "package main\ndeny contains \"a\" if input.x\n";
    assert_eq!(pool(limits()).check(&policy(Dialect::Conftest, fine)).await, Ok(()));
}

#[tokio::test]
async fn modules_of_both_versions_work_together() {
    let old =
        Module::new("lib.rego", "package lib\nis_big(x) { count(x) > 1 }", Version::V0).unwrap();
    let new = module(
        "package main\nimport data.lib\ndeny contains \"big\" if lib.is_big(input.resource_changes)",
    );
    let policy = Policy::new(Dialect::Conftest, vec![old, new]).unwrap();
    assert_eq!(asked(&policy).await, answered(&["big"], &[], false));
}

#[tokio::test]
async fn equal_questions_have_equal_answers_and_nothing_is_left_from_the_last() {
    let text = "package assent\nopinion := {\"ruling\": \"refuse\", \"reasons\": [sprintf(\"%d %v\", [time.now_ns(), input.x])]}";
    let (pool, policy) = (pool(Limits { workers: 1, ..limits() }), policy(Dialect::Assent, text));
    for (x, now, reason) in [(1, 5, "5000000 1"), (2, 6, "6000000 2"), (1, 5, "5000000 1")] {
        let opinion = pool.ask_with_input(&policy, &json!({"x": x}), now).await.opinion;
        assert_eq!(opinion, answered(&[reason], &[], false));
    }
    assert_eq!(pool.idle_processes().len(), 1, "one worker served them all");
}

const PANICS: &str =
    "package assent\nopinion := {\"ruling\": \"permit\"} if strings.count(input.a, input.b) > 0";

#[tokio::test]
async fn t49_a_worker_with_a_fault_is_replaced_and_a_policy_that_repeats_it_is_not_asked() {
    let (pool, hostile) =
        (pool(Limits { workers: 1, ..limits() }), policy(Dialect::Assent, PANICS));
    let good = policy(Dialect::Assent, "package assent\nopinion := {\"ruling\": \"permit\"}");
    let fatal = json!({"a": "aa", "b": ""});
    let mut seen = Vec::new();
    for faults in 1..=FAULTS_TO_OPEN {
        assert!(permits(&pool.ask_with_input(&good, &json!({}), 0).await.opinion));
        seen.extend(pool.idle_processes());
        let opinion = pool.ask_with_input(&hostile, &fatal, 0).await.opinion;
        assert!(reason(&opinion).contains("panicked"), "{opinion:?}");
        assert!(pool.idle_processes().is_empty(), "the worker is gone");
        match pool.breaker(hostile.revision()) {
            Breaker::Closed { faults: counted } => {
                assert!(counted == faults && faults < FAULTS_TO_OPEN)
            }
            Breaker::Open { faults: counted, .. } => assert_eq!(counted, FAULTS_TO_OPEN),
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 3, "each time another process");
    for process in seen {
        assert!(!exists(process), "{process} is still there");
    }
    let spared = pool.ask_with_input(&hostile, &json!({"a": "aa", "b": "a"}), 0).await.opinion;
    assert!(
        reason(&spared).contains("is not asked for now, after repeated faults: "),
        "{spared:?}"
    );
    assert!(permits(&pool.ask_with_input(&good, &json!({}), 0).await.opinion), "others are asked");
    assert_eq!(pool.breaker(good.revision()), Breaker::Closed { faults: 0 });
}

/// Whether there is such a process, be it a zombie.
fn exists(process: u32) -> bool {
    PathBuf::from(format!("/proc/{process}")).exists()
}

#[tokio::test]
async fn t49_workers_are_confined() {
    let pool = pool(Limits { workers: 1, ..limits() });
    let good = policy(Dialect::Assent, "package assent\nopinion := {\"ruling\": \"permit\"}");
    assert!(permits(&pool.ask_with_input(&good, &json!({}), 0).await.opinion));
    let [process] = pool.idle_processes()[..] else { panic!("one worker") };
    let told = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let limit = |name: &str| -> Vec<&str> {
        let line = told.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().take(2).collect()
    };
    assert_eq!(limit("Max address space"), ["536870912"; 2]);
    assert_eq!(limit("Max core file size"), ["0"; 2]);
    assert_eq!(limit("Max file size"), ["0"; 2]);
    assert_eq!(limit("Max open files"), ["3"; 2]);
    assert!(limit("Max cpu time")[0].parse::<u64>().unwrap() <= 4, "{told}");
    // Only who may look at anything sees these.
    if let Ok(environment) = std::fs::read(format!("/proc/{process}/environ")) {
        assert_eq!(String::from_utf8_lossy(&environment), "");
    }
    if let Ok(open) = std::fs::read_dir(format!("/proc/{process}/fd")) {
        assert_eq!(open.count(), 3, "stdin, stdout, stderr");
    }
}

#[tokio::test]
async fn workers_end_with_their_pool_and_leave_no_zombie() {
    let good = policy(Dialect::Assent, "package assent\nopinion := {\"ruling\": \"permit\"}");
    for closed in [true, false] {
        let pool = pool(limits());
        let asked = (0..3).map(|_| {
            let (pool, good) = (pool.clone(), good.clone());
            tokio::spawn(async move { pool.ask_with_input(&good, &json!({}), 0).await })
        });
        for each in asked.collect::<Vec<_>>() {
            assert!(permits(&each.await.unwrap().opinion));
        }
        let processes = pool.idle_processes();
        assert!(!processes.is_empty());
        if closed {
            pool.close().await;
        }
        drop(pool);
        // Whoever drops a pool does not wait; the runtime reaps what was killed.
        for process in processes {
            while exists(process) {
                assert!(!closed, "{process} is still there");
                tokio::task::yield_now().await;
            }
        }
    }
}

#[tokio::test]
async fn a_question_that_is_given_up_leaves_nothing_behind() {
    let pool = pool(Limits { workers: 1, timer: std::time::Duration::from_secs(60), ..limits() });
    let slow = policy(
        Dialect::Assent,
        "package assent\nopinion := {\"ruling\": \"permit\"} if { some a in numbers.range(1, 100000); some b in numbers.range(1, 100000); a + b < 0 }",
    );
    let (asking, good) = (
        pool.ask_with_input(&slow, &Value::Null, 0),
        "package assent\nopinion := {\"ruling\": \"permit\"}",
    );
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(1), asking).await;
    assert!(given_up.is_err());
    let good = policy(Dialect::Assent, good);
    assert!(permits(&pool.ask_with_input(&good, &json!({}), 0).await.opinion));
}

#[tokio::test]
async fn a_program_that_is_no_worker_gives_no_answer() {
    let good = policy(Dialect::Assent, "package assent\nopinion := {\"ruling\": \"permit\"}");
    for (program, argument) in [
        ("/bin/true", None),
        ("/bin/echo", Some("permit")),
        ("/no/such/program", None),
        ("/bin/cat", Some("/dev/zero")),
    ] {
        let launch = assent_rego::Launch::program(program);
        let launch = argument.into_iter().fold(launch, assent_rego::Launch::with_argument);
        let pool = assent_rego::Pool::new(launch, limits());
        reason(&pool.ask_with_input(&good, &json!({}), 0).await.opinion);
    }
}

#[tokio::test]
async fn what_is_recorded_of_a_failure_is_one_sentence_and_the_same_each_time() {
    let (soon, never) = (Duration::from_millis(20), Duration::from_secs(60));
    let evaluation = limits().evaluation;
    for (text, timer, evaluation, wanted) in [
        (SLOW, soon, evaluation, "`opinion` cannot be evaluated: it took longer than 20 ms"),
        (SLOW, never, Duration::ZERO, "the engine gave no answer within 0 ms"),
        (GROWS, never, evaluation, "the engine needed more memory than it may have"),
    ] {
        let pool = pool(Limits { timer, evaluation, ..limits() });
        for _ in 0..2 {
            let opinion = pool.ask_with_input(&policy(Dialect::Assent, text), &json!({}), 0).await;
            assert_eq!(reason(&opinion.opinion), wanted);
        }
    }
}

const SLOW: &str = "package assent\nopinion := {\"ruling\": \"permit\"} if { some a in numbers.range(1, 10000); some b in numbers.range(1, 10000); a + b < 0 }";

/// Ten times as long with each step, until there is no room.
const GROWS: &str = r#"package assent
opinion := {"ruling": "permit"} if count(x8) > 0
x0 := "aaaaaaaaaa"
x1 := replace(x0, "a", x0)
x2 := replace(x1, "a", x0)
x3 := replace(x2, "a", x0)
x4 := replace(x3, "a", x0)
x5 := replace(x4, "a", x0)
x6 := replace(x5, "a", x0)
x7 := replace(x6, "a", x0)
x8 := replace(x7, "a", x0)
"#;
