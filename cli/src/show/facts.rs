//! A request as a list of what is known of it.

use assent_client::wire::{Afterwards, Request, Said, Source, Verdict};
use assent_core::time::Timestamp;

use crate::clock;
use crate::output::{Paint, clean, facts};
use crate::show::{asked, brokered, principal, said_as, target};

/// What the requester needs next.
pub(crate) fn brief(request: &Request, now: Timestamp, paint: Paint) -> String {
    let mut lines = vec![
        ("id", clean(&request.id)),
        ("state", paint.state(&clean(&request.state))),
        ("url", clean(&request.url)),
        (said_as(&request.ruling), asked(request)),
    ];
    if !request.afterwards.is_empty() {
        lines.push(("later review", afterwards(request, now)));
    }
    // Why policy refuses was said.
    let ending = request.ending.as_ref().filter(|_| request.ruling.outcome != Said::Refuse);
    if let Some(ending) = ending {
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
    put(said_as(&request.ruling), asked(request));
    put("policy", clean(&request.ruling.policy));
    put("filed", clean(&request.filed_at));
    put("expires", request.expires_at.as_deref().map(|at| due(at, now)).unwrap_or_default());
    put("stages", stages(request));
    put("reviews", reviews(&request.reviews));
    put("later review", afterwards(request, now));
    put("ended", ended(request));
    put("credentials", credentials(request));
    put("source", request.source.as_ref().map(source).unwrap_or_default());
    put("run", run(request));
    put("plan", plan_bytes(request, now));
    facts(&lines, paint)
}

/// Where a job of GitHub Actions comes from, with what there is to look at.
fn source(source: &Source) -> String {
    let said = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!("{name} {}", clean(value)))
    };
    let Source { commit_url, run_url, reference, workflow, event, actor, .. } = source;
    let more = [said("ref", reference), said("workflow", workflow), said("event", event)];
    let more: Vec<_> = more.into_iter().chain([said("by", actor)]).flatten().collect();
    let links = [clean(commit_url), clean(run_url), more.join(", ")];
    links.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// The run that the request belongs to.
fn run(request: &Request) -> String {
    let claims =
        request.run.iter().map(|(name, value)| format!("{} {}", clean(name), clean(value)));
    claims.collect::<Vec<_>>().join(", ")
}

fn plan_bytes(request: &Request, now: Timestamp) -> String {
    let Some(plan) = &request.plan_bytes else { return String::new() };
    let fetched = plan.fetched_at.as_ref().map(|at| format!(", fetched at {}", clean(at)));
    let until = match plan.status.as_str() {
        "kept" => format!("kept until {}", due(&plan.until, now)),
        other => clean(other),
    };
    format!("{} bytes {until}{}", plan.size, fetched.unwrap_or_default())
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

/// What must be looked at after the grant: from whom, until when, and whether it was.
fn afterwards(request: &Request, now: Timestamp) -> String {
    let line = |after: &Afterwards| {
        let (approvals, by) = (after.approvals, names(&after.by));
        let is_late = after.due.parse().is_ok_and(|due: Timestamp| due <= now);
        let status = match after.status.as_str() {
            "open" if is_late => "overdue".to_owned(),
            "missed" => "overdue".to_owned(),
            other => clean(other),
        };
        let rule = clean(&after.rule);
        let due = due(&after.due, now);
        let mut text = format!("{status}: {approvals} of {by}, due {due} ({rule})");
        if !after.reviews.is_empty() {
            text.push('\n');
            text.push_str(&reviews(&after.reviews));
        }
        text
    };
    request.afterwards.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn reviews(reviews: &[assent_client::wire::Review]) -> String {
    let line = |review: &assent_client::wire::Review| {
        let verdict = match review.verdict {
            Verdict::Approve => "approved",
            Verdict::Deny => "denied",
        };
        let comment = match review.comment.is_empty() {
            true => String::new(),
            false => format!(": {}", clean(&review.comment)),
        };
        let signed =
            review.passkey.as_ref().map(|passkey| format!(", signed with {}", clean(passkey)));
        let (who, at) = (clean(&review.reviewer), clean(&review.at));
        format!("{who} {verdict} at {at}{}{comment}", signed.unwrap_or_default())
    };
    reviews.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn ended(request: &Request) -> String {
    let Some(ending) = &request.ending else { return String::new() };
    let by = ending.by.as_ref().map(|by| format!(" by {}", clean(by))).unwrap_or_default();
    format!("{}{by}: {}", clean(&ending.at), clean(&ending.reason))
}

fn credentials(request: &Request) -> String {
    let line = |credential: &assent_client::wire::CredentialStatus| {
        let opened = credential.brokered.as_ref().map(|opened| format!("; {}", brokered(opened)));
        format!(
            "{} {} for {} until {}{}",
            clean(&credential.id),
            clean(&credential.status),
            clean(&credential.audience),
            clean(&credential.expires_at),
            opened.unwrap_or_default()
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

    fn now() -> Timestamp {
        "2026-11-20T21:30:00Z".parse().unwrap()
    }

    #[test]
    fn a_later_review_is_told_with_its_end() {
        let mut request = request("approved");
        let later = |status: &str, reviews: serde_json::Value| {
            let due = "2026-11-20T22:00:00.000Z";
            let by = ["group:security"];
            let all = serde_json::json!([{
                "rule": "glass", "approvals": 1, "by": by, "due": due, "status": status,
                "reviews": reviews,
            }]);
            serde_json::from_value::<Vec<Afterwards>>(all).unwrap()
        };
        let none = serde_json::json!([]);
        let told = |request: &Request, now| {
            let texts =
                [brief(request, now, Paint::new(false)), full(request, now, Paint::new(false))];
            let line = |text: &String| {
                let at = text.lines().position(|line| line.starts_with("later review")).unwrap();
                text.lines().skip(at).take(2).map(str::trim).collect::<Vec<_>>().join("|")
            };
            assert!(line(&texts[1]).starts_with(line(&texts[0]).split('|').next().unwrap()));
            line(&texts[1])
        };
        request.afterwards = later("open", none.clone());
        let open = told(&request, now());
        assert!(
            open.contains(
                "open: 1 of group:security, due 2026-11-20T22:00:00.000Z (in 30m 00s) (glass)"
            ),
            "{open}"
        );
        let late = told(&request, "2026-11-20T22:00:00Z".parse().unwrap());
        assert!(late.contains("overdue: 1 of group:security"), "{late}");
        request.afterwards = later("missed", none);
        assert!(told(&request, now()).contains("overdue: 1 of group:security"));
        request.afterwards = later(
            "done",
            serde_json::json!([{
                "id": "rev_01JD5K3N7Q8R9S0T1V2W3X4Y5Z", "reviewer": "dora", "verdict": "approve",
                "comment": "fine", "at": "2026-11-20T21:20:00.000Z",
            }]),
        );
        let done = told(&request, now());
        assert!(done.contains("done: 1 of group:security"), "{done}");
        assert!(done.contains("|dora approved at"), "{done}");
    }

    #[test]
    fn a_refusal_asks_nobody() {
        let mut request = request("denied");
        request.ruling.outcome = Said::Refuse;
        request.ruling.stages.clear();
        let reason = r#"[{"rule": "frozen", "message": "no changes now"}]"#;
        request.ruling.reasons = serde_json::from_str(reason).unwrap();
        request.ending = serde_json::from_str(r#"{"at": "T", "reason": "no changes now"}"#).ok();
        let text = brief(&request, now(), Paint::new(false));
        assert!(text.ends_with("refused  no changes now (frozen)"), "{text}");
    }

    #[test]
    fn what_a_broker_opened_is_told_with_its_credential() {
        let mut request = request("consumed");
        let all = serde_json::json!([{
            "id": "crd_1", "status": "revoked", "audience": "orders", "at": "S", "expires_at": "T",
            "brokered": {"broker": "orders-db", "status": "closing", "problem": "it is away"},
        }]);
        request.credentials = serde_json::from_value(all).unwrap();
        let text = full(&request, now(), Paint::new(false));
        let wanted = "crd_1 revoked for orders until T; orders-db: closing: it is away";
        assert!(text.contains(wanted), "{text}");
    }

    #[test]
    fn the_brief_form_is_what_the_requester_needs() {
        let text = brief(&request("pending"), now(), Paint::new(false));
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
