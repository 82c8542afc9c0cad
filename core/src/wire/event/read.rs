//! What is written, as what happened: all of it, or why it is no event.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Counted, SentFact, SentRecall, SentReview, SentSignature};
use crate::endorsement::{Endorsement, Evidence};
use crate::policy::quorum::Means;
use crate::request::{self, AbroadFact, Denial, Fact, Recall};
use crate::statement::{Recorded, Signature};
use crate::time::Timestamp;
use crate::webauthn::UnverifiedAssertion;
use crate::wire::ruling::read::{read_reasons, read_ruling};
use crate::wire::{Unreadable, read_set, signal};

impl SentFact {
    pub(super) fn read(self, at: Timestamp) -> Result<Fact, Unreadable> {
        Ok(match self {
            Self::Filed { intent, requester, ruling, known, expires_at, heartbeat } => {
                Fact::Filed {
                    intent: intent.verify().map_err(|faults| {
                        Unreadable(
                            faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
                        )
                    })?,
                    requester: requester.try_into()?,
                    ruling: read_ruling(ruling)?,
                    known: known.try_into()?,
                    expires_at: expires_at.parse()?,
                    heartbeat: heartbeat.map(|heartbeat| heartbeat.parse()).transpose()?,
                }
            }
            Self::Reviewed(review) => Fact::Reviewed(review.read(at)?),
            Self::Withdrawn { review, reason, reopened, closed } => {
                Fact::Withdrawn { review: review.parse()?, reason, reopened, closed }
            }
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
            Self::RequesterLost { last, due } => {
                Fact::RequesterLost { last: last.parse()?, due: due.parse()? }
            }
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
            Self::Stopped { signal, about, state, accounts } => Fact::Stopped {
                accounts: accounts.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
                signal: signal.parse()?,
                about: about.try_into()?,
                concern: signal::read_concern(&state)?,
            },
        })
    }
}

impl SentReview {
    pub(super) fn read(self, at: Timestamp) -> Result<request::Review, Unreadable> {
        let stood = self.stands_in_for.into_iter().map(TryInto::try_into);
        Ok(request::Review {
            id: self.review.parse()?,
            reviewer: self.reviewer.try_into()?,
            verdict: self.verdict.into(),
            digest: self.digest.parse()?,
            comment: self.comment,
            stands_in_for: stood.collect::<Result<_, _>>()?,
            login_age: self.login_age.map(|age| age.parse()).transpose()?,
            signature: self.signature.map(SentSignature::read).transpose()?.map(Arc::new),
            means: Means { acr: self.acr, amr: self.amr },
            at,
        })
    }
}

impl SentSignature {
    /// Checked again each time that it is read: a changed record is none.
    fn read(self) -> Result<Signature, Unreadable> {
        let decoded = |text: &str| {
            URL_SAFE_NO_PAD.decode(text).map_err(|_| Unreadable("not base64url".to_owned()))
        };
        let recorded = Recorded {
            passkey: self.passkey.parse()?,
            key: decoded(&self.key)?,
            enrolled_at: self.enrolled_at.parse()?,
            vouched: self.vouched,
            statement: self.statement.into_bytes(),
            assertion: UnverifiedAssertion {
                authenticator_data: decoded(&self.authenticator_data)?,
                client_data: decoded(&self.client_data)?,
                signature: decoded(&self.signature)?,
            },
        };
        recorded.verify().map_err(|error| Unreadable(error.to_string()))
    }
}
