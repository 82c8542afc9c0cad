//! Sets of public keys, as issuers publish them and as trusts hold them.
#![no_main]

use assent_core::canonical;
use assent_core::token::PublicKeys;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(set) = canonical::parse(bytes) {
        let keys = PublicKeys::read(&set);
        let _ = (keys.is_empty(), keys.has("first"));
    }
});
