//! The trusts of a policy document, and the documents around them.
#![no_main]

use assent_core::policy::Policy;
use assent_core::policy::document::PolicyDocument;

const HEAD: &str = "apiVersion: assent/v1\nkind: Policy\ntrusts:\n";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for text in [text.to_owned(), format!("{HEAD}{text}")] {
        let document = PolicyDocument { file: "fuzz.yaml".to_owned(), text };
        if let Ok(policy) = Policy::compile(&[document]) {
            for trust in policy.trusts() {
                assert!(!trust.issuer().is_empty() && !trust.audience().is_empty());
                let _ = (trust.digest(), trust.concerns());
            }
        }
    }
});
