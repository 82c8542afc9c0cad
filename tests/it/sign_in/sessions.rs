//! How long sessions last, and who ends them.

use assent_core::time::Span;

use super::world::World;
use crate::pages::field;

#[tokio::test]
async fn t63_a_session_ends_when_it_is_not_used_and_at_the_end_of_the_day() {
    let mut world = World::start().await;
    let mut bob = world.signed_in("bob").await;
    world.pass(Span::minutes(29)).await;
    bob.get("/settings").await.is(200);
    world.pass(Span::minutes(29)).await;
    bob.get("/settings").await.is(200);
    world.pass(Span::minutes(30)).await;
    assert_eq!(bob.get("/settings").await.status, 303, "nothing happened for half an hour");
    let mut bob = world.signed_in("bob").await;
    for _ in 0..16 {
        bob.get("/settings").await.is(200);
        world.pass(Span::minutes(29)).await;
    }
    bob.get("/settings").await.is(200);
    world.pass(Span::minutes(16)).await;
    assert_eq!(bob.get("/settings").await.status, 303, "eight hours, whatever happened");
}

#[tokio::test]
async fn t63_sessions_are_listed_and_end_each_other() {
    let world = World::start().await;
    let mut here = world.signed_in("bob").await;
    let mut there = world.signed_in("bob").await;
    let mut third = world.signed_in("bob").await;
    let mut carol = world.signed_in("carol").await;
    let page = here.get("/settings/sessions").await.is(200).text;
    assert_eq!(page.matches("Firefox on Linux").count(), 3, "{page}");
    assert_eq!(page.matches("(this one)").count(), 1);
    let other = page.split("name=\"id\" value=\"acc_").nth(1).unwrap().split('"').next().unwrap();
    let other = format!("acc_{other}");
    // Nobody ends another's, and nothing without our own form.
    carol.form("/settings/sessions", "/settings/sessions/end", &[("id", &other)]).await.is(303);
    let fields = [("id", other.as_str())];
    here.form("/settings/sessions", "/settings/sessions/end", &fields).await.is(303);
    let left = here.get("/settings/sessions").await.text;
    assert_eq!(left.matches("Firefox on Linux").count(), 2, "{left}");
    here.form("/settings/sessions", "/settings/sessions/end", &[("id", "others")]).await.is(303);
    for gone in [&mut there, &mut third] {
        assert_eq!(gone.get("/").await.status, 303);
    }
    here.get("/").await.is(200);
    carol.get("/").await.is(200);
}

#[tokio::test]
async fn t62_a_foreign_form_ends_no_session_and_makes_no_token() {
    let world = World::start().await;
    let mut bob = world.signed_in("bob").await;
    let mut other = world.signed_in("bob").await;
    for (path, page) in [
        ("/settings/sessions/end", "/settings/sessions"),
        ("/settings/tokens", "/settings/tokens"),
        ("/settings/accounts/link", "/settings/accounts"),
        ("/admin/people/unlink", "/settings"),
    ] {
        let wrong = [
            ("csrf", "0"),
            ("id", "others"),
            ("name", "planted"),
            ("scope", "read"),
            ("expires_after", "24h"),
            ("provider", "corp"),
            ("person", "a"),
            ("account", "b"),
        ];
        let csrf = field(&bob.get(page).await.text, "csrf");
        let mut right = wrong;
        right[0] = ("csrf", &csrf);
        let session = bob.cookie("assent").unwrap().clone();
        let cookie = format!("assent={session}");
        let call = || world.server.stranger().call("POST", path).header("cookie", &cookie);
        for (origin, form) in [(world.server.base(), wrong), ("https://evil.example", right)] {
            let answer = crate::support::sent(call().header("origin", origin).form(&form)).await;
            assert_eq!(answer.status, 403, "{path}: {}", answer.text);
        }
    }
    other.get("/").await.is(200);
    assert!(!bob.get("/settings/tokens").await.text.contains("planted"));
}

#[tokio::test]
async fn t63_sessions_outlive_a_restart_and_idle_time_goes_on_meanwhile() {
    let mut world = World::start().await;
    let mut bob = world.signed_in("bob").await;
    world.pass(Span::minutes(20)).await;
    bob.get("/").await.is(200);
    world.pass(Span::minutes(20)).await;
    let (ledger, remains) = (world.server.ledger(), world.server.remains.clone());
    let setup = crate::support::Setup {
        sign_in: super::world::settings(&format!(
            "providers:\n{}",
            super::world::oidc("corp", &world.provider.url)
        )),
        ..crate::support::Setup::default()
    };
    world.server.stop().await;
    let server = crate::support::Server::placed_on(ledger, remains, setup).await;
    bob.get("/settings").await.is(200);
    server.time().pass(Span::minutes(30));
    assert_eq!(bob.get("/settings").await.status, 303);
}

#[tokio::test]
async fn a_session_that_a_token_opened_never_counts_as_signed_in() {
    let world = World::start().await;
    let root = world.server.administrator().await;
    let call = root.call("POST", "/login").header("origin", world.server.base());
    let answer = crate::support::sent(call.form(&[("token", root.token())])).await.is(303);
    let line = answer.headers["set-cookie"].to_str().unwrap();
    let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
    let mut browser = world.browser();
    browser.cookies.insert((browser.base.clone(), name.to_owned()), value.to_owned());
    assert!(browser.get("/settings").await.is(200).text.contains("not lately"));
    let form = [("name", "x"), ("scope", "read"), ("expires_after", "24h")];
    browser.form("/settings/tokens", "/settings/tokens", &form).await.is(403);
    let link = [("provider", "corp")];
    browser.form("/settings/accounts", "/settings/accounts/link", &link).await.is(403);
}

#[tokio::test]
async fn t66_no_cookie_code_or_secret_is_kept_or_told_as_it_is() {
    let world = World::start().await;
    let mut bob = world.browser();
    let to = bob.led("/login/corp/begin").await;
    let ceremony = bob.cookie("assent-ceremony").unwrap().clone();
    let back = bob.at_provider(&to, "bob").await;
    bob.follow(&back).await.is(303);
    let session = bob.cookie("assent").unwrap().clone();
    let code = url::Url::parse(&back).unwrap();
    let code = code.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let secret = session.splitn(3, '_').nth(2).unwrap().to_owned();
    let log = world.server.ledger().entries(0, 100).await.unwrap();
    let accounts = format!("{:?}", world.server.ledger().accounts().await.unwrap());
    let told = format!("{:?} {log:?} {accounts}", world.server.authority);
    for canary in [&ceremony, &code, &secret, &"a-secret-of-the-tests-alone".to_owned()] {
        assert!(canary.len() > 20 && !told.contains(canary.as_str()), "{canary}");
    }
    let settings = bob.get("/settings/sessions").await.text;
    assert!(!settings.contains(&secret) && settings.contains("by corp"));
    // The audit log says that bob signed in, how and when.
    let opened = log.iter().find(|entry| entry["login"]["provider"] == "corp").unwrap();
    assert_eq!(opened["access"]["sub"], "bob");
    assert_eq!(opened["login"]["amr"], serde_json::json!(["pwd"]));
}
