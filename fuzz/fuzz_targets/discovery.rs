//! Metadata of issuers: wherever it says that the keys are, that is on the issuer's own origin.
#![no_main]

use assent_core::canonical;

#[path = "../../server/src/issuers/discovery.rs"]
mod discovery;

const ISSUER: &str = "https://issuer.example.com";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = discovery::metadata_at(text);
    }
    let Ok(metadata) = canonical::parse(bytes) else { return };
    if let Ok(url) = discovery::keys_at(ISSUER, &metadata) {
        assert_eq!((url.scheme(), url.host_str()), ("https", Some("issuer.example.com")), "{url}");
        assert_eq!(url.port_or_known_default(), Some(443), "{url}");
    }
});
