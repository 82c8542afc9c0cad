//! What is asked for: what the step says, and what goes without saying of the commit that is run.

use std::collections::BTreeMap;

use assent_client::wire::{Filing, Intent, Request};
use assent_core::digest::{Digest, commit_digest};
use assent_gate::plan::HandedIn;

use crate::inputs::{Fault, Inputs, KIND, Mode};
use crate::runner::Runner;

/// What would be filed; every fault of it with its input.
///
/// A plan is not handed in before all inputs are right, so without one the digest is the commit's.
pub(crate) fn filing(
    inputs: &Inputs,
    runner: &Runner,
    plan: Option<&HandedIn>,
) -> Result<Filing, Vec<Fault>> {
    let digest = inputs.digest.or(plan.map(|plan| plan.file)).or(commit(runner));
    let intent = Intent {
        kind: inputs.kind.clone().unwrap_or_else(|| KIND.to_owned()),
        environment: inputs.environment.clone().unwrap_or_default(),
        target: target(inputs, runner),
        digest: digest.map(|digest| digest.to_string()),
        plan: plan.map(|plan| plan.plan.to_string()),
        context: inputs.context.clone(),
        reason: inputs.reason.clone().unwrap_or_else(|| runner.reason.clone()),
        duration: inputs.duration.map(|span| span.to_string()),
    };
    let mut faults = intent.clone().verify().err().unwrap_or_default();
    // That it is not there has been said.
    faults.retain(|fault| fault.field != "environment" || inputs.environment.is_some());
    let mut faults: Vec<_> =
        faults.into_iter().map(|f| Fault { input: f.field, problem: f.problem }).collect();
    if digest.is_none() && inputs.plan_file.is_none() {
        let problem =
            "the runner does not say which commit is run; name what the approval is bound to";
        faults.push(Fault { input: "digest".to_owned(), problem: problem.to_owned() });
    }
    // Only who waits gives signs of life.
    let heartbeat = match inputs.mode {
        Mode::Wait | Mode::Run => inputs.heartbeat.map(|span| span.to_string()),
        Mode::Submit | Mode::Check => None,
    };
    match faults.is_empty() {
        true => Ok(Filing { intent, reattach: true, heartbeat }),
        false => Err(faults),
    }
}

/// The digest of the commit that is run.
fn commit(runner: &Runner) -> Option<Digest> {
    let repository = runner.repository_id.as_deref()?;
    let sha = Some(runner.commit.sha.as_str()).filter(|sha| !sha.is_empty())?;
    Some(commit_digest(repository, sha))
}

fn target(inputs: &Inputs, runner: &Runner) -> BTreeMap<String, String> {
    let own = own_target(runner);
    own.into_iter().chain(inputs.target.clone()).collect()
}

/// What goes without saying.
fn own_target(runner: &Runner) -> BTreeMap<String, String> {
    let id = runner.repository_id.clone().unwrap_or_default();
    let commit = &runner.commit;
    let all = [("repository", &commit.repository), ("repository_id", &id), ("commit", &commit.sha)];
    let there = all.into_iter().filter(|(_, value)| !value.is_empty());
    there.map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

/// In which points a request is for something else than what this step says.
///
/// What a step does not say, another job cannot have changed behind its back: kind and target have their
/// usual values, and the exact thing is the commit that is run, unless the step names another, or fetches
/// the exact plan and holds that against the digest that was approved.
pub(crate) fn differences(
    request: &Request,
    inputs: &Inputs,
    runner: &Runner,
    plan: Option<Digest>,
) -> Vec<String> {
    let asked = &request.intent;
    let mut differences = Vec::new();
    let mut hold = |name: &str, asked: &str, said: &str| {
        if asked != said {
            differences.push(format!("its {name} is `{asked}`, and this step says `{said}`"));
        }
    };
    if let Some(environment) = &inputs.environment {
        hold("environment", &asked.environment, environment);
    }
    hold("kind", &asked.kind, inputs.kind.as_deref().unwrap_or(KIND));
    let said = target(inputs, runner);
    for name in asked.target.keys().chain(said.keys().filter(|n| !asked.target.contains_key(*n))) {
        // What this step says nothing of is the other job's to say, unless it says anything.
        if said.contains_key(name) || !inputs.target.is_empty() {
            let text =
                |from: &BTreeMap<String, String>| from.get(name).cloned().unwrap_or_default();
            hold(&format!("target `{name}`"), &text(&asked.target), &text(&said));
        }
    }
    let is_fetched = inputs.fetch_plan.is_some() && inputs.digest.is_none() && plan.is_none();
    if !is_fetched {
        let said = inputs.digest.or(plan).or(commit(runner)).map(|digest| digest.to_string());
        hold("digest", asked.digest.as_deref().unwrap_or("none"), &said.unwrap_or_default());
    }
    differences
}
