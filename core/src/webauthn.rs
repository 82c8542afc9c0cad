//! What a passkey says, checked (W3C WebAuthn Level 3): that this key was made for us, and that its
//! holder, verified by their device, signed exactly this challenge on a page of ours.
//!
//! One relying party, three algorithms, no attestation. Everything comes from outside: it is read
//! strictly, and on any doubt it is refused. Sign counters are not looked at: synced passkeys have none.

mod authenticator;
mod cbor;
mod client;
mod key;
#[cfg(test)]
pub(crate) mod soft;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::digest::Digest;

pub use authenticator::{Flags, MAX_CREDENTIAL_ID};
pub use key::{Algorithm, PublicKey};

use authenticator::AuthenticatorData;
use client::Ceremony;

/// The longest of each part that is looked at, in bytes.
const MAX_PART: usize = 8_192;

/// Why what a passkey is said to have said does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebauthnError {
    /// Not of the form that the standard gives it, or too long.
    #[error("the passkey's answer is malformed: {0}")]
    Malformed(&'static str),
    /// For another ceremony than the one it is shown in.
    #[error("the passkey's answer is for another ceremony")]
    Ceremony,
    /// It answers another challenge.
    #[error("the passkey answered another challenge")]
    Challenge,
    /// It was given on a page of somebody else.
    #[error("the passkey was used on a page of another origin")]
    Origin,
    /// It was given in a frame of somebody else's page.
    #[error("the passkey was used inside a page of another origin")]
    Framed,
    /// The key was made for another name.
    #[error("the passkey is for another site")]
    RelyingParty,
    /// Nobody touched the authenticator.
    #[error("nobody was present at the authenticator")]
    NotPresent,
    /// The authenticator did not check who uses it.
    #[error("the authenticator did not verify who uses it: use your fingerprint, face or PIN")]
    NotVerified,
    /// The key is of a kind that we do not take.
    #[error("the passkey's key is of a kind that is not accepted")]
    Key,
    /// The key did not sign it.
    #[error("the passkey's signature is wrong")]
    Signature,
}

/// Whom a passkey is for: the name that it is bound to, and the one origin whose pages may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    id: String,
    origin: String,
}

impl RelyingParty {
    /// That of a server at this base URL, which is its origin. `None` where browsers let no passkey be
    /// used: at an address instead of a name, and without https but on `localhost`.
    pub fn of(base: &str) -> Option<Self> {
        let (scheme, place) = base.split_once("://")?;
        let id = match place.split_once(':') {
            Some((name, port)) => port.parse::<u16>().ok().map(|_| name)?,
            None => place,
        };
        let is_name = |label: &str| {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            (1..=63).contains(&label.len()) && label.chars().all(fits)
        };
        let labels = || id.split('.');
        let is_address = labels().all(|label| label.chars().all(|c| c.is_ascii_digit()));
        let is_sound = id.len() <= 253 && labels().all(is_name) && !is_address;
        let is_secure = scheme == "https" || (scheme == "http" && id == "localhost");
        (is_sound && is_secure).then(|| Self { id: id.to_owned(), origin: base.to_owned() })
    }

    /// The name that passkeys are bound to.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The origin whose pages may use them.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// What a browser hands over when a passkey was made (section 5.1.3), not yet believed.
#[derive(Clone, PartialEq, Eq)]
pub struct UnverifiedRegistration {
    /// `attestationObject`.
    pub attestation: Vec<u8>,
    /// `clientDataJSON`.
    pub client_data: Vec<u8>,
}

/// What a browser hands over when a passkey signed (section 5.1.4), not yet believed.
#[derive(Clone, PartialEq, Eq)]
pub struct UnverifiedAssertion {
    /// `authenticatorData`.
    pub authenticator_data: Vec<u8>,
    /// `clientDataJSON`.
    pub client_data: Vec<u8>,
    /// `signature`.
    pub signature: Vec<u8>,
}

impl fmt::Debug for UnverifiedRegistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnverifiedRegistration({} bytes)", self.attestation.len())
    }
}

impl fmt::Debug for UnverifiedAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnverifiedAssertion({} bytes)", self.authenticator_data.len())
    }
}

/// A passkey that was made for us just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// By what the authenticator knows it.
    pub credential: Vec<u8>,
    /// Its public half.
    pub key: PublicKey,
    /// What the authenticator says of it.
    pub flags: Flags,
    /// The authenticator's model, as it says; nobody vouches for that.
    pub aaguid: [u8; 16],
}

impl UnverifiedRegistration {
    /// Checks it (section 7.1, for attestation `none`): whatever statement of attestation comes with
    /// it is passed over, because nothing would rest on it.
    ///
    /// # Errors
    /// [`WebauthnError`]: on any doubt.
    pub fn verify(
        &self,
        party: &RelyingParty,
        challenge: &[u8],
    ) -> Result<Registered, WebauthnError> {
        check_size(&[&self.attestation, &self.client_data])?;
        client::check(&self.client_data, Ceremony::Create, party, challenge)?;
        let data = cbor::attested(&self.attestation)?;
        let data = AuthenticatorData::read(data)?;
        data.check(party)?;
        let made = data.made.ok_or(WebauthnError::Malformed("it holds no key"))?;
        Ok(Registered {
            credential: made.credential,
            key: made.key,
            flags: data.flags,
            aaguid: made.aaguid,
        })
    }
}

impl UnverifiedAssertion {
    /// Checks it (section 7.2): that this key's holder, present and verified, answered this challenge
    /// on a page of the party's own origin and in nobody's frame.
    ///
    /// # Errors
    /// [`WebauthnError`]: on any doubt.
    pub fn verify(
        &self,
        party: &RelyingParty,
        challenge: &[u8],
        key: &PublicKey,
    ) -> Result<Flags, WebauthnError> {
        check_size(&[&self.authenticator_data, &self.client_data, &self.signature])?;
        client::check(&self.client_data, Ceremony::Get, party, challenge)?;
        let data = AuthenticatorData::read(&self.authenticator_data)?;
        data.check(party)?;
        if data.made.is_some() {
            return Err(WebauthnError::Malformed("it holds a key"));
        }
        let client_data = Digest::of(&self.client_data);
        let signed = [self.authenticator_data.as_slice(), client_data.as_bytes()].concat();
        key.verify(&signed, &self.signature)?;
        Ok(data.flags)
    }
}

fn check_size(parts: &[&[u8]]) -> Result<(), WebauthnError> {
    match parts.iter().all(|part| part.len() <= MAX_PART) {
        true => Ok(()),
        false => Err(WebauthnError::Malformed("it is too long")),
    }
}
