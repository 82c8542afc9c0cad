//! Passkeys on record: whose, since when, vouched for by whom. Enrolling, naming, vouching and removing
//! are steps, each with the entry that tells of it; a removed passkey stays on record.

mod voucher;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::digest::Digest;
use crate::id::PasskeyId;
use crate::principal::PrincipalId;
use crate::time::{Span, Timestamp};
use crate::webauthn::{PublicKey, Registered};

pub use voucher::{UnverifiedVoucher, VouchError, Voucher};

/// How many passkeys one person has at most.
pub const MAX_PASSKEYS: usize = 16;
/// The longest name, in characters.
pub const MAX_NAME: usize = 64;
/// How long ago its person may have signed in at most when a passkey is enrolled.
pub const ENROL_WITHIN: Span = Span::minutes(5);

/// One passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// Its id.
    pub id: PasskeyId,
    /// Whose.
    pub person: PrincipalId,
    /// By what the authenticator knows it.
    pub credential: Vec<u8>,
    /// Its public half.
    pub key: PublicKey,
    /// As its person calls it.
    pub name: String,
    /// Whether it can never leave its device, as the authenticator said.
    pub device_bound: bool,
    /// Since when.
    pub enrolled_at: Timestamp,
    /// Until when, where it was removed.
    pub removed_at: Option<Timestamp>,
    /// The word of the person's identity provider on it.
    pub voucher: Option<Voucher>,
}

/// A change of a passkey's record, ready to be written.
#[must_use]
#[derive(Clone, Debug)]
pub struct PasskeyStep {
    before: Option<Passkey>,
    next: Passkey,
    at: Timestamp,
    event: Value,
}

/// Why a passkey is not enrolled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnrolError {
    /// A key must be enrolled by whoever is there now, not by whoever finds an open session.
    #[error(
        "sign in again: a passkey is enrolled within {} of a sign-in",
        ENROL_WITHIN.in_words()
    )]
    SignInAgain,
    /// There are enough.
    #[error("you have {MAX_PASSKEYS} passkeys, which is the most: remove one first")]
    TooMany,
    /// The authenticator has one for this person.
    #[error("this passkey is enrolled already")]
    Known,
    /// Not a name.
    #[error("a passkey's name has 1 to {MAX_NAME} visible characters")]
    Name,
}

impl Passkey {
    /// Enrols a passkey for a person who signed in then, beside those that they have.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub fn enrol(
        id: PasskeyId,
        person: &PrincipalId,
        (made, name): (Registered, &str),
        signed_in_at: Option<Timestamp>,
        theirs: &[Self],
        now: Timestamp,
    ) -> Result<PasskeyStep, EnrolError> {
        if !signed_in_at.is_some_and(|at| at.is_within(ENROL_WITHIN, now)) {
            return Err(EnrolError::SignInAgain);
        }
        if theirs.iter().any(|passkey| passkey.credential == made.credential) {
            return Err(EnrolError::Known);
        }
        if theirs.iter().filter(|passkey| passkey.is_live()).count() >= MAX_PASSKEYS {
            return Err(EnrolError::TooMany);
        }
        let name = checked_name(name)?;
        let device_bound = made.flags.is_device_bound();
        let next = Self {
            id,
            person: person.clone(),
            credential: made.credential,
            key: made.key,
            name,
            device_bound,
            enrolled_at: now,
            removed_at: None,
            voucher: None,
        };
        let mut event = next.event("passkey_enrolled", person, now);
        let more = json!({
            "credential": URL_SAFE_NO_PAD.encode(&next.credential),
            "key": URL_SAFE_NO_PAD.encode(next.key.cose()),
            "algorithm": next.key.algorithm().name(),
            "device_bound": device_bound,
            "aaguid": made.aaguid.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            "name": next.name,
        });
        extend(&mut event, more);
        Ok(PasskeyStep { before: None, next, at: now, event })
    }

    /// Whether it was not removed.
    pub fn is_live(&self) -> bool {
        self.removed_at.is_none()
    }

    /// Whether it was on record, and not removed yet, at this moment.
    pub fn was_live(&self, at: Timestamp) -> bool {
        self.enrolled_at <= at && self.removed_at.is_none_or(|removed| at < removed)
    }

    /// Calls it something else. `None` where it is called so already, or is removed.
    ///
    /// # Errors
    /// [`EnrolError::Name`].
    pub fn rename(&self, name: &str, now: Timestamp) -> Result<Option<PasskeyStep>, EnrolError> {
        let name = checked_name(name)?;
        if name == self.name || !self.is_live() {
            return Ok(None);
        }
        let next = Self { name, ..self.clone() };
        let mut event = next.event("passkey_renamed", &self.person, now);
        extend(&mut event, json!({"name": next.name}));
        let before = Some(self.clone());
        Ok(Some(PasskeyStep { before, next, at: now, event }))
    }

    /// Removes it: from then on it signs nothing. What it signed before stays. `None` where that was
    /// done before.
    pub fn remove(&self, by: &PrincipalId, now: Timestamp) -> Option<PasskeyStep> {
        if !self.is_live() {
            return None;
        }
        let next = Self { removed_at: Some(now), ..self.clone() };
        let event = next.event("passkey_removed", by, now);
        Some(PasskeyStep { before: Some(self.clone()), next, at: now, event })
    }

    /// Notes that its person's identity provider vouched for it. `None` where one did before, or it is
    /// removed.
    pub fn vouch(&self, voucher: Voucher, now: Timestamp) -> Option<PasskeyStep> {
        if self.voucher.is_some() || !self.is_live() {
            return None;
        }
        let mut event = self.event("passkey_vouched", &self.person, now);
        extend(&mut event, voucher.to_json());
        let next = Self { voucher: Some(voucher), ..self.clone() };
        Some(PasskeyStep { before: Some(self.clone()), next, at: now, event })
    }

    /// What an identity provider is asked to put into an ID token as `nonce`, so that it vouches for
    /// this key at this relying party.
    pub fn voucher_nonce(key: &PublicKey, party: &str) -> String {
        let parts: [&[u8]; 3] = [b"assent/passkey/v1\0", key.cose(), party.as_bytes()];
        URL_SAFE_NO_PAD.encode(Digest::of_parts(&parts).as_bytes())
    }

    fn event(&self, fact: &str, by: &PrincipalId, at: Timestamp) -> Value {
        json!({
            "v": 1,
            "type": fact,
            "at": at.to_string(),
            "by": by.to_json(),
            "passkey": self.id.to_string(),
            "person": self.person.to_json(),
        })
    }
}

impl PasskeyStep {
    /// The record that it was decided on; `None` where the passkey is new.
    pub fn before(&self) -> Option<&Passkey> {
        self.before.as_ref()
    }

    /// The record after it.
    pub fn next(&self) -> &Passkey {
        &self.next
    }

    /// When.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// What happened, as it is recorded.
    pub fn event(&self) -> &Value {
        &self.event
    }
}

fn extend(event: &mut Value, more: Value) {
    if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
        event.extend(more);
    }
}

fn checked_name(name: &str) -> Result<String, EnrolError> {
    let name = name.trim();
    let fits = (1..=MAX_NAME).contains(&name.chars().count());
    match fits && name.chars().all(crate::principal::is_visible) {
        true => Ok(name.to_owned()),
        false => Err(EnrolError::Name),
    }
}
