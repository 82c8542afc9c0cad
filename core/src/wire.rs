//! What is sent and stored: JSON shapes, apart from the domain so that neither binds the other.
//!
//! Everything read here is unverified until its `TryFrom` or `verify` has made a domain value of it.

pub mod authzen;
mod entries;
mod event;
mod history;
mod keys;
mod known;
pub mod oauth;
pub mod plan;
mod request;
mod rules;
pub(crate) mod signal;
mod trusts;

use std::collections::{BTreeMap, BTreeSet};

pub use entries::{
    Calendar, CalendarDates, CalendarSpan, CalendarWindow, Calendars, ClaimIn, ClaimIs, Group,
    Groups, MayAsk, NewCalendar, NewGroup, NewTrust, PolicyCheck, PolicyChecked, PolicyFinding,
    Trust, Trusts,
};
pub use event::{EventError, entry_bytes, event_from_json, event_to_json};
pub use history::{History, HistoryError, Summary};
pub use keys::{IssuerMisfit, Key, Keys, NewKey};
pub use known::{Concerns, Known, KnownError, Network, Opinion, SeenPlan};
pub use request::{
    Afterwards, Brokered, CredentialStatus, Ending, PlanBytes, Request, Review, StageElsewhere,
    StageStatus,
};
pub use rules::{
    NewDocument, PolicyDocument, PolicyDocuments, PolicyFault, PolicyProblem, PolicyStatus, Signal,
    WrittenDocument,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
pub use signal::{
    NewSignal, SignalError, SignalSubject, Signals, ToldSignal, says, signal_entry,
    signal_from_entry,
};
pub use trusts::{RulingTrust, RulingTrusts, TokenTrial, TokenTried, TrustVerdict};

use crate::intent::{self, IntentFault, UnverifiedIntent};
use crate::policy;
use crate::policy::condition::Truth;
use crate::policy::explanation;
use crate::policy::ruling::{Outcome, Terms};
use crate::policy::situation::Situation;
use crate::principal::{self, PrincipalKind};
use crate::time::Span;

/// What is about to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Dotted name: `terraform.apply`, `github.deploy`, `database.session`.
    pub kind: String,
    /// Where it is done: `production`.
    pub environment: String,
    /// What it is done to: repository, workspace, database …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub target: BTreeMap<String, String>,
    /// `sha256:` and 64 hex digits of the exact thing, such as a saved plan's bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// `sha256:` and 64 hex digits of the JSON of a plan that was handed in under `/v1/plans`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Free JSON: the requester's claims.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub context: Map<String, Value>,
    /// Why, in the requester's words.
    pub reason: String,
    /// How long the credential is wanted for: `15m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
}

impl Intent {
    /// The domain's intent, or every fault with its field.
    ///
    /// # Errors
    /// All [`IntentFault`]s at once.
    pub fn verify(self) -> Result<intent::Intent, Vec<IntentFault>> {
        let mut faults = Vec::new();
        let mut bad = |field: &str, problem: String| {
            faults.push(IntentFault { field: field.to_owned(), problem });
        };
        let subject = self.digest.map(|text| text.parse());
        let subject = subject.transpose().map_err(|e| bad("digest", format!("{e}"))).ok();
        let plan = self.plan.map(|text| text.parse());
        let plan = plan.transpose().map_err(|e| bad("plan", format!("{e}"))).ok();
        let duration = self.duration.map(|text| text.parse::<Span>());
        let duration = duration.transpose().map_err(|e| bad("duration", e.to_string())).ok();
        let Self { kind, environment, target, context, reason, .. } =
            Self { digest: None, plan: None, duration: None, ..self };
        let stated = UnverifiedIntent {
            kind,
            environment,
            target,
            subject: subject.flatten(),
            plan: plan.flatten(),
            context,
            reason,
            duration: duration.flatten(),
        };
        match stated.verify() {
            Ok(intent) if faults.is_empty() => Ok(intent),
            Ok(_) => Err(faults),
            Err(more) => Err(faults.into_iter().chain(more).collect()),
        }
    }
}

impl From<&intent::Intent> for Intent {
    fn from(intent: &intent::Intent) -> Self {
        Self {
            kind: intent.kind().to_owned(),
            environment: intent.environment().to_owned(),
            target: intent.target().clone(),
            digest: intent.subject().map(|digest| digest.to_string()),
            plan: intent.plan().map(|digest| digest.to_string()),
            context: intent.context().clone(),
            reason: intent.reason().to_owned(),
            duration: intent.duration().map(|span| span.to_string()),
        }
    }
}

/// Files an intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filing {
    /// What is about to be done.
    pub intent: Intent,
    /// Meet the open request for the same intent by the same requester, if there is one, instead
    /// of asking people again.
    #[serde(default)]
    pub reattach: bool,
}

/// A verified caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Principal {
    /// Who vouches.
    pub iss: String,
    /// The subject, as that issuer names it.
    pub sub: String,
    /// Person or workload.
    pub kind: Kind,
    /// Groups that the issuer vouches for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// The people a workload acts for.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub acts_for: BTreeSet<PrincipalId>,
    /// What else the issuer vouches for.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Value>,
}

/// Person or workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A human being.
    Person,
    /// A program.
    Workload,
}

/// Issuer and subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrincipalId {
    /// Who vouches.
    pub iss: String,
    /// The subject.
    pub sub: String,
}

impl From<&principal::PrincipalId> for PrincipalId {
    fn from(id: &principal::PrincipalId) -> Self {
        Self { iss: id.iss().to_owned(), sub: id.sub().to_owned() }
    }
}

impl TryFrom<PrincipalId> for principal::PrincipalId {
    type Error = principal::PrincipalIdError;

    fn try_from(id: PrincipalId) -> Result<Self, Self::Error> {
        Self::new(&id.iss, &id.sub)
    }
}

impl From<&principal::Principal> for Principal {
    fn from(principal: &principal::Principal) -> Self {
        Self {
            iss: principal.id.iss().to_owned(),
            sub: principal.id.sub().to_owned(),
            kind: match principal.kind {
                PrincipalKind::Person => Kind::Person,
                PrincipalKind::Workload => Kind::Workload,
            },
            groups: principal.groups.clone(),
            acts_for: principal.acts_for.iter().map(PrincipalId::from).collect(),
            claims: principal.claims.clone(),
        }
    }
}

impl TryFrom<Principal> for principal::Principal {
    type Error = principal::PrincipalIdError;

    fn try_from(sent: Principal) -> Result<Self, Self::Error> {
        let acts_for = sent.acts_for.into_iter().map(TryInto::try_into);
        Ok(Self {
            id: principal::PrincipalId::new(&sent.iss, &sent.sub)?,
            kind: match sent.kind {
                Kind::Person => PrincipalKind::Person,
                Kind::Workload => PrincipalKind::Workload,
            },
            groups: sent.groups,
            acts_for: acts_for.collect::<Result<_, _>>()?,
            claims: sent.claims,
        })
    }
}

/// Who the caller is, to this authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Whoami {
    /// The caller.
    pub principal: Principal,
    /// Every group the caller is in, by its issuer and by the policy documents.
    pub groups: BTreeSet<String>,
    /// Whether the caller may administer the authority.
    pub administrator: bool,
    /// When the token that was presented ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

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

/// A dry run: what policy would say, and why. Nothing is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The intent's own digest.
    pub digest: String,
    /// What policy says.
    pub ruling: Ruling,
    /// What became of each rule; over HTTP, of each that is not for another kind, environment or
    /// target.
    pub explanation: Vec<Account>,
    /// How the risk score came about, where the policy has factors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risk: Vec<FactorAccount>,
}

/// What became of one risk factor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FactorAccount {
    /// The factor.
    pub factor: String,
    /// What it adds if it holds.
    pub weight: u32,
    /// `true`, `false` or `unknown`.
    pub result: String,
    /// Each condition.
    pub conditions: Vec<ConditionAccount>,
}

/// What became of one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// The rule.
    pub rule: String,
    /// Where it stands: `policy/prod.yaml:12:5`, or `api:/freeze.yaml:3:5` for what came over the
    /// API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// `deny`, `require` or `allow`.
    pub effect: String,
    /// `matched`, `not matched` or `indeterminate`.
    pub result: String,
    /// Whether a matching allow waives it.
    pub waived: bool,
    /// Whether a missed later review keeps it from matching.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// What its engine said, for an `ask`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opinion: Option<Opinion>,
    /// Each condition.
    pub conditions: Vec<ConditionAccount>,
}

/// What became of one condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionAccount {
    /// What it demands.
    pub demand: String,
    /// What was found.
    pub found: String,
    /// `true`, `false` or `unknown`.
    pub result: String,
    /// Whether the rule came out as it did because of this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub decides: bool,
    /// The conditions it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<ConditionAccount>,
}

impl From<&explanation::ConditionAccount> for ConditionAccount {
    fn from(account: &explanation::ConditionAccount) -> Self {
        Self {
            demand: account.demand.clone(),
            found: account.found.clone(),
            result: truth_word(account.truth).to_owned(),
            decides: account.decides,
            within: account.within.iter().map(Self::from).collect(),
        }
    }
}

fn truth_word(truth: Truth) -> &'static str {
    match truth {
        Truth::True => "true",
        Truth::False => "false",
        Truth::Unknown => "unknown",
    }
}

impl From<&explanation::Account> for Account {
    fn from(account: &explanation::Account) -> Self {
        Self {
            rule: account.rule.clone(),
            place: None,
            effect: account.effect.to_owned(),
            result: match account.truth {
                Truth::True => "matched",
                Truth::False => "not matched",
                Truth::Unknown => "indeterminate",
            }
            .to_owned(),
            waived: account.waived,
            suspended: account.suspended,
            opinion: account.opinion.as_ref().map(Opinion::from),
            conditions: account.conditions.iter().map(ConditionAccount::from).collect(),
        }
    }
}

impl From<&explanation::FactorAccount> for FactorAccount {
    fn from(account: &explanation::FactorAccount) -> Self {
        Self {
            factor: account.factor.clone(),
            weight: account.weight,
            result: truth_word(account.truth).to_owned(),
            conditions: account.conditions.iter().map(ConditionAccount::from).collect(),
        }
    }
}

impl Decision {
    /// What policy says of this situation, and why.
    pub fn of(policy: &policy::Policy, situation: &Situation<'_>) -> Self {
        Self::explained(policy, situation, policy.explain(situation))
    }

    /// The same, without a word on rules for another kind, environment or target.
    pub fn near(policy: &policy::Policy, situation: &Situation<'_>) -> Self {
        Self::explained(policy, situation, policy.explain_near(situation))
    }

    fn explained(
        policy: &policy::Policy,
        situation: &Situation<'_>,
        explanation: explanation::Explanation,
    ) -> Self {
        let risk = explanation.risk.iter().flat_map(|risk| &risk.factors);
        let account = |account: &explanation::Account| Account {
            place: policy.place_of(&account.rule).map(ToString::to_string),
            ..Account::from(account)
        };
        Self {
            digest: situation.intent.digest().to_string(),
            ruling: (&policy.rule(situation)).into(),
            explanation: explanation.rules.iter().map(account).collect(),
            risk: risk.map(FactorAccount::from).collect(),
        }
    }
}

/// A person's verdict on exactly what was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReview {
    /// Approve or deny.
    pub verdict: Verdict,
    /// In the reviewer's words; a denial needs one.
    #[serde(default)]
    pub comment: String,
    /// The request's digest, as it was shown.
    pub digest: String,
}

/// Approve or deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Exactly this may be done.
    Approve,
    /// It must not.
    Deny,
}

/// Why something is canceled or revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// In the caller's words.
    #[serde(default)]
    pub reason: String,
}

/// Asks for a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MintRequest {
    /// For whom it shall be good.
    pub audience: String,
    /// How long it is wanted for: `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// What the grant shall open beside the token: the name of one of the authority's brokers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
    /// How long the holder wants to be silent at most before it ends: `2m`. Rules may ask for less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
}

/// Spends a single-use token, as the service that was shown it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redemption {
    /// The token.
    pub token: String,
    /// For whom it must be: the service itself.
    pub audience: String,
    /// What came with it, where it is bound to a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop: Option<PassedOn>,
}

impl std::fmt::Debug for Redemption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redemption").field("audience", &self.audience).finish_non_exhaustive()
    }
}

/// A proof of possession (RFC 9449) that a service was shown, and the call that it came with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PassedOn {
    /// The `DPoP` header.
    pub proof: String,
    /// The call's method.
    pub method: String,
    /// The call's URL, as its sender sees it.
    pub uri: String,
}

/// A minted credential. The token and the fields are given once and kept nowhere.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Credential {
    /// Its id, the token's `jti`.
    pub id: String,
    /// The token.
    pub token: String,
    /// How it is presented: `Bearer`, or `DPoP` where it is bound to a key (RFC 9449).
    #[serde(default = "bearer")]
    pub token_type: String,
    /// When it ends.
    pub expires_at: String,
    /// The token's claims, to read.
    pub claims: Value,
    /// What a broker opened: `host`, `username`, `password` … by its kind. All of it is secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// How long its holder may be silent before it ends, where it must show signs of life: a good
    /// client sends three in that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
    /// When the next one is due, by the authority's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_due: Option<String>,
}

fn bearer() -> String {
    "Bearer".to_owned()
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What follows from a sign of life; nothing where none is asked of the holder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Heartbeat {
    /// How long the holder may be silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
    /// When the next one is due, by the authority's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_due: Option<String>,
}

/// A credential, and what it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialEntry {
    /// Its request.
    pub request: String,
    /// Who asked.
    pub requester: Principal,
    /// For what kind of action.
    pub kind: String,
    /// In which environment.
    pub environment: String,
    /// Why.
    pub reason: String,
    /// What is known of it.
    pub credential: CredentialStatus,
}

/// Some credentials.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialList {
    /// By request, newest first.
    pub credentials: Vec<CredentialEntry>,
    /// Where the next page begins, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Ends everything that fits: every grant and every credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// In this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Of this requester.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<String>,
    /// Said so that nobody ends everything by leaving something out: `true`.
    pub all: bool,
    /// Why, for the record.
    pub reason: String,
    /// Only count what would end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// What ended, or would.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Revoked {
    /// Whether it was only counted.
    pub dry_run: bool,
    /// Of how many requests something was good.
    pub requests: usize,
    /// How many grants.
    pub grants: usize,
    /// How many credentials.
    pub credentials: usize,
    /// What brokers have opened and not closed.
    pub open_outside: Vec<OpenOutside>,
    /// What could not be taken back: ask again.
    pub failed: Vec<NotRevoked>,
}

/// Something that a broker has opened and not closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenOutside {
    /// The request.
    pub request: String,
    /// The credential.
    pub credential: String,
    /// What is open.
    pub brokered: Brokered,
}

/// A request that could not be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotRevoked {
    /// Which.
    pub request: String,
    /// Why not.
    pub problem: String,
}

/// What the authority says of a presented credential: RFC 7662, or what redeeming it gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Introspection {
    /// Whether it is good now.
    pub active: bool,
    /// The token's claims, where it is.
    #[serde(flatten)]
    pub claims: Map<String, Value>,
}

/// A place of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checkpoint {
    /// How many entries it has.
    pub size: u64,
    /// The Merkle root over them, RFC 6962 section 2.1, in hex.
    pub root: String,
}

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Its index, from 0: the leaf's index in the Merkle tree.
    pub index: u64,
    /// The event; its canonical JSON (RFC 8785) is the leaf's data.
    pub event: Value,
}

/// Some entries of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entries {
    /// In order.
    pub entries: Vec<Entry>,
}

/// Some requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Requests {
    /// Newest first.
    pub requests: Vec<Request>,
    /// Where the next page begins, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Makes an access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccess {
    /// Person or workload.
    pub kind: Kind,
    /// Its name to this authority.
    pub sub: String,
    /// The people a workload acts for, by their names to this authority.
    #[serde(default)]
    pub acts_for: BTreeSet<String>,
    /// The groups that the identity provider is taken to vouch for. Only groups of which the policy
    /// documents say so count for anything.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// Whether it may administer the authority.
    #[serde(default)]
    pub administrator: bool,
    /// How long it lives: `90d`, at most `365d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<String>,
}

/// An access token's record; never the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Access {
    /// Its id, which the token begins with.
    pub id: String,
    /// Whose it is.
    pub principal: Principal,
    /// Whether it may administer the authority.
    pub administrator: bool,
    /// What it is for: `token` or `session`.
    pub purpose: String,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    pub expires_at: String,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
    /// The trust under which it was exchanged for another token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<String>,
    /// The address of the program that it was given to by a browser, or `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// A fresh access token. It is shown once.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct FreshAccess {
    /// Its record.
    pub access: Access,
    /// The token.
    pub token: String,
}

impl std::fmt::Debug for FreshAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FreshAccess").field("access", &self.access).finish_non_exhaustive()
    }
}

/// All access tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessList {
    /// Newest first.
    pub tokens: Vec<Access>,
}

/// The one-time code of the first start.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    /// The code of the printed link.
    pub code: String,
    /// The first administrator's name.
    pub sub: String,
}

impl std::fmt::Debug for Bootstrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bootstrap").field("sub", &self.sub).finish_non_exhaustive()
    }
}

/// RFC 9457: what went wrong, for programs and people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// `about:blank`: the code says what kind it is.
    #[serde(rename = "type")]
    pub type_: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable, for programs.
    pub code: String,
    /// What happened and what to do, for people.
    pub detail: String,
    /// Each fault with its place, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemField>,
    /// What must be approved first, for code `approval_required`. Its reason is empty: whoever files
    /// it says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Box<Intent>>,
}

/// One fault in what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProblemField {
    /// The field.
    pub field: String,
    /// What is wrong.
    pub problem: String,
}
