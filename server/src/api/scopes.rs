//! What a token of narrow scope may do, of everything that can be called. In one place, and whatever is
//! not named here only a token without a scope, or with the whole of its person's, does.

use assent_core::sign_in::Scope;
use axum::http::Method as Verb;

use crate::api::routes::{Method, Route};

/// What asking is made of: filing, waiting, spending and ending.
const ASKING: [&str; 14] = [
    "/v1/requests",
    "/v1/requests/{id}/heartbeat",
    "/v1/requests/{id}/cancel",
    "/v1/requests/{id}/revoke",
    "/v1/requests/{id}/begin",
    "/v1/requests/{id}/complete",
    "/v1/requests/{id}/credentials",
    "/v1/requests/{id}/plan",
    "/v1/credentials/{id}/heartbeat",
    "/v1/credentials/{id}/revoke",
    "/v1/plans",
    "/access/v1/requests",
    "/access/v1/requests/{id}/cancel",
    "/oauth/revoke",
];
/// What reviewing is made of. What a passkey is to sign is good for nothing else.
const REVIEWING: [&str; 4] = [
    "/v1/requests/{id}/statement",
    "/v1/requests/{id}/reviews",
    "/v1/requests/{id}/reviews/withdraw",
    "/v1/requests/{id}/post-reviews",
];
/// What changes nothing although it is sent with a body.
const LOOKING: [&str; 7] = [
    "/v1/decisions",
    "/v1/trusts/check",
    "/v1/policy/check",
    "/access/v1/evaluation",
    "/access/v1/evaluations",
    "/access/v1/search/action",
    "/oauth/introspect",
];

impl Route {
    /// The scope that a token needs to call this with that verb.
    pub fn needs(&self, verb: &Verb) -> Scope {
        let reads = match self.method {
            Method::Get | Method::Public => true,
            // Of a plan's bytes, even reading is a use.
            Method::Bytes => false,
            Method::GetAndPost | Method::Entry => *verb == Verb::GET,
            Method::Post | Method::Change | Method::Form | Method::Door | Method::Grant => false,
        };
        let is_in = |paths: &[&str]| paths.contains(&self.path);
        if is_in(&REVIEWING) {
            Scope::Review
        } else if reads || is_in(&LOOKING) {
            Scope::Read
        } else if is_in(&ASKING) {
            Scope::Request
        } else {
            Scope::AllOfMine
        }
    }
}

/// The scope that a call needs, by where it is routed. A place that is in no table needs everything.
pub(super) fn needed(path: Option<&str>, verb: &Verb) -> Scope {
    let route = super::routes::ROUTES.iter().find(|route| Some(route.path) == path);
    route.map_or(Scope::AllOfMine, |route| route.needs(verb))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::routes::ROUTES;

    /// Whoever adds a route says here what a narrow token may do with it, or it may nothing.
    #[test]
    fn every_route_needs_what_it_does() {
        for path in ASKING.iter().chain(&REVIEWING).chain(&LOOKING) {
            assert!(ROUTES.iter().any(|route| route.path == *path), "{path} is no route");
        }
        for route in ROUTES {
            for verb in [Verb::GET, Verb::POST, Verb::PUT, Verb::DELETE] {
                let needs = route.needs(&verb);
                let is_read = needs == Scope::Read;
                let changes = verb != Verb::GET
                    && matches!(route.method, Method::Change | Method::Entry | Method::GetAndPost);
                assert!(!(is_read && changes), "{route:?} is changed by whoever may only look");
            }
        }
        let of = |path: &str, verb: Verb| needed(Some(path), &verb);
        for (path, verb, needs) in [
            ("/v1/requests", Verb::GET, Scope::Read),
            ("/v1/requests", Verb::POST, Scope::Request),
            ("/v1/requests/{id}/reviews", Verb::POST, Scope::Review),
            ("/v1/requests/{id}/reviews/withdraw", Verb::POST, Scope::Review),
            ("/v1/requests/{id}/statement", Verb::GET, Scope::Review),
            ("/v1/requests/{id}/evidence", Verb::GET, Scope::Read),
            ("/v1/passkeys", Verb::GET, Scope::Read),
            ("/v1/passkeys/{id}/remove", Verb::POST, Scope::AllOfMine),
            ("/v1/absences", Verb::GET, Scope::Read),
            ("/v1/absences", Verb::POST, Scope::AllOfMine),
            ("/v1/absences/{id}/end", Verb::POST, Scope::AllOfMine),
            ("/v1/notices", Verb::GET, Scope::Read),
            ("/v1/notices/replay", Verb::POST, Scope::AllOfMine),
            ("/v1/notices/{id}/replay", Verb::POST, Scope::AllOfMine),
            ("/v1/notices/mine", Verb::GET, Scope::Read),
            ("/v1/notices/mine", Verb::PUT, Scope::AllOfMine),
            ("/v1/notices/mine", Verb::DELETE, Scope::AllOfMine),
            ("/v1/events", Verb::GET, Scope::Read),
            ("/v1/requests/{id}/plan", Verb::GET, Scope::Request),
            ("/v1/policy/documents/{name}", Verb::GET, Scope::Read),
            ("/v1/policy/documents/{name}", Verb::PUT, Scope::AllOfMine),
            ("/v1/access", Verb::POST, Scope::AllOfMine),
            ("/v1/revocations", Verb::POST, Scope::AllOfMine),
            ("/v1/nowhere", Verb::GET, Scope::AllOfMine),
        ] {
            assert_eq!(of(path, verb.clone()), needs, "{verb} {path}");
        }
        assert_eq!(needed(None, &Verb::GET), Scope::AllOfMine);
    }
}
