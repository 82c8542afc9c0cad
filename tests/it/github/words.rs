//! What is said at GitHub, within its limits and with everybody's words held where they are words.

use assent_client::wire;
use assent_core::principal::is_visible;
use assent_core::time::Span;
use serde_json::Value;

use super::world::{World, environment, gate};
use crate::support::github::Route;
use crate::support::{POLICY, fresh_key};

/// What somebody may write wherever they can: Markdown, HTML, mentions, links, ends of code spans,
/// what an eye does not see, and commands of a workflow's log.
const HOSTILE: &str = "`](https://evil.example) ``` @acme/admins <img src=x> #1 \u{202e}live\u{200b}\
    \n\n# Approved\r\n::error::x\u{1b}[31m |<!--";

/// What of a text is outside of code spans ("GitHub Flavored Markdown", code spans): runs of backticks
/// of one length hold what is between them.
fn outside_of_code(text: &str) -> String {
    let (mut outside, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('`') {
        let (before, from) = rest.split_at(at);
        outside.push_str(before);
        let length = from.chars().take_while(|letter| *letter == '`').count();
        let (fence, inside) = from.split_at(length);
        let mut searched = 0;
        loop {
            let Some(found) = inside[searched..].find(fence) else {
                panic!("a code span does not end: {text}");
            };
            let begin = searched + found;
            let run = inside[begin..].chars().take_while(|letter| *letter == '`').count();
            if run == length {
                rest = &inside[begin + run..];
                break;
            }
            searched = begin + run;
        }
    }
    outside.push_str(rest);
    outside
}

#[track_caller]
fn is_harmless(text: &str, base: &str) {
    assert!(text.chars().count() <= 1024, "{} characters", text.chars().count());
    let hidden = text.chars().find(|letter| letter.is_control() && *letter != '\n');
    assert_eq!(hidden, None, "{text:?}");
    assert!(!text.contains(['\u{202e}', '\u{200b}']), "{text:?}");
    let outside = outside_of_code(text).replace(base, "");
    for wrong in ["@", "<", "](", "evil", "#", "::", "|", "*"] {
        assert!(!outside.contains(wrong), "`{wrong}` is not held: {outside}");
    }
}

/// Everything that was said at GitHub.
fn said(world: &World) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let of = |call: &crate::support::github::Call| {
        let body = &call.body;
        let all = [&body["comment"], &body["output"]["summary"], &body["output"]["title"]];
        all.into_iter().filter_map(text).collect::<Vec<_>>()
    };
    let calls = world.github.calls();
    calls.iter().filter(|call| call.route.is_write()).flat_map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn t36_t37_what_others_wrote_stays_their_words() {
    let world = World::start().await;
    let long = HOSTILE.repeat(20);
    world.github.with(|state| {
        let run = state.runs.get_mut(&7).unwrap();
        run.title.clone_from(&long);
    });
    world.asked(7).await;
    let request = world.request().await;
    assert!(request.intent.reason.contains("https://evil.example"));
    // What an eye does not see is refused in a comment.
    let comment: String = HOSTILE.repeat(15);
    let comment = comment.chars().filter(|letter| is_visible(*letter)).collect();
    let review = wire::NewReview {
        verdict: wire::Verdict::Deny,
        comment,
        digest: request.digest.clone(),
        signature: None,
    };
    world.bob().await.client.review(&request.id, &review, &fresh_key()).await.unwrap();
    world.guard().await;
    world.guard_after(Span::minutes(2)).await;
    let said = said(&world);
    assert!(said.len() >= 5, "{said:#?}");
    assert!(said.iter().any(|text| text.starts_with("Denied") && text.contains("evil.example")));
    assert!(said.iter().any(|text| text.contains("Asked:") && text.contains("\\u{202e}")));
    for text in &said {
        is_harmless(text, world.server.base());
    }
}

/// No request can have such a name, so it is said why nothing is asked.
#[tokio::test(flavor = "multi_thread")]
async fn t36_an_environment_with_a_hostile_name_is_rejected_with_the_reason() {
    let world = World::start().await;
    let name: String = HOSTILE.chars().filter(|letter| !letter.is_control()).take(200).collect();
    world.github.with(|state| {
        let mut named = environment(900);
        named.name.clone_from(&name);
        named.id = 6;
        state.environments.push(named);
        state.gates[0] = gate(7, &name);
    });
    assert_eq!(world.github.ask(world.server.base(), 7, &name).await, 200);
    world.guard().await;
    assert!(world.filed().await.is_empty());
    let gate = world.github.with(|state| state.gates[0].clone());
    assert_eq!(gate.verdict.as_deref(), Some("rejected"));
    assert!(gate.comment.contains("at most 63 letters"), "{}", gate.comment);
    said(&world)
        .iter()
        .for_each(|text| is_harmless(&text.replace("`-`, `_`, `.` and `/`", ""), ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn t36_an_event_with_a_hostile_name_is_rejected_with_the_reason() {
    let world = World::start().await;
    world.github.with(|state| HOSTILE.clone_into(&mut state.runs.get_mut(&7).unwrap().event));
    world.asked(7).await;
    let gate = world.gate(7);
    assert_eq!(gate.verdict.as_deref(), Some("rejected"));
    is_harmless(&gate.comment, "");
}

/// GitHub takes ten reports on a deployment; the verdict is none of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_reported_on_ten_times_at_most() {
    let names: Vec<String> = (0..15).map(|n| format!("p{n}")).collect();
    let people = names.iter().map(|name| format!("person:{name}")).collect::<Vec<_>>().join(", ");
    let policy = POLICY.replace("[person:bob, person:carol, person:dave]", &format!("[{people}]"));
    let linked = |n: usize| format!("  p{n}: {{github: \"{}\"}}\n", 100 + n);
    let linked = (0..15).map(linked).collect::<String>();
    let policy = policy.replace("people:\n", &format!("people:\n{linked}"));
    let policy =
        policy.replacen("{name: release, approvals: 1,", "{name: release, approvals: 14,", 1);
    let world = World::set_up(super::world::As { policy, ..Default::default() }).await;
    world.asked(7).await;
    let request = world.request().await;
    for (count, name) in names.iter().enumerate().take(14) {
        let who = world.server.person(name).await;
        crate::support::approve(&who, &request).await.unwrap();
        world.guard_after(Span::seconds(15)).await;
        assert!(world.gate(7).reports.len() <= 10);
        let shown = format!("Waiting: {} of 14", count + 1);
        if count < 9 {
            assert!(world.gate(7).reports.last().unwrap().starts_with(&shown));
        }
    }
    let gate = world.gate(7);
    assert_eq!((gate.reports.len(), gate.verdict.as_deref()), (10, Some("approved")));
    let refused = world.github.calls_of(Route::Callback).iter().filter(|c| c.status != 204).count();
    assert_eq!(refused, 0, "GitHub refused none");
}
