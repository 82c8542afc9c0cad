//! Signing in, in a real browser.

use super::links::Two;
use super::world::World;
use crate::support::{Chromium, Screen, Setup, Window};

impl World {
    /// Under the name by which browsers find it, with its people at the provider.
    async fn for_browsers() -> Self {
        let remains = crate::support::Remains::fresh();
        let public = format!("http://localhost:{}", remains.address.port());
        Self::at(remains, Setup { public: Some(public), ..Setup::default() }).await
    }
}

/// Says at the provider who one is.
async fn say(window: &Window, who: &str) {
    window.write("input[name=who]", who).await;
    window.click("button").await;
}

#[tokio::test]
async fn a_person_signs_in_steps_up_and_ends_another_session_in_a_browser() {
    let world = World::for_browsers().await;
    let base = world.server.base().to_owned();
    let chromium = Chromium::start().await;
    let (here, there) =
        (chromium.window(Screen::DESKTOP).await, chromium.window(Screen::PHONE).await);
    for window in [&here, &there] {
        window.go(&format!("{base}/settings")).await;
        window.until_it_says("Sign in with corp").await;
        window.click("a.button").await;
        say(window, "bob").await;
        window.until_at("/settings").await;
        window.until_it_says("bob of Corp").await;
    }
    assert_eq!(here.violations().await, Vec::<String>::new());
    assert_eq!(here.barriers().await, Vec::<String>::new());
    here.pictures("settings", &Screen::ALL).await;
    here.look(Screen::DESKTOP).await;
    for (page, name) in [("sessions", "Sessions"), ("accounts", "Accounts"), ("tokens", "Make one")]
    {
        here.go(&format!("{base}/settings/{page}")).await;
        here.until_it_says(name).await;
        assert_eq!(here.barriers().await, Vec::<String>::new(), "{page}");
        assert_eq!(here.violations().await, Vec::<String>::new(), "{page}");
        here.pictures(&format!("settings-{page}"), &[Screen::PHONE, Screen::DARK_DESKTOP]).await;
        here.look(Screen::DESKTOP).await;
    }
    // Again, because something wants it.
    here.go(&format!("{base}/login/again?return=/settings/sessions&within=10m")).await;
    here.until_it_says("at most 10m ago").await;
    assert_eq!(here.barriers().await, Vec::<String>::new());
    here.click("a.button").await;
    say(&here, "bob").await;
    here.until_at("/settings/sessions").await;
    here.click("form[action='/settings/sessions/end'] button.deny").await;
    here.until_it_says("this one").await;
    there.go(&format!("{base}/settings")).await;
    there.until_it_says("Sign in with corp").await;
    assert_eq!(there.barriers().await, Vec::<String>::new());
    there.pictures("login", &Screen::ALL).await;
    there.close().await;
    here.close().await;
}

#[tokio::test]
async fn a_person_links_their_other_account_in_a_browser() {
    let two = Two::found_at(Some("localhost")).await;
    let base = two.world.server.base().to_owned();
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::PHONE).await;
    window.go(&format!("{base}/login/corp/begin?next=/settings/accounts")).await;
    say(&window, "bob").await;
    window.until_it_says("Link your account at lab").await;
    assert_eq!(window.barriers().await, Vec::<String>::new());
    window.click("form[action='/settings/accounts/link'] button").await;
    window.until_it_says("You cannot undo this yourself").await;
    assert_eq!(window.barriers().await, Vec::<String>::new());
    window.pictures("link", &Screen::ALL).await;
    window.click("a.button").await;
    say(&window, "robert").await;
    window.until_it_says(&format!("{}#robert", two.other.url)).await;
    assert!(window.url().await.ends_with("/settings/accounts"));
    assert!(!window.text().await.contains("Link your account"), "one account at each");
    assert_eq!(window.violations().await, Vec::<String>::new());
    window.close().await;
}
