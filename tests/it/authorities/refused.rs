//! What never counts: who may not approve there, who may not ask there, what nobody there controls.

use serde_json::json;

use super::*;

#[tokio::test]
async fn t07_nobody_behind_the_change_counts_over_there_either() {
    let world = World::new().await;
    let (_, there) = world.asked("by alice").await;
    // Alice has an account there too; their trust says which.
    let error = approve(&world.them().person("alicia").await, &there).await.unwrap_err();
    assert_eq!(error.code(), Some("self_approval"), "{error}");
}

#[tokio::test]
async fn t07_whom_only_we_know_to_be_the_same_person_does_not_count() {
    let world = World::new().await;
    // Rob over there is our bob, who asks this time.
    let filed = world.bob.client.file(&filing("production", "by bob"), &fresh_key()).await.unwrap();
    approve(&world.us.person("carol").await, &filed).await.unwrap();
    world.errands().await;
    let shown = world.now(&filed.id).await;
    let there = shown.stages[1].elsewhere.clone().unwrap().request.unwrap();
    let there = world.there(&there).await;
    approve(&world.them().person("rob").await, &there).await.unwrap();
    world.errands().await;
    let shown = world.now(&filed.id).await;
    assert_eq!(shown.state, "denied");
    let ending = shown.ending.unwrap().reason;
    assert!(ending.contains("`bob`") && ending.contains("behind the change"), "{ending}");
}

#[tokio::test]
async fn nobody_counts_in_both_organisations() {
    let world = World::new().await;
    // Bob has approved here; as rob he would be a second person.
    let (shown, there) = world.asked("twice by one").await;
    approve(&world.them().person("rob").await, &there).await.unwrap();
    world.errands().await;
    let shown = world.now(&shown.id).await;
    assert_eq!(shown.state, "denied");
    let ending = shown.ending.unwrap().reason;
    assert!(ending.contains("0 of those who count approved there"), "{ending}");
}

#[tokio::test]
async fn only_those_of_theirs_count_whom_our_entry_names() {
    let world = World::with("approvers: [oscar]").await;
    let (shown, there) = world.asked("by olga").await;
    approve(&world.them().person("olga").await, &there).await.unwrap();
    world.errands().await;
    assert_eq!(world.now(&shown.id).await.state, "denied");
    let (shown, there) = world.asked("by oscar").await;
    approve(&world.them().person("oscar").await, &there).await.unwrap();
    world.errands().await;
    assert_eq!(world.now(&shown.id).await.state, "approved");
}

#[tokio::test]
async fn a_partner_is_not_asked_about_what_it_does_not_control() {
    let world = World::new().await;
    let mut filing = filing("production", "somebody else's");
    filing.intent.target.insert("workspace".to_owned(), "orders".to_owned());
    let refused = world.alice.client.file(&filing, &fresh_key()).await.unwrap();
    assert_eq!(refused.state, "denied");
    let reason = &refused.ruling.reasons[0].message;
    assert!(reason.contains("does not control this"), "{reason}");
    assert_eq!(world.errands().await, 0);
}

#[tokio::test]
async fn a_question_is_filed_by_another_authority_and_by_nobody_else() {
    let world = World::new().await;
    let (_, there) = world.asked("a question").await;
    let body = json!({"intent": there.intent});
    let olga = world.them().person("olga").await;
    let answer = olga.post("/v1/requests", &body).await;
    assert_eq!((answer.status, answer.str("code").as_str()), (422, "invalid"), "{answer:?}");
    let bot = world.them().workload("bot", &[]).await;
    assert_eq!(bot.post("/v1/requests", &body).await.status, 422);
}

#[tokio::test]
async fn t24_what_endorses_a_request_opens_nothing_else() {
    let world = World::new().await;
    let (shown, _) = world.approved("a token on record").await;
    let (_, events) = world.replayed(&shown.id).await;
    let token = events.iter().find_map(|event| {
        let Fact::Abroad { what: AbroadFact::Endorsed { evidence, .. }, .. } = &event.fact else {
            return None;
        };
        Some(evidence.token.clone())
    });
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", token.as_deref().unwrap()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
    ];
    for server in [&world.us, world.them()] {
        let answer = server.stranger().form("/oauth/token", &form).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    let bearer = world.us.holder_of(token.as_deref().unwrap());
    assert_eq!(bearer.get("/v1/whoami").await.status, 401);
}
