//! Runners that are gone: nothing of theirs says anything any more, and the authority ends what was theirs.

use assent_core::time::Span;

use super::world::{World, held};
use crate::support::approve;

#[tokio::test]
async fn t59_the_request_of_a_runner_that_is_gone_ends_by_its_silence() {
    let world = World::new().await;
    // The authority has stood here before; its own absence would be nobody's silence.
    world.server.authority.sweep().await.unwrap();
    let base = world.base();
    let step = world.job.step(&world.action, &[("url", &base), ("environment", "production")]);
    let running = step.start();
    let request = world.asked().await;
    running.says(&request.url).await;
    assert_eq!(request.heartbeat.as_deref(), Some("2m"));
    // As long as it waits it is there, however long that is.
    crate::support::eventually("its wait", async || {
        world.server.authority.awaits(&request.id).then_some(())
    })
    .await;
    world.server.time().pass(Span::minutes(5));
    world.server.authority.sweep().await.unwrap();
    assert_eq!(world.now(&request).await.state, "pending");
    running.killed().await;
    crate::support::eventually("the end of its wait", async || {
        (!world.server.authority.awaits(&request.id)).then_some(())
    })
    .await;
    world.server.time().pass(Span::seconds(119));
    world.server.authority.sweep().await.unwrap();
    assert_eq!(world.now(&request).await.state, "pending");
    world.server.time().pass(Span::seconds(1));
    world.server.authority.sweep().await.unwrap();
    let ended = world.now(&request).await;
    assert_eq!(ended.state, "canceled");
    assert_eq!(ended.ending.unwrap().reason, "its requester was not heard of for 2m");
    approve(&world.bob().await, &request).await.unwrap_err();
}

#[tokio::test]
async fn t59_the_credential_of_a_command_whose_runner_is_gone_ends_by_its_silence() {
    let world = World::new().await;
    // The authority has stood here before; its own absence would be nobody's silence.
    world.server.authority.sweep().await.unwrap();
    let (running, token) = held(&world).await;
    running.killed().await;
    assert!(world.is_live(&token).await);
    world.server.time().pass(Span::minutes(2));
    world.server.authority.sweep().await.unwrap();
    assert!(!world.is_live(&token).await);
}
