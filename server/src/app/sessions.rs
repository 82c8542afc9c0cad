//! Sessions and tokens of people: for how long they count, and what their own may see and end.

use assent_core::access::{Access, AccessError, AccessStep, Label, NewAccess, Purpose};
use assent_core::credential::Secret;
use assent_core::id::AccessId;
use assent_core::principal::{LOCAL_ISSUER, Principal, PrincipalId, PrincipalKind};
use assent_core::sign_in::{Login, Scope};
use assent_core::time::{Span, Timestamp};

use crate::app::passkeys::here_since;
use crate::app::{AppError, Authority, Caller};
use crate::ledger::Spent;
use crate::sign_in::{SIGN_IN_LASTS, UNASKED_LASTS};

/// How long a session lasts, whatever happens in it.
const ABSOLUTE: Span = Span::hours(8);
/// How long it lasts when nothing does.
const IDLE: Span = Span::minutes(30);
/// How lately somebody who makes a token must have signed in.
pub(super) const TOKENS_WITHIN: Span = Span::minutes(15);
/// The longest life of a token that somebody makes for themselves.
const LONGEST_TOKEN: Span = Span::hours(90 * 24);
/// How many of those one person has at once.
const MOST_TOKENS: usize = 50;
/// The sign-in by passkey, which is no provider's.
pub const PASSKEY: &str = "passkey";

/// A session or token of somebody's, as they see it.
#[derive(Clone, Debug)]
pub struct Own {
    /// The record.
    pub access: Access,
    /// When it was used last.
    pub used_at: Timestamp,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

impl Authority {
    /// Opens a session of somebody who has just signed in.
    pub(super) async fn open_session(
        &self,
        secret: Secret,
        access: (Principal, bool),
        login: Login,
        label: Label,
    ) -> Result<Secret, AppError> {
        let (step, token) = self.new_session(&secret, access, login, label)?;
        self.ledger.commit_access(step).await?;
        self.waiters.wake_log();
        Ok(token)
    }

    /// The caller as what they came in by lets them in still: it and what it was opened with live, nothing
    /// was told of whom they are, and they sign in still where they did.
    ///
    /// # Errors
    /// [`AppError::Access`].
    pub(crate) async fn still_admits(&self, caller: &Caller) -> Result<Caller, AppError> {
        let (id, now) = (caller.access().id, self.clock.now());
        let access = self.ledger.access(id).await?.ok_or(AccessError::Unknown(id))?;
        self.check_access(&access, now).await?;
        let access = self.check_login(access, now)?;
        Ok(Caller { access, network: caller.network().clone() })
    }

    /// The same by a proof that is good once; `None` where that was spent before.
    pub(super) async fn open_session_once(
        &self,
        spent: Spent,
        access: (Principal, bool),
        login: Login,
        label: Label,
    ) -> Result<Option<Secret>, AppError> {
        let (step, token) = self.new_session(&self.chance.secret()?, access, login, label)?;
        let is_first = self.ledger.commit_exchange(step, Some(spent)).await?;
        self.waiters.wake_log();
        Ok(is_first.then_some(token))
    }

    /// One that would not count is not opened.
    fn new_session(
        &self,
        secret: &Secret,
        (principal, administrator): (Principal, bool),
        login: Login,
        label: Label,
    ) -> Result<(AccessStep, Secret), AppError> {
        let now = self.clock.now();
        let id = self.chance.access_id(now)?;
        let (purpose, parent, life) = (Purpose::Session, None, ABSOLUTE);
        let new = NewAccess { id, principal, administrator, purpose, parent, life };
        let (step, token) = Access::open(new, login, label, secret, now);
        self.check_standing(step.next(), now)?;
        self.check_login(step.next().clone(), now)?;
        Ok((step, token))
    }

    /// Whether somebody's own session or token still counts: used lately, of a provider that is still
    /// there, of a person who still signs in there. Gives it with what its person may do now.
    pub(super) fn check_login(&self, access: Access, now: Timestamp) -> Result<Access, AppError> {
        let Access { id, principal, .. } = &access;
        if principal.kind != PrincipalKind::Person || principal.id.iss() == LOCAL_ISSUER {
            return Ok(access);
        }
        if access.origin.is_some() {
            return Ok(access);
        }
        let lapsed = || AppError::Access(AccessError::Lapsed(principal.id.clone()));
        let is_known = self.sign_in.providers().any(|(_, one)| one.issuer() == principal.id.iss());
        let account = self.people.account(&principal.id).filter(|_| is_known).ok_or_else(lapsed)?;
        if let Some(login) = &access.login {
            let provider = self.sign_in.provider(&login.provider);
            let is_theirs = provider.is_some_and(|one| one.issuer() == principal.id.iss());
            if !is_theirs && login.provider != PASSKEY {
                return Err(lapsed());
            }
            let last = self.people.last_seen(*id).unwrap_or(access.created_at);
            let at = last.max(access.created_at).plus(IDLE);
            if now >= at {
                return Err(AccessError::Ended { id: *id, at }.into());
            }
        }
        // Whoever has not come by for so long may not be there any more.
        let lasts = if account.refresh.is_some() { SIGN_IN_LASTS } else { UNASKED_LASTS };
        if account.is_gone() || now >= account.signed_in_at.plus(lasts) {
            return Err(lapsed());
        }
        let groups = self.people.groups(&principal.id, now);
        let administers = self.sign_in.is_administrator(&principal.id, &groups);
        Ok(Access { administrator: access.administrator && administers, ..access })
    }

    /// The sessions of whoever asks, newest first.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn own_sessions(&self, caller: &Caller) -> Result<Vec<Own>, AppError> {
        self.own(caller, |access| access.purpose == Purpose::Session).await
    }

    /// The tokens of whoever asks, newest first.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn own_tokens(&self, caller: &Caller) -> Result<Vec<Own>, AppError> {
        self.own(caller, |access| access.purpose == Purpose::Token).await
    }

    async fn own(
        &self,
        caller: &Caller,
        is_meant: impl Fn(&Access) -> bool,
    ) -> Result<Vec<Own>, AppError> {
        let now = self.clock.now();
        let all = self.ledger.accesses_of(&caller.principal().id).await?;
        let mut own = Vec::new();
        for access in all.into_iter().filter(is_meant) {
            if self.check_access(&access, now).await.is_err() {
                continue;
            }
            let Ok(access) = self.check_login(access, now) else { continue };
            let used_at = self.people.last_seen(access.id).unwrap_or(access.created_at);
            let is_current = access.id == caller.access().id;
            own.push(Own { access, used_at, is_current });
        }
        Ok(own)
    }

    /// Whether whoever asks has signed in lately enough to make a token. Nobody does whom only this
    /// authority knows: with each token of theirs they would be known for longer.
    pub fn may_make_tokens(&self, caller: &Caller) -> bool {
        let access = caller.access();
        if access.principal.id.iss() == LOCAL_ISSUER {
            return false;
        }
        self.signed_in_lately(caller)
    }

    /// Whether whoever asks proved who they are lately enough to be given something that lasts.
    pub(super) fn signed_in_lately(&self, caller: &Caller) -> bool {
        let now = self.clock.now();
        here_since(caller).is_some_and(|since| since.is_within(TOKENS_WITHIN, now))
    }

    /// Makes a token for whoever asks, who has signed in lately.
    ///
    /// # Errors
    /// [`AppError::SignInFirst`]; [`AppError::Field`].
    pub async fn make_own_token(
        &self,
        caller: &Caller,
        name: &str,
        scope: &str,
        life: &str,
    ) -> Result<Secret, AppError> {
        let now = self.clock.now();
        if !self.may_make_tokens(caller) {
            return Err(AppError::SignInFirst(TOKENS_WITHIN));
        }
        let field = |field, problem: String| AppError::Field { field, problem };
        let name = name.trim();
        let is_visible = |c: char| assent_core::principal::is_visible(c);
        if !(1..=60).contains(&name.chars().count()) || !name.chars().all(is_visible) {
            return Err(field("name", "1 to 60 letters that can be seen".to_owned()));
        }
        let scope: Scope = scope.parse().map_err(|e| field("scope", format!("{e}")))?;
        let life: Span = life.parse().map_err(|e| field("expires_after", format!("{e}")))?;
        if life == Span::ZERO || life > LONGEST_TOKEN {
            return Err(field("expires_after", format!("at most {}", LONGEST_TOKEN.in_words())));
        }
        if self.own_tokens(caller).await?.len() >= MOST_TOKENS {
            return Err(field("name", format!("you have {MOST_TOKENS} tokens; end some")));
        }
        let (principal, administrator) = (caller.principal().clone(), false);
        let (id, purpose, parent) = (self.chance.access_id(now)?, Purpose::Token, None);
        let new = NewAccess { id, principal, administrator, purpose, parent, life };
        let label = Label { name: name.to_owned(), from: caller.network().ip };
        let (step, token) = Access::make_own(new, scope, label, &self.chance.secret()?, now);
        self.ledger.commit_access(step).await?;
        self.waiters.wake_log();
        Ok(token)
    }

    /// Ends all of these, and says who did.
    pub(super) async fn end_all(&self, all: &[Access], by: &PrincipalId) -> Result<(), AppError> {
        let now = self.clock.now();
        for access in all {
            if let Some(step) = access.revoke(by, now) {
                self.ledger.commit_access(step).await?;
            }
        }
        self.waiters.wake_log();
        Ok(())
    }

    /// Ends the session of this id at once: another takes its place.
    pub(super) async fn end_session(&self, id: AccessId, by: &PrincipalId) -> Result<(), AppError> {
        match self.ledger.access(id).await? {
            Some(access) => self.end_all(&[access], by).await,
            None => Ok(()),
        }
    }
}
