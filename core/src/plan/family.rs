//! Which provider's resources are understood, and which of their attributes are tags.

/// A provider, by where it comes from: a stranger of the same name is not the same provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Aws,
    Google,
    Azure,
    AzureAd,
    Kubernetes,
    GitHub,
    /// Reaches nothing outside: what it makes can touch neither rights nor networks.
    Inert,
    /// Not understood: what cannot be seen to be harmful is unknown, not harmless.
    Other,
}

impl Family {
    /// By the source address, `registry.terraform.io/hashicorp/aws`; before Terraform 0.13 plans
    /// have the bare name.
    pub(super) fn of(provider: &str) -> Self {
        let name = ["registry.terraform.io/", "registry.opentofu.org/"]
            .iter()
            .find_map(|host| provider.strip_prefix(host))
            .unwrap_or(provider);
        match name {
            "hashicorp/aws" | "aws" => Self::Aws,
            "hashicorp/google" | "hashicorp/google-beta" | "google" | "google-beta" => Self::Google,
            "hashicorp/azurerm" | "azurerm" => Self::Azure,
            "hashicorp/azuread" | "azuread" => Self::AzureAd,
            "hashicorp/kubernetes" | "kubernetes" => Self::Kubernetes,
            "integrations/github" | "github" => Self::GitHub,
            "terraform.io/builtin/terraform"
            | "hashicorp/random"
            | "hashicorp/null"
            | "hashicorp/local"
            | "hashicorp/tls"
            | "hashicorp/time"
            | "hashicorp/archive"
            | "hashicorp/template"
            | "hashicorp/cloudinit"
            | "terraform"
            | "random"
            | "null"
            | "local"
            | "tls"
            | "time"
            | "archive"
            | "template"
            | "cloudinit" => Self::Inert,
            _ => Self::Other,
        }
    }

    /// Whether an attribute holds tags and nothing that acts by itself; unknown where the provider
    /// is not understood and the name sounds like it.
    ///
    /// Not tags: Google's `tags` of instances, which firewall rules select by
    /// (<https://cloud.google.com/vpc/docs/add-remove-network-tags>), and Kubernetes labels, which
    /// services and policies select by.
    pub(super) fn is_tags(self, attribute: &str) -> Option<bool> {
        let own: &[&str] = match self {
            Self::Aws => &["tags", "tags_all", "tag"],
            Self::Azure => &["tags"],
            Self::Google => &[
                "labels",
                "effective_labels",
                "terraform_labels",
                "user_labels",
                "resource_labels",
            ],
            Self::AzureAd | Self::Kubernetes | Self::GitHub | Self::Inert => &[],
            Self::Other => {
                let sounds = ["tag", "label"].iter().any(|part| attribute.contains(part));
                return if sounds { None } else { Some(false) };
            }
        };
        Some(own.contains(&attribute))
    }
}
