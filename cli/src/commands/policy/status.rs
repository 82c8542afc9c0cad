//! `assent policy status`

use assent_client::Client;
use assent_client::wire::PolicyStatus;

use crate::args::Printing;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Paint, clean, facts};

/// Prints by what the server rules; fails where the newest policy does not.
pub(crate) async fn run(
    printing: Printing,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let status = client.policy_status().await?;
    match printing.is_json() {
        true => output.json(&status)?,
        false => output.data(text(&status, output.data_paint()))?,
    }
    Ok(if status.problem.is_some() { Exit::Refused } else { Exit::Granted })
}

fn text(status: &PolicyStatus, paint: Paint) -> String {
    let mut lines = vec![
        ("revision", clean(&status.revision)),
        ("rules", status.rules.to_string()),
        ("since", clean(&status.loaded_at)),
        ("from", clean(&status.source)),
    ];
    lines.extend(status.commit.as_deref().map(|commit| ("commit", clean(commit))));
    lines.push(("changes", clean(&status.policy_changes)));
    if let Some(problem) = &status.problem {
        lines.push(("problem", paint.bad(&clean(&problem.message))));
        lines.push(("problem since", clean(&problem.since)));
    }
    let mut text = facts(&lines, paint);
    for fault in status.problem.iter().flat_map(|problem| &problem.faults) {
        let (file, message) = (clean(&fault.file), clean(&fault.message));
        text.push_str(&format!("\n{file}:{}:{}: {message}", fault.line, fault.column));
    }
    text
}
