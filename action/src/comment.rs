//! A comment on the pull request that a run belongs to, where the job may write one: what the summary
//! says. Nothing hangs on it: it is no review, and what it says is never read back. It is found again
//! by a mark, so that a later job brings it up to date instead of adding another.

use std::time::Duration;

use assent_client::{HttpClient, Redirects, Secret, Url};
use serde_json::{Value, json};

use crate::runner::Runner;

/// How long all calls to the forge may take. The gate does not wait for it longer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest comment that GitHub takes, in characters.
const LONGEST: usize = 65_000;
/// So many are listed at once, the most that GitHub gives, and so many times.
const AT_ONCE: usize = 100;
const MOST_PAGES: u32 = 10;

/// Writes and rewrites one comment.
#[derive(Debug)]
pub(crate) struct Commenter {
    http: HttpClient,
    token: Secret,
    /// What it begins with, which nobody sees.
    mark: String,
    /// The comments of the pull request.
    list: Url,
    /// The comments of the repository.
    all: Url,
    own: Own,
}

/// The one comment about a request.
#[derive(Clone, Copy, Debug)]
enum Own {
    /// It was not looked for.
    Unknown,
    /// There is none.
    Missing,
    /// This one.
    Is(u64),
}

impl Commenter {
    /// With this token, about this request, for the run's pull request; `None` where it belongs to none.
    pub(crate) fn new(token: Secret, runner: &Runner, request: &str) -> Option<Self> {
        let number = runner.pull_request?;
        let base = runner.api.as_ref().filter(|base| is_guarded(base))?;
        let repository = &runner.commit.repository;
        let place = |rest: &str| format!("{base}/repos/{repository}/issues/{rest}").parse().ok();
        // Whoever answers sends the token nowhere else.
        let http = HttpClient::builder().redirect(Redirects::none());
        let http = http.user_agent("assent-action").build().ok()?;
        let (list, all) = (place(&format!("{number}/comments"))?, place("comments")?);
        let id: String =
            request.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let mark = format!("<!-- assent {id} -->");
        Some(Self { http, token, mark, list, all, own: Own::Unknown })
    }

    /// Says this, instead of what was said before.
    ///
    /// # Errors
    /// In words, why it was not said.
    pub(crate) async fn say(&mut self, markdown: &str) -> Result<(), String> {
        in_time(self.written(markdown)).await
    }

    async fn written(&mut self, markdown: &str) -> Result<(), String> {
        let place = match self.found().await? {
            Own::Is(id) => return self.rewrite(id, markdown).await,
            Own::Unknown | Own::Missing => self.list.clone(),
        };
        let body = self.body(markdown)?;
        let written = self.answer(self.http.post(place).json(&body)).await?;
        self.own = written.get("id").and_then(Value::as_u64).map_or(Own::Missing, Own::Is);
        Ok(())
    }

    /// Says this instead of what was said before; if nothing was, it stays so.
    ///
    /// # Errors
    /// In words, why it was not said.
    pub(crate) async fn say_again(&mut self, markdown: &str) -> Result<(), String> {
        in_time(async {
            match self.found().await? {
                Own::Is(id) => self.rewrite(id, markdown).await,
                Own::Unknown | Own::Missing => Ok(()),
            }
        })
        .await
    }

    async fn rewrite(&self, id: u64, markdown: &str) -> Result<(), String> {
        let body = self.body(markdown)?;
        self.answer(self.http.patch(format!("{}/{id}", self.all)).json(&body)).await.map(drop)
    }

    fn body(&self, markdown: &str) -> Result<Value, String> {
        match markdown.chars().count() > LONGEST {
            true => Err("the summary is too long for a comment".to_owned()),
            false => Ok(json!({"body": format!("{}\n{markdown}", self.mark)})),
        }
    }

    /// The comment that an earlier job wrote, looked for once.
    async fn found(&mut self) -> Result<Own, String> {
        if matches!(self.own, Own::Unknown) {
            self.own = self.earlier().await?;
        }
        Ok(self.own)
    }

    async fn earlier(&self) -> Result<Own, String> {
        for page in 1..=MOST_PAGES {
            let mut list = self.list.clone();
            list.query_pairs_mut().append_pair("per_page", &AT_ONCE.to_string());
            list.query_pairs_mut().append_pair("page", &page.to_string());
            let answer = self.answer(self.http.get(list)).await?;
            let comments = answer.as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(id) = comments.iter().find_map(|comment| self.is_own(comment)) {
                return Ok(Own::Is(id));
            }
            if comments.len() < AT_ONCE {
                break;
            }
        }
        Ok(Own::Missing)
    }

    /// Its number, if a program wrote it about this request. A person who copies the mark keeps their words.
    fn is_own(&self, comment: &Value) -> Option<u64> {
        let text = |place: &str| comment.pointer(place).and_then(Value::as_str).unwrap_or_default();
        let is_ours = text("/user/type") == "Bot" && text("/body").starts_with(&self.mark);
        comment.get("id").and_then(Value::as_u64).filter(|_| is_ours)
    }

    async fn answer(&self, request: assent_client::HttpRequest) -> Result<Value, String> {
        let request = request
            .bearer_auth(self.token.expose())
            .header("accept", "application/vnd.github+json");
        let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
        let status = answer.status();
        if !status.is_success() {
            return Err(format!("the forge answered {status}"));
        }
        answer.json().await.map_err(|error| error.without_url().to_string())
    }
}

async fn in_time(calls: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let done = tokio::time::timeout(TIMEOUT, calls).await;
    done.unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

/// Whether a token can be sent there without being overheard.
fn is_guarded(base: &str) -> bool {
    let Ok(url) = base.parse::<Url>() else { return false };
    let is_here = matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost"));
    url.scheme() == "https" || (url.scheme() == "http" && is_here)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    fn commenter(api: &str, event: &Value) -> Option<Commenter> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("event.json");
        std::fs::write(&file, event.to_string()).unwrap();
        let environment = Environment::from([
            ("GITHUB_EVENT_PATH", file.to_str().unwrap()),
            ("GITHUB_REPOSITORY", "acme/orders"),
            ("GITHUB_API_URL", api),
        ]);
        Commenter::new(Secret::new("t".to_owned()), &Runner::of(&environment), "req_1")
    }

    const API: &str = "https://github.example/api/v3";

    #[test]
    fn only_a_pull_request_is_told() {
        assert!(commenter(API, &json!({"head_commit": {}})).is_none());
        let told = commenter(API, &json!({"pull_request": {"number": 7}})).unwrap();
        let list = "https://github.example/api/v3/repos/acme/orders/issues/7/comments";
        assert_eq!(told.list.as_str(), list);
        assert!(!format!("{told:?}").contains("\"t\""));
    }

    #[test]
    fn t66_no_token_is_sent_in_the_clear() {
        let event = json!({"pull_request": {"number": 7}});
        assert!(commenter("http://github.example/api/v3", &event).is_none());
    }

    #[test]
    fn t35_only_what_a_program_said_of_the_request_is_rewritten() {
        let ours = commenter(API, &json!({"pull_request": {"number": 7}})).unwrap();
        let comment = |kind: &str, body: &str| {
            ours.is_own(&json!({"id": 5, "user": {"type": kind}, "body": body}))
        };
        assert_eq!(comment("Bot", "<!-- assent req_1 -->\n### Assent"), Some(5));
        assert_eq!(comment("User", "<!-- assent req_1 -->\n### Assent"), None);
        assert_eq!(comment("Bot", "<!-- assent req_2 -->\n### Assent"), None);
        assert_eq!(comment("Bot", "> <!-- assent req_1 -->"), None);
    }
}
