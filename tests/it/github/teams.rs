//! Teams at GitHub as groups: who is in one counts, as long as GitHub says so.

use assent_client::wire;
use assent_core::time::Span;
use assent_server::policy::Source;

use super::faults::{failures, limits, refusals};
use crate::support::github::{Fault, Github, Route, message, repository, settings};
use crate::support::{Server, Setup, approve, documents, filing, fresh_key, mint};

const POLICY: &str = "
apiVersion: assent/v1
kind: Policy
metadata: {name: tests}
people:
  bob: {github: '21'}
  carol: {github: '31'}
groups:
  release-managers: {github_team: acme/release-managers}
rules:
  - id: production
    when: {intent.environment: production}
    require:
      stages: [{name: release, approvals: 1, from: [group:release-managers]}]
      request_expires: 4h
      credential: {max_ttl: 15m, grant_window: 1h, audiences: [aws]}
";

struct World {
    github: Github,
    server: Server,
}

impl World {
    /// The team has these accounts.
    async fn with(members: &[u64]) -> Self {
        let github = Github::start().await;
        github.with(|state| {
            state.repositories.push(repository(900, "shop"));
        });
        team(&github, "release-managers", members);
        let app = settings(&github);
        let source = Source::Given(documents(POLICY));
        let server = Server::set_up(Setup { source, github: Some(app), ..Setup::default() }).await;
        server.authority.look_at_teams().await;
        Self { github, server }
    }

    async fn file(&self) -> wire::Request {
        let alice = self.server.person("alice").await;
        alice.client.file(&filing("production", "r"), &fresh_key()).await.unwrap()
    }

    /// Whether this person's approval is taken, or why not.
    async fn approves(&self, name: &str, request: &wire::Request) -> Result<(), String> {
        let who = self.server.person(name).await;
        let told = approve(&who, request).await;
        told.map(drop).map_err(|error| error.code().unwrap_or_default().to_owned())
    }

    async fn later(&self, span: Span) {
        self.server.time().pass(span);
        self.server.authority.look_at_teams().await;
    }
}

fn team(github: &Github, slug: &str, members: &[u64]) {
    let key = ("acme".to_owned(), slug.to_owned());
    github.with(|state| drop(state.teams.insert(key, members.to_vec())));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_in_a_team_or_in_one_below_it_counts_by_their_account() {
    let world = World::with(&[21]).await;
    let request = world.file().await;
    assert_eq!(world.approves("carol", &request).await, Err("not_asked".to_owned()));
    team(&world.github, "on-call", &[31]);
    world.github.with(|state| {
        let below = ("release-managers".to_owned(), "on-call".to_owned());
        state.teams_below.push(("acme".to_owned(), below.0, below.1));
    });
    world.later(Span::minutes(1)).await;
    assert_eq!(world.approves("carol", &request).await, Ok(()));
    // A team below says nothing of the one above it.
    let other = World::with(&[]).await;
    team(&other.github, "everybody", &[21]);
    other.github.with(|state| {
        let below = ("everybody".to_owned(), "release-managers".to_owned());
        state.teams_below.push(("acme".to_owned(), below.0, below.1));
    });
    other.later(Span::minutes(1)).await;
    let request = other.file().await;
    assert_eq!(other.approves("bob", &request).await, Err("not_asked".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_an_approver_who_left_the_team_does_not_count_at_mint() {
    let world = World::with(&[21, 31]).await;
    let request = world.file().await;
    world.approves("bob", &request).await.unwrap();
    team(&world.github, "release-managers", &[31]);
    world.later(Span::minutes(1)).await;
    let alice = world.server.person("alice").await;
    let told = mint(&alice, &request).await.unwrap_err();
    assert_eq!(told.code(), Some("no_longer_approved"));
    team(&world.github, "release-managers", &[21, 31]);
    world.later(Span::minutes(1)).await;
    mint(&alice, &request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_while_github_cannot_be_asked_members_count_for_five_minutes_and_then_nobody_does() {
    let world = World::with(&[21, 31]).await;
    let (first, second) = (world.file().await, world.file().await);
    let away = Fault::Saying(message(503, "Service unavailable"));
    world.github.fail(Route::TeamMembers, usize::MAX, away);
    world.later(Span::minutes(4)).await;
    assert_eq!(world.approves("bob", &first).await, Ok(()));
    world.later(Span::minutes(1)).await;
    assert_eq!(world.approves("bob", &second).await, Err("not_asked".to_owned()));
    // What they approved counts no more either, until GitHub says so again.
    let alice = world.server.person("alice").await;
    let told = mint(&alice, &first).await.unwrap_err();
    assert_eq!(told.code(), Some("no_longer_approved"));
    world.github.heal();
    world.later(Span::minutes(1)).await;
    mint(&alice, &first).await.unwrap();
    assert_eq!(world.approves("carol", &second).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn t09_the_name_of_an_account_puts_nobody_in_a_team() {
    let world = World::with(&[99]).await;
    world.github.with(|state| {
        state.logins.insert(99, "bob".to_owned());
    });
    world.later(Span::minutes(1)).await;
    let request = world.file().await;
    assert_eq!(world.approves("bob", &request).await, Err("not_asked".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_of_a_hundred_and_one_is_read_to_the_last_and_a_team_that_is_gone_is_empty() {
    let members: Vec<u64> = (1_000..1_100).chain([21]).collect();
    let world = World::with(&members).await;
    let (first, second) = (world.file().await, world.file().await);
    assert_eq!(world.approves("bob", &first).await, Ok(()));
    world.github.with(|state| state.teams.clear());
    world.later(Span::minutes(1)).await;
    assert_eq!(world.approves("bob", &second).await, Err("not_asked".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_whatever_goes_wrong_with_a_team_its_people_count_for_five_minutes_at_most() {
    for route in [Route::TeamMembers, Route::InstallationOfOrganization] {
        for fault in [refusals(), limits(), failures()].into_iter().flatten() {
            let world = World::with(&[21]).await;
            let request = world.file().await;
            world.github.fail(route, usize::MAX, fault.clone());
            world.later(Span::minutes(5)).await;
            let told = world.approves("bob", &request).await;
            assert_eq!(told, Err("not_asked".to_owned()), "{route:?} {fault:?}");
            world.github.heal();
            world.later(Span::minutes(2)).await;
            assert_eq!(world.approves("bob", &request).await, Ok(()), "{route:?} {fault:?}");
        }
    }
}
