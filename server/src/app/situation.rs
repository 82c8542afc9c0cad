//! What is known beside an intent when policy rules on it: found out in one place, for filings and
//! dry runs alike, and recorded with the filing.

use std::collections::BTreeMap;

use assent_core::intent::Intent;
use assent_core::policy::Policy;
use assent_core::policy::opinion::Opinion;
use assent_core::policy::situation::{Known, KnownPlan, Network, Situation};
use assent_core::principal::Principal;
use assent_core::time::Timestamp;
use assent_rego::About;

use crate::app::{AppError, Authority};

/// Who asks for what, from where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) intent: &'a Intent,
    pub(super) requester: &'a Principal,
    pub(super) network: &'a Network,
    pub(super) plan: Option<&'a KnownPlan>,
}

impl Authority {
    /// Everything that is known of what is asked, as this policy looks at it at this moment.
    pub(super) async fn situation(
        &self,
        policy: &Policy,
        asked: Asked<'_>,
        now: Timestamp,
    ) -> Result<Known, AppError> {
        let known = Known {
            network: asked.network.clone(),
            plan: asked.plan.cloned(),
            signals: self.told().await?.as_ref().clone(),
            concerns: self.concerns(asked.intent, asked.requester, now),
            suspended: self.suspended(now).await?,
            opinions: BTreeMap::new(),
        };
        self.with_opinions(policy, asked.intent, asked.requester, known, now).await
    }

    /// The same, with what the engines say that this policy asks.
    pub(super) async fn with_opinions(
        &self,
        policy: &Policy,
        intent: &Intent,
        requester: &Principal,
        known: Known,
        now: Timestamp,
    ) -> Result<Known, AppError> {
        let situation = Situation { intent, requester, known: &known, now };
        let asks = policy.asks(&situation);
        if asks.is_empty() {
            return Ok(known);
        }
        let plan = match &known.plan {
            Some(plan) => self.ledger.plan(plan.digest).await?.map(|plan| plan.redacted),
            None => None,
        };
        let environment = policy.on_file(intent.environment());
        let about = About { situation, environment: &environment, plan: plan.as_deref() };
        let mut opinions = BTreeMap::new();
        for ask in asks {
            let opinion = self.engines.ask(ask, about).await;
            if let Opinion::Failed { reason } = &opinion {
                warn_of(&ask.rule, reason);
            }
            opinions.insert(ask.rule.clone(), opinion);
        }
        Ok(Known { opinions, ..known })
    }
}

/// How much of a rule's id and of a reason a log line holds.
const MAX_LOGGED_CHARS: usize = 300;

/// Whoever runs the authority is to see that an engine fails; what it says may be anything.
fn warn_of(rule: &str, reason: &str) {
    let short = |text: &str| text.chars().take(MAX_LOGGED_CHARS).collect::<String>();
    tracing::warn!(rule = ?short(rule), reason = ?short(reason), "an engine gave no answer");
}
