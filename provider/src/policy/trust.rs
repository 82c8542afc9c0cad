//! `assent_trust`: whose tokens are believed, and what their holders may ask for.

use std::collections::{BTreeMap, BTreeSet};

use assent_client::{Client, ClientError, wire};
use serde_json::Value as Json;

use crate::policy::kind::{Kind, Written};
use crate::schema::Attribute;
use crate::value::{Argument, Type, Value};

/// A trust.
#[derive(Debug)]
pub(crate) struct Trust;

#[tonic::async_trait]
impl Kind for Trust {
    type New = wire::NewTrust;
    type Kept = wire::Trust;

    const TYPE: &'static str = "assent_trust";
    const NOUN: &'static str = "trust";
    const ABOUT: &'static str = "An issuer whose tokens let workloads in without a stored secret, and \
        what those may ask for. A trust that is too wide is refused: pin who may come by claims that \
        cannot be renamed, such as `repository_id`. Access tokens that were given for a trust end \
        when it is changed or removed.";

    fn arguments() -> Vec<Attribute> {
        let may_ask = vec![
            Attribute::optional(
                "kinds",
                Type::text_set(),
                "Kinds of intent: `terraform.apply`; `*` stands for one part of a name.",
            )
            .must_be_set(),
            Attribute::optional("environments", Type::text_set(), "Environments: `production`.")
                .must_be_set(),
        ];
        vec![
            Attribute::required(
                "issuer",
                Type::String,
                "Exactly the issuer, such as `https://token.actions.githubusercontent.com`.",
            ),
            Attribute::required("audience", Type::String, "Exactly the audience of the tokens."),
            Attribute::optional(
                "shape",
                Type::String,
                "Of which form the tokens are: `github-actions`, `hcp-terraform`, `gitlab`, \
                 `kubernetes`, `assent` or `assent-authority`. It says which claims must be pinned.",
            ),
            Attribute::required(
                "claims",
                Type::Map(Box::new(Type::text_set())),
                "What claims must be, exactly; one of the values where there are several: \
                 `{ repository_id = [\"123\"] }`.",
            ),
            Attribute::optional(
                "principal",
                Type::String,
                "How the workload is named, with claims in braces. The shape says if it is not set.",
            ),
            Attribute::optional(
                "people",
                Type::text_map(),
                "Who the people are whom the tokens number: `{ \"1001\" = \"person:bob\" }`.",
            ),
            Attribute::optional("groups", Type::text_set(), "Groups that the workload is in."),
            Attribute::nested("may_ask", may_ask, "What the workload may ask for.").must_be_set(),
            Attribute::optional("lifetime", Type::String, "How long an access token lives: `15m`."),
            Attribute::optional("single_use", Type::Bool, "Whether each token is good once only."),
            Attribute::optional(
                "jwks",
                Type::String,
                "The issuer's public keys as JSON (RFC 7517), so that nothing is fetched.",
            ),
            Attribute::optional(
                "jwks_uri",
                Type::String,
                "Where the issuer's keys are, if it has no discovery.",
            ),
        ]
    }

    fn kept_name(name: &str) -> String {
        format!("trusts/{name}")
    }

    fn stated(state: &Value) -> Option<wire::NewTrust> {
        let may_ask = state.attribute("may_ask");
        let single_use = state.attribute("single_use").as_bool();
        let people = state.attribute("people").as_text_map();
        if single_use.is_unknown() || people.is_unknown() || may_ask.is_unknown() {
            return None;
        }
        Some(wire::NewTrust {
            issuer: text(state, "issuer")?.given().unwrap_or_default(),
            audience: text(state, "audience")?.given().unwrap_or_default(),
            shape: text(state, "shape")?.given(),
            claims: claims(state.attribute("claims"))?,
            principal: text(state, "principal")?.given(),
            people: people.given().unwrap_or_default(),
            groups: texts(state.attribute("groups"))?,
            may_ask: wire::MayAsk {
                kinds: texts(may_ask.attribute("kinds"))?,
                environments: texts(may_ask.attribute("environments"))?,
            },
            lifetime: text(state, "lifetime")?.given(),
            single_use: single_use.given(),
            // What is no JSON is sent as it is: the server says what is wrong with it.
            jwks: text(state, "jwks")?
                .given()
                .map(|text| serde_json::from_str(&text).unwrap_or(Json::String(text))),
            jwks_uri: text(state, "jwks_uri")?.given(),
        })
    }

    fn told(new: &wire::NewTrust) -> Vec<(&'static str, Value)> {
        let optional = |text: &Option<String>| text.clone().map_or(Value::Null, Value::String);
        let set = |texts: &BTreeSet<String>| Value::texts(texts.iter().cloned());
        let unless_empty =
            |is_empty: bool, value: Value| if is_empty { Value::Null } else { value };
        let claims = new.claims.iter().map(|(name, is)| {
            let values = match is {
                wire::ClaimIs::Exactly(value) => Value::texts([value.clone()]),
                wire::ClaimIs::OneOf(wire::ClaimIn { values }) => set(values),
            };
            (name.clone(), values)
        });
        let people = new.people.iter().map(|(number, who)| (number.clone(), Value::text(who)));
        let may_ask = Value::object([
            ("kinds", set(&new.may_ask.kinds)),
            ("environments", set(&new.may_ask.environments)),
        ]);
        vec![
            ("issuer", Value::text(&new.issuer)),
            ("audience", Value::text(&new.audience)),
            ("shape", optional(&new.shape)),
            ("claims", Value::Map(claims.collect())),
            ("principal", optional(&new.principal)),
            ("people", unless_empty(new.people.is_empty(), Value::Map(people.collect()))),
            ("groups", unless_empty(new.groups.is_empty(), set(&new.groups))),
            ("may_ask", may_ask),
            ("lifetime", optional(&new.lifetime)),
            ("single_use", new.single_use.map_or(Value::Null, Value::Bool)),
            ("jwks", new.jwks.as_ref().map_or(Value::Null, |jwks| Value::text(jwks.to_string()))),
            ("jwks_uri", optional(&new.jwks_uri)),
        ]
    }

    fn said(kept: &wire::Trust) -> wire::NewTrust {
        let mut said = kept.trust.clone();
        // One of one is that one: arguments do not tell the two apart.
        said.claims = said.claims.into_iter().map(|(name, is)| (name, plain(is))).collect();
        said
    }

    fn written(kept: &wire::Trust) -> Written {
        Written { version: kept.version, by: kept.by.clone(), at: kept.at.clone() }
    }

    fn among(check: &mut wire::PolicyCheck) -> &mut BTreeMap<String, Option<wire::NewTrust>> {
        &mut check.trusts
    }

    async fn get(server: &Client, name: &str) -> Result<wire::Trust, ClientError> {
        server.policy_trust(name).await
    }

    async fn put(
        server: &Client,
        name: &str,
        new: &wire::NewTrust,
        approval: Option<&str>,
    ) -> Result<wire::Trust, ClientError> {
        server.write_trust(name, new, approval).await
    }

    async fn remove(
        server: &Client,
        name: &str,
        approval: Option<&str>,
    ) -> Result<(), ClientError> {
        server.remove_trust(name, approval).await
    }
}

/// A text that may be absent; `None` while it is unknown.
fn text(state: &Value, name: &str) -> Option<Argument<String>> {
    let text = state.attribute(name).as_text();
    (!text.is_unknown()).then_some(text)
}

/// A set of texts; `None` while one is unknown.
fn texts(value: &Value) -> Option<BTreeSet<String>> {
    match value {
        Value::List(texts) => texts.iter().map(|text| text.as_text().given()).collect(),
        Value::Unknown => None,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Map(_) => {
            Some(BTreeSet::new())
        }
    }
}

/// What each claim must be; `None` while one is unknown.
fn claims(value: &Value) -> Option<BTreeMap<String, wire::ClaimIs>> {
    match value {
        Value::Map(claims) => claims
            .iter()
            .map(|(name, values)| {
                let values = wire::ClaimIs::OneOf(wire::ClaimIn { values: texts(values)? });
                Some((name.clone(), plain(values)))
            })
            .collect(),
        Value::Unknown => None,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::List(_) => {
            Some(BTreeMap::new())
        }
    }
}

/// One of one is that one.
fn plain(is: wire::ClaimIs) -> wire::ClaimIs {
    match is {
        wire::ClaimIs::OneOf(wire::ClaimIn { values }) if values.len() == 1 => {
            wire::ClaimIs::Exactly(values.into_iter().collect())
        }
        wire::ClaimIs::OneOf(_) | wire::ClaimIs::Exactly(_) => is,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust() -> wire::NewTrust {
        serde_json::from_value(serde_json::json!({
            "issuer": "https://token.actions.githubusercontent.com",
            "audience": "https://assent.example.com",
            "shape": "github-actions",
            "claims": {"repository_id": "1", "environment": {"in": ["production", "staging"]}},
            "people": {"1001": "person:bob"},
            "groups": ["deployers"],
            "may_ask": {"kinds": ["terraform.apply"], "environments": ["production"]},
            "lifetime": "15m",
            "single_use": true,
            "jwks": {"keys": []},
        }))
        .unwrap()
    }

    #[test]
    fn what_is_told_says_the_same() {
        let state = Value::object(Trust::told(&trust()));
        assert_eq!(Trust::stated(&state), Some(trust()));
        let Some(wire::ClaimIs::Exactly(one)) = trust().claims.remove("repository_id") else {
            panic!("several")
        };
        assert_eq!(state.attribute("claims").attribute("repository_id"), &Value::texts([one]));
    }

    #[test]
    fn keys_that_are_no_json_reach_the_server_as_they_are() {
        let state = Value::object(Trust::told(&trust())).with("jwks", Value::text("{"));
        assert_eq!(Trust::stated(&state).unwrap().jwks, Some(Json::String("{".to_owned())));
    }

    #[test]
    fn what_is_not_known_is_not_stated() {
        let state = || Value::object(Trust::told(&trust()));
        for name in ["issuer", "claims", "people", "groups", "may_ask", "single_use", "jwks"] {
            assert_eq!(Trust::stated(&state().with(name, Value::Unknown)), None, "{name}");
        }
        let claims = Value::object([("ref", Value::List(vec![Value::Unknown]))]);
        assert_eq!(Trust::stated(&state().with("claims", claims)), None);
    }

    #[test]
    fn a_fault_is_told_at_its_argument() {
        let at = |field: &str| Trust::at(Some(field)).to_string();
        assert_eq!(at("claims.repository_id"), "claims");
        assert_eq!(at("may_ask.kinds[0]"), "may_ask");
        assert_eq!(at("groups[1]"), "groups");
        assert_eq!(at(""), "name");
        assert_eq!(Trust::at(None).to_string(), "name");
    }
}
