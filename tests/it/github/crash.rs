//! The real binary as the App, killed with SIGKILL at each write to GitHub, before it was done and
//! after: once it is started again everything is said, and taken once.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use assent_client::wire;
use assent_core::time::Span;

use super::world::{World, acme};
use crate::support::github::{APP, Fault, Github, Route, WEBHOOK_SECRET, private_key};
use crate::support::{Binary, POLICY, Remains, approve, deny, eventually, free_place, policy_in};

struct Place {
    data: PathBuf,
    policy: PathBuf,
    app: PathBuf,
    place: SocketAddr,
}

impl Place {
    fn within(folder: &Path, github: &Github) -> Self {
        let [data, policy, app] = ["data", "policy", "github.yaml"].map(|name| folder.join(name));
        policy_in(&policy, POLICY);
        let secrets = [("key.pem", private_key()), ("secret", WEBHOOK_SECRET.to_owned())];
        for (name, text) in secrets {
            let file = folder.join(name);
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        let text = format!(
            "apiVersion: assent/v1\nkind: GitHub\napp:\n  id: {APP}\n  slug: assent\n  \
             privateKeyFile: key.pem\n  webhookSecretFile: secret\n  apiUrl: {}\n  \
             secondsBetweenWrites: 0\n",
            github.url
        );
        std::fs::write(&app, text).unwrap();
        Self { data, policy, app, place: free_place() }
    }

    async fn start(&self) -> Binary {
        // Where people find it stays the same.
        let more = [Path::new("--github"), &self.app];
        Binary::start_at_with(self.place, &self.data, &self.policy, &more).await
    }
}

/// What is said when the binary is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saying {
    Waiting,
    Check,
    Yes,
    No,
    CheckAfterwards,
}

impl Saying {
    fn route(self) -> Route {
        match self {
            Self::Waiting | Self::Yes | Self::No => Route::Callback,
            Self::Check => Route::CreateCheck,
            Self::CheckAfterwards => Route::UpdateCheck,
        }
    }

    /// Whether it is said before anybody has decided.
    fn is_early(self) -> bool {
        matches!(self, Self::Waiting | Self::Check)
    }
}

async fn only_request(binary: &Binary, bob: &str) -> wire::Request {
    let bob = binary.holder_of(bob);
    eventually("the request", async || {
        bob.client.requests(&[]).await.ok()?.requests.into_iter().next()
    })
    .await
}

async fn killed_while(saying: Saying, fault: Fault) {
    let told = format!("{saying:?} {fault:?}");
    let (folder, github) = (tempfile::tempdir().unwrap(), acme().await);
    let place = Place::within(folder.path(), &github);
    if saying.is_early() {
        github.fail(saying.route(), 1, fault.clone());
    }
    let mut binary = place.start().await;
    let bob = binary.tokens["bob"].clone();
    assert_eq!(github.ask(&binary.base, 7, "one").await, 200);
    let decide = async |binary: &Binary| {
        let (who, request) = (binary.holder_of(&bob), only_request(binary, &bob).await);
        match saying {
            Saying::No => drop(deny(&who, &request).await.unwrap()),
            Saying::Waiting | Saying::Check | Saying::Yes | Saying::CheckAfterwards => {
                drop(approve(&who, &request).await.unwrap());
            }
        }
    };
    if !saying.is_early() {
        eventually("the check", async || {
            github.with(|state| (!state.checks.is_empty()).then_some(()))
        })
        .await;
        github.fail(saying.route(), 1, fault);
        decide(&binary).await;
    }
    github.fell_silent().await;
    binary.kill().await;

    let binary = place.start().await;
    if saying.is_early() {
        decide(&binary).await;
    }
    let (verdict, conclusion) = match saying {
        Saying::No => ("rejected", "failure"),
        Saying::Waiting | Saying::Check | Saying::Yes | Saying::CheckAfterwards => {
            ("approved", "success")
        }
    };
    eventually(&told, async || {
        let is_right = github.with(|state| {
            let gate = state.gate(7, "one");
            let mut checks = state.checks.values();
            gate.verdict.as_deref() == Some(verdict)
                && checks.all(|check| check["conclusion"] == conclusion)
        });
        is_right.then_some(())
    })
    .await;
    let gate = github.with(|state| state.gate(7, "one"));
    assert_eq!(gate.verdicts, 1, "{told}: said twice");
    assert!(gate.reports.len() <= 1, "{told}: {gate:?}");
    assert_eq!(github.with(|state| state.checks.len()), 1, "{told}: one check");
    let all = binary.holder_of(&bob).client.requests(&[]).await.unwrap().requests;
    assert_eq!(all.len(), 1, "{told}: one request");
}

#[tokio::test(flavor = "multi_thread")]
async fn t56_killed_before_github_did_what_it_was_told() {
    for saying in [Saying::Waiting, Saying::Check, Saying::Yes, Saying::No, Saying::CheckAfterwards]
    {
        killed_while(saying, Fault::Silent).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t56_killed_after_github_did_what_it_was_told_and_before_that_was_known() {
    for saying in [Saying::Waiting, Saying::Check, Saying::Yes, Saying::No, Saying::CheckAfterwards]
    {
        killed_while(saying, Fault::SilentAfter).await;
    }
}

/// Nothing was looked at between the decision and the end of the process.
#[tokio::test(flavor = "multi_thread")]
async fn t56_a_decision_that_was_not_said_yet_is_said_by_the_next_process() {
    let (folder, github) = (tempfile::tempdir().unwrap(), acme().await);
    let file = folder.path().join("ledger.sqlite");
    let world = World::on_file(&file, github.clone(), Remains::fresh()).await;
    world.asked(7).await;
    approve(&world.bob().await, &world.request().await).await.unwrap();
    assert_eq!(world.gate(7).verdicts, 0);
    let remains = world.server.stop().await;
    let world = World::on_file(&file, github, remains).await;
    world.guard().await;
    assert_eq!(world.gate(7).verdict.as_deref(), Some("approved"));
    world.guard_after(Span::minutes(2)).await;
    assert_eq!(world.gate(7).verdicts, 1);
}
