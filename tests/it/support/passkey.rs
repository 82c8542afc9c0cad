//! Passkeys of software for tests without a browser: what they sign is what Chromium's would.

#[path = "../../../core/src/webauthn/soft.rs"]
mod soft;

use assent_client::wire;
use assent_core::digest::Digest;
use assent_core::id::PasskeyId;
use assent_core::passkey::Passkey;
use assent_core::principal::PrincipalId;
use assent_core::webauthn::{RelyingParty, UnverifiedRegistration};
use assent_server::chance::Chance;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub(crate) use soft::{DEVICE_BOUND, SYNCED, Soft};

use super::{Answer, Caller, Server, fresh_key};

/// A passkey that is on record at a server, with its private half.
pub(crate) struct Enrolled {
    pub(crate) soft: Soft,
    pub(crate) id: PasskeyId,
    party: String,
    origin: String,
}

impl Enrolled {
    /// One of this person's, enrolled just now.
    pub(crate) async fn of(server: &Server, who: &str, soft: Soft) -> Self {
        Self::of_person(server, PrincipalId::local(who).unwrap(), soft).await
    }

    /// The same of somebody whom an issuer knows.
    pub(crate) async fn of_person(server: &Server, who: PrincipalId, soft: Soft) -> Self {
        let party = RelyingParty::of(server.base()).expect("passkeys need a server for browsers");
        let (attestation, client_data) = soft.register(party.id(), party.origin(), b"challenge");
        let sent = UnverifiedRegistration { attestation, client_data };
        let made = sent.verify(&party, b"challenge").unwrap();
        let now = server.authority.clock().now();
        let id = Chance::default().passkey_id(now).unwrap();
        let step = Passkey::enrol(id, &who, (made, "test"), Some(now), &[], now).unwrap();
        assert!(server.authority.ledger().commit_passkey(step).await.unwrap());
        let (party, origin) = (party.id().to_owned(), party.origin().to_owned());
        Self { soft, id, party, origin }
    }

    /// The statement that the server gives this person for that verdict.
    pub(crate) async fn statement(
        &self,
        who: &Caller,
        request: &wire::Request,
        verdict: &str,
        comment: &str,
    ) -> Answer {
        let digest = Digest::of(comment.as_bytes());
        let (request, passkey) = (&request.id, self.id);
        let query = format!("verdict={verdict}&reason_digest={digest}&passkey={passkey}");
        who.get(&format!("/v1/requests/{request}/statement?{query}")).await
    }

    /// What the passkey makes of a statement, as it is sent with a review.
    pub(crate) fn sign(&self, statement: &Value) -> Value {
        let challenge = statement["challenge"].as_str().unwrap();
        let challenge = URL_SAFE_NO_PAD.decode(challenge).unwrap();
        let (data, client_data, signature) = self.soft.sign(&self.party, &self.origin, &challenge);
        json!({
            "credential_id": URL_SAFE_NO_PAD.encode(&self.soft.credential),
            "statement": statement["statement"],
            "authenticator_data": URL_SAFE_NO_PAD.encode(data),
            "client_data": URL_SAFE_NO_PAD.encode(client_data),
            "signature": URL_SAFE_NO_PAD.encode(signature),
        })
    }

    /// Decides as a person would: is given a statement, signs it, sends it.
    pub(crate) async fn decide(
        &self,
        who: &Caller,
        request: &wire::Request,
        verdict: &str,
    ) -> Answer {
        let given = self.statement(who, request, verdict, "looked at").await.is(200).json();
        send(who, request, verdict, &self.sign(&given)).await
    }
}

/// A review with this signature.
pub(crate) async fn send(
    who: &Caller,
    request: &wire::Request,
    verdict: &str,
    signature: &Value,
) -> Answer {
    let review = json!({
        "verdict": verdict, "comment": "looked at", "digest": request.digest,
        "signature": signature,
    });
    let path = format!("/v1/requests/{}/reviews", request.id);
    who.post_again(fresh_key().as_str(), &path, &review).await
}
