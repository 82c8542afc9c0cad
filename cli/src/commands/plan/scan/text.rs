//! A scan in words.

use assent_client::wire::Said;

use crate::commands::plan::scan::{Line, Report};
use crate::output::{Paint, clean, facts};
use crate::show;

/// Whether a change belongs to a group.
type Belongs = fn(&Line) -> bool;

/// What is not covered first, in each group what is riskiest.
pub(super) fn report(report: &Report, paint: Paint) -> String {
    let mut parts = vec![head(report, paint)];
    let groups: [(&str, Belongs); 3] = [
        ("not covered", Line::is_uncovered),
        ("covered", |line| line.protected && line.covered),
        ("permitted", |line| !line.protected),
    ];
    for (name, belongs) in groups {
        let lines: Vec<_> = report.changes.iter().filter(|line| belongs(line)).collect();
        if !lines.is_empty() {
            parts.push(format!("\n{}", paint.strong(name)));
        }
        parts.extend(lines.iter().map(|line| change(line, paint)));
    }
    parts.join("\n")
}

fn head(report: &Report, paint: Paint) -> String {
    let protected = report.changes.iter().filter(|line| line.protected).count();
    let uncovered = match report.uncovered {
        0 => paint.good("all of them covered"),
        count => paint.bad(&format!("{count} of them not covered")),
    };
    let changes = match (report.changes.len(), protected) {
        (all, 0) => format!("{all}, none protected"),
        (all, protected) => format!("{all}, {protected} protected, {uncovered}"),
    };
    let mut lines = vec![
        ("ruling", outcome(report.ruling.outcome, paint)),
        (show::said_as(&report.ruling), show::ruling(&report.ruling)),
        ("changes", changes),
    ];
    if !report.together.is_empty() {
        let rules: Vec<_> = report.together.iter().map(|rule| clean(rule)).collect();
        let why = "no change alone is the cause, so each is protected";
        lines.push(("together", format!("{} ({why})", rules.join(", "))));
    }
    lines.push(("plan", report.plan.clone()));
    lines.push(("policy", clean(&report.ruling.policy)));
    facts(&lines, paint)
}

fn outcome(outcome: Said, paint: Paint) -> String {
    match outcome {
        Said::Refuse => paint.bad(outcome.word()),
        Said::Permit => paint.good(outcome.word()),
        Said::Require => paint.open(outcome.word()),
    }
}

/// One change, what policy says of it alone, and what holds it up or why nothing does.
fn change(line: &Line, paint: Paint) -> String {
    let mut text = show::headline(&line.change, paint);
    let mut put = |label: &str, said: String| {
        text.push_str(&format!("\n{}{} {said}", " ".repeat(10), paint.faint(label)));
    };
    let alone = outcome(line.outcome, paint);
    match line.outcome {
        Said::Permit => put("alone:", alone),
        Said::Require => {
            let rules: Vec<_> = line.rules.iter().map(|rule| clean(rule)).collect();
            put("alone:", format!("{alone} {} ({})", show::ruling(&line.ruling), rules.join(", ")));
        }
        Said::Refuse => put("alone:", format!("{alone}: {}", show::ruling(&line.ruling))),
    }
    match &line.why_not {
        None => {
            let by: Vec<_> = line.covered_by.iter().map(|by| show::shown(by, paint)).collect();
            put("waits for:", by.join(", "));
        }
        Some(why) if line.protected => put("not covered:", clean(why)),
        Some(_) => {}
    }
    text
}
