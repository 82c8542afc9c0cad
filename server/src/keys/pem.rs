//! A private key as people have it: PKCS #8 in PEM (RFC 7468 section 10).

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use zeroize::{Zeroize as _, Zeroizing};

/// The text is no PKCS #8 private key. It is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected one private key as PKCS #8 in PEM, beginning with `-----BEGIN PRIVATE KEY-----` and not \
     encrypted; `openssl pkcs8 -topk8 -nocrypt` makes it of other forms"
)]
pub struct NotPkcs8;

/// The key that this text holds.
///
/// # Errors
/// [`NotPkcs8`].
pub fn read(text: &str) -> Result<Zeroizing<Vec<u8>>, NotPkcs8> {
    let mut key = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| NotPkcs8)?;
    let pkcs8 = Zeroizing::new(key.secret_pkcs8_der().to_vec());
    key.zeroize();
    Ok(pkcs8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_is_read_and_nothing_is_repeated() {
        let text = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n";
        assert_eq!(read(text).unwrap().as_slice(), b"canary");
        for other in [
            "",
            "canary",
            &text.replace("PRIVATE", "RSA PRIVATE"),
            &text.replace("PRIVATE", "EC PRIVATE"),
            &text.replace("PRIVATE", "ENCRYPTED PRIVATE"),
            &text.replace("PRIVATE", "PUBLIC"),
            &text.replace("Y2FuYXJ5", "not base64 !"),
            text.split("-----END").next().unwrap(),
        ] {
            let refused = read(other).unwrap_err();
            assert!(!refused.to_string().contains("anary"), "{other}");
        }
    }
}
