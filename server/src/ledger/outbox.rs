//! What is to be told of a step, and to whom it is told, as it is kept.
//!
//! What a step is worth to be told is written with the step, in one transaction: nothing that
//! happened is ever forgotten to be told. To whom it goes is found out afterwards, by policy and
//! membership, and written in the place of that, again in one transaction. A notice has an id that
//! follows from what it tells and to whom, so that however often that is found out it is one.

use std::collections::BTreeMap;

use assent_core::digest::Digest;
use assent_core::id::{NoticeId, RequestId};
use assent_core::notice::{Means, Occasion, Recipient, Told};
use assent_core::principal::PrincipalId;
use assent_core::request::{Step, Version};
use assent_core::time::Timestamp;
use assent_core::wire::NoticeWishes;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::ledger::LedgerError;

/// Where notices are kept.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Steps of which it is not yet known to whom they are told, oldest first.
    async fn posted(&self, limit: usize) -> Result<Found, LedgerError>;

    /// Writes to whom steps are told, in the place of the steps. A notice that is kept already stays
    /// as it is.
    async fn address(&self, done: Vec<u64>, notices: Vec<Notice>) -> Result<(), LedgerError>;

    /// Notices that wait for this way out and whose time has come, longest due first.
    async fn due_notices(
        &self,
        way: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Notice>, LedgerError>;

    /// Writes how notices stand after a try.
    async fn keep_notices(&self, notices: Vec<Notice>) -> Result<(), LedgerError>;

    /// Every notice of a request.
    async fn notices_of(&self, request: RequestId) -> Result<Vec<Notice>, LedgerError>;

    /// Notices, newest first; only those that stand so, where that is said.
    async fn notices(
        &self,
        standing: Option<Standing>,
        limit: usize,
    ) -> Result<Vec<Notice>, LedgerError>;

    /// The notice of this id.
    async fn notice(&self, id: NoticeId) -> Result<Option<Notice>, LedgerError>;

    /// How many notices of each way out wait, and how many could not be told.
    async fn notice_counts(&self) -> Result<BTreeMap<String, Counts>, LedgerError>;

    /// Forgets what happened before this and was told, or could not be.
    async fn forget_notices(&self, before: Timestamp) -> Result<(), LedgerError>;

    /// How a person wishes to be told, where they have said so.
    async fn wishes(&self, who: &PrincipalId) -> Result<Option<NoticeWishes>, LedgerError>;

    /// Writes how a person wishes to be told; `None` takes it back.
    async fn keep_wishes(
        &self,
        who: &PrincipalId,
        wishes: Option<NoticeWishes>,
    ) -> Result<(), LedgerError>;
}

/// Steps of which something is to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Those that can be.
    pub posted: Vec<Posted>,
    /// The places of those that do not read any more, and why. They stay where they are.
    pub damaged: Vec<(u64, String)>,
}

/// A step of which something is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Its place among them.
    pub seq: u64,
    /// The request.
    pub request: RequestId,
    /// The version that the step led to.
    pub version: Version,
    /// What is to be told.
    pub told: Vec<Told>,
}

impl Posted {
    /// What is to be told of a step, if anything; its place is the ledger's to say.
    pub(super) fn of(step: &Step) -> Option<Self> {
        let told = assent_core::notice::told_by(step);
        let (request, version) = (step.next().id(), step.next().version());
        (!told.is_empty()).then_some(Self { seq: 0, request, version, told })
    }
}

/// To whom a notice goes, and by what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum To {
    /// A channel, by its name in the settings.
    Channel(String),
    /// A person, by this.
    Person(PrincipalId, Means),
}

impl To {
    /// The way out that it takes: what is in the way of one is in the way of all that take it, and of
    /// no other.
    pub fn way(&self) -> String {
        match self {
            Self::Channel(name) => format!("channel:{name}"),
            Self::Person(_, means) => format!("people:{}", means.word()),
        }
    }

    /// Whom it reaches.
    pub fn recipient(&self) -> Recipient {
        match self {
            Self::Channel(name) => Recipient::Channel(name.clone()),
            Self::Person(who, _) => Recipient::Person(who.clone()),
        }
    }
}

impl std::fmt::Display for To {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Channel(name) => write!(f, "channel:{name}"),
            Self::Person(who, means) => write!(f, "person:{who} by {}", means.word()),
        }
    }
}

/// How a notice stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is to be told.
    Waiting,
    /// It was told.
    Sent,
    /// It could not be told, and is not tried again.
    Dead,
    /// Nobody needed to be told it any more.
    Moot,
}

impl Standing {
    /// Every one with its word.
    pub const ALL: [(&'static str, Self); 4] = [
        ("waiting", Self::Waiting),
        ("sent", Self::Sent),
        ("dead", Self::Dead),
        ("moot", Self::Moot),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Dead => "dead",
            Self::Moot => "moot",
        }
    }

    /// The standing of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == word).map(|(_, standing)| standing)
    }
}

/// How many notices of a way out stand so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// They are to be told.
    pub waiting: u64,
    /// They could not be told.
    pub dead: u64,
}

/// One notice to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// The request that it is of.
    pub request: RequestId,
    /// The version that it tells of.
    pub version: Version,
    /// What it tells.
    pub told: Told,
    /// To whom it goes.
    pub to: To,
    /// How it stands.
    pub standing: Standing,
    /// When it is tried next, while it waits.
    pub due: Timestamp,
    /// Whether it was held back: what is held back until one time is told in one message.
    pub held: bool,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// Why the last try failed.
    pub problem: Option<String>,
    /// By what the message that tells it is known where it stands, so that it can be changed there.
    pub message: Option<String>,
    /// Whether it may have been told already, although no answer came: noted before the call, where
    /// what stands there can be changed.
    pub begun: bool,
    /// Whether it changes a message that stands there, and is nothing where none does.
    pub only_changes: bool,
}

impl Notice {
    /// A notice that waits. Its id follows from what it tells and to whom.
    pub fn new(posted: &Posted, told: Told, to: To, due: Timestamp) -> Self {
        let (number, word, whom) =
            (told.number.to_be_bytes(), told.occasion.word(), to.to_string());
        let digest: [u8; 8] = Digest::of_parts(&[
            b"assent/notice/v1\0",
            &posted.request.to_bytes(),
            &number,
            word.as_bytes(),
            b"\0",
            whom.as_bytes(),
        ])
        .head();
        // Of what happened in one moment the ids are in the order in which it happened.
        let [.., high, low] = number;
        let [a, b, c, d, e, f, g, h] = digest;
        let head = [high, low, a, b, c, d, e, f, g, h];
        Self {
            id: NoticeId::new(told.at, head),
            request: posted.request,
            version: posted.version,
            held: false,
            told,
            to,
            standing: Standing::Waiting,
            due,
            attempts: 0,
            problem: None,
            message: None,
            begun: false,
            only_changes: false,
        }
    }
}

/// What a step is worth, as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredTold {
    occasion: String,
    number: u64,
    at: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stages: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

impl From<&Told> for StoredTold {
    fn from(told: &Told) -> Self {
        Self {
            occasion: told.occasion.word().to_owned(),
            number: told.number,
            at: told.at.as_millis(),
            stages: told.stages.clone(),
            rule: told.rule.clone(),
        }
    }
}

impl TryFrom<StoredTold> for Told {
    type Error = LedgerError;

    fn try_from(stored: StoredTold) -> Result<Self, LedgerError> {
        let StoredTold { occasion, number, at, stages, rule } = stored;
        let unknown = || LedgerError::Corrupt(format!("`{occasion}` is nothing to be told"));
        let occasion = Occasion::named(&occasion).ok_or_else(unknown)?;
        Ok(Self { occasion, number, at: Timestamp::from_millis(at), stages, rule })
    }
}

/// A notice, as it is stored beside the columns that are searched.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredNotice {
    version: u64,
    told: StoredTold,
    to: StoredTo,
    due: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    held: bool,
    attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    begun: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    only_changes: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum StoredTo {
    Channel(String),
    Person { iss: String, sub: String, by: String },
}

impl From<&Notice> for StoredNotice {
    fn from(notice: &Notice) -> Self {
        let to = match &notice.to {
            To::Channel(name) => StoredTo::Channel(name.clone()),
            To::Person(who, by) => StoredTo::Person {
                iss: who.iss().to_owned(),
                sub: who.sub().to_owned(),
                by: by.word().to_owned(),
            },
        };
        Self {
            version: notice.version.0,
            told: (&notice.told).into(),
            to,
            due: notice.due.as_millis(),
            held: notice.held,
            attempts: notice.attempts,
            problem: notice.problem.clone(),
            message: notice.message.clone(),
            begun: notice.begun,
            only_changes: notice.only_changes,
        }
    }
}

impl StoredNotice {
    /// With what stands in the columns.
    pub(super) fn notice(
        self,
        id: NoticeId,
        request: RequestId,
        standing: &str,
    ) -> Result<Notice, LedgerError> {
        let corrupt = |problem: &str| LedgerError::Corrupt(format!("notice {id}: {problem}"));
        let to = match self.to {
            StoredTo::Channel(name) => To::Channel(name),
            StoredTo::Person { iss, sub, by } => {
                let who = PrincipalId::new(&iss, &sub).map_err(|e| corrupt(&e.to_string()))?;
                let means = Means::named(&by).ok_or_else(|| corrupt("it goes by nothing known"))?;
                To::Person(who, means)
            }
        };
        Ok(Notice {
            id,
            request,
            version: Version(self.version),
            told: self.told.try_into()?,
            to,
            standing: Standing::named(standing).ok_or_else(|| corrupt("it stands nowhere"))?,
            due: Timestamp::from_millis(self.due),
            held: self.held,
            attempts: self.attempts,
            problem: self.problem,
            message: self.message,
            begun: self.begun,
            only_changes: self.only_changes,
        })
    }
}
