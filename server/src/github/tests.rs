//! The client against a small GitHub of its own: what it sends, how often, and what it makes of what
//! it is told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use assent_core::credential::Secret;
use aws_lc_rs::encoding::AsDer as _;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

/// What was asked, and what is answered: by method and path with its query, in turn; the last one
/// stays.
#[derive(Clone, Default)]
struct Stand(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    answers: HashMap<String, Vec<Planned>>,
    asked: Vec<(String, HeaderMap, Value)>,
}

#[derive(Clone)]
struct Planned {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Value,
}

fn ok(body: Value) -> Planned {
    told(200, body)
}

fn told(status: u16, body: Value) -> Planned {
    Planned { status, headers: Vec::new(), body }
}

impl Planned {
    fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

impl Stand {
    fn plan(&self, call: &str, answers: impl IntoIterator<Item = Planned>) {
        let answers = answers.into_iter().collect();
        self.0.lock().unwrap().answers.insert(call.to_owned(), answers);
    }

    fn count(&self, call: &str) -> usize {
        self.0.lock().unwrap().asked.iter().filter(|(asked, ..)| asked == call).count()
    }

    fn total(&self) -> usize {
        self.0.lock().unwrap().asked.len()
    }

    fn last(&self, call: &str) -> (HeaderMap, Value) {
        let told = self.0.lock().unwrap();
        let found = told.asked.iter().rev().find(|(asked, ..)| asked == call);
        found.map(|(_, headers, body)| (headers.clone(), body.clone())).unwrap()
    }
}

async fn answer(State(stand): State<Stand>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let path = parts.uri.path_and_query().unwrap().as_str().trim_start_matches("/api/v3");
    let call = format!("{} {path}", parts.method);
    let mut told = stand.0.lock().unwrap();
    told.asked.push((call.clone(), parts.headers, body));
    let planned = match told.answers.get_mut(&call) {
        Some(answers) if answers.len() > 1 => answers.remove(0),
        Some(answers) => answers[0].clone(),
        None => self::told(404, json!({"message": "Not Found"})),
    };
    let mut response = Response::builder().status(planned.status);
    for (name, value) in planned.headers {
        response = response.header(name, value);
    }
    let body = match planned.status {
        204 | 304 => Body::empty(),
        _ => Body::from(planned.body.to_string()),
    };
    response.header(header::CONTENT_TYPE, "application/json").body(body).unwrap()
}

struct World {
    stand: Stand,
    github: Github,
    now: Arc<AtomicI64>,
    url: String,
}

const SHOP: &str = "/repos/acme/shop";

fn key() -> Secret {
    use std::sync::OnceLock;
    static KEY: OnceLock<String> = OnceLock::new();
    let made = KEY.get_or_init(|| {
        let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = key.as_der().unwrap();
        let text = STANDARD.encode(der.as_ref());
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    });
    Secret::new(made.clone())
}

/// The App, with its API there.
fn settings_at(api: &str) -> Settings {
    let mut place = Place::at("https://github.com").unwrap();
    place.api = api.parse().unwrap();
    Settings {
        app_id: 7,
        slug: "assent".to_owned(),
        private_key: key(),
        webhook_secret: Secret::new("0123456789abcdef".to_owned()),
        place,
        require_app: true,
        between_writes: Duration::ZERO,
        patience: Duration::from_secs(10),
        deployment_statuses: false,
        ca_file: None,
    }
}

async fn world() -> World {
    let stand = Stand::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v3", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(stand.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let now = Arc::new(AtomicI64::new(1_000_000));
    let read = Arc::clone(&now);
    let clock = Clock::of(move || read.load(Ordering::SeqCst));
    let settings = settings_at(&url);
    let github = Github::new(settings, clock).unwrap();
    let installation = json!({"id": 70, "permissions": {"actions": "read"}, "suspended_at": null});
    stand.plan(&format!("GET {SHOP}/installation"), [ok(installation.clone())]);
    stand.plan("GET /orgs/acme/installation", [ok(installation)]);
    let token = json!({"token": "ghs_x", "expires_at": "2099-01-01T00:00:00Z", "permissions": {}});
    stand.plan("POST /app/installations/70/access_tokens", [told(201, token)]);
    let shop = json!({
        "id": 5, "full_name": "acme/shop", "owner": {"id": 3, "login": "acme"},
        "default_branch": "main",
    });
    stand.plan(&format!("GET {SHOP}"), [ok(shop)]);
    World { stand, github, now, url }
}

impl World {
    async fn shop(&self) -> Repository {
        self.github.repository("acme", "shop").await.unwrap()
    }

    /// Members from..to, and a link to more if there are.
    fn members(&self, page: u64, all: u64) -> Planned {
        let (from, to) = ((page - 1) * 100, (page * 100).min(all));
        let members: Vec<_> = (from..to).map(|id| json!({"id": id, "login": "x"})).collect();
        let planned = ok(json!(members));
        if to == all {
            return planned;
        }
        let next =
            format!("{}/orgs/acme/teams/ops/members?per_page=100&page={}", self.url, page + 1);
        planned.with("link", format!("<{next}>; rel=\"next\", <{next}>; rel=\"last\""))
    }
}

const MEMBERS: &str = "GET /orgs/acme/teams/ops/members?per_page=100";

#[tokio::test]
async fn a_team_is_read_to_its_last_page() {
    for all in [0, 30, 31, 100, 101, 250] {
        let world = world().await;
        world.stand.plan(MEMBERS, [world.members(1, all)]);
        for page in 2..4 {
            if (page - 1) * 100 < all {
                world.stand.plan(&format!("{MEMBERS}&page={page}"), [world.members(page, all)]);
            }
        }
        let members = world.github.team_members("acme", "ops").await.unwrap();
        assert_eq!(members, (0..all).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn who_is_only_invited_is_no_member() {
    let world = world().await;
    let members = json!([{"id": 1}, {"id": 2, "state": "pending"}, {"id": 3, "state": "active"}]);
    world.stand.plan(MEMBERS, [ok(members)]);
    assert_eq!(world.github.team_members("acme", "ops").await.unwrap(), [1, 3]);
}

#[tokio::test]
async fn a_page_elsewhere_or_a_list_without_end_is_no_list() {
    let world = world().await;
    for elsewhere in [
        "https://evil.example.com/api/v3/x",
        "http://127.0.0.1:1/api/v3/x",
        &world.url.replace("/api/v3", "/other/x"),
    ] {
        let link = format!("<{elsewhere}>; rel=\"next\"");
        world.stand.plan(MEMBERS, [ok(json!([{"id": 1}])).with("link", link)]);
        let told = world.github.team_members("acme", "ops").await;
        assert!(matches!(told, Err(GithubError::Away(_))), "{told:?}");
    }
    let again = format!("<{}/orgs/acme/teams/ops/members?per_page=100>; rel=\"next\"", world.url);
    world.stand.plan(MEMBERS, [ok(json!([{"id": 1}])).with("link", again)]);
    let told = world.github.team_members("acme", "ops").await;
    assert!(matches!(told, Err(GithubError::Partial(_))), "{told:?}");
}

const RULE: &str = "POST /repos/acme/shop/actions/runs/9/deployment_protection_rule";

#[tokio::test]
async fn a_write_is_sent_once_whatever_becomes_of_it() {
    for status in [400, 403, 404, 409, 422, 429, 500, 502, 503, 504] {
        let world = world().await;
        let shop = world.shop().await;
        world.stand.plan(RUN, [ok(run())]);
        world.stand.plan(RULE, [told(status, json!({"message": "no"}))]);
        let told = shop.review((9, 2), "prod", Verdict::Approved, "yes").await;
        let error = told.unwrap_err();
        let fits = match status {
            403 => matches!(error, GithubError::Refused(_)),
            404 => matches!(error, GithubError::NotFound(_)),
            409 | 422 => matches!(error, GithubError::Conflict(_)),
            429 => matches!(error, GithubError::Limited { .. }),
            _ => matches!(error, GithubError::Away(_)),
        };
        assert!(fits, "{status}: {error:?}");
        assert_eq!(world.stand.count(RULE), 1, "{status}");
    }
}

#[tokio::test]
async fn an_answer_to_a_rule_is_sent_as_it_is_described() {
    let world = world().await;
    let shop = world.shop().await;
    world.stand.plan(RUN, [ok(run())]);
    world.stand.plan(RULE, [told(204, Value::Null)]);
    let moved = shop.review((9, 1), "eu/prod", Verdict::Approved, "yes").await.unwrap();
    assert_eq!((moved, world.stand.count(RULE)), (Reviewed::Moved, 0), "of another attempt");
    let done = shop.review((9, 2), "eu/prod", Verdict::Rejected, "no").await.unwrap();
    assert_eq!(done, Reviewed::Done);
    let (headers, body) = world.stand.last(RULE);
    let wanted = json!({"environment_name": "eu/prod", "state": "rejected", "comment": "no"});
    assert_eq!(body, wanted);
    assert_eq!(headers["authorization"], "Bearer ghs_x");
    assert_eq!(headers["accept"], "application/vnd.github+json");
    shop.report(9, "prod", "waiting").await.unwrap();
    let (_, body) = world.stand.last(RULE);
    assert_eq!(body, json!({"environment_name": "prod", "comment": "waiting"}));
}

#[tokio::test]
async fn what_was_answered_before_is_no_failure_and_a_part_is_not_all() {
    let world = world().await;
    let shop = world.shop().await;
    let problem = "There was a problem approving one of the gates";
    for (body, wanted) in [
        (
            json!({"message": "No pending deployment requests to approve or reject"}),
            Reviewed::AlreadyDone,
        ),
        (
            json!({"message": "Validation Failed", "errors":
                ["Deployment protection rule has already been reviewed"]}),
            Reviewed::AlreadyDone,
        ),
        (json!({"message": "x", "errors": [{"message": problem}]}), Reviewed::Ambiguous),
    ] {
        world.stand.plan(RUN, [ok(run())]);
        world.stand.plan(RULE, [told(422, body)]);
        assert_eq!(shop.review((9, 2), "prod", Verdict::Approved, "").await, Ok(wanted));
    }
}

const RUN: &str = "GET /repos/acme/shop/actions/runs/9";

fn run() -> Value {
    json!({
        "id": 9, "run_attempt": 2, "event": "push", "head_sha": "a".repeat(40),
        "head_branch": null, "head_repository": null, "status": "waiting", "conclusion": null,
        "repository": {"id": 5, "full_name": "acme/shop", "owner": {"id": 3}},
        "actor": {"id": 1, "login": "ann", "type": "User"},
        "triggering_actor": {"id": 2, "login": "bot[bot]", "type": "Bot"}, "new": [{}],
    })
}

#[tokio::test]
async fn what_did_not_change_is_asked_for_again_and_not_sent_again() {
    let world = world().await;
    let shop = world.shop().await;
    world.stand.plan(RUN, [ok(run()).with("etag", "W/\"1\""), told(304, Value::Null)]);
    let first = shop.run(9).await.unwrap();
    assert!(!world.stand.last(RUN).0.contains_key("if-none-match"));
    assert_eq!(shop.run(9).await.unwrap(), first);
    assert_eq!(world.stand.last(RUN).0["if-none-match"], "W/\"1\"");
    assert_eq!(world.stand.count(RUN), 2);
    assert_eq!((first.attempt, first.head_repository_id), (2, None));
    assert!(first.triggering_actor.is_bot && !first.actor.is_bot);
}

/// A 304 that nobody asked for is no answer.
#[tokio::test]
async fn nothing_is_made_of_an_answer_that_refers_to_none() {
    let world = world().await;
    let shop = world.shop().await;
    world.stand.plan(RUN, [told(304, Value::Null)]);
    assert!(matches!(shop.run(9).await, Err(GithubError::Away(_))));
}

#[tokio::test]
async fn where_it_was_too_much_nothing_more_is_sent_until_then() {
    for status in [403, 429] {
        let world = world().await;
        let shop = world.shop().await;
        let limited = told(status, json!({"message": "slow down"})).with("retry-after", 90);
        world.stand.plan(RUN, [limited, ok(run())]);
        let until = Timestamp::from_millis(1_000_000).plus(Span::seconds(90));
        assert_eq!(shop.run(9).await, Err(GithubError::Limited { until }));
        let sent = world.stand.total();
        assert_eq!(shop.run(9).await, Err(GithubError::Limited { until }));
        let review = shop.review((9, 2), "prod", Verdict::Approved, "").await;
        assert_eq!(review, Err(GithubError::Limited { until }));
        assert_eq!(world.stand.total(), sent, "nothing was sent meanwhile");
        world.now.store(1_090_000, Ordering::SeqCst);
        assert!(shop.run(9).await.is_ok());
    }
}

#[tokio::test]
async fn what_can_wait_stops_at_the_last_tenth() {
    let world = world().await;
    let shop = world.shop().await;
    let near = ok(run())
        .with("x-ratelimit-limit", 5000)
        .with("x-ratelimit-remaining", 499)
        .with("x-ratelimit-reset", 1_600);
    world.stand.plan(RUN, [near]);
    shop.run(9).await.unwrap();
    let background = shop.in_background();
    let until = Timestamp::from_millis(1_600_000);
    assert_eq!(background.run(9).await, Err(GithubError::Limited { until }));
    assert_eq!(world.stand.count(RUN), 1);
    shop.run(9).await.unwrap();
    assert_eq!(world.stand.count(RUN), 2, "somebody waits for it");
}

#[tokio::test]
async fn many_at_once_ask_for_one_token() {
    let world = world().await;
    let shop = world.shop().await;
    world.stand.plan(RUN, [ok(run())]);
    let all = (0..100).map(|_| shop.run(9));
    for run in futures_util::future::join_all(all).await {
        run.unwrap();
    }
    assert_eq!(world.stand.count("POST /app/installations/70/access_tokens"), 1);
    assert_eq!(world.stand.count(&format!("GET {SHOP}/installation")), 1);
    let again = world.shop().await;
    assert_eq!(again.id(), 5);
    assert_eq!(world.stand.count(&format!("GET {SHOP}")), 1, "it is believed for some minutes");
}

#[tokio::test]
async fn where_it_is_not_installed_or_suspended_it_says_so() {
    let world = world().await;
    let told_of = world.github.repository("acme", "other").await.unwrap_err();
    assert!(told_of.to_string().contains("not installed for the repository acme/other"));
    let asleep = json!({"id": 70, "suspended_at": "2026-01-01T00:00:00Z"});
    world.stand.plan(&format!("GET {SHOP}/installation"), [ok(asleep)]);
    let told_of = world.github.repository("acme", "shop").await.unwrap_err();
    assert!(told_of.to_string().contains("suspended"), "{told_of}");
    for (owner, name) in [("..", "shop"), ("acme", ".."), ("", "shop"), ("acme", "a\nb")] {
        let sent = world.stand.total();
        assert!(matches!(
            world.github.repository(owner, name).await,
            Err(GithubError::NotFound(_))
        ));
        assert_eq!(world.stand.total(), sent);
    }
}

/// What GitHub does not know for sure it does not say: an answer that is not understood is none.
#[tokio::test]
async fn an_answer_that_is_not_understood_is_no_answer() {
    let world = world().await;
    let shop = world.shop().await;
    let mut without = run();
    without.as_object_mut().unwrap().remove("run_attempt");
    for body in [without, json!([]), json!("x"), json!({})] {
        world.stand.plan(RUN, [ok(body)]);
        assert!(matches!(shop.run(9).await, Err(GithubError::Away(_))));
    }
}

#[tokio::test]
async fn a_comparison_is_whole_or_none() {
    let world = world().await;
    let shop = world.shop().await;
    let (base, head) = ("a".repeat(40), "b".repeat(40));
    let path = format!("GET {SHOP}/compare/{base}...{head}");
    let commit = |id: u64| json!({"sha": "c".repeat(40), "author": {"id": id}, "committer": null});
    let page = |total: u64| json!({"total_commits": total, "commits": [commit(1), commit(2)]});
    for (total, is_whole) in [(2, true), (3, false)] {
        world.stand.plan(&format!("{path}?per_page=100"), [ok(page(total))]);
        world.stand.plan(&format!("{path}?per_page=1"), [ok(page(total))]);
        let told = shop.compare(&base, &head).await;
        assert_eq!(told.is_ok(), is_whole, "{told:?}");
    }
    for moving in ["main", "HEAD", &"A".repeat(40), &"a".repeat(39)] {
        assert!(matches!(shop.compare(moving, &head).await, Err(GithubError::NotFound(_))));
    }
}

#[tokio::test]
async fn check_runs_are_made_and_moved() {
    let world = world().await;
    let shop = world.shop().await;
    let sha = "a".repeat(40);
    let mut check = Check {
        name: "Assent: prod",
        details_url: "https://assent.example.com/requests/req_1",
        state: CheckState::Queued,
        title: "Waiting",
        summary: "for two people",
        external_id: "req_1",
    };
    let made = format!("POST {SHOP}/check-runs");
    // Without `output.annotations_url`, which real answers have and some servers leave out.
    world.stand.plan(&made, [told(201, json!({"id": 44}))]);
    assert_eq!(shop.create_check(&sha, &check).await, Ok(44));
    let (_, body) = world.stand.last(&made);
    assert_eq!((&body["head_sha"], &body["status"]), (&json!(sha), &json!("queued")));
    assert_eq!(body.get("conclusion"), None);
    let moved = format!("PATCH {SHOP}/check-runs/44");
    world.stand.plan(&moved, [ok(json!({"id": 44}))]);
    check.state = CheckState::Done(Conclusion::Success);
    shop.update_check(44, &check).await.unwrap();
    let (_, body) = world.stand.last(&moved);
    assert_eq!((&body["status"], &body["conclusion"]), (&json!("completed"), &json!("success")));
}

#[tokio::test]
async fn where_nobody_answers_it_is_away() {
    let world = world().await;
    let shop = world.shop().await;
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = settings_at(&format!("http://{}", nowhere.local_addr().unwrap()));
    drop(nowhere);
    let github = Github::new(settings, Clock::system()).unwrap();
    let told = github.repository("acme", "shop").await;
    assert!(matches!(told, Err(GithubError::Away(_))), "{told:?}");
    assert!(!format!("{github:?}{shop:?}").contains("ghs_x"), "no secret is shown");
}
