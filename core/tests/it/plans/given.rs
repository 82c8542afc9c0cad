//! Every plan in `tests/plans` against `expected.json`, which another program has made of them.

use std::collections::{BTreeMap, BTreeSet};

use assent_core::plan::{CUT, Change, LooksLike, MARKER, Plan, PlanError};
use serde_json::Value;

use super::{bytes, names, parse};

fn expected() -> BTreeMap<String, Value> {
    serde_json::from_slice(&bytes("expected.json")).unwrap()
}

/// Names in these files begin so where they are sensitive.
fn without_canaries(text: &str) -> String {
    text.replace("CANARY-key-7d793037a0760186", MARKER)
}

fn counts(plan: &Plan) -> BTreeMap<&'static str, u64> {
    let facts = &plan.facts;
    let all = [
        ("creates", facts.creates),
        ("updates", facts.updates),
        ("deletes", facts.deletes),
        ("replaces", facts.replaces),
        ("reads", facts.reads),
        ("imports", facts.imports),
        ("moves", facts.moves),
        ("forgets", facts.forgets),
        ("drifts", facts.drifts),
        ("outputs", facts.outputs),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn actions(change: &Change) -> String {
    change.actions.join(" ")
}

/// The top-level attributes of the changed paths, by address.
fn attributes(plan: &Plan) -> BTreeMap<String, BTreeSet<String>> {
    let altered = plan.changes.iter().filter(|it| matches!(it.risk_word(), "altered"));
    let top = |path: &String| path.split(['.', '[']).next().unwrap().to_owned();
    let told = |it: &Change| it.paths.iter().filter(|it| *it != CUT).map(top).collect();
    altered.map(|it| (it.address.clone(), told(it))).collect()
}

trait Altered {
    fn risk_word(&self) -> &'static str;
}

impl Altered for Change {
    fn risk_word(&self) -> &'static str {
        match actions(self).as_str() {
            "update" | "create delete" | "delete create" => "altered",
            _ => "other",
        }
    }
}

#[test]
fn every_plan_is_read_as_another_program_reads_it() {
    for (name, wanted) in expected() {
        if wanted.is_null() {
            continue;
        }
        let plan = parse(&bytes(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let facts = &plan.facts;
        let json = |value: &dyn erased::Json| value.json();
        assert_eq!(json(&counts(&plan)), wanted["counts"], "{name}");
        assert_eq!(json(&facts.types), wanted["types"], "{name}");
        assert_eq!(json(&facts.provisioners), wanted["provisioners"], "{name}");
        assert_eq!(json(&facts.complete), wanted["complete"], "{name}");
        assert_eq!(json(&facts.applyable), wanted["applyable"], "{name}");
        assert_eq!(json(&facts.errored), wanted["errored"], "{name}");
        assert_eq!(json(&facts.format_version), wanted["format_version"], "{name}");
        assert_eq!(json(&facts.terraform_version), wanted["terraform_version"], "{name}");
        let mut changes: Vec<_> =
            plan.changes.iter().map(|it| [it.address.clone(), actions(it)]).collect();
        changes.sort();
        let mut wanted_changes: Vec<[String; 2]> =
            serde_json::from_str(&without_canaries(&wanted["changes"].to_string())).unwrap();
        wanted_changes.sort();
        assert_eq!(changes, wanted_changes, "{name}");
        assert_eq!(json(&attributes(&plan)), wanted["attributes"], "{name}");
    }
}

/// Whatever serde can write, as a JSON value.
mod erased {
    pub(super) trait Json {
        fn json(&self) -> serde_json::Value;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> serde_json::Value {
            serde_json::to_value(self).unwrap()
        }
    }
}

#[test]
fn every_file_is_expected_to_be_something() {
    let expected = expected();
    for name in names() {
        assert!(name.contains("not-a-plan") || expected.contains_key(&name), "{name}");
    }
    assert_eq!(expected.keys().filter(|name| name.starts_with("given/")).count(), 37);
}

#[test]
fn a_broken_plan_is_refused_where_it_breaks() {
    let error = parse(&bytes("given/tf-invalid.json")).unwrap_err();
    let wanted =
        "not JSON at `$`, byte 15543: expected nothing more after the value, found a bracket";
    assert_eq!(error.to_string(), wanted);
}

#[test]
fn what_is_no_plan_is_told_by_its_looks() {
    for (name, looks) in [
        ("own/not-a-plan-saved.bin", LooksLike::SavedPlan),
        ("own/not-a-plan-log.json", LooksLike::Log),
        ("own/not-a-plan-state.json", LooksLike::State),
        ("own/not-a-plan-state-view.json", LooksLike::StateView),
        ("own/not-a-plan-configuration.json", LooksLike::Configuration),
        ("own/not-a-plan-schemas.json", LooksLike::ProviderSchemas),
        ("own/not-a-plan-validation.json", LooksLike::Validation),
        ("own/not-a-plan-text.txt", LooksLike::Text),
    ] {
        assert_eq!(parse(&bytes(name)), Err(PlanError::NotAPlan(looks)), "{name}");
    }
    assert_eq!(parse(b" \n"), Err(PlanError::NotAPlan(LooksLike::Nothing)));
    assert_eq!(parse(b"[1]"), Err(PlanError::NotAPlan(LooksLike::Json)));
    let cloud = br#"{"remote_plan_format":1,"run_id":"run-1","hostname":"app.terraform.io"}"#;
    assert_eq!(parse(cloud), Err(PlanError::NotAPlan(LooksLike::CloudPlan)));
    let empty = br#"{"format_version":"1.0"}"#;
    assert_eq!(parse(empty), Err(PlanError::NotAPlan(LooksLike::StateView)));
    assert_eq!(parse(b"{}"), Err(PlanError::NotAPlan(LooksLike::Json)));
}

#[test]
fn t43_what_went_around_the_whole_plan_shows_in_its_facts() {
    let facts = |name: &str| parse(&bytes(name)).unwrap().facts;
    let targeted = facts("own/made-target.json");
    assert_eq!((targeted.complete, targeted.applyable), (Some(false), Some(true)));
    let refreshed = facts("own/made-refresh-only.json");
    assert_eq!((refreshed.change_count, refreshed.applyable), (0, Some(true)));
    let nothing = facts("own/made-nothing.json");
    assert_eq!((nothing.change_count, nothing.applyable), (0, Some(false)));
    let failed = facts("own/made-errored.json");
    assert_eq!((failed.errored, failed.complete), (Some(true), Some(false)));
    let changes = |name: &str| parse(&bytes(name)).unwrap().changes;
    let replaced = changes("own/made-replace-asked.json");
    assert_eq!(replaced[0].replace_reasons, ["replace_by_request"]);
    let imported = changes("own/made-many.json");
    assert!(imported.iter().any(|it| it.importing && it.type_name == "terraform_data"));
    // Before Terraform 1.8 a plan does not say: that is no yes.
    assert_eq!(facts("given/plan.json").complete, None);
}

/// By a person who has read these plans.
#[test]
fn what_touches_rights_and_what_opens_is_found_in_real_plans() {
    for (name, rights, open) in [
        (
            "given/plan_nested_child_modules_with_connections.json",
            &["module.s3_bucket.aws_s3_bucket_acl.this[0]"][..],
            &[
                "module.s3_bucket.aws_s3_bucket_acl.this[0]",
                "module.s3_bucket.aws_s3_bucket_public_access_block.this[0]",
            ][..],
        ),
        (
            "given/runner_registry-plan_with_for_each_for_enrichment-tf_plan.json",
            &[],
            &[
                "module.sg[\"awful_example\"].aws_security_group.bad",
                "module.sg[\"bad_example\"].aws_security_group.bad",
                "module.sg[\"terrible_example\"].aws_security_group.bad",
            ],
        ),
        // Its firewalls let out only.
        ("given/extra_tf_plan_checks-modules.json", &[], &[]),
        (
            "given/plan_data_resource_partial_values.json",
            // It acts as a role.
            &["module.child.module.a.aws_eks_cluster.cluster"],
            &["module.child.module.a.aws_eks_cluster.cluster"],
        ),
        (
            "given/plan_root_module_resources_no_values-tfplan_route53.json",
            &["aws_cloudwatch_log_resource_policy.route53-query-logging-policy"],
            &[],
        ),
        (
            "given/plan.json",
            &[
                "aws_elasticsearch_domain_policy.monitoring-framework-policy",
                "aws_iam_access_key.user",
                "aws_iam_instance_profile.ec2profile",
                "aws_iam_role.ec2role",
                "aws_iam_role.iam_for_eks",
                "aws_iam_role.iam_for_lambda",
                "aws_iam_role_policy.ec2policy",
                "aws_iam_role_policy_attachment.policy_attachment-AmazonEKSClusterPolicy",
                "aws_iam_role_policy_attachment.policy_attachment-AmazonEKSServicePolicy",
                "aws_iam_user.user",
                "aws_iam_user_policy.userpolicy",
                "aws_instance.db_app",
            ],
            &[
                "aws_db_instance.default",
                "aws_eks_cluster.eks_cluster",
                "aws_elasticsearch_domain_policy.monitoring-framework-policy",
                // It does not say that it is internal.
                "aws_elb.weblb",
                "aws_s3_bucket.data",
                "aws_security_group.web-node",
                "aws_subnet.eks_subnet1",
                "aws_subnet.eks_subnet2",
                "aws_subnet.web_subnet",
                "aws_subnet.web_subnet2",
            ],
        ),
    ] {
        let plan = parse(&bytes(name)).unwrap();
        let found = |fact: fn(&Change) -> Option<bool>| {
            let is_so = |it: &&Change| fact(it) == Some(true);
            let some = plan.changes.iter().filter(is_so);
            some.map(|it| it.address.as_str()).collect::<BTreeSet<_>>()
        };
        assert_eq!(found(|it| it.touches_iam), rights.iter().copied().collect(), "{name}");
        assert_eq!(found(|it| it.public_exposure), open.iter().copied().collect(), "{name}");
        assert_eq!(plan.facts.touches_iam, Some(!rights.is_empty()), "{name}");
        assert_eq!(plan.facts.public_exposure, Some(!open.is_empty()), "{name}");
    }
    // Its rules stand apart, and whether it has some of its own is known after applying.
    let plan = parse(&bytes("given/plan.json")).unwrap();
    let group = plan.changes.iter().find(|it| it.address == "aws_security_group.default");
    assert_eq!(group.unwrap().public_exposure, None);
}

#[test]
fn t39_the_digest_is_of_the_very_bytes() {
    let bytes = bytes("own/made-many.json");
    let spaced = [&bytes[..], b"\n"].concat();
    let (plan, other) = (parse(&bytes).unwrap(), parse(&spaced).unwrap());
    assert_eq!(plan.digest, assent_core::digest::Digest::of(&bytes));
    assert_eq!(plan.facts, other.facts);
    assert_ne!(plan.digest, other.digest);
}
