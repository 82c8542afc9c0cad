//! The keys of a policy document: one table for the reader, which refuses all others, and for the
//! JSON Schema, which offers them.

use crate::policy::ruling::Dpop;

/// The keys of one kind of map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    /// What the map is, for faults.
    pub(crate) of: &'static str,
    /// Every key it can have.
    pub(crate) known: &'static [&'static str],
    /// Those it must have.
    pub(crate) required: &'static [&'static str],
}

/// The keys of a map of this name: first those it must have, then all.
const fn keys(
    of: &'static str,
    required: &'static [&'static str],
    known: &'static [&'static str],
) -> Keys {
    Keys { of, known, required }
}

/// Every table there is, so that a test can hold the schema against each.
#[cfg(test)]
pub(crate) const ALL: [&Keys; 34] = [
    &DOCUMENT,
    &METADATA,
    &DEFAULTS,
    &ENVIRONMENT,
    &GROUP,
    &DELEGATION,
    &OWNERS,
    &NOTICES,
    &CALENDAR,
    &WINDOW,
    &INLINE_WINDOW,
    &DATES,
    &PERSON,
    &TRUST,
    &ONE_OF,
    &MAY_ASK,
    &AUTHORITY,
    &CONTROLS,
    &ELSEWHERE,
    &SOURCE,
    &TRANSMITTER,
    &MEANING,
    &REACTIONS,
    &FACTOR,
    &RULE,
    &DENY,
    &REQUIRE,
    &ESCALATE,
    &STAGE,
    &ALLOW,
    &POST_REVIEW,
    &IF_MISSED,
    &ASK,
    &CREDENTIAL,
];

pub(crate) const DOCUMENT: Keys = keys(
    "document",
    &["apiVersion", "kind"],
    &[
        "apiVersion",
        "kind",
        "metadata",
        "defaults",
        "kinds",
        "environments",
        "groups",
        "people",
        "delegations",
        "notices",
        "owners",
        "calendars",
        "trusts",
        "authorities",
        "sources",
        "transmitters",
        "risk",
        "rules",
        "tests",
        "base",
    ],
);

pub(crate) const METADATA: Keys = keys("metadata", &[], &["name", "owner"]);

pub(crate) const DEFAULTS: Keys = keys(
    "defaults",
    &[],
    &[
        "ruling",
        "on_error",
        "self_approval",
        "distinct_approvers",
        "request_expires",
        "max_ttl",
        "uses",
        "grant_window",
        "timezone",
        "on_change",
        "policy_changes",
        "on_signal",
        "unlinked_reviewers",
        "absences",
    ],
);

pub(crate) const ENVIRONMENT: Keys = keys("environment", &[], &["tier", "labels"]);

pub(crate) const GROUP: Keys = keys("group", &[], &["identity", "github_team"]);

pub(crate) const PERSON: Keys = keys("person", &[], &["github", "accounts"]);

pub(crate) const DELEGATION: Keys =
    keys("delegation", &["from", "to", "starts", "ends"], &["from", "to", "starts", "ends"]);

/// Who is told on which occasions.
pub(crate) const NOTICES: Keys =
    keys("notices entry", &["to"], &["occasions", "environments", "kinds", "to"]);

pub(crate) const OWNERS: Keys = keys("owners entry", &["target", "owners"], &["target", "owners"]);

pub(crate) const CALENDAR: Keys =
    keys("calendar", &[], &["zone", "days", "from", "to", "windows", "include", "exclude"]);

pub(crate) const WINDOW: Keys = keys("window", &[], &["days", "from", "to"]);

/// A window right where it is tested, which has a zone of its own.
pub(crate) const INLINE_WINDOW: Keys = keys("window", &[], &["zone", "days", "from", "to"]);

pub(crate) const DATES: Keys = keys("dates", &["from", "to"], &["from", "to"]);

pub(crate) const TRUST: Keys = keys(
    "trust",
    &["issuer", "audience", "claims", "may_ask"],
    &[
        "issuer",
        "audience",
        "shape",
        "claims",
        "principal",
        "people",
        "groups",
        "may_ask",
        "lifetime",
        "single_use",
        "jwks",
        "jwks_uri",
    ],
);

/// The values of a claim, where there are several.
pub(crate) const ONE_OF: Keys = keys("claim", &["in"], &["in"]);

pub(crate) const MAY_ASK: Keys =
    keys("may_ask", &["kinds", "environments"], &["kinds", "environments"]);

pub(crate) const AUTHORITY: Keys = keys(
    "authority",
    &["issuer", "controls"],
    &["issuer", "audience", "controls", "approvers", "people", "jwks", "jwks_uri"],
);

pub(crate) const CONTROLS: Keys =
    keys("controls entry", &["kinds", "environments"], &["kinds", "environments", "target"]);

/// Who reviews a stage, where it is another authority.
pub(crate) const ELSEWHERE: Keys = keys("from", &["authority"], &["authority"]);
pub(crate) const SOURCE: Keys =
    keys("source", &["states"], &["trust", "workload", "states", "environments", "issuers"]);

pub(crate) const TRANSMITTER: Keys = keys(
    "transmitter",
    &["issuer", "audience", "events"],
    &["issuer", "audience", "jwks", "jwks_uri", "issuers", "people", "events"],
);

/// What an event counts as, where how long is said too.
pub(crate) const MEANING: Keys = keys("event", &["state"], &["state", "for"]);

/// What follows from a signal.
pub(crate) const REACTIONS: Keys =
    keys("on_signal entry", &[], &["pending", "granted", "approved"]);

pub(crate) const FACTOR: Keys =
    keys("risk factor", &["id", "weight", "when"], &["id", "description", "weight", "when"]);

pub(crate) const RULE: Keys =
    keys("rule", &["id"], &["id", "description", "when", "deny", "require", "allow", "ask"]);

pub(crate) const DENY: Keys = keys("deny", &["message"], &["message", "waivable", "notify"]);

pub(crate) const REQUIRE: Keys = keys(
    "require",
    &["stages"],
    &["stages", "parallel", "escalate", "remind", "request_expires", "notify", "credential"],
);

pub(crate) const ESCALATE: Keys =
    keys("escalate", &["after", "to"], &["after", "to", "then_expire_after"]);

pub(crate) const STAGE: Keys = keys(
    "stage",
    &["approvals", "from"],
    &[
        "name",
        "approvals",
        "from",
        "exclude",
        "login_within",
        "acr",
        "amr",
        "signature",
        "expires_after",
    ],
);

pub(crate) const SIGNATURE: Keys =
    keys("signature", &["passkey"], &["passkey", "enrolled_for", "vouched"]);

/// What `passkey` may say: whether it must be bound to its device.
pub(crate) const PASSKEY: [(&str, bool); 2] = [("any", false), ("device-bound", true)];

pub(crate) const ALLOW: Keys =
    keys("allow", &[], &["waives", "credential", "notify", "post_review"]);

pub(crate) const POST_REVIEW: Keys =
    keys("post_review", &["by", "within"], &["by", "approvals", "within", "if_missed"]);

pub(crate) const IF_MISSED: Keys = keys("if_missed", &[], &["suspend", "notify"]);

pub(crate) const ASK: Keys = keys(
    "ask",
    &["engine", "dialect"],
    &[
        "engine",
        "dialect",
        "files",
        "data",
        "rego",
        "query",
        "namespace",
        "hidden",
        "url",
        "token_file",
        "ca_file",
        "timeout",
        "stages",
        "waives",
    ],
);

pub(crate) const CREDENTIAL: Keys = keys(
    "credential",
    &[],
    &[
        "max_ttl",
        "uses",
        "audiences",
        "grant_window",
        "broker",
        "role",
        "heartbeat",
        "dpop",
        "reuse_within_run",
    ],
);

/// What `dpop` may say.
pub(crate) const DPOP: [(&str, Dpop); 1] = [("required", Dpop::Required)];
