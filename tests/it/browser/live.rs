//! Pages that stay true while somebody looks at them: what comes, goes and changes does so without the
//! page being read again, and takes nothing away from whoever reads and types.

use serde_json::json;

use super::pages::filed;
use super::sign_in;
use crate::support::{Chromium, Screen, Server, Setup, Window, fresh_key};

/// Something on the page that would be gone if it had been loaded again.
async fn mark(window: &Window) {
    window.run("window.mine = 1").await;
}

async fn is_marked(window: &Window) -> bool {
    window.run("return window.mine === 1").await == json!(true)
}

async fn decide(server: &Server, name: &str, id: &str, verdict: &str) {
    let who = server.person(name).await;
    let digest = who.client.request(id).await.unwrap().digest;
    let body = json!({"verdict": verdict, "digest": digest, "comment": "as discussed"});
    who.post(&format!("/v1/requests/{id}/reviews"), &body).await.is(200);
}

/// Waits until this script says so.
async fn until(window: &Window, what: &str, script: &str) {
    let waiting = format!(
        "return new Promise(done => {{ let tries = 0; const look = () => {{ if ({script}) done(true); \
         else if (tries++ > 1500) done(false); else setTimeout(look, 10); }}; look(); }})"
    );
    assert_eq!(window.run(&waiting).await, json!(true), "{what}: {}", window.text().await);
}

#[tokio::test]
async fn what_is_asked_comes_into_an_open_inbox_and_goes_when_it_is_decided() {
    let server = Server::for_browsers(Setup::default()).await;
    let first = filed(&server, "Resize the orders database").await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    sign_in(&window, &server, "bob").await;
    mark(&window).await;
    window.write("#q", "half a wo").await;
    let second = filed(&server, "Rotate the certificates").await;
    window.until_it_says("Rotate the certificates").await;
    assert!(is_marked(&window).await, "the page was loaded again");
    let typed =
        window.run("return [document.activeElement.id, document.getElementById('q').value]").await;
    assert_eq!(typed, json!(["q", "half a wo"]));
    until(&window, "the title", "document.title.startsWith('(2) Inbox')").await;
    let told = "document.getElementById('said').textContent.includes('1 new')";
    until(&window, "those who hear the page", told).await;
    // Whoever stands on a row that goes is put on the next one, not nowhere.
    window.run(&format!("document.getElementById('to-{first}').focus()")).await;
    decide(&server, "carol", &first, "deny").await;
    let gone = format!("!document.getElementById('row-{first}')");
    until(&window, "it goes", &gone).await;
    let focused = window.run("return document.activeElement.id").await;
    assert_eq!(focused, json!(format!("to-{second}")));
    assert!(is_marked(&window).await);
    assert_eq!(window.violations().await, Vec::<String>::new());
}

#[tokio::test]
async fn two_who_look_at_one_request_see_each_others_reviews() {
    let server = Server::for_browsers(Setup::default()).await;
    let id = filed(&server, "Resize the orders database").await;
    let chromium = Chromium::start().await;
    let (bob, carol) =
        (chromium.window(Screen::DESKTOP).await, chromium.window(Screen::PHONE).await);
    for (window, name) in [(&bob, "bob"), (&carol, "carol")] {
        sign_in(window, &server, name).await;
        window.go(&format!("{}/requests/{id}", server.base())).await;
        mark(window).await;
    }
    carol.write("#comment", "I look at it with ").await;
    carol.run("document.querySelector('.fold').open = true").await;
    bob.write("#comment", "go on").await;
    bob.click("button[value='approve']").await;
    bob.until_it_says("Waits for a decision: 1 of 2 approvals").await;
    carol.until_it_says("approved: bob").await;
    assert!(is_marked(&carol).await, "the page was loaded again");
    carol.write("#comment", "care").await;
    let kept = carol.run(
        "return [document.getElementById('comment').value, document.querySelector('.fold').open]",
    );
    assert_eq!(kept.await, json!(["I look at it with care", true]));
    let told = "document.getElementById('said').textContent.includes('1 of 2 approvals')";
    until(&carol, "those who hear the page", told).await;
    carol.click("button[value='approve']").await;
    bob.until_it_says("approved: bob, carol").await;
    bob.until_it_says("Approved, not yet used").await;
    assert_eq!(super::pages::state(&server, &id).await, "approved");
}

#[tokio::test]
async fn what_somebody_types_outlives_the_decision_and_cannot_be_sent_any_more() {
    let server = Server::for_browsers(Setup::default()).await;
    let id = filed(&server, "Resize the orders database").await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    sign_in(&window, &server, "bob").await;
    window.go(&format!("{}/requests/{id}", server.base())).await;
    window.write("#comment", "a long thought").await;
    decide(&server, "carol", &id, "deny").await;
    window.until_it_says("It was decided meanwhile").await;
    let kept = "return [document.getElementById('comment').value, \
        [...document.querySelectorAll('#decide-form button')].every(button => button.disabled)]";
    assert_eq!(window.run(kept).await, json!(["a long thought", true]));
    assert_eq!(window.barriers().await, Vec::<String>::new());
}

#[tokio::test]
async fn t63_a_session_that_ends_elsewhere_ends_on_an_open_page() {
    let server = Server::for_browsers(Setup::default()).await;
    let id = filed(&server, "Resize").await;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    let (_, code) = server.authority.seed_person("bob").await.unwrap();
    let session = server.authority.sign_in_by_code(code.expose()).await.unwrap();
    window.go(&format!("{}/login", server.base())).await;
    let cookie = json!({
        "name": "assent", "value": session.expose(), "url": server.base(), "httpOnly": true,
    });
    window.protocol("Network.setCookie", cookie).await;
    window.go(&format!("{}/requests/{id}", server.base())).await;
    window.until_it_says("Your decision").await;
    let access = format!("acc_{}", session.expose().split('_').nth(1).unwrap());
    let root = server.administrator().await;
    root.client.revoke_access(&access, &fresh_key()).await.unwrap();
    window.until_it_says("You are signed out").await;
    filed(&server, "nothing for whoever is signed out").await;
    let disabled = "[...document.querySelectorAll('.decide button')].every(one => one.disabled)";
    until(&window, "nobody can decide", disabled).await;
}

#[tokio::test]
async fn an_inbox_is_walked_with_keys_and_they_can_be_switched_off() {
    let server = Server::for_browsers(Setup::default()).await;
    let mut both = [
        filed(&server, "Resize the orders database").await,
        filed(&server, "Rotate the certificates").await,
    ];
    // Of two that end at one moment the id decides, and of those of one millisecond chance does.
    both.sort();
    let [first, second] = both;
    let chromium = Chromium::start().await;
    let window = chromium.window(Screen::DESKTOP).await;
    sign_in(&window, &server, "bob").await;
    let focused = async || window.run("return document.activeElement.id").await;
    window.press("j").await;
    assert_eq!(focused().await, json!(format!("to-{first}")));
    window.press("jj").await;
    assert_eq!(focused().await, json!(format!("to-{second}")));
    window.press("k").await;
    assert_eq!(focused().await, json!(format!("to-{first}")));
    window.press("/").await;
    assert_eq!(focused().await, json!("q"));
    window.press("jk").await;
    assert_eq!(window.run("return document.getElementById('q').value").await, json!("jk"));
    window.run("document.activeElement.blur()").await;
    window.press("?").await;
    assert_eq!(window.run("return document.getElementById('keys').open").await, json!(true));
    assert_eq!(window.barriers().await, Vec::<String>::new());
    window.click("#keys-on").await;
    window.press("\u{E00C}").await;
    window.press("j").await;
    assert_ne!(focused().await, json!(format!("to-{first}")), "they are switched off");
    window.run("document.getElementById('keys-on').click()").await;
    window.run("document.activeElement.blur()").await;
    window.press("j\u{E007}").await;
    window.until_at(&format!("/requests/{first}")).await;
}
