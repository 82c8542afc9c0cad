//! Small plans, one for each shape a change can have.

use assent_core::plan::{CUT, Limits, Plan, PlanError, Risk};
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
    assert_eq!(altered.paths, ["other", "rows", CUT]);
    let side = |n: usize| (0..2000).map(|i| (format!("k{i}"), json!(n))).collect::<Value>();
    assert_eq!(only(change("aws_x.a", &["update"], side(1), side(2))).paths, ["*", CUT]);
}

#[test]
fn t38_a_list_that_is_cut_says_so() {
    let attributes = |count: usize, value: usize| {
        (0..count).map(|i| (format!("k{i:03}"), json!(value))).collect::<Value>()
    };
    let told = |count: usize| {
        let paths: Vec<_> = (0..count).map(|i| json!([format!("k{i:03}")])).collect();
        let replaced = change("aws_x.a", &ALL, attributes(count, 1), attributes(count, 2));
        only(with(replaced, "/change/replace_paths", json!(paths)))
    };
    let full = told(64);
    assert_eq!((full.paths.len(), full.replace_reasons.len()), (64, 64));
    assert!(!full.paths.contains(&CUT.to_owned()) && full.replace_reasons[63] == "k063");
    let cut = told(65);
    assert_eq!(cut.paths.last().map(String::as_str), Some(CUT));
    assert_eq!(cut.replace_reasons.len(), 65);
    assert_eq!(cut.replace_reasons[64], CUT);
    // A path that ends before what it leads to is cut as well.
    let long = "x".repeat(200);
    let side = |n: usize| json!({"a": {&long: {&long: n}}});
    let replaced = change("aws_x.a", &ALL, side(1), side(2));
    let path = json!([["a", &long, &long]]);
    let replaced = only(with(replaced, "/change/replace_paths", path));
    let wanted = [format!("a.{long}"), CUT.to_owned()];
    assert_eq!((&replaced.paths[..], &replaced.replace_reasons[..]), (&wanted[..], &wanted[..]));
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
fn what_was_open_before_is_not_opened_by_a_tag() {
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
fn t38_an_opening_that_stays_while_its_ports_change_is_an_exposure() {
    let altered = |before, after| {
        only(change("aws_security_group.a", &["update"], before, after)).public_exposure
    };
    let group = |port: u16| json!({"ingress": [{"cidr_blocks": ["0.0.0.0/0"], "from_port": port}]});
    assert_eq!(altered(group(443), group(22)), Some(true));
    // A closed group whose ports change stays closed.
    let closed =
        |port: u16| json!({"ingress": [{"cidr_blocks": ["10.0.0.0/8"], "from_port": port}]});
    assert_eq!(altered(closed(443), closed(22)), Some(false));
    // One more rule for the same range, and a firewall that is switched on.
    let rule = |port: u16| json!({"cidr_blocks": ["0.0.0.0/0"], "from_port": port});
    let one = json!({"ingress": [rule(443)]});
    assert_eq!(altered(one, json!({"ingress": [rule(443), rule(22)]})), Some(true));
    let firewall = |off: bool| json!({"direction": "INGRESS", "source_ranges": ["0.0.0.0/0"], "allow": [{}], "disabled": off});
    let switched =
        change("google_compute_firewall.a", &["update"], firewall(true), firewall(false));
    let switched = by("registry.terraform.io/hashicorp/google", switched);
    assert_eq!(only(switched).public_exposure, Some(true));
}

fn family(kind: &str) -> &'static str {
    match kind.split('_').next().unwrap() {
        "aws" => "registry.terraform.io/hashicorp/aws",
        "azurerm" => "registry.terraform.io/hashicorp/azurerm",
        "google" => "registry.terraform.io/hashicorp/google",
        "kubernetes" => "registry.terraform.io/hashicorp/kubernetes",
        "github" => "registry.terraform.io/integrations/github",
        other => panic!("{other}"),
    }
}

fn made(kind: &str, after: Value) -> assent_core::plan::Change {
    only(by(family(kind), change(&format!("{kind}.a"), &["create"], json!(null), after)))
}

#[test]
fn t38_what_is_public_by_its_type_or_default_is_found() {
    let eights: Vec<_> = (1..=4).map(|i| format!("{i}.0.0.0/10")).collect();
    for (kind, after, wanted) in [
        ("aws_ami_launch_permission", json!({"group": "all"}), Some(true)),
        ("aws_db_snapshot", json!({"shared_accounts": ["all"]}), Some(true)),
        ("aws_rds_cluster_snapshot_copy", json!({"shared_accounts": ["all"]}), Some(true)),
        ("aws_ebs_snapshot_block_public_access", json!({"state": "unblocked"}), Some(true)),
        (
            "aws_ebs_snapshot_block_public_access",
            json!({"state": "block-all-sharing"}),
            Some(false),
        ),
        ("google_cloud_run_v2_service", json!({"ingress": "INGRESS_TRAFFIC_ALL"}), Some(true)),
        (
            "google_cloud_run_v2_service",
            json!({"ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY"}),
            Some(false),
        ),
        ("google_cloud_run_v2_service", json!({}), None),
        (
            "google_cloud_run_service",
            json!({"metadata": [{"annotations": {"run.googleapis.com/ingress": "all"}}]}),
            Some(true),
        ),
        ("google_compute_firewall", json!({"allow": [{}], "source_ranges": null}), Some(true)),
        (
            "google_compute_firewall",
            json!({"direction": "INGRESS", "allow": [{}], "source_ranges": []}),
            Some(true),
        ),
        ("google_compute_firewall", json!({"allow": [{}], "source_tags": ["web"]}), Some(false)),
        ("google_compute_firewall", json!({"direction": "EGRESS", "allow": [{}]}), Some(false)),
        (
            "google_compute_firewall",
            json!({"deny": [{}], "source_ranges": ["0.0.0.0/0"]}),
            Some(false),
        ),
        ("aws_eks_cluster", json!({"vpc_config": [{"subnet_ids": []}]}), Some(true)),
        (
            "aws_eks_cluster",
            json!({"vpc_config": [{"endpoint_public_access": false}]}),
            Some(false),
        ),
        ("aws_eks_cluster", json!({}), None),
        ("aws_lb", json!({"name": "x"}), Some(true)),
        ("aws_elb", json!({"internal": false}), Some(true)),
        ("aws_lb", json!({"internal": true}), Some(false)),
        ("aws_lb", json!({"load_balancer_type": "gateway"}), Some(false)),
        ("aws_transfer_server", json!({"endpoint_type": "PUBLIC"}), Some(true)),
        ("aws_transfer_server", json!({}), Some(true)),
        ("aws_transfer_server", json!({"endpoint_type": "VPC"}), Some(false)),
        ("aws_apigatewayv2_api", json!({}), Some(true)),
        ("aws_api_gateway_rest_api", json!({}), Some(true)),
        (
            "aws_api_gateway_rest_api",
            json!({"endpoint_configuration": [{"types": ["PRIVATE"]}]}),
            Some(false),
        ),
        ("aws_cloudfront_distribution", json!({"enabled": true}), Some(true)),
        ("aws_cloudformation_stack", json!({}), None),
        ("aws_security_group_rule", json!({"type": "ingress", "cidr_blocks": eights}), Some(true)),
        (
            "aws_security_group_rule",
            json!({"type": "ingress", "cidr_blocks": ["1.0.0.0/10"]}),
            Some(false),
        ),
        (
            "aws_security_group_rule",
            json!({"type": "ingress", "ipv6_cidr_blocks": ["::ffff:0:0/96"]}),
            Some(true),
        ),
        // Only where the schema has it does `type` say that this is the way out.
        (
            "aws_vpc_security_group_ingress_rule",
            json!({"type": "egress", "cidr_ipv4": "0.0.0.0/0"}),
            Some(true),
        ),
        (
            "azurerm_mssql_firewall_rule",
            json!({"start_ip_address": "1.0.0.0", "end_ip_address": "255.255.255.255"}),
            Some(true),
        ),
        (
            "azurerm_mssql_firewall_rule",
            json!({"start_ip_address": "1.2.3.4", "end_ip_address": "1.2.3.4"}),
            Some(false),
        ),
        ("github_repository", json!({"name": "x"}), Some(true)),
        ("github_repository", json!({"visibility": "private"}), Some(false)),
        ("kubernetes_ingress_v1", json!({}), None),
        ("aws_vpc", json!({"cidr_block": "10.0.0.0/16"}), Some(false)),
    ] {
        assert_eq!(made(kind, after.clone()).public_exposure, wanted, "{kind} {after}");
    }
}

#[test]
fn an_end_exposes_if_it_was_a_guard_and_perhaps_if_it_kept_somebody_out() {
    let ended = |kind: &str, before: Value| {
        only(by(family(kind), change(&format!("{kind}.a"), &["delete"], before, json!(null))))
            .public_exposure
    };
    for (kind, before, wanted) in [
        ("aws_s3_bucket_public_access_block", json!({}), Some(true)),
        ("aws_ebs_snapshot_block_public_access", json!({}), Some(true)),
        ("aws_security_group", json!({"ingress": [{"cidr_blocks": ["0.0.0.0/0"]}]}), Some(false)),
        ("aws_network_acl_rule", json!({"rule_action": "deny"}), None),
        ("aws_wafv2_web_acl_association", json!({}), None),
        ("google_compute_firewall", json!({"deny": [{}]}), None),
        ("google_compute_firewall", json!({"allow": [{}]}), Some(false)),
        ("azurerm_network_security_rule", json!({"access": "Deny"}), None),
        ("azurerm_network_security_rule", json!({"access": "Allow"}), Some(false)),
        ("aws_s3_bucket_policy", json!({"policy": "{\"Statement\":{\"Effect\":\"Deny\"}}"}), None),
    ] {
        assert_eq!(ended(kind, before), wanted, "{kind}");
    }
    let stranger = change("acme_x.a", &["delete"], json!({}), json!(null));
    assert_eq!(only(by("registry.terraform.io/acme/acme", stranger)).public_exposure, None);
}

#[test]
fn t38_rights_are_found_behind_templates_maps_and_identities() {
    let users = json!({"metadata": [{"name": "aws-auth"}]});
    for (kind, after, wanted) in [
        ("aws_cloudcontrolapi_resource", json!({"type_name": "AWS::IAM::Role"}), Some(true)),
        ("aws_cloudcontrolapi_resource", json!({"type_name": "AWS::S3::Bucket"}), None),
        ("aws_cloudformation_stack", json!({"capabilities": ["CAPABILITY_NAMED_IAM"]}), Some(true)),
        ("aws_cloudformation_stack_set", json!({}), None),
        ("azurerm_resource_group_template_deployment", json!({}), None),
        ("google_deployment_manager_deployment", json!({}), None),
        ("aws_servicecatalog_provisioned_product", json!({}), None),
        ("kubernetes_config_map_v1_data", users.clone(), Some(true)),
        ("kubernetes_config_map", users, Some(true)),
        ("kubernetes_config_map", json!({"metadata": [{"name": "other"}]}), Some(false)),
        ("kubernetes_config_map", json!({}), None),
        ("azurerm_synapse_role_assignment", json!({}), Some(true)),
        ("azurerm_cosmosdb_sql_role_assignment", json!({}), Some(true)),
        ("azurerm_lighthouse_assignment", json!({}), Some(true)),
        ("azurerm_management_group_policy_assignment", json!({}), Some(true)),
        ("azurerm_cosmosdb_sql_role_definition", json!({}), Some(true)),
        ("google_cloud_identity_group_membership", json!({}), Some(true)),
        ("google_iam_workforce_pool_provider", json!({}), Some(true)),
        ("google_workforce_pool", json!({}), Some(true)),
        ("google_iap_web_iam_something", json!({}), Some(true)),
        ("aws_cognito_user_group", json!({}), Some(true)),
        ("aws_eks_identity_provider_config", json!({}), Some(true)),
        ("aws_eks_access_something", json!({}), Some(true)),
        ("aws_iot_policy_attachment", json!({}), Some(true)),
        ("aws_lambda_function", json!({"role": "arn:x"}), Some(true)),
        ("aws_ecs_task_definition", json!({"task_role_arn": "arn:x"}), Some(true)),
        ("google_compute_instance", json!({"service_account": [{"email": "x"}]}), Some(true)),
        (
            "azurerm_mssql_server",
            json!({"azuread_administrator": [{"object_id": "x"}]}),
            Some(true),
        ),
        ("aws_instance", json!({"iam_instance_profile": ""}), Some(false)),
        // People's own words.
        ("aws_instance", json!({"tags": {"role": "web"}}), Some(false)),
        ("google_pubsub_topic", json!({"labels": {"role": "web"}}), Some(false)),
    ] {
        assert_eq!(made(kind, after.clone()).touches_iam, wanted, "{kind} {after}");
    }
    let altered = |name: &str, before: &str, after: &str| {
        let side = |value: &str| json!({name: value, "n": before});
        only(change("aws_x.a", &["update"], side(before), side(after))).touches_iam
    };
    for name in ["role", "role_arn", "iam_instance_profile", "execution_role_arn", "task_role_arn"]
    {
        assert_eq!(altered(name, "a", "admin"), Some(true), "{name}");
        assert_eq!(altered(name, "a", "a"), Some(false), "{name}");
    }
    let later = change("aws_lambda_function.a", &["update"], json!({"role": "a"}), json!({}));
    let later = with(later, "/change/after_unknown", json!({"role": true}));
    assert_eq!(only(later).touches_iam, Some(true));
    let custom = json!({"manifest": {"apiVersion": "iam.acme.io/v1", "kind": "Role"}});
    assert_eq!(made("kubernetes_manifest", custom).touches_iam, None);
}

#[test]
fn t38_an_errored_plan_has_no_good_answers() {
    let facts = |address: &str| {
        let tags = |value: &str| json!({"tags": {"a": value}});
        let mut value = plan_of(json!([change(address, &["update"], tags("1"), tags("2"))]));
        value["errored"] = json!(true);
        let plan = plan(&value);
        let alone = plan.facts_of(&plan.changes[0]);
        for facts in [&plan.facts, &alone] {
            assert_eq!((facts.tags_only, facts.provisioners), (None, None));
            assert_eq!(facts.public_exposure, None);
        }
        plan.facts.touches_iam
    };
    assert_eq!(facts("aws_vpc.a"), None);
    assert_eq!(facts("aws_iam_role.a"), Some(true));
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
fn t45_a_provisioner_that_cannot_be_seen_is_not_denied() {
    let told = |actions: &[&str], version: Value| {
        let mut value = plan_of(json!([change("aws_x.a", actions, json!({}), json!({}))]));
        value["terraform_version"] = version;
        plan(&value).facts.provisioners
    };
    // What is made or replaced stands in no block that the plan shows.
    assert_eq!(told(&["create"], json!("1.8.5")), None);
    assert_eq!(told(&ALL, json!("1.8.5")), None);
    // A `removed` block may have a provisioner since Terraform 1.9.
    assert_eq!(told(&["delete"], json!("1.8.5")), Some(false));
    assert_eq!(told(&["delete"], json!("1.9.0")), None);
    assert_eq!(told(&["delete"], json!("2.0.0-beta1")), None);
    assert_eq!(told(&["delete"], json!(null)), None);
    assert_eq!(told(&["forget"], json!("1.9.0")), Some(false));
    // This data source is a program.
    let read = change("external.a", &["read"], json!(null), json!({}));
    let read = with(with(read, "/mode", json!("data")), "/address", json!("data.external.a"));
    assert_eq!(only(by("registry.terraform.io/hashicorp/external", read)).provisioners, None);
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
