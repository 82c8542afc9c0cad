//! What a notice says, before any way has its own form of it: one line texts that hide nothing. A
//! plan is told by counts and by what is risky in it, never by its contents.

use assent_core::notice::{Occasion, Told};
use assent_core::policy::situation::Known;
use assent_core::principal::PrincipalId;
use assent_core::request::{Denial, Request, State};
use serde_json::{Value, json};

use crate::ledger::outbox::Notice;
use crate::name::Name;
use crate::text::plain;
use crate::when;

/// How much of what somebody wrote is told; the page has all of it.
const LONGEST: usize = 300;

/// What people are called.
pub(crate) type Named<'a> = &'a (dyn Fn(&PrincipalId) -> Name + Sync);

/// What a notice says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// By what it is known again.
    pub(crate) id: String,
    /// The request.
    pub(crate) request: String,
    /// `Approval wanted`
    pub(crate) headline: String,
    /// What would be done, in one line.
    pub(crate) sentence: String,
    /// What else there is to know: a name and one line.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// Where to look at it and decide.
    pub(crate) link: String,
    /// The same for programs.
    pub(crate) event: Value,
}

impl Message {
    /// What this notice says of the request as it was then, to people who read of others by these names.
    pub(crate) fn of(notice: &Notice, request: &Request, base: &str, named: Named<'_>) -> Self {
        let link = format!("{base}/requests/{}", request.id());
        Self {
            id: notice.id.to_string(),
            request: request.id().to_string(),
            headline: headline(&notice.told, request).to_owned(),
            sentence: sentence(request),
            facts: facts(&notice.told, request, named),
            event: event(notice, request, &link),
            link,
        }
    }

    /// Headline and sentence: `Approval wanted: terraform.apply in production`.
    pub(crate) fn title(&self) -> String {
        format!("{}: {}", self.headline, self.sentence)
    }
}

/// What several messages are about, in one line.
pub(crate) fn title(messages: &[Message]) -> String {
    match messages {
        [one] => one.title(),
        several => format!("{} notices from Assent", several.len()),
    }
}

fn headline(told: &Told, request: &Request) -> &'static str {
    match told.occasion {
        Occasion::Filed => match request.state() {
            State::Denied(_) => "Refused by policy",
            State::Approved(_) | State::Consumed(_) => "Permitted by policy",
            State::Pending(_) | State::Expired(_) | State::Canceled(_) | State::Revoked(_) => {
                "Filed"
            }
        },
        Occasion::StageOpened => "Approval wanted",
        Occasion::Reminder => "Still waits for approval",
        Occasion::Escalation => "Approval wanted, escalated",
        Occasion::Granted => "Approved",
        Occasion::Denied if request.requirement().is_none() => "Refused by policy",
        Occasion::Denied => "Denied",
        Occasion::Expired => "Expired",
        Occasion::Ended => match request.state() {
            State::Canceled(_) => "Canceled",
            State::Pending(_)
            | State::Approved(_)
            | State::Denied(_)
            | State::Expired(_)
            | State::Consumed(_)
            | State::Revoked(_) => "Revoked",
        },
        Occasion::ReviewOverdue => "Later review overdue",
        Occasion::BreakGlass => "Break-glass: granted without asking",
    }
}

fn sentence(request: &Request) -> String {
    let intent = request.intent();
    let target: Vec<_> = intent.target().iter().map(|(k, v)| format!("{k} {v}")).collect();
    let on = if target.is_empty() { String::new() } else { format!(" on {}", target.join(", ")) };
    line(&format!("{} in {}{on}", intent.kind(), intent.environment()))
}

fn all<'p>(people: impl IntoIterator<Item = &'p PrincipalId>, named: Named<'_>) -> String {
    people.into_iter().map(|who| named(who).short).collect::<Vec<_>>().join(", ")
}

fn facts(told: &Told, request: &Request, named: Named<'_>) -> Vec<(&'static str, String)> {
    let requester = request.requester();
    let asks = named(&requester.id).short;
    let who = match requester.acts_for.is_empty() {
        true => asks,
        false => format!("{asks}, for {}", all(&requester.acts_for, named)),
    };
    let mut facts = vec![("Requested by", line(&who))];
    let reason = request.intent().reason();
    if !reason.is_empty() {
        facts.push(("Reason", line(reason)));
    }
    facts.extend(plan(request.known()).map(|plan| ("Plan", plan)));
    if told.occasion.asks() {
        facts.extend(request.deadline().map(|at| ("Decide by", when::clock(at))));
    }
    if told.occasion.decides() {
        facts.extend(outcome(request, named));
    }
    if let Some(rule) = &told.rule {
        facts.push(("Rule", line(rule)));
    }
    facts
}

/// By whom and why it was decided.
fn outcome(request: &Request, named: Named<'_>) -> Option<(&'static str, String)> {
    match request.state() {
        State::Approved(approved) if !approved.counted.is_empty() => {
            Some(("Approved by", line(&all(&approved.counted, named))))
        }
        State::Denied(denied) => match &denied.denial {
            Denial::Refused(reasons) => {
                let reasons: Vec<_> = reasons.iter().map(|r| r.message.as_str()).collect();
                Some(("Because", line(&reasons.join("; "))))
            }
            Denial::Reviewed { by, comment, .. } => {
                Some(("Denied by", line(&format!("{}: {comment}", named(by).short))))
            }
            Denial::Elsewhere { authority, reason, .. } => {
                Some(("Denied by", line(&format!("{authority}: {reason}"))))
            }
        },
        State::Canceled(canceled) => ended(canceled.by.as_ref(), &canceled.reason, named),
        State::Revoked(revoked) => ended(revoked.by.as_ref(), &revoked.reason, named),
        State::Pending(_) | State::Approved(_) | State::Expired(_) | State::Consumed(_) => None,
    }
}

fn ended(
    by: Option<&PrincipalId>,
    reason: &str,
    named: Named<'_>,
) -> Option<(&'static str, String)> {
    let by = by.map(|by| format!("{}: ", named(by).short)).unwrap_or_default();
    Some(("Ended by", line(&format!("{by}{reason}"))))
}

/// `1 to delete, 2 to update; touches who may do what`.
fn plan(known: &Known) -> Option<String> {
    let facts = &known.plan.as_ref()?.facts;
    let counts = [
        (facts.deletes, "to delete"),
        (facts.replaces, "to replace"),
        (facts.updates, "to update"),
        (facts.creates, "to create"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts.map(|(count, what)| format!("{count} {what}")).collect();
    let risks = [
        (facts.touches_iam == Some(true), "touches who may do what"),
        (facts.public_exposure == Some(true), "opens something to everybody"),
        (facts.provisioners == Some(true), "runs provisioners"),
        (facts.complete == Some(false), "is not complete"),
    ];
    let risks = risks.iter().filter(|(is_so, _)| *is_so).map(|(_, what)| (*what).to_owned());
    let counts = if counts.is_empty() { "no changes".to_owned() } else { counts.join(", ") };
    Some(std::iter::once(counts).chain(risks).collect::<Vec<_>>().join("; "))
}

fn event(notice: &Notice, request: &Request, link: &str) -> Value {
    let intent = request.intent();
    let plan = request.known().plan.as_ref().map(|plan| {
        json!({
            "creates": plan.facts.creates,
            "updates": plan.facts.updates,
            "deletes": plan.facts.deletes,
            "replaces": plan.facts.replaces,
            "touches_iam": plan.facts.touches_iam,
            "public_exposure": plan.facts.public_exposure,
        })
    });
    json!({
        "type": format!("request.{}", notice.told.occasion.word()),
        "timestamp": notice.told.at.to_string(),
        "data": {
            "notice": notice.id.to_string(),
            "request": request.id().to_string(),
            "version": request.version().0,
            "state": request.state().word(),
            "kind": intent.kind(),
            "environment": intent.environment(),
            "target": intent.target(),
            "reason": intent.reason(),
            "digest": request.digest().to_string(),
            "requester": request.requester().id.to_json(),
            "stages": notice.told.stages,
            "rule": notice.told.rule,
            "deadline": request.deadline().map(|at| at.to_string()),
            "plan": plan,
            "url": link,
        },
    })
}

/// What somebody wrote, in one line that hides nothing and is not too long.
fn line(text: &str) -> String {
    let one: String = text.chars().map(|c| if c == '\n' { ' ' } else { c }).collect();
    let shown = plain(&one);
    match shown.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", shown.get(..end).unwrap_or_default()),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t37_what_hides_is_written_out_in_one_short_line() {
        assert_eq!(line("pay\u{202e}dc\nnow"), "pay\\u{202e}dc now");
        assert_eq!(line(&"x".repeat(1000)).chars().count(), LONGEST + 1);
        assert_eq!(line("a\r\nBcc: b"), "a\\u{d} Bcc: b");
    }

    #[test]
    fn several_are_told_by_their_number() {
        let one = Message {
            id: "ntc_1".to_owned(),
            request: "req_1".to_owned(),
            headline: "Approved".to_owned(),
            sentence: "vm.stop in prod".to_owned(),
            facts: Vec::new(),
            link: "https://a/requests/req_1".to_owned(),
            event: Value::Null,
        };
        assert_eq!(title(std::slice::from_ref(&one)), "Approved: vm.stop in prod");
        assert_eq!(title(&[one.clone(), one]), "2 notices from Assent");
    }
}
