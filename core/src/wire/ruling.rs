//! What policy says: permit, require or refuse, with whom it asks and what a grant allows.

pub(super) mod read;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy;
use crate::policy::ruling::{Outcome, Terms};
use crate::wire::PrincipalId;

/// What policy says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ruling {
    /// Permit, require or refuse.
    pub outcome: Said,
    /// The rules that decided.
    pub rules: BTreeSet<String>,
    /// The revision of the policy that spoke.
    pub policy: String,
    /// What must be filled, for `require`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// How long people have, for `require`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<String>,
    /// What a grant allows, unless refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credentials>,
    /// Why, for `refuse`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<RefusalReason>,
    /// Who is told of it: `group:security`, `channel:incidents`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
    /// What must be looked at after the grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_reviews: Vec<PostReview>,
    /// The risk score, where the policy has factors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
}

/// A review that is due after a grant that nobody was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostReview {
    /// The rule that wants it.
    pub rule: String,
    /// How many different people.
    pub approvals: u32,
    /// From whom.
    pub by: Vec<String>,
    /// How long after the grant.
    pub within: String,
    /// The rule that does not match as long as the review is overdue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<String>,
    /// Who is told when it is overdue.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
}

/// A risk score; a range as long as factors cannot be settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// If nothing that cannot be settled holds.
    pub least: u32,
    /// If everything that cannot be settled holds.
    pub most: u32,
}

/// Who else may count for a stage that stays open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// How long after the stage opened.
    pub after: String,
    /// Who is asked too from then on.
    pub to: Vec<String>,
    /// How long after that the request expires, if the stage is still open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then_expire_after: Option<String>,
}

/// The three answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    /// Nobody needs to be asked.
    Permit,
    /// These people must approve.
    Require,
    /// It must not be done.
    Refuse,
}

impl Said {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Require => "require",
            Self::Refuse => "refuse",
        }
    }
}

/// One group of approvers and how many of them must approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// `rule/stage`.
    pub name: String,
    /// The rules that ask for it.
    pub rules: BTreeSet<String>,
    /// How many different people.
    pub approvals: u32,
    /// From whom: `group:release-managers`, `person:bob`; nobody here where it is reviewed elsewhere.
    pub from: Vec<String>,
    /// The authority of another organisation whose people review it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Elsewhere>,
    /// Who may not count, beside the requester and everybody behind the change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// The stage that must be filled before this one opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How long ago a reviewer may have signed in at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_within: Option<String>,
    /// With what kind of passkey a reviewer must sign, where they must.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<SignatureDemand>,
    /// Of which classes (`acr`) a reviewer's sign-in must be: of each list, one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr: Vec<BTreeSet<String>>,
    /// By which methods (`amr`) it must have been: of each list, one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<BTreeSet<String>>,
    /// How long after it opened the request expires, if it is not filled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<String>,
    /// Who else may count, if it stays open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<Escalation>,
    /// How often its people are told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind: Option<String>,
}

/// What a stage demands of the passkey that signs a review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignatureDemand {
    /// Its key can never leave its device.
    pub device_bound: bool,
    /// For how long it must have been enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled_for: Option<String>,
    /// The person's identity provider must have vouched for it.
    pub vouched: bool,
}

impl std::fmt::Display for SignatureDemand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.device_bound { "a device-bound passkey" } else { "a passkey" })?;
        if let Some(least) = &self.enrolled_for {
            write!(f, " enrolled for {least}")?;
        }
        f.write_str(if self.vouched { " and vouched for" } else { "" })
    }
}

impl Stage {
    /// Who is asked: people here, or those of another authority.
    pub fn asks(&self) -> Vec<String> {
        let elsewhere = self.elsewhere.iter().map(|to| format!("authority:{}", to.authority));
        self.from.iter().cloned().chain(elsewhere).collect()
    }
}

/// The authority of another organisation, as a stage asks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Elsewhere {
    /// What the policy calls it.
    pub authority: String,
    /// Its URL, and the exact issuer of its credentials.
    pub issuer: String,
    /// For whom the tokens are by which this authority says there who it is.
    pub audience: String,
    /// Who of theirs counts; absent is everybody whom its rules ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvers: Option<BTreeSet<String>>,
    /// Who of theirs is who here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub people: BTreeMap<String, PrincipalId>,
}

/// What a grant allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The longest life of one.
    pub max_ttl: String,
    /// How many, in all.
    pub uses: u32,
    /// For whom; absent is anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audiences: Option<BTreeSet<String>>,
    /// How long after approval the first must be minted.
    pub grant_window: String,
    /// What exchanges the grant for something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
    /// The role a credential has at its audience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How long its holder may be silent before a credential ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
    /// Whether another attempt at the same run may use the grant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reuse_within_run: bool,
    /// `required`: only bound to a key that its holder shows with each use (RFC 9449).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop: Option<String>,
}

/// Why it is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusalReason {
    /// The rule.
    pub rule: String,
    /// What it says.
    pub message: String,
}

impl From<&policy::ruling::Ruling> for Ruling {
    fn from(ruling: &policy::ruling::Ruling) -> Self {
        let mut sent = Self {
            outcome: Said::Refuse,
            rules: ruling.rules.clone(),
            policy: ruling.policy.to_string(),
            stages: Vec::new(),
            expires_after: None,
            credential: None,
            reasons: Vec::new(),
            notify: texts(&ruling.notify),
            post_reviews: ruling.post_reviews.iter().map(PostReview::from).collect(),
            risk: ruling.risk.map(|score| Risk { least: score.least, most: score.most }),
        };
        match &ruling.outcome {
            Outcome::Permit(terms) => {
                sent.outcome = Said::Permit;
                sent.credential = Some(terms.into());
            }
            Outcome::Require(asked) => {
                sent.outcome = Said::Require;
                sent.stages = asked.stages.iter().map(Stage::from).collect();
                sent.expires_after = Some(asked.expires_after.to_string());
                sent.credential = Some((&asked.terms).into());
            }
            Outcome::Refuse(reasons) => {
                let reason = |reason: &policy::ruling::Reason| RefusalReason {
                    rule: reason.rule.clone(),
                    message: reason.message.clone(),
                };
                sent.reasons = reasons.iter().map(reason).collect();
            }
        }
        sent
    }
}

impl From<&policy::ruling::Stage> for Stage {
    fn from(stage: &policy::ruling::Stage) -> Self {
        Self {
            name: stage.name.clone(),
            rules: stage.rules.clone(),
            approvals: stage.approvals,
            from: texts(&stage.from),
            elsewhere: stage.elsewhere.as_ref().map(Elsewhere::from),
            exclude: texts(&stage.exclude),
            after: stage.after.clone(),
            login_within: stage.login_within.map(|span| span.to_string()),
            signature: stage.signature.map(|demand| SignatureDemand {
                device_bound: demand.device_bound,
                enrolled_for: demand.enrolled_for.map(|span| span.to_string()),
                vouched: demand.vouched,
            }),
            acr: stage.means.acr.iter().cloned().collect(),
            amr: stage.means.amr.iter().cloned().collect(),
            expires_after: stage.expires_after.map(|span| span.to_string()),
            escalate: stage.escalate.as_ref().map(|escalation| Escalation {
                after: escalation.after.to_string(),
                to: texts(&escalation.to),
                then_expire_after: escalation.then_expire_after.map(|span| span.to_string()),
            }),
            remind: stage.remind.map(|span| span.to_string()),
        }
    }
}

impl From<&policy::ruling::Elsewhere> for Elsewhere {
    fn from(elsewhere: &policy::ruling::Elsewhere) -> Self {
        let people = elsewhere.people.iter().map(|(name, id)| (name.clone(), id.into()));
        Self {
            authority: elsewhere.authority.clone(),
            issuer: elsewhere.issuer.clone(),
            audience: elsewhere.audience.clone(),
            approvers: elsewhere.approvers.clone(),
            people: people.collect(),
        }
    }
}

impl From<&Terms> for Credentials {
    fn from(terms: &Terms) -> Self {
        Self {
            max_ttl: terms.max_ttl.to_string(),
            uses: terms.uses,
            audiences: terms.audiences.clone(),
            grant_window: terms.grant_window.to_string(),
            broker: terms.broker.clone(),
            role: terms.role.clone(),
            heartbeat: terms.heartbeat.map(|span| span.to_string()),
            reuse_within_run: terms.reuse_within_run,
            dpop: terms.dpop.map(|dpop| dpop.to_string()),
        }
    }
}

impl From<&policy::ruling::PostReview> for PostReview {
    fn from(review: &policy::ruling::PostReview) -> Self {
        Self {
            rule: review.rule.clone(),
            approvals: review.approvals,
            by: texts(&review.by),
            within: review.within.to_string(),
            suspend: review.suspend.clone(),
            notify: texts(&review.notify),
        }
    }
}

fn texts<T: ToString>(items: &BTreeSet<T>) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}
