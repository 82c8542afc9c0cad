//! A request as a list of what is known of it.

use assent_client::wire::{Request, Verdict};
use assent_core::time::Timestamp;

use crate::clock;
use crate::output::{Paint, clean, facts};
use crate::show::{asked, principal, target};

/// What the requester needs next.
pub(crate) fn brief(request: &Request, paint: Paint) -> String {
    let mut lines = vec![
        ("id", clean(&request.id)),
        ("state", paint.state(&clean(&request.state))),
        ("url", clean(&request.url)),
        ("asks", asked(request)),
    ];
    if let Some(ending) = &request.ending {
        lines.push(("because", clean(&ending.reason)));
    }
    facts(&lines, paint)
}

/// Everything.
pub(crate) fn full(request: &Request, now: Timestamp, paint: Paint) -> String {
    let intent = &request.intent;
    let mut lines = vec![
        ("id", clean(&request.id)),
        ("state", paint.state(&clean(&request.state))),
        ("url", clean(&request.url)),
        ("requester", principal(&request.requester.iss, &request.requester.sub)),
        ("kind", clean(&intent.kind)),
        ("environment", clean(&intent.environment)),
    ];
    let mut put = |name, value: String| {
        if !value.is_empty() {
            lines.push((name, value));
        }
    };
    put("target", target(request));
    put("thing", intent.digest.as_deref().map(clean).unwrap_or_default());
    put("context", context(request));
    put("reason", clean(&intent.reason));
    put("duration", intent.duration.as_deref().map(clean).unwrap_or_default());
    put("digest", clean(&request.digest));
    put("asks", asked(request));
    put("policy", clean(&request.ruling.policy));
    put("filed", clean(&request.filed_at));
    put("expires", request.expires_at.as_deref().map(|at| due(at, now)).unwrap_or_default());
    put("stages", stages(request));
    put("reviews", reviews(request));
    put("ended", ended(request));
    put("credentials", credentials(request));
    facts(&lines, paint)
}

fn context(request: &Request) -> String {
    match request.intent.context.is_empty() {
        true => String::new(),
        false => clean(&serde_json::to_string(&request.intent.context).unwrap_or_default()),
    }
}

/// A time and how far it is away.
fn due(at: &str, now: Timestamp) -> String {
    match at.parse::<Timestamp>() {
        Ok(when) if when > now => format!("{at} (in {})", clock::in_words(now.until(when))),
        Ok(_) | Err(_) => clean(at),
    }
}

fn stages(request: &Request) -> String {
    let line = |stage: &assent_client::wire::StageStatus| {
        let mut text = format!(
            "{}: {} of {} from {}",
            clean(&stage.name),
            stage.counted.len(),
            stage.approvals,
            names(&stage.from)
        );
        if !stage.counted.is_empty() {
            text.push_str(&format!("; counted {}", names(&stage.counted)));
        }
        if !stage.awaited.is_empty() && stage.open {
            text.push_str(&format!("; awaited {}", names(&stage.awaited)));
        }
        text
    };
    request.stages.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn reviews(request: &Request) -> String {
    let line = |review: &assent_client::wire::Review| {
        let verdict = match review.verdict {
            Verdict::Approve => "approved",
            Verdict::Deny => "denied",
        };
        let comment = match review.comment.is_empty() {
            true => String::new(),
            false => format!(": {}", clean(&review.comment)),
        };
        format!("{} {verdict} at {}{comment}", clean(&review.reviewer), clean(&review.at))
    };
    request.reviews.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn ended(request: &Request) -> String {
    let Some(ending) = &request.ending else { return String::new() };
    let by = ending.by.as_ref().map(|by| format!(" by {}", clean(by))).unwrap_or_default();
    format!("{}{by}: {}", clean(&ending.at), clean(&ending.reason))
}

fn credentials(request: &Request) -> String {
    let line = |credential: &assent_client::wire::CredentialStatus| {
        format!(
            "{} {} for {} until {}",
            clean(&credential.id),
            clean(&credential.status),
            clean(&credential.audience),
            clean(&credential.expires_at)
        )
    };
    request.credentials.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn names(names: &[String]) -> String {
    names.iter().map(|name| clean(name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::tests::request;

    #[test]
    fn the_brief_form_is_what_the_requester_needs() {
        let text = brief(&request("pending"), Paint::new(false));
        let wanted = "\
id     req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z
state  pending
url    http://127.0.0.1:8420/requests/req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z
asks   2 of group:release-managers; the requester does not count";
        assert_eq!(text, wanted);
    }

    #[test]
    fn the_full_form_says_how_far_it_is() {
        let now = "2026-11-20T21:30:00Z".parse().unwrap();
        let text = full(&request("pending"), now, Paint::new(false));
        assert!(text.contains("(in 30m 00s)"), "{text}");
        assert!(text.contains("production/1: 1 of 2 from group:release-managers"), "{text}");
        assert!(text.contains("counted bob; awaited carol, dave"), "{text}");
        assert!(text.contains("bob approved at 2026-11-20T21:01:00.000Z: fine"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
