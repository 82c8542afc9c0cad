//! Client data: what the browser says of the page on which a passkey was used (WebAuthn section 5.8.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::canonical;
use crate::webauthn::{RelyingParty, WebauthnError};

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ceremony {
    Create,
    Get,
}

impl Ceremony {
    fn word(self) -> &'static str {
        match self {
            Self::Create => "webauthn.create",
            Self::Get => "webauthn.get",
        }
    }
}

/// That a browser says this ceremony was held over this challenge on a page of the party's own, in
/// nobody else's frame. What else it says is passed over, as the standard wants.
pub(super) fn check(
    client_data: &[u8],
    ceremony: Ceremony,
    party: &RelyingParty,
    challenge: &[u8],
) -> Result<(), WebauthnError> {
    let malformed = WebauthnError::Malformed("the client data is not strict JSON");
    let Ok(Value::Object(said)) = canonical::parse(client_data) else { return Err(malformed) };
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    if text("type") != Some(ceremony.word()) {
        return Err(WebauthnError::Ceremony);
    }
    if text("challenge") != Some(URL_SAFE_NO_PAD.encode(challenge).as_str()) {
        return Err(WebauthnError::Challenge);
    }
    if text("origin") != Some(party.origin()) {
        return Err(WebauthnError::Origin);
    }
    let is_framed = said.get("crossOrigin").is_some_and(|framed| *framed != Value::Bool(false));
    if is_framed || said.contains_key("topOrigin") {
        return Err(WebauthnError::Framed);
    }
    Ok(())
}
