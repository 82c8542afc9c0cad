//! Being told by mail, at the address that one's provider has verified.

use std::path::Path;

use serde_json::json;

use super::world::World;
use crate::notices::email::{Manner, Smtp};
use crate::notices::world::{channels, secret_in};
use crate::support::Setup;

/// People of the provider, told by this mail server, which knows no address of theirs.
async fn mailing(folder: &Path, smtp: &Smtp) -> World {
    secret_in(folder, "password", "canary-password");
    let text = format!(
        "email:\n  host: localhost\n  port: {}\n  from: Assent <assent@example.com>\n  username: assent\n  \
         password_file: password\n  ca_file: ca.pem\n",
        smtp.address.port()
    );
    World::set_up(Setup { channels: channels(folder, &text), ..Setup::default() }).await
}

#[tokio::test]
async fn t66_mail_goes_where_a_provider_says_that_it_has_verified_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let smtp = Smtp::start(folder.path(), Manner::StartTls).await;
    let mut world = mailing(folder.path(), &smtp).await;
    let person = |name: &str, email: &str, verified: &serde_json::Value| {
        json!({
            "sub": name, "groups": ["release-managers"], "email": email, "email_verified": verified,
        })
    };
    for (name, email, verified) in [
        ("bob", "bob@corp.example", json!(true)),
        ("carol", "carol@corp.example", json!(false)),
        ("dora", "dora@corp.example", json!("true")),
        ("eric", "Eric <eric@corp.example>, eve@evil.example", json!(true)),
    ] {
        world.provider.person(&person(name, email, &verified)).await;
        let mut browser = world.signed_in(name).await;
        let page = browser.get("/settings/notifications").await.is(200).text;
        assert_eq!(page.contains("name=\"email\""), name == "bob", "{name}: {page}");
    }
    let alice = world.holder("alice", "request").await;
    let intent = json!({"kind": "terraform.apply", "environment": "one", "reason": "resize"});
    alice.post("/v1/requests", &json!({"intent": intent})).await.is(201);
    world.server.authority.tell_due().await.unwrap();
    let mails = smtp.mails();
    let to: Vec<_> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, ["RCPT TO:<bob@corp.example>"]);
    let said = mails[0].said();
    let asks = format!("alice of Corp (alice at {})", &world.provider.url["http://".len()..]);
    assert!(said.contains(&asks), "{asks}: {said}");
    assert!(!said.contains(&format!("{}#", world.provider.url)), "{said}");

    let page = world.signed_in("root").await.get("/admin/notifications").await.is(200).text;
    assert!(page.contains("bob of Corp (bob at ") && page.contains(") by email"), "{page}");
}
