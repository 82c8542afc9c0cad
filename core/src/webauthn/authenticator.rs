//! Authenticator data: what the authenticator says (WebAuthn section 6.1).

use crate::digest::Digest;
use crate::webauthn::cbor::Reader;
use crate::webauthn::{PublicKey, RelyingParty, WebauthnError};

/// The longest name that an authenticator gives a credential (section 4), in bytes.
pub const MAX_CREDENTIAL_ID: usize = 1023;

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const KEY_INCLUDED: u8 = 1 << 6;
const EXTENDED: u8 = 1 << 7;

/// What an authenticator says of itself and of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// Whether the key can never leave its device: it is not even eligible for backup.
    pub fn is_device_bound(self) -> bool {
        !self.has(BACKUP_ELIGIBLE)
    }

    /// Whether it is kept elsewhere too at this moment.
    pub fn is_backed_up(self) -> bool {
        self.has(BACKED_UP)
    }
}

#[derive(Debug)]
pub(super) struct AuthenticatorData {
    party: [u8; 32],
    pub(super) flags: Flags,
    pub(super) made: Option<Made>,
}

/// A credential, where one was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) aaguid: [u8; 16],
    pub(super) credential: Vec<u8>,
    pub(super) key: PublicKey,
}

impl AuthenticatorData {
    /// Reads all of it: nothing may be left over.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, WebauthnError> {
        let short = WebauthnError::Malformed("the authenticator data is too short");
        let mut reader = Reader::new(bytes);
        let mut taken = |count| reader.take(count).map_err(|_| short.clone());
        let party = taken(32)?.try_into().map_err(|_| short.clone())?;
        let &[flags] = taken(1)? else { return Err(short) };
        let (flags, _counter) = (Flags(flags), taken(4)?);
        let made = if flags.has(KEY_INCLUDED) { Some(Made::read(&mut reader)?) } else { None };
        if flags.has(EXTENDED) {
            let mut ahead = reader.clone();
            ahead.map()?;
            reader.item()?;
        }
        if !reader.rest().is_empty() {
            return Err(WebauthnError::Malformed("something follows the authenticator data"));
        }
        Ok(Self { party, flags, made })
    }

    /// That it is for this party, and that somebody was there who was verified (section 7.2, steps 14
    /// to 18).
    pub(super) fn check(&self, party: &RelyingParty) -> Result<(), WebauthnError> {
        if self.party != *Digest::of(party.id().as_bytes()).as_bytes() {
            return Err(WebauthnError::RelyingParty);
        }
        if !self.flags.has(USER_PRESENT) {
            return Err(WebauthnError::NotPresent);
        }
        if !self.flags.has(USER_VERIFIED) {
            return Err(WebauthnError::NotVerified);
        }
        match self.flags.is_backed_up() && self.flags.is_device_bound() {
            true => Err(WebauthnError::Malformed("backed up, and not eligible for it")),
            false => Ok(()),
        }
    }
}

impl Made {
    fn read(reader: &mut Reader<'_>) -> Result<Self, WebauthnError> {
        let short = || WebauthnError::Malformed("the credential is cut short");
        let aaguid = reader.take(16)?.try_into().map_err(|_| short())?;
        let &[high, low] = reader.take(2)? else { return Err(short()) };
        let size = usize::from(u16::from_be_bytes([high, low]));
        if !(1..=MAX_CREDENTIAL_ID).contains(&size) {
            return Err(WebauthnError::Malformed("the credential's id is empty or too long"));
        }
        let credential = reader.take(size)?.to_vec();
        let before = reader.rest();
        reader.item()?;
        let size = before.len() - reader.rest().len();
        let key = PublicKey::read(before.get(..size).ok_or_else(short)?)?;
        Ok(Self { aaguid, credential, key })
    }
}
