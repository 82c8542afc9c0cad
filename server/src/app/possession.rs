//! Proofs of possession that callers send (RFC 9449): which key a credential is to be bound to, and
//! whether whoever presents a bound one has its key.

use assent_core::credential::dpop::{
    self, Bound, Nonces, ProofError, Proofs, Replays, Sent, Shown,
};
use assent_core::credential::{Claims, Secret, dpop::Thumbprint};
use assent_core::digest::Digest;
use assent_core::request::RedeemError;
use assent_core::time::Span;
use assent_core::wire;

use crate::app::{AppError, Authority, Caller, Wish};
use crate::chance::{Chance, NoChance};

/// How many proofs are remembered within three minutes: some 550 mints a second.
const ROOM: usize = 100_000;
/// How many of them are one principal's: some 27 a second.
const SHARE: usize = 5_000;
/// How often there is another nonce.
const ANOTHER_NONCE: Span = Span::minutes(5);

/// What is held against the proofs of this process. It can be lost: its nonces go with it, and with
/// them every proof from before.
pub(super) fn proofs(chance: &Chance) -> Result<Proofs, NoChance> {
    let nonces = Nonces::new(&chance.key()?, ANOTHER_NONCE);
    Ok(Proofs::new(Replays::with_room(ROOM).with_share(SHARE)).with_nonces(nonces))
}

impl Authority {
    /// The key that a credential of this request is to be bound to, where a proof of one is sent. The
    /// proof is not used up by this, and nothing of it is remembered.
    ///
    /// # Errors
    /// [`AppError::Proof`]: with the nonce that the next proof must have.
    pub fn shown_key(&self, proof: Option<&str>, id: &str) -> Result<Option<Shown>, AppError> {
        let Some(proof) = proof else { return Ok(None) };
        let proofs = self.proofs.as_ref().map_err(|none| *none)?;
        let uri = format!("{}/v1/requests/{id}/credentials", self.base);
        let sent = Sent { proof, method: "POST", uri: &uri };
        let examined = proofs.examine(&sent, None, self.clock.now());
        examined.map(Some).map_err(|error| self.not_proven(error))
    }

    /// Uses up a proof, for a caller who may have what it is for. Before that is known, whoever is let
    /// in at all could fill the memory with proofs for nothing.
    ///
    /// # Errors
    /// [`AppError::Proof`].
    pub(super) fn use_up(&self, caller: &Caller, shown: Option<&Shown>) -> Result<(), AppError> {
        let Some(shown) = shown else { return Ok(()) };
        let proofs = self.proofs.as_ref().map_err(|none| *none)?;
        let who = &caller.principal().id;
        let whose = Digest::of_parts(&[who.iss().as_bytes(), b"\0", who.sub().as_bytes()]);
        let used = proofs.take(shown, whose, self.clock.now());
        used.map_err(|error| self.not_proven(error))
    }

    fn not_proven(&self, error: ProofError) -> AppError {
        AppError::Proof { error, nonce: self.proof_nonce() }
    }

    /// The nonce that a proof of now must have.
    pub fn proof_nonce(&self) -> Option<String> {
        self.proofs.as_ref().ok()?.nonce(self.clock.now())
    }

    /// That whoever showed this token to a service has the key that it is bound to. The service passes
    /// on what it was shown; a token that is bound to no key needs nothing. It is redeemed once, so
    /// its proof need not be remembered; and the nonce in it is the service's.
    pub(super) fn check_passed_on(
        &self,
        (token, claims): (&Secret, &Claims),
        passed_on: Option<&wire::PassedOn>,
    ) -> Result<(), AppError> {
        let refused = |error| AppError::Redeem(RedeemError::Proof(error));
        let Some(key) = claims.confirmation else { return Ok(()) };
        let shown = passed_on.ok_or(AppError::Redeem(RedeemError::NoProof))?;
        let sent = Sent { proof: &shown.proof, method: &shown.method, uri: &shown.uri };
        let bound = Bound { token: token.expose(), key };
        dpop::check_once(&sent, Some(bound), self.clock.now()).map(drop).map_err(refused)
    }
}

impl Wish {
    /// The same wish with this key shown: one without it, or with another, is another wish.
    #[must_use]
    pub fn bound_to(self, key: Option<Thumbprint>) -> Self {
        let Some(key) = key else { return self };
        let key = key.digest().as_bytes();
        Self { asked: Digest::of_parts(&[self.asked.as_bytes(), key]), ..self }
    }
}

/// What OAuth calls it (RFC 9449 sections 5 and 8); where it is the memory that has no room, nothing is
/// wrong with the proof, and OAuth has no word for it.
pub(crate) fn code(error: &ProofError) -> &'static str {
    match error {
        ProofError::Nonce => "use_dpop_nonce",
        ProofError::Full => "too_many_proofs",
        ProofError::Malformed(_)
        | ProofError::Header(_)
        | ProofError::Signature
        | ProofError::Claim(_)
        | ProofError::Method(_)
        | ProofError::Uri
        | ProofError::Token
        | ProofError::Key
        | ProofError::Old(_)
        | ProofError::TooEarly(_)
        | ProofError::Replayed => "invalid_dpop_proof",
    }
}

#[cfg(test)]
mod tests {
    use assent_core::credential::dpop::Holder;
    use assent_core::credential::{Algorithm, SigningKey};
    use assent_core::time::Timestamp;
    use aws_lc_rs::rand::SystemRandom;

    use super::*;

    #[test]
    fn t68_one_principal_fills_no_more_than_their_share_of_the_memory() {
        let (random, now) = (SystemRandom::new(), Timestamp::from_millis(1_795_210_286_000));
        let proofs = proofs(&Chance::default()).unwrap();
        let nonce = proofs.nonce(now).unwrap();
        let holder =
            Holder::new(&SigningKey::generate(Algorithm::Es256, &random).unwrap()).unwrap();
        let call = ("POST", "https://assent.example.com/v1/requests/x/credentials");
        let used = |whose: &str| {
            let proof = holder.proof(call, None, Some(&nonce), now, &random).unwrap();
            let sent = Sent { proof: &proof, method: call.0, uri: call.1 };
            let shown = proofs.examine(&sent, None, now).unwrap();
            proofs.take(&shown, Digest::of(whose.as_bytes()), now)
        };
        assert!((0..SHARE).all(|_| used("mallory").is_ok()));
        assert_eq!(used("mallory"), Err(ProofError::Full));
        assert_eq!(code(&ProofError::Full), "too_many_proofs");
        used("alice").unwrap();
    }
}
