//! A comment on the pull request that a run belongs to, where the job may write one: what the summary
//! says. Nothing hangs on it. A comment is never read back, and is no review.

use std::time::Duration;

use assent_client::{HttpClient, Secret, Url};
use serde_json::{Value, json};

use crate::runner::Runner;

/// How long a call to the forge may take. The gate does not wait for it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest comment that GitHub takes, in characters.
const LONGEST: usize = 65_000;

/// Writes and rewrites one comment.
#[derive(Debug)]
pub(crate) struct Commenter {
    http: HttpClient,
    token: Secret,
    /// The comments of the pull request.
    list: Url,
    /// The comments of the repository.
    all: Url,
    /// The one that was written.
    own: Option<u64>,
}

impl Commenter {
    /// With this token, for the run's pull request; `None` where it belongs to none.
    pub(crate) fn new(token: Secret, runner: &Runner) -> Option<Self> {
        let number = runner.pull_request?;
        let base = runner.api.as_ref()?;
        let repository = &runner.commit.repository;
        let place = |rest: &str| format!("{base}/repos/{repository}/issues/{rest}").parse().ok();
        let http =
            HttpClient::builder().timeout(TIMEOUT).user_agent("assent-action").build().ok()?;
        let (list, all) = (place(&format!("{number}/comments"))?, place("comments")?);
        Some(Self { http, token, list, all, own: None })
    }

    /// Says this, instead of what it said before.
    ///
    /// # Errors
    /// In words, why it was not said.
    pub(crate) async fn say(&mut self, markdown: &str) -> Result<(), String> {
        if markdown.chars().count() > LONGEST {
            return Err("the summary is too long for a comment".to_owned());
        }
        let request = match self.own {
            None => self.http.post(self.list.clone()),
            Some(id) => self.http.patch(format!("{}/{id}", self.all)),
        };
        let request = request
            .bearer_auth(self.token.expose())
            .header("accept", "application/vnd.github+json")
            .json(&json!({"body": markdown}));
        let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
        let status = answer.status();
        if !status.is_success() {
            return Err(format!("the forge answered {status}"));
        }
        let written: Value = answer.json().await.map_err(|e| e.without_url().to_string())?;
        self.own = self.own.or(written.get("id").and_then(Value::as_u64));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    fn commenter(event: &Value) -> Option<Commenter> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("event.json");
        std::fs::write(&file, event.to_string()).unwrap();
        let environment = Environment::from([
            ("GITHUB_EVENT_PATH", file.to_str().unwrap()),
            ("GITHUB_REPOSITORY", "acme/orders"),
            ("GITHUB_API_URL", "https://github.example/api/v3"),
        ]);
        Commenter::new(Secret::new("t".to_owned()), &Runner::of(&environment))
    }

    #[test]
    fn only_a_pull_request_is_told() {
        assert!(commenter(&json!({"head_commit": {}})).is_none());
        let told = commenter(&json!({"pull_request": {"number": 7}})).unwrap();
        let list = "https://github.example/api/v3/repos/acme/orders/issues/7/comments";
        assert_eq!(told.list.as_str(), list);
        assert!(!format!("{told:?}").contains("\"t\""));
    }
}
