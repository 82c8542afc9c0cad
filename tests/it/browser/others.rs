//! Pages that are seldom seen: they bar nobody, run nothing and fit on a phone all the same.

use serde_json::json;

use super::sign_in;
use crate::support::{Chromium, Screen, Server, Setup, Window, fresh_key};

/// Looks at the page as it stands.
async fn looked_at(window: &Window, name: &str) {
    assert_eq!(window.violations().await, Vec::<String>::new(), "{name}");
    for screen in [Screen::PHONE, Screen::DARK_DESKTOP] {
        window.look(screen).await;
        assert_eq!(window.barriers().await, Vec::<String>::new(), "{name} on {screen:?}");
        let wider = "return document.documentElement.scrollWidth > innerWidth";
        assert_eq!(window.run(wider).await, false, "{name} is wider than {screen:?}");
    }
    window.pictures(name, &[Screen::PHONE, Screen::DESKTOP]).await;
    window.look(Screen::DESKTOP).await;
}

#[tokio::test]
async fn pages_that_are_seldom_seen_bar_nobody() {
    let server = Server::for_browsers(Setup::default()).await;
    let base = server.base().to_owned();
    let code = server.authority.open_bootstrap().await.unwrap().unwrap();
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;

    window.go(&format!("{base}/login")).await;
    window.write("input[name=token]", "no token").await;
    window.click("form[action='/login'] button").await;
    window.until_it_says("Sign in").await;
    assert!(window.has("main > p.warning[role=alert]").await, "{}", window.text().await);
    looked_at(&window, "login-fault").await;
    window.go(&format!("{base}/bootstrap/{}", code.expose())).await;
    looked_at(&window, "bootstrap").await;
    window.write("#sub", "root").await;
    window.click("form.decide button").await;
    window.until_it_says("It is shown once").await;
    looked_at(&window, "bootstrap-token").await;
    let token = window.run("return document.querySelector('pre.token').textContent").await;
    window.go(&format!("{base}/login")).await;
    window.write("input[name=token]", token.as_str().unwrap()).await;
    window.click("form[action='/login'] button").await;
    window.until_it_says("Sign out").await;
    for (name, path) in [
        ("linked", "/admin/people"),
        ("github", "/admin/github"),
        ("notices-empty", "/admin/notifications"),
        ("device", "/device"),
        ("fault", "/requests/none"),
        ("intent-unfiled", &format!("/intents/{}", "0".repeat(64))),
        ("tokens", "/settings/tokens"),
    ] {
        window.go(&format!("{base}{path}")).await;
        looked_at(&window, name).await;
    }
}

#[tokio::test]
async fn what_comes_of_forms_bars_nobody() {
    let server = Server::for_browsers(Setup::default()).await;
    let base = server.base().to_owned();
    let (alice, bob, _) = server.people().await;
    let intent = json!({
        "kind": "terraform.apply", "environment": "production", "reason": "Resize",
        "target": {"workspace": "orders"},
    });
    let key = fresh_key();
    let id = alice.post_again(key.as_str(), "/v1/requests", &json!({"intent": intent})).await;
    let id = id.str("id");
    let request = alice.client.request(&id).await.unwrap();
    crate::support::approve(&bob, &request).await.unwrap();
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    sign_in(&window, &server, "bob").await;

    window.go(&format!("{base}/requests/{id}")).await;
    window.click("form.withdraw summary").await;
    looked_at(&window, "withdraw-open").await;
    for (name, kind) in [("tried-pending", "terraform.apply"), ("tried-denied", "database.session")]
    {
        window.go(&format!("{base}/policy/try")).await;
        window.write("#kind", kind).await;
        window.write("#environment", "production").await;
        window.write("#target", "workspace=orders").await;
        window.click("form.decide button").await;
        window.until_it_says("Rules that speak").await;
        looked_at(&window, name).await;
    }
    window.go(&format!("{base}/policy/try")).await;
    window.write("#target", "no pair").await;
    window.click("form.decide button").await;
    window.until_it_says("as key=value").await;
    looked_at(&window, "try-fault").await;

    let client = [("client_id", "assent-cli")];
    let begun = server.stranger().form("/oauth/device_authorization", &client).await.is(200);
    window.go(&format!("{base}/device")).await;
    window.write("#code", "BBBB-BBBB").await;
    window.click("form.decide button").await;
    window.until_it_says("Type it here").await;
    looked_at(&window, "device-fault").await;
    window.go(&format!("{base}/device")).await;
    window.write("#code", &begun.str("user_code")).await;
    window.click("form.decide button").await;
    window.until_it_says("Let this program in as bob?").await;
    looked_at(&window, "device-asks").await;
    window.click("button.deny").await;
    window.until_it_says("Nothing was let in").await;
    looked_at(&window, "device-denied").await;
}
