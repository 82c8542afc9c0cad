//! How much a partner can have us read.

use std::sync::{Arc, Mutex};

use serde_json::json;

use super::*;
use crate::support::{Reply, StandIn};

/// What is read of one answer.
const LARGEST: usize = 256 * 1024;

#[tokio::test]
async fn t61_what_a_partner_answers_is_no_larger_than_an_honest_answer_can_be() {
    let mut world = World::new().await;
    let (shown, there) = world.asked("it is denied at length").await;
    deny(&world.them().person("olga").await, &there).await.unwrap();
    let denied = serde_json::to_string(&world.there(&there.id).await).unwrap();
    world.them.take().unwrap().stop().await;
    let said = Arc::new(Mutex::new(String::new()));
    let saying = Arc::clone(&said);
    let them = StandIn::start_at(world.theirs.address, move |asked| {
        let given = json!({
            "access_token": "assent_x", "token_type": "Bearer", "expires_in": 900,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        });
        let is_token = asked.path == "/oauth/token";
        let body = if is_token { given.to_string() } else { saying.lock().unwrap().clone() };
        Box::pin(async move { Reply::new(200, body) })
    })
    .await;
    // The same words, in an answer that is a byte too large, and in one that is not.
    for (size, state) in [(LARGEST + 1, "pending"), (LARGEST, "denied")] {
        *said.lock().unwrap() = format!("{denied}{}", " ".repeat(size - denied.len()));
        world.errands().await;
        assert_eq!(world.now(&shown.id).await.state, state);
        let problems = world.us.authority.problems_abroad(shown.id.parse().unwrap());
        let is_told = problems.iter().any(|(_, problem)| problem.contains("too large"));
        assert_eq!(is_told, state == "pending", "{problems:?}");
        world.us.time().pass(Span::minutes(2));
    }
    assert!(them.asked().iter().any(|asked| asked.method == "GET"));
}

/// Every byte of this takes six in JSON.
const ODD: char = '\u{1}';

#[tokio::test]
async fn the_largest_question_there_is_can_be_asked_and_answered() {
    let world = World::new().await;
    let mut filing = filing("production", &"r".repeat(2_000));
    for n in 0..19 {
        let target = &mut filing.intent.target;
        target.insert(format!("t{n}"), ODD.to_string().repeat(512));
    }
    filing.intent.context.insert("more".to_owned(), "c".repeat(2_000).into());
    let filed = world.alice.client.file(&filing, &fresh_key()).await.unwrap();
    approve(&world.bob, &filed).await.unwrap();
    world.errands().await;
    let asked = world.now(&filed.id).await.stages[1].elsewhere.clone().unwrap();
    let there = world.there(asked.request.as_deref().unwrap()).await;
    let size = serde_json::to_vec(&there).unwrap().len();
    assert!((110_000..LARGEST / 2 + 8_192).contains(&size), "{size}");
    deny(&world.them().person("olga").await, &there).await.unwrap();
    world.errands().await;
    let ending = world.now(&filed.id).await.ending.unwrap();
    assert!(ending.reason.contains("olga"), "{ending:?}");
}
