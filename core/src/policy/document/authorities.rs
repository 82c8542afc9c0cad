//! Authorities of other organisations, and what they control. What an entry must say, the partner
//! itself knows.

use std::collections::BTreeMap;

use crate::policy::document::Placed;
use crate::policy::document::keys;
use crate::policy::document::reader::{Reader, place_of};
use crate::policy::partner::{Controls, Partner, UnverifiedPartner};
use crate::policy::yaml::Node;

impl Reader<'_> {
    pub(super) fn authorities(&mut self, node: &Node) -> BTreeMap<String, Placed<Partner>> {
        self.named(node, Self::authority)
    }

    fn authority(&mut self, name: &str, node: &Node) -> Option<Partner> {
        let told = self.fault_count();
        let fields = self.members(node, &keys::AUTHORITY);
        let controls = match fields.get("controls") {
            Some(list) => {
                let items = self.list(list).unwrap_or_default();
                items.iter().filter_map(|item| self.controls(item)).collect()
            }
            None => Vec::new(),
        };
        let written = UnverifiedPartner {
            name: name.to_owned(),
            issuer: self.optional_text(fields.get("issuer")).unwrap_or_default(),
            audience: self.optional_text(fields.get("audience")),
            controls,
            approvers: self.set_of(fields.get("approvers"), "approvers"),
            people: fields.get("people").map(|node| self.numbered(node)).unwrap_or_default(),
            jwks: fields.get("jwks").map(|node| node.json()),
            jwks_uri: self.optional_text(fields.get("jwks_uri")),
        };
        // What could not be read was told; what is lacking by it would only be told twice.
        if self.fault_count() > told {
            return None;
        }
        let faults = match written.verify() {
            Ok(partner) => return Some(partner),
            Err(faults) => faults,
        };
        for (field, problem) in faults {
            let place = place_of(&fields, field, node);
            self.fault(place, format_args!("authority `{name}`: {field}: {problem}"));
        }
        None
    }

    fn controls(&mut self, node: &Node) -> Option<Controls> {
        let fields = self.members(node, &keys::CONTROLS);
        let kinds = self.set_of(fields.get("kinds"), "kinds");
        let environments = self.set_of(fields.get("environments"), "environments");
        let target = match fields.get("target") {
            Some(node) => self.targets(node, "leave it out, or say which")?,
            None => BTreeMap::new(),
        };
        Some(Controls { kinds, environments, target })
    }
}
