//! Our verifier of passkeys beside webauthn-rs: over what Chromium really signs, and over keys of every
//! algorithm, both say the same.

use assent_core::digest::Digest;
use assent_core::webauthn::{PublicKey, RelyingParty, UnverifiedAssertion, UnverifiedRegistration};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::Url;
use webauthn_rs_core::WebauthnCore;
use webauthn_rs_core::proto::{COSEAlgorithm, Credential, UserVerificationPolicy};

use crate::browser::sign_in;
use crate::support::passkey::{DEVICE_BOUND, SYNCED, Soft};
use crate::support::{Chromium, Screen, Server, Setup};

const ORIGIN: &str = "https://assent.example.com";
const PARTY: &str = "assent.example.com";

/// A passkey that was made: what the browser handed over.
struct Made {
    id: Vec<u8>,
    attestation: Vec<u8>,
    client_data: Vec<u8>,
}

/// webauthn-rs, over challenges that we choose.
struct Reference {
    core: WebauthnCore,
    party: RelyingParty,
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Reference {
    fn of(origin: &str) -> Self {
        let party = RelyingParty::of(origin).unwrap();
        let origins = vec![Url::parse(origin).unwrap()];
        let patience = std::time::Duration::from_secs(60);
        let core = WebauthnCore::new_unsafe_experts_only(
            "Assent",
            party.id(),
            origins,
            patience,
            Some(false),
            Some(false),
        );
        Self { core, party }
    }

    /// The state of a ceremony over this challenge, which it would choose by itself.
    fn over<T: serde::Serialize + serde::de::DeserializeOwned>(state: &T, challenge: &[u8]) -> T {
        let mut state = serde_json::to_value(state).unwrap();
        state["challenge"] = text(challenge).into();
        serde_json::from_value(state).unwrap()
    }

    fn registered(&self, made: &Made, challenge: &[u8]) -> Result<Credential, String> {
        let builder = self.core.new_challenge_register_builder(&[1], "bob", "bob").unwrap();
        let algorithms = vec![COSEAlgorithm::ES256, COSEAlgorithm::EDDSA, COSEAlgorithm::RS256];
        let builder = builder
            .user_verification_policy(UserVerificationPolicy::Required)
            .credential_algorithms(algorithms);
        let (_, state) = self.core.generate_challenge_register(builder).unwrap();
        let sent = json!({
            "id": text(&made.id), "rawId": text(&made.id), "type": "public-key", "extensions": {},
            "response": {
                "attestationObject": text(&made.attestation),
                "clientDataJSON": text(&made.client_data),
            },
        });
        let sent = serde_json::from_value(sent).unwrap();
        let state = Self::over(&state, challenge);
        self.core.register_credential(&sent, &state, None).map_err(|error| format!("{error:?}"))
    }

    fn asserted(
        &self,
        credential: &Credential,
        used: &UnverifiedAssertion,
        challenge: &[u8],
    ) -> Result<(), String> {
        let policy = Some(UserVerificationPolicy::Required);
        let builder =
            self.core.new_challenge_authenticate_builder(vec![credential.clone()], policy).unwrap();
        let (_, state) = self.core.generate_challenge_authenticate(builder).unwrap();
        let id = text(credential.cred_id.as_slice());
        let sent = json!({
            "id": id, "rawId": id, "type": "public-key", "extensions": {},
            "response": {
                "authenticatorData": text(&used.authenticator_data),
                "clientDataJSON": text(&used.client_data),
                "signature": text(&used.signature),
                "userHandle": null,
            },
        });
        let sent = serde_json::from_value(sent).unwrap();
        let state = Self::over(&state, challenge);
        let done = self.core.authenticate_credential(&sent, &state);
        done.map(drop).map_err(|error| format!("{error:?}"))
    }

    /// What both say of a passkey's use: whether it is good. They must agree.
    #[track_caller]
    fn both(
        &self,
        (key, credential): (&PublicKey, &Credential),
        used: &UnverifiedAssertion,
        challenge: &[u8],
    ) -> bool {
        let ours = used.verify(&self.party, challenge, key);
        let theirs = self.asserted(credential, used, challenge);
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{ours:?} and {theirs:?}");
        ours.is_ok()
    }

    /// The same passkey as both took it.
    #[track_caller]
    fn taken(&self, made: &Made, challenge: &[u8]) -> (PublicKey, Credential) {
        let sent = UnverifiedRegistration {
            attestation: made.attestation.clone(),
            client_data: made.client_data.clone(),
        };
        let ours = sent.verify(&self.party, challenge).unwrap();
        let theirs = self.registered(made, challenge).unwrap();
        assert_eq!(ours.credential, made.id);
        assert_eq!(!ours.flags.is_device_bound(), theirs.backup_eligible);
        (ours.key, theirs)
    }
}

fn made(soft: &Soft, party: &str, origin: &str, challenge: &[u8]) -> Made {
    let (attestation, client_data) = soft.register(party, origin, challenge);
    Made { id: soft.credential.clone(), attestation, client_data }
}

fn used(soft: &Soft, party: &str, origin: &str, challenge: &[u8]) -> UnverifiedAssertion {
    let (authenticator_data, client_data, signature) = soft.sign(party, origin, challenge);
    UnverifiedAssertion { authenticator_data, client_data, signature }
}

#[test]
fn keys_that_both_take_are_judged_alike() {
    let reference = Reference::of(ORIGIN);
    let challenge = Digest::of(b"exactly this");
    let challenge = challenge.as_bytes();
    // The other verifier knows no Ed25519; ours is held against flips of those keys by itself.
    for algorithm in [-7, -257] {
        for flags in [DEVICE_BOUND, SYNCED] {
            let mut soft = Soft { flags, ..Soft::new(algorithm) };
            let (key, theirs) = reference.taken(&made(&soft, PARTY, ORIGIN, challenge), challenge);
            let both =
                |used: &UnverifiedAssertion| reference.both((&key, &theirs), used, challenge);
            let good = used(&soft, PARTY, ORIGIN, challenge);
            assert!(both(&good), "{algorithm}");
            let mut bogus = good.clone();
            *bogus.signature.last_mut().unwrap() ^= 1;
            assert!(!both(&bogus));
            assert!(!both(&used(&soft, PARTY, ORIGIN, &[7; 32])));
            assert!(!both(&used(&soft, PARTY, "https://evil.example.com", challenge)));
            assert!(!both(&used(&soft, PARTY, "https://assent.example.com:8443", challenge)));
            assert!(!both(&used(&soft, "example.com", ORIGIN, challenge)));
            for missing in [1, 1 << 2] {
                soft.flags = flags & !missing;
                assert!(!both(&used(&soft, PARTY, ORIGIN, challenge)), "flag {missing}");
            }
            soft.flags = flags;
            // Where ours is stricter: theirs takes what was signed in a frame of somebody else's.
            soft.said = json!({"crossOrigin": true});
            let framed = used(&soft, PARTY, ORIGIN, challenge);
            assert!(framed.verify(&reference.party, challenge, &key).is_err());
            soft.said = json!({"type": "webauthn.create"});
            assert!(!both(&used(&soft, PARTY, ORIGIN, challenge)));
        }
    }
}

const ENCODE: &str = "const enc = b => btoa(String.fromCharCode(...new Uint8Array(b)))\
    .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');\
    const dec = t => Uint8Array.from(atob(t.replaceAll('-', '+').replaceAll('_', '/')), \
    c => c.charCodeAt(0));";

fn decoded(told: &Value, part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(told[part].as_str().unwrap_or_else(|| panic!("{told}"))).unwrap()
}

#[tokio::test]
async fn what_chromium_signs_is_judged_alike() {
    let server = Server::for_browsers(Setup::default()).await;
    let reference = Reference::of(server.base());
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    let authenticator = window.authenticator(true).await;
    sign_in(&window, &server, "bob").await;
    let challenge = Digest::of(b"exactly this");
    let (challenge, sent) = (challenge.as_bytes(), text(challenge.as_bytes()));
    let create = format!(
        "{ENCODE} return navigator.credentials.create({{publicKey: {{rp: {{id: 'localhost', \
         name: 'Assent'}}, user: {{id: new Uint8Array([1]), name: 'bob', displayName: 'bob'}}, \
         challenge: dec('{sent}'), pubKeyCredParams: [{{type: 'public-key', alg: -7}}], \
         authenticatorSelection: {{residentKey: 'required', userVerification: 'required'}}, \
         attestation: 'none'}}}}).then(made => ({{id: enc(made.rawId), \
         attestation: enc(made.response.attestationObject), \
         client_data: enc(made.response.clientDataJSON)}}))"
    );
    let told = window.run(&create).await;
    let made = Made {
        id: decoded(&told, "id"),
        attestation: decoded(&told, "attestation"),
        client_data: decoded(&told, "client_data"),
    };
    let (key, theirs) = reference.taken(&made, challenge);
    let get = format!(
        "{ENCODE} return navigator.credentials.get({{publicKey: {{rpId: 'localhost', \
         challenge: dec('{sent}'), userVerification: 'required', allowCredentials: \
         [{{type: 'public-key', id: dec('{}')}}]}}}}).then(used => ({{\
         authenticator_data: enc(used.response.authenticatorData), \
         client_data: enc(used.response.clientDataJSON), signature: enc(used.response.signature)}}))",
        text(&made.id)
    );
    let used = async || {
        let told = window.run(&get).await;
        UnverifiedAssertion {
            authenticator_data: decoded(&told, "authenticator_data"),
            client_data: decoded(&told, "client_data"),
            signature: decoded(&told, "signature"),
        }
    };
    let both = |used: &UnverifiedAssertion| reference.both((&key, &theirs), used, challenge);
    let good = used().await;
    assert!(both(&good));
    authenticator.answers_wrongly(true, false).await;
    assert!(!both(&used().await));
    authenticator.answers_wrongly(false, true).await;
    assert!(!both(&used().await));
    authenticator.answers_wrongly(false, false).await;
    assert!(both(&used().await));
    // Every bit of what it really signed.
    let flip = |bytes: &[u8], bit: usize| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    };
    let verify = |used: &UnverifiedAssertion| {
        used.verify(&RelyingParty::of(server.base()).unwrap(), challenge, &key).is_ok()
    };
    for bit in 0..good.signature.len() * 8 {
        let signature = flip(&good.signature, bit);
        assert!(!verify(&UnverifiedAssertion { signature, ..good.clone() }));
    }
    for bit in 0..good.authenticator_data.len() * 8 {
        let authenticator_data = flip(&good.authenticator_data, bit);
        assert!(!verify(&UnverifiedAssertion { authenticator_data, ..good.clone() }));
    }
    for bit in 0..good.client_data.len() * 8 {
        let client_data = flip(&good.client_data, bit);
        assert!(!verify(&UnverifiedAssertion { client_data, ..good.clone() }));
    }
    for bit in 0..key.cose().len() * 8 {
        let other = PublicKey::read(&flip(key.cose(), bit));
        let party = RelyingParty::of(server.base()).unwrap();
        assert!(!other.is_ok_and(|other| good.verify(&party, challenge, &other).is_ok()));
    }
}
