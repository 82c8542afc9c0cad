//! Events as JSON: what the ledger stores and the audit log digests, byte for byte.
//!
//! The canonical form (RFC 8785) of what [`event_to_json`] writes is the data of the Merkle leaf.
//! The format is version 1; a reader refuses what it does not know rather than passing it over.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical;
use crate::endorsement::{Endorsement, Evidence};
use crate::policy::risk::Score;
use crate::policy::ruling;
use crate::request::{self, AbroadFact, Denial, Event, Fact, Recall};
use crate::time::Span;
use crate::wire::{
    Credentials, Elsewhere, Intent, Known, PostReview, Principal, PrincipalId, RefusalReason,
    Ruling, Said, Stage, Verdict,
};

/// The bytes are no event of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an event of this format: {0}")]
pub struct EventError(String);

#[derive(Serialize, Deserialize)]
struct Sent {
    v: u8,
    request: String,
    at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<PrincipalId>,
    #[serde(flatten)]
    fact: SentFact,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "one filing to a request: a box would save nothing")]
enum SentFact {
    Filed {
        intent: Intent,
        requester: Principal,
        ruling: Ruling,
        #[serde(default, skip_serializing_if = "is_nothing")]
        known: Known,
        expires_at: String,
    },
    Reviewed(SentReview),
    PostReviewed(SentReview),
    PostReviewDone {
        rule: String,
    },
    PostReviewMissed {
        rule: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        suspended: Option<String>,
    },
    Advanced {
        filled: Vec<String>,
        opened: Vec<String>,
    },
    Escalated {
        stage: String,
        to: Vec<String>,
    },
    Reminded {
        stages: Vec<String>,
    },
    Approved {
        counted: Vec<Counted>,
        consume_by: String,
        uses: u32,
    },
    AskedElsewhere {
        stage: String,
        authority: String,
        ours: String,
        request_there: String,
        digest: String,
    },
    Endorsed {
        stage: String,
        request_there: String,
        credential: String,
        fingerprint: String,
        approved_by: BTreeSet<PrincipalId>,
        token: String,
        key: Value,
    },
    EndorsementWithdrawn {
        stage: String,
        reason: String,
    },
    ToldElsewhere {
        stage: String,
    },
    DeniedElsewhere {
        stage: String,
        authority: String,
        request_there: String,
        reason: String,
    },
    Refused {
        reasons: Vec<RefusalReason>,
    },
    Denied {
        review: String,
        reviewer: PrincipalId,
        comment: String,
    },
    Expired {
        deadline: String,
    },
    Canceled {
        reason: String,
    },
    Consumed {
        credential: String,
        audience: String,
        expires_at: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        broker: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recall: Option<SentRecall>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heartbeat: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        confirmation: Option<String>,
    },
    Minted {
        credential: String,
        fingerprint: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    Redeemed {
        credential: String,
    },
    Abandoned {
        credential: String,
    },
    CredentialRevoked {
        credential: String,
    },
    HeartbeatLost {
        credential: String,
        last: String,
        due: String,
    },
    BrokerClosed {
        credential: String,
    },
    BrokerOutlives {
        credential: String,
        until: String,
    },
    BrokerStuck {
        credential: String,
        problem: String,
    },
    PlanKept {
        upload: String,
        digest: String,
        size: u64,
        until: String,
    },
    PlanFetched {
        upload: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<String>,
    },
    PlanRemoved {
        upload: String,
    },
    Completed {},
    Revoked {
        reason: String,
    },
    Stopped {
        signal: String,
        about: super::SignalSubject,
        state: String,
    },
}

/// Told where it is not as one would think.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SentRecall {
    OnlyExpires,
}

fn is_nothing(known: &Known) -> bool {
    *known == Known::default()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SentReview {
    review: String,
    reviewer: PrincipalId,
    verdict: Verdict,
    digest: String,
    comment: String,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    stands_in_for: BTreeSet<PrincipalId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    login_age: Option<String>,
}

impl From<&request::Review> for SentReview {
    fn from(review: &request::Review) -> Self {
        Self {
            review: review.id.to_string(),
            reviewer: (&review.reviewer).into(),
            verdict: match review.verdict {
                request::Verdict::Approve => Verdict::Approve,
                request::Verdict::Deny => Verdict::Deny,
            },
            digest: review.digest.to_string(),
            comment: review.comment.clone(),
            stands_in_for: review.stands_in_for.iter().map(PrincipalId::from).collect(),
            login_age: review.login_age.map(|age| age.to_string()),
        }
    }
}

impl SentReview {
    fn read(self, at: crate::time::Timestamp) -> Result<request::Review, Unreadable> {
        let stood = self.stands_in_for.into_iter().map(TryInto::try_into);
        Ok(request::Review {
            id: self.review.parse()?,
            reviewer: self.reviewer.try_into()?,
            verdict: self.verdict.into(),
            digest: self.digest.parse()?,
            comment: self.comment,
            stands_in_for: stood.collect::<Result<_, _>>()?,
            login_age: self.login_age.map(|age| age.parse()).transpose()?,
            at,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    stage: String,
    people: Vec<PrincipalId>,
}

/// An event as JSON.
pub fn event_to_json(event: &Event) -> Value {
    let sent = Sent {
        v: 1,
        request: event.request.to_string(),
        at: event.at.to_string(),
        by: event.by.as_ref().map(PrincipalId::from),
        fact: (&event.fact).into(),
    };
    // INVARIANT: the shapes above have text keys and finite numbers, so this cannot fail.
    serde_json::to_value(sent).unwrap_or_default()
}

/// The canonical bytes of an entry: what is stored, and what the Merkle leaf is of.
pub fn entry_bytes(event: &Value) -> Vec<u8> {
    canonical::bytes(event)
}

/// The event that this JSON tells of.
///
/// # Errors
/// [`EventError`] for anything that [`event_to_json`] would not have written.
pub fn event_from_json(json: &Value) -> Result<Event, EventError> {
    let bad = |error: &dyn std::fmt::Display| EventError(error.to_string());
    let sent: Sent = Sent::deserialize(json).map_err(|e| bad(&e))?;
    if sent.v != 1 {
        return Err(EventError(format!("version {}", sent.v)));
    }
    let by = sent.by.map(crate::principal::PrincipalId::try_from).transpose();
    let at = sent.at.parse().map_err(|e| bad(&e))?;
    let event = Event {
        request: sent.request.parse().map_err(|e| bad(&e))?,
        at,
        by: by.map_err(|e| bad(&e))?,
        fact: sent.fact.read(at).map_err(|e| EventError(e.0))?,
    };
    // Two spellings of one event would be two leaves; only the one that is written is read.
    if event_to_json(&event) == *json {
        Ok(event)
    } else {
        Err(EventError("other spelling".into()))
    }
}

/// Any fault while reading, by its text: an event that does not read is corrupt, whatever the
/// cause, and nobody acts on the difference.
struct Unreadable(String);

impl<E: std::error::Error> From<E> for Unreadable {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl From<&Fact> for SentFact {
    fn from(fact: &Fact) -> Self {
        match fact {
            Fact::Filed { intent, requester, ruling, known, expires_at } => Self::Filed {
                intent: intent.into(),
                requester: requester.into(),
                ruling: ruling.into(),
                known: known.into(),
                expires_at: expires_at.to_string(),
            },
            Fact::Reviewed(review) => Self::Reviewed(review.into()),
            Fact::PostReviewed(review) => Self::PostReviewed(review.into()),
            Fact::PostReviewDone { rule } => Self::PostReviewDone { rule: rule.clone() },
            Fact::PostReviewMissed { rule, suspended } => {
                Self::PostReviewMissed { rule: rule.clone(), suspended: suspended.clone() }
            }
            Fact::Advanced { filled, opened } => {
                Self::Advanced { filled: filled.clone(), opened: opened.clone() }
            }
            Fact::Escalated { stage, to } => Self::Escalated {
                stage: stage.clone(),
                to: to.iter().map(ToString::to_string).collect(),
            },
            Fact::Reminded { stages } => Self::Reminded { stages: stages.clone() },
            Fact::Approved { counted, consume_by, uses } => Self::Approved {
                counted: counted.iter().map(Counted::from).collect(),
                consume_by: consume_by.to_string(),
                uses: *uses,
            },
            Fact::Denied(Denial::Refused(reasons)) => {
                let reason = |reason: &ruling::Reason| RefusalReason {
                    rule: reason.rule.clone(),
                    message: reason.message.clone(),
                };
                Self::Refused { reasons: reasons.iter().map(reason).collect() }
            }
            Fact::Denied(Denial::Reviewed { review, by, comment }) => Self::Denied {
                review: review.to_string(),
                reviewer: by.into(),
                comment: comment.clone(),
            },
            Fact::Denied(Denial::Elsewhere { stage, authority, request, reason }) => {
                Self::DeniedElsewhere {
                    stage: stage.clone(),
                    authority: authority.clone(),
                    request_there: request.to_string(),
                    reason: reason.clone(),
                }
            }
            Fact::Abroad { stage, what } => Self::abroad(stage.clone(), what),
            Fact::Expired { deadline } => Self::Expired { deadline: deadline.to_string() },
            Fact::Canceled { reason } => Self::Canceled { reason: reason.clone() },
            Fact::Consumed {
                credential,
                audience,
                expires_at,
                broker,
                recall,
                heartbeat,
                confirmation,
            } => Self::Consumed {
                credential: credential.to_string(),
                audience: audience.clone(),
                expires_at: expires_at.to_string(),
                broker: broker.clone(),
                recall: match recall {
                    Recall::Ends => None,
                    Recall::OnlyExpires => Some(SentRecall::OnlyExpires),
                },
                heartbeat: heartbeat.map(|heartbeat| heartbeat.to_string()),
                confirmation: confirmation.map(|key| key.to_string()),
            },
            Fact::Minted { credential, fingerprint, key } => Self::Minted {
                credential: credential.to_string(),
                fingerprint: fingerprint.to_string(),
                key: key.as_ref().map(ToString::to_string),
            },
            Fact::Redeemed { credential } => Self::Redeemed { credential: credential.to_string() },
            Fact::Abandoned { credential } => {
                Self::Abandoned { credential: credential.to_string() }
            }
            Fact::CredentialRevoked { credential } => {
                Self::CredentialRevoked { credential: credential.to_string() }
            }
            Fact::HeartbeatLost { credential, last, due } => Self::HeartbeatLost {
                credential: credential.to_string(),
                last: last.to_string(),
                due: due.to_string(),
            },
            Fact::BrokerOutlives { credential, until } => Self::BrokerOutlives {
                credential: credential.to_string(),
                until: until.to_string(),
            },
            Fact::BrokerClosed { credential } => {
                Self::BrokerClosed { credential: credential.to_string() }
            }
            Fact::BrokerStuck { credential, problem } => {
                Self::BrokerStuck { credential: credential.to_string(), problem: problem.clone() }
            }
            Fact::PlanKept { upload, digest, size, until } => Self::PlanKept {
                upload: upload.to_string(),
                digest: digest.to_string(),
                size: *size,
                until: until.to_string(),
            },
            Fact::PlanFetched { upload, run } => Self::PlanFetched {
                upload: upload.to_string(),
                run: run.map(|run| run.to_string()),
            },
            Fact::PlanRemoved { upload } => Self::PlanRemoved { upload: upload.to_string() },
            Fact::Completed => Self::Completed {},
            Fact::Revoked { reason } => Self::Revoked { reason: reason.clone() },
            Fact::Stopped { signal, about, concern } => Self::Stopped {
                signal: signal.to_string(),
                about: about.into(),
                state: concern.word().to_owned(),
            },
        }
    }
}

impl From<&(String, BTreeSet<crate::principal::PrincipalId>)> for Counted {
    fn from((stage, people): &(String, BTreeSet<crate::principal::PrincipalId>)) -> Self {
        let people = people.iter().map(PrincipalId::from).collect();
        Self { stage: stage.clone(), people }
    }
}

impl SentFact {
    fn abroad(stage: String, what: &AbroadFact) -> Self {
        match what {
            AbroadFact::Asked { authority, ours, request, digest } => Self::AskedElsewhere {
                stage,
                authority: authority.clone(),
                ours: ours.clone(),
                request_there: request.to_string(),
                digest: digest.to_string(),
            },
            AbroadFact::Endorsed { endorsement, evidence } => Self::Endorsed {
                stage,
                request_there: endorsement.request.to_string(),
                credential: endorsement.credential.to_string(),
                fingerprint: endorsement.fingerprint.to_string(),
                approved_by: endorsement.approved_by.iter().map(PrincipalId::from).collect(),
                token: evidence.token.clone(),
                key: evidence.key.clone(),
            },
            AbroadFact::Withdrawn { reason } => {
                Self::EndorsementWithdrawn { stage, reason: reason.clone() }
            }
            AbroadFact::Told => Self::ToldElsewhere { stage },
        }
    }

    fn read(self, at: crate::time::Timestamp) -> Result<Fact, Unreadable> {
        Ok(match self {
            Self::Filed { intent, requester, ruling, known, expires_at } => Fact::Filed {
                intent: intent.verify().map_err(|faults| {
                    Unreadable(
                        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
                    )
                })?,
                requester: requester.try_into()?,
                ruling: read_ruling(ruling)?,
                known: known.try_into()?,
                expires_at: expires_at.parse()?,
            },
            Self::Reviewed(review) => Fact::Reviewed(review.read(at)?),
            Self::PostReviewed(review) => Fact::PostReviewed(review.read(at)?),
            Self::PostReviewDone { rule } => Fact::PostReviewDone { rule },
            Self::PostReviewMissed { rule, suspended } => {
                Fact::PostReviewMissed { rule, suspended }
            }
            Self::Advanced { filled, opened } => Fact::Advanced { filled, opened },
            Self::Escalated { stage, to } => Fact::Escalated { stage, to: read_set(&to)? },
            Self::Reminded { stages } => Fact::Reminded { stages },
            Self::Approved { counted, consume_by, uses } => {
                let read = |counted: Counted| -> Result<_, Unreadable> {
                    let people = counted.people.into_iter().map(TryInto::try_into);
                    Ok((counted.stage, people.collect::<Result<BTreeSet<_>, _>>()?))
                };
                let counted = counted.into_iter().map(read).collect::<Result<_, _>>()?;
                Fact::Approved { counted, consume_by: consume_by.parse()?, uses }
            }
            Self::AskedElsewhere { stage, authority, ours, request_there, digest } => {
                let (request, digest) = (request_there.parse()?, digest.parse()?);
                let what = AbroadFact::Asked { authority, ours, request, digest };
                Fact::Abroad { stage, what }
            }
            Self::Endorsed {
                stage,
                request_there,
                credential,
                fingerprint,
                approved_by,
                token,
                key,
            } => {
                let approved_by = approved_by.into_iter().map(TryInto::try_into);
                let endorsement = Endorsement {
                    request: request_there.parse()?,
                    credential: credential.parse()?,
                    fingerprint: fingerprint.parse()?,
                    approved_by: approved_by.collect::<Result<_, _>>()?,
                };
                let evidence = Evidence { token, key };
                Fact::Abroad { stage, what: AbroadFact::Endorsed { endorsement, evidence } }
            }
            Self::EndorsementWithdrawn { stage, reason } => {
                Fact::Abroad { stage, what: AbroadFact::Withdrawn { reason } }
            }
            Self::ToldElsewhere { stage } => Fact::Abroad { stage, what: AbroadFact::Told },
            Self::DeniedElsewhere { stage, authority, request_there, reason } => {
                let request = request_there.parse()?;
                Fact::Denied(Denial::Elsewhere { stage, authority, request, reason })
            }
            Self::Refused { reasons } => Fact::Denied(Denial::Refused(read_reasons(reasons))),
            Self::Denied { review, reviewer, comment } => Fact::Denied(Denial::Reviewed {
                review: review.parse()?,
                by: reviewer.try_into()?,
                comment,
            }),
            Self::Expired { deadline } => Fact::Expired { deadline: deadline.parse()? },
            Self::Canceled { reason } => Fact::Canceled { reason },
            Self::Consumed {
                credential,
                audience,
                expires_at,
                broker,
                recall,
                heartbeat,
                confirmation,
            } => Fact::Consumed {
                credential: credential.parse()?,
                audience,
                expires_at: expires_at.parse()?,
                broker,
                recall: match recall {
                    None => Recall::Ends,
                    Some(SentRecall::OnlyExpires) => Recall::OnlyExpires,
                },
                heartbeat: heartbeat.map(|heartbeat| heartbeat.parse()).transpose()?,
                confirmation: confirmation.map(|key| key.parse()).transpose()?,
            },
            Self::Minted { credential, fingerprint, key } => Fact::Minted {
                credential: credential.parse()?,
                fingerprint: fingerprint.parse()?,
                key: key.map(|key| key.parse()).transpose()?,
            },
            Self::Redeemed { credential } => Fact::Redeemed { credential: credential.parse()? },
            Self::Abandoned { credential } => Fact::Abandoned { credential: credential.parse()? },
            Self::CredentialRevoked { credential } => {
                Fact::CredentialRevoked { credential: credential.parse()? }
            }
            Self::HeartbeatLost { credential, last, due } => Fact::HeartbeatLost {
                credential: credential.parse()?,
                last: last.parse()?,
                due: due.parse()?,
            },
            Self::BrokerOutlives { credential, until } => {
                Fact::BrokerOutlives { credential: credential.parse()?, until: until.parse()? }
            }
            Self::BrokerClosed { credential } => {
                Fact::BrokerClosed { credential: credential.parse()? }
            }
            Self::BrokerStuck { credential, problem } => {
                Fact::BrokerStuck { credential: credential.parse()?, problem }
            }
            Self::PlanKept { upload, digest, size, until } => Fact::PlanKept {
                upload: upload.parse()?,
                digest: digest.parse()?,
                size,
                until: until.parse()?,
            },
            Self::PlanFetched { upload, run } => Fact::PlanFetched {
                upload: upload.parse()?,
                run: run.map(|run| run.parse()).transpose()?,
            },
            Self::PlanRemoved { upload } => Fact::PlanRemoved { upload: upload.parse()? },
            Self::Completed {} => Fact::Completed,
            Self::Revoked { reason } => Fact::Revoked { reason },
            Self::Stopped { signal, about, state } => Fact::Stopped {
                signal: signal.parse()?,
                about: about.try_into()?,
                concern: super::signal::read_concern(&state)?,
            },
        })
    }
}

impl From<Verdict> for request::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Approve => Self::Approve,
            Verdict::Deny => Self::Deny,
        }
    }
}

fn read_reasons(reasons: Vec<RefusalReason>) -> Vec<ruling::Reason> {
    let read =
        |reason: RefusalReason| ruling::Reason { rule: reason.rule, message: reason.message };
    reasons.into_iter().map(read).collect()
}

fn read_ruling(sent: Ruling) -> Result<ruling::Ruling, Unreadable> {
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
        expires_after: span(sent.expires_after)?,
        escalate: escalate.transpose()?,
        remind: span(sent.remind)?,
    })
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

fn read_set<T>(texts: &[String]) -> Result<BTreeSet<T>, Unreadable>
where
    T: std::str::FromStr + Ord,
    T::Err: std::error::Error,
{
    Ok(texts.iter().map(|text| text.parse()).collect::<Result<_, _>>()?)
}
