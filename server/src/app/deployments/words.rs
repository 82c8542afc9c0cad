//! What is said at GitHub. Whatever somebody else wrote stands in a code span, which it cannot leave:
//! there it is no markup, mentions nobody and links nowhere ("GitHub Flavored Markdown", code spans).

use assent_core::membership::Membership;
use assent_core::principal::is_visible;
use assent_core::request::{ConsumeError, Request, State, Verdict};
use assent_core::time::Timestamp;
use assent_core::wire;

use super::filing::{Unfiled, unfiled};
use crate::github::Run;

/// How long one foreign text is, with what holds it: GitHub takes 1024 characters ("Creating custom
/// deployment protection rules"), and two of these fit in beside our own words.
const TOLD: usize = 300;

/// Foreign text as a code span, which is never longer than [`TOLD`].
pub(super) fn code(text: &str) -> String {
    let written = |letter: char| match is_visible(letter) {
        true => letter.to_string(),
        false => letter.escape_unicode().to_string(),
    };
    let (mut shown, mut length) = (String::new(), 0);
    for letter in text.chars().map(written) {
        length += letter.chars().count();
        let longer = format!("{shown}{letter}");
        if length + 2 * fence_of(&longer).len() + 2 > TOLD {
            break;
        }
        shown = longer;
    }
    let fence = fence_of(&shown);
    format!("{fence} {shown} {fence}")
}

fn fence_of(shown: &str) -> String {
    let longest = shown.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest + 1)
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
        State::Denied(_) => match denial(request) {
            "" => format!("Denied for {environment}."),
            why => format!("Denied for {environment}: {}", code(why)),
        },
        State::Expired(_) => format!("Nobody decided in time for {environment}."),
        State::Canceled(_) => format!("Withdrawn for {environment}."),
        State::Revoked(_) => format!("Taken back for {environment}."),
    };
    format!("{said} {link}")
}

/// Why an approval lets nothing pass any more.
pub(super) fn over(request: &Request, why: &ConsumeError, base: &str) -> String {
    let environment = code(request.intent().environment());
    format!("Not approved any more for {environment}: {why}. {}", link(request, base))
}

/// The same beside the commit, with what is asked.
pub(super) fn summary(
    request: &Request,
    members: &Membership,
    now: Timestamp,
    base: &str,
) -> String {
    let asked = code(request.intent().reason());
    format!("{}\n\nAsked: {asked}", progress(request, members, now, base))
}

/// What whoever denied it wrote.
fn denial(request: &Request) -> &str {
    let mut all = request.reviews().iter().rev();
    let denied = all.find(|review| review.verdict == Verdict::Deny);
    denied.map(|review| review.comment.trim()).unwrap_or_default()
}

/// Why nothing was filed for a run.
pub(super) fn refused(run: &Run, environment: &str) -> String {
    match unfiled(run, environment) {
        Some(Unfiled::Event) => {
            format!("Rejected: nothing is filed for a run of {}.", code(&run.event))
        }
        Some(Unfiled::Name) => format!(
            "Rejected: no request can name {}. Give the environment a name of at most 63 letters, \
             digits, `-`, `_`, `.` and `/`.",
            code(environment)
        ),
        Some(Unfiled::Fork) | None => {
            "Rejected: the run is of a fork, and whoever owns that chooses what it does.".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t36_foreign_text_cannot_leave_its_code_span() {
        assert_eq!(code("prod"), "` prod `");
        assert_eq!(code("a`b``c"), "``` a`b``c ```");
        assert_eq!(code("x\n# @everyone\u{202e}"), "` x\\u{a}# @everyone\\u{202e} `");
        for hostile in ["`", "x`", "\u{202e}", "\u{202e}`", "a", "\u{10ffff}``"] {
            let shown = code(&hostile.repeat(5_000));
            assert!(shown.chars().count() <= TOLD, "{shown}");
            let fence: String = shown.chars().take_while(|letter| *letter == '`').collect();
            let inside = shown.strip_prefix(&fence).and_then(|rest| rest.strip_suffix(&fence));
            let held = inside.and_then(|rest| rest.strip_prefix(' ')?.strip_suffix(' ')).unwrap();
            assert!(!held.contains(&fence), "{shown}");
        }
    }
}
