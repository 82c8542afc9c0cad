//! How far a request is, in one line, and how it ended.

use assent_client::wire::{Request, StageStatus};
use assent_core::time::Timestamp;

use crate::clock;
use crate::output::clean;

/// So many of those awaited are named.
const NAMED: usize = 5;

/// How it stands while people are asked.
pub(crate) fn progress(request: &Request, now: Timestamp) -> String {
    format!("{} {}", clean(&request.id), situation(request, now))
}

/// The same without its id, where that has been said: what a short line has room for.
pub(crate) fn situation(request: &Request, now: Timestamp) -> String {
    let left = time_left(request, now).map(|left| format!(", {left} left")).unwrap_or_default();
    let mut parts = vec![format!("{}{left}", clean(&request.state))];
    let mut approved: Vec<_> =
        request.stages.iter().flat_map(|stage| &stage.counted).map(|who| clean(who)).collect();
    approved.sort();
    approved.dedup();
    if !approved.is_empty() {
        parts.push(format!("approved by {}", approved.join(", ")));
    }
    let open = request.stages.iter().filter(|stage| stage.open);
    parts.extend(open.filter_map(awaited));
    parts.join("; ")
}

fn time_left(request: &Request, now: Timestamp) -> Option<String> {
    let expires_at: Timestamp = request.expires_at.as_ref()?.parse().ok()?;
    Some(clock::in_words(now.until(expires_at)))
}

fn awaited(stage: &StageStatus) -> Option<String> {
    let counted = u32::try_from(stage.counted.len()).unwrap_or(u32::MAX);
    let missing = stage.approvals.checked_sub(counted).filter(|missing| *missing > 0)?;
    let named: Vec<_> = stage.awaited.iter().take(NAMED).map(|who| clean(who)).collect();
    let more = stage.awaited.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} others") } else { String::new() };
    if let Some(to) = &stage.elsewhere {
        let place = to.url.as_ref().unwrap_or(&to.issuer);
        return Some(format!("awaiting {missing} of {} ({})", clean(&to.authority), clean(place)));
    }
    let from: Vec<_> = stage.from.iter().map(|who| clean(who)).collect();
    let who = match named.is_empty() {
        true => "nobody can give it now".to_owned(),
        false => format!("{}{more}", named.join(", ")),
    };
    Some(format!("awaiting {missing} of {} ({who})", from.join(" or ")))
}

/// How it stands, once it is decided, and what became of its credentials.
pub(crate) fn ending(request: &Request) -> String {
    let mut parts = vec![verdict(request)];
    if !request.approved_by.is_empty() {
        let who: Vec<_> = request.approved_by.iter().map(|who| clean(who)).collect();
        parts.push(format!("approved by {}", who.join(", ")));
    }
    let credentials = request.credentials.iter();
    parts.extend(credentials.map(|one| format!("{} {}", clean(&one.id), clean(&one.status))));
    parts.join("; ")
}

fn verdict(request: &Request) -> String {
    let head = format!("{} {}", clean(&request.id), clean(&request.state));
    // Of a grant that was used there is nothing to explain.
    let ending = request.ending.as_ref().filter(|_| request.state != "consumed");
    let Some(ending) = ending else { return head };
    let by = ending.by.as_ref().map(|by| format!(" by {}", clean(by))).unwrap_or_default();
    match ending.reason.is_empty() {
        true => format!("{head}{by}"),
        false => format!("{head}{by}: {}", clean(&ending.reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::request;

    #[test]
    fn progress_names_who_approved_and_who_is_awaited() {
        let now = "2026-11-20T21:45:30Z".parse().unwrap();
        let text = progress(&request("pending"), now);
        let wanted = "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z pending, 14m 30s left; approved by bob; \
                      awaiting 1 of group:release-managers (carol, dave)";
        assert_eq!(text, wanted);
    }

    #[test]
    fn an_ending_says_by_whom_and_why() {
        let mut request = request("denied");
        request.ending = serde_json::from_str(r#"{"at": "T", "by": "bob", "reason": "no"}"#).ok();
        assert_eq!(ending(&request), "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z denied by bob: no");
    }

    #[test]
    fn a_crowd_is_not_listed() {
        let mut request = request("pending");
        let crowd = (0..8).map(|n| format!("p{n}"));
        request.stages[0].awaited = crowd.collect();
        let now = "2026-11-20T21:45:30Z".parse().unwrap();
        assert!(situation(&request, now).ends_with("(p0, p1, p2, p3, p4 and 3 others)"));
    }
}
