//! What is sent and stored: JSON shapes, apart from the domain so that neither binds the other.
//!
//! Everything read here is unverified until its `TryFrom` or `verify` has made a domain value of it.

mod absence;
mod access;
pub mod authzen;
mod credential;
mod decision;
mod doctor;
mod entries;
mod event;
mod evidence;
mod history;
mod intent;
mod keys;
mod known;
mod notice;
pub mod oauth;
pub mod plan;
mod principal;
mod problem;
mod request;
mod rules;
mod ruling;
pub(crate) mod signal;
mod trusts;

use std::collections::BTreeSet;

pub use absence::{Absence, Absences, NewAbsence, NotAnAbsence};
pub use access::{Access, AccessList, Bootstrap, FreshAccess, NewAccess};
pub use credential::{
    Credential, CredentialEntry, CredentialList, Heartbeat, Introspection, MintRequest, NotRevoked,
    OpenOutside, PassedOn, Redemption, Revocation, Revoked,
};
pub use decision::{Account, ConditionAccount, Decision, FactorAccount};
pub use doctor::{GithubCheckup, GithubFinding, GithubVerdict};
pub use entries::{
    Calendar, CalendarDates, CalendarSpan, CalendarWindow, Calendars, ClaimIn, ClaimIs, Group,
    Groups, MayAsk, NewCalendar, NewGroup, NewTrust, PolicyCheck, PolicyChecked, PolicyFinding,
    Trust, Trusts,
};
pub use event::{EventError, entry_bytes, event_from_json, event_to_json};
pub use evidence::{Evidence, Passkey, Passkeys, ProvenEntry, Statement};
pub use history::{Checkpoint, Entries, Entry, History, HistoryError, Summary};
pub use intent::{Filing, Intent};
pub use keys::{IssuerMisfit, Key, Keys, NewKey};
pub use known::{Concerns, Known, KnownError, Network, Opinion, SeenPlan};
pub use notice::{
    MyNotices, Notice, NoticeDigest, NoticeQuiet, NoticeWay, NoticeWishes, NoticeWishesError,
    Notices, NoticesReplayed,
};
pub use principal::{Kind, Principal, PrincipalId, Whoami};
pub use problem::{Problem, ProblemField};
pub use request::{
    Afterwards, Brokered, CredentialStatus, Ending, NewReview, NotBase64url, PlanBytes, Reason,
    Request, Requests, Review, ReviewSignature, Source, StageElsewhere, StageStatus, Verdict,
    WithdrawnReview,
};
pub use rules::{
    NewDocument, PolicyDocument, PolicyDocuments, PolicyFault, PolicyProblem, PolicyStatus, Signal,
    WrittenDocument,
};
pub use ruling::{
    Credentials, Elsewhere, Escalation, PostReview, RefusalReason, Risk, Ruling, Said,
    SignatureDemand, Stage,
};
pub use signal::{
    NewSignal, SignalError, SignalSubject, Signals, ToldSignal, says, signal_entry,
    signal_from_entry,
};
pub use trusts::{RulingTrust, RulingTrusts, TokenTrial, TokenTried, TrustVerdict};

/// Any fault while reading, by its text: an event that does not read is corrupt, whatever the
/// cause, and nobody acts on the difference.
struct Unreadable(String);

impl<E: std::error::Error> From<E> for Unreadable {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

fn read_set<T>(texts: &[String]) -> Result<BTreeSet<T>, Unreadable>
where
    T: std::str::FromStr + Ord,
    T::Err: std::error::Error,
{
    Ok(texts.iter().map(|text| text.parse()).collect::<Result<_, _>>()?)
}
