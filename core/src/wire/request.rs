//! A request as it is shown to callers, and what they say of it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::github;
use crate::membership::Membership;
use crate::policy::quorum::{Approval, StageProgress, is_asked};
use crate::policy::ruling;
use crate::request::{self, Denial, EndedHow, State};
use crate::statement::UnverifiedSignature;
use crate::time::Timestamp;
use crate::webauthn::UnverifiedAssertion;
use crate::wire::{Intent, Principal, Ruling};

/// A request, as of one version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Request {
    /// `req_` and a ULID.
    pub id: String,
    /// `pending`, `approved`, `denied`, `expired`, `canceled`, `consumed` or `revoked`.
    pub state: String,
    /// Grows with every event.
    pub version: u64,
    /// The page on which people decide.
    pub url: String,
    /// The intent's own digest: what a review must name.
    pub digest: String,
    /// What is about to be done.
    pub intent: Intent,
    /// Who asks.
    pub requester: Principal,
    /// What policy said.
    pub ruling: Ruling,
    /// When it was filed.
    pub filed_at: String,
    /// When it expires if nothing happens: the review deadline while pending, the end of the
    /// grant's window while approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// How long its requester may be silent before it is canceled: while it is pending, where signs
    /// of life are listened for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
    /// How far each stage is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageStatus>,
    /// Every review that stands, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<Review>,
    /// Reviews that their givers took back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<WithdrawnReview>,
    /// Those who counted, once approved.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub approved_by: BTreeSet<String>,
    /// The later reviews of its grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub afterwards: Vec<Afterwards>,
    /// How it ended, unless it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// The credentials of its grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<CredentialStatus>,
    /// The run it belongs to, by what its requester's issuer says of that: nobody uses the grant from
    /// another.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub run: BTreeMap<String, String>,
    /// The exact plan's bytes, where they were sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_bytes: Option<PlanBytes>,
    /// Where it comes from, where a job of GitHub Actions asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// The job of GitHub Actions that asks, by what its issuer vouches for. Every link is made of that by
/// the authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// `acme/shop`.
    pub repository: String,
    /// Its page.
    pub repository_url: String,
    /// The commit, in full.
    pub commit: String,
    /// Its page.
    pub commit_url: String,
    /// The run and the attempt at it.
    pub run: String,
    /// Its page.
    pub run_url: String,
    /// The branch or tag, in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The workflow's file and where it is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// What started the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Who started it, by the name they had then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Since when its changes were looked at for the people behind them: a commit, `beginning`, or
    /// `newest-N` for the newest N commits alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes_since: Option<String>,
    /// How many of those commits were written by nobody whom GitHub knows: whoever wrote them could
    /// approve them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_authors: Option<String>,
}

impl From<github::Source> for Source {
    fn from(source: github::Source) -> Self {
        let github::Source { repository, repository_url, commit, commit_url, .. } = source;
        let github::Source { run, run_url, reference, workflow, event, actor, .. } = source;
        let github::Source { changes_since, unknown_authors, .. } = source;
        Self {
            repository,
            repository_url,
            commit,
            commit_url,
            run,
            run_url,
            reference,
            workflow,
            event,
            actor,
            changes_since,
            unknown_authors,
        }
    }
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

/// What is known of an exact plan's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanBytes {
    /// How many.
    pub size: u64,
    /// Since when they are kept.
    pub at: String,
    /// Until when at the latest.
    pub until: String,
    /// `kept` or `removed`.
    pub status: String,
    /// When they were given to the run that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched_at: Option<String>,
}

/// How far one stage is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StageStatus {
    /// `rule/stage`.
    pub name: String,
    /// How many different people it needs.
    pub approvals: u32,
    /// From whom.
    pub from: Vec<String>,
    /// Those who count for it.
    pub counted: Vec<String>,
    /// Those who still could.
    pub awaited: Vec<String>,
    /// Whether reviews are taken for it now.
    pub open: bool,
    /// When others were asked too, because it stayed open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalated_at: Option<String>,
    /// The other organisation whose people review it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<StageElsewhere>,
}

/// A stage that the people of another organisation review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StageElsewhere {
    /// What the policy calls their authority.
    pub authority: String,
    /// Its URL.
    pub issuer: String,
    /// `waiting` for stages before it, `unasked`, `asked`, `endorsed` or `withdrawn`.
    pub status: String,
    /// The request there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The page there on which its people decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The credential there that endorses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

fn reviewed_elsewhere(
    request: &request::Request,
    stage: &ruling::Stage,
    to: &ruling::Elsewhere,
) -> StageElsewhere {
    let abroad = request.abroad(&stage.name);
    let endorsement = abroad.and_then(|abroad| abroad.endorsement.as_ref());
    let status = match (abroad, endorsement) {
        (None, _) if request.stage_life(&stage.name).opened.is_none() => "waiting",
        (None, _) => "unasked",
        (Some(abroad), _) if abroad.withdrawn => "withdrawn",
        (Some(_), Some(_)) => "endorsed",
        (Some(_), None) => "asked",
    };
    StageElsewhere {
        authority: to.authority.clone(),
        issuer: to.issuer.clone(),
        status: status.to_owned(),
        request: abroad.map(|abroad| abroad.request.to_string()),
        url: abroad.map(|abroad| format!("{}/requests/{}", to.issuer, abroad.request)),
        credential: endorsement.map(|endorsement| endorsement.credential.to_string()),
    }
}

/// One person's review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Review {
    /// `rev_` and a ULID.
    pub id: String,
    /// Who.
    pub reviewer: String,
    /// Approve or deny.
    pub verdict: Verdict,
    /// In the reviewer's words.
    pub comment: String,
    /// When.
    pub at: String,
    /// The passkey that signed it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<String>,
}

/// A review that its giver took back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WithdrawnReview {
    /// What was said.
    pub review: Review,
    /// When it was taken back.
    pub at: String,
    /// Why, in the reviewer's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl From<&request::Withdrawn> for WithdrawnReview {
    fn from(withdrawn: &request::Withdrawn) -> Self {
        let review = (&withdrawn.review).into();
        Self { review, at: withdrawn.at.to_string(), reason: withdrawn.reason.clone() }
    }
}

/// A later review of a grant that nobody was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Afterwards {
    /// The rule that wants it.
    pub rule: String,
    /// How many different people.
    pub approvals: u32,
    /// From whom.
    pub by: Vec<String>,
    /// Until when.
    pub due: String,
    /// `open`, `done` or `missed`.
    pub status: String,
    /// Every later review, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<Review>,
}

impl From<&request::Afterwards> for Afterwards {
    fn from(after: &request::Afterwards) -> Self {
        let status = match (after.done, after.missed) {
            (Some(_), _) => "done",
            (None, Some(_)) => "missed",
            (None, None) => "open",
        };
        Self {
            rule: after.review.rule.clone(),
            approvals: after.review.approvals,
            by: after.review.by.iter().map(ToString::to_string).collect(),
            due: after.due.to_string(),
            status: status.to_owned(),
            reviews: after.reviews.iter().map(Review::from).collect(),
        }
    }
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ending {
    /// When.
    pub at: String,
    /// Who; absent where policy or time did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, in one line.
    pub reason: String,
}

/// What is known of a credential; never the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CredentialStatus {
    /// `crd_` and a ULID.
    pub id: String,
    /// For whom it is good.
    pub audience: String,
    /// When its use was spent.
    pub at: String,
    /// When it ends at the latest.
    pub expires_at: String,
    /// `live`, `redeemed`, `expired`, `completed`, `revoked`, `silent`, `abandoned`, `unminted`, or
    /// `key_revoked` where the key that signed it was taken out of use.
    pub status: String,
    /// SHA-256 of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// When it was redeemed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeemed_at: Option<String>,
    /// Who redeemed it: whoever held the token, and not always the service it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeemed_by: Option<String>,
    /// What a broker opened for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brokered: Option<Brokered>,
    /// How long its holder may be silent before it ends, where signs of life are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
    /// When its holder must be heard of again; told of one credential alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_due: Option<String>,
    /// The thumbprint of the key that it is bound to (RFC 9449).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
}

/// What a broker opened for a credential, or may have; never what it gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Brokered {
    /// The broker.
    pub broker: String,
    /// `open`; `closing` as long as it is over and not closed; `outlives` as long as it works although
    /// the credential is over, because nobody can take it back; `closed`.
    pub status: String,
    /// Whether it works until it ends by itself, whoever wants it closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_expires: bool,
    /// Until when it works although the credential is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlives: Option<String>,
    /// Since when nothing of it exists any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<String>,
    /// What stood in the way of closing it at the first try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Request {
    /// How a request looks to callers: by today's membership, at this moment, on the authority of
    /// this base URL.
    pub fn show(
        request: &request::Request,
        membership: &Membership,
        now: Timestamp,
        base: &str,
    ) -> Self {
        Self {
            id: request.id().to_string(),
            state: request.state().word().to_owned(),
            version: request.version().0,
            url: format!("{}/requests/{}", base.trim_end_matches('/'), request.id()),
            digest: request.digest().to_string(),
            intent: request.intent().into(),
            requester: request.requester().into(),
            ruling: request.ruling().into(),
            filed_at: request.filed_at().to_string(),
            expires_at: request.deadline().map(|at| at.to_string()),
            heartbeat: heartbeat(request),
            stages: stages(request, membership),
            reviews: request.reviews().iter().map(Review::from).collect(),
            withdrawn: request.withdrawn().iter().map(WithdrawnReview::from).collect(),
            approved_by: approved_by(request.state()),
            afterwards: request.afterwards().iter().map(Afterwards::from).collect(),
            ending: ending(request.state()),
            credentials: request.credentials().iter().map(|c| credential(c, now)).collect(),
            run: run(request),
            plan_bytes: request.kept_plan().map(|plan| PlanBytes::show(plan, now)),
            source: github::Source::of(request.requester()).map(Source::from),
        }
    }
}

fn heartbeat(request: &request::Request) -> Option<String> {
    let pending = matches!(request.state(), State::Pending(_));
    request.heartbeat().filter(|_| pending).map(|every| every.to_string())
}

fn run(request: &request::Request) -> BTreeMap<String, String> {
    let binding = request.binding();
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    binding.claims().into_iter().map(owned).collect()
}

impl PlanBytes {
    fn show(plan: &request::KeptPlan, now: Timestamp) -> Self {
        Self {
            size: plan.size,
            at: plan.at.to_string(),
            until: plan.until.to_string(),
            status: if plan.is_kept(now) { "kept" } else { "removed" }.to_owned(),
            fetched_at: plan.fetched_at.map(|at| at.to_string()),
        }
    }
}

fn stages(request: &request::Request, membership: &Membership) -> Vec<StageStatus> {
    let progress = request.progress(membership);
    let asked = request.asked_stages();
    let behind = request.requester().behind();
    // Whoever has approved at a partner is not asked here, too.
    let has_spoken =
        |person: &_| request.speakers().any(|spoken| membership.are_same(spoken, person));
    let status = |((stage, progress), asked): ((&ruling::Stage, &StageProgress), &bool)| {
        let able = membership.people(&stage.from).into_iter().filter(|person| {
            let alone = Approval::default();
            is_asked(stage, person, &alone, &behind, membership) && !has_spoken(person)
        });
        StageStatus {
            name: stage.name.clone(),
            approvals: stage.approvals,
            from: stage.asks().collect(),
            counted: progress.counted.iter().map(ToString::to_string).collect(),
            awaited: able.filter(|_| *asked).map(ToString::to_string).collect(),
            open: progress.open && request.state().is_open(),
            escalated_at: request.stage_life(&stage.name).escalated.map(|at| at.to_string()),
            elsewhere: stage.elsewhere.as_ref().map(|to| reviewed_elsewhere(request, stage, to)),
        }
    };
    asked.iter().zip(progress.stages()).zip(progress.asked()).map(status).collect()
}

fn approved_by(state: &State) -> BTreeSet<String> {
    match state {
        State::Approved(approved) => approved.counted.iter().map(ToString::to_string).collect(),
        State::Consumed(consumed) => consumed.counted.iter().map(ToString::to_string).collect(),
        State::Pending(_)
        | State::Denied(_)
        | State::Expired(_)
        | State::Canceled(_)
        | State::Revoked(_) => BTreeSet::new(),
    }
}

fn ending(state: &State) -> Option<Ending> {
    let ended = |at: Timestamp, by: Option<String>, reason: String| {
        Some(Ending { at: at.to_string(), by, reason })
    };
    match state {
        State::Pending(_) | State::Approved(_) => None,
        State::Denied(denied) => match &denied.denial {
            Denial::Refused(reasons) => {
                let lines = reasons.iter().map(|r| format!("{} ({})", r.message, r.rule));
                ended(denied.at, None, lines.collect::<Vec<_>>().join("; "))
            }
            Denial::Reviewed { by, comment, .. } => {
                ended(denied.at, Some(by.to_string()), comment.clone())
            }
            Denial::Elsewhere { authority, reason, .. } => {
                ended(denied.at, Some(format!("authority:{authority}")), reason.clone())
            }
        },
        State::Expired(expired) => {
            ended(expired.at, None, format!("its time was up at {}", expired.deadline))
        }
        State::Canceled(canceled) => ended(
            canceled.at,
            canceled.by.as_ref().map(ToString::to_string),
            canceled.reason.clone(),
        ),
        State::Consumed(consumed) => ended(consumed.at, None, "its grant is used".to_owned()),
        State::Revoked(revoked) => {
            ended(revoked.at, revoked.by.as_ref().map(ToString::to_string), revoked.reason.clone())
        }
    }
}

fn credential(issued: &request::Issued, now: Timestamp) -> CredentialStatus {
    let status = match &issued.ended {
        Some(ended) => match ended.how {
            EndedHow::Completed => "completed",
            EndedHow::Revoked => "revoked",
            EndedHow::Abandoned => "abandoned",
            EndedHow::Silent => "silent",
        },
        None if now >= issued.expires_at => "expired",
        None if issued.fingerprint.is_none() => "unminted",
        None if issued.redeemed_at.is_some() => "redeemed",
        None => "live",
    };
    CredentialStatus {
        id: issued.id.to_string(),
        audience: issued.audience.clone(),
        at: issued.at.to_string(),
        expires_at: issued.expires_at.to_string(),
        status: status.to_owned(),
        fingerprint: issued.fingerprint.map(|digest| digest.to_string()),
        redeemed_at: issued.redeemed_at.map(|at| at.to_string()),
        redeemed_by: issued.redeemed_by.as_ref().map(ToString::to_string),
        confirmation: issued.confirmation.map(|key| key.to_string()),
        brokered: issued.brokered.as_ref().map(|brokered| Brokered {
            broker: brokered.broker.clone(),
            status: match (brokered.closed_at, brokered.outlives, issued.closes_at()) {
                (Some(_), ..) => "closed",
                (None, _, Some(due)) if now >= due => "closing",
                (None, Some(_), _) => "outlives",
                (None, None, _) => "open",
            }
            .to_owned(),
            only_expires: brokered.recall == request::Recall::OnlyExpires,
            outlives: brokered.outlives.map(|until| until.to_string()),
            closed_at: brokered.closed_at.map(|at| at.to_string()),
            problem: brokered.problem.clone(),
        }),
        heartbeat: issued.heartbeat.map(|heartbeat| heartbeat.to_string()),
        heartbeat_due: None,
    }
}

impl From<&request::Review> for Review {
    fn from(review: &request::Review) -> Self {
        Self {
            id: review.id.to_string(),
            reviewer: review.reviewer.to_string(),
            verdict: match review.verdict {
                request::Verdict::Approve => Verdict::Approve,
                request::Verdict::Deny => Verdict::Deny,
            },
            comment: review.comment.clone(),
            at: review.at.to_string(),
            passkey: review.signature.as_ref().map(|signed| signed.passkey().to_string()),
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
    /// What the reviewer's passkey signed, where a rule asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<ReviewSignature>,
}

/// What a reviewer's passkey signed (WebAuthn); each part in base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewSignature {
    /// The passkey, as the authenticator knows it.
    pub credential_id: String,
    /// The statement that the authority gave, byte for byte.
    pub statement: String,
    /// `authenticatorData`.
    pub authenticator_data: String,
    /// `clientDataJSON`.
    pub client_data: String,
    /// `signature`.
    pub signature: String,
}

/// The text is not base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not base64url without padding")]
pub struct NotBase64url(pub &'static str);

impl TryFrom<ReviewSignature> for UnverifiedSignature {
    type Error = NotBase64url;

    fn try_from(sent: ReviewSignature) -> Result<Self, NotBase64url> {
        let decoded =
            |name, text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| NotBase64url(name));
        Ok(Self {
            credential: decoded("credential_id", &sent.credential_id)?,
            statement: decoded("statement", &sent.statement)?,
            assertion: UnverifiedAssertion {
                authenticator_data: decoded("authenticator_data", &sent.authenticator_data)?,
                client_data: decoded("client_data", &sent.client_data)?,
                signature: decoded("signature", &sent.signature)?,
            },
        })
    }
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

impl From<Verdict> for request::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Approve => Self::Approve,
            Verdict::Deny => Self::Deny,
        }
    }
}

/// Why something is canceled or revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// In the caller's words.
    #[serde(default)]
    pub reason: String,
}
