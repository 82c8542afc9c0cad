//! Who is behind a change that a job of GitHub asks for. A job says who started it; everybody else
//! this server asks GitHub for, as its App, when the request is filed: who started the run and this
//! attempt at it, who opened the pull requests that the commit came by, who wrote their commits, the
//! commit itself, and everything since the last that was done for the same requester.
//!
//! A job is never taken at its word for whose change it is, and where GitHub cannot be asked nothing
//! is filed.

use std::collections::BTreeSet;

use assent_core::principal::{Principal, PrincipalId, PrincipalKind};
use assent_core::trust::Shape;
use serde_json::Value;

use crate::app::{AppError, Authority, Caller};
use crate::github::{Commit, Github, GithubError, Repository, Run};
use crate::ledger::States;

/// Among how many of the newest requests that were carried out the last of a requester is looked for.
const LOOKED_AT: usize = 200;

/// Why it cannot be said who is behind a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BehindError {
    /// Somebody without rights in the repository wrote it.
    #[error("the run is of a fork: whoever owns that chooses what it does")]
    Fork,
    /// The token and GitHub speak of different things.
    #[error("the token's `{0}` is not what GitHub says of the run; ask again from a job of it")]
    OtherRun(&'static str),
    /// A token of GitHub Actions that does not say of which run it is.
    #[error("the token has no `{0}`, by which GitHub could be asked about its run")]
    NoClaim(&'static str),
    /// Nobody could be asked about the repository.
    #[error(
        "the GitHub App of this server does not see `{repository}`, so nobody can say who is behind the \
         change: install it there"
    )]
    NotInstalled {
        /// As the token names it.
        repository: String,
    },
    /// GitHub did not answer.
    #[error("it cannot be said now who is behind the change: {0}; ask again")]
    Away(GithubError),
}

impl From<GithubError> for BehindError {
    fn from(error: GithubError) -> Self {
        Self::Away(error)
    }
}

impl Authority {
    /// Who is behind what a caller asks for, beside those whom its token names. Nobody where it is no
    /// job of the GitHub whose App this server is.
    ///
    /// # Errors
    /// [`AppError::Behind`]; [`AppError::Ledger`].
    pub(super) async fn behind_caller(
        &self,
        caller: &Caller,
        environment: &str,
    ) -> Result<BTreeSet<PrincipalId>, AppError> {
        let requester = caller.principal();
        let Some(github) = self.github().filter(|github| self.is_job_of(caller, github)) else {
            return Ok(BTreeSet::new());
        };
        let full_name = claim(requester, "repository")?;
        let (owner, name) = full_name.split_once('/').unwrap_or((full_name, ""));
        let repository = match github.repository(owner, name).await {
            Err(GithubError::NotFound(_)) if !github.requires_app() => return Ok(BTreeSet::new()),
            Err(GithubError::NotFound(_)) => {
                let repository = full_name.chars().take(200).collect();
                return Err(BehindError::NotInstalled { repository }.into());
            }
            found => found.map_err(BehindError::from)?,
        };
        let number = claim(requester, "run_id")?;
        let number = number.parse().map_err(|_| BehindError::OtherRun("run_id"))?;
        let run = repository.run(number).await.map_err(BehindError::from)?;
        check_run(requester, &run)?;
        self.people_behind(&repository, &run, &requester.id, environment).await
    }

    fn is_job_of(&self, caller: &Caller, github: &Github) -> bool {
        let policy = self.policy();
        let trust = caller.access().origin.as_ref().and_then(|o| policy.trust(&o.trust));
        // An enterprise may have tokens of an issuer of its own, below the one of all.
        let own = github.actions_issuer();
        let is_theirs = |issuer: &str| {
            issuer.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        caller.principal().kind == PrincipalKind::Workload
            && trust.is_some_and(|trust| {
                trust.shape() == Some(Shape::GithubActions) && is_theirs(trust.issuer())
            })
    }

    /// Everybody behind what a run does for this requester in this environment, by the numbers of
    /// their accounts. Whoever calls this knows that the run is the one that asks.
    ///
    /// # Errors
    /// [`AppError::Behind`]: of a fork nothing is said, and of nobody else where GitHub cannot be
    /// asked. [`AppError::Ledger`].
    pub(super) async fn people_behind(
        &self,
        repository: &Repository,
        run: &Run,
        requester: &PrincipalId,
        environment: &str,
    ) -> Result<BTreeSet<PrincipalId>, AppError> {
        if run.head_repository_id != Some(run.repository_id) {
            return Err(BehindError::Fork.into());
        }
        let last = self.last_done(requester, environment).await?;
        let numbers = numbers(repository, run, last.as_deref()).await.map_err(BehindError::from)?;
        let Some(github) = self.github() else { return Ok(BTreeSet::new()) };
        let account = |number: u64| PrincipalId::new(github.people_issuer(), &number.to_string());
        let accounts: Result<_, _> = numbers.into_iter().map(account).collect();
        accounts.map_err(|error| BehindError::Away(GithubError::Away(error.to_string())).into())
    }

    /// The commit of the last request of this requester for this environment that was carried out.
    async fn last_done(
        &self,
        requester: &PrincipalId,
        environment: &str,
    ) -> Result<Option<String>, AppError> {
        let done = self.ledger.list(States::Only("consumed"), None, LOOKED_AT).await?;
        let last = done.iter().find(|request| {
            request.requester().id == *requester && request.intent().environment() == environment
        });
        let sha = last.and_then(|request| request.requester().claims.get("sha"));
        Ok(sha.and_then(Value::as_str).map(str::to_owned))
    }
}

/// The accounts of everybody behind a run, each by its number.
async fn numbers(
    repository: &Repository,
    run: &Run,
    last: Option<&str>,
) -> Result<BTreeSet<u64>, GithubError> {
    let mut all = BTreeSet::from([run.actor.id, run.triggering_actor.id]);
    let mut commits = vec![repository.commit(&run.head_sha).await?];
    for pull in repository.pulls_of(&run.head_sha).await? {
        commits.extend(repository.commits_of(&pull).await?);
        all.insert(pull.author.id);
    }
    if let Some(last) = last.filter(|last| *last != run.head_sha) {
        commits.extend(repository.compare(last, &run.head_sha).await?);
    }
    let accounts = |commit: Commit| commit.author.into_iter().chain(commit.committer);
    all.extend(commits.into_iter().flat_map(accounts).map(|account| account.id));
    Ok(all)
}

/// That a job's token is of this run as GitHub knows it: by numbers, its commit and its attempt.
fn check_run(requester: &Principal, run: &Run) -> Result<(), BehindError> {
    if run.head_repository_id != Some(run.repository_id) {
        return Err(BehindError::Fork);
    }
    let said = [
        ("repository_id", run.repository_id.to_string()),
        ("repository_owner_id", run.repository_owner_id.to_string()),
        ("run_id", run.id.to_string()),
        ("run_attempt", run.attempt.to_string()),
        ("sha", run.head_sha.clone()),
    ];
    for (name, known) in said {
        if claim(requester, name)? != known {
            return Err(BehindError::OtherRun(name));
        }
    }
    Ok(())
}

fn claim<'p>(requester: &'p Principal, name: &'static str) -> Result<&'p str, BehindError> {
    requester.claims.get(name).and_then(Value::as_str).ok_or(BehindError::NoClaim(name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use assent_core::credential::Secret;
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use axum::Router;
    use axum::extract::State;
    use axum::http::{StatusCode, Uri};
    use axum::response::{IntoResponse, Response};
    use base64::Engine;
    use serde_json::json;

    use super::*;
    use crate::clock::Clock;
    use crate::github::{Place, Settings};

    const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const LAST: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    /// A GitHub that answers what is told, by path, and nothing else.
    async fn github(told: BTreeMap<String, Value>) -> Github {
        let answer =
            async |State(told): State<Arc<BTreeMap<String, Value>>>, uri: Uri| -> Response {
                match told.get(uri.path()) {
                    Some(body) => axum::Json(body).into_response(),
                    None => (StatusCode::NOT_FOUND, axum::Json(json!({"message": "Not Found"})))
                        .into_response(),
                }
            };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::new(told));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
        let pem = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
        let settings = Settings {
            app_id: 1,
            slug: "assent".to_owned(),
            private_key: Secret::new(format!(
                "-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n"
            )),
            webhook_secret: Secret::new("0123456789abcdef0123456789abcdef".to_owned()),
            place: Place {
                url: "https://github.com".to_owned(),
                api: format!("{url}/").parse().unwrap(),
                actions_issuer: "https://token.actions.githubusercontent.com".to_owned(),
            },
            require_app: true,
            between_writes: std::time::Duration::ZERO,
            patience: std::time::Duration::from_secs(10),
            deployment_statuses: false,
            ca_file: None,
        };
        Github::new(settings, Clock::system()).unwrap()
    }

    fn account(id: u64) -> Value {
        json!({"id": id, "login": format!("u{id}"), "type": "User"})
    }

    fn commit(sha: &str, author: u64, committer: u64) -> Value {
        json!({"sha": sha, "author": account(author), "committer": account(committer)})
    }

    fn run() -> Value {
        let repository = json!({"id": 11, "full_name": "acme/shop", "owner": account(12)});
        json!({
            "id": 7, "run_attempt": 2, "event": "push", "head_sha": HEAD, "head_branch": "main",
            "head_repository": {"id": 11}, "repository": repository,
            "actor": account(1), "triggering_actor": account(2),
        })
    }

    fn told(all: &[(&str, Value)]) -> BTreeMap<String, Value> {
        let pull = json!({
            "number": 5, "user": account(3), "base": {"sha": LAST}, "head": {"sha": HEAD},
        });
        let base = [
            ("/repos/acme/shop/installation", json!({"id": 9})),
            (
                "/app/installations/9/access_tokens",
                json!({"token": "ghs_x", "expires_at": "2999-01-01T00:00:00Z", "permissions": {}}),
            ),
            (
                "/repos/acme/shop",
                json!({
                    "id": 11, "full_name": "acme/shop", "owner": account(12),
                    "default_branch": "main",
                }),
            ),
            ("/repos/acme/shop/actions/runs/7", run()),
            (&format!("/repos/acme/shop/commits/{HEAD}"), commit(HEAD, 4, 5)),
            (&format!("/repos/acme/shop/commits/{HEAD}/pulls"), json!([pull])),
            ("/repos/acme/shop/pulls/5", pull.clone()),
            ("/repos/acme/shop/pulls/5/commits", json!([commit(HEAD, 6, 7)])),
            (
                &format!("/repos/acme/shop/compare/{LAST}...{HEAD}"),
                json!({"total_commits": 1, "commits": [commit(HEAD, 8, 9)]}),
            ),
        ]
        .map(|(path, body)| (path.to_owned(), body));
        let more = all.iter().map(|(path, body)| ((*path).to_owned(), body.clone()));
        base.into_iter().chain(more).collect()
    }

    fn job(claims: &[(&str, &str)]) -> Principal {
        let said = [
            ("repository_id", "11"),
            ("repository_owner_id", "12"),
            ("run_id", "7"),
            ("run_attempt", "2"),
            ("sha", HEAD),
        ];
        let all = said.iter().chain(claims);
        Principal {
            id: PrincipalId::new("https://token.actions.githubusercontent.com", "r").unwrap(),
            kind: PrincipalKind::Workload,
            groups: BTreeSet::new(),
            acts_for: BTreeSet::new(),
            claims: all.map(|(name, value)| ((*name).to_owned(), json!(value))).collect(),
        }
    }

    #[tokio::test]
    async fn t10_everybody_who_had_a_hand_in_a_change_is_behind_it() {
        let github = github(told(&[])).await;
        let repository = github.repository("acme", "shop").await.unwrap();
        let run = repository.run(7).await.unwrap();
        // Started, re-run, opened, written and committed: alone, in the pull request, since the last.
        let without = numbers(&repository, &run, None).await.unwrap();
        assert_eq!(without, (1..=7).collect());
        let since = numbers(&repository, &run, Some(LAST)).await.unwrap();
        assert_eq!(since, (1..=9).collect());
    }

    #[tokio::test]
    async fn t10_nobody_is_left_out_because_github_did_not_answer() {
        let mut answers = told(&[]);
        for path in [
            format!("/repos/acme/shop/commits/{HEAD}"),
            format!("/repos/acme/shop/commits/{HEAD}/pulls"),
            "/repos/acme/shop/pulls/5/commits".to_owned(),
            format!("/repos/acme/shop/compare/{LAST}...{HEAD}"),
        ] {
            let answer = answers.remove(&path).unwrap();
            let github = github(answers.clone()).await;
            let repository = github.repository("acme", "shop").await.unwrap();
            let run = repository.run(7).await.unwrap();
            assert!(numbers(&repository, &run, Some(LAST)).await.is_err(), "{path}");
            answers.insert(path, answer);
        }
    }

    #[tokio::test]
    async fn t46_a_run_of_a_fork_and_a_token_of_another_run_are_refused() {
        let github = github(told(&[])).await;
        let run = github.repository("acme", "shop").await.unwrap().run(7).await.unwrap();
        assert_eq!(check_run(&job(&[]), &run), Ok(()));
        for (name, value) in [
            ("repository_id", "99"),
            ("repository_owner_id", "99"),
            ("run_id", "8"),
            ("run_attempt", "1"),
            ("sha", LAST),
        ] {
            let refused = check_run(&job(&[(name, value)]), &run);
            assert_eq!(refused, Err(BehindError::OtherRun(name)));
        }
        // Another repository's commit, and one whose repository is gone.
        for head_repository_id in [Some(13), None] {
            let fork = Run { head_repository_id, ..run.clone() };
            assert_eq!(check_run(&job(&[]), &fork), Err(BehindError::Fork));
        }
    }
}
