//! What is said at GitHub. Whatever somebody else wrote stands in a code span, which it cannot leave:
//! there it is no markup, mentions nobody and links nowhere ("GitHub Flavored Markdown", code spans).

use assent_core::membership::Membership;
use assent_core::principal::is_visible;
use assent_core::request::{Request, State};
use assent_core::time::Timestamp;
use assent_core::wire;

use crate::github::Run;

/// How long what GitHub takes may be ("Creating custom deployment protection rules").
const LONGEST: usize = 1024;
/// How much of one foreign text is told.
const TOLD: usize = 200;

/// Foreign text as a code span.
pub(super) fn code(text: &str) -> String {
    let shown: String = text
        .chars()
        .take(TOLD)
        .flat_map(|letter| match letter {
            letter if is_visible(letter) => vec![letter],
            letter => letter.escape_unicode().collect(),
        })
        .collect();
    let longest = shown.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    format!("{fence} {shown} {fence}")
}

/// Where people look at the request.
pub(super) fn link(request: &Request, base: &str) -> String {
    format!("{base}/requests/{}", request.id())
}

/// In one line how it stands.
pub(super) fn title(word: &str) -> String {
    match word {
        "pending" => "Waiting for approval".to_owned(),
        word => format!("The request is {word}"),
    }
}

/// How the request stands, and where to look.
pub(super) fn progress(
    request: &Request,
    members: &Membership,
    now: Timestamp,
    base: &str,
) -> String {
    let link = link(request, base);
    let environment = code(request.intent().environment());
    let said = match request.state() {
        State::Pending(_) => {
            let shown = wire::Request::show(request, members, now, base);
            let (have, need) = shown.stages.iter().fold((0, 0), |(have, need), stage| {
                (have + stage.counted.len(), need + stage.approvals as usize)
            });
            format!("Waiting: {have} of {need} approvals for {environment}.")
        }
        State::Approved(_) | State::Consumed(_) => format!("Approved for {environment}."),
        State::Denied(_) => format!("Denied for {environment}."),
        State::Expired(_) => format!("Nobody decided in time for {environment}."),
        State::Canceled(_) => format!("Withdrawn for {environment}."),
        State::Revoked(_) => format!("Taken back for {environment}."),
    };
    cut(format!("{said} {link}"))
}

/// Why nothing was filed for a run.
pub(super) fn refused(run: &Run) -> String {
    match run.head_repository_id == Some(run.repository_id) {
        false => {
            "Rejected: the run is of a fork, and whoever owns that chooses what it does.".to_owned()
        }
        true => cut(format!("Rejected: nothing is filed for a run of {}.", code(&run.event))),
    }
}

fn cut(text: String) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t36_foreign_text_cannot_leave_its_code_span() {
        assert_eq!(code("prod"), "` prod `");
        assert_eq!(code("a`b``c"), "``` a`b``c ```");
        assert_eq!(code("x\n# @everyone\u{202e}"), "` x\\u{a}# @everyone\\u{202e} `");
        assert!(code(&"`".repeat(5_000)).len() < LONGEST);
    }
}
