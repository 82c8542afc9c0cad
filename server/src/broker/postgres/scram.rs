//! The SCRAM-SHA-256 verifier of a password, as PostgreSQL stores it (`src/common/scram-common.c`;
//! RFC 5802 section 3, RFC 7677). Sent instead of the password, so that no log can hold that.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// PostgreSQL's own number (`SCRAM_SHA_256_DEFAULT_ITERATIONS`). The password has 256 bits of
/// chance, so nobody guesses it however few there are.
const ITERATIONS: NonZeroU32 = match NonZeroU32::new(4096) {
    Some(iterations) => iterations,
    None => NonZeroU32::MIN,
};

/// The verifier of an ASCII password: SASLprep leaves such a one as it is.
pub(super) fn verifier(password: &str, salt: &[u8; 16]) -> String {
    let mut salted = Zeroizing::new([0; digest::SHA256_OUTPUT_LEN]);
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, ITERATIONS, salt, password.as_bytes(), &mut *salted);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &*salted);
    let client = hmac::sign(&key, b"Client Key");
    let stored = digest::digest(&digest::SHA256, client.as_ref());
    let server = hmac::sign(&key, b"Server Key");
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let (salt, stored, server) = (base64(salt), base64(stored.as_ref()), base64(server.as_ref()));
    format!("SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677 section 3: what it proves, it proves by the keys that are stored.
    #[test]
    fn the_verifier_is_the_one_of_the_rfcs_example() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().try_into().unwrap();
        let made = verifier("pencil", &salt);
        let (head, keys) = made.rsplit_once('$').unwrap();
        assert_eq!(head, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==");
        let (stored, server) = keys.split_once(':').unwrap();
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let message = format!(
            "n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
             c=biws,r={nonce}"
        );
        let signed = |key: &str| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key).unwrap());
            hmac::sign(&key, message.as_bytes())
        };
        let server = STANDARD.encode(signed(server).as_ref());
        assert_eq!(server, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        // The proof is the client's key under its signature; the digest of that key is stored.
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let both = proof.iter().zip(signed(stored).as_ref().to_vec());
        let client: Vec<u8> = both.map(|(proof, signature)| proof ^ signature).collect();
        let digest = digest::digest(&digest::SHA256, &client);
        assert_eq!(STANDARD.encode(digest.as_ref()), stored);
    }
}
