//! The JSON Schema of what a policy directory holds, for editors: what they offer and underline.
//!
//! It is made from the tables that the reader uses: its keys, operators and attributes. What the
//! reader accepts, the schema accepts; some of what only all documents together show (a group that
//! is nowhere defined, a waiver of an unknown rule), the schema cannot say and the reader does.
//!
//! JSON Schema draft 2020-12: <https://json-schema.org/draft/2020-12>.

mod cases;
mod conditions;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::policy::ask::Dialect;
use crate::policy::document::keys::{self, Keys};
use crate::policy::record::Category;
use crate::signal::event_token::Event;
use crate::signal::source::Meaning;
use crate::signal::{Concern, OnGranted, OnPending};
use crate::trust::Shape;

/// Where the schema is published, and by which name others refer to it.
pub const ID: &str = "https://assent.dev/schema/v1/policy.schema.json";

/// The schema of `kind: Policy` and `kind: PolicyTest`, as one document.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let all = [
        sections(),
        trusts(),
        authorities(),
        signals(),
        effects(),
        conditions::definitions(),
        cases::definitions(),
    ];
    definitions.extend(all.into_iter().flatten());
    definitions.extend(scalars());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "Assent policy",
        "description": "A policy document or its test cases, as `assent policy check` and `assent policy test` read them",
        "type": "object",
        "required": ["apiVersion", "kind"],
        "properties": {
            "apiVersion": {"const": "assent/v1"},
            "kind": {"enum": ["Policy", "PolicyTest"]},
        },
        "if": {"properties": {"kind": {"const": "PolicyTest"}}, "required": ["kind"]},
        "then": {"$ref": "#/$defs/policy-test"},
        "else": {"$ref": "#/$defs/policy"},
        "$defs": definitions,
    })
}

type Definition = (String, Value);

/// What stands under one key: its name and its schema.
type Member = (&'static str, Value);

/// The schema of a map with these keys, and no others.
fn map(name: &str, keys: &Keys, about: &str, members: Vec<Member>) -> Definition {
    let members: Map<String, Value> =
        members.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    let schema = json!({
        "description": about,
        "type": "object",
        "required": keys.required,
        "properties": members,
        "additionalProperties": false,
    });
    (name.to_owned(), schema)
}

/// The schema, and what is demanded beside it.
fn also((name, mut schema): Definition, more: Value) -> Definition {
    if let (Value::Object(schema), Value::Object(more)) = (&mut schema, more) {
        schema.extend(more);
    }
    (name, schema)
}

/// A definition by its name, with what it is for here.
fn of(name: &str, about: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}"), "description": about})
}

fn text(about: &str) -> Value {
    json!({"type": "string", "description": about})
}

fn boolean(about: &str, default: bool) -> Value {
    json!({"type": "boolean", "description": about, "default": default})
}

fn count(about: &str, most: u32) -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": most, "description": about})
}

fn list(of: &str, about: &str) -> Value {
    json!({"type": "array", "minItems": 1, "items": reference(of), "description": about})
}

fn some(of: &str, about: &str) -> Value {
    json!({"type": "array", "items": reference(of), "description": about})
}

fn named(of: Value, about: &str) -> Value {
    let names = json!({"$ref": "#/$defs/name"});
    json!({"type": "object", "propertyNames": names, "additionalProperties": of, "description": about})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

fn words<T>(words: &[(&str, T)], about: &str) -> Value {
    let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    json!({"enum": words, "description": about})
}

/// Values that are texts with a form of their own.
fn scalars() -> Vec<Definition> {
    let form = |pattern: &str, about: &str, examples: &[&str]| json!({"type": "string", "pattern": pattern, "description": about, "examples": examples});
    let approver = "(group:[A-Za-z0-9._/-]+|person:.+)";
    let weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    vec![
        ("name", form("^[A-Za-z0-9._/-]{1,63}$", "Letters, digits, `-`, `_`, `.` and `/`", &[])),
        (
            "span",
            form(
                "^0{0,8}[1-9][0-9]{0,8}[smhd]$",
                "A whole number and s, m, h or d",
                &["30s", "15m", "4h", "7d"],
            ),
        ),
        ("timeout", form("^[0-9]+(ms|s)$", "1ms to 5s", &["50ms", "1s"])),
        (
            "instant",
            form(
                "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?(Z|[+-]\\d{2}:\\d{2})$",
                "An instant, RFC 3339",
                &["2026-11-20T21:31:26Z"],
            ),
        ),
        ("date", form("^\\d{4}-\\d{2}-\\d{2}$", "A date", &["2026-12-24"])),
        (
            "time-of-day",
            form("^([01]\\d|2[0-3]):[0-5]\\d$", "Hour and minute, in quotes", &["09:00"]),
        ),
        ("weekday", json!({"enum": weekdays})),
        (
            "person",
            form(
                "^person:.+$",
                "A person: by name, or issuer and subject",
                &["person:bob", "person:https://id.example.com#8f3a"],
            ),
        ),
        (
            "approver",
            form(
                &format!("^{approver}$"),
                "A group or a person",
                &["group:release-managers", "person:bob"],
            ),
        ),
        (
            "asked",
            form(
                &format!("^({approver}|owners_of\\(target\\))$"),
                "A group, a person, or who owns the target",
                &["group:release-managers", "owners_of(target)"],
            ),
        ),
        (
            "addressee",
            form(
                &format!("^({approver}|channel:[A-Za-z0-9._/-]+)$"),
                "A group, a person or a channel",
                &["group:security", "channel:incidents"],
            ),
        ),
        (
            "glob",
            form(
                "^.+$",
                "`*` within a `/` segment, `**` across, `?` one character",
                &["acme/orders*"],
            ),
        ),
    ]
    .into_iter()
    .map(|(name, schema)| (name.to_owned(), schema))
    .collect()
}

/// A document and the sections that give things names.
fn sections() -> Vec<Definition> {
    let dates = json!({"type": "array", "minItems": 1, "items": {"anyOf": [reference("date"), reference("dates")]}});
    let window = || {
        vec![
            (
                "days",
                json!({"anyOf": [reference("weekday"), list("weekday", "")], "description": "On which days it begins; every day where it is left out"}),
            ),
            ("from", of("time-of-day", "When it begins; with `to`, or the whole day")),
            ("to", of("time-of-day", "When it no longer holds; before `from` it crosses midnight")),
        ]
    };
    let zone = || ("zone", text("An IANA time zone; without one, the policy's own"));
    let mut calendar = vec![
        zone(),
        ("windows", list("window", "Several windows, instead of `days`, `from` and `to`")),
        ("include", dates.clone()),
        ("exclude", dates),
    ];
    calendar.extend(window());
    let mut inline = vec![zone()];
    inline.extend(window());
    let not_both = json!({"not": {
        "required": ["windows"],
        "anyOf": [{"required": ["days"]}, {"required": ["from"]}, {"required": ["to"]}],
    }});
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let globs = json!({"type": "object", "minProperties": 1, "additionalProperties": reference("glob"), "description": "Which targets: all of these must match"});
    let group = json!({"anyOf": [list("person", "Its people"), reference("group")]});
    vec![
        map(
            "policy",
            &keys::DOCUMENT,
            "A policy document",
            vec![
                ("apiVersion", json!({"const": "assent/v1"})),
                ("kind", json!({"const": "Policy"})),
                ("metadata", reference("metadata")),
                ("defaults", reference("defaults")),
                (
                    "kinds",
                    named(
                        words(&Category::ALL, ""),
                        "What each kind of intent does: its `intent.category`",
                    ),
                ),
                (
                    "environments",
                    named(reference("environment"), "What is on file for each environment"),
                ),
                (
                    "groups",
                    named(group, "Who is in which group; or that the identity provider knows"),
                ),
                ("delegations", some("delegation", "Who stands in for whom, and when")),
                (
                    "owners",
                    some("ownership", "Who owns which targets; every entry that matches counts"),
                ),
                (
                    "calendars",
                    named(reference("calendar"), "Windows and freezes, for `now: {within: NAME}`"),
                ),
                (
                    "trusts",
                    named(
                        reference("trust"),
                        "Whose tokens are exchanged for access tokens, and what for",
                    ),
                ),
                (
                    "authorities",
                    named(
                        reference("authority"),
                        "The authorities of other organisations, and what they control",
                    ),
                ),
                (
                    "sources",
                    named(
                        reference("source"),
                        "Workloads that may tell what is the matter, and of whom",
                    ),
                ),
                (
                    "transmitters",
                    named(
                        reference("transmitter"),
                        "Whose security event tokens are believed, and what counts as what",
                    ),
                ),
                (
                    "risk",
                    some(
                        "factor",
                        "What makes an intent riskier; `risk.score` is the sum of what holds",
                    ),
                ),
                ("rules", some("rule", "The rules; their order does not matter")),
                ("tests", some("case", "Cases, for `assent policy test`")),
                ("base", of("given", "What every case of this document starts from")),
            ],
        ),
        map(
            "metadata",
            &keys::METADATA,
            "For people",
            vec![
                ("name", text("What the document is called")),
                ("owner", text("Who approves its changes: group:NAME")),
            ],
        ),
        map(
            "defaults",
            &keys::DEFAULTS,
            "What holds where no rule says otherwise; stated in one document at most",
            vec![
                (
                    "ruling",
                    json!({"const": "refuse", "description": "Where no rule speaks; nothing else is accepted"}),
                ),
                (
                    "on_error",
                    json!({"const": "refuse", "description": "Where something fails; nothing else is accepted"}),
                ),
                (
                    "self_approval",
                    json!({"const": "forbid", "description": "The requester never counts; nothing else is accepted"}),
                ),
                (
                    "distinct_approvers",
                    json!({"const": true, "description": "One person is one approval; nothing else is accepted"}),
                ),
                ("request_expires", of("span", "How long people have (24h)")),
                ("max_ttl", of("span", "The longest life of a credential (15m)")),
                ("uses", count("How many credentials one grant gives (1)", 1000)),
                (
                    "grant_window",
                    of("span", "How long after the approval the first must be minted (1h)"),
                ),
                ("timezone", text("IANA zone of `now.*` and of calendars without one (UTC)")),
                (
                    "on_change",
                    json!({"enum": ["end_changed", "keep", "end_all"], "description": "What becomes of pending requests when the policy changes"}),
                ),
                (
                    "policy_changes",
                    json!({"enum": ["administrator", "approved"], "description": "Who changes policy over the API: an administrator alone, or once the change was approved as an intent of kind assent.policy"}),
                ),
                (
                    "on_signal",
                    json!({
                        "type": "object",
                        "propertyNames": {"enum": concerns()},
                        "additionalProperties": reference("reactions"),
                        "description": "What follows from each state that a signal tells of",
                    }),
                ),
            ],
        ),
        map(
            "environment",
            &keys::ENVIRONMENT,
            "What is on file for an environment",
            vec![("tier", text("`environment.tier`")), ("labels", texts)],
        ),
        map(
            "group",
            &keys::GROUP,
            "A group that the identity provider vouches for",
            vec![("identity", json!({"const": true}))],
        ),
        map(
            "delegation",
            &keys::DELEGATION,
            "Somebody stands in for somebody else",
            vec![
                ("from", of("person", "Who is away")),
                ("to", of("person", "Who stands in")),
                ("starts", of("instant", "From when")),
                ("ends", of("instant", "Until just before")),
            ],
        ),
        map(
            "ownership",
            &keys::OWNERS,
            "Who owns which targets",
            vec![
                ("target", globs),
                ("owners", list("approver", "Who `owners_of(target)` stands for")),
            ],
        ),
        also(
            map("calendar", &keys::CALENDAR, "Weekly windows and dated exceptions", calendar),
            not_both,
        ),
        map("window", &keys::WINDOW, "A weekly window", window()),
        map("inline-window", &keys::INLINE_WINDOW, "A weekly window", inline),
        map(
            "dates",
            &keys::DATES,
            "All dates from a first to a last",
            vec![("from", of("date", "The first")), ("to", of("date", "The last"))],
        ),
    ]
}

/// An address without what could hide another one.
fn address(about: &str) -> Value {
    json!({"type": "string", "pattern": "^https?://[^@?#%\\\\ ]+$", "description": about})
}

/// A set of public keys (RFC 7517).
fn jwks(about: &str) -> Value {
    json!({"type": "object", "description": about})
}

/// Who is who: what others call somebody, and the person.
fn people(about: &str) -> Value {
    json!({"type": "object", "additionalProperties": reference("person"), "description": about})
}

fn concerns() -> Vec<&'static str> {
    Concern::ALL.into_iter().map(|(word, _)| word).collect()
}

/// Whose word counts for what, and what follows.
fn signals() -> Vec<Definition> {
    let issuers = json!({
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "pattern": "^(local|https?://[^@?#%\\\\ ]+)$"},
        "description": "Of whose people and workloads it speaks: their issuers; `local` is this server's own",
    });
    let states = json!({"type": "array", "minItems": 1, "items": {"enum": concerns()}, "description": "What it may tell"});
    let state = json!({"enum": Meaning::CONCERNS.map(|(word, _)| word)});
    let words: Vec<_> = Event::ALL.into_iter().map(|(word, _)| word).collect();
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
                        "propertyNames": {"enum": words},
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
                ("pending", self::words(&OnPending::ALL, "For requests that wait for people")),
                ("granted", self::words(&OnGranted::ALL, "For grants and live credentials")),
                ("approved", self::words(&OnGranted::ALL, "For what the subject had approved")),
            ],
        ),
    ]
}

/// Whose tokens are believed.
fn trusts() -> Vec<Definition> {
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
fn authorities() -> Vec<Definition> {
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

/// Rules, factors, and what they say.
fn effects() -> Vec<Definition> {
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
                ("expires_after", of("span", "How long after it opened the request expires")),
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
