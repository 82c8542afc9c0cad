//! That the browser of the tests does as it is told: else what is refused later proves nothing.

use crate::support::{Chromium, Screen, Server, Setup, fresh_key};
use assent_client::wire;

/// Makes a passkey, or asks for one: answers with the flags of what the authenticator says (WebAuthn
/// section 6.1), or with the name of the error.
const MAKE: &str = "return navigator.credentials.create({publicKey: {\
    challenge: new Uint8Array(32), rp: {name: 'Assent'}, \
    user: {id: new Uint8Array([1]), name: 'bob', displayName: 'bob'}, \
    pubKeyCredParams: [{type: 'public-key', alg: -7}], \
    authenticatorSelection: {residentKey: 'required', userVerification: 'required'}}})\
    .then(made => new Uint8Array(made.response.getAuthenticatorData())[32], error => error.name)";
const ASK: &str = "return navigator.credentials.get({publicKey: {\
    challenge: new Uint8Array(32), userVerification: 'required'}})\
    .then(got => new Uint8Array(got.response.authenticatorData)[32], error => error.name)";

#[tokio::test]
async fn authenticators_of_software_verify_or_do_not_as_they_are_told() {
    let server = Server::for_browsers(Setup::default()).await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    window.go(&format!("{}/login", server.base())).await;
    let authenticator = window.authenticator(true).await;
    let flags = window.run(MAKE).await;
    assert_eq!(flags.as_u64().unwrap() & 0x45, 0x45, "present, verified, a new passkey: {flags}");
    assert_eq!(authenticator.passkeys().await, 1);
    assert_eq!(window.run(ASK).await.as_u64().unwrap() & 0x05, 0x05);
    authenticator.answers_wrongly(false, true).await;
    assert_eq!(window.run(ASK).await.as_u64().unwrap() & 0x05, 0x01, "nobody was verified");
    authenticator.answers_wrongly(false, false).await;
    authenticator.verifies(false).await;
    assert_eq!(window.run(ASK).await, "NotAllowedError");
}

#[tokio::test]
async fn a_person_types_a_token_and_presses_enter() {
    let server = Server::for_browsers(Setup::default()).await;
    let root = server.administrator().await;
    let wanted = wire::NewAccess {
        kind: wire::Kind::Person,
        sub: "bob".to_owned(),
        acts_for: Default::default(),
        groups: Default::default(),
        administrator: false,
        expires_after: None,
    };
    let token = root.client.create_access(&wanted, &fresh_key()).await.unwrap().token;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    window.go(&format!("{}/login", server.base())).await;
    window.write("#token", &token).await;
    window.press("\u{E007}").await;
    window.until_it_says("bob").await;
    window.until_at("/").await;
    assert!(window.has("form[action='/logout']").await);
    assert!(window.url().await.starts_with(server.base()), "the token is in no address");
}
