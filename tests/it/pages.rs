//! The pages as a browser meets them: signing in, seeing exactly what is asked, deciding.

pub(crate) mod approving;
mod inbox;

use assent_core::time::Span;
use assent_server::policy::Source;
use serde_json::json;

use crate::support::{Answer, Caller, Server, Setup, filing, fresh_key, sent};

/// A browser: a cookie and the pages of one server.
pub(crate) struct Browser {
    pub(crate) caller: Caller,
    pub(crate) base: String,
    pub(crate) cookie: String,
}

impl Browser {
    /// Signs in as this person by a link, as `--dev` prints it.
    pub(crate) async fn of(server: &Server, name: &str) -> Self {
        let (_, code) = server.authority.seed_person(name).await.unwrap();
        let caller = server.stranger();
        let path = format!("/login/{}", code.expose());
        let page = caller.get(&path).await;
        assert!(page.text.contains(&format!("Sign in as {name}")), "{}", page.text);
        let answer = sent(caller.call("POST", &path).header("origin", server.base())).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let cookie = answer.headers["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { caller, base: server.base().to_owned(), cookie }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        sent(self.caller.call("GET", path).header("cookie", &self.cookie)).await
    }

    /// Sends the form of a request's page with this changed.
    async fn decide(&self, id: &str, verdict: &str, change: Change) -> Answer {
        let path = format!("/requests/{id}");
        let page = self.get(&path).await.text;
        let mut csrf = field(&page, "csrf");
        let mut digest = field(&page, "digest");
        let mut origin = Some(self.base.clone());
        let mut site = "same-origin";
        match change {
            Change::Nothing => {}
            Change::Csrf(other) => csrf = other,
            Change::Origin(other) => origin = Some(other.to_owned()),
            Change::Site(other) => (origin, site) = (None, other),
            Change::Digest(other) => digest = other.to_owned(),
        }
        let form = [
            ("csrf", csrf.as_str()),
            ("digest", &digest),
            ("verdict", verdict),
            ("comment", "seen"),
        ];
        let mut call = self
            .caller
            .call("POST", &format!("{path}/review"))
            .header("cookie", &self.cookie)
            .header("sec-fetch-site", site)
            .form(&form);
        if let Some(origin) = origin {
            call = call.header("origin", origin);
        }
        sent(call).await
    }
}

/// What an attacker changes in a form.
enum Change {
    Nothing,
    Csrf(String),
    Origin(&'static str),
    Site(&'static str),
    Digest(&'static str),
}

/// What a browser sends with a form of its own page.
impl Browser {
    async fn look_back(&self, id: &str, verdict: &str, comment: &str) -> Answer {
        let page = self.get(&format!("/requests/{id}")).await.text;
        let (csrf, digest) = (field(&page, "csrf"), field(&page, "digest"));
        let form = [
            ("csrf", csrf.as_str()),
            ("digest", &digest),
            ("verdict", verdict),
            ("comment", comment),
        ];
        let call = self.caller.call("POST", &format!("/requests/{id}/post-review"));
        let call = call.header("cookie", &self.cookie).header("origin", &self.base);
        sent(call.form(&form)).await
    }
}

/// Whether a page has a script that is not one of our own files.
pub(crate) fn has_foreign_script(page: &str) -> bool {
    let own = page.matches("<script src=\"/static/").count();
    let empty = page.matches(" defer></script>").count();
    (own, own) != (page.matches("<script").count(), empty)
}

/// The value of a hidden field.
pub(crate) fn field(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let forms: Vec<&str> = page.split(&mark).collect();
    let value = forms.last().unwrap().split('"').next().unwrap();
    value.to_owned()
}

async fn filed(server: &Server, reason: &str, context: serde_json::Value) -> String {
    let alice = server.person("alice").await;
    let intent = json!({
        "kind": "terraform.apply", "environment": "production", "reason": reason,
        "target": {"workspace": reason.replace('\n', " ")}, "context": context,
    });
    let body = json!({"intent": intent});
    let answer = alice.post_again(fresh_key().as_str(), "/v1/requests", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn two_people_approve_on_their_pages() {
    let server = Server::start().await;
    let id = filed(&server, "resize", json!({})).await;
    for name in ["bob", "carol"] {
        let browser = Browser::of(&server, name).await;
        let inbox = browser.get("/").await.text;
        assert!(inbox.contains("Waits for you") && inbox.contains(&id), "{inbox}");
        let answer = browser.decide(&id, "approve", Change::Nothing).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let again = browser.get(&format!("/requests/{id}")).await.text;
        assert!(!again.contains("Approve exactly this"), "nobody is asked twice");
    }
    let alice = server.person("alice").await;
    let request = alice.client.request(&id).await.unwrap();
    assert_eq!(request.state, "approved");
    assert_eq!(request.approved_by.len(), 2);
}

#[tokio::test]
async fn a_denial_needs_a_comment_and_the_requester_is_not_asked() {
    let server = Server::start().await;
    let id = filed(&server, "resize", json!({})).await;
    let alice = Browser::of(&server, "alice").await;
    let page = alice.get(&format!("/requests/{id}")).await.text;
    assert!(page.contains("behind this request") && !page.contains("Approve exactly this"));
    let bob = Browser::of(&server, "bob").await;
    let answer = bob.decide(&id, "deny", Change::Nothing).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let page = bob.get(&format!("/requests/{id}")).await.text;
    assert!(page.contains("denied by bob") && page.contains("seen"), "{page}");
}

#[tokio::test]
async fn a_link_alone_signs_nobody_in() {
    let server = Server::start().await;
    let (_, code) = server.authority.seed_person("bob").await.unwrap();
    let page = server.stranger().get(&format!("/login/{}", code.expose())).await;
    assert_eq!(page.status, 200);
    assert!(!page.headers.contains_key("set-cookie"));
    let wrong = server.stranger().get("/login/not-the-code").await;
    assert_eq!(wrong.status, 403);
    for (path, login) in [
        ("/", "/login"),
        ("/history", "/login?next=/history"),
        (
            "/requests/req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z",
            "/login?next=/requests/req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z",
        ),
        ("/requests/none", "/login"),
    ] {
        let answer = server.stranger().get(path).await;
        assert_eq!((answer.status, &answer.headers["location"]), (303, &login.parse().unwrap()));
    }
}

#[tokio::test]
async fn t36_whatever_is_written_in_a_field_stays_text() {
    let server = Server::start().await;
    let markup = "</dd><script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}";
    let context = json!({"</pre><script>": markup});
    let id = filed(&server, markup, context).await;
    let bob = Browser::of(&server, "bob").await;
    for path in ["/", "/history", &format!("/requests/{id}")] {
        let page = bob.get(path).await.text;
        assert!(page.contains("&#60;script&#62;") || page.contains("&lt;script&gt;"), "{page}");
        assert!(!has_foreign_script(&page) && !page.contains("<img"), "{path}: {page}");
    }
}

#[tokio::test]
async fn t37_what_hides_is_shown_and_flagged() {
    let server = Server::start().await;
    let hidden = filed(&server, "pay \u{202e}diap\u{200b}", json!({})).await;
    let plain = filed(&server, "pay", json!({"note": "two\nlines"})).await;
    let bob = Browser::of(&server, "bob").await;
    let page = bob.get(&format!("/requests/{hidden}")).await.text;
    assert!(page.contains("Hidden characters") && page.contains("\\u{202e}"), "{page}");
    assert!(!page.contains('\u{202e}') && !page.contains('\u{200b}'));
    let page = bob.get(&format!("/requests/{plain}")).await.text;
    assert!(!page.contains("Hidden characters"), "{page}");
}

#[tokio::test]
async fn t62_a_form_of_another_site_or_session_decides_nothing() {
    let server = Server::start().await;
    let id = filed(&server, "resize", json!({})).await;
    let bob = Browser::of(&server, "bob").await;
    let carol = Browser::of(&server, "carol").await;
    let hers = field(&carol.get(&format!("/requests/{id}")).await.text, "csrf");
    let forged = [
        Change::Csrf(String::new()),
        Change::Csrf("0".repeat(64)),
        Change::Csrf(hers),
        Change::Origin("https://evil.example"),
        Change::Origin("null"),
        Change::Site("cross-site"),
        Change::Site("same-site"),
    ];
    for change in forged {
        let answer = bob.decide(&id, "approve", change).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
    }
    let reviews = server.person("alice").await.client.request(&id).await.unwrap().reviews;
    assert_eq!(reviews, []);
}

#[tokio::test]
async fn t01_a_page_that_showed_another_digest_decides_nothing() {
    let server = Server::start().await;
    let id = filed(&server, "resize", json!({})).await;
    let bob = Browser::of(&server, "bob").await;
    let other = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let answer = bob.decide(&id, "approve", Change::Digest(other)).await;
    assert_eq!(answer.status, 409, "{}", answer.text);
}

#[tokio::test]
async fn t63_signing_out_ends_the_session_on_the_server() {
    let server = Server::start().await;
    let bob = Browser::of(&server, "bob").await;
    let csrf = field(&bob.get("/").await.text, "csrf");
    let call = bob.caller.call("POST", "/logout").header("cookie", &bob.cookie);
    let answer = sent(call.form(&[("csrf", csrf)])).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert_eq!(bob.get("/").await.headers["location"], "/login");
}

#[tokio::test]
async fn t64_no_page_can_be_framed_or_load_anything_from_elsewhere() {
    let server = Server::start().await;
    let bob = Browser::of(&server, "bob").await;
    for path in ["/", "/login", "/history", "/requests/none"] {
        let answer = bob.get(path).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        for rule in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.headers["x-frame-options"], "DENY");
        // With `no-referrer` a browser sends `Origin: null`, and its own forms are refused.
        assert_eq!(answer.headers["referrer-policy"], "same-origin");
        assert!(!answer.text.contains(" style=") && !has_foreign_script(&answer.text));
    }
}

const LOOKED_AT: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
groups: {security: [person:sue], dba: [person:bob]}
rules:
  - id: break-glass
    when: {intent.environment: production}
    allow:
      post_review: {by: [group:security], approvals: 1, within: 24h, if_missed: {suspend: break-glass}}
  - id: fresh
    when: {intent.environment: fresh}
    require: {stages: [{name: look, approvals: 1, from: [group:dba], login_within: 10m}]}
";

#[tokio::test]
async fn t51_a_later_review_is_asked_on_every_page_until_it_is_done() {
    let server = Server::ruled_by(LOOKED_AT).await;
    let id = filed(&server, "down", json!({})).await;
    let bob = Browser::of(&server, "bob").await;
    let page = bob.get("/").await.text;
    assert!(page.contains("A later review by rule break-glass is open until"), "{page}");
    assert!(!bob.get(&format!("/requests/{id}")).await.text.contains("It was right"));
    server.time().pass(Span::hours(24));
    let sue = Browser::of(&server, "sue").await;
    let inbox = sue.get("/").await.text;
    assert!(inbox.contains("is overdue since") && inbox.contains("does not match"), "{inbox}");
    assert!(inbox.contains(&format!("<a href=\"/requests/{id}\">")), "it waits for her: {inbox}");
    // Once in the notice on every page, and once among what waits for her: not elsewhere too.
    let links = inbox.matches(&format!("href=\"/requests/{id}\"")).count();
    assert_eq!(links, 2, "{inbox}");
    let page = sue.get(&format!("/requests/{id}")).await.text;
    assert!(page.contains("missed at") && page.contains("It was right"), "{page}");
    assert_eq!(sue.look_back(&id, "object", "").await.status, 422);
    assert_eq!(sue.look_back(&id, "approve", "seen").await.status, 303);
    let page = sue.get(&format!("/requests/{id}")).await.text;
    assert!(page.contains("done") && !page.contains("It was right"), "{page}");
    assert!(!sue.get("/").await.text.contains("later review"));
}

#[tokio::test]
async fn a_sign_in_that_is_too_old_is_asked_again() {
    let server = Server::ruled_by(LOOKED_AT).await;
    let alice = server.person("alice").await;
    let request = alice.client.file(&filing("fresh", "r"), &fresh_key()).await.unwrap();
    let bob = Browser::of(&server, "bob").await;
    server.time().pass(Span::seconds(601));
    let late = bob.decide(&request.id, "approve", Change::Nothing).await;
    assert_eq!(late.status, 403, "{late:?}");
    assert!(late.text.contains("sign in again"), "{}", late.text);
    let bob = Browser::of(&server, "bob").await;
    server.time().pass(Span::minutes(9));
    let taken = bob.decide(&request.id, "approve", Change::Nothing).await;
    assert_eq!(taken.status, 303, "{}", taken.text);
}

#[tokio::test]
async fn a_policy_that_does_not_rule_is_told_on_every_page() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.yaml");
    std::fs::write(&file, LOOKED_AT).unwrap();
    let source = Source::Directory(folder.path().to_owned());
    let server = Server::set_up(Setup { source, ..Setup::default() }).await;
    let bob = Browser::of(&server, "bob").await;
    assert!(!bob.get("/").await.text.contains("does not rule"));
    std::fs::write(&file, LOOKED_AT.replace("post_review:", "past_review:")).unwrap();
    server.authority.look_at_policy().await.unwrap();
    for path in ["/", "/history"] {
        let page = bob.get(path).await.text;
        assert!(page.contains("The newest policy does not rule, since"), "{page}");
        assert!(page.contains("one.yaml:10:") && page.contains("past_review"), "{page}");
    }
    assert!(!server.stranger().get("/login").await.text.contains("does not rule"));
}

#[tokio::test]
async fn t38_a_plan_is_read_riskiest_first_and_whole() {
    let server = Server::start().await;
    let alice = server.person("alice").await;
    let place = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/own/made-many.json");
    let mut plan: serde_json::Value =
        serde_json::from_slice(&std::fs::read(place).unwrap()).unwrap();
    let mut created = plan["resource_changes"][1].clone();
    created["change"] =
        json!({"actions": ["create"], "before": null, "after": {}, "after_unknown": {}});
    for number in 0..60 {
        created["address"] = json!(format!("terraform_data.cbd[{number}]"));
        created["index"] = json!(number);
        plan["resource_changes"].as_array_mut().unwrap().insert(0, created.clone());
    }
    let taken = alice.client.hand_in_plan(plan.to_string().into_bytes(), None).await.unwrap();
    let mut filing = filing("production", "r");
    filing.intent.plan = Some(taken.digest.clone());
    let request = alice.client.file(&filing, &fresh_key()).await.unwrap();
    let bob = Browser::of(&server, "bob").await;
    let page = bob.get(&format!("/requests/{}", request.id)).await.text;
    let plain = |address: &str| address.replace('"', "&#34;").replace('\'', "&#39;");
    let first = taken.changes.first().unwrap();
    assert!(first.actions.contains(&"delete".to_owned()), "{first:?}");
    let place =
        |address: &str| page.find(&plain(address)).unwrap_or_else(|| panic!("{address}: {page}"));
    assert!(place(&first.address) < place("terraform_data.cbd[59]"));
    assert!(page.contains(&taken.digest) && page.contains("to destroy"), "{page}");
    let stays = |change: &&assent_client::wire::plan::Change| {
        change.actions == ["no-op"] && change.previous_address.is_none() && !change.importing
    };
    let unchanged = taken.changes.iter().filter(stays).count();
    let shown = page.matches("<details class=\"change").count();
    let more = taken.changes.len() - unchanged - shown;
    assert!(page.contains(&format!("{more} more changes")), "{page}");
    // Every change stands somewhere, and none twice.
    let mut whole = String::new();
    for number in 1..=2 {
        let path = format!("/requests/{}/plan?page={number}", request.id);
        whole.push_str(&bob.get(&path).await.is(200).text);
    }
    assert!(whole.contains("page 2 of 2"), "{whole}");
    for change in &taken.changes {
        let shown = format!("<code>{}</code>", plain(&change.address));
        assert_eq!(whole.matches(&shown).count(), 1, "{}", change.address);
    }
}

#[tokio::test]
async fn the_policy_page_says_what_rules_and_since_when() {
    let server = Server::start().await;
    let bob = Browser::of(&server, "bob").await;
    let page = bob.get("/policy").await.is(200).text;
    let revision = server.authority.policy().revision().to_string();
    assert!(page.contains(&revision), "{page}");
    for rule in ["production", "staging", "no-sessions-in-production"] {
        assert!(page.contains(rule), "{page}");
    }
    assert_eq!(server.stranger().get("/policy").await.headers["location"], "/login?next=/policy");
}

#[tokio::test]
async fn a_change_of_policy_is_shown_line_by_line_to_those_who_approve_it() {
    let server = Server::ruled_by(
        "apiVersion: assent/v1\nkind: Policy\ndefaults: {policy_changes: approved}\nrules:\n  - {id: \
         p, when: {intent.kind: assent.policy}, require: {stages: [{approvals: 1, from: \
         [person:bob]}]}}\n",
    )
    .await;
    let root = server.administrator().await;
    let members = ["person:eve".to_owned()].into();
    let group = assent_client::wire::NewGroup { members, ..Default::default() };
    let refused = root.client.write_group("dba", &group, None).await.unwrap_err();
    let intent = *refused.problem.unwrap().intent.unwrap();
    let intent = assent_client::wire::Intent { reason: "r".to_owned(), ..intent };
    let filing = assent_client::wire::Filing { intent, reattach: false, heartbeat: None };
    let request = root.client.file(&filing, &crate::support::fresh_key()).await.unwrap();
    let bob = Browser::of(&server, "bob").await;
    let page = bob.get(&format!("/requests/{}", request.id)).await.is(200).text;
    assert!(page.contains("The change of policy:"), "{page}");
    assert!(
        page.contains("groups/dba") && page.contains("\n+      &#34;person:eve&#34;"),
        "{page}"
    );
    crate::support::approve(&server.person("bob").await, &request).await.unwrap();
    root.client.write_group("dba", &group, Some(&request.id)).await.unwrap();
    let page = bob.get("/policy").await.is(200).text;
    assert!(page.contains("groups/dba") && page.contains("tests.yaml:5:5"), "{page}");
}
