//! Tokens that are bound to a key: what they say of it, and checking them with a proof of it.

use serde_json::{Map, Value};

use crate::credential::dpop::{Bound, Proofs, Sent, Thumbprint};
use crate::credential::{Claims, KeySet, Rejection, Verifier};
use crate::time::Timestamp;

impl Verifier {
    /// Checks a token that is bound to a key, with the proof that came with it (RFC 9449 section 7.1):
    /// what was sent as `Authorization: DPoP` with a `DPoP` header beside it.
    ///
    /// # Errors
    /// [`Rejection`]: on any doubt; [`Rejection::Unbound`] for a token that is bound to no key.
    pub fn verify_bound(
        &self,
        (token, sent): (&str, &Sent<'_>),
        keys: &KeySet,
        proofs: &Proofs,
        now: Timestamp,
    ) -> Result<Claims, Rejection> {
        let claims = self.examine(token, keys, now)?;
        let key = claims.confirmation.ok_or(Rejection::Unbound)?;
        proofs.check(sent, Some(Bound { token, key }), now)?;
        Ok(claims)
    }
}

/// The key that a token is bound to. A confirmation that is not understood is not passed over: what
/// it demands is not known (RFC 7800 section 3.1).
pub(super) fn confirmation(claims: &Map<String, Value>) -> Result<Option<Thumbprint>, Rejection> {
    let Some(confirmation) = claims.get("cnf") else { return Ok(None) };
    let fault = || Rejection::Claim("cnf");
    let members = confirmation.as_object().filter(|members| members.len() == 1);
    let key = members.and_then(|members| members.get("jkt")?.as_str()).ok_or_else(fault)?;
    key.parse().map(Some).map_err(|_| fault())
}
