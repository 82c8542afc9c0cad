//! Tokens of foreign issuers: as bytes, and as a header and claims that are put together well. None is
//! believed, because nobody here has the key.
#![no_main]

use std::sync::LazyLock;

use assent_core::time::Timestamp;
use assent_core::token::{PublicKeys, UnverifiedToken};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

static KEYS: LazyLock<PublicKeys> = LazyLock::new(|| {
    let text = include_str!("../seeds/jwks/public.json");
    PublicKeys::read(&serde_json::from_str(text).unwrap_or_default())
});

fn never_believed(text: &str) {
    if let Ok(token) = UnverifiedToken::read(text) {
        let now = Timestamp::from_millis(1_800_000_000_000);
        assert!(token.verify(&KEYS, now).is_err(), "{text}");
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        never_believed(text);
    }
    let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
    if let (Some(header), Some(claims), Some(signature)) =
        (parts.next(), parts.next(), parts.next())
    {
        let encoded = [header, claims, signature].map(|part| URL_SAFE_NO_PAD.encode(part));
        never_believed(&encoded.join("."));
    }
});
