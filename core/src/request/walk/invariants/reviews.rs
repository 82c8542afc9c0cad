//! Who reviews, withdraws and counts.

use super::*;

pub(super) fn invariant_nobody_is_counted_twice(history: &History<'_>) -> Kept {
    let mut seen = BTreeSet::new();
    let mut stood_in_for = BTreeSet::new();
    for event in history.events {
        match &event.fact {
            Fact::Reviewed(review) => {
                keep!(seen.insert(&review.reviewer), "{} reviewed twice", review.reviewer);
                for absent in &review.stands_in_for {
                    keep!(stood_in_for.insert(absent), "two stand in for {absent}");
                }
            }
            Fact::Withdrawn { review: id, .. } => {
                let mut all = history.reviews().filter(|(_, _, review)| review.id == *id);
                let mut own = all.by_ref().filter(|(.., r)| event.by.as_ref() == Some(&r.reviewer));
                let (_, _, review) = own.next().ok_or("withdrawn, but never given")?;
                seen.remove(&review.reviewer);
                stood_in_for.retain(|absent| !review.stands_in_for.contains(*absent));
            }
            _ => {}
        }
    }
    let mut counted = BTreeSet::new();
    let stages = history.approval().map_or(&[][..], |(_, _, _, stages)| stages);
    for person in stages.iter().flat_map(|(_, people)| people) {
        keep!(counted.insert(person), "{person} counts in two stages");
        keep!(seen.contains(person), "{person} counts without a review");
    }
    Ok(())
}

pub(super) fn invariant_nobody_behind_the_change_counts(history: &History<'_>) -> Kept {
    for (event, members) in history.events.iter().zip(&history.members) {
        let (Fact::Reviewed(review) | Fact::PostReviewed(review)) = &event.fact else { continue };
        let who = history.people.iter().find(|p| p.id == review.reviewer).unwrap();
        keep!(who.kind == PrincipalKind::Person, "{} is no person", who.id);
        keep!(who.id != history.requester.id, "{} asks", who.id);
        keep!(!history.requester.acts_for.contains(&who.id), "{} is behind it", who.id);
        let is_tied = is_tied(history.requester, &who.id, members);
        keep!(!is_tied, "{} is behind it by an account, or may be", who.id);
    }
    Ok(())
}

pub(super) fn invariant_reviews_are_in_time_on_the_right_digest(history: &History<'_>) -> Kept {
    for (at, event, review) in history.reviews() {
        let due = history.deadline_before(at);
        keep!(event.at < due, "reviewed at {}, due {due}", event.at);
        keep!(review.digest == history.intent.digest(), "on {}", review.digest);
        keep!(event.by.as_ref() == Some(&review.reviewer) && event.at == review.at, "not theirs");
    }
    Ok(())
}

pub(super) fn invariant_reviewers_were_asked(history: &History<'_>) -> Kept {
    for (at, _, review) in history.reviews() {
        let before = history.approvals_before(at);
        let stood = history.members[at].stands_in_for(&review.reviewer);
        keep!(review.stands_in_for.is_subset(&stood), "stands in for {:?}", review.stands_in_for);
        let asked = history.stages().iter().any(|stage| {
            !history.speaks_for(at, stage, review, &before).is_empty()
                && history.can_fill(at, &history.chain(stage), &before)
        });
        keep!(asked, "{} was not asked", review.reviewer);
    }
    Ok(())
}

/// Whoever withdraws has a review that stands, before anything is decided and in time; what waits
/// again was filled, and what closes was open and lacks one before it.
pub(super) fn invariant_a_withdrawal_is_of_ones_own_standing_review(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        let Fact::Withdrawn { review: id, reopened, closed, .. } = &event.fact else { continue };
        let theirs = history
            .approvals_before(at)
            .into_iter()
            .find(|review| review.id == *id && event.by.as_ref() == Some(&review.reviewer));
        keep!(theirs.is_some(), "{:?} has no review {id}", event.by);
        keep!(history.approval().is_none_or(|(since, ..)| since > at), "after the approval");
        let due = history.deadline_before(at);
        keep!(event.at < due, "withdrawn at {}, due {due}", event.at);
        let lived = history.lived_before(at);
        let approvals = history.approvals_before(at + 1);
        for name in reopened {
            keep!(lived[name.as_str()].filled.is_some(), "{name} was not filled");
        }
        for name in closed {
            keep!(lived[name.as_str()].opened.is_some(), "{name} was not open");
            let stage = history.stages().iter().find(|stage| stage.name == *name).unwrap();
            keep!(stage.after.is_some(), "{name} waits for nobody");
        }
        // What the others filled together without it stays so.
        let all: Vec<&Stage> = history.stages().iter().collect();
        let met = history.can_fill(at, &all, &approvals);
        keep!(!met || reopened.is_empty(), "{reopened:?} are filled");
    }
    Ok(())
}

pub(super) fn invariant_a_denial_has_its_review(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        match &event.fact {
            Fact::Denied(Denial::Refused(reasons)) => {
                let changed = reasons.iter().all(|reason| reason.rule == POLICY_CHANGED);
                keep!(
                    changed || history.ruling.outcome == Outcome::Refuse(reasons.clone()),
                    "policy did not refuse"
                );
                keep!(!changed || event.at < history.deadline_before(at), "ended when over");
            }
            Fact::Denied(Denial::Elsewhere { stage, .. }) => {
                let asked = history.events[..at].iter().any(
                    |event| matches!(&event.fact, Fact::Abroad { stage: one, .. } if one == stage),
                );
                keep!(asked, "denied by whom nobody asked");
            }
            Fact::Denied(Denial::Reviewed { review, by, .. }) => {
                let Fact::Reviewed(before) = &history.events[at - 1].fact else {
                    return Err("no review stands before it".to_owned());
                };
                keep!((before.id, &before.reviewer) == (*review, by), "by another review");
                keep!(before.verdict == Verdict::Deny, "the review approves");
            }
            Fact::Reviewed(review) if review.verdict == Verdict::Deny => {
                let next = history.events.get(at + 1).map(|event| &event.fact);
                keep!(matches!(next, Some(Fact::Denied(_))), "a deny was passed over");
            }
            _ => {}
        }
    }
    let refused = matches!(history.ruling.outcome, Outcome::Refuse(_));
    keep!(!refused || history.events.len() == 2, "a refusal went on");
    Ok(())
}

pub(super) fn invariant_an_approval_has_its_quorum(history: &History<'_>) -> Kept {
    let Some((at, consume_by, uses, counted)) = history.approval() else { return Ok(()) };
    let event = &history.events[at];
    let terms = history.terms().ok_or("policy refused")?;
    keep!(event.by.is_none(), "the authority approves, nobody else");
    keep!(consume_by == event.at.plus(terms.grant_window), "until {consume_by}");
    keep!(uses == terms.uses, "{uses} uses");
    let all: Vec<&Stage> = history.stages().iter().collect();
    keep!(counted.len() == all.len(), "stages are missing");
    let approvals = history.approvals_before(at);
    keep!(history.can_fill(at, &all, &approvals), "there was no quorum");
    for (stage, (name, people)) in all.iter().zip(counted) {
        keep!(stage.name == *name, "{name} out of order");
        keep!(people.len() == stage.approvals as usize, "{name} counts {people:?}");
        for person in people {
            let review = approvals.iter().find(|review| review.reviewer == *person);
            let speaks = review.is_some_and(|review| {
                !history.speaks_for(at, stage, review, &approvals).is_empty()
            });
            keep!(speaks, "{person} counts for {name}");
        }
    }
    Ok(())
}

pub(super) fn invariant_a_quorum_is_an_approval_at_once(history: &History<'_>) -> Kept {
    let all: Vec<&Stage> = history.stages().iter().collect();
    for (at, _, review) in history.reviews() {
        let met = history.can_fill(at, &all, &history.approvals_before(at + 1));
        let mut next = history.events[at + 1..].iter().map(|event| &event.fact).peekable();
        next.next_if(|fact| matches!(fact, Fact::Advanced { .. }));
        let next = next.next();
        let approved = matches!(next, Some(Fact::Approved { .. }));
        keep!(approved == (met && review.verdict == Verdict::Approve), "met: {met}, then {next:?}");
    }
    Ok(())
}
