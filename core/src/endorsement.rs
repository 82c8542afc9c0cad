//! Endorsements: what the authority of another organisation says of one of our requests.
//!
//! The partner is asked by an intent of its own, [`KIND`], that carries our whole intent and its
//! digest. Its people approve that one, so what they approve commits to what we ask; its credential
//! for it, made for us, is the endorsement. Everything here is pure: the same check is made before
//! an endorsement goes on record and again whenever the record is replayed, by whoever replays it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::credential::{Claims, KeySet, Rejection, Verifier};
use crate::digest::Digest;
use crate::id::{CredentialId, RequestId};
use crate::intent::{Intent, IntentFault, UnverifiedIntent};
use crate::policy::ruling::Elsewhere;
use crate::principal::{Principal, PrincipalId};
use crate::time::Timestamp;
use crate::token::LEEWAY;

/// The kind of the intent by which a partner is asked.
pub const KIND: &str = "assent.endorsement";

/// The name under which an authority itself calls another.
pub const CALLER: &str = "assent:authority";

/// What a partner is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The authority that asks: its base URL.
    pub authority: &'a str,
    /// The request there.
    pub request: RequestId,
    /// The stage that is to be filled.
    pub stage: &'a str,
    /// What is about to be done there.
    pub intent: &'a Intent,
    /// Who asks for it.
    pub requester: &'a Principal,
}

impl Question<'_> {
    /// The question as an intent. Its target is that of the intent asked about, with who asks and
    /// what is to be done beside it, so that rules over there can look at all of it.
    ///
    /// # Errors
    /// [`IntentFault`]s where the intent has no room for the question: too much context, or too many
    /// entries of a target.
    pub fn intent(&self) -> Result<Intent, Vec<IntentFault>> {
        let Self { authority, request, stage, intent, requester } = *self;
        let mut target = intent.target().clone();
        for (name, value) in [("authority", authority), ("kind", intent.kind()), ("stage", stage)] {
            target.insert(name.to_owned(), value.to_owned());
        }
        let mut context = Map::new();
        let mut put = |name: &str, value: Value| context.insert(name.to_owned(), value);
        put("request", json!(request.to_string()));
        put("url", json!(format!("{authority}/requests/{request}")));
        put("intent", intent.to_json());
        put("requester", json!(requester.id.to_string()));
        put("behind", json!(behind(requester)));
        UnverifiedIntent {
            kind: KIND.to_owned(),
            environment: intent.environment().to_owned(),
            target,
            subject: Some(intent.digest()),
            context,
            reason: intent.reason().to_owned(),
            ..UnverifiedIntent::default()
        }
        .verify()
    }
}

/// Everybody behind what a principal asks for, as another authority reads it.
pub fn behind(requester: &Principal) -> BTreeSet<String> {
    requester.behind().into_iter().map(ToString::to_string).collect()
}

/// What a partner gave: its signed credential, and the public key that it is checked by. With both
/// on record, anybody can check it again, long after the key was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The token.
    pub token: String,
    /// The key, as a JWK (RFC 7517).
    pub key: Value,
}

/// An endorsement that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endorsement {
    /// The credential over there.
    pub credential: CredentialId,
    /// The request over there.
    pub request: RequestId,
    /// SHA-256 of the token.
    pub fingerprint: Digest,
    /// Who approved over there, as we know them: only those who count.
    pub approved_by: BTreeSet<PrincipalId>,
}

/// What an endorsement must be to count.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// Whose it is.
    pub elsewhere: &'a Elsewhere,
    /// For whom it is: our base URL.
    pub audience: &'a str,
    /// The request over there that was filed for it.
    pub request: RequestId,
    /// The digest of the question.
    pub digest: Digest,
    /// How many different people.
    pub approvals: u32,
    /// Since when they could be asked.
    pub since: Timestamp,
    /// Those who must not approve: they are behind the change.
    pub behind: BTreeSet<PrincipalId>,
    /// Those who count for another stage already: nobody counts twice.
    pub spoken: BTreeSet<PrincipalId>,
}

/// Why an endorsement does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndorsementError {
    /// It is no credential of that authority for us, or not now.
    #[error("its credential is not accepted: {0}")]
    Rejected(#[from] Rejection),
    /// About something else.
    #[error("its credential is for the digest `{said}`, but we asked about {digest}")]
    OtherDigest {
        /// What it says.
        said: String,
        /// What we asked.
        digest: Digest,
    },
    /// Of another request over there.
    #[error("its credential is of request {said} there, but we filed {request}")]
    OtherRequest {
        /// What it says.
        said: RequestId,
        /// What we filed.
        request: RequestId,
    },
    /// Of another kind or environment than was asked.
    #[error("its credential is for something else: `{0}`")]
    OtherResource(String),
    /// From before anybody could be asked.
    #[error("its credential is of {issued_at}, before the stage opened at {since}")]
    TooEarly {
        /// When it was made.
        issued_at: Timestamp,
        /// When the stage opened.
        since: Timestamp,
    },
    /// Somebody who approved there cannot be named.
    #[error("its credential does not say who approved")]
    NoNames,
    /// Somebody behind the change approved there.
    #[error("`{0}`, who approved there, is behind the change")]
    Behind(PrincipalId),
    /// Too few of those who count.
    #[error("{approved} of those who count approved there, but {needed} must")]
    TooFew {
        /// How many did.
        approved: usize,
        /// How many must.
        needed: u32,
    },
}

impl EndorsementError {
    /// Whether it is that authority's answer to this question, and can only not count. What is no
    /// answer decides nothing, because anybody may have sent it: another may come.
    pub fn is_an_answer(&self) -> bool {
        match self {
            Self::NoNames | Self::Behind(_) | Self::TooFew { .. } => true,
            Self::Rejected(_)
            | Self::OtherDigest { .. }
            | Self::OtherRequest { .. }
            | Self::OtherResource(_)
            | Self::TooEarly { .. } => false,
        }
    }

    /// The stable word for it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected(_) => "credential_rejected",
            Self::OtherDigest { .. } => "other_digest",
            Self::OtherRequest { .. } => "other_request",
            Self::OtherResource(_) => "other_resource",
            Self::TooEarly { .. } => "too_early",
            Self::NoNames => "no_names",
            Self::Behind(_) => "behind_the_change",
            Self::TooFew { .. } => "too_few",
        }
    }
}

impl Evidence {
    /// Checks it all, at the moment when it was presented.
    ///
    /// # Errors
    /// [`EndorsementError`]: the first thing that is not as it must be.
    pub fn check(
        &self,
        expected: &Expected<'_>,
        now: Timestamp,
    ) -> Result<Endorsement, EndorsementError> {
        let keys = KeySet::read(&json!({"keys": [self.key]}));
        let verifier = Verifier::new(&expected.elsewhere.issuer, expected.audience);
        let claims = verifier.verify(&self.token, &keys, now)?;
        let said = &claims.digest;
        if *said != expected.digest.to_string() {
            let (said, digest) = (said.chars().take(255).collect(), expected.digest);
            return Err(EndorsementError::OtherDigest { said, digest });
        }
        if claims.request != expected.request {
            let (said, request) = (claims.request, expected.request);
            return Err(EndorsementError::OtherRequest { said, request });
        }
        if claims.all.get("kind").and_then(Value::as_str) != Some(KIND) {
            return Err(EndorsementError::OtherResource(claims.sub.chars().take(255).collect()));
        }
        let (issued_at, since) = (claims.issued_at, expected.since);
        if issued_at.plus(LEEWAY) < since {
            return Err(EndorsementError::TooEarly { issued_at, since });
        }
        let approved_by = approved_by(&claims, expected)?;
        let (approved, needed) = (approved_by.len(), expected.approvals);
        if approved < needed as usize {
            return Err(EndorsementError::TooFew { approved, needed });
        }
        let fingerprint = Digest::of(self.token.as_bytes());
        Ok(Endorsement { credential: claims.id, request: claims.request, fingerprint, approved_by })
    }
}

/// Those who approved and count. Somebody who must not have is not passed over: what they were shown
/// over there was then not what our rules take it for.
///
/// A partner speaks for its own people. What it says of anybody else, ours above all, is its word and
/// not theirs: such a name counts only where our own policy names it, as the person it names there.
fn approved_by(
    claims: &Claims,
    expected: &Expected<'_>,
) -> Result<BTreeSet<PrincipalId>, EndorsementError> {
    let elsewhere = expected.elsewhere;
    let names = claims.all.get("approved_by").and_then(Value::as_array);
    let mut counted = BTreeSet::new();
    for name in names.ok_or(EndorsementError::NoNames)? {
        let name = name.as_str().ok_or(EndorsementError::NoNames)?;
        let there = PrincipalId::said_by(&elsewhere.issuer, name);
        let there = there.map_err(|_| EndorsementError::NoNames)?;
        // Policy writes each in one way, however they write it.
        let name = &there.as_said_by(&elsewhere.issuer);
        let is_ours = there.iss() == expected.audience;
        let ours = is_ours.then(|| PrincipalId::local(there.sub()).ok()).flatten();
        let here = elsewhere.people.get(name);
        let all = here.into_iter().chain(&ours).chain([&there]);
        if let Some(who) = all.into_iter().find(|who| expected.behind.contains(*who)) {
            return Err(EndorsementError::Behind(who.clone()));
        }
        let is_named = elsewhere.approvers.as_ref().map(|all| all.contains(name));
        let is_theirs = there.iss() == elsewhere.issuer;
        let counts = is_named.unwrap_or(is_theirs || here.is_some());
        let who = here.cloned().or(ours).unwrap_or(there);
        if counts && !expected.spoken.contains(&who) {
            counted.insert(who);
        }
    }
    Ok(counted)
}
