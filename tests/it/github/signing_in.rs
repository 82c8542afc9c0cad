//! The way of administrators to the page that makes the App.

use crate::pages::{Browser, field};
use crate::support::{Answer, Server, sent};

async fn signed_in(server: &Server, token: &str, next: &str) -> Answer {
    let call = server.stranger().call("POST", "/login").header("origin", server.base());
    sent(call.form(&[("token", token), ("next", next)])).await
}

fn leads(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.headers["location"].to_str().unwrap())
}

#[tokio::test]
async fn t65_whoever_has_to_sign_in_first_comes_back_to_the_page_of_the_app_and_nowhere_else() {
    let server = Server::start().await;
    let root = server.administrator().await;
    for (page, next, back) in [
        ("/admin/github", "github", "/admin/github"),
        ("/admin/github?organization=acme", "github:acme", "/admin/github?organization=acme"),
        // What is no name of an organization is left behind.
        ("/admin/github?organization=a%2F%2Fevil.example", "github", "/admin/github"),
        ("/admin/github?organization=acme%26x%3Dy", "github", "/admin/github"),
    ] {
        let answer = server.stranger().get(page).await;
        assert_eq!(leads(&answer), (303, format!("/login?next={next}").as_str()), "{page}");
        let path = leads(&answer).1.to_owned();
        let login = server.stranger().get(&path).await.is(200).text;
        assert_eq!(field(&login, "next"), next);
        assert_eq!(leads(&signed_in(&server, root.token(), next).await), (303, back), "{page}");
    }
    for hostile in [
        "/admin/github",
        "github:",
        "github://evil.example",
        "github:/evil.example",
        "github:a/../..//evil.example",
        "github:acme\r\nLocation: https://evil.example",
        "github:acme&next=https://evil.example",
        "github@evil.example",
        "GITHUB",
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
    ] {
        let answer = signed_in(&server, root.token(), hostile).await;
        assert_eq!(leads(&answer), (303, "/"), "{hostile}");
        let login = server.stranger().call("GET", "/login").query(&[("next", hostile)]);
        let login = sent(login).await.is(200).text;
        assert!(!login.contains("evil") && !login.contains("name=\"next\""), "{hostile}");
    }
}

#[tokio::test]
async fn administrators_find_the_app_in_the_menu_and_others_do_not() {
    let server = Server::start().await;
    let link = "<a href=\"/admin/github\">GitHub App</a>";
    let alice = Browser::of(&server, "alice").await;
    assert!(!alice.get("/").await.is(200).text.contains(link));
    let root = server.administrator().await;
    let answer = signed_in(&server, root.token(), "").await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let root = Browser { caller: server.stranger(), base: server.base().to_owned(), cookie };
    assert!(root.get("/").await.is(200).text.contains(link));
}
