//! What is public, or keeps others out, by its type: what no attribute of it says.
//!
//! Sources: the defaults of these arguments in the providers' documentation under
//! <https://registry.terraform.io/browse/providers>.

use crate::plan::resource::Resource;
use crate::plan::tape::{Kind, Node};

/// What forbids public access while it is there.
pub(super) const GUARDS: [&str; 5] = [
    "aws_ebs_snapshot_block_public_access",
    "aws_ec2_image_block_public_access",
    "aws_emr_block_public_access_configuration",
    "aws_s3_account_public_access_block",
    "aws_s3_bucket_public_access_block",
];

/// Types that begin like this keep somebody out, or may: whether their end or change opens
/// something depends on what else is there.
const FENCES: [&str; 28] = [
    "aws_default_network_acl",
    "aws_network_acl",
    "aws_networkfirewall_",
    "aws_organizations_policy",
    "aws_s3_bucket_ownership_controls",
    "aws_shield_",
    "aws_waf_",
    "aws_wafregional_",
    "aws_wafv2_",
    "azurerm_cdn_frontdoor_firewall_policy",
    "azurerm_cdn_frontdoor_security_policy",
    "azurerm_firewall",
    "azurerm_frontdoor_firewall_policy",
    "azurerm_network_interface_security_group_association",
    "azurerm_network_security_group",
    "azurerm_subnet_network_security_group_association",
    "azurerm_web_application_firewall_policy",
    "google_access_context_manager_",
    "google_compute_firewall_policy",
    "google_compute_network_firewall_policy",
    "google_compute_organization_security_policy",
    "google_compute_region_network_firewall_policy",
    "google_compute_region_security_policy",
    "google_compute_security_policy",
    "google_folder_organization_policy",
    "google_org_policy_",
    "kubernetes_network_policy",
    "kubernetes_validating_",
];

/// Types that reach the internet or not by what stands elsewhere.
const PERHAPS: [&str; 14] = [
    "aws_eip",
    "aws_eip_association",
    "aws_elasticsearch_domain",
    "aws_globalaccelerator_accelerator",
    "aws_lightsail_instance",
    "aws_opensearch_domain",
    "azurerm_kubernetes_cluster",
    "azurerm_public_ip",
    "google_container_cluster",
    "kubernetes_gateway",
    "kubernetes_ingress",
    "kubernetes_ingress_class",
    "kubernetes_ingress_class_v1",
    "kubernetes_ingress_v1",
];

/// What a resource is given for an attribute.
enum Given<'t> {
    Value(Node<'t>),
    /// Only applying tells.
    Later,
    Nothing,
}

impl Given<'_> {
    fn is(&self, text: &str) -> bool {
        matches!(self, Self::Value(value) if value.text().as_deref() == Some(text))
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Value(value) => match value.kind() {
                Kind::Null => true,
                Kind::List | Kind::Map => value.is_empty(),
                Kind::Text => value.raw() == "\"\"",
                Kind::Bool | Kind::Number => false,
            },
            Self::Later => false,
            Self::Nothing => true,
        }
    }
}

fn given<'t>(resource: &Resource<'t>, name: &str) -> Given<'t> {
    let value = resource.sides.after.and_then(|after| after.get(name));
    match value.filter(|value| !value.is_null()) {
        Some(value) => Given::Value(value),
        None if resource.is_unknown(name) && resource.may_set(name) => Given::Later,
        None => Given::Nothing,
    }
}

/// Whether what is made is open by its type; `Some(false)` where the type says nothing.
pub(super) fn opens(resource: &Resource<'_>) -> Option<bool> {
    let given = |name| given(resource, name);
    match resource.kind {
        "aws_apigatewayv2_api" | "aws_cloudfront_distribution" => Some(true),
        "aws_api_gateway_rest_api" => Some(!is_private_api(resource)),
        "aws_alb" | "aws_elb" | "aws_lb" => match given("internal") {
            Given::Value(internal) => Some(!internal.is_true()),
            Given::Later => None,
            Given::Nothing => Some(!given("load_balancer_type").is("gateway")),
        },
        "aws_eks_cluster" => cluster(resource),
        "aws_transfer_server" => match given("endpoint_type") {
            Given::Later => None,
            kind @ (Given::Value(_) | Given::Nothing) => Some(kind.is_empty() || kind.is("PUBLIC")),
        },
        "aws_route" | "aws_route_table" | "aws_default_route_table" => {
            (!leads_to_the_internet(resource)).then_some(false)
        }
        // Who is in a list of prefixes stands elsewhere.
        "aws_security_group_rule" | "aws_vpc_security_group_ingress_rule"
            if !given("prefix_list_id").is_empty() || !given("prefix_list_ids").is_empty() =>
        {
            None
        }
        "aws_ec2_managed_prefix_list" => None,
        "github_repository" => match (given("visibility"), given("private")) {
            (Given::Value(_), _) => Some(false),
            (Given::Later, _) | (Given::Nothing, Given::Later) => None,
            (Given::Nothing, Given::Value(private)) => Some(!private.is_true()),
            (Given::Nothing, Given::Nothing) => Some(true),
        },
        "google_cloud_run_v2_service" => match given("ingress") {
            Given::Value(_) => Some(false),
            Given::Later | Given::Nothing => None,
        },
        "google_cloud_run_service" => service(resource),
        "google_compute_firewall" => firewall(resource),
        "google_compute_forwarding_rule" | "google_compute_global_forwarding_rule" => {
            match given("load_balancing_scheme") {
                Given::Value(_) => Some(false),
                Given::Later => None,
                Given::Nothing => Some(true),
            }
        }
        kind if kind.starts_with("kubernetes_manifest") => manifest(resource),
        kind if PERHAPS.contains(&kind) => None,
        _ => Some(false),
    }
}

/// Whether this keeps somebody out, or may, so that its end or change may let them in.
pub(super) fn keeps_out(kind: &str, before: Node<'_>) -> bool {
    let says = |name: &str, word: &str| {
        let text = before.get(name).and_then(Node::text);
        text.is_some_and(|text| text.eq_ignore_ascii_case(word))
    };
    let has = |name: &str| before.get(name).is_some_and(|it| !it.is_null() && !it.is_empty());
    match kind {
        "azurerm_network_security_rule" => !says("access", "allow"),
        "google_compute_firewall" => has("deny") || !has("allow"),
        _ if FENCES.iter().any(|fence| kind.starts_with(fence)) => true,
        _ => before.members().any(|(name, value)| {
            let policy = name.contains("policy").then(|| value.text()).flatten();
            policy.is_some_and(|text| text.contains("Deny"))
        }),
    }
}

fn is_private_api(resource: &Resource<'_>) -> bool {
    let Given::Value(configuration) = given(resource, "endpoint_configuration") else {
        return false;
    };
    let types: Vec<_> = configuration
        .items()
        .filter_map(|it| it.get("types"))
        .flat_map(Node::items)
        .filter_map(Node::text)
        .collect();
    !types.is_empty() && types.iter().all(|it| it == "PRIVATE")
}

/// A cluster's endpoint is public unless something else is said.
fn cluster(resource: &Resource<'_>) -> Option<bool> {
    let Given::Value(networks) = given(resource, "vpc_config") else { return None };
    let name = "endpoint_public_access";
    let later = resource.sides.unknown.and_then(|it| it.get("vpc_config"));
    let is_later = later.is_some_and(|it| {
        it.is_true() || it.items().any(|it| it.get(name).is_some_and(Node::is_true))
    });
    let is_private = |it: Node<'_>| it.get(name).and_then(Node::boolean) == Some(false);
    match networks.items().all(is_private) && !networks.is_empty() {
        true => Some(false),
        false if is_later => None,
        false => Some(true),
    }
}

fn leads_to_the_internet(resource: &Resource<'_>) -> bool {
    let is_gateway = |given: Given<'_>| match given {
        Given::Value(id) => id.text().is_some_and(|id| id.starts_with("igw-")),
        Given::Later => true,
        Given::Nothing => false,
    };
    let Given::Value(routes) = given(resource, "route") else {
        return is_gateway(given(resource, "gateway_id"));
    };
    let later = resource.sides.unknown.and_then(|it| it.get("route"));
    let is_later = later.is_some_and(|it| {
        it.is_true() || it.items().any(|it| it.get("gateway_id").is_some_and(Node::is_true))
    });
    is_later
        || routes
            .items()
            .filter_map(|it| it.get("gateway_id"))
            .any(|id| is_gateway(Given::Value(id)))
}

/// Of Cloud Run's first version an annotation says who gets in.
fn service(resource: &Resource<'_>) -> Option<bool> {
    let Given::Value(metadata) = given(resource, "metadata") else { return None };
    let ingress = metadata.items().find_map(|it| {
        it.get("annotations")?.get("run.googleapis.com/ingress").and_then(Node::text)
    });
    ingress.map(|ingress| ingress == "all")
}

/// A rule that names no source is for every source.
fn firewall(resource: &Resource<'_>) -> Option<bool> {
    let given = |name| given(resource, name);
    if given("direction").is("EGRESS") || !given("deny").is_empty() && given("allow").is_empty() {
        return Some(false);
    }
    let sources = ["source_ranges", "source_tags", "source_service_accounts"].map(given);
    if sources.iter().any(|it| matches!(it, Given::Later)) {
        return None;
    }
    Some(sources.iter().all(Given::is_empty))
}

/// A manifest of Kubernetes: a service that is reached from outside, or what nobody here knows.
fn manifest(resource: &Resource<'_>) -> Option<bool> {
    let manifest = resource.sides.after?.get("manifest")?;
    let kind = manifest.get("kind").and_then(Node::text)?;
    match kind.as_ref() {
        "Service" => {
            let kind = manifest.get("spec").and_then(|it| it.get("type")).and_then(Node::text);
            Some(matches!(kind.as_deref(), Some("LoadBalancer" | "NodePort")))
        }
        "ConfigMap"
        | "Secret"
        | "Namespace"
        | "ServiceAccount"
        | "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "Job"
        | "CronJob"
        | "PersistentVolumeClaim" => Some(false),
        _ => None,
    }
}
