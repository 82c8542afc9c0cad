//! `touches_iam`: whether a change touches who may do what.
//!
//! By type, and by attributes that hold a policy document. The lists come from the providers'
//! own documentation, in which these types stand under identity and access:
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs>,
//! <https://registry.terraform.io/providers/hashicorp/google/latest/docs>,
//! <https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs>,
//! <https://registry.terraform.io/providers/hashicorp/kubernetes/latest/docs>,
//! <https://registry.terraform.io/providers/integrations/github/latest/docs>.
//! Which identity a machine runs as (a role, an instance profile, a service account) counts, too.

use std::collections::BTreeSet;

use crate::plan::any_of;
use crate::plan::family::Family;
use crate::plan::marks::any;
use crate::plan::resource::{Effect, Resource, is_blank};
use crate::plan::tape::{Kind, Node};

/// Types that begin like this are about rights, whoever provides them.
const PREFIXES: [&str; 29] = [
    "aws_eks_access_",
    "aws_iam_",
    "aws_identitystore_",
    "aws_organizations_",
    "aws_ram_",
    "aws_rolesanywhere_",
    "aws_ssoadmin_",
    "aws_verifiedpermissions_",
    "awscc_iam_",
    "azuread_",
    "azurerm_lighthouse_",
    "azurerm_pim_",
    "azurerm_role_",
    "google_access_context_manager_",
    "google_cloud_identity_group",
    "google_iam_",
    "google_org_policy_",
    "google_organization_iam_",
    "google_project_iam_",
    "google_service_account",
    "google_workforce_pool",
    "kubernetes_cluster_role",
    "kubernetes_default_service_account",
    "kubernetes_role",
    "kubernetes_service_account",
    "kubernetes_token_request",
    "okta_",
    "vault_identity_",
    "vault_policy",
];

/// Google has these for every kind of resource.
const SUFFIXES: [&str; 11] = [
    "_aad_admin",
    "_access_control",
    "_active_directory_administrator",
    "_iam_audit_config",
    "_iam_binding",
    "_iam_member",
    "_iam_policy",
    "_policy_assignment",
    "_policy_attachment",
    "_role_assignment",
    "_role_definition",
];

/// Single types.
const TYPES: [&str; 71] = [
    "aws_api_gateway_rest_api_policy",
    "aws_backup_vault_policy",
    "aws_cloudwatch_event_bus_policy",
    "aws_cloudwatch_event_permission",
    "aws_cloudwatch_log_destination_policy",
    "aws_cloudwatch_log_resource_policy",
    "aws_codeartifact_domain_permissions_policy",
    "aws_codeartifact_repository_permissions_policy",
    "aws_cognito_identity_pool",
    "aws_cognito_identity_pool_roles_attachment",
    "aws_cognito_user_group",
    "aws_cognito_user_in_group",
    "aws_db_instance_role_association",
    "aws_dynamodb_resource_policy",
    "aws_ecr_registry_policy",
    "aws_ecr_repository_policy",
    "aws_ecrpublic_repository_policy",
    "aws_efs_file_system_policy",
    "aws_eks_access_entry",
    "aws_eks_access_policy_association",
    "aws_eks_identity_provider_config",
    "aws_eks_pod_identity_association",
    "aws_elasticsearch_domain_policy",
    "aws_glacier_vault_lock",
    "aws_glue_resource_policy",
    "aws_kinesis_resource_policy",
    "aws_kms_grant",
    "aws_kms_key_policy",
    "aws_lakeformation_data_lake_settings",
    "aws_lakeformation_permissions",
    "aws_lambda_layer_version_permission",
    "aws_lambda_permission",
    "aws_media_store_container_policy",
    "aws_networkfirewall_resource_policy",
    "aws_opensearch_domain_policy",
    "aws_quicksight_group_membership",
    "aws_quicksight_user",
    "aws_rds_cluster_role_association",
    "aws_s3_access_point",
    "aws_s3_bucket_acl",
    "aws_s3_bucket_policy",
    "aws_s3control_access_point_policy",
    "aws_s3control_bucket_policy",
    "aws_secretsmanager_secret_policy",
    "aws_ses_identity_policy",
    "aws_sesv2_email_identity_policy",
    "aws_sns_topic_policy",
    "aws_sqs_queue_policy",
    "aws_transfer_access",
    "aws_vpc_endpoint_policy",
    "azurerm_federated_identity_credential",
    "azurerm_key_vault_access_policy",
    "azurerm_user_assigned_identity",
    "github_actions_organization_permissions",
    "github_actions_repository_permissions",
    "github_branch_protection",
    "github_branch_protection_v3",
    "github_membership",
    "github_organization_custom_role",
    "github_organization_ruleset",
    "github_repository_collaborator",
    "github_repository_collaborators",
    "github_repository_deploy_key",
    "github_repository_ruleset",
    "github_team_members",
    "github_team_membership",
    "github_team_repository",
    "google_bigquery_dataset_access",
    "google_storage_bucket_acl",
    "google_storage_default_object_acl",
    "google_storage_object_acl",
];

/// Attributes that hold a policy document within another resource.
const ATTRIBUTES: [&str; 10] = [
    "access_policies",
    "access_policy",
    "assume_role_policy",
    "inline_policy",
    "managed_policy_arns",
    "permissions_boundary",
    "policy",
    "repository_policy",
    "resource_policy",
    "role_policy",
];

/// Attributes that say as whom something acts, wherever they stand.
const IDENTITIES: [&str; 12] = [
    "azuread_administrator",
    "execution_role_arn",
    "iam_instance_profile",
    "iam_role_arn",
    "iam_roles",
    "identity_ids",
    "role",
    "role_arn",
    "service_account",
    "service_account_email",
    "service_account_name",
    "task_role_arn",
];

/// Attributes that hold people's own words, `role` perhaps among them.
const WORDS: [&str; 7] =
    ["annotations", "environment", "labels", "match_labels", "metadata", "selector", "variables"];

/// Whether the change touches who may do what; `None` where that cannot be told.
pub(super) fn touches_iam(resource: &Resource<'_>) -> Option<bool> {
    let kind = resource.kind;
    if resource.effect == Effect::Nothing {
        return Some(false);
    }
    if is_about_rights(kind) {
        return Some(true);
    }
    if resource.deploys_anything() {
        return deployed(resource).then_some(true);
    }
    match resource.family {
        Family::Inert => Some(false),
        Family::AzureAd => Some(true),
        Family::Kubernetes if kind.starts_with("kubernetes_manifest") => manifest(resource),
        Family::Kubernetes if kind.starts_with("kubernetes_config_map") => config_map(resource),
        Family::Aws | Family::Google | Family::Azure | Family::Kubernetes | Family::GitHub => {
            by_attribute(resource)
        }
        Family::Other => by_attribute(resource).filter(|touches| *touches),
    }
}

fn is_about_rights(kind: &str) -> bool {
    PREFIXES.iter().any(|prefix| kind.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| kind.ends_with(suffix))
        || kind.contains("_iam_")
        || TYPES.binary_search(&kind).is_ok()
}

/// Whether a policy document within the resource changes, or as whom something acts.
fn by_attribute(resource: &Resource<'_>) -> Option<bool> {
    let documents = ATTRIBUTES.iter().map(|name| resource.attribute_changes(name));
    any_of(documents.chain([identity_changes(resource)]))
}

fn identity_changes(resource: &Resource<'_>) -> Option<bool> {
    let of = |side: Option<Node<'_>>| {
        let mut found = BTreeSet::new();
        side.into_iter().for_each(|side| identities(side, false, resource.family, &mut found));
        found
    };
    let (before, after) = (of(resource.sides.before), of(resource.sides.after));
    let differs = match resource.effect {
        Effect::Nothing => return Some(false),
        // What is made anew acts anew.
        Effect::Made => !after.is_empty() || !before.is_empty(),
        Effect::Altered | Effect::Ended => before != after,
    };
    let unknown = resource.sides.unknown.into_iter().flat_map(Node::members);
    let may_differ = unknown.into_iter().any(|(name, node)| {
        resource.family.is_tags(&name) != Some(true)
            && unknown_identity(&name, node)
            && (node.kind() != Kind::Bool || resource.may_set(&name))
    });
    if differs { Some(true) } else { (!may_differ).then_some(false) }
}

/// Each identity, with the name of its attribute; of a block all that is in it.
fn identities(node: Node<'_>, within: bool, family: Family, found: &mut BTreeSet<String>) {
    for (name, value) in node.members() {
        if WORDS.contains(&name.as_ref()) || family.is_tags(&name) == Some(true) {
            continue;
        }
        let within = within || IDENTITIES.contains(&name.as_ref());
        if within && !is_blank(value) && !matches!(value.kind(), Kind::List | Kind::Map) {
            found.insert(format!("{name}={}", value.raw()));
        }
        identities(value, within, family, found);
    }
    for item in node.items() {
        if within && matches!(item.kind(), Kind::Text) {
            found.insert(item.raw().to_owned());
        }
        identities(item, within, family, found);
    }
}

fn unknown_identity(name: &str, unknown: Node<'_>) -> bool {
    !WORDS.contains(&name)
        && (IDENTITIES.contains(&name) && any(unknown)
            || unknown.members().any(|(name, inner)| unknown_identity(&name, inner))
            || unknown
                .items()
                .flat_map(Node::members)
                .any(|(name, inner)| unknown_identity(&name, inner)))
}

/// Whether what is deployed is plainly about rights: it is a resource of IAM, or must be allowed
/// to make some (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>).
fn deployed(resource: &Resource<'_>) -> bool {
    let sides = || [resource.sides.before, resource.sides.after].into_iter().flatten();
    let capabilities = sides().filter_map(|it| it.get("capabilities")).flat_map(Node::items);
    let is_iam = |it: &str| matches!(it, "CAPABILITY_IAM" | "CAPABILITY_NAMED_IAM");
    capabilities.filter_map(Node::text).any(|it| is_iam(&it))
        || sides()
            .filter_map(|it| it.get("type_name").and_then(Node::text))
            .any(|it| it.starts_with("AWS::IAM::"))
}

/// A map of this name says who may use a cluster
/// (<https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html>).
const CLUSTER_USERS: &str = "aws-auth";

fn config_map(resource: &Resource<'_>) -> Option<bool> {
    let names: Vec<_> = [resource.sides.before, resource.sides.after]
        .into_iter()
        .flatten()
        .filter_map(|side| side.get("metadata"))
        .flat_map(|metadata| metadata.items().chain([metadata]))
        .filter_map(|metadata| metadata.get("name").and_then(Node::text))
        .collect();
    if names.iter().any(|name| name == CLUSTER_USERS) {
        return Some(true);
    }
    // A name that only applying tells may be that name.
    (!names.is_empty() && !resource.is_unknown("metadata")).then_some(false)
}

/// Groups of Kubernetes' own in which nothing is about rights but what is told below.
const GROUPS: [&str; 6] =
    ["apps/", "autoscaling/", "batch/", "networking.k8s.io/", "policy/", "storage.k8s.io/"];

/// A manifest: its API group says what it is.
fn manifest(resource: &Resource<'_>) -> Option<bool> {
    let each = [resource.sides.before, resource.sides.after].into_iter().flatten();
    let each = each.filter_map(|side| side.get("manifest")).map(|manifest| {
        let text = |name: &str| manifest.get(name).and_then(Node::text);
        let name = manifest.get("metadata").and_then(|it| it.get("name")).and_then(Node::text);
        let group = text("apiVersion")?;
        let kind = text("kind").unwrap_or_default();
        let is_users = kind == "ConfigMap" && name.as_deref().is_none_or(|it| it == CLUSTER_USERS);
        let is_rights = group.starts_with("rbac.authorization.k8s.io/")
            || kind == "ServiceAccount"
            || group == "v1" && is_users;
        let is_known = group == "v1" || GROUPS.iter().any(|known| group.starts_with(known));
        if is_rights { Some(true) } else { is_known.then_some(false) }
    });
    let each: Vec<_> = each.chain([by_attribute(resource)]).collect();
    let has_manifest = each.len() > 1 && !resource.is_unknown("manifest");
    any_of(each.into_iter()).filter(|touches| *touches || has_manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_so_that_they_can_be_searched() {
        assert!(TYPES.is_sorted() && PREFIXES.is_sorted() && SUFFIXES.is_sorted());
    }

    #[test]
    fn types_are_told_apart() {
        for kind in ["aws_iam_role", "google_pubsub_topic_iam_member", "aws_s3_bucket_policy"] {
            assert!(is_about_rights(kind), "{kind}");
        }
        for kind in ["aws_autoscaling_policy", "aws_network_acl", "google_compute_instance"] {
            assert!(!is_about_rights(kind), "{kind}");
        }
    }
}
