//! An entry of the audit log in one line.

use assent_client::wire::{Entry, event_from_json};
use assent_core::request::{AbroadFact, Denial, Event, Fact, Recall, Verdict};
use serde_json::Value;

use crate::output::clean;

/// What happened, to what, when and by whom.
pub(crate) fn line(entry: &Entry) -> String {
    match event_from_json(&entry.event) {
        Ok(event) => of_request(&event),
        Err(_) => of_server(&entry.event),
    }
}

fn of_request(event: &Event) -> String {
    let by = event.by.as_ref().map(|by| format!(" by {}", clean(&by.to_string())));
    let by = by.unwrap_or_default();
    let (word, more) = fact(&event.fact);
    let more = if more.is_empty() { more } else { format!(": {}", clean(&more)) };
    format!("{} {} {word}{by}{more}", event.at, event.request)
}

fn fact(fact: &Fact) -> (&'static str, String) {
    match fact {
        Fact::Filed { intent, .. } => {
            ("filed", format!("{} in {}: {}", intent.kind(), intent.environment(), intent.reason()))
        }
        Fact::Reviewed(review) => match review.verdict {
            Verdict::Approve => ("approving review", review.comment.clone()),
            Verdict::Deny => ("denying review", review.comment.clone()),
        },
        Fact::PostReviewed(review) => match review.verdict {
            Verdict::Approve => ("approving later review", review.comment.clone()),
            Verdict::Deny => ("objecting later review", review.comment.clone()),
        },
        Fact::PostReviewDone { rule } => ("later review done", rule.clone()),
        Fact::PostReviewMissed { rule, suspended: None } => ("later review missed", rule.clone()),
        Fact::PostReviewMissed { rule, suspended: Some(suspended) } => {
            ("later review missed", format!("{rule}; {suspended} is suspended"))
        }
        Fact::Advanced { filled, opened } => match opened.as_slice() {
            [] => ("stage filled", filled.join(", ")),
            opened => ("stage opened", opened.join(", ")),
        },
        Fact::Escalated { stage, to } => {
            let to: Vec<_> = to.iter().map(ToString::to_string).collect();
            ("escalated", format!("{stage} to {}", to.join(", ")))
        }
        Fact::Reminded { stages } => ("reminded", stages.join(", ")),
        Fact::Approved { consume_by, .. } => ("approved", format!("to be used by {consume_by}")),
        Fact::Denied(Denial::Refused(reasons)) => {
            let reasons: Vec<_> =
                reasons.iter().map(|r| format!("{} ({})", r.message, r.rule)).collect();
            ("refused by policy", reasons.join("; "))
        }
        Fact::Denied(Denial::Elsewhere { authority, request, reason, .. }) => {
            ("denied elsewhere", format!("{request} at {authority}: {reason}"))
        }
        Fact::Abroad { stage, what } => match what {
            AbroadFact::Asked { authority, request, .. } => {
                ("asked elsewhere", format!("{stage} of {authority}: {request} there"))
            }
            AbroadFact::Endorsed { endorsement, .. } => {
                let people: Vec<_> =
                    endorsement.approved_by.iter().map(ToString::to_string).collect();
                ("endorsed", format!("{stage} by {}", people.join(", ")))
            }
            AbroadFact::Withdrawn { reason } => {
                ("endorsed no longer", format!("{stage}: {reason}"))
            }
            AbroadFact::Told => ("told elsewhere", stage.clone()),
        },
        Fact::Denied(Denial::Reviewed { comment, .. }) => ("denied", comment.clone()),
        Fact::Expired { deadline } => ("expired", format!("its time was up at {deadline}")),
        Fact::Canceled { reason } => ("canceled", reason.clone()),
        Fact::Consumed {
            credential,
            audience,
            expires_at,
            broker,
            recall,
            heartbeat,
            confirmation,
        } => {
            let mut used = format!("{credential} for {audience} until {expires_at}");
            let opens = broker.as_ref().map(|broker| format!(", {broker} opens"));
            used.push_str(&opens.unwrap_or_default());
            if *recall == Recall::OnlyExpires {
                used.push_str(" what cannot be taken back");
            }
            let silent =
                heartbeat.map(|silent| format!(", its holder silent for {silent} at most"));
            used.push_str(&silent.unwrap_or_default());
            let bound = confirmation.map(|key| format!(", bound to the key {key}"));
            used.push_str(&bound.unwrap_or_default());
            ("grant used", used)
        }
        Fact::Minted { credential, .. } => ("minted", credential.to_string()),
        Fact::Redeemed { credential } => ("redeemed", credential.to_string()),
        Fact::Abandoned { credential } => ("never minted", credential.to_string()),
        Fact::CredentialRevoked { credential } => ("credential revoked", credential.to_string()),
        Fact::HeartbeatLost { credential, last, due } => {
            ("heartbeat lost", format!("{credential}: last at {last}, due {due}"))
        }
        Fact::BrokerOutlives { credential, until } => {
            ("not to be taken back", format!("{credential}: what is open works until {until}"))
        }
        Fact::BrokerClosed { credential } => ("broker closed", credential.to_string()),
        Fact::BrokerStuck { credential, problem } => {
            ("broker stuck", format!("{credential}: {problem}"))
        }
        Fact::PlanKept { size, until, .. } => ("plan kept", format!("{size} bytes until {until}")),
        Fact::PlanFetched { .. } => ("plan fetched", String::new()),
        Fact::PlanRemoved { .. } => ("plan removed", String::new()),
        Fact::Completed => ("completed", String::new()),
        Fact::Revoked { reason } => ("revoked", reason.clone()),
        Fact::Stopped { signal, about, concern } => {
            ("stopped", format!("{about} is {}, by {signal}", concern.word()))
        }
    }
}

/// An event of the server itself, by the fields that every event has.
fn of_server(event: &Value) -> String {
    let text = |name| event.get(name).and_then(Value::as_str).map(clean);
    let by = event.pointer("/by/sub").and_then(Value::as_str);
    let by = by.map(|by| format!(" by {}", clean(by))).unwrap_or_default();
    let at = text("at").unwrap_or_else(|| "at no stated time".to_owned());
    let what = text("type").unwrap_or_else(|| "an event of no stated type".to_owned());
    if let (Some(request), Some(attempt)) = (text("refused"), text("attempt")) {
        let code = text("code").unwrap_or_default();
        return format!("{at} {request} {attempt} refused{by}: {code}");
    }
    match text("request") {
        Some(request) => format!("{at} {request} {what}{by}"),
        None => format!("{at} {what}{by}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_event_is_one_line() {
        let event = json!({
            "v": 1,
            "request": "req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z",
            "at": "2026-11-20T21:00:00.000Z",
            "by": {"iss": "assent:local", "sub": "alice"},
            "type": "canceled",
            "reason": "not\nneeded",
        });
        let wanted = "2026-11-20T21:00:00.000Z req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z canceled by alice: \
                      not needed";
        assert_eq!(line(&Entry { index: 0, event }), wanted);
    }

    #[test]
    fn what_was_refused_says_of_which_request_and_why() {
        let event = json!({
            "at": "T", "type": "refused", "by": {"iss": "i", "sub": "ci"},
            "refused": "req_1", "attempt": "mint", "code": "other_run", "reason": "…",
        });
        let told = line(&Entry { index: 0, event });
        assert_eq!(told, "T req_1 mint refused by ci: other_run");
    }

    #[test]
    fn an_event_of_the_server_is_told_too() {
        let event = json!({"at": "T", "type": "token_created", "by": {"iss": "i", "sub": "root"}});
        assert_eq!(line(&Entry { index: 0, event }), "T token_created by root");
    }
}
