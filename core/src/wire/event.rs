//! Events as JSON: what the ledger stores and the audit log digests, byte for byte.
//!
//! The canonical form (RFC 8785) of what [`event_to_json`] writes is the data of the Merkle leaf.
//! The format is version 1; a reader refuses what it does not know rather than passing it over.

mod read;
mod written;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical;
use crate::request::Event;
use crate::wire::{
    Intent, Known, Principal, PrincipalId, RefusalReason, Ruling, SignalSubject, Verdict,
};

/// The bytes are no event of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event of this format: {0}")]
pub struct EventError(String);

#[derive(Serialize, Deserialize)]
struct Sent {
    v: u8,
    request: String,
    at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<PrincipalId>,
    #[serde(flatten)]
    fact: SentFact,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "one filing to a request: a box would save nothing")]
enum SentFact {
    Filed {
        intent: Intent,
        requester: Principal,
        ruling: Ruling,
        #[serde(default, skip_serializing_if = "is_nothing")]
        known: Known,
        expires_at: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heartbeat: Option<String>,
    },
    Reviewed(SentReview),
    Withdrawn {
        review: String,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reopened: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        closed: Vec<String>,
    },
    PostReviewed(SentReview),
    PostReviewDone {
        rule: String,
    },
    PostReviewMissed {
        rule: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        suspended: Option<String>,
    },
    Advanced {
        filled: Vec<String>,
        opened: Vec<String>,
    },
    Escalated {
        stage: String,
        to: Vec<String>,
    },
    Reminded {
        stages: Vec<String>,
    },
    Approved {
        counted: Vec<Counted>,
        consume_by: String,
        uses: u32,
    },
    AskedElsewhere {
        stage: String,
        authority: String,
        ours: String,
        request_there: String,
        digest: String,
    },
    Endorsed {
        stage: String,
        request_there: String,
        credential: String,
        fingerprint: String,
        approved_by: BTreeSet<PrincipalId>,
        token: String,
        key: Value,
    },
    EndorsementWithdrawn {
        stage: String,
        reason: String,
    },
    ToldElsewhere {
        stage: String,
    },
    DeniedElsewhere {
        stage: String,
        authority: String,
        request_there: String,
        reason: String,
    },
    Refused {
        reasons: Vec<RefusalReason>,
    },
    Denied {
        review: String,
        reviewer: PrincipalId,
        comment: String,
    },
    Expired {
        deadline: String,
    },
    Canceled {
        reason: String,
    },
    RequesterLost {
        last: String,
        due: String,
    },
    Consumed {
        credential: String,
        audience: String,
        expires_at: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        broker: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recall: Option<SentRecall>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heartbeat: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        confirmation: Option<String>,
    },
    Minted {
        credential: String,
        fingerprint: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    Redeemed {
        credential: String,
    },
    Abandoned {
        credential: String,
    },
    CredentialRevoked {
        credential: String,
    },
    HeartbeatLost {
        credential: String,
        last: String,
        due: String,
    },
    BrokerClosed {
        credential: String,
    },
    BrokerOutlives {
        credential: String,
        until: String,
    },
    BrokerStuck {
        credential: String,
        problem: String,
    },
    PlanKept {
        upload: String,
        digest: String,
        size: u64,
        until: String,
    },
    PlanFetched {
        upload: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<String>,
    },
    PlanRemoved {
        upload: String,
    },
    Completed {},
    Revoked {
        reason: String,
    },
    Stopped {
        signal: String,
        about: SignalSubject,
        state: String,
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        accounts: BTreeSet<PrincipalId>,
    },
}

/// Told where it is not as one would think.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SentRecall {
    OnlyExpires,
}

fn is_nothing(known: &Known) -> bool {
    *known == Known::default()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SentReview {
    review: String,
    reviewer: PrincipalId,
    verdict: Verdict,
    digest: String,
    comment: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    stands_in_for: BTreeSet<PrincipalId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login_age: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    amr: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<SentSignature>,
}

/// A signature with all that is needed to check it again.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SentSignature {
    passkey: String,
    key: String,
    enrolled_at: String,
    vouched: bool,
    /// The very text that was signed.
    statement: String,
    authenticator_data: String,
    client_data: String,
    signature: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    stage: String,
    people: Vec<PrincipalId>,
}

/// An event as JSON.
pub fn event_to_json(event: &Event) -> Value {
    let sent = Sent {
        v: 1,
        request: event.request.to_string(),
        at: event.at.to_string(),
        by: event.by.as_ref().map(PrincipalId::from),
        fact: (&event.fact).into(),
    };
    // INVARIANT: the shapes above have text keys and finite numbers, so this cannot fail.
    serde_json::to_value(sent).unwrap_or_default()
}

/// The canonical bytes of an entry: what is stored, and what the Merkle leaf is of.
pub fn entry_bytes(event: &Value) -> Vec<u8> {
    canonical::bytes(event)
}

/// The event that this JSON tells of.
///
/// # Errors
/// [`EventError`] for anything that [`event_to_json`] would not have written.
pub fn event_from_json(json: &Value) -> Result<Event, EventError> {
    let bad = |error: &dyn std::fmt::Display| EventError(error.to_string());
    let sent: Sent = Sent::deserialize(json).map_err(|e| bad(&e))?;
    if sent.v != 1 {
        return Err(EventError(format!("version {}", sent.v)));
    }
    let by = sent.by.map(crate::principal::PrincipalId::try_from).transpose();
    let at = sent.at.parse().map_err(|e| bad(&e))?;
    let event = Event {
        request: sent.request.parse().map_err(|e| bad(&e))?,
        at,
        by: by.map_err(|e| bad(&e))?,
        fact: sent.fact.read(at).map_err(|e| EventError(e.0))?,
    };
    // Two spellings of one event would be two leaves; only the one that is written is read.
    if event_to_json(&event) == *json {
        Ok(event)
    } else {
        Err(EventError("other spelling".into()))
    }
}
