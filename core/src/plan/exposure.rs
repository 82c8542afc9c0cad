//! `public_exposure`: whether a change opens something to everybody.
//!
//! Looked for on what is there after a change that is more than one of tags, whether or not it was
//! there before: an opening that stays while its ports or its protocol change is as good as new.
//!
//! - address ranges of everybody, a `/8` of the internet (IPv4) or a `/16` (IPv6) and all that is
//!   wider, or many smaller ones of that size together, in any attribute but those of the way out:
//!   `egress`, routes, destinations, rules that deny;
//! - [`ALWAYS`]: attributes and their values that mean "public" wherever they stand;
//! - `allUsers` and `allAuthenticatedUsers` of Google, and policy documents that allow the
//!   principal `*` (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>);
//! - what is public by its type, unless something else is said;
//! - the end of a resource that forbids public access.
//!
//! Unknown is what keeps others out and ends or changes, what deploys anything at all, and what
//! reaches the internet or not by what stands elsewhere.
//!
//! Sources: the arguments of the resources in the providers' documentation under
//! <https://registry.terraform.io/browse/providers>, and for canned ACLs
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl>.

mod kinds;
mod ranges;

use crate::plan::Limits;
use crate::plan::family::Family;
use crate::plan::marks::any;
use crate::plan::resource::{Effect, Resource};
use crate::plan::tape::{Kind, Node, Tape};

/// Longer names of attributes are passed over.
const MAX_ATTRIBUTE: usize = 256;

/// Attributes and the value of theirs that opens to everybody.
const ALWAYS: [(&str, &str); 33] = [
    ("acl", "\"authenticated-read\""),
    ("acl", "\"public-read\""),
    ("acl", "\"public-read-write\""),
    ("allow_blob_public_access", "true"),
    ("allow_nested_items_to_be_public", "true"),
    ("anonymous_pull_enabled", "true"),
    ("assign_public_ip", "true"),
    ("associate_public_ip_address", "true"),
    ("authorization_type", "\"NONE\""),
    ("block_public_acls", "false"),
    ("block_public_policy", "false"),
    ("container_access_type", "\"blob\""),
    ("container_access_type", "\"container\""),
    ("endpoint_public_access", "true"),
    ("ignore_public_acls", "false"),
    ("ingress", "\"INGRESS_TRAFFIC_ALL\""),
    ("ingress_settings", "\"ALLOW_ALL\""),
    ("ip_address_type", "\"Public\""),
    ("ipv4_enabled", "true"),
    ("load_balancing_scheme", "\"EXTERNAL\""),
    ("load_balancing_scheme", "\"EXTERNAL_MANAGED\""),
    ("map_public_ip_on_launch", "true"),
    ("predefined_acl", "\"publicRead\""),
    ("predefined_acl", "\"publicReadWrite\""),
    ("principal", "\"*\""),
    ("public_network_access", "\"Enabled\""),
    ("public_network_access_enabled", "true"),
    ("publicly_accessible", "true"),
    ("restrict_public_buckets", "false"),
    ("role_entity", "\"READER:allUsers\""),
    ("shared_accounts", "\"all\""),
    ("start_ip_address", "\"0.0.0.0\""),
    ("visibility", "\"public\""),
];

/// An attribute of this type with that value opens to everybody.
const OF_TYPE: [(&str, &str, &str); 7] = [
    ("aws_ami_launch_permission", "group", "\"all\""),
    ("aws_ebs_snapshot_block_public_access", "state", "\"unblocked\""),
    ("github_repository", "private", "false"),
    ("kubernetes_service", "type", "\"LoadBalancer\""),
    ("kubernetes_service", "type", "\"NodePort\""),
    ("kubernetes_service_v1", "type", "\"LoadBalancer\""),
    ("kubernetes_service_v1", "type", "\"NodePort\""),
];

/// Whoever they are, they are everybody.
const EVERYBODY: [&str; 4] =
    ["allAuthenticatedUsers", "allUsers", "READER:allUsers", "OWNER:allUsers"];

/// Sources of a rule of Azure's that mean everybody.
const SOURCES: [&str; 4] = ["*", "any", "internet", "0.0.0.0"];

/// Attributes of the way out, of descriptions, of things that are no opening.
const NO_OPENING: [&str; 14] = [
    "deny",
    "description",
    "dest_range",
    "destination_address_prefix",
    "destination_address_prefixes",
    "destination_cidr_block",
    "destination_ipv6_cidr_block",
    "destination_ranges",
    "egress",
    "route",
    "route_table",
    "tags",
    "tags_all",
    "user_data",
];

/// Types that are the way out.
const NO_OPENING_TYPES: [&str; 5] = [
    "aws_ec2_managed_prefix_list",
    "aws_ec2_transit_gateway_route",
    "aws_route",
    "aws_vpc_security_group_egress_rule",
    "google_compute_route",
];

/// Attributes that open, so that a value which is not yet known may open.
const MAY_OPEN: [&str; 39] = [
    "acl",
    "allow_nested_items_to_be_public",
    "anonymous_pull_enabled",
    "assign_public_ip",
    "associate_public_ip_address",
    "authorization_type",
    "authorized_networks",
    "block_public_acls",
    "block_public_policy",
    "cidr_blocks",
    "cidr_ipv4",
    "cidr_ipv6",
    "container_access_type",
    "end_ip_address",
    "endpoint_public_access",
    "entity",
    "group",
    "ignore_public_acls",
    "ingress",
    "internal",
    "ip_configuration",
    "ipv6_cidr_blocks",
    "load_balancing_scheme",
    "map_public_ip_on_launch",
    "member",
    "members",
    "policy",
    "principal",
    "public_access_cidrs",
    "public_network_access",
    "public_network_access_enabled",
    "publicly_accessible",
    "restrict_public_buckets",
    "shared_accounts",
    "source_address_prefix",
    "source_address_prefixes",
    "source_ranges",
    "start_ip_address",
    "visibility",
];

/// Whether an object of such a type is a rule that lets out, or lets nobody in: how the type
/// begins, and the attribute and word of its schema that say so.
const WAYS_OUT: [(&str, &str, &str); 9] = [
    ("aws_default_network_acl", "action", "deny"),
    ("aws_network_acl", "action", "deny"),
    ("aws_network_acl_rule", "rule_action", "deny"),
    ("aws_security_group_rule", "type", "egress"),
    ("azurerm_network_security_", "access", "deny"),
    ("azurerm_network_security_", "direction", "outbound"),
    ("google_compute_", "action", "deny"),
    ("google_compute_firewall", "direction", "egress"),
    ("google_compute_network_firewall_policy", "direction", "egress"),
];

/// Whether the change opens something to everybody; `None` where that cannot be told.
pub(super) fn exposes(resource: &Resource<'_>) -> Option<bool> {
    let is_nothing = resource.effect == Effect::Nothing || resource.tags_only == Some(true);
    if is_nothing || resource.family == Family::Inert {
        return Some(false);
    }
    let is_end = resource.effect == Effect::Ended;
    let is_guard = kinds::GUARDS.contains(&resource.kind);
    let after = if is_end { Openings::default() } else { Openings::of(resource) };
    if after.is_open() || is_end && is_guard {
        return Some(true);
    }
    let is_fence =
        resource.sides.before.is_some_and(|before| kinds::keeps_out(resource.kind, before));
    let is_known = resource.family != Family::Other && !resource.deploys_anything();
    (is_known && !is_fence && !after.may_be).then_some(false)
}

/// What of a value opens to everybody.
#[derive(Debug, Default)]
struct Openings {
    found: bool,
    /// Addresses of the internet in all ranges together.
    addresses: u64,
    /// Whether something that is not yet known may open.
    may_be: bool,
}

impl Openings {
    fn is_open(&self) -> bool {
        self.found || self.addresses >= ranges::WIDE
    }

    fn of(resource: &Resource<'_>) -> Self {
        let mut openings = Self::default();
        if let Some(after) = resource.sides.after {
            openings.map(resource.kind, after);
        }
        match kinds::opens(resource) {
            Some(opens) => openings.found |= opens,
            None => openings.may_be = true,
        }
        let is_way_out = resource.sides.after.is_some_and(|it| is_way_out(resource.kind, it));
        if !is_way_out && !NO_OPENING_TYPES.contains(&resource.kind) {
            let unknown = resource.sides.unknown;
            openings.may_be |= unknown.is_some_and(Node::is_true);
            for (name, node) in unknown.into_iter().flat_map(Node::members) {
                // An attribute that the configuration does not set is left to the provider. A block
                // may come from a `dynamic` one, of which a plan does not tell.
                let is_block = node.kind() != Kind::Bool || name == "ingress";
                openings.may_be |=
                    Self::unknown_may_open(&name, node) && (is_block || resource.may_set(&name));
            }
        }
        openings
    }

    fn unknown_may_open(name: &str, unknown: Node<'_>) -> bool {
        if NO_OPENING.contains(&name) {
            return false;
        }
        MAY_OPEN.contains(&name) && any(unknown)
            || unknown.members().any(|(name, inner)| Self::unknown_may_open(&name, inner))
            || unknown
                .items()
                .flat_map(Node::members)
                .any(|(name, inner)| Self::unknown_may_open(&name, inner))
    }

    fn map(&mut self, kind: &str, map: Node<'_>) {
        if NO_OPENING_TYPES.contains(&kind) || is_way_out(kind, map) {
            return;
        }
        let text = |name: &str| map.get(name).and_then(Node::text);
        if let Some((first, last)) = text("start_ip_address").zip(text("end_ip_address")) {
            self.add(ranges::between(&first, &last));
        }
        for (name, value) in map.members() {
            // No attribute that is looked for has so long a name.
            let name = if name.len() > MAX_ATTRIBUTE { "" } else { name.as_ref() };
            self.value(kind, name, value);
        }
    }

    fn value(&mut self, kind: &str, name: &str, value: Node<'_>) {
        if NO_OPENING.contains(&name) {
            return;
        }
        match value.kind() {
            Kind::Map => self.map(kind, value),
            // An interface of Google's with one has an address of its own.
            Kind::List if name == "access_config" && !value.is_empty() => self.found = true,
            Kind::List => value.items().for_each(|item| self.value(kind, name, item)),
            Kind::Text | Kind::Bool | Kind::Number => {
                self.found |= opens(kind, name, value);
                if let Some(text) = value.text() {
                    self.add(ranges::addresses(&text));
                }
                self.policy(name, value);
            }
            Kind::Null => {}
        }
    }

    fn add(&mut self, addresses: u64) {
        self.addresses = self.addresses.saturating_add(addresses);
    }

    /// A policy document within a text.
    fn policy(&mut self, name: &str, value: Node<'_>) {
        let is_policy = name.contains("policy") || name.contains("policies");
        let Some(text) = value.text().filter(|text| is_policy && text.contains('{')) else {
            return;
        };
        match allows_everybody(&text) {
            Some(opens) => self.found |= opens,
            None => self.may_be = true,
        }
    }
}

fn opens(kind: &str, name: &str, value: Node<'_>) -> bool {
    let raw = value.raw();
    if ALWAYS.contains(&(name, raw)) || OF_TYPE.contains(&(kind, name, raw)) {
        return true;
    }
    let Some(text) = value.text() else { return false };
    let lower = text.to_ascii_lowercase();
    EVERYBODY.contains(&text.as_ref())
        || name.starts_with("source_address_prefix") && SOURCES.contains(&lower.as_str())
}

/// Whether an object is a rule that lets out, or lets nobody in.
fn is_way_out(kind: &str, map: Node<'_>) -> bool {
    let says = |name: &str, word: &str| {
        let text = map.get(name).and_then(Node::text);
        text.is_some_and(|text| text.eq_ignore_ascii_case(word))
    };
    let is_empty = |name: &str| map.get(name).is_none_or(|it| it.is_null() || it.is_empty());
    WAYS_OUT.iter().any(|(begin, name, word)| kind.starts_with(begin) && says(name, word))
        || kind == "aws_network_acl_rule" && map.get("egress").is_some_and(Node::is_true)
        || kind == "google_compute_firewall" && is_empty("allow") && !is_empty("deny")
}

/// Whether a policy document allows something to everybody; `None` where a condition or an
/// unreadable document leaves it open.
fn allows_everybody(document: &str) -> Option<bool> {
    let tape = Tape::read(document, &Limits::default()).ok()?;
    let statements = tape.root().get("Statement");
    let mut answer = Some(false);
    let each = statements.into_iter().flat_map(|it| match it.kind() {
        Kind::List => it.items().collect::<Vec<_>>(),
        Kind::Map | Kind::Null | Kind::Bool | Kind::Number | Kind::Text => vec![it],
    });
    for statement in each {
        let allows = statement.get("Effect").and_then(Node::text).as_deref() == Some("Allow");
        let everybody = statement.get("Principal").is_some_and(is_any_principal)
            || statement.get("NotPrincipal").is_some();
        if allows && everybody {
            match statement.get("Condition") {
                None => return Some(true),
                Some(_) => answer = None,
            }
        }
    }
    answer
}

fn is_any_principal(principal: Node<'_>) -> bool {
    match principal.kind() {
        Kind::Text => principal.text().as_deref() == Some("*"),
        Kind::List => principal.items().any(is_any_principal),
        Kind::Map => principal.members().any(|(_, inner)| is_any_principal(inner)),
        Kind::Null | Kind::Bool | Kind::Number => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_documents_that_allow_everybody() {
        let statement = |rest: &str| format!(r#"{{"Statement":[{{"Effect":"Allow",{rest}}}]}}"#);
        assert_eq!(allows_everybody(&statement(r#""Principal":"*""#)), Some(true));
        assert_eq!(allows_everybody(&statement(r#""Principal":{"AWS":["*"]}"#)), Some(true));
        assert_eq!(allows_everybody(&statement(r#""Principal":{"AWS":"1"}"#)), Some(false));
        assert_eq!(allows_everybody(&statement(r#""Principal":"*","Condition":{}"#)), None);
        assert_eq!(allows_everybody("{"), None);
    }
}
