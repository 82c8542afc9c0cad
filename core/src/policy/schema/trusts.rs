//! The schema of whose word is believed: issuers of tokens, and authorities of other organisations.

use serde_json::json;

use crate::policy::document::keys;
use crate::policy::schema::{
    Definition, address, jwks, list, map, of, people, reference, text, words,
};
use crate::trust::Shape;

/// Whose tokens are believed.
pub(super) fn trusts() -> Vec<Definition> {
    let value = json!({"type": "string", "pattern": "^[^*?]+$", "maxLength": 512});
    let values = json!({"type": "array", "minItems": 1, "items": value});
    let globs = |about: &str| list("glob", about);
    vec![
        map(
            "trust",
            &keys::TRUST,
            "One issuer's tokens for one audience, and which workload presents them",
            vec![
                ("issuer", address("The exact `iss`")),
                ("audience", text("The exact `aud`: this server's URL, asked for in the job")),
                ("shape", words(&Shape::ALL, "What kind of issuer it is")),
                (
                    "claims",
                    json!({
                        "type": "object",
                        "additionalProperties": {"anyOf": [value, reference("one-of")]},
                        "description": "What the token must say, by ids that nobody else can come to have",
                    }),
                ),
                ("principal", text("How the workload is named: `repository:{repository_id}`")),
                ("people", people("Who the people are here whom the issuer knows by a number")),
                ("groups", list("name", "The groups it is in, each `{identity: true}`")),
                ("may_ask", reference("may-ask")),
                ("lifetime", of("span", "How long its access tokens live (15m, at most 1h)")),
                (
                    "single_use",
                    json!({"type": "boolean", "description": "Whether each token is good once"}),
                ),
                ("jwks", jwks("The issuer's public keys (RFC 7517)")),
                ("jwks_uri", address("Where the issuer's public keys are, if not where it says")),
            ],
        ),
        map("one-of", &keys::ONE_OF, "One of these values", vec![("in", values)]),
        map(
            "may-ask",
            &keys::MAY_ASK,
            "What the workload may ask for",
            vec![("kinds", globs("Kinds of intents")), ("environments", globs("Environments"))],
        ),
    ]
}

/// Authorities of other organisations.
pub(super) fn authorities() -> Vec<Definition> {
    let globs = |about: &str| list("glob", about);
    vec![
        map(
            "authority",
            &keys::AUTHORITY,
            "The Assent server of another organisation, and what that organisation controls",
            vec![
                ("issuer", address("Its URL, and the exact issuer of its credentials")),
                ("audience", address("For whom tokens are there; its URL where nothing is said")),
                ("controls", list("controls", "Its word counts for these, and for nothing else")),
                (
                    "approvers",
                    json!({"type": "array", "minItems": 1, "items": {"type": "string"}, "description": "Who of theirs counts; everybody whom its rules ask where nothing is said"}),
                ),
                ("people", people("Who of theirs is who here: nobody counts twice")),
                ("jwks", jwks("Its public keys (RFC 7517), so that none are fetched")),
                ("jwks_uri", address("Where its public keys are, if not where it says")),
            ],
        ),
        map(
            "controls",
            &keys::CONTROLS,
            "Some resources: kind, environment and target must all match",
            vec![
                ("kinds", globs("Kinds of intents")),
                ("environments", globs("Environments")),
                (
                    "target",
                    json!({"type": "object", "minProperties": 1, "additionalProperties": reference("glob"), "description": "Which targets; all where it is left out"}),
                ),
            ],
        ),
        map(
            "elsewhere",
            &keys::ELSEWHERE,
            "The authority that reviews a stage",
            vec![("authority", of("name", "One of `authorities`"))],
        ),
    ]
}
