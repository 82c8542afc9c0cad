//! The comment on the pull request: one, brought up to date, where the job may write it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::world::World;
use crate::runner::{Ended, Job};
use crate::support::{Asked, Reply, StandIn, Ways, approve, eventually};

const TOKEN: &str = "ghs_thisjobs0000000000000000000000000000";

/// The comments of a pull request, as GitHub's API has them.
struct Forge {
    api: StandIn,
    comments: Arc<Mutex<Vec<Value>>>,
}

impl Forge {
    async fn start() -> Self {
        let comments: Arc<Mutex<Vec<Value>>> = Arc::default();
        let kept = Arc::clone(&comments);
        let api = StandIn::start(move |asked| {
            let reply = answer(&asked, &mut kept.lock().unwrap());
            Box::pin(async move { reply })
        })
        .await;
        Self { api, comments }
    }

    /// What the comments say, those of others left out.
    fn said(&self) -> Vec<String> {
        let comments = self.comments.lock().unwrap();
        let ours = comments.iter().filter(|comment| comment["user"]["type"] == "Bot");
        ours.map(|comment| comment["body"].as_str().unwrap().to_owned()).collect()
    }

    fn calls(&self) -> Vec<String> {
        self.api.asked().iter().map(|asked| asked.method.clone()).collect()
    }
}

fn answer(asked: &Asked, comments: &mut Vec<Value>) -> Reply {
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let body = || serde_json::from_slice::<Value>(&asked.body).unwrap()["body"].clone();
    let list = "/repos/acme/orders/issues/7/comments";
    if asked.bearer() != TOKEN {
        return Reply::new(401, "{}");
    }
    match (asked.method.as_str(), path) {
        ("GET", path) if path == list => {
            assert!(query.starts_with("per_page=100&page="), "{query}");
            let page: usize = query.rsplit('=').next().unwrap().parse().unwrap();
            let shown: Vec<_> = comments.iter().skip((page - 1) * 100).take(100).collect();
            Reply::new(200, json!(shown).to_string())
        }
        ("POST", path) if path == list => {
            let id = comments.len() + 1000;
            let comment = json!({"id": id, "user": {"type": "Bot"}, "body": body()});
            comments.push(comment.clone());
            Reply::new(201, comment.to_string())
        }
        ("PATCH", path) => {
            let id: u64 = path.rsplit('/').next().unwrap().parse().unwrap();
            assert_eq!(path, format!("/repos/acme/orders/issues/comments/{id}"));
            let comment = comments.iter_mut().find(|comment| comment["id"] == id).unwrap();
            comment["body"] = body();
            Reply::new(200, comment.to_string())
        }
        _ => Reply::new(404, "{}"),
    }
}

/// A job of a pull request, whose API is there.
fn job(world: &World, api: &StandIn) -> Job {
    let job = world.another_job();
    job.set("GITHUB_API_URL", &api.url);
    job.event(&json!({"pull_request": {"number": 7}}));
    job
}

async fn granted(world: &World, job: &Job, more: &[(&str, &str)]) -> Ended {
    let base = world.base();
    let with = [("url", &*base), ("environment", "production")];
    let step = job.step(&world.action, &[with.as_slice(), more].concat());
    let running = step.start();
    let request = world.asked().await;
    running.says("pending").await;
    approve(&world.bob().await, &request).await.unwrap();
    running.end().await.exits(0)
}

#[track_caller]
fn never_says_the_token(ended: &Ended) {
    assert!(ended.log.raw.iter().all(|line| !line.contains(TOKEN)), "{:#?}", ended.log.raw);
}

#[tokio::test]
async fn a_pull_request_is_told_by_one_comment_that_is_brought_up_to_date() {
    let (world, forge) = (World::new().await, Forge::start().await);
    let job = job(&world, &forge.api);
    let base = world.base();
    let step = job.step(&world.action, &[("url", &base), ("environment", "production")]);
    let running = step.start();
    let request = world.asked().await;
    let asked =
        eventually("a comment", async || Some(forge.said()).filter(|all| !all.is_empty())).await;
    assert!(asked.len() == 1 && asked[0].contains("Waiting for approval"), "{asked:?}");
    assert!(asked[0].contains(&request.url));
    approve(&world.bob().await, &request).await.unwrap();
    let ended = running.end().await.exits(0);
    never_says_the_token(&ended);
    let told = forge.said();
    assert!(told.len() == 1 && told[0].contains("Assent: Granted"), "{told:?}");
    assert_eq!(forge.calls(), ["GET", "POST", "PATCH"]);
}

#[tokio::test]
async fn what_one_job_said_another_brings_up_to_date() {
    let (world, forge) = (World::new().await, Forge::start().await);
    // More than one page, and a person who wants their words to be taken for ours.
    let chat = |n: u64| json!({"id": n, "user": {"type": "User"}, "body": "<!-- assent req_"});
    forge.comments.lock().unwrap().extend((1..=150).map(chat));
    let base = world.base();
    let submit = [("url", &*base), ("environment", "production"), ("mode", "submit")];
    let submitted = job(&world, &forge.api).step(&world.action, &submit).main().await.exits(0);
    let id = submitted.output("request-id").to_owned();
    let bob = world.bob().await;
    approve(&bob, &bob.client.request(&id).await.unwrap()).await.unwrap();
    let check =
        [("url", &*base), ("environment", "production"), ("mode", "check"), ("request-id", &*id)];
    job(&world, &forge.api).step(&world.action, &check).main().await.exits(0);
    let told = forge.said();
    assert!(told.len() == 1 && told[0].contains("Assent: Granted"), "{told:?}");
    assert_eq!(forge.comments.lock().unwrap().len(), 151);
}

#[tokio::test]
async fn a_job_that_may_not_comment_goes_on() {
    let (world, forge) = (World::new().await, Forge::start().await);
    for (number, ways) in [
        Ways::Saying(Reply::new(403, "{\"message\":\"Resource not accessible by integration\"}")),
        Ways::Saying(Reply::new(500, "")),
        Ways::Saying(Reply::new(200, "<html>")),
        Ways::HangingUp,
    ]
    .into_iter()
    .enumerate()
    {
        forge.api.behave(ways);
        let reason = number.to_string();
        let base = world.base();
        let with = [("url", &*base), ("environment", "free"), ("reason", &*reason)];
        let ended = job(&world, &forge.api).step(&world.action, &with).main().await.exits(0);
        let told = ended.log.shown.iter().filter(|line| line.contains("is not told"));
        assert_eq!(told.count(), 1, "{:#?}", ended.log.raw);
        never_says_the_token(&ended);
        assert_eq!(ended.log.annotations().len(), 1);
    }
    assert!(forge.said().is_empty());
}

#[tokio::test]
async fn t66_a_redirect_is_not_followed_with_the_token() {
    let (world, forge) = (World::new().await, Forge::start().await);
    let elsewhere = StandIn::start(|_| Box::pin(async { Reply::new(200, "[]") })).await;
    for status in [302, 307, 308] {
        let moved =
            Reply { headers: vec![("location", elsewhere.url.clone())], ..Reply::new(status, "") };
        forge.api.behave(Ways::Saying(moved));
        let base = world.base();
        let reason = status.to_string();
        let with = [("url", &*base), ("environment", "free"), ("reason", &*reason)];
        job(&world, &forge.api).step(&world.action, &with).main().await.exits(0);
    }
    assert!(elsewhere.asked().is_empty(), "{:?}", elsewhere.asked());
}

#[tokio::test]
async fn nobody_is_told_where_nobody_wants_it_or_all_would_say_the_same() {
    let (world, forge) = (World::new().await, Forge::start().await);
    granted(&world, &job(&world, &forge.api), &[("comment", "off")]).await;
    let base = world.base();
    let shared = [("url", &*base), ("environment", "free"), ("shared", "true")];
    job(&world, &forge.api).step(&world.action, &shared).main().await.exits(0);
    let pushed = world.another_job();
    pushed.set("GITHUB_API_URL", &forge.api.url);
    let alone = [("url", &*base), ("environment", "free")];
    pushed.step(&world.action, &alone).main().await.exits(0);
    assert!(forge.calls().is_empty(), "{:?}", forge.calls());
}
