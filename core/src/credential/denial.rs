//! What a requestable denial hands out: a signed note that exactly this was denied, at this time,
//! and may be asked for until then. It proves a denial and opens nothing; its type is its own, so
//! that nobody can take it for a credential.
//!
//! The claims are those of the AuthZEN Access Request and Approval Profile, draft 1, section
//! "Denial Binding Claims", in its hashed form.

use std::collections::BTreeSet;

use aws_lc_rs::rand::SecureRandom;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::credential::verify::{Form, instant, signed_claims, text};
use crate::credential::{KeyError, KeySet, Rejection, Signer};
use crate::digest::Digest;
use crate::id::EvaluationId;
use crate::time::Timestamp;

const DENIAL: Form = Form { typ: "assent-denial+jwt", fault: "typ is not assent-denial+jwt" };

/// One denied evaluation, as it is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Which evaluation; the token's `jti`.
    pub evaluation: EvaluationId,
    /// When it was denied.
    pub at: Timestamp,
    /// Until when it may be asked for, in whole seconds.
    pub expires_at: Timestamp,
    /// The names of the context's members that were bound.
    pub members: BTreeSet<String>,
    /// The digest of subject, resource, action and those members.
    pub hash: Digest,
}

impl Signer {
    /// Signs a denial for whoever takes requests at `audience`.
    ///
    /// # Errors
    /// [`KeyError::NoRandomness`].
    pub fn sign_denial(
        &self,
        denial: &Denial,
        audience: &str,
        random: &dyn SecureRandom,
    ) -> Result<String, KeyError> {
        let claims = json!({
            "iss": self.issuer(),
            "aud": audience,
            "iat": denial.at.as_seconds(),
            "exp": denial.expires_at.as_seconds(),
            "jti": denial.evaluation.to_string(),
            "evaluation_id": denial.evaluation.to_string(),
            "denial_expires_at": denial.expires_at.to_string(),
            "binding_context_members": denial.members,
            "binding_hash": URL_SAFE_NO_PAD.encode(denial.hash.as_bytes()),
        });
        self.sign(DENIAL.typ, &claims, random)
    }
}

impl Denial {
    /// Reads a denial that `issuer` signed for `audience` and that may be asked for still.
    ///
    /// # Errors
    /// [`Rejection`]: on any doubt.
    pub fn verify(
        token: &str,
        (issuer, audience): (&str, &str),
        keys: &KeySet,
        now: Timestamp,
    ) -> Result<Self, Rejection> {
        let claims = signed_claims(token, &DENIAL, keys)?;
        let (signed_by, meant_for) = (text(&claims, "iss")?, text(&claims, "aud")?);
        if signed_by != issuer {
            return Err(Rejection::Issuer(signed_by));
        }
        if meant_for != audience {
            return Err(Rejection::Audience(meant_for));
        }
        let denial = Self::read(&claims)?;
        if now >= denial.expires_at {
            return Err(Rejection::Expired(denial.expires_at));
        }
        Ok(denial)
    }

    fn read(claims: &Map<String, Value>) -> Result<Self, Rejection> {
        let expires_at = instant(claims, "exp")?;
        if text(claims, "denial_expires_at")? != expires_at.to_string() {
            return Err(Rejection::Claim("denial_expires_at"));
        }
        let hash = URL_SAFE_NO_PAD.decode(text(claims, "binding_hash")?).ok();
        let hash = hash.and_then(|bytes| bytes.try_into().ok()).map(Digest::from_bytes);
        Ok(Self {
            evaluation: text(claims, "jti")?.parse().map_err(|_| Rejection::Claim("jti"))?,
            at: instant(claims, "iat")?,
            expires_at,
            members: members(claims).ok_or(Rejection::Claim("binding_context_members"))?,
            hash: hash.ok_or(Rejection::Claim("binding_hash"))?,
        })
    }
}

fn members(claims: &Map<String, Value>) -> Option<BTreeSet<String>> {
    let names = claims.get("binding_context_members")?.as_array()?;
    names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;

    use super::*;
    use crate::credential::Verifier;
    use crate::credential::{Algorithm, SigningKey};
    use crate::time::Span;

    const ISSUER: &str = "https://assent.example.com";
    const AUDIENCE: &str = "https://assent.example.com/access/v1/requests";

    fn now() -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000)
    }

    fn denial() -> Denial {
        Denial {
            evaluation: EvaluationId::new(now(), [7; 10]),
            at: now(),
            expires_at: now().plus(Span::minutes(10)),
            members: BTreeSet::from(["ticket".to_owned()]),
            hash: Digest::of(b"exactly this"),
        }
    }

    fn signer() -> Signer {
        let pkcs8 = SigningKey::generate(Algorithm::Es256, &SystemRandom::new()).unwrap();
        Signer::new(ISSUER, &pkcs8).unwrap()
    }

    fn keys(signer: &Signer) -> KeySet {
        KeySet::read(&json!({"keys": [signer.jwk()]}))
    }

    #[test]
    fn a_denial_reads_back_until_it_expires() {
        let signer = signer();
        let token = signer.sign_denial(&denial(), AUDIENCE, &SystemRandom::new()).unwrap();
        let read = |at| Denial::verify(&token, (ISSUER, AUDIENCE), &keys(&signer), at);
        assert_eq!(read(now()), Ok(denial()));
        let end = denial().expires_at;
        assert_eq!(read(end), Err(Rejection::Expired(end)));
    }

    #[test]
    fn it_is_for_one_audience_of_one_issuer_with_one_key() {
        let signer = signer();
        let token = signer.sign_denial(&denial(), AUDIENCE, &SystemRandom::new()).unwrap();
        let read = |who, keys: &KeySet| Denial::verify(&token, who, keys, now()).unwrap_err();
        let elsewhere = read((ISSUER, "https://other.example.com"), &keys(&signer));
        assert_eq!(elsewhere, Rejection::Audience(AUDIENCE.to_owned()));
        let other = read(("https://other.example.com", AUDIENCE), &keys(&signer));
        assert_eq!(other, Rejection::Issuer(ISSUER.to_owned()));
        let strange = read((ISSUER, AUDIENCE), &keys(&self::signer()));
        assert_eq!(strange, Rejection::UnknownKey);
        for at in [0, token.len() / 2, token.len() - 1] {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            let read = Denial::verify(&changed, (ISSUER, AUDIENCE), &keys(&signer), now());
            assert!(read.is_err(), "changed at {at}");
        }
    }

    #[test]
    fn a_denial_is_never_a_credential_nor_a_credential_a_denial() {
        let signer = signer();
        let random = SystemRandom::new();
        let token = signer.sign_denial(&denial(), AUDIENCE, &random).unwrap();
        let taken = Verifier::of_own(ISSUER).verify(&token, &keys(&signer), now());
        assert_eq!(taken, Err(Rejection::Header("typ is not at+jwt")));
        let claims = signed_claims(&token, &DENIAL, &keys(&signer)).unwrap();
        let credential = signer.sign("at+jwt", &Value::Object(claims), &random).unwrap();
        let taken = Denial::verify(&credential, (ISSUER, AUDIENCE), &keys(&signer), now());
        assert_eq!(taken, Err(Rejection::Header("typ is not assent-denial+jwt")));
    }

    #[test]
    fn claims_that_are_missing_or_of_another_type_are_refused() {
        let signer = signer();
        let token = signer.sign_denial(&denial(), AUDIENCE, &SystemRandom::new()).unwrap();
        let claims = signed_claims(&token, &DENIAL, &keys(&signer)).unwrap();
        for name in claims.keys().filter(|name| *name != "evaluation_id") {
            for wrong in [None, Some(json!(null)), Some(json!(["x", 1])), Some(json!("x"))] {
                let mut other = claims.clone();
                match wrong {
                    Some(wrong) => drop(other.insert(name.clone(), wrong)),
                    None => drop(other.remove(name)),
                }
                let random = SystemRandom::new();
                let token = signer.sign(DENIAL.typ, &Value::Object(other), &random).unwrap();
                let read = Denial::verify(&token, (ISSUER, AUDIENCE), &keys(&signer), now());
                assert!(read.is_err(), "{name}");
            }
        }
    }
}
