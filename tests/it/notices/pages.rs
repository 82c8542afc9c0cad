//! The pages of notices, in a real browser.

use super::world::{Slack, at_hook, at_slack, channels, filed, receiver};
use crate::browser::sign_in;
use crate::pages::{Browser, field};
use crate::support::{Chromium, POLICY, Reply, Screen, Server, Setup, Ways, documents, sent};
use assent_server::policy::Source;

const MORE: &str = "notices: [{occasions: [stage_opened], to: ['channel:siem', approvers]}]\n";

#[tokio::test]
async fn people_say_how_they_are_told_and_administrators_see_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (hook, slack) = (receiver().await, Slack::start().await);
    let text = at_slack(&slack).replace("channels:\n", &at_hook(&hook));
    let channels = channels(folder.path(), &text);
    let source = Source::Given(documents(&format!("{POLICY}{MORE}")));
    let server = Server::for_browsers(Setup { source, channels, ..Setup::default() }).await;
    hook.behave(Ways::Saying(Reply::new(404, "<script>alert(1)</script>")));
    filed(&server, "one", "deploy").await;
    server.authority.tell_due().await.unwrap();

    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    sign_in(&window, &server, "bob").await;
    window.go(&format!("{}/settings/notifications", server.base())).await;
    window.pictures("notifications", &Screen::ALL).await;
    for screen in [Screen::PHONE, Screen::DARK_DESKTOP] {
        window.look(screen).await;
        assert_eq!(window.barriers().await, Vec::<String>::new(), "{screen:?}");
    }
    assert_eq!(window.violations().await, Vec::<String>::new());
    window.without_scripts().await;
    window.go(&format!("{}/settings/notifications", server.base())).await;
    window.click("#digest option[value='4h']").await;
    window.click("main button.approve").await;
    window.until_it_says("It counts from the next notice on").await;
    let bob = server.person("bob").await;
    let kept = bob.get("/v1/notices/mine").await.json();
    assert_eq!(kept["wishes"]["digest"]["every"], "4h");
    window.close().await;

    let window = chromium.window(Screen::DESKTOP).await;
    let root = server.administrator().await;
    window.go(&format!("{}/login", server.base())).await;
    window.write("input[name=token]", root.token()).await;
    window.click("form[action='/login'] button").await;
    window.until_it_says("Notifications do not reach everybody").await;
    window.go(&format!("{}/admin/notifications", server.base())).await;
    window.until_it_says("channel:siem").await;
    window.pictures("notices", &Screen::ALL).await;
    for screen in [Screen::PHONE, Screen::DARK_DESKTOP] {
        window.look(screen).await;
        assert_eq!(window.barriers().await, Vec::<String>::new(), "{screen:?}");
    }
    assert_eq!(window.violations().await, Vec::<String>::new());
    hook.behave(Ways::Honest);
    window.click("section button.quiet").await;
    window.until_it_says("Given up\nNone.").await;
    server.authority.tell_due().await.unwrap();
    assert_eq!(hook.asked().len(), 2);
    window.go(&format!("{}/admin/notifications", server.base())).await;
    assert!(!window.text().await.contains("do not reach everybody"));
}

#[tokio::test]
async fn t62_a_form_from_elsewhere_changes_and_replays_nothing() {
    let server = Server::start().await;
    let bob = Browser::of(&server, "bob").await;
    let page = bob.get("/settings/notifications").await.text;
    assert!(page.contains("knows no address of yours"), "{page}");
    let csrf = field(&page, "csrf");
    let form = |csrf: &str, every: &str| {
        let pairs = [
            ("csrf", csrf),
            ("digest", every),
            ("at", "09:00"),
            ("quiet_from", ""),
            ("quiet_to", ""),
            ("zone", "UTC"),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let send = async |path: &str, fields: &[(String, String)], origin: &str| {
        let call = bob.caller.call("POST", path).header("cookie", &bob.cookie);
        sent(call.header("origin", origin).form(fields)).await
    };
    let path = "/settings/notifications";
    let own = server.base().to_owned();
    assert_eq!(send(path, &form(&csrf, "4h"), "https://evil.example").await.status, 403);
    assert_eq!(send(path, &form("0", "4h"), &own).await.status, 403);
    let fields = [("csrf".to_owned(), csrf.clone())];
    let replay = send("/admin/notifications/replay", &fields, "https://evil.example").await;
    assert_eq!(replay.status, 403, "{}", replay.text);
    assert_eq!(send("/admin/notifications/replay", &fields, &own).await.status, 403);
    assert_eq!(bob.get("/admin/notifications").await.status, 403);
    let kept = server.person("bob").await.get("/v1/notices/mine").await.json();
    assert_eq!(kept["wishes"], serde_json::json!({}));
    let wrong = send(path, &form(&csrf, "5h"), &own).await;
    assert!(wrong.status == 422 && wrong.text.contains("Digest:"), "{}", wrong.text);
    assert_eq!(send(path, &form(&csrf, "4h"), &own).await.status, 200);
}
