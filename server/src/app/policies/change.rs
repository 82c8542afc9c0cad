//! One change of what rules, made over the API: the whole set checks with it, or nothing is changed.

use assent_core::digest::Digest;
use assent_core::id::RequestId;
use assent_core::policy::document::PolicyDocument;
use assent_core::policy::uses::uses_of;
use serde_json::json;

use crate::app::policies::documents_of;
use crate::app::policies::told::told;
use crate::app::{AppError, Authority, Caller};
use crate::ledger::{Keeping, Kept, KeptDocument};
use crate::policy::{Loaded, kept_name};

/// The largest text of one document.
const LARGEST: usize = 256 * 1024;
/// How many documents, groups, calendars and trusts there may be together.
const MOST: usize = 1_000;

/// What is to become of one thing that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Under which name it is kept: `freeze.yaml`, `groups/dba`.
    pub(super) name: String,
    /// Its whole text; `None` where it is to be removed.
    pub(super) text: Option<String>,
}

impl Change {
    /// What is kept under that name now.
    pub(super) fn before<'k>(&self, kept: &'k [KeptDocument]) -> Option<&'k str> {
        let held = kept.iter().find(|held| held.name == self.name)?;
        held.text.as_deref()
    }

    fn check_size(&self) -> Result<(), AppError> {
        if self.text.as_ref().is_some_and(|text| text.len() > LARGEST) {
            let problem = "at most 256 KiB".to_owned();
            return Err(AppError::Field { field: "text", problem });
        }
        Ok(())
    }
}

/// Everything that would be kept after these changes, as policy files.
pub(super) fn after(
    kept: &[KeptDocument],
    changes: &[Change],
) -> Result<Vec<PolicyDocument>, AppError> {
    changes.iter().try_for_each(Change::check_size)?;
    let mut files = documents_of(kept);
    files.retain(|file| !changes.iter().any(|change| kept_name(&change.name) == file.file));
    let new = changes.iter().filter_map(|change| {
        let text = change.text.clone()?;
        Some(PolicyDocument { file: kept_name(&change.name), text })
    });
    files.extend(new);
    let grows = files.len() > kept.iter().filter(|held| held.text.is_some()).count();
    if files.len() > MOST && grows {
        let problem = format!("there are {MOST} documents, groups, calendars and trusts already");
        return Err(AppError::Field { field: "name", problem });
    }
    Ok(files)
}

impl Authority {
    /// Makes one change of an administrator, and rules by it from now on; where policy wants it, only
    /// by an approval of exactly this change.
    ///
    /// What is there already is not written again, and spends no approval.
    pub(super) async fn make(
        &self,
        caller: &Caller,
        change: Change,
        approval: Option<&str>,
    ) -> Result<(), AppError> {
        change.check_size()?;
        let _one_at_a_time = self.replacing.lock().await;
        let kept = self.ledger.documents().await?;
        let before = change.before(&kept);
        if before == change.text.as_deref() {
            return match before {
                Some(_) => Ok(()),
                None => Err(missing(&change.name)),
            };
        }
        let loaded = self.tried(&kept, &change).await?;
        // Only what would rule is worth an approval: nothing is spent on a change that fails.
        let approval = self.spend_approval(caller, &change, before, approval).await?;
        self.write(caller, change, &loaded, approval).await?;
        let trouble = self.rules().trouble.clone();
        self.rule_by(loaded).await?;
        // What is wrong with the source is not mended by a document beside it.
        self.rules_mut().trouble = trouble;
        Ok(())
    }

    /// What would rule after the change.
    async fn tried(&self, kept: &[KeptDocument], change: &Change) -> Result<Loaded, AppError> {
        let files = after(kept, std::slice::from_ref(change))?;
        let reading = self.rules().reading.clone();
        if change.text.is_none() {
            let all: Vec<_> = reading.documents.iter().chain(&files).cloned().collect();
            let gone = documents_of(kept).into_iter().find(|f| f.file == kept_name(&change.name));
            let uses = gone.map(|gone| uses_of(&gone, &all)).unwrap_or_default();
            if !uses.is_empty() {
                return Err(AppError::InUse(uses));
            }
        }
        self.checked(reading, files.clone()).await.map_err(|faults| {
            AppError::Policy(faults.iter().map(|fault| told(fault, &files)).collect())
        })
    }

    async fn write(
        &self,
        caller: &Caller,
        change: Change,
        loaded: &Loaded,
        approval: Option<RequestId>,
    ) -> Result<(), AppError> {
        let (now, by) = (self.clock.now(), caller.principal().id.clone());
        let Change { name, text } = change;
        let fact = if text.is_some() { "policy_written" } else { "policy_removed" };
        let mut entry = json!({
            "v": 1, "type": fact, "at": now.to_string(),
            "by": by.to_json(), "name": name,
            "digest": text.as_ref().map(|text| Digest::of(text.as_bytes()).to_string()),
            "revision": loaded.policy.revision().to_string(),
        });
        if let (Some(entry), Some(approval)) = (entry.as_object_mut(), approval) {
            entry.insert("approval".to_owned(), json!(approval.to_string()));
        }
        let what = Kept::Document { name, text };
        self.ledger.keep(Keeping { what, by, at: now, entry }).await?;
        self.waiters.wake_log();
        Ok(())
    }
}

/// There is nothing of this name.
pub(super) fn missing(name: &str) -> AppError {
    let (what, id) = match name.split_once('/') {
        Some(("groups", id)) => ("group", id),
        Some(("calendars", id)) => ("calendar", id),
        Some(("trusts", id)) => ("trust", id),
        _ => ("policy document", name),
    };
    AppError::NotFound { what, id: id.chars().take(80).collect() }
}
