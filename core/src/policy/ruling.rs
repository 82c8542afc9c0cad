//! What policy says of one intent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;
use crate::membership::{Approver, is_name_character};
use crate::policy::risk::Score;
use crate::principal::PrincipalId;
use crate::time::Span;

/// What policy says, by which rules, under which revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Permit, ask these people, or refuse.
    pub outcome: Outcome,
    /// The rules that decided, sorted. `default-deny` where none matched; `indeterminate:ID` for a
    /// deny that could not be settled; `error:ID` for an `ask` without a clean answer.
    pub rules: BTreeSet<String>,
    /// Who is told of it, whatever the outcome.
    pub notify: BTreeSet<Addressee>,
    /// What must be looked at after a grant.
    pub post_reviews: Vec<PostReview>,
    /// The risk score, where the policy has factors.
    pub risk: Option<Score>,
    /// The revision of the policy that spoke.
    pub policy: Digest,
}

/// The three answers. There is no other, and no default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nobody needs to be asked.
    Permit(Terms),
    /// These people must approve.
    Require(Requirement),
    /// It must not be done.
    Refuse(Vec<Reason>),
}

/// Why it is refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The rule that refuses.
    pub rule: String,
    /// What it tells the requester.
    pub message: String,
}

/// What must happen before a grant, and what the grant then allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// All of these, each filled.
    pub stages: Vec<Stage>,
    /// How long people have.
    pub expires_after: Span,
    /// What may be minted once granted.
    pub terms: Terms,
}

/// One group of approvers and how many of them must approve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// `rule/stage`.
    pub name: String,
    /// The rules that ask for it.
    pub rules: BTreeSet<String>,
    /// How many different people.
    pub approvals: u32,
    /// From whom; nobody here where it is reviewed elsewhere.
    pub from: BTreeSet<Approver>,
    /// The authority of another organisation whose people review it.
    pub elsewhere: Option<Elsewhere>,
    /// Who may not count, beside the requester and everybody behind the change.
    pub exclude: BTreeSet<Approver>,
    /// The stage that must be filled before this one opens.
    pub after: Option<String>,
    /// How long ago a reviewer may have signed in at most.
    pub login_within: Option<Span>,
    /// With what kind of passkey a reviewer must sign, where they must.
    pub signature: Option<SignatureDemand>,
    /// Of what kind that sign-in must be.
    pub means: MeansWanted,
    /// How long after it opened the request expires, if it is not filled.
    pub expires_after: Option<Span>,
    /// Who else may count, if it stays open.
    pub escalate: Option<Escalation>,
    /// How often its people are told again while it is open.
    pub remind: Option<Span>,
}

/// What a stage demands of the passkey that signs a review.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignatureDemand {
    /// Its key can never leave its device: no vendor's account syncs it.
    pub device_bound: bool,
    /// For how long it must have been enrolled.
    pub enrolled_for: Option<Span>,
    /// The person's identity provider must have vouched for it.
    pub vouched: bool,
}

impl SignatureDemand {
    /// What meets both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            device_bound: self.device_bound || other.device_bound,
            enrolled_for: self.enrolled_for.max(other.enrolled_for),
            vouched: self.vouched || other.vouched,
        }
    }
}

impl fmt::Display for SignatureDemand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a passkey")?;
        let mut joint = " that";
        if self.device_bound {
            f.write_str(" that never leaves its device")?;
            joint = " and";
        }
        if let Some(least) = self.enrolled_for {
            write!(f, "{joint} was enrolled at least {} ago", least.in_words())?;
            joint = " and";
        }
        match self.vouched {
            true => write!(f, "{joint} your identity provider vouched for"),
            false => Ok(()),
        }
    }
}

/// Of what kind a reviewer's sign-in must be: of each of these lists, one. Rules that ask for the same
/// people each bring a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeansWanted {
    /// Classes (`acr`), in the provider's words.
    pub acr: BTreeSet<BTreeSet<String>>,
    /// Methods (`amr`, RFC 8176).
    pub amr: BTreeSet<BTreeSet<String>>,
}

impl MeansWanted {
    /// Whether nothing is wanted.
    pub fn is_nothing(&self) -> bool {
        self.acr.is_empty() && self.amr.is_empty()
    }

    /// Whether a sign-in of this class and these methods is one.
    pub fn are_met(&self, acr: Option<&str>, amr: &BTreeSet<String>) -> bool {
        let of_class = |any: &BTreeSet<String>| acr.is_some_and(|acr| any.contains(acr));
        self.acr.iter().all(of_class) && self.amr.iter().all(|any| !any.is_disjoint(amr))
    }
}

impl Stage {
    /// Who is asked, in words.
    pub fn asks(&self) -> impl Iterator<Item = String> {
        let elsewhere = self.elsewhere.iter().map(ToString::to_string);
        self.from.iter().map(ToString::to_string).chain(elsewhere)
    }
}

/// The authority of another organisation, as a stage asks it: all that decides whether its word
/// counts, apart from the keys by which it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// What the documents call it.
    pub authority: String,
    /// Its URL, and the exact issuer of its credentials.
    pub issuer: String,
    /// For whom the tokens are by which this authority says there who it is.
    pub audience: String,
    /// Who of theirs counts, as they are called there; `None` is everybody whom its rules ask.
    pub approvers: Option<BTreeSet<String>>,
    /// Who of theirs is who here.
    pub people: BTreeMap<String, PrincipalId>,
}

impl fmt::Display for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "authority:{}", self.authority)
    }
}

/// Who else may count for a stage that stays open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// How long after the stage opened.
    pub after: Span,
    /// Who is told, and may count from then on.
    pub to: BTreeSet<Approver>,
    /// How long after that the request expires, if the stage is still open.
    pub then_expire_after: Option<Span>,
}

/// A review that is due after a grant that nobody was asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PostReview {
    /// The rule that wants it.
    pub rule: String,
    /// How many different people.
    pub approvals: u32,
    /// From whom.
    pub by: BTreeSet<Approver>,
    /// How long after the grant.
    pub within: Span,
    /// The rule that does not match as long as the review is overdue.
    pub suspend: Option<String>,
    /// Who is told when it is overdue.
    pub notify: BTreeSet<Addressee>,
}

/// Whom something is told: people who could approve, or a channel by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Addressee {
    /// A group or a person.
    Approver(Approver),
    /// A channel that the authority is set up with.
    Channel(String),
}

impl fmt::Display for Addressee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approver(approver) => approver.fmt(f),
            Self::Channel(name) => write!(f, "channel:{name}"),
        }
    }
}

/// The text names nobody who could be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` can be told nothing; write group:NAME, person:NAME or channel:NAME")]
pub struct NotAnAddressee(String);

impl FromStr for Addressee {
    type Err = NotAnAddressee;

    fn from_str(text: &str) -> Result<Self, NotAnAddressee> {
        let fault = || NotAnAddressee(text.to_owned());
        if let Some(name) = text.strip_prefix("channel:") {
            let named = !name.is_empty() && name.chars().all(is_name_character);
            return if named { Ok(Self::Channel(name.to_owned())) } else { Err(fault()) };
        }
        text.parse().map(Self::Approver).map_err(|_| fault())
    }
}

/// What may be minted from a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The longest life of one credential.
    pub max_ttl: Span,
    /// How many credentials, in all.
    pub uses: u32,
    /// For whom they may be; `None` is anybody.
    pub audiences: Option<BTreeSet<String>>,
    /// How long after approval the first must be minted.
    pub grant_window: Span,
    /// What exchanges the grant for something else, where rules name it.
    pub broker: Option<String>,
    /// The role the credential has at its audience, where rules name it.
    pub role: Option<String>,
    /// How long a holder may stay silent before a credential ends, where rules ask for signs of life.
    pub heartbeat: Option<Span>,
    /// Whether another attempt at the same run may use the grant.
    pub reuse_within_run: bool,
    /// Whether a credential must be bound to a key, where rules say so.
    pub dpop: Option<Dpop>,
}

/// What rules say of binding credentials to a key (RFC 9449). There is no word for "not": one rule
/// cannot take back what another demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dpop {
    /// None is minted without.
    Required,
}

impl Dpop {
    /// As rules say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Required => "required",
        }
    }
}

impl fmt::Display for Dpop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How long a holder may stay silent at least: a shorter time would end credentials by chance.
pub const SHORTEST_HEARTBEAT: Span = Span::seconds(3);

impl Terms {
    /// What holds where no matching rule says otherwise.
    pub const DEFAULT: Self = Self {
        max_ttl: Span::minutes(15),
        uses: 1,
        audiences: None,
        grant_window: Span::hours(1),
        broker: None,
        role: None,
        heartbeat: None,
        reuse_within_run: false,
        dpop: None,
    };
}
