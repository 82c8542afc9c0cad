//! What rules: read again while the server runs, replaced as a whole or not at all, and what then
//! becomes of requests that are pending.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use assent_core::digest::Digest;
use assent_core::id::RequestId;
use assent_core::membership::Membership;
use assent_core::policy::Policy;
use assent_core::policy::document::{Fault, OnChange, PolicyDocument};
use assent_core::policy::ruling::Ruling;
use assent_core::policy::situation::{Known, Situation};
use assent_core::principal::PrincipalKind;
use assent_core::request::{Request, State};
use assent_core::time::Timestamp;
use assent_core::wire;
use serde_json::json;

use crate::app::signals::check_administrator;
use crate::app::{AppError, Authority, Caller};
use crate::ledger::{Commit, Keeping, Kept, KeptDocument, States};
use crate::policy::{Loaded, Reading, Source, SourceError, kept_name, moment};

/// How often what rules is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How many pending requests are looked at together.
const PAGE: usize = 200;
/// How often a decision is taken anew because the request has moved on meanwhile.
const TRIES: usize = 5;
/// The largest document that comes over the API.
const LARGEST: usize = 256 * 1024;
/// How many there may be.
const MOST: usize = 200;

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
        let now = self.clock.now();
        let membership = self.policy().membership(now);
        match membership.has_vouched() {
            true => membership.with_members(self.vouched_members(now)),
            false => membership,
        }
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
        let may = caller.is_some_and(|caller| {
            caller.is_administrator() || caller.principal().kind == PrincipalKind::Person
        });
        let problem = rules.trouble.as_ref().map(|trouble| wire::PolicyProblem {
            since: trouble.since.to_string(),
            message: match may {
                true => trouble.message.clone(),
                false => "the newest policy does not rule; the one before does".to_owned(),
            },
            faults: trouble.faults.iter().filter(|_| may).map(wire::PolicyFault::from).collect(),
        });
        wire::PolicyStatus {
            revision: rules.policy.revision().to_string(),
            rules: rules.policy.rule_count() as u64,
            loaded_at: rules.loaded_at.to_string(),
            source: self.source.word().to_owned(),
            commit: rules.reading.commit.clone(),
            problem,
        }
    }

    /// Looks at the source again and again until the server stops.
    pub async fn watch_policy_until_closing(&self) {
        if matches!(self.source, Source::Nowhere | Source::Given(_)) {
            return;
        }
        loop {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = self.closing.cancelled() => return,
            }
            if let Err(error) = self.look_at_policy().await {
                tracing::warn!(%error, "policy will be looked at again");
            }
        }
    }

    /// Reads the source again, and rules by it from now on if it checks. If it does not, the policy
    /// before stays, and says so.
    ///
    /// # Errors
    /// [`AppError::Ledger`]; a source that is broken is no error but a [`Trouble`].
    pub async fn look_at_policy(&self) -> Result<(), AppError> {
        self.look_at_policy_twice(moment).await
    }

    /// The same, with another pause before a directory is read again that holds something new.
    ///
    /// # Errors
    /// As [`Authority::look_at_policy`].
    pub async fn look_at_policy_twice<F>(
        &self,
        pause: impl FnMut() -> F + Send,
    ) -> Result<(), AppError>
    where
        F: Future<Output = ()> + Send,
    {
        let _one_at_a_time = self.replacing.lock().await;
        let before = self.rules().reading.clone();
        let reading = match self.source.settled(&before, pause).await {
            Ok(reading) => reading,
            Err(error) => {
                self.rules_mut().refused = None;
                self.note_trouble(told(&error), Vec::new());
                return Ok(());
            }
        };
        if reading == before {
            // Mended by putting back what was there before.
            let mut rules = self.rules_mut();
            if rules.trouble.is_some() {
                let revision = rules.policy.revision();
                tracing::info!(%revision, "what is at the source rules again");
            }
            (rules.trouble, rules.refused) = (None, None);
            return Ok(());
        }
        if self.rules().refused.as_ref() == Some(&reading) {
            return Ok(());
        }
        let kept = documents_of(&self.ledger.documents().await?);
        match self.checked(reading.clone(), kept).await {
            Ok(loaded) => self.rule_by(loaded).await,
            Err(faults) => {
                self.rules_mut().refused = Some(reading);
                let count = faults.len();
                let files = if count == 1 { "fault" } else { "faults" };
                self.note_trouble(format!("the newest policy has {count} {files}"), faults);
                Ok(())
            }
        }
    }

    /// Said once for each change, not once a second.
    fn note_trouble(&self, message: String, faults: Vec<Fault>) {
        let mut rules = self.rules_mut();
        let before = rules.trouble.as_ref();
        if before.is_some_and(|trouble| trouble.message == message && trouble.faults == faults) {
            return;
        }
        let since = before.map_or_else(|| self.clock.now(), |trouble| trouble.since);
        let revision = rules.policy.revision();
        let places: Vec<_> = faults.iter().take(20).map(ToString::to_string).collect();
        tracing::error!(
            problem = message,
            faults = places.join("; "),
            %revision,
            "the newest policy does not rule; the one before stays"
        );
        rules.trouble = Some(Trouble { since, message, faults });
    }

    /// Rules by this from now on, and sees to what is pending.
    async fn rule_by(&self, loaded: Loaded) -> Result<(), AppError> {
        let changed = {
            let mut rules = self.rules_mut();
            let changed = rules.policy.revision() != loaded.policy.revision();
            *rules = Rules::new(loaded, self.clock.now());
            let (commit, revision) = (rules.reading.commit.as_deref(), rules.policy.revision());
            tracing::info!(%revision, commit, "another policy rules from now on");
            changed
        };
        if changed {
            self.reconsider_pending().await?;
        }
        Ok(())
    }

    /// Looks at everything pending that was ruled on under another revision, as policy says.
    ///
    /// # Errors
    /// [`AppError::Ledger`]; what could not be looked at will be by the next call.
    pub async fn reconsider_pending(&self) -> Result<(), AppError> {
        let mut before: Option<RequestId> = None;
        loop {
            let page = self.ledger.list(States::Only("pending"), before, PAGE).await?;
            for request in &page {
                self.reconsider(request.id()).await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => before = Some(last.id()),
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// Ends a pending request if policy rules otherwise now than it did when it was filed.
    pub(super) async fn reconsider(&self, id: RequestId) -> Result<(), AppError> {
        for _ in 0..TRIES {
            let request = self.current(id).await?;
            let policy = self.policy();
            if !matches!(request.state(), State::Pending(_))
                || request.ruling().policy == policy.revision()
                || !self.is_superseded(&policy, &request).await?
            {
                return Ok(());
            }
            let Some(step) = request.supersede(self.clock.now()) else { return Ok(()) };
            if let Commit::Done(_) = self.commit_alone(step).await? {
                return Ok(());
            }
        }
        Err(AppError::Busy)
    }

    async fn is_superseded(&self, policy: &Policy, request: &Request) -> Result<bool, AppError> {
        match policy.on_change() {
            OnChange::Keep => Ok(false),
            OnChange::EndAll => Ok(true),
            OnChange::EndChanged => {
                // As of the filing: that a window has closed since is no change of policy. What
                // other systems tell, the requester's groups and which rules are suspended are of
                // today, so that nothing they stop passes by this.
                let (intent, now) = (request.intent(), request.filed_at());
                let requester = &self.in_all_groups(request.requester());
                let signals = self.told().await?.as_ref().clone();
                let plan = self.plan_again(request.known().plan.clone()).await?;
                let suspended = self.suspended(self.clock.now()).await?;
                let known = Known { signals, suspended, plan, ..request.known().clone() };
                let known = self.with_opinions(policy, intent, requester, known, now).await?;
                let today = policy.rule(&Situation { intent, requester, known: &known, now });
                let then = request.ruling();
                Ok(Ruling { policy: then.policy, ..today } != *then)
            }
        }
    }

    /// The policy documents that came over the API. For people and administrators.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`].
    pub async fn documents(&self, caller: &Caller) -> Result<wire::PolicyDocuments, AppError> {
        check_reader(caller)?;
        let newest = self.ledger.documents().await?.into_iter();
        let ruling = newest.filter(|document| document.text.is_some());
        let documents = ruling.map(|document| (document.name.clone(), written(&document)));
        Ok(wire::PolicyDocuments { documents: documents.collect() })
    }

    /// One of them with its versions. For people and administrators.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`]; [`AppError::NotFound`].
    pub async fn document(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<wire::PolicyDocument, AppError> {
        check_reader(caller)?;
        let versions = self.ledger.document(name).await?;
        let newest = versions.last().ok_or_else(|| missing(name))?;
        Ok(wire::PolicyDocument {
            name: newest.name.clone(),
            text: newest.text.clone(),
            version: newest.version,
            versions: versions.iter().map(written).collect(),
        })
    }

    /// Writes a policy document, and rules by it from now on. Only for administrators.
    ///
    /// # Errors
    /// [`AppError::Policy`] with every fault of the whole set: nothing changes then.
    pub async fn write_document(
        &self,
        caller: &Caller,
        name: &str,
        sent: wire::NewDocument,
    ) -> Result<wire::PolicyDocument, AppError> {
        check_administrator(caller)?;
        check_name(name)?;
        if sent.text.len() > LARGEST {
            let problem = "at most 256 KiB".to_owned();
            return Err(AppError::Field { field: "text", problem });
        }
        self.set_document(caller, name, Some(sent.text)).await
    }

    /// Removes a policy document. Only for administrators.
    ///
    /// # Errors
    /// [`AppError::Policy`] if the others do not stand without it; [`AppError::NotFound`].
    pub async fn remove_document(&self, caller: &Caller, name: &str) -> Result<(), AppError> {
        check_administrator(caller)?;
        self.set_document(caller, name, None).await.map(drop)
    }

    async fn set_document(
        &self,
        caller: &Caller,
        name: &str,
        text: Option<String>,
    ) -> Result<wire::PolicyDocument, AppError> {
        let _one_at_a_time = self.replacing.lock().await;
        let mut all = self.ledger.documents().await?;
        let now = self.clock.now();
        let held = all.iter().find(|held| held.name == name).and_then(|held| held.text.clone());
        if held == text {
            // The same again changes nothing; what is not there cannot be removed.
            return match text {
                Some(_) => self.document(caller, name).await,
                None => Err(missing(name)),
            };
        }
        all.retain(|held| held.name != name);
        let (by, version) = (caller.principal().id.clone(), 0);
        let next = KeptDocument {
            name: name.to_owned(),
            version,
            text: text.clone(),
            by: by.to_string(),
            at: now,
        };
        all.push(next);
        if all.iter().filter(|held| held.text.is_some()).count() > MOST {
            let problem = format!("there are {MOST} documents already");
            return Err(AppError::Field { field: "name", problem });
        }
        let reading = self.rules().reading.clone();
        let loaded = self.checked(reading, documents_of(&all)).await.map_err(AppError::Policy)?;
        let fact = if text.is_some() { "policy_written" } else { "policy_removed" };
        let entry = json!({
            "v": 1, "type": fact, "at": now.to_string(),
            "by": {"iss": by.iss(), "sub": by.sub()}, "name": name,
            "digest": text.as_ref().map(|text| Digest::of(text.as_bytes()).to_string()),
            "revision": loaded.policy.revision().to_string(),
        });
        let what = Kept::Document { name: name.to_owned(), text };
        self.ledger.keep(Keeping { what, by, at: now, entry }).await?;
        self.waiters.wake_log();
        let trouble = self.rules().trouble.clone();
        self.rule_by(loaded).await?;
        // What is wrong with the source is not mended by a document beside it.
        self.rules_mut().trouble = trouble;
        self.document(caller, name).await
    }
}

impl Authority {
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

fn told(error: &SourceError) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let text = error.to_string();
    if cause.is_empty() || text.contains(&cause) { text } else { format!("{text}: {cause}") }
}

fn check_reader(caller: &Caller) -> Result<(), AppError> {
    let may = caller.is_administrator() || caller.principal().kind == PrincipalKind::Person;
    if may { Ok(()) } else { Err(AppError::NotForWorkloads) }
}

/// Names are file names: what a document is, its ending says.
fn check_name(name: &str) -> Result<(), AppError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let ends = [".yaml", ".yml", ".rego", ".json"].iter().any(|ending| name.ends_with(ending));
    let fits = (6..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain);
    let problem = "a name such as freeze.yaml: 6 to 64 letters, digits, `-`, `_` and `.`, ending \
        in .yaml, .yml, .rego or .json"
        .to_owned();
    if fits && ends { Ok(()) } else { Err(AppError::Field { field: "name", problem }) }
}

fn written(document: &KeptDocument) -> wire::WrittenDocument {
    wire::WrittenDocument {
        version: document.version,
        at: document.at.to_string(),
        by: document.by.clone(),
        digest: document.text.as_ref().map(|text| Digest::of(text.as_bytes()).to_string()),
    }
}

fn missing(name: &str) -> AppError {
    AppError::NotFound { what: "policy document", id: name.chars().take(80).collect() }
}
