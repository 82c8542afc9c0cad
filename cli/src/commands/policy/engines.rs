//! The engines that `ask` rules name, asked from here: Rego in workers that are this program again,
//! an external OPA over HTTP.

use assent_core::plan;
use assent_core::policy::Policy;
use assent_core::policy::ask::Ask;
use assent_core::policy::document::Fault;
use assent_core::policy::opinion::Opinion;
use assent_core::policy::situation::Situation;
use assent_rego::{About, Account, Answer, Launch, Limits, Pool};

/// Whoever can be asked, for as long as one command runs.
#[derive(Debug)]
pub(super) struct Engines(assent_rego::Engines);

impl Engines {
    pub(super) fn new() -> Self {
        Self(assent_rego::Engines::new(Pool::new(Launch::this_program(), Limits::default())))
    }

    /// What an engine says of a situation, and how that came about. The plan is as it was read; the
    /// engine is given it with everything sensitive taken out.
    pub(super) async fn explain(
        &self,
        policy: &Policy,
        ask: &Ask,
        situation: Situation<'_>,
        plan: Option<&[u8]>,
    ) -> Answer {
        let redacted = plan.map(|bytes| plan::redacted(bytes, &plan::Limits::default()));
        let redacted = match redacted.transpose() {
            Ok(redacted) => redacted,
            Err(error) => {
                let opinion = Opinion::Failed { reason: error.to_string() };
                return Answer { opinion, account: Account::default() };
            }
        };
        let environment = policy.on_file(situation.intent.environment());
        let about = About { situation, environment: &environment, plan: redacted.as_deref() };
        self.0.explain(ask, about).await
    }

    /// The same, for callers that cannot wait otherwise.
    pub(super) fn ask(
        &self,
        policy: &Policy,
        ask: &Ask,
        situation: Situation<'_>,
        plan: Option<&[u8]>,
    ) -> Opinion {
        tokio::task::block_in_place(|| {
            let asking = self.explain(policy, ask, situation, plan);
            tokio::runtime::Handle::current().block_on(asking).opinion
        })
    }

    /// Every fault in what the rules of a policy ask.
    pub(super) async fn faults(&self, policy: &Policy) -> Vec<Fault> {
        self.0.faults(policy).await
    }
}
