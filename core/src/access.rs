//! Access tokens: with what a caller proves to the authority who it is.
//!
//! A token is `assent_`, its id, `_`, a secret and a checksum. Only the SHA-256 of the secret is
//! kept. The checksum tells a mistyped or cut token from an unknown one without asking anybody; it
//! proves nothing.

use std::fmt;
use std::net::IpAddr;

use serde_json::{Value, json};

use crate::credential::Secret;
use crate::digest::Digest;
use crate::id::AccessId;
use crate::policy::Policy;
use crate::principal::{Principal, PrincipalId, PrincipalKind};
use crate::sign_in::{Login, Scope};
use crate::time::{Span, Timestamp};

/// What scanners look for.
pub const PREFIX: &str = "assent_";
/// The longest life of a token.
pub const MAX_LIFE: Span = Span::hours(365 * 24);

/// What an access token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be sent by programs, as a bearer token (RFC 6750).
    Token,
    /// To be held by a browser, as a cookie.
    Session,
}

impl Purpose {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
        }
    }
}

/// The record of an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its id, which is in the token.
    pub id: AccessId,
    /// Who presents it.
    pub principal: Principal,
    /// Whether it may administer the authority. That never lets anybody approve.
    pub administrator: bool,
    /// What it is for.
    pub purpose: Purpose,
    /// The token a session was opened with; the session ends with it.
    pub parent: Option<AccessId>,
    /// SHA-256 of the secret.
    pub fingerprint: Digest,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// What it was exchanged for, where nobody here made it.
    pub origin: Option<Origin>,
    /// How it came about, where a person gave it to a program by their browser.
    pub device: Option<Device>,
    /// How and when its person signed in, where they did: never where a token opened the session.
    pub login: Option<Login>,
    /// What it is good for, where that is less than everything its person may do.
    pub scope: Option<Scope>,
    /// By what its person knows it again.
    pub label: Option<Label>,
}

/// By what a person knows a session or a token of theirs again. It decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The browser, or the name that they gave the token.
    pub name: String,
    /// Where it was made from.
    pub from: Option<IpAddr>,
}

/// Who gave a token to a program, and where that ran. Such a token signs no browser in: it would be
/// a fresh sign-in of somebody who did nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Where the program asked from.
    pub asked_from: Option<IpAddr>,
    /// Where the person's browser was.
    pub approved_from: Option<IpAddr>,
    /// By which session of theirs, where that is known.
    pub session: Option<AccessId>,
}

/// The foreign token that an access token was exchanged for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The trust that took it, by its name.
    pub trust: String,
    /// What that trust said then.
    pub digest: Digest,
    /// Whom the token was about, as its issuer says it.
    pub subject: String,
    /// By what the token is known again.
    pub mark: Digest,
}

/// One change of an access token's record, ready to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a step changes nothing until a ledger has committed it"]
pub struct AccessStep {
    next: Access,
    event: Value,
}

/// Why a presented token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Not of the form.
    #[error("not an Assent access token: it should begin with `assent_` and be whole")]
    Malformed,
    /// No such token here.
    #[error("this server does not know the access token `{0}`; was it made by another server?")]
    Unknown(AccessId),
    /// Over.
    #[error("the access token `{id}` ended at {at}")]
    Ended {
        /// Which.
        id: AccessId,
        /// When.
        at: Timestamp,
    },
    /// Whoever presents it is suspended, or acts for somebody who is.
    #[error("`{0}` is suspended")]
    Suspended(PrincipalId),
    /// Its person has not signed in for too long, or nobody signs in there any more.
    #[error("`{0}` has to sign in again in a browser first")]
    Lapsed(PrincipalId),
    /// The trust it was exchanged under is gone, or says something else now.
    #[error(
        "the access token `{id}` came by the trust `{trust}`, which has changed: exchange again"
    )]
    Distrusted {
        /// Which.
        id: AccessId,
        /// The trust.
        trust: String,
    },
}

/// Why somebody makes no such token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MakeError {
    /// People act for themselves.
    #[error("a person acts for nobody")]
    PersonActsFor,
    /// What a browser let in for half a day, or whoever stole it, would make itself a year.
    #[error(
        "a token of `assent login` makes tokens of workloads only, and none that administers; use \
         one that was made for you"
    )]
    ByProgram,
    /// Whoever rules name as a workload is no person, and what was granted to the one is not the
    /// other's.
    #[error("`{who}` is {} here: choose another name", kind_of(*.kind))]
    OtherKind {
        /// Who.
        who: PrincipalId,
        /// What they are.
        kind: PrincipalKind,
    },
}

fn kind_of(kind: PrincipalKind) -> &'static str {
    match kind {
        PrincipalKind::Person => "a person",
        PrincipalKind::Workload => "a workload",
    }
}

/// A presented token, read but not yet believed.
#[derive(PartialEq, Eq)]
pub struct UnverifiedAccess {
    /// Which record it claims to be of.
    pub id: AccessId,
    fingerprint: Digest,
}

impl fmt::Debug for UnverifiedAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnverifiedAccess({})", self.id)
    }
}

/// What is needed to issue a token.
#[derive(Debug)]
pub struct NewAccess {
    /// Its id.
    pub id: AccessId,
    /// Whose it shall be.
    pub principal: Principal,
    /// Whether it may administer.
    pub administrator: bool,
    /// What it is for.
    pub purpose: Purpose,
    /// The token a session is opened with.
    pub parent: Option<AccessId>,
    /// How long it lives; at most [`MAX_LIFE`].
    pub life: Span,
}

impl Origin {
    /// Whether its trust is there and says what it said then.
    pub fn stands(&self, policy: &Policy) -> bool {
        policy.trust(&self.trust).is_some_and(|trust| trust.digest() == self.digest)
    }
}

impl Access {
    /// Makes a token of this secret: the step to commit, and the token to hand over once.
    pub fn issue(
        new: NewAccess,
        secret: &Secret,
        by: &PrincipalId,
        now: Timestamp,
    ) -> (AccessStep, Secret) {
        let token = format!("{PREFIX}{}_{}", bare(new.id), secret.expose());
        let token = format!("{token}{}", checksum(&token));
        let next = Self {
            id: new.id,
            principal: new.principal,
            administrator: new.administrator,
            purpose: new.purpose,
            parent: new.parent,
            fingerprint: Digest::of(secret.expose().as_bytes()),
            created_at: now,
            expires_at: now.plus(new.life.min(MAX_LIFE)),
            revoked_at: None,
            origin: None,
            device: None,
            login: None,
            scope: None,
            label: None,
        };
        let event = next.event("access_issued", by, now);
        (AccessStep { next, event }, Secret::new(token))
    }

    /// Makes a token for whoever presented another of this origin.
    pub fn exchange(
        new: NewAccess,
        origin: Origin,
        secret: &Secret,
        now: Timestamp,
    ) -> (AccessStep, Secret) {
        Self::issue_own(new, secret, now, |next| Self { origin: Some(origin), ..next })
    }

    /// Makes a token for a program that its person has let in by their browser.
    pub fn give(
        new: NewAccess,
        device: Device,
        secret: &Secret,
        now: Timestamp,
    ) -> (AccessStep, Secret) {
        Self::issue_own(new, secret, now, |next| Self { device: Some(device), ..next })
    }

    /// Opens a session of somebody who has signed in just now.
    pub fn open(
        new: NewAccess,
        login: Login,
        label: Label,
        secret: &Secret,
        now: Timestamp,
    ) -> (AccessStep, Secret) {
        let (login, label) = (Some(login), Some(label));
        Self::issue_own(new, secret, now, |next| Self { login, label, ..next })
    }

    /// Makes a token of a person for themselves, good for this and no more.
    pub fn make_own(
        new: NewAccess,
        scope: Scope,
        label: Label,
        secret: &Secret,
        now: Timestamp,
    ) -> (AccessStep, Secret) {
        let (scope, label) = (Some(scope), Some(label));
        Self::issue_own(new, secret, now, |next| Self { scope, label, ..next })
    }

    /// Makes a token that nobody else makes for its principal, with what else is on record of it.
    fn issue_own(
        new: NewAccess,
        secret: &Secret,
        now: Timestamp,
        with: impl FnOnce(Self) -> Self,
    ) -> (AccessStep, Secret) {
        let by = new.principal.id.clone();
        let (AccessStep { next, .. }, token) = Self::issue(new, secret, &by, now);
        let next = with(next);
        let event = next.event("access_issued", &by, now);
        (AccessStep { next, event }, token)
    }

    /// Whether an administrator who presents this may make a token for that principal, where these are
    /// all that there are.
    ///
    /// # Errors
    /// [`MakeError`].
    pub fn check_make(
        &self,
        (principal, administrator): (&Principal, bool),
        all: &[Self],
    ) -> Result<(), MakeError> {
        let kind = principal.kind;
        if kind == PrincipalKind::Person && !principal.acts_for.is_empty() {
            return Err(MakeError::PersonActsFor);
        }
        let is_small = kind == PrincipalKind::Workload && !administrator;
        if self.device.is_some() && !is_small {
            return Err(MakeError::ByProgram);
        }
        let mut same = all.iter().map(|access| &access.principal);
        match same.find(|other| other.id == principal.id && other.kind != kind) {
            Some(other) => Err(MakeError::OtherKind { who: other.id.clone(), kind: other.kind }),
            None => Ok(()),
        }
    }

    /// Takes it back. `None` where that was done before.
    pub fn revoke(&self, by: &PrincipalId, now: Timestamp) -> Option<AccessStep> {
        if self.revoked_at.is_some() {
            return None;
        }
        let next = Self { revoked_at: Some(now), ..self.clone() };
        let event = next.event("access_revoked", by, now);
        Some(AccessStep { next, event })
    }

    /// Whether what was presented is this token, now.
    ///
    /// # Errors
    /// [`AccessError`]. A wrong secret reads like an unknown token.
    pub fn admit(&self, presented: &UnverifiedAccess, now: Timestamp) -> Result<(), AccessError> {
        let (ours, theirs) = (self.fingerprint.as_bytes(), presented.fingerprint.as_bytes());
        if aws_lc_rs::constant_time::verify_slices_are_equal(ours, theirs).is_err() {
            return Err(AccessError::Unknown(self.id));
        }
        self.check_life(now)
    }

    /// Whether it lives at this moment, whoever presents it.
    ///
    /// # Errors
    /// [`AccessError::Ended`].
    pub fn check_life(&self, now: Timestamp) -> Result<(), AccessError> {
        match self.revoked_at.map_or(self.expires_at, |at| at.min(self.expires_at)) {
            end if now >= end => Err(AccessError::Ended { id: self.id, at: end }),
            _ => Ok(()),
        }
    }

    /// Whether the trust it was exchanged under still says what it said then.
    ///
    /// # Errors
    /// [`AccessError::Distrusted`].
    pub fn check_trust(&self, policy: &Policy) -> Result<(), AccessError> {
        match &self.origin {
            Some(origin) if !origin.stands(policy) => {
                let trust = origin.trust.clone();
                Err(AccessError::Distrusted { id: self.id, trust })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn event(&self, fact: &str, by: &PrincipalId, at: Timestamp) -> Value {
        let acts_for: Vec<_> = self.principal.acts_for.iter().map(ToString::to_string).collect();
        let groups = &self.principal.groups;
        let mut event = json!({
            "v": 1,
            "type": fact,
            "at": at.to_string(),
            "by": by.to_json(),
            "access": {
                "id": self.id.to_string(),
                "iss": self.principal.id.iss(),
                "sub": self.principal.id.sub(),
                "kind": match self.principal.kind {
                    PrincipalKind::Person => "person",
                    PrincipalKind::Workload => "workload",
                },
                "acts_for": acts_for,
                "groups": groups,
                "purpose": self.purpose.word(),
                "fingerprint": self.fingerprint.to_string(),
                "administrator": self.administrator,
                "expires_at": self.expires_at.to_string(),
            },
        });
        if let (Some(origin), Some(event)) = (&self.origin, event.as_object_mut()) {
            let exchanged = json!({
                "trust": origin.trust,
                "digest": origin.digest.to_string(),
                "issuer": self.principal.id.iss(),
                "subject": origin.subject,
                "token": origin.mark.to_string(),
            });
            event.insert("exchanged".to_owned(), exchanged);
        }
        if let (Some(device), Some(event)) = (&self.device, event.as_object_mut()) {
            let text = |ip: Option<IpAddr>| ip.map(|ip| ip.to_string());
            let from = json!({
                "asked_from": text(device.asked_from),
                "approved_from": text(device.approved_from),
            });
            event.insert("device".to_owned(), from);
        }
        if let (Some(login), Some(event)) = (&self.login, event.as_object_mut()) {
            event.insert("login".to_owned(), login.to_json());
        }
        if let (Some(scope), Some(event)) = (self.scope, event.as_object_mut()) {
            event.insert("scope".to_owned(), scope.word().into());
        }
        event
    }
}

impl AccessStep {
    /// The record after it.
    pub fn next(&self) -> &Access {
        &self.next
    }

    /// What happened, as it is recorded.
    pub fn event(&self) -> &Value {
        &self.event
    }
}

impl UnverifiedAccess {
    /// Reads a presented token.
    ///
    /// # Errors
    /// [`AccessError::Malformed`].
    pub fn read(token: &str) -> Result<Self, AccessError> {
        let shape = || AccessError::Malformed;
        let end = token.len().checked_sub(CHECKSUM).ok_or_else(shape)?;
        let (body, sum) = token.split_at_checked(end).ok_or_else(shape)?;
        let (id, secret) =
            body.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).ok_or_else(shape)?;
        if token.len() > 200 || sum != checksum(body) {
            return Err(shape());
        }
        let id = format!("acc_{id}").parse().map_err(|_| shape())?;
        Ok(Self { id, fingerprint: Digest::of(secret.as_bytes()) })
    }
}

fn bare(id: AccessId) -> String {
    id.to_string().trim_start_matches("acc_").to_owned()
}

const CHECKSUM: usize = 6;

fn checksum(body: &str) -> String {
    Digest::of(body.as_bytes()).hex().chars().take(CHECKSUM).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued() -> (Access, Secret) {
        let id = PrincipalId::local("bob").unwrap();
        let principal = Principal {
            id: id.clone(),
            kind: PrincipalKind::Person,
            groups: Default::default(),
            acts_for: Default::default(),
            claims: Default::default(),
        };
        let now = Timestamp::from_millis(0);
        let new = NewAccess {
            id: AccessId::new(now, [1; 10]),
            principal,
            administrator: false,
            purpose: Purpose::Token,
            parent: None,
            life: Span::hours(1),
        };
        let (step, token) = Access::issue(new, &Secret::new("s3cret".repeat(7)), &id, now);
        (step.next().clone(), token)
    }

    #[test]
    fn a_token_admits_until_it_ends_or_is_revoked() {
        let (access, token) = issued();
        let presented = UnverifiedAccess::read(token.expose()).unwrap();
        let at = |minutes| Timestamp::from_millis(0).plus(Span::minutes(minutes));
        assert_eq!(access.admit(&presented, at(59)), Ok(()));
        assert!(matches!(access.admit(&presented, at(60)), Err(AccessError::Ended { .. })));
        let revoked = access.revoke(&access.principal.id, at(5)).unwrap().next().clone();
        assert!(matches!(revoked.admit(&presented, at(5)), Err(AccessError::Ended { .. })));
        assert!(revoked.revoke(&access.principal.id, at(6)).is_none());
    }

    #[test]
    fn who_may_make_a_token_for_whom_follows_from_what_they_present_and_what_there_is() {
        let (own, _) = issued();
        let of = |sub: &str, kind| Principal {
            id: PrincipalId::local(sub).unwrap(),
            kind,
            ..own.principal.clone()
        };
        let (carol, ci) = (of("carol", PrincipalKind::Person), of("ci", PrincipalKind::Workload));
        for (who, administrator) in [(&carol, true), (&carol, false), (&ci, true), (&ci, false)] {
            assert_eq!(own.check_make((who, administrator), &[]), Ok(()));
        }
        let device = Device { asked_from: None, approved_from: None, session: None };
        let program = Access { device: Some(device), ..own.clone() };
        assert_eq!(program.check_make((&ci, false), &[]), Ok(()));
        for (who, administrator) in [(&carol, true), (&carol, false), (&ci, true)] {
            let made = program.check_make((who, administrator), &[]);
            assert_eq!(made, Err(MakeError::ByProgram));
        }
        // Nobody is a person and a workload, and people act for themselves.
        let (bob, robot) = (of("bob", PrincipalKind::Person), of("bob", PrincipalKind::Workload));
        let all = [own.clone()];
        assert_eq!(own.check_make((&bob, false), &all), Ok(()));
        let (who, kind) = (bob.id.clone(), PrincipalKind::Person);
        assert_eq!(own.check_make((&robot, false), &all), Err(MakeError::OtherKind { who, kind }));
        let acting = Principal { acts_for: [bob.id].into(), ..carol };
        assert_eq!(own.check_make((&acting, false), &[]), Err(MakeError::PersonActsFor));
        let acting = Principal { kind: PrincipalKind::Workload, ..acting };
        assert_eq!(own.check_make((&acting, false), &[]), Ok(()));
    }

    #[test]
    fn t19_a_revocation_after_the_end_makes_nothing_valid_again() {
        let (access, token) = issued();
        let presented = UnverifiedAccess::read(token.expose()).unwrap();
        let at = |minutes| Timestamp::from_millis(0).plus(Span::minutes(minutes));
        let revoked = access.revoke(&access.principal.id, at(90)).unwrap().next().clone();
        assert_eq!(
            revoked.admit(&presented, at(70)),
            Err(AccessError::Ended { id: access.id, at: at(60) })
        );
    }

    #[test]
    fn t67_only_the_whole_right_token_reads_and_admits() {
        let (access, token) = issued();
        let token = token.expose();
        for cut in 0..token.len() {
            assert!(UnverifiedAccess::read(&token[..cut]).is_err());
        }
        let other = Access::issue(
            NewAccess {
                id: access.id,
                principal: access.principal.clone(),
                administrator: false,
                purpose: Purpose::Token,
                parent: None,
                life: Span::hours(1),
            },
            &Secret::new("other".to_owned()),
            &access.principal.id,
            access.created_at,
        );
        let presented = UnverifiedAccess::read(other.1.expose()).unwrap();
        let refused = access.admit(&presented, access.created_at);
        assert_eq!(refused, Err(AccessError::Unknown(access.id)));
    }

    #[test]
    fn t66_neither_event_nor_debug_holds_the_secret() {
        let (access, token) = issued();
        let event = access.event("access_issued", &access.principal.id, access.created_at);
        for text in [format!("{access:?}"), event.to_string(), format!("{token:?}")] {
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}
