//! Every route, once: the router and the OpenAPI document are both made from this table.

use std::sync::Arc;

use assent_core::wire;
use assent_core::wire::authzen as zen;
use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, get, post};
use schemars::{Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use crate::api::{
    absence, access, audit, authzen, credentials, events, github as doctor, keys, notices, oauth,
    passkeys, plans, policy, requests, signals, trusts, webhooks, wellknown,
};
use crate::app::{Authority, Entry};
use crate::github;

/// One route.
pub struct Route {
    /// How it is called.
    pub method: Method,
    /// Where; `{id}` stands for one segment.
    pub path: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// What it takes, if it takes JSON.
    pub takes: Option<fn(&mut SchemaGenerator) -> Schema>,
    /// What it gives, if it gives JSON.
    pub gives: Option<fn(&mut SchemaGenerator) -> Schema>,
    pub(super) handler: fn() -> MethodRouter<Arc<Authority>>,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.method, self.path)
    }
}

/// How a route is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// To read.
    Get,
    /// To read both lists and to file: two handlers on one path.
    GetAndPost,
    /// To ask with a body; changes nothing, or is safe to repeat by itself.
    Post,
    /// To change something: needs an `Idempotency-Key`.
    Change,
    /// To read, by anybody.
    Public,
    /// To read, to put in its place and to take away: three handlers on one path, each safe to repeat
    /// by itself.
    Entry,
    /// To put bytes in their place, and to be given them once: two handlers on one path. To be given
    /// them needs an `Idempotency-Key`; to put them is safe to repeat by itself.
    Bytes,
    /// To send a token as a form (RFC 7662, RFC 7009).
    Form,
    /// To come in by a one-time code, or to tell something with a signature, without a token.
    Door,
    /// To come in by a form that is its own proof, without a token of ours (RFC 6749).
    Grant,
}

type Shape = fn(&mut SchemaGenerator) -> Schema;

fn of<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// What the token endpoint gives: by an exchange, or by a device code.
fn token(generator: &mut SchemaGenerator) -> Schema {
    let exchanged = generator.subschema_for::<wire::oauth::Exchanged>();
    let granted = generator.subschema_for::<wire::oauth::Granted>();
    schemars::json_schema!({"anyOf": [exchanged, granted]})
}

/// The three handlers of what is kept as an entry of its own.
fn entry<E: Entry + DeserializeOwned>() -> MethodRouter<Arc<Authority>> {
    get(policy::entry::<E>).put(policy::write_entry::<E>).delete(policy::remove_entry::<E>)
}

macro_rules! route {
    ($method:ident $path:literal $summary:literal, $takes:expr, $gives:expr, $handler:expr) => {
        Route {
            method: Method::$method,
            path: $path,
            summary: $summary,
            takes: $takes,
            gives: $gives,
            handler: || $handler,
        }
    };
}

const REQUEST: Option<Shape> = Some(of::<wire::Request>);
const NONE: Option<Shape> = None;

/// Every route of the API.
pub const ROUTES: &[Route] = &[
    route!(GetAndPost "/v1/requests" "List requests, newest first; file an intent",
        Some(of::<wire::Filing>), REQUEST, get(requests::list).post(requests::file)),
    route!(Get "/v1/requests/{id}" "One request", NONE, REQUEST, get(requests::show)),
    route!(Get "/v1/requests/{id}/wait" "Wait until a request changes",
        NONE, REQUEST, get(requests::wait)),
    route!(Change "/v1/requests/{id}/reviews" "Approve or deny exactly what was shown",
        Some(of::<wire::NewReview>), REQUEST, post(requests::review)),
    route!(Change "/v1/requests/{id}/reviews/withdraw" "Take back one's own review of a pending request",
        Some(of::<wire::Reason>), REQUEST, post(requests::withdraw)),
    route!(Get "/v1/requests/{id}/statement" "What the caller's passkey is to sign of a request",
        NONE, Some(of::<wire::Statement>), get(passkeys::statement)),
    route!(Get "/v1/requests/{id}/evidence" "What lets a stranger check a request's approval offline",
        NONE, Some(of::<wire::Evidence>), get(passkeys::evidence)),
    route!(Get "/v1/passkeys" "The caller's passkeys, removed ones too",
        NONE, Some(of::<wire::Passkeys>), get(passkeys::list)),
    route!(Change "/v1/passkeys/{id}/remove" "Remove a passkey: one's own, or any for an administrator",
        NONE, Some(of::<wire::Passkey>), post(passkeys::remove)),
    route!(Change "/v1/requests/{id}/post-reviews" "Look at a grant that nobody was asked for",
        Some(of::<wire::NewReview>), REQUEST, post(requests::review_afterwards)),
    route!(Change "/v1/requests/{id}/heartbeat" "A sign of life of whoever waits for a decision",
        NONE, Some(of::<wire::Heartbeat>), post(requests::heartbeat)),
    route!(Change "/v1/requests/{id}/cancel" "Withdraw a pending request",
        Some(of::<wire::Reason>), REQUEST, post(requests::cancel)),
    route!(Change "/v1/requests/{id}/revoke" "Take a grant and its credentials back",
        Some(of::<wire::Reason>), REQUEST, post(requests::revoke)),
    route!(Get "/v1/intents/{digest}" "The caller's newest request with exactly this intent",
        NONE, REQUEST, get(requests::newest_of_mine)),
    route!(Change "/v1/requests/{id}/begin" "Say that the action begins; no filing meets it again",
        NONE, REQUEST, post(requests::begin)),
    route!(Change "/v1/requests/{id}/complete" "Say that the action is over",
        NONE, REQUEST, post(requests::complete)),
    route!(Change "/v1/requests/{id}/credentials" "Mint a credential",
        Some(of::<wire::MintRequest>), Some(of::<wire::Credential>), post(credentials::mint)),
    route!(Get "/v1/credentials" "List credentials; with `state=live` those that are good, or open",
        NONE, Some(of::<wire::CredentialList>), get(credentials::list)),
    route!(Change "/v1/revocations" "End every grant and credential that fits, in an incident",
        Some(of::<wire::Revocation>), Some(of::<wire::Revoked>), post(credentials::revoke_all)),
    route!(Change "/v1/credentials/{id}/heartbeat" "A sign of life of whoever holds a credential",
        NONE, Some(of::<wire::Heartbeat>), post(credentials::heartbeat)),
    route!(Bytes "/v1/requests/{id}/plan" "Hand over the exact plan's bytes; be given them, once",
        NONE, REQUEST, get(plans::fetch).put(plans::send)),
    route!(Get "/v1/credentials/{id}" "What is known of a credential",
        NONE, Some(of::<wire::CredentialStatus>), get(credentials::show)),
    route!(Change "/v1/credentials/{id}/revoke" "Take one credential back",
        NONE, NONE, post(credentials::revoke)),
    route!(Change "/v1/credentials/redeem" "Spend a single-use token, as the service it is for",
        Some(of::<wire::Redemption>), Some(of::<wire::Introspection>), post(credentials::redeem)),
    route!(Post "/v1/decisions" "What policy would say; nothing is stored",
        Some(of::<wire::Intent>), Some(of::<wire::Decision>), post(requests::decide)),
    route!(Post "/v1/plans" "Hand in a plan, as `terraform show -json` prints it",
        NONE, Some(of::<wire::plan::Plan>),
        post(plans::hand_in).layer(DefaultBodyLimit::max(plans::LARGEST))),
    route!(Get "/v1/plans/saved/{digest}" "Which plan the caller says to be of a saved plan file",
        NONE, Some(of::<wire::plan::Saved>), get(plans::of_saved)),
    route!(Get "/v1/plans/{digest}" "What is kept of a plan",
        NONE, Some(of::<wire::plan::Plan>), get(plans::show)),
    route!(Get "/v1/policy/status" "By what the authority rules, and why not by the newest",
        NONE, Some(of::<wire::PolicyStatus>), get(policy::status)),
    route!(Get "/v1/policy/documents" "The policy documents that came over the API",
        NONE, Some(of::<wire::PolicyDocuments>), get(policy::documents)),
    route!(Entry "/v1/policy/documents/{name}" "One policy document with its versions; write it",
        Some(of::<wire::NewDocument>), Some(of::<wire::PolicyDocument>),
        get(policy::document).put(policy::write).delete(policy::remove)),
    route!(Get "/v1/policy/groups" "The groups that came over the API",
        NONE, Some(of::<wire::Groups>), get(policy::entries::<wire::NewGroup>)),
    route!(Entry "/v1/policy/groups/{name}" "One group; write it",
        Some(of::<wire::NewGroup>), Some(of::<wire::Group>), entry::<wire::NewGroup>()),
    route!(Get "/v1/policy/calendars" "The calendars that came over the API",
        NONE, Some(of::<wire::Calendars>), get(policy::entries::<wire::NewCalendar>)),
    route!(Entry "/v1/policy/calendars/{name}" "One calendar; write it",
        Some(of::<wire::NewCalendar>), Some(of::<wire::Calendar>), entry::<wire::NewCalendar>()),
    route!(Get "/v1/policy/trusts" "The trusts that came over the API",
        NONE, Some(of::<wire::Trusts>), get(policy::entries::<wire::NewTrust>)),
    route!(Entry "/v1/policy/trusts/{name}" "One trust; write it",
        Some(of::<wire::NewTrust>), Some(of::<wire::Trust>), entry::<wire::NewTrust>()),
    route!(Get "/v1/trusts" "Every trust that rules, of files and of the API",
        NONE, Some(of::<wire::RulingTrusts>), get(trusts::list)),
    route!(Post "/v1/trusts/check" "What would become of a token; it is neither spent nor kept",
        Some(of::<wire::TokenTrial>), Some(of::<wire::TokenTried>), post(trusts::try_token)),
    route!(Get "/v1/github/doctor" "What weakens the gates of a repository at GitHub",
        NONE, Some(of::<wire::GithubCheckup>), get(doctor::doctor)),
    route!(Post "/v1/policy/check" "What changes of policy would do; nothing is changed",
        Some(of::<wire::PolicyCheck>), Some(of::<wire::PolicyChecked>),
        post(policy::check).layer(DefaultBodyLimit::max(policy::LARGEST_CHECK))),
    route!(GetAndPost "/v1/signals" "What other systems have told; tell it of somebody or something",
        Some(of::<wire::NewSignal>), Some(of::<wire::ToldSignal>),
        get(policy::signals).post(signals::tell)),
    route!(Entry "/v1/signals/{name}" "What another system tells; rules read it from then on",
        Some(of::<serde_json::Value>), Some(of::<wire::Signal>),
        get(policy::signal).put(policy::tell).delete(policy::untell)),
    route!(Get "/v1/events" "The audit log as server-sent events",
        NONE, NONE, get(events::follow)),
    route!(Get "/v1/audit/checkpoint" "How long the audit log is, and its root",
        NONE, Some(of::<wire::Checkpoint>), get(audit::checkpoint)),
    route!(Get "/v1/audit/entries" "Entries of the audit log",
        NONE, Some(of::<wire::Entries>), get(audit::entries)),
    route!(Get "/v1/notices" "What became of notices, and how the ways out are",
        NONE, Some(of::<wire::Notices>), get(notices::list)),
    route!(Change "/v1/notices/replay" "Try all notices again that were given up",
        NONE, Some(of::<wire::NoticesReplayed>), post(notices::replay_all)),
    route!(Change "/v1/notices/{id}/replay" "Try a notice again that was given up",
        NONE, Some(of::<wire::NoticesReplayed>), post(notices::replay)),
    route!(Entry "/v1/notices/mine" "How the caller wishes to be told",
        Some(of::<wire::NoticeWishes>), Some(of::<wire::MyNotices>),
        get(notices::mine).put(notices::wish).delete(notices::unwish)),
    route!(GetAndPost "/v1/absences" "Who is out of office and who stands in; say it of oneself",
        Some(of::<wire::NewAbsence>), Some(of::<wire::Absence>), get(absence::list).post(absence::begin)),
    route!(Change "/v1/absences/{id}/end" "Be back before the time",
        NONE, Some(of::<wire::Absence>), post(absence::end)),
    route!(Get "/v1/whoami" "Who the caller is", NONE, Some(of::<wire::Whoami>), get(access::whoami)),
    route!(Door "/v1/bootstrap" "Make the first administrator, with the one-time code",
        Some(of::<wire::Bootstrap>), Some(of::<wire::FreshAccess>), post(access::bootstrap)),
    route!(GetAndPost "/v1/access" "List access tokens; make one",
        Some(of::<wire::NewAccess>), Some(of::<wire::FreshAccess>),
        get(access::list).post(access::create)),
    route!(Change "/v1/access/{id}/revoke" "Take an access token back",
        NONE, Some(of::<wire::Access>), post(access::revoke)),
    route!(GetAndPost "/v1/keys" "List signing keys; make one, or bring one",
        Some(of::<wire::NewKey>), Some(of::<wire::Key>), get(keys::list).post(keys::make)),
    route!(Change "/v1/keys/{id}/retire" "Take a signing key out of use",
        NONE, Some(of::<wire::Key>), post(keys::retire)),
    route!(Change "/v1/keys/{id}/revoke" "Take a signing key out at once, with all that it signed",
        Some(of::<wire::Reason>), Some(of::<wire::Key>), post(keys::revoke)),
    route!(Grant "/oauth/token"
        "Exchange a trusted issuer's token for an access token (RFC 8693); poll by a device code (RFC 8628)",
        NONE, Some(token), post(oauth::token)),
    route!(Grant "/oauth/device_authorization" "Begin to sign a program in by a browser (RFC 8628)",
        NONE, Some(of::<wire::oauth::DeviceAuthorization>), post(oauth::device)),
    route!(Form "/oauth/introspect" "Whether a credential is good now (RFC 7662)",
        NONE, Some(of::<wire::Introspection>), post(oauth::introspect)),
    route!(Form "/oauth/revoke" "Take a credential back by its token (RFC 7009)",
        NONE, NONE, post(oauth::revoke)),
    route!(Post "/access/v1/evaluation" "May this subject do this to that? (AuthZEN 1.0)",
        Some(of::<zen::Evaluation>), Some(of::<zen::Decision>),
        authzen::exchange(post(authzen::evaluation))),
    route!(Post "/access/v1/evaluations" "The same, many at once (AuthZEN 1.0)",
        Some(of::<zen::Evaluations>), Some(of::<zen::Decisions>),
        authzen::exchange(post(authzen::evaluations))),
    route!(Post "/access/v1/search/action" "What may this subject do to that? (AuthZEN 1.0)",
        Some(of::<zen::ActionSearch>), Some(of::<zen::FoundActions>),
        authzen::exchange(post(authzen::search_action))),
    route!(Change "/access/v1/requests" "Ask for what was denied (AuthZEN access request profile)",
        Some(of::<zen::AccessRequest>), Some(of::<zen::Tasked>),
        authzen::exchange(post(authzen::ask))),
    route!(Get "/access/v1/requests/{id}" "How far what was asked for is (AuthZEN profile)",
        NONE, Some(of::<zen::Tasked>), authzen::exchange(get(authzen::task))),
    route!(Post "/access/v1/requests/{id}/cancel" "Withdraw what was asked for (AuthZEN profile)",
        NONE, Some(of::<zen::Tasked>), authzen::exchange(post(authzen::cancel))),
    route!(Public "/.well-known/authzen-configuration" "What this decision point can do (AuthZEN 1.0)",
        NONE, Some(of::<zen::Metadata>), get(authzen::metadata)),
    route!(Public "/.well-known/jwks.json" "The public keys (RFC 7517)",
        NONE, NONE, get(wellknown::jwks)),
    route!(Public "/.well-known/openid-configuration" "The issuer's metadata",
        NONE, NONE, get(wellknown::discovery)),
    route!(Public "/.well-known/oauth-authorization-server" "The same as OAuth has it (RFC 8414)",
        NONE, NONE, get(wellknown::authorization_server)),
    route!(Door "/webhooks/github" "What GitHub tells the App of, signed with the webhook's secret",
        NONE, NONE,
        post(webhooks::github).layer(DefaultBodyLimit::max(github::LARGEST_DELIVERY))),
    route!(Public "/v1/openapi.json" "This description", NONE, NONE, get(wellknown::openapi)),
    route!(Public "/healthz" "Whether the process is alive", NONE, NONE, get(wellknown::alive)),
    route!(Public "/readyz" "Whether calls can be answered", NONE, NONE, get(wellknown::ready)),
];
