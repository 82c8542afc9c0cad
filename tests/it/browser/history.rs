//! History, policy, insights, the audit log and being out of office, as a browser shows them.

use assent_core::time::Span;
use serde_json::json;

use super::sign_in;
use crate::support::{Chromium, Screen, Server, Setup, approve, deny, fresh_key};
use assent_server::policy::Source;

const RULES: &str = "
apiVersion: assent/v1
kind: Policy
groups:
  release-managers: [person:bob, person:carol, person:dave]
  oncall: [person:olga]
calendars:
  change-window: {zone: Europe/Berlin, windows: [{days: [monday, tuesday, wednesday, thursday], from: \"09:00\", to: \"16:00\"}]}
  freeze: {zone: UTC, include: [{from: 2026-12-20, to: 2027-01-04}]}
rules:
  - id: production
    description: What reaches customers is looked at by two
    when: {intent.environment: production}
    require:
      stages: [{name: release, approvals: 2, from: [group:release-managers]}]
      escalate: {after: 1h, to: [group:oncall]}
      request_expires: 4h
  - id: staging
    when: {intent.environment: staging}
    allow: {credential: {max_ttl: 15m}}
  - id: no-sessions
    when: {intent.environment: {in: [production, emergency]}, intent.kind: {in: [database.session, shell.session]}}
    deny: {message: use the read replica, waivable: true}
  - id: glass
    when: {intent.environment: emergency}
    allow: {waives: [no-sessions], post_review: {approvals: 1, by: [group:release-managers], within: 24h}}
";

/// A server on which some weeks have passed.
async fn lived_in() -> Server {
    let source = Source::Given(crate::support::documents(RULES));
    let server = Server::for_browsers(Setup { source, ..Setup::default() }).await;
    for day in 0..12 {
        let (alice, bob, carol) = server.people().await;
        for (number, environment) in ["production", "production", "staging"].iter().enumerate() {
            let reason = format!("Resize the orders database, day {day} part {number}");
            let intent = json!({
                "kind": "terraform.apply", "environment": environment, "reason": reason,
                "target": {"workspace": "orders", "repository": "acme/shop"},
            });
            let key = fresh_key();
            let answer =
                alice.post_again(key.as_str(), "/v1/requests", &json!({"intent": intent})).await;
            let id = answer.json()["id"].as_str().unwrap().to_owned();
            if *environment == "staging" {
                continue;
            }
            let request = alice.client.request(&id).await.unwrap();
            server.time().pass(Span::minutes(3 + day * 2));
            if day % 4 == 3 && number == 1 {
                deny(&bob, &request).await.unwrap();
            } else {
                approve(&bob, &request).await.unwrap();
                server.time().pass(Span::minutes(4));
                approve(&carol, &request).await.unwrap();
            }
        }
        if day == 6 {
            let intent =
                json!({"kind": "shell.session", "environment": "emergency", "reason": "INC-7"});
            let key = fresh_key();
            alice.post_again(key.as_str(), "/v1/requests", &json!({"intent": intent})).await;
        }
        server.time().pass(Span::hours(22));
    }
    server
}

#[tokio::test]
async fn what_was_asked_is_looked_back_at_and_bars_nobody() {
    let server = lived_in().await;
    let chromium = Chromium::start().await;
    let last = server.authority.ledger().head().await.unwrap().size - 1;
    let entry = format!("/audit/entries/{last}");
    let pages = [
        ("history-lived", "/history"),
        ("history-found", "/history?q=orders&state=denied&environment=production"),
        ("policy-rules", "/policy"),
        ("policy-try", "/policy/try"),
        ("insights", "/insights?days=30"),
        ("audit", "/audit"),
        ("audit-entry", &entry),
        ("absence", "/settings/absence"),
    ];
    let window = chromium.window(Screen::DESKTOP).await;
    sign_in(&window, &server, "bob").await;
    for (name, path) in pages {
        window.go(&format!("{}{path}", server.base())).await;
        assert_eq!(window.violations().await, Vec::<String>::new(), "{path}");
        let size = window.source().await.len();
        assert!(size < 60_000, "{path} has {size} bytes");
        window.pictures(name, &Screen::ALL).await;
        for screen in [Screen::PHONE, Screen::DARK_DESKTOP] {
            window.look(screen).await;
            assert_eq!(window.barriers().await, Vec::<String>::new(), "{path} on {screen:?}");
            let wider = "return document.documentElement.scrollWidth > innerWidth";
            assert_eq!(window.run(wider).await, false, "{path} is wider than {screen:?}");
        }
        window.look(Screen::DESKTOP).await;
    }
}

#[tokio::test]
async fn insights_are_read_on_a_phone() {
    let server = lived_in().await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::PHONE).await;
    sign_in(&window, &server, "bob").await;
    window.go(&format!("{}/insights?days=30", server.base())).await;
    window.run("document.querySelectorAll('details').forEach(one => { one.open = true; })").await;
    // A text in a plot is as small as the plot is narrow.
    assert_eq!(window.run("return document.querySelectorAll('svg text').length").await, 0);
    window.until_it_says("nine of ten within").await;
    let tables = "return [...document.querySelectorAll('table')].map(table => {\
        const place = table.parentElement;\
        const named = place.ariaLabel || place.getAttribute('aria-labelledby');\
        return place.tabIndex === 0 && place.role === 'region' && Boolean(named);\
    })";
    let reached = window.run(tables).await;
    assert_eq!(reached, json!([true, true, true, true, true]));
    // Each word of a heading stands on one line.
    let broken = "return [...document.querySelectorAll('th')].filter(cell => {\
        const words = cell.textContent.trim().split(/\\s+/).length;\
        const range = document.createRange();\
        range.selectNodeContents(cell);\
        const lines = new Set([...range.getClientRects()].map(one => Math.round(one.top)));\
        return lines.size > words;\
    }).map(cell => cell.textContent)";
    assert_eq!(window.run(broken).await, json!([]));
    assert_eq!(window.barriers().await, Vec::<String>::new());
    window.pictures("insights-open", &[Screen::PHONE]).await;
}

#[tokio::test]
async fn somebody_tries_an_intent_and_says_that_they_are_away() {
    let server = lived_in().await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::PHONE).await;
    sign_in(&window, &server, "bob").await;
    let before = server.authority.ledger().head().await.unwrap().size;
    window.go(&format!("{}/policy/try", server.base())).await;
    window.write("#kind", "database.session").await;
    window.write("#environment", "production").await;
    window.click("form.decide button").await;
    window.until_it_says("It would be refused.").await;
    window.until_it_says("use the read replica").await;
    window.pictures("policy-tried", &Screen::ALL).await;
    let after = server.authority.ledger().head().await.unwrap().size;
    assert_eq!(before, after, "trying stores nothing");
    window.go(&format!("{}/settings/absence", server.base())).await;
    window.write("#to", "olga").await;
    let until = server.authority.clock().now().plus(Span::hours(48)).to_string();
    // What the field's own picker would write.
    let value = &until[..16];
    window.run(&format!("document.querySelector('#until').value = '{value}'")).await;
    window.click("form.decide button").await;
    window.until_it_says("olga for bob").await;
    window.pictures("absence-begun", &Screen::ALL).await;
    window.click(".entries button").await;
    window.until_it_says("ended").await;
}

#[tokio::test]
async fn t17_a_review_is_withdrawn_on_the_page() {
    let server = lived_in().await;
    let (alice, bob, _) = server.people().await;
    let intent =
        json!({"kind": "terraform.apply", "environment": "production", "reason": "Resize"});
    let key = fresh_key();
    let answer = alice.post_again(key.as_str(), "/v1/requests", &json!({"intent": intent})).await;
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    approve(&bob, &alice.client.request(&id).await.unwrap()).await.unwrap();
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::PHONE).await;
    window.without_scripts().await;
    sign_in(&window, &server, "bob").await;
    window.go(&format!("{}/requests/{id}", server.base())).await;
    window.click("form.withdraw summary").await;
    window.write("#withdraw-reason", "I read the wrong plan").await;
    window.pictures("withdraw", &[Screen::PHONE]).await;
    window.click("form.withdraw button").await;
    window.until_it_says("I read the wrong plan").await;
    let request = alice.client.request(&id).await.unwrap();
    assert_eq!((request.reviews.len(), request.withdrawn.len()), (0, 1));
}
