//! What rules: read again while the server runs, replaced as a whole or not at all, changed over the
//! API where that is let, and what then becomes of requests that are pending.

mod approval;
mod change;
mod check;
mod documents;
mod entries;
mod pending;
mod told;
mod watch;

use std::sync::{Arc, PoisonError};

use assent_core::membership::Membership;
use assent_core::policy::Policy;
use assent_core::policy::document::{Fault, PolicyChanges, PolicyDocument};
use assent_core::time::Timestamp;
use assent_core::wire;

pub use approval::ApprovalError;
pub(crate) use entries::Entry;

use crate::app::{Authority, Caller};
use crate::ledger::KeptDocument;
use crate::policy::{Loaded, Reading, kept_name};

/// What rules at this moment.
#[derive(Debug)]
pub(super) struct Rules {
    policy: Arc<Policy>,
    reading: Reading,
    loaded_at: Timestamp,
    trouble: Option<Trouble>,
    /// What the source held when it was refused, so that it is not compiled again every second.
    refused: Option<Reading>,
}

/// Why the newest policy does not rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Since when it is so.
    pub since: Timestamp,
    /// What happened, in one line.
    pub message: String,
    /// Each fault with its place.
    pub faults: Vec<Fault>,
}

impl Rules {
    pub(super) fn new(loaded: Loaded, now: Timestamp) -> Self {
        let Loaded { policy, reading } = loaded;
        Self { policy: Arc::new(policy), reading, loaded_at: now, trouble: None, refused: None }
    }
}

impl Authority {
    /// The policy of this moment.
    pub fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.rules().policy)
    }

    fn rules(&self) -> std::sync::RwLockReadGuard<'_, Rules> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn rules_mut(&self) -> std::sync::RwLockWriteGuard<'_, Rules> {
        self.rules.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is in which group at this moment, and who stands in for whom.
    pub fn membership(&self) -> Membership {
        self.membership_since(self.clock.now())
    }

    /// Who was in which group then, and has not been put out of it since: by whom policy lists today,
    /// and by what was not taken back. What ended by itself meanwhile, a sign-in or a turn at standing
    /// in, takes nothing back that was given before.
    pub(super) fn membership_since(&self, then: Timestamp) -> Membership {
        self.membership_with(then, self.provider_members(then))
    }

    /// The same, where whoever was in a group of their provider when that was heard last still is: for
    /// telling people, who are not online when they must be told.
    pub(super) fn membership_to_tell(&self) -> Membership {
        self.membership_with(self.clock.now(), self.provider_members_known())
    }

    fn membership_with(
        &self,
        then: Timestamp,
        provider_members: Vec<(String, assent_core::principal::PrincipalId)>,
    ) -> Membership {
        let policy = self.policy();
        let membership = self.linked(policy.membership(then));
        let membership = membership.with_team_members(self.team_members(&policy));
        // Its App finds out who is behind a change, so who reviews must not be one of them unseen.
        let membership = match self.github() {
            Some(app) if policy.asks_for_links() => membership.also_linked_at(app.people_issuer()),
            _ => membership,
        };
        let membership = self.linked_at_providers(&policy, membership);
        let membership = match membership.has_vouched() {
            true => {
                membership.with_members(self.vouched_members(then)).with_members(provider_members)
            }
            false => membership,
        };
        let membership = self.with_absences(membership, then);
        membership.with_suspended(self.board().suspended(self.clock.now()))
    }

    /// Rules by another policy from now on, without a look at what is pending.
    pub fn replace_policy(&self, policy: Policy) {
        let mut rules = self.rules_mut();
        rules.policy = Arc::new(policy);
        rules.loaded_at = self.clock.now();
    }

    /// Why the newest policy does not rule, where it does not.
    pub fn policy_trouble(&self) -> Option<Trouble> {
        self.rules().trouble.clone()
    }

    /// By what the authority rules. Faults are shown to people and administrators only.
    pub fn policy_status(&self, caller: Option<&Caller>) -> wire::PolicyStatus {
        let rules = self.rules();
        let may = caller.is_some_and(Caller::is_reader);
        let problem = rules.trouble.as_ref().map(|trouble| wire::PolicyProblem {
            since: trouble.since.to_string(),
            message: match may {
                true => trouble.message.clone(),
                false => "the newest policy does not rule; the one before does".to_owned(),
            },
            faults: trouble
                .faults
                .iter()
                .filter(|_| may)
                .map(|fault| told::told(fault, &[]))
                .collect(),
        });
        wire::PolicyStatus {
            revision: rules.policy.revision().to_string(),
            rules: rules.policy.rule_count() as u64,
            loaded_at: rules.loaded_at.to_string(),
            source: self.source.word().to_owned(),
            commit: rules.reading.commit.clone(),
            policy_changes: match rules.policy.policy_changes() {
                PolicyChanges::Administrator => "administrator".to_owned(),
                PolicyChanges::Approved => "approved".to_owned(),
            },
            problem,
        }
    }

    /// A policy that compiles, and whose engines can load what its rules ask of them.
    async fn checked(
        &self,
        reading: Reading,
        kept: Vec<PolicyDocument>,
    ) -> Result<Loaded, Vec<Fault>> {
        let loaded = compiled(reading, kept).await?;
        let faults = self.engines.faults(&loaded.policy).await;
        if faults.is_empty() { Ok(loaded) } else { Err(faults) }
    }
}

/// Compiling a large policy takes a while, in which others are to be answered.
async fn compiled(reading: Reading, kept: Vec<PolicyDocument>) -> Result<Loaded, Vec<Fault>> {
    let work = move || Loaded::compile(reading, &kept);
    // Only a panic ends the work early; nothing rules then that did not before.
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(Vec::new()))
}

/// The documents among these that rule, as policy files.
pub(crate) fn documents_of(kept: &[KeptDocument]) -> Vec<PolicyDocument> {
    let ruling = kept.iter().filter_map(|document| {
        let text = document.text.clone()?;
        Some(PolicyDocument { file: kept_name(&document.name), text })
    });
    ruling.collect()
}
