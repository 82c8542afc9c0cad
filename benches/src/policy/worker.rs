//! A decision of a Rego policy through a worker process: there, evaluated, and back.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow, ensure};
use assent_core::principal::PrincipalKind;
use assent_rego::{
    Dialect, Launch, Limits, Module, Opinion, Party, Policy, Pool, Question, Version,
};
use serde_json::Value;

use crate::Effort;
use crate::host;
use crate::policy::inputs::{self, Input, NOW_MS};
use crate::policy::rules::{self, Spread};
use crate::policy::{deciding, micros, time};
use crate::report;

pub(super) fn run(effort: Effort) -> Result<()> {
    report::heading("A Rego decision through a worker, 20 rules: p50 / p99");
    report::say("Aim: under 1 ms at p50.\n");
    let rules = rules::rules(20, Spread::Kinds);
    let module = Module::new("rules.rego", &rules::rego(&rules), Version::V1)?;
    let policy = Policy::new(Dialect::Assent, vec![module])?;
    let native = host::compile(rules::yaml(&rules))?;
    let runtime = host::runtime()?;
    let pool = Pool::new(Launch::this_program(), Limits::default());
    let ask = |question: &Question| runtime.block_on(pool.ask(&policy, question)).opinion;
    let mut rows = Vec::new();
    for (name, sketch) in [("2 changes", inputs::SMALL), ("200 changes", inputs::LARGE)] {
        let input = Input::of(sketch)?;
        let ours = deciding(&input.ruling(&native));
        for (sent, plan) in [("facts", None), ("facts and the whole plan", Some(&input.plan_text))]
        {
            let plan = plan.map(|text| serde_json::from_slice::<Value>(text)).transpose()?;
            let question = question(&input, plan)?;
            let bytes =
                serde_json::to_vec(&Dialect::Assent.input(&question).map_err(|e| anyhow!(e))?)?;
            ensure!(asked_by(&ask(&question))? == ours, "the worker decides otherwise than we do");
            let took = time(effort, || {
                let opinion = ask(&question);
                ensure!(matches!(opinion, Opinion::Answered { .. }), "no answer: {opinion:?}");
                Ok(opinion)
            })?;
            let bytes = report::thousands(bytes.len() as f64);
            rows.push(vec![name.to_owned(), sent.to_owned(), bytes, micros(took)]);
        }
    }
    report::table(&["plan", "sent to the worker", "bytes", "there and back"], &rows);
    runtime.block_on(pool.close());
    Ok(())
}

fn question(input: &Input, plan: Option<Value>) -> Result<Question> {
    let requester = &input.requester;
    Ok(Question {
        intent: input.read.intent.to_json(),
        requester: Party {
            issuer: requester.id.iss().to_owned(),
            subject: requester.id.sub().to_owned(),
            kind: match requester.kind {
                PrincipalKind::Person => "person".to_owned(),
                PrincipalKind::Workload => "workload".to_owned(),
            },
            groups: requester.groups.iter().cloned().collect(),
            ..Party::default()
        },
        plan,
        facts: input.facts()?,
        now_ms: NOW_MS,
        ..Question::default()
    })
}

/// The rules that ask for people.
fn asked_by(opinion: &Opinion) -> Result<BTreeSet<String>> {
    let Opinion::Answered { denies, warns, allows: false } = opinion else {
        return Err(anyhow!("the worker should ask for people: {opinion:?}"));
    };
    ensure!(denies.is_empty(), "the worker should ask for people: {opinion:?}");
    Ok(warns.iter().cloned().collect())
}
