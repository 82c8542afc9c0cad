//! Who is behind what a job asks for by its own token: GitHub says it, and none of them approves.

mod signals;
mod world;

use std::collections::BTreeSet;
use std::process::Stdio;

use assent_core::time::Span;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::task::JoinSet;

use crate::support::github::{Commit, Fault, Pull, Route, message};
use crate::support::{Issuer, POLICY, approve, mint, policy, policy_in, program};
use world::{World, filed, sha};

/// A pull request that this commit came by.
fn pull(author: u64, merge_commit: &str, commits: &[&str]) -> Pull {
    Pull {
        number: 5,
        author,
        merged_by: None,
        merge_commit: merge_commit.to_owned(),
        commits: commits.iter().map(|sha| (*sha).to_owned()).collect(),
    }
}

fn by(author: u64, committer: u64) -> Commit {
    Commit { author: Some(author), committer: Some(committer), ..Commit::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_everybody_behind_a_run_is_named_and_none_of_them_approves() {
    let world = World::start().await;
    world.github.with(|state| {
        let head = sha(7);
        state.commits.insert(head.clone(), by(11, 11));
        state.commits.insert(sha(701), by(41, 51));
        state.pulls.push(pull(31, &head, &[&sha(701)]));
        let run = state.runs.get_mut(&7).unwrap();
        (run.actor, run.triggering_actor) = (11, 21);
    });
    let request = world.file(7).await;
    // alice started it, bob started it again, carol opened it, dave wrote it, erin committed it.
    let named = world.behind(&request);
    assert_eq!(named, BTreeSet::from([11, 21, 31, 41, 51]));
    for name in ["alice", "bob", "carol", "dave", "erin"] {
        world.refuses(name, &request, "self_approval").await;
    }
    let frank = world.server.person("frank").await;
    assert_eq!(approve(&frank, &request).await.unwrap().state, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_what_was_added_since_people_approved_last_is_behind_it() {
    let world = World::start().await;
    // dave's was released; then bob pushed, then carol, and alice asks.
    let first = world.file(7).await;
    assert_eq!(world.behind(&first), BTreeSet::from([11]));
    let frank = world.server.person("frank").await;
    approve(&frank, &first).await.unwrap();
    world.github.with(|state| {
        let parent = |sha: String| Some(sha);
        state.commits.insert(sha(71), Commit { parent: parent(sha(7)), ..by(21, 21) });
        state.commits.insert(sha(72), Commit { parent: parent(sha(71)), ..by(31, 31) });
        state.commits.insert(sha(8), Commit { parent: parent(sha(72)), ..by(11, 11) });
    });
    world.run(8);
    let second = world.file(8).await;
    assert_eq!(world.behind(&second), BTreeSet::from([11, 21, 31]));
    assert_eq!(second.requester.claims["changes_since"], json!(sha(7)));
    world.refuses("bob", &second, "self_approval").await;
    // What was denied, and what is of another kind, is no base.
    world.github.with(|state| {
        let parent = Some(sha(8));
        state.commits.insert(sha(9), Commit { parent, ..by(11, 11) });
    });
    world.run(9);
    let third = world.file(9).await;
    assert_eq!(world.behind(&third), BTreeSet::from([11, 21, 31]));
    // Nor what was taken back after it had been approved.
    approve(&frank, &third).await.unwrap();
    let root = world.server.administrator().await;
    let path = format!("/v1/requests/{}/revoke", third.id);
    root.post(&path, &json!({"reason": "it was wrong"})).await.is(200);
    world.run(10);
    world.github.with(|state| {
        let parent = Some(sha(9));
        state.commits.insert(sha(10), Commit { parent, ..by(41, 41) });
    });
    let fourth = world.file(10).await;
    assert_eq!(world.behind(&fourth), BTreeSet::from([11, 21, 31, 41]));
    approve(&frank, &fourth).await.unwrap();
    // What was approved is the base whether or not it has been spent.
    world.run(12);
    world.github.with(|state| {
        let parent = Some(sha(10));
        state.commits.insert(sha(12), Commit { parent, ..by(11, 11) });
    });
    assert_eq!(world.behind(&world.file(12).await), BTreeSet::from([11]));
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_an_author_through_a_bot_is_behind_it() {
    let world = World::start().await;
    world.github.with(|state| {
        state.logins.insert(70, "release-please[bot]".to_owned());
        state.commits.insert(sha(7), by(70, 70));
        state.commits.insert(sha(701), by(21, 70));
        state.pulls.push(pull(70, &sha(7), &[&sha(701)]));
        let run = state.runs.get_mut(&7).unwrap();
        (run.actor, run.triggering_actor) = (70, 70);
    });
    let request = world.file_as(7, json!({"actor_id": "70"})).await;
    assert_eq!(world.behind(&request), BTreeSet::from([21, 70]));
    world.refuses("bob", &request, "self_approval").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_an_author_through_the_merge_queue_is_behind_it() {
    let world = World::start().await;
    world.github.with(|state| {
        state.logins.insert(71, "github-merge-queue[bot]".to_owned());
        // Squashed: what bob and carol wrote is in no commit that is deployed.
        state.commits.insert(sha(7), by(71, 71));
        state.commits.insert(sha(701), by(21, 21));
        state.commits.insert(sha(702), by(31, 31));
        state.pulls.push(pull(21, &sha(7), &[&sha(701), &sha(702)]));
        let run = state.runs.get_mut(&7).unwrap();
        (run.actor, run.triggering_actor) = (71, 71);
    });
    let request = world.file_as(7, json!({"actor_id": "71"})).await;
    for name in ["bob", "carol"] {
        world.refuses(name, &request, "self_approval").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_an_author_whose_friend_starts_the_workflow_is_behind_it() {
    let world = World::start().await;
    world.github.with(|state| {
        state.commits.insert(sha(7), by(21, 21));
        let run = state.runs.get_mut(&7).unwrap();
        (run.actor, run.triggering_actor) = (31, 31);
        "workflow_dispatch".clone_into(&mut run.event);
    });
    let said = json!({"actor_id": "31", "event_name": "workflow_dispatch"});
    let request = world.file_as(7, said).await;
    for name in ["bob", "carol"] {
        world.refuses(name, &request, "self_approval").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_a_friend_who_starts_it_again_is_behind_that_attempt() {
    let world = World::start().await;
    let first = world.file(7).await;
    assert_eq!(world.behind(&first), BTreeSet::from([11]));
    world.github.with(|state| {
        let run = state.runs.get_mut(&7).unwrap();
        (run.attempt, run.triggering_actor) = (2, 21);
    });
    // The token says who started the run, and not who started it again.
    let again = world.file_as(7, json!({"run_attempt": "2"})).await;
    assert_eq!(world.behind(&again), BTreeSet::from([11, 21]));
    world.refuses("bob", &again, "self_approval").await;
}

/// The rule lets another attempt go on with the request: not one that somebody else started, who
/// could approve it.
#[tokio::test(flavor = "multi_thread")]
async fn t04_t10_who_starts_a_run_again_does_not_meet_a_request_that_they_are_not_behind() {
    let issuer = Issuer::start().await;
    let text = world::policy(&issuer.url);
    let within = text.replace("credential: {", "credential: {reuse_within_run: true, ");
    assert_ne!(text, within);
    let world = World::ruled_by(&within, issuer).await;
    let again = |attempt: u64, by: u64| {
        world.github.with(|state| {
            let run = state.runs.get_mut(&7).unwrap();
            (run.attempt, run.triggering_actor) = (attempt, by);
        });
    };
    let first = world.file(7).await;
    again(2, 11);
    let same = world.meets(7, json!({"run_attempt": "2"})).await;
    assert_eq!(same.id, first.id, "who started it starts it again");
    again(3, 21);
    let other = world.meets(7, json!({"run_attempt": "3"})).await;
    assert_ne!(other.id, first.id);
    assert_eq!(world.behind(&other), BTreeSet::from([11, 21]));
    world.refuses("bob", &other, "self_approval").await;
}

/// Authors whom GitHub does not know are counted, and policy can say no.
#[tokio::test(flavor = "multi_thread")]
async fn t10_what_nobody_known_wrote_is_counted_and_policy_can_refuse_it() {
    let world = World::start().await;
    world.github.with(|state| {
        let head = sha(7);
        let nobodys = Commit { author: None, committer: None, ..by(0, 0) };
        state.commits.insert(head.clone(), by(11, 11));
        state.commits.insert(sha(701), nobodys);
        state.pulls.push(pull(31, &head, &[&sha(701), &head]));
    });
    let request = world.file(7).await;
    assert_eq!(request.requester.claims["unknown_authors"], json!("1"));
    let rule = "rules:\n  - id: known-authors\n    when: {requester.claims.unknown_authors: {glob: '*'}}\n    \
                deny: {message: commits by nobody whom GitHub knows}\n";
    let refusing = world.policy.replace("rules:\n", rule);
    world.server.authority.replace_policy(policy(&refusing));
    assert_eq!(world.file(7).await.state, "denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn t35_what_a_message_says_puts_nobody_behind_it_and_takes_nobody_out() {
    let world = World::start().await;
    world.github.with(|state| {
        let message = "Fix it\n\nCo-authored-by: frank <61+frank@users.noreply.github.com>\n\
            Approved-by: bob <bob@example.com>\nReviewed-by: @carol"
            .to_owned();
        state.commits.insert(sha(7), Commit { message, ..by(21, 21) });
    });
    let request = world.file(7).await;
    assert_eq!(world.behind(&request), BTreeSet::from([11, 21]));
    world.refuses("bob", &request, "self_approval").await;
    let frank = world.server.person("frank").await;
    assert_eq!(approve(&frank, &request).await.unwrap().state, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn t08_two_identities_that_policy_links_are_one_person_and_unlinked_ones_are_not_asked() {
    let world = World::start().await;
    let request = world.file(7).await;
    // alice signs in here; the run is her account's at GitHub.
    world.refuses("alice", &request, "self_approval").await;
    // Of gina it is not known who she is there: she may be 11.
    world.refuses("gina", &request, "unlinked_account").await;
    let text = world.policy.replace("rules:", "defaults: {unlinked_reviewers: allow}\nrules:");
    let lenient = World::ruled_by(&text, world.issuer.clone()).await;
    let request = lenient.file(7).await;
    lenient.refuses("alice", &request, "self_approval").await;
    let gina = lenient.server.person("gina").await;
    assert_eq!(approve(&gina, &request).await.unwrap().state, "approved");
}

#[tokio::test(flavor = "multi_thread")]
async fn t46_a_run_of_a_fork_is_refused_whatever_its_token_says() {
    let world = World::start().await;
    world.github.with(|state| state.runs.get_mut(&7).unwrap().head_repository = Some(666));
    let detail = world.try_file(&world.job(7, json!({})).await).await.refuses(403, "fork");
    assert!(detail.contains("fork"), "{detail}");
    // Whose repository is gone by now.
    world.github.with(|state| state.runs.get_mut(&7).unwrap().head_repository = None);
    world.try_file(&world.job(7, json!({})).await).await.refuses(403, "fork");
    assert!(world.all().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn t46_an_event_that_anybody_causes_is_let_in_by_no_trust_that_does_not_name_it() {
    let world = World::start().await;
    world.github.with(|state| {
        "pull_request_target".clone_into(&mut state.runs.get_mut(&7).unwrap().event);
    });
    let said = json!({"event_name": "pull_request_target"});
    let answer = world.exchanged(7, &said).await;
    answer.refuses_in_oauth(400, "invalid_grant");
    // A token that says another event than GitHub does is not of that run.
    world.try_file(&world.job(7, json!({})).await).await.refuses(403, "other_run");
    // Where a trust names the event, what comes of a fork is refused all the same.
    let text = world.policy.replace(
        "'900', environment: production}",
        "'900', environment: production, event_name: pull_request_target}",
    );
    let open = World::ruled_by(&text, world.issuer.clone()).await;
    open.github.with(|state| {
        let run = state.runs.get_mut(&7).unwrap();
        "pull_request_target".clone_into(&mut run.event);
        run.head_repository = Some(666);
    });
    open.try_file(&open.job(7, said).await).await.refuses(403, "fork");
}

#[tokio::test(flavor = "multi_thread")]
async fn t04_t31_a_token_that_is_not_what_github_says_of_its_run_is_refused() {
    let world = World::start().await;
    world.run(8);
    for said in [
        json!({"run_id": "8"}),
        json!({"run_id": "404"}),
        json!({"run_id": "7/approvals"}),
        json!({"run_attempt": "2"}),
        json!({"run_attempt": "0"}),
        json!({"sha": sha(8)}),
        json!({"event_name": "deployment"}),
        // Another repository took the name.
        json!({"repository": "acme/other"}),
    ] {
        world.github.with(|state| {
            let mut other = state.repositories[0].clone();
            (other.id, other.name) = (901, "other".to_owned());
            state.repositories.truncate(1);
            state.repositories.push(other);
        });
        let job = world.job(7, said.clone()).await;
        let detail = world.try_file(&job).await.refuses(403, "other_run");
        assert!(detail.contains('`'), "{said}: {detail}");
    }
    for name in ["run_id", "run_attempt", "sha", "event_name", "repository"] {
        let Some(job) = world.try_job(7, json!({name: null})).await else { continue };
        world.try_file(&job).await.refuses(403, "other_run");
    }
    assert!(world.all().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_app_is_not_installed_a_job_is_refused_unless_the_server_says_otherwise() {
    let world = World::start().await;
    world.github.with(|state| state.repositories[0].installed = false);
    let job = world.job(7, json!({})).await;
    let detail = world.try_file(&job).await.refuses(403, "app_not_installed");
    assert!(detail.contains("acme/shop"), "{detail}");
    assert!(world.all().await.is_empty());
    let lenient = World::with(&world.policy, world.issuer.clone(), false).await;
    lenient.github.with(|state| state.repositories[0].installed = false);
    let request = lenient.file(7).await;
    // What the token says, and no word since when.
    assert_eq!(lenient.behind(&request), BTreeSet::new());
    assert_eq!(request.requester.acts_for.len(), 1);
    assert!(!request.requester.claims.contains_key("changes_since"));
    // It is no base: whoever approved it may have been behind it.
    let frank = lenient.server.person("frank").await;
    approve(&frank, &request).await.unwrap();
    lenient.github.with(|state| {
        state.repositories[0].installed = true;
        state.commits.insert(sha(8), Commit { parent: Some(sha(7)), ..by(21, 21) });
    });
    lenient.run(8);
    let request = lenient.file(8).await;
    assert_eq!(request.requester.claims["changes_since"], json!("beginning"));
    assert_eq!(lenient.behind(&request), BTreeSet::from([11, 21]));
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_while_github_is_away_nothing_is_filed_and_the_same_job_asks_again() {
    let ways = [
        Fault::Saying(message(503, "Service unavailable")),
        Fault::Saying(message(429, "You have exceeded a secondary rate limit")),
        Fault::HangingUp,
    ];
    for route in [Route::Run, Route::Commit, Route::PullsOfCommit, Route::Commits] {
        for way in &ways {
            let world = World::start().await;
            let job = world.job(7, json!({})).await;
            world.github.fail(route, 1, way.clone());
            let answer = world.try_file(&job).await;
            answer.refuses(503, "github_away");
            assert!(world.all().await.is_empty(), "{route:?} {way:?}");
            world.server.time().pass(Span::minutes(2));
            let request = filed(&world.try_file(&job).await);
            assert_eq!(world.behind(&request), BTreeSet::from([11]), "{route:?} {way:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_another_issuer_are_asked_nothing_about_at_github() {
    let other = Issuer::start().await;
    let issuer = Issuer::start().await;
    let text = world::policy(&other.url);
    let world = World::ruled_by(&text, issuer).await;
    let job = world.job_of(&other, 7, json!({})).await;
    let request = filed(&world.try_file(&job).await);
    assert!(world.github.calls().is_empty());
    assert!(!request.requester.claims.contains_key("changes_since"));
    // A person of this server is no job either.
    let alice = world.server.person("alice").await;
    let answer = world.try_file(&alice).await;
    answer.is(201);
    assert!(world.github.calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_where_the_commit_before_is_gone_the_newest_count_and_the_work_goes_on() {
    let world = World::start().await;
    let frank = world.server.person("frank").await;
    approve(&frank, &world.file(7).await).await.unwrap();
    // The branch was pushed anew, and what was on it swept away.
    world.github.with(|state| {
        state.commits.remove(&sha(7));
        state.commits.insert(sha(81), by(21, 21));
        state.commits.insert(sha(8), Commit { parent: Some(sha(81)), ..by(11, 11) });
    });
    world.run(8);
    let request = world.file(8).await;
    assert_eq!(world.behind(&request), BTreeSet::from([11, 21]));
    assert_eq!(request.requester.claims["changes_since"], json!("beginning"));
    world.refuses("bob", &request, "self_approval").await;
    approve(&frank, &request).await.unwrap();
    // From there on it is compared again.
    world.github.with(|state| {
        state.commits.insert(sha(9), Commit { parent: Some(sha(8)), ..by(31, 31) });
    });
    world.run(9);
    let request = world.file(9).await;
    assert_eq!(request.requester.claims["changes_since"], json!(sha(8)));
    assert_eq!(world.behind(&request), BTreeSet::from([11, 31]));
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_a_long_history_is_read_page_by_page_and_where_it_is_cut_policy_can_say_no() {
    let world = World::start().await;
    // 251 commits since the last approval, each of somebody else; the first page has 100.
    let frank = world.server.person("frank").await;
    approve(&frank, &world.file(7).await).await.unwrap();
    let chain = |from: u64, count: u64, begin: Option<String>| {
        world.github.with(|state| {
            let mut parent = begin;
            for n in 0..count {
                let sha = sha(from + n);
                let commit = Commit { parent, ..by(from + n, from + n) };
                state.commits.insert(sha.clone(), commit);
                parent = Some(sha);
            }
        });
    };
    chain(1_000, 251, Some(sha(7)));
    world.run_at(8, &sha(1_250));
    let request = world.file(8).await;
    let all: BTreeSet<u64> = (1_000..1_251).chain([11]).collect();
    assert_eq!(world.behind(&request), all);
    assert_eq!(request.requester.claims["changes_since"], json!(sha(7)));
    // Without anything to compare with, only the newest are told of.
    let text = world.policy.replace(
        "rules:",
        "rules:
  - id: looked-at
    when: {requester.claims.changes_since: {glob: newest-*}}
    deny: {message: nobody knows since when}",
    );
    let strict = World::ruled_by(&text, world.issuer.clone()).await;
    strict.github.with(|state| {
        let of = world.github.with(|state| state.commits.clone());
        state.commits.extend(of);
    });
    let long = |world: &World, count| {
        world.github.with(|state| {
            let mut parent = None;
            for n in 0..count {
                let sha = sha(5_000 + n);
                state.commits.insert(sha.clone(), Commit { parent, ..by(5_000 + n, 5_000 + n) });
                parent = Some(sha);
            }
        });
        world.run_at(9, &sha(5_000 + count - 1));
    };
    long(&strict, 400);
    let denied = strict.file(9).await;
    assert_eq!(denied.requester.claims["changes_since"], json!("newest-300"));
    assert_eq!(strict.behind(&denied), (5_100..5_400).chain([11]).collect());
    assert_eq!(denied.state, "denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_jobs_of_a_run_ask_github_what_one_does() {
    let world = World::start().await;
    world.github.with(|state| {
        state.commits.insert(sha(701), by(41, 51));
        state.pulls.push(pull(31, &sha(7), &[&sha(701)]));
    });
    world.file(7).await;
    let alone = world.github.calls().len();
    assert!(alone <= 9, "{:#?}", world.github.calls());
    let world = World::start().await;
    world.github.with(|state| {
        state.commits.insert(sha(701), by(41, 51));
        state.pulls.push(pull(31, &sha(7), &[&sha(701)]));
    });
    let mut jobs = Vec::new();
    for _ in 0..100 {
        jobs.push(world.job(7, json!({})).await);
    }
    let mut filing = JoinSet::new();
    for job in jobs {
        filing.spawn(async move { job.post("/v1/requests", &world::body()).await });
    }
    let answers = filing.join_all().await;
    for answer in &answers {
        assert_eq!(world.behind(&filed(answer)), BTreeSet::from([11, 31, 41, 51]));
    }
    assert_eq!(answers.len(), 100);
    assert_eq!(world.github.calls().len(), alone, "{:#?}", world.github.calls());
    // Another attempt is another question, and so is the same one later.
    world.github.forget_calls();
    world.server.time().pass(Span::minutes(11));
    world.file(7).await;
    assert!(!world.github.calls_of(Route::Run).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn t10_what_the_hundred_are_told_when_github_fails_is_told_once_and_not_kept() {
    let world = World::start().await;
    let (one, two) = (world.job(7, json!({})).await, world.job(7, json!({})).await);
    world.github.fail(Route::Run, 1, Fault::Saying(message(500, "Server Error")));
    world.try_file(&one).await.refuses(503, "github_away");
    filed(&world.try_file(&two).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_whoever_comes_to_be_linked_to_who_is_behind_it_no_longer_counts() {
    let world = World::start().await;
    let with = |gina: &str| format!("  gina: {{github: [{gina}]}}\n  frank:");
    let before = world.policy.replace("  frank:", &with("'81'"));
    world.server.authority.replace_policy(policy(&before));
    let (job, gina) = (world.job(7, json!({})).await, world.server.person("gina").await);
    let request = filed(&world.try_file(&job).await);
    approve(&gina, &request).await.unwrap();
    // It comes out that the account is hers.
    let after = world.policy.replace("  alice: {github: '11'}\n", "");
    world.server.authority.replace_policy(policy(&after.replace("  frank:", &with("'81', '11'"))));
    let told = mint(&job, &request).await.unwrap_err();
    assert_eq!(told.code(), Some("no_longer_approved"), "{told}");
}

/// Whoever lets jobs in without an App is told what nobody knows then.
#[tokio::test]
async fn a_server_that_is_no_app_says_at_its_start_what_it_does_not_know() {
    let actions = world::policy("https://token.actions.githubusercontent.com");
    for (text, is_told) in [(actions.as_str(), true), (POLICY, false)] {
        let folder = tempfile::tempdir().unwrap();
        policy_in(&folder.path().join("policy"), text);
        let mut command = tokio::process::Command::new(program());
        command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--output", "json"]);
        command.arg("--data").arg(folder.path().join("data"));
        command.arg("--policy").arg(folder.path().join("policy")).kill_on_drop(true);
        let log = folder.path().join("log");
        command.stdout(Stdio::piped()).stderr(std::fs::File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        while !said.next_line().await.unwrap().unwrap().contains("listening") {}
        child.kill().await.unwrap();
        let log = std::fs::read_to_string(&log).unwrap();
        assert_eq!(log.contains("this server is no GitHub App"), is_told, "{log}");
    }
}
