//! Other engines on the same rules: the Rego interpreter that our workers use, here without a
//! worker, and Cedar. Before anything is timed they must have decided as we do.

mod cedar;

use std::collections::BTreeSet;
use std::str::FromStr as _;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use assent_core::policy::Policy as Native;
use assent_core::principal::PrincipalKind;
use cedar_policy::{
    Authorizer, Context, Entities, EntityUid, Policy, PolicyId, PolicySet, Request,
};
use regorus::{Engine, Value as RegoValue};
use serde_json::Value;

use crate::Effort;
use crate::host;
use crate::policy::inputs::{self, Input};
use crate::policy::rules::{self, Rule, Spread};
use crate::policy::{deciding, micros, time};
use crate::report;

pub(super) fn run(effort: Effort) -> Result<()> {
    report::heading("The same rules in other engines, in process: p50 / p99");
    let small = Input::of(inputs::SMALL)?;
    let facts = small.json()?;
    let varied = inputs::VARIED.into_iter().map(Input::of).collect::<Result<Vec<_>>>()?;
    let mut rows = Vec::new();
    for count in [20, 1_000] {
        let rules = rules::rules(count, Spread::Kinds);
        let (native, native_loading) = loading(|| host::compile(rules::yaml(&rules)))?;
        let (mut rego, rego_loading) = loading(|| Rego::load(&rules))?;
        let (cedar, cedar_loading) = loading(|| Cedar::load(&rules))?;
        let ways = agree(&native, &mut rego, &cedar, &varied)?;
        report::say(&format!(
            "{} rules: all three named the same rules for {} inputs, decided in {ways} ways.",
            report::thousands(count as f64),
            varied.len()
        ));
        let text = serde_json::to_vec(&facts)?;
        let value = RegoValue::from_json_str(std::str::from_utf8(&text)?)?;
        let request = Cedar::request(&small, &facts)?;
        let mut row = |engine: &str, ruling, reading, loading| {
            let count = report::thousands(count as f64);
            rows.push(vec![count, engine.to_owned(), micros(ruling), micros(reading), loading]);
        };
        row(
            "Assent",
            time(effort, || Ok(small.ruling(&native)))?,
            time(effort, || small.facts_and_ruling(&text, &native))?,
            native_loading,
        );
        row(
            "regorus 0.14.1, interpreter",
            time(effort, || rego.ask(value.clone()))?,
            time(effort, || rego.ask(RegoValue::from_json_str(std::str::from_utf8(&text)?)?))?,
            rego_loading,
        );
        row(
            "cedar-policy 4.14.1",
            time(effort, || Ok(cedar.ask(&request)))?,
            time(effort, || {
                Ok(cedar.ask(&Cedar::request(&small, &serde_json::from_slice(&text)?)?))
            })?,
            cedar_loading,
        );
    }
    report::say("");
    let reading = "its facts read from JSON, then ruling";
    report::table(&["rules", "engine", "ruling", reading, "loading"], &rows);
    Ok(())
}

fn loading<T>(load: impl FnOnce() -> Result<T>) -> Result<(T, String)> {
    let begun = Instant::now();
    let loaded = load()?;
    Ok((loaded, format!("{:.1} ms", begun.elapsed().as_secs_f64() * 1e3)))
}

/// In how many ways the inputs are decided; each by the same rules in all engines.
fn agree(native: &Native, rego: &mut Rego, cedar: &Cedar, inputs: &[Input]) -> Result<usize> {
    let mut ways = BTreeSet::new();
    for input in inputs {
        let facts = input.json()?;
        let ours = deciding(&input.ruling(native));
        let regos = rego.deciding(&facts)?;
        let cedars = cedar.deciding(&Cedar::request(input, &facts)?)?;
        ensure!(ours == regos, "we say {ours:?} and regorus {regos:?} of {facts}");
        ensure!(ours == cedars, "we say {ours:?} and Cedar {cedars:?} of {facts}");
        ways.insert(ours);
    }
    ensure!(ways.len() > 8, "only {} ways to decide were compared", ways.len());
    Ok(ways.len())
}

struct Rego(Engine);

impl Rego {
    fn load(rules: &[Rule]) -> Result<Self> {
        let mut engine = Engine::new();
        engine.set_strict_builtin_errors(true);
        engine.add_policy("rules.rego".to_owned(), rules::rego(rules))?;
        let mut rego = Self(engine);
        // The engine analyses what it has loaded when it is first asked.
        let _ = rego.ask(RegoValue::new_object());
        Ok(rego)
    }

    fn ask(&mut self, facts: RegoValue) -> Result<RegoValue> {
        self.0.set_input(facts);
        self.0.eval_rule("data.assent.opinion".to_owned())
    }

    fn deciding(&mut self, facts: &Value) -> Result<BTreeSet<String>> {
        let opinion = self.ask(RegoValue::from_json_str(&facts.to_string())?)?;
        let opinion: Value = serde_json::from_str(&opinion.to_json_str()?)?;
        let rules = opinion.get("rules").and_then(Value::as_array).context("no rules")?;
        Ok(rules.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }
}

struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
}

impl Cedar {
    fn load(rules: &[Rule]) -> Result<Self> {
        let mut policies = PolicySet::new();
        for (id, text) in cedar::written(rules) {
            policies.add(Policy::parse(Some(PolicyId::new(id)), text)?)?;
        }
        Ok(Self { authorizer: Authorizer::new(), policies, entities: Entities::empty() })
    }

    fn request(input: &Input, facts: &Value) -> Result<Request> {
        let kind = match input.requester.kind {
            PrincipalKind::Person => "Person",
            PrincipalKind::Workload => "Workload",
        };
        let entity = |kind: &str, id: &str| -> Result<EntityUid> {
            Ok(EntityUid::from_str(&format!("{kind}::{id:?}"))?)
        };
        Ok(Request::new(
            entity(kind, input.requester.id.sub())?,
            entity("Action", input.read.intent.kind())?,
            entity("Target", "orders-production")?,
            Context::from_json_value(facts.clone(), None)?,
            None,
        )?)
    }

    fn ask(&self, request: &Request) -> cedar_policy::Response {
        self.authorizer.is_authorized(request, &self.policies, &self.entities)
    }

    fn deciding(&self, request: &Request) -> Result<BTreeSet<String>> {
        let response = self.ask(request);
        let errors: Vec<_> = response.diagnostics().errors().map(ToString::to_string).collect();
        ensure!(errors.is_empty(), "Cedar could not evaluate: {}", errors.join("; "));
        Ok(response.diagnostics().reason().map(ToString::to_string).collect())
    }
}
