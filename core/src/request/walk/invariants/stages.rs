//! Stages, later reviews, and what is due.

use super::*;

pub(super) fn invariant_stages_open_and_fill_once_in_their_order(history: &History<'_>) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        let Fact::Advanced { filled, opened } = &event.fact else { continue };
        let (before, after) = (history.lived_before(at), history.lived_before(at + 1));
        keep!(!filled.is_empty() || !opened.is_empty(), "advanced by nothing");
        for name in filled {
            keep!(before[name.as_str()].filled.is_none(), "{name} filled twice");
            keep!(after[name.as_str()].opened.is_some(), "{name} filled before it opened");
        }
        for name in opened {
            let stage = history.stages().iter().find(|stage| stage.name == *name).unwrap();
            keep!(before[name.as_str()].opened.is_none(), "{name} opened twice");
            let chain = history.chain(stage);
            let full = chain.iter().all(|before| after[before.name.as_str()].filled.is_some());
            keep!(full, "{name} opened before the one before was filled");
        }
        let approvals = history.approvals_before(at);
        for name in filled.iter().chain(opened) {
            let stage = history.stages().iter().find(|stage| stage.name == *name).unwrap();
            let mut needed = history.chain(stage);
            needed.extend(filled.contains(name).then_some(stage));
            keep!(history.can_fill(at, &needed, &approvals), "{name} moved without its people");
        }
    }
    Ok(())
}

pub(super) fn invariant_escalations_and_reminders_come_in_their_time(
    history: &History<'_>,
) -> Kept {
    for (at, event) in history.events.iter().enumerate() {
        let lived = history.lived_before(at);
        let waiting = |name: &str| -> Result<(&Stage, Lived, Timestamp), String> {
            let stage = history.stages().iter().find(|stage| stage.name == name).ok_or(name)?;
            let life = lived[name];
            let since = life.opened.filter(|_| life.filled.is_none());
            Ok((stage, life, since.ok_or_else(|| format!("{name} does not wait"))?))
        };
        match &event.fact {
            Fact::Escalated { stage, to } => {
                let (stage, life, since) = waiting(stage)?;
                let ruled = stage.escalate.as_ref().ok_or("escalated without a word of it")?;
                keep!(ruled.to == *to, "escalated to {to:?}");
                keep!(event.at >= since.plus(ruled.after), "escalated too early");
                keep!(life.escalated.is_none(), "escalated twice");
                // More people are asked for the same number of approvals.
                let asked = history.request.asked_stages();
                let now = asked.iter().find(|other| other.name == stage.name).unwrap();
                keep!(now.approvals == stage.approvals, "{} approvals", now.approvals);
                keep!(now.from.is_superset(&stage.from), "fewer people");
                keep!(now.exclude == stage.exclude, "others are excluded");
            }
            Fact::Reminded { stages } => {
                keep!(!stages.is_empty(), "nobody is reminded");
                for name in stages {
                    let (stage, life, since) = waiting(name)?;
                    let every = stage.remind.ok_or("reminded without a word of it")?;
                    let last = life.reminded.unwrap_or(since);
                    keep!(event.at >= last.plus(every), "reminded {} after {last}", event.at);
                }
            }
            _ => {}
        }
        if matches!(event.fact, Fact::Escalated { .. } | Fact::Reminded { .. }) {
            let due = history.deadline_before(at);
            keep!(event.at < due, "{} at {}, due {due}", fact_word(&event.fact), event.at);
        }
    }
    Ok(())
}

pub(super) fn invariant_later_reviews_are_of_those_asked_and_in_time(
    history: &History<'_>,
) -> Kept {
    let granted = history.approval().map(|(at, ..)| history.events[at].at);
    let mut done = BTreeMap::new();
    let mut missed = BTreeSet::new();
    let mut reviews: Vec<&Review> = Vec::new();
    let later = &history.ruling.post_reviews;
    for (at, event) in history.events.iter().enumerate() {
        let members = history.members[at];
        let find = |rule: &str| later.iter().find(|later| later.rule == rule).ok_or("of no rule");
        match &event.fact {
            Fact::PostReviewed(review) => {
                keep!(granted.is_some(), "looked at later without a grant");
                keep!(review.digest == history.intent.digest(), "on {}", review.digest);
                keep!(review.stands_in_for.is_empty(), "somebody else's later review");
                let twice = reviews.iter().any(|before| before.reviewer == review.reviewer);
                keep!(!twice, "{} looked twice", review.reviewer);
                let mut open = later.iter().filter(|later| !done.contains_key(&later.rule));
                let asked = open.any(|later| is_among(&later.by, &review.reviewer, members));
                keep!(asked, "{} was not asked to look", review.reviewer);
                reviews.push(review);
            }
            Fact::PostReviewDone { rule } => {
                let later = find(rule)?;
                let counts = reviews.iter().filter(|review| {
                    review.verdict == Verdict::Approve
                        && is_among(&later.by, &review.reviewer, members)
                });
                keep!(counts.count() >= later.approvals as usize, "{rule} done by too few");
                keep!(done.insert(rule.clone(), event.at).is_none(), "{rule} done twice");
            }
            Fact::PostReviewMissed { rule, suspended } => {
                let later = find(rule)?;
                let due = granted.ok_or("missed without a grant")?.plus(later.within);
                keep!(event.at >= due, "missed at {}, due {due}", event.at);
                keep!(*suspended == later.suspend, "suspends {suspended:?}");
                keep!(!done.contains_key(rule), "{rule} missed when done");
                keep!(missed.insert(rule.clone()), "{rule} missed twice");
            }
            _ => {}
        }
    }
    // What is suspended is what is overdue, by the clock and not by what was put on record.
    let last = history.events.last().unwrap().at;
    for now in [last, last.plus(Span::hours(1)), last.plus(Span::hours(24 * 30))] {
        let overdue = later.iter().filter(|later| {
            let due = granted.map(|granted| granted.plus(later.within));
            due.is_some_and(|due| now >= due) && !done.contains_key(&later.rule)
        });
        let wanted: BTreeSet<&str> = overdue.filter_map(|later| later.suspend.as_deref()).collect();
        let told = history.request.suspends(now);
        keep!(told == wanted, "suspends {told:?}, not {wanted:?}");
    }
    Ok(())
}

/// `due_at` is the next moment at which something is to be done without anybody asking: a moment
/// before it there is nothing to do, and at it there is.
pub(super) fn invariant_what_is_due_is_done_then_and_not_before(history: &History<'_>) -> Kept {
    let last = history.events.last().unwrap().at;
    let Some(due) = history.request.due_at() else {
        let step = history.request.lapse(last.plus(Span::hours(24 * 365)));
        keep!(step.is_none(), "nothing is due, but {step:?}");
        return Ok(());
    };
    let before = Timestamp::from_millis(due.as_millis() - 1);
    if before >= last {
        let step = history.request.lapse(before);
        keep!(step.is_none(), "due {due}, but before it {step:?}");
    }
    let Some(step) = history.request.lapse(due) else {
        return Err(format!("due {due}, but nothing to do"));
    };
    let next = step.next();
    keep!(next.due_at().is_none_or(|next| next > due), "due again {:?}", next.due_at());
    keep!(next.lapse(due.max(last)).is_none(), "lapses twice at {due}");
    Ok(())
}
