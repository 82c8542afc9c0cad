//! What is shown beside a commit, and of a deployment.

use serde_json::{Value, json};

/// A check run as it is to be.
#[derive(Clone, Copy, Debug)]
pub struct Check<'a> {
    /// Under which name people find it.
    pub name: &'a str,
    /// Where its details are.
    pub details_url: &'a str,
    /// How far it is.
    pub state: CheckState,
    /// Its heading.
    pub title: &'a str,
    /// What it says: Markdown, escaped by whoever wrote it, at most 65535 characters.
    pub summary: &'a str,
    /// By what we know it again.
    pub external_id: &'a str,
}

/// How far a check run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckState {
    /// It waits.
    Queued,
    /// It is under way.
    InProgress,
    /// It has ended so.
    Done(Conclusion),
}

/// How a check run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Well.
    Success,
    /// Not well.
    Failure,
    /// Neither.
    Neutral,
    /// It was withdrawn.
    Cancelled,
    /// Too late.
    TimedOut,
    /// Somebody has to act.
    ActionRequired,
}

impl Conclusion {
    fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Neutral => "neutral",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::ActionRequired => "action_required",
        }
    }
}

/// How far a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentState {
    /// It is asked for.
    Pending,
    /// It was approved and has not begun.
    Queued,
    /// It was refused, or came to nothing.
    Failure,
    /// It is over.
    Inactive,
}

impl DeploymentState {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Queued => "queued",
            Self::Failure => "failure",
            Self::Inactive => "inactive",
        }
    }
}

impl Check<'_> {
    pub(super) fn written(&self) -> Value {
        let mut body = json!({
            "name": self.name,
            "details_url": self.details_url,
            "external_id": self.external_id,
            "output": {"title": self.title, "summary": self.summary},
        });
        let (status, conclusion) = match self.state {
            CheckState::Queued => ("queued", None),
            CheckState::InProgress => ("in_progress", None),
            CheckState::Done(conclusion) => ("completed", Some(conclusion.word())),
        };
        if let Some(fields) = body.as_object_mut() {
            fields.insert("status".to_owned(), Value::from(status));
            fields.extend(conclusion.map(|word| ("conclusion".to_owned(), Value::from(word))));
        }
        body
    }
}
