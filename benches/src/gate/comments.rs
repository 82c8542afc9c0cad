//! A gate that reads the comments of an issue again and again.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::github::Github;

/// What approves.
const WORD: &str = "approved";

/// A job behind such a gate. It ends when this is dropped.
pub(super) struct Gate {
    http: reqwest::Client,
    issue: String,
    waiting: Waiting,
}

struct Waiting(Option<JoinHandle<Result<Instant>>>);

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

impl Gate {
    /// It begins to read.
    pub(super) fn open(github: &Github, number: u64, poll: Duration) -> Self {
        let (http, issue) = (reqwest::Client::new(), format!("{}/issues/{number}", github.url));
        let task = tokio::spawn(waits(http.clone(), issue.clone(), poll));
        Self { http, issue, waiting: Waiting(Some(task)) }
    }

    /// Somebody comments.
    pub(super) async fn approve(&self) -> Result<()> {
        comment(&self.http, &self.issue, WORD).await
    }

    /// When its job goes on.
    pub(super) async fn goes_on(mut self) -> Result<Instant> {
        match self.waiting.0.take() {
            Some(task) => task.await?,
            None => bail!("it is waited for already"),
        }
    }
}

async fn waits(http: reqwest::Client, issue: String, poll: Duration) -> Result<Instant> {
    loop {
        let found = http.get(format!("{issue}/comments")).send().await?.error_for_status()?;
        let found: Vec<Value> = serde_json::from_slice(&found.bytes().await?)?;
        if found.iter().any(|one| one["body"] == WORD) {
            comment(&http, &issue, "All have approved: the job goes on.").await?;
            let closed = http.patch(&issue).json(&json!({"state": "closed"})).send().await?;
            closed.error_for_status()?;
            return Ok(Instant::now());
        }
        sleep(poll).await;
    }
}

async fn comment(http: &reqwest::Client, issue: &str, body: &str) -> Result<()> {
    let sent = http.post(format!("{issue}/comments")).json(&json!({"body": body})).send().await?;
    sent.error_for_status()?;
    Ok(())
}
