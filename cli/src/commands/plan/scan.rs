//! `assent plan scan`

mod text;

use std::collections::BTreeSet;
use std::sync::Arc;

use assent_client::wire::{self, Ruling, Said};
use assent_core::digest::Digest;
use assent_core::intent::Intent;
use assent_core::plan::{self, Change, Coverage, Limits, Plan, Scanned};
use assent_core::policy::situation::{Known, KnownPlan, Situation};
use assent_core::principal::PrincipalKind;
use serde::Serialize;

use crate::args::PlanScanArgs;
use crate::clock;
use crate::commands::plan::{Terraform, json_of, unread};
use crate::commands::policy;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings::{Environment, targets};

/// Why it is asked, where a rule looks at that.
const REASON: &str = "Scan of a plan";

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    /// The digest of the plan's file, as `plan show` and `plan digest` tell it.
    plan: String,
    /// What policy says of the plan as a whole.
    ruling: Ruling,
    /// The rules that decide it and that no change alone is the cause of. Where there are any, each
    /// change is protected.
    together: BTreeSet<String>,
    /// Each change that does something, riskiest first.
    changes: Vec<Line>,
    /// How many of them are protected and not covered.
    uncovered: usize,
}

/// A change, and what policy would say of a plan that holds nothing else.
#[derive(Debug, Serialize)]
struct Line {
    address: String,
    actions: Vec<String>,
    outcome: Said,
    rules: BTreeSet<String>,
    stages: Vec<wire::Stage>,
    reasons: Vec<wire::RefusalReason>,
    /// Whether policy does not just permit it.
    protected: bool,
    /// Whether an approval or a gate of the plan holds it up.
    covered: bool,
    covered_by: BTreeSet<String>,
    why_not: Option<String>,
    /// As it is told to people.
    #[serde(skip)]
    change: Change,
    #[serde(skip)]
    ruling: Ruling,
}

/// Prints what policy says of each change, and which of those it does not just permit wait for nobody.
pub(crate) async fn run(
    args: &PlanScanArgs,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    let documents = policy::documents(&args.policy)?;
    let policy = policy::compiled(&documents, output)?;
    let requester = policy::principal(
        &args.requester,
        match args.workload {
            true => PrincipalKind::Workload,
            false => PrincipalKind::Person,
        },
    )?;
    let limits = Limits::default();
    let (file, json) =
        json_of(&args.file, &Terraform::named(environment.terraform()), &limits).await?;
    let scanned = plan::scan(&json, &limits, args.provider.as_deref());
    let Scanned { plan, coverage } = scanned.map_err(|error| unread(&args.file, &error))?;
    let intent = intent(args, file.to_string(), plan.digest.to_string())?;
    let now = args.now.unwrap_or_else(clock::now);
    let mut known = Known { plan: Some(whole(&plan)), ..Known::default() };
    let situation = Situation { intent: &intent, requester: &requester, known: &known, now };
    // What an engine says of the whole is taken for what it says of each change.
    let answers = policy::asked(&policy, situation, Some(&json)).await;
    known.opinions.extend(answers.into_iter().map(|(rule, answer)| (rule, answer.opinion)));
    let ruled = |known: &Known| {
        let situation = Situation { intent: &intent, requester: &requester, known, now };
        Ruling::from(&policy.rule(&situation))
    };
    let ruling = ruled(&known);
    let lines = plan.changes.iter().zip(coverage).filter(|(change, _)| change.does_something());
    let lines = lines.map(|(change, coverage)| {
        known.plan = Some(only(&plan, change));
        Line::new(change, coverage, ruled(&known))
    });
    let report = Report::new(file, ruling, lines.collect());
    match args.printing.is_json() {
        true => output.json(&report)?,
        false => output.data(text::report(&report, output.data_paint()))?,
    }
    Ok(report.exit())
}

/// What would be asked for.
fn intent(args: &PlanScanArgs, file: String, plan: String) -> Result<Intent, Failure> {
    let intent = wire::Intent {
        kind: args.kind.clone(),
        environment: args.environment.clone(),
        target: targets(args.target.clone())?,
        digest: Some(file),
        plan: Some(plan),
        context: Default::default(),
        reason: REASON.to_owned(),
        duration: None,
    };
    let bad = |faults: Vec<_>| {
        faults.iter().fold(Failure::usage("this cannot be asked for"), Failure::because)
    };
    intent.verify().map_err(bad)
}

fn whole(plan: &Plan) -> KnownPlan {
    let Plan { digest, facts, changes, .. } = plan;
    let changes = Some(Arc::from(changes.as_slice()));
    KnownPlan { digest: *digest, facts: facts.clone(), changes }
}

/// A plan that holds this change and nothing else.
fn only(plan: &Plan, change: &Change) -> KnownPlan {
    let changes = Some(Arc::from([change.clone()]));
    KnownPlan { digest: plan.digest, facts: plan.facts_of(change), changes }
}

impl Report {
    fn new(plan: Digest, ruling: Ruling, mut changes: Vec<Line>) -> Self {
        let alone: BTreeSet<_> = changes.iter().flat_map(|line| decisive(&line.ruling)).collect();
        let together: BTreeSet<_> = decisive(&ruling).difference(&alone).cloned().collect();
        // INVARIANT: what a plan may not do only as a whole, none of its changes may do unseen.
        changes.iter_mut().for_each(|line| line.protected |= !together.is_empty());
        let uncovered = changes.iter().filter(|line| line.is_uncovered()).count();
        Self { plan: plan.to_string(), ruling, together, changes, uncovered }
    }

    fn exit(&self) -> Exit {
        match self.ruling.outcome {
            Said::Permit | Said::Require if self.uncovered == 0 => Exit::Granted,
            Said::Permit | Said::Require | Said::Refuse => Exit::Refused,
        }
    }
}

impl Line {
    fn new(change: &Change, coverage: Coverage, ruling: Ruling) -> Self {
        let (covered_by, why_not) = match coverage {
            Coverage::By(covered_by) => (covered_by, None),
            Coverage::Not(gap) => (BTreeSet::new(), Some(gap.to_string())),
        };
        Self {
            address: change.address.clone(),
            actions: change.actions.clone(),
            outcome: ruling.outcome,
            rules: ruling.rules.clone(),
            stages: ruling.stages.clone(),
            reasons: ruling.reasons.clone(),
            protected: ruling.outcome != Said::Permit,
            covered: why_not.is_none(),
            covered_by,
            why_not,
            change: change.clone(),
            ruling,
        }
    }

    fn is_uncovered(&self) -> bool {
        self.protected && !self.covered
    }
}

/// The rules because of which it is not just permitted.
fn decisive(ruling: &Ruling) -> BTreeSet<String> {
    let refusing = ruling.reasons.iter().map(|reason| reason.rule.clone());
    let asking = ruling.stages.iter().flat_map(|stage| stage.rules.clone());
    refusing.chain(asking).collect()
}
