//! What happened, as it is written.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Counted, SentFact, SentRecall, SentReview, SentSignature};
use crate::policy::ruling;
use crate::request::{self, AbroadFact, Denial, Fact, Recall};
use crate::statement::Recorded;
use crate::wire::{PrincipalId, RefusalReason, Verdict};

impl From<&Fact> for SentFact {
    fn from(fact: &Fact) -> Self {
        match fact {
            Fact::Filed { intent, requester, ruling, known, expires_at, heartbeat } => {
                Self::Filed {
                    intent: intent.into(),
                    requester: requester.into(),
                    ruling: ruling.into(),
                    known: known.into(),
                    expires_at: expires_at.to_string(),
                    heartbeat: heartbeat.map(|heartbeat| heartbeat.to_string()),
                }
            }
            Fact::Reviewed(review) => Self::Reviewed(review.into()),
            Fact::Withdrawn { review, reason, reopened, closed } => Self::Withdrawn {
                review: review.to_string(),
                reason: reason.clone(),
                reopened: reopened.clone(),
                closed: closed.clone(),
            },
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
            Fact::RequesterLost { last, due } => {
                Self::RequesterLost { last: last.to_string(), due: due.to_string() }
            }
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
            Fact::Stopped { signal, about, concern, accounts } => Self::Stopped {
                signal: signal.to_string(),
                about: about.into(),
                accounts: accounts.iter().map(Into::into).collect(),
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
            acr: review.means.acr.clone(),
            amr: review.means.amr.clone(),
            signature: review.signature.as_ref().map(|signed| signed.recorded().into()),
        }
    }
}

impl From<&Recorded> for SentSignature {
    fn from(recorded: &Recorded) -> Self {
        let Recorded { passkey, key, enrolled_at, vouched, statement, assertion } = recorded;
        Self {
            passkey: passkey.to_string(),
            key: URL_SAFE_NO_PAD.encode(key),
            enrolled_at: enrolled_at.to_string(),
            vouched: *vouched,
            // INVARIANT: a statement that was read is JSON, and so UTF-8.
            statement: String::from_utf8_lossy(statement).into_owned(),
            authenticator_data: URL_SAFE_NO_PAD.encode(&assertion.authenticator_data),
            client_data: URL_SAFE_NO_PAD.encode(&assertion.client_data),
            signature: URL_SAFE_NO_PAD.encode(&assertion.signature),
        }
    }
}
