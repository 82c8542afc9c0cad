//! A ruling that was written, read again.

use crate::policy::risk::Score;
use crate::policy::ruling;
use crate::time::Span;
use crate::wire::{
    Credentials, Elsewhere, PostReview, RefusalReason, Ruling, Said, SignatureDemand, Stage,
    Unreadable, read_set,
};

pub(in crate::wire) fn read_ruling(sent: Ruling) -> Result<ruling::Ruling, Unreadable> {
    let lacks = |what: &str| Unreadable(format!("the ruling lacks `{what}`"));
    let terms = || -> Result<_, Unreadable> {
        read_terms(sent.credential.as_ref().ok_or_else(|| lacks("credential"))?)
    };
    let outcome = match sent.outcome {
        Said::Permit => ruling::Outcome::Permit(terms()?),
        Said::Require => ruling::Outcome::Require(ruling::Requirement {
            terms: terms()?,
            expires_after: sent
                .expires_after
                .as_ref()
                .ok_or_else(|| lacks("expires_after"))?
                .parse()?,
            stages: sent.stages.into_iter().map(read_stage).collect::<Result<_, _>>()?,
        }),
        Said::Refuse => ruling::Outcome::Refuse(read_reasons(sent.reasons)),
    };
    let post_reviews = sent.post_reviews.into_iter().map(read_post_review);
    Ok(ruling::Ruling {
        outcome,
        rules: sent.rules,
        notify: read_set(&sent.notify)?,
        post_reviews: post_reviews.collect::<Result<_, _>>()?,
        risk: sent.risk.map(|risk| Score { least: risk.least, most: risk.most }),
        policy: sent.policy.parse()?,
    })
}

pub(in crate::wire) fn read_reasons(reasons: Vec<RefusalReason>) -> Vec<ruling::Reason> {
    let read =
        |reason: RefusalReason| ruling::Reason { rule: reason.rule, message: reason.message };
    reasons.into_iter().map(read).collect()
}

fn read_terms(sent: &Credentials) -> Result<ruling::Terms, Unreadable> {
    Ok(ruling::Terms {
        max_ttl: sent.max_ttl.parse::<Span>()?,
        uses: sent.uses,
        audiences: sent.audiences.clone(),
        grant_window: sent.grant_window.parse::<Span>()?,
        broker: sent.broker.clone(),
        role: sent.role.clone(),
        heartbeat: sent.heartbeat.as_ref().map(|span| span.parse()).transpose()?,
        reuse_within_run: sent.reuse_within_run,
        dpop: sent.dpop.as_deref().map(read_dpop).transpose()?,
    })
}

fn read_dpop(word: &str) -> Result<ruling::Dpop, Unreadable> {
    match word {
        "required" => Ok(ruling::Dpop::Required),
        other => Err(Unreadable(format!("credentials are bound to a key as `{other}`"))),
    }
}

fn read_stage(sent: Stage) -> Result<ruling::Stage, Unreadable> {
    let span = |text: Option<String>| text.map(|text| text.parse::<Span>()).transpose();
    let escalate = sent.escalate.map(|escalation| -> Result<_, Unreadable> {
        Ok(ruling::Escalation {
            after: escalation.after.parse()?,
            to: read_set(&escalation.to)?,
            then_expire_after: span(escalation.then_expire_after)?,
        })
    });
    Ok(ruling::Stage {
        name: sent.name,
        rules: sent.rules,
        approvals: sent.approvals,
        from: read_set(&sent.from)?,
        elsewhere: sent.elsewhere.map(read_elsewhere).transpose()?,
        exclude: read_set(&sent.exclude)?,
        after: sent.after,
        login_within: span(sent.login_within)?,
        signature: sent.signature.map(read_signature).transpose()?,
        means: ruling::MeansWanted {
            acr: sent.acr.into_iter().collect(),
            amr: sent.amr.into_iter().collect(),
        },
        expires_after: span(sent.expires_after)?,
        escalate: escalate.transpose()?,
        remind: span(sent.remind)?,
    })
}

fn read_signature(sent: SignatureDemand) -> Result<ruling::SignatureDemand, Unreadable> {
    let enrolled_for = sent.enrolled_for.map(|text| text.parse()).transpose()?;
    let SignatureDemand { device_bound, vouched, .. } = sent;
    Ok(ruling::SignatureDemand { device_bound, enrolled_for, vouched })
}

fn read_elsewhere(sent: Elsewhere) -> Result<ruling::Elsewhere, Unreadable> {
    let people = sent.people.into_iter().map(|(name, id)| Ok((name, id.try_into()?)));
    Ok(ruling::Elsewhere {
        authority: sent.authority,
        issuer: sent.issuer,
        audience: sent.audience,
        approvers: sent.approvers,
        people: people.collect::<Result<_, Unreadable>>()?,
    })
}

fn read_post_review(sent: PostReview) -> Result<ruling::PostReview, Unreadable> {
    Ok(ruling::PostReview {
        rule: sent.rule,
        approvals: sent.approvals,
        by: read_set(&sent.by)?,
        within: sent.within.parse()?,
        suspend: sent.suspend,
        notify: read_set(&sent.notify)?,
    })
}
