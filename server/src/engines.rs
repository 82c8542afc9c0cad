//! The engines outside the policy language, as the authority asks them.
//!
//! An engine can object, ask for people, or satisfy a waiver that its rule names. One that does not
//! answer refuses, so the answer of whoever is not set up is that.

use assent_core::policy::Policy;
use assent_core::policy::ask::Ask;
use assent_core::policy::document::Fault;
use assent_core::policy::opinion::Opinion;
use assent_rego::About;
use async_trait::async_trait;

/// Whoever can be asked.
#[async_trait]
pub trait Engines: Send + Sync + std::fmt::Debug {
    /// What the engine of one rule says. Never an error: a failure is an answer, and refuses.
    async fn ask(&self, ask: &Ask, about: About<'_>) -> Opinion;

    /// Every fault in what the rules of a policy ask: a policy with one does not take over.
    async fn faults(&self, policy: &Policy) -> Vec<Fault>;
}

/// Nobody.
#[derive(Clone, Copy, Debug)]
pub struct NoEngines;

#[async_trait]
impl Engines for NoEngines {
    async fn ask(&self, _: &Ask, _: About<'_>) -> Opinion {
        Opinion::Failed { reason: "no engine is set up".to_owned() }
    }

    async fn faults(&self, _: &Policy) -> Vec<Fault> {
        Vec::new()
    }
}

#[async_trait]
impl Engines for assent_rego::Engines {
    async fn ask(&self, ask: &Ask, about: About<'_>) -> Opinion {
        Self::ask(self, ask, about).await
    }

    async fn faults(&self, policy: &Policy) -> Vec<Fault> {
        Self::faults(self, policy).await
    }
}
