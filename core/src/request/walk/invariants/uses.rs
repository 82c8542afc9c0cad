//! What is spent of a grant, what comes of it, and who is given the plan.

use super::*;

pub(super) fn invariant_uses_are_the_requesters_inside_the_window(history: &History<'_>) -> Kept {
    let approved = history.approval();
    for (at, event, _, audience, expires_at) in history.uses() {
        let (since, consume_by, ..) = approved.ok_or("used without approval")?;
        keep!(at > since, "used before approval");
        keep!(event.at < consume_by, "used at {}, due {consume_by}", event.at);
        keep!(event.by.as_ref() == Some(&history.requester.id), "used by {:?}", event.by);
        let terms = history.terms().ok_or("policy refused")?;
        keep!(terms.audiences.as_ref().is_none_or(|all| all.contains(audience)), "for {audience}");
        keep!(expires_at <= event.at.plus(terms.max_ttl), "lives beyond the rule");
        let asked = history.intent.duration().unwrap_or(terms.max_ttl);
        keep!(expires_at <= event.at.plus(asked), "lives beyond the intent");
        let Fact::Consumed { confirmation, .. } = &event.fact else { return Err("no use".into()) };
        keep!(terms.dpop.is_none() || confirmation.is_some(), "bound to no key");
    }
    Ok(())
}

pub(super) fn invariant_no_more_uses_than_granted(history: &History<'_>) -> Kept {
    let granted = history.approval().map_or(0, |(_, _, uses, _)| uses as usize);
    let used: Vec<_> = history.uses().map(|(_, _, credential, ..)| credential).collect();
    keep!(used.len() <= granted, "{} of {granted}", used.len());
    keep!(used.iter().collect::<BTreeSet<_>>().len() == used.len(), "one credential twice");
    Ok(())
}

pub(super) fn invariant_who_counted_still_counts_at_each_use(history: &History<'_>) -> Kept {
    let all: Vec<&Stage> = history.stages().iter().collect();
    for (at, ..) in history.uses() {
        let (_, _, _, counted) = history.approval().ok_or("used without approval")?;
        let counted: BTreeSet<_> = counted.iter().flat_map(|(_, people)| people).collect();
        let mut reviews = history.approvals_before(at);
        reviews.retain(|review| counted.contains(&review.reviewer));
        keep!(history.can_fill(at, &all, &reviews), "the quorum was gone");
    }
    Ok(())
}

#[derive(Default)]
struct Life {
    minted: bool,
    redeemed: bool,
    ended: bool,
    heartbeat: Option<Span>,
}

type Lives = BTreeMap<CredentialId, (Timestamp, Timestamp, Life)>;

fn life<'a>(
    lives: &'a mut Lives,
    of: &CredentialId,
) -> Result<&'a mut (Timestamp, Timestamp, Life), String> {
    lives.get_mut(of).ok_or_else(|| format!("{of} was never issued"))
}

pub(super) fn invariant_a_credential_has_its_record(history: &History<'_>) -> Kept {
    let mut lives = Lives::new();
    for event in history.events {
        let at = event.at;
        match &event.fact {
            Fact::Consumed { credential, expires_at, heartbeat, .. } => {
                let ruled = history.terms().and_then(|terms| terms.heartbeat);
                let kept = ruled.is_none_or(|ruled| heartbeat.is_some_and(|own| own <= ruled));
                keep!(kept, "may be silent for {heartbeat:?}, but ruled is {ruled:?}");
                let life = Life { heartbeat: *heartbeat, ..Life::default() };
                lives.insert(*credential, (at, *expires_at, life));
            }
            Fact::Minted { credential, .. } => {
                let (since, until, life) = life(&mut lives, credential)?;
                let first = !life.minted;
                keep!(!first || at < since.plus(ABANDON_AFTER), "minted too late");
                keep!(at < *until && !life.ended && !life.redeemed, "minted when over");
                life.minted = true;
            }
            Fact::Redeemed { credential } => {
                let (_, until, life) = life(&mut lives, credential)?;
                keep!(life.minted && !life.ended && at < *until, "redeemed when not live");
                keep!(!std::mem::replace(&mut life.redeemed, true), "redeemed twice");
            }
            Fact::Abandoned { credential } => {
                let (since, _, life) = life(&mut lives, credential)?;
                keep!(!life.minted && at >= since.plus(ABANDON_AFTER), "abandoned too early");
                keep!(event.by.is_none() && !life.ended, "abandoned by somebody");
                life.ended = true;
            }
            Fact::CredentialRevoked { credential } => {
                let (_, until, life) = life(&mut lives, credential)?;
                keep!(!life.ended && at < *until, "ended twice");
                life.ended = true;
            }
            Fact::HeartbeatLost { credential, last, due } => {
                let (since, until, life) = life(&mut lives, credential)?;
                keep!(life.minted && !life.ended && at < *until, "silent when not live");
                let asked = life.heartbeat.ok_or("silent, but nobody asks for signs of life")?;
                keep!(last >= since && *due >= last.plus(asked), "{due} is too early after {last}");
                keep!(at >= *due, "silent at {at}, but due {due}");
                life.ended = true;
            }
            Fact::Completed | Fact::Revoked { .. } | Fact::Stopped { .. } => {
                lives.values_mut().for_each(|(_, _, life)| life.ended = true);
            }
            _ => {}
        }
    }
    let over = |state: &State| matches!(state, State::Revoked(_));
    let live = lives.values().any(|(_, _, life)| !life.ended);
    keep!(!(over(history.request.state()) && live), "a revoked grant has a live credential");
    Ok(())
}

/// Something may exist outside from the moment it is on record, and only where the ruling names who
/// opens it; it is closed once, never while the credential is good or while it works all the same,
/// which is short where nobody can take it back; and until it is closed, the request knows when it
/// is due.
pub(super) fn invariant_what_a_broker_opened_is_closed_after_its_end(
    history: &History<'_>,
) -> Kept {
    let named = history.request.terms().and_then(|terms| terms.broker.as_deref());
    let mut open: BTreeMap<CredentialId, Timestamp> = BTreeMap::new();
    let (mut stuck, mut outlives) = (BTreeSet::new(), BTreeSet::new());
    for event in history.events {
        let at = event.at;
        match &event.fact {
            Fact::Consumed { credential, expires_at, broker: Some(broker), recall, .. } => {
                keep!(named == Some(broker), "{broker} opens, but {named:?} is named");
                let short = *expires_at <= at.plus(UNRECALLABLE_FOR);
                keep!(*recall == Recall::Ends || short, "until {expires_at}, and beyond recall");
                open.insert(*credential, *expires_at);
            }
            Fact::Consumed { recall, .. } => {
                keep!(*recall == Recall::Ends, "nothing is opened, and beyond recall");
            }
            Fact::Abandoned { credential }
            | Fact::CredentialRevoked { credential }
            | Fact::HeartbeatLost { credential, .. } => {
                let ended = open.get_mut(credential).filter(|_| !outlives.contains(credential));
                ended.into_iter().for_each(|due| *due = at.min(*due));
            }
            Fact::Completed | Fact::Revoked { .. } | Fact::Stopped { .. } => {
                let ended = open.iter_mut().filter(|(id, _)| !outlives.contains(*id));
                ended.for_each(|(_, due)| *due = at.min(*due));
            }
            Fact::BrokerOutlives { credential, until } => {
                let due = open.get_mut(credential).ok_or("what is not open outlives")?;
                keep!(at >= *due, "outlives at {at}, but it ends at {due}");
                keep!(*until > at && outlives.insert(credential), "outlives twice, or is over");
                *due = *until;
            }
            Fact::BrokerClosed { credential } => {
                let due = open.remove(credential).ok_or("closed what was not open")?;
                keep!(at >= due, "closed at {at}, but it ends at {due}");
            }
            Fact::BrokerStuck { credential, problem } => {
                let due = open.get(credential).ok_or("stuck with what is not open")?;
                keep!(at >= *due, "stuck at {at}, but it ends at {due}");
                keep!(stuck.insert(credential) && !problem.is_empty(), "stuck twice");
            }
            _ => {}
        }
    }
    let due = history.request.closing_due();
    keep!(due == open.values().min().copied(), "due {due:?}, but open are {open:?}");
    Ok(())
}

/// What the ledger keeps of a use does not say from which run it was; the requester as filed does,
/// and nobody else gets a step from it.
pub(super) fn invariant_uses_are_of_the_run_that_asked(history: &History<'_>) -> Kept {
    let mut other = history.requester.clone();
    other.claims.insert("run_id".to_owned(), "of tomorrow".into());
    let now = history.events.last().unwrap().at;
    let members = history.members.last().unwrap();
    if other.kind == PrincipalKind::Workload {
        let spend = Spend::on(CredentialId::from_bytes([7; 16]), "db");
        let used = history.request.consume(&other, spend, members, now);
        keep!(used.is_err(), "used by another run");
        keep!(history.request.complete(&other, now).is_err(), "completed by another run");
        keep!(history.request.fetch_plan(&other, members, now).is_err(), "fetched by another run");
    }
    Ok(())
}

/// The bytes are those that people were asked about; they are given at most once, under a grant and
/// while they are kept; and they are gone with the request.
pub(super) fn invariant_the_plan_is_given_once_while_it_is_kept(history: &History<'_>) -> Kept {
    let granted = history.approval();
    let mut kept: Option<(UploadId, Timestamp)> = None;
    let mut fetched = false;
    let mut over = false;
    for (index, event) in history.events.iter().enumerate() {
        match &event.fact {
            Fact::PlanKept { upload, digest, until, .. } => {
                keep!(history.intent.subject() == Some(*digest), "{digest} is kept");
                keep!(kept.is_none() && !fetched && !over, "kept twice, or too late");
                let terms = history.terms().ok_or("policy refused")?;
                let latest = granted.filter(|(at, ..)| *at < index);
                let latest = latest.map_or(history.review_by.plus(terms.grant_window), |g| g.1);
                keep!(*until <= latest, "kept until {until}, but it ends at {latest}");
                kept = Some((*upload, *until));
            }
            Fact::PlanFetched { upload, .. } => {
                let (which, until) = kept.ok_or("fetched what was not there")?;
                let (_, consume_by, ..) = granted.ok_or("fetched without a grant")?;
                keep!(which == *upload, "fetched another plan");
                keep!(!std::mem::replace(&mut fetched, true), "fetched twice");
                keep!(event.at < until && event.at < consume_by && !over, "fetched too late");
            }
            Fact::PlanRemoved { upload } => {
                let (which, until) = kept.take().ok_or("removed what was not there")?;
                keep!(which == *upload && (over || event.at >= until), "removed too early");
            }
            Fact::Denied(_)
            | Fact::Expired { .. }
            | Fact::Canceled { .. }
            | Fact::RequesterLost { .. } => over = true,
            Fact::Completed | Fact::Revoked { .. } | Fact::Stopped { .. } => over = true,
            Fact::Consumed { .. } => {
                let used = history.uses().filter(|(at, ..)| *at <= index);
                over |= used.count() >= granted.map_or(0, |(_, _, uses, _)| uses as usize);
            }
            _ => {}
        }
    }
    let left = history.request.kept_plan().filter(|plan| plan.removed_at.is_none());
    keep!(left.map(|plan| plan.upload) == kept.map(|(upload, _)| upload), "{left:?}, not {kept:?}");
    Ok(())
}
