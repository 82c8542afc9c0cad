//! Where a request stands, read from what the server says, and how to tell it.

use std::fmt;

use crate::diagnostic::Diagnostic;
use crate::ruling;
use crate::value::Value;
use assent_client::wire;

/// The states of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// People are asked.
    Pending,
    /// A credential may be minted.
    Approved,
    /// Policy refused it or a person denied it.
    Denied,
    /// Nobody decided, or nobody used it, in time.
    Expired,
    /// It was withdrawn.
    Canceled,
    /// It was used up or its action is over.
    Consumed,
    /// The permission was taken back.
    Revoked,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Canceled => "canceled",
            Self::Consumed => "consumed",
            Self::Revoked => "revoked",
        })
    }
}

impl State {
    /// The state that a resource was in when it was looked at last.
    pub(crate) fn of(resource: &Value) -> Option<Self> {
        Self::named(&resource.attribute("state").as_text().given()?)
    }

    /// Whether it ended without having been used up, which is how approvals end that served.
    pub(crate) fn is_over_unused(self) -> bool {
        match self {
            Self::Denied | Self::Expired | Self::Canceled | Self::Revoked => true,
            Self::Pending | Self::Approved | Self::Consumed => false,
        }
    }

    /// The state that the server calls by this word.
    fn named(word: &str) -> Option<Self> {
        let all = [
            Self::Pending,
            Self::Approved,
            Self::Denied,
            Self::Expired,
            Self::Canceled,
            Self::Consumed,
            Self::Revoked,
        ];
        all.into_iter().find(|state| state.to_string() == word)
    }
}

/// Where one request stands.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// The request's id.
    pub(crate) id: String,
    /// Its state.
    pub(crate) state: State,
    /// Where people see it.
    pub(crate) url: String,
    /// The digest of the intent that it is about.
    digest: String,
    /// What is done.
    kind: String,
    /// What policy said.
    ruling: wire::Ruling,
    /// Whose approvals it has.
    approved_by: Vec<String>,
    /// Why it ended without a grant, if it did.
    because: String,
    /// Who is still to be heard, if people are asked.
    awaited: String,
}

impl Standing {
    /// Where this request stands.
    ///
    /// # Errors
    /// The server calls the state by a word that this version does not know.
    /// What is not understood is never taken for a grant.
    pub(crate) fn of(request: &wire::Request) -> Result<Self, Diagnostic> {
        let state = State::named(&request.state).ok_or_else(|| {
            let detail = format!(
                "Request {} is `{}`, a state that this provider does not know. Upgrade the \
                 provider.\n\n{}",
                request.id, request.state, request.url,
            );
            Diagnostic::error("Unknown state", detail)
        })?;
        Ok(Self {
            id: request.id.clone(),
            state,
            url: request.url.clone(),
            digest: request.digest.clone(),
            kind: request.intent.kind.clone(),
            ruling: request.ruling.clone(),
            approved_by: request.approved_by.iter().cloned().collect(),
            because: request.ending.as_ref().map(because).unwrap_or_default(),
            awaited: awaited(request),
        })
    }

    /// Whether what was asked may now be done.
    pub(crate) fn is_granted(&self) -> bool {
        self.state == State::Approved
    }

    /// A planned state with everything that was found out. What was planned as
    /// known stays: Terraform holds it against the plan.
    pub(crate) fn found_out(&self, planned: Value) -> Value {
        self.refresh(planned).with("id", Value::text(&self.id))
    }

    /// A state with everything that the request says, also of what an earlier version of this
    /// provider did not keep.
    pub(crate) fn refresh(&self, state: Value) -> Value {
        state
            .with("state", Value::text(self.state.to_string()))
            .with("approved_by", Value::texts(self.approved_by.iter().cloned()))
            .with("ruling", Value::text(self.ruling.outcome.word()))
            .with("stages", ruling::stages(&self.ruling))
            .with("approved_digest", Value::text(&self.digest))
    }

    /// What policy said, in words.
    pub(crate) fn summary(&self) -> String {
        ruling::summary(&self.kind, &self.ruling)
    }

    /// Says why there is no grant, and what to do.
    pub(crate) fn tell_no_grant(&self) -> Diagnostic {
        let Self { id, url, because, awaited, .. } = self;
        let (summary, what, advice) = match self.state {
            State::Pending => (
                "Approval is pending",
                format!("Request {id} is not approved yet{awaited}, and `wait` is false."),
                "Run terraform apply again after the approval: it continues with the same request.",
            ),
            State::Denied if self.ruling.outcome == wire::Said::Refuse => (
                "Refused by policy",
                format!("Policy refuses request {id}{because}."),
                "Change what is asked for, or have the policy changed, and apply again.",
            ),
            State::Denied => (
                "Approval denied",
                format!("Request {id} was denied{because}."),
                "Settle the objection, then apply again: that files a new request.",
            ),
            State::Expired => (
                "Approval expired",
                format!("Request {id} expired{because}."),
                "Apply again when somebody is there to decide: that files a new request.",
            ),
            State::Canceled => (
                "Approval canceled",
                format!("Request {id} was withdrawn{because}."),
                "Apply again to file a new request.",
            ),
            State::Revoked => (
                "Approval revoked",
                format!("The grant of request {id} was taken back{because}."),
                "Ask who took it back, then apply again: that files a new request.",
            ),
            State::Approved | State::Consumed => (
                "Approval used up",
                format!("Request {id} was approved, but its grant is used up already."),
                "Apply again to file a new request.",
            ),
        };
        Diagnostic::error(summary, format!("{what} {advice}\n\n{url}"))
    }
}

/// How a request ended, to put after a verb: ` by bob: too risky`.
fn because(ending: &wire::Ending) -> String {
    let by = ending.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let reason = ending.reason.trim().trim_end_matches('.');
    if reason.is_empty() { by } else { format!("{by}: {reason}") }
}

/// Who is still to be heard: ` (awaited: 1 of bob, carol)`.
fn awaited(request: &wire::Request) -> String {
    let stages = request.stages.iter().filter(|stage| stage.open && !stage.awaited.is_empty());
    let stages: Vec<_> = stages
        .map(|stage| {
            let counted = u32::try_from(stage.counted.len()).unwrap_or(u32::MAX);
            let missing = stage.approvals.saturating_sub(counted);
            format!("{missing} of {}", stage.awaited.join(", "))
        })
        .collect();
    if stages.is_empty() { String::new() } else { format!(" (awaited: {})", stages.join("; ")) }
}

#[cfg(test)]
#[path = "standing_tests.rs"]
pub(crate) mod tests;
