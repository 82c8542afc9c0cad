//! By what a key is known: the digest of its public part.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::canonical;
use crate::digest::Digest;

/// A key's SHA-256 thumbprint (RFC 7638), written base64url: the `jkt` of a confirmation (RFC 9449
/// section 6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint(Digest);

/// The text is no thumbprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a key's thumbprint: that is 43 characters of base64url")]
pub struct NotAThumbprint;

impl Thumbprint {
    /// Of a public key: the digest of what it must have, in lexicographic order (RFC 7638 section 3.2,
    /// RFC 8037 section 2). `None` for a key of another kind.
    pub fn of_jwk(jwk: &Value) -> Option<Self> {
        let kind = jwk.get("kty")?.as_str()?;
        let names: &[&str] = match kind {
            "EC" => &["crv", "kty", "x", "y"],
            "OKP" => &["crv", "kty", "x"],
            "RSA" => &["e", "kty", "n"],
            _ => return None,
        };
        let member = |name: &&str| Some(((*name).to_owned(), jwk.get(*name)?.clone()));
        let members: Map<String, Value> = names.iter().map(member).collect::<Option<_>>()?;
        members
            .values()
            .all(Value::is_string)
            .then(|| Self(canonical::digest(&Value::Object(members))))
    }

    /// The digest itself.
    pub fn digest(&self) -> &Digest {
        &self.0
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Thumbprint {
    type Err = NotAThumbprint;

    fn from_str(text: &str) -> Result<Self, NotAThumbprint> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotAThumbprint)?;
        let bytes = bytes.try_into().map_err(|_| NotAThumbprint)?;
        Ok(Self(Digest::from_bytes(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The key of RFC 7638 section 3.1, and that of RFC 8037 appendix A.3.
    #[test]
    fn the_thumbprints_of_the_rfcs() {
        let rsa = json!({
            "kty": "RSA", "alg": "RS256", "kid": "2011-04-29", "e": "AQAB",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_\
                  BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_\
                  FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI\
                  4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        });
        let printed = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert_eq!(Thumbprint::of_jwk(&rsa).unwrap().to_string(), printed);
        assert_eq!(printed.parse(), Ok(Thumbprint::of_jwk(&rsa).unwrap()));
        let ed = json!({
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        let printed = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
        assert_eq!(Thumbprint::of_jwk(&ed).unwrap().to_string(), printed);
        for other in [json!({"kty": "oct", "k": "AA"}), json!({"kty": "EC", "crv": "P-256"})] {
            assert_eq!(Thumbprint::of_jwk(&other), None, "{other}");
        }
        for text in ["", "NzbL", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs=", "x!"] {
            assert_eq!(text.parse::<Thumbprint>(), Err(NotAThumbprint), "{text}");
        }
    }
}
