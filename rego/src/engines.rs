//! The engines that the `ask` rules of a policy name: found, loaded and asked as those rules say.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use assent_core::plan;
use assent_core::policy::ask::{self, Ask, Attachment};
use assent_core::policy::document::{Fault, Place};
use assent_core::policy::export::plan_json;
use assent_core::policy::situation::Situation;
use assent_core::principal::PrincipalKind;
use serde_json::Value;

use crate::account::Account;
use crate::dialect::Dialect;
use crate::opa::{Opa, OpaSettings};
use crate::opinion::Opinion;
use crate::policy::{Policy, PolicyError};
use crate::pool::{Answer, CheckError, Pool};
use crate::question::{Party, Question};
use crate::source::{self, Module, Version};

/// Whoever can be asked. What a rule asks is made ready once and kept until the rule changes.
#[derive(Debug)]
pub struct Engines {
    pool: Pool,
    ready: Mutex<HashMap<String, (Ask, Arc<Ready>)>>,
}

#[derive(Debug)]
enum Ready {
    Rego(Policy),
    Opa(Opa),
    /// It cannot be asked at all, for these faults.
    Unfit(Vec<Fault>),
}

/// What an engine is asked about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The intent and what is known around it.
    pub situation: Situation<'a>,
    /// What is on file of its environment: `tier`, `labels`.
    pub environment: &'a Value,
    /// The whole plan as JSON, with everything sensitive taken out, where the intent names one.
    pub plan: Option<&'a str>,
}

impl Engines {
    /// Engines whose Rego runs in the workers of this pool.
    pub fn new(pool: Pool) -> Self {
        Self { pool, ready: Mutex::default() }
    }

    /// What the engine of one rule says. Never an error: a failure is an answer, and refuses.
    pub async fn ask(&self, ask: &Ask, about: About<'_>) -> Opinion {
        self.answer(ask, about, false).await.opinion
    }

    /// Asks as [`Engines::ask`] does, and tells how the answer came about.
    pub async fn explain(&self, ask: &Ask, about: About<'_>) -> Answer {
        self.answer(ask, about, true).await
    }

    /// Every fault that keeps what a rule asks from being loaded: of its Rego by the load profile,
    /// of the address of its OPA. Nobody is asked.
    ///
    /// What a module is at fault for stands in the module; everything else stands where the
    /// document says `ask`.
    pub async fn check(&self, ask: &Ask) -> Vec<Fault> {
        let policy = match &*self.ready(ask) {
            Ready::Rego(policy) => policy.clone(),
            Ready::Opa(_) => return Vec::new(),
            Ready::Unfit(faults) => return faults.clone(),
        };
        match self.pool.check(&policy).await {
            Ok(()) => Vec::new(),
            Err(CheckError::Faults(found)) => found.into_iter().map(in_module).collect(),
            Err(error @ CheckError::Contained(_)) => vec![in_document(ask, error)],
        }
    }

    /// Every fault in what the rules of a policy ask: a policy with one must not take over.
    pub async fn faults(&self, policy: &assent_core::policy::Policy) -> Vec<Fault> {
        let mut faults = Vec::new();
        for ask in policy.engines() {
            faults.extend(self.check(ask).await);
        }
        // Rules may ask the same module, and each would tell of it.
        faults.sort();
        faults.dedup();
        faults
    }

    /// Ends the idle workers and waits until they are gone.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn answer(&self, ask: &Ask, about: About<'_>, explained: bool) -> Answer {
        let failed = |reason: String| Answer {
            opinion: Opinion::Failed { reason },
            account: Account::default(),
        };
        let question = match question(about) {
            Ok(question) => question,
            Err(problem) => return failed(problem),
        };
        let answer = match &*self.ready(ask) {
            Ready::Rego(policy) if explained => self.pool.explain(policy, &question).await,
            Ready::Rego(policy) => self.pool.ask(policy, &question).await,
            Ready::Opa(opa) => opa.ask(&question).await,
            Ready::Unfit(faults) => failed(unfit(faults)),
        };
        let hides = about.plan.is_some_and(|plan| plan.contains(plan::MARKER));
        if hides && ask.hidden == ask::Hidden::Warn { blinded(answer) } else { answer }
    }

    fn ready(&self, ask: &Ask) -> Arc<Ready> {
        let mut ready = lock(&self.ready);
        if let Some((held, found)) = ready.get(&ask.rule)
            && held == ask
        {
            return Arc::clone(found);
        }
        let made = Arc::new(made(ask).unwrap_or_else(Ready::Unfit));
        ready.insert(ask.rule.clone(), (ask.clone(), Arc::clone(&made)));
        made
    }
}

/// An answer about a plan that hides values: it objects to what it objects to, and may have missed
/// the rest.
fn blinded(mut answer: Answer) -> Answer {
    if let Opinion::Answered { warns, allows, .. } = &mut answer.opinion {
        let hidden = "the plan marks values as sensitive, so its policy did not see them";
        warns.push(hidden.to_owned());
        *allows = false;
    }
    answer
}

/// A fault of a module, which knows lines and no columns.
fn in_module(fault: source::Fault) -> Fault {
    let line = usize::try_from(fault.line).unwrap_or(1);
    Fault { place: Place { file: fault.file, line, column: 1 }, message: fault.message }
}

/// A fault of what the rule says, rather than of a file that it names.
fn in_document(ask: &Ask, message: impl std::fmt::Display) -> Fault {
    Fault { place: ask.place.clone(), message: message.to_string() }
}

/// Why there is no answer, in one sentence: of the first fault, for whoever asked to read.
fn unfit(faults: &[Fault]) -> String {
    let first = faults.first().map(ToString::to_string).unwrap_or_default();
    format!("the engine cannot be asked: {first}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// # Errors
/// Every fault that can be seen before a worker sees any of it.
fn made(ask: &Ask) -> Result<Ready, Vec<Fault>> {
    match &ask.engine {
        ask::Engine::Rego { modules, data, v0 } => {
            let version = if *v0 { Version::V0 } else { Version::V1 };
            let modules = scanned(modules, version)?;
            let policy = policy(ask, modules, data);
            policy.map(Ready::Rego).map_err(|error| vec![in_document(ask, error)])
        }
        ask::Engine::Opa { url, token_file, ca_file, timeout } => {
            let opa = Opa::new(OpaSettings {
                url: url.clone(),
                dialect: dialect(ask.dialect),
                timeout: (*timeout).into(),
                token_file: token_file.as_ref().map(PathBuf::from),
                ca_file: ca_file.as_ref().map(PathBuf::from),
            });
            opa.map(Ready::Opa).map_err(|error| vec![in_document(ask, error)])
        }
    }
}

/// # Errors
/// One fault of each module that has any.
fn scanned(files: &[Attachment], version: Version) -> Result<Vec<Module>, Vec<Fault>> {
    let (mut modules, mut faults) = (Vec::new(), Vec::new());
    for file in files {
        match Module::new(&file.file, &file.text, version) {
            Ok(module) => modules.push(module),
            Err(fault) => faults.push(in_module(fault)),
        }
    }
    if faults.is_empty() { Ok(modules) } else { Err(faults) }
}

fn policy(ask: &Ask, modules: Vec<Module>, data: &[Attachment]) -> Result<Policy, PolicyError> {
    let mut policy = Policy::new(dialect(ask.dialect), modules)?;
    for file in data {
        policy = policy.with_data(&file.file, &file.text)?;
    }
    if let Some(query) = &ask.query {
        policy = policy.with_query(query)?;
    }
    if let Some(namespace) = &ask.namespace {
        policy = policy.with_namespace(namespace)?;
    }
    Ok(policy)
}

fn dialect(named: ask::Dialect) -> Dialect {
    match named {
        ask::Dialect::Assent => Dialect::Assent,
        ask::Dialect::Conftest => Dialect::Conftest,
        ask::Dialect::HcpTerraform => Dialect::HcpTerraform,
        ask::Dialect::SpaceliftPlan => Dialect::SpaceliftPlan,
        ask::Dialect::SpaceliftApproval => Dialect::SpaceliftApproval,
        ask::Dialect::Env0 => Dialect::Env0,
        ask::Dialect::Gatekeeper => Dialect::Gatekeeper,
    }
}

fn question(about: About<'_>) -> Result<Question, String> {
    let Situation { intent, requester, known, now } = about.situation;
    let plan = about.plan.map(serde_json::from_str).transpose();
    let facts = |plan: &assent_core::policy::situation::KnownPlan| {
        plan_json(&plan.facts, plan.changes.as_deref())
    };
    Ok(Question {
        request: None,
        intent: intent.to_json(),
        requester: Party {
            issuer: requester.id.iss().to_owned(),
            subject: requester.id.sub().to_owned(),
            kind: match requester.kind {
                PrincipalKind::Person => "person".to_owned(),
                PrincipalKind::Workload => "workload".to_owned(),
            },
            name: None,
            email: requester.claims.get("email").and_then(Value::as_str).map(str::to_owned),
            groups: requester.groups.iter().cloned().collect(),
            address: known.network.ip.map(|ip| ip.to_canonical().to_string()),
        },
        environment: about.environment.clone(),
        plan: plan.map_err(|error| format!("the plan on file is not JSON: {error}"))?,
        facts: known.plan.as_ref().map(facts),
        reviews: Vec::new(),
        signals: Value::Object(known.signals.clone()),
        parameters: Value::Null,
        now_ms: now.as_millis(),
    })
}
