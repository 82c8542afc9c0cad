//! Everything that the App asks of GitHub goes wrong, one route after the other and each in every way,
//! in the middle of each story of a gate: nothing wrong is ever approved, nothing is filed or said
//! twice, and once GitHub is well again it comes right by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use assent_core::time::Span;
use serde_json::Value;
use tokio::task::JoinSet;

use super::world::{As, World};
use crate::support::github::{Call, Change, Fault, Route, message};
use crate::support::{Reply, approve, deny};

/// What happens at a gate while GitHub is not well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Story {
    /// A job asks.
    Asked,
    /// A job asks, and the webhook is lost.
    Unheard,
    /// Somebody approves.
    Approved,
    /// Somebody denies.
    Denied,
    /// An administrator lets the run pass.
    Bypassed,
    /// The run goes on, and GitHub names nobody.
    Vanished,
    /// The answer was lost when the check was made.
    CheckLost,
}

const STORIES: [Story; 7] = [
    Story::Asked,
    Story::Unheard,
    Story::Approved,
    Story::Denied,
    Story::Bypassed,
    Story::Vanished,
    Story::CheckLost,
];

/// Whether the guarding of deployments asks this. A new route has to be put here.
fn is_asked_for_gates(route: Route) -> bool {
    match route {
        Route::InstallationOfRepository
        | Route::InstallationToken
        | Route::Installations
        | Route::Repositories
        | Route::Repository
        | Route::Runs
        | Route::Run
        | Route::Pending
        | Route::Callback
        | Route::Approvals
        | Route::Environment
        | Route::Rules
        | Route::CreateCheck
        | Route::UpdateCheck
        | Route::ChecksOfCommit
        | Route::Commit
        | Route::Commits
        | Route::PullsOfCommit
        | Route::Pull
        | Route::CommitsOfPull
        | Route::CreateDeploymentStatus => true,
        // Only since something was carried out: `jobs.rs` and `behind.rs`.
        Route::Compare => false,
        // The doctor's: `doctor.rs`.
        Route::Deliveries | Route::Environments | Route::BranchPatterns => false,
        // Of teams: `teams.rs`.
        Route::InstallationOfOrganization | Route::TeamMembers => false,
        Route::App | Route::Content | Route::Unknown => false,
    }
}

/// A refusal that GitHub does not explain as a limit.
pub(super) fn refusals() -> Vec<Fault> {
    vec![
        Fault::Saying(message(403, "Resource not accessible by integration")),
        Fault::Saying(message(404, "Not Found")),
        Fault::Saying(message(409, "Conflict")),
        Fault::Saying(message(422, "Validation Failed")),
    ]
}

pub(super) fn limits() -> Vec<Fault> {
    let mut primary = message(429, "API rate limit exceeded for installation ID 77.");
    primary.headers.push(("retry-after", "30".to_owned()));
    let secondary = "You have exceeded a secondary rate limit. Please wait a few minutes.";
    vec![Fault::Saying(primary), Fault::Saying(message(403, secondary))]
}

pub(super) fn failures() -> Vec<Fault> {
    vec![
        Fault::Saying(message(500, "Server Error")),
        Fault::Lying(Reply::new(502, "<html>Bad gateway</html>")),
        Fault::HangingUp,
        Fault::HangingUpAfter,
    ]
}

impl Story {
    async fn begin(self, world: &World) {
        match self {
            Self::Asked | Self::Unheard => {}
            Self::CheckLost => {
                world.github.fail(Route::CreateCheck, 1, Fault::HangingUpAfter);
                world.asked(7).await;
            }
            Self::Approved | Self::Denied | Self::Bypassed | Self::Vanished => {
                world.asked(7).await;
                // Whose patience is short may have to ask again on a slow machine.
                while !Self::Asked.is_right(world).await {
                    world.guard_after(Span::minutes(3)).await;
                }
            }
        }
        // What is believed of the installation for some minutes is asked anew.
        world.server.time().pass(Span::minutes(11));
    }

    async fn happen(self, world: &World) {
        let bob = world.bob().await;
        match self {
            Self::Asked => drop(world.github.ask(world.server.base(), 7, "one").await),
            Self::Unheard | Self::CheckLost => {}
            Self::Approved => drop(approve(&bob, &world.request().await).await.unwrap()),
            Self::Denied => drop(deny(&bob, &world.request().await).await.unwrap()),
            Self::Bypassed => world.github.with(|state| state.change(7, Change::Bypassed(99))),
            Self::Vanished => world.github.with(|state| {
                state.change(7, Change::Bypassed(99));
                state.approvals.clear();
            }),
        }
    }

    /// What is true however GitHub behaves.
    async fn holds(self, world: &World, told: &str) {
        let gate = world.gate(7);
        let allowed = match self {
            Self::Approved => [None, Some("approved")],
            Self::Denied => [None, Some("rejected")],
            Self::Asked | Self::Unheard | Self::Bypassed | Self::Vanished | Self::CheckLost => {
                [None, None]
            }
        };
        assert!(allowed.contains(&gate.verdict.as_deref()), "{told}: {gate:?}");
        assert!(world.filed().await.len() <= 1, "{told}: more than one request");
        assert!(gate.verdicts <= 1, "{told}: {gate:?}");
        assert!(world.alarms().await.len() <= 1, "{told}: alarmed twice");
        // A report that GitHub took is never made a second time; nor is a check, nor a status.
        let mut reports = gate.reports.clone();
        reports.dedup();
        assert_eq!(reports.len(), gate.reports.len(), "{told}: {gate:?}");
        assert!(world.checks().len() <= 1, "{told}: {:?}", world.checks());
        let stated = world.github.with(|state| state.deployment_statuses.clone());
        let words: BTreeSet<_> = stated.iter().map(|(_, body)| body["state"].to_string()).collect();
        assert_eq!(words.len(), stated.len(), "{told}: {stated:?}");
        nothing_is_said_blindly(&world.github.calls(), told);
    }

    /// Whether everything is as it should be.
    async fn is_right(self, world: &World) -> bool {
        let Ok([request]) = <[_; 1]>::try_from(world.filed().await) else { return false };
        let conclusion = |check: &Value| check["conclusion"].as_str().unwrap_or("").to_owned();
        let checks: Vec<String> = world.checks().iter().map(conclusion).collect();
        let gate = world.gate(7);
        let (state, verdict, check, alarms) = match self {
            Self::Asked | Self::Unheard | Self::CheckLost => ("pending", None, "", 0),
            Self::Approved => ("approved", Some("approved"), "success", 0),
            Self::Denied => ("denied", Some("rejected"), "failure", 0),
            Self::Bypassed | Self::Vanished => ("canceled", None, "cancelled", 1),
        };
        request.state == state
            && gate.verdict.as_deref() == verdict
            && checks == [check]
            && world.alarms().await.len() == alarms
    }
}

/// A verdict that was sent is sent again only after it was read what waits.
fn nothing_is_said_blindly(calls: &[Call], told: &str) {
    let mut has_looked = true;
    for call in calls {
        let is_verdict = call.route == Route::Callback && call.body["state"].is_string();
        assert!(has_looked || !is_verdict, "{told}: said again blindly");
        has_looked = !is_verdict && (has_looked || call.route == Route::Pending);
    }
}

async fn world(patience: Duration) -> World {
    World::set_up(As { patience, deployment_statuses: true, ..As::default() }).await
}

const PATIENT: Duration = Duration::from_secs(10);

/// What each story asks of GitHub when all is well.
async fn routes() -> BTreeMap<Story, BTreeSet<Route>> {
    let mut all = BTreeMap::new();
    for story in STORIES {
        let world = world(PATIENT).await;
        story.begin(&world).await;
        world.github.forget_calls();
        story.happen(&world).await;
        for _ in 0..3 {
            world.guard_after(Span::minutes(1)).await;
        }
        assert!(story.is_right(&world).await, "{story:?} with nothing wrong");
        let asked = world.github.calls().iter().map(|call| call.route).collect();
        all.insert(story, asked);
    }
    all
}

async fn told_with(story: Story, route: Route, fault: Fault, patience: Duration) {
    let told = format!("{story:?} with {route:?} {fault:?}");
    let world = world(patience).await;
    story.begin(&world).await;
    world.github.fail(route, usize::MAX, fault);
    story.happen(&world).await;
    for _ in 0..3 {
        world.guard().await;
        story.holds(&world, &told).await;
        world.server.time().pass(Span::minutes(1));
    }
    world.github.heal();
    for _ in 0..10 {
        world.guard_after(Span::minutes(3)).await;
        story.holds(&world, &told).await;
        if story.is_right(&world).await {
            return;
        }
    }
    let (gate, filed, checks) = (world.gate(7), world.filed().await, world.checks());
    panic!("{told} does not come right: {gate:#?} {filed:#?} {checks:#?}");
}

/// What decides in every story. What only leads there is tried in the first that asks it.
const DECIDING: [Route; 6] = [
    Route::Run,
    Route::Pending,
    Route::Callback,
    Route::Approvals,
    Route::Environment,
    Route::Rules,
];

/// Every route that is asked, going wrong in each of these ways.
async fn every_call_goes_wrong(faults: Vec<Fault>, patience: Duration, at_once: usize) {
    let (mut running, mut tried) = (JoinSet::new(), BTreeSet::new());
    for (story, asked) in routes().await {
        for route in asked {
            if !tried.insert(route) && !DECIDING.contains(&route) {
                continue;
            }
            for fault in faults.clone() {
                while running.len() >= at_once {
                    running.join_next().await.unwrap().unwrap();
                }
                running.spawn(told_with(story, route, fault, patience));
            }
        }
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stories_ask_everything_that_guarding_asks() {
    let asked: BTreeSet<Route> = routes().await.into_values().flatten().collect();
    let wanted = Route::ALL.iter().copied().filter(|route| is_asked_for_gates(*route));
    assert_eq!(asked, wanted.collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_at_every_call_it_comes_right() {
    every_call_goes_wrong(refusals(), PATIENT, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t68_limited_at_every_call_it_comes_right() {
    every_call_goes_wrong(limits(), PATIENT, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_at_every_call_it_comes_right() {
    every_call_goes_wrong(failures(), PATIENT, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unanswered_at_every_call_it_comes_right() {
    let faults = vec![Fault::Silent, Fault::SilentAfter];
    every_call_goes_wrong(faults, Duration::from_secs(1), 12).await;
}

/// Where GitHub says for how long, nothing at all is asked before.
#[tokio::test(flavor = "multi_thread")]
async fn t68_where_github_says_that_it_is_too_much_nothing_is_asked_until_then() {
    let world = world(PATIENT).await;
    world.asked(7).await;
    approve(&world.bob().await, &world.request().await).await.unwrap();
    world.github.fail(Route::Callback, 1, limits().remove(0));
    world.guard().await;
    world.github.forget_calls();
    for seconds in [1, 5, 20] {
        world.guard_after(Span::seconds(seconds)).await;
        assert!(world.github.calls().is_empty(), "{:?}", world.github.calls());
    }
    world.guard_after(Span::seconds(10)).await;
    assert_eq!(world.gate(7).verdict.as_deref(), Some("approved"));
}
