//! The schema of what other systems tell, and of what follows from it.

use serde_json::json;

use crate::policy::document::keys;
use crate::policy::schema::{
    Definition, address, also, concerns, jwks, list, map, of, people, reference, text, words,
};
use crate::signal::event_token::Event;
use crate::signal::source::Meaning;
use crate::signal::{OnGranted, OnPending};

/// Whose word counts for what, and what follows.
pub(super) fn definitions() -> Vec<Definition> {
    let issuers = json!({
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "pattern": "^(local|https?://[^@?#%\\\\ ]+)$"},
        "description": "Of whose people and workloads it speaks: their issuers; `local` is this server's own",
    });
    let states = json!({"type": "array", "minItems": 1, "items": {"enum": concerns()}, "description": "What it may tell"});
    let state = json!({"enum": Meaning::CONCERNS.map(|(word, _)| word)});
    let events: Vec<_> = Event::ALL.into_iter().map(|(word, _)| word).collect();
    let one_of_two = json!({"oneOf": [{"required": ["trust"]}, {"required": ["workload"]}]});
    vec![
        also(
            map(
                "source",
                &keys::SOURCE,
                "A workload that may tell what is the matter",
                vec![
                    ("trust", text("Whoever comes by this trust")),
                    ("workload", text("This workload: NAME or ISSUER#SUBJECT")),
                    ("states", states),
                    (
                        "environments",
                        list("glob", "In which environments it may tell of an incident"),
                    ),
                    ("issuers", issuers.clone()),
                ],
            ),
            one_of_two,
        ),
        map(
            "transmitter",
            &keys::TRANSMITTER,
            "An issuer of security event tokens (RFC 8417), such as an identity provider",
            vec![
                ("issuer", address("The exact `iss`")),
                ("audience", text("The exact `aud`")),
                ("jwks", jwks("Its public keys (RFC 7517)")),
                ("jwks_uri", address("Where its public keys are, if not where it says")),
                ("issuers", issuers),
                ("people", people("Who those are whom it names by an id or an account")),
                (
                    "events",
                    json!({
                        "type": "object",
                        "minProperties": 1,
                        "propertyNames": {"enum": events},
                        "additionalProperties": {"anyOf": [state, reference("meaning")]},
                        "description": "What each event counts as; others count as nothing",
                    }),
                ),
            ],
        ),
        map(
            "meaning",
            &keys::MEANING,
            "What an event counts as, and for how long",
            vec![("state", state), ("for", of("span", "How long it holds"))],
        ),
        map(
            "reactions",
            &keys::REACTIONS,
            "What follows from a state",
            vec![
                ("pending", words(&OnPending::ALL, "For requests that wait for people")),
                ("granted", words(&OnGranted::ALL, "For grants and live credentials")),
                ("approved", words(&OnGranted::ALL, "For what the subject had approved")),
            ],
        ),
    ]
}
