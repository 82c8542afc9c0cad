//! The summary of the step: what is asked, of whom, what came of it, and what the plan does.

use std::fmt::Write as _;
use std::time::Duration;

use assent_client::Url;
use assent_client::wire::plan::Plan;
use assent_client::wire::{Request, StageStatus};

use crate::markdown::{block, code, link};
use crate::outcome::Outcome;

/// Longer summaries are cut: the runner drops one of more than 1 MiB whole.
const LONGEST: usize = 900 * 1024;
/// So many changes of a plan are listed.
const MOST_CHANGES: usize = 200;
/// So many of those awaited are named.
const MOST_NAMED: usize = 5;

/// What is told.
#[derive(Debug, Default)]
pub(crate) struct Told<'a> {
    /// What came of it; nothing yet.
    pub(crate) outcome: Option<Outcome>,
    /// Why, where it did not go on.
    pub(crate) why: Option<&'a str>,
    /// The request.
    pub(crate) request: Option<&'a Request>,
    /// The plan that it names.
    pub(crate) plan: Option<&'a Plan>,
    /// How long was waited.
    pub(crate) waited: Duration,
}

/// The summary as Markdown.
pub(crate) fn summary(told: &Told<'_>, base: &Url) -> String {
    let title = told.outcome.map_or("Waiting for approval", Outcome::title);
    let mut text = format!("### Assent: {title}\n\n");
    if let Some(why) = told.why.filter(|why| !why.is_empty()) {
        text.push_str(&format!("{}\n\n", block(why)));
    }
    if let Some(request) = told.request {
        asked(&mut text, request, base);
        text.push_str(&format!("- **Waited**: {}\n", in_words(told.waited)));
    }
    if let Some(plan) = told.plan {
        text.push_str(&changes(plan));
    }
    match text.len() <= LONGEST {
        true => text,
        // A cut within a block would leave it open, so nothing but the head is left.
        false => format!("### Assent: {title}\n\nThe summary is too long to be shown here.\n"),
    }
}

fn asked(text: &mut String, request: &Request, base: &Url) {
    let intent = &request.intent;
    let mut line = |name: &str, value: String| {
        // Writing to a text does not fail.
        let _ = writeln!(text, "- **{name}**: {value}");
    };
    line("Request", format!("{} {}", code(&request.id), link("open it", &request.url, base)));
    line("State", code(&request.state));
    line("Asked", format!("{} in {}", code(&intent.kind), code(&intent.environment)));
    let target = intent.target.iter().map(|(name, value)| code(&format!("{name}={value}")));
    line("Target", target.collect::<Vec<_>>().join(" "));
    line("Why", code(&intent.reason));
    line("Digest", code(intent.digest.as_deref().unwrap_or_default()));
    if !request.approved_by.is_empty() {
        let who: Vec<_> = request.approved_by.iter().map(|who| code(who)).collect();
        line("Approved by", who.join(" "));
    }
    for stage in request.stages.iter().filter(|stage| stage.open) {
        line("Awaited", code(&awaited(stage)));
    }
    if let Some(ending) = request.ending.as_ref().filter(|_| request.state != "consumed") {
        let by = ending.by.as_ref().map(|by| format!("{} ", code(by))).unwrap_or_default();
        line("Ended", format!("{by}{}", code(&ending.reason)));
    }
}

/// Who is asked, and how many of them.
pub(crate) fn awaited(stage: &StageStatus) -> String {
    let named = stage.awaited.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = stage.awaited.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!(" and {more} others") } else { String::new() };
    let (done, needed) = (stage.counted.len(), stage.approvals);
    format!("{done} of {needed} from {} ({named}{more})", stage.from.join(" or "))
}

fn changes(plan: &Plan) -> String {
    let changes = plan.changes.iter().filter(|c| c.actions.iter().any(|a| a != "no-op"));
    let lines = changes.map(|change| format!("{}: {}", change.actions.join(", "), change.address));
    let lines: Vec<_> = lines.collect();
    let shown = lines.iter().take(MOST_CHANGES).cloned().collect::<Vec<_>>().join("\n");
    let more = lines.len().saturating_sub(MOST_CHANGES);
    let more =
        if more > 0 { format!("\nand {more} more, on the request's page") } else { String::new() };
    format!(
        "\n**Plan**, riskiest first, of {} changes:\n\n{}\n",
        lines.len(),
        block(&(shown + &more))
    )
}

/// A time as people read it.
pub(crate) fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3_600, seconds / 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m {:02}s", seconds % 60),
        (hours, minutes) => format!("{hours}h {:02}m", minutes % 60),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A request as the authority shows it, whose texts are this one.
    pub(crate) fn request(state: &str, text: &str) -> Request {
        serde_json::from_value(json!({
            "id": "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z",
            "state": state,
            "version": 1,
            "url": "https://assent.example.com/requests/req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z",
            "digest": "sha256:00",
            "intent": {
                "kind": "github.deploy", "environment": "production",
                "target": {"service": text}, "reason": text,
            },
            "requester": {"id": "x", "kind": "workload"},
            "ruling": {"outcome": "require", "rules": [], "policy": "p"},
            "filed_at": "2026-11-20T21:00:00.000Z",
            "stages": [{
                "name": "r/s", "approvals": 2, "from": [text], "counted": [], "awaited": [text],
                "open": true,
            }],
            "ending": {"at": "T", "by": text, "reason": text},
        }))
        .unwrap()
    }

    #[test]
    fn t36_nothing_in_a_summary_is_more_than_text() {
        let evil = "`]](https://evil.example) <img src=x> @octocat\n# Title\n```\n| a | ##[error]";
        let request = request("pending", evil);
        let base = "https://assent.example.com".parse().unwrap();
        let told = Told { request: Some(&request), why: Some(evil), ..Told::default() };
        let text = summary(&told, &base);
        // What stands outside of code.
        let mut outside = String::new();
        let mut fence = None;
        for line in text.lines() {
            let ticks = line.len() - line.trim_start_matches('`').len();
            match fence {
                Some(open) if ticks >= open => fence = None,
                Some(_) => {}
                None if ticks >= 3 => fence = Some(ticks),
                None => outside.push_str(&format!("{}\n", without_spans(line))),
            }
        }
        assert_eq!(fence, None);
        for part in ["evil", "img", "@octocat", "Title", "##["] {
            assert!(!outside.contains(part), "{outside}");
        }
        assert!(outside.contains("[open it](<https://assent.example.com/requests/"), "{outside}");
    }

    /// A line without its code spans (CommonMark 0.31, section 6.1).
    fn without_spans(line: &str) -> String {
        let mut rest = line;
        let mut outside = String::new();
        while let Some(start) = rest.find('`') {
            outside.push_str(&rest[..start]);
            let after = rest[start..].trim_start_matches('`');
            let fence = rest[start..].len() - after.len();
            let mut at = 0;
            loop {
                let next = at + after[at..].find('`').expect("a span is closed");
                let run = after[next..].len() - after[next..].trim_start_matches('`').len();
                at = next + run;
                if run == fence {
                    break;
                }
            }
            rest = &after[at..];
        }
        outside + rest
    }

    #[test]
    fn a_summary_is_never_too_long_to_be_shown() {
        let request = request("pending", &"x".repeat(400_000));
        let base = "https://assent.example.com".parse().unwrap();
        let told = Told { request: Some(&request), ..Told::default() };
        assert!(summary(&told, &base).len() <= LONGEST);
    }

    #[test]
    fn times_are_told_in_two_units() {
        let told = [42, 845, 10_980].map(|seconds| in_words(Duration::from_secs(seconds)));
        assert_eq!(told, ["42s", "14m 05s", "3h 03m"]);
    }
}
