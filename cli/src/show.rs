//! A request in words.

mod facts;
mod plan;
mod progress;

use assent_client::wire::{Brokered, Request, Ruling, Said, Stage};

pub(crate) use facts::{brief, full};
pub(crate) use plan::{headline, plan, shown};
pub(crate) use progress::{ending, progress, situation};

use crate::output::clean;

/// What is about to be done, in one sentence.
pub(crate) fn sentence(request: &Request) -> String {
    let intent = &request.intent;
    let target = match target(request) {
        target if target.is_empty() => String::new(),
        target => format!(" ({target})"),
    };
    let duration = intent.duration.as_ref().map(|time| format!(" for {}", clean(time)));
    format!(
        "{} wants to do {} in {}{target}{}: {}",
        principal(&request.requester.iss, &request.requester.sub),
        clean(&intent.kind),
        clean(&intent.environment),
        duration.unwrap_or_default(),
        clean(&intent.reason),
    )
}

/// What it is done to.
pub(crate) fn target(request: &Request) -> String {
    let pair = |(name, value): (&String, &String)| format!("{}={}", clean(name), clean(value));
    request.intent.target.iter().map(pair).collect::<Vec<_>>().join(", ")
}

/// What a broker has open for a credential, in a few words: `orders-db: open`.
pub(crate) fn brokered(brokered: &Brokered) -> String {
    let mut text = match (brokered.status.as_str(), &brokered.outlives) {
        ("outlives", Some(until)) => format!("works until {}", clean(until)),
        (status, _) => clean(status),
    };
    if brokered.only_expires && brokered.status != "closed" {
        text.push_str(", cannot be taken back");
    }
    if let (Some(problem), "closing") = (&brokered.problem, brokered.status.as_str()) {
        text.push_str(&format!(": {}", clean(problem)));
    }
    format!("{}: {text}", clean(&brokered.broker))
}

/// A name as the server's own texts have it: `bob` for our own, `issuer#subject` for others.
pub(crate) fn principal(iss: &str, sub: &str) -> String {
    match iss == assent_core::principal::LOCAL_ISSUER {
        true => clean(sub),
        false => clean(&format!("{iss}#{sub}")),
    }
}

/// What policy asks for: `2 of group:release-managers; the requester does not count`.
pub(crate) fn asked(request: &Request) -> String {
    let behind = match request.requester.acts_for.is_empty() {
        true => "the requester does not count",
        false => "the requester and those it acts for do not count",
    };
    match request.ruling.outcome {
        Said::Require => format!("{}; {behind}", ruling(&request.ruling)),
        Said::Permit | Said::Refuse => ruling(&request.ruling),
    }
}

/// The name of what [`ruling`] says.
pub(crate) fn said_as(ruling: &Ruling) -> &'static str {
    match ruling.outcome {
        Said::Permit | Said::Require => "asks",
        Said::Refuse => "refused",
    }
}

/// What policy says, in one line: whom it asks, or why it refuses.
pub(crate) fn ruling(ruling: &Ruling) -> String {
    let rules = || ruling.rules.iter().map(|rule| clean(rule)).collect::<Vec<_>>().join(", ");
    match ruling.outcome {
        Said::Permit => format!("nobody; policy permits it ({})", rules()),
        Said::Refuse => {
            let reason = |reason: &assent_client::wire::RefusalReason| {
                format!("{} ({})", clean(&reason.message), clean(&reason.rule))
            };
            ruling.reasons.iter().map(reason).collect::<Vec<_>>().join("; ")
        }
        Said::Require => ruling.stages.iter().map(stage).collect::<Vec<_>>().join(", and "),
    }
}

fn stage(stage: &Stage) -> String {
    let from: Vec<_> = stage.asks().iter().map(|who| clean(who)).collect();
    let mut text = format!("{} of {}", stage.approvals, from.join(" or "));
    if !stage.exclude.is_empty() {
        let exclude: Vec<_> = stage.exclude.iter().map(|who| clean(who)).collect();
        text.push_str(&format!(" but not {}", exclude.join(" or ")));
    }
    if let Some(after) = &stage.after {
        text.push_str(&format!(" once {} is filled", clean(after)));
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A request that asks for two release managers, in this state.
    pub(crate) fn request(state: &str) -> Request {
        serde_json::from_value(json!({
            "id": "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z",
            "state": state,
            "version": 1,
            "url": "http://127.0.0.1:8420/requests/req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z",
            "digest": "sha256:ba78",
            "intent": {
                "kind": "terraform.apply",
                "environment": "production",
                "target": {"workspace": "orders"},
                "reason": "Resize\u{1b}[2J it",
                "duration": "15m",
            },
            "requester": {"iss": "assent:local", "sub": "alice", "kind": "person"},
            "ruling": {
                "outcome": "require",
                "rules": ["production"],
                "policy": "sha256:cafe",
                "stages": [{
                    "name": "production/1",
                    "rules": ["production"],
                    "approvals": 2,
                    "from": ["group:release-managers"],
                }],
                "expires_after": "4h",
            },
            "filed_at": "2026-11-20T21:00:00.000Z",
            "expires_at": "2026-11-20T22:00:00.000Z",
            "stages": [{
                "name": "production/1",
                "approvals": 2,
                "from": ["group:release-managers"],
                "counted": ["bob"],
                "awaited": ["carol", "dave"],
                "open": true,
            }],
            "reviews": [{
                "id": "rev_01JD5K3N7Q8R9S0T1V2W3X4Y5Z",
                "reviewer": "bob",
                "verdict": "approve",
                "comment": "fine",
                "at": "2026-11-20T21:01:00.000Z",
            }],
        }))
        .unwrap()
    }

    #[test]
    fn a_request_in_one_sentence() {
        let wanted = "alice wants to do terraform.apply in production (workspace=orders) for 15m: \
                      Resize\\u{1b}[2J it";
        assert_eq!(sentence(&request("pending")), wanted);
    }

    #[test]
    fn what_is_asked_says_who_does_not_count() {
        let mut request = request("pending");
        let wanted = "2 of group:release-managers; the requester does not count";
        assert_eq!(asked(&request), wanted);
        request.ruling.outcome = Said::Permit;
        assert_eq!(asked(&request), "nobody; policy permits it (production)");
    }
}
