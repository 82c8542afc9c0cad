//! An entry of the audit log in one line.

use assent_client::wire::{Entry, event_from_json};
use assent_core::request::{AbroadFact, Denial, Event, Fact, Recall, Verdict};
use serde_json::Value;

use crate::output::clean;
use crate::show;

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
        Fact::Withdrawn { reason, .. } => ("review withdrawn", reason.clone()),
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
        Fact::RequesterLost { last, due } => {
            ("requester lost", format!("last heard of at {last}, due {due}"))
        }
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
        Fact::Stopped { signal, about, concern, accounts } => {
            let known_as = accounts.iter().map(|account| format!(" (known as {account})"));
            let known_as: String = known_as.collect();
            ("stopped", format!("{about}{known_as} is {}, by {signal}", concern.word()))
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
    let more = match what.as_str() {
        "signal_heard" => heard(event),
        "all_revoked" => ordered(event),
        "absence_begun" | "absence_ended" => away(event),
        "github_bypass" => bypassed(event),
        _ => Vec::new(),
    };
    let more = if more.is_empty() { String::new() } else { format!(": {}", more.join(", ")) };
    match text("request") {
        Some(request) => format!("{at} {request} {what}{by}{more}"),
        None => format!("{at} {what}{by}{more}"),
    }
}

/// Of whom or what a signal tells, what, whose word it is, and why.
fn heard(event: &Value) -> Vec<String> {
    let at = |path: &str| event.pointer(path).and_then(Value::as_str).map(clean);
    let person = |kind: &str| {
        let (iss, sub) = (format!("/signal/about/{kind}/iss"), format!("/signal/about/{kind}/sub"));
        let (iss, sub) = (event.pointer(&iss)?.as_str()?, event.pointer(&sub)?.as_str()?);
        Some(format!("{kind} {}", show::principal(iss, sub)))
    };
    let environment = || at("/signal/about/environment").map(|name| format!("environment {name}"));
    let about = person("person").or_else(|| person("workload")).or_else(environment);
    let state = at("/signal/state").map(|state| match state.as_str() {
        "clear" => "is clear".to_owned(),
        "incident" => "has an incident".to_owned(),
        state => format!("is {state}"),
    });
    let said = about.zip(state).map(|(about, state)| format!("{about} {state}"));
    let teller = at("/signal/teller").map(|teller| format!("says {teller}"));
    said.into_iter().chain(teller).chain(at("/signal/reason")).collect()
}

/// Who stands in for somebody who is away, and until when.
fn away(event: &Value) -> Vec<String> {
    let at = |path: &str| event.pointer(path).and_then(Value::as_str).map(clean);
    let name = |who: &str| {
        let (iss, sub) = (format!("/absence/{who}/iss"), format!("/absence/{who}/sub"));
        Some(show::principal(&at(&iss)?, &at(&sub)?))
    };
    let stands = name("to").zip(name("who")).map(|(to, who)| format!("{to} stands in for {who}"));
    let from = at("/absence/from").map(|from| format!("from {from}"));
    let until = at("/absence/until").map(|until| format!("until {until}"));
    stands.into_iter().chain(from).chain(until).collect()
}

/// Which request a run at GitHub passed, before which environment, and how that is known.
fn bypassed(event: &Value) -> Vec<String> {
    let text = |name| event.get(name).and_then(Value::as_str).map(clean);
    let request = text("bypassed").map(|request| format!("request {request}"));
    let environment = text("environment").map(|name| format!("environment {name}"));
    let run = text("run").map(|run| format!("run {run}"));
    request.into_iter().chain(environment).chain(run).chain(text("reason")).collect()
}

/// What an order to end everything was of, and why.
fn ordered(event: &Value) -> Vec<String> {
    let text = |name| event.get(name).and_then(Value::as_str).map(clean);
    let of = ["environment", "kind", "requester"];
    let mut said: Vec<_> =
        of.into_iter().filter_map(|name| Some(format!("{name} {}", text(name)?))).collect();
    if said.is_empty() {
        said.push("everything".to_owned());
    }
    said.into_iter().chain(text("reason")).collect()
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

    #[test]
    fn a_signal_and_an_order_say_of_whom_and_why() {
        let by = json!({"iss": "assent:local", "sub": "root"});
        let told = |event: Value| line(&Entry { index: 0, event });
        let signal = |about: Value, state: &str| {
            told(json!({
                "at": "T", "type": "signal_heard", "by": by,
                "signal": {"about": about, "state": state, "reason": "left\nthe company",
                    "teller": "administrator"},
            }))
        };
        let bob = json!({"person": {"iss": "assent:local", "sub": "bob"}});
        let wanted =
            "T signal_heard by root: person bob is suspended, says administrator, left the company";
        assert_eq!(signal(bob.clone(), "suspended"), wanted);
        assert!(signal(bob, "clear").contains(": person bob is clear, "));
        let ci = json!({"workload": {"iss": "https://ci.example", "sub": "repo:1"}});
        assert!(signal(ci, "flagged").contains("workload https://ci.example#repo:1 is flagged"));
        let production = json!({"environment": "production"});
        assert!(signal(production, "incident").contains("environment production has an incident"));
        let order = |environment: Value| {
            told(json!({
                "at": "T", "type": "all_revoked", "by": by, "environment": environment,
                "kind": null, "requester": null, "reason": "INC-1: key leaked",
            }))
        };
        let wanted = "T all_revoked by root: environment production, INC-1: key leaked";
        assert_eq!(order(json!("production")), wanted);
        assert_eq!(order(Value::Null), "T all_revoked by root: everything, INC-1: key leaked");
        let passed = told(json!({
            "at": "T", "type": "github_bypass", "by": {"iss": "https://github.com", "sub": "99"},
            "bypassed": "req_1", "environment": "production", "run": "7",
            "reason": "bypassed at GitHub by the account 99",
        }));
        let wanted = "T github_bypass by 99: request req_1, environment production, run 7, bypassed \
            at GitHub by the account 99";
        assert_eq!(passed, wanted);
    }
}
