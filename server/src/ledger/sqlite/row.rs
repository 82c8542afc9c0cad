//! Domain values as columns, and back.

use std::collections::BTreeSet;
use std::net::IpAddr;

use assent_core::access::{Access, Device, Label, Origin, Purpose};
use assent_core::credential::ring::{self, Ended, Key, KeyCall};
use assent_core::digest::Digest;
use assent_core::principal::PrincipalId;
use assent_core::sign_in::Login;
use assent_core::time::Timestamp;
use assent_core::wire;
use serde::{Deserialize, Serialize};

use crate::ledger::LedgerError;

pub(super) fn corrupt(problem: impl std::fmt::Display) -> LedgerError {
    LedgerError::Corrupt(problem.to_string())
}

/// A requester as a key: a digest, so that the length of a subject does not matter.
pub(super) fn requester_key(id: &PrincipalId) -> Vec<u8> {
    let digest = Digest::of_parts(&[id.iss().as_bytes(), b"\0", id.sub().as_bytes()]);
    digest.as_bytes().iter().copied().take(16).collect()
}

pub(super) fn digest(bytes: &[u8]) -> Result<Digest, LedgerError> {
    let bytes = bytes.try_into().map_err(|_| corrupt("a digest that is not 32 bytes"))?;
    Ok(Digest::from_bytes(bytes))
}

pub(super) fn id_bytes(bytes: &[u8]) -> Result<[u8; 16], LedgerError> {
    bytes.try_into().map_err(|_| corrupt("an id that is not 16 bytes"))
}

/// An access token's record as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredAccess {
    id: String,
    principal: wire::Principal,
    administrator: bool,
    session: bool,
    #[serde(default)]
    parent: Option<String>,
    fingerprint: String,
    created_at: String,
    expires_at: String,
    revoked_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<StoredOrigin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<StoredDevice>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login: Option<StoredLogin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<StoredLabel>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredLogin {
    provider: String,
    at: Option<String>,
    acr: Option<String>,
    amr: BTreeSet<String>,
    sid: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredLabel {
    name: String,
    from: Option<String>,
}

impl From<&Login> for StoredLogin {
    fn from(login: &Login) -> Self {
        let Login { provider, at, acr, amr, sid } = login.clone();
        Self { provider, at: at.map(|at| at.to_string()), acr, amr, sid }
    }
}

impl TryFrom<StoredLogin> for Login {
    type Error = LedgerError;

    fn try_from(stored: StoredLogin) -> Result<Self, LedgerError> {
        let StoredLogin { provider, at, acr, amr, sid } = stored;
        let at = at.map(|at| at.parse()).transpose().map_err(corrupt)?;
        Ok(Self { provider, at, acr, amr, sid })
    }
}

impl From<&Label> for StoredLabel {
    fn from(label: &Label) -> Self {
        Self { name: label.name.clone(), from: label.from.map(|ip| ip.to_string()) }
    }
}

impl TryFrom<StoredLabel> for Label {
    type Error = LedgerError;

    fn try_from(stored: StoredLabel) -> Result<Self, LedgerError> {
        let from = stored.from.map(|ip| ip.parse()).transpose().map_err(corrupt)?;
        Ok(Self { name: stored.name, from })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredDevice {
    asked_from: Option<String>,
    approved_from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
}

impl From<&Device> for StoredDevice {
    fn from(device: &Device) -> Self {
        let Device { asked_from, approved_from, session } = device;
        let text = |ip: &Option<IpAddr>| ip.map(|ip| ip.to_string());
        Self {
            asked_from: text(asked_from),
            approved_from: text(approved_from),
            session: session.map(|id| id.to_string()),
        }
    }
}

impl TryFrom<StoredDevice> for Device {
    type Error = LedgerError;

    fn try_from(stored: StoredDevice) -> Result<Self, LedgerError> {
        let read = |text: Option<String>| text.map(|ip| ip.parse()).transpose().map_err(corrupt);
        Ok(Self {
            asked_from: read(stored.asked_from)?,
            approved_from: read(stored.approved_from)?,
            session: stored.session.map(|id| id.parse()).transpose().map_err(corrupt)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredOrigin {
    trust: String,
    digest: String,
    subject: String,
    mark: String,
}

impl From<&Origin> for StoredOrigin {
    fn from(origin: &Origin) -> Self {
        let Origin { trust, digest, subject, mark } = origin;
        let (trust, subject) = (trust.clone(), subject.clone());
        Self { trust, digest: digest.to_string(), subject, mark: mark.to_string() }
    }
}

impl TryFrom<StoredOrigin> for Origin {
    type Error = LedgerError;

    fn try_from(stored: StoredOrigin) -> Result<Self, LedgerError> {
        let StoredOrigin { trust, digest, subject, mark } = stored;
        let digest = digest.parse().map_err(corrupt)?;
        Ok(Self { trust, digest, subject, mark: mark.parse().map_err(corrupt)? })
    }
}

impl From<&Access> for StoredAccess {
    fn from(access: &Access) -> Self {
        Self {
            id: access.id.to_string(),
            principal: (&access.principal).into(),
            administrator: access.administrator,
            session: access.purpose == Purpose::Session,
            parent: access.parent.map(|id| id.to_string()),
            fingerprint: access.fingerprint.to_string(),
            created_at: access.created_at.to_string(),
            expires_at: access.expires_at.to_string(),
            revoked_at: access.revoked_at.map(|at| at.to_string()),
            origin: access.origin.as_ref().map(StoredOrigin::from),
            device: access.device.as_ref().map(StoredDevice::from),
            login: access.login.as_ref().map(StoredLogin::from),
            scope: access.scope.map(|scope| scope.word().to_owned()),
            label: access.label.as_ref().map(StoredLabel::from),
        }
    }
}

impl TryFrom<StoredAccess> for Access {
    type Error = LedgerError;

    fn try_from(stored: StoredAccess) -> Result<Self, LedgerError> {
        let time = |text: &str| text.parse::<Timestamp>().map_err(corrupt);
        Ok(Self {
            id: stored.id.parse().map_err(corrupt)?,
            principal: stored.principal.try_into().map_err(corrupt)?,
            administrator: stored.administrator,
            purpose: if stored.session { Purpose::Session } else { Purpose::Token },
            parent: stored.parent.map(|id| id.parse()).transpose().map_err(corrupt)?,
            fingerprint: stored.fingerprint.parse().map_err(corrupt)?,
            created_at: time(&stored.created_at)?,
            expires_at: time(&stored.expires_at)?,
            revoked_at: stored.revoked_at.as_deref().map(time).transpose()?,
            origin: stored.origin.map(Origin::try_from).transpose()?,
            device: stored.device.map(Device::try_from).transpose()?,
            login: stored.login.map(Login::try_from).transpose()?,
            scope: stored.scope.map(|word| word.parse()).transpose().map_err(corrupt)?,
            label: stored.label.map(Label::try_from).transpose()?,
        })
    }
}

/// A signing key's record as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredKey {
    id: String,
    algorithm: String,
    jwk: serde_json::Value,
    origin: String,
    made_at: String,
    signs_from: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activated_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    superseded_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<StoredCall>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCall {
    key: String,
    asked: String,
}

impl From<&Key> for StoredKey {
    fn from(key: &Key) -> Self {
        let told = |at: &Timestamp| at.to_string();
        let call = |call: &KeyCall| StoredCall {
            key: call.key.to_string(),
            asked: call.asked.to_string(),
        };
        Self {
            id: key.id.to_string(),
            algorithm: key.algorithm.to_string(),
            jwk: key.jwk.clone(),
            origin: key.origin.word().to_owned(),
            made_at: key.made_at.to_string(),
            signs_from: key.signs_from.to_string(),
            activated_at: key.activated_at.as_ref().map(told),
            superseded_at: key.superseded_at.as_ref().map(told),
            ended_at: key.ended.as_ref().map(|ended| told(&ended.at)),
            revoked: key.ended.as_ref().and_then(|ended| ended.revoked.clone()),
            call: key.call.as_ref().map(call),
        }
    }
}

impl TryFrom<StoredKey> for Key {
    type Error = LedgerError;

    fn try_from(stored: StoredKey) -> Result<Self, LedgerError> {
        let time = |text: &str| text.parse::<Timestamp>().map_err(corrupt);
        let maybe = |text: Option<String>| text.as_deref().map(time).transpose();
        let origin = ring::Origin::of_word(&stored.origin);
        let call = |call: StoredCall| -> Result<KeyCall, LedgerError> {
            let key = call.key.parse().map_err(corrupt)?;
            Ok(KeyCall { key, asked: call.asked.parse().map_err(corrupt)? })
        };
        let revoked = stored.revoked;
        Ok(Self {
            id: stored.id.parse().map_err(corrupt)?,
            algorithm: stored.algorithm.parse().map_err(corrupt)?,
            jwk: stored.jwk,
            origin: origin.ok_or_else(|| corrupt("a signing key of no known origin"))?,
            made_at: time(&stored.made_at)?,
            signs_from: time(&stored.signs_from)?,
            activated_at: maybe(stored.activated_at)?,
            superseded_at: maybe(stored.superseded_at)?,
            ended: maybe(stored.ended_at)?.map(|at| Ended { at, revoked }),
            call: stored.call.map(call).transpose()?,
        })
    }
}
