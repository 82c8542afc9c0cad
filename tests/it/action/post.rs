//! The end of a job: what each step left, by what came of it and of the job.

use super::world::{World, credential};
use crate::support::approve;

/// How a step stood when its job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Pending,
    Granted,
    Used,
}

/// What the end of a job, of this status, makes of the request of a step that was left so.
async fn made_of(world: &World, mode: &str, left: Left, status: &str) -> (String, Option<bool>) {
    let (base, bob) = (world.base(), world.bob().await);
    let audience = if left == Left::Used { "orders" } else { "" };
    let reason = format!("{mode} {left:?} {status}");
    let asked = [
        ("url", &*base),
        ("environment", "production"),
        ("audience", audience),
        ("reason", &reason),
    ];
    let submit = [asked.as_slice(), &[("mode", "submit")]].concat();
    let submitting = world.job.step(&world.action, &submit);
    let submitted = submitting.start_bare("main").end().await.exits(0);
    let request = bob.client.request(submitted.output("request-id")).await.unwrap();
    if left != Left::Pending {
        approve(&bob, &request).await.unwrap();
    }
    let more = match mode {
        "check" => vec![("mode", "check"), ("request-id", &*request.id)],
        _ => vec![("mode", mode), ("timeout", "1s")],
    };
    // Asking again for the same meets the same request.
    let job = world.another_job();
    let mut step = job.step(&world.action, &[asked.as_slice(), &more].concat());
    let main = step.start_bare("main").end().await;
    step.keep(&main);
    assert_eq!(main.output("request-id"), request.id);
    let token =
        main.outputs.contains_key("credential-file").then(|| credential(&main, &job.at("temp")));
    job.context("job.status", status);
    let post = step.start_bare("post").end().await.exits(0);
    world.is_discreet(&post, &[]);
    assert_eq!(post.log.annotations(), [], "nothing went wrong");
    let left = std::fs::read_dir(job.at("temp")).unwrap().map(|entry| entry.unwrap().file_name());
    let credentials = left.filter(|name| name.to_string_lossy().starts_with("assent-"));
    assert_eq!(credentials.count(), 0, "something of ours is left in the temporary directory");
    let is_live = match &token {
        Some(token) => Some(world.is_live(token).await),
        None => None,
    };
    (world.now(&request).await.state, is_live)
}

#[tokio::test]
async fn what_a_job_used_is_completed_if_it_succeeded_and_else_taken_back() {
    let world = World::new().await;
    for mode in ["wait", "check"] {
        for (status, state) in
            [("success", "consumed"), ("failure", "revoked"), ("cancelled", "revoked")]
        {
            let done = made_of(&world, mode, Left::Used, status).await;
            assert_eq!(done, (state.to_owned(), Some(false)), "{mode}, {status}");
            let done = made_of(&world, mode, Left::Granted, status).await;
            assert_eq!(done, (state.to_owned(), None), "{mode}, {status}, without a credential");
        }
    }
}

#[tokio::test]
async fn what_is_pending_ends_with_the_job_that_asked_and_waited() {
    let world = World::new().await;
    for (mode, status, state) in [
        ("wait", "failure", "canceled"),
        ("check", "failure", "pending"),
        ("check", "cancelled", "pending"),
        ("submit", "success", "pending"),
        ("submit", "failure", "canceled"),
        ("submit", "cancelled", "canceled"),
    ] {
        let done = made_of(&world, mode, Left::Pending, status).await;
        assert_eq!(done, (state.to_owned(), None), "{mode}, {status}");
    }
}

#[tokio::test]
async fn what_is_submitted_and_approved_is_left_to_the_job_that_checks() {
    let world = World::new().await;
    assert_eq!(made_of(&world, "submit", Left::Granted, "success").await.0, "approved");
}
