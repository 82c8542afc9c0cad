//! Small plans, one for each shape a change can have.

use assent_core::plan::{Limits, Plan, PlanError, Risk};
use serde_json::{Value, json};

use super::{change, only, parse, plan, plan_of};

const ALL: [&str; 2] = ["delete", "create"];

/// The same change from another provider.
fn by(provider: &str, mut change: Value) -> Value {
    change["provider_name"] = json!(provider);
    change
}

fn with(mut change: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    change.pointer_mut(parent).unwrap()[name] = value;
    change
}

#[test]
fn a_deferred_change_is_counted_apart() {
    let mut value = plan_of(json!([change("aws_vpc.a", &["create"], json!(null), json!({}))]));
    let deferred = change("aws_iam_role.b", &["create"], json!(null), json!({}));
    value["deferred_changes"] =
        json!([{"reason": "provider_config_unknown", "resource_change": deferred}]);
    let Plan { facts, changes, .. } = plan(&value);
    assert_eq!((facts.creates, facts.deferred, facts.change_count), (1, 1, 1));
    assert_eq!((facts.touches_iam, facts.public_exposure), (Some(true), None));
    assert!(facts.actions.contains("defer") && facts.types.contains("aws_iam_role"));
    let change = changes.iter().find(|it| it.deferred.is_some()).unwrap();
    assert_eq!(change.deferred.as_deref(), Some("provider_config_unknown"));
}

#[test]
fn drift_is_no_change() {
    let mut value = plan_of(json!([]));
    value["resource_drift"] = json!([
        change("aws_vpc.a", &["update"], json!({"tags": {"a": "1"}}), json!({"tags": {"a": "2"}})),
        change("aws_vpc.b", &["delete"], json!({}), json!(null)),
        change("aws_vpc.c", &["no-op"], json!({}), json!({})),
    ]);
    let plan = plan(&value);
    assert_eq!((plan.facts.drifts, plan.facts.change_count), (2, 0));
    let shown: Vec<_> = plan.drift.iter().map(|it| (it.address.as_str(), it.risk())).collect();
    assert_eq!(shown, [("aws_vpc.b", Risk::Destroys), ("aws_vpc.a", Risk::Updates)]);
    assert_eq!(plan.drift[1].paths, ["tags.a"]);
    assert!(plan.changes.is_empty() && plan.facts.types.is_empty());
}

#[test]
fn moves_imports_and_forgets_are_told_apart() {
    let moved = change("aws_vpc.new", &["no-op"], json!({}), json!({}));
    let moved = with(moved, "/previous_address", json!("aws_vpc.old"));
    let imported = change("aws_vpc.in", &["no-op"], json!({}), json!({}));
    let imported = with(imported, "/change/importing", json!({"id": "vpc-1"}));
    let forgotten = change("aws_vpc.out", &["forget"], json!({}), json!(null));
    let Plan { facts, changes, .. } = plan(&plan_of(json!([moved, imported, forgotten])));
    assert_eq!((facts.moves, facts.imports, facts.forgets), (1, 1, 1));
    assert_eq!(facts.change_count, 1);
    assert_eq!(facts.tags_only, Some(false));
    let words: Vec<_> = facts.actions.iter().map(String::as_str).collect();
    assert_eq!(words, ["forget", "import", "move"]);
    assert_eq!(changes[1].previous_address.as_deref(), Some("aws_vpc.old"));
}

#[test]
fn both_orders_of_replacing_are_one_fact() {
    for actions in [["delete", "create"], ["create", "delete"], ["create", "forget"]] {
        let (before, after) = (json!({"cidr": "a"}), json!({"cidr": "b"}));
        let change = change("aws_vpc.a", &actions, before, after);
        let change = with(change, "/change/replace_paths", json!([["cidr"], ["set", 0, "x.y"]]));
        let change = with(change, "/action_reason", json!("replace_because_cannot_update"));
        let Plan { facts, changes, .. } = plan(&plan_of(json!([change])));
        assert_eq!(
            (facts.replaces, facts.deletes, facts.creates, facts.change_count),
            (1, 0, 0, 1)
        );
        let reasons = ["replace_because_cannot_update", "cidr", "set[0][\"x.y\"]"];
        assert_eq!(changes[0].replace_reasons, reasons);
        assert_eq!(changes[0].paths, ["cidr"]);
    }
}

#[test]
fn a_left_over_object_stands_beside_its_successor() {
    let now = change("aws_vpc.a", &["no-op"], json!({}), json!({}));
    let old = change("aws_vpc.a", &["delete"], json!({}), json!(null));
    let old = with(old, "/deposed", json!("6f5aa3b1"));
    let Plan { facts, changes, .. } = plan(&plan_of(json!([now, old])));
    assert_eq!((facts.deletes, facts.change_count), (1, 1));
    assert_eq!(changes[0].deposed.as_deref(), Some("6f5aa3b1"));
}

#[test]
fn outputs_alone_are_no_change_of_a_resource() {
    let mut value = plan_of(json!([]));
    value["output_changes"] = json!({
        "a": {"actions": ["update"], "before": 1, "after": 2},
        "b": {"actions": ["no-op"], "before": 1, "after": 1},
    });
    let plan = plan(&value);
    assert_eq!((plan.facts.outputs, plan.facts.change_count), (1, 0));
    assert_eq!(plan.facts.tags_only, Some(false));
    assert_eq!(plan.outputs[0].name, "a");
}

#[test]
fn a_plan_without_resources_is_a_plan() {
    let mut value = plan_of(json!(null));
    value.as_object_mut().unwrap().remove("resource_changes");
    let facts = plan(&value).facts;
    assert_eq!(facts.change_count, 0);
    assert_eq!((facts.touches_iam, facts.public_exposure), (Some(false), Some(false)));
}

#[test]
fn paths_lead_to_what_differs_and_end_at_marks() {
    let before = json!({"a": {"b.c": [1, {"d": 1}]}, "l": [1], "same": {"x": [1]}, "s": {"k": 1}});
    let after =
        json!({"a": {"b.c": [1, {"d": 2}]}, "l": [1, 2], "same": {"x": [1]}, "s": {"k": 2}});
    let altered = change("aws_x.a", &["update"], before, after);
    let altered = with(altered, "/change/after_sensitive", json!({"s": true}));
    let altered = with(altered, "/change/before_sensitive", json!({"s": true}));
    let altered = with(altered, "/change/after_unknown", json!({"later": true, "list": [false]}));
    assert_eq!(only(altered).paths, ["a[\"b.c\"][1].d", "l", "later", "s"]);
}

#[test]
fn a_mark_that_comes_or_goes_is_a_change() {
    let altered = change("aws_x.a", &["update"], json!({"s": "v"}), json!({"s": "v"}));
    let altered = with(altered, "/change/after_sensitive", json!({"s": true}));
    assert_eq!(only(altered).paths, ["s"]);
}

#[test]
fn very_many_paths_are_told_by_their_attributes() {
    let side = |n: usize| {
        let rows: Vec<_> = (0..500).map(|i| json!({"v": i * n})).collect();
        json!({"rows": rows, "other": n})
    };
    let altered = only(change("aws_x.a", &["update"], side(1), side(2)));
    assert_eq!(altered.paths, ["other", "rows"]);
    let side = |n: usize| (0..2000).map(|i| (format!("k{i}"), json!(n))).collect::<Value>();
    assert_eq!(only(change("aws_x.a", &["update"], side(1), side(2))).paths, ["*"]);
}

#[test]
fn tags_only_is_three_valued() {
    let tags = |v: &str| json!({"tags": {"a": v}, "tags_all": {"a": v}, "size": 1});
    let altered = |after: Value| change("aws_x.a", &["update"], tags("1"), after);
    assert_eq!(only(altered(tags("2"))).tags_only, Some(true));
    let other = json!({"tags": {"a": "2"}, "tags_all": {"a": "2"}, "size": 2});
    assert_eq!(only(altered(other)).tags_only, Some(false));
    let unknown = with(altered(tags("2")), "/change/after_unknown", json!({"etag": true}));
    assert_eq!(only(unknown.clone()).tags_only, None);
    let later = with(altered(tags("1")), "/change/after_unknown", json!({"tags_all": true}));
    assert_eq!(only(later).tags_only, Some(true));
    // A provider that is not understood may mean anything by `tags`.
    let stranger = by("registry.terraform.io/acme/aws", altered(tags("2")));
    assert_eq!(only(stranger).tags_only, None);
    // Firewalls select by Google's tags.
    let network = by("registry.terraform.io/hashicorp/google", altered(tags("2")));
    assert_eq!(only(network).tags_only, Some(false));
    // Nothing altered is not tags only, and one unknown makes the whole unknown.
    assert_eq!(plan(&plan_of(json!([]))).facts.tags_only, Some(false));
    let both = plan(&plan_of(json!([altered(tags("2")), unknown])));
    assert_eq!(both.facts.tags_only, None);
}

#[test]
fn iam_is_told_by_type_by_policy_and_else_unknown() {
    let iam = |address, before, after| only(change(address, &ALL, before, after)).touches_iam;
    let nothing = || json!({});
    assert_eq!(iam("aws_iam_role.a", nothing(), nothing()), Some(true));
    assert_eq!(iam("aws_vpc.a", nothing(), nothing()), Some(false));
    assert_eq!(iam("aws_sqs_queue.a", nothing(), json!({"policy": "{}"})), Some(true));
    let altered =
        |before, after| only(change("aws_sqs_queue.a", &["update"], before, after)).touches_iam;
    let policy = |text: &str| json!({"policy": text});
    assert_eq!(altered(policy("a"), policy("a")), Some(false));
    assert_eq!(altered(policy("a"), policy("b")), Some(true));
    assert_eq!(altered(policy("a"), json!({})), Some(true));
    let queue = change("aws_sqs_queue.a", &["create"], json!(null), nothing());
    let later = with(queue.clone(), "/change/after_unknown", json!({"policy": true}));
    // The configuration is there and does not have the resource: it may be set.
    assert_eq!(only(later.clone()).touches_iam, None);
    let mut value = plan_of(json!([later]));
    value["configuration"]["root_module"]["resources"] = json!([
        {"address": "aws_sqs_queue.a", "mode": "managed", "type": "aws_sqs_queue", "name": "a",
         "expressions": {"name": {}}}
    ]);
    assert_eq!(plan(&value).facts.touches_iam, Some(false));
    let stranger = by("registry.terraform.io/acme/cloud", queue);
    assert_eq!(only(stranger).touches_iam, None);
    let inert = by(
        "terraform.io/builtin/terraform",
        change("terraform_data.a", &ALL, nothing(), nothing()),
    );
    assert_eq!(only(inert).touches_iam, Some(false));
    let manifest = |api: &str| {
        let after = json!({"manifest": {"apiVersion": api}});
        let made = change("kubernetes_manifest.a", &["create"], json!(null), after);
        only(by("registry.terraform.io/hashicorp/kubernetes", made)).touches_iam
    };
    assert_eq!(manifest("rbac.authorization.k8s.io/v1"), Some(true));
    assert_eq!(manifest("apps/v1"), Some(false));
}

#[test]
fn exposure_is_what_is_newly_open_to_everybody() {
    let made = |address, after: Value| {
        only(change(address, &["create"], json!(null), after)).public_exposure
    };
    let rule = |cidr: &str| json!({"ingress": [{"cidr_blocks": [cidr], "from_port": 22}]});
    assert_eq!(made("aws_security_group.a", rule("0.0.0.0/0")), Some(true));
    assert_eq!(made("aws_security_group.a", rule("0.0.0.0/1")), Some(true));
    assert_eq!(made("aws_security_group.a", rule("::/0")), Some(true));
    assert_eq!(made("aws_security_group.a", rule("10.0.0.0/8")), Some(false));
    let out = json!({"egress": [{"cidr_blocks": ["0.0.0.0/0"]}]});
    assert_eq!(made("aws_security_group.a", out), Some(false));
    let out = json!({"type": "egress", "cidr_blocks": ["0.0.0.0/0"]});
    assert_eq!(made("aws_security_group_rule.a", out), Some(false));
    let into = json!({"type": "ingress", "cidr_blocks": ["0.0.0.0/0"]});
    assert_eq!(made("aws_security_group_rule.a", into), Some(true));
    assert_eq!(made("aws_s3_bucket_acl.a", json!({"acl": "public-read"})), Some(true));
    assert_eq!(made("aws_db_instance.a", json!({"publicly_accessible": true})), Some(true));
    assert_eq!(made("aws_db_instance.a", json!({"publicly_accessible": false})), Some(false));
    let interface = |config: Value| json!({"network_interface": [{"access_config": config}]});
    assert_eq!(made("google_compute_instance.a", interface(json!([{}]))), Some(true));
    assert_eq!(made("google_compute_instance.a", interface(json!([]))), Some(false));
    assert_eq!(made("aws_lb.a", json!({"internal": false})), Some(true));
    let policy = json!({"Statement": {"Effect": "Allow", "Principal": "*"}}).to_string();
    assert_eq!(made("aws_s3_bucket_policy.a", json!({"policy": policy})), Some(true));
    let members = json!({"members": ["user:a", "allUsers"]});
    assert_eq!(made("google_storage_bucket_iam_binding.a", members), Some(true));
}

#[test]
fn what_was_open_before_is_not_opened() {
    let open = |tag: &str| json!({"ingress": [{"cidr_blocks": ["0.0.0.0/0"]}], "tags": {"a": tag}});
    let altered = |before, after| {
        only(change("aws_security_group.a", &["update"], before, after)).public_exposure
    };
    assert_eq!(altered(open("1"), open("2")), Some(false));
    assert_eq!(altered(json!({"ingress": []}), open("2")), Some(true));
    let replaced = change("aws_security_group.a", &ALL, open("1"), open("1"));
    assert_eq!(only(replaced).public_exposure, Some(true));
}

#[test]
fn an_end_exposes_only_if_it_was_a_guard() {
    let ended =
        |address| only(change(address, &["delete"], json!({}), json!(null))).public_exposure;
    assert_eq!(ended("aws_s3_bucket_public_access_block.a"), Some(true));
    assert_eq!(ended("aws_security_group.a"), Some(false));
}

#[test]
fn what_is_known_after_apply_is_neither_closed_nor_open() {
    let group = |unknown: Value| {
        let made = change(
            "aws_security_group_rule.a",
            &["create"],
            json!(null),
            json!({"type": "ingress"}),
        );
        only(with(made, "/change/after_unknown", unknown)).public_exposure
    };
    assert_eq!(group(json!({"cidr_blocks": true})), None);
    assert_eq!(group(json!({"cidr_blocks": [false, true]})), None);
    assert_eq!(group(json!({"id": true})), Some(false));
    let stranger = change("acme_firewall.a", &["create"], json!(null), json!({}));
    assert_eq!(only(by("registry.terraform.io/acme/acme", stranger)).public_exposure, None);
}

#[test]
fn provisioners_count_where_they_can_run() {
    let with_block = |actions: &[&str]| {
        let mut value = plan_of(json!([change("aws_x.a", actions, json!({}), json!({}))]));
        value["configuration"]["root_module"]["resources"] = json!([
            {"address": "aws_x.a", "mode": "managed", "type": "aws_x", "name": "a",
             "provisioners": [{"type": "local-exec", "expressions": {"command": {}}}]}
        ]);
        value
    };
    assert_eq!(plan(&with_block(&["create"])).facts.provisioners, Some(true));
    assert_eq!(plan(&with_block(&["delete"])).facts.provisioners, Some(true));
    assert_eq!(plan(&with_block(&["update"])).facts.provisioners, Some(false));
    let mut value = with_block(&["create"]);
    value.as_object_mut().unwrap().remove("configuration");
    assert_eq!(plan(&value).facts.provisioners, None);
    let mut value = plan_of(json!([]));
    value["action_invocations"] = json!([{"address": "action.x.y", "type": "x", "name": "y"}]);
    assert_eq!(plan(&value).facts.provisioners, Some(true));
}

#[test]
fn t39_an_address_that_is_not_its_type_and_name_is_refused() {
    let told = |pointer: &str, value: Value| {
        let change = change("aws_vpc.a", &["create"], json!(null), json!({}));
        let value = plan_of(json!([with(change, pointer, value)]));
        parse(value.to_string().as_bytes()).unwrap_err().to_string()
    };
    let wanted = "expected the address of the module, type and name beside it at \
                  `$.resource_changes[0].address`";
    for (pointer, value) in [
        ("/address", "aws_subnet.a"),
        ("/type", "aws_subnet"),
        ("/name", "b"),
        ("/module_address", "module.x"),
        ("/mode", "data"),
        ("/address", "aws_vpc.a.b"),
        ("/address", "aws_vpc.a[0]b"),
    ] {
        let error = told(pointer, json!(value));
        assert!(error.starts_with(wanted), "{pointer}: {error}");
    }
}

#[test]
fn what_the_format_does_not_have_is_refused_with_its_place() {
    let vpc = || change("aws_vpc.a", &["create"], json!(null), json!({}));
    let told = |value: Value| parse(value.to_string().as_bytes()).unwrap_err().to_string();
    let in_change =
        |pointer: &str, value: Value| told(plan_of(json!([with(vpc(), pointer, value)])));
    for (error, wanted) in [
        (in_change("/change/actions", json!(["destroy"])), "actions[0]`"),
        (
            in_change("/change/actions", json!(["create", "update"])),
            "one action, or two that replace",
        ),
        (in_change("/change/actions", json!([])), "one action, or two that replace"),
        (in_change("/change", json!(1)), "expected an object at `$.resource_changes[0].change`"),
        (in_change("/mode", json!("magic")), "expected managed, data or ephemeral"),
        (in_change("/action_reason", json!("<b>")), "expected a reason in lower-case letters"),
        (in_change("/provider_name", json!(null)), "`provider_name` is missing"),
        (told(plan_of(json!({}))), "expected a list of changes at `$.resource_changes`"),
        (
            told(with(plan_of(json!([])), "/complete", json!("yes"))),
            "expected a boolean at `$.complete`",
        ),
        (
            told(with(plan_of(json!([])), "/format_version", json!("2.0"))),
            "format version `2.0` at",
        ),
        (
            told(with(plan_of(json!([])), "/format_version", json!("0.3"))),
            "format version `0.3` at",
        ),
        (
            told(with(plan_of(json!([])), "/format_version", json!("x<y>"))),
            "version in this form at",
        ),
        (
            told(with(plan_of(json!([])), "/format_version", json!(1.2))),
            "expected a format version at",
        ),
        (told(json!({"resource_changes": []})), "`format_version` is missing at `$`, byte 0"),
    ] {
        assert!(error.contains(wanted), "{error} / {wanted}");
    }
}

#[test]
fn malformed_json_is_refused_with_its_place() {
    let told = |text: &str| parse(text.as_bytes()).unwrap_err().to_string();
    for (text, wanted) in [
        (
            r#"{"format_version":"1.2","resource_changes":[{"#,
            "ends at `$.resource_changes[0]`, byte 45",
        ),
        (r#"{"variables":{"x":{"value":tru"#, "ends at `$.variables.*.value`, byte 30"),
        (r#"{"variables":{"x":1,"x":2}}"#, "same name at `$.variables`, byte 20"),
        (r#"{"variables":{"x":1,"\u0078":2}}"#, "same name at `$.variables`, byte 20"),
        (r#"{"timestamp":01}"#, "expected the end of a number"),
        (r#"{"timestamp":1.}"#, "expected a digit"),
        (r#"{"timestamp":"\ud800"}"#, "expected an escape of RFC 8259"),
        (r#"{"timestamp":"a	b"}"#, "found a control character"),
        (r#"{"timestamp":NaN}"#, "expected a value"),
        (r#"{"timestamp":1,}"#, "expected a member's name"),
        (r#"{} {}"#, "expected nothing more after the value"),
    ] {
        let error = told(text);
        assert!(error.contains(wanted), "{error} / {wanted}");
    }
}

#[test]
fn t38_a_plan_beyond_a_limit_is_refused_whole() {
    let limits = Limits { bytes: 3000, depth: 12, values: 300, text: 100, changes: 3 };
    let told = |value: &Value| Plan::parse(value.to_string().as_bytes(), &limits).unwrap_err();
    let vpc = |after: Value| change("aws_vpc.a", &["create"], json!(null), after);
    let deep = (0..12).fold(json!(1), |inner, _| json!([inner]));
    let many = |count: usize| plan_of(json!(vec![vpc(json!({})); count]));
    assert!(Plan::parse(many(3).to_string().as_bytes(), &limits).is_ok());
    assert!(matches!(told(&many(4)), PlanError::TooManyChanges { limit: 3, .. }));
    assert!(matches!(told(&many(30)), PlanError::TooLarge { limit: 3000, .. }));
    let told_of = |after| told(&plan_of(json!([vpc(after)])));
    assert!(matches!(told_of(json!({"a": deep})), PlanError::TooDeep { limit: 12, .. }));
    assert!(matches!(
        told_of(json!({"a": "x".repeat(200)})),
        PlanError::TooLong { limit: 100, .. }
    ));
    assert!(matches!(told_of(json!(vec![1; 300])), PlanError::TooManyValues { limit: 300, .. }));
    let mut both = many(2);
    let later = json!({"reason": "unknown", "resource_change": vpc(json!({}))});
    both["deferred_changes"] = json!([later, later]);
    assert!(matches!(told(&both), PlanError::TooManyChanges { limit: 3, .. }));
}

#[test]
fn t38_depth_far_beyond_the_limit_costs_nothing() {
    let text = format!("{{\"a\":{}", "[".repeat(20_000_000));
    let error = parse(text.as_bytes()).unwrap_err();
    assert!(matches!(error, PlanError::TooDeep { limit: 64, .. }));
}

#[test]
fn t38_what_destroys_stands_first_among_thousands() {
    let name = |n: usize| format!("aws_vpc.a{n}");
    let mut changes: Vec<_> =
        (0..5000).map(|n| change(&name(n), &["create"], json!(null), json!({}))).collect();
    changes[4000] = change("aws_vpc.b", &["delete"], json!({}), json!(null));
    changes[4500] = change("aws_vpc.c", &ALL, json!({}), json!({}));
    changes[4900] = change("aws_iam_role.d", &["create"], json!(null), json!({}));
    let Plan { changes, .. } = plan(&plan_of(json!(changes)));
    let first: Vec<_> = changes[..4].iter().map(|it| it.address.as_str()).collect();
    assert_eq!(first, ["aws_vpc.b", "aws_vpc.c", "aws_iam_role.d", "aws_vpc.a0"]);
}
