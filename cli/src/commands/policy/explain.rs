//! `assent policy explain`

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use assent_client::wire::{self, Account, Decision};
use assent_core::canonical;
use assent_core::intent::Intent;
use assent_core::policy::situation::{Known, Situation};
use assent_core::principal::{Principal, PrincipalId, PrincipalKind};
use serde::Deserialize as _;

use crate::args::ExplainArgs;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Paint, clean, facts};
use crate::show;

/// More than the largest intent.
const MAX_INTENT: u64 = 1 << 20;

/// Prints what policy says of an intent, and what became of each rule.
pub(crate) fn run(args: &ExplainArgs, output: &Output) -> Result<Exit, Failure> {
    let documents = super::documents(&args.directory)?;
    let policy = super::compiled(&documents, output)?;
    let intent = read_intent(&args.intent)?;
    let requester = requester(args)?;
    let known = Known::default();
    let situation =
        Situation { intent: &intent, requester: &requester, known: &known, now: clock::now() };
    let decision = Decision::of(&policy, &situation);
    match args.printing.is_json() {
        true => output.json(&decision)?,
        false => output.data(text(&decision, output.data_paint()))?,
    }
    Ok(Exit::Granted)
}

fn requester(args: &ExplainArgs) -> Result<Principal, Failure> {
    let id = PrincipalId::local(&args.requester);
    let id = id.map_err(|e| Failure::usage("--as names nobody").because(e))?;
    let kind = if args.workload { PrincipalKind::Workload } else { PrincipalKind::Person };
    Ok(Principal { id, kind, groups: Default::default(), acts_for: Default::default(), claims: Default::default() })
}

fn read_intent(path: &Path) -> Result<Intent, Failure> {
    let mut bytes = Vec::new();
    let read = match path == Path::new("-") {
        true => io::stdin().take(MAX_INTENT).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(MAX_INTENT).read_to_end(&mut bytes)),
    };
    read.map_err(|error| Failure::file(path, &error))?;
    let bad = || Failure::usage(format!("`{}` is not an intent", path.display()));
    let value = canonical::parse(&bytes).map_err(|e| bad().because(e))?;
    let intent = wire::Intent::deserialize(&value).map_err(|e| bad().because(e))?;
    intent.verify().map_err(|faults| faults.iter().fold(bad(), Failure::because))
}

fn text(decision: &Decision, paint: Paint) -> String {
    let ruling = &decision.ruling;
    let word = match ruling.outcome {
        wire::Said::Refuse => paint.bad(ruling.outcome.word()),
        wire::Said::Permit => paint.good(ruling.outcome.word()),
        wire::Said::Require => paint.open(ruling.outcome.word()),
    };
    let mut lines =
        vec![("ruling", word), ("asks", show::ruling(ruling)), ("digest", clean(&decision.digest))];
    if let Some(terms) = &ruling.credential {
        let audiences = terms.audiences.as_ref().map_or("anybody".to_owned(), |audiences| {
            audiences.iter().map(|one| clean(one)).collect::<Vec<_>>().join(", ")
        });
        let terms = format!(
            "{} for {audiences}, at most {} each, the first within {}",
            terms.uses, terms.max_ttl, terms.grant_window
        );
        lines.push(("credentials", terms));
    }
    lines.push(("policy", clean(&ruling.policy)));
    let mut text = facts(&lines, paint);
    text.push('\n');
    for account in &decision.explanation {
        text.push('\n');
        text.push_str(&rule_text(account, paint));
    }
    text
}

/// A rule and, below it, each of its conditions with what was found.
fn rule_text(account: &Account, paint: Paint) -> String {
    let result = match account.result.as_str() {
        "matched" => paint.good("matched"),
        other => paint.faint(other),
    };
    let waived = if account.waived { ", waived" } else { "" };
    let effect = clean(&account.effect);
    let mut text = format!("{} ({effect}): {result}{waived}", paint.strong(&clean(&account.rule)));
    for (at, condition) in account.conditions.iter().enumerate() {
        let branch = if at + 1 == account.conditions.len() { "└─" } else { "├─" };
        let mark = match condition.result.as_str() {
            "true" => "yes",
            "false" => "no",
            _ => "unknown",
        };
        let (demand, found) = (clean(&condition.demand), clean(&condition.found));
        text.push_str(&format!("\n{branch} {demand}: {mark}, found {found}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use assent_client::wire::ConditionAccount;

    use super::*;

    #[test]
    fn a_rule_is_a_tree_of_its_conditions() {
        let condition = |demand: &str, found: &str, result: &str| ConditionAccount {
            demand: demand.to_owned(),
            found: found.to_owned(),
            result: result.to_owned(),
            within: Vec::new(),
        };
        let account = Account {
            rule: "production".to_owned(),
            effect: "require".to_owned(),
            result: "not matched".to_owned(),
            waived: false,
            suspended: false,
            opinion: None,
            conditions: vec![
                condition("intent.kind one of [a.b]", "`a.b`", "true"),
                condition("intent.environment one of [x]", "`y`", "false"),
            ],
        };
        let wanted = "production (require): not matched\n\
                      ├─ intent.kind one of [a.b]: yes, found `a.b`\n\
                      └─ intent.environment one of [x]: no, found `y`";
        assert_eq!(rule_text(&account, Paint::new(false)), wanted);
    }
}
