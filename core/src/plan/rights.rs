//! `touches_iam`: whether a change touches who may do what.
//!
//! By type, and by attributes that hold a policy document. The lists come from the providers'
//! own documentation, in which these types stand under identity and access:
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs>,
//! <https://registry.terraform.io/providers/hashicorp/google/latest/docs>,
//! <https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs>,
//! <https://registry.terraform.io/providers/hashicorp/kubernetes/latest/docs>,
//! <https://registry.terraform.io/providers/integrations/github/latest/docs>.
//! Which identity a machine runs as (an instance profile, a service account) is not looked at.

use crate::plan::family::Family;
use crate::plan::resource::{Effect, Resource};
use crate::plan::tape::{Kind, Node};

/// Types that begin like this are about rights, whoever provides them.
const PREFIXES: [&str; 24] = [
    "aws_iam_",
    "aws_identitystore_",
    "aws_organizations_",
    "aws_ram_",
    "aws_rolesanywhere_",
    "aws_ssoadmin_",
    "aws_verifiedpermissions_",
    "awscc_iam_",
    "azuread_",
    "azurerm_pim_",
    "azurerm_role_",
    "google_iam_",
    "google_org_policy_",
    "google_organization_iam_",
    "google_project_iam_",
    "google_service_account",
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
const SUFFIXES: [&str; 5] =
    ["_access_control", "_iam_audit_config", "_iam_binding", "_iam_member", "_iam_policy"];

/// Single types.
const TYPES: [&str; 65] = [
    "aws_api_gateway_rest_api_policy",
    "aws_backup_vault_policy",
    "aws_cloudwatch_event_bus_policy",
    "aws_cloudwatch_event_permission",
    "aws_cloudwatch_log_destination_policy",
    "aws_cloudwatch_log_resource_policy",
    "aws_codeartifact_domain_permissions_policy",
    "aws_codeartifact_repository_permissions_policy",
    "aws_cognito_identity_pool_roles_attachment",
    "aws_db_instance_role_association",
    "aws_dynamodb_resource_policy",
    "aws_ecr_registry_policy",
    "aws_ecr_repository_policy",
    "aws_ecrpublic_repository_policy",
    "aws_efs_file_system_policy",
    "aws_eks_access_entry",
    "aws_eks_access_policy_association",
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

/// Whether the change touches who may do what; `None` where that cannot be told.
pub(super) fn touches_iam(resource: &Resource<'_>) -> Option<bool> {
    let kind = resource.kind;
    if resource.effect == Effect::Nothing {
        return Some(false);
    }
    if is_about_rights(kind) {
        return Some(true);
    }
    match resource.family {
        Family::Inert => Some(false),
        Family::AzureAd => Some(true),
        Family::Kubernetes if kind.starts_with("kubernetes_manifest") => manifest(resource),
        Family::Aws | Family::Google | Family::Azure | Family::Kubernetes | Family::GitHub => {
            by_attribute(resource)
        }
        Family::Other => match by_attribute(resource) {
            Some(true) => Some(true),
            Some(false) | None => None,
        },
    }
}

fn is_about_rights(kind: &str) -> bool {
    PREFIXES.iter().any(|prefix| kind.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| kind.ends_with(suffix))
        || TYPES.binary_search(&kind).is_ok()
}

/// Whether a policy document within the resource changes.
fn by_attribute(resource: &Resource<'_>) -> Option<bool> {
    let mut answer = Some(false);
    for attribute in ATTRIBUTES {
        match resource.attribute_changes(attribute) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => answer = None,
        }
    }
    answer
}

/// A manifest of Kubernetes' own: its API group says what it is.
fn manifest(resource: &Resource<'_>) -> Option<bool> {
    let group = |side: Option<Node<'_>>| {
        let version = side?.get("manifest")?.get("apiVersion")?;
        (version.kind() == Kind::Text).then(|| version.text()).flatten().map(|it| it.into_owned())
    };
    let groups = [group(resource.sides.before), group(resource.sides.after)];
    let is_rights = |group: &String| group.starts_with("rbac.authorization.k8s.io/");
    if groups.iter().flatten().any(is_rights) {
        return Some(true);
    }
    groups.iter().any(Option::is_some).then_some(false)
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
