//! What is asked for: what the step says, and what goes without saying of the commit that is run.

use std::collections::BTreeMap;

use assent_client::wire::{Filing, Intent, Request};
use assent_core::digest::{Digest, commit_digest};
use assent_core::github::DEPLOY;
use assent_gate::plan::HandedIn;

use crate::inputs::{Fault, Inputs, Mode};
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
        kind: inputs.kind.clone().unwrap_or_else(|| DEPLOY.to_owned()),
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
    hold("kind", &asked.kind, inputs.kind.as_deref().unwrap_or(DEPLOY));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    const RUN: [(&str, &str); 5] = [
        ("INPUT_URL", "https://assent.example.com"),
        ("INPUT_ENVIRONMENT", "production"),
        ("GITHUB_REPOSITORY", "acme/orders"),
        ("GITHUB_REPOSITORY_ID", "42"),
        ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
    ];

    fn step(more: &[(&str, &str)]) -> (Inputs, Runner) {
        let all: Vec<_> = RUN.iter().chain(more).copied().collect();
        let environment = Environment::from(all.as_slice());
        (Inputs::read(&environment).unwrap(), Runner::of(&environment))
    }

    #[test]
    fn repository_and_commit_go_without_saying() {
        let (inputs, runner) = step(&[("INPUT_TARGET", "service=orders")]);
        let filing = filing(&inputs, &runner, None).unwrap();
        let intent = filing.intent;
        let names: Vec<_> = intent.target.keys().map(String::as_str).collect();
        assert_eq!(names, ["commit", "repository", "repository_id", "service"]);
        assert_eq!(intent.digest, Some(commit_digest("42", &runner.commit.sha).to_string()));
        assert_eq!(intent.reason, "Deploy acme/orders@ (0123456789ab)");
        assert!(filing.reattach && filing.heartbeat.as_deref() == Some("2m"));
    }

    #[test]
    fn every_fault_of_an_intent_is_one_of_an_input() {
        let more = [("INPUT_KIND", "Deploy It"), ("INPUT_DURATION", "30d"), ("INPUT_TARGET", "a=")];
        let (inputs, runner) = step(&more);
        let faults = filing(&inputs, &runner, None).unwrap_err();
        let named: Vec<_> = faults.iter().map(|fault| fault.input.as_str()).collect();
        assert_eq!(named, ["kind", "target.a", "duration"]);
    }

    #[test]
    fn t01_a_request_for_something_else_is_not_gone_on_with() {
        let check = [("INPUT_MODE", "check"), ("INPUT_REQUEST-ID", "req_1")];
        let (inputs, runner) = step(&check);
        let mut request = crate::summary::tests::request("approved", "orders");
        let (filed, _) = step(&[]);
        request.intent = filing(&filed, &runner, None).unwrap().intent;
        let different = |request: &Request| differences(request, &inputs, &runner, None);
        assert_eq!(different(&request), Vec::<String>::new());
        let mut other = request.clone();
        other.intent.digest = Some(commit_digest("42", "another").to_string());
        assert_eq!(different(&other).len(), 1);
        let mut other = request.clone();
        other.intent.digest = None;
        other.intent.environment = "staging".to_owned();
        other.intent.kind = "a.b".to_owned();
        other.intent.target.insert("repository_id".to_owned(), "43".to_owned());
        assert_eq!(different(&other).len(), 4);
        // What this step says nothing of is the other job's to say; what it says is all there is.
        let mut other = request;
        other.intent.target.insert("service".to_owned(), "orders".to_owned());
        assert_eq!(different(&other), Vec::<String>::new());
        let (strict, _) = step(&[check[0], check[1], ("INPUT_TARGET", "service=billing")]);
        assert_eq!(differences(&other, &strict, &runner, None).len(), 1);
    }
}
