//! `assent_group`: a group of people.

use std::collections::{BTreeMap, BTreeSet};

use assent_client::{Client, ClientError, wire};

use crate::policy::kind::{Kind, Written};
use crate::schema::Attribute;
use crate::value::{Argument, Type, Value};

/// A group of people.
#[derive(Debug)]
pub(crate) struct Group;

#[tonic::async_trait]
impl Kind for Group {
    type New = wire::NewGroup;
    type Kept = wire::Group;

    const TYPE: &'static str = "assent_group";
    const NOUN: &'static str = "group";
    const ABOUT: &'static str = "A group of people that rules call `group:NAME`. Refer to it as \
        `group:${assent_group.dba.name}`, so that Terraform makes it before what uses it and removes \
        it after. A group that is used cannot be removed; to rename one, set \
        `create_before_destroy`.";

    fn arguments() -> Vec<Attribute> {
        vec![
            Attribute::optional(
                "members",
                Type::text_set(),
                "Its people, as policy documents write them: `person:bob`, \
                 `person:https://id.example.com#8f3a`.",
            ),
            Attribute::optional(
                "identity",
                Type::Bool,
                "`true` where the identity provider says who is in it; it lists nobody then.",
            ),
            Attribute::optional(
                "github_team",
                Type::String,
                "The team at GitHub that it is, `ORGANIZATION/TEAM`; it lists nobody then. The \
                 authority's GitHub App must see the team.",
            ),
        ]
    }

    fn kept_name(name: &str) -> String {
        format!("groups/{name}")
    }

    fn stated(state: &Value) -> Option<wire::NewGroup> {
        let identity = match state.attribute("identity").as_bool() {
            Argument::Unknown => return None,
            // `false` is what a group is that says nothing.
            Argument::Given(identity) => identity.then_some(true),
            Argument::Absent => None,
        };
        let members = match state.attribute("members") {
            Value::Unknown => return None,
            Value::List(members) => members
                .iter()
                .map(|member| member.as_text().given())
                .collect::<Option<BTreeSet<_>>>()?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Map(_) => {
                BTreeSet::new()
            }
        };
        let github_team = match state.attribute("github_team").as_text() {
            Argument::Unknown => return None,
            Argument::Given(team) => Some(team),
            Argument::Absent => None,
        };
        Some(wire::NewGroup { members, identity, github_team })
    }

    fn told(new: &wire::NewGroup) -> Vec<(&'static str, Value)> {
        let members = match new.members.is_empty() {
            true => Value::Null,
            false => Value::texts(new.members.iter().cloned()),
        };
        let text = |text: &String| Value::text(text.as_str());
        vec![
            ("members", members),
            ("identity", new.identity.map_or(Value::Null, Value::Bool)),
            ("github_team", new.github_team.as_ref().map_or(Value::Null, text)),
        ]
    }

    fn said(kept: &wire::Group) -> wire::NewGroup {
        let identity = kept.identity.filter(|identity| *identity);
        let (members, github_team) = (kept.members.clone(), kept.github_team.clone());
        wire::NewGroup { members, identity, github_team }
    }

    fn written(kept: &wire::Group) -> Written {
        Written { version: kept.version, by: kept.by.clone(), at: kept.at.clone() }
    }

    fn among(check: &mut wire::PolicyCheck) -> &mut BTreeMap<String, Option<wire::NewGroup>> {
        &mut check.groups
    }

    async fn get(server: &Client, name: &str) -> Result<wire::Group, ClientError> {
        server.policy_group(name).await
    }

    async fn put(
        server: &Client,
        name: &str,
        new: &wire::NewGroup,
        approval: Option<&str>,
    ) -> Result<wire::Group, ClientError> {
        server.write_group(name, new, approval).await
    }

    async fn remove(
        server: &Client,
        name: &str,
        approval: Option<&str>,
    ) -> Result<(), ClientError> {
        server.remove_group(name, approval).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Path;

    #[test]
    fn what_says_the_same_is_the_same() {
        let stated = |members, identity| {
            Group::stated(&Value::object([("members", members), ("identity", identity)]))
        };
        let empty = stated(Value::Null, Value::Null);
        assert_eq!(stated(Value::List(Vec::new()), Value::Bool(false)), empty);
        let bob = || Value::List(vec![Value::text("person:bob")]);
        assert_eq!(stated(bob(), Value::Null).unwrap().members.len(), 1);
        assert_eq!(stated(Value::Unknown, Value::Null), None);
        assert_eq!(stated(Value::List(vec![Value::Unknown]), Value::Null), None);
        assert_eq!(stated(bob(), Value::Unknown), None);
        let team = |team| Group::stated(&Value::object([("github_team", team)]));
        let named = team(Value::text("acme/ops")).unwrap();
        assert_eq!(named.github_team.as_deref(), Some("acme/ops"));
        assert_eq!(team(Value::Unknown), None);
        assert_eq!(Group::told(&named)[2], ("github_team", Value::text("acme/ops")));
    }

    #[test]
    fn a_fault_is_told_at_its_argument() {
        assert_eq!(Group::at(Some("members[3]")), Path::attribute("members"));
        assert_eq!(Group::at(Some("identity")), Path::attribute("identity"));
        assert_eq!(Group::at(Some("")), Path::attribute("name"));
        assert_eq!(Group::at(None), Path::attribute("name"));
    }
}
