//! Signing in with GitHub, as it documents its OAuth.

use std::sync::{Arc, Mutex};

use assent_core::time::Span;
use assent_server::issuers::Reach;
use serde_json::{Value, json};

use super::world::{Browser, settings};
use crate::support::passkey::Soft;
use crate::support::{Answer, Reply, Server, Setup, StandIn};

/// GitHub, as far as people sign in with it.
struct Github {
    server: Server,
    url: String,
    service: StandIn,
    member: Arc<Mutex<(u16, Value)>>,
}

impl Github {
    async fn start(comes_in: &str) -> Self {
        let member = Arc::new(Mutex::new((200, json!({"state": "active"}))));
        let membership = Arc::clone(&member);
        let service = StandIn::start(move |asked| {
            let (status, membership) = membership.lock().unwrap().clone();
            Box::pin(async move {
                let path = asked.path.clone();
                match path.as_str() {
                    "/login/oauth/access_token" => {
                        let form = String::from_utf8(asked.body.clone()).unwrap();
                        match form.contains("code=good") && form.contains("code_verifier=") {
                            true => Reply::new(
                                200,
                                r#"{"access_token":"gho_x","token_type":"bearer","scope":"read:org"}"#,
                            ),
                            false => Reply::new(200, r#"{"error":"bad_verification_code"}"#),
                        }
                    }
                    "/api/v3/user" if asked.bearer() == "gho_x" => {
                        Reply::new(200, r#"{"id":4711,"login":"octocat","name":null}"#)
                    }
                    "/api/v3/user/memberships/orgs/acme" if asked.bearer() == "gho_x" => {
                        Reply::new(status, membership.to_string())
                    }
                    _ => Reply::new(401, "{}"),
                }
            })
        })
        .await;
        let url = service.url.clone();
        let sign_in = settings(&format!(
            "providers:\n  github: {{type: github, url: '{url}', client_id: Iv1, \
             client_secret_env: SECRET, {comes_in}}}\n"
        ));
        let reach = Reach { loopback: true, ..Reach::default() };
        let server = Server::for_browsers(Setup { sign_in, reach, ..Setup::default() }).await;
        Self { server, url, service, member }
    }

    async fn sign_in(&self, code: &str) -> (Browser, Answer) {
        let mut browser = Browser::new(&self.server);
        let to = browser.led("/login/github/begin").await;
        let url = url::Url::parse(&to).unwrap();
        assert!(to.starts_with(&format!("{}/login/oauth/authorize?", self.url)), "{to}");
        let sent =
            |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        assert_eq!(sent("code_challenge_method"), "S256");
        let state = sent("state");
        let path = format!("/login/github/callback?code={code}&state={state}");
        let answer = browser.get(&path).await;
        (browser, answer)
    }
}

#[tokio::test]
async fn t09_somebody_of_github_is_the_number_of_their_account() {
    let github = Github::start("organizations: [acme]").await;
    let (mut browser, answer) = github.sign_in("good").await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let page = browser.get("/settings").await.is(200).text;
    assert!(page.contains(&format!("{}#4711", github.url)), "{page}");
    assert!(page.contains("octocat") && page.contains("not lately"), "{page}");
    // GitHub says of nobody when they proved who they are: it proves no recent sign-in.
    let asked: Vec<_> = github.service.asked().into_iter().map(|asked| asked.path).collect();
    let all = ["/login/oauth/access_token", "/api/v3/user", "/api/v3/user/memberships/orgs/acme"];
    assert_eq!(asked, all);
}

#[tokio::test]
async fn whoever_is_in_no_organization_that_comes_in_stays_outside() {
    let github = Github::start("organizations: [acme]").await;
    for (status, answer, wanted) in [
        (200, json!({"state": "pending"}), 403),
        (404, json!({"message": "Not Found"}), 403),
        (403, json!({"message": "Resource not accessible"}), 403),
        (200, json!({}), 403),
        (500, json!({}), 502),
    ] {
        *github.member.lock().unwrap() = (status, answer.clone());
        let (browser, told) = github.sign_in("good").await;
        assert_eq!(told.status, wanted, "{status} {answer}: {}", told.text);
        assert!(browser.cookie("assent").is_none(), "{status} {answer}");
    }
    let (browser, told) = github.sign_in("bad").await;
    assert_eq!(told.status, 403, "{}", told.text);
    assert!(told.text.contains("bad_verification_code"));
    assert!(browser.cookie("assent").is_none());
    let open = Github::start("anyone: true").await;
    *open.member.lock().unwrap() = (404, json!({}));
    let (mut browser, answer) = open.sign_in("good").await;
    assert_eq!(answer.status, 303);
    let page = browser.get("/settings/accounts").await.is(200).text;
    assert!(page.contains("anyone has an account") && page.contains("ties the two"), "{page}");
}

/// GitHub never says when somebody proved who they are: what counts is when they came back from it.
#[tokio::test]
async fn t70_whoever_came_back_from_github_just_now_enrols_a_passkey() {
    let github = Github::start("organizations: [acme]").await;
    let (mut browser, answer) = github.sign_in("good").await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let soft = Soft::new(-7);
    github.server.time().pass(Span::minutes(4));
    browser.enrol(&soft).await.is(303);
    let page = browser.get("/settings/passkeys").await.is(200).text;
    assert!(page.contains("Add a passkey"), "{page}");
    assert!(!page.contains("vouch"), "it gives no ID tokens: {page}");
    github.server.time().pass(Span::minutes(1));
    let page = browser.get("/settings/passkeys").await.is(200).text;
    assert!(page.contains("/login/again?return=/settings/passkeys"), "{page}");
    browser.begin_enrolment().await.refuses(403, "sign_in_again");
}

#[tokio::test]
async fn t65_whoever_github_vouches_for_is_not_sent_round_for_what_it_never_says() {
    let github = Github::start("organizations: [acme]").await;
    let (mut browser, _) = github.sign_in("good").await;
    let page = browser.get("/login/again?return=/history&within=10m").await.is(200).text;
    assert!(
        page.contains("at most 10 min ago") && page.contains("never says when or how"),
        "{page}"
    );
    assert!(!page.contains("/login/github/again") && page.contains("Add a passkey"), "{page}");
    browser.enrol(&Soft::new(-7)).await.is(303);
    let page = browser.get("/login/again?return=/history&within=10m").await.is(200).text;
    assert!(page.contains("action=\"/login/passkey/again\""), "{page}");
    // To link an account, begin at the other.
    let link = browser.get("/login/again?return=/settings/accounts&within=5m").await.is(200).text;
    assert!(link.contains("Begin at your other account"), "{link}");
    assert!(!link.contains("/login/passkey/again"), "{link}");
    // What wants nothing of that kind is met by coming back from it.
    let plain = browser.get("/login/again?return=/settings/tokens").await.is(200).text;
    assert!(plain.contains("/login/github/again"), "{plain}");
}
