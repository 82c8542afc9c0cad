//! The schema of test cases: what is given, and what must follow.

use serde_json::{Map, Value, json};

use crate::policy::attribute::{Attribute, CHANGE_MEMBERS, PlanFact, Type};
use crate::policy::schema::{Definition, of, reference, some, text};
use crate::signal::Concern;

/// What `plan` can have beside facts: a file to read them from.
const PLAN_FILE: &str = "file";

pub(super) fn definitions() -> Vec<Definition> {
    vec![
        closed(
            "policy-test",
            "Test cases, beside the documents they test",
            &["apiVersion", "kind", "tests"],
            vec![
                ("apiVersion", json!({"const": "assent/v1"})),
                ("kind", json!({"const": "PolicyTest"})),
                ("metadata", reference("metadata")),
                (
                    "base",
                    of("given", "What every case starts from; each `given` is merged over it"),
                ),
                ("tests", some("case", "The cases")),
            ],
        ),
        closed(
            "case",
            "One case",
            &["name", "expect"],
            vec![
                ("name", text("What it shows, in the words of a person")),
                ("given", of("given", "What differs from `base`; null takes away")),
                ("expect", reference("expect")),
            ],
        ),
        closed(
            "given",
            "Who asks for what, and what is known; null takes away what `base` has",
            &[],
            vec![
                ("intent", or_null(reference("given-intent"))),
                ("requester", or_null(reference("given-requester"))),
                ("plan", or_null(reference("given-plan"))),
                ("signals", free("What other systems have told")),
                (
                    "states",
                    or_null(states(
                        Concern::of_environments(),
                        "What is the matter in the environment",
                    )),
                ),
                ("suspended", or_null(some("name", "Rules whose later review was missed"))),
                ("now", or_null(of("instant", "When"))),
                (
                    "answers",
                    or_null(
                        json!({"type": "object", "additionalProperties": or_null(reference("answer")), "description": "What the engine of each `ask` said"}),
                    ),
                ),
            ],
        ),
        closed(
            "given-intent",
            "The intent",
            &[],
            vec![
                ("kind", or_null(text("terraform.apply"))),
                ("environment", or_null(text("production"))),
                ("target", free("What it is done to")),
                ("reason", or_null(text("Why"))),
                ("duration", or_null(reference("span"))),
                ("digest", or_null(text("sha256:…"))),
                ("context", free("The requester's claims")),
            ],
        ),
        closed(
            "given-requester",
            "Who asks: a person or a workload",
            &[],
            vec![
                ("person", or_null(text("By name, or ISSUER#SUBJECT"))),
                ("workload", or_null(text("By name, or ISSUER#SUBJECT"))),
                (
                    "groups",
                    or_null(
                        json!({"type": "array", "items": {"type": "string"}, "description": "That the issuer vouches for"}),
                    ),
                ),
                ("states", or_null(states(Concern::of_principals(), "What is the matter with it"))),
                ("claims", free("What else the issuer vouches for")),
                ("network", or_null(reference("given-network"))),
                (
                    "acts_for",
                    or_null(
                        json!({"type": "array", "items": {"type": "string"}, "description": "The people a workload acts for"}),
                    ),
                ),
            ],
        ),
        closed(
            "given-network",
            "Where the requester calls from",
            &[],
            vec![
                ("ip", or_null(text("The address"))),
                ("country", or_null(text("ISO 3166-1 alpha-2"))),
            ],
        ),
        ("given-plan".to_owned(), plan()),
        ("given-change".to_owned(), change()),
        closed(
            "answer",
            "What an engine said",
            &[],
            vec![
                ("deny", or_null(texts("Its objections"))),
                ("warn", or_null(texts("Its warnings"))),
                ("allow", or_null(json!({"type": "boolean"}))),
                ("failed", or_null(text("Why there is no answer"))),
            ],
        ),
        closed(
            "expect",
            "What must follow; what is not mentioned is not checked",
            &["ruling"],
            vec![
                ("ruling", json!({"enum": ["permit", "require", "refuse"]})),
                ("rules", texts("Exactly the rules that decide")),
                (
                    "stages",
                    json!({"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}, "description": "Exactly the stages, with how many must approve"}),
                ),
                (
                    "from",
                    json!({"type": "object", "additionalProperties": texts(""), "description": "Who may approve, by stage"}),
                ),
                ("reasons", texts("Each is part of a reason")),
                ("max_ttl", reference("span")),
                ("uses", json!({"type": "integer", "minimum": 1})),
                ("audiences", texts("For whom credentials may be")),
                ("grant_window", reference("span")),
                ("role", text("The role")),
                ("broker", text("The broker")),
                ("heartbeat", reference("span")),
                ("reuse_within_run", json!({"type": "boolean"})),
                (
                    "dpop",
                    json!({"const": "required", "description": "That it must be bound to a key"}),
                ),
                ("expires_after", reference("span")),
                ("notify", texts("Who is told")),
                ("post_review", texts("The rules that want a later review")),
                (
                    "risk",
                    json!({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}], "description": "The score, or its least and most"}),
                ),
            ],
        ),
    ]
}

fn closed(name: &str, about: &str, required: &[&str], members: Vec<(&str, Value)>) -> Definition {
    let members: Map<String, Value> =
        members.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    let schema = json!({
        "description": about,
        "type": "object",
        "required": required,
        "properties": members,
        "additionalProperties": false,
    });
    (name.to_owned(), schema)
}

fn or_null(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

fn free(about: &str) -> Value {
    json!({"type": ["object", "null"], "description": about})
}

fn states(known: impl Iterator<Item = (&'static str, Concern)>, about: &str) -> Value {
    let words: Vec<_> = known.map(|(word, _)| word).collect();
    json!({"type": "array", "items": {"enum": words}, "description": about})
}

fn texts(about: &str) -> Value {
    json!({"type": "array", "items": {"type": "string"}, "description": about})
}

/// Facts of a plan, or the file of one. A value of the wrong type can be what a case shows.
fn plan() -> Value {
    let mut members = Map::new();
    for name in Attribute::names() {
        let Some(Attribute::Plan(fact)) = Attribute::named(&name) else { continue };
        let Some(name) = name.strip_prefix("plan.") else { continue };
        members.insert(name.to_owned(), or_null(fact_value(fact)));
    }
    members.insert(PLAN_FILE.to_owned(), or_null(text("A plan's JSON, beside this document")));
    json!({
        "description": "What the plan does: facts, or the file of a plan. Facts that are not stated are 0, empty or unknown",
        "type": "object",
        "properties": members,
        "additionalProperties": false,
    })
}

/// One change of the plan.
fn change() -> Value {
    let members: Map<String, Value> =
        CHANGE_MEMBERS.iter().map(|name| ((*name).to_owned(), json!(true))).collect();
    json!({
        "description": "One change of the plan",
        "type": "object",
        "required": ["address", "type"],
        "properties": members,
        "additionalProperties": false,
    })
}

fn fact_value(fact: PlanFact) -> Value {
    match Attribute::Plan(fact).type_of() {
        Type::Number => json!({"type": ["integer", "string"], "minimum": 0}),
        Type::Boolean => json!({"type": "boolean"}),
        Type::Texts => texts(""),
        Type::Maps => json!({"type": "array", "items": reference("given-change")}),
        Type::Text | Type::Clock | Type::Span | Type::Instant | Type::Json => {
            json!({"type": "string"})
        }
    }
}
