//! Whose tokens are believed. What a trust must say, the trust itself knows.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::document::Placed;
use crate::policy::document::keys;
use crate::policy::document::reader::{Reader, place_of};
use crate::policy::glob::Glob;
use crate::policy::yaml::{Node, Yaml};
use crate::trust::{Shape, Trust, UnverifiedTrust};

impl Reader<'_> {
    pub(super) fn trusts(&mut self, node: &Node) -> BTreeMap<String, Placed<Trust>> {
        self.named(node, Self::trust)
    }

    fn trust(&mut self, name: &str, node: &Node) -> Option<Trust> {
        let told = self.fault_count();
        let fields = self.members(node, &keys::TRUST);
        let (kinds, environments) = self.may_ask(fields.get("may_ask"));
        let written = UnverifiedTrust {
            name: name.to_owned(),
            issuer: self.optional_text(fields.get("issuer")).unwrap_or_default(),
            audience: self.optional_text(fields.get("audience")).unwrap_or_default(),
            shape: fields.get("shape").and_then(|node| self.word(node, &Shape::ALL)),
            claims: fields.get("claims").map(|node| self.claims(node)).unwrap_or_default(),
            principal: self.optional_text(fields.get("principal")),
            people: fields.get("people").map(|node| self.numbered(node)).unwrap_or_default(),
            groups: self.set_of(fields.get("groups"), "groups"),
            kinds,
            environments,
            lifetime: self.span(fields.get("lifetime")),
            single_use: fields.get("single_use").and_then(|node| self.boolean(node)),
            jwks: fields.get("jwks").map(|node| node.json()),
            jwks_uri: self.optional_text(fields.get("jwks_uri")),
        };
        // What could not be read was told; what is lacking by it would only be told twice.
        if self.fault_count() > told {
            return None;
        }
        match written.verify() {
            Ok(trust) => Some(trust),
            Err(faults) => {
                for fault in faults {
                    let place = place_of(&fields, fault.field, node);
                    self.fault(place, format_args!("trust `{name}`: {fault}"));
                }
                None
            }
        }
    }

    /// Each claim with the values it may have: one, or `{in: [...]}`.
    fn claims(&mut self, node: &Node) -> BTreeMap<String, BTreeSet<String>> {
        let mut claims = BTreeMap::new();
        for (key, node) in self.map(node).unwrap_or_default() {
            let values: BTreeSet<String> = match &node.value {
                Yaml::Map(_) => {
                    let fields = self.members(node, &keys::ONE_OF);
                    let values = fields.get("in").map(|node| self.texts(node, "in"));
                    values.into_iter().flatten().map(|(_, value)| value).collect()
                }
                Yaml::Null
                | Yaml::Bool(_)
                | Yaml::Int(_)
                | Yaml::Float(_)
                | Yaml::Text(_)
                | Yaml::List(_) => self.text(node).into_iter().collect(),
            };
            claims.insert(key.name.clone(), values);
        }
        claims
    }

    fn may_ask(&mut self, node: Option<&&Node>) -> (BTreeSet<Glob>, BTreeSet<Glob>) {
        let Some(node) = node else { return Default::default() };
        let fields = self.members(node, &keys::MAY_ASK);
        let kinds = self.set_of(fields.get("kinds"), "kinds");
        (kinds, self.set_of(fields.get("environments"), "environments"))
    }
}
