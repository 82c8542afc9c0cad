//! One resource's change as the facts look at it.

use crate::plan::diff::Sides;
use crate::plan::family::Family;
use crate::plan::marks::any;
use crate::plan::tape::{Kind, Node};

/// What becomes of the resource itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It stays or is only read.
    Nothing,
    /// A new one is made, perhaps in place of an old one.
    Made,
    /// It is altered in place.
    Altered,
    /// It ends, or is no longer looked after.
    Ended,
}

/// Types that deploy whatever a template says: it may be anything, and a plan does not show it.
const DEPLOYERS: [&str; 12] = [
    "aws_cloudcontrolapi_resource",
    "aws_cloudformation_stack",
    "aws_cloudformation_stack_instances",
    "aws_cloudformation_stack_set",
    "aws_cloudformation_stack_set_instance",
    "aws_serverlessapplicationrepository_cloudformation_stack",
    "aws_servicecatalog_provisioned_product",
    "aws_ssm_association",
    "azurerm_resource_deployment_script_azure_cli",
    "azurerm_resource_deployment_script_azure_power_shell",
    "google_deployment_manager_deployment",
    "google_infra_manager_deployment",
];

/// The change and what is known around it.
#[derive(Debug)]
pub(super) struct Resource<'t> {
    pub(super) family: Family,
    pub(super) kind: &'t str,
    pub(super) effect: Effect,
    pub(super) sides: Sides<'t>,
    /// Whether nothing but tags is altered.
    pub(super) tags_only: Option<bool>,
    /// What the configuration says of it, where it says something.
    pub(super) block: Option<Node<'t>>,
}

impl<'t> Resource<'t> {
    /// Whether a top-level attribute is given another value; `None` where only applying tells.
    pub(super) fn attribute_changes(&self, name: &str) -> Option<bool> {
        let of = |side: Option<Node<'t>>| {
            side.and_then(|side| side.get(name)).filter(|it| !is_blank(*it))
        };
        let (before, after) = (of(self.sides.before), of(self.sides.after));
        let unknown = self.is_unknown(name);
        match self.effect {
            Effect::Nothing => Some(false),
            Effect::Ended => Some(before.is_some()),
            Effect::Made if after.is_some() => Some(true),
            Effect::Altered if unknown => None,
            Effect::Altered => Some(match (before, after) {
                (Some(before), Some(after)) => {
                    let (before_text, after_text) = (before.raw(), after.raw());
                    before_text != after_text && !before.same(after)
                }
                (None, None) => false,
                (Some(_), None) | (None, Some(_)) => true,
            }),
            // What the configuration does not set, the provider fills in.
            Effect::Made if unknown && self.may_set(name) => None,
            Effect::Made => Some(false),
        }
    }

    /// Whether it deploys something that the plan does not show.
    pub(super) fn deploys_anything(&self) -> bool {
        let is_azure = self.kind.starts_with("azurerm_");
        is_azure && self.kind.ends_with("_template_deployment") || DEPLOYERS.contains(&self.kind)
    }

    /// Whether a top-level attribute is known only after applying.
    pub(super) fn is_unknown(&self, name: &str) -> bool {
        self.sides.unknown.is_some_and(|it| it.is_true() || it.get(name).is_some_and(any))
    }

    /// Whether the configuration sets a top-level attribute, or cannot be seen not to.
    pub(super) fn may_set(&self, name: &str) -> bool {
        self.block
            .is_none_or(|block| block.get("expressions").is_some_and(|it| it.get(name).is_some()))
    }
}

/// Whether a value says nothing.
pub(super) fn is_blank(node: Node<'_>) -> bool {
    match node.kind() {
        Kind::Null => true,
        Kind::List | Kind::Map => node.is_empty(),
        Kind::Text => node.raw() == "\"\"",
        Kind::Bool | Kind::Number => false,
    }
}
