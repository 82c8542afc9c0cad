//! Reading and deciding, what a page's policy keeps from happening, and what other sites try.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::sign_in;
use crate::support::{Chromium, Reply, Screen, Server, Setup, StandIn, fresh_key};

/// A request of alice's that two people must approve.
pub(super) async fn filed(server: &Server, reason: &str) -> String {
    let alice = server.person("alice").await;
    let intent = json!({
        "kind": "terraform.apply", "environment": "production", "reason": reason,
        "target": {"workspace": "orders"},
    });
    let answer =
        alice.post_again(fresh_key().as_str(), "/v1/requests", &json!({"intent": intent})).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()["id"].as_str().unwrap().to_owned()
}

pub(super) async fn state(server: &Server, id: &str) -> String {
    server.person("alice").await.client.request(id).await.unwrap().state
}

#[tokio::test]
async fn people_decide_without_scripts() {
    let server = Server::for_browsers(Setup::default()).await;
    let id = filed(&server, "Resize the orders database").await;
    let chromium = Chromium::start().await;
    for name in ["bob", "carol"] {
        let window = chromium.window(Screen::PHONE).await;
        window.without_scripts().await;
        sign_in(&window, &server, name).await;
        window.click(&format!("main a[href='/requests/{id}']")).await;
        window.until_it_says("Resize the orders database").await;
        window.click("button[value='approve']").await;
        window
            .until_it_says(&format!(
                "approved: {}",
                if name == "bob" { "bob" } else { "bob, carol" }
            ))
            .await;
        window.close().await;
    }
    assert_eq!(state(&server, &id).await, "approved");
}

#[tokio::test]
async fn every_page_keeps_its_own_policy_and_bars_nobody() {
    let server = Server::for_browsers(Setup::default()).await;
    let id = filed(&server, "Resize the orders database").await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    window.go(&format!("{}/login", server.base())).await;
    window.pictures("login", &Screen::ALL).await;
    assert_eq!(window.barriers().await, Vec::<String>::new());
    sign_in(&window, &server, "bob").await;
    let request = format!("/requests/{id}");
    let pages =
        [("inbox", "/"), ("request", &request), ("history", "/history"), ("policy", "/policy")];
    for (name, path) in pages {
        window.go(&format!("{}{path}", server.base())).await;
        assert_eq!(window.violations().await, Vec::<String>::new(), "{path}");
        window.pictures(name, &Screen::ALL).await;
        for screen in [Screen::PHONE, Screen::DARK_DESKTOP] {
            window.look(screen).await;
            assert_eq!(window.barriers().await, Vec::<String>::new(), "{path} on {screen:?}");
        }
    }
}

/// Whatever came into a page would find that it can run nothing and fetch nothing.
#[tokio::test]
async fn t36_the_browser_runs_and_loads_nothing_that_is_not_ours() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let elsewhere = StandIn::start(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Reply::new(200, "seen") })
    })
    .await;
    let server = Server::for_browsers(Setup::default()).await;
    let id = filed(&server, "Resize").await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    sign_in(&window, &server, "bob").await;
    window.go(&format!("{}/requests/{id}", server.base())).await;
    let place = &elsewhere.url;
    let injected = [
        "<script>window.ran = 1</script>".to_owned(),
        format!("<script src='{place}/x.js'></script>"),
        "<img src=x onerror='window.ran = 1'>".to_owned(),
        format!("<img src='{place}/x.png'>"),
        "<p style='color: red'>x</p>".to_owned(),
        format!("<iframe src='{place}/'></iframe>"),
        format!("<link rel=stylesheet href='{place}/x.css'>"),
    ];
    for html in injected {
        // As a parser would make it: what is set by `innerHTML` alone never runs.
        let script = format!(
            "window.__violations = []; document.body.append(\
             document.createRange().createContextualFragment({}));",
            serde_json::Value::from(html.clone())
        );
        window.run(&script).await;
        let told = "return new Promise(done => { const look = () => window.__violations.length ? \
            done(window.__violations) : setTimeout(look, 5); look(); })";
        assert_ne!(window.run(told).await, json!([]), "{html}");
    }
    let fetched = format!("return fetch('{place}/').then(() => 'came', () => 'forbidden')");
    assert_eq!(window.run(&fetched).await, "forbidden");
    assert_eq!(window.run("return window.ran ?? null").await, json!(null));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn t64_no_other_page_shows_ours_in_a_frame() {
    let server = Server::for_browsers(Setup::default()).await;
    let framing = format!("<!doctype html><iframe src='{}/login'></iframe>", server.base());
    let other = StandIn::start(move |_| {
        let page = framing.clone();
        Box::pin(async move { Reply::html(&page) })
    })
    .await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    window.go(&other.url).await;
    window.enter_frame("iframe").await;
    let framed = window.source().await;
    assert!(!framed.contains("Access token") && !framed.contains("assent.css"), "{framed}");
}

#[tokio::test]
async fn t62_a_form_of_another_site_decides_nothing_in_a_browser_that_is_signed_in() {
    let server = Server::for_browsers(Setup::default()).await;
    let id = filed(&server, "Resize").await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    sign_in(&window, &server, "bob").await;
    window.go(&format!("{}/requests/{id}", server.base())).await;
    // Even one that has seen everything on the page.
    let csrf = window.run("return document.querySelector('[name=csrf]').value").await;
    let digest = server.person("alice").await.client.request(&id).await.unwrap().digest;
    let form = format!(
        "<!doctype html><form method=post action='{}/requests/{id}/review'>\
         <input name=csrf value='{}'><input name=digest value='{digest}'>\
         <input name=verdict value=approve><button id=send>send</button></form>",
        server.base(),
        csrf.as_str().unwrap(),
    );
    let other = StandIn::start(move |_| {
        let page = form.clone();
        Box::pin(async move { Reply::html(&page) })
    })
    .await;
    window.go(&other.url).await;
    window.click("#send").await;
    window.until_it_says("Sign in").await;
    let request = server.person("alice").await.client.request(&id).await.unwrap();
    assert_eq!((request.state.as_str(), request.reviews.len()), ("pending", 0));
}
