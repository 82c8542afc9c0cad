//! Stages that the people of another organisation review: asked there, endorsed from there, watched
//! as long as anything depends on it, and told there how it ended.
//!
//! What is still to be done there follows from the record alone, so an authority that was killed at
//! any point finds it again.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::endorsement::{CALLER, Endorsement, EndorsementError, Evidence, Expected, Question};
use crate::id::RequestId;
use crate::intent::Intent;
use crate::membership::Membership;
use crate::policy::quorum::Endorsed;
use crate::policy::ruling::{Elsewhere, Stage};
use crate::principal::PrincipalId;
use crate::request::event::{Denial, Fact};
use crate::request::{Issued, Request, State, Step};
use crate::time::Timestamp;

/// What has become of a stage that is reviewed elsewhere, as far as it is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abroad {
    /// The address of ours that was told there.
    pub ours: String,
    /// The request there.
    pub request: RequestId,
    /// What was asked.
    pub digest: Digest,
    /// What came of it.
    pub endorsement: Option<Endorsement>,
    /// Whether that was taken back.
    pub withdrawn: bool,
    /// Whether it was told there that nothing depends on it any more.
    pub told: bool,
}

/// What happens to a stage that is reviewed elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AbroadFact {
    /// The partner has taken the question.
    Asked {
        /// The partner.
        authority: String,
        /// The address of ours that it was told.
        ours: String,
        /// The request there.
        request: RequestId,
        /// The digest of the question.
        digest: Digest,
    },
    /// Its people approve.
    Endorsed {
        /// What it comes to.
        endorsement: Endorsement,
        /// What proves it.
        evidence: Evidence,
    },
    /// What its people approved was taken back.
    Withdrawn {
        /// Why, in the words from there.
        reason: String,
    },
    /// It was told there that nothing depends on it any more.
    Told,
}

impl AbroadFact {
    /// The word for it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Asked { .. } => "asked elsewhere",
            Self::Endorsed { .. } => "endorsed",
            Self::Withdrawn { .. } => "endorsed no longer",
            Self::Told => "told elsewhere",
        }
    }
}

/// What is to be done at a partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Errand {
    /// File the question.
    Ask,
    /// Look whether it was decided.
    Await,
    /// Look whether the endorsement was taken back.
    Watch,
    /// Tell that nothing depends on it any more.
    Tell,
}

/// Why an endorsement was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndorseError {
    /// The request is over, or the stage was not asked elsewhere, or is filled.
    #[error("no endorsement of `{0}` is waited for")]
    NotAwaited(String),
    /// It does not hold.
    #[error(transparent)]
    Endorsement(#[from] EndorsementError),
}

impl Request {
    /// What has become of a stage that is reviewed elsewhere, once it was asked there.
    pub fn abroad(&self, stage: &str) -> Option<&Abroad> {
        self.abroad.get(stage)
    }

    /// The stages that are reviewed elsewhere, each with by whom.
    pub fn partnered(&self) -> impl Iterator<Item = (&Stage, &Elsewhere)> {
        let stages = self.requirement().map(|asked| asked.stages.as_slice()).unwrap_or_default();
        stages.iter().filter_map(|stage| Some((stage, stage.elsewhere.as_ref()?)))
    }

    fn partnered_stage(&self, name: &str) -> Option<(&Stage, &Elsewhere)> {
        self.partnered().find(|(stage, _)| stage.name == name)
    }

    /// The question to a partner, as the authority of this address asks it. `None` for a stage that
    /// nobody elsewhere reviews.
    pub fn question(&self, stage: &str, ours: &str) -> Option<Intent> {
        self.partnered_stage(stage)?;
        let (intent, requester) = (&self.intent, &self.requester);
        let question = Question { authority: ours, request: self.id, stage, intent, requester };
        question.intent().ok()
    }

    /// What is to be done at partners at this moment, each with its stage.
    pub fn errands(&self, now: Timestamp) -> Vec<(String, Errand)> {
        let now = self.no_earlier(now);
        let is_pending = self.is_pending(now);
        // A use that is spent and has no token yet is about to be one.
        let stands = |issued: &Issued| issued.is_live(now) || issued.awaits_token(now);
        let depends = self.state.is_open() || self.credentials.iter().any(stands);
        let errand = |name: &str| match self.abroad.get(name) {
            None => (is_pending && self.stage_life(name).opened.is_some()).then_some(Errand::Ask),
            Some(abroad) if abroad.told => None,
            Some(abroad) if abroad.endorsement.is_none() && is_pending => Some(Errand::Await),
            Some(abroad) if abroad.endorsement.is_some() && !abroad.withdrawn && depends => {
                Some(Errand::Watch)
            }
            Some(_) => (!self.state.is_open()).then_some(Errand::Tell),
        };
        self.partnered()
            .filter_map(|(stage, _)| Some((stage.name.clone(), errand(&stage.name)?)))
            .collect()
    }

    /// Whether anything is to be done at partners, now or later.
    pub fn has_errands(&self) -> bool {
        self.partnered().any(|(stage, _)| match self.abroad.get(&stage.name) {
            None => matches!(self.state, State::Pending(_)),
            Some(abroad) => !abroad.told,
        })
    }

    fn is_pending(&self, now: Timestamp) -> bool {
        matches!(self.state, State::Pending(_)) && self.deadline().is_none_or(|due| now < due)
    }

    /// What partners said that still holds.
    pub(super) fn endorsed(&self) -> Endorsed {
        let holds = |(stage, elsewhere): (&Stage, &Elsewhere)| {
            let abroad = self.abroad.get(&stage.name).filter(|abroad| !abroad.withdrawn)?;
            let people = abroad.endorsement.as_ref()?.approved_by.clone();
            Some((stage.name.clone(), (elsewhere.issuer.clone(), people)))
        };
        self.partnered().filter_map(holds).collect()
    }

    /// Whether somebody approved at a partner, as we know them.
    pub fn has_endorsed(&self, who: &PrincipalId) -> bool {
        self.endorsers().any(|endorser| endorser == who)
    }

    /// Everybody who approved at a partner, as we know them.
    pub(super) fn endorsers(&self) -> impl Iterator<Item = &PrincipalId> {
        let all = self.abroad.values().filter_map(|abroad| abroad.endorsement.as_ref());
        all.flat_map(|endorsement| &endorsement.approved_by)
    }

    /// Records that a partner has taken the question. `None` where that is not waited for.
    pub fn asked_elsewhere(
        &self,
        stage: &str,
        ours: &str,
        request: RequestId,
        now: Timestamp,
    ) -> Option<Step> {
        let now = self.no_earlier(now);
        let opened = self.stage_life(stage).opened.is_some();
        let (_, elsewhere) = self.partnered_stage(stage)?;
        if !self.is_pending(now) || !opened || self.abroad.contains_key(stage) {
            return None;
        }
        let digest = self.question(stage, ours)?.digest();
        let (authority, ours) = (elsewhere.authority.clone(), ours.to_owned());
        let what = AbroadFact::Asked { authority, ours, request, digest };
        Some(self.step(now, None, Fact::Abroad { stage: stage.to_owned(), what }))
    }

    /// Takes a partner's endorsement, which fills the stage.
    ///
    /// # Errors
    /// [`EndorseError`]; nothing is on record then.
    pub fn endorse(
        &self,
        stage: &str,
        evidence: Evidence,
        membership: &Membership,
        now: Timestamp,
    ) -> Result<Step, EndorseError> {
        let now = self.no_earlier(now);
        let not_awaited = || EndorseError::NotAwaited(stage.to_owned());
        let expected = self.expected(stage).filter(|_| self.is_pending(now));
        let mut expected = expected.ok_or_else(not_awaited)?;
        // Replay cannot know who had which account then, and so holds the word against less.
        expected.behind = membership.known_as(&self.requester.behind());
        let endorsement = evidence.check(&expected, now)?;
        let what = AbroadFact::Endorsed { endorsement, evidence };
        let mut step = self.step(now, None, Fact::Abroad { stage: stage.to_owned(), what });
        step.settle(membership, now);
        Ok(step)
    }

    /// What an endorsement of the stage must be; `None` where none is waited for.
    fn expected(&self, name: &str) -> Option<Expected<'_>> {
        let (stage, elsewhere) = self.partnered_stage(name)?;
        let abroad = self.abroad.get(name).filter(|abroad| abroad.endorsement.is_none())?;
        let since = self.stage_life(name).opened?;
        let reviews = self.reviews.iter();
        let here = reviews.flat_map(|r| std::iter::once(&r.reviewer).chain(&r.stands_in_for));
        let there = self.abroad.values().filter_map(|abroad| abroad.endorsement.as_ref());
        let spoken = here.chain(there.flat_map(|e| &e.approved_by)).cloned().collect();
        Some(Expected {
            elsewhere,
            audience: &abroad.ours,
            request: abroad.request,
            digest: abroad.digest,
            approvals: stage.approvals,
            since,
            behind: self.requester.behind().into_iter().cloned().collect(),
            spoken,
        })
    }

    /// Ends a pending request because a partner denied, or said what cannot count. `None` where that
    /// is not waited for.
    pub fn denied_elsewhere(&self, stage: &str, reason: String, now: Timestamp) -> Option<Step> {
        let now = self.no_earlier(now);
        self.expected(stage).filter(|_| self.is_pending(now))?;
        let denial = self.denial_from(stage, reason)?;
        Some(self.step(now, None, Fact::Denied(denial)))
    }

    fn denial_from(&self, stage: &str, reason: String) -> Option<Denial> {
        let (_, elsewhere) = self.partnered_stage(stage)?;
        let (authority, request) = (elsewhere.authority.clone(), self.abroad.get(stage)?.request);
        Some(Denial::Elsewhere { stage: stage.to_owned(), authority, request, reason })
    }

    /// Takes back what stood on an endorsement that was taken back: a pending request is denied, a
    /// grant and its credentials are revoked. `None` where nothing stands on it.
    pub fn withdrawn_elsewhere(&self, stage: &str, reason: String, now: Timestamp) -> Option<Step> {
        let now = self.no_earlier(now);
        let abroad = self.abroad.get(stage)?;
        if abroad.endorsement.is_none() || abroad.withdrawn || abroad.told {
            return None;
        }
        let (_, elsewhere) = self.partnered_stage(stage)?;
        let by = PrincipalId::new(&elsewhere.issuer, CALLER).ok()?;
        let what = AbroadFact::Withdrawn { reason: reason.clone() };
        let fact = Fact::Abroad { stage: stage.to_owned(), what };
        let mut step = self.step(now, Some(by.clone()), fact);
        if matches!(self.state, State::Pending(_)) {
            step.push(now, Fact::Denied(self.denial_from(stage, reason)?));
        } else if self.was_granted() {
            step.push_by(now, by, Fact::Revoked { reason });
        }
        Some(step)
    }

    /// Records that a partner knows that nothing depends on its word any more.
    pub fn told_elsewhere(&self, stage: &str, now: Timestamp) -> Option<Step> {
        let now = self.no_earlier(now);
        let told = (stage.to_owned(), Errand::Tell);
        self.errands(now).contains(&told).then(|| {
            let what = AbroadFact::Told;
            self.step(now, None, Fact::Abroad { stage: stage.to_owned(), what })
        })
    }

    /// What of a partner's part can be seen to be right in the history: that it was asked what the
    /// request says, and that its word is its own and counts.
    pub(super) fn check_abroad(
        &self,
        stage: &str,
        what: &AbroadFact,
        at: Timestamp,
    ) -> Result<(), &'static str> {
        let Some((_, elsewhere)) = self.partnered_stage(stage) else {
            return Err("a stage that nobody elsewhere reviews");
        };
        let abroad = self.abroad.get(stage);
        match what {
            AbroadFact::Asked { authority, ours, digest, .. } => {
                let asked = self.question(stage, ours).map(|question| question.digest());
                let opened = self.stage_life(stage).opened.is_some();
                let fits = *authority == elsewhere.authority && asked == Some(*digest);
                match abroad.is_none() && opened && fits {
                    true => Ok(()),
                    false => Err("a question that this request does not ask"),
                }
            }
            AbroadFact::Endorsed { endorsement, evidence } => {
                let expected = self.expected(stage).ok_or("an endorsement nobody waited for")?;
                let found = evidence.check(&expected, at);
                match found.is_ok_and(|found| found == *endorsement) {
                    true => Ok(()),
                    false => Err("an endorsement that does not hold"),
                }
            }
            AbroadFact::Withdrawn { .. } => {
                let stands = |a: &&Abroad| a.endorsement.is_some() && !a.withdrawn && !a.told;
                abroad.filter(stands).map(drop).ok_or("the end of no endorsement")
            }
            AbroadFact::Told => match abroad.is_some_and(|a| !a.told) && !self.state.is_open() {
                true => Ok(()),
                false => Err("the end of a question that is open"),
            },
        }
    }

    pub(super) fn move_abroad(&mut self, fact: &Fact) {
        let Fact::Abroad { stage, what } = fact else { return };
        if let AbroadFact::Asked { ours, request, digest, .. } = what {
            let abroad = Abroad {
                ours: ours.clone(),
                request: *request,
                digest: *digest,
                endorsement: None,
                withdrawn: false,
                told: false,
            };
            self.abroad.insert(stage.clone(), abroad);
            return;
        }
        let Some(abroad) = self.abroad.get_mut(stage) else { return };
        match what {
            AbroadFact::Endorsed { endorsement, .. } => {
                abroad.endorsement = Some(endorsement.clone());
            }
            AbroadFact::Withdrawn { .. } => abroad.withdrawn = true,
            AbroadFact::Told => abroad.told = true,
            AbroadFact::Asked { .. } => {}
        }
    }
}

/// The lives of stages that were asked elsewhere, by their names.
pub(super) type AllAbroad = BTreeMap<String, Abroad>;

/// Those who count for a stage that is reviewed elsewhere are those whom its endorsement names.
pub(super) fn is_counted(
    endorsed: &Endorsed,
    stage: &Stage,
    counted: &BTreeSet<PrincipalId>,
) -> bool {
    let people = endorsed.get(&stage.name).map(|(_, people)| people);
    people == Some(counted) && counted.len() >= stage.approvals as usize
}
