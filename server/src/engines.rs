//! The engines outside the policy language, as the authority asks them.
//!
//! An engine can object, ask for people, or satisfy a waiver that its rule names. One that does not
//! answer refuses, so the answer of whoever is not set up is that.

use assent_core::policy::ask::Ask;
use assent_core::policy::opinion::Opinion;
use assent_core::policy::situation::Situation;
use async_trait::async_trait;

/// Whoever can be asked.
#[async_trait]
pub trait Engines: Send + Sync + std::fmt::Debug {
    /// What the engine of one rule says. Never an error: a failure is an answer, and refuses.
    async fn ask(&self, ask: &Ask, question: Question<'_>) -> Opinion;
}

/// What an engine is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The intent and what is known around it.
    pub situation: Situation<'a>,
    /// The whole plan as JSON, with everything sensitive taken out, where the intent names one.
    pub plan: Option<&'a str>,
}

/// Nobody.
#[derive(Clone, Copy, Debug)]
pub struct NoEngines;

#[async_trait]
impl Engines for NoEngines {
    async fn ask(&self, _: &Ask, _: Question<'_>) -> Opinion {
        Opinion::Failed { reason: "no engine is set up".to_owned() }
    }
}
