//! The life of a request, one line to each thing that happened.

use std::collections::BTreeSet;

use assent_core::membership::Approver;
use assent_core::principal::PrincipalId;
use assent_core::request::{AbroadFact, Denial, Event, Fact, Verdict};

use crate::web::people::{self, Name};
use crate::web::text::plain;
use crate::web::when;

/// One thing that happened.
pub(super) struct Moment {
    pub(super) at: String,
    /// Who did it, where the line does not say that itself.
    pub(super) who: Option<Name>,
    pub(super) what: String,
    /// In the words of whoever did it.
    pub(super) said: Option<String>,
    pub(super) class: &'static str,
}

/// What people are called.
type Named<'a> = &'a dyn Fn(&PrincipalId) -> Name;

/// What happened, in order.
pub(super) fn of(events: &[Event], named: Named<'_>) -> Vec<Moment> {
    let told = events.iter().filter(|event| {
        // The review that denies says it; that the request is denied then is the same again.
        !matches!(&event.fact, Fact::Denied(Denial::Reviewed { .. }))
    });
    told.map(|event| Moment::of(event, named)).collect()
}

impl Moment {
    fn of(event: &Event, named: Named<'_>) -> Self {
        let (what, class) = what(&event.fact, named);
        // What begins with a verb is somebody's deed; what is a sentence of its own is not.
        let is_deed = what.starts_with(char::is_lowercase);
        let server = || Name::plainly("Assent");
        Self {
            at: when::clock(event.at),
            who: is_deed.then(|| event.by.as_ref().map_or_else(server, named)),
            what,
            said: said(&event.fact).map(plain).filter(|said| !said.is_empty()),
            class,
        }
    }
}

fn said(fact: &Fact) -> Option<&str> {
    match fact {
        Fact::Filed { intent, .. } => Some(intent.reason()),
        Fact::Reviewed(review) | Fact::PostReviewed(review) => Some(&review.comment),
        Fact::Denied(Denial::Elsewhere { reason, .. })
        | Fact::Canceled { reason }
        | Fact::Revoked { reason } => Some(reason),
        Fact::Withdrawn { reason, .. } => Some(reason),
        Fact::BrokerStuck { problem, .. } => Some(problem),
        Fact::Denied(Denial::Refused(_) | Denial::Reviewed { .. })
        | Fact::Approved { .. }
        | Fact::Advanced { .. }
        | Fact::Escalated { .. }
        | Fact::Reminded { .. }
        | Fact::Abroad { .. }
        | Fact::Expired { .. }
        | Fact::RequesterLost { .. }
        | Fact::Consumed { .. }
        | Fact::Minted { .. }
        | Fact::Redeemed { .. }
        | Fact::Abandoned { .. }
        | Fact::CredentialRevoked { .. }
        | Fact::HeartbeatLost { .. }
        | Fact::BrokerClosed { .. }
        | Fact::BrokerOutlives { .. }
        | Fact::PlanKept { .. }
        | Fact::PlanFetched { .. }
        | Fact::PlanRemoved { .. }
        | Fact::Completed
        | Fact::Stopped { .. }
        | Fact::PostReviewDone { .. }
        | Fact::PostReviewMissed { .. } => None,
    }
}

fn what(fact: &Fact, named: Named<'_>) -> (String, &'static str) {
    let plainly = |text: &str| (text.to_owned(), "plain");
    match fact {
        Fact::Filed { .. } => plainly("asked"),
        Fact::Reviewed(review) => {
            let for_others = in_place_of(&review.stands_in_for, named);
            match review.verdict {
                Verdict::Approve => (format!("approved{for_others}"), "yes"),
                Verdict::Deny => (format!("denied{for_others}"), "no"),
            }
        }
        Fact::Withdrawn { .. } => plainly("withdrew their review"),
        Fact::Approved { counted, consume_by, uses } => {
            let by = if counted.is_empty() { "Permitted by policy" } else { "Approved" };
            let times = if *uses == 1 { "once".to_owned() } else { format!("{uses} times") };
            (format!("{by}: to be used {times}, by {}", when::clock(*consume_by)), "yes")
        }
        Fact::Advanced { filled, opened } => {
            let filled = list("filled", filled);
            let opened = list("asked from now on", opened);
            (
                [
                    "Stages ",
                    &filled,
                    if filled.is_empty() || opened.is_empty() { "" } else { "; " },
                    &opened,
                ]
                .concat(),
                "plain",
            )
        }
        Fact::Escalated { stage, to } => {
            let name = |to: &Approver| match to {
                Approver::Group(group) => group.clone(),
                Approver::Person(person) => named(person).short,
            };
            let to: Vec<_> = to.iter().map(name).collect();
            (format!("Stage {stage} stayed open: {} are asked too", to.join(", ")), "plain")
        }
        Fact::Reminded { stages } => {
            (format!("Those who are asked were told again: {}", stages.join(", ")), "plain")
        }
        Fact::Abroad { stage, what } => (abroad(stage, what), "plain"),
        Fact::Denied(denial) => (denied(denial, named), "no"),
        Fact::Expired { deadline } => {
            (format!("Its time was up at {}", when::clock(*deadline)), "no")
        }
        Fact::Canceled { .. } => ("canceled it".to_owned(), "no"),
        Fact::RequesterLost { last, .. } => {
            (format!("Whoever waited for it was last heard of at {}", when::clock(*last)), "no")
        }
        Fact::Consumed { credential, audience, expires_at, broker, .. } => {
            let broker = broker.as_ref().map(|name| format!(", opened by {}", plain(name)));
            let text = format!(
                "used it: credential {credential} for {}{}, until {}",
                plain(audience),
                broker.unwrap_or_default(),
                when::clock(*expires_at)
            );
            (text, "plain")
        }
        Fact::Minted { credential, .. } => (format!("Credential {credential} was made"), "plain"),
        Fact::Redeemed { credential } => (format!("Credential {credential} was spent"), "plain"),
        Fact::Abandoned { credential } => {
            (format!("Credential {credential} was never handed out"), "no")
        }
        Fact::CredentialRevoked { credential } => {
            (format!("Credential {credential} was taken back"), "no")
        }
        Fact::HeartbeatLost { credential, last, .. } => (
            format!("The holder of {credential} was last heard of at {}", when::clock(*last)),
            "no",
        ),
        Fact::BrokerClosed { credential } => {
            (format!("What was opened for {credential} is closed"), "plain")
        }
        Fact::BrokerOutlives { credential, until } => {
            let until = when::clock(*until);
            (
                format!(
                    "What was opened for {credential} works on until {until}: nobody can take it back"
                ),
                "no",
            )
        }
        Fact::BrokerStuck { credential, .. } => {
            (format!("What was opened for {credential} could not be closed at once"), "no")
        }
        Fact::PlanKept { size, .. } => {
            (format!("The exact plan is kept, sealed: {size} bytes"), "plain")
        }
        Fact::PlanFetched { .. } => plainly("was given the exact plan"),
        Fact::PlanRemoved { .. } => plainly("The exact plan is not kept any more"),
        Fact::Completed => plainly("said that it is done; every credential ended"),
        Fact::Revoked { .. } => ("took it back; every credential ended".to_owned(), "no"),
        Fact::Stopped { about, concern, .. } => {
            (plain(&format!("Stopped by a signal: {about} is {}", concern.word())), "no")
        }
        Fact::PostReviewed(review) => match review.verdict {
            Verdict::Approve => ("looked at it afterwards and approved".to_owned(), "yes"),
            Verdict::Deny => ("looked at it afterwards and objected".to_owned(), "no"),
        },
        Fact::PostReviewDone { rule } => {
            (format!("The later review by rule {rule} is done"), "yes")
        }
        Fact::PostReviewMissed { rule, suspended } => {
            let closed = suspended
                .as_ref()
                .map(|rule| format!("; rule {rule} does not match until it is done"));
            (
                format!("The later review by rule {rule} was missed{}", closed.unwrap_or_default()),
                "no",
            )
        }
    }
}

fn in_place_of(people: &BTreeSet<PrincipalId>, named: Named<'_>) -> String {
    let names: Vec<_> = people.iter().map(named).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(", in the place of {}", people::row(&names, 3))
    }
}

fn list(what: &str, stages: &[String]) -> String {
    if stages.is_empty() { String::new() } else { format!("{what}: {}", stages.join(", ")) }
}

fn denied(denial: &Denial, named: Named<'_>) -> String {
    match denial {
        Denial::Refused(reasons) => {
            let reasons = reasons
                .iter()
                .map(|reason| format!("{} ({})", plain(&reason.message), reason.rule));
            format!("Refused by policy: {}", reasons.collect::<Vec<_>>().join("; "))
        }
        Denial::Reviewed { by, .. } => format!("Denied by {}", named(by).short),
        Denial::Elsewhere { authority, .. } => format!("Denied by {}", plain(authority)),
    }
}

fn abroad(stage: &str, fact: &AbroadFact) -> String {
    match fact {
        AbroadFact::Asked { .. } => format!("Stage {stage}: the other organisation was asked"),
        AbroadFact::Endorsed { .. } => format!("Stage {stage}: its people approved"),
        AbroadFact::Withdrawn { .. } => {
            format!("Stage {stage}: what its people approved was taken back")
        }
        AbroadFact::Told => format!("Stage {stage}: the other organisation was told how it ended"),
    }
}

#[cfg(test)]
mod tests {
    use assent_core::id::{CredentialId, RequestId};
    use assent_core::time::Timestamp;

    use super::*;

    fn told(by: Option<&str>, fact: Fact) -> String {
        let at = Timestamp::from_millis(0);
        let by = by.map(|name| PrincipalId::local(name).unwrap());
        let event = Event { request: RequestId::from_bytes([0; 16]), at, by, fact };
        let moments = of(&[event], &Name::of);
        let [moment] = moments.as_slice() else { panic!("{}", moments.len()) };
        let who = moment.who.as_ref().map(|who| format!("{} ", who.short)).unwrap_or_default();
        format!("{who}{}", moment.what)
    }

    #[test]
    fn a_deed_is_somebodys_and_a_sentence_stands_by_itself() {
        let revoked = || Fact::Revoked { reason: String::new() };
        assert_eq!(told(Some("bob"), revoked()), "bob took it back; every credential ended");
        assert_eq!(told(None, revoked()), "Assent took it back; every credential ended");
        let credential = CredentialId::from_bytes([0; 16]);
        let redeemed = told(Some("db"), Fact::Redeemed { credential });
        assert_eq!(redeemed, format!("Credential {credential} was spent"));
    }
}
