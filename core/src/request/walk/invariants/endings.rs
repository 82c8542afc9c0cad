//! How a request ends, by whom and when, and that its history is whole.

use super::*;

pub(super) fn invariant_ends_never_change(history: &History<'_>) -> Kept {
    let granted = history.approval().map_or(u32::MAX, |(_, _, uses, _)| uses) as usize;
    let mut over: Option<&'static str> = None;
    let mut used = 0;
    for event in history.events {
        let word = fact_word(&event.fact);
        let (moves, ends) = match &event.fact {
            Fact::Filed { .. }
            | Fact::Reviewed(_)
            | Fact::Withdrawn { .. }
            | Fact::Approved { .. }
            | Fact::Advanced { .. }
            | Fact::Escalated { .. }
            | Fact::Reminded { .. }
            | Fact::PlanKept { .. }
            | Fact::PlanFetched { .. } => (true, false),
            Fact::Abroad { what, .. } => {
                let asks = matches!(what, AbroadFact::Asked { .. } | AbroadFact::Endorsed { .. });
                (asks, false)
            }
            Fact::Denied(_)
            | Fact::Expired { .. }
            | Fact::Canceled { .. }
            | Fact::RequesterLost { .. } => (true, true),
            Fact::Consumed { .. } => {
                used += 1;
                (true, used == granted)
            }
            Fact::Completed | Fact::Revoked { .. } => (false, true),
            // It ends what waits, and what was granted.
            Fact::Stopped { .. } => (history.approval().is_none(), true),
            Fact::Minted { .. }
            | Fact::Redeemed { .. }
            | Fact::Abandoned { .. }
            | Fact::CredentialRevoked { .. }
            | Fact::HeartbeatLost { .. }
            | Fact::BrokerClosed { .. }
            | Fact::BrokerOutlives { .. }
            | Fact::BrokerStuck { .. }
            | Fact::PostReviewed(_)
            | Fact::PostReviewDone { .. }
            | Fact::PostReviewMissed { .. }
            | Fact::PlanRemoved { .. } => (false, false),
        };
        keep!(!moves || over.is_none(), "{word} after {over:?}");
        let of_none = matches!(over, Some("denied" | "canceled")) || history.approval().is_none();
        keep!(!(ends && !moves && of_none), "{word} without a grant");
        over = over.or(ends.then_some(word));
    }
    keep!(
        over.is_none() == history.request.state().is_open(),
        "{over:?} is {}",
        history.request.state().word()
    );
    Ok(())
}

pub(super) fn invariant_who_ends_it_may(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        let by = event.by.as_ref();
        let requester = by == Some(&history.requester.id);
        match &event.fact {
            Fact::Filed { .. }
            | Fact::Completed
            | Fact::Minted { .. }
            | Fact::PlanKept { .. }
            | Fact::PlanFetched { .. } => {
                keep!(requester, "{} by {by:?}", fact_word(&event.fact));
            }
            Fact::Withdrawn { .. } => keep!(by.is_some(), "withdrawn by nobody"),
            Fact::Canceled { .. } => {
                let due = history.deadline_before(at);
                keep!(requester && event.at < due, "canceled by {by:?}, due {due}");
            }
            Fact::Revoked { .. } | Fact::CredentialRevoked { .. } => {
                let who = by.ok_or("revoked by nobody")?;
                let mut stages = history.stages().iter();
                let asked = stages.any(|stage| {
                    history.is_asked(at, stage, who) && !history.is_barred(at, stage, who)
                });
                let root = is_root(who) && matches!(event.fact, Fact::Revoked { .. });
                keep!(requester || asked || root, "revoked by {who}");
            }
            Fact::Redeemed { .. } => keep!(by.is_some(), "redeemed by nobody"),
            Fact::RequesterLost { .. }
            | Fact::Expired { .. }
            | Fact::Abandoned { .. }
            | Fact::HeartbeatLost { .. }
            | Fact::BrokerClosed { .. }
            | Fact::BrokerOutlives { .. }
            | Fact::BrokerStuck { .. }
            | Fact::Advanced { .. }
            | Fact::Escalated { .. }
            | Fact::Reminded { .. }
            | Fact::PostReviewDone { .. }
            | Fact::PostReviewMissed { .. }
            | Fact::PlanRemoved { .. }
            | Fact::Approved { .. }
            | Fact::Stopped { .. }
            | Fact::Denied(_) => {
                keep!(by.is_none(), "{} by {by:?}", fact_word(&event.fact));
            }
            Fact::Abroad { what: AbroadFact::Withdrawn { .. }, .. } => {
                keep!(by.is_some(), "withdrawn by nobody");
            }
            Fact::Abroad { .. } => keep!(by.is_none(), "{} by {by:?}", fact_word(&event.fact)),
            Fact::Reviewed(_) | Fact::PostReviewed(_) | Fact::Consumed { .. } => {}
        }
    }
    Ok(())
}

/// Only where the filing asks for signs of life, after the whole time that it names, and before
/// anybody or time has decided.
pub(super) fn invariant_a_requester_is_lost_by_silence_while_it_waits(
    history: &History<'_>,
) -> Kept {
    let filed = history.events.first().ok_or("no event")?;
    let Fact::Filed { heartbeat, .. } = &filed.fact else { return Err("not filed".to_owned()) };
    for event in history.events {
        let Fact::RequesterLost { last, due } = &event.fact else { continue };
        let every = heartbeat.ok_or("lost, but nobody listens")?;
        keep!(*last >= filed.at && *due >= last.plus(every), "{due} is too early after {last}");
        keep!(event.at >= *due, "lost at {}, but due {due}", event.at);
        keep!(event.at < history.deadline_before(history.events.len()), "lost when it had expired");
        let said = format!("its requester was not heard of for {every}");
        let State::Canceled(canceled) = history.request.state() else {
            return Err(format!("lost, and {}", history.request.state().word()));
        };
        keep!(canceled.by.is_none() && canceled.reason == said, "{canceled:?}");
    }
    Ok(())
}

/// What a signal stopped has to do with what the signal is about: it is theirs, or done in it, and
/// nobody wanted it kept; or they approved it, and what they approve is to end.
pub(super) fn invariant_what_is_stopped_a_signal_about_it_stopped(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        let Fact::Stopped { signal, about, concern, .. } = &event.fact else { continue };
        let told = history.signals.iter().find(|told| told.id == *signal).ok_or("never told")?;
        keep!((&told.about, told.says) == (about, Says::Is(*concern)), "another was told");
        let own = match about {
            Subject::Environment(name) => name == history.intent.environment(),
            Subject::Person(who) | Subject::Workload(who) => {
                history.requester.id == *who || history.requester.acts_for.contains(who)
            }
        };
        let approved = history
            .approvals_before(at)
            .iter()
            .any(|review| about.principal() == Some(&review.reviewer));
        let Reactions { pending, granted, approved: of_theirs } = told.reactions;
        let is_granted = history.approval().is_some_and(|(since, ..)| since < at);
        if is_granted {
            let revokes = (own && granted == OnGranted::Revoke)
                || (approved && of_theirs == OnGranted::Revoke);
            keep!(revokes, "nobody wanted it ended: {told:?}");
            let since = history.approval().map(|(since, ..)| history.events[since].at);
            let before = |(used_at, used, ..): &Use<'_>| *used_at < at && used.at <= told.at;
            let spent = history.uses().any(|used| before(&used));
            keep!(spent || since.is_some_and(|since| since <= told.at), "granted after it");
        } else {
            keep!(own && pending != OnPending::Keep, "it waits for people still: {told:?}");
            keep!(history.events[0].at <= told.at, "filed after it");
            keep!(event.at < history.deadline_before(at), "stopped when over");
        }
    }
    Ok(())
}

/// Whoever is suspended reviews nothing, and nothing is spent that somebody suspended is behind.
pub(super) fn invariant_nobody_suspended_acts_or_counts(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        let members = history.members[at];
        match &event.fact {
            Fact::Reviewed(review) | Fact::PostReviewed(review) => {
                keep!(!members.is_suspended(&review.reviewer), "{} is suspended", review.reviewer);
            }
            Fact::Consumed { .. } => {
                let behind = history.requester.behind();
                let suspended = behind.into_iter().find(|who| members.is_suspended(who));
                keep!(suspended.is_none(), "spent for {suspended:?}, who is suspended");
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn invariant_nothing_expires_before_its_deadline(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        let Fact::Expired { deadline } = &event.fact else { continue };
        let of_stages = history.deadline_before(at);
        let due = history.approval().map_or(of_stages, |(_, consume_by, ..)| consume_by);
        keep!(*deadline == due && event.at >= due, "expired at {}, due {due}", event.at);
        keep!(*deadline <= history.review_by.max(due), "expired beyond all deadlines");
    }
    if let State::Pending(_) = history.request.state() {
        let due = history.deadline_before(history.events.len());
        keep!(
            history.request.deadline() == Some(due),
            "{:?}, not {due}",
            history.request.deadline()
        );
        keep!(due <= history.review_by, "a stage made the request live longer");
    }
    Ok(())
}

pub(super) fn invariant_time_never_goes_back(history: &History<'_>) -> Kept {
    let back = history.events.windows(2).find(|pair| pair[1].at < pair[0].at);
    keep!(back.is_none(), "{back:?}");
    Ok(())
}

pub(super) fn invariant_replay_is_the_state(history: &History<'_>) -> Kept {
    let replayed = Request::replay(history.events).map_err(|error| error.to_string())?;
    keep!(replayed == *history.request, "replay: {replayed:?}\nstate: {:?}", history.request);
    let version = history.request.version().0;
    keep!(version == history.events.len() as u64, "version {version}");
    Ok(())
}
