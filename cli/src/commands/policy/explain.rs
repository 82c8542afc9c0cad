//! `assent policy explain`

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use assent_client::Client;
use assent_client::wire::{self, Account, ConditionAccount, Decision, FactorAccount, Opinion};
use assent_core::intent::Intent;
use assent_core::plan::Plan;
use assent_core::policy::Policy;
use assent_core::policy::situation::{Known, KnownPlan, Situation};
use assent_core::principal::{Principal, PrincipalKind};
use assent_rego::Answer;
use serde::{Deserialize as _, Serialize};

use crate::args::ExplainArgs;
use crate::clock;
use crate::commands::plan;
use crate::commands::policy::engines::Engines;
use crate::commands::policy::recorded;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Paint, clean, facts};
use crate::show;

/// Prints what policy says of an intent, and what became of each rule and condition.
pub(crate) async fn run(args: &ExplainArgs, output: &Output) -> Result<Exit, Failure> {
    let directory = args.directory.as_deref().unwrap_or(Path::new("."));
    let documents = super::documents(directory)?;
    let policy = super::compiled(&documents, output)?;
    let intent = read_intent(&args.intent)?;
    let requester = requester(args)?;
    let (mut known, plan) = known(args, &intent)?;
    let now = args.now.unwrap_or_else(clock::now);
    let situation = Situation { intent: &intent, requester: &requester, known: &known, now };
    let answers = asked(&policy, situation, plan.as_deref()).await;
    let opinions = answers.iter().map(|(rule, answer)| (rule.clone(), answer.opinion.clone()));
    known.opinions.extend(opinions.collect::<Vec<_>>());
    let situation = Situation { intent: &intent, requester: &requester, known: &known, now };
    let decision = Decision::of(&policy, &situation);
    let engines = answers.into_iter().map(|(rule, answer)| (rule, answer.account.into()));
    let explained = Explained { decision, engines: engines.collect() };
    match args.printing.is_json() {
        true => output.json(&explained)?,
        false => output.data(explained.text(output.data_paint()))?,
    }
    Ok(Exit::Granted)
}

/// Prints what the server's policy says of an intent of the caller's, now.
pub(crate) async fn run_online(
    args: &ExplainArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let intent = wire::Intent::from(&read_intent(&args.intent)?);
    let decision =
        client.decide(&wire::Filing { intent, reattach: false, heartbeat: None }).await?;
    match args.printing.is_json() {
        true => output.json(&decision)?,
        false => output.data(text(&decision, output.data_paint()))?,
    }
    Ok(Exit::Granted)
}

/// What policy says, and how the engines it asked came to what they say.
#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    decision: Decision,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    engines: BTreeMap<String, Evaluation>,
}

/// How an engine came to what it says.
#[derive(Serialize)]
struct Evaluation {
    /// What the policy printed, each as `file:line: text`.
    prints: Vec<String>,
    /// Each rule that was read, with its value.
    outcomes: Vec<String>,
    /// The lines that were reached and those that were not, of each module.
    lines: Vec<Lines>,
}

#[derive(Serialize)]
struct Lines {
    file: String,
    reached: BTreeSet<u32>,
    not_reached: BTreeSet<u32>,
}

impl From<assent_rego::Account> for Evaluation {
    fn from(account: assent_rego::Account) -> Self {
        let lines = account.coverage.into_iter().map(|coverage| Lines {
            file: coverage.file,
            reached: coverage.covered,
            not_reached: coverage.not_covered,
        });
        Self { prints: account.prints, outcomes: account.outcomes, lines: lines.collect() }
    }
}

impl Explained {
    fn text(&self, paint: Paint) -> String {
        let mut text = text(&self.decision, paint);
        for (rule, evaluation) in &self.engines {
            text.push_str(&format!("\n\n{} (engine)", paint.strong(&clean(rule))));
            evaluation.lines().iter().for_each(|line| {
                text.push_str("\n  ");
                text.push_str(&clean(line));
            });
        }
        text
    }
}

impl Evaluation {
    fn lines(&self) -> Vec<String> {
        let numbers = |lines: &BTreeSet<u32>| {
            lines.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let prints = self.prints.iter().map(|print| format!("print {print}"));
        let missed = self.lines.iter().filter(|module| !module.not_reached.is_empty());
        let missed = missed.map(|module| {
            format!("{}: not reached: lines {}", module.file, numbers(&module.not_reached))
        });
        self.outcomes.iter().cloned().chain(prints).chain(missed).collect()
    }
}

/// What the engines of the rules that match say, where the files do not say it already.
pub(crate) async fn asked(
    policy: &Policy,
    situation: Situation<'_>,
    plan: Option<&[u8]>,
) -> BTreeMap<String, Answer> {
    let engines = Engines::new();
    let mut answers = BTreeMap::new();
    for ask in policy.asks(&situation) {
        if !situation.known.opinions.contains_key(&ask.rule) {
            let answer = engines.explain(policy, ask, situation, plan).await;
            answers.insert(ask.rule.clone(), answer);
        }
    }
    answers
}

fn requester(args: &ExplainArgs) -> Result<Principal, Failure> {
    let kind = if args.workload { PrincipalKind::Workload } else { PrincipalKind::Person };
    let requester = recorded::principal(&args.requester, kind)?;
    Ok(Principal { groups: args.groups.iter().cloned().collect(), ..requester })
}

fn read_intent(path: &Path) -> Result<Intent, Failure> {
    let bad = || Failure::usage(format!("`{}` is not an intent", path.display()));
    let value = recorded::json(path)?;
    let intent = wire::Intent::deserialize(&value).map_err(|e| bad().because(e))?;
    intent.verify().map_err(|faults| faults.iter().fold(bad(), Failure::because))
}

/// What is known beside the intent: what the files say, and nothing else. The bytes of the plan
/// stand beside it, for engines.
fn known(args: &ExplainArgs, intent: &Intent) -> Result<(Known, Option<Vec<u8>>), Failure> {
    let mut known = match &args.known {
        Some(path) => read_known(path)?,
        None => Known::default(),
    };
    if let Some(path) = &args.plan {
        let (Plan { digest, facts, changes, .. }, bytes) = plan::of_json(path)?;
        if intent.plan().is_some_and(|named| named != digest) {
            let message = format!("the intent names another plan than `{}`", path.display());
            return Err(Failure::usage(message));
        }
        known.plan = Some(KnownPlan { digest, facts, changes: Some(changes.into()) });
        return Ok((known, Some(bytes)));
    }
    Ok((known, None))
}

fn read_known(path: &Path) -> Result<Known, Failure> {
    let bad = || Failure::usage(format!("`{}` is not what is known", path.display()));
    let value = recorded::json(path)?;
    let known = wire::Known::deserialize(&value).map_err(|e| bad().because(e))?;
    known.try_into().map_err(|e| bad().because(e))
}

fn text(decision: &Decision, paint: Paint) -> String {
    let ruling = &decision.ruling;
    let word = match ruling.outcome {
        wire::Said::Refuse => paint.bad(ruling.outcome.word()),
        wire::Said::Permit => paint.good(ruling.outcome.word()),
        wire::Said::Require => paint.open(ruling.outcome.word()),
    };
    let mut lines = vec![
        ("ruling", word),
        (show::said_as(ruling), show::ruling(ruling)),
        ("digest", clean(&decision.digest)),
    ];
    if let Some(terms) = &ruling.credential {
        lines.push(("credentials", terms_text(terms)));
    }
    for review in &ruling.post_reviews {
        let by = clean(&review.by.join(", "));
        let (count, within) = (review.approvals, clean(&review.within));
        lines.push(("later review", format!("{count} of {by} within {within}")));
    }
    if !ruling.notify.is_empty() {
        lines.push(("notify", clean(&ruling.notify.join(", "))));
    }
    if let Some(wire::Risk { least, most }) = ruling.risk {
        let known = if least == most { least.to_string() } else { format!("{least} to {most}") };
        lines.push(("risk", known));
    }
    lines.push(("policy", clean(&ruling.policy)));
    let mut text = facts(&lines, paint);
    text.push('\n');
    for account in &decision.explanation {
        text.push('\n');
        text.push_str(&rule_text(account, paint));
    }
    if !decision.risk.is_empty() {
        text.push('\n');
    }
    for factor in &decision.risk {
        text.push('\n');
        text.push_str(&factor_text(factor, paint));
    }
    text
}

fn terms_text(terms: &wire::Credentials) -> String {
    let audiences = terms.audiences.as_ref().map_or("anybody".to_owned(), |audiences| {
        audiences.iter().map(|one| clean(one)).collect::<Vec<_>>().join(", ")
    });
    let mut text = format!(
        "{} for {audiences}, at most {} each, the first within {}",
        terms.uses, terms.max_ttl, terms.grant_window
    );
    for (what, said) in [
        ("role", &terms.role),
        ("broker", &terms.broker),
        ("dpop", &terms.dpop),
        ("heartbeat", &terms.heartbeat),
    ] {
        said.iter().for_each(|said| text.push_str(&format!(", {what} {}", clean(said))));
    }
    if terms.reuse_within_run {
        text.push_str(", also for another attempt at the run");
    }
    text
}

/// A rule and, below it, each of its conditions with what was found.
fn rule_text(account: &Account, paint: Paint) -> String {
    let result = match account.result.as_str() {
        "matched" => paint.good("matched"),
        "indeterminate" => paint.open("indeterminate"),
        other => paint.faint(other),
    };
    let waived = if account.waived { ", waived" } else { "" };
    let suspended = if account.suspended { ", suspended: a later review was missed" } else { "" };
    let effect = clean(&account.effect);
    let rule = paint.strong(&clean(&account.rule));
    let place = account.place.as_deref().map(|place| format!("  {}", clean(place)));
    let place = paint.faint(&place.unwrap_or_default());
    let mut text = format!("{rule} ({effect}): {result}{waived}{suspended}{place}");
    if let Some(opinion) = &account.opinion {
        text.push_str(&format!("\n│  its engine: {}", opinion_text(opinion)));
    }
    text.push_str(&conditions(&account.conditions, account.result == "matched", paint));
    text
}

fn opinion_text(opinion: &Opinion) -> String {
    match opinion {
        Opinion::Failed { reason } => clean(reason),
        Opinion::Answered { denies, warns, allows } => {
            let each = |word: &str, said: &[String]| {
                said.iter().map(|said| format!("{word} \"{}\"", clean(said))).collect::<Vec<_>>()
            };
            let mut said = [each("denies", denies), each("warns", warns)].concat();
            said.extend(allows.then(|| "approves".to_owned()));
            if said.is_empty() { "no objection".to_owned() } else { said.join(", ") }
        }
    }
}

/// A risk factor, what it adds, and its conditions.
fn factor_text(factor: &FactorAccount, paint: Paint) -> String {
    let weight = factor.weight;
    let adds = match factor.result.as_str() {
        "true" => paint.open(&format!("adds {weight}")),
        "false" => paint.faint(&format!("adds nothing of {weight}")),
        _ => paint.open(&format!("may add {weight}")),
    };
    let name = paint.strong(&clean(&factor.factor));
    let tree = conditions(&factor.conditions, factor.result == "true", paint);
    format!("{name} (risk): {adds}{tree}")
}

/// The conditions of a rule as a tree. What decided is marked where not all of them did.
fn conditions(all: &[ConditionAccount], matched: bool, paint: Paint) -> String {
    let mut text = String::new();
    branches(all, "", matched, paint, &mut text);
    text
}

fn branches(
    all: &[ConditionAccount],
    margin: &str,
    matched: bool,
    paint: Paint,
    text: &mut String,
) {
    for (at, condition) in all.iter().enumerate() {
        let is_last = at + 1 == all.len();
        let (branch, below) = if is_last { ("└─", "   ") } else { ("├─", "│  ") };
        let mark = match condition.result.as_str() {
            "true" => paint.good("yes"),
            "false" => paint.bad("no"),
            _ => paint.open("unknown"),
        };
        let found = match condition.found.as_str() {
            "" => String::new(),
            found => format!(", found {}", clean(found)),
        };
        let decides = if condition.decides && !matched { "  ◀ decides" } else { "" };
        let demand = clean(&condition.demand);
        text.push_str(&format!(
            "\n{margin}{branch} {demand}: {mark}{found}{}",
            paint.strong(decides)
        ));
        branches(&condition.within, &format!("{margin}{below}"), matched, paint, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(demand: &str, found: &str, result: &str, decides: bool) -> ConditionAccount {
        ConditionAccount {
            demand: demand.to_owned(),
            found: found.to_owned(),
            result: result.to_owned(),
            decides,
            within: Vec::new(),
        }
    }

    #[test]
    fn a_rule_is_a_tree_of_its_conditions() {
        let mut either = condition("any of", "", "false", true);
        let mut branch = condition("either", "", "false", true);
        branch.within = vec![condition("intent.environment one of [x]", "`y`", "false", true)];
        either.within = vec![branch];
        let account = Account {
            rule: "production".to_owned(),
            place: None,
            effect: "require".to_owned(),
            result: "not matched".to_owned(),
            waived: false,
            suspended: false,
            opinion: Some(Opinion::Answered {
                denies: Vec::new(),
                warns: vec!["wide".to_owned()],
                allows: true,
            }),
            conditions: vec![condition("intent.kind one of [a.b]", "`a.b`", "true", false), either],
        };
        let wanted = "production (require): not matched\n\
                      │  its engine: warns \"wide\", approves\n\
                      ├─ intent.kind one of [a.b]: yes, found `a.b`\n\
                      └─ any of: no  ◀ decides\n   \
                         └─ either: no  ◀ decides\n      \
                            └─ intent.environment one of [x]: no, found `y`  ◀ decides";
        assert_eq!(rule_text(&account, Paint::new(false)), wanted);
    }
}
