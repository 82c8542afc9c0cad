//! What a change of policy would do, before it is made: several at once, and nothing is written.

use assent_core::policy::Policy;
use assent_core::policy::document::{PolicyChanges, PolicyDocument};
use assent_core::policy::lint::{Finding, Severity};
use assent_core::policy::uses::uses_of;
use assent_core::wire;

use crate::app::policies::approval::intent_of;
use crate::app::policies::change::{Change, after};
use crate::app::policies::documents::document_change;
use crate::app::policies::documents_of;
use crate::app::policies::entries::{Entry, entry_change};
use crate::app::policies::told::{told, told_finding};
use crate::app::{AppError, Authority, Caller};
use crate::ledger::KeptDocument;
use crate::policy::kept_name;

impl Authority {
    /// What would rule after these changes, and what would be wrong with it. For people and
    /// administrators.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`]; faults are none but the answer.
    pub async fn check_policy(
        &self,
        caller: &Caller,
        check: wire::PolicyCheck,
    ) -> Result<wire::PolicyChecked, AppError> {
        caller.check_reader()?;
        let mut faults = Vec::new();
        let changes = changes(check, &mut faults);
        let _one_at_a_time = self.checking.lock().await;
        let kept = self.ledger.documents().await?;
        let mut checked = wire::PolicyChecked {
            revision: None,
            faults,
            findings: Vec::new(),
            approvals: Vec::new(),
        };
        self.approvals(&kept, &changes, &mut checked).await?;
        if !checked.faults.is_empty() {
            return Ok(checked);
        }
        let files = match after(&kept, &changes) {
            Ok(files) => files,
            Err(error) => {
                let name = changes.first().map(|change| change.name.clone()).unwrap_or_default();
                checked.faults.push(misfit(&name, error)?);
                return Ok(checked);
            }
        };
        self.compile(&kept, &changes, files, &mut checked).await?;
        Ok(checked)
    }

    /// What would have to be approved.
    async fn approvals(
        &self,
        kept: &[KeptDocument],
        changes: &[Change],
        checked: &mut wire::PolicyChecked,
    ) -> Result<(), AppError> {
        if self.policy().policy_changes() != PolicyChanges::Approved {
            return Ok(());
        }
        for change in changes {
            let before = change.before(kept);
            if before == change.text.as_deref() {
                continue;
            }
            match intent_of(change, before).await {
                Ok(intent) => checked.approvals.push(intent),
                Err(error) => checked.faults.push(misfit(&change.name, error)?),
            }
        }
        Ok(())
    }

    async fn compile(
        &self,
        kept: &[KeptDocument],
        changes: &[Change],
        files: Vec<PolicyDocument>,
        checked: &mut wire::PolicyChecked,
    ) -> Result<(), AppError> {
        let reading = self.rules().reading.clone();
        let all: Vec<_> = reading.documents.iter().chain(&files).cloned().collect();
        let removed = changes.iter().filter(|change| change.text.is_none());
        let removed: Vec<_> = removed.map(|change| kept_name(&change.name)).collect();
        let gone = documents_of(kept).into_iter().filter(|file| removed.contains(&file.file));
        let uses = gone.flat_map(|gone| uses_of(&gone, &all));
        checked.faults.extend(uses.map(|used| {
            let message = format!("{}, which is to be removed, is used by {}", used.named, used.by);
            told(&assent_core::policy::document::Fault { place: used.place, message }, &files)
        }));
        match self.checked(reading, files.clone()).await {
            Ok(loaded) if checked.faults.is_empty() => {
                checked.revision = Some(loaded.policy.revision().to_string());
                let findings = self.findings(all).await;
                checked.findings =
                    findings.iter().map(|finding| told_finding(finding, &files)).collect();
            }
            Ok(_) => {}
            Err(faults) => checked.faults.extend(faults.iter().map(|fault| told(fault, &files))),
        }
        Ok(())
    }

    /// What is allowed and yet probably wrong.
    async fn findings(&self, files: Vec<PolicyDocument>) -> Vec<Finding> {
        let now = self.clock.now();
        let work = move || Policy::lint(&files, Some(now)).unwrap_or_default();
        let found = tokio::task::spawn_blocking(work).await.unwrap_or_default();
        found.into_iter().filter(|finding| finding.severity == Severity::Warning).collect()
    }
}

/// Each change, in order of name; what could be none is a fault.
fn changes(check: wire::PolicyCheck, faults: &mut Vec<wire::PolicyFault>) -> Vec<Change> {
    let wire::PolicyCheck { documents, groups, calendars, trusts } = check;
    let documents = documents.into_iter().map(|(name, document)| {
        let change = document_change(&name, document);
        (name, change)
    });
    let entries: Vec<_> =
        entries(groups).chain(entries(calendars)).chain(entries(trusts)).collect();
    let all = documents.chain(entries);
    let mut changes = Vec::new();
    for (name, change) in all {
        match change.map_err(|error| misfit(&name, error)) {
            Ok(change) => changes.push(change),
            Err(Ok(fault)) => faults.push(fault),
            Err(Err(_)) => {}
        }
    }
    changes.sort_by(|one, other| one.name.cmp(&other.name));
    changes
}

fn entries<E: Entry>(
    entries: std::collections::BTreeMap<String, Option<E>>,
) -> impl Iterator<Item = (String, Result<Change, AppError>)> {
    entries.into_iter().map(|(name, entry)| {
        let change = entry_change(&name, entry);
        (format!("{}/{name}", E::SECTION), change)
    })
}

/// What is wrong with one change by itself, as a fault of it; every other error stays one.
fn misfit(name: &str, error: AppError) -> Result<wire::PolicyFault, AppError> {
    let AppError::Field { field, problem } = error else { return Err(error) };
    Ok(wire::PolicyFault {
        file: kept_name(name),
        line: 1,
        column: 1,
        document: Some(name.to_owned()),
        field: Some(field.to_owned()),
        message: problem,
    })
}
