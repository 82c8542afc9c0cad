//! Reading the source again and again, and ruling by what it holds once that checks.

use std::time::Duration;

use assent_core::policy::document::Fault;

use crate::app::policies::{Rules, Trouble, documents_of};
use crate::app::{AppError, Authority};
use crate::policy::{Loaded, Source, SourceError, moment};

/// How often what rules is looked at.
const EVERY: Duration = Duration::from_secs(1);

impl Authority {
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
    pub(super) async fn rule_by(&self, loaded: Loaded) -> Result<(), AppError> {
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
}

fn told(error: &SourceError) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let text = error.to_string();
    if cause.is_empty() || text.contains(&cause) { text } else { format!("{text}: {cause}") }
}
