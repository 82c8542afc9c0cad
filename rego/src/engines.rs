//! The engines that the `ask` rules of a policy name: found, loaded and asked as those rules say.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use assent_core::policy::ask::{self, Ask, Attachment};
use assent_core::policy::document;
use assent_core::policy::export::plan_json;
use assent_core::policy::situation::Situation;
use assent_core::principal::PrincipalKind;
use serde_json::Value;

use crate::account::Account;
use crate::dialect::Dialect;
use crate::opa::{Opa, OpaSettings};
use crate::opinion::Opinion;
use crate::policy::Policy;
use crate::pool::{Answer, CheckError, Pool};
use crate::question::{Party, Question};
use crate::source::{Fault, Module, Version};

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
    /// Why it cannot be asked at all.
    Unfit(String),
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

    /// Checks that what a rule asks can be loaded: its Rego by the load profile, the address of
    /// its OPA. Nobody is asked.
    ///
    /// # Errors
    /// [`CheckError`] with every fault, or with what kept it from being checked.
    pub async fn check(&self, ask: &Ask) -> Result<(), CheckError> {
        match &*self.ready(ask) {
            Ready::Rego(policy) => self.pool.check(policy).await,
            Ready::Opa(_) => Ok(()),
            Ready::Unfit(problem) => Err(CheckError::Contained(problem.clone())),
        }
    }

    /// Every fault in what the rules of a policy ask: a policy with one must not take over.
    pub async fn faults(&self, policy: &assent_core::policy::Policy) -> Vec<document::Fault> {
        let mut faults = Vec::new();
        for ask in policy.engines() {
            match self.check(ask).await {
                Ok(()) => {}
                Err(CheckError::Faults(found)) => faults.extend(found.into_iter().map(placed)),
                Err(CheckError::Contained(problem)) => {
                    faults.push(placed(Fault {
                        file: ask.rule.clone(),
                        line: 1,
                        message: problem,
                    }));
                }
            }
        }
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
        match &*self.ready(ask) {
            Ready::Rego(policy) if explained => self.pool.explain(policy, &question).await,
            Ready::Rego(policy) => self.pool.ask(policy, &question).await,
            Ready::Opa(opa) => opa.ask(&question).await,
            Ready::Unfit(problem) => failed(problem.clone()),
        }
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

fn placed(fault: Fault) -> document::Fault {
    let line = usize::try_from(fault.line).unwrap_or(1);
    let place = document::Place { file: fault.file, line, column: 1 };
    document::Fault { place, message: fault.message }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn made(ask: &Ask) -> Result<Ready, String> {
    let dialect = dialect(ask.dialect);
    match &ask.engine {
        ask::Engine::Rego { modules, data, v0 } => {
            let version = if *v0 { Version::V0 } else { Version::V1 };
            let module = |file: &Attachment| Module::new(&file.file, &file.text, version);
            let modules = modules.iter().map(module).collect::<Result<_, _>>();
            let mut policy = modules
                .map_err(|fault| fault.to_string())
                .and_then(|modules| Policy::new(dialect, modules).map_err(|e| e.to_string()))?;
            for file in data {
                policy = policy.with_data(&file.file, &file.text).map_err(|e| e.to_string())?;
            }
            if let Some(query) = &ask.query {
                policy = policy.with_query(query).map_err(|e| e.to_string())?;
            }
            if let Some(namespace) = &ask.namespace {
                policy = policy.with_namespace(namespace).map_err(|e| e.to_string())?;
            }
            Ok(Ready::Rego(policy))
        }
        ask::Engine::Opa { url, token_file, ca_file, timeout } => {
            let opa = Opa::new(OpaSettings {
                url: url.clone(),
                dialect,
                timeout: (*timeout).into(),
                token_file: token_file.as_ref().map(PathBuf::from),
                ca_file: ca_file.as_ref().map(PathBuf::from),
            });
            opa.map(Ready::Opa).map_err(|error| error.to_string())
        }
    }
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
