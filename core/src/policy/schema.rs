//! The JSON Schema of what a policy directory holds, for editors: what they offer and underline.
//!
//! It is made from the tables that the reader uses: its keys, operators and attributes. What the
//! reader accepts, the schema accepts; some of what only all documents together show (a group that
//! is nowhere defined, a waiver of an unknown rule), the schema cannot say and the reader does.
//!
//! JSON Schema draft 2020-12: <https://json-schema.org/draft/2020-12>.

mod cases;
mod conditions;
mod effects;
mod signals;
#[cfg(test)]
mod tests;
mod trusts;

use serde_json::{Map, Value, json};

use crate::notice::Occasion;
use crate::policy::document::keys::{self, Keys};
use crate::policy::record::Category;
use crate::signal::Concern;

/// Where the schema is published, and by which name others refer to it.
pub const ID: &str = "https://assent.dev/schema/v1/policy.schema.json";

/// The schema of `kind: Policy` and `kind: PolicyTest`, as one document.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let all = [
        sections(),
        trusts::trusts(),
        trusts::authorities(),
        signals::definitions(),
        effects::definitions(),
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

fn one_or_more(of: &str, about: &str) -> Value {
    json!({"anyOf": [reference(of), list(of, "")], "description": about})
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
            "github-number",
            form(
                "^[1-9][0-9]{0,19}$",
                "The number of an account at GitHub, in quotes",
                &["583231"],
            ),
        ),
        (
            "account",
            form("^https://[^#]+#[^#]+$", "Issuer and subject", &["https://id.example.com#8f3a"]),
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
            "told",
            form(
                &format!("^(approvers|requester|{approver}|channel:[A-Za-z0-9._/-]+)$"),
                "Whoever can review, whoever asked, a group, a person or a channel",
                &["approvers", "channel:incidents"],
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
                    named(
                        group,
                        "Who is in which group; or that the identity provider or GitHub knows",
                    ),
                ),
                (
                    "people",
                    json!({
                        "type": "object",
                        "additionalProperties": reference("accounts"),
                        "description": "Which accounts elsewhere are whose; each key is what stands behind `person:`",
                    }),
                ),
                (
                    "notices",
                    some("notices-entry", "Who is told on which occasions; instead of the default"),
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
                    "unlinked_reviewers",
                    json!({"enum": ["forbid", "allow"], "description": "Whether somebody reviews what an account is behind whose issuer does not know them under `people` (forbid)"}),
                ),
                (
                    "absences",
                    json!({"enum": ["allow", "forbid"], "description": "Whether people name themselves who stands in for them while they are away (allow)"}),
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
            "A group whose people somebody else knows: one of the two",
            vec![
                (
                    "identity",
                    json!({"const": true, "description": "The identity provider vouches for them"}),
                ),
                (
                    "github_team",
                    json!({
                        "type": "string",
                        "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9][A-Za-z0-9._-]*$",
                        "description": "They are in this team at GitHub",
                        "examples": ["acme/release-managers"],
                    }),
                ),
            ],
        ),
        map(
            "accounts",
            &keys::PERSON,
            "The accounts of a person: whoever comes by one of them, or is behind something by one, is the person",
            vec![
                ("github", one_or_more("github-number", "Numbers of accounts at github.com")),
                ("accounts", one_or_more("account", "Accounts anywhere")),
            ],
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
            "notices-entry",
            &keys::NOTICES,
            "Who is told of which requests; of several entries that cover one, all count",
            vec![
                (
                    "occasions",
                    json!({
                        "type": "array",
                        "minItems": 1,
                        "items": words(&Occasion::ALL, ""),
                        "description": "On which occasions; on all where it is left out",
                    }),
                ),
                ("environments", one_or_more("glob", "For which environments; for all")),
                ("kinds", one_or_more("glob", "Of which kinds; of all")),
                ("to", list("told", "Who is told")),
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
