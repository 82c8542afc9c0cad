//! The schema of what makes an intent riskier, and of what rules say: deny, require, allow and ask.

use serde_json::{Map, Value, json};

use crate::policy::ask::Dialect;
use crate::policy::document::keys;
use crate::policy::schema::{
    Definition, also, boolean, count, list, map, of, reference, text, words,
};

/// Rules, factors, and what they say.
pub(super) fn definitions() -> Vec<Definition> {
    let effects = ["deny", "require", "allow", "ask"].map(|name| json!({"required": [name]}));
    let one_effect = json!({"oneOf": effects});
    let notify = || ("notify", list("addressee", "Who is told"));
    let credential = || ("credential", reference("credential"));
    let only = |members: &[&str]| -> Map<String, Value> {
        members.iter().map(|name| ((*name).to_owned(), Value::Bool(false))).collect()
    };
    let of_engine = json!({
        "if": {"properties": {"engine": {"const": "opa"}}},
        "then": {"required": ["url"], "properties": only(&["files", "data", "rego"])},
        "else": {"required": ["files"], "properties": only(&["url", "token_file", "ca_file", "timeout"])},
    });
    let texts = |about: &str| json!({"type": "array", "minItems": 1, "items": {"type": "string"}, "description": about});
    let from = json!({"anyOf": [list("asked", ""), {"type": "array", "minItems": 1, "maxItems": 1, "items": reference("elsewhere")}], "description": "From whom; or which authority's people review it instead"});
    let waives = |about: &str| ("waives", list("name", about));
    vec![
        also(
            map(
                "rule",
                &keys::RULE,
                "One rule: when it matches, and what it then says",
                vec![
                    ("id", of("name", "Unique over all documents")),
                    ("description", text("For people")),
                    ("when", of("when", "All of it must hold; without it the rule always matches")),
                    ("deny", reference("deny")),
                    ("require", reference("require")),
                    ("allow", reference("allow")),
                    ("ask", reference("ask")),
                ],
            ),
            one_effect,
        ),
        map(
            "factor",
            &keys::FACTOR,
            "One thing that makes an intent riskier",
            vec![
                ("id", of("name", "Unique over all documents")),
                ("description", text("For people")),
                ("weight", count("What it adds to `risk.score`", 1000)),
                ("when", reference("when")),
            ],
        ),
        map(
            "deny",
            &keys::DENY,
            "It must not be done",
            vec![
                ("message", text("What the requester is told")),
                ("waivable", boolean("Whether an allow can waive it by name", false)),
                notify(),
            ],
        ),
        map(
            "require",
            &keys::REQUIRE,
            "These people must approve",
            vec![
                ("stages", list("stage", "Each must be filled, one after the other")),
                ("parallel", boolean("Whether the stages stand side by side", false)),
                ("escalate", reference("escalate")),
                ("remind", of("span", "How often the open stages' people are told again")),
                ("request_expires", of("span", "How long people have in all")),
                notify(),
                credential(),
            ],
        ),
        map(
            "escalate",
            &keys::ESCALATE,
            "Who else may approve a stage that stays open",
            vec![
                ("after", of("span", "How long after the stage opened")),
                ("to", list("approver", "Who is told, and counts from then on")),
                ("then_expire_after", of("span", "How long after that the request expires")),
            ],
        ),
        map(
            "stage",
            &keys::STAGE,
            "Some people, of whom so many must approve",
            vec![
                ("name", of("name", "Its name within the rule; its number where it has none")),
                ("approvals", count("How many different people", 100)),
                ("from", from),
                ("exclude", list("approver", "Who may not count, beside the requester")),
                ("login_within", of("span", "How long ago a reviewer may have signed in")),
                (
                    "signature",
                    json!({"anyOf": [{"const": "passkey"}, reference("signature")], "description": "Whether a reviewer signs with a passkey, and of which kind"}),
                ),
                ("acr", texts("Of which classes that sign-in may be, in the provider's words")),
                ("amr", texts("By which methods they may have signed in (RFC 8176)")),
                ("expires_after", of("span", "How long after it opened the request expires")),
            ],
        ),
        map(
            "signature",
            &keys::SIGNATURE,
            "Which passkeys may sign a review",
            vec![
                (
                    "passkey",
                    words(
                        &keys::PASSKEY,
                        "Whether its key may be synced, or never leaves its device",
                    ),
                ),
                ("enrolled_for", of("span", "For how long it must have been enrolled")),
                (
                    "vouched",
                    boolean(
                        "Whether the person's identity provider must have vouched for it",
                        false,
                    ),
                ),
            ],
        ),
        map(
            "allow",
            &keys::ALLOW,
            "Nobody needs to be asked, but by the rules it does not waive",
            vec![
                waives("Requires, and denies that are waivable, that are skipped"),
                credential(),
                notify(),
                ("post_review", reference("post-review")),
            ],
        ),
        map(
            "post-review",
            &keys::POST_REVIEW,
            "A review that is due after the grant",
            vec![
                ("by", list("approver", "Who can give it")),
                ("approvals", count("How many different people (1)", 100)),
                ("within", of("span", "How long after the grant")),
                ("if_missed", reference("if-missed")),
            ],
        ),
        map(
            "if-missed",
            &keys::IF_MISSED,
            "What follows when it is not given in time",
            vec![
                ("suspend", of("name", "The allow that does not match until it is given")),
                notify(),
            ],
        ),
        also(
            map(
                "ask",
                &keys::ASK,
                "An engine is asked; it can deny, ask people, or satisfy waivers",
                vec![
                    (
                        "engine",
                        json!({"enum": ["rego", "opa"], "description": "Rego in a worker process, or an OPA over HTTP"}),
                    ),
                    ("dialect", words(&Dialect::ALL, "Whose forms the policy is written for")),
                    ("files", texts("The Rego modules, beside this document")),
                    ("data", texts("Their data: JSON files beside this document")),
                    (
                        "rego",
                        json!({"enum": ["v0", "v1"], "default": "v1", "description": "The version of the language"}),
                    ),
                    ("query", text("The query, where it is not the dialect's own")),
                    ("namespace", text("The package, where the dialect leaves it free")),
                    (
                        "hidden",
                        json!({"enum": ["warn", "ignore"], "default": "warn", "description": "What it means that the plan hides sensitive values from the engine"}),
                    ),
                    ("url", text("The decision's address: https, or http to loopback")),
                    ("token_file", text("The file with the bearer token")),
                    ("ca_file", text("The file with the certificates to trust")),
                    ("timeout", of("timeout", "How long it has (50ms)")),
                    ("stages", list("stage", "Who is asked when it warns")),
                    waives("Rules that are waived when it approves"),
                ],
            ),
            of_engine,
        ),
        map(
            "credential",
            &keys::CREDENTIAL,
            "What may be minted once granted; the narrowest of all rules holds",
            vec![
                ("max_ttl", of("span", "The longest life of one credential")),
                ("uses", count("How many, in all", 1000)),
                ("audiences", texts("For whom they may be")),
                (
                    "grant_window",
                    of("span", "How long after the approval the first must be minted"),
                ),
                ("broker", text("What exchanges the grant for something else")),
                ("role", text("The role the credential has")),
                ("heartbeat", of("span", "How long its holder may be silent before it ends")),
                (
                    "reuse_within_run",
                    boolean("Whether another attempt at the same run may use the grant", false),
                ),
                (
                    "dpop",
                    json!({"const": "required", "description": "Only bound to a key that its holder shows with each use (RFC 9449)"}),
                ),
            ],
        ),
    ]
}
