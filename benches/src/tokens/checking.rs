//! What checking a credential costs a service that does it by itself, beside what the cryptography
//! alone costs.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use assent_core::credential::dpop::{Nonces, Proofs, Replays, Sent};
use assent_core::credential::{KeySet, Verifier};
use assent_core::time::Span;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    ParsedPublicKey,
};

use super::world::{AUDIENCE, World};
use crate::Effort;
use crate::report::{self, Spread, thousands};

const CALL: (&str, &str) = ("POST", "https://shop.example.com/deploy/api");

/// Everything on one core, one after the other.
pub(super) fn run(world: &World, effort: Effort) -> Result<()> {
    report::heading(
        "A credential, checked offline; the cryptography alone: p50 / p99, on one core",
    );
    let times = (effort.decisions / 10).max(100);
    let token = world.minted("service.read")?.token;
    let keys = KeySet::read(&world.jwks()?);
    let verifier = Verifier::new(&world.host.url, AUDIENCE);
    let mut rows = floor(token.as_bytes(), times)?;
    let now = world.now();
    let mut row = |what: &str, took: Vec<f64>| -> Result<()> {
        rows.push(of(what, took)?);
        Ok(())
    };
    row("a credential", timed(times, |_| verifier.verify(&token, &keys, now).is_ok())?)?;
    let (holder, bound) = world.bound("service.read")?;
    let random = SystemRandom::new();
    let proofs = Proofs::new(Replays::with_room(2 * times));
    let proofs = proofs.with_nonces(Nonces::new(&[7; 32], Span::minutes(5)));
    let nonce = proofs.nonce(now).context("no nonce")?;
    let made = (0..times).map(|_| holder.proof(CALL, Some(&bound), Some(&nonce), now, &random));
    let made: Vec<String> = made.collect::<Result<_, _>>()?;
    let check = |at: usize| {
        let Some(proof) = made.get(at) else { return false };
        let sent = Sent { proof, method: CALL.0, uri: CALL.1 };
        verifier.verify_bound((&bound, &sent), &keys, &proofs, now).is_ok()
    };
    row("a credential and its proof (DPoP): two signatures", timed(times, check)?)?;
    let make = |_| holder.proof(CALL, Some(&bound), Some(&nonce), now, &random).is_ok();
    row("making a proof", timed(times, make)?)?;
    report::table(&["what", "each second", "p50 / p99"], &rows);
    Ok(())
}

/// One signature on P-256, made and checked by the library and nothing else.
fn floor(message: &[u8], times: usize) -> Result<Vec<Vec<String>>> {
    let (random, scheme) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
    let gone = |_| anyhow!("no key to be had");
    let document = EcdsaKeyPair::generate_pkcs8(scheme, &random).map_err(gone)?;
    let pair = EcdsaKeyPair::from_pkcs8(scheme, document.as_ref())?;
    let signature = pair.sign(&random, message).map_err(gone)?;
    let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref())?;
    let sign = timed(times, |_| pair.sign(&random, black_box(message)).is_ok())?;
    let verify = timed(times, |_| key.verify_sig(black_box(message), signature.as_ref()).is_ok())?;
    Ok(vec![of("floor: sign, ES256", sign)?, of("floor: verify, ES256", verify)?])
}

/// How long each took, in seconds; all must be well.
fn timed(times: usize, each: impl Fn(usize) -> bool) -> Result<Vec<f64>> {
    let mut took = Vec::with_capacity(times);
    for at in 0..times {
        let begun = Instant::now();
        let is_well = each(at);
        took.push(begun.elapsed().as_secs_f64());
        anyhow::ensure!(is_well, "what should pass does not");
    }
    Ok(took)
}

fn of(what: &str, took: Vec<f64>) -> Result<Vec<String>> {
    let per_second = took.len() as f64 / took.iter().sum::<f64>();
    let spread = Spread::of(took)?;
    Ok(vec![what.to_owned(), thousands(per_second), format!("{spread:.3}")])
}
