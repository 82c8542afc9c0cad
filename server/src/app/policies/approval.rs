//! Approved changes of policy: a change is an intent like any other, and what was approved is held
//! against what is to be written before the approval is spent on it.

use assent_core::id::RequestId;
use assent_core::policy::changes;
use assent_core::policy::document::PolicyChanges;
use assent_core::request::{ConsumeError, Request};
use assent_core::wire;
use similar::TextDiff;

use crate::app::policies::change::Change;
use crate::app::{AppError, Authority, Caller, TRIES};
use crate::ledger::Commit;

/// How many lines may differ: looking for the shortest difference between more takes too long, and
/// nobody reads them.
const MOST_LINES: usize = 4_000;

/// Why an approval was not taken for a change of policy. Nothing is spent then.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// It approves something else.
    #[error(
        "request `{request}` does not approve this change: {} not what was approved",
        listed(.fields)
    )]
    Differs {
        /// The request.
        request: RequestId,
        /// The fields of its intent that are others than this change's.
        fields: Vec<String>,
    },
    /// Policy has changed since, and asks otherwise about this change now.
    #[error(
        "request `{0}` was ruled on by an earlier policy, which asked otherwise about this change: \
         file it again"
    )]
    Outdated(RequestId),
    /// There is no grant to spend.
    #[error("request `{request}` approves nothing now: {cause}")]
    Unspent {
        /// The request.
        request: RequestId,
        /// Why.
        cause: ConsumeError,
    },
}

fn listed(fields: &[String]) -> String {
    let are = if fields.len() == 1 { "is" } else { "are" };
    format!("{} {are}", fields.join(", "))
}

impl Authority {
    /// Spends the approval of this change, where policy wants one or the caller names one. It is on
    /// record as spent before the change is written, so that it is never good for a second one.
    pub(super) async fn spend_approval(
        &self,
        caller: &Caller,
        change: &Change,
        before: Option<&str>,
        approval: Option<&str>,
    ) -> Result<Option<RequestId>, AppError> {
        let Some(approval) = approval else {
            return match self.policy().policy_changes() {
                PolicyChanges::Administrator => Ok(None),
                PolicyChanges::Approved => {
                    Err(AppError::ApprovalRequired(Box::new(intent_of(change, before).await?)))
                }
            };
        };
        let stated = intent_of(change, before).await?;
        for _ in 0..TRIES {
            let asked = self.request(caller, approval).await?;
            self.check_approval(&asked, &stated).await?;
            self.check_partners(caller, &asked).await?;
            let _turn = self.before_the_next_signal().await;
            let request = self.request(caller, approval).await?;
            let spent = request.carry_out(caller.principal(), &self.membership(), self.clock.now());
            let id = request.id();
            let step = spent.map_err(|cause| ApprovalError::Unspent { request: id, cause })?;
            if let Commit::Done(_) = self.commit_alone(step).await? {
                return Ok(Some(id));
            }
        }
        Err(AppError::Busy)
    }

    /// That the request is about exactly this change, and that policy asks today what it asked then.
    async fn check_approval(
        &self,
        request: &Request,
        stated: &wire::Intent,
    ) -> Result<(), AppError> {
        let id = request.id();
        let fields = differences(stated, &wire::Intent::from(request.intent()));
        if !fields.is_empty() {
            return Err(ApprovalError::Differs { request: id, fields }.into());
        }
        let policy = self.policy();
        let is_same = request.ruling().policy == policy.revision();
        if !is_same && self.is_ruled_otherwise(&policy, request).await? {
            return Err(ApprovalError::Outdated(id).into());
        }
        Ok(())
    }
}

/// The change as the intent that is to be approved, without a reason: that is the caller's to give.
///
/// A change whose difference does not fit whole is none that anybody could approve.
pub(super) async fn intent_of(
    change: &Change,
    before: Option<&str>,
) -> Result<wire::Intent, AppError> {
    let (change, before) = (change.clone(), before.map(str::to_owned));
    let work = move || stated(&change, before.as_deref());
    // Only a panic ends the work early; nothing is approved then.
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(too_large()))
}

fn stated(change: &Change, before: Option<&str>) -> Result<wire::Intent, AppError> {
    let Change { name, text } = change;
    let diff = diff(name, before, text.as_deref()).ok_or_else(too_large)?;
    let change = changes::Change { document: name, before, after: text.as_deref(), diff: &diff };
    // Whether it fits is the same with any reason.
    let intent = change.intent("-").verify().map_err(|_| too_large())?;
    Ok(wire::Intent { reason: String::new(), ..wire::Intent::from(&intent) })
}

fn too_large() -> AppError {
    let problem = "changes too much at once to be approved: at most 4000 lines and 64 KiB of \
        difference are shown to those who approve, and nothing is left out. Make the change in \
        several steps, or in several documents"
        .to_owned();
    AppError::Field { field: "text", problem }
}

/// The unified difference; `None` where too many lines differ.
fn diff(name: &str, before: Option<&str>, after: Option<&str>) -> Option<String> {
    let (old, new) = (before.unwrap_or_default(), after.unwrap_or_default());
    let same =
        |one: &mut dyn Iterator<Item = (&str, &str)>| one.take_while(|(a, b)| a == b).count();
    let begin = same(&mut old.split('\n').zip(new.split('\n')));
    let end = same(&mut old.rsplit('\n').zip(new.rsplit('\n')));
    let most = old.split('\n').count().max(new.split('\n').count());
    if most.saturating_sub(begin + end) > MOST_LINES {
        return None;
    }
    let file = |text: Option<&str>| if text.is_some() { name } else { "/dev/null" };
    let diff = TextDiff::from_lines(old, new);
    let mut unified = diff.unified_diff();
    Some(unified.context_radius(3).header(file(before), file(after)).to_string())
}

/// The fields in which two intents differ; their reasons may.
fn differences(one: &wire::Intent, other: &wire::Intent) -> Vec<String> {
    let fields = |intent: &wire::Intent| {
        let intent = wire::Intent { reason: String::new(), ..intent.clone() };
        let mut flat = std::collections::BTreeMap::new();
        let json = serde_json::to_value(intent).unwrap_or_default();
        for (name, value) in json.as_object().into_iter().flatten() {
            let Some(inner) = value.as_object() else {
                flat.insert(name.clone(), value.clone());
                continue;
            };
            let inner = inner.iter().map(|(key, value)| (format!("{name}.{key}"), value.clone()));
            flat.extend(inner);
        }
        flat
    };
    let (one, other) = (fields(one), fields(other));
    let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_whole_or_there_is_none() {
        let told = diff("a.yaml", Some("a\nb\nc\n"), Some("a\nB\nc\n")).unwrap();
        assert_eq!(told, "--- a.yaml\n+++ a.yaml\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
        let new = diff("a.yaml", None, Some("a\n")).unwrap();
        assert_eq!(new, "--- /dev/null\n+++ a.yaml\n@@ -0,0 +1 @@\n+a\n");
        let lines = |count: usize| "x\n".repeat(count);
        assert!(diff("a.yaml", None, Some(&lines(MOST_LINES + 1))).is_none());
        let long = lines(30_000);
        let one = format!("{long}y\n{long}");
        let two = format!("{long}z\n{long}");
        assert!(diff("a.yaml", Some(&one), Some(&two)).unwrap().contains("-y\n+z\n"));
    }

    #[test]
    fn a_change_that_does_not_fit_cannot_be_approved() {
        let change = |text: String| Change { name: "a.yaml".to_owned(), text: Some(text) };
        assert!(stated(&change("x".repeat(60_000)), None).is_ok());
        let error = stated(&change("x".repeat(70_000)), None).unwrap_err();
        assert!(error.to_string().contains("several steps"), "{error}");
        // What is unseen counts too: each of these is six bytes of JSON.
        assert!(stated(&change("\u{1}".repeat(20_000)), None).is_err());
    }

    #[test]
    fn every_difference_is_named() {
        let change = Change { name: "a.yaml".to_owned(), text: Some("new\n".to_owned()) };
        let base = stated(&change, Some("old\n")).unwrap();
        assert_eq!(differences(&base, &base), Vec::<String>::new());
        let reasoned = wire::Intent { reason: "why".to_owned(), ..base.clone() };
        assert_eq!(differences(&base, &reasoned), Vec::<String>::new());
        let other = stated(&change, Some("older\n")).unwrap();
        assert_eq!(differences(&base, &other), ["context.before", "context.diff"]);
        let timed = wire::Intent { duration: Some("5m".to_owned()), ..base.clone() };
        assert_eq!(differences(&base, &timed), ["duration"]);
    }
}
