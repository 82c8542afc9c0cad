//! Webhooks, signed and to Teams, as their receivers check them.

use assent_core::time::Span;
use aws_lc_rs::{hmac, signature};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::world::{SECRET, at_hook, channels, filed, notices, receiver, secret_in, telling};
use crate::support::{Asked, Reply, Ways};

const TO_SIEM: &str = "notices: [{occasions: [stage_opened], to: ['channel:siem']}]\n";

/// As the specification tells receivers to: the key is what `whsec_` stands before, the text is id,
/// time and body, and any of the signatures will do.
fn is_signed(asked: &Asked, secret: &str) -> bool {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let (id, time) = (asked.header("webhook-id"), asked.header("webhook-timestamp"));
    let mut text = format!("{id}.{time}.").into_bytes();
    text.extend_from_slice(&asked.body);
    let given = asked.header("webhook-signature").split(' ');
    let mut given = given.filter_map(|one| one.strip_prefix("v1,"));
    given.any(|one| hmac::verify(&key, &text, &STANDARD.decode(one).unwrap()).is_ok())
}

#[tokio::test]
async fn a_receiver_knows_by_the_signature_what_is_ours() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), receiver().await);
    let server = telling(channels(folder.path(), &at_hook(&hook)), TO_SIEM).await;
    filed(&server, "one", "deploy").await;
    server.authority.tell_due().await.unwrap();
    let mut asked = hook.asked().remove(0);
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/in"));
    assert_eq!(asked.header("content-type"), "application/json");
    let now = server.authority.clock().now().as_seconds();
    assert_eq!(asked.header("webhook-timestamp"), now.to_string());
    assert!(is_signed(&asked, SECRET));
    asked.body[10] ^= 1;
    assert!(!is_signed(&asked, SECRET), "a receiver would take anything");
}

#[tokio::test]
async fn while_a_secret_is_replaced_both_sign_and_one_may_be_a_public_key() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), receiver().await);
    let text = at_hook(&hook)
        .replace("secret_file: secret", "secret_file: new, previous_secret_file: secret");
    let seed = [7; 32];
    secret_in(folder.path(), "new", &format!("whsk_{}", STANDARD.encode(seed)));
    let server = telling(channels(folder.path(), &text), TO_SIEM).await;
    filed(&server, "one", "deploy").await;
    server.authority.tell_due().await.unwrap();
    let asked = hook.asked().remove(0);
    assert!(is_signed(&asked, SECRET));
    let pair = signature::Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let public = signature::KeyPair::public_key(&pair);
    let public = signature::UnparsedPublicKey::new(&signature::ED25519, public);
    let signed = asked.header("webhook-signature").split(' ').find_map(|s| s.strip_prefix("v1a,"));
    let signed = STANDARD.decode(signed.unwrap()).unwrap();
    let (id, time) = (asked.header("webhook-id"), asked.header("webhook-timestamp"));
    let mut text = format!("{id}.{time}.").into_bytes();
    text.extend_from_slice(&asked.body);
    public.verify(&text, &signed).unwrap();
}

#[tokio::test]
async fn another_try_has_the_same_id_and_its_own_time() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), receiver().await);
    let server = telling(channels(folder.path(), &at_hook(&hook)), TO_SIEM).await;
    hook.behave(Ways::Saying(Reply::new(502, "")));
    filed(&server, "one", "deploy").await;
    server.authority.tell_due().await.unwrap();
    hook.behave(Ways::Honest);
    server.time().pass(Span::seconds(61));
    server.authority.tell_due().await.unwrap();
    let asked = hook.asked();
    assert_eq!(asked[0].header("webhook-id"), asked[1].header("webhook-id"));
    assert_ne!(asked[0].header("webhook-timestamp"), asked[1].header("webhook-timestamp"));
    assert_eq!(asked[0].body, asked[1].body, "the same is told");
    assert!(is_signed(&asked[1], SECRET));
}

#[tokio::test]
async fn t27_a_redirect_is_not_followed() {
    let (folder, hook, other) = (tempfile::tempdir().unwrap(), receiver().await, receiver().await);
    let server = telling(channels(folder.path(), &at_hook(&hook)), TO_SIEM).await;
    let mut redirect = Reply::new(307, "");
    redirect.headers.push(("location", format!("{}/in", other.url)));
    hook.behave(Ways::Saying(redirect));
    filed(&server, "one", "deploy").await;
    server.authority.tell_due().await.unwrap();
    assert!(other.asked().is_empty());
    assert_eq!(notices(&server).await, ["stage_opened channel:siem waiting"]);
}

#[tokio::test]
async fn teams_is_sent_a_card_of_text_and_one_link() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), receiver().await);
    secret_in(folder.path(), "teams", &format!("{}/workflows/canary?sig=canary", hook.url));
    let text = "channels:\n  ops: {teams: {webhook_file: teams}}\n";
    let more = "notices: [{occasions: [stage_opened, denied], to: ['channel:ops']}]\n";
    let server = telling(channels(folder.path(), text), more).await;
    let evil = "[click](https://evil.example) <at>everyone</at>";
    filed(&server, "one", evil).await;
    server.authority.tell_due().await.unwrap();
    let card: Value = serde_json::from_slice(&hook.asked()[0].body).unwrap();
    let content = &card["attachments"][0]["content"];
    assert_eq!(content["type"], "AdaptiveCard");
    assert!(content["body"].as_array().unwrap().iter().all(|one| one["type"] == "RichTextBlock"));
    assert_eq!(content["actions"].as_array().unwrap().len(), 1);
    // Workflows answers 400 to what it cannot read, 429 to too much, and never says why in its address.
    for (status, wanted) in [(400, "dead"), (429, "waiting")] {
        hook.behave(Ways::Saying(Reply::new(status, "")));
        filed(&server, "one", &format!("for {status}")).await;
        server.authority.tell_due().await.unwrap();
        let all = notices(&server).await;
        assert!(all.contains(&format!("stage_opened channel:ops {wanted}")), "{all:?}");
    }
    let told = server.administrator().await.get("/v1/notices").await.text;
    assert!(!told.contains("canary"), "the address is a secret: {told}");
}
