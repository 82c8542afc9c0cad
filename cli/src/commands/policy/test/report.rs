//! The report as people read it: a line for each file, then every failure, then a summary.

use assent_core::policy::condition::Truth;
use assent_core::policy::coverage::Coverage;
use assent_core::policy::explanation::{Account, ConditionAccount, RiskAccount};

use crate::commands::counted;
use crate::commands::policy::test::cases::{Finished, Results};
use crate::output::{Cell, Paint, Table, clean};

/// The most gaps of coverage that are told one by one.
const MOST_GAPS: usize = 40;

pub(super) fn text(results: &Results, with_coverage: bool, paint: Paint) -> String {
    let mut parts = vec![files(results, paint)];
    parts.extend(results.failed().map(|finished| failure(finished, paint)));
    if with_coverage {
        parts.push(coverage(&results.coverage, paint));
    }
    parts.push(summary(results, paint));
    parts.join("\n\n")
}

fn files(results: &Results, paint: Paint) -> String {
    let line = |(file, cases): (&String, &Vec<Finished>)| {
        let failed = cases.iter().filter(|finished| !finished.outcome.passed()).count();
        let all = counted(cases.len(), "case", "cases");
        match failed {
            0 => format!("{}    {} ({all})", paint.good("ok"), clean(file)),
            _ => format!("{}  {} ({failed} of {all} failed)", paint.bad("FAIL"), clean(file)),
        }
    };
    results.files.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn failure(finished: &Finished, paint: Paint) -> String {
    let place = &finished.case.place;
    let at = format!("{}:{}:{}:", clean(&place.file), place.line, place.column);
    let mut text = format!("{} {}", paint.strong(&at), clean(&finished.case.name));
    if let Some(needs) = finished.needs() {
        text.push_str(&format!("\n  {}", paint.bad(&clean(&needs))));
    }
    let differences = &finished.outcome.differences;
    let width = differences.iter().map(|it| it.what.chars().count()).max().unwrap_or(0);
    for difference in differences {
        let what = clean(&difference.what);
        let gap = " ".repeat(width.saturating_sub(what.chars().count()));
        let (wanted, found) = (clean(&difference.expected), clean(&difference.actual));
        text.push_str(&format!("\n  {what}{gap}  expected {}", paint.good(&wanted)));
        text.push_str(&format!("\n  {}  found    {}", " ".repeat(width), paint.bad(&found)));
    }
    for account in &finished.accounts {
        text.push_str(&format!("\n  {}", rule(account, paint)));
        branches(&account.conditions, "  ", paint, &mut text);
    }
    if let Some(account) = &finished.risk {
        risk(account, paint, &mut text);
    }
    text
}

/// `production (require): not matched`
fn rule(account: &Account, paint: Paint) -> String {
    let result = match account.truth {
        Truth::True => paint.good("matched"),
        Truth::False => paint.faint("not matched"),
        Truth::Unknown => paint.open("cannot be settled"),
    };
    let waived = if account.waived { ", waived" } else { "" };
    let suspended = if account.suspended { ", suspended" } else { "" };
    let name = paint.strong(&clean(&account.rule));
    format!("{name} ({}): {result}{waived}{suspended}", account.effect)
}

/// Conditions as a tree, each with what was found.
fn branches(conditions: &[ConditionAccount], indent: &str, paint: Paint, text: &mut String) {
    for (at, condition) in conditions.iter().enumerate() {
        let is_last = at + 1 == conditions.len();
        let (branch, below) = if is_last { ("└─", "   ") } else { ("├─", "│  ") };
        let found = match condition.found.as_str() {
            "" => String::new(),
            found => format!(", found {}", clean(found)),
        };
        let (demand, mark) = (clean(&condition.demand), mark(condition.truth, paint));
        text.push_str(&format!("\n{indent}{branch} {demand}: {mark}{found}"));
        branches(&condition.within, &format!("{indent}{below}"), paint, text);
    }
}

fn mark(truth: Truth, paint: Paint) -> String {
    match truth {
        Truth::True => paint.good("yes"),
        Truth::False => paint.faint("no"),
        Truth::Unknown => paint.open("unknown"),
    }
}

fn risk(account: &RiskAccount, paint: Paint, text: &mut String) {
    text.push_str(&format!("\n  risk {}", account.score));
    for factor in &account.factors {
        let mark = mark(factor.truth, paint);
        text.push_str(&format!("\n  {} ({}): {mark}", clean(&factor.factor), factor.weight));
        branches(&factor.conditions, "  ", paint, text);
    }
}

fn coverage(coverage: &Coverage, paint: Paint) -> String {
    let head = ["RULE", "EFFECT", "MATCHED", "NOT", "UNKNOWN", "CONDITIONS"];
    let mut table = Table::new(&head, paint);
    for rule in &coverage.rules {
        let (covered, all) = rule.conditions_covered();
        let numbers = [rule.seen.held, rule.seen.failed, rule.seen.unknown].map(|n| n.to_string());
        let conditions = format!("{covered} of {all}");
        let cells = [&rule.rule, rule.effect].into_iter().chain(numbers.iter().map(String::as_str));
        table.row(cells.chain([conditions.as_str()]).map(Cell::text));
    }
    let mut text = table.text();
    let gaps = coverage.gaps();
    for gap in gaps.iter().take(MOST_GAPS) {
        let what = paint.open(gap.what);
        let condition = gap.condition.as_deref().map(|demand| format!(" `{}`", clean(demand)));
        let condition = condition.unwrap_or_default();
        text.push_str(&format!("\n{}:{condition} {what}", clean(&gap.rule)));
    }
    if let Some(more) = gaps.len().checked_sub(MOST_GAPS).filter(|more| *more > 0) {
        text.push_str(&format!("\nand {more} more"));
    }
    let (reached, all) = coverage.reached();
    text.push_str(&format!("\ncoverage {} % ({reached} of {all})", coverage.percent()));
    text
}

fn summary(results: &Results, paint: Paint) -> String {
    let all = results.all().count();
    let failed = results.failed().count();
    let files = counted(results.files.len(), "file", "files");
    let cases = counted(all, "case", "cases");
    match failed {
        0 => format!("{} {cases} in {files} passed", paint.good("ok:")),
        _ => format!("{} {failed} of {cases} in {files} failed", paint.bad("failed:")),
    }
}
