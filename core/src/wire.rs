//! What is sent and stored: JSON shapes, apart from the domain so that neither binds the other.
//!
//! Everything read here is unverified until its `TryFrom` or `verify` has made a domain value of it.

mod event;
mod history;
pub mod plan;
mod request;

use std::collections::{BTreeMap, BTreeSet};

pub use event::{EventError, entry_bytes, event_from_json, event_to_json};
pub use history::{History, HistoryError, Summary};
pub use request::{CredentialStatus, Ending, Request, Review, StageStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::intent::{self, IntentFault, UnverifiedIntent};
use crate::policy;
use crate::policy::condition::Truth;
use crate::policy::ruling::{Outcome, Terms};
use crate::principal::{self, PrincipalKind};
use crate::time::Span;

/// What is about to be done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
        let duration = self.duration.map(|text| text.parse::<Span>());
        let duration = duration.transpose().map_err(|e| bad("duration", e.to_string())).ok();
        let Self { kind, environment, target, context, reason, .. } =
            Self { digest: None, duration: None, ..self };
        let stated = UnverifiedIntent {
            kind,
            environment,
            target,
            subject: subject.flatten(),
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
    /// From whom: `group:release-managers`, `person:bob`.
    pub from: Vec<String>,
    /// Who may not count, beside the requester and everybody behind the change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// The stage that must be filled before this one opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
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
            from: stage.from.iter().map(ToString::to_string).collect(),
            exclude: stage.exclude.iter().map(ToString::to_string).collect(),
            after: stage.after.clone(),
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
        }
    }
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
    /// What became of each rule.
    pub explanation: Vec<Account>,
}

/// What became of one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// The rule.
    pub rule: String,
    /// `deny`, `require` or `allow`.
    pub effect: String,
    /// `matched`, `not matched` or `indeterminate`.
    pub result: String,
    /// Whether a matching allow waives it.
    pub waived: bool,
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
}

impl From<&policy::Account> for Account {
    fn from(account: &policy::Account) -> Self {
        let condition = |one: &policy::ConditionAccount| ConditionAccount {
            demand: one.demand.clone(),
            found: one.found.clone(),
            result: match one.truth {
                Truth::True => "true",
                Truth::False => "false",
                Truth::Unknown => "unknown",
            }
            .to_owned(),
        };
        Self {
            rule: account.rule.clone(),
            effect: account.effect.to_owned(),
            result: match account.truth {
                Truth::True => "matched",
                Truth::False => "not matched",
                Truth::Unknown => "indeterminate",
            }
            .to_owned(),
            waived: account.waived,
            conditions: account.conditions.iter().map(condition).collect(),
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MintRequest {
    /// For whom it shall be good.
    pub audience: String,
    /// How long it is wanted for: `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
}

/// A minted credential. The token is given once and kept nowhere.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Credential {
    /// Its id, the token's `jti`.
    pub id: String,
    /// The token.
    pub token: String,
    /// When it ends.
    pub expires_at: String,
    /// The token's claims, to read.
    pub claims: Value,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("id", &self.id).finish_non_exhaustive()
    }
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
}

/// One fault in what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProblemField {
    /// The field.
    pub field: String,
    /// What is wrong.
    pub problem: String,
}
