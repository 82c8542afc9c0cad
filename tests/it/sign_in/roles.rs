//! Who reads what, where only those who are asked read: every place that shows a request, and the end
//! of a session that only an open page uses.

use assent_core::digest::Digest;
use assent_core::time::Span;
use serde_json::json;

use super::world::{Browser, POLICY, World};
use crate::support::{Answer, Caller, Remains, Setup, sent};

/// What only the page of the request says.
const WORDS: &str = "words-for-a-few";
/// An id that nothing has.
const NOTHING: &str = "req_00000000000000000000000000";

/// A world in which only those who are asked read, and erin and frank audit.
async fn world() -> World {
    let policy = POLICY.replace("groups:\n", "groups:\n  watchers: ['person:ISSUER#frank']\n");
    let more = "readers: asked\nauditors: ['person:ISSUER#erin', 'group:watchers']\n";
    let mut world = World::governed(Remains::fresh(), Setup::default(), &policy, more).await;
    for name in ["erin", "frank"] {
        world.provider.person(&json!({"sub": name, "groups": []})).await;
    }
    world
}

/// A token of this scope.
async fn token(world: &World, browser: &mut Browser, scope: &str) -> Caller {
    let form = [("name", scope), ("scope", scope), ("expires_after", "7d")];
    let page = browser.form("/settings/tokens", "/settings/tokens", &form).await.is(200).text;
    let token = page.split("<pre>").nth(1).expect("a token").split('<').next().unwrap();
    world.server.holder_of(token)
}

/// A workload's request that names a plan, and the plan's digest.
async fn filed(world: &World) -> (Caller, String, String) {
    let ci = world.server.workload("ci", &[]).await;
    let plan = include_bytes!("../../plans/own/made-create.json");
    let call = ci.call("POST", "/v1/plans").header("content-type", "application/json");
    sent(call.body(plan.to_vec())).await.is(200);
    let plan = Digest::of(plan).to_string();
    let intent = json!({
        "kind": "terraform.apply", "environment": "one", "reason": WORDS, "plan": plan,
    });
    let id = ci.post("/v1/requests", &json!({"intent": intent})).await.is(201).str("id");
    (ci, id, plan)
}

/// Approves it as this person, by a token of theirs.
async fn approve(world: &World, ci: &Caller, id: &str, who: &str) -> Answer {
    let holder = token(world, &mut world.signed_in(who).await, "review").await;
    let digest = ci.client.request(id).await.unwrap().digest;
    let review = json!({"verdict": "approve", "digest": digest, "comment": "seen"});
    holder.post(&format!("/v1/requests/{id}/reviews"), &review).await
}

/// Pages and files that list requests.
const LISTS: [&str; 5] =
    ["/", "/history", "/history?q=few", "/history/requests.csv", "/history/requests.jsonl"];
/// The same, of programs.
const CALLS: [&str; 3] = ["/v1/requests", "/v1/requests?q=few", "/v1/credentials?state=live"];
/// What tells of everybody's.
const WHOLE: [&str; 4] = ["/insights", "/audit", "/audit/entries/0", "/audit/log.jsonl"];

fn is_shown(answer: &Answer, id: &str) -> bool {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text.contains(id) || answer.text.contains(WORDS)
}

/// That two answers are one, but for which id was asked for.
#[track_caller]
fn assert_alike(one: &Answer, id: &str, other: &Answer, unknown: &str) {
    assert_eq!(
        (one.status, one.text.replace(id, "ID")),
        (other.status, other.text.replace(unknown, "ID"),)
    );
    assert_ne!(one.status, 200, "{one:?}");
}

#[tokio::test]
async fn a_stranger_is_shown_nothing_of_what_others_are_asked() {
    let world = world().await;
    let (ci, id, plan) = filed(&world).await;
    approve(&world, &ci, &id, "bob").await.is(200);
    let minting = format!("/v1/requests/{id}/credentials");
    ci.post(&minting, &json!({"audience": "aws"})).await.is(201);
    let mut alice = world.signed_in("alice").await;
    let holder = token(&world, &mut alice, "all-of-mine").await;
    let intent = json!({"kind": "terraform.apply", "environment": "one", "reason": "few: my own"});
    let own = holder.post("/v1/requests", &json!({"intent": intent})).await.is(201).str("id");
    for path in LISTS {
        let answer = alice.get(path).await;
        assert!(!is_shown(&answer, &id) && answer.text.contains(&own), "{path}: {}", answer.text);
    }
    assert!(!alice.get("/").await.text.contains("href=\"/audit\""));
    for path in CALLS {
        let answer = holder.get(path).await;
        assert!(!is_shown(&answer, &id), "{path}: {}", answer.text);
    }
    assert!(holder.get("/v1/requests").await.text.contains(&own));
    for rest in ["", "/plan", "/intent", "/evidence"] {
        let at = |id: &str| format!("/requests/{id}{rest}");
        let (shown, nothing) = (alice.get(&at(&id)).await, alice.get(&at(NOTHING)).await);
        assert_alike(&shown, &id, &nothing, NOTHING);
    }
    for rest in ["", "/wait?timeout=0s", "/evidence", "/statement?verdict=approve"] {
        let at = |id: &str| format!("/v1/requests/{id}{rest}");
        let (shown, nothing) = (holder.get(&at(&id)).await, holder.get(&at(NOTHING)).await);
        assert_alike(&shown, &id, &nothing, NOTHING);
    }
    let digest = ci.client.request(&id).await.unwrap().digest;
    let hex = digest.strip_prefix("sha256:").unwrap();
    let page = alice.get(&format!("/intents/{hex}")).await.is(200).text;
    assert!(page.contains("Not filed yet") && !page.contains(&id), "{page}");
    let unknown = Digest::of(b"no plan").to_string();
    let read = async |plan: &str| holder.get(&format!("/v1/plans/{plan}")).await;
    assert_alike(&read(&plan).await, &plan, &read(&unknown).await, &unknown);
    for path in WHOLE {
        let answer = alice.get(path).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text);
    }
    holder.get("/v1/audit/entries").await.refuses(403, "not_auditor");
    let canceling = format!("/v1/requests/{id}/cancel");
    holder.post(&canceling, &json!({"reason": "no"})).await.refuses(404, "not_found");
}

#[tokio::test]
async fn whoever_is_asked_reads_that_and_auditors_read_everything() {
    let world = world().await;
    let (ci, id, plan) = filed(&world).await;
    for (name, audits) in [("bob", false), ("erin", true), ("frank", true), ("root", true)] {
        let mut browser = world.signed_in(name).await;
        let holder = token(&world, &mut browser, "read").await;
        for path in LISTS.into_iter().chain([format!("/requests/{id}").as_str()]) {
            assert!(is_shown(&browser.get(path).await, &id), "{name}: {path}");
        }
        browser.get(&format!("/requests/{id}/plan")).await.is(200);
        browser.get(&format!("/requests/{id}/evidence")).await.is(200);
        assert!(is_shown(&holder.get("/v1/requests?q=few").await, &id), "{name}");
        holder.get(&format!("/v1/requests/{id}")).await.is(200);
        holder.get(&format!("/v1/plans/{plan}")).await.is(200);
        for path in WHOLE {
            let status = browser.get(path).await.status;
            assert_eq!(status == 200, audits, "{name}: {path} {status}");
        }
        let entries = holder.get("/v1/audit/entries").await;
        assert_eq!(entries.status == 200, audits, "{name}: {}", entries.text);
        assert_eq!(browser.get("/").await.text.contains("href=\"/audit\""), audits, "{name}");
    }
    // To read everything is to read, and no more.
    let mut erin = world.signed_in("erin").await;
    approve(&world, &ci, &id, "erin").await.refuses(403, "not_asked");
    assert_eq!(erin.get("/admin/people").await.status, 403);
}

/// A stream that a page of this browser follows.
struct Following {
    answer: reqwest::Response,
    text: String,
}

impl Following {
    async fn of(world: &World, browser: &Browser) -> Self {
        let cookie = format!("assent={}", browser.cookie("assent").unwrap());
        let call = world.server.stranger().call("GET", "/v1/events?brief=true");
        let answer = call.header("cookie", cookie).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        Self { answer, text: String::new() }
    }

    /// Reads until it says this, or to its end.
    async fn until(mut self, words: &str) -> String {
        while !self.text.contains(words) {
            let Ok(Some(chunk)) = self.answer.chunk().await else { break };
            self.text.push_str(&String::from_utf8_lossy(&chunk));
        }
        self.text
    }
}

#[tokio::test]
async fn a_page_is_told_as_it_happens_of_what_its_person_reads() {
    let world = world().await;
    let mut alice = world.signed_in("alice").await;
    let holder = token(&world, &mut alice, "request").await;
    let streams = [
        Following::of(&world, &alice).await,
        Following::of(&world, &world.signed_in("bob").await).await,
        Following::of(&world, &world.signed_in("erin").await).await,
    ];
    let (_, id, _) = filed(&world).await;
    let intent = json!({"kind": "terraform.apply", "environment": "one", "reason": "my own"});
    let own = holder.post("/v1/requests", &json!({"intent": intent})).await.is(201).str("id");
    let [to_alice, to_bob, to_erin] = streams;
    let told = to_alice.until(&own).await;
    assert!(told.contains(&own) && !told.contains(&id), "{told}");
    for told in [to_bob.until(&own).await, to_erin.until(&own).await] {
        assert!(told.contains(&own) && told.contains(&id), "{told}");
    }
}

#[tokio::test]
async fn a_session_that_only_an_open_page_uses_ends_as_an_unused_one() {
    let mut world = World::start().await;
    let (mut bob, mut carol) = (world.signed_in("bob").await, world.signed_in("carol").await);
    let following = Following::of(&world, &bob).await;
    world.pass(Span::minutes(20)).await;
    bob.look("/").await.is(200);
    drop(Following::of(&world, &bob).await);
    carol.get("/").await.is(200);
    world.pass(Span::minutes(11)).await;
    let (_, id) = world.filed("one").await;
    let told = following.until(&id).await;
    assert!(!told.contains(&id), "it ends before anything more is told: {told}");
    assert_eq!(bob.get("/").await.status, 303, "bob did nothing for half an hour");
    carol.get("/").await.is(200);
}

#[tokio::test]
async fn whoever_left_the_group_that_is_asked_reads_it_no_more() {
    let mut world = world().await;
    let (_, id, _) = filed(&world).await;
    let mut bob = world.signed_in("bob").await;
    bob.get(&format!("/requests/{id}")).await.is(200);
    world.provider.person(&json!({"sub": "bob", "groups": []})).await;
    world.pass(Span::minutes(5)).await;
    bob.get(&format!("/requests/{id}")).await.is(404);
}
