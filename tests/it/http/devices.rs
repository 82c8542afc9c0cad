//! Programs that people let in by their browsers (RFC 8628): codes, verdicts, and who is not let in.

use std::net::IpAddr;
use std::path::Path;
use std::process::{Output, Stdio};

use assent_client::Secret;
use assent_core::policy::situation::Network;
use assent_core::time::Span;
use assent_server::app::DeviceError;
use assent_server::network::Proxies;
use assent_server::rates::{Rate, Rates};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::pages::{Browser, field};
use crate::support::{
    Answer, Binary, Caller, Server, Setup, approve, filing, fresh_key, program, sent, until,
};

const CLIENT: (&str, &str) = ("client_id", "assent-cli");
const GRANT: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");

/// What a program is given that begins to wait.
struct Begun {
    device_code: String,
    user_code: String,
}

async fn begun(server: &Server) -> Begun {
    let answer = server.stranger().form("/oauth/device_authorization", &[CLIENT]).await.is(200);
    Begun { device_code: answer.str("device_code"), user_code: answer.str("user_code") }
}

async fn polled(server: &Server, device_code: &str) -> Answer {
    server.stranger().form("/oauth/token", &[GRANT, ("device_code", device_code), CLIENT]).await
}

#[track_caller]
fn told(answer: &Answer, error: &str) {
    assert_eq!((answer.status, answer.str("error")), (400, error.to_owned()), "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "no-store", "{answer:?}");
}

impl Browser {
    /// Sends a form of the page, with this token of the session.
    async fn send(&self, path: &str, csrf: &str, fields: &[(&str, &str)]) -> Answer {
        let fields: Vec<_> = [("csrf", csrf)].into_iter().chain(fields.iter().copied()).collect();
        let call = self.caller.call("POST", path).header("cookie", &self.cookie);
        sent(call.header("origin", &self.base).form(&fields)).await
    }

    /// Types a code.
    async fn types(&self, code: &str) -> Answer {
        let csrf = field(&self.get("/device").await.is(200).text, "csrf");
        self.send("/device", &csrf, &[("code", code)]).await
    }

    /// Types a code and answers what is asked then.
    async fn answers(&self, code: &str, verdict: &str) -> Answer {
        let page = self.types(code).await.is(200).text;
        let (csrf, code) = (field(&page, "csrf"), field(&page, "code"));
        self.send("/device/answer", &csrf, &[("code", &code), ("verdict", verdict)]).await
    }

    /// Signs in with this token.
    async fn with_token(server: &Server, token: &str) -> Self {
        let answer = signed_in(server, token, "").await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { caller: server.stranger(), base: server.base().to_owned(), cookie }
    }
}

async fn signed_in(server: &Server, token: &str, next: &str) -> Answer {
    let call = server.stranger().call("POST", "/login").header("origin", server.base());
    sent(call.form(&[("token", token), ("next", next)])).await
}

async fn let_in(server: &Server, browser: &Browser) -> Caller {
    let Begun { device_code, user_code } = begun(server).await;
    browser.answers(&user_code, "approve").await.is(200);
    let token = polled(server, &device_code).await.is(200).str("access_token");
    server.holder_of(&token)
}

#[tokio::test]
async fn a_person_lets_a_program_in_and_it_is_them() {
    let server = Server::start().await;
    let answer = server.stranger().form("/oauth/device_authorization", &[CLIENT]).await.is(200);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let given = answer.json();
    assert_eq!((&given["expires_in"], &given["interval"]), (&json!(600), &json!(2)));
    assert_eq!(given["verification_uri"], format!("{}/device", server.base()));
    assert!(given.get("verification_uri_complete").is_none(), "a link can be sent to somebody");
    let (device, user) = (answer.str("device_code"), answer.str("user_code"));
    told(&polled(&server, &device).await, "authorization_pending");
    let bob = Browser::of(&server, "bob").await;
    let page = bob.types(&user.to_lowercase().replace('-', " ")).await.is(200).text;
    for shown in [
        user.as_str(),
        "<span class=\"person\">bob</span>?",
        "127.0.0.1",
        "12 h",
        "Only if you ran",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("It is not where you are") && !page.contains("administer"), "{page}");
    assert!(bob.answers(&user, "approve").await.is(200).text.contains("is let in"));
    let answer = polled(&server, &device).await.is(200);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let given = answer.json();
    assert_eq!((&given["token_type"], &given["expires_in"]), (&json!("Bearer"), &json!(43_200)));
    let program = server.holder_of(&answer.str("access_token"));
    let who = program.client.whoami().await.unwrap();
    assert_eq!((who.principal.sub.as_str(), who.administrator), ("bob", false));
    // It may what bob may.
    let alice = server.person("alice").await;
    let filed = alice.client.file(&filing("one", "r"), &fresh_key()).await.unwrap();
    assert_eq!(approve(&program, &filed).await.unwrap().state, "approved");
    server.time().pass(Span::hours(12));
    program.client.whoami().await.unwrap_err();
}

#[tokio::test]
async fn it_is_on_record_who_let_a_program_in_and_from_where() {
    let server = Server::start().await;
    let bob = Browser::of(&server, "bob").await;
    let program = let_in(&server, &bob).await;
    let entries = server.authority.ledger().entries(0, 100).await.unwrap();
    let entry = entries.last().unwrap();
    assert_eq!((&entry["type"], &entry["by"]["sub"]), (&json!("access_issued"), &json!("bob")));
    let here = json!("127.0.0.1");
    assert_eq!(entry["device"], json!({"asked_from": here, "approved_from": here}));
    let root = server.administrator().await;
    let listed = root.client.access_list().await.unwrap().tokens;
    let id = entry["access"]["id"].as_str().unwrap();
    let one = listed.iter().find(|one| one.id == id).unwrap();
    assert_eq!(one.device.as_deref(), Some("127.0.0.1"));
    // Its holder ends it by themselves.
    program.client.revoke_access(id, &fresh_key()).await.unwrap();
    program.client.whoami().await.unwrap_err();
}

#[tokio::test]
async fn the_record_of_a_program_survives_a_restart_and_what_waits_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ledger.sqlite");
    let server = Server::on_file(&file).await;
    let bob = Browser::of(&server, "bob").await;
    let program = let_in(&server, &bob).await;
    let waiting = begun(&server).await;
    let remains = server.stop().await;
    let server = Server::on_file_again(&file, remains, crate::support::POLICY).await;
    program.client.whoami().await.unwrap();
    told(&polled(&server, &waiting.device_code).await, "invalid_grant");
    let refused = server.authority.sign_in_by_token(program.token()).await.unwrap_err();
    assert!(refused.to_string().contains("assent login"), "{refused}");
}

#[tokio::test]
async fn of_many_polls_after_a_yes_one_gets_the_token() {
    let server = Server::start().await;
    let Begun { device_code, user_code } = begun(&server).await;
    Browser::of(&server, "bob").await.answers(&user_code, "approve").await.is(200);
    let (mut given, mut polls) = (0, JoinSet::new());
    for _ in 0..16 {
        let (caller, code) = (server.stranger(), device_code.clone());
        polls.spawn(async move {
            caller.form("/oauth/token", &[GRANT, ("device_code", &code), CLIENT]).await
        });
    }
    while let Some(answer) = polls.join_next().await {
        let answer = answer.unwrap();
        match answer.status {
            200 => given += 1,
            _ => told(&answer, "invalid_grant"),
        }
    }
    assert_eq!(given, 1);
}

#[tokio::test]
async fn t11_a_yes_counts_only_while_its_session_does() {
    let server = Server::start().await;
    let root = server.administrator().await;
    let told_of = async |name: &str, state: &str| {
        let about = json!({"person": {"iss": "assent:local", "sub": name}});
        let signal = json!({"about": about, "state": state, "reason": "r"});
        root.post("/v1/signals", &signal).await.is(201);
    };
    for ending in ["signed out", "risky", "suspended", "its token"] {
        let name = ending.replace(' ', "-");
        let person = server.person(&name).await;
        let browser = Browser::with_token(&server, person.token()).await;
        let Begun { device_code, user_code } = begun(&server).await;
        browser.answers(&user_code, "approve").await.is(200);
        match ending {
            "signed out" => {
                let csrf = field(&browser.get("/device").await.text, "csrf");
                browser.send("/logout", &csrf, &[]).await.is(303);
            }
            "its token" => {
                let listed = root.client.access_list().await.unwrap().tokens;
                let mine =
                    listed.iter().find(|one| one.principal.sub == name && one.purpose == "token");
                root.client.revoke_access(&mine.unwrap().id, &fresh_key()).await.unwrap();
            }
            state => told_of(&name, state).await,
        }
        told(&polled(&server, &device_code).await, "access_denied");
        let entries = server.authority.ledger().entries(0, 1_000).await.unwrap();
        assert!(entries.iter().all(|entry| entry.get("device").is_none()), "{ending}");
        told(&polled(&server, &device_code).await, "invalid_grant");
    }
}

#[tokio::test]
async fn what_a_browser_let_in_ends_with_the_sessions_of_its_person() {
    let server = Server::start().await;
    let bob = Browser::of(&server, "bob").await;
    let program = let_in(&server, &bob).await;
    program.client.whoami().await.unwrap();
    let about = json!({"person": {"iss": "assent:local", "sub": "bob"}});
    let signal = json!({"about": about, "state": "risky", "reason": "r"});
    server.administrator().await.post("/v1/signals", &signal).await.is(201);
    program.client.whoami().await.unwrap_err();
    server.time().pass(Span::seconds(1));
    let again = Browser::of(&server, "bob").await;
    let_in(&server, &again).await.client.whoami().await.unwrap();
}

#[tokio::test]
async fn t63_what_a_browser_let_in_makes_itself_no_longer_life() {
    let server = Server::start().await;
    let root = server.administrator().await;
    let browser = Browser::with_token(&server, root.token()).await;
    let program = let_in(&server, &browser).await;
    assert!(program.client.whoami().await.unwrap().administrator);
    for wanted in [
        json!({"sub": "root", "kind": "person", "administrator": true}),
        json!({"sub": "anybody", "kind": "person"}),
        json!({"sub": "ci", "kind": "workload", "administrator": true}),
    ] {
        program.post("/v1/access", &wanted).await.refuses(403, "not_for_programs");
    }
    program.post("/v1/access", &json!({"sub": "ci", "kind": "workload"})).await.is(201);
}

#[tokio::test]
async fn t24_nobody_is_both_a_person_and_a_workload() {
    let server = Server::start().await;
    let root = server.administrator().await;
    root.post("/v1/access", &json!({"sub": "siem", "kind": "workload"})).await.is(201);
    let answer = root.post("/v1/access", &json!({"sub": "siem", "kind": "person"})).await;
    assert!(answer.is(422).text.contains("`siem` is a workload here"));
    root.post("/v1/access", &json!({"sub": "siem", "kind": "workload"})).await.is(201);
}

#[tokio::test]
async fn a_no_is_told_and_stays() {
    let server = Server::start().await;
    let Begun { device_code, user_code } = begun(&server).await;
    let bob = Browser::of(&server, "bob").await;
    assert!(bob.answers(&user_code, "deny").await.is(200).text.contains("Denied"));
    told(&polled(&server, &device_code).await, "access_denied");
    // Nobody else says yes to it afterwards.
    let carol = Browser::of(&server, "carol").await;
    let page = carol.types(&user_code).await;
    assert_eq!(page.status, 409, "{}", page.text);
    told(&polled(&server, &device_code).await, "access_denied");
}

#[tokio::test]
async fn a_code_is_good_for_ten_minutes() {
    let server = Server::start().await;
    let Begun { device_code, user_code } = begun(&server).await;
    let bob = Browser::of(&server, "bob").await;
    server.time().pass(Span::minutes(10));
    assert_eq!(bob.types(&user_code).await.status, 409);
    told(&polled(&server, &device_code).await, "expired_token");
    server.time().pass(Span::minutes(10));
    begun(&server).await;
    told(&polled(&server, &device_code).await, "invalid_grant");
}

#[tokio::test]
async fn who_polls_too_often_is_told_to_slow_down() {
    let server = Server::start().await;
    let Begun { device_code, user_code } = begun(&server).await;
    told(&polled(&server, &device_code).await, "authorization_pending");
    told(&polled(&server, &device_code).await, "slow_down");
    server.time().pass(Span::seconds(6));
    told(&polled(&server, &device_code).await, "slow_down");
    Browser::of(&server, "bob").await.answers(&user_code, "approve").await.is(200);
    polled(&server, &device_code).await.is(200);
}

#[tokio::test]
async fn what_is_asked_must_be_what_is_offered() {
    let server = Server::start().await;
    let stranger = server.stranger();
    let device = "/oauth/device_authorization";
    told(&stranger.form(device, &[("x", "y")]).await, "invalid_request");
    told(&stranger.form(device, &[("client_id", "evil")]).await, "invalid_client");
    told(&stranger.form(device, &[CLIENT, ("scope", "admin")]).await, "invalid_scope");
    told(&stranger.form("/oauth/token", &[GRANT, CLIENT]).await, "invalid_request");
    told(&stranger.form("/oauth/token", &[GRANT, ("device_code", "x")]).await, "invalid_request");
    for nothing in ["x", "null", &"x".repeat(10_000), "\u{0}"] {
        told(&polled(&server, nothing).await, "invalid_grant");
    }
    // The code that people see is not the one that programs poll by.
    let Begun { user_code, .. } = begun(&server).await;
    told(&polled(&server, &user_code).await, "invalid_grant");
}

#[tokio::test]
async fn t62_only_the_pages_own_forms_let_a_program_in() {
    let server = Server::start().await;
    let Begun { device_code, user_code } = begun(&server).await;
    let (bob, carol) = (Browser::of(&server, "bob").await, Browser::of(&server, "carol").await);
    let page = bob.types(&user_code).await.is(200).text;
    let csrf = field(&page, "csrf");
    let carols = field(&carol.get("/device").await.text, "csrf");
    let fields = [("code", user_code.as_str()), ("verdict", "approve")];
    for wrong in ["", "x", &carols] {
        assert_eq!(bob.send("/device", wrong, &fields[..1]).await.status, 403);
        assert_eq!(bob.send("/device/answer", wrong, &fields).await.status, 403);
    }
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for path in ["/device", "/device/answer"] {
            let call = bob.caller.call("POST", path).header("cookie", &bob.cookie);
            let form = [("csrf", csrf.as_str()), fields[0], fields[1]];
            assert_eq!(sent(call.header(name, value).form(&form)).await.status, 403, "{value}");
        }
    }
    // Not by a link either, and not without a session.
    let by_link = bob.get(&format!("/device?code={user_code}&verdict=approve")).await.is(200);
    assert!(!by_link.text.contains(&user_code), "{}", by_link.text);
    assert_eq!(bob.get("/device/answer").await.status, 405);
    let answer = server.stranger().form("/device/answer", &fields).await;
    assert_eq!(
        (answer.status, &answer.headers["location"]),
        (303, &"/login?next=device".parse().unwrap())
    );
    told(&polled(&server, &device_code).await, "authorization_pending");
}

#[tokio::test]
async fn t62_a_program_elsewhere_is_shown_to_be_elsewhere() {
    let proxies = Proxies::new(vec!["127.0.0.0/8".parse().unwrap()], None);
    let server = Server::set_up(Setup { proxies, ..Setup::default() }).await;
    let from = |ip: &'static str| {
        server.stranger().call("POST", "/oauth/device_authorization").header("x-forwarded-for", ip)
    };
    let bob = Browser::of(&server, "bob").await;
    let csrf = field(&bob.get("/device").await.text, "csrf");
    let shown = async |ip: Option<&'static str>, code: &str| {
        let mut call = bob.caller.call("POST", "/device").header("cookie", &bob.cookie);
        if let Some(ip) = ip {
            call = call.header("x-forwarded-for", ip);
        }
        sent(call.form(&[("csrf", csrf.as_str()), ("code", code)])).await.is(200).text
    };
    let code = sent(from("203.0.113.9").form(&[CLIENT])).await.is(200).str("user_code");
    let page = shown(Some("198.51.100.7"), &code).await;
    for told in ["It is not where you are", "203.0.113.9", "198.51.100.7"] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!shown(Some("203.0.113.9"), &code).await.contains("It is not where you are"));
    // Where that is not known, it is not known to be the same.
    let nowhere = server.stranger().form("/oauth/device_authorization", &[CLIENT]).await;
    let page = shown(None, &nowhere.str("user_code")).await;
    assert!(page.contains("It is not where you are") && page.contains("unknown address"), "{page}");
}

#[tokio::test]
async fn t63_a_program_that_was_let_in_signs_no_browser_in() {
    let server = Server::start().await;
    let bob = Browser::of(&server, "bob").await;
    let program = let_in(&server, &bob).await;
    let answer = signed_in(&server, program.token(), "").await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.headers.get("set-cookie").is_none());
}

#[tokio::test]
async fn t63_what_was_given_ends_with_the_token_that_the_browser_was_signed_in_with() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let browser = Browser::with_token(&server, alice.token()).await;
    server.time().pass(Span::hours(7));
    let program = let_in(&server, &browser).await;
    // The browser's session ends after eight hours, the program's token after twelve.
    server.time().pass(Span::hours(11));
    program.client.whoami().await.unwrap();
    let root = server.administrator().await;
    let listed = root.client.access_list().await.unwrap().tokens;
    let first = listed.iter().find(|one| one.principal.sub == "alice" && one.device.is_none());
    root.client.revoke_access(&first.unwrap().id, &fresh_key()).await.unwrap();
    program.client.whoami().await.unwrap_err();
}

#[tokio::test]
async fn t63_a_token_lives_no_longer_than_the_one_behind_it() {
    let server = Server::start().await;
    let root = server.administrator().await;
    let wanted = json!({"kind": "person", "sub": "dave", "expires_after": "1h"});
    let made = root.post("/v1/access", &wanted).await.is(201).str("token");
    let browser = Browser::with_token(&server, &made).await;
    server.time().pass(Span::minutes(20));
    let Begun { device_code, user_code } = begun(&server).await;
    let page = browser.types(&user_code).await.is(200).text;
    assert!(page.contains("40 min"), "{page}");
    browser.answers(&user_code, "approve").await.is(200);
    assert_eq!(polled(&server, &device_code).await.is(200).json()["expires_in"], 2400);
}

#[tokio::test]
async fn an_administrator_is_told_what_they_give_away() {
    let server = Server::start().await;
    let root = server.administrator().await;
    let browser = Browser::with_token(&server, root.token()).await;
    let Begun { device_code, user_code } = begun(&server).await;
    let page = browser.types(&user_code).await.is(200).text;
    assert!(page.contains("administer the server"), "{page}");
    browser.answers(&user_code, "approve").await.is(200);
    let token = polled(&server, &device_code).await.is(200).str("access_token");
    assert!(server.holder_of(&token).client.whoami().await.unwrap().administrator);
}

#[tokio::test]
async fn only_people_let_programs_in() {
    let server = Server::start().await;
    let robot = server.workload("robot", &[]).await;
    let browser = Browser::with_token(&server, robot.token()).await;
    let Begun { device_code, user_code } = begun(&server).await;
    assert_eq!(browser.types(&user_code).await.status, 403);
    told(&polled(&server, &device_code).await, "authorization_pending");
}

#[tokio::test]
async fn t64_no_other_page_frames_the_one_that_lets_programs_in() {
    let server = Server::start().await;
    let bob = Browser::of(&server, "bob").await;
    let Begun { user_code, .. } = begun(&server).await;
    for page in [bob.get("/device").await, bob.types(&user_code).await] {
        assert_eq!(page.headers["x-frame-options"], "DENY");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"));
        assert_eq!(page.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn t65_after_signing_in_a_person_goes_where_the_pages_lead_and_nowhere_else() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let page = server.stranger().get("/device").await;
    assert_eq!(
        (page.status, page.headers["location"].to_str().unwrap()),
        (303, "/login?next=device")
    );
    let login = server.stranger().get("/login?next=device").await.is(200).text;
    assert_eq!(field(&login, "next"), "device");
    for (next, leads) in [
        ("device", "/device"),
        ("", "/"),
        ("/device", "/"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("device@evil.example", "/"),
        ("javascript:alert(1)", "/"),
    ] {
        let answer = signed_in(&server, alice.token(), next).await;
        assert_eq!(
            (answer.status, answer.headers["location"].to_str().unwrap()),
            (303, leads),
            "{next}"
        );
        let login = server.stranger().call("GET", "/login").query(&[("next", next)]);
        assert!(!sent(login).await.is(200).text.contains("evil"), "{next}");
    }
}

#[tokio::test]
async fn t66_no_code_and_no_token_is_kept_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ledger.sqlite");
    let server = Server::on_file(&file).await;
    let Begun { device_code, user_code } = begun(&server).await;
    let bob = Browser::of(&server, "bob").await;
    bob.answers(&user_code, "approve").await.is(200);
    let token = polled(&server, &device_code).await.is(200).str("access_token");
    let told = format!("{:?}", server.authority);
    server.stop().await;
    let lock = std::fs::File::open(file.with_extension("lock")).unwrap();
    until("the end of the writer", || lock.try_lock().is_ok()).await;
    let secrets = [device_code.as_str(), user_code.as_str(), token.as_str()];
    let mut texts = vec![told.into_bytes()];
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        texts.push(std::fs::read(entry.unwrap().path()).unwrap());
    }
    for secret in secrets {
        let found =
            |text: &Vec<u8>| text.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!texts.iter().any(found), "{secret} is kept");
    }
}

#[tokio::test]
async fn t68_who_begins_too_often_is_asked_to_wait() {
    let devices = Rate { burst: 3, each: Span::seconds(6) };
    let rates = Rates { devices, ..Rates::default() };
    let proxies = Proxies::new(vec!["127.0.0.0/8".parse().unwrap()], None);
    let server = Server::set_up(Setup { rates, proxies, ..Setup::default() }).await;
    let from = async |ip: &str| {
        let call = server.stranger().call("POST", "/oauth/device_authorization");
        sent(call.header("x-forwarded-for", ip).form(&[CLIENT])).await
    };
    for _ in 0..3 {
        from("203.0.113.9").await.is(200);
    }
    let answer = from("203.0.113.9").await;
    assert_eq!((answer.status, answer.str("error").as_str()), (429, "temporarily_unavailable"));
    assert_eq!(answer.headers["retry-after"], "6");
    assert_eq!(answer.headers["content-type"], "application/json");
    assert!(!answer.str("error_description").is_empty(), "{answer:?}");
    from("203.0.113.10").await.is(200);
    server.time().pass(Span::seconds(6));
    from("203.0.113.9").await.is(200);
}

/// A program that begins at this address.
fn begun_at(server: &Server, ip: [u8; 4]) -> Result<Begun, DeviceError> {
    let network = Network { ip: Some(IpAddr::from(ip)), country: None };
    let given = server.authority.begin_device(&network)?;
    Ok(Begun { device_code: given.device_code, user_code: given.user_code })
}

/// Strangers at this many addresses, each in a block of its own, begin as often as they may.
fn flood(server: &Server, addresses: u8) -> usize {
    let begins = |n| (0..20).filter(|_| begun_at(server, [203, 0, n, 9]).is_ok()).count();
    (0..addresses).map(begins).sum()
}

#[tokio::test]
async fn t68_strangers_who_hold_every_place_keep_nobody_elsewhere_out() {
    let server = Server::start().await;
    let before = begun(&server).await;
    assert!(flood(&server, 205) > 4_000);
    // Who is there stays, and a person elsewhere gets in, also while the flood goes on.
    told(&polled(&server, &before.device_code).await, "authorization_pending");
    let begun = begun_at(&server, [198, 51, 100, 7]).unwrap();
    server.time().pass(Span::minutes(2));
    flood(&server, 20);
    let bob = Browser::of(&server, "bob").await;
    bob.answers(&begun.user_code, "approve").await.is(200);
    server.time().pass(Span::minutes(2));
    flood(&server, 20);
    polled(&server, &begun.device_code).await.is(200);
}

#[tokio::test]
async fn t68_where_most_wait_others_of_that_network_are_told_so_and_what_is_over_makes_room() {
    let server = Server::start().await;
    for _ in 0..2 {
        // One block holds every place, at as many addresses as it has.
        (0..=255).for_each(|n| (0..16).for_each(|_| drop(begun_at(&server, [203, 0, 113, n]))));
        let told = begun_at(&server, [203, 0, 113, 9]).err().unwrap();
        assert!(matches!(told, DeviceError::Full), "{told}");
        assert!(told.to_string().contains("your network"), "{told}");
        begun_at(&server, [203, 0, 112, 9]).unwrap();
        server.time().pass(Span::minutes(10));
        begun_at(&server, [203, 0, 113, 9]).unwrap();
    }
}

#[tokio::test]
async fn t68_nobody_tries_codes_out() {
    let server = Server::start().await;
    let bob = Browser::of(&server, "bob").await;
    for _ in 0..10 {
        assert_eq!(bob.types("BBBB-BBBB").await.status, 404);
    }
    let Begun { user_code, .. } = begun(&server).await;
    assert_eq!(bob.types(&user_code).await.status, 429);
    // It is bob who has to wait, not everybody.
    Browser::of(&server, "carol").await.types(&user_code).await.is(200);
    server.time().pass(Span::seconds(12));
    bob.types(&user_code).await.is(200);
    assert_eq!(bob.types("not a code").await.status, 422);
}

/// The command line, at home in this directory.
fn assent(home: &Path, base: &str, words: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(words).env_clear().env("HOME", home).env("ASSENT_URL", base);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

fn talk(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A browser of the real server.
async fn browser_of(binary: &Binary, name: &str) -> Browser {
    let token = &binary.tokens[name];
    let caller = Caller::new(&binary.base, None);
    let call = caller.call("POST", "/login").header("origin", &binary.base);
    let answer = sent(call.form(&[("token", token)])).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    Browser { caller, base: binary.base.clone(), cookie }
}

/// Runs `assent login` until it has shown its code, has bob answer, and waits for its end.
async fn log_in(home: &Path, binary: &Binary, bob: &Browser, verdict: &str) -> Output {
    let mut child = assent(home, &binary.base, &["login"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut told = Vec::new();
    let code = loop {
        let line = lines.next_line().await.unwrap().expect("no code is shown");
        let word = line.trim().to_owned();
        told.push(line);
        if word.len() == 9 && word.as_bytes()[4] == b'-' {
            break word;
        }
    };
    assert!(told[0].contains(&format!("{}/device", binary.base)), "{told:?}");
    bob.answers(&code, verdict).await.is(200);
    while let Some(line) = lines.next_line().await.unwrap() {
        told.push(line);
    }
    let ended = child.wait_with_output().await.unwrap();
    Output { stderr: told.join("\n").into_bytes(), ..ended }
}

#[tokio::test]
async fn assent_login_signs_in_by_a_browser_and_assent_logout_ends_it() {
    let directory = tempfile::tempdir().unwrap();
    let (data, policy) = (directory.path().join("data"), directory.path().join("policy"));
    std::fs::create_dir(&policy).unwrap();
    std::fs::write(policy.join("p.yaml"), crate::support::POLICY).unwrap();
    let home = directory.path().join("home");
    let binary = Binary::start(&data, &policy).await;
    let bob = browser_of(&binary, "bob").await;
    let denied = log_in(&home, &binary, &bob, "deny").await;
    assert_eq!(denied.status.code(), Some(1), "{}", talk(&denied));
    assert!(talk(&denied).contains("denied in the browser"), "{}", talk(&denied));
    let ended = log_in(&home, &binary, &bob, "approve").await;
    assert_eq!(ended.status.code(), Some(0), "{}", talk(&ended));
    assert!(talk(&ended).contains("as bob"), "{}", talk(&ended));
    let saved = home.join(".config/assent/login.json");
    let kept: Value = serde_json::from_slice(&std::fs::read(&saved).unwrap()).unwrap();
    assert_eq!(kept["own"], true);
    let token = Secret::new(kept["token"].as_str().unwrap().to_owned());
    assert!(!talk(&ended).contains(token.expose()), "the token is shown to nobody");
    let who = assent(&home, "", &["whoami"]).output().await.unwrap();
    assert!(
        String::from_utf8(who.stdout).unwrap().contains("bob"),
        "{}",
        String::from_utf8_lossy(&who.stderr)
    );
    let caller = Caller::new(&binary.base, Some(token.expose()));
    caller.client.whoami().await.unwrap();
    let out = assent(&home, "", &["logout"]).output().await.unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", talk(&out));
    assert!(!saved.exists());
    caller.client.whoami().await.unwrap_err();
}

#[tokio::test]
async fn a_token_that_is_there_already_is_saved_and_outlives_the_logout() {
    let directory = tempfile::tempdir().unwrap();
    let (data, policy) = (directory.path().join("data"), directory.path().join("policy"));
    std::fs::create_dir(&policy).unwrap();
    std::fs::write(policy.join("p.yaml"), crate::support::POLICY).unwrap();
    let home = directory.path().join("home");
    let binary = Binary::start(&data, &policy).await;
    let token = &binary.tokens["alice"];
    let mut login = assent(&home, &binary.base, &["login"]);
    let ended = login.env("ASSENT_TOKEN", token).output().await.unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", talk(&ended));
    let out = assent(&home, "", &["logout"]).output().await.unwrap();
    assert!(talk(&out).contains("ends at its time"), "{}", talk(&out));
    Caller::new(&binary.base, Some(token)).client.whoami().await.unwrap();
}
