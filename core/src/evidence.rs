//! Evidence: what lets a stranger check one request's approval, with nothing but the authority's public
//! keys. Every entry of the request and of the passkeys that signed it, each proven to be in the audit
//! log, and the authority's signed word on that log.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::audit::{self, leaf_hash};
use crate::credential::checkpoint::Checkpoint;
use crate::credential::{KeySet, Rejection};
use crate::digest::Digest;
use crate::passkey::Passkey;
use crate::principal::PrincipalId;
use crate::request::{Event, Fact, ReplayError, Request, Review};
use crate::statement::{Recorded, Strength};
use crate::time::Timestamp;
use crate::webauthn::PublicKey;
use crate::wire;

/// The only format there is.
pub const VERSION: u8 = 1;

/// Why evidence proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Of another format.
    #[error("this evidence is of format {0}; only {VERSION} is known")]
    Version(u8),
    /// The checkpoint is not the authority's.
    #[error("the checkpoint is not signed by a key that is trusted: {0}")]
    Checkpoint(#[from] Rejection),
    /// The checkpoint is another authority's.
    #[error("the checkpoint is of {0}, not of the server that the evidence names")]
    OtherServer(String),
    /// An entry is not in the log.
    #[error("entry {0} is not in the log of the checkpoint")]
    NotIncluded(u64),
    /// An entry is no event.
    #[error("entry {index} does not read: {problem}")]
    Unreadable {
        /// Its place.
        index: u64,
        /// Why.
        problem: String,
    },
    /// The entries are no history of the request.
    #[error("the entries are no request's history: {0}")]
    Replay(#[from] ReplayError),
    /// They are another request's.
    #[error("the entries are of another request")]
    OtherRequest,
    /// A signature is of another server's page.
    #[error("review {0} was signed for another server")]
    SignedElsewhere(String),
    /// The passkey that signed is not proven to have been the reviewer's.
    #[error("review {review}: {problem}")]
    Passkey {
        /// The review.
        review: String,
        /// What does not hold.
        problem: &'static str,
    },
}

/// What evidence proves.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The request, as its entries tell of it.
    pub request: Request,
    /// The log that they are in.
    pub checkpoint: Checkpoint,
    /// Its reviews, each with what is proven of its signature.
    pub reviews: Vec<ProvenReview>,
}

/// What is proven of one review.
#[derive(Clone, Debug)]
pub struct ProvenReview {
    /// The review.
    pub review: Review,
    /// How good its signature is; `None` where it has none: then the authority alone says that it was
    /// given.
    pub strength: Option<Strength>,
    /// The provider whose word on the passkey is on record, and whom it names.
    pub voucher: Option<PrincipalId>,
}

/// Checks evidence against the keys that are trusted to be the authority's: that every entry is in its
/// log, that they are one request's history, by whose rules it was kept, that each signed review was
/// signed over exactly that request, and that the passkey was on record as the reviewer's before.
///
/// # Errors
/// [`EvidenceError`]: on any doubt.
pub fn verify(evidence: &wire::Evidence, keys: &KeySet) -> Result<Proven, EvidenceError> {
    if evidence.v != VERSION {
        return Err(EvidenceError::Version(evidence.v));
    }
    let checkpoint = Checkpoint::verify(&evidence.checkpoint, keys)?;
    if checkpoint.issuer != evidence.server {
        return Err(EvidenceError::OtherServer(checkpoint.issuer));
    }
    let passkeys = evidence.passkeys.values().flatten();
    for entry in evidence.entries.iter().chain(passkeys) {
        check_included(entry, &checkpoint)?;
    }
    let mut events: Vec<Event> = Vec::new();
    for entry in &evidence.entries {
        let read = wire::event_from_json(&entry.entry);
        let unreadable = |error: wire::EventError| EvidenceError::Unreadable {
            index: entry.index,
            problem: error.to_string(),
        };
        events.push(read.map_err(unreadable)?);
    }
    let request = Request::replay(&events)?;
    if request.id().to_string() != evidence.request {
        return Err(EvidenceError::OtherRequest);
    }
    let mut reviews = Vec::new();
    for (event, entry) in events.iter().zip(&evidence.entries) {
        if let Fact::Reviewed(review) = &event.fact {
            reviews.push(prove(review, entry.index, evidence)?);
        }
    }
    Ok(Proven { request, checkpoint, reviews })
}

fn check_included(entry: &wire::ProvenEntry, log: &Checkpoint) -> Result<(), EvidenceError> {
    let missing = EvidenceError::NotIncluded(entry.index);
    let path = entry.proof.iter().map(|hash| hash.parse()).collect::<Result<Vec<Digest>, _>>();
    let Ok(path) = path else { return Err(missing) };
    let leaf = leaf_hash(&wire::entry_bytes(&entry.entry));
    match audit::includes(leaf, entry.index, &path, (log.size, log.root)) {
        true => Ok(()),
        false => Err(missing),
    }
}

/// That the passkey which signed a review was the reviewer's by the log's own order, and not removed.
fn prove(
    review: &Review,
    index: u64,
    evidence: &wire::Evidence,
) -> Result<ProvenReview, EvidenceError> {
    let Some(signature) = &review.signature else {
        return Ok(ProvenReview { review: review.clone(), strength: None, voucher: None });
    };
    let id = review.id.to_string();
    if signature.statement().server != evidence.server {
        return Err(EvidenceError::SignedElsewhere(id));
    }
    let told = evidence.passkeys.get(&signature.passkey().to_string());
    let before = told.into_iter().flatten().filter(|entry| entry.index < index);
    let voucher = check_passkey(before.map(|entry| &entry.entry), review);
    let voucher = voucher.map_err(|problem| EvidenceError::Passkey { review: id, problem })?;
    let strength = Some(signature.strength());
    Ok(ProvenReview { review: review.clone(), strength, voucher })
}

/// That the passkey which signed a review was the reviewer's by what the log had told of it before, and
/// not removed; and who had vouched for it, where the record says that somebody had.
pub(crate) fn check_passkey<'a>(
    told: impl Iterator<Item = &'a Value>,
    review: &Review,
) -> Result<Option<PrincipalId>, &'static str> {
    let Some(signature) = &review.signature else { return Ok(None) };
    Logged::of(told, signature.recorded()).check(review, signature.recorded())
}

/// What the log had told of a passkey by then, by the type of entry.
struct Logged<'a>(BTreeMap<&'a str, &'a Value>);

impl<'a> Logged<'a> {
    fn of(entries: impl Iterator<Item = &'a Value>, recorded: &Recorded) -> Self {
        let id = recorded.passkey.to_string();
        let theirs =
            entries.filter(|entry| entry.get("passkey") == Some(&Value::from(id.as_str())));
        Self(theirs.filter_map(|entry| Some((entry.get("type")?.as_str()?, entry))).collect())
    }

    fn check(
        &self,
        review: &Review,
        recorded: &Recorded,
    ) -> Result<Option<PrincipalId>, &'static str> {
        let enrolled =
            self.0.get("passkey_enrolled").ok_or("its passkey was not enrolled before")?;
        let text = |name: &str| enrolled.get(name).and_then(Value::as_str);
        if text("key") != Some(URL_SAFE_NO_PAD.encode(&recorded.key).as_str()) {
            return Err("its passkey was enrolled with another key");
        }
        if enrolled.get("person") != Some(&review.reviewer.to_json()) {
            return Err("its passkey was enrolled for somebody else");
        }
        let at = text("at").and_then(|at| at.parse::<Timestamp>().ok());
        if at != Some(recorded.enrolled_at) {
            return Err("its passkey was enrolled at another time");
        }
        if self.0.contains_key("passkey_removed") {
            return Err("its passkey was removed before");
        }
        match (recorded.vouched, self.0.get("passkey_vouched")) {
            (false, _) => Ok(None),
            (true, Some(voucher)) => vouched(voucher, review, recorded).map(Some),
            (true, None) => Err("nobody vouched for its passkey before"),
        }
    }
}

fn vouched(
    voucher: &Value,
    review: &Review,
    recorded: &Recorded,
) -> Result<PrincipalId, &'static str> {
    let claim = |name: &str| voucher.get("claims")?.get(name)?.as_str();
    let key = PublicKey::read(&recorded.key).map_err(|_| "its passkey's key does not read")?;
    let party = review.signature.as_ref().map(|signed| signed.statement().party.clone());
    let nonce = Passkey::voucher_nonce(&key, &party.unwrap_or_default());
    let person =
        (claim("iss"), claim("sub")) == (Some(review.reviewer.iss()), Some(review.reviewer.sub()));
    match person && claim("nonce") == Some(nonce.as_str()) {
        true => Ok(review.reviewer.clone()),
        false => Err("who vouched for its passkey spoke of another"),
    }
}
