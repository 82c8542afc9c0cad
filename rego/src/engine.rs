//! The interpreter, set so that whatever it cannot answer is an error.
//!
//! Builtin errors are fatal, time is what the question says it is, chance is an error, a panic is
//! an answer. What it cannot keep is the process alive: it runs in workers only.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use regorus::Value;
use regorus::utils::limits::ExecutionTimerConfig;
use serde::{Deserialize, Serialize};

use crate::account::Coverage;
use crate::builtins::{NOW, STRICTER, stricter};
use crate::policy::{Document, Policy};
use crate::profile;
use crate::source::{Fault, Module, Version};
use crate::syntax;

/// The longest answer, counted in bytes of text and entries.
const MAX_ANSWER: usize = 256 * 1024;
const MAX_PRINTS: usize = 100;
const MAX_PRINT_BYTES: usize = 1024;

/// What a rule evaluated to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It has no value.
    Undefined,
    /// Its value; sets are arrays.
    Value(serde_json::Value),
    /// It could not be evaluated, and why.
    Error(String),
}

/// What came of one question.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Evaluation {
    pub(crate) outcomes: BTreeMap<String, Outcome>,
    pub(crate) prints: Vec<String>,
    pub(crate) coverage: Vec<Coverage>,
    /// The engine panicked: it must not be asked again.
    pub(crate) broken: bool,
}

/// One policy, loaded.
pub(crate) struct Engine {
    inner: regorus::Engine,
    /// The rules to be read, by the name the dialect knows them by.
    queries: BTreeMap<String, String>,
    now: Arc<AtomicI64>,
}

impl Engine {
    /// Checks and loads a policy. An evaluation may take so long by the engine's own timer, which
    /// only looks between steps.
    ///
    /// # Errors
    /// Every [`Fault`] of its modules.
    pub(crate) fn load(policy: &Policy, timer: Duration) -> Result<Self, Vec<Fault>> {
        let accepted = profile::accept(&policy.modules)?;
        let alone = |message: String| {
            let first = policy.modules.first();
            let file = first.map(|module| module.name.clone()).unwrap_or_default();
            vec![Fault { file, line: 1, message }]
        };
        let queries = policy.queries(&accepted.rules).map_err(alone)?;
        let read = |document: &Document| {
            let fault = |message| vec![Fault { file: document.name.clone(), line: 1, message }];
            document.value().map_err(fault)
        };
        let data = policy.data.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        for rule in &accepted.rules {
            if data.iter().any(|value| holds(value, rule)) {
                return Err(alone(format!("the data holds `{rule}`, which a rule defines")));
            }
        }
        Self::of(accepted.modules, data, queries, timer)
    }

    fn of(
        modules: Vec<Module>,
        data: Vec<Value>,
        queries: BTreeMap<String, String>,
        timer: Duration,
    ) -> Result<Self, Vec<Fault>> {
        let now = Arc::new(AtomicI64::new(0));
        let told = |e: &str| vec![syntax::told(e, "")];
        let mut inner = configured(&now, timer).map_err(|e| told(&e))?;
        for module in modules {
            inner.set_rego_v0(module.version == Version::V0);
            inner
                .add_policy(module.name.clone(), module.text)
                .map_err(|e| vec![syntax::told(&e.to_string(), &module.name)])?;
        }
        for value in data {
            inner.add_data(value).map_err(|e| told(&e.to_string()))?;
        }
        let mut engine = Self { inner, queries, now };
        engine.prepare().map_err(|e| told(&e))?;
        Ok(engine)
    }

    /// Modules without a dialect, as other people's suites have them.
    #[cfg(test)]
    pub(crate) fn bare(modules: &[Module], data: Value) -> Result<Self, Vec<Fault>> {
        let accepted = profile::accept(modules)?;
        Self::of(accepted.modules, vec![data], BTreeMap::new(), Duration::from_secs(20))
    }

    /// Any query, as other people's suites have them.
    #[cfg(test)]
    pub(crate) fn query(
        &mut self,
        query: &str,
        input: Value,
    ) -> Result<regorus::QueryResults, String> {
        self.inner.set_input(input);
        let ask = AssertUnwindSafe(|| self.inner.eval_query(query.to_owned(), false));
        catch_unwind(ask).map_err(|_| "panicked".to_owned())?.map_err(|e| e.to_string())
    }

    /// Has the engine analyse its modules now, so that what is wrong with them is a fault.
    fn prepare(&mut self) -> Result<(), String> {
        self.inner.set_input(Value::new_object());
        let done = catch_unwind(AssertUnwindSafe(|| self.inner.eval_query("1".to_owned(), false)));
        match done {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the engine panicked over these modules".to_owned()),
        }
    }

    /// Evaluates what the dialect reads, for one input at one time.
    pub(crate) fn evaluate(&mut self, input: Value, now_ns: i64, account: bool) -> Evaluation {
        self.now.store(now_ns, Ordering::Relaxed);
        self.inner.set_input(input);
        self.inner.set_enable_coverage(account);
        self.inner.clear_coverage_data();
        let mut evaluation = Evaluation::default();
        let mut room = MAX_ANSWER;
        for (name, path) in &self.queries {
            let inner = &mut self.inner;
            let done = catch_unwind(AssertUnwindSafe(|| inner.eval_rule(path.clone())));
            let outcome = match done {
                Ok(Ok(Value::Undefined)) => Outcome::Undefined,
                Ok(Ok(value)) => {
                    json(&value, &mut room).map_or_else(Outcome::Error, Outcome::Value)
                }
                Ok(Err(error)) => {
                    Outcome::Error(syntax::told(&error.to_string(), path).to_string())
                }
                Err(_) => {
                    evaluation.broken = true;
                    Outcome::Error(format!("the engine panicked over `{path}`"))
                }
            };
            evaluation.outcomes.insert(name.clone(), outcome);
            if evaluation.broken {
                return evaluation;
            }
        }
        let prints = self.inner.take_prints().unwrap_or_default().into_iter().take(MAX_PRINTS);
        evaluation.prints = prints.map(|line| cut(&line, MAX_PRINT_BYTES)).collect();
        if account && let Ok(report) = self.inner.get_coverage_report() {
            evaluation.coverage = report.files.into_iter().map(Coverage::of).collect();
        }
        evaluation
    }
}

/// Whether there is something at or before the end of a path.
fn holds(data: &Value, path: &str) -> bool {
    let mut value = data;
    for name in path.split('.').skip(1) {
        let Ok(object) = value.as_object() else { return true };
        match object.get(&Value::from(name)) {
            Some(next) => value = next,
            None => return false,
        }
    }
    true
}

/// An engine in which whatever it cannot answer is an error.
fn configured(now: &Arc<AtomicI64>, timer: Duration) -> Result<regorus::Engine, String> {
    let mut engine = regorus::Engine::new();
    engine.set_policy_length_config(syntax::lengths());
    engine.set_strict_builtin_errors(true);
    engine.set_gather_prints(true);
    let check_interval = NonZeroU32::MIN.saturating_add(15);
    engine.set_execution_timer_config(ExecutionTimerConfig { limit: timer, check_interval });
    let clock = Arc::clone(now);
    let time = move |_: Vec<Value>| Ok(Value::from(clock.load(Ordering::Relaxed)));
    let told = |e: &dyn std::fmt::Display| e.to_string();
    engine.add_extension(NOW.to_owned(), 0, Box::new(time)).map_err(|e| told(&e))?;
    for name in STRICTER {
        if let Some((arity, function)) = stricter(name) {
            engine.add_extension((*name).to_owned(), arity, function).map_err(|e| told(&e))?;
        }
    }
    Ok(engine)
}

/// At most so many bytes, at a character's end.
fn cut(text: &str, longest: usize) -> String {
    text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= longest).map(|(_, c)| c).collect()
}

/// The value as JSON, as long as there is room. A value inside that is undefined is an error: the
/// engine would print it as a text.
fn json(value: &Value, room: &mut usize) -> Result<serde_json::Value, String> {
    let mut take = |bytes: usize| {
        *room = room.checked_sub(bytes).ok_or("the answer is too long")?;
        Ok::<(), String>(())
    };
    match value {
        Value::Undefined => Err("the answer holds a value that is undefined".to_owned()),
        Value::Null => take(4).map(|()| serde_json::Value::Null),
        Value::Bool(held) => take(5).map(|()| serde_json::Value::Bool(*held)),
        Value::String(text) => {
            take(text.len() + 2)?;
            Ok(serde_json::Value::String(text.to_string()))
        }
        Value::Number(_) => {
            let text = value.to_json_str().map_err(|e| e.to_string())?;
            take(text.len())?;
            serde_json::from_str(&text)
                .map_err(|_| "the answer holds a number out of range".to_owned())
        }
        Value::Array(items) => {
            take(2 + items.iter().count())?;
            items.iter().map(|item| json(item, room)).collect()
        }
        Value::Set(items) => {
            take(2 + items.len())?;
            items.iter_sorted().map(|item| json(item, room)).collect()
        }
        Value::Object(fields) => {
            take(2 + fields.len())?;
            let mut object = serde_json::Map::new();
            for (key, value) in fields.iter_sorted() {
                let key = match key.as_string() {
                    Ok(key) => key.to_string(),
                    Err(_) => key.to_json_str().map_err(|e| e.to_string())?,
                };
                *room = room.checked_sub(key.len()).ok_or("the answer is too long")?;
                object.insert(key, json(value, room)?);
            }
            Ok(serde_json::Value::Object(object))
        }
    }
}
